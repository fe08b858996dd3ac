//! Three processes at random work on a few files: `read write pwrite ftruncate mmap munmap msync fork`, loads and stores, each
//! answer compared with a plain copy of what the files should hold.
//!
//! The copy lies in shared anonymous memory, with the random numbers, so that all processes draw from one sequence; they take turns by a
//! token that goes round through pipes. The same seed does the same on any Linux, and ends with the same checksum.
//!
//! Nothing is stored to what the last page shows past the end of a file: what becomes of that when the file grows is not the same on all
//! Linuxes.

use rt::abi::general::{self as g, SIGBUS};
use rt::os::{self, Status};
use rt::{PAGE_SIZE, println};

use crate::check::{Failed, Outcome};
use crate::exec::unlink;
use crate::memory::{READ_WRITE, child, mmap, munmap, temporary};
use crate::raw::{copy_from, copy_to, peek, peek64, poke, poke64, sys};
use crate::{check, check_eq};

const PROCESSES: usize = 3;
const FILES: usize = 3;
const FILE_PAGES: usize = 5;
const FILE_BYTES: usize = FILE_PAGES * PAGE_SIZE;
/// Mappings that each process may have.
const SLOTS: usize = 4;
const NAMES: [&core::ffi::CStr; FILES] =
    [c"/dev/shm/vmtests.0", c"/dev/shm/vmtests.1", c"/dev/shm/vmtests.2"];
/// Operations of one process before it passes the token on.
const TURN: u64 = 16;
/// The most bytes that one operation moves.
const MOVED: usize = 700;

/// Where things lie in the shared memory: the random state, operations left, each file's length and, for each process, how many pages of
/// the file no cut has touched since that process last looked; then the files' bytes.
const RANDOM: usize = 0;
const LEFT: usize = 8;
const LENGTHS: usize = 64;
const KEPT: usize = 128;
const BYTES: usize = PAGE_SIZE;

/// A mapping of this process.
#[derive(Clone, Copy)]
struct Mapping {
    address: usize,
    file: usize,
    first_page: usize,
    pages: usize,
    shared: bool,
    /// Pages that are private copies; what they hold is in the process's [`Mix::copies`].
    copied: [bool; FILE_PAGES],
}

struct Mix {
    process: usize,
    shared: usize,
    /// Private memory for what private copies should hold.
    copies: usize,
    files: [i32; FILES],
    mappings: [Option<Mapping>; SLOTS],
    can_fork: bool,
}

/// Runs about `operations` operations; the exit status.
pub fn run(operations: u64, seed: u64) -> i32 {
    match mix(operations, seed) {
        Ok(()) => 0,
        Err(Failed) => 1,
    }
}

fn mix(operations: u64, seed: u64) -> Outcome {
    let shared = mmap(0, BYTES + FILES * FILE_BYTES, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    poke64(shared + RANDOM, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    poke64(shared + LEFT, operations);
    (0..PROCESSES * FILES).for_each(|which| poke64(shared + KEPT + 8 * which, FILE_PAGES as u64));
    // Each process has descriptors, and so offsets, of its own.
    let mut files = [[0; FILES]; PROCESSES];
    for (file, name) in NAMES.into_iter().enumerate() {
        let _ = unlink(name);
        for (process, files) in files.iter_mut().enumerate() {
            files[file] = if process == 0 { temporary(name, b"")? } else { os::open(name, g::O_RDWR, 0)? };
        }
        unlink(name)?;
    }
    let pipes = [os::pipe(0)?, os::pipe(0)?, os::pipe(0)?];
    let mut children = [0; PROCESSES];
    for process in 1..PROCESSES {
        children[process] = os::fork()?;
        if children[process] == 0 {
            let passed = Mix::new(process, shared, files[process]).and_then(|mut mix| mix.take_turns(&pipes));
            os::exit(i32::from(passed.is_err()));
        }
    }
    os::write(pipes[0].1, b".")?;
    Mix::new(0, shared, files[0])?.take_turns(&pipes)?;
    for child in children.into_iter().skip(1) {
        check_eq!(os::wait(child)?, (child, Status::Exited(0)));
    }
    println!("{operations} operations on {FILES} files, checksum {:016x}", checksum(shared));
    Ok(())
}

fn checksum(shared: usize) -> u64 {
    let mut sum = peek64(shared + RANDOM);
    for file in 0..FILES {
        let len = peek64(shared + LENGTHS + 8 * file) as usize;
        let start = shared + BYTES + file * FILE_BYTES;
        sum = (start..start + len)
            .fold(sum ^ len as u64, |sum, at| (sum ^ u64::from(peek(at))).wrapping_mul(0x100_0000_01b3));
    }
    sum
}

impl Mix {
    fn new(process: usize, shared: usize, files: [i32; FILES]) -> core::result::Result<Self, Failed> {
        let copies = mmap(0, SLOTS * FILE_BYTES, READ_WRITE, g::MAP_PRIVATE | g::MAP_ANONYMOUS, -1, 0)?;
        Ok(Self { process, shared, copies, files, mappings: [None; SLOTS], can_fork: true })
    }

    fn take_turns(&mut self, pipes: &[(i32, i32); PROCESSES]) -> Outcome {
        let (mine, next) = (pipes[self.process].0, pipes[(self.process + 1) % PROCESSES].1);
        loop {
            check_eq!(os::read(mine, &mut [0])?, 1);
            let left = peek64(self.shared + LEFT);
            let turn = left.min(TURN);
            let passed = self.turn(turn);
            // A failure ends it for all.
            poke64(self.shared + LEFT, if passed.is_ok() { left - turn } else { 0 });
            os::write(next, b".")?;
            if turn == 0 || passed.is_err() {
                return passed;
            }
        }
    }

    fn turn(&mut self, operations: u64) -> Outcome {
        self.hear_of_cuts();
        for _ in 0..operations {
            self.operation()?;
        }
        Ok(())
    }

    /// Private copies of pages that others have cut off are gone.
    fn hear_of_cuts(&mut self) {
        for file in 0..FILES {
            let at = self.shared + KEPT + 8 * (self.process * FILES + file);
            let kept = peek64(at) as usize;
            poke64(at, FILE_PAGES as u64);
            self.forget_copies(file, kept);
        }
    }

    fn forget_copies(&mut self, file: usize, kept: usize) {
        for mapping in self.mappings.iter_mut().flatten().filter(|mapping| mapping.file == file) {
            let gone = kept.saturating_sub(mapping.first_page).min(FILE_PAGES);
            mapping.copied[gone..].fill(false);
        }
    }

    fn below(&self, bound: usize) -> usize {
        let at = self.shared + RANDOM;
        let mut state = peek64(at);
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        poke64(at, state);
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn len(&self, file: usize) -> usize {
        peek64(self.shared + LENGTHS + 8 * file) as usize
    }
    fn set_len(&self, file: usize, len: usize) {
        poke64(self.shared + LENGTHS + 8 * file, len as u64);
    }
    /// Where the byte of a file should be found.
    fn plain(&self, file: usize, offset: usize) -> usize {
        self.shared + BYTES + file * FILE_BYTES + offset
    }
    fn copy(&self, slot: usize, offset: usize) -> usize {
        self.copies + slot * FILE_BYTES + offset
    }

    fn operation(&mut self) -> Outcome {
        let (file, slot) = (self.below(FILES), self.below(SLOTS));
        match self.below(32) {
            0..=3 => self.write(file, false),
            4..=7 => self.write(file, true),
            8 | 9 => self.read(file),
            10 | 11 => self.truncate(file),
            12..=14 => self.map(slot, file),
            15 => self.unmap(slot),
            16 => self.sync(slot),
            17 if self.can_fork => self.fork(),
            18..=24 => self.store(slot),
            _ => self.load(slot),
        }
    }

    fn write(&mut self, file: usize, at_offset: bool) -> Outcome {
        let (offset, len) = (self.below(FILE_BYTES - MOVED), 1 + self.below(MOVED));
        let bytes = [self.below(256) as u8; MOVED];
        let (fd, bytes) = (self.files[file], &bytes[..len]);
        let written = if at_offset {
            sys(g::__NR_pwrite64, [fd as usize, bytes.as_ptr() as usize, len, offset])?
        } else {
            os::lseek(fd, offset as i64, g::SEEK_SET)?;
            os::write(fd, bytes)?
        };
        check_eq!(written, len);
        copy_to(self.plain(file, offset), bytes);
        self.set_len(file, self.len(file).max(offset + len));
        Ok(())
    }

    fn read(&mut self, file: usize) -> Outcome {
        let offset = self.below(FILE_BYTES);
        let (mut found, mut expected) = ([0; MOVED], [0; MOVED]);
        os::lseek(self.files[file], offset as i64, g::SEEK_SET)?;
        let count = os::read(self.files[file], &mut found)?;
        check_eq!(count, self.len(file).saturating_sub(offset).min(MOVED));
        copy_from(self.plain(file, offset), &mut expected[..count]);
        check!(found[..count] == expected[..count]);
        Ok(())
    }

    fn truncate(&mut self, file: usize) -> Outcome {
        let (len, before) = (self.below(FILE_BYTES), self.len(file));
        check_eq!(sys(g::__NR_ftruncate, [self.files[file] as usize, len]), Ok(0));
        (len..before).for_each(|offset| poke(self.plain(file, offset), 0));
        self.set_len(file, len);
        let kept = len.div_ceil(PAGE_SIZE);
        // A child tells its parent, too, whose number it has.
        for process in (0..PROCESSES).filter(|&process| process != self.process || !self.can_fork) {
            let at = self.shared + KEPT + 8 * (process * FILES + file);
            poke64(at, peek64(at).min(kept as u64));
        }
        self.forget_copies(file, kept);
        Ok(())
    }

    fn map(&mut self, slot: usize, file: usize) -> Outcome {
        self.unmap(slot)?;
        let first_page = self.below(2);
        let (pages, shared) = (1 + self.below(FILE_PAGES - first_page), self.below(2) == 0);
        let flags = if shared { g::MAP_SHARED } else { g::MAP_PRIVATE };
        let address =
            mmap(0, pages * PAGE_SIZE, READ_WRITE, flags, self.files[file], first_page * PAGE_SIZE)?;
        self.mappings[slot] =
            Some(Mapping { address, file, first_page, pages, shared, copied: [false; FILE_PAGES] });
        Ok(())
    }

    fn unmap(&mut self, slot: usize) -> Outcome {
        if let Some(mapping) = self.mappings[slot].take() {
            munmap(mapping.address, mapping.pages * PAGE_SIZE)?;
        }
        Ok(())
    }

    fn sync(&self, slot: usize) -> Outcome {
        if let Some(mapping) = self.mappings[slot] {
            let len = mapping.pages * PAGE_SIZE;
            check_eq!(sys(g::__NR_msync, [mapping.address, len, g::MS_SYNC as usize]), Ok(0));
        }
        Ok(())
    }

    /// A run of bytes that lies in one page of a mapping: offsets in the mapping and in the file, and its length.
    fn run_of_bytes(&self, mapping: &Mapping) -> (usize, usize, usize) {
        let (page, within) = (self.below(mapping.pages), self.below(PAGE_SIZE));
        let len = (1 + self.below(200)).min(PAGE_SIZE - within);
        let offset = page * PAGE_SIZE + within;
        (offset, mapping.first_page * PAGE_SIZE + offset, len)
    }

    fn load(&mut self, slot: usize) -> Outcome {
        let Some(mapping) = self.mappings[slot] else { return Ok(()) };
        let (offset, in_file, len) = self.run_of_bytes(&mapping);
        let (page, file_len) = (offset / PAGE_SIZE, self.len(mapping.file));
        if in_file / PAGE_SIZE >= file_len.div_ceil(PAGE_SIZE) {
            check_eq!(child(|| peek(mapping.address + offset)), Ok(Status::Signaled(SIGBUS)));
            return Ok(());
        }
        let (mut found, mut expected) = ([0; 200], [0; 200]);
        let is_copy = mapping.copied[page];
        let len = if is_copy { len } else { len.min(file_len.saturating_sub(in_file)) };
        copy_from(mapping.address + offset, &mut found[..len]);
        let plain = if is_copy { self.copy(slot, offset) } else { self.plain(mapping.file, in_file) };
        copy_from(plain, &mut expected[..len]);
        check!(found[..len] == expected[..len]);
        Ok(())
    }

    fn store(&mut self, slot: usize) -> Outcome {
        let Some(mapping) = self.mappings[slot] else { return Ok(()) };
        let (offset, in_file, len) = self.run_of_bytes(&mapping);
        let len = len.min(self.len(mapping.file).saturating_sub(in_file));
        if len == 0 {
            return Ok(());
        }
        let bytes = [self.below(256) as u8; 200];
        copy_to(mapping.address + offset, &bytes[..len]);
        if mapping.shared {
            copy_to(self.plain(mapping.file, in_file), &bytes[..len]);
            return Ok(());
        }
        let page = offset / PAGE_SIZE;
        if !mapping.copied[page] {
            let start = page * PAGE_SIZE;
            for part in (0..PAGE_SIZE).step_by(256) {
                let mut original = [0; 256];
                copy_from(
                    self.plain(mapping.file, mapping.first_page * PAGE_SIZE + start + part),
                    &mut original,
                );
                copy_to(self.copy(slot, start + part), &original);
            }
            if let Some(mapping) = &mut self.mappings[slot] {
                mapping.copied[page] = true;
            }
        }
        copy_to(self.copy(slot, offset), &bytes[..len]);
        Ok(())
    }

    /// A child does a few operations of its own, on files and mappings that it shares with its parent, and ends.
    fn fork(&mut self) -> Outcome {
        let pid = os::fork()?;
        if pid == 0 {
            self.can_fork = false;
            let passed = (0..8).try_for_each(|_| self.operation());
            os::exit(i32::from(passed.is_err()));
        }
        check_eq!(os::wait(pid)?, (pid, Status::Exited(0)));
        // The child may have cut files.
        self.hear_of_cuts();
        Ok(())
    }
}

const _: () = assert!(MOVED < FILE_BYTES && KEPT + 8 * PROCESSES * FILES <= BYTES);
