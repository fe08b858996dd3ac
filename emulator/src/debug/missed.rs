//! Why a catchpoint has not stopped where one may have thought that it would: the page of the address that it waits for was
//! given to the process by an access to something else on it.

use super::catches::Catch;
use super::condition::{Condition, Fact, Facts};
use super::execute::Debugger;
use super::points::{Known, Scene, What};
use super::target::Target;
use crate::trace::Event;
use core::ops::Range;
use isa::VirtAddr;
use isa::events::{Access, EventKind};

/// What is known, but for the address.
struct Elsewhere<'a, 'b> {
    known: &'a mut Known<'b>,
    va: u64,
}

impl Facts for Elsewhere<'_, '_> {
    fn fact(&self, fact: Fact) -> Option<u64> {
        if fact == Fact::Va { Some(self.va) } else { self.known.fact(fact) }
    }
    fn register(&self, name: &str) -> Option<u64> {
        self.known.register(name)
    }
    fn bytes(&mut self, symbol: &str) -> Option<Range<u64>> {
        self.known.bytes(symbol)
    }
}

/// A symbol for which the condition would have held, had the fault been about it and not about something else on its page.
fn missed(condition: &Condition, known: &mut Known<'_>, va: VirtAddr) -> Option<String> {
    let mut is_missed = |symbol: &str| {
        let Some(bytes) = known.bytes(symbol) else { return false };
        VirtAddr(bytes.start).page() == va.page()
            && !bytes.contains(&va.0)
            && condition.holds(&mut Elsewhere { known, va: bytes.start })
    };
    condition.symbols().into_iter().find(|symbol| is_missed(symbol)).map(str::to_owned)
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
            let found = self.with_condition(target, id, scene, |condition, known| {
                let symbol = missed(condition, known, va)?;
                let process = known.guest.process(pid)?;
                Some((symbol, known.symbols.name_in_process(known.guest, process, va)))
            });
            let Some((symbol, other)) = found else { continue };
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
                let here = |symbol: &&str| known.bytes(symbol).is_some_and(|bytes| bytes.contains(&va));
                let symbol = condition.symbols().into_iter().find(here)?;
                condition.holds(known).then(|| symbol.to_owned())
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
        &mut self,
        target: &dyn Target,
        id: u64,
        scene: Scene,
        ask: impl FnOnce(&Condition, &mut Known<'_>) -> Option<T>,
    ) -> Option<T> {
        let point = self.points.get(id)?;
        let (What::Catch(Catch::Fault(..)), Some(condition)) = (&point.what, &point.condition) else {
            return None;
        };
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let mut known = Known { scene, hits: point.hits, guest, symbols: &self.symbols, target };
        ask(condition, &mut known)
    }
}
