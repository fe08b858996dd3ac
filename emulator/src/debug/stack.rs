//! `bt`: who has called whom, in the program or the kernel that is looked at.

use super::breakpoints::Where;
use super::execute::Debugger;
use super::peek::{self, View};
use super::registers;
use super::space::{Owner, Space};
use super::target::Target;
use crate::source::{Frame, Loaded, Scope, StackFrame, stack};
use isa::VirtAddr;
use std::fmt::Write;

/// Lines that `bt` shows, if it is not told how many.
pub(super) const SHOWN: u64 = 32;

impl Debugger {
    /// The file whose code or data is at an address, and what is added to its addresses.
    pub(super) fn loaded_at(&self, space: &Space, va: VirtAddr) -> Option<Loaded> {
        if let (Where::User(_), Owner::Process(pid, _)) = (Where::address(va.0), &space.owner) {
            let tap = self.tap.borrow();
            let guest = &tap.trace().guest;
            return self.symbols.loaded_at(guest, guest.process(*pid)?, va);
        }
        let file = self.symbols.kernel.clone();
        let bias = if space.bare.is_none() { 0 } else { file.symbols().physical_offset().wrapping_neg() };
        Some(Loaded { file, bias })
    }

    /// The frame that the function at work returns to.
    pub(super) fn caller(&self, target: &dyn Target) -> Option<Frame> {
        let now = self.now(target);
        let space = self.space_of(&now);
        let loaded = self.loaded_at(&space, now.pc)?;
        let read = |at| self.read_word(target, &space, at);
        loaded.file.caller(&Frame::innermost(now.pc.0, &now.x), loaded.bias, &read)
    }

    /// `print`: a variable, or a register.
    pub(super) fn print(&self, target: &dyn Target, name: &str) -> Result<String, String> {
        let now = self.now(target);
        let space = self.space_of(&now);
        if let Some(register) = name.strip_prefix('$') {
            let value = registers::value(target, &now, register);
            let value = value.ok_or_else(|| format!("there is no register or CSR `{name}`"))?;
            return Ok(format!("{name} = {value:#x}\n"));
        }
        let loaded = self.loaded_at(&space, now.pc);
        let loaded = loaded.ok_or_else(|| format!("nothing is known of the code at {}", now.pc))?;
        let lines = loaded.file.lines().ok_or("the program has no debug information (compile it with -g)")?;
        let read = |at: u64, into: &mut [u8]| self.read_anywhere(target, &space, VirtAddr(at), into);
        let frame = Frame::innermost(now.pc.0, &now.x);
        let cfa = self.caller(target).and_then(|caller| caller.x[usize::from(isa::reg::SP)]);
        let scope = Scope { frame: &frame, cfa, bias: loaded.bias, read: &read };
        Ok(lines.print(name, &scope)? + "\n")
    }

    /// The functions at work, from the innermost out.
    pub(super) fn stack(&self, target: &dyn Target) -> Vec<StackFrame> {
        let now = self.now(target);
        let space = self.space_of(&now);
        let read = |at| self.read_word(target, &space, at);
        stack(Frame::innermost(now.pc.0, &now.x), &|va| self.loaded_at(&space, va), &read)
    }

    /// Fills bytes of memory, or of what pages hold that are not there; the error says why there are none.
    fn read_anywhere(
        &self,
        target: &dyn Target,
        space: &Space,
        va: VirtAddr,
        into: &mut [u8],
    ) -> Result<(), String> {
        let mut notes = peek::Notes::default();
        let tap = self.tap.borrow();
        let view = View { memory: target, trace: tap.trace(), files: &self.files };
        let read = notes.read(&view, space, va, into);
        drop(tap);
        read.map_err(|va| format!("{va}: {}", self.absent(space)(va)))
    }

    fn read_word(&self, target: &dyn Target, space: &Space, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read_anywhere(target, space, VirtAddr(at), &mut bytes).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    /// `bt`: a line a function, at most `most`.
    pub(super) fn backtrace(&self, target: &dyn Target, most: u64) -> Result<String, String> {
        if let Some(reason) = self.ended {
            return Err(format!("the machine has ended: {reason}"));
        }
        let space = self.space_of(&self.now(target));
        let name = |va| self.symbol_at(&space, va);
        let stack = self.stack(target);
        let frames = stack.iter().enumerate();
        let lines: Vec<String> = frames.flat_map(|(at, frame)| lines_of(frame, at == 0, &name)).collect();
        let mut text = String::new();
        let shown = usize::try_from(most).unwrap_or(usize::MAX).min(lines.len());
        for (number, line) in lines[..shown].iter().enumerate() {
            // Writing to a String can't fail.
            let _ = writeln!(text, "#{number:<3}{line}");
        }
        if shown < lines.len() {
            let _ = writeln!(text, "    {} more: `bt {}`", lines.len() - shown, lines.len());
        }
        Ok(text)
    }
}

/// What stands for the code to which a signal's handler returns, as in gdb.
const SIGNAL: &str = "<signal handler called>";

/// A frame, and before it those that the compiler has put into it; `name` tells what is at an address.
fn lines_of(
    frame: &StackFrame,
    is_innermost: bool,
    name: &dyn Fn(VirtAddr) -> Option<String>,
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
        for inlined in inlined {
            let name = inlined.function.as_deref().unwrap_or("a function");
            lines.push(format!("{pc} in {name}{}, inlined", at(inlined.source.as_ref())));
        }
    }
    let source = frame.inlined.last().map_or(&frame.spot.source, |outermost| &outermost.source);
    let symbol = frame.spot.symbol.clone().or_else(|| name(pc)).unwrap_or_else(|| "?".to_owned());
    lines.push(format!("{pc} in {symbol}{}{times}", at(source.as_ref())));
    lines
}
