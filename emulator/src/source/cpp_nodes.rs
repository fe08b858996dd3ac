//! Containers of libstdc++'s whose elements hang together by pointers: lists, trees, hash tables.
//!
//! An element lies behind the pointers of its node, at the next place that its type may lie at. What is walked along is what the program
//! made of it: a walk ends after as many nodes as are told, and at what cannot be read.

use super::cpp_values::{part, types_of};
use super::dies::{At, Dies};
use super::types::{Shape, Type};
use super::value::{ReadMemory, Value};
use std::rc::Rc;

/// Nodes that are looked through for a key.
const MAX_LOOKED_THROUGH: u64 = 1 << 16;
/// Most elements that any such thing has: what is not constructed yet holds anything.
const MAX_COUNT: u64 = 1 << 32;
/// Deepest tree: its longest way is at most twice its shortest.
const MAX_TREE_DEPTH: usize = 130;

/// Structures in structures.
const MAX_NESTED: usize = 8;

/// The nodes of a container.
pub(super) struct Nodes {
    /// The element's type.
    element: Type,
    /// Where an element is in its node.
    offset_bytes: u64,
    start: u64,
    /// Where the walk ends.
    end: u64,
    /// How many there are, if that is told.
    count: Option<u64>,
    walk: Walk,
    whose: super::value::Whose,
    /// Whether the elements are pairs of a key and what it stands for.
    pub(super) is_map: bool,
}

/// How one comes from a node to the next: where in a node its pointers are.
#[derive(Clone, Copy)]
enum Walk {
    List { next: u64 },
    Tree { parent: u64, left: u64, right: u64 },
}

/// Bytes that a type lies at a multiple of, at most so many.
fn alignment(type_: &Type, left: usize) -> u64 {
    if left == 0 {
        return 1;
    }
    match type_.shape() {
        Shape::Array(element, _) => alignment(&element, left - 1),
        Shape::Record(dies, at) => {
            let told = dies.number(at, gimli::DW_AT_alignment).unwrap_or(1);
            let members = dies.members(at);
            members.iter().map(|member| alignment(&member.type_, left - 1)).fold(told, u64::max)
        }
        Shape::Number(number) => number.bytes.min(16),
        _ => type_.size().unwrap_or(1).clamp(1, 8),
    }
}

/// Where an element lies behind the pointers of its node.
fn behind(node: &Type, element: &Type) -> Option<u64> {
    node.size()?.checked_next_multiple_of(alignment(element, MAX_NESTED).max(1))
}

/// The structure that a pointer points to.
fn pointed(pointer: &Value) -> Option<Type> {
    match pointer.type_.shape() {
        Shape::Pointer(to) => Some(to),
        _ => None,
    }
}

/// Where a member begins.
fn offset(type_: &Type, name: &str, read: ReadMemory<'_>) -> Option<u64> {
    Value::place(type_.clone(), 0, None).plain_member(name, read).ok()?.address().ok()
}

/// What a template of a member's type is given.
fn types_of_part(of: &Value) -> Option<Vec<Type>> {
    match of.type_.shape() {
        Shape::Record(dies, at) => Some(types_of(&dies, at)),
        _ => None,
    }
}

impl Nodes {
    pub(super) fn of(of: &Value, name: &str, read: ReadMemory<'_>) -> Option<Self> {
        let is_one = |kinds: &[&str]| kinds.iter().any(|kind| name.starts_with(kind));
        let at = |path: &[&str]| part(of, path, read).ok();
        let word = |path: &[&str]| at(path)?.to_word(read).ok();
        let whose = of.whose;
        if is_one(&["map<", "multimap<", "set<", "multiset<"]) {
            let header = at(&["_M_t", "_M_impl", "_M_header"])?;
            let element = types_of_part(&at(&["_M_t"])?)?.into_iter().nth(1)?;
            let own = |name| offset(&header.type_, name, read);
            let walk =
                Walk::Tree { parent: own("_M_parent")?, left: own("_M_left")?, right: own("_M_right")? };
            return Some(Self {
                offset_bytes: behind(&header.type_, &element)?,
                element,
                start: header.plain_member("_M_left", read).ok()?.word(read).ok()?,
                end: header.address().ok()?,
                count: Some(word(&["_M_t", "_M_impl", "_M_node_count"])?),
                walk,
                whose,
                is_map: is_one(&["map<", "multimap<"]),
            });
        }
        if is_one(&["list<"]) {
            let header = at(&["_M_impl", "_M_node"])?;
            let next = header.plain_member("_M_next", read).ok()?;
            let node = pointed(&next)?;
            let element = types_of_part(of)?.into_iter().next()?;
            return Some(Self {
                offset_bytes: behind(&node, &element)?,
                element,
                start: next.word(read).ok()?,
                end: header.address().ok()?,
                count: word(&["_M_impl", "_M_node", "_M_size"]),
                walk: Walk::List { next: offset(&node, "_M_next", read)? },
                whose,
                is_map: false,
            });
        }
        let is_hashed =
            is_one(&["unordered_map<", "unordered_multimap<", "unordered_set<", "unordered_multiset<"]);
        let first = match is_hashed {
            true => at(&["_M_h", "_M_before_begin", "_M_nxt"])?,
            false if is_one(&["forward_list<"]) => at(&["_M_impl", "_M_head", "_M_next"])?,
            false => return None,
        };
        let (of_elements, index) = if is_hashed { (at(&["_M_h"])?, 1) } else { (of.clone(), 0) };
        let element = types_of_part(&of_elements)?.into_iter().nth(index)?;
        let node = pointed(&first)?;
        Some(Self {
            offset_bytes: behind(&node, &element)?,
            element,
            start: first.word(read).ok()?,
            end: 0,
            count: word(&["_M_h", "_M_element_count"]),
            walk: Walk::List { next: offset(&node, if is_hashed { "_M_nxt" } else { "_M_next" }, read)? },
            whose,
            is_map: is_one(&["unordered_map<", "unordered_multimap<"]),
        })
    }

    /// The node behind one.
    fn next(&self, node: u64, read: ReadMemory<'_>) -> Option<u64> {
        let word = |at: u64| {
            let mut bytes = [0; 8];
            read(self.whose, at, &mut bytes).ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let (parent, left, right) = match self.walk {
            Walk::List { next } => return word(node.wrapping_add(next)),
            Walk::Tree { parent, left, right } => (parent, left, right),
        };
        let mut at = word(node.wrapping_add(right))?;
        if at != 0 {
            for _ in 0..MAX_TREE_DEPTH {
                match word(at.wrapping_add(left))? {
                    0 => return Some(at),
                    further => at = further,
                }
            }
            return None;
        }
        let mut from = node;
        at = word(from.wrapping_add(parent))?;
        for _ in 0..MAX_TREE_DEPTH {
            // The header, too, is above the root only.
            if at == self.end || word(at.wrapping_add(right))? != from {
                return Some(at);
            }
            (from, at) = (at, word(at.wrapping_add(parent))?);
        }
        None
    }

    fn element_at(&self, node: u64) -> Value {
        Value::place(self.element.clone(), node.wrapping_add(self.offset_bytes), self.whose)
    }

    /// The nodes, `most` of them at most; `None` behind those that are there if one is none.
    fn walk(&self, most: u64, read: ReadMemory<'_>) -> impl Iterator<Item = Option<u64>> {
        let most = most.min(self.count.unwrap_or(MAX_COUNT));
        let (mut node, mut left) = (Some(self.start), most);
        std::iter::from_fn(move || {
            let at = node?;
            if at == self.end || left == 0 {
                return None;
            }
            left -= 1;
            let next = self.next(at, read);
            node = next;
            Some(next.map(|_| at))
        })
    }

    /// The first elements, and how many there are; `None` if it is not constructed.
    pub(super) fn first(&self, most: u64, read: ReadMemory<'_>) -> Option<(Vec<Value>, u64)> {
        if self.count.is_some_and(|count| count > MAX_COUNT) {
            return None;
        }
        let nodes: Option<Vec<u64>> = self.walk(most, read).collect();
        let values: Vec<Value> = nodes?.into_iter().map(|node| self.element_at(node)).collect();
        let held = values.len() as u64;
        let count = self.count.unwrap_or_else(|| self.walk(MAX_LOOKED_THROUGH, read).count() as u64);
        // Fewer than are told, and no end of what is shown: it is torn.
        (held == count.min(most)).then_some((values, count))
    }

    /// What a key stands for; `None` if it is no map.
    pub(super) fn at_key(&self, key: i128, read: ReadMemory<'_>) -> Result<Option<Value>, String> {
        if !self.is_map {
            return Ok(None);
        }
        for node in self.walk(MAX_LOOKED_THROUGH, read).flatten() {
            let pair = self.element_at(node);
            let own = pair.plain_member("first", read)?;
            if own.to_integer(read).map_err(|_| "its keys are no numbers: `print` shows them all")? == key {
                return pair.plain_member("second", read).map(Some);
            }
        }
        Err(format!("it has no key {key}"))
    }
}

/// The element that an iterator of such a container stands at.
pub(super) fn at_iterator(
    of: &Value,
    dies: &Rc<Dies>,
    record: At,
    name: &str,
    read: ReadMemory<'_>,
) -> Option<Value> {
    const KINDS: &[(&str, &str)] = &[
        ("_Rb_tree_iterator<", "_M_node"),
        ("_Rb_tree_const_iterator<", "_M_node"),
        ("_List_iterator<", "_M_node"),
        ("_List_const_iterator<", "_M_node"),
        ("_Fwd_list_iterator<", "_M_node"),
        ("_Fwd_list_const_iterator<", "_M_node"),
    ];
    let (_, member) = KINDS.iter().find(|(kind, _)| name.starts_with(kind))?;
    let node = part(of, &[member], read).ok()?;
    // The compiler tells of some what they are made of, and of the others their nodes.
    let is_node = |at: &At| dies.name(*at).as_deref() == Some("_Node");
    let of_node = || {
        let node = dies.children(record).into_iter().find(is_node)?;
        match Type::of(dies, node).shape() {
            Shape::Record(dies, at) => types_of(&dies, at).into_iter().next(),
            _ => None,
        }
    };
    let element = types_of(dies, record).into_iter().next().or_else(of_node)?;
    let at = node.word(read).ok()?.wrapping_add(behind(&pointed(&node)?, &element)?);
    Some(Value::place(element, at, of.whose))
}
