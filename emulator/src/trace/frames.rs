//! Which frames hold pages, who maps them, and which frames the kernel has for itself.

use isa::{Ppn, Vpn, frame_table};
use std::collections::{BTreeMap, BTreeSet};

/// What a frame holds, as far as the stream tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameContent {
    /// The shared zero page.
    Zero,
    /// Private memory of a process, or of several that share it copy-on-write.
    Anonymous,
    /// A page of a file, in the page cache.
    File {
        /// The kernel's number of the file.
        file: u64,
        /// The page within the file.
        page: u64,
    },
    /// The page of a swap slot, which nobody maps: it is being written or read, or was asked for meanwhile.
    Swap {
        /// The slot.
        slot: u64,
    },
    /// A page of a file that was cut or removed: the page cache has given it up, someone maps it or reads into it still.
    Dropped,
}

/// What a frame that holds no page of a program or file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SystemUse {
    /// The kernel's own: stacks, heap, buffers.
    Kernel,
    /// A page table of a process.
    PageTable,
}

/// A frame that holds a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameView {
    /// What it holds.
    pub content: FrameContent,
    /// Where it is mapped: address space (its number) and page.
    pub mappings: BTreeSet<(u64, Vpn)>,
}

/// All frames that the stream has told of and that are not free again.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    frames: BTreeMap<Ppn, FrameView>,
    system: BTreeMap<Ppn, SystemUse>,
    /// How many of `system` are page tables.
    page_tables: u64,
    /// How many of `frames` are private memory, or on their way between memory and swap space.
    private: u64,
    /// Frames of swap slots that the disk fills.
    being_read: BTreeSet<Ppn>,
    /// The slots whose page lies in a frame: it is on its way there or back, or it is private memory that has been brought back, or from which one of
    /// several who map it was taken. Whoever names such a slot has that page.
    slots: BTreeMap<Ppn, u64>,
    /// The same by slots.
    frames_of_slots: BTreeMap<u64, Ppn>,
}

impl Frames {
    /// How many hold a page now.
    pub(super) fn len(&self) -> u64 {
        self.frames.len() as u64
    }
    /// How many are page tables now.
    pub(super) fn page_tables(&self) -> u64 {
        self.page_tables
    }
    /// How many are private memory of processes now, or hold the page of a swap slot.
    pub(super) fn private(&self) -> u64 {
        self.private
    }
    pub(super) fn system(&self) -> impl Iterator<Item = (Ppn, SystemUse)> + '_ {
        self.system.iter().map(|(&ppn, &system_use)| (ppn, system_use))
    }
    pub(super) fn get(&self, frame: Ppn) -> Option<&FrameView> {
        self.frames.get(&frame)
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ppn, &FrameView)> {
        self.frames.iter().map(|(&ppn, frame)| (ppn, frame))
    }

    /// `frame` was taken by the kernel, for a `KIND_` of its frame table.
    pub(super) fn take(&mut self, frame: Ppn, kind: u64) {
        self.forget(frame);
        match u32::try_from(kind) {
            Ok(frame_table::KIND_KERNEL) => drop(self.system.insert(frame, SystemUse::Kernel)),
            Ok(frame_table::KIND_PAGE_TABLE) => {
                self.system.insert(frame, SystemUse::PageTable);
                self.page_tables += 1;
            }
            Ok(frame_table::KIND_ZERO) => self.hold(frame, FrameContent::Zero),
            _ => {}
        }
    }
    /// The page cache has given up the page in `frame`, which may still be mapped.
    pub(super) fn drop_cached(&mut self, frame: Ppn) {
        if let Some(view) = self.frames.get_mut(&frame) {
            self.private -= u64::from(is_private(view.content));
            view.content = FrameContent::Dropped;
        }
    }
    /// `frame` holds `content` now. Another content than before is a new tenant.
    pub(super) fn hold(&mut self, frame: Ppn, content: FrameContent) {
        if self.frames.get(&frame).is_none_or(|view| view.content != content) {
            self.remove(frame);
            self.private += u64::from(is_private(content));
            self.frames.insert(frame, FrameView { content, mappings: BTreeSet::new() });
            if let FrameContent::Swap { slot } = content {
                self.name_slot(frame, slot);
            }
        }
    }
    /// `frame` is mapped at a page.
    pub(super) fn map(&mut self, frame: Ppn, space: u64, vpn: Vpn) {
        if let Some(view) = self.frames.get_mut(&frame) {
            view.mappings.insert((space, vpn));
        }
    }
    /// `frame` is not mapped there any more. Anonymous memory that nobody maps is free; the page cache keeps its pages.
    pub(super) fn unmap(&mut self, frame: Ppn, space: u64, vpn: Vpn) {
        let Some(view) = self.frames.get_mut(&frame) else { return };
        let was_mapped = view.mappings.remove(&(space, vpn));
        if was_mapped && view.mappings.is_empty() && view.content == FrameContent::Anonymous {
            self.remove(frame);
        }
    }
    /// The disk fills `frame`, which holds the page of a slot.
    pub(super) fn begin_read(&mut self, frame: Ppn) {
        self.being_read.insert(frame);
    }
    /// The page of a slot lies in `frame`.
    pub(super) fn name_slot(&mut self, frame: Ppn, slot: u64) {
        self.forget_slot(frame);
        if let Some(other) = self.frames_of_slots.insert(slot, frame) {
            self.slots.remove(&other);
        }
        self.slots.insert(frame, slot);
    }
    fn forget_slot(&mut self, frame: Ppn) {
        if let Some(slot) = self.slots.remove(&frame) {
            self.frames_of_slots.remove(&slot);
        }
    }
    /// The frame in which the page of a slot lies whole, if it is in memory.
    pub(super) fn frame_of_slot(&self, slot: u64) -> Option<Ppn> {
        self.frames_of_slots.get(&slot).copied().filter(|frame| !self.being_read.contains(frame))
    }
    fn remove(&mut self, frame: Ppn) -> Option<FrameView> {
        self.being_read.remove(&frame);
        self.forget_slot(frame);
        let before = self.frames.remove(&frame)?;
        self.private -= u64::from(is_private(before.content));
        Some(before)
    }
    /// `frame` holds nothing any more.
    pub(super) fn forget(&mut self, frame: Ppn) {
        self.remove(frame);
        if self.system.remove(&frame) == Some(SystemUse::PageTable) {
            self.page_tables -= 1;
        }
    }
    /// The page in a frame goes out to a slot (0: it was zeros, and needs none). Until it is written the frame is kept for it. Returns where it was mapped.
    pub(super) fn swap_out(&mut self, frame: Ppn, slot: u64, is_written: bool) -> BTreeSet<(u64, Vpn)> {
        let mappings = self.remove(frame).map(|view| view.mappings).unwrap_or_default();
        if is_written {
            self.hold(frame, FrameContent::Swap { slot });
        }
        mappings
    }
    /// The page cache gives a page up: by its frame, or where that is not told by file and page. Returns where it was mapped.
    pub(super) fn evict(&mut self, frame: Ppn, file: u64, page: u64) -> BTreeSet<(u64, Vpn)> {
        let content = FrameContent::File { file, page };
        let told = (frame.0 != 0).then_some(frame);
        let found = told.or_else(|| {
            self.frames.iter().find(|(_, view)| view.content == content).map(|(&frame, _)| frame)
        });
        let mappings = found.and_then(|frame| self.frames.get(&frame)).map(|view| view.mappings.clone());
        found.into_iter().for_each(|frame| self.forget(frame));
        mappings.unwrap_or_default()
    }
}

/// Whether such a page is one process's, or of those that it has forked: pages of slots mostly are.
fn is_private(content: FrameContent) -> bool {
    matches!(content, FrameContent::Anonymous | FrameContent::Swap { .. })
}
