//! One page fault in plain words: which bit of which PTE decided, and what the kernel did about it.

use super::Trace;
use super::event::Event;
use super::guest_view::GuestView;
use super::history::{DiskRead, Errand, GivenUp, ThreadId};
use super::refusal::{return_address, went_away};
use super::residence::no_user_address;
use super::space::VmaView;
use isa::events::{Access, EventKind, EventRecord, SegvReason, VMA_WRITE};
use isa::paging::{Pte, PteFlags, leaf_bytes};
use isa::policies::PolicyKind;
use isa::{Step, VirtAddr};

/// Why the hardware could not use a PTE for an access by a user program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// V is clear: there is no translation.
    NotValid,
    /// W is set and R is not: a reserved combination.
    Reserved,
    /// U is clear: the page is not the user's.
    NotUser,
    /// R is clear and the access is a load.
    NotReadable,
    /// W is clear and the access is a store.
    NotWritable,
    /// X is clear and the access is a fetch.
    NotExecutable,
    /// A is clear.
    NotAccessed,
    /// D is clear and the access is a store.
    NotDirty,
    /// Nothing: the entry allows the access. It was changed since, or the TLB still held an older one.
    Allowed,
}

impl Verdict {
    /// The bit that decided, if one did.
    pub const fn bit(self) -> Option<char> {
        match self {
            Self::NotValid => Some('V'),
            Self::NotUser => Some('U'),
            Self::NotReadable | Self::Reserved => Some('R'),
            Self::NotWritable => Some('W'),
            Self::NotExecutable => Some('X'),
            Self::NotAccessed => Some('A'),
            Self::NotDirty => Some('D'),
            Self::Allowed => None,
        }
    }
}

/// The first bit of a leaf PTE that forbids a user's access, in the order in which the hardware looks (privileged
/// manual, "Virtual Address Translation Process"; SUM and MXR play no part for the user's own accesses).
pub fn verdict(pte: Pte, access: Access) -> Verdict {
    let flags = pte.flags();
    let lacks = |bit| !flags.contains(bit);
    let permission = match access {
        Access::Read => (PteFlags::R, Verdict::NotReadable),
        Access::Write => (PteFlags::W, Verdict::NotWritable),
        Access::Execute => (PteFlags::X, Verdict::NotExecutable),
    };
    if lacks(PteFlags::V) {
        Verdict::NotValid
    } else if lacks(PteFlags::R) && flags.contains(PteFlags::W) {
        Verdict::Reserved
    } else if lacks(PteFlags::U) {
        Verdict::NotUser
    } else if lacks(permission.0) {
        permission.1
    } else if lacks(PteFlags::A) {
        Verdict::NotAccessed
    } else if access == Access::Write && lacks(PteFlags::D) {
        Verdict::NotDirty
    } else {
        Verdict::Allowed
    }
}

/// The flags of a PTE, one letter or dash a bit, in the manual's order from D down to V: `DAGUXWRV`.
pub fn pte_flags(pte: Pte) -> String {
    let bits = [
        (PteFlags::D, 'D'),
        (PteFlags::A, 'A'),
        (PteFlags::G, 'G'),
        (PteFlags::U, 'U'),
        (PteFlags::X, 'X'),
        (PteFlags::W, 'W'),
        (PteFlags::R, 'R'),
        (PteFlags::V, 'V'),
    ];
    bits.into_iter().map(|(bit, letter)| if pte.flags().contains(bit) { letter } else { '-' }).collect()
}

/// One paragraph on a page fault, `trace` being the state of things after it; `None` if the event is not a fault.
pub fn explain(event: &Event, trace: &Trace) -> Option<String> {
    let guest = &trace.guest;
    let kind = event.kind().filter(|kind| kind.is_fault())?;
    let record = &event.record;
    let access = record.access().unwrap_or(Access::Read);
    let vma = guest.vma_at(record.pid, VirtAddr(record.va));
    let mut text = String::new();
    let sentences = [
        who(event, trace, access),
        place(record, trace, vma),
        why(event, trace.history.lowest_table(), access),
        action(kind, access, event, trace, vma),
    ];
    for sentence in sentences {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&sentence);
    }
    Some(text)
}

/// Who did what, where and when.
fn who(event: &Event, trace: &Trace, access: Access) -> String {
    let record = &event.record;
    let who = process(record.pid, &trace.guest);
    let va = record.va;
    let step = event.step;
    if event.kernel_copy() {
        let what = if access == Access::Write { "write to" } else { "read from" };
        let thread = ThreadId { pid: record.pid, tid: record.tid };
        let errand = match trace.history.errand(thread) {
            Some(Errand::Program) => "as it loaded its program".to_owned(),
            Some(Errand::Handler { signal }) => {
                format!("as it made a frame for the handler of signal {signal}")
            }
            Some(Errand::End) => "as it ended it".to_owned(),
            // The program counter lies behind the `ecall` already.
            None => format!("in the system call that it made at pc {:#x}", record.pc.wrapping_sub(4)),
        };
        return format!("At step {step} the kernel had to {what} {va:#x} for {who}, {errand}.");
    }
    match access {
        Access::Read => {
            format!("At step {step} {who} read from {va:#x}; the load is at pc {:#x}.", record.pc)
        }
        Access::Write => {
            format!("At step {step} {who} wrote to {va:#x}; the store is at pc {:#x}.", record.pc)
        }
        Access::Execute => {
            let from = return_address(event);
            let from = from.map_or_else(String::new, |ra| format!("; if it was called, then from ra {ra}"));
            format!(
                "At step {step} {who} went to execute the instruction at {va:#x} (pc {:#x}{from}).",
                record.pc
            )
        }
    }
}

/// `process 1 (name)`, as far as it has a name.
pub(super) fn process(pid: u64, guest: &GuestView) -> String {
    match guest.process(pid).map_or("", |process| process.name()) {
        "" => format!("process {pid}"),
        name => format!("process {pid} ({name})"),
    }
}

/// What lies there.
fn place(record: &EventRecord, trace: &Trace, vma: Option<&VmaView>) -> String {
    let va = VirtAddr(record.va);
    let Some(vma) = vma else {
        if let Some(why) = no_user_address(va) {
            return format!("That is {why}.");
        }
        let was = match trace.history.unmapped_at(record.space, va) {
            Some(unmapped) => format!(": it was {}", went_away(&unmapped)),
            None if trace.history.has_forgotten() => String::new(),
            None => ", and none ever did".to_owned(),
        };
        return format!("No mapping of the process holds that address (page {:#x}){was}.", va.page().0);
    };
    format!("It lies in {}.", vma.described(va))
}

/// Which bit decided.
fn why(event: &Event, lowest_table: u8, access: Access) -> String {
    let pte = Pte(event.record.pte);
    let verdict = verdict(pte, access);
    let fault = match (event.kernel_copy(), access) {
        (true, _) => "the kernel, which looks the page up before it copies, found no way through",
        (false, Access::Read) => "the hardware raised a load page fault",
        (false, Access::Write) => "the hardware raised a store/AMO page fault",
        (false, Access::Execute) => "the hardware raised an instruction page fault",
    };
    let entry = format!("its PTE was {:#x} [{}]", pte.0, pte_flags(pte));
    match verdict {
        Verdict::NotValid if no_user_address(VirtAddr(event.record.va)).is_some() => {
            format!("A program has nothing there, whatever its page table says: {fault}.")
        }
        Verdict::NotValid if pte == Pte::EMPTY && lowest_table > 0 => {
            let (level, span) = (lowest_table - 1, span(lowest_table));
            format!(
                "The page had no translation, nor even a PTE: of the {span} around it no page was mapped, so there was no page table of level {level}; as bit V of the entry at level {lowest_table} was 0, {fault}."
            )
        }
        Verdict::NotValid if pte == Pte::EMPTY => {
            format!("The page had no translation: its PTE was empty, and as bit V was 0, {fault}.")
        }
        Verdict::NotValid => {
            let note = match event.kind() {
                Some(EventKind::SwapIn) => format!("the kernel's note of swap slot {}", event.record.detail),
                _ => "a note of the kernel's".to_owned(),
            };
            format!("The page had no translation: its PTE was {:#x}, {note}; as bit V was 0, {fault}.", pte.0)
        }
        Verdict::Reserved => format!(
            "The page was mapped to frame {:#x}, but {entry}: bit W without bit R is reserved, so {fault}.",
            pte.ppn().0
        ),
        Verdict::Allowed => format!(
            "The page was mapped to frame {:#x} and {entry} allows the access: the TLB still held what was there before.",
            pte.ppn().0
        ),
        other => format!(
            "The page was mapped to frame {:#x}, but {entry}: as bit {} was 0, {fault}.",
            pte.ppn().0,
            other.bit().unwrap_or('V')
        ),
    }
}

/// What the kernel did.
fn action(kind: EventKind, access: Access, event: &Event, trace: &Trace, vma: Option<&VmaView>) -> String {
    let (record, guest) = (&event.record, &trace.guest);
    let (frame, previous) = (record.frame, record.previous_frame);
    let file =
        || guest.file_name(record.detail).map_or_else(|| format!("file {}", record.detail), str::to_owned);
    let page = record.detail2;
    let now = format!("the PTE is now {:#x} [{}]", record.new_pte, pte_flags(Pte(record.new_pte)));
    // A copy by the kernel that is refused is the system call's failure, not a signal.
    let told = |signal: &str| {
        if event.kernel_copy() {
            "the system call failed with EFAULT".to_owned()
        } else {
            format!("sent {signal}")
        }
    };
    let given_up = trace.history.discarded_at(record.space, VirtAddr(record.va)).map(|range| {
        let step = range.at;
        range.call.map_or_else(
            || format!("since the fork at step {step}, which left it out"),
            |call| format!("since it was given up by madvise at step {step} (pc {call})"),
        )
    });
    let since = given_up.as_deref().unwrap_or("before");
    let until_now = given_up.as_deref().unwrap_or("yet");
    let read = trace.history.disk_read(event);
    let awaited = |reader: ThreadId, since: Step| {
        let who = if reader.pid == record.pid {
            format!("thread {} of this process", reader.tid)
        } else {
            process(reader.pid, guest)
        };
        format!("was being read from the disk already, since step {since} for {who}")
    };
    let ahead = |since: Step| {
        format!(
            "was being read from the disk already, since step {since}, as a page before it was needed then"
        )
    };
    let waited = match read {
        _ if !event.from_disk() => "was in the page cache already".to_owned(),
        Some(DiskRead::Awaited(reader, since)) => {
            format!("{}, and the process slept until it was there", awaited(reader, since))
        }
        Some(DiskRead::Ahead(since)) => {
            format!("{}, and the process slept until it was there", ahead(since))
        }
        Some(DiskRead::Again(given_up)) if trace.history.is_from_swap(event) => format!(
            "had been swapped out at step {}{}, and had to be read back from swap space, while the process slept",
            given_up.at,
            choice(given_up)
        ),
        Some(DiskRead::Again(given_up)) => format!(
            "had been in memory before, but was given up at step {}{}, and had to be read from the disk again, while the process slept",
            given_up.at,
            choice(given_up)
        ),
        Some(DiskRead::Leaving) => {
            "was on its way out to swap space, and the process slept until it was written".to_owned()
        }
        Some(DiskRead::First) | None => {
            "had to be read from the disk first, and the process slept meanwhile".to_owned()
        }
    };
    match kind {
        EventKind::Zero if record.pte & PteFlags::V.bits() != 0 => format!(
            "The page had only been read so far and showed the shared zero page. Now that it is written it needs a frame of its own: the kernel took frame {frame:#x}, filled it with zeros and mapped it ({now})."
        ),
        EventKind::Zero => format!(
            "Nobody had touched the page {since}, and memory is given out only when it is touched: the kernel took frame {frame:#x}, filled it with zeros, so that no byte of its former owner shows, and mapped it ({now})."
        ),
        EventKind::ZeroShared => format!(
            "Nobody has written to the page {until_now}, so it reads as zeros: the kernel mapped the one zero page that all such pages share, frame {frame:#x}, without bit W ({now}). No memory was used; the first store will fault again and get a frame."
        ),
        EventKind::FileDisk => match read {
            Some(DiskRead::Awaited(reader, since)) => format!(
                "Page {page} of {} {}: the kernel began no second read, let the process sleep until the page was there, in frame {frame:#x}, and mapped the frame without bit W ({now}).",
                file(),
                awaited(reader, since)
            ),
            Some(DiskRead::Ahead(since)) => format!(
                "Page {page} of {} {}: the kernel began no second read, let the process sleep until the page was there, in frame {frame:#x}, and mapped the frame without bit W ({now}).",
                file(),
                ahead(since)
            ),
            Some(DiskRead::Again(given_up)) => format!(
                "The page had been in memory before, but the page cache gave it up at step {}{}: the kernel read page {page} of {} from the disk again, into frame {frame:#x}, let the process sleep until it was there, and mapped the frame without bit W ({now}).",
                given_up.at,
                choice(given_up),
                file()
            ),
            Some(DiskRead::First | DiskRead::Leaving) | None => format!(
                "The page had never been needed: the kernel read page {page} of {} from the disk into frame {frame:#x}, let the process sleep until it was there, and mapped the frame without bit W ({now}).",
                file()
            ),
        },
        EventKind::FileCache => format!(
            "{}Page {page} of {} was in the page cache already, in frame {frame:#x}, mapped {} so far: the kernel mapped it here too, without bit W ({now}). No disk read, no copy.",
            trace.history.was_emptied().map_or_else(String::new, |given_up| format!(
                "The process had lost its entry at step {}{}, and the page itself had stayed. ",
                given_up.at,
                choice(given_up)
            )),
            file(),
            times(record.refs)
        ),
        EventKind::FileCopy if access != Access::Write => format!(
            "The file's part of the mapping ends inside this page, and the rest of the page must be zeros, so it cannot be shared: page {page} of {} {waited}, in frame {previous:#x}. The kernel copied its part to frame {frame:#x}, filled the rest with zeros and mapped that ({now}).",
            file()
        ),
        EventKind::FileCopy => format!(
            "The page is private and must not be changed in the file: page {page} of {} {waited}, in frame {previous:#x}. The kernel copied it to frame {frame:#x}, which is the process's own, and mapped that ({now}).",
            file()
        ),
        EventKind::CowCopy => format!(
            "Since a fork the frame is shared copy-on-write, and {} map it: the kernel copied frame {previous:#x} to frame {frame:#x}, gave the copy to this process and left the original to the others ({now}).",
            owners(record.refs)
        ),
        EventKind::CowReuse => format!(
            "The frame was shared copy-on-write since a fork, but this process is its last owner: the kernel set bit W and copied nothing ({now})."
        ),
        EventKind::StackGrow => format!(
            "The address lies just below the stack, so the stack grew: the kernel extended it down to {:#x}, took frame {frame:#x}, filled it with zeros and mapped it ({now}).",
            VirtAddr(record.va).page_base().0
        ),
        EventKind::SharedMap if vma.is_some_and(|vma| vma.file == 0) => format!(
            "The mapping is shared memory: the kernel mapped its frame {frame:#x}, which every process that shares it sees ({now})."
        ),
        EventKind::SharedMap if trace.history.was_new() && vma.is_some_and(VmaView::is_anonymous) => format!(
            "The mapping is shared memory, and nobody had touched page {page} of it: the kernel took frame {frame:#x}, filled it with zeros and mapped it itself, so that everyone who maps that memory sees a store ({now})."
        ),
        EventKind::SharedMap => format!(
            "The mapping is shared: page {page} of {} {waited}, and the kernel mapped its frame {frame:#x} itself, so that everyone who maps the file sees a store ({now}).",
            file()
        ),
        EventKind::Accessed => format!(
            "The kernel had nothing to fetch or copy: it marked the page as used and flushed the TLB's entry ({now})."
        ),
        EventKind::Dirtied => format!(
            "The kernel had nothing to fetch or copy: it marked the page as changed and flushed the TLB's entry ({now})."
        ),
        EventKind::Protection => {
            let allowed = vma.map_or_else(String::new, |vma| format!(" ({})", vma.permissions()));
            format!(
                "The mapping itself does not allow this{allowed}, so no frame can help: the kernel changed nothing and {}.",
                told("SIGSEGV (SEGV_ACCERR)")
            )
        }
        EventKind::Segv => match SegvReason::from_number(record.detail3) {
            Some(SegvReason::StackLimit) => format!(
                "The address lies below the stack, which may not grow so far: its limit is {} bytes (RLIMIT_STACK). The kernel changed nothing and {}.",
                record.detail,
                told("SIGSEGV (SEGV_MAPERR)")
            ),
            Some(SegvReason::NotMapped) | None => {
                format!("The kernel changed nothing and {}.", told("SIGSEGV (SEGV_MAPERR)"))
            }
            Some(SegvReason::BeyondEndOfFile) => format!(
                "The mapping is there, but the file behind it has no such page: the kernel changed nothing and {}.",
                told("SIGBUS")
            ),
            Some(SegvReason::ReadFailed) => format!(
                "The mapping is there, but the page of the file could not be read: the kernel changed nothing and {}.",
                told("SIGBUS")
            ),
            Some(SegvReason::SwapFailed) => format!(
                "The page had been swapped out to slot {}, and it could not be read back as it was written: the kernel changed nothing and {}.",
                record.detail,
                told("SIGBUS")
            ),
            Some(SegvReason::NoRoom) => format!(
                "The mapping is there, but files in memory have all the frames that they may have: the kernel changed nothing and {}.",
                told("SIGBUS")
            ),
        },
        EventKind::SwapIn => {
            let slot = record.detail;
            let went = trace
                .history
                .swapped_out(slot)
                .map_or_else(String::new, |given_up| format!(" at step {}{}", given_up.at, choice(given_up)));
            let came = match read {
                _ if !event.from_disk() => format!(
                    "it was in memory still, or again, in frame {frame:#x} (the swap cache), and the kernel mapped that: no disk read"
                ),
                Some(DiskRead::Awaited(reader, since)) => format!(
                    "it {}; the kernel began no second read, let the process sleep until the page was there, in frame {frame:#x}, and mapped it",
                    awaited(reader, since)
                ),
                Some(DiskRead::Leaving) => format!(
                    "it was being written there from frame {frame:#x}, so the kernel let the process sleep until that was done, kept the frame and mapped it: no disk read"
                ),
                _ => format!(
                    "the kernel read it back from there into frame {frame:#x}, let the process sleep until it was there, and mapped it"
                ),
            };
            let writable = Pte(record.new_pte).flags().contains(PteFlags::W);
            let shared = if writable || vma.is_some_and(|vma| vma.flags & VMA_WRITE == 0) {
                ""
            } else {
                " Others have the page, too, so bit W is not set, and a store will fault."
            };
            format!("The page had been swapped out to slot {slot}{went}: {came} ({now}).{shared}")
        }
        _ => String::new(),
    }
}

/// What an entry at `level` spans: `2 MiB`.
fn span(level: u8) -> String {
    let mib = leaf_bytes(level) >> 20;
    if mib < 1 << 10 { format!("{mib} MiB") } else { format!("{} GiB", mib >> 10) }
}

fn times(count: u64) -> String {
    match count {
        0 => "nowhere".to_owned(),
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

fn owners(count: u64) -> String {
    match count {
        2 => "two page tables".to_owned(),
        more => format!("{more} page tables"),
    }
}

/// Why the policy chose a page, in brackets; nothing if none did.
pub(super) fn choice(given_up: GivenUp) -> String {
    let Some((policy, why)) = given_up.choice else { return String::new() };
    if why.is_asked {
        return " (its program asked for that)".to_owned();
    }
    let passed = match (why.looks.saturating_sub(1), why.cleared) {
        (0, _) => String::new(),
        (1, 0) => "; one page was passed before it".to_owned(),
        (1, _) => "; one page was passed before it, which lost its R bit".to_owned(),
        (passed, 0) => format!("; {passed} pages were passed before it"),
        (passed, cleared) => {
            format!("; {passed} pages were passed before it, {cleared} of which lost their R bit")
        }
    };
    let reason = match policy {
        PolicyKind::Fifo => format!("it had come first{passed}"),
        PolicyKind::Random => format!("by lot{passed}"),
        PolicyKind::SecondChance => format!("its R bit was 0 at the head of the queue{passed}"),
        PolicyKind::Clock => format!("its R bit was 0 when the hand came by{passed}"),
        PolicyKind::EnhancedClock => {
            let dirty =
                if why.marks.dirty { "its D bit 1, and no clean one was unused" } else { "its D bit 0" };
            format!("its R bit was 0 when the hand came by, {dirty}{passed}")
        }
        PolicyKind::Aging => format!("its counter was {}, the lowest{passed}", why.counter),
    };
    let among =
        if why.is_local { " among the pages of its own process, which had all that it may have" } else { "" };
    format!(" ({policy} chose it{among}: {reason})")
}
