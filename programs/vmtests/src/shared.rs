//! Shared memory: mappings of files in memory and what `write`, `ftruncate` and other processes do to them.

use core::ffi::CStr;

use rt::abi::general::{self as g, PROT_READ, SIGBUS};
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::{READ_WRITE, child, map, mmap, mprotect, munmap, temporary};
use crate::raw::{amo_add, peek, peek64, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    a_mapping_shows_writes, a_file_shows_stores, private_copies_stay, growth_is_seen, a_cut_is_sigbus, a_cut_takes_private_copies,
    the_last_page_is_zeroed, access_of_shared_mappings, an_unlinked_file_stays_mapped, shared_memory_object, shared_anonymous, memfd, memfd_errors,
    a_hole_is_mapped, truncated_by_open, msync_errors, mappings_grow_in_place, @Kernel mremap_of_several_mappings, mappings_move, a_new_program_is_executed,
    @Kernel a_nameless_program_is_executed,
}

const PATH: &CStr = c"/tmp/vmtests.shared";
const SHM: &CStr = c"/dev/shm/vmtests.object";
const BUS: Result<Status> = Ok(Status::Signaled(SIGBUS));

fn map_file(fd: i32, pages: usize, prot: u32, flags: u32) -> Result<usize> {
    mmap(0, pages * PAGE_SIZE, prot, flags, fd, 0)
}

fn write_at(fd: i32, bytes: &[u8], offset: usize) -> Result<usize> {
    sys(g::__NR_pwrite64, [fd as usize, bytes.as_ptr() as usize, bytes.len(), offset])
}

fn truncate(fd: i32, len: usize) -> Result<usize> {
    sys(g::__NR_ftruncate, [fd as usize, len])
}

fn shows(at: usize, bytes: &[u8]) -> bool {
    (at..).zip(bytes).all(|(address, &byte)| peek(address) == byte)
}

/// A new file of `pages` pages of zeros.
fn file(pages: usize) -> Result<i32> {
    let fd = temporary(PATH, b"")?;
    truncate(fd, pages * PAGE_SIZE)?;
    unlink(PATH)?;
    Ok(fd)
}

fn a_mapping_shows_writes() -> Outcome {
    let fd = file(2)?;
    write_at(fd, b"aaaa", 0)?;
    let shared = map_file(fd, 2, PROT_READ, g::MAP_SHARED)?;
    let private = map_file(fd, 2, READ_WRITE, g::MAP_PRIVATE)?;
    check!(shows(shared, b"aaaa") && shows(private, b"aaaa"));
    write_at(fd, b"bbbb", 0)?;
    check!(shows(shared, b"bbbb"));
    check!(shows(private, b"bbbb")); // it was only read
    // A page that has not been touched yet.
    write_at(fd, b"cccc", PAGE_SIZE - 2)?;
    check!(shows(shared + PAGE_SIZE - 2, b"cccc") && shows(private + PAGE_SIZE - 2, b"cccc"));
    Ok(())
}

fn a_file_shows_stores() -> Outcome {
    let fd = file(2)?;
    let (one, other) =
        (map_file(fd, 2, READ_WRITE, g::MAP_SHARED)?, map_file(fd, 2, PROT_READ, g::MAP_SHARED)?);
    check_eq!(peek(one), 0);
    poke(one + PAGE_SIZE - 1, b'x');
    poke(one + PAGE_SIZE, b'y');
    check!(shows(other + PAGE_SIZE - 1, b"xy"));
    let mut bytes = [0; 4];
    os::lseek(fd, PAGE_SIZE as i64 - 2, g::SEEK_SET)?;
    check_eq!(os::read(fd, &mut bytes)?, 4);
    check_eq!(&bytes, b"\0xy\0");
    // A child's stores, through the mapping that it has from its parent.
    check_eq!(child(|| poke(one, b'z')), Ok(Status::Exited(0)));
    check_eq!((peek(one), peek(other)), (b'z', b'z'));
    Ok(())
}

fn private_copies_stay() -> Outcome {
    let fd = file(1)?;
    write_at(fd, b"file", 0)?;
    let private = map_file(fd, 1, READ_WRITE, g::MAP_PRIVATE)?;
    poke(private + 1, b'o');
    write_at(fd, b"FILE", 0)?;
    check!(shows(private, b"fole"));
    let mut bytes = [0; 4];
    os::lseek(fd, 0, g::SEEK_SET)?;
    os::read(fd, &mut bytes)?;
    check_eq!(&bytes, b"FILE");
    Ok(())
}

fn growth_is_seen() -> Outcome {
    let fd = file(1)?;
    let (shared, private) =
        (map_file(fd, 3, READ_WRITE, g::MAP_SHARED)?, map_file(fd, 3, PROT_READ, g::MAP_PRIVATE)?);
    check_eq!(child(|| peek(shared + PAGE_SIZE)), BUS);
    check_eq!(child(|| poke(shared + PAGE_SIZE, 1)), BUS);
    write_at(fd, b"grown", PAGE_SIZE)?;
    check!(shows(shared + PAGE_SIZE, b"grown") && shows(private + PAGE_SIZE, b"grown"));
    check_eq!(child(|| peek(shared + 2 * PAGE_SIZE)), BUS);
    truncate(fd, 2 * PAGE_SIZE + 1)?;
    check_eq!(peek(private + 2 * PAGE_SIZE), 0);
    Ok(())
}

fn a_cut_is_sigbus() -> Outcome {
    let fd = file(3)?;
    let shared = map_file(fd, 3, READ_WRITE, g::MAP_SHARED)?;
    (0..3).for_each(|page| poke(shared + page * PAGE_SIZE, b'0' + page as u8));
    // The child has the pages mapped too when its parent cuts the file.
    let ((go, start), (seen, tell)) = (os::pipe(0)?, os::pipe(0)?);
    let pid = os::fork()?;
    if pid == 0 {
        let was = peek(shared + 2 * PAGE_SIZE);
        let _ = os::write(tell, &[was]);
        let _ = os::read(go, &mut [0]);
        os::exit(i32::from(peek(shared + 2 * PAGE_SIZE)));
    }
    let mut was = [0];
    os::read(seen, &mut was)?;
    check_eq!(&was, b"2");
    truncate(fd, PAGE_SIZE + 1)?;
    os::write(start, b".")?;
    check_eq!(os::wait(pid)?, (pid, Status::Signaled(SIGBUS)));
    check_eq!(child(|| peek(shared + 2 * PAGE_SIZE)), BUS);
    check_eq!(peek(shared + PAGE_SIZE), b'1');
    // What comes back is new.
    truncate(fd, 3 * PAGE_SIZE)?;
    check_eq!(peek(shared + 2 * PAGE_SIZE), 0);
    Ok(())
}

fn a_cut_takes_private_copies() -> Outcome {
    let fd = file(2)?;
    let private = map_file(fd, 2, READ_WRITE, g::MAP_PRIVATE)?;
    poke(private, b'a');
    poke(private + PAGE_SIZE, b'b');
    truncate(fd, PAGE_SIZE)?;
    check_eq!(peek(private), b'a');
    check_eq!(child(|| peek(private + PAGE_SIZE)), BUS);
    truncate(fd, 2 * PAGE_SIZE)?;
    check_eq!(peek(private + PAGE_SIZE), 0);
    Ok(())
}

fn the_last_page_is_zeroed() -> Outcome {
    let fd = file(1)?;
    let shared = map_file(fd, 1, READ_WRITE, g::MAP_SHARED)?;
    (0..PAGE_SIZE).for_each(|offset| poke(shared + offset, b'x'));
    truncate(fd, 10)?;
    check_eq!((peek(shared + 9), peek(shared + 10), peek(shared + PAGE_SIZE - 1)), (b'x', 0, 0));
    truncate(fd, PAGE_SIZE)?;
    check_eq!(peek64(shared + 16), 0);
    Ok(())
}

fn access_of_shared_mappings() -> Outcome {
    let fd = temporary(PATH, b"some")?;
    let read_only = os::open(PATH, g::O_RDONLY, 0)?;
    let write_only = os::open(PATH, g::O_WRONLY, 0)?;
    check_error!(map_file(read_only, 1, READ_WRITE, g::MAP_SHARED), EACCES);
    check_error!(map_file(write_only, 1, PROT_READ, g::MAP_SHARED), EACCES);
    check_error!(map_file(write_only, 1, PROT_READ, g::MAP_PRIVATE), EACCES);
    let at = map_file(read_only, 1, PROT_READ, g::MAP_SHARED)?;
    check_error!(mprotect(at, 1, READ_WRITE), EACCES);
    let at = map_file(read_only, 1, READ_WRITE, g::MAP_PRIVATE)?;
    poke(at, b'S');
    let at = map_file(fd, 1, PROT_READ, g::MAP_SHARED)?;
    check!(shows(at, b"some"));
    mprotect(at, 1, READ_WRITE)?;
    poke(at, b'c');
    let mut bytes = [0; 4];
    os::lseek(fd, 0, g::SEEK_SET)?;
    os::read(fd, &mut bytes)?;
    check_eq!(&bytes, b"come");
    unlink(PATH)?;
    Ok(())
}

fn an_unlinked_file_stays_mapped() -> Outcome {
    let fd = file(1)?;
    let at = map_file(fd, 1, READ_WRITE, g::MAP_SHARED)?;
    os::close(fd)?;
    poke(at, 5);
    check_eq!(child(|| poke(at, peek(at) + 1)), Ok(Status::Exited(0)));
    check_eq!(peek(at), 6);
    munmap(at, PAGE_SIZE)?;
    Ok(())
}

/// What shm_open(3) and Python's `multiprocessing.shared_memory` do: a name, a length, a mapping in each process.
fn shared_memory_object() -> Outcome {
    const ROUNDS: u64 = 200;
    let _ = unlink(SHM);
    let flags = g::O_RDWR | g::O_CREAT | g::O_EXCL | g::O_NOFOLLOW | g::O_CLOEXEC;
    let fd = os::open(SHM, flags, 0o600)?;
    check_error!(os::open(SHM, flags, 0o600), EEXIST);
    truncate(fd, 2 * PAGE_SIZE)?;
    let mut stat = [0u64; 16];
    sys(g::__NR_fstat, [fd as usize, stat.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(&stat)[6], 2 * PAGE_SIZE as u64);
    let here = map_file(fd, 2, READ_WRITE, g::MAP_SHARED)?;
    let pid = os::fork()?;
    if pid == 0 {
        // By its name, as an unrelated process would.
        let attach = || -> Result<usize> {
            let fd = os::open(SHM, g::O_RDWR, 0)?;
            let there = map_file(fd, 2, READ_WRITE, g::MAP_SHARED)?;
            os::close(fd)?;
            Ok(there)
        };
        let Ok(there) = attach() else { os::exit(1) };
        for _ in 0..ROUNDS {
            amo_add(there, 1);
            os::sched_yield();
        }
        poke(there + PAGE_SIZE, b'!');
        os::exit(0);
    }
    for _ in 0..ROUNDS {
        amo_add(here, 1);
        os::sched_yield();
    }
    check_eq!(os::wait(pid)?, (pid, Status::Exited(0)));
    check_eq!(peek64(here), 2 * ROUNDS);
    check_eq!(peek(here + PAGE_SIZE), b'!');
    munmap(here, 2 * PAGE_SIZE)?;
    os::close(fd)?;
    unlink(SHM)?;
    check_error!(os::open(SHM, g::O_RDWR, 0), ENOENT);
    Ok(())
}

fn shared_anonymous() -> Outcome {
    let at = mmap(0, 2 * PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    check_eq!(child(|| child(|| poke(at + PAGE_SIZE, b'g')).map(|_| poke(at, b'c'))), Ok(Status::Exited(0)));
    check_eq!((peek(at), peek(at + PAGE_SIZE)), (b'c', b'g'));
    munmap(at, PAGE_SIZE)?;
    check_eq!(peek(at + PAGE_SIZE), b'g');
    Ok(())
}

fn memfd_create(name: &CStr, flags: u32) -> Result<i32> {
    sys(g::__NR_memfd_create, [name.as_ptr() as usize, flags as usize]).map(|fd| fd as i32)
}

fn memfd() -> Outcome {
    let fd = memfd_create(c"scratch", g::MFD_CLOEXEC)?;
    check_eq!(sys(g::__NR_fcntl, [fd as usize, g::F_GETFD as usize])?, g::FD_CLOEXEC as usize);
    check_eq!(os::write(fd, b"nameless")?, 8);
    let at = map_file(fd, 1, READ_WRITE, g::MAP_SHARED)?;
    check!(shows(at, b"nameless"));
    check_eq!(child(|| poke(at, b'N')), Ok(Status::Exited(0)));
    let mut bytes = [0; 16];
    os::lseek(fd, 0, g::SEEK_SET)?;
    check_eq!(os::read(fd, &mut bytes)?, 8);
    check_eq!(&bytes[..8], b"Nameless");
    let mut stat = [0u64; 16];
    sys(g::__NR_fstat, [fd as usize, stat.as_mut_ptr() as usize])?;
    let stat = core::hint::black_box(&stat);
    // st_mode and st_nlink share a word: a regular file, all permissions, no name.
    check_eq!((stat[2] & 0xffff_ffff, stat[2] >> 32), (0o100_777, 0));
    let mut link = [0; 64];
    let at_self = c"/proc/self/fd/";
    let mut path = [0u8; 32];
    let prefix = at_self.to_bytes();
    path[..prefix.len()].copy_from_slice(prefix);
    path[prefix.len()] = b'0' + fd as u8;
    check!(fd < 10);
    let at_cwd = (g::AT_FDCWD as isize).cast_unsigned();
    let len =
        sys(g::__NR_readlinkat, [at_cwd, path.as_ptr() as usize, link.as_mut_ptr() as usize, link.len()])?;
    check_eq!(&core::hint::black_box(&link)[..len], b"/memfd:scratch (deleted)");
    truncate(fd, 0)?;
    check_eq!(child(|| peek(at)), BUS);
    Ok(())
}

fn memfd_errors() -> Outcome {
    check_error!(memfd_create(c"x", 1 << 20), EINVAL);
    check_error!(sys(g::__NR_memfd_create, [8, 0]), EFAULT);
    let long = [b'a'; 300];
    check_error!(sys(g::__NR_memfd_create, [long.as_ptr() as usize, 0]), EINVAL);
    os::close(memfd_create(c"", 0)?)?;
    // 249 bytes are a name; one more is not.
    let name = |letters: usize| {
        let mut name = [0u8; 252];
        name[..letters].fill(b'a');
        sys(g::__NR_memfd_create, [name.as_ptr() as usize, 0])
    };
    os::close(name(249)? as i32)?;
    check_error!(name(250), EINVAL);
    Ok(())
}

/// Pages are found elsewhere with what they hold, whether they were touched, shared after a fork, or are a file's.
fn mappings_move() -> Outcome {
    const PAGES: usize = 8;
    let call = |at: usize, old: usize, new: usize, flags: u32, to: usize| {
        sys(g::__NR_mremap, [at, old * PAGE_SIZE, new * PAGE_SIZE, flags as usize, to])
    };
    let anonymous = |pages: usize| {
        let flags = g::MAP_PRIVATE | g::MAP_ANONYMOUS;
        let prot = (g::PROT_READ | g::PROT_WRITE) as usize;
        sys(g::__NR_mmap, [0, pages * PAGE_SIZE, prot, flags as usize, usize::MAX, 0])
    };
    // What lies behind keeps it from growing in place.
    let room = anonymous(PAGES + 1)?;
    for (page, mark) in (0..PAGES).step_by(2).zip([1, 3, 5, 7]) {
        poke(room + page * PAGE_SIZE, mark);
    }
    check_error!(call(room, PAGES, 2 * PAGES, 0, 0), ENOMEM);
    let pid = os::fork()?;
    let moved = call(room, PAGES, 2 * PAGES, g::MREMAP_MAYMOVE, 0)?;
    check!(moved != room);
    for (page, expected) in [1, 0, 3, 0, 5, 0, 7, 0, 0, 0].into_iter().enumerate() {
        check_eq!(peek(moved + page * PAGE_SIZE), expected);
    }
    poke(moved, 99);
    if pid == 0 {
        os::exit(0);
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_eq!(peek(moved), 99);
    // To a place of one's own choice, over what is there; and with the old one left empty.
    let target = anonymous(PAGES)?;
    poke(target, 7);
    check_error!(call(moved, PAGES, PAGES, g::MREMAP_FIXED, target), EINVAL);
    check_error!(call(moved, 4, 4, g::MREMAP_MAYMOVE | g::MREMAP_FIXED, moved + PAGE_SIZE), EINVAL);
    check_error!(call(moved, 4, 4, g::MREMAP_MAYMOVE | g::MREMAP_FIXED, moved + 1), EINVAL);
    check_eq!(call(moved, PAGES, PAGES, g::MREMAP_MAYMOVE | g::MREMAP_FIXED, target)?, target);
    check_eq!((peek(target), peek(target + 2 * PAGE_SIZE)), (99, 3));
    let beside = call(target, PAGES, PAGES, g::MREMAP_MAYMOVE | g::MREMAP_DONTUNMAP, 0)?;
    check_eq!((peek(beside), peek(target), peek(target + 2 * PAGE_SIZE)), (99, 0, 0));
    check_error!(call(beside, PAGES, 1, g::MREMAP_MAYMOVE | g::MREMAP_DONTUNMAP, 0), EINVAL);
    // What is shared is the same memory at both places.
    let flags = (g::MAP_SHARED | g::MAP_ANONYMOUS) as usize;
    let shared =
        sys(g::__NR_mmap, [0, PAGE_SIZE, (g::PROT_READ | g::PROT_WRITE) as usize, flags, usize::MAX, 0])?;
    let twin = call(shared, 0, 1, g::MREMAP_MAYMOVE, 0)?;
    poke(shared, 5);
    check_eq!(peek(twin), 5);
    Ok(())
}

fn mremap(at: usize, old: usize, new: usize) -> Result<usize> {
    sys(g::__NR_mremap, [at, old * PAGE_SIZE, new * PAGE_SIZE, 0, 0])
}

fn mappings_grow_in_place() -> Outcome {
    // Room for eight pages, of which a mapping takes the first two; the file has five.
    let room = map(8, READ_WRITE)?;
    let fd = file(5)?;
    for flags in [g::MAP_SHARED, g::MAP_PRIVATE] {
        munmap(room, 8 * PAGE_SIZE)?;
        mmap(room, 2 * PAGE_SIZE, READ_WRITE, flags | g::MAP_FIXED, fd, PAGE_SIZE)?;
        check_eq!(mremap(room, 2, 6)?, room);
        write_at(fd, b"grown", 3 * PAGE_SIZE)?;
        check!(shows(room + 2 * PAGE_SIZE, b"grown"));
        check_eq!(child(|| peek(room + 4 * PAGE_SIZE)), BUS);
        check_eq!(mremap(room, 6, 1)?, room);
        check_eq!(child(|| peek(room + PAGE_SIZE)), Ok(Status::Signaled(g::SIGSEGV)));
    }
    os::close(fd)?;
    Ok(())
}

fn mremap_of_several_mappings() -> Outcome {
    let at = map(8, READ_WRITE)?;
    mprotect(at + 2 * PAGE_SIZE, 2, PROT_READ)?;
    munmap(at + 5 * PAGE_SIZE, PAGE_SIZE)?;
    // A shrink unmaps whatever lies behind, and gaps; growth is of one mapping.
    check_error!(mremap(at, 3, 4), EFAULT);
    check_error!(mremap(at, 0, 1), EINVAL);
    check_error!(mremap(at, 1, 0), EINVAL);
    check_eq!(mremap(at, 8, 1)?, at);
    check_eq!(child(|| peek(at + 6 * PAGE_SIZE)), Ok(Status::Signaled(g::SIGSEGV)));
    check_error!(mremap(at + PAGE_SIZE, 1, 2), EFAULT);
    check_eq!(mremap(at, 1, 8)?, at);
    poke(at + 7 * PAGE_SIZE, 1);
    munmap(at, 8 * PAGE_SIZE)?;
    Ok(())
}

fn a_hole_is_mapped() -> Outcome {
    let fd = file(4)?;
    let at = map_file(fd, 4, READ_WRITE, g::MAP_SHARED)?;
    check_eq!(peek64(at + PAGE_SIZE), 0);
    poke(at + 2 * PAGE_SIZE, 1);
    let mut bytes = [9; 8];
    os::lseek(fd, 2 * PAGE_SIZE as i64 - 4, g::SEEK_SET)?;
    check_eq!(os::read(fd, &mut bytes)?, 8);
    check_eq!(bytes, [0, 0, 0, 0, 1, 0, 0, 0]);
    Ok(())
}

fn truncated_by_open() -> Outcome {
    let fd = temporary(PATH, b"what was")?;
    let at = map_file(fd, 1, PROT_READ, g::MAP_SHARED)?;
    check!(shows(at, b"what was"));
    os::open(PATH, g::O_RDWR | g::O_TRUNC, 0)?;
    check_eq!(child(|| peek(at)), BUS);
    write_at(fd, b"new", 0)?;
    check!(shows(at, b"new\0"));
    unlink(PATH)?;
    Ok(())
}

fn msync_errors() -> Outcome {
    let fd = file(2)?;
    let at = map_file(fd, 2, READ_WRITE, g::MAP_SHARED)?;
    poke(at, 1);
    let msync = |at: usize, len: usize, flags: u32| sys(g::__NR_msync, [at, len, flags as usize]);
    check_eq!(msync(at, 2 * PAGE_SIZE, g::MS_SYNC), Ok(0));
    check_eq!(msync(at, 2 * PAGE_SIZE, g::MS_ASYNC | g::MS_INVALIDATE), Ok(0));
    check_eq!(msync(at, 0, 0), Ok(0));
    check_error!(msync(at + 1, PAGE_SIZE, g::MS_SYNC), EINVAL);
    check_error!(msync(at, PAGE_SIZE, g::MS_SYNC | g::MS_ASYNC), EINVAL);
    check_error!(msync(at, PAGE_SIZE, 8), EINVAL);
    sys(g::__NR_mlock, [at + PAGE_SIZE, PAGE_SIZE])?;
    check_error!(msync(at, 2 * PAGE_SIZE, g::MS_INVALIDATE), EBUSY);
    check_eq!(msync(at, PAGE_SIZE, g::MS_INVALIDATE), Ok(0));
    check_eq!(msync(at, 2 * PAGE_SIZE, g::MS_SYNC), Ok(0));
    munmap(at + PAGE_SIZE, PAGE_SIZE)?;
    check_error!(msync(at, 2 * PAGE_SIZE, g::MS_SYNC), ENOMEM);
    Ok(())
}

/// A program that was written to a file in memory runs, and what is written there later is what runs next.
fn a_new_program_is_executed() -> Outcome {
    let fd = temporary(PATH, b"#!/no/such/interpreter\n")?;
    os::close(fd)?;
    let run =
        || os::in_child(|| if os::exec(PATH, &[PATH], &[]).0 == rt::abi::errno::ENOENT { 2 } else { 1 });
    check_eq!(run(), Ok(Status::Exited(2)));
    let fd = temporary(PATH, b"")?;
    copy_program(fd)?;
    os::close(fd)?;
    let listed = os::in_child(|| {
        let _ = os::dup3(os::open(c"/dev/null", g::O_WRONLY, 0).unwrap_or(1), 1, 0);
        os::exec(PATH, &[PATH, c"-l"], &[]);
        3
    });
    check_eq!(listed, Ok(Status::Exited(0)));
    unlink(PATH)?;
    Ok(())
}

/// Writes this program to a file.
fn copy_program(fd: i32) -> Outcome {
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    let program = sys(g::__NR_openat, [at, crate::program(), g::O_RDONLY as usize, 0])? as i32;
    let mut piece = [0; 4096];
    loop {
        let count = os::read(program, &mut piece)?;
        if count == 0 {
            os::close(program)?;
            return Ok(());
        }
        check_eq!(os::write(fd, &piece[..count])?, count);
    }
}

fn a_nameless_program_is_executed() -> Outcome {
    let fd = memfd_create(c"program", 0)?;
    copy_program(fd)?;
    let path = c"/proc/self/fd/";
    let execveat = |fd: i32, path: &CStr, argument: &CStr, flags: u32| {
        let argv = [PATH.as_ptr() as usize, argument.as_ptr() as usize, 0];
        let envp = [0usize];
        let arguments = [
            fd as usize,
            path.as_ptr() as usize,
            argv.as_ptr() as usize,
            envp.as_ptr() as usize,
            flags as usize,
        ];
        sys(g::__NR_execveat, arguments)
    };
    let listed = os::in_child(|| {
        let _ = os::dup3(os::open(c"/dev/null", g::O_WRONLY, 0).unwrap_or(1), 1, 0);
        let _ = execveat(fd, c"", c"-l", g::AT_EMPTY_PATH);
        3
    });
    check_eq!(listed, Ok(Status::Exited(0)));
    // Opened anew for writing, it is not executed.
    check!(fd < 10);
    let mut anew = [0u8; 16];
    anew[..path.to_bytes().len()].copy_from_slice(path.to_bytes());
    anew[path.to_bytes().len()] = b'0' + fd as u8;
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    sys(g::__NR_openat, [at, anew.as_ptr() as usize, g::O_WRONLY as usize, 0])?;
    check_error!(execveat(fd, c"", c"-l", g::AT_EMPTY_PATH), ETXTBSY);
    check_error!(execveat(fd, c"", c"-l", 0), ENOENT);
    check_error!(execveat(99, c"", c"-l", g::AT_EMPTY_PATH), EBADF);
    check_error!(execveat(fd, c"name", c"-l", 0), ENOTDIR);
    let (reader, _) = os::pipe(0)?;
    for no_program in [g::AT_FDCWD, os::open(c"/tmp", g::O_RDONLY, 0)?, reader] {
        check_error!(execveat(no_program, c"", c"-l", g::AT_EMPTY_PATH), EACCES);
    }
    Ok(())
}
