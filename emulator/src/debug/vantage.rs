//! From where an expression is looked at: whose registers, which frame of the stack, whose memory, what is known of a stop.
//!
//! [`Vantage`] gives names their meaning: first the facts of a stop, then what the function at work sees, the process's program, the
//! kernel. Looking changes nothing: pages that are not in memory are read from where they are.

use super::condition::Fact;
use super::execute::Debugger;
use super::expression::Names;
use super::peek::{self, Files, View};
use super::points::Scene;
use super::registers;
use super::space::{Space, absence, loaded_at, name_at, space_of_process};
use super::stops::place_of;
use super::symbols::{Named, Symbols};
use super::target::{Registers, Target};
use super::thread_local;
use crate::source::{Frame, Held, Loaded, Look, Scope, Type, Value, Variables, Whose, without_offset};
use crate::trace::Trace;
use core::ops::Range;
use isa::{Privilege, VirtAddr, reg};
use std::cell::RefCell;

/// From where one looks.
pub(super) struct Vantage<'a> {
    target: &'a dyn Target,
    pub(super) trace: &'a Trace,
    pub(super) symbols: &'a Symbols,
    files: &'a Files,
    /// The registers of who is looked at, or why they are not known.
    registers: Result<Registers, String>,
    /// Where addresses are looked up that say nothing else.
    pub(super) here: Space,
    /// Why nothing is there any more, if who is looked at has ended.
    gone: Option<String>,
    /// The process whose names are meant.
    process: Option<u64>,
    /// The program that was looked at last, if none runs any more: a name is meant to be its.
    pub(super) over: Option<String>,
    /// The function that is looked at, and how many of those put into it there are left out.
    pub(super) frame: Option<(Frame, usize)>,
    /// What is known of a stop, and how often it was come to there.
    pub(super) facts: Option<(Scene, u64)>,
    notes: RefCell<peek::Notes>,
    /// What there is to say beside the values.
    remarks: RefCell<Vec<String>>,
}

impl Debugger {
    /// Looks from where the debugger does: at the frame, thread, process or hart that was chosen.
    pub(super) fn looking<T>(&self, target: &dyn Target, look: impl FnOnce(&Vantage<'_>) -> T) -> T {
        self.looking_from(target, self.chosen_frame(target), look)
    }

    /// The same, at another function of the stack, without the so many innermost that were put into it.
    pub(super) fn looking_from<T>(
        &self,
        target: &dyn Target,
        frame: Option<(Frame, usize)>,
        look: impl FnOnce(&Vantage<'_>) -> T,
    ) -> T {
        let now = self.now(target);
        let registers = self.check_registers().map(|()| now);
        let frame = frame.filter(|_| registers.is_ok());
        let here = self.space_of(&now);
        let process = self.selected_process().or(here.process());
        let tap = self.tap.borrow();
        let vantage = self.vantage(target, tap.trace(), registers, here, process);
        look(&Vantage { frame, ..vantage })
    }

    /// Looks from where something might stop, `hits` times met so far.
    pub(super) fn looking_at<T>(
        &self,
        target: &dyn Target,
        scene: Scene,
        hits: u64,
        look: impl FnOnce(&Vantage<'_>) -> T,
    ) -> T {
        self.looking_at_frame(target, scene, hits, None, look)
    }

    /// The same, at another function of the stack there.
    pub(super) fn looking_at_frame<T>(
        &self,
        target: &dyn Target,
        scene: Scene,
        hits: u64,
        frame: Option<Frame>,
        look: impl FnOnce(&Vantage<'_>) -> T,
    ) -> T {
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let now = scene.registers.unwrap_or_else(|| target.registers());
        let registers = scene.registers.ok_or_else(|| "the registers are not known here".to_owned());
        let of_process = scene.pid.and_then(|pid| space_of_process(&trace.guest, &now, pid).ok());
        let here = of_process.unwrap_or_else(|| self.space_of(&now));
        let frame = registers.as_ref().ok().map(|now| (frame.unwrap_or_else(|| innermost(now)), 0));
        let vantage = self.vantage(target, trace, registers, here, scene.pid);
        look(&Vantage { frame, facts: Some((scene, hits)), gone: None, ..vantage })
    }

    /// Whether the function whose code is at an address of whom one looks at sees a name.
    pub(super) fn sees(&self, target: &dyn Target, pc: VirtAddr, name: &str) -> bool {
        let here = self.space_of(&self.now(target));
        let process = self.selected_process().or(here.process());
        let tap = self.tap.borrow();
        // Which registers it will have is not known yet: what is in them is seen all the same.
        let registers = Err("the registers are not known yet".to_owned());
        let vantage = self.vantage(target, tap.trace(), registers, here, process);
        let frame = Some((Frame::somewhere(pc.0), 0));
        Vantage { frame, ..vantage }.named(name).is_ok()
    }

    fn vantage<'a>(
        &'a self,
        target: &'a dyn Target,
        trace: &'a Trace,
        registers: Result<Registers, String>,
        here: Space,
        process: Option<u64>,
    ) -> Vantage<'a> {
        let (symbols, files, notes, remarks) =
            (&self.symbols, &self.files, RefCell::default(), RefCell::default());
        let (frame, facts, gone) = (None, None, self.check_page_table().err());
        let over = self.last_program.clone().filter(|_| process.is_none() && trace.guest.is_over());
        Vantage {
            target,
            trace,
            symbols,
            files,
            registers,
            here,
            gone,
            process,
            over,
            frame,
            facts,
            notes,
            remarks,
        }
    }
}

/// The frame of the function that registers are in.
pub(super) fn innermost(now: &Registers) -> Frame {
    Frame::innermost(now.pc.0, &now.x).with_floats(&now.f)
}

impl Vantage<'_> {
    /// What is read and written with.
    pub(super) fn text(
        &self,
        value: &Value,
        format: Option<crate::source::Format>,
    ) -> Result<String, String> {
        let read = &|whose, address, into: &mut [u8]| self.read(whose, address, into);
        let symbol = &|address| name_at(self.symbols, &self.trace.guest, &self.here, VirtAddr(address));
        value.text(&Look { read, symbol, format })
    }

    /// What there is to say beside the values, and of pages that were read and are not in memory.
    pub(super) fn notes(&self) -> String {
        let mut remarks = self.remarks.borrow().clone();
        remarks.dedup();
        let remarks: String = remarks.iter().map(|remark| format!("   ({remark})\n")).collect();
        remarks + &self.notes.borrow().text()
    }

    /// The parameters or the variables of the function that is looked at.
    pub(super) fn variables(&self, which: Variables) -> Result<Vec<(String, Value)>, String> {
        let (frame, level) = self.frame.as_ref().ok_or_else(|| {
            self.registers.as_ref().err().cloned().unwrap_or_else(|| "no function is looked at".to_owned())
        })?;
        let at = VirtAddr(frame.at_work());
        let unknown = || format!("nothing is known of the code at {at}");
        let loaded = loaded_at(self.symbols, &self.trace.guest, &self.here, at).ok_or_else(unknown)?;
        let lines = loaded.file.lines().ok_or_else(|| self.without_lines(&loaded, at))?;
        if lines.at(at.0.wrapping_sub(loaded.bias)).is_none() {
            // As `bt` has it: of a caller where it goes on.
            let pc = VirtAddr(frame.pc);
            let spot = if frame.is_exact { loaded.spot(pc) } else { loaded.spot_of_return(pc) };
            let name = spot.symbol.unwrap_or_else(|| pc.to_string());
            return Err(format!("there is no debug information of {name}{}", self.up()));
        }
        let read = &|whose, address, into: &mut [u8]| self.read(whose, address, into);
        Ok(lines.variables(which, &self.scope(Some((frame, *level)), &loaded, read, None)))
    }

    fn scope<'b>(
        &self,
        frame: Option<(&'b Frame, usize)>,
        loaded: &'b Loaded,
        read: crate::source::ReadMemory<'b>,
        whose: Whose,
    ) -> Scope<'b> {
        let (thread_pointer, thread_block) = (self.thread_pointer(whose), self.thread_block(whose, loaded));
        let (frame, level) = frame.map_or((None, 0), |(frame, level)| (Some(frame), level));
        Scope { frame, level, thread_pointer, thread_block, loaded, read, whose }
    }

    /// What the thread that is looked at has its own variables by, if it is one of that process.
    fn thread_pointer(&self, whose: Whose) -> Option<u64> {
        let is_own = whose.is_none() || whose == self.process;
        self.registers.as_ref().ok().map(|now| now.x[usize::from(reg::TP)]).filter(|_| is_own)
    }

    /// Where that thread's own variables of a file begin.
    fn thread_block(&self, whose: Whose, loaded: &Loaded) -> Option<u64> {
        let pointer = self.thread_pointer(whose)?;
        if !loaded.file.symbols().has_thread_locals() {
            return Some(pointer);
        }
        let guest = &self.trace.guest;
        let process = guest.process(whose.or(self.process)?)?;
        if self.symbols.loaded(guest, process).is_none_or(|program| program.bias == loaded.bias) {
            return Some(pointer);
        }
        let read = |at| {
            let mut bytes = [0; 8];
            self.read(whose, at, &mut bytes).ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let files = self.symbols.all_loaded(guest, process);
        let debug = files.iter().find_map(|loaded| {
            Some(loaded.file.symbols().range_of("_r_debug")?.start.wrapping_add(loaded.bias))
        });
        let entry = thread_local::entry_at(&read, debug?, loaded.bias)?;
        thread_local::block_of(&read, pointer, guest.first_page_of_program(process.pid)?.0, entry)
    }

    /// A variable of a file.
    fn variable(
        &self,
        loaded: &Loaded,
        name: &str,
        frame: Option<(&Frame, usize)>,
        whose: Whose,
    ) -> Option<Value> {
        let lines = loaded.file.lines()?;
        let read = &|whose, address, into: &mut [u8]| self.read(whose, address, into);
        let scope = self.scope(frame, loaded, read, whose);
        match name.rsplit_once(':').filter(|(file, _)| !file.ends_with(':')) {
            Some((file, name)) => lines.variable_of(file, name, &scope),
            None => lines.variable(name, &scope),
        }
    }

    /// A symbol of a file: a function with its type, or data of which only the size is known.
    /// `declared` is the type that somebody tells of data.
    fn symbol(&self, loaded: &Loaded, name: &str, declared: Option<&Type>, whose: Whose) -> Option<Value> {
        let symbols = loaded.file.symbols();
        let lines = loaded.file.lines();
        let data = |range: &Range<u64>| declared.cloned().unwrap_or(Type::Unknown(range.end - range.start));
        if let Some(range) = symbols.range_of(name) {
            let function = || lines.and_then(|lines| lines.function_type(range.start));
            let type_ = match symbols.is_function(name) {
                true => function().unwrap_or(Type::Unknown(0)),
                false => data(&range),
            };
            return Some(Value::place(type_, range.start.wrapping_add(loaded.bias), whose));
        }
        let range = symbols.thread_local(name)?;
        let held = match self.thread_block(whose, loaded) {
            Some(block) => Held::Memory(block.wrapping_add(range.start)),
            None => Held::Lost("each thread's own"),
        };
        Some(Value { type_: data(&range), held, whose })
    }

    /// The type of data that one of these files declares.
    fn declared(files: &[Loaded], name: &str) -> Option<Type> {
        files.iter().find_map(|loaded| loaded.file.lines()?.declared_type(name))
    }

    /// What the function that is looked at sees.
    fn local(&self, name: &str) -> Option<Value> {
        let (frame, level) = self.frame.as_ref()?;
        let loaded = loaded_at(self.symbols, &self.trace.guest, &self.here, VirtAddr(frame.at_work()))?;
        let seen = |name: &str| self.variable(&loaded, name, Some((frame, *level)), None);
        let read = &|whose, address, into: &mut [u8]| self.read(whose, address, into);
        // By the name of the function, too, as in gdb: `main::count`.
        let of_function = || {
            let (function, name) = name.rsplit_once("::")?;
            let at_work = loaded.file.symbols().name_of(frame.at_work().wrapping_sub(loaded.bias))?;
            (without_offset(&at_work) == function).then(|| seen(name)).flatten()
        };
        // A method of C++'s sees the members of its object.
        let of_object = || seen("this")?.behind(read).ok()?.member(name, read).ok();
        seen(name).or_else(of_function).or_else(of_object)
    }

    /// Whether a program is looked at, and not the kernel.
    fn is_in_program(&self) -> bool {
        let is_user = |now: &Registers| now.privilege == Privilege::User;
        self.process.is_some() && self.registers.as_ref().map_or(true, is_user)
    }

    fn of_process(&self, pid: u64, name: &str, whose: Whose) -> Option<Value> {
        let guest = &self.trace.guest;
        let process = guest.process(pid)?;
        let files = self.symbols.all_loaded(guest, process);
        let code = || {
            let va = *self.symbols.addresses_in_process(guest, process, name).first()?;
            Some(Value::place(Type::Unknown(0), va.0, whose))
        };
        let variable = |loaded: &Loaded| self.variable(loaded, name, None, whose);
        match Named::of(name) {
            Named::Line(..) => code(),
            Named::FunctionOf(..) => files.iter().find_map(variable).or_else(code),
            Named::Symbol(_) => {
                let declared = Self::declared(&files, name);
                let symbol = |loaded: &Loaded| {
                    variable(loaded).or_else(|| self.symbol(loaded, name, declared.as_ref(), whose))
                };
                let lost =
                    || Some(Value { type_: declared.clone()?, held: Held::Lost("optimized out"), whose });
                files.iter().find_map(symbol).or_else(lost)
            }
        }
    }

    /// What a name of the program meant that was looked at last, when none runs any more: its type and where it was are known, not what
    /// it held.
    fn of_ended(&self, name: &str) -> Option<Value> {
        let program = self.over.as_ref().filter(|_| self.facts.is_none())?;
        let ended = self.trace.guest.processes().filter(|process| process.program == *program).last()?;
        self.of_process(ended.pid, name, Some(ended.pid))
    }

    pub(super) fn of_kernel(&self, name: &str) -> Option<Value> {
        let va = *self.symbols.addresses_in_kernel(name).first()?;
        let loaded = loaded_at(self.symbols, &self.trace.guest, &self.here, VirtAddr(u64::MAX))?;
        if Named::of(name).is_of_file() {
            return Some(Value::place(Type::Unknown(0), va.0, None));
        }
        let declared = Self::declared(std::slice::from_ref(&loaded), name);
        let symbol = self.symbol(&loaded, name, declared.as_ref(), None)?;
        Some(self.variable(&loaded, name, None, None).unwrap_or(symbol))
    }

    fn fact(&self, name: &str) -> Option<Result<Value, String>> {
        let (scene, hits) = self.facts.as_ref()?;
        let fact = match Fact::from_name(name)? {
            Fact::Pid => scene.pid,
            Fact::Tid => scene.tid,
            Fact::Va => scene.va,
            Fact::Pc => scene.pc,
            Fact::Frame => scene.frame.filter(|&frame| frame != 0),
            Fact::Hits => Some(*hits),
        };
        Some(fact.map(Value::register).ok_or_else(|| format!("`{name}` is not known here")))
    }

    /// The address of the last fault, and the process that had it.
    fn fault(&self) -> Result<Value, String> {
        let fault = self.trace.last_fault.as_ref().ok_or("there has been no page fault yet")?;
        let pid = fault.record.pid;
        match self.trace.guest.process(pid) {
            Some(process) if process.space != fault.record.space => {
                Err(format!("process {pid}, which had the last fault, runs another program since"))
            }
            _ => Ok(Value { whose: Some(pid).filter(|&pid| pid != 0), ..Value::register(fault.record.va) }),
        }
    }

    fn space(&self, whose: Whose) -> Result<Space, String> {
        match whose {
            None => self.gone.clone().map_or_else(|| Ok(self.here.clone()), Err),
            Some(pid) => {
                let now = self.registers.clone().unwrap_or_else(|_| self.target.registers());
                space_of_process(&self.trace.guest, &now, pid)
            }
        }
    }
}

impl Names for Vantage<'_> {
    fn named(&self, text: &str) -> Result<Value, String> {
        if let Some(fact) = self.fact(text) {
            return fact;
        }
        if let Some((pid, va)) = place_of(text) {
            return Ok(Value::place(Type::Unknown(8), va, Some(pid)));
        }
        let owner = text.split_once(':').filter(|(_, name)| !name.starts_with(':'));
        let of_pid = owner.and_then(|(pid, name)| Some((pid.parse::<u64>().ok()?, name)));
        match (owner, of_pid) {
            (Some(("kernel", name)), _) => {
                self.of_kernel(name).ok_or_else(|| format!("the kernel has no `{name}`"))
            }
            (_, Some((pid, name))) => {
                let own = if Some(pid) == self.process { self.local(name) } else { None };
                own.map(|value| Value { whose: Some(pid), ..value })
                    .or_else(|| self.of_process(pid, name, Some(pid)))
                    .ok_or_else(|| self.missing(name, Some(pid)))
            }
            _ => self
                .local(text)
                .or_else(|| self.of_process(self.process?, text, None))
                .or_else(|| self.of_kernel(text).filter(|_| !self.is_in_program() && self.over.is_none()))
                .or_else(|| self.of_ended(text))
                .ok_or_else(|| self.missing(text, self.process)),
        }
    }

    fn register(&self, name: &str) -> Result<Value, String> {
        if name == "fault" {
            return self.fault();
        }
        let now = self.registers.clone()?;
        let unknown = || format!("there is no register or CSR `${name}`");
        let value = registers::value(self.target, &now, name).ok_or_else(unknown)?;
        let of_bits = match registers::is_float(name) {
            true => Value::float_register,
            false => Value::register,
        };
        let Some((frame, _)) = &self.frame else { return Ok(of_bits(value)) };
        match registers::of_frame(frame, name) {
            Some(Some(value)) => Ok(of_bits(value)),
            Some(None) => Ok(Value { held: Held::Lost("not saved"), ..of_bits(0) }),
            None => Ok(of_bits(value)),
        }
    }

    fn type_named(&self, name: &str) -> Option<Type> {
        let guest = &self.trace.guest;
        let of_frame = || {
            let (frame, _) = self.frame.as_ref()?;
            loaded_at(self.symbols, guest, &self.here, VirtAddr(frame.at_work()))?
                .file
                .lines()?
                .type_named(name)
        };
        let of_process = || {
            let process = guest.process(self.process?)?;
            self.symbols.loaded(guest, process)?.file.lines()?.type_named(name)
        };
        let of_over = || self.symbols.program(self.over.as_deref()?).lines()?.type_named(name);
        of_frame().or_else(of_process).or_else(of_over)
    }

    fn symbol_at(&self, address: u64, whose: Whose) -> Option<Range<u64>> {
        let space = self.space(whose).ok()?;
        let Loaded { file, bias } = loaded_at(self.symbols, &self.trace.guest, &space, VirtAddr(address))?;
        let range = file.symbols().range_at(address.wrapping_sub(bias))?;
        Some(range.start.wrapping_add(bias)..range.end.wrapping_add(bias))
    }

    fn remark(&self, remark: String) {
        self.remarks.borrow_mut().push(remark);
    }

    fn read(&self, whose: Whose, address: u64, into: &mut [u8]) -> Result<(), String> {
        let space = self.space(whose).map_err(|why| match &self.over {
            Some(program) => format!("{program} has ended, and its memory is gone (`run` begins it anew)"),
            None => why,
        })?;
        let view = View { memory: self.target, trace: self.trace, files: self.files };
        let read = self.notes.borrow_mut().read(&view, &space, VirtAddr(address), into);
        read.map_err(|va| format!("{va}: {}", absence(self.symbols, self.trace, &space, va)))
    }
}
