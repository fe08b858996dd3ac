//! Which frames hold pages, and who maps them.

use isa::{Ppn, Vpn};
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
}

/// A frame that holds a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameView {
    /// What it holds.
    pub content: FrameContent,
    /// Where it is mapped: address space (its `satp`) and page.
    pub mappings: BTreeSet<(u64, Vpn)>,
}

/// All frames that the stream has told of and that are not free again.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    frames: BTreeMap<Ppn, FrameView>,
}

impl Frames {
    /// How many hold a page now.
    pub(super) fn len(&self) -> u64 {
        self.frames.len() as u64
    }
    pub(super) fn get(&self, frame: Ppn) -> Option<&FrameView> {
        self.frames.get(&frame)
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ppn, &FrameView)> {
        self.frames.iter().map(|(&ppn, frame)| (ppn, frame))
    }

    /// `frame` holds `content` now. Anonymous memory in a frame that held something else is a new tenant.
    pub(super) fn hold(&mut self, frame: Ppn, content: FrameContent) {
        let view =
            self.frames.entry(frame).or_insert_with(|| FrameView { content, mappings: BTreeSet::new() });
        if view.content != content {
            *view = FrameView { content, mappings: BTreeSet::new() };
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
            self.frames.remove(&frame);
        }
    }
    /// `frame` holds nothing any more.
    pub(super) fn forget(&mut self, frame: Ppn) {
        self.frames.remove(&frame);
    }
    /// The page cache gives a page up: by its frame, or where that is not told by file and page.
    pub(super) fn evict(&mut self, frame: Ppn, file: u64, page: u64) {
        if frame.0 != 0 {
            self.forget(frame);
        } else {
            self.frames.retain(|_, view| view.content != FrameContent::File { file, page });
        }
    }
}
