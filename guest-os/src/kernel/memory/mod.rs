//! Memory: frames and address spaces over crate `mm`, the pages of files, page faults, copies from and to programs, and the kernel's own heap
//! and stacks.

pub mod ahead;
pub mod claim;
pub mod commit;
pub mod fault;
pub mod heap;
pub mod inject;
pub mod mem;
pub mod motion;
pub mod oom;
pub mod pages;
pub mod read_ahead;
pub mod reclaim;
pub mod stack;
pub mod standstill;
pub mod user;
