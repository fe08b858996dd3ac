//! Arithmetic as C has it, on values of the program: conversions, operators, comparisons.

use super::quad_arithmetic::Quad;
use super::types::{Kind, Number, Shape, Type};
use super::value::{Held, ReadMemory, Value, Whose};
use std::cmp::Ordering;

/// An operator between two values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // C's own
pub enum Operator {
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
    Equal,
    NotEqual,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Operator {
    /// What an order of two values means for it, if it compares.
    fn compares(self, order: Option<Ordering>) -> Option<bool> {
        Some(match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Below => order == Some(Ordering::Less),
            Self::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Above => order == Some(Ordering::Greater),
            Self::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            _ => return None,
        })
    }
}

/// What can be calculated with.
pub(super) enum Scalar {
    Integer(i128, Number),
    /// A `float` or a `double`, and its size.
    Float(f64, u64),
    /// A `long double`.
    Quad(Quad),
    Pointer {
        to: Type,
        address: u64,
    },
}

impl Scalar {
    pub(super) fn integer(&self) -> Result<i128, String> {
        match self {
            Self::Integer(value, _) => Ok(*value),
            Self::Pointer { address, .. } => Ok(i128::from(*address)),
            #[allow(clippy::cast_possible_truncation)] // as C does it: towards zero
            Self::Float(value, _) => Ok(*value as i128),
            Self::Quad(value) => Ok(value.to_integer()),
        }
    }
    fn float(&self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss)] // as C does it: to the nearest
            Self::Integer(value, _) => *value as f64,
            #[allow(clippy::cast_precision_loss)]
            Self::Pointer { address, .. } => *address as f64,
            Self::Float(value, _) => *value,
            Self::Quad(value) => value.to_double(),
        }
    }
    fn quad(&self) -> Quad {
        match self {
            Self::Integer(value, _) => Quad::of_integer(*value),
            Self::Pointer { address, .. } => Quad::of_integer((*address).into()),
            Self::Float(value, _) => Quad::of_double(*value),
            Self::Quad(value) => *value,
        }
    }
    fn is_float(&self) -> bool {
        matches!(self, Self::Float(..) | Self::Quad(_))
    }
    fn is_zero(&self) -> bool {
        match self {
            Self::Integer(value, _) => *value == 0,
            Self::Float(value, _) => *value == 0.0,
            Self::Quad(value) => value.is_zero(),
            Self::Pointer { address, .. } => *address == 0,
        }
    }
}

/// The low 64 bits.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // what is asked for
pub(super) fn low_word(value: i128) -> u64 {
    value as u64
}

/// What of a number fits into a type.
pub(super) fn wrapped(value: i128, number: Number) -> i128 {
    let unused = 128u32.saturating_sub(u32::try_from(8 * number.bytes.min(16)).unwrap_or(128));
    match number.kind {
        Kind::Truth => i128::from(value != 0),
        _ if unused == 128 => 0,
        _ if number.is_signed() => value << unused >> unused,
        // Sixteen bytes without a sign are held as if they had one.
        _ => ((value.cast_unsigned() << unused) >> unused).cast_signed(),
    }
}

/// The type that C calculates in (C11, 6.3.1.8).
fn common(a: Number, b: Number) -> Number {
    let promoted = |number: Number| {
        if number.bytes < 4 || !matches!(number.kind, Kind::Signed | Kind::Unsigned) && number.bytes <= 4 {
            Number::INT
        } else {
            number
        }
    };
    let (a, b) = (promoted(a), promoted(b));
    match a.bytes.cmp(&b.bytes) {
        Ordering::Less => b,
        Ordering::Greater => a,
        Ordering::Equal if a.is_signed() => b,
        Ordering::Equal => a,
    }
}

impl Value {
    /// What is to be calculated with; the error says why there is nothing.
    pub(super) fn scalar(&self, read: ReadMemory<'_>) -> Result<Scalar, String> {
        let of_size = |bytes: u64| -> Result<i128, String> {
            let bytes = self.bytes(usize::try_from(bytes.min(16)).unwrap_or(16), read)?;
            Ok(bytes.iter().rev().fold(0u128, |word, &byte| word << 8 | u128::from(byte)).cast_signed())
        };
        let integer = |number: Number| Ok(Scalar::Integer(wrapped(of_size(number.bytes)?, number), number));
        match self.type_.shape() {
            Shape::Number(Number { kind: Kind::Complex, .. }) => {
                Err(format!("{} is not calculated with", self.type_))
            }
            Shape::Number(Number { kind: Kind::Float, bytes: 16 }) => {
                Ok(Scalar::Quad(Quad(of_size(16)?.cast_unsigned())))
            }
            Shape::Number(Number { kind: Kind::Float, bytes }) => {
                let bits = of_size(bytes)?;
                Ok(Scalar::Float(super::quad::to_f64(bits.cast_unsigned(), bytes), bytes))
            }
            Shape::Number(number) => integer(number),
            Shape::Enumeration(dies, at) => integer(Type::number_of(&dies, at)),
            Shape::Register => integer(Number::WORD),
            Shape::Unknown(bytes @ (1 | 2 | 4 | 8)) => integer(Number { bytes, ..Number::WORD }),
            Shape::Pointer(to) => Ok(Scalar::Pointer { to, address: self.word(read)? }),
            Shape::Array(to, _) => Ok(Scalar::Pointer { to, address: self.address()? }),
            Shape::Function => Ok(Scalar::Pointer { to: self.type_.clone(), address: self.address()? }),
            Shape::Reference(_) => self.clone().referred(read)?.scalar(read),
            Shape::Record(..) => match self.stood_for(read)? {
                Some(value) if !matches!(value.type_.shape(), Shape::Record(..)) => value.scalar(read),
                _ => Err(format!("{} is no number", self.type_)),
            },
            Shape::Void | Shape::Unknown(_) => Err(format!("{} is no number", self.type_)),
        }
    }

    /// Its number: of a pointer the address.
    pub fn to_integer(&self, read: ReadMemory<'_>) -> Result<i128, String> {
        self.scalar(read)?.integer()
    }

    /// Its number as an address.
    pub fn to_word(&self, read: ReadMemory<'_>) -> Result<u64, String> {
        self.to_integer(read).map(low_word)
    }

    /// Whether it is not 0.
    pub fn is_true(&self, read: ReadMemory<'_>) -> Result<bool, String> {
        Ok(!self.scalar(read)?.is_zero())
    }

    /// Whether it stands for an address by itself: a pointer, or an array.
    pub fn is_pointer(&self) -> bool {
        matches!(self.type_.shape(), Shape::Pointer(_))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        matches!(self.type_.shape(), Shape::Array(..))
    }

    /// `-x`.
    pub fn negated(&self, read: ReadMemory<'_>) -> Result<Self, String> {
        match self.scalar(read)? {
            Scalar::Float(value, bytes) => Ok(Self::float(-value, bytes)),
            Scalar::Quad(value) => Ok(Self::quad(value.negated())),
            Scalar::Integer(value, number) => {
                let number = common(number, number);
                Ok(Self::number(wrapped(value.wrapping_neg(), number), number))
            }
            Scalar::Pointer { .. } => Err(format!("{} has no negative", self.type_)),
        }
    }

    /// `~x`.
    pub fn complement(&self, read: ReadMemory<'_>) -> Result<Self, String> {
        match self.scalar(read)? {
            Scalar::Integer(value, number) => {
                let number = common(number, number);
                Ok(Self::number(wrapped(!value, number), number))
            }
            _ => Err(format!("{} has no bits to turn over", self.type_)),
        }
    }

    /// `(type) x`.
    pub fn cast(&self, type_: &Type, read: ReadMemory<'_>) -> Result<Self, String> {
        let made = |value: Self| Self { type_: type_.clone(), whose: self.whose, ..value };
        match type_.shape() {
            Shape::Number(Number { kind: Kind::Float, bytes }) => {
                let value = self.scalar(read)?;
                Ok(made(match (bytes, &value) {
                    (16, _) => Self::quad(value.quad()),
                    (4, Scalar::Quad(value)) => Self::float(value.to_single().into(), 4),
                    _ => Self::float(value.float(), bytes),
                }))
            }
            Shape::Number(Number { kind: Kind::Complex, .. }) => Err(format!("nothing is made a {type_}")),
            Shape::Number(number) => {
                Ok(made(Self::number(wrapped(self.scalar(read)?.integer()?, number), number)))
            }
            Shape::Enumeration(dies, at) => {
                let number = Type::number_of(&dies, at);
                Ok(made(Self::number(wrapped(self.scalar(read)?.integer()?, number), number)))
            }
            Shape::Pointer(_) if matches!(self.held, Held::PointsTo(_)) => Ok(made(self.clone())),
            Shape::Pointer(_) => {
                let address = low_word(self.scalar(read)?.integer()?);
                Ok(made(Self::pointer(Type::Void, address, self.whose)))
            }
            // What is in memory may be looked at as anything else.
            Shape::Record(..) | Shape::Array(..) if self.address().is_ok() => Ok(made(self.clone())),
            _ => Err(format!("{} cannot be made a {type_}", self.type_)),
        }
    }

    /// `a + b` and the like.
    pub fn operate(&self, operator: Operator, other: &Self, read: ReadMemory<'_>) -> Result<Self, String> {
        let truth = |is_so: bool| Self::number(is_so.into(), Number::INT);
        let whose = self.whose.or(other.whose);
        let (a, b) = (self.scalar(read)?, other.scalar(read)?);
        match (&a, &b) {
            (Scalar::Pointer { to, address }, Scalar::Integer(by, _)) => {
                moved(operator, to, *address, *by, whose)
            }
            (Scalar::Integer(by, _), Scalar::Pointer { to, address }) if operator == Operator::Plus => {
                moved(operator, to, *address, *by, whose)
            }
            (Scalar::Pointer { to, address: a }, Scalar::Pointer { address: b, .. })
                if operator == Operator::Minus =>
            {
                let size = i128::from(to.size().unwrap_or(1).max(1));
                let bytes = i128::from(a.wrapping_sub(*b).cast_signed());
                Some(Self::number(bytes / size, Number::LONG))
            }
            // `$pc - main`: a register is an address as well as a number.
            (Scalar::Integer(a, _), Scalar::Pointer { address, .. }) if operator == Operator::Minus => {
                let bytes = low_word(*a).wrapping_sub(*address).cast_signed();
                Some(Self::number(bytes.into(), Number::LONG))
            }
            (Scalar::Integer(a, of_a), Scalar::Integer(b, of_b)) => {
                return integers(operator, (*a, *of_a), (*b, *of_b));
            }
            (Scalar::Pointer { .. }, _) | (_, Scalar::Pointer { .. }) => None,
            _ => floats(operator, &a, &b),
        }
        .or_else(|| {
            let order = match (&a, &b) {
                (Scalar::Quad(_), _) | (_, Scalar::Quad(_)) => a.quad().compared(b.quad()),
                _ if a.is_float() || b.is_float() => a.float().partial_cmp(&b.float()),
                // An address has no sign.
                _ => Some(low_word(a.integer().ok()?).cmp(&low_word(b.integer().ok()?))),
            };
            operator.compares(order).map(truth)
        })
        .ok_or_else(|| format!("this is not calculated with {} and {}", self.type_, other.type_))
    }
}

/// A pointer that is moved by elements; `None` if that is not what the operator does.
fn moved(operator: Operator, to: &Type, address: u64, by: i128, whose: Whose) -> Option<Value> {
    // What has no size counts bytes, as GNU C has it, and so does what is of no type.
    let is_typed = !matches!(to.shape(), Shape::Unknown(_));
    let by = low_word(by).wrapping_mul(to.size().filter(|_| is_typed).unwrap_or(1));
    let address = match operator {
        Operator::Plus => address.wrapping_add(by),
        Operator::Minus => address.wrapping_sub(by),
        _ => return None,
    };
    Some(Value::pointer(to.clone(), address, whose))
}

fn integers(operator: Operator, a: (i128, Number), b: (i128, Number)) -> Result<Value, String> {
    let shifts = matches!(operator, Operator::ShiftLeft | Operator::ShiftRight);
    let number = if shifts { common(a.1, a.1) } else { common(a.1, b.1) };
    let (a, b) = (wrapped(a.0, number), if shifts { b.0 } else { wrapped(b.0, number) });
    // Sixteen bytes without a sign are held as if they had one.
    let is_wide = number.bytes >= 16 && !number.is_signed();
    let order = if is_wide { a.cast_unsigned().cmp(&b.cast_unsigned()) } else { a.cmp(&b) };
    if let Some(is_so) = operator.compares(Some(order)) {
        return Ok(Value::number(is_so.into(), Number::INT));
    }
    let by = u32::try_from(b).ok().filter(|&by| by < 128);
    let value = match operator {
        Operator::Plus => a.wrapping_add(b),
        Operator::Minus => a.wrapping_sub(b),
        Operator::Times => a.wrapping_mul(b),
        Operator::Divide | Operator::Remainder if b == 0 => return Err("division by 0".to_owned()),
        Operator::Divide if is_wide => (a.cast_unsigned() / b.cast_unsigned()).cast_signed(),
        Operator::Remainder if is_wide => (a.cast_unsigned() % b.cast_unsigned()).cast_signed(),
        Operator::Divide => a.wrapping_div(b),
        Operator::Remainder => a.wrapping_rem(b),
        Operator::ShiftLeft => by.map_or(0, |by| a << by),
        Operator::ShiftRight if is_wide => by.map_or(0, |by| (a.cast_unsigned() >> by).cast_signed()),
        Operator::ShiftRight => by.map_or(0, |by| a >> by),
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Xor => a ^ b,
        _ => unreachable!("comparisons have been made"),
    };
    Ok(Value::number(wrapped(value, number), number))
}

fn floats(operator: Operator, a: &Scalar, b: &Scalar) -> Option<Value> {
    if matches!((a, b), (Scalar::Quad(_), _) | (_, Scalar::Quad(_))) {
        let (a, b) = (a.quad(), b.quad());
        return Some(Value::quad(match operator {
            Operator::Plus => a.plus(b),
            Operator::Minus => a.minus(b),
            Operator::Times => a.times(b),
            Operator::Divide => a.divided_by(b),
            _ => return None,
        }));
    }
    let bytes = |scalar: &Scalar| if let Scalar::Float(_, bytes) = scalar { *bytes } else { 0 };
    let bytes = bytes(a).max(bytes(b));
    let (a, b) = (a.float(), b.float());
    let value = match operator {
        Operator::Plus => a + b,
        Operator::Minus => a - b,
        Operator::Times => a * b,
        Operator::Divide => a / b,
        _ => return None,
    };
    Some(Value::float(value, bytes))
}
