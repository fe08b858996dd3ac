//! Capabilities of the running process.

use super::{Arguments, Outcome, int, uint};
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::processes::process;
use ::proc::{CapSet, Capabilities};
use fs::Errno;
use linux_raw_sys::prctl;

/// Versions of the sets' layout: one word each; two, as two structures; the same.
const VERSION_1: u32 = 0x1998_0330;
const VERSION_2: u32 = 0x2007_1026;
const VERSION_3: u32 = 0x2008_0522;

/// How many structures a header asks for, and whose sets. EINVAL, and the version that is known, for another one.
fn read_header(header: u64) -> Result<(u64, u32), Errno> {
    let [version, pid] = UserPtr::<[u32; 2]>::from(header).read()?;
    match version {
        VERSION_1 => Ok((1, pid)),
        VERSION_2 | VERSION_3 => Ok((2, pid)),
        _ => {
            UserPtr::<u32>::from(header).write(VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

/// A word of a set: the first or the second.
fn word(set: CapSet, index: u64) -> u32 {
    uint(set.bits() >> (32 * index))
}

pub fn capget([header, data, ..]: Arguments) -> Outcome {
    let (count, pid) = match read_header(header) {
        // To ask for the version.
        Err(Errno::EINVAL) | Ok(_) if data == 0 => return Ok(0),
        read => read?,
    };
    let pid = match int(pid.into()) {
        0 => current().process.pid,
        pid => u32::try_from(pid).map_err(|_| Errno::EINVAL)?,
    };
    let sets = process::find(pid).ok_or(Errno::ESRCH)?.credentials.borrow().capabilities;
    for index in 0..count {
        for (at, set) in (3 * index..).zip([sets.effective, sets.permitted, sets.inheritable]) {
            UserPtr::<u32>::from(data).at(at).write(word(set, index))?;
        }
    }
    Ok(0)
}

pub fn capset([header, data, ..]: Arguments) -> Outcome {
    let (count, pid) = read_header(header)?;
    let this = current();
    if pid != 0 && pid != this.process.pid {
        return Err(Errno::EPERM.into());
    }
    let mut sets = [CapSet::empty(); 3];
    for index in 0..count {
        for (at, set) in (3 * index..).zip(&mut sets) {
            let word = UserPtr::<u32>::from(data).at(at).read()?;
            *set |= CapSet::from_bits_truncate(u64::from(word) << (32 * index));
        }
    }
    let [effective, permitted, inheritable] = sets;
    let may = this.process.credentials.borrow_mut().capabilities.set(effective, permitted, inheritable);
    if may { Ok(0) } else { Err(Errno::EPERM.into()) }
}

/// What `prctl` does with capabilities.
pub fn control(option: u32, [argument, second, third, fourth]: [u64; 4]) -> Outcome {
    let this = current();
    let mut who = this.process.credentials.borrow_mut();
    let may_set = who.can(CapSet::SETPCAP);
    let sets = &mut who.capabilities;
    match option {
        prctl::PR_GET_KEEPCAPS => Ok(u64::from(sets.keeps)),
        prctl::PR_SET_KEEPCAPS if argument > 1 => Err(Errno::EINVAL.into()),
        prctl::PR_SET_KEEPCAPS => {
            sets.keeps = argument == 1;
            Ok(0)
        }
        prctl::PR_CAPBSET_READ => {
            let asked = CapSet::with_number(argument).ok_or(Errno::EINVAL)?;
            Ok(u64::from(sets.bounding.contains(asked)))
        }
        prctl::PR_CAPBSET_DROP if !may_set => Err(Errno::EPERM.into()),
        prctl::PR_CAPBSET_DROP => {
            sets.bounding -= CapSet::with_number(argument).ok_or(Errno::EINVAL)?;
            Ok(0)
        }
        prctl::PR_CAP_AMBIENT if third == 0 && fourth == 0 => ambient(sets, argument, second),
        // There are none to set.
        prctl::PR_GET_SECUREBITS => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn ambient(sets: &mut Capabilities, action: u64, number: u64) -> Outcome {
    if uint(action) == prctl::PR_CAP_AMBIENT_CLEAR_ALL && number == 0 {
        sets.ambient = CapSet::empty();
        return Ok(0);
    }
    let asked = CapSet::with_number(number).ok_or(Errno::EINVAL)?;
    match uint(action) {
        prctl::PR_CAP_AMBIENT_IS_SET => return Ok(u64::from(sets.ambient.contains(asked))),
        prctl::PR_CAP_AMBIENT_LOWER => sets.ambient -= asked,
        prctl::PR_CAP_AMBIENT_RAISE if (sets.permitted & sets.inheritable).contains(asked) => {
            sets.ambient |= asked;
        }
        prctl::PR_CAP_AMBIENT_RAISE => return Err(Errno::EPERM.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}
