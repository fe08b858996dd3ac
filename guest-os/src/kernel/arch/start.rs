//! The first instructions, the kernel's root page table and the direct map.
//!
//! Firmware enters `_start` with address translation off, the hart's number in `a0` and the device tree's address in
//! `a1`. The static root table maps physical address `pa` at [`DIRECT_MAP`]` + pa` by 1 GiB leaves, and the first
//! GiB of RAM at its own address until the jump to the high half is done. `kmain` is entered on the boot stack's
//! address in the stack window, where a guard page lies below it.

use super::context::{STACK_BYTES, StackSlot};
use super::window::{self, STACK_WINDOW};
use core::arch::global_asm;
use isa::paging::{PteFlags, Scheme};
use isa::{PhysAddr, Ppn};

/// Where the direct map of physical memory starts.
pub const DIRECT_MAP: u64 = 0xffff_ffc0_0000_0000;
/// GiB of physical address space in the direct map: devices in the first two, then RAM.
const DIRECT_MAP_GIB: usize = 34;

/// A kernel leaf: A and D preset, since the kernel never takes a page fault to set them.
const LEAF: u64 = PteFlags::V.bits()
    | PteFlags::R.bits()
    | PteFlags::W.bits()
    | PteFlags::A.bits()
    | PteFlags::D.bits()
    | PteFlags::G.bits();
const PTES_PER_GIB: u64 = 1 << 28;

global_asm!(
    ".section .text.boot, \"ax\"",
    ".globl _start",
    "_start:",
    "    csrw sie, zero",
    "    csrw sscratch, zero",
    "    lla t0, kernel_root_table",
    "    srli t0, t0, 12",
    "    li t1, {mode}",
    "    slli t1, t1, 60",
    "    or t0, t0, t1",
    "    sfence.vma",
    "    csrw satp, t0",
    "    sfence.vma",
    "    li t2, {direct_map}",
    "    lla sp, boot_stack + {stack_bytes}",
    "    add sp, sp, t2",
    "    lla t0, trap_entry",
    "    add t0, t0, t2",
    "    csrw stvec, t0",
    "    mv s0, a0",
    "    mv s1, a1",
    "    mv s2, t2",
    "    lla t0, map_boot_stack",
    "    add t0, t0, s2",
    "    jalr t0",
    "    mv sp, a0",
    "    mv a0, s0",
    "    mv a1, s1",
    "    lla t0, kmain",
    "    add t0, t0, s2",
    "    mv fp, zero",
    "    mv ra, zero",
    "    jr t0",
    ".section .data",
    ".balign 4096",
    "kernel_root_table:",
    "    .quad 0, 0",
    "    .quad {leaf} | {exec} | 2 * {gib}",
    "    .zero 8 * 253",
    ".set gib, 0",
    ".rept {gibs}",
    "    .quad {leaf} | {exec} | gib * {gib}",
    "    .set gib, gib + 1",
    ".endr",
    "    .zero 8 * (256 - {gibs})",
    ".section .bss",
    ".balign 4096",
    "boot_stack:",
    "    .zero {stack_bytes}",
    mode = const Scheme::Sv39.satp_mode(),
    direct_map = const DIRECT_MAP.cast_signed(),
    stack_bytes = const STACK_BYTES,
    leaf = const LEAF,
    exec = const PteFlags::X.bits(),
    gib = const PTES_PER_GIB,
    gibs = const DIRECT_MAP_GIB,
);

unsafe extern "C" {
    static kernel_root_table: u8;
    static boot_stack: u8;
    static _kernel_end: u8;
}

/// Enters the windows into the root and maps the boot stack, on whose address in the direct map this runs, in its window. The start-up
/// code goes on at the top that this gives.
#[unsafe(no_mangle)]
extern "C" fn map_boot_stack() -> usize {
    window::start();
    let first = phys_of(&raw const boot_stack).page();
    for (page, va) in StackSlot::BOOT.pages().enumerate() {
        let mapped = STACK_WINDOW.map(va, first.wrapping_add(page as u64), window::first_stack_table);
        assert!(mapped.is_ok(), "the first table of the window is there");
    }
    StackSlot::BOOT.top()
}

/// The virtual address in the direct map of a physical one.
#[allow(clippy::cast_possible_truncation)] // on riscv64 a usize has 64 bits
pub fn direct_map(pa: PhysAddr) -> usize {
    let va = pa.0.wrapping_add(DIRECT_MAP);
    va as usize
}

/// The physical address of something in the direct map: the kernel's image, frames.
///
/// # Panics
/// If it is elsewhere: stacks and heap lie in windows, whose pages no device can be given.
pub fn phys_of<T: ?Sized>(pointer: *const T) -> PhysAddr {
    let va = pointer.cast::<u8>() as u64;
    let pa = va.wrapping_sub(DIRECT_MAP);
    assert!(pa < (DIRECT_MAP_GIB as u64) << 30, "{va:#x} is not in the direct map");
    PhysAddr(pa)
}

/// The root table whose upper half every address space shares.
pub fn kernel_root() -> Ppn {
    phys_of(&raw const kernel_root_table).page()
}

/// The first byte after the kernel's image.
pub fn kernel_end() -> PhysAddr {
    phys_of(&raw const _kernel_end)
}

/// Takes the identity map of the start-up code out of the kernel's root.
pub fn drop_identity_map() {
    let root = direct_map(kernel_root().base()) as *mut u64;
    // SAFETY: entry 2 of the root table, which nothing uses any more; user roots copy the upper half only.
    unsafe { root.add(2).write_volatile(0) };
    super::csr::fence_address_space(None, None);
}
