//! Values of Rust's that are more than their members: enums, texts, slices, vectors.
//!
//! Their layout is what the debug information says of it; a library that names its fields otherwise shows them as they are.

use super::dies::{At, Dies, Language};
use super::types::{Member, Shape, Type};
use super::value::{ReadMemory, Value};
use gimli::AttributeValue;
use std::rc::Rc;

/// Structures in structures, on the way from a vector to its pointer.
const MAX_NESTED: usize = 6;

/// The variant that an enum holds (DWARF 5, chapter 5.7.10): its name, its type and where it is.
pub(super) fn variant(
    of: &Value,
    dies: &Rc<Dies>,
    record: At,
    read: ReadMemory<'_>,
) -> Result<Option<Member>, String> {
    let has_tag = |at: &At, tag| dies.tag(*at) == Some(tag);
    let children = dies.children(record);
    let Some(part) = children.into_iter().find(|at| has_tag(at, gimli::DW_TAG_variant_part)) else {
        return Ok(None);
    };
    let discriminant = match dies.attribute(part, gimli::DW_AT_discr) {
        Some((unit, value)) => {
            let at = dies.referred(unit, value).ok_or("its discriminant is not told")?;
            let value = of.taken(&dies.member(at), read)?;
            Some((value.to_integer(read)?, value.type_.size().unwrap_or(8)))
        }
        None => None,
    };
    let variants = dies.children(part).into_iter().filter(|at| has_tag(at, gimli::DW_TAG_variant));
    let mut otherwise = None;
    for variant in variants {
        let wanted = dies.attribute(variant, gimli::DW_AT_discr_value).map(|(_, value)| number(&value));
        let is_it = match (wanted, discriminant) {
            (Some(wanted), Some((value, bytes))) => {
                let unused = 128 - u32::try_from(8 * bytes.min(16)).unwrap_or(0).min(127);
                wanted << unused == value << unused
            }
            _ => false,
        };
        let children = dies.children(variant);
        let member = children.into_iter().find(|at| has_tag(at, gimli::DW_TAG_member));
        if is_it {
            return Ok(member.map(|at| dies.member(at)));
        }
        if wanted.is_none() {
            otherwise = member;
        }
    }
    Ok(otherwise.map(|at| dies.member(at)))
}

fn number(value: &AttributeValue<super::Section>) -> i128 {
    match value {
        AttributeValue::Sdata(value) => i128::from(*value),
        value => value.udata_value().map_or(0, i128::from),
    }
}

/// The elements of a slice, a vector or a text, as an array.
pub(super) fn sequence(
    of: &Value,
    dies: &Rc<Dies>,
    record: At,
    read: ReadMemory<'_>,
) -> Result<Option<Value>, String> {
    if dies.language(record.unit) != Language::Rust {
        return Ok(None);
    }
    let Some(name) = dies.name(record) else { return Ok(None) };
    let members = dies.members(record);
    let named = |name: &str| members.iter().find(|member| member.name.as_deref() == Some(name));
    let taken = |name: &str| named(name).map(|member| of.taken(member, read)).transpose();
    if name.starts_with('&')
        || name.starts_with('*')
        || name.starts_with("alloc::boxed::Box<")
        || name.starts_with("Box<")
    {
        let (Some(data), Some(length)) = (taken("data_ptr")?, taken("length")?) else { return Ok(None) };
        return array(&data, &length, None, read).map(Some);
    }
    if name == "String" {
        let Some(inner) = taken("vec")? else { return Ok(None) };
        let Shape::Record(dies, at) = inner.type_.shape() else { return Ok(None) };
        return vector(&inner, &dies, at, read);
    }
    if name.starts_with("Vec<") {
        return vector(of, dies, record, read);
    }
    Ok(None)
}

/// Whether the elements of a structure are a text.
pub(super) fn is_text(dies: &Dies, record: At) -> bool {
    dies.language(record.unit) == Language::Rust
        && dies
            .name(record)
            .is_some_and(|name| name == "String" || name.starts_with('&') && name.ends_with("str"))
}

fn vector(of: &Value, dies: &Rc<Dies>, record: At, read: ReadMemory<'_>) -> Result<Option<Value>, String> {
    let members = dies.members(record);
    let named = |name: &str| members.iter().find(|member| member.name.as_deref() == Some(name));
    let (Some(buffer), Some(length)) = (named("buf"), named("len")) else { return Ok(None) };
    let Some(data) = pointer_in(&of.taken(buffer, read)?, read, MAX_NESTED)? else { return Ok(None) };
    // The pointer in newer libraries is one to bytes, whatever the elements are.
    let is_parameter = |at: &At| dies.tag(*at) == Some(gimli::DW_TAG_template_type_parameter);
    let element = dies.children(record).into_iter().find(is_parameter).map(|at| Type::of(dies, at));
    array(&data, &of.taken(length, read)?, element, read).map(Some)
}

/// The first pointer of a structure.
fn pointer_in(of: &Value, read: ReadMemory<'_>, left: usize) -> Result<Option<Value>, String> {
    match of.type_.shape() {
        Shape::Pointer(_) => Ok(Some(of.clone())),
        Shape::Record(dies, at) if left > 0 => {
            for member in dies.members(at) {
                if let Some(found) = pointer_in(&of.taken(&member, read)?, read, left - 1)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn array(data: &Value, length: &Value, element: Option<Type>, read: ReadMemory<'_>) -> Result<Value, String> {
    let Shape::Pointer(to) = data.type_.shape() else { return Err("its data is no pointer".to_owned()) };
    let length = u64::try_from(length.to_integer(read)?).unwrap_or(0);
    let type_ = Type::Array(Rc::new(element.unwrap_or(to)), Some(length));
    Ok(Value::place(type_, data.word(read)?, data.whose))
}
