//! Processes of the guest OS: ELF plan, process table, scheduler, signals, descriptor tables.
#![no_std]
#![forbid(unsafe_code)]
