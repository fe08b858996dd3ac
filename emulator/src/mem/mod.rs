//! Memory as the hart sees it: RAM, address translation, the TLB, physical memory protection.
pub mod ram;
