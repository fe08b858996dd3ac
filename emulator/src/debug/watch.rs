//! Watchpoints: accesses to a variable of a process, by its program as they are made, and changes by others as they are found.
//!
//! A load or store of the program's is heard when its instruction has retired. What the kernel copies to the variable, or another
//! process stores to memory that it shares, is found when the process comes back to its program: then the variable has another value
//! than it had.

use super::execute::Debugger;
use super::expression::{self, Expression, Node};
use super::memory;
use super::points::{Hit, Point, Scene, What};
use super::space::Space;
use super::target::{Place, Target};
use super::vantage::Vantage;
use super::walk::translate;
use crate::exec::MemoryAccess;
use crate::source::{Bits, Type, Value};
use crate::trace::FIRST_PROCESS;
use core::ops::Range;
use isa::paging::Access;
use isa::reg::SP;
use isa::{PAGE_SIZE, Privilege, VirtAddr};
use std::fmt;

/// Most bytes of a watchpoint.
const MAX_BYTES: u64 = 4096;
/// Bytes of a watchpoint at an address that is no symbol's.
const PLAIN_BYTES: u64 = 8;

/// Which accesses are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watched {
    /// Stores, and changes by others.
    Writes,
    /// Loads.
    Reads,
    /// All of these.
    Both,
}

impl Watched {
    fn reads(self) -> bool {
        self != Self::Writes
    }
    fn writes(self) -> bool {
        self != Self::Reads
    }
}

/// What is watched.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// As it was typed.
    text: String,
    watched: Watched,
    pid: u64,
    /// The address space that the process had: with another program it has another.
    space: u64,
    bytes: Range<u64>,
    /// Its type, if that is known.
    type_: Option<Type>,
    /// The bits of these bytes that are meant, if it is a field of them, and its type.
    field: Option<(Bits, Type)>,
    /// Where the function goes on that has called the one whose variable it is, and with which stack pointer: then it is no more.
    pub(super) ends: Option<(VirtAddr, u64)>,
    /// It is a part of some function's frame, which another run does not have where it begins.
    pub(super) is_of_frame: bool,
    /// The function in which it was set: its variables are those that a condition names.
    pub(super) set_in: Option<String>,
    /// The name, where it is one: another build of the program may have it elsewhere.
    name: Option<Expression>,
    /// What it held when it was looked at last, if that was in memory.
    held: Option<Vec<u8>>,
}

impl Watch {
    pub(super) fn pid(&self) -> u64 {
        self.pid
    }
    /// Whether it is another than it was, or may be: of a field of bits that is known.
    fn has_changed(&self, now: Option<&[u8]>) -> bool {
        let (Some((bits, type_)), Some(was), Some(now)) = (&self.field, &self.held, now) else { return true };
        let nowhere = &|_, _, _: &mut [u8]| Err(String::new());
        let number = |held: &[u8]| Value::of_bits(type_, *bits, held).to_integer(nowhere);
        number(was) != number(now)
    }
    /// As it was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, watched, pid, bytes, ends, field, .. } = self;
        let what = match watched {
            Watched::Writes => "writes to",
            Watched::Reads => "reads of",
            Watched::Both => "accesses to",
        };
        let count = bytes.end - bytes.start;
        let ends = if ends.is_some() { ", until its function returns" } else { "" };
        let size = match field {
            Some((bits, _)) => format!("{} bits", bits.count),
            None => format!("{count} bytes"),
        };
        write!(f, "{what} {text} of process {pid} ({}, {size}{ends})", VirtAddr(bytes.start))
    }
}

/// A watchpoint as it was, and what is there now; nothing if it cannot be read.
type Looked = (Watch, Option<Vec<u8>>);

/// A watchpoint as it is compared with accesses.
#[derive(Clone, Debug)]
pub(super) struct ArmedWatch {
    pub(super) id: u64,
    satp: u64,
    bytes: Range<u64>,
    watched: Watched,
}

impl ArmedWatch {
    /// Whether the program's instruction at a place has made an access that is meant.
    pub(super) fn means(&self, place: &Place, access: &MemoryAccess) -> bool {
        let is_meant = match access.access {
            Access::Load => self.watched.reads(),
            Access::Store => self.watched.writes(),
            Access::Fetch => false,
        };
        let (start, end) = (access.va.0, access.va.0.wrapping_add(access.width_bytes.into()));
        is_meant
            && place.privilege == Privilege::User
            && self.is_of(place)
            && start < self.bytes.end
            && self.bytes.start < end
    }
    /// Whether a place is in its process.
    pub(super) fn is_of(&self, place: &Place) -> bool {
        place.satp.0 == self.satp
    }
}

impl Debugger {
    /// A watchpoint on an address, or on a symbol, which is as long as it is.
    pub(super) fn watch(
        &mut self,
        target: &dyn Target,
        at: &Expression,
        length: Option<u64>,
        watched: Watched,
        outlives: bool,
    ) -> Result<What, String> {
        if let Node::Register(name) = at.node() {
            return Err(format!(
                "`${name}` is a register, and no place in memory: `watch *${name}` watches what it points to now"
            ));
        }
        let field = self.looking(target, |from| expression::field(at.node(), from));
        if field.is_some() && watched != Watched::Writes {
            return Err(format!(
                "`{}` is a field of bits, and a load is of whole bytes: `watch` stops where it changes",
                at.text()
            ));
        }
        let found = self.looking(target, |from| {
            if let Some((bits, value)) = &field {
                let Range { start, end } = bits.bytes();
                return Ok((start, Some((end - start, value.type_.clone())), value.whose));
            }
            match expression::place(at.node(), from)? {
                Some((bytes, value)) => {
                    Ok((bytes.start, Some((bytes.end - bytes.start, value.type_)), value.whose))
                }
                None => expression::address(at.node(), from).map(|(address, whose)| (address, None, whose)),
            }
        });
        let (address, of_place, whose): (_, Option<(u64, Type)>, _) =
            found.map_err(|why| format!("`{}`: {why}", at.text()))?;
        let now = self.now(target);
        let space = match whose {
            Some(pid) => self.space_of_process(&now, pid)?,
            None => {
                self.check_page_table()?;
                self.space_of(&now)
            }
        };
        let va = VirtAddr(address);
        let pid = space.process().ok_or("no process runs now: `watch PID:SYMBOL` watches one's")?;
        if va.0 >> 63 != 0 {
            return Err("only the memory of processes is watched, not the kernel's".to_owned());
        }
        if of_place.is_none() {
            let is_pointer =
                |from: &Vantage<'_>| expression::value(at.node(), from).map(|value| value.is_pointer());
            let is_pointer = self.looking(target, is_pointer).unwrap_or(false);
            self.check_address(at, pid, va, is_pointer)?;
        }
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let process = guest.process(pid).ok_or_else(|| format!("there is no process {pid}"))?;
        let of_place_bytes = of_place.as_ref().map(|(bytes, _)| *bytes);
        let type_ = of_place
            .filter(|(bytes, _)| length.is_none_or(|length| length == *bytes))
            .map(|(_, type_)| type_);
        let length = length.or(of_place_bytes).unwrap_or(PLAIN_BYTES);
        if !(1..=MAX_BYTES).contains(&length) {
            return Err(format!("LENGTH is from 1 to {MAX_BYTES} bytes, and not {length}"));
        }
        // Of which process it is, is said behind it.
        let named = at.text().split_once(':').filter(|(pid, _)| pid.parse::<u64>().is_ok());
        let symbol = of_place_bytes.map(|_| named.map_or(at.text(), |(_, name)| name));
        let bytes = va.0..va.0.saturating_add(length);
        let text = symbol.map_or_else(|| va.to_string(), str::to_owned);
        let held = holds(target, &space, &bytes);
        // An address is an address, whatever lies there later.
        let is_named = symbol.is_some() && whose.is_none();
        let frame_end = if is_named { self.end_of_frame(target, va) } else { None };
        let (is_of_frame, ends) = (frame_end.is_some(), frame_end.filter(|_| !outlives));
        let name = symbol.filter(|_| at.location().is_some()).map(|_| at.clone());
        let space = process.space;
        let set_in = self.chosen_function(target);
        Ok(What::Watch(Watch {
            set_in,
            text,
            watched,
            pid,
            space,
            bytes,
            type_,
            field: field.map(|(bits, value)| (bits, value.type_)),
            ends,
            is_of_frame,
            name,
            held,
        }))
    }

    /// Complains of what was calculated if it is meant to be no address: a condition, or a number that is none of the process's.
    fn check_address(&self, at: &Expression, pid: u64, va: VirtAddr, is_pointer: bool) -> Result<(), String> {
        let variable = at.first_variable();
        let way = match (&variable, at.is_condition()) {
            (Some(variable), true) => format!("`watch {variable} if {}` stops by it", at.text()),
            (Some(variable), false) => format!("`watch {variable}` watches that"),
            (None, _) => "a variable is watched, what a pointer points to, or an address".to_owned(),
        };
        if at.is_condition() {
            return Err(format!("`{}` is a condition, and no place in memory: {way}", at.text()));
        }
        if variable.is_some() && !is_pointer {
            return Err(format!("`{}` is calculated, and no place in memory: {way}", at.text()));
        }
        let is_mapped = self.tap.borrow().trace().guest.vma_at(pid, va).is_some();
        match is_mapped || at.is_number() && va.0 >= PAGE_SIZE {
            true => Ok(()),
            false => Err(format!("`{}` is {va}, where process {pid} has nothing: {way}", at.text())),
        }
    }

    /// Where a new run begins: what is watched is where the program has it now, and holds what it holds now.
    pub(super) fn watch_anew(&mut self, target: &dyn Target) {
        let mine: Vec<u64> =
            self.points.watches().filter(|(_, w)| w.pid == FIRST_PROCESS).map(|(id, _)| id).collect();
        for id in mine {
            let name = self.points.watch(id).and_then(|watch| watch.name.clone());
            let place = name.and_then(|name| {
                self.looking(target, |from| expression::place(name.node(), from)).ok().flatten()
            });
            let is_as_long = |watch: &Watch, bytes: &Range<u64>| {
                bytes.end - bytes.start == watch.bytes.end - watch.bytes.start
            };
            if let (Some(watch), Some((bytes, _))) = (self.points.watch_mut(id), place)
                && is_as_long(watch, &bytes)
            {
                watch.bytes = bytes;
            }
            self.look_again(target, id);
        }
    }

    /// Where the caller of the function that is looked at goes on, and with which stack pointer, if an address is on the function's
    /// part of the stack.
    fn end_of_frame(&self, target: &dyn Target, va: VirtAddr) -> Option<(VirtAddr, u64)> {
        let (frame, _) = self.chosen_frame(target)?;
        let caller = self.caller(target)?;
        let (start, end) = (frame.x[usize::from(SP)]?, caller.x[usize::from(SP)]?);
        (start..end).contains(&va.0).then_some((VirtAddr(caller.pc), end))
    }

    /// Whether a function has returned to this place one of whose variables these watchpoints, if they are any, are on: then they are
    /// gone.
    pub(super) fn watch_ends(&mut self, place: &Place, ids: &[u64]) -> Option<Hit> {
        let has_ended = |id: &&u64| {
            let ends = self.points.watch(**id).and_then(|watch| watch.ends);
            ends.is_some_and(|(pc, sp)| pc == place.pc && sp == place.sp)
        };
        let ended: Vec<u64> = ids.iter().filter(has_ended).copied().collect();
        if ended.is_empty() {
            return None;
        }
        let points: Vec<Point> = ended.iter().filter_map(|&id| self.points.get(id).cloned()).collect();
        self.points.delete(|id| ended.contains(&id));
        self.points_changed();
        Hit::of_all(&points, |point| {
            let text = if let What::Watch(watch) = &point.what { watch.text.as_str() } else { "" };
            format!("{text} is no more: its function has returned")
        })
    }

    /// The text of what a watched variable held, if its type says more than its bits do.
    fn typed(&self, target: &dyn Target, watch: &Watch, held: &[u8]) -> Option<String> {
        if let Some((bits, type_)) = &watch.field {
            let value = Value::of_bits(type_, *bits, held);
            return self.looking(target, |from| from.text(&value, None)).ok();
        }
        let type_ = watch.type_.clone().filter(|type_| !type_.is_plain())?;
        let value = Value::of_bytes(type_, held, held.len() as u64);
        self.looking(target, |from| from.text(&value, None)).ok()
    }

    /// Which part of a watched variable has changed, what it was and what it is: `; table[3] was 0, and is 7`.
    fn changed_part(
        &self,
        target: &dyn Target,
        watch: &Watch,
        was: &Option<Vec<u8>>,
        now: &Option<Vec<u8>>,
    ) -> Option<String> {
        let type_ = watch.type_.as_ref().filter(|type_| type_.has_parts())?;
        let value = |held: &Vec<u8>| Value::of_bytes(type_.clone(), held, held.len() as u64);
        let (path, was, now) = value(was.as_ref()?).changed(&value(now.as_ref()?))?;
        let text = |value: &Value| self.looking(target, |from| from.text(value, None)).ok();
        Some(format!("; {}{path} was {}, and is {}", watch.text, text(&was)?, text(&now)?))
    }

    /// The watchpoints whose processes are there, as they are compared.
    pub(super) fn armed_watches(&self) -> Vec<ArmedWatch> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let armed = |(id, watch): (u64, &Watch)| {
            let process = guest.process(watch.pid).filter(|p| p.is_alive() && p.space == watch.space)?;
            let (satp, bytes, watched) = (process.satp, watch.bytes.clone(), watch.watched);
            (satp != 0).then_some(ArmedWatch { id, satp, bytes, watched })
        };
        self.points.watches().filter_map(armed).collect()
    }

    /// Where functions return to whose variables are watched.
    pub(super) fn ends_of_watches(&self) -> Vec<(u64, VirtAddr, u64)> {
        let armed = self.armed_watches();
        let end = |watch: &ArmedWatch| Some((watch.id, self.points.watch(watch.id)?.ends?.0, watch.satp));
        armed.iter().filter_map(end).collect()
    }

    /// Forgets what watched variables held, in the run before.
    pub(super) fn forget_held(&mut self) {
        self.points.iter_mut().for_each(|point| {
            if let What::Watch(watch) = &mut point.what {
                watch.held = None;
            }
        });
    }

    /// What a watched variable holds now, and what it held when it was looked at last.
    fn look_again(&mut self, target: &dyn Target, id: u64) -> Option<Looked> {
        let watch = self.points.watch(id)?;
        let space = self.space_of_process(&target.registers(), watch.pid).ok()?;
        let now = holds(target, &space, &watch.bytes);
        let watch = self.points.watch_mut(id)?;
        let before = watch.clone();
        // A page that has left memory comes back as it was.
        if now.is_some() {
            watch.held.clone_from(&now);
        }
        Some((before, now))
    }

    /// Whether an access that is meant stops the machine, made by the instruction at `place`.
    pub(super) fn watch_access(
        &mut self,
        target: &dyn Target,
        place: &Place,
        access: &MemoryAccess,
    ) -> Option<Hit> {
        let armed = self.armed_watches();
        let meant = armed.iter().filter(|w| w.means(place, access)).map(|w| w.id);
        let looked = meant.map(|id| (id, self.look_again(target, id))).collect::<Vec<_>>().into_iter();
        // Who stores to a field of bits stores to its neighbours.
        let is_other = |(_, looked): &(u64, Option<Looked>)| match looked {
            Some((watch, now)) => watch.has_changed(now.as_deref()),
            None => true,
        };
        let (ids, looked): (Vec<u64>, Vec<_>) = looked.filter(is_other).unzip();
        let space = self.space_of(&target.registers());
        let frame = translate(target, &space, access.va).map(|pa| pa.page().0);
        let pc = Some(place.pc.0);
        let scene = Scene { va: Some(access.va.0), pc, frame, ..self.scene_at(target, place) };
        let points = self.stopping(target, &ids, scene);
        let symbol = self.symbol_at(&space, place.pc).map(|name| format!(" <{name}>")).unwrap_or_default();
        let source = self.source_at(&space, place.pc).map(|source| format!(", {source}")).unwrap_or_default();
        let who = self.who(&scene);
        let (did, whence) =
            if access.access == Access::Store { ("has stored", "at") } else { ("has loaded", "from") };
        let va = access.va;
        Hit::of_all(&points, |point| {
            let looked = ids.iter().zip(&looked).find(|(id, _)| **id == point.id);
            let Some((watch, now)) = looked.and_then(|(_, looked)| looked.as_ref()) else {
                return String::new();
            };
            let is_all = access.va.0 == watch.bytes.start
                && u64::from(access.width_bytes) == watch.bytes.end - watch.bytes.start;
            // As the program means it, where that is another number than its bits.
            let bits = &access.value.to_le_bytes()[..usize::from(access.width_bytes).min(8)];
            let is_float = is_all && watch.type_.as_ref().is_some_and(Type::is_float);
            let new = match &watch.field {
                Some(_) => now.as_ref().and_then(|now| self.typed(target, watch, now)),
                None => is_float.then(|| self.typed(target, watch, bits)).flatten(),
            };
            let new = new.unwrap_or_else(|| Number(access.value).to_string());
            let typed = |held: &Option<Vec<u8>>| self.typed(target, watch, held.as_ref()?);
            let typed = typed(&watch.held).zip(typed(now)).filter(|_| access.access == Access::Store);
            let part = self.changed_part(target, watch, &watch.held, now);
            let what = match (&watch.held, now) {
                _ if let Some(part) = part.filter(|_| access.access == Access::Store) => part,
                _ if let Some((before, now)) = typed.filter(|(before, now)| before != now) => {
                    format!("; it was {before}, and is {now}")
                }
                _ if access.access == Access::Load => String::new(),
                (Some(before), Some(now)) if before == now => "; it was that before".to_owned(),
                (Some(before), Some(_)) => format!("; it was {}", value(before, &watch.bytes, access)),
                _ => String::new(),
            };
            let (text, pc) = (&watch.text, place.pc);
            format!("{text}: {who} {did} {new} {whence} {va} (pc {pc}{symbol}{source}){what}")
        })
    }

    /// Whether a watched variable of the process that comes back to its program at `place` is another than it was.
    pub(super) fn watch_return(&mut self, target: &dyn Target, place: &Place) -> Option<Hit> {
        let armed = self.armed_watches();
        let mut changed = Vec::new();
        for watch in armed.iter().filter(|w| w.is_of(place) && w.watched.writes()) {
            let Some((before, Some(now))) = self.look_again(target, watch.id) else { continue };
            if before.held.as_ref().is_some_and(|held| *held != now) && before.has_changed(Some(&now)) {
                changed.push((watch.id, before, now));
            }
        }
        let ids: Vec<u64> = changed.iter().map(|(id, ..)| *id).collect();
        let va = changed.first().map(|(_, watch, _)| watch.bytes.start);
        let scene = Scene { va, ..self.scene_at(target, place) };
        let points = self.stopping(target, &ids, scene);
        Hit::of_all(&points, |point| {
            let Some((_, watch, now)) = changed.iter().find(|(id, ..)| *id == point.id) else {
                return String::new();
            };
            let was = watch.held.as_deref().unwrap_or_default();
            let part = self.changed_part(target, watch, &watch.held, &Some(now.clone()));
            let typed = |held: &[u8]| self.typed(target, watch, held).filter(|_| watch.field.is_some());
            let text = |held: &[u8]| typed(held).unwrap_or_else(|| Plain(held).to_string());
            let what = part.unwrap_or_else(|| format!(" from {} to {}", text(was), text(now)));
            format!(
                "{}: while the kernel had the hart it has changed{what}: by a copy of the kernel's, or by another who shares it",
                watch.text,
            )
        })
    }
}

/// What memory holds there, if all of it is in memory.
fn holds(target: &dyn Target, space: &Space, bytes: &Range<u64>) -> Option<Vec<u8>> {
    let mut held = vec![0; usize::try_from(bytes.end - bytes.start).ok()?];
    memory::read(target, space, VirtAddr(bytes.start), &mut held).ok()?;
    Some(held)
}

/// What was at the bytes of an access, as far as they are watched.
fn value(held: &[u8], watched: &Range<u64>, access: &MemoryAccess) -> String {
    let start = access.va.0.max(watched.start) - watched.start;
    let end = access.va.0.wrapping_add(access.width_bytes.into()).min(watched.end) - watched.start;
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let bytes = range.and_then(|(start, end)| held.get(start..end)).unwrap_or_default();
    Plain(bytes).to_string()
}

/// A number, in both ways where they differ.
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            small @ 0..=9 => write!(f, "{small}"),
            large => write!(f, "{large} ({large:#x})"),
        }
    }
}

/// Bytes: as a number where they are as many as one has, else one by one, the first of them.
struct Plain<'a>(&'a [u8]);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        if matches!(self.0.len(), 1 | 2 | 4 | 8) {
            let mut number = [0; 8];
            number[..self.0.len()].copy_from_slice(self.0);
            return Number(u64::from_le_bytes(number)).fmt(f);
        }
        let shown: Vec<String> = self.0.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
        let more = if self.0.len() > SHOWN { " …" } else { "" };
        write!(f, "[{}{more}]", shown.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debug::target::Place;
    use isa::Step;
    use isa::paging::Satp;

    #[test]
    fn accesses_are_meant_by_process_bytes_and_kind() {
        let armed = |watched| ArmedWatch { id: 1, satp: 7, bytes: 0x100..0x104, watched };
        let place = |privilege, satp| Place {
            step: Step(1),
            hart: 0,
            pc: VirtAddr(0x10),
            sp: 0,
            ra: 0,
            privilege,
            satp: Satp(satp),
        };
        let user = place(Privilege::User, 7);
        let access =
            |va, width_bytes, access| MemoryAccess { va: VirtAddr(va), access, width_bytes, value: 0 };
        for (va, width, is_meant) in [
            (0x100, 4, true),
            (0x103, 1, true),
            (0x104, 1, false),
            (0xfc, 4, false),
            (0xfc, 8, true),
            (0x0, 1, false),
        ] {
            for (watched, kind, of_kind) in [
                (Watched::Writes, Access::Store, true),
                (Watched::Writes, Access::Load, false),
                (Watched::Reads, Access::Load, true),
                (Watched::Reads, Access::Store, false),
                (Watched::Both, Access::Load, true),
                (Watched::Both, Access::Store, true),
            ] {
                let said = armed(watched).means(&user, &access(va, width, kind));
                assert_eq!(said, is_meant && of_kind, "{va:#x} {width} {watched:?} {kind:?}");
            }
        }
        let store = access(0x100, 4, Access::Store);
        assert!(!armed(Watched::Both).means(&place(Privilege::User, 8), &store));
        assert!(!armed(Watched::Both).means(&place(Privilege::Supervisor, 7), &store));
    }

    #[test]
    fn values_are_numbers_or_bytes() {
        assert_eq!(Plain(&[2, 0, 0, 0]).to_string(), "2");
        assert_eq!(Plain(&[0, 1]).to_string(), "256 (0x100)");
        assert_eq!(Plain(&[1, 2, 3]).to_string(), "[01 02 03]");
        assert_eq!(Plain(&[7; 20]).to_string(), format!("[{} …]", ["07"; 16].join(" ")));
        let access = MemoryAccess { va: VirtAddr(0x102), access: Access::Store, width_bytes: 4, value: 0 };
        assert_eq!(value(&[1, 2, 3, 4], &(0x100..0x104), &access), "1027 (0x403)");
    }
}
