//! Lines on standard error, and calls that are interrupted by other processes' lines.

/// Where results stand, as far as the line before them is short enough.
const RESULT_COLUMN: usize = 39;

/// A call whose line is not complete.
#[derive(Debug)]
struct Open {
    pid: u64,
    /// What is known of it so far: name and arguments, without what the call has yet to write.
    entry: String,
    name: String,
}

/// What is written, and what is not yet.
#[derive(Default)]
pub struct Lines {
    /// The call that was made last, not written yet: mostly its end comes next.
    open: Option<Open>,
    /// Calls whose beginning has been written, by process, with their names.
    unfinished: Vec<(u64, String)>,
    /// Whether lines begin with their process: when there are several.
    names_processes: bool,
}

impl Lines {
    /// Whether lines begin with their process from now on.
    pub fn set_names_processes(&mut self, names: bool) {
        self.names_processes = names;
    }

    /// Process `pid` makes a call: `entry` begins with its name.
    pub fn begin(&mut self, pid: u64, entry: &str) {
        self.interrupt();
        let name = entry.split('(').next().unwrap_or_default().to_string();
        self.open = Some(Open { pid, entry: entry.to_string(), name });
    }

    /// Its end: the arguments that were missing, and the result.
    pub fn end(&mut self, pid: u64, (rest, result): &(String, String)) {
        if self.open.as_ref().is_some_and(|open| open.pid != pid) {
            self.interrupt();
        }
        let begun = match self.open.take() {
            Some(open) => open.entry,
            None => {
                let Some(index) = self.unfinished.iter().position(|(other, _)| *other == pid) else { return };
                format!("<... {} resumed>", self.unfinished.remove(index).1)
            }
        };
        let call = format!("{}{begun}{rest})", self.prefix(pid));
        tell!("{call:<RESULT_COLUMN$} = {result}");
    }

    /// A line that is no call's.
    pub fn whole(&mut self, pid: u64, line: &str) {
        self.interrupt();
        tell!("{}{line}", self.prefix(pid));
    }

    /// Something else is written next: what is known of the call that was made last comes first.
    pub fn interrupt(&mut self) {
        if let Some(Open { pid, entry, name }) = self.open.take() {
            tell!("{}{entry} <unfinished ...>", self.prefix(pid));
            self.unfinished.push((pid, name));
        }
    }

    fn prefix(&self, pid: u64) -> String {
        if self.names_processes { format!("[pid {pid:5}] ") } else { String::new() }
    }
}
