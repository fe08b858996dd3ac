//! A machine of several harts ends the same in one go, in slices, stepped, observed, saved and loaded; and it is in the same
//! state at every step on the way.

use crate::lost_code::{Loss, Losses};
use crate::program::{FOREVER, bare, finish};
use emulator::exec::Observer;
use emulator::machine::{Machine, QUANTUM_STEPS, StopReason};
use isa::Step;

/// Four harts: a spinlock, timers, messages through the CLINT, code that changes, waits.
const MIXED: &str = "
        la s0, 0x10000
        la t0, @handler
        csrw mtvec, t0
        lui s1, 0x2000
        lui s2, 0x2004
        slli t0, a0, 3
        add s2, s2, t0
        slli t0, a0, 2
        add s3, s1, t0
        csrr t0, time
        addi t0, t0, 70
        sd t0, 0(s2)
        li t0, 136
        csrw mie, t0
        csrsi mstatus, 8
        li32 s4, 400
    round:
        lr.w t0, (s0)
        bnez t0, @spin
        li t1, 1
        sc.w t2, t1, (s0)
        bnez t2, @round
        ld t3, 64(s0)
        andi t4, s4, 31
    hold:
        addi t4, t4, -1
        bgez t4, @hold
        addi t3, t3, 1
        sd t3, 64(s0)
        amoswap.w zero, zero, (s0)
        # Change what `patched` does, and call it.
        la t1, @patched
        lw t2, 0(t1)
        li32 t3, 0x100000
        add t2, t2, t3
        sw t2, 0(t1)
        jalr ra, 0(t1)
        # Every 128th round: poke the next hart, then rest.
        andi t0, s4, 127
        bnez t0, @busy
        addi t1, a0, 1
        andi t1, t1, 3
        slli t1, t1, 2
        add t1, t1, s1
        li t0, 1
        sw t0, 0(t1)
        wfi
    busy:
        addi s4, s4, -1
        bnez s4, @round
        li t0, 1
        addi t1, s0, 128
        amoadd.w zero, t0, (t1)
    end:
        wfi
        lw t0, 128(s0)
        addi t0, t0, -4
        bnez t0, @end
        finish
    spin:
        pause
        addi s9, s9, 1
        j @round
    patched:
        addi s5, s5, 0
        ret
    handler:
        csrr s6, mcause
        sw zero, 0(s3)
        csrr s7, time
        addi s7, s7, 60
        sd s7, 0(s2)
        addi s8, s8, 1
        mret
";

fn mixed() -> Machine {
    bare(4, MIXED)
}

fn whole() -> Machine {
    let mut machine = mixed();
    finish(&mut machine);
    let interrupts: Vec<u64> = machine.harts().iter().map(|hart| hart.x[24]).collect();
    assert!(interrupts.iter().all(|&count| count > 5), "each hart is interrupted: {interrupts:?}");
    assert!(machine.harts().iter().any(|hart| hart.x[25] > 0), "some hart finds the lock taken");
    assert!(machine.steps().0 > 10 * QUANTUM_STEPS, "there are turns: {}", machine.steps());
    machine
}

fn assert_same(machine: &Machine, whole: &Machine, how: &str) {
    assert_eq!(
        (machine.steps(), machine.instructions(), machine.state_hash()),
        (whole.steps(), whole.instructions(), whole.state_hash()),
        "{how}"
    );
}

#[test]
fn ten_runs_are_one() {
    let first = whole();
    for run in 1..10 {
        assert_same(&whole(), &first, &format!("run {run}"));
    }
}

#[test]
fn in_slices_it_ends_the_same_and_is_the_same_on_the_way() {
    let whole = whole();
    let q = QUANTUM_STEPS;
    for slice in [1, 7, 997, q - 1, q, q + 1, 3 * q, 12_345] {
        let mut machine = mixed();
        let mut until = slice;
        while machine.run(Step(until)) == StopReason::Fuel {
            assert_eq!(machine.steps(), Step(until));
            until += slice;
        }
        assert_same(&machine, &whole, &format!("slices of {slice}"));
    }
    let mut sliced = mixed();
    for at in (0..whole.steps().0).step_by(1237) {
        sliced.run(Step(at));
        let mut straight = mixed();
        straight.run(Step(at));
        assert_same(&sliced, &straight, &format!("at step {at}"));
    }
}

#[test]
fn stepped_it_ends_the_same() {
    let whole = whole();
    let mut machine = mixed();
    while machine.step() == StopReason::Fuel {}
    assert_same(&machine, &whole, "stepped");
}

#[test]
fn observed_it_ends_the_same() {
    struct Watching;
    impl Observer for Watching {}
    let whole = whole();
    let mut machine = mixed();
    assert_eq!(machine.run_observed(FOREVER, &mut Watching), StopReason::FinisherPass);
    assert_same(&machine, &whole, "observed");
}

#[test]
fn with_what_is_decoded_lost_at_random_steps_it_ends_the_same() {
    let whole = whole();
    for (seed, longest, loss) in [
        (1, 4, Loss::Dropped),
        (2, 60, Loss::Dropped),
        (3, 3 * QUANTUM_STEPS, Loss::Dropped),
        (4, 2000, Loss::SavedAndLoaded),
    ] {
        let mut machine = mixed();
        let reason = Losses::new(seed, longest).run_bare(&mut machine, FOREVER, loss);
        assert_eq!(reason, StopReason::FinisherPass);
        assert_same(&machine, &whole, &format!("{loss:?} every 1 to {longest} steps, seed {seed}"));
    }
}

#[test]
fn saved_and_loaded_anywhere_it_ends_the_same() {
    let whole = whole();
    let mut first = mixed();
    for cut in 0..40 {
        first.run(Step(whole.steps().0 * cut / 40 + cut));
        let mut second = Machine::load(&first.save()).unwrap();
        assert_eq!(second.state_hash(), first.state_hash(), "saved at {}", first.steps());
        finish(&mut second);
        assert_same(&second, &whole, &format!("saved at {}", first.steps()));
    }
}

#[test]
fn a_saved_machine_of_other_harts_is_refused() {
    assert!(Machine::load(&mixed().save()).is_ok());
    for harts in [0, 65, usize::MAX] {
        let config = emulator::machine::MachineConfig { harts, ..Default::default() };
        let error = Machine::new(config).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("1 to 64")), "{harts}");
    }
}
