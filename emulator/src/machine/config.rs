//! What a machine is built from.

use crate::devices::board::Setup;
use crate::devices::input::Console;
use crate::devices::virtio::disk::DiskLatency;
use crate::devices::virtio::slots::VirtioConfig;
use crate::mem::pmp;
use crate::mem::tlb::TlbGeometry;
use isa::{IsaSet, PAGE_SIZE};
use serde::{Deserialize, Serialize};

/// What a machine is built from. Equal configurations, images and inputs make equal runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineConfig {
    /// Size of RAM in bytes: a multiple of 4 KiB.
    pub ram_bytes: u64,
    /// The extensions of each hart.
    pub isa: IsaSet,
    /// Number of harts, which take turns; 1 to [`MAX_HARTS`].
    pub harts: usize,
    /// Entries of physical memory protection: 16, or 0 for none.
    pub pmp_entries: usize,
    /// Presets `menvcfg.ADUE` where the harts have Svadu: the hardware sets A and D instead of raising page faults.
    pub adue: bool,
    /// The seed that the host device hands to the guest.
    pub seed: u64,
    /// The limit of user frames that the host device hands to the guest; 0 is none.
    pub frame_limit: u64,
    /// Size, associativity and replacement policy of each side of the TLB.
    pub tlb: TlbGeometry,
    /// How long disks take.
    pub disk_latency: DiskLatency,
    /// The virtio devices, disks apart.
    pub virtio: VirtioConfig,
    /// The console that input goes to.
    pub console: Console,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            ram_bytes: 128 << 20,
            isa: IsaSet::default(),
            harts: 1,
            pmp_entries: pmp::ENTRIES,
            adue: false,
            seed: 0,
            frame_limit: 0,
            tlb: TlbGeometry::default(),
            disk_latency: DiskLatency::default(),
            virtio: VirtioConfig::default(),
            console: Console::default(),
        }
    }
}

/// The most harts that a machine can have.
pub const MAX_HARTS: usize = 64;

/// Why a machine cannot be built.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// The size of RAM is not usable.
    #[error("RAM of {ram_bytes} bytes cannot be had; give a multiple of 4096 bytes, at most 64 GiB")]
    RamSize {
        /// The size asked for.
        ram_bytes: u64,
    },
    /// The number of harts is not usable.
    #[error("a machine of {harts} harts cannot be had; give 1 to {MAX_HARTS}")]
    Harts {
        /// The number asked for.
        harts: usize,
    },
    /// The number of PMP entries is not usable.
    #[error("a hart with {entries} PMP entries cannot be had; give 0 or {}", pmp::ENTRIES)]
    PmpEntries {
        /// The number asked for.
        entries: usize,
    },
    /// The host has not that much memory.
    #[error("this host cannot give {ram_bytes} bytes for RAM; ask for less (-m)")]
    NoMemory {
        /// The size asked for.
        ram_bytes: u64,
    },
}

impl MachineConfig {
    const MAX_RAM_BYTES: u64 = 64 << 30;

    /// What its board is built from.
    pub(super) fn board(&self) -> Setup {
        Setup {
            harts: self.harts,
            seed: self.seed,
            frame_limit: self.frame_limit,
            virtio: self.virtio,
            console: self.console,
        }
    }

    /// Whether the machine can be built; the size of its RAM.
    pub(super) fn check(&self) -> Result<usize, ConfigError> {
        if !(1..=MAX_HARTS).contains(&self.harts) {
            return Err(ConfigError::Harts { harts: self.harts });
        }
        if !matches!(self.pmp_entries, 0 | pmp::ENTRIES) {
            return Err(ConfigError::PmpEntries { entries: self.pmp_entries });
        }
        let ram_bytes = self.ram_bytes;
        if ram_bytes == 0 || !ram_bytes.is_multiple_of(PAGE_SIZE) || ram_bytes > Self::MAX_RAM_BYTES {
            return Err(ConfigError::RamSize { ram_bytes });
        }
        let bytes = usize::try_from(ram_bytes).map_err(|_| ConfigError::NoMemory { ram_bytes })?;
        // An allocation that fails inside would abort; one that is tried and dropped costs nothing.
        Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| ConfigError::NoMemory { ram_bytes })?;
        Ok(bytes)
    }
}
