//! The interpreter: the engine whose values are numbers. With `OBSERVED` it also tells an observer of every
//! memory access; without it that costs nothing.

use super::context::{Core, StopCause};
use super::observer::MemoryAccess;
use crate::semantics::{Amo, Engine, FloatFn, HelperFn, Surroundings, Width};
use crate::softfloat::Round;
use isa::insn::Insn;
use isa::paging::Access;
use isa::{Exception, Trap, VirtAddr};

/// The mark of a body that did not finish; the cause is in the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stopped;

/// The interpreter.
pub(super) struct Interp<'a, const OBSERVED: bool> {
    pub core: Core<'a>,
}

const CANONICAL_NAN_32: u64 = 0x7fc0_0000;
const BOX: u64 = 0xffff_ffff << 32;

impl<const OBSERVED: bool> Interp<'_, OBSERVED> {
    #[cold]
    fn stop(&mut self, cause: StopCause) -> Stopped {
        self.core.stop = cause;
        Stopped
    }
    fn observe(&mut self, va: u64, access: Access, width: Width, value: u64) {
        if OBSERVED && let Some(observer) = &mut self.core.observer {
            observer.memory(MemoryAccess { va: VirtAddr(va), access, width_bytes: width.bytes(), value });
        }
    }
}

#[inline]
fn last_byte(addr: u64, width: Width) -> u64 {
    addr.wrapping_add(u64::from(width.bytes()) - 1)
}

#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // truncation is what is asked for
fn sign_extend(a: u64, width: Width) -> u64 {
    match width {
        Width::Byte => i64::from(a as i8) as u64,
        Width::Half => i64::from(a as i16) as u64,
        Width::Word => i64::from(a as i32) as u64,
        Width::Double => a,
    }
}

#[inline]
fn zero_extend(a: u64, width: Width) -> u64 {
    match width {
        Width::Double => a,
        narrow => a & ((1 << (8 * narrow.bytes())) - 1),
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // the high half of a product
const fn high_half(product: u128) -> u64 {
    (product >> 64) as u64
}

/// The product of polynomials over the field of two elements.
fn carryless_product(a: u64, b: u64) -> u128 {
    let bits = (0..u64::BITS).filter(|bit| b >> bit & 1 != 0);
    bits.fold(0, |sum, bit| sum ^ u128::from(a) << bit)
}

impl Amo {
    /// The new value in memory; `old` and `operand` are sign-extended from the width.
    #[inline]
    fn apply(self, old: u64, operand: u64) -> u64 {
        match self {
            Self::Swap => operand,
            Self::Add => old.wrapping_add(operand),
            Self::Xor => old ^ operand,
            Self::And => old & operand,
            Self::Or => old | operand,
            Self::Min => old.cast_signed().min(operand.cast_signed()).cast_unsigned(),
            Self::Max => old.cast_signed().max(operand.cast_signed()).cast_unsigned(),
            // Sign extension keeps the unsigned order of words.
            Self::MinU => old.min(operand),
            Self::MaxU => old.max(operand),
        }
    }
}

impl<const OBSERVED: bool> Engine for Interp<'_, OBSERVED> {
    type Val = u64;
    type Cond = bool;
    type Rounding = Round;
    type Stop = Stopped;

    #[inline]
    fn x(&mut self, r: u8) -> u64 {
        self.core.hart.x[usize::from(r & 31)]
    }
    #[inline]
    fn set_x(&mut self, rd: u8, value: u64) {
        self.core.set_x(rd, value);
    }
    #[inline]
    fn pc(&mut self) -> u64 {
        self.core.pc()
    }
    #[inline]
    fn imm(&mut self, value: i64) -> u64 {
        value.cast_unsigned()
    }

    #[inline]
    fn jump(&mut self, target: u64) {
        self.core.next_pc = target;
    }
    #[inline]
    fn branch(&mut self, _: &Insn, taken: bool, offset: i64) {
        // Not taken, the block's end already says where to go on.
        if taken {
            self.core.next_pc = self.core.pc().wrapping_add_signed(offset);
        }
    }
    fn aligned_target(&mut self, taken: bool, target: u64) -> Result<(), Stopped> {
        if taken && !target.is_multiple_of(4) {
            let trap = Trap::at(Exception::InstructionMisaligned, VirtAddr(target));
            return Err(self.stop(StopCause::Trap(trap)));
        }
        Ok(())
    }
    #[inline]
    fn helper(&mut self, i: &Insn, f: HelperFn) -> Result<(), Stopped> {
        f(&mut self.core, i).map_err(|trap| self.stop(StopCause::Trap(trap)))
    }
    fn illegal(&mut self, i: &Insn) -> Result<(), Stopped> {
        Err(self.stop(StopCause::Trap(Trap::illegal(i.bits))))
    }

    #[inline]
    fn load(&mut self, addr: u64, width: Width) -> Result<u64, Stopped> {
        let hart = &self.core.hart;
        let value = match hart.fast.read(hart.data_bank, addr, last_byte(addr, width)) {
            Some(offset) => self.core.ram.load(offset, width.bytes()),
            None => match self.core.load_slow(addr, width) {
                Ok(value) => value,
                Err(cause) => return Err(self.stop(cause)),
            },
        };
        self.observe(addr, Access::Load, width, value);
        Ok(value)
    }
    #[inline]
    fn store(&mut self, addr: u64, width: Width, value: u64) -> Result<(), Stopped> {
        let hart = &self.core.hart;
        match hart.fast.write(hart.data_bank, addr, last_byte(addr, width)) {
            Some(offset) => self.core.ram.store(offset, width.bytes(), value),
            None => {
                if let Err(cause) = self.core.store_slow(addr, width, value) {
                    return Err(self.stop(cause));
                }
            }
        }
        self.observe(addr, Access::Store, width, zero_extend(value, width));
        Ok(())
    }
    fn load_reserved(&mut self, addr: u64, width: Width) -> Result<u64, Stopped> {
        let value = self.core.load_reserved(addr, width).map_err(|cause| self.stop(cause))?;
        self.observe(addr, Access::Load, width, value);
        Ok(sign_extend(value, width))
    }
    fn store_conditional(&mut self, addr: u64, width: Width, value: u64) -> Result<u64, Stopped> {
        let stored = self.core.store_conditional(addr, width, value).map_err(|cause| self.stop(cause))?;
        if stored {
            self.observe(addr, Access::Store, width, zero_extend(value, width));
        }
        Ok(u64::from(!stored))
    }
    fn amo(&mut self, op: Amo, addr: u64, width: Width, value: u64) -> Result<u64, Stopped> {
        let operand = sign_extend(value, width);
        let change = |old| op.apply(sign_extend(old, width), operand);
        let old = self.core.amo(addr, width, change).map_err(|cause| self.stop(cause))?;
        self.observe(addr, Access::Load, width, old);
        self.observe(addr, Access::Store, width, zero_extend(change(old), width));
        Ok(sign_extend(old, width))
    }

    fn manage_block(&mut self, addr: u64) -> Result<(), Stopped> {
        self.core.manage_block(addr).map_err(|cause| self.stop(cause))
    }

    #[inline]
    fn add(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
    #[inline]
    fn sub(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_sub(b)
    }
    #[inline]
    fn mul(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_mul(b)
    }
    #[inline]
    fn mulh(&mut self, a: u64, b: u64) -> u64 {
        let product = i128::from(a.cast_signed()) * i128::from(b.cast_signed());
        high_half(product.cast_unsigned())
    }
    #[inline]
    fn mulhsu(&mut self, a: u64, b: u64) -> u64 {
        let product = i128::from(a.cast_signed()) * i128::from(b);
        high_half(product.cast_unsigned())
    }
    #[inline]
    fn mulhu(&mut self, a: u64, b: u64) -> u64 {
        high_half(u128::from(a) * u128::from(b))
    }
    #[inline]
    fn div(&mut self, a: u64, b: u64) -> u64 {
        a.cast_signed().wrapping_div(b.cast_signed()).cast_unsigned()
    }
    #[inline]
    fn divu(&mut self, a: u64, b: u64) -> u64 {
        a / b
    }
    #[inline]
    fn rem(&mut self, a: u64, b: u64) -> u64 {
        a.cast_signed().wrapping_rem(b.cast_signed()).cast_unsigned()
    }
    #[inline]
    fn remu(&mut self, a: u64, b: u64) -> u64 {
        a % b
    }
    #[inline]
    fn and(&mut self, a: u64, b: u64) -> u64 {
        a & b
    }
    #[inline]
    fn or(&mut self, a: u64, b: u64) -> u64 {
        a | b
    }
    #[inline]
    fn xor(&mut self, a: u64, b: u64) -> u64 {
        a ^ b
    }
    #[inline]
    fn sll(&mut self, a: u64, count: u64) -> u64 {
        a << (count & 63)
    }
    #[inline]
    fn srl(&mut self, a: u64, count: u64) -> u64 {
        a >> (count & 63)
    }
    #[inline]
    fn sra(&mut self, a: u64, count: u64) -> u64 {
        (a.cast_signed() >> (count & 63)).cast_unsigned()
    }
    #[inline]
    fn clz(&mut self, a: u64) -> u64 {
        u64::from(a.leading_zeros())
    }
    #[inline]
    fn ctz(&mut self, a: u64) -> u64 {
        u64::from(a.trailing_zeros())
    }
    #[inline]
    fn cpop(&mut self, a: u64) -> u64 {
        u64::from(a.count_ones())
    }
    #[inline]
    fn swap_bytes(&mut self, a: u64) -> u64 {
        a.swap_bytes()
    }
    fn clmul(&mut self, a: u64, b: u64) -> u64 {
        high_half(carryless_product(a, b) << 64)
    }
    fn clmulh(&mut self, a: u64, b: u64) -> u64 {
        high_half(carryless_product(a, b))
    }
    #[inline]
    fn sext(&mut self, a: u64, width: Width) -> u64 {
        sign_extend(a, width)
    }
    #[inline]
    fn zext(&mut self, a: u64, width: Width) -> u64 {
        zero_extend(a, width)
    }
    #[inline]
    fn eq(&mut self, a: u64, b: u64) -> bool {
        a == b
    }
    #[inline]
    fn ne(&mut self, a: u64, b: u64) -> bool {
        a != b
    }
    #[inline]
    fn lt(&mut self, a: u64, b: u64) -> bool {
        a.cast_signed() < b.cast_signed()
    }
    #[inline]
    fn ge(&mut self, a: u64, b: u64) -> bool {
        a.cast_signed() >= b.cast_signed()
    }
    #[inline]
    fn ltu(&mut self, a: u64, b: u64) -> bool {
        a < b
    }
    #[inline]
    fn geu(&mut self, a: u64, b: u64) -> bool {
        a >= b
    }
    #[inline]
    fn both(&mut self, a: bool, b: bool) -> bool {
        a & b
    }
    #[inline]
    fn select(&mut self, cond: bool, yes: u64, no: u64) -> u64 {
        if cond { yes } else { no }
    }
    #[inline]
    fn flag(&mut self, cond: bool) -> u64 {
        u64::from(cond)
    }

    #[inline]
    fn fp_enabled(&mut self, i: &Insn) -> Result<(), Stopped> {
        if self.core.hart.csr.float_is_on() { Ok(()) } else { self.illegal(i) }
    }
    #[inline]
    fn rounding(&mut self, i: &Insn) -> Result<Round, Stopped> {
        let bits = if i.rm == Insn::RM_DYNAMIC { self.core.hart.csr.frm } else { i.rm };
        match Round::from_bits(bits) {
            Some(mode) => Ok(mode),
            None => Err(self.stop(StopCause::Trap(Trap::illegal(i.bits)))),
        }
    }
    #[inline]
    fn f(&mut self, r: u8) -> u64 {
        self.core.hart.f[usize::from(r & 31)]
    }
    #[inline]
    fn f32(&mut self, r: u8) -> u64 {
        let bits = self.f(r);
        if bits & BOX == BOX { bits & !BOX } else { CANONICAL_NAN_32 }
    }
    #[inline]
    fn set_f(&mut self, rd: u8, value: u64) {
        self.core.hart.f[usize::from(rd & 31)] = value;
        self.core.hart.csr.float_is_dirty();
    }
    #[inline]
    fn set_f32(&mut self, rd: u8, value: u64) {
        self.set_f(rd, value | BOX);
    }
    #[inline]
    fn float<const N: usize>(&mut self, op: FloatFn<N>, operands: [u64; N], rounding: Round) -> u64 {
        let (value, flags) = op(operands, rounding);
        if !flags.is_empty() {
            self.core.hart.csr.fflags |= flags.bits();
            self.core.hart.csr.float_is_dirty();
            if OBSERVED && let Some(observer) = &mut self.core.observer {
                observer.float_flags(flags.bits());
            }
        }
        value
    }
    #[inline]
    fn rounding_unused(&mut self) -> Round {
        Round::NearestEven
    }
}
