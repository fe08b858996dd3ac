//! The folds, on event sequences made by hand: a small shell that forks, and its end.

mod paging;

use super::*;
use isa::events::{
    Access, EventKind as K, EventRecord, FLAG_FROM_DISK, FLAG_KERNEL_COPY, GIVEN_UP, SegvReason,
    SignalEffect, SignalTold, VMA_EXEC, VMA_GROWSDOWN, VMA_READ, VMA_SHARED, VMA_WRITE,
};
use isa::paging::{Pte, PteFlags, Satp};
use isa::policies::{PolicyKind, Why};
use isa::{Ppn, Step, VirtAddr, Vpn};

const TEXT: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const HEAP: u64 = 0x3_0000;
const STACK: u64 = 0x3f_ff00_0000;
const READ_EXEC: u64 = VMA_READ | VMA_EXEC;
const READ_WRITE: u64 = VMA_READ | VMA_WRITE;

fn satp(pid: u64) -> u64 {
    Satp::sv39(Ppn(0x8_1000 + pid), u16::try_from(pid).unwrap()).0
}

/// The number of the address space that a process has from its first program on.
fn space(pid: u64) -> u64 {
    pid + 100
}

/// A stream under construction.
#[derive(Default)]
struct Stream {
    trace: Trace,
    step: u64,
}

impl Stream {
    fn push(&mut self, kind: K, pid: u64, text: &str, fill: impl FnOnce(&mut EventRecord)) -> Event {
        let known = self.guest().process(pid).map_or(0, |process| process.space);
        let mut record =
            EventRecord { kind: kind as u64, pid, tid: pid, space: known, ..EventRecord::default() };
        fill(&mut record);
        self.step += 100;
        let event = Event::new(Step(self.step), 0, &record, text.as_bytes());
        self.trace.fold(&event);
        event
    }
    /// Maps `pages` at `va`; `backing` is a file and an offset.
    fn mmap(&mut self, pid: u64, (va, pages): (u64, u64), backing: (u64, u64), flags: u64, name: &str) {
        self.push(K::Mmap, pid, name, |r| {
            (r.va, r.va_end) = (va, va + pages * 4096);
            (r.detail, r.detail2, r.detail3) = (backing.0, backing.1, flags);
        });
    }
    fn fault(&mut self, kind: K, pid: u64, va: u64, access: Access, frame: u64) -> Event {
        self.fault_with(kind, pid, va, access, frame, |_| {})
    }
    fn fault_with(
        &mut self,
        kind: K,
        pid: u64,
        va: u64,
        access: Access,
        frame: u64,
        fill: impl FnOnce(&mut EventRecord),
    ) -> Event {
        self.push(kind, pid, "", |r| {
            (r.va, r.frame, r.flags, r.pc) = (va, frame, access as u64, 0x1_0040);
            fill(r);
        })
    }
    /// Process 1 runs /bin/sh: two pages of text, one of data, a heap and a stack, with a page of each touched.
    fn shell() -> Self {
        let mut s = Self::default();
        s.push(K::Boot, 0, "", |r| r.detail = 1000);
        s.exec(1, "/bin/sh", space(1), satp(1));
        s.mmap(1, (TEXT, 2), (7, 0), READ_EXEC, "/bin/sh");
        s.mmap(1, (DATA, 1), (7, 0x2000), READ_WRITE, "/bin/sh");
        s.mmap(1, (STACK, 1), (0, 0), READ_WRITE | VMA_GROWSDOWN, "[stack]");
        s.push(K::Brk, 1, "", |r| (r.va, r.va_end) = (HEAP, HEAP + 0x1800));
        s.push(K::Switch, 1, "", |r| r.detail2 = satp(1));
        s.fault_with(K::FileDisk, 1, TEXT + 4, Access::Execute, 100, |r| {
            (r.flags, r.detail, r.detail2) = (Access::Execute as u64 | FLAG_FROM_DISK, 7, 0);
        });
        s.fault_with(K::FileCopy, 1, DATA, Access::Write, 102, |r| {
            (r.previous_frame, r.detail, r.detail2) = (101, 7, 2);
        });
        s.fault(K::Zero, 1, HEAP + 8, Access::Write, 103);
        s.fault(K::ZeroShared, 1, HEAP + 0x1000, Access::Read, 99);
        s.fault(K::Zero, 1, STACK + 0xff0, Access::Write, 104);
        s
    }
    fn fork(&mut self, parent: u64, child: u64) {
        self.push(K::Fork, parent, "", |r| {
            (r.detail, r.detail2, r.detail3, r.flags) = (child, satp(child), space(child), 17);
        });
        for (start, end, frames) in
            [(DATA, DATA + 4096, 1), (HEAP, HEAP + 0x2000, 1), (STACK, STACK + 4096, 1)]
        {
            self.push(K::CowShare, parent, "", |r| {
                (r.va, r.va_end, r.detail, r.detail2) = (start, end, frames, space(child));
            });
        }
    }
    fn exec(&mut self, pid: u64, program: &str, space: u64, satp: u64) {
        self.push(K::Exec, pid, program, |r| (r.space, r.detail, r.detail2) = (space, TEXT, satp));
    }
    fn guest(&self) -> &GuestView {
        &self.trace.guest
    }
    fn maps(&self, pid: u64) -> Vec<String> {
        let space = self.guest().space(pid).expect("the process is alive");
        space
            .vmas()
            .map(|v| {
                format!("{:x}-{:x} {} {:x} {}", v.start.0, v.end.0, v.permissions(), v.offset_bytes, v.name)
            })
            .collect()
    }
    /// Who maps a frame: pids and pages.
    fn owners(&self, frame: u64) -> Vec<(u64, u64)> {
        let view = self.guest().frame(Ppn(frame)).expect("the frame holds a page");
        view.mappings.iter().map(|&(of, vpn)| (of - space(0), vpn.0)).collect()
    }
}

#[test]
fn counts_follow_the_kinds_and_flags() {
    let mut s = Stream::shell();
    s.fault_with(K::Zero, 1, STACK + 8, Access::Read, 104, |r| r.flags |= FLAG_KERNEL_COPY);
    s.push(K::Mmap, 1, "", |r| r.kind = 9999);
    let stats = &s.trace.stats;
    assert_eq!((stats.faults_total, stats.faults_from_disk, stats.faults_for_kernel_copies), (6, 1, 1));
    assert_eq!((stats.count(K::Zero), stats.count(K::FileCopy), stats.count(K::Segv)), (3, 1, 0));
    assert_eq!((stats.context_switches(), stats.frames_total, stats.unknown), (1, 1000, 1));
    let by_kind: u64 = stats.faults_by_kind().map(|(_, count)| count).sum();
    assert_eq!(by_kind, stats.faults_total);
    assert!(stats.faults_by_kind().any(|(kind, count)| kind == K::SwapIn && count == 0));
}

#[test]
fn a_process_has_its_program_space_and_state() {
    let mut s = Stream::shell();
    let shell = s.guest().process(1).unwrap();
    assert_eq!((shell.name(), shell.asid(), shell.faults), ("sh", 1, 5));
    assert_eq!(shell.state, ProcessState::Running { hart: 0 });
    assert_eq!(s.guest().running_on(0).map(|p| p.pid), Some(1));
    s.fork(1, 2);
    s.push(K::Switch, 2, "", |r| r.detail2 = satp(2));
    let child = s.guest().process(2).unwrap();
    assert_eq!((child.parent, child.name(), child.state), (1, "sh", ProcessState::Running { hart: 0 }));
    assert_eq!(s.guest().process(1).unwrap().state, ProcessState::Waiting);
    assert_eq!(s.guest().process_of_satp(satp(2)).map(|p| p.pid), Some(2));
    s.push(K::Exit, 2, "", |r| r.detail = 0x300);
    assert_eq!(s.guest().process(2).unwrap().state, ProcessState::Ended { status: 0x300 });
    assert!(s.guest().space(2).is_none() && s.guest().process_of_satp(satp(2)).is_none());
    assert!(s.guest().running_on(0).is_none());
}

#[test]
fn maps_are_those_of_proc() {
    let s = Stream::shell();
    assert_eq!(
        s.maps(1),
        [
            "10000-12000 r-xp 0 /bin/sh",
            "20000-21000 rw-p 2000 /bin/sh",
            "30000-32000 rw-p 0 [heap]",
            "3fff000000-3fff001000 rw-p 0 [stack]",
        ]
    );
    let vma = s.guest().vma_at(1, VirtAddr(TEXT + 0x1234)).unwrap();
    assert_eq!(vma.file_offset_of(VirtAddr(TEXT + 0x1234)), 0x1234);
    assert!(s.guest().vma_at(1, VirtAddr(TEXT + 0x2000)).is_none());
    assert_eq!(s.guest().file_name(7), Some("/bin/sh"));
    let heap = s.guest().vma_at(1, VirtAddr(HEAP)).unwrap();
    assert_eq!(s.guest().space(1).unwrap().resident_pages_of(heap), 2);
}

#[test]
fn ranges_split_and_merge() {
    let mut s = Stream::shell();
    s.mmap(1, (0x10_0000, 8), (5, 0x4000), VMA_READ, "/lib/x");
    s.push(K::Mprotect, 1, "", |r| (r.va, r.va_end, r.detail3) = (0x10_2000, 0x10_4000, READ_WRITE));
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end) = (0x10_6000, 0x10_7000));
    let lib = |s: &Stream| s.maps(1).into_iter().filter(|line| line.ends_with("/lib/x")).collect::<Vec<_>>();
    assert_eq!(
        lib(&s),
        [
            "100000-102000 r--p 4000 /lib/x",
            "102000-104000 rw-p 6000 /lib/x",
            "104000-106000 r--p 8000 /lib/x",
            "107000-108000 r--p b000 /lib/x",
        ]
    );
    s.push(K::Mprotect, 1, "", |r| (r.va, r.va_end, r.detail3) = (0x10_2000, 0x10_4000, VMA_READ));
    s.mmap(1, (0x10_6000, 1), (5, 0xa000), VMA_READ, "/lib/x");
    assert_eq!(lib(&s), ["100000-108000 r--p 4000 /lib/x"], "what is alike again is one VMA again");
    s.mmap(1, (0x10_8000, 1), (5, 0), VMA_READ, "/lib/x");
    assert_eq!(lib(&s).len(), 2, "the next page of memory, but not of the file");
}

#[test]
fn frames_know_content_and_owners() {
    let mut s = Stream::shell();
    // Text, the cached and the copied page of data, heap, zero page, stack.
    assert_eq!(s.guest().frames_in_use(), 6);
    let content = |s: &Stream, frame| s.guest().frame(Ppn(frame)).unwrap().content;
    assert_eq!(content(&s, 100), FrameContent::File { file: 7, page: 0 });
    assert_eq!(content(&s, 101), FrameContent::File { file: 7, page: 2 });
    assert_eq!((content(&s, 102), content(&s, 99)), (FrameContent::Anonymous, FrameContent::Zero));
    assert!(s.owners(101).is_empty(), "copied, not mapped");

    s.fork(1, 2);
    assert_eq!(s.guest().frames_in_use(), 6, "fork copies no frame");
    assert_eq!(s.owners(103), [(1, HEAP >> 12), (2, HEAP >> 12)]);
    assert_eq!(
        s.owners(100),
        [(1, TEXT >> 12)],
        "what fork does not tell to be shared, the child finds again"
    );
    s.fault_with(K::CowCopy, 2, HEAP, Access::Write, 105, |r| (r.previous_frame, r.refs) = (103, 2));
    assert_eq!(s.owners(103), [(1, HEAP >> 12)]);
    assert_eq!(s.owners(105), [(2, HEAP >> 12)]);
    s.fault_with(K::CowReuse, 1, HEAP, Access::Write, 103, |r| r.refs = 1);
    assert_eq!(s.owners(103), [(1, HEAP >> 12)]);
    assert_eq!(s.trace.stats.frames_peak, 7);
    let maps = s.maps(1);
    s.push(K::Discard, 1, "", |r| (r.va, r.va_end, r.detail) = (HEAP, HEAP + 4096, 1));
    assert!(s.guest().frame(Ppn(103)).is_none(), "its page was given up");
    assert_eq!(s.maps(1), maps, "the mappings stay");

    s.push(K::Exit, 2, "", |_| {});
    assert!(s.guest().frame(Ppn(105)).is_none(), "its last owner is gone");
    assert_eq!(s.owners(100), [(1, TEXT >> 12)], "shared text stays with the other");
    s.push(K::Munmap, 2, "", |r| (r.va, r.va_end) = (0, 1 << 38));
    s.push(K::Exit, 1, "", |_| {});
    let left: Vec<u64> = s.guest().frames().map(|(ppn, _)| ppn.0).collect();
    assert_eq!(left, [99, 100, 101], "the zero page and the page cache");
    s.push(K::Evict, 0, "", |r| (r.detail, r.detail2) = (7, 2));
    s.push(K::Evict, 0, "", |r| (r.frame, r.detail) = (100, 7));
    assert_eq!(s.guest().frames_in_use(), 1);
    assert_eq!(s.trace.stats.frames_peak, 7);
}

/// Of the last processes that have ended it is known what they had, and no frame counts as theirs.
#[test]
fn what_a_process_had_when_it_ended_is_remembered_for_a_while() {
    let mut s = Stream::shell();
    s.fork(1, 2);
    s.push(K::Exit, 2, "", |_| {});
    assert!(s.guest().space(2).is_none());
    let last = s.guest().last_space(2).unwrap();
    assert_eq!(last.frame_of(VirtAddr(DATA).page()), Some(Ppn(102)));
    assert_eq!(last.vma_at(VirtAddr(TEXT)).map(|vma| vma.title()), Some("/bin/sh"));
    assert_eq!(s.owners(102), [(1, DATA >> 12)]);
    // A process that lives has what it has, and a number that is used again is another's.
    assert_eq!(s.guest().last_space(1), s.guest().space(1));
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end) = (DATA, DATA + 4096));
    s.push(K::Fork, 1, "", |r| (r.detail, r.detail2, r.detail3) = (2, satp(2), space(22)));
    s.push(K::Exit, 2, "", |_| {});
    assert!(s.guest().last_space(2).unwrap().vma_at(VirtAddr(DATA)).is_none());
    for pid in 3..30 {
        s.fork(1, pid);
        s.push(K::Exit, pid, "", |_| {});
    }
    assert_eq!((s.guest().last_space(2), s.guest().last_space(29).is_some()), (None, true));
}

#[test]
fn exec_empties_the_space_and_keeps_the_process() {
    let mut s = Stream::shell();
    s.fork(1, 2);
    s.fault_with(K::CowCopy, 2, HEAP, Access::Write, 105, |r| r.previous_frame = 103);
    // The new space may have the ASID and the root of one that has gone, but never its number.
    s.exec(2, "/usr/bin/true", 42, satp(2));
    s.mmap(2, (TEXT, 1), (8, 0), READ_EXEC, "/usr/bin/true");
    let process = s.guest().process(2).unwrap();
    assert_eq!((process.name(), process.parent, process.space, process.satp), ("true", 1, 42, satp(2)));
    assert_eq!(s.maps(2), ["10000-11000 r-xp 0 /usr/bin/true"]);
    assert!(s.guest().frame(Ppn(105)).is_none());
    assert_eq!(s.maps(1).len(), 4, "the parent is untouched");
}

#[test]
fn vfork_shares_the_space_until_exec() {
    let mut s = Stream::shell();
    s.push(K::Fork, 1, "", |r| (r.detail, r.detail2, r.detail3) = (2, satp(1), space(1)));
    s.fault(K::Zero, 2, STACK + 8, Access::Write, 110);
    assert_eq!(s.guest().space(1).unwrap().frame_of(Vpn(STACK >> 12)), Some(Ppn(110)));
    s.exec(2, "/bin/ls", space(2), satp(2));
    assert_eq!(s.guest().space(1).unwrap().resident_pages(), 5);
    assert_eq!(s.guest().space(2).unwrap().resident_pages(), 0);
    s.push(K::Exit, 2, "", |_| {});
    assert_eq!(s.guest().space(1).unwrap().resident_pages(), 5);
}

#[test]
fn heap_shrinks_and_stack_grows() {
    let mut s = Stream::shell();
    s.push(K::Brk, 1, "", |r| (r.va, r.va_end) = (HEAP, HEAP + 0x800));
    assert!(s.maps(1).contains(&"30000-31000 rw-p 0 [heap]".to_owned()));
    assert!(s.owners(99).is_empty(), "the zero page is not mapped any more");
    s.push(K::Brk, 1, "", |r| (r.va, r.va_end) = (HEAP, HEAP));
    assert!(s.guest().frame(Ppn(103)).is_none());
    assert_eq!(s.maps(1).len(), 3);
    s.fault(K::StackGrow, 1, STACK - 0x1ff8, Access::Write, 120);
    assert!(s.maps(1).contains(&"3ffeffe000-3fff001000 rw-p 0 [stack]".to_owned()));
}

#[test]
fn a_reused_frame_is_a_new_tenant() {
    let mut s = Stream::shell();
    // Should the stream not have told that process 1 lost frame 103: its next owner makes it plain.
    s.exec(2, "/bin/ls", space(2), satp(2));
    s.fault(K::Zero, 2, HEAP, Access::Write, 103);
    assert_eq!(s.owners(103), [(2, HEAP >> 12)]);
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end) = (HEAP, HEAP + 4096));
    assert_eq!(s.owners(103), [(2, HEAP >> 12)]);
}

#[test]
fn the_first_bit_that_forbids_decides() {
    use PteFlags as F;
    let all = F::V | F::R | F::W | F::X | F::U | F::A | F::D;
    let rows = [
        (F::empty(), Access::Read, Verdict::NotValid),
        (all - F::V, Access::Read, Verdict::NotValid),
        (all - F::R, Access::Read, Verdict::Reserved),
        (all - F::U, Access::Write, Verdict::NotUser),
        (F::V | F::X | F::U | F::A, Access::Read, Verdict::NotReadable),
        (all - F::W, Access::Write, Verdict::NotWritable),
        (all - F::W, Access::Read, Verdict::Allowed),
        (all - F::X, Access::Execute, Verdict::NotExecutable),
        (all - F::A, Access::Read, Verdict::NotAccessed),
        (all - F::D, Access::Write, Verdict::NotDirty),
        (all - F::D, Access::Read, Verdict::Allowed),
        (all - F::A - F::D - F::W, Access::Write, Verdict::NotWritable),
    ];
    for (flags, access, expected) in rows {
        assert_eq!(verdict(Pte::new(Ppn(5), flags), access), expected, "{flags:?} {access:?}");
    }
    assert_eq!(pte_flags(Pte::new(Ppn(5), F::V | F::R | F::U | F::A)), "-A-U--RV");
}

/// What `explain` says of each kind must name the deciding bit, the frames and what was done.
#[test]
fn explanations_name_bit_frames_and_action() {
    let read_only = Pte::new(Ppn(0x67), PteFlags::V | PteFlags::R | PteFlags::U | PteFlags::A).0;
    let mut s = Stream::shell();
    let mut rows: Vec<(Event, &[&str])> = Vec::new();
    let zero = s.fault(K::Zero, 1, HEAP + 8, Access::Write, 0x70);
    rows.push((zero, &["process 1 (sh) wrote to 0x30008", "[heap] (rw-p", "bit V was 0", "0x70", "zeros"]));
    let upgraded = s.fault_with(K::Zero, 1, HEAP + 8, Access::Write, 0x71, |r| r.pte = read_only);
    rows.push((upgraded, &["bit W was 0", "shared zero page", "0x71", "-A-U--RV"]));
    let shared = s.fault(K::ZeroShared, 1, HEAP + 0x1000, Access::Read, 0x63);
    rows.push((shared, &["read from 0x31000", "bit V was 0", "one zero page", "0x63"]));
    let disk = s.fault_with(K::FileDisk, 1, TEXT + 0x1004, Access::Execute, 0x72, |r| {
        (r.detail, r.detail2, r.flags) = (7, 1, Access::Execute as u64 | FLAG_FROM_DISK);
    });
    rows.push((
        disk,
        &["execute the instruction at 0x11004", "on page 1", "page 1 of /bin/sh from the disk", "0x72"],
    ));
    let cached = s.fault_with(K::FileCache, 1, TEXT, Access::Read, 0x73, |r| (r.detail, r.refs) = (7, 1));
    rows.push((cached, &["page cache already", "mapped once so far", "0x73"]));
    let copied = s.fault_with(K::FileCopy, 1, DATA, Access::Write, 0x74, |r| {
        (r.detail, r.detail2, r.previous_frame, r.pte) = (7, 2, 0x67, read_only);
    });
    rows.push((copied, &["bit W was 0", "must not be changed", "page 2 of /bin/sh", "0x67", "0x74"]));
    let tail = s.fault_with(K::FileCopy, 1, DATA, Access::Read, 0x75, |r| {
        (r.detail, r.previous_frame) = (7, 0x67);
    });
    rows.push((tail, &["ends inside this page", "0x67", "0x75", "zeros"]));
    let cow = s.fault_with(K::CowCopy, 1, DATA, Access::Write, 0x76, |r| {
        (r.previous_frame, r.refs, r.pte) = (0x67, 2, read_only);
    });
    rows.push((cow, &["bit W was 0", "two page tables map it", "frame 0x67 to frame 0x76"]));
    let reuse = s.fault_with(K::CowReuse, 1, DATA, Access::Write, 0x67, |r| (r.refs, r.pte) = (1, read_only));
    rows.push((reuse, &["last owner", "copied nothing"]));
    let grow = s.fault(K::StackGrow, 1, STACK - 16, Access::Write, 0x77);
    rows.push((grow, &["stack grew", "down to 0x3ffefff000", "0x77"]));
    let map = s.fault_with(K::SharedMap, 1, DATA, Access::Write, 0x78, |r| r.detail = 7);
    rows.push((map, &["page 0 of /bin/sh", "everyone who maps the file"]));
    let accessed = s.fault_with(K::Accessed, 1, DATA, Access::Read, 0x67, |r| {
        r.pte = read_only & !PteFlags::A.bits();
    });
    rows.push((accessed, &["bit A was 0", "nothing to fetch or copy"]));
    let dirtied = s.fault_with(K::Dirtied, 1, DATA, Access::Write, 0x67, |r| {
        r.pte = read_only | PteFlags::W.bits();
        r.new_pte = r.pte | PteFlags::D.bits();
    });
    rows.push((dirtied, &["bit D was 0", "marked the page as changed"]));
    let protection = s.fault_with(K::Protection, 1, TEXT, Access::Write, 0, |r| r.pte = read_only);
    rows.push((protection, &["bit W was 0", "does not allow this (r-xp)", "SEGV_ACCERR"]));
    let segv = s.fault(K::Segv, 1, 0x10, Access::Read, 0);
    rows.push((segv, &["No mapping of the process", "and none ever did", "bit V was 0", "SEGV_MAPERR"]));
    let call = s.fault_with(K::Segv, 1, 0, Access::Execute, 0, |r| r.detail2 = 0x1_0044);
    rows.push((call, &["(pc 0x10040; if it was called, then from ra 0x10044)"]));
    let bus = s.fault_with(K::Segv, 1, DATA, Access::Read, 0, |r| {
        r.detail3 = SegvReason::BeyondEndOfFile as u64;
    });
    rows.push((bus, &["the file behind it has no such page", "SIGBUS"]));
    let deep = s.fault_with(K::Segv, 1, STACK - 0x100_0000, Access::Write, 0, |r| {
        (r.detail, r.detail3) = (8 << 20, SegvReason::StackLimit as u64);
    });
    rows.push((deep, &["may not grow so far", "8388608 bytes", "SEGV_MAPERR"]));
    let refused = s.fault_with(K::Segv, 1, 0x10, Access::Read, 0, |r| r.flags |= FLAG_KERNEL_COPY);
    rows.push((refused, &["the system call failed with EFAULT"]));
    let swap = s.fault_with(K::SwapIn, 1, HEAP, Access::Read, 0x79, |r| r.detail = 12);
    rows.push((swap, &["swapped out to slot 12", "0x79"]));
    let copy = s.fault_with(K::Zero, 1, HEAP, Access::Write, 0x7a, |r| r.flags |= FLAG_KERNEL_COPY);
    rows.push((
        copy,
        &[
            "the kernel had to write to 0x30000 for process 1 (sh), in the system call that it made at pc 0x1003c.",
            "before it copies",
        ],
    ));
    for (event, needles) in &rows {
        let text = explain(event, &s.trace).expect("it is a fault");
        for needle in *needles {
            assert!(text.contains(needle), "{:?}: no {needle:?} in: {text}", event.kind());
        }
        assert!(!text.contains('\n') && text.ends_with('.'), "one paragraph: {text}");
    }
    for kind in K::ALL.iter().filter(|kind| kind.is_fault()) {
        assert!(rows.iter().any(|(event, _)| event.kind() == Some(*kind)), "no row for {kind:?}");
    }
    let switch = s.push(K::Switch, 1, "", |_| {});
    assert_eq!(explain(&switch, &s.trace), None);
    assert_eq!(s.trace.last_fault.as_ref().map(|e| e.step), rows.last().map(|(e, _)| e.step));
}

/// Where there is no page table there is no PTE that could be empty; and some addresses have none at all.
#[test]
fn an_explanation_names_the_level_at_which_the_walk_ended() {
    let far = 0x8000_0000;
    for (va, needles) in [
        (HEAP + 0x5000, &["its PTE was empty, and as bit V was 0"][..]),
        (
            far,
            &["of the 1 GiB around it", "no page table of level 1; as bit V of the entry at level 2 was 0"],
        ),
        (
            0x40_0000,
            &["of the 2 MiB around it", "no page table of level 0; as bit V of the entry at level 1 was 0"],
        ),
        (
            1 << 38,
            &["no address of Sv39, since bits 63 to 39 differ from bit 38", "whatever its page table says"],
        ),
        (u64::MAX, &["in the kernel's half"]),
    ] {
        let mut s = Stream::shell();
        let event = s.fault(K::Segv, 1, va, Access::Read, 0);
        let text = explain(&event, &s.trace).expect("it is a fault");
        for needle in needles {
            assert!(text.contains(needle), "{va:#x}: no {needle:?} in: {text}");
        }
    }
    let mut s = Stream::shell();
    let first = s.fault(K::Zero, 1, far, Access::Write, 0x70);
    assert!(explain(&first, &s.trace).unwrap().contains("no page table of level 1"));
    let second = s.fault(K::Zero, 1, far + 4096, Access::Write, 0x71);
    assert!(explain(&second, &s.trace).unwrap().contains("its PTE was empty"));
}

/// A copy by the kernel is not always for a system call.
#[test]
fn an_explanation_names_what_the_kernel_was_at() {
    let mut s = Stream::shell();
    let signal = |s: &mut Stream, effect| {
        s.push(K::Signal, 1, "", |r| {
            let (signal, code) = (10, 0);
            SignalTold { signal, code, sender: 1, value: 0, effect, cut_short: None, result: 0 }.write(r);
        });
    };
    let copied = |s: &mut Stream, errand: &str| {
        let event = s.fault_with(K::Zero, 1, HEAP + 8, Access::Write, 103, |r| r.flags |= FLAG_KERNEL_COPY);
        let text = explain(&event, &s.trace).expect("it is a fault");
        assert!(text.contains(&format!("for process 1 (sh), {errand}.")), "{errand}: {text}");
    };
    let call = "in the system call that it made at pc 0x1003c";
    copied(&mut s, call);
    signal(&mut s, SignalEffect::Ignored);
    copied(&mut s, call);
    signal(&mut s, SignalEffect::Handled);
    for _ in 0..2 {
        copied(&mut s, "as it made a frame for the handler of signal 10");
    }
    // The handler has run, or the call that it has cut short is made once more.
    s.fault(K::Zero, 1, HEAP + 8, Access::Write, 103);
    copied(&mut s, call);
    signal(&mut s, SignalEffect::Handled);
    s.push(K::Switch, 1, "", |r| r.detail2 = satp(1));
    copied(&mut s, call);
    signal(&mut s, SignalEffect::Ended);
    copied(&mut s, "as it ended it");
    let mut s = Stream::shell();
    s.exec(1, "/bin/sh", 42, satp(1));
    copied(&mut s, "as it loaded its program");
    s.fault(K::FileCache, 1, TEXT, Access::Execute, 100);
    copied(&mut s, call);
}

/// A page that was given up has been touched before.
#[test]
fn an_explanation_does_not_call_a_page_new_that_was_given_up() {
    let mut s = Stream::shell();
    let touched = |s: &mut Stream, kind, needle: &str| {
        let event = s.fault(kind, 1, HEAP + 8, Access::Write, 103);
        let text = explain(&event, &s.trace).expect("it is a fault");
        assert!(text.contains(needle), "{text}");
    };
    touched(&mut s, K::Zero, "Nobody had touched the page before, and");
    s.push(K::Discard, 1, "", |r| (r.va, r.va_end, r.pc) = (HEAP, HEAP + 4096, 0x1_0044));
    touched(&mut s, K::Zero, "since it was given up by madvise at step 1400 (pc 0x10040), and");
    touched(
        &mut s,
        K::ZeroShared,
        "written to the page since it was given up by madvise at step 1400 (pc 0x10040), so",
    );
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end, r.pc) = (HEAP, HEAP + 4096, 0x1_0044));
    s.mmap(1, (HEAP, 1), (0, 0), READ_WRITE, "");
    touched(&mut s, K::Zero, "Nobody had touched the page before, and");
    s.push(K::Discard, 1, "", |r| (r.va, r.va_end) = (HEAP, HEAP + 4096));
    touched(&mut s, K::Zero, "since the fork at step 2000, which left it out, and");
}

/// Where a page or an entry goes, as the policy's word and the record have it.
#[test]
fn a_departure_is_explained_by_what_becomes_of_the_page() {
    let mut s = Stream::shell();
    let explained = |s: &mut Stream, kind, change: &dyn Fn(&mut EventRecord)| {
        let event = s.push(kind, 1, "", |r| change(r));
        explain_departure(&event, &s.trace).expect("a page goes")
    };
    for (kind, slot, is_written, fate) in [
        (K::SwapOut, 0, 0, "It held zeros only"),
        (K::SwapOut, 0, GIVEN_UP, "needs the content no more (MADV_FREE)"),
        (K::SwapOut, 5, 0, "Slot 5 has it unchanged"),
        (K::SwapOut, 6, 1, "it is written to slot 6 first"),
        (K::Evict, 0, 0, "It was as it is on the disk"),
    ] {
        let text = explained(&mut s, kind, &|r| (r.frame, r.refs, r.flags) = (300, slot, is_written));
        assert!(text.contains(fate) && text.contains(" left frame 0x12c"), "{text}");
    }
    let space = s.trace.guest.process(1).expect("it lives").space;
    let text = explained(&mut s, K::EvictEntry, &|r| (r.space, r.va, r.frame) = (space, HEAP, 301));
    assert!(
        text.contains("the entry of process 1 (sh) for") && text.contains("for others who map it"),
        "{text}"
    );
    let fault = s.fault(K::Zero, 1, HEAP, Access::Write, 103);
    assert_eq!(explain_departure(&fault, &s.trace), None);
}

/// What there is at an address, and what its first touch does.
#[test]
fn an_address_has_a_page_or_will_have_one_or_has_none() {
    let mut s = Stream::shell();
    s.mmap(1, (0x10_0000, 1), (0, 0), 0, "");
    s.mmap(1, (0x20_0000, 1), (0, 0), READ_WRITE | VMA_SHARED, "");
    s.mmap(1, (0x30_0000, 2), (7, 0x2000), VMA_READ, "/bin/sh");
    s.mmap(1, (0x40_0000, 1), (0, 0), READ_WRITE, "");
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end, r.pc) = (0x40_0000, 0x40_1000, 0x1_0044));
    s.fork(1, 2);
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end, r.pc) = (0x20_0000, 0x20_1000, 0x1_0044));
    s.push(K::Munmap, 2, "", |r| (r.va, r.va_end) = (0x30_0000, 0x30_2000));
    let words = |s: &Stream, pid, va| match at_page(&s.trace, pid, VirtAddr(va)) {
        Residence::Here(vma, frame) => format!("{} in {:#x}", vma.described(VirtAddr(va)), frame.0),
        Residence::Later(vma, what) | Residence::Away(vma, what) => format!("{}: {what}", vma.title()),
        Residence::Nothing(why) => why,
    };
    for (pid, va, expected) in [
        (1, TEXT + 8, "/bin/sh (r-xp, 0x10000-0x12000), on page 0 of that file in 0x64"),
        (1, TEXT + 0x1008, "/bin/sh: its first touch faults and reads page 1 of /bin/sh"),
        (
            1,
            0x30_0000,
            "/bin/sh: its first touch faults and maps page 2 of /bin/sh, which is in the page cache",
        ),
        (1, 0x30_1000, "/bin/sh: its first touch faults and reads page 3 of /bin/sh"),
        (
            2,
            0x20_0000,
            "shared anonymous memory: its first touch faults and maps the page that all who share it see",
        ),
        (1, 0x10_0000, "anonymous memory: the mapping allows no access"),
        (1, 0x20_0000, "unmapped by munmap at step 2200 (pc 0x10040)"),
        (1, 0x40_0000, "unmapped by munmap at step 1700 (pc 0x10040)"),
        (2, 0x40_0000, "unmapped by munmap at step 1700 (pc 0x10040)"),
        (2, 0x30_0000, "not given to this process by the fork at step 2300"),
        (1, 0x50_0000, "no mapping has ever held it"),
        (1, u64::MAX, "in the kernel's half of the address space"),
        (1, STACK - 8, "below the stack, which grows to it at a touch if its limit (RLIMIT_STACK) allows"),
    ] {
        assert_eq!(words(&s, pid, va), expected, "{va:#x} of process {pid}");
    }
    // A place that was refused, and all below it.
    s.fault_with(K::Segv, 1, STACK - 0x1_0000, Access::Write, 0, |r| {
        (r.detail, r.detail3) = (1 << 16, SegvReason::StackLimit as u64);
    });
    let full = "below the stack, which has come to its limit of 64 KiB (RLIMIT_STACK)";
    assert_eq!([STACK - 0xf008, STACK - 0x2_0000].map(|va| words(&s, 1, va)), [full; 2]);
    assert!(words(&s, 1, STACK - 8).contains("grows to it"));
}

/// Of children those are told of that went wrong by themselves.
#[test]
fn a_child_that_goes_wrong_is_told_from_one_that_is_killed() {
    let died = |signal: u64, code, sender, status| {
        let mut s = Stream::shell();
        s.fork(1, 2);
        s.push(K::Signal, 2, "", |r| {
            let effect = SignalEffect::Ended;
            SignalTold { signal, code, sender, value: 0, effect, cut_short: None, result: 0 }.write(r);
            r.pc = 0x1_0040;
        });
        s.push(K::Exit, 2, "", |r| r.detail = status);
        assert_eq!(s.trace.history.death(), None);
        let death = s.trace.history.death_of_child().map(|death| (death.pid, death.signal));
        s.push(K::Exit, 1, "", |r| r.detail = 11);
        assert_eq!(s.trace.history.death_of_child(), None, "the first process is no child");
        death
    };
    assert_eq!(died(11, 1, 0, 11), Some((2, 11)));
    assert_eq!(died(6, -6, 2, 6), Some((2, 6)), "abort");
    assert_eq!(died(11, 0, 1, 11), None, "its parent has sent it");
    assert_eq!(died(9, 0, 1, 9), None);
    assert_eq!(died(14, 128, 0, 14), None, "an alarm");
}

/// A page that is read once, awaited by another process meanwhile, given up and read once more.
#[test]
fn an_explanation_tells_who_had_a_page_read_and_whether_it_was_there_before() {
    let page = |r: &mut EventRecord| (r.detail, r.detail2) = (7, 5);
    let from_disk = |r: &mut EventRecord| {
        page(r);
        r.flags |= FLAG_FROM_DISK;
    };
    let mut s = Stream::shell();
    s.push(K::Fork, 1, "", |r| (r.detail, r.detail2, r.detail3) = (2, satp(2), space(2)));
    s.push(K::Switch, 1, "", |_| {});
    let began = s.push(K::CacheFill, 0, "", page).step;
    s.push(K::Switch, 2, "", |_| {});
    let check = |s: &Stream, event: &Event, needles: &[&str], absent: &str| {
        let text = explain(event, &s.trace).expect("it is a fault");
        for needle in needles {
            assert!(text.contains(needle), "no {needle:?} in: {text}");
        }
        assert!(!text.contains(absent), "{absent:?} in: {text}");
    };
    let waited = s.fault_with(K::FileDisk, 2, TEXT, Access::Read, 0x72, from_disk);
    let since = format!("since step {began} for process 1 (sh)");
    check(&s, &waited, &["being read from the disk already", &since, "no second read"], "never been needed");
    let first = s.fault_with(K::FileDisk, 1, TEXT, Access::Read, 0x72, from_disk);
    check(&s, &first, &["had never been needed"], "already");
    let copy = s.fault_with(K::FileCopy, 2, DATA, Access::Write, 0x73, from_disk);
    check(&s, &copy, &["being read from the disk already", &since], "had to be read from the disk first");
    assert_eq!(
        (s.trace.stats.faults_from_disk, s.trace.stats.faults_awaited),
        (1 + 3, 2),
        "one is the shell's own"
    );

    let why = Why { looks: 4, cleared: 3, ..Why::default() };
    let dropped = s.push(K::Evict, 0, "", |r| {
        page(r);
        r.detail3 = why.word(PolicyKind::Clock);
    });
    s.push(K::CacheFill, 0, "", page);
    let again = s.fault_with(K::FileDisk, 2, TEXT, Access::Read, 0x74, from_disk);
    let at =
        format!("gave it up at step {} (clock chose it: its R bit was 0 when the hand came by", dropped.step);
    let hand = "; 3 pages were passed before it, 3 of which lost their R bit)";
    check(&s, &again, &["been in memory before", &at, hand, "from the disk again"], "never been needed");
    let copy = s.fault_with(K::FileCopy, 2, DATA, Access::Write, 0x75, from_disk);
    check(&s, &copy, &["given up at step", "from the disk again"], "had to be read from the disk first");
}

/// What the first process dies of: why the access was refused, where that is known.
#[test]
fn a_death_is_told_with_its_reason() {
    let killed = |fill: fn(&mut Stream) -> Event| {
        let mut s = Stream::shell();
        fill(&mut s);
        s.push(K::Exit, 1, "", |r| (r.pc, r.detail) = (0x1_0040, 11));
        s.trace.history.death().cloned().expect("a signal has killed it")
    };
    let reason = |fill| killed(fill).refusal.map(|refusal| refusal.reason);
    assert_eq!(
        reason(|s| s.fault(K::Segv, 1, 0, Access::Read, 0)).as_deref(),
        Some("no mapping holds this address")
    );
    assert_eq!(
        reason(|s| s.fault_with(K::Segv, 1, STACK - 0x100_0000, Access::Write, 0, |r| {
            (r.detail, r.detail3) = (8 << 20, SegvReason::StackLimit as u64);
        }))
        .as_deref(),
        Some("the stack's limit of 8 MiB")
    );
    assert_eq!(
        reason(|s| s.fault(K::Protection, 1, TEXT, Access::Write, 0)).as_deref(),
        Some("read-only: text of /bin/sh (r-xp)")
    );
    assert_eq!(
        reason(|s| {
            let guard = HEAP + 0x10_0000;
            s.push(K::Mmap, 1, "", |r| (r.va, r.va_end, r.detail3) = (guard, guard + 0x1000, 0));
            s.push(K::Mmap, 1, "", |r| {
                (r.va, r.va_end, r.detail3) = (guard + 0x1000, guard + 0x3000, VMA_READ | VMA_WRITE);
            });
            s.fault(K::Protection, 1, guard + 8, Access::Write, 0)
        }),
        Some(format!(
            "the guard page below the mapping at {:#x} (---p): if that is a stack, it is too small",
            HEAP + 0x10_1000
        ))
    );
    let unmapped = reason(|s| {
        s.push(K::Munmap, 1, "", |r| (r.va, r.va_end, r.pc) = (DATA, DATA + 0x1000, 0x1_0044));
        s.fault(K::Segv, 1, DATA + 8, Access::Write, 0)
    });
    assert_eq!(unmapped.as_deref(), Some("unmapped by munmap at step 1300 (pc 0x10040)"));
    let call = killed(|s| s.fault_with(K::Segv, 1, 0, Access::Execute, 0, |r| r.detail2 = 0x1_0044));
    let from = call.refusal.and_then(|refusal| refusal.called_from).map(|place| place.va);
    assert_eq!(from, Some(VirtAddr(0x1_0044)));
    // A fault that a handler came back from is not what it died of.
    let elsewhere = killed(|s| s.fault_with(K::Segv, 1, 0, Access::Read, 0, |r| r.pc = 0x1_1000));
    assert_eq!((elsewhere.refusal, elsewhere.pc.va), (None, VirtAddr(0x1_0040)));
    // Another thread than the one that ends last has caused it.
    let by_another = killed(|s| {
        s.push(K::Thread, 1, "", |r| r.detail = 2);
        s.fault_with(K::Segv, 1, 8, Access::Write, 0, |r| (r.tid, r.pc) = (2, 0x1_2000));
        s.push(K::Signal, 1, "", |r| {
            let (signal, code, effect) = (11, 1, SignalEffect::Ended);
            SignalTold { signal, code, sender: 0, value: 8, effect, cut_short: None, result: 0 }.write(r);
            (r.tid, r.pc) = (2, 0x1_2000);
        });
        s.push(K::ThreadExit, 1, "", |r| r.tid = 2)
    });
    assert_eq!(by_another.pc.va, VirtAddr(0x1_2000));
    assert_eq!(
        by_another.refusal.map(|refusal| (refusal.va, refusal.pc.va)),
        Some((VirtAddr(8), VirtAddr(0x1_2000)))
    );
    let mut s = Stream::shell();
    s.push(K::Exit, 1, "", |r| r.detail = 3 << 8);
    assert_eq!(s.trace.history.death(), None);
}

#[test]
fn a_line_of_the_trace_file() {
    let mut s = Stream::shell();
    let fault = s.fault_with(K::FileCopy, 1, DATA, Access::Write, 102, |r| {
        (r.previous_frame, r.detail, r.detail2, r.new_pte, r.refs) = (101, 7, 2, 0x1_98d7, 1);
        r.flags |= FLAG_FROM_DISK;
    });
    assert_eq!(
        serde_json::to_string(&fault).unwrap(),
        r#"{"t":1300,"hart":0,"kind":"file_copy","pid":1,"tid":1,"space":101,"pc":"0x10040","va":"0x20000","access":"write","from_disk":true,"kernel_copy":false,"pte":"0x0","new_pte":"0x198d7","refs":1,"frame":102,"previous_frame":101,"file":"0x7","page":2}"#
    );
    let fork = s.push(K::Fork, 1, "", |r| {
        (r.tid, r.detail, r.detail2, r.detail3, r.flags) = (5, 2, satp(2), space(2), 17);
    });
    assert_eq!(
        serde_json::to_string(&fork).unwrap(),
        r#"{"t":1400,"hart":0,"kind":"fork","pid":1,"tid":5,"space":101,"child":2,"satp":"0x8000200000081002","child_space":102,"clone_flags":"0x11"}"#
    );
    let map = s.push(K::Mmap, 1, "/bin/ls", |r| (r.va, r.va_end, r.detail3) = (4096, 8192, READ_EXEC));
    assert_eq!(
        serde_json::to_string(&map).unwrap(),
        r#"{"t":1500,"hart":0,"kind":"mmap","pid":1,"tid":1,"space":101,"va":"0x1000","va_end":"0x2000","file":"0x0","offset":"0x0","permissions":"r-xp","text":"/bin/ls"}"#
    );
    let call = s.fault_with(K::Segv, 1, 0, Access::Execute, 0, |r| r.detail2 = 0x1_0044);
    assert_eq!(
        serde_json::to_string(&call).unwrap(),
        r#"{"t":1600,"hart":0,"kind":"segv","pid":1,"tid":1,"space":101,"pc":"0x10040","access":"execute","from_disk":false,"kernel_copy":false,"pte":"0x0","new_pte":"0x0","refs":0,"reason":"not_mapped","return_address":"0x10044"}"#
    );
    let unknown = s.push(K::Zero, 1, "", |r| r.kind = 999);
    assert_eq!(
        serde_json::to_string(&unknown).unwrap(),
        r#"{"t":1700,"hart":0,"kind":"unknown_999","pid":1,"tid":1,"space":101}"#
    );
    let header = serde_json::to_string(&TraceHeader::default()).unwrap();
    assert_eq!(header, r#"{"schema":"folio-trace","version":2}"#);
}
