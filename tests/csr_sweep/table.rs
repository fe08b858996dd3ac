//! The answers as text, a line for each register that a context can reach.

use isa::csr::Csr;
use std::fmt::Write;

use crate::program::Sweep;

/// Registers whose first value is Folio's own, or a count.
const VARIABLE: [Csr; 6] = [Csr::MARCHID, Csr::MCYCLE, Csr::MINSTRET, Csr::CYCLE, Csr::TIME, Csr::INSTRET];

/// A line is `context name: first value; pattern -> value, …`; `read-only` if no write is legal.
pub fn of(sweep: &Sweep, answers: &[u64]) -> String {
    let mut text = String::new();
    let mut answers = answers.iter().copied();
    for (context, csr, patterns) in &sweep.cases {
        let first = answers.next().expect("an answer for each case");
        let values: Vec<u64> = answers.by_ref().take(patterns.len()).collect();
        let illegal = answers.next().expect("an answer for each case");
        let writes = 2 * patterns.len() as u64;
        if illegal == writes + 1 {
            continue;
        }
        let first = if VARIABLE.contains(csr) { "varies".to_string() } else { format!("{first:#x}") };
        let _ = write!(text, "{} {csr}: {first}", context.name);
        if illegal == writes {
            text += "; read-only\n";
            continue;
        }
        assert_eq!(illegal, 0, "{} {csr}: some accesses are illegal and some not", context.name);
        for (pattern, value) in patterns.iter().zip(values) {
            let _ = write!(text, "; {pattern:x} -> {value:x}");
        }
        text.push('\n');
    }
    text
}
