//! The machine: harts, RAM, bus and devices, built from a [`MachineConfig`], run until a [`StopReason`].

mod config;
mod stop;

pub use config::{DiskLatency, MachineConfig};
pub use stop::{GuestExit, StopReason};
