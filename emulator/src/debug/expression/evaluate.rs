//! What expressions come to.

use super::{Binary, Node, TypeName, Unary};
use crate::source::{Bits, Held, Kind, Number, Operator, ReadMemory, Type, Value, Whose};
use core::ops::Range;
use isa::VirtAddr;
use std::rc::Rc;

/// Most elements of `first@count`.
const MAX_REPEATED: i128 = 1 << 20;

/// What names and registers mean, and what memory holds.
pub(in crate::debug) trait Names {
    /// A variable, a symbol, or a place of the source.
    fn named(&self, name: &str) -> Result<Value, String>;
    /// A register of the program or a CSR, without the `$`.
    fn register(&self, name: &str) -> Result<Value, String>;
    /// A type of the program's.
    fn type_named(&self, name: &str) -> Option<Type>;
    /// The bytes of the symbol that holds an address.
    fn symbol_at(&self, address: u64, whose: Whose) -> Option<Range<u64>>;
    /// Takes in what there is to say beside a value.
    fn remark(&self, _: String) {}
    /// Reads memory; the error says why there is none.
    fn read(&self, whose: Whose, address: u64, into: &mut [u8]) -> Result<(), String>;
}

/// What an expression comes to: a place in memory, or a value.
pub(in crate::debug) fn value(node: &Node, names: &dyn Names) -> Result<Value, String> {
    let read = &|whose, address, into: &mut [u8]| names.read(whose, address, into);
    let truth = |is_so: bool| Value::number(is_so.into(), Number::INT);
    match node {
        Node::Number(number, type_) => Ok(Value::number(*number, *type_)),
        Node::Float(bits) => Ok(Value::float(f64::from_bits(*bits), 8)),
        Node::LongDouble(digits, exponent) => {
            Value::long_double(*digits, *exponent).ok_or_else(|| format!("`{node}` is not read exactly here"))
        }
        Node::Register(name) => names.register(name),
        Node::Name(name) => names.named(name),
        Node::Member(of, name) => {
            let of = value(of, names);
            let why = match of.as_ref().map_err(Clone::clone).and_then(|of| of.member(name, read)) {
                Ok(member) => return Ok(member),
                Err(why) => why,
            };
            // What a class has once for all its objects.
            if let Some(path) = of.ok().and_then(|of| of.static_member(name, read)) {
                return names.named(&path);
            }
            // A symbol may have points in it: `foo.cold`, `count.0`.
            match node.location() {
                Some((symbol, 0)) => names.named(&symbol).map_err(|_| why),
                _ => Err(why),
            }
        }
        Node::Cast(type_, of) => {
            let type_ = named_type(type_, names)?;
            value(of, names)?.cast(&type_, read)
        }
        Node::Choice(parts) => match value(&parts[0], names)?.is_true(read)? {
            true => value(&parts[1], names),
            false => value(&parts[2], names),
        },
        Node::SizeOfType(_) | Node::Unary(Unary::SizeOf, _) => {
            let type_ = meant_type(node, names)?;
            let size = type_.size().ok_or_else(|| format!("the size of {type_} is not known"))?;
            Ok(Value::number(size.into(), Number::WORD))
        }
        Node::Unary(operator, node) => {
            let of = value(node, names);
            match operator {
                Unary::Behind => of?.behind(read),
                Unary::Address => of?.address_of(read).map_err(|why| format!("`{node}`: {why}")),
                Unary::Negative => of?.negated(read),
                Unary::Not => Ok(truth(!of?.is_true(read)?)),
                Unary::Complement => of?.complement(read),
                Unary::SizeOf => unreachable!("its value is never asked for"),
                Unary::Page => Ok(Value::register(VirtAddr(of?.to_word(read)?).page_base().0)),
            }
        }
        Node::Binary(operator, a, b) => match operator {
            // What is not known is as good as false where the other side decides.
            Binary::Or => match value(a, names).and_then(|a| a.is_true(read)) {
                Ok(true) => Ok(truth(true)),
                _ => Ok(truth(value(b, names)?.is_true(read)?)),
            },
            Binary::And => match value(a, names)?.is_true(read)? {
                false => Ok(truth(false)),
                true => Ok(truth(value(b, names)?.is_true(read)?)),
            },
            Binary::Of(operator) => value(a, names)?.operate(*operator, &value(b, names)?, read),
            Binary::Element => {
                let (of, index) = (value(a, names)?, value(b, names)?.to_integer(read)?);
                let element = of.element(index, read)?;
                if let Some(remark) = outside(a, &of, index, read) {
                    names.remark(remark);
                }
                Ok(element)
            }
            Binary::Inside => {
                let a = value(a, names)?.to_word(read)?;
                Ok(truth(bytes(b, names)?.0.contains(&a)))
            }
            Binary::Repeated => {
                let (first, count) = (value(a, names)?, value(b, names)?.to_integer(read)?);
                let address = first.address()?;
                let count =
                    u64::try_from(count).ok().filter(|&count| (1..=MAX_REPEATED).contains(&count.into()));
                let count =
                    count.ok_or_else(|| format!("behind `@` stands a number from 1 to {MAX_REPEATED}"))?;
                Ok(Value::place(Type::Array(Rc::new(first.type_), Some(count)), address, first.whose))
            }
        },
    }
}

/// What there is to say of an element that an array has not. An array of one or none at the end of a structure may be meant to go on.
fn outside(of: &Node, array: &Value, index: i128, read: ReadMemory<'_>) -> Option<String> {
    let length = array.length(read)?;
    if (0..i128::from(length)).contains(&index) || array.is_array() && length <= 1 {
        return None;
    }
    let where_ = if index < 0 { "in front of it" } else { "behind its end" };
    Some(match length {
        0 => format!("`{of}` has no elements: [{index}] is what lies {where_}"),
        1 => format!("`{of}` has one element, [0]: [{index}] is what lies {where_}"),
        _ => format!("`{of}` has {length} elements, up to [{}]: [{index}] is what lies {where_}", length - 1),
    })
}

/// Where the letters of a text of a library's are.
pub(in crate::debug) fn letters(node: &Node, names: &dyn Names) -> Option<u64> {
    let read = &|whose, address, into: &mut [u8]| names.read(whose, address, into);
    value(node, names).ok()?.letters_of_text(read)
}

/// The field of bits that an expression is, where it is and in whose memory, if it is one.
pub(in crate::debug) fn field(node: &Node, names: &dyn Names) -> Option<(Bits, Value)> {
    let of = value(node, names).ok()?;
    match of.held {
        Held::Field(bits, _) => Some((bits, of)),
        _ => None,
    }
}

/// What an expression means where an address is wanted: of a variable where it is, of a pointer where it points, of a number that
/// address. What is added to a variable counts bytes, but to a pointer or an array, whose elements it counts.
pub(in crate::debug) fn address(node: &Node, names: &dyn Names) -> Result<(u64, Whose), String> {
    let read = &|whose, address, into: &mut [u8]| names.read(whose, address, into);
    if let Node::Binary(Binary::Of(operator @ (Operator::Plus | Operator::Minus)), of, by) = node {
        let (base, by) = (value(of, names)?, value(by, names)?);
        let is_place = base.address().is_ok() && !base.is_pointer() && !base.is_array();
        if is_place {
            let (start, whose) = address(of, names)?;
            let by = by.to_word(read)?;
            let is_plus = *operator == Operator::Plus;
            return Ok((if is_plus { start.wrapping_add(by) } else { start.wrapping_sub(by) }, whose));
        }
    }
    let of = value(node, names)?.referred(read)?;
    let address = match of.address() {
        Ok(address) if !of.is_pointer() => address,
        _ => of.to_word(read)?,
    };
    Ok((address, of.whose))
}

/// The bytes of a place, and its value.
pub(in crate::debug) fn bytes(node: &Node, names: &dyn Names) -> Result<(Range<u64>, Value), String> {
    let read = &|whose, address, into: &mut [u8]| names.read(whose, address, into);
    let of = value(node, names)?.referred(read)?;
    let start = of.address()?;
    let size = of.type_.size().filter(|&size| size > 0);
    let symbol = || names.symbol_at(start, of.whose).filter(|symbol| symbol.start == start);
    let end = match size {
        Some(size) => start.saturating_add(size),
        None => symbol().map_or(start.saturating_add(1), |symbol| symbol.end),
    };
    Ok((start..end, of))
}

/// The bytes of a place, and its value, if the expression is one and no address that is calculated.
pub(in crate::debug) fn place(node: &Node, names: &dyn Names) -> Result<Option<(Range<u64>, Value)>, String> {
    if !node.is_variable() {
        return Ok(None);
    }
    bytes(node, names).map(Some)
}

/// The type that `sizeof` is asked about: of a value, or by its name.
pub(in crate::debug) fn meant_type(node: &Node, names: &dyn Names) -> Result<Type, String> {
    match node {
        Node::SizeOfType(type_) => named_type(type_, names),
        Node::Unary(Unary::SizeOf, of) => match (value(of, names), &**of) {
            (Ok(of), _) => Ok(of.type_),
            // A name alone may be a type's.
            (Err(why), Node::Name(name)) => names.type_named(name).ok_or(why),
            (Err(why), _) => Err(why),
        },
        _ => value(node, names).map(|value| value.type_),
    }
}

/// A type of C's own or of the program's.
fn named_type(type_: &TypeName, names: &dyn Names) -> Result<Type, String> {
    let of = |kind, bytes| Type::Number(Number { kind, bytes });
    let own = match type_.name.as_str() {
        "void" => Some(Type::Void),
        "char" => Some(Type::Number(Number::CHAR)),
        "signed char" => Some(of(Kind::Letter { is_signed: true }, 1)),
        "unsigned char" => Some(of(Kind::Byte, 1)),
        "short" => Some(of(Kind::Signed, 2)),
        "unsigned short" => Some(of(Kind::Unsigned, 2)),
        "int" => Some(Type::Number(Number::INT)),
        "unsigned int" => Some(of(Kind::Unsigned, 4)),
        "long" => Some(Type::Number(Number::LONG)),
        "unsigned long" => Some(Type::Number(Number::WORD)),
        "float" => Some(of(Kind::Float, 4)),
        "double" => Some(Type::Number(Number::DOUBLE)),
        "long double" => Some(of(Kind::Float, 16)),
        "bool" | "_Bool" => Some(of(Kind::Truth, 1)),
        _ => None,
    };
    let found = own.or_else(|| names.type_named(&type_.name));
    let found = found.ok_or_else(|| format!("the program has no type `{}`", type_.name))?;
    let pointers = |to, stars| (0..stars).fold(to, |to, _| Type::Pointer(Rc::new(to)));
    let array = |of, length: &u64| Type::Array(Rc::new(of), Some(*length));
    let element = pointers(found, type_.stars);
    Ok(pointers(type_.lengths.iter().rev().fold(element, array), type_.array_stars))
}
