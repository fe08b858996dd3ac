//! `ioctl`: terminals, and the few requests that other files know.
//!
//! The host's terminal does the line editing; its settings as the guest sees them are those of a fresh terminal, and changes are accepted
//! without effect.

use super::files::{details, file_to_use};
use super::{Arguments, Outcome, descriptor, descriptor_error, uint};
use crate::devices::console;
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::user::{UserPtr, plain, zeroed};
use crate::processes::exit;
use crate::processes::process::{self, table};
use ::proc::{Pid, SigInfo, Signal};
use fs::{Device, Errno, Object, OpenFlags};
use linux_raw_sys::general as linux;
use linux_raw_sys::ioctl as request;

plain!(linux::termios, linux::winsize);

/// The foreground process group, once a shell has set it.
static FOREGROUND: HartLocal<Option<Pid>> = HartLocal::new(None);

/// Ctrl-C: SIGINT for the foreground group, the first process's until a shell has set one.
pub fn interrupt() {
    let group = FOREGROUND.get().unwrap_or(exit::FIRST);
    process::each_living(|process| {
        if table(|t| t.group(process.pid)) == Some(group) {
            exit::send(process, SigInfo::from_kernel(Signal::INT));
        }
    });
}

pub fn ioctl([fd, number, argument, ..]: Arguments) -> Outcome {
    let id = file_to_use(fd)?;
    let file = details(id);
    match uint(number) {
        number @ (request::FIOCLEX | request::FIONCLEX) => {
            let set = number == request::FIOCLEX;
            let fd = descriptor(fd)?;
            current().process.files().borrow_mut().set_close_on_exec(fd, set).map_err(descriptor_error)?;
            return Ok(0);
        }
        request::FIONBIO => {
            let on = UserPtr::<u32>::from(argument).read()? != 0;
            open_files().get_mut(id).flags.set(OpenFlags::NONBLOCK, on);
            return Ok(0);
        }
        // Who asks for SIGIO has other ways to hear of what comes.
        request::FIOASYNC if is_told_of(&file.object) => {
            UserPtr::<u32>::from(argument).read()?;
            return Ok(0);
        }
        _ => {}
    }
    match file.object {
        Object::Device(Device::Tty | Device::Stdio { is_terminal: true, .. }) => {
            terminal(uint(number), argument)
        }
        Object::Pipe { pipe, .. } if uint(number) == request::FIONREAD => {
            let len = open_files().pipe(pipe).map_or(0, fs::Pipe::len);
            UserPtr::<u32>::from(argument).write(u32::try_from(len).unwrap_or(u32::MAX))?;
            Ok(0)
        }
        Object::Socket(socket) if uint(number) == request::FIONREAD => {
            let len = open_files().sockets().bytes_to_read(socket)?;
            UserPtr::<u32>::from(argument).write(u32::try_from(len).unwrap_or(u32::MAX))?;
            Ok(0)
        }
        _ => Err(Errno::ENOTTY.into()),
    }
}

/// Whether Linux would tell of what comes by a signal.
fn is_told_of(object: &Object) -> bool {
    matches!(
        object,
        Object::Pipe { .. } | Object::Socket(_) | Object::Device(Device::Tty | Device::Stdio { .. })
    )
}

fn terminal(number: u32, argument: u64) -> Outcome {
    match number {
        request::TCGETS => UserPtr::from(argument).write(settings())?,
        request::TCSETS | request::TCSETSW | request::TCSETSF => {
            UserPtr::<linux::termios>::from(argument).read()?;
        }
        request::TIOCGWINSZ => {
            let (ws_row, ws_col) = console::window_size();
            UserPtr::from(argument).write(linux::winsize { ws_row, ws_col, ..zeroed() })?;
        }
        request::TIOCGPGRP => {
            let group = FOREGROUND.get().or_else(|| table(|t| t.group(current().process.pid))).unwrap_or(0);
            UserPtr::<u32>::from(argument).write(group)?;
        }
        request::TIOCSPGRP => *FOREGROUND.get_mut() = Some(UserPtr::<u32>::from(argument).read()?),
        request::TIOCGSID => {
            let session = table(|t| t.session(current().process.pid)).unwrap_or(0);
            UserPtr::<u32>::from(argument).write(session)?;
        }
        request::TIOCSCTTY | request::TIOCNOTTY | request::TCFLSH | request::TIOCSWINSZ | request::TCSBRK => {
        }
        _ => return Err(Errno::ENOTTY.into()),
    }
    Ok(0)
}

/// The settings of a fresh terminal: `stty sane`.
fn settings() -> linux::termios {
    let mut c_cc = [0; 19];
    let characters = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22];
    c_cc[..characters.len()].copy_from_slice(&characters);
    linux::termios {
        c_iflag: linux::ICRNL | linux::IXON | linux::IUTF8,
        c_oflag: linux::OPOST | linux::ONLCR,
        c_cflag: linux::CS8 | linux::CREAD | linux::B38400,
        c_lflag: linux::ISIG
            | linux::ICANON
            | linux::ECHO
            | linux::ECHOE
            | linux::ECHOK
            | linux::IEXTEN
            | linux::ECHOCTL
            | linux::ECHOKE,
        c_line: 0,
        c_cc,
    }
}
