//! A stop as a machine reads it: one object, for editors and graders.

use super::execute::Debugger;
use super::run::Halt;
use super::target::{Registers, Target};
use isa::Privilege;
use isa::reg::{F_NAMES, X_NAMES};
use serde::Serialize;
use std::collections::BTreeMap;

/// Why the machine has stopped, and where. Addresses and registers are strings in hexadecimal, as in a trace file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Stopped {
    /// The machine's step.
    pub step: u64,
    /// `step`, `breakpoint`, `catchpoint`, `watchpoint`, `signal`, `gone` (who was stepped has ended), `interrupted` or `ended`.
    pub reason: &'static str,
    /// The number of the breakpoint, catchpoint or watchpoint; of several the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<u64>,
    /// The numbers of all, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<u64>,
    /// Nothing is to be said of it but what its commands say.
    #[serde(skip)]
    pub is_silent: bool,
    /// What it has met, or how the machine has ended, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The hart that is looked at.
    pub hart: usize,
    /// `user`, `supervisor` or `machine`.
    pub mode: &'static str,
    /// The process whose address space that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u64>,
    /// Its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<u64>,
    /// The next instruction.
    pub pc: String,
    /// The symbol that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The file of the source that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The registers that have changed since the machine was resumed, with what they hold now.
    pub changed: BTreeMap<&'static str, String>,
}

/// The registers that are others now, by their names, with both values.
pub(super) fn changes(before: &Registers, now: &Registers) -> Vec<(&'static str, u64, u64)> {
    let integers = X_NAMES.into_iter().zip(before.x.into_iter().zip(now.x));
    let floats = F_NAMES.into_iter().zip(before.f.into_iter().zip(now.f));
    let all = integers.chain(floats).map(|(name, (old, new))| (name, old, new));
    all.filter(|(_, old, new)| old != new).collect()
}

impl Debugger {
    /// The last stop, once.
    pub fn take_stop(&mut self) -> Option<Stopped> {
        self.stopped.take()
    }

    /// Notes a stop for those who ask.
    pub(super) fn note_stop(&mut self, target: &dyn Target, halt: &Halt) {
        let now = self.now(target);
        let space = self.space_of(&now);
        let (reason, point, what) = match halt {
            Halt::Reached => ("step", None, None),
            Halt::Hit(hit) => (hit.title, hit.ids.first().copied(), Some(hit.text.trim_end().to_owned())),
            Halt::Signal(text) => ("signal", None, Some(text.trim_end().to_owned())),
            Halt::Gone(what) => ("gone", None, Some(what.clone())),
            Halt::Interrupted => ("interrupted", None, None),
            Halt::Ended(reason) => ("ended", None, Some(reason.to_string())),
        };
        let pid = space.process().or(self.selected_process());
        let tap = self.tap.borrow();
        let program =
            pid.and_then(|pid| tap.trace().guest.process(pid)).map(|process| process.program.clone());
        self.last_program = program.or(self.last_program.take());
        let tid = tap.trace().history.running_on(now.hart).filter(|t| Some(t.pid) == pid).map(|t| t.tid);
        drop(tap);
        // Where the kernel was when it ended the machine is nobody's place.
        let has_ended = self.check_lasts().is_err() || self.check_page_table().is_err();
        let before = self.before.filter(|before| before.hart == now.hart && !matches!(halt, Halt::Gone(_)));
        let changed = before.map_or_else(Vec::new, |before| changes(&before, &now));
        let (_, source) = if has_ended { (None, None) } else { self.shown_at(&space, now.pc) };
        self.stopped = Some(Stopped {
            step: target.step().0,
            reason,
            point,
            points: match halt {
                Halt::Hit(hit) if hit.ids.len() > 1 => hit.ids.clone(),
                _ => Vec::new(),
            },
            is_silent: matches!(halt, Halt::Hit(hit) if hit.is_silent),
            what,
            hart: now.hart,
            mode: match now.privilege {
                Privilege::User => "user",
                Privilege::Supervisor => "supervisor",
                Privilege::Machine => "machine",
            },
            pid,
            tid,
            pc: now.pc.to_string(),
            symbol: self.symbol_at(&space, now.pc).filter(|_| !has_ended),
            file: source.as_ref().map(|source| source.path()),
            line: source.map(|source| source.line),
            changed: changed.into_iter().map(|(name, _, new)| (name, format!("{new:#x}"))).collect(),
        });
    }
}
