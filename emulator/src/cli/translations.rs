//! `--check-translations`: tells where accesses went by stale entries of the TLB, and which fence was not made.

use super::report::grouped;
use emulator::exec::{Cause, StaleUse, TableStore, WalkedNow};
use emulator::machine::Machine;
use emulator::source::SymbolTable;
use isa::paging::{Access, PteFlags};
use isa::{Ppn, Privilege, VirtAddr};

/// Findings that are told in full.
const SHOWN: usize = 10;

/// Tells what was found in a run that has ended. Whether anything was.
pub fn tell(machine: &mut Machine, kernel: Option<&[u8]>) -> bool {
    let Some(checked) = machine.checked_translations(true) else { return false };
    let (found, legal) = (checked.found(), checked.legal());
    if found.is_empty() {
        let apart = match legal {
            0 => String::new(),
            count => format!("; {} differed from the tables in A or D alone, which is legal", grouped(count)),
        };
        tell!("folio: translations checked: no access went by a stale one{apart}");
        return false;
    }
    let symbols = kernel.map(SymbolTable::read).unwrap_or_default();
    for stale in &found[..found.len().min(SHOWN)] {
        for line in lines_of(stale, &symbols) {
            tell!("folio: {line}");
        }
    }
    let count = found.len();
    let rest = if count > SHOWN { format!(", of which {SHOWN} are shown") } else { String::new() };
    let pages =
        if count == 1 { "1 access".to_owned() } else { format!("{} accesses", grouped(count as u64)) };
    tell!(
        "folio: translations checked: {pages} went by a stale one{rest}; each is told once until the TLB is filled anew"
    );
    true
}

/// The sentences about one.
fn lines_of(stale: &StaleUse, symbols: &SymbolTable) -> [String; 3] {
    let StaleUse { step, hart, pc, privilege, va, access, asid, frame, flags, filled, now, cause } = *stale;
    let did = match access {
        Access::Load => "loaded from",
        Access::Store => "stored to",
        Access::Fetch => "fetched from",
    };
    let place = |pc, privilege| place(pc, privilege, symbols);
    let used = format!(
        "a fence is missing: at step {} hart {hart} {did} {:#x} ({}) by a stale entry of the TLB, of ASID {asid}, filled soon after step {}: {}",
        step.0,
        va.0,
        place(pc, privilege),
        filled.0,
        leads_to(frame, flags),
    );
    let should = match now {
        WalkedNow::Frame(frame) => format!("a walk leads to frame {:#x} now", frame.0),
        WalkedNow::Denied(frame, flags) => {
            format!("a walk leads to {} now, which does not allow it", leads_to(frame, flags))
        }
        WalkedNow::Nowhere { entry: Some(entry), level } => {
            format!("a walk ends at the entry of level {level} at {:#x} now: a page fault", entry.0)
        }
        WalkedNow::Nowhere { entry: None, .. } => "a walk finds no memory now: an access fault".to_owned(),
    };
    let why = match cause {
        Cause::Store(TableStore { step, hart: by, pc, privilege, entry, before, after }) => format!(
            "hart {by} has changed the entry at {:#x} at step {} ({}) from {before:#x} to {after:#x}, and no sfence.vma for {:#x} followed on hart {hart}",
            entry.0,
            step.0,
            place(pc, privilege),
            va.page().base().0,
        ),
        Cause::Root { step, pc, privilege, before, after, .. } => format!(
            "hart {hart} has given ASID {asid} another root at step {} ({}): {:#x} after {:#x}, and no sfence.vma for that ASID followed",
            step.0,
            place(pc, privilege),
            after.page().base().0,
            before.page().base().0,
        ),
        Cause::Unseen => "what has changed the tables was not seen: a device has written them".to_owned(),
    };
    [used, format!("  {should}"), format!("  {why}")]
}

fn leads_to(frame: Ppn, flags: PteFlags) -> String {
    let letter = |flag: PteFlags, letter: char| if flags.contains(flag) { letter } else { '-' };
    let letters: String = [(PteFlags::R, 'r'), (PteFlags::W, 'w'), (PteFlags::X, 'x'), (PteFlags::U, 'u')]
        .map(|(flag, name)| letter(flag, name))
        .iter()
        .collect();
    format!("frame {:#x} ({letters})", frame.0)
}

/// An instruction's place: of the kernel, and of what runs in M-mode, by name.
fn place(pc: VirtAddr, privilege: Privilege, symbols: &SymbolTable) -> String {
    let mode = match privilege {
        Privilege::User => "U",
        Privilege::Supervisor => "S",
        Privilege::Machine => "M",
    };
    let name = match privilege {
        Privilege::User => None,
        _ => symbols.name_of(pc.0).or_else(|| symbols.name_of_physical(pc.0)),
    };
    match name {
        Some(name) => format!("pc {:#x} <{name}>, {mode}-mode", pc.0),
        None => format!("pc {:#x}, {mode}-mode", pc.0),
    }
}
