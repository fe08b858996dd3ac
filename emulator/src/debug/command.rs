//! The commands: one table of names and help, and the parsing of a line.

use super::expression::{Expression, parse_number};
use super::foreign;
use isa::events::EventKind;
use std::fmt::Write;

/// How values are shown by `x`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Hexadecimal.
    Hex,
    /// Signed decimal.
    Decimal,
    /// Unsigned decimal.
    Unsigned,
    /// Octal.
    Octal,
    /// Binary.
    Binary,
    /// A character.
    Character,
    /// A NUL-terminated string.
    String,
    /// An instruction.
    Instruction,
    /// An address, with its symbol.
    Address,
}

/// What `x` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Examine {
    /// How many values.
    pub count: u64,
    /// How each is shown.
    pub format: Format,
    /// Bytes of each: 1, 2, 4 or 8.
    pub size_bytes: u8,
}

impl Default for Examine {
    fn default() -> Self {
        Self { count: 1, format: Format::Hex, size_bytes: 8 }
    }
}

/// Which faults `catch fault` stops at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultFilter {
    /// As typed.
    pub name: String,
    /// The kinds of event.
    pub kinds: Vec<EventKind>,
    /// Only those that waited for a disk.
    pub from_disk: bool,
    /// Only those of pages that had been in swap space.
    pub from_swap: bool,
    /// Whether at exceptions that are no page faults, too.
    pub traps: bool,
}

impl FaultFilter {
    /// The groups, then each kind by its own name.
    pub fn from_name(name: &str) -> Option<Self> {
        use EventKind as K;
        let kinds = match name {
            "zero" => vec![K::Zero, K::ZeroShared, K::StackGrow],
            "file" => vec![K::FileDisk, K::FileCache, K::FileCopy, K::SharedMap],
            "any" | "disk" | "swap" => K::ALL.iter().copied().filter(|kind| kind.is_fault()).collect(),
            "cow" => vec![K::CowCopy, K::CowReuse],
            "segv" => vec![K::Segv, K::Protection],
            other => vec![K::from_name(other).filter(|kind| kind.is_fault())?],
        };
        Some(Self {
            name: name.to_owned(),
            kinds,
            from_disk: name == "disk",
            from_swap: name == "swap",
            traps: name == "segv",
        })
    }
}

/// Which registers `regs` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterSet {
    /// pc and the integer registers.
    Integer,
    /// The floating-point registers.
    Float,
    /// CSRs.
    Csr,
}

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the table below says what each does
pub enum Command {
    Step(u64),
    Next(u64),
    Continue,
    Until(u64),
    Break { at: Option<Expression>, pid: Option<u64> },
    Delete(Option<u64>),
    Catch { filter: Option<FaultFilter>, from: Option<Expression>, to: Option<Expression> },
    Regs(RegisterSet),
    Examine(Examine, Option<Expression>),
    Disas { at: Option<Expression>, count: u64 },
    Walk(Option<Expression>),
    Tlb(Option<Expression>),
    Frames(Option<u64>),
    Maps(Option<u64>),
    Ps,
    Hart(Option<u64>),
    Explain(Option<Expression>),
    Expect(String),
    Help(Option<String>),
    Quit,
}

/// A command's names and help.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, then shorter ones.
    pub names: &'static [&'static str],
    /// Its arguments.
    pub arguments: &'static str,
    /// What it does: a line, and more lines if need be.
    pub help: &'static str,
}

/// Every command, in the order of `help`.
pub const COMMANDS: &[Entry] = &[
    entry(&["step", "stepi", "s", "si"], "[N]", "run one instruction, or N; traps and all"),
    entry(
        &["next", "nexti", "n", "ni"],
        "[N]",
        "as step, but a call, a system call or a fault runs to its return",
    ),
    entry(&["continue", "c"], "", "run until something stops the machine"),
    entry(
        &["until", "u"],
        "STEP",
        "run until the machine's step count is STEP (a step is one instruction, executed or trapped)",
    ),
    entry(
        &["break", "b"],
        "[SYMBOL|ADDR [PID]]",
        "stop before the instruction there; without arguments, list\n\
         A symbol is looked for in the programs, then in the kernel (kernel:NAME: only there).\n\
         It counts in every process, or in PID only. A program that is yet to run is waited for.",
    ),
    entry(&["delete", "d"], "[N]", "delete breakpoint or catchpoint N, or all"),
    entry(
        &["catch"],
        "fault KIND [ADDR [END]]",
        "stop when the kernel has dealt with a page fault of this kind\n\
         KIND: zero, file, disk, cow, swap, segv, any, or one kind by name (zero_shared, file_copy, …)\n\
         With ADDR only for its page, with END for the pages up to it; in every process, or in that of PID:SYMBOL.\n\
         It stops at the instruction that faulted, just before that runs again; or in the kernel, if it won't.",
    ),
    entry(&["regs"], "[f|csr]", "registers by ABI name (* has changed); floating point; CSRs"),
    entry(
        &["x"],
        "/[COUNT][FORMAT][SIZE] ADDR",
        "examine memory: FORMAT x d u o t c s i a, SIZE b h w g (1, 2, 4, 8 bytes)",
    ),
    entry(&["disas", "disassemble"], "[ADDR [COUNT]]", "disassemble, from pc if ADDR is left out"),
    entry(
        &["walk"],
        "[VA]",
        "walk the page table for VA (or pc), level by level, with every flag spelled out\n\
         Here as everywhere an address is a number, a $register or a symbol, and +N or -N; $fault is the last fault's.",
    ),
    entry(&["tlb"], "[VA]", "the TLB: counts and entries, or those for VA's page"),
    entry(&["frames"], "[FIRST]", "what the frames of RAM hold and who maps them, from frame FIRST on"),
    entry(&["maps"], "[PID]", "the mappings of a process, and how much of each is in memory"),
    entry(&["ps"], "", "the processes, and of those that have several the threads"),
    entry(
        &["hart"],
        "[N]",
        "look at hart N; without N, list all and what they do\n\
         The other commands tell of the hart looked at, and step and next run it, while the others take their turns. Each\n\
         stop looks at the hart that stopped.",
    ),
    entry(&["info", "i"], "harts", "list the harts and what they do"),
    entry(
        &["explain", "why"],
        "[ADDR]",
        "why the last page fault happened, what the kernel did, which bit decided; or what other exception came since\n\
         With ADDR: what there is at an address, what its first touch will do, or when it went away.",
    ),
    entry(
        &["expect"],
        "TEXT",
        "in a script: end it with status 1 unless the command before has said TEXT\n\
         So does every command of a script that cannot be carried out.",
    ),
    entry(&["help", "h", "?"], "[COMMAND]", "this list, or one command in full"),
    entry(&["quit", "q", "exit"], "", "leave; the machine is given up"),
];

const fn entry(names: &'static [&'static str], arguments: &'static str, help: &'static str) -> Entry {
    Entry { names, arguments, help }
}

/// The entry of a command by any of its names.
pub fn find(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.names.contains(&name))
}

/// The list of commands, a line each.
pub(super) fn help() -> String {
    let mut text = String::new();
    for entry in COMMANDS {
        let usage = format!("{} {}", entry.names[0], entry.arguments);
        let line = entry.help.lines().next().unwrap_or_default();
        let _ = writeln!(text, "  {:<32} {line}", usage.replacen("x /", "x/", 1).trim_end());
    }
    text
}

/// One command in full.
pub(super) fn help_on(name: &str) -> Result<String, String> {
    let entry = find(name).ok_or_else(|| unknown(name))?;
    let mut text = format!("{} {}", entry.names[0], entry.arguments).replacen("x /", "x/", 1);
    text.truncate(text.trim_end().len());
    if entry.names.len() > 1 {
        let _ = write!(text, "  (also {})", entry.names[1..].join(", "));
    }
    text.push('\n');
    for line in entry.help.lines() {
        let _ = writeln!(text, "  {line}");
    }
    Ok(text)
}

impl Command {
    /// Parses a line. `None` for a line that is empty or a comment (`#`).
    pub fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let end = line.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        let rest = rest.trim();
        let Some(entry) = find(word) else { return Err(unknown(word)) };
        let usage = |what: &str| format!("{what}; usage: {} {}", entry.names[0], entry.arguments);
        let words: Vec<&str> = rest.split_whitespace().collect();
        let too_many = |most: usize| {
            if words.len() > most { Err(usage(&format!("`{}` is too much", words[most]))) } else { Ok(()) }
        };
        let number =
            |text: &str| parse_number(text).ok_or_else(|| usage(&format!("`{text}` is not a number")));
        let optional = |index: usize| words.get(index).map(|text| number(text)).transpose();
        let address = |index: usize| {
            words.get(index).map(|text| Expression::parse(text).map_err(|e| usage(&e))).transpose()
        };
        Ok(Some(match entry.names[0] {
            "step" => {
                too_many(1)?;
                Self::Step(optional(0)?.unwrap_or(1))
            }
            "next" => {
                too_many(1)?;
                Self::Next(optional(0)?.unwrap_or(1))
            }
            "continue" => {
                too_many(0)?;
                Self::Continue
            }
            "until" => {
                too_many(1)?;
                match words.first() {
                    Some(place) if !place.starts_with(|c: char| c.is_ascii_digit()) => {
                        return Err(format!(
                            "`until` takes a step; to get to a place: `break {place}` and `continue`"
                        ));
                    }
                    _ => Self::Until(optional(0)?.ok_or_else(|| usage("a step is missing"))?),
                }
            }
            "break" if matches!(words.as_slice(), [_, "if" | "thread" | "task", ..]) => {
                return Err(
                    "a breakpoint stops each time, in every thread; PID behind it means one process".into()
                );
            }
            "break" => {
                too_many(2)?;
                Self::Break { at: address(0)?, pid: optional(1)? }
            }
            "delete" => {
                too_many(1)?;
                Self::Delete(optional(0)?)
            }
            "catch" => {
                too_many(4)?;
                let filter = match words.as_slice() {
                    [] => None,
                    ["fault"] => FaultFilter::from_name("any"),
                    ["fault", name, ..] => match FaultFilter::from_name(name) {
                        None => return Err(usage(&no_fault(name))),
                        known => known,
                    },
                    ["syscall" | "signal", ..] => {
                        return Err("only faults are caught (`catch fault KIND`); `--strace` shows system calls and signals".into());
                    }
                    [other, ..] => return Err(usage(&format!("`{other}` can't be caught"))),
                };
                Self::Catch { filter, from: address(2)?, to: address(3)? }
            }
            "regs" => match words.as_slice() {
                [] => Self::Regs(RegisterSet::Integer),
                ["f" | "float"] => Self::Regs(RegisterSet::Float),
                ["csr" | "csrs"] => Self::Regs(RegisterSet::Csr),
                [other, ..] => return Err(usage(&format!("`{other}` is no set of registers"))),
            },
            "x" => {
                let (examine, address) = parse_examine(rest).map_err(|e| usage(&e))?;
                Self::Examine(examine, address)
            }
            "disas" => {
                too_many(2)?;
                Self::Disas { at: address(0)?, count: optional(1)?.unwrap_or(8) }
            }
            "walk" => {
                too_many(1)?;
                Self::Walk(address(0)?)
            }
            "tlb" => {
                too_many(1)?;
                Self::Tlb(address(0)?)
            }
            "frames" => {
                too_many(1)?;
                Self::Frames(optional(0)?)
            }
            "maps" => {
                too_many(1)?;
                Self::Maps(optional(0)?)
            }
            "ps" => {
                too_many(0)?;
                Self::Ps
            }
            "hart" => {
                too_many(1)?;
                Self::Hart(optional(0)?)
            }
            "info" => match words.as_slice() {
                ["harts" | "hart"] => Self::Hart(None),
                [other, ..] => return Err(foreign::info(other)),
                [] => return Err(usage("there is information on harts only")),
            },
            "explain" => {
                too_many(1)?;
                Self::Explain(address(0)?)
            }
            "expect" if rest.is_empty() => return Err(usage("a text is missing")),
            "expect" => Self::Expect(rest.to_owned()),
            "help" => {
                too_many(1)?;
                Self::Help(words.first().map(|&word| word.to_owned()))
            }
            "quit" => {
                too_many(0)?;
                Self::Quit
            }
            other => unreachable!("command `{other}` of the table is not parsed"),
        }))
    }
}

/// `/[COUNT][FORMAT][SIZE] ADDR`, each part but the address in any order and with a default.
fn parse_examine(rest: &str) -> Result<(Examine, Option<Expression>), String> {
    let mut examine = Examine::default();
    let (letters, address) = match rest.strip_prefix('/') {
        Some(after) => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        None => ("", rest),
    };
    let digits = letters.len() - letters.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 {
        examine.count = parse_number(&letters[..digits])
            .filter(|&count| (1..=4096).contains(&count))
            .ok_or("COUNT is from 1 to 4096")?;
    }
    for letter in letters[digits..].chars() {
        match letter {
            'x' => examine.format = Format::Hex,
            'd' => examine.format = Format::Decimal,
            'u' => examine.format = Format::Unsigned,
            'o' => examine.format = Format::Octal,
            't' => examine.format = Format::Binary,
            'c' => (examine.format, examine.size_bytes) = (Format::Character, 1),
            's' => (examine.format, examine.size_bytes) = (Format::String, 1),
            'i' => examine.format = Format::Instruction,
            'a' => (examine.format, examine.size_bytes) = (Format::Address, 8),
            'b' => examine.size_bytes = 1,
            'h' => examine.size_bytes = 2,
            'w' => examine.size_bytes = 4,
            'g' => examine.size_bytes = 8,
            other => return Err(format!("`{other}` is no format and no size")),
        }
    }
    let address = address.trim();
    let address = if address.is_empty() { None } else { Some(Expression::parse(address)?) };
    Ok((examine, address))
}

/// A kind of fault that there is not.
fn no_fault(name: &str) -> String {
    let groups = ["zero", "file", "disk", "cow", "swap", "segv", "any"];
    let kinds = EventKind::ALL.iter().filter(|kind| kind.is_fault()).map(|kind| kind.name());
    // The names are short: two other letters make another word of most, unless they only stand in another order.
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_near = |near: &&str| distance(name, near) == 1 || sorted(name) == sorted(near);
    let near = nearest(name, groups.into_iter().chain(kinds)).filter(is_near);
    match near {
        Some(near) => format!("there is no fault of kind `{name}`; did you mean `{near}`?"),
        None => format!(
            "there is no fault of kind `{name}`: there are {}, and each kind of fault that --stats counts",
            groups.join(", ")
        ),
    }
}

/// One line for a word that is no command.
fn unknown(word: &str) -> String {
    if let Some(here) = foreign::command(word) {
        return format!("there is no command `{word}`: {here}");
    }
    let names = COMMANDS.iter().flat_map(|entry| entry.names).filter(|name| name.len() > 1);
    match nearest(word, names.copied()) {
        Some(name) => {
            format!("there is no command `{word}`; did you mean `{name}`? (`help` lists them)")
        }
        None => format!("there is no command `{word}`; `help` lists them"),
    }
}

/// The name that is almost `word`, the first of several in the alphabet: at most two letters are others, and not all of them.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = word.chars().count().saturating_sub(1).min(2);
    names.map(|name| (distance(word, name), name)).min().filter(|&(d, _)| d <= most).map(|(_, name)| name)
}

/// How many letters must be changed, added or left out to make one word the other (Levenshtein).
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
