//! The same kernel image under another machine: `folio kernel` and `folio image` under `qemu-system-riscv64 -M virt` run the
//! guest's self-test with the same results as under Folio.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;
mod support;

use std::process::Command;
use support::{Ran, TempDir, child, folio, run, run_folio};

/// The lines of a test report: the rest (firmware, kernel log) is the machine's own.
fn report(output: &str) -> Vec<String> {
    let is_report =
        |line: &&str| line.ends_with(" ok") || line.contains("FAILED") || line.ends_with(" failed");
    output.lines().map(|line| line.trim_end_matches('\r')).filter(is_report).map(String::from).collect()
}

fn qemu() -> Command {
    let mut command = child::command("qemu-system-riscv64");
    command.stdin(std::process::Stdio::null());
    command
}

/// A built-in program under QEMU, with words for the kernel's command line.
fn under_qemu(name: &str, words: &str) -> Ran {
    let mut version = qemu();
    version.arg("--version");
    assert_eq!(run(version).status, 0, "no qemu-system-riscv64: run `make setup-test`");
    let dir = TempDir::new("boot-qemu");
    let (kernel, image, program) = (dir.file("kernel"), dir.file("root.ext4"), dir.file(name));
    std::fs::write(&program, guest::elf(name)).expect("the folder is ours");
    let mut command = folio(["kernel", "-o"]);
    command.arg(&kernel);
    assert_eq!(run(command).status, 0);
    let mut command = folio(["image", "-o"]);
    command.arg(&image).arg(&program);
    assert_eq!(run(command).status, 0);

    let mut command = qemu();
    command.args(["-M", "virt", "-m", "128M", "-nographic", "-no-reboot", "-append"]);
    command.arg(format!("init=/bin/{name} {words}")).arg("-kernel").arg(&kernel);
    command.arg("-drive").arg(format!("file={},format=raw,if=none,id=root,readonly=on", image.display()));
    command.args(["-device", "virtio-blk-device,drive=root"]);
    run(command)
}

#[test]
fn the_self_test_passes_here_and_under_qemu() {
    let ours = run_folio(["run", "vmtests"]);
    let expected = report(&ours.stdout);
    assert_eq!(ours.status, 0, "{}", ours.stdout);
    assert!(expected.len() > 200, "{}", ours.stdout);
    assert!(expected.iter().all(|line| !line.contains("FAILED")));

    let theirs = under_qemu("vmtests", "");
    assert_eq!(report(&theirs.stdout), expected, "{}", theirs.stdout);
    assert_eq!(theirs.status, 0, "the exit status comes through the test finisher");
}

#[test]
fn what_is_done_otherwise_to_compare_is_done_under_qemu_too() {
    const OTHERWISE: &str = "folio.eager folio.fork=copy folio.fault_around=16 folio.read_ahead=8";
    for name in ["cowfork", "sharedtext"] {
        let ours = run_folio(["run", name]);
        for words in ["", OTHERWISE, "folio.fault_around=16 folio.read_ahead=8"] {
            let theirs = under_qemu(name, words);
            assert_eq!(theirs.status, 0, "{name} {words}: {}", theirs.stdout);
            let mut lines = theirs.stdout.lines().map(|line| line.trim_end_matches('\r'));
            let is_there = ours.stdout.lines().all(|line| lines.any(|theirs| theirs == line));
            assert!(is_there, "{name} {words}: {}", theirs.stdout);
        }
    }
}
