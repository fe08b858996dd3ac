//! A ladder of real commands, unmodified and dynamic ones of Debian's: shells, tools, languages, a compiler, servers. Each line of
//! `ladder/commands.jsonl` is given to `/bin/sh -c` under `folio run --root IMAGE`, and its output and exit status must be, byte for byte,
//! what `qemu-riscv64` on this machine's Linux makes of the very same files. Nothing is stored, since the programs are Debian's and change.
//!
//! The image is what `make setup-test` prepares. Without it this test fails and says so; FOLIO_SKIP_DEBIAN=1 skips it.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use support::{TempDir, child, folio, missing, root, run};

struct Command {
    name: String,
    line: String,
}

/// What came of a command.
#[derive(PartialEq, Eq)]
struct Outcome {
    stdout: String,
    status: i32,
}

fn commands() -> Vec<Command> {
    let list = fs::read_to_string(root().join("tests/ladder/commands.jsonl")).unwrap();
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let text = |key: &str| value[key].as_str().unwrap().to_string();
        Command { name: text("name"), line: text("command") }
    };
    list.lines().map(read).collect()
}

fn inputs() -> PathBuf {
    root().join("target/test-inputs/ladder")
}

/// What Linux makes of all of them; `None` if this machine can't run them.
fn on_linux(commands: &[Command]) -> Option<BTreeMap<String, Outcome>> {
    let batch = TempDir::new("ladder");
    for Command { name, line } in commands {
        fs::write(batch.file(&format!("{name}.argv")), format!("/bin/sh\0-c\0{line}\0")).unwrap();
        fs::write(batch.file(&format!("{name}.stdin")), "").unwrap();
    }
    let mut script = child::command(root().join("tests/guest_programs/on-linux.sh"));
    script.stdin(std::process::Stdio::null()).arg(inputs()).arg(batch.path());
    if run(script).status != 0 {
        return None;
    }
    let outcome = |name: &str| {
        let read = |extension: &str| fs::read(batch.path().join(format!("{name}.{extension}"))).unwrap();
        let status = String::from_utf8(read("status")).unwrap().trim().parse().unwrap();
        Outcome { stdout: String::from_utf8_lossy(&read("stdout")).into_owned(), status }
    };
    Some(commands.iter().map(|command| (command.name.clone(), outcome(&command.name))).collect())
}

/// What is wrong with a command, if anything.
fn complaint(image: &Path, Command { name, line }: &Command, linux: &Outcome) -> Option<String> {
    let mut folio = folio(["run", "-m", "512M", "--root"]);
    folio.arg(image).args(["--env", "PATH=/bin:/sbin", "--env", "HOME=/root", "--", "/bin/sh", "-c", line]);
    folio.stdin(std::process::Stdio::null());
    let ran = run(folio);
    let is_same = ran.stdout == linux.stdout && ran.status == linux.status;
    (!is_same).then(|| {
        format!(
            "{name}: status {}, under Linux {}\n--- stdout under Linux\n{}\n--- stdout\n{}\n--- stderr\n{}",
            ran.status, linux.status, linux.stdout, ran.stdout, ran.stderr
        )
    })
}

#[test]
fn commands_do_what_they_do_on_linux() {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        return missing::not_run("FOLIO_SKIP_DEBIAN is set");
    }
    let image = inputs().join("ladder.ext4");
    assert!(
        image.is_file(),
        "{} is not there: run `make setup-test`, or set FOLIO_SKIP_DEBIAN=1",
        image.display()
    );
    let commands = commands();
    let Some(answers) = on_linux(&commands) else {
        return missing::not_run("no user and mount namespace with its own binfmt_misc here");
    };
    // Two at a time: the order in which they end means nothing.
    let (next, complaints) = (Mutex::new(commands.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let command = next.lock().unwrap().next();
                    let Some(command) = command else { return };
                    let found = complaint(&image, command, &answers[&command.name]);
                    complaints.lock().unwrap().extend(found);
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    println!("{} of {} commands as under Linux", commands.len() - complaints.len(), commands.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
