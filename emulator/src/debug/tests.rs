//! The debugger, command by command, on a machine that is only a recording: its RAM, page tables and a list of
//! the places it goes through.

use super::command::StepKind;
use super::command::{Command, Examine, Faults, Format, RegisterSet, commands};
use super::expression::{Expression, Operand, parse_number};
use super::*;
use crate::host::EventAction;
use crate::machine::{GuestExit, HartState, StopReason};
use crate::source::Programs;
use crate::trace::Event;
use isa::csr::Csr;
use isa::events::{EventKind, EventRecord, VMA_EXEC, VMA_READ};
use isa::paging::{Pte, PteFlags, Satp, pte_addr};
use isa::{PhysAddr, Ppn, Privilege, Step, VirtAddr, assemble};
use std::collections::BTreeMap;
use std::rc::Rc;

const RAM: u64 = 0x8000_0000;
const ROOT: Ppn = Ppn(0x80001);
/// The program's text, at 0x10000, and a page that only reads.
const TEXT_FRAME: u64 = 0x8000_4000;
const TEXT: u64 = 0x1_0000;
const KERNEL: u64 = 0xffff_ffc0_8020_0000;
const PROGRAM: &str = "/bin/demo";

fn satp() -> Satp {
    Satp::sv39(ROOT, 3)
}

/// A machine that replays a list of places; some steps report an event.
struct Recording {
    ram: Vec<u8>,
    tap: SharedTap,
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
    fn tlb(&self) -> [TlbSide; 2] {
        let line = |vpn, asid| TlbLine {
            vpn: isa::Vpn(vpn),
            ppn: Ppn(0x80004),
            asid,
            flags: PteFlags::V | PteFlags::R | PteFlags::X | PteFlags::U | PteFlags::A,
            level: 0,
        };
        let lines = vec![line(0x11, 7), line(0x10, 3)];
        [TlbSide { geometry: "4096x1:fifo".into(), accesses: 50, misses: 2, lines }, TlbSide::default()]
    }
    fn run(&mut self, until: Step, mut stop_before: Option<target::StopBefore<'_>>) -> Stop {
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
}

/// An ELF file with symbols and one segment at 0x10000 (or at 0, if it is to be relocated).
fn elf(relocatable: bool, symbols: &[(&str, u64, u64)]) -> Vec<u8> {
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
fn session() -> (Debugger, Recording) {
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
fn run(debugger: &mut Debugger, machine: &mut Recording, commands: &[&str]) -> String {
    let mut text = String::new();
    for command in commands {
        text = debugger.execute(machine, command).text;
    }
    text
}

#[track_caller]
fn check(commands: &[&str], expected: &str) {
    let (mut debugger, mut machine) = session();
    assert_eq!(run(&mut debugger, &mut machine, commands), expected, "{commands:?}");
}

/// Runs commands; the last one's text must have these parts, in this order.
#[track_caller]
fn check_parts(commands: &[&str], parts: &[&str]) {
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

#[test]
fn numbers() {
    for (text, value) in [
        ("0", Some(0)),
        ("1_000_000", Some(1_000_000)),
        ("0x10", Some(16)),
        ("0xffff_ffff_ffff_ffff", Some(u64::MAX)),
        ("0b101", Some(5)),
        ("18446744073709551616", None),
        ("", None),
        ("0x", None),
        ("12a", None),
        ("+5", None),
        ("-1", None),
    ] {
        assert_eq!(parse_number(text), value, "{text}");
    }
}

#[test]
fn expressions() {
    let with = |base, offset| Ok(Expression { base, offset });
    let symbol = |name: &str| Operand::Symbol(name.to_owned());
    for (text, expected) in [
        ("0x10", with(Operand::Number(16), 0)),
        ("*16+4-2", with(Operand::Number(16), 2)),
        ("$sp + 0x8", with(Operand::Register("sp".to_owned()), 8)),
        ("$sp-8", with(Operand::Register("sp".to_owned()), 8u64.wrapping_neg())),
        ("-1", with(Operand::Number(u64::MAX), 0)),
        ("-0x10+4", with(Operand::Number(12u64.wrapping_neg()), 0)),
        ("main", with(symbol("main"), 0)),
        ("a::b+1", with(symbol("a::b"), 1)),
        ("kernel:main", with(symbol("kernel:main"), 0)),
        ("12:main+4", with(symbol("12:main"), 4)),
    ] {
        assert_eq!(Expression::parse(text), expected, "{text}");
    }
    for text in ["", "12ab", "main+", "main+x", "+4", "-", "-main"] {
        assert!(Expression::parse(text).is_err(), "{text}");
    }
}

#[test]
fn lines_become_commands() {
    let number = |n| Some(Expression::number(n));
    let catch = |name, from, to| Command::Catch { faults: Faults::from_name(name), from, to };
    let x = |count, format, size_bytes| Examine { count, format, size_bytes };
    for (line, command) in [
        ("step", Command::Step(StepKind::Line, 1)),
        ("  si 20 ", Command::Step(StepKind::Instruction, 20)),
        ("n", Command::Step(StepKind::OverLine, 1)),
        ("c", Command::Continue),
        ("until 1000", Command::Until(1000)),
        ("b 0x10 4", Command::Break { at: number(16), pid: Some(4) }),
        ("break", Command::Break { at: None, pid: None }),
        ("delete", Command::Delete(None)),
        ("d 3", Command::Delete(Some(3))),
        ("catch fault", catch("any", None, None)),
        ("catch fault cow", catch("cow", None, None)),
        ("catch fault any 16", catch("any", number(16), None)),
        ("catch fault cow 16 32", catch("cow", number(16), number(32))),
        ("catch", Command::Catch { faults: None, from: None, to: None }),
        ("regs", Command::Regs(RegisterSet::Integer)),
        ("regs f", Command::Regs(RegisterSet::Float)),
        ("regs csr", Command::Regs(RegisterSet::Csr)),
        ("x 16", Command::Examine(Examine::default(), number(16))),
        ("x/4xw 16", Command::Examine(x(4, Format::Hex, 4), number(16))),
        ("x/s 0x10", Command::Examine(x(1, Format::String, 1), number(16))),
        ("x/3i", Command::Examine(x(3, Format::Instruction, 8), None)),
        ("x /8db 16", Command::Examine(x(8, Format::Decimal, 1), number(16))),
        ("disas 16 3", Command::Disas { at: number(16), count: 3 }),
        ("walk", Command::Walk(None)),
        ("tlb 16", Command::Tlb(number(16))),
        ("frames", Command::Frames(None)),
        ("maps 2", Command::Maps(Some(2))),
        ("ps", Command::Ps),
        ("hart 2", Command::Hart(Some(2))),
        ("hart", Command::Hart(None)),
        ("info harts", Command::Hart(None)),
        ("info h", Command::Hart(None)),
        ("i r", Command::Regs(RegisterSet::Integer)),
        ("info registers f", Command::Regs(RegisterSet::Float)),
        ("i b", Command::Break { at: None, pid: None }),
        ("info threads", Command::Ps),
        ("info proc mappings", Command::Maps(None)),
        ("info proc 2", Command::Maps(Some(2))),
        ("why", Command::Explain(None)),
        ("explain 16", Command::Explain(number(16))),
        ("help step", Command::Help(Some("step".to_owned()))),
        ("q", Command::Quit),
    ] {
        assert_eq!(Command::parse(line), Ok(Some(command)), "{line}");
    }
    for line in ["", "   ", "# a comment"] {
        assert_eq!(Command::parse(line), Ok(None));
    }
}

#[test]
fn what_is_no_command_is_answered_in_one_line() {
    for (line, error) in [
        ("stpe", "there is no command `stpe`; did you mean `step`? (`help` lists them)"),
        ("frobnicate", "there is no command `frobnicate`; `help` lists them"),
        ("step x", "`x` is not a number; usage: step [N]"),
        ("step 1 2", "`2` is too much; usage: step [N]"),
        ("until", "a step is missing; usage: until STEP"),
        ("helo", "there is no command `helo`; did you mean `help`? (`help` lists them)"),
        ("until main", "`until` takes a step; to get to a place: `break main` and `continue`"),
        (
            "catch fault red",
            "there is no fault of kind `red`: there are zero, file, disk, cow, swap, segv, any, and each kind of fault that --stats counts; usage: catch fault KIND [ADDR [END]]",
        ),
        (
            "catch fault cwo",
            "there is no fault of kind `cwo`; did you mean `cow`?; usage: catch fault KIND [ADDR [END]]",
        ),
        ("catch exec", "`exec` can't be caught; usage: catch fault KIND [ADDR [END]]"),
        (
            "catch syscall write",
            "only faults are caught (`catch fault KIND`); `--strace` shows system calls and signals",
        ),
        (
            "break main if argc == 2",
            "a breakpoint stops each time, in every thread; PID behind it means one process",
        ),
        (
            "info",
            "WHAT is one of breakpoints, harts, stack, source, registers, all-registers, inferiors, threads, proc mappings, mappings; usage: info WHAT",
        ),
        ("info nonsense", "there is no `info nonsense`; `help` lists the commands"),
        ("info registers v", "`v` is no set of registers; usage: regs [f|csr]"),
        ("regs v", "`v` is no set of registers; usage: regs [f|csr]"),
        ("x/4z 1", "`z` is no format and no size; usage: x/[COUNT][FORMAT][SIZE] ADDR"),
        ("x/0x 1", "COUNT is from 1 to 4096; usage: x/[COUNT][FORMAT][SIZE] ADDR"),
    ] {
        assert_eq!(Command::parse(line), Err(error.to_owned()), "{line}");
    }
    check(&["help stpe"], "there is no command `stpe`; did you mean `step`? (`help` lists them)\n");
}

/// Words that other debuggers know are answered with what there is here.
#[test]
fn words_of_other_debuggers_name_ours() {
    for (line, here) in [
        ("info float", "`regs f` shows"),
        ("info locals", "`bt` shows"),
        ("info line 3", "`list` shows the source"),
        ("info signals", "`catch fault segv`"),
        ("source cmds", "`folio debug --script FILE`"),
        ("shell ls", "another terminal"),
        ("handle SIGSEGV nostop", "`catch fault segv`"),
        ("signal 0", "`catch fault segv`"),
        ("advance main", "`break` at the place and `continue`"),
        ("finish", "`break $ra` and `continue`"),
        ("reverse-step", "each run is the same"),
        ("tbreak main", "`break` sets a breakpoint"),
        ("watch counter", "`catch fault KIND ADDR`"),
        ("help up", "`bt` shows"),
    ] {
        let (mut debugger, mut machine) = session();
        let output = debugger.execute(&mut machine, line);
        let text = output.text;
        assert!(output.failed && text.starts_with("there is no ") && text.contains(here), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{line}");
    }
}

/// No word is answered twice, or is a command.
#[test]
fn no_word_of_other_debuggers_is_ours() {
    let mut words: Vec<_> = super::command::foreign_commands().collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    for word in words {
        assert!(super::command::find(word).is_none(), "{word}");
    }
}

#[test]
fn every_command_has_help_and_is_parsed() {
    let (mut debugger, mut machine) = session();
    let list = debugger.execute(&mut machine, "help").text;
    assert_eq!(list.lines().filter(|line| line.starts_with("  ")).count(), commands().count());
    for entry in commands() {
        for name in entry.names {
            let help = debugger.execute(&mut machine, &format!("help {name}")).text;
            assert!(help.starts_with(entry.names[0]) && help.lines().count() >= 2, "{help}");
            let parsed = Command::parse(name);
            assert!(!parsed.is_err_and(|e| e.starts_with("there is no")), "{name}");
        }
    }
}

/// No two commands go by one name, and what gdb calls a command is no command's name.
#[test]
fn every_name_is_of_one_command() {
    let mut names: Vec<&str> =
        commands().flat_map(|entry| entry.names.iter().chain(entry.gdb)).copied().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn words_are_completed() {
    let (mut debugger, mut machine) = session();
    run(&mut debugger, &mut machine, &["until 103"]);
    for (line, words) in [
        ("st", &["step", "stepi"][..]),
        ("w", &["walk"]),
        ("nonsense ", &[]),
        ("nonsense m", &[]),
        ("help ex", &["expect", "explain"]),
        ("info re", &["registers"]),
        ("break ma", &["main"]),
        ("break kern", &["kernel:"]),
        ("break kernel:tr", &["kernel:trap_entry"]),
        ("break main ", &["1"]),
        ("x/4xw he", &["helper"]),
        ("x ", &[]),
        ("walk 1:h", &["1:helper"]),
        ("walk 2:h", &[]),
        ("disas $s1", &["$s1", "$s10", "$s11"]),
        ("disas $fau", &["$fault"]),
        ("disas $sat", &["$satp"]),
        ("disas main+he", &["helper"]),
        ("catch ", &["fault"]),
        ("catch fault co", &["cow", "cow_copy", "cow_reuse"]),
        ("catch fault cow mai", &["main"]),
        ("maps ", &["1"]),
        ("ps x", &[]),
        ("regs ", &["csr", "f"]),
    ] {
        assert_eq!(debugger.complete(line, line.len()), words, "{line}");
    }
    // What stands behind the word does not count.
    assert_eq!(debugger.complete("break ma 1", 8), ["main"]);
    assert_eq!(Debugger::word_start("break ma 1", 8), 6);
    assert_eq!(Debugger::word_start("disas main+he", 13), 11);
    assert_eq!(Debugger::word_start("é st", 5), 3);
}

#[test]
fn stepping() {
    check(
        &["step"],
        "step 101: supervisor mode, process 1 (demo)\n\
         => 0xffffffc080200004 <kernel_entry+0x4>: not mapped; the fetch will raise a page fault\n",
    );
    check(&["step 3"], "step 103: user mode, process 1 (demo)\n=> 0x10000 <main>: 00100513  li a0,1\n");
    check(&["step 100"], "step 112: the program has exited with status 7\n");
    check(&["step 100", "step"], "the machine has ended: the program has exited with status 7\n");
    check(&["until 50"], "step 50 has passed; the machine is at step 100\n");
    check_parts(&["until 104"], &["step 104: user mode", "<main+0x4>", "jal 0x10020"]);
}

#[test]
fn next_runs_calls_and_faults_to_their_return() {
    check_parts(&["until 104", "next"], &["step 107:", "<main+0x8>"]);
    check_parts(&["until 107", "next"], &["step 111:", "<main+0xc>"]);
    check_parts(&["until 103", "next 2"], &["step 107:", "<main+0x8>"]);
    check_parts(&["break helper", "until 104", "next"], &["breakpoint 1: helper", "step 105:", "<helper>"]);
}

#[test]
fn breakpoints_by_symbol_wait_for_the_program() {
    check(&["break helper"], "breakpoint 1 at helper: waits for a program that has it (none so far)\n");
    check_parts(
        &["break helper", "continue"],
        &["breakpoint 1: helper\n", "step 105: user mode", "<helper>"],
    );
    check_parts(&["b helper+4", "c"], &["breakpoint 1: helper+0x4\n", "step 106:"]);
    check_parts(&["b 1:main+8", "c"], &["step 107:"]);
    check_parts(&["b main 2", "c"], &["step 112: the program has exited"]);
    // It faults and runs again, but is stopped at once.
    check_parts(&["b main+8", "c", "c"], &["step 112: the program has exited"]);
    check(&["b main+8", "c", "c", "b"], "breakpoint 1 at main+0x8 (0x10008), reached 1 times\n");
    check_parts(&["b main", "delete 1", "c"], &["exited"]);
    check(&["delete 1"], "there is no breakpoint or catchpoint 1\n");
}

#[test]
fn breakpoints_by_address_and_in_the_kernel() {
    check_parts(&["b 0x10020", "c"], &["breakpoint 1: 0x10020\n", "step 105:"]);
    check(&["b trap_entry"], "breakpoint 1 at trap_entry: 0xffffffc080200040 of the kernel\n");
    check_parts(&["b trap_entry", "c"], &["breakpoint 1: trap_entry\n", "step 108: supervisor mode"]);
    check_parts(&["b kernel:trap_entry+4", "c"], &["step 109:"]);
    check_parts(&["b 0xffffffc080200044", "c"], &["step 109:"]);
    check(&["b kernel:nothing"], "the kernel has no `nothing`\n");
    check(&["b $nothing"], "there is no register or CSR `$nothing`\n");
    check(&["b demo.c:3"], "breakpoint 1 at demo.c:3: waits for a program that has it (none so far)\n");
    check(
        &["until 103", "b 12"],
        "breakpoint 1 at 0xc: nothing is mapped there so far (a number is an address, not a source line)\n",
    );
    check(&["until 103", "b *0x10004"], "breakpoint 1 at 0x10004\n");
    check(&["until 103", "x/s mian"], "process 1 (demo) has no symbol `mian` (near are `main`)\n");
    check_parts(&["until 103", "b ma"], &["/bin/demo has no such name (near are `main`)"]);
}

#[test]
fn catchpoints() {
    check(&["catch fault file"], "catchpoint 1: fault file\n");
    check_parts(
        &["catch fault file", "continue"],
        &["catchpoint 1: file_disk at 0x11000 in process 1", "step 110: user mode", "<main+0x8>"],
    );
    check_parts(&["catch fault cow", "continue"], &["exited"]);
    check_parts(&["catch fault any", "continue", "explain"], &["process 1 (demo)", "0x11000", "/bin/demo"]);
    check_parts(&["catch fault any", "continue", "x $fault"], &["0x11000: not mapped"]);
    let there = &["catchpoint 1: file_disk at 0x11000 in process 1", "step 110: user mode"];
    let not_there = &["step 112: the program has exited"];
    for (command, parts) in [
        ("catch fault any 0x11fff", &there[..]),
        ("catch fault any 0x10000", not_there),
        ("catch fault any 0x10000 0x11000", not_there),
        ("catch fault any 0x10000 0x11001", there),
        ("catch fault file main+0x1000", there),
        ("catch fault cow 0x11000", not_there),
        ("catch fault any 1:0x11000", there),
        ("catch fault any 2:0x11000", not_there),
    ] {
        check_parts(&["until 103", command, "continue"], parts);
    }
    check(
        &["catch fault file 1:0x11008 0x13000", "catch"],
        "catchpoint 1: fault file in 0x11000-0x13000 of process 1\n",
    );
    check(&["catch fault any 0x11000 0x11000"], "the pages from 0x11000 on end before they begin\n");
    check(&["explain"], "there has been no page fault yet\n");
    check(&["x $fault"], "there has been no page fault yet\n");
}

#[test]
fn registers_are_named_and_changes_marked() {
    check_parts(
        &["until 104", "step", "regs"],
        &["pc   0x0000000000010020* user mode", "zero 0x0000000000000000  ra   0x0000000000010008*", "sp "],
    );
    check_parts(
        &["until 103", "step", "regs"],
        &["pc   0x0000000000010004* user mode", "ra   0x0000000000000000  sp   0x0000003ffffff000  "],
    );
    check(&["regs csr"], &format!("satp      {:#018x}\n", satp().0));
    check_parts(&["regs f"], &["ft0 ", "ft11"]);
}

#[test]
fn memory_is_examined_through_the_page_table() {
    let there = "until 103";
    check(&[there, "x/2xw main"], "0x10000: 0x00100513 0x01c000ef\n");
    check(&[there, "x/s 0x10100"], "0x10100: \"folio\"\n");
    check(&[there, "x/4ub 0x10106"], "0x10106: 255 254 253 252\n");
    check(&[there, "x/2dh 0x10106"], "0x10106: -257 -771\n");
    check(&[there, "x/2c 0x10100"], "0x10100: 102 'f' 111 'o'\n");
    check(&[there, "x/tb 0x10100"], "0x10100: 01100110\n");
    check(
        &[there, "x/2xg 0x10ff8"],
        "0x10ff8: 0x0000000000000000\n\
         0x11000: not in memory yet: its first touch faults and reads page 1 of /bin/demo\n",
    );
    check(&[there, "x 0x20000"], "0x20000: not mapped: no mapping has ever held it\n");
    check(&[there, "x/s -1"], "0xffffffffffffffff: not mapped\n");
    check(
        &[there, "disas 0x4000000000 1"],
        "   0x4000000000: not mapped: no address of Sv39, since bits 63 to 39 differ from bit 38\n",
    );
    check(&[there, "x/xw main", "x"], "0x10004: 0x0005258301c000ef\n");
    check(
        &[there, "disas main 2"],
        "=> 0x10000 <main>: 00100513  li a0,1\n   0x10004 <main+0x4>: 01c000ef  jal 0x10020\n",
    );
    check_parts(&[there, "x/3i $pc"], &["=> 0x10000", "0x10008 <main+0x8>: 00052583  lw a1,0(a0)"]);
}

#[test]
fn walks_tell_every_level() {
    check(
        &["until 103", "walk"],
        "0x10000 = VPN 0x10 (0.0.16) + offset 0x0\n\
         satp 0x8000300000080001: Sv39, ASID 3, root table at 0x80001000, of process 1 (demo)\n\
         level 2: entry 0 of 512, at 0x80001000: 0x0000000020000801\n         \
         pointer to the table of level 1 at 0x80002000\n\
         level 1: entry 0 of 512, at 0x80002000: 0x0000000020000c01\n         \
         pointer to the table of level 0 at 0x80003000\n\
         level 0: entry 16 of 512, at 0x80003080: 0x000000002000105b\n         \
         leaf, frame at 0x80004000: V valid, R readable, X executable, U user, A accessed; clear: W G D COW\n\
         0x10000 -> 0x80004000 (4 KiB page)\n",
    );
    check_parts(
        &["walk 0x11234"],
        &["level 0", "empty: V is clear", "0x11234 -> page fault: V is clear at level 0"],
    );
    check_parts(&["walk 0x80000000"], &["level 2", "empty: V is clear, there is no table of level 1"]);
    check_parts(
        &["walk 0x4000000000"],
        &["page fault: no address of Sv39, since bits 63 to 39 differ from bit 38"],
    );
    check_parts(&["walk -1"], &["0xffffffffffffffff = VPN 0xfffffffffffff (511.511.511) + offset 0xfff"]);
}

#[test]
fn the_guest_is_shown_as_its_events_tell() {
    let last = "until 110";
    check_parts(&[last, "ps"], &["PID", "1     0  waiting", "/bin/demo"]);
    check_parts(
        &[last, "maps"],
        &["0x0000010000-0x0000012000 r-xp", "1 of      2 pages  /bin/demo", "1 of 2 pages"],
    );
    check(&[last, "maps 5"], "there is no process 5\n");
    check_parts(
        &[last, "frames"],
        &[
            "1 frames hold pages: 0 private, 0 shared copy-on-write, 1 of the page cache mapped",
            "frame 0x80005: page 1 of /bin/demo; process 1 at 0x11000",
        ],
    );
    check_parts(
        &[last, "tlb"],
        &[
            "instruction side (4096x1:fifo): 50 accesses, 2 misses, 2 entries",
            "0x10000 -> frame 0x80004",
            "ASID 3",
            "ASID 7",
            "data side",
        ],
    );
    check_parts(&[last, "tlb 0x11fff"], &["0x11000 -> frame 0x80004"]);
}

#[test]
fn symbols_of_relocated_programs_move_along() {
    let (_, mut machine) = session();
    let program = elf(true, &[("main", 0x10, 0x10), ("helper", 0x20, 0x10)]);
    let programs = Rc::new(Programs::new(Box::new(move |_| Some(program.clone()))));
    let mut debugger = Debugger::new(machine.tap.clone(), None, None, programs);
    let text = run(&mut debugger, &mut machine, &["break helper", "continue"]);
    assert!(text.contains("=> 0x10020 <helper>"), "{text}");
}

#[test]
fn an_empty_line_repeats_steps_and_examines() {
    let (mut debugger, mut machine) = session();
    debugger.execute(&mut machine, "step 2");
    assert!(debugger.repeat(&mut machine).text.starts_with("step 104:"));
    assert!(debugger.repeat(&mut machine).text.starts_with("step 106:"));
    debugger.execute(&mut machine, "x/xw main");
    assert_eq!(debugger.repeat(&mut machine).text, "0x10004: 0x01c000ef\n");
    assert_eq!(debugger.repeat(&mut machine).text, "0x10008: 0x00052583\n");
    debugger.execute(&mut machine, "ps");
    assert_eq!(debugger.repeat(&mut machine).text, "");
}

#[test]
fn quitting() {
    let (mut debugger, mut machine) = session();
    assert!(!debugger.execute(&mut machine, "ps").quit);
    assert!(debugger.execute(&mut machine, "quit").quit);
    assert_eq!(debugger.ended(), None);
}
