//! The words behind a command, and what each command makes of them.

use super::faults::{Faults, no_fault};
use super::format::{parse_display, parse_examine, parse_print};
use super::help::{meant, usage};
use super::near::nearest;
use super::occasions::{Happening, OCCASIONS};
use super::table::{Entry, info_subjects};
use super::{
    Command, FrameChoice, ListEnd, Listing, Occasion, RegisterSet, StepKind, StopCommand, SymbolKind, foreign,
};
use crate::debug::condition::Condition;
use crate::debug::expression::{Expression, line_offset, parse_number};
use crate::debug::watch::Watched;
use core::ops::RangeInclusive;

/// What stands behind a command's name.
pub struct Words<'a> {
    entry: &'static Entry,
    rest: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn new(entry: &'static Entry, rest: &'a str) -> Self {
        Self { entry, rest: rest.trim(), words: rest.split_whitespace().collect() }
    }
    /// A complaint, and how the command is used.
    fn usage(&self, complaint: &str) -> String {
        format!("{complaint}; usage: {}", usage(self.entry))
    }
    pub(super) fn get(&self, index: usize) -> Option<&'a str> {
        self.words.get(index).copied()
    }
    /// Complains of more words than these.
    pub(super) fn at_most(&self, most: usize) -> Result<(), String> {
        match self.get(most) {
            Some(word) => Err(self.usage(&format!("`{word}` is too much"))),
            None => Ok(()),
        }
    }
    /// The command, if there are no words.
    pub(super) fn alone(&self, command: Command) -> Result<Command, String> {
        self.at_most(0).map(|()| command)
    }
    fn number(&self, index: usize) -> Result<Option<u64>, String> {
        let number =
            |text: &str| parse_number(text).ok_or_else(|| self.usage(&format!("`{text}` is not a number")));
        self.get(index).map(number).transpose()
    }
    /// The only word, a number, if there is one.
    pub(super) fn only_number(&self) -> Result<Option<u64>, String> {
        self.at_most(1)?;
        self.number(0)
    }
    /// How many steps.
    pub(super) fn steps(&self, kind: StepKind) -> Result<Command, String> {
        Ok(Command::Step(kind, self.only_number()?.unwrap_or(1)))
    }
    fn parsed(&self, text: &str) -> Result<Expression, String> {
        Expression::parse(text).map_err(|e| self.usage(&e))
    }
    /// All that there is, an expression, if there is one.
    pub(super) fn only_address(&self) -> Result<Option<Expression>, String> {
        if self.rest.is_empty() { Ok(None) } else { self.parsed(self.rest).map(Some) }
    }
    /// All that there is, an expression.
    pub(super) fn needed_address(&self) -> Result<Expression, String> {
        self.only_address()?.ok_or_else(|| self.usage("an address is missing"))
    }
    /// The expression that stands first, if there is one, and the words behind it.
    fn first_address(&self) -> Result<(Option<Expression>, Self), String> {
        if self.rest.is_empty() {
            return Ok((None, Self::new(self.entry, "")));
        }
        let (first, rest) = Expression::parse_next(self.rest).map_err(|e| self.usage(&e))?;
        if !rest.is_empty() && !self.rest[..self.rest.len() - rest.len()].ends_with(char::is_whitespace) {
            return Err(self.usage(&Expression::parse(self.rest).err().unwrap_or_default()));
        }
        Ok((Some(first), Self::new(self.entry, rest)))
    }
    /// The same, where `+1` and `-1` are lines that far from the one that is looked at.
    fn first_place(&self) -> Result<(Option<Expression>, Self), String> {
        match self.get(0).filter(|word| line_offset(word).is_some()) {
            Some(word) => {
                let rest = Self::new(self.entry, &self.rest[word.len()..]);
                Ok((Some(Expression::named(word)), rest))
            }
            None => self.first_address(),
        }
    }
    /// What stands before `if`, and the condition behind it.
    fn split_condition(&self) -> Result<(Self, Option<Condition>), String> {
        let is_if = |at: &usize| {
            self.rest[..*at].chars().next_back().is_none_or(char::is_whitespace)
                && self.rest[at + 2..].chars().next().is_none_or(|c| c.is_whitespace() || c == '(')
        };
        let Some(at) = self.rest.match_indices("if").map(|(at, _)| at).find(is_if) else {
            return Ok((Self::new(self.entry, self.rest), None));
        };
        let condition = Condition::parse(&self.rest[at + 2..])?;
        Ok((Self::new(self.entry, &self.rest[..at]), Some(condition)))
    }
    /// A number of calls away, or 1.
    pub(super) fn calls(&self, choice: fn(u64) -> FrameChoice) -> Result<Command, String> {
        Ok(Command::Frame(choice(self.only_number()?.unwrap_or(1))))
    }
    /// A set of registers, or some by their names.
    pub(super) fn register_set(&self) -> RegisterSet {
        match self.words.as_slice() {
            [] => RegisterSet::Integer,
            ["f" | "float"] => RegisterSet::Float,
            ["csr" | "csrs"] => RegisterSet::Csr,
            names => {
                let plain = |name: &&str| name.strip_prefix('$').unwrap_or(name).to_owned();
                RegisterSet::Named(names.iter().map(plain).collect())
            }
        }
    }
    /// Numbers and ranges of them, such as `1-3`.
    pub(super) fn ranges(&self) -> Result<Vec<RangeInclusive<u64>>, String> {
        let range = |word: &&str| {
            let (from, to) = word.split_once('-').unwrap_or((word, word));
            let (from, to) = parse_number(from).zip(parse_number(to)).filter(|(from, to)| from <= to)?;
            Some(from..=to)
        };
        let of = |word| {
            range(word).ok_or_else(|| self.usage(&format!("`{word}` is neither a number nor a range")))
        };
        self.words.iter().map(of).collect()
    }
}

impl Command {
    /// Parses a line. `None` for a line that is empty or a comment (`#`).
    pub fn parse(line: &str) -> Result<Option<Self>, String> {
        let Some((entry, rest)) = entry_of(line)? else { return Ok(None) };
        (entry.parse)(&Words::new(entry, rest)).map(Some)
    }
}

/// The command that a line begins with, by whatever name, and the rest of the line. `None` for a line that is empty or a comment.
pub fn entry_of(line: &str) -> Result<Option<(&'static Entry, &str)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    // `x/4x`, and as gdb has it `p*list`, `b*main`, `p$pc`.
    let is_behind = |c: char| c.is_whitespace() || matches!(c, '/' | '*' | '&' | '$' | '(' | '\'');
    let (word, rest) = line.split_at(line.find(is_behind).unwrap_or(line.len()));
    Ok(Some((meant(word)?, rest)))
}

/// `[N]`: once, or as often as it takes to come to what has stopped once more for the Nth time.
pub(super) fn go_on(words: &Words<'_>) -> Result<Command, String> {
    Ok(words.only_number()?.map_or(Command::Continue, Command::ContinuePast))
}

/// An address; a type is no address.
pub(super) fn whatis(words: &Words<'_>) -> Result<Command, String> {
    if let Some("struct" | "union" | "enum" | "class") = words.get(0) {
        return Err(words.usage(&format!("of a type tells `ptype {}`", words.rest)));
    }
    words.needed_address().map(Command::WhatIs)
}

/// `[STEP|PLACE]`: a number is a step, and nothing at all a line.
pub(super) fn until(words: &Words<'_>) -> Result<Command, String> {
    match words.get(0) {
        None => Ok(Command::Step(StepKind::PastLine, 1)),
        Some(place) if !place.starts_with(|c: char| c.is_ascii_digit()) => advance(words),
        _ => Ok(Command::Until(words.only_number()?.ok_or_else(|| words.usage("a step is missing"))?)),
    }
}

pub(super) fn advance(words: &Words<'_>) -> Result<Command, String> {
    let (at, rest) = words.first_place()?;
    rest.at_most(0)?;
    Ok(Command::Advance(at.ok_or_else(|| words.usage("a place is missing"))?))
}

/// `[WORD]`
pub(super) fn symbols(words: &Words<'_>, kind: SymbolKind) -> Result<Command, String> {
    words.at_most(1)?;
    Ok(Command::Symbols(kind, words.rest.to_owned()))
}

/// `[SYMBOL|ADDR [PID]] [if CONDITION]`; of a breakpoint that is not for once nothing at all means the list.
pub(super) fn break_at(words: &Words<'_>, is_for_once: bool) -> Result<Command, String> {
    let (words, condition) = words.split_condition()?;
    let (at, rest) = words.first_place()?;
    if matches!(rest.get(0), Some("thread" | "task")) {
        return Err(
            "a breakpoint stops in every thread; PID behind it means one process, `if tid == N` one thread"
                .into(),
        );
    }
    let pid = rest.only_number()?;
    match at {
        Some(at) => Ok(Command::Stop(StopCommand::Break { at, pid, condition, is_for_once })),
        // As gdb has it: where one is.
        None if condition.is_some() => {
            let at = Expression::parse("$pc")?;
            Ok(Command::Stop(StopCommand::Break { at, pid, condition, is_for_once }))
        }
        None if is_for_once => Err(words.usage("a place is missing")),
        None => Ok(Command::Stop(StopCommand::List)),
    }
}

pub(super) fn catch(words: &Words<'_>) -> Result<Command, String> {
    let (words, condition) = words.split_condition()?;
    let Some(what) = words.get(0) else { return Ok(Command::Stop(StopCommand::List)) };
    let occasion = if what == "fault" {
        let name = words.get(1).unwrap_or("any");
        let faults = Faults::from_name(name).ok_or_else(|| words.usage(&no_fault(name)))?;
        let behind = words.rest.strip_prefix(what).unwrap_or_default().trim_start();
        let behind = Words::new(words.entry, behind.strip_prefix(name).unwrap_or_default());
        let (from, behind) = behind.first_address()?;
        Occasion::Fault { faults, from, to: behind.only_address()? }
    } else if let Some(call) = what.strip_prefix("syscall") {
        // As gdb has it, the call may also be a word of its own.
        let named = call.strip_prefix(':').or(words.get(1));
        words.at_most(if call.is_empty() { 2 } else { 1 })?;
        Occasion::Syscall(named.map(str::to_owned))
    } else if let Some(signal) = what.strip_prefix("signal")
        && let Some(named) = signal.strip_prefix(':').or(words.get(1))
    {
        words.at_most(if signal.is_empty() { 2 } else { 1 })?;
        Occasion::Signal(named.to_owned())
    } else {
        words.at_most(1)?;
        match (what, Happening::from_name(what)) {
            ("tlb-miss", _) => Occasion::TlbMiss,
            (_, Some(happening)) => Occasion::Happening(happening),
            (_, None) if matches!(what, "throw" | "rethrow" | "catch" | "exception") => {
                return Err(words.usage(&format!(
                    "`{what}` can't be caught: `break __cxa_throw` stops where C++ throws, `break __cxa_begin_catch` where it catches, \
                     `break rust_panic` where Rust panics"
                )));
            }
            (_, None) => {
                let near = nearest(what, OCCASIONS.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(words.usage(&format!("`{what}` can't be caught{near}")));
            }
        }
    };
    Ok(Command::Stop(StopCommand::Catch { occasion, condition }))
}

/// `ADDR|SYMBOL [LENGTH] [if CONDITION]`, or nothing for the list.
pub(super) fn watch(words: &Words<'_>, watched: Watched) -> Result<Command, String> {
    let (words, condition) = words.split_condition()?;
    // As gdb has it.
    let outlives = matches!(words.get(0), Some("-l" | "-location"));
    let skipped = if outlives { words.get(0).map_or(0, str::len) } else { 0 };
    let words = Words::new(words.entry, &words.rest[skipped..]);
    let (at, rest) = words.first_address()?;
    let length = rest.only_number()?;
    let Some(at) = at else { return Ok(Command::Stop(StopCommand::ListWatches)) };
    Ok(Command::Stop(StopCommand::Watch { at, length, watched, outlives, condition }))
}

/// `[N]`, or `apply N …|all COMMAND`.
pub(super) fn thread(words: &Words<'_>) -> Result<Command, String> {
    let Some(rest) = words.rest.strip_prefix("apply").filter(|rest| rest.starts_with(char::is_whitespace))
    else {
        let tid = words.only_number()?;
        return Ok(tid.map_or(Command::WhichThread, |tid| Command::Select { pid: None, tid: Some(tid) }));
    };
    let (mut tids, mut line) = (Vec::new(), rest.trim());
    while let Some(tid) = line.split_whitespace().next().and_then(parse_number) {
        tids.push(tid);
        line = line[line.find(char::is_whitespace).unwrap_or(line.len())..].trim_start();
    }
    let all = line.strip_prefix("all").filter(|rest| rest.starts_with(char::is_whitespace));
    match (tids.is_empty(), all) {
        (true, Some(line)) => Ok(Command::Apply { tids: None, line: line.trim().to_owned() }),
        (false, None) if !line.is_empty() => Ok(Command::Apply { tids: Some(tids), line: line.to_owned() }),
        _ => Err(words.usage("`apply` wants threads, by their numbers or `all`, and a command")),
    }
}

/// `N [CONDITION]`: without one, the point has none from now on.
pub(super) fn condition(words: &Words<'_>) -> Result<Command, String> {
    let id = words.number(0)?.ok_or_else(|| words.usage("a number is missing"))?;
    let text = words.rest.split_once(char::is_whitespace).map_or("", |(_, text)| text.trim());
    let text = text.strip_prefix("if ").unwrap_or(text);
    let condition = if text.is_empty() { None } else { Some(Condition::parse(text)?) };
    Ok(Command::Stop(StopCommand::Condition { id, condition }))
}

pub(super) fn ignore(words: &Words<'_>) -> Result<Command, String> {
    words.at_most(2)?;
    match (words.number(0)?, words.number(1)?) {
        (Some(id), Some(count)) => Ok(Command::Stop(StopCommand::Ignore { id, count })),
        _ => Err(words.usage("a number is missing")),
    }
}

/// `[/[COUNT][FORMAT][SIZE]] EXPR`, or nothing for the list.
pub(super) fn display(words: &Words<'_>) -> Result<Command, String> {
    if words.rest.is_empty() {
        return Ok(Command::Display(None));
    }
    let (shown, expression) = parse_display(words.rest).map_err(|e| words.usage(&e))?;
    let expression =
        expression.ok_or_else(|| words.usage("a variable, an address or a $register is missing"))?;
    Ok(Command::Display(Some((words.rest.to_owned(), shown, expression))))
}

pub(super) fn examine(words: &Words<'_>) -> Result<Command, String> {
    let (examine, address) = parse_examine(words.rest).map_err(|e| words.usage(&e))?;
    Ok(Command::Examine(examine, address))
}

/// `[full] [N|-N]`
pub(super) fn backtrace(words: &Words<'_>) -> Result<Command, String> {
    let is_full = |word: &&str| matches!(*word, "full" | "-full");
    let others: Vec<&str> = words.words.iter().filter(|word| !is_full(word)).copied().collect();
    let (is_full, others) = (words.words.iter().any(is_full), others.join(" "));
    let words = Words::new(words.entry, &others);
    let outermost =
        words.rest.strip_prefix('-').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let most =
        outermost.map_or_else(|| words.only_number(), |rest| Words::new(words.entry, rest).only_number())?;
    Ok(Command::Backtrace { most, is_outermost: outermost.is_some(), is_full })
}

pub(super) fn disassemble(words: &Words<'_>) -> Result<Command, String> {
    if let Some((flag, _)) = words.rest.strip_prefix('/').map(|rest| rest.split_at(rest.len().min(1))) {
        let here = if flag == "r" {
            "`x/8xw ADDR` shows the bytes"
        } else {
            "`list ADDR` shows the source of an instruction"
        };
        return Err(words.usage(&format!("there is no `/{flag}` here: {here}")));
    }
    let (at, rest) = words.first_address().map_err(|why| match words.rest.split_once(',') {
        Some((at, _)) => {
            format!("no range is disassembled: `disas {} 8` shows 8 instructions from there on", at.trim())
        }
        None => why,
    })?;
    Ok(Command::Disas { at, count: rest.only_number()? })
}

pub(super) fn print(words: &Words<'_>) -> Result<Command, String> {
    let (format, expression) = parse_print(words.rest).map_err(|e| words.usage(&e))?;
    let expression = expression.ok_or_else(|| words.usage("a name is missing"))?;
    Ok(Command::Print(expression, format))
}

pub(super) fn define(words: &Words<'_>) -> Result<Command, String> {
    if words.rest.is_empty() {
        return Err(words.usage("a name is missing"));
    }
    Expression::parse_type(words.rest).map(Command::Define).map_err(|e| words.usage(&e))
}

/// `[SIGNAL stop|nostop]`
pub(super) fn handle(words: &Words<'_>) -> Result<Command, String> {
    words.at_most(2)?;
    let Some(name) = words.get(0) else { return Ok(Command::Stop(StopCommand::Handle(None))) };
    let stops = match words.get(1) {
        Some("stop") => true,
        Some("nostop") => false,
        _ => return Err(words.usage("`stop` or `nostop` is missing")),
    };
    Ok(Command::Stop(StopCommand::Handle(Some((name.to_owned(), stops)))))
}

/// `[N]`; gdb's `info frame` shows the one that is looked at.
pub(super) fn frame(words: &Words<'_>) -> Result<Command, String> {
    Ok(Command::Frame(words.only_number()?.map_or(FrameChoice::Shown, FrameChoice::Number)))
}

/// `FIRST,LAST`, of lines.
fn lines(text: &str) -> Option<(u32, u32)> {
    // `10,+3` is no range of two lines.
    let (first, last) = text.split_once(',').filter(|_| !text.contains('+'))?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// What stands before and behind a comma that stands in no brackets.
fn around_comma(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    let at = text.char_indices().find_map(|(at, c)| {
        depth += i32::from(matches!(c, '(' | '<')) - i32::from(matches!(c, ')' | '>'));
        (c == ',' && depth == 0).then_some(at)
    })?;
    Some((text[..at].trim(), text[at + 1..].trim()))
}

pub(super) fn list(words: &Words<'_>) -> Result<Command, String> {
    // gdb takes blanks around the comma.
    let joined: String = words.words.concat();
    if let Some((first, last)) = lines(&joined) {
        if first > last {
            return Err(words.usage(&format!("`{joined}` ends before it begins")));
        }
        return Ok(Command::List(Listing::Lines(first, last)));
    }
    if let Some((first, last)) = around_comma(words.rest) {
        let first = if first.is_empty() { None } else { Some(words.parsed(first)?) };
        let behind = last.strip_prefix('+').and_then(|lines| lines.trim().parse().ok());
        let last = match (behind, last) {
            (Some(lines), _) => Some(ListEnd::Behind(lines)),
            (None, "") => None,
            (None, place) => Some(ListEnd::Place(words.parsed(place)?)),
        };
        if first.is_none() && !matches!(last, Some(ListEnd::Place(_))) {
            return Err(words.usage("a place is missing"));
        }
        return Ok(Command::List(Listing::Range(first, last)));
    }
    Ok(Command::List(match words.rest {
        "" => Listing::On,
        "-" => Listing::Back,
        "+" => Listing::On,
        text if line_offset(text).is_some() => Listing::By(line_offset(text).unwrap_or(0)),
        text => match text.parse() {
            Ok(line) => Listing::Line(line),
            Err(_) => Listing::Place(words.needed_address()?),
        },
    }))
}

/// `[SLOT [COUNT]|all]`.
pub(super) fn swap(words: &Words<'_>) -> Result<Command, String> {
    if words.get(0) == Some("all") {
        return words.at_most(1).map(|()| Command::Swap { from: 0, most: Some(u64::MAX) });
    }
    words.at_most(2)?;
    Ok(Command::Swap { from: words.number(0)?.unwrap_or(0), most: words.number(1)? })
}

pub(super) fn expect(words: &Words<'_>) -> Result<Command, String> {
    match words.rest {
        "" => Err(words.usage("a text is missing")),
        text => Ok(Command::Expect(text.to_owned())),
    }
}

/// Does what the entry does that gdb calls so: by the first subject of the table that begins so, unless other debuggers mean
/// something else by the very word.
pub(super) fn info(words: &Words<'_>) -> Result<Command, String> {
    let Some(what) = words.get(0) else {
        let subjects: Vec<&str> = info_subjects().map(|(subject, _)| subject).collect();
        return Err(words.usage(&format!("WHAT is one of {}", subjects.join(", "))));
    };
    match (what, words.words.len()) {
        ("source", 1) => return Ok(Command::List(Listing::File)),
        ("all-registers" | "all", 1) => return Ok(Command::Regs(RegisterSet::All)),
        _ => {}
    }
    let begins = |subject: &str| subject.split(' ').next().is_some_and(|first| first.starts_with(what));
    let subjects = || info_subjects().filter(|(subject, _)| begins(subject));
    let exact = subjects().find(|(subject, _)| subject.split(' ').next() == Some(what));
    let found = match foreign::info(what) {
        Some(here) if exact.is_none() => return Err(format!("there is no `info {what}`: {here}")),
        _ => exact.or_else(|| subjects().next()),
    };
    let Some((subject, entry)) = found else {
        return Err(format!("there is no `info {what}`; `help` lists the commands"));
    };
    let said =
        subject.split(' ').zip(&words.words).take_while(|(part, word)| part.starts_with(**word)).count();
    let rest = words.words[said..].join(" ");
    (entry.parse)(&Words::new(entry, &rest))
}
