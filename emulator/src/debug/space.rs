//! Whose page table an address is looked up in: the hart's, or that of a process that may not run now.

use super::breakpoints::Where;
use super::execute::Debugger;
use super::explaining::with_places_of;
use super::expression::{self, Expression};
use super::symbols::Symbols;
use super::target::{Registers, Target};
use super::views;
use crate::source::Loaded;
use crate::trace::{GuestView, ProcessView, Residence, Trace, at_page};
use isa::paging::{Satp, Translation};
use isa::{Privilege, VirtAddr};

/// Who has a page table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// A process: its number and its name.
    Process(u64, String),
    /// The guest kernel, while it runs for no process.
    Kernel,
    /// Nobody that events have told of.
    Unknown,
}

/// What addresses mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Space {
    pub(super) satp: Satp,
    pub(super) owner: Owner,
    /// Why nothing is translated, if that is so.
    pub(super) bare: Option<&'static str>,
    /// The next instruction, if the hart looked at is in this space.
    pub(super) pc: Option<VirtAddr>,
}

impl Space {
    /// How addresses are translated, or why they are not.
    pub(super) fn translation(&self) -> Result<Translation, &'static str> {
        match (self.bare, Translation::of(self.satp)) {
            (Some(why), _) => Err(why),
            (None, Some(by)) => Ok(by),
            (None, None) => Err("satp.MODE is reserved"),
        }
    }
    /// The process whose it is, if it is one's.
    pub(super) fn process(&self) -> Option<u64> {
        match self.owner {
            Owner::Process(pid, _) => Some(pid),
            Owner::Kernel | Owner::Unknown => None,
        }
    }
    /// Whose it is, as the end of a sentence.
    pub(super) fn whose(&self) -> String {
        match &self.owner {
            Owner::Process(pid, name) => format!(", of process {pid} ({name})"),
            Owner::Kernel => ", the kernel's own: no process runs".to_owned(),
            Owner::Unknown => String::new(),
        }
    }
}

/// What there is to say of an address that no entry maps.
pub(super) fn absence(symbols: &Symbols, trace: &Trace, space: &Space, va: VirtAddr) -> String {
    let text = match (&space.owner, Where::address(va.0)) {
        (Owner::Kernel, Where::User(_)) => {
            "not mapped: the page table is the kernel's own, no process runs".to_owned()
        }
        (Owner::Process(pid, _), Where::User(_)) => match at_page(trace, *pid, va) {
            Residence::Later(_, first_touch) => format!("not in memory yet: {first_touch}"),
            Residence::Away(_, place) => format!("not mapped: its page {place}"),
            Residence::Nothing(why) => format!("not mapped: {why}"),
            Residence::Here(..) => "not mapped".to_owned(),
        },
        _ => "not mapped".to_owned(),
    };
    match space.process() {
        Some(pid) => with_places_of(symbols, &trace.guest, pid, &text),
        None => text,
    }
}

/// Complains if a process has ended, and says what is left of it.
pub(super) fn check_lives(guest: &GuestView, pid: u64) -> Result<&ProcessView, String> {
    views::living(guest, pid).map_err(|why| match (guest.process(pid), guest.last_space(pid)) {
        (Some(_), Some(_)) => {
            format!("{why}; `maps {pid}`, `pt {pid}` and `whatis {pid}:ADDR` tell what it had")
        }
        _ => why,
    })
}

/// The address space of a process, whoever runs.
pub(super) fn space_of_process(guest: &GuestView, now: &Registers, pid: u64) -> Result<Space, String> {
    let process = check_lives(guest, pid)?;
    if process.satp == 0 {
        return Err(format!("process {pid} has no address space yet"));
    }
    let satp = Satp(process.satp);
    let owner = Owner::Process(pid, process.name().to_owned());
    let pc = (now.translates() && now.satp == satp).then_some(now.pc);
    Ok(Space { satp, owner, bare: None, pc })
}

/// The file whose code or data is at an address, and what is added to its addresses: the kernel's in the upper half and outside
/// processes.
pub(super) fn loaded_at(symbols: &Symbols, guest: &GuestView, space: &Space, va: VirtAddr) -> Option<Loaded> {
    if let (Where::User(_), Owner::Process(pid, _)) = (Where::address(va.0), &space.owner) {
        return symbols.loaded_at(guest, guest.process(*pid)?, va);
    }
    let file = symbols.kernel.clone();
    let bias = if space.bare.is_none() { 0 } else { file.symbols().physical_offset().wrapping_neg() };
    Some(Loaded { file, bias })
}

/// The symbol at an address.
pub(super) fn name_at(symbols: &Symbols, guest: &GuestView, space: &Space, va: VirtAddr) -> Option<String> {
    if let (Where::User(_), Owner::Process(pid, _)) = (Where::address(va.0), &space.owner) {
        return symbols.name_in_process(guest, guest.process(*pid)?, va);
    }
    let kernel = symbols.kernel.symbols();
    if space.bare.is_none() { kernel.name_of(va.0) } else { kernel.name_of_physical(va.0) }
}

impl Debugger {
    /// The registers looked at: those of a thread that was chosen, the hart's, or those of a program as it was at its trap.
    pub(super) fn now(&self, target: &dyn Target) -> Registers {
        if let Some(registers) = self.selected_registers() {
            return registers;
        }
        match &self.at_trap {
            Some(at_trap) if at_trap.registers.hart == self.hart => at_trap.registers,
            _ => target.registers(),
        }
    }

    /// The address space that the hart is in.
    pub(super) fn space_of(&self, now: &Registers) -> Space {
        let owner = match self.current_process(now) {
            Some((pid, name)) => Owner::Process(pid, name),
            None if now.translates() && self.tap.borrow().trace().guest.processes().next().is_some() => {
                Owner::Kernel
            }
            None => Owner::Unknown,
        };
        let bare = match now.translates() {
            true => None,
            false if now.satp.scheme().is_none() => Some("satp.MODE is 0 (bare)"),
            false => Some("the hart is in M-mode"),
        };
        Space { satp: now.satp, owner, bare, pc: Some(now.pc) }
    }

    /// The address space of a process, whoever runs.
    pub(super) fn space_of_process(&self, now: &Registers, pid: u64) -> Result<Space, String> {
        space_of_process(&self.tap.borrow().trace().guest, now, pid)
    }

    /// What there is at an address of a process; `None` if it is the kernel's, or no process's.
    pub(super) fn residence(&self, space: &Space, va: VirtAddr) -> Option<Residence> {
        match (&space.owner, Where::address(va.0)) {
            (Owner::Process(pid, _), Where::User(_)) => Some(at_page(self.tap.borrow().trace(), *pid, va)),
            _ => None,
        }
    }

    /// What there is to say of addresses that no entry maps.
    pub(super) fn absent<'a>(&self, space: &'a Space) -> impl Fn(VirtAddr) -> String + use<'a> {
        let (tap, symbols) = (self.tap.clone(), self.symbols.clone());
        move |va| absence(&symbols, tap.borrow().trace(), space, va)
    }

    /// The address that an expression means, and where; that of the function looked at if there is none.
    pub(super) fn locate(
        &mut self,
        target: &dyn Target,
        at: Option<Expression>,
    ) -> Result<(VirtAddr, Space), String> {
        let now = self.now(target);
        let Some(at) = at else {
            self.check_page_table()?;
            self.check_registers()?;
            let pc = self.chosen_frame(target).map_or(now.pc, |(frame, _)| VirtAddr(frame.pc));
            return Ok((pc, self.space_of(&now)));
        };
        let (va, pid) = self.evaluate(target, &at)?;
        let space = match pid {
            Some(pid) => self.space_of_process(&now, pid)?,
            None => {
                self.check_page_table()?;
                self.space_of(&now)
            }
        };
        Ok((va, space))
    }

    /// The last fault's address means something only in the address space that it was in.
    pub(super) fn check_fault_space(&self) -> Result<(), String> {
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let Some(fault) = &trace.last_fault else { return Ok(()) };
        let pid = fault.record.pid;
        match trace.guest.process(pid) {
            Some(process) if process.space != fault.record.space => {
                Err(format!("process {pid}, which had the last fault, runs another program since"))
            }
            _ => Ok(()),
        }
    }

    /// The address that an expression means, and the process that it is meant in, if it says or implies one.
    pub(super) fn evaluate(
        &self,
        target: &dyn Target,
        at: &Expression,
    ) -> Result<(VirtAddr, Option<u64>), String> {
        let (va, pid) = self.looking(target, |from| expression::address(at.node(), from))?;
        Ok((VirtAddr(va), pid))
    }

    /// The process whose address space the hart is in.
    pub(super) fn current_process(&self, now: &Registers) -> Option<(u64, String)> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let running = guest.running_on(now.hart).filter(|process| process.satp == now.satp.0);
        let process = running.or_else(|| guest.process_of_satp(now.satp.0))?;
        (now.translates() && process.satp != 0).then(|| (process.pid, process.name().to_owned()))
    }

    /// The symbol at an address: the kernel's in the upper half and outside processes.
    pub(super) fn symbol_at(&self, space: &Space, va: VirtAddr) -> Option<String> {
        name_at(&self.symbols, &self.tap.borrow().trace().guest, space, va)
    }
}

/// A program as it was at its last trap, while the kernel touches a page for it or refuses it one: the machine itself is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtTrap {
    pub(super) registers: Registers,
    pub(super) step: isa::Step,
    pub(super) doing: Doing,
}

/// What the kernel does that the program has trapped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    /// It touches a page for it.
    Touches,
    /// It refuses the access.
    Refuses,
    /// It was called, and has not begun yet.
    Called,
    /// It ends the program.
    Ends,
    /// Something else, perhaps for others.
    Works,
}

impl AtTrap {
    /// The program as it was before the trap that the hart looked at has just taken.
    pub(super) fn of(target: &dyn Target) -> Option<Self> {
        let pc = VirtAddr(target.csr(isa::csr::Csr::SEPC)?);
        let registers = Registers { pc, privilege: Privilege::User, ..target.registers() };
        Some(Self { registers, step: target.step(), doing: Doing::Touches })
    }
    /// What the machine itself is at.
    pub(super) fn kernel_does(&self) -> &'static str {
        match self.doing {
            Doing::Touches => "touches the page for it",
            Doing::Refuses => "refuses the access",
            Doing::Called => "it has called",
            Doing::Ends => "ends it",
            Doing::Works => "is at work",
        }
    }
}
