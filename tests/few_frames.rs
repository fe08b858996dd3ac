//! Programs with few frames: each demo and each command of tests/guest_programs writes what it writes with plenty, and ends as it does then, in a quarter
//! and in a tenth of the frames that it has at its peak, under several policies, with A and D bits set by the hart and by the kernel, and under QEMU.
//!
//! What they write with plenty is compared with Linux elsewhere. The kernel counts frames and slots at the end of each run, and fails if one is missing.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[allow(dead_code)] // only the list is used
#[path = "guest_programs/linux.rs"]
mod linux;
mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Ran, TempDir, child, count, folio, missing, read_json, root, run, run_folio, run_within};

const POLICIES: [&str; 3] = ["clock", "enhanced-clock", "random"];
/// Who sets A and D: the hart, which has Svadu by default, or the kernel.
const HARTS: [&[&str]; 2] = [&[], &["--isa", "rva22s64"]];
/// The parts of the frames at the peak.
const PARTS: [u64; 2] = [4, 10];
/// Frames that a program needs besides page tables, which stay in memory, as the vDSO does: for one instruction, what it names, and what a call
/// copies.
const FEWEST: u64 = 12;
/// Longest time of a run: a pipeline in a tenth of its frames reads a page from disk every few hundred instructions.
const TIME_LIMIT: Duration = Duration::from_secs(3600);

/// What is run.
struct Case {
    name: String,
    args: Vec<String>,
    stdin: String,
}

/// The demos, with what lets them end soon.
fn demos() -> Vec<Case> {
    let commands = [
        "cowfork 64 3",
        "demand 30 77",
        "hello",
        "larger 64K",
        "larger random 256K 1 4",
        "lazymalloc",
        "locality 40 5",
        "scan 5 40",
        "segfault",
        "shared 30 2",
        "sharedpage",
        "sharedtext",
        "stackgrow 100",
        "thrash 30 7 3",
        "zerofill 100",
    ];
    let case = |command: &str| Case {
        name: command.to_string(),
        args: command.split(' ').map(String::from).collect(),
        stdin: String::new(),
    };
    commands.map(case).into()
}

/// The image with Debian's programs; none, and a note, if the user asked to do without.
fn debian() -> Option<PathBuf> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::not_run("FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let image = root().join("target/test-inputs/debian.ext4");
    assert!(image.is_file(), "{} is not there: run `make setup-test`", image.display());
    Some(image)
}

/// The commands of tests/guest_programs for which `is_wanted` holds.
fn commands(is_wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let Some(image) = debian() else { return Vec::new() };
    let case = |command: linux::Command| {
        let mut args: Vec<String> = ["--root", image.to_str().unwrap()].map(String::from).into();
        args.extend(["--env", "PATH=/bin:/sbin", "--env", "HOME=/root", "--"].map(String::from));
        args.extend(command.argv);
        Case { name: command.name, args, stdin: command.stdin }
    };
    linux::Command::all().into_iter().filter(|command| is_wanted(&command.name)).map(case).collect()
}

impl Case {
    fn run(&self, more: &[&str]) -> Ran {
        let mut command = folio(["run"]);
        command.args(more).args(&self.args);
        run_within(TIME_LIMIT, command, self.stdin.as_bytes())
    }

    /// The run with plenty, the frames at its peak, and how many page tables there were at most.
    fn with_plenty(&self, dir: &TempDir) -> (Ran, u64, u64) {
        let (figures, trace) = (dir.file("figures"), dir.file("trace"));
        let ran = self.run(&["--json", figures.to_str().unwrap(), "--trace", trace.to_str().unwrap()]);
        (ran, count(&read_json(&figures), "frames.peak"), most_page_tables(&trace))
    }

    /// What differs in `part` of the frames.
    fn complaint(
        &self,
        (plenty, peak, tables): &(Ran, u64, u64),
        part: u64,
        more: &[&str],
    ) -> Option<String> {
        let frames = (peak / part).max(tables + FEWEST);
        let frames = frames.to_string();
        let ran = self.run(&[&["--frames", &frames], more].concat());
        println!("{}: {peak} frames at its peak, {tables} page tables, has {frames}, {more:?}", self.name);
        let is_same = (&ran.stdout, ran.status) == (&plenty.stdout, plenty.status);
        (!is_same)
            .then(|| format!("{}, {frames} frames, {more:?}: {ran:?}\nwith plenty: {plenty:?}", self.name))
    }
}

/// The most frames that were page tables at once.
fn most_page_tables(trace: &Path) -> u64 {
    let (mut tables, mut most) = (BTreeSet::new(), 0);
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let Some(frame) = event["frame"].as_u64() else { continue };
        match event["kind"].as_str() {
            Some("frame_take") if event["use"] == isa::frame_table::KIND_PAGE_TABLE => tables.insert(frame),
            Some("frame_free") => tables.remove(&frame),
            _ => false,
        };
        most = most.max(tables.len());
    }
    most as u64
}

/// Runs all cases in both parts; `settings` says under which policies and by whose bits.
fn check(cases: &[Case], settings: impl Fn(usize, u64) -> Vec<Vec<&'static str>>) {
    let dir = TempDir::new("few-frames");
    let mut complaints = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let plenty = case.with_plenty(&dir);
        for part in PARTS {
            let settings = settings(number, part);
            complaints.extend(settings.iter().filter_map(|more| case.complaint(&plenty, part, more)));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn setting(policy: usize, hart: usize) -> Vec<&'static str> {
    let mut setting = vec!["--policy", POLICIES[policy % POLICIES.len()]];
    setting.extend(HARTS[hart % HARTS.len()]);
    setting
}

#[test]
fn demos_end_as_with_plenty() {
    // Half of the six in a quarter, the others in a tenth.
    check(&demos(), |number, part| {
        (0..POLICIES.len()).map(|policy| setting(policy, policy + number + usize::from(part == 4))).collect()
    });
}

#[test]
fn real_programs_end_as_with_plenty() {
    const SOME: [&str; 7] = [
        "bash-trap",
        "busybox-cat-stdin",
        "cowfork-c",
        "hello-rust",
        "sh-background",
        "sh-redirect",
        "sh-segv",
    ];
    check(&commands(|name| SOME.contains(&name)), |number, part| {
        vec![setting(number + usize::from(part == 4), number / POLICIES.len() + usize::from(part == 10))]
    });
}

/// Two processes want the same page, one by a call that waits for a frame, the other by a fault.
#[test]
fn a_page_comes_to_memory_while_its_reader_waits_for_a_frame() {
    check(
        &commands(|name| name == "sh-gzip"),
        |_, part| if part == 4 { vec![setting(1, 0)] } else { vec![] },
    );
}

#[test]
#[ignore = "a piece of make campaign"]
fn every_program_ends_as_with_plenty() {
    let seed: usize = std::env::var("FOLIO_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut cases = demos();
    cases.extend(commands(|_| true));
    check(&cases, |_, _| vec![setting(seed / HARTS.len(), seed)]);
}

/// However few frames there are, each run ends: well, or with a call that was refused or a process that was killed, and a line that says so.
fn ends(args: &[&str]) -> i32 {
    let ran = run_folio(["run"].iter().chain(args));
    let is_told = ["out of frames", "ENOMEM", "not enough memory", "Cannot allocate memory"];
    let is_told = |words: &str| is_told.iter().any(|told| words.contains(told));
    assert!([0, 1, 2, 125, 126, 137].contains(&ran.status), "{args:?}: {ran:?}");
    assert!(ran.status == 0 || is_told(&ran.stderr) || is_told(&ran.stdout), "{args:?}: {ran:?}");
    assert!(!ran.stderr.contains("panic"), "{args:?}: {ran:?}");
    ran.status
}

#[test]
fn no_number_of_frames_is_too_few_to_end() {
    let mut statuses = BTreeSet::new();
    for frames in (1..40).map(|frames| frames.to_string()) {
        for swap in ["0", "64M"] {
            for program in [&["cowfork", "20", "3"][..], &["larger", "random", "64K", "1", "3"]] {
                statuses.insert(ends(&[&["--swap", swap, "--frames", &frames][..], program].concat()));
            }
        }
    }
    assert!(statuses.contains(&0) && statuses.contains(&137), "{statuses:?}");
    let one = run_folio(["run", "--process-frames", "1", "hello"]);
    assert!(
        one.status == 137 && one.stderr.contains("(--process-frames or RLIMIT_RSS gives more)"),
        "{one:?}"
    );
}

/// What `fork` in libc leaves to the kernel at a child's end is a store to a page that parent and child share.
#[test]
fn who_dies_for_want_of_frames_needs_none_to_die() {
    let Some(image) = debian() else { return };
    for frames in (10..24).map(|frames| frames.to_string()) {
        let root = ["--frames", &frames, "--root", image.to_str().unwrap(), "--env", "PATH=/bin:/sbin"];
        ends(&[&root[..], &["--", "/bin/sh", "-c", "(echo b); echo c | cat"]].concat());
    }
}

/// Under QEMU it is the process that has few frames, as `folio.process_frames` says, since QEMU knows nothing of frames.
#[test]
fn demos_end_as_with_plenty_under_qemu() {
    let dir = TempDir::new("few-frames-qemu");
    let (kernel, swap) = (dir.file("kernel"), dir.file("swap"));
    assert_eq!(run_folio(["kernel".as_ref(), "-o".as_ref(), kernel.as_os_str()]).status, 0);
    std::fs::File::create(&swap).unwrap().set_len(16 << 20).unwrap();
    let mut mkswap = child::command("mkswap");
    mkswap.arg(&swap);
    assert_eq!(run(mkswap).status, 0);
    for (number, command) in
        ["larger 64K", "larger random 256K 1 4", "locality 40 5", "shared 30 2", "cowfork 64 3"]
            .iter()
            .enumerate()
    {
        let words: Vec<&str> = command.split(' ').collect();
        let plenty = run_folio(["run"].iter().chain(&words));
        let image = dir.file("root");
        let ran = run_folio(["image".as_ref(), "-o".as_ref(), image.as_os_str(), words[0].as_ref()]);
        assert_eq!(ran.status, 0, "{ran:?}");
        let mut qemu = child::command("qemu-system-riscv64");
        qemu.stdin(std::process::Stdio::null());
        qemu.args(["-M", "virt", "-m", "32M", "-nographic", "-no-reboot", "-append"]).arg(format!(
            "folio.process_frames=20 folio.policy={} init=/bin/{} -- {}",
            POLICIES[number % POLICIES.len()],
            words[0],
            words[1..].join(" ")
        ));
        qemu.arg("-kernel").arg(&kernel);
        for (id, file) in [("root", &image), ("swap", &swap)] {
            qemu.arg("-drive").arg(format!("file={},format=raw,if=none,id={id},snapshot=on", file.display()));
            qemu.arg("-device").arg(format!("virtio-blk-device,drive={id}"));
        }
        let ran = run(qemu);
        let lines: Vec<&str> = ran.stdout.lines().map(|line| line.trim_end_matches('\r')).collect();
        let expected: Vec<&str> = plenty.stdout.lines().collect();
        assert_eq!(ran.status, plenty.status, "{command}: {ran:?}");
        // Between them are the kernel's log and what the program writes to standard error.
        let mut rest = lines.iter();
        assert!(expected.iter().all(|line| rest.any(|other| other == line)), "{command}: {plenty:?} {ran:?}");
    }
}
