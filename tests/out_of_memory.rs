//! When frames and swap space are out: who is killed, what is said, and that all others live on.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use support::{Ran, TempDir, folio, missing, root, run};

/// Of all six policies.
const POLICIES: [&str; 6] = ["fifo", "second-chance", "clock", "enhanced-clock", "aging", "random"];

/// A folder with the program that takes memory and keeps it.
fn greedy(name: &str) -> TempDir {
    let dir = TempDir::new(name);
    c_program::compile(&dir, "greedy", include_str!("sources/greedy.c"));
    dir
}

/// A run with children of so many pages each.
fn children(dir: &TempDir, options: &[&str], pages: &[&str]) -> Ran {
    let mut command = folio(["run"]);
    command.args(options).arg(dir.file("greedy")).args(pages);
    run(command)
}

/// What the parent tells of them if only the last is killed.
fn but_the_last(pages: &[&str]) -> String {
    let (last, others) = pages.split_last().unwrap();
    let others: String = others.iter().map(|pages| format!("{pages} pages: status 0\n")).collect();
    format!("{others}{last} pages: signal 9\n")
}

#[test]
fn the_largest_process_is_killed_whoever_needs_the_page() {
    let dir = greedy("largest");
    let (full, pages) = (["--frames", "200", "--swap", "400K"], ["20", "20", "20", "400"]);
    for policy in POLICIES {
        let ran = children(&dir, &[&full[..], &["--policy", policy]].concat(), &pages);
        assert_eq!((ran.status, ran.stdout), (0, but_the_last(&pages)), "{policy}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("is killed").count(), 1, "{policy}: {}", ran.stderr);
        assert!(ran.stderr.contains("--swap more of those"), "{policy}: {}", ran.stderr);
    }
}

/// What needs several frames at once gets them, however many want the next one.
#[test]
fn nobody_is_killed_while_swap_space_has_room() {
    let dir = TempDir::new("crowd");
    c_program::compile(&dir, "crowd", include_str!("sources/crowd.c"));
    for policy in POLICIES {
        for (options, words) in [
            (["--frames", "600"], ["3", "700", "3", "0"]),
            (["--frames", "200"], ["8", "100", "2", "50"]),
            // The parent's pages fill memory before it forks.
            (["--frames", "1000"], ["2", "600", "2", "1500"]),
            // Each `fork` needs many frames at once, and waits for places in the disk's queue.
            (["--frames", "250"], ["20", "20", "2", "0"]),
        ] {
            let fork = if words[0] == "20" { "copy" } else { "cow" };
            let mut command = folio(["run", "--policy", policy, "--fork", fork]);
            command.args(options).arg(dir.file("crowd")).args(words);
            let (said, ran) = (format!("{0} of {0} are right\n", words[0]), run(command));
            assert_eq!(ran, Ran { status: 0, stdout: said, stderr: String::new() }, "{policy} {words:?}");
        }
    }
}

/// Three processes whose page tables leave two to six frames: each instruction gets what it needs, though all want the same few frames.
#[test]
fn an_instruction_gets_its_pages_among_others() {
    let image = root().join("target/test-inputs/debian.ext4");
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        return missing::not_run("FOLIO_SKIP_DEBIAN is set");
    }
    let script = "(exit 3) & a=$!; (exit 4) & wait $a; echo $?; wait $!; echo $?";
    for (policy, frames) in
        POLICIES.into_iter().flat_map(|policy| ["20", "22", "24"].map(|few| (policy, few)))
    {
        let mut command = folio(["run", "--policy", policy, "--frames", frames, "--root"]);
        command.arg(&image).args(["--env", "PATH=/bin:/sbin", "--", "/bin/sh", "-c", script]);
        let expected = Ran { status: 0, stdout: "3\n4\n".into(), stderr: String::new() };
        assert_eq!(run(command), expected, "{policy}, {frames} frames");
    }
}

/// Slots that hold shared memory are no process's own, and are told of.
#[test]
fn slots_of_shared_memory_are_told() {
    let dir = TempDir::new("sharer");
    c_program::compile(&dir, "sharer", include_str!("sources/sharer.c"));
    let mut command = folio(["run", "--frames", "160", "--swap", "600K"]);
    command.arg(dir.file("sharer")).args(["120", "400"]);
    let ran = run(command);
    let expected = "the child: killed; the shared pages are as they were\n";
    assert_eq!((ran.status, ran.stdout.as_str()), (0, expected), "{}", ran.stderr);
    let slots = ran.stderr.split(" slots of swap space ").nth(1).expect("the line tells of swap space");
    let (of_files, rest) = slots.split_once(" of them by shared memory and files in memory").expect(slots);
    let count = of_files.rsplit(' ').next().and_then(|count| count.parse::<u32>().ok()).expect(of_files);
    assert!((40..=120).contains(&count) && rest.contains("; others: 1 (sharer) "), "{slots}");
}

#[test]
fn a_full_machine_is_no_process_s_budget() {
    let dir = greedy("budget");
    let pages = ["20", "20", "20", "1000"];
    for budget in ["3", "20", "150"] {
        let ran = children(&dir, &["--frames", "400", "--swap", "800K", "--process-frames", budget], &pages);
        assert_eq!((ran.status, ran.stdout), (0, but_the_last(&pages)), "{budget}: {}", ran.stderr);
        assert!(!ran.stderr.contains("--process-frames"), "{budget}: {}", ran.stderr);
        // What it has in memory beyond its budget has no way out.
        let told = format!("(greedy) has more than the {budget} pages that it may have at once");
        assert_eq!(ran.stderr.matches(&told).count(), 1, "{budget}: {}", ran.stderr);
    }
    let without_need = children(&dir, &["--frames", "400", "--process-frames", "20"], &["100", "200"]);
    assert_eq!(without_need.stderr, "");
    let alone = children(&dir, &["--process-frames", "1"], &[]);
    assert!(alone.stderr.contains("more than the 1 page that it may have at once"), "{}", alone.stderr);
}

/// Whoever has far more than its budget, since that was lowered, lets the rest go, and nobody ends for it.
#[test]
fn a_budget_met_from_above_kills_nobody() {
    let dir = TempDir::new("lowers");
    c_program::compile(&dir, "lowers", include_str!("sources/lowers.c"));
    for policy in POLICIES {
        for frames in ["0", "2300"] {
            let mut command = folio(["run", "--frames", frames, "--policy", policy]);
            command.arg(dir.file("lowers"));
            let ran = run(command);
            let expected =
                "lowered: 0\nunlocked: 0\nof the idle one, 0 pages that are there cannot be read\n";
            assert_eq!(
                ran,
                Ran { status: 0, stdout: expected.into(), stderr: String::new() },
                "{policy}, {frames}"
            );
        }
    }
}

/// Threads that throw out one another's pages in a small budget come to their ends, in more pages if need be.
#[test]
fn threads_come_further_in_a_small_budget() {
    let dir = TempDir::new("lent");
    c_program::compile(&dir, "lent", include_str!("sources/lent.c"));
    for policy in POLICIES {
        for (pages, threads) in [("3", "8"), ("4", "16"), ("5", "31")] {
            let mut command = folio(["run", "--policy", policy, "--process-frames", pages]);
            command.arg(dir.file("lent")).args([threads, "5"]);
            let ran = run(command);
            let sum = format!("{}\n", threads.parse::<u64>().unwrap() * 5);
            assert_eq!((ran.status, &ran.stdout), (0, &sum), "{policy} {pages} {threads}: {ran:?}");
        }
    }
}

/// A fault between LR and SC begins their loop anew. This one lies on two pages, and its word on a third.
#[test]
fn a_loop_with_lr_and_sc_comes_to_its_end_in_two_pages() {
    const NOP: u32 = 0x13;
    // The page's last instruction is the LR.
    let mut code = vec![NOP; (4096 - 4 - 120) / 4];
    code.extend([0x1001_352f, 0x0015_0513, 0x18a1_35af, 0xfe05_9ae3]); // lr.d a0, (sp); addi a0, a0, 1; sc.d a1, a0, (sp); bnez a1, -12
    code.extend([0x05d0_0893, 0x0000_0513, 0x0000_0073]); // exit(0)
    let dir = TempDir::new("reserved");
    std::fs::write(dir.file("loop"), support::tiny_elf(&code)).unwrap();
    for policy in POLICIES {
        let mut command = folio(["run", "--fuel", "100000000", "--policy", policy, "--process-frames", "2"]);
        command.arg(dir.file("loop"));
        let ran = run(command);
        assert_eq!(ran.status, 0, "{policy}: {ran:?}");
        assert!(ran.stderr.contains("is lent a page more than the 2 that it may have"), "{policy}: {ran:?}");
    }
}
