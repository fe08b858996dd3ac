//! `pt`: a page table as a tree, only what is used; neighbours that are alike share a line.

use super::space::Space;
use super::target::Target;
use crate::trace::{SpaceView, pte_flags};
use isa::paging::{ENTRIES, Pte, Scheme, pages_log2};
use isa::{PAGE_SIZE, Ppn, VirtAddr, Vpn};
use std::fmt::Write;

/// Lines that a tree has at most.
const MAX_LINES: usize = 400;

/// Entries that stand one behind the other and are alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    first: usize,
    last: usize,
    /// The first of them.
    pte: Pte,
    /// Whether their frames follow one another, too.
    is_contiguous: bool,
}

/// The entries of a table that are not empty, neighbours joined that are alike: leaves with the same flags, notes of the kernel's.
fn runs(entries: &[Pte]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, &pte) in entries.iter().enumerate().filter(|(_, pte)| **pte != Pte::EMPTY) {
        let is_alike = |run: &Run| {
            let both_leaves = pte.is_leaf() && run.pte.is_leaf() && pte.flags() == run.pte.flags();
            run.last + 1 == index && (both_leaves || !pte.is_valid() && !run.pte.is_valid())
        };
        match runs.last_mut().filter(|run| is_alike(run)) {
            Some(run) => {
                let ahead = (index - run.first) as u64;
                run.is_contiguous &= pte.ppn().0 == run.pte.ppn().0.wrapping_add(ahead);
                run.last = index;
            }
            None => runs.push(Run { first: index, last: index, pte, is_contiguous: true }),
        }
    }
    runs
}

/// What there is to draw.
struct Tree<'a> {
    target: &'a dyn Target,
    scheme: Scheme,
    /// Names what lies at an address.
    title: &'a dyn Fn(VirtAddr) -> Option<String>,
    text: String,
    lines: usize,
    left_out: usize,
}

/// The page table of an address space. Of a process's, the kernel's half is not drawn, which all have.
pub(super) fn tree(
    target: &dyn Target,
    space: &Space,
    is_process: bool,
    title: &dyn Fn(VirtAddr) -> Option<String>,
) -> Result<String, String> {
    let by = space.translation().map_err(|why| format!("nothing is translated: {why}"))?;
    let (scheme, root) = (by.scheme, space.satp.root());
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "satp {:#x}: {}, ASID {}, root table at {}{}",
        space.satp.0,
        scheme.name(),
        space.satp.asid(),
        root.base(),
        space.whose()
    );
    let mut tree = Tree { target, scheme, title, text, lines: 0, left_out: 0 };
    let entries = if is_process { ENTRIES / 2 } else { ENTRIES };
    tree.table(root, scheme.root_level(), VirtAddr(0), entries);
    if tree.left_out > 0 {
        let _ = writeln!(tree.text, "  and {} lines more", tree.left_out);
    }
    if is_process {
        tree.text.push_str("  [256-511] the kernel's half, which every process has\n");
    }
    Ok(tree.text)
}

impl Tree<'_> {
    fn table(&mut self, table: Ppn, level: u8, base: VirtAddr, entries: u64) {
        let mut bytes = vec![0; usize::try_from(entries).map_or(0, |count| count * 8)];
        if !self.target.read_ram(table.base(), &mut bytes) {
            return self
                .line(level, &format!("there is no RAM at {}, where the table should be", table.base()));
        }
        let read = |chunk: &[u8]| Pte(chunk.try_into().map_or(0, u64::from_le_bytes));
        let entries: Vec<Pte> = bytes.chunks_exact(8).map(read).collect();
        for run in runs(&entries) {
            let start = self.address(base, run.first, level);
            // Behind the last address there is one that has no number of 64 bits.
            let end = u128::from(self.address(base, run.last, level).0) + u128::from(self.span(level));
            let place = match run.last - run.first {
                0 => format!("[{}] {start}-{end:#x}", run.first),
                _ => format!("[{}-{}] {start}-{end:#x}", run.first, run.last),
            };
            if run.pte.is_valid() && !run.pte.is_leaf() && level > 0 {
                let below = run.pte.ppn();
                self.line(level, &format!("{place} -> table of level {} at {}", level - 1, below.base()));
                self.table(below, level - 1, start, ENTRIES);
                continue;
            }
            self.line(level, &format!("{place} {}", self.leaf(&run, start)));
        }
    }

    /// What entries say that lead to no table.
    fn leaf(&self, run: &Run, start: VirtAddr) -> String {
        let count = run.last - run.first + 1;
        let title = (self.title)(start).map(|title| format!("  {title}")).unwrap_or_default();
        if !run.pte.is_valid() {
            let what = if count == 1 {
                format!("a note of the kernel's, {:#x}", run.pte.0)
            } else {
                format!("{count} notes of the kernel's")
            };
            return format!("not valid: {what}{title}");
        }
        let flags = pte_flags(run.pte);
        let first = run.pte.ppn().0;
        let frames = match (count, run.is_contiguous) {
            (1, _) => format!("frame {first:#x}"),
            (_, true) => format!("frames {first:#x}-{:#x}", first + count as u64 - 1),
            (_, false) => format!("{count} frames, {first:#x} first"),
        };
        format!("{flags} {frames}{title}")
    }

    fn line(&mut self, level: u8, text: &str) {
        if self.lines == MAX_LINES {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        let indent = usize::from(self.scheme.root_level() - level) * 2 + 2;
        let _ = writeln!(self.text, "{:indent$}{text}", "");
    }

    fn address(&self, base: VirtAddr, index: usize, level: u8) -> VirtAddr {
        address(self.scheme, base, index, level)
    }
    fn span(&self, level: u8) -> u64 {
        PAGE_SIZE << pages_log2(level)
    }
}

/// Where the range of an entry begins, in a table for what begins at `base`.
fn address(scheme: Scheme, base: VirtAddr, index: usize, level: u8) -> VirtAddr {
    let va = base.0.wrapping_add((PAGE_SIZE << pages_log2(level)).wrapping_mul(index as u64));
    // The upper half of the root table is that of the addresses whose upper bits are set.
    let unused = 64 - scheme.va_bits();
    VirtAddr((va << unused).cast_signed().wrapping_shr(unused).cast_unsigned())
}

/// The pages of a process that has ended, by its mappings: its page table is gone.
pub(super) fn last_pages(pid: u64, space: &SpaceView) -> String {
    let mut text = format!("the page table of process {pid} is gone; when it ended it had mapped\n");
    let mut run: Option<(Vpn, Vpn, Ppn, bool, String)> = None;
    let flush = |text: &mut String, run: Option<(Vpn, Vpn, Ppn, bool, String)>| {
        let Some((first, last, frame, is_contiguous, title)) = run else { return };
        let count = last.0 - first.0 + 1;
        let frames = match (count, is_contiguous) {
            (1, _) => format!("frame {:#x}", frame.0),
            (_, true) => format!("frames {:#x}-{:#x}", frame.0, frame.0 + count - 1),
            (_, false) => format!("{count} frames, {:#x} first", frame.0),
        };
        let end = VirtAddr(last.base().0 + PAGE_SIZE);
        let _ = writeln!(text, "  {}-{end} {frames}  {title}", first.base());
    };
    for (vpn, frame) in space.pages() {
        let title = space.vma_at(vpn.base()).map_or("", |vma| vma.title()).to_owned();
        run = match run.take() {
            Some((first, last, start, is_contiguous, of)) if last.0 + 1 == vpn.0 && of == title => {
                let follows = frame.0 == start.0 + (vpn.0 - first.0);
                Some((first, vpn, start, is_contiguous && follows, of))
            }
            before => {
                flush(&mut text, before);
                Some((vpn, vpn, frame, true, title))
            }
        };
    }
    flush(&mut text, run);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::paging::PteFlags;

    #[test]
    fn entries_that_are_alike_are_joined() {
        let leaf = |frame, more: PteFlags| Pte::new(Ppn(frame), PteFlags::V | PteFlags::R | more);
        let mut entries = vec![Pte::EMPTY; 16];
        (entries[1], entries[2]) = (leaf(7, PteFlags::empty()), leaf(8, PteFlags::empty()));
        (entries[3], entries[4]) = (leaf(9, PteFlags::W), leaf(5, PteFlags::W));
        (entries[6], entries[7], entries[8]) = (leaf(1, PteFlags::W), Pte(0x10), Pte(0x20));
        entries[9] = Pte::new(Ppn(3), PteFlags::V);
        entries[10] = Pte::new(Ppn(4), PteFlags::V);
        let joined: Vec<_> =
            runs(&entries).iter().map(|run| (run.first, run.last, run.is_contiguous)).collect();
        assert_eq!(
            joined,
            [(1, 2, true), (3, 4, false), (6, 6, true), (7, 8, joined[3].2), (9, 9, true), (10, 10, true)]
        );
    }

    #[test]
    fn addresses_have_their_upper_bits() {
        for (base, index, level, start) in [
            (0, 1, 2, 0x4000_0000),
            (0, 255, 2, 0x3f_c000_0000),
            (0, 256, 2, 0xffff_ffc0_0000_0000),
            (0x4000_0000, 3, 1, 0x4060_0000),
            (0x4060_0000, 511, 0, 0x407f_f000),
            (0xffff_ffc0_0000_0000, 1, 0, 0xffff_ffc0_0000_1000),
        ] {
            assert_eq!(address(Scheme::Sv39, VirtAddr(base), index, level), VirtAddr(start));
        }
    }
}
