//! Disks that fail under programs larger than their memory (`--disk-fault`): each read and each write in turn is refused, done by half, or not
//! done though the disk says so. The process whose page it was gets SIGBUS, or its call EIO; the kernel lives and finds all its
//! frames and slots at the end; nobody reads a wrong byte.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use std::collections::BTreeMap;
use support::{Ran, TempDir, count, folio, missing, root, run, run_with_figures};

const SIGBUS: i32 = 7;

/// A program, and so few frames that its pages go to swap space.
struct Program {
    frames: &'static str,
    /// After `--root` and the image, if `/` begins it.
    command: Vec<&'static str>,
}

fn programs() -> Vec<Program> {
    let program = |frames, words: &'static str| Program { frames, command: words.split(' ').collect() };
    let mut programs = vec![
        program("40", "larger 60K"),
        program("40", "cowfork 64 3"),
        program("60", "shared 40 2"),
        program("30", "locality 60 7"),
        program("36", "zerofill 60"),
        program("40", "stackgrow 60"),
        program("24", "demand 30 77"),
        program("60", "larger random 256K 1 4"),
        program("44", "scan 3 40"),
    ];
    let script = vec!["/bin/sh", "-c", "seq 30 | grep 7 | sort -r"];
    programs.push(Program { frames: "60", command: script });
    programs
}

impl Program {
    fn args(&self) -> Vec<String> {
        let mut args: Vec<String> = ["--frames", self.frames].map(String::from).into();
        if self.command[0].starts_with('/') {
            let image = root().join("target/test-inputs/debian.ext4");
            args.extend(["--root", image.to_str().unwrap(), "--env", "PATH=/bin:/sbin"].map(String::from));
        }
        args.push("--".to_string());
        args.extend(self.command.iter().map(|word| word.to_string()));
        args
    }

    fn with_fault(&self, fault: &str, more: &[&str]) -> Ran {
        let mut command = folio(["run", "--disk-fault", fault]);
        command.args(more).args(self.args()).env("RUST_LOG", "virtio=info");
        run(command)
    }

    /// Whether the programs that it needs are there; else a note is made.
    fn can_run(&self) -> bool {
        let can_run = !self.command[0].starts_with('/') || std::env::var_os("FOLIO_SKIP_DEBIAN").is_none();
        if !can_run {
            missing::part_not_run(self.command[0], "FOLIO_SKIP_DEBIAN is set");
        }
        can_run
    }

    /// Every `step`-th request of each kind fails in turn. How many runs ended with which status, by kind of fault.
    fn fail_in_turn(&self, step: usize) -> BTreeMap<(&'static str, i32), usize> {
        let (well, figures) = run_with_figures(&TempDir::new("failing-disks"), self.args());
        let (reads, writes) = (count(&figures, "swap_disk.reads"), count(&figures, "swap_disk.writes"));
        assert!(reads + writes + count(&figures, "disk.reads") > 10, "{:?}: {figures}", self.command);
        let mut ended = BTreeMap::new();
        for (kind, requests) in [
            ("root:read", count(&figures, "disk.reads")),
            ("swap:read", reads),
            ("swap:write", writes),
            ("swap:torn", writes),
            ("swap:lost", writes),
        ] {
            // The first read of the swap disk is of its header: without that there is no swap space.
            let first = if kind == "swap:read" { 2 } else { 1 };
            for request in (first..=requests).step_by(step) {
                let fault = format!("{kind}:{request}");
                let ran = self.with_fault(&fault, &[]);
                self.judge(&well, kind, &fault, &ran);
                *ended.entry((kind, ran.status)).or_default() += 1;
            }
        }
        ended
    }

    fn judge(&self, well: &Ran, kind: &str, fault: &str, ran: &Ran) {
        let about = || format!("{:?}, {fault}: {ran:?}\nwithout: {well:?}", self.command);
        assert!(ran.stderr.contains(" fault"), "no request was hit: {}", about());
        assert!(!ran.stderr.contains("the guest kernel failed"), "{}", about());
        assert!(!ran.stderr.contains("out of frames"), "nobody is killed for want of memory: {}", about());
        if kind == "swap:write" {
            // The page stays in memory, and its slot is not used again.
            assert_eq!((ran.status, &ran.stdout), (well.status, &well.stdout), "{}", about());
        } else if (ran.status, &ran.stdout) != (well.status, &well.stdout) {
            assert!(is_part_of(&ran.stdout, &well.stdout), "{}", about());
            // Whether it is the first process or a child of it; a shell has words of its own. A call that was to copy to the page says EFAULT, as Linux's.
            let words = ["SIGBUS", "EIO", "EFAULT", "Input/output error", "I/O error", "Bus error"];
            let says = |words: &[&str], ran: &Ran| {
                words.iter().any(|word| ran.stderr.contains(word) || ran.stdout.contains(word))
            };
            // Some programs keep to themselves that a call has failed (to busybox's grep that is the end of its input): then its trace must tell.
            let calls = ["--- SIGBUS ", " = -1 EFAULT ", " = -1 EIO "];
            assert!(says(&words, ran) || says(&calls, &self.with_fault(fault, &["--strace"])), "{}", about());
        }
    }
}

/// Whether each line of `part` is one of `whole`, in this order: a process that has died has not written its lines. Its parent may say that it has died.
fn is_part_of(part: &str, whole: &str) -> bool {
    let of_a_death =
        |line: &str| ["has not ended well", "ended with"].iter().any(|words| line.contains(words));
    let mut lines = whole.lines();
    part.lines().all(|line| of_a_death(line) || lines.any(|other| other == line))
}

#[test]
fn a_page_that_cannot_be_had_back_is_sigbus_for_those_whose_it_is() {
    for program in programs().iter().take(2) {
        let ended = program.fail_in_turn(9);
        println!("{:?}: {ended:?}", program.command);
        assert!(
            ended.keys().any(|&(kind, status)| (kind, status) == ("swap:read", 128 + SIGBUS)),
            "{ended:?}"
        );
        assert!(ended.keys().all(|&(kind, status)| kind != "swap:write" || status == 0), "{ended:?}");
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn each_request_of_ten_programs_fails_in_turn() {
    let number: usize = std::env::var("FOLIO_PROGRAM").map_or(0, |number| number.parse().unwrap());
    let programs = programs();
    let program = &programs[number % programs.len()];
    if program.can_run() {
        println!("{:?}: {:?}", program.command, program.fail_in_turn(1));
    }
}
