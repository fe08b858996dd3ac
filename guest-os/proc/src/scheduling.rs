//! How a thread is to be scheduled (sched(7)): class, priority, niceness; who may change them, and what a child has of them.
//!
//! All of it is remembered and told, none of it decides whose turn it is: see [`Scheduler`](crate::Scheduler).

use abi::Errno;
use linux_raw_sys::general as linux;

/// The highest priority of real-time classes.
const MOST_PRIORITY: u32 = 99;
/// The least nice that one can be.
pub const LEAST_NICE: i32 = -20;
/// The nicest.
pub const MOST_NICE: i32 = 19;

/// What is remembered of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scheduling {
    /// `SCHED_OTHER` and its kin.
    pub class: u32,
    /// Of real-time classes, 1 to 99; of others 0.
    pub priority: u32,
    /// How nice it is to others, -20 to 19.
    pub nice: i32,
    /// A child does not have what only the privileged may have (`SCHED_RESET_ON_FORK`).
    pub resets: bool,
    /// When its requests come to the disk (ioprio_set(2)): class and level; 0 if it has said nothing.
    pub io: u16,
}

/// Somebody who wants to change it.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The thread is of its own user.
    pub is_owner: bool,
    /// It may do all that can be done (CAP_SYS_NICE).
    pub is_privileged: bool,
    /// What the thread's own RLIMIT_NICE is.
    pub nice_limit: u64,
    /// What its RLIMIT_RTPRIO is.
    pub priority_limit: u64,
}

/// The priorities of a class. EINVAL if there is no such class.
pub fn priorities_of(class: u32) -> Result<core::ops::RangeInclusive<u32>, Errno> {
    match class {
        linux::SCHED_FIFO | linux::SCHED_RR => Ok(1..=MOST_PRIORITY),
        linux::SCHED_NORMAL
        | linux::SCHED_BATCH
        | linux::SCHED_IDLE
        | linux::SCHED_DEADLINE
        | linux::SCHED_EXT => Ok(0..=0),
        _ => Err(Errno::EINVAL),
    }
}

/// Whether RLIMIT_NICE lets a thread be so nice.
pub fn is_within_nice_limit(nice: i32, limit: u64) -> bool {
    u64::from((MOST_NICE + 1 - nice).unsigned_abs()) <= limit
}

impl Scheduling {
    /// Whether the class is one of real time.
    pub fn is_real_time(&self) -> bool {
        matches!(self.class, linux::SCHED_FIFO | linux::SCHED_RR)
    }

    /// What a child begins with.
    pub fn of_child(self) -> Self {
        match self.resets {
            false => self,
            true if self.is_real_time() => {
                Self { class: linux::SCHED_NORMAL, priority: 0, nice: 0, resets: false, ..self }
            }
            true => Self { nice: self.nice.max(0), resets: false, ..self },
        }
    }

    /// Whether this may become `wanted` by the will of `asker`. EINVAL for what is nothing, EPERM.
    pub fn check_change(&self, wanted: &Self, asker: &Asker) -> Result<(), Errno> {
        // Deadlines and classes of programs' own are not there.
        let is_there = !matches!(wanted.class, linux::SCHED_DEADLINE | linux::SCHED_EXT);
        if !is_there || !priorities_of(wanted.class)?.contains(&wanted.priority) {
            return Err(Errno::EINVAL);
        }
        let is_allowed = asker.is_privileged || asker.is_owner && self.is_modest(wanted, asker);
        if is_allowed { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Whether a change asks for nothing that takes privilege, by limits as they are.
    fn is_modest(&self, wanted: &Self, asker: &Asker) -> bool {
        let may_be_nice = |nice| is_within_nice_limit(nice, asker.nice_limit);
        if wanted.is_real_time() {
            let priority = u64::from(wanted.priority);
            let is_another = wanted.class != self.class && asker.priority_limit == 0;
            if is_another || wanted.priority > self.priority && priority > asker.priority_limit {
                return false;
            }
        } else if wanted.nice < self.nice && !may_be_nice(wanted.nice) {
            return false;
        }
        let stays_idle = self.class != linux::SCHED_IDLE || wanted.class == linux::SCHED_IDLE;
        (stays_idle || may_be_nice(self.nice)) && (wanted.resets || !self.resets)
    }
}

/// What can be said about the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoPriority(pub u16);

impl IoPriority {
    const CLASS_SHIFT: u32 = 13;
    const LEVEL: u16 = 7;
    const REAL_TIME: u16 = 1;
    const BEST_EFFORT: u16 = 2;
    const IDLE: u16 = 3;

    /// Judges a number: EINVAL if it is none, EPERM for real time if the caller is not privileged.
    pub fn new(number: i32, is_privileged: bool) -> Result<Self, Errno> {
        let number = u16::try_from(number).map_err(|_| Errno::EINVAL)?;
        match number >> Self::CLASS_SHIFT {
            Self::REAL_TIME if !is_privileged => Err(Errno::EPERM),
            Self::REAL_TIME | Self::BEST_EFFORT | Self::IDLE => Ok(Self(number)),
            0 if number & Self::LEVEL == 0 => Ok(Self(number)),
            _ => Err(Errno::EINVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Asker = Asker { is_owner: true, is_privileged: false, nice_limit: 0, priority_limit: 0 };

    fn plain(nice: i32) -> Scheduling {
        Scheduling { nice, ..Scheduling::default() }
    }

    fn fifo(priority: u32) -> Scheduling {
        Scheduling { class: linux::SCHED_FIFO, priority, ..Scheduling::default() }
    }

    #[test]
    fn who_may_change_what() {
        let root = Asker { is_privileged: true, is_owner: false, ..NOBODY };
        let limited = Asker { priority_limit: 10, nice_limit: 25, ..NOBODY };
        let idle = Scheduling { class: linux::SCHED_IDLE, ..plain(0) };
        let resetting = Scheduling { resets: true, ..plain(0) };
        for (now, wanted, asker, expected) in [
            (plain(0), fifo(5), root, Ok(())),
            (plain(0), fifo(5), NOBODY, Err(Errno::EPERM)),
            (plain(0), fifo(10), limited, Ok(())),
            (plain(0), fifo(11), limited, Err(Errno::EPERM)),
            (fifo(20), fifo(15), limited, Ok(())),
            (fifo(20), plain(0), NOBODY, Ok(())),
            (plain(0), plain(5), NOBODY, Ok(())),
            (plain(5), plain(0), NOBODY, Err(Errno::EPERM)),
            (plain(5), plain(-5), limited, Ok(())),
            (plain(5), plain(-6), limited, Err(Errno::EPERM)),
            (idle, plain(0), NOBODY, Err(Errno::EPERM)),
            (idle, plain(0), limited, Ok(())),
            (resetting, plain(0), NOBODY, Err(Errno::EPERM)),
            (plain(0), plain(0), Asker { is_owner: false, ..NOBODY }, Err(Errno::EPERM)),
            (plain(0), fifo(0), root, Err(Errno::EINVAL)),
            (plain(0), fifo(100), root, Err(Errno::EINVAL)),
            (plain(0), Scheduling { priority: 1, ..plain(0) }, root, Err(Errno::EINVAL)),
            (plain(0), Scheduling { class: 77, ..plain(0) }, root, Err(Errno::EINVAL)),
        ] {
            assert_eq!(now.check_change(&wanted, &asker), expected, "{now:?} {wanted:?} {asker:?}");
        }
    }

    #[test]
    fn a_child_is_modest_if_its_maker_says_so() {
        assert_eq!(fifo(5).of_child(), fifo(5));
        assert_eq!(Scheduling { resets: true, ..fifo(5) }.of_child(), plain(0));
        assert_eq!(Scheduling { resets: true, ..plain(-5) }.of_child(), plain(0));
        assert_eq!(Scheduling { resets: true, ..plain(5) }.of_child(), plain(5));
    }

    #[test]
    fn the_disk_knows_three_classes() {
        let number = |class: i32, level: i32| class << 13 | level;
        assert_eq!(IoPriority::new(number(1, 0), false), Err(Errno::EPERM));
        assert!(IoPriority::new(number(1, 0), true).is_ok());
        assert!(IoPriority::new(number(2, 7), false).is_ok() && IoPriority::new(0, false).is_ok());
        assert_eq!(IoPriority::new(number(0, 1), true), Err(Errno::EINVAL));
        assert_eq!(IoPriority::new(number(4, 0), true), Err(Errno::EINVAL));
        assert_eq!(IoPriority::new(-1, true), Err(Errno::EINVAL));
    }
}
