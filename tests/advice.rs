//! `madvise`, `fadvise64` and `readahead`: what pages come before they are touched, and what pages go, in exact numbers.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use serde_json::Value;
use support::{TempDir, count, run_with_figures};

const PAGES: u64 = 64;
/// 1 to 64.
const SUM: &str = "2080\n";

/// The program's figures, and what it has printed.
fn figures_of(dir: &TempDir, options: &[&str], how: &str) -> (Value, String) {
    let root = dir.file("root");
    let args = [&["--root", root.to_str().unwrap()], options, &["/advice", how]].concat();
    let (ran, figures) = run_with_figures(dir, args);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{how}: {ran:?}");
    (figures, ran.stdout)
}

fn program() -> TempDir {
    let dir = TempDir::new("advice");
    c_program::compile(&dir, "advice", include_str!("sources/advice.c"));
    let mut data = vec![0; usize::try_from(4096 * PAGES).unwrap()];
    for (page, bytes) in (1..).zip(data.chunks_mut(4096)) {
        bytes[usize::from(page) - 1] = page;
    }
    std::fs::create_dir(dir.file("root")).unwrap();
    std::fs::write(dir.file("root/data"), data).unwrap();
    std::fs::rename(dir.file("advice"), dir.file("root/advice")).unwrap();
    dir
}

#[test]
fn pages_of_a_file_come_before_they_are_needed_and_go_when_they_are_not() {
    let dir = program();
    let run = |how| {
        let (figures, stdout) = figures_of(&dir, &[], how);
        let [ahead, used] =
            ["pages", "used"].map(|name| count(&figures, &format!("untouched.read_ahead.{name}")));
        let from_disk = count(&figures, "faults.from_disk");
        ((ahead, used), count(&figures, "disk.reads"), from_disk, stdout)
    };
    let twice = SUM.repeat(2);
    let (none, reads, faults, stdout) = run("none");
    assert_eq!((none, &stdout), ((0, 0), &twice));
    for (how, ahead) in [("willneed", PAGES / 2), ("readahead", PAGES)] {
        assert_eq!(run(how), ((ahead, ahead), reads, faults, twice.clone()), "{how}");
    }
    let (_, with_second_read, ..) = run("dontneed");
    assert_eq!(with_second_read, reads + PAGES);
    let (_, mapped, mapped_faults, stdout) = run("mapped");
    assert_eq!((mapped, mapped_faults, stdout.as_str()), (reads, faults + PAGES, SUM));
    assert_eq!(run("mapped-willneed"), ((PAGES, PAGES), reads, faults, stdout));
}

#[test]
fn pages_leave_memory_when_they_are_to_and_those_that_were_given_up_are_lost() {
    let dir = program();
    let run = |options, how| {
        let (figures, stdout) = figures_of(&dir, options, how);
        let paging = |name: &str| count(&figures, &format!("paging.{name}"));
        let evictions = ["private", "zeros"].map(|kind| paging(&format!("evictions.by_kind.{kind}")));
        let back = ["swap_ins.read", "swap_ins.cached", "pages.swap_read"].map(paging);
        (evictions, back, stdout)
    };
    assert_eq!(run(&[], "pageout"), ([PAGES, 0], [PAGES, 0, PAGES], SUM.to_owned()));
    assert_eq!(run(&[], "pageout-willneed"), ([PAGES, 0], [0, PAGES, PAGES], SUM.to_owned()));
    assert_eq!(run(&[], "free-pageout"), ([0, PAGES], [0; 3], "0\n".to_owned()));
    assert_eq!(run(&["--swap", "0"], "pageout"), ([0, 0], [0; 3], SUM.to_owned()));
    assert_eq!(run(&["--swap", "0"], "free-pageout"), ([0, PAGES], [0; 3], "0\n".to_owned()));
}
