//! Files by their descriptors: what `/proc` calls those that lose their names, descriptors that are opened anew, holes and data, and
//! offsets that are no places.

use core::ffi::CStr;

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::{READ_WRITE, map, mmap, munmap, temporary};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    names_of_deleted_files, descriptors_are_opened_anew, folders_are_not_created,
    only_names_are_open, data_and_holes, @Kernel allocated_before_use, @Kernel allocation_errors,
    holes_are_punched, offsets_have_an_end, @Kernel resident_pages,
}

const PATH: &CStr = c"/dev/shm/vmtests.nameless";

/// `/proc/self/fd/FD`, ended by NUL.
fn of_descriptor(fd: i32) -> [u8; 32] {
    let mut path = [0; 32];
    path[..14].copy_from_slice(b"/proc/self/fd/");
    let digits = if fd < 10 { 1 } else { 2 };
    path[14] = b'0' + (if fd < 10 { fd } else { fd / 10 }) as u8;
    path[15] = if digits == 1 { 0 } else { b'0' + (fd % 10) as u8 };
    path
}

fn memfd() -> Result<i32> {
    sys(g::__NR_memfd_create, [c"nameless".as_ptr() as usize, 0]).map(|fd| fd as i32)
}

fn size(fd: i32) -> Result<usize> {
    os::lseek(fd, 0, g::SEEK_END)
}

fn truncate(fd: i32, len: usize) -> Result<usize> {
    sys(g::__NR_ftruncate, [fd as usize, len])
}

fn write_at(fd: i32, bytes: &[u8], offset: usize) -> Result<usize> {
    sys(g::__NR_pwrite64, [fd as usize, bytes.as_ptr() as usize, bytes.len(), offset])
}

fn at_cwd() -> usize {
    (g::AT_FDCWD as isize).cast_unsigned()
}

fn link_of<'a>(fd: i32, target: &'a mut [u8]) -> Result<&'a [u8]> {
    let path = of_descriptor(fd);
    let arguments = [at_cwd(), path.as_ptr() as usize, target.as_mut_ptr() as usize, target.len()];
    let len = sys(g::__NR_readlinkat, arguments)?;
    Ok(&core::hint::black_box(target)[..len])
}

/// Whether `/proc/self/maps` has this text.
fn is_in_maps(text: &[u8]) -> Result<bool> {
    let fd = os::open(c"/proc/self/maps", g::O_RDONLY, 0)?;
    let mut maps = [0; 8192];
    let mut len = 0;
    loop {
        match os::read(fd, &mut maps[len..])? {
            0 => break,
            count => len += count,
        }
    }
    os::close(fd)?;
    Ok(maps[..len].windows(text.len()).any(|window| window == text))
}

fn names_of_deleted_files() -> Outcome {
    let fd = temporary(PATH, b"text")?;
    let mut target = [0; 64];
    let path = PATH.to_bytes();
    check_eq!(link_of(fd, &mut target)?, path);
    let at = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED, fd, 0)?;
    check!(is_in_maps(b" /dev/shm/vmtests.nameless\n")?);
    unlink(PATH)?;
    check_eq!(link_of(fd, &mut target)?, b"/dev/shm/vmtests.nameless (deleted)");
    check!(is_in_maps(b" /dev/shm/vmtests.nameless (deleted)\n")?);
    munmap(at, PAGE_SIZE)?;
    Ok(())
}

/// Opens, cuts and looks at `fd` by its name in `/proc`.
fn open_anew(fd: i32) -> Outcome {
    let path = of_descriptor(fd);
    let by_path = |flags: u32| sys(g::__NR_openat, [at_cwd(), path.as_ptr() as usize, flags as usize, 0]);
    os::lseek(fd, 2, g::SEEK_SET)?;
    let reader = by_path(g::O_RDONLY)? as i32;
    let mut bytes = [0; 8];
    // An offset and an access mode of its own.
    check_eq!(os::read(reader, &mut bytes)?, 4);
    check_eq!(&bytes[..4], b"text");
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 2);
    check_error!(os::write(reader, b"x"), EBADF);
    check_eq!(sys(g::__NR_truncate, [path.as_ptr() as usize, 5000])?, 0);
    check_eq!(size(reader)?, 5000);
    let mut stat = [0u64; 16];
    sys(g::__NR_newfstatat, [at_cwd(), path.as_ptr() as usize, stat.as_mut_ptr() as usize, 0])?;
    check_eq!(core::hint::black_box(&stat)[6], 5000);
    let writer = by_path(g::O_WRONLY | g::O_TRUNC)? as i32;
    check_eq!(size(reader)?, 0);
    check_eq!(os::write(writer, b"!")?, 1);
    check_eq!(size(fd)?, 1);
    os::close(reader)?;
    os::close(writer)?;
    Ok(())
}

fn descriptors_are_opened_anew() -> Outcome {
    let fd = memfd()?;
    os::write(fd, b"text")?;
    open_anew(fd)?;
    let fd = temporary(PATH, b"text")?;
    unlink(PATH)?;
    // Another file that has its name since then is another file.
    let other = temporary(PATH, b"other")?;
    open_anew(fd)?;
    check_eq!(size(other)?, 5);
    unlink(PATH)?;
    Ok(())
}

fn folders_are_not_created() -> Outcome {
    let create = |path: &CStr, flags: u32| os::open(path, g::O_CREAT | flags, 0o600);
    check_error!(create(c"/dev/shm/", g::O_EXCL), EISDIR);
    check_error!(create(c"/dev/shm/vmtests.none/", 0), EISDIR);
    check_error!(create(c"/dev/shm/.", g::O_EXCL), EEXIST);
    Ok(())
}

fn only_names_are_open() -> Outcome {
    temporary(PATH, b"text")?;
    let fd = os::open(PATH, g::O_PATH, 0)?;
    check_error!(truncate(fd, 0), EBADF);
    check_error!(mmap(0, PAGE_SIZE, g::PROT_READ, g::MAP_SHARED, fd, 0), EBADF);
    check_error!(sys(g::__NR_fsync, [fd as usize]), EBADF);
    check_error!(sys(g::__NR_fallocate, [fd as usize, 0, 0, 1]), EBADF);
    unlink(PATH)?;
    Ok(())
}

fn data_and_holes() -> Outcome {
    let fd = memfd()?;
    check_error!(os::lseek(fd, 0, g::SEEK_DATA), ENXIO);
    truncate(fd, 5 * PAGE_SIZE + 1)?;
    write_at(fd, b"x", 2 * PAGE_SIZE + 7)?;
    let end = 5 * PAGE_SIZE + 1;
    for (offset, data, hole) in [
        (0, Some(2 * PAGE_SIZE), 0),
        (PAGE_SIZE + 1, Some(2 * PAGE_SIZE), PAGE_SIZE + 1),
        (2 * PAGE_SIZE + 9, Some(2 * PAGE_SIZE + 9), 3 * PAGE_SIZE),
        (3 * PAGE_SIZE, None, 3 * PAGE_SIZE),
    ] {
        match data {
            Some(data) => {
                check_eq!(os::lseek(fd, offset as i64, g::SEEK_DATA)?, data);
                check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, data);
            }
            None => {
                check_error!(os::lseek(fd, offset as i64, g::SEEK_DATA), ENXIO);
            }
        }
        check_eq!(os::lseek(fd, offset as i64, g::SEEK_HOLE)?, hole);
    }
    check_error!(os::lseek(fd, end as i64, g::SEEK_HOLE), ENXIO);
    check_error!(os::lseek(fd, -1, g::SEEK_DATA), ENXIO);
    check_error!(os::lseek(os::pipe(0)?.0, 0, g::SEEK_DATA), ESPIPE);
    write_at(fd, b"x", end - 1)?;
    check_eq!(os::lseek(fd, end as i64 - 1, g::SEEK_HOLE)?, end);
    Ok(())
}

fn fallocate(fd: i32, mode: u32, offset: usize, len: usize) -> Result<usize> {
    sys(g::__NR_fallocate, [fd as usize, mode as usize, offset, len])
}

fn kibibytes_of(fd: i32) -> Result<u64> {
    let mut stat = [0u64; 16];
    sys(g::__NR_fstat, [fd as usize, stat.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(&stat)[8] / 2)
}

fn allocated_before_use() -> Outcome {
    let fd = memfd()?;
    let kibibytes = || kibibytes_of(fd);
    write_at(fd, b"text", 0)?;
    check_eq!(fallocate(fd, g::FALLOC_FL_ALLOCATE_RANGE, PAGE_SIZE, PAGE_SIZE + 1)?, 0);
    check_eq!((size(fd)?, kibibytes()?), (2 * PAGE_SIZE + 1, 12));
    check_eq!(fallocate(fd, g::FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE_SIZE)?, 0);
    check_eq!((size(fd)?, kibibytes()?), (2 * PAGE_SIZE + 1, 12));
    Ok(())
}

fn holes_are_punched() -> Outcome {
    let fd = memfd()?;
    truncate(fd, 4 * PAGE_SIZE)?;
    let map = |flags: u32| mmap(0, 4 * PAGE_SIZE, READ_WRITE, flags, fd, 0);
    let (shared, private) = (map(g::MAP_SHARED)?, map(g::MAP_PRIVATE)?);
    (0..4).for_each(|page| poke(shared + page * PAGE_SIZE, 1));
    // The private mapping has a copy of one page of the hole, and shows the other one.
    poke(private + 2 * PAGE_SIZE, 2);
    check_eq!((peek(private + PAGE_SIZE), kibibytes_of(fd)?), (1, 16));
    let punch = g::FALLOC_FL_PUNCH_HOLE | g::FALLOC_FL_KEEP_SIZE;
    check_eq!(fallocate(fd, punch, 1, 3 * PAGE_SIZE)?, 0);
    check_eq!((size(fd)?, kibibytes_of(fd)?), (4 * PAGE_SIZE, 8));
    check_eq!(os::lseek(fd, 1, g::SEEK_HOLE)?, PAGE_SIZE);
    check_eq!(os::lseek(fd, PAGE_SIZE as i64, g::SEEK_DATA)?, 3 * PAGE_SIZE);
    let seen = |at: usize| [0, 1, 2, 3].map(|page| peek(at + page * PAGE_SIZE));
    check_eq!(seen(private), [1, 0, 2, 0]);
    check_eq!(seen(shared), [1, 0, 0, 0]);
    poke(shared + PAGE_SIZE, 5);
    check_eq!(peek(private + PAGE_SIZE), 5);
    // Beside the hole all is as it was; one past the end is none.
    poke(shared + PAGE_SIZE + 1, 6);
    poke(shared + PAGE_SIZE + 3, 6);
    check_eq!(fallocate(fd, punch, PAGE_SIZE + 1, 2)?, 0);
    check_eq!(fallocate(fd, punch, 9 * PAGE_SIZE, PAGE_SIZE)?, 0);
    check_eq!([0, 1, 2, 3].map(|byte| peek(shared + PAGE_SIZE + byte)), [5, 0, 0, 6]);
    check_eq!(size(fd)?, 4 * PAGE_SIZE);
    munmap(shared, 4 * PAGE_SIZE)?;
    munmap(private, 4 * PAGE_SIZE)?;
    Ok(())
}

fn allocation_errors() -> Outcome {
    let fd = memfd()?;
    check_error!(fallocate(fd, 0, 0, 0), EINVAL);
    check_error!(fallocate(fd, 0, usize::MAX, 1), EINVAL);
    check_error!(fallocate(fd, 0, isize::MAX as usize, 1), EFBIG);
    check_error!(fallocate(fd, g::FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
    check_error!(fallocate(fd, g::FALLOC_FL_COLLAPSE_RANGE, 0, PAGE_SIZE), EOPNOTSUPP);
    check_error!(fallocate(fd, 1 << 30, 0, PAGE_SIZE), EOPNOTSUPP);
    check_error!(
        fallocate(fd, g::FALLOC_FL_PUNCH_HOLE | g::FALLOC_FL_KEEP_SIZE, isize::MAX as usize, 1),
        EFBIG
    );
    // More than the file system has takes nothing.
    let file = temporary(PATH, b"")?;
    let mut statfs = [0usize; 15];
    sys(g::__NR_fstatfs, [file as usize, statfs.as_mut_ptr() as usize])?;
    let blocks = core::hint::black_box(&statfs)[2];
    check!(blocks > 0);
    check_error!(fallocate(file, 0, 0, (blocks + 1) * PAGE_SIZE), ENOSPC);
    check_eq!(size(file)?, 0);
    unlink(PATH)?;
    let (reader, writer) = os::pipe(0)?;
    check_error!(fallocate(writer, 0, 0, 1), ESPIPE);
    check_error!(fallocate(reader, 0, 0, 1), EBADF);
    let reader = os::open(c"/proc/self/exe", g::O_RDONLY, 0)?;
    check_error!(fallocate(reader, 0, 0, 1), EBADF);
    Ok(())
}

fn offsets_have_an_end() -> Outcome {
    let fd = memfd()?;
    let far = 1 << 41;
    check_eq!(write_at(fd, b"x", far)?, 1);
    check_eq!(size(fd)?, far + 1);
    let last = isize::MAX as usize;
    check_error!(write_at(fd, b"abc", last - 1), EINVAL);
    check_error!(write_at(fd, b"abc", last), EINVAL);
    let mut bytes = [0; 3];
    os::lseek(fd, last as i64 - 1, g::SEEK_SET)?;
    check_error!(os::read(fd, &mut bytes), EINVAL);
    check_error!(os::write(fd, b"ab"), EINVAL);
    check_eq!(os::write(fd, b"a")?, 1);
    check_eq!(size(fd)?, last);
    // What is appended is cut to what there is room for.
    sys(g::__NR_fcntl, [fd as usize, g::F_SETFL as usize, g::O_APPEND as usize])?;
    os::lseek(fd, 0, g::SEEK_SET)?;
    check_error!(os::write(fd, b"abc"), EFBIG);
    truncate(fd, last - 2)?;
    check_eq!(os::write(fd, b"abc")?, 2);
    truncate(fd, 0)?;
    check_error!(sys(g::__NR_pread64, [fd as usize, bytes.as_mut_ptr() as usize, 3, last]), EINVAL);
    let at = |offset: usize| mmap(0, PAGE_SIZE, g::PROT_READ, g::MAP_SHARED, fd, offset);
    check_error!(at(last - (PAGE_SIZE - 1)), EOVERFLOW);
    at(last - (2 * PAGE_SIZE - 1))?;
    Ok(())
}

fn resident_pages() -> Outcome {
    let at = map(4, READ_WRITE)?;
    poke(at + PAGE_SIZE, 1);
    let mut told = [9u8; 5];
    let vector = told.as_mut_ptr() as usize;
    let mincore = |at: usize, len: usize, vector: usize| sys(g::__NR_mincore, [at, len, vector]);
    check_eq!(mincore(at, 3 * PAGE_SIZE + 1, vector)?, 0);
    check_eq!(*core::hint::black_box(&told), [0, 1, 0, 0, 9]);
    let fd = memfd()?;
    truncate(fd, 2 * PAGE_SIZE)?;
    write_at(fd, b"x", PAGE_SIZE)?;
    let file = mmap(0, 2 * PAGE_SIZE, READ_WRITE, g::MAP_SHARED, fd, 0)?;
    mincore(file, 2 * PAGE_SIZE, vector)?;
    check_eq!(core::hint::black_box(&told)[..2], [0, 1]);
    check_error!(mincore(at + 1, PAGE_SIZE, vector), EINVAL);
    check_error!(mincore(at, PAGE_SIZE, 8), EFAULT);
    munmap(at + 2 * PAGE_SIZE, PAGE_SIZE)?;
    check_error!(mincore(at, 4 * PAGE_SIZE, vector), ENOMEM);
    // Who cannot look is not told: the program goes on.
    check_eq!(os::in_child(|| i32::from(mincore(at, 0, vector) != Ok(0))), Ok(Status::Exited(0)));
    Ok(())
}
