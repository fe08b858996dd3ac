//! Files without a name that are there to be waited for: eventfd(2), timerfd_create(2), signalfd(2), pidfd_open(2),
//! epoll(7), inotify(7).
//!
//! Time comes from outside, in ticks. A timer is not rung by anyone: whoever looks at it says what time it is, and whoever waits for it is
//! told until when.

mod epoll;
mod event;
mod inotify;
#[cfg(test)]
mod tests;
mod timer;

use crate::ready::{Source, Surroundings, Waits};
use crate::{Errno, Object, OpenFile, OpenFileId, OpenFiles, OpenFlags, Readiness, Text};
use core::fmt::Write;
pub(crate) use epoll::Epoll;
pub use epoll::{Due, Interest};
pub use event::EventCounter;
pub use inotify::{Happening, IfWatched, Inotify, Notice};
pub(crate) use inotify::{Happenings, Watches};
pub use timer::Timer;

/// The identity of a file without a name while it exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AnonymousId(pub u32);

/// What a file without a name is.
#[derive(Debug)]
pub enum Anonymous {
    /// A counter of events.
    Event(EventCounter),
    /// A timer.
    Timer(Timer),
    /// The signals of this set: bit n-1 for signal n.
    Signals(u64),
    /// A process, by its number and when it was made.
    Process {
        /// Its number.
        pid: u32,
        /// When, in ticks.
        birth: u64,
    },
    /// A list of files that are waited for together.
    Epoll(Epoll),
    /// A list of what happens to files.
    Inotify(Inotify),
}

impl Anonymous {
    /// Whether it is open for reading alone.
    fn access(&self) -> OpenFlags {
        match self {
            Anonymous::Inotify(_) => OpenFlags::empty(),
            _ => OpenFlags::RDWR,
        }
    }
    /// What `/proc` calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Anonymous::Event(_) => "anon_inode:[eventfd]",
            Anonymous::Timer(_) => "anon_inode:[timerfd]",
            Anonymous::Signals(_) => "anon_inode:[signalfd]",
            Anonymous::Process { .. } => "anon_inode:[pidfd]",
            Anonymous::Epoll(_) => "anon_inode:[eventpoll]",
            Anonymous::Inotify(_) => "anon_inode:inotify",
        }
    }
}

impl OpenFiles {
    /// Opens a file without a name; of the flags only `O_NONBLOCK` matters here.
    pub fn create_anonymous(&mut self, what: Anonymous, flags: OpenFlags) -> OpenFileId {
        while self.anonymous.contains_key(&AnonymousId(self.next_anonymous)) {
            self.next_anonymous = self.next_anonymous.wrapping_add(1);
        }
        let id = AnonymousId(self.next_anonymous);
        self.next_anonymous = self.next_anonymous.wrapping_add(1);
        let access = what.access();
        self.anonymous.insert(id, what);
        let flags = flags & OpenFlags::NONBLOCK | access;
        self.insert(OpenFile::new(Object::Anonymous(id), None, flags))
    }

    /// A new list of files to wait for.
    pub fn create_epoll(&mut self) -> OpenFileId {
        self.create_anonymous(Anonymous::Epoll(Epoll::default()), OpenFlags::empty())
    }

    /// A file without a name, and what to call it where to wait for it. EINVAL if it is another file.
    pub fn anonymous(&self, id: OpenFileId) -> Result<(&Anonymous, Source), Errno> {
        let Object::Anonymous(number) = self.get(id).object else { return Err(Errno::EINVAL) };
        let what = self.anonymous.get(&number).ok_or(Errno::EINVAL)?;
        Ok((what, Source::Anonymous(number)))
    }

    /// The same, to be changed; the change is to be [told](OpenFiles::note).
    pub fn anonymous_mut(&mut self, id: OpenFileId) -> Result<(&mut Anonymous, Source), Errno> {
        let Object::Anonymous(number) = self.get(id).object else { return Err(Errno::EINVAL) };
        let what = self.anonymous.get_mut(&number).ok_or(Errno::EINVAL)?;
        Ok((what, Source::Anonymous(number)))
    }

    /// What `fdinfo` says of a file by what it is, beyond what it says of all. ENOMEM.
    pub fn describe(&self, id: OpenFileId, out: &mut Text) -> Result<(), Errno> {
        let Ok((what, Source::Anonymous(number))) = self.anonymous(id) else { return Ok(()) };
        match what {
            Anonymous::Process { pid, .. } => writeln!(out, "Pid:\t{pid}\nNSpid:\t{pid}"),
            Anonymous::Signals(set) => writeln!(out, "sigmask:\t{set:016x}"),
            Anonymous::Inotify(list) => self.describe_watches(number, list, out),
            _ => Ok(()),
        }
        .map_err(|_| Errno::ENOMEM)
    }

    /// Something has become readier.
    pub fn note(&mut self, source: Source, what: Readiness) {
        self.changes.note(source, what);
    }

    /// What `poll` says of a file without a name.
    pub(crate) fn poll_anonymous(
        &self,
        number: AnonymousId,
        around: &dyn Surroundings,
        waits: &mut Waits,
    ) -> Result<Readiness, Errno> {
        let mut ready = Readiness::empty();
        let source = Source::Anonymous(number);
        match self.anonymous.get(&number) {
            None => {}
            Some(Anonymous::Event(counter)) => {
                waits.push(source)?;
                ready = counter.readiness();
            }
            Some(Anonymous::Timer(timer)) => {
                waits.push(source)?;
                ready.set(Readiness::IN, timer.rings(around.now()) > 0);
                timer.next(around.now()).into_iter().for_each(|next| waits.until(next));
            }
            Some(Anonymous::Signals(set)) => {
                waits.push(Source::Signals)?;
                ready.set(Readiness::IN, around.pending_signals() & set != 0);
            }
            Some(&Anonymous::Process { pid, birth }) => {
                waits.push(Source::Processes)?;
                ready.set(Readiness::IN, around.has_ended(pid, birth));
            }
            Some(Anonymous::Inotify(list)) => {
                waits.push(source)?;
                ready.set(Readiness::IN | Readiness::RDNORM, list.bytes() > 0);
            }
            Some(Anonymous::Epoll(epoll)) => {
                waits.push(source)?;
                if self.any_due(epoll, around, waits)? {
                    ready = Readiness::IN | Readiness::RDNORM;
                }
            }
        }
        Ok(ready)
    }
}
