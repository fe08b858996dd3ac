//! `--check-translations`: fences that are missing on purpose, in programs of a few instructions, and none in kernels that make theirs.
//!
//! `tests/paging/stale.rs` compares what is told with a model, access by access; here it is told to a user.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/bare.rs"]
mod bare;
mod support;

use bare::{code, elf_of};
use std::fs;
use support::{Ran, TempDir, folio, run};

/// Sets up page tables, with a window at 0x4000_0000 on the frame at 0x8010_1000, and goes to S-mode. Then `s0` is the root, `s2` and `s3` are
/// the tables of level 1 and 0 for the window, `a7` is the window, `t2` its entry and `t3` the entry for the frame behind; `tp` is the hart.
const SETUP: [&str; 39] = [
    "auipc s0, 0x10",
    "lui s1, 1",
    "add s2, s0, s1",
    "add s3, s2, s1",
    // Devices and RAM, onto themselves.
    "addi t0, zero, 0xcf",
    "sd t0, 0(s0)",
    "lui t0, 0x20000",
    "addi t0, t0, 0xcf",
    "sd t0, 16(s0)",
    // The tables on the way to the window.
    "srli t1, s2, 12",
    "slli t1, t1, 10",
    "addi t1, t1, 1",
    "sd t1, 8(s0)",
    "srli t1, s3, 12",
    "slli t1, t1, 10",
    "addi t1, t1, 1",
    "sd t1, 0(s2)",
    "lui t2, 0x20040",
    "addi t2, t2, 0x4cf",
    "sd t2, 0(s3)",
    "addi t3, t2, 0x400",
    // Sv39, ASID 0; physical memory for all; S-mode behind this.
    "addi t4, zero, 8",
    "slli t4, t4, 60",
    "srli t5, s0, 12",
    "or t4, t4, t5",
    "csrrw zero, satp, t4",
    "addi t6, zero, -1",
    "csrrw zero, pmpaddr0, t6",
    "addi t6, zero, 0x1f",
    "csrrw zero, pmpcfg0, t6",
    "lui t6, 1",
    "addi t6, t6, -2048",
    "csrrs zero, mstatus, t6",
    "lui a7, 0x40000",
    "csrrs tp, mhartid, zero",
    "auipc t6, 0",
    "addi t6, t6, 16",
    "csrrw zero, mepc, t6",
    "mret",
];

/// Tells the test finisher that all is well.
const END: [&str; 5] = ["lui t0, 0x100", "lui t1, 5", "addi t1, t1, 0x555", "sw t1, 0(t0)", "j ."];

fn boot(dir: &TempDir, body: &[&str], options: &[&str]) -> Ran {
    let lines: Vec<&str> = SETUP.iter().chain(body).chain(&END).copied().collect();
    let kernel = dir.path().join("kernel");
    let symbols = [("setup", 0), ("body", 4 * SETUP.len() as u64)];
    fs::write(&kernel, elf_of(&code(&lines), 0x2000, &symbols)).unwrap();
    let mut command = folio(["boot", "--bios", "none", "--fuel", "100000"]);
    command.args(options).arg("--kernel").arg(&kernel);
    run(command)
}

/// What of it is told: nothing, or words of the sentences about one access.
fn check(title: &str, body: &[&str], told: &[&str]) {
    let dir = TempDir::new("translations");
    let plain = boot(&dir, body, &[]);
    assert!(plain.status == 0 && !plain.stderr.contains("stale"), "{title}: {plain:?}");
    let ran = boot(&dir, body, &["--check-translations"]);
    let is_found = !told.is_empty();
    let end = if is_found { "1 access went by a stale one" } else { "no access went by a stale one" };
    assert_eq!(ran.status, i32::from(is_found), "{title}: {ran:?}");
    for words in told.iter().chain(&[end]) {
        assert!(ran.stderr.contains(words), "{title}: `{words}` is missing in\n{}", ran.stderr);
    }
}

const LOAD: &str = "ld a0, 0(a7)";
const STORE: &str = "sd zero, 0(a7)";
/// The window's entry becomes `t3`.
const CHANGE: &str = "sd t3, 0(s3)";

#[test]
fn a_missing_fence_is_found() {
    let to_other_frame = [
        "hart 0 loaded from 0x40000000 (pc 0x800000a4 <body+0x8>, S-mode) by a stale entry of the TLB, of ASID 0",
        "frame 0x80101 (rwx-)",
        "a walk leads to frame 0x80102 now",
        "hart 0 has changed the entry at 0x80012000",
        "(pc 0x800000a0 <body+0x4>, S-mode) from 0x200404cf to 0x200408cf, and no sfence.vma for 0x40000000 followed on hart 0",
    ];
    check("no fence at all", &[LOAD, CHANGE, LOAD], &to_other_frame);
    check("told once", &[LOAD, CHANGE, LOAD, LOAD, STORE], &to_other_frame);
    check(
        "of another page",
        &[LOAD, CHANGE, "sfence.vma s3, zero", LOAD],
        &["<body+0xc>", "frame 0x80102 now"],
    );
    let other_space = [LOAD, CHANGE, "addi a1, zero, 5", "sfence.vma a7, a1", LOAD];
    check("of another address space", &other_space, &["<body+0x10>", "frame 0x80102 now"]);
    check(
        "before the store",
        &[LOAD, "sfence.vma", LOAD, CHANGE, LOAD],
        &["<body+0x10>", "frame 0x80102 now"],
    );
    let denied =
        ["stored to 0x40000000", "a walk leads to frame 0x80101 (r-x-) now, which does not allow it"];
    check("W is taken away", &[STORE, "addi t3, t2, -4", CHANGE, STORE], &denied);
    let unmapped = ["a walk ends at the entry of level 0 at 0x80012000 now: a page fault", "to 0x0,"];
    check("it is unmapped", &[LOAD, "sd zero, 0(s3)", LOAD], &unmapped);
    let above =
        ["a walk ends at the entry of level 1 at 0x80011000 now", "has changed the entry at 0x80011000"];
    check("so is the table", &[LOAD, "sd zero, 0(s2)", LOAD], &above);
    let half = ["a walk leads to frame 0x80102 now", "has changed the entry at 0x80012000"];
    check("by halves", &[LOAD, "sw t3, 0(s3)", LOAD], &half);
    check("by an atomic", &[LOAD, "amoswap.d a0, t3, (s3)", LOAD], &half);
}

#[test]
fn a_superpage_that_is_split_needs_a_fence() {
    // 2 MiB at 0x4020_0000, which then become a table whose second page leads elsewhere.
    let large = [
        "lui t0, 0x20080",
        "addi t0, t0, 0xcf",
        "sd t0, 8(s2)",
        "lui t5, 0x201",
        "add t5, t5, a7",
        "ld a0, 0(t5)",
        "lui t0, 3",
        "add t0, t0, s0",
        "sd t3, 8(t0)",
        "srli t1, t0, 12",
        "slli t1, t1, 10",
        "addi t1, t1, 1",
        "sd t1, 8(s2)",
    ];
    let told =
        ["loaded from 0x40201000", "frame 0x80201 (rwx-)", "frame 0x80102 now", "the entry at 0x80011008"];
    check("without", &[&large[..], &["ld a0, 0(t5)"]].concat(), &told);
    check(
        "with one of any page in it",
        &[&large[..], &["lui t4, 0x200", "add t4, t4, a7", "sfence.vma t4, zero", "ld a0, 0(t5)"]].concat(),
        &[],
    );
}

#[test]
fn an_address_space_with_another_root_needs_a_fence() {
    // A second root whose window is not mapped, under the same ASID, or another.
    let second = [
        "lui t0, 3",
        "add t0, t0, s0",
        "ld t1, 0(s0)",
        "sd t1, 0(t0)",
        "ld t1, 16(s0)",
        "sd t1, 16(t0)",
        "srli t5, t0, 12",
        "addi t4, zero, 8",
        "slli t4, t4, 60",
        "or t4, t4, t5",
    ];
    let switch = |more: &[&'static str]| [&second[..], &[LOAD], more, &["csrrw zero, satp, t4"]].concat();
    let told = [
        "a walk ends at the entry of level 2 at 0x80013008 now: a page fault",
        "hart 0 has given ASID 0 another root at step",
        "0x80013000 after 0x80010000, and no sfence.vma for that ASID followed",
    ];
    check("the same ASID", &[&switch(&[])[..], &[LOAD]].concat(), &told);
    // There, with a fence or by another ASID, the load would fault: the tables are looked at alone.
    check("with a fence", &[&switch(&[])[..], &["sfence.vma"]].concat(), &[]);
}

#[test]
fn code_that_is_no_longer_there_needs_a_fence() {
    // `ret` in the frame of the window.
    let body = [
        "lui t0, 0xf1",
        "add t0, t0, s0",
        "lui t1, 8",
        "addi t1, t1, 0x67",
        "sw t1, 0(t0)",
        "fence.i",
        "jalr ra, 0(a7)",
        "jalr ra, 0(a7)",
        "addi t3, t2, -8",
        CHANGE,
        "jalr ra, 0(a7)",
    ];
    check(
        "X is taken away",
        &body,
        &["fetched from 0x40000000 (pc 0x40000000, S-mode)", "(rw--) now, which does not allow it"],
    );
    let mut fenced = body.to_vec();
    fenced[9..].copy_from_slice(&["nop", "jalr ra, 0(a7)"]);
    check("nothing is", &fenced, &[]);
}

#[test]
fn what_is_legal_is_not_told() {
    check("a fence of all", &[LOAD, CHANGE, "sfence.vma", LOAD], &[]);
    check("of the page", &[LOAD, CHANGE, "sfence.vma a7, zero", LOAD], &[]);
    check("of the page in the space", &[LOAD, CHANGE, "sfence.vma a7, zero", LOAD], &[]);
    check("it is not used any more", &[LOAD, CHANGE], &[]);
    check("it was never there", &[CHANGE, LOAD], &[]);
    check("what is taken away is not needed", &[LOAD, "addi t3, t2, -4", CHANGE, LOAD], &[]);
    check("it is as before", &[LOAD, CHANGE, "sd t2, 0(s3)", LOAD], &[]);
    check("by software", &[LOAD, "addi t3, t2, 0x100", CHANGE, LOAD], &[]);
    let accessed = ["; 1 differed from the tables in A or D alone, which is legal"];
    let dir = TempDir::new("translations-legal");
    let ran = boot(&dir, &[LOAD, "addi t3, t2, -0x40", CHANGE, LOAD, LOAD], &["--check-translations"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains(accessed[0]), "{ran:?}");
}

/// Hart 1 uses the window, hart 0 changes it and makes a fence of its own, hart 1 uses it again; words behind the tables tell how far they are.
#[test]
fn another_hart_needs_a_fence_of_its_own() {
    let dir = TempDir::new("translations-harts");
    let body = |fence: &'static str| {
        [
            "lui s4, 8",
            "add s4, s4, s0",
            "bnez tp, .+40",
            // Hart 0: waits for the first use, changes the entry, and waits for the second.
            "ld t0, 0(s4)",
            "beqz t0, .-4",
            CHANGE,
            "sfence.vma",
            "addi t0, zero, 1",
            "sd t0, 8(s4)",
            "ld t0, 16(s4)",
            "beqz t0, .-4",
            "j .+44",
            // Hart 1.
            LOAD,
            "addi t0, zero, 1",
            "sd t0, 0(s4)",
            "ld t0, 8(s4)",
            "beqz t0, .-4",
            fence,
            LOAD,
            "addi t0, zero, 1",
            "sd t0, 16(s4)",
            "j .",
        ]
    };
    let told = boot(&dir, &body("nop"), &["--check-translations", "--harts", "2"]);
    assert_eq!(told.status, 1, "{told:?}");
    for words in
        ["hart 1 loaded from 0x40000000", "hart 0 has changed the entry at 0x80012000", "followed on hart 1"]
    {
        assert!(told.stderr.contains(words), "`{words}` is missing in\n{}", told.stderr);
    }
    let fine = boot(&dir, &body("sfence.vma"), &["--check-translations", "--harts", "2"]);
    assert!(fine.status == 0 && fine.stderr.contains("no access went by a stale one"), "{fine:?}");
}

/// Folio's own guest kernel makes its fences, and the run is the same to the last step.
#[test]
fn the_guest_kernel_makes_its_fences() {
    for program in [&["cowfork"][..], &["demand"], &["--frames", "60", "shared"]] {
        let figures = |more: &[&str]| {
            let mut command = folio(["run", "--json", "-"]);
            command.args(more).args(program);
            let ran = run(command);
            assert_eq!(ran.status, 0, "{program:?}: {ran:?}");
            ran
        };
        let (plain, checked) = (figures(&[]), figures(&["--check-translations"]));
        assert_eq!(plain.stdout, checked.stdout, "{program:?}");
        assert!(checked.stderr.contains("no access went by a stale one"), "{program:?}: {checked:?}");
    }
}
