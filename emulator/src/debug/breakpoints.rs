//! Breakpoints: where to stop, in which processes.
//!
//! A breakpoint says what was asked for. [`Breakpoints::arm`] makes of it the addresses to compare, anew whenever
//! processes or their mappings have changed: a program that is yet to run gets its breakpoints when it is mapped.

use super::symbols::Symbols;
use super::target::Place;
use crate::trace::GuestView;
use isa::paging::MODE_BARE;
use isa::{Privilege, VirtAddr};

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Where {
    /// An address of user programs, or of a machine without translation.
    User(VirtAddr),
    /// An address of the kernel.
    Kernel(VirtAddr),
    /// A symbol of programs or a line of their source, and what is added to it.
    Symbol(String, u64),
}

impl Where {
    /// An address: the upper half is the kernel's.
    pub(super) fn address(va: u64) -> Self {
        if va >> 63 == 0 { Self::User(VirtAddr(va)) } else { Self::Kernel(VirtAddr(va)) }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Breakpoint {
    pub(super) id: u64,
    /// As it was typed.
    pub(super) text: String,
    pub(super) at: Where,
    /// Only in this process.
    pub(super) pid: Option<u64>,
    pub(super) hits: u64,
}

/// Where an armed address counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Space {
    Kernel,
    AnyUser,
    Process { satp: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    pc: VirtAddr,
    space: Space,
    id: u64,
}

/// All breakpoints.
#[derive(Debug, Default)]
pub(super) struct Breakpoints {
    list: Vec<Breakpoint>,
    armed: Vec<Armed>,
}

impl Breakpoints {
    pub(super) fn add(&mut self, breakpoint: Breakpoint) {
        self.list.push(breakpoint);
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = &Breakpoint> {
        self.list.iter()
    }
    /// Deletes a breakpoint, or all. Returns how many there were.
    pub(super) fn delete(&mut self, id: Option<u64>) -> usize {
        let before = self.list.len();
        self.list.retain(|breakpoint| id.is_some_and(|id| id != breakpoint.id));
        before - self.list.len()
    }
    /// Whether a breakpoint's address depends on what programs run.
    pub(super) fn depend_on_programs(&self) -> bool {
        self.list.iter().any(|b| matches!(b.at, Where::Symbol(..)) || b.pid.is_some())
    }
    /// Whether there is nothing to compare.
    pub(super) fn nothing_armed(&self) -> bool {
        self.armed.is_empty()
    }

    /// Works out the addresses to compare.
    pub(super) fn arm(&mut self, guest: &GuestView, symbols: &Symbols) {
        self.armed.clear();
        for breakpoint in &self.list {
            let id = breakpoint.id;
            let wanted = |pid: u64| breakpoint.pid.is_none_or(|only| only == pid);
            match &breakpoint.at {
                Where::Kernel(pc) => self.armed.push(Armed { pc: *pc, space: Space::Kernel, id }),
                Where::User(pc) if breakpoint.pid.is_none() => {
                    self.armed.push(Armed { pc: *pc, space: Space::AnyUser, id });
                }
                Where::User(pc) => {
                    let processes =
                        guest.processes().filter(|process| process.is_alive() && wanted(process.pid));
                    let armed = |satp| Armed { pc: *pc, space: Space::Process { satp }, id };
                    self.armed.extend(processes.map(|process| armed(process.satp)));
                }
                Where::Symbol(name, offset) => {
                    for process in guest.processes().filter(|p| p.is_alive() && wanted(p.pid)) {
                        for va in symbols.addresses_in_process(guest, process, name) {
                            let space = Space::Process { satp: process.satp };
                            self.armed.push(Armed { pc: va.wrapping_add(*offset), space, id });
                        }
                    }
                }
            }
        }
    }

    /// The breakpoint at a place.
    pub(super) fn at(&self, place: &Place) -> Option<u64> {
        let user = place.privilege == Privilege::User;
        let bare = place.privilege == Privilege::Machine || place.satp.mode() == MODE_BARE;
        let here = |armed: &&Armed| {
            armed.pc == place.pc
                && match armed.space {
                    Space::Kernel => !user,
                    Space::AnyUser => user || bare,
                    Space::Process { satp } => user && place.satp.0 == satp,
                }
        };
        self.armed.iter().find(here).map(|armed| armed.id)
    }

    /// Where a breakpoint counts now, in words.
    pub(super) fn addresses_of(&self, id: u64) -> Vec<VirtAddr> {
        let mut addresses: Vec<_> = self.armed.iter().filter(|armed| armed.id == id).map(|a| a.pc).collect();
        addresses.dedup();
        addresses
    }

    pub(super) fn count_hit(&mut self, id: u64) -> Option<&Breakpoint> {
        let breakpoint = self.list.iter_mut().find(|breakpoint| breakpoint.id == id)?;
        breakpoint.hits += 1;
        Some(breakpoint)
    }
}
