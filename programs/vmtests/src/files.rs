//! Files, directories, descriptors: tmpfs at /tmp, the root, /dev and /proc.

use core::ffi::CStr;

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{Errno, PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::temporary;
use crate::raw::{peek, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    open_errors, create_exclusive, read_write, truncate_on_open, append, seek, seek_hole, read_at_offset, read_only_descriptor, unlink_open_file,
    big_file, duplicates_share_offset, fork_shares_offset, duplicate_errors, descriptor_flags, descriptor_limit, descriptor_lowest,
    list_root, list_many, list_errors, make_directories, rename_file, working_directory, status_of_files, status_errors, access, links, device_null, device_zero,
    device_urandom, terminal_control_on_file, proc_self_exe, vectors, truncate_file, chmod_file, names_are_not_used, @Kernel descriptors_bad,
    @Kernel limit_falls_meanwhile, @Kernel long_path,
}

const AT: usize = (g::AT_FDCWD as isize).cast_unsigned();
const PATH: &CStr = c"/tmp/vmtests.file";

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

fn size(fd: i32) -> Result<u64> {
    let mut stat = [0u64; 16];
    sys(g::__NR_fstat, [fd as usize, stat.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(&stat)[6])
}

fn content(fd: i32, bytes: &mut [u8]) -> Result<usize> {
    os::lseek(fd, 0, g::SEEK_SET)?;
    os::read(fd, bytes)
}

fn open_errors() -> Outcome {
    check_error!(os::open(c"/no/such/file", g::O_RDONLY, 0), ENOENT);
    check_error!(os::open(c"", g::O_RDONLY, 0), ENOENT);
    check_error!(os::open(c"/dev/null/x", g::O_RDONLY, 0), ENOTDIR);
    check_error!(os::open(c"/tmp", g::O_RDWR, 0), EISDIR);
    check_error!(os::open(c"/tmp/no/such", g::O_RDWR | g::O_CREAT, 0o600), ENOENT);
    check_error!(os::open(c"/dev/null", g::O_RDONLY | g::O_DIRECTORY, 0), ENOTDIR);
    let long = [b'a'; 5000];
    check_error!(sys(g::__NR_openat, [AT, long.as_ptr() as usize, 0, 0]), ENAMETOOLONG);
    Ok(())
}

fn create_exclusive() -> Outcome {
    let _ = unlink(PATH);
    let flags = g::O_RDWR | g::O_CREAT | g::O_EXCL;
    os::open(PATH, flags, 0o600)?;
    check_error!(os::open(PATH, flags, 0o600), EEXIST);
    unlink(PATH)?;
    check_error!(os::open(PATH, g::O_RDONLY, 0), ENOENT);
    Ok(())
}

fn read_write() -> Outcome {
    let fd = temporary(PATH, b"demand paging")?;
    let mut bytes = [0; 32];
    check_eq!(content(fd, &mut bytes)?, 13);
    check_eq!(&bytes[..13], b"demand paging");
    check_eq!(os::read(fd, &mut bytes)?, 0);
    os::lseek(fd, 7, g::SEEK_SET)?;
    os::write(fd, b"P")?;
    check_eq!(content(fd, &mut bytes)?, 13);
    check_eq!(&bytes[..13], b"demand Paging");
    check_eq!(size(fd)?, 13);
    // Another descriptor sees the same file.
    let other = os::open(PATH, g::O_RDONLY, 0)?;
    check_eq!(os::read(other, &mut bytes)?, 13);
    unlink(PATH)?;
    Ok(())
}

fn truncate_on_open() -> Outcome {
    let fd = temporary(PATH, b"something")?;
    let again = os::open(PATH, g::O_WRONLY | g::O_TRUNC, 0)?;
    check_eq!(size(again)?, 0);
    check_eq!(content(fd, &mut [0; 8])?, 0);
    unlink(PATH)?;
    Ok(())
}

fn append() -> Outcome {
    temporary(PATH, b"one")?;
    let fd = os::open(PATH, g::O_RDWR | g::O_APPEND, 0)?;
    os::write(fd, b" two")?;
    os::lseek(fd, 0, g::SEEK_SET)?;
    os::write(fd, b" three")?;
    let mut bytes = [0; 32];
    check_eq!(content(fd, &mut bytes)?, 13);
    check_eq!(&bytes[..13], b"one two three");
    unlink(PATH)?;
    Ok(())
}

fn seek() -> Outcome {
    let fd = temporary(PATH, b"0123456789")?;
    check_eq!(os::lseek(fd, 3, g::SEEK_SET)?, 3);
    check_eq!(os::lseek(fd, 2, g::SEEK_CUR)?, 5);
    check_eq!(os::lseek(fd, -1, g::SEEK_END)?, 9);
    check_error!(os::lseek(fd, -1, g::SEEK_SET), EINVAL);
    check_error!(os::lseek(fd, -11, g::SEEK_END), EINVAL);
    check_error!(os::lseek(fd, 0, 77), EINVAL);
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 9);
    check_eq!(os::lseek(fd, 100, g::SEEK_SET)?, 100);
    check_eq!(os::read(fd, &mut [0])?, 0);
    unlink(PATH)?;
    Ok(())
}

fn seek_hole() -> Outcome {
    let fd = temporary(PATH, b"x")?;
    os::lseek(fd, 10_000, g::SEEK_SET)?;
    os::write(fd, b"y")?;
    check_eq!(size(fd)?, 10_001);
    let mut bytes = [0xff; 4000];
    os::lseek(fd, 1, g::SEEK_SET)?;
    for _ in 0..2 {
        check_eq!(os::read(fd, &mut bytes)?, 4000);
        check!(bytes.iter().all(|&byte| byte == 0));
    }
    unlink(PATH)?;
    Ok(())
}

fn read_at_offset() -> Outcome {
    let fd = temporary(PATH, b"0123456789")?;
    let mut bytes = [0u8; 4];
    check_eq!(sys(g::__NR_pread64, [fd as usize, bytes.as_mut_ptr() as usize, 4, 5])?, 4);
    check_eq!(&core::hint::black_box(bytes), b"5678");
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 10);
    check_error!(sys(g::__NR_pread64, [fd as usize, bytes.as_mut_ptr() as usize, 4, usize::MAX]), EINVAL);
    // The last byte of any file has a number that is not negative.
    let last = i64::MAX as usize - 4;
    check_eq!(sys(g::__NR_pread64, [fd as usize, bytes.as_mut_ptr() as usize, 4, last])?, 0);
    check_error!(sys(g::__NR_pread64, [fd as usize, bytes.as_mut_ptr() as usize, 4, last + 1]), EINVAL);
    check_error!(sys(g::__NR_pwrite64, [fd as usize, bytes.as_ptr() as usize, 4, last + 1]), EINVAL);
    unlink(PATH)?;
    Ok(())
}

fn read_only_descriptor() -> Outcome {
    temporary(PATH, b"x")?;
    let read = os::open(PATH, g::O_RDONLY, 0)?;
    check_error!(os::write(read, b"y"), EBADF);
    let write = os::open(PATH, g::O_WRONLY, 0)?;
    check_error!(os::read(write, &mut [0]), EBADF);
    check_error!(os::read(os::open(c"/tmp", g::O_RDONLY, 0)?, &mut [0]), EISDIR);
    unlink(PATH)?;
    Ok(())
}

fn unlink_open_file() -> Outcome {
    let fd = temporary(PATH, b"still here")?;
    unlink(PATH)?;
    check_error!(os::open(PATH, g::O_RDONLY, 0), ENOENT);
    check_error!(unlink(PATH), ENOENT);
    let mut bytes = [0; 16];
    check_eq!(content(fd, &mut bytes)?, 10);
    check_eq!(&bytes[..10], b"still here");
    check_error!(unlink(c"/tmp"), EISDIR);
    Ok(())
}

fn big_file() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let mut block = [0u8; 4096];
    for number in 0..512usize {
        block.fill((number % 253) as u8);
        check_eq!(os::write(fd, &block)?, 4096);
    }
    check_eq!(size(fd)?, 512 * 4096);
    os::lseek(fd, 0, g::SEEK_SET)?;
    for number in 0..512usize {
        check_eq!(os::read(fd, &mut block)?, 4096);
        check!(block.iter().all(|&byte| byte == (number % 253) as u8));
    }
    unlink(PATH)?;
    Ok(())
}

fn duplicates_share_offset() -> Outcome {
    let fd = temporary(PATH, b"0123456789")?;
    let copy = sys(g::__NR_dup, [fd as usize])? as i32;
    os::lseek(fd, 4, g::SEEK_SET)?;
    let mut byte = [0];
    os::read(copy, &mut byte)?;
    check_eq!(&byte, b"4");
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 5);
    os::close(fd)?;
    os::read(copy, &mut byte)?;
    check_eq!(&byte, b"5");
    // A second open has an offset of its own.
    let other = os::open(PATH, g::O_RDONLY, 0)?;
    os::read(other, &mut byte)?;
    check_eq!(&byte, b"0");
    unlink(PATH)?;
    Ok(())
}

fn fork_shares_offset() -> Outcome {
    let fd = temporary(PATH, b"0123456789")?;
    os::lseek(fd, 0, g::SEEK_SET)?;
    check_eq!(os::in_child(|| i32::from(os::read(fd, &mut [0; 3]) != Ok(3)))?, Status::Exited(0));
    let mut byte = [0];
    os::read(fd, &mut byte)?;
    check_eq!(&byte, b"3");
    unlink(PATH)?;
    Ok(())
}

fn duplicate_errors() -> Outcome {
    check_error!(os::dup3(1, 1, 0), EINVAL);
    check_error!(os::dup3(77, 5, 0), EBADF);
    check_error!(os::dup3(1, -1, 0), EBADF);
    check_error!(os::dup3(1, 1 << 22, 0), EBADF);
    check_error!(os::dup3(1, 5, 0x1), EINVAL);
    check_error!(sys(g::__NR_dup, [77]), EBADF);
    // The target is closed first.
    let (read, write) = os::pipe(0)?;
    let null = os::open(c"/dev/null", g::O_RDWR, 0)?;
    os::dup3(null, write, 0)?;
    check_eq!(os::read(read, &mut [0])?, 0);
    Ok(())
}

fn descriptor_flags() -> Outcome {
    let fd = os::open(c"/dev/null", g::O_RDWR | g::O_CLOEXEC, 0)? as usize;
    let fcntl = |command: u32, value: usize| sys(g::__NR_fcntl, [fd, command as usize, value]);
    check_eq!(fcntl(g::F_GETFD, 0)?, g::FD_CLOEXEC as usize);
    fcntl(g::F_SETFD, 0)?;
    check_eq!(fcntl(g::F_GETFD, 0)?, 0);
    check_eq!(fcntl(g::F_GETFL, 0)? & 3, g::O_RDWR as usize);
    fcntl(g::F_SETFL, g::O_APPEND as usize)?;
    check!(fcntl(g::F_GETFL, 0)? & g::O_APPEND as usize != 0);
    check_eq!(fcntl(g::F_DUPFD, 40)?, 40);
    check_eq!(fcntl(g::F_DUPFD_CLOEXEC, 40)?, 41);
    check_eq!(sys(g::__NR_fcntl, [41, g::F_GETFD as usize])?, g::FD_CLOEXEC as usize);
    check_error!(fcntl(g::F_DUPFD, usize::MAX), EINVAL);
    check_error!(fcntl(9999, 0), EINVAL);
    check_error!(sys(g::__NR_fcntl, [999, g::F_GETFD as usize]), EBADF);
    Ok(())
}

fn descriptor_limit() -> Outcome {
    let limit = [40u64, 40];
    let resource = g::RLIMIT_NOFILE as usize;
    sys(g::__NR_prlimit64, [0, resource, limit.as_ptr() as usize, 0])?;
    let mut last = Ok(0);
    for _ in 0..50 {
        last = os::open(c"/dev/null", g::O_RDONLY, 0);
    }
    check_error!(last, EMFILE);
    check_error!(os::pipe(0), EMFILE);
    os::close(39)?;
    check_error!(os::pipe(0), EMFILE);
    check_eq!(os::open(c"/dev/null", g::O_RDONLY, 0)?, 39);
    // Without a descriptor no file is made, and none is cut.
    check_error!(os::open(PATH, g::O_WRONLY | g::O_CREAT | g::O_TRUNC, 0o600), EMFILE);
    os::close(39)?;
    check_error!(os::open(PATH, g::O_RDONLY, 0), ENOENT);
    let fd = temporary(PATH, b"kept")?;
    check_error!(os::open(PATH, g::O_WRONLY | g::O_TRUNC, 0), EMFILE);
    check_eq!(size(fd)?, 4);
    unlink(PATH)?;
    Ok(())
}

fn descriptor_lowest() -> Outcome {
    (3..64).for_each(|fd| {
        let _ = os::close(fd);
    });
    for expected in 3..10 {
        check_eq!(os::open(c"/dev/null", g::O_RDONLY, 0)?, expected);
    }
    os::close(5)?;
    os::close(4)?;
    check_eq!(os::pipe(0)?, (4, 5));
    check_eq!(sys(g::__NR_dup, [3])?, 10);
    Ok(())
}

/// Whether a directory's listing holds `name`, and how many entries it has.
fn listing(path: &CStr, name: &[u8]) -> Result<(bool, usize)> {
    let fd = os::open(path, g::O_RDONLY | g::O_DIRECTORY, 0)?;
    let mut bytes = [0u64; 256];
    let start = bytes.as_mut_ptr() as usize;
    let (mut found, mut count) = (false, 0);
    loop {
        let len = sys(g::__NR_getdents64, [fd as usize, start, 2048])?;
        if len == 0 {
            os::close(fd)?;
            return Ok((found, count));
        }
        let mut entry = start;
        while entry < start + len {
            // d_ino, d_off, d_reclen (two bytes), d_type, d_name
            let reclen = usize::from(peek(entry + 16)) + 256 * usize::from(peek(entry + 17));
            found |= (0..name.len()).all(|i| peek(entry + 19 + i) == name[i])
                && peek(entry + 19 + name.len()) == 0;
            count += 1;
            entry += reclen;
        }
    }
}

/// One call fills a large buffer, entry by entry, each once.
fn list_many() -> Outcome {
    const MANY: usize = 300;
    const DIR: &CStr = c"/tmp/vmtests.many";
    let mut name = *b"/tmp/vmtests.many/a-name-that-is-long-enough-to-fill-some-pages-000\0";
    let digits = name.len() - 4;
    let mut each = |action: &dyn Fn(usize) -> Result<usize>| {
        for number in 0..MANY {
            for (place, value) in [number / 100, number / 10 % 10, number % 10].into_iter().enumerate() {
                name[digits + place] = b'0' + value as u8;
            }
            action(core::hint::black_box(&name).as_ptr() as usize)?;
        }
        Result::Ok(())
    };
    sys(g::__NR_mkdirat, [AT, at(DIR), 0o700])?;
    each(&|path| {
        let fd = sys(g::__NR_openat, [AT, path, (g::O_WRONLY | g::O_CREAT) as usize, 0o600])?;
        sys(g::__NR_close, [fd])
    })?;
    let fd = os::open(DIR, g::O_RDONLY | g::O_DIRECTORY, 0)?;
    let mut bytes = [0u64; 4096];
    let start = bytes.as_mut_ptr() as usize;
    let len = sys(g::__NR_getdents64, [fd as usize, start, 32768])?;
    let mut seen = [0u8; MANY];
    let (mut entry, mut count) = (start, 0);
    while entry < start + len {
        let digit = |place: usize| usize::from(peek(entry + 19 + place).wrapping_sub(b'0'));
        // The name without its directory ends in the digits.
        let first = digits - b"/tmp/vmtests.many/".len();
        if peek(entry + 19) != b'.' {
            seen[(digit(first) * 100 + digit(first + 1) * 10 + digit(first + 2)).min(MANY - 1)] += 1;
        }
        count += 1;
        entry += usize::from(peek(entry + 16)) + 256 * usize::from(peek(entry + 17));
    }
    each(&|path| sys(g::__NR_unlinkat, [AT, path, 0]))?;
    sys(g::__NR_unlinkat, [AT, at(DIR), g::AT_REMOVEDIR as usize])?;
    check_eq!(count, MANY + 2);
    check!(seen.iter().all(|&times| times == 1));
    Ok(())
}

fn list_root() -> Outcome {
    for name in [&b"."[..], b"..", b"tmp", b"dev", b"proc"] {
        check_eq!((name, listing(c"/", name)?.0), (name, true));
    }
    check!(!listing(c"/", b"no such name")?.0);
    check!(listing(c"/dev", b"null")?.0);
    // Again gives the same.
    check_eq!(listing(c"/", b"tmp")?, listing(c"/", b"tmp")?);
    Ok(())
}

fn list_errors() -> Outcome {
    let fd = temporary(PATH, b"x")?;
    let mut bytes = [0u64; 64];
    check_error!(sys(g::__NR_getdents64, [fd as usize, bytes.as_mut_ptr() as usize, 512]), ENOTDIR);
    let root = os::open(c"/", g::O_RDONLY, 0)? as usize;
    check_error!(sys(g::__NR_getdents64, [root, bytes.as_mut_ptr() as usize, 8]), EINVAL);
    unlink(PATH)?;
    Ok(())
}

fn rmdir(path: &CStr) -> Result<usize> {
    sys(g::__NR_unlinkat, [AT, at(path), g::AT_REMOVEDIR as usize])
}

fn make_directories() -> Outcome {
    let make = |path: &CStr| sys(g::__NR_mkdirat, [AT, at(path), 0o755]);
    const DIR: &CStr = c"/tmp/vmtests.dir";
    const FILE: &CStr = c"/tmp/vmtests.dir/file";
    let _ = unlink(FILE);
    let _ = rmdir(DIR);
    make(DIR)?;
    check_error!(make(DIR), EEXIST);
    check_error!(make(c"/tmp/no/such"), ENOENT);
    temporary(FILE, b"x")?;
    check_eq!(listing(DIR, b"file")?, (true, 3));
    check_error!(rmdir(DIR), ENOTEMPTY);
    unlink(FILE)?;
    check_eq!(listing(DIR, b"file")?, (false, 2));
    rmdir(DIR)?;
    check_error!(rmdir(DIR), ENOENT);
    Ok(())
}

fn rename_file() -> Outcome {
    const NEW: &CStr = c"/tmp/vmtests.renamed";
    temporary(PATH, b"moved")?;
    temporary(NEW, b"replaced")?;
    sys(g::__NR_renameat2, [AT, at(PATH), AT, at(NEW), 0])?;
    check_error!(os::open(PATH, g::O_RDONLY, 0), ENOENT);
    check_eq!(os::read(os::open(NEW, g::O_RDONLY, 0)?, &mut [0; 16])?, 5);
    unlink(NEW)?;
    Ok(())
}

fn working_directory() -> Outcome {
    let mut bytes = [0u8; 64];
    let getcwd = |bytes: &mut [u8]| sys(g::__NR_getcwd, [bytes.as_mut_ptr() as usize, bytes.len()]);
    let chdir = |path: &CStr| sys(g::__NR_chdir, [at(path)]);
    chdir(c"/tmp")?;
    check_eq!(getcwd(&mut bytes)?, 5);
    check_eq!(&bytes[..5], b"/tmp\0");
    check_error!(getcwd(&mut bytes[..4]), ERANGE);
    temporary(c"vmtests.file", b"relative")?;
    check_eq!(os::read(os::open(PATH, g::O_RDONLY, 0)?, &mut [0; 16])?, 8);
    check_error!(chdir(PATH), ENOTDIR);
    check_error!(chdir(c"/no/such"), ENOENT);
    chdir(c"..")?;
    check_eq!(getcwd(&mut bytes)?, 2);
    // A child's change is its own.
    check_eq!(os::in_child(|| i32::from(chdir(c"/dev").is_err()))?, Status::Exited(0));
    check_eq!(getcwd(&mut bytes)?, 2);
    unlink(PATH)?;
    // Once the folder has gone there is no path to tell.
    const GONE: &CStr = c"/tmp/vmtests.gone";
    sys(g::__NR_mkdirat, [AT, at(GONE), 0o755])?;
    chdir(GONE)?;
    sys(g::__NR_unlinkat, [AT, at(GONE), g::AT_REMOVEDIR as usize])?;
    check_error!(getcwd(&mut bytes), ENOENT);
    check_error!(getcwd(&mut bytes[..1]), ENOENT);
    Ok(())
}

fn mode(path: &CStr, flags: u32) -> Result<u32> {
    let mut stat = [0u32; 32];
    sys(g::__NR_newfstatat, [AT, at(path), stat.as_mut_ptr() as usize, flags as usize])?;
    Ok(core::hint::black_box(&stat)[4])
}

fn status_of_files() -> Outcome {
    let kind = |path: &CStr| mode(path, 0).map(|mode| mode & g::S_IFMT);
    check_eq!(kind(c"/")?, g::S_IFDIR);
    check_eq!(kind(c"/tmp")?, g::S_IFDIR);
    check_eq!(kind(c"/dev/null")?, g::S_IFCHR);
    let fd = temporary(PATH, b"12345")?;
    check_eq!(kind(PATH)?, g::S_IFREG);
    check_eq!(size(fd)?, 5);
    let mut stat = [0u64; 16];
    let empty = sys(
        g::__NR_newfstatat,
        [fd as usize, at(c""), stat.as_mut_ptr() as usize, g::AT_EMPTY_PATH as usize],
    );
    check_eq!(empty, Ok(0));
    check_eq!(core::hint::black_box(&stat)[6], 5);
    unlink(PATH)?;
    Ok(())
}

fn status_errors() -> Outcome {
    check_error!(mode(c"/no/such", 0), ENOENT);
    check_error!(mode(c"", 0), ENOENT);
    check_error!(mode(c"/dev/null/x", 0), ENOTDIR);
    check_error!(size(77), EBADF);
    Ok(())
}

fn access() -> Outcome {
    let access = |path: &CStr, mode: u32| sys(g::__NR_faccessat, [AT, at(path), mode as usize]);
    access(c"/", 0)?;
    access(c"/tmp", g::W_OK | g::R_OK | g::X_OK)?;
    access(c"/dev/null", g::R_OK | g::W_OK)?;
    check_error!(access(c"/no/such", g::F_OK), ENOENT);
    temporary(PATH, b"")?;
    sys(g::__NR_fchmodat, [AT, at(PATH), 0o644])?;
    check_error!(access(PATH, g::X_OK), EACCES);
    check_error!(access(PATH, 0xff), EINVAL);
    unlink(PATH)?;
    Ok(())
}

fn links() -> Outcome {
    const LINK: &CStr = c"/tmp/vmtests.link";
    let _ = unlink(LINK);
    temporary(PATH, b"through the link")?;
    sys(g::__NR_symlinkat, [at(c"vmtests.file"), AT, at(LINK)])?;
    check_eq!(os::read(os::open(LINK, g::O_RDONLY, 0)?, &mut [0; 32])?, 16);
    let mut target = [0u8; 32];
    check_eq!(sys(g::__NR_readlinkat, [AT, at(LINK), target.as_mut_ptr() as usize, 32])?, 12);
    check_eq!(&core::hint::black_box(&target)[..12], b"vmtests.file");
    // A short buffer gets what fits.
    check_eq!(sys(g::__NR_readlinkat, [AT, at(LINK), target.as_mut_ptr() as usize, 3])?, 3);
    check_error!(sys(g::__NR_readlinkat, [AT, at(PATH), target.as_mut_ptr() as usize, 32]), EINVAL);
    check_error!(sys(g::__NR_readlinkat, [AT, at(LINK), target.as_mut_ptr() as usize, 0]), EINVAL);
    // No path is the descriptor itself; what is no link is then not told apart from what is not there.
    check_error!(sys(g::__NR_readlinkat, [AT, at(c""), target.as_mut_ptr() as usize, 32]), ENOENT);
    check_error!(sys(g::__NR_readlinkat, [AT, 0, target.as_mut_ptr() as usize, 32]), EFAULT);
    let link = os::open(LINK, g::O_PATH | g::O_NOFOLLOW, 0)? as usize;
    check_eq!(sys(g::__NR_readlinkat, [link, at(c""), target.as_mut_ptr() as usize, 32])?, 12);
    check_eq!(mode(LINK, g::AT_SYMLINK_NOFOLLOW)? & g::S_IFMT, g::S_IFLNK);
    check_eq!(mode(LINK, 0)? & g::S_IFMT, g::S_IFREG);
    check_error!(os::open(LINK, g::O_RDONLY | g::O_NOFOLLOW, 0), ELOOP);
    unlink(LINK)?;
    unlink(PATH)?;
    sys(g::__NR_symlinkat, [at(LINK), AT, at(LINK)])?;
    check_error!(os::open(LINK, g::O_RDONLY, 0), ELOOP);
    unlink(LINK)?;
    Ok(())
}

/// A descriptor that is a name (O_PATH) can be asked and copied; what would use the file is EBADF.
fn names_are_not_used() -> Outcome {
    let other = temporary(PATH, b"text")? as usize;
    let name = os::open(PATH, g::O_PATH, 0)? as usize;
    let mut buffer = [0u64; 32];
    let buffer = buffer.as_mut_ptr() as usize;
    for (call, arguments) in [
        (g::__NR_lseek, [name, 0, 0, 0]),
        (g::__NR_fsync, [name, 0, 0, 0]),
        (g::__NR_fdatasync, [name, 0, 0, 0]),
        (g::__NR_getdents64, [name, buffer, 256, 0]),
        (g::__NR_flock, [name, g::LOCK_UN as usize, 0, 0]),
        (g::__NR_fchmod, [name, 0o600, 0, 0]),
        (g::__NR_ioctl, [name, rt::abi::ioctl::TCGETS as usize, buffer, 0]),
        (g::__NR_ioctl, [name, rt::abi::ioctl::FIOCLEX as usize, 0, 0]),
        (g::__NR_sendfile, [name, other, 0, 1]),
        (g::__NR_sendfile, [other, name, 0, 1]),
        (g::__NR_getsockname, [name, buffer, buffer, 0]),
    ] {
        check_eq!((call, sys(call, arguments)), (call, Err(Errno(rt::abi::errno::EBADF))));
    }
    // The descriptor, what is awaited, what has come.
    let mut poll = [name as u32, g::POLLIN];
    check_eq!(sys(g::__NR_ppoll, [poll.as_mut_ptr() as usize, 1, 0, 0])?, 1);
    check_eq!(core::hint::black_box(&poll)[1] >> 16, g::POLLNVAL);
    // No path is none before the descriptor is looked at.
    for fd in [name, 77] {
        check_error!(sys(g::__NR_openat, [fd, at(c""), g::O_RDONLY as usize]), ENOENT);
    }
    sys(g::__NR_close, [sys(g::__NR_dup, [name])?])?;
    unlink(PATH)?;
    Ok(())
}

fn device_null() -> Outcome {
    let fd = os::open(c"/dev/null", g::O_RDWR, 0)?;
    check_eq!(os::write(fd, &[1; 5000])?, 5000);
    check_eq!(os::read(fd, &mut [0; 100])?, 0);
    Ok(())
}

fn device_zero() -> Outcome {
    let fd = os::open(c"/dev/zero", g::O_RDWR, 0)?;
    let mut bytes = [0xff; 3 * PAGE_SIZE];
    check_eq!(os::read(fd, &mut bytes)?, bytes.len());
    check!(bytes.iter().all(|&byte| byte == 0));
    check_eq!(os::write(fd, b"x")?, 1);
    Ok(())
}

fn device_urandom() -> Outcome {
    let fd = os::open(c"/dev/urandom", g::O_RDONLY, 0)?;
    let (mut one, mut two) = ([0; 32], [0; 32]);
    check_eq!(os::read(fd, &mut one)?, 32);
    check_eq!(os::read(fd, &mut two)?, 32);
    check!(one != two && one != [0; 32]);
    Ok(())
}

fn terminal_control_on_file() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let mut termios = [0u64; 16];
    let tcgets = rt::abi::ioctl::TCGETS as usize;
    check_error!(sys(g::__NR_ioctl, [fd as usize, tcgets, termios.as_mut_ptr() as usize]), ENOTTY);
    let (read, _) = os::pipe(0)?;
    check_error!(sys(g::__NR_ioctl, [read as usize, tcgets, termios.as_mut_ptr() as usize]), ENOTTY);
    check_error!(sys(g::__NR_ioctl, [77, tcgets, termios.as_mut_ptr() as usize]), EBADF);
    unlink(PATH)?;
    Ok(())
}

fn proc_self_exe() -> Outcome {
    let mut path = [0u8; 256];
    let len = sys(g::__NR_readlinkat, [AT, at(c"/proc/self/exe"), path.as_mut_ptr() as usize, 256])?;
    check!(core::hint::black_box(&path)[..len].ends_with(b"vmtests"));
    check_eq!(path[0], b'/');
    Ok(())
}

fn vectors() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let parts: [&[u8]; 3] = [b"one ", b"two ", b"three"];
    let vector = parts.map(|part| [part.as_ptr() as usize, part.len()]);
    check_eq!(sys(g::__NR_writev, [fd as usize, vector.as_ptr() as usize, 3])?, 13);
    check_eq!(sys(g::__NR_writev, [fd as usize, vector.as_ptr() as usize, 0])?, 0);
    let negative = [[parts[0].as_ptr() as usize, usize::MAX]];
    check_error!(sys(g::__NR_writev, [fd as usize, negative.as_ptr() as usize, 1]), EINVAL);
    let mut bytes = [0; 16];
    check_eq!(content(fd, &mut bytes)?, 13);
    check_eq!(&bytes[..13], b"one two three");
    unlink(PATH)?;
    Ok(())
}

fn truncate_file() -> Outcome {
    let fd = temporary(PATH, b"0123456789")?;
    sys(g::__NR_ftruncate, [fd as usize, 4])?;
    check_eq!(size(fd)?, 4);
    sys(g::__NR_ftruncate, [fd as usize, 5000])?;
    let mut bytes = [0xff; 8];
    check_eq!(content(fd, &mut bytes)?, 8);
    check_eq!(&bytes, b"0123\0\0\0\0");
    check_error!(sys(g::__NR_ftruncate, [fd as usize, usize::MAX]), EINVAL);
    unlink(PATH)?;
    Ok(())
}

fn chmod_file() -> Outcome {
    let fd = temporary(PATH, b"")?;
    sys(g::__NR_fchmod, [fd as usize, 0o640])?;
    check_eq!(mode(PATH, 0)? & 0o777, 0o640);
    unlink(PATH)?;
    let old = sys(g::__NR_umask, [0o077])?;
    os::close(os::open(PATH, g::O_CREAT | g::O_WRONLY, 0o666)?)?;
    check_eq!(mode(PATH, 0)? & 0o777, 0o600);
    check_eq!(sys(g::__NR_umask, [old])?, 0o077);
    unlink(PATH)?;
    Ok(())
}

fn descriptors_bad() -> Outcome {
    let mut bytes = [0u64; 32];
    let buffer = bytes.as_mut_ptr() as usize;
    for fd in [77, usize::MAX, 1 << 31, 0x1_0000_0000 + 77] {
        for number in [
            g::__NR_close,
            g::__NR_read,
            g::__NR_write,
            g::__NR_lseek,
            g::__NR_fstat,
            g::__NR_getdents64,
            g::__NR_readv,
            g::__NR_writev,
            g::__NR_ftruncate,
            g::__NR_fchmod,
            g::__NR_fsync,
            g::__NR_fchdir,
        ] {
            let length = if number == g::__NR_getdents64 { 256 } else { 0 };
            check_eq!(
                (number, sys(number, [fd, buffer, length])),
                (number, Err(rt::Errno(rt::abi::errno::EBADF)))
            );
        }
    }
    Ok(())
}

/// Makes pipes, which must work, until the limit of open files has fallen. An earlier test may have brought the page in: then the first
/// pipe is there before that.
fn pipes_until_refused(ends: usize) -> i32 {
    loop {
        let made = sys(g::__NR_pipe2, [ends, 0]);
        if crate::check::is_error(&made, rt::abi::errno::EMFILE) {
            return 0;
        }
        let numbers = crate::raw::peek64(ends);
        let (read, write) = ((numbers & 0xff) as i32, (numbers >> 32) as i32);
        let works = os::write(write, b"x") == Ok(1) && os::read(read, &mut [0]) == Ok(1);
        if !works || os::close(read).and(os::close(write)).is_err() {
            return 1;
        }
        os::sched_yield();
    }
}

fn limit_falls_meanwhile() -> Outcome {
    // The numbers are chosen when pipe2 finds that the page for them must come from the disk; meanwhile the limit falls below them.
    static ENDS: crate::processes::ColdPage = crate::processes::ColdPage::of::<{ u64::MAX }>();
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(pipes_until_refused(ENDS.address()));
    }
    os::sched_yield();
    let limit = [2u64, 64];
    sys(g::__NR_prlimit64, [pid as usize, g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0])?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn long_path() -> Outcome {
    // A path longer than any that a call takes, of bytes that are no text: step by step it can be reached, and what is there opened, mapped
    // and executed.
    const LEVELS: usize = 60;
    const NAME: [u8; 201] = {
        let mut name = [0xe9; 201];
        name[200] = 0;
        name
    };
    let (name, up) = (NAME.as_ptr() as usize, at(c".."));
    sys(g::__NR_chdir, [at(c"/tmp")])?;
    for _ in 0..LEVELS {
        sys(g::__NR_mkdirat, [AT, name, 0o755])?;
        sys(g::__NR_chdir, [name])?;
    }
    let file = temporary(c"file", b"!")?;
    let mut path = [0u8; 5 + LEVELS * 201];
    check_eq!(sys(g::__NR_getcwd, [path.as_mut_ptr() as usize, path.len()])?, path.len());
    let link = c"/proc/self/cwd".as_ptr() as usize;
    check_error!(sys(g::__NR_readlinkat, [AT, link, path.as_mut_ptr() as usize, path.len()]), ENAMETOOLONG);
    let shown =
        sys(g::__NR_mmap, [0, PAGE_SIZE, g::PROT_READ as usize, g::MAP_PRIVATE as usize, file as usize, 0])?;
    check_eq!(peek(shown), b'!');
    let (maps, mut total) = (os::open(c"/proc/self/maps", g::O_RDONLY, 0)?, 0);
    while let count @ 1.. = os::read(maps, &mut path)? {
        total += count;
    }
    check!(total > path.len());
    os::close(file)?;
    // The mapping has the file open, as the descriptor had it.
    check_eq!(crate::exec::refusal(c"file")?, Errno(rt::abi::errno::ETXTBSY));
    crate::memory::munmap(shown, PAGE_SIZE)?;
    check_eq!(crate::exec::refusal(c"file")?, Errno(rt::abi::errno::ENOEXEC));
    let copy = os::open(c"file", g::O_WRONLY | g::O_TRUNC, 0)? as usize;
    let program = sys(g::__NR_openat, [AT, crate::program(), g::O_RDONLY as usize, 0])?;
    // What is loaded of this program lies in the first part of its file.
    check!(sys(g::__NR_sendfile, [copy, program, 0, 4 << 20])? > PAGE_SIZE);
    os::close(copy as i32)?;
    check_eq!(
        os::in_child(|| os::exec(c"file", &[c"x", c"--as=nothing"], &[]).0 as i32),
        Ok(Status::Exited(0))
    );
    unlink(c"file")?;
    for _ in 0..LEVELS {
        sys(g::__NR_chdir, [up])?;
        sys(g::__NR_unlinkat, [AT, name, g::AT_REMOVEDIR as usize])?;
    }
    Ok(())
}
