//! The built-in SBI on several harts: HSM, IPI, RFENCE, FWFT, legacy calls.

use crate::program::{DATA, FOREVER, finish, sbi_data, under_sbi};
use emulator::machine::{HartState, StopReason};
use isa::PhysAddr;
use isa::platform::KERNEL_BASE;
use isa::sbi::*;

/// Calls `extension`, `function`; stores error and value at `s0 + offset`. Arguments are in place already.
fn call(extension: u64, function: u64, offset: u64) -> String {
    format!(
        "li32 a7, {extension}
        li a6, {function}
        ecall
        sd a0, {offset}(s0)
        sd a1, {}(s0)
        ",
        offset + 8
    )
}

fn answer(machine: &emulator::machine::Machine, offset: u64) -> (i64, i64) {
    (sbi_data(machine, offset).cast_signed(), sbi_data(machine, offset + 8).cast_signed())
}

#[test]
fn harts_are_started_stopped_and_started_again() {
    let (status, start) = (|at| call(EID_HSM, 2, at), |at| call(EID_HSM, 0, at));
    let text = format!(
        "
        la s0, 0x10000
        li a0, 1
        {status_before}
        # No such hart; no such address; an odd address.
        li a0, 9
        la a1, @second
        li a2, 42
        {no_hart}
        li a0, 1
        li a1, 0
        {no_address}
        li a0, 1
        la a1, @second
        addi a1, a1, 1
        {odd_address}
        li a0, 1
        la a1, @second
        li a2, 42
        {started}
        li a0, 1
        la a1, @second
        {again}
        # It runs, then stops itself.
    runs:
        ld t0, 512(s0)
        beqz t0, @runs
    stops:
        li a0, 1
        {status_after}
        addi a1, a1, -1
        bnez a1, @stops
        sd zero, 512(s0)
        li a0, 1
        la a1, @second
        li a2, 43
        {restarted}
    runs_again:
        ld t0, 512(s0)
        beqz t0, @runs_again
        li a0, 0
        {own_status}
        finish
    second:
        la s0, 0x10000
        csrr t0, satp
        csrr t1, sstatus
        andi t1, t1, 2
        sd a0, 520(s0)
        sd a1, 528(s0)
        or t0, t0, t1
        sd t0, 536(s0)
        li t0, 1
        sd t0, 512(s0)
        csrr t0, sip
        sd t0, 552(s0)
        # Dirty state, which the next start must not see.
        csrsi sip, 2
        csrsi sstatus, 2
        li32 a7, {EID_HSM}
        li a6, 1
        ecall
        sd a7, 544(s0)
    ",
        status_before = status(0),
        no_hart = start(16),
        no_address = start(32),
        odd_address = start(48),
        started = start(64),
        again = start(80),
        status_after = status(96),
        restarted = start(112),
        own_status = status(128),
    );
    let mut machine = under_sbi(2, &text);
    assert_eq!(machine.hart_state(1), Some(HartState::Stopped));
    finish(&mut machine);
    for (offset, expected) in [
        (0, (SUCCESS, HART_STOPPED)),
        (16, (ERR_INVALID_PARAM, 0)),
        (32, (ERR_INVALID_ADDRESS, 0)),
        (48, (ERR_INVALID_ADDRESS, 0)),
        (64, (SUCCESS, 0)),
        (80, (ERR_ALREADY_AVAILABLE, 0)),
        (112, (SUCCESS, 0)),
        (128, (SUCCESS, HART_STARTED)),
    ] {
        assert_eq!(answer(&machine, offset), expected, "the call at {offset}");
    }
    assert_eq!([520, 528, 536, 544, 552].map(|at| sbi_data(&machine, at)), [1, 43, 0, 0, 0]);
}

#[test]
fn when_the_last_hart_stops_the_machine_is_idle() {
    let text = format!(
        "
        li a0, 1
        la a1, @second
        li32 a7, {EID_HSM}
        li a6, 0
        ecall
    second:
        li32 a7, {EID_HSM}
        li a6, 1
        ecall
        finish
    "
    );
    let mut machine = under_sbi(2, &text);
    assert_eq!(machine.run(FOREVER), StopReason::Idle);
    assert_eq!([0, 1].map(|hart| machine.hart_state(hart)), [Some(HartState::Stopped); 2]);
}

/// Starts hart 1 at `second`; both get `s0` at the data.
const TWO: &str = "
        la s0, 0x10000
        li a0, 1
        la a1, @second
        li32 a7, 0x48534d
        li a6, 0
        ecall
        j @first
    second:
        la s0, 0x10000
        j @other
    first:
";

#[test]
fn an_ipi_wakes_a_suspended_hart() {
    // Hart 1 suspends, retentive first, then not; hart 0 waits until it sees that, and sends an IPI.
    let text = format!(
        "{TWO}
        li s2, 0
    next:
        li a0, 1
        {status}
        addi a1, a1, -4
        bnez a1, @next
        li a0, 2
        li a1, 0
        {ipi}
        addi s2, s2, 1
    woken:
        ld t0, 512(s0)
        bne t0, s2, @woken
        addi t0, s2, -2
        bnez t0, @next
        finish
    other:
        li t0, 2
        csrw sie, t0
        li s4, 7
        li32 a0, {SUSPEND_RETENTIVE}
        {suspend}
        sd s4, 64(s0)
        csrw sip, zero
        li t0, 1
        sd t0, 512(s0)
        csrsi sstatus, 2
        la t0, @not_here
        csrw stvec, t0
        li a0, 1
        slli a0, a0, 31
        la a1, @resumed
        li a2, 77
        {suspend_non_retentive}
    not_here:
        sd s4, 520(s0)
    resumed:
        la s0, 0x10000
        sd a0, 72(s0)
        sd a1, 80(s0)
        csrr t0, sstatus
        andi t0, t0, 2
        sd t0, 88(s0)
        li t0, 2
        sd t0, 512(s0)
    park:
        csrw sie, zero
        wfi
        j @park
    ",
        status = call(EID_HSM, 2, 0),
        ipi = call(EID_IPI, 0, 16),
        suspend = call(EID_HSM, 3, 32),
        suspend_non_retentive = call(EID_HSM, 3, 96),
    );
    let mut machine = under_sbi(2, &text);
    finish(&mut machine);
    assert_eq!((answer(&machine, 16), answer(&machine, 32)), ((0, 0), (0, 0)));
    assert_eq!([64, 72, 80, 88, 520].map(|at| sbi_data(&machine, at)), [7, 1, 77, 0, 0]);
}

#[test]
fn suspend_types_that_are_not_there_are_refused() {
    let text = format!(
        "
        la s0, 0x10000
        li a0, 1
        {reserved}
        li a0, 1
        slli a0, a0, 31
        li a1, 0
        {bad_address}
        finish
    ",
        reserved = call(EID_HSM, 3, 0),
        bad_address = call(EID_HSM, 3, 16),
    );
    let mut machine = under_sbi(1, &text);
    finish(&mut machine);
    assert_eq!(answer(&machine, 0), (ERR_INVALID_PARAM, 0));
    assert_eq!(answer(&machine, 16), (ERR_INVALID_ADDRESS, 0));
}

/// Hart 1 reads a page through its TLB while hart 0 makes its entry point elsewhere: what hart 1 read at first,
/// after the change, and after `fence`.
fn reads_around(fence: &str) -> [u64; 3] {
    let text = format!(
        "{TWO}
    mapped:
        ld t0, 0(s0)
        beqz t0, @mapped
        # The entry lies in the third table; the other page's entry is ready at 64.
        la t0, 0x13000
        ld t1, 64(s0)
        sd t1, 0(t0)
        li t0, 2
        sd t0, 8(s0)
    seen:
        ld t0, 0(s0)
        addi t0, t0, -2
        bnez t0, @seen
        {fence}
        sd a0, 120(s0)
        li t0, 3
        sd t0, 8(s0)
    done:
        ld t0, 0(s0)
        addi t0, t0, -3
        bnez t0, @done
        finish
    other:
        la t0, 0x11000
        srli t0, t0, 12
        li t1, 1
        slli t1, t1, 63
        or t0, t0, t1
        csrw satp, t0
        sfence.vma zero, zero
        lui s1, 0x40000
        ld t1, 0(s1)
        sd t1, 128(s0)
        li t0, 1
        sd t0, 0(s0)
    changed:
        ld t0, 8(s0)
        addi t0, t0, -2
        bnez t0, @changed
        ld t1, 0(s1)
        sd t1, 136(s0)
        li t0, 2
        sd t0, 0(s0)
    fenced:
        ld t0, 8(s0)
        addi t0, t0, -3
        bnez t0, @fenced
        ld t1, 0(s1)
        sd t1, 144(s0)
        li t0, 3
        sd t0, 0(s0)
    park:
        wfi
        j @park
    "
    );
    let mut machine = under_sbi(2, &text);
    let base = KERNEL_BASE.0 + DATA;
    let mut put = |at: u64, value: u64| assert!(machine.write_ram(PhysAddr(at), &value.to_le_bytes()));
    let table = |at: u64| at >> 12 << 10 | 1;
    let page = |at: u64| at >> 12 << 10 | 0xcf;
    // RAM at its own place, and a page at 0x4000_0000.
    put(base + 0x1000 + 2 * 8, page(0x8000_0000));
    put(base + 0x1000 + 8, table(base + 0x2000));
    put(base + 0x2000, table(base + 0x3000));
    put(base + 0x3000, page(base + 0x4000));
    put(base + 64, page(base + 0x5000));
    put(base + 0x4000, 111);
    put(base + 0x5000, 222);
    put(base + 24, 0b10);
    finish(&mut machine);
    assert_eq!(sbi_data(&machine, 120), 0, "the call succeeds");
    [128, 136, 144].map(|at| sbi_data(&machine, at))
}

#[test]
fn a_remote_fence_makes_a_changed_entry_visible() {
    let rfence = |function: u64, mask: u64, start: &str, len: u64, asid: u64| {
        format!(
            "li a0, {mask}
            li a1, 0
            {start}
            li32 a3, {len}
            li a4, {asid}
            li32 a7, {EID_RFENCE}
            li a6, {function}
            ecall"
        )
    };
    let everything = "li a2, 0";
    let page = "lui a2, 0x40000";
    let other_page = "lui a2, 0x50000";
    let legacy = |eid: u64, rest: &str| format!("addi a0, s0, 24\n {rest}\n li a7, {eid}\n ecall");
    for (what, fence, last) in [
        ("nothing", "li a0, 0".to_owned(), 111),
        ("all of hart 1", rfence(1, 2, everything, 0, 0), 222),
        ("the page", rfence(1, 2, page, 0x1000, 0), 222),
        ("a range that ends in the page", rfence(1, 2, "li32 a2, 0x3ffff000", 0x1001, 0), 222),
        ("a range that ends before the page", rfence(1, 2, "li32 a2, 0x3ffff000", 0x1000, 0), 111),
        ("another page", rfence(1, 2, other_page, 0x1000, 0), 111),
        ("the page in its address space", rfence(2, 2, page, 0x1000, 0), 222),
        ("the page in another address space", rfence(2, 2, page, 0x1000, 5), 111),
        ("the wrong hart", rfence(1, 1, everything, 0, 0), 111),
        ("instructions", rfence(0, 2, everything, 0, 0), 111),
        ("all, by the legacy call", legacy(6, "li a1, 0\n li a2, 0"), 222),
        ("the page, by the legacy call", legacy(7, "lui a1, 0x40000\n lui a2, 1\n li a3, 0"), 222),
        ("another page, by the legacy call", legacy(6, "lui a1, 0x50000\n lui a2, 1"), 111),
    ] {
        // The TLB keeps what it has until it is fenced.
        assert_eq!(reads_around(&fence), [111, 111, last], "a fence of {what}");
    }
}

#[test]
fn legacy_calls_send_and_clear_ipis_and_answer_in_a0_alone() {
    let text = format!(
        "{TWO}
        li t0, 2
        sd t0, 24(s0)
    sleeps:
        ld t0, 512(s0)
        beqz t0, @sleeps
        addi a0, s0, 24
        li a1, 55
        {send}
    woken:
        ld t0, 520(s0)
        beqz t0, @woken
        # To itself: all harts are meant. Then clear it, twice.
        li a0, 0
        {send_all}
        csrr t0, sip
        sd t0, 528(s0)
        li a1, 56
        {clear}
        {clear_again}
        # A list that is nowhere: the call faults.
        la t0, @faulted
        csrw stvec, t0
        li a0, 8
        la s5, @faulting
        li a7, 4
    faulting:
        ecall
    faulted:
        csrr t0, sepc
        sub t0, t0, s5
        sd t0, 536(s0)
        csrr t0, scause
        sd t0, 544(s0)
        csrr t0, stval
        sd t0, 552(s0)
        finish
    other:
        li t0, 2
        csrw sie, t0
        sd t0, 512(s0)
        wfi
        sd t0, 520(s0)
    park:
        csrw sie, zero
        wfi
        j @park
    ",
        send = call(LEGACY_SEND_IPI, 0, 64),
        send_all = call(LEGACY_SEND_IPI, 0, 80),
        clear = call(LEGACY_CLEAR_IPI, 0, 96),
        clear_again = call(LEGACY_CLEAR_IPI, 0, 112),
    );
    let mut machine = under_sbi(2, &text);
    finish(&mut machine);
    for (offset, expected) in [(64, (0, 55)), (96, (1, 56)), (112, (0, 56))] {
        assert_eq!(answer(&machine, offset), expected, "the call at {offset}");
    }
    assert_eq!([528, 536, 544, 552].map(|at| sbi_data(&machine, at)), [2, 0, 5, 8]);
}

#[test]
fn firmware_features_are_set_read_and_locked() {
    let (set, get) = (|at| call(EID_FWFT, 0, at), |at| call(EID_FWFT, 1, at));
    let arguments = |feature: u64, value: u64, flags: u64| {
        format!("li32 a0, {feature}\n li a1, {value}\n li a2, {flags}\n")
    };
    let ad = u64::from(fwft::PTE_AD_HW_UPDATING);
    let rows = [
        (arguments(ad, 0, 0) + &get(0), (SUCCESS, 0)),
        (arguments(ad, 2, 0) + &set(16), (ERR_INVALID_PARAM, 0)),
        (arguments(ad, 1, 2) + &set(32), (ERR_INVALID_PARAM, 0)),
        (arguments(ad, 1, 0) + &set(48), (SUCCESS, 0)),
        (arguments(ad, 0, 0) + &get(64), (SUCCESS, 1)),
        (arguments(ad, 0, 1) + &set(80), (SUCCESS, 0)),
        (arguments(ad, 1, 0) + &set(96), (ERR_DENIED_LOCKED, 0)),
        (arguments(ad, 0, 0) + &get(112), (SUCCESS, 0)),
        (arguments(0, 0, 0) + &get(128), (SUCCESS, 1)),
        (arguments(0, 0, 0) + &set(144), (SUCCESS, 0)),
        (arguments(0, 0, 0) + &get(160), (SUCCESS, 0)),
        (arguments(5, 7, 0) + &set(176), (ERR_NOT_SUPPORTED, 0)),
        (arguments(1, 0, 0) + &get(192), (ERR_NOT_SUPPORTED, 0)),
        (arguments(6, 0, 0) + &set(208), (ERR_DENIED, 0)),
        (arguments(0x4000_0000, 0, 0) + &get(224), (ERR_DENIED, 0)),
        (arguments(0, 0, 0) + &call(EID_FWFT, 2, 240), (ERR_NOT_SUPPORTED, 0)),
    ];
    let calls: String = rows.iter().map(|(text, _)| text.as_str()).collect();
    let mut machine = under_sbi(1, &format!("la s0, 0x10000\n {calls} finish"));
    finish(&mut machine);
    for ((text, expected), offset) in rows.iter().zip((0..).step_by(16)) {
        assert_eq!(answer(&machine, offset), *expected, "{text}");
    }
}

#[test]
fn hardware_sets_a_and_d_once_the_feature_is_on() {
    // Loads and stores through an entry without A and D; its flags before and after the feature is on.
    let text = format!(
        "
        la s0, 0x10000
        la t0, 0x11000
        srli t0, t0, 12
        li t1, 1
        slli t1, t1, 63
        or t0, t0, t1
        csrw satp, t0
        la t0, @fault
        csrw stvec, t0
        lui s1, 0x40000
        sd zero, 0(s1)
        li a0, 4
        li a1, 1
        li a2, 0
        {set}
        sd zero, 0(s1)
        j @end
    fault:
        csrr t0, scause
        sd t0, 8(s0)
        csrr t0, sepc
        addi t0, t0, 4
        csrw sepc, t0
        sret
    end:
        finish
    ",
        set = call(EID_FWFT, 0, 16),
    );
    let mut machine = under_sbi(1, &text.replace("finish", "li a7, 8\n ecall"));
    let base = KERNEL_BASE.0 + DATA;
    let mut put = |at: u64, value: u64| assert!(machine.write_ram(PhysAddr(at), &value.to_le_bytes()));
    put(base + 0x1000 + 2 * 8, 0x8000_0000 >> 12 << 10 | 0xcf);
    put(base + 0x1000 + 8, (base + 0x2000) >> 12 << 10 | 1);
    put(base + 0x2000, (base + 0x3000) >> 12 << 10 | 1);
    put(base + 0x3000, (base + 0x4000) >> 12 << 10 | 0x07);
    assert_eq!(machine.run(FOREVER), StopReason::SbiShutdown(0));
    assert_eq!((sbi_data(&machine, 8), answer(&machine, 16)), (15, (0, 0)));
    assert_eq!(sbi_data(&machine, 0x3000) & 0xff, 0xc7);
}
