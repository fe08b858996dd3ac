//! Who has called: a frame's caller by the call frame information (DWARF 5, chapter 6.4), which compilers write for RISC-V with
//! registers 0 to 31 for x0 to x31 and 32 to 63 for f0 to f31 (RISC-V ELF psABI, DWARF).

use super::Section;
use gimli::{
    BaseAddresses, CfaRule, DebugFrame, EhFrame, Register, RegisterRule, UnwindContext, UnwindSection,
};
use isa::Op;
use isa::reg::{RA, SP};

/// `li a7, 139` and `ecall`: what the code does to which a signal's handler returns (`rt_sigreturn`).
const SIGNAL_RETURN: u64 = 0x0000_0073_08b0_0893;
/// Where the frame of a signal's handler has the program's pc, which x1 to x31 follow: behind `siginfo` (128 bytes) and, in
/// `ucontext`, behind flags, link, stack and signal mask (176 bytes).
const SIGNAL_FRAME_REGISTERS: u64 = 128 + 176;

/// The DWARF number of the first floating-point register.
const FIRST_FLOAT: usize = 32;

/// A function at work: where it is, and its registers as far as they are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The next instruction, where the process has it.
    pub pc: u64,
    /// The integer registers. What a callee need not have kept is unknown.
    pub x: [Option<u64>; 32],
    /// The floating-point registers.
    pub f: [Option<u64>; 32],
    /// Whether `pc` is the next instruction to run, and not the one behind a call.
    pub is_exact: bool,
}

impl Frame {
    /// The frame of a hart or thread that is at `pc`.
    pub fn innermost(pc: u64, x: &[u64; 32]) -> Self {
        Self { pc, x: x.map(Some), f: [None; 32], is_exact: true }
    }
    /// A frame at `pc` of whose registers nothing is known.
    pub fn somewhere(pc: u64) -> Self {
        Self { pc, x: [None; 32], f: [None; 32], is_exact: true }
    }
    /// The same, with the floating-point registers.
    pub fn with_floats(self, f: &[u64; 32]) -> Self {
        Self { f: f.map(Some), ..self }
    }
    /// An address of the instruction that is at work: of the call, in a frame that has called.
    pub fn at_work(&self) -> u64 {
        if self.is_exact { self.pc } else { self.pc.wrapping_sub(1) }
    }
    /// The caller by the register `ra`, where nothing else is known of the code: only the innermost has it where the call put it.
    pub(super) fn caller_by_return_address(&self) -> Option<Self> {
        let pc = self.x[usize::from(RA)].filter(|&ra| self.is_exact && ra != 0 && ra != self.pc)?;
        Some(Self { pc, is_exact: false, ..self.clone() })
    }
    /// The registers when this function returns, as far as it has not kept them on its stack, which ends at `cfa`.
    pub(super) fn returned(&self, cfa: u64) -> Self {
        let (mut x, mut f) = (self.x, self.f);
        // What a callee need not keep is lost: ra and the temporaries (calling convention, integer registers).
        for (number, value) in x.iter_mut().enumerate() {
            if !is_kept(number) {
                *value = None;
            }
        }
        for (number, value) in f.iter_mut().enumerate() {
            if !is_kept_float(number) {
                *value = None;
            }
        }
        x[usize::from(SP)] = Some(cfa);
        Self { x, f, is_exact: false, ..*self }
    }

    /// What was interrupted, if this is the code to which a signal's handler returns.
    pub fn before_signal(&self, read: &dyn Fn(u64) -> Option<u64>) -> Option<Self> {
        if read(self.pc)? != SIGNAL_RETURN {
            return None;
        }
        let registers = self.x[usize::from(SP)]?.wrapping_add(SIGNAL_FRAME_REGISTERS);
        let register = |number: u64| read(registers.wrapping_add(8 * number));
        let mut x = [Some(0); 32];
        for (number, value) in (1..).zip(&mut x[1..]) {
            *value = register(number);
        }
        Some(Self { pc: register(0)?, x, f: [None; 32], is_exact: true })
    }
    fn register(&self, number: Register) -> Option<u64> {
        match usize::from(number.0).checked_sub(FIRST_FLOAT) {
            Some(float) => *self.f.get(float)?,
            None => *self.x.get(usize::from(number.0))?,
        }
    }
}

/// Whether an address is one to which functions return: behind a call, or where a signal's handler ends.
pub(super) fn is_returned_to(pc: u64, read: &dyn Fn(u64) -> Option<u64>) -> bool {
    let is_call = |bits: u64, len: u8| {
        let insn = u32::try_from(bits).ok().and_then(isa::decode);
        insn.is_some_and(|insn| insn.len == len && matches!(insn.op, Op::Jal | Op::Jalr) && insn.rd == RA)
    };
    let is_behind_call = |before: u64| is_call(before >> 32, 4) || is_call(before >> 48, 2);
    read(pc.wrapping_sub(8)).is_some_and(is_behind_call) || read(pc) == Some(SIGNAL_RETURN)
}

/// The call frame information of one file.
pub(super) struct Unwinder {
    bases: BaseAddresses,
    debug_frame: DebugFrame<Section>,
    eh_frame: EhFrame<Section>,
}

/// How the caller's registers come out of a row of the table.
type Rules = (CfaRule<usize>, Vec<(Register, RegisterRule<usize>)>);

impl Unwinder {
    pub(super) fn new(text: u64, eh_frame_at: u64, debug_frame: Section, eh_frame: Section) -> Self {
        let bases = BaseAddresses::default().set_text(text).set_eh_frame(eh_frame_at);
        Self { bases, debug_frame: debug_frame.into(), eh_frame: eh_frame.into() }
    }

    pub(super) fn caller(
        &self,
        frame: &Frame,
        bias: u64,
        read: &dyn Fn(u64) -> Option<u64>,
    ) -> Option<Frame> {
        let at = frame.at_work().wrapping_sub(bias);
        let rules = self.rules(&self.debug_frame, at).or_else(|| self.rules(&self.eh_frame, at));
        let (cfa, rules) = rules?;
        let CfaRule::RegisterAndOffset { register, offset } = cfa else { return None };
        let cfa = frame.register(register)?.wrapping_add_signed(offset);
        let Frame { mut x, mut f, .. } = frame.returned(cfa);
        let mut return_address = frame.x[usize::from(RA)];
        for (register, rule) in rules {
            let value = match rule {
                RegisterRule::Undefined => None,
                RegisterRule::SameValue => frame.register(register),
                RegisterRule::Offset(offset) => read(cfa.wrapping_add_signed(offset)),
                RegisterRule::ValOffset(offset) => Some(cfa.wrapping_add_signed(offset)),
                RegisterRule::Register(other) => frame.register(other),
                RegisterRule::Constant(value) => Some(value),
                // No compiler writes them for RISC-V's calling convention.
                _ => None,
            };
            if register.0 == u16::from(RA) {
                return_address = value;
            }
            let float = usize::from(register.0).checked_sub(FIRST_FLOAT);
            let place = float.map_or(x.get_mut(usize::from(register.0)), |float| f.get_mut(float));
            if let Some(place) = place {
                *place = value;
            }
        }
        x[usize::from(SP)] = Some(cfa);
        let is_same = return_address == Some(frame.pc) && frame.x[usize::from(SP)] == Some(cfa);
        let pc = return_address.filter(|&pc| pc != 0 && !is_same)?;
        Some(Frame { pc, x, f, is_exact: false })
    }

    fn rules<S: UnwindSection<Section, Offset: gimli::UnwindOffset>>(
        &self,
        section: &S,
        at: u64,
    ) -> Option<Rules> {
        let mut context = UnwindContext::new();
        let found = section.unwind_info_for_address(&self.bases, &mut context, at, S::cie_from_offset);
        let row = found.ok()?;
        Some((row.cfa().clone(), row.registers().cloned().collect()))
    }
}

/// Whether a callee leaves a floating-point register as it was: fs0 to fs11.
fn is_kept_float(register: usize) -> bool {
    matches!(register, 8 | 9 | 18..=27)
}

/// Whether a callee leaves a register as it was: sp, gp, tp and s0 to s11.
fn is_kept(register: usize) -> bool {
    matches!(register, 0 | 2..=4 | 8 | 9 | 18..=27)
}
