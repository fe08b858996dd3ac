//! Debian's Linux as tests boot it: the inputs that set-up has fetched, and an initial RAM disk made for the test.
#![allow(dead_code)] // each test target uses its part
#![allow(clippy::unwrap_used)] // in functions that only tests call

use super::support::{TempDir, child, folio, missing, root};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The modules for an ext4 file system on a virtio disk, in the order of their dependencies.
pub const DISK_MODULES: &[&str] =
    &["virtio_mmio", "virtio_blk", "crc16", "crc32c_generic", "mbcache", "jbd2", "ext4"];

/// A fetched input; `None`, and a note, if set-up could not fetch them.
pub fn input(name: &str) -> Option<PathBuf> {
    let inputs = root().join("target/test-inputs");
    if inputs.join("linux/packages.txt").exists() {
        return Some(inputs.join("linux").join(name));
    }
    assert!(inputs.join("linux.unavailable").exists(), "no Debian Linux: run `make setup-test`");
    missing::not_run("set-up could not fetch Debian's Linux");
    None
}

/// An initial RAM disk: busybox, modules, built-in programs of ours, and an `/init` that loads the modules and then runs `script`.
#[derive(Default)]
pub struct Initramfs<'a> {
    pub modules: &'a [&'a str],
    pub programs: &'a [&'a str],
    pub script: &'a str,
}

impl Initramfs<'_> {
    /// The archive. Equal contents make equal bytes.
    pub fn archive(&self) -> Vec<u8> {
        let mut cpio = Cpio::default();
        for folder in ["bin", "dev", "proc", "sys", "mnt", "lib"] {
            cpio.add(folder, 0o040_755, b"", (0, 0));
        }
        cpio.add("dev/console", 0o020_600, b"", (5, 1));
        cpio.add("dev/null", 0o020_666, b"", (1, 3));
        let read = |name: &str| std::fs::read(input(name).expect("the caller has asked before")).unwrap();
        cpio.add("bin/busybox", 0o100_755, &read("busybox"), (0, 0));
        cpio.add("bin/sh", 0o120_777, b"busybox", (0, 0));
        for &program in self.programs {
            let (_, elf) = guest_os::PROGRAMS.iter().find(|(name, _)| *name == program).unwrap();
            cpio.add(&format!("bin/{program}"), 0o100_755, elf, (0, 0));
        }
        let mut init = String::from("#!/bin/sh\nb=/bin/busybox\n$b mount -t proc none /proc\n");
        init += "$b mount -t devtmpfs none /dev\n";
        for module in self.modules {
            let name = format!("{module}.ko");
            cpio.add(&format!("lib/{name}"), 0o100_644, &read(&format!("modules/{name}")), (0, 0));
            init += &format!("$b insmod /lib/{name}\n");
        }
        init += self.script;
        init.push('\n');
        cpio.add("init", 0o100_755, init.as_bytes(), (0, 0));
        cpio.add("TRAILER!!!", 0, b"", (0, 0));
        cpio.bytes
    }
}

/// A cpio archive of the format `newc`.
#[derive(Default)]
struct Cpio {
    bytes: Vec<u8>,
    inode: u32,
}

impl Cpio {
    fn add(&mut self, name: &str, mode: u32, data: &[u8], device: (u32, u32)) {
        self.inode += 1;
        let (name_bytes, size) = (u32::try_from(name.len() + 1).unwrap(), u32::try_from(data.len()).unwrap());
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_bytes, 0];
        self.bytes.extend(b"070701");
        fields.iter().for_each(|field| self.bytes.extend(format!("{field:08x}").bytes()));
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(data);
        self.pad();
    }
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// `folio boot` of Linux with this RAM disk and kernel command line, without input; more may be added.
pub fn boot(dir: &TempDir, initramfs: &Initramfs<'_>, append: &str) -> Option<Command> {
    boot_in("256M", dir, initramfs, append)
}

/// As [`boot`], with so much RAM.
pub fn boot_in(ram: &str, dir: &TempDir, initramfs: &Initramfs<'_>, append: &str) -> Option<Command> {
    let kernel = input("Image")?;
    let initrd = dir.file("initramfs.cpio");
    std::fs::write(&initrd, initramfs.archive()).unwrap();
    let mut command = folio(["boot", "-m", ram, "--fuel", "60000000000", "--kernel"]);
    command.arg(kernel).arg("--initrd").arg(initrd).args(["--append", append]);
    Some(command)
}

/// Gives `command` `text` as a regular file on its standard input, which makes runs exactly repeatable.
pub fn type_from_file(dir: &TempDir, command: &mut Command, text: &str) {
    let file = dir.file("typed.txt");
    std::fs::write(&file, text).unwrap();
    command.stdin(Stdio::from(std::fs::File::open(file).unwrap()));
}

/// An ext4 image of 8 MiB that holds `hello.txt`, made by mke2fs.
pub fn ext4_disk(dir: &TempDir) -> PathBuf {
    let (folder, image) = (dir.file("disk"), dir.file("disk.ext4"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("hello.txt"), "hello from the disk\n").unwrap();
    std::fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let mut mke2fs = child::command("mke2fs");
    mke2fs.env("PATH", format!("{}:/sbin:/usr/sbin", std::env::var("PATH").unwrap()));
    mke2fs.env("E2FSPROGS_FAKE_TIME", "1700000000");
    mke2fs.args(["-q", "-t", "ext4", "-b", "4096", "-U", "464f4c49-4f00-4000-8000-000000000003", "-E"]);
    mke2fs.arg("hash_seed=464f4c49-4f00-4000-8000-000000000004,root_owner=0:0").arg("-d").arg(&folder);
    mke2fs.arg(&image);
    assert!(child::output(mke2fs).status.success(), "mke2fs: run `make setup-test`");
    image
}
