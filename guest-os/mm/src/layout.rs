//! Where things lie in a user address space.
//!
//! The layout is Linux's for Sv39: without address randomisation, so that runs are the same each time, or with it, by numbers that the caller
//! draws ([`Layout::at_random`]).

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

/// Where a program's parts begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// First byte above the stack.
    pub stack_top: VirtAddr,
    /// Mappings without a fixed address are placed downwards from here.
    pub mmap_base: Vpn,
    /// Where a position-independent program is loaded.
    pub pie_base: VirtAddr,
    /// How far the heap begins behind the program, in bytes.
    pub heap_gap: u64,
}

/// What is placed at random.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Randomised {
    /// Stack, mappings, position-independent programs.
    AllButTheHeap,
    /// These, and the heap.
    All,
}

/// How many pages the stack and the heap move at most (1 GiB each, as Linux's `STACK_RND_MASK` and `arch_randomize_brk`).
const RANDOM_PAGES: u64 = 1 << 18;
/// How many pages mappings and programs move at most (Linux's `mmap_rnd_bits`: 18).
const RANDOM_MMAP_PAGES: u64 = 1 << 18;

impl Layout {
    /// The one without randomisation, for a stack that may have so many pages.
    pub const fn fixed(stack_limit_pages: u64) -> Self {
        let mmap_base = mmap_base_page(stack_limit_pages);
        Self { stack_top: STACK_TOP, mmap_base, pie_base: PIE_BASE, heap_gap: 0 }
    }

    /// One of 2^18 places for each part; `draw` gives 64 random bits at each call, and is called four times.
    pub fn at_random(stack_limit_pages: u64, what: Randomised, mut draw: impl FnMut() -> u64) -> Self {
        let [stack, mmap, program, heap] = [RANDOM_PAGES, RANDOM_MMAP_PAGES, RANDOM_MMAP_PAGES, RANDOM_PAGES]
            .map(|pages| draw() % pages * PAGE_SIZE);
        let fixed = Self::fixed(stack_limit_pages);
        // The room for the stack goes down with it; what a stack without limit leaves is not made less.
        let below = mmap_base_page(stack_limit_pages).base().0;
        let room_below = below.saturating_sub(PIE_BASE.0 + 2 * RANDOM_PAGES * PAGE_SIZE);
        let mmap_base = VirtAddr(below - (stack + mmap).min(room_below)).page();
        Self {
            stack_top: VirtAddr(fixed.stack_top.0 - stack),
            mmap_base,
            pie_base: VirtAddr(fixed.pie_base.0 + program),
            heap_gap: if what == Randomised::All { heap } else { 0 },
        }
    }
}

const _: () = assert!(USER_START_PAGE.0 < mmap_base_page(u64::MAX).0);
const _: () = assert!(PIE_BASE.0 < mmap_base_page(STACK_LIMIT_PAGES).base().0);
