//! Listens to a machine's events for a command: folds them into figures, and writes `--trace FILE.jsonl`.

use super::death::{self, Children};
use super::drive::LookAtEvent;
use super::output;
use super::tlb_by_process::TlbByProcess;
use anyhow::Result;
use emulator::debug::peek::Files;
use emulator::debug::{MachineMemory, SharedTap, loaded_at};
use emulator::gdb::{Input, SharedEar, Written};
use emulator::host::{EventAction, EventSink};
use emulator::machine::Machine;
use emulator::source::{Programs, Spot, StackFrame};
use emulator::trace::{Death, Event, FIRST_PROCESS, Trace, TraceHeader};
use isa::events::{EventKind, EventRecord};
use isa::{Step, VirtAddr};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

struct Listener {
    /// Folds the events; the debugger, if there is one, listens here too.
    tap: SharedTap,
    file: Option<(PathBuf, Box<dyn Write>)>,
    failed: Option<std::io::Error>,
    /// Where the names of places in the file come from; none if it has none.
    names: Option<Rc<Programs>>,
    /// Events for whoever takes them, if anybody does.
    kept: Option<Vec<Event>>,
    /// Whom to tell of children that die.
    children: Option<Children>,
    /// What gdb's sessions listen for.
    ear: Option<SharedEar>,
    /// Whether the machine is to be looked at when a process dies.
    follows_deaths: bool,
    /// What a process died with, as long as nobody has looked at it.
    died: Option<Died>,
    /// What of the TLB's counters is whose, if that is wanted.
    tlb: Option<TlbByProcess>,
    /// The process that runs from here on, as long as nobody has looked at the machine.
    switched: Option<Switched>,
    /// The calls that had led to where processes were when they died.
    calls: BTreeMap<u64, Vec<StackFrame>>,
}

/// An event with the names of its place.
struct Named<'a> {
    event: &'a Event,
    spot: Option<Spot>,
}

impl serde::Serialize for Named<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serde_json::to_value(self.event).map_err(serde::ser::Error::custom)?;
        let spot = self.spot.clone().unwrap_or_default();
        for (key, name) in
            [("function", spot.symbol), ("source", spot.source.map(|source| source.to_string()))]
        {
            if let (Some(name), Some(fields)) = (name, line.as_object_mut()) {
                fields.insert(key.to_owned(), name.into());
            }
        }
        line.serialize(serializer)
    }
}

/// The registers of a process that dies.
struct Died {
    event: Event,
    /// Whether somebody else wants the machine to stop here, too.
    is_awaited: bool,
}

/// A switch that has just been told of.
struct Switched {
    to: u64,
    /// Whether somebody else wants the machine to stop here, too.
    is_awaited: bool,
}

impl Listener {
    fn tell_of_child(&mut self, death: &Death) {
        let calls = self.calls.remove(&death.pid).unwrap_or_default();
        if let Some(children) = &mut self.children {
            children.take_in(death, &calls);
        }
    }

    /// Whether it is told what calls had led to where a process was that a signal ends.
    fn wants_calls(&self, pid: u64) -> bool {
        let tap = self.tap.borrow();
        let Some(death) = tap.trace().history.dying(pid).filter(|_| self.follows_deaths) else {
            return false;
        };
        match pid {
            // Whoever has sent the signal: who looks for that begins where it was.
            FIRST_PROCESS => true,
            _ => death.is_own && self.children.as_ref().is_some_and(Children::wants_more),
        }
    }

    fn write_event(&mut self, event: &Event) {
        match self.names.clone().filter(|_| self.file.is_some()) {
            None => self.write_line(event),
            Some(programs) => {
                let spot = self.spot_of(event, &programs);
                self.write_line(&Named { event, spot });
            }
        }
    }

    /// What is at an event's pc, which lies behind the `ecall` in a system call.
    fn spot_of(&self, event: &Event, programs: &Programs) -> Option<Spot> {
        let (tap, pc) = (self.tap.borrow(), VirtAddr(event.record.pc));
        let guest = &tap.trace().guest;
        let loaded = loaded_at(programs, guest, guest.process(event.record.pid)?, pc)?;
        Some(if event.is_fault() && !event.kernel_copy() {
            loaded.spot(pc)
        } else {
            loaded.spot_of_return(pc)
        })
    }

    fn write_line(&mut self, value: &impl serde::Serialize) {
        let Some((_, file)) = &mut self.file else { return };
        let written = serde_json::to_writer(&mut *file, value)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"));
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

/// The command's ear on the event stream; clones share what was heard.
#[derive(Clone)]
pub struct Recorder(Rc<RefCell<Listener>>);

impl Recorder {
    /// Listens, and writes each event as one JSON object a line to `path` if there is one.
    pub fn new(path: Option<&Path>) -> Result<Self> {
        let create = |path: &Path| anyhow::Ok((path.to_path_buf(), output::create(path)?));
        let file = path.map(create).transpose()?;
        let mut listener = Listener {
            tap: SharedTap::default(),
            file,
            failed: None,
            names: None,
            kept: None,
            children: None,
            follows_deaths: false,
            died: None,
            tlb: None,
            switched: None,
            calls: BTreeMap::new(),
            ear: None,
        };
        listener.write_line(&TraceHeader::default());
        Ok(Self(Rc::new(RefCell::new(listener))))
    }

    /// Names the place of each event in the file from now on.
    pub fn name_places(&self, programs: Rc<Programs>) {
        self.0.borrow_mut().names = Some(programs);
    }

    /// Tells apart who is the cause of page faults, from now on.
    pub fn attribute(&self) {
        self.0.borrow().tap.borrow_mut().attribute();
    }

    /// Looks at what was heard.
    pub fn with<R>(&self, look: impl FnOnce(&Trace) -> R) -> R {
        look(self.0.borrow().tap.borrow().trace())
    }

    /// What hears the events for the debugger.
    pub fn tap(&self) -> SharedTap {
        self.0.borrow().tap.clone()
    }

    /// Forgets how processes died: the machine begins anew, and its events follow those of the run before.
    pub fn begin_anew(&self) {
        let mut listener = self.0.borrow_mut();
        listener.calls.clear();
        listener.died = None;
        listener.switched = None;
        if let Some(tlb) = &mut listener.tlb {
            *tlb = TlbByProcess::default();
        }
    }

    /// Tells apart whose the TLB's counters are, from now on; the machine has not run yet.
    pub fn follow_tlb(&self) {
        self.0.borrow_mut().tlb = Some(TlbByProcess::default());
    }
    /// Whose the TLB's counters are, up to now.
    pub fn tlb(&self, machine: &Machine) -> Option<TlbByProcess> {
        let mut tlb = self.0.borrow().tlb.clone();
        if let Some(tlb) = &mut tlb {
            tlb.switch(machine, 0);
        }
        tlb
    }

    /// Keeps the events from now on, until they are taken.
    pub fn keep_events(&self) {
        self.0.borrow_mut().kept = Some(Vec::new());
    }
    /// The events since the last time.
    pub fn take_events(&self) -> Vec<Event> {
        self.0.borrow_mut().kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Tells of children that go wrong from now on.
    pub fn follow_children(&self, children: Children) {
        self.0.borrow_mut().children = Some(children);
    }
    /// Tells of those that have gone wrong and were not told of.
    pub fn tell_of_children(&self) {
        if let Some(children) = &self.0.borrow().children {
            children.finish();
        }
    }

    /// Has gdb's sessions listen, too.
    pub fn listen_for(&self, ear: SharedEar) {
        self.0.borrow_mut().ear = Some(ear);
    }
    /// Writes a line for what gdb has changed in the guest.
    pub fn take_in(&self, input: &Input) {
        let mut line = json!({ "t": input.step.0, "kind": "gdb_write" });
        if let Some(pid) = input.pid {
            line["pid"] = json!(pid);
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match &input.written {
            Written::Memory(va, bytes) => {
                (line["va"], line["bytes"]) = (json!(va.to_string()), json!(hex(bytes)));
            }
            Written::Physical(pa, bytes) => {
                (line["pa"], line["bytes"]) = (json!(pa.to_string()), json!(hex(bytes)));
            }
            Written::Register(hart, name, value) => {
                line["hart"] = json!(hart);
                (line["register"], line["value"]) = (json!(name), json!(format!("{value:#x}")));
            }
        }
        self.0.borrow_mut().write_line(&line);
    }

    /// From now on, what looks at the machine when a process goes wrong and dies, while its memory is still there, in RAM or on the swap
    /// disk; and when the kernel switches, if the TLB is followed.
    pub fn deaths(&self, programs: Rc<Programs>, swap_disk: Option<usize>) -> LookAtEvent {
        self.0.borrow_mut().follows_deaths = true;
        let recorder = self.clone();
        let files = Files::new(Rc::clone(&programs));
        Box::new(move |machine| {
            let switched = recorder.0.borrow_mut().switched.take();
            if let Some(Switched { to, is_awaited }) = switched {
                if let Some(tlb) = &mut recorder.0.borrow_mut().tlb {
                    tlb.switch(machine, to);
                }
                return !is_awaited;
            }
            let died = recorder.0.borrow_mut().died.take();
            let Some(Died { event, is_awaited }) = died else { return false };
            let memory = MachineMemory(machine, swap_disk);
            let calls = recorder.with(|trace| death::calls(&event, trace, &memory, &files, &programs));
            recorder.0.borrow_mut().calls.insert(event.record.pid, calls);
            !is_awaited
        })
    }

    /// What the first process has died of.
    pub fn death(&self, signal: u32, programs: &Programs) -> Vec<String> {
        let listener = self.0.borrow();
        let calls = listener.calls.get(&FIRST_PROCESS).map(Vec::as_slice).unwrap_or_default();
        let tap = listener.tap.borrow();
        death::lines(signal, tap.trace().history.death(), calls, programs)
    }

    /// Ends the trace file.
    pub fn finish(&self) -> Result<()> {
        let mut listener = self.0.borrow_mut();
        let failed = listener.failed.take();
        let Some((path, file)) = &mut listener.file else { return Ok(()) };
        failed.map_or_else(|| file.flush(), Err).map_err(|error| output::cannot_write(path, &error))
    }
}

impl EventSink for Recorder {
    fn event(&mut self, at: Step, hart: usize, record: &EventRecord, text: &[u8]) -> EventAction {
        let event = Event::new(at, hart, record, text);
        let mut listener = self.0.borrow_mut();
        listener.write_event(&event);
        if let Some(kept) = &mut listener.kept {
            kept.push(event.clone());
        }
        let tap = listener.tap.clone();
        let mut action = tap.borrow_mut().take_in(&event);
        if let Some(EventAction::Stop) = listener.ear.as_ref().map(|ear| ear.borrow_mut().take_in(&event)) {
            action = EventAction::Stop;
        }
        let pid = event.record.pid;
        match event.kind() {
            Some(EventKind::Registers) if listener.wants_calls(pid) => {
                listener.died = Some(Died { event, is_awaited: matches!(action, EventAction::Stop) });
                EventAction::Stop
            }
            Some(EventKind::Switch) if listener.tlb.is_some() => {
                listener.switched =
                    Some(Switched { to: pid, is_awaited: matches!(action, EventAction::Stop) });
                EventAction::Stop
            }
            Some(EventKind::Exit) => {
                let tap = tap.borrow();
                if let Some(death) = tap.trace().history.death_of_child() {
                    listener.tell_of_child(death);
                }
                action
            }
            _ => action,
        }
    }
}
