//! `finish`: to the caller, and what the function has returned.

use super::execute::Debugger;
use super::print;
use super::run::{Halt, Until};
use super::target::{Place, Target};
use crate::source::{PutInto, Returned, Returns};
use isa::{VirtAddr, reg};
use std::ops::Range;

/// A function that was put into another one, in a process: it has no return, but its code ends.
struct Inlined {
    code: PutInto,
    bias: u64,
    /// The stack pointer of the function that it was put into.
    sp: u64,
}

impl Inlined {
    /// Whether the function that it was put into goes on here. Calls have less stack; at its first instruction it has been called anew.
    fn is_left(&self, place: &Place) -> bool {
        let at = place.pc.0.wrapping_sub(self.bias);
        let is_in = |ranges: &[Range<u64>]| ranges.iter().any(|range| range.contains(&at));
        let is_entry = self.code.outer.first().is_some_and(|range| range.start == at);
        place.sp == self.sp && is_in(&self.code.outer) && !is_in(&self.code.own) && !is_entry
    }
}

impl Debugger {
    /// Runs until the function returns: to where its caller goes on, with the stack as it was there. One that was put into its caller has
    /// done when the code of that goes on.
    pub(super) fn finish(&mut self, target: &mut dyn Target) -> Result<String, String> {
        self.check_page_table()?;
        let inlined = self.inlined(target);
        let caller = self.return_place(target);
        if caller.is_none() && inlined.is_none() {
            return Err("who has called this function is not known".to_owned());
        }
        let returns = self.returns(target).filter(|_| inlined.is_none());
        let start = self.now(target);
        let halt = self.follow(target, |this, target, who| {
            let mut returned = |place: &Place| {
                let is_back = caller == Some((place.pc, place.sp));
                let is_left = || inlined.as_ref().is_some_and(|inlined| inlined.is_left(place));
                (is_back || is_left()) && who.is_here(place)
            };
            this.resume(target, Until::Condition(&mut returned))
        })?;
        self.before = Some(start);
        let has_returned = matches!(halt, Halt::Reached);
        let text = self.report(target, halt);
        let value = returns.filter(|_| has_returned).map(|returns| self.returned(target, &returns));
        Ok(text + &value.unwrap_or_default())
    }

    /// Where the function that is looked at returns to, and the stack pointer then.
    pub(super) fn return_place(&self, target: &dyn Target) -> Option<(VirtAddr, u64)> {
        let caller = self.caller(target)?;
        Some((VirtAddr(caller.pc), caller.x[usize::from(reg::SP)]?))
    }

    /// What the function that is looked at returns, if that is known and is anything.
    fn returns(&self, target: &dyn Target) -> Option<Returns> {
        let (frame, _) = self.chosen_frame(target)?;
        let loaded = self.loaded_at(&self.space_of(&self.now(target)), VirtAddr(frame.at_work()))?;
        loaded.file.returns(frame.at_work().wrapping_sub(loaded.bias))
    }

    /// A line about what a function has returned that has just done so.
    fn returned(&self, target: &dyn Target, returns: &Returns) -> String {
        let now = self.now(target);
        let Returned { value, is_in_memory } = returns.value(&now.x, &now.f);
        let text = self.looking(target, |from| from.text(&value, None));
        let text = text.unwrap_or_else(|why| format!("<{why}>"));
        let place = match is_in_memory {
            true => format!("at {:#x}, as a0 says: ", now.x[usize::from(reg::A0)]),
            false => String::new(),
        };
        format!("Value returned is {place}{}", print::line("$", &text, &value.type_))
    }

    /// The function that is looked at, if it was put into another one.
    fn inlined(&self, target: &dyn Target) -> Option<Inlined> {
        let (frame, level) = self.chosen_frame(target)?;
        let space = self.space_of(&self.now(target));
        let loaded = self.loaded_at(&space, VirtAddr(frame.at_work()))?;
        let code = loaded.file.lines()?.put_into(frame.at_work().wrapping_sub(loaded.bias), level)?;
        Some(Inlined { code, bias: loaded.bias, sp: frame.x[usize::from(reg::SP)]? })
    }
}
