//! Why a catchpoint has not stopped where one may have thought that it would: the page of the address that it waits for was
//! given to the process by an access to something else on it. Why a breakpoint has not: what its condition asks for is not known there.
//!
//! Of a point that has stopped nobody asks why it has not.

use super::catches::Catch;
use super::condition::Condition;
use super::execute::Debugger;
use super::expression::{self, Names, Node};
use super::points::{Scene, What};
use super::target::Target;
use super::vantage::Vantage;
use crate::source::{Type, Value, Whose, without_offset};
use crate::trace::Event;
use core::ops::Range;
use isa::VirtAddr;
use isa::events::{Access, EventKind};
use std::fmt::Write;

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

/// A place for which the condition would have held, had the fault been about it and not about something else on its page, and its
/// address.
fn missed(condition: &Condition, known: &dyn Names, va: VirtAddr) -> Option<(String, VirtAddr)> {
    let is_missed = |place: &Node| {
        let (bytes, _) = expression::bytes(place, known).ok()?;
        let is_it = VirtAddr(bytes.start).page() == va.page()
            && !bytes.contains(&va.0)
            && condition.holds(&Elsewhere { known, va: bytes.start });
        is_it.then(|| (place.to_string(), VirtAddr(bytes.start)))
    };
    condition.expression().places().into_iter().find_map(is_missed)
}

/// Why a point has not stopped.
#[derive(Clone, Debug)]
pub(super) struct Note {
    id: u64,
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
            let Some((symbol, at)) = found else { continue };
            let other = self.holder_of(pid, va);
            if !self.told_missed.insert((id, pid, symbol.clone())) {
                continue;
            }
            let (other, advice) = match other {
                Some(name) if self.holder_of(pid, at).as_ref() == Some(&name) => {
                    (format!("the rest of `{name}`"), format!("`va in {name}` means all of it"))
                }
                other => {
                    let other = other.map_or_else(|| format!("what is at {va}"), |name| format!("`{name}`"));
                    (other, "give it a page of its own to see it alone".to_owned())
                }
            };
            let did = if event.record.access() == Some(Access::Write) { "wrote" } else { "touched" };
            let text = format!(
                "catchpoint {id} has not stopped: `{symbol}` shares its page with {other}, which process {pid} {did} first, at step {}: \
                 {advice}\n",
                event.step
            );
            self.notes.push(Note { id, text });
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
            self.notes.push(Note { id, text });
        }
    }

    /// Notes for the next stop that a point was come to, and its condition could not be decided there; once for
    /// each reason. A catchpoint is for all processes, of which most have nothing that its condition asks for: of those nothing is said.
    pub(super) fn note_unknown(
        &mut self,
        target: &dyn Target,
        id: u64,
        condition: &Condition,
        scene: Scene,
        why: &str,
    ) {
        let Some(point) = self.points.get(id) else { return };
        let has = |name: &&str| self.looking_at(target, scene, point.hits, |known| known.named(name).is_ok());
        if matches!(point.what, What::Catch(_)) && !condition.names().iter().all(has) {
            return;
        }
        if !self.told_missed.insert((id, 0, why.to_owned())) {
            return;
        }
        let text = format!(
            "{} {id} has not stopped at step {}, where it is not known whether `{}`: {why}\n",
            point.what.title(),
            target.step(),
            condition.text()
        );
        self.notes.push(Note { id, text });
    }

    /// What there is to say at a stop of points that have never stopped.
    pub(super) fn take_notes(&mut self) -> String {
        let never = |id| self.points.get(id).is_some_and(|point| !point.has_stopped);
        let notes = std::mem::take(&mut self.notes).into_iter();
        notes.filter(|note| never(note.id)).map(|note| note.text).collect()
    }

    /// A line about each watchpoint that has never stopped, for the end of a run.
    pub(super) fn idle_watches(&self) -> String {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let mut text = String::new();
        for (id, watch) in self.points.watches() {
            if self.points.get(id).is_some_and(|point| point.has_stopped) {
                continue;
            }
            let child = guest.processes().find(|process| process.parent == watch.pid());
            let advice = child.map_or_else(String::new, |child| {
                format!(
                    "; a child has its own memory: `watch {}:{}`, where there is that process",
                    child.pid,
                    watch.text()
                )
            });
            // Writing to a String cannot fail.
            let _ = writeln!(text, "watchpoint {id} has never stopped: {watch}{advice}");
        }
        text
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

    /// The function or variable whose bytes hold an address, and not only lie in front of it.
    fn holder_of(&self, pid: u64, va: VirtAddr) -> Option<String> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let loaded = self.symbols.loaded_at(guest, guest.process(pid)?, va)?;
        let (symbols, at) = (loaded.file.symbols(), va.0.wrapping_sub(loaded.bias));
        symbols.range_at(at).filter(|range| range.contains(&at))?;
        symbols.name_of(at).map(|name| without_offset(&name).to_owned())
    }
}
