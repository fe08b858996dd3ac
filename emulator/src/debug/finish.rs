//! `finish`: to the caller.

use super::execute::Debugger;
use super::run::Until;
use super::target::{Place, Target};
use isa::{Privilege, VirtAddr, reg};

impl Debugger {
    /// Runs until the function returns: to where its caller goes on, with the stack as it was there.
    pub(super) fn finish(&mut self, target: &mut dyn Target) -> Result<String, String> {
        let start = self.now(target);
        let caller = self.caller(target);
        let caller = caller.and_then(|frame| Some((VirtAddr(frame.pc), frame.x[usize::from(reg::SP)]?)));
        let Some((back, sp)) = caller else {
            return Err("who has called this function is not known".to_owned());
        };
        let mut returned = |place: &Place| {
            let is_same = match start.privilege {
                Privilege::User => place.satp == start.satp,
                Privilege::Supervisor | Privilege::Machine => place.hart == start.hart,
            };
            place.pc == back && place.sp == sp && place.privilege == start.privilege && is_same
        };
        let halt = self.resume(target, Until::Condition(&mut returned))?;
        self.before = Some(start);
        Ok(self.report(target, halt))
    }
}
