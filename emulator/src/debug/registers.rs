//! `regs`: registers by their ABI names, those marked that have changed since the machine was last resumed.

use super::target::{Registers, Target};
use isa::csr::Csr;
use isa::reg::{F_NAMES, X_NAMES};
use isa::{Privilege, VirtAddr};
use std::fmt::Write;

/// The CSRs that `regs csr` shows.
pub(super) const SHOWN_CSRS: &[Csr] = &[
    Csr::SSTATUS,
    Csr::STVEC,
    Csr::SEPC,
    Csr::SCAUSE,
    Csr::STVAL,
    Csr::SSCRATCH,
    Csr::SATP,
    Csr::SIE,
    Csr::SIP,
    Csr::MSTATUS,
    Csr::MTVEC,
    Csr::MEPC,
    Csr::MCAUSE,
    Csr::MTVAL,
    Csr::MEDELEG,
    Csr::MIDELEG,
    Csr::MIE,
    Csr::MIP,
    Csr::MINSTRET,
    Csr::FCSR,
];

/// A mode in words.
pub(super) fn mode(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::User => "user mode",
        Privilege::Supervisor => "supervisor mode",
        Privilege::Machine => "machine mode",
    }
}

/// pc and the integer registers, four a line.
pub(super) fn integer(now: &Registers, before: &Registers) -> String {
    let mut text = String::new();
    let mark = |changed: bool| if changed { '*' } else { ' ' };
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "pc   {:#018x}{} {}, hart {}, satp {:#x}",
        now.pc.0,
        mark(now.pc != before.pc),
        mode(now.privilege),
        now.hart,
        now.satp.0
    );
    columns(&mut text, &X_NAMES, &now.x, &before.x);
    text
}

/// The floating-point registers, as bits, four a line.
pub(super) fn float(now: &Registers, before: &Registers) -> String {
    let mut text = String::new();
    columns(&mut text, &F_NAMES, &now.f, &before.f);
    text
}

fn columns(text: &mut String, names: &[&str; 32], now: &[u64; 32], before: &[u64; 32]) {
    for (index, ((name, value), old)) in names.iter().zip(now).zip(before).enumerate() {
        let mark = if value != old { '*' } else { ' ' };
        let _ = write!(text, "{name:<4} {value:#018x}{mark}");
        text.push_str(if index % 4 == 3 { "\n" } else { " " });
    }
    *text = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
}

/// The CSRs that matter for traps and translation, as M-mode would read them.
pub(super) fn csrs(target: &dyn Target) -> String {
    let mut text = String::new();
    for &csr in SHOWN_CSRS {
        if let Some(value) = target.csr(csr) {
            let _ = writeln!(text, "{:<9} {value:#018x}", csr.to_string());
        }
    }
    text
}

/// Some registers and CSRs by their names, one a line.
pub(super) fn named(target: &dyn Target, now: &Registers, names: &[String]) -> Result<String, String> {
    let mut text = String::new();
    for name in names {
        let value = value(target, now, name);
        let value = value.ok_or_else(|| format!("there is no register or CSR `{name}`"))?;
        let _ = writeln!(text, "{name:<9} {value:#018x}");
    }
    Ok(text)
}

/// A register by its ABI name, `x5`, `f5`, `pc`, or a CSR by its name.
pub(super) fn value(target: &dyn Target, registers: &Registers, name: &str) -> Option<u64> {
    let numbered = |prefix: char| -> Option<usize> {
        name.strip_prefix(prefix)?.parse().ok().filter(|&number: &usize| number < 32)
    };
    if name == "pc" {
        let VirtAddr(pc) = registers.pc;
        return Some(pc);
    }
    if let Some(x) = isa::reg::x_from_name(name) {
        return registers.x.get(usize::from(x)).copied();
    }
    if let Some(f) = isa::reg::f_from_name(name) {
        return registers.f.get(usize::from(f)).copied();
    }
    if let Some(number) = numbered('x') {
        return Some(registers.x[number]);
    }
    if let Some(number) = numbered('f') {
        return Some(registers.f[number]);
    }
    target.csr(Csr::from_name(name)?)
}
