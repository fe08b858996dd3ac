//! Where everything lies: the runtime, and for each case a slot of RAM of its own.

/// RAM of both machines.
pub const RAM_BASE: u64 = 0x8000_0000;
pub const RAM_BYTES: u64 = 8 << 20;
/// The runtime: where the ELF starts. Not at the first byte of RAM, which is the edge of many a range and the value of
/// many a register.
pub const RUNTIME: u64 = 0x8010_0000;
/// What the handlers know: see the offsets below.
pub const VARIABLES: u64 = RUNTIME + 0x1000;
pub const TOHOST: u64 = RUNTIME + 0x2000;
/// Of `VARIABLES`: the address of the `ebreak` that ends the running case's code.
pub const END: u64 = 0;
/// Of `VARIABLES`: where the runtime goes on after a pass.
pub const NEXT: u64 = 8;
/// Of `VARIABLES`: passes left, plus one.
pub const PASSES: u64 = 16;
pub const SLOTS_BASE: u64 = RUNTIME + 0x1_0000;
pub const SLOT_BYTES: u64 = 0x1_0000;
/// Cases in one ELF.
pub const BATCH: usize = 50;
/// Slots there is RAM for; the device tree lies above.
pub const MAX_SLOTS: usize = 96;

/// One case's part of RAM. Each offset is from the start of the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(pub usize);

impl Slot {
    pub const BLOCK: u64 = 0x800;
    pub const CODE: u64 = 0x1000;
    pub const CODE_PAGES: u64 = 2;
    pub const DATA: u64 = 0x3000;
    pub const DATA_PAGES: u64 = 4;
    /// A page lies between data and tables: no offset from the data reaches an entry.
    pub const TABLES: u64 = 0x8000;
    pub const TABLE_PAGES: u64 = 6;

    /// Whether nothing comes after it: what cannot be undone may be done there.
    pub fn is_last(self) -> bool {
        self.0 + 1 == BATCH
    }
    /// The first byte; the code that prepares the case lies here.
    pub fn base(self) -> u64 {
        assert!(self.0 <= MAX_SLOTS);
        SLOTS_BASE + self.0 as u64 * SLOT_BYTES
    }
    pub fn code(self) -> u64 {
        self.base() + Self::CODE
    }
    pub fn data(self) -> u64 {
        self.base() + Self::DATA
    }
    /// The page tables; the root comes first.
    pub fn tables(self) -> u64 {
        self.base() + Self::TABLES
    }
}
