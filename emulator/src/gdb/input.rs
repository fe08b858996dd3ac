//! Writes of gdb's to registers and memory. What the guest finds there is an input of the run, as what is typed is: it has the step before
//! whose instruction it counts, and is told. A write is done as a store of the program's own would be, or refused: where
//! such a store would fault first, only the kernel can tell what the page becomes.

use super::arch::RegisterId;
use super::world::{Subject, World};
use crate::machine::Register;
use isa::paging::{PteFlags, Translation, walk};
use isa::{PAGE_SIZE, PhysAddr, Privilege, Step, VirtAddr};

/// A write, with its stamp.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    /// It counts before the instruction of this step.
    pub step: Step,
    /// The process that was written to; `None`: the machine.
    pub pid: Option<u64>,
    /// What was written.
    pub written: Written,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Written {
    /// Bytes at an address of that process, or of the hart's address space.
    Memory(VirtAddr, Vec<u8>),
    /// Bytes at a physical address.
    Physical(PhysAddr, Vec<u8>),
    /// A register of a hart: its name and its value.
    Register(usize, String, u64),
}

/// Linux's numbers, which gdb shows.
pub(super) const EFAULT: u8 = 14;
pub(super) const EACCES: u8 = 13;
pub(super) const EIO: u8 = 5;

/// Where the bytes from `va` on lie, page by page, if a store to all of them would go through.
fn places(
    world: &World<'_>,
    translation: Option<Translation>,
    va: VirtAddr,
    len: usize,
) -> Result<Vec<(PhysAddr, usize)>, u8> {
    let mut places = Vec::new();
    let mut done = 0;
    while done < len {
        let at = va.wrapping_add(done as u64);
        let room = usize::try_from(PAGE_SIZE - at.page_offset()).map_err(|_| EFAULT)?;
        let part = room.min(len - done);
        let pa = match translation {
            None => PhysAddr(at.0),
            Some(by) => {
                let ram = world.host().machine().ram();
                let leaf = walk(by, at, |entry| ram.read_u64(entry)).map_err(|_| EFAULT)?;
                let flags = leaf.pte.flags();
                // A page that is clean, read-only or shared copy-on-write is the kernel's to change.
                let is_own = flags.contains(PteFlags::W | PteFlags::D);
                if flags.contains(PteFlags::U) && !is_own {
                    return Err(EACCES);
                }
                leaf.frame(at).base().wrapping_add(at.page_offset())
            }
        };
        places.push((pa, part));
        done += part;
    }
    Ok(places)
}

impl World<'_> {
    fn tell(&mut self, subject: &Subject, written: Written) {
        let step = self.host().machine().steps();
        let input = Input { step, pid: subject.pid(), written };
        self.host_mut().told(&input);
    }

    /// Writes memory as a thread sees it; all of it, or nothing.
    pub(super) fn write_memory(
        &mut self,
        subject: &Subject,
        tid: u64,
        va: VirtAddr,
        data: &[u8],
    ) -> Result<(), u8> {
        let translation = self.translation(subject, tid).ok_or(EFAULT)?;
        let places = places(self, translation, va, data.len())?;
        let is_ram = |&(pa, len): &(PhysAddr, usize)| self.host().machine().ram().slice(pa, len).is_some();
        if !places.iter().all(is_ram) {
            return Err(EFAULT);
        }
        let mut rest = data;
        for (pa, len) in places {
            let (part, after) = rest.split_at(len);
            let is_written = self.host_mut().machine_mut().write_ram(pa, part);
            assert!(is_written, "these bytes have just been found to be RAM");
            rest = after;
        }
        if !data.is_empty() {
            self.tell(subject, Written::Memory(va, data.to_vec()));
        }
        Ok(())
    }

    /// Writes physical memory.
    pub(super) fn write_physical(&mut self, at: PhysAddr, data: &[u8]) -> Result<(), u8> {
        if !self.host_mut().machine_mut().write_ram(at, data) {
            return Err(EFAULT);
        }
        self.tell(&Subject::Machine, Written::Physical(at, data.to_vec()));
        Ok(())
    }

    /// Writes a register of a thread, which must have a hart and be in its own code: what a thread has while the kernel works
    /// for it, the kernel keeps.
    pub(super) fn write_register(
        &mut self,
        subject: &Subject,
        tid: u64,
        register: RegisterId,
        value: u64,
    ) -> Result<(), u8> {
        let hart = self.hart_of(subject, tid).ok_or(EACCES)?;
        let in_kernel = self.host().machine().harts()[hart].privilege != Privilege::User;
        if in_kernel && *subject != Subject::Machine {
            return Err(EACCES);
        }
        let (register, name) = match register {
            RegisterId::X(number) => {
                (Register::X(number), isa::reg::X_NAMES.get(number).copied().unwrap_or_default())
            }
            RegisterId::Pc => (Register::Pc, "pc"),
            RegisterId::F(number) => {
                (Register::F(number), isa::reg::F_NAMES.get(number).copied().unwrap_or_default())
            }
            RegisterId::Csr(isa::csr::Csr::FCSR) => (Register::Fcsr, "fcsr"),
            // What other CSRs mean to the kernel, only its own instructions may change.
            RegisterId::Csr(_) | RegisterId::Mode => return Err(EACCES),
        };
        if !self.host_mut().machine_mut().write_register(hart, register, value) {
            return Err(EIO);
        }
        self.tell(subject, Written::Register(hart, name.to_owned(), value));
        Ok(())
    }
}
