//! The address spaces as [`Memory`](crate::Memory) knows them: their page tables, and how much these map. What a process may map (its VMAs) is
//! [`AddressSpace`](crate::AddressSpace)'s; what is resident is here, so that a frame can be taken from whoever has it.

use crate::SpaceId;
use crate::frame::FrameId;
use crate::local::Budget;
use crate::page_table::PageTable;
use crate::slab::{NoMemory, Slab};
use alloc::boxed::Box;

/// Names an address space in the reverse maps. Dense, and used again after its end, unlike [`SpaceId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpaceKey(pub u32);

/// What is resident of an address space.
#[derive(Debug)]
pub struct Resident {
    /// Its name for the world outside.
    pub id: SpaceId,
    /// Its address-space identifier, for fences.
    pub asid: u16,
    pub(crate) root: FrameId,
    /// How many user pages are mapped.
    pub pages: u64,
    /// How many of them show anonymous frames.
    pub anon_pages: u64,
    /// How many of them show the page of zeros, which is nobody's.
    pub zero_pages: u64,
    /// How many user pages are in swap space, as its entries say.
    pub swapped_pages: u64,
    /// The pages of its own that it may have at once, if that is limited.
    pub budget: Option<Box<Budget>>,
    /// The most user pages, but for zeros, that were ever mapped at once.
    pub peak_pages: u64,
}

impl Resident {
    /// Its root page table.
    pub fn root(&self) -> FrameId {
        self.root
    }
    pub(crate) fn page_table(&self) -> PageTable {
        PageTable::new(self.root)
    }
    /// An entry maps a frame from now on.
    pub(crate) fn count_page(&mut self, is_anon: bool, is_zeros: bool) {
        self.pages += 1;
        self.anon_pages += u64::from(is_anon);
        self.zero_pages += u64::from(is_zeros);
        self.peak_pages = self.peak_pages.max(self.pages - self.zero_pages);
    }
    /// An entry maps a frame no more.
    pub(crate) fn uncount_page(&mut self, is_anon: bool, is_zeros: bool) {
        self.pages -= 1;
        self.zero_pages -= u64::from(is_zeros);
        self.anon_pages -= u64::from(is_anon);
    }
}

/// All address spaces.
#[derive(Debug, Default)]
pub(crate) struct Spaces(Slab<Resident>);

impl Spaces {
    pub(crate) fn reserve(&mut self) -> Result<(), NoMemory> {
        self.0.reserve(1)
    }
    /// Enters an address space in which nothing is mapped. Room is reserved.
    pub(crate) fn add(&mut self, id: SpaceId, asid: u16, root: FrameId) -> SpaceKey {
        SpaceKey(self.0.insert(Resident {
            id,
            asid,
            root,
            pages: 0,
            anon_pages: 0,
            zero_pages: 0,
            swapped_pages: 0,
            budget: None,
            peak_pages: 0,
        }))
    }
    pub(crate) fn remove(&mut self, key: SpaceKey) -> Resident {
        self.0.remove(key.0)
    }
    pub(crate) fn get(&self, key: SpaceKey) -> &Resident {
        self.0.get(key.0)
    }
    pub(crate) fn get_mut(&mut self, key: SpaceKey) -> &mut Resident {
        self.0.get_mut(key.0)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SpaceKey, &Resident)> {
        self.0.iter().map(|(number, resident)| (SpaceKey(number), resident))
    }
}
