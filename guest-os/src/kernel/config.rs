//! What the device tree and the host say about the machine and the first program.

use crate::arch;
use crate::memory::{ahead, read_ahead};
use alloc::string::String;
use alloc::vec::Vec;
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::Reg;
use dtoolkit::{Node, Property};
use isa::PhysAddr;
use isa::platform;
use isa::policies::PolicyKind;
use proc::Strings;

/// Everything taken from the device tree, which is not kept.
pub struct Config {
    /// The host device is there.
    pub has_host: bool,
    /// Windows of the virtio-mmio slots and their interrupt lines.
    pub virtio: Vec<(platform::Region, u32)>,
    /// Each request for memory is refused once, to test that (`folio.refuse` on the kernel's command line).
    pub refuses: bool,
    /// A child of `fork` maps all that its parent does (`folio.fork_maps` on the kernel's command line).
    pub forks_maps: bool,
    /// `fork` copies every private frame (`folio.fork=copy` on the kernel's command line).
    pub copies_at_fork: bool,
    /// Programs are in memory before they begin (`folio.eager` on the kernel's command line).
    pub is_eager: bool,
    /// How many pages a fault on a page of a file maps at most (`folio.fault_around=N` on the kernel's command line): a power of two, 1 for none but its own.
    pub fault_around: u64,
    /// How many pages of a file are read for one (`folio.read_ahead=N` on the kernel's command line).
    pub read_ahead: u64,
    /// The swap disk is tested before the first program starts (`folio.check_swap` on the kernel's command line).
    pub checks_swap: bool,
    /// How many pages of its own the first program, and those that it starts, may have in memory at once (`folio.process_frames=N` on the kernel's
    /// command line; 0: as many as they like).
    pub process_frames: u64,
    /// Programs are placed at random, by this seed (`folio.aslr=SEED` on the kernel's command line).
    pub aslr: Option<u64>,
    /// The first program.
    pub init: Init,
}

/// The first program, its arguments, environment and directory.
pub struct Init {
    /// Path or name of the program.
    pub program: Vec<u8>,
    /// `argv`, with `argv[0]`.
    pub argv: Strings,
    /// `envp`.
    pub envp: Strings,
    /// The directory it starts in.
    pub cwd: Vec<u8>,
    /// What of the host's it sees, and where: texts of [`isa::binds::Place`].
    pub binds: Strings,
}

/// The device tree at `address`: its bytes in the direct map.
///
/// # Safety
/// `address` must be where the firmware put the device tree, and nothing may write there while the slice lives.
pub unsafe fn device_tree(address: PhysAddr) -> &'static [u8] {
    let pointer = arch::direct_map(address) as *const u8;
    // SAFETY: a device tree's header holds its size in the second big-endian word; the caller vouches for the rest.
    unsafe {
        let size = u32::from_be_bytes(pointer.add(4).cast::<[u8; 4]>().read());
        core::slice::from_raw_parts(pointer, size as usize)
    }
}

/// What `reg` says: the windows of a node.
fn windows(node: FdtNode<'_>) -> impl Iterator<Item = platform::Region> {
    let window = |reg: Reg<'_>| {
        let (base, len_bytes) = (PhysAddr(reg.address().ok()?), reg.size().ok()?);
        Some(platform::Region { base, len_bytes })
    };
    node.reg().ok().flatten().into_iter().flatten().filter_map(window)
}

/// The end of the RAM that holds the kernel.
fn ram_end(fdt: Fdt<'_>) -> PhysAddr {
    let root = fdt.root();
    root.children()
        .filter(|node| node.name_without_address() == "memory")
        .flat_map(windows)
        .map(|window| (window.base, PhysAddr(window.base.0 + window.len_bytes)))
        .find(|(start, end)| (start.0..end.0).contains(&platform::KERNEL_BASE.0))
        .expect("the device tree names the RAM that the kernel lies in")
        .1
}

/// What stands on the board.
struct Board {
    has_host: bool,
    virtio: Vec<(platform::Region, u32)>,
}

impl Board {
    #[inline(never)] // a frame of its own, not part of its caller's
    fn of(fdt: Fdt<'_>) -> Self {
        let mut board = Self { has_host: false, virtio: Vec::new() };
        for node in fdt.find_node("/soc").into_iter().flat_map(|board| board.children()) {
            for kind in node.compatible().into_iter().flatten() {
                match kind {
                    "folio,host" => board.has_host = true,
                    "virtio,mmio" => board.add_slot(node),
                    _ => {}
                }
            }
        }
        board
    }

    fn add_slot(&mut self, node: FdtNode<'_>) {
        // One cell, since the interrupt controller is the PLIC.
        let interrupt = node.property("interrupts").and_then(|property| property.value_as::<u32>().ok());
        if let (Some(window), Some(interrupt)) = (windows(node).next(), interrupt) {
            let place = self.virtio.partition_point(|(before, _)| before.base < window.base);
            self.virtio.insert(place, (window, interrupt));
        }
    }
}

impl Config {
    /// Reads the rest of the device tree.
    #[inline(never)] // a frame of its own, not part of its caller's
    pub fn from_device_tree(fdt: Fdt<'_>, beginning: &Beginning<'_>) -> Self {
        let words = words(beginning.chosen);
        let says = |word| words.clone().any(|said| said == word);
        let Board { has_host, virtio } = Board::of(fdt);
        let number = |name| words.clone().find_map(|said| said.strip_prefix(name)?.parse::<u64>().ok());
        Self {
            has_host,
            virtio,
            refuses: says("folio.refuse"),
            forks_maps: says("folio.fork_maps"),
            copies_at_fork: says("folio.fork=copy"),
            is_eager: says("folio.eager"),
            fault_around: number("folio.fault_around=").filter(|&n| ahead::is_window(n)).unwrap_or(1),
            read_ahead: number("folio.read_ahead=").map_or(1, |n| n.clamp(1, read_ahead::MOST_PAGES)),
            checks_swap: says("folio.check_swap"),
            process_frames: number("folio.process_frames=").unwrap_or(0),
            aslr: number("folio.aslr="),
            init: Init::from_chosen(beginning.chosen),
        }
    }
}

/// What is needed of the device tree before there is a heap: it says how large that begins.
pub struct Beginning<'a> {
    /// First byte after RAM.
    pub ram_end: PhysAddr,
    /// Which page goes first when frames run out (`folio.policy=NAME` on the kernel's command line).
    pub policy: PolicyKind,
    /// Bytes of the first program's lists.
    pub list_bytes: u64,
    chosen: Option<FdtNode<'a>>,
}

impl<'a> Beginning<'a> {
    /// Reads the device tree. Takes no memory.
    pub fn of(fdt: Fdt<'a>) -> Self {
        let chosen = fdt.find_node("/chosen");
        let len = |name| {
            let list = chosen.and_then(|node| node.property(name)?.value_as::<&[u8]>().ok());
            list.map_or(0, |list| list.len() as u64)
        };
        let policy = words(chosen).find_map(|said| said.strip_prefix("folio.policy=")?.parse().ok());
        Self {
            ram_end: ram_end(fdt),
            policy: policy.unwrap_or_default(),
            list_bytes: len(ARGUMENTS) + len(VARIABLES) + len(BINDS),
            chosen,
        }
    }
}

/// The words of the kernel's command line.
fn words(chosen: Option<FdtNode<'_>>) -> impl Iterator<Item = &str> + Clone {
    let line = chosen.and_then(|chosen| chosen.property("bootargs")?.value_as::<&str>().ok());
    line.unwrap_or_default().split_whitespace()
}

/// Properties with the first program's lists.
const ARGUMENTS: &str = "folio,argv";
const VARIABLES: &str = "folio,envp";
const BINDS: &str = "folio,binds";

impl Init {
    #[inline(never)] // a frame of its own, not part of its caller's
    fn from_chosen(chosen: Option<FdtNode<'_>>) -> Self {
        let property = |name: &str| chosen.and_then(|node| node.property(name)?.value_as::<&[u8]>().ok());
        let list = |name: &str| strings(property(name).unwrap_or_default());
        let text =
            |name: &str| property(name).map(|value| value.strip_suffix(&[0]).unwrap_or(value).to_vec());
        let argv = list(ARGUMENTS);
        let Some(program) = text("folio,program").or_else(|| argv.iter().next().map(<[u8]>::to_vec)) else {
            return Self::from_bootargs(&text("bootargs").unwrap_or_default());
        };
        let argv = if argv.is_empty() { strings(&[&program, &b"\0"[..]].concat()) } else { argv };
        let cwd = text("folio,cwd").filter(|cwd| !cwd.is_empty()).unwrap_or_else(|| b"/".to_vec());
        Self { program, argv, envp: list(VARIABLES), cwd, binds: list(BINDS) }
    }

    /// `init=/path -- arg…`: what a machine without the host device passes.
    fn from_bootargs(bootargs: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bootargs);
        let (options, arguments) = text.split_once("--").unwrap_or((&text, ""));
        let program =
            options.split_whitespace().find_map(|word| word.strip_prefix("init=")).unwrap_or("/sbin/init");
        let argv: Vec<u8> = core::iter::once(program)
            .chain(arguments.split_whitespace())
            .flat_map(|word| word.bytes().chain([0]))
            .collect();
        let envp = b"HOME=/\0TERM=linux\0PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0";
        Self {
            program: program.as_bytes().to_vec(),
            argv: strings(&argv),
            envp: strings(envp),
            cwd: b"/".to_vec(),
            binds: Strings::default(),
        }
    }
}

/// The strings of a list in which each ends with a NUL.
fn strings(list: &[u8]) -> Strings {
    Strings::from_bytes(list).expect("a machine that has just started has memory")
}
