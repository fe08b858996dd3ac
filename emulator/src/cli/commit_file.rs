//! `--log-commits FILE`: the commit log of a run, into a file.

use super::output;
use anyhow::Result;
use emulator::exec::Observer;
use emulator::trace::CommitLog;
use std::fmt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Lines come in great numbers.
const BUFFER_BYTES: usize = 1 << 20;

/// A file as a writer of text that keeps its first failure.
struct LogFile {
    path: PathBuf,
    file: BufWriter<Box<dyn Write>>,
    failed: Option<std::io::Error>,
}

impl fmt::Write for LogFile {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.failed.is_some() {
            return Err(fmt::Error);
        }
        self.file.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

/// The commit log of a command, if one was asked for.
pub struct CommitFile(Option<CommitLog<LogFile>>);

impl CommitFile {
    /// A log that goes to `path`, or none.
    pub fn new(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = BufWriter::with_capacity(BUFFER_BYTES, output::create(path)?);
        Ok(Self(Some(CommitLog::new(LogFile { path: path.to_path_buf(), file, failed: None }))))
    }
    /// What has to observe the run.
    pub fn observer(&mut self) -> Option<&mut dyn Observer> {
        self.0.as_mut().map(|log| log as &mut dyn Observer)
    }
    /// Ends the file.
    pub fn finish(self) -> Result<()> {
        let Some(log) = self.0 else { return Ok(()) };
        let LogFile { path, mut file, failed } = log.into_writer();
        failed.map_or_else(|| file.flush(), Err).map_err(|error| output::cannot_write(&path, &error))
    }
}
