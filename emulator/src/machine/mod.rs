//! The machine: harts, RAM, bus and devices, built from a [`MachineConfig`], run until a [`StopReason`].
//!
//! This is what an embedder uses: build a [`Machine`], lend it the host's disks and streams, boot something, run
//! it for a budget of [`Step`]s, look at it, save it. It never blocks and never looks at a clock; when the guest
//! waits for input, the run comes back with [`StopReason::NeedInput`].
//!
//! Several harts take turns (`turns`); the decoded code is theirs together.

pub mod bus;
mod config;
mod firmware;
mod fwft;
mod hsm;
mod htif;
mod inspect;
mod snapshot;
mod stop;
mod turns;

pub use crate::devices::changed::ChangedRecord;
pub use crate::devices::host::GuestExit;
pub use crate::devices::input::Console;
pub use crate::devices::virtio::block::DiskCounters;
pub use crate::devices::virtio::disk::DiskLatency;
pub use crate::devices::virtio::disk_fault::{DiskFault, DiskFaultKind};
pub use crate::devices::virtio::slots::{AttachError, VirtioConfig};
pub use crate::mem::pmp::ENTRIES as PMP_ENTRIES;
pub use crate::mem::tlb::TlbCounters;
pub use config::{ConfigError, MAX_HARTS, MachineConfig};
pub use inspect::Register;
pub use snapshot::RestoreError;
pub use stop::StopReason;
pub use turns::{HartState, QUANTUM_STEPS};

use crate::exec::{Checker, CodeCache, Exec, Exit, Observer, Options};
use crate::hart::Hart;
use crate::host::{DiskImage, EventSink, Stdio};
use crate::loader::boot::{self, Boot, BootInfo, Firmware, LoadError};
use crate::mem::ram::Ram;
use crate::platform::Platform;
use bus::{Bus, Devices};
use hsm::{Power, SbiHart};
use isa::Step;
use isa::platform::Region;
use turns::Turn;

/// A whole machine.
pub struct Machine {
    config: MachineConfig,
    harts: Vec<Hart>,
    /// What the built-in SBI keeps for each hart.
    sbi_harts: Vec<SbiHart>,
    turn: Turn,
    ram: Ram,
    bus: Bus,
    now: Step,
    boot: Option<BootInfo>,
    /// Decoded code: rebuilt as it runs, never saved.
    code: CodeCache,
    options: Options,
    /// Who compares cached translations with the page tables; never saved.
    checks: Option<Box<Checker>>,
}

/// How far a run may go.
#[derive(Clone, Copy)]
enum Limit {
    /// To this step, idle time included.
    Until(Step),
    /// One instruction, after whatever idle time comes before it.
    OneInstruction,
}

impl Machine {
    /// A machine at reset: RAM all zero, each hart in M-mode at the first byte of RAM.
    pub fn new(config: MachineConfig) -> Result<Self, ConfigError> {
        let ram_bytes = config.check()?;
        Ok(Self {
            harts: (0..config.harts)
                .map(|id| Hart::new(id, config.tlb).with_isa(config.isa).with_pmp(config.pmp_entries))
                .collect(),
            sbi_harts: vec![SbiHart::default(); config.harts],
            turn: Turn::first(config.harts),
            ram: Ram::new(ram_bytes),
            bus: Bus::new(Devices::new(&config.board())),
            now: Step(0),
            boot: None,
            code: CodeCache::new(),
            options: Options::for_harts(config.harts),
            checks: None,
            config,
        })
    }

    /// Lends the machine standard streams. Until then it has none: output is lost, input has ended.
    pub fn set_stdio(&mut self, stdio: Box<dyn Stdio>) {
        self.bus.set_stdio(stdio);
    }

    /// Lends the machine a listener for the guest kernel's events, or takes it back. What the guest does is the same.
    pub fn set_event_sink(&mut self, sink: Option<Box<dyn EventSink>>) {
        self.bus.set_event_sink(sink);
    }

    /// Attaches a disk to the next virtio slot. Its image is only read: what the guest writes is the machine's.
    pub fn attach_disk(&mut self, image: Box<dyn DiskImage>, read_only: bool) -> Result<usize, AttachError> {
        self.bus.attach_disk(image, read_only, self.config.disk_latency)
    }

    /// Has the real-time clock begin so many nanoseconds after 1970, or later if it does so by itself. For a machine at reset.
    pub fn begin_clock_no_earlier(&mut self, epoch_ns: u64) {
        self.bus.begin_clock_no_earlier(epoch_ns);
    }

    /// Keeps what the guest kernel tells of binds ([`isa::binds`]), up to so many bytes; until then it is refused.
    pub fn keep_changed(&mut self, room_bytes: u64) {
        self.bus.changed_mut().keep(room_bytes);
    }

    /// What the guest kernel has told of binds.
    pub fn changed(&self) -> &[ChangedRecord] {
        self.bus.changed().records()
    }

    /// A request to a disk will fail, on purpose.
    pub fn plan_disk_fault(&mut self, fault: DiskFault) {
        self.bus.plan_disk_fault(fault);
    }

    /// The planned failures that have not come yet, each with the number of requests that it has let pass.
    pub fn disk_faults_ahead(&self) -> &[(DiskFault, u64)] {
        self.bus.disk_faults_ahead()
    }

    /// Loads what is to be started and puts the harts at its entry. Under the built-in SBI only the first hart starts,
    /// as the kernel starts the others.
    pub fn boot(&mut self, boot: &Boot<'_>) -> Result<&BootInfo, LoadError> {
        let harts = u32::try_from(self.harts.len()).expect("there are few harts");
        let info = boot::load(&mut self.ram, harts, self.config.isa, boot)?;
        let builtin_sbi = matches!(boot.firmware, Firmware::Builtin);
        if builtin_sbi {
            self.bus.enable_sbi_timers(self.harts.len());
        }
        for (hart, sbi) in self.harts.iter_mut().zip(&mut self.sbi_harts) {
            firmware::start(hart, &info, self.config.adue, builtin_sbi);
            sbi.power = if builtin_sbi && hart.id != 0 { Power::Stopped } else { Power::Started };
        }
        self.watch_htif(&info);
        Ok(self.boot.insert(info))
    }

    /// Runs until the machine's step count is `until`, or something stops it before.
    pub fn run(&mut self, until: Step) -> StopReason {
        self.run_to(Limit::Until(until), None)
    }

    /// As [`Machine::run`], telling `observer` of every instruction. It is slower; the guest cannot tell.
    pub fn run_observed(&mut self, until: Step, observer: &mut dyn Observer) -> StopReason {
        self.run_to(Limit::Until(until), Some(observer))
    }

    /// Runs one instruction of the hart whose turn it is, after whatever idle time comes before it.
    /// [`StopReason::Fuel`] if nothing else happened.
    pub fn step(&mut self) -> StopReason {
        self.run_to(Limit::OneInstruction, None)
    }

    /// As [`Machine::step`], telling `observer` of it.
    pub fn step_observed(&mut self, observer: &mut dyn Observer) -> StopReason {
        self.run_to(Limit::OneInstruction, Some(observer))
    }

    /// Drops all decoded code. It is decoded again as it runs; the guest cannot tell.
    pub fn drop_decoded_code(&mut self) {
        self.code.clear(&mut self.ram);
    }

    /// From now on each use of a cached translation that may be stale is compared with what a walk would find. It is slower; the guest
    /// cannot tell. What is in the TLB by now is forgotten by heart, and compared from the next time that it is filled.
    pub fn check_translations(&mut self) {
        self.checks = Some(Box::default());
        self.harts.iter_mut().for_each(|hart| hart.fast.drop_all());
    }

    /// What that has found; the run is over if `is_over`, so that no fence will come any more.
    pub fn checked_translations(&mut self, is_over: bool) -> Option<&Checker> {
        let checks = self.checks.as_deref_mut()?;
        checks.confirm(&self.harts, is_over);
        Some(checks)
    }

    fn run_to(&mut self, limit: Limit, observer: Option<&mut dyn Observer>) -> StopReason {
        let reason = self.run_until_stopped(limit, observer);
        self.sense_interrupts();
        reason
    }

    /// Each hart's `mip` becomes what the lines are now, so that what is read of it between two runs does not depend on
    /// when a hart last looked.
    fn sense_interrupts(&mut self) {
        let mtime = self.bus.mtime(self.now);
        for hart in &mut self.harts {
            let lines = self.bus.interrupt_lines(hart.id, self.now);
            hart.sense_interrupts(lines, mtime);
        }
    }

    fn run_until_stopped(&mut self, limit: Limit, mut observer: Option<&mut dyn Observer>) -> StopReason {
        loop {
            if let Some(reason) = self.bus.ended() {
                return reason;
            }
            let until = match limit {
                Limit::Until(until) => until,
                Limit::OneInstruction => self.now.after(1),
            };
            if self.now >= until {
                return StopReason::Fuel;
            }
            let exit = match &mut observer {
                None => self.execute(until, None),
                Some(observer) => self.execute(until, Some(&mut **observer)),
            };
            let stop = match exit {
                Exit::Deadline => (self.now >= until).then_some(StopReason::Fuel),
                Exit::Breakpoint => Some(StopReason::Breakpoint),
                Exit::Wfi if self.pass_turn() => None,
                Exit::Wfi => self.idle(limit),
                Exit::StopRequested => None,
                Exit::TurnOver => {
                    self.pass_turn();
                    None
                }
                Exit::SbiCall => {
                    self.sbi_call();
                    None
                }
                Exit::TrapLoop => {
                    self.bus.end(StopReason::TrapLoop);
                    None
                }
                Exit::Watch { .. } => {
                    self.serve_htif();
                    None
                }
            };
            let after_one = matches!(limit, Limit::OneInstruction) && !matches!(exit, Exit::Wfi);
            let stop = stop.or(self.bus.ended());
            if self.bus.ended().is_none() && !self.turn.lasts(self.now) {
                self.pass_turn();
            }
            let stop = if self.bus.take_event_stop() { stop.or(Some(StopReason::Event)) } else { stop };
            if let Some(reason) = stop.or(after_one.then_some(StopReason::Fuel)) {
                return reason;
            }
        }
    }

    /// Runs the hart whose turn it is, until its end at most. [`Exit::Wfi`] if it does not run.
    fn execute(&mut self, until: Step, observer: Option<&mut dyn Observer>) -> Exit {
        self.resume_hart();
        let hart = self.turn.hart;
        if !self.turn.lasts(self.now) || self.sbi_harts[hart].power == Power::Stopped {
            return Exit::Wfi;
        }
        let until = until.min(self.turn.ends);
        let exec = Exec {
            hart: &mut self.harts[hart],
            code: &mut self.code,
            ram: &mut self.ram,
            platform: &mut self.bus,
            options: &self.options,
            checks: self.checks.as_deref_mut(),
        };
        let exit = match observer {
            None => exec.run(&mut self.now, until),
            Some(observer) => exec.run_observed(&mut self.now, until, observer),
        };
        if let Some(checks) = &mut self.checks {
            checks.confirm(&self.harts, false);
        }
        exit
    }

    /// All harts wait: takes input that is there, else skips to the next event. A reason to stop, if there is one.
    fn idle(&mut self, limit: Limit) -> Option<StopReason> {
        if self.bus.poll_input(&mut self.ram, self.now) {
            return None;
        }
        let timers = self.harts.iter().filter_map(Hart::timer);
        let timer = timers.map(|ticks| self.bus.timer_change(ticks, self.now)).min();
        let next = self.bus.next_event(self.now).min(timer.unwrap_or(Step::NEVER));
        match limit {
            _ if next == Step::NEVER && self.bus.wants_input() => Some(StopReason::NeedInput),
            _ if next == Step::NEVER => Some(StopReason::Idle),
            Limit::Until(until) if next >= until => {
                self.now = until;
                Some(StopReason::Fuel)
            }
            _ => {
                self.now = next.max(self.now);
                None
            }
        }
    }

    /// Stops the run loop after a store to the program's `tohost`.
    fn watch_htif(&mut self, info: &BootInfo) {
        let words = info.htif.iter();
        self.options.watch =
            words.map(|htif| Region { base: htif.tohost, len_bytes: htif::WORD_BYTES }).collect();
    }
}

#[cfg(test)]
mod tests;
