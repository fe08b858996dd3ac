//! `break`, `catch`, `watch` and what is done with what they make: `delete`, `condition`, `ignore`, `enable`, `disable`, `commands`.

use super::breakpoints::{Breakpoint, Where};
use super::catches::{Catch, Numbered, Pages};
use super::command::{Occasion, StopCommand, nearest};
use super::condition::Condition;
use super::execute::{Debugger, parse};
use super::expression::{self, Expression, line_offset, number_of_c, parse_number};
use super::points::{SILENT, What};
use super::symbols::Named;
use super::target::Target;
use super::vantage::Vantage;
use crate::source::{InlineFrame, Loaded, ProgramFile, without_offset};
use crate::trace::{ProcessView, SpaceView};
use core::ops::RangeInclusive;
use isa::events::VMA_EXEC;
use isa::paging::Satp;
use isa::{VirtAddr, Vpn};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;

impl Debugger {
    pub(super) fn run_stop_command(
        &mut self,
        target: &dyn Target,
        command: StopCommand,
    ) -> Result<String, String> {
        match command {
            StopCommand::List => Ok(self.list_stops(|_| true)),
            StopCommand::ListWatches => Ok(self.list_stops(|what| matches!(what, What::Watch(_)))),
            StopCommand::Break { at, pid, condition, is_for_once } => {
                self.add_breakpoint(target, &at, pid, condition, is_for_once)
            }
            StopCommand::Catch { occasion, condition } => self.add_catch(target, occasion, condition),
            StopCommand::Watch { at, length, watched, outlives, condition } => {
                let strange =
                    condition.as_ref().map_or_else(String::new, |condition| self.strange_names(condition));
                let what = self.watch(target, &at, length, watched, outlives)?;
                let id = self.points.add(what.clone(), condition.clone(), false);
                self.points_changed();
                Ok(format!("{} {id}: {what}{}\n{strange}", what.title(), when(condition.as_ref())))
            }
            StopCommand::Delete(numbers) => {
                self.check_numbers(&numbers)?;
                self.points.delete(|id| is_meant(&numbers, id));
                self.points_changed();
                Ok(String::new())
            }
            StopCommand::Condition { id, condition } => {
                self.points.one_mut(id)?.condition.clone_from(&condition);
                Ok(condition.map_or_else(String::new, |condition| self.strange_names(&condition)))
            }
            StopCommand::Ignore { id, count } => {
                self.points.one_mut(id)?.ignored = count;
                Ok(format!("{count} times it does not stop\n"))
            }
            StopCommand::Enable { numbers, is_enabled } => {
                self.check_numbers(&numbers)?;
                let meant = self.points.iter_mut().filter(|point| is_meant(&numbers, point.id));
                meant.for_each(|point| point.is_enabled = is_enabled);
                self.points_changed();
                Ok(String::new())
            }
            StopCommand::Handle(signal) => self.handle(signal),
            StopCommand::Commands(id) => {
                let id = id
                    .or(self.points.last())
                    .ok_or("there is no breakpoint, catchpoint or watchpoint yet")?;
                self.points.one_mut(id)?;
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
            let is_silent = commands.is_empty() && line.trim() == SILENT;
            let parsed = if is_silent { Ok(None) } else { parse(line) };
            commands.extend(is_silent.then(|| SILENT.to_owned()));
            commands.extend(parsed.as_ref().is_ok_and(Option::is_some).then(|| line.trim().to_owned()));
            self.taking_down = Some((id, commands));
            return parsed.map(|_| String::new());
        }
        self.points.one_mut(id)?.commands.clone_from(&commands);
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
                && !self.programs_have_of_threads(name)
                && self.symbols.addresses_in_kernel(name).is_empty()
            {
                text.push_str(&format!("`{name}`{}\n", self.missing(name, None)));
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

    /// What an expression means as a place to stop at: a number alone is a line of the file that is looked at.
    pub(super) fn breakpoint(
        &mut self,
        target: &dyn Target,
        at: &Expression,
        pid: Option<u64>,
    ) -> Result<Breakpoint, String> {
        let line = match line_offset(at.text()) {
            Some(by) => Some(self.line_from_here(target, by)?),
            None => self.line_alone(target, at),
        };
        let line = line.map(|line| (line, 0));
        let symbol = line.or_else(|| at.location().filter(|(name, _)| place_of(name).is_none()));
        let Some((name, offset)) = symbol else {
            let (va, of) = self.evaluate(target, at)?;
            return Ok(Breakpoint { text: va.to_string(), at: Where::address(va.0), pid: of.or(pid) });
        };
        let (text, place, pid) = self.symbol_place(&name, offset, pid)?;
        let of_kernel = matches!(place, Where::Kernel(_)) && offset == 0;
        let functions = if of_kernel { self.symbols.functions_in_kernel(&text) } else { Vec::new() };
        let at = if functions.len() > 1 { Where::KernelFunctions(functions) } else { place };
        Ok(Breakpoint { text, at, pid })
    }

    /// `FILE:LINE` of a line so many behind that at which the function looked at is at work.
    fn line_from_here(&self, target: &dyn Target, by: i64) -> Result<String, String> {
        let here = self.source_at_work(target).filter(|_| self.check_lasts().is_ok());
        let here =
            here.ok_or_else(|| format!("`{by:+}` counts from the line at work, which is not known"))?;
        let line = i64::from(here.line) + by;
        if line < 1 {
            return Err(format!("line {} of {} has not so many before it", here.line, here.file));
        }
        Ok(format!("{}:{line}", here.file))
    }

    /// `FILE:LINE` of a number alone, if a file is looked at.
    pub(super) fn line_alone(&mut self, target: &dyn Target, at: &Expression) -> Option<String> {
        let is_number = at.text().bytes().all(|b| b.is_ascii_digit());
        let file = is_number.then(|| self.current_file(target)).flatten()?;
        Some(format!("{file}:{}", at.text()))
    }

    fn add_breakpoint(
        &mut self,
        target: &dyn Target,
        at: &Expression,
        pid: Option<u64>,
        condition: Option<Condition>,
        is_for_once: bool,
    ) -> Result<String, String> {
        let asked = at;
        let Breakpoint { text, at, pid } = self.breakpoint(target, at, pid)?;
        if matches!(&at, Where::Symbol(..)) {
            self.check_is_code(asked, &text)?;
        }
        let mut strange =
            condition.as_ref().map_or_else(String::new, |condition| self.strange_names(condition));
        let breakpoint = Breakpoint { text: text.clone(), at: at.clone(), pid };
        let when = when(condition.as_ref());
        let id = self.points.add(What::Break(breakpoint), condition.clone(), is_for_once);
        self.points_changed();
        if let (Some(condition), Some(&(pc, _))) = (&condition, self.armed.places_of(id).first()) {
            strange.push_str(&self.unseen_names(target, condition, pc));
        }
        let only = pid.map(|pid| format!(" in process {pid}")).unwrap_or_default();
        let none_has_it = match self.programs().first() {
            Some(program) if asked.text() == text => {
                format!(": {program} has no `{text}` (`kernel:{text}` is this one)")
            }
            _ => String::new(),
        };
        let place = match at {
            Where::User(va) => self.nowhere(va, pid),
            Where::Kernel(va) if text == va.to_string() => String::new(),
            Where::Kernel(va) => format!(": {va} of the kernel{none_has_it}"),
            Where::KernelFunctions(list) => {
                let places = self.places_text(id, &self.armed.places_of(id));
                format!(": {} places of the kernel{none_has_it}\n{}", list.len(), places.trim_end())
            }
            Where::Symbol(..) => match self.armed.places_of(id).as_slice() {
                [] => self.missing(&text, pid),
                &[(va, satp)] => match self.other_line(&text, va, pid) {
                    other if other.is_empty() => format!(": {va}{}", self.line_at(va, satp, &text)),
                    other => format!(": {va}{other}"),
                },
                list => {
                    let other = self.other_line(&text, list[0].0, pid);
                    format!(": {} places{other}\n{}", list.len(), self.places_text(id, list).trim_end())
                }
            },
        };
        let once = if is_for_once { ", for once" } else { "" };
        Ok(format!("breakpoint {id} at {text}{only}{when}{once}{place}\n{strange}"))
    }

    /// Complains of a breakpoint at a variable of the programs: no code is there.
    fn check_is_code(&self, asked: &Expression, text: &str) -> Result<(), String> {
        let Named::Symbol(name) = Named::of(text) else { return Ok(()) };
        let programs = self.programs();
        let files: Vec<_> = programs.iter().map(|path| self.symbols.program(path)).collect();
        let is_variable = |file: &Rc<ProgramFile>| {
            file.functions_called(name, None).is_empty() && file.symbols().is_variable(name)
        };
        if !files.iter().any(is_variable)
            || files.iter().any(|file| !file.functions_called(name, None).is_empty())
        {
            return Ok(());
        }
        let asked = asked.text();
        Err(format!(
            "`{asked}` is a variable, and no code: `watch {asked}` stops when it changes, `break *ADDR` at an address"
        ))
    }

    /// The line that a breakpoint is at, if the one that was asked for has no code, or code in front of a function's body alone.
    fn other_line(&self, asked: &str, va: VirtAddr, pid: Option<u64>) -> String {
        let Named::Line(file, line) = Named::of(asked) else { return String::new() };
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let wanted = |process: &&ProcessView| process.is_alive() && pid.is_none_or(|pid| pid == process.pid);
        let mut loaded = guest.processes().filter(wanted).filter_map(|p| self.symbols.loaded(guest, p));
        let other = |loaded: Loaded| {
            let (found, addresses) = loaded.file.lines()?.addresses_of(file, line)?;
            let source = loaded.spot(va).source?;
            if found != line {
                return Some(format!(" ({}:{found}, the next line that has code)", source.file));
            }
            let is_moved = !addresses.contains(&va.0.wrapping_sub(loaded.bias));
            is_moved.then(|| format!(" ({source}, where the function's body begins)"))
        };
        loaded.find_map(other).unwrap_or_default()
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
    fn missing(&mut self, name: &str, pid: Option<u64>) -> String {
        let name = name.split_once('+').map_or(name, |(name, _)| name);
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        match pid.map(|pid| (pid, guest.process(pid))) {
            Some((pid, None)) => return format!(": waits for process {pid}, which there is not yet"),
            Some((pid, Some(process))) if !process.is_alive() => {
                return format!(": process {pid} ({}) has ended, it never stops", process.name());
            }
            _ => {}
        }
        let is_meant = |process: &&ProcessView| pid.is_none_or(|pid| pid == process.pid);
        let running = guest.processes().filter(|p| p.is_alive() && !p.program.is_empty());
        let running: Vec<_> = running.filter(is_meant).collect();
        let Some(process) = running.first() else {
            return match self.last_program.as_ref().filter(|_| guest.is_over()) {
                None => ": waits for a program that has it (none so far)".to_owned(),
                Some(program) if self.programs_have(name) => {
                    format!(": {program} has ended; it waits for the next run (`run`)")
                }
                Some(program) => self.no_code(program, name).unwrap_or_else(|| {
                    let near = near(&self.symbols.nearest(program, name));
                    format!(
                        ": {program}, which has ended, has no such name{near}; it waits for a program that has"
                    )
                }),
            };
        };
        if let Some(words) = self.no_code(&process.program, name) {
            return words;
        }
        if self.imports(name) {
            return ": a library has it that is not mapped yet; it waits for that".to_owned();
        }
        if running.iter().all(|process| self.symbols.is_stripped(&process.program)) {
            let kernels = match self.symbols.addresses_in_kernel(name).is_empty() {
                true => String::new(),
                false => format!("; the kernel's is `kernel:{name}`"),
            };
            let program = &process.program;
            return format!(
                ": {program} is stripped, it has no symbols{kernels}; it waits for a program that has"
            );
        }
        let near = near(&self.symbols.nearest(&process.program, name));
        let who = match running.as_slice() {
            [process] => format!("{} has no such name", process.program),
            _ => "no program that runs has such a name".to_owned(),
        };
        format!(": {who}{near}; it waits for a program that has")
    }

    /// What there is to say of a line or a function of a file of the source of which a program has no code.
    fn no_code(&self, program: &str, name: &str) -> Option<String> {
        const SHOWN: usize = 5;
        let (file, what) = match Named::of(name) {
            Named::Line(file, line) => (file, format!("code for line {line} of {file} or behind it")),
            Named::FunctionOf(file, function) => (file, format!("function {function} of {file}")),
            Named::Symbol(_) => return None,
        };
        let it = "it waits for a program that has";
        let of = self.symbols.program(program);
        let Some(lines) = of.lines() else {
            return Some(format!(": {program} does not tell lines of its source (compile it with -g); {it}"));
        };
        if lines.file(file).is_some() {
            return Some(format!(": {program} has no {what}; {it}"));
        }
        let mut files: Vec<&str> = lines.files().collect();
        files.sort_unstable();
        let more = files.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = files[..files.len().min(SHOWN)].join(", ");
        Some(format!(": {program} is made of {shown}{more}; {it}"))
    }

    /// The line of a place of a process's, behind `at`; nothing if it is not known, or what was asked for.
    fn line_at(&self, va: VirtAddr, satp: Option<Satp>, asked: &str) -> String {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let process = satp.and_then(|satp| guest.process_of_satp(satp.0));
        let loaded = process.and_then(|process| self.symbols.loaded_at(guest, process, va));
        let innermost = |loaded: &Loaded| match loaded.inlined(va).into_iter().next() {
            Some(frame) => frame.source,
            None => loaded.spot(va).source,
        };
        let source = loaded.as_ref().and_then(innermost).map(|source| source.to_string());
        source.filter(|source| source != asked).map_or_else(String::new, |source| format!(" at {source}"))
    }

    /// A line for each of the places of a breakpoint.
    fn places_text(&self, id: u64, places: &[(VirtAddr, Option<Satp>)]) -> String {
        const SHOWN: usize = 20;
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let mut text = String::new();
        for (number, (va, satp)) in (1..).zip(places).take(SHOWN) {
            let process = satp.and_then(|satp| guest.process_of_satp(satp.0));
            let kernel = || Loaded { file: Rc::clone(&self.symbols.kernel), bias: 0 };
            let loaded = match satp {
                Some(_) => process.and_then(|process| self.symbols.loaded_at(guest, process, *va)),
                None => Some(kernel()),
            };
            let file = process.and_then(|process| guest.vma_at(process.pid, *va));
            let library = file.filter(|vma| process.is_some_and(|process| vma.name != process.program));
            let library = library.map_or_else(String::new, |vma| format!(" of {}", vma.name));
            let place = loaded.map_or_else(String::new, |loaded| in_words(&loaded, *va)) + &library;
            let _ = writeln!(text, "    {id}.{number}  {va}{place}");
        }
        if places.len() > SHOWN {
            let _ = writeln!(text, "    and {} more", places.len() - SHOWN);
        }
        text
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
                _ if Named::of(name).is_of_file() => (name, pid),
                _ => return Err(format!("`{before}:` is neither `kernel:` nor a PID")),
            },
            _ => (name, pid),
        };
        let text = with_offset(name, offset);
        // A program that has lost its names may have this one; the kernel's is not what is meant.
        if pid.is_some() || self.programs_have(name) || self.programs_are_stripped() {
            return Ok((text, Where::Symbol(name.to_owned(), offset), pid));
        }
        match self.symbols.addresses_in_kernel(name).first() {
            Some(address) => Ok((text, Where::Kernel(address.wrapping_add(offset)), None)),
            None => Ok((text, Where::Symbol(name.to_owned(), offset), pid)),
        }
    }

    /// Whether a program that runs, or the one that will run first, has the symbol, or a library has it for them.
    fn programs_have(&self, name: &str) -> bool {
        self.programs().iter().any(|path| self.symbols.file_has(path, name))
            || self.libraries().iter().any(|path| self.symbols.file_has(path, name))
            || self.imports(name)
    }

    /// Whether one of them has a variable of this name for each thread.
    fn programs_have_of_threads(&self, name: &str) -> bool {
        let has = |path: &String| self.symbols.program(path).symbols().thread_local(name).is_some();
        self.programs().iter().any(has) || self.libraries().iter().any(has)
    }

    /// Whether one of them has this from a library, which it may not have mapped yet.
    fn imports(&self, name: &str) -> bool {
        self.programs().iter().any(|path| self.symbols.program_imports(path, name))
    }

    /// The files beside their programs of which processes have code.
    fn libraries(&self) -> BTreeSet<String> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let spaces = guest.processes().filter(|p| p.is_alive()).filter_map(|p| guest.space(p.pid));
        let vmas = spaces.flat_map(SpaceView::vmas);
        vmas.filter(|vma| vma.file != 0 && vma.flags & VMA_EXEC != 0).map(|vma| vma.name.clone()).collect()
    }

    /// Whether one of them has a variable of this name, in whatever function.
    fn programs_have_variable(&self, name: &str) -> bool {
        self.programs().iter().any(|path| self.symbols.program_has_variable(path, name))
    }

    /// The programs that run, and the one that will run first.
    pub(super) fn programs(&self) -> Vec<String> {
        let tap = self.tap.borrow();
        let running = tap.trace().guest.processes().filter(|p| p.is_alive()).map(|p| p.program.clone());
        let all = running.chain(self.first_program.clone());
        all.filter(|path| !path.is_empty()).collect()
    }

    /// Whether there are some, and none has any symbol.
    pub(super) fn programs_are_stripped(&self) -> bool {
        let programs = self.programs();
        !programs.is_empty() && programs.iter().all(|path| self.symbols.is_stripped(path))
    }

    /// The page of an address, the pages of a variable, or those from one address to another. In every process, unless an address names one.
    fn pages(
        &mut self,
        target: &dyn Target,
        from: &Expression,
        to: Option<&Expression>,
    ) -> Result<Pages, String> {
        let (start, pid) = self.evaluate(target, from)?;
        let end = to.map(|to| self.evaluate(target, to)).transpose()?;
        // Of a pointer it is where it points, of which no size is known.
        let place = self.looking(target, |names| expression::place(from.node(), names)).ok().flatten();
        let whole = place.map(|(bytes, _)| bytes).filter(|bytes| bytes.start == start.0 && !bytes.is_empty());
        let end = end.map(|(end, _)| end.0).or(whole.map(|bytes| bytes.end));
        let last = end.map_or(start, |end| VirtAddr(end.wrapping_sub(1)));
        if last < start {
            return Err(format!("the pages from {start} on end before they begin"));
        }
        let range = start.page()..Vpn(last.page().0 + 1);
        let named = std::iter::once(from)
            .chain(to)
            .filter(|of| number_of_c(of.text()).is_err() && place_of(of.text()).is_none());
        let words = named.map(Expression::text).collect::<Vec<_>>().join(" to ");
        Ok(Pages { range, pid, words })
    }

    /// A line about a place where nothing is mapped now, so that no page is there to be given: of a pointer, that it points there.
    fn emptiness(&self, target: &dyn Target, from: &Expression) -> Result<String, String> {
        let (va, pid) = self.evaluate(target, from)?;
        let pid = pid.or_else(|| self.space_of(&self.now(target)).process());
        let is_mapped = |pid| self.tap.borrow().trace().guest.vma_at(pid, va).is_some();
        if matches!(Where::address(va.0), Where::Kernel(_)) || pid.is_none_or(is_mapped) {
            return Ok(String::new());
        }
        let is_pointer =
            |names: &Vantage<'_>| expression::value(from.node(), names).is_ok_and(|value| value.is_pointer());
        if !self.looking(target, is_pointer) {
            return Ok(format!(
                "nothing is mapped at {va} so far: such a fault comes there when something is\n"
            ));
        }
        let name = from.text();
        Ok(format!(
            "`{name}` points to {va} now, where nothing is mapped: no such fault can come there. `if page(va) == page({name})` asks \
             where it points at a fault, `&{name}` is where it is itself\n"
        ))
    }

    fn add_catch(
        &mut self,
        target: &dyn Target,
        occasion: Occasion,
        condition: Option<Condition>,
    ) -> Result<String, String> {
        let mut empty = String::new();
        let catch = match occasion {
            Occasion::Fault { faults, from, to } => {
                if let Some(from) = from.as_ref().filter(|_| to.is_none() && faults.need_a_mapping()) {
                    empty = self.emptiness(target, from)?;
                }
                let pages = from.map(|from| self.pages(target, &from, to.as_ref())).transpose()?;
                Catch::Fault(faults, pages)
            }
            Occasion::Happening(happening) => Catch::Happening(happening),
            Occasion::TlbMiss => Catch::TlbMiss,
            Occasion::Syscall(None) => Catch::Syscall(None),
            Occasion::Syscall(Some(name)) => {
                Catch::Syscall(Some(numbered(name, "system call", &self.calls)?))
            }
            Occasion::Signal(name) => {
                let signal = numbered(name, "signal", &self.signals)?;
                // A number alone says little in what is told of it.
                let known = self.signals.iter().find(|(number, _)| *number == signal.number);
                let name = known.map_or(signal.name, |(_, name)| (*name).to_owned());
                Catch::Signal(Numbered { name, ..signal })
            }
        };
        let strange = condition.as_ref().map_or_else(String::new, |condition| self.strange_names(condition));
        let text = format!("{catch}{}", when(condition.as_ref()));
        let id = self.points.add(What::Catch(catch), condition, false);
        self.points_changed();
        Ok(format!("catchpoint {id}: {text}\n{empty}{strange}"))
    }

    /// Complains of a number, or of a range of them, that no point has; of none at all if there are no points.
    fn check_numbers(&self, numbers: &[RangeInclusive<u64>]) -> Result<(), String> {
        let has = |range: &RangeInclusive<u64>| self.points.iter().any(|point| range.contains(&point.id));
        match numbers.iter().find(|range| !has(range)).map(|range| (*range.start(), *range.end())) {
            Some((first, last)) if first == last => {
                Err(format!("there is no breakpoint, catchpoint or watchpoint {first}"))
            }
            Some((first, last)) => {
                Err(format!("there are no breakpoints, catchpoints or watchpoints {first} to {last}"))
            }
            None if self.points.iter().next().is_none() => {
                Err("there are no breakpoints, catchpoints or watchpoints".to_owned())
            }
            None => Ok(()),
        }
    }

    fn list_stops(&mut self, is_meant: impl Fn(&What) -> bool) -> String {
        self.arm();
        let mut text = String::new();
        for point in self.points.iter().filter(|point| is_meant(&point.what)) {
            let (id, title) = (point.id, point.what.title());
            let mut places = Vec::new();
            let _ = match &point.what {
                What::Break(breakpoint) => {
                    places = self.armed.places_of(id);
                    let place = match (&breakpoint.at, places.as_slice()) {
                        (Where::Kernel(va), _) => format!("{va} of the kernel"),
                        (Where::KernelFunctions(list), _) => format!("{} places of the kernel", list.len()),
                        (_, []) => "waits".to_owned(),
                        (_, [(va, _)]) => va.to_string(),
                        (_, list) => format!("{} places", list.len()),
                    };
                    let only =
                        breakpoint.pid.map(|pid| format!(", in process {pid} only")).unwrap_or_default();
                    write!(text, "{title} {id} at {} ({place}{only})", breakpoint.text)
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
            if places.len() > 1 {
                text.push_str(&self.places_text(id, &places));
            }
            for command in &point.commands {
                let _ = writeln!(text, "    {command}");
            }
        }
        if text.is_empty() {
            let is_all = self.points.iter().next().is_none();
            text.push_str(if is_all {
                "there are no breakpoints, catchpoints or watchpoints\n"
            } else {
                "there are no watchpoints\n"
            });
        }
        text
    }
}

/// A system call or a signal by its name, with or without what all begin with, or by its number.
fn numbered(name: String, what: &str, known: &[(u64, &'static str)]) -> Result<Numbered, String> {
    let is_it = |known: &str| known == name || known.strip_prefix("SIG") == Some(&name);
    let found = known.iter().find(|(_, known)| is_it(known));
    if let Some((number, name)) = found {
        return Ok(Numbered { number: *number, name: (*name).to_owned() });
    }
    if let Some(number) = parse_number(&name) {
        return Ok(Numbered { number, name });
    }
    let near = nearest(&name, known.iter().map(|&(_, known)| known));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("there is no {what} `{name}`{near}"))
}

/// Whether a point is one of these; all are if there are no numbers.
fn is_meant(numbers: &[RangeInclusive<u64>], id: u64) -> bool {
    numbers.is_empty() || numbers.iter().any(|range| range.contains(&id))
}

/// A condition as it stands behind what it is for.
fn when(condition: Option<&Condition>) -> String {
    condition.map(|condition| format!(" if {}", condition.text())).unwrap_or_default()
}

/// The function and the line at an address, and into which other function the compiler has put it there.
fn in_words(loaded: &Loaded, va: VirtAddr) -> String {
    let (spot, inlined) = (loaded.spot(va), loaded.inlined(va));
    let symbol = spot.symbol.as_deref().map(without_offset);
    let name = |frame: Option<&InlineFrame>| frame.and_then(|frame| frame.function.clone());
    let function = name(inlined.first()).or(symbol.map(str::to_owned));
    let function = function.map_or_else(String::new, |function| format!(" in {function}"));
    let source = inlined.first().map_or(spot.source, |frame| frame.source.clone());
    let source = source.map_or_else(String::new, |source| format!(" at {source}"));
    let outer = name(inlined.last()).filter(|_| inlined.len() > 1);
    let into = outer.map_or_else(String::new, |outer| format!(", inlined into {outer}"));
    format!("{function}{source}{into}")
}

/// Names like one that there is not, in brackets; nothing if there are none.
pub(super) fn near(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { String::new() } else { format!(" (near are {})", quoted.join(", ")) }
}

/// `PID:NUMBER`: an address of a process.
pub(super) fn place_of(name: &str) -> Option<(u64, u64)> {
    let (pid, number) = name.split_once(':')?;
    Some((pid.parse().ok()?, number_of_c(number).ok()?))
}

fn with_offset(name: &str, offset: u64) -> String {
    if offset == 0 { name.to_owned() } else { format!("{name}+{offset:#x}") }
}
