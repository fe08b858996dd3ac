//! Decoded blocks, keyed by physical address.
//!
//! A block is a run of instructions in one page that ends with the first one that may go elsewhere or change what
//! holds for the whole block. Each page of RAM that has been executed has a directory of its granules, and each granule
//! in which a block starts has a slot for every halfword, which names the block that starts there: a page with one
//! instruction costs some hundred bytes. Blocks lie one after the other in one arena; a dropped block only loses its
//! slot. All of it together takes at most [`MAX_BYTES`]: where more would be needed, everything is dropped, which the
//! guest cannot tell.
//!
//! An instruction that crosses into the next page is in no block. It is kept with its first page, and with its bits:
//! whoever runs it reads them anew, and where they are the same, so is the instruction. Nothing has to drop it.
//!
//! Which bytes of blocks have been decoded is noted in RAM's [`CodeMap`](crate::mem::code_map::CodeMap); stores that meet a
//! mark queue the granule there, and [`CodeCache::drop_stale`] takes the blocks out before the next one runs.

use super::dispatch::{self, Body};
use crate::hart::Hart;
use crate::mem::code_map::{GRANULE_BYTES, Stale, mask};
use crate::mem::ram::Ram;
use isa::insn::{Insn, Op};
use isa::{Effect, Extension, IsaSet, PAGE_SHIFT, PAGE_SIZE, decode, insn_len};

/// The most instructions in a block.
pub(super) const MAX_BLOCK: u16 = 64;
/// The most that decoded code may take of the host's memory: a Linux that boots needs a tenth of it.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Room for instructions that the cache begins with. It holds the guest OS and a small program, so that nothing of them
/// is copied to make room; the host gives no memory for what is never written.
const FIRST_ENTRIES: usize = 1 << 16;
/// What goes with so many instructions.
const FIRST_BLOCKS: usize = FIRST_ENTRIES / 4;
const FIRST_SLOTS: usize = FIRST_ENTRIES / 16;
const FIRST_PAGES: usize = FIRST_ENTRIES / 128;
/// What the cache begins with, in bytes.
#[cfg(test)]
pub(super) const FIRST_BYTES: usize = bytes_of(FIRST_ENTRIES, FIRST_BLOCKS, FIRST_PAGES, FIRST_SLOTS);
const PAGE_BYTES: usize = 1 << PAGE_SHIFT;
const GRANULES: usize = PAGE_BYTES / GRANULE_BYTES;
/// Halfwords of a granule.
const SLOTS: usize = GRANULE_BYTES / 2;
/// The most granules, beside its first one, that a block reaches into.
const BLOCK_GRANULES: usize = (MAX_BLOCK as usize * 4).div_ceil(GRANULE_BYTES);
const NO_PAGE: u32 = u32::MAX;
const NO_SLOTS: u32 = u32::MAX;
const NO_BLOCK: u32 = u32::MAX;
const NO_ENTRY: u32 = u32::MAX;

/// A decoded instruction in its block.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub run: Body<false>,
    pub insn: Insn,
    /// Bytes before it in the block.
    pub offset_bytes: u16,
    /// Instructions before it in the block.
    pub index: u16,
    /// Data accesses of the instructions before it in the block.
    pub accesses_before: u16,
    /// Which body runs it.
    pub kind: Kind,
}

/// Which of the bodies that there are for an instruction an entry has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// That of the instruction's row.
    Row,
    /// That of a jump or branch whose target must be a multiple of four: there are no compressed instructions.
    Aligned,
    /// The encoding is illegal; `insn` has its bits only.
    Illegal,
}

impl Entry {
    /// The entry for the encoding `bits` (its upper half ignored if it is compressed) at the start of a block, on a
    /// hart with the extensions `isa`: an instruction of any other is illegal.
    pub fn first(bits: u32, isa: IsaSet) -> Self {
        let low = low_half(bits);
        match decode(bits).filter(|insn| isa.allows(insn)) {
            Some(insn) => {
                let aligned = insn.op.effect() == Effect::Jump && !isa.contains(Extension::Zca);
                Self::new(insn, if aligned { Kind::Aligned } else { Kind::Row })
            }
            None => {
                let len = insn_len(low);
                let bits = if len == 2 { u32::from(low) } else { bits };
                Self::new(Insn { bits, len, ..Insn::blank(Op::Addi) }, Kind::Illegal)
            }
        }
    }
    fn new(insn: Insn, kind: Kind) -> Self {
        Self { run: dispatch::body(insn.op, kind), insn, offset_bytes: 0, index: 0, accesses_before: 0, kind }
    }
    /// Its data accesses.
    pub fn accesses(&self) -> u16 {
        if self.kind == Kind::Illegal { 0 } else { self.insn.op.effect().accesses() }
    }
    fn ends_block(&self) -> bool {
        self.kind == Kind::Illegal || dispatch::ends_block(&self.insn)
    }
    /// The same instruction at the start of a block of its own.
    pub fn by_itself(self) -> Self {
        Self { offset_bytes: 0, index: 0, accesses_before: 0, ..self }
    }
}

#[allow(clippy::cast_possible_truncation)] // the lower half is what is wanted
const fn low_half(bits: u32) -> u16 {
    bits as u16
}

/// A decoded block; its entries are in the arena.
#[derive(Clone, Copy)]
pub(super) struct Block {
    first: u32,
    pub len: u16,
    pub len_bytes: u16,
    /// Data accesses of all its instructions.
    pub accesses: u16,
}

impl Block {
    /// The granules of its page that it lies in, if it starts at this offset.
    #[allow(clippy::cast_possible_truncation)] // offsets in a page
    fn granules(&self, start_bytes: usize) -> u64 {
        let first = start_bytes as u32;
        mask(first, first + u32::from(self.len_bytes) - 1)
    }
}

/// The blocks of one page of RAM.
struct CodePage {
    /// Number of the page, counted from the first of RAM.
    frame: u32,
    /// The place among the entries of the instruction that was last seen to cross into the next page.
    crossing: u32,
    /// For each granule the place of its [`Slots`].
    granules: [u32; GRANULES],
}

/// The blocks that start in a granule, by halfword.
type Slots = [u32; SLOTS];

/// The capacity of `items` with room for `more`. It grows by a quarter, so that little of it is idle, and begins with
/// `least`.
fn capacity_with<T>(items: &Vec<T>, more: usize, least: usize) -> usize {
    let needed = items.len() + more;
    if needed <= items.capacity() { items.capacity() } else { (needed + needed / 4).max(least) }
}

/// Gives `items` this capacity, if it has less.
fn reserve<T>(items: &mut Vec<T>, capacity: usize) {
    items.reserve_exact(capacity - items.len());
}

/// The block last found at an address: saves the way through page and slot.
#[derive(Clone, Copy)]
struct Jump {
    pc: u64,
    /// Hart, bank, and the epoch of the pages that may be fetched from.
    context: u64,
    /// Of the cache's jumps: another one's are void.
    epoch: u32,
    block: Block,
}

const JUMPS: usize = 1024;
const NO_JUMP: Jump =
    Jump { pc: u64::MAX, context: 0, epoch: 0, block: Block { first: 0, len: 0, len_bytes: 0, accesses: 0 } };

#[inline]
#[allow(clippy::cast_possible_truncation)] // masked
const fn jump_slot(pc: u64) -> usize {
    (pc >> 1 ^ pc >> 11) as usize & (JUMPS - 1)
}

/// All decoded code of a machine's RAM. Never saved: it is rebuilt as the machine runs.
pub struct CodeCache {
    jumps: Box<[Jump; JUMPS]>,
    jumps_epoch: u32,
    entries: Vec<Entry>,
    blocks: Vec<Block>,
    pages: Vec<CodePage>,
    slots: Vec<Slots>,
    /// For each page of RAM its place in `pages`.
    page_of_frame: Vec<u32>,
    /// Changes whenever a page gets its first decoded code: fast stores to it must end.
    marks_epoch: u64,
    /// Changes whenever everything is dropped: code pages in fast fetch arrays are void.
    epoch: u64,
    /// No hart has run with it yet.
    is_fresh: bool,
    /// The extensions that the blocks have been decoded for.
    isa: IsaSet,
    /// How often an instruction over two pages has been decoded.
    #[cfg(test)]
    pub(super) crossings_decoded: u64,
}

impl Default for CodeCache {
    fn default() -> Self {
        Self {
            jumps: Box::new([NO_JUMP; JUMPS]),
            jumps_epoch: 0,
            entries: Vec::new(),
            blocks: Vec::new(),
            pages: Vec::new(),
            slots: Vec::new(),
            page_of_frame: Vec::new(),
            marks_epoch: 0,
            epoch: 0,
            is_fresh: true,
            isa: IsaSet::default(),
            #[cfg(test)]
            crossings_decoded: 0,
        }
    }
}

/// What [`CodeCache::build`] found at an address.
pub(super) enum Built {
    /// A block, now in its slot.
    Block(Block),
    /// The first instruction goes on in the next page: it has to be run by itself.
    Crosses,
}

impl CodeCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }
    /// The block at `pc`, if it was last found there in this context (a number that changes whenever the page of
    /// `pc` may no longer be fetched from, or be another).
    #[inline]
    pub(super) fn jump(&self, pc: u64, context: u64) -> Option<Block> {
        let jump = &self.jumps[jump_slot(pc)];
        let known = jump.pc == pc && jump.context == context && jump.epoch == self.jumps_epoch;
        known.then_some(jump.block)
    }
    /// Remembers a block for [`CodeCache::jump`].
    #[inline]
    pub(super) fn remember_jump(&mut self, pc: u64, context: u64, block: Block) {
        self.jumps[jump_slot(pc)] = Jump { pc, context, epoch: self.jumps_epoch, block };
    }
    /// Starts to work with a hart: what it or the cache remembers of other partners is void.
    pub(super) fn meet(&mut self, hart: &mut Hart) {
        let (fresh_cache, fresh_hart) =
            (core::mem::replace(&mut self.is_fresh, false), hart.fast.take_fresh());
        if fresh_cache || fresh_hart {
            self.forget_jumps();
            hart.rebuild();
        }
    }
    /// Drops everything if it was decoded for other extensions than those that the hart has at this moment.
    pub(super) fn follow_isa(&mut self, ram: &mut Ram, isa: IsaSet) {
        if self.isa != isa {
            self.isa = isa;
            self.clear(ram);
        }
    }
    fn forget_jumps(&mut self) {
        self.jumps_epoch = self.jumps_epoch.wrapping_add(1);
        if self.jumps_epoch == 0 {
            self.jumps.fill(NO_JUMP);
        }
    }
    /// See the field.
    pub(super) fn marks_epoch(&self) -> u64 {
        self.marks_epoch
    }
    /// See the field.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
    /// Drops everything.
    pub fn clear(&mut self, ram: &mut Ram) {
        // The memory too: what was needed of each kind says little about what will be.
        self.entries = Vec::new();
        self.blocks = Vec::new();
        self.pages = Vec::new();
        self.slots = Vec::new();
        self.page_of_frame.fill(NO_PAGE);
        self.epoch += 1;
        self.forget_jumps();
        ram.code_mut().clear();
    }
    /// The place of the page of RAM number `frame`.
    #[allow(clippy::cast_possible_truncation)] // there are fewer pages than RAM has
    pub(super) fn page(&mut self, frame: usize) -> u32 {
        if self.page_of_frame.len() <= frame {
            self.page_of_frame.resize(frame + 1, NO_PAGE);
        }
        if self.page_of_frame[frame] == NO_PAGE {
            self.page_of_frame[frame] = self.pages.len() as u32;
            let frame = frame as u32;
            self.pages.push(CodePage { frame, crossing: NO_ENTRY, granules: [NO_SLOTS; GRANULES] });
        }
        self.page_of_frame[frame]
    }
    /// The block at an offset of a code page, if it has been decoded.
    #[inline]
    pub(super) fn block(&self, page: u32, pc: u64) -> Option<Block> {
        let slots = self.pages[page as usize].granules[granule_of(pc)];
        let number = self.slots.get(slots as usize)?[slot_of(pc)];
        self.blocks.get(number as usize).copied()
    }
    /// The code page of the page of RAM number `frame`, if it has one.
    pub(super) fn known_page(&self, frame: usize) -> Option<u32> {
        self.page_of_frame.get(frame).copied().filter(|&page| page != NO_PAGE)
    }
    /// The RAM offset of the address `pc` in a code page.
    #[allow(clippy::cast_possible_truncation)] // masked
    pub(super) fn ram_offset(&self, page: u32, pc: u64) -> usize {
        self.pages[page as usize].frame as usize * PAGE_BYTES + (pc & (PAGE_SIZE - 1)) as usize
    }
    /// Whether an instruction has been seen to cross from this code page into another.
    pub(super) fn has_crossing(&self, page: u32) -> bool {
        self.pages[page as usize].crossing != NO_ENTRY
    }
    /// The instruction `bits` that crosses from a code page into the next one, decoded if it is another than the last time
    /// (or if there was no room to keep it).
    #[allow(clippy::cast_possible_truncation)] // bounded by `MAX_BYTES`
    pub(super) fn crossing(&mut self, page: u32, bits: u32) -> Entry {
        let at = self.pages[page as usize].crossing;
        if let Some(entry) = self.entries.get(at as usize)
            && entry.insn.bits == bits
        {
            return *entry;
        }
        let entry = Entry::first(bits, self.isa);
        #[cfg(test)]
        {
            self.crossings_decoded += 1;
        }
        if let Some(place) = self.entries.get_mut(at as usize) {
            *place = entry;
        } else if self.entries.len() < self.entries.capacity() {
            self.pages[page as usize].crossing = self.entries.len() as u32;
            self.entries.push(entry);
        }
        entry
    }
    /// A block's instructions.
    #[inline]
    pub(super) fn entries(&self, block: Block) -> &[Entry] {
        &self.entries[block.first as usize..][..usize::from(block.len)]
    }
    /// Makes room for one more block, wherever it starts. `false`, and nothing has changed, if that would take more than
    /// [`MAX_BYTES`].
    pub(super) fn make_room(&mut self) -> bool {
        let entries = capacity_with(&self.entries, usize::from(MAX_BLOCK), FIRST_ENTRIES);
        let blocks = capacity_with(&self.blocks, 1, FIRST_BLOCKS);
        let pages = capacity_with(&self.pages, 1, FIRST_PAGES);
        let slots = capacity_with(&self.slots, 1, FIRST_SLOTS);
        if bytes_of(entries, blocks, pages, slots) > MAX_BYTES {
            return false;
        }
        reserve(&mut self.entries, entries);
        reserve(&mut self.blocks, blocks);
        reserve(&mut self.pages, pages);
        reserve(&mut self.slots, slots);
        true
    }
    /// What decoded code takes of the host's memory. (Beside it there is a number for each page of RAM, and the
    /// remembered jumps.)
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let (entries, blocks) = (self.entries.capacity(), self.blocks.capacity());
        bytes_of(entries, blocks, self.pages.capacity(), self.slots.capacity())
    }

    /// Decodes the block at the address `pc` of a code page.
    #[allow(clippy::cast_possible_truncation)] // all are bounded by a page, or by `MAX_BYTES`
    pub(super) fn build(&mut self, ram: &mut Ram, page: u32, pc: u64) -> Built {
        let start = (pc & (PAGE_SIZE - 1)) as usize;
        let code_page = &mut self.pages[page as usize];
        let frame = code_page.frame as usize;
        let bytes = ram.page_bytes(frame);
        let first = self.entries.len();
        let (mut at, mut accesses) = (start, 0);
        while self.entries.len() - first < usize::from(MAX_BLOCK) {
            let Some(mut entry) = decode_at(bytes, at, self.isa) else { break };
            entry.offset_bytes = (at - start) as u16;
            entry.index = (self.entries.len() - first) as u16;
            entry.accesses_before = accesses;
            accesses += entry.accesses();
            at += usize::from(entry.insn.len);
            self.entries.push(entry);
            if entry.ends_block() {
                break;
            }
        }
        let len = (self.entries.len() - first) as u16;
        if len == 0 {
            return Built::Crosses;
        }
        let block = Block { first: first as u32, len, len_bytes: (at - start) as u16, accesses };
        let slots = &mut code_page.granules[granule_of(pc)];
        if *slots == NO_SLOTS {
            *slots = self.slots.len() as u32;
            self.slots.push([NO_BLOCK; SLOTS]);
        }
        self.slots[*slots as usize][slot_of(pc)] = self.blocks.len() as u32;
        self.blocks.push(block);
        if ram.code_mut().mark(frame, start as u32, at as u32 - 1) {
            self.marks_epoch += 1;
        }
        Built::Block(block)
    }

    /// Drops the blocks of every granule that has been written since they were decoded.
    pub(super) fn drop_stale(&mut self, ram: &mut Ram) {
        while let Some(stale) = ram.code_mut().pop() {
            self.drop_blocks(stale);
            self.forget_jumps();
        }
    }

    fn drop_blocks(&mut self, stale: Stale) {
        let Some(&page) = self.page_of_frame.get(stale.page) else { return };
        let Some(page) = self.pages.get(page as usize) else { return };
        // A block that reaches into a granule starts in it, or not far before.
        let first = (stale.granules.trailing_zeros() as usize).saturating_sub(BLOCK_GRANULES);
        let last = GRANULES - 1 - stale.granules.leading_zeros() as usize;
        for (granule, &slots) in page.granules.iter().enumerate().take(last + 1).skip(first) {
            let Some(slots) = self.slots.get_mut(slots as usize) else { continue };
            for (slot, number) in slots.iter_mut().enumerate() {
                let Some(block) = self.blocks.get(*number as usize) else { continue };
                if block.granules(granule * GRANULE_BYTES + slot * 2) & stale.granules != 0 {
                    *number = NO_BLOCK;
                }
            }
        }
    }
}

/// The bytes of so many entries, blocks, pages and granules' slots.
const fn bytes_of(entries: usize, blocks: usize, pages: usize, slots: usize) -> usize {
    entries * size_of::<Entry>()
        + blocks * size_of::<Block>()
        + pages * size_of::<CodePage>()
        + slots * size_of::<Slots>()
}

/// The granule of an address in its page.
#[inline]
#[allow(clippy::cast_possible_truncation)] // masked
const fn granule_of(pc: u64) -> usize {
    (pc & (PAGE_SIZE - 1)) as usize / GRANULE_BYTES
}

/// The slot of an address in its granule.
#[inline]
#[allow(clippy::cast_possible_truncation)] // masked
const fn slot_of(pc: u64) -> usize {
    (pc & (GRANULE_BYTES as u64 - 1)) as usize / 2
}

/// Decodes the instruction at an offset of a page; `None` if it does not end in the page.
fn decode_at(bytes: &[u8], at: usize, isa: IsaSet) -> Option<Entry> {
    let low = u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    let bits = match insn_len(low) {
        2 => u32::from(low),
        _ => u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?),
    };
    Some(Entry::first(bits, isa))
}

// What docs/architecture.md counts with ("The host's memory").
#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    size_of::<Entry>() == 32 && size_of::<CodePage>() == 264 && size_of::<[Jump; JUMPS]>() == 32 << 10
);
const _: () = assert!(size_of::<Block>() == 12 && size_of::<Slots>() == 128);
