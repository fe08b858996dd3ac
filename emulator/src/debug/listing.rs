//! `list`, and the source line of a stop: text of source files, where the embedder can give it.

use super::execute::Debugger;
use super::space::Space;
use crate::source::{Lines, SourceLine};
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
        let symbol = spot.symbol.as_deref().and_then(|name| name.split('+').next()).map(str::to_owned);
        let function = inlined.or(symbol).map_or_else(String::new, |name| format!("{name} at "));
        match self.symbols.source_text(&source) {
            Some(text) => format!("{function}{source}: {}\n", text.trim()),
            None => format!("{function}{source}\n"),
        }
    }

    /// `list`: the lines around a place, or those behind what was listed last.
    pub(super) fn list_around(&mut self, at: &SourceLine) -> Result<String, String> {
        let first = at.line.saturating_sub(SHOWN / 2).max(1);
        self.list(SourceLine { line: first, ..at.clone() })
    }

    /// `list` once more: the next lines.
    pub(super) fn list_on(&mut self) -> Option<Result<String, String>> {
        let next = self.listed.as_ref()?.next.clone();
        Some(self.list(next))
    }

    /// `list -`: the lines before those that were listed last.
    pub(super) fn list_back(&mut self) -> Result<String, String> {
        let listed = self.listed.clone().ok_or("nothing has been listed yet")?;
        if listed.first == 1 {
            return Err(format!("{} begins here", listed.next.file));
        }
        self.list(SourceLine { line: listed.first.saturating_sub(SHOWN).max(1), ..listed.next })
    }

    fn list(&mut self, from: SourceLine) -> Result<String, String> {
        let lines = self.symbols.source_lines(&from).ok_or_else(|| {
            format!("the source file {} is not to be found here (the program was compiled in {})", from.file, from.folder)
        })?;
        let end = from.line.saturating_add(SHOWN);
        let mut text = String::new();
        for (number, line) in (1..).zip(lines.iter()).filter(|(number, _)| (from.line..end).contains(number)) {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{number:<6}{line}");
        }
        if text.is_empty() {
            return Err(format!("{} has {} lines", from.file, lines.len()));
        }
        self.listed = Some(Listed { first: from.line, next: SourceLine { line: end, ..from } });
        Ok(text)
    }

    /// The source lines of the program or the kernel that is looked at.
    pub(super) fn with_lines<R>(&self, space: &Space, va: VirtAddr, look: impl FnOnce(&Lines) -> R) -> Option<R> {
        Some(look(self.loaded_at(space, va)?.file.lines()?))
    }
}
