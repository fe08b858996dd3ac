//! Terminals and whose they are: controlling terminals, groups in the foreground, what hanging up does; reading and writing them.
//!
//! `fs` has the terminals themselves. The console's master is this kernel: what its screen holds is shown after every change
//! ([`show`]), what is typed comes from `devices::console`.

use crate::arch;
use crate::devices::console;
use crate::files::ready;
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::user;
use crate::processes::process::{self, Process, find, table};
use crate::processes::wait::{self, Channel, WaitOutcome};
use crate::processes::{children, exit};
use crate::syscall::Stop;
use crate::syscall::io::Moved;
use ::proc::{CapSet, Disposition, Pid, SigInfo, Signal};
use fs::{
    Device, Errno, Location, Next, Object, OpenFileId, OpenFlags, Opened, Reading, Signals, Source, Terminal,
    TerminalEnd, TerminalId, WindowSize,
};

/// An end of a terminal.
pub type At = (TerminalId, TerminalEnd);

/// Opens the console for the first process, whose controlling terminal it becomes.
pub fn open_console() -> OpenFileId {
    let root = vfs::lock().root();
    let opened = vfs::lock().open(&root, b"/dev/ttyS0", OpenFlags::RDWR, 0);
    let Ok(Opened::New(file)) = opened else { unreachable!("/dev has the console") };
    let location = file.location.expect("it was found by its path");
    open(Device::Serial, location, OpenFlags::RDWR).expect("the console is there from the start")
}

/// Opens a terminal by one of its names. The leader of a session that has none makes it its controlling terminal.
pub fn open(device: Device, location: Location, flags: OpenFlags) -> Result<OpenFileId, Errno> {
    let process = &current().process;
    let (id, may_control) = match device {
        Device::Tty => (process.terminal.get().ok_or(Errno::ENXIO)?, false),
        Device::Console => (TerminalId::Console, false),
        Device::Serial => (TerminalId::Console, true),
        Device::Pseudo(number) => (TerminalId::Pseudo(number), true),
        Device::Ptmx => {
            let owner = process.credentials.borrow().user.effective;
            return open_files().create_terminal(location, flags, owner);
        }
        _ => return Err(Errno::ENXIO),
    };
    let is_exclusive = open_files().terminals().get(id).is_some_and(|terminal| terminal.is_exclusive);
    if is_exclusive && !process.credentials.borrow().can(CapSet::SYS_ADMIN) {
        return Err(Errno::EBUSY);
    }
    let file = open_files().open_terminal(id, location, flags)?;
    let is_free = open_files().terminals().get(id).is_some_and(|terminal| terminal.session.is_none());
    let wants = may_control && !flags.contains(OpenFlags::NOCTTY) && flags.is_readable();
    if wants && is_free && is_leader(process) && process.terminal.get().is_none() {
        take_control(process, id);
    }
    Ok(file)
}

/// Whether a process leads its session.
pub fn is_leader(process: &Process) -> bool {
    table(|t| t.session(process.pid)) == Some(process.pid)
}

/// A terminal becomes a session's: its leader's, whose group comes to the foreground.
pub fn take_control(leader: &Process, id: TerminalId) {
    let (session, group) = table(|t| (t.session(leader.pid), t.group(leader.pid)));
    change(id, |terminal| (terminal.session, terminal.foreground) = (session, group));
    leader.terminal.set(Some(id));
}

/// A terminal is nobody's any more.
pub fn lose_control(session: Pid, id: TerminalId) {
    change(id, |terminal| (terminal.session, terminal.foreground) = (None, None));
    forget_terminal(session);
}

fn forget_terminal(session: Pid) {
    process::each_living(|process| {
        if table(|t| t.session(process.pid)) == Some(session) {
            process.terminal.set(None);
        }
    });
}

fn change(id: TerminalId, action: impl FnOnce(&mut Terminal)) {
    // One that has gone has nothing to change.
    let _ = open_files().change_terminal(id, action);
}

/// Sends the kernel's signal to a group.
pub fn send_to_group(group: Pid, signal: Signal) {
    children::each_member(group, &mut |process| exit::send(process, SigInfo::from_kernel(signal)));
}

/// A change of a terminal has come to an end: the signals that it asks for are sent, and the console shows what it has to.
pub fn settle(id: TerminalId, signals: Signals) -> Result<(), Errno> {
    let group = open_files().terminals().get(id).and_then(|terminal| terminal.foreground);
    for signal in signals.numbers().filter_map(|number| Signal::new(number.into())) {
        // Nobody would let the first process's group go on.
        let stops_all = signal == Signal::TSTP && id == TerminalId::Console;
        let group = group.filter(|&group| !stops_all || table(|t| t.group(exit::FIRST)) != Some(group));
        group.into_iter().for_each(|group| send_to_group(group, signal));
    }
    if id == TerminalId::Console { console::show() } else { Ok(()) }
}

/// The window has another size.
pub fn resize(id: TerminalId, size: WindowSize) {
    let mut group = None;
    change(id, |terminal| {
        if terminal.window != size {
            terminal.window = size;
            group = terminal.foreground;
        }
    });
    group.into_iter().for_each(|group| send_to_group(group, Signal::WINCH));
}

/// Whether the running process may read its controlling terminal (SIGTTIN) or change it (SIGTTOU): its group must be in the
/// foreground. Otherwise the group is stopped, or, if nobody would let it go on, the call fails with EIO.
pub fn check_foreground(id: TerminalId, signal: Signal) -> Result<(), Stop> {
    let thread = current();
    let process = &thread.process;
    let foreground = open_files().terminals().get(id).and_then(|terminal| terminal.foreground);
    let group = table(|t| t.group(process.pid));
    let (Some(group), true) = (group, process.terminal.get() == Some(id)) else { return Ok(()) };
    if foreground.is_none_or(|foreground| foreground == group) {
        return Ok(());
    }
    let is_blocked = thread.signals.borrow().blocked().contains(signal);
    if is_blocked || process.signals.borrow().action(signal).disposition() == Disposition::Ignore {
        return if signal == Signal::TTIN { Err(Errno::EIO.into()) } else { Ok(()) };
    }
    if table(|t| t.is_orphaned(group)) {
        return Err(Errno::EIO.into());
    }
    send_to_group(group, signal);
    Err(Stop::Signal(true))
}

/// A file has been closed: if it was a master's last, its slaves are hung up.
pub fn closed(object: &Object) {
    let Object::Terminal { terminal: id, end: TerminalEnd::Master } = *object else { return };
    let session = {
        let files = open_files();
        let Some(terminal) = files.terminals().get(id) else { return };
        terminal.session.filter(|_| terminal.is_hung_up())
    };
    if let Some(leader) = session {
        if let Some(leader) = find(leader) {
            [Signal::HUP, Signal::CONT]
                .into_iter()
                .for_each(|signal| exit::send(&leader, SigInfo::from_kernel(signal)));
        }
        forget_terminal(leader);
    }
}

/// A process ends: if it leads a session, that has a terminal no more.
pub fn session_loses(process: &Process) {
    if !is_leader(process) {
        return;
    }
    let lost = {
        let files = open_files();
        let mut terminals = files.terminals().iter();
        let its = terminals.find(|(_, terminal)| terminal.session == Some(process.pid));
        its.map(|(id, terminal)| (id, terminal.foreground, terminal.is_hung_up()))
    };
    let Some((id, foreground, was_hung_up)) = lost else { return };
    if let Some(group) = foreground {
        send_to_group(group, Signal::HUP);
        if was_hung_up {
            send_to_group(group, Signal::CONT);
        }
    }
    lose_control(process.pid, id);
}

/// Reads an end, waiting as the settings and the flags say.
pub fn read(at: At, address: u64, buffer: &mut [u8], nonblocking: bool) -> Moved {
    let mut reading = Reading::default();
    let mut takes_any = nonblocking;
    loop {
        if at.1 == TerminalEnd::Slave {
            check_foreground(at.0, Signal::TTIN)?;
        }
        let next = open_files().terminal_next(at, &mut reading, buffer.len(), arch::time())?;
        let (count, position) = open_files().terminal_peek(at, buffer);
        if next == Next::Take || takes_any && count > 0 {
            let copied = user::copy_out_some(address, &buffer[..count])?;
            let taken = open_files().terminal_consume(at, position, copied);
            if let Some(signals) = taken {
                settle(at.0, signals)?;
                console::listen();
                return Ok(copied);
            }
            // The copy may have slept, and another reader have had these bytes.
            continue;
        }
        if at.0 == TerminalId::Console && !console::await_line() {
            return Ok(0);
        }
        let deadline = match next {
            Next::Until(deadline) => Some(deadline),
            _ => None,
        };
        if nonblocking {
            return Err(Errno::EAGAIN.into());
        }
        if takes_any {
            return Err(Stop::Signal(true));
        }
        let channels = alloc::vec![Channel::Ready(Source::Terminal(at.0, at.1))];
        // What is there already is not lost by a signal.
        takes_any = wait::sleep_on(channels, deadline, true) == WaitOutcome::Interrupted;
    }
}

/// Writes to an end: all bytes unless the file is nonblocking.
pub fn write(at: At, bytes: &[u8], nonblocking: bool) -> Moved {
    if at.1 == TerminalEnd::Slave
        && open_files().terminals().get(at.0).is_some_and(|terminal| terminal.stops_writers())
    {
        check_foreground(at.0, Signal::TTOU)?;
    }
    if bytes.is_empty() {
        // Whether there is still a terminal.
        let (_, _) = open_files().terminal_write(at, bytes)?;
    }
    let mut done = 0;
    while done < bytes.len() {
        let written = open_files().terminal_write(at, &bytes[done..]);
        let stop = match written {
            Err(errno) => Stop::Errno(errno),
            Ok((0, _)) if nonblocking => Stop::Errno(Errno::EAGAIN),
            Ok((0, _)) => match ready::wait_for(Source::Terminal(at.0, at.1)) {
                Ok(()) => continue,
                Err(stop) => stop,
            },
            Ok((count, signals)) => {
                done += count;
                match settle(at.0, signals) {
                    Ok(()) => continue,
                    Err(errno) => Stop::Errno(errno),
                }
            }
        };
        return if done > 0 { Ok(done) } else { Err(stop) };
    }
    Ok(done)
}
