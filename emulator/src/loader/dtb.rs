//! A flattened device tree that the user gives: it is checked before a kernel trips over it (header, blocks, and the nesting
//! of the structure block; what the nodes say is the kernel's business), and its `/chosen` is told what else the user has said.
//!
//! Follows the Devicetree Specification, chapter 5.

use std::ops::Range;

const MAGIC: u32 = 0xd00d_feed;
const HEADER_BYTES: usize = 40;
/// Where the header has the size of it all.
const TOTAL_AT: usize = 4;
/// What a tree has left for drivers and boot loaders that edit it in place.
const ROOM_BYTES: usize = 4096;
/// Every version since 16 can be read as this one.
const LAST_COMPATIBLE: u32 = 17;
const FIRST_COMPATIBLE: u32 = 16;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

const CHOSEN: &[u8] = b"chosen";

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

/// The blocks of a tree.
struct Blocks<'a> {
    /// The memory reservations, the zeros at their end included.
    reserved: &'a [u8],
    nodes: &'a [u8],
    strings: &'a [u8],
    boot_hart: u32,
}

/// Checks a tree.
pub fn check(bytes: &[u8]) -> Result<(), DtbError> {
    blocks(bytes, |_| ()).map(drop)
}

/// The tree with these properties in `/chosen`, whatever they were before, and with room for more.
pub fn with_chosen(bytes: &[u8], properties: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, DtbError> {
    let (mut replaced, mut inside, mut chosen_at, mut root_ends_at) = (Vec::new(), false, None, 0);
    let blocks = blocks(bytes, |item| match item {
        Item::Node { depth: 2, name: CHOSEN, end } if chosen_at.is_none() => {
            (chosen_at, inside) = (Some(end), true)
        }
        Item::Property { depth: 2, name, range } => {
            let is_replaced = properties.iter().any(|(new, _)| new.as_bytes() == name);
            replaced.extend((inside && is_replaced).then_some(range));
        }
        Item::End { depth: 2, .. } => inside = false,
        Item::End { depth: 1, at } => root_ends_at = at,
        Item::Node { .. } | Item::Property { .. } | Item::End { .. } => {}
    })?;

    let (mut new, mut strings) = (Vec::new(), blocks.strings.to_vec());
    for (name, value) in properties {
        new.extend(
            [PROP, small(value.len()), small(strings.len())].iter().flat_map(|word| word.to_be_bytes()),
        );
        new.extend(value);
        new.resize(padded(new.len()), 0);
        strings.extend(name.bytes().chain([0]));
    }
    if chosen_at.is_none() {
        new.splice(0..0, BEGIN_NODE.to_be_bytes().into_iter().chain(*b"chosen\0\0"));
        new.extend(END_NODE.to_be_bytes());
    }
    let mut nodes = blocks.nodes.to_vec();
    for range in replaced.into_iter().rev() {
        nodes.drain(range);
    }
    // What has been taken out lies behind the beginning of `/chosen`.
    let at = chosen_at.unwrap_or(root_ends_at);
    nodes.splice(at..at, new);

    let reserved_at = HEADER_BYTES.next_multiple_of(8);
    let nodes_at = reserved_at + blocks.reserved.len();
    let strings_at = nodes_at + nodes.len();
    let header = [
        MAGIC,
        small(strings_at + strings.len()),
        small(nodes_at),
        small(strings_at),
        small(reserved_at),
        LAST_COMPATIBLE,
        FIRST_COMPATIBLE,
        blocks.boot_hart,
        small(strings.len()),
        small(nodes.len()),
    ];
    let header: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    Ok(with_room([&header, blocks.reserved, &nodes, &strings].concat()))
}

/// The tree with room to grow in place.
pub fn with_room(mut tree: Vec<u8>) -> Vec<u8> {
    tree.resize(tree.len() + ROOM_BYTES, 0);
    let total = small(tree.len());
    tree[TOTAL_AT..TOTAL_AT + 4].copy_from_slice(&total.to_be_bytes());
    tree
}

fn small(size: usize) -> u32 {
    u32::try_from(size).expect("a device tree is smaller than the machine's memory below 4 GiB")
}

/// Finds the blocks of a tree and checks it, telling `visit` what is in it.
fn blocks(bytes: &[u8], visit: impl FnMut(Item<'_>)) -> Result<Blocks<'_>, DtbError> {
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
    let nodes = block(structure, offset(9)?, 2)?;
    let entries = block(reserved, wanted_bytes.saturating_sub(reserved), 4)?.chunks_exact(16);
    let count = entries.map(|entry| entry.iter().all(|&byte| byte == 0)).position(|is_last| is_last);
    let reserved = block(reserved, 16 * (count.ok_or(DtbError::Damaged { at: 4 * 4 })? + 1), 4)?;
    walk(nodes, strings, visit).map_err(|at| DtbError::Damaged { at: structure + at })?;
    Ok(Blocks { reserved, nodes, strings, boot_hart: field(7)? })
}

/// What there is in the structure block. The root has depth 1; places are offsets into the block.
enum Item<'a> {
    /// A node begins; its properties and children come from `end` on.
    Node { depth: u32, name: &'a [u8], end: usize },
    /// A property of a node of this depth, and all of its bytes.
    Property { depth: u32, name: &'a [u8], range: Range<usize> },
    /// A node of this depth ends at `at`.
    End { depth: u32, at: usize },
}

/// Goes through the structure block. Where it is wrong, if it is.
fn walk(nodes: &[u8], strings: &[u8], mut visit: impl FnMut(Item<'_>)) -> Result<(), usize> {
    let (mut at, mut depth) = (0usize, 0u32);
    loop {
        let token_at = at;
        let token = word(nodes, at).ok_or(token_at)?;
        at += 4;
        match token {
            BEGIN_NODE => {
                let name = nodes.get(at..).and_then(text).ok_or(token_at)?;
                at = padded(at + name.len() + 1);
                depth += 1;
                visit(Item::Node { depth, name, end: at });
            }
            END_NODE => {
                let inside = depth.checked_sub(1).ok_or(token_at)?;
                visit(Item::End { depth, at: token_at });
                depth = inside;
            }
            PROP => {
                let len = word(nodes, at).and_then(|len| usize::try_from(len).ok()).ok_or(token_at)?;
                let name = word(nodes, at + 4).and_then(|name| usize::try_from(name).ok()).ok_or(token_at)?;
                let end = (at + 8).checked_add(len).filter(|&end| end <= nodes.len()).ok_or(token_at)?;
                let name = strings.get(name..).and_then(text).filter(|_| depth > 0).ok_or(token_at)?;
                at = padded(end);
                visit(Item::Property { depth, name, range: token_at..at.min(nodes.len()) });
            }
            NOP => {}
            // Without a root node it tells nothing at all.
            END if depth == 0 && token_at > 0 => return Ok(()),
            _ => return Err(token_at),
        }
    }
}

/// The bytes before the first zero.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|&byte| byte == 0).map(|len| &bytes[..len])
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
    use dtoolkit::fdt::Fdt;
    use dtoolkit::memreserve::MemoryReservation;
    use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
    use dtoolkit::{Node as _, Property as _};
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

    fn of(bytes: &[u8]) -> DeviceTree {
        DeviceTree::from_fdt(&Fdt::new(bytes).unwrap())
    }

    #[test]
    fn chosen_is_told_and_nothing_else_changes() {
        let told = [("bootargs", b"loud\0".to_vec()), ("linux,initrd-end", 7u64.to_be_bytes().to_vec())];
        let before = of(&tree());
        let mut without = of(&tree());
        without.root.remove_child("chosen");
        without.memory_reservations.push(MemoryReservation::new(0x8000_0000, 0x1000));
        for tree in [before, without] {
            let patched = with_chosen(&tree.to_dtb(), &told).unwrap();
            assert_eq!(check(&patched), Ok(()));
            // Once more, with other values of the same length: they take the place of the first ones.
            let again = [("bootargs", b"LOUD\0".to_vec()), ("linux,initrd-end", 8u64.to_be_bytes().to_vec())];
            let again = with_chosen(&patched, &again).unwrap();
            assert_eq!(check(&again), Ok(()));
            for (patched, bootargs, end) in [(&patched, "loud", 7), (&again, "LOUD", 8u64)] {
                let mut expected = tree.clone();
                if expected.root.child("chosen").is_none() {
                    expected.root.add_child(DeviceTreeNode::new_unchecked("chosen"));
                }
                let chosen = expected.root.child_mut("chosen").unwrap();
                chosen.remove_property("bootargs");
                chosen.add_property(DeviceTreeProperty::new_unchecked("bootargs", bootargs));
                chosen.add_property(DeviceTreeProperty::new_unchecked("linux,initrd-end", end));
                let mut found = of(patched);
                for tree in [&mut found, &mut expected] {
                    // The order of properties says nothing.
                    let chosen = tree.root.child_mut("chosen").unwrap();
                    let mut properties: Vec<DeviceTreeProperty> =
                        chosen.properties_mut().map(|p| p.clone()).collect();
                    properties.sort_by(|a, b| a.name().cmp(b.name()));
                    *chosen = DeviceTreeNode::new_unchecked("chosen");
                    properties.into_iter().for_each(|property| chosen.add_property(property));
                }
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_tree_without_an_end_of_its_reservations_is_damaged() {
        let mut bytes = tree();
        let last = bytes.len() - 8;
        bytes[16..20].copy_from_slice(&u32::try_from(last).unwrap().to_be_bytes());
        assert_eq!(check(&bytes), Err(DtbError::Damaged { at: 16 }));
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
