//! The `folio` command: raw flags (`args`), then a validated plan, then work, one file a subcommand.
//!
//! Errors of the user's are one message that says what, where and what to try, with exit status 125; nothing of
//! Folio's goes to standard output while a guest runs.

/// A line to standard error. What cannot be told there is lost: nobody reads it any more.
macro_rules! tell {
    ($($what:tt)*) => { $crate::cli::tell_text(&format!("{}\n", format_args!($($what)*))) };
}

mod args;
mod bind;
mod boot;
mod by_cause;
mod commit_file;
mod compare;
mod death;
mod debug;
mod disks;
mod drive;
mod files;
mod gdb;
mod output;
mod pace;
mod paging;
mod report;
mod run;
mod signals;
mod stdio;
mod strace;
mod terminal;
mod test;
mod tlb_by_process;
mod trace_file;
mod translations;
mod values;

use anyhow::Context;
use args::{Cli, Command};
use clap::Parser;
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Exit status when the fuel is spent or nothing can ever wake the machine or end its traps.
const STATUS_FUEL: u8 = 124;
/// Exit status when a command of the debugger's script fails.
const STATUS_SCRIPT: u8 = 1;
/// Exit status of every error of Folio's own.
const STATUS_ERROR: u8 = 125;
/// A run that came to a good end, but for a fence that is missing (`--check-translations`).
const STATUS_STALE: u8 = 1;

/// Text to standard error: see `tell`.
fn tell_text(text: &str) {
    use std::io::{IsTerminal, stderr};
    let is_raw = terminal::is_raw() && stderr().is_terminal();
    let text = if is_raw { Cow::from(text.replace('\n', "\r\n")) } else { Cow::from(text) };
    let _ = stderr().write_all(text.as_bytes());
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(args::with_long_ex(args::with_run(std::env::args_os()))) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; a failure to print is nobody's concern any more.
            let _ = error.print();
            if let Some(tip) = args::tip(&error) {
                tell!("\n{tip}");
            }
            return if error.use_stderr() { STATUS_ERROR.into() } else { ExitCode::SUCCESS };
        }
    };
    start_log();
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Debug(args) => run::run(&args::RunArgs { debug: true, ..args }),
        Command::Compare(args) => compare::compare(&args),
        Command::Boot(args) => boot::boot(&args),
        Command::Test(args) => test::test(&args),
        Command::Image(args) => files::image(&args),
        Command::Kernel(args) => files::kernel(&args),
    };
    match result {
        Ok(status) => status.into(),
        Err(error) => {
            tell!("folio: {error:#}");
            STATUS_ERROR.into()
        }
    }
}

/// Warnings and errors by default; `RUST_LOG` (for example `RUST_LOG=debug`) says otherwise.
fn start_log() {
    use std::io::Write;
    let environment = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::new()
        // It warns of packets that are answered as unknown.
        .filter_module("gdbstub", log::LevelFilter::Error)
        .parse_env(environment)
        .format(|out, record| match record.level() {
            log::Level::Error | log::Level::Warn => writeln!(out, "folio: {}", record.args()),
            level => writeln!(
                out,
                "folio: {}: {}: {}",
                level.as_str().to_lowercase(),
                record.target(),
                record.args()
            ),
        })
        .init();
}

/// Reads a file that the user named.
fn read_input(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
