//! Users: who may become whom, and what the files say to them; and what `/proc` shows of a process's memory.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{Errno, PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::{refusal, unlink};
use crate::memory::{READ_WRITE, map, munmap, temporary};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel ids_that_are_given_up, @Kernel permissions_of_files, @Kernel permissions_of_folders, @Kernel names_in_a_sticky_folder,
    @Kernel owners_and_modes, @Kernel set_ids_end_with_a_change, @Kernel set_ids_of_new_names, @Kernel access_times_are_the_owners, @Kernel access_by_real_ids, names_only_take_no_change, @Kernel memory_as_a_file, @Kernel pages_as_a_file, @Kernel memory_in_numbers,
    limits_in_words, @Kernel sizes_in_words, @Kernel zeros_are_nobodys, signals_in_words, name_over_two_lines, shared_memory_is_a_file,
    folder_that_has_gone, @Kernel memory_past_its_protection, @Kernel facts_of_a_process,
}

const AT: usize = (g::AT_FDCWD as isize).cast_unsigned();
const PATH: &CStr = c"/tmp/vmtests.users";
const FOLDER: &CStr = c"/tmp/vmtests.folder";
const INSIDE: &CStr = c"/tmp/vmtests.folder/file";
const USER: usize = 1000;
const GROUP: usize = 2000;
const SAME: usize = usize::MAX;

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

/// What a process of this user and group is answered: 0 or the error's number.
pub fn as_user(ask: impl FnOnce() -> Result<usize>) -> Result<u32> {
    let status = os::in_child(|| {
        let became = sys(g::__NR_setgroups, [0, 0])
            .and_then(|_| sys(g::__NR_setgid, [GROUP]))
            .and_then(|_| sys(g::__NR_setuid, [USER]));
        if became.is_err() {
            return 255;
        }
        ask().err().map_or(0, |Errno(number)| number as i32)
    })?;
    match status {
        Status::Exited(number) => Ok(number as u32),
        _ => Ok(255),
    }
}

fn open(path: &CStr, flags: u32) -> Result<usize> {
    os::open(path, flags, 0o644).map(|fd| fd as usize)
}

fn chmod(path: &CStr, mode: usize) -> Result<usize> {
    sys(g::__NR_fchmodat, [AT, at(path), mode])
}

fn chown(path: &CStr, user: usize, group: usize) -> Result<usize> {
    sys(g::__NR_fchownat, [AT, at(path), user, group, 0])
}

/// Mode, owner and group.
fn owner(path: &CStr) -> Result<(u32, u32, u32)> {
    let mut stat = [0u32; 32];
    sys(g::__NR_newfstatat, [AT, at(path), stat.as_mut_ptr() as usize, 0])?;
    let stat = core::hint::black_box(stat);
    Ok((stat[4] & 0o7777, stat[6], stat[7]))
}

/// Real, effective and saved id of the user.
fn users() -> Result<[u32; 3]> {
    let mut ids = [0u32; 3];
    let [real, effective, saved] = [0, 1, 2].map(|index| &raw mut ids[index] as usize);
    sys(g::__NR_getresuid, [real, effective, saved])?;
    Ok(core::hint::black_box(ids))
}

fn ids_that_are_given_up() -> Outcome {
    check_eq!(users()?, [0, 0, 0]);
    // Put aside, and taken back.
    sys(g::__NR_setresuid, [SAME, USER, SAME])?;
    check_eq!((users()?, sys(g::__NR_geteuid, [])?, sys(g::__NR_getuid, [])?), ([0, 1000, 0], USER, 0));
    check_error!(sys(g::__NR_setgroups, [0, 0]), EPERM);
    check_error!(sys(g::__NR_setresuid, [SAME, 7, SAME]), EPERM);
    sys(g::__NR_setuid, [0])?;
    let groups = [7u32, 8];
    sys(g::__NR_setgroups, [2, groups.as_ptr() as usize])?;
    let mut told = [0u32; 2];
    check_eq!(sys(g::__NR_getgroups, [2, told.as_mut_ptr() as usize])?, 2);
    check_eq!(core::hint::black_box(told), groups);
    check_error!(sys(g::__NR_getgroups, [1, told.as_mut_ptr() as usize]), EINVAL);
    sys(g::__NR_setresgid, [1, 2, 3])?;
    check_eq!((sys(g::__NR_getgid, [])?, sys(g::__NR_getegid, [])?), (1, 2));
    check_error!(sys(g::__NR_setuid, [SAME]), EINVAL);
    sys(g::__NR_setuid, [USER])?;
    check_eq!(users()?, [1000, 1000, 1000]);
    check_error!(sys(g::__NR_setuid, [0]), EPERM);
    check_error!(sys(g::__NR_setreuid, [0, SAME]), EPERM);
    check_error!(sys(g::__NR_setgid, [0]), EPERM);
    sys(g::__NR_setgid, [3])?;
    check_eq!(sys(g::__NR_setfsuid, [0])?, USER);
    check_eq!(sys(g::__NR_setfsuid, [0])?, USER);
    check_eq!(os::in_child(|| i32::from(users() != Ok([1000, 1000, 1000])))?, Status::Exited(0));
    Ok(())
}

fn permissions_of_files() -> Outcome {
    temporary(PATH, b"text")?;
    let tries = || {
        let opened = |flags| as_user(|| open(PATH, flags));
        Ok::<_, Errno>((opened(g::O_RDONLY)?, opened(g::O_WRONLY)?, opened(g::O_RDONLY | g::O_TRUNC)?))
    };
    for (mode, read, write) in
        [(0o600, errno::EACCES, errno::EACCES), (0o644, 0, errno::EACCES), (0o602, errno::EACCES, 0)]
    {
        chmod(PATH, mode)?;
        let (got_read, got_write, _) = tries()?;
        check_eq!((got_read, got_write), (read, write));
    }
    chmod(PATH, 0o644)?;
    check_eq!(tries()?.2, errno::EACCES);
    check_eq!(as_user(|| sys(g::__NR_truncate, [at(PATH), 0]))?, errno::EACCES);
    check_eq!(as_user(|| open(PATH, g::O_PATH))?, 0);
    // The group's bits are for the group, the owner's for the owner alone.
    chmod(PATH, 0o640)?;
    chown(PATH, 0, GROUP)?;
    check_eq!(tries()?.0, 0);
    chown(PATH, USER, 0)?;
    chmod(PATH, 0o077)?;
    check_eq!(tries()?.0, errno::EACCES);
    // What is executed is what may be.
    chmod(PATH, 0o700)?;
    chown(PATH, 0, 0)?;
    check_eq!(as_user(|| Err(refusal(PATH)?))?, errno::EACCES);
    unlink(PATH)?;
    Ok(())
}

fn permissions_of_folders() -> Outcome {
    let _ = unlink(INSIDE);
    let _ = sys(g::__NR_unlinkat, [AT, at(FOLDER), g::AT_REMOVEDIR as usize]);
    sys(g::__NR_mkdirat, [AT, at(FOLDER), 0o755])?;
    temporary(INSIDE, b"")?;
    let tries = || {
        let read = as_user(|| open(FOLDER, g::O_RDONLY | g::O_DIRECTORY))?;
        let reach = as_user(|| open(INSIDE, g::O_RDONLY))?;
        let make = as_user(|| sys(g::__NR_symlinkat, [at(c"x"), AT, at(c"/tmp/vmtests.folder/link")]))?;
        let go = as_user(|| sys(g::__NR_chdir, [at(FOLDER)]))?;
        Ok::<_, Errno>((read, reach, make, go))
    };
    let no = errno::EACCES;
    check_eq!(tries()?, (0, 0, no, 0));
    chmod(FOLDER, 0o711)?;
    check_eq!(tries()?, (no, 0, no, 0));
    chmod(FOLDER, 0o744)?;
    check_eq!(tries()?, (0, no, no, no));
    chmod(FOLDER, 0o777)?;
    check_eq!(tries()?, (0, 0, 0, 0));
    check_eq!(owner(c"/tmp/vmtests.folder")?, (0o777, 0, 0));
    check_eq!(as_user(|| unlink(INSIDE))?, 0);
    unlink(c"/tmp/vmtests.folder/link")?;
    sys(g::__NR_unlinkat, [AT, at(FOLDER), g::AT_REMOVEDIR as usize])?;
    Ok(())
}

fn names_in_a_sticky_folder() -> Outcome {
    temporary(PATH, b"")?;
    chmod(PATH, 0o666)?;
    // /tmp is everybody's, and each keeps what is his own.
    check_eq!(as_user(|| unlink(PATH))?, errno::EPERM);
    let rename = |from: &CStr, to: &CStr| sys(g::__NR_renameat2, [AT, at(from), AT, at(to), 0]);
    check_eq!(as_user(|| rename(PATH, c"/tmp/vmtests.other"))?, errno::EPERM);
    const OWN: &CStr = c"/tmp/vmtests.own";
    check_eq!(as_user(|| open(OWN, g::O_WRONLY | g::O_CREAT))?, 0);
    check_eq!(owner(OWN)?, (0o644, 1000, 2000));
    check_eq!(as_user(|| rename(OWN, PATH))?, errno::EPERM);
    check_eq!(as_user(|| rename(OWN, c"/tmp/vmtests.other"))?, 0);
    check_eq!(as_user(|| unlink(c"/tmp/vmtests.other"))?, 0);
    unlink(PATH)?;
    Ok(())
}

fn access_times_are_the_owners() -> Outcome {
    temporary(PATH, b"text")?;
    chmod(PATH, 0o644)?;
    let opened = || open(PATH, g::O_RDONLY | g::O_NOATIME);
    let fd = opened()?;
    let flags = |fd: usize| sys(g::__NR_fcntl, [fd, g::F_GETFL as usize, 0]);
    let set = |fd: usize, flags: u32| sys(g::__NR_fcntl, [fd, g::F_SETFL as usize, flags as usize]);
    check!(flags(fd)? & g::O_NOATIME as usize != 0);
    set(fd, 0)?;
    check!(flags(fd)? & g::O_NOATIME as usize == 0);
    check_eq!(as_user(opened)?, errno::EPERM);
    check_eq!(as_user(|| set(fd, g::O_NOATIME))?, errno::EPERM);
    // What is set already may stay, and a name is no use of the file.
    set(fd, g::O_NOATIME)?;
    check_eq!(as_user(|| set(fd, g::O_NOATIME))?, 0);
    check_eq!(as_user(|| open(PATH, g::O_PATH | g::O_NOATIME))?, 0);
    let name = open(PATH, g::O_PATH | g::O_NOATIME | g::O_APPEND | g::O_RDWR)?;
    check_eq!(flags(name)?, g::O_PATH as usize);
    // What may not be read is that first.
    chmod(PATH, 0o600)?;
    check_eq!(as_user(opened)?, errno::EACCES);
    chown(PATH, USER, GROUP)?;
    check_eq!(as_user(opened)?, 0);
    unlink(PATH)?;
    Ok(())
}

fn owners_and_modes() -> Outcome {
    temporary(PATH, b"")?;
    let times = |times: usize| as_user(|| sys(g::__NR_utimensat, [AT, at(PATH), times, 0]));
    let some = [5u64, 0, 6, 0];
    // Nothing to do is nothing to forbid, and no reason to look for the file.
    let omit = [0, u64::from(g::UTIME_OMIT), 0, u64::from(g::UTIME_OMIT)];
    let omit = omit.as_ptr() as usize;
    check_eq!((times(omit)?, as_user(|| chown(PATH, SAME, SAME))?), (0, 0));
    check_eq!(sys(g::__NR_utimensat, [AT, at(c"/tmp/vmtests.nowhere"), omit, 0])?, 0);
    check_eq!(as_user(|| chmod(PATH, 0o777))?, errno::EPERM);
    check_eq!(as_user(|| chown(PATH, USER, GROUP))?, errno::EPERM);
    check_eq!((times(0)?, times(some.as_ptr() as usize)?), (errno::EACCES, errno::EPERM));
    chmod(PATH, 0o666)?;
    check_eq!((times(0)?, times(some.as_ptr() as usize)?), (0, errno::EPERM));
    chown(PATH, USER, 7)?;
    check_eq!((times(0)?, times(some.as_ptr() as usize)?), (0, 0));
    check_eq!(as_user(|| chmod(PATH, 0o6755))?, 0);
    check_eq!(owner(PATH)?, (0o4755, 1000, 7)); // not of the file's group
    check_eq!(as_user(|| chown(PATH, 0, SAME))?, errno::EPERM);
    check_eq!(as_user(|| chown(PATH, SAME, 8))?, errno::EPERM);
    check_eq!(as_user(|| chown(PATH, SAME, GROUP))?, 0);
    check_eq!(owner(PATH)?, (0o755, 1000, 2000));
    unlink(PATH)?;
    Ok(())
}

fn set_ids_end_with_a_change() -> Outcome {
    temporary(PATH, b"text")?;
    type Change = fn() -> Result<usize>;
    let changes: [Change; 7] = [
        || sys(g::__NR_write, [open(PATH, g::O_WRONLY)?, at(c"x"), 1]),
        || sys(g::__NR_pwrite64, [open(PATH, g::O_WRONLY)?, at(c"x"), 1, 2]),
        || sys(g::__NR_ftruncate, [open(PATH, g::O_WRONLY)?, 3]),
        || sys(g::__NR_truncate, [at(PATH), 3]),
        || sys(g::__NR_fallocate, [open(PATH, g::O_WRONLY)?, 0, 0, 1]),
        || open(PATH, g::O_WRONLY | g::O_TRUNC),
        || sys(g::__NR_fchownat, [AT, at(PATH), SAME, SAME, 0]),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        // A stranger, but for chown, which only the owner may.
        chown(PATH, if index == 6 { USER } else { 0 }, GROUP)?;
        for (mode, left) in [(0o6777, 0o777), (0o2767, 0o2767), (0o7666, 0o3666)] {
            chmod(PATH, mode)?;
            check_eq!((as_user(change)?, owner(PATH)?.0), (0, left));
        }
        chown(PATH, if index == 6 { USER } else { 0 }, 7)?;
        chmod(PATH, 0o2767)?;
        check_eq!((as_user(change)?, owner(PATH)?.0), (0, 0o767));
        // Root may leave them, but for chown.
        chmod(PATH, 0o6777)?;
        change()?;
        check_eq!(owner(PATH)?.0, if index == 6 { 0o777 } else { 0o6777 });
    }
    // What changes nothing takes nothing.
    chmod(PATH, 0o6777)?;
    check_eq!(as_user(|| sys(g::__NR_write, [open(PATH, g::O_WRONLY)?, at(c""), 0]))?, 0);
    check_eq!(owner(PATH)?.0, 0o6777);
    unlink(PATH)?;
    Ok(())
}

fn set_ids_of_new_names() -> Outcome {
    const INNER: &CStr = c"/tmp/vmtests.folder/inner";
    sys(g::__NR_umask, [0])?;
    let _ = unlink(INSIDE);
    let _ = sys(g::__NR_unlinkat, [AT, at(FOLDER), g::AT_REMOVEDIR as usize]);
    sys(g::__NR_mkdirat, [AT, at(FOLDER), 0o7777])?;
    check_eq!(owner(FOLDER)?.0, 0o1777);
    chmod(FOLDER, 0o2777)?;
    let made = |mode: u32| {
        let flags = g::O_CREAT | g::O_EXCL | g::O_WRONLY | g::O_TRUNC;
        let answer = as_user(|| os::open(INSIDE, flags, mode).map(|fd| fd as usize))?;
        let inside = owner(INSIDE);
        unlink(INSIDE)?;
        Ok::<_, Errno>((answer, inside?))
    };
    // The folder's group is another's, then its own.
    chown(FOLDER, 0, 7)?;
    check_eq!(made(0o6770)?, (0, (0o4770, 1000, 7)));
    check_eq!(made(0o2760)?, (0, (0o2760, 1000, 7)));
    chown(FOLDER, 0, GROUP)?;
    check_eq!(made(0o6770)?, (0, (0o6770, 1000, 2000)));
    check_eq!(as_user(|| sys(g::__NR_mkdirat, [AT, at(INNER), 0o4755]))?, 0);
    check_eq!(owner(INNER)?, (0o2755, 1000, 2000));
    sys(g::__NR_unlinkat, [AT, at(INNER), g::AT_REMOVEDIR as usize])?;
    sys(g::__NR_unlinkat, [AT, at(FOLDER), g::AT_REMOVEDIR as usize])?;
    Ok(())
}

fn access_by_real_ids() -> Outcome {
    temporary(PATH, b"")?;
    chmod(PATH, 0o600)?;
    let ask = |mode: u32| sys(g::__NR_faccessat, [AT, at(PATH), mode as usize]);
    let ask_effective =
        |mode: u32| sys(g::__NR_faccessat2, [AT, at(PATH), mode as usize, g::AT_EACCESS as usize]);
    check_eq!((ask(g::R_OK)?, ask_effective(g::R_OK | g::W_OK)?), (0, 0));
    sys(g::__NR_setresuid, [SAME, USER, SAME])?;
    check_eq!(ask(g::R_OK | g::W_OK)?, 0);
    check_error!(ask_effective(g::R_OK), EACCES);
    sys(g::__NR_setresuid, [SAME, 0, SAME])?;
    sys(g::__NR_setresuid, [USER, SAME, SAME])?;
    check_error!(ask(g::R_OK), EACCES);
    check_eq!(ask_effective(g::R_OK)?, 0);
    unlink(PATH)?;
    Ok(())
}

fn names_only_take_no_change() -> Outcome {
    temporary(PATH, b"")?;
    let name = open(PATH, g::O_PATH)?;
    check_error!(sys(g::__NR_fchmod, [name, 0o600]), EBADF);
    check_error!(sys(g::__NR_fchown, [name, 0, 0]), EBADF);
    check_error!(sys(g::__NR_fcntl, [name, g::F_SETFL as usize, 0]), EBADF);
    // One number twice is an error before it is looked at.
    check_error!(sys(g::__NR_dup3, [99, 99, 0]), EINVAL);
    unlink(PATH)?;
    Ok(())
}

/// The text of a file of `/proc`.
pub fn text<'a>(path: &CStr, into: &'a mut [u8]) -> Result<&'a [u8]> {
    let fd = os::open(path, g::O_RDONLY, 0)?;
    let mut len = 0;
    loop {
        match os::read(fd, &mut into[len..])? {
            0 => break,
            count => len += count,
        }
    }
    os::close(fd)?;
    Ok(&into[..len])
}

fn memory_as_a_file() -> Outcome {
    let mem = open(c"/proc/self/mem", g::O_RDWR)?;
    let page = map(2, READ_WRITE)?;
    munmap(page + PAGE_SIZE, PAGE_SIZE)?;
    poke(page + PAGE_SIZE - 1, 5);
    let mut bytes = [0u8; 4];
    let read = |bytes: &mut [u8], from: usize| {
        sys(g::__NR_pread64, [mem, bytes.as_mut_ptr() as usize, bytes.len(), from])
    };
    check_eq!(read(&mut bytes, page + PAGE_SIZE - 2)?, 2);
    check_eq!(bytes, [0, 5, 0, 0]);
    check_error!(read(&mut bytes, page + PAGE_SIZE), EIO);
    check_error!(os::lseek(mem as i32, 0, g::SEEK_END), EINVAL);
    check_eq!(sys(g::__NR_pwrite64, [mem, b"xy".as_ptr() as usize, 2, page])?, 2);
    check_eq!((peek(page), peek(page + 1)), (b'x', b'y'));
    Ok(())
}

fn pages_as_a_file() -> Outcome {
    let pagemap = open(c"/proc/self/pagemap", g::O_RDONLY)?;
    let page = map(2, READ_WRITE)?;
    poke(page + PAGE_SIZE, 5);
    let mut entries = [0u64; 2];
    let at = page / PAGE_SIZE * 8;
    check_eq!(sys(g::__NR_pread64, [pagemap, entries.as_mut_ptr() as usize, 16, at])?, 16);
    let entries = core::hint::black_box(entries);
    // Present, exclusively mapped, no file's, and somewhere.
    check_eq!(entries[0], 0);
    check_eq!(entries[1] >> 55 & 0b1_0100_0011, 0b1_0000_0010);
    check!(entries[1] & ((1 << 55) - 1) != 0);
    check_error!(sys(g::__NR_pread64, [pagemap, page, 8, 4]), EINVAL);
    check_error!(open(c"/proc/self/pagemap", g::O_RDWR), EACCES);
    Ok(())
}

fn memory_in_numbers() -> Outcome {
    let page = map(40, READ_WRITE)?;
    (0..30).for_each(|index| poke(page + index * PAGE_SIZE, 5));
    let mut buffer = [0; 16 << 10];
    let smaps = text(c"/proc/self/smaps", &mut buffer)?;
    let found = |line: &[u8]| smaps.windows(line.len()).any(|window| window == line);
    check!(found(b"Rss:                 120 kB\n") && found(b"Private_Dirty:       120 kB\n"));
    check!(found(b"Size:                160 kB\n") && found(b"[stack]\nSize:"));
    Ok(())
}

/// What a line of `/proc/self/status` says.
fn status(line: &[u8]) -> Result<usize> {
    let mut buffer = [0; 4 << 10];
    Ok(crate::locked::number(text(c"/proc/self/status", &mut buffer)?, line))
}

fn sizes_in_words() -> Outcome {
    const LEN: usize = 64 * PAGE_SIZE;
    let map = |flags: u32| -> Result<(usize, [usize; 3])> {
        let before = (status(b"VmSize:")?, status(b"VmData:")?, status(b"VmStk:")?);
        let at = crate::memory::mmap(0, LEN, READ_WRITE, g::MAP_ANONYMOUS | flags, -1, 0)?;
        let after = (status(b"VmSize:")?, status(b"VmData:")?, status(b"VmStk:")?);
        Ok((at, [after.0 - before.0, after.1 - before.1, after.2 - before.2]))
    };
    let kib = LEN / 1024;
    check_eq!(map(g::MAP_SHARED)?.1, [kib, 0, 0]);
    check_eq!(map(g::MAP_PRIVATE | g::MAP_GROWSDOWN)?.1, [kib, 0, kib]);
    let (at, grown) = map(g::MAP_PRIVATE)?;
    check_eq!(grown, [kib, kib, 0]);
    check_eq!(status(b"VmPeak:")?, status(b"VmSize:")?);
    munmap(at, LEN)?;
    check_eq!(status(b"VmPeak:")?, status(b"VmSize:")? + kib);
    // A child begins anew.
    let peak = || -> Result<usize> { Ok(status(b"VmPeak:")? - status(b"VmSize:")?) };
    check_eq!(os::in_child(|| peak().map_or(1, |kib| kib as i32))?, Status::Exited(0));
    Ok(())
}

/// A page of zeros that was only read counts as nobody's memory.
fn zeros_are_nobodys() -> Outcome {
    let at = map(8, READ_WRITE)?;
    let pagemap = open(c"/proc/self/pagemap", g::O_RDONLY)?;
    let entry = |page: usize| -> Result<u64> {
        let mut entry = 0u64;
        sys(g::__NR_pread64, [pagemap, &raw mut entry as usize, 8, (at / PAGE_SIZE + page) * 8])?;
        Ok(core::hint::black_box(entry))
    };
    poke(at, 1);
    check_eq!((peek(at) & 0xff, peek(at + 8)), (1, 0));
    let look = || -> Result<(usize, usize)> { Ok((status(b"VmRSS:")?, status(b"RssAnon:")?)) };
    // Before, when two pages have been read, and when one of them has been written.
    let round = |page: usize| -> Result<[(usize, usize); 3]> {
        let before = look()?;
        let sum = peek(at + page * PAGE_SIZE) + peek(at + (page + 1) * PAGE_SIZE);
        let read = look()?;
        poke(at + page * PAGE_SIZE, sum + 1);
        Ok([before, read, look()?])
    };
    // Once to no purpose: what looking itself needs is there from now on.
    round(1)?;
    let [before, read, written] = round(3)?;
    check!(before >= (8, 4) && entry(0)? != 0);
    check_eq!(read, before);
    check_eq!(written, (before.0 + 4, before.1 + 4));
    check_eq!((entry(0)? >> 56, entry(4)? >> 56), (0b1000_0001, 0b1000_0000));
    let mut buffer = [0; 16 << 10];
    let smaps = text(c"/proc/self/smaps", &mut buffer)?;
    let found = |line: &[u8]| smaps.windows(line.len()).any(|window| window == line);
    check!(found(b"Size:                 32 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:                  12 kB\n"));
    Ok(())
}

fn signals_in_words() -> Outcome {
    let usr1 = 1u64 << (g::SIGUSR1 - 1);
    let usr2 = 1u64 << (g::SIGUSR2 - 1);
    let blocked = usr1 | usr2;
    sys(g::__NR_rt_sigprocmask, [g::SIG_BLOCK as usize, &raw const blocked as usize, 0, 8])?;
    os::kill(os::getpid(), g::SIGUSR1)?;
    let this = os::getpid() as usize;
    sys(g::__NR_tgkill, [this, this, g::SIGUSR2 as usize])?;
    let mut buffer = [0; 4 << 10];
    let status = text(c"/proc/self/status", &mut buffer)?;
    let found = |line: &[u8]| status.windows(line.len()).any(|window| window == line);
    check!(found(b"\nSigPnd:\t0000000000000800\nShdPnd:\t0000000000000200\n"));
    check!(found(b"\nCapInh:\t0000000000000000\n") && found(b"\nSeccomp:\t0\n"));
    Ok(())
}

/// A line of `maps` is one line, whatever a file is called.
fn name_over_two_lines() -> Outcome {
    const NAME: &CStr = c"/tmp/vmtests\nusers\\";
    let file = temporary(NAME, b"text")?;
    crate::memory::mmap(0, PAGE_SIZE, g::PROT_READ, g::MAP_PRIVATE, file, 0)?;
    let mut buffer = [0; 16 << 10];
    let maps = text(c"/proc/self/maps", &mut buffer)?;
    let found = |line: &[u8]| maps.windows(line.len()).any(|window| window == line);
    check!(found(b" /tmp/vmtests\\012users\\\n"));
    unlink(NAME)?;
    Ok(())
}

fn shared_memory_is_a_file() -> Outcome {
    crate::memory::mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    let mut buffer = [0; 16 << 10];
    let maps = text(c"/proc/self/maps", &mut buffer)?;
    let line = maps.split(|&byte| byte == b'\n').find(|line| line.ends_with(b" /dev/zero (deleted)"));
    check!(line.is_some());
    // Its fifth word is the number.
    let number = line.and_then(|line| line.split(|&byte| byte == b' ').nth(4));
    check!(number.is_some_and(|number| number != b"0"));
    Ok(())
}

/// There are not even dots in it.
fn folder_that_has_gone() -> Outcome {
    const GONE: &CStr = c"/tmp/vmtests.gone";
    sys(g::__NR_mkdirat, [AT, at(GONE), 0o755])?;
    let folder = open(GONE, g::O_RDONLY | g::O_DIRECTORY)?;
    sys(g::__NR_unlinkat, [AT, at(GONE), 0x200])?;
    let mut entries = [0u64; 32];
    check_error!(sys(g::__NR_getdents64, [folder, entries.as_mut_ptr() as usize, 256]), ENOENT);
    Ok(())
}

fn limits_in_words() -> Outcome {
    let limit = [100u64, 200];
    sys(g::__NR_setrlimit, [g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize])?;
    let mut buffer = [0; 4 << 10];
    let limits = text(c"/proc/self/limits", &mut buffer)?;
    let line = b"Max open files            100                  200                  files     \n";
    check!(limits.windows(line.len()).any(|window| window == line));
    check!(
        limits
            .starts_with(b"Limit                     Soft Limit           Hard Limit           Units     \n")
    );
    Ok(())
}

fn memory_past_its_protection() -> Outcome {
    let mem = open(c"/proc/self/mem", g::O_RDWR)?;
    let write = |at: usize, byte: u8| sys(g::__NR_pwrite64, [mem, [byte].as_ptr() as usize, 1, at]);
    let read = |at: usize| {
        let mut byte = [0u8];
        sys(g::__NR_pread64, [mem, byte.as_mut_ptr() as usize, 1, at]).map(|_| core::hint::black_box(byte)[0])
    };
    // Private pages, of memory and of a file, that nobody may write: touched before, and not.
    let file = temporary(PATH, &[7; 2 * PAGE_SIZE])?;
    let shown = crate::memory::mmap(0, 2 * PAGE_SIZE, g::PROT_READ, g::MAP_PRIVATE, file, 0)?;
    let anonymous = map(2, g::PROT_READ)?;
    check_eq!((peek(shown), peek(anonymous)), (7, 0));
    for at in [shown, shown + PAGE_SIZE, anonymous, anonymous + PAGE_SIZE] {
        write(at + 5, 9)?;
        check_eq!(
            (peek(at + 5), peek(at + 4)),
            (9, if at < shown || at >= shown + 2 * PAGE_SIZE { 0 } else { 7 })
        );
        // It is as protected as before.
        check_eq!(crate::memory::child(|| poke(at, 1))?, Status::Signaled(g::SIGSEGV));
        write(at + 6, 8)?;
        check_eq!((peek(at + 5), peek(at + 6)), (9, 8));
    }
    // The file has nothing of it, and a child's copy is its own.
    let mut byte = [0];
    os::lseek(file, 5, g::SEEK_SET)?;
    os::read(file, &mut byte)?;
    check_eq!(byte[0], 7);
    check_eq!(
        os::in_child(|| i32::from(
            open(c"/proc/self/mem", g::O_RDWR)
                .and_then(|mem| { sys(g::__NR_pwrite64, [mem, [1u8].as_ptr() as usize, 1, anonymous]) })
                != Ok(1)
                || peek(anonymous) != 1
        ))?,
        Status::Exited(0)
    );
    check_eq!(peek(anonymous), 0);
    // Text: the program goes on with what is there now.
    let page = map(1, READ_WRITE)?;
    poke(page, 0x82); // ret
    poke(page + 1, 0x80);
    crate::memory::mprotect(page, 1, g::PROT_READ | g::PROT_EXEC)?;
    crate::raw::jump(page);
    write(page, 0)?;
    write(page + 1, 0)?;
    check_eq!(crate::memory::child(|| crate::raw::jump(page))?, Status::Signaled(g::SIGILL));
    // Without any right it can be read, too, and written.
    let hidden = map(2, READ_WRITE)?;
    poke(hidden, 4);
    crate::memory::mprotect(hidden, 2, g::PROT_NONE)?;
    check_eq!((read(hidden)?, read(hidden + PAGE_SIZE)?), (4, 0));
    write(hidden, 5)?;
    check_eq!(read(hidden)?, 5);
    check_eq!(crate::memory::child(|| peek(hidden))?, Status::Signaled(g::SIGSEGV));
    // Others would see it in a shared one.
    let shared = crate::memory::mmap(0, PAGE_SIZE, g::PROT_READ, g::MAP_SHARED, file, 0)?;
    check_error!(write(shared, 1), EIO);
    unlink(PATH)?;
    Ok(())
}

fn facts_of_a_process() -> Outcome {
    let mut buffer = [0; 4 << 10];
    let auxv = text(c"/proc/self/auxv", &mut buffer)?;
    check!(auxv.len() % 16 == 0 && auxv.ends_with(&[0; 16]));
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    let entry = |kind: u32| {
        auxv.chunks(16).find(|pair| word(&pair[..8]) == u64::from(kind)).map(|pair| word(&pair[8..]))
    };
    check_eq!(entry(rt::abi::auxvec::AT_PAGESZ), Some(4096));
    check_eq!(entry(rt::abi::auxvec::AT_EXECFN), Some(crate::program() as u64));
    let counts = || -> Result<[usize; 5]> {
        let mut buffer = [0; 256];
        let io = text(c"/proc/self/io", &mut buffer)?;
        let mut counts = [0; 5];
        for (count, line) in counts.iter_mut().zip(io.split(|&byte| byte == b'\n')) {
            let digits = line.iter().filter(|byte| byte.is_ascii_digit());
            *count = digits.fold(0, |sum, &digit| sum * 10 + usize::from(digit - b'0'));
        }
        Ok(counts)
    };
    let file = temporary(PATH, b"some text")?;
    let before = counts()?;
    os::lseek(file, 0, g::SEEK_SET)?;
    os::read(file, &mut [0; 4])?;
    os::write(file, b"more than that")?;
    let after = counts()?;
    // The list itself was read in two calls, the second of which found its end.
    let own = after[0] - before[0] - 4;
    check!(own > 60 && own < 200);
    check_eq!((after[1] - before[1], after[2] - before[2], after[3] - before[3]), (14, 3, 1));
    for (path, is_right) in [
        (
            c"/proc/self/oom_score",
            &(|text: &[u8]| text.starts_with(b"6") && text.len() == 4) as &dyn Fn(&[u8]) -> bool,
        ),
        (c"/proc/self/oom_score_adj", &|text: &[u8]| text == b"0\n"),
        (c"/proc/self/wchan", &|text: &[u8]| text == b"0"),
    ] {
        check!(is_right(text(path, &mut buffer)?));
    }
    unlink(PATH)?;
    Ok(())
}
