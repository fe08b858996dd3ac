//! `functions`, `variables` and `line`: what there is in a program by name, and where the code of its lines is.

use super::command::SymbolKind;
use super::execute::Debugger;
use super::expression::Expression;
use super::space::Space;
use super::symbols::Named;
use super::target::Target;
use crate::source::{Lines, Loaded};
use isa::VirtAddr;
use std::fmt::Write;
use std::ops::Range;

/// Names that are listed at most.
const SHOWN: usize = 100;
/// Places of a line that are told at most.
const PLACES: usize = 20;

impl Debugger {
    /// `functions`, `variables`: by their names, those that have `word` in them; without one those that the debug information tells of.
    pub(super) fn list_symbols(
        &mut self,
        target: &dyn Target,
        kind: SymbolKind,
        word: &str,
    ) -> Result<String, String> {
        let files = self.files_of(target)?;
        let program = files.first().map(|loaded| loaded.file.path().to_owned()).unwrap_or_default();
        let mut found = Vec::new();
        for Loaded { file, bias } in &files {
            for (name, at) in file.symbols().called_like(word, kind == SymbolKind::Functions) {
                let told = match (file.lines(), kind) {
                    (None, _) => None,
                    (Some(lines), SymbolKind::Functions) => {
                        lines.at(at).map(|source| format!(" at {source}"))
                    }
                    (Some(lines), SymbolKind::Variables) => {
                        lines.global_type(name).map(|type_| format!("  ({type_})"))
                    }
                };
                if told.is_none() && word.is_empty() {
                    continue;
                }
                let of = if file.path() == program { String::new() } else { format!(" of {}", file.path()) };
                let told = told.unwrap_or_default();
                found.push((
                    name.to_owned(),
                    format!("{}  {name}{told}{of}", VirtAddr(at.wrapping_add(*bias))),
                ));
            }
        }
        found.sort();
        let what = match kind {
            SymbolKind::Functions => "function",
            SymbolKind::Variables => "variable",
        };
        let Some(more) = found.len().checked_sub(1) else {
            return Err(match word {
                "" => {
                    format!("no {what} of {program} is known by its debug information: give a part of a name")
                }
                word => format!("no {what} has `{word}` in its name"),
            });
        };
        let mut text: String = found.iter().take(SHOWN).map(|(_, line)| format!("{line}\n")).collect();
        if more >= SHOWN {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "and {} more: give more of the name", found.len() - SHOWN);
        }
        Ok(text)
    }

    /// The files of which the process that is looked at has code; before there is one the program that will run first.
    fn files_of(&self, target: &dyn Target) -> Result<Vec<Loaded>, String> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let process = self.process_or_current(target, None).ok().and_then(|pid| guest.process(pid));
        let files = process.map(|process| self.symbols.all_loaded(guest, process)).unwrap_or_default();
        if !files.is_empty() {
            return Ok(files);
        }
        let path = self.last_program.as_deref().ok_or("no process runs whose names there are")?;
        Ok(vec![Loaded { file: self.symbols.program(path), bias: 0 }])
    }

    /// `line`: where the code of a line is, or of which line an address is.
    pub(super) fn line(&mut self, target: &dyn Target, at: Option<Expression>) -> Result<String, String> {
        let alone = at.as_ref().and_then(|at| self.line_alone(target, at));
        let named = alone.or_else(|| at.as_ref()?.location().map(|(name, _)| name));
        let space = self.space_of(&self.now(target));
        if let Some(Named::Line(file, line)) = named.as_deref().map(Named::of) {
            let files = self.files_of(target)?;
            let of = |loaded: &Loaded| {
                let lines = loaded.file.lines()?;
                lines.file(file)?;
                Some(self.code_of_line(&space, loaded, lines, file, line))
            };
            return files.iter().find_map(of).ok_or_else(|| format!("no file {file} is known"));
        }
        let here = at.is_none().then(|| self.chosen_frame(target)).flatten();
        let (va, space) = match here {
            Some((frame, _)) => (VirtAddr(frame.at_work()), space),
            None => self.locate(target, at)?,
        };
        let place = self.in_angles(&space, va);
        let unknown = || format!("the line of {place} is not known");
        let loaded = self.loaded_at(&space, va).ok_or_else(unknown)?;
        let lines = loaded.file.lines().ok_or_else(unknown)?;
        let at = va.0.wrapping_sub(loaded.bias);
        let (source, range) = lines.at(at).zip(lines.line_range(at)).ok_or_else(unknown)?;
        Ok(format!("{place} is of {source}, whose code there {}\n", self.span(&space, &loaded, &range)))
    }

    fn code_of_line(&self, space: &Space, loaded: &Loaded, lines: &Lines, file: &str, line: u32) -> String {
        let Some((found, addresses)) = lines.addresses_of(file, line) else {
            return format!("line {line} of {file} has no code, nor has any behind it\n");
        };
        let mut text = match found == line {
            true => String::new(),
            false => format!("line {line} of {file} has no code; the next that has:\n"),
        };
        for range in addresses.iter().take(PLACES).filter_map(|&at| lines.line_range(at)) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{file}:{found} {}", self.span(space, loaded, &range));
        }
        text
    }

    fn span(&self, space: &Space, loaded: &Loaded, range: &Range<u64>) -> String {
        let [start, end] =
            [range.start, range.end].map(|at| self.in_angles(space, VirtAddr(at.wrapping_add(loaded.bias))));
        format!("begins at {start} and ends at {end}")
    }

    fn in_angles(&self, space: &Space, va: VirtAddr) -> String {
        self.symbol_at(space, va).map_or_else(|| va.to_string(), |name| format!("{va} <{name}>"))
    }
}
