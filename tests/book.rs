//! The chapters of the book that walk through the code: what they name is there, and what they count is what the commands that they show print.
//!
//! `FOLIO_BLESS=1 cargo test -p folio-emu --test book` writes the consoles of the chapters anew; numbers in their text are then to be mended by hand.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/console.rs"]
mod console;
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::root;

const CHAPTERS: [&str; 3] = ["reverse-maps", "replacement", "swap"];

fn chapter(name: &str) -> PathBuf {
    root().join("docs/book").join(format!("{name}.md"))
}

/// The text without what stands between lines of three backticks.
fn without_blocks(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The pieces of a paragraph's text: outside of backticks, and within.
fn outside_and_within(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut outside, mut within) = (Vec::new(), Vec::new());
    for (number, piece) in text.split('`').enumerate() {
        if number % 2 == 0 { outside.push(piece) } else { within.push(piece) }
    }
    (outside, within)
}

/// The numbers of a text, with their commas, but not those that are a part of a word.
fn numbers(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == ','));
    let words = words.map(|word| word.trim_matches(','));
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(|word| word.replace(',', ""))
        .collect()
}

#[test]
fn what_is_counted_is_printed_by_a_command_shown() {
    for name in CHAPTERS {
        let shown = numbers(&console::check(&chapter(name)));
        // As the consoles are by now.
        let text = without_blocks(&std::fs::read_to_string(chapter(name)).unwrap());
        let (outside, _) = outside_and_within(&text);
        // Where a link leads is no text.
        let plain: String =
            outside
                .iter()
                .map(|piece| {
                    piece
                        .split("](")
                        .enumerate()
                        .map(|(number, part)| {
                            if number == 0 {
                                part
                            } else {
                                part.split_once(')').map_or(part, |(_, rest)| rest)
                            }
                        })
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
        let unfounded: Vec<String> = numbers(&plain).difference(&shown).cloned().collect();
        assert!(unfounded.is_empty(), "{name}.md counts {unfounded:?}, and no command that it shows says so");
    }
}

/// Whether a source file declares something of this name.
fn declares(source: &str, name: &str) -> bool {
    const KEYWORDS: [&str; 9] =
        ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "macro_rules!"];
    source.lines().any(|line| {
        let words: Vec<&str> = line.trim_start().split(' ').collect();
        let is_name = |word: &str| {
            word.strip_prefix(name)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let is_declared = words.windows(2).any(|pair| KEYWORDS.contains(&pair[0]) && is_name(pair[1]));
        // Variants, and fields.
        let first = words.iter().find(|&&word| word != "pub").copied().unwrap_or_default();
        is_declared
            || is_name(first) && first[name.len()..].trim_start_matches(['(', ':', ',']).len() < first.len()
            || is_name(first) && words.last() == Some(&"{")
    })
}

#[test]
fn what_is_named_is_there() {
    let sources = all_sources();
    for name in CHAPTERS {
        let text = without_blocks(&std::fs::read_to_string(chapter(name)).unwrap());
        let mut links = 0;
        // Each piece ends before where its link leads.
        let pieces: Vec<&str> = text.split("](").collect();
        for pair in pieces.windows(2) {
            let shown = pair[0].rsplit_once('[').unwrap().1;
            let leads_to = pair[1].split_once(')').unwrap().0;
            let file = root().join("docs/book").join(leads_to);
            assert!(file.exists(), "{name}.md leads to {leads_to}, which is not there");
            if leads_to.ends_with(".rs") && !shown.ends_with(".rs`") {
                let named = shown.trim_matches('`').rsplit("::").next().unwrap();
                let source = std::fs::read_to_string(&file).unwrap();
                assert!(declares(&source, named), "{name}.md: {leads_to} does not declare {shown}");
                links += 1;
            }
        }
        assert!(links >= 10, "{name}.md shows too little of the code");
        let is_identifier = |word: &&str| {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            word.contains(['_', ':']) && word.chars().all(is_part)
        };
        for word in outside_and_within(&text).1.into_iter().filter(is_identifier) {
            let last = word.rsplit("::").next().unwrap();
            assert!(sources.contains(last), "{name}.md names {word}, which no source file has");
        }
    }
}

/// All words of the sources of guest and emulator.
fn all_sources() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for folder in ["guest-os", "emulator", "programs"] {
        add_words(&root().join(folder), &mut words);
    }
    words
}

fn add_words(path: &Path, words: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            add_words(&entry, words);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&entry).unwrap();
            words.extend(source.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_string));
        }
    }
}
