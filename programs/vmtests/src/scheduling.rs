//! How threads say that they are to be scheduled: classes and priorities, and their places in line for the disk.

use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::raw::sys;
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    classes_and_priorities, classes_are_kept, @Kernel classes_take_rights, class_of_a_child, @Kernel attributes_of_scheduling, turns_are_told, places_at_the_disk,
    @Kernel places_take_rights,
}

const RESETS: u32 = g::SCHED_RESET_ON_FORK;

fn set(class: u32, priority: u32) -> Result<usize> {
    let parameter = [priority];
    sys(g::__NR_sched_setscheduler, [0, class as usize, parameter.as_ptr() as usize])
}

fn class() -> Result<u32> {
    sys(g::__NR_sched_getscheduler, [0]).map(|class| class as u32)
}

fn priority() -> Result<u32> {
    let mut parameter = [u32::MAX];
    sys(g::__NR_sched_getparam, [0, parameter.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(parameter)[0])
}

fn classes_and_priorities() -> Outcome {
    let range = |class: usize| {
        let least = sys(g::__NR_sched_get_priority_min, [class])?;
        Ok((least, sys(g::__NR_sched_get_priority_max, [class])?))
    };
    for class in [g::SCHED_FIFO, g::SCHED_RR] {
        check_eq!(range(class as usize)?, (1, 99));
    }
    for class in [g::SCHED_NORMAL, g::SCHED_BATCH, g::SCHED_IDLE, g::SCHED_DEADLINE] {
        check_eq!(range(class as usize)?, (0, 0));
    }
    check_error!(range(4), EINVAL);
    check_error!(range(usize::MAX), EINVAL);
    Ok(())
}

fn classes_are_kept() -> Outcome {
    check_eq!((class()?, priority()?), (g::SCHED_NORMAL, 0));
    for class in [g::SCHED_BATCH, g::SCHED_NORMAL, g::SCHED_IDLE] {
        set(class, 0)?;
        check_eq!((self::class()?, priority()?), (class, 0));
        check_error!(set(class, 1), EINVAL);
    }
    check_error!(set(4, 0), EINVAL);
    check_error!(set(u32::MAX, 0), EINVAL);
    check_error!(set(g::SCHED_FIFO, 0), EINVAL);
    check_error!(set(g::SCHED_RR, 100), EINVAL);
    check_error!(sys(g::__NR_sched_setscheduler, [0, 0, 0]), EINVAL);
    check_error!(sys(g::__NR_sched_setscheduler, [0, 0, 8]), EFAULT);
    check_error!(sys(g::__NR_sched_setparam, [0, 0]), EINVAL);
    check_error!(sys(g::__NR_sched_getparam, [0, 0]), EINVAL);
    check_error!(sys(g::__NR_sched_getscheduler, [usize::MAX]), EINVAL);
    check_error!(sys(g::__NR_sched_getscheduler, [4_000_000]), ESRCH);
    let parameter = [3u32];
    check_error!(sys(g::__NR_sched_setparam, [0, parameter.as_ptr() as usize]), EINVAL);
    Ok(())
}

fn classes_take_rights() -> Outcome {
    check_eq!(as_user(|| set(g::SCHED_FIFO, 1))?, errno::EPERM);
    check_eq!(as_user(|| set(g::SCHED_BATCH, 0))?, 0);
    let limit = [7u64, 7];
    sys(g::__NR_setrlimit, [g::RLIMIT_RTPRIO as usize, limit.as_ptr() as usize])?;
    check_eq!(as_user(|| set(g::SCHED_FIFO, 7))?, 0);
    check_eq!(as_user(|| set(g::SCHED_RR, 8))?, errno::EPERM);
    // Who may only be less than he is may be that.
    set(g::SCHED_RR, 50)?;
    check_eq!((class()?, priority()?), (g::SCHED_RR, 50));
    let parameter = [20u32];
    check_eq!(as_user(|| sys(g::__NR_sched_setparam, [0, parameter.as_ptr() as usize]))?, 0);
    check_eq!(as_user(|| set(g::SCHED_NORMAL, 0))?, 0);
    let other = [0u32];
    let init = || sys(g::__NR_sched_setscheduler, [1, g::SCHED_BATCH as usize, other.as_ptr() as usize]);
    check_eq!(as_user(init)?, errno::EPERM);
    set(g::SCHED_IDLE, 0)?;
    check_eq!(as_user(|| set(g::SCHED_NORMAL, 0))?, errno::EPERM);
    Ok(())
}

fn class_of_a_child() -> Outcome {
    let in_child = |of: fn() -> Result<u32>| os::in_child(|| of().map_or(-1, |class| class as i32));
    set(g::SCHED_BATCH, 0)?;
    check_eq!(in_child(class)?, Status::Exited(g::SCHED_BATCH as i32));
    set(g::SCHED_NORMAL | RESETS, 0)?;
    check_eq!(class()?, g::SCHED_NORMAL | RESETS);
    sys(g::__NR_setpriority, [g::PRIO_PROCESS as usize, 0, 5])?;
    check_eq!(in_child(class)?, Status::Exited(g::SCHED_NORMAL as i32));
    Ok(())
}

/// Words of a `struct sched_attr`.
const WORDS: usize = 7;
const BYTES: usize = WORDS * 8;

fn attributes(words: &[u64; WORDS]) -> Result<usize> {
    sys(g::__NR_sched_setattr, [0, words.as_ptr() as usize, 0])
}

fn attributes_of_scheduling() -> Outcome {
    let told = |size: usize| {
        let mut words = [0u64; 2 * WORDS];
        sys(g::__NR_sched_getattr, [0, words.as_mut_ptr() as usize, size, 0])?;
        Ok(core::hint::black_box(words))
    };
    let class = |class: u32| u64::from(class) << 32;
    check_eq!(told(BYTES)?[..3], [BYTES as u64, 0, 0]);
    attributes(&[48 | class(g::SCHED_BATCH), u64::from(g::SCHED_FLAG_RESET_ON_FORK), 7, 0, 0, 0, 0])?;
    check_eq!(told(48)?[..4], [48 | class(g::SCHED_BATCH), 1, 7, 0]);
    check_eq!(sys(g::__NR_getpriority, [0, 0])?, 13);
    attributes(&[class(g::SCHED_RR), 0, 9 << 32, 0, 0, 0, 0])?;
    check_eq!(told(2 * BYTES)?[..3], [BYTES as u64 | class(g::SCHED_RR), 0, 9 << 32]);
    let keeps = u64::from(g::SCHED_FLAG_KEEP_ALL);
    attributes(&[56 | class(g::SCHED_NORMAL), keeps, 0, 0, 0, 0, 0])?;
    check_eq!((self::class()?, priority()?), (g::SCHED_RR, 9));

    check_error!(attributes(&[48 | class(77), 0, 0, 0, 0, 0, 0]), EINVAL);
    check_error!(attributes(&[48, 1 << 20, 0, 0, 0, 0, 0]), EINVAL);
    let mut small = [40u64, 0, 0, 0, 0, 0, 0];
    check_error!(sys(g::__NR_sched_setattr, [0, small.as_mut_ptr() as usize, 0]), E2BIG);
    check_eq!(core::hint::black_box(small)[0], BYTES as u64);
    check_error!(sys(g::__NR_sched_setattr, [0, 0, 0]), EINVAL);
    check_error!(sys(g::__NR_sched_setattr, [0, small.as_ptr() as usize, 1]), EINVAL);
    check_error!(told(47), EINVAL);
    check_error!(told(PAGE_SIZE + 1), EINVAL);
    check_error!(sys(g::__NR_sched_getattr, [0, 0, BYTES, 0]), EINVAL);
    check_error!(sys(g::__NR_sched_getattr, [4_000_000, small.as_ptr() as usize, BYTES, 0]), ESRCH);
    Ok(())
}

fn turns_are_told() -> Outcome {
    let mut time = [u64::MAX; 2];
    sys(g::__NR_sched_rr_get_interval, [0, time.as_mut_ptr() as usize])?;
    let [seconds, nanoseconds] = core::hint::black_box(time);
    check!(seconds == 0 && nanoseconds < 1_000_000_000);
    check_error!(sys(g::__NR_sched_rr_get_interval, [usize::MAX, time.as_mut_ptr() as usize]), EINVAL);
    check_error!(sys(g::__NR_sched_rr_get_interval, [4_000_000, time.as_mut_ptr() as usize]), ESRCH);
    check_error!(sys(g::__NR_sched_rr_get_interval, [0, 8]), EFAULT);
    Ok(())
}

const IOPRIO_WHO_PROCESS: usize = 1;
const IOPRIO_WHO_PGRP: usize = 2;
const IOPRIO_WHO_USER: usize = 3;
const REAL_TIME: usize = 1 << 13;
const BEST_EFFORT: usize = 2 << 13;
const IDLE: usize = 3 << 13;

fn place(which: usize, who: usize) -> Result<usize> {
    sys(g::__NR_ioprio_get, [which, who])
}

fn set_place(which: usize, place: usize) -> Result<usize> {
    sys(g::__NR_ioprio_set, [which, 0, place])
}

fn places_at_the_disk() -> Outcome {
    sys(g::__NR_setpgid, [0, 0])?;
    for wanted in [BEST_EFFORT, BEST_EFFORT | 7, IDLE, BEST_EFFORT | 3] {
        set_place(IOPRIO_WHO_PROCESS, wanted)?;
        check_eq!(place(IOPRIO_WHO_PROCESS, 0)?, wanted);
    }
    // The best one of a group is told, and a child takes after its parent.
    let child = os::in_child(|| {
        let inherits = place(IOPRIO_WHO_PROCESS, 0) == Ok(BEST_EFFORT | 3);
        let sets = set_place(IOPRIO_WHO_PROCESS, BEST_EFFORT | 1).is_ok();
        i32::from(inherits && sets && place(IOPRIO_WHO_PGRP, 0) == Ok(BEST_EFFORT | 1))
    })?;
    check_eq!(child, Status::Exited(1));
    set_place(IOPRIO_WHO_PGRP, BEST_EFFORT | 2)?;
    check_eq!(place(IOPRIO_WHO_PGRP, 0)?, BEST_EFFORT | 2);
    check!(place(IOPRIO_WHO_USER, 0).is_ok());
    for refused in [1, 4 << 13, usize::MAX] {
        check_error!(set_place(IOPRIO_WHO_PROCESS, refused), EINVAL);
    }
    check_error!(place(0, 0), EINVAL);
    check_error!(place(4, 0), EINVAL);
    check_error!(place(IOPRIO_WHO_PROCESS, 4_000_000), ESRCH);
    Ok(())
}

fn places_take_rights() -> Outcome {
    set_place(IOPRIO_WHO_PROCESS, REAL_TIME | 2)?;
    check_eq!(place(IOPRIO_WHO_PROCESS, 0)?, REAL_TIME | 2);
    check_eq!(as_user(|| set_place(IOPRIO_WHO_PROCESS, REAL_TIME))?, errno::EPERM);
    check_eq!(as_user(|| set_place(IOPRIO_WHO_PROCESS, IDLE))?, 0);
    let init = || sys(g::__NR_ioprio_set, [IOPRIO_WHO_PROCESS, 1, IDLE]);
    check_eq!(as_user(init)?, errno::EPERM);
    Ok(())
}
