//! Images to boot, damaged at random: ELFs, Linux images, device trees, cut short or with wrong bytes, most of them
//! where the headers are. Each is refused or runs for a while.

use super::bare;
use super::random::Random;
use emulator::loader::{Boot, Firmware};
use emulator::machine::{Machine, MachineConfig};
use isa::Step;

const RAM_BYTES: u64 = 4 << 20;
const STEPS: Step = Step(2000);

/// What became of the images.
#[derive(Default, Debug)]
pub struct Seen {
    pub started: u64,
    pub refused: u64,
}

pub fn run(seed: u64, count: u64) -> Seen {
    let (mut seen, mut random) = (Seen::default(), Random(seed));
    let symbols = [("_start", 0), ("tohost", bare::TOHOST)];
    let elf = bare::elf_with(&["auipc t0, 1", "li a0, 1", "sd a0, 0(t0)", "j .-4"], &symbols);
    let linux = linux();
    let tree = device_tree(&elf);
    for _ in 0..count {
        let kernel = match random.below(3) {
            0 => damaged(&mut random, &linux),
            1 => damaged(&mut random, &elf),
            _ => elf.clone(),
        };
        let damaged_tree = damaged(&mut random, &tree);
        let boot = Boot {
            firmware: match random.below(3) {
                0 => Firmware::None,
                1 => Firmware::Image(&kernel),
                _ => Firmware::Builtin,
            },
            kernel: Some(&kernel),
            device_tree: random.one_in(3).then_some(&damaged_tree[..]),
            initrd: random.one_in(3).then_some(&damaged_tree[..]),
            ..Boot::kernel(&kernel)
        };
        let mut machine =
            Machine::new(MachineConfig { ram_bytes: RAM_BYTES, ..MachineConfig::default() }).unwrap();
        match machine.boot(&boot) {
            Ok(_) => {
                machine.run(STEPS);
                seen.started += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                seen.refused += 1;
            }
        }
    }
    seen
}

/// An image with the header of Linux and of an EFI program.
fn linux() -> Vec<u8> {
    let mut bytes = bare::code(&["li a7, 8", "ecall"]);
    bytes.resize(0x800, 0);
    bytes[..2].copy_from_slice(b"MZ");
    bytes[10] = 0x20; // text_offset 2 MiB
    bytes[17] = 0x10; // image_size
    bytes[56..64].copy_from_slice(b"RSC\x05\x40\0\0\0");
    bytes[64..68].copy_from_slice(b"PE\0\0");
    bytes[70] = 1;
    bytes[88 + 16..88 + 24].copy_from_slice(&[0, 4, 0, 0, 0, 4, 0, 0]);
    bytes
}

/// The machine's own device tree.
fn device_tree(kernel: &[u8]) -> Vec<u8> {
    let mut machine =
        Machine::new(MachineConfig { ram_bytes: RAM_BYTES, ..MachineConfig::default() }).unwrap();
    let at = machine.boot(&Boot::bare(kernel)).unwrap().device_tree;
    let size = machine.ram().slice(at.wrapping_add(4), 4).unwrap();
    let size = u32::from_be_bytes(size.try_into().unwrap());
    machine.ram().slice(at, usize::try_from(size).unwrap()).unwrap().to_vec()
}

fn damaged(random: &mut Random, image: &[u8]) -> Vec<u8> {
    let mut bytes = image.to_vec();
    for _ in 0..1 + random.below(4) {
        let limit = if random.one_in(3) { bytes.len() as u64 } else { 128.min(bytes.len() as u64) };
        let at = usize::try_from(random.below(limit)).unwrap();
        let value = random.number().to_le_bytes();
        let len = usize::try_from(random.of(&[1u64, 1, 2, 4, 8])).unwrap().min(bytes.len() - at);
        bytes[at..at + len].copy_from_slice(&value[..len]);
    }
    if random.one_in(6) {
        bytes.truncate(usize::try_from(random.below(bytes.len() as u64)).unwrap());
    }
    bytes
}
