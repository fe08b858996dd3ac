//! Page-table walks: as the hardware does them, told level by level.

use super::space::Space;
use super::target::{Memory, Target};
use isa::paging::{ENTRIES, Leaf, Pte, PteFlags, Scheme, WalkFault, vpn_index, walk};
use isa::{PhysAddr, VirtAddr};
use std::fmt::Write;

fn read_u64(memory: &dyn Memory, at: PhysAddr) -> Option<u64> {
    let mut bytes = [0; 8];
    memory.read_ram(at, &mut bytes).then(|| u64::from_le_bytes(bytes))
}

/// Where the byte at `va` lies, by the page table and whatever the permissions; the address itself if nothing is translated.
pub(super) fn translate(memory: &dyn Memory, space: &Space, va: VirtAddr) -> Option<PhysAddr> {
    let Ok(by) = space.translation() else { return Some(PhysAddr(va.0)) };
    let leaf = walk(by, va, |at| read_u64(memory, at)).ok()?;
    Some(leaf.frame(va).base().wrapping_add(va.page_offset()))
}

/// The entry that a walk for `va` ends at, with its level.
pub(super) fn deciding(target: &dyn Target, space: &Space, va: VirtAddr) -> Option<(u8, Pte)> {
    let by = space.translation().ok()?;
    let mut last = None;
    let mut level = by.scheme.levels();
    // Where it ends is what is wanted, not what it comes to.
    let _ = walk(by, va, |at| {
        level -= 1;
        let entry = read_u64(target, at)?;
        last = Some((level, Pte(entry)));
        Some(entry)
    });
    last
}

/// The walk for `va`, with the entry of every level.
pub(super) fn tell(target: &dyn Target, space: &Space, va: VirtAddr) -> String {
    let satp = space.satp;
    let mut text = String::new();
    let by = match space.translation() {
        Ok(by) => by,
        Err(why) => return format!("{va} is not translated: {why}\n"),
    };
    let index = |level: u8| vpn_index(va, level);
    let levels = || (0..by.scheme.levels()).rev();
    let indices: Vec<String> = levels().map(|level| index(level).to_string()).collect();
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "{va} = VPN {:#x} ({}) + offset {:#x}",
        va.page().0,
        indices.join("."),
        va.page_offset()
    );
    let _ = writeln!(
        text,
        "satp {:#x}: {}, ASID {}, root table at {}{}",
        satp.0,
        by.scheme.name(),
        satp.asid(),
        satp.root().base(),
        space.whose()
    );
    let mut entries = Vec::new();
    let end = walk(by, va, |at| {
        let entry = read_u64(target, at)?;
        entries.push((at, Pte(entry)));
        Some(entry)
    });
    for (level, (at, pte)) in levels().zip(entries) {
        let _ =
            writeln!(text, "level {level}: entry {} of {ENTRIES}, at {at}: {:#018x}", index(level), pte.0);
        let _ = writeln!(text, "         {}", describe_entry(pte, level));
    }
    let _ = match end {
        Ok(leaf) => {
            let pa = leaf.frame(va).base().wrapping_add(va.page_offset());
            writeln!(text, "{va} -> {pa} ({} page)", page_size(leaf))
        }
        Err(fault) => writeln!(text, "{va} -> {}", describe_fault(fault, by.scheme)),
    };
    text
}

fn page_size(leaf: Leaf) -> &'static str {
    match (leaf.level, leaf.pte.is_napot()) {
        (0, false) => "4 KiB",
        (0, true) => "64 KiB",
        (1, _) => "2 MiB",
        (2, _) => "1 GiB",
        (3, _) => "512 GiB",
        _ => "256 TiB",
    }
}

fn describe_entry(pte: Pte, level: u8) -> String {
    if !pte.is_valid() {
        return match pte {
            Pte::EMPTY if level > 0 => {
                format!("empty: V is clear, there is no table of level {}", level - 1)
            }
            Pte::EMPTY => "empty: V is clear, there is no page".to_owned(),
            _ => "not valid: V is clear; the other bits are the kernel's own".to_owned(),
        };
    }
    if !pte.is_leaf() {
        return format!("pointer to the table of level {} at {}", level.saturating_sub(1), pte.ppn().base());
    }
    format!("leaf, frame at {}: {}", pte.ppn().base(), spell_flags(pte.flags()))
}

/// Every flag in words, set ones first.
pub(super) fn spell_flags(flags: PteFlags) -> String {
    const WORDS: [(PteFlags, &str); 9] = [
        (PteFlags::V, "V valid"),
        (PteFlags::R, "R readable"),
        (PteFlags::W, "W writable"),
        (PteFlags::X, "X executable"),
        (PteFlags::U, "U user"),
        (PteFlags::G, "G global"),
        (PteFlags::A, "A accessed"),
        (PteFlags::D, "D dirty"),
        (PteFlags::RSW0, "COW copy-on-write (software bit 8)"),
    ];
    let (set, clear): (Vec<_>, Vec<_>) = WORDS.into_iter().partition(|(flag, _)| flags.contains(*flag));
    let set: Vec<&str> = set.into_iter().map(|(_, word)| word).collect();
    let clear: Vec<&str> = clear.into_iter().filter_map(|(_, word)| word.split(' ').next()).collect();
    if clear.is_empty() { set.join(", ") } else { format!("{}; clear: {}", set.join(", "), clear.join(" ")) }
}

fn describe_fault(fault: WalkFault, scheme: Scheme) -> String {
    let at = |leaf: Leaf| format!("at level {}", leaf.level);
    match fault {
        WalkFault::NotCanonical => {
            let bits = scheme.va_bits();
            let name = scheme.name();
            format!(
                "page fault: no address of {name}, since bits 63 to {bits} differ from bit {}; no table is looked at",
                bits - 1
            )
        }
        WalkFault::NoMemory(pa) => {
            format!("access fault: there is no RAM at {pa}, where the entry should be")
        }
        WalkFault::NotValid(leaf) => format!("page fault: V is clear {}", at(leaf)),
        WalkFault::Reserved(leaf) => format!("page fault: a reserved encoding {}", at(leaf)),
        WalkFault::MisalignedSuperpage(leaf) => {
            format!("page fault: the superpage {} is not aligned", at(leaf))
        }
    }
}
