//! The bus: routes accesses to the devices, wires their lines to the interrupt controllers, and holds what the host has
//! lent to the machine. For a hart it is the [`Platform`].

use crate::devices::clint::Clint;
use crate::devices::finisher::{self, Finish};
use crate::devices::host::{Effect, HostDevice};
use crate::devices::htif::Keyboard;
use crate::devices::input::{Console, InputDoor, Reader};
use crate::devices::plic::Plic;
use crate::devices::rtc::Rtc;
use crate::devices::uart::Uart;
use crate::devices::virtio::block::{Block, DiskCounters};
use crate::devices::virtio::device::{Device, Host};
use crate::devices::virtio::disk::DiskLatency;
use crate::devices::virtio::mmio::{VirtioMmio, read_empty};
use crate::devices::virtio::{console, net, rng};
use crate::host::{DiskImage, EventAction, EventSink, Input, NoStdio, Stdio};
use crate::machine::config::VirtioConfig;
use crate::machine::stop::StopReason;
use crate::mem::ram::Ram;
use crate::platform::{AccessFault, Platform};
use isa::events::{EventRecord, MAX_TEXT};
use isa::{Interrupt, PhysAddr, Step, platform};
use serde::{Deserialize, Serialize};

/// A disk could not be attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AttachError {
    /// All slots are taken.
    #[error(
        "all of the machine's {} virtio slots are taken; attach fewer disks",
        isa::platform::VIRTIO_SLOTS
    )]
    NoSlot,
    /// The image has no byte.
    #[error("the image is empty; is it the right file?")]
    Empty,
    /// The image is not the one that the saved machine had.
    #[error(
        "disk {slot} had {expected} sectors when the machine was saved, this image has {found}; give the same image"
    )]
    OtherImage {
        /// Number of the disk.
        slot: usize,
        /// Sectors of the disk in the saved state.
        expected: u64,
        /// Sectors of the image offered.
        found: u64,
    },
}

/// The state of everything on the bus but RAM: what a snapshot holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Devices {
    clint: Clint,
    plic: Plic,
    uart: Uart,
    rtc: Rtc,
    host: HostDevice,
    htif: Keyboard,
    input: InputDoor,
    /// Disk `n` is in slot `n`; the other devices fill the slots from the last one down.
    virtio: Vec<Option<VirtioMmio>>,
    virtio_legacy: bool,
    /// `Some` under the built-in SBI: the step at which each hart's STIP rises.
    sbi_timers: Option<Vec<Step>>,
    ended: Option<StopReason>,
}

impl Devices {
    /// The devices of a machine at reset.
    pub fn new(harts: usize, seed: u64, frame_limit: u64) -> Self {
        Self {
            clint: Clint::new(harts),
            plic: Plic::new(harts),
            uart: Uart::default(),
            rtc: Rtc::default(),
            host: HostDevice::new(seed, frame_limit),
            htif: Keyboard::default(),
            input: InputDoor::default(),
            virtio: vec![None; platform::VIRTIO_SLOTS],
            virtio_legacy: false,
            sbi_timers: None,
            ended: None,
        }
    }

    /// The same with virtio devices beside the disks, and the input wired to `console`.
    pub fn with_virtio(mut self, config: &VirtioConfig, seed: u64, console: Console) -> Self {
        self.virtio_legacy = config.legacy;
        self.input = InputDoor::new(console);
        let console = (console == Console::Virtio).then(|| Device::Console(console::Console::default()));
        let rng = config.rng.then(|| Device::Rng(rng::Rng::new(seed)));
        let net = config.net.then(|| Device::Net(net::Net::default()));
        let devices = [console, rng, net].into_iter().flatten();
        for (slot, device) in self.virtio.iter_mut().rev().zip(devices) {
            *slot = Some(VirtioMmio::new(device, config.legacy));
        }
        self
    }

    fn disks(&self) -> impl Iterator<Item = &Block> {
        self.virtio.iter().flatten().filter_map(|slot| match slot.device() {
            Device::Block(disk) => Some(disk),
            _ => None,
        })
    }
}

/// What the host has lent to the machine.
struct Handles {
    stdio: Box<dyn Stdio>,
    disks: Vec<Box<dyn DiskImage>>,
    events: Option<Box<dyn EventSink>>,
}

/// The bus: routes accesses by address, wires the devices' lines to the interrupt controllers.
///
/// The state ([`Devices`]) and the host's handles are apart: the state is saved, the handles are attached again.
pub struct Bus {
    devices: Devices,
    handles: Handles,
    /// The event sink asked for a stop.
    event_stop: bool,
    /// The hart that runs (events carry it).
    hart: usize,
}

enum Target {
    Clint,
    Plic,
    Uart,
    Finisher,
    Rtc,
    Host,
    Virtio(usize),
}

fn route(pa: PhysAddr) -> Option<(Target, u64)> {
    let within =
        |region: platform::Region, target| region.contains(pa).then(|| (target, pa.0 - region.base.0));
    within(platform::CLINT, Target::Clint)
        .or_else(|| within(platform::PLIC, Target::Plic))
        .or_else(|| within(platform::UART, Target::Uart))
        .or_else(|| within(platform::HOST, Target::Host))
        .or_else(|| within(platform::FINISHER, Target::Finisher))
        .or_else(|| within(platform::RTC, Target::Rtc))
        .or_else(|| {
            (0..platform::VIRTIO_SLOTS)
                .find_map(|slot| within(platform::virtio_slot(slot), Target::Virtio(slot)))
        })
}

impl Bus {
    /// A bus with these devices, no disks attached, standard streams that lead nowhere.
    pub fn new(devices: Devices) -> Self {
        let handles = Handles { stdio: Box::new(NoStdio), disks: Vec::new(), events: None };
        Self { devices, handles, event_stop: false, hart: 0 }
    }

    /// The devices' state.
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// Lends the machine standard streams.
    pub fn set_stdio(&mut self, stdio: Box<dyn Stdio>) {
        self.handles.stdio = stdio;
    }

    /// The standard streams.
    pub fn stdio(&mut self) -> &mut dyn Stdio {
        self.handles.stdio.as_mut()
    }

    /// Lends the machine a listener for events, or takes it back.
    pub fn set_event_sink(&mut self, sink: Option<Box<dyn EventSink>>) {
        self.handles.events = sink;
    }

    /// Attaches an image to the next slot: a new disk, or the one that the loaded state has there.
    pub fn attach_disk(
        &mut self,
        image: Box<dyn DiskImage>,
        read_only: bool,
        latency: DiskLatency,
    ) -> Result<usize, AttachError> {
        let slot = self.handles.disks.len();
        let legacy = self.devices.virtio_legacy;
        let place = self.devices.virtio.get_mut(slot).ok_or(AttachError::NoSlot)?;
        let disk = Block::new(slot, image.len_bytes(), read_only, latency);
        if disk.capacity_sectors() == 0 {
            return Err(AttachError::Empty);
        }
        match place.as_ref().map(VirtioMmio::device) {
            None => *place = Some(VirtioMmio::new(Device::Block(disk), legacy)),
            Some(Device::Block(saved)) if saved.capacity_sectors() == disk.capacity_sectors() => {}
            Some(Device::Block(saved)) => {
                let (expected, found) = (saved.capacity_sectors(), disk.capacity_sectors());
                return Err(AttachError::OtherImage { slot, expected, found });
            }
            Some(_) => return Err(AttachError::NoSlot),
        }
        self.handles.disks.push(image);
        Ok(slot)
    }

    /// How many of the state's disks have no image yet.
    pub fn missing_disks(&self) -> usize {
        self.devices.disks().count() - self.handles.disks.len()
    }

    /// What all disks have done so far.
    pub fn disk_counters(&self) -> impl Iterator<Item = DiskCounters> {
        self.devices.disks().map(Block::counters)
    }

    /// How the guest has ended the run, if it has.
    pub fn ended(&self) -> Option<StopReason> {
        self.devices.ended
    }

    /// Ends the run, unless it has ended already.
    pub fn end(&mut self, reason: StopReason) {
        self.devices.ended.get_or_insert(reason);
    }

    /// Takes the event sink's wish to stop.
    pub fn take_event_stop(&mut self) -> bool {
        std::mem::take(&mut self.event_stop)
    }

    /// Turns the supervisor timer of the built-in SBI on.
    pub fn enable_sbi_timers(&mut self, harts: usize) {
        self.devices.sbi_timers = Some(vec![Step::NEVER; harts]);
    }

    /// Sets the step at which `hart`'s STIP rises, as the SBI call does: at `mtime >= ticks`.
    pub fn set_sbi_timer(&mut self, hart: usize, ticks: u64, now: Step) {
        let due = if ticks == u64::MAX { Step::NEVER } else { self.devices.clint.step_of_mtime(ticks, now) };
        if let Some(timer) = self.devices.sbi_timers.as_mut().and_then(|timers| timers.get_mut(hart)) {
            *timer = due;
        }
    }

    /// Whether the guest waits for the host's input.
    pub fn wants_input(&self) -> bool {
        let Devices { host, uart, htif, input, virtio, .. } = &self.devices;
        let virtio = || !input.ended() && virtio.iter().flatten().any(VirtioMmio::wants_input);
        host.wants_input() || uart.wants_input(input) || htif.wants_input(input) || virtio()
    }

    /// Asks the host for input if the guest waits for it. Returns whether anything came.
    pub fn poll_input(&mut self, ram: &mut Ram, now: Step) -> bool {
        let Devices { uart, host, htif, input, virtio, .. } = &mut self.devices;
        let stdio = self.handles.stdio.as_mut();
        let mut came = false;
        if host.wants_input() {
            came |= host.poll(ram, input, stdio, now);
        }
        if uart.wants_input(input) {
            came |= uart.poll(input, stdio, now);
        }
        if htif.wants_input(input) {
            came |= htif.poll(ram, input, stdio, now);
        }
        for slot in virtio.iter_mut().flatten().filter(|slot| slot.wants_input()) {
            if !input.ended() {
                came |= slot.poll_input(ram, &mut Host { image: None, stdio, input }, now);
            }
        }
        self.drive_lines();
        came
    }

    /// A program asks the host-target interface for a character.
    pub fn ask_htif(&mut self, fromhost: PhysAddr) {
        self.devices.htif.ask(fromhost);
    }

    /// Input for the SBI console, without blocking.
    pub fn console_input(&mut self, buffer: &mut [u8]) -> Input {
        self.devices.input.poll(Reader::Sbi, self.handles.stdio.as_mut(), buffer)
    }

    /// The next step at which something happens by itself, polls of the host's input apart.
    pub fn next_event(&self, now: Step) -> Step {
        let devices = &self.devices;
        let virtio =
            devices.virtio.iter().enumerate().filter_map(|(slot, device)| Some((slot, device.as_ref()?)));
        // A disk whose image has not been attached again never completes anything.
        let attached = virtio.filter(|(slot, device)| {
            !matches!(device.device(), Device::Block(_)) || *slot < self.handles.disks.len()
        });
        let virtio = attached.map(|(_, device)| device.next_deadline()).min().unwrap_or(Step::NEVER);
        let sbi_timers = devices.sbi_timers.iter().flatten().copied();
        let sbi = sbi_timers.filter(|&due| due > now).min().unwrap_or(Step::NEVER);
        devices.clint.next_deadline(now).min(devices.rtc.next_deadline()).min(virtio).min(sbi)
    }

    fn drive_lines(&mut self) {
        let Devices { plic, uart, rtc, host, virtio, .. } = &mut self.devices;
        plic.set_level(platform::UART_IRQ, uart.line());
        plic.set_level(platform::RTC_IRQ, rtc.line());
        plic.set_level(platform::HOST_IRQ, host.line());
        for (slot, source) in virtio.iter().zip(platform::VIRTIO_IRQ..) {
            plic.set_level(source, slot.as_ref().is_some_and(VirtioMmio::line));
        }
    }

    /// Hands an event record to the listener. A record outside RAM or with too long a text is dropped.
    fn report(&mut self, ram: &Ram, at: PhysAddr, now: Step) {
        let Some(sink) = self.handles.events.as_mut() else { return };
        let Some(bytes) = ram.slice(at, EventRecord::WORDS * 8) else { return };
        let mut words = [0; EventRecord::WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
        }
        let record = EventRecord::from_words(&words);
        let text_len = usize::try_from(record.text_len).unwrap_or(usize::MAX).min(MAX_TEXT);
        let text = ram.slice(at.wrapping_add(EventRecord::SIZE_BYTES), text_len).unwrap_or_default();
        if sink.event(now, self.hart, &record, text) == EventAction::Stop {
            self.event_stop = true;
        }
    }
}

impl Platform for Bus {
    fn read(&mut self, _ram: &mut Ram, pa: PhysAddr, width_bytes: u8, now: Step) -> Result<u64, AccessFault> {
        if !pa.is_aligned(u64::from(width_bytes)) {
            return Err(AccessFault);
        }
        let (target, offset) = route(pa).ok_or(AccessFault)?;
        let Devices { clint, plic, uart, rtc, host, input, virtio, virtio_legacy, .. } = &mut self.devices;
        let value = match target {
            Target::Clint => clint.read(offset, width_bytes, now),
            Target::Plic => plic.read(offset, width_bytes),
            Target::Uart => uart.read(offset, input, self.handles.stdio.as_mut(), now),
            Target::Finisher => finisher::read(offset, width_bytes),
            Target::Rtc => rtc.read(offset, width_bytes, now),
            Target::Host => host.read(offset, width_bytes),
            Target::Virtio(slot) => match &virtio[slot] {
                Some(device) => device.read(offset, width_bytes),
                None => read_empty(offset, width_bytes, *virtio_legacy),
            },
        };
        self.drive_lines();
        value
    }

    fn write(
        &mut self,
        ram: &mut Ram,
        pa: PhysAddr,
        width_bytes: u8,
        value: u64,
        now: Step,
    ) -> Result<(), AccessFault> {
        if !pa.is_aligned(u64::from(width_bytes)) {
            return Err(AccessFault);
        }
        let (target, offset) = route(pa).ok_or(AccessFault)?;
        let Devices { clint, plic, uart, rtc, host, input, virtio, .. } = &mut self.devices;
        let stdio = self.handles.stdio.as_mut();
        match target {
            Target::Clint => clint.write(offset, width_bytes, value, now)?,
            Target::Plic => plic.write(offset, width_bytes, value)?,
            Target::Uart => uart.write(offset, value, stdio)?,
            Target::Rtc => rtc.write(offset, width_bytes, value, now)?,
            Target::Finisher => {
                if let Some(finish) = finisher::write(offset, width_bytes, value)? {
                    self.end(match finish {
                        Finish::Pass => StopReason::FinisherPass,
                        Finish::Fail(code) => StopReason::FinisherFail(code),
                        Finish::Reset => StopReason::Reset,
                    });
                }
            }
            Target::Host => match host.write(ram, stdio, offset, width_bytes, value, now)? {
                Effect::None => {}
                Effect::Event(at) => self.report(ram, at, now),
                Effect::Exit(exit) => self.end(StopReason::Exit(exit)),
            },
            Target::Virtio(slot) => {
                // Writes to an empty slot do nothing, as on QEMU.
                if let Some(device) = &mut virtio[slot] {
                    let image = image_of(&mut self.handles.disks, slot);
                    device.write(ram, &mut Host { image, stdio, input }, offset, width_bytes, value, now)?;
                }
            }
        }
        self.drive_lines();
        Ok(())
    }

    fn mtime(&self, now: Step) -> u64 {
        self.devices.clint.mtime(now)
    }

    fn timer_change(&self, ticks: u64, now: Step) -> Step {
        self.devices.clint.timer_change(ticks, now)
    }

    fn interrupt_lines(&mut self, hart: usize, now: Step) -> u64 {
        // The loop asks before it runs a hart, so this names the hart of the accesses that follow.
        self.hart = hart;
        let timers = self.devices.sbi_timers.as_ref();
        let stip = timers.and_then(|timers| timers.get(hart)).is_some_and(|&due| now >= due);
        let stip = if stip { Interrupt::SupervisorTimer.mask() } else { 0 };
        self.devices.clint.lines(hart, now) | self.devices.plic.lines(hart) | stip
    }

    fn next_deadline(&self, now: Step) -> Step {
        let Devices { uart, host, htif, input, virtio, .. } = &self.devices;
        let polls = virtio.iter().flatten().map(VirtioMmio::next_poll).filter(|_| !input.ended());
        let polls = polls.min().unwrap_or(Step::NEVER);
        let polls = polls.min(uart.next_poll(input)).min(host.next_poll()).min(htif.next_poll(input));
        self.next_event(now).min(polls)
    }

    fn advance(&mut self, ram: &mut Ram, now: Step) {
        let Devices { uart, rtc, host, htif, input, virtio, .. } = &mut self.devices;
        rtc.advance(now);
        let stdio = self.handles.stdio.as_mut();
        for (slot, device) in virtio.iter_mut().enumerate() {
            let Some(device) = device else { continue };
            let image = image_of(&mut self.handles.disks, slot);
            let host = &mut Host { image, stdio, input };
            if device.next_deadline() <= now {
                device.advance(ram, host, now);
            }
            if device.next_poll() <= now && !host.input.ended() {
                device.poll_input(ram, host, now);
            }
        }
        if host.next_poll() <= now {
            host.poll(ram, input, stdio, now);
        }
        if uart.next_poll(input) <= now {
            uart.poll(input, stdio, now);
        }
        if htif.next_poll(input) <= now {
            htif.poll(ram, input, stdio, now);
        }
        self.drive_lines();
    }

    fn stop_requested(&self) -> bool {
        self.devices.ended.is_some() || self.event_stop
    }
}

/// The image of the disk in `slot`, if there is one.
fn image_of(images: &mut [Box<dyn DiskImage>], slot: usize) -> Option<&mut dyn DiskImage> {
    match images.get_mut(slot) {
        Some(image) => Some(image.as_mut()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus() -> (Bus, Ram) {
        (Bus::new(Devices::new(1, 5, 0)), Ram::new(4096))
    }

    #[test]
    fn each_device_answers_at_its_address_and_nothing_between() {
        let (mut bus, mut ram) = bus();
        let at = |region: platform::Region, offset| region.base.wrapping_add(offset);
        for (pa, width, value) in [
            (at(platform::CLINT, 0xbff8), 8, Ok(3)),
            (at(platform::PLIC, 0x1000), 4, Ok(0)),
            (at(platform::UART, 5), 1, Ok(0x60)),
            (at(platform::FINISHER, 0), 4, Ok(0)),
            (at(platform::RTC, 0x10), 4, Ok(0)),
            (at(platform::HOST, isa::hostdev::REG_SEED), 8, Ok(5)),
            (at(platform::virtio_slot(7), 0), 4, Ok(u64::from(u32::from_le_bytes(*b"virt")))),
            (at(platform::virtio_slot(7), 0x1000), 4, Err(AccessFault)),
            (at(platform::CLINT, 0xbff9), 4, Err(AccessFault)),
            (PhysAddr(0), 4, Err(AccessFault)),
            (PhysAddr(0x3000_0000), 4, Err(AccessFault)),
            (PhysAddr(u64::MAX - 7), 8, Err(AccessFault)),
        ] {
            assert_eq!(bus.read(&mut ram, pa, width, Step(300)), value, "{pa}/{width}");
            if value.is_err() {
                assert_eq!(bus.write(&mut ram, pa, width, 0, Step(300)), value.map(drop), "{pa}/{width}");
            }
        }
    }

    #[test]
    fn a_disk_goes_to_the_next_slot_until_none_is_left() {
        let (mut bus, mut ram) = bus();
        let device_id = |bus: &mut Bus, ram: &mut Ram, slot| {
            bus.read(ram, platform::virtio_slot(slot).base.wrapping_add(8), 4, Step(0))
        };
        for slot in 0..platform::VIRTIO_SLOTS {
            assert_eq!(device_id(&mut bus, &mut ram, slot), Ok(0));
            assert_eq!(bus.attach_disk(Box::new(vec![0; 512]), true, DiskLatency::NONE), Ok(slot));
            assert_eq!(device_id(&mut bus, &mut ram, slot), Ok(2));
        }
        let one_more = bus.attach_disk(Box::new(vec![0; 512]), true, DiskLatency::NONE);
        assert_eq!(one_more, Err(AttachError::NoSlot));
    }

    #[test]
    fn a_saved_machine_wants_its_own_images_back() {
        let (mut bus, _) = bus();
        bus.attach_disk(Box::new(vec![0; 1024]), true, DiskLatency::NONE).unwrap();
        let mut loaded = Bus::new(bus.devices().clone());
        assert_eq!(loaded.missing_disks(), 1);
        let other = loaded.attach_disk(Box::new(vec![0; 512]), true, DiskLatency::NONE);
        assert_eq!(other, Err(AttachError::OtherImage { slot: 0, expected: 2, found: 1 }));
        assert_eq!(loaded.attach_disk(Box::new(vec![0; 1024]), true, DiskLatency::NONE), Ok(0));
        assert_eq!(loaded.missing_disks(), 0);
    }

    /// Random loads and stores at every device, random bytes in RAM, time that jumps: nothing panics, nothing hangs,
    /// and each deadline lies ahead once the devices have acted.
    #[test]
    fn a_hostile_guest_breaks_no_device() {
        let mut random = crate::test_support::xorshift(0x9e37_79b9_7f4a_7c15);
        let regions = [
            platform::CLINT,
            platform::PLIC,
            platform::UART,
            platform::FINISHER,
            platform::RTC,
            platform::HOST,
            platform::virtio_slot(0),
            platform::virtio_slot(1),
        ];
        let (mut bus, mut ram) = bus();
        bus.attach_disk(Box::new(vec![7; 4096]), false, DiskLatency::default()).unwrap();
        bus.enable_sbi_timers(1);
        let (mut now, mut faults, mut served) = (Step(0), 0, 0);
        for _ in 0..300_000 {
            let region = regions[usize::try_from(random() % 8).unwrap()];
            let span = if random().is_multiple_of(4) { region.len_bytes } else { 0x100 };
            let width = [1u8, 2, 4, 4, 8, 8][usize::try_from(random() % 6).unwrap()];
            let pa = region.base.wrapping_add(random() % span / u64::from(width) * u64::from(width));
            let value = match random() % 4 {
                0 => random(),
                1 => platform::RAM_BASE.0 + random() % 4096,
                2 => random() % 16,
                _ => random() >> (random() % 64),
            };
            if random().is_multiple_of(8) {
                let at = platform::RAM_BASE.wrapping_add(random() % 4088);
                assert!(ram.write(at, &value.to_le_bytes()));
            }
            let result = if random().is_multiple_of(2) {
                bus.read(&mut ram, pa, width, now).map(drop)
            } else {
                bus.write(&mut ram, pa, width, value, now)
            };
            if result.is_ok() {
                served += 1
            } else {
                faults += 1
            }
            if random().is_multiple_of(64) {
                bus.set_sbi_timer(0, random() >> (random() % 64), now);
            }
            now = now.after(random() % 1000);
            if random().is_multiple_of(4096) {
                now = bus.next_deadline(now).min(Step(1 << 62)).max(now);
            }
            bus.advance(&mut ram, now);
            bus.interrupt_lines(0, now);
            assert!(bus.next_event(now) > now, "a deadline that has passed was not acted upon");
        }
        assert!(faults > 1000 && served > 1000, "{faults} faults, {served} served");
    }
}
