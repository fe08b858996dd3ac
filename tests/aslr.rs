//! Programs placed at random (`--aslr SEED`): every part somewhere else for another seed and another run of the program, the same for the same seed, and
//! without it, or for who asks for that (`personality`), where Linux puts them without randomisation.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use std::collections::BTreeSet;
use support::{TempDir, child, folio, run};

/// The program, position-independent or not.
fn places(name: &str, is_pie: bool) -> TempDir {
    let dir = TempDir::new(name);
    c_program::compile(&dir, "places", include_str!("sources/places.c"));
    if is_pie {
        let mut gcc = child::command("riscv64-linux-gnu-gcc");
        gcc.args(["-pie", "-fPIE", "-o", "places", "places.c"]).current_dir(dir.path());
        assert!(child::output(gcc).status.success());
    }
    dir
}

/// Where the program's parts lie: program, heap, mapping, stack.
fn parts(dir: &TempDir, options: &[&str], words: &[&str]) -> [u64; 4] {
    let mut command = folio(["run"]);
    command.args(["--sysroot", "/usr/riscv64-linux-gnu"]).args(options).arg(dir.file("places")).args(words);
    let ran = run(command);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{options:?} {words:?}");
    let numbers = ran.stdout.split_whitespace().map(|word| word.trim_start_matches("0x"));
    let numbers: Vec<u64> = numbers.map(|digits| u64::from_str_radix(digits, 16).unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn every_part_lies_elsewhere_for_another_seed() {
    let dir = places("aslr", true);
    let fixed = parts(&dir, &[], &[]);
    let seeds: Vec<[u64; 4]> = (1..=8).map(|seed| parts(&dir, &["--aslr", &seed.to_string()], &[])).collect();
    for part in 0..4 {
        let places: BTreeSet<u64> = seeds.iter().map(|parts| parts[part]).collect();
        assert_eq!(places.len(), seeds.len(), "part {part}: {places:x?}");
        assert!(!places.contains(&fixed[part]), "part {part}");
        // Within a page nothing moves: pages do. (The stack's bytes depend on the length of the environment only.)
        assert!(places.iter().all(|place| place % 4096 == fixed[part] % 4096), "part {part}: {places:x?}");
    }
    assert_eq!(parts(&dir, &["--aslr", "3"], &[]), seeds[2]);
    let again = parts(&dir, &["--aslr", "3"], &["again"]);
    // (Its path, which lies on the stack, is another one then.)
    assert_eq!((&again[..3], again[3] / 4096), (&fixed[..3], fixed[3] / 4096), "ADDR_NO_RANDOMIZE");
}

#[test]
fn a_program_that_says_where_it_goes_is_there() {
    let dir = places("aslr-fixed", false);
    let (fixed, random) = (parts(&dir, &[], &[]), parts(&dir, &["--aslr", "1"], &[]));
    assert_eq!(random[0], fixed[0]);
    for part in 1..4 {
        assert_ne!(random[part], fixed[part], "part {part}");
    }
}

#[test]
fn the_setting_decides_what_is_random() {
    let dir = places("aslr-setting", true);
    let fixed = parts(&dir, &[], &[]);
    let moved = |level: &str| {
        let parts = parts(&dir, &[], &["settings", level]);
        [0, 2, 3].map(|part| parts[part] != fixed[part])
    };
    assert_eq!(moved("0"), [false; 3]);
    assert_eq!(moved("1"), [true; 3]);
    let heap_gap = |level: &str| {
        let parts = parts(&dir, &[], &["settings", level]);
        parts[1] - parts[0]
    };
    assert_eq!(heap_gap("1"), fixed[1] - fixed[0], "the heap is right behind the program");
    assert!(heap_gap("2") > heap_gap("1"));
}
