//! The cost of a page fault: touch an unmapped page, map it in the handler, unmap it again, each change followed by
//! `sfence.vma va`. The benches compare its time here with QEMU's.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // docs/unsafe.md

use bare::{WINDOW, window_leaves};
use core::arch::{asm, global_asm};

const FAULTS: usize = 400_000;
/// Pages of the window that are used in turn.
const PAGES: usize = 256;

// The handler of a demand fault: compute the leaf's place from the address, write it, fence it, return.
global_asm!(
    r#"
    .section .text
    .globl trap_entry
    .balign 4
trap_entry:
    csrw    sscratch, t0
    addi    sp, sp, -32
    sd      t1, 0(sp)
    sd      t2, 8(sp)
    csrr    t0, stval
    srli    t1, t0, 12
    andi    t1, t1, 0x1ff
    slli    t2, t1, 3
    la      t1, window_leaves
    add     t1, t1, t2
    li      t2, 0x80400000 >> 2 | 0xcf
    sd      t2, 0(t1)
    sfence.vma t0
    ld      t1, 0(sp)
    ld      t2, 8(sp)
    addi    sp, sp, 32
    csrr    t0, sscratch
    sret
"#
);

#[unsafe(no_mangle)]
extern "C" fn bench_main() -> u32 {
    for n in 0..FAULTS {
        let page = n % PAGES;
        let va = WINDOW + page * 4096;
        // SAFETY: the window is mapped by trap_entry onto a frame that nothing else uses; the entry written is the
        // one that maps `va`, and the fence orders it before the next touch.
        unsafe {
            asm!("sd {value}, 0({va})", value = in(reg) n, va = in(reg) va);
            (&raw mut window_leaves.0[page]).write_volatile(0);
            asm!("sfence.vma {va}", va = in(reg) va);
        }
    }
    // SAFETY: the frame behind the window is RAM, mapped onto itself by the root's gigabyte leaf.
    let last = unsafe { (0x8040_0000 as *const usize).read_volatile() };
    u32::from(last != FAULTS - 1)
}
