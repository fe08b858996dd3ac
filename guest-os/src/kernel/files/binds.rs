//! What the guest sees of the host's files (`isa::binds`): mounted before the first program starts; and what has become of it is told at the
//! end of the run, if the host asks for that.
//!
//! Cost at the end: a record for each file that has changed and each name of a directory that has, and the bytes of changed files, which
//! may have to be read from their disk first.

use crate::devices::block::{self, MetadataDisk, Volume};
use crate::devices::drivers::host;
use crate::files::vfs;
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::mem::{FRAME_BYTES, KernelFrame};
use crate::memory::{pages, reclaim};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use fs::{Errno, Ext4, FileSystemId, FileType, Inode};
use isa::binds::{self, Header, MAX_RECORD_BYTES, Place};
use mm::file_memory::Transfer;
use proc::Strings;

/// What `/proc/mounts` calls the device: what of the host's it is, the guest does not learn.
const DEVICE: &str = "bind";

const _: () = assert!(MAX_RECORD_BYTES == FRAME_BYTES, "a record is made in a frame");

/// A file system whose changes are told, and its place in the host's list.
#[derive(Clone, Copy)]
struct WrittenOut {
    bind: u64,
    fs: FileSystemId,
}

static WRITTEN_OUT: HartLocal<Vec<WrittenOut>> = HartLocal::new(Vec::new());

/// Mounts them in their order. The first that cannot be mounted is named.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn mount(list: &Strings) -> Result<(), (Errno, String)> {
    for (bind, text) in (0..).zip(list.iter()) {
        let mounted = Place::parse(text).ok_or(Errno::EINVAL).and_then(|place| mount_one(bind, &place));
        if let Err(error) = mounted {
            let point = String::from_utf8_lossy(Place::parse(text).map_or(text, |place| place.point));
            let why = match error {
                Errno::ENOTDIR => "what is there, or on the way, is no folder",
                Errno::EISDIR => "a folder is there, and it is a file",
                Errno::EBUSY => "the root is there",
                _ => "nothing can be mounted there",
            };
            return Err((error, format!("the bind at {point}: {why}")));
        }
    }
    Ok(())
}

fn mount_one(bind: u64, place: &Place<'_>) -> Result<(), Errno> {
    let disk = block::disk(place.disk).ok_or(Errno::ENXIO)?;
    let volume = Volume { disk, start_bytes: place.start_bytes };
    let ext4 = Ext4::mount(Box::new(MetadataDisk::new(volume)?))?;
    // What is looked up in it is read from there.
    block::mounted(volume);
    let fs = vfs::lock().mount(ext4, binds::NAME.as_bytes(), place.point, DEVICE)?;
    if place.is_written_out {
        WRITTEN_OUT.get_mut().push(WrittenOut { bind, fs });
    }
    Ok(())
}

/// Tells the host of all that has changed. What it is not told to the end, it does not write.
pub fn tell_changes() {
    let mut number = 0;
    loop {
        let next = WRITTEN_OUT.get().get(number).copied();
        let Some(bind) = next else { return };
        if let Err(error) = tell_all(bind) {
            log::error!("what has changed cannot be told to the host: {error}");
        }
        number += 1;
    }
}

fn tell_all(WrittenOut { bind, fs }: WrittenOut) -> Result<(), Errno> {
    let thread = current();
    let mut frame = thread.scratch.borrow_mut();
    let mut account = Account { bind, frame: &mut frame };
    let mut from = 0;
    loop {
        let next = vfs::lock().next_changed(fs, from);
        let Some(file) = next else { break };
        from = file.id().ino + 1;
        account.tell_of(&file)?;
    }
    account.tell(Header { kind: binds::END, ..Header::default() }, 0)
}

/// Tells of one bind's files, record by record.
struct Account<'a> {
    bind: u64,
    /// Where a record is made.
    frame: &'a mut KernelFrame,
}

impl Account<'_> {
    /// Hands over a record whose bytes after the header, `len` of them, are in place.
    fn tell(&mut self, header: Header, len: usize) -> Result<(), Errno> {
        self.frame[..Header::BYTES].copy_from_slice(&header.to_bytes());
        let record = &self.frame[..Header::BYTES + len];
        let is_taken = host::with(|host| host.tell_changed(self.bind, record)).unwrap_or(false);
        if is_taken { Ok(()) } else { Err(Errno::EIO) }
    }

    /// The same, with these bytes.
    fn tell_with(&mut self, header: Header, bytes: &[u8]) -> Result<(), Errno> {
        self.frame[Header::BYTES..Header::BYTES + bytes.len()].copy_from_slice(bytes);
        self.tell(header, bytes.len())
    }

    fn tell_of(&mut self, file: &Inode) -> Result<(), Errno> {
        reclaim::settle()?;
        let stat = vfs::lock().stat(file)?;
        let (mode, seconds) = ((stat.mode & 0o7777).into(), u64::try_from(stat.mtime.seconds).unwrap_or(0));
        let modified_ns = seconds.saturating_mul(1_000_000_000).saturating_add(stat.mtime.nanoseconds.into());
        let begin = |kind| Header { kind, ino: stat.ino, mode, value: stat.size, modified_ns };
        match file.file_type() {
            FileType::Regular => {
                self.tell(begin(binds::FILE), 0)?;
                self.tell_contents(file, stat.size)
            }
            FileType::Directory => {
                self.tell(begin(binds::DIRECTORY), 0)?;
                self.tell_names(file)
            }
            FileType::Symlink => {
                self.tell(begin(binds::LINK), 0)?;
                let target = vfs::lock().readlink(file)?;
                let pieces = target.chunks(MAX_RECORD_BYTES - Header::BYTES);
                let mut at = 0;
                pieces.into_iter().try_for_each(|piece| {
                    let header =
                        Header { kind: binds::TARGET, ino: stat.ino, value: at, ..Header::default() };
                    at += piece.len() as u64;
                    self.tell_with(header, piece)
                })
            }
            FileType::CharDevice | FileType::BlockDevice | FileType::Fifo | FileType::Socket => {
                self.tell(begin(binds::SPECIAL), 0)
            }
        }
    }

    fn tell_names(&mut self, dir: &Inode) -> Result<(), Errno> {
        let mut told = Ok(());
        vfs::lock().each_changed_name(dir, &mut |name, ino| {
            let header = Header { kind: binds::ENTRY, ino: dir.id().ino, value: ino, ..Header::default() };
            told = self.tell_with(header, name);
            told.is_ok()
        })?;
        told
    }

    fn tell_contents(&mut self, file: &Inode, len_bytes: u64) -> Result<(), Errno> {
        let mut from = 0;
        loop {
            let next = vfs::lock().next_data(file, from)?;
            let Some(at) = next.filter(|&at| at < len_bytes) else { return Ok(()) };
            // No further than to the end of a page: behind it may be a hole.
            let room = MAX_RECORD_BYTES - Header::BYTES;
            let to_end_of_page = usize::try_from(isa::PAGE_SIZE - at % isa::PAGE_SIZE).unwrap_or(room);
            let bytes = at..at + room.min(to_end_of_page) as u64;
            let into = &mut self.frame[Header::BYTES..][..room.min(to_end_of_page)];
            let count =
                pages::restarting(file, &bytes, Transfer::Read, || vfs::lock().read_at(file, at, into))?;
            if count == 0 {
                return Ok(());
            }
            let header = Header { kind: binds::CONTENT, ino: file.id().ino, value: at, ..Header::default() };
            self.tell(header, count)?;
            from = at + count as u64;
        }
    }
}
