//! What rows cannot show: interrupt lines from outside, the supervisor's timer in time, entries written by the walker.

use super::*;
use isa::csr::{menvcfg, mstatus};

const HANDLER: u64 = RAM_BASE.0 + 0x200;
const STIP: u64 = Interrupt::SupervisorTimer.mask();
const SEIP: u64 = Interrupt::SupervisorExternal.mask();
const SSIP: u64 = Interrupt::SupervisorSoftware.mask();

/// A hart in S-mode whose own timer is on, delegated and enabled, with a handler that stands still.
fn with_timer(program: &[&str], due: u64) -> Rig {
    let mut rig = Rig::new(program);
    rig.put(HANDLER, &["j ."]);
    rig.hart.privilege = Privilege::Supervisor;
    let csr = &mut rig.hart.csr;
    (csr.stvec, csr.mideleg, csr.mie) = (HANDLER, STIP, STIP);
    (csr.mstatus, csr.menvcfg, csr.mcounteren) = (mstatus::SIE, menvcfg::STCE, 2);
    csr.stimecmp = due;
    rig
}

#[test]
fn the_supervisors_timer_interrupts_before_the_first_instruction_at_its_step() {
    for due in 1..40 {
        let mut rig = with_timer(&["addi a0, a0, 1"; 64], due);
        rig.run(due + 1);
        let seen = (rig.hart.x[A0], rig.hart.csr.sepc, rig.hart.csr.scause, rig.hart.counters.retired());
        assert_eq!(seen, (due, RAM_BASE.0 + 4 * due, 1 << 63 | 5, due + 1));
    }
}

#[test]
fn a_timer_that_is_set_in_a_block_comes_in_time() {
    // The write is step 3; the handler's first instruction that of the step which is written.
    for due in 0..20 {
        let program = ["nop", "nop", "addi a1, a1, 0", "csrw stimecmp, a1"].into_iter();
        let program: Vec<&str> = program.chain(["addi a0, a0, 1"; 40]).collect();
        let mut rig = with_timer(&program, u64::MAX);
        rig.hart.x[11] = due;
        rig.run(60);
        let first = due.max(4);
        assert_eq!((rig.hart.x[A0], rig.hart.csr.sepc), (first - 4, RAM_BASE.0 + 4 * first), "due {due}");
    }
}

#[test]
fn waiting_for_the_timer_ends_when_it_is_due() {
    let mut rig = with_timer(&["wfi", "addi a0, a0, 1"], 50);
    rig.hart.csr.mstatus = 0;
    assert_eq!(rig.run(10), Exit::Wfi);
    rig.now = Step(49);
    assert_eq!(rig.run(60), Exit::Wfi);
    rig.now = Step(50);
    assert_eq!(rig.run(51), Exit::Deadline);
    assert_eq!(rig.hart.x[A0], 1);
}

#[test]
fn the_timer_hides_what_software_has_set_and_gives_it_back() {
    let mut rig = Rig::new(&[
        "csrs mip, a1",
        "csrr a2, mip",
        "csrw menvcfg, a3",
        "csrr a4, mip",
        "csrc mip, a1",
        "csrw menvcfg, zero",
        "csrr a5, mip",
    ]);
    (rig.hart.x[11], rig.hart.x[13]) = (STIP, menvcfg::STCE);
    rig.hart.csr.stimecmp = u64::MAX;
    rig.run(7);
    assert_eq!([12, 14, 15].map(|n: usize| rig.hart.x[n]), [STIP, 0, STIP]);
}

#[test]
fn a_line_is_read_as_pending_but_never_becomes_softwares_own() {
    // Set and clear start from what software has set, whatever the line says (manual, "mip and mie").
    let mut rig = Rig::new(&["csrrs a2, mip, a1", "csrr a3, mip", "csrrc a4, mip, a5", "csrr a6, mip"]);
    rig.board.lines = SEIP;
    (rig.hart.x[11], rig.hart.x[15]) = (SSIP, SEIP);
    rig.run(4);
    let seen = [12, 13, 14, 16].map(|n: usize| rig.hart.x[n]);
    assert_eq!(seen, [SEIP, SEIP | SSIP, SEIP | SSIP, SEIP | SSIP]);
    assert_eq!(rig.hart.csr.mip_software, SSIP);
    let mut rig = Rig::new(&["csrw mip, a1", "csrr a2, mip", "csrw mip, zero", "csrr a3, mip"]);
    rig.board.lines = SEIP;
    rig.hart.x[11] = SEIP;
    rig.run(4);
    assert_eq!((rig.hart.x[12], rig.hart.x[13]), (SEIP, SEIP));
}

#[test]
fn a_and_d_are_set_in_an_entry_that_lies_among_running_code() {
    // The entry of the window's page is moved next to the code: the walker's store drops the block that runs.
    let mut rig = Rig::with_window(&["sd a0, (a1)", "addi a2, a2, 1"], &[(0, 0, ALL)]);
    let table = Pte::new(RAM_BASE.page(), PteFlags::V);
    rig.set_pte(TABLES + 0x1000, table);
    // Page 1 of the window: the entry is the double word after the two instructions.
    let entry = Pte::new(Ppn(FRAMES >> 12), ALL - PteFlags::A - PteFlags::D);
    rig.set_pte(RAM_BASE.0 + 8, entry);
    rig.hart.csr.menvcfg = menvcfg::ADUE;
    (rig.hart.x[A0], rig.hart.x[11]) = (7, WINDOW + 0x1000);
    rig.run(2);
    assert_eq!((rig.word_at(FRAMES), rig.hart.x[12]), (7, 1));
    assert_eq!(rig.word_at(RAM_BASE.0 + 8), entry.0 | (PteFlags::A | PteFlags::D).bits());
}
