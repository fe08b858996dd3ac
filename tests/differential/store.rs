//! Cases as text, with the log that Spike has written for them: they mean the same when the generator has changed,
//! and are replayed where there is no Spike. The format is that of [`write`]; `tests/differential/cases/` holds files of
//! those that have once shown a difference. The many others are numbers: [`crate::seeds`].

use std::fmt::Write;
use std::str::SplitWhitespace;

use isa::csr::Csr;
use isa::{IsaSet, Privilege};

use crate::case::{Case, Change};
use crate::compare::pc_of;
use crate::layout::{RUNTIME, Slot};
use crate::seeds::Hashes;

/// A case and what it must do.
#[derive(Clone)]
pub struct Stored {
    pub name: String,
    pub isa: IsaSet,
    pub case: Case,
    pub log: Log,
}

/// What is known of Spike's log, as [`shorten`] makes it.
#[derive(Clone)]
pub enum Log {
    Text(String),
    Hashes(Hashes),
}

impl Log {
    /// How many lines it has.
    pub fn count(&self) -> usize {
        match self {
            Self::Text(log) => log.lines().count(),
            Self::Hashes(hashes) => hashes.count(),
        }
    }
    /// The first line in which another shortened log differs.
    pub fn difference(&self, found: &str) -> Option<String> {
        match self {
            Self::Text(log) => difference(log, found),
            Self::Hashes(hashes) => hashes.difference(found),
        }
    }
}

/// A log without what says nothing of the case (its preparation, and how the handlers come by the next instruction), and
/// without prefixes and leading zeros.
pub fn shorten(log: &str, slot: Slot) -> String {
    let mut short = String::new();
    for line in log.lines() {
        let pc = pc_of(line).expect("a line of a commit log has an address");
        let prepares = (slot.base()..slot.base() + Slot::BLOCK).contains(&pc);
        let in_runtime = (RUNTIME..RUNTIME + 0x1000).contains(&pc);
        // Of the runtime, the handlers' reading of CSRs.
        let csr = line.contains("73) x") || line.contains("f3) x");
        let reads = csr && pc >= RUNTIME + 0x200;
        if prepares || in_runtime && !reads {
            continue;
        }
        let words = line.split(": ").nth(1).expect("the hart's number comes first").split_whitespace();
        let words = words.map(|word| {
            let word = word.trim_matches(['(', ')']);
            match word.strip_prefix("0x") {
                Some(digits) if digits.bytes().all(|digit| digit == b'0') => "0",
                Some(digits) => digits.trim_start_matches('0'),
                None => word,
            }
        });
        short.push_str(&words.collect::<Vec<_>>().join(" "));
        short.push('\n');
    }
    short
}

/// The text of a case with its log.
pub fn write(name: &str, isa: &IsaSet, case: &Case, log: &str) -> String {
    format!("case {name}\nisa {isa}\n{}log\n{log}end\n\n", definition(case))
}

/// The text of a case.
pub fn definition(case: &Case) -> String {
    let hex = |values: &[u64]| values.iter().map(|v| format!(" {v:x}")).collect::<String>();
    let mut text = String::new();
    let mut line = |key: &str, value: String| writeln!(text, "{key}{value}").unwrap();
    line("slot ", case.slot.0.to_string());
    line("mode ", case.mode.letter().to_string());
    line("passes ", case.passes.to_string());
    line("x", hex(&case.x));
    line("f", hex(&case.f));
    line("state", hex(&[case.fcsr, case.mstatus, case.data_seed]));
    if case.physical {
        line("physical", String::new());
    }
    line("csrs", case.csrs.iter().map(|(csr, value)| format!(" {csr} {value:x}")).collect());
    line("entries", case.entries.iter().map(|(n, value)| format!(" {n:x} {value:x}")).collect());
    line("changes", case.changes.iter().map(|c| format!(" {:x} {:x}", c.index, c.mask)).collect());
    line("at", hex(&[case.code_offset]));
    line("code", case.code.iter().map(|half| format!(" {half:x}")).collect());
    text
}

/// The cases of a file.
pub fn read(text: &str) -> Vec<Stored> {
    text.split("case ").skip(1).map(read_one).collect()
}

fn read_one(text: &str) -> Stored {
    let (head, log) = text.split_once("\nlog\n").expect("a case has a log");
    let log = log.split_once("end\n").expect("a log has an end").0.to_string();
    let name = head.lines().next().expect("a case has a name").to_string();
    let words = |key: &str| -> SplitWhitespace<'_> {
        let line = head.lines().skip(1).find(|line| line.split_whitespace().next() == Some(key));
        let mut words = line.unwrap_or_else(|| panic!("{name}: no {key}")).split_whitespace();
        words.next();
        words
    };
    let number = |word: &str| u64::from_str_radix(word, 16).unwrap();
    let numbers = |key: &str| -> Vec<u64> { words(key).map(number).collect() };
    let pairs = |key: &str| -> Vec<(u16, u64)> {
        numbers(key).chunks(2).map(|pair| (u16::try_from(pair[0]).unwrap(), pair[1])).collect()
    };
    let decimal = |key: &str| -> u64 { words(key).next().unwrap().parse().unwrap() };
    let state = numbers("state");
    let csrs: Vec<&str> = words("csrs").collect();
    let case = Case {
        slot: Slot(decimal("slot") as usize),
        mode: match words("mode").next() {
            Some("M") => Privilege::Machine,
            Some("S") => Privilege::Supervisor,
            Some("U") => Privilege::User,
            other => panic!("{name}: mode {other:?}"),
        },
        passes: decimal("passes"),
        x: numbers("x").try_into().unwrap(),
        f: numbers("f").try_into().unwrap(),
        fcsr: state[0],
        mstatus: state[1],
        data_seed: state[2],
        physical: head.lines().any(|line| line == "physical"),
        csrs: csrs.chunks(2).map(|pair| (Csr::from_name(pair[0]).unwrap(), number(pair[1]))).collect(),
        entries: pairs("entries"),
        changes: pairs("changes").into_iter().map(|(index, mask)| Change { index, mask }).collect(),
        code_offset: numbers("at")[0],
        code: numbers("code").into_iter().map(|half| half as u16).collect(),
    };
    let isa = IsaSet::parse(words("isa").next().unwrap()).unwrap();
    Stored { isa, name, case, log: Log::Text(log) }
}

/// The first line in which two shortened logs differ.
fn difference(expected: &str, found: &str) -> Option<String> {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    for number in 1.. {
        match (expected.next(), found.next()) {
            (None, None) => break,
            (expected, found) if expected == found => {}
            (expected, found) => return Some(format!("line {number}: {found:?}, not {expected:?}")),
        }
    }
    None
}
