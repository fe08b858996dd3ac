//! Tests that cannot be run because something is not there: they say so where the summary of `make test` counts them.
#![allow(dead_code)] // each test target uses its part

use std::io::Write;

/// The whole of the running test is not run, and why.
pub fn not_run(why: &str) {
    note("whole", &test_name(), why);
}

/// A part of the running test is not run: which, and why.
pub fn part_not_run(part: &str, why: &str) {
    note("part", &format!("{}, {part}", test_name()), why);
}

/// The test program, without the number that cargo gives it, and the test, after which the harness names its thread.
fn test_name() -> String {
    let path = std::env::current_exe().expect("this program has a path");
    let file = path.file_stem().expect("and a name").to_string_lossy().into_owned();
    let program = file.rsplit_once('-').map_or(file.as_str(), |(name, _)| name);
    format!("{program}::{}", std::thread::current().name().unwrap_or("main"))
}

/// A line `KIND<tab>NAME<tab>WHY` of the file that tests/suite.sh reads; without it, for whoever shows the output.
fn note(kind: &str, name: &str, why: &str) {
    println!("not run: {name}: {why}");
    let Some(list) = std::env::var_os("FOLIO_NOT_RUN") else { return };
    let mut list =
        std::fs::OpenOptions::new().create(true).append(true).open(list).expect("the list of suite.sh");
    // In one write, so that lines of several programs do not mix.
    list.write_all(format!("{kind}\t{name}\t{why}\n").as_bytes()).expect("the list can be written");
}
