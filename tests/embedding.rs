//! The library as others use it: the example runs, and the core builds for wasm32 without the guest's toolchain.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use std::process::Command;
use support::{child, root, run, target_dir};

/// A nested cargo. It shares the target directory (whose lock is free while tests run), and so what is built already.
fn cargo(args: &[&str]) -> Command {
    let mut command = child::command(env!("CARGO"));
    command.args(args).current_dir(root()).env("CARGO_TARGET_DIR", target_dir());
    command
}

#[test]
fn the_core_builds_for_wasm32_without_the_guest() {
    let ran = run(cargo(&[
        "build",
        "--quiet",
        "-p",
        "emulator",
        "--lib",
        "--no-default-features",
        "--target",
        "wasm32-unknown-unknown",
    ]));
    assert_eq!(
        ran.status, 0,
        "is the target installed (rustup target add wasm32-unknown-unknown)?\n{}",
        ran.stderr
    );
}

#[test]
fn plain_cargo_run_is_the_folio_command() {
    let ran = run(cargo(&["run", "--quiet", "--", "--version"]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("folio "), "{}", ran.stdout);
}

#[test]
fn the_embedding_example_runs() {
    let ran = run(cargo(&["run", "--quiet", "-p", "emulator", "--example", "embed"]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("= 42"), "the example computes 6 * 7:\n{}", ran.stdout);
}
