//! Functions that the compiler has put into others: which one an address is of, and one place of a line in each.

use super::dies::{At, Dies};
use super::functions::entry_of;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A function that was put into another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutInto {
    /// Its code there.
    pub own: Vec<Range<u64>>,
    /// All code of the function that it was put into.
    pub outer: Vec<Range<u64>>,
}

impl Dies {
    /// What was put into a function at an address, without the `level` innermost; `None` if that is the function itself.
    pub(super) fn put_into(&self, address: u64, level: usize) -> Option<PutInto> {
        let blocks = self.blocks(address);
        let functions: Vec<At> =
            blocks.iter().filter(|block| block.is_function).map(|block| block.at).collect();
        let own = functions.len().checked_sub(level + 1).filter(|&own| own > 0)?;
        Some(PutInto { own: self.ranges(functions[own]), outer: self.ranges(functions[0]) })
    }

    /// Of the addresses at which statements of one line begin one in each function, and in each place where a function was put
    /// into another: the one that comes first from where that begins, since what lies before it is seldom run.
    ///
    /// A place of such a function that has code of the line, but no statement, has its first address of `rest`, which is all code of the line: what was
    /// calculated together is told to be a statement of one of them.
    pub(super) fn one_each(
        &self,
        statements: impl Iterator<Item = u64>,
        rest: impl Iterator<Item = u64>,
    ) -> Vec<u64> {
        let mut alone = Vec::new();
        let mut first: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        let mut put_there = BTreeSet::new();
        for address in statements {
            let Some((at, origin, entry)) = self.instance(address) else {
                alone.push(address);
                continue;
            };
            put_there.extend(origin.map(|origin| (origin.unit, origin.offset.0)));
            let distance = address.wrapping_sub(entry);
            let place = first.entry((at.unit, at.offset.0)).or_insert((distance, address));
            *place = (*place).min((distance, address));
        }
        let mut more: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        for address in rest.filter(|_| !put_there.is_empty()) {
            let Some((at, Some(origin), entry)) = self.instance(address) else { continue };
            let key = (at.unit, at.offset.0);
            if put_there.contains(&(origin.unit, origin.offset.0)) && !first.contains_key(&key) {
                let distance = address.wrapping_sub(entry);
                let place = more.entry(key).or_insert((distance, address));
                *place = (*place).min((distance, address));
            }
        }
        alone.extend(first.into_values().chain(more.into_values()).map(|(_, address)| address));
        alone.sort_unstable();
        alone.dedup();
        alone
    }

    /// The innermost function whose code is at an address: its entry, that of which it is an instance if it was put there, and where it begins.
    fn instance(&self, address: u64) -> Option<(At, Option<At>, u64)> {
        let at = self.blocks(address).into_iter().rfind(|block| block.is_function)?.at;
        let entry = self.entry(at)?;
        let origin = (entry.tag() == gimli::DW_TAG_inlined_subroutine).then(|| self.origin(at)).flatten();
        Some((at, origin, entry_of(self, at.unit, &entry)?))
    }

    /// The addresses of an entry's code.
    pub(super) fn ranges(&self, at: At) -> Vec<Range<u64>> {
        let ranges = || {
            let mut ranges = self.dwarf.die_ranges(self.units().get(at.unit)?, &self.entry(at)?).ok()?;
            Some(
                std::iter::from_fn(move || ranges.next().ok().flatten())
                    .map(|range| range.begin..range.end)
                    .collect(),
            )
        };
        ranges().unwrap_or_default()
    }
}
