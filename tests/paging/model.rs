//! The virtual address translation process of the privileged manual, step by step ("Sv32: Page-Based 32-bit
//! Virtual-Memory Systems", "Virtual Address Translation Process", with the changes for Sv39, Sv48, Sv57, Svnapot,
//! Svpbmt, Svade and Svadu). It shares nothing with the emulator's walk; bits are written as numbers.

/// What is attempted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Fetch,
    Load,
    /// A store or an AMO.
    Store,
}

/// The state that decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    /// 3, 4 or 5.
    pub levels: u32,
    pub root: u64,
    pub user: bool,
    pub sum: bool,
    pub mxr: bool,
    pub adue: bool,
    pub pbmte: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Page,
    Access,
}

/// Where an access goes, and the leaf as the walk leaves it in memory: under Svadu A and D may have become set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub pa: u64,
    pub pte: u64,
    pub pte_addr: u64,
    /// log2 of the bytes that the leaf maps.
    pub size_log2: u32,
}

const V: u64 = 0x01;
const R: u64 = 0x02;
const W: u64 = 0x04;
const X: u64 = 0x08;
const U: u64 = 0x10;
const A: u64 = 0x40;
const D: u64 = 0x80;

/// Whether the permissions of a leaf allow the access (steps 6 to 8).
pub fn allowed(pte: u64, access: Access, mode: Mode) -> bool {
    let owner = if mode.user { pte & U != 0 } else { pte & U == 0 || mode.sum && access != Access::Fetch };
    let right = match access {
        Access::Fetch => pte & X != 0,
        Access::Load => pte & R != 0 || mode.mxr && pte & X != 0,
        Access::Store => pte & W != 0,
    };
    owner && right
}

/// Whether A, and D for a store, are set.
pub fn accessed_and_dirty(pte: u64, access: Access) -> bool {
    pte & A != 0 && (access != Access::Store || pte & D != 0)
}

/// Translates `va`. `read` gives eight bytes of memory, `None` where there is none.
pub fn translate(
    read: impl Fn(u64) -> Option<u64>,
    va: u64,
    access: Access,
    mode: Mode,
) -> Result<Found, Fault> {
    let bits = 12 + 9 * mode.levels;
    let high = (va as i64) >> (bits - 1);
    if high != 0 && high != -1 {
        return Err(Fault::Page);
    }
    // Step 1.
    let mut a = mode.root;
    let mut i = mode.levels;
    loop {
        // Step 2. (Here i counts down to 0, not to -1.)
        if i == 0 {
            return Err(Fault::Page);
        }
        i -= 1;
        let pte_addr = a + (va >> (12 + 9 * i) & 0x1ff) * 8;
        let pte = read(pte_addr).ok_or(Fault::Access)?;
        // Step 3.
        if pte & V == 0 || pte & R == 0 && pte & W != 0 {
            return Err(Fault::Page);
        }
        let (ppn, pbmt, n) = (pte >> 10 & 0xfff_ffff_ffff, pte >> 61 & 3, pte >> 63);
        let leaf = pte & R != 0 || pte & X != 0;
        if pte >> 54 & 0x7f != 0 || pbmt == 3 || pbmt != 0 && !mode.pbmte {
            return Err(Fault::Page);
        }
        // Step 4.
        if !leaf {
            if pte & (A | D | U) != 0 || pbmt != 0 || n != 0 {
                return Err(Fault::Page);
            }
            a = ppn << 12;
            continue;
        }
        // Step 5: a misaligned superpage; N anywhere but in 64 KiB leaves of the last level is reserved.
        if ppn & ((1 << (9 * i)) - 1) != 0 || n != 0 && (i != 0 || ppn & 0xf != 8) {
            return Err(Fault::Page);
        }
        // Steps 6 to 8.
        if !allowed(pte, access, mode) {
            return Err(Fault::Page);
        }
        // Step 9.
        let mut pte = pte;
        if !accessed_and_dirty(pte, access) {
            if !mode.adue {
                return Err(Fault::Page);
            }
            pte |= A | if access == Access::Store { D } else { 0 };
        }
        // Step 10.
        let size_log2 = if n != 0 { 16 } else { 12 + 9 * i };
        let low = (1u64 << size_log2) - 1;
        return Ok(Found { pa: ppn << 12 & !low | va & low, pte, pte_addr, size_log2 });
    }
}
