//! Compares two commit logs of a batch, and says which case differs and where.

use crate::case::Case;
use crate::layout::{SLOT_BYTES, SLOTS_BASE};

/// The first line in which two logs differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The slot of the case that ran.
    pub slot: usize,
    /// The lines before, which are alike.
    pub context: Vec<String>,
    pub folio: String,
    pub spike: String,
}

impl Difference {
    /// What is told of it.
    pub fn text(&self) -> String {
        let context: String = self.context.iter().map(|line| format!("  {line}\n")).collect();
        format!("{context}  Folio: {}\n  Spike: {}", self.folio, self.spike)
    }
}

/// The address of the instruction of a line.
pub fn pc_of(line: &str) -> Option<u64> {
    let at = line.find(" 0x")?;
    u64::from_str_radix(line.get(at + 3..at + 19)?, 16).ok()
}

/// The slot whose preparation begins with this line.
fn begins(line: &str) -> Option<usize> {
    let pc = pc_of(line)?;
    let offset = pc.checked_sub(SLOTS_BASE)?;
    (offset % SLOT_BYTES == 0).then_some((offset / SLOT_BYTES) as usize)
}

/// The first difference in each case.
pub fn differences(cases: &[Case], folio: &str, spike: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    if spike.starts_with(folio) {
        return found;
    }
    let (mut folio, mut spike) = (folio.lines(), spike.lines());
    let mut slot = cases.first().map_or(0, |case| case.slot.0);
    let mut context: Vec<&str> = Vec::new();
    while let Some(line) = folio.next() {
        let Some(other) = spike.next().or(found.is_empty().then_some("(the end)")) else { break };
        slot = begins(line).unwrap_or(slot);
        if line == other {
            context.push(line);
            continue;
        }
        let context = context[context.len().saturating_sub(12)..].iter().map(|&l| l.to_string()).collect();
        found.push(Difference { slot, context, folio: line.to_string(), spike: other.to_string() });
        // On to the next case, in both.
        let next = |lines: &mut std::str::Lines| lines.find_map(begins);
        match (next(&mut folio), next(&mut spike)) {
            (Some(a), Some(b)) if a == b => slot = a,
            _ => break,
        }
    }
    found
}
