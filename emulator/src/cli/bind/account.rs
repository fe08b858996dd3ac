//! What the guest kernel has told of a bind ([`isa::binds`]), as files: read with suspicion, as all that comes from the guest.

use emulator::machine::ChangedRecord;
use isa::binds::{self, Header};
use std::collections::{BTreeMap, BTreeSet};

/// A file that has changed, or is new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedFile {
    pub mode: u32,
    /// When its contents were changed last, in nanoseconds since 1970.
    pub modified_ns: u64,
    pub what: Changed,
}

/// What it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changed {
    Folder(BTreeMap<Vec<u8>, u64>),
    File(Contents),
    Link(Vec<u8>),
    Special,
}

/// The bytes of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    pub len_bytes: u64,
    /// Pieces in their order, each with the place where it begins; what is between them is zero.
    pub pieces: Vec<(u64, Vec<u8>)>,
}

/// Changed files by their inode numbers.
pub type Account = BTreeMap<u64, ChangedFile>;

/// Longest target of a symbolic link, in bytes.
const TARGET_MAX: usize = 4095;
const NAME_MAX: usize = 255;
/// The largest file that a host could have.
const LEN_MAX: u64 = i64::MAX as u64;

/// Why an account cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadAccount {
    #[error("the guest kernel has not told all of it (its log says why)")]
    Incomplete,
    #[error("what the guest kernel has told makes no sense")]
    Malformed,
}

/// The account of the bind with this number.
pub fn of(records: &[ChangedRecord], bind: u64) -> Result<Account, BadAccount> {
    let mut account = Account::new();
    for record in records.iter().filter(|record| record.bind == bind) {
        let (header, bytes) = Header::of(&record.bytes).ok_or(BadAccount::Malformed)?;
        if header.kind == binds::END {
            return if leads_to_itself(&account) { Err(BadAccount::Malformed) } else { Ok(account) };
        }
        add(&mut account, header, bytes).ok_or(BadAccount::Malformed)?;
    }
    Err(BadAccount::Incomplete)
}

fn add(account: &mut Account, header: Header, bytes: &[u8]) -> Option<()> {
    let Header { kind, ino, mode, value, modified_ns } = header;
    let what = match kind {
        binds::DIRECTORY => Changed::Folder(BTreeMap::new()),
        binds::FILE if value <= LEN_MAX => Changed::File(Contents { len_bytes: value, pieces: Vec::new() }),
        binds::LINK => Changed::Link(Vec::new()),
        binds::SPECIAL => Changed::Special,
        _ => return add_to(&mut account.get_mut(&ino)?.what, header, bytes),
    };
    let mode = u32::try_from(mode).ok().filter(|mode| mode & !0o7777 == 0)?;
    account.insert(ino, ChangedFile { mode, modified_ns, what }).is_none().then_some(())
}

fn add_to(file: &mut Changed, header: Header, bytes: &[u8]) -> Option<()> {
    match (header.kind, file) {
        (binds::ENTRY, Changed::Folder(names)) if is_name(bytes) => {
            names.insert(bytes.to_vec(), header.value).is_none().then_some(())
        }
        (binds::CONTENT, Changed::File(contents)) => {
            let end = header.value.checked_add(bytes.len() as u64)?;
            let last = contents.pieces.last().map_or(0, |(at, piece)| at + piece.len() as u64);
            (last <= header.value && end <= contents.len_bytes).then(|| {
                contents.pieces.push((header.value, bytes.to_vec()));
            })
        }
        (binds::TARGET, Changed::Link(target)) => {
            let fits = header.value == target.len() as u64
                && target.len() + bytes.len() <= TARGET_MAX
                && !bytes.contains(&0);
            fits.then(|| target.extend_from_slice(bytes))
        }
        _ => None,
    }
}

/// Whether it is a name in a folder, which leads nowhere else.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !matches!(name, b"." | b"..")
        && !name.iter().any(|byte| b"/\0".contains(byte))
}

/// Whether a folder has two names, or is below itself: a tree of files has none such.
fn leads_to_itself(account: &Account) -> bool {
    let mut named = BTreeSet::new();
    account.values().any(|file| match &file.what {
        Changed::Folder(names) => names.values().any(|ino| {
            let is_folder = matches!(account.get(ino), Some(ChangedFile { what: Changed::Folder(_), .. }));
            is_folder && !named.insert(*ino)
        }),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u64, ino: u64, mode: u64, value: u64, bytes: &[u8]) -> ChangedRecord {
        let header = Header { kind, ino, mode, value, modified_ns: 5 };
        ChangedRecord { bind: 1, bytes: [&header.to_bytes()[..], bytes].concat() }
    }

    #[test]
    fn records_make_files() {
        let other = ChangedRecord { bind: 0, bytes: Vec::new() };
        let records = [
            other,
            record(binds::DIRECTORY, 12, 0o755, 99, b""),
            record(binds::ENTRY, 12, 0, 13, b"text"),
            record(binds::ENTRY, 12, 0, 50, b"as before"),
            record(binds::FILE, 13, 0o600, 5000, b""),
            record(binds::CONTENT, 13, 0, 1, b"abc"),
            record(binds::CONTENT, 13, 0, 4096, b"d"),
            record(binds::LINK, 14, 0o777, 9, b""),
            record(binds::TARGET, 14, 0, 0, b"../"),
            record(binds::TARGET, 14, 0, 3, b"x"),
            record(binds::SPECIAL, 15, 0o644, 0, b""),
            record(binds::END, 0, 0, 0, b""),
        ];
        let account = of(&records, 1).unwrap();
        let names = BTreeMap::from([(b"text".to_vec(), 13), (b"as before".to_vec(), 50)]);
        assert_eq!(account[&12], ChangedFile { mode: 0o755, modified_ns: 5, what: Changed::Folder(names) });
        let pieces = vec![(1, b"abc".to_vec()), (4096, b"d".to_vec())];
        assert_eq!(account[&13].what, Changed::File(Contents { len_bytes: 5000, pieces }));
        assert_eq!(account[&14].what, Changed::Link(b"../x".to_vec()));
        assert_eq!(account[&15].what, Changed::Special);
        assert_eq!(of(&records[..11], 1), Err(BadAccount::Incomplete));
        assert_eq!(of(&records, 2), Err(BadAccount::Incomplete));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (dir, file, link) = (
            record(binds::DIRECTORY, 12, 0o755, 0, b""),
            record(binds::FILE, 13, 0o644, 10, b""),
            record(binds::LINK, 14, 0o777, 0, b""),
        );
        let entry = |name: &[u8]| record(binds::ENTRY, 12, 0, 13, name);
        let long = [b'x'; 256];
        for (bad, second) in [
            (ChangedRecord { bind: 1, bytes: vec![1; 39] }, None),
            (record(0, 12, 0, 0, b""), None),
            (record(99, 12, 0, 0, b""), None),
            (entry(b""), None),
            (entry(b"."), None),
            (entry(b".."), None),
            (entry(b"../x"), None),
            (entry(b"/etc/passwd"), None),
            (entry(b"a\0b"), None),
            (entry(&long), None),
            (entry(b"twice"), Some(entry(b"twice"))),
            (record(binds::ENTRY, 13, 0, 12, b"not a folder"), None),
            (record(binds::ENTRY, 77, 0, 12, b"unknown"), None),
            (record(binds::CONTENT, 13, 0, 8, b"abc"), None),
            (record(binds::CONTENT, 13, 0, u64::MAX, b"abc"), None),
            (record(binds::CONTENT, 13, 0, 4, b"abc"), Some(record(binds::CONTENT, 13, 0, 5, b"abc"))),
            (record(binds::TARGET, 14, 0, 1, b"abc"), None),
            (record(binds::TARGET, 14, 0, 0, b"a\0c"), None),
            (record(binds::TARGET, 14, 0, 0, &[b'x'; 4096]), None),
            (record(binds::FILE, 15, 0, u64::MAX, b""), None),
            (record(binds::FILE, 15, 0o1_00000, 0, b""), None),
            (record(binds::DIRECTORY, 12, 0o755, 0, b""), None),
            // A folder in itself, and one with two names.
            (record(binds::ENTRY, 12, 0, 12, b"a"), Some(record(binds::ENTRY, 12, 0, 12, b"b"))),
        ] {
            let mut records = vec![dir.clone(), file.clone(), link.clone(), bad.clone()];
            records.extend(second);
            records.push(record(binds::END, 0, 0, 0, b""));
            assert_eq!(of(&records, 1), Err(BadAccount::Malformed), "{bad:?}");
        }
    }
}
