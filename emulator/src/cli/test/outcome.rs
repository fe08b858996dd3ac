//! What came of a test: the facts, which the table, JSON and JUnit put into words.

use emulator::machine::StopReason;
use isa::Privilege;
use std::time::Duration;

/// What came of one test.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Number of the test, in the order given.
    pub index: usize,
    /// `None` for a pass.
    pub failure: Option<Failure>,
    /// Instructions that retired.
    pub instructions: u64,
    pub steps: u64,
    /// Time of the host.
    pub elapsed: Duration,
    /// What the test has printed, unless it went to standard output at once.
    pub console: Vec<u8>,
    /// Whether the program has symbols around a signature.
    pub has_signature: bool,
}

/// Why and where a test failed.
#[derive(Debug, Default)]
pub struct Failure {
    pub reason: String,
    /// The number of the test case, if the program told it.
    pub case: Option<u64>,
    /// Where the test went wrong: the branch to `fail` if the program has such a symbol, else where it stopped.
    pub place: Option<Place>,
    pub trap: Option<LastTrap>,
    /// The last instructions (`--trace-tail`).
    pub tail: Vec<String>,
}

/// An address of the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub pc: u64,
    pub symbol: Option<String>,
}

/// The last exception that a hart took before the failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastTrap {
    pub cause: &'static str,
    pub place: Place,
    pub tval: u64,
    pub from: Privilege,
    /// What the program counts its cases in (register gp).
    pub case: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.pc)?;
        match &self.symbol {
            Some(symbol) => write!(f, " <{symbol}>"),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for LastTrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cause, place, tval, from, .. } = self;
        write!(f, "{cause} at {place}, tval {tval:#x}, from {}-mode", from.letter())
    }
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Pass,
    /// The program says that this case failed.
    Case(u64),
    /// The program met a trap that it did not expect; its case is known only to itself.
    UnexpectedTrap,
    FinisherFail(u16),
    /// The fuel is spent.
    Fuel,
    /// Nothing can ever wake a hart.
    Idle,
    Other(StopReason),
}

/// What riscv-tests' trap handler adds to the case number, bit by bit, when it meets a trap that no case expects.
const UNEXPECTED_TRAP: u64 = 1337;

impl From<StopReason> for Verdict {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::ToHost(1) | StopReason::FinisherPass => Self::Pass,
            StopReason::ToHost(value) if value & UNEXPECTED_TRAP == UNEXPECTED_TRAP => Self::UnexpectedTrap,
            StopReason::ToHost(value) => Self::Case(value >> 1),
            StopReason::FinisherFail(code) => Self::FinisherFail(code),
            StopReason::Fuel => Self::Fuel,
            StopReason::Idle | StopReason::NeedInput => Self::Idle,
            other => Self::Other(other),
        }
    }
}

impl Verdict {
    /// Why it is a failure.
    pub fn reason(self, fuel: u64) -> String {
        match self {
            Self::Pass => "passed".to_string(),
            Self::Case(case) => format!("case {case} failed"),
            Self::UnexpectedTrap => "a trap that no case expects".to_string(),
            Self::FinisherFail(code) => format!("the finisher was told failure {code}"),
            Self::Fuel => format!("no result after {fuel} steps (--fuel)"),
            Self::Idle => "waits for something that can never come".to_string(),
            Self::Other(reason) => reason.to_string(),
        }
    }
}
