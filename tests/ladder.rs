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
use std::time::Duration;
use support::{Ran, TempDir, child, count, folio, missing, read_json, root, run, run_within};

/// Longest time of a run: on a busy machine, with a page from disk every few hundred instructions.
const TIME_LIMIT: Duration = Duration::from_secs(1200);

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

/// A run of a command on the guest OS.
fn on_folio(image: &Path, Command { line, .. }: &Command, more: &[&str]) -> Ran {
    let mut folio = folio(["run", "-m", "512M"]);
    folio.args(more).arg("--root").arg(image);
    folio.args(["--env", "PATH=/bin:/sbin", "--env", "HOME=/root", "--", "/bin/sh", "-c", line]);
    folio.stdin(std::process::Stdio::null());
    run_within(TIME_LIMIT, folio, b"")
}

/// What is wrong with a command, if anything.
fn complaint(image: &Path, command: &Command, linux: &Outcome) -> Option<String> {
    let ran = on_folio(image, command, &[]);
    let is_same = ran.stdout == linux.stdout && ran.status == linux.status;
    (!is_same).then(|| {
        format!(
            "{}: status {}, under Linux {}\n--- stdout under Linux\n{}\n--- stdout\n{}\n--- stderr\n{}",
            command.name, ran.status, linux.status, linux.stdout, ran.stdout, ran.stderr
        )
    })
}

/// The image; none, and a note, if the user asked to do without.
fn image() -> Option<PathBuf> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::not_run("FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let image = inputs().join("ladder.ext4");
    assert!(
        image.is_file(),
        "{} is not there: run `make setup-test`, or set FOLIO_SKIP_DEBIAN=1",
        image.display()
    );
    Some(image)
}

#[test]
fn commands_do_what_they_do_on_linux() {
    let Some(image) = image() else { return };
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

/// Every `PIECES`-th command, from number FOLIO_SEED on: ten runs are one to the last bit of the machine, and in a quarter of the frames that
/// it has at its peak it writes the same and ends the same.
#[test]
#[ignore = "a piece of make campaign"]
fn ten_runs_are_one_and_a_quarter_of_the_frames_is_enough() {
    const PIECES: usize = 6;
    let Some(image) = image() else { return };
    let seed: usize = std::env::var("FOLIO_SEED").map_or(0, |seed| seed.parse().unwrap());
    let (dir, mut complaints) = (TempDir::new("ladder-frames"), Vec::new());
    let file = dir.file("figures");
    for command in commands().iter().skip(seed % PIECES).step_by(PIECES) {
        let measured = |more: &[&str]| {
            let ran = on_folio(&image, command, &[&["--json", file.to_str().unwrap()], more].concat());
            let figures = read_json(&file);
            let hash = figures["state_hash"].as_str().expect("a run has a hash").to_string();
            (ran, count(&figures, "frames.peak"), count(&figures, "faults.total"), hash)
        };
        let first = measured(&[]);
        if (1..10).any(|_| measured(&[]).3 != first.3) {
            complaints.push(format!("{}: two runs differ", command.name));
        }
        let (plenty, peak, faults, _) = first;
        let frames = peak / 4;
        let (ran, _, more_faults, _) = measured(&["--frames", &frames.to_string()]);
        println!("{}: {faults} faults in {peak} frames, {more_faults} in {frames}", command.name);
        if (&ran.stdout, ran.status) != (&plenty.stdout, plenty.status) {
            complaints.push(format!("{} in {frames} frames: {ran:?}\nwith plenty: {plenty:?}", command.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
