//! The rows' referee: each row as a bare-metal ELF for Spike, and what Spike made of it.
//!
//! The ELF is an image of the row's RAM, followed by a runner. The runner loads every register from a block in
//! memory and enters the row; the row ends in a trap, its own or that of a `c.ebreak`, with which all code
//! memory is filled; the handler stores every register and stops Spike, which then writes memory out
//! (`+signature`). Spike names the addresses to write by symbols, so the ELF has a symbol table.

use std::path::Path;
use std::process::Stdio;

use isa::csr::{Csr, mstatus};
use isa::{Exception, Privilege, VirtAddr};

use crate::child;
use crate::row::Row;
use crate::spike_support::{Program, elf, isa_string};
use crate::state::{CSRS, MTVEC, RAM_BASE, RAM_BYTES, State, offset};

/// Code that enters the row.
const ENTRY: u64 = RAM_BASE + RAM_BYTES as u64;
/// The registers to load: CSRS, then x0..x31, then f0..f31.
const BLOCK_IN: u64 = ENTRY + 0x1000;
/// The registers as the handler found them, in the same order.
const BLOCK_OUT: u64 = ENTRY + 0x2000;
const TOHOST: u64 = ENTRY + 0x3000;
const END: u64 = ENTRY + 0x4000;

/// Whether the row leaves its own code, so that the runner gets control back.
pub fn can_end(row: &Row) -> bool {
    let code: u64 = row.insns.iter().map(|insn| u64::from(insn.len)).sum();
    row.in_spike && !(row.before.pc..row.before.pc + code).contains(&row.after.pc)
}

/// Runs a row on Spike: the state it ends in, as far as it can be known ([`comparable`] says how far).
pub fn run(spike: &Path, dir: &Path, row: &Row) -> Result<State, String> {
    let elf = dir.join("row.elf");
    let signature = dir.join("row.signature");
    std::fs::write(&elf, elf_of(row)).map_err(|e| e.to_string())?;
    let mut command = child::command(spike);
    command
        .arg(format!("--isa={}", isa_string(row.before.isa)))
        .arg("-m0x80000000:0x20000")
        .arg(format!("+signature={}", signature.display()))
        .arg("+signature-granularity=8")
        .arg(&elf)
        .stdin(Stdio::null());
    let status = child::output(command);
    if !status.status.success() {
        return Err(format!("Spike: {}: {}", status.status, String::from_utf8_lossy(&status.stderr)));
    }
    let text = std::fs::read_to_string(&signature).map_err(|e| e.to_string())?;
    let words = text.lines().map(|line| u64::from_str_radix(line, 16).map_err(|e| e.to_string()));
    let memory: Vec<u8> =
        words.collect::<Result<Vec<_>, _>>()?.into_iter().flat_map(u64::to_le_bytes).collect();
    Ok(found(row, &memory))
}

/// The state that Spike's memory tells of. The row's own trap, or the `c.ebreak` after it, has changed some
/// registers: what the row left in them is the value before that trap where the row shows it.
fn found(row: &Row, memory: &[u8]) -> State {
    let word = |at: usize| u64::from_le_bytes(memory[at..at + 8].try_into().unwrap());
    let block = |n: usize| word((BLOCK_OUT - RAM_BASE) as usize + n * 8);
    let mut state = row.before.clone();
    state.memory = memory[..RAM_BYTES].to_vec();
    // The handler is the runner's, not the row's.
    let handler = offset(MTVEC)..offset(MTVEC) + 0x1000;
    state.memory[handler.clone()].copy_from_slice(&row.before.memory[handler]);
    for (n, (csr, _)) in CSRS.iter().enumerate() {
        state.set_csr(*csr, block(n));
    }
    state.x = std::array::from_fn(|n| block(CSRS.len() + n));
    state.f = std::array::from_fn(|n| block(CSRS.len() + 32 + n));
    state.privilege = Privilege::Machine;
    state.pc = MTVEC;
    state
}

/// The row's expected state as the runner would see it: after the `c.ebreak` that ends a row that has not itself
/// trapped to machine mode, and without what the runner cannot keep.
pub fn comparable(row: &Row, spike: &mut State) -> State {
    let mut after = row.after.clone();
    let in_handler = row.traps && after.privilege == Privilege::Machine;
    if !in_handler {
        let pc = after.pc;
        if after.csr(Csr::MISA) & MISA_C != 0 {
            after.take_trap(Exception::Breakpoint, VirtAddr(pc));
        } else {
            after.take_trap(Exception::IllegalInstruction, VirtAddr(C_EBREAK));
        }
    }
    after.privilege = Privilege::Machine;
    after.pc = MTVEC;
    // mcycle is the handler's scratch register; minstret has counted the runner's own instructions.
    after.set_csr(Csr::MCYCLE, spike.csr(Csr::MCYCLE));
    if after.csr(Csr::MCOUNTINHIBIT) & MCOUNTINHIBIT_CY != 0 {
        spike.x[31] = spike.x[31].wrapping_add(3);
    }
    if after.csr(Csr::MCOUNTINHIBIT) & MCOUNTINHIBIT_IR == 0 {
        let counted = spike.csr(Csr::MINSTRET);
        spike.set_csr(Csr::MINSTRET, counted.wrapping_sub(HANDLER_RETIRED));
    }
    after
}

/// Without compressed instructions a `c.ebreak` ends the row too, as an illegal instruction.
const MISA_C: u64 = 1 << 2;
const C_EBREAK: u64 = 0x9002;
/// Instructions that retire in the handler before it reads `minstret`.
const HANDLER_RETIRED: u64 = 37;
/// The bits of `mcountinhibit` that hold `mcycle` and `minstret`.
const MCOUNTINHIBIT_CY: u64 = 1;
const MCOUNTINHIBIT_IR: u64 = 4;

/// Loads the state block and enters the row.
fn entry(before: &State) -> Vec<u8> {
    let mut p = Program::new(ENTRY);
    // Spike's timer interrupt is pending from the start: put its deadline off.
    p.line("lui t0, 0x2004");
    p.line("li t1, -1");
    p.line("sd t1, 0(t0)");
    p.address(31, BLOCK_IN);
    // Floating-point registers first: they need mstatus.FS.
    p.line("lui t0, 6");
    p.line("csrw mstatus, t0");
    for n in 0..32 {
        p.line(&format!("fld f{n}, {}(t6)", (CSRS.len() + 32 + n) * 8));
    }
    for (n, (csr, _)) in CSRS.iter().enumerate() {
        if *csr != Csr::MINSTRET {
            p.line(&format!("ld t0, {}(t6)", n * 8));
            p.line(&format!("csrw {csr}, t0"));
        }
    }
    let minstret = CSRS.iter().position(|(csr, _)| *csr == Csr::MINSTRET).unwrap();
    p.line(&format!("ld t0, {}(t6)", minstret * 8));
    // From here to the row: 31 loads and the jump.
    p.line("addi t0, t0, -32");
    p.line("csrw minstret, t0");
    for n in (1..32).filter(|&n| n != 31) {
        p.line(&format!("ld x{n}, {}(t6)", (CSRS.len() + n) * 8));
    }
    p.line(&format!("ld t6, {}(t6)", (CSRS.len() + 31) * 8));
    if before.privilege == Privilege::Machine {
        p.line(&format!("j {:#x}", before.pc));
    } else {
        p.line("mret");
    }
    p.into_bytes()
}

/// Stores the state block and stops Spike. `mcycle` is the one register that it may use before x31 is saved: it
/// counts on, by a known number.
fn handler() -> Vec<u8> {
    let mut p = Program::new(MTVEC);
    p.line("csrw mcycle, t6");
    p.address(31, BLOCK_OUT);
    let x = |n: usize| (CSRS.len() + n) * 8;
    p.line(&format!("sd t0, {}(t6)", x(5)));
    p.line("csrr t0, mcycle");
    p.line("addi t0, t0, -3");
    p.line(&format!("sd t0, {}(t6)", x(31)));
    for n in (0..31).filter(|&n| n != 5) {
        p.line(&format!("sd x{n}, {}(t6)", x(n)));
    }
    // Read first, for it counts.
    let mut csrs: Vec<usize> = (0..CSRS.len()).collect();
    csrs.sort_by_key(|&n| CSRS[n].0 != Csr::MINSTRET);
    for n in csrs {
        p.line(&format!("csrr t0, {}", CSRS[n].0));
        p.line(&format!("sd t0, {}(t6)", n * 8));
        if CSRS[n].0 == Csr::MINSTRET {
            p.line("lui t0, 6");
            p.line("csrrs t0, mstatus, t0");
            // fcsr can be read now; mstatus as it was is in t0 and is stored over the later reading.
            p.line(&format!("sd t0, {}(t6)", (CSRS.len() + 64) * 8));
        }
    }
    let status = CSRS.iter().position(|(csr, _)| *csr == Csr::MSTATUS).unwrap();
    p.line(&format!("ld t0, {}(t6)", (CSRS.len() + 64) * 8));
    p.line(&format!("sd t0, {}(t6)", status * 8));
    for n in 0..32 {
        p.line(&format!("fsd f{n}, {}(t6)", (CSRS.len() + 32 + n) * 8));
    }
    p.address(30, TOHOST);
    p.line("li t0, 1");
    p.line("sd t0, 0(t5)");
    p.line("j .");
    p.into_bytes()
}

/// The row as an ELF.
fn elf_of(row: &Row) -> Vec<u8> {
    let mut image = row.before.memory.clone();
    image.resize((END - RAM_BASE) as usize, 0);
    let mut put =
        |at: u64, bytes: &[u8]| image[(at - RAM_BASE) as usize..][..bytes.len()].copy_from_slice(bytes);
    put(MTVEC, &handler());
    put(ENTRY, &entry(&row.before));
    let mut before = row.before.clone();
    if before.privilege != Privilege::Machine {
        // What the mret turns into the state that the row starts from.
        let mode = before.privilege as u64;
        let interrupts = u64::from(before.csr(Csr::MSTATUS) & mstatus::MIE != 0);
        before.set_field(Csr::MSTATUS, mstatus::MPP, mode);
        before.set_field(Csr::MSTATUS, mstatus::MPIE, interrupts);
        before.set_field(Csr::MSTATUS, mstatus::MIE, 0);
    }
    let csrs = CSRS.iter().map(|(csr, _)| before.csr(*csr));
    let words: Vec<u8> = csrs.chain(before.x).chain(before.f).flat_map(u64::to_le_bytes).collect();
    put(BLOCK_IN, &words);
    let symbols = [
        ("tohost", TOHOST),
        ("fromhost", TOHOST + 8),
        ("begin_signature", RAM_BASE),
        ("end_signature", TOHOST),
    ];
    elf(&image, RAM_BASE, ENTRY, &symbols)
}
