//! File systems in memory that programs mount (mount(2), umount(2), tmpfs(5)), and loop devices (loop(4)).

use core::ffi::CStr;

use rt::abi::general as g;
use rt::abi::ioctl as request;
use rt::os::{self, Status};
use rt::{Result, abi::errno};

use crate::check::{Outcome, each_is_refused};
use crate::exec::unlink;
use crate::raw::sys;
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel tmpfs_is_mounted_and_taken_away, @Kernel a_mounted_size_is_kept, @Kernel what_a_mount_bars, @Kernel mounts_in_use, @Kernel wrong_mounts,
    @Kernel loop_devices_are_files, @Kernel a_part_of_a_file_by_loop, @Kernel loop_devices_go_with_their_last_close, @Kernel wrong_loops,
}

const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();
const POINT: &CStr = c"/tmp/vmtests.mounted";
const INSIDE: &CStr = c"/tmp/vmtests.mounted/file";
const RDONLY: usize = 1;
const NODEV: usize = 4;
const NOEXEC: usize = 8;
const REMOUNT: usize = 32;
const BIND: usize = 4096;
const PRIVATE: usize = 1 << 18;
const MNT_DETACH: usize = 2;
const MNT_EXPIRE: usize = 4;
const BAD: usize = 8;

fn at(text: &CStr) -> usize {
    text.as_ptr() as usize
}

fn mount_as(kind: &CStr, point: &CStr, flags: usize, options: &CStr) -> Result<usize> {
    sys(g::__NR_mount, [at(c"me"), at(point), at(kind), flags, at(options)])
}

fn mount(flags: usize, options: &CStr) -> Result<usize> {
    mount_as(c"tmpfs", POINT, flags, options)
}

fn unmount(point: &CStr, flags: usize) -> Result<usize> {
    sys(g::__NR_umount2, [at(point), flags])
}

fn make(point: &CStr) -> Result<usize> {
    match sys(g::__NR_mkdirat, [CWD, at(point), 0o755]) {
        Err(rt::Errno(errno::EEXIST)) => Ok(0),
        other => other,
    }
}

fn create(path: &CStr) -> Result<i32> {
    os::open(path, g::O_RDWR | g::O_CREAT, 0o755)
}

/// What statfs(2) says: blocks, blocks that are free, flags.
fn room(path: &CStr) -> Result<(u64, u64, u64)> {
    let mut told = [0u64; 15];
    sys(g::__NR_statfs, [at(path), told.as_mut_ptr() as usize])?;
    let told = core::hint::black_box(told);
    Ok((told[2], told[3], told[10]))
}

/// Whether statx(2) says that something is mounted there, and by which mount it is reached.
fn mounted(path: &CStr) -> Result<(bool, u64)> {
    const MOUNT_ROOT: u64 = 0x2000;
    let mut told = [0u64; 32];
    let mask = (g::STATX_BASIC_STATS | g::STATX_MNT_ID) as usize;
    sys(g::__NR_statx, [CWD, at(path), 0, mask, told.as_mut_ptr() as usize])?;
    let told = core::hint::black_box(told);
    let number = if told[0] as u32 & g::STATX_MNT_ID == 0 { 0 } else { told[18] };
    Ok((told[1] & MOUNT_ROOT != 0, number))
}

fn tmpfs_is_mounted_and_taken_away() -> Outcome {
    make(POINT)?;
    let below = c"/tmp/vmtests.mounted/below";
    os::close(create(below)?)?;
    let (is_root, before) = mounted(POINT)?;
    check!(!is_root && before != 0);
    mount(0, c"mode=711")?;
    let (is_root, number) = mounted(POINT)?;
    check!(is_root && number != before);
    check_error!(os::open(below, g::O_RDONLY, 0), ENOENT);
    os::close(create(INSIDE)?)?;
    check_eq!(mounted(INSIDE)?, (false, number));
    // Its name and what is in it can be neither moved nor removed from without.
    check_error!(sys(g::__NR_unlinkat, [CWD, at(POINT), g::AT_REMOVEDIR as usize]), EBUSY);
    check_error!(sys(g::__NR_linkat, [CWD, at(INSIDE), CWD, at(c"/tmp/vmtests.link"), 0]), EXDEV);
    // One above the other.
    mount(0, c"")?;
    check_error!(os::open(INSIDE, g::O_RDONLY, 0), ENOENT);
    unmount(POINT, 0)?;
    os::close(os::open(INSIDE, g::O_RDONLY, 0)?)?;
    unmount(POINT, 0)?;
    check_error!(os::open(INSIDE, g::O_RDONLY, 0), ENOENT);
    check_error!(unmount(POINT, 0), EINVAL);
    unlink(below)?;
    Ok(())
}

fn a_mounted_size_is_kept() -> Outcome {
    make(POINT)?;
    mount(0, c"size=64k")?;
    check_eq!(room(POINT)?, (16, 16, 0x1020));
    let fd = create(INSIDE)?;
    let bytes = [7u8; 1000];
    let mut done = 0;
    let end = loop {
        match os::write(fd, &bytes) {
            Ok(count) => done += count,
            Err(errno) => break errno,
        }
    };
    check_eq!((done, end), (65_536, rt::Errno(errno::ENOSPC)));
    check_error!(sys(g::__NR_fallocate, [fd as usize, 0, 65_536, 1]), ENOSPC);
    check_eq!(sys(g::__NR_pwrite64, [fd as usize, bytes.as_ptr() as usize, 1000, 100])?, 1000);
    check_eq!(room(POINT)?, (16, 0, 0x1020));
    // More room, and less than there is.
    check_error!(mount(REMOUNT, c"size=4k"), EINVAL);
    mount(REMOUNT, c"size=1m")?;
    check_eq!(room(POINT)?, (256, 240, 0x1020));
    check_eq!(sys(g::__NR_pwrite64, [fd as usize, bytes.as_ptr() as usize, 1000, 65_536])?, 1000);
    os::close(fd)?;
    unmount(POINT, 0)?;
    Ok(())
}

/// MS_RDONLY, MS_NODEV and MS_NOEXEC.
fn what_a_mount_bars() -> Outcome {
    make(POINT)?;
    mount(NODEV | NOEXEC, c"")?;
    os::close(create(INSIDE)?)?;
    let null = c"/tmp/vmtests.mounted/null";
    sys(g::__NR_mknodat, [CWD, at(null), 0o020_666, 0x103])?;
    check_error!(os::open(null, g::O_RDONLY, 0), EACCES);
    check_error!(sys(g::__NR_faccessat, [CWD, at(INSIDE), 1]), EACCES);
    check_eq!(os::exec(INSIDE, &[], &[]), rt::Errno(errno::EACCES));
    check_eq!(room(POINT)?.2, 0x1020 | (NODEV | NOEXEC) as u64);
    // Not while somebody writes; and then nobody does.
    let fd = create(INSIDE)?;
    check_error!(mount(REMOUNT | RDONLY, c""), EBUSY);
    os::close(fd)?;
    mount(REMOUNT | RDONLY, c"")?;
    let new = c"/tmp/vmtests.mounted/new";
    let inside = at(INSIDE);
    each_is_refused(&[
        (g::__NR_openat, &[CWD, inside, g::O_WRONLY as usize, 0], errno::EROFS),
        (g::__NR_openat, &[CWD, at(new), (g::O_RDONLY | g::O_CREAT) as usize, 0o644], errno::EROFS),
        (g::__NR_mkdirat, &[CWD, at(new), 0o755], errno::EROFS),
        (g::__NR_unlinkat, &[CWD, inside, 0], errno::EROFS),
        (g::__NR_renameat2, &[CWD, inside, CWD, at(new), 0], errno::EROFS),
        (g::__NR_symlinkat, &[inside, CWD, at(new)], errno::EROFS),
        (g::__NR_fchmodat, &[CWD, inside, 0o777], errno::EROFS),
        (g::__NR_fchownat, &[CWD, inside, 1, 1, 0], errno::EROFS),
        (g::__NR_utimensat, &[CWD, inside, 0, 0], errno::EROFS),
        (g::__NR_truncate, &[inside, 0], errno::EROFS),
        (g::__NR_faccessat, &[CWD, inside, 2], errno::EROFS),
        (g::__NR_setxattr, &[inside, at(c"user.x"), at(c"x"), 1, 0], errno::EROFS),
    ])?;
    os::close(os::open(null, g::O_RDONLY | g::O_PATH, 0)?)?;
    // As at first.
    mount(REMOUNT, c"")?;
    os::close(os::open(null, g::O_RDONLY, 0)?)?;
    unmount(POINT, 0)?;
    Ok(())
}

fn mounts_in_use() -> Outcome {
    make(POINT)?;
    mount(0, c"")?;
    let fd = create(INSIDE)?;
    os::write(fd, b"kept")?;
    check_error!(unmount(POINT, 0), EBUSY);
    unmount(POINT, MNT_DETACH)?;
    check_error!(os::open(INSIDE, g::O_RDONLY, 0), ENOENT);
    let mut bytes = [0u8; 4];
    check_eq!(sys(g::__NR_pread64, [fd as usize, bytes.as_mut_ptr() as usize, 4, 0])?, 4);
    check_eq!(core::hint::black_box(bytes), *b"kept");
    os::close(fd)?;
    // By a process that is in it.
    mount(0, c"")?;
    let status = os::in_child(|| {
        let is_there = sys(g::__NR_chdir, [at(POINT)]).is_ok();
        i32::from(!is_there || unmount(POINT, 0) != Err(rt::Errno(errno::EBUSY)))
    })?;
    check_eq!(status, Status::Exited(0));
    check_error!(unmount(POINT, MNT_EXPIRE), EAGAIN);
    unmount(POINT, MNT_EXPIRE)?;
    check_error!(unmount(POINT, MNT_EXPIRE | MNT_DETACH), EINVAL);
    Ok(())
}

fn wrong_mounts() -> Outcome {
    make(POINT)?;
    let file = c"/tmp/vmtests.no.folder";
    os::close(create(file)?)?;
    check_error!(mount_as(c"tmpfs", file, 0, c""), ENOTDIR);
    check_error!(mount_as(c"tmpfs", c"/no/such", 0, c""), ENOENT);
    check_error!(mount_as(c"tmpfs", c"/", 0, c""), EBUSY);
    check_error!(mount_as(c"ext4", POINT, 0, c""), ENODEV);
    check_error!(mount_as(c"tmpfs", POINT, BIND, c""), EINVAL);
    check_error!(mount_as(c"tmpfs", POINT, REMOUNT, c""), EINVAL);
    check_error!(mount_as(c"tmpfs", POINT, PRIVATE, c""), EINVAL);
    // Nobody else hears of what is mounted in the root.
    mount_as(c"tmpfs", c"/", PRIVATE, c"")?;
    for options in [c"size=", c"size=x", c"mode=9", c"uid=-1", c"no=such"] {
        check_error!(mount(0, options), EINVAL);
    }
    check_eq!(as_user(|| mount(0, c""))?, errno::EPERM);
    let (point, tmpfs) = (at(POINT), at(c"tmpfs"));
    each_is_refused(&[
        (g::__NR_mount, &[0, point, 0, 0, 0], errno::EINVAL),
        (g::__NR_mount, &[BAD, point, tmpfs, 0, 0], errno::EFAULT),
        (g::__NR_mount, &[0, BAD, tmpfs, 0, 0], errno::EFAULT),
        (g::__NR_mount, &[0, point, BAD, 0, 0], errno::EFAULT),
        (g::__NR_mount, &[0, point, tmpfs, 0, BAD], errno::EFAULT),
    ])?;
    unlink(file)?;
    Ok(())
}

const SET_FD: usize = 0x4c00;
const CLR_FD: usize = 0x4c01;
const SET_STATUS64: usize = 0x4c04;
const GET_STATUS64: usize = 0x4c05;
const CONFIGURE: usize = 0x4c0a;
const GET_FREE: usize = 0x4c82;
const FILE: &CStr = c"/tmp/vmtests.blocks";
const LOOP: &CStr = c"/dev/loop3";

fn ask(fd: i32, request: usize, argument: usize) -> Result<usize> {
    sys(g::__NR_ioctl, [fd as usize, request, argument])
}

fn bytes_of(device: i32) -> Result<u64> {
    let mut told = [0u64];
    ask(device, request::BLKGETSIZE64 as usize, told.as_mut_ptr() as usize)?;
    Ok(core::hint::black_box(told)[0])
}

/// A file of ten blocks and a half, each filled with its number.
fn blocks() -> Result<i32> {
    let file = create(FILE)?;
    for number in 0..10 {
        os::write(file, &[number; 512])?;
    }
    os::write(file, &[10; 256])?;
    Ok(file)
}

fn loop_devices_are_files() -> Outcome {
    let control = os::open(c"/dev/loop-control", g::O_RDWR, 0)?;
    check_eq!(ask(control, GET_FREE, 0)?, 0);
    let (file, device) = (blocks()?, os::open(LOOP, g::O_RDWR, 0)?);
    check_eq!(bytes_of(device)?, 0);
    check_eq!(os::read(device, &mut [0u8; 8])?, 0);
    check_error!(os::write(device, b"x"), ENOSPC);
    ask(device, SET_FD, file as usize)?;
    // The file need not be open any longer, nor have a name; half a block is none.
    os::close(file)?;
    check_eq!(bytes_of(device)?, 5120);
    let mut sectors = [0u64];
    ask(device, request::BLKGETSIZE as usize, sectors.as_mut_ptr() as usize)?;
    check_eq!(core::hint::black_box(sectors)[0], 10);
    check_eq!(os::lseek(device, 0, g::SEEK_END)?, 5120);
    check_eq!(os::lseek(device, 510, g::SEEK_SET)?, 510);
    let mut bytes = [0u8; 4];
    check_eq!(os::read(device, &mut bytes)?, 4);
    check_eq!(bytes, [0, 0, 1, 1]);
    check_eq!(os::lseek(device, 0, g::SEEK_CUR)?, 514);
    check_eq!(os::write(device, b"new")?, 3);
    check_eq!(os::lseek(device, -2, g::SEEK_END)?, 5118);
    check_eq!(os::write(device, b"end")?, 2);
    check_error!(os::write(device, b"x"), ENOSPC);
    check_eq!(os::read(device, &mut bytes)?, 0);
    let file = os::open(FILE, g::O_RDONLY, 0)?;
    check_eq!(sys(g::__NR_pread64, [file as usize, bytes.as_mut_ptr() as usize, 4, 514])?, 4);
    check_eq!(core::hint::black_box(bytes), *b"new\x01");
    check_eq!(os::lseek(file, 0, g::SEEK_END)?, 5376);
    ask(device, CLR_FD, 0)?;
    check_error!(ask(device, CLR_FD, 0), ENXIO);
    check_eq!(bytes_of(device)?, 0);
    unlink(FILE)?;
    Ok(())
}

/// LOOP_CONFIGURE, and what it and LOOP_SET_STATUS64 say is told.
fn a_part_of_a_file_by_loop() -> Outcome {
    let (file, device) = (blocks()?, os::open(LOOP, g::O_RDWR, 0)?);
    // A descriptor and the size of a block; an offset and a limit.
    let mut config = [0u64; 38];
    config[0] = file as u64 | 1024 << 32;
    (config[4], config[5]) = (1024, 1024);
    ask(device, CONFIGURE, config.as_mut_ptr() as usize)?;
    check_eq!(bytes_of(device)?, 1024);
    let mut block = [0u32];
    ask(device, request::BLKSSZGET as usize, block.as_mut_ptr() as usize)?;
    check_eq!(core::hint::black_box(block)[0], 1024);
    let mut bytes = [9u8; 2000];
    check_eq!(os::read(device, &mut bytes)?, 1024);
    check_eq!((bytes[0], bytes[511], bytes[512], bytes[1023], bytes[1024]), (2, 2, 3, 3, 9));
    let mut info = [0u64; 29];
    ask(device, GET_STATUS64, info.as_mut_ptr() as usize)?;
    check_eq!(core::hint::black_box(&info)[3..6], [1024, 1024, 3]);
    // Another part, and a name.
    (info[3], info[4], info[7]) = (512, 0, u64::from_ne_bytes(*b"a name\0\0"));
    ask(device, SET_STATUS64, info.as_mut_ptr() as usize)?;
    check_eq!(bytes_of(device)?, 4608);
    ask(device, GET_STATUS64, info.as_mut_ptr() as usize)?;
    let info = core::hint::black_box(info);
    check_eq!((info[3], info[7]), (512, u64::from_ne_bytes(*b"a name\0\0")));
    ask(device, CLR_FD, 0)?;
    // What is open for reading alone is not written.
    let reading = os::open(FILE, g::O_RDONLY, 0)?;
    ask(device, SET_FD, reading as usize)?;
    check_error!(os::write(device, b"x"), EPERM);
    ask(device, CLR_FD, 0)?;
    unlink(FILE)?;
    Ok(())
}

fn loop_devices_go_with_their_last_close() -> Outcome {
    const AUTOCLEAR: u64 = 4;
    let (file, device) = (blocks()?, os::open(LOOP, g::O_RDWR, 0)?);
    let other = os::open(LOOP, g::O_RDWR, 0)?;
    ask(device, SET_FD, file as usize)?;
    let mut info = [0u64; 29];
    info[6] = AUTOCLEAR << 32;
    ask(device, SET_STATUS64, info.as_mut_ptr() as usize)?;
    os::close(device)?;
    check_eq!(bytes_of(other)?, 5120);
    os::close(other)?;
    let device = os::open(LOOP, g::O_RDWR, 0)?;
    check_error!(ask(device, GET_STATUS64, info.as_mut_ptr() as usize), ENXIO);
    // A process that ends leaves it attached, but for that.
    ask(device, SET_FD, file as usize)?;
    check_eq!(os::in_child(|| 0)?, Status::Exited(0));
    check_eq!(bytes_of(device)?, 5120);
    ask(device, CLR_FD, 0)?;
    unlink(FILE)?;
    Ok(())
}

fn wrong_loops() -> Outcome {
    let (file, device) = (blocks()?, os::open(LOOP, g::O_RDWR, 0)?);
    let (reader, _writer) = os::pipe(0)?;
    let control = os::open(c"/dev/loop-control", g::O_RDWR, 0)?;
    let nowhere = os::open(c"/dev/loop4", g::O_RDWR, 0)?;
    ask(device, SET_FD, file as usize)?;
    let [device_fd, free, control] = [device, nowhere, control].map(|fd| fd as usize);
    let io = g::__NR_ioctl;
    each_is_refused(&[
        (io, &[device_fd, SET_FD, file as usize], errno::EBUSY),
        (io, &[free, SET_FD, 999], errno::EBADF),
        (io, &[free, SET_FD, reader as usize], errno::EINVAL),
        (io, &[free, GET_STATUS64, BAD], errno::ENXIO),
        (io, &[device_fd, GET_STATUS64, BAD], errno::EFAULT),
        (io, &[device_fd, SET_STATUS64, BAD], errno::EFAULT),
        (io, &[free, CONFIGURE, BAD], errno::EFAULT),
        (io, &[device_fd, request::BLKGETSIZE64 as usize, BAD], errno::EFAULT),
        (io, &[device_fd, 0x4c09, 100], errno::EINVAL),
        (io, &[device_fd, 0x1234, 0], errno::ENOTTY),
        // LOOP_CTL_ADD, LOOP_CTL_REMOVE.
        (io, &[control, 0x4c80, 1], errno::EEXIST),
        (io, &[control, 0x4c80, 300], errno::ENOSPC),
        (io, &[control, 0x4c81, 3], errno::EBUSY),
        (io, &[control, 0x4c81, 300], errno::ENODEV),
    ])?;
    check_eq!(as_user(|| os::open(LOOP, g::O_RDONLY, 0).map(|fd| fd as usize))?, errno::EACCES);
    ask(device, CLR_FD, 0)?;
    unlink(FILE)?;
    Ok(())
}
