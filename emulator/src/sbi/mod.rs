//! The built-in SBI (specification 3.0): what the machine does itself when S-mode calls, in place of firmware.
//!
//! Base, TIME, IPI, RFENCE, HSM, SRST, DBCN, FWFT and all of legacy. A call is decided here
//! from its registers into an [`Action`]; the machine, which owns harts and devices, carries it out. Nothing here
//! runs guest instructions, so a call takes the one step of its ECALL.

use isa::sbi::*;
use isa::{PhysAddr, VirtAddr};

/// `sbi_get_spec_version`: 3.0.
const SPEC_VERSION: i64 = 3 << 24;
/// `sbi_get_impl_id`: experimental, outside the numbers handed out.
const IMPL_ID: i64 = 0xf0;
const IMPL_VERSION: i64 = 1;

/// The registers of a call: a0 to a7.
#[derive(Clone, Copy, Debug)]
pub struct Call(pub [u64; 8]);

impl Call {
    /// Extension number (a7).
    pub fn extension(self) -> u64 {
        self.0[7]
    }
    /// Function number (a6).
    pub fn function(self) -> u64 {
        self.0[6]
    }
    /// Whether it is a legacy call, which answers in a0 alone.
    pub fn is_legacy(self) -> bool {
        self.extension() <= LEGACY_SHUTDOWN
    }
    fn argument(self, index: usize) -> u64 {
        self.0[index]
    }
    /// An argument of 32 bits: the upper half of the register means nothing.
    #[allow(clippy::cast_possible_truncation)] // as said
    fn argument_32(self, index: usize) -> u32 {
        self.0[index] as u32
    }
}

/// A set of harts, as calls name them: `mask` bit `n` is hart `base + n`; a base of -1 is all harts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Harts {
    mask: u64,
    base: u64,
}

impl Harts {
    /// Every hart.
    pub const ALL: Self = Self { mask: 0, base: u64::MAX };

    /// Whether `hart` is meant.
    pub fn contains(self, hart: usize) -> bool {
        let Some(index) = (hart as u64).checked_sub(self.base) else { return self.base == u64::MAX };
        self.base == u64::MAX || index < 64 && self.mask >> index & 1 != 0
    }
    /// Whether all that are named exist.
    fn exist(self, harts: usize) -> bool {
        if self.base == u64::MAX || self.mask == 0 {
            return true;
        }
        let last = self.base.checked_add(u64::from(63 - self.mask.leading_zeros()));
        last.is_some_and(|last| last < harts as u64)
    }
}

/// The answer in a0 (error) and a1 (value).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// One of the `isa::sbi` error codes.
    pub error: i64,
    /// The value.
    pub value: i64,
}

impl Answer {
    /// Success with a value.
    pub fn value(value: i64) -> Self {
        Self { error: SUCCESS, value }
    }
    /// Failure.
    pub fn error(error: i64) -> Self {
        Self { error, value: 0 }
    }
}

/// What a fence drops on the harts it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fence {
    /// The harts.
    pub harts: Harts,
    /// First address and length in bytes; `None` is the whole address space.
    pub range: Option<(u64, u64)>,
    /// One address space, or all.
    pub asid: Option<u16>,
}

/// What the machine is to do for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Only answer.
    Answer(Answer),
    /// Set the timer to interrupt at `mtime >= ticks` (and clear STIP until then), then answer success.
    SetTimer {
        /// The time.
        ticks: u64,
    },
    /// Raise the supervisor software interrupt of these harts, then answer success.
    SendIpi(Harts),
    /// `fence.i` and the like on these harts: nothing to do, then answer success.
    Fence(Option<Fence>),
    /// Clear the caller's software interrupt and answer whether it was pending.
    ClearIpi,
    /// The call reads memory that cannot be read: the supervisor takes the fault.
    Fault(VirtAddr),
    /// Start a stopped hart, then answer success.
    StartHart {
        /// The hart, which exists.
        hart: usize,
        /// Where.
        at: PhysAddr,
        /// Its a1.
        opaque: u64,
    },
    /// Stop the calling hart.
    StopHart,
    /// Answer the state of a hart, which exists.
    HartStatus(usize),
    /// Wait for an interrupt, then answer success, or, if not retentive, go on at an address with this a1.
    Suspend {
        /// Where to resume, and a1.
        resume: Option<(PhysAddr, u64)>,
    },
    /// Set a firmware feature, then answer success.
    SetFeature {
        /// Its number.
        feature: u32,
        /// Its new value.
        value: u64,
        /// Flags.
        flags: u64,
    },
    /// Answer the value of a firmware feature.
    GetFeature(u32),
    /// Print these bytes of RAM and answer their number.
    Write {
        /// First byte.
        at: PhysAddr,
        /// Number of bytes.
        len_bytes: u64,
    },
    /// Read input into RAM and answer the number of bytes.
    Read {
        /// First byte.
        at: PhysAddr,
        /// Room, in bytes.
        len_bytes: u64,
    },
    /// Print one byte.
    PutByte {
        /// The byte.
        byte: u8,
    },
    /// Legacy: take one byte of input, -1 if there is none.
    GetByte,
    /// Power off; 1 if a failure is the reason.
    Shutdown(u32),
    /// Reset.
    Reset,
}

/// Decides what to do for `call`, on a machine with `harts` harts. `read` reads a word of the caller's memory.
pub fn decide(call: Call, harts: usize, read: impl Fn(VirtAddr) -> Option<u64>) -> Action {
    let answer = |error| Action::Answer(Answer::error(error));
    let value = |value| Action::Answer(Answer::value(value));
    let named = |mask: usize, base: usize| {
        let named = Harts { mask: call.argument(mask), base: call.argument(base) };
        named.exist(harts).then_some(named)
    };
    match (call.extension(), call.function()) {
        (LEGACY_SET_TIMER, _) => Action::SetTimer { ticks: call.argument(0) },
        (LEGACY_PUTCHAR, _) => Action::PutByte { byte: call.argument(0).to_le_bytes()[0] },
        (LEGACY_GETCHAR, _) => Action::GetByte,
        (LEGACY_CLEAR_IPI, _) => Action::ClearIpi,
        (extension @ LEGACY_SEND_IPI..=LEGACY_REMOTE_SFENCE_VMA_ASID, _) => {
            let at = VirtAddr(call.argument(0));
            // As OpenSBI has it, no list means all harts.
            let named =
                if at.0 == 0 { Some(Harts::ALL) } else { read(at).map(|mask| Harts { mask, base: 0 }) };
            match (named, extension) {
                (None, _) => Action::Fault(at),
                (Some(harts), LEGACY_SEND_IPI) => Action::SendIpi(harts),
                (Some(harts), _) => remote_fence(call, extension - LEGACY_REMOTE_FENCE_I, harts, 1),
            }
        }
        (LEGACY_SHUTDOWN, _) => Action::Shutdown(0),

        (EID_BASE, 0) => value(SPEC_VERSION),
        (EID_BASE, 1) => value(IMPL_ID),
        (EID_BASE, 2) => value(IMPL_VERSION),
        (EID_BASE, 3) => value(i64::from(is_implemented(call.argument(0)))),
        // mvendorid, marchid, mimpid: all 0, as the hart's registers read.
        (EID_BASE, 4..=6) => value(0),

        (EID_TIME, 0) => Action::SetTimer { ticks: call.argument(0) },
        (EID_IPI, 0) => named(0, 1).map_or(answer(ERR_INVALID_PARAM), Action::SendIpi),
        (EID_RFENCE, function @ 0..=2) => match named(0, 1) {
            None => answer(ERR_INVALID_PARAM),
            Some(harts) => remote_fence(call, function, harts, 2),
        },
        (EID_HSM, function) => hart_state(call, function, harts),
        (EID_SRST, 0) => system_reset(call.argument(0), call.argument(1)),
        (EID_DBCN, 0 | 1) if call.argument(2) != 0 => answer(ERR_INVALID_PARAM),
        (EID_DBCN, 0) => Action::Write { at: PhysAddr(call.argument(1)), len_bytes: call.argument(0) },
        (EID_DBCN, 1) => Action::Read { at: PhysAddr(call.argument(1)), len_bytes: call.argument(0) },
        (EID_DBCN, 2) => Action::PutByte { byte: call.argument(0).to_le_bytes()[0] },
        (EID_FWFT, 0) => Action::SetFeature {
            feature: call.argument_32(0),
            value: call.argument(1),
            flags: call.argument(2),
        },
        (EID_FWFT, 1) => Action::GetFeature(call.argument_32(0)),
        _ => answer(ERR_NOT_SUPPORTED),
    }
}

fn is_implemented(extension: u64) -> bool {
    matches!(
        extension,
        LEGACY_SET_TIMER
            ..=LEGACY_SHUTDOWN
                | EID_BASE
                | EID_TIME
                | EID_IPI
                | EID_RFENCE
                | EID_HSM
                | EID_SRST
                | EID_DBCN
                | EID_FWFT
    )
}

/// Function 0 is `fence.i`; 1 and 2 are `sfence.vma` without and with an address space. Its arguments begin at `first`.
fn remote_fence(call: Call, function: u64, harts: Harts, first: usize) -> Action {
    if function == 0 {
        // Stores drop decoded code at once, so `fence.i` has nothing to do.
        return Action::Fence(None);
    }
    let (start, len_bytes) = (call.argument(first), call.argument(first + 1));
    let everything = len_bytes == u64::MAX || start == 0 && len_bytes == 0;
    #[allow(clippy::cast_possible_truncation)] // an ASID has 16 bits
    let asid = (function == 2).then(|| call.argument(first + 2) as u16);
    Action::Fence(Some(Fence { harts, range: (!everything).then_some((start, len_bytes)), asid }))
}

fn hart_state(call: Call, function: u64, harts: usize) -> Action {
    let error = |error| Action::Answer(Answer::error(error));
    let hart = usize::try_from(call.argument(0)).ok().filter(|&hart| hart < harts);
    match (function, hart) {
        (0 | 2, None) => error(ERR_INVALID_PARAM),
        (0, Some(hart)) => {
            Action::StartHart { hart, at: PhysAddr(call.argument(1)), opaque: call.argument(2) }
        }
        (1, _) => Action::StopHart,
        (2, Some(hart)) => Action::HartStatus(hart),
        (3, _) => match call.argument_32(0) {
            SUSPEND_RETENTIVE => Action::Suspend { resume: None },
            SUSPEND_NON_RETENTIVE => {
                Action::Suspend { resume: Some((PhysAddr(call.argument(1)), call.argument(2))) }
            }
            _ => error(ERR_INVALID_PARAM),
        },
        _ => error(ERR_NOT_SUPPORTED),
    }
}

/// Type 0 is a shutdown, 1 and 2 are cold and warm reboots; reason 0 is none, 1 a system failure.
fn system_reset(kind: u64, reason: u64) -> Action {
    match (kind, reason) {
        (0, 0 | 1) => Action::Shutdown(u32::from(reason == 1)),
        (1 | 2, 0 | 1) => Action::Reset,
        _ => Action::Answer(Answer::error(ERR_INVALID_PARAM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(extension: u64, function: u64, arguments: &[u64]) -> Action {
        let mut registers = [0; 8];
        registers[..arguments.len()].copy_from_slice(arguments);
        (registers[6], registers[7]) = (function, extension);
        decide(Call(registers), 2, |at| (at.0 == 0x100).then_some(3))
    }
    fn value(value: i64) -> Action {
        Action::Answer(Answer::value(value))
    }
    fn error(error: i64) -> Action {
        Action::Answer(Answer::error(error))
    }

    #[test]
    fn decisions() {
        let hart0 = Harts { mask: 1, base: 0 };
        let fence = |range, asid| Action::Fence(Some(Fence { harts: hart0, range, asid }));
        for (extension, function, arguments, action) in [
            (EID_BASE, 0, &[][..], value(0x300_0000)),
            (EID_BASE, 3, &[EID_DBCN], value(1)),
            (EID_BASE, 3, &[0x1234], value(0)),
            (EID_BASE, 9, &[], error(ERR_NOT_SUPPORTED)),
            (EID_TIME, 0, &[55], Action::SetTimer { ticks: 55 }),
            (LEGACY_SET_TIMER, 0, &[55], Action::SetTimer { ticks: 55 }),
            (LEGACY_PUTCHAR, 0, &[0x141], Action::PutByte { byte: 0x41 }),
            (LEGACY_SHUTDOWN, 7, &[], Action::Shutdown(0)),
            (EID_IPI, 0, &[1, 0], Action::SendIpi(hart0)),
            (LEGACY_CLEAR_IPI, 0, &[], Action::ClearIpi),
            (LEGACY_SEND_IPI, 0, &[0x100], Action::SendIpi(Harts { mask: 3, base: 0 })),
            (LEGACY_SEND_IPI, 0, &[0], Action::SendIpi(Harts::ALL)),
            (LEGACY_SEND_IPI, 0, &[0x200], Action::Fault(VirtAddr(0x200))),
            (LEGACY_REMOTE_FENCE_I, 0, &[0], Action::Fence(None)),
            (LEGACY_REMOTE_SFENCE_VMA, 0, &[0x100, 0x1000, 0x2000, 7], {
                let harts = Harts { mask: 3, base: 0 };
                Action::Fence(Some(Fence { harts, range: Some((0x1000, 0x2000)), asid: None }))
            }),
            (LEGACY_REMOTE_SFENCE_VMA_ASID, 0, &[0, 0, 0, 7], {
                Action::Fence(Some(Fence { harts: Harts::ALL, range: None, asid: Some(7) }))
            }),
            (EID_IPI, 0, &[2, 0], Action::SendIpi(Harts { mask: 2, base: 0 })),
            (EID_IPI, 0, &[4, 0], error(ERR_INVALID_PARAM)),
            (EID_IPI, 0, &[1, u64::MAX - 1], error(ERR_INVALID_PARAM)),
            (EID_RFENCE, 0, &[1, 0], Action::Fence(None)),
            (EID_RFENCE, 1, &[1, 0, 0, 0], fence(None, None)),
            (EID_RFENCE, 1, &[1, 0, 0x1000, u64::MAX], fence(None, None)),
            (EID_RFENCE, 2, &[1, 0, 0x1000, 0x2000, 7], fence(Some((0x1000, 0x2000)), Some(7))),
            (EID_HSM, 2, &[1], Action::HartStatus(1)),
            (EID_HSM, 2, &[2], error(ERR_INVALID_PARAM)),
            (EID_HSM, 0, &[1, 0x8000_0000, 7], {
                Action::StartHart { hart: 1, at: PhysAddr(0x8000_0000), opaque: 7 }
            }),
            (EID_HSM, 0, &[2], error(ERR_INVALID_PARAM)),
            (EID_HSM, 1, &[], Action::StopHart),
            (EID_HSM, 3, &[0], Action::Suspend { resume: None }),
            (EID_HSM, 3, &[0x8000_0000, 0x8000_0000, 9], {
                Action::Suspend { resume: Some((PhysAddr(0x8000_0000), 9)) }
            }),
            (EID_HSM, 3, &[0x9000_0000], error(ERR_INVALID_PARAM)),
            (EID_HSM, 4, &[], error(ERR_NOT_SUPPORTED)),
            (EID_FWFT, 0, &[4, 1, 1], Action::SetFeature { feature: 4, value: 1, flags: 1 }),
            (EID_FWFT, 1, &[0xf_0000_0004], Action::GetFeature(4)),
            (EID_SRST, 0, &[0, 1], Action::Shutdown(1)),
            (EID_SRST, 0, &[1, 0], Action::Reset),
            (EID_SRST, 0, &[5, 0], error(ERR_INVALID_PARAM)),
            (EID_DBCN, 0, &[5, 0x8000_0000], Action::Write { at: PhysAddr(0x8000_0000), len_bytes: 5 }),
            (EID_DBCN, 0, &[5, 0x8000_0000, 1], error(ERR_INVALID_PARAM)),
            (0x1234_5678, 0, &[], error(ERR_NOT_SUPPORTED)),
        ] {
            assert_eq!(
                call(extension, function, arguments),
                action,
                "{extension:#x} {function} {arguments:x?}"
            );
        }
    }

    #[test]
    fn sets_of_harts() {
        assert!(Harts::ALL.contains(0) && Harts::ALL.contains(99));
        let some = Harts { mask: 0b101, base: 2 };
        assert_eq!((0..6).filter(|&hart| some.contains(hart)).collect::<Vec<_>>(), [2, 4]);
        assert!(some.exist(5) && !some.exist(4));
    }
}
