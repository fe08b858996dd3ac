//! The bus: routes accesses to the devices, wires their lines to the interrupt controllers, and holds what the host has
//! lent to the machine. For a hart it is the [`Platform`].

use crate::devices::board::{Board, ROWS, Setup};
use crate::devices::changed::ChangedLog;
use crate::devices::device::{Access, Device, Effect, View, World};
use crate::devices::finisher::Finish;
use crate::devices::input::Reader;
use crate::devices::plic::Lines;
use crate::devices::virtio::block::DiskCounters;
use crate::devices::virtio::disk::DiskLatency;
use crate::devices::virtio::disk_fault::DiskFault;
use crate::devices::virtio::slots::AttachError;
use crate::host::{DiskImage, EventAction, EventSink, Input, NoStdio, Stdio};
use crate::machine::stop::StopReason;
use crate::mem::ram::Ram;
use crate::platform::{AccessFault, Platform};
use isa::events::{EventRecord, MAX_TEXT};
use isa::{Interrupt, PhysAddr, Step};
use serde::{Deserialize, Serialize};

/// The state of everything on the bus but RAM: what a snapshot holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Devices {
    board: Board,
    /// `Some` under the built-in SBI: the step at which each hart's STIP rises.
    sbi_timers: Option<Vec<Step>>,
    ended: Option<StopReason>,
}

impl Devices {
    /// The devices of a machine at reset.
    pub fn new(setup: &Setup) -> Self {
        Self { board: Board::new(setup), sbi_timers: None, ended: None }
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

/// All devices, in the order of the table.
type All<'a> = [&'a mut dyn Device; ROWS.len()];

/// The row of the device that an access meets, and where it meets it.
fn route(pa: PhysAddr, width_bytes: u8) -> Result<(usize, Access), AccessFault> {
    let row = ROWS.iter().position(|row| row.window.contains(pa)).ok_or(AccessFault)?;
    Ok((row, Access { offset: pa.0 - ROWS[row].window.base.0, width_bytes }))
}

/// Whether an access is aligned, and not the rest of one that was not.
fn is_one_piece(pa: PhysAddr, width_bytes: u8) -> bool {
    width_bytes.is_power_of_two() && pa.is_aligned(width_bytes.into())
}

/// The bytes of the first of the aligned pieces that a misaligned access consists of: as many as fit, in the order of
/// addresses. (QEMU's loads do so too; its stores take single bytes, which most registers refuse.)
fn first_piece(pa: PhysAddr, width_bytes: u8) -> u8 {
    [4, 2].into_iter().find(|&piece| piece < width_bytes && pa.is_aligned(piece.into())).unwrap_or(1)
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
        self.devices.board.virtio.attach(slot, image.len_bytes(), read_only, latency)?;
        self.handles.disks.push(image);
        Ok(slot)
    }

    /// Has the real-time clock begin at this time, or later if it does so by itself.
    pub fn begin_clock_no_earlier(&mut self, epoch_ns: u64) {
        self.devices.board.rtc.begin_no_earlier(epoch_ns);
    }

    /// What the guest has told of binds.
    pub fn changed(&self) -> &ChangedLog {
        &self.devices.board.host.changed
    }

    /// The same, to have it kept.
    pub fn changed_mut(&mut self) -> &mut ChangedLog {
        &mut self.devices.board.host.changed
    }

    /// A request to a disk will fail, on purpose.
    pub fn plan_disk_fault(&mut self, fault: DiskFault) {
        self.devices.board.virtio.plan_fault(fault);
    }

    /// The failures that have not come yet, each with the number of requests that it has let pass.
    pub fn disk_faults_ahead(&self) -> &[(DiskFault, u64)] {
        self.devices.board.virtio.faults_ahead()
    }

    /// How many of the state's disks have no image yet.
    pub fn missing_disks(&self) -> usize {
        self.disk_counters().count() - self.handles.disks.len()
    }

    /// What each disk has done so far, in the order of their numbers.
    pub fn disk_counters(&self) -> impl Iterator<Item = DiskCounters> {
        self.devices.board.virtio.disk_counters()
    }

    /// A page of 4 KiB of a disk, if the guest has written to it.
    pub fn written_page(&self, disk: usize, page: u64) -> Option<&[u8]> {
        self.devices.board.virtio.written_page(disk, page)
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
        let clint = &self.devices.board.clint;
        let due = if ticks == u64::MAX { Step::NEVER } else { clint.step_of_mtime(ticks, now) };
        if let Some(timer) = self.devices.sbi_timers.as_mut().and_then(|timers| timers.get_mut(hart)) {
            *timer = due;
        }
    }

    /// Whether the guest waits for the host's input.
    pub fn wants_input(&self) -> bool {
        let board = &self.devices.board;
        board.devices().iter().any(|device| device.wants_input(&board.input))
    }

    /// Asks the host for input if the guest waits for it. Returns whether anything came.
    pub fn poll_input(&mut self, ram: &mut Ram, now: Step) -> bool {
        let (devices, mut world) = self.devices_in_world(ram, now);
        let mut came = false;
        for device in devices {
            if device.wants_input(world.input) {
                came |= device.poll_input(&mut world);
            }
        }
        self.drive_lines();
        came
    }

    /// A program asks the host-target interface for a character.
    pub fn ask_htif(&mut self, fromhost: PhysAddr) {
        self.devices.board.htif.ask(fromhost);
    }

    /// Input for the SBI console, without blocking.
    pub fn console_input(&mut self, buffer: &mut [u8]) -> Input {
        self.devices.board.input.poll(Reader::Sbi, self.handles.stdio.as_mut(), buffer)
    }

    /// The next step at which something happens by itself, polls of the host's input apart.
    pub fn next_event(&self, now: Step) -> Step {
        let board = &self.devices.board;
        let view = View { input: &board.input, images: self.handles.disks.len(), now };
        let devices = board.devices().map(|device| device.next_deadline(view));
        let sbi_timers = self.devices.sbi_timers.iter().flatten().copied();
        devices.into_iter().chain(sbi_timers.filter(|&due| due > now)).min().unwrap_or(Step::NEVER)
    }

    /// The devices, and what they may reach.
    fn devices_in_world<'a>(&'a mut self, ram: &'a mut Ram, now: Step) -> (All<'a>, World<'a>) {
        let Handles { stdio, disks, .. } = &mut self.handles;
        let (devices, input) = self.devices.board.devices_mut();
        (devices, World { ram, stdio: stdio.as_mut(), input, images: disks, now })
    }

    /// The PLIC sees the devices' lines as they are.
    fn drive_lines(&mut self) {
        let board = &mut self.devices.board;
        let mut lines = Lines::default();
        for (row, device) in ROWS.iter().zip(board.devices_mut().0) {
            for (source, unit) in row.sources() {
                if device.line(unit) {
                    lines.raise(source, device.take_news());
                }
            }
        }
        board.plic.drive(lines);
    }

    /// Does what a store to a device asks of the machine.
    fn carry_out(&mut self, ram: &Ram, effect: Effect, now: Step) {
        match effect {
            Effect::None => {}
            Effect::Event(at) => self.report(ram, at, now),
            Effect::Exit(exit) => self.end(StopReason::Exit(exit)),
            Effect::Finish(Finish::Pass) => self.end(StopReason::FinisherPass),
            Effect::Finish(Finish::Fail(code)) => self.end(StopReason::FinisherFail(code)),
            Effect::Finish(Finish::Reset) => self.end(StopReason::Reset),
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
    fn read(&mut self, ram: &mut Ram, pa: PhysAddr, width_bytes: u8, now: Step) -> Result<u64, AccessFault> {
        if !is_one_piece(pa, width_bytes) {
            let first = first_piece(pa, width_bytes);
            let low = self.read(ram, pa, first, now)?;
            let high = self.read(ram, pa.wrapping_add(first.into()), width_bytes - first, now)?;
            return Ok(low | high << (8 * first));
        }
        let (row, access) = route(pa, width_bytes)?;
        let (devices, mut world) = self.devices_in_world(ram, now);
        let value = devices[row].load(access, &mut world);
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
        if !is_one_piece(pa, width_bytes) {
            let first = first_piece(pa, width_bytes);
            self.write(ram, pa, first, value, now)?;
            let second = pa.wrapping_add(first.into());
            return self.write(ram, second, width_bytes - first, value >> (8 * first), now);
        }
        let (row, access) = route(pa, width_bytes)?;
        let (devices, mut world) = self.devices_in_world(ram, now);
        let effect = devices[row].store(access, value, &mut world)?;
        self.carry_out(ram, effect, now);
        self.drive_lines();
        Ok(())
    }

    fn mtime(&self, now: Step) -> u64 {
        self.devices.board.clint.mtime(now)
    }

    fn timer_change(&self, ticks: u64, now: Step) -> Step {
        self.devices.board.clint.timer_change(ticks, now)
    }

    fn interrupt_lines(&mut self, hart: usize, now: Step) -> u64 {
        // The loop asks before it runs a hart, so this names the hart of the accesses that follow.
        self.hart = hart;
        let timers = self.devices.sbi_timers.as_ref();
        let stip = timers.and_then(|timers| timers.get(hart)).is_some_and(|&due| now >= due);
        let stip = if stip { Interrupt::SupervisorTimer.mask() } else { 0 };
        let board = &self.devices.board;
        board.clint.lines(hart, now) | board.plic.lines(hart) | stip
    }

    fn next_deadline(&self, now: Step) -> Step {
        let board = &self.devices.board;
        let polls = board.devices().map(|device| device.next_poll(&board.input));
        polls.into_iter().fold(self.next_event(now), Step::min)
    }

    fn advance(&mut self, ram: &mut Ram, now: Step) {
        let (mut devices, mut world) = self.devices_in_world(ram, now);
        for device in &mut devices {
            device.advance(&mut world);
        }
        for device in devices {
            if device.next_poll(world.input) <= now {
                device.poll_input(&mut world);
            }
        }
        self.drive_lines();
    }

    fn stop_requested(&self) -> bool {
        self.devices.ended.is_some() || self.event_stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::platform;

    fn bus() -> (Bus, Ram) {
        (Bus::new(Devices::new(&Setup { harts: 1, seed: 5, ..Setup::default() })), Ram::new(4096))
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
            (at(platform::virtio_slot(7), 0x200), 4, Err(AccessFault)),
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
    fn a_misaligned_access_is_one_of_aligned_pieces() {
        let (mut bus, mut ram) = bus();
        let timer = platform::CLINT.base.wrapping_add(0x4000);
        assert_eq!(bus.write(&mut ram, timer, 8, 0x1122_3344_5566_7788, Step(0)), Ok(()));
        for (offset, width, value) in [
            (4, 8, Ok(0x1122_3344)),
            (0, 8, Ok(0x1122_3344_5566_7788)),
            (2, 4, Err(AccessFault)),
            (1, 8, Err(AccessFault)),
        ] {
            assert_eq!(
                bus.read(&mut ram, timer.wrapping_add(offset), width, Step(0)),
                value,
                "+{offset}/{width}"
            );
        }
        assert_eq!(bus.write(&mut ram, timer.wrapping_add(4), 8, 7, Step(0)), Ok(()));
        assert_eq!(bus.read(&mut ram, timer, 8, Step(0)), Ok(7 << 32 | 0x5566_7788));
        // Bytes of a device that has registers of one.
        let scratch = platform::UART.base.wrapping_add(7);
        assert_eq!(bus.write(&mut ram, scratch, 1, 0x5a, Step(0)), Ok(()));
        assert_eq!(bus.read(&mut ram, scratch, 2, Step(0)), Err(AccessFault), "its second byte is nobody's");
        assert_eq!(bus.read(&mut ram, platform::UART.base.wrapping_add(5), 4, Step(0)), Err(AccessFault));
        assert_eq!(bus.read(&mut ram, platform::UART.base.wrapping_add(3), 2, Step(0)), Ok(0));
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
