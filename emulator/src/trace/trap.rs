//! An exception of a program that is no page fault: what it gets a signal for, all the same.

use super::event::Event;
use super::guest_view::GuestView;
use super::history::Place;
use isa::events::{EventKind, SignalEffect, SignalTold};
use isa::{Step, VirtAddr};

/// What the hart found wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrapKind {
    /// Nothing that it can execute, or that a program may (SIGILL, ILL_ILLOPC).
    IllegalInstruction,
    /// `ebreak` (SIGTRAP, TRAP_BRKPT).
    Breakpoint,
    /// A misaligned jump or access (SIGBUS, BUS_ADRALN).
    Misaligned,
    /// A misaligned LR, SC or AMO, which the hart reports as an access fault (SIGSEGV, SEGV_ACCERR).
    MisalignedAtomic,
}

/// One such exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trap {
    /// When its signal was acted on.
    pub step: Step,
    /// The process.
    pub pid: u64,
    /// What it was.
    pub kind: TrapKind,
    /// The instruction.
    pub pc: Place,
    /// What became of the signal.
    pub effect: SignalEffect,
}

impl Trap {
    /// The exception for which a signal was sent, if it was for one. A fetch that a page fault ended can look the same:
    /// whoever knows of page faults leaves it out.
    pub(super) fn of(event: &Event, told: &SignalTold, guest: &GuestView) -> Option<Self> {
        let record = &event.record;
        let kind = match (told.signal, told.code) {
            (4, 1) => TrapKind::IllegalInstruction,
            (5, 1) => TrapKind::Breakpoint,
            (7, 1) => TrapKind::Misaligned,
            (11, 2) => TrapKind::MisalignedAtomic,
            _ => return None,
        };
        // The kernel tells of these where the instruction is, as Linux does.
        let is_here = event.kind() == Some(EventKind::Signal) && told.sender == 0 && told.value == record.pc;
        let pc = Place::of(VirtAddr(record.pc), record.pid, guest);
        is_here.then_some(Self { step: event.step, pid: record.pid, kind, pc, effect: told.effect })
    }

    /// What was wrong with the instruction of these bits, if they are known, and why that is wrong.
    pub fn words(&self, instruction: Option<u32>) -> (String, &'static str) {
        let insn = instruction.and_then(isa::decode);
        let text = insn.map(|insn| isa::disasm(&insn, self.pc.va.0).to_string());
        let by = text.as_ref().map_or_else(String::new, |text| format!(" by `{text}`"));
        match self.kind {
            TrapKind::IllegalInstruction => match (instruction, text) {
                (None, _) => ("illegal instruction".to_owned(), "nothing that a program may execute"),
                (Some(bits), Some(text)) => {
                    (format!("illegal instruction {} (`{text}`)", hex(bits)), "a program may not execute it")
                }
                (Some(bits), None) => {
                    (format!("illegal instruction {}", hex(bits)), "these bits are no instruction")
                }
            },
            TrapKind::Breakpoint => {
                ("ebreak".to_owned(), "a breakpoint that nobody set, or __builtin_trap() of the compiler")
            }
            TrapKind::Misaligned => (format!("misaligned access{by}"), "the hart cannot do it"),
            TrapKind::MisalignedAtomic => (
                format!("misaligned atomic access{by}"),
                "an atomic access needs an address that is a multiple of its size",
            ),
        }
    }
}

/// As many digits as the instruction has.
fn hex(bits: u32) -> String {
    if bits & 3 == 3 { format!("{bits:#010x}") } else { format!("{:#06x}", bits & 0xffff) }
}
