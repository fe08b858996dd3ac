//! What Linux makes of a command, asked when the tests run: the very same files by `qemu-riscv64` on this machine's kernel. Nothing is
//! stored, since the programs are Debian's and change.

use crate::support::{TempDir, child, missing, root, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::OnceLock;

/// A command line, a line of `commands.jsonl`.
pub struct Command {
    pub name: String,
    /// The first is the program's path in the image.
    pub argv: Vec<String>,
    pub stdin: String,
    /// Whether the program executes no other.
    alone: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    /// Exit status, 128 and the number for a signal.
    pub status: i32,
}

impl Command {
    /// All there are.
    pub fn all() -> Vec<Self> {
        let list = fs::read_to_string(root().join("tests/guest_programs/commands.jsonl"))
            .expect("the list is part of the source tree");
        let text = |value: &Value| value.as_str().expect("a string").to_string();
        let read = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            Self {
                name: text(&value["name"]),
                argv: value["argv"].as_array().expect("a list").iter().map(text).collect(),
                stdin: value["stdin"].as_str().unwrap_or_default().to_string(),
                alone: value["alone"].as_bool().unwrap_or(false),
            }
        };
        list.lines().map(read).collect()
    }

    /// The one of that name.
    pub fn named(name: &str) -> Self {
        Self::all().into_iter().find(|command| command.name == name).expect("a command of the list")
    }

    /// What it comes to on Linux; `None`, and a note, if this machine cannot run it there.
    pub fn on_linux(&self) -> Option<&'static Outcome> {
        // One batch for all: a copy of the tree is made for it.
        static ANSWERS: OnceLock<BTreeMap<String, Outcome>> = OnceLock::new();
        let outcome = ANSWERS.get_or_init(ask).get(&self.name);
        if outcome.is_none() {
            missing::part_not_run(&self.name, "no user and mount namespace with its own binfmt_misc here");
        }
        outcome
    }
}

fn inputs() -> PathBuf {
    root().join("target/test-inputs")
}

/// Runs all commands on Linux, or those that execute no other program where children cannot be had.
fn ask() -> BTreeMap<String, Outcome> {
    let batch = TempDir::new("on-linux");
    let with_children = has_namespace();
    let commands: Vec<Command> =
        Command::all().into_iter().filter(|command| with_children || command.alone).collect();
    for command in &commands {
        let argv: String = command.argv.iter().map(|argument| format!("{argument}\0")).collect();
        fs::write(batch.file(&format!("{}.argv", command.name)), argv).expect("the folder is ours");
        fs::write(batch.file(&format!("{}.stdin", command.name)), &command.stdin)
            .expect("the folder is ours");
    }
    let mut script = script("tests/guest_programs/on-linux.sh");
    script.arg(inputs()).arg(batch.path());
    if !with_children {
        script.arg("alone");
    }
    let ran = run(script);
    assert_eq!(ran.status, 0, "on-linux.sh: {}", ran.stderr);
    commands.into_iter().map(|command| (command.name.clone(), outcome(batch.path(), &command.name))).collect()
}

/// Reads what on-linux.sh has left of a command.
fn outcome(batch: &Path, name: &str) -> Outcome {
    let read = |extension: &str| {
        let path = batch.join(format!("{name}.{extension}"));
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let status = String::from_utf8(read("status")).expect("a status is a number");
    Outcome { stdout: read("stdout"), status: status.trim().parse().expect("a status is a number") }
}

/// Whether children of riscv64 programs can be executed here. `FOLIO_NO_NAMESPACE` says no, to try what is done then.
fn has_namespace() -> bool {
    let mut probe = script("tests/setup/riscv-namespace.sh");
    probe.arg(inputs()).args([
        "sh",
        "-c",
        "PATH=$PATH:/usr/sbin:/sbin; chroot \"$TREE\" /usr/bin/busybox sh -c /bin/true",
    ]);
    std::env::var_os("FOLIO_NO_NAMESPACE").is_none() && run(probe).status == 0
}

fn script(path: &str) -> Process {
    let mut command = child::command(root().join(path));
    command.stdin(std::process::Stdio::null());
    command
}
