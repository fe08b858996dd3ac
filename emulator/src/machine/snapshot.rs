//! Saving a machine and loading it again: a header, then its state by postcard, RAM without pages of zeros.
//!
//! Host handles (streams, disk images, the event sink) are not saved. A loaded machine has none: they are attached
//! again, the same images in the same order. A machine saved at any step goes on as if it had never been away.

use super::bus::{Bus, Devices};
use super::hsm::SbiHart;
use super::turns::Turn;
use super::{Machine, MachineConfig};
use crate::exec::{CodeCache, Options};
use crate::hart::Hart;
use crate::loader::boot::BootInfo;
use crate::mem::ram::Ram;
use isa::{PAGE_SIZE, PhysAddr, Step};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"FOLIOMAC";
/// Changes whenever the meaning of the bytes does: an older snapshot is refused, not misread.
const VERSION: u32 = 12;
/// Magic, version, checksum.
const HEADER_BYTES: usize = 20;

/// Why bytes are not a machine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not a snapshot at all.
    #[error("this is not a saved machine")]
    NotASnapshot,
    /// Saved by another version of the program.
    #[error(
        "this machine was saved in format {found}, this program reads format {VERSION}; save it again with this one"
    )]
    OtherVersion {
        /// The format's number.
        found: u32,
    },
    /// The bytes have changed since.
    #[error("the saved machine is damaged; is the file complete?")]
    Damaged,
}

/// Everything but RAM.
#[derive(Serialize)]
pub(super) struct State<'a> {
    config: &'a MachineConfig,
    now: Step,
    harts: &'a [Hart],
    sbi_harts: &'a [SbiHart],
    turn: Turn,
    devices: &'a Devices,
    boot: Option<&'a BootInfo>,
}

#[derive(Deserialize)]
struct OwnedState {
    config: MachineConfig,
    now: Step,
    harts: Vec<Hart>,
    sbi_harts: Vec<SbiHart>,
    turn: Turn,
    devices: Devices,
    boot: Option<BootInfo>,
}

impl<'a> State<'a> {
    fn of(machine: &'a Machine) -> Self {
        Self {
            config: &machine.config,
            now: machine.now,
            harts: &machine.harts,
            sbi_harts: &machine.sbi_harts,
            turn: machine.turn,
            devices: machine.bus.devices(),
            boot: machine.boot.as_ref(),
        }
    }
    /// The state's bytes.
    pub(super) fn encode(machine: &'a Machine) -> Vec<u8> {
        postcard::to_allocvec(&Self::of(machine)).expect("plain data in memory can always be encoded")
    }
}

impl Machine {
    /// The machine's whole state.
    pub fn save(&self) -> Vec<u8> {
        let state = State::encode(self);
        let mut body = (state.len() as u64).to_le_bytes().to_vec();
        body.extend(state);
        for (at, page) in self.used_pages() {
            body.extend(at.0.to_le_bytes());
            body.extend(page);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(xxh3_64(&body).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// A machine as it was saved, without host handles.
    pub fn load(bytes: &[u8]) -> Result<Self, RestoreError> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(RestoreError::NotASnapshot)?;
        if &header[..8] != MAGIC {
            return Err(RestoreError::NotASnapshot);
        }
        let found = u32::from_le_bytes(header[8..12].try_into().expect("four bytes"));
        if found != VERSION {
            return Err(RestoreError::OtherVersion { found });
        }
        if header[12..] != xxh3_64(body).to_le_bytes() {
            return Err(RestoreError::Damaged);
        }
        let (len, body) = body.split_first_chunk().ok_or(RestoreError::Damaged)?;
        let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| RestoreError::Damaged)?;
        let (state, pages) = body.split_at_checked(len).ok_or(RestoreError::Damaged)?;
        let state: OwnedState = postcard::from_bytes(state).map_err(|_| RestoreError::Damaged)?;
        Self::from_parts(state, pages)
    }

    fn from_parts(state: OwnedState, pages: &[u8]) -> Result<Self, RestoreError> {
        let ram_bytes = state.config.check().map_err(|_| RestoreError::Damaged)?;
        let mut ram = Ram::new(ram_bytes);
        let page_bytes = usize::try_from(PAGE_SIZE).expect("a page is small");
        for record in pages.chunks(8 + page_bytes) {
            let (at, page) = record.split_first_chunk().ok_or(RestoreError::Damaged)?;
            if !ram.write(PhysAddr(u64::from_le_bytes(*at)), page) {
                return Err(RestoreError::Damaged);
            }
        }
        let options = Options::for_harts(state.harts.len());
        let mut machine = Self {
            config: state.config,
            harts: state.harts,
            sbi_harts: state.sbi_harts,
            turn: state.turn,
            ram,
            bus: Bus::new(state.devices),
            now: state.now,
            boot: state.boot,
            code: CodeCache::new(),
            options,
            checks: None,
        };
        let harts = machine.config.harts;
        let counts = [machine.harts.len(), machine.sbi_harts.len()];
        if counts != [harts; 2] || machine.turn.hart >= harts {
            return Err(RestoreError::Damaged);
        }
        machine.harts.iter_mut().for_each(Hart::rebuild);
        machine.sense_interrupts();
        if let Some(info) = machine.boot.clone() {
            machine.watch_htif(&info);
        }
        Ok(machine)
    }
}
