//! A whole machine with the guest OS in it, cut anywhere: saved and loaded, run in slices, stepped. It must end in the
//! same state as in one go, having printed the same.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/lost_code.rs"]
mod lost_code;
#[path = "support/printed.rs"]
mod printed;
#[path = "support/random.rs"]
mod random_values;
#[path = "support/swap_space.rs"]
mod swap_space;

use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{GuestExit, Machine, MachineConfig, StopReason};
use emulator::mem::tlb::TlbGeometry;
use isa::Step;
use lost_code::{Loss, Losses};
use printed::Printed;
use std::cell::RefCell;
use std::rc::Rc;

const PROGRAM: &str = "cowfork";
const FOREVER: Step = Step(1_000_000_000);
/// How many places the run is cut at.
const CUTS: u64 = 50;

fn elf() -> &'static [u8] {
    let found = guest_os::PROGRAMS.iter().find(|(name, _)| *name == PROGRAM);
    found.expect("the program is built with the guest OS").1
}

/// Lends the machine the root image and the streams, as at first or after a load.
fn lend(machine: &mut Machine, printed: &Printed) {
    machine.attach_disk(RootImage::from_bytes(PROGRAM, elf()).unwrap().into_disk(), true).unwrap();
    machine.set_stdio(Box::new(printed.clone()));
}

/// As [`lend`], with a swap disk behind the root's.
fn lend_with_swap(machine: &mut Machine, printed: &Printed) {
    lend(machine, printed);
    machine.attach_disk(swap_space::swap_space(512), false).unwrap();
}

fn booted(printed: &Printed) -> Machine {
    booted_with(printed, TlbGeometry::default())
}

fn booted_with(printed: &Printed, tlb: TlbGeometry) -> Machine {
    let config = MachineConfig { ram_bytes: 32 << 20, tlb, ..MachineConfig::default() };
    booted_as(config, printed, lend)
}

fn booted_as(config: MachineConfig, printed: &Printed, lend: fn(&mut Machine, &Printed)) -> Machine {
    let mut machine = Machine::new(config).unwrap();
    lend(&mut machine, printed);
    let path = program_path(PROGRAM);
    let argv = [PROGRAM.as_bytes().to_vec()];
    let chosen = Chosen { program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
    machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).unwrap();
    machine
}

/// How a run ended: reason, steps, instructions, hash, and everything printed.
type Ending = (StopReason, Step, u64, u64, String);

fn ending(machine: &Machine, reason: StopReason, printed: &Printed) -> Ending {
    let text = String::from_utf8_lossy(&printed.0.borrow()).into_owned();
    (reason, machine.steps(), machine.instructions(), machine.state_hash(), text)
}

fn in_one_go() -> Ending {
    in_one_go_with(TlbGeometry::default())
}

fn in_one_go_with(tlb: TlbGeometry) -> Ending {
    let printed = Printed::default();
    let mut machine = booted_with(&printed, tlb);
    let reason = machine.run(FOREVER);
    let ending = ending(&machine, reason, &printed);
    assert_eq!(ending.0, StopReason::Exit(GuestExit::Status(0)), "{}", ending.4);
    assert!(machine.instructions_user() > 0 && machine.disk_counters().reads > 0 && !ending.4.is_empty());
    ending
}

#[test]
fn saved_and_loaded_anywhere_it_ends_the_same() {
    let whole = in_one_go();
    let printed = Printed::default();
    let mut first = booted(&printed);
    let mut saved_bytes = 0;
    for cut in 0..CUTS {
        // Odd distances, so that cuts fall into kernel, program, idle time and device latency alike.
        let at = Step(whole.1.0 * cut / CUTS + cut * 7);
        assert_eq!(first.run(at), StopReason::Fuel);
        let saved = first.save();
        saved_bytes = saved_bytes.max(saved.len());
        let mut second = Machine::load(&saved).unwrap();
        let continued = Printed(Rc::new(RefCell::new(printed.0.borrow().clone())));
        lend(&mut second, &continued);
        assert_eq!(second.state_hash(), first.state_hash(), "saved at step {at}");
        let reason = second.run(FOREVER);
        assert_eq!(ending(&second, reason, &continued), whole, "saved at step {at}");
    }
    assert!(saved_bytes < 16 << 20, "pages of zeros are not saved: {saved_bytes} bytes");
}

#[test]
fn with_what_is_decoded_lost_at_random_steps_it_ends_the_same() {
    for (seed, tlb) in ["4096", "64x4", "64x4:lru"].into_iter().enumerate() {
        let geometry = tlb.parse().unwrap();
        let whole = in_one_go_with(geometry);
        for (loss, longest) in [(Loss::Dropped, 3_000), (Loss::SavedAndLoaded, whole.1.0 / 8)] {
            let printed = Printed::default();
            let mut machine = booted_with(&printed, geometry);
            let load = |saved: &[u8]| {
                let mut machine = Machine::load(saved).unwrap();
                lend(&mut machine, &printed);
                machine
            };
            let reason = Losses::new(seed as u64, longest).run(&mut machine, FOREVER, loss, load);
            assert_eq!(ending(&machine, reason, &printed), whole, "{loss:?}, TLB {tlb}");
        }
    }
}

/// With fewer frames than the program has pages, so that a cut falls into pages on their way to the swap disk and back.
#[test]
fn with_pages_in_swap_space_it_ends_the_same() {
    let config = || MachineConfig { ram_bytes: 32 << 20, frame_limit: 24, ..MachineConfig::default() };
    let printed = Printed::default();
    let mut machine = booted_as(config(), &printed, lend_with_swap);
    let reason = machine.run(FOREVER);
    let whole = ending(&machine, reason, &printed);
    assert_eq!(whole.0, StopReason::Exit(GuestExit::Status(0)), "{}", whole.4);
    assert!(machine.disk_counters().writes > 100, "{:?}", machine.disk_counters());
    for (seed, loss, longest) in [(1, Loss::Dropped, 30_000), (2, Loss::SavedAndLoaded, whole.1.0 / 24)] {
        let printed = Printed::default();
        let mut machine = booted_as(config(), &printed, lend_with_swap);
        let load = |saved: &[u8]| {
            let mut machine = Machine::load(saved).unwrap();
            lend_with_swap(&mut machine, &printed);
            machine
        };
        let reason = Losses::new(seed, longest).run(&mut machine, FOREVER, loss, load);
        assert_eq!(ending(&machine, reason, &printed), whole, "{loss:?}");
    }
}

#[test]
fn in_slices_it_ends_the_same() {
    let whole = in_one_go();
    for slice in [997, 10_007, 300_007] {
        let printed = Printed::default();
        let mut machine = booted(&printed);
        let mut until = slice;
        let reason = loop {
            match machine.run(Step(until)) {
                StopReason::Fuel => until += slice,
                reason => break reason,
            }
        };
        assert_eq!(ending(&machine, reason, &printed), whole, "slices of {slice}");
    }
}

#[test]
fn stepped_it_ends_the_same() {
    let whole = in_one_go();
    let printed = Printed::default();
    let mut machine = booted(&printed);
    let reason = loop {
        match machine.step() {
            StopReason::Fuel => {}
            reason => break reason,
        }
    };
    assert_eq!(ending(&machine, reason, &printed), whole);
}
