//! Bare-metal ELFs made on the spot: assembled code at the first byte of RAM and the symbols of a test program.
#![allow(dead_code)] // each test target uses its part

use isa::asm::assemble;
use isa::encode::encode;
use isa::platform::RAM_BASE;

/// Where `tohost` lies, from the first byte of RAM.
pub const TOHOST: u64 = 0x1000;
const MEMORY_BYTES: u64 = 0x2000;
const SYMBOLS: [(&str, u64); 4] =
    [("tohost", TOHOST), ("fromhost", 0x1040), ("begin_signature", 0x1080), ("end_signature", 0x1090)];
const HEADER_BYTES: usize = 64;
const SYMTAB: u8 = 2;
const CODE_AT: usize = 0x1000;

/// The instructions' bytes.
pub fn code(lines: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for line in lines {
        let insn = assemble(line, RAM_BASE.0 + bytes.len() as u64).unwrap_or_else(|| panic!("{line}"));
        bytes.extend(encode(&insn).unwrap_or_else(|| panic!("{line}")).to_le_bytes());
    }
    bytes
}

/// An ELF that starts with the first of `lines`.
pub fn elf(lines: &[&str]) -> Vec<u8> {
    elf_with(lines, &[])
}

/// The same with more symbols: names, and offsets from the first byte of RAM.
pub fn elf_with(lines: &[&str], more: &[(&str, u64)]) -> Vec<u8> {
    let symbols: Vec<_> = SYMBOLS.iter().chain(more).copied().collect();
    elf_of(&code(lines), MEMORY_BYTES, &symbols)
}

/// An ELF of code at the first byte of RAM, which `memory_bytes` are for, with these symbols. Spike can read it too.
pub fn elf_of(code: &[u8], memory_bytes: u64, symbols: &[(&str, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; CODE_AT];
    put(&mut bytes, 0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    // ET_EXEC for EM_RISCV, version 1.
    put(&mut bytes, 16, &[2, 0, 243, 0, 1]);
    put(&mut bytes, 24, &RAM_BASE.0.to_le_bytes());
    put(&mut bytes, 32, &(HEADER_BYTES as u64).to_le_bytes());
    put(&mut bytes, 52, &[64, 0, 56, 0, 1, 0, 64, 0, 3, 0, 2, 0]);
    let load = [CODE_AT as u64, RAM_BASE.0, RAM_BASE.0, code.len() as u64, memory_bytes, 0x1000];
    put(&mut bytes, HEADER_BYTES, &[1, 0, 0, 0, 7]);
    put(&mut bytes, HEADER_BYTES + 8, &load.map(u64::to_le_bytes).concat());
    bytes.extend_from_slice(code);

    // Readers find the sections by name, or by kind.
    const SYMTAB_NAME: u8 = 1;
    const STRTAB_NAME: u8 = SYMTAB_NAME + 8;
    let mut names = b"\0.symtab\0.strtab\0".to_vec();
    let mut table = vec![0; 24];
    for &(name, offset) in symbols {
        let mut symbol = vec![0; 24];
        put(&mut symbol, 0, &u32::try_from(names.len()).unwrap().to_le_bytes());
        put(&mut symbol, 6, &[1]);
        put(&mut symbol, 8, &(RAM_BASE.0 + offset).to_le_bytes());
        table.extend(symbol);
        names.extend(name.bytes().chain([0]));
    }
    let (names_at, table_at) = (bytes.len(), bytes.len() + names.len());
    let sections_at = table_at + table.len();
    let section = |name: u8, kind: u8, at: usize, len: usize, link: u8| {
        let mut section = vec![0; 64];
        put(&mut section, 0, &[name]);
        put(&mut section, 4, &[kind]);
        put(&mut section, 24, &[at as u64, len as u64].map(u64::to_le_bytes).concat());
        put(&mut section, 40, &[link]);
        put(&mut section, 56, &[if kind == SYMTAB { 24 } else { 0 }]);
        section
    };
    let sections = [
        section(0, 0, 0, 0, 0),
        section(SYMTAB_NAME, SYMTAB, table_at, table.len(), 2),
        section(STRTAB_NAME, 3, names_at, names.len(), 0),
    ];
    put(&mut bytes, 40, &(sections_at as u64).to_le_bytes());
    [bytes, names, table, sections.concat()].concat()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
