//! A: load-reserved, store-conditional and atomic memory operations (unprivileged manual, chapter "A").
//!
//! `aq` and `rl` need nothing: each hart sees memory in program order.

use super::engine::{Amo, Engine, Width};
use isa::insn::Insn;

macro_rules! atomics {
    ($width:ident, $lr:ident $sc:ident, $($name:ident $op:ident;)*) => {
        /// Load reserved.
        pub fn $lr<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let addr = e.x(i.rs1);
            let value = e.load_reserved(addr, Width::$width)?;
            e.set_x(i.rd, value);
            Ok(())
        }
        /// Store conditional.
        pub fn $sc<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (addr, value) = (e.x(i.rs1), e.x(i.rs2));
            let failed = e.store_conditional(addr, Width::$width, value)?;
            e.set_x(i.rd, failed);
            Ok(())
        }
        $(
            #[doc = concat!("Atomic ", stringify!($op), ".")]
            pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
                let (addr, value) = (e.x(i.rs1), e.x(i.rs2));
                let old = e.amo(Amo::$op, addr, Width::$width, value)?;
                e.set_x(i.rd, old);
                Ok(())
            }
        )*
    };
}

atomics! { Word, lr_w sc_w,
    amoswap_w Swap; amoadd_w Add; amoxor_w Xor; amoand_w And; amoor_w Or;
    amomin_w Min; amomax_w Max; amominu_w MinU; amomaxu_w MaxU;
}
atomics! { Double, lr_d sc_d,
    amoswap_d Swap; amoadd_d Add; amoxor_d Xor; amoand_d And; amoor_d Or;
    amomin_d Min; amomax_d Max; amominu_d MinU; amomaxu_d MaxU;
}
