//! The stacks of kernel threads: frames of the kernel's, mapped in the stack window above a guard page each.
//!
//! A stack is painted by being zero when it is made: how deep it has been used shows in its lowest word that is not (tests measure
//! the deepest use that way, and that it is at most half of a stack).

use crate::arch::StackSlot;
use crate::arch::window::STACK_WINDOW;
use crate::local::HartLocal;
use crate::memory::mem;
use alloc::vec::Vec;
use fs::Errno;

/// Unused stacks that stay mapped: a process that comes and goes should not map and unmap.
const IDLE_STACKS: usize = 4;

struct Slots {
    /// The last slot that has ever been in use.
    last: StackSlot,
    /// Slots whose stack is mapped and not in use.
    idle: Vec<StackSlot>,
    /// Others below `last` that are not in use.
    empty: Vec<StackSlot>,
    /// Frames of the mapped stacks and their page tables.
    frames: u64,
}

static SLOTS: HartLocal<Slots> =
    HartLocal::new(Slots { last: StackSlot::BOOT, idle: Vec::new(), empty: Vec::new(), frames: 0 });

/// A mapped stack.
pub struct KernelStack(StackSlot);

impl KernelStack {
    /// A stack for a new thread. ENOMEM if there is no memory for it.
    pub fn new() -> Result<Self, Errno> {
        if let Some(slot) = SLOTS.get_mut().idle.pop() {
            return Ok(Self(slot));
        }
        let slot = take_empty()?;
        for (done, va) in slot.pages().enumerate() {
            let mapped = mem::map_page(&STACK_WINDOW, va);
            match mapped {
                Ok(frames) => SLOTS.get_mut().frames += frames,
                Err(error) => {
                    unmap(slot, done);
                    return Err(error);
                }
            }
        }
        Ok(Self(slot))
    }
    /// Where it lies.
    pub fn slot(&self) -> StackSlot {
        self.0
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        {
            let idle = &mut SLOTS.get_mut().idle;
            if idle.len() < IDLE_STACKS {
                return idle.push(self.0);
            }
        }
        unmap(self.0, self.0.pages().count());
    }
}

/// A slot without a stack.
fn take_empty() -> Result<StackSlot, Errno> {
    let mut slots = SLOTS.get_mut();
    let slots = &mut *slots;
    if let Some(slot) = slots.empty.pop() {
        return Ok(slot);
    }
    // Room to give each slot back, which must not fail.
    slots.idle.try_reserve(IDLE_STACKS).map_err(|_| Errno::ENOMEM)?;
    let next = slots.last.next().ok_or(Errno::ENOMEM)?;
    slots.empty.try_reserve(next.number()).map_err(|_| Errno::ENOMEM)?;
    slots.last = next;
    Ok(next)
}

/// Unmaps the first `pages` pages of a stack and gives its slot back.
fn unmap(slot: StackSlot, pages: usize) {
    for va in slot.pages().take(pages) {
        mem::unmap_page(&STACK_WINDOW, va);
    }
    let mut slots = SLOTS.get_mut();
    slots.frames -= pages as u64;
    slots.empty.push(slot);
}

/// Frames that the stacks take: those in use, the idle ones and their page tables.
pub fn frames() -> u64 {
    SLOTS.get().frames
}
