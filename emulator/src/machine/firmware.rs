//! How a hart starts, and the built-in SBI's calls carried out on harts and devices.

use super::hsm::{Entry, Power};
use super::{Machine, StopReason};
use crate::hart::Hart;
use crate::host::{Input, Output};
use crate::loader::boot::BootInfo;
use crate::sbi::{self, Action, Answer, Call, Fence, Harts};
use isa::csr::{menvcfg, mstatus};
use isa::paging::{MODE_BARE, Satp};
use isa::sbi::{ERR_FAILED, ERR_INVALID_PARAM};
use isa::{Exception, Extension, Interrupt, PhysAddr, Trap, VirtAddr};

const A0: usize = 10;
const A1: usize = 11;
const A2: usize = 12;
const ECALL_BYTES: u64 = 4;
/// CY, TM and IR of `scounteren`; `mcounteren` lets S-mode use every counter.
const BASE_COUNTERS: u64 = 0b111;
/// A PMP entry that allows everything: NAPOT, R, W and X.
const PMP_ALLOW_ALL: u64 = 0x1f;
/// Most pages that a remote fence drops one by one.
const MAX_FENCED_PAGES: u64 = 64;
/// Most bytes of one console read.
const MAX_READ_BYTES: u64 = 4096;

/// Puts a hart at the entry with what its program expects in registers and CSRs.
pub(super) fn start(hart: &mut Hart, info: &BootInfo, adue: bool, builtin_sbi: bool) {
    hart.pc = info.entry.0;
    hart.privilege = info.privilege;
    hart.x[A0] = hart.id as u64;
    hart.x[A1] = info.device_tree.0;
    hart.x[A2] = info.fw_dynamic.map_or(0, |at| at.0);
    hart.sbi_calls_exit = builtin_sbi;
    let adue = adue && hart.isa.contains(Extension::Svadu);
    if builtin_sbi {
        set_up_supervisor(hart, adue);
    } else if adue {
        hart.csr.menvcfg |= menvcfg::ADUE;
    }
    hart.rebuild();
}

/// As OpenSBI leaves the CSRs, with one difference: since nothing runs in M-mode, every exception that firmware would
/// forward to S-mode is delegated.
pub(super) fn set_up_supervisor(hart: &mut Hart, adue: bool) {
    // With compressed instructions no target is misaligned, and the bit of that exception reads zero.
    let misaligned = |exception| exception == Exception::InstructionMisaligned && hart.pc_alignment() < 4;
    let firmware = [Exception::EcallS, Exception::EcallM];
    let exceptions = Exception::ALL.into_iter().filter(|&e| !firmware.contains(&e) && !misaligned(e));
    hart.csr.medeleg = exceptions.map(|exception| 1 << exception.code()).sum();
    hart.csr.mideleg = Interrupt::SupervisorSoftware.mask()
        | Interrupt::SupervisorTimer.mask()
        | Interrupt::SupervisorExternal.mask();
    hart.csr.scounteren = BASE_COUNTERS;
    hart.allow_supervisor();
    hart.csr.menvcfg &= if adue { u64::MAX } else { !menvcfg::ADUE };
    hart.csr.stimecmp = u64::MAX;
    hart.csr.mstatus |= mstatus::FS_INITIAL;
    hart.pmp.write_addr(0, u64::MAX);
    hart.pmp.write_config(0, PMP_ALLOW_ALL);
}

impl Machine {
    /// Serves the call that the hart whose turn it is has just made.
    pub(super) fn sbi_call(&mut self) {
        let caller = self.turn.hart;
        let call = Call(std::array::from_fn(|index| self.harts[caller].x[A0 + index]));
        let action = sbi::decide(call, self.harts.len(), |at| {
            self.translate(at).filter(|at| at.is_aligned(8)).and_then(|at| self.ram.read_u64(at))
        });
        let answer = match action {
            Action::Answer(answer) => answer,
            Action::SetTimer { ticks } => {
                if self.harts[caller].csr.supervisor_timer_is_on() {
                    self.harts[caller].csr.stimecmp = ticks;
                } else {
                    self.bus.set_sbi_timer(caller, ticks, self.now);
                }
                Answer::value(0)
            }
            Action::SendIpi(harts) => {
                self.send_ipi(harts);
                Answer::value(0)
            }
            Action::ClearIpi => {
                let pending = &mut self.harts[caller].csr.mip_software;
                let was_pending = *pending & Interrupt::SupervisorSoftware.mask() != 0;
                *pending &= !Interrupt::SupervisorSoftware.mask();
                Answer::value(was_pending.into())
            }
            Action::Fence(fence) => {
                self.fence(fence);
                Answer::value(0)
            }
            Action::Fault(at) => return self.fault_in_call(at),
            Action::StartHart { hart, at, opaque } => self.start_hart(hart, Entry { at, opaque }),
            Action::StopHart => return self.stop_hart(),
            Action::HartStatus(hart) => Answer::value(self.hart_status(hart)),
            Action::Suspend { resume } => self.suspend_hart(resume.map(|(at, opaque)| Entry { at, opaque })),
            Action::SetFeature { feature, value, flags } => self.set_feature(feature, value, flags),
            Action::GetFeature(feature) => self.feature(feature),
            Action::Write { at, len_bytes } => self.console_write(at, len_bytes),
            Action::Read { at, len_bytes } => self.console_read(at, len_bytes),
            Action::PutByte { byte } => match self.bus.stdio().write(Output::Stdout, &[byte]) {
                // The legacy call throws away what nobody reads.
                Err(_) if !call.is_legacy() => Answer::error(ERR_FAILED),
                _ => Answer::value(0),
            },
            Action::GetByte => {
                let mut byte = [0];
                let input = self.bus.console_input(&mut byte);
                let came = matches!(input, Input::Bytes(_));
                Answer::value(if came { i64::from(byte[0]) } else { -1 })
            }
            Action::Shutdown(reason) => return self.bus.end(StopReason::SbiShutdown(reason)),
            Action::Reset => return self.bus.end(StopReason::Reset),
        };
        let x = &mut self.harts[caller].x;
        if call.is_legacy() {
            x[A0] = answer.value.cast_unsigned();
        } else {
            (x[A0], x[A1]) = (answer.error.cast_unsigned(), answer.value.cast_unsigned());
        }
    }

    /// Raises the supervisor software interrupt of these harts, as far as they run.
    fn send_ipi(&mut self, harts: Harts) {
        for (hart, sbi) in self.harts.iter_mut().zip(&self.sbi_harts) {
            if harts.contains(hart.id) && sbi.power != Power::Stopped {
                hart.csr.mip_software |= Interrupt::SupervisorSoftware.mask();
            }
        }
    }

    /// The supervisor takes a fault of its legacy call's, at the ECALL.
    fn fault_in_call(&mut self, at: VirtAddr) {
        let hart = &mut self.harts[self.turn.hart];
        hart.pc = hart.pc.wrapping_sub(ECALL_BYTES);
        let translates = Satp(hart.csr.satp).mode() != MODE_BARE;
        let exception = if translates { Exception::LoadPage } else { Exception::LoadAccess };
        hart.take_exception(Trap::at(exception, at));
    }

    fn fence(&mut self, fence: Option<Fence>) {
        let Some(fence) = fence else { return };
        for hart in self.harts.iter_mut().filter(|hart| fence.harts.contains(hart.id)) {
            let pages = fence.range.map(|(start, len_bytes)| {
                let last = start.saturating_add(len_bytes.saturating_sub(1));
                (VirtAddr(start).page(), VirtAddr(last).page().0 - VirtAddr(start).page().0 + 1)
            });
            match pages {
                Some((first, count)) if count <= MAX_FENCED_PAGES => {
                    (0..count).for_each(|n| {
                        hart.fence_translations(Some(first.wrapping_add(n).base()), fence.asid)
                    });
                }
                // Dropping more than was asked for is always allowed.
                _ => hart.fence_translations(None, fence.asid),
            }
        }
    }

    fn console_write(&mut self, at: PhysAddr, len_bytes: u64) -> Answer {
        let bytes = usize::try_from(len_bytes).ok().and_then(|len| self.ram.slice(at, len));
        let Some(bytes) = bytes else { return Answer::error(ERR_INVALID_PARAM) };
        match self.bus.stdio().write(Output::Stdout, bytes) {
            Ok(()) => Answer::value(len_bytes.cast_signed()),
            Err(_) => Answer::error(ERR_FAILED),
        }
    }

    fn console_read(&mut self, at: PhysAddr, len_bytes: u64) -> Answer {
        let room = usize::try_from(len_bytes.min(MAX_READ_BYTES)).expect("bounded");
        if self.ram.slice(at, room).is_none() {
            return Answer::error(ERR_INVALID_PARAM);
        }
        let mut buffer = vec![0; room];
        let Input::Bytes(count) = self.bus.console_input(&mut buffer) else { return Answer::value(0) };
        let count = count.min(room);
        if self.ram.write(at, &buffer[..count]) {
            Answer::value(i64::try_from(count).expect("bounded"))
        } else {
            Answer::error(ERR_INVALID_PARAM)
        }
    }
}
