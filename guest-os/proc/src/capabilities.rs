//! What root may is divided into capabilities (capabilities(7)), without those of files and without secure bits.

use abi::CapSet;

/// The sets of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// What it may do now.
    pub effective: CapSet,
    /// What it may take up.
    pub permitted: CapSet,
    /// What it passes on to a program that is made for that; there are no such programs here.
    pub inheritable: CapSet,
    /// What it passes on to any program.
    pub ambient: CapSet,
    /// What a program may get at most.
    pub bounding: CapSet,
    /// They stay permitted when the last id of root goes (`PR_SET_KEEPCAPS`), until the next program.
    pub keeps: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        let (all, none) = (CapSet::ALL, CapSet::empty());
        Self { effective: all, permitted: all, inheritable: none, ambient: none, bounding: all, keeps: false }
    }
}

impl Capabilities {
    /// `capset`: whether it may.
    pub fn set(&mut self, effective: CapSet, permitted: CapSet, inheritable: CapSet) -> bool {
        let may_inherit = match self.effective.contains(CapSet::SETPCAP) {
            true => (self.inheritable | self.bounding).contains(inheritable),
            false => (self.inheritable | self.permitted).contains(inheritable),
        };
        if !may_inherit || !self.permitted.contains(permitted) || !permitted.contains(effective) {
            return false;
        }
        (self.effective, self.permitted, self.inheritable) = (effective, permitted, inheritable);
        self.ambient &= permitted & inheritable;
        true
    }

    /// The ids of the user have changed: real, effective, saved, before and now.
    pub fn follow_ids(&mut self, before: [u32; 3], now: [u32; 3]) {
        let none = CapSet::empty();
        if before.contains(&0) && !now.contains(&0) {
            if !self.keeps {
                (self.permitted, self.effective) = (none, none);
            }
            self.ambient = none;
        }
        match (before[1] == 0, now[1] == 0) {
            (true, false) => self.effective = none,
            (false, true) => self.effective = self.permitted,
            _ => {}
        }
    }

    /// As whom files are used has changed (`setfsuid`).
    pub fn follow_fs_id(&mut self, before: u32, now: u32) {
        match (before == 0, now == 0) {
            (true, false) => self.effective -= CapSet::FS,
            (false, true) => self.effective |= self.permitted & CapSet::FS,
            _ => {}
        }
    }

    /// A program is executed by a user with these ids, those that the program's file has given included.
    pub fn exec(&mut self, real: u32, effective: u32) {
        let is_root = real == 0 || effective == 0;
        self.permitted = if is_root { self.inheritable | self.bounding } else { self.ambient };
        self.effective = if effective == 0 { self.permitted } else { self.ambient };
        self.keeps = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_take_them_and_give_them_back() {
        let mut sets = Capabilities::default();
        sets.follow_ids([0, 0, 0], [0, 5, 0]);
        assert_eq!((sets.effective, sets.permitted), (CapSet::empty(), CapSet::ALL));
        sets.follow_ids([0, 5, 0], [0, 0, 0]);
        assert_eq!(sets, Capabilities::default());
        sets.follow_fs_id(0, 5);
        assert!(!sets.effective.intersects(CapSet::FS) && sets.effective.contains(CapSet::KILL));
        sets.follow_fs_id(5, 0);
        assert_eq!(sets, Capabilities::default());
        let mut kept = Capabilities { keeps: true, ..sets };
        kept.follow_ids([0, 0, 0], [5, 5, 5]);
        assert_eq!((kept.effective, kept.permitted), (CapSet::empty(), CapSet::ALL));
        sets.follow_ids([0, 0, 0], [5, 5, 5]);
        assert!(sets.permitted.is_empty());
        sets.exec(5, 0);
        assert_eq!(sets, Capabilities::default(), "a program of root's");
    }

    #[test]
    fn what_is_given_up_stays_so_until_the_next_program() {
        let mut sets = Capabilities::default();
        let (few, none) = (CapSet::KILL | CapSet::CHOWN, CapSet::empty());
        assert!(!sets.set(few, CapSet::KILL, none), "effective must be permitted");
        assert!(sets.set(CapSet::KILL, few, none));
        assert!(!sets.set(none, CapSet::MKNOD, none) && !sets.set(none, few, CapSet::MKNOD));
        sets.bounding -= CapSet::MKNOD;
        sets.exec(0, 0);
        assert_eq!(sets.effective, CapSet::ALL - CapSet::MKNOD);
        sets.exec(5, 5);
        assert!(sets.effective.is_empty() && sets.permitted.is_empty());
        assert_eq!((CapSet::with_number(5), CapSet::with_number(41)), (Some(CapSet::KILL), None));
    }
}
