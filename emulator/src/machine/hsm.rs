//! What the built-in SBI keeps for each hart, and its hart state management: start, stop, suspend, status
//! (SBI specification, "Hart State Management Extension").
//!
//! Everything happens at once, so the pending states of the specification are never seen.

use super::firmware::set_up_supervisor;
use super::{Machine, StopReason};
use crate::hart::Hart;
use crate::sbi::Answer;
use isa::csr::mstatus;
use isa::sbi::{ERR_ALREADY_AVAILABLE, ERR_INVALID_ADDRESS, HART_STARTED, HART_STOPPED, HART_SUSPENDED};
use isa::{PhysAddr, Privilege, reg};
use serde::{Deserialize, Serialize};

/// What the SBI keeps for a hart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct SbiHart {
    pub power: Power,
    pub features: super::fwft::Features,
}

/// Whether a hart runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) enum Power {
    #[default]
    Started,
    Stopped,
    /// It waits for an interrupt (its `waiting` flag says whether it still does), and then goes on after the call or,
    /// if the suspend was non-retentive, at an entry.
    Suspended(Option<Entry>),
}

/// Where a hart starts or resumes, and what it finds in `a1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub at: PhysAddr,
    pub opaque: u64,
}

/// Puts a hart at an entry, as the specification's register tables say.
fn enter(hart: &mut Hart, entry: Entry) {
    hart.pc = entry.at.0;
    hart.privilege = Privilege::Supervisor;
    hart.csr.satp = 0;
    hart.csr.mstatus &= !mstatus::SIE;
    hart.x[usize::from(reg::A0)] = hart.id as u64;
    hart.x[usize::from(reg::A0) + 1] = entry.opaque;
    hart.waiting = false;
    hart.reservation = None;
    // No translation of an earlier life: dropping them is always allowed.
    hart.fence_translations(None, None);
    hart.rebuild();
}

impl Machine {
    /// Whether harts can be sent to `at`.
    fn is_entry(&self, at: PhysAddr) -> bool {
        at.is_aligned(self.hart().pc_alignment()) && self.ram.offset_of(at, 2).is_some()
    }

    pub(super) fn start_hart(&mut self, number: usize, entry: Entry) -> Answer {
        if self.sbi_harts[number].power != Power::Stopped {
            return Answer::error(ERR_ALREADY_AVAILABLE);
        }
        if !self.is_entry(entry.at) {
            return Answer::error(ERR_INVALID_ADDRESS);
        }
        // No interrupt of an earlier life is pending.
        self.bus.set_sbi_timer(number, u64::MAX, self.now);
        let hart = &mut self.harts[number];
        hart.csr.mip_software = 0;
        set_up_supervisor(hart, self.config.adue);
        enter(hart, entry);
        self.sbi_harts[number] = SbiHart::default();
        Answer::value(0)
    }

    /// Stops the hart whose turn it is. When the last one stops, nobody is left to start one.
    pub(super) fn stop_hart(&mut self) {
        self.sbi_harts[self.turn.hart].power = Power::Stopped;
        if self.sbi_harts.iter().all(|hart| hart.power == Power::Stopped) {
            self.bus.end(StopReason::Idle);
        } else {
            self.pass_turn();
        }
    }

    /// Suspends the hart whose turn it is: until an interrupt is pending.
    pub(super) fn suspend_hart(&mut self, resume: Option<Entry>) -> Answer {
        if resume.is_some_and(|entry| !self.is_entry(entry.at)) {
            return Answer::error(ERR_INVALID_ADDRESS);
        }
        self.sbi_harts[self.turn.hart].power = Power::Suspended(resume);
        self.harts[self.turn.hart].waiting = true;
        Answer::value(0)
    }

    /// Before the hart whose turn it is runs on: if its suspend is over, it goes where it asked to go.
    pub(super) fn resume_hart(&mut self) {
        let number = self.turn.hart;
        let Power::Suspended(entry) = self.sbi_harts[number].power else { return };
        if !self.is_awake(number) {
            return;
        }
        self.sbi_harts[number].power = Power::Started;
        if let Some(entry) = entry {
            enter(&mut self.harts[number], entry);
        }
    }

    pub(super) fn hart_status(&self, number: usize) -> i64 {
        match self.sbi_harts[number].power {
            Power::Stopped => HART_STOPPED,
            Power::Suspended(_) if self.harts[number].waiting => HART_SUSPENDED,
            Power::Started | Power::Suspended(_) => HART_STARTED,
        }
    }
}
