//! Kernel stacks, and switching from one to another.

use alloc::alloc::{Layout, alloc, dealloc};
use core::arch::global_asm;
use core::ptr::NonNull;

/// Bytes of a process's kernel stack.
const STACK_BYTES: usize = 32 << 10;
/// What lies at the lowest address of each kernel stack; another value there is an overflow.
const CANARY: u64 = 0x464f_4c49_4f53_5441;

/// A stack from the kernel heap.
pub struct KernelStack {
    base: NonNull<u64>,
}

impl KernelStack {
    const LAYOUT: Layout = match Layout::from_size_align(STACK_BYTES, 16) {
        Ok(layout) => layout,
        Err(_) => panic!("16 is a power of two"),
    };

    /// A new stack; `None` when the heap is exhausted.
    pub fn new() -> Option<Self> {
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<u64>())?;
        // SAFETY: the allocation is large enough and aligned for a u64.
        unsafe { base.write(CANARY) };
        Some(Self { base })
    }
    fn top(&self) -> u64 {
        self.base.as_ptr() as u64 + STACK_BYTES as u64
    }
    /// Panics if the stack has ever overflowed.
    pub fn check(&self) {
        // SAFETY: as in `new`.
        assert_eq!(unsafe { self.base.read() }, CANARY, "a kernel stack has overflowed");
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        self.check();
        // SAFETY: allocated in `new` with the same layout; whoever drops the stack does not run on it.
        unsafe { dealloc(self.base.as_ptr().cast(), Self::LAYOUT) }
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
    pub fn starting_in(entry: extern "C" fn() -> !, stack: &KernelStack) -> Self {
        Self { ra: entry as *const () as u64, sp: stack.top(), s: [0; 12] }
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
