//! From an instruction to the function that runs it, and where its block ends. What else shapes a block is in isa's table.

use super::block::{Entry, Kind};
use super::interp::{Interp, Stopped};
use crate::hart::write_is_harmless;
use crate::semantics::{Engine, aligned, body_of};
use isa::EndsBlock;
use isa::insn::{Insn, Op};

/// Runs the instruction of an entry.
pub(super) type Body<const OBSERVED: bool> =
    for<'a, 'b, 'c> fn(&'a mut Interp<'b, OBSERVED>, &'c Entry) -> Result<(), Stopped>;

/// Whether a block ends after the instruction.
pub(super) fn ends_block(insn: &Insn) -> bool {
    match insn.op.effect().ends_block() {
        EndsBlock::Never => false,
        EndsBlock::Always => true,
        EndsBlock::AsPause => insn.is_pause(),
        EndsBlock::ByCsr => insn.writes_csr() && !write_is_harmless(insn.csr()),
    }
}

macro_rules! bodies {
    ($($op:ident $function:ident $mnemonic:literal $format:ident $extension:ident $effect:ident $bits:literal;)*) => {
        /// One function a row: notes the place if the body asks for it, then runs the body.
        mod rows {
            use super::*;
            $(
                pub(super) fn $function<const OBSERVED: bool>(
                    e: &mut Interp<'_, OBSERVED>,
                    entry: &Entry,
                ) -> Result<(), Stopped> {
                    if const { Op::$op.effect().asks_place() } {
                        e.core.index = u64::from(entry.index);
                        e.core.offset = u64::from(entry.offset_bytes);
                    }
                    body_of!($extension $function)(e, &entry.insn)
                }
            )*
        }
        fn row<const OBSERVED: bool>(op: Op) -> Body<OBSERVED> {
            match op { $(Op::$op => rows::$function::<OBSERVED>,)* }
        }
    };
}
isa::for_each_insn!(bodies);

macro_rules! aligned_bodies {
    ($($op:ident $function:ident;)*) => {
        /// Jumps and branches where the target must be a multiple of four.
        mod aligned_rows {
            use super::*;
            $(
                pub(super) fn $function<const OBSERVED: bool>(
                    e: &mut Interp<'_, OBSERVED>,
                    entry: &Entry,
                ) -> Result<(), Stopped> {
                    e.core.index = u64::from(entry.index);
                    e.core.offset = u64::from(entry.offset_bytes);
                    aligned::$function(e, &entry.insn)
                }
            )*
        }
        fn aligned_row<const OBSERVED: bool>(op: Op) -> Body<OBSERVED> {
            match op {
                $(Op::$op => aligned_rows::$function::<OBSERVED>,)*
                _ => row(op),
            }
        }
    };
}
aligned_bodies! {
    Jal jal; Jalr jalr; Beq beq; Bne bne; Blt blt; Bge bge; Bltu bltu; Bgeu bgeu;
}

/// The function that runs `op`.
pub(super) fn body<const OBSERVED: bool>(op: Op, kind: Kind) -> Body<OBSERVED> {
    match kind {
        Kind::Row => row(op),
        Kind::Aligned => aligned_row(op),
        Kind::Illegal => illegal,
    }
}

/// The function that runs an encoding that decodes to nothing.
fn illegal<const OBSERVED: bool>(e: &mut Interp<'_, OBSERVED>, entry: &Entry) -> Result<(), Stopped> {
    e.illegal(&entry.insn)
}
