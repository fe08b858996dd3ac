//! Who a process is: user and group ids (credentials(7)), and which of them it may change to (setuid(2), setreuid(2), setresuid(2)).
//!
//! What a process may do as root is in its [`Capabilities`].

use crate::{CapSet, Capabilities};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// One kind of ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ids {
    /// Who has started the process.
    pub real: u32,
    /// As whom it acts.
    pub effective: u32,
    /// As whom it may act again.
    pub saved: u32,
    /// As whom it uses files.
    pub fs: u32,
}

impl Ids {
    fn has(&self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    /// Whether all of them are this one; as whom files are used does not count.
    fn is_all(&self, id: u32) -> bool {
        [self.real, self.effective, self.saved] == [id; 3]
    }

    /// `setuid`: all of them, if it is privileged. Whether it may; if not, nothing has changed, here and below.
    pub fn set(&mut self, id: u32, is_privileged: bool) -> bool {
        if is_privileged {
            *self = Ids { real: id, effective: id, saved: id, fs: id };
        } else if id == self.real || id == self.saved {
            (self.effective, self.fs) = (id, id);
        } else {
            return false;
        }
        true
    }

    /// `setreuid`; `None` leaves an id as it is.
    pub fn set_real(&mut self, real: Option<u32>, effective: Option<u32>, is_privileged: bool) -> bool {
        let may_be_real = real.is_none_or(|id| id == self.real || id == self.effective);
        if !(is_privileged || may_be_real && effective.is_none_or(|id| self.has(id))) {
            return false;
        }
        let new = effective.unwrap_or(self.effective);
        if real.is_some() || effective.is_some_and(|id| id != self.real) {
            self.saved = new;
        }
        self.real = real.unwrap_or(self.real);
        (self.effective, self.fs) = (new, new);
        true
    }

    /// `setresuid`.
    pub fn set_all(&mut self, wanted: [Option<u32>; 3], is_privileged: bool) -> bool {
        if !is_privileged && !wanted.into_iter().flatten().all(|id| self.has(id)) {
            return false;
        }
        let [real, effective, saved] = wanted;
        self.real = real.unwrap_or(self.real);
        self.effective = effective.unwrap_or(self.effective);
        self.saved = saved.unwrap_or(self.saved);
        self.fs = self.effective;
        true
    }

    /// `setfsuid`, which tells the id before and no error.
    pub fn set_fs(&mut self, id: u32, is_privileged: bool) -> u32 {
        let before = self.fs;
        if is_privileged || self.has(id) || id == before {
            self.fs = id;
        }
        before
    }

    /// A new program begins; if its file says so, with its owner's id.
    pub fn exec(&mut self, owner: Option<u32>) {
        self.effective = owner.unwrap_or(self.effective);
        (self.saved, self.fs) = (self.effective, self.effective);
    }
}

/// Who a process is. It begins as root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Credentials {
    /// The user's ids.
    pub user: Ids,
    /// The group's.
    pub group: Ids,
    /// Further groups.
    pub groups: Rc<Vec<u32>>,
    /// It, and what it starts, acts as nobody else by executing a program (`PR_SET_NO_NEW_PRIVS`).
    pub gains_nothing: bool,
    /// What it may do that others may not.
    pub capabilities: Capabilities,
}

impl Credentials {
    /// Whether it may do what one of these capabilities allows.
    pub fn can(&self, capability: CapSet) -> bool {
        self.capabilities.effective.intersects(capability)
    }
    /// What it may do by its real ids, as `access` asks.
    pub fn capabilities_by_real_ids(&self) -> CapSet {
        if self.user.real == 0 { self.capabilities.permitted } else { CapSet::empty() }
    }
    /// Changes ids of the user; the capabilities follow.
    pub fn change_user<R>(&mut self, change: impl FnOnce(&mut Ids, bool) -> R) -> R {
        let (before, is_privileged) = (self.user, self.can(CapSet::SETUID));
        let result = change(&mut self.user, is_privileged);
        let ids = |ids: &Ids| [ids.real, ids.effective, ids.saved];
        if ids(&before) != ids(&self.user) {
            self.capabilities.follow_ids(ids(&before), ids(&self.user));
        } else {
            self.capabilities.follow_fs_id(before.fs, self.user.fs);
        }
        result
    }
    /// Changes ids of the group.
    pub fn change_group<R>(&mut self, change: impl FnOnce(&mut Ids, bool) -> R) -> R {
        let is_privileged = self.can(CapSet::SETGID);
        change(&mut self.group, is_privileged)
    }
    /// A new program begins; if its file says so, as its owner and its group.
    pub fn exec(&mut self, user: Option<u32>, group: Option<u32>) {
        self.user.exec(user);
        self.group.exec(group);
        self.capabilities.exec(self.user.real, self.user.effective);
    }
    /// As whom it acts: user and group, and both for files.
    pub fn acts_as(&self) -> [u32; 4] {
        [self.user.effective, self.group.effective, self.user.fs, self.group.fs]
    }
    /// Whether it may change how the threads of `other` are scheduled (setpriority(2), sched_setaffinity(2)).
    pub fn may_schedule(&self, other: &Self) -> bool {
        let acts_as = self.user.effective;
        self.can(CapSet::SYS_NICE) || acts_as == other.user.real || acts_as == other.user.effective
    }
    /// Whether it may say how the threads of `other` come to the disk (ioprio_set(2)).
    pub fn may_prioritise(&self, other: &Self) -> bool {
        let real = other.user.real;
        self.can(CapSet::SYS_NICE) || real == self.user.effective || real == self.user.real
    }
    /// Whether it may have as many processes as it likes (RLIMIT_NPROC).
    pub fn may_have_any_processes(&self) -> bool {
        self.user.real == 0 || self.can(CapSet::SYS_RESOURCE | CapSet::SYS_ADMIN)
    }
    /// Whether it may send a signal to a process with these ids of a user (kill(2)).
    pub fn may_signal(&self, other: &Ids) -> bool {
        let by_either = |id| id == other.real || id == other.saved;
        self.can(CapSet::KILL) || by_either(self.user.real) || by_either(self.user.effective)
    }
    /// Whether it may change the limits of `other` (prlimit(2)).
    pub fn may_limit(&self, other: &Self) -> bool {
        self.can(CapSet::SYS_RESOURCE) || other.is_all(self.user.real, self.group.real)
    }
    /// Whether it may look into `other` (ptrace(2), "Ptrace access mode checking"), as whom it uses files or by whom it was started.
    pub fn may_inspect(&self, other: &Self, by_real_ids: bool) -> bool {
        let id = |ids: &Ids| if by_real_ids { ids.real } else { ids.fs };
        self.can(CapSet::SYS_PTRACE) || other.is_all(id(&self.user), id(&self.group))
    }
    /// Whether it is this user and this group in each respect.
    fn is_all(&self, user: u32, group: u32) -> bool {
        self.user.is_all(user) && self.group.is_all(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(real: u32, effective: u32, saved: u32) -> Ids {
        Ids { real, effective, saved, fs: effective }
    }

    #[test]
    fn who_has_given_up_an_id_does_not_get_it_back() {
        let mut user = Ids::default();
        assert!(user.set(5, true) && user == ids(5, 5, 5));
        assert!(!user.set(0, false) && !user.set_real(Some(0), None, false));
        assert!(!user.set_all([None, Some(0), None], false) && user == ids(5, 5, 5));
        // But who has only put it aside does.
        let mut user = Ids::default();
        assert!(user.set_all([None, Some(5), None], true) && user == ids(0, 5, 0));
        assert!(user.set(0, false) && user == ids(0, 0, 0));
        assert!(user.set_real(None, Some(7), true) && user == ids(0, 7, 7));
        assert!(user.set_real(Some(7), Some(0), false) && user == ids(7, 0, 0));
    }

    #[test]
    fn files_can_be_used_as_somebody_else() {
        let mut user = ids(1, 2, 3);
        assert_eq!((user.set_fs(9, false), user.fs), (2, 2));
        assert_eq!((user.set_fs(3, false), user.fs), (2, 3));
        assert_eq!((user.set_fs(9, true), user.fs), (3, 9));
        user.exec(Some(4));
        assert_eq!(user, ids(1, 4, 4));
    }
}
