//! Where the code of functions begins, as the debug information tells: of each function, and of each place where the compiler has put it
//! into another one.

use super::dies::{At, Dies};
use super::lines::{file_name, is_end_of};
use super::symbols::likeness;
use gimli::{AttributeValue, DW_AT_decl_file, DW_AT_entry_pc, DW_AT_linkage_name, DW_AT_name};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// What a function is called, and the file that it is written in.
#[derive(Debug)]
struct Named {
    /// With its path, where the language has paths.
    name: String,
    /// From the folder where the compiler ran, or from the root.
    file: Option<String>,
}

/// A place where the code of a function begins.
#[derive(Debug)]
struct Beginning {
    of: Rc<Named>,
    at: u64,
}

/// All functions of a file that have code.
#[derive(Debug)]
pub(super) struct Functions(Vec<Beginning>);

impl Functions {
    /// Reads the entries of all units; `statement` is where the first statement begins of some addresses. An entry that is malformed
    /// ends its unit. `has_call` tells whether a call is among some instructions.
    pub(super) fn read(
        dies: &Dies,
        statement: &dyn Fn(Range<u64>) -> Option<u64>,
        has_call: &dyn Fn(Range<u64>) -> bool,
    ) -> Self {
        let mut all = Vec::new();
        // Each function is named once: a generic one has thousands of instances.
        let mut known: BTreeMap<(usize, usize), Option<Rc<Named>>> = BTreeMap::new();
        for (unit, of) in dies.units().iter().enumerate() {
            let mut entries = of.entries();
            while let Ok(Some(entry)) = entries.next_dfs() {
                if !matches!(entry.tag(), gimli::DW_TAG_subprogram | gimli::DW_TAG_inlined_subroutine) {
                    continue;
                }
                let Some(at) = entry_of(dies, unit, entry) else { continue };
                let at = match entry.tag() {
                    gimli::DW_TAG_inlined_subroutine => {
                        begun(dies.ranges(At { unit, offset: entry.offset() }), at, statement, has_call)
                    }
                    _ => at,
                };
                let origin = entry.attr_value(gimli::DW_AT_abstract_origin);
                let origin = origin.and_then(|origin| dies.referred(unit, origin));
                let named = origin.unwrap_or(At { unit, offset: entry.offset() });
                let name = || named_at(dies, named).map(Rc::new);
                let named = known.entry((named.unit, named.offset.0)).or_insert_with(name);
                all.extend(named.clone().map(|of| Beginning { of, at }));
            }
        }
        Self(all)
    }

    /// Where functions of a name begin, of those whose names are most like it; only those that are written in `file`, a name or the
    /// last parts of a path, if one is given. Beside the addresses how like the names are.
    pub(super) fn called(&self, name: &str, file: Option<&str>) -> impl Iterator<Item = (u8, u64)> {
        let is_in_file = move |named: &Named| {
            file.is_none_or(|file| named.file.as_deref().is_some_and(|path| is_end_of(file, path)))
        };
        let like = move |function: &Beginning| Some((likeness(&function.of.name, name)?, function.at));
        self.0.iter().filter(move |function| is_in_file(&function.of)).filter_map(like)
    }
}

impl Functions {
    /// The names of those that are written in a file, a name or the last parts of a path, without their parameters.
    pub(super) fn of_file<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a str> {
        let is_in_file = |named: &Named| named.file.as_deref().is_some_and(|path| is_end_of(file, path));
        let names = self.0.iter().filter(move |function| is_in_file(&function.of));
        names.map(|function| super::symbols::without_parameters(&function.of.name))
    }
}

/// The first address of an entry's code. What was thrown away when linking lies at 0.
pub(super) fn entry_of(dies: &Dies, unit: usize, entry: &super::dies::Entry) -> Option<u64> {
    let of = dies.units().get(unit)?;
    let mut ranges = dies.dwarf.die_ranges(of, entry).ok()?;
    let mut low = None;
    while let Ok(Some(range)) = ranges.next() {
        if range.begin < range.end {
            low = Some(range.begin);
            break;
        }
    }
    let low = low.filter(|&low| low != 0)?;
    let Some(value) = entry.attr_value(DW_AT_entry_pc) else { return Some(low) };
    // An address, or how far it is from the lowest one (DWARF 5, section 2.18).
    match dies.dwarf.attr_address(of, value.clone()) {
        Ok(Some(address)) => Some(address),
        _ => Some(low.wrapping_add(value.udata_value().unwrap_or(0))),
    }
}

/// Where a function that was put into another one is run each time: where its first statement begins, since what it calculates may
/// have been drawn out of a loop; else, or if it calls another before that, at its entry.
fn begun(
    mut ranges: Vec<Range<u64>>,
    entry: u64,
    statement: &dyn Fn(Range<u64>) -> Option<u64>,
    has_call: &dyn Fn(Range<u64>) -> bool,
) -> u64 {
    ranges.sort_by_key(|range| range.start.wrapping_sub(entry));
    let Some(first) = ranges.iter().find_map(|range| statement(range.clone())) else { return entry };
    let own = ranges.iter().map(|range| range.start.max(entry)..range.end.min(first));
    if own.filter(|own| !own.is_empty()).any(has_call) { entry } else { first }
}

fn named_at(dies: &Dies, at: At) -> Option<Named> {
    let linkage = dies.attribute(at, DW_AT_linkage_name);
    let (unit, name) = linkage.or_else(|| dies.attribute(at, DW_AT_name))?;
    let name = super::symbols::demangle(&dies.text(unit, name)?);
    Some(Named { name, file: declared_in(dies, at) })
}

fn declared_in(dies: &Dies, at: At) -> Option<String> {
    let (unit, AttributeValue::FileIndex(index)) = dies.attribute(at, DW_AT_decl_file)? else { return None };
    let unit = dies.units().get(unit)?;
    let header = unit.line_program.as_ref()?.header();
    file_name(&dies.dwarf, unit, header, header.file(index)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_was_put_into_another_begins_at_a_statement_but_before_its_calls() {
        let statements = [0x28, 0x48];
        let first = |range: Range<u64>| statements.into_iter().find(|at| range.contains(at));
        let call_at = |call: u64| move |range: Range<u64>| range.contains(&call);
        let (whole, parts, none) = (0x20..0x30, [0x10..0x18, 0x40..0x50], 0x10..0x18);
        for (ranges, entry, call, expected) in [
            (std::slice::from_ref(&whole), 0x20, 0x100, 0x28),
            (std::slice::from_ref(&whole), 0x20, 0x24, 0x20),
            // Behind the statement, or another's between its parts.
            (std::slice::from_ref(&whole), 0x20, 0x2c, 0x28),
            (&parts, 0x10, 0x20, 0x48),
            (&parts, 0x10, 0x14, 0x10),
            (std::slice::from_ref(&none), 0x10, 0x100, 0x10),
        ] {
            let at = begun(ranges.to_vec(), entry, &first, &call_at(call));
            assert_eq!(at, expected, "{ranges:x?} {call:#x}");
        }
    }
}
