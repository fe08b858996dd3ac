//! The timers that a process makes (timer_create(2)): each sends a signal of its own, or none.

use crate::processes::exit::{send_to_thread_with_room, send_with_room};
use crate::processes::process::{Process, table};
use crate::processes::timers::{Kind, Timer};
use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use proc::{SigInfo, Signal, Tid, interval};

/// What happens when a timer rings.
#[derive(Clone, Copy)]
pub struct Notice {
    /// The signal, if any.
    pub signal: Option<Signal>,
    /// To this thread, or to the process.
    pub thread: Option<Tid>,
    /// What goes along; none is the timer's number.
    pub value: Option<u64>,
}

/// A timer.
#[derive(Clone, Copy)]
pub struct Alarm {
    /// What it goes by.
    pub kind: Kind,
    /// Whether its times are those of the day.
    pub is_realtime: bool,
    /// When it rings.
    pub timer: Timer,
    notice: Notice,
    /// Rings since the last signal that came to nothing, and as many as that signal stood for.
    missed: u64,
    told: u64,
}

/// The timers of a process, by their numbers.
#[derive(Default)]
pub struct Alarms {
    all: RefCell<BTreeMap<u32, Alarm>>,
    /// The number of the next one: as on Linux, one that has been had is not had again soon.
    next: Cell<u32>,
}

impl Alarms {
    /// A new one, which does not ring yet; its number.
    pub fn create(&self, kind: Kind, is_realtime: bool, notice: Notice) -> u32 {
        let mut all = self.all.borrow_mut();
        let after = |id: u32| (id + 1) & i32::MAX.cast_unsigned();
        let mut id = self.next.get();
        while all.contains_key(&id) {
            id = after(id);
        }
        self.next.set(after(id));
        let timer = Timer::default();
        all.insert(id, Alarm { kind, is_realtime, timer, notice, missed: 0, told: 0 });
        id
    }
    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.borrow().len()
    }
    /// One of them.
    pub fn get(&self, id: u32) -> Option<Alarm> {
        self.all.borrow().get(&id).copied()
    }
    /// Sets when one rings. What it has missed is forgotten.
    pub fn set(&self, id: u32, timer: Timer) {
        if let Some(alarm) = self.all.borrow_mut().get_mut(&id) {
            (alarm.timer, alarm.missed, alarm.told) = (timer, 0, 0);
        }
    }
    /// Ends one. Whether there was one.
    pub fn delete(&self, id: u32) -> bool {
        self.all.borrow_mut().remove(&id).is_some()
    }
    /// Ends all of them: a new program has none.
    pub fn clear(&self) {
        self.all.borrow_mut().clear();
    }
    /// How many rings the last signal of one stood for, besides its own.
    pub fn overruns(&self, id: u32) -> Option<u64> {
        self.get(id).map(|alarm| alarm.told)
    }
    /// Whether none is to ring.
    pub fn are_off(&self) -> bool {
        self.all.borrow().values().all(|alarm| alarm.timer.deadline == 0)
    }

    /// Rings those that are due; `look_in` hears of each that will ring again, what it goes by and in how many ticks.
    pub fn ring(&self, process: &Process, now: u64, mut look_in: impl FnMut(Kind, u64)) {
        let mut after = None;
        loop {
            let next = {
                let all = self.all.borrow();
                let next = all.range(after.map_or(0, |id: u32| id + 1)..).next();
                next.map(|(&id, &alarm)| (id, alarm))
            };
            let Some((id, alarm)) = next else { return };
            after = Some(id);
            let Timer { deadline, interval } = alarm.timer;
            if deadline == 0 {
                continue;
            }
            let reading = alarm.kind.reading(process, now);
            let mut next = deadline;
            if deadline <= reading {
                next = if interval == 0 { 0 } else { interval::next_ring(deadline, interval, reading) };
                let missed = if interval == 0 { 0 } else { (reading - deadline) / interval };
                let rung = notify(process, id, Alarm { missed: alarm.missed + missed, ..alarm });
                let timer = Timer { deadline: next, interval };
                self.all.borrow_mut().insert(id, Alarm { timer, ..rung });
            }
            if next != 0 {
                look_in(alarm.kind, next.saturating_sub(reading));
            }
        }
    }
}

/// Sends a timer's signal, unless its last one has not been taken yet: then this ring is one that was missed.
fn notify(process: &Process, id: u32, alarm: Alarm) -> Alarm {
    let Notice { signal: Some(signal), thread, value } = alarm.notice else { return alarm };
    let thread = thread.map(|tid| table(|t| t.thread(tid)));
    let is_pending = match &thread {
        Some(Some(thread)) => thread.signals.borrow().pending_alone().contains(signal),
        _ => process.signals.borrow().pending().contains(signal),
    };
    if is_pending {
        return Alarm { missed: alarm.missed + 1, ..alarm };
    }
    let info = SigInfo { signal, code: SigInfo::TIMER, pid: id, value: value.unwrap_or(id.into()) };
    // Lost where there is no memory.
    let _ = match thread {
        // The room that it needs was the timer's when it was made.
        None => send_with_room(process, info, true),
        Some(Some(thread)) => send_to_thread_with_room(&thread, info, true),
        Some(None) => Ok(()),
    };
    Alarm { missed: 0, told: alarm.missed, ..alarm }
}
