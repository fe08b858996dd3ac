//! Real programs against real Linux: each command of `commands.jsonl` runs through `folio run --root IMAGE`, and its output and exit
//! status must be, byte for byte, what `qemu-riscv64` gives for the very same files (`linux.rs`). Then their page faults.
//!
//! The programs (Debian's static ones, and C, musl and Rust ones of our own) are in the image that `make setup-test` prepares. Without it
//! these tests fail and say so; FOLIO_SKIP_DEBIAN=1 skips them.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod faults;
mod linux;
#[path = "../support/mod.rs"]
mod support;

use faults::Faults;
use linux::Command;
use std::path::{Path, PathBuf};
use support::{folio, missing, root, run_with_input};

const ENVIRONMENT: [&str; 4] = ["--env", "PATH=/bin:/sbin", "--env", "HOME=/root"];

/// The image with the programs; `None` if the user asked to do without.
fn image() -> Option<PathBuf> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::not_run("FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let image = root().join("target/test-inputs/debian.ext4");
    assert!(
        image.is_file(),
        "{} is not there: run `make setup-test`, or set FOLIO_SKIP_DEBIAN=1",
        image.display()
    );
    Some(image)
}

/// Runs a command through `folio run`; what is wrong with that, if anything. `None` too if nobody can tell.
fn complaint(image: &Path, command: &Command) -> Option<String> {
    let linux = command.on_linux()?;
    let mut folio = folio(["run", "--root"]);
    folio.arg(image).args(ENVIRONMENT).arg("--").args(&command.argv);
    let ran = run_with_input(folio, command.stdin.as_bytes());
    // Statuses alone would let a program pass that says nothing at all, here as there.
    let expected = String::from_utf8_lossy(&linux.stdout);
    (ran.stdout != expected || ran.status != linux.status).then(|| {
        format!(
            "{}: status {}, under Linux {}\n--- stdout under Linux\n{expected}\n--- stdout\n{}\n--- stderr\n{}",
            command.name, ran.status, linux.status, ran.stdout, ran.stderr
        )
    })
}

/// Runs the commands of a family: those whose names start with it and a dash.
fn check(family: &str) {
    let Some(image) = image() else { return };
    let commands: Vec<Command> =
        Command::all().into_iter().filter(|command| command.name.split('-').next() == Some(family)).collect();
    assert!(!commands.is_empty(), "no command of family {family}");
    let complaints: Vec<String> = commands.iter().filter_map(|command| complaint(&image, command)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn busybox() {
    check("busybox");
}

#[test]
fn busybox_shell() {
    check("sh");
}

#[test]
fn bash() {
    check("bash");
}

#[test]
fn zsh() {
    check("zsh");
}

#[test]
fn tini() {
    check("tini");
}

#[test]
fn ldconfig_static_pie() {
    check("ldconfig");
}

#[test]
fn c_musl_and_rust() {
    check("hello");
    check("lazymalloc");
    check("cowfork");
}

#[test]
fn every_command_belongs_to_a_test() {
    let families = ["busybox", "sh", "bash", "zsh", "tini", "ldconfig", "hello", "lazymalloc", "cowfork"];
    for command in Command::all() {
        let family = command.name.split('-').next().unwrap_or_default().to_string();
        assert!(families.contains(&family.as_str()), "{} is run by no test", command.name);
    }
}

/// The referee is one: it tells outputs and statuses, signals too, and not what Folio would like to hear.
#[test]
fn linux_s_answers_are_those_of_these_programs() {
    if image().is_none() {
        return;
    }
    let answer = |name: &str| Command::named(name).on_linux().expect("it executes no other program");
    let told = |name: &str| (String::from_utf8_lossy(&answer(name).stdout).into_owned(), answer(name).status);
    assert_eq!(told("busybox-echo"), ("hi\n".to_string(), 0));
    assert_eq!(told("busybox-false"), (String::new(), 1));
    assert_eq!(told("sh-killed"), (String::new(), 128 + 9));
    assert_eq!(told("busybox-cat-stdin"), (Command::named("busybox-cat-stdin").stdin, 0));
}

#[test]
fn page_faults_are_those_of_the_pages_touched() {
    let Some(image) = image() else { return };
    for name in ["busybox-echo", "bash-version", "sh-forks"] {
        let faults = faults::of(&image, &Command::named(name).argv);
        let Faults { total, from_disk, accounted, touched, .. } = faults;
        println!(
            "{name}: {total} faults, {from_disk} from disk; {touched} pages touched, {accounted} faults at most"
        );
        assert!(total <= accounted, "{name}: {total} faults, and its accesses need {accounted} at most");
        assert!(from_disk <= touched, "{name}: {from_disk} from disk, and it touches {touched} pages");
        // None of them is free, either: a kernel that reads ahead would show here.
        assert!(from_disk >= 10, "{name}: {from_disk} pages cannot have been enough");
    }
}
