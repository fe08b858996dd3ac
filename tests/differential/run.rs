//! Runs an ELF on Folio, with its commit log, and on Spike.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use emulator::exec::{MemoryAccess, Observer};
use emulator::hart::Hart;
use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig, StopReason};
use emulator::mem::tlb::TlbGeometry;
use emulator::trace::CommitLog;
use isa::csr::{Csr, menvcfg};
use isa::{Exception, Insn, IsaSet, Step, Trap, VirtAddr};
use nix::sys::signal::Signal;

use crate::case::Case;
use crate::child::{self, Running};
use crate::edge::{escapes_spike, has_strayed};
use crate::layout::{RAM_BASE, RAM_BYTES, RUNTIME};
use crate::spike_support::isa_string;
use crate::tally::Tally;

/// No batch is that long: code that has modified itself may loop.
pub const MAX_STEPS: u64 = 300_000;

/// The machine that both are.
pub fn machine(elf: &[u8], isa: &IsaSet) -> Machine {
    machine_with(elf, isa, TlbGeometry::default())
}

/// The same with a TLB of another geometry.
pub fn machine_with(elf: &[u8], isa: &IsaSet, tlb: TlbGeometry) -> Machine {
    let config = MachineConfig { ram_bytes: RAM_BYTES, isa: *isa, tlb, ..MachineConfig::default() };
    let mut machine = Machine::new(config).expect("little RAM");
    machine.boot(&Boot::bare(elf)).expect("the ELF fits");
    machine
}

/// What Folio has done.
pub struct FolioRun {
    /// The commit log, without the lines about traps.
    pub log: String,
    /// Why it stopped; [`StopReason::Fuel`] is a loop.
    pub stop: StopReason,
    /// Executed instructions of the cases themselves by class, and traps by cause.
    pub classes: BTreeMap<&'static str, u64>,
    pub tally: Tally,
    /// The cases there were.
    pub cases: u64,
    /// Slots whose cases cannot be compared, and why.
    pub left_out: BTreeMap<usize, &'static str>,
}

/// Runs on Folio.
pub fn on_folio(elf: &[u8], cases: &[Case], isa: &IsaSet) -> FolioRun {
    let mut machine = machine(elf, isa);
    let mut watcher = Watcher {
        log: CommitLog::without_traps(String::with_capacity(8 << 20)),
        cases,
        current: 0,
        classes: BTreeMap::new(),
        tally: Tally::default(),
        left_out: BTreeMap::new(),
    };
    let stop = machine.run_observed(Step(MAX_STEPS), &mut watcher);
    if stop != StopReason::ToHost(1) {
        watcher.leave_out("loops, waits, or stores to tohost");
    }
    cases.iter().for_each(|case| watcher.tally.case(case));
    let Watcher { log, classes, tally, left_out, .. } = watcher;
    FolioRun { log: log.into_writer(), stop, classes, tally, cases: cases.len() as u64, left_out }
}

/// Keeps the log, and counts.
struct Watcher<'a> {
    log: CommitLog<String>,
    cases: &'a [Case],
    /// The case that runs.
    current: usize,
    classes: BTreeMap<&'static str, u64>,
    tally: Tally,
    left_out: BTreeMap<usize, &'static str>,
}

impl Watcher<'_> {
    /// The case that runs cannot be compared.
    fn leave_out(&mut self, why: &'static str) {
        if let Some(case) = self.cases.get(self.current) {
            self.left_out.insert(case.slot.0, why);
        }
    }
    fn count(&mut self, class: &'static str) {
        *self.classes.entry(class).or_default() += 1;
    }
}

impl Observer for Watcher<'_> {
    fn before(&mut self, hart: &Hart, now: Step) -> ControlFlow<()> {
        while self.cases.get(self.current + 1).is_some_and(|next| hart.pc == next.slot.base()) {
            self.current += 1;
        }
        self.log.before(hart, now)
    }
    fn memory(&mut self, access: MemoryAccess) {
        self.log.memory(access);
    }
    fn float_flags(&mut self, raised: u8) {
        self.log.float_flags(raised);
    }
    fn retired(&mut self, hart: &Hart, now: Step, pc: VirtAddr, insn: &Insn) {
        if let Some(case) = self.cases.get(self.current).filter(|case| case.contains(pc.0)) {
            self.tally.retired(case, insn);
            self.count(if insn.op.extension().name().is_empty() {
                "privileged"
            } else {
                insn.op.extension().name()
            });
            if insn.len == 2 {
                self.count("compressed");
            }
        }
        if hart.csr.menvcfg & menvcfg::STCE != 0 {
            self.leave_out("mip.STIP follows the clock (menvcfg.STCE)");
        }
        if self.cases.get(self.current).is_some_and(|case| {
            insn.csr() == Csr::SATP && case.contains(pc.0) && has_strayed(case, hart.csr.satp)
        }) {
            self.leave_out("satp leads to other tables, and nothing has been fenced");
        }
        self.log.retired(hart, now, pc, insn);
    }
    fn exception(&mut self, hart: &Hart, now: Step, pc: VirtAddr, trap: Trap) {
        if let Some(case) = self.cases.get(self.current).filter(|case| case.contains(pc.0)) {
            self.tally.trapped(case, trap);
            self.count(trap.exception.name());
        }
        let store = matches!(trap.exception, Exception::StorePage | Exception::StoreAccess);
        if store && trap.tval.is_multiple_of(0x1000) {
            // Spike has stored the first part.
            self.leave_out("a store faults in its second page");
        }
        if trap.exception == Exception::IllegalInstruction && trap.tval & 0x1f == 0x1f {
            // Spike fetches all of it.
            self.leave_out("an encoding of more than 32 bits");
        }
        if self.cases.get(self.current).is_some_and(|case| escapes_spike(case, hart, pc.0, trap)) {
            self.leave_out("PMP refuses the last bytes of a misaligned access");
        }
        self.log.exception(hart, now, pc, trap);
    }
}

/// A Spike that runs; its log is read by a thread.
pub struct SpikeRun {
    running: Running,
    /// How much of the log is wanted.
    wanted: Arc<AtomicUsize>,
    log: JoinHandle<Vec<u8>>,
    /// Closed when all that is wanted has been read.
    read: Receiver<()>,
    elf: PathBuf,
}

impl SpikeRun {
    /// Starts Spike.
    pub fn start(spike: &Path, dir: &Path, elf: &[u8], isa: &IsaSet) -> SpikeRun {
        Self::start_with(spike, dir, elf, isa, &[])
    }

    /// The same with more options.
    pub fn start_with(spike: &Path, dir: &Path, elf: &[u8], isa: &IsaSet, options: &[&str]) -> SpikeRun {
        let file = dir.join("batch.elf");
        std::fs::write(&file, elf).expect("the temporary folder can be written to");
        let mut command = child::command(spike);
        command
            .arg(format!("--isa={}", isa_string(*isa)))
            .args([format!("-m{RAM_BASE:#x}:{RAM_BYTES:#x}"), "--triggers=0".into(), "--log-commits".into()])
            .arg("--log=/dev/stdout")
            .args(options)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = Running::start(command);
        let mut out = running.child().stdout.take().expect("a pipe");
        let wanted = Arc::new(AtomicUsize::new(usize::MAX));
        let limit = wanted.clone();
        let (reads, read) = channel();
        let log = std::thread::spawn(move || {
            let _reads: Sender<()> = reads;
            let mut text = Vec::new();
            let mut chunk = vec![0; 1 << 16];
            while text.len() < limit.load(Ordering::Relaxed) {
                match out.read(&mut chunk) {
                    Ok(read @ 1..) => text.extend(&chunk[..read]),
                    _ => break,
                }
            }
            text
        });
        SpikeRun { running, wanted, log, read, elf: file }
    }

    /// The log from the runtime's first instruction on, as far as it is wanted: for a run that has taken `len` bytes.
    pub fn log(mut self, len: usize) -> Result<String, String> {
        self.wanted.store(len + BEFORE_RUNTIME, Ordering::Relaxed);
        // What is still silent then loops without retiring anything.
        let _ = self.read.recv_timeout(PATIENCE);
        self.running.signal(Signal::SIGKILL);
        let log = String::from_utf8_lossy(&self.log.join().expect("reading does not panic")).into_owned();
        let mut complaint = String::new();
        if let Some(mut stderr) = self.running.child().stderr.take() {
            let _ = stderr.read_to_string(&mut complaint);
        }
        self.running.wait();
        if !complaint.is_empty() {
            println!("Spike says: {complaint}");
        }
        let _ = std::fs::remove_file(&self.elf);
        let entry = format!("core   0: 3 {RUNTIME:#018x} ");
        match log.find(&entry) {
            // The last line may have been cut.
            Some(at) => Ok(log[at..=log.rfind('\n').unwrap_or(at)].to_string()),
            None => Err(format!("Spike did not reach the first instruction: {complaint}")),
        }
    }
}

/// Bytes of the log that come before the runtime: Spike's boot ROM.
const BEFORE_RUNTIME: usize = 2000;
/// How long Spike may take after Folio has finished.
const PATIENCE: Duration = Duration::from_secs(120);
