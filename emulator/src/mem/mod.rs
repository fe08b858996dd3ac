//! Memory as the hart sees it: RAM, the modelled TLB, physical memory protection, the fast lookup arrays and the
//! map of decoded code. How they work together in a translation is in [`crate::exec`].

pub(crate) mod code_map;
pub(crate) mod fast;
pub mod pmp;
pub mod ram;
pub mod tlb;
