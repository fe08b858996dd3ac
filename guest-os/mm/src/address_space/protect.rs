//! `protect`: change what the program may do with a range, in the VMAs and in the entries of the mapped pages.

use super::{AddressSpace, Flush, MapError};
use crate::frame::FrameKind;
use crate::memory::Memory;
use crate::page_table::mapped_frame;
use crate::phys::PhysMem;
use crate::pte::{self, Stores};
use crate::vma::{PageRange, Prot, Vma};
use alloc::vec::Vec;
use core::convert::Infallible;
use isa::paging::{Pte, PteFlags};

impl AddressSpace {
    /// Gives the whole range another protection. Returns the VMAs that have changed, as they are now.
    ///
    /// Unlike Linux, which changes the pages before a gap and then fails, a range with a gap is left as it was.
    pub fn protect<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        range: PageRange,
        prot: Prot,
    ) -> Result<(Vec<Vma>, Flush), MapError> {
        let changed = self.vmas.protect(mem.file_mappings_mut(), range, prot)?;
        let mut flush = Flush::None;
        for vma in &changed {
            let done: Result<(), Infallible> = self.for_each_entry(mem, vma.range, |space, mem, vpn, old| {
                let new = protected(mem, old, prot);
                flush = flush.and(space.set_flags(mem, vpn, old, new.flags()));
                Ok(())
            });
            let Ok(()) = done;
        }
        Ok((changed, flush))
    }
}

/// A mapped page's entry under another protection.
///
/// W is set at once only where it can't let a store through to anyone else: on an anonymous frame with one owner that is
/// not waiting for a copy-on-write decision. Everywhere else the next store faults and `decide` says what it needs.
fn protected<P: PhysMem>(mem: &Memory<P>, old: Pte, prot: Prot) -> Pte {
    let Some(frame) = mapped_frame(mem, old) else { return old };
    let info = mem.frames().info(frame);
    let sole_owner = matches!(info.kind, FrameKind::Anon(_)) && mem.sharers(frame, info.maps) == 1;
    let stores =
        if sole_owner && !old.flags().contains(pte::COW) { Stores::AsProtected } else { Stores::Forbidden };
    let kept = PteFlags::V | PteFlags::A | PteFlags::D | pte::COW | pte::LOCKED;
    old.with_flags(old.flags() & kept | pte::permissions(prot, stores))
}
