//! The header of a swap area: the first page of a disk that `mkswap` has made one of (version 1; Linux's `include/linux/swap.h`).
//!
//! Slot 0 is the header's own page, the area's pages follow; all numbers are in pages of 4 KiB.

/// Bytes in a page, as this header counts them.
pub const PAGE_BYTES: usize = 4096;
/// Fewest pages of a swap area that `mkswap` makes.
pub const MIN_PAGES: u64 = 10;

/// What stands at the end of the first page.
const SIGNATURE: &[u8; 10] = b"SWAPSPACE2";
const SIGNATURE_AT: usize = PAGE_BYTES - SIGNATURE.len();
/// The bytes before are for boot loaders and disk labels.
const VERSION_AT: usize = 1024;
const LAST_PAGE_AT: usize = 1028;
const BAD_PAGES_AT: usize = 1032;
const UUID_AT: usize = 1036;
const LABEL_AT: usize = 1052;
const VERSION: u32 = 1;

/// What a swap area's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwapHeader {
    /// Number of the last page; the first is the header's.
    pub last_page: u32,
    /// The area's UUID.
    pub uuid: [u8; 16],
    /// The area's name, filled up with zeros.
    pub label: [u8; 16],
}

/// Why a disk is no swap area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotSwap {
    /// There is no signature.
    NoSignature,
    /// The header's version is not 1, but this.
    Version(u32),
    /// It has no page beside the header.
    Empty,
    /// The header speaks of so many pages, and the disk has fewer.
    TooShort(u64),
    /// So many pages are marked as bad. (Disks that have been made in this century see to that themselves.)
    BadPages(u32),
}

impl core::fmt::Display for NotSwap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSignature => write!(f, "it has no swap signature"),
            Self::Version(version) => write!(f, "its swap header has version {version}, not {VERSION}"),
            Self::Empty => write!(f, "its swap header speaks of no pages"),
            Self::TooShort(pages) => {
                write!(f, "its swap header speaks of {pages} pages, and it has not so many")
            }
            Self::BadPages(count) => write!(f, "its swap header lists {count} bad pages"),
        }
    }
}

impl SwapHeader {
    /// The first page of a swap area.
    pub fn to_page(&self) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(VERSION_AT, &VERSION.to_le_bytes());
        put(LAST_PAGE_AT, &self.last_page.to_le_bytes());
        put(UUID_AT, &self.uuid);
        put(LABEL_AT, &self.label);
        put(SIGNATURE_AT, SIGNATURE);
        page
    }

    /// The header on a disk's first page, if the disk, which has `disk_pages` pages, is a swap area that can be used.
    pub fn from_page(page: &[u8; PAGE_BYTES], disk_pages: u64) -> Result<Self, NotSwap> {
        if &page[SIGNATURE_AT..] != SIGNATURE {
            return Err(NotSwap::NoSignature);
        }
        let word = |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
        let bytes = |at: usize| core::array::from_fn(|index| page[at + index]);
        let header = Self { last_page: word(LAST_PAGE_AT), uuid: bytes(UUID_AT), label: bytes(LABEL_AT) };
        match (word(VERSION_AT), word(BAD_PAGES_AT)) {
            (version, _) if version != VERSION => Err(NotSwap::Version(version)),
            _ if header.last_page == 0 => Err(NotSwap::Empty),
            _ if header.pages() > disk_pages => Err(NotSwap::TooShort(header.pages())),
            (_, 0) => Ok(header),
            (_, count) => Err(NotSwap::BadPages(count)),
        }
    }

    /// Pages of the area, the header's among them.
    pub fn pages(&self) -> u64 {
        u64::from(self.last_page) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SwapHeader = SwapHeader { last_page: 99, uuid: [7; 16], label: *b"some label\0\0\0\0\0\0" };

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        assert_eq!(SwapHeader::from_page(&HEADER.to_page(), 100), Ok(HEADER));
        assert_eq!(SwapHeader::from_page(&HEADER.to_page(), 1000), Ok(HEADER), "the disk may be longer");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let with = |at: usize, value: u8| {
            let mut page = HEADER.to_page();
            page[at] = value;
            SwapHeader::from_page(&page, 100)
        };
        assert_eq!(with(SIGNATURE_AT, b's'), Err(NotSwap::NoSignature));
        assert_eq!(with(PAGE_BYTES - 1, b'1'), Err(NotSwap::NoSignature));
        assert_eq!(with(VERSION_AT, 2), Err(NotSwap::Version(2)));
        assert_eq!(with(LAST_PAGE_AT, 0), Err(NotSwap::Empty));
        assert_eq!(with(LAST_PAGE_AT, 100), Err(NotSwap::TooShort(101)));
        assert_eq!(with(BAD_PAGES_AT, 3), Err(NotSwap::BadPages(3)));
        assert_eq!(SwapHeader::from_page(&[0; PAGE_BYTES], 100), Err(NotSwap::NoSignature));
    }
}
