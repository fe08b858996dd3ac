//! The commands: one [table](table) of them, and what a line of text becomes.

mod faults;
mod foreign;
mod format;
mod help;
mod near;
mod occasions;
mod parse;
mod table;

pub use faults::Faults;
#[cfg(test)]
pub(super) use foreign::words as foreign_words;
pub use format::{Contents, Examine};
pub(super) use help::{help, help_on, meant};
pub use help::{help_without, meant_without, page};
pub(super) use near::distance_within;
pub use near::nearest;
pub use occasions::Happening;
pub(super) use occasions::{OCCASIONS, is_vfork};
pub use parse::entry_of;
pub(super) use table::info_subjects;
pub use table::{Completes, Entry, commands, find};

use super::condition::Condition;
use super::expression::Expression;
use super::watch::Watched;
use crate::source::{Format, Variables};
use core::ops::RangeInclusive;

/// Which registers `regs` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegisterSet {
    /// pc and the integer registers.
    Integer,
    /// The floating-point registers.
    Float,
    /// Both.
    All,
    /// CSRs.
    Csr,
    /// Some, by their names.
    Named(Vec<String>),
}

impl RegisterSet {
    /// The words for those that are not the integer ones.
    pub(super) const NAMES: &[&str] = &["f", "csr"];
}

/// How far a step goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepKind {
    /// One instruction: into traps, and all.
    Instruction,
    /// One instruction, or a call, a system call or a fault to its return.
    OverInstruction,
    /// To another line of the source, which may be one of a function that is called.
    Line,
    /// To another line of the function, or of its caller.
    OverLine,
    /// To a line of the function that lies behind this one, or of its caller.
    PastLine,
}

/// What `list` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listing {
    /// What follows the lines that it showed last.
    On,
    /// What is before them.
    Back,
    /// The lines around one of the same file.
    Line(u32),
    /// The lines around the one that is so many behind the lines that it showed last, or before their end.
    By(i64),
    /// From one line of the same file to another.
    Lines(u32, u32),
    /// The lines around a place.
    Place(Expression),
    /// From a place to another; without one of them ten lines.
    Range(Option<Expression>, Option<ListEnd>),
    /// No lines, but the name of the file.
    File,
}

/// Where `list` ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListEnd {
    /// At the line of a place.
    Place(Expression),
    /// So many lines behind the first.
    Behind(u32),
}

/// How something is shown at every stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// As `print` shows it.
    Value(Option<Format>),
    /// As `x` shows it.
    Memory(Examine),
}

/// How far a program goes that begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// Until something stops it.
    Runs,
    /// To its `main`.
    Main,
    /// Nowhere.
    FirstInstruction,
}

/// What is listed by its names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SymbolKind {
    /// Functions.
    Functions,
    /// Variables of the whole program.
    Variables,
}

/// Which function of the stack is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameChoice {
    /// The one that is.
    Shown,
    /// That of a number.
    Number(u64),
    /// A caller, so many calls away.
    Up(u64),
    /// What it has called.
    Down(u64),
}

/// A command, as a line says it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the table says what each does
pub enum Command {
    Step(StepKind, u64),
    Continue,
    /// `continue N`: what has stopped is passed N - 1 times.
    ContinuePast(u64),
    /// `run`, `start`, `starti`
    Begin(Beginning),
    Until(u64),
    /// `until PLACE`, `advance LINE|PLACE`
    Advance(Expression),
    Finish,
    Stop(StopCommand),
    Display(Option<(String, Shown, Expression)>),
    Undisplay(Option<u64>),
    Regs(RegisterSet),
    Examine(Examine, Option<Expression>),
    /// `bt [full] [N|-N]`: so many lines, from the innermost or the outermost function.
    Backtrace {
        most: Option<u64>,
        is_outermost: bool,
        /// With the variables of each.
        is_full: bool,
    },
    List(Listing),
    /// `line [LINE|PLACE]`
    Line(Option<Expression>),
    /// `functions [WORD]`, `variables [WORD]`
    Symbols(SymbolKind, String),
    Print(Expression, Option<Format>),
    /// `ptype [EXPR|TYPE]`
    Define(Expression),
    Frame(FrameChoice),
    Variables(Variables),
    /// Without a count all of a function, or a few.
    Disas {
        at: Option<Expression>,
        count: Option<u64>,
    },
    Walk(Option<Expression>),
    Tlb(Option<Expression>),
    Frames(Option<u64>),
    Maps(Option<u64>),
    Select {
        pid: Option<u64>,
        tid: Option<u64>,
    },
    /// `thread`: which is looked at.
    WhichThread,
    /// `thread apply`: a command for some threads, or for all.
    Apply {
        tids: Option<Vec<u64>>,
        line: String,
    },
    PageTable(Option<u64>),
    WhatIs(Expression),
    Swap {
        from: u64,
        most: Option<u64>,
    },
    Ps,
    Hart(Option<u64>),
    Explain(Option<Expression>),
    Expect(String),
    Help(Option<String>),
    Quit,
}

/// A command about where and when the machine is to stop.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the table says what each does
pub enum StopCommand {
    List,
    ListWatches,
    Break {
        at: Expression,
        pid: Option<u64>,
        condition: Option<Condition>,
        is_for_once: bool,
    },
    Catch {
        occasion: Occasion,
        condition: Option<Condition>,
    },
    Watch {
        at: Expression,
        length: Option<u64>,
        watched: Watched,
        /// Also when the function has returned whose variable it is.
        outlives: bool,
        condition: Option<Condition>,
    },
    /// Those of these numbers; all if there are none.
    Delete(Vec<RangeInclusive<u64>>),
    Condition {
        id: u64,
        condition: Option<Condition>,
    },
    Ignore {
        id: u64,
        count: u64,
    },
    /// Likewise.
    Enable {
        numbers: Vec<RangeInclusive<u64>>,
        is_enabled: bool,
    },
    Commands(Option<u64>),
    /// A signal, and whether it stops; without one, the list.
    Handle(Option<(String, bool)>),
}

/// What `catch` stops at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// Faults: of all pages, of one, or of those from one address up to another.
    Fault {
        /// Which.
        faults: Faults,
        /// An address in the page.
        from: Option<Expression>,
        /// The first byte behind the last page.
        to: Option<Expression>,
    },
    /// What the guest's events tell of.
    Happening(Happening),
    /// System calls: all, or one by its name or number.
    Syscall(Option<String>),
    /// A signal, by its name or number.
    Signal(String),
    /// Misses of the TLB.
    TlbMiss,
}
