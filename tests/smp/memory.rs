//! What harts see of each other's memory accesses: LR/SC, AMO, plain loads and stores, code.

use crate::program::{DATA, bare, data, finish};
use emulator::machine::Machine;
use isa::PhysAddr;
use isa::platform::RAM_BASE;

/// Every hart runs `work` `rounds` times with `s0` at the data; hart 0 waits for all and powers the machine off.
/// The number of harts lies at data + 0x800, that of those that are ready at + 0x808.
fn all_harts(harts: usize, rounds: u32, work: &str) -> Machine {
    let text = format!(
        "
        la s0, 0x10000
        li32 s1, {rounds}
        li s5, 0
    round:
        {work}
        addi s1, s1, -1
        bnez s1, @round
        # Keep s5 for the test, tell that this hart is ready.
        slli t0, a0, 3
        add t0, t0, s0
        sd s5, 0x400(t0)
        li t1, 1
        addi t0, s0, 2047
        addi t0, t0, 9
        amoadd.d zero, t1, (t0)
        bnez a0, @park
    wait:
        ld t1, 0(t0)
        ld t2, -8(t0)
        bne t1, t2, @wait
        finish
    park:
        wfi
        j @park
    "
    );
    let mut machine = bare(harts, &text);
    let at = RAM_BASE.wrapping_add(DATA + 0x800);
    assert!(machine.write_ram(at, &(harts as u64).to_le_bytes()));
    machine
}

const SPINLOCK: &str = "
    try:
        lr.w.aq t0, (s0)
        bnez t0, @try
        li t1, 1
        sc.w t2, t1, (s0)
        add s5, s5, t2
        bnez t2, @try
        ld t3, 64(s0)
        mul t4, t3, t3
        addi t3, t3, 1
        sd t3, 64(s0)
        amoswap.w.rl zero, zero, (s0)
";

#[test]
fn a_spinlock_protects_a_counter() {
    for harts in [1, 2, 4, 8] {
        let mut machine = all_harts(harts, 3000, SPINLOCK);
        finish(&mut machine);
        assert_eq!(data(&machine, 64), 3000 * harts as u64, "{harts} harts");
        assert_eq!(data(&machine, 0), 0, "the lock is free");
        let failed: u64 = (0..harts as u64).map(|hart| data(&machine, 0x400 + 8 * hart)).sum();
        // A turn that ends between LR and SC loses the reservation; one hart alone never loses it.
        assert_eq!(failed > 0, harts > 1, "{failed} SC failed on {harts} harts");
    }
}

#[test]
fn without_the_lock_increments_are_lost() {
    let unprotected = "
        ld t3, 64(s0)
        mul t4, t3, t3
        addi t3, t3, 1
        sd t3, 64(s0)
    ";
    let mut machine = all_harts(4, 30_000, unprotected);
    finish(&mut machine);
    let count = data(&machine, 64);
    assert!((30_000..120_000).contains(&count), "harts do not interleave: {count}");
}

#[test]
fn amos_lose_nothing() {
    let work = "
        li t0, 1
        amoadd.d t1, t0, (s0)
        addi t2, s0, 64
        amomaxu.d zero, t1, (t2)
        addi t2, s0, 128
        sll t1, t0, a0
        amoxor.w zero, t1, (t2)
    ";
    let mut machine = all_harts(4, 5001, work);
    finish(&mut machine);
    assert_eq!([data(&machine, 0), data(&machine, 64), data(&machine, 128)], [20_004, 20_003, 0b1111]);
}

/// Harts 0 and 1 meet before each round, then run `first` and `second`, each after a delay of its own that changes from
/// round to round. Both leave a bit in `t5`. How often each pair of bits came: index 2 * first + second.
fn litmus(first: &str, second: &str) -> [u64; 4] {
    let text = format!(
        "
        la s0, 0x10000
        li32 s1, 600
        li s2, 0
        addi s6, a0, 1
        li32 s7, 1103515245
    round:
        # Hart 0 clears the variables of the round; the two meet at a counter.
        bnez a0, @meet
        sd zero, 0(s0)
        sd zero, 64(s0)
    meet:
        addi s2, s2, 2
        li t0, 1
        addi t1, s0, 128
        amoadd.d zero, t0, (t1)
    met:
        ld t0, 0(t1)
        blt t0, s2, @met
        # A delay of up to 8191 rounds of an empty loop: some turns.
        mulw s6, s6, s7
        addiw s6, s6, 1013
        srliw t0, s6, 19
    delay:
        addi t0, t0, -1
        bgez t0, @delay
        bnez a0, @other
        {first}
        j @done
    other:
        {second}
    done:
        # Each stores its bit; both meet again; hart 0 counts the pair.
        slli t0, a0, 3
        add t0, t0, s0
        sd t5, 192(t0)
        addi s2, s2, 2
        li t0, 1
        amoadd.d zero, t0, (t1)
    met_again:
        ld t0, 0(t1)
        blt t0, s2, @met_again
        bnez a0, @next
        ld t2, 192(s0)
        slli t2, t2, 1
        ld t3, 200(s0)
        add t2, t2, t3
        slli t2, t2, 3
        add t2, t2, s0
        ld t3, 256(t2)
        addi t3, t3, 1
        sd t3, 256(t2)
    next:
        addi s1, s1, -1
        bnez s1, @round
        bnez a0, @park
        finish
    park:
        wfi
        j @park
    "
    );
    let mut machine = bare(2, &text);
    finish(&mut machine);
    let counts = [0, 1, 2, 3].map(|pair| data(&machine, 256 + 8 * pair));
    assert_eq!(counts.iter().sum::<u64>(), 600);
    counts
}

#[test]
fn store_buffering_is_never_seen() {
    let counts = litmus(
        "li t4, 1
        sd t4, 0(s0)
        ld t5, 64(s0)",
        "li t4, 1
        sd t4, 64(s0)
        ld t5, 0(s0)",
    );
    assert_eq!(counts[0], 0, "both loads passed the other hart's store: {counts:?}");
    assert!(counts[1] > 50 && counts[2] > 50, "each hart is first at times: {counts:?}");
}

#[test]
fn a_message_is_there_when_its_flag_is() {
    // The second hart's bit is set if it saw the flag but not the message.
    let counts = litmus(
        "li t4, 1
        sd t4, 0(s0)
        sd t4, 64(s0)
        li t5, 0",
        "ld t5, 64(s0)
        ld t4, 0(s0)
        xori t4, t4, 1
        and t5, t5, t4",
    );
    assert_eq!(counts, [600, 0, 0, 0]);
}

#[test]
fn loads_do_not_pass_later_stores() {
    let counts = litmus(
        "ld t5, 0(s0)
        li t4, 1
        sd t4, 64(s0)",
        "ld t5, 64(s0)
        li t4, 1
        sd t4, 0(s0)",
    );
    assert!(counts[1] > 50 && counts[2] > 50, "each hart is first at times: {counts:?}");
    assert_eq!(counts[3], 0, "both loads saw the store that came after the other's: {counts:?}");
}

#[test]
fn code_written_by_another_hart_is_run() {
    // Hart 1 calls a function again and again; hart 0 changes what it returns, without a fence.
    let text = "
        la s0, 0x10000
        la s1, @function
        bnez a0, @runner
    told:
        ld t0, 0(s0)
        beqz t0, @told
        la t0, @other
        lwu t0, 0(t0)
        sw t0, 0(s1)
        li t0, 1
        sd t0, 8(s0)
    counted:
        ld t0, 16(s0)
        beqz t0, @counted
        finish
    runner:
        li s3, 0
    loop:
        mv s2, ra
        jalr ra, 0(s1)
        li t0, 1
        sd t0, 0(s0)
        ld t1, 8(s0)
        beqz t1, @loop
        # What was written before must be seen from here on.
        jalr ra, 0(s1)
        sd a1, 16(s0)
    park:
        wfi
        j @park
    function:
        li a1, 1
        ret
    other:
        li a1, 2
    ";
    let mut machine = bare(2, text);
    finish(&mut machine);
    assert_eq!(data(&machine, 16), 2);
}

#[test]
fn a_page_of_data_that_becomes_code_is_watched_for_all_harts() {
    // Hart 0 stores to a page (so that its stores there are fast), hart 1 runs code in that page, then hart 0
    // stores over the code.
    let text = "
        la s0, 0x10000
        la s1, 0x20000
        la t0, @other
        lwu s3, 0(t0)
        lwu s4, 4(t0)
        bnez a0, @runner
        sw s3, 0(s1)
        sw s4, 4(s1)
        sd zero, 256(s1)
        li t0, 1
        sd t0, 0(s0)
    ran:
        ld t0, 8(s0)
        beqz t0, @ran
        addi s3, s3, 0
        lui t1, 0x100
        add t0, s3, t1
        sw t0, 0(s1)
        li t0, 2
        sd t0, 0(s0)
    ran_again:
        ld t0, 16(s0)
        beqz t0, @ran_again
        finish
    runner:
        ld t0, 0(s0)
        beqz t0, @runner
        jalr ra, 0(s1)
        sd a1, 8(s0)
    changed:
        ld t0, 0(s0)
        addi t0, t0, -2
        bnez t0, @changed
        jalr ra, 0(s1)
        sd a1, 16(s0)
    park:
        wfi
        j @park
    other:
        li a1, 5
        ret
    ";
    let mut machine = bare(2, text);
    finish(&mut machine);
    assert_eq!((data(&machine, 8), data(&machine, 16)), (5, 6));
}

#[test]
fn all_harts_start_at_the_reset_address_with_their_number_and_the_device_tree() {
    let text = "
        la s0, 0x10000
        slli t0, a0, 4
        add t0, t0, s0
        csrr t1, mhartid
        sd t1, 0(t0)
        sd a1, 8(t0)
        li t1, 1
        addi t2, s0, 512
        amoadd.d zero, t1, (t2)
        bnez a0, @park
    wait:
        ld t0, 0(t2)
        slti t0, t0, 5
        bnez t0, @wait
        finish
    park:
        wfi
        j @park
    ";
    let mut machine = bare(5, text);
    finish(&mut machine);
    let PhysAddr(tree) = machine.boot_info().unwrap().device_tree;
    for hart in 0..5 {
        assert_eq!((data(&machine, 16 * hart), data(&machine, 16 * hart + 8)), (hart, tree));
    }
}
