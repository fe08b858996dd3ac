//! `explain`: what the last fault was about, or what there is at an address, in a paragraph that names functions, lines and variables.

use super::execute::Debugger;
use super::expression::Expression;
use super::space::Owner;
use super::symbols::Symbols;
use super::target::Target;
use crate::source::{IsReturn, with_places};
use crate::trace::{Event, GuestView, Residence, Trap};
use isa::events::{EventKind, SignalEffect};
use isa::{VirtAddr, reg};

impl Debugger {
    /// `explain`: the last page fault, or what other exception has come since; the page that leaves memory, where the machine was stopped at that,
    /// and the signal that a program sends itself and dies of.
    pub(super) fn explain(&mut self, target: &dyn Target) -> Result<String, String> {
        if let Some(text) = self.explain_raised(target) {
            return Ok(text);
        }
        if let Some((EventKind::Evict | EventKind::EvictEntry | EventKind::SwapOut, _)) = self.at_event
            && let Some(text) = self.tap.borrow().departure()
        {
            return Ok(wrap(text, 100));
        }
        let trap = self.tap.borrow().trap().cloned();
        if let Some(trap) = trap {
            let text = self.explain_trap(&trap);
            return Ok(wrap(&self.with_places(trap.pid, &text), 100));
        }
        let text = self.tap.borrow().explanation();
        let text = text.ok_or("there has been no page fault yet")?;
        let of_fault = |fault: &Event| (fault.record.pid, VirtAddr(fault.record.va));
        let fault = self.tap.borrow().trace().last_fault.as_ref().map(of_fault);
        let text = match fault.filter(|_| self.check_fault_space().is_ok()) {
            Some((pid, va)) => self.with_places(pid, &self.with_name(pid, &text, va)),
            None => text,
        };
        Ok(wrap(&text, 100) + &self.who_unmapped().unwrap_or_default())
    }

    /// How one sees who has unmapped what the last fault was about, if the line is not known: what is told of the call is where it was made
    /// from, and that is in a library then, as libc's `free`.
    fn who_unmapped(&self) -> Option<String> {
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let fault = trace.last_fault.as_ref().filter(|fault| fault.kind() == Some(EventKind::Segv))?;
        let va = VirtAddr(fault.record.va);
        let unmapped = trace.history.unmapped_at(fault.record.space, va)?;
        let call = unmapped.call.filter(|_| unmapped.by != EventKind::Brk && self.can_begin_anew)?;
        let process = trace.guest.process(fault.record.pid)?;
        // In a program without lines there is no more to be told.
        self.symbols.loaded(&trace.guest, process)?.file.lines()?;
        let has_line = |va: VirtAddr| {
            let loaded = self.symbols.loaded_at(&trace.guest, process, va);
            loaded.is_some_and(|loaded| loaded.spot_of_return(va).source.is_some())
        };
        let is_told = [Some(call), unmapped.called_from].into_iter().flatten().any(has_line);
        (!is_told).then(|| {
            format!(
                "who had called that: `catch syscall munmap if $a0 <= {va} && {va} < $a0 + $a1`, then `run` and `bt`\n"
            )
        })
    }

    /// The signal that ends the process that is looked at, if no fault has brought it.
    fn explain_raised(&self, target: &dyn Target) -> Option<String> {
        let now = self.now(target);
        let pid = self.selected_process().or_else(|| self.current_process(&now).map(|(pid, _)| pid))?;
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let death = trace.history.dying(pid)?;
        if !death.is_by_itself() || death.refusal.is_some() || death.trap.is_some() {
            return None;
        }
        let signal = self.signal_words(death.signal.into());
        let name = trace.guest.process(pid)?.name().to_owned();
        let thread = death.tid.map_or_else(String::new, |tid| format!(", in thread {tid}"));
        let number = now.x[usize::from(reg::A7)];
        let sends = |name: &str| name.contains("kill") || name.contains("sigqueueinfo");
        let call = self.calls.iter().find(|(known, name)| *known == number && sends(name));
        let pc = death.pc.va;
        // The program counter lies behind the `ecall` already.
        let how = match call.filter(|_| now.pc == pc) {
            Some((_, call)) => {
                format!(" by the system call {call}, at pc {}", VirtAddr(pc.0.wrapping_sub(4)))
            }
            None => format!(" and was at pc {pc} when it came"),
        };
        let text = format!(
            "Process {pid} ({name}){thread} has sent itself {signal}{how}. No fault has brought the signal: as the program has no handler for it, it ends the process."
        );
        Some(wrap(&self.with_places(pid, &text), 100))
    }

    /// An exception that is no page fault.
    fn explain_trap(&self, trap: &Trap) -> String {
        let program = trap.pc.program.rsplit('/').next().unwrap_or_default();
        let (what, why) = trap.words(self.symbols.instruction(&trap.pc));
        let signal = match trap.effect {
            SignalEffect::Handled => "a handler of its runs for the signal",
            SignalEffect::Ended => "the signal ends it",
            SignalEffect::Ignored | SignalEffect::Stopped => "it goes on",
        };
        format!(
            "At step {} process {} ({program}) had an exception that is no page fault, at pc {:#x}: {what}: {why}; {signal}.",
            trap.step, trap.pid, trap.pc.va.0
        )
    }

    /// What there is at an address of a process.
    pub(super) fn explain_address(&mut self, target: &dyn Target, at: Expression) -> Result<String, String> {
        let (va, space) = self.locate(target, Some(at))?;
        let Owner::Process(pid, name) = &space.owner else {
            return Err(format!("{va} is nobody's: no process runs; `explain PID:{va}` asks for one's"));
        };
        let text = match self.residence(&space, va) {
            Some(Residence::Here(vma, frame)) => {
                let holds = self.tap.borrow().trace().guest.frame(frame).map_or(0, |f| f.mappings.len());
                let shared =
                    if holds > 1 { format!(", which {holds} page tables map") } else { String::new() };
                format!(
                    "{va} of process {pid} ({name}) lies in {}. Its page is in memory, in frame {:#x}{shared}; `walk` shows its PTE.",
                    vma.described(va),
                    frame.0
                )
            }
            Some(Residence::Later(vma, first_touch)) => format!(
                "{va} of process {pid} ({name}) lies in {}. Its page is not in memory yet: {first_touch}.",
                vma.described(va)
            ),
            Some(Residence::Away(vma, place)) => {
                format!("{va} of process {pid} ({name}) lies in {}. Its page {place}.", vma.described(va))
            }
            Some(Residence::Nothing(why)) => {
                format!("Nothing is mapped at {va} in process {pid} ({name}): {why}.")
            }
            None => format!("{va} is an address of the kernel's; `walk` shows what it maps there."),
        };
        let text = self.with_places(*pid, &self.with_name(*pid, &text, va));
        Ok(wrap(&text, 100))
    }

    /// A text about an address of a process, where that stands in it first with the name of what is there behind it.
    fn with_name(&self, pid: u64, text: &str, va: VirtAddr) -> String {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let name = guest.process(pid).and_then(|process| self.symbols.name_in_process(guest, process, va));
        let Some(name) = name else { return text.to_owned() };
        let is_it = |word: &str| {
            let digits = word.trim_end_matches([';', ',', '.', ':', ')']);
            digits.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok()) == Some(va.0)
        };
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        // An instruction gets its place behind it anyway.
        let is_pc = |pair: &[String]| pair[0].trim_start_matches('(') == "pc" && is_it(&pair[1]);
        if words.windows(2).any(is_pc) {
            return text.to_owned();
        }
        if let Some(word) = words.iter_mut().find(|word| is_it(word)) {
            let digits = word.trim_end_matches([';', ',', '.', ':']).len();
            word.insert_str(digits, &format!(" <{name}>"));
        }
        words.join(" ")
    }

    /// A text about a process in which each `pc` and `ra` has its function and line behind it.
    pub(super) fn with_places(&self, pid: u64, text: &str) -> String {
        with_places_of(&self.symbols, &self.tap.borrow().trace().guest, pid, text)
    }
}

/// A text about a process in which each `pc` and `ra` has its function and line behind it.
pub(super) fn with_places_of(symbols: &Symbols, guest: &GuestView, pid: u64, text: &str) -> String {
    with_places(text, &|va, IsReturn(is_return)| {
        let loaded = symbols.loaded_at(guest, guest.process(pid)?, va)?;
        Some(if is_return { loaded.spot_of_return(va) } else { loaded.spot(va) })
    })
}

/// Breaks a paragraph into lines of at most `width` letters.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if column > 0 && column + 1 + len > width {
            lines.push('\n');
            column = 0;
        }
        if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += len;
    }
    lines.push('\n');
    lines
}
