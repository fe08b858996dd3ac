//! What `help` says, and the table of commands in `docs/debugger.md`: both are made of the table.

use super::foreign;
use super::near::nearest;
use super::table::{Entry, GROUPS, commands, find};
use std::fmt::Write;

/// Letters of a line of the list before what a command does.
const COLUMN: usize = 37;

/// The list of commands, a line each, by groups.
pub(in crate::debug) fn help() -> String {
    let mut text = String::new();
    for (title, entries) in GROUPS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}:");
        for entry in *entries {
            let usage = usage(entry);
            let between = if usage.len() > COLUMN { format!("\n  {:COLUMN$} ", "") } else { " ".to_owned() };
            let _ = writeln!(text, "  {usage:<COLUMN$}{between}{}", summary(entry));
        }
    }
    text
}

/// One command in full.
pub(in crate::debug) fn help_on(name: &str) -> Result<String, String> {
    let entry = find(name).ok_or_else(|| unknown(name))?;
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

/// One line for a word that is no command.
pub(super) fn unknown(word: &str) -> String {
    if let Some(here) = foreign::command(word) {
        return format!("there is no command `{word}`: {here}");
    }
    let names = commands().flat_map(|entry| entry.names).filter(|name| name.len() > 1);
    match nearest(word, names.copied()) {
        Some(name) => {
            format!("there is no command `{word}`; did you mean `{name}`? (`help` lists them)")
        }
        None => format!("there is no command `{word}`; `help` lists them"),
    }
}
