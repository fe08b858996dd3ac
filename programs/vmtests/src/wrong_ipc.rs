//! What System V IPC refuses. qemu-riscv64 7.2 dies of messages of wrong sizes and ignores SHM_REMAP; Linux itself agrees with all rows.

use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{Errno, PAGE_SIZE, Result};

use crate::check::{Outcome, each_is_refused};
use crate::raw::sys;
use crate::users::as_user;
use crate::{check_eq, tests};

tests! {
    @Kernel keys_of_nothing, @Kernel semaphores_that_are_refused, @Kernel messages_that_are_refused, @Kernel segments_that_are_refused,
    @Kernel ipc_of_others, @Kernel queues_go_while_one_waits,
}

/// Where nothing is.
const BAD: usize = 8;
const NO_ID: usize = 0x7fff_0000;
const KEY: usize = 0x0e77_7053;
const CREATE: usize = 0o1600;
const EXCLUSIVE: usize = 0o3600;
const NOWAIT: usize = 0o4000;
const RMID: usize = 0;
const SET: usize = 1;
const STAT: usize = 2;
const GETVAL: usize = 12;
const GETALL: usize = 13;
const SETVAL: usize = 16;
const SETALL: usize = 17;

fn keys_of_nothing() -> Outcome {
    each_is_refused(&[
        (g::__NR_semget, &[KEY, 1, 0], errno::ENOENT),
        (g::__NR_msgget, &[KEY, 0], errno::ENOENT),
        (g::__NR_shmget, &[KEY, 1, 0], errno::ENOENT),
    ])?;
    let semaphores = sys(g::__NR_semget, [KEY, 2, CREATE])?;
    let queue = sys(g::__NR_msgget, [KEY, CREATE])?;
    let segment = sys(g::__NR_shmget, [KEY, PAGE_SIZE, CREATE])?;
    each_is_refused(&[
        (g::__NR_semget, &[KEY, 2, EXCLUSIVE], errno::EEXIST),
        (g::__NR_msgget, &[KEY, EXCLUSIVE], errno::EEXIST),
        (g::__NR_shmget, &[KEY, 1, EXCLUSIVE], errno::EEXIST),
        (g::__NR_semget, &[KEY, 3, 0], errno::EINVAL),
        (g::__NR_shmget, &[KEY, PAGE_SIZE + 1, 0], errno::EINVAL),
        (g::__NR_semget, &[0, 0, CREATE], errno::EINVAL),
        (g::__NR_semget, &[0, 32_001, CREATE], errno::EINVAL),
        (g::__NR_semget, &[0, usize::MAX, CREATE], errno::EINVAL),
        (g::__NR_shmget, &[0, 0, CREATE], errno::EINVAL),
    ])?;
    // Who has no rights is told so, also by the key.
    for (number, arguments) in [
        (g::__NR_semget, [KEY, 2, 0o600]),
        (g::__NR_msgget, [KEY, 0o600, 0]),
        (g::__NR_shmget, [KEY, 1, 0o600]),
    ] {
        check_eq!((number, as_user(|| sys(number, arguments))?), (number, errno::EACCES));
    }
    remove(semaphores, queue, segment)
}

fn remove(semaphores: usize, queue: usize, segment: usize) -> Outcome {
    sys(g::__NR_semctl, [semaphores, 0, RMID, 0])?;
    sys(g::__NR_msgctl, [queue, RMID, 0])?;
    sys(g::__NR_shmctl, [segment, RMID, 0])?;
    Ok(())
}

fn semaphores_that_are_refused() -> Outcome {
    let id = sys(g::__NR_semget, [0, 2, CREATE])?;
    /// `struct sembuf`: index, what to add, flags.
    fn operation(index: u16, by: i16, flags: usize) -> [u16; 3] {
        [index, by.cast_unsigned(), flags as u16]
    }
    let take = operation(0, -1, NOWAIT);
    let until_zero = operation(1, 0, NOWAIT);
    let elsewhere = operation(2, 1, NOWAIT);
    let too_much = operation(0, i16::MAX, 0);
    let [take, until_zero, elsewhere, too_much] =
        [&take, &until_zero, &elsewhere, &too_much].map(|operation| operation.as_ptr() as usize);
    let wrong = [0u64, 1_000_000_000];
    let wrong = wrong.as_ptr() as usize;
    let values = [40_000u16; 2];
    let values = values.as_ptr() as usize;
    sys(g::__NR_semctl, [id, 1, SETVAL, 1])?;
    each_is_refused(&[
        (g::__NR_semop, &[id, take, 1], errno::EAGAIN),
        (g::__NR_semop, &[id, until_zero, 1], errno::EAGAIN),
        (g::__NR_semop, &[id, elsewhere, 1], errno::EFBIG),
        (g::__NR_semop, &[id, take, 0], errno::EINVAL),
        (g::__NR_semop, &[id, take, 501], errno::E2BIG),
        (g::__NR_semop, &[id, BAD, 1], errno::EFAULT),
        (g::__NR_semop, &[NO_ID, take, 1], errno::EINVAL),
        (g::__NR_semop, &[usize::MAX, take, 1], errno::EINVAL),
        (g::__NR_semtimedop, &[id, take, 1, wrong], errno::EINVAL),
        (g::__NR_semtimedop, &[id, take, 1, BAD], errno::EFAULT),
        (g::__NR_semtimedop, &[id, elsewhere, 1, 0], errno::EFBIG),
        (g::__NR_semtimedop, &[id, BAD, 1, 0], errno::EFAULT),
        (g::__NR_semctl, &[NO_ID, 0, GETVAL], errno::EINVAL),
        (g::__NR_semctl, &[id, 2, GETVAL], errno::EINVAL),
        (g::__NR_semctl, &[id, usize::MAX, GETVAL], errno::EINVAL),
        (g::__NR_semctl, &[id, 0, 77], errno::EINVAL),
        (g::__NR_semctl, &[id, 0, SETVAL, 40_000], errno::ERANGE),
        (g::__NR_semctl, &[id, 0, SETVAL, usize::MAX], errno::ERANGE),
        (g::__NR_semctl, &[id, 0, SETALL, values], errno::ERANGE),
        (g::__NR_semctl, &[id, 0, GETALL, BAD], errno::EFAULT),
        (g::__NR_semctl, &[id, 0, SETALL, BAD], errno::EFAULT),
        (g::__NR_semctl, &[id, 0, STAT, BAD], errno::EFAULT),
        (g::__NR_semctl, &[id, 0, SET, BAD], errno::EFAULT),
    ])?;
    sys(g::__NR_semop, [id, too_much, 1])?;
    each_is_refused(&[
        (g::__NR_semop, &[id, too_much, 1], errno::ERANGE),
        (g::__NR_semtimedop, &[id, too_much, 1, 0], errno::ERANGE),
    ])?;
    sys(g::__NR_semctl, [id, 0, RMID, 0])?;
    each_is_refused(&[(g::__NR_semctl, &[id, 0, RMID], errno::EINVAL)])
}

fn messages_that_are_refused() -> Outcome {
    let id = sys(g::__NR_msgget, [0, CREATE])?;
    let (message, without_kind, negative) = ([1u64, 2], [0u64, 2], [u64::MAX, 2]);
    let [message, without_kind, negative] =
        [&message, &without_kind, &negative].map(|message| message.as_ptr() as usize);
    each_is_refused(&[
        (g::__NR_msgsnd, &[id, without_kind, 8], errno::EINVAL),
        (g::__NR_msgsnd, &[id, negative, 8], errno::EINVAL),
        (g::__NR_msgsnd, &[id, message, 8193], errno::EINVAL),
        (g::__NR_msgsnd, &[id, message, usize::MAX], errno::EINVAL),
        (g::__NR_msgsnd, &[NO_ID, message, 8], errno::EINVAL),
        (g::__NR_msgsnd, &[usize::MAX, message, 8], errno::EINVAL),
        (g::__NR_msgsnd, &[id, BAD, 8], errno::EFAULT),
        (g::__NR_msgrcv, &[NO_ID, message, 8], errno::EINVAL),
        (g::__NR_msgrcv, &[id, message, usize::MAX], errno::EINVAL),
        (g::__NR_msgrcv, &[id, message, 8, 0, NOWAIT], errno::ENOMSG),
        (g::__NR_msgctl, &[NO_ID, STAT, message], errno::EINVAL),
        (g::__NR_msgctl, &[id, 77, message], errno::EINVAL),
        (g::__NR_msgctl, &[id, STAT, BAD], errno::EFAULT),
        (g::__NR_msgctl, &[id, SET, BAD], errno::EFAULT),
    ])?;
    sys(g::__NR_msgsnd, [id, message, 8, 0])?;
    each_is_refused(&[
        (g::__NR_msgrcv, &[id, message, 4, 0, NOWAIT], errno::E2BIG),
        (g::__NR_msgrcv, &[id, message, 8, 2, NOWAIT], errno::ENOMSG),
        (g::__NR_msgrcv, &[id, BAD, 8, 0, NOWAIT], errno::EFAULT),
    ])?;
    sys(g::__NR_msgctl, [id, RMID, 0])?;
    each_is_refused(&[
        (g::__NR_msgctl, &[id, RMID], errno::EINVAL),
        (g::__NR_msgsnd, &[id, message, 8], errno::EINVAL),
    ])
}

fn segments_that_are_refused() -> Outcome {
    let id = sys(g::__NR_shmget, [0, PAGE_SIZE, CREATE])?;
    let page = crate::memory::map(1, crate::memory::READ_WRITE)?;
    const REMAP: usize = 0o40_000;
    each_is_refused(&[
        (g::__NR_shmat, &[NO_ID, 0, 0], errno::EINVAL),
        (g::__NR_shmat, &[usize::MAX, 0, 0], errno::EINVAL),
        (g::__NR_shmat, &[id, page + 1, 0], errno::EINVAL),
        (g::__NR_shmat, &[id, page, 0], errno::EINVAL),
        (g::__NR_shmat, &[id, 0, REMAP], errno::EINVAL),
        (g::__NR_shmdt, &[page], errno::EINVAL),
        (g::__NR_shmdt, &[page + 1], errno::EINVAL),
        (g::__NR_shmctl, &[NO_ID, STAT, page], errno::EINVAL),
        (g::__NR_shmctl, &[id, 77, page], errno::EINVAL),
        (g::__NR_shmctl, &[id, STAT, BAD], errno::EFAULT),
        (g::__NR_shmctl, &[id, SET, BAD], errno::EFAULT),
    ])?;
    sys(g::__NR_shmctl, [id, RMID, 0])?;
    each_is_refused(&[
        (g::__NR_shmat, &[id, 0, 0], errno::EINVAL),
        (g::__NR_shmctl, &[id, RMID], errno::EINVAL),
    ])
}

fn ipc_of_others() -> Outcome {
    let semaphores = sys(g::__NR_semget, [0, 2, CREATE])?;
    let queue = sys(g::__NR_msgget, [0, CREATE])?;
    let segment = sys(g::__NR_shmget, [0, PAGE_SIZE, CREATE])?;
    let mut room = [1u64; 32];
    let room = room.as_mut_ptr() as usize;
    const READ_ONLY: usize = 0o10_000;
    let rows: [(u32, [usize; 5], u32); 18] = [
        (g::__NR_semctl, [semaphores, 0, GETVAL, 0, 0], errno::EACCES),
        (g::__NR_semctl, [semaphores, 0, GETALL, room, 0], errno::EACCES),
        (g::__NR_semctl, [semaphores, 0, SETVAL, 1, 0], errno::EACCES),
        (g::__NR_semctl, [semaphores, 0, STAT, room, 0], errno::EACCES),
        (g::__NR_semctl, [semaphores, 0, RMID, 0, 0], errno::EPERM),
        (g::__NR_semctl, [semaphores, 0, SET, room, 0], errno::EPERM),
        (g::__NR_semop, [semaphores, room, 1, 0, 0], errno::EACCES),
        (g::__NR_semtimedop, [semaphores, room, 1, 0, 0], errno::EACCES),
        (g::__NR_msgctl, [queue, STAT, room, 0, 0], errno::EACCES),
        (g::__NR_msgctl, [queue, RMID, 0, 0, 0], errno::EPERM),
        (g::__NR_msgctl, [queue, SET, room, 0, 0], errno::EPERM),
        (g::__NR_msgsnd, [queue, room, 8, 0, 0], errno::EACCES),
        (g::__NR_msgrcv, [queue, room, 8, 0, 0], errno::EACCES),
        (g::__NR_shmctl, [segment, STAT, room, 0, 0], errno::EACCES),
        (g::__NR_shmctl, [segment, RMID, 0, 0, 0], errno::EPERM),
        (g::__NR_shmctl, [segment, SET, room, 0, 0], errno::EPERM),
        (g::__NR_shmat, [segment, 0, 0, 0, 0], errno::EACCES),
        (g::__NR_shmat, [segment, 0, READ_ONLY, 0, 0], errno::EACCES),
    ];
    for (row, (number, arguments, expected)) in rows.into_iter().enumerate() {
        check_eq!((row, as_user(|| sys(number, arguments))?), (row, expected));
    }
    remove(semaphores, queue, segment)
}

/// EIDRM: what was waited for has gone.
fn queues_go_while_one_waits() -> Outcome {
    let message = [1u64; 1025];
    let message = message.as_ptr() as usize;
    let receive = |id: usize| sys(g::__NR_msgrcv, [id, message, 8, 0, 0]);
    let send = |id: usize| sys(g::__NR_msgsnd, [id, message, 8192, 0]);
    let go_while = |is_full: bool, call: &dyn Fn(usize) -> Result<usize>| -> Outcome {
        let id = sys(g::__NR_msgget, [0, CREATE])?;
        while is_full && sys(g::__NR_msgsnd, [id, message, 8192, NOWAIT]).is_ok() {}
        let pid = os::fork()?;
        if pid == 0 {
            os::exit(call(id).err().map_or(0, |Errno(number)| number as i32));
        }
        crate::processes::sleep_ns(20_000_000)?;
        sys(g::__NR_msgctl, [id, RMID, 0])?;
        check_eq!(os::wait(pid)?.1, Status::Exited(errno::EIDRM as i32));
        Ok(())
    };
    go_while(false, &receive)?;
    go_while(true, &send)?;
    // Semaphores, also with a time to wait.
    let hour = [3600u64, 0];
    for limit in [0, hour.as_ptr() as usize] {
        let id = sys(g::__NR_semget, [0, 1, CREATE])?;
        let take = [0u16, (-1i16).cast_unsigned(), 0];
        let pid = os::fork()?;
        if pid == 0 {
            let waited = sys(g::__NR_semtimedop, [id, take.as_ptr() as usize, 1, limit]);
            os::exit(waited.err().map_or(0, |Errno(number)| number as i32));
        }
        crate::processes::sleep_ns(20_000_000)?;
        sys(g::__NR_semctl, [id, 0, RMID, 0])?;
        check_eq!(os::wait(pid)?.1, Status::Exited(errno::EIDRM as i32));
    }
    Ok(())
}
