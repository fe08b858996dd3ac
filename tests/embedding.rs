//! The crate as others use it: the example runs, the core builds for wasm32 without the guest's toolchain, and what
//! `cargo install` puts somewhere is all that Folio needs.

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
        "folio-emu",
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
    let ran = run(cargo(&["run", "--quiet", "-p", "folio-emu", "--example", "embed"]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("= 42"), "the example computes 6 * 7:\n{}", ran.stdout);
}

/// `cargo install --path emulator` installs the executables of that package: it is called `folio-emu`, and has the one,
/// with the default features.
#[test]
fn what_is_installed_is_the_one_command() {
    let ran = run(cargo(&["metadata", "--no-deps", "--format-version=1"]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let metadata: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "folio-emu").unwrap();
    assert!(package["manifest_path"].as_str().unwrap().ends_with("emulator/Cargo.toml"));
    let executables: Vec<_> = package["targets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| (target["name"].as_str().unwrap(), &target["required-features"][0]))
        .collect();
    assert_eq!(executables, [("folio", &serde_json::json!("cli"))]);
    assert_eq!(package["features"]["default"], serde_json::json!(["cli"]));
}

/// The guest lies in the executable: alone in a folder, with an empty environment, it runs a demo.
#[test]
fn the_command_alone_is_complete() {
    let folder = support::TempDir::new("installed");
    let installed = folder.path().join("folio");
    std::fs::copy(env!("CARGO_BIN_EXE_folio"), &installed).unwrap();
    let mut command = child::command(installed.to_str().unwrap());
    command.args(["run", "hello"]).current_dir(folder.path()).env_clear();
    let ran = run(command);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("Hello"), "{}", ran.stdout);
}
