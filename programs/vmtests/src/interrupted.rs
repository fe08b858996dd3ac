//! A signal ends every wait with EINTR, if its handler was not set with SA_RESTART; and some waits even then (signal(7)).

use rt::Result;
use rt::abi::errno;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::os;

use crate::check::{Outcome, is_refused};
use crate::exec::unlink;
use crate::raw::sys;
use crate::sockets::{STREAM, UNIX, pair};
use crate::timers::cut_short;
use crate::{check_eq, tests};

tests! {
    waits_for_bytes, waits_for_room, waits_for_connections, waits_for_what_happens, waits_for_time, waits_for_locks,
    waits_for_a_fifos_other_end, @Kernel waits_for_semaphores_and_messages,
}

const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();

/// Fails unless each call waits, and is cut short.
fn each_is_cut_short(rows: &[(u32, &[usize])]) -> Outcome {
    for (row, &(number, given)) in rows.iter().enumerate() {
        let mut arguments = [0; 6];
        arguments[..given.len()].copy_from_slice(given);
        is_refused(row, number, cut_short(|| sys(number, arguments)), errno::EINTR)?;
    }
    Ok(())
}

/// Room for what a call says, and a vector and a message that name it.
struct Room {
    bytes: [u8; 4096],
    vector: [usize; 2],
    /// `struct msghdr`, and the length that `struct mmsghdr` has behind it.
    message: [usize; 8],
}

impl Room {
    const fn new() -> Self {
        Self { bytes: [0; 4096], vector: [0; 2], message: [0; 8] }
    }

    /// Addresses of the bytes, the vector and the message.
    fn addresses(&mut self) -> [usize; 3] {
        let bytes = self.bytes.as_mut_ptr() as usize;
        self.vector = [bytes, self.bytes.len()];
        let vector = self.vector.as_mut_ptr() as usize;
        self.message = [0, 0, vector, 1, 0, 0, 0, 0];
        [bytes, vector, self.message.as_mut_ptr() as usize]
    }
}

fn waits_for_bytes() -> Outcome {
    let mut room = Room::new();
    let [bytes, vector, message] = room.addresses();
    let (pipe, write) = os::pipe(0)?;
    let (one, _other) = pair(STREAM)?;
    let (pipe, socket) = (pipe as usize, one as usize);
    let (target, _) = os::pipe(0).map(|(read, write)| (write as usize, read))?;
    let event = sys(g::__NR_eventfd2, [0, 0])?;
    let timer = sys(g::__NR_timerfd_create, [g::CLOCK_MONOTONIC as usize, 0])?;
    let list = sys(g::__NR_inotify_init1, [0])?;
    each_is_cut_short(&[
        (g::__NR_read, &[pipe, bytes, 1]),
        (g::__NR_readv, &[pipe, vector, 1]),
        (g::__NR_read, &[socket, bytes, 1]),
        (g::__NR_read, &[event, bytes, 8]),
        (g::__NR_read, &[timer, bytes, 8]),
        (g::__NR_read, &[list, bytes, 512]),
        (g::__NR_recvfrom, &[socket, bytes, 1]),
        (g::__NR_recvmsg, &[socket, message]),
        (g::__NR_recvmmsg, &[socket, message, 1]),
        (g::__NR_tee, &[pipe, target, 1]),
    ])?;
    os::close(write)?;
    Ok(())
}

fn waits_for_room() -> Outcome {
    let mut room = Room::new();
    let [bytes, vector, message] = room.addresses();
    let (_read, write) = os::pipe(g::O_NONBLOCK)?;
    let (one, _other) = pair(STREAM)?;
    let event = sys(g::__NR_eventfd2, [0, 0])?;
    let most = u64::MAX - 1;
    let most = (&raw const most) as usize;
    sys(g::__NR_write, [event, most, 8])?;
    while sys(g::__NR_write, [write as usize, bytes, 4096]).is_ok() {}
    sys(g::__NR_fcntl, [write as usize, g::F_SETFL as usize, 0])?;
    while sys(g::__NR_sendto, [one as usize, bytes, 4096, n::MSG_DONTWAIT as usize, 0, 0]).is_ok() {}
    let (pipe, socket) = (write as usize, one as usize);
    let file = crate::memory::temporary(c"/tmp/vmtests.file", b"some text")? as usize;
    let mut offset = 0u64;
    let offset = (&raw mut offset) as usize;
    each_is_cut_short(&[
        (g::__NR_write, &[pipe, bytes, 4096]),
        (g::__NR_writev, &[pipe, vector, 1]),
        (g::__NR_write, &[event, most, 8]),
        (g::__NR_write, &[socket, bytes, 4096]),
        (g::__NR_sendto, &[socket, bytes, 4096]),
        (g::__NR_sendmsg, &[socket, message]),
        (g::__NR_sendmmsg, &[socket, message, 1]),
        (g::__NR_splice, &[file, offset, pipe, 0, 4]),
        (g::__NR_sendfile, &[pipe, file, offset, 4]),
    ])?;
    unlink(c"/tmp/vmtests.file")?;
    Ok(())
}

fn waits_for_connections() -> Outcome {
    let socket = || sys(g::__NR_socket, [UNIX, STREAM, 0]);
    let (listener, client) = (socket()?, socket()?);
    let address: [u8; 10] = *b"\x01\x00\x00vmtests";
    let name = address.as_ptr() as usize;
    sys(g::__NR_bind, [listener, name, 10])?;
    sys(g::__NR_listen, [listener, 0])?;
    each_is_cut_short(&[(g::__NR_accept, &[listener]), (g::__NR_accept4, &[listener])])?;
    // One connection waits to be accepted, and there is no room for a second.
    sys(g::__NR_connect, [client, name, 10])?;
    each_is_cut_short(&[(g::__NR_connect, &[socket()?, name, 10])])
}

fn waits_for_what_happens() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    let list = sys(g::__NR_epoll_create1, [0])?;
    let mut event = [1u64, 0];
    let event = event.as_mut_ptr() as usize;
    sys(g::__NR_epoll_ctl, [list, 1, read as usize, event])?;
    let poll = [u64::from(read.cast_unsigned()) | 1 << 32];
    let poll = poll.as_ptr() as usize;
    let forever = usize::MAX;
    let mut none = [0u64];
    let none = none.as_mut_ptr() as usize;
    let mut set = [1u64 << read];
    let set = set.as_mut_ptr() as usize;
    let mut zeros = [0u64; 16];
    let zeros = zeros.as_mut_ptr() as usize;
    // These end even where SA_RESTART lets others go on.
    each_is_cut_short(&[
        (g::__NR_epoll_pwait, &[list, event, 1, forever]),
        (g::__NR_ppoll, &[poll, 1]),
        (g::__NR_pselect6, &[read as usize + 1, set]),
        (g::__NR_ppoll, &[0, 0]),
        (g::__NR_rt_sigsuspend, &[none, 8]),
        (g::__NR_rt_sigtimedwait, &[none, 0, 0, 8]),
    ])?;
    // qemu-riscv64 7.2 has none; Linux' manual.
    let waited = cut_short(|| sys(g::__NR_epoll_pwait2, [list, event, 1, 0, 0, 8]));
    if waited != Err(rt::Errno(errno::ENOSYS)) {
        is_refused(0, g::__NR_epoll_pwait2, waited, errno::EINTR)?;
    }
    let pid = os::fork()?;
    if pid == 0 {
        loop {
            let _ = crate::processes::sleep_ns(1_000_000_000);
        }
    }
    let child = pid as usize;
    each_is_cut_short(&[
        (g::__NR_wait4, &[child]),
        (g::__NR_waitid, &[g::P_PID as usize, child, zeros, g::WEXITED as usize]),
    ])?;
    os::kill(pid, g::SIGKILL)?;
    os::wait(pid)?;
    Ok(())
}

fn waits_for_time() -> Outcome {
    let hour = [3600u64, 0];
    let hour = hour.as_ptr() as usize;
    let word = [0u32];
    let word = word.as_ptr() as usize;
    const PRIVATE_WAIT: usize = 128;
    each_is_cut_short(&[
        (g::__NR_nanosleep, &[hour]),
        (g::__NR_clock_nanosleep, &[g::CLOCK_MONOTONIC as usize, 0, hour]),
        (g::__NR_clock_nanosleep, &[g::CLOCK_REALTIME as usize, 0, hour]),
        (g::__NR_futex, &[word, PRIVATE_WAIT, 0, hour]),
        (g::__NR_futex, &[word, PRIVATE_WAIT, 0, 0]),
        (g::__NR_ppoll, &[0, 0, hour]),
        (g::__NR_pselect6, &[0, 0, 0, 0, hour]),
    ])
}

/// Another process holds both kinds of lock on the file.
fn waits_for_locks() -> Outcome {
    const PATH: &core::ffi::CStr = c"/tmp/vmtests.locked";
    let file = crate::memory::temporary(PATH, b"text")?;
    let (read, write) = os::pipe(0)?;
    /// `struct flock`: a lock for writing, on all.
    fn lock(file: i32, command: u32) -> Result<usize> {
        let all = [g::F_WRLCK as u64, 0, 0, 0];
        sys(g::__NR_fcntl, [file as usize, command as usize, all.as_ptr() as usize])
    }
    let pid = os::fork()?;
    if pid == 0 {
        let file = os::open(PATH, g::O_RDWR, 0)?;
        let held = sys(g::__NR_flock, [file as usize, 2]).and_then(|_| lock(file, g::F_SETLK));
        os::write(write, &[u8::from(held.is_ok())])?;
        loop {
            let _ = crate::processes::sleep_ns(1_000_000_000);
        }
    }
    let mut held = [0];
    os::read(read, &mut held)?;
    check_eq!(held, [1]);
    each_is_cut_short(&[(g::__NR_flock, &[file as usize, 2])])?;
    is_refused(0, g::__NR_fcntl, cut_short(|| lock(file, g::F_SETLKW)), errno::EINTR)?;
    is_refused(1, g::__NR_fcntl, lock(file, g::F_SETLK), errno::EAGAIN)?;
    os::kill(pid, g::SIGKILL)?;
    os::wait(pid)?;
    unlink(PATH)?;
    Ok(())
}

fn waits_for_a_fifos_other_end() -> Outcome {
    const PATH: &core::ffi::CStr = c"/tmp/vmtests.fifo";
    let _ = unlink(PATH);
    let path = PATH.as_ptr() as usize;
    sys(g::__NR_mknodat, [CWD, path, g::S_IFIFO as usize | 0o600, 0])?;
    each_is_cut_short(&[
        (g::__NR_openat, &[CWD, path, g::O_RDONLY as usize]),
        (g::__NR_openat, &[CWD, path, g::O_WRONLY as usize]),
    ])?;
    unlink(PATH)?;
    Ok(())
}

fn waits_for_semaphores_and_messages() -> Outcome {
    const CREATE: usize = 0o1600;
    const NOWAIT: usize = 0o4000;
    let semaphores = sys(g::__NR_semget, [0, 1, CREATE])?;
    let queue = sys(g::__NR_msgget, [0, CREATE])?;
    let take = [0u16, (-1i16).cast_unsigned(), 0];
    let take = take.as_ptr() as usize;
    let hour = [3600u64, 0];
    let message = [1u64; 1025];
    let message = message.as_ptr() as usize;
    each_is_cut_short(&[
        (g::__NR_semop, &[semaphores, take, 1]),
        (g::__NR_semtimedop, &[semaphores, take, 1, 0]),
        (g::__NR_semtimedop, &[semaphores, take, 1, hour.as_ptr() as usize]),
        (g::__NR_msgrcv, &[queue, message, 8]),
    ])?;
    while sys(g::__NR_msgsnd, [queue, message, 8192, NOWAIT]).is_ok() {}
    each_is_cut_short(&[(g::__NR_msgsnd, &[queue, message, 8192])])?;
    sys(g::__NR_semctl, [semaphores, 0, 0, 0])?;
    sys(g::__NR_msgctl, [queue, 0, 0])?;
    Ok(())
}
