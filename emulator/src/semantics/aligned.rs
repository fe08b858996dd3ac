//! Jumps and branches on a hart without compressed instructions: a target that is no multiple of four raises
//! instruction address misaligned, before the link register is written (unprivileged manual, "Control Transfer
//! Instructions"). With compressed instructions no target can be misaligned, and the bodies of `i` are used.

use super::engine::Engine;
use super::i;
use isa::insn::Insn;

/// Jump and link.
pub fn jal<E: Engine>(e: &mut E, insn: &Insn) -> Result<(), E::Stop> {
    let (pc, offset) = (e.pc(), e.imm(i64::from(insn.imm)));
    let target = e.add(pc, offset);
    let always = e.eq(pc, pc);
    e.aligned_target(always, target)?;
    i::jal(e, insn)
}

/// Jump and link register.
pub fn jalr<E: Engine>(e: &mut E, insn: &Insn) -> Result<(), E::Stop> {
    let (base, offset, even) = (e.x(insn.rs1), e.imm(i64::from(insn.imm)), e.imm(!1));
    let sum = e.add(base, offset);
    let target = e.and(sum, even);
    let always = e.eq(base, base);
    e.aligned_target(always, target)?;
    i::jalr(e, insn)
}

macro_rules! branches {
    ($($name:ident $cond:ident;)*) => {$(
        #[doc = concat!("Branch if `", stringify!($cond), "(rs1, rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, insn: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(insn.rs1), e.x(insn.rs2));
            let taken = e.$cond(a, b);
            let (pc, offset) = (e.pc(), e.imm(i64::from(insn.imm)));
            let target = e.add(pc, offset);
            e.aligned_target(taken, target)?;
            e.branch(insn, taken, i64::from(insn.imm));
            Ok(())
        }
    )*};
}
branches! { beq eq; bne ne; blt lt; bge ge; bltu ltu; bgeu geu; }
