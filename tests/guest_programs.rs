//! Real programs against real Linux: each command of tests/goldens/guest runs through `folio run --root IMAGE`, and its output and
//! exit status must be, byte for byte, what `qemu-riscv64` gave (tests/goldens/record.sh). Then the limits on page faults.
//!
//! The programs (Debian's static ones, and C, musl and Rust ones of our own) are in the image that `make setup-test` prepares. Without it
//! these tests fail and say so; FOLIO_SKIP_DEBIAN=1 skips them.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use support::{Ran, TempDir, count, folio, root, run_with_figures, run_with_input};

const ENVIRONMENT: [&str; 4] = ["--env", "PATH=/bin:/sbin", "--env", "HOME=/root"];

/// The image with the programs; `None` if the user asked to do without.
fn image() -> Option<PathBuf> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        eprintln!("skipped: FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let image = root().join("target/test-inputs/debian.ext4");
    assert!(
        image.is_file(),
        "{} is not there: run `make setup-test`, or set FOLIO_SKIP_DEBIAN=1",
        image.display()
    );
    Some(image)
}

/// One command, and what Linux made of it.
struct Golden {
    name: String,
    argv: Vec<String>,
    stdin: Vec<u8>,
    stdout: Vec<u8>,
    status: i32,
}

impl Golden {
    fn read(argv: &Path) -> Self {
        let part = |extension: &str| argv.with_extension(extension);
        let must =
            |path: PathBuf| fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = fs::read_to_string(argv).expect("the list was found in its folder");
        let status = String::from_utf8(must(part("status"))).expect("a status is a number");
        Self {
            name: argv.file_stem().expect("a golden has a name").to_string_lossy().into_owned(),
            argv: text
                .lines()
                .map(|line| serde_json::from_str(line).expect("a line is a JSON string"))
                .collect(),
            stdin: fs::read(part("stdin")).unwrap_or_default(),
            stdout: must(part("stdout")),
            status: status.trim().parse().expect("a status is a number"),
        }
    }

    fn all() -> Vec<Self> {
        let folder = root().join("tests/goldens/guest");
        let mut lists: Vec<PathBuf> = fs::read_dir(&folder)
            .expect("the goldens are part of the source tree")
            .map(|entry| entry.expect("the goldens can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "argv"))
            .collect();
        lists.sort();
        lists.iter().map(|list| Self::read(list)).collect()
    }

    fn run(&self, image: &Path) -> Ran {
        let mut command = folio(["run", "--root"]);
        command.arg(image).args(ENVIRONMENT).arg("--").args(&self.argv);
        run_with_input(command, &self.stdin)
    }

    /// What is wrong with a run, if anything.
    fn complaint(&self, ran: &Ran) -> Option<String> {
        let expected = String::from_utf8_lossy(&self.stdout);
        if ran.stdout == expected && ran.status == self.status {
            return None;
        }
        Some(format!(
            "{}: status {} instead of {}\n--- expected stdout\n{expected}\n--- stdout\n{}\n--- stderr\n{}",
            self.name, ran.status, self.status, ran.stdout, ran.stderr
        ))
    }
}

/// Runs the goldens of a family: those whose names start with it and a dash.
fn check(family: &str) {
    let Some(image) = image() else { return };
    let goldens: Vec<Golden> =
        Golden::all().into_iter().filter(|golden| golden.name.split('-').next() == Some(family)).collect();
    assert!(!goldens.is_empty(), "no golden of family {family}");
    let complaints: Vec<String> =
        goldens.iter().filter_map(|golden| golden.complaint(&golden.run(&image))).collect();
    assert!(complaints.is_empty(), "{}{}", complaints.join("\n"), versions_differ());
}

/// A remark for a failure's text, if the installed programs are not those the goldens were recorded from.
fn versions_differ() -> String {
    let installed =
        fs::read_to_string(root().join("target/test-inputs/root/packages.txt")).unwrap_or_default();
    let recorded = fs::read_to_string(root().join("tests/goldens/guest/packages.txt")).unwrap_or_default();
    if installed == recorded {
        return String::new();
    }
    format!(
        "\nThe goldens are from other versions (tests/goldens/record.sh records them again):\n{recorded}installed:\n{installed}"
    )
}

#[test]
fn busybox() {
    check("busybox");
}

#[test]
fn busybox_shell() {
    check("sh");
}

#[test]
fn bash() {
    check("bash");
}

#[test]
fn zsh() {
    check("zsh");
}

#[test]
fn tini() {
    check("tini");
}

#[test]
fn ldconfig_static_pie() {
    check("ldconfig");
}

#[test]
fn c_musl_and_rust() {
    check("hello");
    check("lazymalloc");
    check("cowfork");
}

#[test]
fn every_golden_belongs_to_a_test() {
    let families = ["busybox", "sh", "bash", "zsh", "tini", "ldconfig", "hello", "lazymalloc", "cowfork"];
    for golden in Golden::all() {
        let family = golden.name.split('-').next().unwrap_or_default().to_string();
        assert!(families.contains(&family.as_str()), "{} is run by no test", golden.name);
    }
}

/// Most faults, and most of them from disk, that a command may take. Linux 6.12 with fault-around off takes 94 (81), 301 (262) and about
/// 61 for each fork of busybox's shell.
const LIMITS: [(&str, u64, u64); 3] =
    [("busybox-echo", 100, 85), ("bash-version", 320, 320), ("sh-forks", 6500, 6500)];

#[test]
fn page_faults_stay_within_linux_s() {
    let Some(image) = image() else { return };
    let dir = TempDir::new("fault-limits");
    for golden in Golden::all() {
        let Some((_, most, most_from_disk)) = LIMITS.iter().find(|limit| limit.0 == golden.name) else {
            continue;
        };
        let mut args = vec!["--root".to_string(), image.display().to_string()];
        args.extend(ENVIRONMENT.map(String::from));
        args.push("--".into());
        args.extend(golden.argv.clone());
        let (ran, figures) = run_with_figures(&dir, args);
        assert_eq!(golden.complaint(&ran), None);
        let (total, from_disk) = (count(&figures, "faults.total"), count(&figures, "faults.from_disk"));
        println!("{}: {total} faults, {from_disk} from disk", golden.name);
        assert!(total <= *most, "{}: {total} faults, at most {most} allowed", golden.name);
        assert!(
            from_disk <= *most_from_disk,
            "{}: {from_disk} from disk, at most {most_from_disk} allowed",
            golden.name
        );
        // None of them is free, either: a kernel that reads ahead would show here.
        assert!(from_disk >= 10, "{}: {from_disk} pages cannot have been enough", golden.name);
    }
}
