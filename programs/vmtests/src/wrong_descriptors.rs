//! Descriptors of the wrong kind, and too many of them.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::os;

use crate::check::{Outcome, each_is_refused};
use crate::exec::unlink;
use crate::raw::sys;
use crate::sockets::{DGRAM, STREAM, UNIX, pair, socket};
use crate::{check, check_eq, check_error, tests};

tests! {
    no_descriptor_is_left, files_that_are_no_sockets, what_has_no_place, what_is_of_no_such_kind, descriptors_opened_otherwise,
    names_only_do_nothing, maps_of_what_cannot_be_mapped, attributes_that_are_wrong, @Kernel attributes_of_others,
    lists_that_are_wrong, sets_of_another_size, what_is_left_of_files, times_of_no_file, files_that_are_not_regular,
}

const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();
const PATH: &CStr = c"/tmp/vmtests.file";
const LINK: &CStr = c"/tmp/vmtests.link";

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

fn open(path: &CStr, flags: u32) -> rt::Result<usize> {
    os::open(path, flags, 0o600).map(|fd| fd as usize)
}

/// EMFILE, of each call that makes a descriptor.
fn no_descriptor_is_left() -> Outcome {
    let null = open(c"/dev/null", g::O_RDWR)?;
    let listener = socket(UNIX, STREAM)? as usize;
    let name = *b"\x01\x00\x00vmtests.many";
    sys(g::__NR_bind, [listener, name.as_ptr() as usize, name.len()])?;
    sys(g::__NR_listen, [listener, 1])?;
    let mut room = [0u64; 16];
    let room = room.as_mut_ptr() as usize;
    let next = sys(g::__NR_dup, [null])?;
    let limit = [next as u64 + 1; 2];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0])?;
    let full = errno::EMFILE;
    let me = os::getpid() as usize;
    let temporary = (g::O_TMPFILE | g::O_RDWR) as usize;
    each_is_refused(&[
        (g::__NR_openat, &[CWD, at(c"/dev/null")], full),
        (g::__NR_openat, &[CWD, at(c"/tmp"), temporary, 0o600], full),
        (g::__NR_openat, &[CWD, at(c"/dev/null"), g::O_PATH as usize], full),
        (g::__NR_dup, &[null], full),
        (g::__NR_fcntl, &[null, g::F_DUPFD as usize, 0], full),
        (g::__NR_fcntl, &[null, g::F_DUPFD_CLOEXEC as usize, 0], full),
        (g::__NR_pipe2, &[room], full),
        (g::__NR_socket, &[UNIX, STREAM], full),
        (g::__NR_socketpair, &[UNIX, STREAM, 0, room], full),
        (g::__NR_accept, &[listener], full),
        (g::__NR_accept4, &[listener], full),
        (g::__NR_epoll_create1, &[], full),
        (g::__NR_eventfd2, &[], full),
        (g::__NR_signalfd4, &[usize::MAX, room, 8], full),
        (g::__NR_timerfd_create, &[g::CLOCK_MONOTONIC as usize], full),
        (g::__NR_memfd_create, &[at(c"nameless")], full),
        (g::__NR_inotify_init1, &[], full),
        (g::__NR_pidfd_open, &[me], full),
        // A number past the limit is none.
        (g::__NR_dup3, &[null, next + 1], errno::EBADF),
        (g::__NR_fcntl, &[null, g::F_DUPFD as usize, next + 1], errno::EINVAL),
        (g::__NR_dup3, &[null, null], errno::EINVAL),
    ])?;
    // One is left, a pipe needs two, and takes none.
    sys(g::__NR_close, [next])?;
    each_is_refused(&[(g::__NR_pipe2, &[room], full), (g::__NR_socketpair, &[UNIX, STREAM, 0, room], full)])?;
    check_eq!(sys(g::__NR_dup, [null]), Ok(next));
    Ok(())
}

fn files_that_are_no_sockets() -> Outcome {
    let (pipe, _) = os::pipe(0)?;
    let mut room = [0u64; 64];
    let start = room.as_mut_ptr() as u64;
    // `struct msghdr`: no name, one vector of eight bytes, which stands behind it.
    room[2..4].copy_from_slice(&[start + 128, 1]);
    room[16..18].copy_from_slice(&[start + 256, 8]);
    let room = start as usize;
    let mut length = [16u32];
    let length = length.as_mut_ptr() as usize;
    let address = *b"\x01\x00\x00vmtests.none";
    let (name, size) = (address.as_ptr() as usize, address.len());
    let memory = sys(g::__NR_memfd_create, [at(c"nameless"), 0])?;
    for file in [pipe as usize, open(c"/dev/null", g::O_RDWR)?, open(c"/tmp", g::O_RDONLY)?, memory] {
        let calls: &[(u32, &[usize])] = &[
            (g::__NR_bind, &[file, name, size]),
            (g::__NR_listen, &[file, 1]),
            (g::__NR_accept, &[file]),
            (g::__NR_accept4, &[file]),
            (g::__NR_connect, &[file, name, size]),
            (g::__NR_getsockname, &[file, room, length]),
            (g::__NR_getpeername, &[file, room, length]),
            (g::__NR_sendto, &[file, room, 4]),
            (g::__NR_recvfrom, &[file, room, 4]),
            (g::__NR_setsockopt, &[file, 1, n::SO_REUSEADDR as usize, room, 4]),
            (g::__NR_getsockopt, &[file, 1, n::SO_REUSEADDR as usize, room, length]),
            (g::__NR_shutdown, &[file, 1]),
            (g::__NR_sendmsg, &[file, room]),
            (g::__NR_recvmsg, &[file, room]),
            (g::__NR_sendmmsg, &[file, room, 1]),
            (g::__NR_recvmmsg, &[file, room, 1]),
        ];
        for &(call, arguments) in calls {
            each_is_refused(&[(call, arguments, errno::ENOTSOCK)])?;
        }
    }
    Ok(())
}

/// ESPIPE, and what else calls say that need an offset.
fn what_has_no_place() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let (one, _other) = pair(STREAM)?;
    let file = crate::memory::temporary(PATH, b"some text")? as usize;
    let folder = open(c"/tmp", g::O_RDONLY)?;
    let mut bytes = [0u64; 2];
    let bytes = bytes.as_mut_ptr() as usize;
    let vector = [bytes, 8];
    let vector = vector.as_ptr() as usize;
    let mut offset = [0u64];
    let offset = offset.as_mut_ptr() as usize;
    for (source, target) in [(read as usize, write as usize), (one as usize, one as usize)] {
        each_is_refused(&[
            (g::__NR_lseek, &[source, 0, g::SEEK_SET as usize], errno::ESPIPE),
            (g::__NR_pread64, &[source, bytes, 1, 0], errno::ESPIPE),
            (g::__NR_pwrite64, &[target, bytes, 1, 0], errno::ESPIPE),
            (g::__NR_preadv, &[source, vector, 1, 0], errno::ESPIPE),
            (g::__NR_pwritev, &[target, vector, 1, 0], errno::ESPIPE),
            (g::__NR_sync_file_range, &[source, 0, 1], errno::ESPIPE),
            (g::__NR_readahead, &[source, 0, 1], errno::EINVAL),
            (g::__NR_fsync, &[source], errno::EINVAL),
            (g::__NR_fdatasync, &[source], errno::EINVAL),
            (g::__NR_ftruncate, &[target, 0], errno::EINVAL),
            (g::__NR_copy_file_range, &[source, 0, file, 0, 1], errno::EINVAL),
            (g::__NR_copy_file_range, &[file, 0, target, 0, 1], errno::EINVAL),
            (g::__NR_ioctl, &[source, 0x5401, bytes], errno::ENOTTY),
            (g::__NR_getdents64, &[source, bytes, 16], errno::ENOTDIR),
        ])?;
    }
    let (pipe, end) = (read as usize, write as usize);
    let null = open(c"/dev/null", g::O_RDWR)?;
    each_is_refused(&[
        (g::__NR_fadvise64, &[pipe, 0, 0, 0], errno::ESPIPE),
        (g::__NR_fallocate, &[end, 0, 0, 1], errno::ESPIPE),
        (g::__NR_fallocate, &[null, 0, 0, 1], errno::ENODEV),
        (g::__NR_fallocate, &[folder, 0, 0, 1], errno::EBADF),
        (g::__NR_fallocate, &[one as usize, 0, 0, 1], errno::ENODEV),
    ])?;
    each_is_refused(&[
        (g::__NR_splice, &[pipe, offset, file, 0, 1], errno::ESPIPE),
        (g::__NR_splice, &[file, 0, end, offset, 1], errno::ESPIPE),
        (g::__NR_splice, &[file, 0, null, 0, 1], errno::EINVAL),
        (g::__NR_splice, &[pipe, 0, end, 0, 1], errno::EINVAL),
        (g::__NR_tee, &[file, end, 1], errno::EINVAL),
        (g::__NR_tee, &[pipe, end, 1], errno::EINVAL),
        (g::__NR_vmsplice, &[file, vector, 1], errno::EBADF),
        (g::__NR_copy_file_range, &[folder, 0, file, 0, 1], errno::EISDIR),
        (g::__NR_copy_file_range, &[file, 0, file, 0, 4, 1], errno::EINVAL),
        (g::__NR_lseek, &[file, 9, g::SEEK_DATA as usize], errno::ENXIO),
        (g::__NR_lseek, &[file, 10, g::SEEK_HOLE as usize], errno::ENXIO),
        (g::__NR_lseek, &[file, usize::MAX, g::SEEK_SET as usize], errno::EINVAL),
        (g::__NR_fadvise64, &[file, 0, 0, 77], errno::EINVAL),
        (g::__NR_sync_file_range, &[file, usize::MAX, 1], errno::EINVAL),
        (g::__NR_ioctl, &[file, 0x5401, bytes], errno::ENOTTY),
    ])?;
    unlink(PATH)?;
    Ok(())
}

/// Calls for one kind of file, and another.
fn what_is_of_no_such_kind() -> Outcome {
    let file = crate::memory::temporary(PATH, b"some text")? as usize;
    let list = sys(g::__NR_epoll_create1, [0])?;
    let folder = open(c"/tmp", g::O_RDONLY)?;
    let (read, _write) = os::pipe(0)?;
    let mut event = [1u64, 0, 0, 0];
    let event = event.as_mut_ptr() as usize;
    let (add, remove, modify) = (1, 2, 3);
    let open_list = sys(g::__NR_inotify_init1, [0])?;
    each_is_refused(&[
        (g::__NR_epoll_ctl, &[file, add, read as usize, event], errno::EINVAL),
        (g::__NR_epoll_ctl, &[list, add, list, event], errno::EINVAL),
        (g::__NR_epoll_ctl, &[list, add, file, event], errno::EPERM),
        (g::__NR_epoll_ctl, &[list, add, folder, event], errno::EPERM),
        (g::__NR_epoll_ctl, &[list, remove, read as usize, event], errno::ENOENT),
        (g::__NR_epoll_ctl, &[list, modify, read as usize, event], errno::ENOENT),
        (g::__NR_epoll_ctl, &[list, 77, read as usize, event], errno::EINVAL),
        (g::__NR_epoll_pwait, &[file, event, 1], errno::EINVAL),
        (g::__NR_epoll_pwait, &[list, event, 0], errno::EINVAL),
        (g::__NR_epoll_pwait, &[list, event, usize::MAX], errno::EINVAL),
        (g::__NR_timerfd_settime, &[file, 0, event], errno::EINVAL),
        (g::__NR_timerfd_gettime, &[file, event], errno::EINVAL),
        (g::__NR_inotify_add_watch, &[file, at(PATH), g::IN_OPEN as usize], errno::EINVAL),
        (g::__NR_inotify_rm_watch, &[file, 1], errno::EINVAL),
        (g::__NR_inotify_rm_watch, &[open_list, 77], errno::EINVAL),
        (g::__NR_inotify_add_watch, &[open_list, at(PATH), 0], errno::EINVAL),
        (g::__NR_signalfd4, &[file, event, 8], errno::EINVAL),
        (g::__NR_fchdir, &[file], errno::ENOTDIR),
        (g::__NR_flock, &[file, 0], errno::EINVAL),
        (g::__NR_read, &[list, event, 8], errno::EINVAL),
        (g::__NR_write, &[list, event, 8], errno::EINVAL),
    ])?;
    sys(g::__NR_epoll_ctl, [list, add, read as usize, event])?;
    each_is_refused(&[(g::__NR_epoll_ctl, &[list, add, read as usize, event], errno::EEXIST)])?;
    let event_file = sys(g::__NR_eventfd2, [0, g::O_NONBLOCK as usize])?;
    let most = [u64::MAX];
    each_is_refused(&[
        (g::__NR_read, &[event_file, event, 4], errno::EINVAL),
        (g::__NR_write, &[event_file, event, 4], errno::EINVAL),
        (g::__NR_read, &[event_file, event, 8], errno::EAGAIN),
        (g::__NR_write, &[event_file, most.as_ptr() as usize, 8], errno::EINVAL),
    ])?;
    unlink(PATH)?;
    Ok(())
}

fn descriptors_opened_otherwise() -> Outcome {
    let file = crate::memory::temporary(PATH, b"some text")? as usize;
    let (reader, writer) = (open(PATH, g::O_RDONLY)?, open(PATH, g::O_WRONLY)?);
    let appender = open(PATH, g::O_RDWR | g::O_APPEND)?;
    let mut bytes = [0u64; 2];
    let bytes = bytes.as_mut_ptr() as usize;
    let vector = [bytes, 8];
    let vector = vector.as_ptr() as usize;
    let (pipe, end) = os::pipe(0)?;
    let (pipe, end) = (pipe as usize, end as usize);
    os::write(end as i32, b"bytes")?;
    each_is_refused(&[
        (g::__NR_read, &[writer, bytes, 1], errno::EBADF),
        (g::__NR_readv, &[writer, vector, 1], errno::EBADF),
        (g::__NR_pread64, &[writer, bytes, 1], errno::EBADF),
        (g::__NR_preadv, &[writer, vector, 1], errno::EBADF),
        (g::__NR_write, &[reader, bytes, 1], errno::EBADF),
        (g::__NR_writev, &[reader, vector, 1], errno::EBADF),
        (g::__NR_pwrite64, &[reader, bytes, 1], errno::EBADF),
        (g::__NR_pwritev, &[reader, vector, 1], errno::EBADF),
        (g::__NR_ftruncate, &[reader, 0], errno::EINVAL),
        (g::__NR_fallocate, &[reader, 0, 0, 1], errno::EBADF),
        (g::__NR_sendfile, &[reader, file, 0, 1], errno::EBADF),
        (g::__NR_sendfile, &[file, writer, 0, 1], errno::EBADF),
        (g::__NR_sendfile, &[appender, reader, 0, 1], errno::EINVAL),
        (g::__NR_copy_file_range, &[writer, 0, file, 0, 1], errno::EBADF),
        (g::__NR_copy_file_range, &[file, 0, reader, 0, 1], errno::EBADF),
        (g::__NR_copy_file_range, &[file, 0, appender, 0, 1], errno::EBADF),
        (g::__NR_splice, &[writer, 0, end, 0, 1], errno::EBADF),
        (g::__NR_splice, &[pipe, 0, reader, 0, 1], errno::EBADF),
        (g::__NR_splice, &[pipe, 0, appender, 0, 1], errno::EINVAL),
        (g::__NR_tee, &[end, pipe, 1], errno::EBADF),
        (g::__NR_readahead, &[writer, 0, 1], errno::EBADF),
        (g::__NR_getdents64, &[end, bytes, 16], errno::ENOTDIR),
    ])?;
    // A lock for reading is for those who may read.
    let lock = |fd: usize, kind: u32| {
        let all = [u64::from(kind), 0, 0, 0];
        sys(g::__NR_fcntl, [fd, g::F_SETLK as usize, all.as_ptr() as usize])
    };
    check_error!(lock(writer, g::F_RDLCK), EBADF);
    check_error!(lock(reader, g::F_WRLCK), EBADF);
    check_error!(lock(file, 77), EINVAL);
    unlink(PATH)?;
    Ok(())
}

/// O_PATH: a name, by which a file can be found but not touched.
fn names_only_do_nothing() -> Outcome {
    os::close(crate::memory::temporary(PATH, b"some text")?)?;
    let name = open(PATH, g::O_PATH)?;
    let mut bytes = [0u64; 2];
    let bytes = bytes.as_mut_ptr() as usize;
    let vector = [bytes, 8];
    let vector = vector.as_ptr() as usize;
    let attribute = at(c"user.name");
    let calls: &[(u32, &[usize])] = &[
        (g::__NR_read, &[name, bytes, 1]),
        (g::__NR_write, &[name, bytes, 1]),
        (g::__NR_readv, &[name, vector, 1]),
        (g::__NR_writev, &[name, vector, 1]),
        (g::__NR_pread64, &[name, bytes, 1]),
        (g::__NR_pwrite64, &[name, bytes, 1]),
        (g::__NR_lseek, &[name, 0, 0]),
        (g::__NR_fchmod, &[name, 0o600]),
        (g::__NR_fchown, &[name, 0, 0]),
        (g::__NR_ftruncate, &[name, 0]),
        (g::__NR_fallocate, &[name, 0, 0, 1]),
        (g::__NR_fsync, &[name]),
        (g::__NR_fdatasync, &[name]),
        (g::__NR_flock, &[name, 1]),
        (g::__NR_ioctl, &[name, 0x5421, bytes]),
        (g::__NR_getdents64, &[name, bytes, 16]),
        (g::__NR_fsetxattr, &[name, attribute, bytes, 1]),
        (g::__NR_fgetxattr, &[name, attribute, bytes, 1]),
        (g::__NR_flistxattr, &[name, bytes, 8]),
        (g::__NR_fremovexattr, &[name, attribute]),
        (g::__NR_fadvise64, &[name, 0, 0, 0]),
        (g::__NR_readahead, &[name, 0, 1]),
        (g::__NR_sync_file_range, &[name, 0, 1]),
        (g::__NR_syncfs, &[name]),
        (g::__NR_mmap, &[0, 4096, g::PROT_READ as usize, g::MAP_PRIVATE as usize, name]),
    ];
    for &(call, arguments) in calls {
        each_is_refused(&[(call, arguments, errno::EBADF)])?;
    }
    unlink(PATH)?;
    Ok(())
}

fn maps_of_what_cannot_be_mapped() -> Outcome {
    let file = crate::memory::temporary(PATH, b"some text")? as usize;
    let (reader, writer) = (open(PATH, g::O_RDONLY)?, open(PATH, g::O_WRONLY)?);
    let (pipe, _) = os::pipe(0)?;
    let (one, _other) = pair(STREAM)?;
    let folder = open(c"/tmp", g::O_RDONLY)?;
    let list = sys(g::__NR_epoll_create1, [0])?;
    let (read, both) = (g::PROT_READ as usize, (g::PROT_READ | g::PROT_WRITE) as usize);
    let (private, shared) = (g::MAP_PRIVATE as usize, g::MAP_SHARED as usize);
    for nothing in [pipe as usize, one as usize, folder, list] {
        each_is_refused(&[
            (g::__NR_mmap, &[0, 4096, read, private, nothing], errno::ENODEV),
            (g::__NR_mmap, &[0, 4096, read, shared, nothing], errno::ENODEV),
        ])?;
    }
    each_is_refused(&[
        (g::__NR_mmap, &[0, 4096, both, shared, reader], errno::EACCES),
        (g::__NR_mmap, &[0, 4096, read, shared, writer], errno::EACCES),
        (g::__NR_mmap, &[0, 4096, read, private, writer], errno::EACCES),
        (g::__NR_mmap, &[0, 4096, read, private, usize::MAX], errno::EBADF),
        (g::__NR_mmap, &[0, 0, read, private, file], errno::EINVAL),
        (g::__NR_mmap, &[0, 4096, read, private, file, 1], errno::EINVAL),
        (g::__NR_mmap, &[0, 4096, read, 0, file], errno::EINVAL),
        (g::__NR_mmap, &[1, 4096, read, private | g::MAP_FIXED as usize, file], errno::EINVAL),
        (g::__NR_mmap, &[0, 1 << 60, read, private, file], errno::ENOMEM),
    ])?;
    unlink(PATH)?;
    Ok(())
}

/// Each row for a path, a path that is no link, and a descriptor.
fn attributes_that_are_wrong() -> Outcome {
    let file = crate::memory::temporary(PATH, b"text")? as usize;
    let _ = unlink(LINK);
    sys(g::__NR_symlinkat, [at(PATH), CWD, at(LINK)])?;
    let long = [b'a'; 300];
    let mut room = [0u8; 16];
    let (long, value) = (long.as_ptr() as usize, room.as_mut_ptr() as usize);
    let huge = crate::memory::map(17, crate::memory::READ_WRITE)?;
    let (name, absent, nowhere) = (at(c"user.name"), at(c"user.absent"), at(c"nowhere.name"));
    let (create, replace) = (g::XATTR_CREATE as usize, g::XATTR_REPLACE as usize);
    sys(g::__NR_fsetxattr, [file, name, value, 8, 0])?;
    let ways = [
        (at(PATH), [g::__NR_setxattr, g::__NR_getxattr, g::__NR_listxattr, g::__NR_removexattr]),
        (at(PATH), [g::__NR_lsetxattr, g::__NR_lgetxattr, g::__NR_llistxattr, g::__NR_lremovexattr]),
        (file, [g::__NR_fsetxattr, g::__NR_fgetxattr, g::__NR_flistxattr, g::__NR_fremovexattr]),
    ];
    for (what, [set, get, list, remove]) in ways {
        each_is_refused(&[
            (set, &[what, name, value, 8, create], errno::EEXIST),
            (set, &[what, absent, value, 8, replace], errno::ENODATA),
            (set, &[what, name, value, 8, 77], errno::EINVAL),
            (set, &[what, nowhere, value, 8], errno::EOPNOTSUPP),
            (set, &[what, at(c""), value, 8], errno::ERANGE),
            (set, &[what, long, value, 8], errno::ERANGE),
            (set, &[what, name, huge, 65537], errno::E2BIG),
            (get, &[what, absent, value, 8], errno::ENODATA),
            (get, &[what, nowhere, value, 8], errno::EOPNOTSUPP),
            (get, &[what, name, value, 7], errno::ERANGE),
            (get, &[what, at(c""), value, 8], errno::ERANGE),
            (get, &[what, long, value, 8], errno::ERANGE),
            (list, &[what, value, 1], errno::ERANGE),
            (remove, &[what, absent], errno::ENODATA),
            (remove, &[what, nowhere], errno::EOPNOTSUPP),
            (remove, &[what, at(c"")], errno::ERANGE),
            (remove, &[what, long], errno::ERANGE),
        ])?;
    }
    // Users' attributes are of files and folders.
    each_is_refused(&[
        (g::__NR_lsetxattr, &[at(LINK), name, value, 8], errno::EPERM),
        (g::__NR_lgetxattr, &[at(LINK), name, value, 8], errno::ENODATA),
        (g::__NR_lremovexattr, &[at(LINK), name], errno::EPERM),
    ])?;
    check!(room == [0; 16]);
    unlink(LINK)?;
    unlink(PATH)?;
    Ok(())
}

fn attributes_of_others() -> Outcome {
    let file = crate::memory::temporary(PATH, b"text")? as usize;
    sys(g::__NR_fchmod, [file, 0o644])?;
    let value = [0u8; 16];
    let value = value.as_ptr() as usize;
    let rows: &[(u32, &[usize], u32)] = &[
        (g::__NR_setxattr, &[at(PATH), at(c"user.name"), value, 8], errno::EACCES),
        (g::__NR_fsetxattr, &[file, at(c"user.name"), value, 8], errno::EACCES),
        (g::__NR_setxattr, &[at(PATH), at(c"trusted.name"), value, 8], errno::EPERM),
        (g::__NR_lsetxattr, &[at(PATH), at(c"trusted.name"), value, 8], errno::EPERM),
        (g::__NR_fsetxattr, &[file, at(c"trusted.name"), value, 8], errno::EPERM),
        (g::__NR_removexattr, &[at(PATH), at(c"trusted.name")], errno::EPERM),
        (g::__NR_getxattr, &[at(PATH), at(c"trusted.name"), value, 8], errno::ENODATA),
    ];
    for (row, &(number, given, expected)) in rows.iter().enumerate() {
        let mut arguments = [0; 6];
        arguments[..given.len()].copy_from_slice(given);
        check_eq!((row, crate::users::as_user(|| sys(number, arguments))?), (row, expected));
    }
    unlink(PATH)?;
    Ok(())
}

/// poll and select.
fn lists_that_are_wrong() -> Outcome {
    let mut set = [u64::MAX; 16];
    let set = set.as_mut_ptr() as usize;
    let bad_time = [0u64, 1_000_000_000];
    let negative = [u64::MAX, 0];
    let (bad_time, negative) = (bad_time.as_ptr() as usize, negative.as_ptr() as usize);
    each_is_refused(&[
        (g::__NR_pselect6, &[64, set], errno::EBADF),
        (g::__NR_pselect6, &[usize::MAX, 0, 0, 0, 0], errno::EINVAL),
        (g::__NR_pselect6, &[0, 0, 0, 0, bad_time], errno::EINVAL),
        (g::__NR_pselect6, &[0, 0, 0, 0, negative], errno::EINVAL),
        (g::__NR_ppoll, &[0, 0, bad_time], errno::EINVAL),
        (g::__NR_ppoll, &[0, 0, negative], errno::EINVAL),
    ])?;
    // More than there can be descriptors.
    let limit = [10u64, 10];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0])?;
    each_is_refused(&[(g::__NR_ppoll, &[set, 11], errno::EINVAL)])?;
    check_error!(socket(UNIX, DGRAM).and_then(|fd| sys(g::__NR_write, [fd as usize, set, 1])), ENOTCONN);
    Ok(())
}

/// A set of signals has eight bytes.
fn sets_of_another_size() -> Outcome {
    let (set, now) = ([0u64], [0u64; 2]);
    let (set, now) = (set.as_ptr() as usize, now.as_ptr() as usize);
    let pair = [set, 4];
    let list = sys(g::__NR_epoll_create1, [0])?;
    let mut event = [0u64; 2];
    each_is_refused(&[
        (g::__NR_ppoll, &[0, 0, now, set, 4], errno::EINVAL),
        (g::__NR_ppoll, &[0, 0, now, 8, 8], errno::EFAULT),
        (g::__NR_pselect6, &[0, 0, 0, 0, now, pair.as_ptr() as usize], errno::EINVAL),
        (g::__NR_epoll_pwait, &[list, event.as_mut_ptr() as usize, 1, 0, set, 4], errno::EINVAL),
    ])?;
    // Of what waits a part can be had.
    let mut waiting = [u64::MAX];
    let at = waiting.as_mut_ptr() as usize;
    each_is_refused(&[(g::__NR_rt_sigpending, &[at, 9], errno::EINVAL)])?;
    sys(g::__NR_rt_sigpending, [at, 4])?;
    check_eq!(core::hint::black_box(waiting)[0], u64::MAX << 32);
    // Of no set nobody asks the size.
    check_eq!(sys(g::__NR_ppoll, [0, 0, now, 0, 4])?, 0);
    Ok(())
}

fn what_is_left_of_files() -> Outcome {
    let file = crate::memory::temporary(PATH, b"some text")? as usize;
    let left = || -> rt::Result<i32> {
        let mut left = [0i32];
        sys(g::__NR_ioctl, [file, rt::abi::ioctl::FIONREAD as usize, left.as_mut_ptr() as usize])?;
        Ok(core::hint::black_box(left)[0])
    };
    for (offset, expected) in [(0, 9), (4, 5), (20, -11)] {
        sys(g::__NR_lseek, [file, offset, g::SEEK_SET as usize])?;
        check_eq!(left()?, expected);
    }
    each_is_refused(&[(g::__NR_ioctl, &[file, rt::abi::ioctl::FIONREAD as usize, 8], errno::EFAULT)])?;
    unlink(PATH)?;
    Ok(())
}

fn times_of_no_file() -> Outcome {
    let file = crate::memory::temporary(PATH, b"text")? as usize;
    each_is_refused(&[
        (g::__NR_utimensat, &[CWD, 0, 0, 0], errno::EFAULT),
        (g::__NR_utimensat, &[file, 0, 0, g::AT_SYMLINK_NOFOLLOW as usize], errno::EINVAL),
        (g::__NR_utimensat, &[999, 0, 0, 0], errno::EBADF),
    ])?;
    check_eq!(sys(g::__NR_utimensat, [file, 0, 0, 0])?, 0);
    unlink(PATH)?;
    Ok(())
}

fn files_that_are_not_regular() -> Outcome {
    let nameless = (g::O_TMPFILE | g::O_RDWR | g::O_CREAT) as usize;
    let text = os::open(c"/proc/version", g::O_RDONLY, 0)? as usize;
    each_is_refused(&[
        (g::__NR_truncate, &[at(c"/dev/null"), 0], errno::EINVAL),
        (g::__NR_openat, &[CWD, at(c"/tmp"), nameless, 0o600], errno::EINVAL),
        (g::__NR_fsync, &[text], errno::EINVAL),
        (g::__NR_fdatasync, &[text], errno::EINVAL),
    ])
}
