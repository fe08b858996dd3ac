//! Supervisor Binary Interface: extension and function numbers, error codes (SBI specification 3.0).

/// Base extension.
pub const EID_BASE: u64 = 0x10;
/// Timer extension ("TIME").
pub const EID_TIME: u64 = 0x5449_4d45;
/// Inter-processor interrupts ("sPI").
pub const EID_IPI: u64 = 0x0073_5049;
/// Remote fences ("RFNC").
pub const EID_RFENCE: u64 = 0x5246_4e43;
/// Hart state management ("HSM").
pub const EID_HSM: u64 = 0x0048_534d;
/// System reset ("SRST").
pub const EID_SRST: u64 = 0x5352_5354;
/// Debug console ("DBCN").
pub const EID_DBCN: u64 = 0x4442_434e;
/// Firmware features ("FWFT").
pub const EID_FWFT: u64 = 0x4657_4654;
/// Legacy: set timer.
pub const LEGACY_SET_TIMER: u64 = 0;
/// Legacy: put one character.
pub const LEGACY_PUTCHAR: u64 = 1;
/// Legacy: get one character.
pub const LEGACY_GETCHAR: u64 = 2;
/// Legacy: clear the caller's software interrupt.
pub const LEGACY_CLEAR_IPI: u64 = 3;
/// Legacy: send inter-processor interrupts.
pub const LEGACY_SEND_IPI: u64 = 4;
/// Legacy: remote `fence.i`.
pub const LEGACY_REMOTE_FENCE_I: u64 = 5;
/// Legacy: remote `sfence.vma`.
pub const LEGACY_REMOTE_SFENCE_VMA: u64 = 6;
/// Legacy: remote `sfence.vma` of one address space.
pub const LEGACY_REMOTE_SFENCE_VMA_ASID: u64 = 7;
/// Legacy: shut the machine down.
pub const LEGACY_SHUTDOWN: u64 = 8;

/// SBI_SUCCESS.
pub const SUCCESS: i64 = 0;
/// SBI_ERR_FAILED.
pub const ERR_FAILED: i64 = -1;
/// SBI_ERR_NOT_SUPPORTED.
pub const ERR_NOT_SUPPORTED: i64 = -2;
/// SBI_ERR_INVALID_PARAM.
pub const ERR_INVALID_PARAM: i64 = -3;
/// SBI_ERR_DENIED.
pub const ERR_DENIED: i64 = -4;
/// SBI_ERR_INVALID_ADDRESS.
pub const ERR_INVALID_ADDRESS: i64 = -5;
/// SBI_ERR_ALREADY_AVAILABLE.
pub const ERR_ALREADY_AVAILABLE: i64 = -6;
/// SBI_ERR_DENIED_LOCKED.
pub const ERR_DENIED_LOCKED: i64 = -14;

/// HSM: the hart runs.
pub const HART_STARTED: i64 = 0;
/// HSM: the hart does not run.
pub const HART_STOPPED: i64 = 1;
/// HSM: the hart waits for an interrupt in a suspend state.
pub const HART_SUSPENDED: i64 = 4;
/// HSM: the default retentive suspend type.
pub const SUSPEND_RETENTIVE: u32 = 0;
/// HSM: the default non-retentive suspend type.
pub const SUSPEND_NON_RETENTIVE: u32 = 0x8000_0000;

/// The firmware features of FWFT.
pub mod fwft {
    /// Control misaligned access exception delegation.
    pub const MISALIGNED_EXC_DELEG: u32 = 0;
    /// Control landing pads for S-mode.
    pub const LANDING_PAD: u32 = 1;
    /// Control shadow stacks for S-mode.
    pub const SHADOW_STACK: u32 = 2;
    /// Control double traps.
    pub const DOUBLE_TRAP: u32 = 3;
    /// Control hardware updating of A and D bits.
    pub const PTE_AD_HW_UPDATING: u32 = 4;
    /// Control the length of pointer masking.
    pub const POINTER_MASKING_PMLEN: u32 = 5;
    /// Flag of `set`: the value can no longer be changed.
    pub const FLAG_LOCK: u64 = 1;
}
