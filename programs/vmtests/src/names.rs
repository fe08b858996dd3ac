//! Names that change places, modes by names with flags, names for files that had none.

use core::ffi::CStr;

use rt::Result;
use rt::abi::general as g;
use rt::os;

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::temporary;
use crate::raw::sys;
use crate::{check_eq, check_error, tests};

tests! {
    names_change_places, folders_change_places, names_of_the_disk_change_places, @Kernel modes_by_flags, names_by_descriptors,
}

const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();

fn rename(from: &CStr, to: &CStr, flags: u32) -> Result<usize> {
    sys(g::__NR_renameat2, [CWD, from.as_ptr() as usize, CWD, to.as_ptr() as usize, flags as usize])
}

fn mkdir(path: &CStr) -> Result<usize> {
    sys(g::__NR_mkdirat, [CWD, path.as_ptr() as usize, 0o755])
}

fn rmdir(path: &CStr) -> Result<usize> {
    sys(g::__NR_unlinkat, [CWD, path.as_ptr() as usize, g::AT_REMOVEDIR as usize])
}

fn make(path: &CStr, bytes: &[u8]) -> Result<()> {
    os::close(temporary(path, bytes)?)
}

/// The first byte of a file.
fn first(path: &CStr) -> Result<u8> {
    let fd = os::open(path, g::O_RDONLY, 0)?;
    let mut byte = [0];
    os::read(fd, &mut byte)?;
    os::close(fd)?;
    Ok(core::hint::black_box(byte)[0])
}

fn change(one: &CStr, other: &CStr) -> Outcome {
    make(one, b"1")?;
    make(other, b"2")?;
    rename(one, other, g::RENAME_EXCHANGE)?;
    check_eq!((first(one)?, first(other)?), (b'2', b'1'));
    // With itself, nothing happens.
    rename(one, one, g::RENAME_EXCHANGE)?;
    check_eq!(first(one)?, b'2');
    unlink(other)?;
    check_error!(rename(one, other, g::RENAME_EXCHANGE), ENOENT);
    check_error!(rename(other, one, g::RENAME_EXCHANGE), ENOENT);
    check_error!(rename(one, other, g::RENAME_EXCHANGE | g::RENAME_NOREPLACE), EINVAL);
    unlink(one)?;
    Ok(())
}

fn names_change_places() -> Outcome {
    change(c"/tmp/vmtests.one", c"/tmp/vmtests.other")
}

fn names_of_the_disk_change_places() -> Outcome {
    change(c"/vmtests.one", c"/vmtests.other")
}

fn folders_change_places() -> Outcome {
    let (a, b, inner, file) =
        (c"/tmp/vmtests.a", c"/tmp/vmtests.b", c"/tmp/vmtests.a/inner", c"/tmp/vmtests.a/file");
    mkdir(a)?;
    mkdir(b)?;
    mkdir(inner)?;
    make(file, b"f")?;
    // A folder and a file, in one folder.
    rename(inner, file, g::RENAME_EXCHANGE)?;
    check_eq!(first(inner)?, b'f');
    rename(inner, file, g::RENAME_EXCHANGE)?;
    // In two folders: each has another one above.
    rename(inner, b, g::RENAME_EXCHANGE)?;
    make(c"/tmp/vmtests.b/up", b"u")?;
    check_eq!(first(c"/tmp/vmtests.b/../vmtests.a/file")?, b'f');
    make(c"/tmp/vmtests.a/inner/in", b"i")?;
    check_eq!(first(c"/tmp/vmtests.a/inner/../file")?, b'f');
    check_error!(rename(a, inner, g::RENAME_EXCHANGE), EINVAL);
    check_error!(rename(inner, a, g::RENAME_EXCHANGE), EINVAL);
    for path in [c"/tmp/vmtests.b/up", c"/tmp/vmtests.a/inner/in", file] {
        unlink(path)?;
    }
    rmdir(inner)?;
    rmdir(a)?;
    rmdir(b)?;
    Ok(())
}

fn modes_by_flags() -> Outcome {
    const AT_SYMLINK_NOFOLLOW: u32 = g::AT_SYMLINK_NOFOLLOW;
    const AT_EMPTY_PATH: u32 = g::AT_EMPTY_PATH;
    let (path, link) = (c"/tmp/vmtests.mode", c"/tmp/vmtests.link");
    let fd = temporary(path, b"")? as usize;
    let mode = || -> Result<u32> {
        let mut stat = [0u32; 32];
        sys(g::__NR_fstat, [fd, stat.as_mut_ptr() as usize])?;
        Ok(core::hint::black_box(stat)[4] & 0o7777)
    };
    let set = |dir: usize, path: &CStr, mode: usize, flags: u32| {
        sys(g::__NR_fchmodat2, [dir, path.as_ptr() as usize, mode, flags as usize])
    };
    set(CWD, path, 0o601, 0)?;
    check_eq!(mode()?, 0o601);
    set(CWD, path, 0o602, AT_SYMLINK_NOFOLLOW)?;
    check_eq!(mode()?, 0o602);
    set(fd, c"", 0o603, AT_EMPTY_PATH)?;
    check_eq!(mode()?, 0o603);
    sys(g::__NR_symlinkat, [path.as_ptr() as usize, CWD, link.as_ptr() as usize])?;
    check_error!(set(CWD, link, 0o604, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
    set(CWD, link, 0o605, 0)?;
    check_eq!(mode()?, 0o605);
    check_error!(set(fd, c"", 0o604, 0), ENOENT);
    check_error!(set(CWD, path, 0o604, 0x200), EINVAL);
    unlink(link)?;
    unlink(path)?;
    Ok(())
}

/// As linkat(2) tells how to give a name to a file of O_TMPFILE.
fn names_by_descriptors() -> Outcome {
    let fd = os::open(c"/tmp", g::O_TMPFILE | g::O_RDWR, 0o600)?;
    os::write(fd, b"t")?;
    check_eq!(sys(g::__NR_dup3, [fd as usize, 9, 0])?, 9);
    let (from, to) = (c"/proc/self/fd/9", c"/tmp/vmtests.named");
    let link = |flags: u32| {
        sys(g::__NR_linkat, [CWD, from.as_ptr() as usize, CWD, to.as_ptr() as usize, flags as usize])
    };
    // The link itself is on another file system.
    check_error!(link(0), EXDEV);
    link(g::AT_SYMLINK_FOLLOW)?;
    check_eq!(first(to)?, b't');
    unlink(to)?;
    Ok(())
}
