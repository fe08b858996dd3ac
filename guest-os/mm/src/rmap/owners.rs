//! Who maps each frame of private memory.

use super::Mapper;
use crate::slab::{NoMemory, Slab};
use crate::spaces::SpaceKey;
use isa::Vpn;

/// The entries that map an anonymous frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnonOwner {
    /// None yet.
    Nobody,
    /// One.
    One(Mapper),
    /// The first of several, and the others.
    Several(Mapper, OwnerList),
}

/// A list of at least one owner: the number of its first node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnerList(pub(crate) u32);

#[derive(Clone, Copy, Debug)]
struct Node {
    owner: Mapper,
    next: Option<u32>,
}

/// How far a walk along a frame's owners has come.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) enum Walk {
    #[default]
    AtStart,
    /// Before this node.
    Before(u32),
    AtEnd,
}

/// The lists of all frames that have several owners.
#[derive(Debug, Default)]
pub(crate) struct OwnerLists {
    nodes: Slab<Node>,
}

impl OwnerLists {
    /// Bytes of memory that lists take at most in which so many owners more are entered, each beside one that is there.
    pub(crate) const fn bytes_for(owners: usize) -> usize {
        Slab::<Node>::bytes_for(owners)
    }

    /// Sees to memory for one owner more of some frame.
    pub(crate) fn reserve(&mut self) -> Result<(), NoMemory> {
        self.nodes.reserve(1)
    }

    /// The owners of a frame with one more. Room is reserved if there is one already.
    pub(crate) fn with(&mut self, owners: AnonOwner, more: Mapper) -> AnonOwner {
        let (first, next) = match owners {
            AnonOwner::Nobody => return AnonOwner::One(more),
            AnonOwner::One(first) => (first, None),
            AnonOwner::Several(first, OwnerList(others)) => (first, Some(others)),
        };
        AnonOwner::Several(first, OwnerList(self.nodes.insert(Node { owner: more, next })))
    }

    /// The owners of a frame with one less.
    ///
    /// Cost: a look at each owner that was entered after it; at none, if it is the first.
    pub(crate) fn without(&mut self, owners: AnonOwner, gone: Mapper) -> AnonOwner {
        let (first, others) = match owners {
            AnonOwner::Several(first, OwnerList(others)) if first == gone => {
                let head = self.nodes.remove(others);
                (head.owner, head.next)
            }
            AnonOwner::Several(first, OwnerList(others)) => (first, self.unlink(others, gone)),
            AnonOwner::One(only) if only == gone => return AnonOwner::Nobody,
            _ => unreachable!("{gone:?} is not among {owners:?}"),
        };
        match others {
            Some(others) => AnonOwner::Several(first, OwnerList(others)),
            None => AnonOwner::One(first),
        }
    }

    /// Takes an owner's node out of a list. Returns the number of the first node that is left, if there is one.
    fn unlink(&mut self, list: u32, gone: Mapper) -> Option<u32> {
        let head = *self.nodes.get(list);
        if head.owner == gone {
            self.nodes.remove(list);
            return head.next;
        }
        let (mut before, mut at) = (list, head.next);
        while let Some(number) = at {
            let node = *self.nodes.get(number);
            if node.owner == gone {
                self.nodes.remove(number);
                self.nodes.get_mut(before).next = node.next;
                return Some(list);
            }
            (before, at) = (number, node.next);
        }
        unreachable!("{gone:?} is not listed")
    }

    /// The owners: the first, then the one that came last, and so on.
    #[cfg(test)]
    pub(crate) fn of(&self, owners: AnonOwner) -> impl Iterator<Item = Mapper> + '_ {
        let mut at = Walk::default();
        core::iter::from_fn(move || self.next(owners, &mut at))
    }

    /// The next owner of a frame; `at` says where the walk has come to. No owner may come or go meanwhile.
    pub(crate) fn next(&self, owners: AnonOwner, at: &mut Walk) -> Option<Mapper> {
        let number = match (*at, owners) {
            (Walk::AtEnd, _) | (_, AnonOwner::Nobody) => return None,
            (_, AnonOwner::One(owner)) => {
                *at = Walk::AtEnd;
                return Some(owner);
            }
            (Walk::AtStart, AnonOwner::Several(first, OwnerList(others))) => {
                *at = Walk::Before(others);
                return Some(first);
            }
            (Walk::Before(number), AnonOwner::Several(..)) => number,
        };
        let node = self.nodes.get(number);
        *at = node.next.map_or(Walk::AtEnd, Walk::Before);
        Some(node.owner)
    }

    /// How many owners are listed.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

impl OwnerList {
    /// As the upper half of a frame's key in the frame table, of which the first owner has the lower one.
    pub(crate) fn key(self) -> u64 {
        u64::from(self.0) << 32
    }
    /// What [`OwnerList::key`] has made.
    pub(crate) fn of_key(key: u64) -> Self {
        Self((key >> 32) as u32)
    }
}

impl Mapper {
    /// As the key (its lower half) and the index of a frame in the frame table.
    pub(crate) fn words(self) -> (u64, u64) {
        (u64::from(self.space.0), self.vpn.0)
    }
    /// What [`Mapper::words`] has made.
    #[allow(clippy::cast_possible_truncation)] // the lower half is what is wanted
    pub(crate) fn of_words(key: u64, index: u64) -> Self {
        Self { space: SpaceKey(key as u32), vpn: Vpn(index) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn mapper(space: u32) -> Mapper {
        Mapper { space: SpaceKey(space), vpn: Vpn(7) }
    }

    #[test]
    fn owners_come_and_go_in_any_order() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut lists = OwnerLists::default();
            let mut owners = AnonOwner::Nobody;
            for space in 0..4 {
                lists.reserve().unwrap();
                owners = lists.with(owners, mapper(space));
            }
            assert_eq!(lists.of(owners).map(|m| m.space.0).collect::<Vec<_>>(), [0, 3, 2, 1]);
            for (left, &space) in (0..4).rev().zip(&order) {
                owners = lists.without(owners, mapper(space));
                assert_eq!(lists.of(owners).count(), left);
                assert!(lists.of(owners).all(|m| m.space.0 != space));
            }
            assert_eq!((owners, lists.len()), (AnonOwner::Nobody, 0));
        }
    }
}
