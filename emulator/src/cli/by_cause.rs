//! `--stats --by`: page faults and frames by what caused them: functions, lines or files of the source, or mappings.

use super::args::ByArg;
use super::death;
use super::report::grouped;
use emulator::source::{Programs, Spot};
use emulator::trace::{Attribution, Cause, Tally};
use isa::events::EventKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Rows that are shown.
const SHOWN: usize = 30;

/// The kinds of a column.
const COLUMNS: [(&str, &[EventKind]); 5] = [
    ("zero", &[EventKind::Zero, EventKind::ZeroShared, EventKind::StackGrow]),
    ("file", &[EventKind::FileDisk, EventKind::FileCache, EventKind::FileCopy, EventKind::SharedMap]),
    ("cow", &[EventKind::CowCopy, EventKind::CowReuse]),
    ("swap", &[EventKind::SwapIn]),
    ("refused", &[EventKind::Protection, EventKind::Segv]),
];

/// What each cause has caused, those of most faults first.
pub struct ByCause {
    by: ByArg,
    rows: Vec<(String, Tally)>,
}

impl ByCause {
    /// Adds up what has one name.
    pub fn of(by: ByArg, attribution: &Attribution, programs: &Programs) -> Self {
        // Lines of the source come first: they are what was asked for.
        let mut rows: BTreeMap<(bool, String), Tally> = BTreeMap::new();
        for (cause, tally) in attribution.causes() {
            let (name, has_line) = name(by, cause, programs);
            rows.entry((by == ByArg::Line && !has_line, name)).or_default().add(tally);
        }
        let mut rows: Vec<((bool, String), Tally)> = rows.into_iter().collect();
        rows.sort_by(|((is_last, a), x), ((is_later, b), y)| {
            (is_last, y.faults(), a).cmp(&(is_later, x.faults(), b))
        });
        Self { by, rows: rows.into_iter().map(|((_, name), tally)| (name, tally)).collect() }
    }

    /// The table for people: the first rows.
    pub fn table(&self) -> String {
        let mut text = format!("\n  {:>9} {:>9}", "faults", "from disk");
        // Writing to a String cannot fail.
        for (title, _) in COLUMNS {
            let _ = write!(text, " {title:>8}");
        }
        let _ = writeln!(text, " {:>8}  by {}", "frames", title(self.by));
        for (name, tally) in self.rows.iter().take(SHOWN) {
            let _ = write!(text, "  {:>9} {:>9}", grouped(tally.faults()), grouped(tally.from_disk));
            for (_, kinds) in COLUMNS {
                let _ = write!(text, " {:>8}", grouped(tally.count(kinds)));
            }
            let _ = writeln!(text, " {:>8}  {name}", grouped(tally.frames_peak));
        }
        if self.rows.len() > SHOWN {
            let rest = &self.rows[SHOWN..];
            let faults = rest.iter().map(|(_, tally)| tally.faults()).sum();
            let _ = writeln!(text, "  {:>9} by {} more", grouped(faults), rest.len());
        }
        text
    }

    /// All rows, for `--json`.
    pub fn to_json(&self) -> Value {
        let row = |(name, tally): &(String, Tally)| {
            let kinds = COLUMNS.iter().map(|(title, kinds)| ((*title).to_owned(), json!(tally.count(kinds))));
            json!({
                "name": name,
                "faults": tally.faults(),
                "from_disk": tally.from_disk,
                "kinds": kinds.collect::<Map<String, Value>>(),
                "frames_peak": tally.frames_peak,
            })
        };
        json!({"by": title(self.by), "rows": self.rows.iter().map(row).collect::<Vec<_>>()})
    }
}

fn title(by: ByArg) -> &'static str {
    match by {
        ByArg::Symbol => "function",
        ByArg::Line => "line",
        ByArg::File => "source file",
        ByArg::Vma => "mapping",
    }
}

/// What a cause is called in the table, and whether its line is known.
fn name(by: ByArg, cause: &Cause, programs: &Programs) -> (String, bool) {
    if by == ByArg::Vma {
        let what = if cause.mapping.is_empty() { "no mapping" } else { cause.mapping.trim_end() };
        return (format!("{what}, in {}", last(&cause.at.program)), false);
    }
    let copy = if cause.is_kernel_copy { ", by the kernel" } else { "" };
    let Spot { symbol, source } = death::spot_of(cause, programs);
    // Code without a symbol goes by its place in the program; in a library it is not told apart.
    let is_nameless = death::is_nameless(cause, programs);
    let symbol = symbol.filter(|_| !is_nameless || cause.at.library.is_none());
    let function = symbol
        .as_deref()
        .and_then(|symbol| if is_nameless { Some(symbol) } else { symbol.split('+').next() });
    let function = function.map(str::to_owned);
    let place = || match &cause.at.library {
        Some(library) => format!("? of {}", library.path),
        None => format!("{:#x}", cause.at.va.0),
    };
    let has_line = source.is_some();
    let what = match (by, source) {
        (ByArg::Line, Some(source)) => match &function {
            Some(function) => format!("{source} ({function})"),
            None => source.to_string(),
        },
        (ByArg::File, Some(source)) => source.file.to_string(),
        (ByArg::File, None) => format!("{} (lines not known)", last(cause.at.file())),
        _ => function.unwrap_or_else(place),
    };
    (format!("{what}{copy}"), has_line)
}

/// A file without its folders; before the first program there is none.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
