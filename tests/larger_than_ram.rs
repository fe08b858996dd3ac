//! The lessons on replacement and swap: what they write to standard output is what a model here comes to, or what the same program writes
//! on this machine's Linux; with memory enough they say that nothing was read from a disk.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;
mod support;

use std::os::unix::fs::PermissionsExt;
use support::{Ran, TempDir, child, run, run_folio};

fn on_folio(command: &[&str]) -> Ran {
    let ran = run_folio(["run"].iter().chain(command));
    assert_eq!(ran.status, 0, "{command:?}: {ran:?}");
    ran
}

/// The built-in program `command[0]` by `qemu-riscv64`.
fn on_linux(dir: &TempDir, command: &[&str]) -> Ran {
    let program = dir.file(command[0]);
    if !program.exists() {
        std::fs::write(&program, guest::elf(command[0])).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut qemu = child::command("qemu-riscv64");
    qemu.arg(program).args(&command[1..]);
    let ran = run(qemu);
    assert_eq!(ran.status, 0, "{command:?}: {ran:?}");
    ran
}

#[test]
fn lessons_say_the_same_as_on_linux() {
    let dir = TempDir::new("larger-than-ram");
    for command in [
        &["larger"][..],
        &["larger", "1"],
        &["larger", "100K"],
        &["larger", "random"],
        &["larger", "random", "1M", "9"],
        &["larger", "random", "4M", "3", "4"],
        &["larger", "random", "4M", "2", "20"],
        &["thrash"],
        &["thrash", "30", "7", "3"],
        &["locality"],
        &["locality", "99", "7"],
        &["shared"],
        &["shared", "3", "1"],
        &["scan"],
        &["scan", "5", "100"],
    ] {
        assert_eq!(on_folio(command).stdout, on_linux(&dir, command).stdout, "{command:?}");
    }
}

/// The numbers that the lessons take, and their checksum, once more.
struct Model(u64);

impl Model {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
    }
    fn checksum(numbers: &[u64]) -> u64 {
        numbers
            .iter()
            .fold(0, |sum: u64, &number| (sum.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[test]
fn the_sorted_array_is_the_one_that_was_filled() {
    let mut model = Model(1);
    let mut numbers: Vec<u64> = (0..8 << 20 >> 3).map(|_| model.next()).collect();
    numbers.sort_unstable();
    let expected = format!(
        "2048 pages of numbers, in order; their sum is as before; checksum {:016x}\n",
        Model::checksum(&numbers)
    );
    assert_eq!(on_folio(&["larger", "2M"]).stdout, expected);
}

#[test]
fn the_matrix_holds_the_sums_of_both_walks() {
    let mut model = Model(1);
    let numbers: Vec<u64> = (0..40 * 5).map(|place| model.next().wrapping_add(2 * place)).collect();
    let expected = format!(
        "40 rows of 5 numbers, which are as they should be; checksum {:016x}\n",
        Model::checksum(&numbers)
    );
    assert_eq!(on_folio(&["locality", "40", "5"]).stdout, expected);
}

#[test]
fn with_memory_enough_nothing_comes_from_disk() {
    for (command, parts) in [
        ("larger", &["filled", "sorted", "looked through"][..]),
        ("locality", &["filled", "by rows", "by columns"]),
        ("shared", &["the parent", "the first child", "the second child"]),
    ] {
        let said = on_folio(&[command]).stderr;
        for part in parts {
            let faults = said.lines().find_map(|line| line.strip_prefix(&format!("{part}: ")));
            assert!(faults.is_some_and(|faults| faults.starts_with("0 major ")), "{part}: {said}");
        }
    }
    let scan = on_folio(&["scan"]).stderr;
    assert!(scan.contains(": 0 of 32 hot pages") && scan.contains(": 0 times"), "{scan}");
    // (The first child reads its text.)
    let thrash = on_folio(&["thrash", "40", "20"]).stderr;
    let rows: Vec<Vec<u64>> = thrash
        .lines()
        .filter_map(|line| line.split_whitespace().map(|word| word.parse().ok()).collect())
        .collect();
    let [_, second] = rows.as_slice() else { panic!("{thrash}") };
    assert_eq!((second[0], second[1], second[3]), (40, 320, 0), "{thrash}");
    // A page is filled with zeros once for each child.
    assert!((40..60).contains(&second[2]), "{thrash}");
}
