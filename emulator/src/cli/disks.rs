//! `--swap` and `--disk-fault`: the swap disk that a run has, and requests that are to fail.

use super::values::bytes_of;
use abi::swap::{MIN_PAGES, PAGE_BYTES, SwapHeader};
use anyhow::{Context, Result, bail};
use clap::Args;
use emulator::host::{DiskError, DiskImage};
use emulator::image::RootImage;
use emulator::machine::{DiskFault, DiskFaultKind, Machine};
use std::path::{Path, PathBuf};

/// The number of the disk that the root file system is on.
const ROOT_DISK: usize = 0;

#[derive(Args, Debug)]
pub struct DiskArgs {
    /// Swap space on a disk of its own: a size (bytes, or with suffix K, M or G), or a file that mkswap has made one, of which the
    /// guest writes a copy in memory; 0 for none [default: twice the RAM; for `boot`: none]
    #[arg(long, value_name = "SIZE|FILE|0", value_parser = parse_swap)]
    swap: Option<Swap>,
    /// Let the N-th read, write or flush of a disk fail (read:N, write:N, flush:N), or the N-th write claim success and be
    /// half done (torn:N) or not at all (lost:N); of all disks' requests, or those of one (swap:read:N, root:read:N) (repeatable)
    #[arg(long, value_name = "[DISK:]KIND:N", value_parser = parse_fault)]
    disk_fault: Vec<Fault>,
}

/// What `--swap` asks for.
#[derive(Clone, Debug)]
enum Swap {
    None,
    Bytes(u64),
    File(PathBuf),
}

/// What `--disk-fault` asks for.
#[derive(Clone, Debug)]
struct Fault {
    text: String,
    disk: Option<Disk>,
    kind: DiskFaultKind,
    request: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Disk {
    Root,
    Swap,
}

impl Fault {
    /// As the machine has it; `swap` is the number of the swap disk.
    fn planned(&self, swap: Option<usize>) -> DiskFault {
        let disk = match self.disk {
            None => None,
            Some(Disk::Root) => Some(ROOT_DISK),
            Some(Disk::Swap) => swap,
        };
        DiskFault { kind: self.kind, disk, request: self.request }
    }
}

impl DiskArgs {
    /// Attaches the swap disk, if there is to be one, behind the disks that the machine has, and plans the faults. `default_bytes` is the size
    /// of swap space if nothing is said of it. The number of the swap disk.
    pub fn apply(&self, machine: &mut Machine, default_bytes: u64) -> Result<Option<usize>> {
        let image: Option<Box<dyn DiskImage>> = match &self.swap {
            Some(Swap::None) => None,
            Some(Swap::File(path)) => {
                let file = open(path).with_context(|| format!("--swap {}", path.display()));
                Some(file.context("no swap space (a size such as 256M, a file that mkswap has made, or 0)")?)
            }
            Some(Swap::Bytes(bytes)) => Some(Box::new(SwapSpace::new(*bytes))),
            None if default_bytes == 0 => None,
            None => Some(Box::new(SwapSpace::new(default_bytes))),
        };
        let swap = match image {
            Some(image) => Some(machine.attach_disk(image, false).context("cannot attach the swap disk")?),
            None => None,
        };
        for fault in &self.disk_fault {
            if fault.disk == Some(Disk::Swap) && swap.is_none() {
                bail!("--disk-fault {}: there is no swap disk; add --swap", fault.text);
            }
            machine.plan_disk_fault(fault.planned(swap));
        }
        Ok(swap)
    }

    /// At the end of a run: says which of the faults that were asked for have hit nothing. `swap` is the number of the swap disk.
    pub fn tell_of_faults_ahead(&self, machine: &Machine, swap: Option<usize>) {
        for &(ahead, came) in machine.disk_faults_ahead() {
            let planned = |fault: &&Fault| fault.planned(swap) == ahead;
            if let Some(Fault { text, .. }) = self.disk_fault.iter().find(planned) {
                let requests = if came == 1 { "one such request" } else { "such requests" };
                let count = if came == 1 { String::new() } else { format!("{came} ") };
                tell!("folio: --disk-fault {text} has hit nothing: the run has made {count}{requests}");
            }
        }
    }
}

fn parse_swap(text: &str) -> Result<Swap, String> {
    match bytes_of(text) {
        _ if text.is_empty() => Err("expected a size such as 256M, a file, or 0".to_string()),
        Ok(0) => Ok(Swap::None),
        Ok(bytes) if !(MIN_SWAP..=MAX_SWAP).contains(&bytes) || !bytes.is_multiple_of(PAGE_BYTES as u64) => {
            Err(NO_SIZE.to_string())
        }
        Ok(bytes) => Ok(Swap::Bytes(bytes)),
        // A file with such a name can be given as ./1T.
        Err(_) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Err(NO_SIZE.to_string()),
        Err(_) => Ok(Swap::File(text.into())),
    }
}

const NO_SIZE: &str =
    "the size of swap space is a multiple of 4K from 40K to 64G, in bytes or with suffix K, M or G";
const MIN_SWAP: u64 = MIN_PAGES * PAGE_BYTES as u64;
/// Twice the most RAM, twice.
const MAX_SWAP: u64 = 64 << 30;

fn parse_fault(text: &str) -> Result<Fault, String> {
    let expected = || "expected read:N, write:N, flush:N, torn:N or lost:N with N from 1 on, perhaps after root: or swap:";
    let words: Vec<&str> = text.split(':').collect();
    let (disk, kind, request) = match words[..] {
        ["root", kind, request] => (Some(Disk::Root), kind, request),
        ["swap", kind, request] => (Some(Disk::Swap), kind, request),
        [kind, request] => (None, kind, request),
        _ => return Err(expected().to_string()),
    };
    let kind = match kind {
        "read" => DiskFaultKind::Read,
        "write" => DiskFaultKind::Write,
        "flush" => DiskFaultKind::Flush,
        "torn" => DiskFaultKind::Torn,
        "lost" => DiskFaultKind::Lost,
        _ => return Err(expected().to_string()),
    };
    let request = request.parse().ok().filter(|&number: &u64| number > 0).ok_or_else(expected)?;
    Ok(Fault { text: text.to_string(), disk, kind, request })
}

/// A swap area that nothing has been written to: the header, and zeros that take no memory.
struct SwapSpace {
    header: [u8; PAGE_BYTES],
    len_bytes: u64,
}

impl SwapSpace {
    fn new(len_bytes: u64) -> Self {
        let last_page = u32::try_from(len_bytes / PAGE_BYTES as u64 - 1).expect("at most 64 GiB");
        // The same in every run, as all that a guest can see.
        let header = SwapHeader {
            last_page,
            uuid: *b"folio-\x40\x00\x80\x00-swap\0",
            label: *b"folio-swap\0\0\0\0\0\0",
        };
        Self { header: header.to_page(), len_bytes }
    }
}

impl DiskImage for SwapSpace {
    fn len_bytes(&self) -> u64 {
        self.len_bytes
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        buffer.fill(0);
        let start = usize::try_from(offset_bytes).map_or(PAGE_BYTES, |offset| offset.min(PAGE_BYTES));
        let header = &self.header[start..];
        let len = header.len().min(buffer.len());
        buffer[..len].copy_from_slice(&header[..len]);
        Ok(())
    }
}

/// A file with a swap area in it, read by block.
fn open(path: &Path) -> Result<Box<dyn DiskImage>> {
    let mut disk = RootImage::open(path)?.into_disk();
    let mut page = [0; PAGE_BYTES];
    let pages = disk.len_bytes() / PAGE_BYTES as u64;
    if pages > 0 && disk.read(0, &mut page).is_err() {
        bail!("cannot read {}", path.display());
    }
    match SwapHeader::from_page(&page, pages) {
        Ok(_) => Ok(disk),
        Err(why) => {
            bail!("{}: {why}; make it swap space by mkswap, or give a size such as 256M", path.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_a_size_or_a_file_or_none() {
        for (text, bytes) in [("40K", 40 << 10), ("256M", 256 << 20), ("64G", 64 << 30), ("40960", 40960)] {
            assert!(matches!(parse_swap(text), Ok(Swap::Bytes(found)) if found == bytes), "{text}");
        }
        for text in ["0", "0K"] {
            assert!(matches!(parse_swap(text), Ok(Swap::None)), "{text}");
        }
        for text in ["swapfile", "./64M", "./12X"] {
            assert!(matches!(parse_swap(text), Ok(Swap::File(path)) if path == Path::new(text)), "{text}");
        }
        for text in ["", "36K", "41K", "65G", "40961", "1T", "100T", "-5", "12X", "0x100000"] {
            assert!(parse_swap(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_names_its_disk_its_kind_and_its_request() {
        let fault = parse_fault("swap:torn:12").unwrap();
        assert!(matches!(fault.disk, Some(Disk::Swap)));
        assert_eq!((fault.kind, fault.request), (DiskFaultKind::Torn, 12));
        assert!(parse_fault("read:1").unwrap().disk.is_none());
        for text in ["", "read", "read:0", "read:x", "reed:1", "disk:read:1", "root:read:1:2", "read:-1"] {
            assert!(parse_fault(text).is_err(), "{text}");
        }
    }

    #[test]
    fn new_swap_space_is_a_header_and_zeros() {
        let mut space = SwapSpace::new(1 << 20);
        let mut bytes = vec![1; 3 * PAGE_BYTES];
        space.read(0, &mut bytes).unwrap();
        let header = SwapHeader::from_page(bytes[..PAGE_BYTES].try_into().unwrap(), 256).unwrap();
        assert_eq!(header.pages(), 256);
        assert!(bytes[PAGE_BYTES..].iter().all(|&byte| byte == 0));
        let mut piece = [1; 512];
        space.read(4096 - 512, &mut piece).unwrap();
        assert_eq!(piece[..], bytes[4096 - 512..4096]);
        space.read((1 << 20) - 512, &mut piece).unwrap();
        assert_eq!(piece, [0; 512]);
    }
}
