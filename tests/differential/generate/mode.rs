//! How a case runs: its privilege mode, whether it is translated, and the state in which each pass starts.

use isa::csr::{Csr, menvcfg, mstatus};
use isa::{Extension, IsaSet, Privilege};

use crate::layout::Slot;
use crate::random_values::Random;

/// How a case runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mode {
    pub(super) privilege: Privilege,
    /// `satp.MODE`; 0 is Bare.
    pub(super) translation: u64,
    /// M-mode with MPRV: only data is translated.
    pub(super) mprv: bool,
    /// `mstatus` as each pass starts.
    pub(super) status: u64,
    /// Translated S-mode whose code is seen at its physical address, so that translation may end.
    pub(super) physical: bool,
    /// Software makes interrupts pending; each is taken until the pass ends, skipping an instruction each time.
    pub(super) interrupts: bool,
    /// There are PMP entries by chance.
    pub(super) pmp: bool,
    /// The code switches extensions off and on.
    pub(super) misa: bool,
}

impl Mode {
    pub(super) fn random(random: &mut Random, slot: Slot, isa: &IsaSet) -> Mode {
        let privilege = random.of(&[Privilege::Machine, Privilege::Supervisor, Privilege::User]);
        let translates = random.below(3) != 0;
        let mprv = privilege == Privilege::Machine && random.below(4) == 0;
        let translated = if privilege == Privilege::Machine { mprv && translates } else { translates };
        let modes = [(8, Extension::Sv39), (9, Extension::Sv48), (10, Extension::Sv57)];
        let (mode, extension) = random.of(&modes);
        let mode = if isa.contains(extension) { mode } else { 8 };
        let translation = if translated { mode } else { 0 };
        let machine = privilege == Privilege::Machine;
        let interrupts = random.below(8) == 0;
        Mode {
            privilege,
            translation,
            mprv,
            status: Mode::mstatus(random, privilege, mprv),
            physical: privilege == Privilege::Supervisor && translated && random.below(3) == 0,
            interrupts,
            // M-mode by itself is only bound by locked ones.
            pmp: slot.is_last() || random.below(6) == 0 && !machine || random.below(2) == 0 && mprv,
            misa: machine && !interrupts && random.below(6) == 0,
        }
    }

    fn mstatus(random: &mut Random, privilege: Privilege, mprv: bool) -> u64 {
        let mut status = random.next() & (mstatus::SUM | mstatus::MXR | mstatus::TVM | mstatus::SPIE);
        if random.below(4) == 0 {
            status |= random.next() & (mstatus::TW | mstatus::TSR);
        }
        // Off, initial, clean, dirty; mostly dirty.
        let float = if random.below(20) == 0 { 0 } else { random.of(&[1, 2, 3, 3, 3, 3]) };
        status |= float << mstatus::FS_SHIFT;
        let previous = match (privilege, mprv) {
            (Privilege::Machine, true) => random.of(&[Privilege::User, Privilege::Supervisor]),
            (other, _) => other,
        };
        status |= (previous as u64) << mstatus::MPP_SHIFT;
        if mprv { status | mstatus::MPRV } else { status }
    }

    pub(super) fn csrs(self, random: &mut Random, slot: Slot) -> Vec<(Csr, u64)> {
        // ECALL from S-mode is how the handler there ends a pass; its SRET must not trap to itself.
        let mut kept = 1 << 9;
        if self.privilege == Privilege::Machine || self.status & mstatus::TSR != 0 {
            kept |= 1 << 2;
        }
        // Where the code writes PMP entries S-mode may find its handler closed.
        let delegates = random.below(3) == 0 && !(self.privilege == Privilege::Machine && self.pmp);
        let delegated = if delegates { random.next() & 0xb1ff & !kept } else { 0 };
        let mut environment = if random.below(4) == 0 { random.next() & 0xf0 } else { 0xf0 };
        // Bits of extensions that are not there are read-only.
        environment |= random.next() & (menvcfg::ADUE | menvcfg::PBMTE);
        let satp = if self.translation == 0 {
            0
        } else {
            self.translation << 60 | (random.next() & 0xffff) << 44 | slot.tables() >> 12
        };
        let counters = random.below(8);
        let interrupts = self.interrupts;
        let mut csrs = vec![
            (Csr::MENVCFG, environment),
            (Csr::SENVCFG, random.of(&[0xf0, 0xf0, 0x50, 0x30, 0])),
            (Csr::MEDELEG, delegated),
            (Csr::MCOUNTEREN, counters),
            (Csr::MIE, if interrupts { random.next() & 0xaaa } else { 0 }),
            (Csr::MIDELEG, random.next()),
            (Csr::MIP, if interrupts { random.next() & random.next() } else { 0 }),
            (Csr::SCOUNTEREN, random.below(8)),
            (Csr::SATP, satp),
        ];
        if self.misa {
            csrs.push((Csr::MISA, u64::MAX));
        }
        csrs
    }
}
