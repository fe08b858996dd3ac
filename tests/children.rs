//! What tests/support/child.rs promises: nothing that a test starts is left behind, and nothing is waited for without end.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::child::{self, Running};

/// A child that has a child of its own, both of which would stay for ever with the pipe that they are given.
fn family() -> Command {
    let mut command = child::command("sh");
    command.args(["-c", "sleep 1000000 & echo started; wait"]).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Reads to the pipe's end, which comes when the last process that has it is gone.
fn ends(mut pipe: impl Read) {
    pipe.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_test_that_ends_leaves_no_child() {
    let mut running = Running::start(family());
    let mut pipe = BufReader::new(running.child().stdout.take().unwrap());
    let mut line = String::new();
    pipe.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    drop(running);
    ends(pipe);
}

#[test]
fn a_child_that_hangs_is_killed_with_its_own_and_fails_the_test() {
    let mut running = Running::start_with(family(), Duration::from_millis(1));
    let pipe = running.child().stdout.take().unwrap();
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| running.wait()));
    let told = *waited.expect_err("waiting must fail").downcast::<String>().unwrap();
    assert!(told.ends_with("hangs"), "{told}");
    ends(pipe);
}

#[test]
fn a_child_dies_with_the_thread_that_started_it() {
    let thread = std::thread::spawn(|| {
        let mut command = child::command("sh");
        command.args(["-c", "echo started; exec sleep 1000000"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = Running::start(command);
        let mut pipe = BufReader::new(running.child().stdout.take().unwrap());
        pipe.read_line(&mut String::new()).unwrap();
        (running, pipe)
    });
    let (mut running, pipe) = thread.join().unwrap();
    ends(pipe);
    // Killed, and not by the watchdog, at whose time limit this fails.
    assert_eq!(running.wait().signal(), Some(Signal::SIGKILL as i32));
}
