//! The registers of a child before its first instruction: its parent's at the call that made it, but for what the call says.

use super::execute::Debugger;
use super::space::AtTrap;
use super::target::Registers;
use crate::trace::{Event, ThreadId};
use isa::paging::Satp;
use isa::{VirtAddr, reg};

/// A process that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forked {
    pub(crate) parent: ThreadId,
    pub(crate) child: u64,
    pub(super) satp: Satp,
    /// As `clone` has them.
    pub(super) flags: u64,
}

/// The child has its parent's memory, and so needs a stack of its own (Linux's `CLONE_VM`).
const CLONE_VM: u64 = 0x100;
/// The call says what the child has as its thread pointer (Linux's `CLONE_SETTLS`).
const CLONE_SETTLS: u64 = 0x8_0000;
/// Bytes of `ecall`.
const ECALL_BYTES: u64 = 4;

impl Forked {
    /// What a `fork` event tells.
    pub(crate) fn told_by(event: &Event) -> Self {
        let record = &event.record;
        let parent = ThreadId { pid: record.pid, tid: record.tid };
        Self { parent, child: record.detail, satp: Satp(record.detail2), flags: record.flags }
    }

    /// The child's registers, from its parent's at the call; `arguments` are those of `clone`, if it was that. `clone3` has its in memory.
    fn registers(&self, parent: &Registers, is_clone: bool) -> Option<Registers> {
        let argument = |index: usize| parent.x[usize::from(reg::A0) + index];
        if !is_clone && self.flags & (CLONE_VM | CLONE_SETTLS) != 0 {
            return None;
        }
        let mut x = parent.x;
        if is_clone && argument(1) != 0 {
            x[usize::from(reg::SP)] = argument(1);
        }
        if is_clone && self.flags & CLONE_SETTLS != 0 {
            x[usize::from(reg::TP)] = argument(3);
        }
        x[usize::from(reg::A0)] = 0;
        let pc = VirtAddr(parent.pc.0.wrapping_add(ECALL_BYTES));
        Some(Registers { pc, x, satp: self.satp, ..*parent })
    }
}

impl Debugger {
    /// The registers with which a process begins that was made, from its parent's at the call.
    pub(crate) fn child_registers(&self, forked: &Forked, parent: &Registers) -> Option<Registers> {
        let number = parent.x[usize::from(reg::A7)];
        let is_clone = self.calls.iter().any(|&(known, name)| known == number && name == "clone");
        forked.registers(parent, is_clone)
    }

    /// Takes in that processes were made.
    pub(super) fn note_forks(&mut self) {
        let forks = self.tap.borrow_mut().take_forks();
        for forked in forks {
            let Some(at_trap) = self.trapped.get(&forked.parent).copied() else { continue };
            if let Some(registers) = self.child_registers(&forked, &at_trap.registers) {
                let thread = ThreadId { pid: forked.child, tid: forked.child };
                self.keep_trap(thread, AtTrap { registers, ..at_trap });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::Privilege;

    #[test]
    fn a_child_has_its_parents_registers_but_for_what_the_call_says() {
        let mut x: [u64; 32] = core::array::from_fn(|index| index as u64 + 100);
        let (satp, privilege) = (Satp(7), Privilege::User);
        x[usize::from(reg::A0) + 1] = 0;
        let mut parent = Registers { hart: 0, pc: VirtAddr(0x100), x, f: [1; 32], privilege, satp };
        let forked = |flags| Forked { parent: ThreadId { pid: 1, tid: 1 }, child: 2, satp: Satp(9), flags };
        let child = forked(17).registers(&parent, true).expect("it is known");
        assert_eq!((child.pc, child.satp, child.x[10], child.f), (VirtAddr(0x104), Satp(9), 0, [1; 32]));
        assert_eq!((child.x[2], child.x[4], child.x[8]), (102, 104, 108));
        parent.x[11] = 0x5000;
        let child = forked(CLONE_VM | CLONE_SETTLS).registers(&parent, true).expect("it is known");
        assert_eq!((child.x[2], child.x[4]), (0x5000, 113));
        assert_eq!(forked(CLONE_VM).registers(&parent, false), None);
        let child = forked(17).registers(&parent, false).expect("it is known");
        assert_eq!((child.x[2], child.x[10]), (102, 0));
    }
}
