//! Every function of the kernel's ELF is decoded for what it takes off the stack pointer.

use emulator::loader::elf::ElfFile;
use isa::decode::decode;
use isa::insn::{Insn, Op};
use std::collections::BTreeMap;

/// The most that a function may take.
const MOST_BYTES: u64 = 1024;

/// Functions that may take more, and why: a part of their (demangled) name.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// Functions that load a stack pointer instead of moving it, and where to.
const STACK_SWITCHES: [(&str, &str); 4] = [
    ("_start", "to the boot stack"),
    ("enter_user", "to the user's"),
    ("trap_entry", "from the user's to the thread's, or to the emergency stack"),
    ("switch_context", "from one thread's to another's"),
];

const SP: u8 = 2;

/// A function of the kernel.
struct Function {
    name: String,
    insns: Vec<Insn>,
}

/// All functions: what lies between a symbol in the text and the next.
fn functions() -> Vec<Function> {
    let elf = ElfFile::parse(guest_os::KERNEL_ELF).expect("the kernel is a good ELF");
    let text = elf.segments()[0];
    let end = text.va.0 + text.data.len() as u64;
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    for symbol in elf.symbols() {
        // Mapping symbols (`$x`) and local labels (`.L`) name no function.
        let is_function = !symbol.name.starts_with(['$', '.']);
        if (text.va.0..end).contains(&symbol.va.0) && is_function {
            names.insert(symbol.va.0, format!("{:#}", rustc_demangle::demangle(&symbol.name)));
        }
    }
    let starts: Vec<u64> = names.keys().copied().chain([end]).collect();
    assert_eq!(starts[0], text.va.0, "the text begins with a function");
    let bytes = |from: u64, to: u64| {
        &text.data[usize::try_from(from - text.va.0).unwrap()..usize::try_from(to - text.va.0).unwrap()]
    };
    let extents = starts.array_windows().map(|&[from, to]| decode_all(bytes(from, to)));
    names.into_values().zip(extents).map(|(name, insns)| Function { name, insns }).collect()
}

fn decode_all(mut bytes: &[u8]) -> Vec<Insn> {
    let mut insns = Vec::new();
    // Between functions there may be zeros.
    while bytes.iter().any(|&byte| byte != 0) {
        let mut word = [0; 4];
        let len = bytes.len().min(4);
        word[..len].copy_from_slice(&bytes[..len]);
        // Rust's `unimp` is an illegal instruction on purpose.
        let insn = decode(u32::from_le_bytes(word)).unwrap_or(Insn { len: 2, ..Insn::blank(Op::Ebreak) });
        bytes = &bytes[usize::from(insn.len)..];
        insns.push(insn);
    }
    insns
}

/// What all instructions of a function together take off the stack pointer: at least what it takes on any way through it.
fn frame_bytes(function: &Function) -> u64 {
    let mut taken = 0;
    // Constants in registers, as prologues make them of `lui`, `addi` and `slli`.
    let mut constants = [None; 32];
    constants[0] = Some(0_i64);
    for insn in &function.insns {
        let value = |register: u8| constants[usize::from(register)];
        let imm = i64::from(insn.imm);
        if insn.rd == SP && writes_rd(insn) {
            if STACK_SWITCHES.iter().any(|(name, _)| *name == function.name) && insn.op != Op::Addi {
                continue;
            }
            let change = match (insn.op, insn.rs1, insn.rs2) {
                (Op::Addi, SP, _) => Some(imm),
                // Epilogues go back to the frame pointer; locals with a larger alignment take at most that.
                (Op::Addi, _, _) => Some(0),
                (Op::Andi, SP, _) => Some(imm + 1),
                (Op::Add, SP, by) | (Op::Add, by, SP) => value(by),
                (Op::Sub, SP, by) => value(by).map(|by| -by),
                _ => None,
            };
            let change = change.unwrap_or_else(|| panic!("{}: {insn:?} moves sp", function.name));
            taken += u64::try_from(-change).unwrap_or(0);
        } else if insn.rd != 0 && writes_rd(insn) {
            constants[usize::from(insn.rd)] = match insn.op {
                Op::Lui => Some(imm),
                Op::Addi | Op::Addiw => value(insn.rs1).map(|base| base + imm),
                Op::Slli => value(insn.rs1).map(|base| base << imm),
                _ => None,
            };
        }
    }
    taken
}

/// Whether the field `rd` of an instruction is an integer register that it writes.
fn writes_rd(insn: &Insn) -> bool {
    use isa::insn::Operand;
    insn.op.format().operands().contains(&Operand::Rd)
}

#[test]
fn no_function_of_the_kernel_takes_more_than_a_kib() {
    let functions = functions();
    assert!(functions.len() > 500, "{} functions cannot be all", functions.len());
    let mut large: Vec<(u64, &str)> = functions
        .iter()
        .map(|function| (frame_bytes(function), function.name.as_str()))
        .filter(|&(bytes, name)| {
            bytes > MOST_BYTES && !EXCEPTIONS.iter().any(|(part, _)| name.contains(part))
        })
        .collect();
    large.sort_unstable_by(|a, b| b.cmp(a));
    let list: Vec<String> = large.iter().map(|(bytes, name)| format!("{bytes:6} {name}")).collect();
    assert!(large.is_empty(), "{} frames are too large:\n{}", large.len(), list.join("\n"));
}

#[test]
fn prologues_are_understood() {
    let check = |words: &[u32], bytes: u64| {
        let text: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let function = Function { name: "test".into(), insns: decode_all(&text) };
        assert_eq!(frame_bytes(&function), bytes, "{words:08x?}");
    };
    // addi sp, sp, -32; addi sp, sp, 32
    check(&[0xfe01_0113, 0x0201_0113], 32);
    // c.addi16sp sp, -480; c.nop
    check(&[0x0001_7105], 480);
    // addi sp, sp, -2032; lui t0, 2; addiw t0, t0, -1; sub sp, sp, t0
    check(&[0x8101_0113, 0x0000_22b7, 0xfff2_829b, 0x4051_0133], 2032 + 8191);
    // addi sp, sp, -256; andi sp, sp, -64
    check(&[0xf001_0113, 0xfc01_7113], 256 + 63);
}
