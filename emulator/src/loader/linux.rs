//! The header of a Linux kernel image for RISC-V: where it wants to lie and how much memory it takes.
//!
//! Follows Documentation/arch/riscv/boot-image-header.rst: 64 bytes at the start of the image, the same in images that
//! are EFI programs too. A compressed image (`Image.gz`) has to be unpacked first.

const HEADER_BYTES: usize = 64;
const TEXT_OFFSET_AT: usize = 8;
const IMAGE_SIZE_AT: usize = 16;
const MAGIC2_AT: usize = 56;
const MAGIC2: &[u8; 4] = b"RSC\x05";

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinuxImage {
    /// Where the image goes, counted from the start of RAM.
    pub text_offset: u64,
    /// Memory that it takes, what is not in the file included.
    pub memory_bytes: u64,
}

impl LinuxImage {
    /// Reads the header, if there is one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        if header[MAGIC2_AT..MAGIC2_AT + 4] != *MAGIC2 {
            return None;
        }
        let word =
            |at: usize| header[at..at + 8].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let memory_bytes = word(IMAGE_SIZE_AT).max(bytes.len() as u64);
        Some(Self { text_offset: word(TEXT_OFFSET_AT), memory_bytes })
    }
}
