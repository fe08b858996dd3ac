//! The table against Linux's own headers, as `linux-raw-sys` has translated them for riscv64: numbers of calls, bits of
//! flags, numbers of errors.

#![allow(clippy::unwrap_used)] // in functions that only tests call

use abi::{CALLS, FlagSet, Kind, VARIANTS, sets};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// What these headers do not have: signals as flags, `close_range`, `poll`, the architecture's own.
const NOT_IN_THEM: &[&str] = &[
    "CLOSE_RANGE_CLOEXEC",
    "CLOSE_RANGE_UNSHARE",
    "IOPRIO_WHO_PGRP",
    "IOPRIO_WHO_PROCESS",
    "IOPRIO_WHO_USER",
    "PIDFD_NONBLOCK",
    "PIDFD_THREAD",
    "SFD_CLOEXEC",
    "SFD_NONBLOCK",
    "SYS_RISCV_FLUSH_ICACHE_LOCAL",
];

/// The folder of the headers' constants: where cargo has unpacked the crate that the kernel is built with.
fn headers() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let asked = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline", "--filter-platform=riscv64gc-unknown-none-elf"])
        .args(["--manifest-path", manifest])
        .output()
        .unwrap();
    let text = String::from_utf8(asked.stdout).unwrap();
    let manifest = text
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("linux-raw-sys-0.12"))
        .expect("the kernel depends on linux-raw-sys");
    PathBuf::from(manifest).parent().unwrap().join("src/riscv64")
}

/// Every constant of the headers.
fn constants() -> BTreeMap<String, i64> {
    let folder = headers();
    let mut constants = BTreeMap::new();
    for file in ["general.rs", "errno.rs", "ioctl.rs", "prctl.rs"] {
        for line in std::fs::read_to_string(folder.join(file)).unwrap().lines() {
            let parts = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": "));
            let Some((name, rest)) = parts else { continue };
            let value =
                rest.split_once(" = ").and_then(|(_, value)| value.trim_end_matches(';').parse().ok());
            constants.extend(value.map(|value| (name.to_string(), value)));
        }
    }
    assert!(constants.len() > 1000, "the headers have few constants: {}", constants.len());
    constants
}

/// Every set that an argument of the table has, and those of structures.
fn all_sets() -> Vec<&'static FlagSet> {
    let of_arguments =
        CALLS.iter().flat_map(|call| call.arguments).filter_map(|argument| match argument.kind {
            Kind::Flags(set) => Some(set),
            _ => None,
        });
    let of_variants = VARIANTS.iter().flat_map(|variant| variant.rest).filter_map(|(_, kind)| match kind {
        Kind::Flags(set) => Some(*set),
        _ => None,
    });
    let of_structures = [
        &sets::CLONE_ARGS,
        &sets::SIGACTION,
        &sets::SIGNAL_STACK,
        &sets::POLL,
        &sets::FILE_SYSTEM,
        &sets::MOUNT,
    ];
    of_arguments.chain(of_variants).chain(of_structures).collect()
}

#[test]
fn numbers_and_names_are_linux_s() {
    let constants = constants();
    let numbers: BTreeMap<u64, &str> = constants
        .iter()
        .filter_map(|(name, &value)| Some((u64::try_from(value).ok()?, name.strip_prefix("__NR_")?)))
        .collect();
    for number in 0..600 {
        let ours = abi::call_name(number);
        // Newer headers may know more calls.
        assert!(
            ours == numbers.get(&number).copied() || ours.is_none() && number > 462,
            "{number}: {ours:?}"
        );
    }
}

#[test]
fn flags_have_linux_s_names_and_bits() {
    let constants = constants();
    let mut unknown = BTreeSet::new();
    for flag in all_sets().into_iter().flat_map(FlagSet::all) {
        let theirs = constants.get(flag.name).or_else(|| constants.get(&format!("_{}", flag.name)));
        match theirs {
            Some(&value) => {
                assert_eq!(flag.bits & 0xffff_ffff, value.cast_unsigned() & 0xffff_ffff, "{}", flag.name)
            }
            None => drop(unknown.insert(flag.name)),
        }
    }
    let is_elsewhere = |name: &str| ["POLL", "ST_", "SUID_DUMP_"].iter().any(|start| name.starts_with(start));
    let unknown: Vec<&str> =
        unknown.into_iter().filter(|name| !NOT_IN_THEM.contains(name) && !is_elsewhere(name)).collect();
    assert!(unknown.is_empty(), "flags that the headers do not have: {unknown:?}");
}

#[test]
fn errors_have_linux_s_numbers() {
    let constants = constants();
    let ours: Vec<abi::Errno> =
        (1..4096).filter_map(abi::Errno::from_number).filter(|e| e.name() != "errno").collect();
    assert!(ours.len() > 40);
    for errno in ours {
        assert_eq!(constants.get(errno.name()), Some(&i64::from(errno.number())), "{errno:?}");
    }
}

#[test]
fn signals_have_linux_s_numbers() {
    let constants = constants();
    for number in 1..=31 {
        let name = abi::signal_name(number).unwrap();
        assert_eq!(constants.get(name).copied(), i64::try_from(number).ok(), "{name}");
    }
}
