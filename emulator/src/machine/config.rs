//! What a machine is built from.

use crate::devices::virtio::disk::DiskLatency;
use serde::{Deserialize, Serialize};

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
