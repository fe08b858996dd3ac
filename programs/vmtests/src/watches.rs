//! Lists of what happens to files: inotify(7).

use core::ffi::CStr;

use rt::Result;
use rt::abi::general as g;
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::raw::sys;
use crate::{check, check_eq, check_error, tests};

tests! {
    names_are_told, files_tell_of_themselves, moves_are_told, ends_of_open_files_are_told, attributes_are_told, links_are_told, watches_choose, watches_of_links,
    watches_end_once, watches_refuse, events_are_awaited, events_that_do_not_fit, events_flow_over, watches_are_limited,
}

const DIR: &CStr = c"/tmp/vmtests.watched";
const FILE: &CStr = c"/tmp/vmtests.watched/file";
const OTHER: &CStr = c"/tmp/vmtests.watched/other";
const SUB: &CStr = c"/tmp/vmtests.watched/sub";
const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();

/// A fresh folder.
fn folder() -> Result<()> {
    for path in [FILE, OTHER] {
        let _ = unlink(path);
    }
    let _ = rmdir(SUB);
    let _ = rmdir(DIR);
    mkdir(DIR)
}

fn mkdir(path: &CStr) -> Result<()> {
    sys(g::__NR_mkdirat, [CWD, path.as_ptr() as usize, 0o755]).map(drop)
}

fn rmdir(path: &CStr) -> Result<usize> {
    sys(g::__NR_unlinkat, [CWD, path.as_ptr() as usize, g::AT_REMOVEDIR as usize])
}

fn rename(from: &CStr, to: &CStr) -> Result<usize> {
    sys(g::__NR_renameat2, [CWD, from.as_ptr() as usize, CWD, to.as_ptr() as usize, 0])
}

fn make(path: &CStr) -> Result<i32> {
    os::open(path, g::O_RDWR | g::O_CREAT, 0o644)
}

/// A list that does not wait.
fn list() -> Result<i32> {
    Ok(sys(g::__NR_inotify_init1, [(g::IN_NONBLOCK | g::IN_CLOEXEC) as usize])? as i32)
}

fn watch(list: i32, path: &CStr, mask: u32) -> Result<usize> {
    sys(g::__NR_inotify_add_watch, [list as usize, path.as_ptr() as usize, mask as usize])
}

/// What a list has to tell.
#[derive(Debug)]
struct Told {
    bytes: [u8; 4096],
    len: usize,
    at: usize,
}

/// An event: which watch, what, cookie, name.
type Event<'a> = (i32, u32, u32, &'a [u8]);

fn told(list: i32) -> Result<Told> {
    let mut told = Told { bytes: [0; 4096], len: 0, at: 0 };
    told.len = os::read(list, &mut told.bytes)?;
    Ok(told)
}

impl Told {
    fn next(&mut self) -> Event<'_> {
        let bytes = core::hint::black_box(&self.bytes);
        if self.at >= self.len {
            return (0, 0, 0, b"");
        }
        let word = |place: usize| {
            let at = self.at + 4 * place;
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let (start, len) = (self.at + 16, word(3) as usize);
        let name = &bytes[start..start + len];
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(len);
        let event = (word(0).cast_signed(), word(1), word(2), &name[..end]);
        self.at = start + len;
        event
    }
    /// The next events are these, and no more.
    fn is(&mut self, expected: &[(usize, u32, &str)]) -> bool {
        for &(watch, what, name) in expected {
            let (its, told, _, named) = self.next();
            if (its, told, named) != (watch as i32, what, name.as_bytes()) {
                rt::println!("  {its} {told:#x} {named:?}, not {watch} {what:#x} {name:?}");
                return false;
            }
        }
        self.next() == (0, 0, 0, b"")
    }
}

const ALL: u32 = g::IN_ALL_EVENTS;

fn names_are_told() -> Outcome {
    folder()?;
    let list = list()?;
    let w = watch(list, DIR, ALL)?;
    check_eq!(w, 1);
    check_error!(told(list), EAGAIN);
    let fd = make(FILE)?;
    os::write(fd, b"x")?;
    os::lseek(fd, 0, g::SEEK_SET)?;
    os::read(fd, &mut [0])?;
    os::close(fd)?;
    check!(told(list)?.is(&[
        (w, g::IN_CREATE, "file"),
        (w, g::IN_OPEN, "file"),
        (w, g::IN_MODIFY, "file"),
        (w, g::IN_ACCESS, "file"),
        (w, g::IN_CLOSE_WRITE, "file"),
    ]));
    let fd = os::open(FILE, g::O_WRONLY | g::O_TRUNC, 0)?;
    os::close(fd)?;
    os::close(os::open(FILE, g::O_RDONLY, 0)?)?;
    // A name alone is nothing open.
    os::close(os::open(FILE, g::O_PATH, 0)?)?;
    sys(g::__NR_truncate, [FILE.as_ptr() as usize, 5])?;
    check!(told(list)?.is(&[
        (w, g::IN_OPEN, "file"),
        (w, g::IN_MODIFY, "file"),
        (w, g::IN_CLOSE_WRITE, "file"),
        (w, g::IN_OPEN, "file"),
        (w, g::IN_CLOSE_NOWRITE, "file"),
        (w, g::IN_MODIFY, "file"),
    ]));
    mkdir(SUB)?;
    rmdir(SUB)?;
    unlink(FILE)?;
    check!(told(list)?.is(&[
        (w, g::IN_CREATE | g::IN_ISDIR, "sub"),
        (w, g::IN_DELETE | g::IN_ISDIR, "sub"),
        (w, g::IN_DELETE, "file"),
    ]));
    rmdir(DIR)?;
    check!(told(list)?.is(&[(w, g::IN_DELETE_SELF, ""), (w, g::IN_IGNORED, "")]));
    Ok(())
}

fn files_tell_of_themselves() -> Outcome {
    folder()?;
    let fd = make(FILE)?;
    let list = list()?;
    let w = watch(list, FILE, ALL)?;
    os::write(fd, b"x")?;
    unlink(FILE)?;
    check!(told(list)?.is(&[(w, g::IN_MODIFY, ""), (w, g::IN_ATTRIB, "")]));
    os::write(fd, b"x")?;
    os::close(fd)?;
    check!(told(list)?.is(&[
        (w, g::IN_MODIFY, ""),
        (w, g::IN_CLOSE_WRITE, ""),
        (w, g::IN_DELETE_SELF, ""),
        (w, g::IN_IGNORED, ""),
    ]));
    check_error!(sys(g::__NR_inotify_rm_watch, [list as usize, w]), EINVAL);
    Ok(())
}

fn moves_are_told() -> Outcome {
    folder()?;
    mkdir(SUB)?;
    os::close(make(FILE)?)?;
    let list = list()?;
    let dir = watch(list, DIR, g::IN_MOVED_FROM | g::IN_MOVED_TO)?;
    let sub = watch(list, SUB, g::IN_MOVED_FROM | g::IN_MOVED_TO | g::IN_MOVE_SELF)?;
    let file = watch(list, FILE, g::IN_MOVE_SELF)?;
    let inside = c"/tmp/vmtests.watched/sub/inside";
    rename(FILE, inside)?;
    let mut events = told(list)?;
    let first = events.next();
    check_eq!((first.0, first.1, first.3), (dir as i32, g::IN_MOVED_FROM, b"file".as_slice()));
    let cookie = first.2;
    let second = events.next();
    check_eq!(second, (sub as i32, g::IN_MOVED_TO, cookie, b"inside".as_slice()));
    check!(cookie != 0 && events.is(&[(file, g::IN_MOVE_SELF, "")]));
    rename(inside, OTHER)?;
    let mut events = told(list)?;
    check!(events.next().2 != cookie);
    rename(SUB, c"/tmp/vmtests.watched/sib")?;
    let mut events = told(list)?;
    check!(events.is(&[
        (dir, g::IN_MOVED_FROM | g::IN_ISDIR, "sub"),
        (dir, g::IN_MOVED_TO | g::IN_ISDIR, "sib"),
        (sub, g::IN_MOVE_SELF, ""),
    ]));
    rename(c"/tmp/vmtests.watched/sib", SUB)?;
    // What is moved over loses its name, and ends.
    os::close(make(FILE)?)?;
    let over = watch(list, FILE, g::IN_ATTRIB | g::IN_DELETE_SELF)?;
    told(list)?;
    rename(OTHER, FILE)?;
    let mut events = told(list)?;
    check!(events.is(&[
        (dir, g::IN_MOVED_FROM, "other"),
        (dir, g::IN_MOVED_TO, "file"),
        (over, g::IN_ATTRIB, ""),
        (file, g::IN_MOVE_SELF, ""),
        (over, g::IN_DELETE_SELF, ""),
        (over, g::IN_IGNORED, ""),
    ]));
    Ok(())
}

fn ends_of_open_files_are_told() -> Outcome {
    folder()?;
    let fd = make(FILE)?;
    let list = list()?;
    let w = watch(list, DIR, ALL)?;
    // The last descriptor closes it.
    let copy = sys(g::__NR_dup, [fd as usize])? as i32;
    os::close(fd)?;
    check_error!(told(list), EAGAIN);
    os::close(copy)?;
    check!(told(list)?.is(&[(w, g::IN_CLOSE_WRITE, "file")]));
    // So does the end of a process.
    let child = os::in_child(|| i32::from(os::open(FILE, g::O_RDONLY, 0).is_err()))?;
    check_eq!(child, Status::Exited(0));
    check!(told(list)?.is(&[(w, g::IN_OPEN, "file"), (w, g::IN_CLOSE_NOWRITE, "file")]));
    // A folder that is listed is read.
    let dir = os::open(DIR, g::O_RDONLY | g::O_DIRECTORY, 0)?;
    let mut entries = [0u8; 512];
    sys(g::__NR_getdents64, [dir as usize, entries.as_mut_ptr() as usize, entries.len()])?;
    os::close(dir)?;
    let what = |what: u32| (w, what | g::IN_ISDIR, "");
    check!(told(list)?.is(&[what(g::IN_OPEN), what(g::IN_ACCESS), what(g::IN_CLOSE_NOWRITE)]));
    Ok(())
}

fn attributes_are_told() -> Outcome {
    folder()?;
    let fd = make(FILE)? as usize;
    let list = list()?;
    let dir = watch(list, DIR, g::IN_ATTRIB)?;
    let file = watch(list, FILE, g::IN_ATTRIB)?;
    let path = FILE.as_ptr() as usize;
    let changes = [
        sys(g::__NR_fchmodat, [CWD, path, 0o600]),
        sys(g::__NR_fchmod, [fd, 0o640]),
        sys(g::__NR_fchownat, [CWD, path, 0, 0, 0]),
        sys(g::__NR_fchown, [fd, 0, 0]),
        sys(g::__NR_utimensat, [CWD, path, 0, 0]),
        sys(g::__NR_utimensat, [fd, 0, 0, 0]),
    ];
    for change in changes {
        change?;
    }
    let mut events = told(list)?;
    for _ in changes {
        check_eq!(events.next(), (dir as i32, g::IN_ATTRIB, 0, b"file".as_slice()));
        check_eq!(events.next(), (file as i32, g::IN_ATTRIB, 0, b"".as_slice()));
    }
    check!(events.is(&[]));
    Ok(())
}

fn links_are_told() -> Outcome {
    folder()?;
    os::close(make(FILE)?)?;
    let list = list()?;
    let dir = watch(list, DIR, ALL)?;
    let file = watch(list, FILE, ALL)?;
    sys(g::__NR_linkat, [CWD, FILE.as_ptr() as usize, CWD, OTHER.as_ptr() as usize, 0])?;
    // One of its names is lost, not the file.
    unlink(OTHER)?;
    sys(g::__NR_symlinkat, [c"file".as_ptr() as usize, CWD, OTHER.as_ptr() as usize])?;
    let mut events = told(list)?;
    check!(events.is(&[
        (file, g::IN_ATTRIB, ""),
        (dir, g::IN_CREATE, "other"),
        (file, g::IN_ATTRIB, ""),
        (dir, g::IN_DELETE, "other"),
        (dir, g::IN_CREATE, "other"),
    ]));
    Ok(())
}

fn watches_choose() -> Outcome {
    folder()?;
    let list = list()?;
    let w = watch(list, DIR, g::IN_CREATE)?;
    os::close(make(FILE)?)?;
    check!(told(list)?.is(&[(w, g::IN_CREATE, "file")]));
    // Said again, it is the same watch: for something else, or for more.
    check_eq!(watch(list, DIR, g::IN_OPEN)?, w);
    check_eq!(watch(list, DIR, g::IN_CLOSE_NOWRITE | g::IN_MASK_ADD)?, w);
    os::close(os::open(FILE, g::O_RDONLY, 0)?)?;
    os::close(make(OTHER)?)?;
    check!(told(list)?.is(&[
        (w, g::IN_OPEN, "file"),
        (w, g::IN_CLOSE_NOWRITE, "file"),
        (w, g::IN_OPEN, "other"),
    ]));
    check_error!(watch(list, DIR, g::IN_OPEN | g::IN_MASK_CREATE), EEXIST);
    check_error!(watch(list, DIR, g::IN_OPEN | g::IN_MASK_CREATE | g::IN_MASK_ADD), EINVAL);
    sys(g::__NR_inotify_rm_watch, [list as usize, w])?;
    check!(told(list)?.is(&[(w, g::IN_IGNORED, "")]));
    os::close(os::open(FILE, g::O_RDONLY, 0)?)?;
    check_error!(told(list), EAGAIN);
    check_eq!(watch(list, DIR, g::IN_OPEN | g::IN_MASK_CREATE)?, w + 1);
    // Two lists hear of the same.
    let second = self::list()?;
    watch(second, DIR, g::IN_OPEN)?;
    os::close(os::open(FILE, g::O_RDONLY, 0)?)?;
    check!(told(list)?.is(&[(w + 1, g::IN_OPEN, "file")]) && told(second)?.is(&[(1, g::IN_OPEN, "file")]));
    Ok(())
}

fn watches_of_links() -> Outcome {
    folder()?;
    os::close(make(FILE)?)?;
    sys(g::__NR_symlinkat, [c"file".as_ptr() as usize, CWD, OTHER.as_ptr() as usize])?;
    let list = list()?;
    let file = watch(list, OTHER, ALL)?;
    check_eq!(watch(list, FILE, ALL)?, file);
    let link = watch(list, OTHER, ALL | g::IN_DONT_FOLLOW)?;
    check!(link != file);
    unlink(OTHER)?;
    check!(told(list)?.is(&[
        (link, g::IN_ATTRIB, ""),
        (link, g::IN_DELETE_SELF, ""),
        (link, g::IN_IGNORED, ""),
    ]));
    Ok(())
}

fn watches_end_once() -> Outcome {
    folder()?;
    let list = list()?;
    let w = watch(list, DIR, g::IN_CREATE | g::IN_ONESHOT)?;
    let fd = make(FILE)?;
    os::close(make(OTHER)?)?;
    check!(told(list)?.is(&[(w, g::IN_CREATE, "file"), (w, g::IN_IGNORED, "")]));
    // What has lost its name is still told of, unless it is not to be.
    let w = watch(list, DIR, g::IN_MODIFY)?;
    unlink(FILE)?;
    os::write(fd, b"x")?;
    check!(told(list)?.is(&[(w, g::IN_MODIFY, "file")]));
    watch(list, DIR, g::IN_MODIFY | g::IN_EXCL_UNLINK)?;
    os::write(fd, b"x")?;
    check_error!(told(list), EAGAIN);
    Ok(())
}

fn watches_refuse() -> Outcome {
    folder()?;
    os::close(make(FILE)?)?;
    let list = list()?;
    check_error!(sys(g::__NR_inotify_init1, [1]), EINVAL);
    check_error!(watch(list, FILE, 0), EINVAL);
    check_error!(watch(list, FILE, g::IN_OPEN | g::IN_ONLYDIR), ENOTDIR);
    watch(list, DIR, g::IN_OPEN | g::IN_ONLYDIR)?;
    check_error!(watch(list, c"/tmp/no/such", ALL), ENOENT);
    check_error!(watch(999, DIR, ALL), EBADF);
    let fd = os::open(FILE, g::O_RDONLY, 0)?;
    check_error!(watch(fd, DIR, ALL), EINVAL);
    check_error!(sys(g::__NR_inotify_rm_watch, [fd as usize, 1]), EINVAL);
    check_error!(sys(g::__NR_inotify_rm_watch, [999, 1]), EBADF);
    check_error!(sys(g::__NR_inotify_rm_watch, [list as usize, 77]), EINVAL);
    check_error!(sys(g::__NR_inotify_add_watch, [list as usize, 8, ALL as usize]), EFAULT);
    check_error!(os::write(list, b"x"), EBADF);
    // Closed with its watches.
    os::close(list)?;
    os::close(make(OTHER)?)?;
    Ok(())
}

/// Whether poll(2) finds a list readable, after at most so many milliseconds.
fn is_ready(list: i32, milliseconds: u64) -> Result<bool> {
    let mut fds = [list as u64 | 1 << 32];
    let time = [0u64, milliseconds * 1_000_000];
    sys(g::__NR_ppoll, [fds.as_mut_ptr() as usize, 1, time.as_ptr() as usize, 0, 8]).map(|count| count == 1)
}

fn events_are_awaited() -> Outcome {
    folder()?;
    let list = sys(g::__NR_inotify_init1, [0])? as i32;
    let w = watch(list, DIR, g::IN_CREATE)?;
    check!(!is_ready(list, 1)?);
    let child = || -> Result<os::Pid> {
        let pid = os::fork()?;
        if pid == 0 {
            let _ = crate::processes::sleep_ns(2_000_000);
            os::exit(i32::from(make(FILE).is_err()));
        }
        Ok(pid)
    };
    let first = child()?;
    check!(told(list)?.is(&[(w, g::IN_CREATE, "file")]));
    os::wait(first)?;
    unlink(FILE)?;
    let second = child()?;
    check!(is_ready(list, 900)?);
    let mut bytes = 0u32;
    let at = core::ptr::from_mut(&mut bytes) as usize;
    sys(g::__NR_ioctl, [list as usize, 0x541b, at])?;
    check_eq!(core::hint::black_box(bytes), 32);
    check!(told(list)?.is(&[(w, g::IN_CREATE, "file")]));
    os::wait(second)?;
    Ok(())
}

fn events_that_do_not_fit() -> Outcome {
    folder()?;
    let list = list()?;
    watch(list, DIR, g::IN_CREATE | g::IN_OPEN)?;
    os::close(make(FILE)?)?;
    check_error!(os::read(list, &mut [0; 31]), EINVAL);
    check_error!(sys(g::__NR_read, [list as usize, 8, 64]), EFAULT);
    // Whole ones come; what is left comes later.
    check_eq!(os::read(list, &mut [0; 63])?, 32);
    check_eq!(os::read(list, &mut [0; 64])?, 32);
    check_error!(os::read(list, &mut [0; 64]), EAGAIN);
    // The same again and again is told once.
    for _ in 0..5 {
        os::close(os::open(FILE, g::O_RDONLY, 0)?)?;
    }
    check_eq!(os::read(list, &mut [0; 512])?, 32);
    Ok(())
}

/// Sets a limit on lists; what it was. Who may not is told so.
fn limit(path: &CStr, value: &[u8]) -> Result<()> {
    let fd = os::open(path, g::O_WRONLY, 0)?;
    os::write(fd, value)?;
    os::close(fd)
}

fn events_flow_over() -> Outcome {
    folder()?;
    let path = c"/proc/sys/fs/inotify/max_queued_events";
    if limit(path, b"4\n").is_err() {
        // Not this machine's to set.
        return Ok(());
    }
    let list = list()?;
    limit(path, b"16384\n")?;
    let w = watch(list, DIR, g::IN_CREATE | g::IN_DELETE)?;
    for _ in 0..4 {
        os::close(make(FILE)?)?;
        unlink(FILE)?;
    }
    let mut events = told(list)?;
    check!(events.is(&[
        (w, g::IN_CREATE, "file"),
        (w, g::IN_DELETE, "file"),
        (w, g::IN_CREATE, "file"),
        (w, g::IN_DELETE, "file"),
        (usize::MAX, g::IN_Q_OVERFLOW, ""),
    ]));
    Ok(())
}

fn watches_are_limited() -> Outcome {
    folder()?;
    let (lists, watches) =
        (c"/proc/sys/fs/inotify/max_user_instances", c"/proc/sys/fs/inotify/max_user_watches");
    let list = list()?;
    watch(list, DIR, ALL)?;
    if limit(watches, b"1\n").is_err() {
        return Ok(());
    }
    let full = watch(list, c"/tmp", ALL);
    limit(watches, b"8192\n")?;
    check_error!(full, ENOSPC);
    limit(lists, b"1\n")?;
    let full = self::list();
    limit(lists, b"128\n")?;
    check_error!(full, EMFILE);
    Ok(())
}
