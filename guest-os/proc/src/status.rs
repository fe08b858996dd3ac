//! How a process ended, and what else may happen to it that its parent hears of, in the encodings of `wait4` and `waitid`.

use crate::Signal;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// By `exit`, with the low 8 bits of its argument.
    Exited(u8),
    /// By a signal.
    Signaled(Signal),
    /// By a signal that would have left an image of its memory.
    Dumped(Signal),
}

impl ExitStatus {
    /// The word that `wait4` stores.
    pub fn to_wait_status(self) -> u32 {
        const DUMPED: u32 = 0x80;
        match self {
            ExitStatus::Exited(code) => u32::from(code) << 8,
            ExitStatus::Signaled(signal) => u32::from(signal.number()),
            ExitStatus::Dumped(signal) => DUMPED | u32::from(signal.number()),
        }
    }
    /// What a shell's `$?` would show.
    pub fn to_shell_status(self) -> u8 {
        match self {
            ExitStatus::Exited(code) => code,
            ExitStatus::Signaled(signal) | ExitStatus::Dumped(signal) => 128 + signal.number(),
        }
    }
}

/// What a parent hears of its child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildEvent {
    /// It has ended.
    Ended(ExitStatus),
    /// This signal has stopped it.
    Stopped(Signal),
    /// It goes on.
    Continued,
}

impl ChildEvent {
    /// The word that `wait4` stores.
    pub fn to_wait_status(self) -> u32 {
        match self {
            ChildEvent::Ended(status) => status.to_wait_status(),
            ChildEvent::Stopped(signal) => u32::from(signal.number()) << 8 | 0x7f,
            ChildEvent::Continued => 0xffff,
        }
    }
    /// `si_code` and `si_status` of SIGCHLD, and of what `waitid` stores.
    pub fn code_and_status(self) -> (i32, u32) {
        const CLD_EXITED: i32 = 1;
        const CLD_KILLED: i32 = 2;
        const CLD_DUMPED: i32 = 3;
        const CLD_STOPPED: i32 = 5;
        const CLD_CONTINUED: i32 = 6;
        let (code, signal) = match self {
            ChildEvent::Ended(ExitStatus::Exited(status)) => return (CLD_EXITED, u32::from(status)),
            ChildEvent::Ended(ExitStatus::Signaled(signal)) => (CLD_KILLED, signal),
            ChildEvent::Ended(ExitStatus::Dumped(signal)) => (CLD_DUMPED, signal),
            ChildEvent::Stopped(signal) => (CLD_STOPPED, signal),
            ChildEvent::Continued => (CLD_CONTINUED, Signal::CONT),
        };
        (code, u32::from(signal.number()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_encoded_as_linux_does() {
        for (event, word, code_and_status) in [
            (ChildEvent::Ended(ExitStatus::Exited(3)), 0x300, (1, 3)),
            (ChildEvent::Ended(ExitStatus::Signaled(Signal::TERM)), 15, (2, 15)),
            (ChildEvent::Ended(ExitStatus::Dumped(Signal::SEGV)), 0x8b, (3, 11)),
            (ChildEvent::Stopped(Signal::STOP), 0x137f, (5, 19)),
            (ChildEvent::Continued, 0xffff, (6, 18)),
        ] {
            assert_eq!(
                (event.to_wait_status(), event.code_and_status()),
                (word, code_and_status),
                "{event:?}"
            );
        }
        assert_eq!(ExitStatus::Signaled(Signal::KILL).to_shell_status(), 137);
        assert_eq!(ExitStatus::Dumped(Signal::SEGV).to_shell_status(), 139);
    }
}
