//! Harts with different extensions that share decoded code, and `misa` written while it runs.

use super::*;
use isa::{Exception, IsaSet};

const MTVEC: u64 = RAM_BASE.0 + 0x100;

fn rig(program: &[&str]) -> Rig {
    let mut rig = Rig::new(program);
    rig.put(MTVEC, &["j ."]);
    rig.hart.csr.mtvec = MTVEC;
    rig
}

#[test]
fn code_is_decoded_for_the_hart_that_runs_it() {
    let mut rig = rig(&["addi a0, zero, 3", "mul a0, a0, a0", "j ."]);
    let mut other = rig.hart.clone();
    other.set_isa(IsaSet::parse("rv64i").expect("it is one"));
    for (round, square) in [(0, 9), (1, 3), (2, 9), (3, 3)] {
        let (start, trapped) = (rig.hart.clone(), square == 3);
        let until = rig.now.0 + 3;
        assert_eq!(rig.run(until), Exit::Deadline);
        assert_eq!(rig.hart.x[A0], square, "round {round}");
        let illegal = u64::from(Exception::IllegalInstruction.code());
        assert_eq!(rig.hart.csr.mcause == illegal && rig.hart.csr.mepc == RAM_BASE.0 + 4, trapped);
        rig.hart = core::mem::replace(&mut other, start);
    }
}

/// A loop that squares, switches M off, and comes back to the block that squared: now it traps.
#[test]
fn a_block_that_ran_is_not_run_again_without_its_extension() {
    let program = ["addi a1, a1, 1", "mul a0, a1, a1", "csrrc zero, misa, a2", "j .-12"];
    for limit in [1, 64] {
        let mut rig = rig(&program);
        rig.options.block_limit = limit;
        rig.hart.x[A0 + 2] = 1 << (b'M' - b'A');
        assert_eq!(rig.run(10), Exit::Deadline);
        assert_eq!((rig.hart.x[A0], rig.hart.x[A0 + 1]), (1, 2));
        assert_eq!((rig.hart.csr.mepc, rig.hart.pc), (RAM_BASE.0 + 4, MTVEC));
        assert_eq!(rig.hart.counters.instret(0), 9, "one of ten has trapped");
    }
}
