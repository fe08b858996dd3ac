//! Looking at a machine without changing it: registers, memory, counters, and the hash of its state.

use super::snapshot::State;
use super::{DiskCounters, Machine, MachineConfig};
use crate::hart::Hart;
use crate::loader::boot::BootInfo;
use crate::mem::ram::Ram;
use crate::mem::tlb::TlbCounters;
use crate::platform::Platform;
use isa::csr::Csr;
use isa::paging::{self, Satp, Translation};
use isa::{PAGE_SIZE, PhysAddr, Privilege, Step, VirtAddr};
use xxhash_rust::xxh3::Xxh3Default;

/// A register that can be written from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Register {
    /// The program counter.
    Pc,
    /// An integer register.
    X(usize),
    /// A floating-point register.
    F(usize),
    /// `fcsr`, with `frm` and `fflags` in it.
    Fcsr,
}

impl Machine {
    /// What the machine was built from.
    pub fn config(&self) -> &MachineConfig {
        &self.config
    }
    /// Where the last boot put everything.
    pub fn boot_info(&self) -> Option<&BootInfo> {
        self.boot.as_ref()
    }
    /// The machine's time: instructions executed, retired or trapped, and idle time.
    pub fn steps(&self) -> Step {
        self.now
    }
    /// Instructions that have retired, in all modes.
    pub fn instructions(&self) -> u64 {
        self.harts.iter().map(|hart| hart.counters.retired()).sum()
    }
    /// Instructions that have retired in U-mode.
    pub fn instructions_user(&self) -> u64 {
        self.harts.iter().map(|hart| hart.counters.retired_in(Privilege::User)).sum()
    }
    /// The counters of the TLB's sides: instruction, data.
    pub fn tlb_counters(&self) -> (TlbCounters, TlbCounters) {
        let instruction = self.harts.iter().map(|hart| hart.itlb.counters());
        let data = self.harts.iter().map(|hart| hart.dtlb.counters());
        (instruction.sum(), data.sum())
    }
    /// What each disk has done, in the order of their numbers.
    pub fn disks(&self) -> impl Iterator<Item = DiskCounters> {
        self.bus.disk_counters()
    }
    /// What all disks together have done.
    pub fn disk_counters(&self) -> DiskCounters {
        self.disks().sum()
    }

    /// A page of 4 KiB of a disk, if the guest has written to it.
    pub fn written_page(&self, disk: usize, page: u64) -> Option<&[u8]> {
        self.bus.written_page(disk, page)
    }

    /// The hart whose turn it is: the one that runs next, if any does.
    pub fn hart(&self) -> &Hart {
        &self.harts[self.turn.hart]
    }
    /// All harts, in the order of their numbers.
    pub fn harts(&self) -> &[Hart] {
        &self.harts
    }
    /// Sets the program counter of the hart whose turn it is.
    pub fn set_pc(&mut self, pc: VirtAddr) {
        self.harts[self.turn.hart].pc = pc.0;
    }
    /// Sets integer register `index` of the hart whose turn it is; register 0 stays 0.
    pub fn set_x(&mut self, index: usize, value: u64) {
        if let Some(register @ 1..32) = Some(index) {
            self.harts[self.turn.hart].x[register] = value;
        }
    }
    /// Sets a register of a hart, which exists, as an instruction of its own would. `false`, and nothing is written, if such an instruction would trap:
    /// no number of a register, or floating point that is off.
    #[must_use]
    pub fn write_register(&mut self, hart: usize, register: Register, value: u64) -> bool {
        let hart = &mut self.harts[hart];
        let float = matches!(register, Register::F(_) | Register::Fcsr);
        if float && !hart.csr.float_is_on() {
            return false;
        }
        match register {
            Register::Pc => hart.pc = value & hart.pc_mask(),
            Register::X(0) => {}
            Register::X(number @ 1..32) => hart.x[number] = value,
            Register::F(number @ 0..32) => hart.f[number] = value,
            Register::Fcsr => hart.csr.write_fcsr(value),
            Register::X(_) | Register::F(_) => return false,
        }
        if float {
            hart.csr.float_is_dirty();
            hart.rebuild();
        }
        true
    }
    /// A CSR of the hart whose turn it is, as M-mode would read it.
    pub fn csr(&self, csr: Csr) -> Option<u64> {
        self.csr_of(self.turn.hart, csr)
    }
    /// A CSR of a hart, as M-mode would read it; `None` if there is no such CSR or hart.
    pub fn csr_of(&self, hart: usize, csr: Csr) -> Option<u64> {
        self.harts.get(hart)?.csr_value(csr, self.bus.mtime(self.now))
    }

    /// RAM.
    pub fn ram(&self) -> &Ram {
        &self.ram
    }
    /// Writes RAM, as the loader does. `false`, and nothing is written, if any byte is not RAM.
    #[must_use]
    pub fn write_ram(&mut self, at: PhysAddr, data: &[u8]) -> bool {
        self.ram.write(at, data)
    }
    /// Where the hart whose turn it is finds `va` in its present mode, if it is mapped there. Neither the TLB nor the A and D
    /// bits change, and permissions are not looked at.
    pub fn translate(&self, va: VirtAddr) -> Option<PhysAddr> {
        let hart = self.hart();
        self.translate_in(
            if hart.privilege == Privilege::Machine { Satp(0) } else { Satp(hart.csr.satp) },
            va,
        )
    }
    /// As [`Machine::translate`], in the address space of `satp`.
    pub fn translate_in(&self, satp: Satp, va: VirtAddr) -> Option<PhysAddr> {
        let Some(by) = Translation::of(satp) else { return Some(PhysAddr(va.0)) };
        let leaf = paging::walk(by, va, |at| self.ram.read_u64(at)).ok()?;
        Some(leaf.frame(va).base().wrapping_add(va.page_offset()))
    }
    /// Memory as the hart whose turn it is sees it in its present mode: the bytes from `va` up to the first that is not mapped RAM.
    pub fn read_virt(&self, va: VirtAddr, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let at = va.wrapping_add(bytes.len() as u64);
            let in_page = usize::try_from(PAGE_SIZE - at.page_offset()).expect("at most a page");
            let part = self.translate(at).and_then(|pa| self.ram.slice(pa, in_page.min(len - bytes.len())));
            match part {
                Some(part) => bytes.extend_from_slice(part),
                None => break,
            }
        }
        bytes
    }
    /// The program's memory from `begin_signature` to `end_signature`, and where it begins.
    pub fn signature(&self) -> Option<(PhysAddr, &[u8])> {
        let (begin, end) = self.boot.as_ref()?.signature?;
        let bytes = self.ram.slice(begin, usize::try_from(end.0.checked_sub(begin.0)?).ok()?)?;
        Some((begin, bytes))
    }

    /// A hash of everything the guest can ever see: harts, devices, disk overlays, RAM (pages of zeros apart) and
    /// time. Decoded code and host handles are not part of it.
    pub fn state_hash(&self) -> u64 {
        let mut hash = Xxh3Default::new();
        hash.update(&State::encode(self));
        for (at, page) in self.used_pages() {
            hash.update(&at.0.to_le_bytes());
            hash.update(page);
        }
        hash.digest()
    }

    /// The pages of RAM that hold anything but zeros.
    pub(super) fn used_pages(&self) -> impl Iterator<Item = (PhysAddr, &[u8])> {
        self.ram.touched_pages().filter(|(_, page)| page.iter().any(|&byte| byte != 0))
    }
}
