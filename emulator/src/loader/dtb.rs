//! Checks a flattened device tree that the user gives, before a kernel trips over it: header, blocks, and the nesting of
//! the structure block. What the nodes say is the kernel's business.
//!
//! Follows the Devicetree Specification, chapter 5.

const MAGIC: u32 = 0xd00d_feed;
const HEADER_BYTES: usize = 40;
/// Every version since 16 can be read as this one.
const LAST_COMPATIBLE: u32 = 17;
const FIRST_COMPATIBLE: u32 = 16;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// Why a file is no device tree. Each sentence says what to try.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DtbError {
    /// The magic number is missing.
    #[error("it does not begin as a flattened device tree does; make one with `dtc -O dtb`")]
    NoMagic,
    /// The file is shorter than its header says.
    #[error("it is {len_bytes} bytes and should be {wanted_bytes}; is the file complete?")]
    Truncated {
        /// Its length.
        len_bytes: usize,
        /// The length that the header gives, or that of a header.
        wanted_bytes: usize,
    },
    /// It is of a version that nobody reads any more, or not yet.
    #[error("it is of version {version}, compatible back to {compatible}; version 17 is needed")]
    Version {
        /// Its version.
        version: u32,
        /// The oldest version that it is compatible with.
        compatible: u32,
    },
    /// A block lies outside the tree, or the nodes are not properly nested.
    #[error("it is damaged at byte {at:#x}; make it anew with `dtc -O dtb`")]
    Damaged {
        /// Where.
        at: usize,
    },
}

/// Checks a tree.
pub fn check(bytes: &[u8]) -> Result<(), DtbError> {
    let len_bytes = bytes.len();
    if !MAGIC.to_be_bytes().starts_with(&bytes[..len_bytes.min(4)]) {
        return Err(DtbError::NoMagic);
    }
    if len_bytes < HEADER_BYTES {
        return Err(DtbError::Truncated { len_bytes, wanted_bytes: HEADER_BYTES });
    }
    let field = |index: usize| word(bytes, index * 4).ok_or(DtbError::Damaged { at: index * 4 });
    let offset = |index: usize| field(index).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let [wanted_bytes, structure, strings, reserved] = [offset(1)?, offset(2)?, offset(3)?, offset(4)?];
    if len_bytes < wanted_bytes {
        return Err(DtbError::Truncated { len_bytes, wanted_bytes });
    }
    let (version, compatible) = (field(5)?, field(6)?);
    if version < LAST_COMPATIBLE || !(FIRST_COMPATIBLE..=LAST_COMPATIBLE).contains(&compatible) {
        return Err(DtbError::Version { version, compatible });
    }
    let block = |start: usize, size: usize, index: usize| {
        let end = start.checked_add(size).filter(|&end| end <= wanted_bytes);
        end.and_then(|end| bytes.get(start..end)).ok_or(DtbError::Damaged { at: index * 4 })
    };
    let strings = block(strings, offset(8)?, 3)?;
    block(reserved, 16, 4)?;
    let nodes = block(structure, offset(9)?, 2)?;
    walk(nodes, strings).map_err(|at| DtbError::Damaged { at: structure + at })
}

/// Goes through the structure block. Where it is wrong, if it is.
fn walk(nodes: &[u8], strings: &[u8]) -> Result<(), usize> {
    let (mut at, mut depth) = (0usize, 0u32);
    loop {
        let token_at = at;
        let token = word(nodes, at).ok_or(token_at)?;
        at += 4;
        match token {
            BEGIN_NODE => {
                let name = nodes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0));
                at = padded(at + name.ok_or(token_at)? + 1);
                depth += 1;
            }
            END_NODE => depth = depth.checked_sub(1).ok_or(token_at)?,
            PROP => {
                let len = word(nodes, at).and_then(|len| usize::try_from(len).ok()).ok_or(token_at)?;
                let name = word(nodes, at + 4).and_then(|name| usize::try_from(name).ok()).ok_or(token_at)?;
                let end = (at + 8).checked_add(len).filter(|&end| end <= nodes.len()).ok_or(token_at)?;
                if depth == 0 || !strings.get(name..).is_some_and(|rest| rest.contains(&0)) {
                    return Err(token_at);
                }
                at = padded(end);
            }
            NOP => {}
            // Without a root node it tells nothing at all.
            END if depth == 0 && token_at > 0 => return Ok(()),
            _ => return Err(token_at),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&word| u32::from_be_bytes(word))
}

fn padded(at: usize) -> usize {
    at.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::fdt::{self, Board, Chosen};
    use isa::IsaSet;

    fn tree() -> Vec<u8> {
        let chosen = Chosen { bootargs: "quiet", ..Chosen::default() };
        fdt::build(&Board { ram_bytes: 128 << 20, harts: 2, isa: IsaSet::default(), initrd: None, chosen })
    }

    fn with(at: usize, value: u32) -> Vec<u8> {
        let mut bytes = tree();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        bytes
    }

    #[test]
    fn our_own_tree_is_whole_and_none_of_its_beginnings_is() {
        let tree = tree();
        assert_eq!(check(&tree), Ok(()));
        // Bytes behind it do no harm.
        assert_eq!(check(&[&tree[..], &[0xff; 9]].concat()), Ok(()));
        for len_bytes in 0..tree.len() {
            let error = check(&tree[..len_bytes]);
            assert!(matches!(error, Err(DtbError::Truncated { .. })), "{len_bytes}: {error:?}");
        }
    }

    #[test]
    fn damage_is_found() {
        let structure = usize::try_from(word(&tree(), 8).unwrap()).unwrap();
        for (bytes, error) in [
            (b"\x7fELF".to_vec(), DtbError::NoMagic),
            (with(0, 0), DtbError::NoMagic),
            (with(20, 16), DtbError::Version { version: 16, compatible: 16 }),
            (with(24, 18), DtbError::Version { version: 17, compatible: 18 }),
            (with(24, 3), DtbError::Version { version: 17, compatible: 3 }),
            (with(8, u32::MAX), DtbError::Damaged { at: 8 }),
            (with(12, u32::MAX), DtbError::Damaged { at: 12 }),
            (with(16, u32::MAX), DtbError::Damaged { at: 16 }),
            (with(36, u32::MAX), DtbError::Damaged { at: 8 }),
            (with(structure, 7), DtbError::Damaged { at: structure }),
            (with(structure, END), DtbError::Damaged { at: structure }),
            (with(structure, PROP), DtbError::Damaged { at: structure }),
            (with(structure, END_NODE), DtbError::Damaged { at: structure }),
        ] {
            assert_eq!(check(&bytes), Err(error));
        }
        let mut last = tree();
        let end = structure + usize::try_from(word(&last, 36).unwrap()).unwrap() - 4;
        last[end + 3] = 4;
        assert_eq!(check(&last), Err(DtbError::Damaged { at: end + 4 }));
    }
}
