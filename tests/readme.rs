//! Every command that README.md shows works as written.
//!
//! Each line of its `sh` blocks is run (with the binary under test in place of `target/release/folio`), or, for `make` and
//! `cargo`, checked against the Makefile: those are what runs this test.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use std::path::PathBuf;
use support::{TempDir, folio, missing, root, run_with_input};

/// Debian's static busybox, as `make setup-test` has fetched it; `None` if the user asked to do without.
fn busybox() -> Option<PathBuf> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::part_not_run("the command with busybox", "FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let file = root().join("target/test-inputs/linux/busybox");
    assert!(
        file.is_file(),
        "{} is not there: run `make setup-test`, or set FOLIO_SKIP_DEBIAN=1",
        file.display()
    );
    Some(file)
}

fn shown_commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut commands = Vec::new();
    for block in readme.split("```sh\n").skip(1) {
        let (block, _) = block.split_once("```").expect("a block ends");
        for line in block.lines() {
            let command = line.split('#').next().unwrap_or("").trim();
            if !command.is_empty() {
                commands.push(command.to_string());
            }
        }
    }
    commands
}

#[test]
fn every_command_shown_is_known_and_runs() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let dir = TempDir::new("readme");
    let (_, hello) =
        guest_os::PROGRAMS.iter().find(|(name, _)| *name == "hello").expect("the demo hello is embedded");
    std::fs::write(dir.file("my-static-program"), hello).unwrap();
    let busybox = busybox();
    if let Some(file) = &busybox {
        std::fs::copy(file, dir.file("busybox")).unwrap();
    }
    let commands = shown_commands();
    assert!(commands.len() >= 5, "README shows too few commands: {commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[0] {
            "make" => {
                assert!(makefile.contains(&format!("\n{}:", words[1])), "no such target: {command}");
            }
            // What is installed is looked at in tests/embedding.rs.
            "cargo" => assert!(["build", "test", "bench", "run", "install"].contains(&words[1]), "{command}"),
            "target/release/folio" if busybox.is_none() && words.contains(&"./busybox") => {}
            "target/release/folio" => {
                let mut run_it = folio(&words[1..]);
                run_it.current_dir(dir.path());
                // Who types a command that prompts goes on typing.
                let input = if words.contains(&"--debug") { "continue\n" } else { "" };
                let ran = run_with_input(run_it, input.as_bytes());
                assert_eq!(ran.status, 0, "{command}: {}", ran.stderr);
                assert!(!ran.stdout.is_empty(), "{command} printed nothing");
            }
            other => panic!("README shows a command that no test runs: {other}"),
        }
    }
}
