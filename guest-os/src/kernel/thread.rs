//! The life of a process's kernel thread: user code, trap, service, signals, and again, until a status ends it.

use crate::arch::{self, UserTrap};
use crate::fault;
use crate::hart::{current, hart};
use crate::interrupts::{self, QUANTUM_TICKS};
use crate::process::Process;
use crate::wait::{self, scheduler};
use crate::{exit, kmain, signal, syscall};
use isa::events::Access;
use isa::{Exception, VirtAddr};
use proc::{ExitStatus, SigInfo, Signal};

/// Where every kernel thread starts.
pub extern "C" fn start() -> ! {
    wait::after_switch();
    let status = run();
    exit::finish(status)
}

fn run() -> ExitStatus {
    if current().satp().root() == arch::kernel_root() {
        // The first process has no program yet.
        kmain::first_process();
    }
    store_child_tid();
    let process = current();
    loop {
        if let Some(status) = signal::deliver(&process) {
            return status;
        }
        let trap = enter_user(&process);
        if let Some(status) = serve(&process, trap) {
            return status;
        }
        end_of_turn();
    }
}

fn store_child_tid() {
    let process = current();
    let address = process.set_child_tid.replace(0);
    if address != 0 {
        // As in Linux, a bad address is the program's loss.
        let _ = crate::user::UserPtr::<u32>::from(address).write(process.pid);
    }
}

fn enter_user(process: &Process) -> UserTrap {
    process.count_system_time();
    interrupts::arm_timer(hart().turn_end.get());
    let mut frame = process.frame.borrow_mut();
    hart().fp.borrow_mut().before_user(process.pid, &mut frame, &process.fp.borrow());
    let trap = arch::run_user(&mut frame);
    drop(frame);
    process.count_user_time();
    trap
}

/// Serves a trap; a status ends the process.
fn serve(process: &Process, trap: UserTrap) -> Option<ExitStatus> {
    if trap.is_interrupt() {
        interrupts::poll();
        return None;
    }
    let pc = process.user_pc();
    let va = VirtAddr(trap.tval);
    match Exception::from_code(trap.cause) {
        Some(Exception::EcallU) => return syscall::serve(process),
        Some(Exception::InstructionPage) => fault::trap(va, Access::Execute),
        Some(Exception::LoadPage) => fault::trap(va, Access::Read),
        Some(Exception::StorePage) => fault::trap(va, Access::Write),
        Some(Exception::IllegalInstruction) => force(process, Signal::ILL, ILL_ILLOPC, pc),
        Some(Exception::Breakpoint) => force(process, Signal::TRAP, TRAP_BRKPT, pc),
        // Linux tells of these the instruction, not what it accessed.
        Some(Exception::InstructionMisaligned | Exception::LoadMisaligned | Exception::StoreMisaligned) => {
            force(process, Signal::BUS, BUS_ADRALN, pc);
        }
        // User mappings show nothing but memory: a misaligned LR, SC or AMO.
        Some(Exception::InstructionAccess | Exception::LoadAccess | Exception::StoreAccess) => {
            force(process, Signal::SEGV, SEGV_ACCERR, pc);
        }
        _ => force(process, Signal::ILL, ILL_ILLTRP, pc),
    }
    None
}

const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRALN: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const ILL_ILLTRP: i32 = 4;

fn force(process: &Process, signal: Signal, code: i32, address: u64) {
    process.signals.borrow_mut().force(SigInfo { signal, code, pid: 0, value: address });
}

/// Lets the next process run if this one's turn is over.
fn end_of_turn() {
    let now = arch::time();
    scheduler(|s| s.expire(now));
    exit::ring_alarms(now);
    if now >= hart().turn_end.get() {
        wait::yield_hart();
        hart().turn_end.set(arch::time() + QUANTUM_TICKS);
    }
}
