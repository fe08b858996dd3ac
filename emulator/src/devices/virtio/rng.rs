//! The entropy source (virtio 1.2, chapter 5.4): bytes that depend on the machine's seed alone.
//!
//! Equal seeds give equal runs, so this is no source of secrets.

use super::device::{Host, Rings, VirtioDevice};
use super::queue::QueueBroken;
use crate::random::SplitMix64;
use isa::Step;
use serde::{Deserialize, Serialize};

/// Virtio's number of the entropy source.
pub const DEVICE_ID: u32 = 4;
/// Most bytes given for one request.
const MAX_BYTES: usize = 4096;

/// The device behind the transport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rng {
    random: SplitMix64,
}

impl Rng {
    /// A source that gives what follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: SplitMix64::new(seed) }
    }
}

impl VirtioDevice for Rng {
    fn id(&self) -> u32 {
        DEVICE_ID
    }
    fn queues(&self) -> usize {
        1
    }
    fn reset(&mut self) {
        // What was given stays given: a driver that starts again gets new bytes.
    }
    fn notify(
        &mut self,
        _queue: usize,
        rings: &mut Rings<'_>,
        _host: &mut Host<'_>,
        _now: Step,
    ) -> Result<(), QueueBroken> {
        for _ in 0..rings.size(0) {
            let Some(chain) = rings.pop(0)? else { break };
            let len = chain.writable.iter().fold(0, |sum: usize, s| sum.saturating_add(s.len_bytes as usize));
            let words = len.min(MAX_BYTES).div_ceil(8);
            let mut bytes: Vec<u8> = (0..words).flat_map(|_| self.random.next().to_le_bytes()).collect();
            bytes.truncate(len);
            let written = rings.scatter(&chain, &bytes);
            rings.push(0, chain.head, written)?;
        }
        Ok(())
    }
}
