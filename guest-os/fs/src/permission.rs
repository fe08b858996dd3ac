//! Who may do what with a file (path_resolution(7), "Permissions").

use crate::{Errno, FileType, Stat};
use abi::CapSet;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Search a directory, execute a file.
pub(crate) const EXECUTE: u32 = 1;
/// Read it.
pub(crate) const READ: u32 = 4;
/// Change it.
pub(crate) const WRITE: u32 = 2;
/// A program acts as its owner.
pub(crate) const SET_USER: u32 = 0o4000;
/// A program acts as its group; what is made in a directory has its group.
pub(crate) const SET_GROUP: u32 = 0o2000;
/// The group may execute it.
pub(crate) const GROUP_EXECUTE: u32 = 0o010;
/// All bits of a mode but the type's.
pub(crate) const PERMISSIONS: u32 = 0o7777;
const ANY_EXECUTE: u32 = 0o111;
const STICKY: u32 = 0o1000;

/// As whom files are used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// Further groups.
    pub groups: Rc<Vec<u32>>,
    /// What is allowed whatever modes say.
    pub capabilities: CapSet,
}

impl Identity {
    /// Whether it has one of these capabilities.
    pub(crate) fn can(&self, capability: CapSet) -> bool {
        self.capabilities.intersects(capability)
    }

    /// Whether it is of the group.
    pub(crate) fn is_in(&self, group: u32) -> bool {
        self.group == group || self.groups.contains(&group)
    }

    /// Whether the file is one's own.
    pub(crate) fn owns(&self, file: &Stat) -> bool {
        self.user == file.uid || self.can(CapSet::FOWNER)
    }

    /// The permission bits of a file, without those by which it acts as its owner or its group. A group's bit on a file that the group
    /// may not execute says nothing of the kind, and stays if who asks could set it.
    pub(crate) fn without_set_ids(&self, file: &Stat) -> u32 {
        let keeps_group =
            file.mode & GROUP_EXECUTE == 0 && (self.can(CapSet::FSETID) || self.is_in(file.gid));
        file.mode & PERMISSIONS & !SET_USER & if keeps_group { !0 } else { !SET_GROUP }
    }

    /// EACCES unless the file's mode allows `wanted`: reading (4), writing (2), executing (1).
    pub(crate) fn check(&self, file: &Stat, wanted: u32) -> Result<(), Errno> {
        let is_dir = FileType::from_mode(file.mode) == Some(FileType::Directory);
        // Nobody executes what nobody may execute.
        let allowed = if self.can(CapSet::DAC_OVERRIDE) {
            if is_dir || file.mode & ANY_EXECUTE != 0 { 7 } else { 6 }
        } else if self.user == file.uid {
            file.mode >> 6
        } else if self.is_in(file.gid) {
            file.mode >> 3
        } else {
            file.mode
        };
        let looks = if is_dir { READ | EXECUTE } else { READ };
        let allowed = if self.can(CapSet::DAC_READ_SEARCH) { allowed | looks } else { allowed };
        if wanted & 7 & !allowed == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether a name for `file` may be taken out of `dir`: in a sticky directory (`/tmp`) only by the owner of one of the two.
    pub(crate) fn check_removal(&self, dir: &Stat, file: &Stat) -> Result<(), Errno> {
        self.check(dir, WRITE | EXECUTE)?;
        let is_kept = dir.mode & STICKY != 0 && !self.owns(file) && !self.owns(dir);
        if is_kept { Err(Errno::EPERM) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> Stat {
        Stat { mode: FileType::Regular.mode_bits() | mode, uid: 10, gid: 20, ..Stat::default() }
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let who = |user, group, groups: &[u32]| Identity {
            user,
            group,
            groups: Rc::new(groups.to_vec()),
            capabilities: if user == 0 { CapSet::DAC_OVERRIDE } else { CapSet::empty() },
        };
        let rows = [
            (who(10, 0, &[]), 0o077, 0),
            (who(10, 20, &[]), 0o500, 5),
            (who(11, 20, &[]), 0o757, 5),
            (who(11, 1, &[2, 20]), 0o060, 6),
            (who(11, 1, &[2]), 0o664, 4),
            (who(0, 0, &[]), 0o000, 6),
            (who(0, 0, &[]), 0o001, 7),
        ];
        for (who, mode, allowed) in rows {
            for wanted in 0..8 {
                let expected = if wanted & !allowed == 0 { Ok(()) } else { Err(Errno::EACCES) };
                assert_eq!(who.check(&file(mode), wanted), expected, "{who:?} {mode:o} {wanted}");
            }
        }
    }

    #[test]
    fn a_sticky_directory_keeps_what_is_others() {
        let dir = |mode| Stat { mode: FileType::Directory.mode_bits() | mode, uid: 1, ..Stat::default() };
        let user = |user| Identity { user, group: 5, ..Identity::default() };
        assert_eq!(user(11).check_removal(&dir(0o1777), &file(0)), Err(Errno::EPERM));
        assert_eq!(user(11).check_removal(&dir(0o777), &file(0)), Ok(()));
        assert_eq!(user(10).check_removal(&dir(0o1777), &file(0)), Ok(()));
        assert_eq!(user(1).check_removal(&dir(0o1777), &file(0)), Ok(()));
        assert_eq!(user(10).check_removal(&dir(0o1775), &file(0)), Err(Errno::EACCES));
    }
}
