//! Every command that README.md shows works as written.
//!
//! Each line of its `sh` blocks is run by a shell as it stands, in a folder where `target/release/folio` is the binary under test, or,
//! for `make` and `cargo`, checked against the Makefile: those are what runs this test. A `console` block must show what its commands print;
//! `FOLIO_BLESS=1 cargo test -p folio-emu --test readme` writes it anew.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/console.rs"]
mod console;
mod support;

use std::path::PathBuf;
use support::{TempDir, child, missing, root, run_with_input};

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
    std::fs::create_dir_all(dir.file("target/release")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_folio"), dir.file("target/release/folio")).unwrap();
    std::os::unix::fs::symlink(root().join("programs"), dir.file("programs")).unwrap();
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
            "target/release/folio" | "for" | "echo" => {
                let mut shell = child::command("sh");
                shell.args(["-c", &command]).current_dir(dir.path());
                // Who types a command that prompts goes on typing.
                let prompts = words.contains(&"--debug") || words.contains(&"debug");
                let ran = run_with_input(shell, if prompts { b"continue\n" } else { b"" });
                let told = format!("{command}: {}", ran.stderr);
                match (words[0], words[1], prompts) {
                    // It dies, and the line that says why is the one shown beside the command.
                    ("target/release/folio", "./crash", _) => {
                        assert_eq!(ran.status, 128 + 11, "{told}");
                        assert!(ran.stderr.contains("SIGSEGV: read of 0x0 at sum+0x"), "{told}");
                    }
                    (_, _, true) if command.ends_with("./crash") => {
                        assert!(ran.status == 0 && ran.stderr.contains("<sum+0x"), "{told}");
                    }
                    _ => assert_eq!(ran.status, 0, "{told}"),
                }
                let printed = if prompts { &ran.stderr } else { &ran.stdout };
                assert!(words[0] == "for" || !printed.is_empty(), "{command} printed nothing");
            }
            other => panic!("README shows a command that no test runs: {other}"),
        }
    }
}

#[test]
fn consoles_show_what_is_printed() {
    console::check(&root().join("README.md"));
}
