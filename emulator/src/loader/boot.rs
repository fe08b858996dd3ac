//! What is loaded where, and how the first hart starts: under the built-in SBI, under firmware, or bare.
//!
//! | firmware | kernel goes to | the hart starts at | in | with |
//! |---|---|---|---|---|
//! | built-in SBI | see below, or 0x8020_0000 | the kernel's entry | S | a0 = hart, a1 = device tree |
//! | an image | the same | 0x8000_0000 (or the ELF's entry) | M | also a2 = OpenSBI's `fw_dynamic` information |
//! | none | see below, or 0x8000_0000 | the kernel's entry | M | a0 = hart, a1 = device tree |
//!
//! An ELF goes to its segments' `p_paddr`; if it is position-independent and linked outside RAM (OpenSBI's are linked at 0),
//! they count from where a raw image would go. A Linux `Image` goes to where its header says.
//!
//! The device tree lies at the top of RAM, the `fw_dynamic` block right behind it and the initial RAM disk below.

use super::dtb::{self, DtbError};
use super::elf::{ElfError, ElfFile, is_elf};
use super::fdt::{self, Board, Chosen};
use super::linux::{LinuxImage, efi_bytes};
use crate::mem::ram::Ram;
use isa::platform::{KERNEL_BASE, RAM_BASE};
use isa::{IsaSet, PAGE_SIZE, PhysAddr, Privilege};
use serde::{Deserialize, Serialize};

/// What runs in M-mode below the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Firmware<'a> {
    /// The machine's own SBI: nothing runs in M-mode.
    Builtin,
    /// Firmware such as OpenSBI's `fw_jump` or `fw_dynamic`, an ELF or a raw image.
    Image(&'a [u8]),
    /// Nothing: the kernel starts in M-mode.
    None,
}

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// What runs in M-mode below the kernel.
    pub firmware: Firmware<'a>,
    /// The kernel: an ELF, a Linux `Image` or another raw image. Only firmware may go without.
    pub kernel: Option<&'a [u8]>,
    /// The initial RAM disk.
    pub initrd: Option<&'a [u8]>,
    /// A device tree to use in place of the machine's own; command line and initial RAM disk are written into it.
    pub device_tree: Option<&'a [u8]>,
    /// What `/chosen` says.
    pub chosen: Chosen<'a>,
}

impl<'a> Boot<'a> {
    /// A kernel under the built-in SBI.
    pub fn kernel(kernel: &'a [u8]) -> Self {
        let (initrd, device_tree) = (None, None);
        Self {
            firmware: Firmware::Builtin,
            kernel: Some(kernel),
            initrd,
            device_tree,
            chosen: Chosen::default(),
        }
    }
    /// A program that starts in M-mode and has the machine to itself.
    pub fn bare(program: &'a [u8]) -> Self {
        Self { firmware: Firmware::None, ..Self::kernel(program) }
    }
}

/// Which of the images an error is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Image {
    Kernel,
    /// What starts in M-mode and has the machine to itself.
    Program,
    Firmware,
    Initrd,
    DeviceTree,
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Program => "program",
            Self::Firmware => "firmware",
            Self::Initrd => "initial RAM disk",
            Self::DeviceTree => "device tree",
        })
    }
}

/// Why a machine could not be booted. Each sentence says what to try.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the sentences say it
pub enum LoadError {
    #[error("the {image} is not an ELF that can be started: {error}")]
    Elf { image: Image, error: ElfError },
    #[error(
        "the {image} needs {len_bytes:#x} bytes at {at}, which is not RAM ({RAM_BASE}, {ram_bytes:#x} bytes); give the machine more memory (-m) or link it elsewhere"
    )]
    OutsideRam { image: Image, at: PhysAddr, len_bytes: u64, ram_bytes: u64 },
    #[error(
        "the {image} would overwrite the {other}; give the machine more memory (-m) or link one of them elsewhere"
    )]
    Overlap { image: Image, other: Image },
    #[error(
        "the {image} ({len_bytes} bytes) does not fit into RAM ({} MiB) beside the kernel and the device tree; give the machine more memory (-m)",
        ram_bytes >> 20
    )]
    NoRoom { image: Image, len_bytes: u64, ram_bytes: u64 },
    #[error("the {image} is empty; is it the right file?")]
    Empty { image: Image },
    #[error("the {image} is {len_bytes} bytes and should be {wanted_bytes} at least; is the file complete?")]
    Truncated { image: Image, len_bytes: usize, wanted_bytes: usize },
    #[error("the {image} is compressed by {by}; unpack it first")]
    Compressed { image: Image, by: &'static str },
    #[error("the device tree given (--dtb) cannot be used")]
    BadDeviceTree(#[from] DtbError),
    #[error("there is no kernel to start; name one")]
    NoKernel,
    #[error(
        "the kernel's command line has a NUL at byte {at}, where it would end for the kernel; leave it out"
    )]
    NulInBootargs { at: usize },
}

impl LoadError {
    /// The images that it is about, the one at fault first.
    pub fn images(&self) -> impl Iterator<Item = Image> {
        let images = match *self {
            Self::Elf { image, .. }
            | Self::OutsideRam { image, .. }
            | Self::NoRoom { image, .. }
            | Self::Empty { image }
            | Self::Truncated { image, .. }
            | Self::Compressed { image, .. } => [Some(image), None],
            Self::Overlap { image, other } => [Some(image), Some(other)],
            Self::BadDeviceTree(_) => [Some(Image::DeviceTree), None],
            Self::NoKernel | Self::NulInBootargs { .. } => [None, None],
        };
        images.into_iter().flatten()
    }
}

/// Where everything went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BootInfo {
    /// Where the first hart starts.
    pub entry: PhysAddr,
    /// The mode it starts in.
    pub privilege: Privilege,
    /// The device tree (register a1).
    pub device_tree: PhysAddr,
    /// The `fw_dynamic` block (register a2), under firmware.
    pub fw_dynamic: Option<PhysAddr>,
    /// Where the kernel's `tohost` and `fromhost` words lie, if its ELF has these symbols, or a section `.tohost`.
    pub htif: Option<Htif>,
    /// The kernel's memory from `begin_signature` to `end_signature`.
    pub signature: Option<(PhysAddr, PhysAddr)>,
}

/// The host-target interface's two words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Htif {
    /// Written by the program.
    pub tohost: PhysAddr,
    /// Written by the host.
    pub fromhost: Option<PhysAddr>,
}

/// Where a stripped test program has its `tohost` and, a cache block later, `fromhost`: riscv-tests' layout.
const HTIF_SECTION: &str = ".tohost";
const FROMHOST_OFFSET: u64 = 64;

const FW_DYNAMIC_MAGIC: u64 = 0x4942_534f;
const FW_DYNAMIC_VERSION: u64 = 2;
const FW_DYNAMIC_BYTES: u64 = 48;
/// The device tree is aligned as Linux wants it, in a RAM that is large enough.
const DEVICE_TREE_ALIGN: u64 = 2 << 20;
const SMALL_RAM_BYTES: u64 = 16 << 20;

/// The first bytes of what is certainly no program.
const COMPRESSED: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"BZh", "bzip2"),
];

/// Whether an image that is no ELF can be one at all.
fn check_raw(image: Image, bytes: &[u8]) -> Result<(), LoadError> {
    if let Some(&(_, by)) = COMPRESSED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(LoadError::Compressed { image, by });
    }
    let len_bytes = bytes.len();
    match efi_bytes(bytes) {
        Some(wanted_bytes) if wanted_bytes > len_bytes => {
            Err(LoadError::Truncated { image, len_bytes, wanted_bytes })
        }
        _ => Ok(()),
    }
}

/// Loads everything into RAM.
pub fn load(ram: &mut Ram, harts: u32, isa: IsaSet, boot: &Boot<'_>) -> Result<BootInfo, LoadError> {
    let mut loader = Loader { ram, taken: Vec::new() };
    let bare = matches!(boot.firmware, Firmware::None);
    let firmware_entry = match boot.firmware {
        Firmware::Image(image) => Some(loader.program(Image::Firmware, image, RAM_BASE)?.entry),
        Firmware::Builtin | Firmware::None => None,
    };
    let (image, kernel_base) = if bare { (Image::Program, RAM_BASE) } else { (Image::Kernel, KERNEL_BASE) };
    let kernel = boot.kernel.map(|kernel| loader.program(image, kernel, kernel_base)).transpose()?;
    let kernel_entry = kernel.as_ref().map_or(kernel_base, |kernel| kernel.entry);
    let entry = match firmware_entry {
        Some(entry) => entry,
        None if kernel.is_some() => kernel_entry,
        None => return Err(LoadError::NoKernel),
    };

    if let Some(at) = boot.chosen.bootargs.find('\0') {
        return Err(LoadError::NulInBootargs { at });
    }
    let ram_bytes = loader.ram.len_bytes();
    let top = RAM_BASE.0 + ram_bytes;
    let tree = |initrd: Option<(u64, u64)>| match boot.device_tree {
        None => Ok(fdt::build(&Board { ram_bytes, harts, isa, initrd, chosen: boot.chosen })),
        Some(tree) => match fdt::told_in_chosen(&boot.chosen, initrd) {
            told if told.is_empty() => dtb::check(tree).map(|()| tree.to_vec()),
            told => dtb::with_chosen(tree, &told),
        },
    };
    // The tree's length does not depend on where the RAM disk goes, so a draft tells where the tree goes.
    let tree_bytes = tree(boot.initrd.map(|_| (0, 0)))?.len() as u64;
    let align = if ram_bytes >= SMALL_RAM_BYTES { DEVICE_TREE_ALIGN } else { PAGE_SIZE };
    let tree_room = tree_bytes.next_multiple_of(8) + FW_DYNAMIC_BYTES;
    let tree_at = top.saturating_sub(tree_room) / align * align;
    let initrd_range = match boot.initrd {
        Some(bytes) => Some(loader.initrd(bytes, tree_at)?),
        None => None,
    };
    let tree = tree(initrd_range)?;
    loader.place(Image::DeviceTree, PhysAddr(tree_at), &tree, tree_room)?;
    let fw_dynamic = firmware_entry.map(|_| PhysAddr(tree_at + tree_bytes.next_multiple_of(8)));
    if let Some(at) = fw_dynamic {
        let supervisor = Privilege::Supervisor as u64;
        let words = [FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION, kernel_entry.0, supervisor, 0, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        loader.write(Image::DeviceTree, at, &bytes)?;
    }
    Ok(BootInfo {
        entry,
        privilege: if matches!(boot.firmware, Firmware::Builtin) {
            Privilege::Supervisor
        } else {
            Privilege::Machine
        },
        device_tree: PhysAddr(tree_at),
        fw_dynamic,
        htif: kernel.as_ref().and_then(|kernel| kernel.htif),
        signature: kernel.and_then(|kernel| kernel.signature),
    })
}

/// A program in RAM.
struct Program {
    entry: PhysAddr,
    htif: Option<Htif>,
    signature: Option<(PhysAddr, PhysAddr)>,
}

struct Loader<'r> {
    ram: &'r mut Ram,
    /// What is in RAM already: first and past-the-last byte.
    taken: Vec<(Image, u64, u64)>,
}

impl Loader<'_> {
    fn program(&mut self, image: Image, bytes: &[u8], raw_base: PhysAddr) -> Result<Program, LoadError> {
        if !is_elf(bytes) {
            if bytes.is_empty() {
                return Err(LoadError::Empty { image });
            }
            check_raw(image, bytes)?;
            let (at, memory_bytes) = match LinuxImage::parse(bytes) {
                Some(linux) => (RAM_BASE.wrapping_add(linux.text_offset), linux.memory_bytes),
                None => (raw_base, bytes.len() as u64),
            };
            self.place(image, at, bytes, memory_bytes)?;
            return Ok(Program { entry: at, htif: None, signature: None });
        }
        let elf = ElfFile::parse(bytes).map_err(|error| LoadError::Elf { image, error })?;
        let elf = elf.moved_into_ram(raw_base);
        for segment in elf.segments() {
            self.place(image, segment.pa, segment.data, segment.memory_bytes)?;
        }
        let wanted = ["tohost", "fromhost", "begin_signature", "end_signature"];
        let found = elf.symbols_named(wanted).map(|va| va.map(|va| elf.physical(va)));
        let [tohost, fromhost, begin_signature, end_signature] = found;
        let by_section = || {
            let tohost = elf.physical(elf.section(HTIF_SECTION)?);
            Some(Htif { tohost, fromhost: Some(tohost.wrapping_add(FROMHOST_OFFSET)) })
        };
        Ok(Program {
            entry: elf.physical(elf.entry()),
            htif: tohost.map(|tohost| Htif { tohost, fromhost }).or_else(by_section),
            signature: begin_signature.zip(end_signature),
        })
    }

    /// Right below the device tree, on a page of its own.
    fn initrd(&mut self, bytes: &[u8], below: u64) -> Result<(u64, u64), LoadError> {
        let image = Image::Initrd;
        if bytes.is_empty() {
            return Err(LoadError::Empty { image });
        }
        let (len_bytes, ram_bytes) = (bytes.len() as u64, self.ram.len_bytes());
        let start = below.saturating_sub(len_bytes) / PAGE_SIZE * PAGE_SIZE;
        self.place(image, PhysAddr(start), bytes, len_bytes).map_err(|_| LoadError::NoRoom {
            image,
            len_bytes,
            ram_bytes,
        })?;
        Ok((start, start + len_bytes))
    }

    /// Puts `data` at `at`, followed by zeros up to `len_bytes`.
    fn place(&mut self, image: Image, at: PhysAddr, data: &[u8], len_bytes: u64) -> Result<(), LoadError> {
        let ram_bytes = self.ram.len_bytes();
        let outside = LoadError::OutsideRam { image, at, len_bytes, ram_bytes };
        let end = at.0.checked_add(len_bytes).ok_or(outside.clone())?;
        if at.0 < RAM_BASE.0 || end > RAM_BASE.0 + ram_bytes {
            return Err(outside);
        }
        // The segments of one ELF may share bytes: the later one wins.
        let other =
            self.taken.iter().find(|&&(other, start, stop)| other != image && at.0 < stop && start < end);
        if let Some(&(other, ..)) = other {
            return Err(LoadError::Overlap { image, other });
        }
        self.taken.push((image, at.0, end));
        // RAM is zero where nothing was loaded, but an overlapping segment may have left its bytes.
        self.write(image, at, data)?;
        self.clear(image, at.wrapping_add(data.len() as u64), end)
    }

    fn write(&mut self, image: Image, at: PhysAddr, data: &[u8]) -> Result<(), LoadError> {
        let (len_bytes, ram_bytes) = (data.len() as u64, self.ram.len_bytes());
        let written = data.is_empty() || self.ram.write(at, data);
        written.then_some(()).ok_or(LoadError::OutsideRam { image, at, len_bytes, ram_bytes })
    }

    fn clear(&mut self, image: Image, from: PhysAddr, end: u64) -> Result<(), LoadError> {
        let mut at = from;
        while at.0 < end {
            let len =
                usize::try_from((end - at.0).min(PAGE_SIZE - at.page_offset())).expect("at most a page");
            let is_zero = self.ram.slice(at, len).is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0));
            if !is_zero {
                self.write(image, at, &vec![0; len])?;
            }
            at = at.wrapping_add(len as u64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
