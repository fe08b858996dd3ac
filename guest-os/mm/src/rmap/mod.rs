//! Reverse maps: which page-table entries map a frame.
//!
//! * **Private memory** knows its owners one by one ([`AnonOwner`]): the first in the frame table itself, from the second on in a list. So
//!   finding them costs as much as there are, whoever forked whom and whoever has ended since; an owner that moves a page (`mremap`) is
//!   another owner and nothing else.
//! * **Files** know the *intervals* of address spaces that may show them ([`FileMappings`]): the pages of a VMA, and the page of the file
//!   that the first of them shows. Who maps a frame of the page cache is those of the intervals around its page whose entry maps it. A
//!   page of a file that many processes map costs no memory for each of them.
//! * The zero page, page tables and the kernel's frames never leave, so nobody looks for who maps them.
//!
//! [`Memory::mappers`](crate::Memory::mappers) is the question.

mod files;
mod owners;

pub(crate) use files::Position;
pub use files::{FileMappings, Interval};
pub use owners::{AnonOwner, OwnerList};
pub(crate) use owners::{OwnerLists, Walk};

use crate::spaces::SpaceKey;
use isa::Vpn;

/// A page of an address space that maps, or may map, a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mapper {
    /// Which address space.
    pub space: SpaceKey,
    /// Which of its pages.
    pub vpn: Vpn,
}

/// How far a search for who maps a frame has come, for one that changes entries on the way.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct MapperSearch {
    pub(crate) owners: Walk,
    pub(crate) files: Option<Position>,
}
