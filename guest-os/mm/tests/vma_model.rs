//! `VmaSet` against a slow, obvious model: one entry a page. Random operations from fixed seeds.

mod support;

use isa::Vpn;
use mm::rmap::{FileMappings, Mapper};
use mm::spaces::SpaceKey;
use mm::vma::{Name, PageSource, RangeError};
use mm::{Backing, FileBacking, FileId, PageKey, PageRange, Prot, Vma, VmaFlags, VmaSet};
use std::collections::BTreeMap;
use support::rng::Rng;

/// What the model knows of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Page {
    prot: Prot,
    flags: VmaFlags,
    source: PageSource,
    name: Name,
}

const PAGES: u64 = 64;

fn random_range(rng: &mut Rng) -> PageRange {
    let start = rng.below(PAGES);
    PageRange::new(Vpn(start), Vpn((start + 1 + rng.below(12)).min(PAGES)))
}

fn random_vma(rng: &mut Rng, range: PageRange) -> Vma {
    let len = range.len_pages();
    let file = |len_bytes| {
        Backing::File(FileBacking {
            file: FileId(1 + range.start.0 % 2),
            first_page: range.start.0,
            len_bytes,
        })
    };
    let backing = match rng.below(4) {
        0 | 1 => Backing::Anon,
        2 => file(None),
        _ => file(Some(1 + rng.below(len * 4096))),
    };
    Vma {
        range,
        prot: rng.pick(&[Prot::READ, Prot::READ | Prot::WRITE]),
        flags: if backing == Backing::Anon {
            VmaFlags::empty()
        } else {
            rng.pick(&[VmaFlags::empty(), VmaFlags::NEVER_WRITABLE])
        },
        backing,
        name: rng.pick(&["", "a"]).into(),
    }
}

fn page_of(vma: &Vma, vpn: Vpn) -> Page {
    Page { prot: vma.prot, flags: vma.flags, source: vma.source(vpn), name: vma.name.clone() }
}

const SPACE: SpaceKey = SpaceKey(3);

#[track_caller]
fn compare(set: &VmaSet, files: &FileMappings, model: &BTreeMap<Vpn, Page>) {
    let mut seen = BTreeMap::new();
    let mut last: Option<&Vma> = None;
    for vma in set.iter() {
        assert!(!vma.range.is_empty());
        if let Some(last) = last {
            assert!(last.range.end <= vma.range.start, "{last:?} overlaps {vma:?}");
            let alike = last.range.end == vma.range.start
                && last.backing == Backing::Anon
                && Vma { range: vma.range, ..last.clone() } == *vma;
            assert!(!alike, "not merged: {last:?} {vma:?}");
        }
        for vpn in vma.range.pages() {
            seen.insert(vpn, page_of(vma, vpn));
        }
        last = Some(vma);
    }
    assert_eq!(&seen, model);
    assert_eq!(set.total_pages(), model.len() as u64);
    let is_locked = |page: &&Page| page.flags.contains(VmaFlags::LOCKED);
    assert_eq!(set.locked_pages(), model.values().filter(is_locked).count() as u64);
    let to_gap = set.mapped_start(PageRange::new(Vpn(0), Vpn(PAGES)));
    let first_gap = (0..PAGES).map(Vpn).find(|vpn| !model.contains_key(vpn)).unwrap_or(Vpn(PAGES));
    assert_eq!(to_gap, PageRange::new(Vpn(0), first_gap));
    for vpn in (0..PAGES).map(Vpn) {
        assert_eq!(set.find(vpn).map(|vma| page_of(vma, vpn)).as_ref(), model.get(&vpn));
    }
    let mut showing: BTreeMap<PageKey, Vec<Mapper>> = BTreeMap::new();
    for (&vpn, page) in model {
        if let PageSource::File(key) | PageSource::FileThenZeros { key, .. } = page.source {
            showing.entry(key).or_default().push(Mapper { space: SPACE, vpn });
        }
    }
    for file in [FileId(1), FileId(2)] {
        assert_eq!(files.is_mapped(file), showing.keys().any(|key| key.file == file));
        for index in 0..2 * PAGES {
            let key = PageKey { file, index };
            let mut named: Vec<Mapper> = files.showing(key).collect();
            named.sort();
            assert_eq!(named, showing.remove(&key).unwrap_or_default(), "{key:?}");
        }
    }
    assert!(showing.is_empty());
}

#[test]
fn random_operations_agree_with_a_page_by_page_model() {
    for seed in 1..=40 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let (mut set, mut files) = (VmaSet::new(SPACE), FileMappings::default());
        let mut model: BTreeMap<Vpn, Page> = BTreeMap::new();
        for _ in 0..400 {
            let range = random_range(&mut rng);
            let in_model = |model: &BTreeMap<Vpn, Page>| model.range(range.start..range.end).count() as u64;
            match rng.below(5) {
                4 => {
                    // Locks pass gaps over.
                    let locks = rng.pick(&[VmaFlags::empty(), VmaFlags::LOCKED, VmaFlags::LOCKS]);
                    set.set_flags(&mut files, range, locks, VmaFlags::LOCKS).unwrap();
                    for (_, page) in model.range_mut(range.start..range.end) {
                        page.flags = (page.flags - VmaFlags::LOCKS) | locks;
                    }
                }
                0 | 1 => {
                    if in_model(&model) == 0 {
                        let vma = random_vma(&mut rng, range);
                        model.extend(range.pages().map(|vpn| (vpn, page_of(&vma, vpn))));
                        set.insert(&mut files, vma).unwrap();
                    }
                }
                2 => {
                    let removed = set.remove(&mut files, range).unwrap();
                    let removed: BTreeMap<Vpn, Page> = removed
                        .iter()
                        .flat_map(|vma| vma.range.pages().map(|vpn| (vpn, page_of(vma, vpn))))
                        .collect();
                    let expected: BTreeMap<Vpn, Page> =
                        model.range(range.start..range.end).map(|(v, p)| (*v, p.clone())).collect();
                    assert_eq!(removed, expected);
                    model.retain(|vpn, _| !range.contains(*vpn));
                }
                _ => {
                    let prot = rng.pick(&[Prot::READ, Prot::READ | Prot::WRITE, Prot::empty()]);
                    let locked = |p: &Page| p.flags.contains(VmaFlags::NEVER_WRITABLE);
                    let expected = if in_model(&model) < range.len_pages() {
                        Err(RangeError::NotMapped)
                    } else if prot.contains(Prot::WRITE)
                        && model.range(range.start..range.end).any(|(_, p)| locked(p))
                    {
                        Err(RangeError::NeverWritable)
                    } else {
                        Ok(())
                    };
                    let result = set.protect(&mut files, range, prot);
                    assert_eq!(result.clone().map(|_| ()), expected);
                    if expected.is_ok() {
                        let changed: u64 = result.unwrap().iter().map(|vma| vma.range.len_pages()).sum();
                        let mut differ = 0;
                        for (_, page) in model.range_mut(range.start..range.end) {
                            differ += u64::from(page.prot != prot);
                            page.prot = prot;
                        }
                        assert_eq!(changed, differ);
                    }
                }
            }
            compare(&set, &files, &model);
        }
    }
}

#[test]
fn the_gap_found_is_the_highest_that_fits() {
    for seed in 1..=20 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let (mut set, mut files) = (VmaSet::new(SPACE), FileMappings::default());
        for _ in 0..12 {
            let range = random_range(&mut rng);
            if set.overlapping(range).next().is_none() {
                set.insert(&mut files, random_vma(&mut rng, range)).unwrap();
            }
            let (len, lowest, below) = (1 + rng.below(10), Vpn(rng.below(8)), Vpn(50 + rng.below(20)));
            let free = |start: u64| (start..start + len).all(|page| set.find(Vpn(page)).is_none());
            let expected = (lowest.0..=below.0.saturating_sub(len))
                .rev()
                .find(|&start| start + len <= below.0 && free(start));
            assert_eq!(set.find_gap(len, lowest, below).map(|v| v.0), expected);
        }
    }
}

/// The gap to find, by looking at every VMA from the top down.
fn gap_by_looking(set: &VmaSet, len: u64, lowest: u64, below: u64) -> Option<u64> {
    let mut end = below;
    for vma in set.iter().rev() {
        let floor = vma.range.end.0.max(lowest);
        if floor + len <= end {
            return Some(end - len);
        }
        let guard = if vma.flags.contains(VmaFlags::GROWS_DOWN) { 256 } else { 0 };
        end = end.min(vma.range.start.0.saturating_sub(guard));
    }
    (lowest + len <= end).then(|| end - len)
}

fn guarded_by_looking(set: &VmaSet, range: PageRange) -> bool {
    let guard = |vma: &Vma| PageRange::new(Vpn(vma.range.start.0.saturating_sub(256)), vma.range.start);
    set.iter().any(|vma| vma.flags.contains(VmaFlags::GROWS_DOWN) && range.overlaps(guard(vma)))
}

#[test]
fn gaps_are_what_a_look_at_every_vma_finds() {
    let user_end = mm::layout::USER_END_PAGE.0;
    let (mut found, mut guarded) = (0, 0);
    // How often a set was found with few VMAs after it had many, and the other way round.
    let (mut had_many, mut changes) = (false, 0);
    for seed in 1..=60 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let (mut set, mut files) = (VmaSet::new(SPACE), FileMappings::default());
        // From crowded to spread over all of user space; in places some VMAs are stacks, whose guard gaps reach over others.
        let stride = 1 << rng.below(20);
        let base = rng.below(user_end - 70 * stride);
        let page = |rng: &mut Rng| base + rng.below(64) * stride + rng.below(3);
        let stacks_one_in = rng.pick(&[2, 8, 1000]);
        for step in 0..400 {
            if step % 100 == 50 && seed % 2 == 0 {
                for _ in 0..200 {
                    let start = Vpn(base + rng.below(64 * stride + 200));
                    let range = PageRange::new(start, Vpn(start.0 + 1));
                    if set.overlapping(range).next().is_none() {
                        let flags = VmaFlags::empty();
                        let name = rng.pick(&["", "a"]).into();
                        set.insert(
                            &mut files,
                            Vma { range, prot: Prot::READ, flags, backing: Backing::Anon, name },
                        )
                        .unwrap();
                    }
                }
            }
            if step % 100 == 99 {
                set.remove(&mut files, PageRange::new(Vpn(base + stride), Vpn(base + 64 * stride + 1)))
                    .unwrap();
            }
            changes += u64::from(had_many != (set.len() > if had_many { 63 } else { 128 }));
            had_many = set.len() > if had_many { 63 } else { 128 };
            let start = page(&mut rng);
            let range = PageRange::new(Vpn(start), Vpn(start + 1 + rng.below(3 * stride)));
            match rng.below(8) {
                0..=3 if set.overlapping(range).next().is_none() => {
                    let flags =
                        if rng.chance(stacks_one_in) { VmaFlags::GROWS_DOWN } else { VmaFlags::empty() };
                    let prot = rng.pick(&[Prot::READ, Prot::READ | Prot::WRITE]);
                    let vma = Vma { range, prot, flags, backing: Backing::Anon, name: "".into() };
                    set.insert(&mut files, vma).unwrap();
                }
                4 => drop(set.remove(&mut files, range).unwrap()),
                5 => drop(set.protect(&mut files, range, Prot::READ)),
                6 => {
                    // A stack grows, a little or to the VMA below.
                    let Some(stack) = set.next_above(range.start) else { continue };
                    let start = stack.range.start;
                    let floor = set.last_below(start).map_or(0, |vma| vma.range.end.0);
                    if stack.flags.contains(VmaFlags::GROWS_DOWN) && floor < start.0 {
                        let pages = 1 + rng.below(start.0 - floor);
                        set.grow_down(&mut files, start, Vpn(start.0 - rng.pick(&[1, pages])));
                    }
                }
                _ => {}
            }
            let longest = rng.pick(&[1, 4, stride, 4 * stride, 80 * stride]);
            let len = 1 + rng.below(longest);
            let pages = [(); 2].map(|()| page(&mut rng));
            let (lowest, below) = (rng.pick(&[0, 16, pages[0]]), rng.pick(&[pages[1], user_end]));
            let expected = gap_by_looking(&set, len, lowest, below);
            assert_eq!(set.find_gap(len, Vpn(lowest), Vpn(below)).map(|v| v.0), expected);
            let start = page(&mut rng);
            let range = PageRange::new(Vpn(start), Vpn(start + rng.below(4)));
            assert_eq!(set.in_guard_gap(range), guarded_by_looking(&set, range), "{range:?}");
            found += u64::from(expected.is_some());
            guarded += u64::from(set.in_guard_gap(range));
        }
        let pages: u64 = set.iter().map(|vma| vma.range.len_pages()).sum();
        assert_eq!(set.total_pages(), pages);
    }
    assert!(found > 10_000 && guarded > 1000, "{found} gaps were found, {guarded} ranges guarded");
    assert!(changes > 50, "sets grew and shrank {changes} times");
}

#[test]
fn the_gap_below_a_stack_stays_free() {
    let (mut set, mut files) = (VmaSet::new(SPACE), FileMappings::default());
    let stack = Vma {
        range: PageRange::new(Vpn(1000), Vpn(1010)),
        prot: Prot::READ | Prot::WRITE,
        flags: VmaFlags::GROWS_DOWN,
        backing: Backing::Anon,
        name: "[stack]".into(),
    };
    set.insert(&mut files, stack).unwrap();
    assert_eq!(set.find_gap(1, Vpn(0), Vpn(1005)), Some(Vpn(1000 - 256 - 1)));
    assert_eq!(set.find_gap(1, Vpn(0), Vpn(900)), Some(Vpn(1000 - 256 - 1)));
    assert_eq!(set.find_gap(1, Vpn(0), Vpn(700)), Some(Vpn(699)));
    assert_eq!(set.find_gap(745, Vpn(0), Vpn(1005)), None);
    assert!(set.in_guard_gap(PageRange::new(Vpn(999), Vpn(1000))));
    assert!(set.in_guard_gap(PageRange::new(Vpn(0), Vpn(745))));
    assert!(!set.in_guard_gap(PageRange::new(Vpn(0), Vpn(744))));
}

#[test]
fn parts_of_a_file_mapping_show_the_same_pages() {
    let vma = Vma {
        range: PageRange::new(Vpn(10), Vpn(16)),
        prot: Prot::READ,
        flags: VmaFlags::empty(),
        backing: Backing::File(FileBacking { file: FileId(3), first_page: 5, len_bytes: Some(2 * 4096 + 1) }),
        name: "".into(),
    };
    let key = |index| PageKey { file: FileId(3), index };
    let expected = [
        PageSource::File(key(5)),
        PageSource::File(key(6)),
        PageSource::FileThenZeros { key: key(7), len_bytes: 1 },
        PageSource::Zeros,
        PageSource::Zeros,
        PageSource::Zeros,
    ];
    for (vpn, source) in vma.range.pages().zip(expected) {
        assert_eq!(vma.source(vpn), source);
    }
    let (mut set, mut files) = (VmaSet::new(SPACE), FileMappings::default());
    set.insert(&mut files, vma).unwrap();
    set.remove(&mut files, PageRange::new(Vpn(11), Vpn(12))).unwrap();
    let left: Vec<_> =
        set.iter().map(|vma| (vma.range.start.0, vma.range.end.0, vma.source(vma.range.start))).collect();
    assert_eq!(left, [(10, 11, expected[0]), (12, 16, expected[2])]);
    set.remove(&mut files, PageRange::new(Vpn(12), Vpn(13))).unwrap();
    assert_eq!(set.find(Vpn(13)).map(|vma| vma.backing), Some(Backing::Anon), "only zeros are left of it");
}
