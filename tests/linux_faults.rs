//! Linux as referee of pure demand paging: the same unmodified Debian programs, on the same ext4 image, on Debian's kernel and on the guest OS.
//! Linux maps around no fault, reads nothing ahead and starts each command with an empty page cache, so both should need the same
//! page faults, and the same reads for them.
//!
//! The image is that of the ladder (`make setup-test`).

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/linux.rs"]
mod linux;
mod support;

use linux::{DISK_MODULES, Initramfs, boot_in};
use std::path::Path;
use support::{TempDir, count, missing, root, run, run_with_figures};

/// A command: words for `exec`, separated by `|`.
const COMMANDS: &[&str] = &[
    "/bin/true",
    "dash|-c|:",
    "bash|-c|echo $((6*7))",
    "lua5.4|-e|print(1)",
    "perl|-e|print 1",
    "sqlite3|:memory:|select 1",
    "esbuild|--version",
    "ruff|--version",
    "python3|-c|print(1)",
    "python3|-c|import json, hashlib; print(json.dumps([hashlib.sha256(bytes(1 << 20)).hexdigest()]))",
    "dash|-c|cd /tmp; echo 'int puts(const char*);int main(){puts(\"hi\");}' >a.c; gcc -o a a.c && ./a",
    "dash|-c|mkdir /tmp/m; cd /tmp/m; for i in 1 2 3 4; do echo \"int f$i(){return $i;}\" >f$i.c; done; \
     printf 'all: f1.o f2.o f3.o f4.o\\n' >Makefile; make -s -j4 CC=gcc",
];

/// Linux turns off what maps or reads more pages than were asked for, and mounts the image with what commands expect.
const PREPARE: &str = "\
set -e
$b mount -t sysfs none /sys
$b mount -t debugfs none /sys/kernel/debug
echo 0 >/sys/block/vda/queue/read_ahead_kb
echo 4096 >/sys/kernel/debug/fault_around_bytes
echo never >/sys/kernel/mm/transparent_hugepage/enabled
echo 0 >/proc/sys/kernel/randomize_va_space
$b mount -t ext4 -o ro /dev/vda /mnt
$b mount -t proc none /mnt/proc
$b mount -t devtmpfs none /mnt/dev
$b mount -t tmpfs none /mnt/tmp
$b cp $b /mnt/tmp/busybox
set +e
measure() {
    echo 3 >/proc/sys/vm/drop_caches
    $b env -i PATH=/bin:/sbin HOME=/root $b chroot /mnt /tmp/busybox time -o /tmp/figures -v \"$@\" >/dev/null
    echo status $?
    $b grep faults /mnt/tmp/figures
}
";

/// Page faults of all processes of a command.
#[derive(Debug, Clone, Copy)]
struct Faults {
    all: u64,
    /// Those that had their page read. Who waits for another's read is no major fault to Linux.
    major: u64,
}

#[test]
#[ignore = "a piece of make campaign"]
fn unmodified_programs_fault_as_on_linux() {
    let image = root().join("target/test-inputs/ladder/ladder.ext4");
    if !image.is_file() {
        return missing::not_run("the ladder's image is not there: `make setup-test`");
    }
    let Some(on_linux) = linux_faults(&image) else { return };
    let mut apart = Vec::new();
    for (command, linux) in COMMANDS.iter().zip(on_linux) {
        let ours = folio_faults(&image, command);
        println!("Linux {:6} {:6}  Folio {:6} {:6}  {command}", linux.all, linux.major, ours.all, ours.major);
        for (linux, ours) in [(linux.all, ours.all), (linux.major, ours.major)] {
            if ours.abs_diff(linux) * 20 > linux {
                apart.push(format!("{command}: {ours}, on Linux {linux}"));
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

/// The commands one after another on Linux.
fn linux_faults(image: &Path) -> Option<Vec<Faults>> {
    let dir = TempDir::new("linux-faults");
    let mut script = PREPARE.to_string();
    for command in COMMANDS {
        let words: Vec<String> =
            command.split('|').map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        script += &format!("measure {}\n", words.join(" "));
    }
    script += "$b poweroff -f";
    let initramfs = Initramfs { modules: DISK_MODULES, programs: &[], script: &script };
    let mut command = boot_in("1G", &dir, &initramfs, "console=ttyS0 panic=-1 quiet")?;
    // With A and D bits set by the hardware, as the guest OS asks for.
    command.arg("--adue").arg("--disk").arg(image);
    let ran = run(command);
    let numbers = |label: &str| -> Vec<u64> {
        let lines = ran.stdout.lines().filter(|line| line.contains(label));
        lines.map(|line| line.trim().rsplit(' ').next().unwrap().parse().unwrap()).collect()
    };
    let (major, minor) = (numbers("Major"), numbers("Minor"));
    assert_eq!(numbers("status "), vec![0; COMMANDS.len()], "{ran:?}");
    assert_eq!((major.len(), minor.len()), (COMMANDS.len(), COMMANDS.len()), "{ran:?}");
    let faults = |(major, minor): (&u64, &u64)| Faults { all: major + minor, major: *major };
    Some(major.iter().zip(&minor).map(faults).collect())
}

/// A command on the guest OS.
fn folio_faults(image: &Path, command: &str) -> Faults {
    let dir = TempDir::new("folio-faults");
    let image = image.to_str().unwrap();
    let options = ["-m", "1G", "--root", image, "--env", "PATH=/bin:/sbin", "--env", "HOME=/root", "--"];
    let (ran, figures) = run_with_figures(&dir, options.into_iter().chain(command.split('|')));
    assert_eq!(ran.status, 0, "{command}: {ran:?}");
    Faults { all: count(&figures, "faults.total"), major: count(&figures, "faults.began_read") }
}
