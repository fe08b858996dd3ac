//! `list`, and the source line of a stop: text of source files, where the embedder can give it.

use super::command::Listing;
use super::execute::Debugger;
use super::expression::Expression;
use super::space::Space;
use super::target::Target;
use crate::source::{SourceLine, without_offset};
use isa::VirtAddr;
use std::fmt::Write;

/// Lines that `list` shows at a time.
const SHOWN: u32 = 10;

/// What `list` showed last.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// The file, and the line behind the last one.
    next: SourceLine,
    /// The first line.
    first: u32,
}

impl Debugger {
    /// The line of the source at an address.
    pub(super) fn source_at(&self, space: &Space, va: VirtAddr) -> Option<SourceLine> {
        self.loaded_at(space, va)?.spot(va).source
    }

    /// `sum at segv.c:4: static int sum(…)`, a line for a stop; empty if the source is not known.
    pub(super) fn source_line(&self, space: &Space, va: VirtAddr) -> String {
        let Some(loaded) = self.loaded_at(space, va) else { return String::new() };
        let spot = loaded.spot(va);
        let Some(source) = spot.source else { return String::new() };
        let inlined = loaded.inlined(va).into_iter().next().and_then(|frame| frame.function);
        let symbol = spot.symbol.as_deref().map(|name| without_offset(name).to_owned());
        let function = inlined.or(symbol).map_or_else(String::new, |name| format!("{name} at "));
        match self.symbols.source_text(&source) {
            Some(text) => format!("{function}{source}: {}\n", text.trim()),
            None => format!("{function}{source}\n"),
        }
    }

    /// `list`.
    pub(super) fn list(&mut self, target: &dyn Target, what: Listing) -> Result<String, String> {
        let around =
            |source: SourceLine| SourceLine { line: source.line.saturating_sub(SHOWN / 2).max(1), ..source };
        let from = match (what, self.listed.clone()) {
            (Listing::On, Some(listed)) => listed.next,
            (Listing::Back, Some(listed)) if listed.first == 1 => {
                return Err(format!("{} begins here", listed.next.file));
            }
            (Listing::Back, Some(listed)) => {
                SourceLine { line: listed.first.saturating_sub(SHOWN).max(1), ..listed.next }
            }
            (Listing::On | Listing::Back, None) => around(self.source_of(target, None)?),
            (Listing::Line(line), Some(listed)) => around(SourceLine { line, ..listed.next }),
            (Listing::Line(line), None) => around(SourceLine { line, ..self.source_of(target, None)? }),
            (Listing::Place(at), _) => around(self.source_of(target, Some(at))?),
        };
        self.list_from(from)
    }

    /// The line of the source at a place, or at the instruction that the machine is at.
    fn source_of(&mut self, target: &dyn Target, at: Option<Expression>) -> Result<SourceLine, String> {
        let (va, space) = self.locate(target, at)?;
        self.source_at(&space, va).ok_or_else(|| {
            let place = self.symbol_at(&space, va).unwrap_or_else(|| va.to_string());
            format!("the line of {place} is not known (is the program compiled with -g?)")
        })
    }

    fn list_from(&mut self, from: SourceLine) -> Result<String, String> {
        let lines = self.symbols.source_lines(&from).ok_or_else(|| {
            format!(
                "the source file {} is not to be found here (the program was compiled in {})",
                from.file, from.folder
            )
        })?;
        let end = from.line.saturating_add(SHOWN);
        let mut text = String::new();
        for (number, line) in (1..).zip(lines.iter()).filter(|(number, _)| (from.line..end).contains(number))
        {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{number:<6}{line}");
        }
        if text.is_empty() {
            return Err(format!("{} has {} lines", from.file, lines.len()));
        }
        self.listed = Some(Listed { first: from.line, next: SourceLine { line: end, ..from } });
        Ok(text)
    }
}
