//! A process as the slow model has it: a page is there or it is not, and has its bytes.

use super::{PAGE, RW, STACK_LIMIT};
use isa::{VirtAddr, Vpn};
use mm::Prot;
use mm::fault::FaultSignal;
use mm::layout::{STACK_GUARD_PAGES, STACK_TOP};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The bytes of a page as the model has them.
#[derive(Clone)]
pub enum Bytes {
    Private(Box<[u8; PAGE]>),
    Shared(Rc<RefCell<Box<[u8; PAGE]>>>),
    /// Past the end of its file.
    Beyond,
}

#[derive(Clone)]
pub struct ModelPage {
    pub prot: Prot,
    pub stack: bool,
    pub bytes: Bytes,
    /// Used, and stored to, since it was mapped or this was forgotten.
    pub accessed: bool,
    pub dirty: bool,
    /// What it holds before anyone has stored to it.
    pub fresh: Bytes,
    pub is_anon: bool,
    /// It may hold that again, until it is stored to.
    pub is_given_up: bool,
}

/// A process as the model has it: a page is there or it is not, and has its bytes.
#[derive(Clone, Default)]
pub struct Model {
    pub pages: BTreeMap<Vpn, ModelPage>,
}

impl Model {
    fn page_for(&mut self, va: VirtAddr, write: bool) -> Result<&mut ModelPage, FaultSignal> {
        let vpn = va.page();
        if !self.pages.contains_key(&vpn) {
            self.grow_stack(vpn)?;
        }
        let page = self.pages.get_mut(&vpn).ok_or(FaultSignal::SegvMapErr)?;
        let allowed = if write { page.prot.contains(Prot::WRITE) } else { page.prot.intersects(RW) };
        match (&page.bytes, allowed) {
            (_, false) => Err(FaultSignal::SegvAccErr),
            (Bytes::Beyond, true) => Err(FaultSignal::BusAdrErr),
            _ => {
                page.accessed = true;
                page.dirty |= write;
                Ok(page)
            }
        }
    }

    fn grow_stack(&mut self, vpn: Vpn) -> Result<(), FaultSignal> {
        let Some((&lowest, above)) = self.pages.range(vpn..).next() else { return Ok(()) };
        let below = self.pages.range(..vpn).next_back().map_or(0, |(&p, _)| p.0 + 1);
        let too_large = STACK_TOP.page().0 - vpn.0 > STACK_LIMIT;
        // Right above the arena there is no guard to keep: the gap counts only to what lies below.
        let no_gap = below > 0 && vpn.0 - below < STACK_GUARD_PAGES;
        if !above.stack || too_large || no_gap {
            return Err(FaultSignal::SegvMapErr);
        }
        let fresh = ModelPage {
            bytes: above.fresh.clone(),
            accessed: false,
            dirty: false,
            is_given_up: false,
            ..above.clone()
        };
        self.pages.extend((vpn.0..lowest.0).map(|p| (Vpn(p), fresh.clone())));
        Ok(())
    }

    pub fn load(&mut self, va: VirtAddr) -> Result<u8, FaultSignal> {
        let at = va.page_offset() as usize;
        Ok(match &self.page_for(va, false)?.bytes {
            Bytes::Private(bytes) => bytes[at],
            Bytes::Shared(bytes) => bytes.borrow()[at],
            Bytes::Beyond => unreachable!(),
        })
    }

    pub fn store(&mut self, va: VirtAddr, byte: u8) -> Result<(), FaultSignal> {
        let at = va.page_offset() as usize;
        match &mut self.page_for(va, true)?.bytes {
            Bytes::Private(bytes) => bytes[at] = byte,
            Bytes::Shared(bytes) => bytes.borrow_mut()[at] = byte,
            Bytes::Beyond => unreachable!(),
        }
        Ok(())
    }
}
