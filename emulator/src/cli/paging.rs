//! What paging has cost, as `--stats` and `--json` tell it: what was thrown out, read and written, by whom and of whom, how long faults waited, and the
//! effective access time.

use super::report::{grouped, tlb_side};
use super::tlb_by_process::TlbByProcess;
use emulator::trace::{Account, Accounts, EvictionKind, NOBODY, ProcessAccount};
use isa::events::EventKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The most processes that have columns of their own.
const MOST_COLUMNS: usize = 4;
const COLUMN: usize = 16;

/// What `--stats` says of an eviction.
fn about(kind: EvictionKind) -> &'static str {
    match kind {
        EvictionKind::File => "pages of files, dropped",
        EvictionKind::Private => "private pages, written",
        EvictionKind::Tmpfs => "pages of tmpfs, written",
        EvictionKind::Clean => "that swap had unchanged",
        EvictionKind::Zeros => "of zeros, not written",
        EvictionKind::Entry => "that stayed for others",
    }
}

/// Calls `row` for each line of the machine's account that is about evictions and swap space: for none if there was nothing of the kind.
pub fn rows(accounts: &Accounts, mut row: impl FnMut(&str, String)) {
    let all = &accounts.machine;
    if all.faults_of(EventKind::SwapIn) > 0 {
        row("  swap_in by its own read", grouped(all.swap_ins_read));
        row("    by what was under way", grouped(all.swap_ins_awaited));
        row("    from the swap cache", grouped(all.swap_ins_cached()));
    }
    row("steps that faults waited", grouped(all.steps_waited));
    if all.evictions_total() == 0 {
        return;
    }
    let policy = accounts.policy.map_or_else(String::new, |policy| format!(" by {policy}"));
    row(&format!("pages thrown out{policy}"), grouped(all.evictions_total()));
    for kind in EvictionKind::ALL.into_iter().filter(|&kind| all.evictions_of(kind) > 0) {
        row(&format!("  {}", about(kind)), grouped(all.evictions_of(kind)));
    }
    row("  of them by a budget", grouped(all.evictions_local()));
    row("pages of files read", grouped(all.file_pages_read));
    row("pages of swap read", grouped(all.swap_pages_read));
    row("pages of swap written", grouped(all.swap_pages_written));
    row("slots in use at peak", grouped(accounts.slots_peak));
}

/// The processes side by side, if there are some and few.
pub fn columns(accounts: &Accounts, tlb: Option<&TlbByProcess>) -> String {
    let processes: Vec<(u64, &ProcessAccount)> =
        accounts.processes.iter().filter(|&(&pid, _)| pid != NOBODY).map(|(&pid, of)| (pid, of)).collect();
    let mut text = String::new();
    if !(2..=MOST_COLUMNS).contains(&processes.len()) {
        return text;
    }
    text.push('\n');
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &dyn Fn(u64, &ProcessAccount) -> String| {
        let _ = write!(text, "  {name:<28}");
        for (pid, process) in &processes {
            let _ = write!(text, " {:>COLUMN$}", value(*pid, process));
        }
        text.push('\n');
    };
    line("by process", &|pid, process| {
        let name: String = process.name().chars().take(COLUMN - 6).collect();
        format!("{pid} {name}")
    });
    let count =
        |of: fn(&Account) -> u64| move |_: u64, process: &ProcessAccount| grouped(of(&process.account));
    line("page faults", &count(Account::faults_total));
    for &kind in EventKind::ALL.iter().filter(|&&kind| accounts.machine.faults_of(kind) > 0) {
        line(&format!("  {}", kind.name()), &|_, process| grouped(process.account.faults_of(kind)));
    }
    line("  of them from disk", &count(|account| account.faults_from_disk));
    line("steps that faults waited", &count(|account| account.steps_waited));
    if let Some(tlb) = tlb {
        for (side, name) in ["TLB misses, instruction", "TLB misses, data"].into_iter().enumerate() {
            line(name, &|pid, _| grouped(tlb.of(pid)[side].misses));
        }
        line("TLB flushes", &|pid, _| grouped(tlb.of(pid)[0].flushes));
        line("  entries dropped by them", &|pid, _| {
            grouped(tlb.of(pid).map(|side| side.flushed).iter().sum())
        });
    }
    if accounts.machine.evictions_total() > 0 {
        line("pages of swap read", &count(|account| account.swap_pages_read));
        line("pages of swap written", &count(|account| account.swap_pages_written));
        line("pages lost", &|_, process| grouped(process.pages_lost));
        line("pages thrown out", &count(Account::evictions_total));
        for &(owner, _) in &processes {
            line(&format!("  of process {owner}"), &|by, _| grouped(accounts.thrown_out(by, owner)));
        }
        line("  of nobody", &|by, _| grouped(accounts.thrown_out(by, NOBODY)));
    }
    text
}

/// The textbook's effective access time, in steps, and what it is made of.
pub struct EffectiveAccess {
    accesses: u64,
    faults: u64,
    steps_waited: u64,
    kernel_instructions: u64,
}

impl EffectiveAccess {
    /// Steps of an access that does not fault: an instruction of a program takes one step, and its accesses are part of it.
    const ACCESS_STEPS: f64 = 1.0;

    /// `accesses` of programs, one an instruction of theirs; `kernel_instructions` are all that were not executed in user mode: they serve the faults,
    /// and so are no accesses themselves.
    pub fn new(account: &Account, accesses: u64, kernel_instructions: u64) -> Self {
        let (faults, steps_waited) = (account.faults_total(), account.steps_waited);
        Self { accesses, faults, steps_waited, kernel_instructions }
    }
    /// The part of all accesses that fault: all of them, where they had to be tried so often that there were more faults.
    #[allow(clippy::cast_precision_loss)] // a ratio, to be read
    fn probability(&self) -> f64 {
        (self.faults as f64 / self.accesses.max(1) as f64).min(1.0)
    }
    #[allow(clippy::cast_precision_loss)]
    fn each_fault(&self, total: u64) -> f64 {
        total as f64 / self.faults.max(1) as f64
    }
    /// Steps that a fault takes.
    fn service(&self) -> f64 {
        self.each_fault(self.steps_waited) + self.each_fault(self.kernel_instructions)
    }
    /// (1 - p) × memory access + p × page-fault service time.
    fn steps(&self) -> f64 {
        let p = self.probability();
        (1.0 - p) * Self::ACCESS_STEPS + p * self.service()
    }

    /// In words, a line a term; nothing if there was no fault.
    pub fn text(&self) -> String {
        if self.faults == 0 {
            return String::new();
        }
        let steps = |steps: f64| format!("{steps:.1} steps");
        let accesses =
            format!("{} faults of {} instructions of programs", grouped(self.faults), grouped(self.accesses));
        let rows = [
            (
                "effective access time",
                format!("{:.3} steps", self.steps()),
                "(1 - p) × memory access + p × page-fault service time",
            ),
            (
                "  memory access",
                "1 step".to_owned(),
                "an instruction takes a step, and its accesses are part of it",
            ),
            ("  p", format!("{:.3e}", self.probability()), accesses.as_str()),
            ("  page-fault service time", steps(self.service()), "the sum of two"),
            (
                "    waiting",
                steps(self.each_fault(self.steps_waited)),
                "for the disk and for frames, a fault; of several who wait at once each counts",
            ),
            (
                "    in the kernel",
                steps(self.each_fault(self.kernel_instructions)),
                "all its instructions, boot and system calls included, a fault",
            ),
        ];
        let mut text = String::from("\n");
        for (name, value, why) in rows {
            let _ = writeln!(text, "  {name:<28} {value:>COLUMN$}  {why}");
        }
        text
    }

    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "accesses": self.accesses,
            "faults": self.faults,
            "steps_waited": self.steps_waited,
            "kernel_instructions": self.kernel_instructions,
            "memory_access_steps": Self::ACCESS_STEPS,
            "page_fault_service_steps": self.service(),
            "effective_access_steps": self.steps(),
        })
    }
}

/// Puts an account's fields into an object.
fn account_fields(account: &Account) -> Map<String, Value> {
    let kinds: Map<String, Value> = EvictionKind::ALL
        .into_iter()
        .map(|kind| (kind.name().to_string(), json!(account.evictions_of(kind))))
        .collect();
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_string(), value);
    put(
        "swap_ins",
        json!({
            "read": account.swap_ins_read,
            "awaited": account.swap_ins_awaited,
            "cached": account.swap_ins_cached(),
        }),
    );
    put(
        "evictions",
        json!({"total": account.evictions_total(), "local": account.evictions_local(), "by_kind": kinds}),
    );
    put(
        "pages",
        json!({
            "files_read": account.file_pages_read,
            "swap_read": account.swap_pages_read,
            "swap_written": account.swap_pages_written,
        }),
    );
    put("steps_waited", json!(account.steps_waited));
    fields
}

/// The machine's account, with what only it has.
pub fn machine_json(accounts: &Accounts) -> Value {
    let mut fields = account_fields(&accounts.machine);
    fields.insert("slots_peak".to_string(), json!(accounts.slots_peak));
    if let Some(policy) = accounts.policy {
        fields.insert("policy".to_string(), json!(policy.name()));
    }
    Value::Object(fields)
}

/// Each process's account. 0 is the kernel's.
pub fn processes_json(accounts: &Accounts, tlb: Option<&TlbByProcess>) -> Value {
    let nothing = ProcessAccount::default();
    let mut all: BTreeMap<u64, &ProcessAccount> =
        accounts.processes.iter().map(|(&pid, process)| (pid, process)).collect();
    // The kernel has used the TLB before there is a process, and so may one that has nothing else to tell.
    for pid in tlb.into_iter().flat_map(TlbByProcess::processes) {
        all.entry(pid).or_insert(&nothing);
    }
    let of = |(pid, process)| {
        let mut fields = process_json(accounts, pid, process);
        if let Some(tlb) = tlb {
            let [instruction, data] = tlb.of(pid).map(tlb_side);
            fields["tlb"] = json!({"i": instruction, "d": data});
        }
        fields
    };
    all.into_iter().map(of).collect()
}

fn process_json(accounts: &Accounts, pid: u64, process: &ProcessAccount) -> Value {
    let account = &process.account;
    let by_kind: Map<String, Value> =
        account.faults.iter().map(|(kind, count)| (kind.name().to_string(), json!(count))).collect();
    let mut fields = Map::new();
    fields.insert("pid".to_string(), json!(pid));
    fields.insert("program".to_string(), json!(process.program));
    fields.insert(
        "faults".to_string(),
        json!({
            "total": account.faults_total(),
            "from_disk": account.faults_from_disk,
            "awaited_read": account.faults_awaited,
            "by_kind": by_kind,
        }),
    );
    fields.extend(account_fields(account));
    fields.insert("pages_lost".to_string(), json!(process.pages_lost));
    let thrown_out: Vec<Value> =
        accounts.thrown_out_by(pid).map(|(owner, pages)| json!({"of": owner, "pages": pages})).collect();
    fields.insert("thrown_out".to_string(), json!(thrown_out));
    Value::Object(fields)
}
