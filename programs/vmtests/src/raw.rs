//! Breaking the rules, in one place: system calls with any arguments, loads and stores at any address.
//!
//! Unsafe, and offered to the tests as safe functions by decree: a test runs in a process of its own, and what it does
//! to that process's memory is what it is there to do. The kernel, which is what is tested, must stand all of it.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU32;
use rt::abi::general as g;
use rt::{Errno, Result, syscall};

/// System call `number` with any arguments, those that are missing as zero.
pub fn sys<const N: usize>(number: u32, args: [usize; N]) -> Result<usize> {
    // SAFETY: the module's decree: at worst this test's process comes to harm.
    unsafe { syscall::call(number, args) }
}

/// Loads the byte at `address`.
pub fn peek(address: usize) -> u8 {
    // SAFETY: the module's decree. A bad address ends in SIGSEGV, which the test expects.
    unsafe { (address as *const u8).read_volatile() }
}

/// Stores `value` at `address`.
pub fn poke(address: usize, value: u8) {
    // SAFETY: the module's decree. A bad address ends in SIGSEGV, which the test expects.
    unsafe { (address as *mut u8).write_volatile(value) }
}

/// Copies what lies at `address`.
pub fn copy_from(address: usize, into: &mut [u8]) {
    // SAFETY: the module's decree. What others change meanwhile is bytes.
    unsafe { core::ptr::copy(core::hint::black_box(address) as *const u8, into.as_mut_ptr(), into.len()) }
}

/// Copies bytes to `address`.
pub fn copy_to(address: usize, bytes: &[u8]) {
    // SAFETY: the module's decree.
    unsafe { core::ptr::copy(bytes.as_ptr(), core::hint::black_box(address) as *mut u8, bytes.len()) }
}

/// Loads eight bytes at any alignment, by one instruction.
pub fn peek64(address: usize) -> u64 {
    let value;
    // SAFETY: the module's decree.
    unsafe { core::arch::asm!("ld {value}, 0({address})", address = in(reg) address, value = out(reg) value) }
    value
}

/// Stores eight bytes at any alignment, by one instruction.
pub fn poke64(address: usize, value: u64) {
    // SAFETY: the module's decree.
    unsafe { core::arch::asm!("sd {value}, 0({address})", address = in(reg) address, value = in(reg) value) }
}

/// The words of the page at `address`, which stays mapped for good.
pub fn words(address: usize) -> &'static [AtomicU32; rt::PAGE_SIZE / 4] {
    // SAFETY: the module's decree. Atomics may change at any time.
    unsafe { &*(address as *const [AtomicU32; rt::PAGE_SIZE / 4]) }
}

/// Instructions that the hart has retired, the kernel's included.
pub fn instructions() -> u64 {
    let count;
    // SAFETY: reads a counter.
    unsafe { core::arch::asm!("rdinstret {count}", count = out(reg) count) }
    count
}

/// Adds to eight bytes by one AMO; the old value.
pub fn amo_add(address: usize, value: u64) -> u64 {
    let old;
    // SAFETY: the module's decree.
    unsafe {
        core::arch::asm!("amoadd.d {old}, {value}, ({address})", address = in(reg) address, value = in(reg) value, old = out(reg) old);
    }
    old
}

/// Adds one by LR and SC, trying until it succeeds; the old value.
pub fn lr_sc_increment(address: usize) -> u64 {
    let old;
    // SAFETY: the module's decree.
    unsafe {
        core::arch::asm!(
            "1: lr.d {old}, ({address})",
            "   addi {new}, {old}, 1",
            "   sc.d {failed}, {new}, ({address})",
            "   bnez {failed}, 1b",
            address = in(reg) address, old = out(reg) old, new = out(reg) _, failed = out(reg) _,
        );
    }
    old
}

/// A load by an instruction of four bytes, so that a handler can skip it by adding 4 to the pc.
pub fn probe(address: usize) {
    // SAFETY: the module's decree. The register that it loads is declared as changed.
    unsafe {
        core::arch::asm!(".option push", ".option norvc", "lb t0, 0({address})", ".option pop", address = in(reg) address, out("t0") _);
    }
}

/// An instruction of four bytes that is illegal.
pub fn illegal_instruction() {
    // SAFETY: it traps; nothing else happens.
    unsafe { core::arch::asm!(".4byte 0xffffffff") }
}

/// ebreak, by an instruction of four bytes.
pub fn breakpoint() {
    // SAFETY: it traps; nothing else happens.
    unsafe { core::arch::asm!(".option push", ".option norvc", "ebreak", ".option pop") }
}

/// Calls `address` as a function without arguments. By assembly: to the compiler, a call of address 0 cannot happen.
pub fn jump(address: usize) {
    // SAFETY: the module's decree. What is there is called as the C ABI says.
    unsafe { core::arch::asm!("jalr {address}", address = in(reg) address, clobber_abi("C")) }
}

/// Keeps twelve floating-point registers and fcsr's rounding mode loaded through a spin of `turns`; whether all came through.
pub fn floats_survive(seed: u64, turns: u64) -> bool {
    let (bad, mode): (u64, u64);
    // SAFETY: registers only, all declared as changed; the rounding mode is put back to nearest, Rust's own.
    unsafe {
        core::arch::asm!(
            "fmv.d.x fs0, {s}", "fmv.d.x fs5, {s}", "fmv.d.x ft0, {s}", "fmv.d.x ft11, {s}",
            "fmv.d.x fa0, {s}", "fmv.d.x fa7, {s}", "fmv.d.x fs11, {s}", "fmv.d.x ft7, {s}",
            "fsrmi 1",
            "2: addi {n}, {n}, -1", "bnez {n}, 2b",
            "li {bad}, 0",
            "fmv.x.d {n}, fs0", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, fs5", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, ft0", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, ft11", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, fa0", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, fa7", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, fs11", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "fmv.x.d {n}, ft7", "xor {n}, {n}, {s}", "or {bad}, {bad}, {n}",
            "frrm {mode}", "fsrmi 0",
            s = in(reg) seed, n = inout(reg) turns => _, bad = out(reg) bad, mode = out(reg) mode,
            out("fs0") _, out("fs5") _, out("ft0") _, out("ft11") _, out("fa0") _, out("fa7") _, out("fs11") _, out("ft7") _,
        );
    }
    bad == 0 && mode == 1
}

/// A signal handler as the kernel calls it: number, address of siginfo, address of ucontext.
pub type Handler = extern "C" fn(i32, usize, usize);

/// What a signal does.
#[derive(Clone, Copy)]
pub enum Action {
    Default,
    Ignore,
    Call(Handler),
}

/// rt_sigaction(2); the kernel supplies the return trampoline.
pub fn on_signal(signal: u32, action: Action, flags: u32) -> Result<()> {
    let handler = match action {
        Action::Default => 0,
        Action::Ignore => 1,
        Action::Call(handler) => handler as usize,
    };
    let words = [handler, flags as usize | g::SA_SIGINFO as usize, 0];
    sys(g::__NR_rt_sigaction, [signal as usize, words.as_ptr() as usize, 0, 8]).map(drop)
}

/// Offset of the program counter in ucontext: flags, link, stack (3 words), 128 bytes of mask, aligned to 16.
const UCONTEXT_PC: usize = 176;

/// The program counter to which a handler will return.
pub fn interrupted_pc(ucontext: usize) -> u64 {
    peek64(ucontext + UCONTEXT_PC)
}

/// Changes the program counter to which a handler will return.
pub fn set_interrupted_pc(ucontext: usize, pc: u64) {
    poke64(ucontext + UCONTEXT_PC, pc);
}

// clone(2), or clone3(2), with a stack for the child, which calls `function(argument)` there and exits with what it returns. To
// clone(2) the argument is the thread pointer too, and both tid words are one.
core::arch::global_asm!(
    ".text",
    ".globl clone3_on_stack",
    "clone3_on_stack:", // a0 arguments, a1 their size, a2 function, a3 argument
    "    li a7, {clone3}",
    "    j 2f",
    ".globl clone_on_stack",
    "clone_on_stack:", // a0 flags, a1 stack top, a2 function, a3 argument, a4 tid word
    "    li a7, {clone}",
    "2:  mv t0, a2",
    "    mv t1, a3",
    "    mv a2, a4",
    "    ecall",
    "    bnez a0, 1f",
    "    mv a0, t1",
    "    jalr t0",
    "    li a7, {exit}",
    "    ecall",
    "    unimp",
    "1:  ret",
    clone = const g::__NR_clone,
    clone3 = const g::__NR_clone3,
    exit = const g::__NR_exit,
);

unsafe extern "C" {
    fn clone_on_stack(
        flags: usize,
        stack_top: usize,
        function: extern "C" fn(usize) -> i32,
        argument: usize,
        tid_word: usize,
    ) -> isize;
    fn clone3_on_stack(
        arguments: usize,
        size: usize,
        function: extern "C" fn(usize) -> i32,
        argument: usize,
    ) -> isize;
}

/// What posix_spawn(3) does: a child that shares this memory and runs on a stack of its own, while this process waits.
pub fn spawn_vfork(function: extern "C" fn(usize) -> i32, argument: usize) -> isize {
    spawn(g::CLONE_VM | g::CLONE_VFORK | g::SIGCHLD, 0, function, argument)
}

/// As [`spawn_vfork`], with other flags beside CLONE_VM and CLONE_VFORK, and an address for the child's number.
pub fn spawn(flags: u32, child_tid: usize, function: extern "C" fn(usize) -> i32, argument: usize) -> isize {
    let mut stack = [0u64; 1024];
    let top = (&raw mut stack).wrapping_add(1) as usize & !15;
    // SAFETY: the child runs on `stack` only, and this process goes on only when the child is gone.
    unsafe { clone_on_stack(flags as usize, top, function, argument, child_tid) }
}

/// What pthread_create(3) asks for: everything shared, a stack and a thread pointer of its own, its number in a word until it has ended.
pub const PTHREAD: u32 = g::CLONE_VM
    | g::CLONE_FS
    | g::CLONE_FILES
    | g::CLONE_SIGHAND
    | g::CLONE_THREAD
    | g::CLONE_SYSVSEM
    | g::CLONE_SETTLS
    | g::CLONE_PARENT_SETTID
    | g::CLONE_CHILD_CLEARTID;

/// Starts a thread on the stack that ends at `stack_top`: it calls `function(argument)` and ends.
pub fn start_thread(
    stack_top: usize,
    function: extern "C" fn(usize) -> i32,
    argument: usize,
    tid_word: &AtomicU32,
) -> Result<usize> {
    // SAFETY: the module's decree: the thread runs on a stack that nobody else uses, as the caller has seen to.
    let result = unsafe {
        clone_on_stack(PTHREAD as usize, stack_top, function, argument, tid_word.as_ptr() as usize)
    };
    usize::try_from(result).map_err(|_| Errno(result.unsigned_abs() as u32))
}

/// Starts a thread by clone3(2) with this `struct clone_args`, which names a stack: it calls `function(argument)` and ends.
pub fn start_thread3(
    arguments: &[u64; 11],
    function: extern "C" fn(usize) -> i32,
    argument: usize,
) -> Result<usize> {
    // SAFETY: as in `start_thread`.
    let result =
        unsafe { clone3_on_stack(arguments.as_ptr() as usize, size_of_val(arguments), function, argument) };
    usize::try_from(result).map_err(|_| Errno(result.unsigned_abs() as u32))
}

/// The running thread's pointer to its own storage.
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mv {}, tp", out(reg) pointer) }
    pointer
}
