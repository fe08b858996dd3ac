//! A 16550A UART: the console of firmware and of kernels that do not know the host device.
//!
//! Sending takes no time: the transmitter is always empty, and its interrupt comes at once. The receiver has a
//! FIFO of 16 bytes, filled from the input door when the guest looks at it or waits for its interrupt. Line speed and
//! parity are stored and ignored. An aligned access of any width is one of the addressed register, as on QEMU.

use super::device::{Access, Device, Effect, World};
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
const IIR_NONE: u8 = 1;
const IIR_THRE: u8 = 2;
const IIR_RX: u8 = 4;
const IIR_RX_TIMEOUT: u8 = 0xc;
const IIR_FIFOS: u8 = 0xc0;
const FCR_ENABLE: u8 = 1;
const FCR_CLEAR_RX: u8 = 2;
const LCR_DLAB: u8 = 0x80;
const MCR_LOOP: u8 = 0x10;
const LSR_DATA_READY: u8 = 1;
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
    thre_pending: bool,
    /// When the host may be asked for input again.
    next_poll: Step,
}

impl Uart {
    /// Asks the host for input if there is room. Returns whether any came.
    fn poll(&mut self, input: &mut InputDoor, stdio: &mut dyn Stdio, now: Step) -> bool {
        self.next_poll = now.after(POLL_INTERVAL_STEPS);
        let mut buffer = [0; FIFO_BYTES];
        match input.poll(Reader::Uart, stdio, &mut buffer[self.rx.len()..]) {
            Input::Bytes(count) => {
                let start = self.rx.len();
                self.rx.extend(&buffer[start..(start + count).min(FIFO_BYTES)]);
                true
            }
            Input::Eof | Input::NotYet => false,
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
            (0, false) => self.rx.pop_front().unwrap_or(0),
            (1, false) => self.ier,
            (2, _) => {
                let cause = self.identify();
                if cause == IIR_THRE {
                    self.thre_pending = false;
                }
                cause | if self.fcr & FCR_ENABLE != 0 { IIR_FIFOS } else { 0 }
            }
            (3, _) => self.lcr,
            (4, _) => self.mcr,
            (5, _) => {
                if self.rx.is_empty() && self.mcr & MCR_LOOP == 0 && !input.ended() && now >= self.next_poll {
                    self.poll(input, stdio, now);
                }
                LSR_THRE_TEMT | if self.rx.is_empty() { 0 } else { LSR_DATA_READY }
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
                self.thre_pending = true;
            }
            (1, false) => {
                if value & !self.ier & IER_THRE != 0 {
                    self.thre_pending = true;
                }
                self.ier = value & 0xf;
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
        } else if self.rx.len() < FIFO_BYTES {
            self.rx.push_back(byte);
        }
    }

    /// The interrupt identification register's cause, the most urgent first.
    fn identify(&self) -> u8 {
        if self.ier & IER_RX != 0 && !self.rx.is_empty() {
            let trigger = [1, 4, 8, 14][usize::from(self.fcr >> 6)];
            // Fewer bytes than the trigger level: the character timeout, which here comes at once.
            return if self.fcr & FCR_ENABLE == 0 || self.rx.len() >= trigger {
                IIR_RX
            } else {
                IIR_RX_TIMEOUT
            };
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
        assert!(!b.uart.line(0));
        b.put(1, 2);
        assert!(b.uart.line(0));
        assert_eq!((b.get(2), b.get(2)), (2, 1));
        b.put(0, 65);
        assert_eq!(b.get(2), 2);
        b.put(1, 1);
        assert!(b.uart.wants_input(&b.door) && !b.uart.line(0));
        b.host.input.extend(b"xy");
        assert!(b.uart.poll(&mut b.door, &mut b.host, b.now));
        b.put(2, 0x41);
        assert_eq!(b.get(2), 0xc1, "enabling the FIFO empties it");
        b.host.input.extend(b"xyzw");
        assert!(b.uart.poll(&mut b.door, &mut b.host, b.now));
        assert_eq!(b.get(2), 0xc4, "trigger level 4 reached");
        b.get(0);
        assert_eq!(b.get(2), 0xcc, "below it: timeout");
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
