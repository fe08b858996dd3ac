//! `step` and `next` by lines of the source: the state of one such step, fed with each instruction that is about to run.

use super::target::Place;
use crate::source::Loaded;
use isa::VirtAddr;
use std::ops::Range;

/// Bytes of stack that no function takes with one instruction, but the frame of a signal's handler does: more than `siginfo`.
const HANDLER_BYTES: u64 = 128;

/// A step from one line of the source to another.
pub(super) struct LineStep {
    loaded: Loaded,
    /// Whether calls run to their return.
    is_over: bool,
    /// The file's number and the line where it began.
    began: Option<(String, u32)>,
    /// Addresses that need no look: of the line where the step is now.
    range: Range<u64>,
    /// Addresses of the function at which it does not end: those before the line's end, if it is not to go back.
    passed: Range<u64>,
    /// What is waited for before lines count again.
    awaited: Option<Awaited>,
    last: Last,
}

/// The instruction before.
#[derive(Clone, Copy)]
pub(super) struct Last {
    pc: u64,
    sp: u64,
}

impl Last {
    pub(super) fn at(place: &Place) -> Self {
        Self { pc: place.pc.0, sp: place.sp }
    }
    /// Whether an address is that of the instruction behind it.
    fn is_before(self, address: u64) -> bool {
        matches!(address.wrapping_sub(self.pc), 2 | 4)
    }
    /// Whether this is the beginning of a signal's handler: then where its end will have the stack.
    pub(super) fn sp_behind_handler(self, place: &Place) -> Option<u64> {
        let is_handler = self.sp.saturating_sub(place.sp) > HANDLER_BYTES && !self.is_before(place.pc.0);
        is_handler.then_some(self.sp)
    }
}

/// What ends a part of a step in which lines do not count.
#[derive(Clone, Copy)]
enum Awaited {
    /// The return of a call: to this address, with the stack as it was.
    Return { pc: u64, sp: u64 },
    /// The end of a signal's handler.
    EndOfHandler { sp: u64 },
    /// The first statement of a function that was entered.
    Body { pc: u64 },
}

impl LineStep {
    /// The same, that does not go back in the function, as a loop does.
    pub(super) fn onwards(self) -> Self {
        let bias = self.loaded.bias;
        let function = self.loaded.file.symbols().range_at(self.range.start.wrapping_sub(bias));
        let start = function.map_or(self.range.start, |function| function.start.wrapping_add(bias));
        Self { passed: start..self.range.end, ..self }
    }

    /// A step from a place; `None` if its line is not known.
    pub(super) fn from(place: &Place, loaded: Loaded, is_over: bool) -> Option<Self> {
        let at = place.pc.0.wrapping_sub(loaded.bias);
        let lines = loaded.file.lines()?;
        let began = lines.at(at).map(|source| (source.file.to_string(), source.line))?;
        let range = lines.line_range(at)?;
        let range = range.start.wrapping_add(loaded.bias)..range.end.wrapping_add(loaded.bias);
        let last = Last::at(place);
        Some(Self { is_over, began: Some(began), range, passed: 0..0, awaited: None, last, loaded })
    }

    /// Whether the step ends before the instruction at this place, the next one of who is stepped.
    pub(super) fn reached(&mut self, place: &Place) -> bool {
        let (pc, sp) = (place.pc.0, place.sp);
        let last = std::mem::replace(&mut self.last, Last::at(place));
        match self.awaited {
            Some(Awaited::Return { pc: back, sp: then }) if (pc, sp) != (back, then) => return false,
            Some(Awaited::EndOfHandler { sp: then }) if sp != then => return false,
            Some(Awaited::Body { pc: body }) => {
                // A function that returns before its body: then it is a return like any other.
                if pc != body && self.range.contains(&pc) {
                    return false;
                }
                self.awaited = None;
                if pc == body {
                    return true;
                }
            }
            _ => self.awaited = None,
        }
        if self.range.contains(&pc) || self.passed.contains(&pc) {
            return false;
        }
        if let Some(awaited) = self.entered(last, place) {
            self.awaited = Some(awaited);
            return matches!(awaited, Awaited::Body { pc: body } if body == pc);
        }
        self.is_new_line(place.pc)
    }

    /// What is waited for if a function has just been entered.
    fn entered(&mut self, last: Last, place: &Place) -> Option<Awaited> {
        let (pc, sp) = (place.pc.0, place.sp);
        if let Some(sp) = last.sp_behind_handler(place) {
            return Some(Awaited::EndOfHandler { sp });
        }
        let is_call = last.is_before(place.ra) && !last.is_before(pc);
        if !is_call {
            return None;
        }
        let back = Awaited::Return { pc: place.ra, sp };
        if self.is_over {
            return Some(back);
        }
        let at = pc.wrapping_sub(self.loaded.bias);
        let file = &self.loaded.file;
        let function = file.symbols().range_at(at).filter(|function| function.start == at);
        match file.body_of(at).zip(function) {
            Some((body, function)) => {
                let bias = self.loaded.bias;
                self.range = function.start.wrapping_add(bias)..function.end.wrapping_add(bias);
                Some(Awaited::Body { pc: body.wrapping_add(bias) })
            }
            None => Some(back),
        }
    }

    /// Whether a statement of another line begins here; where none does, the rest of that line needs no look.
    fn is_new_line(&mut self, pc: VirtAddr) -> bool {
        let bias = self.loaded.bias;
        let at = pc.0.wrapping_sub(bias);
        let statement = self.loaded.file.lines().and_then(|lines| lines.statement(at));
        let Some(statement) = statement else { return false };
        let line = statement.source.map(|source| (source.file.to_string(), source.line));
        let begins = statement.is_statement && statement.range.start == at && line.is_some();
        if begins && line != self.began {
            return true;
        }
        self.range = statement.range.start.wrapping_add(bias)..statement.range.end.wrapping_add(bias);
        false
    }
}
