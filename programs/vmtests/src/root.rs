//! The root, which is changed in memory: files of the disk and new ones, names, nodes.

use core::ffi::CStr;

use rt::abi::general as g;
use rt::os;
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::raw::{peek, sys};
use crate::{check_eq, check_error, tests};

tests! {
    new_names_in_the_root, a_file_of_the_disk_changes, @Kernel nodes_are_made, folders_of_the_disk_move, @Kernel a_file_without_a_name_gets_one,
    @Kernel extended_attributes,
}

const AT: usize = (g::AT_FDCWD as isize).cast_unsigned();
/// Where tests may make what they like outside of tmpfs.
const DIR: &CStr = c"/vmtests.root";

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

fn mkdir(path: &CStr) -> Result<usize> {
    sys(g::__NR_mkdirat, [AT, at(path), 0o755])
}

fn rmdir(path: &CStr) -> Result<usize> {
    sys(g::__NR_unlinkat, [AT, at(path), g::AT_REMOVEDIR as usize])
}

fn rename(from: &CStr, to: &CStr) -> Result<usize> {
    sys(g::__NR_renameat2, [AT, at(from), AT, at(to), 0])
}

/// Number, mode and length of a file.
fn stat(path: &CStr) -> Result<(u64, u32, u64)> {
    let mut words = [0u64; 16];
    sys(g::__NR_newfstatat, [AT, at(path), words.as_mut_ptr() as usize, g::AT_SYMLINK_NOFOLLOW as usize])?;
    let words = core::hint::black_box(words);
    #[allow(clippy::cast_possible_truncation)] // the lower half is st_mode
    let mode = words[2] as u32;
    Ok((words[1], mode, words[6]))
}

fn new_names_in_the_root() -> Outcome {
    let (file, moved) = (c"/vmtests.root/file", c"/vmtests.root/moved");
    mkdir(DIR)?;
    check_error!(mkdir(DIR), EEXIST);
    let fd = os::open(file, g::O_RDWR | g::O_CREAT, 0o640)?;
    check_eq!(os::write(fd, b"text")?, 4);
    let (ino, mode, size) = stat(file)?;
    check_eq!((mode, size), (g::S_IFREG | 0o640, 4));
    sys(g::__NR_linkat, [AT, at(file), AT, at(c"/vmtests.root/link"), 0])?;
    rename(file, moved)?;
    check_eq!((stat(moved)?.0, stat(c"/vmtests.root/link")?.0), (ino, ino));
    check_error!(stat(file), ENOENT);
    check_error!(rmdir(DIR), ENOTEMPTY);
    check_error!(rename(moved, c"/tmp/moved"), EXDEV);
    unlink(moved)?;
    unlink(c"/vmtests.root/link")?;
    // Without a name it is there as long as it is open.
    let mut text = [0; 4];
    check_eq!(sys(g::__NR_pread64, [fd as usize, text.as_mut_ptr() as usize, 4, 0])?, 4);
    check_eq!(&core::hint::black_box(text), b"text");
    rmdir(DIR)?;
    check_error!(stat(DIR), ENOENT);
    Ok(())
}

/// The program itself is one; a copy of it is left as it was.
fn a_file_of_the_disk_changes() -> Outcome {
    let path = c"/etc/passwd";
    let (ino, mode, size) = stat(path)?;
    let before = os::open(path, g::O_RDONLY, 0)?;
    let shown =
        sys(g::__NR_mmap, [0, PAGE_SIZE, g::PROT_READ as usize, g::MAP_SHARED as usize, before as usize, 0])?;
    let first = || peek(shown);
    let old = first();
    let fd = os::open(path, g::O_RDWR, 0)? as usize;
    check_eq!(sys(g::__NR_pwrite64, [fd, b"X".as_ptr() as usize, 1, 0])?, 1);
    // The same file, by whichever way it is looked at.
    check_eq!((first(), stat(path)?), (b'X', (ino, mode, size)));
    let mut byte = [0; 1];
    os::read(before, &mut byte)?;
    check_eq!(core::hint::black_box(byte)[0], b'X');
    // What was not written over is as it was, and what is cut off comes back as zeros.
    let far = PAGE_SIZE * 3;
    check_eq!(sys(g::__NR_pwrite64, [fd, b"end".as_ptr() as usize, 3, far])?, 3);
    check_eq!(stat(path)?.2, far as u64 + 3);
    sys(g::__NR_ftruncate, [fd, 2])?;
    sys(g::__NR_ftruncate, [fd, size as usize])?;
    let mut text = [7u8; 3];
    check_eq!(sys(g::__NR_pread64, [fd, text.as_mut_ptr() as usize, 3, 1])?, 3);
    check_eq!(core::hint::black_box(text)[1..], [0, 0]);
    check_eq!(sys(g::__NR_pwrite64, [fd, (&raw const old) as usize, 1, 0])?, 1);
    check_eq!(first(), old);
    Ok(())
}

fn nodes_are_made() -> Outcome {
    let mknod =
        |path: &CStr, mode: u32, device: usize| sys(g::__NR_mknodat, [AT, at(path), mode as usize, device]);
    mkdir(DIR)?;
    let null = 1 << 8 | 3;
    for (path, mode, device) in [
        (c"/vmtests.root/pipe", g::S_IFIFO | 0o600, 0),
        (c"/vmtests.root/socket", g::S_IFSOCK | 0o600, 0),
        (c"/vmtests.root/null", g::S_IFCHR | 0o600, null),
        (c"/vmtests.root/file", g::S_IFREG | 0o600, 0),
    ] {
        mknod(path, mode, device)?;
        check_eq!(stat(path)?.1, mode);
        check_error!(mknod(path, mode, device), EEXIST);
    }
    let fd = os::open(c"/vmtests.root/null", g::O_RDWR, 0)?;
    check_eq!(os::write(fd, b"gone")?, 4);
    check_error!(mknod(c"/vmtests.root/x", g::S_IFDIR | 0o600, 0), EPERM);
    check_error!(mknod(c"/vmtests.root/x", g::S_IFLNK | 0o600, 0), EINVAL);
    for path in [c"/vmtests.root/pipe", c"/vmtests.root/socket", c"/vmtests.root/null", c"/vmtests.root/file"]
    {
        unlink(path)?;
    }
    rmdir(DIR)?;
    Ok(())
}

fn folders_of_the_disk_move() -> Outcome {
    let ino = stat(c"/etc/passwd")?.0;
    mkdir(DIR)?;
    rename(c"/etc", c"/vmtests.root/etc")?;
    check_error!(stat(c"/etc/passwd"), ENOENT);
    check_eq!(stat(c"/vmtests.root/etc/passwd")?.0, ino);
    check_error!(rename(DIR, c"/vmtests.root/etc/x"), EINVAL);
    rename(c"/vmtests.root/etc", c"/etc")?;
    check_eq!(stat(c"/etc/passwd")?.0, ino);
    rmdir(DIR)?;
    Ok(())
}

fn a_file_without_a_name_gets_one() -> Outcome {
    for (dir, name) in [(c"/tmp", c"/tmp/vmtests.named"), (c"/etc", c"/etc/vmtests.named")] {
        let fd = os::open(dir, g::O_TMPFILE | g::O_RDWR, 0o600)?;
        os::write(fd, b"text")?;
        let empty = at(c"");
        sys(g::__NR_linkat, [fd as usize, empty, AT, at(name), g::AT_EMPTY_PATH as usize])?;
        check_eq!((stat(name)?.1, stat(name)?.2), (g::S_IFREG | 0o600, 4));
        unlink(name)?;
        let hidden = os::open(dir, g::O_TMPFILE | g::O_RDWR | g::O_EXCL, 0o600)?;
        check_error!(
            sys(g::__NR_linkat, [hidden as usize, empty, AT, at(name), g::AT_EMPTY_PATH as usize]),
            ENOENT
        );
    }
    check_error!(os::open(c"/tmp", g::O_TMPFILE, 0o600), EINVAL);
    Ok(())
}

fn extended_attributes() -> Outcome {
    const XATTR_CREATE: usize = 1;
    const XATTR_REPLACE: usize = 2;
    let name = at(c"user.note");
    for path in [c"/tmp/vmtests.attributes", c"/etc/vmtests.attributes"] {
        let fd = os::open(path, g::O_RDWR | g::O_CREAT, 0o600)? as usize;
        let mut value = [0u8; 16];
        let room = value.as_mut_ptr() as usize;
        check_error!(sys(g::__NR_getxattr, [at(path), name, room, 16]), ENODATA);
        let set = |call: u32, file: usize, flags: usize| {
            sys(call, [file, name, b"some".as_ptr() as usize, 4, flags])
        };
        check_error!(set(g::__NR_setxattr, at(path), XATTR_REPLACE), ENODATA);
        set(g::__NR_fsetxattr, fd, XATTR_CREATE)?;
        check_error!(set(g::__NR_lsetxattr, at(path), XATTR_CREATE), EEXIST);
        check_error!(set(g::__NR_fsetxattr, fd, XATTR_CREATE), EEXIST);
        set(g::__NR_lsetxattr, at(path), XATTR_REPLACE)?;
        check_error!(set(g::__NR_setxattr, at(path), 4), EINVAL);
        check_eq!(sys(g::__NR_fgetxattr, [fd, name, 0, 0])?, 4);
        check_error!(sys(g::__NR_fgetxattr, [fd, name, room, 3]), ERANGE);
        check_eq!(sys(g::__NR_lgetxattr, [at(path), name, room, 16])?, 4);
        check_eq!(&core::hint::black_box(value)[..4], b"some");
        check_eq!(sys(g::__NR_flistxattr, [fd, room, 16])?, 10);
        check_eq!(&core::hint::black_box(value)[..10], b"user.note\0");
        check_error!(set(g::__NR_setxattr, at(c"/proc/self"), 0), EPERM);
        sys(g::__NR_removexattr, [at(path), name])?;
        check_error!(sys(g::__NR_fremovexattr, [fd, name]), ENODATA);
        check_eq!(sys(g::__NR_listxattr, [at(path), 0, 0])?, 0);
        unlink(path)?;
    }
    check_error!(sys(g::__NR_fgetxattr, [999, name, 0, 0]), EBADF);
    Ok(())
}
