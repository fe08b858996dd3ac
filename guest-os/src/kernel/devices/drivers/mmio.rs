//! Device registers, reached through the direct map.

use crate::arch;
use isa::platform::Region;

/// A device's window. Offsets are checked against it.
#[derive(Clone, Copy)]
pub struct Mmio(Region);

impl Mmio {
    /// The window of a device named by [`isa::platform`] or the device tree.
    pub const fn new(window: Region) -> Self {
        Self(window)
    }
    fn address(self, offset: u64, width: u64) -> usize {
        assert!(
            offset + width <= self.0.len_bytes && offset.is_multiple_of(width),
            "a register outside its device"
        );
        arch::direct_map(self.0.base.wrapping_add(offset))
    }
    /// Reads an 8-bit register.
    pub fn read_u8(self, offset: u64) -> u8 {
        // SAFETY: inside a device's window, which is never Rust's memory.
        unsafe { (self.address(offset, 1) as *const u8).read_volatile() }
    }
    /// Writes an 8-bit register.
    pub fn write_u8(self, offset: u64, value: u8) {
        // SAFETY: as above.
        unsafe { (self.address(offset, 1) as *mut u8).write_volatile(value) }
    }
    /// Reads a 32-bit register.
    pub fn read_u32(self, offset: u64) -> u32 {
        // SAFETY: inside a device's window, which is never Rust's memory.
        unsafe { (self.address(offset, 4) as *const u32).read_volatile() }
    }
    /// Writes a 32-bit register.
    pub fn write_u32(self, offset: u64, value: u32) {
        // SAFETY: as above; devices write memory that the kernel gave them for it.
        unsafe { (self.address(offset, 4) as *mut u32).write_volatile(value) }
    }
    /// Reads a 64-bit register.
    pub fn read_u64(self, offset: u64) -> u64 {
        // SAFETY: as above.
        unsafe { (self.address(offset, 8) as *const u64).read_volatile() }
    }
    /// Writes a 64-bit register.
    pub fn write_u64(self, offset: u64, value: u64) {
        // SAFETY: as above.
        unsafe { (self.address(offset, 8) as *mut u64).write_volatile(value) }
    }
}
