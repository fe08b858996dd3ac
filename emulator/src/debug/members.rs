//! The members of a structure, where the Tab key asks for them: by the types of what the function looked at sees, and of the variables of
//! whole programs. What pointers hold is no matter, since only types are asked for.

use super::command::meant;
use super::execute::Debugger;
use super::expression::{self, Expression, Names};
use super::points::What;
use super::symbols::Named;
use super::target::Target;
use crate::source::{Frame, Lines, Loaded, ProgramFile, Scope, Type, Value, Variables, Whose};
use core::ops::Range;
use isa::VirtAddr;
use std::rc::Rc;

/// Somewhere: nothing is read there.
const SOMEWHERE: u64 = 0x1000;

/// Types alone.
struct Types {
    seen: Vec<(String, Type)>,
    files: Vec<Rc<ProgramFile>>,
}

impl Types {
    fn of_files<T>(&self, find: impl Fn(&Lines) -> Option<T>) -> Option<T> {
        self.files.iter().find_map(|file| find(file.lines()?))
    }
}

impl Names for Types {
    fn named(&self, name: &str) -> Result<Value, String> {
        let own = || self.seen.iter().find(|(seen, _)| seen == name).map(|(_, type_)| type_.clone());
        // Whosever it is: `2:first`, `FILE:first`.
        let name = name.rsplit_once(':').filter(|(of, _)| !of.ends_with(':')).map_or(name, |(_, name)| name);
        let of_program =
            || self.of_files(|lines| lines.global_type(name).or_else(|| lines.declared_type(name)));
        let type_ = own().or_else(of_program).ok_or_else(|| format!("there is no `{name}`"))?;
        Ok(Value::place(type_, SOMEWHERE, None))
    }
    fn register(&self, _: &str) -> Result<Value, String> {
        Ok(Value::register(0))
    }
    fn type_named(&self, name: &str) -> Option<Type> {
        self.of_files(|lines| lines.type_named(name))
    }
    fn symbol_at(&self, _: u64, _: Whose) -> Option<Range<u64>> {
        None
    }
    fn read(&self, _: Whose, _: u64, into: &mut [u8]) -> Result<(), String> {
        into.fill(0);
        Ok(())
    }
}

/// What a function sees, with the types.
fn seen_in(loaded: &Loaded, frame: &Frame, level: usize) -> Vec<(String, Type)> {
    let Some(lines) = loaded.file.lines() else { return Vec::new() };
    let scope = Scope {
        frame: Some(frame),
        level,
        thread_pointer: None,
        thread_block: None,
        loaded,
        read: &|_, _, into: &mut [u8]| {
            into.fill(0);
            Ok(())
        },
        whose: None,
    };
    let both = [Variables::Locals, Variables::Arguments].into_iter();
    let all = both.flat_map(|which| lines.variables(which, &scope));
    all.map(|(name, value)| (name, value.type_)).collect()
}

/// What is seen at a place by its name, where it lies in its file.
fn seen_at(files: &[Rc<ProgramFile>], place: &str) -> Vec<(String, Type)> {
    let at = |file: &Rc<ProgramFile>| {
        let at = match Named::of(place) {
            Named::Line(source, line) => file.stops_at_line(source, line).first().copied(),
            Named::FunctionOf(source, name) => file.functions_called(name, Some(source)).first().copied(),
            Named::Symbol(name) => file.functions_called(name, None).first().copied(),
        };
        let at = at.map(|at| file.body_of(at).unwrap_or(at))?;
        Some(seen_in(&Loaded { file: Rc::clone(file), bias: 0 }, &Frame::somewhere(at), 0))
    };
    files.iter().find_map(at).unwrap_or_default()
}

/// The operand that a text ends with: `p->next[i]` of `1 + p->next[i]`.
fn operand_before(text: &str) -> &str {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (bytes.len(), 0);
    while at > 0 {
        let len = match bytes[at - 1] {
            b']' | b')' => {
                depth += 1;
                1
            }
            b'[' | b'(' if depth == 0 => break,
            b'[' | b'(' => {
                depth -= 1;
                1
            }
            _ if depth > 0 => 1,
            b'>' if text[..at].ends_with("->") => 2,
            b'.' | b'_' | b'$' | b':' => 1,
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => 1,
            _ => break,
        };
        at -= len;
    }
    &text[at..]
}

impl Debugger {
    /// Takes in which function is looked at, for [`Self::complete`], which is asked while nobody can look at the machine. What that sees is
    /// worked out when it is asked: to read all of a program's types takes its time.
    pub fn note_function(&mut self, target: &dyn Target) {
        let is_there = self.check_lasts().and(self.check_page_table()).is_ok();
        let frame = self.chosen_frame(target).filter(|_| is_there);
        self.seen = frame.and_then(|(frame, level)| {
            let space = self.space_of(&self.now(target));
            Some((self.loaded_at(&space, VirtAddr(frame.at_work()))?, frame, level))
        });
    }

    /// What that function sees.
    fn seen(&self) -> Vec<(String, Type)> {
        self.seen.as_ref().map_or_else(Vec::new, |(loaded, frame, level)| seen_in(loaded, frame, *level))
    }

    /// The place of the breakpoint whose condition a line ends with.
    fn place_of_condition(&self, line: &str) -> Option<String> {
        let mut words = line.split_whitespace();
        let entry = meant(words.next()?).ok()?;
        match entry.names[0] {
            "break" | "tbreak" => {
                let place = words.next()?;
                words.any(|word| word == "if").then(|| place.to_owned())
            }
            "condition" => match &self.points.get(words.next()?.parse().ok()?)?.what {
                What::Break(breakpoint) => Some(breakpoint.text.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The members that a line may mean by its last word, and where that begins, if a structure stands in front of it.
    pub(super) fn members_beginning(&self, line: &str) -> Option<(usize, Vec<String>)> {
        let before = line.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        let (of, is_pointer) = match before.strip_suffix("->") {
            Some(of) => (of, true),
            None => (before.strip_suffix('.')?, false),
        };
        let of = Expression::parse(operand_before(of)).ok()?;
        let files: Vec<_> = self.programs().iter().map(|path| self.symbols.program(path)).collect();
        // A condition is about the function where it is to stop.
        let mut seen = self.place_of_condition(line).map_or_else(Vec::new, |at| seen_at(&files, &at));
        seen.extend(self.seen());
        let types = Types { seen, files };
        let read = &|whose, address, into: &mut [u8]| types.read(whose, address, into);
        let value = expression::value(of.node(), &types).and_then(|value| value.referred(read)).ok()?;
        if value.is_pointer() != is_pointer {
            return None;
        }
        let structure = if is_pointer { value.behind(read).ok()? } else { value };
        let mut names = structure.member_names();
        names.retain(|name| name.starts_with(&line[before.len()..]));
        names.sort_unstable();
        names.dedup();
        Some((before.len(), names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operand_is_found_before_its_member() {
        for (text, operand) in [
            ("p first", "first"),
            ("p 1+first", "first"),
            ("p p->next", "p->next"),
            ("p p->next[i + 1].x", "p->next[i + 1].x"),
            ("p (*list)", "(*list)"),
            ("p f(a", "a"),
            ("p a>b", "b"),
            ("p lines.c:first", "lines.c:first"),
            ("p *", ""),
            ("", ""),
        ] {
            assert_eq!(operand_before(text), operand, "{text}");
        }
    }
}
