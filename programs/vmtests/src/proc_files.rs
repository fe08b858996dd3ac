//! What `/proc` and `/sys` tell of the system as a whole and of descriptors, and what cannot be done there.

use core::ffi::CStr;

use rt::Result;
use rt::abi::errno;
use rt::abi::general as g;
use rt::os;

use crate::check::Outcome;
use crate::raw::sys;
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel mounts_are_told, @Kernel descriptors_are_told_of, @Kernel no_new_names_in_proc, sockets_are_not_opened, @Kernel configuration_is_told, @Kernel network_is_told,
    @Kernel processors_are_told, @Kernel names_of_the_system,
}

const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();

/// A file's text, or its first part.
#[derive(Debug)]
struct Text {
    bytes: [u8; 2048],
    len: usize,
}

fn text_of(path: &CStr) -> Result<Text> {
    let mut text = Text { bytes: [0; 2048], len: 0 };
    let fd = os::open(path, g::O_RDONLY, 0)?;
    text.len = os::read(fd, &mut text.bytes)?;
    os::close(fd)?;
    Ok(text)
}

impl Text {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
    fn has(&self, part: &str) -> bool {
        self.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
    }
    fn is(&self, text: &str) -> bool {
        self.as_bytes() == text.as_bytes()
    }
}

fn mounts_are_told() -> Outcome {
    let (mounts, infos) = (text_of(c"/proc/self/mounts")?, text_of(c"/proc/self/mountinfo")?);
    for (mount, info) in [
        ("/dev/root / ext4 rw,relatime 0 0\n", "20 1 0:1 / / rw,relatime - ext4 /dev/root rw\n"),
        ("sysfs /sys sysfs rw,relatime 0 0\n", "25 20 0:6 / /sys rw,relatime - sysfs sysfs rw\n"),
        ("tmpfs /dev/shm tmpfs rw,relatime 0 0\n", "24 21 0:5 / /dev/shm rw,relatime - tmpfs tmpfs rw\n"),
    ] {
        check!(mounts.has(mount) && infos.has(info));
    }
    Ok(())
}

fn descriptors_are_told_of() -> Outcome {
    let fd = crate::memory::temporary(c"/tmp/vmtests.info", b"some bytes")?;
    check_eq!(fd, 3);
    os::lseek(fd, 4, g::SEEK_SET)?;
    let info = text_of(c"/proc/self/fdinfo/3")?;
    check!(info.has("pos:\t4\nflags:\t0100002\nmnt_id:\t23\nino:\t"));
    sys(g::__NR_fcntl, [fd as usize, g::F_SETFD as usize, g::FD_CLOEXEC as usize])?;
    check!(text_of(c"/proc/self/fdinfo/3")?.has("\nflags:\t02100002\n"));
    os::close(fd)?;
    check_error!(text_of(c"/proc/self/fdinfo/3"), ENOENT);
    check_error!(text_of(c"/proc/self/fdinfo/77"), ENOENT);
    crate::exec::unlink(c"/tmp/vmtests.info")?;
    let list = sys(g::__NR_inotify_init1, [0])?;
    check_eq!(list, 3);
    sys(g::__NR_inotify_add_watch, [list, c"/tmp".as_ptr() as usize, g::IN_OPEN as usize])?;
    check!(text_of(c"/proc/self/fdinfo/3")?.has("\ninotify wd:1 ino:"));
    let process = sys(g::__NR_pidfd_open, [os::getppid() as usize, 0])?;
    check_eq!(process, 4);
    check!(text_of(c"/proc/self/fdinfo/4")?.has("\nPid:\t"));
    let other = || os::open(c"/proc/1/fdinfo/0", g::O_RDONLY, 0).map(|_| 0);
    check_eq!(as_user(other)?, errno::EACCES);
    Ok(())
}

fn no_new_names_in_proc() -> Outcome {
    for path in [c"/proc/name", c"/proc/sys/name", c"/proc/self/name", c"/sys/name"] {
        check_error!(os::open(path, g::O_CREAT | g::O_WRONLY, 0o644), ENOENT);
        check_error!(sys(g::__NR_mkdirat, [CWD, path.as_ptr() as usize, 0o755]), ENOENT);
        check_error!(sys(g::__NR_symlinkat, [path.as_ptr() as usize, CWD, path.as_ptr() as usize]), ENOENT);
    }
    check_error!(os::open(c"/proc", g::O_TMPFILE | g::O_RDWR, 0o644), EOPNOTSUPP);
    Ok(())
}

fn sockets_are_not_opened() -> Outcome {
    let mut ends = [0u32; 2];
    sys(g::__NR_socketpair, [1, 1, 0, ends.as_mut_ptr() as usize])?;
    let [first, _] = core::hint::black_box(ends);
    check_eq!(sys(g::__NR_dup3, [first as usize, 9, 0])?, 9);
    check_error!(os::open(c"/proc/self/fd/9", g::O_RDWR, 0), ENXIO);
    Ok(())
}

fn configuration_is_told() -> Outcome {
    let text = text_of(c"/proc/config.gz")?;
    check_eq!(text.bytes[..4], [0x1f, 0x8b, 8, 0]);
    check!(text.has("\nCONFIG_SYSVIPC=y\n") && text.has("\n# CONFIG_USER_NS is not set\n"));
    // Its length stands at its end.
    let end = &text.as_bytes()[text.len - 4..];
    check_eq!(u32::from_le_bytes([end[0], end[1], end[2], end[3]]) as usize, text.len - 10 - 5 - 8);
    Ok(())
}

fn network_is_told() -> Outcome {
    check!(text_of(c"/proc/net/dev")?.has("\n    lo:"));
    check!(text_of(c"/proc/net/route")?.has("Iface\tDestination\tGateway"));
    check!(
        text_of(c"/proc/self/net/if_inet6")?.is("00000000000000000000000000000001 01 80 10 80       lo\n")
    );
    Ok(())
}

fn processors_are_told() -> Outcome {
    for path in [
        c"/sys/devices/system/cpu/online",
        c"/sys/devices/system/cpu/possible",
        c"/sys/devices/system/cpu/present",
    ] {
        check!(text_of(path)?.is("0\n"));
    }
    check!(text_of(c"/sys/kernel/mm/transparent_hugepage/enabled")?.has("[never]"));
    check_error!(os::open(c"/sys/devices/system/cpu/online", g::O_WRONLY, 0), EACCES);
    let mut about = [0u64; 15];
    sys(g::__NR_statfs, [c"/sys".as_ptr() as usize, about.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(about)[0], 0x6265_6572);
    Ok(())
}

fn set_name(number: u32, name: &[u8]) -> Result<usize> {
    sys(number, [name.as_ptr() as usize, name.len()])
}

fn names_of_the_system() -> Outcome {
    check!(text_of(c"/proc/sys/kernel/hostname")?.is("folio\n"));
    set_name(g::__NR_sethostname, b"leaf")?;
    set_name(g::__NR_setdomainname, b"book.example")?;
    check!(text_of(c"/proc/sys/kernel/hostname")?.is("leaf\n"));
    check!(text_of(c"/proc/sys/kernel/domainname")?.is("book.example\n"));
    let mut told = [0u8; 6 * 65];
    sys(g::__NR_uname, [told.as_mut_ptr() as usize])?;
    let told = core::hint::black_box(told);
    check!(told[65..].starts_with(b"leaf\0") && told[5 * 65..].starts_with(b"book.example\0"));
    check_error!(set_name(g::__NR_sethostname, &[b'x'; 65]), EINVAL);
    check_error!(sys(g::__NR_sethostname, [8, 4]), EFAULT);
    check_eq!(as_user(|| set_name(g::__NR_sethostname, b"other"))?, errno::EPERM);
    set_name(g::__NR_sethostname, b"folio")?;
    set_name(g::__NR_setdomainname, b"(none)")?;
    Ok(())
}
