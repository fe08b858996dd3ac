//! Supervisor Binary Interface: extension and function numbers, error codes (SBI specification 2.0).

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
/// Legacy: set timer.
pub const LEGACY_SET_TIMER: u64 = 0;
/// Legacy: put one character.
pub const LEGACY_PUTCHAR: u64 = 1;
/// Legacy: get one character.
pub const LEGACY_GETCHAR: u64 = 2;
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
/// SBI_ERR_INVALID_ADDRESS.
pub const ERR_INVALID_ADDRESS: i64 = -5;
/// SBI_ERR_ALREADY_AVAILABLE.
pub const ERR_ALREADY_AVAILABLE: i64 = -6;
