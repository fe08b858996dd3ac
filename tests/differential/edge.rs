//! Where the two machines may go different ways: what Spike does not look at, and what nothing has fenced.

use emulator::hart::Hart;
use isa::csr::Csr;
use isa::{Exception, Format, Op, Trap};

use crate::case::Case;

/// Whether an access may have been refused for its last bytes alone: Spike asks PMP for the first byte and each fourth
/// one after it, so that a misaligned access may end in a word that it has not asked for.
pub fn escapes_spike(case: &Case, hart: &Hart, pc: u64, trap: Trap) -> bool {
    let access = matches!(trap.exception, Exception::LoadAccess | Exception::StoreAccess);
    let width = case.insn_at(pc).map_or(8, |insn| width(insn.op));
    if !access || !case.protects_memory() || trap.tval.is_multiple_of(4) || trap.tval % 4 + width <= 4 {
        return false;
    }
    // An entry begins or ends there: as far as can be said without its physical address.
    let last_word = trap.tval.wrapping_add(width - 1) >> 2;
    (0..16).any(|n| {
        let addr = hart.csr_value(Csr(Csr::PMPADDR0.0 + n), 0).unwrap_or(0);
        let napot = addr ^ addr.wrapping_add(1);
        let edges = [addr, addr.wrapping_add(1), addr & !napot, (addr | napot).wrapping_add(1)];
        edges.iter().any(|edge| (edge ^ last_word).is_multiple_of(0x400))
    })
}

/// Whether `satp` is none of those that show the same: a sequence that writes it has been overwritten or jumped into.
/// Folio may still know translations by the tables of before.
pub fn has_strayed(case: &Case, satp: u64) -> bool {
    let (mode, page) = (satp >> 60, satp & ((1 << 44) - 1));
    let set = case.csrs.iter().rev().find(|(csr, _)| *csr == Csr::SATP).map_or(0, |&(_, value)| value);
    mode != 0 && page != (set & ((1 << 44) - 1)) + (set >> 60) - mode
}

/// Bytes of a load or store. Misaligned atomics are refused before, and cache blocks by their first byte.
fn width(op: Op) -> u64 {
    match op {
        Op::Lb | Op::Lbu | Op::Sb => 1,
        Op::Lh | Op::Lhu | Op::Sh | Op::Flh | Op::Fsh => 2,
        Op::Lw | Op::Lwu | Op::Sw | Op::Flw | Op::Fsw => 4,
        _ if matches!(op.format(), Format::Amo | Format::Lr | Format::CacheBlock) => 0,
        _ => 8,
    }
}
