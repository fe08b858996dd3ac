//! The supervisor CSRs the kernel touches, one function each.

use core::arch::asm;
use isa::paging::Satp;

/// Enables these interrupts (bits of [`isa::Interrupt::mask`]) individually; `sstatus.SIE` stays clear.
pub fn enable_interrupts_in_sie(mask: u64) {
    // SAFETY: with SIE clear an interrupt can only be taken from user mode, where stvec and sscratch are set up.
    unsafe { asm!("csrs sie, {}", in(reg) mask, options(nomem, nostack)) }
}

/// Lets programs read the `time` CSR: bit TM of `scounteren` (privileged manual, "Supervisor Counter-Enable Register").
pub fn let_programs_read_time() {
    // SAFETY: changes only what an instruction of a program does that the kernel has none of.
    unsafe { asm!("csrs scounteren, {}", in(reg) 1 << 1, options(nomem, nostack)) }
}

/// The pending and enabled interrupts.
pub fn interrupts_pending() -> u64 {
    let (pending, enabled): (u64, u64);
    // SAFETY: reads two CSRs without side effects.
    unsafe {
        asm!("csrr {}, sip", "csrr {}, sie", out(reg) pending, out(reg) enabled, options(nomem, nostack));
    }
    pending & enabled
}

/// Stops the hart until an enabled interrupt is pending (it is not taken).
pub fn wait_for_interrupt() {
    // SAFETY: `wfi` changes no state of ours; devices may write memory meanwhile, so memory is not `nomem`.
    unsafe { asm!("wfi", options(nostack)) }
}

/// The `time` CSR: ticks of [`isa::time::TIMEBASE_HZ`].
pub fn time() -> u64 {
    let ticks;
    // SAFETY: reads a counter.
    unsafe { asm!("rdtime {}", out(reg) ticks, options(nomem, nostack)) }
    ticks
}

/// Makes `satp` the hart's address space.
pub fn set_address_space(satp: Satp) {
    // SAFETY: every root table the kernel builds maps the kernel's half alike, so this code and its stack stay mapped.
    unsafe { asm!("csrw satp, {}", in(reg) satp.0, options(nostack)) }
}

/// `sfence.vma` for one page of one address space (`va` = None: all its pages; both None: everything).
pub fn fence_address_space(va: Option<u64>, asid: Option<u64>) {
    // SAFETY: fences only drop cached translations.
    unsafe {
        match (va, asid) {
            (Some(va), Some(asid)) => asm!("sfence.vma {}, {}", in(reg) va, in(reg) asid, options(nostack)),
            (Some(va), None) => asm!("sfence.vma {}, zero", in(reg) va, options(nostack)),
            (None, Some(asid)) => asm!("sfence.vma zero, {}", in(reg) asid, options(nostack)),
            (None, None) => asm!("sfence.vma zero, zero", options(nostack)),
        }
    }
}

/// Memory may have been written by a device: what is read from now on is read afresh.
pub fn device_has_written() {
    // SAFETY: nothing happens; without `nomem` the compiler must take all memory for changed.
    unsafe { asm!("", options(nostack, preserves_flags)) }
}

/// `fence.i`: instructions fetched from now on see the stores made before.
pub fn fence_instructions() {
    // SAFETY: orders memory accesses, no more.
    unsafe { asm!("fence.i", options(nostack)) }
}

/// The largest address-space identifier that `satp` keeps (privileged manual: probe by writing ones).
pub fn max_asid() -> u16 {
    let kept: u64;
    // SAFETY: only the ASID field changes and is put back at once; the mappings stay the same under any ASID.
    unsafe {
        asm!(
            "csrr {old}, satp",
            "or {kept}, {old}, {mask}",
            "csrw satp, {kept}",
            "csrr {kept}, satp",
            "csrw satp, {old}",
            old = out(reg) _, kept = out(reg) kept, mask = in(reg) 0xffff_u64 << 44, options(nostack)
        );
    }
    Satp(kept).asid()
}
