//! `futex`: waiting for a word and waking, moving who waits to another word, and locks whose owner dies. No priority inheritance.
//!
//! A word is known by where it is to those who share it: by its place in a file if they share its mapping, else by its place in their
//! address space. Not by its frame, which a store after a fork exchanges while somebody waits.

use super::{Arguments, Outcome, Rest, Stop, int, uint};
use crate::arch;
use crate::hart::current;
use crate::memory::mem;
use crate::memory::user::{self, UserPtr};
use crate::processes::process::{SharedSpace, table};
use crate::processes::thread::Thread;
use crate::processes::wait::{self, Channel, WaitOutcome, scheduler};
use fs::Errno;
use isa::VirtAddr;
use isa::events::Access;
use linux_raw_sys::general as linux;
use mm::vma::PageSource;
use mm::{FrameKind, PageKey, SpaceId};

/// A word that is waited for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FutexKey {
    /// Of memory that only one address space has.
    Private(SpaceId, VirtAddr),
    /// Of a shared mapping: a page of a file, and where in it.
    Shared(PageKey, u64),
}

/// The key of the running process's word at `address`. EFAULT if it cannot be had, unless the program says that it is private. May sleep.
fn key_of(address: u64, says_private: bool) -> Result<FutexKey, Errno> {
    let va = VirtAddr(address);
    let space = current().process.space();
    let private = FutexKey::Private(space.id, va);
    if says_private {
        return if address.cast_signed() < 0 { Err(Errno::EFAULT) } else { Ok(private) };
    }
    fetch(&space, va)?;
    let space = space.borrow();
    let vma = space.vmas().find(va.page()).ok_or(Errno::EFAULT)?;
    match vma.source(va.page()) {
        PageSource::File(key) if vma.is_shared() => Ok(FutexKey::Shared(key, va.page_offset())),
        _ => Ok(private),
    }
}

/// As in Linux, a word that others may share is looked for as if it were changed, and where that must not be, it must be a file's: what no
/// file has, and nobody may write, never changes.
fn fetch(space: &SharedSpace, va: VirtAddr) -> Result<(), Errno> {
    let prot = space.borrow().vmas().find(va.page()).map(|vma| vma.prot).ok_or(Errno::EFAULT)?;
    if prot.allows(Access::Write) {
        return user::resolve(va.0, Access::Write).map(|_| ());
    }
    user::resolve(va.0, Access::Read)?;
    let memory = mem::memory();
    let pte = space.borrow().pte(&memory, va.page());
    let kind = memory.frames().lookup(pte.ppn()).map(|frame| memory.frames().info(frame).kind);
    if matches!(kind, Some(FrameKind::PageCache(_) | FrameKind::Orphan)) {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

pub fn futex([word, operation, value, timeout, other, third]: Arguments) -> Outcome {
    let command = uint(operation) & !(linux::FUTEX_PRIVATE_FLAG | linux::FUTEX_CLOCK_REALTIME);
    let is_private = uint(operation) & linux::FUTEX_PRIVATE_FLAG != 0;
    let is_realtime = uint(operation) & linux::FUTEX_CLOCK_REALTIME != 0;
    if is_realtime && command != linux::FUTEX_WAIT_BITSET {
        return Err(Errno::ENOSYS.into());
    }
    let bits = match command {
        linux::FUTEX_WAIT_BITSET | linux::FUTEX_WAKE_BITSET => uint(third),
        _ => ALL_BITS,
    };
    let place = Place::new(word, is_private)?;
    match command {
        _ if bits == 0 => Err(Errno::EINVAL.into()),
        linux::FUTEX_WAIT | linux::FUTEX_WAIT_BITSET => {
            let deadline = match command {
                linux::FUTEX_WAIT => super::time::deadline_of(timeout)?,
                _ => super::time::deadline_at(timeout, is_realtime)?,
            };
            Wait { place, value: uint(value), bits, deadline }.go_on()
        }
        linux::FUTEX_WAKE | linux::FUTEX_WAKE_BITSET => Ok(wake(place.key()?, at_least_one(value), bits)),
        linux::FUTEX_WAKE_OP => wake_two(place, Place::new(other, is_private)?, value, timeout, uint(third)),
        linux::FUTEX_REQUEUE => requeue(place, Place::new(other, is_private)?, value, timeout, None),
        linux::FUTEX_CMP_REQUEUE => {
            requeue(place, Place::new(other, is_private)?, value, timeout, Some(uint(third)))
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Every kind of wake-up.
const ALL_BITS: u32 = u32::MAX;

/// Where a program says that a word is.
#[derive(Clone, Copy, Debug)]
struct Place {
    address: u64,
    is_private: bool,
}

impl Place {
    fn new(address: u64, is_private: bool) -> Result<Self, Errno> {
        if address.is_multiple_of(4) { Ok(Self { address, is_private }) } else { Err(Errno::EINVAL) }
    }
    fn key(self) -> Result<FutexKey, Errno> {
        key_of(self.address, self.is_private)
    }
    fn read(self) -> Result<u32, Errno> {
        UserPtr::<u32>::from(self.address).read()
    }
}

/// A wait for a word that holds a value.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    place: Place,
    value: u32,
    bits: u32,
    deadline: Option<u64>,
}

impl Wait {
    /// Waits, or waits on.
    pub fn go_on(self) -> Outcome {
        // Reading the word may sleep, as finding it; nothing does from there on.
        let key = self.place.key()?;
        let is_equal = self.place.read()? == self.value;
        if !is_equal {
            return Err(Errno::EAGAIN.into());
        }
        if self.deadline.is_some_and(|deadline| deadline <= arch::time()) {
            return Err(Errno::ETIMEDOUT.into());
        }
        current().futex_bits.set(self.bits);
        match wait::sleep_on(alloc::vec![Channel::Futex(key)], self.deadline, true) {
            WaitOutcome::Woken => Ok(0),
            WaitOutcome::TimedOut => Err(Errno::ETIMEDOUT.into()),
            WaitOutcome::Interrupted if self.deadline.is_some() => Err(Rest::Futex(self).later()),
            WaitOutcome::Interrupted => Err(Stop::Signal(true)),
        }
    }
}

/// Wakes at most `count` who wait for one of these kinds of wake-up.
fn wake(key: FutexKey, count: usize, bits: u32) -> u64 {
    let channel = Channel::Futex(key);
    let is_meant = |tid| table(|t| t.thread(tid)).is_some_and(|thread| thread.futex_bits.get() & bits != 0);
    scheduler(|s| match bits {
        ALL_BITS => s.wake_some(channel, count),
        _ => s.wake_those(channel, count, is_meant),
    }) as u64
}

/// How many to wake: an `int`. As in Linux, one is woken before they are counted.
fn at_least_one(count: u64) -> usize {
    usize::try_from(int(count)).unwrap_or(0).max(1)
}

/// How many, where fewer than none is an error.
fn count_of(count: u64) -> Result<usize, Errno> {
    usize::try_from(int(count)).map_err(|_| Errno::EINVAL)
}

/// Wakes some who wait for a word and lets others wait for another one; how many that was. With `expected`, only while the word holds that.
fn requeue(from: Place, to: Place, woken: u64, moved: u64, expected: Option<u32>) -> Outcome {
    let (woken, moved) = (count_of(woken)?, count_of(moved)?);
    let keys = (Channel::Futex(from.key()?), Channel::Futex(to.key()?));
    // Reading the word may sleep, as finding it; nothing does from there on.
    if let Some(expected) = expected
        && from.read()? != expected
    {
        return Err(Errno::EAGAIN.into());
    }
    let (from, to) = keys;
    Ok(scheduler(|s| s.wake_some(from, woken) + s.move_some(from, to, moved)) as u64)
}

/// FUTEX_WAKE_OP: changes a second word, wakes some who wait for the first one and, if the second one held what is said, some who wait for it.
fn wake_two(first: Place, second: Place, count: u64, second_count: u64, encoded: u32) -> Outcome {
    let keys = (first.key()?, second.key()?);
    let old = second.read()?;
    let (new, wakes_second) = Change::decode(encoded).ok_or(Errno::ENOSYS)?.apply(old);
    UserPtr::<u32>::from(second.address).write(new)?;
    let (first, second) = keys;
    let woken = wake(first, at_least_one(count), ALL_BITS);
    Ok(woken + if wakes_second { wake(second, at_least_one(second_count), ALL_BITS) } else { 0 })
}

/// What FUTEX_WAKE_OP does to a word and asks of its old value.
struct Change {
    operation: u32,
    comparison: u32,
    operand: u32,
    compared: i32,
}

impl Change {
    fn decode(encoded: u32) -> Option<Self> {
        const SHIFTED: u32 = 8;
        let signed = |field: u32| (field << 20).cast_signed() >> 20;
        let (operation, operand) = (encoded >> 28, signed(encoded >> 12 & 0xfff));
        let operand = match operation & SHIFTED {
            0 => operand.cast_unsigned(),
            _ => 1u32.wrapping_shl(operand.cast_unsigned()),
        };
        let change = Self {
            operation: operation & !SHIFTED,
            comparison: encoded >> 24 & 0xf,
            operand,
            compared: signed(encoded & 0xfff),
        };
        (change.operation <= linux::FUTEX_OP_XOR && change.comparison <= linux::FUTEX_OP_CMP_GE)
            .then_some(change)
    }
    /// The word's new value, and whether the old one is as asked.
    fn apply(&self, old: u32) -> (u32, bool) {
        let new = match self.operation {
            linux::FUTEX_OP_SET => self.operand,
            linux::FUTEX_OP_ADD => old.wrapping_add(self.operand),
            linux::FUTEX_OP_OR => old | self.operand,
            linux::FUTEX_OP_ANDN => old & !self.operand,
            _ => old ^ self.operand,
        };
        let order = old.cast_signed().cmp(&self.compared);
        let is_so = match self.comparison {
            linux::FUTEX_OP_CMP_EQ => order.is_eq(),
            linux::FUTEX_OP_CMP_NE => order.is_ne(),
            linux::FUTEX_OP_CMP_LT => order.is_lt(),
            linux::FUTEX_OP_CMP_LE => order.is_le(),
            linux::FUTEX_OP_CMP_GT => order.is_gt(),
            _ => order.is_ge(),
        };
        (new, is_so)
    }
}

/// Wakes one who waits for the word at `address` of the running process (CLONE_CHILD_CLEARTID).
pub fn wake_one(address: u64) {
    if let Ok(key) = key_of(address, false) {
        wake(key, 1, ALL_BITS);
    }
}

/// A thread ends, or its memory goes: the locks on its robust list say so, and one who waits for each is woken.
pub fn release_locks(thread: &Thread) {
    let head = thread.robust_list.take();
    if head != 0 {
        // As in Linux, a bad list is the program's loss.
        let _ = walk_locks(head, thread.tid().0);
    }
}

fn walk_locks(head: u64, owner: u32) -> Result<(), Errno> {
    /// As in Linux: a list may be a ring that never comes back.
    const MOST_LOCKS: usize = 2048;
    /// The entry's lowest bit tells of a lock with priority inheritance.
    const INHERITS: u64 = 1;
    let [first, offset, pending] = UserPtr::<[u64; 3]>::from(head).read()?;
    let lock_of = |entry: u64| (entry & !INHERITS).wrapping_add(offset);
    let mut entry = first;
    for _ in 0..MOST_LOCKS {
        if entry & !INHERITS == head {
            break;
        }
        // First where it goes on: who gets the lock may change that.
        let next = UserPtr::<u64>::from(entry & !INHERITS).read();
        if entry != pending {
            release(lock_of(entry), owner, false)?;
        }
        entry = next?;
    }
    if pending != 0 { release(lock_of(pending), owner, true) } else { Ok(()) }
}

/// Tells by a lock's word that its owner has died, if that is its owner. One that the owner was about to take or give back may be free,
/// and somebody may wait all the same.
fn release(address: u64, owner: u32, is_pending: bool) -> Result<(), Errno> {
    let place = Place::new(address, false)?;
    let value = place.read()?;
    if is_pending && value == 0 {
        wake_one(address);
    }
    if value & linux::FUTEX_TID_MASK == owner {
        let waiters = value & linux::FUTEX_WAITERS;
        UserPtr::<u32>::from(address).write(waiters | linux::FUTEX_OWNER_DIED)?;
        if waiters != 0 {
            wake_one(address);
        }
    }
    Ok(())
}
