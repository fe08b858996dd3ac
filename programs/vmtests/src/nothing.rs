//! Reading and writing no bytes at all: a vector that comes to nothing asks no file, `read` and `write` ask some.
//! As the host's Linux has it; qemu-riscv64 looks at vectors before it looks at descriptors.

use rt::abi::errno;
use rt::abi::general as g;
use rt::abi::net::{AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
use rt::{Result, os};

use crate::check::{Outcome, each_is_refused};
use crate::exec::unlink;
use crate::memory::temporary;
use crate::raw::{Action, on_signal, sys};
use crate::{check_eq, check_error, tests};

tests! {
    nothing_of_a_folder, @Kernel nothing_without_the_right, nothing_of_sockets, an_empty_message_stays, @Kernel nothing_of_event_files, nothing_for_full_devices,
    nothing_for_a_terminal_that_has_gone, @Kernel a_vector_of_nothing_in_any_manner, @Kernel offsets_before_descriptors,
}

/// No program's, in any address space.
const KERNELS: usize = usize::MAX - 7;
const NOWHERE: usize = 8;

/// A vector of two empty buffers.
fn empty() -> usize {
    static EMPTY: [[usize; 2]; 2] = [[NOWHERE, 0]; 2];
    EMPTY.as_ptr() as usize
}

/// What `read` and the others come to, of no bytes: `readv` with two buffers and with none.
fn read_nothing(fd: usize) -> [Result<usize>; 3] {
    [
        sys(g::__NR_read, [fd, NOWHERE, 0]),
        sys(g::__NR_readv, [fd, empty(), 2]),
        sys(g::__NR_readv, [fd, empty(), 0]),
    ]
}

fn write_nothing(fd: usize) -> [Result<usize>; 3] {
    [
        sys(g::__NR_write, [fd, NOWHERE, 0]),
        sys(g::__NR_writev, [fd, empty(), 2]),
        sys(g::__NR_writev, [fd, empty(), 0]),
    ]
}

fn failed(number: u32) -> Result<usize> {
    Err(rt::Errno(number))
}

fn nothing_of_a_folder() -> Outcome {
    let folder = os::open(c"/tmp", g::O_RDONLY, 0)? as usize;
    check_eq!(read_nothing(folder), [failed(errno::EISDIR), Ok(0), Ok(0)]);
    check_eq!(sys(g::__NR_preadv, [folder, empty(), 2, 0])?, 0);
    let mut byte = [0u8];
    let vector = [byte.as_mut_ptr() as usize, 1];
    each_is_refused(&[
        (g::__NR_read, &[folder, KERNELS, 0], errno::EFAULT),
        (g::__NR_pread64, &[folder, NOWHERE, 0, 0], errno::EISDIR),
        (g::__NR_readv, &[folder, vector.as_ptr() as usize, 1], errno::EISDIR),
        (g::__NR_preadv, &[folder, vector.as_ptr() as usize, 1, 0], errno::EISDIR),
        (g::__NR_write, &[folder, NOWHERE, 0], errno::EBADF),
        (g::__NR_writev, &[folder, empty(), 2], errno::EBADF),
    ])
}

/// The descriptor is looked at before the vector is.
fn nothing_without_the_right() -> Outcome {
    let path = c"/tmp/vmtests.nothing";
    os::close(temporary(path, b"text")?)?;
    let writer = os::open(path, g::O_WRONLY, 0)? as usize;
    let reader = os::open(path, g::O_RDONLY, 0)? as usize;
    let name = os::open(path, g::O_PATH, 0)? as usize;
    let (out, into) = os::pipe(0)?;
    let (out, into) = (out as usize, into as usize);
    for fd in [writer, name, into] {
        each_is_refused(&[
            (g::__NR_read, &[fd, NOWHERE, 0], errno::EBADF),
            (g::__NR_readv, &[fd, empty(), 2], errno::EBADF),
            (g::__NR_readv, &[fd, empty(), usize::MAX], errno::EBADF),
            (g::__NR_readv, &[fd, NOWHERE, 1], errno::EBADF),
        ])?;
    }
    for fd in [reader, name, out] {
        each_is_refused(&[
            (g::__NR_write, &[fd, NOWHERE, 0], errno::EBADF),
            (g::__NR_writev, &[fd, empty(), 2], errno::EBADF),
            (g::__NR_writev, &[fd, empty(), usize::MAX], errno::EBADF),
            (g::__NR_writev, &[fd, NOWHERE, 1], errno::EBADF),
        ])?;
    }
    check_eq!((read_nothing(reader), write_nothing(writer)), ([Ok(0); 3], [Ok(0); 3]));
    // Of an empty pipe, and of one that nobody reads any more.
    check_eq!((read_nothing(out), write_nothing(into)), ([Ok(0); 3], [Ok(0); 3]));
    os::close(out as i32)?;
    check_eq!(write_nothing(into), [Ok(0); 3]);
    unlink(path)?;
    Ok(())
}

fn nothing_of_sockets() -> Outcome {
    on_signal(g::SIGPIPE, Action::Ignore, 0)?;
    // Connected to nobody: reading nothing asks nobody, writing it does, but for the vector.
    for (family, kind, refused) in [
        (AF_UNIX, SOCK_STREAM, errno::ENOTCONN),
        (AF_UNIX, SOCK_DGRAM, errno::ENOTCONN),
        (AF_INET, SOCK_STREAM, errno::EPIPE),
        (AF_INET, SOCK_DGRAM, errno::EDESTADDRREQ),
    ] {
        let socket = sys(g::__NR_socket, [family as usize, (kind | g::O_NONBLOCK) as usize, 0])?;
        check_eq!(read_nothing(socket), [Ok(0); 3]);
        check_eq!(write_nothing(socket), [failed(refused), Ok(0), Ok(0)]);
    }
    for kind in [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET] {
        let mut pair = [0i32; 2];
        let kind = (kind | g::O_NONBLOCK) as usize;
        sys(g::__NR_socketpair, [AF_UNIX as usize, kind, 0, pair.as_mut_ptr() as usize])?;
        check_eq!(read_nothing(core::hint::black_box(pair)[0] as usize), [Ok(0); 3]);
    }
    Ok(())
}

/// `write` of nothing sends a message without bytes, which `read` of nothing leaves where it is.
fn an_empty_message_stays() -> Outcome {
    let mut pair = [0i32; 2];
    let kind = (SOCK_DGRAM | g::O_NONBLOCK) as usize;
    sys(g::__NR_socketpair, [AF_UNIX as usize, kind, 0, pair.as_mut_ptr() as usize])?;
    let [here, there] = core::hint::black_box(pair);
    check_eq!(write_nothing(here as usize), [Ok(0); 3]);
    check_eq!(read_nothing(there as usize), [Ok(0); 3]);
    check_eq!(os::read(there, &mut [0])?, 0);
    check_error!(os::read(there, &mut [0]), EAGAIN);
    Ok(())
}

fn nothing_of_event_files() -> Outcome {
    let invalid = [failed(errno::EINVAL), Ok(0), Ok(0)];
    let event = sys(g::__NR_eventfd2, [1, 0])?;
    check_eq!((read_nothing(event), write_nothing(event)), (invalid, invalid));
    let timer = sys(g::__NR_timerfd_create, [g::CLOCK_MONOTONIC as usize, g::O_NONBLOCK as usize])?;
    let set = [0u64];
    let signals = sys(g::__NR_signalfd4, [usize::MAX, set.as_ptr() as usize, 8, g::O_NONBLOCK as usize])?;
    check_eq!((read_nothing(timer), read_nothing(signals)), (invalid, invalid));
    let watches = sys(g::__NR_inotify_init1, [g::O_NONBLOCK as usize])?;
    check_eq!(read_nothing(watches), [failed(errno::EAGAIN), Ok(0), Ok(0)]);
    // What cannot be read at all says so whatever it is given.
    let list = sys(g::__NR_epoll_create1, [0])?;
    each_is_refused(&[
        (g::__NR_read, &[list, KERNELS, 1], errno::EINVAL),
        (g::__NR_readv, &[list, empty(), 2], errno::EINVAL),
        (g::__NR_readv, &[list, NOWHERE, 1], errno::EINVAL),
        (g::__NR_write, &[list, KERNELS, 1], errno::EINVAL),
        (g::__NR_writev, &[list, empty(), 2], errno::EINVAL),
        (g::__NR_write, &[timer, KERNELS, 1], errno::EINVAL),
        (g::__NR_writev, &[signals, empty(), 2], errno::EINVAL),
    ])
}

fn nothing_for_full_devices() -> Outcome {
    let full = os::open(c"/dev/full", g::O_RDWR, 0)? as usize;
    check_eq!(write_nothing(full), [failed(errno::ENOSPC), Ok(0), Ok(0)]);
    each_is_refused(&[(g::__NR_pwrite64, &[full, NOWHERE, 0, 0], errno::ENOSPC)])?;
    for path in [c"/dev/null", c"/dev/zero", c"/dev/urandom"] {
        let device = os::open(path, g::O_RDWR, 0)? as usize;
        check_eq!((read_nothing(device), write_nothing(device)), ([Ok(0); 3], [Ok(0); 3]));
    }
    Ok(())
}

fn nothing_for_a_terminal_that_has_gone() -> Outcome {
    let master = os::open(c"/dev/ptmx", g::O_RDWR | g::O_NOCTTY, 0)?;
    let no = [0u32];
    sys(g::__NR_ioctl, [master as usize, rt::abi::ioctl::TIOCSPTLCK as usize, no.as_ptr() as usize])?;
    let flags = (g::O_RDWR | g::O_NOCTTY) as usize;
    let slave = sys(g::__NR_ioctl, [master as usize, rt::abi::ioctl::TIOCGPTPEER as usize, flags])?;
    check_eq!((read_nothing(slave), write_nothing(slave)), ([Ok(0); 3], [Ok(0); 3]));
    os::close(master)?;
    check_eq!((read_nothing(slave), write_nothing(slave)), ([Ok(0); 3], [failed(errno::EIO), Ok(0), Ok(0)]));
    Ok(())
}

/// By preadv2, which qemu-riscv64 7.2 does not have; as the host's Linux did.
fn a_vector_of_nothing_in_any_manner() -> Outcome {
    const UNKNOWN: usize = 0x1000_0000;
    let here = usize::MAX;
    let folder = os::open(c"/tmp", g::O_RDONLY, 0)? as usize;
    check_eq!(sys(g::__NR_preadv2, [folder, empty(), 2, here, 0, UNKNOWN])?, 0);
    check_eq!(sys(g::__NR_preadv2, [folder, empty(), 2, 0, 0, 0])?, 0);
    let (out, into) = os::pipe(0)?;
    check_eq!(sys(g::__NR_pwritev2, [into as usize, empty(), 2, here, 0, UNKNOWN])?, 0);
    each_is_refused(&[
        (g::__NR_preadv2, &[into as usize, empty(), 2, here, 0, UNKNOWN], errno::EBADF),
        (g::__NR_pwritev2, &[out as usize, empty(), 2, here, 0, UNKNOWN], errno::EBADF),
        (g::__NR_preadv2, &[out as usize, empty(), 2, 0, 0, 0], errno::ESPIPE),
    ])
}

/// An offset that cannot be is told of before a descriptor that is none, and that before the vector.
fn offsets_before_descriptors() -> Outcome {
    const NONE: usize = 999;
    let (out, _into) = os::pipe(0)?;
    each_is_refused(&[
        (g::__NR_pread64, &[NONE, NOWHERE, 0, usize::MAX], errno::EINVAL),
        (g::__NR_pwrite64, &[NONE, NOWHERE, 0, usize::MAX], errno::EINVAL),
        (g::__NR_pread64, &[NONE, NOWHERE, 0, 0], errno::EBADF),
        (g::__NR_pwrite64, &[NONE, NOWHERE, 0, 0], errno::EBADF),
        (g::__NR_preadv, &[NONE, NOWHERE, 1, 0], errno::EBADF),
        (g::__NR_pwritev, &[NONE, NOWHERE, 1, 0], errno::EBADF),
        (g::__NR_preadv, &[out as usize, NOWHERE, 1, 0], errno::ESPIPE),
        (g::__NR_pwritev, &[out as usize, NOWHERE, 1, 0], errno::ESPIPE),
    ])
}
