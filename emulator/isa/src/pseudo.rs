//! Pseudo-instructions: other spellings of an instruction with particular operands (the assembly programmer's
//! manual, "pseudoinstructions"). The disassembler prefers the first that applies; the assembler reads them.

use crate::csr::Csr;
use crate::insn::{Insn, Op, Operand};
use crate::reg::{RA, ZERO};

/// One spelling.
pub(crate) struct Pseudo {
    pub name: &'static str,
    pub op: Op,
    /// What the operands that it leaves out must be.
    pub when: &'static [Fixed],
    /// The operands that it names.
    pub operands: &'static [Operand],
}

/// A condition on an operand that a pseudo-instruction leaves out.
#[derive(Clone, Copy)]
pub(crate) enum Fixed {
    Rd(u8),
    Rs1(u8),
    Rs2(u8),
    Imm(i32),
    /// The low five bits of the immediate.
    ImmLow(i32),
    /// The second source is the first.
    SameSources,
    /// Only in its two-byte encoding (`c.mv` is spelled `mv`; the four-byte `add rd, zero, rs2` is not).
    Compressed,
}

impl Fixed {
    pub fn holds(self, insn: &Insn) -> bool {
        match self {
            Fixed::Rd(n) => insn.rd == n,
            Fixed::Rs1(n) => insn.rs1 == n,
            Fixed::Rs2(n) => insn.rs2 == n,
            Fixed::Imm(n) => insn.imm == n,
            Fixed::ImmLow(n) => insn.imm & 31 == n,
            Fixed::SameSources => insn.rs1 == insn.rs2,
            Fixed::Compressed => insn.len == 2,
        }
    }
}

macro_rules! pseudos {
    ($($name:literal $op:ident [$($fixed:expr),*] [$($operand:ident)*];)*) => {
        /// All of them; for one instruction, the more special first.
        pub(crate) static PSEUDOS: &[Pseudo] = &[$(Pseudo {
            name: $name,
            op: Op::$op,
            when: &[$($fixed),*],
            operands: &[$(Operand::$operand),*],
        }),*];
    };
}

use Fixed::{Compressed, Imm, ImmLow, Rd, Rs1, Rs2, SameSources};

const FULL_FENCE: i32 = 0xff;
const FENCE_TSO: i32 = 0x833;
/// The fence that hints that the hart spins (Zihintpause).
pub(crate) const PAUSE: i32 = 0x010;

const fn csr(csr: Csr) -> Fixed {
    Imm(csr.0 as i32)
}

pseudos! {
    "nop"        Addi     [Rd(ZERO), Rs1(ZERO), Imm(0)] [];
    "li"         Addi     [Rs1(ZERO)]                   [Rd Imm];
    "mv"         Addi     [Imm(0)]                      [Rd Rs1];
    "mv"         Add      [Rs1(ZERO), Compressed]       [Rd Rs2];
    "not"        Xori     [Imm(-1)]                     [Rd Rs1];
    "neg"        Sub      [Rs1(ZERO)]                   [Rd Rs2];
    "negw"       Subw     [Rs1(ZERO)]                   [Rd Rs2];
    "sext.w"     Addiw    [Imm(0)]                      [Rd Rs1];
    "zext.b"     Andi     [Imm(255)]                    [Rd Rs1];
    "zext.h"     Packw    [Rs2(ZERO)]                   [Rd Rs1];
    "zext.w"     AddUw    [Rs2(ZERO)]                   [Rd Rs1];
    "prefetch.i" Ori      [Rd(ZERO), ImmLow(0)]         [BlockOffset];
    "prefetch.r" Ori      [Rd(ZERO), ImmLow(1)]         [BlockOffset];
    "prefetch.w" Ori      [Rd(ZERO), ImmLow(3)]         [BlockOffset];
    "seqz"       Sltiu    [Imm(1)]                      [Rd Rs1];
    "snez"       Sltu     [Rs1(ZERO)]                   [Rd Rs2];
    "sltz"       Slt      [Rs2(ZERO)]                   [Rd Rs1];
    "sgtz"       Slt      [Rs1(ZERO)]                   [Rd Rs2];
    "beqz"       Beq      [Rs2(ZERO)]                   [Rs1 Target];
    "bnez"       Bne      [Rs2(ZERO)]                   [Rs1 Target];
    "bltz"       Blt      [Rs2(ZERO)]                   [Rs1 Target];
    "bgtz"       Blt      [Rs1(ZERO)]                   [Rs2 Target];
    "blez"       Bge      [Rs1(ZERO)]                   [Rs2 Target];
    "bgez"       Bge      [Rs2(ZERO)]                   [Rs1 Target];
    "j"          Jal      [Rd(ZERO)]                    [Target];
    "jal"        Jal      [Rd(RA)]                      [Target];
    "ret"        Jalr     [Rd(ZERO), Rs1(RA), Imm(0)]   [];
    "jr"         Jalr     [Rd(ZERO), Imm(0)]            [Rs1];
    "jr"         Jalr     [Rd(ZERO)]                    [Offset];
    "jalr"       Jalr     [Rd(RA), Imm(0)]              [Rs1];
    "jalr"       Jalr     [Rd(RA)]                      [Offset];
    "jalr"       Jalr     [Imm(0)]                      [Rd Rs1];
    "fence"      Fence    [Imm(FULL_FENCE)]             [];
    "fence.tso"  Fence    [Imm(FENCE_TSO)]              [];
    "pause"      Fence    [Imm(PAUSE)]                  [];
    "sfence.vma" SfenceVma [Rs1(ZERO), Rs2(ZERO)]       [];
    "sfence.vma" SfenceVma [Rs2(ZERO)]                  [Rs1];
    "unimp"      Csrrw    [Rd(ZERO), Rs1(ZERO), csr(Csr::CYCLE)] [];
    "fscsr"      Csrrw    [Rd(ZERO), csr(Csr::FCSR)]    [Rs1];
    "fscsr"      Csrrw    [csr(Csr::FCSR)]              [Rd Rs1];
    "fsrm"       Csrrw    [Rd(ZERO), csr(Csr::FRM)]     [Rs1];
    "fsrm"       Csrrw    [csr(Csr::FRM)]               [Rd Rs1];
    "fsflags"    Csrrw    [Rd(ZERO), csr(Csr::FFLAGS)]  [Rs1];
    "fsflags"    Csrrw    [csr(Csr::FFLAGS)]            [Rd Rs1];
    "csrw"       Csrrw    [Rd(ZERO)]                    [Csr Rs1];
    "rdcycle"    Csrrs    [Rs1(ZERO), csr(Csr::CYCLE)]  [Rd];
    "rdtime"     Csrrs    [Rs1(ZERO), csr(Csr::TIME)]   [Rd];
    "rdinstret"  Csrrs    [Rs1(ZERO), csr(Csr::INSTRET)] [Rd];
    "frcsr"      Csrrs    [Rs1(ZERO), csr(Csr::FCSR)]   [Rd];
    "frrm"       Csrrs    [Rs1(ZERO), csr(Csr::FRM)]    [Rd];
    "frflags"    Csrrs    [Rs1(ZERO), csr(Csr::FFLAGS)] [Rd];
    "csrr"       Csrrs    [Rs1(ZERO)]                   [Rd Csr];
    "csrs"       Csrrs    [Rd(ZERO)]                    [Csr Rs1];
    "csrc"       Csrrc    [Rd(ZERO)]                    [Csr Rs1];
    "fsrmi"      Csrrwi   [csr(Csr::FRM)]               [Rd Zimm];
    "fsrmi"      Csrrwi   [Rd(ZERO), csr(Csr::FRM)]     [Zimm];
    "fsflagsi"   Csrrwi   [csr(Csr::FFLAGS)]            [Rd Zimm];
    "fsflagsi"   Csrrwi   [Rd(ZERO), csr(Csr::FFLAGS)]  [Zimm];
    "csrwi"      Csrrwi   [Rd(ZERO)]                    [Csr Zimm];
    "csrsi"      Csrrsi   [Rd(ZERO)]                    [Csr Zimm];
    "csrci"      Csrrci   [Rd(ZERO)]                    [Csr Zimm];
    "fmv.s"      FsgnjS   [SameSources]                 [FRd FRs1];
    "fneg.s"     FsgnjnS  [SameSources]                 [FRd FRs1];
    "fabs.s"     FsgnjxS  [SameSources]                 [FRd FRs1];
    "fmv.h"      FsgnjH   [SameSources]                 [FRd FRs1];
    "fneg.h"     FsgnjnH  [SameSources]                 [FRd FRs1];
    "fabs.h"     FsgnjxH  [SameSources]                 [FRd FRs1];
    "fmv.d"      FsgnjD   [SameSources]                 [FRd FRs1];
    "fneg.d"     FsgnjnD  [SameSources]                 [FRd FRs1];
    "fabs.d"     FsgnjxD  [SameSources]                 [FRd FRs1];
}
