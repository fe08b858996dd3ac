//! Breakpoints: where to stop, in which processes.
//!
//! A breakpoint says what was asked for. [`Armed::arm`] makes of it the addresses to compare, anew whenever
//! processes or their mappings have changed: a program that is yet to run gets its breakpoints when it is mapped.

use super::symbols::Symbols;
use super::target::Place;
use crate::trace::GuestView;
use isa::paging::{MODE_BARE, Satp};
use isa::{Privilege, VirtAddr};

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Where {
    /// An address of user programs, or of a machine without translation.
    User(VirtAddr),
    /// An address of the kernel.
    Kernel(VirtAddr),
    /// Several functions of the kernel that are called the same, or into which one was put.
    KernelFunctions(Vec<VirtAddr>),
    /// A symbol of programs, a function or a line of their source, and what is added to it.
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
    /// As it was typed.
    pub(super) text: String,
    pub(super) at: Where,
    /// Only in this process.
    pub(super) pid: Option<u64>,
}

impl Breakpoint {
    /// Whether its address depends on what programs run.
    pub(super) fn depends_on_programs(&self) -> bool {
        matches!(self.at, Where::Symbol(..)) || self.pid.is_some()
    }
}

/// Where an armed address counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Space {
    Kernel,
    AnyUser,
    Process { satp: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Address {
    pc: VirtAddr,
    space: Space,
    id: u64,
}

/// The addresses to compare.
#[derive(Debug, Default)]
pub(super) struct Armed(Vec<Address>);

impl Armed {
    /// Whether there is nothing to compare.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Works out the addresses to compare.
    pub(super) fn arm<'a>(
        &mut self,
        breakpoints: impl Iterator<Item = (u64, &'a Breakpoint)>,
        guest: &GuestView,
        symbols: &Symbols,
    ) {
        self.0.clear();
        for (id, breakpoint) in breakpoints {
            let wanted = |pid: u64| breakpoint.pid.is_none_or(|only| only == pid);
            match &breakpoint.at {
                Where::Kernel(pc) => self.0.push(Address { pc: *pc, space: Space::Kernel, id }),
                Where::KernelFunctions(list) => {
                    self.0.extend(list.iter().map(|&pc| Address { pc, space: Space::Kernel, id }));
                }
                Where::User(pc) if breakpoint.pid.is_none() => {
                    self.0.push(Address { pc: *pc, space: Space::AnyUser, id });
                }
                Where::User(pc) => {
                    let processes =
                        guest.processes().filter(|process| process.is_alive() && wanted(process.pid));
                    let address = |satp| Address { pc: *pc, space: Space::Process { satp }, id };
                    self.0.extend(processes.map(|process| address(process.satp)));
                }
                Where::Symbol(name, offset) => {
                    for process in guest.processes().filter(|p| p.is_alive() && wanted(p.pid)) {
                        let stops = match offset {
                            0 => symbols.stops_in_process(guest, process, name),
                            _ => symbols.addresses_in_process(guest, process, name),
                        };
                        for va in stops {
                            let space = Space::Process { satp: process.satp };
                            self.0.push(Address { pc: va.wrapping_add(*offset), space, id });
                        }
                    }
                }
            }
        }
    }

    /// Adds where a process comes to when something is over that a point is about.
    pub(super) fn add_end(&mut self, id: u64, pc: VirtAddr, satp: u64) {
        self.0.push(Address { pc, space: Space::Process { satp }, id });
    }

    /// The breakpoints at a place.
    pub(super) fn at(&self, place: &Place) -> impl Iterator<Item = u64> {
        let user = place.privilege == Privilege::User;
        let bare = place.privilege == Privilege::Machine || place.satp.mode() == MODE_BARE;
        let here = move |address: &&Address| {
            address.pc == place.pc
                && match address.space {
                    Space::Kernel => !user,
                    Space::AnyUser => user || bare,
                    Space::Process { satp } => user && place.satp.0 == satp,
                }
        };
        self.0.iter().filter(here).map(|address| address.id)
    }

    /// Where a breakpoint counts now, each address once, with an address space in which it does if that is a process's.
    pub(super) fn places_of(&self, id: u64) -> Vec<(VirtAddr, Option<Satp>)> {
        let mut places: Vec<(VirtAddr, Option<Satp>)> = Vec::new();
        for address in self.0.iter().filter(|address| address.id == id) {
            if places.iter().all(|(pc, _)| *pc != address.pc) {
                let satp = match address.space {
                    Space::Process { satp } => Some(Satp(satp)),
                    Space::Kernel | Space::AnyUser => None,
                };
                places.push((address.pc, satp));
            }
        }
        places
    }
}
