//! Linux riscv64 system calls: dispatch, and what every call has in common. One file a family.
//!
//! `abi` has the table. A call gets its arguments as numbers, returns a number or an [`Errno`], and touches user memory through
//! [`crate::memory::user`] only. Flags that the table refuses never reach it. Structures are those of `linux-raw-sys`.

mod administration;
mod advice;
mod alarms;
mod attributes;
mod capabilities;
pub mod clone;
mod control;
mod copying;
mod credentials;
mod epoll;
pub mod event_files;
pub mod files;
mod fixed;
pub mod futex;
mod handlers;
mod inotify;
mod interfaces;
pub mod io;
mod ipc;
pub mod limits;
mod locks;
mod loops;
mod memory;
pub mod message_queues;
mod messages;
mod mlock;
mod names;
pub mod pidfd;
mod poll;
mod process;
mod remap;
mod scheduling;
mod seals;
pub mod semaphores;
pub mod shared_memory;
mod signals;
mod socket_options;
mod sockets;
mod spans;
mod stat;
pub mod system;
pub mod terminal;
mod time;
mod wait;

use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::{inject, reclaim};
use crate::processes::signal::Interrupted;
use crate::processes::thread::Thread;
use ::proc::{DescriptorError, ExitStatus};
use abi::{Call, Effect, Flag, Kind, Memory};
use alloc::collections::BTreeSet;
use fs::Errno;
use isa::events::CutShort;

/// Why a call does not return a number.
pub enum Stop {
    /// An error for the program.
    Errno(Errno),
    /// Cut short by a signal; `true`: a handler with SA_RESTART lets it start again.
    Signal(bool),
    /// Cut short by a signal; `restart_syscall` does the [rest](Thread::rest), unless a handler runs.
    Rest,
    /// The thread ends.
    Exit(ExitStatus),
    /// The call has set the registers itself.
    RegistersSet,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Errno(errno)
    }
}

/// What is left of a wait for a length of time: until when it goes on, whatever came between.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    /// Of a sleep.
    Sleep(time::Sleep),
    /// Of the wait for a word.
    Futex(futex::Wait),
    /// Of the wait for descriptors, which itself starts again.
    Poll {
        /// When it ends, in ticks.
        deadline: u64,
    },
}

impl Rest {
    /// Leaves it to `restart_syscall`.
    fn later(self) -> Stop {
        current().rest.set(Some(self));
        Stop::Rest
    }
}

/// Goes on with the wait that a signal without a handler has cut short.
pub fn restart_syscall(_: Arguments) -> Outcome {
    match current().rest.take() {
        Some(Rest::Sleep(sleep)) => sleep.go_on(),
        Some(Rest::Futex(wait)) => wait.go_on(),
        Some(Rest::Poll { .. }) | None => Err(Errno::EINTR.into()),
    }
}

/// What a call comes to.
pub type Outcome = Result<u64, Stop>;

/// Whether a call, or a part of it, has come to an error.
pub fn has_failed<T>(result: &Result<T, Stop>) -> bool {
    matches!(result, Err(Stop::Errno(_)))
}

/// Arguments `a0` to `a5`.
pub type Arguments = [u64; 6];

/// Serves the system call that the running thread has made; a status ends it.
pub fn serve(thread: &Thread) -> Option<ExitStatus> {
    let (number, arguments) = {
        let mut frame = thread.frame.borrow_mut();
        frame.pc += 4;
        let argument = |n| frame.argument(n);
        (argument(7), [argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)])
    };
    let outcome = inject::attempts(has_failed, || dispatch(number, arguments));
    files::release_held(thread);
    let result = match outcome {
        Ok(value) => value,
        Err(Stop::Errno(errno)) => errno.to_return_value(),
        Err(stop) => return suspend(thread, stop, arguments[0]),
    };
    thread.frame.borrow_mut().x[10] = result;
    None
}

/// A call that does not return now, or not to where it was made; a status ends the thread.
#[inline(never)] // off the way of all others
fn suspend(thread: &Thread, stop: Stop, argument: u64) -> Option<ExitStatus> {
    let resumption = match stop {
        Stop::Exit(status) => return Some(status),
        Stop::Signal(true) => CutShort::Again,
        Stop::Signal(false) => CutShort::AgainUnlessHandled,
        Stop::Rest => CutShort::Rest,
        Stop::Errno(_) | Stop::RegistersSet => return None,
    };
    thread.restart.set(Some(Interrupted { argument, resumption }));
    None
}

/// Makes the dispatch of the table: each row is served by the function in [`handlers`] that is named as it.
macro_rules! dispatcher {
    ($(
        $number:literal $name:ident($($arguments:tt)*)
        $(-> $returns:ident)? $(,)? $($spares:ident)? $($remark:literal)?;
    )*) => {
        #[inline(never)] // so that it stays a jump through a table
        fn dispatch(number: u64, a: Arguments) -> Outcome {
            match number {
                $($number => {
                    const CALL: &Call = abi::call($number).expect("it is this row");
                    const REFUSED: Arguments = abi::refused_bits(CALL);
                    admit(CALL, &REFUSED, &a)?;
                    handlers::$name(a)
                })*
                _ => unknown(number),
            }
        }
    };
}

abi::each_call!(dispatcher);

/// Whether the call is served at all: with these flags, and with the kernel's memory as it is. What is the same for
/// every call of a row is decided when the kernel is compiled.
#[inline(always)]
fn admit(call: &'static Call, refused: &Arguments, a: &Arguments) -> Result<(), Errno> {
    let [r0, r1, r2, r3, r4, r5] = refused;
    if a[0] & r0 | a[1] & r1 | a[2] & r2 | a[3] & r3 | a[4] & r4 | a[5] & r5 != 0 {
        return Err(refuse(call, a));
    }
    match call.memory {
        Memory::Needs => reclaim::settle(),
        Memory::Spares => Ok(()),
    }
}

/// Most calls whose flags, or absence, the log tells: a program may try them all.
const MAX_TOLD: usize = 256;
/// The calls that the log has told of.
static TOLD: HartLocal<BTreeSet<u64>> = HartLocal::new(BTreeSet::new());

/// Whether the log should tell of this call.
fn is_news(number: u64) -> bool {
    let mut told = TOLD.get_mut();
    told.len() < MAX_TOLD && told.insert(number)
}

/// The log tells of flags that Linux would have taken.
#[cold]
#[inline(never)]
fn refuse(call: &Call, a: &Arguments) -> Errno {
    for (argument, &value) in call.arguments.iter().zip(a) {
        let Kind::Flags(set) = argument.kind else { continue };
        let is_meant = |flag: &&Flag| flag.effect == Effect::Refused && value & flag.bits == flag.bits;
        if let Some(flag) = set.flags.iter().find(is_meant)
            && is_news(u64::from(call.number))
        {
            log::warn!("{} with {} is not supported (EINVAL)", call.name, flag.name);
        }
    }
    Errno::EINVAL
}

#[cold]
fn unknown(number: u64) -> Outcome {
    if is_news(number) {
        match abi::call_name(number) {
            Some(name) => log::warn!("system call {name} ({number}) is not supported (ENOSYS)"),
            None => log::warn!("there is no system call {number} (ENOSYS)"),
        }
    }
    Err(Errno::ENOSYS.into())
}

/// A descriptor argument.
fn descriptor(argument: u64) -> Result<u32, Errno> {
    u32::try_from(int(argument)).map_err(|_| Errno::EBADF)
}

/// An `int` argument: the low 32 bits count.
#[allow(clippy::cast_possible_truncation)] // the calling convention passes an int in the low half
fn int(argument: u64) -> i32 {
    argument as i32
}

/// An `unsigned int` argument: the low 32 bits count.
#[allow(clippy::cast_possible_truncation)] // as in `int`
fn uint(argument: u64) -> u32 {
    argument as u32
}

/// A length argument; a number past the end of memory is cut, the copy will fail.
fn length(argument: u64) -> usize {
    usize::try_from(argument).unwrap_or(usize::MAX)
}

fn descriptor_error(error: DescriptorError) -> Errno {
    match error {
        DescriptorError::NotOpen => Errno::EBADF,
        DescriptorError::Full => Errno::EMFILE,
        DescriptorError::OutOfRange => Errno::EINVAL,
        DescriptorError::Reserved => Errno::EBUSY,
        DescriptorError::NoMemory => Errno::ENOMEM,
    }
}
