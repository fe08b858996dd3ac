//! What follows from `mstatus`, `satp` and the privilege: the effective mode of an access, and which bank of the
//! fast arrays stands for it.

use super::Hart;
use crate::mem::fast::{DataBank, FetchBank};
use isa::csr::{menvcfg, mstatus};
use isa::paging::{AccessMode, MODE_BARE, Satp, Translation};
use isa::{Extension, Privilege};

impl Hart {
    /// `satp`.
    pub fn satp(&self) -> Satp {
        Satp(self.csr.satp)
    }
    /// Privilege of loads and stores: that of MPP while MPRV is set.
    pub fn data_privilege(&self) -> Privilege {
        if self.csr.mstatus & mstatus::MPRV == 0 {
            return self.privilege;
        }
        Privilege::from_bits(self.csr.mstatus >> mstatus::MPP_SHIFT).unwrap_or(Privilege::User)
    }
    /// Whether addresses are translated for accesses made with `privilege`.
    pub fn translates(&self, privilege: Privilege) -> bool {
        privilege != Privilege::Machine && self.satp().mode() != MODE_BARE
    }
    /// What a walk goes by; `None` if `satp` is Bare.
    pub fn translation(&self) -> Option<Translation> {
        Translation::of(self.satp()).map(|all| Translation {
            napot: self.isa.contains(Extension::Svnapot),
            memory_types: self.csr.menvcfg & menvcfg::PBMTE != 0,
            ..all
        })
    }
    /// The state that decides about an access made with `privilege`.
    pub fn access_mode(&self, privilege: Privilege) -> AccessMode {
        AccessMode {
            privilege,
            sum: self.csr.mstatus & mstatus::SUM != 0,
            mxr: self.csr.mstatus & mstatus::MXR != 0,
        }
    }
    /// Chooses the banks again: after every change of privilege, `mstatus` or `satp`.
    #[inline]
    pub(crate) fn choose_banks(&mut self) {
        let status = self.csr.mstatus;
        let translated = self.satp().mode() != MODE_BARE;
        self.fetch_bank = match self.privilege {
            Privilege::Machine => FetchBank::BareMachine,
            _ if !translated => FetchBank::BareLower,
            Privilege::User => FetchBank::User,
            Privilege::Supervisor => FetchBank::Supervisor,
        };
        let (sum, mxr) = (status & mstatus::SUM != 0, status & mstatus::MXR != 0);
        self.data_bank = match (self.data_privilege(), sum, mxr) {
            (Privilege::Machine, ..) => DataBank::BareMachine,
            _ if !translated => DataBank::BareLower,
            (Privilege::User, _, false) => DataBank::User,
            (Privilege::User, _, true) => DataBank::UserMxr,
            (Privilege::Supervisor, false, false) => DataBank::Supervisor,
            (Privilege::Supervisor, false, true) => DataBank::SupervisorMxr,
            (Privilege::Supervisor, true, false) => DataBank::SupervisorSum,
            (Privilege::Supervisor, true, true) => DataBank::SupervisorSumMxr,
        };
    }
    /// Forgets everything that can be rebuilt. To be called after CSRs, PMP entries or the TLB were changed from
    /// outside.
    pub fn rebuild(&mut self) {
        self.fast.drop_all();
        self.choose_banks();
    }
    /// Forgets what the code cache has made void: fast stores if a page has got its first decoded code, fast
    /// fetches if the cache was emptied.
    pub(crate) fn follow_code(&mut self, marks_epoch: u64, epoch: u64) {
        if self.seen_marks != marks_epoch {
            self.seen_marks = marks_epoch;
            self.fast.drop_writes();
        }
        if self.seen_code != epoch {
            self.seen_code = epoch;
            self.fast.drop_fetches();
        }
    }
}
