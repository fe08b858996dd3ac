//! Physical memory protection: sixteen entries, or none (privileged manual, "Physical Memory Protection").
//!
//! Granularity is four bytes. The lowest-numbered entry that matches any byte of an access decides; it must
//! match all of them. As in Spike, reset programs entry 0 to let every mode access everything.

use isa::paging::Access;
use isa::{PhysAddr, Privilege};
use serde::{Deserialize, Serialize};

/// Number of entries.
pub const ENTRIES: usize = 16;

const READ: u8 = 1 << 0;
const WRITE: u8 = 1 << 1;
const EXECUTE: u8 = 1 << 2;
const MATCHING: u8 = 3 << 3;
const OFF: u8 = 0 << 3;
const TOR: u8 = 1 << 3;
const NA4: u8 = 2 << 3;
const NAPOT: u8 = 3 << 3;
const LOCKED: u8 = 1 << 7;
/// Bits 6:5 of a configuration read zero.
const CONFIG_BITS: u8 = LOCKED | MATCHING | EXECUTE | WRITE | READ;
/// Bits 55:2 of an address are kept.
const ADDR_BITS: u64 = (1 << 54) - 1;
/// The last physical address: 56 bits.
const MAX_PA: u64 = ADDR_BITS << 2 | 3;

/// The PMP registers of a hart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pmp {
    /// Without entries every mode may access everything, and the registers do not exist.
    exists: bool,
    config: [u8; ENTRIES],
    addr: [u64; ENTRIES],
}

/// How the entries stand to a range of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every byte may be accessed so.
    Allowed,
    /// No access of this kind that touches the whole range may go on; a smaller one may.
    Denied,
}

impl Default for Pmp {
    /// Entry 0 lets every mode access everything.
    fn default() -> Self {
        let mut pmp = Self { exists: true, config: [0; ENTRIES], addr: [0; ENTRIES] };
        pmp.config[0] = NAPOT | READ | WRITE | EXECUTE;
        pmp.addr[0] = ADDR_BITS;
        pmp
    }
}

impl Pmp {
    /// No entries.
    pub fn none() -> Self {
        Self { exists: false, config: [0; ENTRIES], addr: [0; ENTRIES] }
    }
    /// Whether there are entries.
    pub const fn exists(&self) -> bool {
        self.exists
    }
    /// `pmpcfg` register `n` (0 or 2 on RV64 with sixteen entries).
    pub fn read_config(&self, n: usize) -> u64 {
        let first = n * 4;
        (0..8).map(|k| u64::from(*self.config.get(first + k).unwrap_or(&0)) << (8 * k)).sum()
    }
    /// Writes `pmpcfg` register `n`. Locked entries keep their value; the reserved combination W without R loses W.
    pub fn write_config(&mut self, n: usize, value: u64) {
        for (k, byte) in value.to_le_bytes().into_iter().enumerate() {
            let Some(config) = self.config.get_mut(n * 4 + k).filter(|_| self.exists) else { continue };
            if *config & LOCKED == 0 {
                let byte = byte & CONFIG_BITS;
                *config = if byte & (READ | WRITE) == WRITE { byte & !WRITE } else { byte };
            }
        }
    }
    /// `pmpaddr` register `n`.
    pub fn read_addr(&self, n: usize) -> u64 {
        self.addr.get(n).copied().unwrap_or(0)
    }
    /// Writes `pmpaddr` register `n`, unless its entry is locked or is the base of a locked TOR entry.
    pub fn write_addr(&mut self, n: usize, value: u64) {
        let next_is_locked_tor =
            self.config.get(n + 1).is_some_and(|c| c & (LOCKED | MATCHING) == LOCKED | TOR);
        if self.exists && self.config.get(n).is_some_and(|c| c & LOCKED == 0) && !next_is_locked_tor {
            self.addr[n] = value & ADDR_BITS;
        }
    }

    /// First and last byte that entry `n` matches; `None` if none.
    fn range(&self, n: usize) -> Option<(u64, u64)> {
        let addr = self.addr[n];
        match self.config[n] & MATCHING {
            TOR => {
                let base = if n == 0 { 0 } else { self.addr[n - 1] << 2 };
                (addr << 2 > base).then(|| (base, (addr << 2) - 1))
            }
            NA4 => Some((addr << 2, (addr << 2) + 3)),
            NAPOT => {
                // The lowest zero bit gives the size: 8 bytes for none set below it.
                let size_mask = (addr ^ addr.wrapping_add(1)) << 2 | 3;
                Some(((addr << 2) & !size_mask, addr << 2 | size_mask))
            }
            _ => {
                debug_assert_eq!(self.config[n] & MATCHING, OFF);
                None
            }
        }
    }

    /// Whether entry 0 lets every mode access everything, as at reset: most walks meet it so.
    const fn is_open(&self) -> bool {
        let all = NAPOT | READ | WRITE | EXECUTE;
        self.config[0] & all == all && self.addr[0] == ADDR_BITS
    }

    /// Whether `privilege` may access all of `[pa, pa + len)`, as one access.
    #[inline]
    pub fn check(&self, pa: PhysAddr, len: u64, access: Access, privilege: Privilege) -> Verdict {
        let (first, last) = (pa.0, pa.0.saturating_add(len - 1));
        if !self.exists || self.is_open() && last <= MAX_PA {
            return Verdict::Allowed;
        }
        self.check_entries(first, last, access, privilege)
    }

    fn check_entries(&self, first: u64, last: u64, access: Access, privilege: Privilege) -> Verdict {
        let wanted = match access {
            Access::Fetch => EXECUTE,
            Access::Load => READ,
            Access::Store => WRITE,
        };
        for n in 0..ENTRIES {
            let Some((low, high)) = self.range(n) else { continue };
            if last < low || first > high {
                continue;
            }
            if first < low || last > high {
                return Verdict::Denied;
            }
            let machine_is_free = privilege == Privilege::Machine && self.config[n] & LOCKED == 0;
            return if machine_is_free || self.config[n] & wanted != 0 {
                Verdict::Allowed
            } else {
                Verdict::Denied
            };
        }
        if privilege == Privilege::Machine { Verdict::Allowed } else { Verdict::Denied }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pmp(entries: &[(u8, u64)]) -> Pmp {
        let mut pmp = Pmp::default();
        for (n, &(config, addr)) in entries.iter().enumerate() {
            pmp.addr[n] = addr;
            pmp.config[n] = config;
        }
        pmp
    }

    #[test]
    fn entries_match_as_the_manual_says() {
        use Access::{Fetch, Load, Store};
        use Privilege::{Machine, Supervisor, User};
        let napot_8k = NAPOT | READ;
        type Row<'a> = (&'a [(u8, u64)], u64, u64, Access, Privilege, bool);
        let rows: &[Row<'_>] = &[
            (&[(0, 0)], 0x8000_0000, 4, Load, Supervisor, false),
            (&[(0, 0)], 0x8000_0000, 4, Load, Machine, true),
            (&[(napot_8k, 0x8000_0000 >> 2 | 0x3ff)], 0x8000_1ff8, 8, Load, User, true),
            (&[(napot_8k, 0x8000_0000 >> 2 | 0x3ff)], 0x8000_1ffc, 8, Load, User, false),
            (&[(napot_8k, 0x8000_0000 >> 2 | 0x3ff)], 0x8000_0000, 8, Store, User, false),
            (&[(napot_8k, 0x8000_0000 >> 2 | 0x3ff)], 0x8000_0000, 8, Store, Machine, true),
            (&[(napot_8k | LOCKED, 0x8000_0000 >> 2 | 0x3ff)], 0x8000_0000, 8, Store, Machine, false),
            (&[(TOR | EXECUTE, 0x8000_0000 >> 2)], 0x7fff_fffc, 4, Fetch, User, true),
            (&[(TOR | EXECUTE, 0x8000_0000 >> 2)], 0x8000_0000, 4, Fetch, User, false),
            (&[(0, 0x1000 >> 2), (TOR | READ, 0x2000 >> 2)], 0x1000, 8, Load, User, true),
            (&[(0, 0x1000 >> 2), (TOR | READ, 0x2000 >> 2)], 0xff8, 8, Load, User, false),
            (&[(NA4 | READ, 0x1000 >> 2), (NAPOT | READ, ADDR_BITS)], 0x1000, 8, Load, User, false),
            (&[(NA4 | READ, 0x1000 >> 2), (NAPOT | READ, ADDR_BITS)], 0x1004, 4, Load, User, true),
        ];
        for &(entries, pa, len, access, privilege, allowed) in rows {
            let verdict = pmp(entries).check(PhysAddr(pa), len, access, privilege);
            assert_eq!(
                verdict == Verdict::Allowed,
                allowed,
                "{entries:x?} {pa:#x} {len} {access:?} {privilege:?}"
            );
        }
    }

    #[test]
    fn locked_entries_and_reserved_bits_keep_their_value() {
        let mut pmp = Pmp::default();
        pmp.write_config(0, 0x7f | u64::from(LOCKED | TOR | READ) << 8);
        assert_eq!(pmp.read_config(0), 0x1f | u64::from(LOCKED | TOR | READ) << 8);
        pmp.write_config(0, 0x1a);
        assert_eq!(pmp.read_config(0), 0x18 | u64::from(LOCKED | TOR | READ) << 8, "W without R is reserved");
        pmp.write_addr(0, 5);
        pmp.write_addr(1, 5);
        pmp.write_addr(2, u64::MAX);
        assert_eq!((pmp.read_addr(0), pmp.read_addr(1), pmp.read_addr(2)), (ADDR_BITS, 0, ADDR_BITS));
        pmp.write_config(2, 0x1f);
        assert_eq!((pmp.read_config(2), pmp.config[8]), (0x1f, 0x1f));
    }

    /// Whether entry `n` matches a byte, as the manual's table of encodings says, one address at a time.
    fn matches_byte(pmp: &Pmp, n: usize, byte: u64) -> bool {
        let word = byte >> 2;
        match pmp.config[n] >> 3 & 3 {
            0 => false,
            1 => word < pmp.addr[n] && (n == 0 || word >= pmp.addr[n - 1]),
            2 => word == pmp.addr[n],
            _ => {
                // yyyy...0111: as many low bits as there are trailing ones, and one more, may be anything.
                let ones = pmp.addr[n].trailing_ones();
                ones >= 53 || word >> (ones + 1) == pmp.addr[n] >> (ones + 1)
            }
        }
    }

    fn model(pmp: &Pmp, pa: u64, len: u64, access: Access, privilege: Privilege) -> bool {
        let bytes = || pa..pa + len;
        match (0..ENTRIES).find(|&n| bytes().any(|byte| matches_byte(pmp, n, byte))) {
            None => privilege == Privilege::Machine,
            Some(n) => {
                let right = match access {
                    Access::Load => 0,
                    Access::Store => 1,
                    Access::Fetch => 2,
                };
                let binds = privilege != Privilege::Machine || pmp.config[n] >> 7 == 1;
                bytes().all(|byte| matches_byte(pmp, n, byte)) && (!binds || pmp.config[n] >> right & 1 == 1)
            }
        }
    }

    #[test]
    fn random_entries_agree_with_a_model_of_bytes() {
        let seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = crate::test_support::xorshift(seed);
        let mut below = |n: u64| (random() >> 11) % n;
        for round in 0..2_000 {
            let mut pmp = Pmp::default();
            for n in 0..ENTRIES {
                // A few words about one place, so that entries meet; now and then a large region.
                let ones = if below(8) == 0 { below(54) } else { below(4) };
                pmp.write_addr(n, (0x2000_0000 + below(64)) | ((1 << ones) - 1));
            }
            pmp.write_config(0, below(1 << 32) << 32 | below(1 << 32));
            pmp.write_config(2, below(1 << 32) << 32 | below(1 << 32));
            for _ in 0..100 {
                let (pa, len) = (0x8000_0000 + below(280), 1 << below(4));
                let access = [Access::Load, Access::Store, Access::Fetch][usize::try_from(below(3)).unwrap()];
                let privilege = [Privilege::Machine, Privilege::Supervisor, Privilege::User]
                    [usize::try_from(below(3)).unwrap()];
                assert_eq!(
                    pmp.check(PhysAddr(pa), len, access, privilege) == Verdict::Allowed,
                    model(&pmp, pa, len, access, privilege),
                    "seed {seed:#x} round {round}: {pmp:x?} {pa:#x} {len} {access:?} {privilege:?}"
                );
            }
        }
    }

    #[test]
    fn without_entries_everything_is_allowed_and_nothing_can_be_written() {
        let mut pmp = Pmp::none();
        pmp.write_addr(0, 5);
        pmp.write_config(0, 0x80);
        assert_eq!((pmp.read_addr(0), pmp.read_config(0)), (0, 0));
        for privilege in [Privilege::Machine, Privilege::User] {
            assert_eq!(pmp.check(PhysAddr(0x10), 8, Access::Store, privilege), Verdict::Allowed);
        }
    }
}
