//! Processes: clone, execve, exit, wait4, groups and sessions.

use super::{Arguments, Outcome, Stop, int, uint};
use crate::arch::TrapFrame;
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::memory::{heap, mem};
use crate::processes::exec::{self, Request};
use crate::processes::exit;
use crate::processes::process::{self, Process, SharedSpace, Space, Start, table};
use crate::processes::thread::{self, Room, Thread};
use crate::processes::wait::{self, Channel, WaitOutcome, scheduler};
use crate::{arch, events};
use ::proc::{AltStack, ExitStatus, Pid, Strings, Tid, WaitFor};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::Errno;
use isa::events::{EventKind, EventRecord};
use linux_raw_sys::general as linux;
use linux_raw_sys::prctl;

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
    let signal = u8::try_from(flags & 0xff).unwrap_or(0);
    let flags = uint(flags) & !0xff;
    if !is_supported(flags) {
        log::warn!(
            "clone with flags {flags:#x}: what is to be shared and what not is not supported (EINVAL)"
        );
        return Err(Errno::EINVAL.into());
    }
    if !heap::Share::may_be_made() {
        return Err(Errno::EAGAIN.into());
    }
    let start = child_start(&current(), flags, stack, tls);
    let child = match flags & linux::CLONE_THREAD {
        0 => new_process(start, signal, flags)?,
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

/// A child of the running process, with one thread.
#[inline(never)] // a frame of its own, not part of its caller's
fn new_process(start: thread::Start, exit_signal: u8, flags: u32) -> Result<Rc<Thread>, Errno> {
    let parent = &current().process;
    /// What a VMA costs at most: its part of the trees' nodes (VMAs, files, gaps), and of the list of what is shared.
    const VMA_BYTES: usize = 512;
    let _prepared = heap::prepare(parent.space().borrow().vmas().len() * VMA_BYTES)?;
    let files = parent.files.borrow().try_clone().map_err(|_| Errno::ENOMEM)?;
    let (space, inherited) = child_space(parent, flags)?;
    let child_space = u64::from(space.borrow().id().0);
    for (_, id) in files.iter() {
        open_files().duplicate(id);
    }
    let start = Start {
        thread: start,
        space: Some(space),
        files,
        signals: parent.signals.borrow().forked(),
        cwd: parent.cwd.borrow().clone(),
        umask: parent.umask.get(),
        program: parent.program.borrow().clone(),
        limits: parent.limits.borrow().clone(),
    };
    let child = process::create(parent.pid, Box::new(start)).map_err(|(error, start)| {
        undo(start);
        error
    })?;
    child.process.exit_signal.set(exit_signal);
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
    }
    for left_out in inherited.left_out {
        let kind = if left_out.keeps_vma { EventKind::Discard } else { EventKind::Munmap };
        let (pid, space) = (u64::from(child.process.pid), child.process.space_id());
        events::report(EventRecord { pid, tid: pid, space, ..events::range(kind, left_out.range) });
    }
    Ok(child)
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
    let forked = space.borrow_mut().fork(&mut mem::memory(), id, asid, Some(arch::kernel_root()));
    match forked {
        Ok(report) => {
            mem::apply(report.flush, space.borrow().asid());
            let inherited = Inherited { shared: report.shared, left_out: report.left_out };
            Ok((Space::new(report.child), inherited))
        }
        Err(_) => {
            mem::apply(mm::Flush::All, space.borrow().asid());
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
    let mut start = start;
    while let Some((_, file)) = start.files.take_next(0, false) {
        super::files::close_file(file);
    }
    if let Some(space) = start.space.take() {
        process::release_space(space);
    }
}

pub fn execve([path, argv, envp, ..]: Arguments) -> Outcome {
    let path = user::read_path(path)?;
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
    exec::execute(Request { at: current().process.cwd(), path, argv, envp })?;
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

pub fn wait4([pid, status, options, usage, ..]: Arguments) -> Outcome {
    let options = uint(options);
    let this = &current().process;
    let which = match int(pid) {
        -1 => WaitFor::Any,
        0 => WaitFor::Group(table(|t| t.group(this.pid)).unwrap_or(0)),
        pid if pid > 0 => WaitFor::Process(pid.unsigned_abs()),
        group => WaitFor::Group(group.unsigned_abs()),
    };
    loop {
        let found = table(|t| t.find_ended(this.pid, which)).map_err(|_| Errno::ECHILD)?;
        if let Some((child, ended)) = found {
            return reap(this, child, ended, status, usage);
        }
        if let Some((child, word)) = stopped_child(this.pid, which, options) {
            if let Some(pointer) = UserPtr::<u32>::from(status).non_null() {
                pointer.write(word)?;
            }
            return Ok(u64::from(child));
        }
        if options & linux::WNOHANG != 0 {
            return Ok(0);
        }
        if wait::sleep_on(alloc::vec![Channel::Child(this.pid)], None, true) == WaitOutcome::Interrupted {
            return Err(Stop::Signal(true));
        }
    }
}

fn reap(this: &Process, child: Pid, ended: ExitStatus, status: u64, usage: u64) -> Outcome {
    if let Some(pointer) = UserPtr::<u32>::from(status).non_null() {
        pointer.write(ended.to_wait_status())?;
    }
    if usage != 0 {
        super::system::write_usage(usage, &process::ended_usage(child))?;
    }
    table(|t| t.reap(child));
    let mut sum = this.children_usage.get();
    sum.add(&process::forget_usage(child));
    this.children_usage.set(sum);
    Ok(u64::from(child))
}

/// A child that has stopped or gone on since the last call, if `options` ask for it, with its status word.
fn stopped_child(parent: Pid, which: WaitFor, options: u32) -> Option<(Pid, u32)> {
    table(|t| {
        let mut children = t.children(parent).filter(|&pid| t.is_child(pid, parent, which));
        children.find_map(|pid| changed_child(pid, &*t.get(pid)?, options))
    })
}

fn changed_child(pid: Pid, child: &Process, options: u32) -> Option<(Pid, u32)> {
    const CONTINUED: u32 = 0xffff;
    match child.stopped.get() {
        Some(signal) if options & linux::WUNTRACED != 0 && child.stop_unreported.take() => {
            Some((pid, u32::from(signal.number()) << 8 | 0x7f))
        }
        _ if options & linux::WCONTINUED != 0 && child.continue_unreported.take() => Some((pid, CONTINUED)),
        _ => None,
    }
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

pub fn getresuid([real, effective, saved, ..]: Arguments) -> Outcome {
    for pointer in [real, effective, saved] {
        UserPtr::<u32>::from(pointer).write(0)?;
    }
    Ok(0)
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
    if pid != this && !table(|t| t.is_child(pid, this, WaitFor::Any)) {
        return Err(Errno::ESRCH.into());
    }
    if table(|t| t.set_group(pid, group)) { Ok(0) } else { Err(Errno::EPERM.into()) }
}

pub fn setsid(_: Arguments) -> Outcome {
    let pid = current().process.pid;
    if table(|t| t.new_session(pid)) { Ok(u64::from(pid)) } else { Err(Errno::EPERM.into()) }
}

pub fn set_tid_address([address, ..]: Arguments) -> Outcome {
    let this = current();
    this.clear_child_tid.set(address);
    Ok(u64::from(this.tid().0))
}

/// The list of futexes to release at exit is not walked (a thread's death frees no lock of others), only checked.
pub fn set_robust_list([_, len, ..]: Arguments) -> Outcome {
    let expected = size_of::<linux_raw_sys::general::robust_list_head>() as u64;
    if len == expected { Ok(0) } else { Err(Errno::EINVAL.into()) }
}

pub fn prctl([option, argument, ..]: Arguments) -> Outcome {
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
        prctl::PR_GET_DUMPABLE | prctl::PR_CAPBSET_READ => Ok(1),
        prctl::PR_SET_DUMPABLE
        | prctl::PR_SET_PDEATHSIG
        | prctl::PR_SET_NO_NEW_PRIVS
        | prctl::PR_SET_CHILD_SUBREAPER => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

pub fn sched_yield(_: Arguments) -> Outcome {
    wait::yield_hart();
    Ok(0)
}

pub fn sched_getaffinity([pid, len, mask, ..]: Arguments) -> Outcome {
    const MASK_BYTES: u64 = 8;
    if len < MASK_BYTES || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL.into());
    }
    or_self(pid)?;
    UserPtr::<u64>::from(mask).write(1)?;
    Ok(MASK_BYTES)
}
