//! The symbols of an ELF file, read by goblin.

use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::{SHF_EXECINSTR, SHN_LORESERVE};
use goblin::elf::sym::{STB_GLOBAL, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT, STT_TLS};
use goblin::elf::{Elf, SectionHeader};
use isa::PAGE_SIZE;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Where its section ends, if the file has sections: there, too, what has no size ends.
    section_end: Option<u64>,
    /// Whether it lies among code.
    is_code: bool,
}

/// The symbols of one ELF file.
#[derive(Default)]
pub struct SymbolTable {
    /// By start.
    symbols: Vec<Symbol>,
    /// What each thread has of its own: where it is in a thread's part, and how long.
    thread_locals: BTreeMap<String, Range<u64>>,
    /// Functions and variables that it has of libraries.
    imported: BTreeSet<String>,
    /// What is added to physical addresses to have the virtual ones, in a file that tells both.
    physical_offset: u64,
}

impl SymbolTable {
    /// Reads the symbols of an ELF file; a file that is none has none.
    pub fn read(file: &[u8]) -> Self {
        Elf::parse(file).map_or_else(|_| Self::default(), |elf| Self::of(&elf))
    }

    pub(super) fn of(elf: &Elf<'_>) -> Self {
        // A stripped library still tells what it has for others.
        let (table, names) =
            if elf.syms.is_empty() { (&elf.dynsyms, &elf.dynstrtab) } else { (&elf.syms, &elf.strtab) };
        let is_function = |kind| matches!(kind, STT_FUNC | STT_GNU_IFUNC);
        let mut symbols: Vec<Symbol> = table
            .iter()
            .filter(|sym| {
                let kind = sym.st_type();
                is_address(sym.st_shndx) && (is_function(kind) || matches!(kind, STT_OBJECT | STT_NOTYPE))
            })
            .filter_map(|sym| {
                // Behind a `@` stands the version of a library's symbol.
                let name = names.get_at(sym.st_name)?.split('@').next()?;
                // `$x` and `$d` mark code and data, `.L` is the compiler's own.
                let shown = !name.is_empty() && !name.starts_with('$') && !name.starts_with(".L");
                let holds = |section: &&SectionHeader| {
                    let end = section.sh_addr.saturating_add(section.sh_size);
                    section.sh_addr <= sym.st_value && sym.st_value <= end
                };
                let section = elf.section_headers.get(sym.st_shndx).filter(holds);
                shown.then(|| Symbol {
                    section_end: section.map(|section| section.sh_addr.saturating_add(section.sh_size)),
                    is_code: section.is_none_or(|section| section.sh_flags & u64::from(SHF_EXECINSTR) != 0),
                    start: sym.st_value,
                    end: sym.st_value.saturating_add(sym.st_size),
                    name: demangle(name),
                    has_type: sym.st_type() != STT_NOTYPE,
                    is_function: is_function(sym.st_type()),
                    is_global: sym.st_bind() == STB_GLOBAL,
                })
            })
            .collect();
        let of_threads = table.iter().filter(|sym| is_address(sym.st_shndx) && sym.st_type() == STT_TLS);
        let thread_locals = of_threads.filter_map(|sym| {
            let range = sym.st_value..sym.st_value.saturating_add(sym.st_size);
            Some((demangle(names.get_at(sym.st_name)?), range))
        });
        let thread_locals = thread_locals.collect();
        let imports = elf.dynsyms.iter().filter(|sym| sym.st_shndx == 0);
        let imported = imports.filter_map(|sym| elf.dynstrtab.get_at(sym.st_name)).map(demangle).collect();
        // Of several names for one address one with a type, and of those the first in the alphabet stays, so that runs are alike.
        symbols.sort_by(|a, b| (a.start, !a.has_type, &a.name).cmp(&(b.start, !b.has_type, &b.name)));
        for index in 0..symbols.len() {
            let start = symbols[index].start;
            if symbols[index].end == start {
                let next = symbols[index..].iter().map(|symbol| symbol.start).find(|&next| next > start);
                let end = next.unwrap_or(start.saturating_add(PAGE_SIZE));
                symbols[index].end = symbols[index].section_end.map_or(end, |section| end.min(section));
            }
        }
        let lowest = elf.program_headers.iter().filter(|ph| ph.p_type == PT_LOAD).min_by_key(|ph| ph.p_vaddr);
        let physical_offset = lowest.map_or(0, |ph| ph.p_vaddr.wrapping_sub(ph.p_paddr));
        Self { symbols, thread_locals, imported, physical_offset }
    }

    /// Of the symbols that are most like a name the first.
    fn find(&self, name: &str) -> Option<&Symbol> {
        let like = self.symbols.iter().filter_map(|symbol| Some((likeness(&symbol.name, name)?, symbol)));
        like.min_by_key(|(likeness, _)| *likeness).map(|(_, symbol)| symbol)
    }

    /// The addresses of functions and labels that a name may mean, with how like it theirs are.
    pub(super) fn code_called(&self, name: &str) -> impl Iterator<Item = (u8, u64)> {
        let code = self.symbols.iter().filter(|symbol| symbol.is_function || !symbol.has_type);
        code.filter_map(move |symbol| Some((likeness(&symbol.name, name)?, symbol.start)))
    }

    /// The address of a symbol by its name, or by the last parts of its path.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        self.find(name).map(|symbol| symbol.start)
    }

    /// Whether it has a function or a variable of this name that is a library's.
    pub(super) fn imports(&self, name: &str) -> bool {
        self.imported.contains(name)
    }

    /// The addresses that a symbol has.
    pub fn range_of(&self, name: &str) -> Option<Range<u64>> {
        self.find(name).map(|symbol| symbol.start..symbol.end)
    }

    /// Where a variable is that each thread has of its own, from where the thread's part of the program begins.
    pub fn thread_local(&self, name: &str) -> Option<Range<u64>> {
        self.thread_locals.get(name).cloned()
    }

    /// Whether there are any.
    pub fn has_thread_locals(&self) -> bool {
        !self.thread_locals.is_empty()
    }

    /// Whether a symbol is a function.
    pub fn is_function(&self, name: &str) -> bool {
        self.find(name).is_some_and(|symbol| symbol.is_function)
    }

    /// Whether a symbol is a variable.
    pub fn is_variable(&self, name: &str) -> bool {
        let is_it = |symbol: &Symbol| symbol.has_type && !symbol.is_function && !symbol.is_code;
        self.find(name).is_some_and(is_it) || self.thread_locals.contains_key(name)
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

    /// The symbol to name an address by: a function or a variable that holds it; else a label of code in front of it; else, in data,
    /// where labels are marks of the linker's (`_edata`), the variable in front of it in its section.
    fn at(&self, address: u64) -> Option<&Symbol> {
        /// Symbols that are looked at: more never hold one address.
        const NEAR: usize = 16;
        let end = self.symbols.partition_point(|symbol| symbol.start <= address);
        let before = || self.symbols[..end].iter().rev();
        let holds = |symbol: &&Symbol| address < symbol.end;
        let typed = before().take(NEAR).filter(|symbol| symbol.has_type).find(holds);
        let label = || before().take(NEAR).filter(|symbol| symbol.is_code).find(holds);
        let variable = || {
            let in_section = |symbol: &&Symbol| symbol.section_end.is_some_and(|end| address < end);
            let is_data = |symbol: &&Symbol| !symbol.is_code;
            let variable = before().find(|symbol| symbol.has_type).filter(is_data).filter(in_section);
            variable.or_else(|| before().take(NEAR).find(holds))
        };
        let symbol = typed.or_else(label).or_else(variable)?;
        // The first of those that begin together.
        let first = self.symbols[..end].partition_point(|other| other.start < symbol.start);
        let alike = |other: &&Symbol| other.has_type == symbol.has_type;
        Some(self.symbols[first..end].iter().filter(alike).find(holds).unwrap_or(symbol))
    }

    /// The functions, or the variables, that have a word in their names, with their addresses.
    pub fn called_like<'a>(
        &'a self,
        word: &'a str,
        is_function: bool,
    ) -> impl Iterator<Item = (&'a str, u64)> {
        let is_meant = move |symbol: &&Symbol| {
            let is_variable = symbol.has_type && !symbol.is_function && !symbol.is_code;
            (if is_function { symbol.is_function } else { is_variable }) && symbol.name.contains(word)
        };
        self.symbols.iter().filter(is_meant).map(|symbol| (symbol.name.as_str(), symbol.start))
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

/// How like a name is to one that was typed, the less the more: the same; the same but for its parameters, which names of C++ have behind
/// them; its last parts.
pub(super) fn likeness(name: &str, typed: &str) -> Option<u8> {
    if name == typed {
        return Some(0);
    }
    if typed.contains(['(', '<']) && name.contains(['(', '<']) {
        let (name, typed) = (squeezed(without_returned(name)), squeezed(typed));
        let ends = |of: &str| of.strip_suffix(typed.as_str()).is_some_and(|before| before.ends_with("::"));
        let without = without_parameters(&name);
        if name == typed || without == typed {
            return Some(u8::from(name != typed));
        }
        return (ends(&name) || ends(without)).then_some(2);
    }
    let plain = without_parameters(name);
    if plain == typed && !typed.is_empty() {
        return Some(1);
    }
    let ends = |of: &str| of.strip_suffix(typed).is_some_and(|before| before.ends_with("::"));
    if ends(name) || ends(plain) {
        return Some(2);
    }
    // Without arguments of templates all instances are meant. Most names need no look.
    let last = typed.rsplit("::").next().unwrap_or(typed);
    if typed.is_empty() || !name.contains('<') || !name.contains(last) {
        return None;
    }
    let name = without_generics(name);
    let plain = without_returned(without_parameters(&name));
    if plain == typed { Some(1) } else { ends(plain).then_some(2) }
}

/// A name without the arguments of templates and generics: `Shop<T>::each` is `Shop::each`, and so is `<Shop<T> as Look>::each`.
fn without_generics(name: &str) -> String {
    // Rust writes so of what a function belongs to.
    let owner = name.starts_with('<').then(|| end_of_generics(name));
    if let Some((owner, behind)) = owner.and_then(|end| name.get(1..end).zip(name.get(end + 1..))) {
        let owner = without_inner_generics(owner);
        let owner = owner.split(" as ").next().unwrap_or_default();
        return format!("{owner}{}", without_inner_generics(behind));
    }
    without_inner_generics(name)
}

/// The same, of what begins with a name.
fn without_inner_generics(name: &str) -> String {
    let (mut plain, mut rest) = (String::new(), name);
    while let Some(at) = rest.find('<') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_of_name = plain.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '}'));
        if !is_of_name || plain.ends_with("operator") {
            plain.push('<');
            rest = &rest[1..];
            continue;
        }
        plain.truncate(plain.trim_end_matches(':').len());
        rest = rest.get(end_of_generics(rest) + 1..).unwrap_or_default();
    }
    plain + rest
}

/// Where the `>` is that belongs to the `<` which a text begins with; its end if there is none.
fn end_of_generics(text: &str) -> usize {
    let (mut depth, mut before) = (0usize, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            // Of an arrow it is no bracket.
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        before = c;
    }
    text.len()
}

/// A function of C++'s without the type that it returns, which stands before those of templates.
fn without_returned(name: &str) -> &str {
    let (mut depth, mut start) = (0, 0);
    for (at, c) in name.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            '(' if depth == 0 => break,
            ' ' if depth == 0 && !name[..at].ends_with("operator") => start = at + 1,
            _ => {}
        }
    }
    &name[start..]
}

/// A name of C++'s without its parameters.
pub(super) fn without_parameters(name: &str) -> &str {
    // Of `operator()` the first brackets are its name.
    let from = name.find(CALL_OPERATOR).map_or(0, |at| at + CALL_OPERATOR.len());
    name[from..].find('(').map_or(name, |at| &name[..from + at])
}

/// What makes an object of C++'s one that can be called.
const CALL_OPERATOR: &str = "operator()";

/// A name of C++'s as demanglers write it, but for blanks: `f(const char *)` is `f(charconst*)`.
fn squeezed(name: &str) -> String {
    let mut parts = name.split(['(', ',']).map(|part| {
        let part = part.trim();
        let Some(type_) = part.strip_prefix("const ") else { return part.replace(' ', "") };
        let end = type_.find(['*', '&', ')']).unwrap_or(type_.len());
        format!("{}const{}", type_[..end].replace(' ', ""), type_[end..].replace(' ', ""))
    });
    let mut text = parts.next().unwrap_or_default();
    let signs = name.chars().filter(|c| matches!(c, '(' | ','));
    for (sign, part) in signs.zip(parts) {
        text.push(sign);
        text.push_str(&part);
    }
    text
}

/// Whether somebody who types a name may mean this one.
pub fn is_called(name: &str, typed: &str) -> bool {
    likeness(name, typed).is_some()
}

/// A Rust or C++ name as one writes it, without a hash; other names as they are.
pub(super) fn demangle(name: &str) -> String {
    if let Ok(demangled) = rustc_demangle::try_demangle(name) {
        return format!("{demangled:#}");
    }
    let cpp = name.starts_with("_Z").then(|| cpp_demangle::Symbol::new(name).ok()?.demangle().ok()).flatten();
    cpp.unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cpp_are_found_by_their_parameters() {
        let name = "ns::Class::method(char const*, int)";
        for (typed, like) in [
            (name, Some(0)),
            ("ns::Class::method(const char *,int)", Some(0)),
            ("Class::method(const char*, int)", Some(2)),
            ("method(char const*, int)", Some(2)),
            ("ns::Class::method", Some(1)),
            ("method", Some(2)),
            ("ns::Class::method(int)", None),
            ("od(char const*, int)", None),
        ] {
            assert_eq!(likeness(name, typed), like, "{typed}");
        }
        assert_eq!(likeness("f(int) const", "f(int) const"), Some(0));
        assert_eq!(likeness("int ns::twice<int>(int)", "ns::twice<int>"), Some(1));
        assert_eq!(likeness("int ns::twice<int>(int)", "twice<int>(int)"), Some(2));
        assert_eq!(likeness("int ns::twice<int>(int)", "twice<long>"), None);
        assert_eq!(likeness("main", "main(int)"), None);
        assert_eq!(likeness("Foo::operator()(int) const", "Foo::operator()"), Some(1));
        assert_eq!(likeness("Foo::operator()(int) const", "operator()"), Some(2));
        assert_eq!(likeness("Foo::operator()(int)", "Foo::operator()(int)"), Some(0));
        assert_eq!(likeness("Foo::operator bool() const", "Foo::operator bool"), Some(1));
        assert_eq!(likeness("ns::Foo::~Foo()", "Foo::~Foo"), Some(2));
    }

    #[test]
    fn all_instances_are_meant_without_arguments_of_templates() {
        let lambda = "main::{lambda(shop::Shape&)#1}";
        let each = format!("void shop::Catalog::each<{lambda}>({lambda})");
        for (name, typed, like) in [
            (each.as_str(), "shop::Catalog::each", Some(1)),
            (&each, "Catalog::each", Some(2)),
            (&each, "each", Some(2)),
            (&each, "ach", None),
            (&each, "lambda", None),
            ("int ns::twice<int>(int)", "ns::twice", Some(1)),
            ("int ns::twice<int>(int)", "twice", Some(2)),
            ("std::vector<int, std::allocator<int> >::push_back(int&&)", "std::vector::push_back", Some(1)),
            ("std::vector<int, std::allocator<int> >::push_back(int&&)", "vector::push_back", Some(2)),
            ("values::Shop<T>::each", "Shop::each", Some(2)),
            ("values::each::<u32>", "values::each", Some(1)),
            ("<values::Shop<u32>>::each", "values::Shop::each", Some(1)),
            ("<values::Shop<T> as values::Look<u8>>::each", "Shop::each", Some(2)),
            ("bool ns::operator< <int>(ns::A<int>, int)", "ns::twice", None),
            ("ns::A<int>::operator->() const", "A::operator->", Some(2)),
            ("f<", "f", Some(1)),
        ] {
            assert_eq!(likeness(name, typed), like, "{name}: {typed}");
        }
    }
}
