//! Values of C++'s that are more than their members: `std::vector` and `std::string`, as libstdc++ has them.
//!
//! Their layout is what the debug information says of it; a library that names its fields otherwise shows them as they are.

use super::dies::{At, Dies, Language};
use super::types::{Shape, Type};
use super::value::{ReadMemory, Value};
use std::rc::Rc;

/// Most bytes that the elements take: what is not constructed yet holds anything.
const MAX_BYTES: u64 = 1 << 40;

/// The elements of a vector or a text, as an array; `None` if it is neither, or holds what no such thing holds.
pub(super) fn sequence(
    of: &Value,
    dies: &Rc<Dies>,
    record: At,
    read: ReadMemory<'_>,
) -> Result<Option<Value>, String> {
    if dies.language(record.unit) != Language::Cpp {
        return Ok(None);
    }
    let Some(name) = dies.name(record) else { return Ok(None) };
    let part = |path: &[&str]| path.iter().try_fold(of.clone(), |part, name| part.plain_member(name, read));
    let (first, bytes) = if name.starts_with("vector<") {
        let (Ok(first), Ok(end)) = (part(&["_M_impl", "_M_start"]), part(&["_M_impl", "_M_finish"])) else {
            return Ok(None);
        };
        let Shape::Pointer(_) = first.type_.shape() else { return Ok(None) };
        let bytes = end.word(read)?.wrapping_sub(first.word(read)?);
        (first, bytes)
    } else if is_text(dies, record) {
        let (Ok(first), Ok(length)) = (part(&["_M_dataplus", "_M_p"]), part(&["_M_string_length"])) else {
            return Ok(None);
        };
        let Shape::Pointer(of) = first.type_.shape() else { return Ok(None) };
        let bytes = length.word(read)?.saturating_mul(of.size().unwrap_or(1));
        (first, bytes)
    } else {
        return Ok(None);
    };
    let Shape::Pointer(element) = first.type_.shape() else { return Ok(None) };
    let size = element.size().filter(|&size| size > 0 && bytes % size == 0 && bytes <= MAX_BYTES);
    let Some(size) = size else { return Ok(None) };
    let type_ = Type::Array(Rc::new(element), Some(bytes / size));
    Ok(Some(Value::place(type_, first.word(read)?, first.whose)))
}

/// Whether the elements of a structure are a text.
pub(super) fn is_text(dies: &Dies, record: At) -> bool {
    dies.language(record.unit) == Language::Cpp
        && dies.name(record).is_some_and(|name| name.starts_with("basic_string<char,"))
}
