//! `/proc/config.gz`: what the kernel is built with, as far as programs ask for it by Linux's names. Only what is true.
//!
//! The file is a gzip stream (RFC 1952) whose contents are stored, not compressed (RFC 1951, 3.2.4): programs unpack it with what they have.

use crate::{Errno, ProcInfo, Text};

/// What is there.
const THERE: &[&str] = &[
    "64BIT",
    "ADVISE_SYSCALLS",
    "BINFMT_ELF",
    "BINFMT_SCRIPT",
    "DEVTMPFS",
    "EPOLL",
    "EVENTFD",
    "EXT4_FS",
    "FILE_LOCKING",
    "FUTEX",
    "IKCONFIG",
    "IKCONFIG_PROC",
    "INET",
    "INOTIFY_USER",
    "IPV6",
    "MEMFD_CREATE",
    "MMU",
    "MULTIUSER",
    "NET",
    "POSIX_TIMERS",
    "PROC_FS",
    "PROC_PAGE_MONITOR",
    "PROC_SYSCTL",
    "RISCV",
    "SHMEM",
    "SIGNALFD",
    "SWAP",
    "SYSVIPC",
    "SYSVIPC_SYSCTL",
    "TIMERFD",
    "TMPFS",
    "TMPFS_XATTR",
    "UNIX",
    "VIRTIO_BLK",
    "VIRTIO_MMIO",
];

/// What is not, of what is often asked for.
const ABSENT: &[&str] = &[
    "AIO",
    "BPF_SYSCALL",
    "CGROUPS",
    "FANOTIFY",
    "HUGETLBFS",
    "IO_URING",
    "IPC_NS",
    "KSM",
    "MEMCG",
    "MODULES",
    "NAMESPACES",
    "NET_NS",
    "NUMA",
    "PID_NS",
    "POSIX_MQUEUE",
    "SECCOMP",
    "TRANSPARENT_HUGEPAGE",
    "USERFAULTFD",
    "USER_NS",
    "UTS_NS",
];

/// Magic, "deflate", no name, no time, made on Unix.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// What the stream holds.
fn plain(out: &mut Text) -> Result<(), Errno> {
    for name in THERE {
        [b"CONFIG_", name.as_bytes(), b"=y\n"].into_iter().try_for_each(|part| out.push(part))?;
    }
    for name in ABSENT {
        [b"# CONFIG_", name.as_bytes(), b" is not set\n"].into_iter().try_for_each(|part| out.push(part))?;
    }
    Ok(())
}

/// The check sum of gzip, bit by bit: the text is short.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |crc: u32| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

pub(super) fn config(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    let mut text = Text::default();
    plain(&mut text)?;
    let mut bytes = alloc::vec![0; text.len()];
    text.read(0, &mut bytes);
    // One block, the last one: its length, and the same with all bits turned.
    let Ok(len) = u16::try_from(bytes.len()) else { unreachable!("a list of some lines") };
    out.push(&HEAD)?;
    out.push(&[1])?;
    out.push(&len.to_le_bytes())?;
    out.push(&(!len).to_le_bytes())?;
    out.push(&bytes)?;
    out.push(&crc32(&bytes).to_le_bytes())?;
    out.push(&u32::from(len).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_gzip_s() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
