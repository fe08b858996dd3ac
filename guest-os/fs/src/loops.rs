//! Loop devices (loop(4)): block devices whose bytes are those of a file.
//!
//! A device that is attached has its file open. What it is asked by `ioctl` is the kernel's to read and write; here stands which file each has,
//! and which part of it.

use crate::{Errno, OpenFileId};

/// How many there are: those that Linux makes without being asked.
pub const LOOP_DEVICES: u8 = 8;
/// Bytes of a name that is told with a device, its NUL included.
pub const LOOP_NAME_BYTES: usize = 64;
/// Bytes of a block, unless it is said otherwise.
const SECTOR_BYTES: u32 = 512;

/// A loop device by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoopDevice(u8);

impl LoopDevice {
    const MAJOR: u64 = 7;

    /// One by its number, if there is such.
    pub fn new(number: u8) -> Option<Self> {
        (number < LOOP_DEVICES).then_some(Self(number))
    }
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..LOOP_DEVICES).map(Self)
    }
    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
    /// Its device number.
    pub fn rdev(self) -> u64 {
        crate::stat::device_number(Self::MAJOR, self.0.into())
    }
    /// The one that a node with this number stands for.
    pub(crate) fn from_rdev(rdev: u64) -> Option<Self> {
        Self::all().find(|device| device.rdev() == rdev)
    }
}

/// What a device is attached to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attached {
    /// Its file.
    pub file: OpenFileId,
    /// Where in the file it begins, in bytes.
    pub offset_bytes: u64,
    /// Bytes that it has at most; 0 for all that the file has.
    pub limit_bytes: u64,
    /// Bytes of a block.
    pub block_bytes: u32,
    /// It is not written.
    pub is_read_only: bool,
    /// It is detached when nobody has it open any more.
    pub goes_with_last_close: bool,
    /// What it is told by: the file's path, most often.
    pub name: [u8; LOOP_NAME_BYTES],
}

impl Attached {
    /// To all of a file.
    pub fn to(file: OpenFileId, is_read_only: bool) -> Self {
        Self {
            file,
            offset_bytes: 0,
            limit_bytes: 0,
            block_bytes: SECTOR_BYTES,
            is_read_only,
            goes_with_last_close: false,
            name: [0; LOOP_NAME_BYTES],
        }
    }

    /// Bytes of the device, whose file has `file_bytes`: whole sectors.
    pub fn len_bytes(&self, file_bytes: u64) -> u64 {
        let all = file_bytes.saturating_sub(self.offset_bytes);
        let len = if self.limit_bytes == 0 { all } else { all.min(self.limit_bytes) };
        len - len % u64::from(SECTOR_BYTES)
    }
}

/// What each device is attached to.
#[derive(Debug, Default)]
pub struct Loops {
    attached: [Option<Attached>; LOOP_DEVICES as usize],
    /// Files of devices that are attached no more, to be closed.
    left: [Option<OpenFileId>; LOOP_DEVICES as usize],
}

impl Loops {
    /// What a device is attached to. ENXIO if it is to nothing.
    pub fn get(&self, device: LoopDevice) -> Result<Attached, Errno> {
        self.attached[usize::from(device.0)].ok_or(Errno::ENXIO)
    }

    /// The first that is attached to nothing.
    pub fn first_free(&self) -> Option<LoopDevice> {
        LoopDevice::all().find(|&device| self.get(device).is_err())
    }

    /// Attaches a device to a file, of which it takes one reference over. EBUSY if it is attached.
    pub(crate) fn attach(&mut self, device: LoopDevice, to: Attached) -> Result<(), Errno> {
        match &mut self.attached[usize::from(device.0)] {
            Some(_) => Err(Errno::EBUSY),
            free => {
                *free = Some(to);
                Ok(())
            }
        }
    }

    /// Changes what is said of a device, but its file. ENXIO.
    pub fn change(&mut self, device: LoopDevice, to: Attached) -> Result<(), Errno> {
        let attached = self.attached[usize::from(device.0)].as_mut().ok_or(Errno::ENXIO)?;
        *attached = Attached { file: attached.file, ..to };
        Ok(())
    }

    /// Detaches a device. ENXIO; EBUSY while its last file is not closed.
    pub fn detach(&mut self, device: LoopDevice) -> Result<(), Errno> {
        let index = usize::from(device.0);
        let attached = self.get(device)?;
        if self.left[index].is_some() {
            return Err(Errno::EBUSY);
        }
        (self.attached[index], self.left[index]) = (None, Some(attached.file));
        Ok(())
    }

    /// Files of devices that are attached no more, one by one: the caller closes them.
    pub(crate) fn take_left(&mut self) -> Option<OpenFileId> {
        self.left.iter_mut().find_map(Option::take)
    }

    /// Nobody has a device open any more.
    pub(crate) fn closed(&mut self, device: LoopDevice) {
        if self.get(device).is_ok_and(|attached| attached.goes_with_last_close) {
            // If its file before is still to be closed, it stays attached.
            let _ = self.detach(device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_attached_once_and_its_file_is_given_back() {
        let mut loops = Loops::default();
        let [first, second] = [0, 1].map(|number| LoopDevice::new(number).unwrap());
        assert_eq!((loops.first_free(), LoopDevice::new(LOOP_DEVICES)), (Some(first), None));
        assert_eq!(loops.get(first), Err(Errno::ENXIO));
        let to = Attached::to(OpenFileId(7), false);
        assert_eq!(loops.attach(first, to), Ok(()));
        assert_eq!(loops.attach(first, to), Err(Errno::EBUSY));
        assert_eq!(loops.first_free(), Some(second));
        loops.closed(first);
        assert_eq!(loops.get(first), Ok(to), "nobody has said that it goes");
        loops
            .change(first, Attached { goes_with_last_close: true, ..Attached::to(OpenFileId(9), true) })
            .unwrap();
        loops.closed(first);
        assert_eq!(loops.take_left(), Some(OpenFileId(7)));
        assert_eq!((loops.take_left(), loops.detach(first)), (None, Err(Errno::ENXIO)));
        assert_eq!(LoopDevice::from_rdev(second.rdev()), Some(second));
    }

    #[test]
    fn a_part_of_a_file_in_whole_sectors() {
        let all = Attached::to(OpenFileId(1), false);
        assert_eq!(all.len_bytes(1535), 1024);
        assert_eq!(Attached { offset_bytes: 512, ..all }.len_bytes(1535), 512);
        assert_eq!(Attached { limit_bytes: 700, ..all }.len_bytes(1535), 512);
        assert_eq!(Attached { offset_bytes: 4096, ..all }.len_bytes(1535), 0);
    }
}
