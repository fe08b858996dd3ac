//! Who a process is: its user and group ids.

use super::{Arguments, Outcome, int, length, uint};
use crate::hart::current;
use crate::memory::user::UserPtr;
use ::proc::{CapSet, Credentials, Ids};
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::Errno;

/// Most further groups of a process (Linux's NGROUPS_MAX).
const MAX_GROUPS: u64 = 65_536;

fn tell(what: impl FnOnce(&Credentials) -> u32) -> Outcome {
    Ok(u64::from(what(&current().process.credentials.borrow())))
}

pub fn getuid(_: Arguments) -> Outcome {
    tell(|who| who.user.real)
}

pub fn geteuid(_: Arguments) -> Outcome {
    tell(|who| who.user.effective)
}

pub fn getgid(_: Arguments) -> Outcome {
    tell(|who| who.group.real)
}

pub fn getegid(_: Arguments) -> Outcome {
    tell(|who| who.group.effective)
}

/// Whose ids are changed.
#[derive(Clone, Copy)]
enum Whose {
    User,
    Group,
}

/// Changes ids; `change` gets whether the process is privileged, and says whether it may.
fn change(whose: Whose, change: impl FnOnce(&mut Ids, bool) -> bool) -> Outcome {
    if with_ids(whose, change) { Ok(0) } else { Err(Errno::EPERM.into()) }
}

/// As [`change`], whatever comes of it. Who acts as somebody else from then on may have seen what that one must not show: as in Linux,
/// others may not look into it, and the end of its parent is told no more.
fn with_ids<R>(whose: Whose, change: impl FnOnce(&mut Ids, bool) -> R) -> R {
    let process = &current().process;
    let mut credentials = process.credentials.borrow_mut();
    let before = credentials.acts_as();
    let result = match whose {
        Whose::User => credentials.change_user(change),
        Whose::Group => credentials.change_group(change),
    };
    if credentials.acts_as() != before {
        process.space().is_dumpable.set(false);
        process.death_signal.set(None);
    }
    result
}

/// An id; -1 is none.
fn id(argument: u64) -> Option<u32> {
    Some(uint(argument)).filter(|&id| id != u32::MAX)
}

pub fn setuid([user, ..]: Arguments) -> Outcome {
    let user = id(user).ok_or(Errno::EINVAL)?;
    change(Whose::User, |ids, is_privileged| ids.set(user, is_privileged))
}

pub fn setgid([group, ..]: Arguments) -> Outcome {
    let group = id(group).ok_or(Errno::EINVAL)?;
    change(Whose::Group, |ids, is_privileged| ids.set(group, is_privileged))
}

pub fn setreuid([real, effective, ..]: Arguments) -> Outcome {
    change(Whose::User, |ids, is_privileged| ids.set_real(id(real), id(effective), is_privileged))
}

pub fn setregid([real, effective, ..]: Arguments) -> Outcome {
    change(Whose::Group, |ids, is_privileged| ids.set_real(id(real), id(effective), is_privileged))
}

pub fn setresuid([real, effective, saved, ..]: Arguments) -> Outcome {
    change(Whose::User, |ids, is_privileged| ids.set_all([real, effective, saved].map(id), is_privileged))
}

pub fn setresgid([real, effective, saved, ..]: Arguments) -> Outcome {
    change(Whose::Group, |ids, is_privileged| ids.set_all([real, effective, saved].map(id), is_privileged))
}

/// Never fails: it tells the id before.
fn change_fs(whose: Whose, wanted: u64) -> Outcome {
    let before =
        with_ids(whose, |ids, is_privileged| id(wanted).map_or(ids.fs, |id| ids.set_fs(id, is_privileged)));
    Ok(u64::from(before))
}

pub fn setfsuid([user, ..]: Arguments) -> Outcome {
    change_fs(Whose::User, user)
}

pub fn setfsgid([group, ..]: Arguments) -> Outcome {
    change_fs(Whose::Group, group)
}

fn tell_all(ids: Ids, [real, effective, saved, ..]: Arguments) -> Outcome {
    for (pointer, id) in [(real, ids.real), (effective, ids.effective), (saved, ids.saved)] {
        UserPtr::<u32>::from(pointer).write(id)?;
    }
    Ok(0)
}

pub fn getresuid(arguments: Arguments) -> Outcome {
    let ids = current().process.credentials.borrow().user;
    tell_all(ids, arguments)
}

pub fn getresgid(arguments: Arguments) -> Outcome {
    let ids = current().process.credentials.borrow().group;
    tell_all(ids, arguments)
}

pub fn getgroups([count, list, ..]: Arguments) -> Outcome {
    let groups = current().process.credentials.borrow().groups.clone();
    let room = usize::try_from(int(count)).map_err(|_| Errno::EINVAL)?;
    if room == 0 {
        return Ok(groups.len() as u64);
    }
    if room < groups.len() {
        return Err(Errno::EINVAL.into());
    }
    for (index, &group) in (0..).zip(groups.iter()) {
        UserPtr::<u32>::from(list).at(index).write(group)?;
    }
    Ok(groups.len() as u64)
}

pub fn setgroups([count, list, ..]: Arguments) -> Outcome {
    let process = &current().process;
    if !process.credentials.borrow().can(CapSet::SETGID) {
        return Err(Errno::EPERM.into());
    }
    if count > MAX_GROUPS {
        return Err(Errno::EINVAL.into());
    }
    let mut groups = Vec::new();
    groups.try_reserve_exact(length(count)).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        groups.push(UserPtr::<u32>::from(list).at(index).read()?);
    }
    process.credentials.borrow_mut().groups = Rc::new(groups);
    Ok(0)
}
