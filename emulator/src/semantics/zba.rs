//! Zba: address generation (unprivileged manual, chapter "B").

use super::engine::{Engine, Width};
use isa::insn::Insn;

fn whole<E: Engine>(_: &mut E, a: E::Val) -> E::Val {
    a
}
fn word<E: Engine>(e: &mut E, a: E::Val) -> E::Val {
    e.zext(a, Width::Word)
}

macro_rules! shifted_sums {
    ($($name:ident $source:ident $shift:literal;)*) => {$(
        #[doc = concat!("`rd = (", stringify!($source), " of rs1 << ", $shift, ") + rs2`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b, count) = (e.x(i.rs1), e.x(i.rs2), e.imm($shift));
            let index = $source(e, a);
            let offset = e.sll(index, count);
            let value = e.add(offset, b);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
shifted_sums! {
    sh1add whole 1; sh2add whole 2; sh3add whole 3;
    add_uw word 0; sh1add_uw word 1; sh2add_uw word 2; sh3add_uw word 3;
}

/// `rd = (word of rs1) << imm`.
pub fn slli_uw<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (a, count) = (e.x(i.rs1), e.imm(i64::from(i.imm)));
    let index = e.zext(a, Width::Word);
    let value = e.sll(index, count);
    e.set_x(i.rd, value);
    Ok(())
}
