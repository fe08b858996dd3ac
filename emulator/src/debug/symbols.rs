//! Names and source lines of addresses, in the kernel and in the processes of the guest.

use super::command::distance_within;
use crate::source::{Loaded, ProgramFile, Programs, SourceLine};
use crate::trace::{GuestView, Library, Place, ProcessView, SpaceView, VmaView};
use isa::VirtAddr;
use isa::events::VMA_EXEC;
use std::rc::Rc;

/// The kernel's file, and those of programs as they are needed.
#[derive(Clone)]
pub(super) struct Symbols {
    pub(super) kernel: Rc<ProgramFile>,
    programs: Rc<Programs>,
}

impl Symbols {
    pub(super) fn new(kernel: Option<&[u8]>, programs: Rc<Programs>) -> Self {
        let kernel = kernel.map(|bytes| ProgramFile::read(bytes.to_vec())).unwrap_or_default();
        Self { kernel: Rc::new(kernel), programs }
    }

    /// The files of programs.
    pub(super) fn programs(&self) -> &Rc<Programs> {
        &self.programs
    }

    /// The file of a program.
    pub(super) fn program(&self, path: &str) -> Rc<ProgramFile> {
        self.programs.get(path)
    }

    /// The lines of a source file, if it can be had.
    pub(super) fn source_lines(&self, source: &SourceLine) -> Option<Rc<Vec<String>>> {
        self.programs.source_lines(source)
    }

    /// A line about a file that a program is made of and that is newer than the program, so that its lines may be others by now; once.
    pub(super) fn newer_source(&self, program: &str, source: &SourceLine) -> String {
        let is_its = self.program(program).lines().is_some_and(|lines| lines.has_file(source));
        if is_its && self.programs.take_newer(program, source) {
            return format!("   ({} is newer than the program: compile it again)\n", source.file);
        }
        String::new()
    }

    /// The text of a line, if its file can be had.
    pub(super) fn source_text(&self, source: &SourceLine) -> Option<String> {
        let index = usize::try_from(source.line).ok()?.checked_sub(1)?;
        self.source_lines(source)?.get(index).cloned()
    }

    /// The bits of the instruction at a place of a program, if its file tells.
    pub(super) fn instruction(&self, place: &Place) -> Option<u32> {
        let Loaded { file, bias } = loaded_of(&self.programs, place)?;
        file.instruction(place.va.0.wrapping_sub(bias))
    }

    /// The names of a program that are most like `name`, a few at most: those that begin so, then those that differ in few letters;
    /// functions that the whole program knows before others.
    pub(super) fn nearest(&self, path: &str, name: &str) -> Vec<String> {
        const MOST: usize = 3;
        let allowed = (name.chars().count() / 2).clamp(1, 3);
        let file = self.program(path);
        let likeness = |other: &str, is_global_function: bool| {
            let begins_so = other.starts_with(name);
            let longer = || other.chars().count() - name.chars().count();
            let distance = if begins_so { Some(longer()) } else { distance_within(name, other, allowed) };
            let place = if is_global_function { 0 } else { 1 };
            Some((!begins_so, place, distance?))
        };
        let variables = file.lines().into_iter().flat_map(|lines| lines.variable_names());
        let names = file.symbols().names().chain(variables.map(|name| (name, false)));
        let mut near: Vec<_> = names.filter_map(|(name, is)| Some((likeness(name, is)?, name))).collect();
        near.sort_unstable();
        near.dedup_by_key(|(_, name)| *name);
        near.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
    }

    /// The names of a program that begin so.
    pub(super) fn beginning_with(&self, path: &str, beginning: &str) -> Vec<String> {
        let file = self.program(path);
        let variables = file.lines().into_iter().flat_map(|lines| lines.variable_names());
        let variables = variables.filter(|name| name.starts_with(beginning)).map(str::to_owned);
        file.symbols().beginning_with(beginning).into_iter().chain(variables).collect()
    }

    /// Whether nothing in a program has a name: it was stripped.
    pub(super) fn is_stripped(&self, path: &str) -> bool {
        self.program(path).symbols().names().next().is_none()
    }

    /// Whether a program or a library has a symbol or a line of the source.
    pub(super) fn file_has(&self, path: &str, name: &str) -> bool {
        let file = self.program(path);
        !addresses_of(&file, name).is_empty() || !stops_of(&file, name).is_empty()
    }

    /// Whether a program has a symbol from a library.
    pub(super) fn program_imports(&self, path: &str, name: &str) -> bool {
        self.program(path).imports(name)
    }

    /// Whether a program has a variable of this name, in whatever function.
    pub(super) fn program_has_variable(&self, path: &str, name: &str) -> bool {
        let file = self.program(path);
        let name = name.rsplit(':').next().unwrap_or(name);
        file.lines().is_some_and(|lines| lines.variable_names().any(|known| known == name))
    }

    /// The addresses that a symbol or a line of the source has in the kernel.
    pub(super) fn addresses_in_kernel(&self, name: &str) -> Vec<VirtAddr> {
        addresses_of(&self.kernel, name).into_iter().map(VirtAddr).collect()
    }

    /// Where functions of a name begin in the kernel.
    pub(super) fn functions_in_kernel(&self, name: &str) -> Vec<VirtAddr> {
        match Named::of(name) {
            Named::Symbol(name) => {
                self.kernel.functions_called(name, None).iter().copied().map(VirtAddr).collect()
            }
            Named::Line(..) | Named::FunctionOf(..) => self.addresses_in_kernel(name),
        }
    }

    /// The file of a process's program; `None` as long as it is not mapped.
    pub(super) fn loaded(&self, guest: &GuestView, process: &ProcessView) -> Option<Loaded> {
        guest.last_space(process.pid)?;
        let file = self.program(&process.program);
        let bias = file.load_bias(guest.first_page_of_program(process.pid))?;
        Some(Loaded { file, bias })
    }

    /// The files of which a process has code: its program, then the libraries that it has mapped.
    pub(super) fn all_loaded(&self, guest: &GuestView, process: &ProcessView) -> Vec<Loaded> {
        let vmas = guest.last_space(process.pid).into_iter().flat_map(SpaceView::vmas);
        let is_library =
            |vma: &&VmaView| vma.file != 0 && vma.flags & VMA_EXEC != 0 && vma.name != process.program;
        let of = |vma: &VmaView| mapped(&self.programs, &vma.name, vma.start, vma.offset_bytes);
        let libraries = vmas.filter(is_library).filter_map(of);
        self.loaded(guest, process).into_iter().chain(libraries).collect()
    }

    /// The file whose code or data a process has at an address.
    pub(super) fn loaded_at(&self, guest: &GuestView, process: &ProcessView, va: VirtAddr) -> Option<Loaded> {
        loaded_at(&self.programs, guest, process, va)
    }

    /// Where a symbol is in a process's program, or where its statements begin of a line of the source.
    pub(super) fn addresses_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Vec<VirtAddr> {
        self.placed(guest, process, |file| addresses_of(file, name))
    }

    /// Where a breakpoint stops, in the order of the addresses: at each function that is called so, behind the code that makes room on
    /// the stack, so that its arguments are where the debug information says, and where the compiler has put it into others.
    pub(super) fn stops_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Vec<VirtAddr> {
        self.placed(guest, process, |file| stops_of(file, name))
    }

    /// Addresses of a program's file and of those of its libraries, where a process has them.
    fn placed(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        addresses: impl Fn(&ProgramFile) -> Vec<u64>,
    ) -> Vec<VirtAddr> {
        let all = self.all_loaded(guest, process).into_iter();
        let in_process = |Loaded { file, bias }: Loaded| {
            addresses(&file).into_iter().map(move |address| VirtAddr(address.wrapping_add(bias)))
        };
        all.flat_map(in_process).collect()
    }

    /// The symbol at an address of a process: of its program or of another file that it has mapped there; where the kernel has put code of
    /// its own, what the mapping is called.
    pub(super) fn name_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        va: VirtAddr,
    ) -> Option<String> {
        let loaded = self.loaded_at(guest, process, va).or_else(|| self.loaded(guest, process));
        let symbol = loaded.and_then(|loaded| loaded.file.name_of(va.0.wrapping_sub(loaded.bias)));
        symbol.or_else(|| {
            let vma = guest.last_space(process.pid)?.vma_at(va)?;
            let is_kernels = vma.name.starts_with('[') && vma.flags & VMA_EXEC != 0;
            is_kernels.then(|| match va.0 - vma.start.0 {
                0 => vma.name.clone(),
                offset => format!("{}+{offset:#x}", vma.name),
            })
        })
    }
}

/// The file whose code or data a process has at an address. What is mapped of no file is data that begins as zeros: of the file
/// right in front of it, or of its program.
pub fn loaded_at(
    programs: &Programs,
    guest: &GuestView,
    process: &ProcessView,
    va: VirtAddr,
) -> Option<Loaded> {
    let space = guest.last_space(process.pid)?;
    let mut vma = space.vma_at(va)?;
    while vma.file == 0
        && let Some(before) = vma.start.0.checked_sub(1).and_then(|before| space.vma_at(VirtAddr(before)))
    {
        vma = before;
    }
    if vma.file != 0 && vma.name != process.program {
        return mapped(programs, &vma.name, vma.start, vma.offset_bytes);
    }
    let file = programs.get(&process.program);
    let bias = file.load_bias(guest.first_page_of_program(process.pid))?;
    Some(Loaded { file, bias })
}

/// The file whose code or data a place is in.
pub fn loaded_of(programs: &Programs, place: &Place) -> Option<Loaded> {
    if let Some(Library { path, start, offset_bytes }) = &place.library {
        return mapped(programs, path, *start, *offset_bytes);
    }
    let file = programs.get(&place.program);
    let bias = file.load_bias(place.first_page)?;
    Some(Loaded { file, bias })
}

/// The file of a mapping, and what is added to its addresses.
fn mapped(programs: &Programs, path: &str, start: VirtAddr, offset_bytes: u64) -> Option<Loaded> {
    let file = programs.get(path);
    let bias = start.0.wrapping_sub(file.address_at(offset_bytes)?);
    Some(Loaded { file, bias })
}

/// What a name in a file may mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Named<'a> {
    /// A line of the source: `FILE:LINE`.
    Line(&'a str, u32),
    /// A function that a file has: `FILE:FUNCTION`.
    FunctionOf(&'a str, &'a str),
    /// A symbol.
    Symbol(&'a str),
}

impl<'a> Named<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        // A path of Rust's or C++'s has its colons in pairs, and a file a dot in its name.
        let of_file =
            name.split_once(':').filter(|(file, rest)| file.contains('.') && !rest.starts_with(':'));
        match of_file {
            Some((file, rest)) => match rest.parse() {
                Ok(line) => Self::Line(file, line),
                Err(_) => Self::FunctionOf(file, rest),
            },
            None => Self::Symbol(name),
        }
    }
    /// Whether it names a file of the source.
    pub(super) fn is_of_file(self) -> bool {
        !matches!(self, Self::Symbol(_))
    }
}

/// The addresses in a file of a symbol, of a function, or of a line of the source.
fn addresses_of(file: &ProgramFile, name: &str) -> Vec<u64> {
    match Named::of(name) {
        Named::Line(source, line) => {
            let found = file.lines().and_then(|lines| lines.addresses_of(source, line));
            found.map(|(_, addresses)| addresses).unwrap_or_default()
        }
        Named::FunctionOf(source, name) => file.functions_called(name, Some(source)).to_vec(),
        Named::Symbol(name) => file.symbols().address_of(name).into_iter().collect(),
    }
}

/// The addresses in a file at which a breakpoint stops.
fn stops_of(file: &ProgramFile, name: &str) -> Vec<u64> {
    let functions = match Named::of(name) {
        Named::Line(source, line) => return file.stops_at_line(source, line).to_vec(),
        Named::FunctionOf(source, name) => file.functions_called(name, Some(source)),
        Named::Symbol(name) => file.functions_called(name, None),
    };
    if functions.is_empty() {
        return addresses_of(file, name);
    }
    let mut stops: Vec<u64> =
        functions.iter().map(|&address| file.body_of(address).unwrap_or(address)).collect();
    stops.sort_unstable();
    stops.dedup();
    stops
}
