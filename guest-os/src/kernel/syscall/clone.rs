//! `clone` and `clone3`: threads and processes. What they ask for is read and judged by [`CloneRequest`].

use super::files::{self, Reserved};
use super::{Arguments, Outcome, limits};
use crate::arch::TrapFrame;
use crate::devices::swap;
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::user::{self, UserPtr};
use crate::memory::{heap, mem};
use crate::processes::process::{self, Process, SharedSpace, Space, Start, table, take_number};
use crate::processes::thread::{self, Room, Thread};
use crate::processes::wait::{self, Channel, scheduler};
use crate::{arch, events};
use ::proc::{
    AltStack, CLONE_ARGS_LEAST_BYTES, CLONE_ARGS_WORDS, CapSet, CloneRequest, Pid, ProcessSignals, Signal,
    Tid, number_to_have,
};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::{Anonymous, Errno, OpenFlags};
use isa::events::{EventKind, EventRecord};
use linux_raw_sys::general as linux;
use mm::{CopiedPage, PageRange};

pub fn clone([flags, stack, parent_tid, tls, child_tid, ..]: Arguments) -> Outcome {
    make(&CloneRequest::of_clone([flags, stack, parent_tid, tls, child_tid])?)
}

pub fn clone3([arguments, size, ..]: Arguments) -> Outcome {
    let mut words = [0; CLONE_ARGS_WORDS];
    user::copy_struct(arguments, size, CLONE_ARGS_LEAST_BYTES, &mut words)?;
    make(&CloneRequest::of_clone3(&words)?)
}

/// Namespaces are an administrator's, and there are none.
pub fn refuse_namespaces() -> Errno {
    let may = current().process.credentials.borrow().can(CapSet::SYS_ADMIN);
    if may { Errno::EINVAL } else { Errno::EPERM }
}

/// The number that the new one is to have, if its maker has a wish.
fn number_of(request: &CloneRequest) -> Result<Option<Pid>, Errno> {
    let (numbers, count) = request.numbers;
    if count == 0 {
        return Ok(None);
    }
    let number = number_to_have(UserPtr::<i32>::from(numbers).read()?)?;
    let may = CapSet::SYS_ADMIN | CapSet::CHECKPOINT_RESTORE;
    if current().process.credentials.borrow().can(may) { Ok(Some(number)) } else { Err(Errno::EPERM) }
}

/// Room for the descriptor of a new process, its number told already (CLONE_PIDFD).
fn descriptor_for(request: &CloneRequest) -> Result<Option<Reserved>, Errno> {
    if !request.has(linux::CLONE_PIDFD) {
        return Ok(None);
    }
    let reserved = Reserved::new(0)?;
    UserPtr::<u32>::from(request.pidfd).write(reserved.fd())?;
    Ok(Some(reserved))
}

fn make(request: &CloneRequest) -> Outcome {
    if request.wants_namespaces() {
        return Err(refuse_namespaces().into());
    }
    let number = number_of(request)?;
    limits::check_processes()?;
    let descriptor = descriptor_for(request)?;
    if !heap::Share::may_be_made(swap::area().is_some()) {
        return Err(Errno::EAGAIN.into());
    }
    let start = child_start(&current(), request);
    let child = match request.has(linux::CLONE_THREAD) {
        false => new_process(start, request, number)?,
        true => new_thread(start, number)?,
    };
    if request.has(linux::CLONE_CHILD_CLEARTID) {
        child.clear_child_tid.set(request.child_tid);
    }
    if request.has(linux::CLONE_CHILD_SETTID) {
        child.set_child_tid.set(request.child_tid);
    }
    if request.has(linux::CLONE_VFORK) {
        child.process.borrows_space.set(true);
    }
    let (tid, pid) = (child.tid(), child.process.pid);
    if let Some(reserved) = descriptor {
        let birth = child.process.start_ticks;
        let file = Anonymous::Process { pid, birth };
        let id = open_files().create_anonymous(file, OpenFlags::empty());
        reserved.fill(id, true);
    }
    // From here on it is known by its number only: it may end at any time, and nobody is to keep it then.
    drop(child);
    if request.has(linux::CLONE_PARENT_SETTID) {
        // As in Linux, a bad address is the program's loss.
        let _ = UserPtr::<u32>::from(request.parent_tid).write(tid.0);
    }
    scheduler(|s| s.make_runnable(tid));
    if request.has(linux::CLONE_VFORK) {
        wait_for_space(&current(), pid);
    }
    Ok(u64::from(tid.0))
}

/// What the new thread starts with: a copy of what the running one has.
fn child_start(parent: &Thread, request: &CloneRequest) -> thread::Start {
    // As in Linux: who shares memory with its maker, which goes on meanwhile, shares no stack with it.
    let runs_beside = request.has(linux::CLONE_VM) && !request.has(linux::CLONE_VFORK);
    parent.save_fp();
    let signals = parent.signals.borrow();
    thread::Start {
        frame: child_frame(&parent.frame.borrow(), request),
        fp: parent.fp.borrow().clone(),
        signals: signals.inherited(if runs_beside { AltStack::NONE } else { signals.alt_stack }),
        name: parent.name.borrow().clone(),
        scheduling: parent.scheduling.get().of_child(),
        slack: parent.slack.get().now,
        persona: parent.persona.get(),
    }
}

/// One more thread of the running process.
#[inline(never)] // a frame of its own, not part of its caller's
fn new_thread(start: thread::Start, number: Option<Pid>) -> Result<Rc<Thread>, Errno> {
    let process = current().process.clone();
    let room = Room::new().map_err(|_| Errno::EAGAIN)?;
    let tid = Tid(take_number(number)?);
    process.has_had_threads.set(true);
    let child = thread::create(tid, process, room, start);
    events::report(EventRecord { detail: u64::from(tid.0), ..events::of(EventKind::Thread) });
    Ok(child)
}

/// Whose child a new process is, and what tells of its end: as it is asked, or as with its maker (CLONE_PARENT).
fn family_of(maker: Pid, request: &CloneRequest) -> Result<(Pid, Option<Signal>), Errno> {
    if !request.has(linux::CLONE_PARENT) {
        return Ok((maker, request.exit_signal));
    }
    match table(|t| (t.parent(maker), t.exit_signal(maker))) {
        // As in Linux, the first process has no brothers.
        (0, _) => Err(Errno::EINVAL),
        family => Ok(family),
    }
}

/// A child of the running process, or of its parent, with one thread.
#[inline(never)] // a frame of its own, not part of its caller's
fn new_process(
    start: thread::Start,
    request: &CloneRequest,
    number: Option<Pid>,
) -> Result<Rc<Thread>, Errno> {
    let parent = &current().process;
    let (mother, exit_signal) = family_of(parent.pid, request)?;
    let bytes = parent.space().borrow().fork_bytes(&mem::memory());
    let _prepared = heap::prepare(bytes)?;
    let (space, inherited) = child_space(parent, request)?;
    let child_space = u64::from(space.borrow().id().0);
    let shares_files = request.has(linux::CLONE_FILES);
    let files = if shares_files { Ok(parent.files()) } else { process::copy_of(&parent.files()) };
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            process::release_space(space);
            return Err(error);
        }
    };
    let start = Start {
        number,
        thread: start,
        space: Some(space),
        files,
        signals: signals_of(parent, request),
        fs: if request.has(linux::CLONE_FS) { parent.fs.clone() } else { Rc::new((*parent.fs).clone()) },
        credentials: parent.credentials.borrow().clone(),
        program: parent.program.borrow().clone(),
        terminal: parent.terminal.get(),
        oom_score_adj: (parent.oom_score_adj.get(), parent.oom_score_adj_least.get()),
        refuses_huge_pages: parent.refuses_huge_pages.get(),
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
        flags: request.flags,
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
fn child_space(parent: &Process, request: &CloneRequest) -> Result<(SharedSpace, Inherited), Errno> {
    let space = parent.space();
    if request.has(linux::CLONE_VM) {
        return Ok((space, Inherited::default()));
    }
    let (id, asid) = mem::allocate_space_name().ok_or(Errno::EAGAIN)?;
    let fork = || {
        let forked = space.borrow_mut().fork(&mut mem::memory(), id, asid, Some(arch::kernel_root()));
        if forked.is_err() {
            // It may have lost W bits already, and others run before it is tried again.
            mem::apply(mm::Flush::All, space.borrow().asid());
        }
        forked
    };
    let forked = fork().or_else(|_| {
        // Begun once more when there is room for all of it: what is done by halves has to be undone each time.
        let frames = space.borrow().frames_to_fork(&mem::memory());
        reclaim::wait_for_frames(frames, AtTheEnd::Fail)?;
        fork()
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

fn child_frame(parent: &Box<TrapFrame>, request: &CloneRequest) -> Box<TrapFrame> {
    let mut frame = parent.clone();
    frame.x[10] = 0;
    if request.stack_top != 0 {
        frame.x[2] = request.stack_top;
    }
    if request.has(linux::CLONE_SETTLS) {
        frame.x[4] = request.tls;
    }
    frame
}

/// What a child does with signals: what its maker does, now (CLONE_SIGHAND: from now on), or what is done by default (CLONE_CLEAR_SIGHAND).
fn signals_of(parent: &Process, request: &CloneRequest) -> ProcessSignals {
    let signals = parent.signals.borrow();
    if request.has(linux::CLONE_SIGHAND) {
        return signals.shared();
    }
    let mut own = signals.forked();
    if request.clears_actions() {
        own.forget_handlers();
    }
    own
}

/// Gives back what a child that can't be made had taken over.
fn undo(start: Box<Start>) {
    let Start { files, space, .. } = *start;
    if let Some(files) = Rc::into_inner(files) {
        files::close_all(files.into_inner(), files::close_file);
    }
    if let Some(space) = space {
        process::release_space(space);
    }
}
