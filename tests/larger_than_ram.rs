//! The lessons on replacement and swap: what they write to standard output is what a model here comes to, or what the same program writes
//! on this machine's Linux; with memory enough they say that nothing was read from a disk.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // in functions that only tests call; small numbers

#[path = "support/guest.rs"]
mod guest;
#[allow(dead_code)]
#[path = "../guest-os/mm/tests/policies/memory.rs"]
mod memory;
#[allow(dead_code)]
#[path = "../guest-os/mm/tests/policies/models.rs"]
mod models;
mod support;

use memory::{Memory, Page};
use mm::policy::PolicyKind;
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

/// What a lesson writes to standard output is what it found: so that a run which fails has said part of that, and nothing else.
#[test]
fn a_lesson_that_gets_no_memory_says_so_on_standard_error() {
    for command in [
        &["cowfork", "99999999999"][..],
        &["larger", "99999G"],
        &["lazymalloc", "1", "999999999"],
        &["locality", "99999999", "9999999"],
        &["scan", "5", "99999999999"],
        &["shared", "99999999999"],
    ] {
        let ran = run_folio(["run"].iter().chain(command));
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{command:?}: {ran:?}");
        assert!(ran.stderr.contains("ENOMEM"), "{command:?}: {ran:?}");
    }
}

/// The numbers that the lessons take, and their checksum, once more.
struct Model(u64);

impl Model {
    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 20) % bound
    }
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

/// The table that `belady` writes of these references with so many pages, as a model of the policy has it; and how many faults there are.
fn beladys_table(kind: PolicyKind, seed: u64, references: &[String], limit: u32) -> (String, usize) {
    let (mut memory, mut model) = (Memory::new(limit), models::make(kind, seed));
    let numbers: Vec<u64> =
        references.iter().map(|word| word.trim_end_matches('w').parse().unwrap()).collect();
    let last = numbers.iter().copied().max().unwrap();
    let mut rows: Vec<String> = (1..=last).map(|page| format!("  page {page}    ")).collect();
    let mut faults = 0;
    for (word, &number) in references.iter().zip(&numbers) {
        let is_fault = memory.place_of(number).is_none();
        if is_fault {
            faults += 1;
            let place = memory.free_place().unwrap_or_else(|| {
                let place = model.victim(&mut memory).expect("some page can go");
                model.leave(place);
                memory.take(place);
                place
            });
            memory.put(place, Page::new(number));
            model.enter(place);
        }
        let place = memory.place_of(number).unwrap();
        memory.page_mut(place).accessed = true;
        memory.page_mut(place).dirty |= word.ends_with('w');
        for (row, page) in rows.iter_mut().zip(1..) {
            row.push_str(match memory.place_of(page) {
                Some(_) if is_fault && page == number => " F",
                Some(_) => " +",
                None => " .",
            });
            row.push_str(if word.ends_with('w') { " " } else { "" });
        }
    }
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    (format!("with {limit} pages {}\n{rows}  {faults} page faults\n", references.join(" ")), faults)
}

/// What `belady` says of these references.
fn belady_says(options: &[&str], references: &[String]) -> String {
    let said = on_folio(
        &[options, &["belady"], &references.iter().map(String::as_str).collect::<Vec<_>>()].concat(),
    );
    assert!(said.stdout.ends_with("have found what was stored\n"), "{said:?}");
    said.stderr
}

#[test]
fn more_pages_can_mean_more_faults() {
    let string = "1 2 3 4 1 2 5 1 2 3 4 5".split(' ').map(str::to_string).collect::<Vec<_>>();
    for (kind, faults) in PolicyKind::all().zip([[9, 10], [9, 10], [9, 10], [9, 10], [10, 10], [7, 6]]) {
        let tables = [3, 4].map(|limit| beladys_table(kind, 0, &string, limit));
        assert_eq!(tables.each_ref().map(|(_, faults)| *faults), faults, "{kind}");
        let expected = tables.map(|(table, _)| table).concat();
        for isa in ["rva22s64", "rva22s64_svadu"] {
            assert_eq!(belady_says(&["--policy", kind.name(), "--isa", isa], &[]), expected, "{kind}, {isa}");
        }
    }
}

#[test]
fn an_address_spaces_own_pages_go_as_the_models_say() {
    for seed in 1..=24 {
        let mut random = Model(seed);
        let (pages, stores) = (5 + random.below(5), random.below(3));
        let mut reference = || {
            let page = 1 + random.below(pages).min(random.below(pages));
            format!("{page}{}", if random.below(4) < stores { "w" } else { "" })
        };
        let string: Vec<String> = (0..64).map(|_| reference()).collect();
        let kind = PolicyKind::all().nth(seed as usize % 6).unwrap();
        let expected = [3, 4].map(|limit| beladys_table(kind, seed, &string, limit).0).concat();
        let options = ["--policy", kind.name(), "--seed", &seed.to_string()];
        assert_eq!(belady_says(&options, &string), expected, "{kind}, {}", string.join(" "));
    }
}

/// Reads and writes at random in `size` of memory, under a policy: by one process, by four and by twenty, with and without enough RAM.
fn random_accesses_are_exact(size: &str, policy: &str, memory: &[&str]) {
    for processes in ["1", "4", "20"] {
        let command = ["larger", "random", size, "1", processes];
        let plenty = on_folio(&[&["--memory", "512M"][..], &command].concat());
        let few = on_folio(&[memory, &["--policy", policy], &command].concat());
        assert_eq!(few.stdout, plenty.stdout, "{policy}, {processes} processes");
        println!("{policy}, {processes} processes: {}", few.stderr.trim_end());
    }
}

const POLICIES: [&str; 6] = ["fifo", "second-chance", "clock", "enhanced-clock", "aging", "random"];

#[test]
fn five_times_the_memory_is_exact_under_every_policy() {
    for policy in POLICIES {
        random_accesses_are_exact("3M", policy, &["--frames", "160"]);
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn a_hundred_and_sixty_mebibytes_in_sixteen() {
    let policy: usize = std::env::var("FOLIO_POLICY").map_or(0, |policy| policy.parse().unwrap());
    random_accesses_are_exact(
        "160M",
        POLICIES[policy % POLICIES.len()],
        &["--memory", "16M", "--swap", "512M"],
    );
}

#[test]
#[ignore = "a piece of make campaign"]
fn five_hundred_processes_are_there_at_once() {
    let ran = on_folio(&["--memory", "64M", "vmtests", "five_hundred_at_once"]);
    assert!(ran.stdout.contains("five_hundred_at_once ok"), "{ran:?}");
}

#[test]
#[ignore = "a piece of make campaign"]
fn a_hundred_thousand_processes_come_and_go() {
    let ran = on_folio(&["--frames", "64", "vmtests", "a_hundred_thousand_forks"]);
    assert!(ran.stdout.contains("a_hundred_thousand_forks ok"), "{ran:?}");
}

#[test]
fn the_youngest_of_equals_is_killed() {
    let ran = on_folio(&["--frames", "400", "--swap", "0", "vmtests", "equals_die_before_their_parent"]);
    assert!(ran.stdout.contains("equals_die_before_their_parent ok"), "{ran:?}");
}

/// The first process is the largest; when it ends so do all others, and one of them waits for its frames.
#[test]
fn the_first_process_can_be_killed_for_its_memory() {
    for swap in [&["--swap", "0"][..], &["--disk-fault", "swap:read:1"]] {
        let ran =
            run_folio([&["run", "--frames", "60"], swap, &["larger", "random", "256K", "1", "4"]].concat());
        assert!(ran.stderr.contains("process 1 (larger) is killed since it is the largest"), "{ran:?}");
        assert_eq!(ran.status, 128 + 9, "{ran:?}");
    }
}
