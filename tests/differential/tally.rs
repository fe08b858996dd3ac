//! What the privileged state of the compared cases was, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use isa::csr::Csr;
use isa::{Exception, Insn, Op, Trap};

use crate::case::Case;

/// See the module.
#[derive(Default)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    fn count(&mut self, what: &'static str, n: u64) {
        *self.0.entry(what).or_default() += n;
    }

    /// A case has been run.
    pub fn case(&mut self, case: &Case) {
        self.count("cases with PMP entries of their own", case.protects_memory().into());
        self.count("cases with locked PMP entries", case.locks_memory().into());
        self.count("cases that switch extensions", case.switches_extensions().into());
        self.count("cases translated, at physical addresses", case.physical.into());
    }

    /// An instruction of a case has retired.
    pub fn retired(&mut self, case: &Case, insn: &Insn) {
        self.count("instructions under PMP entries of the case", case.protects_memory().into());
        let register =
            matches!(insn.op, Op::Csrrw) || matches!(insn.op, Op::Csrrs | Op::Csrrc) && insn.rs1 != 0;
        let what = match insn.csr() {
            Csr::SATP => "writes of satp",
            Csr::MSTATUS | Csr::SSTATUS => "writes of mstatus, sstatus",
            Csr::MEDELEG => "writes of medeleg",
            Csr::MENVCFG => "writes of menvcfg",
            Csr::MISA => "writes of misa",
            Csr(n) if (Csr::PMPCFG0.0..Csr::PMPADDR0.0 + 16).contains(&n) => "writes of PMP registers",
            _ => return,
        };
        self.count(what, register.into());
    }

    /// An instruction of a case has trapped.
    pub fn trapped(&mut self, case: &Case, trap: Trap) {
        let what = match trap.exception {
            Exception::InstructionAccess => "fetches refused under PMP entries of the case",
            Exception::LoadAccess => "loads refused under PMP entries of the case",
            Exception::StoreAccess => "stores refused under PMP entries of the case",
            _ => return,
        };
        self.count(what, case.protects_memory().into());
    }

    /// The number beside a text.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Whether PMP entries of a case have refused anything.
    pub fn refused(&self) -> bool {
        self.0.iter().any(|(what, n)| what.contains(" refused ") && *n > 0)
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Tally) {
        other.0.iter().for_each(|(what, n)| self.count(what, *n));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, n)| writeln!(f, "{n:>12}  {what}"))
    }
}
