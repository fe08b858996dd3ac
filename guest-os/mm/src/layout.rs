//! Where things lie in a user address space.
//!
//! The layout is Linux's for Sv39 without address randomisation, so that runs are the same each time.

use isa::{PAGE_SIZE, VirtAddr, Vpn};

/// First byte above user space: the lower half of Sv39 is the user's.
pub const USER_END: VirtAddr = VirtAddr(1 << 38);
/// First page above user space.
pub const USER_END_PAGE: Vpn = USER_END.page();
/// Lowest page that a mapping without a fixed address may use (`vm.mmap_min_addr` = 64 KiB).
pub const USER_START_PAGE: Vpn = Vpn(16);
/// First byte above the stack.
pub const STACK_TOP: VirtAddr = USER_END;
/// How far the stack may grow, in pages, unless something else is said: 8 MiB, the usual `RLIMIT_STACK`.
pub const STACK_LIMIT_PAGES: u64 = 2048;
/// Pages that stay unmapped below a stack, so that running over its end is a fault and not a silent overwrite (1 MiB, as Linux keeps).
pub const STACK_GUARD_PAGES: u64 = 256;
/// The least and the most that is kept for the stack and its guard: 128 MiB, so that a limit that is raised while a program runs
/// has some effect, and five sixths of user space.
const STACK_GAP_PAGES: (u64, u64) = ((128 << 20) / PAGE_SIZE, USER_END_PAGE.0 / 6 * 5);

/// Mappings without a fixed address are placed downwards from here: below the room for a stack with this limit.
pub const fn mmap_base_page(stack_limit_pages: u64) -> Vpn {
    let (least, most) = STACK_GAP_PAGES;
    let wanted = stack_limit_pages.saturating_add(STACK_GUARD_PAGES);
    let gap = if wanted < least {
        least
    } else if wanted > most {
        most
    } else {
        wanted
    };
    Vpn(STACK_TOP.page().0 - gap)
}
/// Where a position-independent program is loaded (two thirds up user space, as Linux does).
pub const PIE_BASE: VirtAddr = VirtAddr(0x2a_aaaa_a000);
/// Most VMAs in an address space (`vm.max_map_count`).
pub const MAX_VMAS: usize = 65_530;

const _: () = assert!(USER_START_PAGE.0 < mmap_base_page(u64::MAX).0);
const _: () = assert!(PIE_BASE.0 < mmap_base_page(STACK_LIMIT_PAGES).base().0);
