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

fn access(core: &mut dyn Surroundings, i: &Insn, change: Change, operand: u64) -> Result<(), Trap> {
    let illegal = Trap::illegal(i.bits);
    let old = core.read_csr(i.csr()).ok_or(illegal)?;
    if i.writes_csr() {
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
    ($($name:ident $change:ident;)*) => {$(
        #[doc = concat!("CSR access: ", stringify!($change), ", with a register.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            e.helper(i, |core, i| {
                let operand = core.hart().x[usize::from(i.rs1)];
                access(core, i, Change::$change, operand)
            })
        }
    )*};
}
macro_rules! with_immediate {
    ($($name:ident $change:ident;)*) => {$(
        #[doc = concat!("CSR access: ", stringify!($change), ", with an immediate.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            e.helper(i, |core, i| access(core, i, Change::$change, u64::from(i.rs1)))
        }
    )*};
}
with_register! { csrrw Write; csrrs Set; csrrc Clear; }
with_immediate! { csrrwi Write; csrrsi Set; csrrci Clear; }
