//! Where a test went wrong: the machine is deterministic, so a test that failed is run once more, and the last part of
//! it observed. Finds the branch to `fail` (riscv-tests' name for where failed cases meet), the last exception before
//! it, and keeps the last instructions.

use super::outcome::{Failure, LastTrap, Place, Verdict};
use super::run::symbol_at;
use core::ops::ControlFlow;
use emulator::exec::Observer;
use emulator::hart::Hart;
use emulator::machine::Machine;
use emulator::source::SymbolTable;
use isa::disasm::disasm;
use isa::insn::{Insn, Operand};
use isa::platform::RAM_BASE;
use isa::reg::{F_NAMES, X_NAMES};
use isa::{Interrupt, Privilege, Step, Trap, VirtAddr};
use std::collections::VecDeque;

/// Steps before the end that are observed: whole tests of the usual suites, and the last part of one that hangs.
const OBSERVED_STEPS: u64 = 1_000_000;
/// Where riscv-tests keep the number of the case that runs.
const CASE_REGISTER: usize = 3;

/// Completes `failure` of a run that has ended as `ended`; `again` gives a machine at the start of the test.
pub fn explain(
    again: impl Fn() -> Option<Machine>,
    ended: &Machine,
    symbols: SymbolTable,
    keep: usize,
    verdict: Verdict,
    failure: &mut Failure,
) {
    let Some((mut machine, until)) = before_the_end(again, ended) else { return };
    let mut tail = Tail::new(symbols, keep);
    machine.run_observed(until, &mut tail);
    if verdict == Verdict::UnexpectedTrap
        && let Some(trap) = &tail.trap
    {
        failure.case = Some(trap.case);
        failure.reason = format!("case {}: {}, which no case expects", trap.case, trap.cause);
        failure.place = Some(trap.place.clone());
        tail.last = std::mem::take(&mut tail.to_trap);
    }
    if let Some(spot) = tail.failed_at {
        failure.place = Some(tail.place(spot));
    }
    failure.tail = tail.lines();
    failure.trap = tail.trap;
}

/// A machine before the last steps of the run, and where these end: where the run did or, if nothing has retired for
/// long (a handler that is not there traps for ever), where that began.
fn before_the_end(again: impl Fn() -> Option<Machine>, ended: &Machine) -> Option<(Machine, Step)> {
    let last = Step(ended.steps().0.saturating_sub(OBSERVED_STEPS));
    let mut machine = again()?;
    loop {
        let start = machine.steps();
        if start >= last {
            return Some((machine, ended.steps()));
        }
        machine.run(start.after(OBSERVED_STEPS).min(last));
        if machine.instructions() == ended.instructions() {
            let until = machine.steps();
            let mut machine = again()?;
            machine.run(start);
            return Some((machine, until));
        }
        if machine.steps() == start {
            return None;
        }
    }
}

/// What the last part of a run is remembered by.
struct Tail {
    symbols: SymbolTable,
    /// Where failed cases meet: as linked, and where user code of the virtual-memory environment has it.
    fail: Option<[u64; 2]>,
    /// Where each hart last was.
    now: Vec<Spot>,
    failed_at: Option<Spot>,
    trap: Option<LastTrap>,
    /// Since then nothing has retired: a handler that traps itself says nothing new.
    trapping: bool,
    keep: usize,
    last: VecDeque<Line>,
    /// The same up to the last exception.
    to_trap: VecDeque<Line>,
}

/// An address, and the mode in which it was fetched from.
#[derive(Clone, Copy)]
struct Spot {
    pc: u64,
    privilege: Privilege,
    translated: bool,
}

impl Spot {
    /// Where the hart is.
    fn of(hart: &Hart) -> Self {
        Self { pc: hart.pc, privilege: hart.privilege, translated: hart.translates(hart.privilege) }
    }
}

/// One of the last things that happened.
#[derive(Clone)]
struct Line {
    hart: usize,
    spot: Spot,
    text: String,
}

impl Tail {
    fn new(symbols: SymbolTable, keep: usize) -> Self {
        let fail = symbols.address_of("fail").map(|at| [at, at.wrapping_sub(RAM_BASE.0)]);
        let (now, failed_at, trap, last) = (Vec::new(), None, None, VecDeque::new());
        Self { symbols, fail, now, failed_at, trap, trapping: false, keep, last, to_trap: VecDeque::new() }
    }

    fn place(&self, Spot { pc, translated, .. }: Spot) -> Place {
        Place { pc, symbol: symbol_at(&self.symbols, pc, translated, None) }
    }

    /// Where the instruction at `pc` was, which has changed the hart by now.
    fn spot(&self, hart: &Hart, pc: VirtAddr) -> Spot {
        Spot { pc: pc.0, ..self.now.get(hart.id).copied().unwrap_or(Spot::of(hart)) }
    }

    fn push(&mut self, hart: &Hart, pc: VirtAddr, text: impl FnOnce() -> String) {
        // How a program reports a failure is not what led to it.
        if self.keep == 0 || self.failed_at.is_some() {
            return;
        }
        if self.last.len() == self.keep {
            self.last.pop_front();
        }
        self.last.push_back(Line { hart: hart.id, spot: self.spot(hart, pc), text: text() });
    }

    /// The last instructions, in columns.
    fn lines(&self) -> Vec<String> {
        let places: Vec<String> = self.last.iter().map(|line| self.place(line.spot).to_string()).collect();
        let width = places.iter().map(String::len).max().unwrap_or(0);
        let several = self.last.iter().any(|line| line.hart != 0);
        let shown = self.last.iter().zip(&places).map(|(line, place)| {
            let hart = if several { format!("hart {}  ", line.hart) } else { String::new() };
            format!("{hart}{place:<width$}  {}", line.text)
        });
        shown.collect()
    }
}

/// The register that an instruction has written, with its new value.
fn written(hart: &Hart, insn: &Insn) -> Option<String> {
    let rd = usize::from(insn.rd);
    insn.op.format().operands().iter().find_map(|operand| match operand {
        Operand::Rd if rd != 0 => Some(format!("{}={:#x}", X_NAMES[rd], hart.x[rd])),
        Operand::FRd => Some(format!("{}={:#x}", F_NAMES[rd], hart.f[rd])),
        _ => None,
    })
}

impl Observer for Tail {
    fn before(&mut self, hart: &Hart, _: Step) -> ControlFlow<()> {
        let here = Spot::of(hart);
        if self.now.len() <= hart.id {
            self.now.resize(hart.id + 1, here);
        }
        let before = std::mem::replace(&mut self.now[hart.id], here);
        if self.failed_at.is_none() && self.fail.is_some_and(|fail| fail.contains(&hart.pc)) {
            self.failed_at = Some(before);
        }
        ControlFlow::Continue(())
    }

    fn retired(&mut self, hart: &Hart, _: Step, pc: VirtAddr, insn: &Insn) {
        self.trapping = false;
        self.push(hart, pc, || {
            let text = disasm(insn, pc.0).to_string();
            match written(hart, insn) {
                Some(value) => format!("{text:<32}  {value}"),
                None => text,
            }
        });
    }

    fn exception(&mut self, hart: &Hart, _: Step, pc: VirtAddr, trap: Trap) {
        if std::mem::replace(&mut self.trapping, true) {
            return;
        }
        let cause = trap.exception.name();
        self.push(hart, pc, || format!("exception: {cause}, tval {:#x}", trap.tval));
        self.to_trap.clone_from(&self.last);
        if self.failed_at.is_none() {
            let spot = self.spot(hart, pc);
            let (place, case) = (self.place(spot), hart.x[CASE_REGISTER]);
            self.trap = Some(LastTrap { cause, place, tval: trap.tval, from: spot.privilege, case });
        }
    }

    fn interrupt(&mut self, hart: &Hart, _: Step, pc: VirtAddr, interrupt: Interrupt) {
        self.push(hart, pc, || format!("interrupt {}", interrupt.code()));
    }
}
