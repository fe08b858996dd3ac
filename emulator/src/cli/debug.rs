//! `folio run --debug`: the debugger on a terminal, or fed from `-ex`, `--script` or standard input.
//!
//! All it says goes to stderr (the prompt to the terminal): stdout stays the guest's.

use super::args::RunArgs;
use super::drive::{Driver, End};
use super::trace_file::Recorder;
use super::{stdio, tell_text};
use anyhow::{Context, Result};
use emulator::debug::target::{Asking, Hears, StopBefore};
use emulator::debug::{Debugger, Output, Registers, Stop, Target, TlbLine, TlbSide};
use emulator::exec::Observer;
use emulator::hart::Hart;
use emulator::machine::{GuestExit, HartState, StopReason};
use emulator::mem::tlb::Tlb;
use emulator::source::Programs;
use isa::csr::Csr;
use isa::{PhysAddr, Privilege, Step};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, CompletionType, Config, Editor, Helper};
use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::rc::Rc;

/// A debugging session from the program's entry (or from reset) to `quit`, or to the program's end where nobody is there to
/// ask more. A script ends at the first command that fails.
pub fn session(
    args: &RunArgs,
    driver: &mut Driver,
    recorder: &Recorder,
    program: &[u8],
    programs: &Rc<Programs>,
    prompt: Option<Prompt>,
) -> Result<End> {
    let script = match &args.script {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the script {}", path.display()))?,
        None => String::new(),
    };
    let first = String::from_utf8(program.to_vec()).ok();
    let mut debugger = Debugger::new(recorder.tap(), Some(guest_os::KERNEL_ELF), first, Rc::clone(programs));
    debugger.know_calls(abi::CALLS.iter().map(|call| (call.number.into(), call.name)));
    let debugger = Rc::new(RefCell::new(debugger));
    let mut session = Session { debugger, recorder, programs: Rc::clone(programs) };
    if args.from_reset {
        tell_text(&session.debugger.borrow_mut().location(&DriverTarget::new(driver)));
    } else {
        let output = session.debugger.borrow_mut().run_to_program(&mut DriverTarget::new(driver));
        tell_text(&output.text);
        if session.ended().is_some() || driver.is_left() {
            return Ok(session.end_of(driver));
        }
    }
    for line in args.ex.iter().map(String::as_str).chain(script.lines()) {
        tell!("(folio) {line}");
        if let Some(end) = session.script_line(driver, line) {
            return Ok(end);
        }
    }
    let scripted = !args.ex.is_empty() || args.script.is_some();
    if let Some(prompt) = prompt {
        prompt.serve(&mut session, driver, false)?;
    } else if !scripted {
        while let Some(line) =
            driver.interrupted.at_prompt(stdio::read_command).context("cannot read commands")?
        {
            if let Some(end) = session.script_line(driver, &line) {
                return Ok(end);
            }
        }
    }
    Ok(session.end_of(driver))
}

/// A debugger, and what tells how the program ended.
struct Session<'a> {
    /// The line editor asks it what words may be.
    debugger: Rc<RefCell<Debugger>>,
    recorder: &'a Recorder,
    programs: Rc<Programs>,
}

impl Session<'_> {
    fn ended(&self) -> Option<StopReason> {
        self.debugger.borrow().ended()
    }

    fn end_of(&self, driver: &Driver) -> End {
        match self.ended() {
            _ if driver.interrupted.is_final() => End::Interrupted(driver.interrupted.status()),
            Some(StopReason::Fuel) => End::OutOfFuel,
            Some(reason) => End::Stopped(reason),
            None => End::Quit,
        }
    }

    /// Does what a line of a script says. The end, if that is one: `quit`, or a command that fails.
    fn script_line(&mut self, driver: &mut Driver, line: &str) -> Option<End> {
        let output = self.execute(driver, |debugger, target| debugger.execute(target, line));
        if output.failed && !driver.is_left() {
            tell!("folio: the script ends: `{line}` failed");
            return Some(End::ScriptFailed);
        }
        (output.quit || driver.is_left()).then(|| self.end_of(driver))
    }

    /// Runs a command, and what was asked for where it has stopped, and tells what they say. What the last of them came to.
    fn execute(
        &mut self,
        driver: &mut Driver,
        command: impl FnOnce(&mut Debugger, &mut DriverTarget<'_>) -> Output,
    ) -> Output {
        let mut output = self.execute_one(driver, command);
        loop {
            // Who leaves does not ask where the machine is.
            if !driver.is_left() {
                tell_text(&output.text);
            }
            if output.quit || output.failed || driver.is_left() {
                return output;
            }
            let mut due = None;
            let next = self.execute_one(driver, |debugger, target| {
                due = debugger.execute_due(target);
                due.clone().unwrap_or_default()
            });
            if due.is_none() {
                return output;
            }
            output = next;
        }
    }

    /// Runs a command; if the program dies meanwhile, what it died of is part of the answer.
    fn execute_one(
        &mut self,
        driver: &mut Driver,
        command: impl FnOnce(&mut Debugger, &mut DriverTarget<'_>) -> Output,
    ) -> Output {
        let had_ended = self.ended().is_some();
        let mut output = command(&mut self.debugger.borrow_mut(), &mut DriverTarget::new(driver));
        if let (false, Some(StopReason::Exit(GuestExit::Signaled(signal)))) = (had_ended, self.ended()) {
            for line in self.recorder.death(signal, &self.programs) {
                output.text.push_str(&format!("{line}\n"));
            }
        }
        output
    }
}

/// The monitor of a console: the prompt on a machine that runs already, until `quit`, Ctrl-A x or the machine's end.
pub fn monitor(driver: &mut Driver, recorder: &Recorder, kernel: Option<&[u8]>) -> Result<End> {
    let programs = Rc::new(Programs::none());
    let debugger = Debugger::new(recorder.tap(), kernel, None, Rc::clone(&programs));
    let debugger = Rc::new(RefCell::new(debugger));
    let mut session = Session { debugger, recorder, programs };
    let location = session.debugger.borrow_mut().location(&DriverTarget::new(driver));
    tell_text(&format!("\n{location}"));
    tell!("`continue` goes back to the console, `quit` ends the machine, `help` lists the commands");
    if let Some(prompt) = Prompt::open()? {
        prompt.serve(&mut session, driver, true)?;
    }
    Ok(session.end_of(driver))
}

/// Asks the debugger what a word may be.
struct Completion(Rc<RefCell<Debugger>>);

impl Completer for Completion {
    type Candidate = String;
    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((Debugger::word_start(line, pos), self.0.borrow_mut().complete(line, pos)))
    }
}
impl Helper for Completion {}
impl Highlighter for Completion {}
impl Hinter for Completion {
    type Hint = String;
}
impl Validator for Completion {}

/// The prompt: line editing, and history, which is kept between sessions.
///
/// The line editor takes SIGINT over as soon as it is there, and for as long. [`Interrupted`](super::signals::Interrupted) passes
/// a signal on to whoever had it before, and the editor does not: so the editor comes first, or Ctrl-C would not stop a guest.
pub struct Prompt {
    editor: Editor<Completion, DefaultHistory>,
    history: Option<PathBuf>,
}

impl Prompt {
    /// The prompt on this terminal; `None` if standard input is none. To be called before signals are listened for.
    pub fn open() -> Result<Option<Self>> {
        if !std::io::stdin().is_terminal() {
            return Ok(None);
        }
        let config = Config::builder()
            .behavior(Behavior::PreferTerm)
            .auto_add_history(true)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config).context("the terminal cannot be used")?;
        let history = history_file();
        if let Some(path) = &history {
            // No history yet, or none that can be read: start an empty one.
            let _ = editor.load_history(path);
        }
        Ok(Some(Self { editor, history }))
    }

    /// Carries out what is typed, until `quit` or the end of input; an empty line repeats.
    fn serve(mut self, session: &mut Session<'_>, driver: &mut Driver, leave_at_end: bool) -> Result<()> {
        self.editor.set_helper(Some(Completion(Rc::clone(&session.debugger))));
        loop {
            let text = session.debugger.borrow().prompt();
            let line = match driver.interrupted.at_prompt(|| self.editor.readline(text)) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(error).context("the terminal cannot be read"),
            };
            driver.interrupted.forget_ctrl_c();
            let output = session.execute(driver, |debugger, target| {
                if line.trim().is_empty() { debugger.repeat(target) } else { debugger.execute(target, &line) }
            });
            if driver.is_left() || output.quit || leave_at_end && session.ended().is_some() {
                break;
            }
        }
        self.save_history();
        Ok(())
    }

    fn save_history(&mut self) {
        let Some(path) = &self.history else { return };
        let saved = path.parent().map_or(Ok(()), std::fs::create_dir_all).is_ok()
            && self.editor.save_history(path).is_ok();
        if !saved {
            log::debug!("the history could not be saved to {}", path.display());
        }
    }
}

/// Where the prompt's history is kept (XDG base directories), if the user has a home.
fn history_file() -> Option<PathBuf> {
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = home("XDG_STATE_HOME").or_else(|| Some(home("HOME")?.join(".local/state")))?;
    Some(state.join("folio/history"))
}

/// A driven machine as the debugger sees it.
pub struct DriverTarget<'a> {
    pub(super) driver: &'a mut Driver,
    /// The hart that is looked at.
    hart: usize,
}

impl<'a> DriverTarget<'a> {
    pub(super) fn new(driver: &'a mut Driver) -> Self {
        let hart = driver.machine.hart().id;
        Self { driver, hart }
    }
    fn hart(&self) -> &Hart {
        &self.driver.machine.harts()[self.hart]
    }
    fn run_observed(&mut self, until: Step, observer: Option<&mut dyn Observer>) -> Stop {
        match self.driver.run_until(until, observer) {
            End::Reached => Stop::Reached,
            End::Interrupted(_)
            | End::Called
            | End::OutputLost
            | End::Monitor
            | End::Quit
            | End::ScriptFailed => {
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
    fn instructions_user(&self) -> u64 {
        self.hart().counters.retired_in(Privilege::User)
    }
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool {
        let Some(bytes) = self.driver.machine.ram().slice(at, into.len()) else { return false };
        into.copy_from_slice(bytes);
        true
    }
    fn swap_page(&self, slot: u64) -> Option<&[u8]> {
        // A slot in use has been written by this run: it is not in the disk's image.
        self.driver.machine.written_page(self.driver.swap_disk?, slot)
    }
    fn tlb(&self) -> [TlbSide; 2] {
        let hart = self.hart();
        [tlb_side(&hart.itlb), tlb_side(&hart.dtlb)]
    }
    fn take_interrupt(&mut self) -> bool {
        let was_pressed = self.driver.interrupted.is_set();
        // Not if it was not pressed: it may be at this moment.
        if was_pressed {
            self.driver.interrupted.forget_ctrl_c();
        }
        was_pressed
    }
    fn run(&mut self, until: Step, stop_before: Option<StopBefore<'_>>) -> Stop {
        match stop_before {
            None => self.run_observed(until, None),
            Some(stop_before) => self.run_observed(until, Some(&mut Asking::new(stop_before, None))),
        }
    }
    fn run_listening(&mut self, until: Step, stop_before: StopBefore<'_>, hears: Hears<'_>) -> Stop {
        self.run_observed(until, Some(&mut Asking::new(stop_before, Some(hears))))
    }
}
