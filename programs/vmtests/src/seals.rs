//! Files in memory that are sealed: F_ADD_SEALS, and what cannot be done any more.

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, temporary};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    seals_are_added, seals_of_size, seals_of_writing, seals_and_mappings, @Kernel seals_of_programs, seals_of_other_files,
}

const F_SEAL_FUTURE_WRITE: u32 = g::F_SEAL_FUTURE_WRITE;
const F_SEAL_EXEC: u32 = g::F_SEAL_EXEC;

fn memfd(flags: u32) -> Result<i32> {
    sys(g::__NR_memfd_create, [c"sealed".as_ptr() as usize, flags as usize]).map(|fd| fd as i32)
}

/// One that can be sealed, a page long.
fn sealable() -> Result<i32> {
    let fd = memfd(g::MFD_ALLOW_SEALING)?;
    cut(fd, PAGE_SIZE)?;
    Ok(fd)
}

fn add(fd: i32, seals: u32) -> Result<usize> {
    sys(g::__NR_fcntl, [fd as usize, g::F_ADD_SEALS as usize, seals as usize])
}

fn seals(fd: i32) -> Result<u32> {
    sys(g::__NR_fcntl, [fd as usize, g::F_GET_SEALS as usize, 0]).map(|seals| seals as u32)
}

fn cut(fd: i32, len: usize) -> Result<usize> {
    sys(g::__NR_ftruncate, [fd as usize, len])
}

fn write_at(fd: i32, offset: usize) -> Result<usize> {
    sys(g::__NR_pwrite64, [fd as usize, c"xy".as_ptr() as usize, 2, offset])
}

fn fallocate(fd: i32, mode: u32, len: usize) -> Result<usize> {
    sys(g::__NR_fallocate, [fd as usize, mode as usize, 0, len])
}

fn map(fd: i32, prot: u32, flags: u32) -> Result<usize> {
    sys(g::__NR_mmap, [0, PAGE_SIZE, prot as usize, flags as usize, fd as usize, 0])
}

fn seals_are_added() -> Outcome {
    let fd = sealable()?;
    check_eq!(seals(fd)?, 0);
    add(fd, g::F_SEAL_SHRINK)?;
    add(fd, g::F_SEAL_GROW)?;
    check_eq!(seals(fd)?, g::F_SEAL_SHRINK | g::F_SEAL_GROW);
    check_error!(add(fd, 1 << 10), EINVAL);
    add(fd, g::F_SEAL_SEAL)?;
    check_error!(add(fd, g::F_SEAL_WRITE), EPERM);
    check_eq!(seals(fd)?, g::F_SEAL_SHRINK | g::F_SEAL_GROW | g::F_SEAL_SEAL);
    // One that was not made for it has that one.
    let plain = memfd(0)?;
    check_eq!(seals(plain)?, g::F_SEAL_SEAL);
    check_error!(add(plain, 0), EPERM);
    // They are the file's: other descriptors, other processes see them.
    check_eq!(os::in_child(|| seals(fd).map_or(0, |seals| seals as i32))?, Status::Exited(7));
    Ok(())
}

fn seals_of_size() -> Outcome {
    let fd = sealable()?;
    add(fd, g::F_SEAL_SHRINK)?;
    check_error!(cut(fd, 1), EPERM);
    cut(fd, PAGE_SIZE)?;
    cut(fd, 2 * PAGE_SIZE)?;
    let fd = sealable()?;
    add(fd, g::F_SEAL_GROW)?;
    check_error!(cut(fd, PAGE_SIZE + 1), EPERM);
    check_error!(fallocate(fd, 0, 2 * PAGE_SIZE), EPERM);
    check_error!(write_at(fd, PAGE_SIZE), EPERM);
    check_eq!(write_at(fd, PAGE_SIZE - 2)?, 2);
    fallocate(fd, 0, PAGE_SIZE)?;
    cut(fd, 1)?;
    Ok(())
}

fn seals_of_writing() -> Outcome {
    const PUNCH_HOLE: u32 = g::FALLOC_FL_PUNCH_HOLE | g::FALLOC_FL_KEEP_SIZE;
    for seal in [g::F_SEAL_WRITE, F_SEAL_FUTURE_WRITE] {
        let fd = sealable()?;
        write_at(fd, 0)?;
        add(fd, seal)?;
        check_error!(write_at(fd, 0), EPERM);
        check_error!(fallocate(fd, PUNCH_HOLE, PAGE_SIZE), EPERM);
        let mut bytes = [0; 2];
        os::read(fd, &mut bytes)?;
        check_eq!(core::hint::black_box(bytes), *b"xy");
        // How long it is, is another matter.
        cut(fd, 2 * PAGE_SIZE)?;
    }
    Ok(())
}

fn seals_and_mappings() -> Outcome {
    let fd = sealable()?;
    let at = map(fd, READ_WRITE, g::MAP_SHARED)?;
    check_error!(add(fd, g::F_SEAL_WRITE), EBUSY);
    check_eq!(seals(fd)?, 0);
    // Those that there are go on.
    add(fd, F_SEAL_FUTURE_WRITE)?;
    poke(at, 7);
    check_error!(map(fd, READ_WRITE, g::MAP_SHARED), EPERM);
    sys(g::__NR_munmap, [at, PAGE_SIZE])?;
    add(fd, g::F_SEAL_WRITE)?;
    check_error!(map(fd, READ_WRITE, g::MAP_SHARED), EPERM);
    // A copy of one's own can be written.
    let own = map(fd, READ_WRITE, g::MAP_PRIVATE)?;
    check_eq!(peek(own), 7);
    poke(own, 8);
    let mut byte = [0];
    os::read(fd, &mut byte)?;
    check_eq!(core::hint::black_box(byte), [7]);
    Ok(())
}

fn seals_of_programs() -> Outcome {
    let fd = memfd(g::MFD_NOEXEC_SEAL)?;
    check_eq!(seals(fd)?, F_SEAL_EXEC);
    check_error!(sys(g::__NR_fchmod, [fd as usize, 0o755]), EPERM);
    sys(g::__NR_fchmod, [fd as usize, 0o600])?;
    add(fd, g::F_SEAL_GROW)?;
    check_error!(memfd(g::MFD_NOEXEC_SEAL | g::MFD_EXEC), EINVAL);
    // What stays a program is not changed either.
    let fd = memfd(g::MFD_EXEC | g::MFD_ALLOW_SEALING)?;
    add(fd, F_SEAL_EXEC)?;
    let all = g::F_SEAL_SHRINK | g::F_SEAL_GROW | g::F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
    check_eq!(seals(fd)?, all);
    check_error!(sys(g::__NR_fchmod, [fd as usize, 0o644]), EPERM);
    Ok(())
}

fn seals_of_other_files() -> Outcome {
    let (read, write) = os::pipe(0)?;
    check_error!(seals(read), EINVAL);
    check_error!(add(read, 0), EPERM);
    check_error!(add(write, 0), EINVAL);
    check_error!(seals(99), EBADF);
    // A right to write is a right to seal.
    let fd = sealable()?;
    check_eq!(sys(g::__NR_dup3, [fd as usize, 9, 0])?, 9);
    let reader = os::open(c"/proc/self/fd/9", g::O_RDONLY, 0)?;
    check_eq!(seals(reader)?, 0);
    check_error!(add(reader, g::F_SEAL_GROW), EPERM);
    let file = temporary(c"/tmp/vmtests.seals", b"")?;
    // On a disk files have none, in memory they have the last one.
    check!(seals(file).is_err() || seals(file)? == g::F_SEAL_SEAL);
    crate::exec::unlink(c"/tmp/vmtests.seals")?;
    Ok(())
}
