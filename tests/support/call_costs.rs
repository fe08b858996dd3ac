//! What calls cost in guest instructions, on Debian's kernel and on the guest OS: a fork of busybox's shell, an `execve` of a dynamic program and a
//! round trip through two pipes. A step of the machine is an instruction and a nanosecond of the guest's clock, so the program that does
//! them reads its own costs from that clock, on both kernels; nothing waits for a disk the second time.
//!
//! The programs are those of the ladder's tree (`make setup-test`).

use super::c_program;
use super::linux::{DISK_MODULES, Initramfs, boot_in, input};
use super::support::{TempDir, child, folio, missing, root, run};
use std::path::{Path, PathBuf};

/// A call, and how many instructions it takes on each kernel.
pub struct Cost {
    pub name: String,
    pub on_linux: u64,
    pub on_ours: u64,
}

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
    c_program::compile(&tree, "costs", include_str!("../sources/call_costs.c"));
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

/// What each costs on both kernels; `None`, and a note, without the inputs.
pub fn measure() -> Option<Vec<Cost>> {
    let ladder = root().join("target/test-inputs/ladder/root");
    if !ladder.is_dir() {
        missing::not_run("the ladder's tree is not there: `make setup-test`");
        return None;
    }
    let dir = TempDir::new("linux-costs");
    let image = image(&dir, &ladder)?;
    let initramfs = Initramfs { modules: DISK_MODULES, programs: &[], script: BOOT };
    let mut linux = boot_in("256M", &dir, &initramfs, "console=ttyS0 panic=-1 quiet")?;
    linux.arg("--adue").arg("--disk").arg(&image);
    let linux = run(linux);
    let mut ours = folio(["run", "-m", "256M", "--root"]);
    ours.arg(&image).args(["--", "/costs"]);
    let ours = run(ours);
    let (of_linux, of_ours) = (costs(&linux.stdout), costs(&ours.stdout));
    assert!(of_linux.len() == 3 && of_ours.len() == 3, "{linux:?}\n{ours:?}");
    let both = of_linux.into_iter().zip(of_ours);
    Some(both.map(|((name, on_linux), (_, on_ours))| Cost { name, on_linux, on_ours }).collect())
}
