//! Advisory locks: `fcntl`'s on ranges of bytes, and `flock`'s on whole files (fcntl(2), flock(2)).
//!
//! The table decides who has what, and who would wait for himself; it never sleeps. Ranges are held by a process, or by an open file
//! (F_OFD_SETLK); whole files by an open file. The two kinds do not see each other. The ranges of one holder are disjoint, those that
//! touch and are alike are one, as F_GETLK shows.

use crate::{FileId, Object, OpenFile, OpenFileId, PipeId};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What is locked: the file, however it was opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lockable {
    /// A file with an inode.
    File(FileId),
    /// A pipe.
    Pipe(PipeId),
    /// One of the host's streams.
    Stream(u8),
}

impl Lockable {
    /// What an open file's locks are on; `None` for what cannot be locked.
    pub fn of(file: &OpenFile) -> Option<Lockable> {
        match (&file.location, &file.object) {
            (Some(location), _) => Some(Lockable::File(location.inode.id())),
            (None, Object::Pipe { pipe, .. }) => Some(Lockable::Pipe(*pipe)),
            (None, Object::Device(crate::Device::Stdio { stream })) => Some(Lockable::Stream(*stream)),
            _ => None,
        }
    }
}

/// Whether others may hold it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// F_RDLCK, LOCK_SH.
    Shared,
    /// F_WRLCK, LOCK_EX.
    Exclusive,
}

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holder {
    /// A process: its locks on a file go with the first of its descriptors for the file that is closed.
    Process(u32),
    /// An open file: they go when it is closed for the last time.
    OpenFile(OpenFileId),
    /// An open file, by `flock`.
    Flock(OpenFileId),
}

impl Holder {
    /// Whether locks of the two can be in each other's way.
    fn meets(self, other: Holder) -> bool {
        matches!(self, Holder::Flock(_)) == matches!(other, Holder::Flock(_)) && self != other
    }
}

/// A lock that is held or wanted. Whole files are the range of all bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileLock {
    /// Who holds it.
    pub holder: Holder,
    /// Its first byte.
    pub start: u64,
    /// Its last byte.
    pub last: u64,
    /// Whether others may have it too.
    pub kind: LockKind,
}

/// The offset of the last byte that a file may have.
pub const LAST_BYTE: u64 = i64::MAX as u64;

impl FileLock {
    /// A lock of a whole file.
    pub fn whole(holder: Holder, kind: LockKind) -> FileLock {
        FileLock { holder, start: 0, last: LAST_BYTE, kind }
    }
    fn overlaps(&self, start: u64, last: u64) -> bool {
        self.start <= last && start <= self.last
    }
    fn conflicts_with(&self, other: &FileLock) -> bool {
        let are_shared = self.kind == LockKind::Shared && other.kind == LockKind::Shared;
        self.holder.meets(other.holder) && !are_shared && self.overlaps(other.start, other.last)
    }
}

type Key = (Lockable, Holder, u64);

/// All locks of the system, and who waits for one.
#[derive(Debug, Default)]
pub struct FileLocks {
    /// By file, holder and first byte: kind and last byte.
    held: BTreeMap<Key, (LockKind, u64)>,
    /// What each sleeping thread wants.
    wanted: BTreeMap<u32, (Lockable, FileLock)>,
}

impl FileLocks {
    /// No locks.
    pub const fn new() -> FileLocks {
        FileLocks { held: BTreeMap::new(), wanted: BTreeMap::new() }
    }

    /// Whether nothing is locked.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The first lock that is in the way of this one.
    pub fn conflict(&self, file: Lockable, wanted: &FileLock) -> Option<FileLock> {
        self.of_file(file).find(|lock| lock.conflicts_with(wanted))
    }

    /// The first lock that a holder has in a range.
    pub fn held_within(&self, file: Lockable, holder: Holder, start: u64, last: u64) -> Option<FileLock> {
        self.of_file(file).find(|lock| lock.holder == holder && lock.overlaps(start, last))
    }

    /// What a holder has of the first byte: of the whole file, if it locks nothing less.
    pub fn held_whole(&self, file: Lockable, holder: Holder) -> Option<LockKind> {
        self.held.get(&(file, holder, 0)).map(|&(kind, _)| kind)
    }

    /// Gives a lock that nothing is in the way of; what its holder had there is replaced.
    pub fn grant(&mut self, file: Lockable, lock: FileLock) {
        let FileLock { holder, kind, mut start, mut last } = lock;
        self.release_range(file, holder, start, last);
        if let Some((before, (before_kind, before_last))) = self.last_below(file, holder, start)
            && before_kind == kind
            && before_last + 1 == start
        {
            self.held.remove(&(file, holder, before));
            start = before;
        }
        if let Some(&(next_kind, next_last)) = self.held.get(&(file, holder, last + 1))
            && next_kind == kind
        {
            self.held.remove(&(file, holder, last + 1));
            last = next_last;
        }
        self.held.insert((file, holder, start), (kind, last));
    }

    /// Takes a range from its holder. Whether anything of it was locked.
    pub fn release_range(&mut self, file: Lockable, holder: Holder, start: u64, last: u64) -> bool {
        // The one that begins before the range may reach into it, or over it.
        let before = self.last_below(file, holder, start);
        let mut was_locked = false;
        if let Some((first, (kind, before_last))) = before
            && before_last >= start
        {
            was_locked = true;
            self.held.insert((file, holder, first), (kind, start - 1));
            if before_last > last {
                self.held.insert((file, holder, last + 1), (kind, before_last));
            }
        }
        let inside = (file, holder, start)..=(file, holder, last);
        while let Some((&key, &(kind, its_last))) = self.held.range(inside.clone()).next() {
            was_locked = true;
            self.held.remove(&key);
            if its_last > last {
                self.held.insert((file, holder, last + 1), (kind, its_last));
            }
        }
        was_locked
    }

    /// Whether a process that waits for this lock would wait for itself: by the processes that hold what it wants, and what they
    /// wait for in turn. Only processes count, as in Linux: an open file may be in many hands.
    pub fn would_deadlock(&self, file: Lockable, wanted: &FileLock) -> bool {
        let Holder::Process(this) = wanted.holder else { return false };
        let mut seen = Vec::new();
        let mut next = Some((file, *wanted));
        let mut followed = 0;
        while let Some((file, wanted)) = next {
            for lock in self.of_file(file).filter(|lock| lock.conflicts_with(&wanted)) {
                match lock.holder {
                    Holder::Process(holder) if holder == this => return true,
                    Holder::Process(holder) if !seen.contains(&holder) => seen.push(holder),
                    _ => {}
                }
            }
            let waits =
                |holder| self.wanted.values().find(move |(_, lock)| lock.holder == Holder::Process(holder));
            next = None;
            while let (None, Some(&holder)) = (next, seen.get(followed)) {
                next = waits(holder).copied();
                followed += 1;
            }
        }
        false
    }

    /// A thread begins to wait.
    pub fn wait(&mut self, thread: u32, file: Lockable, wanted: FileLock) {
        self.wanted.insert(thread, (file, wanted));
    }

    /// A thread waits no longer.
    pub fn end_wait(&mut self, thread: u32) {
        self.wanted.remove(&thread);
    }

    fn of_file(&self, file: Lockable) -> impl Iterator<Item = FileLock> {
        let first = (file, Holder::Process(0), 0);
        let of_file = self.held.range(first..).take_while(move |((other, ..), _)| *other == file);
        of_file.map(|(&(_, holder, start), &(kind, last))| FileLock { holder, start, last, kind })
    }

    /// The holder's last lock that begins below `start`.
    fn last_below(&self, file: Lockable, holder: Holder, start: u64) -> Option<(u64, (LockKind, u64))> {
        let below = self.held.range((file, holder, 0)..(file, holder, start)).next_back();
        below.map(|(&(.., first), &lock)| (first, lock))
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small numbers
mod tests {
    use super::*;
    use crate::tests::Random;
    use LockKind::{Exclusive, Shared};

    const FILE: Lockable = Lockable::Stream(0);
    const OTHER: Lockable = Lockable::Stream(1);

    fn lock(process: u32, start: u64, last: u64, kind: LockKind) -> FileLock {
        FileLock { holder: Holder::Process(process), start, last, kind }
    }

    #[test]
    fn shared_locks_go_together_and_exclusive_ones_with_none() {
        let mut locks = FileLocks::new();
        locks.grant(FILE, lock(1, 10, 19, Shared));
        assert_eq!(locks.conflict(FILE, &lock(2, 0, 10, Shared)), None);
        assert_eq!(locks.conflict(FILE, &lock(2, 0, 9, Exclusive)), None);
        assert_eq!(locks.conflict(FILE, &lock(2, 19, 30, Exclusive)), Some(lock(1, 10, 19, Shared)));
        assert_eq!(locks.conflict(FILE, &lock(1, 0, 30, Exclusive)), None, "one's own is no obstacle");
        assert_eq!(locks.conflict(OTHER, &lock(2, 0, 30, Exclusive)), None);
        let whole = Holder::Flock(crate::OpenFiles::new(|_| {}).insert(OpenFile::new(
            Object::Device(crate::Device::Null),
            None,
            crate::OpenFlags::empty(),
        )));
        assert_eq!(locks.conflict(FILE, &FileLock::whole(whole, Exclusive)), None, "flock is another kind");
        assert!(locks.release_range(FILE, Holder::Process(1), 0, LAST_BYTE) && locks.is_empty());
    }

    #[test]
    fn who_would_wait_for_himself_is_found() {
        let mut locks = FileLocks::new();
        (1..=4).for_each(|process| {
            locks.grant(FILE, lock(process, u64::from(process), u64::from(process), Exclusive))
        });
        (1..=3).for_each(|process| {
            let wanted = lock(process, u64::from(process) + 1, u64::from(process) + 1, Exclusive);
            assert!(!locks.would_deadlock(FILE, &wanted));
            locks.wait(process, FILE, wanted);
        });
        assert!(locks.would_deadlock(FILE, &lock(4, 1, 1, Shared)));
        assert!(!locks.would_deadlock(FILE, &lock(5, 1, 1, Shared)), "it only waits");
        locks.end_wait(2);
        assert!(!locks.would_deadlock(FILE, &lock(4, 1, 1, Shared)));
    }

    /// Random locks of three processes against one byte each of an array.
    #[test]
    fn ranges_agree_with_a_table_of_bytes() {
        const BYTES: u64 = 40;
        let (mut locks, mut model) = (FileLocks::new(), [[None; BYTES as usize]; 3]);
        let mut random = Random(0x51_0c7e);
        let (mut conflicts, mut most) = (0, 0);
        for _ in 0..40_000 {
            let (process, start) = (random.below(3) as u32, random.below(BYTES));
            let last = (start + random.below(12)).min(BYTES - 1);
            let range = start as usize..=last as usize;
            let kind = if random.below(2) == 0 { Shared } else { Exclusive };
            let wanted = lock(process, start, last, kind);
            if random.below(3) == 0 {
                let was = model[process as usize][range.clone()].iter().any(Option::is_some);
                assert_eq!(locks.release_range(FILE, wanted.holder, start, last), was);
                model[process as usize][range].fill(None);
            } else {
                let is_in_the_way = |other: &Option<LockKind>| {
                    other.is_some_and(|other| kind == Exclusive || other == Exclusive)
                };
                let others = (0..3).filter(|&other| other != process as usize);
                let blocked =
                    others.clone().any(|other| model[other][range.clone()].iter().any(is_in_the_way));
                assert_eq!(locks.conflict(FILE, &wanted).is_some(), blocked);
                match blocked {
                    true => conflicts += 1,
                    false => {
                        locks.grant(FILE, wanted);
                        model[process as usize][range].fill(Some(kind));
                    }
                }
            }
            // As few ranges as there are runs of equal bytes.
            let runs = |bytes: &[Option<LockKind>; BYTES as usize]| {
                let starts = |&at: &usize| bytes[at].is_some() && (at == 0 || bytes[at - 1] != bytes[at]);
                (0..BYTES as usize).filter(starts).count()
            };
            assert_eq!(locks.held.len(), model.iter().map(runs).sum::<usize>());
            most = most.max(locks.held.len());
        }
        assert!(conflicts > 1000 && most > 10, "{conflicts}, {most}");
    }
}
