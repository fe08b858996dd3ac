//! The swap disk: the kernel finds it and reads and writes its slots, many at a time, here and under QEMU; Linux takes it as it is; and disks that
//! fail on purpose (`--disk-fault`) fail those who asked, and nobody else.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/linux.rs"]
mod linux;
mod support;

use linux::{DISK_MODULES, Initramfs, boot, input};
use std::path::PathBuf;
use support::{Ran, TempDir, child, count, folio, read_json, run, run_folio};

/// The kernel and a root image with `hello`, as files.
struct Files(TempDir);

impl Files {
    fn new(name: &str) -> Self {
        let dir = TempDir::new(name);
        let kernel = run_folio(["kernel".as_ref(), "-o".as_ref(), dir.file("kernel").as_os_str()]);
        let image =
            run_folio(["image".as_ref(), "-o".as_ref(), dir.file("root").as_os_str(), "hello".as_ref()]);
        assert_eq!((kernel.status, image.status), (0, 0), "{kernel:?} {image:?}");
        Self(dir)
    }

    /// A run of `hello` after the kernel's own test of the swap disk.
    fn check(&self, more: &[&str]) -> Ran {
        let mut command = folio(["boot", "--append", "folio.check_swap init=/bin/hello"]);
        command.arg("--kernel").arg(self.0.file("kernel")).arg("--disk").arg(self.0.file("root")).args(more);
        command.env("RUST_LOG", "warn");
        run(command)
    }

    /// A file that `mkswap` has made swap space.
    fn swap_file(&self, bytes: u64) -> PathBuf {
        let path = self.0.file("swap");
        std::fs::File::create(&path).unwrap().set_len(bytes).unwrap();
        let mut mkswap = child::command("mkswap");
        mkswap.args(["--label", "of-mkswap"]).arg(&path);
        assert_eq!(run(mkswap).status, 0);
        path
    }
}

/// What the kernel's test says when these numbers of requests fail.
fn report(slots: &str, [writes, reads, flushes, sleepers, differ]: [u32; 5]) -> String {
    format!(
        "swap check: {slots} waits for a place; {writes} writes, {reads} reads, {flushes} flushes and {sleepers} sleepers' reads failed; \
         {differ} slots differ"
    )
}

/// 16 slots are asked for at once, and a disk takes 10 requests at a time.
const OF_A_MEBIBYTE: &str = "16 slots to 255; 6";

#[test]
fn what_is_written_to_slots_is_read_back() {
    let files = Files::new("swap-check");
    let file = files.swap_file(1 << 20);
    let before = std::fs::read(&file).unwrap();
    for (swap, slots) in [
        ("1M", OF_A_MEBIBYTE),
        ("40K", "9 slots to 9; 0"),
        ("64G", "16 slots to 16777215; 6"),
        (file.to_str().unwrap(), OF_A_MEBIBYTE),
    ] {
        let ran = files.check(&["--swap", swap]);
        assert!(ran.stderr.contains(&report(slots, [0; 5])), "{swap}: {ran:?}");
        assert_eq!((ran.status, ran.stdout.as_str()), (0, "Hello from page one.\n"), "{swap}: {ran:?}");
    }
    assert!(before == std::fs::read(&file).unwrap(), "the guest writes a copy");
    let without = files.check(&[]);
    assert!(without.stderr.contains("there is no swap space"), "{without:?}");
}

#[test]
fn each_kind_of_fault_hits_the_request_it_names() {
    let files = Files::new("swap-faults");
    for (fault, failed) in [
        ("swap:write:3", [1, 0, 0, 0, 1]),
        // The first read is of the header, the last a sleeper's.
        ("swap:read:2", [0, 1, 0, 0, 1]),
        ("swap:read:18", [0, 0, 0, 1, 0]),
        ("flush:1", [0, 0, 1, 0, 0]),
        ("torn:1", [0, 0, 0, 1, 1]),
        ("swap:lost:16", [0, 0, 0, 0, 1]),
        ("lost:17", [0; 5]),
        ("root:write:1", [0; 5]),
    ] {
        let ran = files.check(&["--swap", "1M", "--disk-fault", fault]);
        assert!(ran.stderr.contains(&report(OF_A_MEBIBYTE, failed)), "{fault}: {ran:?}");
        assert_eq!((ran.status, ran.stdout.as_str()), (0, "Hello from page one.\n"), "{fault}: {ran:?}");
        // 16 writes, and nothing is written to the root.
        let nothing = match fault {
            "lost:17" => "lost:17 has hit nothing: the run has made 16 such requests",
            "root:write:1" => "root:write:1 has hit nothing: the run has made 0 such requests",
            _ => "",
        };
        assert_eq!(ran.stderr.contains("has hit nothing"), !nothing.is_empty(), "{fault}: {ran:?}");
        assert!(ran.stderr.contains(nothing), "{fault}: {ran:?}");
    }
    let header = files.check(&["--swap", "1M", "--disk-fault", "swap:read:1"]);
    assert!(header.stderr.contains("the first page of /dev/vdb cannot be read"), "{header:?}");
    assert_eq!(header.status, 0, "{header:?}");
    let two = files.check(&["--swap", "1M", "--disk-fault", "write:1", "--disk-fault", "write:9"]);
    assert!(two.stderr.contains(&report(OF_A_MEBIBYTE, [2, 0, 0, 1, 2])), "{two:?}");
}

/// Each read of a program made to fail in turn. How the runs ended, without the last, in which none failed: that one gives `whole`.
fn each_read_fails(args: &[&str], whole: &str) -> Vec<Ran> {
    let mut ended = Vec::new();
    loop {
        let fault = format!("root:read:{}", ended.len() + 1);
        let mut command = folio(["run", "--disk-fault", &fault]);
        command.args(args).env("RUST_LOG", "virtio=info");
        let ran = run(command);
        assert!(!ran.stderr.contains("the guest kernel failed"), "{fault}: {ran:?}");
        if !ran.stderr.contains("Read fault") {
            assert_eq!((ran.status, ran.stdout.as_str()), (0, whole), "{ran:?}");
            return ended;
        }
        // A program may do without what a failed call would have told it; but then all is as it should be.
        assert!(
            whole.starts_with(&ran.stdout) && (ran.status != 0 || whole == ran.stdout),
            "{fault}: {ran:?}"
        );
        ended.push(ran);
    }
}

#[test]
fn a_read_that_fails_fails_those_who_asked_for_it() {
    let whole = run_folio(["run", "demand", "3", "77"]).stdout;
    let ended = each_read_fails(&["demand", "3", "77"], &whole);
    let statuses: Vec<i32> = ended.iter().map(|ran| ran.status).collect();
    // First the file system and the program cannot be had; then the program is there, and a page that it touches is not: SIGBUS.
    let program = statuses.iter().position(|&status| status != 125).unwrap();
    assert!(program >= 3, "{statuses:?}");
    assert!(
        statuses[program..].len() >= 4 && statuses[program..].iter().all(|&status| status == 128 + 7),
        "{statuses:?}"
    );
}

/// One line tells of a file system or program that cannot be read, and a page's names its file.
#[test]
fn a_read_that_fails_is_told_in_a_line() {
    let tell = |request: u32| {
        run_folio(["run", "--disk-fault", &format!("root:read:{request}"), "demand", "3", "77"])
    };
    for request in 1..=3 {
        let said = "folio: demand: cannot be executed: EIO: the disk could not be read\n";
        assert_eq!((tell(request).status, tell(request).stderr.as_str()), (125, said), "read {request}");
    }
    let died = (4..30).map(tell).find(|ran| ran.status == 128 + 7).unwrap();
    assert!(died.stderr.contains("of /bin/demand failed: EIO"), "{died:?}");
}

/// Why the guest kernel starts no program, and advice that fits.
#[test]
fn a_boot_without_a_first_program_says_what_is_missing() {
    let files = Files::new("no-first-program");
    let swap = files.swap_file(1 << 20);
    let (swap, root) = (swap.to_str().unwrap(), files.0.file("root"));
    let root = root.to_str().unwrap();
    for (args, said) in [
        (
            &["--disk", swap][..],
            "no root file system: ENODEV: no disk holds an ext4 file system; --disk IMAGE gives one",
        ),
        (&[], "no root file system: ENXIO: there is no disk"),
        (&["--disk", root], "could not execute /sbin/init: ENOENT: no such file"),
        (
            &["--disk", root, "--append", "init=/bin/nope -- x"],
            "could not execute /bin/nope: ENOENT: no such file",
        ),
    ] {
        let mut command = folio(["boot"]);
        command.arg("--kernel").arg(files.0.file("kernel")).args(args);
        let ran = run(command);
        assert!(ran.stderr.contains(said) && ran.status == 125, "{args:?}: {ran:?}");
        assert_eq!(ran.stderr.contains("init=/PATH"), said.contains("could not execute"), "{ran:?}");
    }
}

#[test]
fn read_and_execve_say_eio() {
    let Some(busybox) = input("busybox") else { return };
    let dir = TempDir::new("swap-eio");
    std::fs::create_dir(dir.file("bin")).unwrap();
    std::fs::copy(busybox, dir.file("bin/busybox")).unwrap();
    let text = "all of it\n".repeat(1000);
    std::fs::write(dir.file("text"), &text).unwrap();
    // (`cat` would try again by another call.)
    let root = dir.path().to_str().unwrap();
    let ended =
        each_read_fails(&["--root", root, "/bin/busybox", "dd", "if=/text", "bs=4096", "status=none"], &text);
    let with = |words: &str| ended.iter().filter(|ran| ran.stderr.contains(words)).count();
    assert_eq!(with("dd: /text: Input/output error"), 3, "its three pages: {ended:?}");
    assert!(
        with("cannot be executed: EIO") > 0 && ended.iter().any(|ran| ran.status == 128 + 7),
        "{ended:?}"
    );
}

/// The lines of `/proc/swaps`, and what `/proc/meminfo` says of it.
const TELL: &str = "cat /proc/swaps; grep Swap[TF] /proc/meminfo";

#[test]
fn linux_takes_it_and_tells_of_it_in_the_same_words() {
    let Some(busybox) = input("busybox") else { return };
    let dir = TempDir::new("swap-linux");
    let script = "\
$b swapon /dev/vda && cat=$b\\ cat; $cat /proc/swaps; $b grep Swap[TF] /proc/meminfo
$b poweroff -f";
    let initramfs = Initramfs { modules: &DISK_MODULES[..2], script, ..Initramfs::default() };
    let mut command = boot(&dir, &initramfs, "console=ttyS0 panic=-1 quiet").unwrap();
    let linux = run({
        command.args(["--swap", "32M"]);
        command
    });
    std::fs::create_dir(dir.file("bin")).unwrap();
    std::fs::copy(busybox, dir.file("bin/busybox")).unwrap();
    let tell = TELL.replace("cat", "busybox cat").replace("grep", "busybox grep");
    let root = dir.path().to_str().unwrap();
    let ours = run_folio(["run", "--swap", "32M", "--root", root, "/bin/busybox", "sh", "-c", &tell]);
    assert_eq!(ours.status, 0, "{ours:?}");
    let swaps = |text: &str| {
        let from = text.find("Filename").unwrap_or_else(|| panic!("{text}"));
        text[from..].lines().take(4).map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(swaps(&ours.stdout), swaps(&linux.stdout).replace("/dev/vda", "/dev/vdb"));
    assert!(ours.stdout.contains("\t32764\t"), "{ours:?}");
}

#[test]
fn swap_that_nothing_goes_to_changes_no_count() {
    let dir = TempDir::new("swap-unused");
    let figures = |swap: &[&str], name: &str| {
        let mut command = folio(["run", "--json"]);
        command.arg(dir.file(name)).args(swap).arg("cowfork");
        assert_eq!(run(command).status, 0);
        read_json(&dir.file(name))
    };
    let (without, with) = (figures(&["--swap", "0"], "without"), figures(&[], "with"));
    for field in ["instructions_user", "faults", "frames", "disk"] {
        assert_eq!(with[field], without[field], "{field}");
    }
    assert_eq!((count(&with, "swap_disk.reads"), count(&with, "swap_disk.writes")), (1, 0));
    assert!(without.get("swap_disk").is_none());
}

#[test]
fn the_same_kernel_finds_it_under_qemu_whichever_disk_comes_first() {
    let files = Files::new("swap-qemu");
    let swap = files.swap_file(1 << 20);
    let mut drives = [
        format!("file={},format=raw,if=none,id=root,readonly=on", files.0.file("root").display()),
        format!("file={},format=raw,if=none,id=swap", swap.display()),
    ];
    for _ in 0..2 {
        let mut command = child::command("qemu-system-riscv64");
        command.stdin(std::process::Stdio::null());
        command.args(["-M", "virt", "-m", "128M", "-nographic", "-no-reboot", "-append"]);
        command.arg("folio.check_swap init=/bin/hello").arg("-kernel").arg(files.0.file("kernel"));
        for drive in &drives {
            let id = if drive.contains("id=root") { "root" } else { "swap" };
            command.arg("-drive").arg(drive).arg("-device").arg(format!("virtio-blk-device,drive={id}"));
        }
        let ran = run(command);
        // How often there was no place depends on the host's time.
        let failed = report("", [0; 5]);
        let (_, failed) = failed.split_once("waits").unwrap();
        assert!(ran.stdout.contains("swap check: 16 slots to 255") && ran.stdout.contains(failed), "{ran:?}");
        assert!(ran.stdout.contains("Hello from page one."), "{ran:?}");
        drives.reverse();
    }
}
