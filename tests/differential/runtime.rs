//! The code around the cases: the entry, the handlers of traps, and what prepares a case and counts its passes.
//!
//! The runtime uses `x29`, `x30` and `x31` and relies on no register. A handler reads everything that a trap leaves (so
//! the log shows it), and goes on after the instruction. The `ebreak` at the end of a case's code, and an instruction
//! that cannot be fetched, end the pass.

use isa::Privilege;

use crate::case::{Case, REGISTERS};
use crate::layout::{END, NEXT, PASSES, RUNTIME, Slot, TOHOST, VARIABLES};
use crate::spike_support::{Program, elf};

/// The handler of traps to S-mode; that of M-mode comes first.
const HANDLER_M: u64 = RUNTIME + 0x200;
pub const HANDLER_S: u64 = RUNTIME + 0x400;
/// Where all ends.
const FINISH: u64 = RUNTIME + 0x600;
/// The handlers of cases with PMP entries of their own.
const GUARDED_M: u64 = RUNTIME + 0x800;
const GUARDED_S: u64 = RUNTIME + 0xa00;
/// PMP entry 0, locked: nothing below RAM may be touched, where the two machines have different devices.
pub const PROTECT_DEVICES: u8 = 0x98;
/// A PMP entry that opens what it matches (here, its address being all ones, everything) to every mode.
pub const OPEN_ALL: u8 = 0x1f;
/// `t4` becomes what switches PMP entry 1 on in `pmpcfg0`, so that those of the case mean nothing.
const SWITCH: [&str; 2] = ["lui t4, 2", "addi t4, t4, -256"];
/// Offsets in a slot's block: `f0..f31`, `x1..x28`, CSRs, masks of the entries that change, then these.
const F_AT: u64 = 0;
const X_AT: u64 = 0x100;
const CSRS_AT: u64 = 0x200;
const MASKS_AT: u64 = 0x300;
const END_AT: u64 = 0x380;
const START_AT: u64 = 0x388;
const STATUS_AT: u64 = 0x390;
const FCSR_AT: u64 = 0x398;

/// The ELF that runs the cases one after the other, each in its slot.
pub fn elf_of(cases: &[Case]) -> Vec<u8> {
    let slots = cases.iter().map(|case| case.slot.0 + 1).max().unwrap_or(0);
    let mut image = vec![0; (Slot(slots).base() - RUNTIME) as usize];
    let mut put = |at: u64, bytes: &[u8]| {
        let offset = (at - RUNTIME) as usize;
        image[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    let first = cases.first().map_or(FINISH, |case| case.slot.base());
    put(RUNTIME, &entry(first));
    put(HANDLER_M, &handler(HANDLER_M, Privilege::Machine, false));
    put(HANDLER_S, &handler(HANDLER_S, Privilege::Supervisor, false));
    put(GUARDED_M, &handler(GUARDED_M, Privilege::Machine, true));
    put(GUARDED_S, &handler(GUARDED_S, Privilege::Supervisor, true));
    put(FINISH, &finish());
    for (n, case) in cases.iter().enumerate() {
        let next = cases.get(n + 1).map_or(FINISH, |case| case.slot.base());
        put(case.slot.base(), &prologue(case, next));
        block(case, |offset, value| put(case.slot.base() + Slot::BLOCK + offset, &value.to_le_bytes()));
        case.for_each_part(&mut put);
    }
    elf(&image, RUNTIME, RUNTIME, &[("tohost", TOHOST), ("fromhost", TOHOST + 8)])
}

fn entry(first: u64) -> Vec<u8> {
    let mut p = Program::new(RUNTIME);
    // The timer interrupt is pending from the start: put its deadline off.
    p.lines(&["lui t0, 0x2004", "li t1, -1", "sd t1, 0(t0)"]);
    // PMP entry 0 protects devices, entry 1 opens everything else.
    p.lines(&["lui t0, 0x10000", "addi t0, t0, -1", "csrw pmpaddr0, t0"]);
    p.lines(&["csrw pmpaddr1, t1", "lui t0, 2", "addi t0, t0, -104", "csrw pmpcfg0, t0"]);
    handlers(&mut p, 5, HANDLER_M, HANDLER_S);
    p.address(31, VARIABLES);
    p.address(29, first);
    p.line("jr t4");
    p.into_bytes()
}

/// Sets the handlers, by way of a register.
fn handlers(p: &mut Program, scratch: u8, machine: u64, supervisor: u64) {
    p.address(scratch, machine);
    p.line(&format!("csrw mtvec, x{scratch}"));
    p.address(scratch, supervisor);
    p.line(&format!("csrw stvec, x{scratch}"));
}

fn finish() -> Vec<u8> {
    let mut p = Program::new(FINISH);
    p.address(30, TOHOST);
    p.lines(&["li t4, 1", "sd t4, 0(t5)", "j ."]);
    p.into_bytes()
}

/// The handler of traps to M- or S-mode; one that is guarded is that of cases with PMP entries of their own.
fn handler(start: u64, mode: Privilege, guarded: bool) -> Vec<u8> {
    // Where a pass ends is known when the handler has been made once.
    let (_, leave) = handler_that_leaves_to(start, start, mode, guarded);
    handler_that_leaves_to(leave, start, mode, guarded).0
}

/// The handler, if the end of a pass is at `leave`; and where it is.
fn handler_that_leaves_to(leave: u64, start: u64, mode: Privilege, guarded: bool) -> (Vec<u8>, u64) {
    let machine = mode == Privilege::Machine;
    let m = if machine { "m" } else { "s" };
    let mut p = Program::new(start);
    let branch = |p: &mut Program, condition: &str| {
        let distance = leave.wrapping_sub(p.here()).cast_signed();
        p.line(&format!("{condition}, .{distance:+}"));
    };
    p.address(31, VARIABLES);
    for csr in ["status", "tval", "cause"] {
        p.line(&format!("csrr t4, {m}{csr}"));
    }
    p.line(&format!("csrr t5, {m}epc"));
    if guarded {
        // A trap in a handler: the one of S-mode may not read the instruction. They lie in the 64 KiB of the variables.
        p.lines(&["xor t4, t5, t6", "srli t4, t4, 16"]);
        branch(&mut p, "beqz t4");
        p.line(&format!("csrr t4, {m}cause"));
    }
    // Not fetched, or at the end or beyond it: the pass is over.
    p.line("addi t4, t4, -1");
    branch(&mut p, "beqz t4");
    p.line("addi t4, t4, -11");
    branch(&mut p, "beqz t4");
    p.line(&format!("ld t4, {END}(t6)"));
    branch(&mut p, "bgeu t5, t4");
    let switched = guarded && machine;
    if switched {
        p.lines(&SWITCH);
        p.line("csrs pmpcfg0, t4");
    }
    // The instruction's first half, read as the mode that it ran in (and with MXR, for it may be only executable).
    p.line(if machine { "lui t4, 0xa0" } else { "lui t4, 0xc0" });
    p.line(&format!("csrrs t4, {m}status, t4"));
    p.lines(&["lhu t5, 0(t5)", &format!("csrw {m}status, t4")]);
    if switched {
        p.lines(&SWITCH);
        p.line("csrc pmpcfg0, t4");
    }
    // 4 if both low bits are set, else 2.
    p.lines(&["andi t5, t5, 3", "addi t5, t5, -3", "seqz t5, t5", "slli t5, t5, 1", "addi t5, t5, 2"]);
    p.lines(&[&format!("csrr t4, {m}epc"), "add t5, t5, t4", &format!("csrw {m}epc, t5")]);
    p.line(if machine { "mret" } else { "sret" });
    // A return that TSR traps falls through to here, too.
    p.lines(&["nop", "nop"]);
    let leave = p.here();
    p.line("nop");
    if machine {
        // MPRV off, FS on.
        p.lines(&["lui t4, 6", "csrw mstatus, t4", &format!("ld t4, {NEXT}(t6)"), "jr t4"]);
    } else {
        // An ECALL, which is never delegated, takes the place of the end.
        let ecall = p.here() + 12;
        p.address(29, ecall);
        p.lines(&[&format!("sd t4, {END}(t6)"), "ecall"]);
    }
    (p.into_bytes(), leave)
}

/// Prepares a case, then one pass after the other.
fn prologue(case: &Case, next: u64) -> Vec<u8> {
    let mut p = Program::new(case.slot.base());
    let block = case.slot.base() + Slot::BLOCK;
    p.address(30, block);
    let passes = p.here() + 4 * (2 + 2 + 1 + 2 + 2 + 32 + 2 + 2 + u64::from(REGISTERS));
    p.lines(&[&format!("ld t4, {END_AT}(t5)"), &format!("sd t4, {END}(t6)")]);
    p.address(29, passes);
    p.line(&format!("sd t4, {NEXT}(t6)"));
    p.lines(&[&format!("li t4, {}", case.passes + 1), &format!("sd t4, {PASSES}(t6)")]);
    p.lines(&["lui t4, 6", "csrs mstatus, t4"]);
    for n in 0..32 {
        p.line(&format!("fld f{n}, {}(t5)", F_AT + n * 8));
    }
    p.lines(&[&format!("ld t4, {FCSR_AT}(t5)"), "csrw fcsr, t4"]);
    p.lines(&["csrw minstret, zero", "csrw mcycle, zero"]);
    for n in 1..=u64::from(REGISTERS) {
        p.line(&format!("ld x{n}, {}(t5)", X_AT + n * 8));
    }
    assert_eq!(p.here(), passes, "the length of the preparation is known beforehand");
    if case.switches_extensions() {
        p.lines(&["li t4, -1", "csrw misa, t4"]);
    }
    p.lines(&[&format!("ld t4, {PASSES}(t6)"), "addi t4, t4, -1", &format!("sd t4, {PASSES}(t6)")]);
    let guarded = case.protects_memory();
    p.line(if guarded { "bnez t4, .+56" } else { "bnez t4, .+16" });
    let branch = p.here();
    if guarded {
        // All as it was.
        p.lines(&["lui t4, 2", "addi t4, t4, -104", "csrw pmpcfg0, t4", "csrw pmpcfg2, zero"]);
        handlers(&mut p, 29, HANDLER_M, HANDLER_S);
    }
    p.address(29, next);
    p.line("jr t4");
    assert_eq!(p.here() - branch, if guarded { 52 } else { 12 }, "the branch leads here");
    if guarded {
        handlers(&mut p, 29, GUARDED_M, GUARDED_S);
    }
    for (n, change) in case.changes.iter().enumerate() {
        p.address(30, block);
        p.line(&format!("ld t4, {}(t5)", MASKS_AT + n as u64 * 8));
        p.address(30, case.slot.tables() + u64::from(change.index) * 8);
        p.line("amoxor.d t4, t4, (t5)");
    }
    p.lines(&["sfence.vma", "fence.i"]);
    p.address(30, block);
    for (n, (csr, _)) in case.csrs.iter().enumerate() {
        p.lines(&[&format!("ld t4, {}(t5)", CSRS_AT + n as u64 * 8), &format!("csrw {csr}, t4")]);
    }
    p.line(&format!("ld t4, {END_AT}(t5)"));
    p.line(&format!("sd t4, {END}(t6)"));
    p.lines(&[&format!("ld t4, {STATUS_AT}(t5)"), &format!("ld t5, {START_AT}(t5)"), "csrw mstatus, t4"]);
    if case.mode == Privilege::Machine {
        p.line("jr t5");
    } else {
        p.lines(&["csrw mepc, t5", "mret"]);
    }
    let bytes = p.into_bytes();
    assert!(bytes.len() as u64 <= Slot::BLOCK, "the preparation fits its half page");
    bytes
}

/// The values that the preparation loads.
fn block(case: &Case, mut put: impl FnMut(u64, u64)) {
    case.f.iter().enumerate().for_each(|(n, value)| put(F_AT + n as u64 * 8, *value));
    case.x.iter().enumerate().skip(1).for_each(|(n, value)| put(X_AT + n as u64 * 8, *value));
    case.csrs.iter().enumerate().for_each(|(n, (_, value))| put(CSRS_AT + n as u64 * 8, *value));
    case.changes.iter().enumerate().for_each(|(n, change)| put(MASKS_AT + n as u64 * 8, change.mask));
    put(END_AT, case.end());
    put(START_AT, case.start());
    put(STATUS_AT, case.mstatus);
    put(FCSR_AT, case.fcsr);
}
