//! What a program died of, in a line.

use abi::signal_name;
use emulator::debug::{ProgramFiles, SymbolTable};
use emulator::trace::{Place, Trace};
use isa::events::Access;

/// `SIGSEGV: read of 0x0 at sum+0x14 (pc 0x10646): no mapping holds this address`, as far as it is known.
pub fn line(signal: u32, trace: &Trace, files: &ProgramFiles) -> String {
    let name = signal_name(signal.into()).map_or_else(|| format!("signal {signal}"), str::to_owned);
    let Some(death) = trace.history.death() else { return format!("{name}: the program was killed") };
    let is_for_access = matches!(name.as_str(), "SIGSEGV" | "SIGBUS");
    match death.refusal.as_ref().filter(|_| is_for_access) {
        Some(refusal) => {
            let tried = match refusal.access {
                Access::Read => "read of",
                Access::Write => "write to",
                Access::Execute => "execution of",
            };
            let at = place(&refusal.pc, files);
            format!("{name}: {tried} {:#x} {at}: {}", refusal.va.0, refusal.reason)
        }
        None => format!("{name}: the program was killed {}", place(&death.pc, files)),
    }
}

/// `at main+0x8 (pc 0x10646)`.
fn place(place: &Place, files: &ProgramFiles) -> String {
    let symbol = files(&place.program).and_then(|file| {
        let table = SymbolTable::read(&file);
        table.name_of(place.va.0.wrapping_sub(table.load_bias(place.first_page)?))
    });
    match symbol {
        Some(symbol) => format!("at {symbol} (pc {:#x})", place.va.0),
        None => format!("at pc {:#x}", place.va.0),
    }
}
