//! Processes: their programs, ends, groups and sessions, and what they say of themselves.

use super::files::{details, open_file, start_of};
use super::{Arguments, Outcome, Stop, int, uint};
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::processes::exec::{self, Request};
use crate::processes::exit;
use crate::processes::process::{self, table};
use crate::processes::thread::Slack;
use crate::processes::wait;
use ::proc::{ExitStatus, Pid, Signal, Strings, Tid};
use abi::sets;
use alloc::vec::Vec;
use fs::{Errno, Location};
use linux_raw_sys::general as linux;
use linux_raw_sys::prctl;

pub fn execve([path, argv, envp, ..]: Arguments) -> Outcome {
    let path = user::read_path(path)?;
    start_program(current().process.cwd(), path, argv, envp)
}

/// With AT_EMPTY_PATH the program is what is open, by the path that a script's interpreter finds it by, too.
pub fn execveat([dirfd, path, argv, envp, flags, ..]: Arguments) -> Outcome {
    let (path, flags) = (user::read_path(path)?, uint(flags));
    if !path.is_empty() {
        return start_program(start_of(dirfd, &path)?, path, argv, envp);
    }
    if flags & linux::AT_EMPTY_PATH == 0 {
        return Err(Errno::ENOENT.into());
    }
    let path = match int(dirfd) {
        linux::AT_FDCWD => b".".to_vec(),
        fd => {
            let has_location = details(open_file(dirfd)?).location.is_some();
            if !has_location {
                return Err(Errno::EACCES.into());
            }
            alloc::format!("/dev/fd/{fd}").into_bytes()
        }
    };
    start_program(current().process.cwd(), path, argv, envp)
}

fn start_program(at: Location, path: Vec<u8>, argv: u64, envp: u64) -> Outcome {
    let mut budget = exec::max_argument_bytes(current().process.stack_limit());
    let argv = strings(argv, &mut budget)?;
    let envp = strings(envp, &mut budget)?;
    if path.is_empty() {
        return Err(Errno::ENOENT.into());
    }
    // A program without arguments gets an empty first one, as in Linux.
    let mut argv = argv;
    if argv.is_empty() {
        argv.try_push(b"").map_err(|_| Errno::ENOMEM)?;
    }
    exec::execute(Request { at, path, argv, envp })?;
    Err(Stop::RegistersSet)
}

/// A NULL-terminated array of strings; E2BIG past the budget.
fn strings(array: u64, budget: &mut usize) -> Result<Strings, Errno> {
    const MAX_STRING_BYTES: usize = 128 << 10;
    let mut texts = Strings::default();
    let Some(array) = UserPtr::<u64>::from(array).non_null() else { return Ok(texts) };
    for index in 0.. {
        let pointer = array.at(index).read()?;
        if pointer == 0 {
            break;
        }
        let mut len = 0;
        user::each_chunk(pointer, MAX_STRING_BYTES, Errno::E2BIG, |chunk| {
            len += chunk.len();
            texts.try_extend(chunk).map_err(|_| Errno::ENOMEM)
        })?;
        texts.try_end().map_err(|_| Errno::ENOMEM)?;
        *budget = budget.checked_sub(len + 9).ok_or(Errno::E2BIG)?;
    }
    Ok(texts)
}

fn exit_status(status: u64) -> ExitStatus {
    ExitStatus::Exited(u8::try_from(status & 0xff).unwrap_or(0))
}

/// Ends the thread.
pub fn exit([status, ..]: Arguments) -> Outcome {
    Err(Stop::Exit(exit_status(status)))
}

/// Ends the process, all its threads.
pub fn exit_group([status, ..]: Arguments) -> Outcome {
    let status = exit_status(status);
    exit::end_all_threads(&current().process, status);
    Err(Stop::Exit(status))
}

pub fn getppid(_: Arguments) -> Outcome {
    Ok(u64::from(table(|t| t.parent(current().process.pid))))
}

pub fn getpid(_: Arguments) -> Outcome {
    Ok(u64::from(current().process.pid))
}

pub fn gettid(_: Arguments) -> Outcome {
    Ok(u64::from(current().tid().0))
}

fn or_self(pid: u64) -> Result<Pid, Errno> {
    match int(pid) {
        0 => Ok(current().process.pid),
        pid => Pid::try_from(pid).map_err(|_| Errno::ESRCH),
    }
}

pub fn getpgid([pid, ..]: Arguments) -> Outcome {
    let pid = or_self(pid)?;
    Ok(u64::from(table(|t| t.group(pid)).ok_or(Errno::ESRCH)?))
}

pub fn getsid([pid, ..]: Arguments) -> Outcome {
    let pid = or_self(pid)?;
    Ok(u64::from(table(|t| t.session(pid)).ok_or(Errno::ESRCH)?))
}

pub fn setpgid([pid, group, ..]: Arguments) -> Outcome {
    // Without a group, it is the one of the process's own number.
    if int(group) < 0 || int(group) == 0 && int(pid) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let pid = or_self(pid)?;
    let group = if int(group) == 0 { pid } else { uint(group) };
    let this = current().process.pid;
    if pid != this {
        check_child(pid, this)?;
    }
    if table(|t| t.set_group(pid, group)) { Ok(0) } else { Err(Errno::EPERM.into()) }
}

/// Whether a process may put another one into a group: a child that still executes its program, in its session.
fn check_child(pid: Pid, parent: Pid) -> Result<(), Errno> {
    let (is_child, is_near) =
        table(|t| (t.exists(pid) && t.parent(pid) == parent, t.session(pid) == t.session(parent)));
    match process::find(pid) {
        _ if !is_child => Err(Errno::ESRCH),
        _ if !is_near => Err(Errno::EPERM),
        Some(child) if child.has_executed.get() => Err(Errno::EACCES),
        _ => Ok(()),
    }
}

pub fn setsid(_: Arguments) -> Outcome {
    let process = &current().process;
    if !table(|t| t.new_session(process.pid)) {
        return Err(Errno::EPERM.into());
    }
    process.terminal.set(None);
    Ok(u64::from(process.pid))
}

pub fn set_tid_address([address, ..]: Arguments) -> Outcome {
    let this = current();
    this.clear_child_tid.set(address);
    Ok(u64::from(this.tid().0))
}

/// Bytes of the head of a robust list.
const LIST_HEAD_BYTES: u64 = size_of::<linux::robust_list_head>() as u64;

/// The locks that the thread holds, to be released at its end.
pub fn set_robust_list([head, len, ..]: Arguments) -> Outcome {
    if len != LIST_HEAD_BYTES {
        return Err(Errno::EINVAL.into());
    }
    current().robust_list.set(head);
    Ok(0)
}

pub fn get_robust_list([tid, head, len, ..]: Arguments) -> Outcome {
    let thread = match int(tid) {
        0 => current(),
        tid => {
            let tid = u32::try_from(tid).map_err(|_| Errno::ESRCH)?;
            table(|t| t.thread(Tid(tid))).ok_or(Errno::ESRCH)?
        }
    };
    if !thread.process.may_be_inspected(true) {
        return Err(Errno::EPERM.into());
    }
    let list = thread.robust_list.get();
    // Nobody is kept while the program's memory is written, which may sleep.
    drop(thread);
    UserPtr::<u64>::from(len).write(LIST_HEAD_BYTES)?;
    UserPtr::<u64>::from(head).write(list)?;
    Ok(0)
}

pub fn prctl([option, argument, second, third, fourth, ..]: Arguments) -> Outcome {
    const NAME_BYTES: usize = 16;
    let this = current();
    match uint(option) {
        prctl::PR_SET_NAME => {
            let mut name = match user::read_string(argument, NAME_BYTES, Errno::EINVAL) {
                Ok(name) => name,
                Err(Errno::EINVAL) => {
                    let mut bytes = alloc::vec![0; NAME_BYTES];
                    user::copy_in(argument, &mut bytes)?;
                    bytes
                }
                Err(error) => return Err(error.into()),
            };
            name.truncate(NAME_BYTES - 1);
            *this.name.borrow_mut() = name;
            Ok(0)
        }
        prctl::PR_GET_NAME => {
            let mut name = this.name.borrow().clone();
            name.resize(NAME_BYTES, 0);
            user::copy_out(argument, &name)?;
            Ok(0)
        }
        prctl::PR_SET_PDEATHSIG => {
            let signal = match argument {
                0 => None,
                number => Some(Signal::new(number).ok_or(Errno::EINVAL)?),
            };
            this.process.death_signal.set(signal);
            Ok(0)
        }
        prctl::PR_GET_PDEATHSIG => {
            let signal = this.process.death_signal.get().map_or(0, |signal| u32::from(signal.number()));
            UserPtr::<u32>::from(argument).write(signal)?;
            Ok(0)
        }
        prctl::PR_SET_TIMERSLACK => {
            let slack = this.slack.get();
            this.slack.set(Slack { now: if argument == 0 { slack.usual } else { argument }, ..slack });
            Ok(0)
        }
        prctl::PR_GET_TIMERSLACK => Ok(this.slack.get().now),
        prctl::PR_SET_CHILD_SUBREAPER => {
            table(|t| t.set_adopts(this.process.pid, argument != 0));
            Ok(0)
        }
        prctl::PR_GET_CHILD_SUBREAPER => {
            let adopts = table(|t| t.adopts(this.process.pid));
            UserPtr::<u32>::from(argument).write(u32::from(adopts))?;
            Ok(0)
        }
        prctl::PR_GET_DUMPABLE => Ok(u64::from(this.process.space().is_dumpable.get())),
        prctl::PR_SET_DUMPABLE => {
            // The third value, "by root only", is not for a program to choose.
            sets::DUMPABLE.choice(argument).filter(|choice| choice.bits == argument).ok_or(Errno::EINVAL)?;
            this.process.space().is_dumpable.set(argument != 0);
            Ok(0)
        }
        prctl::PR_CAPBSET_READ
        | prctl::PR_CAPBSET_DROP
        | prctl::PR_GET_KEEPCAPS
        | prctl::PR_SET_KEEPCAPS
        | prctl::PR_GET_SECUREBITS
        | prctl::PR_CAP_AMBIENT => {
            super::capabilities::control(uint(option), [argument, second, third, fourth])
        }
        prctl::PR_SET_NO_NEW_PRIVS if [argument, second, third, fourth] == [1, 0, 0, 0] => {
            this.process.credentials.borrow_mut().gains_nothing = true;
            Ok(0)
        }
        prctl::PR_GET_NO_NEW_PRIVS if [argument, second, third, fourth] == [0; 4] => {
            Ok(u64::from(this.process.credentials.borrow().gains_nothing))
        }
        prctl::PR_GET_TID_ADDRESS => {
            UserPtr::<u64>::from(argument).write(this.clear_child_tid.get())?;
            Ok(0)
        }
        prctl::PR_GET_AUXV if [third, fourth] == [0; 2] => {
            let auxv = this.process.program.borrow().auxv.clone();
            user::copy_out(argument, &auxv[..auxv.len().min(super::length(second))])?;
            Ok(auxv.len() as u64)
        }
        // No page is huge, whether it may be or not.
        prctl::PR_SET_THP_DISABLE if [second, third, fourth] == [0; 3] => {
            this.process.refuses_huge_pages.set(argument != 0);
            Ok(0)
        }
        prctl::PR_GET_THP_DISABLE if [argument, second, third, fourth] == [0; 4] => {
            Ok(u64::from(this.process.refuses_huge_pages.get()))
        }
        // Time is told by statistics, calls are not filtered, nobody counts events, and memory does not break.
        prctl::PR_GET_TIMING | prctl::PR_GET_SECCOMP => Ok(0),
        prctl::PR_SET_TIMING if u64::from(prctl::PR_TIMING_STATISTICAL) == argument => Ok(0),
        prctl::PR_TASK_PERF_EVENTS_ENABLE | prctl::PR_TASK_PERF_EVENTS_DISABLE => Ok(0),
        prctl::PR_MCE_KILL_GET if [argument, second, third, fourth] == [0; 4] => {
            Ok(prctl::PR_MCE_KILL_DEFAULT.into())
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

pub fn sched_yield(_: Arguments) -> Outcome {
    wait::yield_hart();
    Ok(0)
}
