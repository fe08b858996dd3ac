//! A hart that knows nothing of `mm` but the page tables it leaves in RAM, with a TLB that believes what it once
//! saw until a fence tells it otherwise; and the part of a kernel that answers its page faults.

use super::VecRam;
use isa::events::Access;
use isa::paging::{self, Pte, PteFlags, Scheme};
use isa::{PAGE_SIZE, PhysAddr, Ppn, VirtAddr, Vpn};
use mm::fault::{Awaited, FaultSignal};
use mm::{
    AddressSpace, DiskWait, FaultOutcome, FileId, Flush, Memory, OutOfFrames, PageKey, PhysMem, Resolution,
    SwapSlot, SwapWrite,
};
use std::collections::HashMap;

/// What byte `offset` of a file on the tests' disk is.
#[allow(clippy::cast_possible_truncation)] // any byte will do
pub fn disk_byte(file: FileId, offset: u64) -> u8 {
    ((offset ^ offset >> 8 ^ offset >> 16).wrapping_mul(31) as u8) ^ (file.0 as u8).wrapping_mul(97) | 1
}

/// One hart's MMU. The TLB is as large as can be, so that a forgotten fence is always seen.
#[derive(Default)]
pub struct Hart {
    tlb: HashMap<(u16, Vpn), Pte>,
    /// Whether it sets A and D by itself (Svadu) or raises page faults (Svade).
    pub updates_marks: bool,
}

impl Hart {
    /// Translates, as the manual says ("Virtual Address Translation Process"). `None` is a page fault.
    pub fn translate(
        &mut self,
        ram: &mut VecRam,
        root: Ppn,
        asid: u16,
        va: VirtAddr,
        access: Access,
    ) -> Option<PhysAddr> {
        let right = match access {
            Access::Read => PteFlags::R,
            Access::Write => PteFlags::W,
            Access::Execute => PteFlags::X,
        };
        let allows = |pte: Pte| pte.flags().contains(PteFlags::V | PteFlags::U | right);
        let marks = if access == Access::Write { PteFlags::A | PteFlags::D } else { PteFlags::A };
        if !Scheme::Sv39.is_canonical(va) {
            return None;
        }
        for (asid, flush) in std::mem::take(&mut ram.fences) {
            self.fence(asid, flush);
        }
        let key = (asid, va.page());
        let pte = match self.tlb.get(&key) {
            Some(&pte) => pte,
            None => {
                let (_, pte) = walk(ram, root, va)?;
                self.tlb.insert(key, pte);
                pte
            }
        };
        if !allows(pte) {
            return None;
        }
        if !pte.flags().contains(marks) {
            // The update looks at the entry in memory, whatever the TLB had.
            let (at, pte) = walk(ram, root, va).filter(|&(_, pte)| self.updates_marks && allows(pte))?;
            let marked = pte.with_flags(pte.flags() | marks);
            ram.write_pte(at, marked);
            self.tlb.insert(key, marked);
            return Some(pte.ppn().base().wrapping_add(va.page_offset()));
        }
        Some(pte.ppn().base().wrapping_add(va.page_offset()))
    }

    /// `sfence.vma`.
    pub fn fence(&mut self, asid: u16, flush: Flush) {
        match flush {
            Flush::None => {}
            Flush::Pages(range) => {
                for vpn in range.pages() {
                    self.tlb.remove(&(asid, vpn));
                }
            }
            Flush::All => self.tlb.retain(|&(a, _), _| a != asid),
        }
    }
}

/// The leaf that maps `va`, if there is a valid one, and where it lies.
pub fn walk(ram: &VecRam, root: Ppn, va: VirtAddr) -> Option<(PhysAddr, Pte)> {
    let mut table = root;
    for level in (0..Scheme::Sv39.levels()).rev() {
        let at = paging::pte_addr(table, va, level);
        let pte = ram.read_pte(at);
        assert!(!pte.has_reserved_bits(), "{pte:?} at {va}");
        if !pte.is_valid() {
            return None;
        }
        let f = pte.flags();
        assert!(!f.contains(PteFlags::W) || f.contains(PteFlags::R), "reserved encoding {pte:?}");
        if pte.is_leaf() {
            assert_eq!(level, 0, "user pages are 4 KiB");
            return Some((at, pte));
        }
        assert!(level > 0, "a pointer in a leaf table: {pte:?}");
        table = pte.ppn();
    }
    None
}

/// Why an access did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    Signal(FaultSignal),
    OutOfFrames,
}

impl From<OutOfFrames> for Stopped {
    fn from(_: OutOfFrames) -> Self {
        Stopped::OutOfFrames
    }
}

/// A hart and the answers to its faults.
#[derive(Default)]
pub struct Machine {
    pub hart: Hart,
    /// Every fault that was resolved or refused, in order.
    pub log: Vec<Resolution>,
    /// Every page that was read from the disk, in order.
    pub disk_reads: Vec<PageKey>,
    /// Reads that the device is to fail.
    pub bad_pages: Vec<PageKey>,
    /// What was written to each slot of the swap space.
    pub swap_disk: HashMap<SwapSlot, Vec<u8>>,
    /// Every slot that was read, and that was written, in order.
    pub swap_reads: Vec<SwapSlot>,
    pub swap_writes: Vec<SwapSlot>,
    /// Writes from now on that the device is to fail.
    pub failing_writes: u32,
    /// Writes take their time: they are done when somebody waits for them.
    pub writes_wait: bool,
    under_way: Vec<SwapWrite>,
}

impl Machine {
    /// Fills a frame from the disk, as its driver would.
    pub fn read_disk(&mut self, mem: &mut Memory<VecRam>, key: PageKey, frame: mm::FrameId) -> bool {
        self.disk_reads.push(key);
        if self.bad_pages.contains(&key) {
            return false;
        }
        let len = mem.cache().file_len_bytes(key.file).unwrap_or(0);
        let page_end = (key.offset_bytes() + PAGE_SIZE).min(len);
        let bytes: Vec<u8> = (key.offset_bytes()..page_end).map(|at| disk_byte(key.file, at)).collect();
        mem.phys_mut().write_bytes(frame.base(), &bytes);
        true
    }

    /// Reads a slot of the swap space into a frame.
    pub fn read_slot(&mut self, mem: &mut Memory<VecRam>, slot: SwapSlot, frame: mm::FrameId) -> bool {
        self.swap_reads.push(slot);
        mem.phys_mut().write_bytes(frame.base(), &self.swap_disk[&slot]);
        mem.finish_swap_in(slot, frame, true)
    }

    /// Has the write done that an eviction has begun, now or when somebody waits for it.
    pub fn write_out(&mut self, mem: &mut Memory<VecRam>, write: SwapWrite) {
        self.under_way.push(write);
        if !self.writes_wait {
            self.finish_writes(mem);
        }
    }

    /// All writes are done.
    pub fn finish_writes(&mut self, mem: &mut Memory<VecRam>) {
        for write in std::mem::take(&mut self.under_way) {
            self.finish_write(mem, write);
        }
    }

    fn finish_write(&mut self, mem: &mut Memory<VecRam>, write: SwapWrite) {
        self.swap_writes.push(write.slot);
        let succeeds = self.failing_writes == 0;
        self.failing_writes = self.failing_writes.saturating_sub(1);
        if succeeds {
            self.swap_disk.insert(write.slot, mem.phys().frame(write.frame.ppn()).to_vec());
        }
        mem.finish_swap_out(write.slot, succeeds);
    }

    /// Does something that needs frames, and has pages written out for it.
    pub fn with_room<R>(
        &mut self,
        mem: &mut Memory<VecRam>,
        mut action: impl FnMut(&mut Memory<VecRam>) -> Result<R, OutOfFrames>,
    ) -> Result<R, OutOfFrames> {
        loop {
            let result = action(mem);
            if let Some(write) = mem.take_write() {
                self.write_out(mem, write);
            } else if result.is_ok() || self.under_way.is_empty() {
                return result;
            } else {
                self.finish_writes(mem);
                continue;
            }
            if result.is_ok() {
                return result;
            }
        }
    }

    /// Resolves a fault to its end.
    pub fn fault(
        &mut self,
        mem: &mut Memory<VecRam>,
        space: &mut AddressSpace,
        va: VirtAddr,
        access: Access,
    ) -> Result<Resolution, Stopped> {
        let (mut waited, mut waits) = (DiskWait::None, 0);
        loop {
            match self.with_room(mem, |mem| space.fault(mem, va, access, waited))? {
                FaultOutcome::Resolved(done) => {
                    self.log.push(done);
                    self.hart.fence(space.asid(), done.flush);
                    return Ok(done);
                }
                FaultOutcome::Refused(refused) => {
                    self.log.push(refused);
                    return Err(Stopped::Signal(refused.signal().expect("a refusal has a signal")));
                }
                FaultOutcome::Read(Awaited::Slot(slot), frame) => {
                    assert_eq!(waited, DiskWait::None, "one fault waits once");
                    let succeeded = self.read_slot(mem, slot, frame);
                    waited = if succeeded { DiskWait::Done } else { DiskWait::Failed };
                }
                FaultOutcome::Read(Awaited::Page(key), frame) => {
                    assert_eq!(waited, DiskWait::None, "one fault waits once");
                    let succeeded = self.read_disk(mem, key, frame);
                    mem.finish_read(key, frame, succeeded);
                    waited = if succeeded { DiskWait::Done } else { DiskWait::Failed };
                }
                FaultOutcome::Wait(Awaited::Slot(_)) => {
                    // What an eviction had begun has been done by now, or is done here.
                    waits += 1;
                    assert!(waits < 3, "nobody else reads a slot");
                    self.finish_writes(mem);
                }
                FaultOutcome::Wait(Awaited::Page(key)) => panic!("nobody else reads {key:?}"),
            }
        }
    }

    /// A user's access to one byte: translate, or fault and try again.
    pub fn translate(
        &mut self,
        mem: &mut Memory<VecRam>,
        space: &mut AddressSpace,
        va: VirtAddr,
        access: Access,
    ) -> Result<PhysAddr, Stopped> {
        for _ in 0..5 {
            let (root, asid) = (space.root().ppn(), space.asid());
            if let Some(pa) = self.hart.translate(mem.phys_mut(), root, asid, va, access) {
                return Ok(pa);
            }
            self.fault(mem, space, va, access)?;
        }
        panic!("{access:?} of {va} faults for ever: {:?}", self.log.last());
    }

    pub fn load(
        &mut self,
        mem: &mut Memory<VecRam>,
        space: &mut AddressSpace,
        va: VirtAddr,
    ) -> Result<u8, Stopped> {
        let pa = self.translate(mem, space, va, Access::Read)?;
        let mut byte = [0];
        mem.phys().read_bytes(pa, &mut byte);
        Ok(byte[0])
    }

    pub fn store(
        &mut self,
        mem: &mut Memory<VecRam>,
        space: &mut AddressSpace,
        va: VirtAddr,
        byte: u8,
    ) -> Result<(), Stopped> {
        let pa = self.translate(mem, space, va, Access::Write)?;
        mem.phys_mut().write_bytes(pa, &[byte]);
        Ok(())
    }
}
