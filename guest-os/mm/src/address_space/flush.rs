//! What the TLB must forget after a change of page tables.

use crate::vma::PageRange;
use isa::Vpn;

/// What the TLB must forget before the address space is used again.
///
/// `sfence.vma` with an address orders changes of leaf entries only (privileged manual, "Supervisor
/// Memory-Management Fence Instruction"), so a change that frees a page table asks for [`Flush::All`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub enum Flush {
    /// Nothing.
    #[default]
    None,
    /// These pages: `sfence.vma va, asid` for each.
    Pages(PageRange),
    /// The whole address space: `sfence.vma x0, asid`.
    All,
}

impl Flush {
    /// Beyond so many pages, one fence for the whole address space is cheaper than one for each page.
    pub const MAX_PAGES: u64 = 64;

    /// One page.
    pub fn page(vpn: Vpn) -> Self {
        Self::Pages(PageRange::new(vpn, Vpn(vpn.0 + 1)))
    }

    /// What satisfies both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, flush) | (flush, Self::None) => flush,
            (Self::Pages(a), Self::Pages(b)) => {
                let hull = PageRange::new(a.start.min(b.start), a.end.max(b.end));
                if hull.len_pages() <= Self::MAX_PAGES { Self::Pages(hull) } else { Self::All }
            }
            (Self::All, _) | (_, Self::All) => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushes_add_up() {
        let pages = |a, b| Flush::Pages(PageRange::new(Vpn(a), Vpn(b)));
        for (a, b, both) in [
            (Flush::None, Flush::None, Flush::None),
            (Flush::None, Flush::page(Vpn(3)), Flush::page(Vpn(3))),
            (Flush::page(Vpn(3)), Flush::page(Vpn(5)), pages(3, 6)),
            (Flush::page(Vpn(3)), Flush::page(Vpn(66)), pages(3, 67)),
            (Flush::page(Vpn(3)), Flush::page(Vpn(67)), Flush::All),
            (Flush::page(Vpn(3)), Flush::All, Flush::All),
        ] {
            assert_eq!(a.and(b), both);
            assert_eq!(b.and(a), both);
        }
    }
}
