//! The machine's speed: integer code under Sv39, page faults, and a whole `folio run` of a small program.
//!
//! Figures are per run of a whole program; `thrpt` is instructions a second. Cost grows linearly with instructions,
//! faults and bytes moved; the host memory used grows with the pages that the guest has touched.

#![allow(clippy::unwrap_used)] // a bench that cannot start has nothing to measure
#![allow(missing_docs)] // the harness macros make public items

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{GuestExit, Machine, MachineConfig, StopReason};
use isa::Step;

fn embedded(programs: &[(&str, &'static [u8])], name: &str) -> &'static [u8] {
    programs.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is not embedded")).1
}

/// A machine about to run a bare-metal benchmark program.
fn bare_machine(name: &str) -> Machine {
    let mut machine = Machine::new(MachineConfig::default()).unwrap();
    machine.boot(&Boot::bare(embedded(guest_os::BARE_PROGRAMS, name))).unwrap();
    machine
}

fn run_bare(mut machine: Machine) -> Machine {
    assert_eq!(machine.run(Step::NEVER), StopReason::ToHost(1));
    machine
}

/// A machine about to boot the guest OS and run one of Folio's own programs.
fn guest_machine(name: &str) -> Machine {
    let mut machine = Machine::new(MachineConfig::default()).unwrap();
    let image = RootImage::from_bytes(name, embedded(guest_os::PROGRAMS, name)).unwrap();
    machine.attach_disk(image.into_disk(), true).unwrap();
    let argv = [name.as_bytes().to_vec()];
    let path = program_path(name);
    let chosen = Chosen { program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
    machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).unwrap();
    machine
}

fn run_guest(mut machine: Machine) -> Machine {
    assert_eq!(machine.run(Step::NEVER), StopReason::Exit(GuestExit::Status(0)));
    machine
}

fn bare(c: &mut Criterion) {
    let mut group = c.benchmark_group("bare");
    group.sample_size(20);
    for name in ["bare_int", "bare_fault"] {
        let instructions = run_bare(bare_machine(name)).instructions();
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(name, |b| {
            b.iter_batched(|| bare_machine(name), run_bare, BatchSize::PerIteration)
        });
    }
    group.finish();
}

fn guest(c: &mut Criterion) {
    let mut group = c.benchmark_group("guest");
    group.sample_size(20);
    for name in ["hello", "demand", "cowfork"] {
        let instructions = run_guest(guest_machine(name)).instructions();
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(name, |b| {
            b.iter_batched(|| guest_machine(name), run_guest, BatchSize::PerIteration)
        });
    }
    group.finish();
}

criterion_group!(benches, bare, guest);
criterion_main!(benches);
