//! What [`EventKind::Signal`] tells, and how a record holds it.

use super::{EventKind, EventRecord};

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SignalEffect {
    /// A handler runs.
    Handled = 0,
    /// Nothing: it is ignored, by its default or by the program's wish.
    Ignored = 1,
    /// It ends the process.
    Ended = 2,
    /// It stops the process.
    Stopped = 3,
}

impl SignalEffect {
    const ALL: [Self; 4] = [Self::Handled, Self::Ignored, Self::Ended, Self::Stopped];

    /// The name used in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Ignored => "ignored",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
        }
    }
}

/// How a system call that a signal has cut short would go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CutShort {
    /// From its start, after a handler with SA_RESTART too (ERESTARTSYS).
    Again = 1,
    /// From its start if no handler runs (ERESTARTNOHAND).
    AgainUnlessHandled = 2,
    /// With what is left of it, if no handler runs (ERESTART_RESTARTBLOCK).
    Rest = 3,
}

impl CutShort {
    const ALL: [Self; 3] = [Self::Again, Self::AgainUnlessHandled, Self::Rest];
}

/// A signal that a thread took, or that was dropped when it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalTold {
    /// Its number: `detail`.
    pub signal: u64,
    /// `si_code`: the low half of `flags`.
    pub code: i32,
    /// The sender or the child, 0 for a fault: `detail2`.
    pub sender: u64,
    /// The address of a fault, a child's status, or what the sender gave along: `detail3`.
    pub value: u64,
    /// What became of it: bits 32–39 of `flags`.
    pub effect: SignalEffect,
    /// The system call that it has cut short: bits 40–47 of `flags`, 0 for none.
    pub cut_short: Option<CutShort>,
    /// What `a0` was before: the result of a call that was not cut short. `va`.
    pub result: u64,
}

impl SignalTold {
    /// Bits of `flags` before the effect, and before the call.
    const EFFECT: u32 = 32;
    const CALL: u32 = 40;

    /// Writes it into a record.
    pub fn write(self, record: &mut EventRecord) {
        let call = self.cut_short.map_or(0, |call| call as u64);
        record.flags =
            u64::from(self.code.cast_unsigned()) | (self.effect as u64) << Self::EFFECT | call << Self::CALL;
        (record.detail, record.detail2, record.detail3) = (self.signal, self.sender, self.value);
        record.va = self.result;
    }
    /// Reads a record of this kind.
    pub fn read(record: &EventRecord) -> Option<Self> {
        let of_flags = |shift: u32| record.flags >> shift & 0xff;
        let effect = SignalEffect::ALL.into_iter().find(|&e| e as u64 == of_flags(Self::EFFECT))?;
        let [a, b, c, d, ..] = record.flags.to_le_bytes();
        let is_signal = record.kind == EventKind::Signal as u64;
        is_signal.then_some(Self {
            signal: record.detail,
            code: i32::from_le_bytes([a, b, c, d]),
            sender: record.detail2,
            value: record.detail3,
            effect,
            cut_short: CutShort::ALL.into_iter().find(|&call| call as u64 == of_flags(Self::CALL)),
            result: record.va,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut told = SignalTold {
            signal: 64,
            code: -6,
            sender: u64::from(u32::MAX),
            value: u64::MAX,
            effect: SignalEffect::Handled,
            cut_short: None,
            result: 7,
        };
        for effect in SignalEffect::ALL {
            for cut_short in CutShort::ALL.into_iter().map(Some).chain([None]) {
                (told.effect, told.cut_short) = (effect, cut_short);
                let mut record = EventRecord { kind: EventKind::Signal as u64, ..EventRecord::default() };
                told.write(&mut record);
                assert_eq!(SignalTold::read(&record), Some(told));
            }
        }
        assert_eq!(SignalTold::read(&EventRecord::default()), None);
    }
}
