//! The vDSO: an ELF image that programs find by their auxiliary vector, and whose clocks say what the system calls say.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use goblin::elf::Elf;
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};
use support::{Ran, TempDir, folio, run};

/// What Linux's has on riscv64 (vdso(7)).
const FUNCTIONS: [&str; 7] = [
    "__vdso_rt_sigreturn",
    "__vdso_gettimeofday",
    "__vdso_clock_gettime",
    "__vdso_clock_getres",
    "__vdso_getcpu",
    "__vdso_flush_icache",
    "__vdso_riscv_hwprobe",
];

const SAID: &str = "\
clock 0: 1
clock 1: 1
clock 4: 1
clock 7: 1
clock 11: 1
no clock: -1, Invalid argument
of the process: 0
day: 1
set: 0
then: 0
still: 1
handled: 10
";

fn with_options(options: &[&str]) -> Ran {
    let dir = TempDir::new("vdso");
    c_program::compile(&dir, "vdso", include_str!("sources/vdso.c"));
    let mut command = folio(["run"]);
    command.args(options).arg(dir.file("vdso"));
    run(command)
}

#[test]
fn its_clocks_say_what_the_calls_say() {
    for options in [&[][..], &["--frames", "60"], &["--aslr", "7"], &["--tlb", "16x4:lru"]] {
        let ran = with_options(options);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, SAID), "{options:?}");
    }
}

/// The library of C finds the function by name and version, so that the call is made for those clocks only that the vDSO does not know.
#[test]
fn a_clock_needs_no_system_call() {
    let ran = with_options(&["--strace"]);
    let calls: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("clock_gettime(")).collect();
    let with = |clock: &str| calls.iter().filter(|call| call.contains(clock)).count();
    // Two around each clock, and six around each time of day that is looked at.
    assert_eq!(
        (with("CLOCK_MONOTONIC,"), with("CLOCK_BOOTTIME"), with("CLOCK_TAI")),
        (2, 2, 2),
        "{calls:#?}"
    );
    assert_eq!(
        (with("CLOCK_REALTIME,"), with("CLOCK_PROCESS_CPUTIME_ID"), with("0x4d")),
        (6, 1, 1),
        "{calls:#?}"
    );
    assert!(!ran.stderr.contains("gettimeofday("), "{}", ran.stderr);
}

#[test]
fn it_is_an_image_as_a_linker_makes_it() {
    let hex = with_options(&[]).stdout;
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    let elf = Elf::parse(&bytes).unwrap();
    assert_eq!(elf.soname, Some("linux-vdso.so.1"));
    let load = elf.program_headers.iter().find(|segment| segment.p_type == PT_LOAD).unwrap();
    let dynamic = elf.program_headers.iter().find(|segment| segment.p_type == PT_DYNAMIC).unwrap();
    assert!(load.is_executable() && !load.is_write() && dynamic.vm_range().end <= load.vm_range().end);
    let functions: Vec<_> = elf.dynsyms.iter().skip(1).collect();
    let names: Vec<&str> =
        functions.iter().map(|function| elf.dynstrtab.get_at(function.st_name).unwrap()).collect();
    assert_eq!(names, FUNCTIONS);
    for (function, name) in functions.iter().zip(&names) {
        assert!(function.is_function() && function.st_size >= 8 && function.st_size % 2 == 0, "{name}");
        assert!(function.st_value + function.st_size <= load.p_memsz, "{name}");
        // The last instruction is the return, or the call that does not come back.
        let end = usize::try_from(function.st_value + function.st_size).unwrap();
        let last = if *name == "__vdso_rt_sigreturn" { &[0x73, 0, 0, 0][..] } else { &[0x82, 0x80][..] };
        assert!(bytes[..end].ends_with(last), "{name}: {:x?}", &bytes[end - 4..end]);
    }
}
