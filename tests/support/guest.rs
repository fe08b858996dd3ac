//! A built-in program in a machine of the library's, which a test can stop at events and look into.
#![allow(dead_code)] // each test target uses its part

#[path = "swap_space.rs"]
mod swap_space;

use emulator::devices::host::GuestExit;
use emulator::host::{DiskImage, EventAction, EventSink, Input, Output, OutputClosed, Stdio};
use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{Machine, MachineConfig, StopReason};
use emulator::trace::Event;
use isa::Step;
use isa::events::{EventKind, EventRecord};
use std::cell::RefCell;
use std::rc::Rc;

/// Longest run, in steps: a program that takes this long hangs.
const MOST_STEPS: u64 = 20_000_000_000;

/// Whether the machine is to stop at an event.
pub type StopAt = fn(&Event) -> bool;

#[derive(Default)]
struct Heard {
    events: Vec<Event>,
    output: Vec<u8>,
    stop_at: Option<StopAt>,
}

/// The machine's ears: the events and the output, shared with the test.
#[derive(Clone, Default)]
struct Ears(Rc<RefCell<Heard>>);

impl EventSink for Ears {
    fn event(&mut self, at: Step, hart: usize, record: &EventRecord, text: &[u8]) -> EventAction {
        let mut heard = self.0.borrow_mut();
        let event = Event::new(at, hart, record, text);
        let stop = heard.stop_at.is_some_and(|stop_at| stop_at(&event));
        heard.events.push(event);
        if stop { EventAction::Stop } else { EventAction::Continue }
    }
}

impl Stdio for Ears {
    fn write(&mut self, _: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.0.borrow_mut().output.extend_from_slice(bytes);
        Ok(())
    }
    fn poll_input(&mut self, _: &mut [u8]) -> Input {
        Input::Eof
    }
}

/// A machine that runs a built-in program.
pub struct Guest {
    pub machine: Machine,
    ears: Ears,
}

/// The root image with the built-in program `name`.
pub fn disk(name: &str) -> Box<dyn DiskImage> {
    RootImage::from_bytes(name, elf(name)).expect("a built-in program fits an image").into_disk()
}

/// The ELF of the built-in program `name`.
pub fn elf(name: &str) -> &'static [u8] {
    let (_, elf) = guest_os::PROGRAMS.iter().find(|(known, _)| *known == name).expect("a built-in program");
    elf
}

impl Guest {
    /// The program `command[0]` with its arguments, in a machine whose programs may have `frames` frames (0: all there are).
    pub fn new(command: &[&str], frames: u64) -> Self {
        Self::with_disk(command, frames, disk(command[0]))
    }

    /// As [`Guest::new`], with a root image of the test's.
    pub fn with_disk(command: &[&str], frames: u64, disk: Box<dyn DiskImage>) -> Self {
        Self::with_bootargs(command, frames, disk, "")
    }

    /// As [`Guest::with_disk`], with words for the kernel's command line.
    pub fn with_bootargs(command: &[&str], frames: u64, disk: Box<dyn DiskImage>, bootargs: &str) -> Self {
        let config = MachineConfig { frame_limit: frames, ..MachineConfig::default() };
        Self::with_config(command, config, disk, bootargs)
    }

    /// As [`Guest::with_bootargs`], with a swap disk of so many pages (0: none).
    pub fn with_swap(
        command: &[&str],
        frames: u64,
        disk: Box<dyn DiskImage>,
        swap_pages: u32,
        bootargs: &str,
    ) -> Self {
        let config = MachineConfig { frame_limit: frames, ..MachineConfig::default() };
        let mut guest = Self::with_config(command, config, disk, bootargs);
        if swap_pages > 0 {
            guest
                .machine
                .attach_disk(swap_space::swap_space(swap_pages), false)
                .expect("there is a slot for a second disk");
        }
        guest
    }

    /// The program in a machine of the test's.
    pub fn with_config(
        command: &[&str],
        config: MachineConfig,
        disk: Box<dyn DiskImage>,
        bootargs: &str,
    ) -> Self {
        let mut machine = Machine::new(config).expect("the default machine is sound");
        let ears = Ears::default();
        machine.set_stdio(Box::new(ears.clone()));
        machine.set_event_sink(Some(Box::new(ears.clone())));
        machine.attach_disk(disk, true).expect("there is a slot for one disk");
        let argv: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
        let path = program_path(command[0]);
        let chosen =
            Chosen { bootargs, program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
        machine
            .boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) })
            .expect("the kernel is a good ELF");
        Self { machine, ears }
    }

    /// A machine that was saved while it ran `program`, with fresh handles.
    pub fn load(saved: &[u8], program: &str) -> Self {
        let mut machine = Machine::load(saved).expect("it was saved a moment ago");
        let ears = Ears::default();
        machine.set_stdio(Box::new(ears.clone()));
        machine.set_event_sink(Some(Box::new(ears.clone())));
        machine.attach_disk(disk(program), true).expect("there is a slot for one disk");
        Self { machine, ears }
    }

    /// From now on the machine stops at events for which this holds.
    pub fn stop_at(&mut self, stop_at: StopAt) {
        self.ears.0.borrow_mut().stop_at = Some(stop_at);
    }

    /// Runs to the next event to stop at, and gives it; `None` at the program's end.
    pub fn next_stop(&mut self) -> Option<Event> {
        match self.machine.run(Step(MOST_STEPS)) {
            StopReason::Event => self.ears.0.borrow().events.last().cloned(),
            StopReason::Exit(_) => None,
            other => panic!("the machine stopped: {other:?}\n{}", self.output()),
        }
    }

    /// Runs to the program's end, and gives its exit status.
    pub fn finish(&mut self) -> u8 {
        match self.end() {
            GuestExit::Status(status) => status,
            other => panic!("the machine stopped: {other:?}\n{}", self.output()),
        }
    }

    /// Runs to the program's end, and says how it ended.
    pub fn end(&mut self) -> GuestExit {
        loop {
            match self.machine.run(Step(MOST_STEPS)) {
                StopReason::Event => {}
                StopReason::Exit(exit) => return exit,
                other => panic!("the machine stopped: {other:?}\n{}", self.output()),
            }
        }
    }

    /// What the program has written so far, both streams together.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.ears.0.borrow().output).into_owned()
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        self.ears.0.borrow().events.clone()
    }

    /// The events of one kind so far.
    pub fn events_of(&self, kind: EventKind) -> Vec<Event> {
        self.events().into_iter().filter(|event| event.kind() == Some(kind)).collect()
    }

    /// How many events of one kind there were so far.
    pub fn count(&self, kind: EventKind) -> usize {
        self.ears.0.borrow().events.iter().filter(|event| event.kind() == Some(kind)).count()
    }
}
