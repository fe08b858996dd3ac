//! Counts everything the slow way, from the raw page tables in RAM, and compares with what `mm` says.

use super::VecRam;
use isa::paging::{self, ENTRIES, Pte, Scheme};
use isa::{PhysAddr, Ppn, Vpn};
use mm::frame::FrameCounts;
use mm::rmap::Mapper;
use mm::{AddressSpace, FrameKind, Memory, PhysMem};
use std::collections::BTreeMap;

#[derive(Default)]
struct Counted {
    /// Who maps each frame.
    maps: BTreeMap<Ppn, Vec<Mapper>>,
    /// Entries of each page table.
    tables: BTreeMap<Ppn, u32>,
}

/// Checks every frame's kind, map count and reverse map, and every page table, against the page tables in RAM.
pub fn audit<'a>(mem: &Memory<VecRam>, spaces: impl IntoIterator<Item = &'a AddressSpace>) {
    let mut counted = Counted::default();
    let mut intervals = 0;
    for space in spaces {
        let before: usize = counted.maps.values().map(Vec::len).sum();
        count(mem, space, &mut counted, space.root().ppn(), Scheme::Sv39.root_level(), 0);
        let after: usize = counted.maps.values().map(Vec::len).sum();
        let showing_files = space.vmas().iter().filter(|vma| vma.file().is_some()).count();
        intervals += showing_files;
        assert_eq!((after - before) as u64, space.resident_pages(mem), "resident pages of {:?}", space.id());
    }
    assert_eq!(mem.file_mappings().len(), intervals, "intervals of files");
    let cached: BTreeMap<_, _> = mem.cache().iter().map(|(key, frame, _)| (frame.ppn(), key)).collect();
    assert_eq!(cached.len(), mem.cache().len(), "two pages in one frame");
    for (key, frame, _) in mem.cache().iter() {
        let is_lost = !mem.may_be_chosen(frame) && mem.can_go(key, frame) && !mem.is_locked(frame);
        assert!(!is_lost, "{key:?} could go, and no eviction would look at it");
    }
    let (mut used, mut listed_owners) = (0, 0);
    for (frame, info) in mem.frames().iter() {
        let ppn = frame.ppn();
        let mut owners = counted.maps.remove(&ppn).unwrap_or_default();
        let what = format!("{frame:?} {info:?}, mapped by {owners:?}");
        used += u64::from(info.kind != FrameKind::Free);
        match info.kind {
            FrameKind::PageTable => {
                assert!(owners.is_empty(), "{what}");
                assert_eq!(counted.tables.remove(&ppn), Some(info.maps), "entries of page table {what}");
                continue;
            }
            FrameKind::Anon(_) => assert!(!owners.is_empty(), "a lost anonymous frame: {what}"),
            FrameKind::Free | FrameKind::Kernel => assert!(owners.is_empty(), "{what}"),
            FrameKind::PageCache(key) => assert_eq!(cached.get(&ppn), Some(&key), "{what}"),
            FrameKind::Orphan => assert!(!owners.is_empty() || info.pins > 0, "a lost orphan: {what}"),
            FrameKind::Zero => {
                assert_eq!(frame, mem.zero_page(), "{what}");
                assert!(mem.phys().frame(ppn).iter().all(|&b| b == 0), "the zero page was written to");
            }
        }
        assert_eq!(info.maps as usize, owners.len(), "map count of {what}");
        if matches!(info.kind, FrameKind::Anon(_) | FrameKind::PageCache(_)) {
            let mut mappers: Vec<Mapper> = mem.mappers(frame).collect();
            mappers.sort();
            owners.sort();
            assert_eq!(mappers, owners, "reverse map of {what}");
        }
        if let FrameKind::Anon(_) = info.kind {
            listed_owners += owners.len().saturating_sub(1);
        }
        assert_eq!(cached.contains_key(&ppn), matches!(info.kind, FrameKind::PageCache(_)), "{what}");
    }
    assert_eq!(mem.frames().listed_owners(), listed_owners, "owners that own nothing");
    assert!(counted.maps.is_empty(), "mapped, but never handed out: {:?}", counted.maps);
    assert!(counted.tables.is_empty(), "page tables unknown to the frame table: {:?}", counted.tables);
    assert_eq!(used, mem.frames().used());
    let counts = mem.frames().counts();
    assert_eq!(counts, counts_by_looking(mem));
    assert_eq!(counts.free, mem.frames().free());
    assert_eq!(counts.page_cache, mem.cache().len() as u64);
}

fn counts_by_looking(mem: &Memory<VecRam>) -> FrameCounts {
    let mut counts = FrameCounts { free: mem.frames().total(), ..FrameCounts::default() };
    for (_, info) in mem.frames().iter() {
        counts.free -= 1;
        *match info.kind {
            FrameKind::Free => &mut counts.free,
            FrameKind::Kernel => &mut counts.kernel,
            FrameKind::PageTable => &mut counts.page_table,
            FrameKind::Zero => &mut counts.zero,
            FrameKind::Anon(_) => &mut counts.anon,
            FrameKind::PageCache(_) => &mut counts.page_cache,
            FrameKind::Orphan => &mut counts.orphan,
        } += 1;
    }
    counts
}

fn count(
    mem: &Memory<VecRam>,
    space: &AddressSpace,
    counted: &mut Counted,
    table: Ppn,
    level: u8,
    first_vpn: u64,
) {
    let user_entries = if level == Scheme::Sv39.root_level() { ENTRIES / 2 } else { ENTRIES };
    let mut entries = 0;
    for index in 0..user_entries {
        let pte: Pte = mem.phys().read_pte(PhysAddr(table.base().0 + index * paging::PTE_BYTES));
        if pte == Pte::EMPTY {
            continue;
        }
        entries += 1;
        let vpn = first_vpn + index * (1 << paging::pages_log2(level));
        if level > 0 {
            assert!(pte.is_valid() && !pte.is_leaf(), "{pte:?} in a table of level {level}");
            count(mem, space, counted, pte.ppn(), level - 1, vpn);
        } else {
            assert!(space.vmas().find(Vpn(vpn)).is_some(), "{vpn:#x} is mapped outside every VMA");
            counted.maps.entry(pte.ppn()).or_default().push(Mapper { space: space.key(), vpn: Vpn(vpn) });
        }
    }
    let before = counted.tables.insert(table, entries);
    assert!(before.is_none(), "a page table is used twice");
    assert!(
        entries > 0 || level == Scheme::Sv39.root_level(),
        "an empty page table of level {level} was kept"
    );
}
