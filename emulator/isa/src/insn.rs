//! The decoded instruction: [`Op`] says which, [`Format`] where its operands lie, [`Insn`] holds both.
//!
//! Everything here is derived from the table (`table.rs`) and the list of formats below.

use crate::effect::Effect;
use crate::ext::Extension;

/// One operand as it is written in assembly, and the field of [`Insn`] that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Integer destination, `rd`.
    Rd,
    /// Integer source, `rs1`.
    Rs1,
    /// Integer source, `rs2`.
    Rs2,
    /// Floating-point destination, `rd`.
    FRd,
    /// Floating-point source, `rs1`.
    FRs1,
    /// Floating-point source, `rs2`.
    FRs2,
    /// Floating-point source, `rs3`.
    FRs3,
    /// A signed number, `imm`.
    Imm,
    /// A shift amount, `imm`.
    Shamt,
    /// The upper 20 bits, `imm` (already shifted left by 12).
    Upper,
    /// `imm(rs1)`: base and offset.
    Offset,
    /// `(rs1)`: the address of an atomic.
    Address,
    /// `pc + imm`: where a branch or jump goes.
    Target,
    /// The number of a CSR, `imm`.
    Csr,
    /// A 5-bit unsigned number, in `rs1`.
    Zimm,
    /// Predecessor and successor sets of a fence, `imm`.
    FenceSets,
    /// The rounding mode, `rm`; left out in assembly when it is dynamic.
    Rounding,
    /// The same of an operation that is exact in every mode; left out when it is zero.
    RoundingExact,
    /// The only rounding mode that the instruction has, towards zero: fixed bits, but written.
    TowardsZero,
    /// The number of a constant of `fli`, in `rs1`; written as its value.
    Constant,
    /// `imm(rs1)`, the low five bits of `imm` left out: where a prefetch goes (a spelling of `ori`).
    BlockOffset,
}

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident $mask:literal [$($operand:ident)*];)*) => {
        /// The shape of an instruction: which bits are fixed and what the others hold.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Format { $($(#[$doc])* $name,)* }

        impl Format {
            /// The bits that are fixed, those that tell the instruction from others.
            pub const fn mask(self) -> u32 {
                match self { $(Self::$name => $mask,)* }
            }
            /// The operands in the order of the assembly language.
            pub const fn operands(self) -> &'static [Operand] {
                match self { $(Self::$name => &[$(Operand::$operand),*],)* }
            }
        }
    };
}

formats! {
    /// Register, register.
    R         0b1111111_00000_00000_111_00000_1111111 [Rd Rs1 Rs2];
    /// Register, immediate.
    I         0b0000000_00000_00000_111_00000_1111111 [Rd Rs1 Imm];
    /// One register.
    Unary     0b1111111_11111_00000_111_00000_1111111 [Rd Rs1];
    /// Operation on the cache block of an address.
    CacheBlock 0b1111111_11111_00000_111_11111_1111111 [Address];
    /// Shift of 64 bits by an immediate.
    Shift6    0b1111110_00000_00000_111_00000_1111111 [Rd Rs1 Shamt];
    /// Shift of 32 bits by an immediate.
    Shift5    0b1111111_00000_00000_111_00000_1111111 [Rd Rs1 Shamt];
    /// Integer load.
    Load      0b0000000_00000_00000_111_00000_1111111 [Rd Offset];
    /// Integer store.
    Store     0b0000000_00000_00000_111_00000_1111111 [Rs2 Offset];
    /// Conditional branch.
    B         0b0000000_00000_00000_111_00000_1111111 [Rs1 Rs2 Target];
    /// Upper immediate.
    U         0b0000000_00000_00000_000_00000_1111111 [Rd Upper];
    /// Jump and link.
    J         0b0000000_00000_00000_000_00000_1111111 [Rd Target];
    /// Jump and link through a register.
    Jalr      0b0000000_00000_00000_111_00000_1111111 [Rd Offset];
    /// Memory fence; `rd` and `rs1` are reserved and ignored, as the manual asks.
    Fence     0b0000000_00000_00000_111_00000_1111111 [FenceSets];
    /// Instruction fence; all its fields are reserved and ignored.
    FenceI    0b0000000_00000_00000_111_00000_1111111 [];
    /// No operands.
    Bare      0b1111111_11111_11111_111_11111_1111111 [];
    /// Fence of the page tables.
    SfenceVma 0b1111111_00000_00000_111_11111_1111111 [Rs1 Rs2];
    /// CSR access with a register.
    Csr       0b0000000_00000_00000_111_00000_1111111 [Rd Csr Rs1];
    /// CSR access with an immediate.
    CsrImm    0b0000000_00000_00000_111_00000_1111111 [Rd Csr Zimm];
    /// Load-reserved.
    Lr        0b1111100_11111_00000_111_00000_1111111 [Rd Address];
    /// Store-conditional and atomic memory operation.
    Amo       0b1111100_00000_00000_111_00000_1111111 [Rd Rs2 Address];
    /// Floating-point load.
    FpLoad    0b0000000_00000_00000_111_00000_1111111 [FRd Offset];
    /// Floating-point store.
    FpStore   0b0000000_00000_00000_111_00000_1111111 [FRs2 Offset];
    /// Fused multiply-add.
    FpR4      0b0000011_00000_00000_000_00000_1111111 [FRd FRs1 FRs2 FRs3 Rounding];
    /// Two sources, rounded.
    FpArith   0b1111111_00000_00000_000_00000_1111111 [FRd FRs1 FRs2 Rounding];
    /// Two sources, exact.
    FpR       0b1111111_00000_00000_111_00000_1111111 [FRd FRs1 FRs2];
    /// Two sources, an integer result.
    FpCompare 0b1111111_00000_00000_111_00000_1111111 [Rd FRs1 FRs2];
    /// One source, rounded.
    FpUnary   0b1111111_11111_00000_000_00000_1111111 [FRd FRs1 Rounding];
    /// Conversion to an integer.
    FpToInt   0b1111111_11111_00000_000_00000_1111111 [Rd FRs1 Rounding];
    /// Conversion from an integer.
    IntToFp   0b1111111_11111_00000_000_00000_1111111 [FRd Rs1 Rounding];
    /// One source, exact, although it has a rounding mode.
    FpWiden   0b1111111_11111_00000_000_00000_1111111 [FRd FRs1 RoundingExact];
    /// Exact conversion from an integer, although it has a rounding mode.
    IntToFpExact 0b1111111_11111_00000_000_00000_1111111 [FRd Rs1 RoundingExact];
    /// Bits or class to an integer register.
    FpToX     0b1111111_11111_00000_111_00000_1111111 [Rd FRs1];
    /// Bits from an integer register.
    XToFp     0b1111111_11111_00000_111_00000_1111111 [FRd Rs1];
    /// A constant.
    FpConstant 0b1111111_11111_00000_111_00000_1111111 [FRd Constant];
    /// Conversion to an integer, modular, with the one rounding mode that it has.
    FpModular 0b1111111_11111_00000_111_00000_1111111 [Rd FRs1 TowardsZero];
}

macro_rules! define_op {
    ($($op:ident $function:ident $mnemonic:literal $format:ident $extension:ident $effect:ident $bits:literal;)*) => {
        /// Which instruction: a row of the table.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum Op { $(#[doc = concat!("`", $mnemonic, "`")] $op,)* }

        impl Op {
            /// All instructions, in the order of the table; `ALL[op as usize] == op`.
            pub const ALL: &'static [Op] = &[$(Op::$op),*];

            /// The mnemonic (`amoadd.w`).
            pub const fn name(self) -> &'static str {
                match self { $(Op::$op => $mnemonic,)* }
            }
            /// The shape of its operands.
            pub const fn format(self) -> Format {
                match self { $(Op::$op => Format::$format,)* }
            }
            /// The extension it belongs to; [`crate::gate`] knows the exact condition.
            pub const fn extension(self) -> Extension {
                match self { $(Op::$op => Extension::$extension,)* }
            }
            /// What it may do.
            pub const fn effect(self) -> Effect {
                match self { $(Op::$op => Effect::$effect,)* }
            }
            /// The values of its fixed bits (those of [`Op::mask`]).
            pub const fn match_bits(self) -> u32 {
                match self { $(Op::$op => $bits,)* }
            }
            /// The instruction with this mnemonic.
            pub fn from_name(name: &str) -> Option<Op> {
                match name { $($mnemonic => Some(Op::$op),)* _ => None }
            }
        }
    };
}
for_each_insn!(define_op);

impl Op {
    /// The bits of the encoding that are fixed.
    pub const fn mask(self) -> u32 {
        self.format().mask()
    }
}

/// A decoded instruction. A field that the instruction's format does not have is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Insn {
    /// Which instruction; for a compressed one, the instruction that it expands to.
    pub op: Op,
    /// Destination register.
    pub rd: u8,
    /// First source register; for `csrr?i` the unsigned immediate.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// Third source register (fused multiply-add).
    pub rs3: u8,
    /// Floating point: the rounding-mode field, as encoded (reserved values too: whether they trap depends on
    /// the operation's turn to execute, not on decoding). Atomics: [`Insn::AQ`] and [`Insn::RL`].
    pub rm: u8,
    /// Length in bytes, 2 or 4.
    pub len: u8,
    /// The immediate, sign-extended; of `lui` and `auipc` already shifted; a shift amount, the number of a
    /// CSR and the `fm`, `pred`, `succ` bits of a fence are zero-extended.
    pub imm: i32,
    /// The encoding, zero-extended if compressed.
    pub bits: u32,
}

const _: () = assert!(size_of::<Insn>() == 16);

impl Insn {
    /// Whether it is `pause`: the hart spins.
    #[inline]
    pub const fn is_pause(&self) -> bool {
        matches!(self.op, Op::Fence) && self.imm == crate::pseudo::PAUSE
    }
    /// Whether a CSR instruction writes its CSR: `csrrs` and `csrrc` with `x0` (or the immediate 0) do not, not even the
    /// same value.
    #[inline]
    pub const fn writes_csr(&self) -> bool {
        matches!(self.op, Op::Csrrw | Op::Csrrwi) || self.rs1 != 0
    }
    /// In `rm` of an atomic: acquire.
    pub const AQ: u8 = 2;
    /// In `rm` of an atomic: release.
    pub const RL: u8 = 1;
    /// The rounding mode that means "as in `frm`".
    pub const RM_DYNAMIC: u8 = 7;

    /// A four-byte instruction with all its operands and its encoding zero, to be filled in.
    pub const fn blank(op: Op) -> Insn {
        Insn { op, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, len: 4, imm: 0, bits: 0 }
    }
    /// The number of the CSR that a CSR instruction names.
    pub const fn csr(&self) -> crate::csr::Csr {
        crate::csr::Csr((self.imm & 0xfff) as u16)
    }
}
