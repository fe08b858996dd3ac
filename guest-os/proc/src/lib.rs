//! Processes of the guest OS: ELF plan, first stack, process table, scheduler, signals, descriptors.
//!
//! Pure logic, tested on the host: nothing here switches stacks, maps pages or touches hardware. The kernel owns a
//! [`ProcessTable`], a [`Scheduler`], in each process [`ProcessSignals`] and a [`DescriptorTable`], and in each thread
//! [`ThreadSignals`], asks them what is to be done, and does it.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod capabilities;
mod cloning;
mod credentials;
mod descriptors;
mod elf;
pub mod interval;
pub mod ipc;
mod scheduler;
mod scheduling;
mod script;
mod signals;
mod stack;
mod status;
mod strings;
mod table;

pub use abi::CapSet;
pub use capabilities::Capabilities;
pub use cloning::{CLONE_ARGS_LEAST_BYTES, CLONE_ARGS_WORDS, CloneRequest, number_to_have};
pub use credentials::{Credentials, Ids};
pub use descriptors::{DescriptorError, DescriptorTable};
pub use elf::{ElfError, ElfPlan, HEADER_BYTES, Headers, Segment, SegmentProt};
pub use ipc::{IpcTable, NoObject, Object as IpcObject, Ownership};
pub use scheduler::{Scheduler, WaitOutcome};
pub use scheduling::{
    Asker, IoPriority, LEAST_NICE, MOST_NICE, Scheduling, is_within_nice_limit, priorities_of,
};
pub use script::{Script, parse_script};
pub use signals::{
    Action, AltStack, AltStackError, DefaultAction, Delivery, Disposition, ProcessSignals, QueueFull,
    SigInfo, Signal, SignalSet, ThreadSignals,
};
pub use stack::{StackImage, StackRequest, build_stack};
pub use status::{ChildEvent, ExitStatus};
pub use strings::Strings;
pub use table::{Awaited, ChildKind, NoChild, NoNumber, PID_MAX, Pid, ProcessTable, Tid, WaitFor};
