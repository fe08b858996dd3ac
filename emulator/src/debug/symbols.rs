//! Symbols of the kernel and of programs, read by goblin.

use super::command::distance;
use crate::trace::{GuestView, Place, ProcessView};
use core::ops::Range;
use goblin::elf::section_header::SHN_LORESERVE;
use goblin::elf::sym::{STB_GLOBAL, STT_FUNC, STT_NOTYPE, STT_OBJECT};
use goblin::elf::{Elf, header::ET_DYN, program_header::PT_LOAD};
use isa::{PAGE_SIZE, VirtAddr};
use std::collections::BTreeMap;

/// Gives the bytes of a program by its path in the guest's root, if they can be had.
pub type ProgramFiles = Box<dyn Fn(&str) -> Option<Vec<u8>>>;

/// Whether a symbol of this section is an address: not undefined, and not an absolute number of the assembler's.
fn is_address(section: usize) -> bool {
    section != 0 && section < SHN_LORESERVE as usize
}

struct Symbol {
    start: u64,
    /// First byte behind it; the next symbol's start if the table does not say.
    end: u64,
    name: String,
    /// Whether it is a function that other files of the program may call.
    is_global_function: bool,
}

/// The symbols of one ELF file.
#[derive(Default)]
pub struct SymbolTable {
    /// By start.
    symbols: Vec<Symbol>,
    /// Whether it is loaded where there is room, so that its addresses are relative.
    relocatable: bool,
    /// The first page that its lowest segment has.
    lowest_page: u64,
    /// What is added to physical addresses to have the virtual ones, in a file that tells both.
    physical_offset: u64,
}

impl SymbolTable {
    /// Reads the symbols of an ELF file; a file that is none has none.
    pub fn read(file: &[u8]) -> Self {
        let Ok(elf) = Elf::parse(file) else { return Self::default() };
        let mut symbols: Vec<Symbol> = elf
            .syms
            .iter()
            .filter(|sym| {
                is_address(sym.st_shndx) && matches!(sym.st_type(), STT_FUNC | STT_OBJECT | STT_NOTYPE)
            })
            .filter_map(|sym| {
                let name = elf.strtab.get_at(sym.st_name)?;
                // `$x` and `$d` mark code and data, `.L` is the compiler's own.
                let shown = !name.is_empty() && !name.starts_with('$') && !name.starts_with(".L");
                shown.then(|| Symbol {
                    start: sym.st_value,
                    end: sym.st_value.saturating_add(sym.st_size),
                    name: demangle(name),
                    is_global_function: sym.st_type() == STT_FUNC && sym.st_bind() == STB_GLOBAL,
                })
            })
            .collect();
        // Of several names for one address the first in the alphabet stays, so that runs are alike.
        symbols.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
        for index in 0..symbols.len() {
            let start = symbols[index].start;
            if symbols[index].end == start {
                let next = symbols[index..].iter().map(|symbol| symbol.start).find(|&next| next > start);
                symbols[index].end = next.unwrap_or(start.saturating_add(PAGE_SIZE));
            }
        }
        let lowest = elf.program_headers.iter().filter(|ph| ph.p_type == PT_LOAD).min_by_key(|ph| ph.p_vaddr);
        Self {
            symbols,
            relocatable: elf.header.e_type == ET_DYN,
            lowest_page: lowest.map_or(0, |ph| ph.p_vaddr & !(PAGE_SIZE - 1)),
            physical_offset: lowest.map_or(0, |ph| ph.p_vaddr.wrapping_sub(ph.p_paddr)),
        }
    }

    /// What is added to the file's addresses where its first page is mapped at `first_page`; `None` as long as that is not known.
    pub fn load_bias(&self, first_page: Option<VirtAddr>) -> Option<u64> {
        if self.relocatable { Some(first_page?.0.wrapping_sub(self.lowest_page)) } else { Some(0) }
    }

    /// The address of a symbol by its name, or by the last parts of its path.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        let exact = self.symbols.iter().find(|symbol| symbol.name == name);
        let is_end_of =
            |symbol: &&Symbol| symbol.name.strip_suffix(name).is_some_and(|before| before.ends_with("::"));
        exact.or_else(|| self.symbols.iter().find(is_end_of)).map(|symbol| symbol.start)
    }

    /// The bytes of a symbol, found as [`Self::address_of`] finds it.
    pub(super) fn bytes_of(&self, name: &str) -> Option<Range<u64>> {
        let start = self.address_of(name)?;
        let first = self.symbols.partition_point(|symbol| symbol.start < start);
        let here = self.symbols[first..].iter().take_while(|symbol| symbol.start == start);
        let named = here.filter(|symbol| symbol.name.ends_with(name)).map(|symbol| symbol.end);
        Some(start..named.max()?)
    }

    /// The names that begin so.
    pub(super) fn beginning_with(&self, beginning: &str) -> Vec<String> {
        let names = self.symbols.iter().map(|symbol| &symbol.name);
        names.filter(|name| name.starts_with(beginning)).cloned().collect()
    }

    /// The symbol at a physical address, before translation is on.
    pub(super) fn name_of_physical(&self, address: u64) -> Option<String> {
        self.name_of(address.wrapping_add(self.physical_offset))
    }

    /// The symbol that holds an address: `name+0x8`.
    pub fn name_of(&self, address: u64) -> Option<String> {
        let end = self.symbols.partition_point(|symbol| symbol.start <= address);
        let symbol = self.symbols[..end].iter().rev().take(8).find(|symbol| address < symbol.end)?;
        // The first of those that begin together.
        let first = self.symbols[..end].partition_point(|other| other.start < symbol.start);
        let symbol = self.symbols[first..end].iter().find(|s| address < s.end).unwrap_or(symbol);
        Some(match address - symbol.start {
            0 => symbol.name.clone(),
            offset => format!("{}+{offset:#x}", symbol.name),
        })
    }
}

/// The bits of the instruction at a place of a program, as its file has them; `None` where that is writable, or not the file's.
pub fn instruction(file: &[u8], place: &Place) -> Option<u32> {
    let elf = Elf::parse(file).ok()?;
    let va = place.va.0.wrapping_sub(SymbolTable::read(file).load_bias(place.first_page)?);
    let segment = elf.program_headers.iter().find(|ph| {
        ph.p_type == PT_LOAD
            && !ph.is_write()
            && va.checked_sub(ph.p_vaddr).is_some_and(|at| at < ph.p_filesz)
    })?;
    let at = usize::try_from(va - segment.p_vaddr + segment.p_offset).ok()?;
    let half = |at: usize| Some(u16::from_le_bytes(file.get(at..at.checked_add(2)?)?.try_into().ok()?));
    let low = half(at)?;
    let high = if isa::insn_len(low) == 2 { 0 } else { half(at + 2)? };
    Some(u32::from(high) << 16 | u32::from(low))
}

/// A Rust name as one writes it, without its hash; other names as they are.
fn demangle(name: &str) -> String {
    match rustc_demangle::try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_owned(),
    }
}

/// The kernel's symbols, and those of programs as they are needed.
pub(super) struct Symbols {
    pub(super) kernel: SymbolTable,
    programs: BTreeMap<String, SymbolTable>,
    files: ProgramFiles,
}

impl Symbols {
    pub(super) fn new(kernel: Option<&[u8]>, files: ProgramFiles) -> Self {
        Self { kernel: kernel.map(SymbolTable::read).unwrap_or_default(), programs: BTreeMap::new(), files }
    }

    /// The bits of the instruction at a place of a program, if its file tells.
    pub(super) fn instruction(&self, place: &Place) -> Option<u32> {
        instruction(&(self.files)(&place.program)?, place)
    }

    fn program(&mut self, path: &str) -> &SymbolTable {
        let files = &self.files;
        self.programs.entry(path.to_owned()).or_insert_with(|| match files(path) {
            Some(bytes) => SymbolTable::read(&bytes),
            None => SymbolTable::default(),
        })
    }

    /// The names of a program that are most like `name`, a few at most: those that begin so, then those that differ in few letters;
    /// functions that the whole program knows before others.
    pub(super) fn nearest(&mut self, path: &str, name: &str) -> Vec<String> {
        const MOST: usize = 3;
        let allowed = (name.chars().count() / 2).clamp(1, 3);
        let likeness = |symbol: &Symbol| {
            let (begins_so, distance) = (symbol.name.starts_with(name), distance(name, &symbol.name));
            let place = if symbol.is_global_function { 0 } else { 1 };
            (begins_so || distance <= allowed).then_some((!begins_so, place, distance))
        };
        let symbols = self.program(path).symbols.iter();
        let mut near: Vec<_> =
            symbols.filter_map(|symbol| Some((likeness(symbol)?, symbol.name.as_str()))).collect();
        near.sort_unstable();
        near.dedup_by_key(|(_, name)| *name);
        near.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
    }

    /// The names of a program that begin so.
    pub(super) fn beginning_with(&mut self, path: &str, beginning: &str) -> Vec<String> {
        self.program(path).beginning_with(beginning)
    }

    /// Whether a program has a symbol.
    pub(super) fn program_has(&mut self, path: &str, name: &str) -> bool {
        self.program(path).address_of(name).is_some()
    }

    /// What is added to a program's addresses in this process; `None` as long as it is not mapped.
    fn load_bias(&mut self, guest: &GuestView, process: &ProcessView) -> Option<u64> {
        guest.last_space(process.pid)?;
        self.program(&process.program).load_bias(guest.first_page_of_program(process.pid))
    }

    /// Where a symbol is in a process's program.
    pub(super) fn address_in_process(
        &mut self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Option<VirtAddr> {
        let bias = self.load_bias(guest, process)?;
        let address = self.program(&process.program).address_of(name)?;
        Some(VirtAddr(address.wrapping_add(bias)))
    }

    /// The bytes of a symbol of a process's program.
    pub(super) fn bytes_in_process(
        &mut self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Option<Range<u64>> {
        let bias = self.load_bias(guest, process)?;
        let bytes = self.program(&process.program).bytes_of(name)?;
        Some(bytes.start.wrapping_add(bias)..bytes.end.wrapping_add(bias))
    }

    /// The symbol at an address of a process.
    pub(super) fn name_in_process(
        &mut self,
        guest: &GuestView,
        process: &ProcessView,
        va: VirtAddr,
    ) -> Option<String> {
        let bias = self.load_bias(guest, process)?;
        self.program(&process.program).name_of(va.0.wrapping_sub(bias))
    }
}
