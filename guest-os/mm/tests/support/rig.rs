//! Processes on one machine, driven by hand.

use super::audit::audit;
use super::machine::{Machine, Stopped};
use super::{VecRam, memory};
use isa::{PAGE_SIZE, VirtAddr, Vpn};
use mm::frame::FrameCounts;
use mm::{
    AddressSpace, Backing, FaultAction, FileBacking, FileId, MapError, MapRequest, Memory, PageRange,
    Placement, Prot, SpaceId, Store, VmaFlags,
};

pub const RW: Prot = Prot::READ.union(Prot::WRITE);
pub const FILE: FileId = FileId(42);
pub const BASE: VirtAddr = VirtAddr(0x10_0000);

/// One process, and those that it forks.
pub struct Rig {
    pub mem: Memory<VecRam>,
    pub m: Machine,
    pub spaces: Vec<AddressSpace>,
}

impl Rig {
    pub fn new(frames: u64) -> Self {
        let mut mem = memory(frames);
        let space = AddressSpace::new(&mut mem, SpaceId(1), 1, None).unwrap();
        Rig { mem, m: Machine::default(), spaces: vec![space] }
    }
    pub fn map(
        &mut self,
        who: usize,
        at: VirtAddr,
        pages: u64,
        prot: Prot,
        flags: VmaFlags,
        backing: Backing,
    ) {
        let placement = Placement::Fixed(at.page());
        let request = MapRequest { placement, len_pages: pages, prot, flags, backing, name: "".into() };
        let mapped = self.spaces[who].map(&mut self.mem, request).unwrap();
        self.m.hart.fence(self.spaces[who].asid(), mapped.flush);
    }
    pub fn anon(&mut self, pages: u64) {
        self.map(0, BASE, pages, RW, VmaFlags::empty(), Backing::Anon);
    }
    pub fn file(&mut self, pages: u64, prot: Prot, flags: VmaFlags, len_bytes: Option<u64>) {
        let backing = Backing::File(FileBacking { file: FILE, first_page: 0, len_bytes });
        self.map(0, BASE, pages, prot, flags, backing);
    }
    /// A byte of the mapping at [`BASE`].
    pub fn at(page: u64, offset: u64) -> VirtAddr {
        BASE.wrapping_add(page * PAGE_SIZE + offset)
    }
    pub fn load(&mut self, who: usize, va: VirtAddr) -> Result<u8, Stopped> {
        self.m.load(&mut self.mem, &mut self.spaces[who], va)
    }
    pub fn store(&mut self, who: usize, va: VirtAddr, byte: u8) -> Result<(), Stopped> {
        self.m.store(&mut self.mem, &mut self.spaces[who], va, byte)
    }
    pub fn fork(&mut self, who: usize) -> usize {
        let id = self.spaces.len() as u32 + 1;
        let report = self.spaces[who].fork(&mut self.mem, SpaceId(id), id as u16, None).unwrap();
        self.m.hart.fence(self.spaces[who].asid(), report.flush);
        self.spaces.push(report.child);
        self.spaces.len() - 1
    }
    /// Makes the file, which lives in memory, shorter or longer.
    pub fn resize(&mut self, len_bytes: u64) {
        self.mem.resize_file(FILE, Store::Memory, len_bytes);
        let (hart, kept) = (&mut self.m.hart, len_bytes.div_ceil(PAGE_SIZE));
        self.mem.cut_file(FILE, kept, |space, _, _, flush| hart.fence(space.asid, flush));
    }
    pub fn unmap(&mut self, who: usize, range: PageRange) {
        let unmapped = self.spaces[who].unmap(&mut self.mem, range).unwrap();
        self.m.hart.fence(self.spaces[who].asid(), unmapped.flush);
    }
    pub fn protect(&mut self, who: usize, range: PageRange, prot: Prot) -> Result<(), MapError> {
        let (_, flush) = self.spaces[who].protect(&mut self.mem, range, prot)?;
        self.m.hart.fence(self.spaces[who].asid(), flush);
        Ok(())
    }
    pub fn actions(&mut self) -> Vec<FaultAction> {
        self.audit();
        self.m.log.drain(..).map(|r| r.action).collect()
    }
    pub fn anon_frames(&self) -> u64 {
        self.mem.frames().counts().anon
    }
    pub fn audit(&self) {
        audit(&self.mem, &self.spaces);
    }
    pub fn frame_at(&self, who: usize, va: VirtAddr) -> u64 {
        self.spaces[who].pte(&self.mem, va.page()).ppn().0
    }
    /// Ends every process, drops the cache and checks that only the zero page is left.
    pub fn end(mut self) {
        self.audit();
        for space in self.spaces.drain(..) {
            space.teardown(&mut self.mem);
        }
        self.mem.evict_all();
        audit(&self.mem, []);
        let total = self.mem.frames().total();
        let expected = FrameCounts { free: total - 1, zero: 1, ..FrameCounts::default() };
        assert_eq!(self.mem.frames().counts(), expected, "frames were lost");
    }
}

pub fn pages(from: u64, to: u64) -> PageRange {
    PageRange::new(Vpn(BASE.page().0 + from), Vpn(BASE.page().0 + to))
}
