//! `folio test` on suites: which files are tests, the table, JSON and JUnit, what is told of a failure, signatures.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/bare.rs"]
mod bare;
mod support;

use bare::{elf, elf_with};
#[cfg(unix)]
use nix::pty::{OpenptyResult, Winsize, openpty};
use quick_junit::{Report, TestCaseStatus};
use std::fs;
use std::path::Path;
use support::child::Running;
use support::{Ran, TempDir, folio, read_json, run};

/// `t0` = `tohost`, from the first instruction on.
const TOHOST: &str = "auipc t0, 1";
/// Stores `a0` to `tohost` and stays there.
const REPORT: [&str; 2] = ["sd a0, 0(t0)", "j ."];

fn passes() -> Vec<u8> {
    elf(&[TOHOST, "li a0, 1", REPORT[0], REPORT[1]])
}

/// Case 2 holds, case 3 branches to `fail`, which reports as riscv-tests do.
fn fails() -> Vec<u8> {
    let lines = [
        TOHOST,
        "li gp, 2",
        "li a4, 5",
        "bne a4, a4, .+20", // 0x0c
        "li gp, 3",
        "li a4, 6",
        "bne a4, gp, .+8", // 0x18
        "nop",
        "slli a0, gp, 1", // 0x20, fail
        "ori a0, a0, 1",
        REPORT[0],
        REPORT[1],
    ];
    elf_with(&lines, &[("test_2", 4), ("test_3", 0x10), ("fail", 0x20)])
}

/// Case 5 loads from nowhere; the handler reports as riscv-tests' does.
fn traps() -> Vec<u8> {
    let lines = [
        TOHOST,
        "addi t1, t0, 32",
        "lui t2, 1",
        "sub t1, t1, t2", // the handler
        "csrw mtvec, t1",
        "li gp, 5",
        "ld a4, 0(zero)", // 0x18
        "nop",
        "ori a0, gp, 1337", // 0x20
        REPORT[0],
        REPORT[1],
    ];
    elf_with(&lines, &[("_start", 0), ("test_5", 0x14), ("trap_vector", 0x20)])
}

/// Prints `hi` and a newline by HTIF, then reports `value`.
fn prints(value: &str) -> Vec<u8> {
    let value = format!("li a0, {value}");
    let mut lines = vec![TOHOST, "li a1, 257", "slli a1, a1, 48"];
    for print in [
        &["addi a2, a1, 104", "sd a2, 0(t0)"],
        &["addi a2, a1, 105", "sd a2, 0(t0)"],
        &["addi a2, a1, 10", "sd a2, 0(t0)"],
    ] {
        lines.extend(print);
    }
    lines.extend([value.as_str(), REPORT[0], REPORT[1]]);
    elf(&lines)
}

/// 0x12345 and -1 at `begin_signature`, then two words of zeros; a pass.
fn signs() -> Vec<u8> {
    elf(&[
        TOHOST,
        "lui t1, 0x12",
        "addi t1, t1, 0x345",
        "sw t1, 128(t0)",
        "li t1, -1",
        "sw t1, 132(t0)",
        "li a0, 1",
        REPORT[0],
        REPORT[1],
    ])
}

/// A folder as suites have it, with files that are no tests.
fn suite(name: &str) -> TempDir {
    let dir = TempDir::new(name);
    let mut other_machine = passes();
    other_machine[18..20].copy_from_slice(&[62, 0]);
    let mut for_32_bits = passes();
    for_32_bits[4] = 1;
    let mut object = passes();
    object[16] = 1;
    let uart = ["lui t1, 0x10000", "li a0, 104", "sb a0, 0(t1)"];
    let finisher = ["lui t1, 0x100", "lui t2, 5", "addi t2, t2, 0x555", "sw t2, 0(t1)", "j ."];
    fs::create_dir_all(dir.file("isa/more")).unwrap();
    for (file, bytes) in [
        ("isa/rv64ui-p-add", passes()),
        ("isa/rv64ui-p-sub", fails()),
        ("isa/rv64ui-p-sub.dump", b"text".to_vec()),
        ("isa/rv64mi-p-ld", traps()),
        ("isa/rv64ui-v-add", passes()),
        ("isa/more/hello.elf", elf(&[&uart[..], &finisher].concat())),
        ("isa/more/talks.elf", prints("7")),
        ("isa/more/hangs.elf", elf_with(&["nop", "j ."], &[("_start", 0)])),
        ("isa/more/for_x86.elf", other_machine),
        ("isa/rv32ui-p-add", for_32_bits),
        ("isa/more/add.o", object),
        ("isa/Makefile", Vec::new()),
    ] {
        fs::write(dir.file(file), bytes).unwrap();
    }
    dir
}

fn test(args: &[&str], paths: &[&Path]) -> Ran {
    let mut command = folio(["test"]);
    command.args(args).args(paths);
    run(command)
}

/// The text with each time replaced, as times differ.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let line = |line: &str| match line.trim_end().strip_suffix(" s").and_then(|rest| rest.rsplit_once(' ')) {
        Some((rest, time)) if is_time(time) => format!("{} T\n", rest.trim_end()),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

const TABLE: &str = "\
FAIL  hangs: no result after 50000 steps (--fuel) at 0x80000004 <_start+0x4>
FAIL  talks: case 3 failed at 0x8000002c
      printed: hi
FAIL  rv64mi-p-ld: case 5: load access fault, which no case expects at 0x80000018 <test_5+0x4>
      last trap: load access fault at 0x80000018 <test_5+0x4>, tval 0x0, from M-mode
FAIL  rv64ui-p-sub: case 3 failed at 0x80000018 <test_3+0x8>

suite     passed  failed     instructions       time
isa/more       1       2           50,018 T
rv64mi-p       0       1                8 T
rv64ui-p       1       1               13 T
rv64ui-v       1       0                3 T
total          3       4           50,042 T

3 passed, 4 failed
5 files skipped (2 no ELF, 1 for another machine, 1 for 32 bits, 1 not linked)
";

#[test]
fn a_folder_is_a_suite_whatever_the_number_of_threads() {
    let dir = suite("suite");
    for jobs in ["1", "2", "16"] {
        let ran = test(&["--fuel", "50000", "-j", jobs], &[&dir.file("isa")]);
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""), "{ran:?}");
        assert_eq!(timeless(&ran.stdout), TABLE, "-j {jobs}");
    }
}

#[test]
fn files_folders_and_patterns_are_taken_in_their_order() {
    let dir = suite("patterns");
    let names = |args: &[&str]| -> Vec<String> {
        let paths: Vec<_> = args.iter().map(|arg| dir.file(arg)).collect();
        let paths: Vec<&Path> = paths.iter().map(|path| path.as_path()).collect();
        let ran = test(&["-v", "--fuel", "1000"], &paths);
        let lines = ran.stdout.lines().filter(|line| line.starts_with("pass") || line.starts_with("FAIL"));
        lines.map(|line| line[6..].split([':', ' ']).next().unwrap().to_string()).collect()
    };
    assert_eq!(names(&["isa/rv64ui-*"]), ["rv64ui-p-add", "rv64ui-p-sub", "rv64ui-v-add"]);
    assert_eq!(names(&["isa/rv64??-p-[al]*"]), ["rv64mi-p-ld", "rv64ui-p-add"]);
    assert_eq!(names(&["isa/mor?"]), ["hangs", "hello", "talks"]);
    // A file that is named twice is run once.
    assert_eq!(
        names(&["isa/rv64ui-v-add", "isa/rv64ui-v-add", "isa/more/hello.elf"]),
        ["rv64ui-v-add", "hello"]
    );
    assert_eq!(
        names(&["isa/rv64mi-p-ld", "isa/rv64*i-p-*"]),
        ["rv64mi-p-ld", "rv64ui-p-add", "rv64ui-p-sub"]
    );
    for (path, word) in [("isa/none*", "no file"), ("isa/none", "No such file"), ("isa/Makefile", "no ELF")] {
        let ran = test(&[], &[&dir.file(path)]);
        assert_eq!((ran.status, ran.stdout.as_str()), (125, ""), "{ran:?}");
        assert!(ran.stderr.contains(word) && ran.stderr.contains(path), "{ran:?}");
    }
}

#[test]
fn a_suite_s_name_depends_on_the_tests_and_not_on_how_they_were_given() {
    let dir = suite("suite-names");
    fs::create_dir(dir.file("isa/other")).unwrap();
    fs::write(dir.file("isa/other/rv64ui-add"), passes()).unwrap();
    let suites = |args: &[&str]| -> Vec<String> {
        let mut command = folio(["test", "--fuel", "1000", "--json", "results.json"]);
        command.args(args).current_dir(dir.path());
        run(command);
        let results = read_json(&dir.file("results.json"));
        let suites = results["suites"].as_array().unwrap();
        suites.iter().map(|suite| suite["name"].as_str().unwrap().to_string()).collect()
    };
    let absolute = dir.file("isa/*/*l*");
    for args in [
        &["isa/more", "isa/other"][..],
        &["isa/*/*"],
        &["isa/more/hello.elf", "isa/more/talks.elf", "./isa/other/rv64ui-add"],
        &["isa/more/../more/*.elf", "isa/other"],
        &[absolute.to_str().unwrap(), "isa/other"],
    ] {
        assert_eq!(suites(args), ["isa/more", "isa/other"], "{args:?}");
    }
    assert_eq!(suites(&["isa"]), ["isa/more", "isa/other", "rv64mi-p", "rv64ui-p", "rv64ui-v"]);
    for args in ["isa/more", "isa/*/h*", "isa/more/hello.elf"] {
        assert_eq!(suites(&[args]), ["more"], "{args}");
    }
}

#[test]
fn what_cannot_be_read_stops_no_folder_and_a_full_disk_no_run() {
    let dir = suite("links");
    std::os::unix::fs::symlink("nowhere", dir.file("isa/dangling")).unwrap();
    std::os::unix::fs::symlink(".", dir.file("isa/circle")).unwrap();
    let ran = test(&["--fuel", "50000"], &[&dir.file("isa")]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stdout.ends_with("1 not linked, 2 that cannot be read)\n"), "{ran:?}");
    let mut command = support::folio(["test"]);
    command.arg(dir.file("isa/rv64ui-p-add"));
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    command.stderr(std::process::Stdio::piped());
    let output = Running::start(command).output();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{told}");
    assert!(told.contains("cannot write the results") && told.lines().count() == 1, "{told}");
}

#[test]
fn json_tells_everything() {
    let dir = suite("test-json");
    let json = dir.file("results.json");
    let args = ["--fuel", "50000", "--trace-tail", "2", "--json", json.to_str().unwrap()];
    assert_eq!(test(&args, &[&dir.file("isa")]).status, 1);
    let results = read_json(&json);
    assert_eq!((&results["version"], &results["exit"]), (&1.into(), &1.into()));
    assert_eq!((&results["total"]["passed"], &results["total"]["failed"]), (&3.into(), &4.into()));
    assert_eq!(results["skipped_files"], 5);
    let suites: Vec<_> =
        results["suites"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(suites, ["isa/more", "rv64mi-p", "rv64ui-p", "rv64ui-v"]);
    let tests = results["tests"].as_array().unwrap();
    let named = |name: &str| tests.iter().find(|test| test["name"] == name).unwrap();
    let failed = named("rv64ui-p-sub");
    assert_eq!((&failed["passed"], &failed["case"]), (&false.into(), &3.into()));
    assert_eq!((&failed["pc"], &failed["symbol"]), (&"0x80000018".into(), &"test_3+0x8".into()));
    assert_eq!(failed["reason"], "case 3 failed");
    assert_eq!(failed["tail"].as_array().unwrap().len(), 2);
    assert!(failed.get("trap").is_none() && failed.get("console").is_none());
    let trapped = named("rv64mi-p-ld");
    assert_eq!((&trapped["case"], &trapped["trap"]["cause"]), (&5.into(), &"load access fault".into()));
    assert_eq!((&trapped["trap"]["tval"], &trapped["trap"]["from"]), (&"0x0".into(), &"M".into()));
    assert_eq!(named("talks")["console"], "hi\n");
    let passed = named("rv64ui-p-add");
    assert_eq!((&passed["passed"], &passed["suite"]), (&true.into(), &"rv64ui-p".into()));
    assert_eq!((&passed["instructions"], &passed["steps"]), (&3.into(), &3.into()));
    assert!(passed["reason"].is_null() && passed["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(passed["file"], dir.file("isa/rv64ui-p-add").to_str().unwrap());
}

#[test]
fn junit_is_read_back() {
    let dir = suite("test-junit");
    let junit = dir.file("results.xml");
    assert_eq!(test(&["--fuel", "50000", "--junit", junit.to_str().unwrap()], &[&dir.file("isa")]).status, 1);
    let report = Report::deserialize_from_str(&fs::read_to_string(&junit).unwrap()).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (7, 4, 0));
    let suites: Vec<_> = report.test_suites.iter().map(|suite| (suite.name.as_str(), suite.tests)).collect();
    assert_eq!(suites, [("isa/more", 3), ("rv64mi-p", 1), ("rv64ui-p", 2), ("rv64ui-v", 1)]);
    let talks = report.test_suites[0].test_cases.iter().find(|case| case.name.as_str() == "talks").unwrap();
    assert!(matches!(&talks.status, TestCaseStatus::NonSuccess { message: Some(message), .. }
        if message.as_str() == "case 3 failed at 0x8000002c"));
    assert_eq!(talks.system_out.as_ref().unwrap().as_str().trim(), "hi");
}

#[test]
fn the_trace_s_tail_leads_to_the_failure() {
    let dir = suite("tail");
    let tail = |test_name: &str, lines: &str| {
        let ran = test(&["--fuel", "1000", "--trace-tail", lines], &[&dir.file(test_name)]);
        assert_eq!(ran.status, 1, "{ran:?}");
        let shown = ran.stdout.lines().filter_map(|line| line.strip_prefix("      0x"));
        shown.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(
        tail("isa/rv64ui-p-sub", "3"),
        [
            "80000010 <test_3> li gp,3 gp=0x3",
            "80000014 <test_3+0x4> li a4,6 a4=0x6",
            "80000018 <test_3+0x8> bne a4,gp,0x80000020"
        ]
    );
    assert_eq!(
        tail("isa/rv64mi-p-ld", "2"),
        ["80000014 <test_5> li gp,5 gp=0x5", "80000018 <test_5+0x4> exception: load access fault, tval 0x0"]
    );
    assert_eq!(tail("isa/more/hangs.elf", "1"), ["80000004 <_start+0x4> j 0x80000004"]);
    assert_eq!(tail("isa/more/hangs.elf", "0"), [""; 0]);
}

#[test]
fn user_code_that_runs_below_its_linked_address_is_named() {
    // As in riscv-tests' virtual-memory environment: linked at the first byte of RAM, run in U-mode from address 0 on.
    let lines = [
        "auipc t0, 1",
        "lui t1, 2",
        "add t1, t0, t1", // the page table: a leaf of 1 GiB
        "lui t2, 0x20000",
        "addi t2, t2, 0xdf",
        "sd t2, 0(t1)",
        "srli t1, t1, 12",
        "li t2, 8",
        "slli t2, t2, 60",
        "or t1, t1, t2",
        "csrw satp, t1",
        "li t1, -1",
        "csrw pmpaddr0, t1",
        "li t1, 31",
        "csrw pmpcfg0, t1",
        "auipc t1, 0", // 0x3c
        "addi t1, t1, 0x28",
        "csrw mtvec, t1",
        "li t1, 0x54",
        "csrw mepc, t1",
        "mret",
        "li gp, 3", // 0x54, in U-mode
        "bne gp, zero, .+8",
        "nop",
        "ecall",          // 0x60, fail
        "slli a0, gp, 1", // 0x64, the handler
        "ori a0, a0, 1",
        REPORT[0],
        REPORT[1],
    ];
    let dir = TempDir::new("virtual");
    let file = dir.file("rv64ui-v-fails");
    fs::write(&file, elf_with(&lines, &[("_start", 0), ("test_3", 0x54), ("fail", 0x60)])).unwrap();
    let ran = test(&[], &[&file]);
    assert!(ran.stdout.starts_with("FAIL  rv64ui-v-fails: case 3 failed at 0x58 <test_3+0x4>\n"), "{ran:?}");
    assert!(ran.stdout.contains("\nrv64ui-v "), "{ran:?}");
}

#[test]
fn a_trap_without_a_handler_is_told_however_long_it_went_on() {
    let dir = TempDir::new("no-handler");
    let file = dir.file("traps");
    fs::write(&file, elf_with(&["nop", "li t0, 64", "ld a0, 0(t0)"], &[("_start", 0)])).unwrap();
    let ran = test(&["--trace-tail", "2"], &[&file]);
    // Address 0 is not the program's first, as in user code of the virtual-memory environment.
    let why = "FAIL  traps: the hart traps for ever, as its trap handler cannot be fetched at 0x0\n";
    assert!(ran.stdout.starts_with(why), "{ran:?}");
    let trap = "last trap: load access fault at 0x80000008 <_start+0x8>, tval 0x40, from M-mode";
    assert!(ran.stdout.contains(trap), "{ran:?}");
    assert!(ran.stdout.contains("0x80000004 <_start+0x4>  li t0,64"), "{ran:?}");
    // Where harts take turns the others go on.
    let ran = test(&["--harts", "2", "--fuel", "3500000", "--trace-tail", "2"], &[&file]);
    assert!(ran.stdout.starts_with("FAIL  traps: no result after 3500000 steps (--fuel)"), "{ran:?}");
    assert!(ran.stdout.contains(trap), "{ran:?}");
}

#[test]
fn one_test_has_the_streams_to_itself() {
    let dir = suite("live");
    let ran = test(&[], &[&dir.file("isa/more/talks.elf")]);
    assert!(ran.stdout.starts_with("hi\nFAIL  talks: case 3 failed"), "{ran:?}");
    assert!(!ran.stdout.contains("printed"), "{ran:?}");
    // Among others it is quiet when it passes.
    fs::write(dir.file("isa/more/talks.elf"), prints("1")).unwrap();
    let ran = test(&["--fuel", "1000"], &[&dir.file("isa/more")]);
    assert!(!ran.stdout.contains("hi\n"), "{ran:?}");
}

#[test]
fn signatures_are_written_and_compared() {
    let dir = TempDir::new("signatures");
    fs::create_dir_all(dir.file("tests/a")).unwrap();
    fs::create_dir_all(dir.file("tests/b")).unwrap();
    for name in ["a/same.elf", "b/same.elf", "b/own.elf"] {
        fs::write(dir.file("tests").join(name), signs()).unwrap();
    }
    let (tests, out) = (dir.file("tests"), dir.file("out"));
    let ran = test(&["--signature-dir", out.to_str().unwrap(), "--signature-granularity", "8"], &[&tests]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let words = "ffffffff00012345\n0000000000000000\n";
    assert_eq!(fs::read_to_string(out.join("own.signature")).unwrap(), words);
    let mut stripped = elf(&["lui t1, 0x100", "lui t2, 5", "addi t2, t2, 0x555", "sw t2, 0(t1)", "j ."]);
    stripped[40..48].fill(0); // no sections, so no symbols
    stripped[60..62].fill(0);
    fs::write(dir.file("plain"), stripped).unwrap();
    let ran = test(&["--signature-dir", out.to_str().unwrap()], &[&dir.file("plain")]);
    assert!(ran.stdout.ends_with("so no signature written: 1\n"), "{ran:?}");
    // Tests of one name keep their folders.
    for folder in ["a", "b"] {
        let below = dir.file("tests").join(folder).join("same.signature");
        let below = below.strip_prefix("/").unwrap_or(&below);
        assert_eq!(fs::read_to_string(out.join(below)).unwrap(), words);
    }
    let compare = |expected: Option<&str>| {
        let references = dir.file("references");
        let _ = fs::remove_dir_all(&references);
        fs::create_dir(&references).unwrap();
        if let Some(text) = expected {
            fs::write(references.join("own.reference_output"), text).unwrap();
        }
        test(&["--compare-signatures", references.to_str().unwrap()], &[&tests.join("b/own.elf")])
    };
    for same in
        [words, "00012345\nffffffff\n00000000\n00000000\n", "00012345\r\nFFFFFFFF\n00000000\n00000000\n\n"]
    {
        assert_eq!(compare(Some(same)).status, 0, "{same}");
    }
    // A signature that takes its reference's place is compared with what was there.
    let (references, own) = (dir.file("references"), dir.file("references/own.signature"));
    fs::write(&own, "other\n").unwrap();
    let args = ["--compare-signatures", references.to_str().unwrap(), "--signature", own.to_str().unwrap()];
    assert_eq!(test(&args, &[&tests.join("b/own.elf")]).status, 1);
    let args = [
        "--compare-signatures",
        references.to_str().unwrap(),
        "--signature-dir",
        references.to_str().unwrap(),
    ];
    let ran = test(&args, &[&tests]);
    assert!(ran.status == 125 && ran.stderr.contains("references would be lost"), "{ran:?}");
    for (other, said) in [
        (
            Some("00012345\nffffffff\n00000001\n00000000\n"),
            "line 3 (0x80001088): it is 00000000, the reference has 00000001",
        ),
        (Some("00012345\nffffffff\n"), "4 lines, the reference 2"),
        (Some(""), "the reference is empty"),
        (None, "no reference signature"),
    ] {
        let ran = compare(other);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.stdout.contains(said), "{said}: {ran:?}");
    }
}

#[test]
fn extensions_that_are_off_are_illegal() {
    let dir = TempDir::new("test-isa");
    let file = dir.file("multiplies");
    fs::write(&file, elf(&[TOHOST, "mul a0, zero, zero", "li a0, 1", REPORT[0], REPORT[1]])).unwrap();
    assert_eq!(test(&[], &[&file]).status, 0);
    let ran = test(&["--isa", "rv64iac", "--fuel", "1000"], &[&file]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stdout.contains("last trap: illegal instruction at 0x80000004"), "{ran:?}");
}

#[test]
fn the_commit_log_of_one_test_is_written() {
    let dir = suite("test-commits");
    let log = dir.file("commits");
    let args = ["--log-commits", log.to_str().unwrap()];
    assert_eq!(test(&args, &[&dir.file("isa/rv64ui-p-add")]).status, 0);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 3);
    let ran = test(&args, &[&dir.file("isa")]);
    assert_eq!(ran.status, 125, "{ran:?}");
}

/// What `folio test` draws on a terminal of 30 columns while it runs, frame by frame.
#[cfg(unix)]
fn frames(dir: &TempDir) -> Vec<String> {
    use std::io::Read;
    let size = Winsize { ws_row: 24, ws_col: 30, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
    let mut command = folio(["test", "-j", "1", "--fuel", "1000"]);
    command.arg(dir.file("isa")).env("TERM", "xterm").stderr(slave).stdout(std::process::Stdio::null());
    let mut running = Running::start(command);
    let (mut screen, mut buffer) = (Vec::new(), [0; 4096]);
    let mut terminal = fs::File::from(master);
    // Once nobody has the other end any more, reading fails.
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        screen.extend(&buffer[..count]);
    }
    running.wait();
    let text = String::from_utf8(screen).unwrap();
    // What follows a control sequence's start and its digits is one letter.
    let is_parameter = |c: char| c.is_ascii_digit() || c == ';';
    let after = |part: &str| part.trim_start_matches(is_parameter).get(1..).unwrap_or("").to_string();
    let plain = |frame: &str| {
        let mut parts = frame.split("\x1b[");
        let first = parts.next().unwrap_or("").to_string();
        parts.fold(first, |text, part| text + &after(part))
    };
    text.split(['\r', '\n']).map(plain).filter(|frame| !frame.is_empty()).collect()
}

#[test]
#[cfg(unix)]
fn the_bar_fits_the_terminal_and_counts_failures_with_their_tests() {
    let dir = TempDir::new("bar");
    fs::create_dir(dir.file("isa")).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(dir.file("isa").join(name), elf(&["j ."])).unwrap();
    }
    let frames = frames(&dir);
    assert!(frames.iter().any(|frame| frame.ends_with("/3, 1 failed")), "{frames:?}");
    for frame in &frames {
        assert!(frame.chars().count() <= 30, "{frame:?}");
        assert!(!frame.contains(" 0/3, "), "{frame:?}");
    }
}
