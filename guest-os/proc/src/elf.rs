//! From an ELF file's headers to what must be mapped: decided before anything is.
//!
//! Follows Linux's `load_elf_binary`: what it refuses is refused here with a reason, what it would start is started, even
//! if it must crash. Only the bytes of the headers are looked at.

use alloc::vec::Vec;
use bitflags::bitflags;
use goblin::container::{Container, Ctx};
use goblin::elf::Elf;
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{self, ProgramHeader};
use isa::{PAGE_SIZE, VirtAddr};

/// Bytes of an ELF64 header.
pub const HEADER_BYTES: u64 = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
/// Linux's limit on the size of all program headers.
const MAX_HEADERS_BYTES: u64 = 64 << 10;
/// The largest offset in a file (`loff_t`).
const MAX_FILE_OFFSET: u64 = i64::MAX as u64;
/// Longest PT_INTERP path (`PATH_MAX`).
const MAX_INTERPRETER_BYTES: u64 = 4096;

/// Why a file is not executed. Linux looks at segments when the old program is gone already, so that
/// [`ElfError::is_fatal`] errors end the process by SIGSEGV; the others are ENOEXEC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfError {
    /// It does not start with the ELF magic number.
    NotElf,
    /// Not a 64-bit file.
    WrongClass,
    /// Not for RISC-V; the number of its machine.
    WrongMachine(u16),
    /// Neither an executable nor a position-independent one (an object file, a core dump).
    NotExecutable,
    /// The header or the program headers are cut off or have impossible sizes.
    BadHeaders,
    /// A segment's offset and address differ within a page, or its size in the file exceeds that in memory.
    BadSegment,
    /// A segment lies outside user space.
    OutOfRange,
    /// A segment's bss begins in a page that lies past the end of the file.
    BssPastEnd,
    /// The kernel has no memory for the plan: ENOMEM, and not the file's fault.
    NoMemory,
}

impl ElfError {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            ElfError::NotElf => "it is not an ELF file",
            ElfError::WrongClass => "it is not a 64-bit ELF file",
            ElfError::WrongMachine(_) => "it is not a program for RISC-V",
            ElfError::NotExecutable => "it is an ELF file but not an executable",
            ElfError::BadHeaders => "its ELF headers are cut off or have impossible sizes",
            ElfError::BadSegment => "one of its segments is malformed",
            ElfError::OutOfRange => "one of its segments lies outside user space",
            ElfError::BssPastEnd => "it is cut off: one of its segments lies past the end of the file",
            ElfError::NoMemory => "the kernel has no memory left for it",
        }
    }

    /// Whether the process dies of it instead of getting ENOEXEC.
    pub fn is_fatal(self) -> bool {
        matches!(self, ElfError::BadSegment | ElfError::OutOfRange | ElfError::BssPastEnd)
    }
}

bitflags! {
    /// Permissions of a segment.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct SegmentProt: u32 {
        /// Executable.
        const EXEC = program_header::PF_X;
        /// Writable.
        const WRITE = program_header::PF_W;
        /// Readable.
        const READ = program_header::PF_R;
    }
}

/// A PT_LOAD segment, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its first page's address.
    pub start: VirtAddr,
    /// Pages that show the file, from `start` on.
    pub file_pages: u64,
    /// The page of the file that `start` shows.
    pub first_file_page: u64,
    /// If set, only so many bytes from `start` on come from the file: the rest of the last file page is zero (bss).
    pub file_bytes: Option<u64>,
    /// Pages of zeros after the file's pages (bss).
    pub zero_pages: u64,
    /// Permissions.
    pub prot: SegmentProt,
}

impl Segment {
    /// The first byte after the segment's last page.
    pub fn end(&self) -> VirtAddr {
        self.start.wrapping_add((self.file_pages + self.zero_pages) * PAGE_SIZE)
    }
}

/// The ELF header, checked; says which bytes of the file hold the program headers.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    header: Header,
}

/// What a program needs to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElfPlan {
    /// What to map, in the order of the headers; a later segment covers an earlier one where they overlap.
    pub segments: Vec<Segment>,
    /// Where it starts.
    pub entry: VirtAddr,
    /// Where the program headers lie in memory (`AT_PHDR`); 0 if no segment holds them.
    pub headers_va: VirtAddr,
    /// How many there are (`AT_PHNUM`).
    pub header_count: u64,
    /// What was added to the file's addresses, modulo 2^64: 0 unless position-independent.
    pub bias: u64,
    /// It runs wherever it is put.
    pub is_position_independent: bool,
    /// First page boundary after all segments, where the heap starts.
    pub brk_start: VirtAddr,
    /// PT_INTERP: offset in the file and length of the loader's path.
    pub interpreter: Option<(u64, u64)>,
    /// PT_GNU_STACK asks for an executable stack.
    pub executable_stack: bool,
}

impl ElfPlan {
    /// The pages from its first segment to its last one.
    pub fn len_pages(&self) -> u64 {
        (self.brk_start.0 - self.start().0) / PAGE_SIZE
    }
    /// The lowest segment's first page; that of an empty plan is its end.
    fn start(&self) -> VirtAddr {
        self.segments.iter().map(|segment| segment.start).min().unwrap_or(self.brk_start)
    }
    /// Puts the lowest segment at `start`, and all else as far away. Panics unless it is [position-independent](Self::is_position_independent).
    pub fn move_to(&mut self, start: VirtAddr) {
        assert!(self.is_position_independent, "the file says where it goes");
        let by = start.0.wrapping_sub(self.start().0);
        let addresses = [&mut self.entry, &mut self.headers_va, &mut self.brk_start];
        for va in addresses.into_iter().chain(self.segments.iter_mut().map(|segment| &mut segment.start)) {
            *va = va.wrapping_add(by);
        }
        self.bias = self.bias.wrapping_add(by);
    }
}

impl Headers {
    /// Checks the first [`HEADER_BYTES`] bytes of a file (fewer if the file is shorter).
    pub fn parse(start_of_file: &[u8]) -> Result<Self, ElfError> {
        if start_of_file.get(..4) != Some(header::ELFMAG.as_slice()) {
            return Err(ElfError::NotElf);
        }
        let mut bytes: [u8; 64] = *start_of_file.first_chunk().ok_or(ElfError::BadHeaders)?;
        if bytes[header::EI_CLASS] != header::ELFCLASS64 {
            return Err(ElfError::WrongClass);
        }
        // Linux takes the fields as little-endian whatever the file says; one that is not has another machine.
        bytes[header::EI_DATA] = header::ELFDATA2LSB;
        let header = Elf::parse_header(&bytes).map_err(|_| ElfError::BadHeaders)?;
        if header.e_machine != header::EM_RISCV {
            return Err(ElfError::WrongMachine(header.e_machine));
        }
        if header.e_type != header::ET_EXEC && header.e_type != header::ET_DYN {
            return Err(ElfError::NotExecutable);
        }
        let table_bytes = u64::from(header.e_phnum) * PROGRAM_HEADER_BYTES as u64;
        if usize::from(header.e_phentsize) != PROGRAM_HEADER_BYTES
            || table_bytes == 0
            || table_bytes > MAX_HEADERS_BYTES
        {
            return Err(ElfError::BadHeaders);
        }
        header.e_phoff.checked_add(table_bytes).ok_or(ElfError::BadHeaders)?;
        Ok(Self { header })
    }
    /// Offset of the program headers in the file.
    pub fn table_offset(&self) -> u64 {
        self.header.e_phoff
    }
    /// Their length in bytes.
    pub fn table_bytes(&self) -> u64 {
        u64::from(self.header.e_phnum) * PROGRAM_HEADER_BYTES as u64
    }

    /// Plans the mapping. `table`: the bytes of the program headers; `pie_base`: where position-independent programs go;
    /// `user_end`: the end of user space.
    pub fn plan(&self, table: &[u8], pie_base: VirtAddr, user_end: VirtAddr) -> Result<ElfPlan, ElfError> {
        let count = usize::from(self.header.e_phnum);
        if (table.len() as u64) < self.table_bytes() {
            return Err(ElfError::BadHeaders);
        }
        let context = Ctx::new(Container::Big, goblin::container::Endian::Little);
        // One by one: the parser would allocate for all of them at once.
        let headers = || {
            let entries = table.chunks_exact(PROGRAM_HEADER_BYTES).take(count);
            entries
                .map(|entry| ProgramHeader::parse(entry, 0, 1, context))
                .flat_map(|parsed| parsed.ok()?.pop())
        };
        if headers().count() < count {
            return Err(ElfError::BadHeaders);
        }
        let loads = || headers().filter(|h| h.p_type == program_header::PT_LOAD);
        let is_pie = self.header.e_type == header::ET_DYN;
        let bias = if is_pie { Self::bias(loads(), pie_base) } else { 0 };
        let mut plan = ElfPlan {
            segments: Vec::new(),
            entry: VirtAddr(self.header.e_entry.wrapping_add(bias)),
            headers_va: VirtAddr(0),
            header_count: u64::from(self.header.e_phnum),
            bias,
            is_position_independent: is_pie,
            brk_start: VirtAddr(0),
            interpreter: None,
            executable_stack: false,
        };
        plan.segments.try_reserve_exact(loads().count()).map_err(|_| ElfError::NoMemory)?;
        for header in headers() {
            match header.p_type {
                program_header::PT_LOAD => {
                    plan.segments.extend(plan_segment(&header, bias, user_end)?);
                    if (header.p_offset..header.p_offset.saturating_add(header.p_filesz))
                        .contains(&self.header.e_phoff)
                    {
                        let offset = self.header.e_phoff - header.p_offset;
                        plan.headers_va = VirtAddr(header.p_vaddr.wrapping_add(bias).wrapping_add(offset));
                    }
                }
                program_header::PT_INTERP if plan.interpreter.is_none() => {
                    if !(2..=MAX_INTERPRETER_BYTES).contains(&header.p_filesz) {
                        return Err(ElfError::BadHeaders);
                    }
                    plan.interpreter = Some((header.p_offset, header.p_filesz));
                }
                program_header::PT_GNU_STACK => {
                    plan.executable_stack = header.p_flags & program_header::PF_X != 0
                }
                _ => {}
            }
        }
        plan.brk_start = plan.segments.iter().map(Segment::end).max().unwrap_or_default();
        Ok(plan)
    }

    /// What can only be said of a plan once the file's length is known: where the start of a bss shares a page with
    /// file data, the rest of that page is cleared at once, which fails if the file has no such page.
    pub fn check_length(plan: &ElfPlan, file_bytes: u64) -> Result<(), ElfError> {
        let pages_in_file = file_bytes.div_ceil(PAGE_SIZE);
        let is_cut_off = |segment: &Segment| {
            let shares_page = segment.file_bytes.is_some_and(|bytes| !bytes.is_multiple_of(PAGE_SIZE));
            let last_page = segment.first_file_page + segment.file_pages;
            shares_page && segment.prot.contains(SegmentProt::WRITE) && last_page > pages_in_file
        };
        if plan.segments.iter().any(is_cut_off) { Err(ElfError::BssPastEnd) } else { Ok(()) }
    }

    /// Puts the lowest segment at `pie_base`, rounded to the largest alignment that a segment asks for: downwards, too (modulo 2^64).
    fn bias(loads: impl Iterator<Item = ProgramHeader> + Clone, pie_base: VirtAddr) -> u64 {
        let aligned = |header: ProgramHeader| header.p_align.is_power_of_two().then_some(header.p_align);
        let align = loads.clone().filter_map(aligned).max().unwrap_or(PAGE_SIZE).max(PAGE_SIZE);
        let lowest = loads.map(|header| header.p_vaddr & !(PAGE_SIZE - 1)).min().unwrap_or(0);
        (pie_base.0 & !(align - 1)).wrapping_sub(lowest)
    }
}

fn plan_segment(header: &ProgramHeader, bias: u64, user_end: VirtAddr) -> Result<Option<Segment>, ElfError> {
    if header.p_memsz == 0 {
        return Ok(None);
    }
    let va = header.p_vaddr.wrapping_add(bias);
    if header.p_filesz > header.p_memsz {
        return Err(ElfError::BadSegment);
    }
    let end = va.checked_add(header.p_memsz).filter(|&end| end <= user_end.0).ok_or(ElfError::OutOfRange)?;
    let start = VirtAddr(va).page_base();
    let lead = va - start.0;
    let pages = (end - start.0).div_ceil(PAGE_SIZE);
    let prot = SegmentProt::from_bits_truncate(header.p_flags);
    if header.p_filesz == 0 {
        let zero =
            Segment { start, file_pages: 0, first_file_page: 0, file_bytes: None, zero_pages: pages, prot };
        return Ok(Some(zero));
    }
    let file_start = header.p_offset.checked_sub(lead).filter(|offset| offset.is_multiple_of(PAGE_SIZE));
    let first_file_page = file_start.ok_or(ElfError::BadSegment)? / PAGE_SIZE;
    let end_in_file = header.p_offset.checked_add(header.p_filesz);
    end_in_file.filter(|&end| end <= MAX_FILE_OFFSET).ok_or(ElfError::BadSegment)?;
    let file_bytes = lead + header.p_filesz;
    let file_pages = file_bytes.div_ceil(PAGE_SIZE);
    Ok(Some(Segment {
        start,
        file_pages,
        first_file_page,
        file_bytes: (header.p_memsz > header.p_filesz).then_some(file_bytes),
        zero_pages: pages - file_pages,
        prot,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIE: VirtAddr = VirtAddr(0x2a_aaaa_a000);
    const END: VirtAddr = VirtAddr(1 << 38);

    fn header(e_type: u16, count: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend(e_type.to_le_bytes());
        bytes.extend(header::EM_RISCV.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(0x10100u64.to_le_bytes());
        bytes.extend(64u64.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend([5, 0, 0, 0, 64, 0, 56, 0]);
        bytes.extend(count.to_le_bytes());
        bytes.extend([64, 0, 0, 0, 0, 0]);
        bytes
    }

    /// flags, offset, va, filesz, memsz
    fn load((flags, offset, va, filesz, memsz): (u32, u64, u64, u64, u64)) -> Vec<u8> {
        let mut bytes = [program_header::PT_LOAD.to_le_bytes(), flags.to_le_bytes()].concat();
        for word in [offset, va, va, filesz, memsz, 0x1000] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    fn plan(e_type: u16, loads: &[(u32, u64, u64, u64, u64)]) -> Result<ElfPlan, ElfError> {
        let headers = Headers::parse(&header(e_type, u16::try_from(loads.len()).unwrap()))?;
        headers.plan(&loads.iter().flat_map(|&l| load(l)).collect::<Vec<_>>(), PIE, END)
    }

    #[test]
    fn text_data_sharing_a_file_page_and_a_bss_tail() {
        let plan =
            plan(2, &[(5, 0, 0x10000, 0x1234, 0x1234), (6, 0x1234, 0x12234, 0x100, 0x2200000)]).unwrap();
        let [text, data] = plan.segments[..] else { panic!("two segments") };
        assert_eq!(
            (text.start, text.file_pages, text.file_bytes, text.zero_pages),
            (VirtAddr(0x10000), 2, None, 0)
        );
        assert_eq!((data.start, data.first_file_page, data.file_pages), (VirtAddr(0x12000), 1, 1));
        assert_eq!((data.file_bytes, data.zero_pages), (Some(0x334), 0x2200));
        assert_eq!((plan.headers_va, plan.brk_start), (VirtAddr(0x10040), VirtAddr(0x2213000)));
    }

    #[test]
    fn position_independent_programs_move_as_a_whole() {
        let low = plan(3, &[(5, 0, 0, 0x500, 0x500), (6, 0xe00, 0x1e00, 0x10, 0x10)]).unwrap();
        assert_eq!((low.bias, low.segments[1].start), (PIE.0, VirtAddr(PIE.0 + 0x1000)));
        assert_eq!(low.entry, VirtAddr(PIE.0 + 0x10100));
        // One that is linked above its place goes down.
        let high =
            plan(3, &[(5, 0, 0x30_0000_0000, 0x500, 0x500), (6, 0xe00, 0x30_0000_1e00, 0x10, 0x10)]).unwrap();
        assert_eq!((high.segments[0].start, high.segments[1].start), (PIE, VirtAddr(PIE.0 + 0x1000)));
        assert_eq!(high.headers_va, VirtAddr(PIE.0 + 64));
    }

    #[test]
    fn a_loader_goes_where_there_is_room() {
        let plan = plan(3, &[(5, 0, 0x3000, 0x500, 0x500), (6, 0xe00, 0x4e00, 0x10, 0x2000)]).unwrap();
        assert_eq!(plan.len_pages(), 4);
        let mut moved = plan.clone();
        moved.move_to(VirtAddr(0x3f_0000_0000));
        let starts: Vec<_> = moved.segments.iter().map(|segment| segment.start.0).collect();
        assert_eq!(starts, [0x3f_0000_0000, 0x3f_0000_1000]);
        // The bias is what the file's own addresses are off by.
        assert_eq!((moved.bias, moved.entry), (0x3e_ffff_d000, VirtAddr(0x3e_ffff_d000 + 0x10100)));
        assert_eq!(moved.headers_va, VirtAddr(0x3f_0000_0040));
        moved.move_to(PIE);
        assert_eq!(moved, plan);
    }

    #[test]
    fn what_linux_refuses_is_refused() {
        let rows = [
            ((5, 0, 0x10000, 0x2000, 0x1000), ElfError::BadSegment),
            ((5, 0x123, 0x10000, 0x1000, 0x1000), ElfError::BadSegment),
            ((5, 0, 0xffff_ffff_ffff_f000, 0x1000, 0x2000), ElfError::OutOfRange),
            ((6, 0, 0x10000, 0x1000, 1 << 40), ElfError::OutOfRange),
        ];
        for (row, expected) in rows {
            assert_eq!(plan(2, &[row]), Err(expected), "{row:x?}");
        }
        assert_eq!(plan(1, &[(5, 0, 0, 1, 1)]), Err(ElfError::NotExecutable));
        assert_eq!(plan(2, &[]), Err(ElfError::BadHeaders));
    }

    #[test]
    fn a_bss_that_begins_past_the_end_of_the_file_is_found() {
        let data = |flags, memsz| plan(2, &[(flags, 0x1000, 0x10000, 0x1800, memsz)]).unwrap();
        let (rw, r) = (6, 4);
        // The page in which the bss begins is the file's third.
        for (plan, file_bytes, expected) in [
            (data(rw, 0x9000), 0x2001, Ok(())),
            (data(rw, 0x9000), 0x2000, Err(ElfError::BssPastEnd)),
            (data(r, 0x9000), 0x2000, Ok(())),
            (data(rw, 0x1800), 0x2000, Ok(())),
        ] {
            assert_eq!(Headers::check_length(&plan, file_bytes), expected);
        }
        assert!(ElfError::BssPastEnd.is_fatal() && !ElfError::BadHeaders.is_fatal());
    }

    #[test]
    fn malformed_headers_are_named() {
        let change = |at: usize, value: u8| {
            let mut bytes = header(2, 1);
            bytes[at] = value;
            Headers::parse(&bytes).err()
        };
        for (at, value, expected) in [
            (0, 0, Some(ElfError::NotElf)),
            (4, 1, Some(ElfError::WrongClass)),
            (5, 2, None),
            (18, 62, Some(ElfError::WrongMachine(62))),
            (54, 32, Some(ElfError::BadHeaders)),
            (57, 255, Some(ElfError::BadHeaders)),
            (60, 0, None),
        ] {
            assert_eq!(change(at, value), expected, "byte {at} = {value}");
        }
        for len in 4..64 {
            assert_eq!(Headers::parse(&header(2, 1)[..len]).err(), Some(ElfError::BadHeaders));
        }
    }
}
