//! One test on one machine: build, load, run, judge, take the signature.

use super::find::Test;
use super::observe;
use super::outcome::{Failure, Outcome, Place, Verdict};
use super::signature;
use crate::cli::args::TestArgs;
use crate::cli::commit_file::CommitFile;
use crate::cli::read_input;
use crate::cli::signals::Interrupted;
use crate::cli::stdio::HostStdio;
use anyhow::Context;
use emulator::exec::Observer;
use emulator::host::{Input, Output, OutputClosed, Stdio};
use emulator::loader::Boot;
use emulator::loader::elf::ElfFile;
use emulator::machine::{Machine, StopReason};
use emulator::source::SymbolTable;
use isa::platform::RAM_BASE;
use isa::{Step, VirtAddr};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// Fuel of a test that was given none.
const DEFAULT_FUEL: u64 = 100_000_000;
const DEFAULT_RAM_BYTES: u64 = 128 << 20;
/// What a test may have beyond its own segments: device tree and stack.
const SPARE_RAM_BYTES: u64 = 16 << 20;
const RAM_UNIT_BYTES: u64 = 1 << 20;
/// Steps between two looks at Ctrl-C; the same as in other commands, so that a run is cut at the same steps.
const SLICE_STEPS: u64 = 20_000_000;
/// What is kept of a test's output if many tests run.
const MAX_CONSOLE_BYTES: usize = 1 << 20;

/// How tests are to be run.
pub struct Runner<'a> {
    pub args: &'a TestArgs,
    pub interrupted: &'a Interrupted,
    /// One test alone has the standard streams to itself.
    pub live: bool,
}

impl Runner<'_> {
    pub fn fuel(&self) -> u64 {
        self.args.machine.fuel.unwrap_or(DEFAULT_FUEL)
    }

    /// Runs a test. `None` if Ctrl-C came before its end.
    pub fn run(&self, index: usize, test: &Test) -> anyhow::Result<Option<Outcome>> {
        let elf = read_input(&test.path)?;
        let started = Instant::now();
        let streams = Streams { live: self.live.then(HostStdio::new), ..Streams::default() };
        let mut machine = match self.machine(&elf, streams.clone())? {
            Ok(machine) => machine,
            Err(reason) => {
                let failure = Some(Failure { reason, ..Failure::default() });
                return Ok(Some(Outcome { index, failure, ..Outcome::default() }));
            }
        };
        let mut commits = CommitFile::new(self.args.machine.log_commits.as_deref())?;
        let ended = self.drive(&mut machine, &streams, commits.observer());
        commits.finish()?;
        let Some(reason) = ended else { return Ok(None) };
        let verdict = Verdict::from(reason);
        let elapsed = started.elapsed();
        let mut failure = (verdict != Verdict::Pass)
            .then(|| self.failure(&machine, &elf, verdict, streams.kept.borrow().took_input))
            .transpose()?;
        let has_signature = machine.signature().is_some();
        let mismatch = signature::handle(self.args, test, &machine)?;
        failure = failure.or(mismatch.map(|reason| Failure { reason, ..Failure::default() }));
        let console = std::mem::take(&mut streams.kept.borrow_mut().text);
        let (instructions, steps) = (machine.instructions(), machine.steps().0);
        Ok(Some(Outcome { index, failure, instructions, steps, elapsed, console, has_signature }))
    }

    /// A machine with the test in it, or why the test cannot be loaded.
    fn machine(&self, elf: &[u8], streams: Streams) -> anyhow::Result<Result<Machine, String>> {
        let ram_bytes = self.args.memory.unwrap_or_else(|| ram_bytes_for(elf));
        let mut machine = Machine::new(self.args.machine.config(ram_bytes))
            .context("the machine for this test cannot be built")?;
        machine.set_stdio(Box::new(streams));
        Ok(match machine.boot(&Boot::bare(elf)) {
            Ok(_) => Ok(machine),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Runs the machine to the test's end. `None` on Ctrl-C.
    fn drive(
        &self,
        machine: &mut Machine,
        streams: &Streams,
        mut observer: Option<&mut dyn Observer>,
    ) -> Option<StopReason> {
        let fuel = self.fuel();
        loop {
            if self.interrupted.is_set() {
                return None;
            }
            let slice_end = (machine.steps().0 / SLICE_STEPS + 1).saturating_mul(SLICE_STEPS);
            let stop_at = Step(slice_end.min(fuel));
            let stopped = match &mut observer {
                None => machine.run(stop_at),
                Some(observer) => machine.run_observed(stop_at, &mut **observer),
            };
            match stopped {
                StopReason::Fuel if machine.steps().0 < fuel => streams.look_for_input(),
                StopReason::NeedInput if streams.live.is_some() => {
                    if !streams.wait_for_input(self.interrupted) {
                        return None;
                    }
                }
                reason => return Some(reason),
            }
        }
    }

    /// Tells all that can be told of a failure: the test is run once more, the last part of it observed.
    fn failure(
        &self,
        machine: &Machine,
        elf: &[u8],
        verdict: Verdict,
        took_input: bool,
    ) -> anyhow::Result<Failure> {
        let symbols = SymbolTable::read(elf);
        let pc = machine.hart().pc;
        let physical = machine.translate(VirtAddr(pc)).map(|pa| pa.0);
        let translated = machine.hart().translates(machine.hart().privilege);
        let place = Place { pc, symbol: symbol_at(&symbols, pc, translated, physical) };
        let case = match verdict {
            Verdict::Case(case) => Some(case),
            _ => None,
        };
        let mut reason = verdict.reason(self.fuel());
        let silent = machine.boot_info().is_some_and(|info| info.htif.is_none());
        if verdict == Verdict::Fuel && silent {
            reason += "; it has no symbol tohost to report through";
        }
        let mut failure = Failure { reason, case, place: Some(place), trap: None, tail: Vec::new() };
        // With the host's input gone the run cannot be repeated.
        if !took_input {
            let again = || self.machine(elf, Streams::default()).ok()?.ok();
            observe::explain(again, machine, symbols, self.args.trace_tail, verdict, &mut failure);
        }
        Ok(failure)
    }
}

/// The symbol that holds an address of the program. User code of riscv-tests' virtual-memory environment runs, translated,
/// at its linked address less the base of RAM; its kernel is found by where it lies in RAM.
pub fn symbol_at(symbols: &SymbolTable, pc: u64, translated: bool, physical: Option<u64>) -> Option<String> {
    let from_zero = pc.checked_add(RAM_BASE.0).filter(|_| translated && pc < RAM_BASE.0);
    symbols.name_of(pc).or_else(|| symbols.name_of(from_zero?)).or_else(|| symbols.name_of(physical?))
}

/// RAM that a test needs if nobody says how much.
fn ram_bytes_for(elf: &[u8]) -> u64 {
    let Ok(elf) = ElfFile::parse(elf) else { return DEFAULT_RAM_BYTES };
    let ends =
        elf.segments().iter().map(|s| s.pa.0.saturating_add(s.memory_bytes).saturating_sub(RAM_BASE.0));
    let needed = ends.max().unwrap_or(0).saturating_add(SPARE_RAM_BYTES) / RAM_UNIT_BYTES * RAM_UNIT_BYTES;
    // A segment far out is a mistake, which the loader names.
    if needed > crate::cli::values::MAX_RAM { DEFAULT_RAM_BYTES } else { needed.max(DEFAULT_RAM_BYTES) }
}

/// A test's standard streams: the host's own if it runs alone, else output is kept and there is no input.
#[derive(Clone, Default)]
struct Streams {
    live: Option<HostStdio>,
    kept: Rc<RefCell<Kept>>,
}

#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    took_input: bool,
}

impl Streams {
    fn look_for_input(&self) {
        if let Some(live) = &self.live {
            live.look_for_input();
        }
    }

    /// `false` if Ctrl-C came first.
    fn wait_for_input(&self, interrupted: &Interrupted) -> bool {
        self.live.as_ref().is_none_or(|live| live.wait_for_input(interrupted))
    }
}

impl Stdio for Streams {
    fn write(&mut self, output: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        if let Some(live) = &mut self.live {
            return live.write(output, bytes);
        }
        let text = &mut self.kept.borrow_mut().text;
        let room = MAX_CONSOLE_BYTES.saturating_sub(text.len());
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }

    fn poll_input(&mut self, buffer: &mut [u8]) -> Input {
        let input = self.live.as_mut().map_or(Input::Eof, |live| live.poll_input(buffer));
        self.kept.borrow_mut().took_input |= matches!(input, Input::Bytes(_));
        input
    }
}
