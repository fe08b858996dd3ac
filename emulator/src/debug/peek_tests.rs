//! Where the bytes of a page come from that no entry maps, one row a kind of page.

use super::peek::{Files, View, read};
use super::target::Memory;
use crate::source::Programs;
use crate::trace::{Event, Trace};
use isa::events::{EventKind as K, EventRecord, VMA_EXEC, VMA_READ, VMA_SHARED, VMA_WRITE};
use isa::paging::Satp;
use isa::{PhysAddr, Ppn, Step, VirtAddr};
use std::collections::BTreeMap;
use std::rc::Rc;

const PROGRAM: &str = "/bin/demo";
const TEXT: u64 = 0x1_0000;
const ANONYMOUS: u64 = 0x2_0000;
const SHARED: u64 = 0x3_0000;
const LOST: u64 = 0x4_0000;
const PAGE: u64 = 0x1000;

/// Frames and slots that are filled with a byte each; all other RAM is zeros, so that no page table maps anything.
#[derive(Default)]
struct Filled {
    frames: BTreeMap<u64, u8>,
    slots: BTreeMap<u64, Vec<u8>>,
}

impl Memory for Filled {
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool {
        into.fill(self.frames.get(&at.page().0).copied().unwrap_or(0));
        true
    }
    fn swap_page(&self, slot: u64) -> Option<&[u8]> {
        self.slots.get(&slot).map(Vec::as_slice)
    }
}

/// A process with mappings of all kinds, what its events have told, and the machine.
struct Scene {
    trace: Trace,
    memory: Filled,
    step: u64,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self { trace: Trace::default(), memory: Filled::default(), step: 0 };
        scene.push(K::Exec, PROGRAM, |r| (r.detail, r.detail2) = (TEXT, Satp::sv39(Ppn(1), 1).0));
        let (private, shared) = (VMA_READ | VMA_WRITE, VMA_READ | VMA_WRITE | VMA_SHARED);
        for (start, pages, file, flags, name) in [
            (TEXT, 3, 7, VMA_READ | VMA_EXEC, PROGRAM),
            (ANONYMOUS, 2, 0, private, ""),
            (SHARED, 3, 8, shared, "/dev/zero (deleted)"),
            (LOST, 1, 9, private, "/lost"),
        ] {
            scene.push(K::Mmap, name, |r| {
                (r.va, r.va_end, r.detail, r.detail3) = (start, start + pages * PAGE, file, flags);
            });
        }
        scene
    }
    fn push(&mut self, kind: K, text: &str, fill: impl FnOnce(&mut EventRecord)) {
        self.step += 1;
        let mut record =
            EventRecord { kind: kind as u64, pid: 1, tid: 1, space: 1, ..EventRecord::default() };
        fill(&mut record);
        self.trace.fold(&Event::new(Step(self.step), 0, &record, text.as_bytes()));
    }
    /// The first and the last byte of what is read, and where it comes from; or the address and why there is nothing.
    fn read(&self, va: u64, len: usize) -> Result<(u8, u8, Vec<String>), (u64, String)> {
        // A page and a half.
        let file = [vec![0x11; 0x1000], vec![0x22; 0x800]].concat();
        let programs = Programs::new(Box::new(move |path| (path == PROGRAM).then(|| file.clone())));
        let files = Files::new(Rc::new(programs));
        let view = View { memory: &self.memory, trace: &self.trace, files: &files };
        let mut bytes = vec![0xee; len];
        match read(&view, 1, Satp::sv39(Ppn(1), 1), VirtAddr(va), &mut bytes) {
            Ok(sources) => {
                let words = sources.iter().map(|(_, source)| source.words()).collect();
                Ok((bytes[0], bytes[len - 1], words))
            }
            Err((at, why)) => Err((at.0, why)),
        }
    }
    #[track_caller]
    fn check(&self, va: u64, len: usize, ends: (u8, u8), sources: &[&str]) {
        let (first, last, words) = self.read(va, len).unwrap();
        assert_eq!((first, last), ends, "{va:#x}");
        assert_eq!(words, sources, "{va:#x}");
    }
    #[track_caller]
    fn check_none(&self, va: u64, len: usize, at: u64, part: &str) {
        let (found, why) = self.read(va, len).unwrap_err();
        assert_eq!(found, at);
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn a_file_is_read_where_it_lies() {
    let scene = Scene::new();
    scene.check(TEXT + 8, 4, (0x11, 0x11), &["this is page 0 of /bin/demo"]);
    // Behind the file's end its last page reads as zeros.
    scene.check(TEXT + PAGE, 0x1000, (0x22, 0), &["this is page 1 of /bin/demo"]);
    scene.check(
        TEXT + 0xffc,
        8,
        (0x11, 0x22),
        &["this is page 0 of /bin/demo", "this is page 1 of /bin/demo"],
    );
    scene.check_none(TEXT + 2 * PAGE, 4, TEXT + 2 * PAGE, "/bin/demo ends before this page");
    scene.check_none(LOST, 4, LOST, "not in memory, and /lost cannot be read from here");
}

#[test]
fn a_file_that_cannot_be_read_may_be_in_the_page_cache() {
    let mut scene = Scene::new();
    scene.push(K::CacheFill, "", |r| (r.frame, r.detail, r.detail2) = (50, 9, 0));
    scene.memory.frames.insert(50, 0x33);
    scene.check(LOST, 4, (0x33, 0x33), &["this is page 0 of /lost, from the page cache"]);
}

#[test]
fn what_nobody_has_touched_is_zeros() {
    let scene = Scene::new();
    for va in [ANONYMOUS, SHARED] {
        scene.check(va, 4, (0, 0), &["its first touch shows zeros"]);
    }
    scene.check_none(
        ANONYMOUS + PAGE,
        0x1008,
        ANONYMOUS + 2 * PAGE,
        "not mapped: no mapping has ever held it",
    );
    scene.check_none(0xffff_ffc0_8020_0000, 4, 0xffff_ffc0_8020_0000, "not RAM");
}

#[test]
fn a_page_in_swap_space_is_read_from_its_slot_or_the_swap_cache() {
    let mut scene = Scene::new();
    scene.push(K::Zero, "", |r| (r.va, r.frame) = (ANONYMOUS, 60));
    // The kernel is at it: the entry is not there yet.
    scene.check_none(ANONYMOUS, 4, ANONYMOUS, "not mapped");
    scene.push(K::SwapOut, "", |r| (r.frame, r.refs, r.space, r.pid) = (60, 5, 0, 0));
    scene.check_none(ANONYMOUS, 4, ANONYMOUS, "in swap slot 5, which cannot be read from here");
    scene.memory.slots.insert(5, vec![0x44; 0x1000]);
    scene.check(ANONYMOUS, 4, (0x44, 0x44), &["this is swap slot 5"]);
    scene.push(K::SwapCache, "", |r| (r.frame, r.detail, r.pid, r.space) = (61, 5, 0, 0));
    scene.memory.frames.insert(61, 0x55);
    scene.check(ANONYMOUS, 4, (0x55, 0x55), &["this is the page of swap slot 5, which is in memory"]);
}
