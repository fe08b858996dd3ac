//! What a machine is built from, and how a disk's time is modelled.

use serde::{Deserialize, Serialize};

/// How long the disk takes, in steps (nanoseconds of guest time): one seek, then so much for each 512-byte sector.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DiskLatency {
    /// Steps from the doorbell (or the end of the request before) to the first sector.
    pub base_steps: u64,
    /// Steps for each sector moved.
    pub sector_steps: u64,
}

impl DiskLatency {
    /// A disk that answers at once.
    pub const NONE: Self = Self { base_steps: 0, sector_steps: 0 };
}

impl Default for DiskLatency {
    /// 100 µs to seek and 1 µs a sector (about 500 MB/s): a modest solid-state disk.
    fn default() -> Self {
        Self { base_steps: 100_000, sector_steps: 1_000 }
    }
}

/// What a machine is built from. Equal configurations, images and inputs make equal runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineConfig {
    /// Size of RAM in bytes: a multiple of 4 KiB.
    pub ram_bytes: u64,
    /// Presets `menvcfg.ADUE` under the built-in SBI: the hardware sets A and D instead of raising page faults.
    pub adue: bool,
    /// The seed that the host device hands to the guest.
    pub seed: u64,
    /// The limit of user frames that the host device hands to the guest; 0 is none.
    pub frame_limit: u64,
    /// How long disks take.
    pub disk_latency: DiskLatency,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            ram_bytes: 128 << 20,
            adue: false,
            seed: 0,
            frame_limit: 0,
            disk_latency: DiskLatency::default(),
        }
    }
}
