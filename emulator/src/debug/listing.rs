//! `list`, and the source line of a stop: text of source files, where the embedder can give it.

use super::command::{ListEnd, Listing};
use super::execute::Debugger;
use super::expression::Expression;
use super::space::Space;
use super::symbols::Named;
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

    /// The function and the line to show for an address: of functions that the compiler has put into one another the innermost that is not of
    /// a compiler's own library, whose source tells nobody where he is; no line if there is none but that.
    ///
    /// Where a breakpoint has named one of them, it and those around it: what was put into it has not begun.
    pub(super) fn shown_at(&self, space: &Space, va: VirtAddr) -> (Option<String>, Option<SourceLine>) {
        let Some(loaded) = self.loaded_at(space, va) else { return (None, None) };
        let spot = loaded.spot(va);
        let symbol = spot.symbol.as_deref().map(|name| without_offset(name).to_owned());
        let is_shown = |source: &SourceLine| !source.is_of_rusts_library();
        let frames = loaded.inlined(va);
        if frames.is_empty() {
            return (symbol, spot.source.filter(is_shown));
        }
        let left_out = usize::try_from(self.frame).ok().filter(|&level| level < frames.len());
        let frames = frames.into_iter().skip(left_out.unwrap_or(0));
        let mut own = frames.filter(|frame| frame.source.as_ref().is_some_and(is_shown));
        own.next().map_or((symbol.clone(), None), |frame| (frame.function.or(symbol), frame.source))
    }

    /// `sum at segv.c:4: static int sum(…)`, a line for a stop; empty if the source is not known.
    pub(super) fn source_line(&self, space: &Space, va: VirtAddr) -> String {
        let (function, Some(source)) = self.shown_at(space, va) else { return String::new() };
        let function = function.map_or_else(String::new, |name| format!("{name} at "));
        match self.symbols.source_text(&source) {
            Some(text) => format!("{function}{source}: {}\n{}", text.trim(), self.newer(space, &source)),
            None => format!("{function}{source}\n"),
        }
    }

    /// A line about a source of the program of a space that is newer than it; once.
    fn newer(&self, space: &Space, source: &SourceLine) -> String {
        let tap = self.tap.borrow();
        let process = space.process().and_then(|pid| tap.trace().guest.process(pid));
        process.map_or_else(String::new, |process| self.symbols.newer_source(&process.program, source))
    }

    /// `list`.
    pub(super) fn list(&mut self, target: &dyn Target, what: Listing) -> Result<String, String> {
        let around =
            |source: SourceLine| SourceLine { line: source.line.saturating_sub(SHOWN / 2).max(1), ..source };
        let mut shown = SHOWN;
        let from = match (what, self.listed.clone()) {
            (Listing::On, Some(listed)) => listed.next,
            (Listing::Back, Some(listed)) if listed.first == 1 => {
                return Err(format!("{} begins here", listed.next.file));
            }
            (Listing::Back, Some(listed)) => {
                SourceLine { line: listed.first.saturating_sub(SHOWN).max(1), ..listed.next }
            }
            (Listing::On | Listing::Back, None) => around(self.source_of(target, None)?),
            (Listing::By(lines), listed) => {
                let of = listed.map_or_else(|| self.source_of(target, None), |listed| Ok(listed.next))?;
                let line = i64::from(of.line).saturating_add(lines).max(1);
                around(SourceLine { line: u32::try_from(line).unwrap_or(u32::MAX), ..of })
            }
            (Listing::Line(line), Some(listed)) => around(SourceLine { line, ..listed.next }),
            (Listing::Line(line), None) => around(SourceLine { line, ..self.source_of(target, None)? }),
            (Listing::Lines(first, last), listed) => {
                shown = (last - first).saturating_add(1);
                let of = listed.map_or_else(|| self.source_of(target, None), |listed| Ok(listed.next))?;
                SourceLine { line: first.max(1), ..of }
            }
            (Listing::File, _) => return self.name_of_file(target),
            (Listing::Range(first, last), _) => {
                let from = first.map(|at| self.line_of_place(target, &at)).transpose()?;
                let end = match last {
                    Some(ListEnd::Place(at)) => Some(self.line_of_end(target, &at, from.as_ref())?),
                    Some(ListEnd::Behind(lines)) => {
                        from.clone().map(|from| SourceLine { line: from.line.saturating_add(lines), ..from })
                    }
                    None => None,
                };
                match (from, end) {
                    (Some(from), Some(end)) if from.path() != end.path() => {
                        return Err(format!("{from} and {end} are of different files"));
                    }
                    (Some(from), Some(end)) if from.line > end.line => {
                        return Err(format!(
                            "it ends at line {} before it begins at {}",
                            end.line, from.line
                        ));
                    }
                    (Some(from), end) => {
                        shown = end.map_or(SHOWN, |end| (end.line - from.line).saturating_add(1));
                        from
                    }
                    (None, Some(end)) => {
                        let first = end.line.saturating_sub(SHOWN - 1).max(1);
                        shown = end.line - first + 1;
                        SourceLine { line: first, ..end }
                    }
                    (None, None) => return Err("a place is missing".to_owned()),
                }
            }
            (Listing::Place(at), _) => around(match self.line_of_file(target, &at) {
                Some(line) => line,
                None => self.source_of(target, Some(at))?,
            }),
        };
        let text = self.list_from(from.clone(), shown)?;
        Ok(text + &self.newer(&self.space_of(&self.now(target)), &from))
    }

    /// The line of a place: a number is one of the file that is listed or looked at.
    fn line_of_place(&mut self, target: &dyn Target, at: &Expression) -> Result<SourceLine, String> {
        if let Ok(line) = at.text().parse::<u32>() {
            let listed = self.listed.clone().map(|listed| Ok(listed.next));
            let of = listed.unwrap_or_else(|| self.source_of(target, None))?;
            return Ok(SourceLine { line: line.max(1), ..of });
        }
        match self.line_of_file(target, at) {
            Some(line) => Ok(line),
            None => self.source_of(target, Some(at.clone())),
        }
    }

    /// The same, of what a listing ends with: a number is a line of the file that it begins in.
    fn line_of_end(
        &mut self,
        target: &dyn Target,
        at: &Expression,
        from: Option<&SourceLine>,
    ) -> Result<SourceLine, String> {
        match (at.text().parse::<u32>(), from) {
            (Ok(line), Some(from)) => Ok(SourceLine { line, ..from.clone() }),
            _ => self.line_of_place(target, at),
        }
    }

    /// The file that is listed or looked at.
    fn name_of_file(&mut self, target: &dyn Target) -> Result<String, String> {
        let listed = self.listed.clone().map(|listed| Ok(listed.next));
        let of = listed.unwrap_or_else(|| self.source_of(target, None))?;
        let lines = self.symbols.source_lines(&of);
        let lines = lines.map_or_else(
            || "it is not to be found here".to_owned(),
            |lines| format!("it has {} lines", lines.len()),
        );
        Ok(format!("{}, compiled in {}: {lines}\n", of.file, of.folder))
    }

    /// The line that `FILE:LINE` names, whether it has code or not, if the program that is looked at is made of that file.
    fn line_of_file(&self, target: &dyn Target, at: &Expression) -> Option<SourceLine> {
        let (name, 0) = at.location()? else { return None };
        let Named::Line(file, line) = Named::of(&name) else { return None };
        let now = self.now(target);
        let loaded = self.loaded_at(&self.space_of(&now), now.pc)?;
        Some(SourceLine { line: line.max(1), ..loaded.file.lines()?.file(file)? })
    }

    /// The line of the source at a place, or where the function that is looked at is at work; before a program has come to its source that of
    /// its `main`.
    fn source_of(&mut self, target: &dyn Target, at: Option<Expression>) -> Result<SourceLine, String> {
        if let Some(reason) = self.ended.filter(|reason| !reason.leaves_all()) {
            return self.line_of_ended(at.as_ref()).ok_or_else(|| match at {
                Some(at) => format!(
                    "the machine has ended ({reason}), and `{}` is no function or line of its program: `list` goes on in it",
                    at.text()
                ),
                None => format!("the machine has ended: {reason}"),
            });
        }
        let is_here = at.is_none();
        if is_here
            && self.check_page_table().is_err()
            && let Some(line) = self.line_of_ended(None)
        {
            return Ok(line);
        }
        let (va, space) = self.locate(target, at)?;
        let main = || {
            // The program's, also where its loader is at work.
            let of_program = || {
                let tap = self.tap.borrow();
                let guest = &tap.trace().guest;
                Some(self.symbols.loaded(guest, guest.process(space.process()?)?)?.file)
            };
            let file = of_program().or_else(|| Some(self.loaded_at(&space, va)?.file))?;
            let main = file.functions_called("main", None).first().copied()?;
            file.lines()?.at(main)
        };
        let found = match is_here {
            true => self.source_at_work(target).or_else(main),
            false => self.source_at(&space, va),
        };
        found.ok_or_else(|| {
            let place = self.symbol_at(&space, va).unwrap_or_else(|| va.to_string());
            format!("the line of {place} is not known (is the program compiled with -g?)")
        })
    }

    /// The line of a place, as the file of the program tells it that was looked at last; without one that of its `main`.
    fn line_of_ended(&self, at: Option<&Expression>) -> Option<SourceLine> {
        let name = at.map_or_else(|| Some(("main".to_owned(), 0)), Expression::location)?.0;
        let file = self.symbols.program(self.last_program.as_deref()?);
        let lines = file.lines()?;
        let function = |name, of| lines.at(*file.functions_called(name, of).first()?);
        match Named::of(&name) {
            Named::Line(of, line) => Some(SourceLine { line: line.max(1), ..lines.file(of)? }),
            Named::FunctionOf(of, name) => function(name, Some(of)),
            Named::Symbol(name) => function(name, None),
        }
    }

    /// The file that is listed, or looked at, by the name that the compiler was given.
    pub(super) fn current_file(&mut self, target: &dyn Target) -> Option<String> {
        let of = self.listed.clone().map(|listed| listed.next);
        let of = of.or_else(|| self.source_of(target, None).ok())?;
        Some(of.file.to_string())
    }

    fn list_from(&mut self, from: SourceLine, shown: u32) -> Result<String, String> {
        let lines = self.symbols.source_lines(&from).ok_or_else(|| {
            format!(
                "the source file {} is not to be found here (the program was compiled in {})",
                from.file, from.folder
            )
        })?;
        let end = from.line.saturating_add(shown);
        let mut text = String::new();
        for (number, line) in (1..).zip(lines.iter()).filter(|(number, _)| (from.line..end).contains(number))
        {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{number:<6}{line}");
        }
        if text.is_empty() {
            return Err(format!(
                "{} ends before line {}: it has {} lines",
                from.file,
                from.line,
                lines.len()
            ));
        }
        let end = end.min(u32::try_from(lines.len()).unwrap_or(u32::MAX).saturating_add(1));
        self.listed = Some(Listed { first: from.line, next: SourceLine { line: end, ..from } });
        Ok(text)
    }
}
