//! `break`, `catch`, `watch` and what is done with what they make: `delete`, `condition`, `ignore`, `enable`, `disable`, `commands`.

use super::breakpoints::{Breakpoint, Where};
use super::catches::{Call, Catch, Pages};
use super::command::{Command, Occasion, StopCommand, nearest};
use super::condition::Condition;
use super::execute::Debugger;
use super::expression::{Expression, parse_number};
use super::points::What;
use super::symbols::source_line;
use super::target::Target;
use crate::trace::ProcessView;
use isa::{VirtAddr, Vpn};
use std::fmt::Write;

impl Debugger {
    pub(super) fn run_stop_command(
        &mut self,
        target: &dyn Target,
        command: StopCommand,
    ) -> Result<String, String> {
        match command {
            StopCommand::List => Ok(self.list_stops()),
            StopCommand::Break { at, pid, condition, is_for_once } => {
                self.add_breakpoint(target, &at, pid, condition, is_for_once)
            }
            StopCommand::Catch { occasion, condition } => self.add_catch(target, occasion, condition),
            StopCommand::Watch { at, length, watched, condition } => {
                let strange =
                    condition.as_ref().map_or_else(String::new, |condition| self.strange_names(condition));
                let what = self.watch(target, &at, length, watched)?;
                let id = self.points.add(what.clone(), condition.clone(), false);
                self.points_changed();
                Ok(format!("{} {id}: {what}{}\n{strange}", what.title(), when(condition.as_ref())))
            }
            StopCommand::Delete(id) => self.delete(id),
            StopCommand::Condition { id, condition } => {
                self.points.some_mut(Some(id))?.into_iter().for_each(|p| p.condition.clone_from(&condition));
                Ok(condition.map_or_else(String::new, |condition| self.strange_names(&condition)))
            }
            StopCommand::Ignore { id, count } => {
                self.points.some_mut(Some(id))?.into_iter().for_each(|point| point.ignored = count);
                Ok(format!("{count} times it does not stop\n"))
            }
            StopCommand::Enable { id, is_enabled } => {
                self.points.some_mut(id)?.into_iter().for_each(|point| point.is_enabled = is_enabled);
                self.points_changed();
                Ok(String::new())
            }
            StopCommand::Commands(id) => {
                let id = id
                    .or(self.points.last())
                    .ok_or("there is no breakpoint, catchpoint or watchpoint yet")?;
                self.points.some_mut(Some(id))?;
                self.taking_down = Some((id, Vec::new()));
                Ok(format!("the commands for {id}, a line each; `end` ends them\n"))
            }
        }
    }

    /// Takes down a line of the commands for a point.
    pub(super) fn take_down(&mut self, line: &str) -> Result<String, String> {
        let Some((id, mut commands)) = self.taking_down.take() else { return Ok(String::new()) };
        if line.trim() != "end" {
            // What is no command is complained of here and not when it is due.
            let parsed = Command::parse(line);
            commands.extend(parsed.as_ref().is_ok_and(Option::is_some).then(|| line.trim().to_owned()));
            self.taking_down = Some((id, commands));
            return parsed.map(|_| String::new());
        }
        self.points.some_mut(Some(id))?.into_iter().for_each(|point| point.commands.clone_from(&commands));
        Ok(String::new())
    }

    /// To be called when points have come, gone or changed.
    pub(super) fn points_changed(&mut self) {
        let catches = self.points.catches().map(|(id, catch)| (id, catch.clone())).collect();
        self.tap.borrow_mut().set_catches(catches, self.points.wait_for_addresses());
        self.arm();
    }

    /// A line about each name of a condition that no program that runs has, nor the kernel.
    fn strange_names(&mut self, condition: &Condition) -> String {
        let mut text = String::new();
        for name in condition.names() {
            let is_plain = !name.contains(':') || name.contains("::");
            if is_plain
                && !self.programs_have(name)
                && !self.programs_have_variable(name)
                && self.symbols.addresses_in_kernel(name).is_empty()
            {
                text.push_str(&format!("`{name}`{}\n", self.missing(name)));
            }
        }
        text
    }

    /// A line about each name of a condition that is a variable, but none that the function at an address sees.
    fn unseen_names(&self, target: &dyn Target, condition: &Condition, pc: VirtAddr) -> String {
        let names = condition.names().into_iter().filter(|name| !name.contains(':'));
        let is_unseen = |name: &&str| self.programs_have_variable(name) && !self.sees(target, pc, name);
        let line = |name| format!("`{name}` is not seen there: the condition will not hold\n");
        names.filter(is_unseen).map(line).collect()
    }

    fn add_breakpoint(
        &mut self,
        target: &dyn Target,
        at: &Expression,
        pid: Option<u64>,
        condition: Option<Condition>,
        is_for_once: bool,
    ) -> Result<String, String> {
        let symbol = at.location().filter(|(name, _)| place_of(name).is_none());
        let (text, at, pid) = match symbol {
            Some((name, offset)) => self.symbol_place(&name, offset, pid)?,
            None => {
                let (va, of) = self.evaluate(target, at)?;
                (va.to_string(), Where::address(va.0), of.or(pid))
            }
        };
        let mut strange =
            condition.as_ref().map_or_else(String::new, |condition| self.strange_names(condition));
        let breakpoint = Breakpoint { text: text.clone(), at: at.clone(), pid };
        let when = when(condition.as_ref());
        let id = self.points.add(What::Break(breakpoint), condition.clone(), is_for_once);
        self.points_changed();
        if let (Some(condition), Some(&pc)) = (&condition, self.armed.addresses_of(id).first()) {
            strange.push_str(&self.unseen_names(target, condition, pc));
        }
        let only = pid.map(|pid| format!(" in process {pid}")).unwrap_or_default();
        let place = match at {
            Where::User(va) => self.nowhere(va, pid),
            Where::Kernel(va) if text == va.to_string() => String::new(),
            Where::Kernel(va) => format!(": {va} of the kernel"),
            Where::Symbol(..) => match self.armed.addresses_of(id).as_slice() {
                [] => self.missing(&text),
                list => {
                    let places: Vec<String> = list.iter().map(VirtAddr::to_string).collect();
                    format!(": {}{}", places.join(", "), self.other_line(&text, list[0], pid))
                }
            },
        };
        let once = if is_for_once { ", for once" } else { "" };
        Ok(format!("breakpoint {id} at {text}{only}{when}{once}{place}\n{strange}"))
    }

    /// The line that a breakpoint is at, if the one that was asked for has no code.
    fn other_line(&self, asked: &str, va: VirtAddr, pid: Option<u64>) -> String {
        let Some((_, line)) = source_line(asked) else { return String::new() };
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let wanted = |process: &&ProcessView| process.is_alive() && pid.is_none_or(|pid| pid == process.pid);
        let mut loaded = guest.processes().filter(wanted).filter_map(|p| self.symbols.loaded(guest, p));
        match loaded.find_map(|loaded| loaded.spot(va).source).filter(|source| source.line != line) {
            Some(source) => format!(" ({source}, the next line that has code)"),
            None => String::new(),
        }
    }

    /// What there is to say of a breakpoint at an address where no program that runs has anything.
    fn nowhere(&self, va: VirtAddr, pid: Option<u64>) -> String {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let mut running = guest.processes().filter(|p| p.is_alive() && !p.program.is_empty()).peekable();
        let is_asked = |process: &&ProcessView| pid.is_none_or(|pid| pid == process.pid);
        if running.peek().is_none() || running.filter(is_asked).any(|p| guest.vma_at(p.pid, va).is_some()) {
            return String::new();
        }
        ": nothing is mapped there so far (a number is an address; a line of the source is FILE:LINE)"
            .to_owned()
    }

    /// What there is to say of a breakpoint at a name that no program has: programs that run may have some like it.
    fn missing(&mut self, name: &str) -> String {
        let name = name.split_once('+').map_or(name, |(name, _)| name);
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let running: Vec<_> = guest.processes().filter(|p| p.is_alive() && !p.program.is_empty()).collect();
        let Some(process) = running.first() else {
            return ": waits for a program that has it (none so far)".to_owned();
        };
        if let Some((file, line)) = source_line(name) {
            return self.no_code(&process.program, file, line);
        }
        let near = near(&self.symbols.nearest(&process.program, name));
        let who = match running.as_slice() {
            [process] => format!("{} has no such name", process.program),
            _ => "no program that runs has such a name".to_owned(),
        };
        format!(": {who}{near}; it waits for a program that has")
    }

    /// What there is to say of a line of the source of which a program has no code.
    fn no_code(&self, program: &str, file: &str, line: u32) -> String {
        const SHOWN: usize = 5;
        let it = "it waits for a program that has";
        let of = self.symbols.program(program);
        let Some(lines) = of.lines() else {
            return format!(": {program} does not tell lines of its source (compile it with -g); {it}");
        };
        if lines.file(file).is_some() {
            return format!(": {program} has no code for line {line} of {file} or behind it; {it}");
        }
        let mut files: Vec<&str> = lines.files().collect();
        files.sort_unstable();
        let more = files.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(": {program} is made of {}{more}; {it}", files[..files.len().min(SHOWN)].join(", "))
    }

    /// What a symbol names: `kernel:NAME`, `PID:NAME`, or NAME of the programs and else of the kernel.
    pub(super) fn symbol_place(
        &mut self,
        name: &str,
        offset: u64,
        pid: Option<u64>,
    ) -> Result<(String, Where, Option<u64>), String> {
        let (name, pid) = match name.split_once(':') {
            Some((before, after)) if !after.starts_with(':') => match (before, before.parse()) {
                ("kernel", _) => {
                    let addresses = self.symbols.addresses_in_kernel(after);
                    let address = addresses.first().ok_or_else(|| format!("the kernel has no `{after}`"))?;
                    let va = address.wrapping_add(offset);
                    return Ok((with_offset(after, offset), Where::Kernel(va), None));
                }
                (_, Ok(pid)) => (after, Some(pid)),
                _ if source_line(name).is_some() => (name, pid),
                _ => return Err(format!("`{before}:` is neither `kernel:` nor a PID")),
            },
            _ => (name, pid),
        };
        let text = with_offset(name, offset);
        if pid.is_some() || self.programs_have(name) {
            return Ok((text, Where::Symbol(name.to_owned(), offset), pid));
        }
        match self.symbols.addresses_in_kernel(name).first() {
            Some(address) => Ok((text, Where::Kernel(address.wrapping_add(offset)), None)),
            None => Ok((text, Where::Symbol(name.to_owned(), offset), pid)),
        }
    }

    /// Whether a program that runs, or the one that will run first, has the symbol.
    fn programs_have(&self, name: &str) -> bool {
        self.programs().iter().any(|path| self.symbols.program_has(path, name))
    }

    /// Whether one of them has a variable of this name, in whatever function.
    fn programs_have_variable(&self, name: &str) -> bool {
        self.programs().iter().any(|path| self.symbols.program_has_variable(path, name))
    }

    /// The programs that run, and the one that will run first.
    fn programs(&self) -> Vec<String> {
        let tap = self.tap.borrow();
        let running = tap.trace().guest.processes().filter(|p| p.is_alive()).map(|p| p.program.clone());
        running.chain(self.first_program.clone()).collect()
    }

    /// The page of an address, or the pages from one address to another. In every process, unless an address names one.
    fn pages(
        &mut self,
        target: &dyn Target,
        from: &Expression,
        to: Option<&Expression>,
    ) -> Result<Pages, String> {
        let (start, pid) = self.evaluate(target, from)?;
        let end = to.map(|to| self.evaluate(target, to)).transpose()?;
        let last = end.map_or(start, |(end, _)| end.wrapping_add(u64::MAX));
        if last < start {
            return Err(format!("the pages from {start} on end before they begin"));
        }
        let range = start.page()..Vpn(last.page().0 + 1);
        Ok(Pages { range, pid })
    }

    fn add_catch(
        &mut self,
        target: &dyn Target,
        occasion: Occasion,
        condition: Option<Condition>,
    ) -> Result<String, String> {
        let catch = match occasion {
            Occasion::Fault { faults, from, to } => {
                let pages = from.map(|from| self.pages(target, &from, to.as_ref())).transpose()?;
                Catch::Fault(faults, pages)
            }
            Occasion::Happening(happening) => Catch::Happening(happening),
            Occasion::TlbMiss => Catch::TlbMiss,
            Occasion::Syscall(None) => Catch::Syscall(None),
            Occasion::Syscall(Some(name)) => Catch::Syscall(Some(self.call(name)?)),
        };
        let strange = condition.as_ref().map_or_else(String::new, |condition| self.strange_names(condition));
        let text = format!("{catch}{}", when(condition.as_ref()));
        let id = self.points.add(What::Catch(catch), condition, false);
        self.points_changed();
        Ok(format!("catchpoint {id}: {text}\n{strange}"))
    }

    /// A system call by its name or number.
    fn call(&self, name: String) -> Result<Call, String> {
        let known = self.calls.iter().find(|(_, known)| *known == name).map(|&(number, _)| number);
        if let Some(number) = known.or_else(|| parse_number(&name)) {
            return Ok(Call { number, name });
        }
        let near = nearest(&name, self.calls.iter().map(|&(_, known)| known));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Err(format!("there is no system call `{name}`{near}"))
    }

    fn delete(&mut self, id: Option<u64>) -> Result<String, String> {
        let deleted = self.points.delete(id);
        self.points_changed();
        match (id, deleted) {
            (Some(id), 0) => Err(format!("there is no breakpoint, catchpoint or watchpoint {id}")),
            (None, 0) => Err("there is nothing to delete".to_owned()),
            _ => Ok(String::new()),
        }
    }

    fn list_stops(&mut self) -> String {
        self.arm();
        let mut text = String::new();
        for point in self.points.iter() {
            let (id, title) = (point.id, point.what.title());
            let _ = match &point.what {
                What::Break(breakpoint) => {
                    let places: Vec<String> = match breakpoint.at {
                        Where::Kernel(va) => vec![format!("{va} of the kernel")],
                        _ => self.armed.addresses_of(id).iter().map(VirtAddr::to_string).collect(),
                    };
                    let places = if places.is_empty() { "waits".to_owned() } else { places.join(", ") };
                    let only =
                        breakpoint.pid.map(|pid| format!(", in process {pid} only")).unwrap_or_default();
                    write!(text, "{title} {id} at {} ({places}{only})", breakpoint.text)
                }
                What::Catch(_) | What::Watch(_) => write!(text, "{title} {id}: {}", point.what),
            };
            text.push_str(&when(point.condition.as_ref()));
            for (holds, words) in [(!point.is_enabled, ", disabled"), (point.is_for_once, ", for once")] {
                text.push_str(if holds { words } else { "" });
            }
            if point.ignored > 0 {
                let _ = write!(text, ", passed {} times more", point.ignored);
            }
            let _ = writeln!(text, ", reached {} times", point.hits);
            for command in &point.commands {
                let _ = writeln!(text, "    {command}");
            }
        }
        if text.is_empty() {
            text.push_str("there are no breakpoints, catchpoints or watchpoints\n");
        }
        text
    }
}

/// A condition as it stands behind what it is for.
fn when(condition: Option<&Condition>) -> String {
    condition.map(|condition| format!(" if {}", condition.text())).unwrap_or_default()
}

/// Names like one that there is not, in brackets; nothing if there are none.
pub(super) fn near(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { String::new() } else { format!(" (near are {})", quoted.join(", ")) }
}

/// `PID:NUMBER`: an address of a process.
pub(super) fn place_of(name: &str) -> Option<(u64, u64)> {
    let (pid, number) = name.split_once(':')?;
    Some((pid.parse().ok()?, parse_number(number)?))
}

fn with_offset(name: &str, offset: u64) -> String {
    if offset == 0 { name.to_owned() } else { format!("{name}+{offset:#x}") }
}
