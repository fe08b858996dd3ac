//! RLIMIT_SIGPENDING: the signals that wait for all processes of a user, and their timers, are counted. Not under qemu-riscv64, which queues
//! signals itself; as the host's Linux has it.

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{Errno, Result};

use crate::check::Outcome;
use crate::processes::sleep_ns;
use crate::raw::sys;
use crate::signals::{RT, bit, mask, queue, queue_to, take_now};
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel waiting_signals_are_limited, @Kernel standard_signals_take_room, @Kernel timers_take_room, @Kernel timers_ring_in_their_room,
    @Kernel waiting_signals_of_all_processes, @Kernel the_limit_is_the_receivers, @Kernel timers_have_new_numbers,
}

const ALL: u64 = bit(RT) | bit(RT + 1) | bit(RT + 2) | bit(g::SIGUSR1) | bit(g::SIGUSR2) | bit(g::SIGALRM);

/// Does it as a user of whom there is nobody else, with all signals blocked.
fn alone(run: fn() -> Outcome) -> Outcome {
    let answer = as_user(|| {
        mask(g::SIG_BLOCK, ALL)?;
        run().map(|()| 0).map_err(|_| Errno(200))
    })?;
    check_eq!(answer, 0);
    Ok(())
}

fn limit(soft: u64) -> Result<usize> {
    let limit = [soft, 100];
    sys(g::__NR_setrlimit, [g::RLIMIT_SIGPENDING as usize, limit.as_ptr() as usize])
}

fn send(signal: u32) -> Result<()> {
    os::kill(os::getpid(), signal)
}

/// timer_create(2), with SIGALRM; its number.
fn make_timer() -> Result<u32> {
    let mut id = [0u32];
    sys(g::__NR_timer_create, [g::CLOCK_MONOTONIC as usize, 0, id.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(id)[0])
}

fn delete_timer(id: u32) -> Result<usize> {
    sys(g::__NR_timer_delete, [id as usize])
}

fn take_all() {
    while take_now(ALL).is_ok() {}
}

fn waiting_signals_are_limited() -> Outcome {
    alone(|| {
        limit(3)?;
        for value in 1..=3 {
            queue(RT, value)?;
        }
        check_error!(queue(RT + 1, 4), EAGAIN);
        check_error!(make_timer(), EAGAIN);
        let me = os::getpid() as usize;
        check_error!(sys(g::__NR_tgkill, [me, me, RT as usize + 2]), EAGAIN);
        // `kill` comes all the same, and standard signals do; what a program says of one is lost.
        send(RT + 1)?;
        queue(g::SIGUSR1, 5)?;
        send(g::SIGUSR2)?;
        check_eq!((take_now(ALL)?, take_now(ALL)?.0), ((g::SIGUSR1, 0, 0), g::SIGUSR2));
        for value in 1..=3 {
            check_eq!(take_now(ALL)?, (RT, -1, value));
        }
        check_eq!(take_now(ALL)?, (RT + 1, 0, 0));
        check_error!(take_now(ALL), EAGAIN);
        limit(0)?;
        check_error!(queue(RT, 1), EAGAIN);
        Ok(())
    })
}

fn standard_signals_take_room() -> Outcome {
    alone(|| {
        limit(2)?;
        for signal in [g::SIGUSR1, g::SIGUSR1, g::SIGUSR2] {
            send(signal)?;
        }
        check_error!(queue(RT, 1), EAGAIN);
        check_error!(make_timer(), EAGAIN);
        take_now(bit(g::SIGUSR1))?;
        queue(RT, 1)?;
        check_error!(queue(RT, 2), EAGAIN);
        Ok(())
    })
}

fn timers_take_room() -> Outcome {
    alone(|| {
        limit(2)?;
        let timers = [make_timer()?, make_timer()?];
        check_error!(make_timer(), EAGAIN);
        check_error!(queue(RT, 1), EAGAIN);
        send(RT)?;
        take_now(bit(RT))?;
        delete_timer(timers[0])?;
        queue(RT, 1)?;
        check_error!(make_timer(), EAGAIN);
        take_all();
        make_timer()?;
        Ok(())
    })
}

/// A timer's signal has its room from the start, and takes no more.
fn timers_ring_in_their_room() -> Outcome {
    alone(|| {
        limit(2)?;
        // `struct sigevent`: value, signal and how.
        let event = [7u64, u64::from(RT)];
        let mut id = [0u32];
        let at = [event.as_ptr() as usize, id.as_mut_ptr() as usize];
        sys(g::__NR_timer_create, [g::CLOCK_MONOTONIC as usize, at[0], at[1]])?;
        queue(RT + 1, 1)?;
        let soon = [0u64, 0, 0, 1000];
        sys(g::__NR_timer_settime, [core::hint::black_box(id)[0] as usize, 0, soon.as_ptr() as usize, 0])?;
        sleep_ns(5_000_000)?;
        check_error!(queue(RT + 1, 2), EAGAIN);
        take_now(bit(RT + 1))?;
        queue(RT + 1, 3)?;
        let (signal, code, value) = take_now(bit(RT))?;
        check_eq!((signal, code, value), (RT, -2, 7));
        check_error!(queue(RT + 1, 4), EAGAIN);
        Ok(())
    })
}

fn waiting_signals_of_all_processes() -> Outcome {
    alone(|| {
        limit(4)?;
        let ((ready, tell_ready), (end, tell_end)) = (os::pipe(0)?, os::pipe(0)?);
        let child = os::fork()?;
        if child == 0 {
            let _ = os::close(tell_end);
            let made = queue(RT, 1).and(queue(RT, 2)).and(make_timer());
            let _ = os::write(tell_ready, b"x");
            let _ = os::read(end, &mut [0]);
            os::exit(i32::from(made.is_err()));
        }
        os::read(ready, &mut [0])?;
        queue(RT, 1)?;
        check_error!(queue(RT, 2), EAGAIN);
        check_error!(queue_to(child, RT, 2), EAGAIN);
        check_error!(make_timer(), EAGAIN);
        os::write(tell_end, b"x")?;
        check_eq!(os::wait(child)?.1, Status::Exited(0));
        queue(RT, 2)?;
        make_timer()?;
        Ok(())
    })
}

fn the_limit_is_the_receivers() -> Outcome {
    alone(|| {
        limit(3)?;
        let ((ready, tell_ready), (next, tell_next)) = (os::pipe(0)?, os::pipe(0)?);
        let child = os::fork()?;
        if child == 0 {
            let _ = os::close(tell_next);
            for most in [1, 50] {
                let _ = limit(most);
                let _ = os::write(tell_ready, b"x");
                let _ = os::read(next, &mut [0]);
            }
            os::exit(0);
        }
        os::read(ready, &mut [0])?;
        queue_to(child, RT, 1)?;
        check_error!(queue_to(child, RT, 2), EAGAIN);
        os::write(tell_next, b"x")?;
        os::read(ready, &mut [0])?;
        for value in 0..9 {
            queue_to(child, RT, value)?;
        }
        check_error!(queue(RT, 1), EAGAIN);
        os::write(tell_next, b"x")?;
        check_eq!(os::wait(child)?.1, Status::Exited(0));
        queue(RT, 1)?;
        Ok(())
    })
}

/// A number that was a timer's is not another's soon.
fn timers_have_new_numbers() -> Outcome {
    let first = make_timer()?;
    delete_timer(first)?;
    let second = make_timer()?;
    check!(second > first);
    check_error!(delete_timer(first), EINVAL);
    Ok(())
}
