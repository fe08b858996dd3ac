//! Interrupts: taken from user mode or found pending by the idle thread; the work is the same.

use crate::devices::drivers::plic;
use crate::devices::{block, console};
use crate::hart::hart;
use crate::processes::timers;
use crate::processes::wait::scheduler;
use crate::{arch, sbi};
use isa::Interrupt;
use isa::platform;

/// Length of a turn, in ticks of the timebase: 10 ms.
pub const QUANTUM_TICKS: u64 = isa::time::TIMEBASE_HZ / 100;

/// Lets the timer and the devices interrupt.
pub fn start() {
    arch::enable_interrupts_in_sie(Interrupt::SupervisorTimer.mask() | Interrupt::SupervisorExternal.mask());
}

/// Serves every pending interrupt.
pub fn poll() {
    let pending = arch::interrupts_pending();
    if pending & Interrupt::SupervisorTimer.mask() != 0 {
        hart().interrupts.set(hart().interrupts.get() + 1);
        // Setting a deadline clears the pending bit; the next one is set before user mode or sleep.
        set_timer(u64::MAX);
    }
    if pending & Interrupt::SupervisorExternal.mask() != 0 {
        while let Some(source) = plic::claim() {
            hart().interrupts.set(hart().interrupts.get() + 1);
            match source {
                platform::HOST_IRQ => console::host_interrupt(),
                platform::UART_IRQ => console::uart_interrupt(),
                _ => block::interrupt(source),
            }
            plic::complete(source);
        }
    }
    let now = arch::time();
    scheduler(|s| s.expire(now));
    timers::ring(now);
}

/// Before user mode: an interrupt at the end of the turn if anyone else waits for the hart, at the next sleeper's deadline
/// otherwise, none if there is neither.
pub fn arm_timer(turn_end: u64) {
    let (others, deadline) = scheduler(|s| (s.has_runnable(), s.next_deadline()));
    let turn = if others { turn_end } else { u64::MAX };
    let alarm = timers::next().unwrap_or(u64::MAX);
    set_timer(deadline.unwrap_or(u64::MAX).min(turn).min(alarm));
}

/// Asks for a timer interrupt at `deadline` (`u64::MAX`: never), unless that is what was asked for last.
pub fn set_timer(deadline: u64) {
    if hart().timer.replace(deadline) != deadline {
        sbi::set_timer(deadline);
    }
}
