//! What a program died of, in a line: that was started, or a child of its that went wrong.

use abi::signal_name;
use emulator::debug::{ProgramFiles, SymbolTable, instruction};
use emulator::trace::{Death, Place, Trace};
use isa::events::Access;

/// `SIGSEGV: read of 0x0 at sum+0x14 (pc 0x10646): no mapping holds this address`, as far as it is known.
pub fn line(signal: u32, trace: &Trace, files: &ProgramFiles) -> String {
    match trace.history.death() {
        Some(death) => sentence(death, files),
        None => format!("{}: the program was killed", name(signal)),
    }
}

/// Children that go wrong: a line of each, at once or at the end.
///
/// On Linux nobody tells of them but a shell, so what a script's errors are compared with has no such line.
pub struct Children {
    files: ProgramFiles,
    /// Lines are told as they come, and not kept.
    at_once: bool,
    kept: Vec<String>,
    count: usize,
}

impl Children {
    /// How many are told of.
    const MOST: usize = 8;

    pub fn new(files: ProgramFiles, at_once: bool) -> Self {
        Self { files, at_once, kept: Vec::new(), count: 0 }
    }

    /// A child has died.
    pub fn take_in(&mut self, death: &Death) {
        self.count += 1;
        if self.count > Self::MOST {
            return;
        }
        let program = death.pc.program.rsplit('/').next().unwrap_or_default();
        let line = format!("process {} ({program}): {}", death.pid, sentence(death, &self.files));
        if self.at_once { tell!("folio: {line}") } else { self.kept.push(line) }
    }

    /// Tells what was kept, and how many more there were.
    pub fn finish(&self) {
        for line in &self.kept {
            tell!("folio: {line}");
        }
        if let Some(more) = self.count.checked_sub(Self::MOST).filter(|&more| more > 0) {
            tell!("folio: {more} more processes have died like this; --trace tells of each");
        }
    }
}

fn sentence(death: &Death, files: &ProgramFiles) -> String {
    let name = name(death.signal);
    if let Some(trap) = &death.trap {
        let bits = files(&trap.pc.program).and_then(|file| instruction(&file, &trap.pc));
        let (what, why) = trap.words(bits);
        return format!("{name}: {what} {}: {why}", place(&trap.pc, files));
    }
    let is_for_access = matches!(name.as_str(), "SIGSEGV" | "SIGBUS");
    match death.refusal.as_ref().filter(|_| is_for_access) {
        Some(refusal) => {
            let tried = match refusal.access {
                Access::Read => "read of",
                Access::Write => "write to",
                Access::Execute => "execution of",
            };
            let at = place(&refusal.pc, files);
            let from = refusal.called_from.as_ref().and_then(|from| Some((from, symbol(from, files)?)));
            let from = from.map_or_else(String::new, |(from, symbol)| {
                format!(", called from {symbol} (ra {:#x})", from.va.0)
            });
            format!("{name}: {tried} {:#x} {at}{from}: {}", refusal.va.0, refusal.reason)
        }
        None => format!("{name}: the program was killed {}", place(&death.pc, files)),
    }
}

fn name(signal: u32) -> String {
    signal_name(signal.into()).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// `at main+0x8 (pc 0x10646)`.
fn place(place: &Place, files: &ProgramFiles) -> String {
    match symbol(place, files) {
        Some(symbol) => format!("at {symbol} (pc {:#x})", place.va.0),
        None => format!("at pc {:#x}", place.va.0),
    }
}

fn symbol(place: &Place, files: &ProgramFiles) -> Option<String> {
    let table = SymbolTable::read(&files(&place.program)?);
    table.name_of(place.va.0.wrapping_sub(table.load_bias(place.first_page)?))
}
