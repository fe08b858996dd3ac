//! `docs/isa.md` is made from the table of instructions: this test says when it is out of date, and
//! `FOLIO_BLESS=1 cargo test -p isa --test isa_page` writes it anew.

#![allow(clippy::unwrap_used)] // in functions that only tests call

use std::path::Path;

use isa::{Extension, Format, Op, Operand};

const INTRODUCTION: &str = "\
# The instructions

Made from the table in `emulator/isa/src/table.rs` by `FOLIO_BLESS=1 cargo test -p isa --test isa_page`; do not edit.

In an encoding `.` is a bit of an operand. Compressed instructions (C, with those of D and Zcb) have no rows of their own: each
expands to one of these (`emulator/isa/src/decode_c.rs`). Some belong to a second extension, or to one of two: `emulator/isa/src/gate.rs`
knows; `zext.h` of Zbb is `packw` with x0, and the prefetches of Zicbop are spellings of `ori`. What an instruction does is in `emulator/src/semantics/`, what it must do in
`tests/rows/`.
";

const CHAPTERS: &[(Extension, &str)] = &[
    (Extension::I, "RV64I: base integer instructions"),
    (Extension::M, "M: multiplication and division"),
    (Extension::A, "A: atomics"),
    (Extension::F, "F: single-precision floating point"),
    (Extension::D, "D: double-precision floating point"),
    (Extension::Zicsr, "Zicsr: control and status registers"),
    (Extension::Zifencei, "Zifencei: fence of instruction fetches"),
    (Extension::Privileged, "Privileged architecture"),
    (Extension::Svinval, "Svinval: fine-grained invalidation of translations"),
    (Extension::Zba, "Zba: address generation"),
    (Extension::Zbb, "Zbb: basic bit manipulation"),
    (Extension::Zbs, "Zbs: single bits"),
    (Extension::Zbkb, "Zbkb: bit manipulation for cryptography"),
    (Extension::Zbkc, "Zbkc and Zbc: carry-less multiplication"),
    (Extension::Zbc, "Zbc only"),
    (Extension::Zbkx, "Zbkx: crossbar permutations"),
    (Extension::Zicond, "Zicond: conditional zeroing"),
    (Extension::Zicbom, "Zicbom: cache-block management"),
    (Extension::Zicboz, "Zicboz: cache-block zero"),
    (Extension::Zawrs, "Zawrs: waiting on a reservation set"),
    (Extension::Zfhmin, "Zfhmin: half precision, loads, stores, moves, conversions"),
    (Extension::Zfh, "Zfh: half-precision arithmetic"),
    (Extension::Zfa, "Zfa: additional floating point"),
];

fn page() -> String {
    let mut page = INTRODUCTION.to_string();
    for &(extension, title) in CHAPTERS {
        let rows: Vec<&Op> = Op::ALL.iter().filter(|op| op.extension() == extension).collect();
        assert!(!rows.is_empty(), "{title} has no rows");
        page += &format!("\n## {title}\n\n| instruction | operands | encoding |\n|---|---|---|\n");
        for op in rows {
            page += &format!("| `{}` | {} | `{}` |\n", op.name(), operands(op.format()), encoding(*op));
        }
    }
    page
}

fn operands(format: Format) -> String {
    let names: Vec<&str> = format.operands().iter().map(|&operand| name(operand)).collect();
    names.join(", ")
}

fn name(operand: Operand) -> &'static str {
    match operand {
        Operand::Rd => "rd",
        Operand::Rs1 => "rs1",
        Operand::Rs2 => "rs2",
        Operand::FRd => "frd",
        Operand::FRs1 => "frs1",
        Operand::FRs2 => "frs2",
        Operand::FRs3 => "frs3",
        Operand::Imm => "imm",
        Operand::Shamt => "shamt",
        Operand::Upper => "imm20",
        Operand::Offset => "imm(rs1)",
        Operand::Address => "(rs1)",
        Operand::Target => "target",
        Operand::Csr => "csr",
        Operand::Zimm => "zimm",
        Operand::FenceSets => "pred, succ",
        Operand::Rounding | Operand::RoundingExact => "rm",
        Operand::TowardsZero => "rtz",
        Operand::Constant => "constant",
        Operand::BlockOffset => "offset(rs1)",
    }
}

/// The fixed bits, from bit 31 down, in the manual's groups.
fn encoding(op: Op) -> String {
    let mut text = String::new();
    for bit in (0..32).rev() {
        let fixed = op.mask() >> bit & 1 != 0;
        text.push(match op.match_bits() >> bit & 1 {
            _ if !fixed => '.',
            0 => '0',
            _ => '1',
        });
        if matches!(bit, 25 | 20 | 15 | 12 | 7) {
            text.push(' ');
        }
    }
    text
}

#[test]
fn the_page_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/isa.md");
    let page = page();
    if std::env::var_os("FOLIO_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/isa.md is out of date: FOLIO_BLESS=1 cargo test -p isa --test isa_page");
}

/// Each row is in exactly one chapter.
#[test]
fn every_instruction_is_on_the_page() {
    let listed = page().lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(listed, Op::ALL.len());
}
