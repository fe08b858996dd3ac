//! What the kernel says about itself, the clock, limits, and calls that it does not have.

use rt::abi::general as g;
use rt::abi::prctl as p;
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::raw::sys;
use crate::users::text;
use crate::{check, check_eq, check_error, tests};

tests! {
    system_name, clock, sleeping, random, limits, usage, memory_information, thread_name, yields, unknown_calls, @Kernel facts_of_a_thread, @Kernel kernel_version, @Kernel missing_calls,
    futex_basics, futex_timeouts,
    no_sockets, @Kernel robust_list, slack_of_timers, personality_of_linux,
}

const FIELD: usize = 65;

fn uname() -> rt::Result<[u8; 6 * FIELD]> {
    let mut names = [0u8; 6 * FIELD];
    sys(g::__NR_uname, [names.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(names))
}

fn system_name() -> Outcome {
    let names = uname()?;
    check!(names.starts_with(b"Linux\0"));
    check!(names[4 * FIELD..].starts_with(b"riscv64\0"));
    Ok(())
}

fn kernel_version() -> Outcome {
    check!(uname()?[2 * FIELD..].starts_with(b"6.12."));
    Ok(())
}

fn clock() -> Outcome {
    let mut last = os::monotonic_ns()?;
    for _ in 0..100 {
        let now = os::monotonic_ns()?;
        check!(now >= last);
        last = now;
    }
    let mut time = [0u64; 2];
    for clock in [g::CLOCK_REALTIME, g::CLOCK_MONOTONIC, g::CLOCK_PROCESS_CPUTIME_ID, g::CLOCK_BOOTTIME] {
        sys(g::__NR_clock_gettime, [clock as usize, time.as_mut_ptr() as usize])?;
        check!(core::hint::black_box(time)[1] < 1_000_000_000);
    }
    check_error!(sys(g::__NR_clock_gettime, [999, time.as_mut_ptr() as usize]), EINVAL);
    sys(g::__NR_gettimeofday, [time.as_mut_ptr() as usize, 0])?;
    check!(core::hint::black_box(time)[1] < 1_000_000);
    Ok(())
}

fn sleeping() -> Outcome {
    let before = os::monotonic_ns()?;
    crate::processes::sleep_ns(3_000_000)?;
    check!(os::monotonic_ns()? - before >= 3_000_000);
    let bad = [0u64, 1_000_000_000];
    check_error!(sys(g::__NR_nanosleep, [bad.as_ptr() as usize, 0]), EINVAL);
    let short = [0u64, 1000];
    let clock = g::CLOCK_MONOTONIC as usize;
    sys(g::__NR_clock_nanosleep, [clock, 0, short.as_ptr() as usize, 0])?;
    Ok(())
}

fn random() -> Outcome {
    let (mut one, mut two) = ([0u8; 64], [0u8; 64]);
    check_eq!(sys(g::__NR_getrandom, [one.as_mut_ptr() as usize, 64, 0])?, 64);
    check_eq!(sys(g::__NR_getrandom, [two.as_mut_ptr() as usize, 64, 0])?, 64);
    check!(core::hint::black_box(one) != core::hint::black_box(two));
    check_error!(sys(g::__NR_getrandom, [one.as_mut_ptr() as usize, 64, 0xff00]), EINVAL);
    Ok(())
}

fn limits() -> Outcome {
    let mut stack = [0u64; 2];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_STACK as usize, 0, stack.as_mut_ptr() as usize])?;
    check!(core::hint::black_box(stack)[0] >= 1 << 20);
    check_error!(sys(g::__NR_prlimit64, [0, 99, 0, stack.as_mut_ptr() as usize]), EINVAL);
    check_error!(sys(g::__NR_prlimit64, [1 << 22, 3, 0, stack.as_mut_ptr() as usize]), ESRCH);
    let wrong = [10u64, 5];
    check_error!(sys(g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, wrong.as_ptr() as usize, 0]), EINVAL);
    Ok(())
}

fn usage() -> Outcome {
    let mut usage = [0u64; 18];
    sys(g::__NR_getrusage, [g::RUSAGE_SELF as usize, usage.as_mut_ptr() as usize])?;
    check!(core::hint::black_box(usage)[1] < 1_000_000);
    let children = (g::RUSAGE_CHILDREN as isize).cast_unsigned();
    sys(g::__NR_getrusage, [children, usage.as_mut_ptr() as usize])?;
    check_error!(sys(g::__NR_getrusage, [77, usage.as_mut_ptr() as usize]), EINVAL);
    let mut times = [0u64; 4];
    sys(g::__NR_times, [times.as_mut_ptr() as usize])?;
    Ok(())
}

fn memory_information() -> Outcome {
    let mut information = [0u64; 16];
    sys(g::__NR_sysinfo, [information.as_mut_ptr() as usize])?;
    let information = core::hint::black_box(information);
    // Total and free memory, total and free swap space.
    check!(information[4] > 1 << 20 && information[5] <= information[4]);
    check!(information[9] <= information[8]);
    let mut buffer = [0; 4 << 10];
    let swap_total = number_after(text(c"/proc/meminfo", &mut buffer)?, b"SwapTotal:");
    check_eq!(swap_total, information[8] / 1024);
    let swaps = text(c"/proc/swaps", &mut buffer)?;
    let mut lines = swaps.split(|&byte| byte == b'\n');
    check_eq!(lines.next(), Some(&b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"[..]));
    let sizes =
        lines.filter(|line| !line.is_empty()).map(|line| match line.iter().position(|&byte| byte == b'\t') {
            Some(end_of_type) => number_after(&line[end_of_type..], b""),
            None => 0,
        });
    check_eq!(sizes.sum::<u64>(), swap_total);
    Ok(())
}

/// The first number after a name in a text.
fn number_after(text: &[u8], name: &[u8]) -> u64 {
    let at =
        (0..text.len()).find(|&at| text[at..].starts_with(name)).map_or(text.len(), |at| at + name.len());
    let digits = text[at..].iter().skip_while(|byte| !byte.is_ascii_digit());
    digits.take_while(|byte| byte.is_ascii_digit()).fold(0, |value, byte| value * 10 + u64::from(byte - b'0'))
}

fn thread_name() -> Outcome {
    let mut name = [0u8; 16];
    sys(g::__NR_prctl, [p::PR_SET_NAME as usize, c"a name that is too long".as_ptr() as usize])?;
    sys(g::__NR_prctl, [p::PR_GET_NAME as usize, name.as_mut_ptr() as usize])?;
    check_eq!(&core::hint::black_box(name), b"a name that is \0");
    check_error!(sys(g::__NR_prctl, [123_456]), EINVAL);
    Ok(())
}

/// What `prctl` tells and remembers.
fn facts_of_a_thread() -> Outcome {
    let ask = |option: u32, argument: usize| sys(g::__NR_prctl, [option as usize, argument, 0, 0, 0]);
    let mut place = [9usize];
    let own = 0x1000;
    sys(g::__NR_set_tid_address, [own])?;
    ask(p::PR_GET_TID_ADDRESS, place.as_mut_ptr() as usize)?;
    check_eq!(core::hint::black_box(place)[0], own);
    sys(g::__NR_set_tid_address, [0])?;
    // The vector's first number is a kind of entry, its last pair AT_NULL.
    let mut vector = [9usize; 64];
    let tell = |room: usize, at: usize| sys(g::__NR_prctl, [p::PR_GET_AUXV as usize, at, room, 0, 0]);
    let bytes = tell(size_of_val(&vector), vector.as_mut_ptr() as usize)?;
    let vector = core::hint::black_box(vector);
    check!(bytes % 16 == 0 && bytes <= size_of_val(&vector));
    check_eq!(vector[bytes / 8 - 2..bytes / 8], [0, 0]);
    check!(vector[..bytes / 8].chunks(2).any(|pair| pair == [6, 4096]));
    check_eq!(tell(8, place.as_mut_ptr() as usize)?, bytes);
    check_error!(tell(8, 8), EFAULT);
    for value in [1, 0] {
        ask(p::PR_SET_THP_DISABLE, value)?;
        check_eq!(ask(p::PR_GET_THP_DISABLE, 0)?, value);
        let seen = os::in_child(|| ask(p::PR_GET_THP_DISABLE, 0).map_or(9, |told| told as i32))?;
        check_eq!(seen, os::Status::Exited(value as i32));
    }
    check_error!(sys(g::__NR_prctl, [p::PR_SET_THP_DISABLE as usize, 1, 1, 0, 0]), EINVAL);
    check_eq!(ask(p::PR_GET_SECCOMP, 0)?, 0);
    check_eq!(ask(p::PR_GET_TIMING, 0)?, 0);
    check_error!(ask(p::PR_SET_TIMING, 1), EINVAL);
    check_eq!(ask(p::PR_MCE_KILL_GET, 0)?, 2);
    ask(p::PR_TASK_PERF_EVENTS_DISABLE, 0)?;
    Ok(())
}

fn yields() -> Outcome {
    for _ in 0..100 {
        os::sched_yield();
    }
    Ok(())
}

fn unknown_calls() -> Outcome {
    for number in [1000, 4000, 0x7fff_ffff, u32::MAX] {
        check_error!(sys(number, [1, 2, 3, 4, 5, 6]), ENOSYS);
    }
    Ok(())
}

fn missing_calls() -> Outcome {
    // Linux has them; Folio does not, and C libraries then do without.
    for number in [g::__NR_rseq, g::__NR_riscv_hwprobe] {
        check_error!(sys(number, [0, 0, 0, 0, 0]), ENOSYS);
    }
    Ok(())
}

fn futex_basics() -> Outcome {
    let word = [7u32];
    let at = word.as_ptr() as usize;
    check_eq!(sys(g::__NR_futex, [at, g::FUTEX_WAKE as usize, 1])?, 0);
    check_error!(sys(g::__NR_futex, [at, g::FUTEX_WAIT as usize, 8, 0]), EAGAIN);
    Ok(())
}

fn futex_timeouts() -> Outcome {
    const ALL: usize = u32::MAX as usize;
    let word = [7u32];
    let at = word.as_ptr() as usize;
    let wait_bits = (g::FUTEX_WAIT_BITSET | g::FUTEX_PRIVATE_FLAG) as usize;
    let (short, past) = ([0u64, 3_000_000], [0u64, 1]);
    let start = os::monotonic_ns()?;
    check_error!(sys(g::__NR_futex, [at, g::FUTEX_WAIT as usize, 7, short.as_ptr() as usize]), ETIMEDOUT);
    check!(os::monotonic_ns()? >= start + 3_000_000);
    // Of the other form the timeout is a time, not a length.
    check_error!(sys(g::__NR_futex, [at, wait_bits, 7, past.as_ptr() as usize, 0, ALL]), ETIMEDOUT);
    let soon = os::monotonic_ns()? + 3_000_000;
    let time = [soon / 1_000_000_000, soon % 1_000_000_000];
    check_error!(sys(g::__NR_futex, [at, wait_bits, 7, time.as_ptr() as usize, 0, ALL]), ETIMEDOUT);
    check!(os::monotonic_ns()? >= soon);
    check_error!(sys(g::__NR_futex, [at, wait_bits, 8, 0, 0, ALL]), EAGAIN);
    check_eq!(sys(g::__NR_futex, [at, g::FUTEX_WAKE_BITSET as usize, 1, 0, 0, ALL])?, 0);
    Ok(())
}

fn no_sockets() -> Outcome {
    // How a shell finds out that nobody logged in over a network.
    let mut room = [0u64; 16];
    let (address, length) = (room.as_mut_ptr() as usize, [128u32]);
    let (read, _write) = os::pipe(0)?;
    check_error!(sys(g::__NR_getpeername, [read as usize, address, length.as_ptr() as usize]), ENOTSOCK);
    check_error!(sys(g::__NR_getpeername, [77, address, length.as_ptr() as usize]), EBADF);
    Ok(())
}

fn robust_list() -> Outcome {
    let head = [0usize; 3];
    sys(g::__NR_set_robust_list, [head.as_ptr() as usize, 24])?;
    check_error!(sys(g::__NR_set_robust_list, [head.as_ptr() as usize, 23]), EINVAL);
    Ok(())
}

fn slack_of_timers() -> Outcome {
    let set = |slack: usize| sys(g::__NR_prctl, [p::PR_SET_TIMERSLACK as usize, slack, 0, 0, 0]);
    let told = || sys(g::__NR_prctl, [p::PR_GET_TIMERSLACK as usize, 0, 0, 0, 0]);
    let usual = told()?;
    check_eq!(usual, 50_000);
    set(1234)?;
    check_eq!(told()?, 1234);
    // A child's usual one is what its parent has.
    let child = os::in_child(|| {
        let told = (told(), set(7), told(), set(0), told());
        i32::from(told != (Ok(1234), Ok(0), Ok(7), Ok(0), Ok(1234)))
    })?;
    check_eq!(child, Status::Exited(0));
    set(0)?;
    check_eq!(told()?, usual);
    Ok(())
}

fn personality_of_linux() -> Outcome {
    const PER_LINUX: usize = 0;
    const ADDR_NO_RANDOMIZE: usize = 0x4_0000;
    const ASK: usize = u32::MAX as usize;
    let personality = |which: usize| sys(g::__NR_personality, [which]);
    check_eq!(
        (personality(ASK)?, personality(PER_LINUX)?, personality(ASK)?),
        (PER_LINUX, PER_LINUX, PER_LINUX)
    );
    // What debuggers ask for, and their children keep.
    check_eq!(personality(ADDR_NO_RANDOMIZE)?, PER_LINUX);
    check_eq!(os::in_child(|| i32::from(personality(ASK) == Ok(ADDR_NO_RANDOMIZE)))?, os::Status::Exited(1));
    const UNAME26: usize = 0x2_0000;
    check_eq!(personality(UNAME26)?, ADDR_NO_RANDOMIZE);
    let mut name = [[0u8; 65]; 6];
    sys(g::__NR_uname, [name.as_mut_ptr() as usize])?;
    check_eq!(&core::hint::black_box(&name)[2][..4], b"2.6.");
    // Any is kept, of this system or not.
    check_eq!(personality(0x0800_0007)?, UNAME26);
    check_eq!(personality(PER_LINUX)?, 0x0800_0007);
    Ok(())
}
