//! A hart's state: registers, CSRs, the TLB. Plain data, which can be saved, hashed and compared; everything that
//! runs it is in [`crate::exec`].
//!
//! What can be rebuilt (the fast lookup arrays) is left out of the saved state.

mod counters;
mod csr;
mod status;
mod timer;
mod trap;
mod warl;

pub use counters::Counters;
pub use csr::CsrFile;
pub(crate) use csr::{CsrContext, write_is_harmless};
pub use trap::LeftProgram;

use crate::mem::fast::{DataBank, FastArrays, FetchBank};
use crate::mem::pmp::Pmp;
use crate::mem::tlb::{Flushed, Tlb, TlbGeometry};
use isa::platform::RAM_BASE;
use isa::{Extension, IsaSet, Privilege, VirtAddr};
use serde::{Deserialize, Serialize};

/// One hardware thread.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hart {
    /// `mhartid`.
    pub id: usize,
    /// The extensions that the hart was built with.
    pub isa: IsaSet,
    /// Those that `misa` has left enabled.
    pub(crate) enabled: IsaSet,
    /// Integer registers; `x[0]` is always zero.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// Address of the next instruction.
    pub pc: u64,
    /// The mode the hart is in.
    #[serde(with = "privilege_bits")]
    pub privilege: Privilege,
    /// Control and status registers.
    pub csr: CsrFile,
    /// PMP entries.
    pub pmp: Pmp,
    /// What has been counted.
    pub counters: Counters,
    /// The physical address that LR has reserved.
    pub reservation: Option<u64>,
    /// The hart waits for an interrupt (WFI).
    pub waiting: bool,
    /// An ECALL from S-mode leaves the run loop for the built-in SBI and does not trap.
    pub sbi_calls_exit: bool,
    /// Instruction side of the TLB.
    pub itlb: Tlb,
    /// Data side of the TLB.
    pub dtlb: Tlb,
    /// What the last program left that trapped out of U-mode, for who debugs it: no part of the machine's state.
    #[serde(skip)]
    left_program: LeftProgram,
    /// Caches of the above.
    #[serde(skip)]
    pub(crate) fast: FastArrays,
    #[serde(skip)]
    pub(crate) data_bank: DataBank,
    #[serde(skip)]
    pub(crate) fetch_bank: FetchBank,
    /// The code cache's epochs that the fast arrays know of.
    #[serde(skip)]
    pub(crate) seen_marks: u64,
    #[serde(skip)]
    pub(crate) seen_code: u64,
}

impl Hart {
    /// A hart after reset: M-mode, at the first byte of RAM.
    pub fn new(id: usize, tlb: TlbGeometry) -> Self {
        Self {
            id,
            isa: IsaSet::default(),
            enabled: IsaSet::default(),
            x: [0; 32],
            f: [0; 32],
            pc: RAM_BASE.0,
            privilege: Privilege::Machine,
            csr: CsrFile::default(),
            pmp: Pmp::default(),
            counters: Counters::default(),
            reservation: None,
            waiting: false,
            sbi_calls_exit: false,
            itlb: Tlb::new(tlb),
            dtlb: Tlb::new(tlb),
            left_program: LeftProgram::default(),
            fast: FastArrays::default(),
            data_bank: DataBank::default(),
            fetch_bank: FetchBank::default(),
            seen_marks: 0,
            seen_code: 0,
        }
    }

    /// The same hart with other extensions, all enabled.
    #[must_use]
    pub fn with_isa(mut self, isa: IsaSet) -> Self {
        self.set_isa(isa);
        self
    }

    /// Gives the hart other extensions, all enabled.
    pub fn set_isa(&mut self, isa: IsaSet) {
        (self.isa, self.enabled) = (isa, isa);
    }

    /// The same hart with or without physical memory protection.
    #[must_use]
    pub fn with_pmp(self, entries: usize) -> Self {
        Self { pmp: if entries == 0 { Pmp::none() } else { Pmp::default() }, ..self }
    }

    /// The extensions that exist at this moment: those it was built with, less what `misa` has switched off.
    #[inline]
    pub fn enabled(&self) -> IsaSet {
        self.enabled
    }

    /// Drops translations as `sfence.vma` does: of one page or all, of one address space or all.
    pub fn fence_translations(&mut self, va: Option<VirtAddr>, asid: Option<u16>) {
        let flush = |tlb: &mut Tlb| match (va, asid) {
            (None, None) => tlb.flush_all(),
            (None, Some(asid)) => tlb.flush_asid(asid),
            (Some(va), asid) => tlb.flush_page(va, asid),
        };
        match flush(&mut self.itlb) {
            Flushed::Page(vpn) => self.fast.drop_fetch_page(vpn),
            Flushed::Anything => self.fast.drop_fetches(),
        }
        match flush(&mut self.dtlb) {
            Flushed::Page(vpn) => self.fast.drop_data_page(vpn),
            Flushed::Anything => self.fast.drop_data(),
        }
    }

    /// What addresses of instructions are multiples of: IALIGN, in bytes.
    pub(crate) fn pc_alignment(&self) -> u64 {
        if self.enabled.contains(Extension::Zca) { 2 } else { 4 }
    }

    /// The bits that an address of an instruction can have: without compressed instructions bit 1 reads zero too.
    pub(crate) fn pc_mask(&self) -> u64 {
        !(self.pc_alignment() - 1)
    }
}

/// [`Privilege`] as its encoding.
mod privilege_bits {
    use isa::Privilege;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(privilege: &Privilege, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(*privilege as u8)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Privilege, D::Error> {
        let bits = u8::deserialize(from)?;
        Privilege::from_bits(u64::from(bits)).ok_or_else(|| D::Error::custom("no such privilege mode"))
    }
}
