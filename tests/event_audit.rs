//! The event stream against what it tells of: while the guest's programs run, the picture folded from events is held against the real page
//! tables and against the kernel's own frame table, in full at each switch of processes, each hundredth fault and the end, and for the
//! touched page at every fault. An event that is left out is found.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;

use emulator::machine::Machine;
use emulator::trace::{Away, Event, FrameContent, SystemUse, Trace};
use guest::Guest;
use isa::events::{self, EventKind};
use isa::frame_table::{self, FrameEntry};
use isa::paging::{self, ENTRIES, Pte, PteFlags, Satp, Scheme, Translation};
use isa::{PAGE_SIZE, PhysAddr, Ppn, Vpn};
use mm::pte::NotPresent;
use std::collections::{BTreeMap, BTreeSet};

/// Where the kernel's half begins (Sv39).
const USER_END: u64 = 1 << 38;

/// What an audit found wrong, in words.
type Found = Result<(), String>;

/// The fold of a stream, and what it is held against.
#[derive(Default)]
struct Audit {
    trace: Trace,
    /// Where the kernel's frame table lies, once it has told.
    table: Option<PhysAddr>,
    faults: u64,
    full: u64,
}

fn word(machine: &Machine, at: PhysAddr) -> u64 {
    machine.ram().read_u64(at).unwrap()
}

fn entry(machine: &Machine, table: PhysAddr, index: u64) -> FrameEntry {
    let at = |n: u64| PhysAddr(table.0 + index * FrameEntry::SIZE_BYTES + 8 * n);
    FrameEntry::from_words(&[0, 1, 2, 3].map(|n| word(machine, at(n))))
}

/// What the page tables of an address space say.
#[derive(Default)]
struct Tables {
    leaves: BTreeMap<Vpn, Pte>,
    /// Private pages that have left memory.
    away: BTreeMap<Vpn, Away>,
    tables: BTreeSet<Ppn>,
}

/// The leaves and the tables of the user's half below `satp`.
fn page_table(machine: &Machine, satp: Satp) -> Tables {
    let mut found = Tables::default();
    let mut rest = vec![(satp.root(), Scheme::Sv39.root_level(), 0)];
    while let Some((table, level, first)) = rest.pop() {
        found.tables.insert(table);
        let entries = if level == Scheme::Sv39.root_level() { ENTRIES / 2 } else { ENTRIES };
        for index in 0..entries {
            let pte = Pte(word(machine, PhysAddr(table.base().0 + index * paging::PTE_BYTES)));
            let vpn = first + (index << paging::pages_log2(level));
            match pte.is_valid() {
                true if level > 0 => rest.push((pte.ppn(), level - 1, vpn)),
                true => drop(found.leaves.insert(Vpn(vpn), pte)),
                false => drop(away(pte).map(|away| found.away.insert(Vpn(vpn), away))),
            }
        }
    }
    found
}

/// What an entry that is not valid says.
fn away(pte: Pte) -> Option<Away> {
    match NotPresent::decode(pte)? {
        NotPresent::Nothing => None,
        NotPresent::Zeros => Some(Away::Zeros),
        NotPresent::Swapped(slot) => Some(Away::Slot(slot.0.into())),
    }
}

/// Whether a VMA with these flags may have a page with these.
fn allows(vma: u64, page: PteFlags) -> bool {
    // Permission to write is permission to read. A page under PROT_NONE keeps R and loses U.
    let needs = [
        (PteFlags::R, events::VMA_READ | events::VMA_WRITE),
        (PteFlags::W, events::VMA_WRITE),
        (PteFlags::X, events::VMA_EXEC),
    ];
    !page.contains(PteFlags::U)
        || needs.iter().all(|&(flag, vma_flags)| !page.contains(flag) || vma & vma_flags != 0)
}

impl Audit {
    /// Takes in the next event, and looks.
    fn hear(&mut self, machine: &Machine, event: &Event, is_left_out: bool) -> Found {
        self.follows(event)?;
        self.is_by_a_thread(event)?;
        if !is_left_out {
            self.trace.fold(event);
        }
        if event.kind() == Some(EventKind::Boot) && !is_left_out {
            self.table = Some(PhysAddr(event.record.detail3));
        }
        if event.is_fault() || event.kind() == Some(EventKind::Populate) {
            self.faults += u64::from(event.is_fault());
            self.touched(machine, event)?;
        }
        let is_due = matches!(event.kind(), Some(EventKind::Switch | EventKind::Shutdown))
            || event.is_fault() && self.faults.is_multiple_of(100);
        if is_due { self.in_full(machine) } else { Ok(()) }
    }

    /// Whether an event about a frame fits what the frame was before.
    fn follows(&self, event: &Event) -> Found {
        let (record, frame) = (&event.record, Ppn(event.record.frame));
        let holds = self.trace.guest.frame(frame).map(|view| view.content);
        let system = self.trace.guest.system_frames().any(|(system, _)| system == frame);
        let told = FrameContent::File { file: record.detail, page: record.detail2 };
        let fits = match event.kind() {
            Some(EventKind::CacheFill) => matches!(holds, None | Some(FrameContent::Swap { .. })) && !system,
            Some(EventKind::FrameTake | EventKind::SwapCache) => holds.is_none() && !system,
            Some(EventKind::Evict | EventKind::CacheDrop) => holds == Some(told),
            Some(EventKind::SwapOut) if record.detail == 0 => holds == Some(FrameContent::Anonymous),
            Some(EventKind::SwapOut) => holds == Some(told),
            Some(EventKind::FrameFree) => {
                matches!(holds, Some(FrameContent::Dropped | FrameContent::Swap { .. })) || system
            }
            _ => true,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("{event:?}: the view has {holds:x?} there, the kernel's: {system}"))
        }
    }

    /// Whether the thread that an event is about is one of its process's, and alone in it where it has to be.
    fn is_by_a_thread(&self, event: &Event) -> Found {
        let record = &event.record;
        let Some(process) = self.trace.guest.process(record.pid).filter(|process| process.is_alive()) else {
            return Ok(());
        };
        let (is_alone, is_known) = (process.threads.len() == 1, process.threads.contains(&record.tid));
        let fits = match event.kind() {
            Some(EventKind::Thread) => is_known && !process.threads.contains(&record.detail),
            Some(EventKind::ThreadExit) => is_known && !is_alone,
            // Whichever thread was left has become the first.
            Some(EventKind::Exec) => is_alone && record.tid == record.pid,
            Some(EventKind::Exit) => is_known && is_alone,
            _ => is_known,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("{event:?}: the view has threads {:?} there", process.threads))
        }
    }

    /// The page of a fault.
    fn touched(&self, machine: &Machine, event: &Event) -> Found {
        let (record, vpn) = (&event.record, Vpn(event.record.va / PAGE_SIZE));
        let running = self.trace.guest.running_on(event.hart).map(|process| process.pid);
        let running = (running, self.trace.guest.thread_on(event.hart));
        if running != (Some(record.pid), Some(record.tid)) {
            return Err(format!("{event:?} while the view has process and thread {running:?} run"));
        }
        let Some(process) = self.trace.guest.process(record.pid) else { return Ok(()) };
        if process.satp == 0 || record.va >= USER_END {
            return Ok(());
        }
        let by = Translation::of(Satp(process.satp)).unwrap();
        let leaf = paging::walk(by, vpn.base(), |at| machine.ram().read_u64(at));
        let real = leaf.map_or(Pte::EMPTY, |leaf| leaf.pte);
        let kept = PteFlags::V | PteFlags::R | PteFlags::W | PteFlags::X | PteFlags::U;
        let told = Pte(record.new_pte);
        let refused = matches!(event.kind(), Some(EventKind::Protection | EventKind::Segv));
        if !refused && (real.ppn(), real.flags() & kept) != (told.ppn(), told.flags() & kept) {
            return Err(format!("{event:?} told {told:?}, and the entry is {real:?}"));
        }
        let vma = self.trace.guest.vma_at(record.pid, vpn.base());
        if real.is_valid() && vma.is_none_or(|vma| !allows(vma.flags, real.flags())) {
            return Err(format!("{event:?}: the entry is {real:?}, and the view has {vma:x?}"));
        }
        let seen = self.trace.guest.space(record.pid).and_then(|space| space.frame_of(vpn));
        let mapped = real.is_valid().then(|| real.ppn());
        if seen == mapped {
            Ok(())
        } else {
            Err(format!("{event:?}: the view has {seen:?}, the page table {mapped:?}"))
        }
    }

    fn in_full(&mut self, machine: &Machine) -> Found {
        let Some(table) = self.table else { return Ok(()) };
        self.full += 1;
        let guest = &self.trace.guest;
        let mut tables = BTreeSet::new();
        let mut spaces = BTreeSet::new();
        for process in guest.processes().filter(|process| process.is_alive() && process.satp != 0) {
            if !spaces.insert(process.satp) {
                continue;
            }
            let Tables { leaves, away, tables: own_tables } = page_table(machine, Satp(process.satp));
            tables.extend(own_tables);
            let space =
                guest.space(process.pid).ok_or(format!("process {} has no address space", process.pid))?;
            let seen: BTreeMap<Vpn, Ppn> = space.pages().collect();
            let real: BTreeMap<Vpn, Ppn> = leaves.iter().map(|(&vpn, pte)| (vpn, pte.ppn())).collect();
            if seen != real {
                let only = |a: &BTreeMap<Vpn, Ppn>, b: &BTreeMap<Vpn, Ppn>| {
                    a.iter().find(|(vpn, frame)| b.get(vpn) != Some(frame)).map(|(&vpn, &frame)| (vpn, frame))
                };
                let (more, less) = (only(&seen, &real), only(&real, &seen));
                return Err(format!(
                    "process {}: only the view has {more:x?}, only the page table {less:x?}",
                    process.pid
                ));
            }
            // An entry does not say why its page is zeros.
            let as_entry = |away| if away == Away::GivenUp { Away::Zeros } else { away };
            let seen: BTreeMap<Vpn, Away> =
                space.all_away().map(|(vpn, away)| (vpn, as_entry(away))).collect();
            if seen != away {
                return Err(format!(
                    "process {}: away are {away:x?}, and the view has {seen:x?}",
                    process.pid
                ));
            }
            for (&vpn, pte) in &leaves {
                let vma = space.vma_at(vpn.base());
                if vma.is_none_or(|vma| !allows(vma.flags, pte.flags())) {
                    return Err(format!(
                        "process {}: {vpn:x?} is mapped by {pte:?} in {vma:x?}",
                        process.pid
                    ));
                }
            }
        }
        let system: BTreeMap<Ppn, SystemUse> = guest.system_frames().collect();
        let header = entry(machine, table, 0);
        assert_eq!(header.kind, frame_table::KIND_HEADER);
        for number in 0..header.index {
            let (frame, real) = (Ppn(header.key + number), entry(machine, table, number + 1));
            let seen = guest.frame(frame);
            let agrees = match (real.kind, seen.map(|view| view.content), system.get(&frame)) {
                (frame_table::KIND_FREE, None, None)
                | (frame_table::KIND_KERNEL, None, Some(SystemUse::Kernel))
                | (frame_table::KIND_ZERO, Some(FrameContent::Zero), None)
                | (frame_table::KIND_ORPHAN, Some(FrameContent::Dropped), None) => true,
                (frame_table::KIND_PAGE_TABLE, None, Some(SystemUse::PageTable)) => tables.contains(&frame),
                (frame_table::KIND_PAGE_CACHE, Some(FrameContent::File { file, page }), None) => {
                    (real.key, real.index) == (file, page)
                }
                (frame_table::KIND_ANON, Some(FrameContent::Swap { slot }), None) => {
                    slot == u64::from(real.slot)
                }
                (frame_table::KIND_ANON, Some(FrameContent::Anonymous), None) => false,
                (_, Some(FrameContent::Anonymous), None) => real.is_anon(),
                _ => false,
            };
            if !agrees {
                return Err(format!(
                    "frame {:#x} is {real:x?}; the view has {seen:x?}, {:?}",
                    frame.0,
                    system.get(&frame)
                ));
            }
            if let Some(seen) = seen
                && seen.mappings.len() as u64 != u64::from(real.maps)
            {
                return Err(format!("frame {:#x} is {real:x?}; the view has {seen:x?}", frame.0));
            }
        }
        let last = Ppn(header.key + header.index);
        match guest
            .frames()
            .map(|(frame, _)| frame)
            .chain(system.keys().copied())
            .find(|&frame| frame >= last)
        {
            Some(frame) => Err(format!("frame {:#x} was never handed out", frame.0)),
            None => Ok(()),
        }
    }
}

/// What memory a program has, and how the kernel uses it.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// 0: all there are.
    frames: u64,
    /// Pages of the swap disk; 0: there is none.
    swap_pages: u32,
    /// Words for the kernel's command line.
    words: &'static str,
}

impl Memory {
    /// As this, and the kernel does otherwise what these words say.
    const fn otherwise(self, words: &'static str) -> Self {
        Self { words, ..self }
    }
}

/// Frames, and no swap space.
const fn frames(frames: u64) -> Memory {
    Memory { frames, swap_pages: 0, words: "" }
}

/// Frames, and swap space enough.
const fn swapping(frames: u64) -> Memory {
    Memory { frames, swap_pages: 4096, words: "" }
}

/// All frames and swap space enough, and so few pages that each process may have at once that it throws out its own.
const LOCAL: Memory = Memory { frames: 0, swap_pages: 4096, words: "folio.process_frames=20" };

/// Runs a program to its end with an audit. `left_out`: the kind and the number of the event that the fold does not hear.
fn audited(command: &[&str], memory: Memory, left_out: Option<(EventKind, u64)>) -> Result<Audit, String> {
    let mut guest =
        Guest::with_swap(command, memory.frames, guest::disk(command[0]), memory.swap_pages, memory.words);
    guest.stop_at(|_| true);
    let (mut audit, mut of_kind) = (Audit::default(), 0);
    while let Some(event) = guest.next_stop() {
        let is_left_out = left_out.is_some_and(|(kind, number)| {
            of_kind += u64::from(event.kind() == Some(kind));
            event.kind() == Some(kind) && of_kind == number
        });
        audit
            .hear(&guest.machine, &event, is_left_out)
            .map_err(|found| format!("{command:?} {memory:?}, step {}: {found}", event.step.0))?;
    }
    if audit.full == 0 { Err(format!("{command:?} has never told of its frame table")) } else { Ok(audit) }
}

/// Programs and tests that between them cause every kind of event that changes the picture, in few steps.
const SHORT: &[(&[&str], Memory)] = &[
    (&["cowfork", "20", "3"], frames(0)),
    (&["cowfork", "20", "3"], frames(0).otherwise("folio.eager folio.fork=copy")),
    (&["sharedtext", "3", "30"], frames(0)),
    (&["sharedtext", "3", "30"], frames(0).otherwise("folio.fault_around=16")),
    (&["demand"], frames(48)),
    (&["cowfork", "60", "3"], swapping(60)),
    (&["cowfork", "60", "3"], LOCAL),
    (&["stackgrow"], frames(0)),
    (&["vmtests", "access_of_shared_mappings"], frames(0)),
    (
        &[
            "vmtests",
            "madvise_dontneed",
            "a_cut_is_sigbus",
            "private_copies_stay",
            "brk_shrinks",
            "brk_grows",
            "munmap_middle",
            "exec_keeps_pid",
            "thread_numbers",
            "exec_by_a_thread",
            "exec_ends_the_others",
            "memfd",
            "shared_anonymous",
            "mappings_move",
        ],
        frames(0),
    ),
];

#[test]
fn an_event_that_is_left_out_is_found() {
    // What changes nothing that the view keeps (a reused frame becomes writable, a shared one read-only, a page is marked; the view keeps no
    // W, A and D), what `cache_fill` has told already (`disk_read`), what is not of memory (`signal`), and what no guest tells yet.
    const NO_CHANGE: &[EventKind] = &[
        EventKind::CowReuse,
        EventKind::Accessed,
        EventKind::Dirtied,
        EventKind::Protection,
        EventKind::Segv,
        EventKind::CowShare,
        EventKind::OutOfFrames,
        EventKind::DiskRead,
        EventKind::ExecRefused,
        EventKind::PageUsed,
        EventKind::ReadAhead,
        EventKind::CacheUse,
        EventKind::Signal,
        EventKind::Wait,
        EventKind::Registers,
        EventKind::Shutdown,
        EventKind::TlbMiss,
        EventKind::TlbEvict,
        EventKind::TlbFlush,
    ];
    for &kind in EventKind::ALL.iter().filter(|kind| !NO_CHANGE.contains(kind)) {
        let found = SHORT.iter().find_map(|&(command, memory)| {
            (1..=12).find_map(|number| audited(command, memory, Some((kind, number))).err())
        });
        match found {
            Some(found) => println!("{}: {found}", kind.name()),
            None => panic!("no {} that was left out was found", kind.name()),
        }
    }
}

#[test]
fn the_self_test_is_told_truly() {
    let audit = audited(&["vmtests"], frames(0), None).unwrap_or_else(|found| panic!("{found}"));
    println!("{} faults, {} comparisons in full", audit.faults, audit.full);
    assert!(
        audit.faults > 10_000 && audit.full > 1000,
        "{} faults, {} comparisons",
        audit.faults,
        audit.full
    );
}

#[test]
fn every_program_is_told_truly() {
    for (name, _) in
        guest_os::PROGRAMS.iter().filter(|(name, _)| *name != "vmtests" && !name.starts_with("bare"))
    {
        // The last makes mapped pages leave, and some programs end.
        for memory in [frames(0), frames(48), frames(34), swapping(40), swapping(60), LOCAL] {
            audited(&[name], memory, None).unwrap_or_else(|found| panic!("{found}"));
        }
    }
}

/// What is done otherwise to compare, as the kernel's command line has it.
const OTHERWISE: &[&str] = &[
    "folio.fault_around=16",
    "folio.read_ahead=8",
    "folio.fault_around=512 folio.read_ahead=64",
    "folio.eager",
    "folio.fork=copy",
    "folio.eager folio.fork=copy folio.fork_maps",
];

#[test]
fn what_is_done_otherwise_is_told_truly() {
    let programs =
        guest_os::PROGRAMS.iter().filter(|(name, _)| *name != "vmtests" && !name.starts_with("bare"));
    for (name, _) in programs {
        for words in OTHERWISE {
            for memory in [frames(0), frames(34), swapping(60)] {
                audited(&[name], memory.otherwise(words), None).unwrap_or_else(|found| panic!("{found}"));
            }
        }
    }
}

#[test]
fn the_self_test_done_otherwise_is_told_truly() {
    for words in ["folio.eager folio.fork=copy", "folio.fault_around=16 folio.read_ahead=8"] {
        audited(&["vmtests"], frames(0).otherwise(words), None).unwrap_or_else(|found| panic!("{found}"));
    }
}
