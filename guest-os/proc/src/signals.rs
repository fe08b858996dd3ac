//! Signals of one process: what is pending, what is blocked, what is to be done (signal(7), Linux's numbers).

use alloc::boxed::Box;
use alloc::vec;
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
    STOP = SIGSTOP; TSTP = SIGTSTP; TTIN = SIGTTIN; TTOU = SIGTTOU; URG = SIGURG; WINCH = SIGWINCH; SYS = SIGSYS;
}

impl Signal {
    /// Signals there are.
    pub const COUNT: usize = 64;

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
            Self::STOP | Self::TSTP | Self::TTIN | Self::TTOU => DefaultAction::Stop,
            _ => DefaultAction::Terminate,
        }
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
    /// What a process may block of it: all but SIGKILL and SIGSTOP.
    pub const fn blockable(self) -> SignalSet {
        SignalSet(self.0 & !Self::UNBLOCKABLE.0)
    }
    /// The signals in either.
    pub const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }
    fn first_not_in(self, blocked: SignalSet) -> Option<Signal> {
        let ready = self.0 & !blocked.0;
        // Synchronous faults first, as Linux does: they belong to the instruction that has just run.
        const FAULTS: u64 = 1 << Signal::SEGV.index()
            | 1 << Signal::BUS.index()
            | 1 << Signal::ILL.index()
            | 1 << Signal::TRAP.index()
            | 1 << Signal::FPE.index()
            | 1 << Signal::SYS.index();
        let choice = if ready & FAULTS != 0 { ready & FAULTS } else { ready };
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
    /// The faulting address, or a child's status.
    pub value: u64,
}

impl SigInfo {
    /// A signal by `kill` from `pid`.
    pub const fn from_user(signal: Signal, pid: u32) -> Self {
        Self { signal, code: 0, pid, value: 0 }
    }
    /// A signal by the kernel (`SI_KERNEL`).
    pub const fn from_kernel(signal: Signal) -> Self {
        Self { signal, code: 0x80, pid: 0, value: 0 }
    }
}

/// What is to be done before the process goes on in user mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Nothing.
    None,
    /// End the process.
    Terminate(Signal),
    /// Stop it until SIGCONT or SIGKILL.
    Stop(Signal),
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

/// The signal state of a process.
#[derive(Clone, Debug)]
pub struct Signals {
    /// One a signal, and boxed, as are the infos: a process is moved when it is made, on a small stack.
    actions: Box<[Action]>,
    pending: SignalSet,
    infos: Box<[SigInfo]>,
    blocked: SignalSet,
    /// The mask to go back to after `rt_sigsuspend`.
    suspended_mask: Option<SignalSet>,
    /// `sigaltstack`: base, size, flags.
    pub alt_stack: (u64, u64, u32),
}

/// [`Signals::alt_stack`] while there is none: SS_DISABLE.
const NO_ALT_STACK: (u64, u64, u32) = (0, 0, 2);

impl Default for Signals {
    fn default() -> Self {
        Self {
            actions: vec![Action::default(); Signal::COUNT].into(),
            pending: SignalSet::default(),
            infos: vec![SigInfo::from_kernel(Signal::HUP); Signal::COUNT].into(),
            blocked: SignalSet::default(),
            suspended_mask: None,
            alt_stack: NO_ALT_STACK,
        }
    }
}

impl Signals {
    /// The state of a forked child: same actions and mask, nothing pending.
    pub fn forked(&self) -> Self {
        Self { pending: SignalSet::default(), suspended_mask: None, ..self.clone() }
    }
    /// After `execve`: handlers are forgotten, ignored signals stay ignored, the mask and what is pending stay.
    pub fn exec(&mut self) {
        for action in self.actions.iter_mut() {
            let handler = if action.disposition() == Disposition::Ignore { action.handler } else { 0 };
            *action = Action { handler, ..Action::default() };
        }
        self.alt_stack = NO_ALT_STACK;
    }
    /// The action of a signal.
    pub fn action(&self, signal: Signal) -> Action {
        self.actions[signal.index()]
    }
    /// Sets the action of a signal other than SIGKILL and SIGSTOP; pending instances that it makes ignored vanish.
    pub fn set_action(&mut self, signal: Signal, action: Action) {
        self.actions[signal.index()] = Action { mask: action.mask.blockable(), ..action };
        if self.is_ignored(signal) {
            self.pending.remove(signal);
        }
    }
    /// The blocked signals.
    pub fn blocked(&self) -> SignalSet {
        self.blocked
    }
    /// Blocks exactly these.
    pub fn set_blocked(&mut self, set: SignalSet) {
        self.blocked = set.blockable();
    }
    /// Blocks these until the next handler has been started (`rt_sigsuspend`, `ppoll`).
    pub fn suspend_with(&mut self, set: SignalSet) {
        self.suspended_mask.get_or_insert(self.blocked);
        self.blocked = set.blockable();
    }
    /// Goes back to the mask before [`Signals::suspend_with`] if no handler has taken it along.
    pub fn end_suspension(&mut self) {
        if let Some(mask) = self.suspended_mask.take() {
            self.blocked = mask;
        }
    }
    /// The pending signals.
    pub fn pending(&self) -> SignalSet {
        self.pending
    }
    /// Whether an unblocked signal waits for delivery.
    pub fn has_deliverable(&self) -> bool {
        self.pending.0 & !self.blocked.0 != 0
    }
    /// Whether an unblocked SIGKILL waits.
    pub fn is_killed(&self) -> bool {
        self.pending.contains(Signal::KILL)
    }
    /// Makes a signal pending; a further one of the same number is merged. Returns whether the process is to be woken.
    pub fn post(&mut self, info: SigInfo) -> bool {
        let signal = info.signal;
        if signal == Signal::CONT {
            for stop in [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU] {
                self.pending.remove(stop);
            }
        }
        if self.is_ignored(signal) && !self.blocked.contains(signal) {
            return signal == Signal::CONT;
        }
        if !self.pending.contains(signal) {
            self.pending.add(signal);
            self.infos[signal.index()] = info;
        }
        !self.blocked.contains(signal)
    }
    /// Makes a fault's signal pending so that it cannot be blocked or ignored: then the default action is taken.
    pub fn force(&mut self, info: SigInfo) {
        let signal = info.signal;
        if self.blocked.contains(signal) || self.action(signal).disposition() == Disposition::Ignore {
            self.actions[signal.index()] = Action::default();
            self.blocked.remove(signal);
        }
        self.pending.add(signal);
        self.infos[signal.index()] = info;
    }
    /// Takes the next unblocked pending signal and says what to do about it.
    pub fn deliver(&mut self) -> Delivery {
        while let Some(signal) = self.pending.first_not_in(self.blocked) {
            self.pending.remove(signal);
            let action = self.action(signal);
            match (action.disposition(), signal.default_action()) {
                (Disposition::Ignore, _)
                | (Disposition::Default, DefaultAction::Ignore | DefaultAction::Continue) => {}
                (Disposition::Default, DefaultAction::Terminate) => return Delivery::Terminate(signal),
                (Disposition::Default, DefaultAction::Stop) => return Delivery::Stop(signal),
                (Disposition::Handler, _) => return self.start_handler(signal, action),
            }
        }
        Delivery::None
    }
    /// Takes one of the pending signals in `set` without delivering it (`rt_sigtimedwait`).
    pub fn take_pending(&mut self, set: SignalSet) -> Option<SigInfo> {
        let signal = SignalSet(self.pending.0 & set.0).first_not_in(SignalSet::default())?;
        self.pending.remove(signal);
        Some(self.infos[signal.index()])
    }

    fn start_handler(&mut self, signal: Signal, action: Action) -> Delivery {
        let saved_mask = self.suspended_mask.take().unwrap_or(self.blocked);
        self.blocked = self.blocked.union(action.mask);
        if !action.has(linux::SA_NODEFER) {
            self.blocked.add(signal);
        }
        if action.has(linux::SA_RESETHAND) {
            self.actions[signal.index()] = Action::default();
        }
        Delivery::Handler { info: self.infos[signal.index()], action, saved_mask }
    }
    fn is_ignored(&self, signal: Signal) -> bool {
        match self.action(signal).disposition() {
            Disposition::Ignore => true,
            Disposition::Default => {
                matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Continue)
            }
            Disposition::Handler => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLER: Action = Action { handler: 0x1000, flags: 0, mask: SignalSet(0) };

    #[test]
    fn default_actions() {
        for (signal, expected) in [
            (Signal::TERM, Delivery::Terminate(Signal::TERM)),
            (Signal::CHLD, Delivery::None),
            (Signal::CONT, Delivery::None),
            (Signal::TSTP, Delivery::Stop(Signal::TSTP)),
        ] {
            let mut signals = Signals::default();
            signals.post(SigInfo::from_user(signal, 1));
            assert_eq!(signals.deliver(), expected, "{signal:?}");
        }
    }

    #[test]
    fn a_blocked_signal_waits_and_a_handler_blocks_its_own() {
        let mut signals = Signals::default();
        signals.set_action(Signal::INT, HANDLER);
        signals.set_blocked(SignalSet(u64::MAX));
        assert!(!signals.blocked().contains(Signal::KILL));
        assert!(!signals.post(SigInfo::from_user(Signal::INT, 1)));
        assert_eq!(signals.deliver(), Delivery::None);
        signals.set_blocked(SignalSet::default());
        let Delivery::Handler { info, saved_mask, .. } = signals.deliver() else { panic!("not delivered") };
        assert_eq!((info.signal, saved_mask), (Signal::INT, SignalSet::default()));
        assert!(signals.blocked().contains(Signal::INT));
    }

    #[test]
    fn a_suspension_ends_with_the_handler_or_without() {
        let mut signals = Signals::default();
        let mut mask = SignalSet::default();
        mask.add(Signal::INT);
        signals.set_blocked(mask);
        signals.set_action(Signal::INT, HANDLER);
        signals.suspend_with(SignalSet::default());
        assert!(signals.post(SigInfo::from_user(Signal::INT, 1)));
        assert!(matches!(signals.deliver(), Delivery::Handler { saved_mask, .. } if saved_mask == mask));
        signals.end_suspension();
        assert!(signals.blocked().contains(Signal::INT));
    }

    #[test]
    fn faults_come_first_and_cannot_be_refused() {
        let mut signals = Signals::default();
        signals.set_action(Signal::SEGV, Action { handler: 1, ..Action::default() });
        signals.set_action(Signal::HUP, HANDLER);
        signals.post(SigInfo::from_user(Signal::HUP, 1));
        signals.force(SigInfo { signal: Signal::SEGV, code: 1, pid: 0, value: 0x40 });
        assert_eq!(signals.deliver(), Delivery::Terminate(Signal::SEGV));
    }

    #[test]
    fn exec_keeps_only_ignored_signals() {
        let mut signals = Signals::default();
        signals.set_action(Signal::INT, HANDLER);
        signals.set_action(Signal::QUIT, Action { handler: 1, ..Action::default() });
        signals.exec();
        assert_eq!(signals.action(Signal::INT).disposition(), Disposition::Default);
        assert_eq!(signals.action(Signal::QUIT).disposition(), Disposition::Ignore);
    }
}
