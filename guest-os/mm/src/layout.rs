//! Where things lie in a user address space.
//!
//! The layout is Linux's for Sv39 without address randomisation, so that runs are the same each time.

use isa::{VirtAddr, Vpn};

/// First byte above user space: the lower half of Sv39 is the user's.
pub const USER_END: VirtAddr = VirtAddr(1 << 38);
/// First page above user space.
pub const USER_END_PAGE: Vpn = USER_END.page();
/// Lowest page that a mapping without a fixed address may use (`vm.mmap_min_addr` = 64 KiB).
pub const USER_START_PAGE: Vpn = Vpn(16);
/// First byte above the stack.
pub const STACK_TOP: VirtAddr = USER_END;
/// How far the stack may grow, in pages: 8 MiB, the usual `RLIMIT_STACK`.
pub const STACK_LIMIT_PAGES: u64 = 2048;
/// Pages that stay unmapped below a stack, so that running over its end is a fault and not a silent overwrite (1 MiB, as Linux keeps).
pub const STACK_GUARD_PAGES: u64 = 256;
/// Mappings without a fixed address are placed downwards from here: below the stack's limit and its guard.
pub const MMAP_BASE_PAGE: Vpn = Vpn(STACK_TOP.page().0 - STACK_LIMIT_PAGES - STACK_GUARD_PAGES);
/// Where a position-independent program is loaded (two thirds up user space, as Linux does).
pub const PIE_BASE: VirtAddr = VirtAddr(0x2a_aaaa_a000);
/// Most VMAs in an address space (`vm.max_map_count`).
pub const MAX_VMAS: usize = 65_530;

const _: () = assert!(USER_START_PAGE.0 < MMAP_BASE_PAGE.0 && PIE_BASE.0 < MMAP_BASE_PAGE.base().0);
