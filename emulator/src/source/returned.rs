//! What a function has returned, by the registers when it has (RISC-V ELF psABI, "Return Values" and "Hardware Floating-point Calling
//! Convention"). Rust does not promise to keep to that, and does for what is one or two numbers.

use super::dies::{At, Dies};
use super::types::{Kind, MAX_DEPTH, Shape, Type};
use super::value::Value;
use gimli::AttributeValue;
use isa::reg;
use std::rc::Rc;

/// Bytes of an integer register.
const XLEN_BYTES: u64 = 8;

/// Where a value is when the function has returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In memory, whose address is in `a0`.
    Memory,
    /// Piece by piece in registers.
    Registers(Vec<Piece>),
}

/// What of a value is in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    offset_bytes: u64,
    bytes: u64,
    is_float: bool,
    /// How many of its kind are before it.
    number: usize,
}

/// A number that a value is made of.
#[derive(Clone, Copy, Debug)]
struct Field {
    offset_bytes: u64,
    bytes: u64,
    is_float: bool,
}

/// What a function has returned.
#[derive(Clone)]
pub struct Returned {
    /// The value.
    pub value: Value,
    /// Whether it is in memory, whose address the function has left in `a0`.
    pub is_in_memory: bool,
}

/// The type of a function's value, and where it will be.
#[derive(Clone)]
pub struct Returns {
    type_: Type,
    place: Place,
}

impl Returns {
    /// What the function returns that an entry tells of; `float_bytes` is the widest number that floating-point registers pass. `None` if
    /// it returns nothing.
    pub(super) fn of(dies: &Rc<Dies>, function: At, float_bytes: u64) -> Option<Self> {
        let type_ = Type::of(dies, function);
        let bytes = type_.size().filter(|&bytes| bytes > 0)?;
        let is_by_reference = match type_.shape() {
            Shape::Record(dies, at) => matches!(
                dies.attribute(at, gimli::DW_AT_calling_convention),
                Some((_, AttributeValue::CallingConvention(gimli::DW_CC_pass_by_reference)))
            ),
            _ => false,
        };
        let mut fields = Vec::new();
        let is_plain = flatten(&type_, 0, &mut fields, MAX_DEPTH);
        let place =
            if is_by_reference { Place::Memory } else { place_of(bytes, is_plain, &fields, float_bytes) };
        Some(Self { type_, place })
    }

    /// The value, from the registers when the function has returned.
    pub fn value(&self, x: &[u64; 32], f: &[u64; 32]) -> Returned {
        let first = x[usize::from(reg::A0)];
        match &self.place {
            Place::Memory => {
                Returned { value: Value::place(self.type_.clone(), first, None), is_in_memory: true }
            }
            Place::Registers(pieces) => {
                let bytes = gather(pieces, &x[usize::from(reg::A0)..], &f[usize::from(reg::A0)..]);
                let count = self.type_.size().unwrap_or(0);
                let value = Value::of_bytes(self.type_.clone(), &bytes, count);
                Returned { value, is_in_memory: false }
            }
        }
    }
}

/// Where a value of so many bytes is.
fn place_of(bytes: u64, is_plain: bool, fields: &[Field], float_bytes: u64) -> Place {
    if bytes > 2 * XLEN_BYTES {
        return Place::Memory;
    }
    let fits = |field: &Field| field.bytes <= if field.is_float { float_bytes } else { XLEN_BYTES };
    let has_float = fields.iter().any(|field| field.is_float);
    let integers = fields.iter().filter(|field| !field.is_float).count();
    if is_plain && has_float && fields.len() <= 2 && integers <= 1 && fields.iter().all(fits) {
        let piece = |(index, field): (usize, &Field)| {
            let number = fields[..index].iter().filter(|other| other.is_float == field.is_float).count();
            let Field { offset_bytes, bytes, is_float } = *field;
            Piece { offset_bytes, bytes, is_float, number }
        };
        return Place::Registers(fields.iter().enumerate().map(piece).collect());
    }
    let words = 0..usize::from(bytes > XLEN_BYTES) + 1;
    let piece = |(number, offset_bytes): (usize, u64)| Piece {
        offset_bytes,
        bytes: (bytes - offset_bytes).min(XLEN_BYTES),
        is_float: false,
        number,
    };
    Place::Registers(words.zip([0, XLEN_BYTES]).map(piece).collect())
}

/// The bytes of a value, from the argument registers of both kinds.
fn gather(pieces: &[Piece], integers: &[u64], floats: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let word = if piece.is_float { floats[piece.number] } else { integers[piece.number] };
        let (from, count) = (usize::try_from(piece.offset_bytes), usize::try_from(piece.bytes));
        let (Ok(from), Ok(count)) = (from, count) else { continue };
        bytes.resize(bytes.len().max(from + count), 0);
        bytes[from..from + count].copy_from_slice(&word.to_le_bytes()[..count]);
    }
    bytes
}

/// The numbers that a type is made of, as far as they are not too many to matter; `false` if it is not made of numbers alone.
fn flatten(type_: &Type, offset_bytes: u64, fields: &mut Vec<Field>, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    // More than two are never passed one by one.
    if fields.len() > 2 {
        return false;
    }
    match type_.shape() {
        Shape::Number(number) => {
            let is_float = matches!(number.kind, Kind::Float | Kind::Complex);
            let parts = if number.kind == Kind::Complex { 2 } else { 1 };
            let bytes = number.bytes / parts;
            fields.extend((0..parts).map(|part| Field {
                offset_bytes: offset_bytes + part * bytes,
                bytes,
                is_float,
            }));
            true
        }
        Shape::Pointer(_) | Shape::Reference(_) | Shape::Register | Shape::Enumeration(..) => {
            let bytes = type_.size().unwrap_or(XLEN_BYTES);
            fields.push(Field { offset_bytes, bytes, is_float: false });
            true
        }
        Shape::Array(element, Some(length)) => {
            let Some(bytes) = element.size().filter(|_| length <= 16) else { return false };
            (0..length).all(|index| flatten(&element, offset_bytes + index * bytes, fields, left))
        }
        Shape::Record(dies, at) if dies.tag(at) != Some(gimli::DW_TAG_union_type) => {
            dies.members(at).iter().all(|member| match (member.bits, member.offset_bytes) {
                // It is put together with what is beside it.
                (Some(_), _) => false,
                (None, Some(by)) => flatten(&member.type_, offset_bytes.saturating_add(by), fields, left),
                (None, None) => false,
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOAT_BYTES: u64 = 8;

    /// Fields by their letters, each as long as the digit behind it: `f8 i4`.
    fn fields(text: &str) -> Vec<Field> {
        let mut at: u64 = 0;
        let mut field = |word: &str| {
            let bytes: u64 = word[1..].parse().expect("a digit");
            let offset_bytes = at.next_multiple_of(bytes);
            at = offset_bytes + bytes;
            Field { offset_bytes, bytes, is_float: word.starts_with('f') }
        };
        text.split_whitespace().map(&mut field).collect()
    }

    fn placed(bytes: u64, text: &str, float_bytes: u64) -> String {
        match place_of(bytes, true, &fields(text), float_bytes) {
            Place::Memory => "memory".to_owned(),
            Place::Registers(pieces) => {
                let name = |piece: &Piece| {
                    let kind = if piece.is_float { "fa" } else { "a" };
                    format!("{kind}{}={}+{}", piece.number, piece.offset_bytes, piece.bytes)
                };
                pieces.iter().map(name).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn a_value_is_where_the_calling_convention_has_it() {
        for (bytes, fields, expected) in [
            (4, "i4", "a0=0+4"),
            (8, "f8", "fa0=0+8"),
            (4, "f4", "fa0=0+4"),
            (16, "f8 f8", "fa0=0+8 fa1=8+8"),
            (8, "f4 f4", "fa0=0+4 fa1=4+4"),
            (16, "f8 i8", "fa0=0+8 a0=8+8"),
            (16, "i4 f8", "a0=0+4 fa0=8+8"),
            (8, "i4 i4", "a0=0+8"),
            (12, "i4 i4 i4", "a0=0+8 a1=8+4"),
            (12, "f4 f4 f4", "a0=0+8 a1=8+4"),
            (16, "f16", "a0=0+8 a1=8+8"),
            (16, "i16", "a0=0+8 a1=8+8"),
            (24, "i8 i8 i8", "memory"),
        ] {
            assert_eq!(placed(bytes, fields, FLOAT_BYTES), expected, "{fields}");
        }
        assert_eq!(placed(8, "f8", 0), "a0=0+8", "without such registers");
        let pieces = [
            Piece { offset_bytes: 0, bytes: 4, is_float: true, number: 0 },
            Piece { offset_bytes: 8, bytes: 8, is_float: false, number: 0 },
        ];
        let bytes = gather(&pieces, &[0x1122, 0], &[0xffff_ffff_3f80_0000, 0]);
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0x22, 0x11, 0, 0, 0, 0, 0, 0]);
    }
}
