//! The machine's speed: integer code under Sv39, page faults, a whole `folio run` of a small program, and of one larger than its RAM.
//! Before that, what a page fault of each kind costs in guest instructions: these are exact, and the same on any host.
//!
//! Figures are per run of a whole program; `thrpt` is instructions a second. Cost grows linearly with instructions,
//! faults and bytes moved; the host memory used grows with the pages that the guest has touched.

#![allow(clippy::unwrap_used)] // a bench that cannot start has nothing to measure
#![allow(missing_docs)] // the harness macros make public items

#[path = "../tests/support/swap_space.rs"]
mod swap_space;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use emulator::host::{EventAction, EventSink};
use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{GuestExit, Machine, MachineConfig, StopReason};
use isa::Step;
use isa::events::{EventKind, EventRecord, FLAG_FROM_DISK};
use std::cell::Cell;
use std::rc::Rc;

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

/// A machine about to boot the guest OS and run one of Folio's own programs; with `frames` frames and swap space if they are limited.
fn guest_machine(command: &[&str], frames: u64) -> Machine {
    let name = command[0];
    let mut machine =
        Machine::new(MachineConfig { frame_limit: frames, ..MachineConfig::default() }).unwrap();
    let image = RootImage::from_bytes(name, embedded(guest_os::PROGRAMS, name)).unwrap();
    machine.attach_disk(image.into_disk(), true).unwrap();
    if frames != 0 {
        machine.attach_disk(swap_space::swap_space(SWAP_PAGES), false).unwrap();
    }
    let argv: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
    let path = program_path(name);
    let chosen = Chosen { program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
    machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).unwrap();
    machine
}

const SWAP_PAGES: u32 = 2_000;
/// A quarter of what [`LARGER`] touches.
const FEW_FRAMES: u64 = 128;
const LARGER: [&str; 3] = ["larger", "random", "2M"];

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
    let commands = [(&["hello"][..], 0), (&["demand"], 0), (&["cowfork"], 0), (&LARGER, FEW_FRAMES)];
    for (command, frames) in commands {
        let instructions = run_guest(guest_machine(command, frames)).instructions();
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(command[0], |b| {
            b.iter_batched(|| guest_machine(command, frames), run_guest, BatchSize::PerIteration)
        });
    }
    group.finish();
}

/// Counts the events for which this holds.
struct Count(fn(&EventRecord) -> bool, Rc<Cell<u64>>);

impl EventSink for Count {
    fn event(&mut self, _: Step, _: usize, record: &EventRecord, _: &[u8]) -> EventAction {
        self.1.set(self.1.get() + u64::from((self.0)(record)));
        EventAction::Continue
    }
}

/// A page fault that waited for a disk, of files or of swap space.
fn is_from_disk(record: &EventRecord) -> bool {
    let is_fault = EventKind::from_number(record.kind).is_some_and(EventKind::is_fault);
    is_fault && record.flags & FLAG_FROM_DISK != 0
}

fn is_copy_on_write(record: &EventRecord) -> bool {
    record.kind == EventKind::CowCopy as u64
}

/// Guest instructions for each of the events that are counted, by two runs of which the second has more of them.
fn cost(counted: fn(&EventRecord) -> bool, frames: u64, fewer: &[&str], more: &[&str]) -> u64 {
    let run = |command| {
        let (mut machine, count) = (guest_machine(command, frames), Rc::new(Cell::new(0)));
        machine.set_event_sink(Some(Box::new(Count(counted, Rc::clone(&count)))));
        (run_guest(machine).instructions(), count.get())
    };
    let ((few_instructions, few), (instructions, many)) = (run(fewer), run(more));
    (instructions - few_instructions) / (many - few)
}

fn costs(_: &mut Criterion) {
    let pages: Vec<String> = (100..200).map(|page| page.to_string()).collect();
    let each_once: Vec<&str> = ["demand"].into_iter().chain(pages.iter().map(String::as_str)).collect();
    let one_often: Vec<&str> = ["demand"].into_iter().chain(pages.iter().map(|_| "100")).collect();
    let twice = [&LARGER[..], &["2"]].concat();
    println!(
        "guest instructions: {} a page from disk, {} a copy on write, {} a page back into memory and another out",
        cost(is_from_disk, 0, &one_often, &each_once),
        cost(is_copy_on_write, 0, &["cowfork", "1024", "256"], &["cowfork", "1024", "1024"]),
        cost(is_from_disk, FEW_FRAMES, &LARGER, &twice),
    );
}

criterion_group!(benches, costs, bare, guest);
criterion_main!(benches);
