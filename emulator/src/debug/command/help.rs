//! What `help` says, and the table of commands in `docs/debugger.md`: both are made of the table.

use super::foreign;
use super::near::nearest;
use super::table::{Entry, GROUPS, commands, find, info_subjects};
use std::fmt::Write;

/// Letters of a line of the list before what a command does.
const COLUMN: usize = 37;

/// The list of commands, a line each, by groups.
pub(in crate::debug) fn help() -> String {
    help_without(&|_| false)
}

/// The list of commands without some, and without groups that are left with none.
pub fn help_without(is_left_out: &dyn Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for (title, entries) in GROUPS {
        let entries: Vec<&Entry> = entries.iter().filter(|entry| !is_left_out(entry.names[0])).collect();
        if entries.is_empty() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}:");
        for entry in entries {
            let usage = usage(entry);
            let between = if usage.len() > COLUMN { format!("\n  {:COLUMN$} ", "") } else { " ".to_owned() };
            let _ = writeln!(text, "  {usage:<COLUMN$}{between}{}", summary(entry));
        }
    }
    text
}

/// One command in full.
pub(in crate::debug) fn help_on(name: &str) -> Result<String, String> {
    let entry = meant(name)?;
    let mut text = usage(entry);
    if entry.names.len() > 1 {
        let _ = write!(text, "  (also {})", entry.names[1..].join(", "));
    }
    text.push('\n');
    for line in entry.help.lines() {
        let _ = writeln!(text, "  {line}");
    }
    if !entry.gdb.is_empty() {
        let _ = writeln!(text, "  In gdb: {}", entry.gdb.join(", "));
    }
    Ok(text)
}

/// The table of commands as a page of Markdown has it.
pub fn page() -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    let code = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.replace('|', "\\|"))).collect();
        words.join(", ")
    };
    let mut text = String::new();
    for (title, entries) in GROUPS {
        let _ = writeln!(text, "| to {title} | also | in gdb | |\n|---|---|---|---|");
        for entry in *entries {
            let (usage, also) = (code(&[&usage(entry)]), code(&entry.names[1..]));
            let _ = writeln!(text, "| {usage} | {also} | {} | {} |", code(entry.gdb), cell(summary(entry)));
        }
        text.push('\n');
    }
    text
}

/// A command's name and arguments.
pub(super) fn usage(entry: &Entry) -> String {
    let usage = format!("{} {}", entry.names[0], entry.arguments);
    usage.replacen(" /", "/", 1).trim_end().to_owned()
}

fn summary(entry: &Entry) -> &'static str {
    entry.help.lines().next().unwrap_or_default()
}

/// The entry that a word means: by a name of its, or by what names of no other begin with; of `step` and `stepi` the shorter.
pub(in crate::debug) fn meant(word: &str) -> Result<&'static Entry, String> {
    meant_without(word, &|_| false)
}

/// The same where some commands are not proposed for a word that is none.
pub fn meant_without(word: &str, is_left_out: &dyn Fn(&str) -> bool) -> Result<&'static Entry, String> {
    if let Some(entry) = find(word) {
        return Ok(entry);
    }
    if word.is_empty() || foreign::command(word).is_some() {
        return Err(unknown(word, is_left_out));
    }
    let shortest = |entry: &'static Entry| {
        let names = entry.names.iter().copied().filter(|name| name.starts_with(word));
        Some((names.min_by_key(|name| name.len())?, entry))
    };
    let mut begin: Vec<_> = commands().filter_map(shortest).collect();
    begin.sort_by_key(|(name, _)| name.len());
    match begin.split_first() {
        None => Err(unknown(word, is_left_out)),
        Some(((name, entry), rest)) if rest.iter().all(|(other, _)| other.starts_with(name)) => Ok(entry),
        Some(_) => {
            let names: Vec<String> = begin.iter().map(|(name, _)| format!("`{name}`")).collect();
            Err(format!("`{word}` is the beginning of several commands: {}", names.join(", ")))
        }
    }
}

/// One line for a word that is no command.
fn unknown(word: &str, is_left_out: &dyn Fn(&str) -> bool) -> String {
    /// A word this short begins too many others.
    const SHORT: usize = 3;
    let no = format!("there is no command `{word}`");
    if let Some(here) = foreign::command(word) {
        return format!("{no}: {here}");
    }
    if let Some((subject, entry)) =
        info_subjects().find(|(subject, _)| subject.split(' ').next() == Some(word))
    {
        return format!("{no}; did you mean `{}` (gdb's `info {subject}`)?", entry.names[0]);
    }
    let proposed = commands().filter(|entry| !is_left_out(entry.names[0]));
    let names = proposed.flat_map(|entry| entry.names).copied().filter(|name| name.len() > 1);
    if let Some(name) = nearest(word, names) {
        return format!("{no}; did you mean `{name}`? (`help` lists them)");
    }
    let others = || foreign::words().filter(|other| other.len() >= SHORT);
    let begins = || others().find(|other| word.len() >= SHORT && other.starts_with(word));
    match begins().or_else(|| nearest(word, others())) {
        Some(other) => format!("{no}; of `{other}`: {}", foreign::command(other).unwrap_or_default()),
        None => format!("{no}; `help` lists them"),
    }
}
