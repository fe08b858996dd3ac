//! `sigaltstack`: where handlers with SA_ONSTACK run.

use linux_raw_sys::general as linux;

/// A thread's alternate stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AltStack {
    /// Its lowest address.
    pub base: u64,
    /// Its size in bytes; 0 if there is none.
    pub size: u64,
    /// Whether it is taken away while a handler runs on it (SS_AUTODISARM).
    pub disarms: bool,
}

/// Why a stack is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AltStackError {
    /// Flags that mean nothing (EINVAL).
    Flags,
    /// Too small for a handler (ENOMEM).
    Size,
}

impl AltStack {
    /// There is none.
    pub const NONE: Self = Self { base: 0, size: 0, disarms: false };
    /// Smaller ones have no room for a handler's frame.
    const MIN_BYTES: u64 = linux::MINSIGSTKSZ as u64;

    /// The stack that a `stack_t` describes.
    pub fn requested(base: u64, flags: u32, size: u64) -> Result<Self, AltStackError> {
        let disarms = flags & linux::SS_AUTODISARM != 0;
        match flags & !linux::SS_AUTODISARM {
            linux::SS_DISABLE => Ok(Self { disarms, ..Self::NONE }),
            0 | linux::SS_ONSTACK if size < Self::MIN_BYTES => Err(AltStackError::Size),
            0 | linux::SS_ONSTACK => Ok(Self { base, size, disarms }),
            _ => Err(AltStackError::Flags),
        }
    }
    /// Whether who has this stack pointer runs on it. One that is taken away then is never in use.
    pub const fn is_in_use(&self, sp: u64) -> bool {
        !self.disarms && sp > self.base && sp - self.base <= self.size
    }
    /// The flags that `sigaltstack` tells to who has this stack pointer.
    pub const fn flags(&self, sp: u64) -> u32 {
        let state = match self.size {
            0 => linux::SS_DISABLE,
            _ if self.is_in_use(sp) => linux::SS_ONSTACK,
            _ => 0,
        };
        state | self.kept_flags()
    }
    /// The flags that a handler's frame keeps, to be restored with the rest.
    pub const fn saved_flags(&self) -> u32 {
        let state = if self.size == 0 { linux::SS_DISABLE } else { 0 };
        state | self.kept_flags()
    }
    const fn kept_flags(&self) -> u32 {
        if self.disarms { linux::SS_AUTODISARM } else { 0 }
    }
    /// Where a handler's frame ends: at the top of this stack if the handler wants it and it is free.
    pub const fn frame_end(&self, sp: u64, is_wanted: bool) -> u64 {
        if is_wanted && self.size != 0 && !self.is_in_use(sp) {
            self.base.wrapping_add(self.size)
        } else {
            sp
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_described_as_linux_does() {
        for (flags, size, expected) in [
            (0, 4096, Ok(AltStack { base: 0x1000, size: 4096, disarms: false })),
            (linux::SS_ONSTACK, 4096, Ok(AltStack { base: 0x1000, size: 4096, disarms: false })),
            (linux::SS_AUTODISARM, 4096, Ok(AltStack { base: 0x1000, size: 4096, disarms: true })),
            (linux::SS_DISABLE, 0, Ok(AltStack::NONE)),
            (0, 2047, Err(AltStackError::Size)),
            (4, 4096, Err(AltStackError::Flags)),
        ] {
            assert_eq!(AltStack::requested(0x1000, flags, size), expected, "{flags:#x}, {size}");
        }
    }

    #[test]
    fn a_handler_runs_on_it_unless_one_does_already() {
        let stack = AltStack { base: 0x1000, size: 0x1000, disarms: false };
        for (sp, is_wanted, end, flags) in [
            (0x9000, true, 0x2000, 0),
            (0x9000, false, 0x9000, 0),
            (0x1800, true, 0x1800, linux::SS_ONSTACK),
            (0x2000, true, 0x2000, linux::SS_ONSTACK),
            (0x1000, true, 0x2000, 0),
        ] {
            assert_eq!((stack.frame_end(sp, is_wanted), stack.flags(sp)), (end, flags), "{sp:#x}");
        }
        let disarming = AltStack { disarms: true, ..stack };
        assert_eq!(disarming.frame_end(0x1800, true), 0x2000);
        assert_eq!(disarming.flags(0x1800), linux::SS_AUTODISARM);
        assert_eq!(AltStack::NONE.flags(0x1800), linux::SS_DISABLE);
        assert_eq!(AltStack::NONE.frame_end(0x1800, true), 0x1800);
    }
}
