//! The console device (virtio 1.2, chapter 5.3): one port, wired to the machine's standard streams.
//!
//! What the guest sends is written at once. A buffer that it posts for input is filled when the host has some: it is asked
//! through the input door, at the same steps as for the UART. The window's size is the host's affair and is not offered.

use super::device::{Host, Rings, VirtioDevice};
use super::queue::{Chain, QueueBroken};
use crate::devices::input::{POLL_INTERVAL_STEPS, Reader};
use crate::host::{Input, Output};
use isa::Step;
use serde::{Deserialize, Serialize};

/// Virtio's number of the console.
pub const DEVICE_ID: u32 = 3;

const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;
/// Most bytes taken from the host, and from one buffer of the guest's, at once.
const MAX_INPUT_BYTES: usize = 4096;
const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// The device behind the transport.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Console {
    /// A buffer that waits for input.
    waiting: Option<Chain>,
    /// When the host may be asked for input again.
    next_poll: Step,
}

impl Console {
    /// Takes a buffer to fill, if none waits yet. One without room goes back as it came.
    fn take_buffer(&mut self, rings: &mut Rings<'_>) -> Result<(), QueueBroken> {
        for _ in 0..rings.size(RECEIVE) {
            if self.waiting.is_some() {
                break;
            }
            let Some(chain) = rings.pop(RECEIVE)? else { break };
            if chain.writable.iter().all(|segment| segment.len_bytes == 0) {
                rings.push(RECEIVE, chain.head, 0)?;
            } else {
                self.waiting = Some(chain);
            }
        }
        Ok(())
    }
}

impl VirtioDevice for Console {
    fn id(&self) -> u32 {
        DEVICE_ID
    }
    fn queues(&self) -> usize {
        2
    }
    fn config(&self) -> Vec<u8> {
        // Columns, rows, number of ports, emergency write: none of the features that give them meaning is offered.
        vec![0; 12]
    }
    fn reset(&mut self) {
        *self = Self::default();
    }
    fn notify(
        &mut self,
        queue: usize,
        rings: &mut Rings<'_>,
        host: &mut Host<'_>,
        _now: Step,
    ) -> Result<(), QueueBroken> {
        if queue == RECEIVE {
            return self.take_buffer(rings);
        }
        for _ in 0..rings.size(TRANSMIT) {
            let Some(chain) = rings.pop(TRANSMIT)? else { break };
            // As the UART's: output to a closed stream is lost.
            let _ = host.stdio.write(Output::Stdout, &rings.gather(&chain, MAX_OUTPUT_BYTES));
            rings.push(TRANSMIT, chain.head, 0)?;
        }
        Ok(())
    }
    fn wants_input(&self) -> bool {
        self.waiting.is_some()
    }
    fn next_poll(&self) -> Step {
        self.next_poll
    }
    fn poll_input(
        &mut self,
        rings: &mut Rings<'_>,
        host: &mut Host<'_>,
        now: Step,
    ) -> Result<bool, QueueBroken> {
        self.next_poll = now.after(POLL_INTERVAL_STEPS);
        let Some(chain) = &self.waiting else { return Ok(false) };
        let room = chain.writable.iter().fold(0, |sum: usize, s| sum.saturating_add(s.len_bytes as usize));
        let mut buffer = vec![0; room.min(MAX_INPUT_BYTES)];
        let Input::Bytes(count) = host.input.poll(Reader::Virtio, host.stdio, &mut buffer) else {
            return Ok(false);
        };
        let head = chain.head;
        let written = rings.scatter(chain, &buffer[..count.min(buffer.len())]);
        self.waiting = None;
        rings.push(RECEIVE, head, written)?;
        self.take_buffer(rings)?;
        Ok(true)
    }
}
