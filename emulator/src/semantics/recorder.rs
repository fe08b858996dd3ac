//! An engine that notes what a body does, and the test that what isa's table says of each instruction is so.
//!
//! It works with numbers, but only addresses are right: other operations give any value. Nothing stops but what a helper
//! refuses, which every exception that depends on the hart's state is.

use super::engine::{Amo, Engine, FloatFn, HelperFn, Surroundings, Width};
use super::{aligned, body_of};
use crate::hart::Hart;
use crate::softfloat::Round;
use core::cell::Cell;
use isa::csr::{Csr, menvcfg, mstatus};
use isa::insn::{Insn, Op};
use isa::{Effect, EndsBlock, Privilege, Trap, VirtAddr};
use std::collections::BTreeSet;

/// What a body has done.
#[derive(Default)]
struct Noted {
    /// It has asked for something that can raise an exception, or raised one.
    may_trap: bool,
    /// The cache blocks that it has accessed.
    blocks: BTreeSet<u64>,
    asks_place: Cell<bool>,
    /// It goes elsewhere, or changes what holds for a block.
    leaves: bool,
    writes_csr: bool,
}

struct Recorder {
    hart: Hart,
    noted: Noted,
}

/// A CSR that no hart has.
const NO_CSR: Csr = Csr(0x7ff);
const PC: u64 = 0x8000_0000;

impl Recorder {
    fn access(&mut self, addr: u64) {
        self.noted.may_trap = true;
        self.noted.blocks.insert(addr / 64);
    }
    fn ask_place(&self) {
        self.noted.asks_place.set(true);
    }
}

impl Surroundings for Recorder {
    fn hart(&self) -> &Hart {
        &self.hart
    }
    fn hart_mut(&mut self) -> &mut Hart {
        &mut self.hart
    }
    fn pc(&self) -> u64 {
        self.ask_place();
        PC
    }
    fn set_x(&mut self, _: u8, _: u64) {}
    fn read_csr(&self, csr: Csr) -> Option<u64> {
        self.ask_place();
        (csr != NO_CSR).then_some(0)
    }
    fn write_csr(&mut self, _: Csr, _: u64) -> Option<()> {
        self.ask_place();
        self.noted.writes_csr = true;
        Some(())
    }
    fn return_to(&mut self, _: u64) {
        self.noted.leaves = true;
    }
    fn wait_for_interrupt(&mut self) {
        self.noted.leaves = true;
    }
    fn end_turn(&mut self) {
        self.noted.leaves = true;
    }
    fn fence_translations(&mut self, _: Option<VirtAddr>, _: Option<u64>) {
        self.noted.leaves = true;
    }
}

/// Operations that give any value.
macro_rules! any_value {
    ($($name:ident)*) => {$(
        fn $name(&mut self, a: u64, b: u64) -> u64 {
            a ^ b
        }
    )*};
}
macro_rules! any_value_of_one {
    ($($name:ident)*) => {$(
        fn $name(&mut self, a: u64) -> u64 {
            !a
        }
    )*};
}
macro_rules! comparisons {
    ($($name:ident)*) => {$(
        fn $name(&mut self, a: u64, b: u64) -> bool {
            a == b
        }
    )*};
}

impl Engine for Recorder {
    type Val = u64;
    type Cond = bool;
    type Rounding = Round;
    type Stop = ();

    fn x(&mut self, r: u8) -> u64 {
        self.hart.x[usize::from(r)]
    }
    fn set_x(&mut self, _: u8, _: u64) {}
    fn pc(&mut self) -> u64 {
        self.ask_place();
        PC
    }
    fn imm(&mut self, value: i64) -> u64 {
        value.cast_unsigned()
    }
    fn jump(&mut self, _: u64) {
        self.noted.leaves = true;
    }
    fn branch(&mut self, _: &Insn, _: bool, _: i64) {
        // A branch that is taken starts from its own address.
        self.ask_place();
        self.noted.leaves = true;
    }
    fn aligned_target(&mut self, _: bool, _: u64) -> Result<(), ()> {
        self.noted.may_trap = true;
        Ok(())
    }
    fn helper(&mut self, i: &Insn, f: HelperFn) -> Result<(), ()> {
        f(self, i).map_err(|Trap { .. }| self.noted.may_trap = true)
    }
    fn illegal(&mut self, _: &Insn) -> Result<(), ()> {
        self.noted.may_trap = true;
        Err(())
    }
    fn load(&mut self, addr: u64, _: Width) -> Result<u64, ()> {
        self.access(addr);
        Ok(addr)
    }
    fn store(&mut self, addr: u64, _: Width, _: u64) -> Result<(), ()> {
        self.access(addr);
        Ok(())
    }
    fn load_reserved(&mut self, addr: u64, width: Width) -> Result<u64, ()> {
        self.load(addr, width)
    }
    fn store_conditional(&mut self, addr: u64, width: Width, _: u64) -> Result<u64, ()> {
        self.load(addr, width)
    }
    fn amo(&mut self, _: Amo, addr: u64, width: Width, _: u64) -> Result<u64, ()> {
        self.load(addr, width)
    }
    fn manage_block(&mut self, addr: u64) -> Result<(), ()> {
        self.access(addr);
        Ok(())
    }
    fn add(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
    fn and(&mut self, a: u64, b: u64) -> u64 {
        a & b
    }
    any_value! {
        sub mul mulh mulhsu mulhu div divu rem remu or xor sll srl sra clmul clmulh
    }
    any_value_of_one! { clz ctz cpop swap_bytes }
    comparisons! { eq ne lt ge ltu geu }
    fn sext(&mut self, a: u64, _: Width) -> u64 {
        a
    }
    fn zext(&mut self, a: u64, _: Width) -> u64 {
        a
    }
    fn both(&mut self, a: bool, b: bool) -> bool {
        a & b
    }
    fn select(&mut self, cond: bool, yes: u64, no: u64) -> u64 {
        if cond { yes } else { no }
    }
    fn flag(&mut self, cond: bool) -> u64 {
        u64::from(cond)
    }
    fn fp_enabled(&mut self, _: &Insn) -> Result<(), ()> {
        self.noted.may_trap = true;
        Ok(())
    }
    fn rounding(&mut self, _: &Insn) -> Result<Round, ()> {
        self.noted.may_trap = true;
        Ok(Round::NearestEven)
    }
    fn f(&mut self, r: u8) -> u64 {
        u64::from(r)
    }
    fn f32(&mut self, r: u8) -> u64 {
        u64::from(r)
    }
    fn set_f(&mut self, _: u8, _: u64) {}
    fn set_f32(&mut self, _: u8, _: u64) {}
    fn float<const N: usize>(&mut self, _: FloatFn<N>, operands: [u64; N], _: Round) -> u64 {
        operands[0]
    }
    fn rounding_unused(&mut self) -> Round {
        Round::NearestEven
    }
}

macro_rules! bodies {
    ($($op:ident $function:ident $mnemonic:literal $format:ident $extension:ident $effect:ident $bits:literal;)*) => {
        fn run(e: &mut Recorder, i: &Insn) -> Result<(), ()> {
            match i.op { $(Op::$op => body_of!($extension $function)(e, i),)* }
        }
    };
}
isa::for_each_insn!(bodies);

/// The body of a jump where targets must be multiples of four.
fn run_aligned(e: &mut Recorder, i: &Insn) -> Result<(), ()> {
    match i.op {
        Op::Jal => aligned::jal(e, i),
        Op::Jalr => aligned::jalr(e, i),
        Op::Beq => aligned::beq(e, i),
        Op::Bne => aligned::bne(e, i),
        Op::Blt => aligned::blt(e, i),
        Op::Bge => aligned::bge(e, i),
        Op::Bltu => aligned::bltu(e, i),
        Op::Bgeu => aligned::bgeu(e, i),
        other => unreachable!("{other:?} does not jump"),
    }
}

/// Runs a body.
type Body = fn(&mut Recorder, &Insn) -> Result<(), ()>;

/// A hart in each mode, with everything that a mode above can forbid allowed or forbidden.
fn harts() -> Vec<Hart> {
    let mut harts = Vec::new();
    for privilege in [Privilege::User, Privilege::Supervisor, Privilege::Machine] {
        for forbidden in [false, true] {
            let mut hart = Hart::new(0, "1".parse().expect("a geometry"));
            hart.privilege = privilege;
            hart.x = std::array::from_fn(|n| 0x8000_1000 + 0x108 * n as u64);
            hart.reservation = Some(0x8000_0000);
            if forbidden {
                hart.csr.mstatus |= mstatus::TVM | mstatus::TW | mstatus::TSR;
            } else {
                let allowed = menvcfg::CBIE | menvcfg::CBCFE | menvcfg::CBZE;
                (hart.csr.menvcfg, hart.csr.senvcfg) = (allowed, allowed);
            }
            harts.push(hart);
        }
    }
    harts
}

/// An instruction with operands of every kind that makes a difference.
fn forms(op: Op) -> Vec<Insn> {
    let form = |rs1, imm| Insn { rd: 1, rs1, rs2: 3, imm, ..Insn::blank(op) };
    match op.effect() {
        Effect::Csr => [Csr::MSCRATCH, Csr::SATP, NO_CSR]
            .into_iter()
            .flat_map(|csr| [form(0, csr.0.into()), form(2, csr.0.into())])
            .collect(),
        Effect::Fence => vec![form(0, 0x10), form(0, 0xff)],
        _ => vec![form(0, 6), form(2, 6)],
    }
}

/// What only orders: a block ends after it, and nothing of that can be seen.
const ONLY_ORDER: [Op; 3] = [Op::FenceI, Op::SfenceWInval, Op::SfenceInvalIr];

#[test]
fn the_table_says_what_bodies_do() {
    let harts = harts();
    for &op in Op::ALL {
        let effect = op.effect();
        let (mut may_trap, mut asks_place, mut leaves, mut accesses) = (false, false, false, 0);
        let mut always_traps = true;
        let mut bodies: Vec<Body> = vec![run];
        if effect == Effect::Jump {
            bodies.push(run_aligned);
        }
        for (insn, body) in forms(op).iter().flat_map(|insn| bodies.iter().map(move |body| (insn, body))) {
            for hart in &harts {
                let mut recorder = Recorder { hart: hart.clone(), noted: Noted::default() };
                let done = body(&mut recorder, insn).is_ok();
                let noted = recorder.noted;
                may_trap |= noted.may_trap;
                asks_place |= noted.asks_place.get();
                leaves |= noted.leaves;
                accesses = accesses.max(noted.blocks.len());
                always_traps &= !done;
                match effect.ends_block() {
                    EndsBlock::Never => assert!(!noted.leaves && !noted.writes_csr, "{insn:?}"),
                    EndsBlock::Always => {}
                    EndsBlock::AsPause => assert_eq!(noted.leaves, insn.is_pause(), "{insn:?}"),
                    EndsBlock::ByCsr if done => assert_eq!(noted.writes_csr, insn.writes_csr(), "{insn:?}"),
                    EndsBlock::ByCsr => assert!(!noted.writes_csr, "{insn:?}"),
                }
            }
        }
        let name = op.name();
        assert_eq!(effect.may_trap(), may_trap, "{name} may trap");
        assert_eq!(effect.asks_place(), asks_place, "{name} asks its place");
        assert_eq!(usize::from(effect.accesses()), accesses, "accesses of {name}");
        if effect.ends_block() == EndsBlock::Always {
            assert_eq!(leaves || always_traps, !ONLY_ORDER.contains(&op), "{name} ends a block");
        }
    }
}
