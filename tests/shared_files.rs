//! Files in memory, by `read`, `write` and mappings of several processes at once: `vmtests --files` on Folio, whose every answer the
//! program itself compares with a plain copy, and the same program on this machine's Linux, which must come to the same checksum.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;
mod support;

use std::os::unix::fs::PermissionsExt;
use support::{TempDir, child, folio, run};

/// Operations of a run in `make test`; `FOLIO_FILES_OPERATIONS` overrides it.
const OPERATIONS: u64 = 100_000;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn every_way_to_a_file_shows_the_same_bytes_as_on_linux() {
    let operations = format!("--files={}", number("FOLIO_FILES_OPERATIONS", OPERATIONS));
    let seed = format!("--seed={}", number("FOLIO_FILES_SEED", 1));
    let mut command = folio(["run", "vmtests", "--"]);
    command.args([&operations, &seed]);
    let ours = run(command);
    assert_eq!((ours.status, ours.stderr.as_str()), (0, ""), "{}", ours.stdout);
    assert!(ours.stdout.contains("operations on 3 files, checksum"), "{}", ours.stdout);

    let dir = TempDir::new("shared-files");
    let program = dir.file("vmtests");
    std::fs::write(&program, guest::elf("vmtests")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = child::command("qemu-riscv64");
    command.arg(&program).args([&operations, &seed]);
    let linux = run(command);
    assert_eq!((linux.status, linux.stdout), (0, ours.stdout), "{}", linux.stderr);
    println!("equal on Folio and on Linux: {operations} {seed}");
}
