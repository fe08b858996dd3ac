//! Bad input for `folio boot` and `folio test`: kernels, firmware, RAM disks, device trees and disks that are cut short,
//! damaged, too large or something else altogether, and flags that ask for what cannot be had. One message each, which names
//! the file or the flag and says what to try, and status 125.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/bare.rs"]
mod bare;
mod support;

use bare::{code, elf};
use std::path::PathBuf;
use support::{Ran, TempDir, folio, run};

const REFUSED: i32 = 125;
/// What is not refused ends soon.
const FUEL: &str = "100000";
const MIB: usize = 1 << 20;

/// Runs the command; it must be refused with these words, briefly, on stderr only.
fn refused(what: &str, args: &[&str], words: &[&str]) {
    let fueled =
        if args.contains(&"--fuel") || args.contains(&"--fuel=-1") { &[][..] } else { &["--fuel", FUEL] };
    let ran = run(folio(args.iter().chain(fueled)));
    assert_eq!((ran.status, ran.stdout.as_str()), (REFUSED, ""), "{what}: {ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{what}: no `{word}` in: {}", ran.stderr);
    }
    // The first line says it; clap adds a few about usage.
    assert!((1..=8).contains(&ran.stderr.lines().count()), "{what}: {}", ran.stderr);
}

/// A folder with files to boot.
struct Files(TempDir);

impl Files {
    fn new(name: &str) -> Self {
        Self(TempDir::new(name))
    }
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.file(name), bytes).unwrap();
        self.path(name)
    }
    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.0.file(name);
        path.to_str().unwrap().to_string()
    }
    /// A kernel that ends the run at once, as a raw image under the built-in SBI.
    fn kernel(&self) -> String {
        self.put("good-kernel", good())
    }
}

/// Legacy shutdown.
fn good() -> Vec<u8> {
    code(&["li a7, 8", "ecall"])
}

/// A Linux image of so many bytes that wants so much memory, `text_offset` bytes into RAM.
fn linux(len: usize, text_offset: u64, memory_bytes: u64) -> Vec<u8> {
    let mut bytes = good();
    bytes.resize(len, 0);
    bytes[8..16].copy_from_slice(&text_offset.to_le_bytes());
    bytes[16..24].copy_from_slice(&memory_bytes.to_le_bytes());
    bytes[56..60].copy_from_slice(b"RSC\x05");
    bytes
}

/// The machine's own device tree, as `--dump-dtb` writes it.
fn device_tree(files: &Files) -> Vec<u8> {
    let (kernel, tree) = (files.kernel(), files.path("own.dtb"));
    let ran = run(folio(["boot", "--kernel", &kernel, "--dump-dtb", &tree]));
    assert_eq!(ran.status, 0, "{ran:?}");
    std::fs::read(tree).unwrap()
}

#[test]
fn kernels_that_cannot_be_started() {
    let files = Files::new("bad-kernels");
    let whole = elf(&["j ."]);
    let mut efi = linux(0x600, 0x20_0000, 0x1000);
    efi[..2].copy_from_slice(b"MZ");
    efi[60..64].copy_from_slice(&64u32.to_le_bytes());
    efi[64..68].copy_from_slice(b"PE\0\0");
    efi[70] = 1; // sections
    efi[88 + 16..88 + 24].copy_from_slice(&[0, 2, 0, 0, 0, 4, 0, 0]);
    let gzip = gzip(&good());
    for (what, bytes, words) in [
        ("an empty file", vec![], &["empty", "right file"][..]),
        ("an ELF cut off in its header", whole[..40].to_vec(), &["ends within its headers", "complete"]),
        ("an ELF cut off in its program headers", whole[..70].to_vec(), &["ends within its headers"]),
        (
            "an ELF cut off in its code",
            whole[..0x1000].to_vec(),
            &["segment 0 lies outside the file", "complete"],
        ),
        ("a Linux image cut off in its header", efi[..50].to_vec(), &["50 bytes", "64 at least", "complete"]),
        ("a Linux image cut off in its sections", efi[..0x500].to_vec(), &["1280 bytes", "1536 at least"]),
        ("an image larger than RAM", vec![0; 6 * MIB], &["0x600000 bytes", "0x80200000", "not RAM", "-m"]),
        (
            "a Linux image that wants more than RAM",
            linux(64, 0, 1 << 30),
            &["0x40000000 bytes", "not RAM", "-m"],
        ),
        ("one that wants all of 64 bits", linux(64, 0, u64::MAX), &["0xffffffffffffffff bytes", "not RAM"]),
        ("one that wants to lie nowhere", linux(64, 1 << 63, 64), &["not RAM"]),
        ("one at the end of 64 bits", linux(64, u64::MAX, 64), &["not RAM"]),
        ("gzip, cut off", gzip[..gzip.len() - 9].to_vec(), &["cannot unpack", "complete"]),
        ("gzip of nothing", self::gzip(b""), &["empty"]),
        ("gzip of zeros without end", self::gzip(&vec![0; 5 * MIB]), &["not RAM", "-m"]),
        ("xz", b"\xfd7zXZ\0 and so on".to_vec(), &["xz", "unpack"]),
        ("zstd", b"\x28\xb5\x2f\xfd and so on".to_vec(), &["zstd", "unpack"]),
        ("bzip2", b"BZh9 and so on".to_vec(), &["bzip2", "unpack"]),
        (
            "a kernel over the device tree",
            vec![0; 2 * MIB],
            &["device tree would overwrite the kernel", "-m"],
        ),
    ] {
        let kernel = files.put("kernel", bytes);
        refused(what, &["boot", "-m", "4M", "--kernel", &kernel], words);
        refused(what, &["boot", "-m", "4M", "--kernel", &kernel], &["cannot", &kernel]);
    }
    refused("a folder", &["boot", "--kernel", &files.path("")], &["cannot read"]);
    refused("no file", &["boot", "--kernel", &files.path("none")], &["none", "No such file"]);
    for bios in ["builtin", "none"] {
        refused("no kernel at all", &["boot", "--bios", bios], &["--kernel is missing", "--kernel FILE"]);
    }
    // What is cut off behind all sections, or only asks for room, is fine.
    let good_kernel = good();
    let (first, second) = good_kernel.split_at(good_kernel.len() / 2);
    let members = [self::gzip(first), self::gzip(b""), self::gzip(second)].concat();
    let padded = [&members[..], &[0; 512]].concat();
    for good in [linux(64, 0x20_0000, 1 << 20), self::gzip(&good_kernel), members, padded] {
        let kernel = files.put("kernel", good);
        let ran = run(folio(["boot", "-m", "4M", "--fuel", FUEL, "--kernel", &kernel]));
        assert_eq!(ran.status, 0, "{ran:?}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn firmware_and_ram_disks_that_do_not_fit() {
    let files = Files::new("bad-firmware");
    let (kernel, missing) = (files.kernel(), files.path("missing"));
    let empty = files.put("empty", []);
    let large = files.put("large", vec![1; 3 * MIB]);
    let packed = files.put("packed", gzip(b"firmware"));
    let boot = |what: &str, more: &[&str], words: &[&str]| {
        refused(what, &[&["boot", "-m", "4M", "--kernel", &kernel], more].concat(), words);
    };
    boot("no firmware", &["--bios", &missing], &["missing", "No such file"]);
    boot("empty firmware", &["--bios", &empty], &[&empty, "firmware is empty"]);
    boot("firmware over the kernel", &["--bios", &large], &[&kernel, "kernel would overwrite the firmware"]);
    boot("packed firmware", &["--bios", &packed], &[&packed, "firmware is compressed by gzip", "unpack"]);
    boot("no RAM disk", &["--initrd", &missing], &["missing", "No such file"]);
    boot("an empty RAM disk", &["--initrd", &empty], &[&empty, "initial RAM disk is empty"]);
    let huge = files.put("huge", vec![1; 5 * MIB]);
    for (file, bytes) in [(&large, "3145728"), (&huge, "5242880")] {
        let words = [file, "initial RAM disk", bytes, "does not fit into RAM (4 MiB)", "-m"];
        boot("a RAM disk that does not fit", &["--initrd", file], &words);
    }
    boot("firmware larger than RAM", &["--bios", &huge], &[&huge, "firmware", "not RAM", "-m"]);
}

#[test]
fn device_trees_that_are_none() {
    let files = Files::new("bad-trees");
    let (kernel, tree) = (files.kernel(), device_tree(&files));
    let boot = |what: &str, bytes: &[u8], words: &[&str]| {
        let file = files.put("tree", bytes);
        refused(
            what,
            &["boot", "--kernel", &kernel, "--dtb", &file],
            &[&["device tree", &file], words].concat(),
        );
    };
    boot("an empty tree", b"", &["0 bytes", "40", "complete"]);
    boot("a source", b"/dts-v1/;", &["dtc -O dtb"]);
    boot("a header cut off", &tree[..39], &["39 bytes", "complete"]);
    boot("half a tree", &tree[..tree.len() / 2], &["complete"]);
    boot("all but the last byte", &tree[..tree.len() - 1], &["complete"]);
    let with = |at: usize, value: u32| {
        let mut bytes = tree.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        bytes
    };
    boot("an old version", &with(20, 3), &["version 3"]);
    boot("nodes outside", &with(8, u32::MAX), &["damaged at byte 0x8"]);
    boot(
        "nodes that are none",
        &with(usize::try_from(u32::from_be_bytes(tree[8..12].try_into().unwrap())).unwrap(), 5),
        &["damaged at byte"],
    );
    let large = with(4, u32::try_from(200 * MIB).unwrap());
    boot("one that claims 200 MiB", &large, &["complete"]);
    let mut fits_not = large;
    fits_not.resize(200 * MIB, 0);
    boot("one that has 200 MiB", &fits_not, &["not RAM"]);
    let own = files.put("own.dtb", &tree);
    let ran = run(folio(["boot", "--fuel", FUEL, "--kernel", &kernel, "--dtb", &own]));
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn a_tree_that_is_given_is_told_the_command_line_and_the_ram_disk() {
    let files = Files::new("told-trees");
    let (kernel, tree) = (files.kernel(), device_tree(&files));
    let (own, initrd, dumped) =
        (files.put("own.dtb", &tree), files.put("initrd", [7; 99]), files.path("dumped"));
    let with_own = ["boot", "--kernel", &kernel, "--dtb", &own, "--dump-dtb", &dumped];
    let dump = |more: &[&str]| {
        let ran = run(folio([&with_own, more].concat()));
        assert_eq!(ran.status, 0, "{ran:?}");
        std::fs::read(&dumped).unwrap()
    };
    assert!(dump(&[]) == tree, "nothing is to be told");
    let told = dump(&["--append", "loud words", "--initrd", &initrd]);
    let says = |what: &[u8]| told.windows(what.len()).any(|window| window == what);
    assert!(says(b"loud words\0") && says(b"linux,initrd-start\0") && says(b"linux,initrd-end\0"));
    // And it starts.
    let start = ["boot", "--fuel", FUEL, "--kernel", &kernel, "--dtb", &dumped, "--append", "again"];
    let ran = run(folio(start));
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn disks_that_cannot_be_attached() {
    let files = Files::new("bad-disks");
    let kernel = files.kernel();
    let (missing, folder) = (files.path("missing"), files.path(""));
    let empty = files.put("empty", []);
    let disk = files.put("disk", [0; 1024]);
    let boot = |what: &str, more: &[&str], words: &[&str]| {
        refused(what, &[&["boot", "--kernel", &kernel], more].concat(), words);
    };
    boot("no disk", &["--disk", &missing], &["missing", "ENOENT"]);
    boot("a folder", &["--disk", &folder], &["it is a folder", "an image file is wanted"]);
    boot("an empty disk", &["--disk", &empty], &["empty", "right file"]);
    let nine: Vec<&str> = ["--disk", &disk].repeat(9);
    boot("nine disks", &nine, &["slots are taken", "fewer"]);
    let eight_and_more = [&["--disk", &disk].repeat(8)[..], &["--device", "rng"]].concat();
    boot("eight disks and a device", &eight_and_more, &["slots are taken", "fewer"]);
}

#[test]
fn flags_that_ask_for_what_cannot_be_had() {
    let files = Files::new("bad-flags");
    let kernel = files.kernel();
    let program = files.put("program", elf(&["j ."]));
    let flash = ["boot", "--kernel", &kernel, "--pflash", "RISCV_VIRT_CODE.fd"];
    refused("flash", &flash, &["--pflash", "no flash", "--kernel"]);
    // The guest OS would end in a trap of its own without these.
    for (isa, word) in [("rv64i", "`m`"), ("rv64gc", "`zicntr`"), ("rv64imac_zicntr", "`f`, `d`")] {
        refused(isa, &["run", "--isa", isa, "hello"], &["--isa leaves out", word]);
    }
    for (flags, words) in [
        (&["--isa", "rv64gcx"][..], &["--isa", "x"][..]),
        (&["--isa", "rv64gcv"], &["--isa", "v"]),
        (&["--isa", "rv64gch"], &["--isa", "h"]),
        (&["--isa", "rv64gc_zbz"], &["`zbz`", "nearest: zba, zbb", "`--isa help`"]),
        (&["--isa", "RVA23S64"], &["`RVA23S64` asks for what is not supported: v h"]),
        (&["--isa", "rv64gc_"], &["--isa"]),
        (&["--isa", "rv32gc"], &["--isa", "rv32"]),
        (&["--isa", "zba"], &["--isa", "zba"]),
        (&["--isa", ""], &["--isa"]),
        (&["--harts", "0"], &["--harts", "0", "1"]),
        (&["--harts", "65"], &["--harts", "64"]),
        (&["--harts=-1"], &["--harts"]),
        (&["--harts", "two"], &["--harts", "two"]),
        (&["--pmp", "3"], &["--pmp", "16"]),
        (&["-m", "1M"], &["4M"]),
        (&["-m", "4097K1"], &["128M"]),
        (&["-m", "17G"], &["16G"]),
        (&["--tlb", "0"], &["--tlb"]),
        (&["--tlb", "64x3"], &["--tlb", "ENTRIES"]),
        (&["--tlb", "64x4:random"], &["--tlb", "fifo"]),
        (&["--engine", "warp"], &["--engine", "interp"]),
        (&["--fuel=-1"], &["--fuel"]),
        (&["--fuel", "lots"], &["--fuel", "lots"]),
        (&["--json", "/nowhere/x"], &["/nowhere/x", "folder that exists"]),
        (&["--log-commits", "/nowhere/x"], &["/nowhere/x", "folder that exists"]),
    ] {
        let what = flags.join(" ");
        refused(&what, &[&["boot", "--kernel", &kernel], flags].concat(), words);
        refused(&what, &[&["test", &program], flags].concat(), words);
    }
    for (flags, words) in [
        (&["--dump-dtb", "/nowhere/x"][..], &["/nowhere/x", "folder that exists"][..]),
        (&["--console", "brass"], &["--console", "uart"]),
        (&["--device", "toaster"], &["--device", "rng"]),
        (&["--seed", "x"], &["--seed", "whole number"]),
        (&["--seed", "-1"], &["'-1' for '--seed <N>'", "whole number from 0"]),
        (&["--fuel", "-1"], &["'-1' for '--fuel <N>'", "whole number from 0"]),
    ] {
        refused(&flags.join(" "), &[&["boot", "--kernel", &kernel], flags].concat(), words);
    }
    for (flags, words) in [
        (&["-j", "0"][..], &["1..=1024"][..]),
        (&["--signature-granularity", "0"], &["power of two from 1 to 64"]),
        (&["--signature-granularity", "3"], &["power of two from 1 to 64"]),
        (&["--signature-granularity", "128"], &["power of two from 1 to 64"]),
        (&["--trace-tail", "all"], &["--trace-tail"]),
        (&["--junit", "/nowhere/x"], &["/nowhere/x", "folder that exists"]),
        (&["--signature", "/nowhere/x"], &["/nowhere/x", "folder that exists"]),
        (&["--signature-dir", "/dev/null/x"], &["/dev/null/x"]),
        (&["--compare-signatures", "/nowhere"], &["--compare-signatures", "/nowhere", "no folder"]),
    ] {
        refused(&flags.join(" "), &[&["test", &program], flags].concat(), words);
    }
}

#[test]
fn what_ends_without_a_word_is_told() {
    let files = Files::new("silent");
    let kernel = files.kernel();
    let ran = run(folio(["boot", "--kernel", &kernel]));
    let told =
        "folio: nothing was printed in 1 instructions: the machine was shut down (reason 0); Linux prints";
    assert!(ran.status == 0 && ran.stderr.starts_with(told) && ran.stderr.lines().count() == 1, "{ran:?}");
    // Without a handler each trap leads to the next.
    let traps = files.put("traps", code(&["ld a0, 0(zero)"]));
    for (bios, silent) in
        [("none", "folio: nothing was printed in 0 instructions\n"), ("builtin", "earlycon=sbi")]
    {
        let ran = run(folio(["boot", "--bios", bios, "--kernel", &traps]));
        let told = "folio: the hart traps for ever, as its trap handler cannot be fetched at 0x0\n";
        assert!(ran.status == 124 && ran.stderr.starts_with(told), "{bios}: {ran:?}");
        assert!(ran.stderr.contains(silent), "{bios}: {ran:?}");
    }
}

#[test]
fn files_that_cannot_be_written() {
    let files = Files::new("bad-outputs");
    let kernel = files.kernel();
    let program = files.put("program", elf(&["j ."]));
    let (boot, test) = (["boot", "--kernel", &kernel], ["test", "--fuel", "10", &program]);
    let run = |args: &[&str]| run(folio(args));
    for (command, flag) in [
        (&boot[..], "--json"),
        (&boot, "--log-commits"),
        (&boot, "--dump-dtb"),
        (&test, "--json"),
        (&test, "--junit"),
        (&test, "--log-commits"),
        (&["run", "hello"], "--json"),
        (&["run", "hello"], "--trace"),
        (&["run", "hello"], "--log-commits"),
        (&["kernel"], "--output"),
    ] {
        let ran = run(&[&command[..1], &[flag, "/dev/full"], &command[1..]].concat());
        assert_eq!(ran.status, REFUSED, "{command:?} {flag}: {ran:?}");
        let told = ran.stderr.lines().last().unwrap_or_default();
        let why = "folio: cannot write /dev/full: No space left on device";
        assert!(told.starts_with(why), "{command:?} {flag}: {ran:?}");
    }
    // One file for two: neither is touched.
    let one = files.put("one", "old");
    std::os::unix::fs::symlink(&one, files.path("link")).unwrap();
    for (a, b) in [(&one, &one), (&one, &files.path("link")), (&files.path("new"), &files.path("./new"))] {
        for (command, flag) in [(&test[..], "--junit"), (&test, "--log-commits"), (&boot, "--log-commits")] {
            let both = [&command[..1], &["--json", a, flag, b], &command[1..]].concat();
            refused("one for two", &both, &["--json", flag, "a file of its own"]);
        }
    }
    assert_eq!(std::fs::read_to_string(&one).unwrap(), "old");
    assert!(!std::path::Path::new(&files.path("new")).exists());
    assert_eq!(
        run(&["test", "--fuel", "10", "--json", "/dev/null", "--junit", "/dev/null", &program]).status,
        1
    );
}

#[test]
fn tests_that_cannot_be_loaded_fail_with_the_reason() {
    let files = Files::new("bad-tests");
    let whole = elf(&["j ."]);
    let fails = |bytes: &[u8], more: &[&str]| -> Ran {
        let file = files.put("program", bytes);
        let ran = run(folio([&["test", &file], more].concat()));
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""), "{ran:?}");
        ran
    };
    let cut = fails(&whole[..40], &[]).stdout;
    assert!(cut.contains("the program is not an ELF") && cut.contains("ends within its headers"), "{cut}");
    assert!(fails(&whole[..0x1000], &[]).stdout.contains("is the file complete?"));
    let mut far = whole.clone();
    far[64 + 24..64 + 32].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(fails(&far, &[]).stdout.contains("not RAM"));
    // A test larger than the default gets what it needs, but not more than was said.
    let mut large = whole.clone();
    large[64 + 40..64 + 48].copy_from_slice(&(200u64 << 20).to_le_bytes());
    assert!(fails(&large, &["-m", "128M"]).stdout.contains("not RAM"));
    assert!(fails(&large, &["--fuel", "10"]).stdout.contains("no result after 10 steps"));
}
