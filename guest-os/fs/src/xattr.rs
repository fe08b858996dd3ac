//! Extended attributes (xattr(7)): names with values that go with a file, kept in memory. Those of a disk are not read.

use crate::{Errno, FileType};
use abi::CapSet;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Longest name.
const NAME_MAX: usize = 255;
/// Longest value, and all names and values of a file together.
pub const VALUE_MAX: usize = 64 << 10;

/// The attributes of a file.
#[derive(Debug, Default)]
pub(crate) struct Attributes(BTreeMap<Vec<u8>, Vec<u8>>);

/// What is asked of an attribute that may be there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetAs {
    /// Either way.
    Any,
    /// It must be new (EEXIST).
    New,
    /// It must be there (ENODATA).
    Replaced,
}

/// What is done with an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Change,
}

/// Whether the name is one that this kind of file may have, and the caller may use. ERANGE, EOPNOTSUPP, EPERM, ENODATA.
pub(crate) fn check_name(
    name: &[u8],
    file_type: FileType,
    capabilities: CapSet,
    access: Access,
) -> Result<(), Errno> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Errno::ERANGE);
    }
    let is_admin = capabilities.contains(CapSet::SYS_ADMIN);
    let refused = if access == Access::Read { Errno::ENODATA } else { Errno::EPERM };
    let (space, rest) = match name.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&name[..dot], &name[dot + 1..]),
        None => return Err(Errno::EOPNOTSUPP),
    };
    match space {
        b"user" | b"trusted" | b"security" if rest.is_empty() => Err(Errno::EINVAL),
        b"user" if !matches!(file_type, FileType::Regular | FileType::Directory) => Err(refused),
        b"trusted" if !is_admin => Err(refused),
        b"security" if !is_admin && access == Access::Change => Err(Errno::EPERM),
        b"user" | b"trusted" | b"security" => Ok(()),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

impl Attributes {
    /// The value of an attribute. ENODATA.
    pub(crate) fn get(&self, name: &[u8]) -> Result<&[u8], Errno> {
        self.0.get(name).map(Vec::as_slice).ok_or(Errno::ENODATA)
    }

    /// Sets it. EEXIST, ENODATA, ENOSPC if all of them together would be too much, ENOMEM.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8], how: SetAs) -> Result<(), Errno> {
        match (how, self.0.contains_key(name)) {
            (SetAs::New, true) => return Err(Errno::EEXIST),
            (SetAs::Replaced, false) => return Err(Errno::ENODATA),
            _ => {}
        }
        let others = self.0.iter().filter(|(known, _)| known.as_slice() != name);
        let used: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if used + name.len() + value.len() > VALUE_MAX + NAME_MAX {
            return Err(Errno::ENOSPC);
        }
        let (name, value) = (crate::try_to_vec(name)?, crate::try_to_vec(value)?);
        self.0.insert(name, value);
        Ok(())
    }

    /// Takes it away. ENODATA.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Result<(), Errno> {
        self.0.remove(name).map(|_| ()).ok_or(Errno::ENODATA)
    }

    /// The names that the caller may see, each ended by a NUL. ENOMEM.
    pub(crate) fn names(&self, capabilities: CapSet) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        let sees_all = capabilities.contains(CapSet::SYS_ADMIN);
        for name in self.0.keys().filter(|name| sees_all || !name.starts_with(b"trusted.")) {
            all.try_reserve(name.len() + 1).map_err(|_| Errno::ENOMEM)?;
            all.extend_from_slice(name);
            all.push(0);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_who_may_use_them() {
        use Access::{Change, Read};
        let (all, none) = (CapSet::ALL, CapSet::empty());
        let long = [b'u'; 256];
        for (name, file_type, capabilities, access, expected) in [
            (&b"user.x"[..], FileType::Regular, none, Change, Ok(())),
            (b"user.x", FileType::Symlink, all, Change, Err(Errno::EPERM)),
            (b"user.x", FileType::Fifo, all, Read, Err(Errno::ENODATA)),
            (b"user.", FileType::Regular, all, Change, Err(Errno::EINVAL)),
            (b"trusted.x", FileType::Regular, none, Change, Err(Errno::EPERM)),
            (b"trusted.x", FileType::Regular, none, Read, Err(Errno::ENODATA)),
            (b"trusted.x", FileType::Symlink, all, Change, Ok(())),
            (b"security.x", FileType::Regular, none, Read, Ok(())),
            (b"security.x", FileType::Regular, none, Change, Err(Errno::EPERM)),
            (b"other.x", FileType::Regular, all, Read, Err(Errno::EOPNOTSUPP)),
            (b"user", FileType::Regular, all, Read, Err(Errno::EOPNOTSUPP)),
            (b"", FileType::Regular, all, Read, Err(Errno::ERANGE)),
            (&long, FileType::Regular, all, Read, Err(Errno::ERANGE)),
        ] {
            assert_eq!(check_name(name, file_type, capabilities, access), expected, "{name:?}");
        }
    }

    #[test]
    fn attributes_are_set_listed_and_taken_away() {
        let mut attributes = Attributes::default();
        attributes.set(b"user.a", b"1", SetAs::New).unwrap();
        assert_eq!(attributes.set(b"user.a", b"2", SetAs::New), Err(Errno::EEXIST));
        assert_eq!(attributes.set(b"trusted.b", b"", SetAs::Replaced), Err(Errno::ENODATA));
        attributes.set(b"trusted.b", b"", SetAs::Any).unwrap();
        attributes.set(b"user.a", b"22", SetAs::Replaced).unwrap();
        assert_eq!(
            (attributes.get(b"user.a"), attributes.get(b"user.c")),
            (Ok(&b"22"[..]), Err(Errno::ENODATA))
        );
        assert_eq!(attributes.names(CapSet::ALL).unwrap(), b"trusted.b\0user.a\0");
        assert_eq!(attributes.names(CapSet::empty()).unwrap(), b"user.a\0");
        let long = [0; VALUE_MAX];
        assert_eq!(attributes.set(b"user.long", &long, SetAs::Any), Ok(()));
        assert_eq!(attributes.set(b"user.more", &long, SetAs::Any), Err(Errno::ENOSPC));
        attributes.remove(b"user.long").unwrap();
        assert_eq!(attributes.remove(b"user.long"), Err(Errno::ENODATA));
    }
}
