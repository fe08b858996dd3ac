//! Pipes: end of file, broken pipes, big transfers, who is woken when.

use rt::abi::general::{self as g, O_NONBLOCK, SIGPIPE};
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::raw::{Action, on_signal, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    pipe_round_trip, pipe_end_of_file, pipe_no_reader, pipe_no_reader_ignored, pipe_big, pipe_atomic, pipe_nonblocking, pipe_copies, pipe_wrong_end,
    pipe_bad_flags, pipe_reader_woken_by_exit, pipe_writer_woken_by_exit, pipe_chain, pipe_vectors,
    pipe_keeps_what_cannot_be_read, pipe_sizes, poll_many, pipe_file_system,
    pipe_packets, @Kernel fifo_ends_meet, fifo_without_waiting,
    pipes_are_looked_at_by_descriptor,
}

fn pipe_round_trip() -> Outcome {
    let (read, write) = os::pipe(0)?;
    check_eq!(os::write(write, b"demand")?, 6);
    check_eq!(os::write(write, b" paging")?, 7);
    let mut bytes = [0; 32];
    check_eq!(os::read(read, &mut bytes[..4])?, 4);
    check_eq!(&bytes[..4], b"dema");
    check_eq!(os::read(read, &mut bytes)?, 9);
    check_eq!(&bytes[..9], b"nd paging");
    check_eq!(os::write(write, b"")?, 0);
    Ok(())
}

fn pipe_end_of_file() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::write(write, b"x")?;
    os::close(write)?;
    check_eq!(os::read(read, &mut [0; 8])?, 1);
    check_eq!(os::read(read, &mut [0; 8])?, 0);
    check_eq!(os::read(read, &mut [0; 8])?, 0);
    Ok(())
}

fn pipe_no_reader() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::close(read)?;
    let ended = os::in_child(|| {
        let _ = os::write(write, b"x");
        1
    });
    check_eq!(ended, Ok(Status::Signaled(SIGPIPE)));
    Ok(())
}

fn pipe_no_reader_ignored() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::close(read)?;
    on_signal(SIGPIPE, Action::Ignore, 0)?;
    check_error!(os::write(write, b"x"), EPIPE);
    Ok(())
}

fn pipe_sizes() -> Outcome {
    let (read, write) = os::pipe(O_NONBLOCK)?;
    let size = |fd: i32| sys(g::__NR_fcntl, [fd as usize, g::F_GETPIPE_SZ as usize, 0]);
    let set = |fd: i32, bytes: usize| sys(g::__NR_fcntl, [fd as usize, g::F_SETPIPE_SZ as usize, bytes]);
    check_eq!((size(read)?, size(write)?), (65536, 65536));
    check_eq!((set(write, 1)?, set(read, 2 * 4096 + 1)?, size(write)?), (4096, 4 * 4096, 4 * 4096));
    let mut blocks = 0;
    while os::write(write, &[1; 4096]).is_ok() {
        blocks += 1;
    }
    check_eq!(blocks, 4);
    check_error!(set(write, 2 * 4096), EBUSY);
    check_eq!((set(write, 1 << 20)?, os::write(write, b"more")?), (1 << 20, 4));
    check_error!(set(write, (1 << 31) + 1), EINVAL);
    // More than so much is not for everybody.
    check_error!(set(write, (1 << 20) + 1), EPERM);
    let file = os::open(c"/dev/null", g::O_RDWR, 0)?;
    check_error!(size(file), EBADF);
    check_error!(set(file, 4096), EBADF);
    // A writer that waits for room goes on.
    let (read, write) = os::pipe(0)?;
    check_eq!((set(write, 4096)?, os::write(write, &[1; 4096])?), (4096, 4096));
    let writer = os::fork()?;
    if writer == 0 {
        os::exit(i32::from(os::write(write, b"more") != Ok(4)));
    }
    crate::processes::sleep_ns(5_000_000)?;
    set(read, 8192)?;
    check_eq!(os::wait(writer)?.1, Status::Exited(0));
    Ok(())
}

fn pattern(offset: usize) -> u8 {
    (offset % 251) as u8
}

fn pipe_big() -> Outcome {
    const TOTAL: usize = 1 << 20;
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::close(read)?;
        let mut block = [0u8; 3000];
        let mut sent = 0;
        while sent < TOTAL {
            let len = block.len().min(TOTAL - sent);
            block[..len].iter_mut().enumerate().for_each(|(index, byte)| *byte = pattern(sent + index));
            // More than the pipe holds at a time: write(2) goes on until all is out.
            check_eq!(os::write(write, &block[..len])?, len);
            sent += len;
        }
        os::exit(0);
    }
    os::close(write)?;
    let mut block = [0u8; 4096];
    let (mut got, mut wrong) = (0, 0);
    loop {
        let len = os::read(read, &mut block)?;
        if len == 0 {
            break;
        }
        wrong +=
            block[..len].iter().enumerate().filter(|(index, byte)| **byte != pattern(got + index)).count();
        got += len;
    }
    check_eq!((got, wrong), (TOTAL, 0));
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn pipe_atomic() -> Outcome {
    // Writes of up to 4096 bytes do not mix, however many write.
    let (read, write) = os::pipe(0)?;
    for letter in *b"abcd" {
        if os::fork()? == 0 {
            for _ in 0..20 {
                check_eq!(os::write(write, &[letter; 512])?, 512);
                os::sched_yield();
            }
            os::exit(0);
        }
    }
    os::close(write)?;
    let mut counts = [0; 4];
    loop {
        let mut block = [0; 512];
        let mut len = 0;
        while len < block.len() {
            match os::read(read, &mut block[len..])? {
                0 => break,
                more => len += more,
            }
        }
        if len == 0 {
            break;
        }
        check!(block.iter().all(|&byte| byte == block[0]));
        counts[usize::from(block[0] - b'a')] += 1;
    }
    check_eq!(counts, [20; 4]);
    for _ in 0..4 {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    Ok(())
}

fn pipe_nonblocking() -> Outcome {
    let (read, write) = os::pipe(O_NONBLOCK)?;
    check_error!(os::read(read, &mut [0]), EAGAIN);
    let mut room = 0;
    while let Ok(len) = os::write(write, &[7; 4096]) {
        room += len;
        check!(room <= 1 << 20);
    }
    check_eq!(room, 65536);
    check_error!(os::write(write, b"x"), EAGAIN);
    check_eq!(os::read(read, &mut [0; 4096])?, 4096);
    check_eq!(os::write(write, b"x")?, 1);
    os::close(write)?;
    let mut left = 0;
    loop {
        match os::read(read, &mut [0; 4096])? {
            0 => break,
            len => left += len,
        }
    }
    check_eq!(left, 65536 - 4096 + 1);
    Ok(())
}

fn pipe_copies() -> Outcome {
    // The end of the file comes with the last copy of the write end.
    let (read, write) = os::pipe(O_NONBLOCK)?;
    let copy = sys(g::__NR_dup, [write as usize])? as i32;
    os::close(write)?;
    check_error!(os::read(read, &mut [0]), EAGAIN);
    os::write(copy, b"y")?;
    os::close(copy)?;
    check_eq!(os::read(read, &mut [0; 4])?, 1);
    check_eq!(os::read(read, &mut [0; 4])?, 0);
    Ok(())
}

fn pipe_wrong_end() -> Outcome {
    let (read, write) = os::pipe(0)?;
    check_error!(os::write(read, b"x"), EBADF);
    check_error!(os::read(write, &mut [0]), EBADF);
    check_error!(os::lseek(read, 0, g::SEEK_CUR), ESPIPE);
    check_error!(sys(g::__NR_pread64, [read as usize, 0, 0, 0]), ESPIPE);
    Ok(())
}

fn pipe_bad_flags() -> Outcome {
    check_error!(os::pipe(0x1234), EINVAL);
    Ok(())
}

fn pipe_reader_woken_by_exit() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::close(read)?;
        (0..20).for_each(|_| os::sched_yield());
        let _ = os::kill(os::getpid(), g::SIGKILL);
    }
    os::close(write)?;
    check_eq!(os::read(read, &mut [0])?, 0);
    check_eq!(os::wait(pid)?.1, Status::Signaled(g::SIGKILL));
    Ok(())
}

fn pipe_writer_woken_by_exit() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::close(write)?;
        let _ = os::read(read, &mut [0; 100]);
        os::exit(0);
    }
    os::close(read)?;
    on_signal(SIGPIPE, Action::Ignore, 0)?;
    // Fills the pipe and blocks until the reader is gone.
    let result = (0..100).find_map(|_| os::write(write, &[1; 4096]).err());
    check_eq!(result, Some(rt::Errno(rt::abi::errno::EPIPE)));
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn pipe_chain() -> Outcome {
    // Ten processes in a row, each adding one to every byte.
    let (mut from, first) = os::pipe(0)?;
    for _ in 0..10 {
        let (read, write) = os::pipe(0)?;
        if os::fork()? == 0 {
            os::close(first)?;
            os::close(read)?;
            let mut block = [0; 700];
            loop {
                let len = os::read(from, &mut block)?;
                if len == 0 {
                    os::exit(0);
                }
                block[..len].iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
                os::write(write, &block[..len])?;
            }
        }
        os::close(write)?;
        os::close(from)?;
        from = read;
    }
    os::write(first, &[5; 5000])?;
    os::close(first)?;
    let mut total = 0;
    let mut block = [0; 512];
    loop {
        match os::read(from, &mut block)? {
            0 => break,
            len => {
                check!(block[..len].iter().all(|&byte| byte == 15));
                total += len;
            }
        }
    }
    check_eq!(total, 5000);
    for _ in 0..10 {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    Ok(())
}

fn pipe_vectors() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let parts: [&[u8]; 4] = [b"de", b"", b"mand", b"!"];
    let out: [(usize, usize); 4] = core::array::from_fn(|i| (parts[i].as_ptr() as usize, parts[i].len()));
    let vector = out.map(|(at, len)| [at, len]);
    check_eq!(sys(g::__NR_writev, [write as usize, vector.as_ptr() as usize, 4])?, 7);
    let (mut a, mut b) = ([0u8; 3], [0u8; 10]);
    let vector = [[a.as_mut_ptr() as usize, 3], [b.as_mut_ptr() as usize, 10]];
    check_eq!(sys(g::__NR_readv, [read as usize, vector.as_ptr() as usize, 2])?, 7);
    check_eq!((core::hint::black_box(&a), &core::hint::black_box(&b)[..4]), (b"dem", &b"and!"[..]));
    check_error!(sys(g::__NR_writev, [write as usize, vector.as_ptr() as usize, 2000]), EINVAL);
    Ok(())
}

fn pipe_keeps_what_cannot_be_read() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::write(write, b"still here")?;
    check_error!(sys(g::__NR_read, [read as usize, 8, 4]), EFAULT);
    let mut bytes = [0; 16];
    check_eq!(os::read(read, &mut bytes)?, 10);
    check_eq!(&bytes[..10], b"still here");
    Ok(())
}

/// As many descriptors as RLIMIT_NOFILE allows can be waited for, and none more.
fn poll_many() -> Outcome {
    const MANY: usize = 2000;
    const POLLIN: u64 = 1;
    let (read, write) = os::pipe(0)?;
    let mut limit = [0u64; 2];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, 0, limit.as_mut_ptr() as usize])?;
    let limit = [MANY as u64, core::hint::black_box(&limit)[1]];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0])?;
    let mut all = [u64::from(read.cast_unsigned()) | POLLIN << 32; MANY + 1];
    let start = all.as_mut_ptr() as usize;
    let millisecond = [0u64, 1_000_000];
    let poll = |count: usize| sys(g::__NR_ppoll, [start, count, millisecond.as_ptr() as usize, 0]);
    check_eq!(poll(MANY)?, 0);
    check_error!(poll(MANY + 1), EINVAL);
    os::write(write, b"x")?;
    check_eq!(poll(MANY)?, MANY);
    check!(core::hint::black_box(&all)[..MANY].iter().all(|entry| entry >> 48 == POLLIN));
    Ok(())
}

fn pipe_file_system() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    let mut statfs = [0usize; 15];
    sys(g::__NR_fstatfs, [read as usize, statfs.as_mut_ptr() as usize])?;
    let statfs = core::hint::black_box(statfs);
    check_eq!((statfs[0], statfs[1]), (0x5049_5045, 4096));
    Ok(())
}

fn pipe_packets() -> Outcome {
    let (read, write) = os::pipe(g::O_DIRECT)?;
    let mut bytes = [0; 64];
    for packet in [&b"one"[..], b"second", b"3"] {
        os::write(write, packet)?;
    }
    check_eq!(os::read(read, &mut bytes)?, 3);
    // What there is no room for is lost.
    check_eq!(os::read(read, &mut bytes[..2])?, 2);
    check_eq!(&core::hint::black_box(bytes)[..2], b"se");
    check_eq!(os::read(read, &mut bytes)?, 1);
    Ok(())
}

const FIFO: &core::ffi::CStr = c"/tmp/vmtests.fifo";

fn make_fifo() -> rt::Result<()> {
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    sys(g::__NR_mknodat, [at, FIFO.as_ptr() as usize, (g::S_IFIFO | 0o600) as usize, 0]).map(|_| ())
}

/// Who opens one end waits for the other.
fn fifo_ends_meet() -> Outcome {
    make_fifo()?;
    let pid = os::fork()?;
    if pid == 0 {
        let written = os::open(FIFO, g::O_WRONLY, 0).and_then(|fd| os::write(fd, b"through"));
        os::exit(i32::from(written != Ok(7)));
    }
    let fd = os::open(FIFO, g::O_RDONLY, 0)?;
    let mut bytes = [0; 16];
    check_eq!(os::read(fd, &mut bytes)?, 7);
    check_eq!(&core::hint::black_box(bytes)[..7], b"through");
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_eq!(os::read(fd, &mut bytes)?, 0);
    crate::exec::unlink(FIFO)?;
    Ok(())
}

fn fifo_without_waiting() -> Outcome {
    make_fifo()?;
    check_error!(os::open(FIFO, g::O_WRONLY | O_NONBLOCK, 0), ENXIO);
    let reader = os::open(FIFO, g::O_RDONLY | O_NONBLOCK, 0)?;
    let mut bytes = [0; 16];
    check_eq!(os::read(reader, &mut bytes)?, 0);
    let writer = os::open(FIFO, g::O_WRONLY | O_NONBLOCK, 0)?;
    check_error!(os::read(reader, &mut bytes), EAGAIN);
    os::write(writer, b"abc")?;
    // Both ends at once wait for nobody.
    let both = os::open(FIFO, g::O_RDWR, 0)?;
    check_eq!(os::read(both, &mut bytes)?, 3);
    os::write(both, b"d")?;
    check_eq!(os::read(reader, &mut bytes)?, 1);
    check_error!(os::lseek(both, 0, g::SEEK_SET), ESPIPE);
    crate::exec::unlink(FIFO)?;
    Ok(())
}

/// What has no path is looked at by its descriptor's link.
fn pipes_are_looked_at_by_descriptor() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    // `/dev/fd/N`, for a small number.
    let mut path = *b"/dev/fd/00\0";
    (path[8], path[9]) = (b'0' + (read / 10) as u8, b'0' + (read % 10) as u8);
    let start = if path[8] == b'0' {
        path.copy_within(9.., 8);
        path.as_ptr() as usize
    } else {
        path.as_ptr() as usize
    };
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    let mut words = [0u64; 16];
    sys(g::__NR_newfstatat, [at, start, words.as_mut_ptr() as usize, 0])?;
    let mut by_descriptor = [0u64; 16];
    sys(g::__NR_fstat, [read as usize, by_descriptor.as_mut_ptr() as usize])?;
    let (one, other) = core::hint::black_box((words, by_descriptor));
    check_eq!((one[1], one[2] & u64::from(g::S_IFMT)), (other[1], u64::from(g::S_IFIFO)));
    sys(g::__NR_faccessat, [at, start, g::R_OK as usize])?;
    Ok(())
}
