//! What the integration tests share: running `folio` as [`child`] says, temporary folders, JSON results.
#![allow(dead_code)] // each test target uses its part
#![allow(clippy::unwrap_used)] // in functions that only tests call

pub mod child;
pub mod missing;
pub mod rows;
pub mod source;

use child::Running;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The workspace's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the emulator lies in the workspace's root")
        .to_path_buf()
}

/// The target directory in use.
pub fn target_dir() -> PathBuf {
    // …/target/<profile>/folio
    Path::new(env!("CARGO_BIN_EXE_folio")).ancestors().nth(2).expect("target/<profile>/folio").to_path_buf()
}

/// A `folio` command line.
pub fn folio<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = child::command(env!("CARGO_BIN_EXE_folio"));
    command.args(args).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit status; a host signal counts as 1000 + signal.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `command` to its end.
///
/// # Panics
/// If it takes longer than the time limit, or prints a panic message of Folio's.
pub fn run(command: Command) -> Ran {
    run_with_input(command, b"")
}

/// Runs `command` to its end with `input` through a pipe on its standard input (none if empty).
pub fn run_with_input(command: Command, input: &[u8]) -> Ran {
    run_within(child::TIME_LIMIT, command, input)
}

/// The same with another time limit.
pub fn run_within(limit: Duration, mut command: Command, input: &[u8]) -> Ran {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let shown = format!("{command:?}");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start_with(command, limit);
    let feeder = running.child().stdin.take().map(|mut stdin| {
        let input = input.to_vec();
        // A guest that ends without reading all of it closes the pipe: no error of the test.
        std::thread::spawn(move || drop(stdin.write_all(&input)))
    });
    let output = running.output();
    if let Some(feeder) = feeder {
        let _ = feeder.join();
    }
    let ran = Ran {
        status: exit_code(&output),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(!ran.stderr.contains("panicked at"), "{shown} panicked:\n{}", ran.stderr);
    ran
}

fn exit_code(output: &Output) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    output.status.code().unwrap_or_else(|| 1000 + output.status.signal().unwrap_or(0))
}

/// Runs `folio` with these arguments to its end.
pub fn run_folio<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    run(folio(args))
}

/// A folder of its own for one test, removed when dropped.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes an empty folder with `name` in its own.
    pub fn new(name: &str) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("folio-{}-{number}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads a file written by `--json`.
pub fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A count in the figures of a run, by its path such as `faults.by_kind.zero`.
pub fn count(figures: &Value, path: &str) -> u64 {
    let value = path.split('.').fold(figures, |value, key| &value[key]);
    value.as_u64().unwrap_or_else(|| panic!("no count {path} in {figures}"))
}

/// `folio run --json … ARGS`: the run and its figures.
pub fn run_with_figures<S: AsRef<std::ffi::OsStr>>(
    dir: &TempDir,
    args: impl IntoIterator<Item = S>,
) -> (Ran, Value) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let file =
        dir.file(&format!("figures-{}.json", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
    let mut command = folio(["run", "--json"]);
    command.arg(&file).args(args);
    let ran = run(command);
    let figures = read_json(&file);
    (ran, figures)
}

/// A static riscv64 ELF whose one segment (read, execute) is its headers and then `code`, entered at the first word.
pub fn tiny_elf(code: &[u32]) -> Vec<u8> {
    const BASE: u64 = 0x10000;
    const HEADERS: u64 = 64 + 56;
    let size = HEADERS + 4 * code.len() as u64;
    let mut elf = Vec::new();
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let half = |elf: &mut Vec<u8>, values: &[u16]| {
        values.iter().for_each(|v| elf.extend_from_slice(&v.to_le_bytes()))
    };
    half(&mut elf, &[2, 243]); // executable, RISC-V
    elf.extend_from_slice(&1u32.to_le_bytes());
    for value in [BASE + HEADERS, 64, 0] {
        elf.extend_from_slice(&value.to_le_bytes()); // entry, program headers, section headers
    }
    elf.extend_from_slice(&5u32.to_le_bytes()); // RVC, double-float ABI
    half(&mut elf, &[64, 56, 1, 64, 0, 0]);
    elf.extend_from_slice(&1u32.to_le_bytes()); // load
    elf.extend_from_slice(&5u32.to_le_bytes()); // read, execute
    for value in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend_from_slice(&value.to_le_bytes());
    }
    code.iter().for_each(|word| elf.extend_from_slice(&word.to_le_bytes()));
    elf
}
