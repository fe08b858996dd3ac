//! User memory, read from outside: by the process's page table, and without a trace.

use emulator::machine::Machine;
use isa::paging::Satp;
use isa::{PAGE_SIZE, VirtAddr};

/// Longest string that is looked for.
const MAX_STRING_BYTES: usize = 4096;

/// The memory of one process as it is now.
pub struct UserMemory<'a> {
    machine: &'a Machine,
    satp: Satp,
}

impl<'a> UserMemory<'a> {
    /// That of the address space `satp`.
    pub fn new(machine: &'a Machine, satp: Satp) -> Self {
        Self { machine, satp }
    }

    /// The address space.
    pub fn space(&self) -> Satp {
        self.satp
    }

    /// The bytes from `address` on, as far as they are mapped; at most `len`.
    pub fn some(&self, address: u64, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let at = VirtAddr(address).wrapping_add(bytes.len() as u64);
            let in_page = usize::try_from(PAGE_SIZE - at.page_offset()).unwrap_or(1);
            let part = self
                .machine
                .translate_in(self.satp, at)
                .and_then(|pa| self.machine.ram().slice(pa, in_page.min(len - bytes.len())));
            match part {
                Some(part) => bytes.extend_from_slice(part),
                None => break,
            }
        }
        bytes
    }
    /// All of `len` bytes.
    pub fn all(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        Some(self.some(address, len)).filter(|bytes| bytes.len() == len)
    }
    /// `N` words of 64 bits.
    pub fn words<const N: usize>(&self, address: u64) -> Option<[u64; N]> {
        let bytes = self.all(address, 8 * N)?;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(words)
    }
    /// `N` words of 32 bits.
    pub fn halves<const N: usize>(&self, address: u64) -> Option<[u32; N]> {
        let bytes = self.all(address, 4 * N)?;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(words)
    }
    /// The string at `address`, without its NUL.
    pub fn string(&self, address: u64) -> Option<Vec<u8>> {
        let mut bytes = self.some(address, MAX_STRING_BYTES);
        let end = bytes.iter().position(|&byte| byte == 0)?;
        bytes.truncate(end);
        Some(bytes)
    }
    /// The strings of a list of addresses that ends with NULL.
    pub fn strings(&self, address: u64, most: u64) -> Option<Vec<u64>> {
        let mut pointers = Vec::new();
        for index in 0..most {
            match self.words::<1>(address.wrapping_add(8 * index))? {
                [0] => break,
                [pointer] => pointers.push(pointer),
            }
        }
        Some(pointers)
    }
}
