//! The network device (virtio 1.2, chapter 5.1) with the pretended network of [`super::user_net`] on its wire.
//!
//! One pair of queues, no offloads. A frame that is sent reaches its end at once, and an answer waits until the
//! driver has a buffer for it. Nothing leaves the machine.

use super::device::{Host, Rings, VirtioDevice};
use super::queue::QueueBroken;
use super::user_net;
use isa::Step;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Virtio's number of the network device.
pub const DEVICE_ID: u32 = 1;
/// Feature: the hardware address is in the configuration.
pub const F_MAC: u64 = 1 << 5;
/// Feature: the link's state is in the configuration.
pub const F_STATUS: u64 = 1 << 16;

/// The hardware address that QEMU gives its first card.
const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
const LINK_UP: u16 = 1;
const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;
/// The header before each frame; the legacy one has no count of buffers.
const HEADER_BYTES: usize = 12;
const LEGACY_HEADER_BYTES: usize = 10;
const MAX_FRAME_BYTES: usize = 1514;
/// Answers that wait for a buffer; more are lost, as on a wire.
const MAX_WAITING: usize = 64;

/// The device behind the transport.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Net {
    waiting: VecDeque<Vec<u8>>,
}

impl Net {
    fn send(&mut self, rings: &mut Rings<'_>) -> Result<(), QueueBroken> {
        let header_bytes = header_bytes(rings);
        for _ in 0..rings.size(TRANSMIT) {
            let Some(chain) = rings.pop(TRANSMIT)? else { break };
            let bytes = rings.gather(&chain, header_bytes + MAX_FRAME_BYTES);
            if let Some(answer) = bytes.get(header_bytes..).and_then(user_net::answer)
                && self.waiting.len() < MAX_WAITING
            {
                self.waiting.push_back(answer);
            }
            rings.push(TRANSMIT, chain.head, 0)?;
        }
        self.deliver(rings)
    }

    fn deliver(&mut self, rings: &mut Rings<'_>) -> Result<(), QueueBroken> {
        let header_bytes = header_bytes(rings);
        while !self.waiting.is_empty() {
            let Some(chain) = rings.pop(RECEIVE)? else { break };
            let Some(frame) = self.waiting.pop_front() else { break };
            let mut bytes = vec![0; header_bytes];
            if header_bytes == HEADER_BYTES {
                // The number of buffers that hold the frame.
                bytes[10] = 1;
            }
            bytes.extend(frame);
            let written = rings.scatter(&chain, &bytes);
            rings.push(RECEIVE, chain.head, written)?;
        }
        Ok(())
    }
}

fn header_bytes(rings: &Rings<'_>) -> usize {
    if rings.legacy { LEGACY_HEADER_BYTES } else { HEADER_BYTES }
}

impl VirtioDevice for Net {
    fn id(&self) -> u32 {
        DEVICE_ID
    }
    fn features(&self) -> u64 {
        F_MAC | F_STATUS
    }
    fn queues(&self) -> usize {
        2
    }
    fn config(&self) -> Vec<u8> {
        let mut config = MAC.to_vec();
        config.extend(LINK_UP.to_le_bytes());
        config.extend(1u16.to_le_bytes());
        config
    }
    fn reset(&mut self) {
        self.waiting.clear();
    }
    fn notify(
        &mut self,
        queue: usize,
        rings: &mut Rings<'_>,
        _host: &mut Host<'_>,
        _now: Step,
    ) -> Result<(), QueueBroken> {
        if queue == TRANSMIT { self.send(rings) } else { self.deliver(rings) }
    }
}
