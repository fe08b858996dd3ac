//! The typed event stream: what the guest kernel reports, and what the machine adds.
//!
//! A record is sixteen little-endian 64-bit words ([`EventRecord::to_words`]), followed in guest memory by an optional
//! byte string of at most [`MAX_TEXT`] bytes (a path, a process name, or registers). The kernel fills a record
//! in RAM and stores its physical address to [`crate::hostdev::REG_EVENT`]; the machine stamps it with its
//! own [`Step`](crate::Step). Whatever Folio knows of the guest OS, it knows by folding this stream.

mod signal;

pub use signal::{CutShort, SignalEffect, SignalTold};

/// Most bytes of text that follow a record: as many as 31 registers take.
pub const MAX_TEXT: usize = 248;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What happened. The names are those of the kernel's `FaultAction` where a fault is meant.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum EventKind { $($(#[$doc])* $variant = $number,)* }

        impl EventKind {
            /// Every kind, in the order of the numbers.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant,)*];
            /// The kind of a record's number.
            pub const fn from_number(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
            /// The name used in traces, reports and the `catch` command.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// Page fault: a private anonymous page was given a zeroed frame of its own. `frame` is new.
    Zero = 1, "zero";
    /// Page fault: a read of an untouched anonymous page mapped the shared zero page. `frame` is the zero page.
    ZeroShared = 2, "zero_shared";
    /// Page fault: a page of a file waited for a device read. `detail` = file id, `detail2` = page index in the file.
    FileDisk = 3, "file_disk";
    /// Page fault: a page of a file was in the page cache already. Details as for `FileDisk`.
    FileCache = 4, "file_cache";
    /// Page fault: a store to a private page of a file copied it from the page cache (`previous_frame`) to `frame`. `detail3` = 1 if it waited for the device.
    FileCopy = 5, "file_copy";
    /// Page fault: a store to a shared copy-on-write frame copied `previous_frame` to `frame`.
    CowCopy = 6, "cow_copy";
    /// Page fault: a store to a copy-on-write frame whose last owner this is: made writable, nothing copied.
    CowReuse = 7, "cow_reuse";
    /// Page fault: the stack grew down to `va` and got a zeroed frame.
    StackGrow = 8, "stack_grow";
    /// Page fault: a page of a shared mapping was mapped.
    SharedMap = 9, "shared_map";
    /// Page fault: the PTE was right but lacked A, or was right by now; nothing moved. Where the hardware sets A and D there is none.
    Accessed = 10, "accessed";
    /// Page fault that mapped nothing: the VMA does not allow the access (SIGSEGV, SEGV_ACCERR). `detail2` of a fetch = the register `ra`.
    Protection = 11, "protection";
    /// Page fault that mapped nothing: no VMA there (SIGSEGV, SEGV_MAPERR), or past the end of the file (SIGBUS). `detail3` = a [`SegvReason`],
    /// `detail2` of a fetch = the register `ra`, unless it is [about a page](SegvReason::is_about_a_page).
    Segv = 12, "segv";
    /// Page fault: a private page came back from swap space; without [`FLAG_FROM_DISK`], its slot's page was in memory already. `detail` = the slot.
    SwapIn = 13, "swap_in";
    /// A page leaves memory for swap space, and whoever mapped it maps it no more: `frame`; `detail` = file id (0: private memory), `detail2` = page index,
    /// `detail3` as for `Evict`, `refs` = the slot (0: it needs none, see `flags`), `flags` = 1 ([`WRITTEN`]): it must be written first, and until `FrameFree` or
    /// `SwapIn` the frame is in the swap cache; 0: the slot has it, or it held zeros, and the frame is free; 2 ([`GIVEN_UP`]): as 0, and its program had said that its
    /// content may be lost (MADV_FREE), so that it is zeros from now on. Free slots are given before new ones, from 1 on: the highest that
    /// is told of is how many were in use at once.
    SwapOut = 14, "swap_out";
    /// `fork` gave the child the entries of a VMA: `va` to `va_end`, `detail` = anonymous frames now shared copy-on-write, `detail2` = the
    /// child's address space, which maps what this one does there. Follows `Fork`.
    CowShare = 15, "cow_share";
    /// A clean page left the page cache to make room, and whoever mapped it maps it no more. `detail` = file id, `detail2` = page index, `detail3` = which policy
    /// chose it, and what led to that ([`Why::word`](crate::policies::Why::word)).
    Evict = 16, "evict";
    /// A page of a file was given a frame in the page cache: `frame`; details as for `Evict`. If the file is on a disk, its read begins now.
    CacheFill = 17, "cache_fill";
    /// A page left the page cache because its file was cut or removed, or could not be read. Details as for `Evict`. While it is mapped or
    /// held, the frame stays taken.
    CacheDrop = 18, "cache_drop";
    /// Page fault: the PTE was right for a store but lacked D; nothing moved. Where the hardware sets A and D there is none.
    Dirtied = 19, "dirtied";
    /// A range was mapped: `va`..`va_end`, `detail` = file id (0: anonymous), `detail2` = offset, `detail3` = VMA flags; text: the file's path or `[heap]`, `[stack]`.
    Mmap = 20, "mmap";
    /// A range was unmapped: `va`..`va_end`; `detail` = the register `ra`.
    Munmap = 21, "munmap";
    /// A range's protection changed: `detail3` = VMA flags.
    Mprotect = 22, "mprotect";
    /// The program break moved: `va` = start of the heap, `va_end` = the break.
    Brk = 23, "brk";
    /// The pages of a range were given up (`madvise`, or their file was cut), and its VMAs stay: `va`..`va_end`, `detail` = pages that were mapped.
    Discard = 24, "discard";
    /// The pages of a range are at another address from now on (`mremap`): `va`..`va_end`, `detail` = pages that were mapped or in swap space, `detail2` =
    /// the new address of the first. Between the `Mmap` of their new VMA and the `Munmap` of the old one.
    Mremap = 25, "mremap";
    /// A process was made: `pid` is the parent, `detail` the child, `detail2` = the child's `satp`, `detail3` = its address space, `flags` = clone flags.
    Fork = 30, "fork";
    /// A process executes a new program, in a new address space: `space`. `detail` = entry, `detail2` = `satp`; text: the program's path.
    /// Its other threads have ended, and the one that asked for this is its first from now on, with the process's number.
    Exec = 31, "exec";
    /// A process ended: `detail` = the status in the encoding of `wait4`. `pc` is where its last thread was.
    Exit = 32, "exit";
    /// The hart now runs `tid`; `detail2` = its `satp`.
    Switch = 33, "switch";
    /// A process was killed for want of frames.
    OutOfFrames = 34, "out_of_frames";
    /// A device read that was not a page fault (metadata, `read(2)`): `detail` = sector, `detail2` = bytes. If it
    /// filled a page of the page cache: `frame`, `va` = offset in the file, `detail3` = file id.
    DiskRead = 35, "disk_read";
    /// A file was refused as a program: `detail` = errno; text: why, in words.
    ExecRefused = 36, "exec_refused";
    /// A thread was made: `tid` is its maker, `detail` its number.
    Thread = 37, "thread";
    /// A thread ended, and its process goes on: `detail` = the status in the encoding of `wait4`.
    ThreadExit = 38, "thread_exit";
    /// A signal was acted on, or dropped since it is ignored: [`SignalTold`] says how the record is read.
    Signal = 39, "signal";
    /// The registers of a thread when a signal ended its process: `pc`; the text is not one, but x1 to x31, little-endian. Follows the
    /// `Signal`, while the process's memory is still there.
    Registers = 47, "registers";
    /// The kernel finished booting: `detail` = frames it may hand out, `detail2` = bytes of its heap, `detail3` = physical address of its
    /// frame table ([`crate::frame_table`]).
    Boot = 40, "boot";
    /// The state of memory when the last process had exited: `detail` = free frames, `detail2` = page-cache frames, `detail3` = frames at boot.
    Shutdown = 41, "shutdown";
    /// A frame was taken for the kernel, as a page table or as the zero page: `frame`, `detail` = a `KIND_` of [`crate::frame_table`].
    FrameTake = 42, "frame_take";
    /// A frame of `FrameTake` is free again, or one that the page cache had dropped (`CacheDrop`) and something still mapped or held: `frame`.
    FrameFree = 43, "frame_free";
    /// A frame holds the page of a swap slot, and nothing maps it: `frame`, `detail` = the slot, `detail2` = 1 if its read begins now.
    SwapCache = 44, "swap_cache";
    /// One address space maps a page no more, to keep to its budget, and others do: `space`, `va`, `frame`, `detail` = the slot that its entry names (0: it is a
    /// file's page), `detail3` as for `Evict`.
    EvictEntry = 45, "evict_entry";
    /// A page fault begins to wait for what others do: `va`, `detail` = the slot that another is reading or that is being written (0: none), `detail2` = 1 if it
    /// waits for a frame; else it is a page of a file that another is reading. Where the fault has a page read itself, `CacheFill` or
    /// `SwapCache` tells when. The fault's own event ends the wait.
    Wait = 46, "wait";
    /// Machine: a TLB miss. Only with a tracing observer; never sent by a guest.
    TlbMiss = 50, "tlb_miss";
    /// Machine: a TLB entry was displaced.
    TlbEvict = 51, "tlb_evict";
    /// Machine: TLB entries were flushed.
    TlbFlush = 52, "tlb_flush";
    /// Instead of a page fault to come (`--eager`): a page was given what its first touch would have given it. `detail3` = the kind of that fault; all
    /// else as for that kind.
    Populate = 60, "populate";
    /// `fork` gave the child a copy of a private frame (`--fork copy`): `va`, `frame`, `previous_frame` = its parent's, `detail2` = the child's
    /// address space. Follows the `CowShare` of its VMA.
    ForkCopy = 61, "fork_copy";
    /// A page of a file was mapped since its neighbour was (`--fault-around`), and was in the page cache: `va`, `frame`; details as for `FileCache`.
    MapAround = 62, "map_around";
    /// An entry with A, for a page of a file, has gone or has lost its A bit: `va`, `space`, `frame`. Told with `--fault-around` only; `pid` is 0.
    PageUsed = 63, "page_used";
    /// A page of a file is read that nobody has asked for (`--read-ahead`): `frame`; details as for `Evict`. Follows its `CacheFill`.
    ReadAhead = 64, "read_ahead";
    /// A system call has found a page of a file in the page cache: details as for `Evict`. Told with `--read-ahead` only.
    CacheUse = 65, "cache_use";
}

impl EventKind {
    /// Whether it tells how a page fault was resolved or refused: one such event a fault.
    pub const fn is_fault(self) -> bool {
        match self {
            Self::Zero
            | Self::ZeroShared
            | Self::FileDisk
            | Self::FileCache
            | Self::FileCopy
            | Self::CowCopy
            | Self::CowReuse
            | Self::StackGrow
            | Self::SharedMap
            | Self::Accessed
            | Self::Dirtied
            | Self::Protection
            | Self::Segv
            | Self::SwapIn => true,
            Self::SwapOut
            | Self::CowShare
            | Self::Evict
            | Self::CacheFill
            | Self::CacheDrop
            | Self::Mmap
            | Self::Munmap
            | Self::Mprotect
            | Self::Brk
            | Self::Discard
            | Self::Mremap
            | Self::Fork
            | Self::Exec
            | Self::Exit
            | Self::Switch
            | Self::OutOfFrames
            | Self::DiskRead
            | Self::ExecRefused
            | Self::Thread
            | Self::ThreadExit
            | Self::Signal
            | Self::Boot
            | Self::Shutdown
            | Self::FrameTake
            | Self::FrameFree
            | Self::SwapCache
            | Self::EvictEntry
            | Self::Wait
            | Self::Registers
            | Self::Populate
            | Self::ForkCopy
            | Self::MapAround
            | Self::PageUsed
            | Self::ReadAhead
            | Self::CacheUse
            | Self::TlbMiss
            | Self::TlbEvict
            | Self::TlbFlush => false,
        }
    }
    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// The access that faulted, as in [`EventRecord::access`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Access {
    /// A load, or a copy from user memory by the kernel.
    Read = 0,
    /// A store or AMO, or a copy to user memory by the kernel.
    Write = 1,
    /// An instruction fetch.
    Execute = 2,
}

impl Access {
    /// The access of a record's number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Read),
            1 => Some(Self::Write),
            2 => Some(Self::Execute),
            _ => None,
        }
    }
    /// `read`, `write` or `execute`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
        }
    }
}

/// Why an address can't be had at all: `detail3` of [`EventKind::Segv`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SegvReason {
    /// No VMA holds it (SIGSEGV, SEGV_MAPERR).
    NotMapped = 0,
    /// The stack may not grow so far (SIGSEGV, SEGV_MAPERR). `detail` of the event is the limit in bytes.
    StackLimit = 1,
    /// It lies past the end of the file that is mapped there (SIGBUS, BUS_ADRERR).
    BeyondEndOfFile = 2,
    /// The device could not read the page (SIGBUS, BUS_ADRERR).
    ReadFailed = 3,
    /// The page is a hole of a file in memory, and such files have all the frames that they may have.
    NoRoom = 4,
    /// The page could not be read from swap space, or what came back is not what was written (SIGBUS, BUS_ADRERR). `detail` of the event is
    /// the slot.
    SwapFailed = 5,
}

impl SegvReason {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::NotMapped,
        Self::StackLimit,
        Self::BeyondEndOfFile,
        Self::ReadFailed,
        Self::NoRoom,
        Self::SwapFailed,
    ];
    /// The reason of a record's number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|&reason| reason as u64 == number)
    }
    /// Whether it is about a page of a file: `detail` and `detail2` of the event are its, as for [`EventKind::FileDisk`].
    pub const fn is_about_a_page(self) -> bool {
        match self {
            Self::NotMapped | Self::StackLimit | Self::SwapFailed => false,
            Self::BeyondEndOfFile | Self::ReadFailed | Self::NoRoom => true,
        }
    }
    /// The name used in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotMapped => "not_mapped",
            Self::StackLimit => "stack_limit",
            Self::BeyondEndOfFile => "beyond_end_of_file",
            Self::ReadFailed => "read_failed",
            Self::NoRoom => "no_room",
            Self::SwapFailed => "swap_failed",
        }
    }
}

/// Bit of [`EventRecord::flags`]: the fault was resolved for a copy by the kernel, not for a trap.
pub const FLAG_KERNEL_COPY: u64 = 1 << 8;
/// Bit of [`EventRecord::flags`]: the fault waited for a device read.
pub const FLAG_FROM_DISK: u64 = 1 << 9;

/// [`EventRecord::flags`] of a [`EventKind::SwapOut`]: it must be written first.
pub const WRITTEN: u64 = 1;
/// [`EventRecord::flags`] of a [`EventKind::SwapOut`]: its program had given its content up.
pub const GIVEN_UP: u64 = 2;

/// VMA flags in `detail3`: readable.
pub const VMA_READ: u64 = 1;
/// VMA flags in `detail3`: writable.
pub const VMA_WRITE: u64 = 2;
/// VMA flags in `detail3`: executable.
pub const VMA_EXEC: u64 = 4;
/// VMA flags in `detail3`: shared (else private).
pub const VMA_SHARED: u64 = 8;
/// VMA flags in `detail3`: grows down (stack).
pub const VMA_GROWSDOWN: u64 = 16;

/// One event. In guest memory it is sixteen little-endian words, in this order; `pid` and `tid` share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EventRecord {
    /// Number of an [`EventKind`].
    pub kind: u64,
    /// Process the event belongs to; 0 is the kernel itself. Below 2^32, as `tid`.
    pub pid: u64,
    /// Thread; equal to `pid` for a process's first.
    pub tid: u64,
    /// Number of the address space that the thread runs in; 0 is none but the kernel's. No number is used twice, unlike a `satp`.
    pub space: u64,
    /// User program counter at the time.
    pub pc: u64,
    /// Virtual address, or start of the range.
    pub va: u64,
    /// End of the range (exclusive), or 0.
    pub va_end: u64,
    /// Number of the frame (PPN) now mapped, or 0.
    pub frame: u64,
    /// Number of the frame mapped or copied before, or 0.
    pub previous_frame: u64,
    /// The PTE that decided, as it was when the fault came.
    pub pte: u64,
    /// The PTE as it is now.
    pub new_pte: u64,
    /// Of a fault: [`Access`] in bits 0–7, then the `FLAG_` bits. Else see the kind.
    pub flags: u64,
    /// See the kind.
    pub detail: u64,
    /// See the kind.
    pub detail2: u64,
    /// See the kind.
    pub detail3: u64,
    /// How many owners `frame` (or, for a copy, `previous_frame`) had before.
    pub refs: u64,
    /// Length in bytes of the text that follows the record; at most [`MAX_TEXT`].
    pub text_len: u64,
}

impl EventRecord {
    /// Words in a record.
    pub const WORDS: usize = 16;
    /// Bytes in a record, without its text.
    pub const SIZE_BYTES: u64 = 128;

    /// The record's words, in the order they have in memory.
    pub const fn to_words(&self) -> [u64; Self::WORDS] {
        [
            self.kind,
            self.pid | self.tid << 32,
            self.space,
            self.pc,
            self.va,
            self.va_end,
            self.frame,
            self.previous_frame,
            self.pte,
            self.new_pte,
            self.flags,
            self.detail,
            self.detail2,
            self.detail3,
            self.refs,
            self.text_len,
        ]
    }
    /// The record of these words.
    pub const fn from_words(w: &[u64; Self::WORDS]) -> Self {
        Self {
            kind: w[0],
            pid: w[1] & 0xffff_ffff,
            tid: w[1] >> 32,
            space: w[2],
            pc: w[3],
            va: w[4],
            va_end: w[5],
            frame: w[6],
            previous_frame: w[7],
            pte: w[8],
            new_pte: w[9],
            flags: w[10],
            detail: w[11],
            detail2: w[12],
            detail3: w[13],
            refs: w[14],
            text_len: w[15],
        }
    }
    /// The access that faulted, if the record is a fault's.
    pub const fn access(&self) -> Option<Access> {
        Access::from_number(self.flags & 0xff)
    }
}

const _: () = assert!(EventRecord::WORDS as u64 * 8 == EventRecord::SIZE_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        let mut words = [0u64; EventRecord::WORDS];
        for (i, w) in words.iter_mut().enumerate() {
            *w = (i as u64 + 100) << 32 | i as u64;
        }
        assert_eq!(EventRecord::from_words(&words).to_words(), words);
    }

    #[test]
    fn kinds_round_trip() {
        for &kind in EventKind::ALL {
            assert_eq!(EventKind::from_number(kind as u64), Some(kind));
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::from_number(0), None);
    }
}
