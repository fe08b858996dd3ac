//! `print`: a variable, or a part of one, by the name that the source has for it.
//!
//! Names of the function at work come before those of the whole program. A place is a name, then `.member`, `->member` and `[index]`, with
//! `*` and `&` in front.

use super::Section;
use super::dies::{At, Dies};
use super::types::ReadMemory;
use super::unwind::Frame;
use gimli::{AttributeValue, EvaluationResult, Expression, Location, Value};

/// Where names are looked for, and by what.
pub struct Scope<'a> {
    /// The function at work.
    pub frame: &'a Frame,
    /// The stack pointer of its caller, if that is known: what its variables are told from.
    pub cfa: Option<u64>,
    /// What the process adds to the file's addresses.
    pub bias: u64,
    /// Reads its memory.
    pub read: ReadMemory<'a>,
}

/// A value, and what it is.
struct Thing {
    type_: Option<At>,
    at: Held,
}

/// What holds a value.
enum Held {
    Memory(u64),
    Bytes(Vec<u8>),
}

/// Most bytes of a value.
const MAX_BYTES: u64 = 1 << 16;
/// Operations of a location's expression.
const MAX_OPERATIONS: u32 = 10_000;

impl Dies {
    /// `name = value` and its type, as C writes them.
    pub(super) fn print(&self, text: &str, scope: &Scope<'_>) -> Result<String, String> {
        let compact: String = text.split_whitespace().collect();
        let takes_address = compact.starts_with('&');
        let rest = compact.trim_start_matches('&');
        let stars = rest.len() - rest.trim_start_matches('*').len();
        let path = &rest[stars..];
        let end = path.find(['.', '[', '-']).unwrap_or(path.len());
        let (name, mut parts) = path.split_at(end);
        let mut thing =
            self.find(name, scope).ok_or_else(|| format!("no variable is called `{name}` here"))??;
        while !parts.is_empty() {
            (thing, parts) = self.part(thing, parts, scope)?;
        }
        for _ in 0..stars {
            thing = self.behind(&thing, scope)?;
        }
        if takes_address {
            let Held::Memory(address) = thing.at else { return Err(format!("`{rest}` is in a register")) };
            return Ok(format!("&{rest} = {address:#x}  ({} *)", self.type_name(thing.type_)));
        }
        let bytes = self.bytes(&thing, scope)?;
        let value = self.value(thing.type_, &bytes, scope.read);
        Ok(format!("{rest} = {value}  ({})", self.type_name(thing.type_)))
    }

    fn bytes(&self, thing: &Thing, scope: &Scope<'_>) -> Result<Vec<u8>, String> {
        let size = self.size_of(thing.type_).filter(|&size| size <= MAX_BYTES);
        let size = size.and_then(|size| usize::try_from(size).ok()).ok_or("its size is not known")?;
        match &thing.at {
            Held::Bytes(bytes) => Ok(bytes.get(..size).unwrap_or(bytes).to_vec()),
            Held::Memory(address) => {
                let mut bytes = vec![0; size];
                (scope.read)(*address, &mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// What a pointer points to.
    fn behind(&self, thing: &Thing, scope: &Scope<'_>) -> Result<Thing, String> {
        let pointer = self.bare(thing.type_).filter(|&at| self.tag(at) == Some(gimli::DW_TAG_pointer_type));
        let pointer = pointer.ok_or_else(|| format!("{} is no pointer", self.type_name(thing.type_)))?;
        let bytes = self.bytes(thing, scope)?;
        let address = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        Ok(Thing { type_: self.type_of(pointer), at: Held::Memory(address) })
    }

    /// A part of a thing, and what is left of the path.
    fn part<'t>(&self, thing: Thing, parts: &'t str, scope: &Scope<'_>) -> Result<(Thing, &'t str), String> {
        if let Some(rest) = parts.strip_prefix('[') {
            let (index, rest) = rest.split_once(']').ok_or("`]` is missing")?;
            let index: u64 = index.parse().map_err(|_| format!("`{index}` is not an index"))?;
            return Ok((self.element(&thing, index, scope)?, rest));
        }
        let (thing, name) = match (parts.strip_prefix("->"), parts.strip_prefix('.')) {
            (Some(rest), _) => (self.behind(&thing, scope)?, rest),
            (_, Some(rest)) => (thing, rest),
            _ => return Err(format!("`{parts}` is no part: .MEMBER, ->MEMBER or [INDEX]")),
        };
        let end = name.find(['.', '[', '-']).unwrap_or(name.len());
        let (name, rest) = name.split_at(end);
        let structure = self.bare(thing.type_).ok_or("its type is not known")?;
        let members = self.members(structure);
        let Some(member) = members.iter().find(|member| member.name.as_deref() == Some(name)) else {
            let names: Vec<&str> = members.iter().filter_map(|member| member.name.as_deref()).collect();
            let of = self.type_name(thing.type_);
            return Err(format!("{of} has no member `{name}` (it has {})", names.join(", ")));
        };
        let at = if member.is_bits() {
            Held::Bytes(self.field(member, &self.bytes(&thing, scope)?).unwrap_or_default())
        } else {
            self.moved(&thing, member.offset_bytes)
        };
        Ok((Thing { type_: member.type_, at }, rest))
    }

    fn element(&self, thing: &Thing, index: u64, scope: &Scope<'_>) -> Result<Thing, String> {
        let array = self.bare(thing.type_).ok_or("its type is not known")?;
        let size = |type_| self.size_of(type_).ok_or_else(|| "its size is not known".to_owned());
        let at_index = |size: u64| index.checked_mul(size).ok_or_else(|| "the index is too large".to_owned());
        match self.tag(array) {
            Some(gimli::DW_TAG_pointer_type) => {
                let first = self.behind(thing, scope)?;
                let at = self.moved(&first, at_index(size(first.type_)?)?);
                Ok(Thing { at, ..first })
            }
            Some(gimli::DW_TAG_array_type) => {
                let lengths = self.lengths(array);
                if lengths.len() != 1 {
                    return Err("only arrays of one dimension are taken apart".to_owned());
                }
                if lengths[0] > 0 && index >= lengths[0] {
                    return Err(format!("{} ends before {index}", self.type_name(thing.type_)));
                }
                let type_ = self.type_of(array);
                Ok(Thing { type_, at: self.moved(thing, at_index(size(type_)?)?) })
            }
            _ => Err(format!("{} is no array", self.type_name(thing.type_))),
        }
    }

    fn moved(&self, thing: &Thing, by: u64) -> Held {
        match &thing.at {
            Held::Memory(address) => Held::Memory(address.wrapping_add(by)),
            Held::Bytes(bytes) => Held::Bytes(
                usize::try_from(by).ok().and_then(|by| bytes.get(by..)).unwrap_or_default().to_vec(),
            ),
        }
    }

    /// The variable of this name that the function at work sees; the error says why it has no value.
    fn find(&self, name: &str, scope: &Scope<'_>) -> Option<Result<Thing, String>> {
        let at_work = scope.frame.at_work().wrapping_sub(scope.bias);
        let local = (0..self.units().len()).find_map(|unit| self.local(unit, name, at_work));
        if let Some((variable, function)) = local {
            return Some(self.thing(variable, Some(function), scope));
        }
        // A file's own variable hides those that others keep to themselves.
        let own = (0..self.units().len()).filter(|&unit| self.is_unit_at(unit, at_work));
        let global = own.chain(0..self.units().len()).find_map(|unit| self.global(unit, name))?;
        Some(self.thing(global, None, scope))
    }

    /// Whether a unit has the code at an address.
    fn is_unit_at(&self, unit: usize, address: u64) -> bool {
        let Ok(mut ranges) = self.dwarf.unit_ranges(&self.units()[unit]) else { return false };
        while let Ok(Some(range)) = ranges.next() {
            if (range.begin..range.end).contains(&address) {
                return true;
            }
        }
        false
    }

    /// The innermost variable of the function that holds an address, and that function.
    fn local(&self, unit: usize, name: &str, at_work: u64) -> Option<(At, At)> {
        let mut cursor = self.units()[unit].entries();
        let (mut found, mut function) = (None, None);
        // Depths of functions and blocks that hold the address, the innermost last.
        let mut open: Vec<isize> = Vec::new();
        let mut skipped: Option<isize> = None;
        while let Ok(Some(entry)) = cursor.next_dfs() {
            let (depth, at) = (entry.depth(), At { unit, offset: entry.offset() });
            if skipped.is_some_and(|outer| depth > outer) {
                continue;
            }
            skipped = None;
            while open.last().is_some_and(|&outer| depth <= outer) {
                open.pop();
            }
            match entry.tag() {
                gimli::DW_TAG_subprogram | gimli::DW_TAG_lexical_block | gimli::DW_TAG_inlined_subroutine => {
                    if !self.holds(unit, entry, at_work) {
                        skipped = Some(depth);
                        continue;
                    }
                    if entry.tag() == gimli::DW_TAG_subprogram {
                        function = Some(at);
                    }
                    open.push(depth);
                }
                gimli::DW_TAG_variable | gimli::DW_TAG_formal_parameter
                    if !open.is_empty() && self.name(at).as_deref() == Some(name) =>
                {
                    found = Some(at);
                }
                _ => {}
            }
        }
        found.zip(function)
    }

    /// A variable of the whole program or file, or one that a function keeps from call to call.
    fn global(&self, unit: usize, name: &str) -> Option<At> {
        let mut cursor = self.units()[unit].entries();
        let last = name.rsplit("::").next().unwrap_or(name);
        while let Ok(Some(entry)) = cursor.next_dfs() {
            let at = At { unit, offset: entry.offset() };
            let is_held = entry.tag() == gimli::DW_TAG_variable
                && matches!(entry.attr_value(gimli::DW_AT_location), Some(AttributeValue::Exprloc(_)));
            if is_held && self.name(at).as_deref() == Some(last) && self.is_at_an_address(unit, entry) {
                return Some(at);
            }
        }
        None
    }

    fn is_at_an_address(&self, unit: usize, entry: &super::dies::Entry) -> bool {
        let Some(AttributeValue::Exprloc(expression)) = entry.attr_value(gimli::DW_AT_location) else {
            return false;
        };
        let encoding = self.units()[unit].encoding();
        let first = expression.operations(encoding).next();
        matches!(first, Ok(Some(gimli::Operation::Address { .. } | gimli::Operation::AddressIndex { .. })))
    }

    fn thing(&self, variable: At, function: Option<At>, scope: &Scope<'_>) -> Result<Thing, String> {
        let type_ = self.type_of(variable);
        if let Some(value) = self.number(variable, gimli::DW_AT_const_value) {
            return Ok(Thing { type_, at: Held::Bytes(value.to_le_bytes().to_vec()) });
        }
        let lost = || "the compiler has not kept it here".to_owned();
        let (unit, location) = self.attribute(variable, gimli::DW_AT_location).ok_or_else(lost)?;
        let expression = self.expression(unit, location, scope).ok_or_else(lost)?;
        let base = function.and_then(|function| self.frame_base(function, scope));
        let at = self.evaluate(unit, expression, base, scope)?;
        Ok(Thing { type_, at })
    }

    /// The expression of a location that counts where the function is at work.
    fn expression(
        &self,
        unit: usize,
        location: AttributeValue<Section>,
        scope: &Scope<'_>,
    ) -> Option<Expression<Section>> {
        if let AttributeValue::Exprloc(expression) = location {
            return Some(expression);
        }
        let at_work = scope.frame.at_work().wrapping_sub(scope.bias);
        let mut list = self.dwarf.attr_locations(self.units().get(unit)?, location).ok()??;
        while let Ok(Some(entry)) = list.next() {
            if (entry.range.begin..entry.range.end).contains(&at_work) {
                return Some(entry.data);
            }
        }
        None
    }

    fn frame_base(&self, function: At, scope: &Scope<'_>) -> Option<u64> {
        let (unit, base) = self.attribute(function, gimli::DW_AT_frame_base)?;
        let expression = self.expression(unit, base, scope)?;
        match self.evaluate(unit, expression, None, scope).ok()? {
            Held::Memory(address) => Some(address),
            Held::Bytes(bytes) => Some(bytes.iter().take(8).rev().fold(0, |w, &b| w << 8 | u64::from(b))),
        }
    }

    fn evaluate(
        &self,
        unit: usize,
        expression: Expression<Section>,
        base: Option<u64>,
        scope: &Scope<'_>,
    ) -> Result<Held, String> {
        let unknown = |_| "its place is told in a way that is not known here".to_owned();
        let lost = || "the registers that it depends on are not known".to_owned();
        let encoding = self.units()[unit].encoding();
        let mut evaluation = expression.evaluation(encoding);
        evaluation.set_max_iterations(MAX_OPERATIONS);
        let mut state = evaluation.evaluate().map_err(unknown)?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value =
                        scope.frame.x.get(usize::from(register.0)).copied().flatten().ok_or_else(lost)?;
                    evaluation.resume_with_register(Value::Generic(value))
                }
                EvaluationResult::RequiresFrameBase => {
                    evaluation.resume_with_frame_base(base.ok_or_else(lost)?)
                }
                EvaluationResult::RequiresCallFrameCfa => {
                    evaluation.resume_with_call_frame_cfa(scope.cfa.ok_or_else(lost)?)
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address.wrapping_add(scope.bias))
                }
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let mut bytes = [0; 8];
                    (scope.read)(address, &mut bytes[..usize::from(size.min(8))])?;
                    evaluation.resume_with_memory(Value::Generic(u64::from_le_bytes(bytes)))
                }
                _ => return Err(lost()),
            }
            .map_err(unknown)?;
        }
        match evaluation.result().into_iter().next().map(|piece| piece.location) {
            Some(Location::Address { address }) => Ok(Held::Memory(address)),
            Some(Location::Register { register }) => {
                let value = scope.frame.x.get(usize::from(register.0)).copied().flatten().ok_or_else(lost)?;
                Ok(Held::Bytes(value.to_le_bytes().to_vec()))
            }
            Some(Location::Value { value }) => {
                let value = value.to_u64(u64::MAX).map_err(unknown)?;
                Ok(Held::Bytes(value.to_le_bytes().to_vec()))
            }
            _ => Err("the compiler has not kept it here".to_owned()),
        }
    }
}
