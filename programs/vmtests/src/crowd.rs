//! Many processes: five hundred at once, each with pages of its own, some that its parent had and some that all share; a hundred thousand one after another;
//! and as many as there may be.

use core::sync::atomic::Ordering::Relaxed;

use rt::os::{self, Status};
use rt::{Pages, Result, println};

use crate::check::Outcome;
use crate::{check, check_eq, check_error, tests};

tests! { @ByName five_hundred_at_once, @ByName a_hundred_thousand_forks, @ByName forks_until_refused,
    @ByName equals_die_before_their_parent,
}

const PROCESSES: usize = 500;
/// Pages of each kind: a process's own, those it has from its parent, those in common.
const PAGES: usize = 12;

/// What is in a word, by whose it is and where.
fn pattern(owner: usize, page: usize) -> u64 {
    ((owner * PAGES + page) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Fills with the pattern of an owner.
fn fill(pages: &Pages, owner: usize) {
    for page in 0..pages.len_pages() {
        pages.page(page).iter().for_each(|word| word.store(pattern(owner, page), Relaxed));
    }
}

/// Whether pages hold the pattern of an owner.
fn holds(pages: &Pages, owner: usize) -> bool {
    (0..pages.len_pages())
        .all(|page| pages.page(page).iter().all(|word| word.load(Relaxed) == pattern(owner, page)))
}

/// The parent's pattern.
const PARENT: usize = PROCESSES;

/// All have been forked, and have filled their pages, before the first looks at them again.
fn five_hundred_at_once() -> Outcome {
    let (inherited, shared) = (Pages::map(PAGES)?, Pages::map_shared(PAGES)?);
    fill(&inherited, PARENT);
    let (ready_read, ready) = os::pipe(0)?;
    let (start, start_write) = os::pipe(0)?;
    for process in 0..PROCESSES {
        if os::fork()? == 0 {
            os::close(start_write)?;
            let found = in_the_crowd(process, [&inherited, &shared], ready, start);
            os::exit(i32::from(found != Ok(true)));
        }
    }
    for _ in 0..PROCESSES {
        check_eq!(os::read(ready_read, &mut [0])?, 1);
    }
    // The end of this pipe is what they wait for.
    os::close(start_write)?;
    for _ in 0..PROCESSES {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    for page in 0..PAGES {
        let words = &shared.page(page)[..PROCESSES];
        check!(words.iter().enumerate().all(|(process, word)| word.load(Relaxed) == pattern(process, page)));
    }
    check!(holds(&inherited, PARENT));
    Ok(())
}

/// What a process of the crowd does: whether it found what it should.
fn in_the_crowd(process: usize, [inherited, shared]: [&Pages; 2], ready: i32, start: i32) -> Result<bool> {
    let own = Pages::map(PAGES)?;
    fill(&own, process);
    // One page of what it has from its parent becomes its own.
    let changed = process % PAGES;
    inherited.page(changed).iter().for_each(|word| word.store(pattern(process, changed), Relaxed));
    (0..PAGES).for_each(|page| shared.page(page)[process].store(pattern(process, page), Relaxed));
    os::write(ready, b".")?;
    os::read(start, &mut [0])?;
    let as_inherited = |page: usize| {
        let owner = if page == changed { process } else { PARENT };
        inherited.page(page).iter().all(|word| word.load(Relaxed) == pattern(owner, page))
    };
    Ok(holds(&own, process)
        && (0..PAGES).all(as_inherited)
        && (0..PAGES).all(|page| shared.page(page)[process].load(Relaxed) == pattern(process, page)))
}

/// Forks until there may be no more processes, each of which waits for the others and then runs `body` with its number. How many there are, and
/// what ended it.
fn fork_all(body: impl Fn(usize)) -> Result<(usize, Result<()>)> {
    let (start, start_write) = os::pipe(0)?;
    let mut processes = 0;
    let refused = loop {
        match os::fork() {
            Ok(0) => {
                os::close(start_write)?;
                let started = os::read(start, &mut [0]);
                body(processes);
                os::exit(i32::from(started != Ok(0)));
            }
            Ok(_) => processes += 1,
            Err(error) => break Err(error),
        }
    };
    // The end of this pipe is what they wait for.
    os::close(start_write)?;
    os::close(start)?;
    Ok((processes, refused))
}

/// Small processes that only wait: it is their number that ends it.
fn forks_until_refused() -> Outcome {
    let (processes, refused) = fork_all(|_| ())?;
    for _ in 0..processes {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    check_error!(refused, EAGAIN);
    println!("{processes} processes");
    check!(processes > 256);
    Ok(())
}

/// Children that store to all that they have from their parent, for which there are no frames: some are killed, and never the parent, which is as large.
fn equals_die_before_their_parent() -> Outcome {
    let kept = Pages::map(200)?;
    fill(&kept, PARENT);
    let (children, refused) = fork_all(|child| fill(&kept, child))?;
    check_error!(refused, ENOMEM);
    let mut killed = 0;
    for _ in 0..children {
        match os::wait(-1)?.1 {
            Status::Exited(0) => {}
            status => {
                check_eq!(status, Status::Signaled(9));
                killed += 1;
            }
        }
    }
    println!("{killed} of {children} killed");
    check!(killed > 0 && holds(&kept, PARENT));
    Ok(())
}

fn a_hundred_thousand_forks() -> Outcome {
    let kept = Pages::map(PAGES)?;
    fill(&kept, PARENT);
    for number in 0..100_000 {
        let ended = os::in_child(|| {
            let page = number % PAGES;
            kept.page(page)[number % 512].store(7, Relaxed);
            i32::from(kept.page((page + 1) % PAGES)[0].load(Relaxed) != pattern(PARENT, (page + 1) % PAGES))
        });
        check_eq!(ended, Ok(Status::Exited(0)));
    }
    check!(holds(&kept, PARENT));
    Ok(())
}
