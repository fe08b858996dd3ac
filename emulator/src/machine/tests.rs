//! Small hand-assembled programs on a whole machine.

use super::*;
use crate::host::{EventAction, Input, Output, OutputClosed};
use isa::asm::assemble;
use isa::csr::Csr;
use isa::events::EventRecord;
use isa::platform::{KERNEL_BASE, RAM_BASE, RTC_EPOCH_SECONDS};
use isa::{PhysAddr, VirtAddr};
use std::cell::RefCell;
use std::rc::Rc;

const FOREVER: Step = Step(1_000_000_000_000);

/// The program's bytes. `li` of large numbers is spelled out by the rows.
fn code(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let insn = assemble(line, RAM_BASE.0 + bytes.len() as u64).unwrap_or_else(|| panic!("{line}"));
        let word = isa::encode::encode(&insn).unwrap_or_else(|| panic!("{line}"));
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

fn bare(lines: &[&str]) -> Machine {
    let mut machine = Machine::new(MachineConfig { ram_bytes: 1 << 20, ..Default::default() }).unwrap();
    machine.boot(&Boot::bare(&code(lines))).unwrap();
    machine
}

fn under_sbi(lines: &[&str]) -> Machine {
    let mut machine = Machine::new(MachineConfig { ram_bytes: 4 << 20, ..Default::default() }).unwrap();
    machine.boot(&Boot::kernel(&code(lines))).unwrap();
    machine
}

/// Standard streams whose other end the test keeps.
#[derive(Clone, Default)]
struct Streams(Rc<RefCell<(Vec<u8>, Vec<Input>)>>);

impl Stdio for Streams {
    fn write(&mut self, _: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.0.borrow_mut().0.extend(bytes);
        Ok(())
    }
    fn poll_input(&mut self, buffer: &mut [u8]) -> Input {
        let inputs = &mut self.0.borrow_mut().1;
        let input = if inputs.is_empty() { Input::NotYet } else { inputs.remove(0) };
        if let Input::Bytes(count) = input {
            buffer[..count].fill(b'i');
        }
        input
    }
}

/// Sets the timer to `ticks`, enables it and waits; the handler stores mtime and stops.
fn timer_program(ticks: &str, wait: &'static str) -> Vec<String> {
    [
        "auipc t0, 0",
        "addi t0, t0, 48",
        "csrw mtvec, t0",
        "lui t1, 0x2004",
        &format!("li t2, {ticks}"),
        "sd t2, 0(t1)",
        "li t2, 128",
        "csrw mie, t2",
        "csrsi mstatus, 8",
        wait,
        "j .-4",
        "nop",
        // The handler.
        "csrr a0, mcause",
        "lui t1, 0x100",
        "lui t2, 5",
        "addi t2, t2, 0x555",
        "sw t2, 0(t1)",
        "j .",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn timer_machine(ticks: &str, wait: &'static str) -> Machine {
    let program = timer_program(ticks, wait);
    bare(&program.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_timer_interrupt_comes_at_its_exact_step() {
    let mut machine = timer_machine("7", "nop");
    // mtime reaches 7 at step 700: the handler's first instruction is the one of step 700.
    let handler = VirtAddr(RAM_BASE.0 + 48);
    assert_eq!(machine.run(Step(700)), StopReason::Fuel);
    assert_ne!(machine.hart().pc, handler.0);
    assert_eq!(machine.run(Step(701)), StopReason::Fuel);
    assert_eq!((machine.hart().pc, machine.hart().x[10]), (handler.0 + 4, 1 << 63 | 7));
    assert_eq!(machine.run(FOREVER), StopReason::FinisherPass);
    assert_eq!(machine.steps(), Step(705));
    assert_eq!(machine.run(FOREVER), StopReason::FinisherPass, "an ended machine stays ended");
}

#[test]
fn waiting_skips_to_the_deadline_and_ends_in_the_same_place() {
    let mut waiting = timer_machine("2000", "wfi");
    assert_eq!(waiting.run(FOREVER), StopReason::FinisherPass);
    assert_eq!(waiting.steps(), Step(200_005));
    assert!(waiting.instructions() < 30, "{} instructions", waiting.instructions());
    let mut busy = timer_machine("2000", "nop");
    assert_eq!(busy.run(FOREVER), StopReason::FinisherPass);
    assert_eq!(busy.steps(), Step(200_005));
}

#[test]
fn how_a_run_is_cut_does_not_matter() {
    for wait in ["nop", "wfi"] {
        let mut whole = timer_machine("20", wait);
        assert_eq!(whole.run(FOREVER), StopReason::FinisherPass);
        let mut stepped = timer_machine("20", wait);
        let mut steps = 0;
        while stepped.step() == StopReason::Fuel {
            steps += 1;
            assert!(steps < 10_000);
        }
        let mut sliced = timer_machine("20", wait);
        let mut until = 7;
        while sliced.run(Step(until)) == StopReason::Fuel {
            until += 7;
        }
        for other in [stepped, sliced] {
            assert_eq!(
                (other.steps(), other.instructions()),
                (whole.steps(), whole.instructions()),
                "{wait}"
            );
            assert_eq!(other.state_hash(), whole.state_hash(), "{wait}");
        }
    }
}

#[test]
fn a_machine_saved_anywhere_goes_on_the_same() {
    let mut whole = timer_machine("20", "nop");
    whole.run(FOREVER);
    for n in (0..2000).step_by(40) {
        let mut first = timer_machine("20", "nop");
        first.run(Step(n));
        let mut second = Machine::load(&first.save()).unwrap();
        assert_eq!(second.state_hash(), first.state_hash(), "saved at {n}");
        assert_eq!(second.run(FOREVER), StopReason::FinisherPass, "saved at {n}");
        assert_eq!(second.state_hash(), whole.state_hash(), "saved at {n}");
    }
}

/// Raising a hart's own software interrupt shows at once, and after a load.
#[test]
fn lines_are_read_as_pending_between_runs_and_after_a_load() {
    let mut machine = bare(&["lui t0, 0x2000", "li t1, 1", "sw t1, (t0)", "j ."]);
    machine.run(Step(3));
    assert_eq!(machine.csr(Csr::MIP).unwrap() & 1 << 3, 1 << 3);
    let loaded = Machine::load(&machine.save()).unwrap();
    assert_eq!(loaded.csr(Csr::MIP), machine.csr(Csr::MIP));
}

#[test]
fn what_is_no_saved_machine_is_refused() {
    let saved = timer_machine("20", "nop").save();
    assert_eq!(Machine::load(&[]).err(), Some(RestoreError::NotASnapshot));
    assert_eq!(Machine::load(&[7; 100]).err(), Some(RestoreError::NotASnapshot));
    assert_eq!(Machine::load(&saved[..saved.len() - 1]).err(), Some(RestoreError::Damaged));
    let mut other = saved.clone();
    other[8] = 99;
    assert_eq!(Machine::load(&other).err(), Some(RestoreError::OtherVersion { found: 99 }));
    for at in (20..saved.len()).step_by(97) {
        let mut damaged = saved.clone();
        damaged[at] ^= 0x10;
        assert_eq!(Machine::load(&damaged).err(), Some(RestoreError::Damaged), "byte {at}");
    }
}

#[test]
fn a_machine_that_nothing_can_wake_is_idle() {
    let mut machine = bare(&["wfi", "j .-4"]);
    assert_eq!(machine.run(FOREVER), StopReason::Idle);
    assert_eq!(machine.steps(), Step(1));
}

#[test]
fn a_hart_that_can_only_trap_ends_the_run() {
    let program = ["li t0, 64", "ld a0, 0(t0)"];
    let mut whole = bare(&program);
    // The trap, and the handler's own.
    assert_eq!((whole.run(FOREVER), whole.steps()), (StopReason::TrapLoop, Step(3)));
    assert_eq!((whole.run(FOREVER), whole.steps()), (StopReason::TrapLoop, Step(3)));
    assert_eq!(whole.instructions(), 1);
    let mut cut = bare(&program);
    assert_eq!(
        [cut.step(), cut.run(Step(2)), cut.step()],
        [StopReason::Fuel, StopReason::Fuel, StopReason::TrapLoop]
    );
    assert_eq!(cut.state_hash(), whole.state_hash());
}

#[test]
fn a_trap_loop_that_an_interrupt_can_end_goes_on() {
    for (mie, end) in [(0, (StopReason::TrapLoop, Step(16))), (128, (StopReason::FinisherPass, Step(704)))] {
        let mut machine = bare(&[
            "auipc t0, 0",
            "addi t0, t0, 64",
            "csrw mtvec, t0",
            "lui t1, 0x2004",
            "li t2, 7",
            "sd t2, 0(t1)",
            &format!("li t2, {mie}"),
            "csrw mie, t2",
            "li t2, 2",
            "csrw medeleg, t2",
            "li t2, 1",
            "slli t2, t2, 11",
            "csrw mstatus, t2",
            "csrw mepc, zero",
            "mret", // to S-mode, where address 0 cannot be fetched and stvec is 0
            "nop",
            "lui t1, 0x100",
            "lui t2, 5",
            "addi t2, t2, 0x555",
            "sw t2, 0(t1)",
        ]);
        assert_eq!((machine.run(FOREVER), machine.steps()), end, "mie {mie}");
    }
}

#[test]
fn the_uart_waits_for_input_and_takes_it() {
    // Enable the receive interrupt at the UART and at the PLIC (source 10, M context), then wait.
    let mut machine = bare(&[
        "lui s0, 0x10000",
        "li t0, 1",
        "sb t0, 1(s0)",
        "lui s1, 0xc000",
        "sw t0, 40(s1)",
        "lui s2, 0xc002",
        "li t1, 1024",
        "sw t1, 0(s2)",
        "li t0, 1",
        "slli t0, t0, 11",
        "csrw mie, t0",
        "wfi",
        "lbu a0, 0(s0)",
        "sb a0, 0(s0)",
        "lui t0, 0xc200",
        "lw a1, 4(t0)",
        "lui t1, 0x100",
        "lui t2, 5",
        "addi t2, t2, 0x555",
        "sw t2, 0(t1)",
    ]);
    let streams = Streams::default();
    machine.set_stdio(Box::new(streams.clone()));
    assert_eq!(machine.run(FOREVER), StopReason::NeedInput);
    assert_eq!(machine.run(FOREVER), StopReason::NeedInput);
    streams.0.borrow_mut().1.push(Input::Bytes(1));
    assert_eq!(machine.run(FOREVER), StopReason::FinisherPass);
    assert_eq!((machine.hart().x[10], machine.hart().x[11]), (u64::from(b'i'), 10));
    assert_eq!(streams.0.borrow().0, b"i");
}

#[test]
fn the_built_in_sbi_prints_tells_time_and_shuts_down() {
    let mut machine = under_sbi(&[
        "mv s0, a0",
        "mv s1, a1",
        // DBCN console write byte 'A'.
        "lui a7, 0x44424",
        "addi a7, a7, 0x34e",
        "li a6, 2",
        "li a0, 65",
        "ecall",
        "mv s2, a0",
        // TIME: interrupt at 30 ticks; wait for it.
        "lui a7, 0x54495",
        "addi a7, a7, -699",
        "li a6, 0",
        "li a0, 30",
        "ecall",
        "li t0, 32",
        "csrw sie, t0",
        "wfi",
        "csrr s3, sip",
        "csrr s4, time",
        // Legacy shutdown.
        "li a7, 8",
        "ecall",
    ]);
    let streams = Streams::default();
    machine.set_stdio(Box::new(streams.clone()));
    assert_eq!(machine.hart().pc, KERNEL_BASE.0);
    assert_eq!(machine.run(FOREVER), StopReason::SbiShutdown(0));
    let x = machine.hart().x;
    assert_eq!((x[8], x[18], x[19], x[20]), (0, 0, 32, 30));
    assert_eq!(x[9], machine.boot_info().unwrap().device_tree.0);
    assert_eq!(streams.0.borrow().0, b"A");
    assert_eq!(machine.steps(), Step(3004));
}

#[test]
fn a_disk_read_completes_at_its_step() {
    // Not a driver: the device is set up by the test, the guest only waits.
    let mut machine = bare(&["wfi", "j .-4"]);
    assert_eq!(machine.attach_disk(Box::new(vec![7u8; 4096]), false), Ok(0));
    let ram = RAM_BASE.0 + 0x1_0000;
    let mut put = |offset: u64, bytes: &[u8]| assert!(machine.write_ram(PhysAddr(ram + offset), bytes));
    let descriptor = |addr: u64, len: u32, flags: u16, next: u16| {
        [&addr.to_le_bytes()[..], &len.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()].concat()
    };
    put(0, &descriptor(ram + 0x3000, 16, 1, 1));
    put(16, &descriptor(ram + 0x4000, 512, 3, 2));
    put(32, &descriptor(ram + 0x3100, 1, 2, 0));
    put(0x1000, &[0, 0, 1, 0, 0, 0]);
    let virtio = isa::platform::VIRTIO.base;
    let registers = [
        (0x70, 3),
        (0x24, 1),
        (0x20, 1),
        (0x70, 11),
        (0x38, 8),
        (0x80, ram),
        (0x90, ram + 0x1000),
        (0xa0, ram + 0x2000),
        (0x44, 1),
        (0x70, 15),
        (0x50, 0),
    ];
    for (register, value) in registers {
        use crate::platform::Platform;
        let at = virtio.wrapping_add(register);
        machine.bus.write(&mut machine.ram, at, 4, value & 0xffff_ffff, Step(0)).unwrap();
    }
    assert_eq!(machine.run(FOREVER), StopReason::Idle);
    assert_eq!(machine.steps(), Step(101_000));
    assert_eq!(machine.ram().slice(PhysAddr(ram + 0x4000), 2), Some(&[7, 7][..]));
    assert_eq!((machine.disk_counters().reads, machine.disk_counters().read_bytes), (1, 512));
}

/// A bare machine whose program has `tohost` at 0x8000_1000 and `fromhost` 64 bytes on.
fn with_htif(lines: &[&str]) -> (Machine, Streams) {
    let mut machine = bare(lines);
    let tohost = PhysAddr(RAM_BASE.0 + 0x1000);
    let htif = crate::loader::boot::Htif { tohost, fromhost: Some(tohost.wrapping_add(64)) };
    let info = BootInfo { htif: Some(htif), ..machine.boot.clone().unwrap() };
    machine.watch_htif(&info);
    machine.boot = Some(info);
    let streams = Streams::default();
    machine.set_stdio(Box::new(streams.clone()));
    (machine, streams)
}

#[test]
fn a_store_to_tohost_ends_the_run_or_is_served() {
    for (store, lines, stop) in [
        ("sd", &["lui t0, 0x80001", "slli t0, t0, 32", "srli t0, t0, 32", "li a0, 1", "sd a0, 0(t0)"], 1),
        ("sw", &["lui t0, 0x80001", "slli t0, t0, 32", "srli t0, t0, 32", "li a0, 7", "sw a0, 0(t0)"], 7),
    ] {
        let (mut machine, _) = with_htif(lines);
        assert_eq!((machine.run(FOREVER), machine.steps()), (StopReason::ToHost(stop), Step(5)), "{store}");
    }
}

#[test]
fn the_console_and_the_write_call_of_htif() {
    // 'A' by device 1, command 1; then write(1, block, 1) by device 0; then pass.
    let (mut machine, streams) = with_htif(&[
        "lui t0, 0x80001",
        "slli t0, t0, 32",
        "srli t0, t0, 32",
        "li a0, 257",
        "slli a0, a0, 48",
        "addi a0, a0, 65",
        "sd a0, 0(t0)",
        "ld s0, 0(t0)",
        "addi a1, t0, 128",
        "li a2, 64",
        "sd a2, 0(a1)",
        "li a2, 1",
        "sd a2, 8(a1)",
        "sd a1, 16(a1)",
        "sd a2, 24(a1)",
        "sd a1, 0(t0)",
        "ld s1, 0(a1)",
        "ld s2, 64(t0)",
        "sd a2, 0(t0)",
    ]);
    assert_eq!(machine.run(FOREVER), StopReason::ToHost(1));
    let x = machine.hart().x;
    assert_eq!((x[8], x[9], x[18]), (0, 1, 1), "tohost cleared, one byte written, fromhost set");
    assert_eq!(streams.0.borrow().0, b"A@", "64 is @");
}

#[test]
fn the_keyboard_of_htif_answers_when_a_character_comes() {
    // Asks by device 1, command 0, and looks at fromhost until it is not zero; then clears it and asks once more.
    let (mut machine, streams) = with_htif(&[
        "lui t0, 0x80001",
        "slli t0, t0, 32",
        "srli t0, t0, 32",
        "li a0, 1",
        "slli a0, a0, 56",
        "sd a0, 0(t0)",
        "ld s0, 0(t0)",
        "ld s1, 64(t0)",
        "beq s1, zero, .-4",
        "sd zero, 64(t0)",
        "sd a0, 0(t0)",
        "ld s2, 64(t0)",
        "j .-4",
    ]);
    streams.0.borrow_mut().1 = vec![Input::NotYet, Input::NotYet, Input::Bytes(1), Input::Eof];
    assert_eq!(machine.run(Step(1_000_000)), StopReason::Fuel);
    let x = machine.hart().x;
    assert_eq!((x[8], x[9], x[18]), (0, 1 << 56 | 0x100 | u64::from(b'i'), 0));
    assert!(streams.0.borrow().1.is_empty(), "the end of the input was heard");
}

#[test]
fn the_signature_lies_between_its_symbols() {
    let mut machine = bare(&["j ."]);
    let begin = PhysAddr(RAM_BASE.0 + 0x100);
    assert!(machine.write_ram(begin, &[1, 2, 3, 4, 5, 6, 7, 8]));
    machine.boot.as_mut().unwrap().signature = Some((begin, begin.wrapping_add(8)));
    assert_eq!(machine.signature(), Some((begin, &[1, 2, 3, 4, 5, 6, 7, 8][..])));
    machine.boot.as_mut().unwrap().signature = Some((begin, PhysAddr(u64::MAX)));
    assert_eq!(machine.signature(), None);
}

/// Step, address and text of an event.
type Heard = (Step, u64, Vec<u8>);

/// Keeps what it hears; stops at each event if told so.
#[derive(Clone)]
struct Listener {
    heard: Rc<RefCell<Vec<Heard>>>,
    action: EventAction,
}

impl EventSink for Listener {
    fn event(&mut self, at: Step, _: usize, record: &EventRecord, text: &[u8]) -> EventAction {
        self.heard.borrow_mut().push((at, record.va, text.to_vec()));
        self.action
    }
}

/// Reports the record at `RAM_BASE + 0x1000` twice through the host device, then exits with status 9.
const REPORTER: &[&str] = &[
    "lui t0, 0x10200",
    "auipc t1, 1",
    "addi t1, t1, -4",
    "sd t1, 16(t0)",
    "nop",
    "sd t1, 16(t0)",
    "li t2, 9",
    "sd t2, 32(t0)",
    "j .",
];

fn reporter(text_len: u64) -> Machine {
    let mut machine = bare(REPORTER);
    let record = EventRecord { kind: 1, va: 0x1234, text_len, ..EventRecord::default() };
    let bytes: Vec<u8> = record.to_words().iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(machine.write_ram(RAM_BASE.wrapping_add(0x1000), &[&bytes[..], b"/bin/x"].concat()));
    machine
}

#[test]
fn events_reach_the_listener_and_change_nothing() {
    let mut alone = reporter(6);
    assert_eq!(alone.run(FOREVER), StopReason::Exit(GuestExit::Status(9)));
    for action in [EventAction::Continue, EventAction::Stop] {
        let listener = Listener { heard: Rc::default(), action };
        let mut machine = reporter(6);
        machine.set_event_sink(Some(Box::new(listener.clone())));
        let mut stops = Vec::new();
        let end = loop {
            match machine.run(FOREVER) {
                StopReason::Event => stops.push(machine.steps()),
                end => break end,
            }
        };
        assert_eq!(end, StopReason::Exit(GuestExit::Status(9)));
        let expected = if action == EventAction::Stop { vec![Step(4), Step(6)] } else { vec![] };
        assert_eq!(stops, expected);
        let text = b"/bin/x".to_vec();
        assert_eq!(*listener.heard.borrow(), [(Step(3), 0x1234, text.clone()), (Step(5), 0x1234, text)]);
        assert_eq!(machine.state_hash(), alone.state_hash());
    }
}

#[test]
fn texts_are_cut_and_records_outside_ram_dropped() {
    let heard = |mut machine: Machine| {
        let listener = Listener { heard: Rc::default(), action: EventAction::Continue };
        machine.set_event_sink(Some(Box::new(listener.clone())));
        machine.run(FOREVER);
        listener.heard.take()
    };
    assert_eq!(heard(reporter(u64::MAX))[0].2.len(), isa::events::MAX_TEXT);
    // The record's address is that of the host device itself.
    assert!(heard(bare(&["lui t0, 0x10200", "sd t0, 16(t0)", "sd x0, 32(t0)"])).is_empty());
}

#[test]
fn inspection_sees_registers_csrs_and_memory() {
    let mut machine = bare(&["li a0, 42", "csrw mscratch, a0", "j ."]);
    machine.run(Step(2));
    assert_eq!(machine.csr(Csr::MSCRATCH), Some(42));
    assert_eq!(machine.read_virt(VirtAddr(RAM_BASE.0), 4), code(&["li a0, 42"]));
    assert!(machine.read_virt(VirtAddr(0x1000), 4).is_empty());
    assert_eq!((machine.instructions(), machine.instructions_user()), (2, 0));
}

#[test]
fn the_clock_of_the_board_starts_at_its_epoch() {
    let mut machine = bare(&["lui t0, 0x101", "lw a0, 0(t0)", "lwu a1, 4(t0)", "j ."]);
    machine.run(Step(3));
    let x = machine.hart().x;
    assert_eq!(x[11] << 32 | x[10] & 0xffff_ffff, RTC_EPOCH_SECONDS * 1_000_000_000 + 1);
}

#[test]
fn no_call_of_the_built_in_sbi_breaks_the_machine() {
    use isa::sbi::*;
    let mut random = crate::test_support::xorshift(0x0123_4567_89ab_cdef);
    let extensions = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, EID_BASE, EID_TIME, EID_IPI, EID_RFENCE, EID_HSM, EID_HSM, EID_SRST,
        EID_DBCN, EID_DBCN, EID_FWFT, 0x1234,
    ];
    let fresh = |harts| {
        let config = MachineConfig { ram_bytes: 4 << 20, harts, ..Default::default() };
        let mut machine = Machine::new(config).unwrap();
        machine.boot(&Boot::kernel(&code(&["j ."]))).unwrap();
        machine
    };
    let (mut ends, mut most_running) = (0, 0);
    let mut machine = fresh(1);
    for round in 0..100_000u64 {
        // Harts that others start take their turns too.
        if round % 32 == 0 {
            machine.run(machine.steps().after(random() % 6000));
        }
        let states = (0..machine.harts().len()).map(|hart| machine.hart_state(hart));
        most_running = most_running.max(states.filter(|state| *state != Some(HartState::Stopped)).count());
        for register in 10..16 {
            let value = match random() % 5 {
                0 => random(),
                1 => random() % 8,
                2 => RAM_BASE.0 + random() % (5 << 20),
                3 => u64::MAX - random() % 2,
                _ => random() >> (random() % 64),
            };
            machine.set_x(register, value);
        }
        machine.set_x(16, random() % 8);
        machine.set_x(17, extensions[usize::try_from(random() % extensions.len() as u64).unwrap()]);
        machine.sbi_call();
        if machine.bus.ended().is_some() {
            ends += 1;
            machine = fresh(usize::try_from(1 + random() % 3).unwrap());
        }
    }
    assert!(ends > 100, "some calls end the run: {ends}");
    assert!(most_running >= 2, "some calls start harts");
}

#[test]
fn virtio_devices_fill_the_slots_from_the_last_and_are_saved() {
    let virtio = VirtioConfig { legacy: false, rng: true, net: true };
    let config = MachineConfig { ram_bytes: 1 << 20, virtio, console: Console::Virtio, ..Default::default() };
    let mut machine = Machine::new(config).unwrap();
    // The device ids of slots 7, 6, 5 and 4.
    let lines = ["lui s0, 0x10008", "lw a0, 8(s0)", "lui s0, 0x10007", "lw a1, 8(s0)", "lui s0, 0x10006"];
    let lines = [&lines[..], &["lw a2, 8(s0)", "lui s0, 0x10005", "lw a3, 8(s0)", "j ."]].concat();
    machine.boot(&Boot::bare(&code(&lines))).unwrap();
    assert_eq!(machine.run(Step(20)), StopReason::Fuel);
    assert_eq!(machine.hart().x[10..14], [3, 4, 1, 0], "console, rng, net, nothing");
    let mut loaded = Machine::load(&machine.save()).unwrap();
    assert_eq!(loaded.state_hash(), machine.state_hash());
    assert_eq!((loaded.run(Step(40)), machine.run(Step(40))), (StopReason::Fuel, StopReason::Fuel));
    assert_eq!(loaded.state_hash(), machine.state_hash());
}

#[test]
fn physical_memory_protection_has_sixteen_entries_or_none() {
    let with =
        |pmp_entries| Machine::new(MachineConfig { ram_bytes: 1 << 20, pmp_entries, ..Default::default() });
    assert_eq!(with(16).unwrap().csr(Csr::PMPCFG0), Some(0x1f));
    let none = with(0).unwrap();
    assert_eq!((none.csr(Csr::PMPCFG0), none.csr(Csr::PMPADDR0)), (None, None));
    assert_eq!(with(8).err(), Some(ConfigError::PmpEntries { entries: 8 }));
}
