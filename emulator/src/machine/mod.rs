//! The machine: harts, RAM, bus and devices, built from a [`MachineConfig`], run until a [`StopReason`].

mod config;
mod stop;

pub use crate::devices::host::GuestExit;
pub use crate::devices::virtio::disk::DiskLatency;
pub use config::MachineConfig;
pub use stop::StopReason;
