//! Spike as the referee: where it is, and the ELFs made for it: little assembled programs, and the file around them.
#![allow(dead_code)] // each test target uses its part

use isa::{Extension, Insn, IsaSet, Op, assemble, encode};
use std::path::{Path, PathBuf};

/// Why a test against Spike is not run.
pub const NOT_THERE: &str = "Spike is not installed (make setup-test, or FOLIO_SPIKE=/path/to/spike)";

/// Spike's binary: what `FOLIO_SPIKE` names, or what the set-up has installed (`tests/setup/setup.sh test`), or `spike`
/// on the path.
pub fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("FOLIO_SPIKE") {
        return Some(PathBuf::from(path));
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/spike/bin/spike");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("spike"));
    [installed].into_iter().chain(on_path).find(|path| path.is_file())
}

/// Spike's `--isa` for a set: the ISA string without the names that Spike does not know, all of things that it has or does in any case.
pub fn isa_string(isa: IsaSet) -> String {
    let unknown = [
        "zic64b",
        "ziccamoa",
        "ziccrse",
        "za64rs",
        "ssccptr",
        "sscounterenw",
        "sstvala",
        "sstvecd",
        "svbare",
    ];
    // As a name of its own Zmmul would there outlive a misa without M.
    let isa =
        if isa.contains(Extension::M) { isa.to_string().replace("_zmmul", "") } else { isa.to_string() };
    let string = isa.as_str();
    string.split('_').filter(|name| !unknown.contains(name)).collect::<Vec<_>>().join("_")
}

/// A little assembly program: lines, one instruction each.
pub struct Program {
    start: u64,
    bytes: Vec<u8>,
}

impl Program {
    /// An empty program that lies at `start`.
    pub fn new(start: u64) -> Program {
        Program { start, bytes: Vec::new() }
    }
    /// The address of the next instruction.
    pub fn here(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
    /// Appends an instruction.
    pub fn line(&mut self, text: &str) {
        let insn = assemble(text, self.here()).unwrap_or_else(|| panic!("cannot assemble {text}"));
        self.bytes.extend(insn.bits.to_le_bytes());
    }
    /// Appends instructions.
    pub fn lines(&mut self, lines: &[&str]) {
        lines.iter().for_each(|line| self.line(line));
    }
    /// `rd` = an address less than 2 GiB away.
    pub fn address(&mut self, rd: u8, target: u64) {
        let distance = i32::try_from(target.wrapping_sub(self.here()).cast_signed()).expect("a near address");
        let low = distance << 20 >> 20;
        let upper = Insn { rd, imm: distance.wrapping_sub(low), ..Insn::blank(Op::Auipc) };
        self.bytes.extend(encode(&upper).expect("auipc takes any distance").to_le_bytes());
        self.line(&format!("addi x{rd}, x{rd}, {low}"));
    }
    /// The program's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A minimal ELF: one segment at `base`, and symbols, as Spike looks for them.
pub fn elf(image: &[u8], base: u64, entry: u64, symbols: &[(&str, u64)]) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    let mut names = b"\0.symtab\0.strtab\0".to_vec();
    let mut table = vec![0u8; 24];
    for (symbol, value) in symbols {
        table.extend(u32::try_from(names.len()).expect("few names").to_le_bytes());
        names.extend(symbol.bytes().chain([0]));
        table.extend([0x10, 0, 0xf1, 0xff]); // global, absolute
        table.extend(value.to_le_bytes());
        table.extend(0u64.to_le_bytes());
    }
    let symbols_at = HEADERS + image.len() as u64;
    let names_at = symbols_at + table.len() as u64;
    let sections_at = names_at + names.len() as u64;
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend([2u16, 243].map(u16::to_le_bytes).concat());
    file.extend(1u32.to_le_bytes());
    file.extend([entry, 64, sections_at].map(u64::to_le_bytes).concat());
    file.extend(5u32.to_le_bytes()); // RVC, double-float ABI
    file.extend([64u16, 56, 1, 64, 3, 2].map(u16::to_le_bytes).concat());
    file.extend([1u32, 7].map(u32::to_le_bytes).concat());
    let size = image.len() as u64;
    file.extend([HEADERS, base, base, size, size, 8].map(u64::to_le_bytes).concat());
    file.extend(image);
    file.extend(&table);
    file.extend(&names);
    let mut section = |name: u32, kind: u32, at: u64, size: u64, link: u32, info: u32, entry: u64| {
        file.extend([name, kind].map(u32::to_le_bytes).concat());
        file.extend([0, 0, at, size].map(u64::to_le_bytes).concat());
        file.extend([link, info].map(u32::to_le_bytes).concat());
        file.extend([1, entry].map(u64::to_le_bytes).concat());
    };
    section(0, 0, 0, 0, 0, 0, 0);
    section(1, 2, symbols_at, table.len() as u64, 2, 1, 24);
    section(9, 3, names_at, names.len() as u64, 0, 0, 0);
    file
}
