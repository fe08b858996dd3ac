//! A session's view of the machine, as gdbstub asks for it. Each method looks something up in the [`World`](super::world::World), or
//! notes what the session wants; nothing runs here.

use super::arch::{CoreRegisters, RegisterId, Rv64};
use super::files::{OpenFiles, copy_part};
use super::input::EFAULT;
use super::sentry::{Hit, Scope, Sentry, Stepping};
use super::world::{SharedWorld, Subject};
use super::{front, monitor};
use gdbstub::common::{Pid, Signal, Tid};
use gdbstub::target::ext::auxv::AuxvOps;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadRangeStepping, MultiThreadRangeSteppingOps, MultiThreadResume,
    MultiThreadResumeOps, MultiThreadSchedulerLocking, MultiThreadSchedulerLockingOps, MultiThreadSingleStep,
    MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::breakpoints::BreakpointsOps;
use gdbstub::target::ext::exec_file::ExecFileOps;
use gdbstub::target::ext::extended_mode::{
    Args, AttachKind, CurrentActivePid, CurrentActivePidOps, ExtendedMode, ExtendedModeOps, ShouldTerminate,
};
use gdbstub::target::ext::host_io::HostIoOps;
use gdbstub::target::ext::memory_map::MemoryMapOps;
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::ext::target_description_xml_override::TargetDescriptionXmlOverrideOps;
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use isa::csr::Csr;
use isa::{PhysAddr, Privilege, VirtAddr};
use std::collections::BTreeSet;
use std::convert::Infallible;

/// See the module.
pub(super) struct View<'d> {
    pub(super) world: SharedWorld<'d>,
    pub(super) subject: Subject,
    pub(super) sentry: Sentry,
    /// Which of the breakpoints are hardware's, as gdb has it: it wants to be told of them so.
    pub(super) hardware: BTreeSet<u64>,
    /// After a watchpoint: the thread, and the instruction that made the access. gdb takes RISC-V's watchpoints to stop before the access, and has the thread step over
    /// it before it looks at what has changed: so it is shown there, and that step is none.
    pub(super) behind: Option<(u64, u64)>,
    /// The thread that gdb's user looks at: that of the last stop, or which he has changed to since.
    pub(super) chosen: Option<u64>,
    /// Addresses are physical ones.
    pub(super) is_physical: bool,
    pub(super) files: OpenFiles,
    /// What a process that is waited for is called.
    pub(super) awaited: String,
}

impl<'d> View<'d> {
    pub(super) fn new(world: SharedWorld<'d>, subject: Subject, awaited: String) -> Self {
        let (sentry, hardware, files) = (Sentry::default(), BTreeSet::new(), OpenFiles::default());
        let (behind, chosen, is_physical) = (None, None, false);
        Self { world, subject, sentry, hardware, behind, chosen, is_physical, files, awaited }
    }
    /// gdb looks at this thread from now on, or at the one that has a hart.
    pub(super) fn choose(&mut self, tid: Option<u64>) {
        if self.chosen != tid {
            // Which of its functions is looked at `monitor frame` has said of another.
            self.world.borrow_mut().prompt().0.look_at_innermost();
        }
        self.chosen = tid;
    }
    /// Whose instructions the sentry compares now.
    pub(super) fn set_scope(&mut self) {
        self.sentry.scope = match self.subject {
            Subject::Machine => Scope::Machine,
            Subject::Process(pid) => {
                self.world.borrow().satp_of(pid).map_or(Scope::Nobody, |satp| Scope::Process { pid, satp })
            }
            Subject::Nobody => Scope::Nobody,
        };
    }
    fn registers(&self, tid: Tid) -> Option<super::sentry::Snapshot> {
        let number = tid.get() as u64;
        let registers = self.world.borrow().registers(&self.subject, number)?;
        Some(match self.behind {
            Some((tid, pc)) if tid == number => super::sentry::Snapshot { pc, ..registers },
            _ => registers,
        })
    }
    /// What a thread has come to that is let run from where it is shown, but is beyond.
    pub(super) fn catch_up(&mut self) -> Option<(u64, Hit)> {
        let (tid, _) = self.behind.take()?;
        let pc = self.world.borrow().registers(&self.subject, tid)?.pc;
        if self.sentry.steps.iter().any(|step| step.tid == tid) {
            return Some((tid, Hit::Step));
        }
        self.sentry.breakpoints.contains(&pc).then_some((tid, Hit::Breakpoint))
    }
    /// The value of a register that is no part of a thread's own set.
    fn csr(&self, tid: Tid, csr: Csr) -> Option<u64> {
        let world = self.world.borrow();
        let hart = world.hart_of(&self.subject, tid.get() as u64);
        if let (Subject::Process(pid), Csr::SATP) = (self.subject, csr) {
            return world.satp_of(pid);
        }
        let machine = world.host().machine();
        machine.csr_of(hart.unwrap_or(machine.hart().id), csr)
    }
    fn value(&self, tid: Tid, register: RegisterId) -> Option<u64> {
        if self.subject == Subject::Nobody {
            return Some(0);
        }
        let snapshot = self.registers(tid)?;
        Some(match register {
            RegisterId::X(number) => *snapshot.x.get(number)?,
            RegisterId::F(number) => *snapshot.f.get(number)?,
            RegisterId::Pc => snapshot.pc,
            RegisterId::Csr(Csr::FCSR) => snapshot.fcsr,
            RegisterId::Csr(Csr::FFLAGS) => snapshot.fcsr & 0x1f,
            RegisterId::Csr(Csr::FRM) => snapshot.fcsr >> 5 & 7,
            RegisterId::Csr(csr) => self.csr(tid, csr)?,
            RegisterId::Mode => match self.subject {
                Subject::Machine => {
                    let world = self.world.borrow();
                    let hart = world.hart_of(&self.subject, tid.get() as u64)?;
                    world.host().machine().harts()[hart].privilege as u64
                }
                _ => Privilege::User as u64,
            },
        })
    }
}

pub(super) const fn errno<E>(number: u8) -> TargetError<E> {
    TargetError::Errno(number)
}

impl Target for View<'_> {
    type Arch = Rv64;
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, Rv64, Infallible> {
        BaseOps::MultiThread(self)
    }
    fn use_fork_stop_reason(&self) -> bool {
        false
    }
    fn use_vfork_stop_reason(&self) -> bool {
        false
    }
    fn use_vforkdone_stop_reason(&self) -> bool {
        false
    }
    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }
    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }
    fn support_extended_mode(&mut self) -> Option<ExtendedModeOps<'_, Self>> {
        Some(self)
    }
    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
    fn support_memory_map(&mut self) -> Option<MemoryMapOps<'_, Self>> {
        Some(self)
    }
    fn support_host_io(&mut self) -> Option<HostIoOps<'_, Self>> {
        Some(self)
    }
    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        if self.world.borrow().program_of(&self.subject).is_some() { Some(self) } else { None }
    }
    fn support_auxv(&mut self) -> Option<AuxvOps<'_, Self>> {
        if self.subject.pid().is_some() { Some(self) } else { None }
    }
}

impl MultiThreadBase for View<'_> {
    fn read_registers(&mut self, registers: &mut CoreRegisters, tid: Tid) -> TargetResult<(), Self> {
        if self.subject == Subject::Nobody {
            return Ok(());
        }
        let snapshot = self.registers(tid).ok_or(errno(EFAULT))?;
        *registers = CoreRegisters { x: snapshot.x, pc: snapshot.pc };
        Ok(())
    }
    fn write_registers(&mut self, registers: &CoreRegisters, tid: Tid) -> TargetResult<(), Self> {
        let before = self.registers(tid).ok_or(errno(EFAULT))?;
        let mut world = self.world.borrow_mut();
        let changed = (1..32).filter(|&number| registers.x[number] != before.x[number]);
        for number in changed {
            let register = RegisterId::X(number);
            world
                .write_register(&self.subject, tid.get() as u64, register, registers.x[number])
                .map_err(errno)?;
        }
        if registers.pc != before.pc {
            self.behind = None;
            world
                .write_register(&self.subject, tid.get() as u64, RegisterId::Pc, registers.pc)
                .map_err(errno)?;
        }
        Ok(())
    }
    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }
    fn read_addrs(&mut self, start: u64, data: &mut [u8], tid: Tid) -> TargetResult<usize, Self> {
        let world = self.world.borrow();
        if self.is_physical {
            let is_ram = world.host().read_ram(PhysAddr(start), data);
            return if is_ram { Ok(data.len()) } else { Err(errno(EFAULT)) };
        }
        match world.read_memory(&self.subject, tid.get() as u64, VirtAddr(start), data) {
            0 if !data.is_empty() => Err(errno(EFAULT)),
            len => Ok(len),
        }
    }
    fn write_addrs(&mut self, start: u64, data: &[u8], tid: Tid) -> TargetResult<(), Self> {
        let mut world = self.world.borrow_mut();
        let done = if self.is_physical {
            world.write_physical(PhysAddr(start), data)
        } else {
            world.write_memory(&self.subject, tid.get() as u64, VirtAddr(start), data)
        };
        done.map_err(errno)
    }
    fn list_active_threads(&mut self, thread_is_active: &mut dyn FnMut(Tid)) -> Result<(), Infallible> {
        let world = self.world.borrow();
        // The current one first: what a session shows when it begins.
        let current = world.current_thread(&self.subject);
        let others = world.threads(&self.subject).into_iter().filter(|tid| Some(*tid) != current);
        let numbers = current.into_iter().chain(others).filter_map(|tid| usize::try_from(tid).ok());
        numbers.filter_map(Tid::new).for_each(thread_is_active);
        Ok(())
    }
    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }
    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for View<'_> {
    fn read_register(
        &mut self,
        tid: Tid,
        register: RegisterId,
        into: &mut [u8],
    ) -> TargetResult<usize, Self> {
        // A register that there is not has no bytes.
        let Some(value) = self.value(tid, register) else { return Ok(0) };
        let len = register.len_bytes();
        into.get_mut(..len).ok_or(errno(EFAULT))?.copy_from_slice(&value.to_le_bytes()[..len]);
        Ok(len)
    }
    fn write_register(&mut self, tid: Tid, register: RegisterId, value: &[u8]) -> TargetResult<(), Self> {
        let mut bytes = [0; 8];
        let len = value.len().min(8);
        bytes[..len].copy_from_slice(&value[..len]);
        let mut new = u64::from_le_bytes(bytes);
        let mut register = register;
        if register == RegisterId::Pc {
            self.behind = None;
        }
        if let RegisterId::Csr(csr @ (Csr::FFLAGS | Csr::FRM)) = register {
            let before = self.registers(tid).ok_or(errno(EFAULT))?.fcsr;
            new = if csr == Csr::FRM { before & 0x1f | (new & 7) << 5 } else { before & !0x1f | new & 0x1f };
            register = RegisterId::Csr(Csr::FCSR);
        }
        // A gdb that has called a function of the program writes back all that it has read: most of it is as it was.
        if self.value(tid, register) == Some(new) {
            return Ok(());
        }
        let mut world = self.world.borrow_mut();
        world.write_register(&self.subject, tid.get() as u64, register, new).map_err(errno)
    }
}

impl ThreadExtraInfo for View<'_> {
    fn thread_extra_info(&self, tid: Tid, into: &mut [u8]) -> Result<usize, Infallible> {
        let mut world = self.world.borrow_mut();
        let number = tid.get() as u64;
        let text = match self.subject {
            Subject::Nobody => format!("there is no process {} yet: `continue` waits for it", self.awaited),
            Subject::Machine => match world.hart_of(&self.subject, number) {
                Some(hart) => {
                    let state = format!("{:?}", world.host().hart_state(hart)).to_lowercase();
                    let mode = world.host().machine().harts()[hart].privilege;
                    format!("hart {hart}, {state}, {mode:?} mode")
                }
                None => String::new(),
            },
            Subject::Process(pid) => {
                let thread = crate::trace::ThreadId { pid, tid: number };
                let name = world.guest(|guest| guest.process(pid).map(|p| p.name().to_owned()));
                let does = match world.hart_of(&self.subject, number) {
                    Some(hart) => format!("on hart {hart}"),
                    None => {
                        let (debugger, target) = world.prompt();
                        let wait = debugger.wait_of(target, thread);
                        wait.unwrap_or_else(|| "in the kernel".to_owned())
                    }
                };
                format!("{}, {does}", name.unwrap_or_default())
            }
        };
        Ok(copy_part(text.as_bytes(), 0, into))
    }
}

impl MultiThreadResume for View<'_> {
    fn resume(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
    fn clear_resume_actions(&mut self) -> Result<(), Infallible> {
        self.sentry.steps.clear();
        Ok(())
    }
    // A signal that gdb passes on has been acted upon by the guest's kernel when gdb hears of it.
    fn set_resume_action_continue(&mut self, _: Tid, _: Option<Signal>) -> Result<(), Infallible> {
        Ok(())
    }
    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }
    fn support_range_step(&mut self) -> Option<MultiThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }
    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl View<'_> {
    fn step(&mut self, tid: Tid, range: Option<std::ops::Range<u64>>) {
        if let Some(snapshot) = self.registers(tid) {
            self.sentry.steps.push(Stepping::new(tid.get() as u64, snapshot.pc, range));
        }
    }
}

impl MultiThreadSingleStep for View<'_> {
    fn set_resume_action_step(&mut self, tid: Tid, _: Option<Signal>) -> Result<(), Infallible> {
        self.step(tid, None);
        Ok(())
    }
}

impl MultiThreadRangeStepping for View<'_> {
    fn set_resume_action_range_step(&mut self, tid: Tid, start: u64, end: u64) -> Result<(), Infallible> {
        self.step(tid, Some(start..end));
        Ok(())
    }
}

/// Which thread runs next the guest's kernel says, and its scheduler is part of what is looked at: the others are not held.
impl MultiThreadSchedulerLocking for View<'_> {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl MonitorCmd for View<'_> {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Infallible> {
        let line = String::from_utf8_lossy(command);
        let mut world = self.world.borrow_mut();
        let threads = world.threads(&self.subject);
        let chosen = self.chosen.filter(|tid| threads.contains(tid));
        let tid = chosen.or_else(|| world.current_thread(&self.subject)).unwrap_or(1);
        let text = monitor::run(&mut world, &self.subject, tid, &line);
        // In pieces of which each fits into a packet.
        for piece in text.as_bytes().chunks(front::PACKET_BYTES / 4) {
            out.write_raw(piece);
        }
        Ok(())
    }
}

/// What gdb is told of processes. There is one, which runs already.
impl ExtendedMode for View<'_> {
    fn run(&mut self, _: Option<&[u8]>, _: Args<'_, '_>) -> TargetResult<Pid, Self> {
        Err(errno(1))
    }
    fn attach(&mut self, _: Pid) -> TargetResult<(), Self> {
        Err(errno(1))
    }
    fn query_if_attached(&mut self, _: Pid) -> TargetResult<AttachKind, Self> {
        Ok(AttachKind::Attach)
    }
    fn kill(&mut self, _: Option<Pid>) -> TargetResult<ShouldTerminate, Self> {
        self.world.borrow_mut().is_killed = true;
        Ok(ShouldTerminate::Yes)
    }
    fn restart(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
    fn support_current_active_pid(&mut self) -> Option<CurrentActivePidOps<'_, Self>> {
        Some(self)
    }
}

impl CurrentActivePid for View<'_> {
    fn current_active_pid(&mut self) -> Result<Pid, Infallible> {
        let pid = self.subject.pid().and_then(|pid| usize::try_from(pid).ok()).and_then(Pid::new);
        Ok(pid.unwrap_or(Pid::MIN))
    }
}
