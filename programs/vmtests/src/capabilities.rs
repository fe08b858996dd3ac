//! Capabilities: the sets of a process, and how they follow its ids.

use rt::abi::general as g;
use rt::abi::prctl as p;
use rt::os::{self, Status};
use rt::{Errno, Result};

use crate::check::Outcome;
use crate::raw::sys;
use crate::{check_eq, check_error, tests};

tests! {
    @Kernel sets_of_capabilities, @Kernel capabilities_follow_ids, @Kernel capabilities_bound_and_kept, @Kernel capabilities_at_work,
}

const VERSION_3: u32 = 0x2008_0522;
const SETPCAP: u32 = 1 << 8;
const CHOWN: u32 = 1 << 0;
const KILL: u32 = 1 << 5;
const OVERRIDE: u32 = 1 << 1;
const SEARCH: u32 = 1 << 2;

/// The low words of a process's sets: effective, permitted, inheritable.
fn get(pid: u32) -> Result<[u32; 3]> {
    let (header, mut data) = ([VERSION_3, pid], [0u32; 6]);
    sys(g::__NR_capget, [header.as_ptr() as usize, data.as_mut_ptr() as usize])?;
    let [a, b, c, ..] = core::hint::black_box(data);
    Ok([a, b, c])
}

fn set([effective, permitted, inheritable]: [u32; 3]) -> Result<usize> {
    let (header, data) = ([VERSION_3, 0], [effective, permitted, inheritable, 0, 0, 0]);
    sys(g::__NR_capset, [header.as_ptr() as usize, data.as_ptr() as usize])
}

fn prctl(option: u32, argument: usize, second: usize) -> Result<usize> {
    sys(g::__NR_prctl, [option as usize, argument, second, 0, 0])
}

/// Runs `body` in a child.
fn apart(body: impl FnOnce() -> Outcome) -> Outcome {
    let pid = os::fork()?;
    if pid == 0 {
        let failed = body().is_err();
        os::exit(i32::from(failed));
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn sets_of_capabilities() -> Outcome {
    let all = get(0)?;
    check_eq!((all[0], all[1], all[2]), (u32::MAX, u32::MAX, 0));
    check_eq!(get(os::getpid().cast_unsigned())?, all);
    check_error!(get(30_000), ESRCH);
    check_error!(get(u32::MAX), EINVAL);
    let mut wrong = [7u32, 0];
    let mut data = [0u32; 6];
    let asked = sys(g::__NR_capget, [wrong.as_mut_ptr() as usize, data.as_mut_ptr() as usize]);
    check_eq!(asked, Err(Errno(rt::abi::errno::EINVAL)));
    check_eq!(core::hint::black_box(wrong)[0], VERSION_3);
    apart(|| {
        set([KILL, KILL | CHOWN, 0])?;
        check_eq!(get(0)?, [KILL, KILL | CHOWN, 0]);
        // What was given up is gone, and only what is permitted can be used.
        check_error!(set([KILL, KILL | OVERRIDE, 0]), EPERM);
        check_error!(set([CHOWN | OVERRIDE, KILL | CHOWN, 0]), EPERM);
        check_error!(set([KILL, CHOWN, 0]), EPERM);
        check_error!(set([0, 0, OVERRIDE]), EPERM);
        set([CHOWN, CHOWN, CHOWN])?;
        check_eq!(get(0)?, [CHOWN, CHOWN, CHOWN]);
        let (other, data) = ([VERSION_3, 1], [0u32; 6]);
        check_error!(sys(g::__NR_capset, [other.as_ptr() as usize, data.as_ptr() as usize]), EPERM);
        Ok(())
    })
}

fn capabilities_follow_ids() -> Outcome {
    let none = usize::MAX;
    apart(|| {
        sys(g::__NR_setresuid, [none, 5, none])?;
        check_eq!(get(0)?, [0, u32::MAX, 0]);
        sys(g::__NR_setresuid, [none, 0, none])?;
        check_eq!(get(0)?, [u32::MAX, u32::MAX, 0]);
        sys(g::__NR_setfsuid, [5])?;
        check_eq!(get(0)?[0] & (CHOWN | OVERRIDE | KILL), KILL);
        sys(g::__NR_setfsuid, [0])?;
        check_eq!(get(0)?[0], u32::MAX);
        sys(g::__NR_setuid, [5])?;
        check_eq!(get(0)?, [0, 0, 0]);
        Ok(())
    })?;
    apart(|| {
        check_eq!(prctl(p::PR_GET_KEEPCAPS, 0, 0)?, 0);
        check_error!(prctl(p::PR_SET_KEEPCAPS, 2, 0), EINVAL);
        prctl(p::PR_SET_KEEPCAPS, 1, 0)?;
        check_eq!(prctl(p::PR_GET_KEEPCAPS, 0, 0)?, 1);
        sys(g::__NR_setuid, [5])?;
        check_eq!(get(0)?, [0, u32::MAX, 0]);
        // Taken up again, they work.
        set([1 << 7, 1 << 7, 0])?;
        sys(g::__NR_setuid, [9])?;
        check_eq!(sys(g::__NR_getuid, [])?, 9);
        Ok(())
    })
}

fn capabilities_bound_and_kept() -> Outcome {
    check_eq!(prctl(p::PR_GET_SECUREBITS, 0, 0)?, 0);
    apart(|| {
        check_error!(prctl(p::PR_CAPBSET_DROP, 41, 0), EINVAL);
        prctl(p::PR_CAPBSET_DROP, 5, 0)?;
        check_eq!((prctl(p::PR_CAPBSET_READ, 5, 0)?, prctl(p::PR_CAPBSET_READ, 6, 0)?), (0, 1));
        // Only what is permitted and inherited can be ambient.
        check_error!(prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_RAISE as usize, 0), EPERM);
        set([CHOWN | SETPCAP, CHOWN | SETPCAP, CHOWN])?;
        prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_RAISE as usize, 0)?;
        check_eq!(prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_IS_SET as usize, 0)?, 1);
        prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_LOWER as usize, 0)?;
        check_eq!(prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_IS_SET as usize, 0)?, 0);
        prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_RAISE as usize, 0)?;
        prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0)?;
        check_eq!(prctl(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_IS_SET as usize, 0)?, 0);
        check_error!(prctl(p::PR_CAP_AMBIENT, 9, 0), EINVAL);
        set([0, CHOWN, 0])?;
        check_error!(prctl(p::PR_CAPBSET_DROP, 6, 0), EPERM);
        Ok(())
    })
}

/// Root without them is asked what others are asked.
fn capabilities_at_work() -> Outcome {
    const PATH: &core::ffi::CStr = c"/tmp/vmtests.capabilities";
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    os::open(PATH, g::O_WRONLY | g::O_CREAT, 0o600)?;
    let chown = |user: usize| sys(g::__NR_fchownat, [at, PATH.as_ptr() as usize, user, 0, 0]);
    chown(77)?;
    apart(|| {
        set([SEARCH, SEARCH, 0])?;
        os::open(PATH, g::O_RDONLY, 0)?;
        check_error!(os::open(PATH, g::O_WRONLY, 0), EACCES);
        check_error!(chown(0), EPERM);
        check_error!(sys(g::__NR_setuid, [5]), EPERM);
        check_error!(sys(g::__NR_setgid, [5]), EPERM);
        check_error!(sys(g::__NR_setgroups, [0, 0]), EPERM);
        set([0, 0, 0])?;
        check_error!(os::open(PATH, g::O_RDONLY, 0), EACCES);
        Ok(())
    })?;
    crate::exec::unlink(PATH)?;
    Ok(())
}
