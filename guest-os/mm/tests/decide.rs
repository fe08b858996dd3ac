//! `fault::decide`, row by row. A row reads: in this place, this access, with this mapped, this in the page
//! cache, having waited so: do that.

use isa::events::{Access, EventKind};
use isa::paging::{Pte, PteFlags};
use isa::{Ppn, VirtAddr, Vpn};
use mm::fault::{Away, DiskWait, FaultAction, FaultQuery, MappedFrame, Place, StackRoom, decide};
use mm::{Backing, FileBacking, FileId, FrameId, PageLookup, PageRange, Prot, SegvReason, Vma, VmaFlags};
use {Access::*, FaultAction::*};

mod support;

const RW: Prot = Prot::READ.union(Prot::WRITE);
const RX: Prot = Prot::READ.union(Prot::EXEC);

/// The page that faults, page 2 of a VMA of four pages.
const VA: VirtAddr = VirtAddr(0x12345);

fn vma(prot: Prot, flags: VmaFlags, backing: Backing) -> Vma {
    Vma { range: PageRange::new(Vpn(0x10), Vpn(0x14)), prot, flags, backing, name: "".into() }
}
fn anon(prot: Prot) -> Vma {
    vma(prot, VmaFlags::empty(), Backing::Anon)
}
fn file_of_bytes(prot: Prot, flags: VmaFlags, len_bytes: Option<u64>) -> Vma {
    vma(prot, flags, Backing::File(FileBacking { file: FileId(7), first_page: 0, len_bytes }))
}
fn file(prot: Prot) -> Vma {
    file_of_bytes(prot, VmaFlags::empty(), None)
}
/// The file's bytes end in the middle of the faulting page.
fn tail(prot: Prot) -> Vma {
    file_of_bytes(prot, VmaFlags::empty(), Some(2 * 4096 + 100))
}
/// The file's bytes end before the faulting page.
fn bss(prot: Prot) -> Vma {
    file_of_bytes(prot, VmaFlags::empty(), Some(2 * 4096))
}
fn shared(prot: Prot) -> Vma {
    file_of_bytes(prot, VmaFlags::SHARED, None)
}
fn stack() -> Vma {
    vma(RW, VmaFlags::GROWS_DOWN, Backing::Anon)
}

fn frame() -> FrameId {
    support::memory(1).zero_page()
}
fn ready() -> Option<PageLookup> {
    Some(PageLookup::Ready(frame()))
}

/// The entry of a mapped page: what the hardware lets the user do.
const R_: PteFlags = PteFlags::R;
const RW_: PteFlags = PteFlags::R.union(PteFlags::W);
const RX_: PteFlags = PteFlags::R.union(PteFlags::X);
const A: PteFlags = PteFlags::A;
const D: PteFlags = PteFlags::D;

#[track_caller]
fn mapped(vma: Vma, access: Access, flags: PteFlags, frame: MappedFrame, expected: FaultAction) {
    let pte = Pte::new(Ppn(9), flags | PteFlags::V | PteFlags::U);
    let query = FaultQuery {
        va: VA,
        access,
        place: Place::Inside(&vma),
        pte,
        mapped: Some(frame),
        away: Away::Nowhere,
        page: ready(),
        waited: DiskWait::None,
    };
    assert_eq!(decide(&query), expected, "{query:?}");
}

/// A fault at an address whose entry maps nothing.
fn unmapped(place: Place<'_>, access: Access) -> FaultQuery<'_> {
    FaultQuery {
        va: VA,
        access,
        place,
        pte: Pte::EMPTY,
        mapped: None,
        away: Away::Nowhere,
        page: None,
        waited: DiskWait::None,
    }
}

#[track_caller]
fn untouched(vma: Vma, access: Access, page: Option<PageLookup>, waited: DiskWait, expected: FaultAction) {
    let query = FaultQuery { page, waited, ..unmapped(Place::Inside(&vma), access) };
    assert_eq!(decide(&query), expected, "{query:?}");
}

#[track_caller]
fn gone(vma: &Vma, access: Access, away: Away, waited: DiskWait, expected: FaultAction) {
    let query = FaultQuery { away, page: ready(), waited, ..unmapped(Place::Inside(vma), access) };
    assert_eq!(decide(&query), expected, "{query:?}");
}

#[track_caller]
fn outside(place: Place<'_>, access: Access, expected: FaultAction) {
    let query = unmapped(place, access);
    assert_eq!(decide(&query), expected, "{query:?}");
}

#[test]
fn a_private_page_that_has_left_memory() {
    use DiskWait::{Done, Failed, None as NotYet};
    // In a private mapping of a file, too: its own page comes back, and not the file's.
    for vma in [anon(RW), bss(RW), stack()] {
        for access in [Read, Write] {
            gone(&vma, access, Away::Stored, NotYet, ReadPage);
            gone(&vma, access, Away::Busy, NotYet, WaitPage);
            gone(&vma, access, Away::Cached, NotYet, SwapIn);
            gone(&vma, access, Away::Cached, Done, SwapIn);
            gone(&vma, access, Away::Stored, Failed, Segv(SegvReason::SwapFailed));
        }
        gone(&vma, Read, Away::Zeros, NotYet, ZeroShared);
        gone(&vma, Write, Away::Zeros, NotYet, Zero);
    }
    gone(&anon(Prot::READ), Write, Away::Cached, NotYet, Protection);
}

#[test]
fn an_untouched_anonymous_page() {
    for vma in [anon(RW), bss(RW), stack()] {
        untouched(vma.clone(), Write, None, DiskWait::None, Zero);
        untouched(vma, Read, None, DiskWait::None, ZeroShared);
    }
    untouched(anon(Prot::EXEC), Execute, None, DiskWait::None, ZeroShared);
    untouched(anon(Prot::WRITE), Read, None, DiskWait::None, ZeroShared);
}

#[test]
fn an_untouched_page_of_a_file() {
    use DiskWait::{Done, Failed, None as Not};
    let absent = Some(PageLookup::Absent);
    let reading = Some(PageLookup::Reading(frame()));
    let hole = Some(PageLookup::Hole);
    let beyond = Some(PageLookup::BeyondEnd);
    for (vma, access, page, waited, expected) in [
        // Not in memory: read it first, whatever is wanted of it.
        (file(RW), Read, absent, Not, ReadPage),
        (file(RW), Write, absent, Not, ReadPage),
        (file(RX), Execute, absent, Not, ReadPage),
        (tail(RW), Read, absent, Not, ReadPage),
        (shared(RW), Write, absent, Not, ReadPage),
        (file(RW), Read, reading, Not, WaitPage),
        (shared(RW), Write, reading, Not, WaitPage),
        // It was dropped again between the end of the read and this fault's second look.
        (file(RW), Read, absent, Done, ReadPage),
        // In memory.
        (file(RW), Read, ready(), Not, FileCache),
        (file(RX), Execute, ready(), Not, FileCache),
        (file(RW), Read, ready(), Done, FileDisk),
        (file(RX), Execute, ready(), Done, FileDisk),
        (file(RW), Write, ready(), Not, FileCopy),
        (file(RW), Write, ready(), Done, FileCopy),
        (shared(RW), Read, ready(), Not, SharedMap),
        (shared(RW), Write, ready(), Done, SharedMap),
        // A page whose end is bss can't be the cache's frame: its end must be zeros.
        (tail(RW), Read, ready(), Not, FileCopy),
        (tail(RX), Execute, ready(), Done, FileCopy),
        // A hole of a file in memory is zeros, without a read.
        (file(RW), Read, hole, Not, FileCache),
        (file(RW), Write, hole, Not, FileCopy),
        (shared(RW), Write, hole, Not, SharedMap),
        // There is nothing to read.
        (file(RW), Read, beyond, Not, Segv(SegvReason::BeyondEndOfFile)),
        (shared(RW), Write, beyond, Not, Segv(SegvReason::BeyondEndOfFile)),
        (file(RW), Read, absent, Failed, Segv(SegvReason::ReadFailed)),
        (file(RW), Write, ready(), Failed, Segv(SegvReason::ReadFailed)),
    ] {
        untouched(vma, access, page, waited, expected);
    }
}

#[test]
fn a_mapped_page() {
    use MappedFrame::{Anon, File, Zero as ZeroPage};
    for (vma, access, flags, frame, expected) in [
        // A store to a page that is write-protected though the VMA allows it.
        (anon(RW), Write, R_, ZeroPage, Zero),
        (anon(RW), Write, R_, Anon { owners: 2 }, CowCopy),
        (anon(RW), Write, R_, Anon { owners: 3 }, CowCopy),
        (anon(RW), Write, R_, Anon { owners: 1 }, CowReuse),
        (file(RW), Write, R_, Anon { owners: 2 }, CowCopy),
        (file(RW), Write, R_, Anon { owners: 1 }, CowReuse),
        (file(RW), Write, R_, File, FileCopy),
        (shared(RW), Write, R_, File, SharedMap),
        (bss(RW), Write, R_, ZeroPage, Zero),
        // The entry allows the access already: only A or D was missing, or someone else was faster.
        (anon(RW), Read, RW_, Anon { owners: 1 }, Accessed),
        (anon(RW), Read, RW_ | A, Anon { owners: 1 }, Accessed),
        (anon(RW), Write, RW_, Anon { owners: 1 }, Dirtied),
        (anon(RW), Write, RW_ | A, Anon { owners: 1 }, Dirtied),
        (anon(RW), Write, RW_ | D, Anon { owners: 1 }, Accessed),
        (anon(RW), Write, RW_ | A | D, Anon { owners: 1 }, Accessed),
        (shared(RW), Read, RW_, File, Accessed),
        (shared(RW), Write, RW_ | A, File, Dirtied),
        // D says nothing where W is clear: the page was stored to before a fork.
        (anon(RW), Write, R_ | A | D, Anon { owners: 2 }, CowCopy),
        (file(RX), Execute, RX_, File, Accessed),
        (file(RX), Read, RX_, File, Accessed),
        (anon(RW), Read, R_, ZeroPage, Accessed),
    ] {
        mapped(vma, access, flags, frame, expected);
    }
}

#[test]
fn what_the_vma_forbids() {
    use MappedFrame::{Anon, File};
    let none = Prot::empty();
    for (prot, access) in [
        (Prot::READ, Write),
        (Prot::READ, Execute),
        (RW, Execute),
        (RX, Write),
        (Prot::EXEC, Read),
        (none, Read),
        (none, Write),
        (none, Execute),
    ] {
        untouched(anon(prot), access, None, DiskWait::None, Protection);
        untouched(file(prot), access, Some(PageLookup::Absent), DiskWait::None, Protection);
        mapped(anon(prot), access, R_, Anon { owners: 1 }, Protection);
        mapped(shared(prot), access, R_, File, Protection);
    }
}

#[test]
fn outside_every_vma() {
    let not_mapped = Segv(SegvReason::NotMapped);
    outside(Place::Nowhere, Read, not_mapped);
    outside(Place::Nowhere, Write, not_mapped);
    outside(Place::Nowhere, Execute, not_mapped);
    let stack = stack();
    let below = |room| Place::BelowStack { stack: &stack, room };
    outside(below(StackRoom::Enough), Write, StackGrow);
    outside(below(StackRoom::Enough), Read, StackGrow);
    outside(below(StackRoom::Enough), Execute, Protection);
    outside(below(StackRoom::OverLimit), Write, Segv(SegvReason::StackLimit));
    outside(below(StackRoom::Guard), Write, not_mapped);
}

#[test]
fn actions_and_events_share_their_names() {
    for (action, name) in [
        (Zero, "zero"),
        (ZeroShared, "zero_shared"),
        (FileDisk, "file_disk"),
        (FileCache, "file_cache"),
        (FileCopy, "file_copy"),
        (CowCopy, "cow_copy"),
        (CowReuse, "cow_reuse"),
        (StackGrow, "stack_grow"),
        (SharedMap, "shared_map"),
        (Accessed, "accessed"),
        (Dirtied, "dirtied"),
        (Protection, "protection"),
        (Segv(SegvReason::NotMapped), "segv"),
    ] {
        assert_eq!(action.event_kind().map(EventKind::name), Some(name));
    }
    assert_eq!((ReadPage.event_kind(), WaitPage.event_kind()), (None, None));
}
