//! Descriptors of processes: `pidfd_open`, `pidfd_send_signal`, and `waitid` by one.
//!
//! A descriptor means the process that it was made for, also when another one has got its number.

use super::files::{Reserved, file_to_use, opened};
use super::signals::{queued_info, send_to, signal_of};
use super::{Arguments, Outcome, int, uint};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::processes::process::{self, table};
use ::proc::{Pid, SigInfo, Tid};
use fs::{Anonymous, Errno, OpenFlags};

/// The birth of one that has ended already: nobody is as young.
const ENDED: u64 = u64::MAX;

pub fn pidfd_open([pid, flags, ..]: Arguments) -> Outcome {
    let pid = u32::try_from(int(pid)).ok().filter(|&pid| pid > 0).ok_or(Errno::EINVAL)?;
    let birth = match process::find(pid) {
        Some(process) => process.start_ticks,
        None if process::remains(pid).is_some() => ENDED,
        // A thread that is not its process's first.
        None if table(|t| t.thread(Tid(pid))).is_some() => return Err(Errno::EINVAL.into()),
        None => return Err(Errno::ESRCH.into()),
    };
    let reserved = Reserved::new(0)?;
    let flags = OpenFlags::from_bits_retain(uint(flags));
    let id = open_files().create_anonymous(Anonymous::Process { pid, birth }, flags);
    Ok(u64::from(reserved.fill(id, true)))
}

/// Whether a process has ended, if another one has its number or not.
pub fn has_ended(pid: Pid, birth: u64) -> bool {
    process::find(pid).is_none_or(|process| process.start_ticks != birth)
}

/// The process behind a descriptor, and whether a wait for it is not to wait. EBADF if it is another file; `None` if another process
/// has the number by now.
pub fn process_of(fd: u64) -> Result<(Option<Pid>, bool), Errno> {
    let id = file_to_use(fd)?;
    let files = open_files();
    let Ok((&Anonymous::Process { pid, birth }, _)) = files.anonymous(id) else { return Err(Errno::EBADF) };
    let is_another = process::find(pid).is_some_and(|process| process.start_ticks != birth);
    Ok(((!is_another).then_some(pid), files.get(id).flags.contains(OpenFlags::NONBLOCK)))
}

pub fn pidfd_send_signal([fd, number, info, flags, ..]: Arguments) -> Outcome {
    if uint(flags) != 0 {
        return Err(Errno::EINVAL.into());
    }
    // Before there were descriptors of processes, their folders below /proc were used so.
    let pid = match opened(fd)?.location.and_then(|folder| folder.inode.process()) {
        Some(pid) => Some(pid),
        None => process_of(fd)?.0,
    };
    let pid = pid.ok_or(Errno::ESRCH)?;
    let info = match info {
        0 => signal_of(number)?.map(|signal| SigInfo::from_user(signal, current().process.pid)),
        address => queued_info(number, address, pid)?,
    };
    send_to(pid, info)
}
