//! What the tests stand on: RAM in a vector, a hart with a TLB that walks our page tables by the
//! manual, a disk that is only arithmetic, and an auditor that counts everything the slow way.
#![allow(dead_code)] // each test file uses a part of it
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // the tests run on a 64-bit host

pub mod audit;
pub mod machine;
pub mod rig;
pub mod rng;

use isa::paging::Pte;
use isa::{PAGE_SIZE, PhysAddr, Ppn, Step, Vpn};
use mm::{Flush, FrameNote, FrameTable, Memory, PageKey, PhysMem, SpaceId};

/// The first frame of the tests' RAM.
pub const FIRST: Ppn = Ppn(0x8_0400);
const PAGE: usize = PAGE_SIZE as usize;

/// RAM in a vector. It begins full of junk, as real RAM does.
pub struct VecRam {
    bytes: Vec<u8>,
    /// What `mm` has told of frames, in order.
    pub notes: Vec<(Ppn, FrameNote)>,
    /// What the hart's TLB must forget before it is used again.
    pub fences: Vec<(u16, Flush)>,
    /// The entries that it was told to have been used, in order.
    pub uses: Vec<(SpaceId, Vpn)>,
}

impl VecRam {
    pub fn new(frames: u64) -> Self {
        Self {
            bytes: vec![0xa5; frames as usize * PAGE],
            notes: Vec::new(),
            fences: Vec::new(),
            uses: Vec::new(),
        }
    }
    fn at(&self, pa: PhysAddr, len: usize) -> std::ops::Range<usize> {
        let start = (pa.0 - FIRST.base().0) as usize;
        assert!(pa.page_offset() as usize + len <= PAGE, "an access leaves its frame");
        start..start + len
    }
    pub fn frame(&self, ppn: Ppn) -> &[u8] {
        &self.bytes[self.at(ppn.base(), PAGE)]
    }
    pub fn fill(&mut self, ppn: Ppn, byte: u8) {
        let at = self.at(ppn.base(), PAGE);
        self.bytes[at].fill(byte);
    }
}

/// The pages that left the cache to make room since the last call, oldest first.
pub fn take_evicted(mem: &mut Memory<VecRam>) -> Vec<PageKey> {
    let notes = std::mem::take(&mut mem.phys_mut().notes);
    notes
        .into_iter()
        .filter_map(|(_, note)| if let FrameNote::Evicted(key, _, _) = note { Some(key) } else { None })
        .collect()
}

impl PhysMem for VecRam {
    fn note(&mut self, frame: Ppn, note: FrameNote) {
        self.notes.push((frame, note));
    }
    fn note_use(&mut self, _: Ppn, space: SpaceId, vpn: Vpn) {
        self.uses.push((space, vpn));
    }
    fn fence(&mut self, asid: u16, flush: Flush) {
        self.fences.push((asid, flush));
    }
    fn now(&self) -> Step {
        Step(self.notes.len() as u64)
    }
    fn read_pte(&self, at: PhysAddr) -> Pte {
        assert!(at.is_aligned(8));
        Pte(u64::from_le_bytes(self.bytes[self.at(at, 8)].try_into().unwrap()))
    }
    fn write_pte(&mut self, at: PhysAddr, pte: Pte) {
        assert!(at.is_aligned(8));
        self.write_bytes(at, &pte.0.to_le_bytes());
    }
    fn zero_frame(&mut self, frame: Ppn) {
        self.fill(frame, 0);
    }
    fn copy_frame(&mut self, from: Ppn, to: Ppn) {
        let copy = self.frame(from).to_vec();
        self.write_bytes(to.base(), &copy);
    }
    fn read_bytes(&self, at: PhysAddr, into: &mut [u8]) {
        into.copy_from_slice(&self.bytes[self.at(at, into.len())]);
    }
    fn write_bytes(&mut self, at: PhysAddr, bytes: &[u8]) {
        let range = self.at(at, bytes.len());
        self.bytes[range].copy_from_slice(bytes);
    }
}

/// Memory of so many frames.
pub fn memory(frames: u64) -> Memory<VecRam> {
    Memory::new(VecRam::new(frames), FrameTable::new(FIRST, frames, frames)).unwrap()
}
