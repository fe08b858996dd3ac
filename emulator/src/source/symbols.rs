//! The symbols of an ELF file, read by goblin.

use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::SHN_LORESERVE;
use goblin::elf::sym::{STB_GLOBAL, STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_TLS};
use isa::PAGE_SIZE;
use std::collections::BTreeMap;
use std::ops::Range;

/// Whether a symbol of this section is an address: not undefined, and not an absolute number of the assembler's.
fn is_address(section: usize) -> bool {
    section != 0 && section < SHN_LORESERVE as usize
}

struct Symbol {
    start: u64,
    /// First byte behind it; the next symbol's start if the table does not say.
    end: u64,
    name: String,
    /// Whether it is told to be a function or a variable, and no label.
    has_type: bool,
    is_function: bool,
    /// Whether other files of the program may name it.
    is_global: bool,
}

/// The symbols of one ELF file.
#[derive(Default)]
pub struct SymbolTable {
    /// By start.
    symbols: Vec<Symbol>,
    /// What each thread has of its own: where it is in a thread's part, and how long.
    thread_locals: BTreeMap<String, Range<u64>>,
    /// What is added to physical addresses to have the virtual ones, in a file that tells both.
    physical_offset: u64,
}

impl SymbolTable {
    /// Reads the symbols of an ELF file; a file that is none has none.
    pub fn read(file: &[u8]) -> Self {
        Elf::parse(file).map_or_else(|_| Self::default(), |elf| Self::of(&elf))
    }

    pub(super) fn of(elf: &Elf<'_>) -> Self {
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
                    has_type: sym.st_type() != STT_NOTYPE,
                    is_function: sym.st_type() == STT_FUNC,
                    is_global: sym.st_bind() == STB_GLOBAL,
                })
            })
            .collect();
        let of_threads = elf.syms.iter().filter(|sym| is_address(sym.st_shndx) && sym.st_type() == STT_TLS);
        let thread_locals = of_threads.filter_map(|sym| {
            let range = sym.st_value..sym.st_value.saturating_add(sym.st_size);
            Some((demangle(elf.strtab.get_at(sym.st_name)?), range))
        });
        let thread_locals = thread_locals.collect();
        // Of several names for one address one with a type, and of those the first in the alphabet stays, so that runs are alike.
        symbols.sort_by(|a, b| (a.start, !a.has_type, &a.name).cmp(&(b.start, !b.has_type, &b.name)));
        for index in 0..symbols.len() {
            let start = symbols[index].start;
            if symbols[index].end == start {
                let next = symbols[index..].iter().map(|symbol| symbol.start).find(|&next| next > start);
                symbols[index].end = next.unwrap_or(start.saturating_add(PAGE_SIZE));
            }
        }
        let lowest = elf.program_headers.iter().filter(|ph| ph.p_type == PT_LOAD).min_by_key(|ph| ph.p_vaddr);
        let physical_offset = lowest.map_or(0, |ph| ph.p_vaddr.wrapping_sub(ph.p_paddr));
        Self { symbols, thread_locals, physical_offset }
    }

    fn find(&self, name: &str) -> Option<&Symbol> {
        let exact = self.symbols.iter().find(|symbol| symbol.name == name);
        // Names of C++ have their parameters behind them.
        let plain = |symbol: &&Symbol| symbol.name.split('(').next() == Some(name) && !name.is_empty();
        let is_end_of = |symbol: &&Symbol| {
            let ends = |of: &str| of.strip_suffix(name).is_some_and(|before| before.ends_with("::"));
            ends(&symbol.name) || symbol.name.split('(').next().is_some_and(ends)
        };
        let symbols = || self.symbols.iter();
        exact.or_else(|| symbols().find(plain)).or_else(|| symbols().find(is_end_of))
    }

    /// The address of a symbol by its name, or by the last parts of its path.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        self.find(name).map(|symbol| symbol.start)
    }

    /// The addresses that a symbol has.
    pub fn range_of(&self, name: &str) -> Option<Range<u64>> {
        self.find(name).map(|symbol| symbol.start..symbol.end)
    }

    /// Where a variable is that each thread has of its own, from where the thread's part of the program begins.
    pub fn thread_local(&self, name: &str) -> Option<Range<u64>> {
        self.thread_locals.get(name).cloned()
    }

    /// Whether a symbol is a function.
    pub fn is_function(&self, name: &str) -> bool {
        self.find(name).is_some_and(|symbol| symbol.is_function)
    }

    /// What is added to physical addresses to have the virtual ones.
    pub fn physical_offset(&self) -> u64 {
        self.physical_offset
    }

    /// The symbol at a physical address, before translation is on.
    pub fn name_of_physical(&self, address: u64) -> Option<String> {
        self.name_of(address.wrapping_add(self.physical_offset))
    }

    /// The symbol that holds an address: `name+0x8`.
    pub fn name_of(&self, address: u64) -> Option<String> {
        let symbol = self.at(address)?;
        Some(match address - symbol.start {
            0 => symbol.name.clone(),
            offset => format!("{}+{offset:#x}", symbol.name),
        })
    }

    /// A return address: the distance to the start of the function that has called, of which it need not be part any more.
    pub fn name_of_return(&self, address: u64) -> Option<String> {
        let symbol = self.at(address.wrapping_sub(1))?;
        Some(format!("{}+{:#x}", symbol.name, address - symbol.start))
    }

    /// The addresses of the symbol that holds this one.
    pub fn range_at(&self, address: u64) -> Option<Range<u64>> {
        self.at(address).map(|symbol| symbol.start..symbol.end)
    }

    fn at(&self, address: u64) -> Option<&Symbol> {
        let end = self.symbols.partition_point(|symbol| symbol.start <= address);
        let symbol = self.symbols[..end].iter().rev().take(8).find(|symbol| address < symbol.end)?;
        // The first of those that begin together.
        let first = self.symbols[..end].partition_point(|other| other.start < symbol.start);
        Some(self.symbols[first..end].iter().find(|s| address < s.end).unwrap_or(symbol))
    }

    /// The names that begin so.
    pub fn beginning_with(&self, beginning: &str) -> Vec<String> {
        let names = self.symbols.iter().map(|symbol| &symbol.name);
        names.filter(|name| name.starts_with(beginning)).cloned().collect()
    }

    /// All names, those that the whole program knows and that are functions first told so.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.symbols.iter().map(|symbol| (symbol.name.as_str(), symbol.is_function && symbol.is_global))
    }
}

/// A Rust or C++ name as one writes it, without a hash; other names as they are.
fn demangle(name: &str) -> String {
    if let Ok(demangled) = rustc_demangle::try_demangle(name) {
        return format!("{demangled:#}");
    }
    let cpp = name.starts_with("_Z").then(|| cpp_demangle::Symbol::new(name).ok()?.demangle().ok()).flatten();
    cpp.unwrap_or_else(|| name.to_owned())
}
