//! `folio run --debug`: the debugger on a terminal, or fed from `-ex`, `--script` or standard input.
//!
//! All it says goes to stderr (the prompt to the terminal): stdout stays the guest's.

use super::args::{RunArgs, Ui};
use super::drive::{Driver, End};
use super::trace_file::Recorder;
use super::{stdio, tell_text};
use anyhow::{Context, Result};
use emulator::debug::command::Beginning;
use emulator::debug::{Debugger, MachineTarget, Output, Screen, Stop, Stopped};
use emulator::exec::Observer;
use emulator::machine::{GuestExit, Machine, StopReason};
use emulator::source::Programs;
use isa::Step;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, CompletionType, Config, Editor, Helper};
use serde::Serialize;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::rc::Rc;

/// A debugging session from the program's entry (or from reset) to `quit`, or to the program's end where nobody is there to
/// ask more. A script ends at the first command that fails; what comes by a pipe goes on, as at a prompt, and fails at its end.
pub fn session(
    args: &RunArgs,
    driver: &mut Driver,
    recorder: &Recorder,
    program: &[u8],
    programs: &Rc<Programs>,
    prompt: Option<Prompt>,
    machine_anew: &dyn Fn() -> Result<Machine>,
) -> Result<End> {
    let script = match &args.script {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the script {}", path.display()))?,
        None => String::new(),
    };
    let first = String::from_utf8(program.to_vec()).ok();
    let mut debugger = Debugger::new(recorder.tap(), Some(guest_os::KERNEL_ELF), first, Rc::clone(programs));
    debugger.stop_at_deaths();
    debugger.can_begin_anew();
    debugger.know_calls(abi::CALLS.iter().map(|call| (call.number.into(), call.name)));
    debugger.know_signals(signals());
    tell_of_late_commands(&args.program);
    let is_at_terminal = prompt.is_some() && std::io::stderr().is_terminal();
    let ui = args.ui.unwrap_or(if is_at_terminal { Ui::Screen } else { Ui::Text });
    let debugger = Rc::new(RefCell::new(debugger));
    let anew = Some(Anew { machine: machine_anew, is_from_reset: args.from_reset });
    let programs = Rc::clone(programs);
    let mut session = Session { debugger, recorder, programs, ui, anew, failed: Vec::new() };
    let output = session.to_beginning(driver, args.from_reset);
    session.tell(driver, None, &output);
    if session.ended().is_some() || driver.is_left() {
        return Ok(session.end_of(driver));
    }
    for line in args.ex.iter().map(String::as_str).chain(script.lines()) {
        if ui != Ui::Json {
            tell!("(folio) {}", shortened(line));
        }
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
            if session.piped_line(driver, &line) {
                break;
            }
        }
        if let Some(failure) = session.failure().filter(|_| !driver.is_left()) {
            return Ok(failure);
        }
    }
    Ok(session.end_of(driver))
}

/// The last signal that has a name.
const LAST_SIGNAL: u64 = 31;

/// The guest's signals that have names, by number.
pub(super) fn signals() -> impl Iterator<Item = (u64, &'static str)> {
    (1..=LAST_SIGNAL).filter_map(|number| Some((number, abi::signal_name(number)?)))
}

/// A line about `-ex` behind the program: it is the program's.
fn tell_of_late_commands(program: &[OsString]) {
    if program.iter().skip(1).any(|word| word == "-ex" || word == "--ex") {
        tell!(
            "folio: `-ex` behind PROGRAM is an argument of the program's; commands of the debugger stand before it"
        );
    }
}

/// A debugger, and what tells how the program ended.
struct Session<'a> {
    /// The line editor asks it what words may be.
    debugger: Rc<RefCell<Debugger>>,
    recorder: &'a Recorder,
    programs: Rc<Programs>,
    ui: Ui,
    /// How the machine is made anew, if it can be.
    anew: Option<Anew<'a>>,
    /// The commands that failed of those that came by a pipe.
    failed: Vec<String>,
}

/// How a machine is made once more.
#[derive(Clone, Copy)]
struct Anew<'a> {
    machine: &'a dyn Fn() -> Result<Machine>,
    /// Whether the session begins at reset, and not at the program.
    is_from_reset: bool,
}

/// An answer of `--ui json`.
#[derive(Serialize)]
struct Answer<'a> {
    /// The command; none for what is said before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    /// Whether it could be carried out.
    ok: bool,
    text: &'a str,
    /// Where the machine has stopped, if it has run.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stopped>,
}

impl Session<'_> {
    fn ended(&self) -> Option<StopReason> {
        self.debugger.borrow().ended()
    }

    fn end_of(&self, driver: &Driver) -> End {
        match self.ended() {
            _ if driver.interrupted.is_final() => driver.interrupted.end().unwrap_or(End::Quit),
            Some(StopReason::Fuel) => End::OutOfFuel,
            Some(reason) => End::Stopped(reason),
            None => End::Quit,
        }
    }

    /// Brings a new machine to where a session begins.
    fn to_beginning(&self, driver: &mut Driver, is_from_reset: bool) -> Output {
        let (mut debugger, mut target) = (self.debugger.borrow_mut(), DriverTarget::new(driver));
        match is_from_reset {
            true => Output { text: debugger.location(&target), ..Output::default() },
            false => debugger.run_to_program(&mut target),
        }
    }

    /// Begins the program anew, and goes as far as is wanted.
    fn begin_anew(&self, driver: &mut Driver, anew: Anew<'_>, beginning: Beginning) -> Output {
        match (anew.machine)() {
            Ok(machine) => driver.machine = machine,
            Err(error) => {
                let text = format!("the program cannot begin anew: {error:#}\n");
                return Output { text, failed: true, ..Output::default() };
            }
        }
        self.recorder.begin_anew();
        driver.at_event = Some(self.recorder.deaths(Rc::clone(&self.programs), driver.swap_disk));
        let gone = self.debugger.borrow_mut().begin_anew();
        let output = self.to_beginning(driver, anew.is_from_reset);
        let goes_on = beginning.command().filter(|_| !output.failed && self.ended().is_none());
        let output = match goes_on {
            Some(command) => self.debugger.borrow_mut().execute(&mut DriverTarget::new(driver), command),
            None => output,
        };
        Output { text: gone + &output.text, ..output }
    }

    /// Does what a line of a script says. The end, if that is one: `quit`, or a command that fails.
    fn script_line(&mut self, driver: &mut Driver, line: &str) -> Option<End> {
        let output = self.execute(driver, line, |debugger, target| debugger.execute(target, line));
        if output.failed && !driver.is_left() {
            if self.ui != Ui::Json {
                tell!("folio: the script ends: `{}` failed", shortened(line));
            }
            return Some(End::ScriptFailed);
        }
        (output.quit || driver.is_left()).then(|| self.end_of(driver))
    }

    /// Does what a line says that has come by a pipe. Whether it is the last: `quit`, or an `expect` that fails.
    fn piped_line(&mut self, driver: &mut Driver, line: &str) -> bool {
        let output = self.execute(driver, line, |debugger, target| debugger.execute(target, line));
        if output.failed {
            self.failed.push(shortened(line).into_owned());
        }
        output.quit || output.is_unexpected || driver.is_left()
    }

    /// The end of a pipe of which commands have failed.
    fn failure(&self) -> Option<End> {
        let first = self.failed.first()?;
        if self.ui != Ui::Json {
            let others = match self.failed.len() - 1 {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            tell!("folio: the status is 1: `{first}`{others} failed");
        }
        Some(End::ScriptFailed)
    }

    /// Runs a command, and what was asked for where it has stopped, and tells what they say. What the last of them came to.
    fn execute(
        &mut self,
        driver: &mut Driver,
        line: &str,
        command: impl FnOnce(&mut Debugger, &mut DriverTarget<'_>) -> Output,
    ) -> Output {
        let mut line = line.to_owned();
        let mut output = self.execute_one(driver, command);
        loop {
            // Who leaves does not ask where the machine is.
            if !driver.is_left() {
                self.tell(driver, Some(&line), &output);
            }
            if output.quit || output.failed || driver.is_left() {
                return output;
            }
            let mut due = None;
            let next = self.execute_one(driver, |debugger, target| {
                let (line, output) = debugger.execute_due(target).unzip();
                due = line;
                output.unwrap_or_default()
            });
            match due {
                Some(due) => (line, output) = (due, next),
                None => return output,
            }
        }
    }

    /// Tells what a command has said, and where the machine has stopped if it has run.
    fn tell(&self, driver: &mut Driver, command: Option<&str>, output: &Output) {
        let mut debugger = self.debugger.borrow_mut();
        let stop = debugger.take_stop();
        if self.ui == Ui::Json {
            let answer = Answer { command, ok: !output.failed, text: &output.text, stop };
            match serde_json::to_string(&answer) {
                Ok(line) => tell!("{line}"),
                Err(error) => tell!("folio: an answer could not be written: {error}"),
            }
            return;
        }
        tell_text(&output.text);
        if self.ui == Ui::Screen && stop.is_some_and(|stop| !stop.is_silent) {
            tell_text(&debugger.screen(&DriverTarget::new(driver), screen()));
        }
    }

    /// Runs a command; if the program dies meanwhile, what it died of is part of the answer.
    fn execute_one(
        &mut self,
        driver: &mut Driver,
        command: impl FnOnce(&mut Debugger, &mut DriverTarget<'_>) -> Output,
    ) -> Output {
        let mut had_ended = self.ended().is_some();
        let mut output = command(&mut self.debugger.borrow_mut(), &mut DriverTarget::new(driver));
        if let Some((beginning, anew)) = output.begins_anew.zip(self.anew) {
            had_ended = false;
            output = self.begin_anew(driver, anew, beginning);
        }
        if let (false, Some(StopReason::Exit(GuestExit::Signaled(signal)))) = (had_ended, self.ended()) {
            for line in self.recorder.death(signal, &self.programs) {
                output.text.push_str(&format!("{line}\n"));
            }
        }
        output
    }
}

/// A line as it is told of: as it stands, unless it is longer than anyone would read.
fn shortened(line: &str) -> Cow<'_, str> {
    const MOST: usize = 1000;
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]).into(),
        None => line.into(),
    }
}

/// The monitor of a console: the prompt on a machine that runs already, until `quit`, Ctrl-A x or the machine's end.
pub fn monitor(driver: &mut Driver, recorder: &Recorder, kernel: Option<&[u8]>) -> Result<End> {
    let programs = Rc::new(Programs::none());
    let debugger = Debugger::new(recorder.tap(), kernel, None, Rc::clone(&programs));
    let debugger = Rc::new(RefCell::new(debugger));
    let (ui, anew, failed) = (Ui::Text, None, Vec::new());
    let mut session = Session { debugger, recorder, programs, ui, anew, failed };
    let location = session.debugger.borrow_mut().location(&DriverTarget::new(driver));
    tell_text(&format!("\n{location}"));
    tell!("`continue` goes back to the console, `quit` ends the machine, `help` lists the commands");
    if let Some(prompt) = Prompt::open()? {
        prompt.serve(&mut session, driver, true)?;
    }
    Ok(session.end_of(driver))
}

/// What the terminal of standard error can show. `NO_COLOR` is as <https://no-color.org> has it.
fn screen() -> Screen {
    let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_plain = std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
    let width = terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| width.0);
    let has_colours = !wants_none && !is_plain && std::io::stderr().is_terminal();
    Screen { width: width.into(), has_colours }
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
            session.debugger.borrow_mut().note_function(&DriverTarget::new(driver));
            let text = session.debugger.borrow().prompt();
            let line = match driver.interrupted.at_prompt(|| self.editor.readline(text)) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(error).context("the terminal cannot be read"),
            };
            driver.interrupted.forget_ctrl_c();
            let output = session.execute(driver, &line, |debugger, target| {
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
}

impl MachineTarget for DriverTarget<'_> {
    fn machine(&self) -> &Machine {
        &self.driver.machine
    }
    fn swap_disk(&self) -> Option<usize> {
        self.driver.swap_disk
    }
    fn looked_at(&self) -> usize {
        self.hart
    }
    fn set_looked_at(&mut self, hart: usize) {
        self.hart = hart;
    }
    fn run_observed(&mut self, until: Step, observer: Option<&mut dyn Observer>) -> Stop {
        match self.driver.run_until(until, observer) {
            End::Reached => Stop::Reached,
            End::Interrupted(_)
            | End::TimeIsUp
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
    fn take_ctrl_c(&mut self) -> bool {
        let was_pressed = self.driver.interrupted.is_set();
        // Not if it was not pressed: it may be at this moment.
        if was_pressed {
            self.driver.interrupted.forget_ctrl_c();
        }
        was_pressed
    }
}
