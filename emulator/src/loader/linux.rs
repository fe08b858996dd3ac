//! The header of a Linux kernel image for RISC-V: where it wants to lie and how much memory it takes.
//!
//! Follows Documentation/arch/riscv/boot-image-header.rst: 64 bytes at the start of the image, the same in images that
//! are EFI programs too. A compressed image (`Image.gz`) has to be unpacked first.

const HEADER_BYTES: usize = 64;
const TEXT_OFFSET_AT: usize = 8;
const IMAGE_SIZE_AT: usize = 16;
const MAGIC2_AT: usize = 56;
const MAGIC2: &[u8; 4] = b"RSC\x05";

const EFI_MAGIC: &[u8; 2] = b"MZ";
/// Where the offset of the PE header stands.
const PE_OFFSET_AT: usize = 60;
const PE_MAGIC: &[u8; 4] = b"PE\0\0";
/// Within the PE header: the number of sections, the size of the optional header, and where that begins.
const PE_SECTIONS_AT: usize = 6;
const PE_OPTIONAL_BYTES_AT: usize = 20;
const PE_OPTIONAL_AT: usize = 24;
const SECTION_BYTES: usize = 40;
/// Within a section's header: how much of the file it is, and from where.
const RAW_BYTES_AT: usize = 16;
const RAW_OFFSET_AT: usize = 20;

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

/// How long the file must at least be, if it is an EFI program.
pub fn efi_bytes(bytes: &[u8]) -> Option<usize> {
    let is_linux = bytes.get(MAGIC2_AT..HEADER_BYTES - 4).is_none_or(|magic| magic == MAGIC2);
    if !bytes.starts_with(EFI_MAGIC) || !is_linux {
        return None;
    }
    let Some(pe) = number(bytes, PE_OFFSET_AT, 4) else { return Some(HEADER_BYTES) };
    let Some(optional) = number(bytes, pe.checked_add(PE_OPTIONAL_BYTES_AT)?, 2) else {
        return pe.checked_add(PE_OPTIONAL_AT);
    };
    if bytes.get(pe..pe + PE_MAGIC.len())? != PE_MAGIC {
        return None;
    }
    let table = pe + PE_OPTIONAL_AT + optional;
    let count = number(bytes, pe + PE_SECTIONS_AT, 2)?;
    let mut wanted = table + count * SECTION_BYTES;
    for section in (0..count).map(|index| table + index * SECTION_BYTES) {
        let Some(offset) = number(bytes, section + RAW_OFFSET_AT, 4) else { break };
        wanted = wanted.max(offset.checked_add(number(bytes, section + RAW_BYTES_AT, 4)?)?);
    }
    Some(wanted)
}

/// A little-endian number of `len` bytes.
fn number(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    let value = bytes.get(at..at.checked_add(len)?)?;
    Some(value.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image that is an EFI program of one section, 0x200 bytes from 0x400 on.
    fn image() -> Vec<u8> {
        let mut bytes = vec![0; 0x600];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, EFI_MAGIC);
        put(IMAGE_SIZE_AT, &0x1000u64.to_le_bytes());
        put(MAGIC2_AT, MAGIC2);
        put(PE_OFFSET_AT, &[64]);
        put(64, PE_MAGIC);
        put(64 + PE_SECTIONS_AT, &[1]);
        put(64 + PE_OPTIONAL_BYTES_AT, &[0xa0]);
        let section = 64 + PE_OPTIONAL_AT + 0xa0;
        put(section + RAW_BYTES_AT, &[0, 2]);
        put(section + RAW_OFFSET_AT, &[0, 4]);
        bytes
    }

    #[test]
    fn an_image_cut_short_is_known_by_its_sections() {
        let image = image();
        assert_eq!(LinuxImage::parse(&image), Some(LinuxImage { text_offset: 0, memory_bytes: 0x1000 }));
        assert_eq!(efi_bytes(&image), Some(0x600));
        for len in EFI_MAGIC.len()..image.len() {
            assert!(efi_bytes(&image[..len]).is_some_and(|wanted| wanted > len), "{len}");
        }
    }

    #[test]
    fn what_is_no_efi_program_has_any_length() {
        let mut other = image();
        other[0] = 0;
        assert_eq!(efi_bytes(&other), None);
        for at in [MAGIC2_AT, 64] {
            let mut other = image();
            other[at] = 0;
            assert_eq!(efi_bytes(&other), None, "{at}");
        }
    }
}
