//! Cases as numbers, and Spike's answers to them as hashes: `tests/differential/cases/seeds.txt`, a line a case.
//!
//! A number makes the case again ([`Plan::of_number`]), and a hash of its text tells whether the generator is still the
//! one that made it. Of Spike's log there is a hash of all of it, and a byte for each line, so that where there is no Spike
//! a failure names the line. Cases that have once shown a difference are kept as text ([`crate::store`]): they mean the
//! same when the generator has changed.

use std::fmt::Write;
use std::path::PathBuf;

use isa::IsaSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::case::Case;
use crate::generate::Plan;
use crate::layout::Slot;
use crate::replay::folder;
use crate::store::{Log, Stored, definition};

/// Spike's log, as hashes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hashes {
    all: u64,
    /// A byte of each line's hash.
    lines: Vec<u8>,
}

impl Hashes {
    /// Of a shortened log.
    pub fn of(log: &str) -> Self {
        let lines = log.lines().map(|line| xxh3_64(line.as_bytes()).to_le_bytes()[0]).collect();
        Self { all: xxh3_64(log.as_bytes()), lines }
    }
    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.lines.len()
    }
    /// Where a log is another one, as far as can be told.
    pub fn difference(&self, found: &str) -> Option<String> {
        let hashes = Self::of(found);
        if hashes == *self {
            return None;
        }
        let same = self.lines.iter().zip(&hashes.lines).take_while(|(a, b)| a == b).count();
        let before = found.lines().take(same).last().unwrap_or("(the start)");
        Some(match found.lines().nth(same) {
            Some(line) if same < self.lines.len() => format!("line {}: {line:?} is not Spike's", same + 1),
            None if hashes.lines == self.lines => "a line that its byte does not tell".into(),
            _ => format!("{} lines, not {}; the last alike is {before:?}", hashes.count(), self.count()),
        })
    }
}

fn file() -> PathBuf {
    folder().join("seeds.txt")
}

/// The file's cases, made again.
///
/// # Panics
/// If the generator makes another case of a number than it did.
pub fn all() -> Vec<Stored> {
    read(&std::fs::read_to_string(file()).unwrap())
}

fn read(text: &str) -> Vec<Stored> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let isa = lines.next().and_then(|line| line.strip_prefix("isa ")).expect("the extensions come first");
    let isa = IsaSet::parse(isa).unwrap();
    lines.map(|line| read_line(line, isa)).collect()
}

fn read_line(line: &str, isa: IsaSet) -> Stored {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [name, number, slot, made, all, lines] = fields[..] else { panic!("not a case: {line}") };
    let case = Plan::of_number(number.parse().unwrap()).case(Slot(slot.parse().unwrap()), &isa);
    assert_eq!(
        format!("{:08x}", fingerprint(&definition(&case))),
        made,
        "{name}: the generator makes another case of number {number} than it did; \
         record them anew with Spike (docs/differential.md)"
    );
    let bytes = lines.as_bytes().chunks(2).map(|hex| std::str::from_utf8(hex).unwrap());
    let lines = bytes.map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
    let hashes = Hashes { all: u64::from_str_radix(all, 16).unwrap(), lines };
    Stored { name: name.into(), isa, case, log: Log::Hashes(hashes) }
}

/// Half of a hash is enough to notice that a generator has changed.
fn fingerprint(text: &str) -> u32 {
    xxh3_64(text.as_bytes()) as u32
}

/// The line of a case that has been recorded.
pub fn line(name: &str, number: u64, case: &Case, hashes: &Hashes) -> String {
    let made = fingerprint(&definition(case));
    let mut line = format!("{name} {number} {} {made:08x} {:016x} ", case.slot.0, hashes.all);
    hashes.lines.iter().for_each(|byte| write!(line, "{byte:02x}").unwrap());
    line.push('\n');
    line
}

/// Writes the file.
pub fn write(isa: &IsaSet, lines: &[String]) {
    let head = "# name, number, slot, hash of the case, hash of Spike's log, a byte for each of its lines\n";
    std::fs::write(file(), format!("{head}isa {isa}\n{}", lines.concat())).unwrap();
}

#[test]
fn a_changed_line_is_found() {
    let hashes = Hashes::of("one\ntwo\nthree\n");
    assert_eq!(hashes.difference("one\ntwo\nthree\n"), None);
    for (found, told) in [
        ("one\n2\nthree\n", "line 2: \"2\" is not Spike's"),
        ("one\ntwo\n", "2 lines, not 3; the last alike is \"two\""),
        ("one\ntwo\nthree\nfour\n", "4 lines, not 3; the last alike is \"three\""),
    ] {
        assert_eq!(hashes.difference(found).as_deref(), Some(told));
    }
}
