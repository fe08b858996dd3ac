//! What the Tab key completes: commands, and for each argument what the table says may stand there.

use super::command::{Completes, Faults, OCCASIONS, commands, info_subjects, meant};
use super::condition;
use super::execute::Debugger;
use super::registers::SHOWN_CSRS;
use crate::trace::CRASHES;
use isa::reg::{F_NAMES, X_NAMES};

/// What ends a word, beside white space.
const BETWEEN_WORDS: &[char] = &['&', '|', '(', ')', '!', '=', '<', '>', '+', '*'];

impl Debugger {
    /// Where the word begins that ends at `pos`.
    pub fn word_start(line: &str, pos: usize) -> usize {
        let before = &line[..pos];
        let is_end = |c: char| c.is_whitespace() || BETWEEN_WORDS.contains(&c);
        before.rfind(is_end).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8))
    }

    /// What the word may be that ends at `pos`, in the order of the alphabet. Nothing is changed but what is known of programs' symbols.
    pub fn complete(&mut self, line: &str, pos: usize) -> Vec<String> {
        let start = Self::word_start(line, pos);
        let word = &line[start..pos];
        let is_in_condition = line[..start].split_whitespace().any(|word| word == "if");
        let mut before = line[..start].split_whitespace();
        let Some(command) = before.next() else { return Self::beginning(commands_by_name(), word) };
        // A format stands at the command itself: `x/4x`.
        let name = command.split('/').next().unwrap_or_default();
        let Ok(entry) = meant(name) else { return Vec::new() };
        let said: Vec<&str> = before.collect();
        let index = said.len();
        let takes_places = entry.completes.contains(&Completes::Places) || entry.names[0] == "condition";
        if takes_places && let Some((at, members)) = self.members_beginning(&line[..pos]) {
            // Behind `.` the word begins before the structure, behind `->` it does not.
            let structure = line.get(start..at).unwrap_or_default();
            return members.into_iter().map(|member| format!("{structure}{member}")).collect();
        }
        if is_in_condition || entry.names[0] == "condition" && index > 0 {
            let mut found = Self::beginning(condition::words(), word);
            found.extend(self.places_beginning(word));
            return found;
        }
        if entry.names[0] == "catch"
            && let Some(occasion) = said.first().filter(|occasion| **occasion != "fault")
        {
            return match *occasion {
                "syscall" if index == 1 => Self::beginning(self.calls.iter().map(|(_, name)| *name), word),
                "signal" if index == 1 => Self::beginning(self.signals.iter().map(|(_, name)| *name), word),
                _ => Vec::new(),
            };
        }
        let Some(what) = entry.completes.get(index).or(entry.completes.last()) else { return Vec::new() };
        match what {
            Completes::Words(words) => Self::beginning(words.iter().copied(), word),
            Completes::Commands => Self::beginning(commands_by_name(), word),
            Completes::Info => {
                Self::beginning(info_subjects().filter_map(|(s, _)| s.split(' ').next()), word)
            }
            Completes::Crashes => Self::beginning(CRASHES.iter().map(|(_, name)| *name), word),
            Completes::Faults => Self::beginning(Faults::names(), word),
            Completes::Processes | Completes::Threads => {
                let tap = self.tap.borrow();
                let living = tap.trace().guest.processes().filter(|process| process.is_alive());
                let numbers: Vec<String> = match what {
                    Completes::Processes => living.map(|process| process.pid.to_string()).collect(),
                    _ => living.flat_map(|process| &process.threads).map(u64::to_string).collect(),
                };
                Self::beginning(numbers.iter().map(String::as_str), word)
            }
            Completes::Points => {
                let numbers: Vec<String> = self.points.iter().map(|point| point.id.to_string()).collect();
                Self::beginning(numbers.iter().map(String::as_str), word)
            }
            Completes::Occasions => {
                let calls: Vec<String> =
                    self.calls.iter().map(|(_, name)| format!("syscall:{name}")).collect();
                // Every call of Linux's only where it is calls that are asked for.
                let calls = calls.iter().map(String::as_str).filter(|_| word.starts_with("syscall"));
                Self::beginning(OCCASIONS.iter().copied().chain(calls), word)
            }
            Completes::Places => self.places_beginning(word),
            Completes::Nothing => Vec::new(),
        }
    }

    fn beginning<'a>(names: impl Iterator<Item = &'a str>, word: &str) -> Vec<String> {
        let mut found: Vec<String> = names.filter(|name| name.starts_with(word)).map(str::to_owned).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A register, or a symbol: of a process, of the kernel, or of the programs that run and the one that will first.
    fn places_beginning(&mut self, word: &str) -> Vec<String> {
        if let Some(register) = word.strip_prefix('$') {
            let csrs: Vec<String> = SHOWN_CSRS.iter().map(|csr| csr.to_string()).collect();
            let names = X_NAMES.into_iter().chain(F_NAMES).chain(["pc", "fault"]);
            let names = Self::beginning(names.chain(csrs.iter().map(String::as_str)), register);
            return names.into_iter().map(|name| format!("${name}")).collect();
        }
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        if let Some((owner, name)) = word.split_once(':').filter(|(_, name)| !name.starts_with(':')) {
            let symbols = match owner.parse().ok().and_then(|pid| guest.process(pid)) {
                Some(process) => self.symbols.beginning_with(&process.program, name),
                None if owner == "kernel" => self.symbols.kernel.symbols().beginning_with(name),
                None => Vec::new(),
            };
            return symbols.into_iter().map(|symbol| format!("{owner}:{symbol}")).collect();
        }
        // Every name of a program would be too many to look at.
        if word.is_empty() {
            return Vec::new();
        }
        let paths = self.programs();
        let mut found: Vec<String> =
            paths.iter().flat_map(|path| self.symbols.beginning_with(path, word)).collect();
        found.extend(["kernel:"].into_iter().filter(|name| name.starts_with(word)).map(str::to_owned));
        // A line of a source file is a place, too: by the file's name, without its folders.
        for file in paths.iter().map(|path| self.symbols.program(path)) {
            let names = file.lines().into_iter().flat_map(|lines| lines.files());
            let names = names.map(|name| name.rsplit('/').next().unwrap_or(name));
            found.extend(names.filter(|name| name.starts_with(word)).map(|name| format!("{name}:")));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn commands_by_name() -> impl Iterator<Item = &'static str> {
    commands().map(|entry| entry.names[0])
}
