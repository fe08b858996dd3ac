//! `folio test`: bare-metal test programs, one or a whole suite, which report through `tohost` or the test finisher.
//!
//! `find` says which files are meant, `pool` runs them on threads of its own, `run` is one test on one machine, `observe`
//! runs a test that failed once more to see where, `signature` writes and compares signatures; `table`, `json` and
//! `junit` tell the results, always in the order in which the tests were given.

mod find;
mod json;
mod junit;
mod observe;
mod outcome;
mod pool;
mod run;
mod signature;
mod table;

use super::args::TestArgs;
use super::output;
use super::signals::Interrupted;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::time::Instant;

/// Runs the tests and tells the results; 0 only if all pass.
pub fn test(args: &TestArgs) -> Result<u8> {
    output::check(&[
        ("--json", args.json.as_deref()),
        ("--junit", args.junit.as_deref()),
        ("--signature", args.signature.as_deref()),
        ("--log-commits", args.machine.log_commits.as_deref()),
    ])?;
    let found = find::find(&args.tests)?;
    let count = found.tests.len();
    if args.signature.is_some() && count != 1 {
        bail!("--signature takes exactly one test, not {count}; --signature-dir takes many");
    }
    if args.machine.log_commits.is_some() && count != 1 {
        bail!("--log-commits takes exactly one test, not {count}");
    }
    if let Some(dir) = &args.compare_signatures
        && !dir.is_dir()
    {
        bail!("--compare-signatures: {} is no folder", dir.display());
    }
    if let Some(dir) = &args.signature_dir {
        output::create_folder(dir)?;
        if let Some(references) = &args.compare_signatures
            && dir.canonicalize().ok() == references.canonicalize().ok()
        {
            bail!(
                "--signature-dir and --compare-signatures are both given {}: the references would be lost",
                dir.display()
            );
        }
    }
    let interrupted = Interrupted::install();
    let started = Instant::now();
    let outcomes = pool::run_all(args, &found.tests, &interrupted)?;
    let report = table::Report { args, found: &found, outcomes: &outcomes, elapsed: started.elapsed() };
    let printed = std::io::stdout().write_all(report.text().as_bytes());
    printed.context("cannot write the results to standard output")?;
    let failed = outcomes.iter().any(|outcome| outcome.failure.is_some());
    let status = if interrupted.is_set() { interrupted.status() } else { u8::from(failed) };
    let json = args.json.as_deref();
    let json = json.map_or(Ok(()), |path| super::report::write_json(path, &json::results(&report, status)));
    let junit = args.junit.as_deref().map_or(Ok(()), |path| junit::write(&report, path));
    json.and(junit)?;
    if interrupted.is_set() {
        tell!("folio: interrupted; {} of {} tests have run", outcomes.len(), found.tests.len());
    }
    Ok(status)
}
