//! `folio run --debug`: a scripted session with every command, and proof that stepping changes nothing.
//!
//! The program is assembled here, so that its addresses are the same everywhere. What depends on the build of the kernel (steps,
//! kernel addresses, frames) is replaced by letters before the session is compared with its golden;
//! `FOLIO_BLESS=1 cargo test --test debugger` writes the golden anew.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers; a test may stop

mod support;

use isa::{assemble, encode};
use std::os::unix::fs::PermissionsExt;
use support::{Ran, TempDir, folio, root, run, run_with_figures, run_with_input};

const TEXT: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const BSS_PAGE: u64 = DATA + 0x1000;

/// Symbols, and the instructions from there on.
type Lines = &'static [(&'static str, &'static [&'static str])];

/// The program: a call; loads and stores that need each kind of page fault; a fork, whose child exits at once.
const PROGRAM: Lines = &[
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
/// A program that stores to its own text.
const TO_TEXT: Lines = &[("_start", &["lui s0,0x10", "addi a0,zero,1"]), ("store_text", &["sw a0,0(s0)"])];

/// A program that leaves by a jump to where nothing is mapped.
const TO_NOWHERE: Lines = &[("_start", &["addi s0,zero,64", "jalr ra,0(s0)"])];

/// A program whose child wants the same page of the file at the same time.
const TOGETHER: Lines = &[
    ("_start", &["addi a0,zero,17", "addi a1,zero,0", "addi a7,zero,220", "ecall"]),
    ("load_both", &["lui s0,0x20", "lw a1,0(s0)"]),
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
    ("leave", &["addi a0,zero,0", "addi a7,zero,93", "ecall"]),
];

/// A program that reads a line to its stack; its status is how many bytes it had.
const READS: Lines = &[
    (
        "_start",
        &["addi sp,sp,-64", "addi a0,zero,0", "addi a1,sp,0", "addi a2,zero,64", "addi a7,zero,63", "ecall"],
    ),
    ("got", &["addi a7,zero,93", "ecall"]),
];

/// A program that maps, reads and unmaps one after the other the first 32 pages of `/big`, and all of them again.
const TWICE: Lines = &[
    ("_start", &["lui t0,0x67696", "addi t0,t0,0x22f", "sd t0,-16(sp)"]),
    ("open", &["addi a0,zero,-100", "addi a1,sp,-16", "addi a2,zero,0", "addi a7,zero,56", "ecall"]),
    ("begin", &["add s0,a0,zero", "addi s1,zero,0", "addi s2,zero,2"]),
    ("map", &["addi a0,zero,0", "lui a1,0x1", "addi a2,zero,1", "addi a3,zero,2", "add a4,s0,zero"]),
    ("map_page", &["slli a5,s1,12", "addi a7,zero,222", "ecall"]),
    ("touch", &["lbu t0,0(a0)", "lui a1,0x1", "addi a7,zero,215", "ecall"]),
    ("next_page", &["addi s1,s1,1", "addi t1,zero,32", "blt s1,t1,0x1003c"]),
    ("again", &["addi s1,zero,0", "addi s2,s2,-1", "bne s2,zero,0x1003c"]),
    ("leave", &["addi a0,zero,0", "addi a7,zero,93", "ecall"]),
];

/// A program that has the kernel touch pages for it: for `clock_gettime`, and for the frame of a handler on an alternate stack. Then it
/// unmaps a page, and reads it.
const COPIES: Lines = &[
    ("_start", &["addi a0,zero,0", "lui a1,0x21", "addi a7,zero,113", "ecall"]),
    // struct sigaction: `double` on the alternate stack; stack_t: the second page of bss.
    (
        "prepare",
        &["lui s0,0x20", "lui t0,0x10", "addi t0,t0,512", "sd t0,0(s0)", "lui t0,0x8000", "sd t0,8(s0)"],
    ),
    (
        "stack",
        &["sd zero,16(s0)", "lui t0,0x22", "sd t0,32(s0)", "sd zero,40(s0)", "lui t0,0x1", "sd t0,48(s0)"],
    ),
    ("sigaltstack", &["addi a0,s0,32", "addi a1,zero,0", "addi a7,zero,132", "ecall"]),
    (
        "sigaction",
        &["addi a0,zero,10", "addi a1,s0,0", "addi a2,zero,0", "addi a3,zero,8", "addi a7,zero,134", "ecall"],
    ),
    ("kill", &["addi a7,zero,172", "ecall", "addi a1,zero,10", "addi a7,zero,129", "ecall"]),
    ("munmap", &["lui a0,0x21", "lui a1,0x1", "addi a7,zero,215", "ecall"]),
    ("touch", &["lui a0,0x21", "lw a1,0(a0)"]),
];

/// A program of two threads: one waits for a word to change, the other ends both.
const THREADS: Lines = &[
    ("_start", &["lui a0,0x51", "addi a0,a0,-256", "lui a1,0x22", "addi a2,zero,0", "addi a3,zero,0"]),
    ("clone", &["addi a4,zero,0", "addi a7,zero,220", "ecall", "beq a0,zero,0x1004c"]),
    (
        "futex",
        &["lui a0,0x21", "addi a1,zero,128", "addi a2,zero,0", "addi a3,zero,0", "addi a7,zero,98", "ecall"],
    ),
    ("in_thread", &["addi a0,zero,0", "addi a7,zero,94", "ecall"]),
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
fn elf(program: Lines) -> Vec<u8> {
    let mut symbols: Vec<(&str, u64)> = Vec::new();
    let mut text = vec![0; 0x1000];
    let mut put = |at: u64, line: &str| {
        let insn = assemble(line, at).unwrap_or_else(|| panic!("{line}"));
        let start = (at - TEXT) as usize;
        text[start..start + 4].copy_from_slice(&encode(&insn).unwrap().to_le_bytes());
    };
    let mut at = CODE;
    for (name, lines) in program {
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
    std::fs::write(&path, elf(PROGRAM)).unwrap();
    path.display().to_string()
}

/// A session of these commands with a program, given by `-ex`.
fn session(program: Lines, commands: &[&str]) -> Ran {
    let folder = TempDir::new("session");
    session_in(&folder, program, &[], commands)
}

/// The same with more options, in a folder.
fn session_in(folder: &TempDir, program: Lines, options: &[&str], commands: &[&str]) -> Ran {
    let mut args: Vec<&str> = vec!["run"];
    args.extend(options);
    args.extend(commands.iter().flat_map(|command| ["-ex", *command]));
    args.push("./pages");
    std::fs::write(folder.file("pages"), elf(program)).unwrap();
    // From inside the folder, by a name that is the same every time: argv[0] lies on the program's stack.
    let mut command = folio(args);
    command.current_dir(folder.path());
    let ran = run(command);
    assert_eq!(ran.stdout, "", "stdout is the guest's");
    ran
}

/// Compares what a session has said with a golden.
#[track_caller]
fn check_golden(ran: &Ran, name: &str) {
    let said = normalised(&ran.stderr);
    let golden = root().join("tests/goldens").join(name);
    if std::env::var_os("FOLIO_BLESS").is_some() {
        std::fs::write(&golden, &said).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(said == expected, "the session is not as in {}:\n{said}", golden.display());
}

/// Replaces what depends on the build of the kernel.
fn normalised(text: &str) -> String {
    let mut out = String::new();
    let (mut in_paragraph, mut is_kernel) = (false, false);
    for line in text.lines() {
        // How many frames the kernel has for itself.
        let tables =
            line.split_once(" more are page tables, ").filter(|(_, rest)| rest.ends_with("the kernel's"));
        let without = tables.map(|(tables, _)| format!("{tables} more are page tables, N the kernel's"));
        let line = without.as_deref().unwrap_or(line);
        let mut words: Vec<String> = Vec::new();
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
        // The line of the kernel's source at which it stops.
        if is_kernel && !line.starts_with("=>") {
            words = vec!["SOURCE".to_owned()];
        }
        is_kernel = line.contains(": supervisor mode");
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

/// The tables of commands in the docs are those that the prompt, `help` and completion are made of.
#[test]
fn the_docs_list_every_command() {
    let path = root().join("docs/debugger.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- commands -->\n").unwrap();
    let (listed, after) = rest.split_once("<!-- end of commands -->").unwrap();
    let table = emulator::debug::command::page();
    if std::env::var_os("FOLIO_BLESS").is_some() {
        let page = format!("{before}<!-- commands -->\n{table}<!-- end of commands -->{after}");
        std::fs::write(&path, page).unwrap();
    } else {
        assert!(listed == table, "docs/debugger.md lists other commands than there are:\n{table}");
    }
}

#[test]
fn a_session_with_every_command() {
    let commands = [
        "help",
        "help break",
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
        // The child runs; what is its parent's is looked up in its parent's page table.
        "walk bss",
        "walk 1:bss",
        "x/2xw bss",
        "x/2xw 1:bss",
        "x/i 1:0x1005c",
        "maps 1",
        "continue",
        "explain",
        "walk $fault",
        "regs f",
        "tlb $fault",
        "expect data side",
        "until 99999999999",
        "ps",
        "frames",
        "explain",
        "walk 0x21000",
        "x 0x21000",
        "quit",
    ];
    let ran = session(PROGRAM, &commands);
    assert_eq!(ran.status, 7, "{}", ran.stderr);
    check_golden(&ran, "debugger.txt");
    // What frames hold adds up.
    let split = |line| {
        [" frames hold pages: ", " frame holds pages: "].iter().find_map(|of| str::split_once(line, of))
    };
    let sums: Vec<_> = ran.stderr.lines().filter_map(split).collect();
    assert_eq!(sums.len(), 2);
    for (total, parts) in sums {
        let counts = parts.split(", ").map(|part| part.split(' ').next().unwrap().parse::<u64>().unwrap());
        assert_eq!(counts.sum::<u64>(), total.parse::<u64>().unwrap(), "{parts}");
    }
}

/// For what the kernel touches a page, what there is at an address, and what was there.
#[test]
fn pages_that_the_kernel_touches_and_pages_that_are_gone() {
    let commands = [
        "explain",
        "explain bss",
        "explain data",
        "catch fault any bss",
        "continue",
        "explain",
        "explain bss",
        "explain bss+0x1000",
        "x bss+0x1000",
        "delete",
        "catch fault zero 0x22000 0x23000",
        "catch",
        "continue",
        "explain",
        "delete",
        "catch fault segv",
        "continue",
        "explain",
        "explain bss",
        "walk bss",
        "explain 0x50000000",
        "walk 0x50000000",
        "explain -1",
        "walk -1",
        "explain 0x4000000000",
        "walk 0x4000000000",
        "continue",
    ];
    let ran = session(COPIES, &commands);
    assert_eq!(ran.status, 128 + 11, "{}", ran.stderr);
    check_golden(&ran, "debugger-copies.txt");
}

#[test]
fn threads_are_listed_with_what_they_wait_in() {
    let commands =
        ["break in_thread", "continue", "ps", "thread 1", "x/i $pc", "regs", "thread 2", "continue"];
    let ran = session(THREADS, &commands);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let waits = "(folio) thread 1\nprocess 1 (pages), thread 1 waits in a system call at futex+0x14 (pc 0x10048)\n\
                 => 0x10048 <futex+0x14>: 00000073  ecall\n(folio) x/i $pc\n=> 0x10048 <futex+0x14>: 00000073  ecall\n\
                 (folio) regs\npc   0x0000000000010048  user mode";
    assert!(ran.stderr.contains(waits), "{}", ran.stderr);
    // The call's number, as it was at the trap.
    assert!(ran.stderr.contains("a7   0x0000000000000062"), "{}", ran.stderr);
    let ran = session(THREADS, &["thread 9"]);
    assert!(ran.stderr.contains("there is no thread 9"), "{}", ran.stderr);
    let ran = session(THREADS, &["break in_thread", "continue", "ps", "continue"]);
    let lines = "       thread 1 waits in a system call at futex+0x14 (pc 0x10048)\n     * thread 2 runs at in_thread (pc 0x1004c)\n";
    assert!(ran.stderr.contains(lines), "{}", ran.stderr);
    assert!(ran.stderr.contains("user mode, process 1 (pages), thread 2\n"), "{}", ran.stderr);
}

/// An access that is refused is shown at the program's instruction, with its registers; then what it died of.
#[test]
fn a_refused_access_is_looked_at_in_the_program() {
    let commands = [
        "catch fault segv",
        "continue",
        "regs",
        "disas $pc 2",
        "walk $fault",
        "explain",
        "stepi",
        "continue",
    ];
    let ran = session(TO_TEXT, &commands);
    assert_eq!(ran.status, 128 + 11, "{}", ran.stderr);
    check_golden(&ran, "debugger-refused.txt");
    let ran = session(TO_NOWHERE, &["catch fault any", "continue", "continue", "explain", "continue"]);
    assert_eq!(ran.status, 128 + 11, "{}", ran.stderr);
    check_golden(&ran, "debugger-nowhere.txt");
}

/// Of two processes that want a page at the same time one has it read, and the other waits.
#[test]
fn who_waits_for_anothers_read_is_told_so() {
    let commands = [
        "break load_both",
        "continue",
        "delete",
        "catch fault disk",
        "continue",
        "explain",
        "continue",
        "explain",
        "continue",
    ];
    let ran = session(TOGETHER, &commands);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    check_golden(&ran, "debugger-awaited.txt");
}

/// A page that the page cache has given up is not told of as one that had never been needed.
#[test]
fn a_page_that_is_read_again_is_told_so() {
    let folder = TempDir::new("again");
    std::fs::write(folder.file("big"), vec![1; 32 << 12]).unwrap();
    std::fs::write(folder.file("pages"), []).unwrap();
    std::fs::set_permissions(folder.file("pages"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let commands = [
        "break again",
        "continue",
        "delete",
        "catch fault disk",
        "continue",
        "explain",
        "delete",
        "continue",
    ];
    let ran = session_in(&folder, TWICE, &["--root", ".", "--frames", "24"], &commands);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    check_golden(&ran, "debugger-again.txt");
}

/// A command of a script that can't be carried out, or an expectation that fails, ends it with status 1.
#[test]
fn a_script_ends_where_a_command_fails() {
    for (commands, said) in [
        (&["stpe"][..], "there is no command `stpe`; did you mean `step`?"),
        (&["info float"], "there is no `info float`: `regs f` shows"),
        (&["info locals"], "the program has no debug information (compile it with -g)"),
        (&["up"], "this is the outermost function that is known"),
        (&["until 1"], "(`advance 1` is for a line)"),
        (&["continue", "step"], "the machine has ended: the program has exited with status 7"),
        (
            &["continue", "process 1", "maps", "x 0x21000"],
            "process 1 (pages) has ended (exited 7): its mappings and its page table are gone",
        ),
        (&["continue", "maps 3"], "there is no process 3"),
        (&["continue", "walk 1:bss"], "process 1 (pages) has ended (exited 7)"),
        (&["continue", "x 1:0x21000"], "process 1 (pages) has ended (exited 7)"),
        (&["continue", "walk $fault"], "process 1 (pages) has ended (exited 7)"),
        (&["walk 9:bss"], "there is no process 9"),
        (&["ps", "expect /bin/pages", "expect /bin/other"], "`/bin/other` was expected"),
    ] {
        let commands: Vec<&str> = commands.iter().copied().chain(["ps", "quit"]).collect();
        let ran = session(PROGRAM, &commands);
        assert_eq!(ran.status, 1, "{commands:?}: {}", ran.stderr);
        let last: Vec<&str> = ran.stderr.lines().rev().take(2).collect();
        assert!(last[1].contains(said) && last[0].starts_with("folio: the script ends:"), "{}", ran.stderr);
    }
}

#[test]
fn a_name_that_no_program_has_is_complained_of() {
    let ran = session(PROGRAM, &["break laod_data", "break doub", "break double", "continue", "quit"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(
            "breakpoint 1 at laod_data: /bin/pages has no such name (near are `load_data`); it waits for a program that has"
        ),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("(near are `double`)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("breakpoint 3: double"), "{}", ran.stderr);
}

/// Commands and the guest's input may come through one pipe: what stands behind a command is the next reader's.
#[test]
fn commands_and_input_share_a_pipe() {
    let folder = TempDir::new("pipe");
    std::fs::write(folder.file("pages"), elf(READS)).unwrap();
    for (input, status) in
        [("continue\nBob\n", 4), ("break got\nps\ncontinue\nBobby\n", 0), ("quit\nstpe\n", 0)]
    {
        let mut command = folio(["debug"]);
        command.arg(folder.file("pages"));
        let ran = run_with_input(command, input.as_bytes());
        assert_eq!(ran.status, status, "{input:?}: {}", ran.stderr);
    }
}

/// What comes by a pipe is as if typed: after a slip the next command is done, and the status is 1 at the end. An expectation ends it.
#[test]
fn a_pipe_goes_on_after_a_slip() {
    let folder = TempDir::new("pipe-slip");
    let program = program(&folder);
    for (input, parts, absent) in [
        (
            "stpe\nps\nstpe\ncontinue\n",
            &[
                "did you mean `step`?",
                "/bin/pages",
                "exited with status 7",
                "the status is 1: `stpe` and 1 more failed",
            ][..],
            "script ends",
        ),
        ("up\nquit\n", &["outermost", "the status is 1: `up` failed"], "script ends"),
        ("expect nothing\nps\n", &["was expected", "the status is 1"], "/bin/pages"),
    ] {
        let mut command = folio(["debug"]);
        command.arg(&program);
        let ran = run_with_input(command, input.as_bytes());
        let mut rest = ran.stderr.split_once("\n=> ").unwrap().1.split_once('\n').unwrap().1;
        assert!(!rest.contains(absent), "{ran:?}");
        for part in parts {
            rest = rest.split_once(part).unwrap_or_else(|| panic!("`{part}`: {ran:?}")).1;
        }
        assert_eq!(ran.status, 1, "{ran:?}");
    }
}

#[test]
fn a_session_may_begin_at_reset() {
    let ran = session(PROGRAM, &["quit"]);
    assert!(ran.stderr.contains("user mode, process 1 (pages)\n=> 0x10010 <_start>"), "{}", ran.stderr);
    let folder = TempDir::new("reset");
    let ran =
        run(folio(["debug", "--from-reset", "-ex", "break double", "-ex", "until 5", &program(&folder)]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("step 0: supervisor mode\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("waits for a program that has it (none so far)"), "{}", ran.stderr);
}

#[test]
fn stepping_through_a_whole_program_changes_nothing() {
    let folder = TempDir::new("stepping");
    let program = program(&folder);
    let figures = |commands: &[&str], from_reset: bool| {
        let commands = commands.iter().flat_map(|command| ["-ex", command]);
        let arguments = ["--from-reset"].into_iter().filter(|_| from_reset).chain(commands);
        let arguments = arguments.chain([program.as_str()]);
        let (ran, figures) = run_with_figures(&folder, arguments);
        (ran.status, ["instructions", "steps", "state_hash"].map(|key| figures[key].clone()))
    };
    let plain = figures(&[], false);
    assert_eq!(plain.0, 7);
    assert!(plain.1[0].as_u64().unwrap() > 100_000);
    for commands in [
        &["continue"][..],
        &["step 1000000000"],
        &["catch fault any", "continue", "continue", "explain", "next 5", "tlb", "delete", "continue"],
        &["break double", "until 99999999999", "delete", "regs", "walk", "step 500", "continue"],
    ] {
        assert_eq!(figures(commands, false), plain, "{commands:?}");
        assert_eq!(figures(commands, true), plain, "{commands:?} from reset");
    }
}
