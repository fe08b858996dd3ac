//! Tests on several threads: each takes the next test that nobody has, the results come back in the order given.

use super::find::Test;
use super::outcome::{Failure, Outcome};
use super::run::Runner;
use crate::cli::args::TestArgs;
use crate::cli::signals::Interrupted;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

const BAR: &str = "{wide_bar} {pos}/{len}{failed}";

/// Runs all tests; those that Ctrl-C has cut off are missing. The first error of Folio's own ends the run.
pub fn run_all(args: &TestArgs, tests: &[Test], interrupted: &Interrupted) -> Result<Vec<Outcome>> {
    let jobs = args.jobs.map_or_else(host_cores, usize::from).min(tests.len());
    let runner = |live| Runner { args, interrupted, live };
    if let [test] = tests {
        // On this thread: a panic is told as any other command's would be.
        return Ok(runner(true).run(0, test)?.into_iter().collect());
    }
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                while let Some((index, test)) = take(next, tests) {
                    // Nobody listens any more once an error has ended the run.
                    if done.send(guarded(&runner(false), index, test)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        collect(results, tests)
    })
}

/// Without the receiver's last reference the threads end after the test they are at.
fn collect(results: mpsc::Receiver<Result<Option<Outcome>>>, tests: &[Test]) -> Result<Vec<Outcome>> {
    let failed = Arc::new(AtomicUsize::new(0));
    let bar = progress_bar(tests.len(), Arc::clone(&failed));
    let mut outcomes = Vec::with_capacity(tests.len());
    for result in results {
        let Some(outcome) = result? else { continue };
        failed.fetch_add(usize::from(outcome.failure.is_some()), Ordering::Relaxed);
        bar.inc(1);
        outcomes.push(outcome);
    }
    bar.finish_and_clear();
    outcomes.sort_by_key(|outcome| outcome.index);
    Ok(outcomes)
}

fn take<'a>(next: &AtomicUsize, tests: &'a [Test]) -> Option<(usize, &'a Test)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, tests.get(index)?))
}

/// One test must not take the others with it, even if it meets a bug of Folio's.
fn guarded(runner: &Runner<'_>, index: usize, test: &Test) -> Result<Option<Outcome>> {
    catch_unwind(AssertUnwindSafe(|| runner.run(index, test))).unwrap_or_else(|_| {
        let reason = "a bug of Folio's: the emulator panicked (its message is above)".to_string();
        let failure = Some(Failure { reason, ..Failure::default() });
        Ok(Some(Outcome { index, failure, ..Outcome::default() }))
    })
}

fn host_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// On a terminal only. Failures are part of what is drawn for each test, so that they are never ahead of it.
fn progress_bar(tests: usize, failed: Arc<AtomicUsize>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    let show_failed = move |_: &ProgressState, text: &mut dyn fmt::Write| match failed.load(Ordering::Relaxed)
    {
        0 => {}
        // A failure to draw it harms nothing.
        failed => drop(write!(text, ", {failed} failed")),
    };
    ProgressBar::new(tests as u64).with_style(style.with_key("failed", show_failed))
}
