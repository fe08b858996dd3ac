//! gdb's protocol against a peer that speaks it badly: random packets, right, changed and cut, to a session on a live machine, without a
//! socket. Nothing may panic or hang, the session must answer what is right whatever came before, and a peer that only looks
//! leaves the machine as it was. Fixed seeds; a failure prints its own.
#![allow(clippy::unwrap_used)] // a test may stop

#[path = "support/swap_space.rs"]
mod swap_space;

use emulator::debug::{MachineTarget, SharedTap, Stop};
use emulator::exec::Observer;
use emulator::gdb::{
    FileError, Follow, GuestRoot, Host, Incoming, Input, Lines, Outcome, Ran, Server, Setup, SharedEar,
};
use emulator::host::{EventAction, EventSink};
use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{Machine, MachineConfig, StopReason};
use emulator::source::{ProgramFiles, Programs};
use emulator::trace::Event;
use isa::Step;
use isa::events::EventRecord;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The program that is debugged: it has more memory than it has frames.
const PROGRAM: &str = "larger";
const FRAMES: u64 = 300;
const SWAP_PAGES: u32 = 1 << 13;
/// Steps of a run that a packet lets go on.
const SLICE_STEPS: u64 = 2000;

/// Packets of a session, unless it ends before: some hundred pass before the first process has come, and are kept for it.
const SESSION_PACKETS: u64 = 3000;

/// A small generator (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// What hears the guest for sessions.
#[derive(Clone)]
struct Hears {
    tap: SharedTap,
    ear: SharedEar,
}

impl EventSink for Hears {
    fn event(&mut self, at: Step, hart: usize, record: &EventRecord, text: &[u8]) -> EventAction {
        let event = Event::new(at, hart, record, text);
        let action = self.tap.borrow_mut().take_in(&event);
        match self.ear.borrow_mut().take_in(&event) {
            EventAction::Stop => EventAction::Stop,
            EventAction::Continue => action,
        }
    }
}

/// A machine that a session debugs, a slice at a time.
struct Debugged {
    machine: Machine,
    call: Arc<AtomicBool>,
    writes: u64,
}

impl MachineTarget for Debugged {
    fn machine(&self) -> &Machine {
        &self.machine
    }
    fn swap_disk(&self) -> Option<usize> {
        Some(1)
    }
    fn looked_at(&self) -> usize {
        self.machine.hart().id
    }
    fn set_looked_at(&mut self, _: usize) {}
    fn run_observed(&mut self, _: Step, _: Option<&mut dyn Observer>) -> Stop {
        panic!("the prompt's commands run nothing here")
    }
}

impl Host for Debugged {
    fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }
    fn run_on(&mut self, observer: Option<&mut dyn Observer>) -> Ran {
        let until = self.machine.steps().after(SLICE_STEPS);
        let reason = match observer {
            Some(observer) => self.machine.run_observed(until, observer),
            None => self.machine.run(until),
        };
        match reason {
            StopReason::Fuel => Ran::Called,
            StopReason::Breakpoint => Ran::Stopped,
            StopReason::Event => Ran::Event,
            other => Ran::Ended(other),
        }
    }
    fn call(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.call)
    }
    fn told(&mut self, _: &Input) {
        self.writes += 1;
    }
    fn tell(&mut self, _: &str) {}
}

/// A root with one file and one link.
struct Root;

impl GuestRoot for Root {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let (_, elf) = guest_os::PROGRAMS.iter().find(|(name, _)| *name == PROGRAM).unwrap();
        if path == program_path(PROGRAM) { Ok(elf.to_vec()) } else { Err(FileError::NotFound) }
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        if path == "/link" { Ok(program_path(PROGRAM)) } else { Err(FileError::NotLink) }
    }
}

fn files() -> ProgramFiles {
    Box::new(|path| Root.read(path).ok())
}

fn machine(hears: Option<Hears>) -> Machine {
    let config = MachineConfig { frame_limit: FRAMES, ram_bytes: 32 << 20, ..MachineConfig::default() };
    let mut machine = Machine::new(config).unwrap();
    machine.set_event_sink(hears.map(|hears| Box::new(hears) as Box<dyn EventSink>));
    let image = RootImage::from_bytes(PROGRAM, Root.read(&program_path(PROGRAM)).unwrap()).unwrap();
    machine.attach_disk(image.into_disk(), true).unwrap();
    machine.attach_disk(swap_space::swap_space(SWAP_PAGES), false).unwrap();
    let (path, argv) = (program_path(PROGRAM), [PROGRAM.as_bytes().to_vec()]);
    let chosen = Chosen { program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
    machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).unwrap();
    machine
}

/// Packets of the protocol, as a gdb would send them; `{a}` is an address, `{n}` a small number.
const LOOKS: &[&str] = &[
    "?",
    "g",
    "p{n}",
    "p1041",
    "m{a},{n}",
    "m{a},1000",
    "H{h}1",
    "Hg0",
    "Hc-1",
    "qC",
    "qfThreadInfo",
    "qsThreadInfo",
    "qThreadExtraInfo,p1.1",
    "qAttached:1",
    "T1",
    "Tp1.1",
    "qSupported:multiprocess+;swbreak+",
    "qSupported",
    "vCont?",
    "vMustReplyEmpty",
    "qTStatus",
    "qOffsets",
    "qSymbol::",
    "qXfer:features:read:target.xml:0,ffb",
    "qXfer:features:read:target.xml:{n},{n}",
    "qXfer:auxv:read::0,1000",
    "qXfer:exec-file:read:1:0,ff",
    "qXfer:memory-map:read::0,ff",
    "vFile:setfs:0",
    "vFile:open:2f62696e2f6c6172676572,0,0",
    "vFile:open:2f70726f632f312f6d617073,0,0",
    "vFile:open:2f6e6f6e65,0,0",
    "vFile:open:2f78,601,1ff",
    "vFile:pread:{n},400,{n}",
    "vFile:fstat:{n}",
    "vFile:close:{n}",
    "vFile:readlink:2f6c696e6b",
    "vFile:unlink:2f78",
    "qRcmd,7073",
    "qRcmd,6d617073",
    "qRcmd,77616c6b",
    "qRcmd,68656c70",
    "qRcmd,6672616d6573",
    "qRcmd,782f347867202473700a",
    "qRcmd,73746570",
    "qRcmd,ff",
    "Qqemu.PhyMemMode:1",
    "qqemu.PhyMemMode",
    "Z0,{a},4",
    "z0,{a},4",
    "Z1,{a},2",
    "z1,{a},2",
    "Z2,{a},{n}",
    "z2,{a},{n}",
    "Z3,{a},8",
    "z3,{a},8",
    "Z4,{a},1",
    "z4,{a},1",
    "c",
    "s",
    "vCont;c",
    "vCont;s:1;c",
    "vCont;s:p1.1;c:p1.-1",
    "vCont;r{a},{a}:1;c",
    "vCont;C0b",
    "vCont;t",
    "!",
    "R00",
    "vAttach;1",
    "vRun;78",
    "QStartNoAckMode",
    "x{a},10",
    "",
];
/// Those that change what the guest finds.
const WRITES: &[&str] =
    &["M{a},4:01020304", "X{a},4:abcd", "P{n}=0102030405060708", "P20=00000100", "P41=01", "G0102"];
/// Those that end the session.
const ENDS: &[&str] = &["k", "vKill;1", "D", "D;1"];

/// A packet in its frame.
fn framed(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    [b"$", body, format!("#{sum:02x}").as_bytes()].concat()
}

/// A peer: what it sends, and what it has been told.
struct Peer {
    rng: Rng,
    packets: u64,
    writes: bool,
    begun: bool,
    /// The questions at the end, whose answers count.
    questions: Vec<Vec<u8>>,
    told: Vec<u8>,
    answers: usize,
    closed: bool,
}

impl Peer {
    fn new(seed: u64, packets: u64, writes: bool) -> Self {
        // The first ends a packet that was begun and cut short: it would take the Ctrl-C for a part of itself, and the program would run on.
        let questions = vec![b"#00".to_vec(), vec![3], framed(b"Hg0"), framed(b"m10000,4"), framed(b"g")];
        let told = Vec::new();
        Self { rng: Rng(seed), packets, writes, begun: false, questions, told, answers: 0, closed: false }
    }

    fn body(&mut self) -> Vec<u8> {
        let chance = self.rng.below(3000);
        let shape = match chance {
            0 if self.writes => *self.rng.of(ENDS),
            1..40 if self.writes => *self.rng.of(WRITES),
            _ => *self.rng.of(LOOKS),
        };
        let addresses = [
            0,
            1,
            0x10000,
            0x10400,
            0x11000,
            0x20000,
            0x3f_ffff_fff0,
            0x8020_0000,
            0xffff_ffc0_8020_0000,
            u64::MAX,
        ];
        let address = match self.rng.below(4) {
            0 => self.rng.next() >> self.rng.below(64),
            _ => self.rng.of(&addresses).wrapping_add(self.rng.next() % 64),
        };
        let number = self.rng.next() % 80;
        let kind = *self.rng.of(&["g", "c", "x"]);
        let text = shape
            .replace("{a}", &format!("{address:x}"))
            .replace("{n}", &format!("{number:x}"))
            .replace("{h}", kind);
        text.into_bytes()
    }

    /// The bytes of the next packet, often with something wrong.
    fn bytes(&mut self) -> Vec<u8> {
        let mut body = self.body();
        let is_harmless = |body: &[u8]| {
            let ends = body == b"k" || body.starts_with(b"vKill") || body.starts_with(b"D");
            !ends && !matches!(body.first(), Some(b'M' | b'X' | b'P' | b'G'))
        };
        for _ in 0..self.rng.below(4) / 2 * self.rng.below(6) {
            let before = body.clone();
            match self.rng.below(4) {
                0 if !body.is_empty() => {
                    let at = self.rng.below(body.len());
                    body[at] = u8::try_from(self.rng.next() & 0xff).unwrap();
                }
                1 if !body.is_empty() => drop(body.remove(self.rng.below(body.len()))),
                2 => body.insert(self.rng.below(body.len() + 1), *self.rng.of(b":;,=.-+0fF*}")),
                _ => body.truncate(self.rng.below(body.len() + 1)),
            }
            if !self.writes && !is_harmless(&body) {
                body = before;
            }
        }
        let mut bytes = framed(&body);
        match self.rng.below(40) {
            0 => bytes.truncate(self.rng.below(bytes.len())),
            1 => bytes.insert(0, 0x03),
            2 => bytes.push(*self.rng.of(b"+-$#\x03")),
            3 => *bytes.last_mut().unwrap() ^= 1,
            _ => {}
        }
        bytes
    }
}

impl Lines for Peer {
    fn next(&mut self, wait: bool) -> Option<(usize, Incoming)> {
        if self.closed {
            return None;
        }
        if !self.begun {
            self.begun = true;
            return Some((0, Incoming::Connected));
        }
        // Between two packets the machine runs, if it may.
        if !wait && self.rng.below(3) > 0 {
            return None;
        }
        if self.packets > 0 {
            self.packets -= 1;
            return Some((0, Incoming::Bytes(self.bytes())));
        }
        if self.questions.is_empty() {
            return Some((0, Incoming::Lost));
        }
        if self.answers == 0 {
            self.told.clear();
        }
        self.answers += 1;
        Some((0, Incoming::Bytes(self.questions.remove(0))))
    }
    fn send(&mut self, _: usize, bytes: &[u8]) {
        // Only the last answers are looked at.
        if self.told.len() > 1 << 20 {
            self.told.clear();
        }
        self.told.extend(bytes);
    }
    fn close(&mut self, _: usize) {
        self.closed = true;
    }
    fn name(&self, _: usize) -> String {
        "here".to_owned()
    }
}

/// One session of at most so many packets. How many it had, how it ended, what was said at the end, and the machine.
fn session(
    seed: u64,
    packets: u64,
    writes: bool,
    follow: Follow,
) -> (u64, Outcome, Option<Vec<u8>>, Debugged) {
    let hears = Hears { tap: SharedTap::default(), ear: SharedEar::default() };
    let mut host = Debugged { machine: machine(Some(hears.clone())), call: Arc::default(), writes: 0 };
    let mut peer = Peer::new(seed, packets, writes);
    let setup = Setup {
        follows: vec![follow],
        tap: hears.tap,
        ear: hears.ear,
        kernel: Some(guest_os::KERNEL_ELF.to_vec()),
        programs: Rc::new(Programs::new(files())),
        calls: abi::CALLS.iter().map(|call| (call.number.into(), call.name)).collect(),
        signals: vec![(10, "SIGUSR1")],
        root: Box::new(Root),
    };
    let outcome = Server::new(&mut host, &mut peer, setup).serve();
    let is_asked = peer.answers > 0 && peer.questions.is_empty();
    (packets - peer.packets, outcome, is_asked.then_some(peer.told), host)
}

/// How long a packet's text is when its runs are written out: behind a character `*` and a count, 29 more than there are repeats.
fn length_of(packet: &str) -> usize {
    let (mut text, mut length) = (packet.split('#').next().unwrap().bytes(), 0);
    while let Some(byte) = text.next() {
        length += if byte == b'*' { usize::from(text.next().unwrap()) - 29 } else { 1 };
    }
    length
}

#[test]
fn runs_are_written_out() {
    assert_eq!((length_of("0* f#00"), length_of("0**#00"), length_of("E0e#da")), (5, 14, 3));
}

fn fuzz(seed: u64, packets: u64) {
    let mut done = 0;
    let mut round = 0;
    let (mut writes, mut answered) = (0u64, 0u64);
    while done < packets {
        round += 1;
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(round);
        let follow = if round % 4 == 0 { Follow::Kernel } else { Follow::First };
        println!("seed {seed}, following {follow}, {done} packets done");
        let (had, outcome, told, host) = session(seed, SESSION_PACKETS, true, follow);
        done += had.max(1);
        writes += host.writes;
        // Whatever came before: a thread can be chosen, and its registers are told.
        let Some(told) = told.filter(|_| outcome == Outcome::Over) else { continue };
        let text = String::from_utf8_lossy(&told).into_owned();
        let packets: Vec<&str> = text.split('$').skip(1).collect();
        assert!(packets.len() >= 3 && packets.contains(&"OK#9a"), "{text}");
        let registers = packets.last().unwrap();
        assert!(length_of(registers) >= 33 * 16, "{text}");
        answered += 1;
    }
    println!(
        "{done} packets in {round} sessions, {writes} writes, {answered} sessions answered at their end"
    );
    assert!(writes > 0 && answered > 0);
}

#[test]
fn a_hundred_thousand_packets_do_no_harm() {
    fuzz(1, 100_000);
}

/// Ten million, by ten pieces.
#[test]
#[ignore = "a piece of make campaign"]
fn a_million_packets_do_no_harm() {
    let seed = std::env::var("FOLIO_SEED").map_or(2, |seed| seed.parse().unwrap());
    fuzz(seed, 1_000_000);
}

/// Whoever only looks, however badly, leaves the run as it would have been.
#[test]
fn looking_changes_nothing() {
    for (seed, follow) in [(11, Follow::First), (12, Follow::Kernel)] {
        let (_, _, _, host) = session(seed, 4000, false, follow);
        assert_eq!(host.writes, 0);
        let mut debugged = host.machine;
        debugged.set_event_sink(None);
        let mut plain = machine(None);
        let at = debugged.steps();
        assert_eq!(plain.run(at), StopReason::Fuel);
        assert_eq!(debugged.steps(), plain.steps());
        assert_eq!(debugged.state_hash(), plain.state_hash(), "seed {seed}");
        assert_eq!(debugged.instructions(), plain.instructions());
        assert_eq!(debugged.tlb_counters(), plain.tlb_counters());
    }
}
