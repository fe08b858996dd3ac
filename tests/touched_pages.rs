//! Demand paging, checked against what the guest kernel has no say in: the blocks that the disk was asked for are those
//! behind the addresses that user mode touched, no more and no fewer. RAM is full of junk at the start.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // a 64-bit host; a test may stop

use emulator::exec::{MemoryAccess, Observer};
use emulator::hart::Hart;
use emulator::host::{DiskError, DiskImage, EventAction, EventSink};
use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{GuestExit, Machine, MachineConfig, StopReason};
use emulator::trace::Event;
use isa::events::{EventKind, EventRecord};
use isa::insn::Insn;
use isa::{PAGE_SIZE, PhysAddr, Privilege, Step, VirtAddr, Vpn};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A disk that remembers which of its 4 KiB blocks were read.
struct WatchedDisk {
    inner: Box<dyn DiskImage>,
    blocks: Rc<RefCell<BTreeSet<u64>>>,
}

impl DiskImage for WatchedDisk {
    fn len_bytes(&self) -> u64 {
        self.inner.len_bytes()
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let end = offset_bytes + buffer.len() as u64;
        self.blocks.borrow_mut().extend(offset_bytes / PAGE_SIZE..end.div_ceil(PAGE_SIZE));
        self.inner.read(offset_bytes, buffer)
    }
}

/// Hears all events.
#[derive(Clone, Default)]
struct Ear(Rc<RefCell<Heard>>);

#[derive(Default)]
struct Heard {
    events: Vec<Event>,
}

impl EventSink for Ear {
    fn event(&mut self, at: Step, hart: usize, record: &EventRecord, text: &[u8]) -> EventAction {
        let event = Event::new(at, hart, record, text);
        let mut heard = self.0.borrow_mut();
        heard.events.push(event);
        EventAction::Continue
    }
}

/// A machine that is about to run one of the built-in programs.
struct Run {
    machine: Machine,
    ear: Ear,
    elf: &'static [u8],
    path: String,
    /// Blocks of the disk that were read.
    blocks: Rc<RefCell<BTreeSet<u64>>>,
    /// Where on the disk each page of the program's file lies.
    file_blocks: BTreeMap<u64, u64>,
}

impl Run {
    fn new(words: &[&str]) -> Self {
        let name = words[0];
        let elf = guest_os::PROGRAMS.iter().find(|(n, _)| *n == name).expect("a built-in program").1;
        let image = || RootImage::from_bytes(name, elf).unwrap().into_disk();
        let blocks = Rc::new(RefCell::new(BTreeSet::new()));
        let disk = WatchedDisk { inner: image(), blocks: blocks.clone() };
        let config = MachineConfig { ram_bytes: 32 << 20, ..MachineConfig::default() };
        let mut machine = Machine::new(config).unwrap();
        // What RAM holds at power-on is anyone's guess.
        for page in 0..(32 << 20) / PAGE_SIZE {
            let at = PhysAddr(isa::platform::RAM_BASE.0 + page * PAGE_SIZE);
            assert!(machine.write_ram(at, &[0x99; PAGE_SIZE as usize]));
        }
        let ear = Ear::default();
        machine.set_event_sink(Some(Box::new(ear.clone())));
        machine.attach_disk(Box::new(disk), true).unwrap();
        let path = program_path(name);
        let argv: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let chosen = Chosen { program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
        machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).unwrap();
        Self { machine, ear, elf, path, blocks, file_blocks: blocks_of(image(), elf) }
    }

    /// The pages of the program's file that the disk was asked for.
    fn file_pages_read(&self) -> BTreeSet<u64> {
        let read = self.blocks.borrow();
        self.file_blocks.iter().filter(|(_, block)| read.contains(block)).map(|(&page, _)| page).collect()
    }
}

/// Where each page of a file lies on a disk, by its contents; of several blocks that are alike, the one behind the block of the
/// page before. Pages that this does not settle are left out.
fn blocks_of(mut disk: Box<dyn DiskImage>, file: &[u8]) -> BTreeMap<u64, u64> {
    let mut block = vec![0; PAGE_SIZE as usize];
    let mut seen: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    for number in 0..disk.len_bytes() / PAGE_SIZE {
        disk.read(number * PAGE_SIZE, &mut block).unwrap();
        seen.entry(block.clone()).or_default().push(number);
    }
    let mut found = BTreeMap::new();
    let mut before = None;
    for (page, bytes) in (0..).zip(file.chunks(PAGE_SIZE as usize)) {
        let mut bytes = bytes.to_vec();
        bytes.resize(PAGE_SIZE as usize, 0);
        let alike = seen.get(&bytes).map_or(&[][..], Vec::as_slice);
        before = match (alike, before) {
            ([only], _) => Some(*only),
            (several, Some(before)) => several.iter().copied().find(|&number| number == before + 1),
            _ => None,
        };
        if let Some(number) = before {
            found.insert(page, number);
        }
    }
    found
}

/// Notes the pages that user mode touches: fetches, loads and stores that happened.
#[derive(Default)]
struct Touched {
    pages: BTreeSet<Vpn>,
    user: bool,
}

impl Observer for Touched {
    fn before(&mut self, hart: &Hart, _: Step) -> std::ops::ControlFlow<()> {
        self.user = hart.privilege == Privilege::User;
        std::ops::ControlFlow::Continue(())
    }
    fn retired(&mut self, _: &Hart, _: Step, pc: VirtAddr, insn: &Insn) {
        if self.user {
            self.pages.insert(pc.page());
            self.pages.insert(pc.wrapping_add(u64::from(insn.len) - 1).page());
        }
    }
    fn memory(&mut self, access: MemoryAccess) {
        if self.user {
            self.pages.insert(access.va.page());
            self.pages.insert(access.va.wrapping_add(u64::from(access.width_bytes) - 1).page());
        }
    }
}

#[test]
fn the_pages_read_are_the_pages_touched() {
    let mut run = Run::new(&["demand", "7", "130", "7"]);
    let mut touched = Touched::default();
    let end = run.machine.run_observed(Step(10_000_000_000), &mut touched);
    assert_eq!(end, StopReason::Exit(GuestExit::Status(0)));

    // The mappings of the program's file, as they were made.
    let heard = run.ear.0.borrow();
    let mappings: Vec<&EventRecord> = heard
        .events
        .iter()
        .filter(|event| event.kind() == Some(EventKind::Mmap) && event.text == run.path)
        .map(|event| &event.record)
        .collect();
    assert!(mappings.len() >= 2, "text and data at least");
    let page_of_file = |vpn: &Vpn| {
        let mapping = mappings.iter().find(|m| (m.va..m.va_end).contains(&vpn.base().0))?;
        Some((mapping.detail2 + vpn.base().0 - mapping.va) / PAGE_SIZE)
    };
    // The kernel touches pages for the program too, when it copies what a system call names.
    let copied =
        heard.events.iter().filter(|event| event.kernel_copy()).map(|event| VirtAddr(event.record.va).page());
    let mut wanted: BTreeSet<u64> = touched.pages.iter().filter_map(page_of_file).collect();
    wanted.extend(copied.filter_map(|vpn| page_of_file(&vpn)));
    // And `execve` reads the page with the ELF headers.
    wanted.insert(0);

    let known: BTreeSet<u64> = run.file_blocks.keys().copied().collect();
    let read = run.file_pages_read();
    assert_eq!(read, wanted.intersection(&known).copied().collect(), "read from disk, and touched");
    let pages = run.elf.len() as u64 / PAGE_SIZE;
    assert!(pages > 250 && known.len() > 250 && read.len() < 12, "{} of {pages} pages were read", read.len());
    // Each page named costs one page from disk, and the second time none.
    drop(heard);
    let none = {
        let mut run = Run::new(&["demand", "300"]);
        assert!(matches!(run.machine.run(Step(10_000_000_000)), StopReason::Exit(GuestExit::Status(2))));
        run.file_pages_read()
    };
    let book = |read: &BTreeSet<u64>| read.iter().filter(|page| !none.contains(page)).count();
    let mut one = Run::new(&["demand", "7"]);
    assert_eq!(one.machine.run(Step(10_000_000_000)), StopReason::Exit(GuestExit::Status(0)));
    assert_eq!(book(&read) - book(&one.file_pages_read()), 1);
}
