//! Guest RAM: bytes at [`isa::platform::RAM_BASE`], addressed by [`PhysAddr`], sparse where untouched.

use isa::PhysAddr;
use isa::platform::RAM_BASE;

/// The machine's RAM.
pub struct Ram {
    bytes: Vec<u8>,
}

impl Ram {
    /// RAM of `len_bytes`, all zero. The host allocates lazily, so untouched RAM costs nothing.
    pub fn new(len_bytes: usize) -> Self {
        Self { bytes: vec![0; len_bytes] }
    }
    /// Size in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
    /// The bytes `[pa, pa + len)`, or `None` if any of them is not RAM.
    pub fn slice(&self, pa: PhysAddr, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(pa.0.checked_sub(RAM_BASE.0)?).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }
    /// Writes `data` at `pa` as a device or the loader does (decoded code there is dropped). `false`, and nothing
    /// is written, if any byte is not RAM.
    #[must_use]
    pub fn write(&mut self, pa: PhysAddr, data: &[u8]) -> bool {
        let Some(start) = pa.0.checked_sub(RAM_BASE.0).and_then(|s| usize::try_from(s).ok()) else {
            return false;
        };
        let Some(end) = start.checked_add(data.len()) else { return false };
        let Some(target) = self.bytes.get_mut(start..end) else { return false };
        target.copy_from_slice(data);
        true
    }
}
