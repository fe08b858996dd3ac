//! `functions`, `variables` and `line`: what there is in a program by name, and where the code of its lines is.

use super::command::SymbolKind;
use super::execute::Debugger;
use super::expression::Expression;
use super::symbols::Named;
use super::target::Target;
use crate::source::{Lines, Loaded};
use isa::VirtAddr;
use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

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
        if let Some(reason) = self.ended {
            let of_ended = self.line_of_ended_program(named.as_deref());
            return of_ended.ok_or_else(|| format!("the machine has ended: {reason}"));
        }
        let space = self.space_of(&self.now(target));
        let name = |va| self.symbol_at(&space, va);
        if let Some(Named::Line(file, line)) = named.as_deref().map(Named::of) {
            let files = self.files_of(target)?;
            let of = |loaded: &Loaded| {
                let lines = loaded.file.lines()?;
                lines.file(file)?;
                Some(code_of_line(&name, loaded, lines, file, line))
            };
            return files.iter().find_map(of).ok_or_else(|| format!("no file {file} is known"));
        }
        let here = at.is_none().then(|| self.chosen_frame(target)).flatten();
        let (va, space) = match here {
            Some((frame, _)) => (VirtAddr(frame.at_work()), space),
            None => self.locate(target, at)?,
        };
        let name = |va| self.symbol_at(&space, va);
        let unknown = || format!("the line of {} is not known", in_angles(&name, va));
        let loaded = self.loaded_at(&space, va).ok_or_else(unknown)?;
        line_of_code(&name, &loaded, va).ok_or_else(unknown)
    }

    /// The same when all is over: of the program that was looked at last, by its file.
    fn line_of_ended_program(&self, named: Option<&str>) -> Option<String> {
        let file = self.symbols.program(self.last_program.as_deref()?);
        let loaded = Loaded { file: Rc::clone(&file), bias: 0 };
        let name = |va: VirtAddr| file.name_of(va.0);
        match Named::of(named?) {
            Named::Line(source, line) => {
                let lines = file.lines()?;
                lines.file(source)?;
                Some(code_of_line(&name, &loaded, lines, source, line))
            }
            Named::FunctionOf(source, function) => {
                let at = *file.functions_called(function, Some(source)).first()?;
                line_of_code(&name, &loaded, VirtAddr(at))
            }
            Named::Symbol(function) => {
                let at = *file.functions_called(function, None).first()?;
                line_of_code(&name, &loaded, VirtAddr(at))
            }
        }
    }
}

/// The symbol at an address.
type NameAt<'a> = &'a dyn Fn(VirtAddr) -> Option<String>;

/// Of which line the code at an address is, and where that line's code there is.
fn line_of_code(name: NameAt<'_>, loaded: &Loaded, va: VirtAddr) -> Option<String> {
    let lines = loaded.file.lines()?;
    let at = va.0.wrapping_sub(loaded.bias);
    let (source, range) = lines.at(at).zip(lines.line_range(at))?;
    let place = in_angles(name, va);
    Some(format!("{place} is of {source}, whose code there {}\n", span(name, loaded, &range)))
}

fn code_of_line(name: NameAt<'_>, loaded: &Loaded, lines: &Lines, file: &str, line: u32) -> String {
    let Some((found, addresses)) = lines.addresses_of(file, line) else {
        return format!("line {line} of {file} has no code, nor has any behind it\n");
    };
    let mut text = match found == line {
        true => String::new(),
        false => format!("line {line} of {file} has no code; the next that has:\n"),
    };
    for range in addresses.iter().take(PLACES).filter_map(|&at| lines.line_range(at)) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{file}:{found} {}", span(name, loaded, &range));
    }
    text
}

fn span(name: NameAt<'_>, loaded: &Loaded, range: &Range<u64>) -> String {
    let [start, end] =
        [range.start, range.end].map(|at| in_angles(name, VirtAddr(at.wrapping_add(loaded.bias))));
    format!("begins at {start} and ends at {end}")
}

fn in_angles(name: NameAt<'_>, va: VirtAddr) -> String {
    name(va).map_or_else(|| va.to_string(), |name| format!("{va} <{name}>"))
}
