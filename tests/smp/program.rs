//! Small programs with labels, on machines of several harts.
//!
//! On top of [`isa::asm`]: `name:` is a label, `@name` in a branch its place; `la REG, OFFSET` and `la REG, @name` give an
//! address counted from the program's first byte; `li32 REG, NUMBER` a number of 32 bits, sign-extended; `finish` powers the
//! machine off; `#` starts a comment.

use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig, StopReason};
use isa::asm::assemble;
use isa::encode::encode;
use isa::platform::{KERNEL_BASE, RAM_BASE};
use isa::{PhysAddr, Step};
use std::collections::HashMap;

/// Far more steps than any program here takes.
pub const FOREVER: Step = Step(50_000_000);
/// Where programs keep their data, from their first byte.
pub const DATA: u64 = 0x1_0000;

const FINISH: [&str; 4] = ["lui t0, 0x100", "lui t1, 5", "addi t1, t1, 0x555", "sw t1, 0(t0)"];

enum Line {
    Plain(String),
    /// Register and what is added to `pc`, in two instructions.
    Address(String, i64),
    Number(String, i64),
}

/// Splits into an upper part for `lui` or `auipc` and a signed lower part of 12 bits.
fn split(value: i64) -> (i64, i64) {
    let low = (value << 52) >> 52;
    ((value - low) >> 12 & 0xf_ffff, low)
}

/// The program's bytes, for the address `base`.
pub fn assemble_program(text: &str, base: u64) -> Vec<u8> {
    let mut labels = HashMap::new();
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.lines().map(|line| line.split('#').next().unwrap().trim()).filter(|l| !l.is_empty()) {
        if let Some(label) = line.strip_suffix(':') {
            assert!(labels.insert(label, at).is_none(), "two labels {label}");
            continue;
        }
        let parts: Vec<&str> = if line == "finish" { FINISH.to_vec() } else { vec![line] };
        for part in parts {
            lines.push((at, part));
            at += if part.starts_with("la ") || part.starts_with("li32 ") { 8 } else { 4 };
        }
    }
    let mut bytes = Vec::new();
    for (at, line) in lines {
        let place = |word: &str| {
            let label = word.strip_prefix('@')?;
            Some(*labels.get(label).unwrap_or_else(|| panic!("no label {label}")))
        };
        let number = |word: &str| match word.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
            None => word.parse().unwrap(),
        };
        let (mnemonic, operands) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = operands.split(',').map(str::trim).collect();
        let line = match mnemonic {
            "la" => {
                let target = place(words[1]).unwrap_or_else(|| number(words[1]));
                Line::Address(words[0].to_owned(), target - at)
            }
            "li32" => Line::Number(words[0].to_owned(), number(words[1])),
            _ => {
                let operands: Vec<String> = words
                    .iter()
                    .map(|word| place(word).map_or((*word).to_owned(), |to| format!(".{:+}", to - at)))
                    .collect();
                Line::Plain(format!("{mnemonic} {}", operands.join(", ")))
            }
        };
        let texts = match line {
            Line::Plain(text) => vec![text],
            Line::Address(register, offset) => {
                let (upper, low) = split(offset);
                vec![format!("auipc {register}, {upper}"), format!("addi {register}, {register}, {low}")]
            }
            Line::Number(register, value) => {
                let (upper, low) = split(value);
                vec![format!("lui {register}, {upper}"), format!("addiw {register}, {register}, {low}")]
            }
        };
        for text in texts {
            let insn = assemble(&text, base + bytes.len() as u64).unwrap_or_else(|| panic!("{text}"));
            bytes.extend(encode(&insn).unwrap_or_else(|| panic!("{text}")).to_le_bytes());
        }
    }
    bytes
}

fn machine(harts: usize) -> Machine {
    Machine::new(MachineConfig { ram_bytes: 4 << 20, harts, ..MachineConfig::default() }).unwrap()
}

/// A machine whose harts all start in M-mode at the program.
pub fn bare(harts: usize, text: &str) -> Machine {
    let mut machine = machine(harts);
    machine.boot(&Boot::bare(&assemble_program(text, RAM_BASE.0))).unwrap();
    machine
}

/// A machine whose first hart starts in S-mode at the program, under the built-in SBI.
pub fn under_sbi(harts: usize, text: &str) -> Machine {
    let mut machine = machine(harts);
    machine.boot(&Boot::kernel(&assemble_program(text, KERNEL_BASE.0))).unwrap();
    machine
}

/// The double word at `offset` of a bare program's data.
pub fn data(machine: &Machine, offset: u64) -> u64 {
    word(machine, RAM_BASE.wrapping_add(DATA + offset))
}

/// The double word at `offset` of the data of a program under the SBI.
pub fn sbi_data(machine: &Machine, offset: u64) -> u64 {
    word(machine, KERNEL_BASE.wrapping_add(DATA + offset))
}

fn word(machine: &Machine, at: PhysAddr) -> u64 {
    u64::from_le_bytes(machine.ram().slice(at, 8).unwrap().try_into().unwrap())
}

/// Runs to the end, which must be a power-off.
pub fn finish(machine: &mut Machine) {
    let end = machine.run(FOREVER);
    let at: Vec<String> = machine.harts().iter().map(|hart| format!("{:#x}", hart.pc)).collect();
    assert_eq!(end, StopReason::FinisherPass, "at step {}, harts at {at:?}", machine.steps());
}
