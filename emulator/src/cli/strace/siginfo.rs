//! Signals: what a `siginfo_t` tells, and the mask in the frame of a handler.

use super::memory::UserMemory;
use super::text;
use isa::events::SignalTold;

const SI_USER: i32 = 0;
const SI_TKILL: i32 = -6;
const SI_KERNEL: i32 = 0x80;

const SIGBUS: u64 = 7;
const SIGSEGV: u64 = 11;
const SIGCHLD: u64 = 17;

const SIGKILL: u64 = 9;

/// `siginfo_t`, at the start of the frame that the kernel makes for a handler; `ucontext` lies behind it.
const SIGINFO_BYTES: u64 = 128;
/// The mask in `ucontext`, behind flags, link and stack.
const UC_SIGMASK: u64 = 40;

/// What a signal is sent with.
pub struct Siginfo {
    signal: u64,
    /// As an `int`.
    code: i32,
    /// The sender or the child, and its user.
    pid: u32,
    uid: u32,
    /// The address of a fault, a child's status, or what the sender gave along.
    value: u64,
    /// The time that a child has used.
    times: [u64; 2],
}

impl Siginfo {
    /// The one at `address`.
    pub fn read(address: u64, memory: &UserMemory<'_>) -> Option<Self> {
        let [signal, _, code] = memory.halves(address)?;
        let [first, second, user, system] = memory.words(address.wrapping_add(16))?;
        let [pid, uid] = memory.halves(address.wrapping_add(16))?;
        let mut info = Self {
            signal: u64::from(signal),
            code: code.cast_signed(),
            pid,
            uid,
            value: second,
            times: [user, system],
        };
        if info.is_fault() {
            info.value = first;
        }
        Some(info)
    }

    /// That of a signal that the kernel has told of.
    pub fn of(told: &SignalTold) -> Self {
        let pid = u32::try_from(told.sender).unwrap_or_default();
        Self { signal: told.signal, code: told.code, pid, uid: 0, value: told.value, times: [0; 2] }
    }

    /// Whether its end is all that is told of it.
    pub fn is_kill(&self) -> bool {
        self.signal == SIGKILL
    }

    fn is_fault(&self) -> bool {
        matches!(self.signal, 4 | 5 | SIGBUS | 8 | SIGSEGV) && self.code > 0
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
        let by_others = ["SI_USER", "SI_QUEUE", "SI_TIMER", "SI_MESGQ", "SI_ASYNCIO", "SI_SIGIO", "SI_TKILL"];
        let by_others = usize::try_from(-i64::from(self.code)).ok().and_then(|index| by_others.get(index));
        match (by_others.or(index.and_then(|index| names.get(index))), self.code) {
            (Some(name), _) => (*name).to_string(),
            (None, SI_KERNEL) => "SI_KERNEL".to_string(),
            (None, code) => code.to_string(),
        }
    }

    /// The structure.
    pub fn text(&self) -> String {
        let (name, code) = (text::signal(self.signal), self.code_name());
        let source = format!(", si_pid={}, si_uid={}", self.pid, self.uid);
        let rest = match self.code {
            _ if self.is_fault() => format!(", si_addr={}", text::address(self.value)),
            SI_KERNEL => String::new(),
            code if self.signal == SIGCHLD && code > 0 => {
                let status = self.value & 0xffff_ffff;
                let status = if code == 1 { status.to_string() } else { text::signal(status) };
                let [user, system] = self.times;
                format!("{source}, si_status={status}, si_utime={user}, si_stime={system}")
            }
            SI_USER | SI_TKILL => source,
            _ if self.value == 0 => source,
            _ => format!("{source}, si_int={}, si_ptr={:#x}", text::int(self.value), self.value),
        };
        format!("{{si_signo={name}, si_code={code}{rest}}}")
    }

    /// The line that tells of it.
    pub fn line(&self) -> String {
        format!("--- {} {} ---", text::signal(self.signal), self.text())
    }
}

/// The mask that `rt_sigreturn` takes back, from the handler's frame at the stack pointer.
pub fn saved_mask(sp: u64, memory: &UserMemory<'_>) -> Option<u64> {
    memory.words(sp.wrapping_add(SIGINFO_BYTES + UC_SIGMASK)).map(|[mask]| mask)
}
