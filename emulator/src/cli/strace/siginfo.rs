//! Signals: what a `siginfo_t` tells, and the frame of a handler.

use super::memory::UserMemory;
use super::text;
use emulator::hart::Hart;
use isa::reg;

const SIGBUS: u64 = 7;
const SIGSEGV: u64 = 11;
const SIGCHLD: u64 = 17;

/// What a signal is sent with.
pub struct Siginfo {
    signal: u64,
    /// As an `int`.
    code: i32,
    /// The sender, or a child; of a fault the address.
    first: u64,
    /// A child's status.
    second: u64,
}

impl Siginfo {
    /// The one at `address`.
    pub fn read(address: u64, memory: &UserMemory<'_>) -> Option<Self> {
        let [signal, _, code] = memory.halves(address)?;
        let [first, second] = memory.words(address.wrapping_add(16))?;
        Some(Self { signal: u64::from(signal), code: code.cast_signed(), first, second })
    }

    fn is_fault(&self) -> bool {
        matches!(self.signal, 4 | 5 | SIGBUS | 8 | SIGSEGV) && self.code > 0 && self.code < 0x80
    }

    fn code_name(&self) -> String {
        let names: &[&str] = match self.signal {
            SIGSEGV => &["SEGV_MAPERR", "SEGV_ACCERR"],
            SIGBUS => &["BUS_ADRALN", "BUS_ADRERR"],
            SIGCHLD => {
                &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"]
            }
            4 => &["ILL_ILLOPC"],
            5 => &["TRAP_BRKPT"],
            _ => &[],
        };
        let index = usize::try_from(self.code).ok().and_then(|code| code.checked_sub(1));
        match (self.code, index.and_then(|index| names.get(index))) {
            (0, _) => "SI_USER".to_string(),
            (-6, _) => "SI_TKILL".to_string(),
            (0x80, _) => "SI_KERNEL".to_string(),
            (_, Some(name)) => (*name).to_string(),
            (code, None) => code.to_string(),
        }
    }

    /// The structure.
    pub fn text(&self) -> String {
        let (name, code) = (text::signal(self.signal), self.code_name());
        let head = format!("si_signo={name}, si_code={code}");
        let rest = match (self.code, self.first & 0xffff_ffff) {
            _ if self.is_fault() => format!(", si_addr={}", text::address(self.first)),
            (0x80, _) => String::new(),
            (code, child) if self.signal == SIGCHLD && code > 0 => {
                let status = self.second & 0xffff_ffff;
                let status = if code == 1 { status.to_string() } else { text::signal(status) };
                format!(", si_pid={child}, si_uid=0, si_status={status}")
            }
            (_, sender) => format!(", si_pid={sender}, si_uid=0"),
        };
        format!("{{{head}{rest}}}")
    }

    /// The line that tells of it.
    pub fn line(&self) -> String {
        format!("--- {} {} ---", text::signal(self.signal), self.text())
    }
}

/// A signal that goes to a handler.
pub struct Delivered {
    /// What it was sent with.
    pub info: Siginfo,
    /// Where the program goes on when the handler returns.
    pub interrupted_at: u64,
    /// What its `a0` will be then.
    pub interrupted_result: u64,
}

impl Delivered {
    /// The frame that the kernel makes for a handler: `siginfo_t` at the stack pointer, `ucontext` behind it, both in
    /// the handler's arguments. `None` if the hart is not at the start of one.
    pub fn find(hart: &Hart, memory: &UserMemory<'_>) -> Option<Self> {
        const SIGINFO_BYTES: u64 = 128;
        /// In `ucontext`: flags, link, stack, a mask of 128 bytes, aligned to 16; then `pc` and the registers from `x1` on.
        const PC: u64 = 176;
        let register = |number: u8| hart.x[usize::from(number)];
        let [sp, signal, info, context] = [reg::SP, reg::A0, reg::A0 + 1, reg::A0 + 2].map(register);
        if info != sp || context != sp.wrapping_add(SIGINFO_BYTES) {
            return None;
        }
        let info = Siginfo::read(info, memory).filter(|info| info.signal == signal && signal != 0)?;
        let saved = context.wrapping_add(PC);
        let [interrupted_at] = memory.words(saved)?;
        let [interrupted_result] = memory.words(saved.wrapping_add(8 * u64::from(reg::A0)))?;
        Some(Self { info, interrupted_at, interrupted_result })
    }
}

/// The signal that has ended a process with `status` whose last page fault, at `va`, was refused with the code of SIGSEGV.
pub fn refused(status: u64, code: i32, va: u64) -> Option<Siginfo> {
    match status & 0x7f {
        SIGSEGV => Some(Siginfo { signal: SIGSEGV, code, first: va, second: 0 }),
        SIGBUS => Some(Siginfo { signal: SIGBUS, code: 2, first: va, second: 0 }),
        _ => None,
    }
}
