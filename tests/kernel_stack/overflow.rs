//! A kernel that recurses without end, to see the guard page catch it: the real kernel, with one function's code replaced.

use super::guest::Guest;
use emulator::devices::host::GuestExit;
use emulator::loader::elf::ElfFile;
use emulator::machine::StopReason;
use isa::asm::assemble;
use isa::{Step, VirtAddr};
use log::{LevelFilter, Log, Metadata, Record};
use std::cell::RefCell;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what is logged on the test's thread: the kernel's log comes there.
struct Keeper;

impl Log for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }
    fn flush(&self) {}
}

/// What the kernel logs when `function` takes `frame_bytes` of stack and calls itself, for ever, instead of what it does.
fn recurse_in(function: &str, frame_bytes: u32, store: &str) -> Vec<String> {
    static KEEPER: Keeper = Keeper;
    // The other tests of this file may have set it before.
    let _ = log::set_logger(&KEEPER);
    log::set_max_level(LevelFilter::Debug);
    let elf = ElfFile::parse(guest_os::KERNEL_ELF).unwrap();
    let is_wanted = |name: &str| format!("{:#}", rustc_demangle::demangle(name)) == function;
    let symbol = elf.symbols().find(|symbol| is_wanted(&symbol.name)).expect("the kernel has the function");
    let take = format!("addi sp, sp, -{frame_bytes}");
    let code: Vec<u8> = [take.as_str(), store, "jal ra, .-8"]
        .iter()
        .flat_map(|line| assemble(line, symbol.va.0).unwrap().bits.to_le_bytes())
        .collect();
    let mut guest = Guest::new(&["hello"], 0);
    assert!(guest.machine.write_ram(elf.physical(symbol.va), &code));
    // A step for each instruction of the way there, not of a machine that hangs.
    assert_eq!(guest.machine.run(Step(100_000_000)), StopReason::Exit(GuestExit::Panic), "{function}");
    assert_eq!(guest.machine.read_virt(VirtAddr(symbol.va.0), code.len()), code);
    LINES.take()
}

#[test]
fn an_overflow_names_the_process() {
    // Frames as small and as large as they come, stored to at either end.
    for (frame_bytes, store) in
        [(16, "sd ra, 8(sp)"), (1024, "sd ra, 1016(sp)"), (1024, "sd ra, 0(sp)"), (144, "sd zero, 0(sp)")]
    {
        let lines = recurse_in("kernel::syscall::io::write", frame_bytes, store);
        let expected = "kernel stack overflow in process 1 (hello)";
        assert!(lines.iter().any(|line| line.contains(expected)), "{frame_bytes} {store}: {lines:?}");
    }
}

#[test]
fn an_overflow_of_the_idle_thread_is_named_too() {
    let lines = recurse_in("kernel::processes::wait::idle", 64, "sd ra, 56(sp)");
    let expected = "kernel stack overflow in the idle thread";
    assert!(lines.iter().any(|line| line.contains(expected)), "{lines:?}");
}
