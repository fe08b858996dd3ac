//! Start and end of a bare-metal program: M-mode set-up, Sv39 on, then `bench_main` in S-mode.
//!
//! The page table maps the first 4 GiB by 1 GiB leaves onto themselves; the gigabyte at [`WINDOW`] has a table of
//! its own, empty at start, for the program to fill. Exceptions go to S-mode, where the program's `trap_entry` handles
//! them. The result goes to `tohost` (Spike, Folio) and then to the test finisher (QEMU).
#![no_std]
#![allow(unsafe_code)] // docs/unsafe.md

use core::arch::global_asm;
use core::panic::PanicInfo;

/// First virtual address of the gigabyte that the program maps itself.
pub const WINDOW: usize = 0x1_0000_0000;

/// One page-table page.
#[repr(C, align(4096))]
pub struct Table(pub [u64; 512]);

/// The root table: four identity leaves of 1 GiB (V R W X A D), then a pointer to [`window_middle`] set by the start code.
#[unsafe(no_mangle)]
static mut root_table: Table = {
    let mut entries = [0; 512];
    let mut gigabyte = 0;
    while gigabyte < 4 {
        entries[gigabyte] = (gigabyte as u64) << 28 | 0xcf;
        gigabyte += 1;
    }
    Table(entries)
};
#[unsafe(no_mangle)]
static mut window_middle: Table = Table([0; 512]);
/// The last-level table of the window's first 2 MiB: entry `n` maps `WINDOW + 4096 n`.
#[unsafe(no_mangle)]
pub static mut window_leaves: Table = Table([0; 512]);

global_asm!(
    r#"
    .section .text.init, "ax"
    .globl _start
_start:
    la      t0, park
    csrw    mtvec, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f            # NAPOT, RWX: all of memory
    csrw    pmpcfg0, t0
    li      t0, 0xb1ff          # every exception but S-mode and M-mode calls
    csrw    medeleg, t0
    la      t0, window_middle   # root[4] -> middle, middle[0] -> leaves
    la      t1, root_table
    srli    t2, t0, 2
    ori     t2, t2, 1
    sd      t2, 32(t1)
    la      t2, window_leaves
    srli    t2, t2, 2
    ori     t2, t2, 1
    sd      t2, 0(t0)
    srli    t1, t1, 12
    li      t0, 8
    slli    t0, t0, 60
    or      t0, t0, t1
    csrw    satp, t0
    sfence.vma
    la      t0, trap_entry
    csrw    stvec, t0
    li      t0, 0x1800          # MPP = S
    csrc    mstatus, t0
    li      t0, 0x0800
    csrs    mstatus, t0
    la      t0, supervisor
    csrw    mepc, t0
    la      sp, stack_top
    mret
supervisor:
    call    bench_main
    slli    a0, a0, 1
    ori     a0, a0, 1           # 1: pass; n << 1 | 1: failure n
    la      t0, tohost
    sd      a0, 0(t0)
    fence
    li      t0, 0x100000        # QEMU: the test finisher; Spike has none, traps, and parks
    li      t1, 0x5555
    srli    a0, a0, 1
    beqz    a0, 1f
    slli    a0, a0, 16
    li      t1, 0x3333
    or      t1, t1, a0
1:  sw      t1, 0(t0)
    .balign 4
park:
    j       park
"#
);

/// A panic parks the hart: the runner's time limit reports it.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
