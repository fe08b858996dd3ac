//! gdb itself, driven by scripts, and a `folio` that waits for it.
#![allow(dead_code)] // each test target uses its part

use super::support::child::{self, Running};
use super::support::{Ran, TempDir, folio, missing, read_json, run_with_figures};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

/// Whether there is a gdb, and a compiler for what it debugs.
pub fn has_tools() -> bool {
    for (program, package) in
        [("gdb-multiarch", "gdb-multiarch"), ("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")]
    {
        let found =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            missing::not_run(&format!("{package} is not installed: run `make setup-test`"));
            return false;
        }
    }
    true
}

/// Compiles a program, with what a debugger wants to know.
pub fn compile(dir: &TempDir, name: &str, source: &str) -> String {
    let (file, program) = (dir.file(&format!("{name}.c")), dir.file(name));
    std::fs::write(&file, source).unwrap();
    let mut gcc = child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-O0", "-static", "-o"]).arg(&program).arg(&file);
    let output = child::output(gcc);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program.display().to_string()
}

/// A `folio` that waits for gdb.
pub struct Waiting {
    pub running: Running,
    /// Where gdb connects, for each session.
    pub ports: Vec<String>,
    stderr: JoinHandle<String>,
}

impl Waiting {
    /// Starts it and reads where it listens.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let ports_wanted = command.get_args().filter(|argument| *argument == "--gdb").count();
        let mut running = Running::start(command);
        let mut stderr = BufReader::new(running.child().stderr.take().unwrap());
        let (mut ports, mut told) = (Vec::new(), String::new());
        while ports.len() < ports_wanted {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "no port was told: {told}");
            if let Some((address, _)) =
                line.strip_prefix("folio: gdb: ").and_then(|l| l.split_once(" is for "))
            {
                ports.push(address.to_owned());
            }
            told.push_str(&line);
        }
        let stderr = std::thread::spawn(move || {
            stderr.read_to_string(&mut told).unwrap();
            told
        });
        Self { running, ports, stderr }
    }

    /// Its end.
    pub fn end(self) -> Ran {
        let output = self.running.output();
        let stderr = self.stderr.join().unwrap();
        assert!(!stderr.contains("panicked at"), "{stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Ran { status: output.status.code().unwrap_or(-1), stdout, stderr }
    }
}

/// A gdb that is about to connect to an address.
pub fn gdb_at(address: &str) -> Command {
    // Errors come in their place among the answers.
    let mut gdb = child::command("sh");
    gdb.args(["-c", "exec gdb-multiarch \"$@\" 2>&1", "sh"]);
    // Scripts of the user's are not for it.
    gdb.args(["-nx", "-q", "-iex", "set pagination off", "-iex", "set confirm off"]);
    gdb.args(["-iex", "set debuginfod enabled off", "-ex", &format!("target remote {address}")]);
    gdb
}

/// What gdb says to these commands, all of it.
pub fn gdb(address: &str, commands: &[&str]) -> String {
    let mut gdb = gdb_at(address);
    gdb.arg("-batch").stdin(Stdio::null());
    for command in commands {
        // So that an answer is seen behind its question.
        gdb.args(["-ex", &format!("echo (gdb) {}\\n", command.replace('\\', "\\\\")), "-ex", command]);
    }
    let output = child::output(gdb);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The answer to a command of [`gdb`]'s.
pub fn answer<'a>(said: &'a str, command: &str) -> &'a str {
    let (_, rest) =
        said.split_once(&format!("(gdb) {command}\n")).unwrap_or_else(|| panic!("no {command}: {said}"));
    rest.split("(gdb) ").next().unwrap()
}

pub fn check(said: &str, command: &str, parts: &[&str]) {
    let text = answer(said, command);
    for part in parts {
        assert!(text.contains(part), "no {part:?} in the answer to {command}: {text}\nof {said}");
    }
}

/// `folio run --json … --gdb 0 …`, with these options, and the file of its figures.
pub fn waiting(dir: &TempDir, options: &[&str], program: &str) -> (Waiting, PathBuf) {
    let figures = dir.file("with-gdb.json");
    let mut command = folio(["run", "--json"]);
    command.arg(&figures).args(options).arg(program);
    (Waiting::start(command), figures)
}

/// The run without gdb is the same one.
pub fn same_as_without(dir: &TempDir, options: &[&str], program: &str, figures: &Path) {
    let (_, plain) = run_with_figures(dir, options.iter().copied().chain([program]));
    let with = read_json(figures);
    assert_eq!(with["state_hash"], plain["state_hash"]);
    assert_eq!(with, plain);
}
