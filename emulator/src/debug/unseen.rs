//! Why a name or a function's variables are not seen from where one looks, in a sentence.

use super::expression::Names;
use super::space::loaded_at;
use super::stops::near;
use super::symbols::Named;
use super::vantage::Vantage;
use crate::source::{Callers, Loaded, without_offset};
use isa::VirtAddr;

impl Vantage<'_> {
    /// What there is to say of a name that nobody has.
    pub(super) fn missing(&self, name: &str, pid: Option<u64>) -> String {
        // A condition asks often, and nobody reads why it does not hold.
        if self.facts.is_some() {
            return format!("`{name}` is not known here");
        }
        let Some(process) = pid.and_then(|pid| self.trace.guest.process(pid)) else {
            return match pid {
                Some(pid) => format!("there is no process {pid}"),
                None => match &self.over {
                    Some(program) => self.missing_at_end(name, program),
                    None => format!("no process runs now that could have `{name}`"),
                },
            };
        };
        let who = format!("process {} ({})", process.pid, process.name());
        if let Named::Line(..) = Named::of(name) {
            return format!("{who} has no code for `{name}`");
        }
        let file = self.symbols.program(&process.program);
        if let Some(block) = self.block_with(name) {
            return format!("`{name}` is a variable of a block that {block} and is not at work here");
        }
        let (of, variable) = name.rsplit_once("::").map_or((None, name), |(of, name)| (Some(of), name));
        let mut functions = file.lines().map_or_else(Vec::new, |lines| lines.functions_with(variable));
        functions.retain(|function| of.is_none_or(|of| of == function));
        if let Some(functions) = in_words(&functions) {
            return format!("`{name}` is a variable of {functions} (`bt`, `up`)");
        }
        if name.ends_with(')') {
            return format!(
                "{who} has no function `{name}`, and those that it has are not called here: that would change what it does"
            );
        }
        let near = match self.why_untold() {
            Some(why) => format!(" ({why})"),
            None => near(&self.symbols.nearest(&process.program, name)),
        };
        let kernels = if self.of_kernel(name).is_some() {
            format!("; the kernel's is `kernel:{name}`")
        } else {
            String::new()
        };
        format!("{who} has no variable or symbol `{name}`{near}{kernels}")
    }

    /// Where one may go from a function of which nothing is known: nothing if nobody has called it.
    pub(super) fn up(&self) -> &'static str {
        let Some((frame, _)) = &self.frame else { return "" };
        let loaded = |va| loaded_at(self.symbols, &self.trace.guest, &self.here, va);
        let read = |at| {
            let mut word = [0; 8];
            Names::read(self, None, at, &mut word).ok()?;
            Some(u64::from_le_bytes(word))
        };
        let is_called = Callers::of(frame.clone(), &loaded, &read).nth(1).is_some();
        if is_called { " (`up` goes to its caller)" } else { "" }
    }

    /// Why nothing is known of the variables of the function that is looked at, if its compiler was asked for that.
    pub(super) fn why_untold(&self) -> Option<&'static str> {
        let (frame, _) = self.frame.as_ref()?;
        let at = frame.at_work();
        let loaded = loaded_at(self.symbols, &self.trace.guest, &self.here, VirtAddr(at))?;
        loaded.file.lines()?.why_untold(at.wrapping_sub(loaded.bias))
    }

    /// What there is to say of a name when no program runs any more.
    fn missing_at_end(&self, name: &str, program: &str) -> String {
        let of_kernel = match self.of_kernel(name) {
            Some(_) => format!("; the kernel's is `kernel:{name}`"),
            None => String::new(),
        };
        if self.symbols.file_has(program, name) || self.symbols.program_has_variable(program, name) {
            return format!(
                "{program} has ended, which has `{name}`, and its memory is gone (`run` begins it anew){of_kernel}"
            );
        }
        let near = near(&self.symbols.nearest(program, name));
        format!("{program}, which has ended, has no variable or symbol `{name}`{near}{of_kernel}")
    }

    /// Of the function that is looked at the block that has a variable of this name, in words: `begins at cow.c:8`.
    fn block_with(&self, name: &str) -> Option<String> {
        let (frame, _) = self.frame.as_ref()?;
        let at = frame.at_work();
        let loaded = loaded_at(self.symbols, &self.trace.guest, &self.here, VirtAddr(at))?;
        let (first, last) = loaded.file.lines()?.block_with(at.wrapping_sub(loaded.bias), name)?;
        Some(format!("begins at {first} and ends at line {}", last.line))
    }

    /// What there is to say of code at an address in a file of which no lines are known.
    pub(super) fn without_lines(&self, loaded: &Loaded, at: VirtAddr) -> String {
        let guest = &self.trace.guest;
        let process = self.here.process().and_then(|pid| guest.process(pid));
        let vma = process.and_then(|process| guest.vma_at(process.pid, at));
        match process.zip(vma).filter(|(process, vma)| vma.file != 0 && vma.name != process.program) {
            Some((_, vma)) => {
                let name = loaded.file.symbols().name_of(at.0.wrapping_sub(loaded.bias));
                let name = name.map_or_else(|| at.to_string(), |name| without_offset(&name).to_owned());
                let library = &vma.name;
                format!("there is no debug information of {name}, which is of {library}{}", self.up())
            }
            None => "the program has no debug information (compile it with -g)".to_owned(),
        }
    }
}

/// Functions that have what is asked for, none of which is looked at, as the end of a sentence; `None` if there are none.
fn in_words(functions: &[String]) -> Option<String> {
    /// Functions that are named.
    const MOST: usize = 4;
    match functions {
        [] => None,
        [one] => Some(format!("{one}, which is not what is looked at")),
        [one, other] => Some(format!("{one} and {other}, neither of which is looked at")),
        all => {
            let named = all[..all.len().min(MOST)].join(", ");
            let more = if all.len() > MOST { " and others" } else { "" };
            Some(format!("{named}{more}, none of which is looked at"))
        }
    }
}
