//! How a process ended, in the encoding of `wait4`.

use crate::Signal;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// By `exit`, with the low 8 bits of its argument.
    Exited(u8),
    /// By a signal.
    Signaled(Signal),
}

impl ExitStatus {
    /// The word that `wait4` stores.
    pub fn to_wait_status(self) -> u32 {
        match self {
            ExitStatus::Exited(code) => u32::from(code) << 8,
            ExitStatus::Signaled(signal) => u32::from(signal.number()),
        }
    }
    /// What a shell's `$?` would show.
    pub fn to_shell_status(self) -> u8 {
        match self {
            ExitStatus::Exited(code) => code,
            ExitStatus::Signaled(signal) => 128 + signal.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_encoded_as_linux_does() {
        assert_eq!(ExitStatus::Exited(3).to_wait_status(), 0x300);
        assert_eq!(ExitStatus::Signaled(Signal::SEGV).to_wait_status(), 11);
        assert_eq!(ExitStatus::Signaled(Signal::KILL).to_shell_status(), 137);
    }
}
