//! What administrators may do and others not: mounting, the clock; and how large an address space becomes.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map};
use crate::raw::sys;
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel mounts_are_fixed, @Kernel descriptors_become_its_own, @Kernel unsharing_is_limited, @Kernel the_clock_is_set, @Kernel address_space_is_limited,
}

const UMOUNT_NOFOLLOW: usize = 8;
const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();

fn mount(path: &CStr) -> Result<usize> {
    let kind = c"ext4".as_ptr() as usize;
    sys(g::__NR_mount, [kind, path.as_ptr() as usize, kind, 0, 0])
}

fn unmount(path: &CStr, flags: usize) -> Result<usize> {
    sys(g::__NR_umount2, [path.as_ptr() as usize, flags])
}

fn mounts_are_fixed() -> Outcome {
    check_error!(mount(c"/tmp"), ENODEV);
    check_error!(mount(c"/no/such"), ENOENT);
    check_eq!(as_user(|| mount(c"/tmp"))?, errno::EPERM);
    check_error!(unmount(c"/tmp", 0), EBUSY);
    check_error!(unmount(c"/proc/self", 0), EINVAL);
    check_error!(unmount(c"/tmp", 1 << 20), EINVAL);
    check_eq!(as_user(|| unmount(c"/tmp", 0))?, errno::EPERM);
    let link = c"/tmp/vmtests.mount";
    sys(g::__NR_symlinkat, [c"/tmp".as_ptr() as usize, CWD, link.as_ptr() as usize])?;
    check_error!(unmount(link, 0), EBUSY);
    check_error!(unmount(link, UMOUNT_NOFOLLOW), EINVAL);
    crate::exec::unlink(link)?;
    Ok(())
}

fn unshare(flags: u32) -> Result<usize> {
    sys(g::__NR_unshare, [flags as usize])
}

fn descriptors_become_its_own() -> Outcome {
    unshare(0)?;
    let fd = os::open(c"/dev/null", g::O_RDONLY, 0)?;
    let pid = sys(g::__NR_clone, [(g::CLONE_FILES | g::SIGCHLD) as usize, 0, 0, 0, 0])? as i32;
    if pid == 0 {
        let unshared = unshare(g::CLONE_FILES);
        let _ = os::close(fd);
        os::exit(i32::from(unshared.is_err()));
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    os::close(fd)?;
    Ok(())
}

fn unsharing_is_limited() -> Outcome {
    check_error!(unshare(1), EINVAL);
    check_error!(unshare(g::CLONE_SETTLS), EINVAL);
    check_error!(unshare(g::CLONE_NEWUTS), EINVAL);
    check_eq!(as_user(|| unshare(g::CLONE_NEWNS))?, errno::EPERM);
    unshare(g::CLONE_FS | g::CLONE_SYSVSEM | g::CLONE_THREAD)?;
    Ok(())
}

fn clock(number: u32) -> Result<[u64; 2]> {
    let mut time = [0u64; 2];
    sys(g::__NR_clock_gettime, [number as usize, time.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(time))
}

fn set_clock(number: u32, time: [u64; 2]) -> Result<usize> {
    sys(g::__NR_clock_settime, [number as usize, time.as_ptr() as usize])
}

fn the_clock_is_set() -> Outcome {
    const CLOCK_REALTIME: u32 = g::CLOCK_REALTIME;
    let (before, steady) = (clock(CLOCK_REALTIME)?, clock(g::CLOCK_MONOTONIC)?);
    set_clock(CLOCK_REALTIME, [2_000_000_000, 5])?;
    let now = clock(CLOCK_REALTIME)?;
    check!(now[0] == 2_000_000_000 && clock(g::CLOCK_MONOTONIC)?[0] <= steady[0] + 1);
    let half = [2_000_000_100u64, 500_000];
    sys(g::__NR_settimeofday, [half.as_ptr() as usize, 0])?;
    let now = clock(CLOCK_REALTIME)?;
    check!(now[0] == 2_000_000_100 && now[1] >= 500_000_000);
    set_clock(CLOCK_REALTIME, before)?;
    check_error!(set_clock(CLOCK_REALTIME, [5, 1_000_000_000]), EINVAL);
    check_error!(set_clock(CLOCK_REALTIME, [u64::MAX, 0]), EINVAL);
    for other in [g::CLOCK_MONOTONIC, g::CLOCK_BOOTTIME, g::CLOCK_MONOTONIC_RAW, 77] {
        check_error!(set_clock(other, before), EINVAL);
    }
    check_eq!(as_user(|| set_clock(CLOCK_REALTIME, before))?, errno::EPERM);
    let wrong = [1u64, 1_000_000];
    check_error!(sys(g::__NR_settimeofday, [wrong.as_ptr() as usize, 0]), EINVAL);
    check_eq!(as_user(|| sys(g::__NR_settimeofday, [half.as_ptr() as usize, 0]))?, errno::EPERM);
    Ok(())
}

fn address_space_is_limited() -> Outcome {
    let mut limit = [0u64; 2];
    sys(g::__NR_getrlimit, [g::RLIMIT_AS as usize, limit.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(limit), [u64::MAX; 2]);
    let at = map(8, READ_WRITE)?;
    let new = [16u64 << 20, u64::MAX];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_AS as usize, new.as_ptr() as usize, 0])?;
    check_error!(map((16 << 20) / PAGE_SIZE, READ_WRITE), ENOMEM);
    check_eq!(sys(g::__NR_mremap, [at, 8 * PAGE_SIZE, 16 << 20, g::MREMAP_MAYMOVE as usize]).is_err(), true);
    let end = sys(g::__NR_brk, [0])?;
    check_eq!(sys(g::__NR_brk, [end + (16 << 20)])?, end);
    // What takes the place of something needs no more.
    let none = [1u64, u64::MAX];
    sys(g::__NR_setrlimit, [g::RLIMIT_AS as usize, none.as_ptr() as usize])?;
    check_error!(map(1, READ_WRITE), ENOMEM);
    sys(g::__NR_munmap, [at, 4 * PAGE_SIZE])?;
    let again = sys(g::__NR_setrlimit, [g::RLIMIT_AS as usize, limit.as_ptr() as usize]);
    check!(again.is_ok() && map(8, READ_WRITE).is_ok());
    Ok(())
}
