//! A pipeline of real programs that reads its standard input: each byte comes through, or lack of memory is said, and nothing else fails.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use support::{Ran, TempDir, folio, missing, root, run};

const PIPELINE: &str = "busybox cat | busybox sort | busybox wc; busybox true";

/// The first bytes of what `yes 'a b c'` writes.
fn input(bytes: usize) -> Vec<u8> {
    b"a b c\n".iter().copied().cycle().take(bytes).collect()
}

/// Lines, words and bytes of the input sorted, as `wc` counts them: a last line without an end gets one.
fn expected(input: &[u8]) -> [usize; 3] {
    let text = std::str::from_utf8(input).unwrap();
    let bytes = input.len() + usize::from(!input.is_empty() && !text.ends_with('\n'));
    [text.lines().count(), text.split_whitespace().count(), bytes]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Pipe,
    File,
}

/// The pipeline under `folio run -m memory`; `None` if the user asked to do without Debian's programs.
fn run_pipeline(memory: &[&str], input: &[u8], source: Source) -> Option<Ran> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::not_run("FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let image: PathBuf = root().join("target/test-inputs/debian.ext4");
    assert!(image.is_file(), "{} is not there: run `make setup-test`", image.display());
    let mut command = folio(["run", "-m"]);
    command.args(memory).arg("--root").arg(image).args([
        "--env",
        "PATH=/usr/bin",
        "--",
        "/usr/bin/busybox",
        "sh",
        "-c",
        PIPELINE,
    ]);
    let dir = TempDir::new("pipeline");
    let mut feeder = None;
    match source {
        Source::Pipe => {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let input = input.to_vec();
            // A guest that ends without reading all of it closes the pipe: no error of the test.
            feeder = Some(std::thread::spawn(move || drop(writer.write_all(&input))));
            command.stdin(reader);
        }
        Source::File => {
            std::fs::write(dir.file("input"), input).unwrap();
            command.stdin(File::open(dir.file("input")).unwrap());
        }
    }
    let ran = run(command);
    if let Some(feeder) = feeder {
        feeder.join().unwrap();
    }
    Some(ran)
}

fn counts(ran: &Ran) -> Vec<usize> {
    ran.stdout.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Checks that the pipeline's output is the host's, and that nothing is said.
fn check(memory: &str, bytes: usize) {
    let input = input(bytes);
    for source in [Source::Pipe, Source::File] {
        let Some(ran) = run_pipeline(&[memory], &input, source) else { return };
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{bytes} bytes, {source:?}, {memory}");
        assert_eq!(counts(&ran), expected(&input), "{bytes} bytes, {source:?}, {memory}");
    }
}

#[test]
fn every_byte_comes_through() {
    for memory in ["32M", "64M", "128M", "512M"] {
        for bytes in [0, 20, 20_000] {
            check(memory, bytes);
        }
    }
}

#[test]
fn input_that_cannot_be_delivered_stays() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"hello\n").unwrap();
    drop(writer);
    let mut command = folio(["run", "vmtests", "input_is_kept"]);
    command.stdin(reader);
    let ran = run(command);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
}

/// What does not fit into memory is sorted all the same, if there is swap space.
#[test]
fn memory_larger_than_ram_sorts_them() {
    check("16M", 2_000_000);
}

#[test]
fn lack_of_memory_is_said() {
    let bytes = 2_000_000;
    for source in [Source::Pipe, Source::File] {
        let Some(ran) = run_pipeline(&["16M", "--swap", "0"], &input(bytes), source) else { return };
        // `sort` is killed, so `wc` sees nothing, and the shell goes on.
        assert_eq!((ran.status, counts(&ran)), (0, vec![0, 0, 0]), "{source:?}\n{}", ran.stderr);
        let says_why = |line: &str| line.contains("out of frames") && line.contains("(busybox) is killed");
        assert!(ran.stderr.lines().any(says_why), "{source:?}\n{}", ran.stderr);
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn twenty_megabytes_come_through_or_lack_of_memory_is_said() {
    let bytes = 20_000_000;
    for memory in ["32M", "64M", "128M"] {
        let Some(ran) = run_pipeline(&[memory, "--swap", "0"], &input(bytes), Source::File) else { return };
        assert_eq!((ran.status, counts(&ran)), (0, vec![0, 0, 0]), "{memory}\n{}", ran.stderr);
        assert!(ran.stderr.contains("out of frames"), "{memory}\n{}", ran.stderr);
    }
    check("512M", bytes);
}
