//! What gdb reads in pieces: the description of the registers, the map of memory, the auxiliary vector, the program's path.

use super::arch::target_xml;
use super::files::copy_part;
use super::input::EFAULT;
use super::view::{View, errno};
use super::world::Subject;
use gdbstub::common::Pid;
use gdbstub::target::TargetResult;
use gdbstub::target::ext::auxv::Auxv;
use gdbstub::target::ext::exec_file::ExecFile;
use gdbstub::target::ext::memory_map::MemoryMap;
use gdbstub::target::ext::target_description_xml_override::TargetDescriptionXmlOverride;
use isa::VirtAddr;

impl View<'_> {
    fn auxv(&self) -> Option<Vec<u8>> {
        let (world, pid) = (self.world.borrow(), self.subject.pid()?);
        let mut at = *world.entries.get(&pid)?;
        let tid = world.current_thread(&self.subject)?;
        let word = |at: &mut u64| {
            let mut bytes = [0; 8];
            let len = world.read_memory(&self.subject, tid, VirtAddr(*at), &mut bytes);
            *at = at.wrapping_add(8);
            (len == 8).then(|| u64::from_le_bytes(bytes))
        };
        // argc, the arguments and a zero, the environment and a zero.
        let arguments = word(&mut at)?.min(1 << 20);
        at = at.wrapping_add((arguments + 1) * 8);
        for _ in 0..1 << 20 {
            if word(&mut at)? == 0 {
                break;
            }
        }
        let mut bytes = Vec::new();
        for _ in 0..64 {
            let (kind, value) = (word(&mut at)?, word(&mut at)?);
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value.to_le_bytes());
            if kind == 0 {
                return Some(bytes);
            }
        }
        None
    }
}

impl TargetDescriptionXmlOverride for View<'_> {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        into: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(errno(2));
        }
        let world = self.world.borrow();
        let machine = world.host().machine();
        let xml = target_xml(|csr| machine.csr_of(machine.hart().id, csr).is_some());
        Ok(part(xml.as_bytes(), offset, length, into))
    }
}

/// As much of a document as was asked for.
fn part(bytes: &[u8], offset: u64, length: usize, into: &mut [u8]) -> usize {
    let room = length.min(into.len());
    copy_part(bytes, offset, &mut into[..room])
}

impl MemoryMap for View<'_> {
    // gdb takes it once a session, and thinks nothing of what is not in it: so it has all that there may be.
    fn memory_map_xml(&self, offset: u64, length: usize, into: &mut [u8]) -> TargetResult<usize, Self> {
        let region = |start: u64, len: u64| {
            format!("<memory type=\"ram\" start=\"{start:#x}\" length=\"{len:#x}\"/>\n")
        };
        const HALF: u64 = 1 << 63;
        let regions = match self.subject {
            Subject::Process(_) => region(0, HALF),
            Subject::Machine | Subject::Nobody => region(0, HALF) + &region(HALF, HALF - 1),
        };
        let xml = format!("<?xml version=\"1.0\"?>\n<memory-map>\n{regions}</memory-map>\n");
        Ok(part(xml.as_bytes(), offset, length, into))
    }
}

impl Auxv for View<'_> {
    fn get_auxv(&self, offset: u64, length: usize, into: &mut [u8]) -> TargetResult<usize, Self> {
        let auxv = self.auxv().ok_or(errno(EFAULT))?;
        Ok(part(&auxv, offset, length, into))
    }
}

impl ExecFile for View<'_> {
    fn get_exec_file(
        &self,
        _: Option<Pid>,
        offset: u64,
        length: usize,
        into: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let path = self.world.borrow().program_of(&self.subject).ok_or(errno(2))?;
        Ok(part(path.as_bytes(), offset, length, into))
    }
}
