//! Systems that nobody here wrote boot under `folio boot`: Debian's Linux with busybox, under OpenSBI and under the built-in SBI, on one
//! hart and on four; and Folio's own guest OS under OpenSBI.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/linux.rs"]
mod linux;
mod support;

use linux::{DISK_MODULES, Initramfs, boot, ext4_disk, input, type_from_file};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use support::child::{self, Running};
use support::{Ran, TempDir, count, folio, read_json, run};

const SERIAL: &str = "console=ttyS0 panic=-1 quiet";
/// What a UART has taken in before a driver starts is lost, as on any board: a FIFO's worth of empty lines for OpenSBI's, one for
/// Linux's, and one more.
const LOST: &str =
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
/// Mounts the disk, reads and writes it, and powers off.
const MOUNT: &str = "\
$b mount -t ext4 /dev/vda /mnt && $b cat /mnt/hello.txt && echo written >/mnt/new && $b sync
$b cat /mnt/new && $b umount /mnt && echo unmounted by $($b nproc) harts
$b poweroff -f";

/// Boots to a shell that reads from the console, types into it, and gives the run and its figures.
fn shell_session(extra: &[&str]) -> Option<(Ran, serde_json::Value)> {
    let dir = TempDir::new("linux-shell");
    let initramfs = Initramfs { script: "echo Linux is up\nexec sh", ..Initramfs::default() };
    let mut command = boot(&dir, &initramfs, SERIAL)?;
    command.args(extra).arg("--json").arg(dir.file("figures.json"));
    let typed = "echo $((6*7)) on $(busybox nproc) harts\necho run: $(busybox uname -sm)\nbusybox dmesg | busybox grep random:\nbusybox poweroff -f\n";
    type_from_file(&dir, &mut command, &format!("{LOST}{typed}"));
    let ran = run(command);
    Some((ran, read_json(&dir.file("figures.json"))))
}

fn check_shell(ran: &Ran, harts: usize) {
    assert_eq!(ran.status, 0, "{ran:?}");
    let random = "[    0.000000] random: crng init done";
    for words in ["Linux is up", &format!("42 on {harts} harts"), "run: Linux riscv64", random] {
        assert!(ran.stdout.contains(words), "no {words:?} in {}", ran.stdout);
    }
}

#[test]
fn linux_boots_to_a_shell_and_ten_runs_would_be_one() {
    repeats(2);
}

#[test]
#[ignore = "a piece of make campaign"] // the test above is two of the ten runs
fn ten_runs_of_linux_are_one() {
    repeats(10);
}

fn repeats(runs: usize) {
    let Some((first, figures)) = shell_session(&[]) else { return };
    check_shell(&first, 1);
    for _ in 1..runs {
        let (ran, again) = shell_session(&[]).unwrap();
        assert_eq!(ran.stdout, first.stdout);
        assert_eq!(again, figures);
    }
    eprintln!("{runs} runs: {} instructions, state {}", figures["instructions"], figures["state_hash"]);
}

#[test]
fn four_harts_under_the_built_in_sbi() {
    let Some((ran, _)) = shell_session(&["--harts", "4"]) else { return };
    check_shell(&ran, 4);
}

#[test]
fn four_harts_under_opensbi() {
    let Some(firmware) = input("fw_jump.elf") else { return };
    let (ran, _) = shell_session(&["--harts", "4", "--bios", firmware.to_str().unwrap()]).unwrap();
    assert!(ran.stdout.contains("OpenSBI v") && ran.stdout.contains("Platform HART Count         : 4"));
    check_shell(&ran, 4);
}

/// Boots with a disk and mounts it; the figures of the run.
fn mounts_a_disk(extra: &[&str], harts: usize) -> Option<serde_json::Value> {
    let dir = TempDir::new("linux-disk");
    let mut command =
        boot(&dir, &Initramfs { modules: DISK_MODULES, script: MOUNT, ..Initramfs::default() }, SERIAL)?;
    let disk = ext4_disk(&dir);
    let before = std::fs::read(&disk).unwrap();
    command.args(extra).arg("--disk").arg(&disk).arg("--json").arg(dir.file("figures.json"));
    let ran = run(command);
    assert_eq!(ran.status, 0, "{ran:?}");
    for words in ["hello from the disk", "written", &format!("unmounted by {harts} harts")] {
        assert!(ran.stdout.contains(words), "no {words:?} in {}", ran.stdout);
    }
    assert!(before == std::fs::read(&disk).unwrap(), "what the guest writes stays in the machine");
    Some(read_json(&dir.file("figures.json")))
}

#[test]
fn an_ext4_disk_is_mounted_under_opensbi() {
    let Some(firmware) = input("fw_dynamic.elf") else { return };
    let figures = mounts_a_disk(&["--bios", firmware.to_str().unwrap()], 1).unwrap();
    assert!(count(&figures, "disk.reads") > 5, "{figures}");
}

#[test]
fn an_ext4_disk_is_mounted_over_the_legacy_transport() {
    mounts_a_disk(&["--virtio-legacy", "--harts", "4"], 4);
}

#[test]
fn virtio_console_rng_and_net_serve_linux() {
    let dir = TempDir::new("linux-virtio");
    let modules = &["virtio_mmio", "virtio-rng", "failover", "net_failover", "virtio_net"];
    // The console comes when the module of its transport is loaded.
    let script = "exec sh </dev/hvc0 >/dev/hvc0 2>&1";
    let Some(mut command) = boot(&dir, &Initramfs { modules, script, ..Initramfs::default() }, SERIAL) else {
        return;
    };
    command.args(["--console", "virtio", "--device", "rng", "--device", "net", "--seed", "7"]);
    let typed = "busybox mount -t sysfs none /sys
cat=busybox\\ cat; $cat /sys/class/misc/hw_random/rng_current
busybox head -c 8 /dev/hwrng | busybox wc -c
busybox ip addr add 10.0.2.15/24 dev eth0; busybox ip link set eth0 up
busybox ping -c 2 10.0.2.2
busybox udhcpc -i eth0 -n -q -s /bin/busybox
busybox poweroff -f
";
    // Linux throws away what reaches this console before the shell has opened it, so this is a conversation.
    let (status, output) = converse(command, "~ # ", typed);
    assert_eq!(status, Some(0), "{output}");
    for words in ["virtio_rng.0", "\n8", "2 packets received", "lease of 10.0.2.15 obtained"] {
        assert!(output.replace('\r', "").contains(words), "no {words:?} in {output}");
    }
}

/// Runs `command` in real time and types `typed` once it has shown `prompt`; its exit status and its output.
fn converse(mut command: Command, prompt: &str, typed: &str) -> (Option<i32>, String) {
    command.arg("--realtime").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(command);
    let child = running.child();
    let (mut keyboard, mut screen) = (child.stdin.take(), child.stdout.take().unwrap());
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = screen.read(&mut buffer) {
        shown.extend(&buffer[..count]);
        if keyboard.is_some() && String::from_utf8_lossy(&shown).contains(prompt) {
            keyboard.take().unwrap().write_all(typed.as_bytes()).unwrap();
        }
    }
    (running.wait().code(), String::from_utf8_lossy(&shown).into_owned())
}

/// A kernel that starts in M-mode, as teaching systems do, with either way of having a timer, prints by the UART's
/// interrupts, whether its driver reads IIR or not, and uses its disk over both versions of the transport.
#[test]
fn an_m_mode_kernel_drives_its_disk_without_firmware() {
    let dir = TempDir::new("m-mode");
    let (kernel, disk) = (dir.file("kernel"), dir.file("disk.img"));
    let mut image = vec![0; 64 << 10];
    image[1024..1047].copy_from_slice(b"hello from sector two\n\0");
    std::fs::write(&disk, image).unwrap();
    for (harts, timer, uart) in [
        ("1", "-DSSTC", "-DIIR"),
        ("3", "-DSSTC", "-DIIR"),
        ("1", "-DCLINT", "-DIIR"),
        ("3", "-DCLINT", "-DIIR"),
        ("1", "-DSSTC", "-DNO_IIR"),
        ("3", "-DCLINT", "-DNO_IIR"),
    ] {
        let mut gcc = child::command("riscv64-linux-gnu-gcc");
        gcc.args([
            "-O2",
            "-ffreestanding",
            "-fno-stack-protector",
            "-fno-pie",
            "-no-pie",
            "-static",
            "-nostdlib",
        ]);
        gcc.args([
            "-march=rv64imac_zicsr_zifencei",
            "-mabi=lp64",
            "-mcmodel=medany",
            "-Wl,-N,--build-id=none",
        ]);
        gcc.args(["-Wl,--section-start=.entry=0x80000000", "-Wl,-Ttext=0x80001000"]).args([
            &format!("-DHARTS={harts}"),
            timer,
            uart,
        ]);
        gcc.arg("-o").arg(&kernel).arg(support::root().join("tests/bare/teaching_kernel.c"));
        let compiled = child::output(gcc);
        assert!(
            compiled.status.success(),
            "riscv64-linux-gnu-gcc (`make setup-test`): {}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        for (transport, version) in [(None, 2), (Some("--virtio-legacy"), 1)] {
            let mut command =
                folio(["boot", "--bios", "none", "--fuel", "2000000000", "--harts", harts, "--kernel"]);
            command.arg(&kernel).arg("--disk").arg(&disk).args(transport);
            let ran = run(command);
            let expected = format!(
                "paging is on\nall harts tick\nvirtio version {version}\nsector 2: hello from sector two\nwritten and read back\n"
            );
            assert_eq!(
                (ran.status, ran.stdout.as_str()),
                (0, expected.as_str()),
                "{harts} harts, {timer}, {uart}: {ran:?}"
            );
        }
    }
}

#[test]
fn a_kernel_packed_by_gzip_is_unpacked() {
    let dir = TempDir::new("gzip");
    let (packed, cut) = (dir.file("kernel.gz"), dir.file("cut.gz"));
    std::fs::write(dir.file("kernel"), guest_os::KERNEL_ELF).unwrap();
    let mut gzip = child::command("gzip");
    gzip.arg(dir.file("kernel"));
    assert!(child::output(gzip).status.success(), "gzip is everywhere");
    let bytes = std::fs::read(&packed).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let dump = |kernel: &std::path::Path| {
        let mut command = folio(["boot", "--dump-dtb"]);
        command.arg(dir.file("board.dtb")).arg("--kernel").arg(kernel);
        run(command)
    };
    assert_eq!(dump(&packed).status, 0);
    let refused = dump(&cut);
    assert_eq!(refused.status, 125, "{refused:?}");
    assert!(refused.stderr.contains("cut.gz: is the file complete?"), "{refused:?}");
    assert!(refused.stderr.lines().count() == 1 && refused.stdout.is_empty(), "{refused:?}");
}

/// Every command that docs/boot.md shows ends well in a folder that has the files it names.
#[test]
fn every_command_of_the_page_runs() {
    let page = std::fs::read_to_string(support::root().join("docs/boot.md")).unwrap();
    let commands: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split_once("```").expect("a block ends").0.lines())
        .collect();
    assert!(commands.len() >= 8, "{commands:?}");
    let dir = TempDir::new("boot-page");
    let Some(kernel) = input("Image") else { return };
    std::os::unix::fs::symlink(kernel, dir.file("Image")).unwrap();
    for name in ["fw_jump.elf", "fw_dynamic.elf"] {
        std::os::unix::fs::symlink(input(name).unwrap(), dir.file(name)).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_folio"), dir.file("folio")).unwrap();
    let script = "$b poweroff -f";
    let initramfs = Initramfs { modules: &["virtio_mmio"], script, ..Initramfs::default() };
    std::fs::write(dir.file("initramfs.cpio"), initramfs.archive()).unwrap();
    ext4_disk(&dir);
    let (_, hello) = guest_os::PROGRAMS.iter().find(|(name, _)| *name == "hello").unwrap();
    std::fs::write(dir.file("hello"), hello).unwrap();
    for command in commands {
        let mut shell = child::command("sh");
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        shell.args(["-c", command]).current_dir(dir.path()).env("PATH", path).stdin(Stdio::null());
        let ran = run(shell);
        assert_eq!(ran.status, 0, "{command}: {ran:?}");
        let silent = ["kernel -o", "image hello", "--dump-dtb", "virtio --device"];
        assert!(silent.iter().any(|word| command.contains(word)) || !ran.stdout.is_empty(), "{command}");
    }
    assert!(std::fs::read(dir.file("board.dtb")).unwrap().starts_with(&[0xd0, 0x0d, 0xfe, 0xed]));
}

#[test]
fn the_guest_os_boots_under_opensbi() {
    let dir = TempDir::new("guest-opensbi");
    let (kernel, image, program) = (dir.file("kernel"), dir.file("root.ext4"), dir.file("hello"));
    let (_, elf) = guest_os::PROGRAMS.iter().find(|(name, _)| *name == "hello").unwrap();
    std::fs::write(&program, elf).unwrap();
    std::fs::write(&kernel, guest_os::KERNEL_ELF).unwrap();
    let mut command = folio(["image", "-o"]);
    command.arg(&image).arg(&program);
    assert_eq!(run(command).status, 0);
    for name in ["fw_jump.elf", "fw_dynamic.elf"] {
        let Some(firmware) = input(name) else { return };
        for legacy in [None, Some("--virtio-legacy")] {
            let mut command =
                folio(["boot", "--fuel", "10000000000", "--append", "init=/bin/hello", "--bios"]);
            command.arg(&firmware).arg("--kernel").arg(&kernel).arg("--disk").arg(&image).args(legacy);
            let ran = run(command);
            assert_eq!(ran.status, 0, "{name} {legacy:?}: {ran:?}");
            assert!(
                ran.stdout.contains("OpenSBI v") && ran.stdout.to_lowercase().contains("hello"),
                "{ran:?}"
            );
        }
    }
}
