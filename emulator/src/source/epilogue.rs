//! The caller where no call frame information tells: by what the code at work will do before it returns, which is to fetch the
//! return address and to give back its room on the stack. The code is read forward from where it is at work; of a branch
//! both ways are tried, an instruction at a time, so that the shortest way to a return counts: a longer one is likelier to lead past a
//! call that never comes back, behind which stands code that is reached otherwise.
//!
//! So the frame of a function is found that makes room only on one of its paths, as libc's `free` does. One that never
//! returns tells nothing.

use super::file::ProgramFile;
use super::unwind::{Frame, is_returned_to};
use isa::reg::{RA, SP, ZERO};
use isa::{EndsBlock, Insn, Op, Operand};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

/// Instructions that are read at most.
const MAX_INSTRUCTIONS: usize = 4096;
/// What the compiler adds to the names of functions' parts that it has put elsewhere.
const PARTS: [&str; 2] = [".cold", ".part"];

/// What is known on one way through the code: where it is, and registers and stores to memory as they will be there.
#[derive(Clone)]
struct Way {
    pc: u64,
    x: [Option<u64>; 32],
    f: [Option<u64>; 32],
    stored: BTreeMap<u64, Option<u64>>,
}

/// What an instruction leads to.
enum Then {
    /// The next one.
    Next,
    /// The next one, or another.
    Either(u64),
    /// Another.
    Jump(u64),
    /// The caller.
    Return,
    /// Nothing that is known.
    Lost,
}

/// The frame that has called `frame`, whose code is the file's.
pub(super) fn caller(
    file: &ProgramFile,
    frame: &Frame,
    bias: u64,
    read: &dyn Fn(u64) -> Option<u64>,
) -> Option<Frame> {
    let function = file.symbols().range_at(frame.at_work().wrapping_sub(bias));
    let start = Way { pc: frame.pc.wrapping_sub(bias), x: frame.x, f: frame.f, stored: BTreeMap::new() };
    let (mut ways, mut seen) = (VecDeque::from([start]), BTreeSet::new());
    while let Some(mut way) = ways.pop_front() {
        // Behind a call that does not come back.
        let has_strayed = begins_another(file, function.as_ref(), way.pc);
        let is_new = seen.insert((way.pc, way.x[usize::from(SP)], way.x[usize::from(RA)]));
        if has_strayed || !is_new || seen.len() > MAX_INSTRUCTIONS {
            continue;
        }
        let Some(insn) = file.instruction(way.pc).and_then(isa::decode) else { continue };
        match way.take(&insn, file, frame, function.as_ref(), read) {
            Then::Next => way.pc = way.pc.wrapping_add(insn.len.into()),
            Then::Either(other) => {
                let next = way.pc.wrapping_add(insn.len.into());
                ways.push_back(Way { pc: next, ..way.clone() });
                way.pc = other;
            }
            Then::Jump(target) => way.pc = target,
            Then::Return => match way.returned(frame, read) {
                Some(caller) => return Some(caller),
                None => continue,
            },
            Then::Lost => continue,
        }
        ways.push_back(way);
    }
    None
}

/// Whether another function begins at an address, and not a part of one.
fn begins_another(file: &ProgramFile, function: Option<&Range<u64>>, pc: u64) -> bool {
    let begins = || file.symbols().range_at(pc).is_some_and(|range| range.start == pc);
    let is_part = || {
        let name = file.symbols().name_of(pc);
        name.is_some_and(|name| PARTS.iter().any(|part| name.contains(part)))
    };
    function.is_none_or(|function| !function.contains(&pc)) && begins() && !is_part()
}

impl Way {
    /// Does what an instruction does, as far as it is about the stack, and says what comes then.
    fn take(
        &mut self,
        insn: &Insn,
        file: &ProgramFile,
        frame: &Frame,
        function: Option<&Range<u64>>,
        read: &dyn Fn(u64) -> Option<u64>,
    ) -> Then {
        let imm = i64::from(insn.imm);
        let source = self.x[usize::from(insn.rs1)];
        let sum = source.map(|base| base.wrapping_add_signed(imm));
        match insn.op {
            Op::Addi => self.set(insn.rd, sum),
            Op::Add => {
                let other = self.x[usize::from(insn.rs2)];
                self.set(insn.rd, source.zip(other).map(|(one, other)| one.wrapping_add(other)));
            }
            Op::Lui => self.set(insn.rd, Some(0_u64.wrapping_add_signed(imm))),
            Op::Ld => {
                let value = self.load(sum, read);
                self.set(insn.rd, value);
            }
            Op::Fld => self.f[usize::from(insn.rd)] = self.load(sum, read),
            Op::Sd => self.store(sum, self.x[usize::from(insn.rs2)]),
            Op::Fsd => self.store(sum, self.f[usize::from(insn.rs2)]),
            Op::Jal | Op::Jalr if insn.rd != ZERO => self.forget_what_calls_lose(frame),
            Op::Jal => {
                let target = self.pc.wrapping_add_signed(imm);
                let is_in_place_of_call = begins_another(file, function, target);
                return if is_in_place_of_call { Then::Return } else { Then::Jump(target) };
            }
            Op::Jalr if insn.rs1 == RA => return Then::Return,
            // A jump to another function in place of a call has given back the stack; else it is a table's.
            Op::Jalr => {
                let has_moved = self.x[usize::from(SP)] != frame.x[usize::from(SP)];
                return if has_moved { Then::Return } else { Then::Lost };
            }
            op if op.format().operands().contains(&Operand::Target) => {
                return Then::Either(self.pc.wrapping_add_signed(imm));
            }
            // A system call comes back.
            op if op != Op::Ecall && op.effect().ends_block() == EndsBlock::Always => return Then::Lost,
            op => {
                let operands = op.format().operands();
                if operands.contains(&Operand::Rd) {
                    self.set(insn.rd, None);
                }
                if operands.contains(&Operand::FRd) {
                    self.f[usize::from(insn.rd)] = None;
                }
            }
        }
        Then::Next
    }

    fn set(&mut self, register: u8, value: Option<u64>) {
        if register != ZERO {
            self.x[usize::from(register)] = value;
        }
    }

    fn load(&self, at: Option<u64>, read: &dyn Fn(u64) -> Option<u64>) -> Option<u64> {
        let at = at?;
        self.stored.get(&at).copied().unwrap_or_else(|| read(at))
    }

    fn store(&mut self, at: Option<u64>, value: Option<u64>) {
        if let Some(at) = at {
            self.stored.insert(at, value);
        }
    }

    fn forget_what_calls_lose(&mut self, frame: &Frame) {
        let (sp, of_all) = (self.x[usize::from(SP)], Frame { x: self.x, f: self.f, ..frame.clone() });
        let kept = of_all.returned(0);
        (self.x, self.f) = (kept.x, kept.f);
        self.x[usize::from(SP)] = sp;
    }

    /// The caller, where the registers are those of a return.
    fn returned(&self, frame: &Frame, read: &dyn Fn(u64) -> Option<u64>) -> Option<Frame> {
        let (sp, pc) = (self.x[usize::from(SP)]?, self.x[usize::from(RA)]?);
        let is_same = pc == frame.pc && self.x[usize::from(SP)] == frame.x[usize::from(SP)];
        if is_same || !is_returned_to(pc, read) {
            return None;
        }
        let of_all = Frame { x: self.x, f: self.f, ..frame.clone() };
        Some(Frame { pc, ..of_all.returned(sp) })
    }
}
