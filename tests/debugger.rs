//! `folio run --debug`: a scripted session with every command, and proof that stepping changes nothing.
//!
//! The program is assembled here, so that its addresses are the same everywhere. What depends on the build of the kernel (steps,
//! kernel addresses, frames) is replaced by letters before the session is compared with its golden;
//! `FOLIO_BLESS=1 cargo test --test debugger` writes the golden anew.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers; a test may stop

mod support;

use isa::{assemble, encode};
use support::{TempDir, folio, root, run, run_with_figures};

const TEXT: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const BSS_PAGE: u64 = DATA + 0x1000;

/// The program: a call; loads and stores that need each kind of page fault; a fork, whose child exits at once.
const PROGRAM: &[(&str, &[&str])] = &[
    ("_start", &["addi a0,zero,21", "jal ra,0x10200"]),
    ("load_data", &["lui s0,0x20", "lw a1,0(s0)"]),
    ("store_data", &["sw a0,0(s0)"]),
    ("load_bss", &["lui s1,0x21", "lw a2,0(s1)"]),
    ("store_bss", &["sw a0,0(s1)"]),
    // clone(SIGCHLD, 0), then wait4(-1, 0, 0, 0) in the parent.
    ("fork", &["addi a0,zero,17", "addi a1,zero,0", "addi a7,zero,220", "ecall", "beq a0,zero,0x1006c"]),
    (
        "wait",
        &[
            "addi a0,zero,-1",
            "addi a1,zero,0",
            "addi a2,zero,0",
            "addi a3,zero,0",
            "addi a7,zero,260",
            "ecall",
        ],
    ),
    ("store_again", &["sw a0,4(s1)"]),
    ("leave", &["addi a0,zero,7", "addi a7,zero,93", "ecall"]),
    ("store_child", &["sw a0,0(s1)", "addi a0,zero,0", "addi a7,zero,93", "ecall"]),
];
/// Where `double` is, which `_start` calls.
const DOUBLE: u64 = 0x1_0200;
/// Where the code begins: behind the headers.
const CODE: u64 = 0x1_0010;

fn u16s(file: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|v| file.extend(v.to_le_bytes()));
}
fn u32s(file: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|v| file.extend(v.to_le_bytes()));
}
fn u64s(file: &mut Vec<u8>, values: &[u64]) {
    values.iter().for_each(|v| file.extend(v.to_le_bytes()));
}

/// The program as a static ELF: text (page 1 of the file), data and two pages of bss (page 2), symbols.
fn elf() -> Vec<u8> {
    let mut symbols: Vec<(&str, u64)> = Vec::new();
    let mut text = vec![0; 0x1000];
    let mut put = |at: u64, line: &str| {
        let insn = assemble(line, at).unwrap_or_else(|| panic!("{line}"));
        let start = (at - TEXT) as usize;
        text[start..start + 4].copy_from_slice(&encode(&insn).unwrap().to_le_bytes());
    };
    let mut at = CODE;
    for (name, lines) in PROGRAM {
        symbols.push((name, at));
        for line in *lines {
            put(at, line);
            at += 4;
        }
    }
    symbols.push(("double", DOUBLE));
    put(DOUBLE, "add a0,a0,a0");
    put(DOUBLE + 4, "jalr zero,0(ra)");
    symbols.extend([("data", DATA), ("bss", BSS_PAGE)]);

    let mut strings = vec![0u8];
    let mut table = vec![0u8; 24];
    for (name, value) in symbols {
        u32s(&mut table, &[strings.len() as u32]);
        table.extend([0x10, 0]);
        u16s(&mut table, &[1]);
        u64s(&mut table, &[value, 0]);
        strings.extend(name.bytes().chain([0]));
    }
    let (table_at, strings_at) = (0x3000u64, 0x3000 + table.len() as u64);
    let sections_at = (strings_at + strings.len() as u64).next_multiple_of(8);

    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    u16s(&mut file, &[2, 243]);
    u32s(&mut file, &[1]);
    u64s(&mut file, &[CODE, 64, sections_at]);
    u32s(&mut file, &[0]);
    u16s(&mut file, &[64, 56, 2, 64, 3, 2]);
    for (flags, offset, va, file_bytes, memory_bytes) in
        [(5, 0x1000, TEXT, 0x1000, 0x1000), (6, 0x2000, DATA, 0x1000, 0x3000)]
    {
        u32s(&mut file, &[1, flags]);
        u64s(&mut file, &[offset, va, va, file_bytes, memory_bytes, 0x1000]);
    }
    file.resize(0x1000, 0);
    file.extend(text);
    file.extend(b"data of the file");
    file.resize(0x3000, 0);
    file.extend(&table);
    file.extend(&strings);
    file.resize(sections_at as usize, 0);
    for (kind, offset, len, link, entry) in [
        (0, 0, 0, 0, 0),
        (2, table_at, table.len() as u64, 2, 24),
        (3, strings_at, strings.len() as u64, 0, 0),
    ] {
        u32s(&mut file, &[0, kind]);
        u64s(&mut file, &[0, 0, offset, len]);
        u32s(&mut file, &[link, 0]);
        u64s(&mut file, &[1, entry]);
    }
    file
}

/// The program in a folder.
fn program(folder: &TempDir) -> String {
    let path = folder.file("pages");
    std::fs::write(&path, elf()).unwrap();
    path.display().to_string()
}

/// Replaces what depends on the build of the kernel.
fn normalised(text: &str) -> String {
    let mut out = String::new();
    let mut in_paragraph = false;
    for line in text.lines() {
        let mut words = Vec::new();
        let counts = line.contains(" side (");
        let mut after_step = false;
        for word in line.split(' ') {
            words.push(normalised_word(word, after_step || counts));
            after_step = word == "step";
        }
        // Where the lines of a paragraph break depends on the length of the numbers in it.
        in_paragraph &= !line.starts_with("(folio)");
        if in_paragraph {
            out.pop();
            out.push(' ');
        }
        in_paragraph |= line.starts_with("At step");
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out
}

fn normalised_word(word: &str, after_step: bool) -> String {
    let digits = word.trim_end_matches([':', '.', ',', ';']);
    if after_step && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return word.replacen(digits, "N", 1);
    }
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at);
        let len = 2 + from[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let value = u64::from_str_radix(&from[2..len], 16).unwrap_or(0);
        text.push_str(before);
        text.push_str(match value {
            0xffff_ffc0_0000_0000.. => "KERNEL",
            0x8_0000..0x9_0000 => "FRAME",
            0x8000_0000..0x9000_0000 => "PHYSICAL",
            0x2000_0000..0x2400_0000 => "PTE",
            0x8000_0000_0000_0000..0x9000_0000_0000_0000 => "SATP",
            _ => &from[..len],
        });
        rest = &from[len..];
    }
    text + rest
}

#[test]
fn a_session_with_every_command() {
    let commands = [
        "help",
        "help break",
        "stpe",
        "break double",
        "catch fault disk",
        "break",
        "continue",
        "explain",
        "regs",
        "walk",
        "delete 2",
        "continue",
        "step",
        "stepi 2",
        "regs",
        "next",
        "explain",
        "break load_bss",
        "catch fault zero",
        "continue",
        "disas $pc 4",
        "x/s data",
        "x/4xb data+12",
        "x/2i",
        "continue",
        "walk $fault",
        "continue",
        "explain",
        "next",
        "walk bss",
        "maps",
        "frames",
        "delete",
        "catch fault cow",
        "continue",
        "explain",
        "ps",
        "continue",
        "explain",
        "walk $fault",
        "regs f",
        "tlb $fault",
        "until 1",
        "until 99999999999",
        "ps",
        "frames",
        "explain",
        "step",
        "quit",
    ];
    let mut args: Vec<String> = vec!["run".into()];
    args.extend(commands.iter().flat_map(|command| ["-ex".into(), (*command).to_string()]));
    let folder = TempDir::new("session");
    program(&folder);
    args.push("./pages".into());
    // From inside the folder, by a name that is the same every time: argv[0] lies on the program's stack.
    let mut command = folio(args);
    command.current_dir(folder.path());
    let ran = run(command);
    assert_eq!(ran.status, 7, "{}", ran.stderr);
    assert_eq!(ran.stdout, "", "stdout is the guest's");
    let session = normalised(&ran.stderr);
    let golden = root().join("tests/goldens/debugger.txt");
    if std::env::var_os("FOLIO_BLESS").is_some() {
        std::fs::write(&golden, &session).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(session == expected, "the session is not as in {}:\n{session}", golden.display());
}

#[test]
fn stepping_through_a_whole_program_changes_nothing() {
    let folder = TempDir::new("stepping");
    let program = program(&folder);
    let figures = |commands: &[&str]| {
        let arguments = commands.iter().flat_map(|command| ["-ex", command]).chain([program.as_str()]);
        let (ran, figures) = run_with_figures(&folder, arguments);
        (ran.status, ["instructions", "steps", "state_hash"].map(|key| figures[key].clone()))
    };
    let plain = figures(&[]);
    assert_eq!(plain.0, 7);
    assert!(plain.1[0].as_u64().unwrap() > 100_000);
    for commands in [
        &["continue"][..],
        &["step 1000000000"],
        &["catch fault any", "continue", "continue", "explain", "next 5", "tlb", "delete", "continue"],
        &["break double", "until 1000", "continue", "delete", "regs", "walk", "step 500", "continue"],
    ] {
        assert_eq!(figures(commands), plain, "{commands:?}");
    }
}
