//! The entries of the debug information: units, and what refers to what.

use super::Section;
use super::index::Index;
use gimli::{
    AttributeValue, DebugInfoOffset, DwAt, DwTag, Dwarf, Expression, Unit, UnitOffset, UnitSectionOffset,
};
use std::cell::OnceCell;
use std::rc::Rc;

/// An entry of a unit.
pub(super) type Entry = gimli::DebuggingInformationEntry<Section>;

/// Longest way from an entry to the one that it is an instance of.
const MAX_ORIGINS: usize = 8;

/// Where an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    pub(super) unit: usize,
    pub(super) offset: UnitOffset,
}

/// The expression that an attribute is; before DWARF 4 it is a block of bytes.
pub(super) fn expression(value: AttributeValue<Section>) -> Option<Expression<Section>> {
    match value {
        AttributeValue::Exprloc(expression) => Some(expression),
        AttributeValue::Block(bytes) => Some(Expression(bytes)),
        _ => None,
    }
}

/// How names and values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    C,
    Cpp,
    Rust,
}

/// All entries of a file.
pub struct Dies {
    pub(super) dwarf: Rc<Dwarf<Section>>,
    units: OnceCell<Vec<Unit<Section>>>,
    index: OnceCell<Index>,
}

impl Dies {
    pub(super) fn new(dwarf: Rc<Dwarf<Section>>) -> Self {
        Self { dwarf, units: OnceCell::new(), index: OnceCell::new() }
    }

    /// The units; those that are malformed are left out.
    pub(super) fn units(&self) -> &[Unit<Section>] {
        self.units.get_or_init(|| {
            let (mut units, mut headers) = (Vec::new(), self.dwarf.units());
            while let Ok(Some(header)) = headers.next() {
                units.extend(self.dwarf.unit(header).ok());
            }
            units
        })
    }

    /// What is found by name or by address.
    pub(super) fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(self))
    }

    pub(super) fn entry(&self, at: At) -> Option<Entry> {
        self.units().get(at.unit)?.entry(at.offset).ok()
    }

    /// The entry that an attribute refers to.
    pub(super) fn referred(&self, unit: usize, value: AttributeValue<Section>) -> Option<At> {
        match value {
            AttributeValue::UnitRef(offset) => Some(At { unit, offset }),
            AttributeValue::DebugInfoRef(offset) => self.at(offset),
            _ => None,
        }
    }

    /// The entry at an offset of the section.
    pub(super) fn at(&self, offset: DebugInfoOffset) -> Option<At> {
        let units = self.units().iter().enumerate();
        let offset_in = |unit: &Unit<Section>| UnitSectionOffset(offset.0).to_unit_offset(unit);
        units.filter_map(|(unit, of)| Some(At { unit, offset: offset_in(of)? })).next()
    }

    /// An attribute of an entry, or of the entry that it is an instance or a part of.
    pub(super) fn attribute(&self, at: At, name: DwAt) -> Option<(usize, AttributeValue<Section>)> {
        let mut at = at;
        for _ in 0..MAX_ORIGINS {
            let entry = self.entry(at)?;
            if let Some(value) = entry.attr_value(name) {
                return Some((at.unit, value));
            }
            let origin = entry.attr_value(gimli::DW_AT_abstract_origin);
            at = self.referred(at.unit, origin.or_else(|| entry.attr_value(gimli::DW_AT_specification))?)?;
        }
        None
    }

    /// The entry that one is an instance of.
    pub(super) fn origin(&self, at: At) -> Option<At> {
        let value = self.entry(at)?.attr_value(gimli::DW_AT_abstract_origin)?;
        self.referred(at.unit, value)
    }

    /// An address that an entry has.
    pub(super) fn address(&self, at: At, name: DwAt) -> Option<u64> {
        let (unit, value) = self.attribute(at, name)?;
        self.dwarf.attr_address(self.units().get(unit)?, value).ok()?
    }

    pub(super) fn name(&self, at: At) -> Option<String> {
        let (unit, value) = self.attribute(at, gimli::DW_AT_name)?;
        self.text(unit, value)
    }

    pub(super) fn text(&self, unit: usize, value: AttributeValue<Section>) -> Option<String> {
        use gimli::Reader;
        let text = self.dwarf.attr_string(self.units().get(unit)?, value).ok()?;
        Some(text.to_string_lossy().ok()?.into_owned())
    }

    /// The type of an entry; `None` for `void`.
    pub(super) fn type_of(&self, at: At) -> Option<At> {
        let (unit, value) = self.attribute(at, gimli::DW_AT_type)?;
        self.referred(unit, value)
    }

    /// A number that an entry has.
    pub(super) fn number(&self, at: At, name: DwAt) -> Option<u64> {
        match self.attribute(at, name)?.1 {
            AttributeValue::Sdata(value) => Some(value.cast_unsigned()),
            value => value.udata_value(),
        }
    }

    pub(super) fn tag(&self, at: At) -> Option<DwTag> {
        self.entry(at).map(|entry| entry.tag())
    }

    pub(super) fn is_flag(&self, at: At, name: DwAt) -> bool {
        matches!(self.attribute(at, name), Some((_, AttributeValue::Flag(true))))
    }

    /// The language that a unit is written in.
    pub(super) fn language(&self, unit: usize) -> Language {
        let language = self.units().get(unit).and_then(|unit| {
            let mut entries = unit.entries();
            entries.next_dfs().ok()??.attr_value(gimli::DW_AT_language)
        });
        match language {
            Some(AttributeValue::Language(gimli::DW_LANG_Rust)) => Language::Rust,
            Some(AttributeValue::Language(
                gimli::DW_LANG_C_plus_plus
                | gimli::DW_LANG_C_plus_plus_03
                | gimli::DW_LANG_C_plus_plus_11
                | gimli::DW_LANG_C_plus_plus_14
                | gimli::DW_LANG_C_plus_plus_17
                | gimli::DW_LANG_C_plus_plus_20,
            )) => Language::Cpp,
            _ => Language::C,
        }
    }

    /// Why nothing is told of the variables of the code at an address, if the compiler was asked to leave them out or to put them elsewhere.
    pub(super) fn why_untold(&self, address: u64) -> Option<&'static str> {
        let holds = |of: &&Unit<Section>| {
            let Ok(mut ranges) = self.dwarf.unit_ranges(of) else { return false };
            std::iter::from_fn(|| ranges.next().ok().flatten())
                .any(|range| (range.begin..range.end).contains(&address))
        };
        let of = self.units().iter().find(holds)?;
        let mut entries = of.entries();
        let entry = entries.next_dfs().ok()??;
        let is_split = [gimli::DW_AT_dwo_name, gimli::DW_AT_GNU_dwo_name];
        if is_split.iter().any(|&name| entry.attr_value(name).is_some()) {
            return Some(
                "it is compiled with -gsplit-dwarf: its .dwo is not read; without -gsplit-dwarf they are known",
            );
        }
        use gimli::Reader;
        let producer = self.dwarf.attr_string(of, entry.attr_value(gimli::DW_AT_producer)?).ok()?;
        let producer = producer.to_string_lossy().ok()?;
        let is_lines_alone = producer.split(' ').any(|word| word == "-g1");
        is_lines_alone.then_some("it is compiled with -g1, which tells lines alone; with -g they are known")
    }

    /// The entries right below one.
    pub(super) fn children(&self, at: At) -> Vec<At> {
        let Some(unit) = self.units().get(at.unit) else { return Vec::new() };
        let Ok(mut cursor) = unit.entries_at_offset(at.offset) else { return Vec::new() };
        let mut children = Vec::new();
        if !matches!(cursor.next_dfs(), Ok(Some(_))) {
            return children;
        }
        while let Ok(Some(entry)) = cursor.next_dfs() {
            if entry.depth() <= 0 {
                break;
            }
            if entry.depth() == 1 {
                children.push(At { unit: at.unit, offset: entry.offset() });
            }
        }
        children
    }

    /// Whether an entry's code holds an address.
    pub(super) fn holds(&self, unit: usize, entry: &Entry, address: u64) -> bool {
        let Some(of) = self.units().get(unit) else { return false };
        let Ok(mut ranges) = self.dwarf.die_ranges(of, entry) else { return false };
        while let Ok(Some(range)) = ranges.next() {
            if (range.begin..range.end).contains(&address) {
                return true;
            }
        }
        false
    }
}
