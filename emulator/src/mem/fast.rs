//! Fast lookup arrays: which virtual pages a hart may read, write or fetch from with no further question.
//!
//! They are caches of the TLB model (and of what lies behind it: permissions, PMP, RAM, decoded code), rebuilt
//! as the hart runs and never saved. They are banked by all that decides permissions and changes often
//! (privilege, SUM, MXR, translation on or off), so that a trap or an xRET only picks another bank. A page is in
//! an array only if *every* access of that kind to it, in the bank's state, is an ordinary RAM access that hits
//! in the model: no device, no watched address, and for stores no decoded code.
//!
//! What empties them: replacement and flushes in the model (a page, or by a new generation everything), a write
//! of `satp` or of a PMP register, a page that gets its first decoded code (stores), a new code cache (fetches).

use isa::{PAGE_SIZE, VirtAddr, Vpn};

const SLOTS: usize = 256;
const OFFSET_MASK: u64 = PAGE_SIZE - 1;

/// The state of the hart that a bank of the data arrays stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum DataBank {
    /// No translation, with the rights of M-mode.
    #[default]
    BareMachine = 0,
    /// No translation, with the rights of S- or U-mode.
    BareLower = 1,
    /// Translation in U-mode.
    User = 2,
    /// Translation in U-mode with MXR.
    UserMxr = 3,
    /// Translation in S-mode.
    Supervisor = 4,
    /// Translation in S-mode with MXR.
    SupervisorMxr = 5,
    /// Translation in S-mode with SUM.
    SupervisorSum = 6,
    /// Translation in S-mode with SUM and MXR.
    SupervisorSumMxr = 7,
}
const DATA_BANKS: usize = 8;
const _: () = assert!(DATA_BANKS <= u8::BITS as usize); // `used_banks`

impl DataBank {
    /// Whether addresses are translated.
    #[inline]
    pub const fn translates(self) -> bool {
        self as u8 >= Self::User as u8
    }
}

/// The state of the hart that a bank of the fetch array stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum FetchBank {
    /// No translation, M-mode.
    #[default]
    BareMachine = 0,
    /// No translation, S- or U-mode.
    BareLower = 1,
    /// Translation in U-mode.
    User = 2,
    /// Translation in S-mode.
    Supervisor = 3,
}
const FETCH_BANKS: usize = 4;

impl FetchBank {
    /// Whether addresses are translated.
    #[inline]
    pub const fn translates(self) -> bool {
        self as u8 >= Self::User as u8
    }
}

#[derive(Clone, Copy)]
struct Slot {
    /// Page address of the page, plus the array's generation; [`EMPTY`] if none.
    tag: u64,
    /// Data: what to add to the virtual address to get the RAM offset. Fetch: the code page.
    value: u64,
}

/// A tag that no address and generation make: generations stay below the offset mask.
const EMPTY: u64 = u64::MAX;
const LAST_GENERATION: u64 = OFFSET_MASK - 1;

/// The arrays for one kind of access.
struct Array<const BANKS: usize> {
    slots: Box<[[Slot; SLOTS]; BANKS]>,
    generation: u64,
    /// One bit for each bank that may hold a page of this generation: dropping a page looks at no others.
    used_banks: u8,
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // masked
const fn slot_of(va: u64) -> usize {
    (va >> isa::PAGE_SHIFT) as usize & (SLOTS - 1)
}

// What docs/architecture.md counts with ("The host's memory").
const _: () = assert!(size_of::<Slot>() * SLOTS * (2 * DATA_BANKS + FETCH_BANKS) == 80 << 10);

const EMPTY_BANK: [Slot; SLOTS] = [Slot { tag: EMPTY, value: 0 }; SLOTS];

impl<const BANKS: usize> Array<BANKS> {
    fn new() -> Self {
        Self { slots: Box::new([EMPTY_BANK; BANKS]), generation: 0, used_banks: 0 }
    }
    /// The value for the page of `va`, if it is also the page of `last`.
    #[inline]
    fn get(&self, bank: usize, va: u64, last: u64) -> Option<u64> {
        let slot = &self.slots[bank][slot_of(va)];
        (slot.tag == (last & !OFFSET_MASK) + self.generation).then_some(slot.value)
    }
    fn tag(&self, va: u64) -> u64 {
        (va & !OFFSET_MASK) + self.generation
    }
    /// Whether another page had to make room.
    fn put(&mut self, bank: usize, va: u64, value: u64) -> bool {
        let tag = self.tag(va);
        let slot = &mut self.slots[bank][slot_of(va)];
        let displaced = slot.tag != tag && slot.tag & OFFSET_MASK == self.generation;
        *slot = Slot { tag, value };
        self.used_banks |= 1 << bank;
        displaced
    }
    /// Whether the page was there in any bank.
    fn drop_page(&mut self, va: u64) -> bool {
        let tag = self.tag(va);
        let mut found = false;
        let mut left = self.used_banks;
        while left != 0 {
            let slot = &mut self.slots[left.trailing_zeros() as usize][slot_of(va)];
            left &= left - 1;
            if slot.tag == tag {
                slot.tag = EMPTY;
                found = true;
            }
        }
        found
    }
    fn drop_all(&mut self) {
        self.used_banks = 0;
        self.generation += 1;
        if self.generation > LAST_GENERATION {
            self.generation = 0;
            self.slots.fill(EMPTY_BANK);
        }
    }
}

/// All fast arrays of a hart. A copy of a hart starts with empty ones.
pub struct FastArrays {
    read: Array<DATA_BANKS>,
    write: Array<DATA_BANKS>,
    fetch: Array<FETCH_BANKS>,
    /// Changes whenever a page leaves the fetch array.
    fetch_epoch: u64,
    /// They have not been used with a code cache yet.
    is_fresh: bool,
}

impl Default for FastArrays {
    fn default() -> Self {
        let (read, write, fetch) = (Array::new(), Array::new(), Array::new());
        Self { read, write, fetch, fetch_epoch: 0, is_fresh: true }
    }
}

impl Clone for FastArrays {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl FastArrays {
    /// The RAM offset of a load of `[va, last]`.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the sum is a RAM offset, which fits
    pub fn read(&self, bank: DataBank, va: u64, last: u64) -> Option<usize> {
        self.read.get(bank as usize, va, last).map(|add| va.wrapping_add(add) as usize)
    }
    /// The RAM offset of a store to `[va, last]`.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the sum is a RAM offset, which fits
    pub fn write(&self, bank: DataBank, va: u64, last: u64) -> Option<usize> {
        self.write.get(bank as usize, va, last).map(|add| va.wrapping_add(add) as usize)
    }
    /// The code page that is fetched from at `pc`.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // was put in as a u32
    pub fn fetch(&self, bank: FetchBank, pc: u64) -> Option<u32> {
        self.fetch.get(bank as usize, pc, pc).map(|page| page as u32)
    }
    /// Loads from the page of `va` go to RAM at `ram_offset` (that of `va` itself).
    pub fn allow_read(&mut self, bank: DataBank, va: u64, ram_offset: usize) {
        self.read.put(bank as usize, va, (ram_offset as u64).wrapping_sub(va));
    }
    /// Stores to the page of `va` go to RAM at `ram_offset` (that of `va` itself).
    pub fn allow_write(&mut self, bank: DataBank, va: u64, ram_offset: usize) {
        self.write.put(bank as usize, va, (ram_offset as u64).wrapping_sub(va));
    }
    /// Fetches from the page of `va` find their blocks in `code_page`.
    pub fn allow_fetch(&mut self, bank: FetchBank, va: u64, code_page: u32) {
        if self.fetch.put(bank as usize, va, u64::from(code_page)) {
            self.fetch_epoch += 1;
        }
    }
    /// A number that stands for the pages that may be fetched from in `bank`: while it is the same, none has left.
    #[inline]
    pub fn fetch_context(&self, bank: FetchBank) -> u64 {
        self.fetch_epoch << 2 | bank as u64
    }
    /// Whether they have never been used with a code cache; from now on they have.
    pub fn take_fresh(&mut self) -> bool {
        core::mem::replace(&mut self.is_fresh, false)
    }
    /// Forgets a page on the data side.
    pub fn drop_data_page(&mut self, page: Vpn) {
        let VirtAddr(va) = page.base();
        self.read.drop_page(va);
        self.write.drop_page(va);
    }
    /// Forgets a page on the instruction side.
    pub fn drop_fetch_page(&mut self, page: Vpn) {
        if self.fetch.drop_page(page.base().0) {
            self.fetch_epoch += 1;
        }
    }
    /// Forgets everything on the data side.
    pub fn drop_data(&mut self) {
        self.read.drop_all();
        self.write.drop_all();
    }
    /// Forgets all stores.
    pub fn drop_writes(&mut self) {
        self.write.drop_all();
    }
    /// Forgets all fetches.
    pub fn drop_fetches(&mut self) {
        self.fetch.drop_all();
        self.fetch_epoch += 1;
    }
    /// Forgets everything.
    pub fn drop_all(&mut self) {
        self.drop_data();
        self.drop_fetches();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_only_in_its_bank_and_until_it_is_dropped() {
        let mut fast = FastArrays::default();
        fast.allow_read(DataBank::User, 0x1_2345, 0x345);
        assert_eq!(fast.read(DataBank::User, 0x1_2ff8, 0x1_2fff), Some(0xff8));
        assert_eq!(fast.read(DataBank::User, 0x1_2ffc, 0x1_3003), None, "crosses into the next page");
        assert_eq!(fast.read(DataBank::Supervisor, 0x1_2ff8, 0x1_2fff), None);
        assert_eq!(fast.write(DataBank::User, 0x1_2ff8, 0x1_2fff), None);
        fast.drop_data_page(Vpn(0x12));
        assert_eq!(fast.read(DataBank::User, 0x1_2ff8, 0x1_2fff), None);
    }

    #[test]
    fn generations_never_revive_an_entry() {
        let mut fast = FastArrays::default();
        fast.allow_fetch(FetchBank::Supervisor, 0x5000, 9);
        assert_eq!(fast.fetch(FetchBank::Supervisor, 0x5002), Some(9));
        for _ in 0..2 * PAGE_SIZE {
            fast.drop_fetches();
            assert_eq!(fast.fetch(FetchBank::Supervisor, 0x5002), None);
            assert_eq!(fast.fetch(FetchBank::Supervisor, u64::MAX), None);
        }
    }
}
