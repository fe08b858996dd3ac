//! What the calls of System V IPC have in common.

use crate::devices::clock;
use crate::hart::current;
use crate::memory::user::UserPtr;
use ::proc::{IpcObject, IpcTable, NoObject, Ownership};
use fs::Errno;

pub const IPC_CREAT: u32 = 0o1000;
pub const IPC_EXCL: u32 = 0o2000;
pub const IPC_NOWAIT: u32 = 0o4000;
pub const IPC_RMID: u32 = 0;
pub const IPC_SET: u32 = 1;
pub const IPC_STAT: u32 = 2;
pub const IPC_INFO: u32 = 3;

pub fn errno(error: NoObject) -> Errno {
    match error {
        NoObject::Unknown => Errno::EINVAL,
        NoObject::Removed => Errno::EIDRM,
    }
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    clock::now().seconds
}

/// The object that a key leads to, as the `get` calls find it; `None`: a new one is to be made.
pub fn find<T>(
    table: &IpcTable<T>,
    key: i32,
    flags: u32,
    fits: impl FnOnce(&T) -> bool,
) -> Result<Option<u32>, Errno> {
    let Some(id) = table.find(key) else {
        return if key == 0 || flags & IPC_CREAT != 0 { Ok(None) } else { Err(Errno::ENOENT) };
    };
    if flags & (IPC_CREAT | IPC_EXCL) == IPC_CREAT | IPC_EXCL {
        return Err(Errno::EEXIST);
    }
    let object = table.get(id).map_err(errno)?;
    if !fits(&object.value) {
        return Err(Errno::EINVAL);
    }
    if object.owner.allows(&current().process.credentials.borrow(), flags) {
        Ok(Some(id))
    } else {
        Err(Errno::EACCES)
    }
}

/// The object that a STAT call is about, with its number: by that, or by its index. `command` is IPC_STAT for a number, and `any` lets
/// those look, too, who may not read it.
pub fn to_tell<T>(
    table: &IpcTable<T>,
    number: u32,
    command: u32,
    any: bool,
) -> Result<(u32, &IpcObject<T>), Errno> {
    let (id, object) = match command {
        IPC_STAT => (number, table.get(number).map_err(errno)?),
        _ => table.at_index(number).ok_or(Errno::EINVAL)?,
    };
    if any || object.owner.allows(&current().process.credentials.borrow(), 0o444) {
        Ok((id, object))
    } else {
        Err(Errno::EACCES)
    }
}

/// The object that a call changes. EACCES unless the caller may do what these bits say.
pub fn to_use<T>(table: &mut IpcTable<T>, id: u32, wanted: u32) -> Result<&mut IpcObject<T>, Errno> {
    let object = table.get_mut(id).map_err(errno)?;
    let may = object.owner.allows(&current().process.credentials.borrow(), wanted);
    if may { Ok(object) } else { Err(Errno::EACCES) }
}

/// The object that IPC_SET or IPC_RMID is about. EPERM unless it is the caller's.
pub fn owned<T>(table: &mut IpcTable<T>, id: u32) -> Result<&mut IpcObject<T>, Errno> {
    let object = table.get_mut(id).map_err(errno)?;
    let is_owner = object.owner.is_owned_by(&current().process.credentials.borrow());
    if is_owner { Ok(object) } else { Err(Errno::EPERM) }
}

/// Two halves of a word of memory.
pub fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// `struct ipc64_perm`.
pub fn permission(owner: Ownership, mode: u32, sequence: u16) -> [u64; 6] {
    [
        pair(owner.key.cast_unsigned(), owner.user),
        pair(owner.group, owner.maker),
        pair(owner.maker_group, mode),
        u64::from(sequence),
        0,
        0,
    ]
}

/// Owner, group and mode, as IPC_SET reads them. Sleeps.
pub fn read_owner(buffer: u64) -> Result<[u32; 3], Errno> {
    let word = |index| UserPtr::<u32>::from(buffer).at(index).read();
    Ok([word(1)?, word(2)?, word(5)?])
}

/// What IPC_SET changes.
pub fn set_owner(owner: &mut Ownership, [user, group, mode]: [u32; 3]) {
    (owner.user, owner.group) = (user, group);
    owner.mode = owner.mode & !0o777 | mode & 0o777;
}

/// Writes a structure of 64-bit words. Sleeps.
pub fn write_words(buffer: u64, words: &[u64]) -> Result<(), Errno> {
    (0..).zip(words).try_for_each(|(index, &word)| UserPtr::<u64>::from(buffer).at(index).write(word))
}
