//! System V IPC: what shared memory, semaphores and message queues have in common (sysvipc(7)): keys, numbers, owners and modes.

pub mod messages;
pub mod semaphores;

use crate::{CapSet, Credentials};
use alloc::collections::BTreeMap;

/// The key of an object that only its number leads to.
const IPC_PRIVATE: i32 = 0;
/// Numbers are `sequence << 15 | index`, as in Linux, so that the number of an object that is gone is not that of another one soon.
const INDEX_BITS: u32 = 15;

/// Who owns an object, and what others may do with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// What programs have agreed on to find it.
    pub key: i32,
    /// Its owner.
    pub user: u32,
    /// Its owner's group.
    pub group: u32,
    /// Who has made it.
    pub maker: u32,
    /// That one's group.
    pub maker_group: u32,
    /// Nine bits of permissions, and those of the kind.
    pub mode: u32,
}

impl Ownership {
    /// That of a new object.
    pub fn new(key: i32, mode: u32, who: &Credentials) -> Self {
        let (user, group) = (who.user.effective, who.group.effective);
        Self { key, user, group, maker: user, maker_group: group, mode: mode & 0o777 }
    }

    /// Whether `who` may do what these bits of permissions say, in any of the three places.
    pub fn allows(&self, who: &Credentials, wanted: u32) -> bool {
        let wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
        let is_in = |group| who.group.effective == group || who.groups.contains(&group);
        let granted = if [self.user, self.maker].contains(&who.user.effective) {
            self.mode >> 6
        } else if is_in(self.maker_group) || is_in(self.group) {
            self.mode >> 3
        } else {
            self.mode
        };
        wanted & !granted & 7 == 0 || who.can(CapSet::IPC_OWNER)
    }

    /// Whether `who` may change or remove the object.
    pub fn is_owned_by(&self, who: &Credentials) -> bool {
        [self.user, self.maker].contains(&who.user.effective) || who.can(CapSet::SYS_ADMIN)
    }
}

/// An object with its owner and its number's sequence.
#[derive(Debug)]
pub struct Object<T> {
    /// Who owns it.
    pub owner: Ownership,
    /// Counts the objects that have had its index.
    pub sequence: u16,
    /// What it is.
    pub value: T,
}

/// Why no object is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoObject {
    /// There was never one with this number (EINVAL).
    Unknown,
    /// It was removed (EIDRM).
    Removed,
}

/// All objects of a kind.
#[derive(Debug)]
pub struct IpcTable<T> {
    objects: BTreeMap<u32, Object<T>>,
    /// The next sequence.
    sequence: u16,
    next_index: u32,
}

impl<T> Default for IpcTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> IpcTable<T> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { objects: BTreeMap::new(), sequence: 0, next_index: 0 }
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The highest index in use; 0 without objects.
    pub fn highest_index(&self) -> u32 {
        self.objects.last_key_value().map_or(0, |(&index, _)| index)
    }

    /// The number of the object that a key leads to.
    pub fn find(&self, key: i32) -> Option<u32> {
        let has_key = |object: &Object<T>| object.owner.key == key;
        let (&index, object) =
            self.objects.iter().find(|(_, object)| key != IPC_PRIVATE && has_key(object))?;
        Some(number(index, object.sequence))
    }

    /// Enters an object; its number.
    pub fn insert(&mut self, owner: Ownership, value: T) -> u32 {
        let most = 1 << INDEX_BITS;
        let free = (0..most).map(|step| (self.next_index + step) % most);
        let index =
            free.into_iter().find(|index| !self.objects.contains_key(index)).expect("limits are below this");
        self.next_index = (index + 1) % most;
        let sequence = self.sequence;
        // As in Linux the sequence goes on when the indices come round.
        if self.next_index == 0 || self.next_index <= index {
            self.sequence = self.sequence.wrapping_add(1) & 0x7fff;
        }
        self.objects.insert(index, Object { owner, sequence, value });
        number(index, sequence)
    }

    /// The object with a number.
    pub fn get(&self, id: u32) -> Result<&Object<T>, NoObject> {
        let object = self.objects.get(&index(id)).ok_or(NoObject::Unknown)?;
        if number(index(id), object.sequence) == id { Ok(object) } else { Err(NoObject::Removed) }
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: u32) -> Result<&mut Object<T>, NoObject> {
        self.get(id)?;
        self.objects.get_mut(&index(id)).ok_or(NoObject::Unknown)
    }

    /// The object at an index, with its number (the STAT calls that walk all of them).
    pub fn at_index(&self, at: u32) -> Option<(u32, &Object<T>)> {
        let object = self.objects.get(&at)?;
        Some((number(at, object.sequence), object))
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: u32) -> Option<Object<T>> {
        self.get(id).ok()?;
        self.objects.remove(&index(id))
    }

    /// All objects with their numbers, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Object<T>)> {
        self.objects.iter().map(|(&index, object)| (number(index, object.sequence), object))
    }

    /// The same, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Object<T>)> {
        self.objects.iter_mut().map(|(&index, object)| (number(index, object.sequence), object))
    }
}

fn number(index: u32, sequence: u16) -> u32 {
    u32::from(sequence) << INDEX_BITS | index
}

fn index(id: u32) -> u32 {
    id & ((1 << INDEX_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(user: u32) -> Credentials {
        let mut who = Credentials::default();
        who.change_user(|ids, privileged| ids.set(user, privileged));
        who
    }

    #[test]
    fn keys_lead_to_numbers_that_are_not_used_again_soon() {
        let mut table = IpcTable::new();
        let root = Credentials::default();
        let first = table.insert(Ownership::new(77, 0o600, &root), 'a');
        let private = table.insert(Ownership::new(0, 0o600, &root), 'b');
        assert_eq!((table.find(77), table.find(0), table.find(5)), (Some(first), None, None));
        assert_eq!(table.get(private).unwrap().value, 'b');
        assert_eq!(table.remove(first).unwrap().value, 'a');
        let again = table.insert(Ownership::new(77, 0o600, &root), 'c');
        assert_ne!(again, first);
        assert_eq!(table.get(first).unwrap_err(), NoObject::Unknown);
        // All indices have been used once: then the sequence is another.
        for _ in 0..1 << INDEX_BITS {
            let id = table.insert(Ownership::new(0, 0, &root), 'x');
            table.remove(id);
        }
        let id = table.insert(Ownership::new(0, 0, &root), 'y');
        assert!(id >> INDEX_BITS > 0);
        assert_eq!(table.get(index(id)).unwrap_err(), NoObject::Removed);
        assert_eq!((table.len(), table.highest_index()), (3, index(id).max(index(again))));
    }

    #[test]
    fn modes_say_who_may_do_what() {
        let owner = Ownership { group: 9, maker_group: 8, ..Ownership::new(1, 0o640, &user(5)) };
        assert!(owner.allows(&user(5), 0o600) && !owner.allows(&user(6), 0o444));
        let mut member = user(6);
        member.group.effective = 9;
        assert!(owner.allows(&member, 0o400) && !owner.allows(&member, 0o200));
        assert!(owner.allows(&Credentials::default(), 0o666) && owner.is_owned_by(&Credentials::default()));
        assert!(owner.is_owned_by(&user(5)) && !owner.is_owned_by(&member));
    }
}
