//! Addresses and page numbers as four types that do not mix.
//!
//! A guest address is a `u64` in one of these wrappers; it is never a `usize` and never a host pointer.
//! Arithmetic wraps at 2^64, as the hardware's does (unprivileged manual, chapter 1.4 "Memory").

use core::fmt;

/// log2 of the base page size.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a base page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
const OFFSET_MASK: u64 = PAGE_SIZE - 1;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident, $page:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The page that holds this address.
            #[inline]
            pub const fn page(self) -> $page {
                $page(self.0 >> PAGE_SHIFT)
            }
            /// Offset within the page, in bytes.
            #[inline]
            pub const fn page_offset(self) -> u64 {
                self.0 & OFFSET_MASK
            }
            /// The address `bytes` further on, wrapping at 2^64.
            #[inline]
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }
            /// The first byte of this address's page.
            #[inline]
            pub const fn page_base(self) -> Self {
                Self(self.0 & !OFFSET_MASK)
            }
            /// Whether the address is a multiple of `align` (a power of two).
            #[inline]
            pub const fn is_aligned(self, align: u64) -> bool {
                self.0 & (align - 1) == 0
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! page_number {
    ($(#[$doc:meta])* $name:ident, $addr:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The first byte of the page (wrapping at 2^64).
            #[inline]
            pub const fn base(self) -> $addr {
                $addr(self.0 << PAGE_SHIFT)
            }
            /// The page `pages` further on.
            #[inline]
            pub const fn wrapping_add(self, pages: u64) -> Self {
                Self(self.0.wrapping_add(pages))
            }
        }
    };
}

address!(
    /// An address before translation, as a program sees it.
    VirtAddr,
    Vpn
);
address!(
    /// An address after translation: what goes out on the bus.
    PhysAddr,
    Ppn
);
page_number!(
    /// Virtual page number: a [`VirtAddr`] divided by [`PAGE_SIZE`].
    Vpn,
    VirtAddr
);
page_number!(
    /// Physical page number: a [`PhysAddr`] divided by [`PAGE_SIZE`].
    Ppn,
    PhysAddr
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_and_offset_make_the_address_again() {
        let va = VirtAddr(0x1234_5678);
        assert_eq!(va.page(), Vpn(0x12345));
        assert_eq!(va.page_offset(), 0x678);
        assert_eq!(va.page().base().wrapping_add(va.page_offset()), va);
        assert_eq!(va.page_base(), VirtAddr(0x1234_5000));
    }
}
