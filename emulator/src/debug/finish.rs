//! `finish`: to the caller.

use super::execute::Debugger;
use super::run::Until;
use super::target::{Place, Target};
use isa::{Privilege, VirtAddr, reg};

impl Debugger {
    /// Runs until the function returns, by the return address in `ra`.
    ///
    /// That is right at a function's beginning, and in one that calls none; later in another, `ra` says where the last call has returned to.
    pub(super) fn finish(&mut self, target: &mut dyn Target) -> Result<String, String> {
        let start = self.now(target);
        let (ra, sp) = (VirtAddr(start.x[usize::from(reg::RA)]), start.x[usize::from(reg::SP)]);
        if ra.0 == 0 {
            return Err("ra is 0: this function has no caller".to_owned());
        }
        let mut returned = |place: &Place| {
            let is_same = match start.privilege {
                Privilege::User => place.satp == start.satp,
                Privilege::Supervisor | Privilege::Machine => place.hart == start.hart,
            };
            place.pc == ra && place.sp >= sp && place.privilege == start.privilege && is_same
        };
        let halt = self.resume(target, Until::Condition(&mut returned))?;
        self.before = Some(start);
        Ok(self.report(target, halt))
    }
}
