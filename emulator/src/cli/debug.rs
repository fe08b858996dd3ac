//! `folio run --debug`: the debugger on a terminal, or fed from `-ex`, `--script` or standard input.
//!
//! All it says goes to stderr (the prompt to the terminal): stdout stays the guest's.

use super::args::RunArgs;
use super::drive::{Driver, End};
use super::tell_text;
use super::trace_file::Recorder;
use anyhow::{Context, Result};
use emulator::debug::target::StopBefore;
use emulator::debug::{Debugger, Output, Place, ProgramFiles, Registers, Stop, Target, TlbLine, TlbSide};
use emulator::exec::Observer;
use emulator::hart::Hart;
use emulator::machine::{HartState, StopReason};
use emulator::mem::tlb::Tlb;
use isa::csr::Csr;
use isa::paging::Satp;
use isa::{PhysAddr, Step, VirtAddr};
use rustyline::error::ReadlineError;
use rustyline::{Behavior, Config, DefaultEditor};
use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A debugging session from the first instruction to `quit`, or to the program's end where nobody is there to ask more.
pub fn session(
    args: &RunArgs,
    driver: &mut Driver,
    recorder: &Recorder,
    program: &[u8],
    files: ProgramFiles,
) -> Result<End> {
    let script = match &args.script {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the script {}", path.display()))?,
        None => String::new(),
    };
    let first = String::from_utf8(program.to_vec()).ok();
    let mut debugger = Debugger::new(recorder.tap(), Some(guest_os::KERNEL_ELF), first, files);
    tell_text(&debugger.location(&DriverTarget::new(driver)));
    for line in args.ex.iter().map(String::as_str).chain(script.lines()) {
        tell!("(folio) {line}");
        if say(debugger.execute(&mut DriverTarget::new(driver), line)) || driver.is_left() {
            return Ok(end_of(driver, &debugger));
        }
    }
    let scripted = !args.ex.is_empty() || args.script.is_some();
    if std::io::stdin().is_terminal() {
        prompt(&mut debugger, driver, false)?;
    } else if !scripted {
        let mut lines = std::io::stdin().lock().lines();
        while let Some(line) = driver.interrupted.at_prompt(|| lines.next()) {
            let line = line.context("cannot read commands")?;
            if say(debugger.execute(&mut DriverTarget::new(driver), &line)) || driver.is_left() {
                break;
            }
        }
    }
    Ok(end_of(driver, &debugger))
}

/// The monitor of a console: the prompt on a machine that runs already, until `quit`, Ctrl-A x or the machine's end.
pub fn monitor(driver: &mut Driver, recorder: &Recorder, kernel: Option<&[u8]>) -> Result<End> {
    let mut debugger = Debugger::new(recorder.tap(), kernel, None, Box::new(|_| None));
    tell_text(&format!("\n{}", debugger.location(&DriverTarget::new(driver))));
    tell!("`continue` goes back to the console, `quit` ends the machine, `help` lists the commands");
    prompt(&mut debugger, driver, true)?;
    Ok(end_of(driver, &debugger))
}

/// Shows what a command said. Whether it was `quit`.
fn say(output: Output) -> bool {
    tell_text(&output.text);
    output.quit
}

fn end_of(driver: &Driver, debugger: &Debugger) -> End {
    match debugger.ended() {
        _ if driver.interrupted.is_final() => End::Interrupted(driver.interrupted.status()),
        Some(StopReason::Fuel) => End::OutOfFuel,
        Some(reason) => End::Stopped(reason),
        None => End::Quit,
    }
}

/// The prompt: line editing, history (kept between sessions), an empty line repeats.
fn prompt(debugger: &mut Debugger, driver: &mut Driver, leave_at_end: bool) -> Result<()> {
    let config = Config::builder().behavior(Behavior::PreferTerm).auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config).context("the terminal cannot be used")?;
    let history = history_file();
    if let Some(path) = &history {
        // No history yet, or none that can be read: start an empty one.
        let _ = editor.load_history(path);
    }
    loop {
        let line = match driver.interrupted.at_prompt(|| editor.readline("(folio) ")) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("the terminal cannot be read"),
        };
        driver.interrupted.forget_ctrl_c();
        let mut target = DriverTarget::new(driver);
        let output = if line.trim().is_empty() {
            debugger.repeat(&mut target)
        } else {
            debugger.execute(&mut target, &line)
        };
        // Who leaves does not ask where the machine is.
        if driver.is_left() || say(output) || leave_at_end && debugger.ended().is_some() {
            break;
        }
    }
    if let Some(path) = &history {
        let saved = path.parent().map_or(Ok(()), std::fs::create_dir_all).is_ok()
            && editor.save_history(path).is_ok();
        if !saved {
            log::debug!("the history could not be saved to {}", path.display());
        }
    }
    Ok(())
}

/// Where the prompt's history is kept (XDG base directories), if the user has a home.
fn history_file() -> Option<PathBuf> {
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = home("XDG_STATE_HOME").or_else(|| Some(home("HOME")?.join(".local/state")))?;
    Some(state.join("folio/history"))
}

/// A driven machine as the debugger sees it.
struct DriverTarget<'a> {
    driver: &'a mut Driver,
    /// The hart that is looked at.
    hart: usize,
}

impl<'a> DriverTarget<'a> {
    fn new(driver: &'a mut Driver) -> Self {
        let hart = driver.machine.hart().id;
        Self { driver, hart }
    }
    fn hart(&self) -> &Hart {
        &self.driver.machine.harts()[self.hart]
    }
}

fn tlb_side(tlb: &Tlb) -> TlbSide {
    let lines = tlb.live_entries().map(|(_, entry)| TlbLine {
        vpn: entry.vpn(),
        ppn: entry.ppn(),
        asid: entry.asid(),
        flags: entry.flags(),
        level: entry.level(),
    });
    TlbSide {
        geometry: tlb.geometry().to_string(),
        accesses: tlb.accesses,
        misses: tlb.misses,
        lines: lines.collect(),
    }
}

/// Stops where the debugger says so.
struct Stopper<'a>(StopBefore<'a>);

impl Observer for Stopper<'_> {
    fn before(&mut self, hart: &Hart, now: Step) -> ControlFlow<()> {
        let place = Place {
            step: now,
            hart: hart.id,
            pc: VirtAddr(hart.pc),
            sp: hart.x[usize::from(isa::reg::SP)],
            privilege: hart.privilege,
            satp: Satp(hart.csr.satp),
        };
        if (self.0)(&place) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Target for DriverTarget<'_> {
    fn step(&self) -> Step {
        self.driver.machine.steps()
    }
    fn harts(&self) -> usize {
        self.driver.machine.harts().len()
    }
    fn next_hart(&self) -> usize {
        self.driver.machine.hart().id
    }
    fn hart_state(&self, hart: usize) -> HartState {
        self.driver.machine.hart_state(hart).expect("only harts that exist are asked for")
    }
    fn look_at(&mut self, hart: usize) {
        self.hart = hart;
    }
    fn registers(&self) -> Registers {
        Registers::of(self.hart())
    }
    fn csr(&self, csr: Csr) -> Option<u64> {
        self.driver.machine.csr_of(self.hart, csr)
    }
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool {
        let Some(bytes) = self.driver.machine.ram().slice(at, into.len()) else { return false };
        into.copy_from_slice(bytes);
        true
    }
    fn tlb(&self) -> [TlbSide; 2] {
        let hart = self.hart();
        [tlb_side(&hart.itlb), tlb_side(&hart.dtlb)]
    }
    fn run(&mut self, until: Step, stop_before: Option<StopBefore<'_>>) -> Stop {
        let end = match stop_before {
            None => self.driver.run_until(until, None),
            Some(stop_before) => self.driver.run_until(until, Some(&mut Stopper(stop_before))),
        };
        match end {
            End::Reached => Stop::Reached,
            End::Interrupted(_) | End::OutputLost | End::Monitor | End::Quit => {
                self.driver.interrupted.forget_ctrl_c();
                Stop::Interrupted
            }
            End::OutOfFuel => Stop::Ended(StopReason::Fuel),
            End::Stopped(StopReason::Breakpoint) => Stop::Before,
            End::Stopped(StopReason::Event) => Stop::Event,
            End::Stopped(reason) => Stop::Ended(reason),
        }
    }
}
