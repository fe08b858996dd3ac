//! The results as JSON; docs/json.md is the schema.

use super::outcome::{Failure, LastTrap, Place};
use super::table::{Report, Sum};
use serde_json::{Value, json};

/// Version of the schema. Fields may be added without raising it.
const SCHEMA_VERSION: u32 = 1;

/// The JSON object.
pub fn results(report: &Report<'_>, exit: u8) -> Value {
    let (suites, all) = report.sums();
    let suites: Vec<Value> = suites
        .iter()
        .map(|(name, sum)| {
            let mut suite = counts(sum);
            suite["name"] = json!(name);
            suite
        })
        .collect();
    let tests: Vec<Value> = report
        .outcomes
        .iter()
        .map(|outcome| {
            let test = &report.found.tests[outcome.index];
            let mut object = json!({
                "file": test.path.display().to_string(),
                "name": test.name,
                "suite": test.suite,
                "passed": outcome.failure.is_none(),
                "reason": outcome.failure.as_ref().map(|failure| &failure.reason),
                "instructions": outcome.instructions,
                "steps": outcome.steps,
                "seconds": outcome.elapsed.as_secs_f64(),
            });
            if let Some(failure) = &outcome.failure {
                describe(&mut object, failure, &outcome.console);
            }
            object
        })
        .collect();
    json!({
        "version": SCHEMA_VERSION,
        "exit": exit,
        "total": counts(&all),
        "seconds": report.elapsed.as_secs_f64(),
        "skipped_files": report.found.skipped.total(),
        "suites": suites,
        "tests": tests,
    })
}

fn counts(sum: &Sum) -> Value {
    json!({
        "passed": sum.passed,
        "failed": sum.failed,
        "instructions": sum.instructions,
        "seconds": sum.elapsed.as_secs_f64(),
    })
}

/// What is known of a failure; what is not is left out.
fn describe(object: &mut Value, failure: &Failure, console: &[u8]) {
    if let Some(case) = failure.case {
        object["case"] = json!(case);
    }
    if let Some(place) = &failure.place {
        put_place(object, place);
    }
    if let Some(LastTrap { cause, place, tval, from, .. }) = &failure.trap {
        let mut trap = json!({"cause": cause, "tval": hex(*tval), "from": from.letter().to_string()});
        put_place(&mut trap, place);
        object["trap"] = trap;
    }
    if !failure.tail.is_empty() {
        object["tail"] = json!(failure.tail);
    }
    if !console.is_empty() {
        object["console"] = json!(String::from_utf8_lossy(console));
    }
}

fn put_place(object: &mut Value, place: &Place) {
    object["pc"] = json!(hex(place.pc));
    if let Some(symbol) = &place.symbol {
        object["symbol"] = json!(symbol);
    }
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}
