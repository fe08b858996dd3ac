//! Zicbom and Zicboz: operations on cache blocks of 64 bytes (unprivileged manual, chapter "CMO").
//!
//! There is no cache, so management only checks that the block may be accessed. `menvcfg` and `senvcfg` decide
//! whether lower modes may use them. (The prefetches of Zicbop are hints in the encoding of `ori`.)

use super::engine::{Engine, Surroundings, Width};
use isa::csr::menvcfg;
use isa::insn::Insn;
use isa::{Privilege, Trap};

/// Bytes of a cache block (Zic64b).
const BLOCK_BYTES: i64 = 64;

/// Illegal in a mode below M unless a bit of `field` is set in `menvcfg`, and in U-mode also in `senvcfg`.
fn require(core: &dyn Surroundings, i: &Insn, field: u64) -> Result<(), Trap> {
    let hart = core.hart();
    let machine = hart.privilege == Privilege::Machine || hart.csr.menvcfg & field != 0;
    let supervisor = hart.privilege != Privilege::User || hart.csr.senvcfg & field != 0;
    if machine && supervisor { Ok(()) } else { Err(Trap::illegal(i.bits)) }
}

macro_rules! management {
    ($($(#[$doc:meta])* $name:ident $field:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            e.helper(i, |core, i| require(core, i, menvcfg::$field))?;
            let addr = e.x(i.rs1);
            e.manage_block(addr)
        }
    )*};
}
management! {
    /// Writes the block back to memory.
    cbo_clean CBCFE;
    /// Writes the block back and forgets it.
    cbo_flush CBCFE;
    /// Forgets the block (or flushes it, which is the same here).
    cbo_inval CBIE;
}

/// Stores zeros to the whole block that holds the address, a word at a time: PMP may divide the block no finer.
pub fn cbo_zero<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| require(core, i, menvcfg::CBZE))?;
    let (addr, mask, zero) = (e.x(i.rs1), e.imm(-BLOCK_BYTES), e.imm(0));
    let block = e.and(addr, mask);
    for offset in (0..BLOCK_BYTES).step_by(4) {
        let offset = e.imm(offset);
        let place = e.add(block, offset);
        e.store(place, Width::Word, zero)?;
    }
    Ok(())
}
