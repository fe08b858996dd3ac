//! The vDSO: a shared library of one page that the kernel maps into each program, named in its auxiliary vector (`AT_SYSINFO_EHDR`).
//!
//! The page is an ELF image as a linker would make it, spelled out here label by label; programs find its functions by its dynamic
//! section, version `LINUX_4.15`, as in Linux's vDSO(7) for riscv. What tells the time reads the `time` CSR and needs no system call;
//! the other functions are the calls of their names. The only word that changes is the epoch: all programs show the same page, so that
//! who sets the clock sets it for all.

use crate::devices::clock::NANOSECONDS_PER_TICK;
use core::arch::global_asm;
use linux_raw_sys::general as linux;

/// The clocks that show the time of day, and those that count from the machine's start, one bit a clock.
const BY_EPOCH: u64 = bits(&[linux::CLOCK_REALTIME, linux::CLOCK_REALTIME_COARSE, linux::CLOCK_TAI]);
const BY_START: u64 = bits(&[
    linux::CLOCK_MONOTONIC,
    linux::CLOCK_MONOTONIC_RAW,
    linux::CLOCK_MONOTONIC_COARSE,
    linux::CLOCK_BOOTTIME,
]);

const fn bits(clocks: &[u32]) -> u64 {
    let (mut bits, mut n) = (0, 0);
    while n < clocks.len() {
        bits |= 1 << clocks[n];
        n += 1;
    }
    bits
}

global_asm!(
    ".section .rodata.vdso, \"a\"",
    ".option push",
    ".option norelax",
    ".equ vdso_number_clock_getres, {clock_getres}",
    ".equ vdso_number_getcpu, {getcpu}",
    ".equ vdso_number_flush_icache, {riscv_flush_icache}",
    ".equ vdso_number_riscv_hwprobe, {riscv_hwprobe}",
    ".balign 8",
    "vdso:",
    // The file header: ELF64, little-endian, ET_DYN, EM_RISCV; RVC and the double-float ABI.
    ".byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0",
    ".quad 0",
    ".half 3, 243",
    ".word 1",
    ".quad 0, vdso_segments - vdso, 0",
    ".word 0x5",
    ".half 64, 56, 2, 0, 0, 0",
    // PT_LOAD, R and X: all of it. PT_DYNAMIC, R.
    "vdso_segments:",
    ".word 1, 5",
    ".quad 0, 0, 0, vdso_end - vdso, vdso_end - vdso, 0x1000",
    ".word 2, 4",
    ".quad vdso_dynamic - vdso, vdso_dynamic - vdso, vdso_dynamic - vdso",
    ".quad vdso_dynamic_end - vdso_dynamic, vdso_dynamic_end - vdso_dynamic, 8",
    // DT_SONAME, DT_HASH, DT_STRTAB, DT_STRSZ, DT_SYMTAB, DT_SYMENT, DT_VERSYM, DT_VERDEF, DT_VERDEFNUM.
    "vdso_dynamic:",
    ".quad 14, vdso_name_soname - vdso_names",
    ".quad 4, vdso_hash - vdso",
    ".quad 5, vdso_names - vdso",
    ".quad 10, vdso_names_end - vdso_names",
    ".quad 6, vdso_symbols - vdso",
    ".quad 11, 24",
    ".quad 0x6ffffff0, vdso_versions - vdso",
    ".quad 0x6ffffffc, vdso_definitions - vdso",
    ".quad 0x6ffffffd, 2",
    ".quad 0, 0",
    "vdso_dynamic_end:",
    // Global functions of some section.
    "vdso_symbols:",
    ".quad 0, 0, 0",
    ".irp name, rt_sigreturn, gettimeofday, clock_gettime, clock_getres, getcpu, flush_icache, riscv_hwprobe",
    ".word vdso_name_\\name - vdso_names",
    ".byte 0x12, 0",
    ".half 1",
    ".quad vdso_\\name - vdso, vdso_\\name\\()_end - vdso_\\name",
    ".endr",
    // One bucket, in which all symbols are.
    "vdso_hash:",
    ".word 1, 8",
    ".word 1",
    ".word 0, 2, 3, 4, 5, 6, 7, 0",
    // The first version is the library itself, the second that of all functions; with the hashes of their names.
    "vdso_versions:",
    ".half 0, 2, 2, 2, 2, 2, 2, 2",
    "vdso_definitions:",
    ".half 1, 1, 1, 1",
    ".word {SONAME_HASH}, 20, 28",
    ".word vdso_name_soname - vdso_names, 0",
    ".half 1, 0, 2, 1",
    ".word {VERSION_HASH}, 20, 0",
    ".word vdso_name_version - vdso_names, 0",
    "vdso_names:",
    ".byte 0",
    "vdso_name_soname:",
    ".asciz \"linux-vdso.so.1\"",
    "vdso_name_version:",
    ".asciz \"LINUX_4.15\"",
    ".irp name, rt_sigreturn, gettimeofday, clock_gettime, clock_getres, getcpu, flush_icache, riscv_hwprobe",
    "vdso_name_\\name:",
    ".asciz \"__vdso_\\name\"",
    ".endr",
    "vdso_names_end:",
    ".balign 8",
    // Nanoseconds since 1970 at tick 0.
    "vdso_epoch:",
    ".quad 0",
    // Debuggers and unwinders know the end of a handler by these two instructions.
    "vdso_rt_sigreturn:",
    "    li a7, {rt_sigreturn}",
    "    ecall",
    "vdso_rt_sigreturn_end:",
    ".irp name, clock_getres, getcpu, flush_icache, riscv_hwprobe",
    "vdso_\\name:",
    "    li a7, vdso_number_\\name",
    "    ecall",
    "    ret",
    "vdso_\\name\\()_end:",
    ".endr",
    // From the base in t2, in nanoseconds: whole seconds in t0, the rest in t2.
    ".macro vdso_time_since_base",
    "    rdtime t0",
    "    li t1, {NANOSECONDS_PER_TICK}",
    "    mul t0, t0, t1",
    "    add t0, t0, t2",
    "    li t1, 1000000000",
    "    remu t2, t0, t1",
    "    divu t0, t0, t1",
    ".endm",
    // clock_gettime(a0: the clock, a1: where to)
    "vdso_clock_gettime:",
    "    li t0, 64",
    "    bgeu a0, t0, 9f",
    "    li t0, 1",
    "    sll t0, t0, a0",
    "    li t2, 0",
    "    li t1, {BY_START}",
    "    and t1, t1, t0",
    "    bnez t1, 1f",
    "    li t1, {BY_EPOCH}",
    "    and t1, t1, t0",
    "    beqz t1, 9f",
    "    lla t1, vdso_epoch",
    "    ld t2, 0(t1)",
    "1:  vdso_time_since_base",
    "    sd t0, 0(a1)",
    "    sd t2, 8(a1)",
    "    li a0, 0",
    "    ret",
    "9:  li a7, {clock_gettime}",
    "    ecall",
    "    ret",
    "vdso_clock_gettime_end:",
    // gettimeofday(a0: where to, or 0, a1: where to put the time zone, or 0)
    "vdso_gettimeofday:",
    "    beqz a0, 1f",
    "    lla t1, vdso_epoch",
    "    ld t2, 0(t1)",
    "    vdso_time_since_base",
    "    sd t0, 0(a0)",
    "    li t1, 1000",
    "    divu t2, t2, t1",
    "    sd t2, 8(a0)",
    "1:  beqz a1, 2f",
    "    sd zero, 0(a1)",
    "2:  li a0, 0",
    "    ret",
    "vdso_gettimeofday_end:",
    "vdso_end:",
    ".option pop",
    ".text",
    SONAME_HASH = const SONAME_HASH,
    VERSION_HASH = const VERSION_HASH,
    NANOSECONDS_PER_TICK = const NANOSECONDS_PER_TICK,
    BY_EPOCH = const BY_EPOCH,
    BY_START = const BY_START,
    rt_sigreturn = const abi::number::rt_sigreturn,
    clock_gettime = const abi::number::clock_gettime,
    clock_getres = const abi::number::clock_getres,
    getcpu = const abi::number::getcpu,
    riscv_flush_icache = const abi::number::riscv_flush_icache,
    riscv_hwprobe = const abi::number::riscv_hwprobe,
);

/// Hash of a version's name (ELF specification, "Hash Table").
const fn elf_hash(name: &[u8]) -> u32 {
    let (mut hash, mut n) = (0_u32, 0);
    while n < name.len() {
        hash = (hash << 4).wrapping_add(name[n] as u32);
        hash = (hash ^ ((hash & 0xf000_0000) >> 24)) & 0x0fff_ffff;
        n += 1;
    }
    hash
}

const SONAME_HASH: u32 = elf_hash(b"linux-vdso.so.1");
const VERSION_HASH: u32 = elf_hash(b"LINUX_4.15");

unsafe extern "C" {
    static vdso: u8;
    static vdso_end: u8;
    static vdso_epoch: u8;
    static vdso_rt_sigreturn: u8;
}

/// The image as it is made, with an epoch of 0.
pub fn vdso_image() -> &'static [u8] {
    let (start, end) = (&raw const vdso, &raw const vdso_end);
    // SAFETY: the two labels stand around the image in a section that nothing writes.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// Where in the image the epoch is, eight bytes.
pub fn vdso_epoch_offset() -> usize {
    (&raw const vdso_epoch).addr() - (&raw const vdso).addr()
}

/// Where in the image the function is that a signal's handler returns to.
pub fn vdso_sigreturn_offset() -> usize {
    (&raw const vdso_rt_sigreturn).addr() - (&raw const vdso).addr()
}
