//! What `clone` and `clone3` ask for (clone(2)), read and judged before anything is made.
//!
//! Threads share everything with their process; of what processes may share, all combinations are known but namespaces.

use crate::{PID_MAX, Pid, Signal};
use abi::Errno;
use linux_raw_sys::general as linux;

/// Words of `struct clone_args`.
pub const CLONE_ARGS_WORDS: usize = size_of::<linux::clone_args>() / 8;
/// Bytes of its first version, and so the fewest of any.
pub const CLONE_ARGS_LEAST_BYTES: u64 = linux::CLONE_ARGS_SIZE_VER0 as u64;

/// What a thread shares with its process: all of it.
const OF_THREADS: u64 =
    (linux::CLONE_VM | linux::CLONE_FS | linux::CLONE_FILES | linux::CLONE_SIGHAND | linux::CLONE_THREAD)
        as u64;
/// What Linux has namespaces for, but time, whose bit is one of the signal's in `clone`.
const NAMESPACES: u64 = (linux::CLONE_NEWNS
    | linux::CLONE_NEWCGROUP
    | linux::CLONE_NEWUTS
    | linux::CLONE_NEWIPC
    | linux::CLONE_NEWUSER
    | linux::CLONE_NEWPID
    | linux::CLONE_NEWNET) as u64;
/// The bits of `clone`'s flags that hold the signal.
const EXIT_SIGNAL: u64 = 0xff;

/// A new thread or process as it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CloneRequest {
    /// The flags, without a signal.
    pub flags: u64,
    /// Where to store a descriptor of the child (CLONE_PIDFD).
    pub pidfd: u64,
    /// Where the child finds its number, or what is cleared at its end.
    pub child_tid: u64,
    /// Where its maker finds it.
    pub parent_tid: u64,
    /// What tells of its end.
    pub exit_signal: Option<Signal>,
    /// Where its stack begins; 0: where its maker's is.
    pub stack_top: u64,
    /// Its thread pointer (CLONE_SETTLS).
    pub tls: u64,
    /// Where the numbers are that it is to have, and how many.
    pub numbers: (u64, u64),
}

impl CloneRequest {
    /// The arguments of `clone`.
    pub fn of_clone([flags, stack_top, parent_tid, tls, child_tid]: [u64; 5]) -> Result<Self, Errno> {
        let exit_signal = Signal::new(flags & EXIT_SIGNAL);
        let flags = flags & u64::from(u32::MAX) & !EXIT_SIGNAL;
        let request = Self {
            flags,
            pidfd: parent_tid,
            child_tid,
            parent_tid,
            exit_signal,
            stack_top,
            tls,
            numbers: (0, 0),
        };
        // Both are told at one address.
        if request.has(linux::CLONE_PIDFD) && request.has(linux::CLONE_PARENT_SETTID) {
            return Err(Errno::EINVAL);
        }
        request.check()
    }

    /// A `struct clone_args`, what is missing of it being 0.
    pub fn of_clone3(words: &[u64; CLONE_ARGS_WORDS]) -> Result<Self, Errno> {
        let [
            flags,
            pidfd,
            child_tid,
            parent_tid,
            exit_signal,
            stack,
            stack_bytes,
            tls,
            numbers,
            count,
            _cgroup,
        ] = *words;
        const KNOWN: u64 = u32::MAX as u64 | linux::CLONE_CLEAR_SIGHAND | linux::CLONE_INTO_CGROUP;
        let request = Self {
            flags,
            pidfd,
            child_tid,
            parent_tid,
            exit_signal: Signal::new(exit_signal),
            // A sum that overflows is no place for a stack, and the child's loss.
            stack_top: stack.wrapping_add(stack_bytes),
            tls,
            numbers: (numbers, count),
        };
        let is_said_twice = request.has(linux::CLONE_SIGHAND) && flags & linux::CLONE_CLEAR_SIGHAND != 0;
        let has_family = request.has(linux::CLONE_THREAD) || request.has(linux::CLONE_PARENT);
        let is_refused = flags & !KNOWN != 0
            || flags & (EXIT_SIGNAL | u64::from(linux::CLONE_DETACHED)) != 0
            || is_said_twice
            || has_family && exit_signal != 0
            || exit_signal != 0 && request.exit_signal.is_none()
            || (stack == 0) != (stack_bytes == 0)
            // Namespaces of process numbers do not lie in each other here: there is one number to choose.
            || (numbers == 0) != (count == 0)
            || count > 1;
        if is_refused {
            return Err(Errno::EINVAL);
        }
        if flags & linux::CLONE_INTO_CGROUP != 0 {
            // There are no control groups, so no descriptor means one.
            return Err(Errno::EBADF);
        }
        request.check()
    }

    /// What holds for both.
    fn check(self) -> Result<Self, Errno> {
        let is_thread = self.has(linux::CLONE_THREAD);
        let is_whole = self.flags & (OF_THREADS | u64::from(linux::CLONE_VFORK)) == OF_THREADS;
        let is_refused = is_thread && !is_whole
            || self.has(linux::CLONE_SIGHAND) && !self.has(linux::CLONE_VM)
            || self.has(linux::CLONE_PIDFD) && (is_thread || self.has(linux::CLONE_DETACHED));
        if is_refused { Err(Errno::EINVAL) } else { Ok(self) }
    }

    /// Whether this flag is set.
    pub fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }

    /// Whether namespaces are asked for.
    pub fn wants_namespaces(&self) -> bool {
        self.flags & NAMESPACES != 0
    }

    /// Whether all actions of signals but those that ignore them are to be forgotten.
    pub fn clears_actions(&self) -> bool {
        self.flags & linux::CLONE_CLEAR_SIGHAND != 0
    }
}

/// A number that a new process is to have. EINVAL if none can have it.
pub fn number_to_have(number: i32) -> Result<Pid, Errno> {
    Pid::try_from(number).ok().filter(|number| (1..PID_MAX).contains(number)).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: usize = 0;
    const EXIT: usize = 4;
    const STACK: usize = 5;
    const STACK_BYTES: usize = 6;
    const NUMBERS: usize = 8;
    const COUNT: usize = 9;

    fn of_clone3(fields: &[(usize, u64)]) -> Result<CloneRequest, Errno> {
        let mut words = [0; CLONE_ARGS_WORDS];
        fields.iter().for_each(|&(field, value)| words[field] = value);
        CloneRequest::of_clone3(&words)
    }

    #[test]
    fn a_thread_shares_everything_and_a_process_what_it_likes() {
        let asks = |flags: u64| CloneRequest::of_clone([flags, 0, 0, 0, 0]).is_ok();
        assert!(asks(OF_THREADS) && asks(17) && asks(0));
        assert!(!asks(OF_THREADS & !u64::from(linux::CLONE_FS)));
        assert!(!asks(OF_THREADS | u64::from(linux::CLONE_VFORK)));
        assert!(!asks(OF_THREADS | u64::from(linux::CLONE_PIDFD)));
        assert!(asks(u64::from(linux::CLONE_SIGHAND | linux::CLONE_VM)));
        assert!(!asks(linux::CLONE_SIGHAND.into()));
        assert!(asks(linux::CLONE_PIDFD.into()));
        assert!(!asks(u64::from(linux::CLONE_PIDFD | linux::CLONE_PARENT_SETTID)));
    }

    #[test]
    fn arguments_in_a_structure_are_looked_at_closely() {
        assert_eq!(of_clone3(&[(EXIT, 17)]).unwrap().exit_signal, Some(Signal::CHLD));
        assert_eq!(of_clone3(&[(STACK, 0x1000), (STACK_BYTES, 0x2000)]).unwrap().stack_top, 0x3000);
        let vm = u64::from(linux::CLONE_VM);
        for refused in [
            &[(EXIT, 65)][..],
            &[(EXIT, 17), (FLAGS, linux::CLONE_PARENT.into())],
            &[(EXIT, 17), (FLAGS, OF_THREADS)],
            &[(FLAGS, 17)],
            &[(FLAGS, linux::CLONE_DETACHED.into())],
            &[(FLAGS, 1 << 40)],
            &[(FLAGS, u64::from(linux::CLONE_SIGHAND) | vm | linux::CLONE_CLEAR_SIGHAND)],
            &[(STACK, 0x1000)],
            &[(STACK_BYTES, 0x1000)],
            &[(NUMBERS, 0x1000)],
            &[(COUNT, 1)],
            &[(NUMBERS, 0x1000), (COUNT, 2)],
        ] {
            assert_eq!(of_clone3(refused), Err(Errno::EINVAL), "{refused:?}");
        }
        assert_eq!(of_clone3(&[(FLAGS, linux::CLONE_INTO_CGROUP)]), Err(Errno::EBADF));
    }

    #[test]
    fn numbers_to_have_are_those_that_there_are() {
        assert_eq!(number_to_have(300), Ok(300));
        for none in [0, -1, i32::MIN, PID_MAX as i32, i32::MAX] {
            assert_eq!(number_to_have(none), Err(Errno::EINVAL));
        }
    }
}
