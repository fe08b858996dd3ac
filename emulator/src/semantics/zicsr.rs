//! Zicsr: reading and writing control and status registers (unprivileged manual, chapter "Zicsr").

use super::engine::{Engine, Surroundings};
use isa::Trap;
use isa::insn::Insn;

/// How a CSR instruction makes the new value.
#[derive(Clone, Copy)]
enum Change {
    Write,
    Set,
    Clear,
}

fn access(
    core: &mut dyn Surroundings,
    i: &Insn,
    change: Change,
    operand: u64,
    writes: bool,
) -> Result<(), Trap> {
    let illegal = Trap::illegal(i.bits);
    let old = core.read_csr(i.csr()).ok_or(illegal)?;
    if writes {
        let base = core.hart().csr_modify_base(i.csr(), old);
        let new = match change {
            Change::Write => operand,
            Change::Set => base | operand,
            Change::Clear => base & !operand,
        };
        core.write_csr(i.csr(), new).ok_or(illegal)?;
    }
    core.set_x(i.rd, old);
    Ok(())
}

macro_rules! with_register {
    ($($name:ident $change:ident $writes:expr;)*) => {$(
        #[doc = concat!("CSR access: ", stringify!($change), ", with a register.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            e.helper(i, |core, i| {
                let operand = core.hart().x[usize::from(i.rs1)];
                access(core, i, Change::$change, operand, $writes(i))
            })
        }
    )*};
}
macro_rules! with_immediate {
    ($($name:ident $change:ident $writes:expr;)*) => {$(
        #[doc = concat!("CSR access: ", stringify!($change), ", with an immediate.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            e.helper(i, |core, i| access(core, i, Change::$change, u64::from(i.rs1), $writes(i)))
        }
    )*};
}
fn always(_: &Insn) -> bool {
    true
}
/// `csrrs` and `csrrc` with `x0` (or the immediate 0) do not write, not even the same value.
fn with_operand(i: &Insn) -> bool {
    i.rs1 != 0
}
with_register! { csrrw Write always; csrrs Set with_operand; csrrc Clear with_operand; }
with_immediate! { csrrwi Write always; csrrsi Set with_operand; csrrci Clear with_operand; }
