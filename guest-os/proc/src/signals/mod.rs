//! Signals: what is pending, what is blocked, what is to be done (signal(7), Linux's numbers).
//!
//! A process has the actions and what was sent to it as a whole ([`ProcessSignals`]); each of its threads has a mask, and what was
//! sent to it alone ([`ThreadSignals`]). A thread takes from both; what its process has pending, any of them may take.

mod alt_stack;
mod pending;
mod state;

pub use alt_stack::{AltStack, AltStackError};
pub use state::{ProcessSignals, QueueFull, ThreadSignals};

use linux_raw_sys::general as linux;

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $linux:ident;)*) => {
        #[allow(missing_docs)] // the names are Linux's, without SIG
        #[allow(clippy::cast_possible_truncation)] // signal numbers are at most 64
        impl Signal { $(pub const $name: Signal = Signal(linux::$linux as u8);)* }
    };
}

signals! {
    HUP = SIGHUP; INT = SIGINT; QUIT = SIGQUIT; ILL = SIGILL; TRAP = SIGTRAP; ABRT = SIGABRT; BUS = SIGBUS; FPE = SIGFPE;
    KILL = SIGKILL; SEGV = SIGSEGV; PIPE = SIGPIPE; ALRM = SIGALRM; TERM = SIGTERM; CHLD = SIGCHLD; CONT = SIGCONT;
    STOP = SIGSTOP; TSTP = SIGTSTP; TTIN = SIGTTIN; TTOU = SIGTTOU; URG = SIGURG; XCPU = SIGXCPU; XFSZ = SIGXFSZ;
    VTALRM = SIGVTALRM; PROF = SIGPROF; WINCH = SIGWINCH; SYS = SIGSYS;
}

impl Signal {
    /// Signals there are.
    pub const COUNT: usize = 64;
    /// The first real-time signal: from here on, each that is sent is kept.
    const FIRST_REAL_TIME: u8 = 32;
    /// Those that stop a process.
    const STOPS: [Self; 4] = [Self::STOP, Self::TSTP, Self::TTIN, Self::TTOU];

    /// The signal with this number.
    pub fn new(number: u64) -> Option<Self> {
        u8::try_from(number).ok().filter(|n| (1..=64).contains(n)).map(Signal)
    }
    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
    /// What happens without a handler.
    pub fn default_action(self) -> DefaultAction {
        match self {
            Self::CHLD | Self::URG | Self::WINCH => DefaultAction::Ignore,
            Self::CONT => DefaultAction::Continue,
            signal if Self::STOPS.contains(&signal) => DefaultAction::Stop,
            _ => DefaultAction::Terminate,
        }
    }
    /// Those that vanish where they are pending when this one is sent, whoever blocks or ignores it.
    pub fn takes_back(self) -> &'static [Self] {
        match self {
            Self::CONT => &Self::STOPS,
            signal if Self::STOPS.contains(&signal) => &[Self::CONT],
            _ => &[],
        }
    }
    /// Whether who dies of it leaves an image of its memory, if it may.
    pub const fn dumps_core(self) -> bool {
        matches!(
            self,
            Self::QUIT
                | Self::ILL
                | Self::TRAP
                | Self::ABRT
                | Self::BUS
                | Self::FPE
                | Self::SEGV
                | Self::XCPU
                | Self::XFSZ
                | Self::SYS
        )
    }
    /// Whether each that is sent is kept, in the order of sending.
    pub const fn is_real_time(self) -> bool {
        self.0 >= Self::FIRST_REAL_TIME
    }
    const fn index(self) -> usize {
        self.0 as usize - 1
    }
}

/// The default action of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// Nothing.
    Ignore,
    /// The process stops.
    Stop,
    /// The process goes on if stopped.
    Continue,
}

/// A set of signals, as user programs pass it (bit n-1 is signal n).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignalSet(pub u64);

impl SignalSet {
    const UNBLOCKABLE: SignalSet = SignalSet(1 << Signal::KILL.index() | 1 << Signal::STOP.index());

    /// Whether the signal is in it.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 >> signal.index() & 1 != 0
    }
    /// Adds a signal.
    pub const fn add(&mut self, signal: Signal) {
        self.0 |= 1 << signal.index();
    }
    /// Removes a signal.
    pub const fn remove(&mut self, signal: Signal) {
        self.0 &= !(1 << signal.index());
    }
    /// What a thread may block of it: all but SIGKILL and SIGSTOP.
    pub const fn blockable(self) -> SignalSet {
        SignalSet(self.0 & !Self::UNBLOCKABLE.0)
    }
    /// The signals in either.
    pub const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }
    /// Those of them that are not in `other`.
    pub const fn without(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }
    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The one to be acted on first.
    fn first(self) -> Option<Signal> {
        // Synchronous faults first, as Linux does: they belong to the instruction that has just run.
        const FAULTS: u64 = 1 << Signal::SEGV.index()
            | 1 << Signal::BUS.index()
            | 1 << Signal::ILL.index()
            | 1 << Signal::TRAP.index()
            | 1 << Signal::FPE.index()
            | 1 << Signal::SYS.index();
        let choice = if self.0 & FAULTS != 0 { self.0 & FAULTS } else { self.0 };
        Signal::new(u64::from(choice.trailing_zeros()) + 1)
    }
}

/// What a process wants done with a signal: `struct sigaction` of riscv64 (which has no restorer).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    /// Address of the handler, or 0 (default) or 1 (ignore).
    pub handler: u64,
    /// `SA_` flags.
    pub flags: u64,
    /// Signals blocked while the handler runs.
    pub mask: SignalSet,
}

/// [`Action::handler`], read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// The signal's default.
    Default,
    /// Nothing.
    Ignore,
    /// A handler in the program.
    Handler,
}

impl Action {
    /// What the handler's address means.
    pub const fn disposition(self) -> Disposition {
        match self.handler {
            0 => Disposition::Default,
            1 => Disposition::Ignore,
            _ => Disposition::Handler,
        }
    }
    /// Whether a flag (`SA_…`) is set.
    pub fn has(self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }
}

/// Why a signal was sent: the parts of `siginfo_t` in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigInfo {
    /// Which signal.
    pub signal: Signal,
    /// `si_code`.
    pub code: i32,
    /// The sender or the child; 0 for a fault.
    pub pid: u32,
    /// The faulting address, a child's status, or what the sender gave along.
    pub value: u64,
}

impl SigInfo {
    /// The code of a signal by `kill`.
    const USER: i32 = 0;
    /// The code of a timer's signal (SI_TIMER).
    pub const TIMER: i32 = -2;

    /// A signal by `kill` from `pid`.
    pub const fn from_user(signal: Signal, pid: u32) -> Self {
        Self { signal, code: Self::USER, pid, value: 0 }
    }
    /// Whether it comes, as it is, only if there is room for it to wait in (RLIMIT_SIGPENDING): real-time signals, and what a program says of
    /// itself to be something else than a `kill`.
    pub fn needs_room(&self) -> bool {
        self.signal.is_real_time() || self.code < Self::USER
    }
    /// A signal by the kernel (`SI_KERNEL`).
    pub const fn from_kernel(signal: Signal) -> Self {
        Self { signal, code: 0x80, pid: 0, value: 0 }
    }
}

/// What is to be done before a thread goes on in user mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Nothing.
    None,
    /// Nothing, for this signal: it is ignored. Others may be pending.
    Ignored(SigInfo),
    /// End the process.
    Terminate(SigInfo),
    /// Stop it until SIGCONT or SIGKILL.
    Stop(SigInfo),
    /// Run a handler, with these signals blocked afterwards; the mask before is to be saved in the frame.
    Handler {
        /// The signal.
        info: SigInfo,
        /// Its action.
        action: Action,
        /// The mask to restore when the handler returns.
        saved_mask: SignalSet,
    },
}
