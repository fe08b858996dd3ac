//! Bad input: malformed programs, missing files and damaged disks. Where Linux refuses to execute, one message and
//! status 125; what Linux starts is started, and ends as it would there. Never a panic, never a hang.
//!
//! The rules are those of Linux's binfmt_elf: until the old program is gone, `execve` fails with an errno; after that
//! (segments that cannot be mapped) the process dies of SIGSEGV.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use std::process::Stdio;
use support::child::Running;
use support::{Ran, TempDir, folio, run, run_folio};

const SIGILL: i32 = 128 + 4;
const SIGBUS: i32 = 128 + 7;
const SIGSEGV: i32 = 128 + 11;
const REFUSED: i32 = 125;
/// What the program in the test ELFs exits with.
const GOOD: i32 = 7;
/// Steps after which a run is cut off, with status 124.
const FUEL: &str = "300000000";

const BASE: u64 = 0x10000;
const CODE_OFFSET: u64 = 0x1000;
const ENTRY: u64 = BASE + CODE_OFFSET;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const R: u32 = 4;
const W: u32 = 2;
const X: u32 = 1;
/// `li a7, exit; li a0, 7; ecall`
const CODE: [u32; 3] = [0x0000_0893 | abi::number::exit << 20, 0x0070_0513, 0x0000_0073];
const CODE_BYTES: u64 = 12;

#[derive(Clone)]
struct Phdr {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
}

/// An ELF file to be spoilt: the header's fields, the program headers after it, the code in the second page.
#[derive(Clone)]
struct Elf {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    entry: u64,
    phoff: u64,
    phentsize: u16,
    phnum: Option<u16>,
    phdrs: Vec<Phdr>,
    code: Vec<u8>,
}

fn code_segment() -> Phdr {
    Phdr {
        kind: PT_LOAD,
        flags: R | X,
        offset: CODE_OFFSET,
        vaddr: ENTRY,
        filesz: CODE_BYTES,
        memsz: CODE_BYTES,
        align: 0x1000,
    }
}

fn good() -> Elf {
    Elf {
        ident: *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0",
        kind: 2,
        machine: 243,
        entry: ENTRY,
        phoff: 64,
        phentsize: 56,
        phnum: None,
        phdrs: vec![code_segment()],
        code: CODE.iter().flat_map(|word| word.to_le_bytes()).collect(),
    }
}

impl Elf {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.ident.to_vec();
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.machine.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        for word in [self.entry, self.phoff, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(5_u32.to_le_bytes());
        let count = self.phnum.unwrap_or(u16::try_from(self.phdrs.len()).unwrap());
        for half in [64, self.phentsize, count, 64, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        for phdr in &self.phdrs {
            bytes.extend(phdr.kind.to_le_bytes());
            bytes.extend(phdr.flags.to_le_bytes());
            for word in [phdr.offset, phdr.vaddr, phdr.vaddr, phdr.filesz, phdr.memsz, phdr.align] {
                bytes.extend(word.to_le_bytes());
            }
        }
        assert!(bytes.len() <= 0x1000, "headers fit into the first page");
        bytes.resize(usize::try_from(CODE_OFFSET).unwrap(), 0);
        bytes.extend(&self.code);
        bytes
    }

    fn with(change: impl FnOnce(&mut Elf)) -> Vec<u8> {
        let mut elf = good();
        change(&mut elf);
        elf.bytes()
    }

    /// With the code's segment changed.
    fn segment(change: impl FnOnce(&mut Phdr)) -> Vec<u8> {
        Elf::with(|elf| change(&mut elf.phdrs[0]))
    }

    /// With a second program header.
    fn and(phdr: Phdr) -> Vec<u8> {
        Elf::with(|elf| elf.phdrs.push(phdr))
    }
}

/// Runs a program made of these bytes.
fn run_bytes(dir: &TempDir, name: &str, bytes: &[u8]) -> Ran {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.file(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = folio(["run", "--fuel", FUEL]);
    command.arg(&path);
    let ran = run(command);
    assert_sane(name, &ran);
    ran
}

/// Whatever the input: nobody panics, and an error of Folio's says why.
fn assert_sane(name: &str, ran: &Ran) {
    for word in ["panicked", "kernel failed", "RUST_BACKTRACE"] {
        assert!(!ran.stderr.contains(word), "{name}: {}", ran.stderr);
    }
    assert!((0..256).contains(&ran.status), "{name}: the host killed it, {}", ran.status);
    if ran.status == REFUSED {
        assert!((1..=3).contains(&ran.stderr.lines().count()), "{name}: {}", ran.stderr);
    }
}

#[track_caller]
fn check(rows: &[(&str, Vec<u8>, i32, &str)]) {
    let dir = TempDir::new("malformed");
    for (name, bytes, status, word) in rows {
        let ran = run_bytes(&dir, "prog", bytes);
        assert_eq!(ran.status, *status, "{name}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{name}");
        assert!(ran.stderr.contains(word), "{name}: no {word} in: {}", ran.stderr);
    }
}

/// The rows of what is refused with an errno.
fn refused<'a>(errno: &'a str, rows: &[(&'a str, Vec<u8>)]) -> Vec<(&'a str, Vec<u8>, i32, &'a str)> {
    rows.iter().map(|(name, bytes)| (*name, bytes.clone(), REFUSED, errno)).collect()
}

/// The rows of what is started.
fn ends<'a>(status: i32, rows: &[(&'a str, Vec<u8>)]) -> Vec<(&'a str, Vec<u8>, i32, &'a str)> {
    rows.iter().map(|(name, bytes)| (*name, bytes.clone(), status, "")).collect()
}

#[test]
fn what_linux_does_not_execute_is_refused() {
    let whole = good().bytes();
    let cut = |len: usize| whole[..len].to_vec();
    check(&refused(
        "ENOEXEC",
        &[
            ("empty file", cut(0)),
            ("1 byte", cut(1)),
            ("3 bytes of magic", cut(3)),
            ("magic alone", cut(4)),
            ("half of e_ident", cut(9)),
            ("e_ident alone", cut(16)),
            ("half a header", cut(32)),
            ("all but the last byte of the header", cut(63)),
            ("no program header", cut(64)),
            ("half a program header", cut(92)),
            ("all but the last byte of the program header", cut(119)),
            ("text", b"just some text\n".to_vec()),
            ("zeros", vec![0; 5000]),
            ("wrong magic", Elf::with(|elf| elf.ident[1] = b'e')),
            ("32-bit class", Elf::with(|elf| elf.ident[4] = 1)),
            ("no class", Elf::with(|elf| elf.ident[4] = 0)),
            ("impossible class", Elf::with(|elf| elf.ident[4] = 255)),
            ("x86-64", Elf::with(|elf| elf.machine = 62)),
            ("no machine", Elf::with(|elf| elf.machine = 0)),
            ("big-endian machine", Elf::with(|elf| elf.machine = 243_u16.swap_bytes())),
            ("object file", Elf::with(|elf| elf.kind = 1)),
            ("core dump", Elf::with(|elf| elf.kind = 4)),
            ("no type", Elf::with(|elf| elf.kind = 0)),
            ("impossible type", Elf::with(|elf| elf.kind = 0xff00)),
            ("program headers of 0 bytes", Elf::with(|elf| elf.phentsize = 0)),
            ("program headers of 55 bytes", Elf::with(|elf| elf.phentsize = 55)),
            ("program headers of 65535 bytes", Elf::with(|elf| elf.phentsize = 0xffff)),
            ("no program headers", Elf::with(|elf| elf.phnum = Some(0))),
            ("65535 program headers", Elf::with(|elf| elf.phnum = Some(0xffff))),
            ("program headers past the end", Elf::with(|elf| elf.phnum = Some(1000))),
            ("program headers somewhere else", Elf::with(|elf| elf.phoff = 1 << 20)),
            ("program headers at the end of 64 bits", Elf::with(|elf| elf.phoff = u64::MAX - 8)),
            ("program headers at a negative offset", Elf::with(|elf| elf.phoff = 1 << 63)),
            ("a #! line with no interpreter", b"#! \n".to_vec()),
        ],
    ));
}

fn interpreter(offset: u64, filesz: u64) -> Phdr {
    Phdr { kind: PT_INTERP, flags: R, offset, vaddr: 0, filesz, memsz: filesz, align: 1 }
}

#[test]
fn loaders_and_interpreters_that_cannot_be_had_are_refused() {
    let with_loader = |path: &[u8]| {
        Elf::with(|elf| {
            elf.phdrs.push(interpreter(CODE_OFFSET + CODE_BYTES, path.len() as u64));
            elf.code.extend(path);
        })
    };
    let mut rows = refused(
        "ENOEXEC",
        &[
            ("a loader's path of 1 byte", with_loader(b"\0")),
            ("a loader's path of 5000 bytes", with_loader(&[b'x'; 5000])),
            ("a loader's path without its NUL", with_loader(b"/lib/ld.so")),
        ],
    );
    rows.extend(refused("--sysroot", &[("a loader that is not there", with_loader(b"/lib/ld-linux.so\0"))]));
    rows.extend(refused("EIO", &[("a loader's path past the end", Elf::and(interpreter(1 << 30, 10)))]));
    rows.extend(refused(
        "ENOENT",
        &[("a script's interpreter that is not there", b"#!/bin/nothing\n".to_vec())],
    ));
    rows.extend(refused("ELOOP", &[("a script that interprets itself", b"#!/bin/prog\n".to_vec())]));
    rows.extend(refused("EACCES", &[("a script interpreted by a folder", b"#!/bin\n".to_vec())]));
    check(&rows);
}

#[test]
fn segments_that_cannot_be_mapped_end_in_sigsegv() {
    check(&ends(
        SIGSEGV,
        &[
            ("more in the file than in memory", Elf::segment(|s| s.memsz = 4)),
            ("memory that is all of 64 bits", Elf::segment(|s| s.memsz = u64::MAX)),
            ("memory that wraps around", Elf::segment(|s| s.memsz = u64::MAX - ENTRY + 2)),
            ("memory as large as user space", Elf::segment(|s| s.memsz = 1 << 38)),
            ("a segment at the end of user space", Elf::segment(|s| s.vaddr = 1 << 38)),
            ("a segment in the kernel", Elf::segment(|s| s.vaddr = 0xffff_ffc0_8020_0000)),
            ("a segment at the end of 64 bits", Elf::segment(|s| s.vaddr = u64::MAX - 0xfff)),
            ("offset and address that differ in a page", Elf::segment(|s| s.offset += 4)),
            ("a file offset that wraps around", Elf::segment(|s| s.offset = u64::MAX - 0xfff)),
            (
                "position-independent, but out of reach",
                Elf::with(|elf| {
                    elf.kind = 3;
                    elf.phdrs[0].vaddr = u64::MAX - 0xfff;
                }),
            ),
            (
                "bss that begins past the end of the file",
                Elf::and(Phdr {
                    flags: R | W,
                    offset: 0x9000,
                    vaddr: 0x30000,
                    filesz: 100,
                    memsz: 0x3000,
                    ..code_segment()
                }),
            ),
        ],
    ));
}

#[test]
fn programs_with_nothing_at_their_entry_end_in_sigsegv() {
    check(&ends(
        SIGSEGV,
        &[
            ("entry 0", Elf::with(|elf| elf.entry = 0)),
            ("entry in the void", Elf::with(|elf| elf.entry = 0x5000_0000)),
            ("entry in the kernel", Elf::with(|elf| elf.entry = 0xffff_ffc0_8020_0000)),
            ("entry at the end of 64 bits", Elf::with(|elf| elf.entry = u64::MAX)),
            ("entry outside Sv39", Elf::with(|elf| elf.entry = 1 << 50)),
            ("nothing to load", Elf::with(|elf| elf.phdrs[0].kind = 0)),
            ("a segment of no bytes", Elf::segment(|s| (s.filesz, s.memsz) = (0, 0))),
            ("code that is not executable", Elf::segment(|s| s.flags = R | W)),
            ("code that may not be touched", Elf::segment(|s| s.flags = 0)),
            ("data that covers the code", Elf::and(Phdr { flags: R | W, ..code_segment() })),
            (
                "zeros that cover the code and are not executable",
                Elf::and(Phdr { flags: R, filesz: 0, memsz: 0x2000, ..code_segment() }),
            ),
        ],
    ));
}

#[test]
fn what_linux_starts_runs() {
    let mut whole = good().bytes();
    let mut moved = good().bytes();
    // Program headers need no alignment.
    moved.extend_from_within(64..120);
    let at = moved.len() as u64 - 56;
    moved[32..40].copy_from_slice(&at.to_le_bytes());
    let cut_code = whole[..0x1004].to_vec();
    whole.extend([0xff; 100]);
    let mut rows = ends(
        GOOD,
        &[
            ("the good one", good().bytes()),
            ("bytes after its end", whole.clone()),
            ("program headers at an odd place", moved),
            ("an unknown data encoding, which Linux does not look at", Elf::with(|elf| elf.ident[5] = 2)),
            ("an unknown version", Elf::with(|elf| elf.ident[6] = 9)),
            ("an odd entry: the hart clears the bit", Elf::with(|elf| elf.entry += 1)),
            ("the same segment twice", Elf::and(code_segment())),
            ("segments in falling order", Elf::and(Phdr { vaddr: BASE - 0x1000, ..code_segment() })),
            ("position-independent", Elf::with(|elf| elf.kind = 3)),
            (
                "a bss of 64 GiB that is never touched",
                Elf::and(Phdr {
                    flags: R | W,
                    vaddr: 0x10_0000,
                    filesz: 0,
                    memsz: 64 << 30,
                    ..code_segment()
                }),
            ),
            (
                "data past the end of the file that is never touched",
                Elf::and(Phdr { flags: R, offset: 1 << 30, vaddr: 0x30000, ..code_segment() }),
            ),
            ("an impossible alignment", Elf::segment(|s| s.align = 3)),
            (
                "program headers of unknown kinds",
                Elf::and(Phdr { kind: 0x7fff_ffff, offset: u64::MAX, memsz: u64::MAX, ..code_segment() }),
            ),
        ],
    );
    rows.extend(ends(
        SIGBUS,
        &[
            ("cut off before the code", whole[..0x1000].to_vec()),
            ("cut off after the headers", whole[..120].to_vec()),
            ("code that lies past the end of the file", Elf::segment(|s| s.offset = 1 << 30)),
        ],
    ));
    // The rest of the last page of a file is zeros, which are no instruction.
    rows.extend(ends(SIGILL, &[("cut off in the code", cut_code)]));
    check(&rows);
}

/// A generator that gives the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }
    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

#[test]
fn random_headers_do_no_harm() {
    let dir = TempDir::new("random");
    let mut random = Random(0x0bad_5eed_0bad_5eed);
    let elf = Elf::and(Phdr { flags: R | W, vaddr: 0x30000, memsz: 0x4000, ..code_segment() });
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..150 {
        let mut bytes = elf.clone();
        for _ in 0..=random.below(6) {
            let at = 4 + random.below(64 + 2 * 56 - 4);
            bytes[at] = if random.below(3) == 0 { 0xff } else { random.byte() };
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        seen.insert(run_bytes(&dir, &format!("prog{round}"), &bytes).status);
    }
    assert!(seen.contains(&REFUSED) && seen.contains(&SIGSEGV) && seen.contains(&GOOD), "{seen:?}");
}

#[test]
fn files_that_cannot_be_programs_are_refused() {
    let dir = TempDir::new("files");
    std::fs::create_dir(dir.file("root")).unwrap();
    std::fs::write(dir.file("root/data"), good().bytes()).unwrap();
    std::fs::write(dir.file("text"), "text").unwrap();
    let file = |name: &str| dir.file(name).display().to_string();
    let (root, text, missing) = (file("root"), file("text"), file("missing"));
    for (args, word) in [
        (vec!["run", &missing], "ENOENT"),
        (vec!["run", &root], "EACCES"),
        (vec!["run", "."], "folio: .: EACCES: it is a folder; a program is wanted"),
        (vec!["run", "--swap", &root, "hello"], "it is a folder; an image file is wanted"),
        (
            vec!["run", "--swap", "no-such-file", "hello"],
            "a size such as 256M, a file that mkswap has made, or 0",
        ),
        (vec!["run", "/dev/null"], "EACCES"),
        (vec!["run", "--root", &root, "/data"], "EACCES"),
        (vec!["run", "--root", &root, "/"], "EACCES"),
        (vec!["run", "--root", &root, "/none"], "ENOENT"),
        (vec!["run", "--root", &root, "/data/x"], "ENOTDIR"),
        (vec!["run", "--root", &root, "--cwd", "/none", "/data"], "ENOENT"),
        (vec!["run", "--root", &missing, "/data"], "ENOENT"),
        (vec!["run", "--root", &text, "/data"], "ext4"),
        (vec!["run", "--frames", "x", "hello"], "--frames"),
        (vec!["run", "--fuel", "-1", "hello"], "--fuel"),
    ] {
        let ran = run_folio(&args);
        assert_eq!((ran.status, ran.stdout.as_str()), (REFUSED, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: no {word} in: {}", ran.stderr);
    }
}

#[test]
fn damaged_disks_do_no_harm() {
    let dir = TempDir::new("disks");
    let (program, image, damaged) = (dir.file("prog"), dir.file("image"), dir.file("damaged"));
    std::fs::write(&program, good().bytes()).unwrap();
    let made = run_folio([&"image".into(), &program, &"-o".into(), &image]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    let disk = std::fs::read(&image).unwrap();
    let run_damaged = |name: &str, bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        let mut command = folio(["run", "--fuel", FUEL, "--root"]);
        command.arg(&damaged).arg("/bin/prog");
        let ran = run(command);
        assert_sane(name, &ran);
        ran.status
    };
    assert_eq!(run_damaged("whole", &disk), GOOD);
    assert_eq!(run_damaged("no superblock", &vec![0; disk.len()]), REFUSED);
    assert_eq!(run_damaged("cut in half", &disk[..disk.len() / 2]), REFUSED);
    assert_eq!(run_damaged("empty", &[]), REFUSED);
    let mut random = Random(0xd15c_d15c_d15c_d15c);
    let used: Vec<usize> = (0..disk.len()).step_by(16).filter(|&at| disk[at..at + 16] != [0; 16]).collect();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..60 {
        let mut bytes = disk.clone();
        for _ in 0..1 + random.below(400) {
            // Half of the hits go to the superblock and the group descriptors, the others to whatever is in use.
            let at = match random.below(2) {
                0 => 1024 + random.below(8192),
                _ => used[random.below(used.len())] + random.below(16),
            };
            bytes[at] = random.byte();
        }
        // With its magic number the superblock is not refused at sight.
        bytes[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        seen.insert(run_damaged(&format!("round {round}"), &bytes));
    }
    assert!(seen.contains(&REFUSED), "{seen:?}");
}

#[test]
fn what_cannot_be_told_is_lost_without_more_ado() {
    for (args, status) in [
        (vec!["run", "--stats", "hello"], 0),
        (vec!["run", "no-such-program"], REFUSED),
        (vec!["run", "--debug", "--ex", "continue", "hello"], 0),
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = folio(&args);
        command.stdout(Stdio::piped()).stderr(full);
        let output = Running::start(command).output();
        assert_eq!(output.status.code(), Some(status), "{args:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for args in [vec!["run", "hello"], vec!["run", "--debug", "--ex", "continue", "hello"]] {
        let mut command = folio(&args);
        command.stdout(full.try_clone().unwrap()).stderr(Stdio::piped());
        let output = Running::start(command).output();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(REFUSED), "{args:?}: {told}");
        let last = told.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("folio: cannot write to standard output: No space left"),
            "{args:?}: {told}"
        );
    }
}
