//! `folio test` and `folio boot` on bare-metal programs: verdicts, exit statuses, console, signature, bad files.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/bare.rs"]
mod bare;
mod support;

use bare::{code, elf};
use std::fs;
use std::path::Path;
use support::{Ran, TempDir, folio, run};

/// `t0` = `tohost`.
const TOHOST: [&str; 2] = ["auipc t0, 1", "nop"];

/// Stores `value` to `tohost` and stays there.
fn reports(value: &str) -> Vec<u8> {
    elf(&[TOHOST[0], TOHOST[1], &format!("li a0, {value}"), "sd a0, 0(t0)", "j ."])
}

/// Stores `low | high << 16` to the test finisher.
fn finishes(low: &[&str], high: &str) -> Vec<u8> {
    let mut lines = vec!["lui t0, 0x100"];
    lines.extend(low);
    let shifted = format!("li t2, {high}");
    lines.extend([shifted.as_str(), "slli t2, t2, 16", "or t1, t1, t2", "sw t1, 0(t0)", "j ."]);
    elf(&lines)
}

const PASS: &[&str] = &["lui t1, 5", "addi t1, t1, 0x555"];
const FAIL: &[&str] = &["lui t1, 3", "addi t1, t1, 0x333"];

fn folio_on(command: &[&str], file: &Path) -> Ran {
    run(folio(command.iter().map(|&word| word.as_ref()).chain([file.as_os_str()])))
}

#[test]
fn verdicts_come_through_tohost() {
    let dir = TempDir::new("bare-verdicts");
    for (name, program) in [("a_pass", reports("1")), ("b_fail", reports("7")), ("c_hangs", elf(&["j ."]))] {
        fs::write(dir.path().join(name), program).unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "no ELF").unwrap();
    let one = folio_on(&["test"], &dir.path().join("a_pass"));
    assert_eq!(one.status, 0, "{one:?}");
    assert!(one.stdout.contains("1 passed, 0 failed"), "{one:?}");
    let json = dir.path().join("results.json");
    let all = folio_on(&["test", "--fuel", "10000", "--json", json.to_str().unwrap()], dir.path());
    assert_eq!(all.status, 1, "{all:?}");
    assert!(all.stdout.contains("case 3 failed") && all.stdout.contains("1 passed, 2 failed"), "{all:?}");
    let results: serde_json::Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let rows: Vec<_> =
        results["tests"].as_array().unwrap().iter().map(|t| (&t["passed"], &t["instructions"])).collect();
    assert_eq!(
        rows,
        [(&true.into(), &4.into()), (&false.into(), &4.into()), (&false.into(), &10_000.into())]
    );
}

#[test]
fn the_signature_is_written_however_the_run_stops() {
    let dir = TempDir::new("bare-signature");
    // 0x12345 and -1 at begin_signature; then an endless loop.
    let lines = [
        "auipc t0, 1",
        "lui t1, 0x12",
        "addi t1, t1, 0x345",
        "sw t1, 128(t0)",
        "li t1, -1",
        "sw t1, 132(t0)",
        "j .",
    ];
    let (program, signature) = (dir.path().join("program"), dir.path().join("signature"));
    fs::write(&program, elf(&lines)).unwrap();
    let ran = folio_on(&["test", "--fuel", "1000", "--signature", signature.to_str().unwrap()], &program);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(fs::read_to_string(signature).unwrap(), "00012345\nffffffff\n00000000\n00000000\n");
}

#[test]
fn the_ways_to_end_give_their_statuses() {
    let dir = TempDir::new("bare-endings");
    let file = dir.path().join("kernel");
    for (name, program, status) in [
        ("PASS", finishes(PASS, "0"), 0),
        ("FAIL 42", finishes(FAIL, "42"), 42),
        ("tohost 1", reports("1"), 0),
        ("tohost 7", reports("7"), 3),
        ("nothing can wake it", elf(&["wfi", "j .-4"]), 124),
        ("the fuel is spent", elf(&["j ."]), 124),
        ("a raw image", code(&["lui t0, 0x100", PASS[0], PASS[1], "sw t1, 0(t0)"]), 0),
    ] {
        fs::write(&file, program).unwrap();
        let ran = folio_on(&["boot", "--bios", "none", "--fuel", "100000", "--kernel"], &file);
        assert_eq!(ran.status, status, "{name}: {ran:?}");
        assert_eq!(ran.stdout, "", "{name}");
    }
}

#[test]
fn consoles_print_on_stdout() {
    let dir = TempDir::new("bare-consoles");
    let file = dir.path().join("kernel");
    let uart = ["lui t0, 0x10000", "li a0, 104", "sb a0, 0(t0)", "li a0, 105", "sb a0, 0(t0)"];
    let htif = [
        TOHOST[0],
        "li a0, 257",
        "slli a0, a0, 48",
        "addi a1, a0, 104",
        "sd a1, 0(t0)",
        "addi a1, a0, 105",
        "sd a1, 0(t0)",
    ];
    for lines in [&uart[..], &htif] {
        let pass = ["lui t0, 0x100", PASS[0], PASS[1], "sw t1, 0(t0)"];
        fs::write(&file, elf(&[lines, &pass].concat())).unwrap();
        let ran = folio_on(&["boot", "--bios", "none", "--kernel"], &file);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, "hi"), "{ran:?}");
    }
}

#[test]
fn under_the_built_in_sbi_a_kernel_starts_in_s_mode() {
    let dir = TempDir::new("bare-sbi");
    let file = dir.path().join("kernel");
    // Raw, at 0x8020_0000: legacy putchar of '0' + hart number, then shutdown. A write of an M-mode CSR would trap.
    let lines = ["csrr t0, sstatus", "addi a0, a0, 48", "li a7, 1", "ecall", "li a7, 8", "ecall"];
    fs::write(&file, code(&lines)).unwrap();
    let ran = folio_on(&["boot", "--kernel"], &file);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "0"), "{ran:?}");
}

#[test]
fn every_hart_starts_and_takes_its_turns() {
    let dir = TempDir::new("bare-harts");
    let file = dir.path().join("kernel");
    // Each hart adds its number to a word; the one that makes it 0 + 1 + 2 + 3 + 4 ends the run.
    let lines = [
        "auipc t0, 1",
        "addi t0, t0, 128",
        "amoadd.w t1, a0, (t0)",
        "add t1, t1, a0",
        "addi t1, t1, -10",
        "beqz t1, .+8",
        "j .",
        "lui t0, 0x100",
        PASS[0],
        PASS[1],
        "sw t1, 0(t0)",
    ];
    fs::write(&file, elf(&lines)).unwrap();
    let json = dir.path().join("figures.json");
    let options = ["boot", "--bios", "none", "--harts", "5", "--json", json.to_str().unwrap(), "--kernel"];
    let ran = folio_on(&options, &file);
    assert_eq!(ran.status, 0, "{ran:?}");
    let figures: serde_json::Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let harts = figures["harts"].as_array().unwrap();
    let sum: u64 = harts.iter().map(|hart| hart["instructions"].as_u64().unwrap()).sum();
    assert_eq!((harts.len(), sum), (5, figures["instructions"].as_u64().unwrap()));
    assert!(folio_on(&["test", "--harts", "5", "--fuel", "50000"], &file).stdout.contains("1 passed"));
    for harts in ["0", "65", "many"] {
        let refused = folio_on(&["boot", "--harts", harts, "--kernel"], &file);
        assert!(refused.status == 125 && refused.stderr.contains("--harts"), "{refused:?}");
    }
}

#[test]
fn firmware_is_started_in_machine_mode_and_finds_the_kernel() {
    let dir = TempDir::new("bare-firmware");
    let (firmware, kernel) = (dir.path().join("firmware"), dir.path().join("kernel"));
    // Like OpenSBI's fw_dynamic: next address and mode from the block in a2; open the PMP, then mret.
    let lines = [
        "ld t0, 16(a2)",
        "csrw mepc, t0",
        "ld t0, 24(a2)",
        "slli t0, t0, 11",
        "csrw mstatus, t0",
        "li t0, -1",
        "csrw pmpaddr0, t0",
        "li t0, 31",
        "csrw pmpcfg0, t0",
        "mret",
    ];
    fs::write(&firmware, code(&lines)).unwrap();
    fs::write(
        &kernel,
        code(&["lui t0, 0x100", FAIL[0], FAIL[1], "lui t2, 0x50", "or t1, t1, t2", "sw t1, 0(t0)"]),
    )
    .unwrap();
    let ran = folio_on(&["boot", "--bios", firmware.to_str().unwrap(), "--kernel"], &kernel);
    assert_eq!(ran.status, 5, "{ran:?}");
}

#[test]
fn bad_kernels_are_refused_with_one_message() {
    let dir = TempDir::new("bare-refused");
    let file = dir.path().join("kernel");
    let good = elf(&["j ."]);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    for (bytes, said) in [
        (vec![], "empty"),
        (good[..40].to_vec(), "ends within its headers"),
        (with(4, &[1]), "not for 64 bits"),
        (with(18, &[62]), "machine 62"),
        (with(16, &[1]), "link it"),
        (with(64 + 24, &[0; 8]), "not RAM"),
        (with(64 + 40, &[0xff; 8]), "wraps"),
        (with(64 + 40, &(1u64 << 40).to_le_bytes()), "more memory"),
    ] {
        fs::write(&file, bytes).unwrap();
        let ran = folio_on(&["boot", "--bios", "none", "--kernel"], &file);
        assert_eq!(ran.status, 125, "{said}: {ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains("kernel"), "{said}: {ran:?}");
        assert!(ran.stderr.lines().count() <= 4 && ran.stdout.is_empty(), "{ran:?}");
    }
}
