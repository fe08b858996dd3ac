//! All 49,152 compressed encodings (but the nine that jump to themselves), executed: what each does to registers and memory, which are illegal, and with
//! which `tval`. Spike's answers are stored in `tests/goldens/compressed.txt`, a line for each upper byte: which words
//! are illegal, and a hash of the logs of all of them.
//!
//! One program writes each word in turn into a field of `c.ebreak`, sets every register to an address in a field of its
//! own, and jumps to it. Wherever a word goes, it meets a `c.ebreak`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use emulator::machine::StopReason;
use emulator::trace::CommitLog;
use isa::{IsaSet, Step};
use xxhash_rust::xxh3::xxh3_64;

use crate::compare::pc_of;
use crate::layout::{RUNTIME, TOHOST, VARIABLES};
use crate::run::{SpikeRun, machine};
use crate::spike_support::{Program, elf};

/// Where the words are put.
const TARGET: u64 = RUNTIME + 0xa000;
/// Registers as each word finds them.
const BLOCK: u64 = VARIABLES + 0x100;
/// The field of register `n` is this plus `n` times 64 KiB. Such a value, stored anywhere, begins with a `c.ebreak`.
const FIELD: u64 = RUNTIME + 0x1_9002;
const IMAGE_BYTES: usize = 0x23_0000;
const C_EBREAK: [u8; 2] = [0x02, 0x90];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/compressed.txt")
}

fn program() -> Vec<u8> {
    let mut p = Program::new(RUNTIME);
    p.lines(&["lui t0, 6", "csrw mstatus, t0"]);
    p.address(31, BLOCK);
    for n in 0..32 {
        p.line(&format!("fld f{n}, {}(t6)", n * 8));
    }
    // The handler, and the loop: the trap of one word is the way to the next.
    let handler = p.here() + 12;
    p.address(5, handler);
    p.line("csrw mtvec, t0");
    p.address(31, VARIABLES);
    for csr in ["mcause", "mtval", "mepc"] {
        p.line(&format!("csrr t5, {csr}"));
    }
    // The next word that does not end in two ones; after the last, the end.
    let next = p.here();
    p.lines(&["ld t5, 0(t6)", "andi t4, t5, 3", "addi t4, t4, -2", "seqz t4, t4", "addi t4, t4, 1"]);
    p.lines(&["add t5, t5, t4", "sd t5, 0(t6)", "srli t4, t5, 16", "beqz t4, .+24"]);
    p.address(30, TOHOST);
    p.lines(&["li t4, 1", "sd t4, 0(t5)", "j ."]);
    // Not the jumps to themselves: `c.j .`, and `c.bnez rs1, .` for each of its registers.
    p.lines(&["lui t4, 0xa", "addi t4, t4, 1", &format!("beq t5, t4, {next:#x}")]);
    p.lines(&["li t4, -897", "and t4, t5, t4", "lui t3, 0xe", "addi t3, t3, 1"]);
    p.line(&format!("beq t4, t3, {next:#x}"));
    p.address(29, TARGET);
    p.lines(&["sh t5, 0(t4)", "fence.i", "csrw mepc, t4"]);
    p.lines(&["lui t4, 2", "addi t4, t4, -2048", "csrs mstatus, t4"]);
    p.address(31, BLOCK);
    for n in 1..32 {
        p.line(&format!("ld x{n}, {}(t6)", n * 8));
    }
    p.line("mret");
    let code = p.into_bytes();
    let mut image = C_EBREAK.repeat(IMAGE_BYTES / 2);
    image[..code.len()].copy_from_slice(&code);
    let mut put = |at: u64, value: u64| {
        image[(at - RUNTIME) as usize..][..8].copy_from_slice(&value.to_le_bytes());
    };
    // The word before the first.
    put(VARIABLES, u64::MAX);
    put(TOHOST, 0);
    (0..32).for_each(|n| put(BLOCK + n * 8, FIELD + n * 0x1_0000));
    elf(&image, RUNTIME, RUNTIME, &[("tohost", TOHOST), ("fromhost", TOHOST + 8)])
}

/// A line for each upper byte.
fn summary(log: &str) -> String {
    let put = format!("mem {TARGET:#018x} 0x");
    let mut groups: Vec<(Vec<u16>, String)> = vec![Default::default(); 256];
    let (mut word, mut traps) = (None, 0);
    for line in log.lines() {
        let pc = pc_of(line).unwrap();
        if let Some(at) = line.find(&put).filter(|_| pc < VARIABLES) {
            word = Some(u16::from_str_radix(&line[at + put.len()..][..4], 16).unwrap());
            traps = 0;
            continue;
        }
        let Some(word) = word else { continue };
        let (illegal, text) = &mut groups[usize::from(word >> 8)];
        let reads = line.contains("02f73) x30");
        if pc < VARIABLES && !reads {
            continue;
        }
        if line.contains("(0x34202f73)") {
            traps += 1;
            if line.ends_with("0x0000000000000002") && traps == 1 {
                illegal.push(word);
            }
        }
        text.push_str(line);
        text.push('\n');
    }
    let mut lines = String::new();
    for (upper, (illegal, text)) in groups.iter().enumerate() {
        write!(lines, "{upper:02x} {:016x}", xxh3_64(text.as_bytes())).unwrap();
        for range in illegal.chunk_by(|a, b| b - a <= 2 && (a + 1..*b).all(|between| between & 3 == 3)) {
            match range {
                [one] => write!(lines, " {one:04x}").unwrap(),
                _ => write!(lines, " {:04x}-{:04x}", range[0], range[range.len() - 1]).unwrap(),
            }
        }
        lines.push('\n');
    }
    lines
}

#[test]
fn every_compressed_encoding() {
    if let Some(spike) = crate::blessing() {
        bless_compressed(&spike);
    }
    let mut log = CommitLog::without_traps(String::new());
    let end = machine(&program(), &IsaSet::default()).run_observed(Step(10_000_000), &mut log);
    assert_eq!(end, StopReason::ToHost(1));
    let found = summary(&log.into_writer());
    let expected = std::fs::read_to_string(golden()).unwrap();
    assert!(expected.lines().count() == 256 && expected.contains("0000"), "all zeros are illegal");
    let differ = expected.lines().zip(found.lines()).filter(|(expected, found)| expected != found);
    let differ: Vec<String> = differ.map(|(e, f)| format!("expected {e}\n   found {f}")).collect();
    assert!(differ.is_empty(), "{} upper bytes differ from Spike:\n{}", differ.len(), differ.join("\n"));
}

/// Writes Spike's answers.
fn bless_compressed(spike: &Path) {
    let dir = std::env::temp_dir();
    let run = SpikeRun::start(spike, &dir, &program(), &IsaSet::default());
    let log = run.log(usize::MAX / 2).unwrap();
    // It ends in a loop, of which Spike logs a few turns.
    std::fs::write(golden(), summary(&log)).unwrap();
}
