//! `regs`: registers by their ABI names, those marked that have changed since the machine was last resumed.

use super::target::{Registers, Target};
use crate::source::{Frame, Value, float_text};
use isa::Privilege;
use isa::csr::Csr;
use isa::reg::{F_NAMES, X_NAMES};
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

/// The mode as if it were a register: 0 user, 1 supervisor, 3 machine.
pub(super) const PRIV: &str = "priv";

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
pub(super) fn some(target: &dyn Target, now: &Registers, names: &[String]) -> Result<String, String> {
    let mut text = String::new();
    for name in names {
        let value = value(target, now, name);
        let value = value.ok_or_else(|| format!("there is no register or CSR `{name}`"))?;
        let _ = writeln!(text, "{name:<9} {value:#018x}{}", as_float(name, value));
    }
    Ok(text)
}

/// What a floating-point register holds as a number, behind its bits.
fn as_float(name: &str, bits: u64) -> String {
    if !is_float(name) {
        return String::new();
    }
    let held = Value::float_register(bits);
    let (type_, bytes) = (&held.type_, held.type_.size().unwrap_or(8));
    let bits = if bytes == 4 { bits & u64::from(u32::MAX) } else { bits };
    format!("  {type_} {}", float_text(bits.into(), bytes))
}

/// A register of a frame.
enum Of {
    Pc,
    Integer(usize),
    Float(usize),
}

/// The register that a name means: its ABI name, `x5`, `f5` or `pc`.
fn named(name: &str) -> Option<Of> {
    let numbered = |prefix: char| -> Option<usize> {
        name.strip_prefix(prefix)?.parse().ok().filter(|&number: &usize| number < 32)
    };
    if name == "pc" {
        return Some(Of::Pc);
    }
    let x = isa::reg::x_from_name(name).map(usize::from).or_else(|| numbered('x'));
    let f = || isa::reg::f_from_name(name).map(usize::from).or_else(|| numbered('f'));
    x.map(Of::Integer).or_else(|| f().map(Of::Float))
}

/// Whether a name means a floating-point register.
pub(super) fn is_float(name: &str) -> bool {
    matches!(named(name), Some(Of::Float(_)))
}

/// A register by its ABI name, `x5`, `f5`, `pc`, or a CSR by its name.
pub(super) fn value(target: &dyn Target, registers: &Registers, name: &str) -> Option<u64> {
    match named(name) {
        Some(Of::Pc) => Some(registers.pc.0),
        Some(Of::Integer(x)) => registers.x.get(x).copied(),
        Some(Of::Float(f)) => registers.f.get(f).copied(),
        // As gdb calls the mode.
        None if name == PRIV => Some(registers.privilege as u64),
        None => target.csr(Csr::from_name(name)?),
    }
}

/// A register of a frame, as far as it is known there; `None` if it is none of a frame's.
pub(super) fn of_frame(frame: &Frame, name: &str) -> Option<Option<u64>> {
    match named(name)? {
        Of::Pc => Some(Some(frame.pc)),
        Of::Integer(x) => frame.x.get(x).copied(),
        Of::Float(f) => frame.f.get(f).copied(),
    }
}

/// Some registers of a frame that has called, and CSRs, by their names, one a line.
pub(super) fn some_of_caller(target: &dyn Target, frame: &Frame, names: &[String]) -> Result<String, String> {
    let mut text = String::new();
    for name in names {
        let held = match of_frame(frame, name) {
            Some(value) => value,
            None => Some(
                value(target, &target.registers(), name)
                    .ok_or_else(|| format!("there is no register or CSR `{name}`"))?,
            ),
        };
        let known = |value| format!("{value:#018x}{}", as_float(name, value));
        let value = held.map_or_else(|| "<not saved>".to_owned(), known);
        let _ = writeln!(text, "{name:<9} {value}");
    }
    Ok(text)
}

/// The integer or floating-point registers of a frame that has called, as far as they are known there.
pub(super) fn of_caller(frame: &Frame, is_float: bool) -> String {
    let known = |name: &str, value: u64| format!("{name:<4} {value:#018x}");
    let mut pieces = if is_float { Vec::new() } else { vec![known("pc", frame.pc)] };
    let (names, values) = if is_float { (F_NAMES, frame.f) } else { (X_NAMES, frame.x) };
    pieces.extend(names.iter().zip(values).filter_map(|(name, value)| Some(known(name, value?))));
    let lines = pieces.chunks(4).map(|line| line.join("  ").trim_end().to_owned() + "\n");
    lines
        .chain(["the others are not saved: what it has called may have overwritten them\n".to_owned()])
        .collect()
}
