//! System V IPC: shared memory, semaphores, queues of messages.

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel segments_are_shared, @Kernel segments_stay_and_go, @Kernel segments_of_others, @Kernel semaphores_count, @Kernel semaphores_are_undone,
    @Kernel semaphores_in_time, @Kernel messages_are_queued, @Kernel messages_wait,
}

const PRIVATE: usize = 0;
const CREAT: usize = 0o1000;
const EXCL: usize = 0o2000;
const NOWAIT: usize = 0o4000;
const RMID: usize = 0;
const STAT: usize = 2;

fn shmget(key: usize, len: usize, flags: usize) -> Result<usize> {
    sys(g::__NR_shmget, [key, len, flags])
}

fn shmat(id: usize, at: usize, flags: usize) -> Result<usize> {
    sys(g::__NR_shmat, [id, at, flags])
}

fn shmctl(id: usize, command: usize, buffer: usize) -> Result<usize> {
    sys(g::__NR_shmctl, [id, command, buffer])
}

/// How many mappings show a segment.
fn uses(id: usize) -> Result<u64> {
    let mut words = [0u64; 14];
    shmctl(id, STAT, words.as_mut_ptr() as usize)?;
    Ok(core::hint::black_box(words)[11])
}

fn segments_are_shared() -> Outcome {
    let id = shmget(PRIVATE, 3 * PAGE_SIZE + 1, CREAT | 0o600)?;
    let at = shmat(id, 0, 0)?;
    check_eq!(peek(at), 0);
    poke(at, 5);
    check_eq!(uses(id)?, 1);
    let status = os::in_child(|| {
        poke(at + 3 * PAGE_SIZE, peek(at) + 1);
        i32::from(uses(id) != Ok(2))
    })?;
    check_eq!(status, Status::Exited(0));
    check_eq!((peek(at + 3 * PAGE_SIZE), uses(id)?), (6, 1));
    // Once more, to be read only.
    let twin = shmat(id, 0, 0o10_000)?;
    check_eq!((peek(twin), uses(id)?), (5, 2));
    check_error!(sys(g::__NR_mprotect, [twin, PAGE_SIZE, (g::PROT_READ | g::PROT_WRITE) as usize]), EACCES);
    check_error!(shmat(id, at, 0), EINVAL);
    check_error!(shmat(id, at + 1, 0), EINVAL);
    check_eq!(shmat(id, at + 1, 0o60_000)?, at);
    sys(g::__NR_shmdt, [twin])?;
    check_error!(sys(g::__NR_shmdt, [twin]), EINVAL);
    sys(g::__NR_shmdt, [at])?;
    check_eq!(uses(id)?, 0);
    let again = shmat(id, 0, 0)?;
    check_eq!(peek(again), 5);
    shmctl(id, RMID, 0)?;
    Ok(())
}

fn segments_stay_and_go() -> Outcome {
    const KEY: usize = 0x0f01_1001;
    check_error!(shmget(KEY, PAGE_SIZE, 0o600), ENOENT);
    check_error!(shmget(KEY, 0, CREAT | 0o600), EINVAL);
    let id = shmget(KEY, PAGE_SIZE, CREAT | EXCL | 0o600)?;
    check_error!(shmget(KEY, PAGE_SIZE, CREAT | EXCL | 0o600), EEXIST);
    check_eq!(shmget(KEY, 0, 0)?, id);
    check_error!(shmget(KEY, 2 * PAGE_SIZE, 0), EINVAL);
    let at = shmat(id, 0, 0)?;
    shmctl(id, RMID, 0)?;
    // It is there as long as it is mapped, under no key.
    poke(at, 1);
    check_error!(shmget(KEY, 0, 0), ENOENT);
    check_eq!(uses(id)?, 1);
    sys(g::__NR_shmdt, [at])?;
    check_error!(uses(id), EINVAL);
    check_error!(shmat(id, 0, 0), EINVAL);
    check_error!(shmctl(id, 99, 0), EINVAL);
    Ok(())
}

fn segments_of_others() -> Outcome {
    let id = shmget(PRIVATE, PAGE_SIZE, CREAT | 0o604)?;
    let status = os::in_child(|| {
        let _ = sys(g::__NR_setgid, [1000]).and_then(|_| sys(g::__NR_setuid, [1000]));
        let refused = |result: Result<usize>, number: u32| result.err() == Some(rt::Errno(number));
        let is_right = refused(shmat(id, 0, 0), rt::abi::errno::EACCES)
            && shmat(id, 0, 0o10_000).is_ok()
            && refused(shmctl(id, RMID, 0), rt::abi::errno::EPERM);
        i32::from(!is_right)
    })?;
    check_eq!(status, Status::Exited(0));
    shmctl(id, RMID, 0)?;
    Ok(())
}

const GETVAL: usize = 12;
const GETALL: usize = 13;
const GETNCNT: usize = 14;
const SETVAL: usize = 16;
const SETALL: usize = 17;
const UNDO: u16 = 0x1000;

fn semget(count: usize) -> Result<usize> {
    sys(g::__NR_semget, [PRIVATE, count, CREAT | 0o600])
}

fn semctl(id: usize, index: usize, command: usize, argument: usize) -> Result<usize> {
    sys(g::__NR_semctl, [id, index, command, argument])
}

fn semop(id: usize, operations: &[[u16; 3]]) -> Result<usize> {
    sys(g::__NR_semop, [id, operations.as_ptr() as usize, operations.len()])
}

fn semaphores_count() -> Outcome {
    const MINUS_2: u16 = (-2i16).cast_unsigned();
    let id = semget(3)?;
    semop(id, &[[0, 3, 0], [2, 7, 0]])?;
    check_eq!((semctl(id, 0, GETVAL, 0)?, semctl(id, 2, GETVAL, 0)?), (3, 7));
    // All or none.
    check_error!(semop(id, &[[0, MINUS_2, 0], [1, MINUS_2, NOWAIT as u16]]), EAGAIN);
    check_eq!(semctl(id, 0, GETVAL, 0)?, 3);
    check_error!(semop(id, &[[0, 0, NOWAIT as u16]]), EAGAIN);
    check_error!(semop(id, &[[3, 1, 0]]), EFBIG);
    check_error!(semop(id, &[[0, 32_767, 0]]), ERANGE);
    check_error!(semctl(id, 0, SETVAL, 40_000), ERANGE);
    check_error!(semctl(id, 3, GETVAL, 0), EINVAL);
    let values = [1u16, 2, 3];
    semctl(id, 0, SETALL, values.as_ptr() as usize)?;
    let mut told = [0u16; 3];
    semctl(id, 0, GETALL, told.as_mut_ptr() as usize)?;
    check_eq!(core::hint::black_box(told), values);
    // Who waits is woken by who adds.
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(i32::from(semop(id, &[[1, (-5i16).cast_unsigned(), 0]]).is_err()));
    }
    while semctl(id, 1, GETNCNT, 0)? == 0 {
        sys(g::__NR_sched_yield, [])?;
    }
    semop(id, &[[1, 4, 0]])?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_eq!(semctl(id, 1, GETVAL, 0)?, 1);
    // And who waits for a set that goes is told.
    let pid = os::fork()?;
    if pid == 0 {
        let gone = semop(id, &[[1, (-9i16).cast_unsigned(), 0]]);
        os::exit(i32::from(gone.err() != Some(rt::Errno(rt::abi::errno::EIDRM))));
    }
    while semctl(id, 1, GETNCNT, 0)? == 0 {
        sys(g::__NR_sched_yield, [])?;
    }
    semctl(id, 0, RMID, 0)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_error!(semctl(id, 0, GETVAL, 0), EINVAL);
    Ok(())
}

fn semaphores_are_undone() -> Outcome {
    let id = semget(1)?;
    semctl(id, 0, SETVAL, 5)?;
    let status = os::in_child(|| {
        let taken = semop(id, &[[0, (-3i16).cast_unsigned(), UNDO], [0, 1, 0]]);
        i32::from(taken.is_err() || semctl(id, 0, GETVAL, 0) != Ok(3))
    })?;
    check_eq!(status, Status::Exited(0));
    check_eq!(semctl(id, 0, GETVAL, 0)?, 6);
    semctl(id, 0, RMID, 0)?;
    Ok(())
}

fn semaphores_in_time() -> Outcome {
    let id = semget(1)?;
    let (operation, timeout) = ([0u16, (-1i16).cast_unsigned(), 0], [0u64, 1_000_000]);
    let waited = sys(g::__NR_semtimedop, [id, operation.as_ptr() as usize, 1, timeout.as_ptr() as usize]);
    check_eq!(waited.err(), Some(rt::Errno(rt::abi::errno::EAGAIN)));
    check_error!(sys(g::__NR_semtimedop, [id, operation.as_ptr() as usize, 0, 0]), EINVAL);
    check_error!(sys(g::__NR_semtimedop, [id, operation.as_ptr() as usize, 501, 0]), E2BIG);
    semctl(id, 0, RMID, 0)?;
    Ok(())
}

/// A message of one word.
fn send(id: usize, kind: u64, word: u64, flags: usize) -> Result<usize> {
    let message = [kind, word];
    sys(g::__NR_msgsnd, [id, message.as_ptr() as usize, 8, flags])
}

fn receive(id: usize, kind: i64, flags: usize) -> Result<(u64, u64)> {
    let mut message = [0u64; 2];
    let kind = usize::try_from(kind.cast_unsigned()).unwrap_or(0);
    sys(g::__NR_msgrcv, [id, message.as_mut_ptr() as usize, 8, kind, flags])?;
    let [kind, word] = core::hint::black_box(message);
    Ok((kind, word))
}

fn messages_are_queued() -> Outcome {
    let id = sys(g::__NR_msgget, [PRIVATE, CREAT | 0o600])?;
    check_error!(receive(id, 0, NOWAIT), ENOMSG);
    for (kind, word) in [(5, 50), (2, 20), (9, 90), (2, 21)] {
        send(id, kind, word, 0)?;
    }
    check_error!(send(id, 0, 0, 0), EINVAL);
    check_eq!(receive(id, 2, 0)?, (2, 20));
    check_eq!(receive(id, -6, 0)?, (2, 21));
    check_eq!(receive(id, 5, 0o20_000)?, (9, 90));
    // What is looked at as a copy stays.
    check_eq!(receive(id, 0, 0o40_000 | NOWAIT)?, (5, 50));
    let mut small = [0u64; 2];
    let short = |flags: usize, small: &mut [u64; 2]| {
        sys(g::__NR_msgrcv, [id, small.as_mut_ptr() as usize, 4, 0, flags])
    };
    check_error!(short(0, &mut small), E2BIG);
    check_eq!(short(0o10_000, &mut small)?, 4);
    check_error!(receive(id, 0, NOWAIT), ENOMSG);
    let long = [1u64; 1200];
    check_error!(sys(g::__NR_msgsnd, [id, long.as_ptr() as usize, 9000, 0]), EINVAL);
    sys(g::__NR_msgctl, [id, RMID, 0])?;
    check_error!(send(id, 1, 1, 0), EINVAL);
    Ok(())
}

/// A full queue, and an empty one, keep who comes waiting.
fn messages_wait() -> Outcome {
    let id = sys(g::__NR_msgget, [PRIVATE, CREAT | 0o600])?;
    let message = [1u64; 1025];
    let fill = |flags: usize| sys(g::__NR_msgsnd, [id, message.as_ptr() as usize, 8192, flags]);
    fill(0)?;
    fill(0)?;
    check_error!(fill(NOWAIT), EAGAIN);
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(i32::from(fill(0).is_err()));
    }
    let mut room = [0u64; 1025];
    for _ in 0..3 {
        check_eq!(sys(g::__NR_msgrcv, [id, room.as_mut_ptr() as usize, 8192, 0, 0])?, 8192);
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(i32::from(receive(id, 7, 0) != Ok((7, 70))));
    }
    send(id, 6, 60, 0)?;
    send(id, 7, 70, 0)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check!(receive(id, 0, 0)? == (6, 60));
    sys(g::__NR_msgctl, [id, RMID, 0])?;
    Ok(())
}
