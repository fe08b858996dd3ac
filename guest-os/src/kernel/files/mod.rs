//! Files: the file systems of crate `fs`, and what the kernel does for them.

pub mod binds;
pub mod file_memory;
pub mod locks;
pub mod proc_facts;
pub mod process_memory;
pub mod ready;
pub mod terminals;
pub mod turns;
pub mod vfs;
