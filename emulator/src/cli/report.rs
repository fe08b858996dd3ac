//! The figures of a run: `--stats` on stderr, `--json` in a file. docs/json.md is the schema.

use super::output;
use super::paging::{self, EffectiveAccess};
use super::tlb_by_process::TlbByProcess;
use emulator::hart::Hart;
use emulator::machine::{DiskCounters, Machine, TlbCounters};
use emulator::trace::Trace;
use isa::Privilege;
use isa::events::EventKind;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Version of the JSON schema.
const SCHEMA_VERSION: u32 = 1;

/// The figures of a run, gathered once it has ended.
pub struct Figures<'a> {
    pub machine: &'a Machine,
    /// The number of the disk with swap space, if there is one: it is told of apart.
    pub swap_disk: Option<usize>,
    /// What the guest kernel reported, if it is Folio's.
    pub guest: Option<&'a Trace>,
    /// Whose the TLB's counters are, if that was followed.
    pub tlb: Option<&'a TlbByProcess>,
    /// What `--by` was asked for, as JSON.
    pub by_cause: Option<Value>,
    /// The exit status that `folio` will return.
    pub exit: u8,
}

impl Figures<'_> {
    /// What the disks have done that are no swap space, and what the one that is has.
    fn disks(&self) -> (DiskCounters, Option<DiskCounters>) {
        let (mut others, mut swap) = (Vec::new(), None);
        for (number, disk) in self.machine.disks().enumerate() {
            if Some(number) == self.swap_disk { swap = Some(disk) } else { others.push(disk) }
        }
        (others.into_iter().sum(), swap)
    }

    fn effective_access(&self, trace: &Trace) -> EffectiveAccess {
        let machine = self.machine;
        let user = machine.instructions_user();
        EffectiveAccess::new(&trace.accounts.machine, user, machine.instructions() - user)
    }

    /// The JSON object of docs/json.md.
    fn to_json(&self) -> Value {
        let machine = self.machine;
        let (i, d) = machine.tlb_counters();
        let (disk, swap) = self.disks();
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_string(), value);
        put("version", json!(SCHEMA_VERSION));
        put("exit", json!(self.exit));
        put("instructions", json!(machine.instructions()));
        put("instructions_user", json!(machine.instructions_user()));
        put("steps", json!(machine.steps().0));
        if let Some(trace) = self.guest {
            let stats = &trace.stats;
            let by_kind: Map<String, Value> =
                stats.faults_by_kind().map(|(kind, n)| (kind.name().to_string(), json!(n))).collect();
            put(
                "faults",
                json!({
                    "total": stats.faults_total,
                    "from_disk": stats.faults_from_disk,
                    "began_read": stats.faults_from_disk - stats.faults_awaited,
                    "awaited_read": stats.faults_awaited,
                    "by_kind": by_kind,
                }),
            );
            put(
                "frames",
                json!({
                    "total": stats.frames_total,
                    "peak": stats.frames_peak,
                    "private_peak": stats.private_peak,
                    "shared_peak": stats.shared_peak,
                }),
            );
            put("paging", paging::machine_json(&trace.accounts));
            put("processes", paging::processes_json(&trace.accounts, self.tlb));
            put("effective_access", self.effective_access(trace).to_json());
            put(
                "untouched",
                json!({
                    "populated": stats.count(EventKind::Populate),
                    "fork_copies": stats.count(EventKind::ForkCopy),
                    "mapped_around": {"pages": stats.ahead.mapped_around, "used": stats.ahead.around_used},
                    "read_ahead": {"pages": stats.ahead.read_ahead, "used": stats.ahead.ahead_used},
                }),
            );
        }
        put("disk", json!({"reads": disk.reads, "bytes": disk.read_bytes}));
        if let Some(swap) = swap {
            put(
                "swap_disk",
                json!({
                    "reads": swap.reads,
                    "bytes": swap.read_bytes,
                    "writes": swap.writes,
                    "written_bytes": swap.written_bytes,
                }),
            );
        }
        put(
            "tlb",
            json!({
                "accesses": i.accesses + d.accesses,
                "misses": i.misses + d.misses,
                "flushes": i.flushes,
                "flushed": i.flushed + d.flushed,
                "i": tlb_side(i),
                "d": tlb_side(d),
            }),
        );
        if machine.harts().len() > 1 {
            put("harts", machine.harts().iter().map(hart_figures).collect());
        }
        if let Some(causes) = &self.by_cause {
            put("by_cause", causes.clone());
        }
        put("state_hash", json!(format!("{:#018x}", machine.state_hash())));
        Value::Object(object)
    }

    /// Writes the JSON object to `path`.
    pub fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        write_json(path, &self.to_json())
    }

    /// Prints the figures on stderr, as a table for people.
    pub fn print_stats(&self) {
        super::tell_text(&self.table());
    }

    fn table(&self) -> String {
        use std::fmt::Write;
        let machine = self.machine;
        let (i, d) = machine.tlb_counters();
        let (disk, swap) = self.disks();
        let mut text = String::from("\n");
        // Writing to a String cannot fail.
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<28} {value:>16}");
        };
        row("instructions", grouped(machine.instructions()));
        for hart in machine.harts().iter().filter(|_| machine.harts().len() > 1) {
            row(&format!("  by hart {}", hart.id), grouped(hart.counters.retired()));
        }
        row("  of them in user mode", grouped(machine.instructions_user()));
        row("time (steps = ns)", grouped(machine.steps().0));
        if let Some(trace) = self.guest {
            let stats = &trace.stats;
            row("page faults", grouped(stats.faults_total));
            for (kind, n) in stats.faults_by_kind().filter(|&(_, n)| n > 0) {
                row(&format!("  {}", kind.name()), grouped(n));
            }
            row("  of them from disk", grouped(stats.faults_from_disk));
            row("    by a read of their own", grouped(stats.faults_from_disk - stats.faults_awaited));
            row("    by a read under way", grouped(stats.faults_awaited));
            paging::rows(&trace.accounts, &mut row);
            row(
                "frames at peak",
                format!("{} of {}", grouped(stats.frames_peak), grouped(stats.frames_total)),
            );
            for (name, n) in [
                ("pages mapped untouched", stats.count(EventKind::Populate)),
                ("pages mapped around", stats.ahead.mapped_around),
                ("  of them used", stats.ahead.around_used),
                ("  never used", stats.ahead.mapped_around - stats.ahead.around_used),
                ("pages read ahead", stats.ahead.read_ahead),
                ("  of them used", stats.ahead.ahead_used),
                ("  never used", stats.ahead.read_ahead - stats.ahead.ahead_used),
                ("frames copied by fork", stats.count(EventKind::ForkCopy)),
            ] {
                if n > 0 {
                    row(name, grouped(n));
                }
            }
            row("context switches", grouped(stats.context_switches()));
        }
        let moved =
            |requests: u64, bytes: u64| format!("{} ({} KiB)", grouped(requests), grouped(bytes / 1024));
        row("disk reads", moved(disk.reads, disk.read_bytes));
        if let Some(swap) = swap.filter(|swap| swap.writes > 0) {
            row("swap disk reads", moved(swap.reads, swap.read_bytes));
            row("swap disk writes", moved(swap.writes, swap.written_bytes));
        }
        for (name, side) in [("TLB misses, instruction", i), ("TLB misses, data", d)] {
            row(name, format!("{} of {}", grouped(side.misses), grouped(side.accesses)));
        }
        // A flush reaches both sides.
        row("TLB flushes", grouped(i.flushes));
        row("  entries dropped by them", grouped(i.flushed + d.flushed));
        if let Some(trace) = self.guest {
            text += &paging::columns(&trace.accounts, self.tlb);
            text += &self.effective_access(trace).text();
        }
        text
    }
}

/// What one side of the TLB has counted.
pub fn tlb_side(side: TlbCounters) -> Value {
    json!({"accesses": side.accesses, "misses": side.misses, "flushes": side.flushes, "flushed": side.flushed})
}

/// What one hart of several has done.
fn hart_figures(hart: &Hart) -> Value {
    json!({
        "instructions": hart.counters.retired(),
        "instructions_user": hart.counters.retired_in(Privilege::User),
        "tlb": {"i": tlb_side(hart.itlb.counters()), "d": tlb_side(hart.dtlb.counters())},
    })
}

/// Writes `value` to `path`.
pub fn write_json(path: &Path, value: &Value) -> anyhow::Result<()> {
    output::write(path, format!("{value:#}\n"))
}

/// `1234567` as `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_three() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }
}
