//! Sealing files in memory: F_ADD_SEALS and F_GET_SEALS of `fcntl`. What a seal means for what is done with a file is in `fs`.

use super::files::details;
use super::{Outcome, uint};
use crate::files::vfs;
use crate::memory::pages;
use crate::processes::process;
use fs::{Errno, Inode, Object, OpenFileId, Seals};
use mm::{Backing, VmaFlags};

/// A file that can be sealed. EINVAL if it is another one.
fn file_of(id: OpenFileId) -> Result<Inode, Errno> {
    match details(id).object {
        Object::Memory(inode) if vfs::lock().has_seals(&inode) => Ok(inode),
        _ => Err(Errno::EINVAL),
    }
}

pub fn get(id: OpenFileId) -> Outcome {
    Ok(u64::from(file_of(id)?.seals().bits()))
}

/// EBUSY while somebody has a mapping by which a file could be written that is not to be written any more.
pub fn add(id: OpenFileId, seals: u64) -> Outcome {
    details(id).check_writable().map_err(|_| Errno::EPERM)?;
    let added = Seals::from_bits(uint(seals)).ok_or(Errno::EINVAL)?;
    let inode = file_of(id)?;
    let mode = vfs::lock().stat(&inode)?.mode;
    let before = inode.seals();
    let sealed = before.with(added, mode)?;
    if (sealed - before).contains(Seals::WRITE) && is_mapped_for_writing(&inode)? {
        return Err(Errno::EBUSY.into());
    }
    inode.set_seals(sealed);
    Ok(0)
}

fn is_mapped_for_writing(inode: &Inode) -> Result<bool, Errno> {
    let (number, _) = pages::open(inode)?;
    let mut found = false;
    process::each_living(|process| {
        if let Some(space) = &*process.space.borrow() {
            found |= space.borrow().vmas().iter().any(|vma| {
                let is_writable =
                    vma.flags.contains(VmaFlags::SHARED) && !vma.flags.contains(VmaFlags::NEVER_WRITABLE);
                is_writable && matches!(vma.backing, Backing::File(file) if file.file == number)
            });
        }
    });
    pages::release_unmapped_files();
    Ok(found)
}
