//! IEEE 754 arithmetic in integers: exact in value and in flags, under the rules of the RISC-V F and D
//! extensions, those of Zfh and of Zfa too (unprivileged manual, chapters "F", "D", "Zfh", "Zfa").
//!
//! Every operation is a pure function of bit patterns and a rounding mode; it returns the result and the flags
//! that it raises. All operations have one shape: [`unpack`](unpack::unpack) the operands, settle NaNs,
//! infinities and zeros, compute on integers with a sticky lowest bit, and let
//! [`round_and_pack`](round::round_and_pack) do the only rounding. The RISC-V choices: every NaN result is the
//! canonical NaN, tininess is detected after rounding, a conversion to integer saturates, `fma` of infinity and
//! zero is invalid even if the addend is a quiet NaN.
//!
//! Nothing here uses the host's floating point: this is the portable path, and the referee of any faster one.
//! NaN boxing is not done here but where a register is read, in `semantics`.

mod add;
mod compare;
mod convert;
mod div;
mod fma;
mod format;
mod integral;
#[cfg(test)]
mod known_answers;
mod mul;
mod round;
mod sqrt;
mod unpack;

pub use add::{add, sub};
pub use compare::{
    classify, copy_sign, copy_sign_negated, copy_sign_xor, eq, le, le_quiet, lt, lt_quiet, max, maximum, min,
    minimum,
};
pub use convert::{convert, from_i32, from_i64, from_u32, from_u64, to_i32, to_i64, to_u32, to_u64};
pub use div::div;
pub use fma::{fused_multiply_add, negated};
pub use format::{Binary16, Binary32, Binary64, Format};
pub use integral::{round_to_integral, round_to_integral_exact, to_i32_modular};
pub use mul::mul;
pub use round::{Flags, Round};
pub use sqrt::sqrt;
