//! What of the debug information is found by name or by address: functions, variables of the whole program, types.
//!
//! Made once, by a walk through all entries; variables of functions are looked for in their function's entries.

use super::dies::{At, Dies, expression};
use gimli::AttributeValue;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

/// Functions that are kept of those that have a variable of one name.
const MAX_FUNCTIONS: usize = 16;
/// Enumerations that are kept of those that have a value of one name.
const MAX_ENUMERATIONS: usize = 64;

/// A variable that there is as long as the program runs.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) at: At,
    /// What it is in, from the outermost in, and its name: `work::count`.
    path: String,
}

impl Global {
    /// In how many things it is.
    pub(super) fn depth(&self) -> usize {
        self.path.matches("::").count()
    }
}

/// An enumeration, and what it is in.
#[derive(Debug)]
struct Enumeration {
    at: At,
    /// What it is in, from the outermost in: `shop::Counter::`.
    outer: String,
    /// Its own name, if it has one.
    name: Option<String>,
}

impl Enumeration {
    /// Whether one of its values may be meant by this path: it may be told with the enumeration that it is of, and without it.
    fn has(&self, path: &str) -> bool {
        let Some((before, _)) = path.rsplit_once("::") else { return true };
        let is_end = |whole: &str| {
            whole.strip_suffix(before).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
        };
        let of_own = self.name.as_ref().is_some_and(|name| is_end(&format!("{}{name}", self.outer)));
        of_own || is_end(self.outer.trim_end_matches(':'))
    }
}

/// What is found.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Functions with code, by where that starts.
    functions: Vec<(Range<u64>, At)>,
    /// By the last part of the path.
    globals: BTreeMap<String, Vec<Global>>,
    /// Variables of the whole program of which only the type is told.
    declared: BTreeMap<String, At>,
    /// Complete types by their names, as C has them: `struct node`, `node_t`.
    types: BTreeMap<String, At>,
    /// Names of the variables of functions, each with functions that have it: a few at most.
    locals: BTreeMap<String, Vec<At>>,
    /// The names of values, each with the enumerations that have one.
    enumerators: BTreeMap<String, Vec<Rc<Enumeration>>>,
    /// Units in which places of variables are told for each instruction.
    following: BTreeSet<usize>,
}

impl Index {
    pub(super) fn of(dies: &Dies) -> Self {
        let mut index = Self::default();
        for unit in 0..dies.units().len() {
            index.read_unit(dies, unit);
        }
        index.functions.sort_by_key(|(range, at)| (range.start, range.end, at.unit, at.offset.0));
        index
    }

    fn read_unit(&mut self, dies: &Dies, unit: usize) {
        let mut cursor = dies.units()[unit].entries();
        // What holds the entry, the innermost last: depth, name, and whether it is a function.
        let mut path: Vec<(isize, Option<String>, Option<At>)> = Vec::new();
        // Paths of what is declared in one place, and told of in another.
        let mut declarations: BTreeMap<usize, String> = BTreeMap::new();
        let mut enumeration = None;
        while let Ok(Some(entry)) = cursor.next_dfs() {
            let (depth, at) = (entry.depth(), At { unit, offset: entry.offset() });
            while path.last().is_some_and(|(outer, ..)| depth <= *outer) {
                path.pop();
            }
            if has_list(entry) {
                self.following.insert(unit);
            }
            match entry.tag() {
                gimli::DW_TAG_subprogram => {
                    if let Ok(mut ranges) = dies.dwarf.die_ranges(&dies.units()[unit], entry) {
                        while let Ok(Some(range)) = ranges.next() {
                            // A function at 0 was thrown away when linking.
                            if range.begin != 0 && range.begin < range.end {
                                self.functions.push((range.begin..range.end, at));
                            }
                        }
                    }
                    path.push((depth, dies.name(at), Some(at)));
                }
                gimli::DW_TAG_enumerator => {
                    if let (Some(enumeration), Some(name)) = (&enumeration, dies.name(at)) {
                        self.add_enumerator(name, enumeration);
                    }
                }
                gimli::DW_TAG_namespace => path.push((depth, dies.name(at), None)),
                gimli::DW_TAG_variable | gimli::DW_TAG_member => {
                    let Some(name) = dies.name(at) else { continue };
                    let full = || {
                        let outer = path.iter().filter_map(|(_, name, _)| name.as_deref());
                        outer.chain([name.as_str()]).collect::<Vec<_>>().join("::")
                    };
                    if entry.attr_value(gimli::DW_AT_declaration).is_some() && !path.is_empty() {
                        declarations.insert(at.offset.0, full());
                    }
                    if entry.tag() == gimli::DW_TAG_member {
                        continue;
                    }
                    let location = entry.attr_value(gimli::DW_AT_location);
                    let is_outside = path.iter().all(|(.., function)| function.is_none());
                    let is_kept = match location {
                        Some(location) => expression(location).is_some_and(|expression| {
                            is_of_the_program(&expression, dies.units()[unit].encoding())
                        }),
                        None if is_outside && has_constant(dies, at) => true,
                        None if is_outside || dies.is_flag(at, gimli::DW_AT_external) => {
                            self.declared.entry(name).or_insert(at);
                            continue;
                        }
                        None => false,
                    };
                    if is_kept {
                        let declared = match entry.attr_value(gimli::DW_AT_specification) {
                            Some(AttributeValue::UnitRef(offset)) => declarations.get(&offset.0).cloned(),
                            _ => None,
                        };
                        let path = declared.unwrap_or_else(full);
                        self.globals.entry(name).or_default().push(Global { at, path });
                    } else if let Some((.., Some(function))) = path.last()
                        && has_own_name(entry)
                    {
                        self.add_local(name, *function);
                    }
                }
                gimli::DW_TAG_formal_parameter => {
                    if let (Some((.., Some(function))), Some(name)) = (path.last(), dies.name(at))
                        && has_own_name(entry)
                    {
                        self.add_local(name, *function);
                    }
                }
                tag => {
                    if tag == gimli::DW_TAG_enumeration_type {
                        let outer =
                            path.iter().filter_map(|(_, name, _)| Some(format!("{}::", name.as_ref()?)));
                        let (outer, name) = (outer.collect(), dies.name(at));
                        enumeration = Some(Rc::new(Enumeration { at, outer, name }));
                    }
                    if matches!(
                        tag,
                        gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type
                    ) {
                        path.push((depth, dies.name(at), None));
                    }
                    let word = match tag {
                        gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type => "struct ",
                        gimli::DW_TAG_union_type => "union ",
                        gimli::DW_TAG_enumeration_type => "enum ",
                        gimli::DW_TAG_typedef | gimli::DW_TAG_base_type => "",
                        _ => continue,
                    };
                    if entry.attr_value(gimli::DW_AT_declaration).is_none()
                        && let Some(name) = dies.name(at)
                    {
                        self.types.entry(format!("{word}{name}")).or_insert(at);
                    }
                }
            }
        }
    }

    /// A value of an enumeration's; each unit tells of the same ones once more.
    fn add_enumerator(&mut self, name: String, of: &Rc<Enumeration>) {
        let all = self.enumerators.entry(name).or_default();
        let is_same = |known: &Rc<Enumeration>| known.outer == of.outer && known.name == of.name;
        if all.len() < MAX_ENUMERATIONS && !all.iter().any(is_same) {
            all.push(Rc::clone(of));
        }
    }

    /// A variable of a function's.
    fn add_local(&mut self, name: String, function: At) {
        let of = self.locals.entry(name).or_default();
        if of.len() < MAX_FUNCTIONS && !of.contains(&function) {
            of.push(function);
        }
    }

    /// The innermost function whose code holds an address.
    pub(super) fn function_at(&self, address: u64) -> Option<At> {
        // Functions of functions are rare, and of few levels.
        const NEAR: usize = 16;
        let end = self.functions.partition_point(|(range, _)| range.start <= address);
        let before = self.functions[..end].iter().rev().take(NEAR);
        let holds = before.filter(|(range, _)| range.contains(&address));
        holds.min_by_key(|(range, _)| range.end - range.start).map(|(_, at)| *at)
    }

    /// Whether places of variables are told for each instruction where an address is.
    pub(super) fn follows_variables(&self, address: u64) -> bool {
        self.function_at(address).is_some_and(|at| self.following.contains(&at.unit))
    }

    /// The function whose code begins at an address.
    pub(super) fn function_from(&self, address: u64) -> Option<At> {
        let first = self.functions.partition_point(|(range, _)| range.start < address);
        self.functions.get(first).filter(|(range, _)| range.start == address).map(|(_, at)| *at)
    }

    /// The variables of the whole program that go by a name, or by the last parts of their path.
    pub(super) fn globals<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Global> {
        let last = name.rsplit("::").next().unwrap_or(name);
        let is_meant = move |global: &&Global| {
            let before = global.path.strip_suffix(name);
            before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
        };
        self.globals.get(last).into_iter().flatten().filter(is_meant)
    }

    /// A variable of the whole program of which only the type is told.
    pub(super) fn declared(&self, name: &str) -> Option<At> {
        self.declared.get(name).copied()
    }

    /// An enumeration that has a value of this name, or of this path: `Blue`, `shop::Colour::Blue`, `shop::Counter::On`.
    pub(super) fn enumeration_with(&self, path: &str) -> Option<At> {
        let name = path.rsplit("::").next().unwrap_or(path);
        self.enumerators.get(name)?.iter().find(|of| of.has(path)).map(|of| of.at)
    }

    pub(super) fn type_named(&self, name: &str) -> Option<At> {
        self.types.get(name).copied()
    }

    /// The names of all types: `struct node`, `node_t`.
    pub(super) fn type_names(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// Functions that have a variable of this name.
    pub(super) fn functions_with(&self, name: &str) -> &[At] {
        self.locals.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of all variables and of the values of enumerations.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let variables = self.globals.keys().chain(self.locals.keys()).chain(self.declared.keys());
        variables.chain(self.enumerators.keys()).map(String::as_str)
    }
}

/// Whether it is a variable that has one place here and another there.
fn has_list(entry: &super::dies::Entry) -> bool {
    matches!(entry.tag(), gimli::DW_TAG_variable | gimli::DW_TAG_formal_parameter)
        && matches!(
            entry.attr_value(gimli::DW_AT_location),
            Some(AttributeValue::LocationListsRef(_) | AttributeValue::DebugLocListsIndex(_))
        )
}

/// Whether an expression tells of a place that does not depend on a frame.
fn is_of_the_program(expression: &gimli::Expression<super::Section>, encoding: gimli::Encoding) -> bool {
    use gimli::Operation::{Address, AddressIndex, TLS};
    let mut operations = expression.clone().operations(encoding);
    match operations.next() {
        Ok(Some(Address { .. } | AddressIndex { .. })) => true,
        Ok(Some(_)) => matches!(operations.next(), Ok(Some(TLS))),
        _ => false,
    }
}

/// Whether a variable is told of here, and is not an instance of one: then it is in a function that was put into another.
fn has_own_name(entry: &super::dies::Entry) -> bool {
    entry.attr_value(gimli::DW_AT_name).is_some()
}

fn has_constant(dies: &Dies, at: At) -> bool {
    dies.attribute(at, gimli::DW_AT_const_value).is_some()
}
