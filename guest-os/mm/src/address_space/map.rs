//! `map`: enter a VMA. No page is mapped and nothing is read: that waits for the first touch.

use super::{AddressSpace, Flush, MapError};
use crate::layout::{MAX_VMAS, USER_START_PAGE};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::{Backing, Name, PageRange, Prot, Vma, VmaFlags};
use isa::Vpn;

/// Where a new mapping goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Wherever there is room, from [`crate::layout::mmap_base_page`] downwards.
    Anywhere,
    /// Here if nothing is here, else wherever there is room.
    Hint(Vpn),
    /// Here, in place of whatever is here (MAP_FIXED).
    Fixed(Vpn),
    /// Here, or not at all (MAP_FIXED_NOREPLACE).
    FixedNoReplace(Vpn),
}

/// A mapping to be made.
#[derive(Clone, Debug)]
pub struct MapRequest {
    /// Where.
    pub placement: Placement,
    /// How large.
    pub len_pages: u64,
    /// What the program may do with it.
    pub prot: Prot,
    /// Shared or private, stack or not.
    pub flags: VmaFlags,
    /// What it holds at first. A shared anonymous mapping is the mapping of a nameless file that lives in memory.
    pub backing: Backing,
    /// What `/proc/PID/maps` calls it.
    pub name: Name,
}

/// A mapping was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// Where it is.
    pub range: PageRange,
    /// The VMAs, or parts of VMAs, that had to go.
    pub replaced: alloc::vec::Vec<Vma>,
    /// What the TLB must forget.
    pub flush: Flush,
}

impl AddressSpace {
    /// Makes a mapping.
    pub fn map<P: PhysMem>(&mut self, mem: &mut Memory<P>, request: MapRequest) -> Result<Mapped, MapError> {
        assert!(
            !request.flags.contains(VmaFlags::SHARED) || request.backing != Backing::Anon,
            "a shared mapping is backed by a file, if only one in memory"
        );
        let range = self.place(request.placement, request.len_pages)?;
        // One VMA more for the mapping, and one more if it splits another. Looked at before anything changes.
        if self.vmas.len() + 2 > MAX_VMAS {
            return Err(MapError::TooManyVmas);
        }
        let (replaced, flush) = if self.vmas.overlapping(range).next().is_some() {
            let unmapped = self.unmap(mem, range)?;
            (unmapped.removed, unmapped.flush)
        } else {
            (alloc::vec::Vec::new(), Flush::None)
        };
        let vma = Vma {
            range,
            prot: request.prot,
            flags: request.flags | self.locks_of_new,
            backing: request.backing,
            name: request.name,
        };
        self.vmas.insert(mem.file_mappings_mut(), vma)?;
        Ok(Mapped { range, replaced, flush })
    }

    /// The first page of room for so many pages, where a mapping [anywhere](Placement::Anywhere) goes.
    pub fn find_room(&self, len_pages: u64) -> Result<Vpn, MapError> {
        self.place(Placement::Anywhere, len_pages).map(|range| range.start)
    }

    fn place(&self, placement: Placement, len_pages: u64) -> Result<PageRange, MapError> {
        if len_pages == 0 {
            return Err(MapError::BadRange);
        }
        let free = |range: PageRange| self.vmas.overlapping(range).next().is_none();
        let anywhere = || {
            let start = self.vmas.find_gap(len_pages, USER_START_PAGE, self.mmap_base);
            start.map(|start| PageRange::new(start, Vpn(start.0 + len_pages))).ok_or(MapError::NoRoom)
        };
        match placement {
            Placement::Anywhere => anywhere(),
            Placement::Hint(at) => match PageRange::in_user_space(at, len_pages) {
                Some(range) if at >= USER_START_PAGE && free(range) && !self.vmas.in_guard_gap(range) => {
                    Ok(range)
                }
                _ => anywhere(),
            },
            Placement::Fixed(at) => PageRange::in_user_space(at, len_pages).ok_or(MapError::BadRange),
            Placement::FixedNoReplace(at) => {
                let range = PageRange::in_user_space(at, len_pages).ok_or(MapError::BadRange)?;
                if free(range) { Ok(range) } else { Err(MapError::Exists) }
            }
        }
    }
}
