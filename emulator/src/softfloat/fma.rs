//! Fused multiply-add: one rounding for both operations.

use super::add::{sign_of_zero_sum, sum};
use super::compare::negate;
use super::format::Format;
use super::mul::{product, signs_differ};
use super::round::{Flags, Round, round_and_pack};
use super::unpack::{Value, exact_infinity, exact_zero, invalid, propagate_nan, unpack};

/// `a * b + c`, rounded once. The other three variants negate operands: `fmsub` is `(a, b, -c)`, `fnmsub` is
/// `(-a, b, c)`, `fnmadd` is `(-a, b, -c)`; see [`negated`].
#[inline]
pub fn fused_multiply_add<F: Format>(a: F::Bits, b: F::Bits, c: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let (x, y, z) = (unpack::<F>(a), unpack::<F>(b), unpack::<F>(c));
    let sign = signs_differ::<F>(a, b);
    match (x, y, z) {
        // Before the NaN rule: infinity times zero is invalid whatever is added.
        (Value::Infinite { .. }, Value::Zero { .. }, _) | (Value::Zero { .. }, Value::Infinite { .. }, _) => {
            invalid::<F>()
        }
        (Value::Nan { .. }, _, _) | (_, Value::Nan { .. }, _) | (_, _, Value::Nan { .. }) => {
            propagate_nan::<F>(&[x, y, z])
        }
        (Value::Infinite { .. }, _, _) | (_, Value::Infinite { .. }, _) => match z {
            Value::Infinite { sign: other } if other != sign => invalid::<F>(),
            _ => exact_infinity::<F>(sign),
        },
        (_, _, Value::Infinite { sign }) => exact_infinity::<F>(sign),
        (Value::Zero { .. }, _, Value::Zero { sign: other })
        | (_, Value::Zero { .. }, Value::Zero { sign: other }) => {
            exact_zero::<F>(sign_of_zero_sum(sign, other, mode))
        }
        (Value::Zero { .. }, _, Value::Finite(_)) | (_, Value::Zero { .. }, Value::Finite(_)) => {
            (c, Flags::empty())
        }
        (Value::Finite(x), Value::Finite(y), Value::Zero { .. }) => round_and_pack::<F>(product(x, y), mode),
        (Value::Finite(x), Value::Finite(y), Value::Finite(z)) => {
            sum::<F>(product(x, y).normalized(), z.widen(), mode)
        }
    }
}

/// `-a`: the pattern with its sign bit inverted, also of a NaN.
#[inline]
pub fn negated<F: Format>(a: F::Bits) -> F::Bits {
    negate::<F>(a)
}
