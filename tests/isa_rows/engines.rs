//! The engines that every row runs on, and the bridge between [`State`] and the machine's own types.

use std::ops::ControlFlow;

use emulator::exec::{CodeCache, Exec, Exit, Observer, Options};
use emulator::hart::{Counters, CsrFile, Hart};
use emulator::mem::pmp::Pmp;
use emulator::mem::ram::Ram;
use emulator::mem::tlb::{Tlb, TlbGeometry};
use isa::csr::{Csr, mstatus};
use isa::{PhysAddr, Step};

use crate::no_devices::NoDevices;
use crate::random_values::Random;
use crate::row::Row;
use crate::state::{CSRS, RAM_BASE, RAM_BYTES, State};

/// A way to run instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The interpreter over decoded blocks.
    Blocks,
    /// The same with blocks of one instruction.
    SingleInstructions,
    /// The interpreter that tells an observer.
    Observed,
    /// One call for each instruction.
    Stepped,
    /// Decoded code is dropped every few instructions, after a number of them made by chance.
    CodeDropped,
    /// The same, with the hart saved and loaded.
    Reloaded,
}

impl Engine {
    pub const ALL: [Engine; 6] = [
        Self::Blocks,
        Self::SingleInstructions,
        Self::Observed,
        Self::Stepped,
        Self::CodeDropped,
        Self::Reloaded,
    ];

    /// How many instructions it runs at once, of those that are left.
    fn portion(self, left: u64, random: &mut Random) -> u64 {
        match self {
            Self::Stepped => 1,
            Self::CodeDropped | Self::Reloaded => left.min(1 + random.below(6)),
            _ => left,
        }
    }
}

/// How a row ended on an engine.
pub struct Outcome {
    pub state: State,
    /// Everything of the hart, the TLB model and its counts included, as it would be saved.
    pub saved: Vec<u8>,
    /// What a row cannot mention and must not change.
    pub untouched: bool,
    pub steps: u64,
    pub exit: Exit,
}

/// A hart and its memory, used for one row after the other: making them costs more than most rows.
pub struct Bench {
    engine: Engine,
    hart: Hart,
    ram: Ram,
    code: CodeCache,
    options: Options,
    tlb: TlbGeometry,
    /// Where code is dropped.
    random: Random,
}

impl Bench {
    /// A bench whose hart has a TLB of this geometry.
    pub fn new(engine: Engine, tlb: &str) -> Bench {
        let mut options = Options::default();
        if engine == Engine::SingleInstructions {
            options.block_limit = 1;
        }
        let tlb = tlb.parse().unwrap();
        let (hart, ram) = (Hart::new(0, tlb), Ram::new(RAM_BYTES));
        Bench { engine, hart, ram, code: CodeCache::new(), options, tlb, random: Random(1) }
    }

    pub fn run(&mut self, row: &Row) -> Outcome {
        self.reset(&row.before);
        let before = saved(&self.hart);
        let mut platform = NoDevices;
        let (mut now, end) = (Step(0), row.insns.len() as u64);
        let mut exit = Exit::Deadline;
        while now.0 < end && exit == Exit::Deadline {
            let until = Step(now.0 + self.engine.portion(end - now.0, &mut self.random));
            let exec = Exec {
                hart: &mut self.hart,
                code: &mut self.code,
                ram: &mut self.ram,
                platform: &mut platform,
                options: &self.options,
                checks: None,
            };
            exit = match self.engine {
                Engine::Observed => exec.run_observed(&mut now, until, &mut Idle),
                _ => exec.run(&mut now, until),
            };
            match self.engine {
                // At a row's end there is nothing left to differ, but the lines of `mip` would be asked for again.
                _ if now.0 == end => {}
                Engine::CodeDropped => self.code.clear(&mut self.ram),
                Engine::Reloaded => {
                    self.hart = postcard::from_bytes(&saved(&self.hart)).unwrap();
                    self.code = CodeCache::new();
                    self.code.clear(&mut self.ram);
                }
                _ => {}
            }
        }
        let state = state_of(&self.hart, &self.ram);
        let after = saved(&self.hart);
        // With everything put back that a row compares, and what it cannot know (TLB, counts, reservation),
        // nothing must be left that differs.
        set_hart(&mut self.hart, &row.before, self.tlb);
        Outcome { untouched: saved(&self.hart) == before, state, saved: after, steps: now.0, exit }
    }

    fn reset(&mut self, state: &State) {
        assert!(self.ram.write(PhysAddr(RAM_BASE), &state.memory));
        self.code.clear(&mut self.ram);
        set_hart(&mut self.hart, state, self.tlb);
        // Counters and what is not kept here are as after a reset.
        for csr in [Csr::MINSTRET, Csr::MCYCLE, Csr::MCOUNTINHIBIT, Csr::SENVCFG] {
            assert_eq!(self.hart.csr_value(csr, 0), Some(state.csr(csr)), "a row cannot set {csr}");
        }
    }
}

fn saved(hart: &Hart) -> Vec<u8> {
    postcard::to_allocvec(hart).unwrap()
}

/// Puts a state into a hart, whose TLB, counts and reservation become those after a reset.
fn set_hart(hart: &mut Hart, state: &State, tlb: TlbGeometry) {
    (hart.x, hart.f, hart.pc, hart.privilege) = (state.x, state.f, state.pc, state.privilege);
    let get = |csr| state.csr(csr);
    hart.csr = CsrFile {
        mstatus: get(Csr::MSTATUS) & !(mstatus::XLEN_64 | mstatus::SD),
        fflags: (get(Csr::FCSR) & 0x1f) as u8,
        frm: (get(Csr::FCSR) >> 5 & 7) as u8,
        mtvec: get(Csr::MTVEC),
        mepc: get(Csr::MEPC),
        mcause: get(Csr::MCAUSE),
        mtval: get(Csr::MTVAL),
        mscratch: get(Csr::MSCRATCH),
        medeleg: get(Csr::MEDELEG),
        mideleg: get(Csr::MIDELEG),
        mie: get(Csr::MIE),
        mip_software: get(Csr::MIP),
        mcounteren: get(Csr::MCOUNTEREN),
        menvcfg: get(Csr::MENVCFG),
        stvec: get(Csr::STVEC),
        sepc: get(Csr::SEPC),
        scause: get(Csr::SCAUSE),
        stval: get(Csr::STVAL),
        sscratch: get(Csr::SSCRATCH),
        scounteren: get(Csr::SCOUNTEREN),
        senvcfg: get(Csr::SENVCFG),
        stimecmp: get(Csr::STIMECMP),
        satp: get(Csr::SATP),
        ..CsrFile::default()
    };
    hart.pmp = Pmp::default();
    for n in 0..3 {
        hart.pmp.write_addr(n, get(Csr(Csr::PMPADDR0.0 + n as u16)));
    }
    hart.pmp.write_config(0, get(Csr::PMPCFG0));
    hart.counters = Counters::default();
    (hart.itlb, hart.dtlb) = (Tlb::new(tlb), Tlb::new(tlb));
    (hart.reservation, hart.waiting) = (None, false);
    hart.set_isa(state.isa);
    hart.write_misa(get(Csr::MISA), true);
    hart.rebuild();
}

fn state_of(hart: &Hart, ram: &Ram) -> State {
    let csrs = CSRS.into_iter().map(|(csr, _)| (csr, hart.csr_value(csr, 0).unwrap()));
    State {
        privilege: hart.privilege,
        pc: hart.pc,
        x: hart.x,
        f: hart.f,
        csrs: csrs.collect(),
        isa: hart.isa,
        memory: ram.slice(PhysAddr(RAM_BASE), RAM_BYTES).unwrap().to_vec(),
    }
}

/// An observer that lets everything pass.
struct Idle;

impl Observer for Idle {
    fn before(&mut self, _: &Hart, _: Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
