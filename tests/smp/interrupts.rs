//! Interrupts between harts: CLINT, PLIC contexts, timers; and harts that wait.

use crate::program::{FOREVER, bare, data, finish};
use emulator::machine::{HartState, Machine, QUANTUM_STEPS, StopReason};
use isa::Step;

#[test]
fn harts_interrupt_each_other_through_the_clint() {
    // A token goes round all harts by `msip`, ten times; hart 0 starts it and counts.
    let text = "
        la s0, 0x10000
        la t0, @handler
        csrw mtvec, t0
        li t0, 8
        csrw mie, t0
        lui s1, 0x2000
        slli s2, a0, 2
        add s2, s2, s1
        li s3, 0
        bnez a0, @rest
        sw zero, 0(s2)
        j @pass
    rest:
        csrsi mstatus, 8
        wfi
        j @rest
    handler:
        sw zero, 0(s2)
        addi s3, s3, 1
        slli t0, a0, 3
        add t0, t0, s0
        sd s3, 0(t0)
        bnez a0, @pass
        addi t0, s3, -10
        bnez t0, @pass
        finish
    pass:
        # To the next hart: four bytes on, or back to hart 0.
        addi t1, a0, 1
        andi t1, t1, 3
        slli t1, t1, 2
        add t1, t1, s1
        li t0, 1
        sw t0, 0(t1)
        csrsi mstatus, 8
        la t0, @rest
        csrw mepc, t0
        lui t0, 2
        addi t0, t0, -2048
        csrs mstatus, t0
        mret
    ";
    let mut machine = bare(4, text);
    finish(&mut machine);
    assert_eq!([0, 1, 2, 3].map(|hart| data(&machine, 8 * hart)), [10; 4]);
    // One hart runs at a time and the others wait: no turn is used up, so the token costs its instructions only.
    assert!(machine.steps() < Step(2500), "{}", machine.steps());
}

/// Each hart sets its timer to 10 ticks times (its number + 1), waits, and stores the time at which it woke.
const TIMERS: &str = "
        la s0, 0x10000
        lui s1, 0x2004
        slli t0, a0, 3
        add s1, s1, t0
        addi t1, a0, 1
        li t2, 10
        mul t1, t1, t2
        sd t1, 0(s1)
        li t0, 128
        csrw mie, t0
    wait:
        wfi
        csrr t1, mip
        andi t1, t1, 128
        beqz t1, @wait
        csrr t1, time
        slli t0, a0, 3
        add t0, t0, s0
        sd t1, 0(t0)
        csrw mie, zero
        addi t0, a0, -3
        beqz t0, @last
    park:
        wfi
        j @park
    last:
        finish
";

#[test]
fn each_hart_has_its_own_timer() {
    let mut machine = bare(4, TIMERS);
    finish(&mut machine);
    assert_eq!([0, 1, 2, 3].map(|hart| data(&machine, 8 * hart)), [10, 20, 30, 40]);
    assert_eq!(machine.steps().0 / 100, 40, "idle time is skipped, and no more than that");
}

#[test]
fn a_timer_interrupts_a_hart_at_the_start_of_its_turn_at_the_latest() {
    // Hart 0 never rests; hart 1's timer comes due in the middle of hart 0's turns.
    let text = "
        la s0, 0x10000
        bnez a0, @sleeper
    spin:
        ld t0, 0(s0)
        beqz t0, @spin
        finish
    sleeper:
        lui s1, 0x2004
        li t1, 222
        sd t1, 8(s1)
        li t0, 128
        csrw mie, t0
        wfi
        csrr t0, time
        sd t0, 0(s0)
    park:
        wfi
        j @park
    ";
    let mut machine = bare(2, text);
    finish(&mut machine);
    let (due, woken) = (222, data(&machine, 0));
    assert!((due..=due + QUANTUM_STEPS / 100).contains(&woken), "woken at {woken}");
}

#[test]
fn the_plic_has_two_contexts_for_each_hart() {
    // The alarm of the clock (source 11) goes to hart 2's machine context alone.
    let text = "
        la s0, 0x10000
        lui s1, 0xc000
        li t0, 1
        slli t2, t0, 11
        csrw mie, t2
        addi t1, a0, -2
        bnez t1, @park
        sw t0, 44(s1)
        lui t1, 0xc002
        sw t2, 512(t1)
        # Alarm: 5000 ns from now.
        lui s2, 0x101
        lwu t0, 0(s2)
        lwu t1, 4(s2)
        li32 t3, 5000
        add t0, t0, t3
        sw t1, 12(s2)
        sw t0, 8(s2)
        li t0, 1
        sw t0, 16(s2)
        wfi
        lui t1, 0xc204
        lwu t0, 4(t1)
        sd t0, 0(s0)
        finish
    park:
        wfi
        addi s3, s3, 1
        j @park
    ";
    let mut machine = bare(4, text);
    finish(&mut machine);
    assert_eq!(data(&machine, 0), 11);
    let woken: Vec<u64> = machine.harts().iter().map(|hart| hart.x[19]).collect();
    assert_eq!(woken, [0; 4], "no other hart was woken");
}

/// Two harts answer each other a hundred times, spinning on a word with `spin` in the loop (`t1` is the word's address); the
/// steps it took.
fn ping_pong(spin: &str) -> Step {
    let text = format!(
        "
        la s0, 0x10000
        li s1, 100
        bnez a0, @second
    ping:
        sd s1, 0(s0)
        addi t1, s0, 8
    pong:
        {spin}
        ld t0, 8(s0)
        bne t0, s1, @pong
        addi s1, s1, -1
        bnez s1, @ping
        finish
    second:
        mv t1, s0
        {spin}
        ld t0, 0(s0)
        bne t0, s1, @second
        sd s1, 8(s0)
        addi s1, s1, -1
        bnez s1, @second
    park:
        wfi
        j @park
    "
    );
    let mut machine = bare(2, &text);
    finish(&mut machine);
    machine.steps()
}

#[test]
fn a_spinning_hart_gives_its_turn_away() {
    for (spin, gives_away) in [
        ("pause", true),
        ("lr.d t2, (t1)\n wrs.nto", true),
        ("lr.d t2, (t1)\n wrs.sto", true),
        // Without a reservation there is nothing to wait for.
        ("wrs.nto", false),
        ("nop", false),
    ] {
        let steps = ping_pong(spin);
        let expected = if gives_away { 0..3000 } else { 190 * QUANTUM_STEPS..u64::MAX };
        assert!(expected.contains(&steps.0), "{spin}: {steps}");
    }
}

fn states(machine: &Machine) -> Vec<HartState> {
    (0..machine.harts().len()).map(|hart| machine.hart_state(hart).unwrap()).collect()
}

#[test]
fn a_machine_whose_harts_all_wait_for_ever_is_idle() {
    let mut machine = bare(4, "wfi\n j .-4");
    assert_eq!(machine.run(FOREVER), StopReason::Idle);
    assert_eq!((machine.steps(), states(&machine)), (Step(4), vec![HartState::Waiting; 4]));
    assert_eq!(machine.run(FOREVER), StopReason::Idle);
    assert_eq!(machine.instructions(), 4);
    assert_eq!(machine.hart_state(4), None);
}

#[test]
fn turns_go_round_and_waiting_harts_cost_nothing() {
    // Hart 2 waits at once; the others count.
    let text = "
        addi t0, a0, -2
        bnez t0, @count
    park:
        wfi
        j @park
    count:
        addi s3, s3, 1
        j @count
    ";
    let mut machine = bare(4, text);
    assert_eq!(machine.run(Step(9 * QUANTUM_STEPS + 3)), StopReason::Fuel);
    let retired: Vec<u64> = machine.harts().iter().map(|hart| hart.counters.retired()).collect();
    let q = QUANTUM_STEPS;
    assert_eq!(retired, [3 * q, 3 * q, 3, 3 * q]);
    use HartState::{Ready, Running, Waiting};
    assert_eq!(states(&machine), [Running, Ready, Waiting, Ready]);
}
