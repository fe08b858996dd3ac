//! The guest's self-test, in the spirit of xv6's usertests: many small tests, each in a process of its own.
//!
//! `vmtests [NAME…]` runs all tests, or those named, prints `NAME ok` or `NAME FAILED` for each and a summary, and exits with 0 only if
//! all passed. `vmtests -l` lists them. `vmtests -u` leaves out what a user-mode emulator (qemu-riscv64) cannot do: it is the referee for
//! all the others. Tests marked `only by name` want a whole machine for themselves. `vmtests --leave=PAGES` first takes all memory but so
//! many pages: then tests may fail and be killed, and the machine must live. `vmtests --files=OPERATIONS [--seed=N]` does random work on files
//! instead, by three processes, and prints a checksum that is the same on any Linux.
#![no_std]
#![no_main]

mod administration;
mod advice;
mod bad_pointers;
mod capabilities;
mod check;
mod children;
mod cloning;
mod copying;
mod crowd;
mod event_files;
mod exec;
mod faults;
mod file_mix;
mod files;
mod flags;
mod forks;
mod full;
mod futexes;
mod growth;
mod hostile;
mod interfaces;
mod interrupted;
mod ipc;
mod limits_reached;
mod locked;
mod locks;
mod loopback;
mod memory;
mod mounts;
mod nameless;
mod names;
mod netlink;
mod nothing;
mod passing;
mod pipes;
mod proc_files;
mod processes;
mod promises;
mod raw;
mod rights;
mod root;
mod scheduling;
mod seals;
mod shared;
mod signal_limits;
mod signals;
mod sockets;
mod system;
mod terminals;
mod threads;
mod timers;
mod transfers;
mod users;
mod watches;
mod wrong_descriptors;
mod wrong_ipc;
mod wrong_paths;
mod wrong_processes;
mod wrong_sockets;
mod wrong_values;

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rt::os::{self, Status};
use rt::{Args, println};

use check::Outcome;

rt::main!(main);

/// Where a test makes sense.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On any Linux.
    Everywhere,
    /// On a kernel, but not under user-mode emulation, which does it differently.
    Kernel,
    /// As `Kernel`, and only if named: it uses up the machine.
    ByName,
}

/// One test.
pub struct Test {
    name: &'static str,
    scope: Scope,
    run: fn() -> Outcome,
}

/// A list of tests, each named as its function; `kernel:` and `by name:` give the scope.
#[macro_export]
macro_rules! tests {
    ($($(@$scope:ident)? $name:ident,)*) => {
        /// This file's tests.
        pub const TESTS: &[$crate::Test] = &[$($crate::test!($(@$scope)? $name),)*];
    };
}

/// One row of `tests!`.
#[macro_export]
macro_rules! test {
    ($name:ident) => {
        $crate::test!(@Everywhere $name)
    };
    (@$scope:ident $name:ident) => {
        $crate::Test::new(stringify!($name), $crate::Scope::$scope, $name)
    };
}

impl Test {
    /// A row of the table.
    pub const fn new(name: &'static str, scope: Scope, run: fn() -> Outcome) -> Self {
        Self { name, scope, run }
    }
}

const FAMILIES: &[&[Test]] = &[
    memory::TESTS,
    advice::TESTS,
    locked::TESTS,
    faults::TESTS,
    forks::TESTS,
    processes::TESTS,
    children::TESTS,
    cloning::TESTS,
    scheduling::TESTS,
    exec::TESTS,
    pipes::TESTS,
    sockets::TESTS,
    passing::TESTS,
    loopback::TESTS,
    copying::TESTS,
    event_files::TESTS,
    watches::TESTS,
    files::TESTS,
    proc_files::TESTS,
    promises::TESTS,
    root::TESTS,
    transfers::TESTS,
    nameless::TESTS,
    names::TESTS,
    nothing::TESTS,
    seals::TESTS,
    locks::TESTS,
    users::TESTS,
    rights::TESTS,
    ipc::TESTS,
    capabilities::TESTS,
    signals::TESTS,
    signal_limits::TESTS,
    threads::TESTS,
    futexes::TESTS,
    system::TESTS,
    flags::TESTS,
    terminals::TESTS,
    timers::TESTS,
    administration::TESTS,
    mounts::TESTS,
    bad_pointers::TESTS,
    hostile::TESTS,
    wrong_paths::TESTS,
    wrong_descriptors::TESTS,
    wrong_processes::TESTS,
    wrong_sockets::TESTS,
    interfaces::TESTS,
    netlink::TESTS,
    wrong_values::TESTS,
    wrong_ipc::TESTS,
    limits_reached::TESTS,
    interrupted::TESTS,
    growth::TESTS,
    full::TESTS,
    crowd::TESTS,
    // Last, as it reads the whole program: no page of it is cold afterwards.
    shared::TESTS,
];

/// Address of the path by which this program was executed, for the tests that execute it again.
static PROGRAM: AtomicUsize = AtomicUsize::new(0);

/// Address of the path by which this program was executed.
pub fn program() -> usize {
    PROGRAM.load(Relaxed)
}

fn main(args: Args) -> i32 {
    if let Some(role) = args.get(1).and_then(|name| name.strip_prefix("--as=")) {
        return exec::play(role, args);
    }
    PROGRAM.store(args.aux(rt::abi::auxvec::AT_EXECFN).unwrap_or(0), Relaxed);
    let flag = |wanted: &str| args.iter().skip(1).any(|argument| argument == wanted);
    let named = || args.iter().skip(1).filter(|argument| !argument.starts_with('-'));
    let all = || FAMILIES.iter().flat_map(|family| family.iter());
    if flag("-l") {
        all().for_each(|test| println!("{}{}", test.name, remark(test.scope)));
        return 0;
    }
    if let Some(unknown) = named().find(|name| all().all(|test| test.name != *name)) {
        rt::eprintln!("vmtests: no test is called {unknown}; vmtests -l lists them");
        return 2;
    }
    let chosen = |test: &Test| match named().next() {
        Some(_) => named().any(|name| name == test.name),
        None => test.scope == Scope::Everywhere || (test.scope == Scope::Kernel && !flag("-u")),
    };
    let number = |prefix: &str| args.iter().find_map(|argument| argument.strip_prefix(prefix)?.parse().ok());
    if let Some(operations) = number("--files=") {
        return file_mix::run(operations, number("--seed=").unwrap_or(1));
    }
    if let Some(pages) = number("--leave=").and_then(|pages| usize::try_from(pages).ok())
        && let Err(errno) = full::take_all_but(pages)
    {
        rt::eprintln!("vmtests: memory cannot be taken: {errno:?}");
        return 2;
    }
    let (mut passed, mut failed) = (0, 0);
    for test in all().filter(|test| chosen(test)) {
        if run(test) {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    println!("{passed} passed, {failed} failed");
    i32::from(failed != 0)
}

const fn remark(scope: Scope) -> &'static str {
    match scope {
        Scope::Everywhere => "",
        Scope::Kernel => " (not under user-mode emulation)",
        Scope::ByName => " (only by name)",
    }
}

fn run(test: &Test) -> bool {
    let ended = os::in_child(|| i32::from((test.run)().is_err()));
    match ended {
        Ok(Status::Exited(0)) => println!("{} ok", test.name),
        Ok(Status::Exited(_)) => println!("{} FAILED", test.name),
        Ok(other) => println!("{} FAILED: {other:?}", test.name),
        Err(errno) => println!("{} FAILED: no child: {errno:?}", test.name),
    }
    ended == Ok(Status::Exited(0))
}
