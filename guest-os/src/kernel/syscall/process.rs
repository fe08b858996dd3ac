//! Processes: clone, execve, exit, wait4, groups and sessions.

use super::files::{details, open_file, start_of};
use super::{Arguments, Outcome, Stop, int, uint};
use crate::arch::TrapFrame;
use crate::devices::swap;
use crate::hart::current;
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::user::{self, UserPtr};
use crate::memory::{heap, mem};
use crate::processes::exec::{self, Request};
use crate::processes::exit;
use crate::processes::process::{self, Process, SharedSpace, Space, Start, table};
use crate::processes::thread::{self, Room, Slack, Thread};
use crate::processes::wait::{self, Channel, scheduler};
use crate::{arch, events};
use ::proc::{AltStack, ExitStatus, Pid, Signal, Strings, Tid};
use abi::sets;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::{Errno, Location};
use isa::events::{EventKind, EventRecord};
use linux_raw_sys::general as linux;
use linux_raw_sys::prctl;
use mm::{CopiedPage, PageRange};

/// What a thread shares with its process: all of it.
const SHARED: u32 =
    linux::CLONE_VM | linux::CLONE_FS | linux::CLONE_FILES | linux::CLONE_SIGHAND | linux::CLONE_THREAD;

/// Whether there are processes or threads as `clone` is asked to make: threads share everything, and processes no signal actions.
fn is_supported(flags: u32) -> bool {
    const FOR_THREADS: u32 = linux::CLONE_SIGHAND | linux::CLONE_THREAD;
    let is_thread = flags & (SHARED | linux::CLONE_VFORK) == SHARED;
    flags & FOR_THREADS == 0 || is_thread
}

pub fn clone([flags, stack, parent_tid, tls, child_tid, ..]: Arguments) -> Outcome {
    let exit_signal = Signal::new(flags & 0xff);
    let flags = uint(flags) & !0xff;
    if !is_supported(flags) {
        log::debug!(
            "clone with flags {flags:#x}: what is to be shared and what not is not supported (EINVAL)"
        );
        return Err(Errno::EINVAL.into());
    }
    if !heap::Share::may_be_made(swap::area().is_some()) {
        return Err(Errno::EAGAIN.into());
    }
    let start = child_start(&current(), flags, stack, tls);
    let child = match flags & linux::CLONE_THREAD {
        0 => new_process(start, exit_signal, flags)?,
        _ => new_thread(start)?,
    };
    if flags & linux::CLONE_CHILD_CLEARTID != 0 {
        child.clear_child_tid.set(child_tid);
    }
    if flags & linux::CLONE_CHILD_SETTID != 0 {
        child.set_child_tid.set(child_tid);
    }
    if flags & linux::CLONE_VFORK != 0 {
        child.process.borrows_space.set(true);
    }
    let (tid, pid) = (child.tid(), child.process.pid);
    // From here on it is known by its number only: it may end at any time, and nobody is to keep it then.
    drop(child);
    if flags & linux::CLONE_PARENT_SETTID != 0 {
        // As in Linux, a bad address is the program's loss.
        let _ = UserPtr::<u32>::from(parent_tid).write(tid.0);
    }
    scheduler(|s| s.make_runnable(tid));
    if flags & linux::CLONE_VFORK != 0 {
        wait_for_space(&current(), pid);
    }
    Ok(u64::from(tid.0))
}

/// What the new thread starts with: a copy of what the running one has.
fn child_start(parent: &Thread, flags: u32, stack: u64, tls: u64) -> thread::Start {
    // As in Linux: who shares memory with its maker, which goes on meanwhile, shares no stack with it.
    let runs_beside = flags & (linux::CLONE_VM | linux::CLONE_VFORK) == linux::CLONE_VM;
    parent.save_fp();
    let signals = parent.signals.borrow();
    thread::Start {
        frame: child_frame(&parent.frame.borrow(), flags, stack, tls),
        fp: parent.fp.borrow().clone(),
        signals: signals.inherited(if runs_beside { AltStack::NONE } else { signals.alt_stack }),
        name: parent.name.borrow().clone(),
        nice: parent.nice.get(),
        slack: parent.slack.get().now,
    }
}

/// One more thread of the running process.
#[inline(never)] // a frame of its own, not part of its caller's
fn new_thread(start: thread::Start) -> Result<Rc<Thread>, Errno> {
    let process = current().process.clone();
    let room = Room::new().map_err(|_| Errno::EAGAIN)?;
    let tid = table(|t| t.allocate_pid()).map(Tid).ok_or(Errno::EAGAIN)?;
    process.has_had_threads.set(true);
    let child = thread::create(tid, process, room, start);
    events::report(EventRecord { detail: u64::from(tid.0), ..events::of(EventKind::Thread) });
    Ok(child)
}

/// Whose child a new process is, and what tells of its end: as it is asked, or as with its maker (CLONE_PARENT).
fn family_of(maker: Pid, exit_signal: Option<Signal>, flags: u32) -> Result<(Pid, Option<Signal>), Errno> {
    if flags & linux::CLONE_PARENT == 0 {
        return Ok((maker, exit_signal));
    }
    match table(|t| (t.parent(maker), t.exit_signal(maker))) {
        // As in Linux, the first process has no brothers.
        (0, _) => Err(Errno::EINVAL),
        family => Ok(family),
    }
}

/// A child of the running process, or of its parent, with one thread.
#[inline(never)] // a frame of its own, not part of its caller's
fn new_process(start: thread::Start, exit_signal: Option<Signal>, flags: u32) -> Result<Rc<Thread>, Errno> {
    let parent = &current().process;
    let (mother, exit_signal) = family_of(parent.pid, exit_signal, flags)?;
    let bytes = parent.space().borrow().fork_bytes(&mem::memory());
    let _prepared = heap::prepare(bytes)?;
    let (space, inherited) = child_space(parent, flags)?;
    let child_space = u64::from(space.borrow().id().0);
    let shares_files = flags & linux::CLONE_FILES != 0;
    let files = if shares_files { Ok(parent.files()) } else { process::copy_of(&parent.files()) };
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            process::release_space(space);
            return Err(error);
        }
    };
    let start = Start {
        thread: start,
        space: Some(space),
        files,
        signals: parent.signals.borrow().forked(),
        fs: if flags & linux::CLONE_FS != 0 { parent.fs.clone() } else { Rc::new((*parent.fs).clone()) },
        credentials: parent.credentials.borrow().clone(),
        terminal: parent.terminal.get(),
        program: parent.program.borrow().clone(),
        oom_score_adj: (parent.oom_score_adj.get(), parent.oom_score_adj_least.get()),
        limits: parent.limits.borrow().clone(),
    };
    let child = process::create(mother, exit_signal, Box::new(start)).map_err(|(error, start)| {
        undo(start);
        error
    })?;
    if shares_files {
        [parent, &child.process].into_iter().for_each(|process| process.has_had_threads.set(true));
    }
    let record = EventRecord {
        detail: u64::from(child.process.pid),
        detail2: child.process.satp().0,
        detail3: child_space,
        flags: u64::from(flags),
        ..events::of(EventKind::Fork)
    };
    events::report(record);
    for range in inherited.shared {
        let record = events::range(EventKind::CowShare, range.range);
        events::report(EventRecord { detail: range.frames, detail2: child_space, ..record });
        if range.copies > 0 {
            tell_of_copies(&parent.space(), &child.process.space(), range.range);
        }
    }
    for left_out in inherited.left_out {
        let kind = if left_out.keeps_vma { EventKind::Discard } else { EventKind::Munmap };
        let (pid, space) = (u64::from(child.process.pid), child.process.space_id());
        events::report(EventRecord { pid, tid: pid, space, ..events::range(kind, left_out.range) });
    }
    Ok(child)
}

/// Tells of each page of a range of which the child has a copy.
#[cold]
fn tell_of_copies(parent: &SharedSpace, child: &SharedSpace, range: PageRange) {
    let (parent, child) = (parent.borrow(), child.borrow());
    let mut rest = range;
    loop {
        let next = child.next_copy(&mem::memory(), &parent, rest);
        let Some(CopiedPage { vpn, copy, original }) = next else { return };
        events::report(EventRecord {
            va: vpn.base().0,
            frame: copy.ppn().0,
            previous_frame: original.ppn().0,
            detail2: u64::from(child.id().0),
            ..events::of(EventKind::ForkCopy)
        });
        rest.start = isa::Vpn(vpn.0 + 1);
    }
}

/// What a child has of its parent's pages, and what not.
#[derive(Default)]
struct Inherited {
    shared: Vec<mm::address_space::SharedRange>,
    left_out: Vec<mm::address_space::LeftOut>,
}

/// Waits until a child has given back the address space that it has borrowed, if it has. SIGKILL ends the wait.
fn wait_for_space(parent: &Thread, child: Pid) {
    let borrows = || process::find(child).is_some_and(|child| child.borrows_space.get());
    while borrows() && !parent.is_killed() {
        let channels = alloc::vec![Channel::Vfork(child), Channel::Continue(parent.process.pid)];
        wait::sleep_on(channels, None, false);
    }
}

/// The child's address space: the parent's own (CLONE_VM) or a copy-on-write copy, with what has become of the ranges.
#[inline(never)] // a frame of its own, not part of its caller's
fn child_space(parent: &Process, flags: u32) -> Result<(SharedSpace, Inherited), Errno> {
    let space = parent.space();
    if flags & linux::CLONE_VM != 0 {
        return Ok((space, Inherited::default()));
    }
    let (id, asid) = mem::allocate_space_name().ok_or(Errno::EAGAIN)?;
    let forked = reclaim::with_room(AtTheEnd::Fail, |memory| {
        let forked = space.borrow_mut().fork(memory, id, asid, Some(arch::kernel_root()));
        if forked.is_err() {
            // It may have lost W bits already, and others run before it is tried again.
            mem::apply(mm::Flush::All, space.borrow().asid());
        }
        forked
    });
    match forked {
        Ok(report) => {
            mem::apply(report.flush, space.borrow().asid());
            let inherited = Inherited { shared: report.shared, left_out: report.left_out };
            Ok((Space::new(report.child, space.is_dumpable.get()), inherited))
        }
        Err(_) => {
            mem::free_asid(asid);
            Err(Errno::ENOMEM)
        }
    }
}

fn child_frame(parent: &Box<TrapFrame>, flags: u32, stack: u64, tls: u64) -> Box<TrapFrame> {
    let mut frame = parent.clone();
    frame.x[10] = 0;
    if stack != 0 {
        frame.x[2] = stack;
    }
    if flags & linux::CLONE_SETTLS != 0 {
        frame.x[4] = tls;
    }
    frame
}

/// Gives back what a child that can't be made had taken over.
fn undo(start: Box<Start>) {
    let Start { files, space, .. } = *start;
    if let Some(files) = Rc::into_inner(files) {
        super::files::close_all(files.into_inner(), super::files::close_file);
    }
    if let Some(space) = space {
        process::release_space(space);
    }
}

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
    if int(group) < 0 {
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
        _ => Err(Errno::EINVAL.into()),
    }
}

pub fn sched_yield(_: Arguments) -> Outcome {
    wait::yield_hart();
    Ok(0)
}
