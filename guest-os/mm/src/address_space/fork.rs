//! `fork`: a second address space with the same pages, shared copy-on-write.

use super::{AddressSpace, Flush, SpaceId};
use crate::frame::{FrameKind, OutOfFrames};
use crate::layout::USER_END_PAGE;
use crate::memory::Memory;
use crate::page_table::mapped_frame;
use crate::phys::PhysMem;
use crate::pte;
use crate::rmap::OwnerLists;
use crate::vma::{PageRange, Vma, VmaFlags};
use alloc::vec::Vec;
use isa::paging::{Pte, PteFlags};
use isa::{Ppn, Vpn};

/// Which entries of its parent's page tables the child of a `fork` begins with.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum ForkMaps {
    /// Those that no fault would bring back: of each private mapping that has anonymous frames, all entries, and of the others
    /// none. The child faults once for each page of a file that it uses, and nothing is done for those that it does not. As Linux does.
    #[default]
    Needed,
    /// All: the child has no fault for what its parent had mapped.
    All,
}

/// A VMA whose entries the child has, too: a `cow_share` event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SharedRange {
    /// The pages of the VMA.
    pub range: PageRange,
    /// How many anonymous frames of it are shared copy-on-write.
    pub frames: u64,
    /// Of how many the child has a copy.
    pub copies: u64,
}

/// A VMA whose pages the child has not, because the program said so (MADV_DONTFORK, MADV_WIPEONFORK).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// The pages of the VMA.
    pub range: PageRange,
    /// Whether the child has the VMA, in which it finds zeros.
    pub keeps_vma: bool,
}

const EVERYTHING: PageRange = PageRange { start: Vpn(0), end: USER_END_PAGE };

/// An address space was forked.
#[derive(Debug)]
pub struct ForkReport {
    /// The new address space.
    pub child: AddressSpace,
    /// What parent and child both map, VMA by VMA.
    pub shared: Vec<SharedRange>,
    /// What the child has not.
    pub left_out: Vec<LeftOut>,
    /// What the TLB must forget of the *parent*: its private pages have become read-only.
    pub flush: Flush,
}

impl AddressSpace {
    /// Bytes of kernel memory that [`AddressSpace::fork`] takes at most: copies of the VMAs in their trees, the lists that it returns, and the second
    /// owners of shared frames.
    pub fn fork_bytes<P: PhysMem>(&self, mem: &Memory<P>) -> usize {
        /// What a VMA costs at most: its part of the trees' nodes (VMAs, intervals of files, gaps), and of the lists of what is shared.
        const VMA_BYTES: usize = 640;
        let anon_pages = usize::try_from(mem.space(self.key).anon_pages).unwrap_or(usize::MAX);
        self.vmas.len() * VMA_BYTES + OwnerLists::bytes_for(anon_pages)
    }

    /// Frames that [`AddressSpace::fork`] takes at most: the child has at most as many page tables as its parent.
    pub fn frames_to_fork<P: PhysMem>(&self, mem: &Memory<P>) -> u64 {
        self.page_table().tables(mem) + self.frames_to_copy(mem)
    }

    /// Makes a copy of the address space without copying a page (but see [`Switches::copies_at_fork`](crate::Switches)). The child maps what [`ForkMaps`] says, but where a VMA's flags keep
    /// it from the child; private
    /// pages lose their W bit in both, so that the first store to one of them decides (`cow_copy` or `cow_reuse`).
    /// Pages that were never touched are not touched by this either.
    ///
    /// The caller sees to memory for a copy of the VMAs. If there are not enough frames for the child's page tables, no child is left behind; the parent may have
    /// lost W bits, so its flush is to be applied in any case: after an error, flush all of it.
    pub fn fork<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        child_id: SpaceId,
        child_asid: u16,
        template: Option<Ppn>,
    ) -> Result<ForkReport, OutOfFrames> {
        let first = self.try_fork(mem, child_id, child_asid, template);
        if first.is_ok() {
            return first;
        }
        // With frames for all it was not for want of frames.
        let needed = self.frames_to_fork(mem);
        if mem.frames().free() >= needed {
            return first;
        }
        mem.make_room(needed)?;
        let mut second = self.try_fork(mem, child_id, child_asid, template);
        if let Ok(report) = &mut second {
            // The first attempt has taken W bits, of which the second one knows nothing.
            report.flush = Flush::All;
        }
        second
    }

    #[inline(never)] // twice in its caller it would take twice the stack
    fn try_fork<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        child_id: SpaceId,
        child_asid: u16,
        template: Option<Ppn>,
    ) -> Result<ForkReport, OutOfFrames> {
        let mut shared = Vec::new();
        shared.try_reserve_exact(self.vmas.len()).map_err(|_| OutOfFrames)?;
        let mut child = AddressSpace::new(mem, child_id, child_asid, template)?;
        child.vmas = self.vmas.copy_for(child.key, mem.file_mappings_mut());
        child.heap = self.heap;
        child.stack_limit_pages = self.stack_limit_pages;
        child.mmap_base = self.mmap_base;
        mem.set_budget(child.key, self.budget(mem));

        // Locks are not inherited.
        if child.vmas.locked_pages() > 0
            && child
                .vmas
                .set_flags(mem.file_mappings_mut(), EVERYTHING, VmaFlags::empty(), VmaFlags::LOCKS)
                .is_err()
        {
            child.teardown(mem);
            return Err(OutOfFrames);
        }

        let mut left_out = Vec::new();
        let mut flush = Flush::None;
        let mut next = self.vmas.iter().next().cloned();
        while let Some(vma) = next {
            next = self.vmas.next_above(vma.range.start).cloned();
            if vma.flags.intersects(VmaFlags::DONT_FORK | VmaFlags::WIPE_ON_FORK) {
                let keeps_vma = !vma.flags.contains(VmaFlags::DONT_FORK);
                let listed = left_out.try_reserve(1).map_err(|_| OutOfFrames);
                if listed.and_then(|()| child.leave_out(mem, &vma, keeps_vma)).is_err() {
                    child.teardown(mem);
                    return Err(OutOfFrames);
                }
                left_out.push(LeftOut { range: vma.range, keeps_vma });
                continue;
            }
            if mem.fork_maps() == ForkMaps::Needed && !self.has_private_pages(mem, &vma) {
                continue;
            }
            match self.share_pages(mem, &mut child, &vma) {
                Ok((entries, [frames, copies], changed)) => {
                    flush = flush.and(changed);
                    if entries > 0 {
                        shared.push(SharedRange { range: vma.range, frames, copies });
                    }
                }
                Err(OutOfFrames) => {
                    child.teardown(mem);
                    return Err(OutOfFrames);
                }
            }
        }
        Ok(ForkReport { child, shared, left_out, flush })
    }

    /// Keeps the pages of a VMA from a child of which no page is mapped yet, and the VMA itself, too, unless it keeps that.
    fn leave_out<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        vma: &Vma,
        keeps_vma: bool,
    ) -> Result<(), OutOfFrames> {
        if keeps_vma { Ok(()) } else { self.unmap(mem, vma.range).map(|_| ()).map_err(|_| OutOfFrames) }
    }

    /// Whether the VMA has private pages, in memory or in swap space: what no fault can bring back but from the entries.
    fn has_private_pages<P: PhysMem>(&self, mem: &Memory<P>, vma: &Vma) -> bool {
        let mut rest = vma.range;
        while !vma.is_shared()
            && let Some((vpn, pte)) = self.next_entry(mem, rest)
        {
            if is_private(mem, pte) {
                return true;
            }
            rest.start = Vpn(vpn.0 + 1);
        }
        false
    }

    /// Gives the child a VMA's entries. How many there are, for how many anonymous frames, shared copy-on-write and copied, and what to flush.
    fn share_pages<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        child: &mut AddressSpace,
        vma: &Vma,
    ) -> Result<(u64, [u64; 2], Flush), OutOfFrames> {
        let (mut entries, mut frames, mut copies) = (0, 0, 0);
        let mut flush = Flush::None;
        self.for_each_entry(mem, vma.range, |parent, mem, vpn: Vpn, old| {
            entries += 1;
            if !old.is_valid() {
                // The child finds the page where the parent does.
                let _child_is_not_running = child.set_pte(mem, vpn, old)?;
                return Ok(());
            }
            let anon = is_anonymous(mem, old);
            if anon && mem.switches().copies_at_fork {
                copies += 1;
                return child.take_copy(mem, vpn, old, vma.prot);
            }
            let shared = if anon { shared_entry(old) } else { old };
            // The child has neither used nor changed the page, nor does it lock it.
            let of_child = shared.with_flags(shared.flags() - (PteFlags::A | PteFlags::D | pte::LOCKED));
            let _child_is_not_running = child.set_pte(mem, vpn, of_child)?;
            if anon {
                frames += 1;
                flush = flush.and(parent.set_pte(mem, vpn, shared)?);
            }
            Ok(())
        })?;
        Ok((entries, [frames, copies], flush))
    }
}

fn is_private<P: PhysMem>(mem: &Memory<P>, pte: Pte) -> bool {
    !pte.is_valid() || is_anonymous(mem, pte)
}

fn is_anonymous<P: PhysMem>(mem: &Memory<P>, pte: Pte) -> bool {
    mapped_frame(mem, pte).is_some_and(|frame| matches!(mem.frames().info(frame).kind, FrameKind::Anon(_)))
}

/// The entry of a private page in both address spaces after a fork.
fn shared_entry(old: Pte) -> Pte {
    old.with_flags((old.flags() - PteFlags::W) | pte::COW)
}
