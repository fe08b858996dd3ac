//! The debugger on a real machine of several harts.

use super::{Debugger, MachineTarget, SharedTap, Stop};
use crate::exec::Observer;
use crate::loader::Boot;
use crate::machine::{Machine, MachineConfig, QUANTUM_STEPS, StopReason};
use crate::source::Programs;
use isa::{Step, assemble};
use std::rc::Rc;

struct Looked {
    machine: Machine,
    hart: usize,
}

impl MachineTarget for Looked {
    fn machine(&self) -> &Machine {
        &self.machine
    }
    fn looked_at(&self) -> usize {
        self.hart
    }
    fn set_looked_at(&mut self, hart: usize) {
        self.hart = hart;
    }
    fn run_observed(&mut self, until: Step, observer: Option<&mut dyn Observer>) -> Stop {
        let end = match observer {
            None => self.machine.run(until),
            Some(observer) => self.machine.run_observed(until, observer),
        };
        match end {
            StopReason::Breakpoint => Stop::Before,
            StopReason::Fuel => Stop::Reached,
            reason => Stop::Ended(reason),
        }
    }
}

/// Hart 1 goes another way at once; the others add to a1 for ever, hart 1 to a2, and after 6000 rounds powers off.
const PROGRAM: [&str; 13] = [
    "addi t0, a0, -1",
    "beqz t0, .+12",
    "addi a1, a1, 1",
    "j .-4",
    "lui t3, 0x2",
    "addi t3, t3, -2000",
    "addi a2, a2, 1",
    "bne a2, t3, .-4",
    "lui t0, 0x100",
    "lui t1, 5",
    "addi t1, t1, 0x555",
    "sw t1, 0(t0)",
    "j .",
];

fn session(harts: usize) -> (Debugger, Looked) {
    let config = MachineConfig { ram_bytes: 1 << 20, harts, ..MachineConfig::default() };
    let mut machine = Machine::new(config).unwrap();
    let mut code = Vec::new();
    for text in PROGRAM {
        let insn = assemble(text, 0).unwrap();
        code.extend(isa::encode(&insn).unwrap().to_le_bytes());
    }
    machine.boot(&Boot::bare(&code)).unwrap();
    (Debugger::new(SharedTap::default(), None, None, Rc::new(Programs::none())), Looked { machine, hart: 0 })
}

#[track_caller]
fn says(debugger: &mut Debugger, target: &mut Looked, command: &str, parts: &[&str]) {
    let text = debugger.execute(target, command).text;
    let mut rest = text.as_str();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("{command}: `{part}` is not in (the rest of)\n{text}"),
        }
    }
}

#[test]
fn harts_are_listed_and_looked_at() {
    let (mut debugger, mut target) = session(3);
    let list = ["* hart 0  runs next  machine mode     0x80000000", "  hart 1  ready", "  hart 2  ready"];
    says(&mut debugger, &mut target, "info harts", &list);
    says(&mut debugger, &mut target, "hart 2", &["step 0: hart 2, machine mode", "=> 0x80000000"]);
    says(&mut debugger, &mut target, "hart", &["  hart 0  runs next", "* hart 2  ready"]);
    says(&mut debugger, &mut target, "regs", &["hart 2", "a0   0x0000000000000002"]);
    says(&mut debugger, &mut target, "hart 3", &["the machine has harts 0 to 2\n"]);
    let (mut debugger, mut target) = session(1);
    says(&mut debugger, &mut target, "hart 1", &["the machine has one hart: 0\n"]);
    says(&mut debugger, &mut target, "step", &["step 1: machine mode"]);
}

#[test]
fn a_step_is_one_of_the_hart_that_is_looked_at() {
    let (mut debugger, mut target) = session(3);
    says(&mut debugger, &mut target, "step 2", &["step 2: hart 0", "=> 0x80000008"]);
    // Hart 1 has its turn after hart 0's; one instruction later it is still its turn.
    says(&mut debugger, &mut target, "hart 1", &["=> 0x80000000"]);
    says(&mut debugger, &mut target, "step", &["step 5001: hart 1", "=> 0x80000004"]);
    says(&mut debugger, &mut target, "step", &["step 5002: hart 1", "=> 0x80000010"]);
    // Back to hart 0: the turns of 1 and 2 go by.
    says(&mut debugger, &mut target, "hart 0", &["step 5002: hart 0", "=> 0x80000008"]);
    says(&mut debugger, &mut target, "step", &["step 15001: hart 0", "=> 0x8000000c"]);
    // The last instruction of a turn, and the first of the next one.
    let last = 4 * QUANTUM_STEPS - 1;
    says(&mut debugger, &mut target, &format!("until {last}"), &["step 19999: hart 0"]);
    says(&mut debugger, &mut target, "step", &["step 30000: hart 0"]);
}

#[test]
fn a_breakpoint_stops_at_whichever_hart_comes_there() {
    let (mut debugger, mut target) = session(3);
    says(&mut debugger, &mut target, "break 0x80000010", &["breakpoint 1"]);
    says(&mut debugger, &mut target, "continue", &["breakpoint 1", "step 5002: hart 1"]);
    says(&mut debugger, &mut target, "info harts", &["  hart 0  ready", "* hart 1  runs next"]);
    says(&mut debugger, &mut target, "delete", &[]);
    says(&mut debugger, &mut target, "break 0x80000000", &["breakpoint 2"]);
    // Looking elsewhere does not make the same stop come again.
    says(&mut debugger, &mut target, "hart 0", &["hart 0"]);
    says(&mut debugger, &mut target, "continue", &["breakpoint 2", "step 10000: hart 2"]);
    says(&mut debugger, &mut target, "hart 0", &["hart 0"]);
    says(&mut debugger, &mut target, "continue", &["the machine was powered off"]);
}

#[test]
fn next_follows_its_own_hart() {
    let (mut debugger, mut target) = session(2);
    says(&mut debugger, &mut target, "until 4998", &["hart 0"]);
    let before = target.machine.harts()[0].pc;
    says(&mut debugger, &mut target, "next", &["step 4999: hart 0"]);
    says(&mut debugger, &mut target, "next", &["step 10000: hart 0"]);
    assert_eq!(target.machine.harts()[0].pc, before);
}

#[test]
fn debugging_changes_nothing() {
    let (_, mut plain) = session(3);
    assert_eq!(plain.machine.run(Step(1_000_000)), StopReason::FinisherPass);
    let (mut debugger, mut target) = session(3);
    for command in
        ["step 3", "hart 2", "step 2", "break 0x80000014", "c", "hart 0", "next", "step 100", "c", "c"]
    {
        debugger.execute(&mut target, command);
    }
    assert_eq!(debugger.ended(), Some(StopReason::FinisherPass));
    assert_eq!(target.machine.state_hash(), plain.machine.state_hash());
}

#[test]
fn a_stopped_hart_is_not_stepped() {
    let config = MachineConfig { ram_bytes: 4 << 20, harts: 2, ..MachineConfig::default() };
    let mut machine = Machine::new(config).unwrap();
    machine.boot(&Boot::kernel(&0x6fu32.to_le_bytes())).unwrap();
    let mut debugger = Debugger::new(SharedTap::default(), None, None, Rc::new(Programs::none()));
    let mut target = Looked { machine, hart: 0 };
    says(&mut debugger, &mut target, "hart", &["* hart 0  runs next", "  hart 1  stopped"]);
    says(&mut debugger, &mut target, "hart 1", &["hart 1"]);
    let refusal = "hart 1 is stopped: it runs when another hart starts it\n";
    says(&mut debugger, &mut target, "step", &[refusal]);
    says(&mut debugger, &mut target, "hart 0", &["hart 0"]);
    says(&mut debugger, &mut target, "step 5", &["step 5: hart 0"]);
}
