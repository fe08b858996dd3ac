//! `ioctl`: what terminals are asked, and the few requests that other files know.

use super::files::{Reserved, details, file_to_use, size_of_open};
use super::{Arguments, Outcome, Stop, descriptor, descriptor_error, uint};
use crate::files::terminals::{self, At, check_foreground};
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::user::{UserPtr, plain};
use crate::processes::process::table;
use ::proc::Signal;
use abi::CapSet;
use alloc::format;
use fs::{
    Device, Errno, Object, OpenFileId, OpenFlags, Opened, Special, Terminal, TerminalEnd, TerminalId,
    Termios, WindowSize,
};
use linux_raw_sys::general as linux;
use linux_raw_sys::ioctl as request;

/// The line discipline of all terminals (`linux/tty.h`).
const N_TTY: u32 = 0;

plain!(linux::termios, linux::termios2, linux::winsize);

pub fn ioctl(arguments: Arguments) -> Outcome {
    let [fd, number, argument, ..] = arguments;
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
        Object::Terminal { terminal, end } => terminal_request(id, (terminal, end), uint(number), argument),
        Object::Pipe { pipe, .. } if uint(number) == request::FIONREAD => {
            let len = open_files().pipe(pipe).map_or(0, fs::Pipe::len);
            tell_length(argument, len)
        }
        Object::Loop(device) => super::loops::request(id, device, arguments),
        Object::Device(Device::LoopControl) => super::loops::control(arguments),
        Object::Socket(socket) => super::interfaces::socket_request(socket, arguments),
        Object::Disk(_) | Object::Memory(_) if uint(number) == request::FIONREAD => {
            // What lies behind the offset, as a number that may be negative.
            let len = size_of_open(id)?.wrapping_sub(file.offset);
            UserPtr::<u32>::from(argument).write(uint(len))?;
            Ok(0)
        }
        _ => Err(Errno::ENOTTY.into()),
    }
}

/// Tells how many bytes there are.
pub fn tell_length(argument: u64, len: usize) -> Outcome {
    UserPtr::<u32>::from(argument).write(u32::try_from(len).unwrap_or(u32::MAX))?;
    Ok(0)
}

/// Whether Linux would tell of what comes by a signal.
fn is_told_of(object: &Object) -> bool {
    matches!(
        object,
        Object::Pipe { .. }
            | Object::Terminal { .. }
            | Object::Socket(_)
            | Object::Device(Device::Stdio { .. })
    )
}

/// Looks at a terminal.
fn ask<R>(id: TerminalId, question: impl FnOnce(&Terminal) -> R) -> Result<R, Errno> {
    open_files().terminals().get(id).map(question).ok_or(Errno::EIO)
}

fn terminal_request(file: OpenFileId, at: At, number: u32, argument: u64) -> Outcome {
    let (id, end) = at;
    if end == TerminalEnd::Slave && ask(id, Terminal::is_hung_up)? {
        return Err(if number == request::TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO }.into());
    }
    match number {
        request::TCGETS => {
            let termios = ask(id, |terminal| *terminal.termios())?;
            UserPtr::from(argument).write(short(&termios))?;
        }
        request::TCGETS2 => {
            let termios = ask(id, |terminal| *terminal.termios())?;
            UserPtr::from(argument).write(long(&termios))?;
        }
        request::TCSETS | request::TCSETSW | request::TCSETSF => {
            let given = UserPtr::<linux::termios>::from(argument).read()?;
            let now = ask(id, |terminal| *terminal.termios())?;
            set(id, of_short(&given, &now), number == request::TCSETSF)?;
        }
        request::TCSETS2 | request::TCSETSW2 | request::TCSETSF2 => {
            let given = UserPtr::<linux::termios2>::from(argument).read()?;
            set(id, of_long(&given), number == request::TCSETSF2)?;
        }
        request::TIOCGWINSZ => {
            let size = ask(id, |terminal| terminal.window)?;
            UserPtr::from(argument).write(linux::winsize {
                ws_row: size.rows,
                ws_col: size.columns,
                ws_xpixel: size.width_pixels,
                ws_ypixel: size.height_pixels,
            })?;
        }
        request::TIOCSWINSZ => {
            let size = UserPtr::<linux::winsize>::from(argument).read()?;
            let size = WindowSize {
                rows: size.ws_row,
                columns: size.ws_col,
                width_pixels: size.ws_xpixel,
                height_pixels: size.ws_ypixel,
            };
            terminals::resize(id, size);
        }
        request::TCSBRK | request::TCSBRKP => check_foreground(id, Signal::TTOU)?,
        request::TCFLSH => flush(at, uint(argument))?,
        request::TCXONC => control_flow(id, uint(argument))?,
        request::FIONREAD => {
            let len = ask(id, |terminal| match end {
                TerminalEnd::Slave => terminal.discipline().unread(),
                TerminalEnd::Master => terminal.shown(),
            })?;
            return tell_length(argument, len);
        }
        // What is written is with the other end at once.
        request::TIOCOUTQ => return tell_length(argument, 0),
        request::TIOCGPGRP | request::TIOCGSID => {
            let (session, group) = ask(id, |terminal| (terminal.session, terminal.foreground))?;
            let is_own = current().process.terminal.get() == Some(id);
            if end == TerminalEnd::Slave && !is_own || number == request::TIOCGSID && session.is_none() {
                return Err(Errno::ENOTTY.into());
            }
            let told = if number == request::TIOCGSID { session } else { group };
            UserPtr::<u32>::from(argument).write(told.unwrap_or(0))?;
        }
        request::TIOCSPGRP => set_foreground(id, argument)?,
        request::TIOCSCTTY => take_control(file, id, uint(argument))?,
        request::TIOCNOTTY => give_up_control(id)?,
        request::TIOCEXCL | request::TIOCNXCL => {
            let is_exclusive = number == request::TIOCEXCL;
            open_files().change_terminal(id, |terminal| terminal.is_exclusive = is_exclusive)?;
        }
        request::TIOCGEXCL => {
            let is_exclusive = ask(id, |terminal| terminal.is_exclusive)?;
            UserPtr::<u32>::from(argument).write(u32::from(is_exclusive))?;
        }
        request::TIOCGETD => UserPtr::<u32>::from(argument).write(N_TTY)?,
        // There is no other one.
        request::TIOCSETD if UserPtr::<u32>::from(argument).read()? != N_TTY => {
            return Err(Errno::EINVAL.into());
        }
        request::TIOCSETD => {}
        request::TIOCGDEV => UserPtr::<u32>::from(argument).write(uint(id.rdev()))?,
        request::TIOCSTI => type_in(id, argument)?,
        _ if end == TerminalEnd::Master => return master_request(id, number, argument),
        _ => return Err(Errno::ENOTTY.into()),
    }
    Ok(0)
}

/// What only a pseudo-terminal's master is asked.
fn master_request(id: TerminalId, number: u32, argument: u64) -> Outcome {
    let TerminalId::Pseudo(own) = id else { return Err(Errno::ENOTTY.into()) };
    match number {
        request::TIOCGPTN => UserPtr::<u32>::from(argument).write(own)?,
        request::TIOCSPTLCK => {
            let is_locked = UserPtr::<u32>::from(argument).read()? != 0;
            open_files().change_terminal(id, |terminal| terminal.is_locked = is_locked)?;
        }
        request::TIOCGPTLCK => {
            let is_locked = ask(id, |terminal| terminal.is_locked)?;
            UserPtr::<u32>::from(argument).write(u32::from(is_locked))?;
        }
        request::TIOCSIG => {
            let asked = [Signal::INT, Signal::QUIT, Signal::TSTP];
            let known = asked.into_iter().find(|signal| u64::from(signal.number()) == argument);
            let signal = known.ok_or(Errno::EINVAL)?;
            let group = ask(id, |terminal| terminal.foreground)?;
            group.into_iter().for_each(|group| terminals::send_to_group(group, signal));
        }
        request::TIOCGPTPEER => return open_peer(own, OpenFlags::from_bits_retain(uint(argument))),
        _ => return Err(Errno::ENOTTY.into()),
    }
    Ok(0)
}

/// Opens the slave of a master, by no path that could lead elsewhere.
fn open_peer(number: u32, flags: OpenFlags) -> Outcome {
    let reserved = Reserved::new(0)?;
    let root = vfs::lock().root();
    let opened = vfs::lock().open(&root, format!("/dev/pts/{number}").as_bytes(), flags, 0)?;
    let Opened::New(file) = opened else { return Err(Errno::EIO.into()) };
    let location = file.location.ok_or(Errno::EIO)?;
    let id = terminals::open(Device::Pseudo(number), location, flags)?;
    Ok(u64::from(reserved.fill(id, flags.contains(OpenFlags::CLOEXEC))))
}

fn set(id: TerminalId, termios: Termios, flushes: bool) -> Result<(), Stop> {
    check_foreground(id, Signal::TTOU)?;
    let signals = open_files().change_terminal(id, |terminal| {
        if flushes {
            terminal.flush_input();
        }
        terminal.set(termios)
    })?;
    Ok(terminals::settle(id, signals)?)
}

/// TIOCSTI: a byte comes as if it had been typed. EIO for who is no administrator, as where `dev.tty.legacy_tiocsti` is 0.
fn type_in(id: TerminalId, argument: u64) -> Result<(), Stop> {
    if !current().process.credentials.borrow().can(CapSet::SYS_ADMIN) {
        return Err(Errno::EIO.into());
    }
    let byte = UserPtr::<u8>::from(argument).read()?;
    let (_, signals) = open_files().change_terminal(id, |terminal| terminal.type_in(&[byte]))?;
    Ok(terminals::settle(id, signals)?)
}

/// Forgets what has come and was not read, or what was written and is not shown yet; from where the caller sits.
fn flush((id, end): At, queues: u32) -> Result<(), Stop> {
    check_foreground(id, Signal::TTOU)?;
    let (came, went) = match queues {
        linux::TCIFLUSH => (true, false),
        linux::TCOFLUSH => (false, true),
        linux::TCIOFLUSH => (true, true),
        _ => return Err(Errno::EINVAL.into()),
    };
    let (typed, written) = if end == TerminalEnd::Slave { (came, went) } else { (went, came) };
    open_files().change_terminal(id, |terminal| {
        if typed {
            terminal.flush_input();
        }
        if written {
            terminal.flush_output();
        }
    })?;
    Ok(())
}

/// Output waits or goes on; or who types is asked to wait or go on.
fn control_flow(id: TerminalId, action: u32) -> Result<(), Stop> {
    check_foreground(id, Signal::TTOU)?;
    let change = |terminal: &mut Terminal| match action {
        linux::TCOOFF => terminal.set_stopped(true),
        linux::TCOON => terminal.set_stopped(false),
        _ => {
            let special = if action == linux::TCIOFF { Special::Stop } else { Special::Start };
            terminal.send(terminal.termios().special(special));
        }
    };
    if !matches!(action, linux::TCOOFF | linux::TCOON | linux::TCIOFF | linux::TCION) {
        return Err(Errno::EINVAL.into());
    }
    open_files().change_terminal(id, change)?;
    Ok(terminals::settle(id, fs::Signals::default())?)
}

/// Another group of the session comes to the foreground.
fn set_foreground(id: TerminalId, argument: u64) -> Result<(), Stop> {
    check_foreground(id, Signal::TTOU).map_err(|stop| match stop {
        Stop::Errno(Errno::EIO) => Errno::ENOTTY.into(),
        stop => stop,
    })?;
    let group = UserPtr::<u32>::from(argument).read()?;
    if group.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    let process = &current().process;
    let session = table(|t| t.session(process.pid));
    if process.terminal.get() != Some(id) || ask(id, |terminal| terminal.session)? != session {
        return Err(Errno::ENOTTY.into());
    }
    let its_session = table(|t| t.members_of(group).next().and_then(|member| t.session(member)));
    if its_session.ok_or(Errno::ESRCH)? != session.unwrap_or(0) {
        return Err(Errno::EPERM.into());
    }
    open_files().change_terminal(id, |terminal| terminal.foreground = Some(group))?;
    Ok(())
}

/// A terminal becomes that of the running process's session. `1` takes it away from another one.
fn take_control(file: OpenFileId, id: TerminalId, takes_away: u32) -> Result<(), Stop> {
    let process = &current().process;
    let session = ask(id, |terminal| terminal.session)?;
    let is_leader = terminals::is_leader(process);
    if is_leader && session == Some(process.pid) && process.terminal.get() == Some(id) {
        return Ok(());
    }
    let may_all = process.credentials.borrow().can(CapSet::SYS_ADMIN);
    let may_take = session.is_none() || takes_away == 1 && may_all;
    let may_read = open_files().get(file).flags.is_readable() || may_all;
    if !is_leader || process.terminal.get().is_some() || !may_take || !may_read {
        return Err(Errno::EPERM.into());
    }
    session.into_iter().for_each(|other| terminals::lose_control(other, id));
    terminals::take_control(process, id);
    Ok(())
}

/// The running process has no controlling terminal any more; if it leads the session, nobody of it has.
fn give_up_control(id: TerminalId) -> Result<(), Stop> {
    let process = &current().process;
    if process.terminal.get() != Some(id) {
        return Err(Errno::ENOTTY.into());
    }
    process.terminal.set(None);
    if terminals::is_leader(process) {
        let group = ask(id, |terminal| terminal.foreground)?;
        for signal in [Signal::HUP, Signal::CONT] {
            group.into_iter().for_each(|group| terminals::send_to_group(group, signal));
        }
        terminals::lose_control(process.pid, id);
    }
    Ok(())
}

fn short(termios: &Termios) -> linux::termios {
    linux::termios {
        c_iflag: termios.iflag,
        c_oflag: termios.oflag,
        c_cflag: termios.cflag,
        c_lflag: termios.lflag,
        c_line: termios.line,
        c_cc: termios.cc,
    }
}

fn long(termios: &Termios) -> linux::termios2 {
    linux::termios2 {
        c_iflag: termios.iflag,
        c_oflag: termios.oflag,
        c_cflag: termios.cflag,
        c_lflag: termios.lflag,
        c_line: termios.line,
        c_cc: termios.cc,
        c_ispeed: termios.ispeed,
        c_ospeed: termios.ospeed,
    }
}

/// Bytes have eight bits here, and no parity, whatever is asked for: as Linux's pseudo-terminals.
fn control_modes(asked: u32) -> u32 {
    asked & !(linux::CSIZE | linux::PARENB) | linux::CS8 | linux::CREAD
}

fn of_short(given: &linux::termios, now: &Termios) -> Termios {
    Termios {
        iflag: given.c_iflag,
        oflag: given.c_oflag,
        cflag: control_modes(given.c_cflag),
        lflag: given.c_lflag,
        line: given.c_line,
        cc: given.c_cc,
        ..*now
    }
}

fn of_long(given: &linux::termios2) -> Termios {
    Termios {
        iflag: given.c_iflag,
        oflag: given.c_oflag,
        cflag: control_modes(given.c_cflag),
        lflag: given.c_lflag,
        line: given.c_line,
        cc: given.c_cc,
        ispeed: given.c_ispeed,
        ospeed: given.c_ospeed,
    }
}
