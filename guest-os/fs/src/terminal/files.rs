//! Terminals among the open files: who opens and closes their ends, and who is told when they change.

use super::{Reading, Signals, Terminal, TerminalEnd, TerminalId};
use crate::{Errno, Location, Next, Object, OpenFile, OpenFileId, OpenFiles, OpenFlags, Readiness, Source};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// All terminals.
#[derive(Debug, Default)]
pub struct Terminals(BTreeMap<TerminalId, Box<Terminal>>);

impl Terminals {
    /// One of them.
    pub fn get(&self, id: TerminalId) -> Option<&Terminal> {
        self.0.get(&id).map(|terminal| &**terminal)
    }

    /// All of them, with their names.
    pub fn iter(&self) -> impl Iterator<Item = (TerminalId, &Terminal)> {
        self.0.iter().map(|(&id, terminal)| (id, &**terminal))
    }

    /// The first pseudo-terminal that has a master and whose number is no less.
    pub fn next_pseudo(&self, from: u32) -> Option<(u32, &Terminal)> {
        let mut rest = self.0.range(TerminalId::Pseudo(from)..);
        let found = rest.find(|(_, terminal)| !terminal.is_hung_up());
        found.and_then(|(id, terminal)| match id {
            TerminalId::Pseudo(number) => Some((*number, &**terminal)),
            TerminalId::Console => None,
        })
    }

    /// The lowest number that no pseudo-terminal has.
    fn free_number(&self) -> u32 {
        (0..).find(|&number| !self.0.contains_key(&TerminalId::Pseudo(number))).unwrap_or(u32::MAX)
    }

    /// Removes a pseudo-terminal that nobody has any more.
    fn remove_unused(&mut self, id: TerminalId) {
        let is_unused =
            |terminal: &Terminal| terminal.masters == 0 && terminal.slaves == 0 && terminal.session.is_none();
        if id != TerminalId::Console && self.get(id).is_some_and(is_unused) {
            self.0.remove(&id);
        }
    }

    pub(crate) fn readiness(&self, id: TerminalId, end: TerminalEnd) -> Readiness {
        self.get(id).map_or(Readiness::HUP, |terminal| terminal.readiness(end))
    }
}

/// Who types at the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Console {
    /// Keys come as they are pressed, and nothing is shown but what we show.
    Keys,
    /// Lines come, edited and echoed by the host's terminal.
    Lines,
}

impl OpenFiles {
    /// Makes the console's terminal. ENOMEM.
    pub fn create_console(&mut self, console: Console) -> Result<(), Errno> {
        let terminal = Terminal::new(0, console == Console::Lines)?;
        self.terminals.0.insert(TerminalId::Console, Box::new(terminal));
        Ok(())
    }

    /// All terminals.
    pub fn terminals(&self) -> &Terminals {
        &self.terminals
    }

    /// Makes a pseudo-terminal, and opens its master (`/dev/ptmx`). ENOMEM.
    pub fn create_terminal(
        &mut self,
        location: Location,
        flags: OpenFlags,
        owner: u32,
    ) -> Result<OpenFileId, Errno> {
        let mut terminal = Terminal::new(owner, false)?;
        (terminal.masters, terminal.is_locked) = (1, true);
        let terminal_id = TerminalId::Pseudo(self.terminals.free_number());
        self.terminals.0.insert(terminal_id, Box::new(terminal));
        let object = Object::Terminal { terminal: terminal_id, end: TerminalEnd::Master };
        Ok(self.insert(OpenFile::new(object, Some(location), flags)))
    }

    /// Opens a terminal's slave. EIO while it is locked, and when its master has gone.
    pub fn open_terminal(
        &mut self,
        id: TerminalId,
        location: Location,
        flags: OpenFlags,
    ) -> Result<OpenFileId, Errno> {
        let terminal = self.terminals.0.get_mut(&id).ok_or(Errno::ENXIO)?;
        if terminal.is_locked || terminal.is_hung_up {
            return Err(Errno::EIO);
        }
        terminal.slaves += 1;
        terminal.is_deserted = false;
        let object = Object::Terminal { terminal: id, end: TerminalEnd::Slave };
        Ok(self.insert(OpenFile::new(object, Some(location), flags)))
    }

    /// The terminal that a file is an end of. ENOTTY if it is none.
    pub fn terminal_of(&self, id: OpenFileId) -> Result<(TerminalId, TerminalEnd), Errno> {
        match self.get(id).object {
            Object::Terminal { terminal, end } => Ok((terminal, end)),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// Changes a terminal, and tells of what that makes ready. EIO if it has gone.
    pub fn change_terminal<R>(
        &mut self,
        id: TerminalId,
        change: impl FnOnce(&mut Terminal) -> R,
    ) -> Result<R, Errno> {
        let terminal = self.terminals.0.get_mut(&id).ok_or(Errno::EIO)?;
        let before = terminal.state();
        let result = change(terminal);
        for (end, what) in before.gained(&terminal.state()) {
            if !what.is_empty() {
                self.changes.note(Source::Terminal(id, end), what);
            }
        }
        self.terminals.remove_unused(id);
        Ok(result)
    }

    /// An end of a terminal is closed. The master's last hangs up the slaves; who is told of that is the kernel's to say.
    pub(crate) fn close_terminal(&mut self, id: TerminalId, end: TerminalEnd) {
        let Some(terminal) = self.terminals.0.get_mut(&id) else { return };
        match end {
            TerminalEnd::Master => terminal.masters -= 1,
            TerminalEnd::Slave => terminal.slaves -= 1,
        }
        terminal.is_hung_up |= end == TerminalEnd::Master && terminal.masters == 0;
        terminal.is_deserted |= terminal.slaves == 0;
        for end in [TerminalEnd::Master, TerminalEnd::Slave] {
            self.changes.note(Source::Terminal(id, end), Readiness::IN | Readiness::OUT);
        }
        self.terminals.remove_unused(id);
    }

    /// What a read of at most `want` bytes does at a time in ticks. EIO at a master without slaves. A slave that was hung up is at its end.
    pub fn terminal_next(
        &self,
        (id, end): (TerminalId, TerminalEnd),
        reading: &mut Reading,
        want: usize,
        now: u64,
    ) -> Result<Next, Errno> {
        let terminal = self.terminals.get(id).ok_or(Errno::EIO)?;
        match end {
            TerminalEnd::Slave if terminal.is_hung_up => Ok(Next::Take),
            TerminalEnd::Slave => Ok(terminal.discipline.next(reading, want, now)),
            TerminalEnd::Master if !terminal.screen.is_empty() => Ok(Next::Take),
            TerminalEnd::Master if terminal.is_deserted => Err(Errno::EIO),
            TerminalEnd::Master => Ok(Next::Wait),
        }
    }

    /// Copies out what one read of an end gets, and where that is; it stays until [`OpenFiles::terminal_consume`].
    pub fn terminal_peek(&self, (id, end): (TerminalId, TerminalEnd), out: &mut [u8]) -> (usize, u64) {
        match (self.terminals.get(id), end) {
            (Some(terminal), TerminalEnd::Slave) if !terminal.is_hung_up => terminal.discipline.peek(out),
            (Some(terminal), TerminalEnd::Master) => terminal.screen.peek(out),
            _ => (0, 0),
        }
    }

    /// Takes out what was looked at. `None`, with nothing done, if somebody else has had it meanwhile.
    pub fn terminal_consume(
        &mut self,
        (id, end): (TerminalId, TerminalEnd),
        position: u64,
        count: usize,
    ) -> Option<Signals> {
        let done = self.change_terminal(id, |terminal| match end {
            TerminalEnd::Slave if terminal.is_hung_up => Some(Signals::default()),
            TerminalEnd::Slave => terminal.consume(position, count),
            TerminalEnd::Master => terminal.screen.consume(position, count).then(Signals::default),
        });
        done.unwrap_or(Some(Signals::default()))
    }

    /// Writes to an end what there is room for now, 0 if there is none. EIO where the other end has gone.
    pub fn terminal_write(
        &mut self,
        (id, end): (TerminalId, TerminalEnd),
        bytes: &[u8],
    ) -> Result<(usize, Signals), Errno> {
        self.change_terminal(id, |terminal| match end {
            TerminalEnd::Slave if terminal.is_hung_up => Err(Errno::EIO),
            TerminalEnd::Slave => Ok((terminal.write(bytes), Signals::default())),
            TerminalEnd::Master => Ok(terminal.type_in(bytes)),
        })?
    }
}
