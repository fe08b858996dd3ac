//! `docs/syscalls.md` is made from the table of system calls: this test says when it is out of date, and
//! `FOLIO_BLESS=1 cargo test -p abi --test page` writes it.

#![allow(clippy::unwrap_used)] // in functions that only tests call

use abi::{Argument, CALLS, Call, Effect, FlagSet, Kind, Layout, Memory, Others, Returns, sets};
use std::fmt::Write;
use std::path::Path;

/// What the page says before its tables.
const INTRODUCTION: &str = "# System calls

The Linux calls for riscv64 that the guest OS has. This page is made from the table in `guest-os/abi`, which also makes the kernel's dispatch, the
lines of `folio run --strace` and the hostile arguments of `vmtests`. `FOLIO_BLESS=1 cargo test -p abi --test page` writes it anew. Every other call
is ENOSYS, and the kernel's log names it once. What differs from Linux beside flags and remarks is in [deviations.md](deviations.md).

";

/// What stands before the flags.
const FLAGS: &str = "
## Flags

A flag that is *taken* means what it means under Linux; a test of `vmtests` sees each at work (`guest-os/abi/tests/flags.rs`). One that is *ignored* is allowed
and changes nothing. What is *refused* is EINVAL before the call has done anything, what is *declined* has an error of its own.

";

fn page() -> String {
    let mut page = INTRODUCTION.to_string();
    page.push_str("| number | call | gives | |\n|---|---|---|---|\n");
    for call in CALLS {
        // Writing to a String can't fail.
        let _ =
            writeln!(page, "| {} | {} | {} | {} |", call.number, signature(call), gives(call), remark(call));
    }
    page.push_str(FLAGS);
    page.push_str(
        "| set | taken | ignored | refused or declined | bits without a name |\n|---|---|---|---|---|\n",
    );
    for set in all_sets() {
        let names = |effects: &[Effect]| {
            let names = set.all().filter(|flag| effects.contains(&flag.effect));
            names.map(|flag| format!("`{}`", flag.name)).collect::<Vec<_>>().join(" ")
        };
        let named = set.all().fold(set.choice_bits, |bits, flag| bits | flag.bits);
        let others = match (named == set.mask(), set.others) {
            (true, _) => "an error",
            (false, Others::Refused) => "EINVAL",
            (false, Others::Ignored) => "ignored",
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {others} |",
            set.title,
            names(&[Effect::Taken]),
            names(&[Effect::Ignored]),
            names(&[Effect::Refused, Effect::Declined]),
        );
    }
    page
}

/// Every set, in the order of its first call; those of structures last.
fn all_sets() -> Vec<&'static FlagSet> {
    let mut all: Vec<&'static FlagSet> = Vec::new();
    let of_calls = CALLS.iter().flat_map(|call| call.arguments).filter_map(|argument| match argument.kind {
        Kind::Flags(set) => Some(set),
        _ => None,
    });
    let of_structures: [&FlagSet; 4] =
        [&sets::CLONE_ARGS, &sets::SIGACTION, &sets::SIGNAL_STACK, &sets::POLL];
    for set in of_calls.chain(of_structures) {
        if all.iter().all(|other| other.title != set.title) {
            all.push(set);
        }
    }
    all
}

fn signature(call: &Call) -> String {
    let arguments: Vec<String> = call.arguments.iter().map(|argument| told(call, argument)).collect();
    format!("`{}`({})", call.name, arguments.join(", "))
}

/// An argument: its name, and what it is where the name does not say.
fn told(call: &Call, argument: &Argument) -> String {
    let name = argument.name;
    let at = |way: &str, layout: Layout| format!("*{name}* {way} {}", lies(call, layout));
    match argument.kind {
        Kind::Flags(set) => format!("*{name}*: {}", set.title),
        Kind::Path => format!("*{name}* → path"),
        Kind::Strings => format!("*{name}* → strings"),
        Kind::In(layout) => at("→", layout),
        Kind::Out(layout) => at("←", layout),
        Kind::InOut(layout) => at("↔", layout),
        _ => format!("*{name}*"),
    }
}

fn lies(call: &Call, layout: Layout) -> String {
    let counted = |index: usize| call.arguments[index].name;
    match layout {
        Layout::Bytes { len } => format!("*{}* bytes", counted(len)),
        Layout::Noise { len } => format!("*{}* random bytes", counted(len)),
        Layout::Text { len } => format!("string of *{}* bytes", counted(len)),
        Layout::Entries { len } => format!("directory entries, *{}* bytes", counted(len)),
        Layout::Processors { len } => format!("processors, *{}* bytes", counted(len)),
        Layout::Vector { count } => format!("*{}* iovec", counted(count)),
        Layout::Polls { count } => format!("*{}* pollfd", counted(count)),
        Layout::Descriptors { count } => format!("descriptors below *{}*", counted(count)),
        Layout::Int => "int".to_string(),
        Layout::IntPair => "int\\[2]".to_string(),
        Layout::Word => "long".to_string(),
        Layout::TimespecPair => "timespec\\[2]".to_string(),
        Layout::SigsetArgument => "sigset and its size".to_string(),
        Layout::Remainder => "timespec".to_string(),
        Layout::WaitStatus => "status".to_string(),
        Layout::SignalStack => "stack_t".to_string(),
        layout => format!("{layout:?}").to_lowercase(),
    }
}

fn gives(call: &Call) -> &'static str {
    match call.returns {
        Returns::Number => "",
        Returns::Address => "address",
        Returns::Mode => "mode",
        Returns::Signal => "signal",
        Returns::Flags(set) => set.title,
        Returns::Never => "never returns",
    }
}

fn remark(call: &Call) -> String {
    let says_so = call.memory == Memory::Spares && call.returns != Returns::Never;
    let memory = if says_so { "never ENOMEM" } else { "" };
    [call.remark, memory].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_page_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/syscalls.md");
    let page = page();
    if std::env::var_os("FOLIO_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/syscalls.md is out of date: FOLIO_BLESS=1 cargo test -p abi --test page");
}

/// Sets that share a title would hide each other on the page.
#[test]
fn sets_of_one_title_are_one_set() {
    for call in CALLS {
        for argument in call.arguments {
            let Kind::Flags(set) = argument.kind else { continue };
            let shown = all_sets().into_iter().find(|other| other.title == set.title).unwrap();
            assert_eq!(format!("{shown:?}"), format!("{set:?}"), "{}", set.title);
        }
    }
}
