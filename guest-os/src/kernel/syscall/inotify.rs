//! Lists of what happens to files: `inotify_init1`, `inotify_add_watch`, `inotify_rm_watch`. What is told, and when, is in `fs`.

use super::files::{Reserved, file_to_use};
use super::spans::{Cursor, Span};
use super::{Arguments, Outcome, Stop, int, names, uint};
use crate::files::ready::{Patience, attempt};
use crate::files::vfs::{self, open_files};
use crate::memory::mem::FRAME_BYTES;
use crate::memory::user::UserPtr;
use crate::settings::setting;
use fs::{Anonymous, Errno, IfWatched, Inotify, Notice, OpenFileId, OpenFlags, Setting};
use linux_raw_sys::general as linux;

pub fn inotify_init1([flags, ..]: Arguments) -> Outcome {
    let flags = OpenFlags::from_bits_retain(uint(flags));
    if open_files().count_watching().0 as u64 >= setting(Setting::INOTIFY_INSTANCES) {
        return Err(Errno::EMFILE.into());
    }
    let reserved = Reserved::new(0)?;
    let list = Inotify::new(setting(Setting::INOTIFY_EVENTS));
    let id = open_files().create_anonymous(Anonymous::Inotify(list), flags);
    Ok(u64::from(reserved.fill(id, flags.contains(OpenFlags::CLOEXEC))))
}

/// A list of events by its descriptor. EINVAL if it is another file.
fn list_of(fd: u64) -> Result<OpenFileId, Errno> {
    let id = file_to_use(fd)?;
    match open_files().anonymous(id)?.0 {
        Anonymous::Inotify(_) => Ok(id),
        _ => Err(Errno::EINVAL),
    }
}

pub fn inotify_add_watch([fd, path, mask, ..]: Arguments) -> Outcome {
    let mask = uint(mask);
    let if_watched = match (mask & linux::IN_MASK_ADD != 0, mask & linux::IN_MASK_CREATE != 0) {
        (true, true) => return Err(Errno::EINVAL.into()),
        (true, false) => IfWatched::Add,
        (false, true) => IfWatched::Fail,
        (false, false) => IfWatched::Replace,
    };
    let wanted = Notice::from_bits_truncate(mask);
    if mask == 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = list_of(fd)?;
    let follows = if mask & linux::IN_DONT_FOLLOW == 0 { 0 } else { linux::AT_SYMLINK_NOFOLLOW };
    let inode = names::find(linux::AT_FDCWD as u64, path, follows)?.inode;
    if mask & linux::IN_ONLYDIR != 0 && !inode.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    let mut vfs = vfs::lock();
    vfs.check_access(&inode, linux::R_OK)?;
    let most = setting(Setting::INOTIFY_WATCHES);
    let watch = open_files().watch_file(id, inode.id(), wanted, if_watched, most)?;
    vfs.keep_happenings(true);
    Ok(u64::from(watch.unsigned_abs()))
}

pub fn inotify_rm_watch([fd, watch, ..]: Arguments) -> Outcome {
    let id = list_of(fd)?;
    open_files().unwatch_file(id, int(watch))?;
    Ok(0)
}

/// `read` and its kin: as many events as there are and as there is room for. Waits for the first one.
pub fn read(id: OpenFileId, spans: &[Span], room: usize, patience: Patience) -> Outcome {
    let mut done = 0;
    loop {
        let piece = (room - done).min(FRAME_BYTES);
        let may_wait = if done == 0 { patience } else { Patience::NONE };
        let (bytes, end) = match attempt(may_wait, |files| files.events(id, piece)) {
            Ok(found) => found,
            Err(Stop::Errno(_)) if done > 0 => return Ok(done as u64),
            Err(stop) => return Err(stop),
        };
        let mut cursor = Cursor::new(spans);
        cursor.skip(done);
        if cursor.scatter(&bytes)? != bytes.len() {
            return Err(Errno::EFAULT.into());
        }
        // As with a pipe: another reader may have had them while they were copied.
        if open_files().take_events(id, bytes.len(), end)? {
            done += bytes.len();
        }
    }
}

/// FIONREAD: how many bytes of events there are.
pub fn tell_bytes(id: OpenFileId, at: u64) -> Outcome {
    let bytes = match open_files().anonymous(id)?.0 {
        Anonymous::Inotify(list) => list.bytes(),
        _ => return Err(Errno::ENOTTY.into()),
    };
    UserPtr::<u32>::from(at).write(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    Ok(0)
}
