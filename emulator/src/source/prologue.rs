//! The caller where no call frame information tells: by what a function does first, which is to make room on the stack and to keep
//! registers there. What a compiler writes so is the rule, not a promise: a caller that is found so is a good guess.

use super::file::ProgramFile;
use super::unwind::Frame;
use isa::reg::{RA, SP};
use isa::{EndsBlock, Op};

/// What the instructions of a function before the one at work have done with the stack.
#[derive(Debug, Default)]
struct Prologue {
    /// Bytes that it has taken.
    room_bytes: u64,
    /// Registers that it keeps, and where from the stack pointer.
    kept: Vec<(u8, i64)>,
}

impl Prologue {
    /// Reads the code from `start` up to `at`, or to where it may go elsewhere.
    fn read(file: &ProgramFile, start: u64, at: u64) -> Self {
        let mut prologue = Self::default();
        let mut pc = start;
        while pc < at {
            let Some(insn) = file.instruction(pc).and_then(isa::decode) else { break };
            let imm = i64::from(insn.imm);
            match insn.op {
                Op::Addi if insn.rd == SP && insn.rs1 == SP => {
                    prologue.room_bytes = prologue.room_bytes.wrapping_add_signed(-imm);
                    prologue.kept.iter_mut().for_each(|(_, from_sp)| *from_sp -= imm);
                }
                Op::Sd if insn.rs1 == SP && !prologue.kept.iter().any(|&(kept, _)| kept == insn.rs2) => {
                    prologue.kept.push((insn.rs2, imm));
                }
                _ if insn.op.effect().ends_block() != EndsBlock::Never => break,
                _ => {}
            }
            pc = pc.wrapping_add(u64::from(insn.len));
        }
        prologue
    }
}

/// Whether the code from `start` up to `at` makes room on the stack, or keeps a register there.
pub(super) fn is_any(file: &ProgramFile, start: u64, at: u64) -> bool {
    let prologue = Prologue::read(file, start, at);
    prologue.room_bytes != 0 || !prologue.kept.is_empty()
}

/// The frame that has called `frame`, at whose function's `start` the file has code.
pub(super) fn caller(
    file: &ProgramFile,
    frame: &Frame,
    bias: u64,
    read: &dyn Fn(u64) -> Option<u64>,
) -> Option<Frame> {
    let at = frame.pc.wrapping_sub(bias);
    let function = file.symbols().range_at(frame.at_work().wrapping_sub(bias))?;
    let prologue = Prologue::read(file, function.start, at);
    let sp = frame.x[usize::from(SP)]?;
    let mut caller = frame.returned(sp.wrapping_add(prologue.room_bytes));
    let mut pc = frame.x[usize::from(RA)].filter(|_| frame.is_exact);
    for (register, from_sp) in prologue.kept {
        let value = read(sp.wrapping_add_signed(from_sp));
        if register == RA {
            pc = value;
        } else if caller.x[usize::from(register)].is_some() {
            caller.x[usize::from(register)] = value;
        }
    }
    caller.pc = pc.filter(|&pc| pc != 0 && (pc != frame.pc || prologue.room_bytes > 0))?;
    Some(caller)
}
