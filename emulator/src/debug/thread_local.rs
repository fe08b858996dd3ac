//! Where a thread's own variables are: those of its program begin where the thread pointer points, those of a library where the
//! thread's vector of modules says (RISC-V ELF psABI, "Thread Local Storage"; U. Drepper, "ELF Handling For Thread-Local Storage", variant I).
//! Modules are numbered in the order of the loader's list (`struct link_map` of `<link.h>`).

/// A word of the process's memory.
pub(crate) type ReadWord<'a> = &'a dyn Fn(u64) -> Option<u64>;

/// Most files in the loader's list.
const MOST_FILES: usize = 1024;
/// Offsets of the list's entries: what is added to a file's addresses, its name, the entries behind and before.
const ADDED: u64 = 0;
const NAME: u64 = 8;
const NEXT: u64 = 24;
const PREVIOUS: u64 = 32;
/// Of `struct r_debug`: the list's first entry.
const FIRST: u64 = 8;
/// Bytes of the thread's control block, which lies before where its pointer points; the vector's address is the first word.
const CONTROL_BYTES: u64 = 16;
/// Bytes of an entry of the vector, whose first word is the address of the module's variables.
const VECTOR_ENTRY_BYTES: u64 = 16;
/// What that is before the thread has touched any.
const NOT_MADE: u64 = u64::MAX;

/// The loader's entry of the file that lies at `bias`; `debug` is where its `_r_debug` is.
pub(crate) fn entry_at(read: ReadWord<'_>, debug: u64, bias: u64) -> Option<u64> {
    let next = |entry: &u64| read(entry.wrapping_add(NEXT)).filter(|&next| next != 0);
    let first = read(debug.wrapping_add(FIRST)).filter(|&first| first != 0);
    let mut entries = std::iter::successors(first, next).take(MOST_FILES);
    entries.find(|entry| read(entry.wrapping_add(ADDED)) == Some(bias))
}

/// Whether an entry is the program's, whose name is empty. No entry is that of a program which needs no loader.
pub(crate) fn is_program(read: ReadWord<'_>, entry: u64) -> bool {
    let name = || read(entry.wrapping_add(NAME));
    entry == 0 || name().and_then(read).is_some_and(|text| text & 0xff == 0)
}

/// Where the variables begin that the thread with this pointer has of a file, by the loader's entry of that; `program` is where the program's own ELF header is.
/// `None` if the file has none, or the thread has touched none.
pub(crate) fn block_of(read: ReadWord<'_>, pointer: u64, program: u64, entry: u64) -> Option<u64> {
    let previous = |entry: &u64| read(entry.wrapping_add(PREVIOUS)).filter(|&before| before != 0);
    let has_block = |&entry: &u64| {
        let header = if is_program(read, entry) { Some(program) } else { read(entry.wrapping_add(ADDED)) };
        header.is_some_and(|header| has_thread_locals(read, header))
    };
    if !has_block(&entry) {
        return None;
    }
    let number =
        std::iter::successors(Some(entry), previous).take(MOST_FILES).filter(has_block).count() as u64;
    let vector = read(pointer.wrapping_sub(CONTROL_BYTES))?;
    read(vector.wrapping_add(VECTOR_ENTRY_BYTES.wrapping_mul(number))).filter(|&block| block != NOT_MADE)
}

/// Whether a file in memory has a PT_TLS, by its ELF header.
fn has_thread_locals(read: ReadWord<'_>, header: u64) -> bool {
    const PT_TLS: u64 = 7;
    let half = |word: u64, index: u32| word >> (16 * index) & 0xffff;
    let (Some(offset), Some(sizes)) = (read(header.wrapping_add(32)), read(header.wrapping_add(52))) else {
        return false;
    };
    // Behind e_ehsize at byte 52: e_phentsize and e_phnum.
    let (bytes, count) = (half(sizes, 1), half(sizes, 2));
    (0..count).any(|index| {
        let at = header.wrapping_add(offset).wrapping_add(index * bytes);
        read(at).is_some_and(|word| word & u64::from(u32::MAX) == PT_TLS)
    })
}
