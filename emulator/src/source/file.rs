//! One ELF file, and all files of a guest.

use super::lines::{InlineFrame, Lines, SourceLine};
use super::returned::Returns;
use super::symbols::SymbolTable;
use super::unwind::{Frame, Unwinder};
use super::{Section, epilogue, prologue};
use goblin::elf::program_header::{PF_W, PF_X, PT_LOAD};
use goblin::elf::section_header::{SHF_COMPRESSED, SHT_NOBITS};
use goblin::elf::{Elf, compression_header::CompressionHeader};
use goblin::elf::{compression_header, header::ET_DYN};
use isa::{PAGE_SIZE, VirtAddr};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Gives the bytes of a program by its path in the guest's root, if they can be had.
pub type ProgramFiles = Box<dyn Fn(&str) -> Option<Vec<u8>>>;

/// Tells whether a file of the source, by the path that the compiler was given, is newer than a program, by its path in the guest's root.
pub type NewerSources = Box<dyn Fn(&str, &str) -> bool>;

/// A part of the file that a process has in memory.
#[derive(Clone, Debug)]
struct Segment {
    vaddr: u64,
    file: Range<u64>,
    is_writable: bool,
    is_code: bool,
}

/// What is at an address, as far as the file tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spot {
    /// The function and how far into it: `main+0x14`.
    pub symbol: Option<String>,
    /// The line of the source.
    pub source: Option<SourceLine>,
}

/// The name in front of what is added to it: `main` of `main+0x14`.
pub fn without_offset(symbol: &str) -> &str {
    symbol.rsplit_once("+0x").map_or(symbol, |(name, _)| name)
}

/// An ELF file; one that is none has no symbols and nothing else.
#[derive(Default)]
pub struct ProgramFile {
    /// Where it is in the guest's root; empty if it is not there.
    path: String,
    bytes: Arc<[u8]>,
    symbols: SymbolTable,
    segments: Vec<Segment>,
    sections: BTreeMap<String, (Range<usize>, Packing)>,
    /// Addresses of the sections that callers are found by.
    text: u64,
    eh_frame: u64,
    /// The widest number that its functions pass in floating-point registers, in bytes.
    float_bytes: u64,
    /// Whether it is loaded where there is room, so that its addresses are relative.
    relocatable: bool,
    /// The first page that its lowest segment has.
    lowest_page: u64,
    lines: OnceCell<Option<Lines>>,
    unwinder: OnceCell<Unwinder>,
    /// Answers of [`Self::functions_called`], since breakpoints ask again whenever mappings change.
    called: RefCell<BTreeMap<Called, Rc<[u64]>>>,
    /// Likewise of [`Self::stops_at_line`].
    stops: RefCell<BTreeMap<LineOf, Rc<[u64]>>>,
}

/// The name of a function, and the file that it is to be of.
type Called = (String, Option<String>);

/// A file of the source, and a line of it.
type LineOf = (String, u32);

/// How a section stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Packing {
    None,
    /// By zlib, behind a header of so many bytes.
    Zlib {
        header_bytes: usize,
    },
    /// In a way that is not known here.
    Unknown,
}

impl ProgramFile {
    /// Reads an ELF file. Its debug information is read when it is first asked for.
    pub fn read(bytes: Vec<u8>) -> Self {
        let bytes: Arc<[u8]> = bytes.into();
        let Ok(elf) = Elf::parse(&bytes) else { return Self::default() };
        let loads = || elf.program_headers.iter().filter(|ph| ph.p_type == PT_LOAD);
        let segment = |ph: &goblin::elf::ProgramHeader| Segment {
            vaddr: ph.p_vaddr,
            file: ph.p_offset..ph.p_offset.saturating_add(ph.p_filesz),
            is_writable: ph.p_flags & PF_W != 0,
            is_code: ph.p_flags & PF_X != 0,
        };
        let address_of = |name: &str| {
            let named =
                |header: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(header.sh_name) == Some(name);
            elf.section_headers.iter().find(named).map_or(0, |header| header.sh_addr)
        };
        let mut sections = BTreeMap::new();
        for header in elf.section_headers.iter().filter(|header| header.sh_type != SHT_NOBITS) {
            let range = header.file_range().filter(|range| range.end <= bytes.len());
            let (Some(name), Some(range)) = (elf.shdr_strtab.get_at(header.sh_name), range) else { continue };
            let packing = if header.sh_flags & u64::from(SHF_COMPRESSED) == 0 {
                Packing::None
            } else {
                packing(&bytes[range.clone()])
            };
            sections.insert(name.to_owned(), (range, packing));
        }
        Self {
            path: String::new(),
            symbols: SymbolTable::of(&elf),
            segments: loads().map(segment).collect(),
            text: address_of(".text"),
            eh_frame: address_of(".eh_frame"),
            float_bytes: float_bytes(elf.header.e_flags),
            relocatable: elf.header.e_type == ET_DYN,
            lowest_page: loads().map(|ph| ph.p_vaddr & !(PAGE_SIZE - 1)).min().unwrap_or(0),
            sections,
            lines: OnceCell::new(),
            unwinder: OnceCell::new(),
            called: RefCell::default(),
            stops: RefCell::default(),
            bytes,
        }
    }

    /// Its path in the guest's root; empty if it is not there.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its symbols.
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }

    /// Whether it calls a function of this name that a library has.
    pub fn imports(&self, name: &str) -> bool {
        self.symbols.imports(name)
    }

    /// Its source lines, if it was compiled with them.
    pub fn lines(&self) -> Option<&Lines> {
        self.lines.get_or_init(|| Lines::read(|name| self.section(name))).as_ref()
    }

    /// What is added to the file's addresses where its first page is mapped at `first_page`; `None` as long as that is not known.
    pub fn load_bias(&self, first_page: Option<VirtAddr>) -> Option<u64> {
        if self.relocatable { Some(first_page?.0.wrapping_sub(self.lowest_page)) } else { Some(0) }
    }

    /// The address that a byte of the file has in the segment which its page is of.
    pub fn address_at(&self, offset_bytes: u64) -> Option<u64> {
        let page = offset_bytes..offset_bytes.checked_add(PAGE_SIZE)?;
        let is_there = |s: &&Segment| s.file.start < page.end && page.start < s.file.end;
        let segment = self.segments.iter().find(is_there)?;
        Some(segment.vaddr.wrapping_sub(segment.file.start).wrapping_add(offset_bytes))
    }

    /// Where the body begins of the function that begins at an address, if its lines are known: behind the code that makes room on the
    /// stack, so that its arguments are where the debug information says. Some compilers say where that is, else it is the second
    /// statement. Where the debug information tells of each instruction where they are, or no room is made, it is the address itself: what comes next may
    /// be of a branch, or of the middle of a loop.
    pub fn body_of(&self, address: u64) -> Option<u64> {
        let function = self.symbols.range_at(address).filter(|function| function.start == address)?;
        let lines = self.lines()?;
        let is_followed = lines.follows_variables(address);
        if let Some(body) = lines.end_of_prologue(&function) {
            let is_needed = !is_followed || lines.has_fixed_parameters(address);
            return Some(if is_needed { body } else { address });
        }
        let second = lines.second_statement(function)?;
        let is_needed = !is_followed && prologue::is_any(self, address, second);
        Some(if is_needed { second } else { address })
    }

    /// Where a breakpoint at a line stops: where its statements begin, but not before the body of a function.
    pub fn stops_at_line(&self, source: &str, line: u32) -> Rc<[u64]> {
        let key = (source.to_owned(), line);
        if let Some(known) = self.stops.borrow().get(&key) {
            return Rc::clone(known);
        }
        let found = self.lines().and_then(|lines| lines.addresses_of(source, line));
        let addresses = found.map(|(_, addresses)| addresses).unwrap_or_default();
        let behind_entry = |address: u64| {
            let function = self.symbols.range_at(address)?;
            self.body_of(function.start).filter(|&body| address < body)
        };
        let mut stops: Vec<u64> =
            addresses.into_iter().map(|address| behind_entry(address).unwrap_or(address)).collect();
        stops.dedup();
        let stops: Rc<[u64]> = stops.into();
        self.stops.borrow_mut().insert(key, Rc::clone(&stops));
        stops
    }

    /// Where functions of a name begin, in the order of their addresses: each that is called so, and each copy of it that the compiler has put into
    /// another; with `file` only those that are written there.
    pub fn functions_called(&self, name: &str, file: Option<&str>) -> Rc<[u64]> {
        let key = (name.to_owned(), file.map(str::to_owned));
        if let Some(known) = self.called.borrow().get(&key) {
            return Rc::clone(known);
        }
        let told =
            self.lines().map(|lines| lines.functions(&|range| self.has_call(range)).called(name, file));
        let mut all: Vec<(u8, u64)> = told.into_iter().flatten().collect();
        // What has no debug information is of no file that one could name.
        all.extend(file.is_none().then(|| self.symbols.code_called(name)).into_iter().flatten());
        let best = all.iter().map(|(likeness, _)| *likeness).min();
        let mut found: Vec<u64> =
            all.into_iter().filter(|(likeness, _)| Some(*likeness) == best).map(|(_, at)| at).collect();
        found.sort_unstable();
        found.dedup();
        let found: Rc<[u64]> = found.into();
        self.called.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// The names of the functions that are written in a file of the source.
    pub fn functions_of_file(&self, file: &str) -> Vec<String> {
        let Some(lines) = self.lines() else { return Vec::new() };
        let functions = lines.functions(&|range| self.has_call(range));
        functions.of_file(file).map(str::to_owned).collect()
    }

    /// What is at an address.
    pub fn spot(&self, address: u64) -> Spot {
        let source = self.lines().and_then(|lines| lines.at(address));
        Spot { symbol: self.name_of(address), source }
    }

    /// The symbol that holds an address, `name+0x8`; of code that has none the file, without its folders, and how far into it that is:
    /// `busybox+0x1234`.
    pub fn name_of(&self, address: u64) -> Option<String> {
        self.symbols.name_of(address).or_else(|| self.place_in_file(address))
    }

    fn place_in_file(&self, address: u64) -> Option<String> {
        let of = |s: &Segment| address.checked_sub(s.vaddr).filter(|at| *at < s.file.end - s.file.start);
        let mut code = self.segments.iter().filter(|s| s.is_code);
        let offset = code.find_map(|s| Some(s.file.start + of(s)?))?;
        let name = self.path.rsplit('/').next().filter(|name| !name.is_empty())?;
        Some(format!("{name}+{offset:#x}"))
    }

    /// Whether no symbol holds the code at an address, so that it goes by its place in the file.
    pub fn is_nameless(&self, address: u64) -> bool {
        self.symbols.name_of(address).is_none()
    }

    /// What the function returns whose code is at an address, if its lines are known and it returns anything.
    pub fn returns(&self, address: u64) -> Option<Returns> {
        self.lines()?.returns(address, self.float_bytes)
    }

    /// Whether a call is among the instructions from one address to another.
    fn has_call(&self, range: Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            let Some(bits) = self.instruction(at) else { return false };
            let is_call = isa::decode(bits).is_some_and(|insn| {
                matches!(insn.op, isa::Op::Jal | isa::Op::Jalr) && insn.rd == isa::reg::RA
            });
            if is_call {
                return true;
            }
            at += if bits & 0b11 == 0b11 { 4 } else { 2 };
        }
        false
    }

    /// The bits of the instruction at an address, as the file has them; `None` where that is writable, or not the file's.
    pub fn instruction(&self, address: u64) -> Option<u32> {
        let segment = self.segments.iter().find(|s| {
            !s.is_writable && address.checked_sub(s.vaddr).is_some_and(|at| at < s.file.end - s.file.start)
        })?;
        let at = usize::try_from(address - segment.vaddr + segment.file.start).ok()?;
        let half =
            |at: usize| Some(u16::from_le_bytes(self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?));
        let low = half(at)?;
        let high = if isa::insn_len(low) == 2 { 0 } else { half(at + 2)? };
        Some(u32::from(high) << 16 | u32::from(low))
    }

    /// The frame that has called `frame`, which runs code of this file, loaded with `bias`; `read` gives eight bytes of memory.
    pub fn caller(&self, frame: &Frame, bias: u64, read: &dyn Fn(u64) -> Option<u64>) -> Option<Frame> {
        let unwinder = self.unwinder.get_or_init(|| {
            Unwinder::new(self.text, self.eh_frame, self.section(".debug_frame"), self.section(".eh_frame"))
        });
        let by_code = || {
            // A call that names this function is the one that has called it; another may have come here by a table or a jump.
            let function = self.symbols.range_at(frame.at_work().wrapping_sub(bias));
            let is_named = |caller: &Frame| {
                let called = self.target_of_call_before(caller.pc.wrapping_sub(bias));
                called.is_some() && called == function.as_ref().map(|function| function.start)
            };
            let by_end = epilogue::caller(self, frame, bias, read);
            let by_start = || prologue::caller(self, frame, bias, read);
            match by_end {
                Some(caller) if is_named(&caller) => Some(caller),
                Some(caller) => by_start().filter(is_named).or(Some(caller)),
                None => by_start(),
            }
        };
        let caller = unwinder.caller(frame, bias, read).or_else(by_code)?;
        Some(caller).filter(|caller| {
            !self.begins_thread(frame.at_work().wrapping_sub(bias), caller.pc.wrapping_sub(bias))
        })
    }

    /// Whether a function that returns to its own beginning is the first of a thread: that was given there as if by a call. Unless it was called from
    /// right in front of it.
    fn begins_thread(&self, at: u64, returns_to: u64) -> bool {
        let Some(function) = self.symbols.range_at(at) else { return false };
        function.start == returns_to && self.target_of_call_before(returns_to) != Some(function.start)
    }

    /// Where the call leads that ends in front of an address, if it is one that says so: `jal`, or `auipc` and `jalr`.
    fn target_of_call_before(&self, address: u64) -> Option<u64> {
        let at = address.checked_sub(4)?;
        let call =
            isa::decode(self.instruction(at)?).filter(|call| call.rd == isa::reg::RA && call.len == 4)?;
        let imm = |insn: &isa::Insn| i64::from(insn.imm);
        match call.op {
            isa::Op::Jal => Some(at.wrapping_add_signed(imm(&call))),
            isa::Op::Jalr => {
                let at = at.checked_sub(4)?;
                let base = isa::decode(self.instruction(at)?)?;
                let is_its = base.op == isa::Op::Auipc && base.rd == call.rs1;
                is_its.then(|| at.wrapping_add_signed(imm(&base)).wrapping_add_signed(imm(&call)))
            }
            _ => None,
        }
    }

    fn section(&self, name: &str) -> Section {
        let none = || Section::new(Arc::default(), gimli::RunTimeEndian::Little);
        match self.sections.get(name) {
            None | Some((_, Packing::Unknown)) => none(),
            Some((range, Packing::None)) => {
                Section::new(Arc::clone(&self.bytes), gimli::RunTimeEndian::Little).range(range.clone())
            }
            Some((range, Packing::Zlib { header_bytes })) => {
                let packed = self.bytes.get(range.start + header_bytes..range.end).unwrap_or_default();
                match miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, MAX_UNPACKED_BYTES) {
                    Ok(bytes) => Section::new(bytes.into(), gimli::RunTimeEndian::Little),
                    Err(_) => none(),
                }
            }
        }
    }
}

/// Most bytes that a packed section may come to: a gibibyte.
const MAX_UNPACKED_BYTES: usize = 1 << 30;

/// The floating-point calling convention of a file (RISC-V ELF psABI, "File Header").
fn float_bytes(flags: u32) -> u64 {
    const FLOAT_ABI: u32 = 0x6;
    match flags & FLOAT_ABI {
        0 => 0,
        2 => 4,
        4 => 8,
        _ => 16,
    }
}

/// How a section is packed that says it is.
fn packing(section: &[u8]) -> Packing {
    let ctx =
        goblin::container::Ctx::new(goblin::container::Container::Big, goblin::container::Endian::Little);
    match CompressionHeader::parse(section, 0, ctx) {
        Ok(header) if header.ch_type == compression_header::ELFCOMPRESS_ZLIB => {
            Packing::Zlib { header_bytes: CompressionHeader::size(ctx) }
        }
        _ => Packing::Unknown,
    }
}

/// A file, and what a process adds to its addresses.
#[derive(Clone)]
pub struct Loaded {
    /// The file.
    pub file: Rc<ProgramFile>,
    /// What is added.
    pub bias: u64,
}

impl Loaded {
    /// What is at an address of the process.
    pub fn spot(&self, va: VirtAddr) -> Spot {
        self.file.spot(va.0.wrapping_sub(self.bias))
    }
    /// What is at the call behind which an address of the process is.
    pub fn spot_of_return(&self, va: VirtAddr) -> Spot {
        let address = va.0.wrapping_sub(self.bias);
        let file = &self.file;
        let symbol = file.symbols().name_of_return(address).or_else(|| file.place_in_file(address));
        Spot { symbol, ..self.file.spot(address.wrapping_sub(1)) }
    }
    /// The functions that the compiler has put into one another at an address of the process, the innermost first.
    pub fn inlined(&self, va: VirtAddr) -> Vec<InlineFrame> {
        self.file.lines().map(|lines| lines.frames(va.0.wrapping_sub(self.bias))).unwrap_or_default()
    }
}

/// The files of a guest, each read when it is first asked for.
pub struct Programs {
    files: ProgramFiles,
    sources: ProgramFiles,
    newer: NewerSources,
    /// The programs and sources that were asked about.
    told_newer: RefCell<BTreeSet<(String, String)>>,
    known: RefCell<BTreeMap<String, Rc<ProgramFile>>>,
    texts: RefCell<BTreeMap<String, Option<Rc<Vec<String>>>>>,
}

impl Programs {
    /// Those that `files` gives.
    pub fn new(files: ProgramFiles) -> Self {
        Self {
            files,
            sources: Box::new(|_| None),
            newer: Box::new(|_, _| false),
            told_newer: RefCell::default(),
            known: RefCell::default(),
            texts: RefCell::default(),
        }
    }

    /// The same, with the files of the source that `sources` gives by the paths that compilers were given.
    pub fn with_sources(self, sources: ProgramFiles) -> Self {
        Self { sources, ..self }
    }

    /// The same, with what tells of sources that are newer than their programs.
    pub fn with_newer(self, newer: NewerSources) -> Self {
        Self { newer, ..self }
    }

    /// Whether a file of the source is newer than a program; once.
    pub fn take_newer(&self, program: &str, source: &SourceLine) -> bool {
        let path = source.path();
        self.told_newer.borrow_mut().insert((program.to_owned(), path.clone()))
            && (self.newer)(program, &path)
    }

    /// The lines of a source file, if it can be had where it was compiled.
    pub fn source_lines(&self, source: &SourceLine) -> Option<Rc<Vec<String>>> {
        let path = source.path();
        if let Some(text) = self.texts.borrow().get(&path) {
            return text.clone();
        }
        let text = (self.sources)(&path).or_else(|| (self.files)(&path));
        let lines =
            text.map(|text| Rc::new(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()));
        self.texts.borrow_mut().insert(path, lines.clone());
        lines
    }

    /// Reads the files anew when they are next asked for: they may be others by now.
    pub fn forget(&self) {
        self.told_newer.borrow_mut().clear();
        self.known.borrow_mut().clear();
        self.texts.borrow_mut().clear();
    }

    /// None.
    pub fn none() -> Self {
        Self::new(Box::new(|_| None))
    }

    /// The bytes of any file at a path in the guest's root; they are not kept.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        (self.files)(path)
    }

    /// The file at a path in the guest's root; an empty one if it can't be had.
    pub fn get(&self, path: &str) -> Rc<ProgramFile> {
        if let Some(file) = self.known.borrow().get(path) {
            return Rc::clone(file);
        }
        let read = (self.files)(path).map(ProgramFile::read).unwrap_or_default();
        let file = Rc::new(ProgramFile { path: path.to_owned(), ..read });
        self.known.borrow_mut().insert(path.to_owned(), Rc::clone(&file));
        file
    }
}
