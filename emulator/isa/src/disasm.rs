//! Disassembly: an instruction as text, in the spelling of GNU objdump (mnemonic, a space, operands separated
//! by commas; targets as absolute addresses).

use core::fmt::{self, Display, Write};

use crate::insn::{Format, Insn, Operand};
use crate::pseudo::PSEUDOS;
use crate::reg::{F_NAMES, X_NAMES};

/// An instruction at an address, to be displayed.
#[derive(Clone, Copy, Debug)]
pub struct Disasm {
    insn: Insn,
    pc: u64,
    pseudo: bool,
}

/// How `insn`, which lies at `pc`, is written. Compressed instructions are shown as what they expand to.
pub fn disasm(insn: &Insn, pc: u64) -> Disasm {
    Disasm { insn: *insn, pc, pseudo: true }
}

impl Disasm {
    /// The same without pseudo-instructions: `addi a0,zero,1` instead of `li a0,1`.
    #[must_use]
    pub fn plain(self) -> Disasm {
        Disasm { pseudo: false, ..self }
    }

    /// The mnemonic that is shown, without `.aq` and `.rl`.
    pub fn mnemonic(&self) -> &'static str {
        self.spelling().0
    }

    fn spelling(&self) -> (&'static str, &'static [Operand]) {
        let insn = &self.insn;
        let fits =
            |p: &&crate::pseudo::Pseudo| p.op == insn.op && p.when.iter().all(|fixed| fixed.holds(insn));
        match PSEUDOS.iter().find(fits) {
            Some(pseudo) if self.pseudo => (pseudo.name, pseudo.operands),
            _ => (insn.op.name(), insn.op.format().operands()),
        }
    }
}

impl Display for Disasm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mnemonic, operands) = self.spelling();
        f.write_str(mnemonic)?;
        if matches!(self.insn.op.format(), Format::Amo | Format::Lr) {
            f.write_str(ORDERINGS[usize::from(self.insn.rm & 3)])?;
        }
        let mut separator = ' ';
        for &operand in operands {
            if self.is_implied(operand) {
                continue;
            }
            f.write_char(separator)?;
            self.write_operand(f, operand)?;
            separator = ',';
        }
        Ok(())
    }
}

/// Suffixes of atomics, by [`Insn::AQ`] and [`Insn::RL`].
pub(crate) const ORDERINGS: [&str; 4] = ["", ".rl", ".aq", ".aqrl"];

/// Names of the rounding modes; 5 and 6 are reserved.
pub(crate) const ROUNDINGS: [&str; 8] = ["rne", "rtz", "rdn", "rup", "rmm", "rm5", "rm6", "dyn"];

/// The constants of `fli` (Zfa) as hexadecimal floating-point numbers; `min` is the least normal number.
pub(crate) const FLI_CONSTANTS: [&str; 32] = [
    "-0x1p+0", "min", "0x1p-16", "0x1p-15", "0x1p-8", "0x1p-7", "0x1p-4", "0x1p-3", "0x1p-2", "0x1.4p-2",
    "0x1.8p-2", "0x1.cp-2", "0x1p-1", "0x1.4p-1", "0x1.8p-1", "0x1.cp-1", "0x1p+0", "0x1.4p+0", "0x1.8p+0",
    "0x1.cp+0", "0x1p+1", "0x1.4p+1", "0x1.8p+1", "0x1p+2", "0x1p+3", "0x1p+4", "0x1p+7", "0x1p+8",
    "0x1p+15", "0x1p+16", "inf", "nan",
];

impl Disasm {
    fn is_implied(&self, operand: Operand) -> bool {
        match operand {
            Operand::Rounding => self.insn.rm == Insn::RM_DYNAMIC,
            Operand::RoundingExact => self.insn.rm == 0,
            _ => false,
        }
    }

    fn write_operand(&self, f: &mut fmt::Formatter<'_>, operand: Operand) -> fmt::Result {
        let insn = &self.insn;
        let x = |n: u8| X_NAMES[usize::from(n & 31)];
        let fp = |n: u8| F_NAMES[usize::from(n & 31)];
        match operand {
            Operand::Rd => f.write_str(x(insn.rd)),
            Operand::Rs1 => f.write_str(x(insn.rs1)),
            Operand::Rs2 => f.write_str(x(insn.rs2)),
            Operand::FRd => f.write_str(fp(insn.rd)),
            Operand::FRs1 => f.write_str(fp(insn.rs1)),
            Operand::FRs2 => f.write_str(fp(insn.rs2)),
            Operand::FRs3 => f.write_str(fp(insn.rs3)),
            Operand::Imm => write!(f, "{}", insn.imm),
            Operand::Shamt => write!(f, "{:#x}", insn.imm),
            Operand::Upper => write!(f, "{:#x}", insn.imm.cast_unsigned() >> 12),
            Operand::BlockOffset => write!(f, "{}({})", insn.imm & !31, x(insn.rs1)),
            Operand::Constant => f.write_str(FLI_CONSTANTS[usize::from(insn.rs1 & 31)]),
            Operand::TowardsZero => f.write_str(ROUNDINGS[1]),
            Operand::Offset => write!(f, "{}({})", insn.imm, x(insn.rs1)),
            Operand::Address => write!(f, "({})", x(insn.rs1)),
            Operand::Target => write!(f, "{:#x}", self.pc.wrapping_add_signed(i64::from(insn.imm))),
            Operand::Csr => write!(f, "{}", insn.csr()),
            Operand::Zimm => write!(f, "{}", insn.rs1),
            Operand::Rounding | Operand::RoundingExact => f.write_str(ROUNDINGS[usize::from(insn.rm & 7)]),
            Operand::FenceSets => {
                write_fence_set(f, insn.imm >> 4)?;
                f.write_char(',')?;
                write_fence_set(f, insn.imm)
            }
        }
    }
}

/// The accesses of a fence set: input, output, read, write.
pub(crate) const FENCE_SET: [(i32, char); 4] = [(8, 'i'), (4, 'o'), (2, 'r'), (1, 'w')];

fn write_fence_set(f: &mut fmt::Formatter<'_>, set: i32) -> fmt::Result {
    if set & 15 == 0 {
        return f.write_char('0');
    }
    FENCE_SET.iter().filter(|(bit, _)| set & bit != 0).try_for_each(|&(_, letter)| f.write_char(letter))
}
