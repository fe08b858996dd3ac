//! Every CSR number in every mode: what it reads after reset, what it reads after patterns have been written (WARL), and
//! which accesses are illegal. One program makes all accesses and leaves what it finds in memory; what it must find
//! is in `tests/goldens/csrs.txt`, which are Spike's answers (one of them is corrected here):
//!
//!     FOLIO_BLESS=1 cargo test -p folio-emu --test csr_sweep spike
//!
//! writes them anew; without `FOLIO_BLESS` they are compared with Spike's, where that is installed.

// All of it is test code: what cannot be is a failed test.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/child.rs"]
mod child;
#[path = "../support/missing.rs"]
mod missing;
mod program;
#[path = "../support/spike.rs"]
mod spike_support;
mod table;

use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig, StopReason};
use isa::{IsaSet, Step};
use program::Sweep;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Sets of extensions, as Spike wants to be told, entries of PMP, and the names of their tables: all that have CSRs or
/// bits in them, and few.
const SETS: [(&str, usize, &str); 3] = [
    ("rv64gcb_zicbom_zicboz_zicclsm_zicntr_zihpm_svadu_svinval_svnapot_svpbmt_sstc", 16, "csrs.txt"),
    ("rv64gc_zicclsm_zicntr", 16, "csrs-rv64gc.txt"),
    ("rv64ima_zicclsm", 0, "csrs-rv64ima.txt"),
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(name)
}

fn stored(name: &str) -> String {
    fs::read_to_string(golden(name)).unwrap()
}

fn compare_with(found: &str, name: &str, expected: &str) {
    let key = |line: &str| line.split(':').next().unwrap().to_string();
    let mut differences = Vec::new();
    for line in expected.lines().filter(|line| !found.lines().any(|other| other == *line)) {
        let other = found.lines().find(|other| key(other) == key(line)).unwrap_or("no such register");
        differences.push(format!("expected {line}\n   found {other}"));
    }
    for line in found.lines().filter(|line| !expected.lines().any(|other| key(other) == key(line))) {
        differences.push(format!("must not exist: {line}"));
    }
    assert!(differences.is_empty(), "{name}: {} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn every_csr_in_every_mode() {
    SETS.into_iter().for_each(|(isa, pmp_entries, name)| sweep(isa, pmp_entries, name));
}

fn sweep(isa: &str, pmp_entries: usize, name: &str) {
    let sweep = Sweep::new();
    let config = MachineConfig {
        isa: IsaSet::parse(isa).unwrap(),
        pmp_entries,
        ram_bytes: program::RAM_BYTES,
        ..Default::default()
    };
    let mut machine = Machine::new(config).unwrap();
    machine.boot(&Boot::bare(&sweep.elf())).unwrap();
    let end = machine.run(Step(20_000_000));
    assert!(end == StopReason::ToHost(1), "{end:?} at {:#x}", machine.hart().pc);
    let (_, bytes) = machine.signature().unwrap();
    let words: Vec<u64> = bytes.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
    compare_with(&table::of(&sweep, &words), name, &as_specified(&stored(name)));
}

/// Spike's answers but for what the specification says otherwise: `tinfo` without triggers is 1 (docs/deviations.md).
fn as_specified(answers: &str) -> String {
    let line = |line: &str| match line.split_once(" tinfo: ") {
        Some((mode, values)) => {
            format!("{mode} tinfo: {}\n", values.replace("0x0;", "0x1;").replace("-> 0", "-> 1"))
        }
        None => format!("{line}\n"),
    };
    answers.lines().map(line).collect()
}

#[test]
fn spike_answers_as_stored() {
    let Some(spike) = spike_support::find() else {
        missing::not_run(spike_support::NOT_THERE);
        return;
    };
    SETS.into_iter().for_each(|(isa, pmp_entries, name)| ask_spike(&spike, isa, pmp_entries, name));
}

fn ask_spike(spike: &Path, isa: &str, pmp_entries: usize, name: &str) {
    let sweep = Sweep::new();
    let dir = std::env::temp_dir().join(format!("folio-csrs-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let (elf, signature) = (dir.join("sweep.elf"), dir.join("signature"));
    fs::write(&elf, sweep.elf()).unwrap();
    let mut command = child::command(spike);
    command
        .arg("--triggers=0")
        .arg(format!("--isa={isa}"))
        .arg(format!("--pmpregions={pmp_entries}"))
        .arg(format!("-m0x80000000:{:#x}", program::RAM_BYTES))
        .arg(format!("+signature={}", signature.display()))
        .arg("+signature-granularity=8")
        .arg(&elf)
        .stdin(Stdio::null());
    let ran = child::output(command);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = fs::read_to_string(&signature).unwrap();
    let words: Vec<u64> = text.lines().map(|line| u64::from_str_radix(line, 16).unwrap()).collect();
    let found = table::of(&sweep, &words);
    fs::remove_dir_all(&dir).unwrap();
    if std::env::var_os("FOLIO_BLESS").is_some() {
        fs::write(golden(name), found).unwrap();
    } else {
        compare_with(&found, name, &stored(name));
    }
}
