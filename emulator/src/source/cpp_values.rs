//! Values of C++'s that are more than their members: what libstdc++ has for lists of elements, texts, owners of others.
//!
//! Their layout is what the debug information says of it; a library that names its fields otherwise shows them as they are.
//! What lies one behind the other is an array ([`sequence`]); what hangs together by pointers `cpp_nodes` walks along.

use super::cpp_nodes::{self, Nodes};
use super::dies::{At, Dies, Language};
use super::types::{Kind, Number, Shape, Type};
use super::value::{ReadMemory, Value};
use std::rc::Rc;

/// Most bytes that the elements take: what is not constructed yet holds anything.
const MAX_BYTES: u64 = 1 << 40;

/// Where the pointer or the value is that these stand for, by the beginnings of their names.
const STANDS_FOR: &[(&str, &[&str])] = &[
    ("shared_ptr<", &["_M_ptr"]),
    ("weak_ptr<", &["_M_ptr"]),
    ("__normal_iterator<", &["_M_current"]),
    ("_Deque_iterator<", &["_M_cur"]),
    ("reference_wrapper<", &["_M_data"]),
    ("atomic<", &["_M_i"]),
    ("atomic<", &["_M_base", "_M_i"]),
    ("atomic<", &["_M_b", "_M_p"]),
];

/// The name of a structure of C++'s.
fn name_of(dies: &Dies, record: At) -> Option<String> {
    if dies.language(record.unit) != Language::Cpp {
        return None;
    }
    dies.name(record)
}

/// A member's member's member.
pub(super) fn part(of: &Value, path: &[&str], read: ReadMemory<'_>) -> Result<Value, String> {
    path.iter().try_fold(of.clone(), |part, name| part.plain_member(name, read))
}

/// The elements of a vector, an array or a text, as an array; `None` if it is none of them, or holds what no such thing holds.
pub(super) fn sequence(
    of: &Value,
    dies: &Rc<Dies>,
    record: At,
    read: ReadMemory<'_>,
) -> Result<Option<Value>, String> {
    let Some(name) = name_of(dies, record) else { return Ok(None) };
    let part = |path: &[&str]| part(of, path, read);
    let counted = |first: &[&str], length: &[&str]| {
        let (first, length) = (part(first).ok()?, part(length).ok()?);
        let Shape::Pointer(of) = first.type_.shape() else { return None };
        Some(length.word(read).map(|length| (first, length.saturating_mul(of.size().unwrap_or(1)))))
    };
    let found = if name.starts_with("vector<") {
        let (Ok(first), Ok(end)) = (part(&["_M_impl", "_M_start"]), part(&["_M_impl", "_M_finish"])) else {
            return Ok(None);
        };
        let Shape::Pointer(_) = first.type_.shape() else { return Ok(None) };
        let bytes = end.word(read)?.wrapping_sub(first.word(read)?);
        Some(Ok((first, bytes)))
    } else if name.starts_with("basic_string_view<") {
        counted(&["_M_str"], &["_M_len"])
    } else if name.starts_with("basic_string<") {
        counted(&["_M_dataplus", "_M_p"], &["_M_string_length"])
    } else if name.starts_with("array<") {
        return Ok(part(&["_M_elems"]).ok().filter(Value::is_array));
    } else {
        None
    };
    let Some((first, bytes)) = found.transpose()? else { return Ok(None) };
    let Shape::Pointer(element) = first.type_.shape() else { return Ok(None) };
    let size = element.size().filter(|&size| size > 0 && bytes % size == 0 && bytes <= MAX_BYTES);
    let Some(size) = size else { return Ok(None) };
    let type_ = Type::Array(Rc::new(element), Some(bytes / size));
    Ok(Some(Value::place(type_, first.word(read)?, first.whose)))
}

/// Whether the elements of a structure are a text.
pub(super) fn is_text(dies: &Dies, record: At) -> bool {
    let is_it =
        |name: String| name.starts_with("basic_string<char,") || name.starts_with("basic_string_view<char,");
    name_of(dies, record).is_some_and(is_it)
}

/// What a value of the library's holds.
pub(super) enum Holds {
    /// Elements, the first of them, and how many there are of all.
    Elements(Vec<Value>, u64),
    /// The same of pairs of a key and what it stands for.
    Pairs(Vec<Value>, u64),
    /// A value, or a pointer to one, and what else there is to say.
    One(Value, String),
    /// Nothing.
    Nothing,
}

/// What a value of the library's holds, `most` of its elements; `None` if it is none, or is not constructed yet.
pub(super) fn holds(
    of: &Value,
    dies: &Rc<Dies>,
    record: At,
    most: u64,
    read: ReadMemory<'_>,
) -> Option<Holds> {
    let name = name_of(dies, record)?;
    if let Some(nodes) = Nodes::of(of, &name, read) {
        let all = |(values, count)| match nodes.is_map {
            true => Holds::Pairs(values, count),
            false => Holds::Elements(values, count),
        };
        return nodes.first(most, read).map(all);
    }
    if let Some(indexed) = Indexed::of(of, &name, read) {
        let values: Option<_> =
            (0..indexed.count.min(most)).map(|index| indexed.element(index, read)).collect();
        return Some(Holds::Elements(values?, indexed.count));
    }
    if name.starts_with("tuple<") {
        let values = tuple(of, read);
        let count = values.len() as u64;
        return Some(Holds::Elements(values, count));
    }
    match one(of, dies, record, &name, read)? {
        Some(value) => Some(Holds::One(value, owners(of, &name, read).unwrap_or_default())),
        None => Some(Holds::Nothing),
    }
}

/// What a value of the library's stands for: the pointer of one that owns, the value that it may hold. `Some(None)` if it holds none.
fn one(of: &Value, dies: &Rc<Dies>, record: At, name: &str, read: ReadMemory<'_>) -> Option<Option<Value>> {
    if name.starts_with("optional<") {
        let is_there = part(of, &["_M_payload", "_M_engaged"], read).ok()?.is_true(read).ok()?;
        let value = part(of, &["_M_payload", "_M_payload", "_M_value"], read).ok()?;
        return Some(is_there.then_some(value));
    }
    if name.starts_with("unique_ptr<") {
        let mut inner = part(of, &["_M_t"], read).ok()?;
        if let Ok(deeper) = inner.plain_member("_M_t", read) {
            inner = deeper;
        }
        return tuple(&inner, read).into_iter().next().map(Some);
    }
    if name.starts_with("variant<") {
        let index = part(of, &["_M_index"], read).ok()?;
        let index = usize::try_from(index.to_integer(read).ok()?).ok()?;
        let Some(type_) = types_of(dies, record).into_iter().nth(index) else { return Some(None) };
        let at = part(of, &["_M_u"], read).ok()?.address().ok()?;
        return Some(Some(Value::place(type_, at, of.whose)));
    }
    let of_kind = STANDS_FOR.iter().filter(|(kind, _)| name.starts_with(kind));
    of_kind.into_iter().find_map(|(_, path)| part(of, path, read).ok()).map(Some)
}

/// How many share what a pointer points to.
fn owners(of: &Value, name: &str, read: ReadMemory<'_>) -> Option<String> {
    if !name.starts_with("shared_ptr<") && !name.starts_with("weak_ptr<") {
        return None;
    }
    let counts = part(of, &["_M_refcount", "_M_pi"], read).ok()?;
    if counts.word(read).ok()? == 0 {
        return None;
    }
    let counts = counts.behind(read).ok()?;
    let count = |name| counts.member(name, read).ok()?.to_integer(read).ok();
    let (used, weak) = (count("_M_use_count")?, count("_M_weak_count")?);
    // All owners together count as one that only looks.
    let weak = weak - i128::from(used > 0);
    Some(match used {
        0 => format!(" (expired, weak count {weak})"),
        _ => format!(" (use count {used}, weak count {weak})"),
    })
}

/// The parts of a tuple, each of which is the head of what the others are derived from.
fn tuple(of: &Value, read: ReadMemory<'_>) -> Vec<Value> {
    const MOST: usize = 64;
    let (mut parts, mut left) = (Vec::new(), base(of, "_Tuple_impl<", read));
    while let Some(of) = left.filter(|_| parts.len() < MOST) {
        let head = base(&of, "_Head_base<", read);
        let Some(head) = head else { break };
        // Of a class without members the head is derived.
        parts.push(head.plain_member("_M_head_impl", read).unwrap_or(head));
        left = base(&of, "_Tuple_impl<", read);
    }
    parts
}

/// What a structure derives from that is called so.
fn base(of: &Value, kind: &str, read: ReadMemory<'_>) -> Option<Value> {
    let Shape::Record(dies, at) = of.type_.shape() else { return None };
    let is_it = |type_: &Type| match type_.shape() {
        Shape::Record(dies, at) => dies.name(at).is_some_and(|name| name.starts_with(kind)),
        _ => false,
    };
    let members = dies.members(at);
    let found = members.iter().find(|member| member.is_base && is_it(&member.type_))?;
    of.taken(found, read).ok()
}

/// The types that a template is given.
pub(super) fn types_of(dies: &Rc<Dies>, record: At) -> Vec<Type> {
    let is_pack = |at: &At| dies.tag(*at) == Some(gimli::DW_TAG_GNU_template_parameter_pack);
    let is_type = |at: &At| dies.tag(*at) == Some(gimli::DW_TAG_template_type_parameter);
    let children = dies.children(record).into_iter();
    let all = children.flat_map(|at| if is_pack(&at) { dies.children(at) } else { vec![at] });
    all.filter(is_type).map(|at| Type::of(dies, at)).collect()
}

/// What has elements by their numbers, but not one behind the other.
struct Indexed {
    count: u64,
    lies: Lies,
}

enum Lies {
    /// Bits, from one of a word on.
    Bits { words: Value, offset: u64 },
    /// In pieces of so many elements, from one of the first piece on.
    Pieces { map: Value, per_piece: u64, offset: u64 },
}

impl Indexed {
    fn of(of: &Value, name: &str, read: ReadMemory<'_>) -> Option<Self> {
        let word = |path: &[&str]| part(of, path, read).ok()?.to_word(read).ok();
        if name.starts_with("vector<bool") {
            let words = part(of, &["_M_impl", "_M_start", "_M_p"], read).ok()?;
            let offset = word(&["_M_impl", "_M_start", "_M_offset"])?;
            let bytes = word(&["_M_impl", "_M_finish", "_M_p"])?.wrapping_sub(words.word(read).ok()?);
            let bits = bytes.checked_mul(8)?.checked_add(word(&["_M_impl", "_M_finish", "_M_offset"])?)?;
            let count = bits.checked_sub(offset).filter(|_| bytes <= MAX_BYTES)?;
            return Some(Self { count, lies: Lies::Bits { words, offset } });
        }
        if name.starts_with("deque<") {
            let start = |name| word(&["_M_impl", "_M_start", name]);
            let finish = |name| word(&["_M_impl", "_M_finish", name]);
            let Shape::Pointer(element) =
                part(of, &["_M_impl", "_M_start", "_M_cur"], read).ok()?.type_.shape()
            else {
                return None;
            };
            let size = element.size().filter(|&size| size > 0)?;
            let per_piece = start("_M_last")?.checked_sub(start("_M_first")?)? / size;
            let offset = start("_M_cur")?.checked_sub(start("_M_first")?)? / size;
            let pieces = finish("_M_node")?.checked_sub(start("_M_node")?)? / 8;
            let in_last = finish("_M_cur")?.checked_sub(finish("_M_first")?)? / size;
            let count = pieces.checked_mul(per_piece)?.checked_add(in_last)?.checked_sub(offset)?;
            let map = part(of, &["_M_impl", "_M_start", "_M_node"], read).ok()?;
            let is_likely = per_piece > 0 && count.checked_mul(size)? <= MAX_BYTES;
            return is_likely.then_some(Self { count, lies: Lies::Pieces { map, per_piece, offset } });
        }
        None
    }

    fn element(&self, index: u64, read: ReadMemory<'_>) -> Option<Value> {
        match &self.lies {
            Lies::Bits { words, offset } => {
                let bit = offset.wrapping_add(index);
                let byte = words.element((bit / 64).into(), read).ok()?.to_integer(read).ok()? >> (bit % 64);
                Some(Value::number(byte & 1, Number { kind: Kind::Truth, bytes: 1 }))
            }
            Lies::Pieces { map, per_piece, offset } => {
                let at = offset.wrapping_add(index);
                let piece = map.element((at / per_piece).into(), read).ok()?;
                piece.element((at % per_piece).into(), read).ok()
            }
        }
    }
}

impl Value {
    /// What a value of the library's stands for by itself, if it is a structure of that kind: the pointer of one that owns, the value
    /// that it may hold.
    pub(super) fn stood_for(&self, read: ReadMemory<'_>) -> Result<Option<Self>, String> {
        let Shape::Record(dies, at) = self.type_.shape() else { return Ok(None) };
        let Some(name) = name_of(&dies, at) else { return Ok(None) };
        match one(self, &dies, at, &name, read) {
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err("it holds no value".to_owned()),
            None => Ok(None),
        }
    }

    /// What a value of the library's points to, or holds.
    pub(super) fn owned(&self, read: ReadMemory<'_>) -> Result<Option<Self>, String> {
        let Shape::Record(dies, at) = self.type_.shape() else { return Ok(None) };
        let Some(name) = name_of(&dies, at) else { return Ok(None) };
        if let Some(found) = cpp_nodes::at_iterator(self, &dies, at, &name, read) {
            return Ok(Some(found));
        }
        let Some(stood_for) = self.stood_for(read)? else { return Ok(None) };
        match stood_for.is_pointer() {
            true if name.starts_with("optional<") => Ok(Some(stood_for)),
            true => stood_for.behind(read).map(Some),
            false => Ok(Some(stood_for)),
        }
    }

    /// Where the letters of a text of the library's are that end with a zero.
    pub fn letters_of_text(&self, read: ReadMemory<'_>) -> Option<u64> {
        let of = self.clone().referred(read).ok()?;
        let Shape::Record(dies, at) = of.type_.shape() else { return None };
        name_of(&dies, at).filter(|name| name.starts_with("basic_string<char,"))?;
        let letters = of.sequence(&dies, at, read).ok()??;
        letters.address().ok()
    }

    /// An element of the library's by its number, or of a map by its key; `None` if it has none by numbers.
    pub(super) fn element_of_library(
        &self,
        index: i128,
        read: ReadMemory<'_>,
    ) -> Result<Option<Self>, String> {
        let Shape::Record(dies, at) = self.type_.shape() else { return Ok(None) };
        let Some(name) = name_of(&dies, at) else { return Ok(None) };
        if let Some(nodes) = Nodes::of(self, &name, read) {
            return nodes.at_key(index, read);
        }
        if let Some(indexed) = Indexed::of(self, &name, read) {
            let index = u64::try_from(index).ok().filter(|&index| index < indexed.count);
            let found = index.and_then(|index| indexed.element(index, read));
            return found.map(Some).ok_or_else(|| format!("it has {} elements", indexed.count));
        }
        match self.stood_for(read)? {
            Some(pointer) if pointer.is_pointer() => pointer.element(index, read).map(Some),
            _ => Ok(None),
        }
    }
}
