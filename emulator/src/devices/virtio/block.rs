//! The virtio block device (virtio 1.2, chapter 5.2): requests, their checks and their time.
//!
//! The disk has one arm: requests are served one after the other, each taking
//! [`DiskLatency::base_steps`] plus [`DiskLatency::sector_steps`] a sector. Data moves at the step of completion. A
//! request that fails its checks completes with an error after `base_steps`.

use super::device::{Host, Rings, VirtioDevice};
use super::disk::{DiskLatency, Overlay, SECTOR_BYTES};
use super::disk_fault::{Counted, DiskFaultKind, DiskFaults};
use super::queue::{Chain, QueueBroken, Segment};
use crate::host::{DiskError, DiskImage};
use crate::mem::ram::Ram;
use isa::{PhysAddr, Step};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Virtio's number of the block device.
pub const DEVICE_ID: u32 = 2;
/// Feature: the device is read-only.
pub const F_RO: u64 = 1 << 5;
/// Feature: the largest number of data buffers of a request is in the configuration.
pub const F_SEG_MAX: u64 = 1 << 2;
/// Feature: the block size is in the configuration.
pub const F_BLK_SIZE: u64 = 1 << 6;
/// Feature: the flush command.
pub const F_FLUSH: u64 = 1 << 9;

const SEG_MAX: u32 = 254;
/// A request may be as long as the disk; its data moves in pieces of this size, so that it takes no memory of the host's.
const PIECE_BYTES: usize = 64 << 10;
const HEADER_BYTES: usize = 16;
const ID_BYTES: usize = 20;

const T_IN: u32 = 0;
const T_OUT: u32 = 1;
const T_FLUSH: u32 = 4;
const T_GET_ID: u32 = 8;

const S_OK: u8 = 0;
const S_IOERR: u8 = 1;
const S_UNSUPP: u8 = 2;

/// What the disk has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct DiskCounters {
    /// Read requests completed without error.
    pub reads: u64,
    /// Bytes they moved.
    pub read_bytes: u64,
    /// Write requests completed without error.
    pub writes: u64,
    /// Bytes they moved.
    pub written_bytes: u64,
    /// Flushes.
    pub flushes: u64,
}

impl std::iter::Sum for DiskCounters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, disk| Self {
            reads: sum.reads + disk.reads,
            read_bytes: sum.read_bytes + disk.read_bytes,
            writes: sum.writes + disk.writes,
            written_bytes: sum.written_bytes + disk.written_bytes,
            flushes: sum.flushes + disk.flushes,
        })
    }
}

/// The action of a request that has passed its checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Action {
    Read { sector: u64 },
    Write { sector: u64 },
    Flush,
    GetId,
    Fail { status: u8 },
}

/// A request under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Request {
    head: u16,
    action: Action,
    data: Vec<Segment>,
    status_at: PhysAddr,
    fault: Option<DiskFaultKind>,
    due: Step,
}

impl Action {
    /// What the request is to the count of faults; one that fails anyhow is nothing.
    fn counted(self) -> Option<Counted> {
        match self {
            Self::Read { .. } => Some(Counted::Read),
            Self::Write { .. } => Some(Counted::Write),
            Self::Flush => Some(Counted::Flush),
            Self::GetId | Self::Fail { .. } => None,
        }
    }
}

impl Request {
    /// Whether it ends with an error, on purpose.
    fn fails(&self) -> bool {
        matches!(self.fault, Some(DiskFaultKind::Read | DiskFaultKind::Write | DiskFaultKind::Flush))
    }

    /// What of a write's data reaches the disk.
    fn written_data(&self) -> Cow<'_, [Segment]> {
        let bytes = match self.fault {
            Some(DiskFaultKind::Lost) => 0,
            Some(DiskFaultKind::Torn) => total(&self.data) / SECTOR_BYTES / 2 * SECTOR_BYTES,
            _ => return Cow::Borrowed(&self.data),
        };
        Cow::Owned(first_bytes(&self.data, bytes))
    }
}

/// A chain in which not even a status byte can be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct NoStatusByte;

/// A completed request: the chain's head and how many bytes were written to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Completion {
    head: u16,
    /// Status included.
    written_bytes: u32,
}

/// The device behind the transport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    slot: usize,
    capacity_sectors: u64,
    read_only: bool,
    latency: DiskLatency,
    overlay: Overlay,
    counters: DiskCounters,
    in_flight: Vec<Request>,
    /// When the arm is free.
    free_at: Step,
}

impl Block {
    /// A device for an image of `len_bytes`; a last, partial sector is padded with zeros.
    pub fn new(slot: usize, len_bytes: u64, read_only: bool, latency: DiskLatency) -> Self {
        Self {
            slot,
            capacity_sectors: len_bytes.div_ceil(SECTOR_BYTES),
            read_only,
            latency,
            overlay: Overlay::default(),
            counters: DiskCounters::default(),
            in_flight: Vec::new(),
            free_at: Step(0),
        }
    }

    /// What the disk has done so far.
    pub fn counters(&self) -> DiskCounters {
        self.counters
    }

    /// What the guest has written.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// The size of the image this device was made for, in sectors.
    pub fn capacity_sectors(&self) -> u64 {
        self.capacity_sectors
    }

    /// Requests under way.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Takes available requests while there is room for them.
    fn accept(
        &mut self,
        rings: &mut Rings<'_>,
        faults: &mut DiskFaults,
        now: Step,
    ) -> Result<(), QueueBroken> {
        while self.in_flight.len() < rings.size(0) {
            let Some(chain) = rings.pop(0)? else { break };
            self.submit(rings.ram, &chain, faults, now).map_err(|NoStatusByte| QueueBroken)?;
        }
        Ok(())
    }

    /// Accepts a request at `now`.
    fn submit(
        &mut self,
        ram: &Ram,
        chain: &Chain,
        faults: &mut DiskFaults,
        now: Step,
    ) -> Result<(), NoStatusByte> {
        let (mut data, status_at) = split_status(&chain.writable).ok_or(NoStatusByte)?;
        let action = match parse_header(ram, &chain.readable) {
            None => Action::Fail { status: S_IOERR },
            Some((header, payload)) => {
                if header.kind == T_OUT {
                    data = payload;
                }
                self.decide(&header, &data)
            }
        };
        let sectors = match action {
            Action::Read { .. } | Action::Write { .. } => total(&data) / SECTOR_BYTES,
            Action::Flush | Action::GetId | Action::Fail { .. } => 0,
        };
        let fault = action.counted().and_then(|counted| faults.count(self.slot, counted));
        let start = self.free_at.max(now);
        let due =
            start.after(self.latency.base_steps).after(self.latency.sector_steps.saturating_mul(sectors));
        self.free_at = due;
        self.in_flight.push(Request { head: chain.head, action, data, status_at, fault, due });
        Ok(())
    }

    /// Completes the oldest request if it is due.
    fn complete(&mut self, ram: &mut Ram, image: &mut dyn DiskImage, now: Step) -> Option<Completion> {
        self.in_flight.first().filter(|request| request.due <= now)?;
        let request = self.in_flight.remove(0);
        let (status, moved) = match self.perform(ram, image, &request) {
            Ok(moved) => (S_OK, moved),
            Err(status) => (status, 0),
        };
        // Checked to be RAM when the chain was read.
        let _ = ram.write(request.status_at, &[status]);
        let written_bytes = u32::try_from(moved).unwrap_or(u32::MAX - 1) + 1;
        Some(Completion { head: request.head, written_bytes })
    }

    fn decide(&self, header: &Header, data: &[Segment]) -> Action {
        let len_bytes = total(data);
        let in_range = len_bytes.is_multiple_of(SECTOR_BYTES)
            && header
                .sector
                .checked_add(len_bytes / SECTOR_BYTES)
                .is_some_and(|end| end <= self.capacity_sectors);
        match header.kind {
            T_IN if in_range => Action::Read { sector: header.sector },
            T_OUT if in_range && !self.read_only => Action::Write { sector: header.sector },
            T_IN | T_OUT => Action::Fail { status: S_IOERR },
            T_FLUSH => Action::Flush,
            T_GET_ID => Action::GetId,
            _ => Action::Fail { status: S_UNSUPP },
        }
    }

    /// Moves the data. The number of bytes written to the guest, or the status.
    fn perform(&mut self, ram: &mut Ram, image: &mut dyn DiskImage, request: &Request) -> Result<u64, u8> {
        if let Some(fault) = request.fault {
            log::info!(target: "virtio", "disk {}: {fault:?} fault at {:?}", self.slot, request.action);
        }
        match request.action {
            Action::Fail { status } => Err(status),
            Action::Read { .. } | Action::Write { .. } | Action::Flush if request.fails() => Err(S_IOERR),
            Action::Flush => {
                self.counters.flushes += 1;
                Ok(0)
            }
            Action::GetId => {
                let mut id = [0; ID_BYTES];
                let name = format!("folio-disk{}", self.slot);
                id[..name.len().min(ID_BYTES)].copy_from_slice(&name.as_bytes()[..name.len().min(ID_BYTES)]);
                scatter(ram, &request.data, &id)
            }
            Action::Read { sector } => {
                let moved =
                    self.read(ram, image, sector * SECTOR_BYTES, &request.data).map_err(|_| S_IOERR)?;
                self.counters.reads += 1;
                self.counters.read_bytes += moved;
                Ok(moved)
            }
            Action::Write { sector } => {
                let data = request.written_data();
                let moved = self.write(ram, image, sector * SECTOR_BYTES, &data).map_err(|_| S_IOERR)?;
                self.counters.writes += 1;
                self.counters.written_bytes += moved;
                Ok(0)
            }
        }
    }

    fn read(
        &self,
        ram: &mut Ram,
        image: &mut dyn DiskImage,
        offset_bytes: u64,
        data: &[Segment],
    ) -> Result<u64, DiskError> {
        let longest = data.iter().map(|segment| segment.len_bytes as usize).max().unwrap_or(0);
        let mut buffer = vec![0; longest.min(PIECE_BYTES)];
        let mut moved = 0;
        for segment in data {
            let (mut addr, mut left) = (segment.addr, segment.len_bytes as usize);
            while left > 0 {
                let piece = &mut buffer[..left.min(PIECE_BYTES)];
                self.overlay.read(image, offset_bytes + moved, piece)?;
                if !ram.write(addr, piece) {
                    return Err(DiskError);
                }
                let piece_bytes = piece.len() as u64;
                (addr, left, moved) =
                    (addr.wrapping_add(piece_bytes), left - piece.len(), moved + piece_bytes);
            }
        }
        Ok(moved)
    }

    fn write(
        &mut self,
        ram: &Ram,
        image: &mut dyn DiskImage,
        offset_bytes: u64,
        data: &[Segment],
    ) -> Result<u64, DiskError> {
        let mut moved = 0;
        for segment in data {
            let bytes = ram.slice(segment.addr, segment.len_bytes as usize).ok_or(DiskError)?;
            self.overlay.write(image, offset_bytes + moved, bytes)?;
            moved += bytes.len() as u64;
        }
        Ok(moved)
    }
}

impl VirtioDevice for Block {
    fn id(&self) -> u32 {
        DEVICE_ID
    }
    fn features(&self) -> u64 {
        F_SEG_MAX | F_BLK_SIZE | F_FLUSH | if self.read_only { F_RO } else { 0 }
    }
    fn queues(&self) -> usize {
        1
    }
    fn config(&self) -> Vec<u8> {
        let mut config = vec![0; 24];
        config[..8].copy_from_slice(&self.capacity_sectors.to_le_bytes());
        config[12..16].copy_from_slice(&SEG_MAX.to_le_bytes());
        config[20..24].copy_from_slice(&SECTOR_BYTES.to_le_bytes()[..4]);
        config
    }
    /// Forgets the requests under way. What was written stays.
    fn reset(&mut self) {
        self.in_flight.clear();
        self.free_at = Step(0);
    }
    fn notify(
        &mut self,
        _queue: usize,
        rings: &mut Rings<'_>,
        host: &mut Host<'_>,
        now: Step,
    ) -> Result<(), QueueBroken> {
        self.accept(rings, host.faults, now)
    }
    fn next_deadline(&self) -> Step {
        self.in_flight.first().map_or(Step::NEVER, |request| request.due)
    }
    /// Completes what is due, and accepts what had no room.
    fn advance(&mut self, rings: &mut Rings<'_>, host: &mut Host<'_>, now: Step) -> Result<(), QueueBroken> {
        let Some(image) = host.image.as_deref_mut() else { return Ok(()) };
        while let Some(done) = self.complete(rings.ram, image, now) {
            rings.push(0, done.head, done.written_bytes)?;
            self.accept(rings, host.faults, now)?;
        }
        Ok(())
    }
}

struct Header {
    kind: u32,
    sector: u64,
}

/// The request's header and the readable bytes behind it. Framing is free (chapter 2.7.4): the header may be split.
fn parse_header(ram: &Ram, readable: &[Segment]) -> Option<(Header, Vec<Segment>)> {
    let mut bytes = [0; HEADER_BYTES];
    let mut filled = 0;
    let mut payload = Vec::new();
    for segment in readable {
        let take = (HEADER_BYTES - filled).min(segment.len_bytes as usize);
        bytes[filled..filled + take].copy_from_slice(ram.slice(segment.addr, take)?);
        filled += take;
        let taken = u32::try_from(take).expect("at most a header");
        if segment.len_bytes > taken {
            payload.push(Segment {
                addr: segment.addr.wrapping_add(u64::from(taken)),
                len_bytes: segment.len_bytes - taken,
            });
        }
    }
    if filled < HEADER_BYTES {
        return None;
    }
    let kind = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
    let sector = u64::from_le_bytes(bytes[8..].try_into().expect("eight bytes"));
    Some((Header { kind, sector }, payload))
}

/// The writable buffers without their last byte, and where that byte (the status) lies.
fn split_status(writable: &[Segment]) -> Option<(Vec<Segment>, PhysAddr)> {
    let mut data: Vec<Segment> = writable.iter().copied().filter(|segment| segment.len_bytes > 0).collect();
    let last = data.last_mut()?;
    last.len_bytes -= 1;
    let status_at = last.addr.wrapping_add(u64::from(last.len_bytes));
    if last.len_bytes == 0 {
        data.pop();
    }
    Some((data, status_at))
}

fn total(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| u64::from(segment.len_bytes)).sum()
}

/// The buffers with the first `bytes` bytes of all.
fn first_bytes(segments: &[Segment], bytes: u64) -> Vec<Segment> {
    let mut left = bytes;
    let cut = segments.iter().map(|segment| {
        let len_bytes = u32::try_from(left).map_or(segment.len_bytes, |left| left.min(segment.len_bytes));
        left -= u64::from(len_bytes);
        Segment { len_bytes, ..*segment }
    });
    cut.filter(|segment| segment.len_bytes > 0).collect()
}

fn scatter(ram: &mut Ram, segments: &[Segment], mut bytes: &[u8]) -> Result<u64, u8> {
    let mut moved = 0;
    for segment in segments {
        let (now, later) = bytes.split_at(bytes.len().min(segment.len_bytes as usize));
        if !ram.write(segment.addr, now) {
            return Err(S_IOERR);
        }
        moved += now.len() as u64;
        bytes = later;
    }
    Ok(moved)
}
