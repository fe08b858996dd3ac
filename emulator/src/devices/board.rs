//! The board: one row a device, and nothing else of the machine names one. A row tells its state and how that
//! begins, its window, its lines to the PLIC and its node in the device tree; what it does is in its own file, behind
//! [`Device`]. (Addresses and interrupt numbers are in [`isa::platform`], as the guest's kernel shares them.)

use super::clint::Clint;
use super::device::Device;
use super::finisher::Finisher;
use super::host::HostDevice;
use super::htif::Keyboard;
use super::input::{Console, InputDoor};
use super::plic::Plic;
use super::rtc::Rtc;
use super::uart::{CLOCK_HZ, Uart};
use super::virtio::slots::{Slots, VirtioConfig};
use isa::platform::{self, Region};
use isa::{Interrupt, PhysAddr};
use serde::{Deserialize, Serialize};

/// What the board is built from.
#[derive(Clone, Copy, Default, Debug)]
pub struct Setup {
    /// Number of harts.
    pub harts: usize,
    /// What the host device hands to the guest, and what the entropy source follows from.
    pub seed: u64,
    /// The limit of user frames that the host device hands to the guest; 0 is none.
    pub frame_limit: u64,
    /// The virtio devices, disks apart.
    pub virtio: VirtioConfig,
    /// The console that input goes to.
    pub console: Console,
}

/// What the bus and the device tree know of a device.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its node's name, without the address.
    pub node: &'static str,
    /// Its addresses; those of all its units, if it has several.
    pub window: Region,
    /// How many of its kind there are, one after the other.
    pub units: usize,
    /// The PLIC source of the first unit's line, if it has one; the others' follow.
    pub first_source: Option<u32>,
    /// What drivers know it by.
    pub compatible: &'static [&'static str],
    /// What else its node says.
    pub properties: &'static [Property],
}

/// A property of a node.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Property {
    Empty(&'static str),
    Number(&'static str, u32),
    Phandle(u32),
    /// The two interrupts that it raises at each hart.
    HartInterrupts([Interrupt; 2]),
}

/// The PLIC's phandle: the parent of all lines.
pub const PHANDLE_PLIC: u32 = 1;
/// The finisher's phandle: powering off and rebooting are writes to it.
pub const PHANDLE_FINISHER: u32 = 2;
/// The node of the console that firmware and kernels begin with.
pub const CONSOLE_NODE: &str = "serial";

impl Row {
    const BLANK: Self = Self {
        node: "",
        window: Region { base: PhysAddr(0), len_bytes: 0 },
        units: 1,
        first_source: None,
        compatible: &[],
        properties: &[],
    };

    /// The window of one unit.
    pub const fn unit(&self, unit: usize) -> Region {
        let len_bytes = self.window.len_bytes / self.units as u64;
        Region { base: PhysAddr(self.window.base.0 + unit as u64 * len_bytes), len_bytes }
    }
    /// The PLIC's sources, with the unit of each.
    pub fn sources(&self) -> impl Iterator<Item = (usize, usize)> {
        let units = if self.first_source.is_some() { self.units } else { 0 };
        (0..units).map(|unit| (self.first_source.unwrap_or(0) as usize + unit, unit))
    }
}

macro_rules! board {
    ($setup:ident => $($field:ident: $state:ty = $new:expr $(, $row:expr)?;)*) => {
        /// The state of all devices, as a snapshot holds it.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[allow(missing_docs)] // the rows say it
        pub struct Board { $(pub $field: $state,)* }

        /// What is known of each device.
        pub const ROWS: &[Row] = &[$($($row,)?)*];

        impl Board {
            /// The board at reset.
            pub fn new($setup: &Setup) -> Self {
                Self { $($field: $new,)* }
            }
            /// The device of each row.
            pub fn devices(&self) -> [&dyn Device; ROWS.len()] {
                [$($(of_row!($row, &self.$field),)?)*]
            }
            /// The same, to change them, and the door that input comes through.
            pub fn devices_mut(&mut self) -> ([&mut dyn Device; ROWS.len()], &mut InputDoor) {
                ([$($(of_row!($row, &mut self.$field),)?)*], &mut self.input)
            }
        }
    };
}

/// What there is once for each row.
macro_rules! of_row {
    ($row:expr, $value:expr) => {
        $value
    };
}

// The order is that of a snapshot's bytes. Devices that are due at the same step act in it.
board! { setup =>
    clint: Clint = Clint::new(setup.harts), Row {
        node: "clint",
        window: platform::CLINT,
        compatible: &["sifive,clint0", "riscv,clint0"],
        properties: &[Property::HartInterrupts([Interrupt::MachineSoftware, Interrupt::MachineTimer])],
        ..Row::BLANK
    };
    plic: Plic = Plic::new(setup.harts), Row {
        node: "plic",
        window: platform::PLIC,
        compatible: &["sifive,plic-1.0.0", "riscv,plic0"],
        properties: &[
            Property::Phandle(PHANDLE_PLIC),
            Property::Number("#address-cells", 0),
            Property::Number("#interrupt-cells", 1),
            Property::Empty("interrupt-controller"),
            Property::Number("riscv,ndev", platform::PLIC_SOURCES - 1),
            Property::HartInterrupts([Interrupt::MachineExternal, Interrupt::SupervisorExternal]),
        ],
        ..Row::BLANK
    };
    uart: Uart = Uart::default(), Row {
        node: CONSOLE_NODE,
        window: platform::UART,
        first_source: Some(platform::UART_IRQ),
        compatible: &["ns16550a"],
        properties: &[Property::Number("clock-frequency", CLOCK_HZ)],
        ..Row::BLANK
    };
    rtc: Rtc = Rtc::default(), Row {
        node: "rtc",
        window: platform::RTC,
        first_source: Some(platform::RTC_IRQ),
        compatible: &["google,goldfish-rtc"],
        ..Row::BLANK
    };
    host: HostDevice = HostDevice::new(setup.seed, setup.frame_limit), Row {
        node: "host",
        window: platform::HOST,
        first_source: Some(platform::HOST_IRQ),
        compatible: &["folio,host"],
        ..Row::BLANK
    };
    finisher: Finisher = Finisher, Row {
        node: "test",
        window: platform::FINISHER,
        compatible: &["sifive,test1", "sifive,test0", "syscon"],
        properties: &[Property::Phandle(PHANDLE_FINISHER)],
        ..Row::BLANK
    };
    // Not on the bus: a program meets it in its own memory.
    htif: Keyboard = Keyboard::default(), Row::BLANK;
    // No device, but a part of the state.
    input: InputDoor = InputDoor::new(setup.console);
    virtio: Slots = Slots::new(&setup.virtio, setup.seed, setup.console), Row {
        node: "virtio_mmio",
        window: platform::VIRTIO_WINDOW,
        units: platform::VIRTIO_SLOTS,
        first_source: Some(platform::VIRTIO_IRQ),
        compatible: &["virtio,mmio"],
        ..Row::BLANK
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_and_no_source_is_given_twice() {
        let on_bus = ROWS.iter().filter(|row| row.window.len_bytes > 0);
        let mut windows: Vec<Region> =
            on_bus.flat_map(|row| (0..row.units).map(|unit| row.unit(unit))).collect();
        windows.sort_by_key(|window| window.base);
        assert_eq!(windows.len(), 6 + platform::VIRTIO_SLOTS);
        for pair in windows.windows(2) {
            assert!(pair[0].base.0 + pair[0].len_bytes <= pair[1].base.0, "{pair:?}");
        }
        assert_eq!(windows.last().map(|last| last.base < platform::RAM_BASE), Some(true));
        let mut sources: Vec<usize> = ROWS.iter().flat_map(|row| row.sources().map(|(n, _)| n)).collect();
        let count = sources.len();
        sources.sort_unstable();
        sources.dedup();
        assert_eq!((sources.len(), count), (11, 11));
        assert!(sources.iter().all(|source| (1..platform::PLIC_SOURCES as usize).contains(source)));
    }

    #[test]
    fn a_slot_is_a_unit() {
        let virtio = ROWS.iter().find(|row| row.window.contains(platform::VIRTIO.base)).unwrap();
        let units: Vec<Region> = (0..virtio.units).map(|unit| virtio.unit(unit)).collect();
        assert_eq!(units, (0..platform::VIRTIO_SLOTS).map(platform::virtio_slot).collect::<Vec<_>>());
    }
}
