//! The results as text: each failure with all that is known of it, then a line for each suite.

use super::find::Found;
use super::outcome::{Failure, Outcome};
use crate::cli::args::TestArgs;
use crate::cli::report::grouped;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Lines of a failed test's output that are shown.
const CONSOLE_LINES: usize = 20;
const TOTAL: &str = "total";

/// Everything there is to tell.
pub struct Report<'a> {
    pub args: &'a TestArgs,
    pub found: &'a Found,
    /// By index; tests that Ctrl-C has cut off are missing.
    pub outcomes: &'a [Outcome],
    /// How long all of it took.
    pub elapsed: Duration,
}

/// What is counted for a suite, and for all.
#[derive(Clone, Copy, Default)]
pub struct Sum {
    pub passed: usize,
    pub failed: usize,
    pub instructions: u64,
    pub elapsed: Duration,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        let failed = outcome.failure.is_some();
        self.passed += usize::from(!failed);
        self.failed += usize::from(failed);
        self.instructions += outcome.instructions;
        self.elapsed += outcome.elapsed;
    }
}

impl Report<'_> {
    /// The suites by name, and all tests.
    pub fn sums(&self) -> (BTreeMap<&str, Sum>, Sum) {
        let (mut suites, mut all) = (BTreeMap::<&str, Sum>::new(), Sum::default());
        for outcome in self.outcomes {
            suites.entry(&self.found.tests[outcome.index].suite).or_default().add(outcome);
            all.add(outcome);
        }
        (suites, all)
    }

    /// What is printed.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for outcome in self.outcomes {
            let label = self.found.tests[outcome.index].label.display();
            match &outcome.failure {
                Some(failure) => {
                    let _ = writeln!(text, "FAIL  {label}: {}", sentence(failure));
                    details(&mut text, failure, &outcome.console);
                }
                None if self.args.verbose => {
                    let instructions = grouped(outcome.instructions);
                    let _ = writeln!(text, "pass  {label}  ({instructions} instructions)");
                }
                None => {}
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        self.table(&mut text);
        self.notes(&mut text);
        text
    }

    fn table(&self, text: &mut String) {
        let (suites, all) = self.sums();
        let width = suites.keys().map(|name| name.chars().count()).chain([TOTAL.len()]).max().unwrap_or(0);
        let mut row = |name: &str, [passed, failed, instructions, time]: [String; 4]| {
            let _ = writeln!(text, "{name:<width$}  {passed:>6}  {failed:>6}  {instructions:>15}  {time:>9}");
        };
        row("suite", ["passed", "failed", "instructions", "time"].map(String::from));
        let cells = |sum: &Sum, time: Duration| {
            [sum.passed.to_string(), sum.failed.to_string(), grouped(sum.instructions), seconds(time)]
        };
        for (name, sum) in &suites {
            row(name, cells(sum, sum.elapsed));
        }
        row(TOTAL, cells(&all, self.elapsed));
        let _ = writeln!(text, "\n{} passed, {} failed", all.passed, all.failed);
    }

    fn notes(&self, text: &mut String) {
        let skipped = &self.found.skipped;
        if skipped.total() > 0 {
            let _ = writeln!(text, "{skipped}");
        }
        let unsigned = self.outcomes.iter().filter(|outcome| !outcome.has_signature).count();
        if self.args.signature_dir.is_some() && unsigned > 0 {
            let why = "no begin_signature and end_signature, so no signature written";
            let _ = writeln!(text, "{why}: {unsigned}");
        }
    }
}

/// Why and where, in one line.
pub fn sentence(failure: &Failure) -> String {
    match &failure.place {
        Some(place) => format!("{} at {place}", failure.reason),
        None => failure.reason.clone(),
    }
}

/// What else is known, indented below the sentence.
pub fn details(text: &mut String, failure: &Failure, console: &[u8]) {
    if let Some(trap) = &failure.trap {
        let _ = writeln!(text, "      last trap: {trap}");
    }
    let console = String::from_utf8_lossy(console);
    let lines: Vec<&str> = console.lines().collect();
    for line in &lines[lines.len().saturating_sub(CONSOLE_LINES)..] {
        let _ = writeln!(text, "      printed: {}", line.escape_debug());
    }
    for line in &failure.tail {
        let _ = writeln!(text, "      {line}");
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
