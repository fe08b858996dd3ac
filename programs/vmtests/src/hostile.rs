//! Hostile arguments, made from the table of system calls: every pointer that is none, every length that is too long, every
//! descriptor that is not open, every bit that is refused. The kernel answers with an error, and lives on.
//!
//! The other arguments of such a call are [`Setting::good`]: by their kind, but for the calls in [`SPECIAL`].

use abi::{CALLS, Call, Effect, FlagSet, Kind, Others, Returns, refused_bits};
use core::ffi::CStr;

use rt::abi::general as g;
use rt::{Errno, PAGE_SIZE, os};

use crate::bad_pointers::ADDRESSES;
use crate::check::Outcome;
use crate::memory::{READ_WRITE, map};
use crate::raw::{poke, poke64, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel hostile_pointers, @Kernel pointers_that_are_written_late, @Kernel hostile_lengths, hostile_descriptors,
    @Kernel refused_flags, @Kernel choices_that_are_none, @Kernel bits_that_nobody_looks_at,
}

/// A good value that a kind does not tell.
enum Good {
    Number(usize),
    /// The folder `/`, open.
    Root,
    /// What the file's path is.
    File,
    /// A page of zeros, with nothing mapped behind it.
    Page,
    /// Path of a symbolic link.
    Link,
    /// Path of this program.
    Program,
    /// A list of events, open.
    List,
}

/// Arguments whose good value is not that of their kind: call, number of the argument, value.
const SPECIAL: &[(&str, usize, Good)] = &[
    ("getdents64", 0, Good::Root),
    ("getdents64", 2, Good::Number(512)),
    ("readlinkat", 1, Good::Link),
    ("execve", 0, Good::Program),
    ("fchdir", 0, Good::Root),
    ("flock", 1, Good::Number(8)),
    ("lseek", 1, Good::Number(0)),
    ("fcntl", 1, Good::Number(1)),
    ("ioctl", 1, Good::Number(0x5451)),
    ("setxattr", 2, Good::Page),
    ("lsetxattr", 2, Good::Page),
    ("fsetxattr", 2, Good::Page),
    ("openat", 1, Good::File),
    ("unlinkat", 1, Good::Number(0)),
    ("pselect6", 4, Good::Page),
    ("pselect6", 5, Good::Number(0)),
    ("ppoll", 2, Good::Page),
    ("ppoll", 3, Good::Number(0)),
    ("ppoll", 4, Good::Number(8)),
    ("futex", 0, Good::Page),
    ("prlimit64", 1, Good::Number(7)),
    ("prlimit64", 2, Good::Number(0)),
    ("getrlimit", 0, Good::Number(7)),
    ("setrlimit", 0, Good::Number(7)),
    ("sched_setscheduler", 2, Good::Page),
    ("inotify_add_watch", 0, Good::List),
    ("inotify_add_watch", 1, Good::File),
    ("inotify_add_watch", 2, Good::Number(g::IN_OPEN as usize)),
    ("inotify_rm_watch", 0, Good::List),
    ("epoll_ctl", 1, Good::Number(2)),
    ("signalfd4", 2, Good::Number(8)),
    ("timerfd_settime", 2, Good::Page),
    ("sigaltstack", 0, Good::Number(0)),
    ("rt_sigaction", 1, Good::Number(0)),
    ("rt_sigaction", 3, Good::Number(8)),
    ("rt_sigprocmask", 3, Good::Number(8)),
    ("rt_sigpending", 1, Good::Number(8)),
    ("rt_sigsuspend", 1, Good::Number(8)),
    ("rt_sigtimedwait", 2, Good::Page),
    ("rt_sigtimedwait", 3, Good::Number(8)),
    ("utimensat", 2, Good::Number(0)),
    ("mmap", 1, Good::Number(PAGE_SIZE)),
    ("mmap", 2, Good::Number(g::PROT_READ as usize)),
    ("mmap", 3, Good::Number((g::MAP_PRIVATE | g::MAP_ANONYMOUS) as usize)),
    ("mprotect", 2, Good::Number(READ_WRITE as usize)),
    ("close_range", 0, Good::Number(900)),
    ("close_range", 1, Good::Number(901)),
    ("dup3", 1, Good::Number(50)),
    ("prctl", 0, Good::Number(3)),
];

/// Calls that come back only later, elsewhere or never, if nothing is wrong with them.
const NOT_TO_BE_MADE: &[&str] = &[
    "exit",
    "exit_group",
    "rt_sigreturn",
    "rt_sigsuspend",
    "clone",
    "execve",
    "wait4",
    "kill",
    "tkill",
    "tgkill",
];

/// Pointers that are written only when something happens: `pointers_that_are_written_late` has them.
const WRITTEN_LATE: &[(&str, &str)] = &[
    ("nanosleep", "left"),
    ("clock_nanosleep", "left"),
    ("rt_sigtimedwait", "info"),
    ("wait4", "status"),
    ("wait4", "usage"),
    ("waitid", "info"),
    ("waitid", "usage"),
];

/// What good arguments are made of.
pub struct Setting {
    file: usize,
    root: usize,
    /// A page of zeros, with nothing mapped behind it.
    page: usize,
    list: usize,
}

/// The file of a [`Setting`].
pub const FILE: &CStr = c"/tmp/vmtests.bad";
const LINK: &CStr = c"/proc/self/exe";

impl Setting {
    pub fn new() -> rt::Result<Self> {
        let file = crate::memory::temporary(FILE, b"sixteen bytes...")? as usize;
        let root = os::open(c"/", g::O_RDONLY, 0)? as usize;
        let page = map(2, READ_WRITE)?;
        sys(g::__NR_munmap, [page + PAGE_SIZE, PAGE_SIZE])?;
        let list = sys(g::__NR_inotify_init1, [0])?;
        Ok(Self { file, root, page, list })
    }

    /// A good value of one argument.
    fn good(&self, call: &Call, index: usize) -> usize {
        let special = SPECIAL.iter().find(|(name, at, _)| *name == call.name && *at == index);
        if let Some((_, _, good)) = special {
            return match good {
                Good::Number(number) => *number,
                Good::Root => self.root,
                Good::File => FILE.as_ptr() as usize,
                Good::Page => self.page,
                Good::Link => LINK.as_ptr() as usize,
                Good::Program => crate::program(),
                Good::List => self.list,
            };
        }
        match call.arguments[index].kind {
            Kind::Fd => self.file,
            Kind::DirFd => (g::AT_FDCWD as isize).cast_unsigned(),
            Kind::Unsigned => 1,
            Kind::Size => 16,
            Kind::Signal => g::SIGUSR1 as usize,
            Kind::Mode => 0o644,
            Kind::Path => FILE.as_ptr() as usize,
            Kind::In(_) | Kind::Out(_) | Kind::InOut(_) => self.page,
            Kind::Address if index == 0 && call.name != "mmap" => self.page,
            Kind::Int | Kind::Word | Kind::Offset | Kind::Address | Kind::Pid | Kind::Id => 0,
            Kind::Flags(_) | Kind::Strings => 0,
        }
    }

    /// Good values of all arguments.
    pub fn all(&self, call: &Call) -> [usize; 6] {
        core::array::from_fn(|index| if index < call.arguments.len() { self.good(call, index) } else { 0 })
    }

    /// The call, argument `index` being `value`.
    pub fn call(&self, call: &Call, index: usize, value: usize) -> rt::Result<usize> {
        let mut arguments = self.all(call);
        arguments[index] = value;
        sys(call.number, arguments)
    }
}

/// Every argument of every call that is of a kind.
pub fn arguments(is_meant: impl Fn(Kind) -> bool) -> impl Iterator<Item = (&'static Call, usize, Kind)> {
    let all = CALLS.iter().flat_map(|call| {
        call.arguments.iter().enumerate().map(move |(index, argument)| (call, index, argument.kind))
    });
    all.filter(move |(_, _, kind)| is_meant(*kind))
}

pub fn is_to_be_made(call: &Call) -> bool {
    !NOT_TO_BE_MADE.contains(&call.name)
}

fn hostile_pointers() -> Outcome {
    let setting = Setting::new()?;
    let mut count = 0;
    for (call, index, _) in arguments(Kind::is_pointer) {
        let name = call.arguments[index].name;
        if WRITTEN_LATE.contains(&(call.name, name)) {
            continue;
        }
        for address in ADDRESSES {
            os::lseek(setting.file as i32, 0, g::SEEK_SET)?;
            let result = setting.call(call, index, address);
            check_eq!(
                (call.name, name, address, result),
                (call.name, name, address, Err(Errno(rt::abi::errno::EFAULT)))
            );
            count += 1;
        }
    }
    check!(count > 500);
    // No descriptor was lost on the way.
    check_eq!(os::open(c"/dev/null", g::O_RDONLY, 0)? as usize, setting.list + 1);
    crate::exec::unlink(FILE)?;
    Ok(())
}

fn pointers_that_are_written_late() -> Outcome {
    for address in ADDRESSES {
        // A child that has ended is still there after the call.
        let pid = os::fork()?;
        if pid == 0 {
            os::exit(5);
        }
        check_error!(sys(g::__NR_wait4, [pid as usize, address, 0, 0]), EFAULT);
        check_error!(
            crate::timers::cut_short(|| {
                let mut long = [1000u64, 0];
                sys(g::__NR_nanosleep, [(&raw mut long) as usize, address])
            }),
            EFAULT
        );
        check_error!(
            crate::timers::cut_short(|| {
                let mut long = [1000u64, 0];
                sys(
                    g::__NR_clock_nanosleep,
                    [g::CLOCK_MONOTONIC as usize, 0, (&raw mut long) as usize, address],
                )
            }),
            EFAULT
        );
        let mut set = [1u64 << (g::SIGUSR1 - 1)];
        let set = (&raw mut set) as usize;
        sys(g::__NR_rt_sigprocmask, [g::SIG_BLOCK as usize, set, 0, 8])?;
        os::kill(os::getpid(), g::SIGUSR1)?;
        check_error!(sys(g::__NR_rt_sigtimedwait, [set, address, 0, 8]), EFAULT);
    }
    Ok(())
}

fn hostile_lengths() -> Outcome {
    let setting = Setting::new()?;
    let mut count = 0;
    for (call, index, _) in arguments(|kind| matches!(kind, Kind::Size | Kind::Unsigned)) {
        if !is_to_be_made(call) || call.name == "close_range" {
            continue;
        }
        for length in [usize::MAX, usize::MAX - 4095, 1 << 63, (1 << 63) - 1, 1 << 40, u32::MAX as usize] {
            // The file is as it was: what a call could do of so much, it may have done.
            os::lseek(setting.file as i32, 0, g::SEEK_SET)?;
            let result = setting.call(call, index, length);
            let of_memory =
                matches!(call.arguments[0].kind, Kind::Address) && call.returns == Returns::Number;
            let is_sane = match result {
                // A length that rounds up to nothing is none.
                Ok(_) if length == usize::MAX && matches!(call.name, "mlock" | "mlock2" | "munlock") => true,
                Ok(_) if of_memory => matches!(call.name, "set_robust_list" | "riscv_flush_icache" | "futex"),
                // It tells what it was before, which is what was said last.
                Ok(_) if call.name == "personality" => true,
                // Pages come with their first touch.
                Ok(_) if call.returns == Returns::Address => true,
                Ok(done) => done <= PAGE_SIZE,
                Err(_) => true,
            };
            check_eq!((call.name, length, result, is_sane), (call.name, length, result, true));
            count += 1;
        }
    }
    check!(count > 100);
    poke(setting.page, 1);
    crate::exec::unlink(FILE)?;
    Ok(())
}

fn hostile_descriptors() -> Outcome {
    let setting = Setting::new()?;
    let mut count = 0;
    for (call, index, kind) in arguments(|kind| matches!(kind, Kind::Fd | Kind::DirFd)) {
        for wrong in [-1, -2, i32::MIN, i32::MAX, 1000, 4096] {
            let mut all = setting.all(call);
            all[index] = wrong as usize;
            // What begins with a slash needs no directory.
            if matches!(kind, Kind::DirFd)
                && let Some(Kind::Path) = call.arguments.get(index + 1).map(|argument| argument.kind)
            {
                all[index + 1] = c"relative".as_ptr() as usize;
            }
            if call.number == g::__NR_process_madvise {
                // It looks at its ranges first: none.
                all[2] = 0;
            }
            let result = sys(call.number, all);
            let expected = Err(Errno(rt::abi::errno::EBADF));
            check_eq!(
                (call.name, call.arguments[index].name, wrong, result),
                (call.name, call.arguments[index].name, wrong, expected)
            );
            count += 1;
        }
    }
    check!(count > 200);
    crate::exec::unlink(FILE)?;
    Ok(())
}

fn refused_flags() -> Outcome {
    let setting = Setting::new()?;
    let mut count = 0;
    for call in CALLS {
        for (index, refused) in refused_bits(call).into_iter().enumerate() {
            for bit in (0..64).map(|bit| 1 << bit).filter(|bit| refused & bit != 0) {
                let result = setting.call(call, index, bit as usize);
                check_eq!((call.name, bit, result), (call.name, bit, Err(Errno(rt::abi::errno::EINVAL))));
                count += 1;
            }
        }
    }
    check!(count > 400);
    crate::exec::unlink(FILE)?;
    Ok(())
}

/// The set of a kind of flags.
fn set_of(kind: Kind) -> Option<&'static FlagSet> {
    match kind {
        Kind::Flags(set) => Some(set),
        _ => None,
    }
}

fn choices_that_are_none() -> Outcome {
    let setting = Setting::new()?;
    let mut count = 0;
    for (call, index, kind) in arguments(|kind| set_of(kind).is_some_and(|set| set.choice_bits >> 31 != 0)) {
        let Some(set) = set_of(kind) else { continue };
        // `rt_sigprocmask` looks at it only with a set, which the setting has.
        let declined =
            set.choices.iter().filter(|choice| choice.effect == Effect::Declined).map(|choice| choice.bits);
        for wrong in
            [0x77, 0x1234_5600, 0x8000_0000, set.choice_bits].into_iter().chain(declined).chain(0..130)
        {
            let is_allowed = set.choice(wrong).is_some_and(|choice| choice.effect != Effect::Declined);
            if wrong & !set.choice_bits == 0 && !is_allowed {
                let result = setting.call(call, index, wrong as usize);
                check_eq!((call.name, wrong, result.is_err()), (call.name, wrong, true));
                count += 1;
            }
        }
    }
    check!(count > 1000);
    crate::exec::unlink(FILE)?;
    Ok(())
}

fn bits_that_nobody_looks_at() -> Outcome {
    let setting = Setting::new()?;
    let mut count = 0;
    for (call, index, kind) in arguments(|kind| set_of(kind).is_some_and(|set| set.others == Others::Ignored))
    {
        let Some(set) = set_of(kind) else { continue };
        if !is_to_be_made(call) {
            continue;
        }
        let named = set.all().fold(set.choice_bits, |bits, flag| bits | flag.bits);
        let good = setting.good(call, index) as u64;
        poke64(setting.page, 0);
        let before = setting.call(call, index, good as usize);
        let after = setting.call(call, index, (good | !named & set.mask()) as usize);
        check_eq!((call.name, before.is_ok(), after.is_ok()), (call.name, true, true));
        count += 1;
    }
    check!(count > 4);
    crate::exec::unlink(FILE)?;
    Ok(())
}
