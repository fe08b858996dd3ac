//! Rows of good and bad images, and a fixed-seed fuzz of damaged ELFs.

use super::*;
use dtoolkit::fdt::Fdt;
use dtoolkit::{Node as _, Property as _};
use goblin::elf::header::{EM_RISCV, EM_X86_64, ET_EXEC, ET_REL};

const RAM_BYTES: usize = 1 << 20;
const HEADER_BYTES: usize = 64;

/// One load segment.
#[derive(Clone, Copy)]
struct Load {
    va: u64,
    pa: u64,
    file_bytes: u64,
    memory_bytes: u64,
    offset: u64,
}

fn load_at(pa: u64) -> Load {
    Load { va: pa, pa, file_bytes: 8, memory_bytes: 16, offset: 0x1000 }
}

/// An ELF with these segments; the file's bytes from 0x1000 on are 0xaa.
fn elf(entry: u64, loads: &[Load]) -> Vec<u8> {
    let mut bytes = vec![0; 0x1000];
    bytes.resize(0x1100, 0xaa);
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    let put16 =
        |bytes: &mut Vec<u8>, at: usize, value: u16| bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    let put64 =
        |bytes: &mut Vec<u8>, at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put16(&mut bytes, 16, ET_EXEC);
    put16(&mut bytes, 18, EM_RISCV);
    bytes[20] = 1;
    put64(&mut bytes, 24, entry);
    put64(&mut bytes, 32, HEADER_BYTES as u64);
    put16(&mut bytes, 52, 64);
    put16(&mut bytes, 54, 56);
    put16(&mut bytes, 56, u16::try_from(loads.len()).unwrap());
    for (index, load) in loads.iter().enumerate() {
        let at = HEADER_BYTES + index * 56;
        bytes[at] = 1;
        for (field, value) in
            [(8, load.offset), (16, load.va), (24, load.pa), (32, load.file_bytes), (40, load.memory_bytes)]
        {
            put64(&mut bytes, at + field, value);
        }
    }
    bytes
}

fn boot(kernel: &[u8]) -> Result<(Ram, BootInfo), LoadError> {
    let mut ram = Ram::new(RAM_BYTES);
    load(&mut ram, 1, IsaSet::default(), &Boot::bare(kernel)).map(|info| (ram, info))
}

fn kernel_error(kernel: &[u8]) -> ElfError {
    match boot(kernel) {
        Err(LoadError::Elf { image: Image::Program, error }) => error,
        other => panic!("an ELF error was due, not {:?}", other.map(|(_, info)| info)),
    }
}

#[test]
fn segments_go_to_their_physical_addresses_and_the_rest_is_zero() {
    let virt = 0xffff_ffc0_8000_0000;
    let load = Load { va: virt, ..load_at(RAM_BASE.0) };
    let (ram, info) = boot(&elf(virt + 4, &[load])).unwrap();
    assert_eq!(info.entry, PhysAddr(RAM_BASE.0 + 4));
    assert_eq!(info.privilege, Privilege::Machine);
    assert_eq!(ram.slice(RAM_BASE, 17).unwrap(), [&[0xaa; 8][..], &[0; 9]].concat());
}

#[test]
fn of_overlapping_segments_the_later_one_wins_with_its_zeros() {
    let first = Load { file_bytes: 32, memory_bytes: 32, ..load_at(RAM_BASE.0) };
    let second = Load { file_bytes: 0, memory_bytes: 4, ..load_at(RAM_BASE.0 + 8) };
    let (ram, _) = boot(&elf(RAM_BASE.0, &[first, second])).unwrap();
    assert_eq!(ram.slice(RAM_BASE, 16).unwrap(), [&[0xaa; 8][..], &[0; 4], &[0xaa; 4]].concat());
}

/// Adds a symbol table with these names and values.
fn with_symbols(mut bytes: Vec<u8>, symbols: &[(&str, u64)]) -> Vec<u8> {
    let names_at = bytes.len();
    bytes.push(0);
    let mut table = vec![0u8; 24];
    for (name, value) in symbols {
        let mut symbol = vec![0; 24];
        symbol[..4].copy_from_slice(&u32::try_from(bytes.len() - names_at).unwrap().to_le_bytes());
        symbol[6] = 1;
        symbol[8..16].copy_from_slice(&value.to_le_bytes());
        table.extend(symbol);
        bytes.extend(name.as_bytes());
        bytes.push(0);
    }
    let names_len = bytes.len() - names_at;
    let table_at = bytes.len();
    bytes.extend(&table);
    let sections_at = bytes.len();
    let section = |kind: u32, at: usize, len: usize, link: u32| {
        let mut section = vec![0; 64];
        section[4..8].copy_from_slice(&kind.to_le_bytes());
        section[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        section[32..40].copy_from_slice(&(len as u64).to_le_bytes());
        section[40..44].copy_from_slice(&link.to_le_bytes());
        section
    };
    bytes.extend(
        [section(0, 0, 0, 0), section(2, table_at, table.len(), 2), section(3, names_at, names_len, 0)]
            .concat(),
    );
    bytes[40..48].copy_from_slice(&(sections_at as u64).to_le_bytes());
    bytes[58..62].copy_from_slice(&[64, 0, 3, 0]);
    bytes
}

#[test]
fn symbols_say_where_tohost_and_the_signature_are() {
    let virt = 0xffff_ffc0_8000_0000;
    let load = Load { va: virt, memory_bytes: 0x1000, ..load_at(RAM_BASE.0) };
    let symbols = [
        ("tohost", virt + 0x40),
        ("fromhost", virt + 0x80),
        ("begin_signature", virt),
        ("end_signature", virt + 16),
    ];
    let (_, info) = boot(&with_symbols(elf(virt, &[load]), &symbols)).unwrap();
    let at = |offset| RAM_BASE.wrapping_add(offset);
    assert_eq!(info.htif, Some(Htif { tohost: at(0x40), fromhost: Some(at(0x80)) }));
    assert_eq!(info.signature, Some((at(0), at(16))));
    let (_, stripped) = boot(&elf(virt, &[load])).unwrap();
    assert_eq!((stripped.htif, stripped.signature), (None, None));
}

#[test]
fn a_stripped_program_has_tohost_by_its_section() {
    let at = |offset| RAM_BASE.wrapping_add(offset);
    for (name, flags, found) in [(".tohost", 2, true), (".tohost", 0, false), (".tohos", 2, false)] {
        let mut bytes = elf(RAM_BASE.0, &[load_at(RAM_BASE.0)]);
        let names = [b"\0", name.as_bytes(), b"\0"].concat();
        let (names_at, sections_at) = (bytes.len(), bytes.len() + names.len());
        bytes.extend(&names);
        let section = |kind: u8, flags: u8, address: u64, at: usize, len: usize| {
            let mut section = vec![0; 64];
            (section[0], section[4], section[8]) = (u8::from(kind == 1), kind, flags);
            section[16..24].copy_from_slice(&address.to_le_bytes());
            section[24..32].copy_from_slice(&(at as u64).to_le_bytes());
            section[32..40].copy_from_slice(&(len as u64).to_le_bytes());
            section
        };
        bytes.extend(section(0, 0, 0, 0, 0));
        bytes.extend(section(1, flags, at(0x40).0, 0, 0));
        bytes.extend(section(3, 0, 0, names_at, names.len()));
        bytes[40..48].copy_from_slice(&(sections_at as u64).to_le_bytes());
        bytes[58..64].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
        let (_, info) = boot(&bytes).unwrap();
        let htif = Htif { tohost: at(0x40), fromhost: Some(at(0x80)) };
        assert_eq!(info.htif, found.then_some(htif), "{name} {flags}");
    }
}

#[test]
fn damaged_elfs_are_named() {
    let good = elf(RAM_BASE.0, &[load_at(RAM_BASE.0)]);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let x86 = EM_X86_64;
    let rows = [
        (good[..5].to_vec(), ElfError::Truncated { len_bytes: 5 }),
        (good[..40].to_vec(), ElfError::Truncated { len_bytes: 40 }),
        (good[..100].to_vec(), ElfError::Truncated { len_bytes: 100 }),
        (with(4, &[1]), ElfError::NotClass64),
        (with(5, &[2]), ElfError::BigEndian),
        (with(18, &x86.to_le_bytes()), ElfError::OtherMachine { machine: x86 }),
        (with(16, &ET_REL.to_le_bytes()), ElfError::NotExecutable { kind: ET_REL }),
        (with(54, &[32, 0]), ElfError::BadHeaderSize { bytes: 32 }),
        (with(56, &[0, 0]), ElfError::NothingToLoad),
        (with(64, &[2]), ElfError::NothingToLoad),
        (with(32, &[0xff; 8]), ElfError::Truncated { len_bytes: good.len() }),
        (with(72, &[0xff; 8]), ElfError::SegmentOutsideFile { index: 0, offset: u64::MAX, len_bytes: 8 }),
        (with(104, &[4]), ElfError::SegmentShrinks { index: 0, file_bytes: 8, memory_bytes: 4 }),
        (with(88, &[0xff; 8]), ElfError::SegmentWraps { index: 0, address: u64::MAX, len_bytes: 16 }),
    ];
    for (bytes, error) in rows {
        assert_eq!(kernel_error(&bytes), error);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let ram_bytes = RAM_BYTES as u64;
    for (load, len_bytes) in [
        (load_at(0), 16),
        (load_at(RAM_BASE.0 - 8), 16),
        (load_at(RAM_BASE.0 + ram_bytes - 8), 16),
        (Load { memory_bytes: 1 << 40, ..load_at(RAM_BASE.0) }, 1 << 40),
    ] {
        let error = boot(&elf(load.va, &[load])).err();
        let at = PhysAddr(load.pa);
        assert_eq!(error, Some(LoadError::OutsideRam { image: Image::Program, at, len_bytes, ram_bytes }));
    }
    let (image, other) = (Image::DeviceTree, Image::Program);
    let all = Load { memory_bytes: ram_bytes, ..load_at(RAM_BASE.0) };
    assert_eq!(boot(&elf(all.va, &[all])).err(), Some(LoadError::Overlap { image, other }));
    assert_eq!(boot(&[]).err(), Some(LoadError::Empty { image: Image::Program }));
}

#[test]
fn raw_kernel_initrd_and_firmware() {
    let mut ram = Ram::new(64 << 20);
    let boot = Boot {
        firmware: Firmware::Image(&[0x13; 64]),
        initrd: Some(&[0x55; 5000]),
        ..Boot::kernel(&[0x6f; 128])
    };
    let info = load(&mut ram, 1, IsaSet::default(), &boot).unwrap();
    assert_eq!((info.entry, info.privilege), (RAM_BASE, Privilege::Machine));
    assert_eq!(ram.slice(KERNEL_BASE, 1), Some(&[0x6f][..]));
    let block = ram.slice(info.fw_dynamic.unwrap(), 24).unwrap();
    assert_eq!((&block[..4], &block[16..24]), (&b"OSBI"[..], &KERNEL_BASE.0.to_le_bytes()[..]));
    let size = ram.slice(info.device_tree.wrapping_add(4), 4).unwrap();
    let size = u32::from_be_bytes(size.try_into().unwrap());
    let tree = ram.slice(info.device_tree, usize::try_from(size).unwrap()).unwrap();
    let chosen = Fdt::new(tree).unwrap().find_node("/chosen").unwrap();
    let start = chosen.property("linux,initrd-start").unwrap().value_as::<u64>().map(PhysAddr).unwrap();
    assert_eq!((start.page_offset(), ram.slice(start, 5000)), (0, Some(&[0x55; 5000][..])));
}

#[test]
fn a_command_line_has_no_nul() {
    let kernel = Boot::kernel(&[0x6f; 128]);
    let boot = Boot { chosen: Chosen { bootargs: "a\0b", ..Chosen::default() }, ..kernel };
    let loaded = load(&mut Ram::new(64 << 20), 1, IsaSet::default(), &boot);
    assert_eq!(loaded.err(), Some(LoadError::NulInBootargs { at: 1 }));
}

#[test]
fn thousands_of_damaged_files_never_panic() {
    let plain = elf(RAM_BASE.0, &[load_at(RAM_BASE.0), load_at(RAM_BASE.0 + 0x100)]);
    let good = with_symbols(plain, &[("tohost", RAM_BASE.0), ("end_signature", 5)]);
    let mut numbers = crate::test_support::xorshift(0x2545_f491_4f6c_dd1d);
    let mut random = move |limit: usize| usize::try_from(numbers() % limit as u64).unwrap();
    let (mut started, mut refused) = (0, 0);
    for _ in 0..8_000 {
        let mut bytes = good.clone();
        for _ in 0..=random(4) {
            // The headers, or the sections at the end.
            let at = if random(2) == 0 { random(176) } else { bytes.len() - 1 - random(0x140) };
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)];
        }
        if random(8) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        match boot(&bytes) {
            Ok(_) => started += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(started > 500 && refused > 500, "{started} started, {refused} refused");
}

/// A Linux image of 4 KiB that wants to lie at `text_offset` and takes `memory_bytes`.
fn linux(text_offset: u64, memory_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![0x55; 4096];
    bytes[8..16].copy_from_slice(&text_offset.to_le_bytes());
    bytes[16..24].copy_from_slice(&memory_bytes.to_le_bytes());
    bytes[56..60].copy_from_slice(b"RSC\x05");
    bytes
}

#[test]
fn a_linux_image_goes_where_its_header_says_and_keeps_its_memory() {
    let (ram, info) = boot(&linux(0x2_0000, 0x8000)).unwrap();
    assert_eq!(info.entry, PhysAddr(RAM_BASE.0 + 0x2_0000));
    assert_eq!(ram.slice(info.entry.wrapping_add(60), 1).unwrap(), [0x55]);
    let small = linux(0, 1);
    let taken = LinuxImage::parse(&small).unwrap().memory_bytes;
    assert_eq!(taken, 4096, "never less than the file");
    let greedy = linux(0x2_0000, RAM_BYTES as u64 - 0x2_0000);
    assert!(matches!(
        boot(&greedy),
        Err(LoadError::Overlap { image: Image::DeviceTree, other: Image::Program })
    ));
    assert!(matches!(
        boot(&linux(0x2_0000, u64::MAX)),
        Err(LoadError::OutsideRam { image: Image::Program, .. })
    ));
    assert!(matches!(boot(&linux(u64::MAX, 0)), Err(LoadError::OutsideRam { image: Image::Program, .. })));
    assert_eq!(LinuxImage::parse(&small[..63]), None);
}

#[test]
fn a_position_independent_elf_linked_below_ram_is_moved_into_it() {
    let mut bytes = elf(4, &[load_at(0), load_at(0x4000)]);
    bytes[16] = 3;
    let (ram, info) = boot(&bytes).unwrap();
    assert_eq!(info.entry, PhysAddr(RAM_BASE.0 + 4));
    assert_eq!(ram.slice(PhysAddr(RAM_BASE.0 + 0x4000), 9).unwrap(), [&[0xaa; 8][..], &[0]].concat());
    bytes[16] = 2;
    assert!(
        matches!(boot(&bytes), Err(LoadError::OutsideRam { image: Image::Program, .. })),
        "an executable is not"
    );
}
