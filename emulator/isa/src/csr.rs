//! CSR numbers, names and the fields of the status registers (privileged manual, "CSR Listing").

use core::fmt::{self, Write};
use core::ops::RangeInclusive;

macro_rules! csrs {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// The number of a control and status register, as encoded in the instruction.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(transparent)]
        pub struct Csr(pub u16);

        #[allow(missing_docs)] // the names are the manual's
        impl Csr {
            $($(#[$doc])* pub const $name: Csr = Csr($number);)*
        }

        /// Name and number of each CSR that stands alone (counters and PMP registers are numbered families).
        const NAMES: &[(&str, u16)] = &[$((stringify!($name), $number),)*];
    };
}

csrs! {
    FFLAGS = 0x001; FRM = 0x002; FCSR = 0x003;
    CYCLE = 0xc00; TIME = 0xc01; INSTRET = 0xc02;
    SSTATUS = 0x100; SIE = 0x104; STVEC = 0x105; SCOUNTEREN = 0x106; SENVCFG = 0x10a;
    SSCRATCH = 0x140; SEPC = 0x141; SCAUSE = 0x142; STVAL = 0x143; SIP = 0x144; STIMECMP = 0x14d;
    SATP = 0x180; SCONTEXT = 0x5a8;
    MVENDORID = 0xf11; MARCHID = 0xf12; MIMPID = 0xf13; MHARTID = 0xf14; MCONFIGPTR = 0xf15;
    MSTATUS = 0x300; MISA = 0x301; MEDELEG = 0x302; MIDELEG = 0x303; MIE = 0x304; MTVEC = 0x305;
    MCOUNTEREN = 0x306; MENVCFG = 0x30a; MCOUNTINHIBIT = 0x320;
    MSCRATCH = 0x340; MEPC = 0x341; MCAUSE = 0x342; MTVAL = 0x343; MIP = 0x344;
    MCYCLE = 0xb00; MINSTRET = 0xb02;
    TSELECT = 0x7a0; TDATA1 = 0x7a1; TDATA2 = 0x7a2; TDATA3 = 0x7a3; TINFO = 0x7a4; MCONTEXT = 0x7a8;
    /// First of sixteen PMP configuration registers (RV64: even ones only).
    PMPCFG0 = 0x3a0;
    /// First of sixty-four PMP address registers.
    PMPADDR0 = 0x3b0;
    /// First of the machine event selectors (3..=31).
    MHPMEVENT3 = 0x323;
    /// First of the machine performance counters (3..=31).
    MHPMCOUNTER3 = 0xb03;
    /// First of the user performance counters (3..=31).
    HPMCOUNTER3 = 0xc03;
}

impl Csr {
    /// The lowest privilege that may access the register, as `Privilege as u8` (bits 9:8 of the number).
    pub const fn required_privilege(self) -> u8 {
        (self.0 >> 8 & 3) as u8
    }
    /// Whether every write to the register is an illegal instruction (bits 11:10 of the number are both set).
    pub const fn is_read_only(self) -> bool {
        self.0 >> 10 & 3 == 3
    }
    /// The register with this name in the manual's spelling (`mstatus`, `pmpaddr3`).
    pub fn from_name(name: &str) -> Option<Csr> {
        let alone = NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|&(_, number)| Csr(number));
        alone.or_else(|| {
            FAMILIES.iter().find_map(|(family, first, members)| {
                let member: u16 = name.strip_prefix(*family)?.parse().ok()?;
                let number = first.checked_add(member.checked_sub(*members.start())?)?;
                members.contains(&member).then_some(Csr(number))
            })
        })
    }
    /// The name, in upper case, of a register that stands alone.
    pub fn name(self) -> Option<&'static str> {
        let family = |number| FAMILIES.iter().any(|&(_, first, _)| number == first);
        NAMES.iter().find(|&&(_, number)| number == self.0 && !family(number)).map(|&(name, _)| name)
    }
}

/// The numbered families: name, number of the first register, the numbers that follow the name.
const FAMILIES: &[(&str, u16, RangeInclusive<u16>)] = &[
    ("pmpcfg", Csr::PMPCFG0.0, 0..=15),
    ("pmpaddr", Csr::PMPADDR0.0, 0..=63),
    ("mhpmevent", Csr::MHPMEVENT3.0, 3..=31),
    ("mhpmcounter", Csr::MHPMCOUNTER3.0, 3..=31),
    ("hpmcounter", Csr::HPMCOUNTER3.0, 3..=31),
];

/// The name in the manual's spelling, or the number in hexadecimal if it has none.
impl fmt::Display for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            return name.chars().try_for_each(|c| f.write_char(c.to_ascii_lowercase()));
        }
        for (family, first, members) in FAMILIES {
            let member = self.0.wrapping_sub(*first).saturating_add(*members.start());
            if members.contains(&member) {
                return write!(f, "{family}{member}");
            }
        }
        write!(f, "{:#x}", self.0)
    }
}

/// Fields of `mstatus` and `sstatus`.
#[allow(missing_docs)] // the names are the manual's
pub mod mstatus {
    pub const SIE: u64 = 1 << 1;
    pub const MIE: u64 = 1 << 3;
    pub const SPIE: u64 = 1 << 5;
    pub const UBE: u64 = 1 << 6;
    pub const MPIE: u64 = 1 << 7;
    pub const SPP: u64 = 1 << 8;
    pub const VS: u64 = 3 << 9;
    pub const MPP_SHIFT: u32 = 11;
    pub const MPP: u64 = 3 << MPP_SHIFT;
    pub const FS_SHIFT: u32 = 13;
    pub const FS: u64 = 3 << FS_SHIFT;
    pub const XS: u64 = 3 << 15;
    pub const MPRV: u64 = 1 << 17;
    pub const SUM: u64 = 1 << 18;
    pub const MXR: u64 = 1 << 19;
    pub const TVM: u64 = 1 << 20;
    pub const TW: u64 = 1 << 21;
    pub const TSR: u64 = 1 << 22;
    pub const UXL: u64 = 3 << 32;
    pub const SXL: u64 = 3 << 34;
    pub const SD: u64 = 1 << 63;
    /// FS = Initial.
    pub const FS_INITIAL: u64 = 1 << FS_SHIFT;
    /// FS = Clean.
    pub const FS_CLEAN: u64 = 2 << FS_SHIFT;
    /// FS = Dirty.
    pub const FS_DIRTY: u64 = 3 << FS_SHIFT;
    /// UXL and SXL = 64 bits.
    pub const XLEN_64: u64 = 2 << 32 | 2 << 34;
}

/// Fields of `menvcfg`; `senvcfg` has the same at the same places, those of bits 63 to 61 apart.
pub mod menvcfg {
    /// Fence of I/O implies memory.
    pub const FIOM: u64 = 1 << 0;
    /// What `cbo.inval` does in lower modes (Zicbom): see [`CBIE_FLUSH`] and [`CBIE_INVALIDATE`]; 0 is illegal.
    pub const CBIE: u64 = 3 << 4;
    /// `cbo.inval` flushes.
    pub const CBIE_FLUSH: u64 = 1 << 4;
    /// `cbo.inval` invalidates.
    pub const CBIE_INVALIDATE: u64 = 3 << 4;
    /// `cbo.clean` and `cbo.flush` are legal in lower modes (Zicbom).
    pub const CBCFE: u64 = 1 << 6;
    /// `cbo.zero` is legal in lower modes (Zicboz).
    pub const CBZE: u64 = 1 << 7;
    /// Hardware updates of A and D (Svadu).
    pub const ADUE: u64 = 1 << 61;
    /// The memory types of page-table entries (Svpbmt).
    pub const PBMTE: u64 = 1 << 62;
    /// `stimecmp` is enabled (Sstc).
    pub const STCE: u64 = 1 << 63;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_spelling_that_is_read_back() {
        for number in 0..0x1000 {
            // The longest is `mhpmcounter31`; a fixed buffer does, for there is no allocator here.
            let mut text = Text { bytes: [0; 16], len: 0 };
            write!(text, "{}", Csr(number)).unwrap();
            let text = core::str::from_utf8(&text.bytes[..text.len]).unwrap();
            match text.strip_prefix("0x") {
                Some(digits) => assert_eq!(u16::from_str_radix(digits, 16), Ok(number)),
                None => assert_eq!(Csr::from_name(text), Some(Csr(number)), "{text}"),
            }
        }
        for bad in ["pmpaddr64", "pmpcfg", "mhpmcounter2", "hpmcounter32", "0x300", ""] {
            assert_eq!(Csr::from_name(bad), None, "{bad}");
        }
    }

    struct Text {
        bytes: [u8; 16],
        len: usize,
    }

    impl Write for Text {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            let free = self.bytes.get_mut(self.len..self.len + s.len()).ok_or(fmt::Error)?;
            free.copy_from_slice(s.as_bytes());
            self.len += s.len();
            Ok(())
        }
    }

    #[test]
    fn names_and_privileges() {
        assert_eq!(Csr::from_name("mstatus"), Some(Csr::MSTATUS));
        assert_eq!(Csr::SATP.name(), Some("SATP"));
        assert_eq!(Csr::SATP.required_privilege(), 1);
        assert!(Csr::CYCLE.is_read_only() && !Csr::MCYCLE.is_read_only());
    }
}
