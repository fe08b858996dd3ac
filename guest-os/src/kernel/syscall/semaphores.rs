//! Semaphores of System V: `semget`, `semop`, `semtimedop`, `semctl`.

use super::ipc::{
    self, IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, errno, now, owned, permission, write_words,
};
use super::{Arguments, Outcome, Stop, int, length, time, uint};
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::user::UserPtr;
use crate::processes::wait::{self, Channel, WaitOutcome};
use ::proc::ipc::semaphores::{Blocked, Operation, SEMAPHORE_MAX, Semaphore, operate, remember, undo};
use ::proc::{IpcTable, Ownership};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use fs::Errno;

const GETPID: u32 = 11;
const GETVAL: u32 = 12;
const GETALL: u32 = 13;
const GETNCNT: u32 = 14;
const GETZCNT: u32 = 15;
const SETVAL: u32 = 16;
const SETALL: u32 = 17;
const SEM_STAT: u32 = 18;
const SEM_INFO: u32 = 19;
const SEM_STAT_ANY: u32 = 20;
const SEM_UNDO: u32 = 0x1000;

/// Linux's limits: semaphores of a set, operations of a call, sets, semaphores of all sets.
const MOST_OF_SET: u64 = 32_000;
const MOST_OPERATIONS: u64 = 500;
const MOST_SETS: usize = 32_000;
const MOST_SEMAPHORES: u64 = 1_024_000_000;

/// A set.
#[derive(Debug)]
struct Set {
    semaphores: Vec<Semaphore>,
    operated: i64,
    changed: i64,
    /// What each process leaves to be undone at its end.
    undone: BTreeMap<u32, Vec<i32>>,
}

static SETS: HartLocal<IpcTable<Set>> = HartLocal::new(IpcTable::new());

/// A list of `count` values.
fn zeros<T: Clone + Default>(count: usize) -> Result<Vec<T>, Errno> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    list.resize(count, T::default());
    Ok(list)
}

pub fn semget([key, count, flags, ..]: Arguments) -> Outcome {
    let (key, flags) = (int(key), uint(flags));
    let count = u64::try_from(int(count)).map_err(|_| Errno::EINVAL)?;
    if count > MOST_OF_SET {
        return Err(Errno::EINVAL.into());
    }
    let mut sets = SETS.get_mut();
    let fits = |set: &Set| count <= set.semaphores.len() as u64;
    if let Some(id) = ipc::find(&sets, key, flags, fits)? {
        return Ok(id.into());
    }
    if count == 0 {
        return Err(Errno::EINVAL.into());
    }
    if sets.len() >= MOST_SETS {
        return Err(Errno::ENOSPC.into());
    }
    let owner = Ownership::new(key, flags, &current().process.credentials.borrow());
    let semaphores = zeros(length(count))?;
    let set = Set { semaphores, operated: 0, changed: now(), undone: BTreeMap::new() };
    Ok(sets.insert(owner, set).into())
}

pub fn semop([id, operations, count, ..]: Arguments) -> Outcome {
    semtimedop([id, operations, count, 0, 0, 0])
}

pub fn semtimedop([id, operations, count, timeout, ..]: Arguments) -> Outcome {
    let id = uint(id);
    if count == 0 {
        return Err(Errno::EINVAL.into());
    }
    if count > MOST_OPERATIONS {
        return Err(Errno::E2BIG.into());
    }
    let deadline = time::deadline_of(timeout)?;
    let operations = read_operations(operations, count)?;
    let pid = current().process.pid;
    let wanted = if operations.iter().any(|operation| operation.change != 0) { 0o222 } else { 0o444 };
    ipc::to_use(&mut SETS.get_mut(), id, wanted)?;
    loop {
        let blocked = match attempt(id, &operations, pid)? {
            None => {
                wait::wake(Channel::Semaphores(id));
                return Ok(0);
            }
            Some(blocked) => blocked,
        };
        let (index, for_zero) = match blocked {
            Blocked::NoSemaphore => return Err(Errno::EFBIG.into()),
            Blocked::TooLarge => return Err(Errno::ERANGE.into()),
            Blocked::Waits { no_wait: true, .. } => return Err(Errno::EAGAIN.into()),
            Blocked::Waits { index, for_zero, .. } => (usize::from(index), for_zero),
        };
        count_waiting(id, index, for_zero, 1);
        let outcome = wait::sleep_on(alloc::vec![Channel::Semaphores(id)], deadline, true);
        count_waiting(id, index, for_zero, -1);
        match outcome {
            WaitOutcome::Interrupted => return Err(Stop::Signal(false)),
            _ if SETS.get().get(id).is_err() => return Err(Errno::EIDRM.into()),
            _ if deadline.is_some_and(|deadline| deadline <= crate::arch::time()) => {
                return Err(Errno::EAGAIN.into());
            }
            _ => {}
        }
    }
}

fn read_operations(address: u64, count: u64) -> Result<Vec<Operation>, Errno> {
    let mut operations = Vec::new();
    operations.try_reserve_exact(length(count)).map_err(|_| Errno::ENOMEM)?;
    for index in 0..3 * count {
        let half = UserPtr::<u16>::from(address).at(index).read()?;
        match index % 3 {
            0 => operations.push(Operation { index: half, change: 0, no_wait: false, is_undone: false }),
            place => {
                let Some(operation) = operations.last_mut() else { continue };
                if place == 1 {
                    operation.change = half.cast_signed();
                } else {
                    operation.no_wait = u32::from(half) & IPC_NOWAIT != 0;
                    operation.is_undone = u32::from(half) & SEM_UNDO != 0;
                }
            }
        }
    }
    Ok(operations)
}

/// Does the operations; what keeps them from being done, if anything.
fn attempt(id: u32, operations: &[Operation], pid: u32) -> Result<Option<Blocked>, Errno> {
    let mut sets = SETS.get_mut();
    let set = &mut sets.get_mut(id).map_err(errno)?.value;
    let undoes = operations.iter().any(|operation| operation.is_undone);
    if undoes && !set.undone.contains_key(&pid) {
        let changes = zeros(set.semaphores.len())?;
        set.undone.insert(pid, changes);
    }
    if let Err(blocked) = operate(&mut set.semaphores, operations, pid) {
        return Ok(Some(blocked));
    }
    set.operated = now();
    if let (true, Some(changes)) = (undoes, set.undone.get_mut(&pid)) {
        remember(changes, operations);
    }
    Ok(None)
}

fn count_waiting(id: u32, index: usize, for_zero: bool, by: i32) {
    let mut sets = SETS.get_mut();
    let Ok(set) = sets.get_mut(id) else { return };
    let Some(semaphore) = set.value.semaphores.get_mut(index) else { return };
    let count = if for_zero { &mut semaphore.waiting_for_zero } else { &mut semaphore.waiting_to_grow };
    *count = count.wrapping_add_signed(by);
}

/// A process ends: what it has asked for is undone.
pub fn end_of_process(pid: u32) {
    let mut changed = Vec::new();
    for (id, set) in SETS.get_mut().iter_mut() {
        if let Some(changes) = set.value.undone.remove(&pid) {
            undo(&mut set.value.semaphores, &changes, pid);
            set.value.operated = now();
            changed.push(id);
        }
    }
    changed.into_iter().for_each(|id| wait::wake(Channel::Semaphores(id)));
}

/// At the end of the run all sets go.
pub fn stop() {
    *SETS.get_mut() = IpcTable::new();
}

pub fn semctl([id, index, command, argument, ..]: Arguments) -> Outcome {
    let (number, command) = (uint(id), uint(command));
    if int(id) < 0 {
        return Err(Errno::EINVAL.into());
    }
    match command {
        IPC_INFO | SEM_INFO => tell_limits(command, argument),
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let (id, words) = stat(number, command)?;
            write_words(argument, &words)?;
            Ok(if command == IPC_STAT { 0 } else { id.into() })
        }
        IPC_SET => {
            let wanted = ipc::read_owner(argument)?;
            let mut sets = SETS.get_mut();
            let set = owned(&mut sets, number)?;
            ipc::set_owner(&mut set.owner, wanted);
            set.value.changed = now();
            Ok(0)
        }
        IPC_RMID => {
            let mut sets = SETS.get_mut();
            owned(&mut sets, number)?;
            sets.remove(number);
            drop(sets);
            wait::wake(Channel::Semaphores(number));
            Ok(0)
        }
        GETVAL | GETPID | GETNCNT | GETZCNT => {
            let mut sets = SETS.get_mut();
            let set = ipc::to_use(&mut sets, number, 0o444)?;
            let index = usize::try_from(int(index)).map_err(|_| Errno::EINVAL)?;
            let semaphore = set.value.semaphores.get(index).ok_or(Errno::EINVAL)?;
            Ok(match command {
                GETVAL => semaphore.value.into(),
                GETPID => semaphore.last.into(),
                GETNCNT => semaphore.waiting_to_grow.into(),
                _ => semaphore.waiting_for_zero.into(),
            })
        }
        GETALL => {
            let values: Vec<u16> = {
                let mut sets = SETS.get_mut();
                let set = ipc::to_use(&mut sets, number, 0o444)?;
                set.value.semaphores.iter().map(|semaphore| semaphore.value).collect()
            };
            for (index, &value) in (0..).zip(&values) {
                UserPtr::<u16>::from(argument).at(index).write(value)?;
            }
            Ok(0)
        }
        SETVAL | SETALL => set_values(number, int(index), command, argument),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn set_values(number: u32, index: i32, command: u32, argument: u64) -> Outcome {
    let count = ipc::to_use(&mut SETS.get_mut(), number, 0o222)?.value.semaphores.len();
    let index = usize::try_from(index).map_err(|_| Errno::EINVAL);
    let (first, values) = match command {
        SETVAL => {
            let value = u16::try_from(int(argument)).map_err(|_| Errno::ERANGE)?;
            (index.ok().filter(|&index| index < count).ok_or(Errno::EINVAL)?, alloc::vec![value])
        }
        _ => {
            let mut values = zeros(count)?;
            for (index, value) in (0..).zip(&mut values) {
                *value = UserPtr::<u16>::from(argument).at(index).read()?;
            }
            (0, values)
        }
    };
    if values.iter().any(|&value| value > SEMAPHORE_MAX) {
        return Err(Errno::ERANGE.into());
    }
    let pid = current().process.pid;
    let mut sets = SETS.get_mut();
    let set = &mut ipc::to_use(&mut sets, number, 0o222)?.value;
    let range = first..first + values.len();
    for (semaphore, value) in set.semaphores.iter_mut().skip(first).zip(values) {
        (semaphore.value, semaphore.last) = (value, pid);
    }
    // As in Linux: what was to be undone of them is not any more.
    for changes in set.undone.values_mut() {
        changes.iter_mut().take(range.end).skip(range.start).for_each(|change| *change = 0);
    }
    set.changed = now();
    drop(sets);
    wait::wake(Channel::Semaphores(number));
    Ok(0)
}

fn tell_limits(command: u32, buffer: u64) -> Outcome {
    let (used, highest) = {
        let sets = SETS.get();
        let semaphores: usize = sets.iter().map(|(_, set)| set.value.semaphores.len()).sum();
        ([sets.len(), semaphores], sets.highest_index())
    };
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let most = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let [sets, semaphores] = if command == SEM_INFO { used.map(small) } else { [20, most(MOST_SEMAPHORES)] };
    let (of_set, all) = (most(MOST_OF_SET), most(MOST_SEMAPHORES));
    let words = [
        all,
        small(MOST_SETS),
        all,
        all,
        of_set,
        most(MOST_OPERATIONS),
        most(MOST_OPERATIONS),
        sets,
        u32::from(SEMAPHORE_MAX),
        semaphores,
    ];
    for (index, &word) in (0..).zip(&words) {
        UserPtr::<u32>::from(buffer).at(index).write(word)?;
    }
    Ok(highest.into())
}

/// A set's number, and its `struct semid_ds`.
fn stat(number: u32, command: u32) -> Result<(u32, [u64; 11]), Errno> {
    let sets = SETS.get();
    let (id, set) = ipc::to_tell(&sets, number, command, command == SEM_STAT_ANY)?;
    let it = &set.value;
    let [a, b, c, d, e, f] = permission(set.owner, set.owner.mode, set.sequence);
    let (operated, changed) = (it.operated.cast_unsigned(), it.changed.cast_unsigned());
    Ok((id, [a, b, c, d, e, f, operated, changed, it.semaphores.len() as u64, 0, 0]))
}
