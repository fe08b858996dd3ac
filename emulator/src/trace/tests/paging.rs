//! What paging costs and whom, on sequences made by hand: evictions of every kind, reads that one began and another awaited, and waits.

use super::*;

/// A choice of `clock`, among all pages or among a process's own.
fn chosen(is_local: bool) -> u64 {
    Why { looks: 1, is_local, ..Why::default() }.word(PolicyKind::Clock)
}

impl Stream {
    fn switch(&mut self, pid: u64) {
        self.push(K::Switch, pid, "", |r| r.detail2 = satp(pid));
    }
    /// A page goes out: of a file, if `file` is not 0; to a slot, if `slot` is not 0.
    fn swap_out(&mut self, frame: u64, file: u64, slot: u64, is_written: bool, is_local: bool) {
        self.push(K::SwapOut, 0, "", |r| {
            (r.frame, r.detail, r.refs, r.flags) = (frame, file, slot, u64::from(is_written));
            r.detail3 = chosen(is_local);
        });
    }
    /// The running thread has a slot read.
    fn read_slot(&mut self, slot: u64, frame: u64) {
        self.push(K::SwapCache, 0, "", |r| (r.frame, r.detail, r.detail2) = (frame, slot, 1));
    }
    fn swap_in(&mut self, pid: u64, va: u64, slot: u64, frame: u64, from_disk: bool) -> Event {
        self.fault_with(K::SwapIn, pid, va, Access::Read, frame, |r| {
            r.detail = slot;
            r.flags |= if from_disk { FLAG_FROM_DISK } else { 0 };
        })
    }
    fn accounts(&self) -> &Accounts {
        &self.trace.accounts
    }
    fn account(&self, pid: u64) -> &Account {
        &self.accounts().processes[&pid].account
    }
    /// Each count of the machine is the sum of the processes'.
    fn check_sums(&self) {
        let accounts = self.accounts();
        let sum =
            |of: &dyn Fn(&Account) -> u64| accounts.processes.values().map(|p| of(&p.account)).sum::<u64>();
        let all = &accounts.machine;
        for kind in K::ALL {
            assert_eq!(sum(&|a| a.faults_of(*kind)), all.faults_of(*kind), "{kind:?}");
        }
        for (kind, is_local) in EvictionKind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            assert_eq!(
                sum(&|a| a.evictions_for(kind, is_local)),
                all.evictions_for(kind, is_local),
                "{kind:?}"
            );
        }
        let others: [fn(&Account) -> u64; 9] = [
            |a| a.faults_from_disk,
            |a| a.faults_awaited,
            |a| a.swap_ins_read,
            |a| a.swap_ins_awaited,
            |a| a.swap_ins_cached(),
            |a| a.file_pages_read,
            |a| a.swap_pages_read,
            |a| a.swap_pages_written,
            |a| a.steps_waited,
        ];
        for of in others {
            assert_eq!(sum(&of), of(all));
        }
        assert_eq!(all.faults_total(), self.trace.stats.faults_total);
        assert_eq!(all.faults_from_disk, self.trace.stats.faults_from_disk);
        assert_eq!(all.faults_awaited, self.trace.stats.faults_awaited);
    }
}

#[test]
fn evictions_are_counted_by_kind_and_reason_for_who_caused_and_who_lost() {
    let mut s = Stream::shell();
    s.fork(1, 2);
    s.switch(2);
    // The heap's page is both processes', the stack's copy the child's.
    s.fault_with(K::CowCopy, 2, STACK, Access::Write, 105, |r| r.previous_frame = 104);
    s.swap_out(103, 0, 1, true, false);
    s.swap_out(105, 0, 2, true, true);
    s.switch(1);
    s.swap_out(104, 0, 0, false, false);
    s.push(K::Evict, 0, "", |r| (r.frame, r.detail, r.detail2, r.detail3) = (101, 7, 2, chosen(false)));
    s.push(K::Evict, 0, "", |r| (r.frame, r.detail, r.detail3) = (100, 7, chosen(false)));
    s.read_slot(1, 110);
    s.swap_in(1, HEAP, 1, 110, true);
    s.swap_out(110, 0, 1, false, false);
    // A page of a file in memory, mapped by the parent.
    s.push(K::CacheFill, 0, "", |r| (r.frame, r.detail) = (111, 9));
    s.fault_with(K::SharedMap, 1, 0x60_0000, Access::Write, 111, |r| r.detail = 9);
    s.swap_out(111, 9, 7, true, false);
    // The parent's text stays for others.
    s.fault_with(K::FileCache, 1, TEXT, Access::Execute, 112, |r| r.detail = 7);
    s.push(K::EvictEntry, 0, "", |r| {
        (r.frame, r.space, r.va, r.detail3) = (112, space(1), TEXT, chosen(true));
    });
    use EvictionKind as E;
    let all = &s.accounts().machine;
    assert_eq!(
        E::ALL.map(|kind| all.evictions_of(kind)),
        [2, 2, 1, 1, 1, 1],
        "file, private, tmpfs, clean, zeros, entry"
    );
    assert_eq!((all.evictions_total(), all.evictions_local()), (8, 2));
    assert_eq!((all.evictions_for(E::Private, true), all.evictions_for(E::Entry, true)), (1, 1));
    assert_eq!((s.account(1).evictions_total(), s.account(2).evictions_total()), (6, 2));
    assert_eq!((s.account(1).swap_pages_written, s.account(2).swap_pages_written), (1, 2));
    assert_eq!((all.swap_pages_read, s.account(1).swap_pages_read), (1, 1));
    assert_eq!((s.accounts().slots_peak, s.accounts().policy), (7, Some(PolicyKind::Clock)));
    // What nobody mapped: the page of the file that was copied.
    let matrix = [(2, 1), (2, 2), (1, 1), (1, 2), (1, NOBODY), (2, NOBODY)];
    assert_eq!(matrix.map(|(by, of)| s.accounts().thrown_out(by, of)), [1, 2, 5, 0, 1, 0]);
    let lost = [1, 2].map(|pid| s.accounts().processes[&pid].pages_lost);
    assert_eq!(lost, [6, 2]);
    assert_eq!(s.accounts().thrown_out_by(2).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    s.check_sums();
    s.push(K::Exit, 1, "", |_| {});
    s.push(K::Evict, 0, "", |r| (r.frame, r.detail, r.detail3) = (112, 7, chosen(false)));
    assert_eq!(s.accounts().machine.evictions_total(), 8, "the kernel empties the page cache at the end");
}

#[test]
fn who_began_a_read_is_told_from_who_awaited_it() {
    let mut s = Stream::shell();
    s.fork(1, 2);
    s.switch(1);
    s.swap_out(103, 0, 4, true, false);
    // It is asked for while it is written: nothing is read.
    s.push(K::Wait, 1, "", |r| (r.va, r.detail) = (HEAP, 4));
    let leaving = s.swap_in(1, HEAP, 4, 103, true);
    assert_eq!(s.trace.history.disk_read(&leaving), Some(DiskRead::Leaving));
    let text = explain(&leaving, &s.trace).unwrap();
    assert!(
        text.contains("it was being written there from frame 0x67") && text.contains("no disk read"),
        "{text}"
    );
    // It goes again, is read by the one, awaited by the other, and found by a third time.
    s.swap_out(103, 0, 4, false, false);
    s.read_slot(4, 120);
    let began = s.step;
    s.switch(2);
    s.push(K::Wait, 2, "", |r| (r.va, r.detail) = (HEAP, 4));
    let awaited = s.swap_in(2, HEAP, 4, 120, true);
    let text = explain(&awaited, &s.trace).unwrap();
    let since = format!("since step {began} for process 1 (sh); the kernel began no second read");
    assert!(text.contains(&since), "{text}");
    let own = s.swap_in(1, HEAP, 4, 120, true);
    assert!(matches!(s.trace.history.disk_read(&own), Some(DiskRead::Again(_))), "{own:?}");
    let cached = s.swap_in(2, HEAP, 4, 120, false);
    assert_eq!(s.trace.history.disk_read(&cached), None);
    let all = &s.accounts().machine;
    assert_eq!((all.swap_ins_read, all.swap_ins_awaited, all.swap_ins_cached()), (1, 2, 1));
    assert_eq!((all.swap_pages_read, s.account(2).swap_pages_read), (1, 0));
    s.check_sums();
}

#[test]
fn a_page_of_tmpfs_that_comes_from_swap_is_no_page_of_the_disk() {
    let mut s = Stream::shell();
    let page = |r: &mut EventRecord| (r.detail, r.detail2) = (9, 3);
    let from_disk = |r: &mut EventRecord| {
        page(r);
        r.flags |= FLAG_FROM_DISK;
    };
    s.push(K::CacheFill, 0, "", |r| (r.frame, r.detail, r.detail2) = (130, 9, 3));
    s.fault_with(K::SharedMap, 1, 0x60_0000, Access::Write, 130, page);
    let files_read = s.account(1).file_pages_read;
    s.push(K::SwapOut, 0, "", |r| {
        page(r);
        (r.frame, r.refs, r.flags) = (130, 5, 1);
    });
    s.read_slot(5, 131);
    s.push(K::CacheFill, 0, "", |r| (r.frame, r.detail, r.detail2) = (131, 9, 3));
    s.fault_with(K::SharedMap, 1, 0x60_0000, Access::Write, 131, from_disk);
    assert_eq!(s.account(1).steps_waited, 200, "from the slot's read on");
    assert_eq!((s.account(1).file_pages_read, s.account(1).swap_pages_read), (files_read, 1));
    // The same of a file of the disk, by a fault and by a call.
    s.push(K::CacheFill, 0, "", |r| (r.frame, r.detail, r.detail2) = (132, 7, 9));
    s.fault_with(K::FileDisk, 1, TEXT, Access::Read, 132, |r| {
        (r.detail, r.detail2) = (7, 9);
        r.flags |= FLAG_FROM_DISK;
    });
    s.push(K::DiskRead, 1, "", |r| (r.frame, r.va, r.detail3) = (133, 0, 8));
    s.push(K::DiskRead, 1, "", |_| {});
    assert_eq!(s.account(1).file_pages_read, files_read + 2, "metadata is no page");
    s.check_sums();
}

#[test]
fn a_fault_waits_from_its_read_or_its_wait_to_its_resolution() {
    let mut s = Stream::shell();
    s.fork(1, 2);
    let waited = |s: &Stream| [1, 2].map(|pid| s.account(pid).steps_waited);
    let from_disk = |r: &mut EventRecord| {
        (r.detail, r.detail2) = (7, 1);
        r.flags |= FLAG_FROM_DISK;
    };
    s.switch(1);
    s.push(K::CacheFill, 0, "", |r| (r.frame, r.detail, r.detail2) = (140, 7, 1));
    s.switch(2);
    s.push(K::Wait, 2, "", |_| {});
    s.push(K::Wait, 2, "", |_| {});
    s.fault_with(K::FileDisk, 2, TEXT + 4096, Access::Read, 140, from_disk);
    assert_eq!(waited(&s), [0, 200], "from the first wait on");
    s.fault_with(K::FileDisk, 1, TEXT + 4096, Access::Read, 140, from_disk);
    assert_eq!(waited(&s), [500, 200], "from the read on");
    // For a frame, then for a page.
    s.switch(1);
    s.push(K::Wait, 1, "", |r| r.detail2 = 1);
    s.read_slot(3, 141);
    s.swap_in(1, HEAP, 3, 141, true);
    assert_eq!(waited(&s), [700, 200]);
    // For a frame alone: the fault is not from disk.
    s.push(K::Wait, 1, "", |r| r.detail2 = 1);
    s.fault(K::Zero, 1, HEAP + 0x1000, Access::Write, 142);
    assert_eq!(waited(&s), [800, 200]);
    // What a call has read, and what the end has cut short, is no fault's wait.
    s.read_slot(6, 143);
    s.fault(K::Zero, 1, HEAP + 0x1000, Access::Write, 142);
    s.push(K::Wait, 2, "", |r| r.detail2 = 1);
    s.push(K::Exit, 2, "", |_| {});
    assert_eq!(waited(&s), [800, 200]);
    s.check_sums();
}

#[test]
fn an_explanation_tells_that_a_page_was_chosen_among_its_process_s_own() {
    let among =
        "(clock chose it among the pages of its own process, which had all that it may have: its R bit was 0";
    let mut s = Stream::shell();
    s.swap_out(103, 0, 4, true, true);
    s.read_slot(4, 120);
    let back = s.swap_in(1, HEAP, 4, 120, true);
    let text = explain(&back, &s.trace).unwrap();
    assert!(text.contains(among) && text.contains("the kernel read it back"), "{text}");
    // A page that has stayed for others.
    let step = s.push(K::EvictEntry, 0, "", |r| {
        (r.frame, r.space, r.va, r.detail3) = (100, space(1), TEXT, chosen(true));
    });
    let again = s.fault_with(K::FileCache, 1, TEXT, Access::Execute, 100, |r| r.detail = 7);
    let text = explain(&again, &s.trace).unwrap();
    let lost = format!("The process had lost its entry at step {} {among}", step.step);
    assert!(text.contains(&lost) && text.contains("was in the page cache already"), "{text}");
    let line = serde_json::to_string(&step).unwrap();
    assert!(line.contains(r#""policy":"clock""#) && line.contains(r#""local":true"#), "{line}");
    let text = explain(&s.fault_with(K::FileCache, 1, TEXT, Access::Read, 100, |r| r.detail = 7), &s.trace);
    assert!(!text.unwrap().contains("lost its entry"), "it has been mapped since");
}

/// What becomes of a page that two share, as each of them sees it.
#[test]
fn a_page_that_left_says_when_and_whether_it_is_back() {
    let mut s = Stream::shell();
    s.mmap(1, (HEAP, 2), (0, 0), READ_WRITE, "");
    s.fault_with(K::Zero, 1, HEAP, Access::Write, 0x90, |_| {});
    s.fork(1, 2);
    let what = |s: &Stream, pid| match at_page(&s.trace, pid, VirtAddr(HEAP)) {
        Residence::Here(_, frame) => format!("in {:#x}", frame.0),
        Residence::Later(_, what) | Residence::Away(_, what) | Residence::Nothing(what) => what,
    };
    assert_eq!([what(&s, 1), what(&s, 2)], ["in 0x90", "in 0x90"]);
    s.swap_out(0x90, 0, 5, true, false);
    let when = format!("at step {} (", s.step);
    let check = |s: &Stream, pid, begins: &str, ends: &str| {
        let what = what(s, pid);
        assert!(what.starts_with(&format!("{begins} {when}")) && what.ends_with(ends), "{what}");
    };
    let stays = "in frame 0x90, as the page of swap slot 5; its next touch faults and maps that";
    check(&s, 1, "was taken from it", stays);
    check(&s, 2, "was taken from it", stays);
    s.push(K::FrameFree, 0, "", |r| r.frame = 0x90);
    let is_away = "is in swap slot 5; its next touch faults and brings it back";
    check(&s, 1, "left memory", is_away);
    s.read_slot(5, 0x91);
    check(&s, 2, "left memory", is_away);
    s.swap_in(1, HEAP, 5, 0x91, true);
    assert_eq!(what(&s, 1), "in 0x91");
    check(&s, 2, "was taken from it", &stays.replace("0x90", "0x91"));
    // The slot has another page when it is used again.
    s.swap_in(2, HEAP, 5, 0x91, false);
    s.swap_out(0x95, 0, 5, true, false);
    s.push(K::FrameFree, 0, "", |r| r.frame = 0x95);
    assert_eq!(s.trace.guest.frame_of_slot(5), None);
}

/// A page of shared memory whose entry a budget has emptied is in memory, and new only to who touches it first.
#[test]
fn a_page_of_shared_memory_that_a_budget_took_is_in_memory() {
    let mut s = Stream::shell();
    s.mmap(1, (HEAP, 1), (9, 0), READ_WRITE | VMA_SHARED, "/dev/zero (deleted)");
    let maps = |s: &mut Stream| {
        s.fault_with(K::SharedMap, 1, HEAP, Access::Write, 0x90, |r| (r.detail, r.detail2) = (9, 0))
    };
    s.switch(1);
    s.push(K::CacheFill, 0, "", |r| (r.frame, r.detail, r.detail2) = (0x90, 9, 0));
    let first = maps(&mut s);
    let told = explain(&first, &s.trace).unwrap();
    assert!(told.contains("nobody had touched page 0") && !told.contains("in the page cache"), "{told}");
    s.push(K::EvictEntry, 1, "", |r| (r.frame, r.va, r.detail3) = (0x90, HEAP, chosen(true)));
    let taken_at = s.step;
    let what = |s: &Stream| match at_page(&s.trace, 1, VirtAddr(HEAP)) {
        Residence::Away(_, what) | Residence::Later(_, what) => what,
        other => panic!("{other:?}"),
    };
    assert!(what(&s).starts_with(&format!("was taken from it at step {taken_at} (clock")), "{}", what(&s));
    assert!(
        what(&s).ends_with(
            "its next touch faults and maps page 0 of the shared anonymous memory, which is in memory"
        ),
        "{}",
        what(&s)
    );
    let again = maps(&mut s);
    let told = explain(&again, &s.trace).unwrap();
    assert!(told.contains("page 0") && !told.contains("nobody had touched"), "{told}");
    s.push(K::EvictEntry, 1, "", |r| (r.frame, r.va, r.detail3) = (0x90, HEAP, chosen(true)));
    s.push(K::Munmap, 1, "", |r| (r.va, r.va_end) = (HEAP, HEAP + 4096));
    s.mmap(1, (HEAP, 1), (9, 0), READ_WRITE | VMA_SHARED, "/dev/zero (deleted)");
    assert!(what(&s).starts_with("its first touch"), "another mapping: {}", what(&s));
}
