//! `advance` and `until PLACE`: to a place, or out of the function.

use super::breakpoints::Armed;
use super::execute::Debugger;
use super::expression::Expression;
use super::run::Until;
use super::target::{Place, Target};
use isa::Privilege;

impl Debugger {
    /// Runs to a place, or to where the function that is looked at returns, whichever comes first.
    pub(super) fn advance(&mut self, target: &mut dyn Target, at: &Expression) -> Result<String, String> {
        let breakpoint = self.breakpoint(target, at, None)?;
        let mut armed = Armed::default();
        armed.arm([(0, &breakpoint)].into_iter(), &self.tap.borrow().trace().guest, &self.symbols);
        if armed.is_empty() {
            let why = match self.programs_are_stripped() {
                true => {
                    ": the program has lost its names; it waits where it is (`advance 0xADDR` runs to an address, `stepi` steps)"
                }
                false => "",
            };
            return Err(format!("there is no code for {} now{why}", breakpoint.text));
        }
        let caller = self.return_place(target);
        let start = self.now(target);
        let halt = self.follow(target, |this, target, who| {
            let mut reached = |place: &Place| {
                let is_at = || armed.at(place).next().is_some();
                // A place of the kernel is whoever's comes there.
                let is_meant = place.privilege != Privilege::User && who.start.privilege == Privilege::User;
                (is_meant || who.is_here(place)) && (is_at() || caller == Some((place.pc, place.sp)))
            };
            this.resume(target, Until::Condition(&mut reached))
        })?;
        self.before = Some(start);
        Ok(self.report(target, halt))
    }
}
