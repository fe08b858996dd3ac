//! Variables by their names, as the function at work sees them: those of its blocks from the innermost out, then the file's own, then
//! those of the whole program.

use super::dies::{At, Dies, expression};
use super::location::{Locator, Scope};
use super::types::Type;
use super::value::{Held, Value};
use std::ops::Range;
use std::rc::Rc;

/// Blocks in blocks.
const MAX_BLOCKS: usize = 64;

/// A function, a function that was put into another, or a block, whose code holds an address.
pub(super) struct Block {
    pub(super) at: At,
    pub(super) is_function: bool,
}

/// The variables of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variables {
    /// Its parameters.
    Arguments,
    /// Those of its blocks.
    Locals,
}

impl Dies {
    /// The blocks at an address, the outermost first.
    pub(super) fn blocks(&self, address: u64) -> Vec<Block> {
        let Some(function) = self.index().function_at(address) else { return Vec::new() };
        let mut blocks = vec![Block { at: function, is_function: true }];
        while let Some(last) = blocks.last().filter(|_| blocks.len() < MAX_BLOCKS) {
            let inner = self.children(last.at).into_iter().find_map(|at| {
                let entry = self.entry(at)?;
                let is_function = match entry.tag() {
                    gimli::DW_TAG_inlined_subroutine => true,
                    gimli::DW_TAG_lexical_block | gimli::DW_TAG_try_block | gimli::DW_TAG_catch_block => {
                        false
                    }
                    _ => return None,
                };
                self.holds(at.unit, &entry, address).then_some(Block { at, is_function })
            });
            let Some(inner) = inner else { break };
            blocks.push(inner);
        }
        blocks
    }

    /// The blocks that a level sees, the innermost first; those of its own function come before the number.
    fn seen(&self, scope: &Scope<'_>) -> (Vec<Block>, usize) {
        let Some(address) = scope.at_work() else { return (Vec::new(), 0) };
        let mut blocks = self.blocks(address);
        for _ in 0..scope.level {
            let Some(start) = blocks.iter().rposition(|block| block.is_function).filter(|&at| at > 0) else {
                break;
            };
            blocks.truncate(start);
        }
        blocks.reverse();
        let own = blocks.iter().position(|block| block.is_function).map_or(0, |at| at + 1);
        (blocks, own)
    }

    /// The code of the block that has a variable of this name, in the function whose code is at an address.
    pub(super) fn block_with(&self, address: u64, variable: &str) -> Vec<Range<u64>> {
        let mut blocks: Vec<(At, usize)> =
            self.index().function_at(address).map(|at| (at, 0)).into_iter().collect();
        while let Some((block, depth)) = blocks.pop() {
            for at in self.children(block) {
                match self.tag(at) {
                    Some(gimli::DW_TAG_lexical_block) if depth < MAX_BLOCKS => blocks.push((at, depth + 1)),
                    _ if self.is_variable(at) && self.name(at).as_deref() == Some(variable) => {
                        return self.ranges(block);
                    }
                    _ => {}
                }
            }
        }
        Vec::new()
    }

    /// Whether the function at an address has a parameter whose place is told once for all of it: so it is not told of its first
    /// instructions, which bring it there.
    pub(super) fn has_fixed_parameters(&self, address: u64) -> bool {
        let Some(function) = self.index().function_at(address) else { return false };
        let is_fixed = |at: At| {
            let entry = self.entry(at).filter(|entry| entry.tag() == gimli::DW_TAG_formal_parameter);
            entry.and_then(|entry| expression(entry.attr_value(gimli::DW_AT_location)?)).is_some()
        };
        self.children(function).into_iter().any(is_fixed)
    }

    fn is_variable(&self, at: At) -> bool {
        matches!(self.tag(at), Some(gimli::DW_TAG_variable | gimli::DW_TAG_formal_parameter))
            && !self.is_flag(at, gimli::DW_AT_declaration)
    }

    /// The variable of this name that is seen.
    pub(super) fn find(self: &Rc<Self>, name: &str, scope: &Scope<'_>) -> Option<Value> {
        let locator = Locator::new(self, scope);
        let (blocks, _) = self.seen(scope);
        for block in &blocks {
            let named = |&at: &At| self.is_variable(at) && self.name(at).as_deref() == Some(name);
            let here: Vec<At> = self.children(block.at).into_iter().filter(named).collect();
            let values = || here.iter().map(|&at| locator.variable(at));
            let kept = values().find(|value| !matches!(value.held, Held::Lost(_)));
            if let Some(value) = kept.or_else(|| values().next()) {
                return Some(value);
            }
        }
        // The function's file hides what others keep to themselves, and it what functions do.
        let unit = blocks.last().map(|block| block.at.unit);
        let globals = self.index().globals(name);
        let global = globals.min_by_key(|global| (Some(global.at.unit) != unit, global.depth()));
        global.map(|global| locator.variable(global.at)).or_else(|| self.enumerator(name))
    }

    /// The value of an enumeration that is called so.
    fn enumerator(self: &Rc<Self>, name: &str) -> Option<Value> {
        let enumeration = self.index().enumeration_with(name)?;
        let last = name.rsplit("::").next().unwrap_or(name);
        let value = self.enumerators(enumeration).into_iter().find(|(own, _)| own == last)?.1;
        let number = Type::number_of(self, enumeration);
        Some(Value { type_: Type::Entry(Rc::clone(self), enumeration), ..Value::number(value, number) })
    }

    /// The variable of this name that a source file has, or a function of it.
    pub(super) fn find_in_file(self: &Rc<Self>, file: &str, name: &str, scope: &Scope<'_>) -> Option<Value> {
        let is_meant = |unit: usize| {
            let of = &self.units()[unit];
            let unit_name = of.name.as_ref().and_then(|name| {
                use gimli::Reader;
                Some(name.to_string_lossy().ok()?.into_owned())
            });
            unit_name.is_some_and(|path| super::lines::is_end_of(file, &path))
        };
        let globals = self.index().globals(name).filter(|global| is_meant(global.at.unit));
        let global = globals.min_by_key(|global| global.depth())?;
        Some(Locator::new(self, scope).variable(global.at))
    }

    /// The parameters or the variables of the function of the level, with their names, the innermost block first.
    pub(super) fn of_function(self: &Rc<Self>, which: Variables, scope: &Scope<'_>) -> Vec<(String, Value)> {
        let locator = Locator::new(self, scope);
        let (blocks, own) = self.seen(scope);
        let wanted = match which {
            Variables::Arguments => gimli::DW_TAG_formal_parameter,
            Variables::Locals => gimli::DW_TAG_variable,
        };
        let is_wanted = |&at: &At| self.is_variable(at) && self.tag(at) == Some(wanted);
        let own = blocks.iter().take(own);
        let found = own.flat_map(|block| self.children(block.at).into_iter().filter(is_wanted));
        found.filter_map(|at| Some((self.name(at)?, locator.variable(at)))).collect()
    }

    /// The type of the function whose code begins at an address.
    pub(super) fn function_type(self: &Rc<Self>, address: u64) -> Option<Type> {
        let at = self.index().function_from(address)?;
        Some(Type::Entry(Rc::clone(self), self.origin(at).unwrap_or(at)))
    }

    /// The type of a name: as C has it, `struct node`, `node_t`; or of C++ and Rust, where it may have a path.
    pub(super) fn type_named(self: &Rc<Self>, name: &str) -> Option<Type> {
        let last = name.rsplit("::").next().unwrap_or(name);
        let worded = || ["struct", "union", "enum"].iter().map(|word| format!("{word} {last}"));
        let at = self
            .index()
            .type_named(last)
            .or_else(|| worded().find_map(|name| self.index().type_named(&name)));
        at.map(|at| Type::Entry(Rc::clone(self), at))
    }
}
