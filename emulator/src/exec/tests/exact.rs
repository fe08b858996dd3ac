//! Time: interrupts, budgets and stops at their exact step, the same final state however the run is cut up.

use super::*;
use crate::exec::{MemoryAccess, TlbSide};
use isa::insn::Insn;
use isa::{Trap, VirtAddr};

/// Everything at once: a timer that comes back after a varying time, device accesses, faults, fences, atomics,
/// a store into the loop's own code. The handler is at +0x200.
fn busy() -> Rig {
    let mut rig = Rig::new(&[
        "auipc s0, 0",           // 0x00
        "addi t0, s0, 0x200",    // 0x04
        "csrw mtvec, t0",        // 0x08
        "lui s1, 0x2004",        // 0x0c: mtimecmp
        "li t0, 97",             // 0x10
        "sd t0, (s1)",           // 0x14
        "li t0, 0x80",           // 0x18
        "csrw mie, t0",          // 0x1c
        "csrsi mstatus, 8",      // 0x20
        "lui s2, 0x10000",       // 0x24: the device
        "lui s3, 0x100",         // 0x28
        "add s3, s0, s3",        // 0x2c: data
        "lw t1, 0x3c(s0)",       // 0x30: an instruction of the loop
        "addi a0, a0, 1",        // 0x34: the loop
        "slli a1, a0, 3",        // 0x38
        "addi a2, a2, 3",        // 0x3c: rewritten below
        "xor a3, a3, a2",        // 0x40
        "andi t2, a1, 0x7f8",    // 0x44
        "add t2, s3, t2",        // 0x48
        "amoadd.d a4, a3, (t2)", // 0x4c
        "sd a4, 4(t2)",          // 0x50
        "ld a5, 3(t2)",          // 0x54
        "andi t3, a0, 15",       // 0x58
        "bnez t3, .+24",         // 0x5c
        "ld a6, (s2)",           // 0x60
        "sfence.vma",            // 0x64
        "lui t4, 0x100",         // 0x68
        "add t1, t1, t4",        // 0x6c: another immediate, addi a2, a2, n
        "sw t1, 0x3c(s0)",       // 0x70
        "andi t3, a0, 63",       // 0x74
        "bnez t3, .+8",          // 0x78
        "ecall",                 // 0x7c
        "j .-76",                // 0x80
    ]);
    rig.put(
        RAM_BASE.0 + 0x200,
        &[
            "csrr t5, mcause",
            "bltz t5, .+20",
            "csrr t6, mepc",
            "addi t6, t6, 4",
            "csrw mepc, t6",
            "mret",
            "rdtime t5",
            "andi t6, a3, 63",
            "add t5, t5, t6",
            "addi t5, t5, 30",
            "sd t5, (s1)",
            "rdinstret t6",
            "add s4, s4, t6",
            "sd t5, (s2)",
            "mret",
        ],
    );
    rig
}

const STEPS: u64 = 30_000;

#[test]
fn however_a_run_is_cut_up_it_ends_in_the_same_state() {
    let mut whole = busy();
    assert_eq!(whole.run(STEPS), Exit::Deadline);
    assert!(whole.board.written.len() > 300, "the timer went off {} times", whole.board.written.len());
    let expected = whole.state();
    for limit in [1, 2, 3, 7] {
        let mut rig = busy();
        rig.options.block_limit = limit;
        rig.run(STEPS);
        assert!(rig.state() == expected, "blocks of {limit}");
    }
    for chunk in [1, 13, 101, 997] {
        let mut rig = busy();
        while rig.now.0 < STEPS {
            let until = STEPS.min(rig.now.0 + chunk);
            assert_eq!(rig.run(until), Exit::Deadline);
            assert_eq!(rig.now.0, until);
        }
        assert!(rig.state() == expected, "runs of {chunk} steps");
    }
    for chunk in [1, 7, 89] {
        let mut rig = busy();
        while rig.now.0 < STEPS {
            rig.run(STEPS.min(rig.now.0 + chunk));
            rig.code.clear(&mut rig.ram);
        }
        assert!(rig.state() == expected, "decoded code dropped every {chunk} steps");
    }
    struct Nobody;
    impl Observer for Nobody {}
    let mut observed = busy();
    observed.run_observed(STEPS, &mut Nobody);
    assert!(observed.state() == expected, "observed");
}

#[test]
fn a_saved_hart_goes_on_as_if_it_had_never_been_away() {
    let mut whole = busy();
    whole.run(STEPS);
    for at in [1, 96, 97, 98, 5_000, 29_999] {
        let mut rig = busy();
        rig.run(at);
        let saved = postcard::to_allocvec(&rig.hart).expect("plain data");
        rig.hart = postcard::from_bytes(&saved).expect("what was saved");
        rig.code = CodeCache::new();
        rig.run(STEPS);
        assert!(rig.state() == whole.state(), "saved at {at}");
    }
}

#[test]
fn a_copy_of_a_hart_and_a_new_code_cache_know_nothing_of_the_past() {
    let mut whole = busy();
    whole.run(STEPS);
    let mut rig = busy();
    rig.run(10_000);
    let (hart, ram_at_10_000, now) = (rig.hart.clone(), rig.state().1, rig.now);
    let device = (rig.board.mtimecmp, rig.board.reads, rig.board.written.clone());
    rig.run(20_000);
    // Back to 10,000 with the same cache.
    (rig.hart, rig.now) = (hart, now);
    (rig.board.mtimecmp, rig.board.reads, rig.board.written) = device;
    for (at, page) in ram_at_10_000 {
        assert!(rig.ram.write(PhysAddr(at), &page));
    }
    rig.run(15_000);
    rig.code = CodeCache::new();
    rig.run(STEPS);
    assert!(rig.state() == whole.state());
}

#[test]
fn an_interrupt_comes_before_the_first_instruction_at_its_step() {
    for due in 1..40 {
        let mut rig = Rig::new(&["addi a0, a0, 1"; 64]);
        rig.put(RAM_BASE.0 + 0x200, &["j ."]);
        rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
        rig.hart.csr.mie = Interrupt::MachineTimer.mask();
        rig.hart.csr.mstatus = isa::csr::mstatus::MIE;
        rig.board.mtimecmp = due;
        rig.run(due + 1);
        let seen = (rig.hart.x[A0], rig.hart.csr.mepc, rig.hart.csr.mcause, rig.hart.counters.retired());
        assert_eq!(seen, (due, RAM_BASE.0 + 4 * due, 1 << 63 | 7, due + 1));
    }
}

#[test]
fn an_interrupt_that_is_enabled_is_taken_before_the_next_instruction() {
    let mut rig = Rig::new(&["csrsi mstatus, 8", "addi a0, a0, 1"]);
    rig.put(RAM_BASE.0 + 0x200, &["j ."]);
    rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
    rig.hart.csr.mie = Interrupt::MachineTimer.mask();
    rig.board.mtimecmp = 0;
    rig.run(2);
    assert_eq!((rig.hart.x[A0], rig.hart.csr.mepc), (0, RAM_BASE.0 + 4));
}

#[test]
fn waiting_ends_with_an_interrupt_that_need_not_be_taken() {
    let mut rig = Rig::new(&["wfi", "addi a0, a0, 1"]);
    rig.hart.csr.mie = Interrupt::MachineTimer.mask();
    rig.board.mtimecmp = 50;
    assert_eq!(rig.run(10), Exit::Wfi);
    assert_eq!((rig.now, rig.hart.counters.retired()), (Step(1), 1));
    rig.now = Step(50);
    assert_eq!(rig.run(51), Exit::Deadline);
    assert_eq!((rig.hart.x[A0], rig.hart.counters.retired()), (1, 2));
}

#[test]
fn counters_read_exactly_inside_a_block() {
    let mut rig =
        Rig::new(&["nop", "rdinstret a0", "nop", "rdtime a1", "ld a2, (zero)", "nop", "rdcycle a3"]);
    rig.put(RAM_BASE.0 + 0x200, &["csrr t0, mepc", "addi t0, t0, 4", "csrw mepc, t0", "mret"]);
    rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
    rig.run(11);
    assert_eq!(rig.hart.x[A0..=A3], [1, 3, 0, 9], "a trapped instruction takes a step but does not retire");
    assert_eq!((rig.now.0, rig.hart.counters.retired()), (11, 10));
}

#[test]
fn an_sbi_call_leaves_the_loop_only_from_supervisor_mode() {
    let mut rig = Rig::with_window(&["nop", "ecall", "nop"], &[]);
    rig.hart.sbi_calls_exit = true;
    assert_eq!(rig.run(100), Exit::SbiCall);
    assert_eq!((rig.hart.pc, rig.now.0, rig.hart.counters.retired()), (RAM_BASE.0 + 8, 2, 1));
    let mut rig = Rig::new(&["ecall"]);
    rig.hart.sbi_calls_exit = true;
    rig.hart.csr.mtvec = RAM_BASE.0 + 0x40;
    rig.run(1);
    assert_eq!((rig.hart.csr.mcause, rig.hart.pc), (11, RAM_BASE.0 + 0x40));
}

#[test]
fn a_store_to_a_watched_address_is_made_and_reported() {
    let mut rig = Rig::new(&["li t1, 5", "sw t1, 0x104(t0)", "li t1, 6", "sh t1, 0x102(t0)", "j .-8"]);
    rig.hart.x[5] = RAM_BASE.0;
    let base = PhysAddr(RAM_BASE.0 + 0x100);
    rig.options.watch = vec![isa::platform::Region { base, len_bytes: 4 }];
    let pa = PhysAddr(base.0 + 2);
    assert_eq!(rig.run(100), Exit::Watch { pa, width_bytes: 2, value: 6 });
    assert_eq!((rig.now.0, rig.hart.pc), (4, RAM_BASE.0 + 16));
    assert_eq!(rig.word_at(base.0), 0x5_0006_0000);
    rig.run(6);
    assert_eq!(rig.run(100), Exit::Watch { pa, width_bytes: 2, value: 6 });
}

#[test]
fn a_device_that_asks_for_a_stop_gets_it_at_once() {
    let mut rig = Rig::new(&["nop", "sd zero, (t0)", "addi a0, a0, 1"]);
    rig.hart.x[5] = DEVICE;
    rig.board.stop = true;
    assert_eq!(rig.run(100), Exit::StopRequested);
    rig.board.stop = false;
    rig.run(2);
    assert_eq!((rig.board.written.len(), rig.hart.x[A0]), (1, 0));
}

/// Notes what it is told as lines of text.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    stop_at: Option<u64>,
}

impl Observer for Notes {
    fn before(&mut self, hart: &Hart, _: Step) -> core::ops::ControlFlow<()> {
        if self.stop_at == Some(hart.pc) {
            self.stop_at = None;
            return core::ops::ControlFlow::Break(());
        }
        core::ops::ControlFlow::Continue(())
    }
    fn retired(&mut self, _: &Hart, now: Step, pc: VirtAddr, insn: &Insn) {
        self.lines.push(format!("{now} {:#x} {}", pc.0 - RAM_BASE.0, insn.op.name()));
    }
    fn memory(&mut self, a: MemoryAccess) {
        self.lines.push(format!(
            "{:?} {} {:#x}={:#x}",
            a.access,
            a.width_bytes,
            a.va.0 - RAM_BASE.0,
            a.value
        ));
    }
    fn tlb_miss(&mut self, side: TlbSide, va: VirtAddr, _: u16, pa: Option<PhysAddr>) {
        self.lines.push(format!("miss {side:?} {va} {}", pa.is_some()));
    }
    fn exception(&mut self, _: &Hart, now: Step, pc: VirtAddr, trap: Trap) {
        self.lines.push(format!("{now} {:#x} {}", pc.0 - RAM_BASE.0, trap.exception.name()));
    }
}

#[test]
fn an_observer_is_told_of_everything_in_order() {
    let mut rig = Rig::new(&["sb t0, 0x101(t0)", "amoadd.w a0, a0, (t1)", "ecall", "nop"]);
    (rig.hart.x[5], rig.hart.x[6]) = (RAM_BASE.0, RAM_BASE.0 + 0x100);
    rig.hart.csr.mtvec = RAM_BASE.0 + 12;
    rig.hart.x[A0] = 0x300;
    let mut notes = Notes { stop_at: Some(RAM_BASE.0 + 8), ..Notes::default() };
    assert_eq!(rig.run_observed(4, &mut notes), Exit::Breakpoint);
    assert_eq!((rig.now.0, rig.hart.pc), (2, RAM_BASE.0 + 8));
    assert_eq!(rig.run_observed(4, &mut notes), Exit::Deadline);
    let expected = [
        "Store 1 0x101=0x0",
        "1 0x0 sb",
        "Load 4 0x100=0x0",
        "Store 4 0x100=0x300",
        "2 0x4 amoadd.w",
        "3 0x8 environment call from M-mode",
        "4 0xc addi",
    ];
    assert_eq!(notes.lines, expected);
}
