//! What the Tab key completes: commands, and for each argument what the table says may stand there.

use super::command::{Completes, Faults, OCCASIONS, commands, info_subjects, meant};
use super::condition;
use super::execute::Debugger;
use super::registers::{PRIV, SHOWN_CSRS};
use crate::source::ProgramFile;
use crate::trace::CRASHES;
use isa::reg::{F_NAMES, X_NAMES};
use std::rc::Rc;

/// What ends a word, beside white space.
const BETWEEN_WORDS: &[char] = &['&', '|', '(', ')', '!', '=', '<', '>', '+', '*'];

/// The words before the names of structures and the like.
const TAGS: [&str; 4] = ["struct", "union", "enum", "class"];

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
        // `struct node` is one name of two words, and so is `proc mappings`.
        if entry.names[0] == "ptype" && index == 1 && TAGS.contains(&said[0]) {
            let (tag, names) =
                (format!("{} ", said[0]), self.types_beginning(&format!("{} {word}", said[0])));
            return names.iter().filter_map(|name| name.strip_prefix(&tag)).map(str::to_owned).collect();
        }
        if entry.names[0] == "info" && index > 0 {
            let before = said.join(" ") + " ";
            let behind = info_subjects().filter_map(|(subject, _)| subject.strip_prefix(&before));
            return Self::beginning(behind.filter_map(|rest| rest.split(' ').next()), word);
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
            Completes::Places if entry.names[0] == "ptype" && !word.is_empty() => {
                let mut found = self.places_beginning(word);
                found.extend(self.types_beginning(word).into_iter().filter(|name| !name.contains(' ')));
                found.extend(TAGS.iter().filter(|tag| tag.starts_with(word)).map(|tag| (*tag).to_owned()));
                found.sort_unstable();
                found.dedup();
                found
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

    /// The names of types of the programs that begin so.
    fn types_beginning(&self, beginning: &str) -> Vec<String> {
        let files = self.programs().into_iter().map(|path| self.symbols.program(&path));
        let names = files.flat_map(|file| file.lines().map(|lines| lines.types_beginning(beginning)));
        let mut names: Vec<String> = names.flatten().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The functions of a file of the source that begin so; behind a digit its lines that have code.
    fn of_file_beginning(&self, source: &str, beginning: &str) -> Vec<String> {
        let files = self.programs().into_iter().map(|path| self.symbols.program(&path));
        let is_line = beginning.starts_with(|c: char| c.is_ascii_digit());
        let of = |file: Rc<ProgramFile>| match file.lines() {
            Some(lines) if is_line => lines.lines_of(source).iter().map(u32::to_string).collect(),
            _ => file.functions_of_file(source),
        };
        let mut names: Vec<String> = files.flat_map(of).filter(|name| name.starts_with(beginning)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A register, or a symbol: of a process, of the kernel, or of the programs that run and the one that will first.
    fn places_beginning(&mut self, word: &str) -> Vec<String> {
        if let Some(register) = word.strip_prefix('$') {
            let csrs: Vec<String> = SHOWN_CSRS.iter().map(|csr| csr.to_string()).collect();
            let names = X_NAMES.into_iter().chain(F_NAMES).chain(["pc", "fault", PRIV]);
            let names = Self::beginning(names.chain(csrs.iter().map(String::as_str)), register);
            return names.into_iter().map(|name| format!("${name}")).collect();
        }
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        if let Some((owner, name)) = word.split_once(':').filter(|(_, name)| !name.starts_with(':')) {
            let symbols = match owner.parse().ok().and_then(|pid| guest.process(pid)) {
                Some(process) => self.symbols.beginning_with(&process.program, name),
                None if owner == "kernel" => self.symbols.kernel.symbols().beginning_with(name),
                None => {
                    drop(tap);
                    self.of_file_beginning(owner, name)
                }
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
