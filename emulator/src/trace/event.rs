//! One stamped event, and its line in a trace file.
//!
//! A trace file is JSON lines: first a [`TraceHeader`], then one object an event. Fields that do not apply (zero in the
//! record) are left out. Addresses, offsets, the numbers of files, PTEs and `satp` values are strings in hexadecimal, since
//! they do not fit the numbers of every JSON reader (2^53); the rest are numbers. The three details of a record go by the names that
//! [`detail_names`] gives for its kind. The schema is described in `docs/json.md`.

use super::refusal::return_address;
use isa::Step;
use isa::events::{
    EventKind, EventRecord, FLAG_FROM_DISK, FLAG_KERNEL_COPY, GIVEN_UP, SegvReason, SignalTold, VMA_EXEC,
    VMA_READ, VMA_SHARED, VMA_WRITE, WRITTEN,
};
use isa::policies::Why;
use isa::reg::X_NAMES;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Name of the format, in the header.
pub const TRACE_SCHEMA: &str = "folio-trace";
/// Version of the format: raised when a field is removed or changes its meaning.
pub const TRACE_VERSION: u32 = 2;

/// The first line of a trace file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct TraceHeader {
    /// [`TRACE_SCHEMA`].
    pub schema: &'static str,
    /// [`TRACE_VERSION`].
    pub version: u32,
}

impl Default for TraceHeader {
    fn default() -> Self {
        Self { schema: TRACE_SCHEMA, version: TRACE_VERSION }
    }
}

/// An event with the machine's stamp.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When it was reported.
    pub step: Step,
    /// The hart that reported it.
    pub hart: usize,
    /// What the kernel reported.
    pub record: EventRecord,
    /// The record's text: a path or a process name.
    pub text: String,
    /// x1 to x31, if that is what it tells of.
    pub registers: Option<Box<[u64; 31]>>,
}

impl Event {
    /// The event that a sink has been given. Bytes of `text` that are not UTF-8 are replaced.
    pub fn new(step: Step, hart: usize, record: &EventRecord, text: &[u8]) -> Self {
        let registers = (record.kind == EventKind::Registers as u64).then(|| Box::new(words(text)));
        let text =
            if registers.is_some() { String::new() } else { String::from_utf8_lossy(text).into_owned() };
        Self { step, hart, record: *record, text, registers }
    }
    /// What happened; `None` for a number that this version does not know.
    pub fn kind(&self) -> Option<EventKind> {
        EventKind::from_number(self.record.kind)
    }
    /// Whether it tells of a page fault.
    pub fn is_fault(&self) -> bool {
        self.kind().is_some_and(EventKind::is_fault)
    }
    /// Whether the fault waited for a device read.
    pub fn from_disk(&self) -> bool {
        self.is_fault() && self.record.flags & FLAG_FROM_DISK != 0
    }
    /// Whether the fault was resolved for a copy by the kernel, not for a trap.
    pub fn kernel_copy(&self) -> bool {
        self.is_fault() && self.record.flags & FLAG_KERNEL_COPY != 0
    }
}

/// Words of 64 bits, little-endian; 0 where there are no more bytes.
fn words(bytes: &[u8]) -> [u64; 31] {
    let mut words = [0; 31];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    }
    words
}

/// How a detail is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// A number.
    Number,
    /// A string in hexadecimal.
    Hex,
    /// Permissions as in `/proc/PID/maps`.
    Permissions,
    /// A kind of event, by name.
    Kind,
    /// Why an address can't be had, by name.
    Reason,
    /// What led a policy to a page: its name and what it saw, a field each.
    Choice,
}

/// The names of a kind's `detail`, `detail2` and `detail3`; `None` where it has none.
fn detail_names(kind: EventKind) -> [Option<(&'static str, Form)>; 3] {
    use EventKind as K;
    let number = |name| Some((name, Form::Number));
    let hex = |name| Some((name, Form::Hex));
    match kind {
        // `detail3` of a fault repeats the flag that is written as `from_disk`.
        K::FileDisk
        | K::FileCache
        | K::FileCopy
        | K::SharedMap
        | K::CacheFill
        | K::CacheDrop
        | K::MapAround
        | K::ReadAhead
        | K::CacheUse => [hex("file"), number("page"), None],
        K::Evict => [hex("file"), number("page"), Some(("policy", Form::Choice))],
        K::SwapIn => [number("slot"), None, None],
        K::SwapOut => [hex("file"), number("page"), Some(("policy", Form::Choice))],
        K::SwapCache => [number("slot"), number("is_read"), None],
        K::EvictEntry => [number("slot"), None, Some(("policy", Form::Choice))],
        K::Wait => [number("slot"), number("for_frame"), None],
        K::Populate => [hex("file"), number("page"), Some(("as", Form::Kind))],
        K::ForkCopy => [None, number("child_space"), None],
        K::Discard => [number("pages"), None, None],
        K::Mremap => [number("pages"), hex("to"), None],
        K::CowShare => [number("frames"), number("child_space"), None],
        K::Munmap => [hex("return_address"), None, None],
        K::Mmap => [hex("file"), hex("offset"), Some(("permissions", Form::Permissions))],
        K::Mprotect => [None, None, Some(("permissions", Form::Permissions))],
        K::Fork => [number("child"), hex("satp"), number("child_space")],
        K::Exec => [hex("entry"), hex("satp"), None],
        K::Exit | K::ThreadExit => [number("status"), None, None],
        K::Signal => [number("signal"), number("sender"), hex("value")],
        K::Switch => [None, hex("satp"), None],
        K::DiskRead => [number("sector"), number("bytes"), hex("file")],
        K::ExecRefused => [number("errno"), None, None],
        K::Thread => [number("thread"), None, None],
        K::Boot => [number("frames"), number("heap_bytes"), hex("frame_table")],
        K::FrameTake => [number("use"), None, None],
        K::Shutdown => [number("free_frames"), number("cached_frames"), number("frames_at_boot")],
        K::Segv => [None, None, Some(("reason", Form::Reason))],
        K::Zero
        | K::ZeroShared
        | K::CowCopy
        | K::CowReuse
        | K::StackGrow
        | K::Accessed
        | K::Dirtied
        | K::Protection
        | K::Brk
        | K::OutOfFrames
        | K::FrameFree
        | K::PageUsed
        | K::Registers
        | K::TlbMiss
        | K::TlbEvict
        | K::TlbFlush => [None; 3],
    }
}

/// The permissions of VMA flags as `/proc/PID/maps` writes them: `r-xp`.
pub(super) fn permissions(vma_flags: u64) -> String {
    let letter = |bit, yes, no| if vma_flags & bit != 0 { yes } else { no };
    [
        letter(VMA_READ, 'r', '-'),
        letter(VMA_WRITE, 'w', '-'),
        letter(VMA_EXEC, 'x', '-'),
        letter(VMA_SHARED, 's', 'p'),
    ]
    .into_iter()
    .collect()
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = &self.record;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("t", &self.step.0)?;
        line.serialize_entry("hart", &self.hart)?;
        match self.kind() {
            Some(kind) => line.serialize_entry("kind", kind.name())?,
            None => line.serialize_entry("kind", &format!("unknown_{}", record.kind))?,
        }
        line.serialize_entry("pid", &record.pid)?;
        line.serialize_entry("tid", &record.tid)?;
        if record.space != 0 {
            line.serialize_entry("space", &record.space)?;
        }
        for (name, value) in [("pc", record.pc), ("va", record.va), ("va_end", record.va_end)] {
            if value != 0 {
                line.serialize_entry(name, &hex(value))?;
            }
        }
        if self.is_fault() {
            if let Some(access) = record.access() {
                line.serialize_entry("access", access.name())?;
            }
            line.serialize_entry("from_disk", &self.from_disk())?;
            line.serialize_entry("kernel_copy", &self.kernel_copy())?;
            line.serialize_entry("pte", &hex(record.pte))?;
            line.serialize_entry("new_pte", &hex(record.new_pte))?;
            line.serialize_entry("refs", &record.refs)?;
        }
        for (name, value) in [("frame", record.frame), ("previous_frame", record.previous_frame)] {
            if value != 0 {
                line.serialize_entry(name, &value)?;
            }
        }
        let details = [record.detail, record.detail2, record.detail3];
        let names = self.kind().map_or([None; 3], detail_names);
        // A private page is of no file.
        let has_page = self.kind() != Some(EventKind::SwapOut) || record.detail != 0;
        for (field, value) in names.into_iter().zip(details) {
            match field {
                Some(("file" | "page", _)) if !has_page => {}
                Some((name, Form::Number)) => line.serialize_entry(name, &value)?,
                Some((name, Form::Hex)) => line.serialize_entry(name, &hex(value))?,
                Some((name, Form::Kind)) => {
                    let kind = EventKind::from_number(value).map_or("unknown", EventKind::name);
                    line.serialize_entry(name, kind)?;
                }
                Some((name, Form::Reason)) => match SegvReason::from_number(value) {
                    Some(reason) => line.serialize_entry(name, reason.name())?,
                    None => line.serialize_entry(name, &value)?,
                },
                Some((name, Form::Choice)) => {
                    if let Some((policy, why)) = Why::from_word(value) {
                        line.serialize_entry(name, policy.name())?;
                        line.serialize_entry("accessed", &why.marks.accessed)?;
                        line.serialize_entry("dirty", &why.marks.dirty)?;
                        line.serialize_entry("looks", &why.looks)?;
                        line.serialize_entry("cleared", &why.cleared)?;
                        if why.is_local {
                            line.serialize_entry("local", &true)?;
                        }
                        if why.is_asked {
                            line.serialize_entry("asked", &true)?;
                        }
                    }
                }
                Some((name, Form::Permissions)) => line.serialize_entry(name, &permissions(value))?,
                None => {}
            }
        }
        if self.kind() == Some(EventKind::SwapOut) {
            // A page of zeros needs none.
            if record.refs != 0 {
                line.serialize_entry("slot", &record.refs)?;
            }
            line.serialize_entry("is_written", &(record.flags == WRITTEN))?;
            if record.flags == GIVEN_UP {
                line.serialize_entry("is_given_up", &true)?;
            }
        }
        if let Some(address) = return_address(self) {
            line.serialize_entry("return_address", &hex(address.0))?;
        }
        if self.kind() == Some(EventKind::Fork) {
            line.serialize_entry("clone_flags", &hex(record.flags))?;
        }
        if let Some(told) = SignalTold::read(record) {
            line.serialize_entry("code", &told.code)?;
            line.serialize_entry("effect", told.effect.name())?;
        }
        if let Some(registers) = &self.registers {
            let names = X_NAMES[1..].iter().zip(registers.iter());
            line.serialize_entry(
                "x",
                &names.map(|(name, value)| (name, hex(*value))).collect::<BTreeMap<_, _>>(),
            )?;
        }
        if !self.text.is_empty() {
            line.serialize_entry("text", &self.text)?;
        }
        line.end()
    }
}
