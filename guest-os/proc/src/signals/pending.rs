//! Signals that wait to be acted on: one of each standard signal, real-time ones in the order in which they came.

use super::{QueueFull, SigInfo, Signal, SignalSet};
use alloc::vec;
use alloc::vec::Vec;

/// What waits for a thread, or for a process.
#[derive(Debug, Default)]
pub(super) struct Pending {
    set: SignalSet,
    /// One a standard signal, or none at all as long as nothing but SIGKILL and real-time signals came, since nobody asks the reason of SIGKILL.
    infos: Vec<SigInfo>,
    /// Real-time signals.
    queue: Vec<SigInfo>,
}

impl Pending {
    /// Nothing, with room for every standard signal: what comes with an interrupt needs no memory.
    pub(super) fn with_room() -> Self {
        let infos = vec![SigInfo::from_kernel(Signal::HUP); Signal::FIRST_REAL_TIME as usize - 1];
        Self { infos, ..Self::default() }
    }
    /// Which signals wait.
    pub(super) const fn set(&self) -> SignalSet {
        self.set
    }
    /// How many wait that take room, and how many of them are timers'.
    pub(super) fn counts(&self) -> (usize, usize) {
        let waits = |signal: Signal| signal != Signal::KILL && self.set.contains(signal);
        // What never came has a place all the same, and says that it is another.
        let standard = self.infos.iter().enumerate();
        let standard = standard.filter(|(index, info)| info.signal.index() == *index && waits(info.signal));
        let all = standard.map(|(_, info)| info).chain(&self.queue);
        all.fold((0, 0), |(all, timers), info| (all + 1, timers + usize::from(info.code == SigInfo::TIMER)))
    }
    /// One more. A further standard signal of the same number is merged with the first. Without room a standard one comes without its
    /// reason, a real-time one only if there is none.
    pub(super) fn add(&mut self, info: SigInfo, has_room: bool) -> Result<(), QueueFull> {
        if info.signal.is_real_time() {
            self.enqueue(info, has_room)?;
        } else if !self.set.contains(info.signal) {
            self.replace(if has_room { info } else { SigInfo::from_user(info.signal, 0) });
        }
        Ok(())
    }
    fn enqueue(&mut self, info: SigInfo, has_room: bool) -> Result<(), QueueFull> {
        if has_room && self.queue.try_reserve(1).is_ok() {
            self.queue.push(info);
        } else if info.code != SigInfo::USER {
            return Err(QueueFull);
        }
        // As in Linux: what `kill` sends comes without its reason rather than not at all.
        self.set.add(info.signal);
        Ok(())
    }
    /// A standard signal, whether one like it waits or not.
    pub(super) fn replace(&mut self, info: SigInfo) {
        self.set.add(info.signal);
        if info.signal == Signal::KILL {
            return;
        }
        if self.infos.is_empty() {
            self.infos = Self::with_room().infos;
        }
        self.infos[info.signal.index()] = info;
    }
    /// All of this number vanish.
    pub(super) fn remove(&mut self, signal: Signal) {
        self.set.remove(signal);
        if signal.is_real_time() {
            self.queue.retain(|info| info.signal != signal);
        }
    }
    /// Takes the first of this number, which waits.
    pub(super) fn take(&mut self, signal: Signal) -> SigInfo {
        if signal.is_real_time() {
            return self.dequeue(signal);
        }
        self.set.remove(signal);
        if signal == Signal::KILL { SigInfo::from_kernel(signal) } else { self.infos[signal.index()] }
    }
    fn dequeue(&mut self, signal: Signal) -> SigInfo {
        let first = self.queue.iter().position(|info| info.signal == signal);
        let info = first.map(|index| self.queue.remove(index));
        if self.queue.iter().all(|info| info.signal != signal) {
            self.set.remove(signal);
        }
        info.unwrap_or(SigInfo::from_user(signal, 0))
    }
}
