//! Lines on standard error, and calls that are interrupted by other processes' lines.

/// Where results stand, as far as the line before them is short enough.
const RESULT_COLUMN: usize = 39;

/// A call whose line is not complete.
#[derive(Debug)]
struct Open {
    tid: u64,
    /// What its line begins with: as it was when the call was made.
    prefix: String,
    /// What is known of it so far: name and arguments, without what the call has yet to write.
    entry: String,
}

impl Open {
    fn name(&self) -> String {
        self.entry.split('(').next().unwrap_or_default().to_string()
    }
}

/// What is written, and what is not yet.
#[derive(Default)]
pub struct Lines {
    /// The call that was made last, not written yet: mostly its end comes next.
    open: Option<Open>,
    /// Calls whose beginning has been written, by thread, with their names.
    unfinished: Vec<(u64, String)>,
    /// Threads that were made and have not been told of.
    attached: Vec<u64>,
    /// Whether lines begin with their thread: when there are several.
    names_threads: bool,
}

impl Lines {
    /// Whether lines begin with their thread from now on.
    pub fn set_names_threads(&mut self, names: bool) {
        self.names_threads = names;
    }

    /// Thread `tid` makes a call: `entry` begins with its name.
    pub fn begin(&mut self, tid: u64, entry: &str) {
        self.interrupt();
        self.open = Some(Open { tid, prefix: self.prefix(tid), entry: entry.to_string() });
    }

    /// The entry of the call that `tid` is in, if it is not written yet.
    pub fn entry_mut(&mut self, tid: u64) -> Option<&mut String> {
        self.open.as_mut().filter(|open| open.tid == tid).map(|open| &mut open.entry)
    }

    /// Its end: the arguments that were missing, and the result.
    pub fn end(&mut self, tid: u64, (rest, result): &(String, String)) {
        if self.open.as_ref().is_some_and(|open| open.tid != tid) {
            self.interrupt();
        }
        let begun = match self.open.take() {
            Some(open) => open.prefix + &open.entry,
            None => {
                let Some(index) = self.unfinished.iter().position(|(other, _)| *other == tid) else { return };
                format!("{}<... {} resumed>", self.prefix(tid), self.unfinished.remove(index).1)
            }
        };
        let call = format!("{begun}{rest})");
        tell!("{call:<RESULT_COLUMN$} = {result}");
        self.tell_attached();
    }

    /// A line that is no call's.
    pub fn whole(&mut self, tid: u64, line: &str) {
        self.interrupt();
        tell!("{}{line}", self.prefix(tid));
    }

    /// A thread was made: told after the line of the call that made it.
    pub fn attach(&mut self, tid: u64) {
        self.attached.push(tid);
    }

    /// A thread has another number from now on.
    pub fn rename(&mut self, old: u64, new: u64) {
        let open = self.open.iter_mut().map(|open| &mut open.tid);
        let unfinished = self.unfinished.iter_mut().map(|(tid, _)| tid);
        open.chain(unfinished).filter(|tid| **tid == old).for_each(|tid| *tid = new);
    }

    /// Something else is written next: what is known of the call that was made last comes first.
    pub fn interrupt(&mut self) {
        if let Some(open) = self.open.take() {
            tell!("{}{} <unfinished ...>", open.prefix, open.entry);
            self.unfinished.push((open.tid, open.name()));
        }
        self.tell_attached();
    }

    fn tell_attached(&mut self) {
        for tid in self.attached.drain(..) {
            tell!("strace: Process {tid} attached");
        }
    }

    fn prefix(&self, tid: u64) -> String {
        if self.names_threads { format!("[pid {tid:5}] ") } else { String::new() }
    }
}
