//! Linux as referee of what a call costs: a hundred forks of busybox's shell, an `execve` of a dynamic program and a round trip through two pipes, in
//! guest instructions, on Debian's kernel and on the guest OS. A step of the machine is an instruction and a nanosecond of the guest's clock, so the
//! program that does them reads its own costs from that clock, on both kernels; nothing waits for a disk the second time.
//!
//! The programs are those of the ladder's tree (`make setup-test`).

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
#[path = "support/linux.rs"]
mod linux;
mod support;

use linux::{DISK_MODULES, Initramfs, boot_in, input};
use std::path::{Path, PathBuf};
use support::{TempDir, child, folio, missing, root, run};

const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void start(char *const argv[]) {
    pid_t pid = fork();
    int status;
    if (pid == 0) { execv(argv[0], argv); _exit(127); }
    waitpid(pid, &status, 0);
    if (status != 0) exit(1);
}
static void shell(void) {
    start((char *[]){"/busybox", "sh", "-c", "i=0; while [ $i -lt 100 ]; do (:); i=$((i+1)); done", 0});
}
static void dynamic(void) { start((char *[]){"/true", 0}); }

static int to[2], from[2];
static void round_trips(void) {
    char byte = 1;
    for (int i = 0; i < 1000; i++)
        if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1) exit(2);
}
static void answer(void) {
    char byte;
    if (pipe(to) || pipe(from)) exit(3);
    if (fork() != 0) return;
    close(to[1]);
    while (read(to[0], &byte, 1) == 1) write(from[1], &byte, 1);
    _exit(0);
}

static void measure(const char *name, void (*action)(void), int times) {
    struct timespec before, after;
    action();
    clock_gettime(CLOCK_MONOTONIC, &before);
    action();
    clock_gettime(CLOCK_MONOTONIC, &after);
    long ns = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
    printf("cost %s %ld\n", name, ns / times);
}
int main(void) {
    measure("forks", shell, 100);
    measure("exec", dynamic, 1);
    answer();
    measure("round-trip", round_trips, 1000);
    return 0;
}
"#;

const BOOT: &str = "\
$b mount -t ext4 -o ro /dev/vda /mnt
$b chroot /mnt /costs
$b poweroff -f";

/// What costs how many instructions.
fn costs(stdout: &str) -> Vec<(String, u64)> {
    let lines = stdout.lines().filter_map(|line| line.trim_end().strip_prefix("cost "));
    lines
        .map(|line| {
            let (name, count) = line.split_once(' ').unwrap();
            (name.to_string(), count.parse().unwrap())
        })
        .collect()
}

/// An image with the program, a static shell, and a dynamic program with its loader and library.
fn image(dir: &TempDir, ladder: &Path) -> Option<PathBuf> {
    let (tree, image) = (TempDir::new("linux-costs-tree"), dir.file("costs.ext4"));
    c_program::compile(&tree, "costs", SOURCE);
    std::fs::copy(input("busybox")?, tree.file("busybox")).unwrap();
    std::fs::copy(ladder.join("usr/bin/true"), tree.file("true")).unwrap();
    std::fs::create_dir(tree.file("lib")).unwrap();
    for (from, to) in [
        ("usr/lib/ld-linux-riscv64-lp64d.so.1", "lib/ld-linux-riscv64-lp64d.so.1"),
        ("usr/lib/riscv64-linux-gnu/libc.so.6", "lib/libc.so.6"),
    ] {
        std::fs::copy(ladder.join(from), tree.file(to)).unwrap();
    }
    std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
    let mut mke2fs = child::command("mke2fs");
    mke2fs.env("PATH", format!("{}:/sbin:/usr/sbin", std::env::var("PATH").unwrap()));
    mke2fs.args(["-q", "-t", "ext4", "-b", "4096", "-d"]).arg(tree.path()).arg(&image);
    assert!(child::output(mke2fs).status.success(), "mke2fs: run `make setup-test`");
    Some(image)
}

#[test]
#[ignore = "a piece of make campaign"]
fn calls_cost_no_more_than_one_and_a_half_of_linux() {
    let ladder = root().join("target/test-inputs/ladder/root");
    if !ladder.is_dir() {
        return missing::not_run("the ladder's tree is not there: `make setup-test`");
    }
    let dir = TempDir::new("linux-costs");
    let Some(image) = image(&dir, &ladder) else { return };
    let initramfs = Initramfs { modules: DISK_MODULES, programs: &[], script: BOOT };
    let Some(mut linux) = boot_in("256M", &dir, &initramfs, "console=ttyS0 panic=-1 quiet") else { return };
    linux.arg("--adue").arg("--disk").arg(&image);
    let linux = run(linux);
    let mut ours = folio(["run", "-m", "256M", "--root"]);
    ours.arg(&image).args(["--", "/costs"]);
    let ours = run(ours);
    let (of_linux, of_ours) = (costs(&linux.stdout), costs(&ours.stdout));
    assert!(of_linux.len() == 3 && of_ours.len() == 3, "{linux:?}\n{ours:?}");
    for ((name, linux), (_, ours)) in of_linux.iter().zip(&of_ours) {
        println!("{name}: Linux {linux}, Folio {ours}");
        assert!(ours * 2 <= linux * 3, "{name} costs {ours}, on Linux {linux}");
    }
}
