//! Copies from and to user memory.
//!
//! A user pointer is a claim. [`UserPtr`] holds the number and can't be dereferenced; each copy resolves every page
//! through [`crate::memory::fault::resolve`] and goes through the direct map. So the kernel takes no page faults and never sets SUM.

use crate::hart::{current, hart};
use crate::memory::fault::{self, Origin};
use crate::memory::mem::{self, FRAME_BYTES};
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use fs::Errno;
use isa::events::Access;
use isa::{PAGE_SIZE, PhysAddr, VirtAddr};
use mm::PhysMem;

/// An address that a user program claims to hold a `T`.
pub struct UserPtr<T = u8> {
    address: u64,
    _type: PhantomData<T>,
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for UserPtr<T> {}

impl<T> From<u64> for UserPtr<T> {
    fn from(address: u64) -> Self {
        Self { address, _type: PhantomData }
    }
}

/// Types that may be copied from and to user memory byte by byte.
///
/// # Safety
/// Every bit pattern must be a valid value. Values written to user memory must have been made from zeroed memory
/// ([`zeroed`]) if the type has padding, so that no kernel bytes leak.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),* $(,)?) => { $(
        // SAFETY: integers and structures of the system call interface, which consist of integers.
        unsafe impl $crate::memory::user::Plain for $type {}
    )* };
}
pub(crate) use plain;

plain!(u8, i8, u16, i16, u32, i32, u64, i64, [u64; 2], [u64; 3], [u64; 4], [u32; 2]);

/// A value whose bytes are all zero, padding included.
pub fn zeroed<T: Plain>() -> T {
    // SAFETY: every bit pattern is a valid `Plain` value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

impl<T> UserPtr<T> {
    /// Whether it is the null pointer.
    pub fn is_null(self) -> bool {
        self.address == 0
    }
    /// `Some` unless null.
    pub fn non_null(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }
}

impl<T: Plain> UserPtr<T> {
    /// The element `index` of an array.
    pub fn at(self, index: u64) -> Self {
        Self::from(self.address.wrapping_add(index.wrapping_mul(size_of::<T>() as u64)))
    }
    /// Reads the value.
    pub fn read(self) -> Result<T, Errno> {
        let mut value = zeroed::<T>();
        // SAFETY: `value` is `size_of::<T>()` initialised bytes, and any bytes make a valid value.
        let bytes = unsafe { core::slice::from_raw_parts_mut((&raw mut value).cast::<u8>(), size_of::<T>()) };
        copy_in(self.address, bytes)?;
        Ok(value)
    }
    /// Writes a value.
    pub fn write(self, value: T) -> Result<(), Errno> {
        // SAFETY: all bytes of a `Plain` value that is written are initialised (see the trait).
        let bytes = unsafe { core::slice::from_raw_parts((&raw const value).cast::<u8>(), size_of::<T>()) };
        copy_out(self.address, bytes)
    }
}

/// The part of `[address, address + len)` that lies in one page.
fn piece(address: u64, len: usize) -> usize {
    let room = usize::try_from(PAGE_SIZE - address % PAGE_SIZE).unwrap_or(FRAME_BYTES);
    room.min(len)
}

/// Where the byte at `address` lies, faulting its page in if need be.
pub fn resolve(address: u64, access: Access) -> Result<PhysAddr, Errno> {
    resolve_as(address, access, Origin::KernelCopy)
}

/// As [`resolve`], and says why.
#[inline]
pub fn resolve_as(address: u64, access: Access, origin: Origin) -> Result<PhysAddr, Errno> {
    let va = VirtAddr(address);
    let space = current().process.space();
    loop {
        let found = space.borrow().translate(&mem::memory(), va, access);
        if let Some(pa) = found {
            return Ok(pa);
        }
        // No fault for what would be none if the program did it itself.
        if hart().updates_marks.get() && space.borrow_mut().mark(&mut mem::memory(), va, access) {
            continue;
        }
        fault::resolve(va, access, origin).map_err(|_| Errno::EFAULT)?;
    }
}

/// As [`resolve`], whatever the page's protection says (`/proc/PID/mem`). A shared page that may not be written stays so.
pub fn resolve_forced(address: u64, access: Access) -> Result<PhysAddr, Errno> {
    let va = VirtAddr(address);
    let space = current().process.space();
    let prot = space.borrow().vmas().find(va.page()).map(|vma| vma.prot).ok_or(Errno::EFAULT)?;
    if prot.allows(access) {
        return resolve(address, access);
    }
    let pte = space.borrow().pte(&mem::memory(), va.page());
    if access == Access::Read && pte.is_valid() {
        return Ok(pte.ppn().base().wrapping_add(va.page_offset()));
    }
    fault::resolve_forced(va, access).map_err(|_| Errno::EFAULT)
}

/// Copies from user memory.
pub fn copy_in(address: u64, into: &mut [u8]) -> Result<(), Errno> {
    match copy_in_some(address, into)? {
        count if count == into.len() => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Copies a structure that grows from version to version, `len` bytes of it (openat2(2), "Extensibility"): what the program does not know is 0,
/// what it knows better must be. EINVAL if there is less than `least`, E2BIG if there is more than Folio knows.
pub fn copy_struct(address: u64, len: u64, least: u64, into: &mut [u64]) -> Result<(), Errno> {
    if len < least {
        return Err(Errno::EINVAL);
    }
    if len > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    into.fill(0);
    let (mut at, mut word) = (0, [0; 8]);
    while at < len {
        let count = usize::try_from(len - at).unwrap_or(word.len()).min(word.len());
        word = [0; 8];
        copy_in(address.wrapping_add(at), &mut word[..count])?;
        match usize::try_from(at / 8).ok().and_then(|index| into.get_mut(index)) {
            Some(known) => *known = u64::from_le_bytes(word),
            None if word == [0; 8] => {}
            None => return Err(Errno::E2BIG),
        }
        at += 8;
    }
    Ok(())
}

/// Copies from user memory up to the first page that can't be read. EFAULT only if not one byte came over.
pub fn copy_in_some(address: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < into.len() {
        let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        let len = piece(at, into.len() - done);
        match resolve(at, Access::Read) {
            Ok(pa) => mem::memory().phys().read_bytes(pa, &mut into[done..done + len]),
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        done += len;
    }
    Ok(done)
}

/// Copies to user memory.
pub fn copy_out(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    match copy_out_some(address, bytes)? {
        count if count == bytes.len() => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Copies to user memory up to the first page that can't be written. EFAULT only if not one byte went over.
pub fn copy_out_some(address: u64, bytes: &[u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < bytes.len() {
        let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        let len = piece(at, bytes.len() - done);
        match resolve(at, Access::Write) {
            Ok(pa) => mem::memory().phys_mut().write_bytes(pa, &bytes[done..done + len]),
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        done += len;
    }
    Ok(done)
}

/// A NUL-terminated string of at most `limit` bytes; `too_long` if no NUL comes in time.
pub fn read_string(address: u64, limit: usize, too_long: Errno) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    each_chunk(address, limit, too_long, |chunk| {
        text.try_reserve(chunk.len()).map_err(|_| Errno::ENOMEM)?;
        text.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(text)
}

/// Hands a string as by [`read_string`] to `action`, chunk by chunk.
pub fn each_chunk(
    address: u64,
    limit: usize,
    too_long: Errno,
    mut action: impl FnMut(&[u8]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    /// Bytes looked at in one go: strings are short, and their vectors stay as large as they are made.
    const CHUNK_BYTES: usize = 64;
    let mut done = 0;
    while done < limit {
        let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        let len = piece(at, CHUNK_BYTES.min(limit - done));
        let pa = resolve(at, Access::Read)?;
        let mut chunk = [0; CHUNK_BYTES];
        mem::memory().phys().read_bytes(pa, &mut chunk[..len]);
        match chunk[..len].iter().position(|&byte| byte == 0) {
            Some(end) => return action(&chunk[..end]),
            None => action(&chunk[..len])?,
        }
        done += len;
    }
    Err(too_long)
}

/// Bytes of the longest path that a call takes or tells, with the NUL.
pub const PATH_MAX: usize = 4096;

/// A path (ENAMETOOLONG from `PATH_MAX` on).
pub fn read_path(address: u64) -> Result<Vec<u8>, Errno> {
    read_string(address, PATH_MAX, Errno::ENAMETOOLONG)
}
