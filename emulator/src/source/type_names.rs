//! Types as the source writes them: `struct node *`, `int (*)(int, char *)`, `char[8]`.

use super::dies::{At, Dies, Language};
use super::types::{Member, Shape, Type, is_name};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Longest name: a type of types of types grows.
const MAX_BYTES: usize = 400;
/// Types that one name is made of: what is damaged may have itself for a part.
const MAX_PARTS: usize = 200;

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.declared("", &Cell::new(MAX_PARTS));
        match name.char_indices().nth(MAX_BYTES) {
            Some((cut, _)) => write!(f, "{}…", &name[..cut]),
            None => f.write_str(&name),
        }
    }
}

impl Type {
    /// What C declares so: `inner` is what stands where the variable's name would.
    fn declared(&self, inner: &str, left: &Cell<usize>) -> String {
        if left.get() == 0 || inner.len() > MAX_BYTES {
            return "…".to_owned();
        }
        left.set(left.get() - 1);
        match self {
            Self::Void => beside("void", inner),
            Self::Number(number) => beside(number.name(), inner),
            Self::Register => beside("register", inner),
            Self::Unknown(_) => beside("?", inner),
            Self::Pointer(to) => to.declared(&pointer(inner, "*"), left),
            Self::Array(element, length) => element.declared(&array(inner, &[*length]), left),
            Self::Entry(dies, at) => entry(dies, *at, inner, left),
        }
    }
}

fn entry(dies: &Rc<Dies>, at: At, inner: &str, left: &Cell<usize>) -> String {
    let behind = |inner: &str| Type::of(dies, at).declared(inner, left);
    let language = dies.language(at.unit);
    let named = |word: &str| {
        // Rust and C++ have no word before a name.
        let word = if language == Language::C { word } else { "" };
        beside(&dies.name(at).map_or_else(|| format!("{word}{{…}}"), |name| format!("{word}{name}")), inner)
    };
    match dies.tag(at) {
        Some(gimli::DW_TAG_pointer_type) if language != Language::Rust || dies.name(at).is_none() => {
            behind(&pointer(inner, "*"))
        }
        Some(gimli::DW_TAG_reference_type) => behind(&pointer(inner, "&")),
        Some(gimli::DW_TAG_rvalue_reference_type) => behind(&pointer(inner, "&&")),
        Some(gimli::DW_TAG_const_type) => qualified(dies, at, "const", inner, &behind),
        Some(gimli::DW_TAG_volatile_type) => qualified(dies, at, "volatile", inner, &behind),
        Some(gimli::DW_TAG_restrict_type | gimli::DW_TAG_atomic_type) => behind(inner),
        Some(gimli::DW_TAG_array_type) => behind(&array(inner, &dies.lengths(at))),
        Some(gimli::DW_TAG_subroutine_type | gimli::DW_TAG_subprogram) => {
            let brackets =
                if inner.starts_with(['*', '&']) { format!("({inner})") } else { inner.to_owned() };
            behind(&format!("{brackets}({})", parameters(dies, at, left)))
        }
        Some(gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type) => named("struct "),
        Some(gimli::DW_TAG_union_type) => named("union "),
        Some(gimli::DW_TAG_enumeration_type) => named("enum "),
        _ => beside(&dies.name(at).unwrap_or_else(|| "?".to_owned()), inner),
    }
}

/// `const` stands behind the star of the pointer that it is said of, and before anything else.
fn qualified(dies: &Dies, at: At, word: &str, inner: &str, behind: &dyn Fn(&str) -> String) -> String {
    match dies.type_of(at).and_then(|at| dies.tag(at)) {
        Some(gimli::DW_TAG_pointer_type) => behind(&beside(word, inner)),
        // Of an array it is said of the elements, once more.
        Some(gimli::DW_TAG_array_type) => behind(inner),
        _ => format!("{word} {}", behind(inner)),
    }
}

fn parameters(dies: &Rc<Dies>, function: At, left: &Cell<usize>) -> String {
    let mut names = Vec::new();
    for at in dies.children(function) {
        match dies.tag(at) {
            Some(gimli::DW_TAG_formal_parameter) => names.push(Type::of(dies, at).declared("", left)),
            Some(gimli::DW_TAG_unspecified_parameters) => names.push("...".to_owned()),
            _ => {}
        }
    }
    if names.is_empty() && dies.is_flag(function, gimli::DW_AT_prototyped) {
        return "void".to_owned();
    }
    names.join(", ")
}

/// A name and what is declared by it; an array's brackets follow at once.
fn beside(name: &str, inner: &str) -> String {
    if inner.is_empty() || inner.starts_with('[') {
        format!("{name}{inner}")
    } else {
        format!("{name} {inner}")
    }
}

fn pointer(inner: &str, star: &str) -> String {
    format!("{star}{inner}")
}

fn array(inner: &str, lengths: &[Option<u64>]) -> String {
    let lengths: String =
        lengths.iter().map(|length| length.map_or("[]".to_owned(), |length| format!("[{length}]"))).collect();
    if inner.starts_with(['*', '&']) { format!("({inner}){lengths}") } else { format!("{inner}{lengths}") }
}

/// Structures without a name in structures.
const MAX_DEPTH: usize = 8;
/// Members and values that a definition has.
const MAX_MEMBERS: usize = 500;

impl Type {
    /// As the source defines it, with the members of a structure or the values of an enumeration: the one that it is, points to or
    /// is made of.
    pub fn definition(&self) -> String {
        self.defined("", 0, MAX_DEPTH)
    }

    /// `inner` is what stands where the variable's name would, `indent` the depth of the structure around it.
    fn defined(&self, inner: &str, indent: usize, left: usize) -> String {
        let plain = || self.declared(inner, &Cell::new(MAX_PARTS));
        let Some(left) = left.checked_sub(1) else { return plain() };
        let qualifiers = self.qualifiers();
        match self.shape() {
            Shape::Pointer(to) => {
                let inner =
                    qualifiers.iter().rev().fold(inner.to_owned(), |inner, word| beside(word, &inner));
                to.defined(&pointer(&inner, "*"), indent, left)
            }
            Shape::Reference(to) => to.defined(&pointer(inner, "&"), indent, left),
            Shape::Array(element, length) => element.defined(&array(inner, &[length]), indent, left),
            Shape::Record(dies, at) => {
                let (head, blank) = (format!("{}{}", word(&dies, at), self.head()), "    ".repeat(indent));
                let head = before(&qualifiers, head.trim_end()) + &bases(&dies, at);
                let members = dies.members(at).into_iter().filter(|member| !member.is_base);
                let members = members.take(MAX_MEMBERS);
                let lines: String = members.map(|member| member_line(&member, indent + 1, left)).collect();
                beside(&format!("{head} {{\n{lines}{blank}}}"), inner)
            }
            Shape::Enumeration(dies, at) => {
                let head = before(&qualifiers, &self.head());
                beside(&format!("{head} {{{}}}", values(&dies, at)), inner)
            }
            _ => before(&qualifiers, &self.bare().declared(inner, &Cell::new(MAX_PARTS))),
        }
    }

    /// A structure or an enumeration in front of its members.
    fn head(&self) -> String {
        self.bare().to_string().replace("{…}", "").trim_end().to_owned()
    }

    /// What is said of the type behind its names: `const`, `volatile`.
    fn qualifiers(&self) -> Vec<&'static str> {
        let Self::Entry(dies, at) = self else { return Vec::new() };
        let behind = |at: &At| dies.type_of(*at).filter(|_| dies.tag(*at).is_some_and(is_name));
        let tags = std::iter::successors(Some(*at), behind).take(MAX_DEPTH).filter_map(|at| dies.tag(at));
        let mut words: Vec<&str> = tags
            .filter_map(|tag| match tag {
                gimli::DW_TAG_const_type => Some("const"),
                gimli::DW_TAG_volatile_type => Some("volatile"),
                _ => None,
            })
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// A type with what is said of it in front.
fn before(qualifiers: &[&str], type_: &str) -> String {
    qualifiers.iter().rev().fold(type_.to_owned(), |type_, word| format!("{word} {type_}"))
}

/// What stands in front of a structure of C++'s where it is defined, though its name alone is the type.
fn word(dies: &Dies, at: At) -> &'static str {
    match (dies.language(at.unit), dies.tag(at)) {
        (Language::Cpp, Some(gimli::DW_TAG_class_type)) => "class ",
        (Language::Cpp, Some(gimli::DW_TAG_structure_type)) => "struct ",
        (Language::Cpp, Some(gimli::DW_TAG_union_type)) => "union ",
        _ => "",
    }
}

/// What a class derives from: ` : public Shape`.
fn bases(dies: &Rc<Dies>, class: At) -> String {
    let is_class = dies.tag(class) == Some(gimli::DW_TAG_class_type);
    let base = |at: At| {
        // Private is what is told so, and of a class what is not told at all (DWARF 5, section 5.7.3).
        let access = match dies.attribute(at, gimli::DW_AT_accessibility) {
            Some((_, gimli::AttributeValue::Accessibility(gimli::DW_ACCESS_public))) => "public",
            Some((_, gimli::AttributeValue::Accessibility(gimli::DW_ACCESS_protected))) => "protected",
            None if !is_class => "public",
            _ => "private",
        };
        let is_virtual = dies.attribute(at, gimli::DW_AT_virtuality).is_some();
        format!("{access} {}{}", if is_virtual { "virtual " } else { "" }, Type::of(dies, at))
    };
    let children = dies.children(class).into_iter();
    let bases = children.filter(|&at| dies.tag(at) == Some(gimli::DW_TAG_inheritance));
    let bases: Vec<String> = bases.take(MAX_MEMBERS).map(base).collect();
    if bases.is_empty() { String::new() } else { format!(" : {}", bases.join(", ")) }
}

/// A member of a structure, with its own members where their structure has no name.
fn member_line(member: &Member, indent: usize, left: usize) -> String {
    let name = member.name.as_deref().unwrap_or_default();
    let is_nameless = matches!(&member.type_, Type::Entry(dies, at) if dies.name(*at).is_none());
    let declared = match member.type_.shape() {
        Shape::Record(..) | Shape::Enumeration(..) if is_nameless => member.type_.defined(name, indent, left),
        _ => member.type_.declared(name, &Cell::new(MAX_PARTS)),
    };
    let bits = member.bits.map_or_else(String::new, |(bits, _)| format!(" : {bits}"));
    format!("{}{declared}{bits};\n", "    ".repeat(indent))
}

/// The names of an enumeration, with their numbers where those are not the next.
fn values(dies: &Dies, at: At) -> String {
    let mut next = 0;
    let mut names = Vec::new();
    for (name, value) in dies.enumerators(at).into_iter().take(MAX_MEMBERS) {
        names.push(if value == next { name } else { format!("{name} = {value}") });
        next = value.wrapping_add(1);
    }
    names.join(", ")
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
