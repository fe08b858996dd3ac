//! Why a name or a function's variables are not seen from where one looks, in a sentence.

use super::space::loaded_at;
use super::stops::near;
use super::symbols::Named;
use super::vantage::Vantage;
use crate::source::{Loaded, without_offset};
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
        let function = file.lines().and_then(|lines| lines.function_with(variable));
        if let Some(function) = function.filter(|function| of.is_none_or(|of| of == function)) {
            return format!(
                "`{name}` is a variable of {function}, which is not what is looked at (`bt`, `up`)"
            );
        }
        if name.ends_with(')') {
            return format!(
                "{who} has no function `{name}`, and those that it has are not called here: that would change what it does"
            );
        }
        let near = near(&self.symbols.nearest(&process.program, name));
        let kernels = if self.of_kernel(name).is_some() {
            format!("; the kernel's is `kernel:{name}`")
        } else {
            String::new()
        };
        format!("{who} has no variable or symbol `{name}`{near}{kernels}")
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
                format!(
                    "there is no debug information of {name}, which is of {library} (`up` goes to its caller)"
                )
            }
            None => "the program has no debug information (compile it with -g)".to_owned(),
        }
    }
}
