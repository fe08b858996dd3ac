//! Where kernel stacks lie, and switching from one to another.

use super::window::STACK_WINDOW;
use core::arch::global_asm;

/// Bytes of a kernel stack.
pub const STACK_BYTES: usize = 16 << 10;
const PAGE_BYTES: usize = 4096;
const _: () = assert!(STACK_BYTES.is_multiple_of(PAGE_BYTES));

/// A place in the stack window: a page that is never mapped, so that an overflow traps, and a stack above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackSlot(usize);

impl StackSlot {
    /// That of the stack that the kernel boots on, which becomes the idle thread's.
    pub const BOOT: Self = Self(0);
    const BYTES: usize = PAGE_BYTES + STACK_BYTES;

    /// The one after this; `None` after the last of the window.
    pub fn next(self) -> Option<Self> {
        let next = Self(self.0 + 1);
        (next.top() <= STACK_WINDOW.range().end).then_some(next)
    }
    /// The one whose guard page `va` lies in.
    pub fn guarded_by(va: usize) -> Option<Self> {
        let window = STACK_WINDOW.range();
        let offset = va.checked_sub(window.start).filter(|_| window.contains(&va))?;
        (offset % Self::BYTES < PAGE_BYTES).then_some(Self(offset / Self::BYTES))
    }
    /// Its number: the boot stack's is 0.
    pub fn number(self) -> usize {
        self.0
    }
    /// The pages of its stack.
    pub fn pages(self) -> impl DoubleEndedIterator<Item = usize> {
        (self.top() - STACK_BYTES..self.top()).step_by(PAGE_BYTES)
    }
    /// Where its stack begins to grow down from.
    pub fn top(self) -> usize {
        STACK_WINDOW.range().start + (self.0 + 1) * Self::BYTES
    }
}

/// The callee-saved registers of a kernel thread that is not running.
#[derive(Default)]
#[repr(C)]
pub struct Context {
    ra: u64,
    sp: u64,
    s: [u64; 12],
}

impl Context {
    /// A context that has not been saved yet.
    pub const EMPTY: Self = Self { ra: 0, sp: 0, s: [0; 12] };

    /// A thread that starts in `entry` on `stack`. `entry` must not return.
    pub fn starting_in(entry: extern "C" fn() -> !, stack: StackSlot) -> Self {
        Self { ra: entry as *const () as u64, sp: stack.top() as u64, s: [0; 12] }
    }
}

global_asm!(
    ".text",
    "switch_context:",
    "    sd ra, 0(a0)",
    "    sd sp, 8(a0)",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11",
    "    sd s\\n, 16+8*\\n(a0)",
    ".endr",
    "    ld ra, 0(a1)",
    "    ld sp, 8(a1)",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11",
    "    ld s\\n, 16+8*\\n(a1)",
    ".endr",
    "    ret",
);

unsafe extern "C" {
    fn switch_context(from: *mut Context, to: *const Context);
}

/// Saves the running thread in `from` and continues `to`; returns when something switches back to `from`.
///
/// # Safety
/// Both pointers must be valid until then, `to` must hold a thread that is not running, on a live stack, and no
/// borrow of state that other threads use may be held across the call.
pub unsafe fn switch(from: *mut Context, to: *const Context) {
    // SAFETY: the caller's promise.
    unsafe { switch_context(from, to) }
}
