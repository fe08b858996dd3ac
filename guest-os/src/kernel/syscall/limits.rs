//! Resource limits. Which are enforced, and which only remembered, says `abi::sets::RLIMIT`.

use super::{Arguments, Outcome, int, length, uint};
use crate::hart::current;
use crate::memory::mem;
use crate::memory::user::UserPtr;
use crate::processes::process::{self, Process, SharedSpace};
use ::proc::{CapSet, SigInfo, Signal};
use fs::Errno;
use isa::PAGE_SIZE;
use linux_raw_sys::general as linux;
use mm::PageRange;

/// Limits there are.
pub const COUNT: usize = 16;
/// Soft limit of open files.
pub const OPEN_FILES: u32 = 1024;
/// Hard limit of open files.
const OPEN_FILES_MAX: u64 = 4096;
/// Signals that may wait for the processes of a user, and timers that they may have.
const QUEUED_SIGNALS: u64 = 1024;
const INFINITY: u64 = u64::MAX;

/// The first process's limits: Linux's defaults.
const INITIAL: [(u64, u64); COUNT] = {
    let mut limits = [(INFINITY, INFINITY); COUNT];
    limits[linux::RLIMIT_STACK as usize] = (mm::layout::STACK_LIMIT_PAGES * PAGE_SIZE, INFINITY);
    limits[linux::RLIMIT_CORE as usize] = (0, INFINITY);
    limits[linux::RLIMIT_NOFILE as usize] = (OPEN_FILES as u64, OPEN_FILES_MAX);
    limits[linux::RLIMIT_MEMLOCK as usize] = (8 << 20, 8 << 20);
    limits[linux::RLIMIT_SIGPENDING as usize] = (QUEUED_SIGNALS, QUEUED_SIGNALS);
    limits[linux::RLIMIT_MSGQUEUE as usize] = (819_200, 819_200);
    limits[linux::RLIMIT_NICE as usize] = (0, 0);
    limits[linux::RLIMIT_RTPRIO as usize] = (0, 0);
    limits
};

pub fn getrlimit([resource, limit, ..]: Arguments) -> Outcome {
    prlimit64([0, resource, 0, limit, 0, 0])
}

pub fn setrlimit([resource, limit, ..]: Arguments) -> Outcome {
    prlimit64([0, resource, limit, 0, 0, 0])
}

pub fn prlimit64([pid, resource, new, old, ..]: Arguments) -> Outcome {
    // The program's memory first, since reading it may sleep: the process that is asked about may end meanwhile.
    let new = UserPtr::<[u64; 2]>::from(new).non_null().map(UserPtr::read).transpose()?;
    let before = exchange(int(pid), uint(resource), new)?;
    if let Some(pointer) = UserPtr::<[u64; 2]>::from(old).non_null() {
        pointer.write([before.0, before.1])?;
    }
    Ok(0)
}

/// A process's limit (0: the running one's) as it is, and a new one in its place.
fn exchange(pid: i32, resource: u32, new: Option<[u64; 2]>) -> Result<(u64, u64), Errno> {
    let process = match pid {
        0 => current().process.clone(),
        pid => process::find(u32::try_from(pid).map_err(|_| Errno::ESRCH)?).ok_or(Errno::ESRCH)?,
    };
    let this = current();
    let caller = this.process.credentials.borrow();
    if process.pid != this.process.pid && !caller.may_limit(&process.credentials.borrow()) {
        return Err(Errno::EPERM);
    }
    let mut limits = process.limits.borrow_mut();
    let limit = limits.get_mut(resource as usize).ok_or(Errno::EINVAL)?;
    let before = *limit;
    let Some([soft, hard]) = new else { return Ok(before) };
    if soft > hard {
        return Err(Errno::EINVAL);
    }
    let is_raised = hard > before.1 && !caller.can(CapSet::SYS_RESOURCE);
    if is_raised || resource == linux::RLIMIT_NOFILE && hard > OPEN_FILES_MAX {
        return Err(Errno::EPERM);
    }
    *limit = (soft, hard);
    match resource {
        linux::RLIMIT_NOFILE => {
            if let Some(files) = process.files_if_any() {
                files.borrow_mut().set_limit(u32::try_from(soft).unwrap_or(u32::MAX));
            }
        }
        linux::RLIMIT_CPU => process.timers.limit((soft, hard)),
        linux::RLIMIT_RSS => {
            if let Some(space) = &*process.space.borrow() {
                space.borrow_mut().set_budget(&mut mem::memory(), pages_of(soft));
            }
        }
        linux::RLIMIT_STACK => {
            if let Some(space) = &*process.space.borrow() {
                space.borrow_mut().set_stack_limit_pages(soft / PAGE_SIZE);
            }
        }
        _ => {}
    }
    Ok(before)
}

/// How many pages a limit on memory (RLIMIT_RSS) allows; `None` if it is none.
fn pages_of(limit: u64) -> Option<u64> {
    (limit != INFINITY).then_some(limit / PAGE_SIZE)
}

/// How many pages of its own a process may have in memory.
pub fn budget_of(process: &Process) -> Option<u64> {
    pages_of(process.limits.borrow()[linux::RLIMIT_RSS as usize].0)
}

/// The first process's limits, if it may have so many pages of its own in memory at once (0: as many as it likes).
pub fn initial(process_frames: u64) -> [(u64, u64); COUNT] {
    let mut limits = INITIAL;
    if process_frames > 0 {
        limits[linux::RLIMIT_RSS as usize].0 = process_frames.saturating_mul(PAGE_SIZE);
    }
    limits
}

/// Whether the running process may have so many pages more in its address space, some of which may be in place of others (RLIMIT_AS).
/// ENOMEM.
pub fn check_space(space: &SharedSpace, more_pages: u64, replaced: Option<PageRange>) -> Result<(), Errno> {
    let (limit, _) = current().process.limits.borrow()[linux::RLIMIT_AS as usize];
    if limit == INFINITY {
        return Ok(());
    }
    let space = space.borrow();
    let vmas = space.vmas();
    let pages_within = |range: PageRange| {
        let parts = vmas.overlapping(range).map(|vma| {
            let (start, end) = (vma.range.start.max(range.start), vma.range.end.min(range.end));
            end.0 - start.0
        });
        parts.sum::<u64>()
    };
    let kept_pages = vmas.total_pages() - replaced.map_or(0, pages_within);
    if kept_pages.saturating_add(more_pages) > limit / PAGE_SIZE { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// Whether the running process's user may have one more thread (RLIMIT_NPROC). EAGAIN.
pub fn check_processes() -> Result<(), Errno> {
    let this = current();
    let (limit, _) = this.process.limits.borrow()[linux::RLIMIT_NPROC as usize];
    let credentials = this.process.credentials.borrow();
    if limit == INFINITY || credentials.may_have_any_processes() {
        return Ok(());
    }
    let user = credentials.user.real;
    let mut count = 0;
    process::each_living(|process| {
        // Who changes his credentials is not in the middle of it now.
        if process.credentials.borrow().user.real == user {
            count += process::table(|t| t.thread_count(process.pid)) as u64;
        }
    });
    process::each_zombie(|_, remains| count += u64::from(remains.user.real == user));
    if count < limit { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// Whether a signal may wait for a process, if it needs room: what waits for all processes of its user counts (RLIMIT_SIGPENDING).
pub fn has_room(process: &Process, info: &SigInfo) -> bool {
    !info.needs_room() || has_room_for_signal(process)
}

/// Whether one more signal may wait for a process, or one more timer be there that may send one.
pub fn has_room_for_signal(process: &Process) -> bool {
    let (limit, _) = process.limits.borrow()[linux::RLIMIT_SIGPENDING as usize];
    let user = process.credentials.borrow().user.real;
    let mut count = 0;
    process::each_living(|process| {
        if process.credentials.borrow().user.real == user {
            count += signals_of(process) as u64;
        }
    });
    count < limit
}

/// How many signals wait for a process and its threads, and how many timers it has. What waits is counted with its timer.
fn signals_of(process: &Process) -> usize {
    let (mut all, mut rung) = process.signals.borrow().counts();
    process::each_thread(process.pid, |thread| {
        let (more, more_rung) = thread.signals.borrow().counts();
        (all, rung) = (all + more, rung + more_rung);
    });
    // A program may say of its signals, too, that they are timers'.
    all - rung + rung.max(process.timers.alarms.count())
}

/// The longest file that the running process may make.
fn longest_file() -> u64 {
    current().process.limits.borrow()[linux::RLIMIT_FSIZE as usize].0
}

/// How many of `len` bytes, of which there are some, may go to `offset` of a file.
pub fn bytes_of_write(offset: u64, len: usize) -> Result<usize, Errno> {
    match longest_file().saturating_sub(offset) {
        0 => Err(too_long()),
        room => Ok(len.min(length(room))),
    }
}

/// Whether a file may grow to this length.
pub fn check_growth(len: u64) -> Result<(), Errno> {
    if len > longest_file() { Err(too_long()) } else { Ok(()) }
}

/// EFBIG, of which the thread is told by a signal, too.
#[cold]
fn too_long() -> Errno {
    let thread = current();
    thread.post(SigInfo::from_user(Signal::XFSZ, thread.process.pid));
    Errno::EFBIG
}
