//! The policy of each name.

use super::Policy;
use super::aging::Aging;
use super::clock::Clock;
use super::enhanced_clock::EnhancedClock;
use super::fifo::Fifo;
use super::random::Random;
use super::second_chance::SecondChance;
use alloc::boxed::Box;
use isa::policies::PolicyKind;

/// A policy without places. `seed` is for those that draw lots. One small allocation, not asked for by `try_`.
pub fn make(kind: PolicyKind, seed: u64) -> Box<dyn Policy> {
    match kind {
        PolicyKind::Fifo => Box::<Fifo>::default(),
        PolicyKind::SecondChance => Box::<SecondChance>::default(),
        PolicyKind::Clock => Box::<Clock>::default(),
        PolicyKind::EnhancedClock => Box::<EnhancedClock>::default(),
        PolicyKind::Aging => Box::<Aging>::default(),
        PolicyKind::Random => Box::new(Random::new(seed)),
    }
}
