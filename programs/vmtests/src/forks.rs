//! fork and copy-on-write: what is shared, what is not, and that nothing is left behind.

use rt::os::{self, Status};
use rt::{PAGE_SIZE, Pages};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, tests};
use rt::abi::general as g;

tests! {
    fork_isolates_child, fork_isolates_parent, fork_untouched, fork_chain, fork_siblings, fork_tree, fork_many, fork_teardown,
    fork_read_only_text, fork_kernel_writes_copy, shared_anonymous, fork_and_unmap,
}

const OK: rt::Result<Status> = Ok(Status::Exited(0));

fn fork_isolates_child() -> Outcome {
    let mut pages = Pages::map(16)?;
    (0..16).for_each(|page| pages.write(page, 0, 1));
    let ended = os::in_child(|| {
        (0..16).for_each(|page| pages.write(page, 0, 2));
        i32::from((0..16).any(|page| pages.read(page, 0) != 2))
    });
    check_eq!(ended, OK);
    check!((0..16).all(|page| pages.read(page, 0) == 1));
    Ok(())
}

fn fork_isolates_parent() -> Outcome {
    let mut pages = Pages::map(16)?;
    (0..16).for_each(|page| pages.write(page, 0, 1));
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        // Looks only after the parent has written.
        let _ = os::read(read, &mut [0]);
        os::exit(i32::from((0..16).any(|page| pages.read(page, 0) != 1)));
    }
    (0..16).for_each(|page| pages.write(page, 0, 2));
    os::write(write, b".")?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check!((0..16).all(|page| pages.read(page, 0) == 2));
    Ok(())
}

fn fork_untouched() -> Outcome {
    // Pages that nobody had touched before the fork are not shared by it.
    let mut pages = Pages::map(8)?;
    let ended = os::in_child(|| {
        let zero = (0..8).all(|page| pages.is_zero(page));
        (0..8).for_each(|page| pages.write(page, 5, 9));
        i32::from(!zero)
    });
    check_eq!(ended, OK);
    check!((0..8).all(|page| pages.is_zero(page)));
    pages.write(0, 0, 1);
    Ok(())
}

/// Each generation changes one page and sees the others as its parent left them.
fn generation(pages: &mut Pages, depth: u8) -> bool {
    if depth == 20 {
        return true;
    }
    pages.write(usize::from(depth), 0, depth + 100);
    let child = os::in_child(|| i32::from(!generation(pages, depth + 1)));
    let own = (0..=depth).all(|page| pages.read(usize::from(page), 0) == page + 100);
    let later = (depth + 1..20).all(|page| pages.read(usize::from(page), 0) == 0);
    child == OK && own && later
}

fn fork_chain() -> Outcome {
    let mut pages = Pages::map(20)?;
    check!(generation(&mut pages, 0));
    Ok(())
}

fn fork_siblings() -> Outcome {
    let mut pages = Pages::map(4)?;
    pages.write(0, 0, 50);
    let mut pids = [0; 10];
    for (number, pid) in pids.iter_mut().enumerate() {
        *pid = os::fork()?;
        if *pid == 0 {
            let before = pages.read(0, 0);
            pages.write(0, 0, before + number as u8);
            os::sched_yield();
            os::exit(i32::from(pages.read(0, 0)));
        }
    }
    // In the opposite order, so that the later ones are found as zombies or awaited.
    for (number, &pid) in pids.iter().enumerate().rev() {
        check_eq!(os::wait(pid)?.1, Status::Exited(50 + number as i32));
    }
    check_eq!(pages.read(0, 0), 50);
    Ok(())
}

/// A tree of processes three wide; the sum of the leaves' answers comes up through the statuses.
fn tree(depth: u32) -> i32 {
    if depth == 0 {
        return 1;
    }
    let mut started = 0;
    for _ in 0..3 {
        match os::fork() {
            Ok(0) => os::exit(tree(depth - 1)),
            Ok(_) => started += 1,
            Err(_) => return 200,
        }
    }
    let mut leaves = 0;
    for _ in 0..started {
        match os::wait(-1) {
            Ok((_, Status::Exited(below))) => leaves += below,
            _ => return 201,
        }
    }
    leaves
}

fn fork_tree() -> Outcome {
    check_eq!(tree(3), 27);
    Ok(())
}

fn fork_many() -> Outcome {
    for number in 0..300 {
        check_eq!(os::in_child(|| number & 0x7f)?, Status::Exited(number & 0x7f));
    }
    Ok(())
}

fn fork_teardown() -> Outcome {
    // Three times the memory of the machine, if any of it stayed behind.
    for _ in 0..100 {
        let ended = os::in_child(|| {
            let Ok(at) = map(1024, READ_WRITE) else { return 1 };
            (0..1024).for_each(|page| poke(at + page * PAGE_SIZE, 1));
            0
        });
        check_eq!(ended, OK);
    }
    Ok(())
}

fn fork_read_only_text() -> Outcome {
    let address = fork_read_only_text as fn() -> Outcome as usize;
    let before = peek(address);
    check_eq!(os::in_child(|| i32::from(peek(address) != before)), OK);
    check_eq!(peek(address), before);
    Ok(())
}

fn fork_kernel_writes_copy() -> Outcome {
    // read(2) into a shared page must copy it as a store would.
    let mut pages = Pages::map(2)?;
    pages.write(0, 0, 1);
    let address = pages.address();
    let (read, write) = os::pipe(0)?;
    os::write(write, b"ABCDEFGH")?;
    let ended = os::in_child(|| {
        // Four bytes each, across the boundary of a touched and an untouched page.
        let at = address + PAGE_SIZE - 4;
        let got = sys(g::__NR_read, [read as usize, at, 8]);
        i32::from(got != Ok(8) || peek(at) != b'A' || peek(at + 7) != b'H')
    });
    check_eq!(ended, OK);
    check_eq!(pages.read(0, PAGE_SIZE - 4), 0);
    check!(pages.is_zero(1));
    Ok(())
}

fn shared_anonymous() -> Outcome {
    let flags = (g::MAP_SHARED | g::MAP_ANONYMOUS) as usize;
    let at = sys(g::__NR_mmap, [0, 2 * PAGE_SIZE, READ_WRITE as usize, flags, usize::MAX, 0])?;
    poke(at, 1);
    let ended = os::in_child(|| {
        let seen = peek(at);
        poke(at, 2);
        // A page that only the child has touched is the parent's too.
        poke(at + PAGE_SIZE, 3);
        i32::from(seen != 1)
    });
    check_eq!(ended, OK);
    check_eq!(peek(at), 2);
    check_eq!(peek(at + PAGE_SIZE), 3);
    Ok(())
}

fn fork_and_unmap() -> Outcome {
    // The parent lets go of its mapping while the child still uses the frames.
    let (read, write) = os::pipe(0)?;
    let mut pages = Pages::map(32)?;
    (0..32).for_each(|page| pages.write(page, 7, page as u8));
    let pid = os::fork()?;
    if pid == 0 {
        let _ = os::read(read, &mut [0]);
        os::exit(i32::from((0..32).any(|page| pages.read(page, 7) != page as u8)));
    }
    drop(pages);
    let mut other = Pages::map(64)?;
    (0..64).for_each(|page| other.write(page, 7, 0xff));
    os::write(write, b".")?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}
