//! RISC-V as gdb's protocol has it: the numbers of the registers, and the document that names them.
//!
//! The numbers are those that gdb itself has for RISC-V, so that they mean the same to every version of it: x0 to x31, pc, f0 to
//! f31, the CSRs by their numbers, and the mode. The names of the features are gdb's.

use gdbstub::arch::{Arch, RegId, Registers};
use isa::csr::Csr;
use isa::reg::{F_NAMES, X_NAMES};
use std::fmt::Write;
use std::num::NonZeroUsize;

/// The number of pc; x0 to x31 come before.
const PC: usize = 32;
/// The number of the first floating-point register.
const FIRST_F: usize = 33;
/// The number of CSR 0.
const FIRST_CSR: usize = 65;
const CSRS: usize = 4096;
/// The number of the mode, as a register.
const MODE: usize = FIRST_CSR + CSRS;

/// The CSRs that belong to floating point: 32 bits wide, and in gdb's feature of that.
const OF_FLOAT: [Csr; 3] = [Csr::FFLAGS, Csr::FRM, Csr::FCSR];

/// RV64 with floating point.
#[derive(Debug)]
pub enum Rv64 {}

/// A register by what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterId {
    X(usize),
    Pc,
    F(usize),
    Csr(Csr),
    Mode,
}

impl RegisterId {
    fn of(number: usize) -> Option<Self> {
        Some(match number {
            ..PC => Self::X(number),
            PC => Self::Pc,
            FIRST_F..FIRST_CSR => Self::F(number - FIRST_F),
            FIRST_CSR..MODE => Self::Csr(Csr(u16::try_from(number - FIRST_CSR).ok()?)),
            MODE => Self::Mode,
            _ => return None,
        })
    }
    /// How many bytes of it are told.
    pub fn len_bytes(self) -> usize {
        match self {
            Self::Csr(csr) if OF_FLOAT.contains(&csr) => 4,
            _ => 8,
        }
    }
}

impl RegId for RegisterId {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        let register = Self::of(id)?;
        Some((register, NonZeroUsize::new(register.len_bytes())))
    }
}

/// What is told of a thread in one packet; the other registers are asked for one by one.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CoreRegisters {
    pub x: [u64; 32],
    pub pc: u64,
}

impl Registers for CoreRegisters {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.pc
    }
    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        let values = self.x.iter().chain([&self.pc]);
        values.flat_map(|value| value.to_le_bytes()).for_each(|byte| write_byte(Some(byte)));
    }
    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let mut values = bytes.chunks_exact(8);
        for register in self.x.iter_mut().chain([&mut self.pc]) {
            let value = values.next().and_then(|value| value.try_into().ok()).ok_or(())?;
            *register = u64::from_le_bytes(value);
        }
        Ok(())
    }
}

impl Arch for Rv64 {
    type Usize = u64;
    type Registers = CoreRegisters;
    type BreakpointKind = usize;
    type RegId = RegisterId;
}

/// The document that names the registers, for a hart that has these CSRs.
pub fn target_xml(has: impl Fn(Csr) -> bool) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n\
         <architecture>riscv:rv64</architecture>\n<feature name=\"org.gnu.gdb.riscv.cpu\">\n",
    );
    let mut register = |name: &str, number: usize, bits: u32, kind: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "<reg name=\"{name}\" bitsize=\"{bits}\" regnum=\"{number}\"{kind}/>");
    };
    for (number, name) in X_NAMES.iter().enumerate() {
        let kind = match *name {
            "ra" => " type=\"code_ptr\"",
            "sp" | "gp" | "tp" => " type=\"data_ptr\"",
            _ => " type=\"int\"",
        };
        register(name, number, 64, kind);
    }
    register("pc", PC, 64, " type=\"code_ptr\"");
    text.push_str("</feature>\n<feature name=\"org.gnu.gdb.riscv.fpu\">\n");
    let union = "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>\
                 <field name=\"double\" type=\"ieee_double\"/></union>\n";
    text.push_str(union);
    for (number, name) in F_NAMES.iter().enumerate() {
        let _ = writeln!(
            text,
            "<reg name=\"{name}\" bitsize=\"64\" regnum=\"{}\" type=\"riscv_double\"/>",
            FIRST_F + number
        );
    }
    let number_of = |csr: Csr| FIRST_CSR + usize::from(csr.0);
    for csr in OF_FLOAT {
        let _ = writeln!(
            text,
            "<reg name=\"{csr}\" bitsize=\"32\" regnum=\"{}\" type=\"int\" group=\"float\"/>",
            number_of(csr)
        );
    }
    text.push_str("</feature>\n<feature name=\"org.gnu.gdb.riscv.csr\">\n");
    let named = (0..4096).map(Csr).filter(|csr| csr.name().is_some() && !OF_FLOAT.contains(csr) && has(*csr));
    for csr in named {
        let _ = writeln!(
            text,
            "<reg name=\"{csr}\" bitsize=\"64\" regnum=\"{}\" type=\"int\" group=\"csr\"/>",
            number_of(csr)
        );
    }
    text.push_str("</feature>\n<feature name=\"org.gnu.gdb.riscv.virtual\">\n");
    let _ = writeln!(text, "<reg name=\"priv\" bitsize=\"64\" regnum=\"{MODE}\" type=\"int\"/>");
    text.push_str("</feature>\n</target>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_gdbs_own() {
        for (number, register, len_bytes) in [
            (0, RegisterId::X(0), 8),
            (31, RegisterId::X(31), 8),
            (32, RegisterId::Pc, 8),
            (33, RegisterId::F(0), 8),
            (64, RegisterId::F(31), 8),
            (66, RegisterId::Csr(Csr::FFLAGS), 4),
            (68, RegisterId::Csr(Csr::FCSR), 4),
            (65 + 0x180, RegisterId::Csr(Csr::SATP), 8),
            (4161, RegisterId::Mode, 8),
        ] {
            let len = NonZeroUsize::new(len_bytes);
            assert_eq!(RegisterId::from_raw_id(number), Some((register, len)), "{number}");
        }
        assert_eq!(RegisterId::from_raw_id(4162), None);
        assert_eq!(RegisterId::from_raw_id(usize::MAX), None);
    }

    #[test]
    fn the_document_names_each_register_once() {
        let xml = target_xml(|csr| csr != Csr::STIMECMP);
        let attribute = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let lines: Vec<&str> = xml.lines().filter(|line| line.starts_with("<reg ")).collect();
        let mut names: Vec<String> = lines.iter().map(|line| attribute(line, "name")).collect();
        for line in &lines {
            let number = attribute(line, "regnum").parse().unwrap();
            let bits: usize = attribute(line, "bitsize").parse().unwrap();
            assert_eq!(RegisterId::of(number).unwrap().len_bytes() * 8, bits, "{line}");
        }
        for name in ["zero", "t6", "pc", "ft0", "ft11", "fflags", "fcsr", "satp", "mstatus", "priv"] {
            assert_eq!(names.iter().filter(|known| *known == name).count(), 1, "{name}");
        }
        assert!(!names.contains(&"stimecmp".to_owned()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn core_registers_come_back_as_they_were() {
        let mut registers = CoreRegisters { pc: 0x1_0004, ..CoreRegisters::default() };
        registers.x[31] = u64::MAX;
        let mut bytes = Vec::new();
        registers.gdb_serialize(|byte| bytes.extend(byte));
        assert_eq!(bytes.len(), 33 * 8);
        let mut again = CoreRegisters::default();
        assert_eq!(again.gdb_deserialize(&bytes), Ok(()));
        assert_eq!(again, registers);
        assert_eq!(again.gdb_deserialize(&bytes[1..]), Err(()));
    }
}
