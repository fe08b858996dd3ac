//! Counts everything the slow way, from the raw page tables in RAM, and compares with what `mm` says.

use super::VecRam;
use isa::paging::{self, ENTRIES, Pte, PteFlags, Scheme};
use isa::{PhysAddr, Ppn, Vpn};
use mm::frame::FrameCounts;
use mm::pte::{LOCKED, NotPresent};
use mm::rmap::Mapper;
use mm::swap::SlotState;
use mm::{AddressSpace, FrameKind, Memory, PhysMem, SwapSlot};
use std::collections::BTreeMap;

#[derive(Default)]
struct Counted {
    /// Who maps each frame.
    maps: BTreeMap<Ppn, Vec<Mapper>>,
    /// Entries of each page table.
    tables: BTreeMap<Ppn, u32>,
    /// How often each slot of the swap space is named.
    names: BTreeMap<SwapSlot, u32>,
}

/// Checks every frame's kind, map count and reverse map, and every page table, against the page tables in RAM.
pub fn audit<'a>(mem: &Memory<VecRam>, spaces: impl IntoIterator<Item = &'a AddressSpace>) {
    let mut counted = Counted::default();
    let mut intervals = 0;
    for space in spaces {
        let before: usize = counted.maps.values().map(Vec::len).sum();
        let swapped_before: u32 = counted.names.values().sum();
        count(mem, space, &mut counted, space.root().ppn(), Scheme::Sv39.root_level(), 0);
        let after: usize = counted.maps.values().map(Vec::len).sum();
        let swapped: u32 = counted.names.values().sum::<u32>() - swapped_before;
        assert_eq!(
            u64::from(swapped),
            mem.space(space.key()).swapped_pages,
            "swapped pages of {:?}",
            space.id()
        );
        audit_budget(mem, space, &counted);
        let showing_files = space.vmas().iter().filter(|vma| vma.file().is_some()).count();
        intervals += showing_files;
        assert_eq!((after - before) as u64, space.resident_pages(mem), "resident pages of {:?}", space.id());
    }
    assert_eq!(mem.file_mappings().len(), intervals, "intervals of files");
    let cached: BTreeMap<_, _> = mem.cache().iter().map(|(key, frame, _)| (frame.ppn(), key)).collect();
    assert_eq!(cached.len(), mem.cache().len(), "two pages in one frame");
    for (frame, info) in mem.frames().iter().filter(|_| !mem.swap().has_room_again()) {
        let is_candidate = !matches!(info.kind, FrameKind::Anon(_)) || mem.swap().is_there();
        let is_lost = is_candidate && !mem.may_be_chosen(frame) && mem.can_go(frame) && !mem.is_locked(frame);
        assert!(!is_lost, "{frame:?} {info:?} could go, and no eviction would look at it");
        let may_be = matches!(info.kind, FrameKind::Anon(_) | FrameKind::PageCache(_));
        assert!(may_be || !mem.may_be_chosen(frame), "{frame:?} {info:?} cannot go");
    }
    for (_, slot) in mem.cache().swapped() {
        *counted.names.entry(slot).or_default() += 1;
    }
    audit_slots(mem, &counted.names);
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
            FrameKind::Anon(_) => {
                assert!(!owners.is_empty() || info.slot.is_some(), "a lost anonymous frame: {what}");
            }
            FrameKind::Free | FrameKind::Kernel => assert!(owners.is_empty(), "{what}"),
            FrameKind::PageCache(key) => assert_eq!(cached.get(&ppn), Some(&key), "{what}"),
            FrameKind::Orphan => assert!(!owners.is_empty() || info.pins > 0, "a lost orphan: {what}"),
            FrameKind::Zero => {
                assert_eq!(frame, mem.zero_page(), "{what}");
                assert!(mem.phys().frame(ppn).iter().all(|&b| b == 0), "the zero page was written to");
            }
        }
        assert_eq!(info.maps as usize, owners.len(), "map count of {what}");
        if let Some(slot) = info.slot {
            assert_eq!(mem.swap().get(slot).state.frame(), Some(frame), "{what}");
        }
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
    assert_eq!(counts.free, mem.frames().free_for(FrameKind::Kernel));
    assert_eq!(counts.page_cache, mem.cache().len() as u64);
}

/// Checks that a budget counts what it should.
fn audit_budget(mem: &Memory<VecRam>, space: &AddressSpace, counted: &Counted) {
    let Some(budget) = mem.space(space.key()).budget.as_deref() else { return };
    let is_own = |mapper: &&Mapper| {
        let flags = space.pte(mem, mapper.vpn).flags();
        mapper.space == space.key() && !flags.contains(LOCKED)
    };
    let zero = mem.zero_page().ppn();
    let pages = counted.maps.iter().filter(|(ppn, _)| **ppn != zero).flat_map(|(_, mappers)| mappers);
    assert_eq!(pages.filter(is_own).count() as u64, budget.len(), "pages that count for {:?}", space.id());
}

/// Checks every slot of the swap space: who names it, and that it is somebody's.
fn audit_slots(mem: &Memory<VecRam>, names: &BTreeMap<SwapSlot, u32>) {
    let (mut used, mut bad, mut in_motion) = (0, 0, 0);
    for (slot, entry) in mem.swap().iter() {
        let what = format!("{slot:?} {entry:?}");
        used += 1;
        assert_eq!(names.get(&slot).copied().unwrap_or(0), entry.names, "names of {what}");
        in_motion += u64::from(entry.state.is_in_motion());
        let Some(frame) = entry.state.frame() else {
            bad += u64::from(entry.names == 0);
            continue;
        };
        let info = mem.frames().info(frame);
        assert_eq!(info.slot, Some(slot), "{what}, and its frame is {info:?}");
        assert_eq!(entry.state.is_in_motion(), info.pins > 0, "{what}: {info:?}");
        let is_needed = entry.names > 0 || info.maps > 0 || entry.state.is_in_motion();
        let is_cached = matches!(info.kind, FrameKind::PageCache(_));
        assert!(is_needed || is_cached, "nobody needs {what}");
        assert!(!is_cached || matches!(entry.state, SlotState::Cached(_)), "{what}: {info:?}");
        if entry.names > 0 {
            let is_dirty = |mapper: Mapper| {
                let root = mem.spaces().find(|(key, _)| *key == mapper.space).map(|(_, space)| space.root());
                let (_, pte) =
                    super::machine::walk(mem.phys(), root.unwrap().ppn(), mapper.vpn.base()).unwrap();
                pte.flags().intersects(PteFlags::D | PteFlags::W)
            };
            assert!(!mem.mappers(frame).any(is_dirty), "{what} is named by others, and may be stored to");
        }
    }
    let counts = mem.swap().counts();
    assert_eq!((counts.used, counts.bad, mem.swap().in_motion()), (used, bad, in_motion), "{counts:?}");
    assert!(names.keys().all(|&slot| mem.swap().iter().any(|(used, _)| used == slot)), "{names:?}");
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
            match NotPresent::decode(pte) {
                None => {
                    let mapper = Mapper { space: space.key(), vpn: Vpn(vpn) };
                    counted.maps.entry(pte.ppn()).or_default().push(mapper);
                }
                Some(NotPresent::Swapped(slot)) => *counted.names.entry(slot).or_default() += 1,
                Some(NotPresent::Zeros) => {}
                Some(NotPresent::Nothing) => panic!("{pte:?} says nothing, and is not empty"),
            }
        }
    }
    let before = counted.tables.insert(table, entries);
    assert!(before.is_none(), "a page table is used twice");
    assert!(
        entries > 0 || level == Scheme::Sv39.root_level(),
        "an empty page table of level {level} was kept"
    );
}
