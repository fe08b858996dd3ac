//! The caller where no call frame information tells: by what a function does first, which is to make room on the stack and to keep
//! registers there. What a compiler writes so is the rule, not a promise: a caller that is found so is a good guess.

use super::file::ProgramFile;
use super::unwind::{Frame, is_returned_to};
use isa::reg::{RA, S0, SP};
use isa::{EndsBlock, Op};

/// How far in front of the code at work the beginning of its function is looked for, where no symbol tells of it.
const MAX_BYTES_BEFORE: u64 = 16 * 1024;

/// What the instructions of a function before the one at work have done with the stack. Places are from where the stack pointer
/// was when the function began.
#[derive(Debug, Default)]
struct Prologue {
    /// Bytes that it has taken.
    room_bytes: u64,
    /// Registers that it keeps, and where.
    kept: Vec<(u8, i64)>,
    /// Where the frame pointer points to, if the function has one: of use where room is taken later, whose size is not in the code.
    frame_pointer: Option<i64>,
}

impl Prologue {
    /// Reads the code from `start` up to `at`, or to where it may go elsewhere.
    fn read(file: &ProgramFile, start: u64, at: u64) -> Self {
        let mut prologue = Self::default();
        let mut pc = start;
        while pc < at {
            let Some(insn) = file.instruction(pc).and_then(isa::decode) else { break };
            let imm = i64::from(insn.imm);
            let place = imm.wrapping_sub_unsigned(prologue.room_bytes);
            match insn.op {
                Op::Addi if insn.rd == SP && insn.rs1 == SP => {
                    prologue.room_bytes = prologue.room_bytes.wrapping_add_signed(-imm);
                }
                Op::Addi if insn.rd == S0 && insn.rs1 == SP && prologue.keeps(S0) => {
                    prologue.frame_pointer = Some(place);
                }
                Op::Sd if insn.rs1 == SP && !prologue.keeps(insn.rs2) => {
                    prologue.kept.push((insn.rs2, place))
                }
                _ if insn.op.effect().ends_block() != EndsBlock::Never => break,
                _ => {}
            }
            pc = pc.wrapping_add(u64::from(insn.len));
        }
        prologue
    }

    fn keeps(&self, register: u8) -> bool {
        self.kept.iter().any(|&(kept, _)| kept == register)
    }

    /// Where the stack pointer of `frame` may have been when its function began, the likeliest first.
    fn begun_at(&self, frame: &Frame) -> impl Iterator<Item = u64> {
        let frame_pointer = frame.x[usize::from(S0)].zip(self.frame_pointer);
        let by_frame_pointer = frame_pointer.map(|(s0, place)| s0.wrapping_add_signed(-place));
        let by_room = frame.x[usize::from(SP)].map(|sp| sp.wrapping_add(self.room_bytes));
        by_frame_pointer.into_iter().chain(by_room)
    }

    /// The caller, if the stack pointer was there when the function of `frame` began.
    fn caller(&self, frame: &Frame, begun_at: u64, read: &dyn Fn(u64) -> Option<u64>) -> Option<Frame> {
        let mut caller = frame.returned(begun_at);
        let mut pc = frame.x[usize::from(RA)].filter(|_| frame.is_exact);
        for &(register, place) in &self.kept {
            let value = read(begun_at.wrapping_add_signed(place));
            if register == RA {
                pc = value;
            } else if caller.x[usize::from(register)].is_some() {
                caller.x[usize::from(register)] = value;
            }
        }
        let is_other = |pc: &u64| *pc != frame.pc || self.room_bytes > 0;
        caller.pc = pc.filter(|pc| is_other(pc) && is_returned_to(*pc, read))?;
        Some(caller)
    }
}

/// Whether the code from `start` up to `at` makes room on the stack, or keeps a register there.
pub(super) fn is_any(file: &ProgramFile, start: u64, at: u64) -> bool {
    let prologue = Prologue::read(file, start, at);
    prologue.room_bytes != 0 || !prologue.kept.is_empty()
}

/// The frame that has called `frame`, whose code is the file's.
pub(super) fn caller(
    file: &ProgramFile,
    frame: &Frame,
    bias: u64,
    read: &dyn Fn(u64) -> Option<u64>,
) -> Option<Frame> {
    let (at, at_work) = (frame.pc.wrapping_sub(bias), frame.at_work().wrapping_sub(bias));
    let by = |prologue: Prologue| {
        prologue.begun_at(frame).find_map(|begun_at| prologue.caller(frame, begun_at, read))
    };
    match file.symbols().range_at(at_work) {
        Some(function) => by(Prologue::read(file, function.start, at)),
        None => {
            let prologues = starts_before(file, at_work).map(|start| Prologue::read(file, start, at));
            prologues.filter(|prologue| prologue.keeps(RA)).find_map(by)
        }
    }
}

/// Where a function may begin whose code is at an address that no symbol holds: where room is made on the stack, the nearest first.
fn starts_before(file: &ProgramFile, at: u64) -> impl Iterator<Item = u64> {
    let at = at & !1;
    let before = (0..=MAX_BYTES_BEFORE).step_by(2).map_while(move |bytes| at.checked_sub(bytes));
    let nameless = before.take_while(|&start| file.symbols().range_at(start).is_none());
    nameless.filter(|&start| {
        let insn = file.instruction(start).and_then(isa::decode);
        insn.is_some_and(|insn| insn.op == Op::Addi && insn.rd == SP && insn.rs1 == SP && insn.imm < 0)
    })
}
