//! A 16550A UART: the console of firmware and of kernels that do not know the host device.
//!
//! Sending takes no time: the transmitter is always empty, and its interrupt comes at once. The receiver has a
//! FIFO of 16 bytes, or a register for one byte while FIFOs are off, filled from the input door when the guest looks at
//! it or waits for its interrupt; only in loopback can it run over. Line speed and parity are stored and ignored. An
//! aligned access of any width is one of the addressed register, as on QEMU.
//!
//! By the data sheet a transmitter interrupt stays until IIR is read or a byte is written, and a driver that never reads
//! IIR, as those of teaching kernels of many years, would be interrupted for ever. QEMU's board is kinder, for lines there reach
//! the PLIC when they are set, not as long as they are high; so here a transmitter interrupt that has been claimed, and whose
//! driver has then seen in LSR that the transmitter is empty, does not ask again until something happens.

use super::device::{Access, Device, Effect, News, World};
use super::input::{InputDoor, POLL_INTERVAL_STEPS, Reader};
use crate::host::{Input, Output, Stdio};
use crate::platform::AccessFault;
use isa::Step;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What the device tree says of its clock: QEMU's.
pub const CLOCK_HZ: u32 = 3_686_400;

const FIFO_BYTES: usize = 16;

const IER_RX: u8 = 1;
const IER_THRE: u8 = 2;
const IER_LINE_STATUS: u8 = 4;
const IIR_NONE: u8 = 1;
const IIR_THRE: u8 = 2;
const IIR_RX: u8 = 4;
const IIR_LINE_STATUS: u8 = 6;
const IIR_RX_TIMEOUT: u8 = 0xc;
const IIR_FIFOS: u8 = 0xc0;
const FCR_ENABLE: u8 = 1;
const FCR_CLEAR_RX: u8 = 2;
const LCR_DLAB: u8 = 0x80;
const MCR_LOOP: u8 = 0x10;
const LSR_DATA_READY: u8 = 1;
const LSR_OVERRUN: u8 = 2;
const LSR_THRE_TEMT: u8 = 0x60;
const MSR_CONNECTED: u8 = 0xb0;

/// The UART's registers.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Uart {
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    scr: u8,
    divisor: [u8; 2],
    rx: VecDeque<u8>,
    /// A byte has been lost since the line status was last read.
    overrun: bool,
    thre_pending: bool,
    /// The PLIC has not been told of what has happened.
    fresh: bool,
    /// LSR has been read since the transmitter interrupt came.
    thre_seen: bool,
    /// When the host may be asked for input again.
    next_poll: Step,
}

impl Uart {
    fn has_fifos(&self) -> bool {
        self.fcr & FCR_ENABLE != 0
    }

    /// Asks the host for input if there is room. Returns whether any came.
    fn poll(&mut self, input: &mut InputDoor, stdio: &mut dyn Stdio, now: Step) -> bool {
        self.next_poll = now.after(POLL_INTERVAL_STEPS);
        let mut buffer = [0; FIFO_BYTES];
        let room = if self.has_fifos() { FIFO_BYTES } else { 1 } - self.rx.len();
        match input.poll(Reader::Uart, stdio, &mut buffer[..room]) {
            Input::Bytes(count) => {
                self.rx.extend(&buffer[..count.min(room)]);
                if !self.has_fifos() {
                    // The host may well have more: the register's size is no reason to make the guest wait.
                    self.next_poll = now;
                }
                true
            }
            Input::Eof | Input::NotYet | Input::Resized => false,
        }
    }

    /// A load at `offset`.
    fn read(
        &mut self,
        offset: u64,
        input: &mut InputDoor,
        stdio: &mut dyn Stdio,
        now: Step,
    ) -> Result<u64, AccessFault> {
        Ok(u64::from(match (offset, self.lcr & LCR_DLAB != 0) {
            (0 | 1, true) => self.divisor[usize::from(offset == 1)],
            (0, false) => {
                self.fresh = true;
                self.rx.pop_front().unwrap_or(0)
            }
            (1, false) => self.ier,
            (2, _) => {
                let cause = self.identify();
                if cause == IIR_THRE {
                    self.thre_pending = false;
                }
                cause | if self.has_fifos() { IIR_FIFOS } else { 0 }
            }
            (3, _) => self.lcr,
            (4, _) => self.mcr,
            (5, _) => {
                if self.rx.is_empty() && self.mcr & MCR_LOOP == 0 && !input.ended() && now >= self.next_poll {
                    self.poll(input, stdio, now);
                }
                let overrun = std::mem::take(&mut self.overrun);
                self.fresh |= overrun;
                self.thre_seen = true;
                LSR_THRE_TEMT
                    | if self.rx.is_empty() { 0 } else { LSR_DATA_READY }
                    | if overrun { LSR_OVERRUN } else { 0 }
            }
            (6, _) => self.modem_status(),
            (7, _) => self.scr,
            _ => return Err(AccessFault),
        }))
    }

    /// A store at `offset`.
    fn write(&mut self, offset: u64, value: u64, stdio: &mut dyn Stdio) -> Result<(), AccessFault> {
        #[allow(clippy::cast_possible_truncation)] // the registers have 8 bits
        let value = value as u8;
        match (offset, self.lcr & LCR_DLAB != 0) {
            (0 | 1, true) => self.divisor[usize::from(offset == 1)] = value,
            (0, false) => {
                self.transmit(value, stdio);
                self.raise_transmitter_empty();
            }
            (1, false) => {
                let value = value & 0xf;
                if value & !self.ier & IER_THRE != 0 {
                    self.raise_transmitter_empty();
                }
                self.ier = value;
            }
            (2, _) => {
                if value & FCR_CLEAR_RX != 0 || (value ^ self.fcr) & FCR_ENABLE != 0 {
                    self.rx.clear();
                }
                self.fcr = value & 0xc9;
            }
            (3, _) => self.lcr = value,
            (4, _) => self.mcr = value & 0x1f,
            (5 | 6, _) => {}
            (7, _) => self.scr = value,
            _ => return Err(AccessFault),
        }
        Ok(())
    }

    fn transmit(&mut self, byte: u8, stdio: &mut dyn Stdio) {
        if self.mcr & MCR_LOOP == 0 {
            // A UART cannot tell that nobody listens: output to a closed stream is lost.
            let _ = stdio.write(Output::Stdout, &[byte]);
        } else if self.has_fifos() {
            // What finds the FIFO full is lost; without FIFOs it takes the place of the byte before.
            self.overrun |= self.rx.len() == FIFO_BYTES;
            self.rx.extend((self.rx.len() < FIFO_BYTES).then_some(byte));
        } else {
            self.overrun |= self.rx.pop_front().is_some();
            self.rx.push_back(byte);
        }
    }

    fn raise_transmitter_empty(&mut self) {
        (self.thre_pending, self.fresh, self.thre_seen) = (true, true, false);
    }

    /// The interrupt identification register's cause, the most urgent first.
    fn identify(&self) -> u8 {
        if self.ier & IER_LINE_STATUS != 0 && self.overrun {
            return IIR_LINE_STATUS;
        }
        if self.ier & IER_RX != 0 && !self.rx.is_empty() {
            let trigger = [1, 4, 8, 14][usize::from(self.fcr >> 6)];
            // Fewer bytes than the trigger level: the character timeout, which here comes at once.
            return if !self.has_fifos() || self.rx.len() >= trigger { IIR_RX } else { IIR_RX_TIMEOUT };
        }
        if self.ier & IER_THRE != 0 && self.thre_pending { IIR_THRE } else { IIR_NONE }
    }

    /// In loopback the modem's outputs are wired to its inputs: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD.
    fn modem_status(&self) -> u8 {
        if self.mcr & MCR_LOOP == 0 {
            return MSR_CONNECTED;
        }
        (self.mcr & 2) << 3 | (self.mcr & 1) << 5 | (self.mcr & 4) << 4 | (self.mcr & 8) << 4
    }
}

impl Device for Uart {
    fn load(&mut self, access: Access, world: &mut World<'_>) -> Result<u64, AccessFault> {
        self.read(access.offset, world.input, world.stdio, world.now)
    }
    fn store(&mut self, access: Access, value: u64, world: &mut World<'_>) -> Result<Effect, AccessFault> {
        self.write(access.offset, value, world.stdio).map(|()| Effect::None)
    }
    fn line(&self, _: usize) -> bool {
        self.identify() != IIR_NONE
    }
    fn take_news(&mut self) -> News {
        if std::mem::take(&mut self.fresh) {
            News::Fresh
        } else if self.thre_seen && self.identify() == IIR_THRE {
            News::None
        } else {
            News::Standing
        }
    }
    /// The guest waits by interrupt.
    fn wants_input(&self, input: &InputDoor) -> bool {
        self.ier & IER_RX != 0
            && self.rx.is_empty()
            && self.mcr & MCR_LOOP == 0
            && input.serves(Reader::Uart)
            && !input.ended()
    }
    fn next_poll(&self, input: &InputDoor) -> Step {
        if self.wants_input(input) { self.next_poll } else { Step::NEVER }
    }
    fn poll_input(&mut self, world: &mut World<'_>) -> bool {
        self.poll(world.input, world.stdio, world.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::MemoryStdio;

    struct Bench {
        uart: Uart,
        door: InputDoor,
        host: MemoryStdio,
        now: Step,
    }
    impl Bench {
        fn new(input: &[u8]) -> Self {
            let host = MemoryStdio { input: input.to_vec(), ..Default::default() };
            Self { uart: Uart::default(), door: InputDoor::default(), host, now: Step(1_000_000) }
        }
        fn get(&mut self, offset: u64) -> u64 {
            self.now = self.now.after(POLL_INTERVAL_STEPS);
            self.uart.read(offset, &mut self.door, &mut self.host, self.now).unwrap()
        }
        fn put(&mut self, offset: u64, value: u64) {
            self.uart.write(offset, value, &mut self.host).unwrap();
        }
    }

    #[test]
    fn sends_and_is_always_empty() {
        let mut b = Bench::new(b"");
        for byte in *b"hi" {
            b.put(0, u64::from(byte));
        }
        assert_eq!((b.get(5), b.host.output.as_slice()), (0x60, &b"hi"[..]));
    }

    #[test]
    fn receives_by_polling() {
        let mut b = Bench::new(b"abc");
        b.put(2, 1);
        assert_eq!(
            [b.get(5), b.get(0), b.get(0), b.get(5), b.get(0), b.get(5)],
            [0x61, 97, 98, 0x61, 99, 0x60]
        );
    }

    #[test]
    fn a_poll_too_soon_does_not_ask_the_host() {
        let mut b = Bench::new(b"");
        b.get(5);
        b.host.input.push(1);
        let soon = b.now.after(1);
        assert_eq!(b.uart.read(5, &mut b.door, &mut b.host, soon), Ok(0x60));
        assert_eq!(b.get(5), 0x61);
    }

    #[test]
    fn interrupts() {
        let mut b = Bench::new(b"");
        b.put(2, 1);
        assert!(!b.uart.line(0));
        b.put(1, 2);
        assert!(b.uart.line(0));
        assert_eq!((b.get(2), b.get(2)), (0xc2, 0xc1));
        b.put(0, 65);
        assert_eq!(b.get(2), 0xc2);
        b.put(1, 1);
        assert!(b.uart.wants_input(&b.door) && !b.uart.line(0));
        b.host.input.extend(b"xy");
        assert!(b.uart.poll(&mut b.door, &mut b.host, b.now));
        b.put(2, 0x43);
        assert_eq!(b.get(2), 0xc1, "it has been emptied");
        b.host.input.extend(b"xyzw");
        assert!(b.uart.poll(&mut b.door, &mut b.host, b.now));
        assert_eq!(b.get(2), 0xc4, "trigger level 4 reached");
        b.get(0);
        assert_eq!(b.get(2), 0xcc, "below it: timeout");
    }

    #[test]
    fn a_transmitter_interrupt_that_has_been_seen_is_no_news() {
        let mut b = Bench::new(b"");
        b.put(2, 1);
        b.uart.take_news();
        let news = |b: &mut Bench, register: u64, store: Option<u64>| {
            match store {
                Some(value) => b.put(register, value),
                None => _ = b.get(register),
            }
            (b.uart.line(0), b.uart.take_news())
        };
        assert_eq!(news(&mut b, 1, Some(3)), (true, News::Fresh), "the transmitter is empty");
        assert_eq!(news(&mut b, 7, Some(0)), (true, News::Standing), "nobody has looked");
        assert_eq!(news(&mut b, 5, None), (true, News::None), "the driver knows");
        assert_eq!(news(&mut b, 1, Some(3)), (true, News::None));
        assert_eq!(news(&mut b, 0, Some(65)), (true, News::Fresh), "a byte has gone");
        assert_eq!(news(&mut b, 5, None), (true, News::None));
        b.host.input.extend(b"xy");
        assert!(b.uart.poll(&mut b.door, &mut b.host, b.now));
        assert_eq!(
            news(&mut b, 5, None),
            (true, News::Standing),
            "a byte that has come asks as long as it is there"
        );
        assert_eq!(news(&mut b, 0, None), (true, News::Fresh), "and the transmitter's turn comes again");
        assert_eq!(news(&mut b, 0, None), (true, News::Fresh));
        assert_eq!(news(&mut b, 2, None), (false, News::Standing));
    }

    #[test]
    fn what_runs_over_is_told_once() {
        // In loopback: the bytes sent, the FIFO control, how many bytes are kept, the first and the last of them.
        for (sent, fcr, kept, first, last) in
            [(20, 1, 16, 0, 15), (16, 1, 16, 0, 15), (2, 0, 1, 1, 1), (1, 0, 1, 0, 0)]
        {
            let mut b = Bench::new(b"");
            b.put(2, fcr);
            b.put(4, 0x10);
            b.put(1, 4);
            (0..sent).for_each(|byte| b.put(0, byte));
            let lost = sent > kept;
            assert_eq!(b.get(2) & 0xf, if lost { 6 } else { 1 }, "{sent} bytes");
            assert_eq!((b.get(5) & 0xf, b.get(5) & 0xf), (if lost { 3 } else { 1 }, 1), "{sent} bytes");
            assert_eq!(b.get(2) & 0xf, 1);
            let bytes: Vec<u64> = (0..kept).map(|_| b.get(0)).collect();
            assert_eq!((bytes[0], bytes[bytes.len() - 1], b.get(5)), (first, last, 0x60));
        }
    }

    #[test]
    fn without_fifos_one_byte_comes_at_a_time_and_the_next_at_once() {
        let mut b = Bench::new(b"abc");
        b.get(5);
        assert_eq!((b.uart.rx.len(), b.get(0)), (1, 97));
        let (now, soon) = (b.now, b.now.after(1));
        for now in [now, soon] {
            assert_eq!(b.uart.read(5, &mut b.door, &mut b.host, now), Ok(0x61));
            b.uart.read(0, &mut b.door, &mut b.host, now).unwrap();
        }
        assert_eq!(b.uart.read(5, &mut b.door, &mut b.host, soon), Ok(0x60));
    }

    #[test]
    fn divisor_latch_scratch_and_loopback() {
        let mut b = Bench::new(b"");
        b.put(3, 0x83);
        b.put(0, 0x12);
        b.put(1, 0x34);
        assert_eq!((b.get(0), b.get(1)), (0x12, 0x34));
        b.put(3, 3);
        b.put(7, 0x5a);
        b.put(4, 0x1a);
        assert_eq!((b.get(0), b.get(1), b.get(7), b.get(6) & 0xf0), (0, 0, 0x5a, 0x90));
        b.put(0, 77);
        assert_eq!((b.get(5) & 1, b.get(0)), (1, 77));
        assert!(b.host.output.is_empty());
        assert_eq!(b.uart.read(8, &mut b.door, &mut b.host, b.now), Err(AccessFault));
    }
}
