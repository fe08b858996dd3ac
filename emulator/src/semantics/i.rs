//! RV64I: the base integer instructions (unprivileged manual, chapters "RV32I" and "RV64I").

use super::engine::{Engine, Width};
use isa::insn::Insn;

fn imm<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    e.imm(i64::from(i.imm))
}

/// `rd = imm`.
pub fn lui<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let value = imm(e, i);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd = pc + imm`.
pub fn auipc<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (pc, offset) = (e.pc(), imm(e, i));
    let value = e.add(pc, offset);
    e.set_x(i.rd, value);
    Ok(())
}

fn link<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    let (pc, len) = (e.pc(), e.imm(i64::from(i.len)));
    e.add(pc, len)
}

/// Jump and link.
pub fn jal<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (pc, offset, after) = (e.pc(), imm(e, i), link(e, i));
    let target = e.add(pc, offset);
    e.set_x(i.rd, after);
    e.jump(target);
    Ok(())
}

/// Jump and link register. The target is computed before `rd` is written: they may be the same register.
pub fn jalr<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (base, offset, after, even) = (e.x(i.rs1), imm(e, i), link(e, i), e.imm(!1));
    let sum = e.add(base, offset);
    let target = e.and(sum, even);
    e.set_x(i.rd, after);
    e.jump(target);
    Ok(())
}

macro_rules! branches {
    ($($name:ident $cond:ident;)*) => {$(
        #[doc = concat!("Branch if `", stringify!($cond), "(rs1, rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), e.x(i.rs2));
            let taken = e.$cond(a, b);
            e.branch(i, taken, i64::from(i.imm));
            Ok(())
        }
    )*};
}
branches! { beq eq; bne ne; blt lt; bge ge; bltu ltu; bgeu geu; }

macro_rules! loads {
    ($($name:ident $width:ident $extend:ident;)*) => {$(
        #[doc = concat!("Load, ", stringify!($width), ", ", stringify!($extend), ".")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (base, offset) = (e.x(i.rs1), imm(e, i));
            let addr = e.add(base, offset);
            let value = e.load(addr, Width::$width)?;
            let value = e.$extend(value, Width::$width);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
loads! { lb Byte sext; lh Half sext; lw Word sext; ld Double zext; lbu Byte zext; lhu Half zext; lwu Word zext; }

macro_rules! stores {
    ($($name:ident $width:ident;)*) => {$(
        #[doc = concat!("Store, ", stringify!($width), ".")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (base, offset, value) = (e.x(i.rs1), imm(e, i), e.x(i.rs2));
            let addr = e.add(base, offset);
            e.store(addr, Width::$width, value)
        }
    )*};
}
stores! { sb Byte; sh Half; sw Word; sd Double; }

macro_rules! with_immediate {
    ($($name:ident $op:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, imm)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), imm(e, i));
            let value = e.$op(a, b);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
with_immediate! { addi add; xori xor; ori or; andi and; slli sll; srli srl; srai sra; }

macro_rules! with_register {
    ($($name:ident $op:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), e.x(i.rs2));
            let value = e.$op(a, b);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
with_register! { add add; sub sub; xor xor; or or; and and; sll sll; srl srl; sra sra; }

macro_rules! comparisons {
    ($($name:ident $cond:ident $right:ident;)*) => {$(
        #[doc = concat!("`rd = 1` if `", stringify!($cond), "(rs1, ", stringify!($right), ")`, else 0.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), $right(e, i));
            let cond = e.$cond(a, b);
            let value = e.flag(cond);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
fn rs2<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    e.x(i.rs2)
}
comparisons! { slt lt rs2; sltu ltu rs2; slti lt imm; sltiu ltu imm; }

/// The low five bits of `count`: shifts of words.
fn word_count<E: Engine>(e: &mut E, count: E::Val) -> E::Val {
    let mask = e.imm(31);
    e.and(count, mask)
}
fn add_w<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    e.add(a, b)
}
fn sub_w<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    e.sub(a, b)
}
fn sll_w<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let count = word_count(e, b);
    e.sll(a, count)
}
fn srl_w<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (word, count) = (e.zext(a, Width::Word), word_count(e, b));
    e.srl(word, count)
}
fn sra_w<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (word, count) = (e.sext(a, Width::Word), word_count(e, b));
    e.sra(word, count)
}

macro_rules! words {
    ($($name:ident $op:ident $right:ident;)*) => {$(
        #[doc = concat!("`rd = sext32(", stringify!($op), "(rs1, ", stringify!($right), "))`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), $right(e, i));
            let wide = $op(e, a, b);
            let value = e.sext(wide, Width::Word);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
words! {
    addiw add_w imm; slliw sll_w imm; srliw srl_w imm; sraiw sra_w imm;
    addw add_w rs2; subw sub_w rs2; sllw sll_w rs2; srlw srl_w rs2; sraw sra_w rs2;
}

/// Orders memory accesses: nothing to do, harts take turns and each sees memory in program order. As `pause`
/// (Zihintpause) it gives the rest of the turn away.
pub fn fence<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    if !i.is_pause() {
        return Ok(());
    }
    e.helper(i, |core, _| {
        core.end_turn();
        Ok(())
    })
}

/// Orders stores and fetches: nothing to do, a store drops decoded code at once (Ziccid). It ends the block.
pub fn fence_i<E: Engine>(_: &mut E, _: &Insn) -> Result<(), E::Stop> {
    Ok(())
}
