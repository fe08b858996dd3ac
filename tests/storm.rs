//! Memory used in every way by many processes at once, in few frames: all of them end, and none finds a wrong byte. Nothing that the kernel waits for
//! waits for the kernel.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use support::{TempDir, folio, run};

/// Of all six policies.
const POLICIES: [&str; 6] = ["fifo", "second-chance", "clock", "enhanced-clock", "aging", "random"];

fn storm() -> TempDir {
    let dir = TempDir::new("storm");
    c_program::compile(&dir, "storm", include_str!("sources/storm.c"));
    dir
}

/// What the first process has counted: who has ended well, who was killed, who has found a wrong byte.
fn counts(stdout: &str) -> Option<[u64; 3]> {
    let words = stdout.trim_end().split(", ").zip(["well", "killed", "wrong"]);
    let counts: Vec<u64> =
        words.filter_map(|(part, word)| part.strip_suffix(word)?.trim().parse().ok()).collect();
    counts.try_into().ok()
}

/// One run. Only for want of memory, which is told, is a process killed.
fn check(dir: &TempDir, options: &[&str], words: [u64; 4]) -> [u64; 3] {
    let mut command = folio(["run"]);
    command.args(options).arg(dir.file("storm")).args(words.map(|word| word.to_string()));
    let ran = run(command);
    let [well, killed, wrong] =
        counts(&ran.stdout).unwrap_or_else(|| panic!("{options:?} {words:?}: {ran:?}"));
    assert_eq!((ran.status, wrong), (0, 0), "{options:?} {words:?}: {ran:?}");
    // Where frames are out `fork` fails.
    assert!(well + killed <= words[1], "{options:?} {words:?}: {ran:?}");
    let told = ran.stderr.matches("is killed").count() as u64;
    assert!(killed <= told, "{options:?} {words:?}: {ran:?}");
    [well, killed, wrong]
}

#[test]
fn all_that_use_memory_at_once_come_to_their_ends() {
    let dir = storm();
    for (policy, frames) in POLICIES.into_iter().zip(["100", "105", "110", "115", "120", "130"]) {
        // Page tables leave each process a few frames.
        let counts = check(&dir, &["--policy", policy, "--frames", frames], [1, 8, 150, 20]);
        assert_eq!(counts, [8, 0, 0], "{policy}");
    }
    // Without a place to go to.
    check(&dir, &["--frames", "110", "--swap", "0"], [2, 8, 150, 20]);
}

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values[usize::try_from(self.0 >> 33).unwrap() % values.len()]
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn all_come_to_their_ends_in_any_setting() {
    let seed: u64 = std::env::var("FOLIO_SEED").map_or(0, |seed| seed.parse().unwrap());
    let dir = storm();
    for number in 0..40 {
        let mut draw = Draw(seed * 1000 + number);
        let processes = draw.one_of(&[2, 4, 8, 12]);
        let frames = draw.one_of(&[60, 80]) + processes * draw.one_of(&[6, 8, 10, 14]);
        let frames = frames.to_string();
        let mut options = vec!["--policy", draw.one_of(&POLICIES), "--frames", &frames];
        options.extend(draw.one_of(&[&[][..], &["--fork", "copy"]]));
        options.extend(draw.one_of(&[&[][..], &[], &["--process-frames", "6"], &["--process-frames", "30"]]));
        options.extend(draw.one_of(&[&[][..], &["--isa", "rva22s64"]]));
        options.extend(draw.one_of(&[&[][..], &["--read-ahead", "8"]]));
        options.extend(draw.one_of(&[&[][..], &[], &[], &["--swap", "0"], &["--swap", "200K"]]));
        let words =
            [seed * 1000 + number, processes, draw.one_of(&[100, 200, 400]), draw.one_of(&[5, 20, 40])];
        let counts = check(&dir, &options, words);
        println!("{options:?} {words:?}: {counts:?}");
    }
}
