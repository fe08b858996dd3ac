//! `folio compare`: one program, run by the mechanisms and without them, and one table of what was measured.

use super::args::{CompareArgs, ForkArg, PagingArgs};
use super::bind::Binds;
use super::drive::{Driver, End};
use super::report::{grouped, write_json};
use super::run::{MIN_GUEST_RAM, Origin, Source, build, conclude};
use super::signals::Interrupted;
use super::stdio::HostStdio;
use super::trace_file::Recorder;
use super::{STATUS_ERROR, output};
use anyhow::{Context, Result, bail};
use emulator::host::{Input, Output, OutputClosed, Stdio};
use emulator::trace::Stats;
use isa::events::EventKind;
use isa::{PAGE_SIZE, Step};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::rc::Rc;

/// What is compared: the switches of `run` that differ from how it is without them.
const VARIANTS: [PagingArgs; 7] = {
    const AS_IT_IS: PagingArgs =
        PagingArgs { eager: false, fork: ForkArg::Cow, fault_around: 1, read_ahead: 1, fork_maps: false };
    [
        AS_IT_IS,
        PagingArgs { eager: true, ..AS_IT_IS },
        PagingArgs { fork: ForkArg::Copy, ..AS_IT_IS },
        PagingArgs { eager: true, fork: ForkArg::Copy, ..AS_IT_IS },
        PagingArgs { fault_around: 16, ..AS_IT_IS },
        PagingArgs { read_ahead: 8, ..AS_IT_IS },
        PagingArgs { fault_around: 16, read_ahead: 8, ..AS_IT_IS },
    ]
};

/// Runs the program once for each variant; the exit status to return.
pub fn compare(args: &CompareArgs) -> Result<u8> {
    output::check(&[("--json", args.json.as_deref())])?;
    let program = args.program.first().context("no PROGRAM given")?;
    if args.guest.memory < MIN_GUEST_RAM {
        bail!("the guest OS needs more RAM; give it at least -m 12M");
    }
    if args.guest.machine.log_commits.is_some() {
        bail!("--log-commits is about one run: `folio run --log-commits FILE PROGRAM`");
    }
    let interrupted = Interrupted::install();
    let binds = Binds::new(&args.guest.binds)?.without_writing();
    let source = Source::find(&args.guest, program);
    let path = source.path_in_guest()?;
    let mut runs = Vec::new();
    for paging in &VARIANTS {
        let recorder = Recorder::new(None)?;
        let heard = Heard::default();
        let stdio = Box::new(heard.clone());
        let origin = Origin { image: source.image()?, path: &path, binds: &binds };
        let (machine, swap_disk) = build(&args.guest, paging, &args.program, origin, &recorder, stdio)?;
        let mut driver = Driver::new(machine, HostStdio::new(), interrupted.clone(), args.guest.machine.fuel);
        let end = driver.run_until(Step::NEVER, None);
        let refusal = recorder.with(|trace| trace.last_refusal.clone());
        let exit = conclude(end, program, refusal.as_deref());
        if let End::Interrupted(status) = end {
            return Ok(status);
        }
        let root_disk = driver.machine.disks().enumerate().filter(|&(number, _)| Some(number) != swap_disk);
        let disk: emulator::machine::DiskCounters = root_disk.map(|(_, disk)| disk).sum();
        let wrote = heard.0.take();
        let stats = recorder.with(|trace| trace.stats.clone());
        let (reads, steps) = (disk.reads, driver.machine.steps().0);
        let run = Run { paging: *paging, exit, wrote, reads, read_bytes: disk.read_bytes, steps, stats };
        if run.exit == STATUS_ERROR {
            return Ok(run.exit);
        }
        runs.push(run);
    }
    std::io::stdout().write_all(table(&runs).as_bytes()).context("cannot write to standard output")?;
    if let Some(path) = &args.json {
        write_json(
            path,
            &json!({ "version": 1, "runs": runs.iter().map(Run::to_json).collect::<Vec<_>>() }),
        )?;
    }
    Ok(0)
}

/// What the program writes, kept: one run after the other would write it again.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<u8>>>);

impl Stdio for Heard {
    fn write(&mut self, _: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }
    fn poll_input(&mut self, _: &mut [u8]) -> Input {
        Input::Eof
    }
}

/// What one run was like.
struct Run {
    paging: PagingArgs,
    exit: u8,
    wrote: Vec<u8>,
    reads: u64,
    read_bytes: u64,
    steps: u64,
    stats: Stats,
}

impl Run {
    /// The switches, as `run` takes them.
    fn switches(&self) -> String {
        let mut words = Vec::new();
        if self.paging.eager {
            words.push("--eager".to_owned());
        }
        if self.paging.fork == ForkArg::Copy {
            words.push("--fork copy".to_owned());
        }
        for (name, pages) in
            [("--fault-around", self.paging.fault_around), ("--read-ahead", self.paging.read_ahead)]
        {
            if pages > 1 {
                words.push(format!("{name} {pages}"));
            }
        }
        words.join(" ")
    }

    fn copied_at_fork(&self) -> u64 {
        self.stats.count(EventKind::ForkCopy)
    }
    fn copied_at_stores(&self) -> u64 {
        self.stats.count(EventKind::CowCopy)
    }
    /// How many such runs have room at once: what they share is there once.
    fn fits(&self) -> u64 {
        let left = self.stats.frames_total.saturating_sub(self.stats.shared_peak);
        left / self.stats.private_peak.max(1)
    }

    fn to_json(&self) -> Value {
        json!({
            "switches": self.switches(),
            "exit": self.exit,
            "disk_reads": self.reads,
            "pages_read": self.read_bytes / PAGE_SIZE,
            "faults": self.stats.faults_total,
            "faults_from_disk": self.stats.faults_from_disk,
            "frames_peak": self.stats.frames_peak,
            "private_peak": self.stats.private_peak,
            "shared_peak": self.stats.shared_peak,
            "copied_at_fork": self.copied_at_fork(),
            "copied_at_stores": self.copied_at_stores(),
            "steps": self.steps,
            "fits": self.fits(),
        })
    }
}

/// The table, and below it what is not the same in all runs that should be.
fn table(runs: &[Run]) -> String {
    const HEADS: [[&str; 2]; 8] = [
        ["pages", "read"],
        ["page", "faults"],
        ["frames", "at peak"],
        ["of them", "private"],
        ["copied", "by fork"],
        ["copied", "later"],
        ["steps", "(= ns)"],
        ["so many", "fit"],
    ];
    const FIRST: &str = "demand paging, copy-on-write";
    let rows: Vec<(String, [u64; HEADS.len()])> = runs
        .iter()
        .map(|run| {
            let switches = run.switches();
            let name = if switches.is_empty() { FIRST.to_owned() } else { switches };
            let (pages, faults) = (run.read_bytes / PAGE_SIZE, run.stats.faults_total);
            let (frames, private) = (run.stats.frames_peak, run.stats.private_peak);
            let (at_fork, later) = (run.copied_at_fork(), run.copied_at_stores());
            (name, [pages, faults, frames, private, at_fork, later, run.steps, run.fits()])
        })
        .collect();
    let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let width = |column: usize| {
        let values = rows.iter().map(|(_, values)| grouped(values[column]).len());
        values.chain(HEADS[column].map(str::len)).max().unwrap_or(0)
    };
    let mut text = String::new();
    let mut line = |name: &str, cells: [String; HEADS.len()]| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{name:<first$}");
        for (column, cell) in cells.iter().enumerate() {
            let _ = write!(text, "  {cell:>0$}", width(column));
        }
        text.push('\n');
    };
    for half in 0..2 {
        line("", HEADS.map(|head| head[half].to_owned()));
    }
    for (name, values) in &rows {
        line(name, values.map(grouped));
    }
    for run in runs.iter().filter(|run| run.exit != runs[0].exit) {
        let (switches, exit, usual) = (run.switches(), run.exit, runs[0].exit);
        let _ = writeln!(text, "with {switches} it ends with status {exit}, and not {usual}");
    }
    for run in runs.iter().filter(|run| run.exit == runs[0].exit && run.wrote != runs[0].wrote) {
        let _ = writeln!(text, "with {} it writes something else", run.switches());
    }
    text
}
