//! Why a catchpoint has not stopped where one may have thought that it would: the page of the address that it waits for was
//! given to the process by an access to something else on it.

use super::catches::Catch;
use super::condition::Condition;
use super::execute::Debugger;
use super::expression::{self, Names, Node};
use super::points::{Scene, What};
use super::target::Target;
use super::vantage::Vantage;
use crate::source::{Type, Value, Whose};
use crate::trace::Event;
use core::ops::Range;
use isa::VirtAddr;
use isa::events::{Access, EventKind};

/// What is known, but for the address.
struct Elsewhere<'a> {
    known: &'a dyn Names,
    va: u64,
}

impl Names for Elsewhere<'_> {
    fn named(&self, name: &str) -> Result<Value, String> {
        if name == "va" { Ok(Value::register(self.va)) } else { self.known.named(name) }
    }
    fn register(&self, name: &str) -> Result<Value, String> {
        self.known.register(name)
    }
    fn type_named(&self, name: &str) -> Option<Type> {
        self.known.type_named(name)
    }
    fn symbol_at(&self, address: u64, whose: Whose) -> Option<Range<u64>> {
        self.known.symbol_at(address, whose)
    }
    fn read(&self, whose: Whose, address: u64, into: &mut [u8]) -> Result<(), String> {
        self.known.read(whose, address, into)
    }
}

/// A place for which the condition would have held, had the fault been about it and not about something else on its page.
fn missed(condition: &Condition, known: &dyn Names, va: VirtAddr) -> Option<String> {
    let is_missed = |place: &&Node| {
        let Ok((bytes, _)) = expression::bytes(place, known) else { return false };
        VirtAddr(bytes.start).page() == va.page()
            && !bytes.contains(&va.0)
            && condition.holds(&Elsewhere { known, va: bytes.start })
    };
    condition.expression().places().into_iter().find(is_missed).map(Node::to_string)
}

/// Why a catchpoint has not stopped.
#[derive(Clone, Debug)]
pub(super) struct Note {
    id: u64,
    /// Since the fault was of another kind.
    is_of_kind: bool,
    text: String,
}

/// How a fault that gave a page came to be no copy-on-write, where it might have been.
fn no_copy(kind: EventKind) -> &'static str {
    match kind {
        EventKind::FileCopy => {
            ": nobody had written to its page before, so that it was copied from the file and not from another process"
        }
        EventKind::Zero | EventKind::StackGrow => {
            ": nobody had written to its page before, so that there was nothing to copy"
        }
        _ => "",
    }
}

impl Debugger {
    /// Notes for the next stop that these catchpoints have not stopped at a fault because of something else on the page; once a
    /// catchpoint, process and symbol.
    pub(super) fn note_missed(&mut self, target: &dyn Target, ids: &[u64], event: &Event, scene: Scene) {
        let (va, pid) = (VirtAddr(event.record.va), event.record.pid);
        for &id in ids {
            let found =
                self.with_condition(target, id, scene, |condition, known| missed(condition, known, va));
            let Some(symbol) = found else { continue };
            let other = self.symbol_of(pid, va);
            if !self.told_missed.insert((id, pid, symbol.clone())) {
                continue;
            }
            let other = match other.as_deref().map(|name| name.split('+').next().unwrap_or(name)) {
                Some(name) => format!("`{name}`"),
                None => format!("what is at {va}"),
            };
            let did = if event.record.access() == Some(Access::Write) { "wrote" } else { "touched" };
            let text = format!(
                "catchpoint {id} has not stopped: `{symbol}` shares its page with {other}, which process {pid} {did} first, at step {}: \
                 give it a page of its own to see it alone\n",
                event.step
            );
            self.notes.push(Note { id, is_of_kind: false, text });
        }
    }

    /// Notes for the next stop that these catchpoints have not stopped at a fault at their symbols, since it was of another kind; once a
    /// catchpoint, process and kind.
    pub(super) fn note_other_kinds(&mut self, target: &dyn Target, ids: &[u64], event: &Event, scene: Scene) {
        let Some(kind) = event.kind() else { return };
        let (va, pid) = (event.record.va, event.record.pid);
        for &id in ids {
            let found = self.with_condition(target, id, scene, |condition, known| {
                let here = |place: &&Node| {
                    expression::bytes(place, known).is_ok_and(|(bytes, _)| bytes.contains(&va))
                };
                let place = condition.expression().places().into_iter().find(here)?;
                condition.holds(known).then(|| place.to_string())
            });
            let Some(symbol) = found else { continue };
            if !self.told_missed.insert((id, pid, kind.name().to_owned())) {
                continue;
            }
            let is_copy = self.points.get(id).is_some_and(
                |point| matches!(&point.what, What::Catch(Catch::Fault(faults, _)) if faults.mean_copies()),
            );
            let why = if is_copy { no_copy(kind) } else { "" };
            let text = format!(
                "catchpoint {id} has not stopped: the fault of process {pid} at `{symbol}`, at step {}, was {}{why}\n",
                event.step,
                kind.name()
            );
            self.notes.push(Note { id, is_of_kind: true, text });
        }
    }

    /// What there is to say at a stop of catchpoints that have not stopped. One that stops now has met the kind that it waits for.
    pub(super) fn take_notes(&mut self, stopped: Option<u64>) -> String {
        let notes = std::mem::take(&mut self.notes).into_iter();
        notes.filter(|note| !note.is_of_kind || Some(note.id) != stopped).map(|note| note.text).collect()
    }

    /// Asks about the condition of a catchpoint of faults, in a scene.
    fn with_condition<T>(
        &self,
        target: &dyn Target,
        id: u64,
        scene: Scene,
        ask: impl FnOnce(&Condition, &Vantage<'_>) -> Option<T>,
    ) -> Option<T> {
        let point = self.points.get(id)?;
        let (What::Catch(Catch::Fault(..)), Some(condition)) = (&point.what, &point.condition) else {
            return None;
        };
        self.looking_at(target, scene, point.hits, |known| ask(condition, known))
    }

    fn symbol_of(&self, pid: u64, va: VirtAddr) -> Option<String> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        self.symbols.name_in_process(guest, guest.process(pid)?, va)
    }
}
