//! The trait that instruction bodies are written over.

use crate::hart::Hart;
use crate::softfloat::{Flags, Round};
use isa::csr::Csr;
use isa::insn::Insn;
use isa::{Trap, VirtAddr};

/// How wide a memory access is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Width {
    /// 8 bits.
    Byte = 1,
    /// 16 bits.
    Half = 2,
    /// 32 bits.
    Word = 4,
    /// 64 bits.
    Double = 8,
}

impl Width {
    /// The width in bytes.
    #[inline]
    pub const fn bytes(self) -> u8 {
        self as u8
    }
}

/// What an AMO puts into memory, from the value there and the register's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amo {
    /// The register's value.
    Swap,
    /// The sum.
    Add,
    /// Bitwise exclusive or.
    Xor,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// The lesser, signed.
    Min,
    /// The greater, signed.
    Max,
    /// The lesser, unsigned.
    MinU,
    /// The greater, unsigned.
    MaxU,
}

/// The hart and its surroundings, as the rare or stateful part of an instruction sees them.
pub trait Surroundings {
    /// The hart.
    fn hart(&self) -> &Hart;
    /// The hart, to be changed.
    fn hart_mut(&mut self) -> &mut Hart;
    /// The address of the running instruction.
    fn pc(&self) -> u64;
    /// Writes integer register `rd`.
    fn set_x(&mut self, rd: u8, value: u64);
    /// Reads a CSR as the running instruction; `None` if that is illegal.
    fn read_csr(&self, csr: Csr) -> Option<u64>;
    /// Writes a CSR that could be read; `None` if that is illegal.
    fn write_csr(&mut self, csr: Csr, value: u64) -> Option<()>;
    /// A return from a trap goes on at `target`.
    fn return_to(&mut self, target: u64);
    /// The hart waits from after this instruction on.
    fn wait_for_interrupt(&mut self);
    /// The hart waits for another hart's doing: it is the next one's turn after this instruction, which ends its block.
    fn end_turn(&mut self);
    /// `sfence.vma` on this hart: `va` and `asid` narrow what is dropped.
    fn fence_translations(&mut self, va: Option<VirtAddr>, asid: Option<u64>);
}

/// The rare or stateful part of an instruction: an ordinary function over the hart and what is around it.
pub type HelperFn = fn(&mut dyn Surroundings, &Insn) -> Result<(), Trap>;

/// A pure floating-point operation on bit patterns (binary32 in the low half, the rest zero): result and flags.
pub type FloatFn<const N: usize> = fn([u64; N], Round) -> (u64, Flags);

/// One way to run instructions. See the module's documentation for the rules that bodies keep.
pub trait Engine: Sized {
    /// A 64-bit guest value.
    type Val: Copy;
    /// A truth value.
    type Cond: Copy;
    /// A rounding mode, resolved.
    type Rounding: Copy;
    /// Why the instruction did not finish: a mark only, the details are the engine's.
    type Stop;

    // Registers.

    /// Integer register `r`; register 0 reads zero.
    fn x(&mut self, r: u8) -> Self::Val;
    /// Writes integer register `rd`; a write of register 0 is lost.
    fn set_x(&mut self, rd: u8, value: Self::Val);
    /// The address of this instruction.
    fn pc(&mut self) -> Self::Val;
    /// A constant, sign-extended.
    fn imm(&mut self, value: i64) -> Self::Val;

    // Control: at most one of these, as the last thing a body does. Without them execution falls through.

    /// Goes on at `target`, whose bit 0 is already clear.
    fn jump(&mut self, target: Self::Val);
    /// Goes on `offset` bytes from this instruction if `taken`, else after this instruction.
    fn branch(&mut self, i: &Insn, taken: Self::Cond, offset: i64);
    /// Raises instruction address misaligned, with `target` as `tval`, if `taken` and `target` is no multiple of four.
    fn aligned_target(&mut self, taken: Self::Cond, target: Self::Val) -> Result<(), Self::Stop>;
    /// Runs `f`, which may change anything of the hart. After it the hart goes on where the `pc` it left says;
    /// unless `f` has set it that is after this instruction.
    fn helper(&mut self, i: &Insn, f: HelperFn) -> Result<(), Self::Stop>;
    /// Raises illegal instruction, with the instruction's bits as `tval`.
    fn illegal(&mut self, i: &Insn) -> Result<(), Self::Stop>;

    // Memory. An access stops before it has any effect, or happens as a whole.

    /// The value at `addr`, zero-extended.
    fn load(&mut self, addr: Self::Val, width: Width) -> Result<Self::Val, Self::Stop>;
    /// Stores the low bytes of `value` at `addr`.
    fn store(&mut self, addr: Self::Val, width: Width, value: Self::Val) -> Result<(), Self::Stop>;
    /// LR: the value at `addr`, sign-extended; sets the reservation.
    fn load_reserved(&mut self, addr: Self::Val, width: Width) -> Result<Self::Val, Self::Stop>;
    /// SC: 0 if it stored, 1 if not; ends the reservation.
    fn store_conditional(
        &mut self,
        addr: Self::Val,
        width: Width,
        value: Self::Val,
    ) -> Result<Self::Val, Self::Stop>;
    /// AMO: the value that was at `addr`, sign-extended.
    fn amo(
        &mut self,
        op: Amo,
        addr: Self::Val,
        width: Width,
        value: Self::Val,
    ) -> Result<Self::Val, Self::Stop>;

    /// A cache block is cleaned or invalidated: nothing but a check that it is memory and may be accessed.
    fn manage_block(&mut self, addr: Self::Val) -> Result<(), Self::Stop>;

    // Pure operations on 64-bit values. Shifts use the low six bits of the count.

    /// `a + b`, wrapping.
    fn add(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// `a - b`, wrapping.
    fn sub(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The low 64 bits of `a * b`.
    fn mul(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The high 64 bits of signed times signed.
    fn mulh(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The high 64 bits of signed `a` times unsigned `b`.
    fn mulhsu(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The high 64 bits of unsigned times unsigned.
    fn mulhu(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Signed quotient towards zero; `b` is not zero and the quotient does not overflow.
    fn div(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Unsigned quotient; `b` is not zero.
    fn divu(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Signed remainder; `b` is not zero and the quotient does not overflow.
    fn rem(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Unsigned remainder; `b` is not zero.
    fn remu(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Bitwise and.
    fn and(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Bitwise or.
    fn or(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Bitwise exclusive or.
    fn xor(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Shift left.
    fn sll(&mut self, a: Self::Val, count: Self::Val) -> Self::Val;
    /// Logical shift right.
    fn srl(&mut self, a: Self::Val, count: Self::Val) -> Self::Val;
    /// Arithmetic shift right.
    fn sra(&mut self, a: Self::Val, count: Self::Val) -> Self::Val;
    /// The number of zeros above the highest one; 64 if there is none.
    fn clz(&mut self, a: Self::Val) -> Self::Val;
    /// The number of zeros below the lowest one; 64 if there is none.
    fn ctz(&mut self, a: Self::Val) -> Self::Val;
    /// The number of ones.
    fn cpop(&mut self, a: Self::Val) -> Self::Val;
    /// The bytes in the opposite order.
    fn swap_bytes(&mut self, a: Self::Val) -> Self::Val;
    /// The low 64 bits of the carry-less product.
    fn clmul(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The high 64 bits of the carry-less product.
    fn clmulh(&mut self, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The low bytes of `a`, sign-extended.
    fn sext(&mut self, a: Self::Val, width: Width) -> Self::Val;
    /// The low bytes of `a`, zero-extended.
    fn zext(&mut self, a: Self::Val, width: Width) -> Self::Val;
    /// Whether `a == b`.
    fn eq(&mut self, a: Self::Val, b: Self::Val) -> Self::Cond;
    /// Whether `a != b`.
    fn ne(&mut self, a: Self::Val, b: Self::Val) -> Self::Cond;
    /// Whether `a < b`, signed.
    fn lt(&mut self, a: Self::Val, b: Self::Val) -> Self::Cond;
    /// Whether `a >= b`, signed.
    fn ge(&mut self, a: Self::Val, b: Self::Val) -> Self::Cond;
    /// Whether `a < b`, unsigned.
    fn ltu(&mut self, a: Self::Val, b: Self::Val) -> Self::Cond;
    /// Whether `a >= b`, unsigned.
    fn geu(&mut self, a: Self::Val, b: Self::Val) -> Self::Cond;
    /// Whether both hold.
    fn both(&mut self, a: Self::Cond, b: Self::Cond) -> Self::Cond;
    /// `yes` if `cond`, else `no`.
    fn select(&mut self, cond: Self::Cond, yes: Self::Val, no: Self::Val) -> Self::Val;
    /// 1 if `cond`, else 0.
    fn flag(&mut self, cond: Self::Cond) -> Self::Val;

    // Floating point. Each F or D body starts with `fp_enabled`.

    /// Illegal instruction if `mstatus.FS` is off.
    fn fp_enabled(&mut self, i: &Insn) -> Result<(), Self::Stop>;
    /// The rounding mode of the instruction; illegal instruction if it (or, if dynamic, `frm`) is reserved.
    fn rounding(&mut self, i: &Insn) -> Result<Self::Rounding, Self::Stop>;
    /// The 64 bits of floating-point register `r`.
    fn f(&mut self, r: u8) -> Self::Val;
    /// Register `r` as binary32, zero-extended: the canonical NaN unless it is properly NaN-boxed.
    fn f32(&mut self, r: u8) -> Self::Val;
    /// Writes the 64 bits of floating-point register `rd`; FS becomes dirty.
    fn set_f(&mut self, rd: u8, value: Self::Val);
    /// Writes the low 32 bits of `value`, NaN-boxed, to floating-point register `rd`; FS becomes dirty.
    fn set_f32(&mut self, rd: u8, value: Self::Val);
    /// Runs a pure operation and accrues its flags in `fflags` (FS becomes dirty if there are any).
    fn float<const N: usize>(
        &mut self,
        op: FloatFn<N>,
        operands: [Self::Val; N],
        rounding: Self::Rounding,
    ) -> Self::Val;
    /// A rounding mode for operations that do not round.
    fn rounding_unused(&mut self) -> Self::Rounding;
}
