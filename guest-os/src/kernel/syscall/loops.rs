//! Loop devices (loop(4)): what they are asked by `ioctl`, and reading and writing them, which is reading and writing their files.

use super::files::{close_released, details, file_to_use};
use super::io::{self, Moved, Position};
use super::{Arguments, Outcome, length, uint};
use crate::files::vfs::{self, open_files};
use crate::memory::user::{self, UserPtr};
use fs::{Attached, Errno, LOOP_NAME_BYTES, LoopDevice, Object, OpenFileId, OpenFlags};
use linux_raw_sys::ioctl as request;

/// Requests (`linux/loop.h`).
const SET_FD: u32 = 0x4c00;
const CLR_FD: u32 = 0x4c01;
const SET_STATUS: u32 = 0x4c02;
const GET_STATUS: u32 = 0x4c03;
const SET_STATUS64: u32 = 0x4c04;
const GET_STATUS64: u32 = 0x4c05;
const CHANGE_FD: u32 = 0x4c06;
const SET_CAPACITY: u32 = 0x4c07;
const SET_DIRECT_IO: u32 = 0x4c08;
const SET_BLOCK_SIZE: u32 = 0x4c09;
const CONFIGURE: u32 = 0x4c0a;
/// Those of `/dev/loop-control`.
const ADD: u32 = 0x4c80;
const REMOVE: u32 = 0x4c81;
const GET_FREE: u32 = 0x4c82;

/// Bits of a device's flags.
const READ_ONLY: u32 = 1;
const AUTOCLEAR: u32 = 4;

/// `struct loop_info64`, and where in it lie what is told and said.
const INFO64_BYTES: usize = 232;
const OFFSET64: usize = 24;
const LIMIT64: usize = 32;
const NUMBER64: usize = 40;
const FLAGS64: usize = 52;
const NAME64: usize = 56;
/// The same of `struct loop_info`.
const INFO_BYTES: usize = 160;
const OFFSET: usize = 20;
const FLAGS: usize = 32;
const NAME: usize = 36;
/// `struct loop_config`: a descriptor, the size of a block, a `struct loop_info64`, and room for more.
const INFO_IN_CONFIG: u64 = 8;

/// A request of a loop device. ENXIO if it is attached to nothing, ENOTTY for one that it does not know.
pub fn request(id: OpenFileId, device: LoopDevice, [_, number, argument, ..]: Arguments) -> Outcome {
    match uint(number) {
        SET_FD => attach(id, device, argument, None)?,
        CONFIGURE => {
            let [fd, block_bytes] = UserPtr::<[u32; 2]>::from(argument).read()?;
            let mut info = [0; INFO64_BYTES];
            user::copy_in(argument.wrapping_add(INFO_IN_CONFIG), &mut info)?;
            check_block(block_bytes, true)?;
            attach(id, device, fd.into(), Some((block_bytes, &info)))?;
        }
        CLR_FD => {
            open_files().loops_mut().detach(device)?;
            close_released();
        }
        SET_STATUS64 => {
            let mut info = [0; INFO64_BYTES];
            user::copy_in(argument, &mut info)?;
            change(device, |attached| said64(attached, &info))?;
        }
        SET_STATUS => {
            let mut info = [0; INFO_BYTES];
            user::copy_in(argument, &mut info)?;
            change(device, |attached| said(attached, &info))?;
        }
        GET_STATUS64 => user::copy_out(argument, &told64(device)?)?,
        GET_STATUS => user::copy_out(argument, &told(device)?)?,
        CHANGE_FD => return Err(Errno::EINVAL.into()),
        // Its length is looked at each time, and the file is read by the page cache.
        SET_CAPACITY => _ = open_files().loops().get(device)?,
        SET_DIRECT_IO if argument == 0 => _ = open_files().loops().get(device)?,
        SET_DIRECT_IO => return Err(Errno::EINVAL.into()),
        SET_BLOCK_SIZE => {
            check_block(uint(argument), false)?;
            change(device, |attached| Attached { block_bytes: uint(argument), ..attached })?;
        }
        request::BLKGETSIZE64 => UserPtr::<u64>::from(argument).write(len_bytes(device)?)?,
        request::BLKGETSIZE => UserPtr::<u64>::from(argument).write(len_bytes(device)? / 512)?,
        request::BLKSSZGET | request::BLKPBSZGET => {
            let block = open_files().loops().get(device).map_or(512, |attached| attached.block_bytes);
            UserPtr::<u32>::from(argument).write(block)?;
        }
        request::BLKBSZGET => UserPtr::<u32>::from(argument).write(4096)?,
        request::BLKROGET => {
            let is_read_only = open_files().loops().get(device).is_ok_and(|attached| attached.is_read_only);
            UserPtr::<u32>::from(argument).write(is_read_only.into())?;
        }
        request::BLKFLSBUF => {}
        _ => return Err(Errno::ENOTTY.into()),
    }
    Ok(0)
}

/// A request of `/dev/loop-control`. There are as many devices as there are: EEXIST for one more of those, ENOSPC for others, EBUSY for one
/// less.
pub fn control([_, number, argument, ..]: Arguments) -> Outcome {
    let named = u8::try_from(argument).ok().and_then(LoopDevice::new);
    match uint(number) {
        GET_FREE => {
            let free = open_files().loops().first_free().ok_or(Errno::ENOSPC)?;
            Ok(free.number().into())
        }
        ADD if named.is_some() => Err(Errno::EEXIST.into()),
        ADD => Err(Errno::ENOSPC.into()),
        REMOVE if named.is_some() => Err(Errno::EBUSY.into()),
        REMOVE => Err(Errno::ENODEV.into()),
        _ => Err(Errno::ENOTTY.into()),
    }
}

/// A block is a power of two from 512 bytes to a page; 0 for what it is at first, where that `may` be said.
fn check_block(bytes: u32, may_be_zero: bool) -> Result<(), Errno> {
    let is_size = bytes.is_power_of_two() && (512..=4096).contains(&bytes);
    if is_size || may_be_zero && bytes == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Attaches a device, which is open as `id`, to the file that is open as `fd`. EBUSY, EBADF; EINVAL for what is no regular file.
fn attach(
    id: OpenFileId,
    device: LoopDevice,
    fd: u64,
    with: Option<(u32, &[u8; INFO64_BYTES])>,
) -> Result<(), Errno> {
    let file = file_to_use(fd)?;
    let opened = details(file);
    if !matches!(opened.object, Object::Disk(_) | Object::Memory(_)) {
        return Err(Errno::EINVAL);
    }
    let mut files = open_files();
    let is_read_only = !opened.flags.is_writable() || !files.get(id).flags.is_writable();
    let mut to = Attached::to(file, is_read_only);
    if let Some((block_bytes, info)) = with {
        to = said64(to, info);
        to.is_read_only |= word(info, FLAGS64) & READ_ONLY != 0;
        if block_bytes != 0 {
            to.block_bytes = block_bytes;
        }
    }
    files.attach_loop(device, to)
}

fn change(device: LoopDevice, to: impl FnOnce(Attached) -> Attached) -> Result<(), Errno> {
    let mut files = open_files();
    let now = files.loops().get(device)?;
    files.loops_mut().change(device, to(now))
}

fn word(info: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(core::array::from_fn(|index| info[at + index]))
}

fn double(info: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(core::array::from_fn(|index| info[at + index]))
}

fn name_at(info: &[u8], at: usize) -> [u8; LOOP_NAME_BYTES] {
    let mut name = core::array::from_fn(|index| info[at + index]);
    name[LOOP_NAME_BYTES - 1] = 0;
    name
}

/// What a `struct loop_info64` says of a device.
fn said64(attached: Attached, info: &[u8; INFO64_BYTES]) -> Attached {
    Attached {
        offset_bytes: double(info, OFFSET64),
        limit_bytes: double(info, LIMIT64),
        goes_with_last_close: word(info, FLAGS64) & AUTOCLEAR != 0,
        name: name_at(info, NAME64),
        ..attached
    }
}

/// What a `struct loop_info` says.
fn said(attached: Attached, info: &[u8; INFO_BYTES]) -> Attached {
    Attached {
        offset_bytes: word(info, OFFSET).into(),
        limit_bytes: 0,
        goes_with_last_close: word(info, FLAGS) & AUTOCLEAR != 0,
        name: name_at(info, NAME),
        ..attached
    }
}

/// What is told of a device, and the device and number of its file.
fn facts(device: LoopDevice) -> Result<(Attached, u64, u64, u32), Errno> {
    let attached = open_files().loops().get(device)?;
    let stat = vfs::lock().stat_open(&details(attached.file))?;
    let goes = if attached.goes_with_last_close { AUTOCLEAR } else { 0 };
    let flags = if attached.is_read_only { READ_ONLY } else { 0 } | goes;
    Ok((attached, stat.dev, stat.ino, flags))
}

fn told64(device: LoopDevice) -> Result<[u8; INFO64_BYTES], Errno> {
    let (attached, dev, ino, flags) = facts(device)?;
    let mut info = [0; INFO64_BYTES];
    let mut put = |at: usize, bytes: &[u8]| info[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &dev.to_ne_bytes());
    put(8, &ino.to_ne_bytes());
    put(OFFSET64, &attached.offset_bytes.to_ne_bytes());
    put(LIMIT64, &attached.limit_bytes.to_ne_bytes());
    put(NUMBER64, &u32::from(device.number()).to_ne_bytes());
    put(FLAGS64, &flags.to_ne_bytes());
    put(NAME64, &attached.name);
    Ok(info)
}

/// EOVERFLOW for an offset that a `struct loop_info` has no room for.
fn told(device: LoopDevice) -> Result<[u8; INFO_BYTES], Errno> {
    let (attached, dev, ino, flags) = facts(device)?;
    let offset = i32::try_from(attached.offset_bytes).map_err(|_| Errno::EOVERFLOW)?;
    let mut info = [0; INFO_BYTES];
    let mut put = |at: usize, bytes: &[u8]| info[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &u32::from(device.number()).to_ne_bytes());
    put(4, &u32::try_from(dev).unwrap_or(0).to_ne_bytes());
    put(8, &ino.to_ne_bytes());
    put(OFFSET, &offset.to_ne_bytes());
    put(FLAGS, &flags.to_ne_bytes());
    put(NAME, &attached.name);
    Ok(info)
}

/// Bytes of a device: 0 for one that is attached to nothing.
pub fn len_bytes(device: LoopDevice) -> Result<u64, Errno> {
    let Ok(attached) = open_files().loops().get(device) else { return Ok(0) };
    Ok(attached.len_bytes(super::files::size_of_open(attached.file)?))
}

/// Reads what a device has at `offset`, as much of it as fits into the buffer.
pub fn read(device: LoopDevice, offset: u64, buffer: &mut [u8]) -> Moved {
    let Ok(attached) = open_files().loops().get(device) else { return Ok(0) };
    let room = length(len_bytes(device)?.saturating_sub(offset));
    let want = buffer.len().min(room);
    io::read_stored(&details(attached.file).object, attached.offset_bytes + offset, &mut buffer[..want])
}

/// Writes to a device at `offset`, up to its end. ENOSPC behind it, EPERM if it is read only.
pub fn write(device: LoopDevice, offset: u64, bytes: &[u8]) -> Moved {
    let attached = open_files().loops().get(device).map_err(|_| Errno::ENOSPC)?;
    if attached.is_read_only {
        return Err(Errno::EPERM.into());
    }
    let room = length(len_bytes(device)?.saturating_sub(offset));
    if room == 0 && !bytes.is_empty() {
        return Err(Errno::ENOSPC.into());
    }
    let want = bytes.len().min(room);
    let mut file = details(attached.file);
    // Wherever the file's own descriptor writes.
    file.flags = OpenFlags::RDWR;
    io::write_stored(attached.file, &file, &bytes[..want], Position::At(attached.offset_bytes + offset))
}
