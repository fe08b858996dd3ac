//! The decoder and disassembler against an independent one (the crate disc-v, whose spelling is objdump's):
//! every compressed encoding, and millions of four-byte ones, random in the fields of each row of the table and
//! random altogether. Legality and the whole text must agree, but for the differences listed in
//! [`known_difference`].

#![allow(clippy::unwrap_used)] // in functions that only tests call

use disc_v::{Decoder, Extension};
use isa::{IsaSet, Op, assemble, decode, disasm};

const PC: u64 = 0x8000_0000;

fn referee() -> Decoder {
    // Sm and Ss instructions (mret, sret, wfi, sfence.vma) belong to the base there.
    let ours = [
        Extension::Zba,
        Extension::Zbb,
        Extension::Zbc,
        Extension::Zbs,
        Extension::Zbkb,
        Extension::Zbkc,
        Extension::Zbkx,
        Extension::Zicond,
        Extension::Zcb,
        Extension::Zawrs,
        Extension::Zicbom,
        Extension::Zicbop,
        Extension::Zicboz,
        Extension::Zfh,
        Extension::Zfa,
        Extension::Svinval,
        Extension::Zihintpause,
    ];
    ours.into_iter().fold(Decoder::RV64GC, |decoder, extension| decoder.with(extension).unwrap())
}

/// What both say of one encoding: `None` is illegal.
fn opinions(referee: &Decoder, bits: u32) -> (Option<String>, Option<String>) {
    let ours = decode(bits).map(|insn| disasm(&insn, PC).to_string());
    let theirs = referee.decode(PC, u64::from(bits));
    (ours, (!theirs.is_illegal()).then(|| theirs.to_string()))
}

/// Our text in the referee's spelling, where both mean the same: a reserved rounding mode and an empty fence set
/// (objdump says `unknown`; ours can be assembled again).
fn respell(ours: &str) -> String {
    match ours.strip_prefix("fence ") {
        Some(sets) => {
            let sets = sets.split(',').map(|set| if set == "0" { "unknown" } else { set });
            format!("fence {}", sets.collect::<Vec<_>>().join(","))
        }
        None => ours.replace(",rm5", ",unknown").replace(",rm6", ",unknown"),
    }
}

/// Whether a disagreement is one of the known ones, all of spelling.
fn known_difference(bits: u32, ours: Option<&str>, theirs: Option<&str>) -> bool {
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
    // Compressed hints: the referee shows them by their own names, we as what they execute as.
    let hint = bits & 3 != 3 && theirs.starts_with("c.");
    // Fences with bits in the reserved fields, which are ignored: we use the short name all the same.
    let reserved_fence = bits & 0x707f == 0x0f && bits & 0xf_8f80 != 0 && theirs.starts_with("fence ");
    respell(ours) == theirs || hint || reserved_fence || csr_without_a_name(bits, ours, theirs)
}

/// The referee names more CSRs than this machine has; ours are numbers then. (Reading RV32's upper half of
/// `instret` has a mnemonic of its own there.)
fn csr_without_a_name(bits: u32, ours: &str, theirs: &str) -> bool {
    let is_csr = bits & 0x7f == 0x73 && bits >> 12 & 3 != 0;
    let number = format!("{:#x}", bits >> 20);
    let (mut ours, mut theirs) = (ours.split([',', ' ']), theirs.split([',', ' ']));
    let upper_half = theirs.clone().next() == Some("rdinstreth");
    is_csr && (upper_half || ours.by_ref().zip(theirs.by_ref()).all(|(o, t)| o == t || o == number))
}

/// Compares, and returns whether the encoding is legal.
fn check(referee: &Decoder, bits: u32, failures: &mut Vec<String>) -> bool {
    let (ours, theirs) = opinions(referee, bits);
    if ours != theirs && !known_difference(bits, ours.as_deref(), theirs.as_deref()) {
        failures.push(format!("{bits:#010x}: ours {ours:?}, referee's {theirs:?}"));
    }
    ours.is_some()
}

fn report(failures: &[String]) {
    let shown = failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} disagreements:\n{shown}", failures.len());
}

/// A small generator with a fixed seed (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

#[test]
fn all_compressed_encodings_agree() {
    let (referee, mut failures, mut legal) = (referee(), Vec::new(), 0);
    for bits in (0..0x1_0000).filter(|bits| bits & 3 != 3) {
        legal += u32::from(check(&referee, bits, &mut failures));
    }
    report(&failures);
    assert!(legal > 40_000, "{legal} legal encodings are too few to mean anything");
}

#[test]
fn random_fields_of_every_row_agree() {
    let (referee, mut random, mut failures) = (referee(), Random(0x1234_5678_9abc_def1), Vec::new());
    for op in Op::ALL {
        for _ in 0..10_000 {
            let bits = op.match_bits() | random.bits() & !op.mask();
            assert!(check(&referee, bits, &mut failures), "{} is illegal as {bits:#010x}", op.name());
        }
    }
    report(&failures);
}

/// Words near the rows (a few fixed bits flipped) and words of no origin: mostly illegal ones.
#[test]
fn random_words_agree() {
    let (referee, mut random, mut failures) = (referee(), Random(0xfeed_f00d_dead_beef), Vec::new());
    for op in Op::ALL {
        for _ in 0..5_000 {
            let flipped = random.bits() & random.bits() & random.bits() & op.mask();
            let bits = (op.match_bits() | random.bits() & !op.mask()) ^ flipped;
            check(&referee, bits | 3, &mut failures);
        }
    }
    for _ in 0..1_000_000 {
        check(&referee, random.bits() | 3, &mut failures);
    }
    report(&failures);
}

/// Which instructions exist with which extensions: every compressed encoding and random fields of every row, with one
/// extension after the other, alone and with what it may need or meet.
#[test]
fn sets_of_extensions_agree() {
    let names = [
        "m", "a", "f", "d", "c", "zba", "zbb", "zbc", "zbs", "zbkb", "zbkc", "zbkx", "zicond", "zca", "zcb",
        "zawrs", "zicbom", "zicboz", "zfhmin", "zfh", "zfa", "svinval",
    ];
    let bases =
        ["rv64i", "rv64imafdc", "rv64if", "rv64ic_zcb", "rv64id_zfa", "rv64if_zfhmin_zfa", "rv64id_zfh"];
    let (mut random, mut failures) = (Random(0x5e75_0f15_a5e7_5001), Vec::new());
    for (base, name) in bases.iter().flat_map(|base| names.map(|name| (base, name))) {
        // What every hart here has is named for the referee, to which Zmmul is all of M.
        let string = format!("{base}_{name}_zicsr_zifencei");
        let isa = IsaSet::parse(&string).unwrap();
        let referee = Decoder::from_march(&string).unwrap();
        let compressed = (0..0x1_0000).filter(|bits| bits & 3 != 3);
        let rows: Vec<u32> = Op::ALL
            .iter()
            .flat_map(|op| [0; 8].map(|_| op.match_bits() | random.bits() & !op.mask()))
            .collect();
        for bits in compressed.chain(rows) {
            let ours = decode(bits).is_some_and(|insn| isa.allows(&insn));
            let theirs = !referee.decode(PC, u64::from(bits)).is_illegal();
            // `c.zext.h` is Zbb's by the manual (and in Spike), though Zbkb has the instruction that it expands to.
            let zext_h = bits & 0xfc7f == 0x9c69 && name == "zbkb";
            if ours != theirs && !zext_h {
                failures.push(format!("{string}: {bits:#010x} exists: {ours}, the referee says {theirs}"));
            }
        }
    }
    report(&failures);
}

/// The assembler reads what the disassembler writes, with pseudo-instructions and without.
#[test]
fn the_assembler_reads_the_disassembly() {
    let mut random = Random(0x0bad_cafe_0bad_cafe);
    for op in Op::ALL {
        for _ in 0..1_000 {
            let mut bits = op.match_bits() | random.bits() & !op.mask();
            if *op == Op::Fence {
                bits &= 0x0fff_ffff; // there is no spelling for other fence modes
            }
            let insn = decode(bits).unwrap();
            for text in [disasm(&insn, PC).to_string(), disasm(&insn, PC).plain().to_string()] {
                let again = assemble(&text, PC).unwrap_or_else(|| panic!("not assembled: {text}"));
                assert_eq!(isa::Insn { bits, ..again }, insn, "{text}");
            }
        }
    }
}
