//! The firmware features of the built-in SBI (SBI specification 3.0, "Firmware Features Extension").
//!
//! Two features mean something here. PTE_AD_HW_UPDATING is `menvcfg.ADUE`. MISALIGNED_EXC_DELEG is kept and read
//! back, but changes nothing: only misaligned LR, SC and AMO raise misaligned exceptions, no firmware could do these, and
//! it would hand them to the supervisor either way. The others need extensions that the harts do not have.

use super::Machine;
use crate::sbi::Answer;
use isa::csr::menvcfg;
use isa::sbi::{ERR_DENIED, ERR_DENIED_LOCKED, ERR_INVALID_PARAM, ERR_NOT_SUPPORTED, fwft};
use isa::{Extension, IsaSet};
use serde::{Deserialize, Serialize};

/// The features of one hart, as far as no CSR holds them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Features {
    /// MISALIGNED_EXC_DELEG.
    delegates_misaligned: bool,
    /// One bit for each feature that can no longer be changed.
    locked: u32,
}

impl Default for Features {
    /// Misaligned exceptions are delegated from the start, as all are.
    fn default() -> Self {
        Self { delegates_misaligned: true, locked: 0 }
    }
}

#[derive(Clone, Copy)]
enum Feature {
    MisalignedDelegation,
    PteUpdating,
}

impl Feature {
    fn from_number(number: u32, isa: IsaSet) -> Result<Self, i64> {
        match number {
            fwft::MISALIGNED_EXC_DELEG => Ok(Self::MisalignedDelegation),
            fwft::PTE_AD_HW_UPDATING if isa.contains(Extension::Svadu) => Ok(Self::PteUpdating),
            fwft::PTE_AD_HW_UPDATING
            | fwft::LANDING_PAD
            | fwft::SHADOW_STACK
            | fwft::DOUBLE_TRAP
            | fwft::POINTER_MASKING_PMLEN => Err(ERR_NOT_SUPPORTED),
            _ => Err(ERR_DENIED),
        }
    }
    fn lock_bit(self) -> u32 {
        1 << self as u32
    }
}

impl Machine {
    /// Sets a feature of the hart whose turn it is.
    pub(super) fn set_feature(&mut self, number: u32, value: u64, flags: u64) -> Answer {
        let feature = match Feature::from_number(number, self.config.isa) {
            Ok(feature) => feature,
            Err(error) => return Answer::error(error),
        };
        if value > 1 || flags & !fwft::FLAG_LOCK != 0 {
            return Answer::error(ERR_INVALID_PARAM);
        }
        let features = &mut self.sbi_harts[self.turn.hart].features;
        if features.locked & feature.lock_bit() != 0 {
            return Answer::error(ERR_DENIED_LOCKED);
        }
        if flags & fwft::FLAG_LOCK != 0 {
            features.locked |= feature.lock_bit();
        }
        match feature {
            Feature::MisalignedDelegation => features.delegates_misaligned = value == 1,
            Feature::PteUpdating => {
                let hart = &mut self.harts[self.turn.hart];
                let others = hart.csr.menvcfg & !menvcfg::ADUE;
                hart.csr.menvcfg = if value == 1 { others | menvcfg::ADUE } else { others };
                hart.rebuild();
            }
        }
        Answer::value(0)
    }

    /// The value of a feature of the hart whose turn it is.
    pub(super) fn feature(&self, number: u32) -> Answer {
        match Feature::from_number(number, self.config.isa) {
            Ok(Feature::MisalignedDelegation) => {
                Answer::value(self.sbi_harts[self.turn.hart].features.delegates_misaligned.into())
            }
            Ok(Feature::PteUpdating) => {
                let updates = self.harts[self.turn.hart].csr.menvcfg & menvcfg::ADUE != 0;
                Answer::value(updates.into())
            }
            Err(error) => Answer::error(error),
        }
    }
}
