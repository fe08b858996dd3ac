//! Futexes: kinds of wake-ups, waits that move to another word, words that are changed on the way, and locks whose owner dies.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::processes::sleep_ns;
use crate::raw::{poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    futex_kinds, futex_clocks, futex_moves, futex_moves_if_equal, futex_changes_a_word, futex_errors, futex_needs_its_page, @Kernel futex_across_stop,
    @Kernel dead_owner, @Kernel dead_owner_of_a_ring, @Kernel robust_list_is_told,
}

const ALL: usize = u32::MAX as usize;
const BITSET: u32 = g::FUTEX_WAIT_BITSET;

/// Words that children share.
struct Shared(&'static [AtomicU32; PAGE_SIZE / 4]);

impl Shared {
    fn new() -> Result<Self> {
        let flags = g::MAP_SHARED | g::MAP_ANONYMOUS;
        let prot = g::PROT_READ | g::PROT_WRITE;
        let at = sys(g::__NR_mmap, [0, PAGE_SIZE, prot as usize, flags as usize, usize::MAX, 0])?;
        Ok(Self(crate::raw::words(at)))
    }
    fn at(&self, word: usize) -> usize {
        self.0[word].as_ptr() as usize
    }
    fn get(&self, word: usize) -> u32 {
        self.0[word].load(SeqCst)
    }
}

fn futex(word: usize, operation: u32, value: usize, more: [usize; 3]) -> Result<usize> {
    sys(g::__NR_futex, [word, operation as usize, value, more[0], more[1], more[2]])
}

/// Starts a child that waits for word 0 with these bits, once; it says in word 1 that it is about to, and counts up word 2 when it has been woken.
fn waiter(shared: &Shared, bits: usize) -> Result<i32> {
    let before = shared.get(1);
    let pid = os::fork()?;
    if pid == 0 {
        shared.0[1].fetch_add(1, SeqCst);
        let woken = futex(shared.at(0), BITSET, 0, [0, 0, bits]);
        shared.0[2].fetch_add(1, SeqCst);
        os::exit(i32::from(woken != Ok(0)));
    }
    while shared.get(1) == before {
        os::sched_yield();
    }
    sleep_ns(5_000_000)?;
    Ok(pid)
}

fn ended_well(pid: i32) -> Outcome {
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn futex_kinds() -> Outcome {
    const { assert!(g::FUTEX_WAIT_BITSET == 9 && g::FUTEX_WAKE_BITSET == 10) };
    let shared = Shared::new()?;
    let (first, second, third) = (waiter(&shared, 1)?, waiter(&shared, 2)?, waiter(&shared, ALL)?);
    let wake = |bits| futex(shared.at(0), g::FUTEX_WAKE_BITSET, 9, [0, 0, bits]);
    check_eq!(wake(4)?, 1);
    ended_well(third)?;
    check_eq!((wake(4)?, wake(2)?), (0, 1));
    ended_well(second)?;
    check_eq!(futex(shared.at(0), g::FUTEX_WAKE, 9, [0; 3])?, 1);
    ended_well(first)?;
    check_error!(wake(0), EINVAL);
    check_error!(futex(shared.at(0), BITSET, 0, [0; 3]), EINVAL);
    Ok(())
}

fn futex_clocks() -> Outcome {
    let shared = Shared::new()?;
    for (clock, flag) in [(g::CLOCK_MONOTONIC, 0), (g::CLOCK_REALTIME, g::FUTEX_CLOCK_REALTIME)] {
        let mut time = [0u64; 2];
        let now = |time: &mut [u64; 2]| {
            sys(g::__NR_clock_gettime, [clock as usize, core::ptr::from_mut(time) as usize])
                .map(|_| core::hint::black_box(*time))
        };
        let [seconds, nanoseconds] = now(&mut time)?;
        let end = nanoseconds + 5_000_000;
        let until = [seconds + end / 1_000_000_000, end % 1_000_000_000];
        let waited = futex(shared.at(0), BITSET | flag, 0, [until.as_ptr() as usize, 0, ALL]);
        check_error!(waited, ETIMEDOUT);
        check!(now(&mut time)? >= until);
    }
    check_error!(futex(shared.at(0), g::FUTEX_WAIT | g::FUTEX_CLOCK_REALTIME, 0, [0; 3]), ENOSYS);
    Ok(())
}

fn futex_moves() -> Outcome {
    let shared = Shared::new()?;
    let pids = [waiter(&shared, ALL)?, waiter(&shared, ALL)?, waiter(&shared, ALL)?, waiter(&shared, ALL)?];
    // One is woken, two are moved, one stays.
    check_eq!(futex(shared.at(0), g::FUTEX_REQUEUE, 1, [2, shared.at(3), 0])?, 3);
    ended_well(pids[0])?;
    check_eq!(shared.get(2), 1);
    check_eq!(futex(shared.at(3), g::FUTEX_WAKE, 9, [0; 3])?, 2);
    ended_well(pids[1])?;
    ended_well(pids[2])?;
    check_eq!(futex(shared.at(0), g::FUTEX_WAKE, 9, [0; 3])?, 1);
    ended_well(pids[3])?;
    Ok(())
}

fn futex_moves_if_equal() -> Outcome {
    let shared = Shared::new()?;
    let pid = waiter(&shared, ALL)?;
    let requeue = |woken, moved, expected| {
        futex(shared.at(0), g::FUTEX_CMP_REQUEUE, woken, [moved, shared.at(3), expected])
    };
    check_error!(requeue(0, 1, 7), EAGAIN);
    check_error!(requeue(ALL, 1, 0), EINVAL);
    check_error!(requeue(1, ALL, 0), EINVAL);
    check_eq!(requeue(0, 1, 0)?, 1);
    check_eq!(futex(shared.at(0), g::FUTEX_WAKE, 9, [0; 3])?, 0);
    check_eq!(futex(shared.at(3), g::FUTEX_WAKE, 9, [0; 3])?, 1);
    ended_well(pid)
}

fn futex_changes_a_word() -> Outcome {
    let shared = Shared::new()?;
    let encoded = |operation: u32, operand: u32, comparison: u32, compared: u32| {
        (operation << 28 | comparison << 24 | (operand & 0xfff) << 12 | compared & 0xfff) as usize
    };
    let change = |old: u32, encoded: usize| {
        shared.0[3].store(old, SeqCst);
        futex(shared.at(0), g::FUTEX_WAKE_OP, 1, [1, shared.at(3), encoded])
            .map(|woken| (shared.get(3), woken))
    };
    for (old, operation, operand, new) in [
        (5, g::FUTEX_OP_SET, 9, 9),
        (5, g::FUTEX_OP_ADD, 0xfff, 4),
        (5, g::FUTEX_OP_OR, 2, 7),
        (5, g::FUTEX_OP_ANDN, 1, 4),
        (5, g::FUTEX_OP_XOR, 3, 6),
        (5, g::FUTEX_OP_OR | g::FUTEX_OP_OPARG_SHIFT, 4, 21),
    ] {
        check_eq!(change(old, encoded(operation, operand, g::FUTEX_OP_CMP_EQ, 0))?, (new, 0));
    }
    // The waiter of word 0 is woken anyway, the other one only if the old value is as asked.
    for (comparison, compared, wakes) in [
        (g::FUTEX_OP_CMP_EQ, 5, true),
        (g::FUTEX_OP_CMP_NE, 5, false),
        (g::FUTEX_OP_CMP_LT, 0xfff, false),
        (g::FUTEX_OP_CMP_LE, 5, true),
        (g::FUTEX_OP_CMP_GT, 0xfff, true),
        (g::FUTEX_OP_CMP_GE, 6, false),
    ] {
        let (first, second) = (waiter(&shared, ALL)?, waiter(&shared, ALL)?);
        check_eq!(futex(shared.at(0), g::FUTEX_REQUEUE, 0, [1, shared.at(3), 0])?, 1);
        let woken = change(5, encoded(g::FUTEX_OP_SET, 5, comparison, compared))?.1;
        check_eq!(woken, 1 + usize::from(wakes));
        check_eq!(futex(shared.at(3), g::FUTEX_WAKE, 9, [0; 3])?, usize::from(!wakes));
        ended_well(first)?;
        ended_well(second)?;
    }
    check_error!(change(0, encoded(7, 0, 0, 0)), ENOSYS);
    Ok(())
}

fn futex_errors() -> Outcome {
    let shared = Shared::new()?;
    let odd = shared.at(0) + 2;
    check_error!(futex(odd, g::FUTEX_WAIT, 0, [0; 3]), EINVAL);
    check_error!(futex(shared.at(0), g::FUTEX_REQUEUE, 1, [1, odd, 0]), EINVAL);
    check_error!(futex(shared.at(0), g::FUTEX_CMP_REQUEUE, 1, [1, 8, 0]), EFAULT);
    check_error!(futex(shared.at(0), 77, 0, [0; 3]), ENOSYS);
    Ok(())
}

/// What a futex at `word` is told, by waiting for another value and by waking: 0 or the error's number.
fn answers(word: usize, flags: u32) -> (u32, u32) {
    let number = |result: Result<usize>| result.err().map_or(0, |error| error.0);
    let wait = futex(word, g::FUTEX_WAIT | flags, 1234, [0; 3]);
    (number(wait), number(futex(word, g::FUTEX_WAKE | flags, 1, [0; 3])))
}

fn futex_needs_its_page() -> Outcome {
    use rt::abi::errno::{EAGAIN, EFAULT};
    let (read, both) = (g::PROT_READ, g::PROT_READ | g::PROT_WRITE);
    let anonymous =
        |kind: u32, prot: u32| crate::memory::mmap(0, PAGE_SIZE, prot, kind | g::MAP_ANONYMOUS, -1, 0);
    let private = g::FUTEX_PRIVATE_FLAG;
    let found = (EAGAIN, 0);
    for (kind, prot, shared, own) in [
        (g::MAP_PRIVATE, both, found, found),
        // What nobody may write and no file has never changes.
        (g::MAP_PRIVATE, read, (EFAULT, EFAULT), found),
        (g::MAP_PRIVATE, g::PROT_NONE, (EFAULT, EFAULT), (EFAULT, 0)),
        (g::MAP_SHARED, read, found, found),
        (g::MAP_SHARED, g::PROT_NONE, (EFAULT, EFAULT), (EFAULT, 0)),
    ] {
        let page = anonymous(kind, prot)?;
        check_eq!((kind, prot, answers(page, 0), answers(page, private)), (kind, prot, shared, own));
    }
    let page = anonymous(g::MAP_PRIVATE, both)?;
    poke(page, 5);
    crate::memory::mprotect(page, 1, read)?;
    check_eq!((answers(page, 0), answers(page, private)), ((EFAULT, EFAULT), found));
    check_eq!(answers(8, private), (EFAULT, 0));
    let (file, _) = crate::memory::program_file()?;
    for kind in [g::MAP_PRIVATE, g::MAP_SHARED] {
        let page = crate::memory::mmap(0, PAGE_SIZE, read, kind, file, 0)?;
        check_eq!((answers(page, 0), answers(page, private)), (found, found));
    }
    // Where a second word is to be moved to, or changed, it is as with the first.
    let (good, bad) = (anonymous(g::MAP_PRIVATE, both)?, anonymous(g::MAP_PRIVATE, read)?);
    check_error!(futex(good, g::FUTEX_REQUEUE, 1, [1, bad, 0]), EFAULT);
    check_error!(futex(bad, g::FUTEX_REQUEUE, 1, [1, good, 0]), EFAULT);
    check_error!(futex(good, g::FUTEX_WAKE_OP, 1, [1, bad, 0]), EFAULT);
    Ok(())
}

fn futex_across_stop() -> Outcome {
    let shared = Shared::new()?;
    let pid = os::fork()?;
    if pid == 0 {
        let Ok(start) = os::monotonic_ns() else { os::exit(1) };
        let time = [0u64, 40_000_000];
        let waited = futex(shared.at(0), g::FUTEX_WAIT, 0, [time.as_ptr() as usize, 0, 0]);
        let Ok(end) = os::monotonic_ns() else { os::exit(2) };
        let timed_out = crate::check::is_error(&waited, rt::abi::errno::ETIMEDOUT);
        os::exit(i32::from(!timed_out || !(40_000_000..60_000_000).contains(&(end - start))));
    }
    crate::timers::stop_and_go_on(pid, 30_000_000)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

/// A robust list's head: where it begins, where in an entry the lock is, and an entry that is being taken or given back.
static HEAD: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
/// Entries: where the next one is, and the lock.
static ENTRIES: [[AtomicUsize; 2]; 3] = [const { [const { AtomicUsize::new(0) }; 2] }; 3];

fn head() -> usize {
    HEAD.as_ptr() as usize
}

fn entry(index: usize) -> usize {
    ENTRIES[index].as_ptr() as usize
}

/// Ends as the owner of two locks in shared memory and about to take a third one.
fn die_with_locks(shared: &Shared) -> i32 {
    let me = os::getpid() as u32;
    // The entries lie where the locks are not: the offset is the same for all.
    let offset = shared.at(8).wrapping_sub(entry(0));
    for (index, next) in [entry(1), head(), 0].into_iter().enumerate() {
        ENTRIES[index][0].store(next, SeqCst);
        shared.0[8 + 4 * index].store(me | if index == 0 { g::FUTEX_WAITERS } else { 0 }, SeqCst);
    }
    for (word, value) in HEAD.iter().zip([entry(0), offset, entry(2)]) {
        word.store(value, SeqCst);
    }
    i32::from(sys(g::__NR_set_robust_list, [head(), 24]).is_err())
}

fn dead_owner() -> Outcome {
    let shared = Shared::new()?;
    // Who waits for the first lock is woken.
    shared.0[8].store(1, SeqCst);
    let waiting = os::fork()?;
    if waiting == 0 {
        while shared.get(8) & g::FUTEX_OWNER_DIED == 0 {
            let seen = shared.get(8);
            let _ = futex(shared.at(8), g::FUTEX_WAIT, seen as usize, [0; 3]);
        }
        os::exit(7);
    }
    check_eq!(os::in_child(|| die_with_locks(&shared))?, Status::Exited(0));
    check_eq!(shared.get(8) & !g::FUTEX_WAITERS, g::FUTEX_OWNER_DIED);
    check_eq!((shared.get(12), shared.get(16)), (g::FUTEX_OWNER_DIED, g::FUTEX_OWNER_DIED));
    check_eq!(os::wait(waiting)?.1, Status::Exited(7));
    Ok(())
}

fn dead_owner_of_a_ring() -> Outcome {
    // A list that never comes back ends somewhere; a bad one is its owner's loss.
    let ended = os::in_child(|| {
        ENTRIES[0][0].store(entry(0), SeqCst);
        HEAD[0].store(entry(0), SeqCst);
        i32::from(sys(g::__NR_set_robust_list, [head(), 24]).is_err())
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    check_eq!(
        os::in_child(|| i32::from(sys(g::__NR_set_robust_list, [8, 24]).is_err())),
        Ok(Status::Exited(0))
    );
    Ok(())
}

fn robust_list_is_told() -> Outcome {
    sys(g::__NR_set_robust_list, [head(), 24])?;
    let (mut list, mut size) = (0usize, 0usize);
    let (list_at, size_at) =
        (core::ptr::from_mut(&mut list) as usize, core::ptr::from_mut(&mut size) as usize);
    sys(g::__NR_get_robust_list, [0, list_at, size_at])?;
    check_eq!(core::hint::black_box((list, size)), (head(), 24));
    check_error!(sys(g::__NR_get_robust_list, [1 << 22, list_at, size_at]), ESRCH);
    sys(g::__NR_set_robust_list, [0, 24])?;
    Ok(())
}
