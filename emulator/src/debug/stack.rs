//! `bt`, `frame`, `up` and `down`: who has called whom, in the program or the kernel that is looked at, and which of them is.

use super::command::FrameChoice;
use super::execute::Debugger;
use super::peek::{self, View};
use super::points::Scene;
use super::print;
use super::space::{Space, loaded_at};
use super::target::Target;
use super::vantage::{Vantage, innermost};
use crate::source::{Callers, Frame, Loaded, SourceLine, StackFrame, Value, Variables, stack};
use isa::VirtAddr;
use std::fmt::Write;

/// Lines that `bt` shows, if it is not told how many.
pub(super) const SHOWN: u64 = 32;

impl Debugger {
    /// The file whose code or data is at an address, and what is added to its addresses.
    pub(super) fn loaded_at(&self, space: &Space, va: VirtAddr) -> Option<Loaded> {
        loaded_at(&self.symbols, &self.tap.borrow().trace().guest, space, va)
    }

    /// The frame that is looked at, and how many of the functions that were put into it there are left out: the innermost, if no
    /// other was chosen.
    pub(super) fn chosen_frame(&self, target: &dyn Target) -> Option<(Frame, usize)> {
        self.numbered_frame(target, self.frame)
    }

    fn numbered_frame(&self, target: &dyn Target, number: u64) -> Option<(Frame, usize)> {
        let now = self.now(target);
        if number == 0 {
            return Some((innermost(&now), 0));
        }
        let space = self.space_of(&now);
        let read = |at| self.read_word(target, &space, at);
        Callers::of(innermost(&now), &|va| self.loaded_at(&space, va), &read).numbered(number)
    }

    /// The name of the function that is looked at.
    pub(super) fn chosen_function(&self, target: &dyn Target) -> Option<String> {
        let (frame, _) = self.chosen_frame(target)?;
        let space = self.space_of(&self.now(target));
        function_of(&self.loaded_at(&space, VirtAddr(frame.at_work()))?, &frame)
    }

    /// The innermost frame of a function of this name, where something might stop.
    pub(super) fn innermost_of(&self, target: &dyn Target, scene: Scene, function: &str) -> Option<Frame> {
        let now = scene.registers?;
        let space = self.space_of(&now);
        let read = |at| self.read_word(target, &space, at);
        Callers::of(innermost(&now), &|va| self.loaded_at(&space, va), &read)
            .find(|caller| {
                let name = caller.loaded.as_ref().and_then(|loaded| function_of(loaded, &caller.frame));
                name.as_deref() == Some(function)
            })
            .map(|caller| caller.frame)
    }

    /// `frame`, `up`, `down`: chooses a function of the stack, and shows it.
    pub(super) fn choose_frame(
        &mut self,
        target: &dyn Target,
        choice: FrameChoice,
    ) -> Result<String, String> {
        self.check_lasts()?;
        let asked = match choice {
            FrameChoice::Shown => self.frame,
            FrameChoice::Number(number) => number,
            FrameChoice::Up(by) => self.frame.saturating_add(by),
            FrameChoice::Down(_) if self.frame == 0 => {
                return Err("this is the innermost function: it has called none".to_owned());
            }
            FrameChoice::Down(by) => self.frame.saturating_sub(by),
        };
        let number = match choice {
            FrameChoice::Up(by) if by > 1 => asked.min(self.outermost(target)),
            _ => asked,
        };
        let found = self.numbered_frame(target, number);
        let goes_on = number != self.frame || !matches!(choice, FrameChoice::Up(_));
        let Some((frame, level)) = found.filter(|_| goes_on) else {
            return Err(match choice {
                FrameChoice::Up(_) => "this is the outermost function that is known".to_owned(),
                _ => format!("there is no frame {number}: `bt` lists them"),
            });
        };
        if number != self.frame {
            self.listed = None;
        }
        self.frame = number;
        let space = self.space_of(&self.now(target));
        let loaded = self.loaded_at(&space, VirtAddr(frame.at_work()));
        let is_signal = frame.before_signal(&|at| self.read_word(target, &space, at)).is_some();
        let frame = StackFrame { is_signal, ..StackFrame::of(frame, loaded.as_ref()) };
        let name = |va| self.symbol_at(&space, va);
        let arguments = |frame: &Frame, level| self.arguments(target, frame, level);
        let line =
            lines_of(&frame, number == 0, &name, &arguments).into_iter().nth(level).unwrap_or_default();
        let mut text = format!("#{number:<2} {line}\n");
        if let Some(line) = frame.source(level).and_then(|source| self.symbols.source_text(source)) {
            // Writing to a String can't fail.
            let _ = writeln!(text, "    {}", line.trim());
        }
        if number < asked {
            text.push_str("it is the outermost function that is known\n");
        }
        Ok(text)
    }

    /// The number of the outermost function that is known.
    fn outermost(&self, target: &dyn Target) -> u64 {
        let count = |frame: &StackFrame| (frame.times * frame.inlined.len().max(1)) as u64;
        self.stack(target).iter().map(count).sum::<u64>().saturating_sub(1)
    }

    /// The frame that the function at work returns to: of a signal's handler what the signal has interrupted, though some code comes in
    /// between.
    pub(super) fn caller(&self, target: &dyn Target) -> Option<Frame> {
        let space = self.space_of(&self.now(target));
        let (frame, _) = self.chosen_frame(target)?;
        let read = |at| self.read_word(target, &space, at);
        let before_signal = |frame: &Frame| frame.before_signal(&read);
        before_signal(&frame).or_else(|| {
            let loaded = self.loaded_at(&space, VirtAddr(frame.at_work()))?;
            let caller = loaded.file.caller(&frame, loaded.bias, &read)?;
            Some(before_signal(&caller).unwrap_or(caller))
        })
    }

    /// The functions at work, from the innermost out.
    pub(super) fn stack(&self, target: &dyn Target) -> Vec<StackFrame> {
        self.stack_from(target, innermost(&self.now(target)))
    }

    fn stack_from(&self, target: &dyn Target, frame: Frame) -> Vec<StackFrame> {
        let space = self.space_of(&self.now(target));
        let read = |at| self.read_word(target, &space, at);
        stack(frame, &|va| self.loaded_at(&space, va), &read)
    }

    /// The line at which the function that is looked at is at work; where none is known, that of the call that has led there.
    pub(super) fn source_at_work(&self, target: &dyn Target) -> Option<SourceLine> {
        let (frame, level) = self.chosen_frame(target)?;
        let loaded = self.loaded_at(&self.space_of(&self.now(target)), VirtAddr(frame.at_work()));
        let own = StackFrame::of(frame.clone(), loaded.as_ref()).source(level).cloned();
        own.or_else(|| self.stack_from(target, frame).into_iter().find_map(|caller| caller.spot.source))
    }

    fn read_word(&self, target: &dyn Target, space: &Space, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let tap = self.tap.borrow();
        let view = View { memory: target, trace: tap.trace(), files: &self.files };
        peek::Notes::default().read(&view, space, VirtAddr(at), &mut bytes).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    /// `bt`: a line a function, at most `most`, from the innermost on or those of the outermost.
    pub(super) fn backtrace(
        &self,
        target: &dyn Target,
        most: u64,
        is_outermost: bool,
        is_full: bool,
    ) -> Result<String, String> {
        self.check_lasts()?;
        let space = self.space_of(&self.now(target));
        let name = |va| self.symbol_at(&space, va);
        // A function that stands there many times has as many numbers.
        let (mut lines, mut number) = (Vec::new(), 0);
        let shown = usize::try_from(most).unwrap_or(usize::MAX);
        for frame in self.stack(target) {
            let arguments = |frame: &Frame, level| match is_outermost || lines.len() < shown {
                true => self.arguments(target, frame, level),
                false => String::new(),
            };
            let of = lines_of(&frame, number == 0, &name, &arguments);
            let with_locals = |(level, line): (usize, String)| match is_full {
                true => line + &self.locals_of(target, &frame, level),
                false => line,
            };
            let of: Vec<String> = of.into_iter().enumerate().map(with_locals).collect();
            let numbers = of.len() * frame.times;
            lines.extend((number..).zip(of));
            number += numbers;
        }
        let mut text = String::new();
        let shown = shown.min(lines.len());
        let skipped = if is_outermost { lines.len() - shown } else { 0 };
        for (number, line) in &lines[skipped..skipped + shown] {
            // Writing to a String can't fail.
            let _ = writeln!(text, "#{number:<2} {line}");
        }
        if shown < lines.len() && !is_outermost {
            let _ = writeln!(text, "    {} more: `bt {}`", lines.len() - shown, lines.len());
        }
        Ok(text)
    }
}

impl Debugger {
    /// The variables of a function of the stack as they are now, a line each behind its own.
    fn locals_of(&self, target: &dyn Target, frame: &StackFrame, level: usize) -> String {
        if frame.is_signal {
            return String::new();
        }
        self.looking_from(target, Some((frame.frame.clone(), level)), |from| {
            let variables = from.variables(Variables::Locals).unwrap_or_default();
            let line = |(name, value): &(String, Value)| print::variable(from, name, value);
            let lines: String = variables.iter().map(line).collect();
            lines.lines().map(|line| format!("\n        {line}")).collect()
        })
    }

    /// The arguments of a function of the stack as they are now, in brackets; nothing if none are told.
    fn arguments(&self, target: &dyn Target, frame: &Frame, level: usize) -> String {
        let text = |from: &Vantage<'_>| {
            let variables = from.variables(Variables::Arguments).unwrap_or_default();
            let one = |(name, value): &(String, Value)| match value.type_.has_parts() {
                true => format!("{name}=…"),
                false => {
                    let text = from.text(value, None);
                    format!("{name}={}", cut(text.as_deref().unwrap_or("<not there>")))
                }
            };
            variables.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        match self.looking_from(target, Some((frame.clone(), level)), text) {
            text if text.is_empty() => text,
            text => format!(" ({text})"),
        }
    }
}

/// The name of the function in which a frame is.
fn function_of(loaded: &Loaded, frame: &Frame) -> Option<String> {
    let name = loaded.file.symbols().name_of(frame.at_work().wrapping_sub(loaded.bias))?;
    name.split('+').next().map(str::to_owned)
}

/// An argument as `bt` shows it: not so long that a line is nothing else.
fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    const MOST: usize = 64;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// What stands for the code to which a signal's handler returns, as in gdb.
const SIGNAL: &str = "<signal handler called>";

/// A frame, and before it those that the compiler has put into it; `name` tells what is at an address, `arguments` those of a frame without
/// the innermost that were put into it.
fn lines_of(
    frame: &StackFrame,
    is_innermost: bool,
    name: &dyn Fn(VirtAddr) -> Option<String>,
    arguments: &dyn Fn(&Frame, usize) -> String,
) -> Vec<String> {
    let at = |source: Option<&crate::source::SourceLine>| {
        source.map_or_else(String::new, |source| format!(" at {source}"))
    };
    let mut lines = Vec::new();
    let pc = VirtAddr(frame.frame.pc);
    if frame.is_signal {
        // Where it is at work itself, the handler has returned.
        let place = name(pc).filter(|_| is_innermost);
        let place = place.map_or_else(String::new, |name| format!("{pc} in {name} "));
        return vec![format!("{place}{SIGNAL}")];
    }
    let times = if frame.times > 1 { format!(", {} times", frame.times) } else { String::new() };
    if let Some((_, inlined)) = frame.inlined.split_last() {
        for (level, inlined) in inlined.iter().enumerate() {
            let name = inlined.function.as_deref().unwrap_or("a function");
            let arguments = arguments(&frame.frame, level);
            lines.push(format!("{pc} in {name}{arguments}{}, inlined", at(inlined.source.as_ref())));
        }
    }
    let source = frame.inlined.last().map_or(&frame.spot.source, |outermost| &outermost.source);
    let unknown = || match frame.file.as_str() {
        "" => "?".to_owned(),
        file => format!("? of {file}"),
    };
    let symbol = frame.spot.symbol.clone().or_else(|| name(pc)).unwrap_or_else(unknown);
    // Of many calls each has had its own.
    let arguments = match frame.times {
        1 => arguments(&frame.frame, frame.inlined.len().saturating_sub(1)),
        _ => String::new(),
    };
    lines.push(format!("{pc} in {symbol}{arguments}{}{times}", at(source.as_ref())));
    lines
}
