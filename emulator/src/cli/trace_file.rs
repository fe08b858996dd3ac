//! Listens to a machine's events for a command: folds them into figures, and writes `--trace FILE.jsonl`.

use super::death::Children;
use super::output;
use anyhow::Result;
use emulator::debug::SharedTap;
use emulator::host::{EventAction, EventSink};
use emulator::trace::{Event, Trace, TraceHeader};
use isa::Step;
use isa::events::{EventKind, EventRecord};
use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

struct Listener {
    /// Folds the events; the debugger, if there is one, listens here too.
    tap: SharedTap,
    file: Option<(PathBuf, Box<dyn Write>)>,
    failed: Option<std::io::Error>,
    /// Events for whoever takes them, if anybody does.
    kept: Option<Vec<Event>>,
    /// Whom to tell of children that die.
    children: Option<Children>,
}

impl Listener {
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
        let mut listener =
            Listener { tap: SharedTap::default(), file, failed: None, kept: None, children: None };
        listener.write_line(&TraceHeader::default());
        Ok(Self(Rc::new(RefCell::new(listener))))
    }

    /// Looks at what was heard.
    pub fn with<R>(&self, look: impl FnOnce(&Trace) -> R) -> R {
        look(self.0.borrow().tap.borrow().trace())
    }

    /// What hears the events for the debugger.
    pub fn tap(&self) -> SharedTap {
        self.0.borrow().tap.clone()
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
        listener.write_line(&event);
        if let Some(kept) = &mut listener.kept {
            kept.push(event.clone());
        }
        let tap = listener.tap.clone();
        let action = tap.borrow_mut().take_in(&event);
        if event.kind() == Some(EventKind::Exit)
            && let Some(children) = &mut listener.children
            && let Some(death) = tap.borrow().trace().history.death_of_child()
        {
            children.take_in(death);
        }
        action
    }
}
