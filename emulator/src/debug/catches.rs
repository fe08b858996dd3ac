//! Catchpoints: which events of the guest, and which of the hart's doings, they mean.

use super::command::{Faults, Happening};
use crate::trace::{Event, Trace, Trap};
use isa::events::SignalTold;
use isa::{VirtAddr, Vpn};
use std::fmt;
use std::ops::Range;

/// Pages to catch faults in: of every process, or of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pages {
    pub(super) range: Range<Vpn>,
    pub(super) pid: Option<u64>,
    /// As they were typed, if that was by names.
    pub(super) words: String,
}

/// A system call or a signal to catch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Numbered {
    pub(super) number: u64,
    /// As it was typed.
    pub(super) name: String,
}

/// What a catchpoint stops at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Catch {
    /// Faults: of all pages, or of some.
    Fault(Faults, Option<Pages>),
    /// What events tell of.
    Happening(Happening),
    /// System calls: all, or one.
    Syscall(Option<Numbered>),
    /// A signal, when it is acted on or dropped.
    Signal(Numbered),
    /// Misses of the TLB.
    TlbMiss,
}

impl Catch {
    /// Whether it means this event, which may tell of an exception that is no page fault.
    pub(super) fn means(&self, trace: &Trace, event: &Event, trap: Option<&Trap>) -> bool {
        match self {
            Self::Fault(faults, pages) => {
                let pid = event.record.pid;
                let va = address(event, trap);
                let is_there = |pages: &Pages| {
                    pages.range.contains(&va.page()) && pages.pid.is_none_or(|only| only == pid)
                };
                (faults.mean(event, trace) || faults.mean_traps() && trap.is_some())
                    && pages.as_ref().is_none_or(is_there)
            }
            Self::Happening(happening) => happening.is_told_by(event, trace),
            Self::Signal(signal) => {
                let told = SignalTold::read(&event.record);
                Happening::Signal.is_told_by(event, trace)
                    && told.is_some_and(|told| told.signal == signal.number)
            }
            Self::Syscall(_) | Self::TlbMiss => false,
        }
    }
    /// Whether it means this system call.
    pub(super) fn means_call(&self, number: u64) -> bool {
        matches!(self, Self::Syscall(call) if call.as_ref().is_none_or(|call| call.number == number))
    }
}

/// The address that an event is about: of an exception, where the program is.
pub(super) fn address(event: &Event, trap: Option<&Trap>) -> VirtAddr {
    trap.map_or(VirtAddr(event.record.va), |trap| trap.pc.va)
}

impl fmt::Display for Catch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(faults, pages) => {
                write!(f, "fault {}", faults.name)?;
                let Some(Pages { range, pid, words }) = pages else { return Ok(()) };
                let (start, end) = (range.start.base(), range.end.base());
                match words.is_empty() {
                    true => write!(f, " in {start}-{end}")?,
                    false => write!(f, " in {words} ({start}-{end})")?,
                }
                pid.map_or(Ok(()), |pid| write!(f, " of process {pid}"))
            }
            Self::Happening(happening) => f.write_str(happening.name()),
            Self::Syscall(None) => f.write_str("syscall"),
            Self::Syscall(Some(call)) => write!(f, "syscall {}", call.name),
            Self::Signal(signal) => write!(f, "signal {}", signal.name),
            Self::TlbMiss => f.write_str("tlb-miss"),
        }
    }
}
