//! What a program died of: the one that was started, or a child of its that went wrong. A line, and a line for each call that led there.

use abi::signal_name;
use emulator::debug::peek::{self, Files, View};
use emulator::debug::{MachineMemory, loaded_at, loaded_of};
use emulator::source::{
    Frame, InlineFrame, IsReturn, Loaded, Programs, Spot, StackFrame, in_brackets, stack, with_places,
};
use emulator::trace::{Cause, Death, Event, Place, Trace};
use isa::VirtAddr;
use isa::events::Access;
use isa::paging::Satp;
use std::rc::Rc;

/// Calls that are told of: so many of the innermost, and of the outermost.
const CALLS_TOLD: usize = 12;

/// The calls that led to where a process was when it died, the innermost first, as its memory tells, wherever its pages are.
pub fn calls(
    event: &Event,
    trace: &Trace,
    memory: &MachineMemory<'_>,
    files: &Files,
    programs: &Programs,
) -> Vec<StackFrame> {
    let pid = event.record.pid;
    let (Some(registers), Some(process)) = (&event.registers, trace.guest.process(pid)) else {
        return Vec::new();
    };
    let mut x = [0; 32];
    x[1..].copy_from_slice(&registers[..]);
    let view = View { memory, trace, files };
    let read = |at: u64| {
        let mut bytes = [0; 8];
        peek::read(&view, pid, Satp(process.satp), VirtAddr(at), &mut bytes).ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    let loaded = |va: VirtAddr| loaded_at(programs, &trace.guest, process, va);
    stack(Frame::innermost(event.record.pc, &x), &loaded, &read)
}

/// `SIGSEGV: read of 0x0 at sum+0x14 (segv.c:4, pc 0x10646): no mapping holds this address`, as far as it is known, and the calls that led there.
pub fn lines(signal: u32, death: Option<&Death>, calls: &[StackFrame], programs: &Programs) -> Vec<String> {
    let Some(death) = death else { return vec![format!("{}: the program was killed", name(signal))] };
    let mut lines = vec![sentence(death, calls, programs)];
    lines.extend(told(calls, &death.pc.program));
    lines
}

/// Children that go wrong: a few lines of each, at once or at the end.
///
/// On Linux nobody tells of them but a shell, so what a script's errors are compared with has no such line.
pub struct Children {
    programs: Rc<Programs>,
    /// Lines are told as they come, and not kept.
    at_once: bool,
    kept: Vec<String>,
    count: usize,
}

impl Children {
    /// How many are told of.
    const MOST: usize = 8;

    pub fn new(programs: Rc<Programs>, at_once: bool) -> Self {
        Self { programs, at_once, kept: Vec::new(), count: 0 }
    }

    /// A child has died.
    pub fn take_in(&mut self, death: &Death, calls: &[StackFrame]) {
        self.count += 1;
        if self.count > Self::MOST {
            return;
        }
        let program = death.pc.program.rsplit('/').next().unwrap_or_default();
        let mut lines = lines(death.signal, Some(death), calls, &self.programs);
        lines[0] = format!("process {} ({program}): {}", death.pid, lines[0]);
        for line in lines {
            if self.at_once { tell!("folio: {line}") } else { self.kept.push(line) }
        }
    }

    /// Whether the calls of the next one are told of.
    pub fn wants_more(&self) -> bool {
        self.count < Self::MOST
    }

    /// Tells what was kept, and how many more there were.
    pub fn finish(&self) {
        for line in &self.kept {
            tell!("folio: {line}");
        }
        if let Some(more) = self.count.checked_sub(Self::MOST).filter(|&more| more > 0) {
            tell!("folio: {more} more processes have died like this; --trace tells of each");
        }
    }
}

fn sentence(death: &Death, calls: &[StackFrame], programs: &Programs) -> String {
    let name = name(death.signal);
    let thread = death.tid.map_or_else(String::new, |tid| format!(" in thread {tid}"));
    if let Some(trap) = &death.trap {
        let (what, why) = trap.words(instruction(&trap.pc, programs));
        return format!("{name}{thread}: {what} {}: {why}", place(&trap.pc, programs));
    }
    let is_for_access = matches!(name.as_str(), "SIGSEGV" | "SIGBUS");
    match death.refusal.as_ref().filter(|_| is_for_access) {
        Some(refusal) => {
            let tried = match refusal.access {
                Access::Read => "read of",
                Access::Write => "write to",
                Access::Execute => "execution of",
            };
            let at = place(&refusal.pc, programs);
            let from = refusal.called_from.as_ref().filter(|_| calls.len() < 2);
            let from = from.and_then(|from| Some((from, loaded_of(programs, from)?.spot(from.va).symbol?)));
            let from = from.map_or_else(String::new, |(from, symbol)| {
                format!(", called from {symbol} (ra {:#x})", from.va.0)
            });
            let reason = with_places(&refusal.reason, &|va, is_return| {
                spot(refusal.named.iter().find(|named| named.va == va)?, is_return, programs)
            });
            format!("{name}{thread}: {tried} {:#x} {at}{from}: {reason}", refusal.va.0)
        }
        None => format!("{name}{thread}: the program was killed {}", place(&death.pc, programs)),
    }
}

/// A line for each call, outwards; of many those in the middle are left out.
fn told(calls: &[StackFrame], program: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        if number > 0 && call.is_signal {
            lines.push("  called as a signal's handler".to_owned());
        } else if number > 0 {
            let address = || format!("{:#x}{}", call.frame.pc, of_library(&call.file, program));
            let place = call.spot.symbol.clone().unwrap_or_else(address);
            let times = if call.times > 1 { format!(", {} times", call.times) } else { String::new() };
            let function =
                innermost(&call.inlined).map_or_else(String::new, |function| format!("{function} at "));
            let how = if calls[number - 1].is_signal { "which interrupted" } else { "called from" };
            lines.push(format!("  {how} {function}{place}{}{times}", in_brackets(call.spot.source.as_ref())));
        }
        // The last is the function whose name the symbol is.
        for outer in call.inlined.iter().skip(1) {
            let function = outer.function.as_deref().unwrap_or("a function");
            lines.push(format!("  inlined into {function}{}", in_brackets(outer.source.as_ref())));
        }
    }
    let more = lines.len().saturating_sub(2 * CALLS_TOLD);
    if more > 0 {
        lines.splice(CALLS_TOLD..CALLS_TOLD + more, [format!("  … {more} more …")]);
    }
    lines
}

fn name(signal: u32) -> String {
    signal_name(signal.into()).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// `at main+0x8 (crash.c:7, pc 0x10646)`.
fn place(place: &Place, programs: &Programs) -> String {
    let spot = spot(place, IsReturn(false), programs).unwrap_or_default();
    let source = spot.source.map_or_else(String::new, |source| format!("{source}, "));
    let inlined = loaded_of(programs, place).map(|loaded| loaded.inlined(place.va)).unwrap_or_default();
    let function = innermost(&inlined).map_or_else(String::new, |function| format!("in {function} "));
    match spot.symbol {
        Some(symbol) => format!("{function}at {symbol} ({source}pc {:#x})", place.va.0),
        None => format!("at pc {:#x}{}", place.va.0, of_library(place.file(), &place.program)),
    }
}

/// The function that has been put into others, and whose code is at work: no symbol names it.
fn innermost(inlined: &[InlineFrame]) -> Option<&str> {
    inlined.first().filter(|_| inlined.len() > 1)?.function.as_deref()
}

/// What is at a place, or at the call behind which it is.
fn spot(place: &Place, IsReturn(is_return): IsReturn, programs: &Programs) -> Option<Spot> {
    let loaded = loaded_of(programs, place)?;
    Some(if is_return { loaded.spot_of_return(place.va) } else { loaded.spot(place.va) })
}

/// What caused a page fault: the instruction, or the call behind which it is.
pub fn spot_of(cause: &Cause, programs: &Programs) -> Spot {
    spot(&cause.at, IsReturn(cause.is_kernel_copy), programs).unwrap_or_default()
}

/// Whether no symbol holds that instruction.
pub fn is_nameless(cause: &Cause, programs: &Programs) -> bool {
    let loaded = loaded_of(programs, &cause.at);
    loaded.is_none_or(|Loaded { file, bias }| file.is_nameless(cause.at.va.0.wrapping_sub(bias)))
}

fn instruction(place: &Place, programs: &Programs) -> Option<u32> {
    let Loaded { file, bias } = loaded_of(programs, place)?;
    file.instruction(place.va.0.wrapping_sub(bias))
}

/// ` of FILE` of code that has no symbol, if it is a library's.
fn of_library(file: &str, program: &str) -> String {
    if file.is_empty() || file == program { String::new() } else { format!(" of {file}") }
}
