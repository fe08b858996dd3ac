//! Reading a bare-metal ELF: its load segments by physical address, its entry and its symbols.
//!
//! Only what is needed to start the file is checked strictly; a file with broken section headers still starts, without
//! symbols. Follows the ELF-64 object file format and the RISC-V ELF psABI. Programs of the guest OS are not loaded
//! here: its kernel does that.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_RISCV, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use goblin::elf::section_header::{SHF_ALLOC, SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::{Sym, Symtab};
use goblin::elf::{Elf, Header};
use isa::platform::RAM_BASE;
use isa::{PhysAddr, VirtAddr};
use std::borrow::Cow;

const CTX: Ctx = Ctx { container: Container::Big, le: Endian::Little };
const PROGRAM_HEADER_BYTES: u16 = 56;

/// Why a file is not an ELF that can be started. Each sentence says what to try.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the sentences say it
pub enum ElfError {
    #[error("it ends within its headers ({len_bytes} bytes); is the file complete?")]
    Truncated { len_bytes: usize },
    #[error("it is not for 64 bits; build it for riscv64 (-march=rv64gc)")]
    NotClass64,
    #[error("it is big-endian; build it for little-endian riscv64")]
    BigEndian,
    #[error("it is for machine {machine}, not for RISC-V (243); build it for riscv64")]
    OtherMachine { machine: u16 },
    #[error("it has ELF type {kind} and cannot be executed; link it (an object file cannot be started)")]
    NotExecutable { kind: u16 },
    #[error("its program headers are {bytes} bytes each and not 56; the file is damaged")]
    BadHeaderSize { bytes: u16 },
    #[error("it has no segment to load; link it with a program header table")]
    NothingToLoad,
    #[error(
        "segment {index} lies outside the file (offset {offset:#x}, {len_bytes:#x} bytes); is the file complete?"
    )]
    SegmentOutsideFile { index: usize, offset: u64, len_bytes: u64 },
    #[error("segment {index} is {file_bytes:#x} bytes in the file but only {memory_bytes:#x} in memory")]
    SegmentShrinks { index: usize, file_bytes: u64, memory_bytes: u64 },
    #[error(
        "segment {index} wraps around the end of the address space (address {address:#x}, {len_bytes:#x} bytes)"
    )]
    SegmentWraps { index: usize, address: u64, len_bytes: u64 },
}

/// A segment to load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Where it goes.
    pub pa: PhysAddr,
    /// Where it is linked.
    pub va: VirtAddr,
    /// Its bytes in the file; the rest of [`Segment::memory_bytes`] is zero.
    pub data: &'a [u8],
    /// Its size in memory.
    pub memory_bytes: u64,
}

/// Bytes of an entry of the symbol table.
const SYMBOL_BYTES: usize = 24;

/// A symbol with a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value: a virtual address.
    pub va: VirtAddr,
    /// Its size in bytes, 0 if unknown.
    pub size_bytes: u64,
}

/// An ELF that can be started.
pub struct ElfFile<'a> {
    bytes: &'a [u8],
    header: Header,
    segments: Vec<Segment<'a>>,
}

/// Whether the file calls itself an ELF.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(ELFMAG)
}

impl<'a> ElfFile<'a> {
    /// Reads the headers of a file that [`is_elf`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let truncated = ElfError::Truncated { len_bytes: bytes.len() };
        match (bytes.get(EI_CLASS), bytes.get(EI_DATA)) {
            (Some(&ELFCLASS64), Some(&ELFDATA2LSB)) => {}
            (Some(&ELFCLASS64), Some(_)) => return Err(ElfError::BigEndian),
            (Some(_), Some(_)) => return Err(ElfError::NotClass64),
            _ => return Err(truncated),
        }
        let header = Elf::parse_header(bytes).map_err(|_| truncated.clone())?;
        if header.e_machine != EM_RISCV {
            return Err(ElfError::OtherMachine { machine: header.e_machine });
        }
        if !matches!(header.e_type, ET_EXEC | ET_DYN) {
            return Err(ElfError::NotExecutable { kind: header.e_type });
        }
        if header.e_phnum == 0 {
            return Err(ElfError::NothingToLoad);
        }
        if header.e_phentsize != PROGRAM_HEADER_BYTES {
            return Err(ElfError::BadHeaderSize { bytes: header.e_phentsize });
        }
        let table_bytes = u64::from(header.e_phnum) * u64::from(PROGRAM_HEADER_BYTES);
        part(bytes, header.e_phoff, table_bytes).ok_or(truncated.clone())?;
        let offset = usize::try_from(header.e_phoff).map_err(|_| truncated.clone())?;
        let headers =
            ProgramHeader::parse(bytes, offset, usize::from(header.e_phnum), CTX).map_err(|_| truncated)?;
        let segments = headers
            .iter()
            .enumerate()
            .filter(|(_, header)| header.p_type == PT_LOAD && header.p_memsz > 0)
            .map(|(index, header)| segment(bytes, index, header))
            .collect::<Result<Vec<_>, _>>()?;
        if segments.is_empty() {
            return Err(ElfError::NothingToLoad);
        }
        Ok(Self { bytes, header, segments })
    }

    /// The same file loaded from `base` on, if it is position-independent and linked below RAM.
    pub fn moved_into_ram(mut self, base: PhysAddr) -> Self {
        let lowest = self.segments.iter().map(|segment| segment.pa).min();
        if self.header.e_type == ET_DYN && lowest.is_some_and(|at| at < RAM_BASE) {
            for segment in &mut self.segments {
                segment.pa = segment.pa.wrapping_add(base.0);
            }
        }
        self
    }

    /// The segments to load, in the order of the file.
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// The entry point, as a virtual address.
    pub fn entry(&self) -> VirtAddr {
        VirtAddr(self.header.e_entry)
    }

    /// Where the byte linked at `va` is loaded; `va` itself if it lies in no segment.
    pub fn physical(&self, va: VirtAddr) -> PhysAddr {
        let home =
            self.segments.iter().find(|s| va.0.checked_sub(s.va.0).is_some_and(|at| at < s.memory_bytes));
        home.map_or(PhysAddr(va.0), |s| s.pa.wrapping_add(va.0 - s.va.0))
    }

    /// The symbols of the symbol table, in its order. Empty if the file is stripped or its sections are damaged.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        self.read_symbols().into_iter().flatten()
    }

    /// Where the section `name` is linked, if the file has section headers and such a section in memory.
    pub fn section(&self, name: &str) -> Option<VirtAddr> {
        let sections = self.sections()?;
        let names = self.contents(sections.get(usize::from(self.header.e_shstrndx))?)?;
        let wanted = sections.iter().filter(|section| section.sh_flags & u64::from(SHF_ALLOC) != 0);
        let found =
            wanted.into_iter().find(|section| text_at(names, section.sh_name) == Some(name.as_bytes()))?;
        Some(VirtAddr(found.sh_addr))
    }

    /// The values of the symbols with these names. Others are not taken apart: a kernel's table has a hundred thousand
    /// entries, which would be a quarter of the time that a small program takes.
    pub fn symbols_named<const N: usize>(&self, wanted: [&str; N]) -> [Option<VirtAddr>; N] {
        let mut found = [None; N];
        let Some((table, names)) = self.symbol_table() else { return found };
        for entry in table.chunks_exact(SYMBOL_BYTES) {
            // `st_name` comes first.
            let name = entry.first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes)) as usize;
            let Some(first) = names.get(name) else { continue };
            if !wanted.iter().any(|wanted| wanted.as_bytes().first() == Some(first)) {
                continue;
            }
            let Ok(symbols) = Symtab::parse(entry, 0, 1, CTX) else { continue };
            let Some(symbol) = symbols.get(0).and_then(|symbol| named(&symbol, names)) else { continue };
            if let Some(place) = wanted.iter().position(|wanted| symbol.name == *wanted) {
                found[place] = found[place].or(Some(symbol.va));
            }
        }
        found
    }

    fn read_symbols(&self) -> Option<impl Iterator<Item = Symbol<'a>> + use<'a>> {
        let (table, names) = self.symbol_table()?;
        let symbols = Symtab::parse(table, 0, table.len() / SYMBOL_BYTES, CTX).ok()?;
        Some(symbols.iter().filter_map(move |symbol| named(&symbol, names)))
    }

    /// The symbol table's bytes, and the texts that its names are in.
    fn symbol_table(&self) -> Option<(&'a [u8], &'a [u8])> {
        let sections = self.sections()?;
        let table = sections.iter().find(|section| section.sh_type == SHT_SYMTAB)?;
        let names = self.contents(sections.get(usize::try_from(table.sh_link).ok()?)?)?;
        Some((self.contents(table)?, names))
    }

    fn sections(&self) -> Option<Vec<SectionHeader>> {
        let header = &self.header;
        let section_bytes = u64::from(header.e_shnum) * 64;
        if header.e_shentsize != 64 || part(self.bytes, header.e_shoff, section_bytes).is_none() {
            return None;
        }
        let offset = usize::try_from(header.e_shoff).ok()?;
        SectionHeader::parse_from(self.bytes, offset, usize::from(header.e_shnum), CTX).ok()
    }

    fn contents(&self, section: &SectionHeader) -> Option<&'a [u8]> {
        part(self.bytes, section.sh_offset, section.sh_size)
    }
}

/// The text at `offset` of a table of NUL-terminated texts.
fn text_at(table: &[u8], offset: usize) -> Option<&[u8]> {
    let text = table.get(offset..)?;
    Some(&text[..text.iter().position(|&byte| byte == 0)?])
}

fn named<'a>(symbol: &Sym, names: &'a [u8]) -> Option<Symbol<'a>> {
    let name = text_at(names, symbol.st_name)?;
    if name.is_empty() || symbol.st_shndx == 0 {
        return None;
    }
    let name = String::from_utf8_lossy(name);
    Some(Symbol { name, va: VirtAddr(symbol.st_value), size_bytes: symbol.st_size })
}

fn segment<'a>(bytes: &'a [u8], index: usize, header: &ProgramHeader) -> Result<Segment<'a>, ElfError> {
    let ProgramHeader { p_offset, p_filesz, p_memsz, p_vaddr, p_paddr, .. } = *header;
    if p_filesz > p_memsz {
        return Err(ElfError::SegmentShrinks { index, file_bytes: p_filesz, memory_bytes: p_memsz });
    }
    for address in [p_paddr, p_vaddr] {
        if address.checked_add(p_memsz).is_none() {
            return Err(ElfError::SegmentWraps { index, address, len_bytes: p_memsz });
        }
    }
    let outside = ElfError::SegmentOutsideFile { index, offset: p_offset, len_bytes: p_filesz };
    let data = part(bytes, p_offset, p_filesz).ok_or(outside)?;
    Ok(Segment { pa: PhysAddr(p_paddr), va: VirtAddr(p_vaddr), data, memory_bytes: p_memsz })
}

fn part(bytes: &[u8], offset: u64, len_bytes: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(len_bytes).ok()?)?)
}
