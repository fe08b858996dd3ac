//! What each instruction does, written once: one small generic function an instruction, one file an extension,
//! over the trait [`Engine`].
//!
//! An engine is the interpreter (`Val = u64`), the interpreter with an observer, or a translator whose `Val` is
//! a value of its intermediate code. A body therefore never uses `if` on a guest value: it uses
//! [`Engine::select`], [`Engine::branch`] and the other operations. `?` means "trap, or leave the block" in the
//! interpreter and "the side exit has been emitted" in a translator. **Whatever may stop comes before the first
//! write of a register.** Rare or stateful meaning (CSRs, xRET, fences, `wfi`, `ecall`) is one ordinary function
//! over [`Surroundings`], reached through [`Engine::helper`].

mod engine;
mod float;
#[cfg(test)]
mod recorder;

pub mod a;
pub mod aligned;
pub mod d;
pub mod f;
pub mod i;
pub mod m;
pub mod system;
pub mod zawrs;
pub mod zba;
pub mod zbb;
pub mod zbk;
pub mod zbs;
pub mod zfa;
pub mod zfh;
pub mod zicbo;
pub mod zicond;
pub mod zicsr;

pub use engine::{Amo, Engine, FloatFn, HelperFn, Surroundings, Width};

/// The body of a row of the instruction table: `body_of!(M mul)` is the function of that name in the file of its
/// extension. A row without a body does not compile.
macro_rules! body_of {
    (I ecall) => {
        $crate::semantics::system::ecall
    };
    (I ebreak) => {
        $crate::semantics::system::ebreak
    };
    (I $function:ident) => {
        $crate::semantics::i::$function
    };
    (Zifencei $function:ident) => {
        $crate::semantics::i::$function
    };
    (M $function:ident) => {
        $crate::semantics::m::$function
    };
    (A $function:ident) => {
        $crate::semantics::a::$function
    };
    (F $function:ident) => {
        $crate::semantics::f::$function
    };
    (D $function:ident) => {
        $crate::semantics::d::$function
    };
    (Zicsr $function:ident) => {
        $crate::semantics::zicsr::$function
    };
    (Svinval $function:ident) => {
        $crate::semantics::system::$function
    };
    (Zba $function:ident) => {
        $crate::semantics::zba::$function
    };
    (Zbb $function:ident) => {
        $crate::semantics::zbb::$function
    };
    (Zbs $function:ident) => {
        $crate::semantics::zbs::$function
    };
    (Zbkb $function:ident) => {
        $crate::semantics::zbk::$function
    };
    (Zbkc $function:ident) => {
        $crate::semantics::zbk::$function
    };
    (Zbc $function:ident) => {
        $crate::semantics::zbk::$function
    };
    (Zbkx $function:ident) => {
        $crate::semantics::zbk::$function
    };
    (Zicond $function:ident) => {
        $crate::semantics::zicond::$function
    };
    (Zicbom $function:ident) => {
        $crate::semantics::zicbo::$function
    };
    (Zicboz $function:ident) => {
        $crate::semantics::zicbo::$function
    };
    (Zawrs $function:ident) => {
        $crate::semantics::zawrs::$function
    };
    (Zfhmin $function:ident) => {
        $crate::semantics::zfh::$function
    };
    (Zfh $function:ident) => {
        $crate::semantics::zfh::$function
    };
    (Zfa $function:ident) => {
        $crate::semantics::zfa::$function
    };
    (Privileged $function:ident) => {
        $crate::semantics::system::$function
    };
}
pub(crate) use body_of;
