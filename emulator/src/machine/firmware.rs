//! How a hart starts, and the built-in SBI's calls carried out on harts and devices.

use super::{Machine, StopReason};
use crate::hart::Hart;
use crate::host::{Input, Output};
use crate::loader::boot::BootInfo;
use crate::sbi::{self, Action, Answer, Call, Fence};
use isa::csr::{menvcfg, mstatus};
use isa::sbi::{ERR_FAILED, ERR_INVALID_PARAM, SUCCESS};
use isa::{Exception, Interrupt, PhysAddr, VirtAddr};

const A0: usize = 10;
const A1: usize = 11;
const A2: usize = 12;
/// CY, TM and IR of `mcounteren` and `scounteren`.
const ALL_COUNTERS: u64 = 0b111;
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
    if builtin_sbi {
        set_up_supervisor(hart, adue);
    } else if adue {
        hart.csr.menvcfg |= menvcfg::ADUE;
    }
    hart.rebuild();
}

/// As OpenSBI leaves the CSRs, with one difference: since nothing runs in M-mode, every exception that firmware would
/// forward to S-mode is delegated.
fn set_up_supervisor(hart: &mut Hart, adue: bool) {
    let not_delegated = [Exception::EcallS, Exception::EcallM, Exception::InstructionMisaligned];
    let exceptions = Exception::ALL.into_iter().filter(|exception| !not_delegated.contains(exception));
    hart.csr.medeleg = exceptions.map(|exception| 1 << exception.code()).sum();
    hart.csr.mideleg = Interrupt::SupervisorSoftware.mask()
        | Interrupt::SupervisorTimer.mask()
        | Interrupt::SupervisorExternal.mask();
    hart.csr.mcounteren = ALL_COUNTERS;
    hart.csr.scounteren = ALL_COUNTERS;
    hart.csr.menvcfg = if adue { menvcfg::ADUE } else { 0 };
    hart.csr.mstatus |= mstatus::FS_INITIAL;
    hart.pmp.write_addr(0, u64::MAX);
    hart.pmp.write_config(0, PMP_ALLOW_ALL);
}

impl Machine {
    /// Serves the call that the hart has just made.
    pub(super) fn sbi_call(&mut self) {
        let registers = std::array::from_fn(|index| self.harts[0].x[A0 + index]);
        let answer = match sbi::decide(Call(registers), self.harts.len()) {
            Action::Answer(answer) => answer,
            Action::SetTimer { ticks, legacy } => {
                self.bus.set_sbi_timer(0, ticks, self.now);
                if legacy {
                    return self.answer_legacy(SUCCESS);
                }
                Answer::value(0)
            }
            Action::SendIpi(harts) => {
                let named = self.harts.iter_mut().filter(|hart| harts.contains(hart.id));
                named.for_each(|hart| hart.csr.mip_software |= Interrupt::SupervisorSoftware.mask());
                Answer::value(0)
            }
            Action::Fence(fence) => {
                self.fence(fence);
                Answer::value(0)
            }
            Action::Suspend => {
                self.harts[0].waiting = true;
                Answer::value(0)
            }
            Action::StopHart => {
                // The only hart stops, and nobody is left to start it.
                self.bus.end(StopReason::Idle);
                return;
            }
            Action::Write { at, len_bytes } => self.console_write(at, len_bytes),
            Action::Read { at, len_bytes } => self.console_read(at, len_bytes),
            Action::PutByte { byte, legacy } => {
                let result = self.bus.stdio().write(Output::Stdout, &[byte]);
                if legacy {
                    return self.answer_legacy(SUCCESS);
                }
                result.map_or(Answer::error(ERR_FAILED), |()| Answer::value(0))
            }
            Action::GetByte => {
                let mut byte = [0];
                let input = self.bus.console_input(&mut byte);
                return self.answer_legacy(if matches!(input, Input::Bytes(_)) {
                    i64::from(byte[0])
                } else {
                    -1
                });
            }
            Action::Shutdown(reason) => {
                self.bus.end(StopReason::SbiShutdown(reason));
                return;
            }
            Action::Reset => {
                self.bus.end(StopReason::Reset);
                return;
            }
        };
        self.harts[0].x[A0] = answer.error.cast_unsigned();
        self.harts[0].x[A1] = answer.value.cast_unsigned();
    }

    fn answer_legacy(&mut self, value: i64) {
        self.harts[0].x[A0] = value.cast_unsigned();
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
