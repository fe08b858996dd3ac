//! `vFile`: files of the guest's root, for gdb to read.

use super::files::{FileError, copy_part};
use super::front;
use super::view::View;
use gdbstub::target::ext::host_io::{
    FsKind, HostIo, HostIoClose, HostIoCloseOps, HostIoErrno, HostIoError, HostIoFstat, HostIoFstatOps,
    HostIoOpen, HostIoOpenFlags, HostIoOpenMode, HostIoOpenOps, HostIoPread, HostIoPreadOps, HostIoReadlink,
    HostIoReadlinkOps, HostIoResult, HostIoSetfs, HostIoSetfsOps, HostIoStat,
};
use std::convert::Infallible;

impl HostIo for View<'_> {
    fn support_open(&mut self) -> Option<HostIoOpenOps<'_, Self>> {
        Some(self)
    }
    fn support_close(&mut self) -> Option<HostIoCloseOps<'_, Self>> {
        Some(self)
    }
    fn support_pread(&mut self) -> Option<HostIoPreadOps<'_, Self>> {
        Some(self)
    }
    fn support_fstat(&mut self) -> Option<HostIoFstatOps<'_, Self>> {
        Some(self)
    }
    fn support_readlink(&mut self) -> Option<HostIoReadlinkOps<'_, Self>> {
        Some(self)
    }
    fn support_setfs(&mut self) -> Option<HostIoSetfsOps<'_, Self>> {
        Some(self)
    }
}

fn refused(error: FileError) -> HostIoError<Infallible> {
    HostIoError::Errno(match error {
        FileError::NotFound => HostIoErrno::ENOENT,
        FileError::IsFolder => HostIoErrno::EISDIR,
        FileError::NotLink => HostIoErrno::EINVAL,
        FileError::ReadOnly => HostIoErrno::EROFS,
        FileError::TooMany => HostIoErrno::EMFILE,
        FileError::NotOpen => HostIoErrno::EBADF,
        FileError::Unreadable => HostIoErrno::EIO,
    })
}

fn path(name: &[u8]) -> Result<&str, HostIoError<Infallible>> {
    std::str::from_utf8(name).map_err(|_| refused(FileError::NotFound))
}

impl HostIoOpen for View<'_> {
    fn open(&mut self, name: &[u8], flags: HostIoOpenFlags, _: HostIoOpenMode) -> HostIoResult<u32, Self> {
        let writes = HostIoOpenFlags::O_WRONLY
            | HostIoOpenFlags::O_RDWR
            | HostIoOpenFlags::O_CREAT
            | HostIoOpenFlags::O_TRUNC;
        if flags.intersects(writes) {
            return Err(refused(FileError::ReadOnly));
        }
        self.files.open(&self.world.borrow(), path(name)?).map_err(refused)
    }
}

impl HostIoClose for View<'_> {
    fn close(&mut self, number: u32) -> HostIoResult<(), Self> {
        self.files.close(number).map_err(refused)
    }
}

impl HostIoPread for View<'_> {
    fn pread(
        &mut self,
        number: u32,
        count: usize,
        offset: u64,
        into: &mut [u8],
    ) -> HostIoResult<usize, Self> {
        let room = count.min(into.len()).min(front::PACKET_BYTES / 2);
        self.files.read(number, offset, &mut into[..room]).map_err(refused)
    }
}

impl HostIoFstat for View<'_> {
    fn fstat(&mut self, number: u32) -> HostIoResult<HostIoStat, Self> {
        const BLOCK: u64 = 512;
        let len_bytes = self.files.len_bytes(number).map_err(refused)?;
        Ok(HostIoStat {
            st_dev: 0,
            st_ino: 0,
            st_mode: HostIoOpenMode::S_IFREG | HostIoOpenMode::S_IRUSR | HostIoOpenMode::S_IXUSR,
            st_nlink: 1,
            st_uid: 0,
            st_gid: 0,
            st_rdev: 0,
            st_size: len_bytes,
            st_blksize: 8 * BLOCK,
            st_blocks: len_bytes.div_ceil(BLOCK),
            st_atime: 0,
            st_mtime: 0,
            st_ctime: 0,
        })
    }
}

impl HostIoReadlink for View<'_> {
    fn readlink(&mut self, name: &[u8], into: &mut [u8]) -> HostIoResult<usize, Self> {
        let target = self.world.borrow().root.read_link(path(name)?).map_err(refused)?;
        Ok(copy_part(target.as_bytes(), 0, into))
    }
}

impl HostIoSetfs for View<'_> {
    fn setfs(&mut self, _: FsKind) -> HostIoResult<(), Self> {
        Ok(())
    }
}
