//! Debian's U-Boot, below S-mode's firmware or without any, reads a kernel and a RAM disk of 43 MB from a FAT disk, by one
//! request each, and starts Linux with the device tree that it was given. A piece of the campaign, which fetches U-Boot.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/linux.rs"]
mod linux;
mod support;

use linux::{Initramfs, input, type_from_file};
use std::path::{Path, PathBuf};
use support::{TempDir, child, folio, missing, root, run};

const INITRD_BYTES: usize = 43 << 20;
/// Linux with random numbers and all of its RAM disk.
const SCRIPT: &str = "\
echo Linux is up
$b dmesg | $b grep 'random: crng init done'
$b head -c 32 /dev/random | $b wc -c
$b poweroff -f";
/// The first lines are lost or stop the countdown.
const STOP: &str = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nxxxxxxxxxxxxxxxx\n";
const LOAD: &str = "\
fatload virtio 0 ${kernel_addr_r} IMAGE
fatload virtio 0 ${ramdisk_addr_r} INITRD
setenv bootargs console=ttyS0 panic=-1 quiet
";
const BOOT_LINUX: &str = "booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}\n";

/// Where Linux waits for OpenSBI, which U-Boot starts in its place.
const KERNEL_AT: &str = "0x84200000";
const LOAD_OPENSBI: &str = "\
setenv opensbi_addr ${kernel_addr_r}
fatload virtio 0 ${opensbi_addr} OPENSBI
setenv kernel_addr_r ";
const BOOT_OPENSBI: &str = "booti ${opensbi_addr} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}\n";

const SECTOR_BYTES: usize = 512;
const CLUSTER_BYTES: usize = 4096;
const ROOT_ENTRIES: u16 = 512;

/// A FAT16 image with these files one after the other; the names have eleven characters.
fn fat_disk(files: &[(&str, &[u8])]) -> Vec<u8> {
    let clusters_of = |bytes: &[u8]| bytes.len().div_ceil(CLUSTER_BYTES);
    let clusters: usize = files.iter().map(|(_, bytes)| clusters_of(bytes)).sum();
    let table_sectors = ((clusters + 2) * 2).div_ceil(SECTOR_BYTES);
    let root_at = (1 + table_sectors) * SECTOR_BYTES;
    let data_at = root_at + usize::from(ROOT_ENTRIES) * 32;
    let mut disk = vec![0; data_at + clusters * CLUSTER_BYTES];
    let total_sectors = u32::try_from(disk.len() / SECTOR_BYTES).unwrap();
    let mut put = |at: usize, bytes: &[u8]| disk[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\xeb\x3c\x90FOLIO   \x00\x02");
    put(13, &[u8::try_from(CLUSTER_BYTES / SECTOR_BYTES).unwrap(), 1, 0, 1]);
    put(17, &ROOT_ENTRIES.to_le_bytes());
    put(21, &[0xf8]);
    put(22, &u16::try_from(table_sectors).unwrap().to_le_bytes());
    put(32, &total_sectors.to_le_bytes());
    put(36, b"\x80\x00\x29\x01\x02\x03\x04FOLIO      FAT16   ");
    put(510, b"\x55\xaa");
    put(SECTOR_BYTES, &[0xf8, 0xff, 0xff, 0xff]);
    let mut cluster = 2;
    for (entry, (name, bytes)) in files.iter().enumerate() {
        let (first, end) = (cluster, cluster + clusters_of(bytes));
        for cluster in first..end {
            let next = if cluster + 1 < end { u16::try_from(cluster + 1).unwrap() } else { 0xffff };
            put(SECTOR_BYTES + 2 * cluster, &next.to_le_bytes());
        }
        let at = root_at + 32 * entry;
        put(at, name.as_bytes());
        put(at + 26, &u16::try_from(first).unwrap().to_le_bytes());
        put(at + 28, &u32::try_from(bytes.len()).unwrap().to_le_bytes());
        put(data_at + (first - 2) * CLUSTER_BYTES, bytes);
        cluster = end;
    }
    disk
}

/// U-Boot as set-up has fetched it; `None`, and a note, if it could not.
fn u_boot(name: &str) -> Option<PathBuf> {
    let inputs = root().join("target/test-inputs");
    if inputs.join("u-boot/packages.txt").exists() {
        return Some(inputs.join("u-boot").join(name));
    }
    assert!(inputs.join("u-boot.unavailable").exists(), "no U-Boot: run tests/setup/u-boot.sh");
    missing::not_run("set-up could not fetch Debian's U-Boot");
    None
}

/// OpenSBI as a file that U-Boot starts as it starts Linux, made by the commands of docs/boot.md.
fn opensbi_image(dir: &TempDir) -> Vec<u8> {
    let page = std::fs::read_to_string(root().join("docs/boot.md")).unwrap();
    let (_, after) = page.split_once("```bash\n").expect("the page makes the file");
    let (commands, _) = after.split_once("```").expect("a block ends");
    assert!(commands.contains(&format!("-DKERNEL={KERNEL_AT} ")), "{commands}");
    std::os::unix::fs::symlink(root().join("tests"), dir.file("tests")).unwrap();
    let elf = input("fw_dynamic.elf").unwrap();
    let script = format!("riscv64-linux-gnu-objcopy -O binary {} fw_dynamic.bin\n{commands}", elf.display());
    let mut shell = child::command("sh");
    shell.args(["-ec", &script]).current_dir(dir.path());
    let ran = child::output(shell);
    assert!(ran.status.success(), "`make setup-test`: {}", String::from_utf8_lossy(&ran.stderr));
    std::fs::read(dir.file("opensbi.img")).unwrap()
}

/// U-Boot is given `flags` and typed `commands`, and Linux comes up from the disk's files.
fn linux_comes_up(u_boot: &Path, flags: &[&str], commands: &[&str]) {
    let dir = TempDir::new("u-boot");
    let image = std::fs::read(input("Image").unwrap()).unwrap();
    let mut initrd = Initramfs { script: SCRIPT, ..Initramfs::default() }.archive();
    // Linux passes over zeros behind an archive.
    initrd.resize(INITRD_BYTES, 0);
    let opensbi = opensbi_image(&dir);
    let disk = dir.file("disk.img");
    let files = [("IMAGE      ", &image[..]), ("INITRD     ", &initrd), ("OPENSBI    ", &opensbi)];
    std::fs::write(&disk, fat_disk(&files)).unwrap();
    let mut command = folio(["boot", "-m", "512M", "--fuel", "30000000000"]);
    command.args(flags).arg("--disk").arg(disk).arg("--kernel").arg(u_boot);
    type_from_file(&dir, &mut command, &[&[STOP], commands].concat().concat());
    let ran = run(command);
    assert_eq!(ran.status, 0, "{flags:?}: {ran:?}");
    for words in [
        &format!("{} bytes read", image.len()),
        &format!("{INITRD_BYTES} bytes read"),
        "Linux is up",
        "[    0.000000] random: crng init done",
        "\n32",
    ] {
        assert!(ran.stdout.contains(words), "{flags:?}: no {words:?} in {}", ran.stdout);
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn u_boot_loads_and_starts_linux() {
    let Some(smode) = u_boot("smode.bin") else { return };
    let opensbi = input("fw_dynamic.elf").unwrap();
    for flags in [&[][..], &["--virtio-legacy", "--harts", "2"], &["--bios", opensbi.to_str().unwrap()]] {
        linux_comes_up(&smode, flags, &[LOAD, BOOT_LINUX]);
    }
}

/// Without an SBI below it U-Boot stays in M-mode, and starts there what `booti` names.
#[test]
#[ignore = "a piece of make campaign"]
fn u_boot_in_m_mode_starts_opensbi_and_that_linux() {
    let Some(mmode) = u_boot("mmode.bin") else { return };
    for flags in [&["--bios", "none"][..], &["--bios", "none", "--virtio-legacy", "--harts", "2"]] {
        linux_comes_up(&mmode, flags, &[LOAD_OPENSBI, KERNEL_AT, "\n", LOAD, BOOT_OPENSBI]);
    }
}
