//! A machine that is only a recording, for the tests of the debugger: its RAM, page tables and a list of the places it goes through.

use super::target::{Hears, StopBefore};
use super::*;
use crate::host::EventAction;
use crate::machine::{GuestExit, HartState, StopReason, TlbCounters};
use crate::source::Programs;
use crate::trace::Event;
use isa::csr::Csr;
use isa::events::{EventKind, EventRecord, VMA_EXEC, VMA_READ};
use isa::paging::{Pte, PteFlags, Satp, pte_addr};
use isa::{PhysAddr, Ppn, Privilege, Step, VirtAddr, assemble};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) const RAM: u64 = 0x8000_0000;
pub(super) const ROOT: Ppn = Ppn(0x80001);
/// The program's text, at 0x10000, and a page that only reads.
pub(super) const TEXT_FRAME: u64 = 0x8000_4000;
pub(super) const TEXT: u64 = 0x1_0000;
pub(super) const KERNEL: u64 = 0xffff_ffc0_8020_0000;
pub(super) const PROGRAM: &str = "/bin/demo";

pub(super) fn satp() -> Satp {
    Satp::sv39(ROOT, 3)
}

/// A machine that replays a list of places; some steps report an event.
pub(super) struct Recording {
    ram: Vec<u8>,
    pub(super) tap: SharedTap,
    places: Vec<Registers>,
    events: BTreeMap<usize, Event>,
    at: usize,
    end: StopReason,
}

impl Recording {
    fn write(&mut self, at: PhysAddr, bytes: &[u8]) {
        let start = usize::try_from(at.0 - RAM).unwrap();
        self.ram[start..start + bytes.len()].copy_from_slice(bytes);
    }
    fn map(&mut self, va: u64, pa: u64, flags: PteFlags) {
        let va = VirtAddr(va);
        let (middle, lowest) = (Ppn(0x80002), Ppn(0x80003));
        let pointer = |ppn| Pte::new(ppn, PteFlags::V);
        self.write(pte_addr(ROOT, va, 2), &pointer(middle).0.to_le_bytes());
        self.write(pte_addr(middle, va, 1), &pointer(lowest).0.to_le_bytes());
        self.write(pte_addr(lowest, va, 0), &Pte::new(PhysAddr(pa).page(), flags).0.to_le_bytes());
    }
}

impl Memory for Recording {
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool {
        let bytes = at.0.checked_sub(RAM).and_then(|start| {
            let start = usize::try_from(start).ok()?;
            self.ram.get(start..start + into.len())
        });
        if let Some(bytes) = bytes {
            into.copy_from_slice(bytes);
        }
        bytes.is_some()
    }
}

impl Target for Recording {
    fn step(&self) -> Step {
        Step(100 + self.at as u64)
    }
    fn harts(&self) -> usize {
        1
    }
    fn next_hart(&self) -> usize {
        0
    }
    fn hart_state(&self, _: usize) -> HartState {
        HartState::Running
    }
    fn look_at(&mut self, hart: usize) {
        assert_eq!(hart, 0);
    }
    fn registers(&self) -> Registers {
        self.places[self.at.min(self.places.len() - 1)]
    }
    fn csr(&self, csr: Csr) -> Option<u64> {
        (csr == Csr::SATP).then(|| satp().0)
    }
    fn instructions_user(&self) -> u64 {
        0
    }
    fn tlb(&self) -> [TlbSide; 2] {
        let line = |vpn, asid| TlbLine {
            vpn: isa::Vpn(vpn),
            ppn: Ppn(0x80004),
            asid,
            flags: PteFlags::V | PteFlags::R | PteFlags::X | PteFlags::U | PteFlags::A,
            level: 0,
        };
        let lines = vec![line(0x11, 7), line(0x10, 3)];
        let counters = TlbCounters { accesses: 50, misses: 2, flushes: 1, flushed: 0 };
        [TlbSide { geometry: "4096x1:fifo".into(), counters, lines }, TlbSide::default()]
    }
    fn run(&mut self, until: Step, mut stop_before: Option<StopBefore<'_>>) -> Stop {
        loop {
            if self.step() >= until {
                return Stop::Reached;
            }
            if self.at + 1 >= self.places.len() {
                return Stop::Ended(self.end);
            }
            let place = self.registers().place(self.step());
            if stop_before.as_mut().is_some_and(|stop| stop(&place)) {
                return Stop::Before;
            }
            self.at += 1;
            if let Some(event) = self.events.get(&self.at)
                && self.tap.borrow_mut().take_in(event) == EventAction::Stop
            {
                return Stop::Event;
            }
        }
    }
    /// A recording tells nothing of what its instructions do.
    fn run_listening(&mut self, until: Step, stop_before: StopBefore<'_>, _: Hears<'_>) -> Stop {
        self.run(until, Some(stop_before))
    }
}

/// An ELF file with symbols and one segment at 0x10000 (or at 0, if it is to be relocated).
pub(super) fn elf(relocatable: bool, symbols: &[(&str, u64, u64)]) -> Vec<u8> {
    let mut strings = vec![0u8];
    let mut table = vec![0u8; 24];
    for &(name, value, size) in symbols {
        table.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
        table.extend([0x12, 0, 1, 0]); // global function, section 1
        table.extend(value.to_le_bytes());
        table.extend(size.to_le_bytes());
        strings.extend(name.bytes().chain([0]));
    }
    let base = if relocatable { 0 } else { TEXT };
    let (table_at, strings_at) = (64 + 56, 64 + 56 + table.len());
    let sections_at = strings_at + strings.len();
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, v: u16| file.extend(v.to_le_bytes());
    let word = |file: &mut Vec<u8>, v: u32| file.extend(v.to_le_bytes());
    let long = |file: &mut Vec<u8>, v: u64| file.extend(v.to_le_bytes());
    half(&mut file, if relocatable { 3 } else { 2 });
    half(&mut file, 243);
    word(&mut file, 1);
    for v in [base, 64, sections_at as u64] {
        long(&mut file, v);
    }
    word(&mut file, 0);
    for v in [64, 56, 1, 64, 3, 2] {
        half(&mut file, v);
    }
    word(&mut file, 1);
    word(&mut file, 5);
    for v in [0, base, base, 0x1000, 0x1000, 0x1000] {
        long(&mut file, v);
    }
    file.extend(&table);
    file.extend(&strings);
    for (kind, at, size, link, entry) in [
        (0u32, 0, 0, 0u32, 0u64),
        (2, table_at as u64, table.len() as u64, 2, 24),
        (3, strings_at as u64, strings.len() as u64, 0, 0),
    ] {
        word(&mut file, 0);
        word(&mut file, kind);
        for v in [0, 0, at, size] {
            long(&mut file, v);
        }
        word(&mut file, link);
        word(&mut file, 0);
        long(&mut file, 1);
        long(&mut file, entry);
    }
    file
}

fn user(pc: u64, ra: u64) -> Registers {
    let mut x = [0; 32];
    (x[1], x[2]) = (ra, 0x3f_ffff_f000);
    Registers { hart: 0, pc: VirtAddr(pc), x, f: [0; 32], privilege: Privilege::User, satp: satp() }
}
fn kernel(pc: u64) -> Registers {
    Registers { privilege: Privilege::Supervisor, ..user(pc, 0) }
}

fn event(kind: EventKind, change: impl FnOnce(&mut EventRecord)) -> EventRecord {
    let mut record = EventRecord { kind: kind as u64, pid: 1, tid: 1, space: 1, ..EventRecord::default() };
    change(&mut record);
    record
}

/// A session with a process that is about to run `demo`:
/// boot, exec, the mapping, then main at 0x10000 with a call, a fault at 0x10008 and the return.
pub(super) fn session() -> (Debugger, Recording) {
    let tap = SharedTap::default();
    let mut places = vec![kernel(KERNEL), kernel(KERNEL + 4), kernel(KERNEL + 8)];
    let (main, called) = (TEXT, TEXT + 0x20);
    places.extend([
        user(main, 0),
        user(main + 4, 0),
        user(called, main + 8),
        user(called + 4, main + 8),
        user(main + 8, main + 8),
        // A fault: the kernel, then the same instruction again.
        kernel(KERNEL + 0x40),
        kernel(KERNEL + 0x44),
        user(main + 8, main + 8),
        user(main + 12, main + 8),
        user(main + 14, main + 8),
    ]);
    let stamp =
        |step: u64, record: &EventRecord, text: &str| Event::new(Step(step), 0, record, text.as_bytes());
    let exec = event(EventKind::Exec, |r| (r.detail, r.detail2) = (TEXT, satp().0));
    let mapping = event(EventKind::Mmap, |r| {
        (r.va, r.va_end, r.detail, r.detail3) = (TEXT, TEXT + 0x2000, 9, VMA_READ | VMA_EXEC);
    });
    let fault = event(EventKind::FileDisk, |r| {
        (r.va, r.pc, r.frame, r.detail, r.detail2, r.new_pte) =
            (TEXT + 0x1000, TEXT + 8, 0x80005, 9, 1, Pte::new(Ppn(0x80005), PteFlags::V | PteFlags::R).0);
    });
    let events = BTreeMap::from([
        (1, stamp(101, &exec, PROGRAM)),
        (2, stamp(102, &mapping, PROGRAM)),
        (9, stamp(109, &fault, "")),
    ]);
    let end = StopReason::Exit(GuestExit::Status(7));
    let mut machine = Recording { ram: vec![0; 0x8000], tap: tap.clone(), places, events, at: 0, end };
    machine.map(TEXT, TEXT_FRAME, PteFlags::V | PteFlags::R | PteFlags::X | PteFlags::U | PteFlags::A);
    let mut code = Vec::new();
    for (index, text) in
        ["addi a0,zero,1", "jal ra,0x10020", "lw a1,0(a0)", "add a0,a0,a1"].iter().enumerate()
    {
        let insn = assemble(text, TEXT + 4 * index as u64).unwrap();
        code.extend(isa::encode(&insn).unwrap().to_le_bytes());
    }
    machine.write(PhysAddr(TEXT_FRAME), &code);
    machine.write(PhysAddr(TEXT_FRAME + 0x100), b"folio\0\xff\xfe\xfd\xfc");
    let program = elf(false, &[("main", TEXT, 0x20), ("helper", TEXT + 0x20, 0x10)]);
    let kernel = elf(false, &[("kernel_entry", KERNEL, 0x20), ("trap_entry", KERNEL + 0x40, 0x10)]);
    let programs = Programs::new(Box::new(move |path| (path == PROGRAM).then(|| program.clone())));
    (Debugger::new(tap, Some(&kernel), Some(PROGRAM.into()), Rc::new(programs)), machine)
}

/// Runs commands and returns what the last one says.
#[track_caller]
pub(super) fn run(debugger: &mut Debugger, machine: &mut Recording, commands: &[&str]) -> String {
    let mut text = String::new();
    for command in commands {
        text = debugger.execute(machine, command).text;
    }
    text
}

#[track_caller]
pub(super) fn check(commands: &[&str], expected: &str) {
    let (mut debugger, mut machine) = session();
    assert_eq!(run(&mut debugger, &mut machine, commands), expected, "{commands:?}");
}

/// Runs commands; the last one's text must have these parts, in this order.
#[track_caller]
pub(super) fn check_parts(commands: &[&str], parts: &[&str]) {
    let (mut debugger, mut machine) = session();
    let text = run(&mut debugger, &mut machine, commands);
    let mut rest = text.as_str();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("{commands:?}: `{part}` is not in (the rest of)\n{text}"),
        }
    }
}
