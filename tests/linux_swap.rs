//! Linux as referee of replacement: the same static programs on Debian's kernel and on the guest OS, both with a swap disk and the same number of
//! free frames when a program starts. Their output must be the same, and neither kernel may swap in more than twice as often as the other.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/linux.rs"]
mod linux;
mod support;

use linux::{DISK_MODULES, Initramfs, boot_in};
use std::collections::BTreeMap;
use support::{TempDir, count, run, run_with_figures};

/// Each needs more frames than Linux finds free in [`RAM`], which is some 4800.
const PROGRAMS: &[&str] = &["locality 6144 8", "larger 16M", "larger random 40M 1"];
/// Debian's kernel takes 80 MiB of it.
const RAM: &str = "96M";
const SWAP: &str = "256M";

/// Turns off what brings in more pages than were asked for: read-ahead of swap and files, fault-around, huge pages.
const ONE_PAGE_AT_A_TIME: &str = "\
set -e
$b mount -t sysfs none /sys
$b mount -t debugfs none /sys/kernel/debug
echo 0 >/proc/sys/vm/page-cluster
echo 0 >/sys/block/vda/queue/read_ahead_kb
echo 4096 >/sys/kernel/debug/fault_around_bytes
echo never >/sys/kernel/mm/transparent_hugepage/enabled
$b swapon /dev/vda
set +e
";
/// Tells counts of `/proc/vmstat` before and after a program, and the program's output between them.
const MEASURE: &str = "\
tell() { while read -r name value; do case $name in nr_free_pages|pswpin|pswpout) echo $1 $name $value;; esac; done </proc/vmstat; }
measure() { tell before; \"$@\" 2>/dev/null; echo after status $?; tell after; }
";

/// How many those counts are.
const COUNTS: usize = 3;

/// What became of a program on one of the kernels.
struct Measured {
    stdout: String,
    swap_ins: u64,
    swap_outs: u64,
}

#[test]
#[ignore = "a piece of make campaign"]
fn linux_swaps_in_as_often() {
    let Some(on_linux) = linux_measures() else { return };
    for (program, (free_frames, linux)) in PROGRAMS.iter().zip(on_linux) {
        let ours = folio_measures(program, free_frames);
        println!(
            "{program} in {free_frames} frames: Linux {} swap-ins and {} swap-outs, Folio {} and {}\n{}",
            linux.swap_ins, linux.swap_outs, ours.swap_ins, ours.swap_outs, ours.stdout
        );
        assert!(
            !linux.stdout.is_empty() && linux.stdout == ours.stdout,
            "{program} on Linux: {}",
            linux.stdout
        );
        assert!(linux.swap_ins > free_frames, "{program} fits in {free_frames} frames");
        let (fewer, more) = (ours.swap_ins.min(linux.swap_ins), ours.swap_ins.max(linux.swap_ins));
        assert!(more <= 2 * fewer, "{program}: {} and {} swap-ins", linux.swap_ins, ours.swap_ins);
    }
}

/// The programs one after another on Linux: each with the free frames at its start.
fn linux_measures() -> Option<Vec<(u64, Measured)>> {
    let dir = TempDir::new("linux-swap");
    // What is in memory and needed by nobody goes to swap before the first program is measured.
    let mut script = format!("{ONE_PAGE_AT_A_TIME}{MEASURE}larger 8M >/dev/null 2>&1\n");
    PROGRAMS.iter().for_each(|program| script += &format!("measure {program}\n"));
    script += "$b poweroff -f";
    let initramfs =
        Initramfs { modules: &DISK_MODULES[..2], programs: &["larger", "locality"], script: &script };
    let mut command = boot_in(RAM, &dir, &initramfs, "console=ttyS0 panic=-1 quiet")?;
    // With A and D bits set by the hardware, as the guest OS asks for.
    command.args(["--adue", "--swap", SWAP]);
    let ran = run(command);
    assert_eq!(ran.status, 0, "{ran:?}");
    let mut measured = Vec::new();
    let (mut before, mut after, mut stdout) = (BTreeMap::new(), BTreeMap::new(), String::new());
    for line in ran.stdout.lines().map(|line| line.trim_end_matches('\r')) {
        match *line.split(' ').collect::<Vec<_>>() {
            ["before", name, value] => drop(before.insert(name, value.parse::<u64>().unwrap())),
            ["after", "status", status] => assert_eq!(status, "0", "{stdout}"),
            ["after", name, value] => drop(after.insert(name, value.parse::<u64>().unwrap())),
            _ if before.len() == COUNTS && after.is_empty() => stdout += &format!("{line}\n"),
            _ => panic!("{line}: {ran:?}"),
        }
        if after.len() == COUNTS {
            let grown = |name| after[name] - before[name];
            let (swap_ins, swap_outs) = (grown("pswpin"), grown("pswpout"));
            measured.push((
                before["nr_free_pages"],
                Measured { stdout: std::mem::take(&mut stdout), swap_ins, swap_outs },
            ));
            before.clear();
            after.clear();
            if measured.len() == PROGRAMS.len() {
                break;
            }
        }
    }
    assert_eq!(measured.len(), PROGRAMS.len(), "{ran:?}");
    Some(measured)
}

/// A program on the guest OS with so many frames.
fn folio_measures(program: &str, frames: u64) -> Measured {
    let dir = TempDir::new("folio-swap");
    let frames = frames.to_string();
    let args = ["--policy", "clock", "--swap", SWAP, "--frames", &frames];
    let (ran, figures) = run_with_figures(&dir, args.into_iter().chain(program.split(' ')));
    assert_eq!(ran.status, 0, "{ran:?}");
    // The first read was of the header.
    let swap_ins = count(&figures, "swap_disk.reads") - 1;
    Measured { stdout: ran.stdout, swap_ins, swap_outs: count(&figures, "swap_disk.writes") }
}
