//! What is done otherwise so that mechanisms can be compared with doing without them. Programs see no difference.

use crate::frame::{FrameId, FrameKind};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::rmap::Mapper;

/// How memory is treated where there is a choice; at first as systems with demand paging and copy-on-write do.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Switches {
    /// `fork` copies every private frame at once.
    pub copies_at_fork: bool,
    /// [`PhysMem::note_use`] is told of entries of pages of files that have been used, when they go or lose their A bit.
    pub tells_uses: bool,
}

impl<P: PhysMem> Memory<P> {
    /// An entry that maps a frame, and has its A bit, goes or loses it.
    #[inline]
    pub(crate) fn tell_use(&mut self, frame: FrameId, mapper: Mapper) {
        if self.switches().tells_uses {
            self.tell_use_of_page(frame, mapper);
        }
    }

    #[cold]
    fn tell_use_of_page(&mut self, frame: FrameId, mapper: Mapper) {
        if let FrameKind::PageCache(_) = self.frames().info(frame).kind {
            let space = self.space(mapper.space).id;
            self.phys_mut().note_use(frame.ppn(), space, mapper.vpn);
        }
    }
}
