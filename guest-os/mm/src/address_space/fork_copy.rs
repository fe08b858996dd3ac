//! `fork` as systems without copy-on-write do it ([`Switches::copies_at_fork`](crate::Switches)): the child begins with a copy of each private
//! frame, and its parent's entries stay as they are.

use super::AddressSpace;
use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::memory::{Contents, Memory};
use crate::page_table::mapped_frame;
use crate::phys::PhysMem;
use crate::pte::{Stores, permissions};
use crate::vma::{PageRange, Prot};
use isa::Vpn;
use isa::paging::{Pte, PteFlags};

/// A page of which a child has a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopiedPage {
    /// The page.
    pub vpn: Vpn,
    /// The child's frame.
    pub copy: FrameId,
    /// Its parent's.
    pub original: FrameId,
}

impl AddressSpace {
    /// Frames that a child's copies take at most.
    pub(super) fn frames_to_copy<P: PhysMem>(&self, mem: &Memory<P>) -> u64 {
        if mem.switches().copies_at_fork { mem.space(self.key).anon_pages } else { 0 }
    }

    /// Gives a child a copy of the frame that an entry of its parent's maps. It has neither used nor changed it, so A and D are clear.
    pub(super) fn take_copy<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        vpn: Vpn,
        of_parent: Pte,
        prot: Prot,
    ) -> Result<(), OutOfFrames> {
        let original = mapped_frame(mem, of_parent).expect("who asks has seen the frame");
        let copy = mem.allocate_anon(Contents::CopyOf(original))?;
        let leaf = Pte::new(copy.ppn(), permissions(prot, Stores::AsProtected) | PteFlags::V);
        self.set_pte(mem, vpn, leaf)
            .map(|_child_is_not_running| ())
            .inspect_err(|_| mem.release_if_unused(copy))
    }

    /// The first page of a range of which this child of a fork, which has not run yet, has a copy.
    pub fn next_copy<P: PhysMem>(
        &self,
        mem: &Memory<P>,
        parent: &AddressSpace,
        range: PageRange,
    ) -> Option<CopiedPage> {
        let mut rest = range;
        while let Some((vpn, pte)) = self.next_entry(mem, rest) {
            let (copy, original) = (mapped_frame(mem, pte), mapped_frame(mem, parent.pte(mem, vpn)));
            if let (Some(copy), Some(original)) = (copy, original)
                && copy != original
                && matches!(mem.frames().info(copy).kind, FrameKind::Anon(_))
            {
                return Some(CopiedPage { vpn, copy, original });
            }
            rest.start = Vpn(vpn.0 + 1);
        }
        None
    }
}
