//! Whole operating systems, with and without what they have decoded: the guest OS with its self-test, and Debian's Linux.
//! Minutes each, so they are the campaign's. `FOLIO_DECODED_SEED` chooses where code is lost.

use emulator::host::DiskImage;
use emulator::image::{RootImage, program_path};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{Machine, MachineConfig, StopReason};
use emulator::mem::tlb::TlbGeometry;
use isa::Step;

use crate::linux::{Initramfs, input};
use crate::lost_code::{Loss, Losses};
use crate::printed::Printed;
use crate::{GEOMETRIES, number};

/// No system takes that long.
const FOREVER: Step = Step(40_000_000_000);

/// A system: how its machine is built, and its disk, if it has one.
struct System<'a> {
    name: &'a str,
    boot: &'a Boot<'a>,
    config: MachineConfig,
    disk: &'a dyn Fn() -> Option<Box<dyn DiskImage>>,
    ends: &'a dyn Fn(StopReason) -> bool,
}

impl System<'_> {
    fn lend(&self, machine: &mut Machine, printed: &Printed) {
        if let Some(disk) = (self.disk)() {
            machine.attach_disk(disk, true).unwrap();
        }
        machine.set_stdio(Box::new(printed.clone()));
    }

    /// Runs it in a machine with such a TLB, losing what is decoded or not; what can be compared of its end, and its steps.
    fn run(&self, tlb: TlbGeometry, losses: Option<(Losses, Loss)>) -> (String, u64) {
        let printed = Printed::default();
        let mut machine = Machine::new(MachineConfig { tlb, ..self.config.clone() }).unwrap();
        self.lend(&mut machine, &printed);
        machine.boot(self.boot).unwrap();
        let reason = match losses {
            None => machine.run(FOREVER),
            Some((mut losses, loss)) => losses.run(&mut machine, FOREVER, loss, |saved| {
                let mut machine = Machine::load(saved).unwrap();
                self.lend(&mut machine, &printed);
                machine
            }),
        };
        let text = String::from_utf8_lossy(&printed.0.borrow()).into_owned();
        assert!((self.ends)(reason), "{}: {reason:?}\n{text}", self.name);
        let facts = (reason, machine.steps(), machine.instructions(), machine.tlb_counters());
        (format!("{facts:?} {:#x}\n{text}", machine.state_hash()), machine.steps().0)
    }

    fn compare(&self) {
        let seed = number("FOLIO_DECODED_SEED", 1);
        for tlb in GEOMETRIES {
            let geometry = tlb.parse().unwrap();
            let (whole, steps) = self.run(geometry, None);
            println!("{}, TLB {tlb}: {}", self.name, whole.lines().next().unwrap_or_default());
            for (loss, longest) in [(Loss::Dropped, 50_000), (Loss::SavedAndLoaded, steps / 20)] {
                let (cut, _) = self.run(geometry, Some((Losses::new(seed, longest), loss)));
                assert!(cut == whole, "{}, TLB {tlb}, {loss:?}, seed {seed}:\n{cut}\n{whole}", self.name);
            }
        }
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn the_guest_os_ends_alike_with_and_without_decoded_code() {
    let name = "vmtests";
    let (_, elf) = guest_os::PROGRAMS.iter().find(|(known, _)| *known == name).unwrap();
    let path = program_path(name);
    let argv = [name.as_bytes().to_vec()];
    let chosen = Chosen { program: path.as_bytes(), argv: &argv, cwd: b"/", ..Chosen::default() };
    System {
        name,
        boot: &Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) },
        config: MachineConfig::default(),
        disk: &|| Some(RootImage::from_bytes(name, *elf).unwrap().into_disk()),
        ends: &|reason| matches!(reason, StopReason::Exit(_)),
    }
    .compare();
}

#[test]
#[ignore = "a piece of make campaign"]
fn linux_ends_alike_with_and_without_decoded_code() {
    let Some(kernel) = input("Image") else { return };
    let kernel = std::fs::read(kernel).unwrap();
    let initramfs =
        Initramfs { script: "echo Linux is up\n$b poweroff -f", ..Initramfs::default() }.archive();
    for harts in [1, 4] {
        let chosen = Chosen { bootargs: "console=ttyS0 panic=-1 quiet", ..Chosen::default() };
        System {
            name: if harts == 1 { "Linux on one hart" } else { "Linux on four harts" },
            boot: &Boot { chosen, initrd: Some(&initramfs), ..Boot::kernel(&kernel) },
            config: MachineConfig { ram_bytes: 256 << 20, harts, ..MachineConfig::default() },
            disk: &|| None,
            ends: &|reason| reason == StopReason::FinisherPass,
        }
        .compare();
    }
}
