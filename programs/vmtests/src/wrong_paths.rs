//! Paths that lead nowhere, for every call that takes one, made from the table of system calls as in `hostile`: what path_resolution(7)
//! says of them, and what single calls say of the file that a path has led to.

use core::ffi::CStr;

use abi::{Call, Kind};
use rt::abi::errno;
use rt::abi::general as g;
use rt::os;

use crate::check::{Outcome, each_is_refused, is_error, is_refused};
use crate::exec::unlink;
use crate::hostile::{FILE, Setting, arguments};
use crate::raw::sys;
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    paths_that_lead_nowhere, @Kernel paths_through_locked_folders, empty_paths, files_of_the_wrong_kind, names_that_are_taken,
    @Kernel folders_that_are_not_ones_own,
}

const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();
const FOLDER: &CStr = c"/tmp/vmtests.wrong";
const INSIDE: &CStr = c"/tmp/vmtests.wrong/inside";
const MISSING: &CStr = c"/tmp/vmtests.none";
const LINK: &CStr = c"/tmp/vmtests.link";
const LOOP: &CStr = c"/tmp/vmtests.loop";

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

fn mkdir(path: &CStr, mode: usize) -> rt::Result<usize> {
    sys(g::__NR_mkdirat, [CWD, at(path), mode])
}

fn rmdir(path: &CStr) -> rt::Result<usize> {
    sys(g::__NR_unlinkat, [CWD, at(path), g::AT_REMOVEDIR as usize])
}

/// Paths that are arguments but lead to no file: names of attributes, of nameless files, and what a symbolic link says.
const NO_PATHS: &[&str] = &["name", "target"];

/// What qemu-riscv64 7.2 does not have; the referee for these is Linux' manual.
const NEW_CALLS: &[&str] = &["execveat", "fchmodat2"];

/// Every path of every call that there is.
fn paths() -> impl Iterator<Item = (&'static Call, usize)> {
    let is_new =
        |call: &Call| NEW_CALLS.contains(&call.name) && is_error(&sys(call.number, [0]), errno::ENOSYS);
    arguments(|kind| matches!(kind, Kind::Path))
        .filter(move |(call, ..)| !is_new(call))
        .filter(|(call, index, _)| !NO_PATHS.contains(&call.arguments[*index].name))
        .map(|(call, index, _)| (call, index))
}

fn paths_that_lead_nowhere() -> Outcome {
    let setting = Setting::new()?;
    let _ = unlink(LOOP);
    sys(g::__NR_symlinkat, [at(LOOP), CWD, at(LOOP)])?;
    let mut long_name = [b'a'; 300];
    long_name[..5].copy_from_slice(b"/tmp/");
    // Names of 255 bytes are the longest.
    long_name[5 + 256] = 0;
    let mut long_path = [b'a'; 5000];
    long_path.iter_mut().step_by(2).for_each(|byte| *byte = b'/');
    let wrong = [
        (at(c"/tmp/vmtests.none/x"), errno::ENOENT),
        (at(c"/tmp/vmtests.bad/x"), errno::ENOTDIR),
        (at(c"/tmp/vmtests.loop/x"), errno::ELOOP),
        (long_name.as_ptr() as usize, errno::ENAMETOOLONG),
        (long_path.as_ptr() as usize, errno::ENAMETOOLONG),
    ];
    let mut count = 0;
    for (call, index) in paths() {
        for (row, (path, expected)) in wrong.into_iter().enumerate() {
            is_refused(row, call.number, setting.call(call, index, path), expected)?;
            count += 1;
        }
    }
    check!(count > 150);
    unlink(LOOP)?;
    unlink(FILE)?;
    Ok(())
}

fn paths_through_locked_folders() -> Outcome {
    mkdir(FOLDER, 0o755)?;
    os::close(crate::memory::temporary(INSIDE, b"")?)?;
    sys(g::__NR_fchmodat, [CWD, at(FOLDER), 0o600])?;
    let setting = Setting::new()?;
    let mut count = 0;
    for (call, index) in paths() {
        check_eq!(
            (call.name, as_user(|| setting.call(call, index, at(INSIDE)))?),
            (call.name, errno::EACCES)
        );
        count += 1;
    }
    check!(count > 30);
    unlink(INSIDE)?;
    rmdir(FOLDER)?;
    unlink(FILE)?;
    Ok(())
}

fn empty_paths() -> Outcome {
    let setting = Setting::new()?;
    for (row, (call, index)) in paths().enumerate() {
        is_refused(row, call.number, setting.call(call, index, at(c"")), errno::ENOENT)?;
    }
    // What a symbolic link is to say must be something, and a path.
    let long_path = [b'a'; 5000];
    let long_path = long_path.as_ptr() as usize;
    each_is_refused(&[
        (g::__NR_symlinkat, &[at(c""), CWD, at(MISSING)], errno::ENOENT),
        (g::__NR_symlinkat, &[long_path, CWD, at(MISSING)], errno::ENAMETOOLONG),
    ])?;
    unlink(FILE)?;
    Ok(())
}

fn files_of_the_wrong_kind() -> Outcome {
    let _ = unlink(LINK);
    let file = crate::memory::temporary(FILE, b"text")? as usize;
    mkdir(FOLDER, 0o755)?;
    let folder = os::open(FOLDER, g::O_RDONLY, 0)? as usize;
    sys(g::__NR_symlinkat, [at(FILE), CWD, at(LINK)])?;
    let (relative, file_path, folder_path) = (at(c"x"), at(FILE), at(FOLDER));
    let mut page = [0u64; 64];
    let page = page.as_mut_ptr() as usize;
    let vector = [page, 8];
    let vector = vector.as_ptr() as usize;
    let write = g::O_WRONLY as usize;
    each_is_refused(&[
        // A path begins at a file.
        (g::__NR_openat, &[file, relative], errno::ENOTDIR),
        (g::__NR_mkdirat, &[file, relative, 0o755], errno::ENOTDIR),
        (g::__NR_mknodat, &[file, relative, 0o644], errno::ENOTDIR),
        (g::__NR_unlinkat, &[file, relative], errno::ENOTDIR),
        (g::__NR_symlinkat, &[relative, file, relative], errno::ENOTDIR),
        (g::__NR_linkat, &[file, relative, CWD, file_path], errno::ENOTDIR),
        (g::__NR_linkat, &[CWD, file_path, file, relative], errno::ENOTDIR),
        (g::__NR_renameat2, &[file, relative, CWD, file_path], errno::ENOTDIR),
        (g::__NR_renameat2, &[CWD, file_path, file, relative], errno::ENOTDIR),
        (g::__NR_faccessat, &[file, relative], errno::ENOTDIR),
        (g::__NR_faccessat2, &[file, relative], errno::ENOTDIR),
        (g::__NR_fchmodat, &[file, relative], errno::ENOTDIR),
        (g::__NR_fchownat, &[file, relative], errno::ENOTDIR),
        (g::__NR_readlinkat, &[file, relative, page, 8], errno::ENOTDIR),
        (g::__NR_newfstatat, &[file, relative, page], errno::ENOTDIR),
        (g::__NR_statx, &[file, relative, 0, 0, page], errno::ENOTDIR),
        (g::__NR_utimensat, &[file, relative], errno::ENOTDIR),
        (g::__NR_fchdir, &[file], errno::ENOTDIR),
        (g::__NR_chdir, &[file_path], errno::ENOTDIR),
        (g::__NR_getdents64, &[file, page, 512], errno::ENOTDIR),
        (g::__NR_unlinkat, &[CWD, file_path, g::AT_REMOVEDIR as usize], errno::ENOTDIR),
        // What can be done with files only.
        (g::__NR_unlinkat, &[CWD, folder_path], errno::EISDIR),
        (g::__NR_truncate, &[folder_path, 0], errno::EISDIR),
        (g::__NR_ftruncate, &[folder, 0], errno::EINVAL),
        (g::__NR_openat, &[CWD, folder_path, write], errno::EISDIR),
        (g::__NR_openat, &[CWD, folder_path, (g::O_CREAT | g::O_RDONLY) as usize, 0o600], errno::EISDIR),
        (g::__NR_read, &[folder, page, 8], errno::EISDIR),
        (g::__NR_readv, &[folder, vector, 1], errno::EISDIR),
        (g::__NR_pread64, &[folder, page, 8], errno::EISDIR),
        (g::__NR_preadv, &[folder, vector, 1], errno::EISDIR),
        (g::__NR_write, &[folder, page, 8], errno::EBADF),
        (g::__NR_linkat, &[CWD, folder_path, CWD, at(MISSING)], errno::EPERM),
        (g::__NR_readlinkat, &[CWD, file_path, page, 8], errno::EINVAL),
        (g::__NR_openat, &[CWD, at(LINK), g::O_NOFOLLOW as usize], errno::ELOOP),
        (g::__NR_execve, &[folder_path], errno::EACCES),
        // Lengths and places that are none.
        (g::__NR_truncate, &[file_path, usize::MAX], errno::EINVAL),
        (g::__NR_ftruncate, &[file, usize::MAX], errno::EINVAL),
        (g::__NR_pread64, &[file, page, 8, usize::MAX], errno::EINVAL),
        (g::__NR_pwrite64, &[file, page, 8, usize::MAX], errno::EINVAL),
        (g::__NR_preadv, &[file, vector, 1, usize::MAX], errno::EINVAL),
        (g::__NR_pwritev, &[file, vector, 1, usize::MAX], errno::EINVAL),
        (g::__NR_readv, &[file, page, 1025], errno::EINVAL),
        (g::__NR_writev, &[file, page, 1025], errno::EINVAL),
        (g::__NR_preadv, &[file, page, 1025], errno::EINVAL),
        (g::__NR_pwritev, &[file, page, 1025], errno::EINVAL),
        (g::__NR_fallocate, &[file, 0, usize::MAX, 1], errno::EINVAL),
        (g::__NR_fallocate, &[file, 0, 0, 0], errno::EINVAL),
        (g::__NR_readlinkat, &[CWD, at(LINK), page, 0], errno::EINVAL),
        (g::__NR_getcwd, &[page, 1], errno::ERANGE),
    ])?;
    unlink(LINK)?;
    rmdir(FOLDER)?;
    unlink(FILE)?;
    Ok(())
}

fn names_that_are_taken() -> Outcome {
    os::close(crate::memory::temporary(FILE, b"text")?)?;
    mkdir(FOLDER, 0o755)?;
    os::close(crate::memory::temporary(INSIDE, b"")?)?;
    let (file, folder, inside) = (at(FILE), at(FOLDER), at(INSIDE));
    let remove = g::AT_REMOVEDIR as usize;
    let rename = g::__NR_renameat2;
    each_is_refused(&[
        (g::__NR_mkdirat, &[CWD, file, 0o755], errno::EEXIST),
        (g::__NR_mkdirat, &[CWD, folder, 0o755], errno::EEXIST),
        (g::__NR_mknodat, &[CWD, file, 0o644], errno::EEXIST),
        (g::__NR_symlinkat, &[file, CWD, folder], errno::EEXIST),
        (g::__NR_linkat, &[CWD, file, CWD, inside], errno::EEXIST),
        (g::__NR_mkdirat, &[CWD, at(c"/"), 0o755], errno::EEXIST),
        (g::__NR_mkdirat, &[CWD, at(c"/tmp/vmtests.wrong/."), 0o755], errno::EEXIST),
        // Only what is empty goes, and not by a name that is everywhere.
        (g::__NR_unlinkat, &[CWD, folder, remove], errno::ENOTEMPTY),
        (g::__NR_unlinkat, &[CWD, at(c"/tmp/vmtests.wrong/."), remove], errno::EINVAL),
        (g::__NR_unlinkat, &[CWD, at(c"/tmp/vmtests.wrong/.."), remove], errno::ENOTEMPTY),
        (g::__NR_unlinkat, &[CWD, at(c"/"), remove], errno::EBUSY),
        (g::__NR_unlinkat, &[CWD, at(c"/proc"), remove], errno::EBUSY),
        (rename, &[CWD, file, CWD, folder], errno::EISDIR),
        (rename, &[CWD, folder, CWD, file], errno::ENOTDIR),
        (rename, &[CWD, file, CWD, at(c"/tmp/vmtests.wrong/.")], errno::EBUSY),
        (rename, &[CWD, at(c"/tmp/vmtests.wrong/.."), CWD, file], errno::EBUSY),
        (rename, &[CWD, at(c"/"), CWD, at(c"/vmtests.none")], errno::EBUSY),
        // Another file system comes first, and a name that must be new is told as there.
        (rename, &[CWD, at(c"/"), CWD, at(c"/dev/shm/vmtests")], errno::EXDEV),
        (rename, &[CWD, file, CWD, at(c"/tmp/vmtests.wrong/."), g::RENAME_NOREPLACE as usize], errno::EEXIST),
        (rename, &[CWD, folder, CWD, at(c"/tmp/vmtests.wrong/new")], errno::EINVAL),
        (rename, &[CWD, inside, CWD, at(c"/dev/shm/vmtests")], errno::EXDEV),
        (g::__NR_linkat, &[CWD, inside, CWD, at(c"/dev/shm/vmtests")], errno::EXDEV),
    ])?;
    const OTHER: &CStr = c"/tmp/vmtests.other";
    mkdir(OTHER, 0o755)?;
    each_is_refused(&[(rename, &[CWD, at(OTHER), CWD, folder], errno::ENOTEMPTY)])?;
    for path in [INSIDE, FILE] {
        unlink(path)?;
    }
    rmdir(OTHER)?;
    rmdir(FOLDER)?;
    Ok(())
}

/// What one who may look into a folder, but not write it, is told.
fn folders_that_are_not_ones_own() -> Outcome {
    mkdir(FOLDER, 0o755)?;
    let file = crate::memory::temporary(INSIDE, b"text")? as usize;
    sys(g::__NR_fchmod, [file, 0o600])?;
    let own = crate::memory::temporary(FILE, b"text")? as usize;
    sys(g::__NR_fchmod, [own, 0o666])?;
    let (new, inside, folder) = (at(c"/tmp/vmtests.wrong/new"), at(INSIDE), at(FOLDER));
    let create = (g::O_CREAT | g::O_WRONLY) as usize;
    let fifo = g::S_IFIFO as usize | 0o600;
    let (read, write) = (g::O_RDONLY as usize, g::O_WRONLY as usize);
    let root = sys(g::__NR_openat, [CWD, folder, read])?;
    sys(g::__NR_fchmod, [root, 0o711])?;
    let (name, value) = (at(c"user.name"), at(c"value"));
    let rows: &[(u32, &[usize], u32)] = &[
        (g::__NR_openat, &[CWD, new, create, 0o600], errno::EACCES),
        (g::__NR_openat, &[CWD, inside, read], errno::EACCES),
        (g::__NR_openat, &[CWD, inside, write], errno::EACCES),
        (g::__NR_openat, &[CWD, folder, read], errno::EACCES),
        (g::__NR_openat, &[CWD, folder, (g::O_TMPFILE | g::O_RDWR) as usize, 0o600], errno::EACCES),
        (g::__NR_mkdirat, &[CWD, new, 0o700], errno::EACCES),
        (g::__NR_mknodat, &[CWD, new, fifo], errno::EACCES),
        (g::__NR_mknodat, &[CWD, new, g::S_IFCHR as usize | 0o600, 0x103], errno::EACCES),
        (g::__NR_symlinkat, &[new, CWD, new], errno::EACCES),
        (g::__NR_linkat, &[CWD, at(FILE), CWD, new], errno::EACCES),
        (g::__NR_unlinkat, &[CWD, inside], errno::EACCES),
        (g::__NR_renameat2, &[CWD, inside, CWD, new], errno::EACCES),
        (g::__NR_truncate, &[inside, 0], errno::EACCES),
        (g::__NR_faccessat, &[CWD, inside, 4], errno::EACCES),
        (g::__NR_faccessat2, &[CWD, inside, 2], errno::EACCES),
        (g::__NR_execve, &[inside], errno::EACCES),
        (g::__NR_inotify_add_watch, &[0, inside, g::IN_OPEN as usize], errno::EACCES),
        (g::__NR_getxattr, &[inside, name, 0, 0], errno::EACCES),
        (g::__NR_setxattr, &[inside, name, value, 5], errno::EACCES),
        (g::__NR_removexattr, &[inside, name], errno::EACCES),
        (g::__NR_fchmodat, &[CWD, inside, 0o777], errno::EPERM),
        (g::__NR_fchmod, &[file, 0o777], errno::EPERM),
        (g::__NR_fchownat, &[CWD, inside, 1000, 1000], errno::EPERM),
        (g::__NR_fchown, &[file, 1000, 1000], errno::EPERM),
        (
            g::__NR_mknodat,
            &[CWD, at(c"/tmp/vmtests.device"), g::S_IFCHR as usize | 0o600, 0x103],
            errno::EPERM,
        ),
        (g::__NR_mount, &[0, folder], errno::EPERM),
        (g::__NR_umount2, &[folder], errno::EPERM),
    ];
    let list = sys(g::__NR_inotify_init1, [0])?;
    for (row, &(number, given, expected)) in rows.iter().enumerate() {
        let mut arguments = [0; 6];
        arguments[..given.len()].copy_from_slice(given);
        if number == g::__NR_inotify_add_watch {
            arguments[0] = list;
        }
        check_eq!((row, as_user(|| sys(number, arguments))?), (row, expected));
    }
    // Linux' manual; qemu-riscv64 7.2 has neither of the two.
    check_eq!(as_user(|| sys(g::__NR_fchmodat2, [CWD, inside, 0o777]))?, errno::EPERM);
    check_eq!(as_user(|| sys(g::__NR_execveat, [CWD, inside]))?, errno::EACCES);
    check_error!(sys(g::__NR_execveat, [file, at(c"x")]), ENOTDIR);
    // A folder that may be entered no longer: the descriptor does not help.
    sys(g::__NR_fchmod, [root, 0o700])?;
    check_eq!(as_user(|| sys(g::__NR_fchdir, [root]))?, errno::EACCES);
    check_eq!(as_user(|| sys(g::__NR_chdir, [folder]))?, errno::EACCES);
    unlink(INSIDE)?;
    unlink(FILE)?;
    rmdir(FOLDER)?;
    Ok(())
}
