//! Terminals: what is typed and read, settings, windows; pseudo-terminals; sessions and what is in the foreground.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use rt::Result;
use rt::abi::general as g;
use rt::abi::ioctl as request;
use rt::os::{self, Pid, Status};

use crate::check::{Failed, Outcome};
use crate::raw::{Action, on_signal, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel requests_of_terminals, @Kernel terminal_settings, @Kernel terminal_lines, @Kernel terminal_keys, @Kernel terminal_flow,
    @Kernel pseudo_terminals, @Kernel terminal_is_hung_up, @Kernel window_sizes, @Kernel controlling_terminal, @Kernel background_waits,
    @Kernel background_may_be_told, @Kernel an_exclusive_terminal, @Kernel bytes_are_typed, @Kernel a_master_signals,
}

/// `struct termios2`: four words of flags, the discipline, 19 characters, two speeds.
type Termios = [u32; 11];
const LOCAL: usize = 3;

fn address<T>(value: &mut T) -> usize {
    core::ptr::from_mut(value) as usize
}

fn ask(fd: i32, number: u32, argument: usize) -> Result<usize> {
    sys(g::__NR_ioctl, [fd as usize, number as usize, argument])
}

/// Asks for a number, or gives one.
fn number(fd: i32, request: u32, value: u32) -> Result<u32> {
    let mut value = value;
    ask(fd, request, address(&mut value))?;
    Ok(core::hint::black_box(value))
}

fn settings(fd: i32, request: u32) -> Result<Termios> {
    let mut settings = Termios::default();
    ask(fd, request, address(&mut settings))?;
    Ok(core::hint::black_box(settings))
}

fn set(fd: i32, request: u32, settings: &Termios) -> Result<usize> {
    ask(fd, request, settings.as_ptr() as usize)
}

/// A pseudo-terminal's master and slave. The slave is nobody's controlling terminal.
fn pair() -> Result<(i32, i32)> {
    let master = os::open(c"/dev/ptmx", g::O_RDWR | g::O_NOCTTY, 0)?;
    number(master, request::TIOCSPTLCK, 0)?;
    let slave = ask(master, request::TIOCGPTPEER, (g::O_RDWR | g::O_NOCTTY) as usize)?;
    Ok((master, slave as i32))
}

fn check_read(fd: i32, expected: &[u8]) -> Outcome {
    let mut bytes = [0; 64];
    let count = os::read(fd, &mut bytes)?;
    check_eq!(&bytes[..count], expected);
    Ok(())
}

fn nonblocking(fd: i32) -> Result<usize> {
    sys(g::__NR_fcntl, [fd as usize, g::F_SETFL as usize, (g::O_RDWR | g::O_NONBLOCK) as usize])
}

fn requests_of_terminals() -> Outcome {
    let (master, slave) = pair()?;
    check!(settings(slave, request::TCGETS)?[LOCAL] & g::ICANON != 0);
    check_eq!(settings(slave, request::TCGETS2)?[9..], [38400, 38400]);
    os::write(slave, b"four")?;
    check_eq!(number(master, request::FIONREAD, 9)?, 4);
    check_eq!(number(slave, request::TIOCOUTQ, 9)?, 0);
    check_eq!(number(slave, request::FIONREAD, 9)?, 0);
    ask(slave, request::TCSBRK, 1)?;
    check_error!(number(slave, request::TIOCGPGRP, 0), ENOTTY);
    check_error!(number(slave, request::TIOCGSID, 0), ENOTTY);
    check_error!(number(slave, request::TIOCGPTN, 0), ENOTTY);
    check_error!(ask(slave, request::TIOCNOTTY, 0), ENOTTY);
    check_error!(sys(g::__NR_lseek, [slave as usize, 0, 0]), ESPIPE);
    Ok(())
}

fn terminal_settings() -> Outcome {
    let (master, slave) = pair()?;
    let fresh = settings(slave, request::TCGETS2)?;
    let mut silent = fresh;
    silent[LOCAL] &= !g::ECHO;
    for (get, requests) in [
        (request::TCGETS, [request::TCSETS, request::TCSETSW, request::TCSETSF]),
        (request::TCGETS2, [request::TCSETS2, request::TCSETSW2, request::TCSETSF2]),
    ] {
        for (index, request) in requests.into_iter().enumerate() {
            os::write(master, b"kept\n")?;
            set(slave, request, &silent)?;
            check_eq!(settings(master, get)?[LOCAL], silent[LOCAL]);
            // The last of the three forgets what has been typed.
            check_eq!(number(slave, request::FIONREAD, 9)?, 5 * u32::from(index < 2));
            if index < 2 {
                check_read(slave, b"kept\n")?;
            }
            set(slave, request, &fresh)?;
        }
    }
    check_error!(ask(slave, request::TCSETS, 0), EFAULT);
    Ok(())
}

fn terminal_lines() -> Outcome {
    let (master, slave) = pair()?;
    os::write(master, b"ab\x7fc\nsecond")?;
    check_read(master, b"ab\x08 \x08c\r\nsecond")?;
    check_eq!(number(slave, request::FIONREAD, 9)?, 3);
    check_read(slave, b"ac\n")?;
    nonblocking(slave)?;
    check_error!(os::read(slave, &mut [0; 9]), EAGAIN);
    os::write(master, b"\x04\x04")?;
    check_read(slave, b"second")?;
    check_read(slave, b"")?;
    os::write(slave, b"out\n")?;
    check_read(master, b"out\r\n")?;
    os::write(master, b"gone\nand more\n")?;
    ask(slave, request::TCFLSH, g::TCIFLUSH as usize)?;
    check_error!(os::read(slave, &mut [0; 9]), EAGAIN);
    check_error!(ask(slave, request::TCFLSH, 7), EINVAL);
    Ok(())
}

fn terminal_keys() -> Outcome {
    let (master, slave) = pair()?;
    let mut raw = settings(slave, request::TCGETS)?;
    (raw[0], raw[1], raw[LOCAL]) = (0, 0, 0);
    set(slave, request::TCSETS, &raw)?;
    os::write(master, b"\x03\r")?;
    check_read(slave, b"\x03\r")?;
    // VTIME and VMIN are the upper bytes of this word: no byte need come within a tenth of a second.
    raw[5] = raw[5] & 0xffff | 1 << 16;
    set(slave, request::TCSETS, &raw)?;
    check_read(slave, b"")?;
    os::write(slave, b"a\n")?;
    check_read(master, b"a\n")?;
    Ok(())
}

fn terminal_flow() -> Outcome {
    let (master, slave) = pair()?;
    nonblocking(slave)?;
    ask(slave, request::TCXONC, g::TCOOFF as usize)?;
    check_error!(os::write(slave, b"x"), EAGAIN);
    ask(slave, request::TCXONC, g::TCOON as usize)?;
    check_eq!(os::write(slave, b"x")?, 1);
    ask(slave, request::TCXONC, g::TCIOFF as usize)?;
    check_read(master, b"x\x13")?;
    // Ctrl-S and Ctrl-Q.
    os::write(master, b"\x13")?;
    check_error!(os::write(slave, b"x"), EAGAIN);
    os::write(master, b"\x11")?;
    check_eq!(os::write(slave, b"x")?, 1);
    check_error!(ask(slave, request::TCXONC, 9), EINVAL);
    Ok(())
}

/// The path of a master's slave, ended by NUL.
fn path_of(master: i32, path: &mut [u8; 24]) -> Result<&CStr> {
    let number = number(master, request::TIOCGPTN, 0)?;
    path[..9].copy_from_slice(b"/dev/pts/");
    let digits = [number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8);
    let digits = if number < 10 { &digits[1..] } else { &digits[..] };
    path[9..9 + digits.len()].copy_from_slice(digits);
    Ok(CStr::from_bytes_until_nul(path).unwrap_or(c""))
}

fn pseudo_terminals() -> Outcome {
    let master = os::open(c"/dev/ptmx", g::O_RDWR | g::O_NOCTTY, 0)?;
    let mut path = [0; 24];
    let path = path_of(master, &mut path)?;
    check_eq!(number(master, request::TIOCGPTLCK, 9)?, 1);
    check_error!(os::open(path, g::O_RDWR | g::O_NOCTTY, 0), EIO);
    number(master, request::TIOCSPTLCK, 0)?;
    check_eq!(number(master, request::TIOCGPTLCK, 9)?, 0);
    let first = os::open(path, g::O_RDWR | g::O_NOCTTY, 0)?;
    let second = ask(master, request::TIOCGPTPEER, (g::O_RDWR | g::O_NOCTTY | g::O_CLOEXEC) as usize)? as i32;
    check_eq!(sys(g::__NR_fcntl, [second as usize, g::F_GETFD as usize])?, g::FD_CLOEXEC as usize);
    let mut link = [0; 32];
    let mut name = *b"/proc/self/fd/?\0";
    check!(first < 10);
    name[14] = b'0' + first as u8;
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    let count =
        sys(g::__NR_readlinkat, [at, name.as_ptr() as usize, link.as_mut_ptr() as usize, link.len()])?;
    check_eq!(&link[..count], path.to_bytes());
    os::write(first, b"one\n")?;
    os::close(first)?;
    check_read(master, b"one\r\n")?;
    os::close(second)?;
    check_error!(os::read(master, &mut [0; 9]), EIO);
    // What is typed waits for the next one.
    os::write(master, b"typed\n")?;
    let third = os::open(path, g::O_RDWR | g::O_NOCTTY, 0)?;
    check_read(third, b"typed\n")?;
    os::close(master)?;
    check_error!(os::open(path, g::O_RDWR, 0), ENOENT);
    Ok(())
}

fn terminal_is_hung_up() -> Outcome {
    let (master, slave) = pair()?;
    os::close(master)?;
    check_read(slave, b"")?;
    check_error!(os::write(slave, b"x"), EIO);
    check_error!(settings(slave, request::TCGETS), EIO);
    check_error!(ask(slave, request::TIOCSPGRP, 0), ENOTTY);
    Ok(())
}

static HEARD: AtomicU32 = AtomicU32::new(0);

extern "C" fn hear(signal: i32, _: usize, _: usize) {
    HEARD.fetch_or(1 << signal, SeqCst);
}

fn has_heard(signal: u32) -> bool {
    HEARD.load(SeqCst) >> signal & 1 != 0
}

/// Does something in a child that leads a session of its own.
fn in_session(action: impl FnOnce() -> Outcome) -> Outcome {
    let status =
        os::in_child(|| match sys(g::__NR_setsid, []).map_err(Failed::from).and_then(|_| action()) {
            Ok(()) => 0,
            Err(_) => 1,
        })?;
    check_eq!(status, Status::Exited(0));
    Ok(())
}

fn window_sizes() -> Outcome {
    let (master, slave) = pair()?;
    in_session(|| {
        ask(slave, request::TIOCSCTTY, 0)?;
        on_signal(g::SIGWINCH, Action::Call(hear), 0)?;
        let mut size = [30u16, 100, 1, 2];
        ask(master, request::TIOCSWINSZ, address(&mut size))?;
        check!(has_heard(g::SIGWINCH));
        let mut told = [0u16; 4];
        ask(slave, request::TIOCGWINSZ, address(&mut told))?;
        check_eq!(core::hint::black_box(told), [30, 100, 1, 2]);
        HEARD.store(0, SeqCst);
        ask(slave, request::TIOCSWINSZ, address(&mut size))?;
        // It has not changed.
        check!(!has_heard(g::SIGWINCH));
        Ok(())
    })
}

fn controlling_terminal() -> Outcome {
    let (master, slave) = pair()?;
    in_session(|| {
        let this = os::getpid() as u32;
        check_error!(os::open(c"/dev/tty", g::O_RDWR, 0), ENXIO);
        let mut path = [0; 24];
        let path = path_of(master, &mut path)?;
        os::open(path, g::O_RDWR | g::O_NOCTTY, 0)?;
        check_error!(os::open(c"/dev/tty", g::O_RDWR, 0), ENXIO);
        os::open(path, g::O_RDWR, 0)?;
        let own = os::open(c"/dev/tty", g::O_RDWR, 0)?;
        check_eq!(number(own, request::TIOCGSID, 0)?, this);
        check_eq!(number(own, request::TIOCGPGRP, 0)?, this);
        check_eq!(number(master, request::TIOCGPGRP, 0)?, this);
        check_error!(number(own, request::TIOCSPGRP, 999_999), ESRCH);
        number(own, request::TIOCSPGRP, this)?;
        on_signal(g::SIGINT, Action::Call(hear), 0)?;
        os::write(master, b"lost\x03kept\n")?;
        check!(has_heard(g::SIGINT));
        check_read(own, b"kept\n")?;
        on_signal(g::SIGHUP, Action::Call(hear), 0)?;
        ask(own, request::TIOCNOTTY, 0)?;
        check!(has_heard(g::SIGHUP));
        check_error!(os::open(c"/dev/tty", g::O_RDWR, 0), ENXIO);
        ask(slave, request::TIOCSCTTY, 0)?;
        check_eq!(number(slave, request::TIOCGSID, 0)?, this);
        // A child has it too, until it leads a session.
        let status = os::in_child(|| i32::from(os::open(c"/dev/tty", g::O_RDWR, 0).is_err()))?;
        check_eq!(status, Status::Exited(0));
        in_session(|| {
            check_error!(os::open(c"/dev/tty", g::O_RDWR, 0), ENXIO);
            check_error!(os::open(path, g::O_RDWR, 0).and_then(|fd| ask(fd, request::TIOCSCTTY, 0)), EPERM);
            Ok(())
        })?;
        Ok(())
    })?;
    // Its session has ended: another may have it.
    in_session(|| ask(slave, request::TIOCSCTTY, 0).map(|_| ()).map_err(Failed::from))
}

/// A child in a group of its own that waits for a line and ends with its length, or with 100 and the error.
fn reader(slave: i32) -> Result<Pid> {
    let pid = os::fork()?;
    if pid == 0 {
        let _ = sys(g::__NR_setpgid, [0, 0]);
        os::exit(match os::read(slave, &mut [0; 9]) {
            Ok(count) => count as i32,
            Err(error) => 100 + error.0.cast_signed(),
        });
    }
    let _ = sys(g::__NR_setpgid, [pid as usize, 0]);
    Ok(pid)
}

fn background_waits() -> Outcome {
    const STOPPED: u32 = 0x7f;
    let (master, slave) = pair()?;
    in_session(|| {
        ask(slave, request::TIOCSCTTY, 0)?;
        let pid = reader(slave)?;
        let mut status = 0u32;
        let mut wait = || {
            let waited = sys(g::__NR_wait4, [pid as usize, address(&mut status), g::WUNTRACED as usize, 0]);
            waited.map(|_| core::hint::black_box(status))
        };
        check_eq!(wait()?, g::SIGTTIN << 8 | STOPPED);
        number(slave, request::TIOCSPGRP, pid as u32)?;
        os::kill(pid, g::SIGCONT)?;
        os::write(master, b"\x1a")?;
        check_eq!(wait()?, g::SIGTSTP << 8 | STOPPED);
        // Who is in the background, and nobody's, may take the terminal back only if it does not want to hear of that.
        let group = os::getpid() as u32;
        check_error!(number(slave, request::TIOCSPGRP, group), ENOTTY);
        on_signal(g::SIGTTOU, Action::Ignore, 0)?;
        number(slave, request::TIOCSPGRP, group)?;
        number(slave, request::TIOCSPGRP, pid as u32)?;
        os::kill(pid, g::SIGCONT)?;
        os::write(master, b"four\n")?;
        check_eq!(wait()?, 5 << 8);
        Ok(())
    })
}

fn background_may_be_told() -> Outcome {
    let (_master, slave) = pair()?;
    in_session(|| {
        ask(slave, request::TIOCSCTTY, 0)?;
        // A group that ignores the stop is told.
        on_signal(g::SIGTTIN, Action::Ignore, 0)?;
        let pid = reader(slave)?;
        check_eq!(os::wait(pid)?.1, Status::Exited(100 + rt::abi::errno::EIO as i32));
        Ok(())
    })
}

/// Its owner does not open it again, an administrator does.
fn an_exclusive_terminal() -> Outcome {
    let opened = || {
        let (master, slave) = pair()?;
        let mut path = *b"/dev/pts/0000\0";
        let number = number(master, request::TIOCGPTN, 0)?;
        for (place, unit) in path[9..13].iter_mut().zip([1000, 100, 10, 1]) {
            *place += (number / unit % 10) as u8;
        }
        // Names have no zeros in front.
        let zeros = path[9..12].iter().take_while(|&&digit| digit == b'0').count();
        path[9..].rotate_left(zeros);
        path[13 - zeros] = 0;
        ask(slave, request::TIOCEXCL, 0)?;
        sys(g::__NR_openat, [0, path.as_ptr() as usize, (g::O_RDONLY | g::O_NOCTTY) as usize])
    };
    opened()?;
    check_eq!(crate::users::as_user(opened)?, rt::abi::errno::EBUSY);
    let (_master, slave) = pair()?;
    for (request, told) in [(request::TIOCEXCL, 1), (request::TIOCNXCL, 0)] {
        ask(slave, request, 0)?;
        check_eq!(number(slave, request::TIOCGEXCL, 9)?, told);
    }
    Ok(())
}

/// TIOCSTI, and what is told of a terminal.
fn bytes_are_typed() -> Outcome {
    let (_master, slave) = pair()?;
    for byte in b"typed\n" {
        ask(slave, request::TIOCSTI, core::ptr::from_ref(byte) as usize)?;
    }
    check_read(slave, b"typed\n")?;
    let byte = b'x';
    let typed = || ask(slave, request::TIOCSTI, &raw const byte as usize);
    check_eq!(crate::users::as_user(typed)?, rt::abi::errno::EIO);
    check_error!(ask(slave, request::TIOCSTI, 8), EFAULT);
    check_eq!(number(slave, request::TIOCGETD, 9)?, 0);
    number(slave, request::TIOCSETD, 0)?;
    check_error!(number(slave, request::TIOCSETD, 99), EINVAL);
    // Device 136, and the terminal's number.
    check_eq!(number(slave, request::TIOCGDEV, 0)? >> 8 & 0xfff, 136);
    Ok(())
}

/// TIOCSIG: to the group in the foreground.
fn a_master_signals() -> Outcome {
    let (master, slave) = pair()?;
    check_error!(ask(master, request::TIOCSIG, 99), EINVAL);
    check_error!(ask(master, request::TIOCSIG, g::SIGTERM as usize), EINVAL);
    check_error!(ask(slave, request::TIOCSIG, g::SIGINT as usize), ENOTTY);
    in_session(|| {
        ask(slave, request::TIOCSCTTY, 0)?;
        let pid = os::fork()?;
        if pid == 0 {
            let read = os::read(slave, &mut [0; 9]);
            os::exit(i32::from(read.is_ok()));
        }
        on_signal(g::SIGINT, Action::Ignore, 0)?;
        ask(master, request::TIOCSIG, g::SIGINT as usize)?;
        check_eq!(os::wait(pid)?.1, Status::Signaled(g::SIGINT));
        Ok(())
    })
}
