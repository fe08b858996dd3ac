//! From an instruction to the function that runs it, and the few facts of an instruction that shape its block.

use super::block::{Entry, Kind};
use super::interp::{Interp, Stopped};
use crate::hart::write_is_harmless;
use crate::semantics::{Engine, aligned, body_of};
use isa::insn::{Format, Insn, Op};

/// Runs the instruction of an entry.
pub(super) type Body<const OBSERVED: bool> =
    for<'a, 'b, 'c> fn(&'a mut Interp<'b, OBSERVED>, &'c Entry) -> Result<(), Stopped>;

/// Whether the body asks where in the block it is (its address, step or counts).
const fn needs_place(op: Op) -> bool {
    matches!(
        op.format(),
        Format::U
            | Format::J
            | Format::Jalr
            | Format::B
            | Format::Bare
            | Format::SfenceVma
            | Format::Csr
            | Format::CsrImm
    )
}

/// Whether the instruction makes one data access (two if it crosses pages).
pub(super) const fn accesses_memory(op: Op) -> bool {
    matches!(
        op.format(),
        Format::Load
            | Format::Store
            | Format::Lr
            | Format::Amo
            | Format::FpLoad
            | Format::FpStore
            | Format::CacheBlock
    )
}

/// Whether a block ends after the instruction: it may go elsewhere, or change what holds for the whole block
/// (mode, translation, pending interrupts).
pub(super) fn ends_block(insn: &Insn) -> bool {
    match insn.op.format() {
        Format::J | Format::Jalr | Format::B | Format::Bare | Format::SfenceVma | Format::FenceI => true,
        Format::Fence => insn.is_pause(),
        Format::Csr | Format::CsrImm => {
            let writes = matches!(insn.op, Op::Csrrw | Op::Csrrwi) || insn.rs1 != 0;
            writes && !write_is_harmless(insn.csr())
        }
        _ => false,
    }
}

macro_rules! bodies {
    ($($op:ident $function:ident $mnemonic:literal $format:ident $extension:ident $bits:literal;)*) => {
        /// One function a row: notes the place if the body asks for it, then runs the body.
        mod rows {
            use super::*;
            $(
                pub(super) fn $function<const OBSERVED: bool>(
                    e: &mut Interp<'_, OBSERVED>,
                    entry: &Entry,
                ) -> Result<(), Stopped> {
                    if const { needs_place(Op::$op) } {
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
        /// Whether the instruction jumps or branches to a target of its own.
        pub(super) fn jumps(op: Op) -> bool {
            matches!(op, $(Op::$op)|*)
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
