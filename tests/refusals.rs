//! The kernel under refusals: each request for memory of each call of the guest's self-test refused once, and memory nearly full.
//!
//! The kernel's injector (`guest-os/src/kernel/memory/inject.rs`) serves a call again with the next request refused until none is. So the
//! self-test must see what it always sees; a panic, an assertion or a missing frame ends the run otherwise than with status 0.

use std::sync::Mutex;

#[path = "support/guest.rs"]
mod guest;
use emulator::devices::host::GuestExit;
use emulator::machine::MachineConfig;
use guest::{Guest, disk};

/// What the kernel has logged, of all runs of this process.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().expect("no test panics while it holds the lines").push(record.args().to_string());
    }
    fn flush(&self) {}
}

fn listen() {
    static LOG: Lines = Lines;
    // A second test finds it set already.
    let _ = log::set_logger(&LOG).map(|()| log::set_max_level(log::LevelFilter::Info));
}

/// The self-test's last line, which counts the tests.
fn summary(output: &str) -> &str {
    output.lines().last().unwrap_or_default()
}

#[test]
fn the_machine_lives_when_memory_is_nearly_full() {
    for pages in [0, 3, 10, 30, 100, 300] {
        let mut guest = Guest::new(&["vmtests", &format!("--leave={pages}")], 0);
        // Whatever becomes of the tests, and of the process that runs them: the kernel ends the run by itself, all frames counted.
        let end = guest.end();
        let by_itself = matches!(end, GuestExit::Status(0 | 1) | GuestExit::Signaled(9));
        assert!(by_itself, "{pages} pages: {end:?}\n{}", guest.output());
        if pages == 300 {
            assert!(guest.output().contains(" ok\n"), "{}", guest.output());
        }
    }
}

#[test]
fn a_refused_call_takes_nothing_and_costs_nobody_a_page() {
    for (test, bootargs) in [
        ("refused_calls_take_nothing", ""),
        ("refused_brk_is_no_error", ""),
        ("fork_evicts_many_pages", ""),
        ("fork_evicts_many_pages", "folio.refuse"),
    ] {
        let config = MachineConfig { ram_bytes: 32 << 20, ..MachineConfig::default() };
        let mut guest = Guest::with_config(&["vmtests", test], config, disk("vmtests"), bootargs);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
    }
}

#[test]
fn each_request_of_each_call_is_refused_once_and_nobody_notices() {
    listen();
    let mut plain = Guest::new(&["vmtests"], 0);
    assert_eq!(plain.finish(), 0, "{}", plain.output());
    let mut guest = Guest::with_bootargs(&["vmtests"], 0, disk("vmtests"), "folio.refuse");
    let status = guest.finish();
    let lines = LINES.lock().unwrap().join("\n");
    assert_eq!(status, 0, "{}\n{lines}", guest.output());
    assert_eq!(summary(&guest.output()), summary(&plain.output()));
    let refused: u64 = lines
        .lines()
        .find_map(|line| line.strip_prefix("refused ")?.split(' ').next()?.parse().ok())
        .expect("the kernel counts what it refuses");
    assert!(refused > 10_000, "only {refused} requests were refused");
}
