//! Privilege modes, exceptions, interrupts and their codes (privileged manual, "Machine Cause Register").

use crate::VirtAddr;

/// A privilege mode, in the encoding of `mstatus.MPP`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Privilege {
    /// User mode.
    User = 0,
    /// Supervisor mode.
    Supervisor = 1,
    /// Machine mode.
    Machine = 3,
}

impl Privilege {
    /// The mode of a two-bit encoding; `None` for the reserved value 2.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match bits & 3 {
            0 => Some(Self::User),
            1 => Some(Self::Supervisor),
            3 => Some(Self::Machine),
            _ => None,
        }
    }
    /// The letter used in logs: U, S or M.
    pub const fn letter(self) -> char {
        match self {
            Self::User => 'U',
            Self::Supervisor => 'S',
            Self::Machine => 'M',
        }
    }
}

/// A synchronous cause: the value of `mcause`/`scause` with the interrupt bit clear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Exception {
    /// Instruction address misaligned (never with C).
    InstructionMisaligned = 0,
    /// Instruction access fault.
    InstructionAccess = 1,
    /// Illegal instruction.
    IllegalInstruction = 2,
    /// Breakpoint (`ebreak`).
    Breakpoint = 3,
    /// Load address misaligned.
    LoadMisaligned = 4,
    /// Load access fault.
    LoadAccess = 5,
    /// Store or AMO address misaligned.
    StoreMisaligned = 6,
    /// Store or AMO access fault.
    StoreAccess = 7,
    /// Environment call from U-mode.
    EcallU = 8,
    /// Environment call from S-mode.
    EcallS = 9,
    /// Environment call from M-mode.
    EcallM = 11,
    /// Instruction page fault.
    InstructionPage = 12,
    /// Load page fault.
    LoadPage = 13,
    /// Store or AMO page fault.
    StorePage = 15,
}

impl Exception {
    /// All exceptions, in the order of their codes.
    pub const ALL: [Exception; 14] = [
        Self::InstructionMisaligned,
        Self::InstructionAccess,
        Self::IllegalInstruction,
        Self::Breakpoint,
        Self::LoadMisaligned,
        Self::LoadAccess,
        Self::StoreMisaligned,
        Self::StoreAccess,
        Self::EcallU,
        Self::EcallS,
        Self::EcallM,
        Self::InstructionPage,
        Self::LoadPage,
        Self::StorePage,
    ];

    /// The exception with this code, if there is one.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|e| u64::from(e.code()) == code)
    }
    /// The exception's code in `mcause`.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The manual's words for it, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstructionMisaligned => "instruction address misaligned",
            Self::InstructionAccess => "instruction access fault",
            Self::IllegalInstruction => "illegal instruction",
            Self::Breakpoint => "breakpoint",
            Self::LoadMisaligned => "load address misaligned",
            Self::LoadAccess => "load access fault",
            Self::StoreMisaligned => "store/AMO address misaligned",
            Self::StoreAccess => "store/AMO access fault",
            Self::EcallU => "environment call from U-mode",
            Self::EcallS => "environment call from S-mode",
            Self::EcallM => "environment call from M-mode",
            Self::InstructionPage => "instruction page fault",
            Self::LoadPage => "load page fault",
            Self::StorePage => "store/AMO page fault",
        }
    }
}

/// An asynchronous cause; its code is also its bit number in `mip`, `mie` and `mideleg`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Interrupt {
    /// Supervisor software interrupt.
    SupervisorSoftware = 1,
    /// Machine software interrupt.
    MachineSoftware = 3,
    /// Supervisor timer interrupt.
    SupervisorTimer = 5,
    /// Machine timer interrupt.
    MachineTimer = 7,
    /// Supervisor external interrupt.
    SupervisorExternal = 9,
    /// Machine external interrupt.
    MachineExternal = 11,
}

impl Interrupt {
    /// The interrupts in decreasing priority (privileged manual, "Machine Interrupt Registers").
    pub const BY_PRIORITY: [Interrupt; 6] = [
        Self::MachineExternal,
        Self::MachineSoftware,
        Self::MachineTimer,
        Self::SupervisorExternal,
        Self::SupervisorSoftware,
        Self::SupervisorTimer,
    ];

    /// The interrupt's code in `mcause` (without the interrupt bit).
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The interrupt's bit in `mip` and `mie`.
    pub const fn mask(self) -> u64 {
        1 << self as u8
    }
}

/// Bit of `mcause`/`scause` that tells an interrupt from an exception.
pub const CAUSE_INTERRUPT: u64 = 1 << 63;

/// An exception with the value it puts into `mtval`/`stval`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Trap {
    /// Why.
    pub exception: Exception,
    /// The faulting address, the instruction bits, or 0, as the manual says for this exception.
    pub tval: u64,
}

impl Trap {
    /// A trap with an explicit `tval`.
    pub const fn new(exception: Exception, tval: u64) -> Self {
        Self { exception, tval }
    }
    /// A trap whose `tval` is the faulting virtual address.
    pub const fn at(exception: Exception, va: VirtAddr) -> Self {
        Self { exception, tval: va.0 }
    }
    /// Illegal instruction, with the instruction's bits as `tval`.
    pub const fn illegal(bits: u32) -> Self {
        Self { exception: Exception::IllegalInstruction, tval: bits as u64 }
    }
}
