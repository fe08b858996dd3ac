//! The commit log: one line for each instruction that retires, with all that it has written, and the traps, in the
//! format of Spike (`spike -l --log-commits`, without the lines of `-l` that disassemble). Two logs of one program can
//! be compared with `diff`.
//!
//! ```text
//! core   0: 3 0x0000000080000022 (0x00a3b423) mem 0x0000000080001008 0x3ff0000000000001
//! core   0: 3 0x0000000080000052 (0xc200f7d3) c1_fflags 0x0000000000000001 x15 0x0000000000000001
//! core   0: exception trap_illegal_instruction, epc 0x00000000800000cc
//! core   0:           tval 0x00000000ffffffff
//! ```
//!
//! A [`CommitLog`] is an [`Observer`]: what an instruction has written follows from its operands and the hart after it;
//! what was accessed and which flags were raised it is told.

use crate::exec::{MemoryAccess, Observer};
use crate::hart::Hart;
use core::fmt::Write;
use core::ops::ControlFlow;
use isa::csr::{Csr, mstatus};
use isa::insn::{Insn, Op, Operand};
use isa::paging::Access;
use isa::{Exception, Extension, Interrupt, Privilege, Step, Trap, VirtAddr};

/// Writes the log of what it observes to `out`.
///
/// A writer that fails ends the log, not the run: whoever owns the writer knows.
pub struct CommitLog<W> {
    out: W,
    line: String,
    /// The hart before the instruction.
    before: Before,
    accesses: Vec<MemoryAccess>,
    /// The instruction has raised floating-point flags, be they new or not.
    raised: bool,
    /// Traps are written too.
    traps: bool,
}

struct Before {
    privilege: Privilege,
    mstatus: u64,
    mip: u64,
    misa: u64,
    x: [u64; 32],
}

impl<W: Write> CommitLog<W> {
    /// A log that writes to `out`.
    pub fn new(out: W) -> Self {
        let before = Before { privilege: Privilege::Machine, mstatus: 0, mip: 0, misa: 0, x: [0; 32] };
        Self { out, line: String::new(), before, accesses: Vec::new(), raised: false, traps: true }
    }
    /// A log of instructions only, as Spike writes it with `--log-commits` and without `-l`.
    pub fn without_traps(out: W) -> Self {
        Self { traps: false, ..Self::new(out) }
    }
    /// Where the log goes.
    pub fn writer(&self) -> &W {
        &self.out
    }
    /// Where the log goes.
    pub fn writer_mut(&mut self) -> &mut W {
        &mut self.out
    }
    /// Ends the log.
    pub fn into_writer(self) -> W {
        self.out
    }

    fn begin(&mut self, hart: &Hart) {
        self.line.clear();
        self.line.push_str("core");
        // As "%4d".
        let id = hart.id;
        let _ = write!(self.line, "{id:>4}: ");
    }
    fn end(&mut self) {
        self.line.push('\n');
        // The owner of the writer keeps its failure.
        let _ = self.out.write_str(&self.line);
    }
    fn forget(&mut self) {
        self.accesses.clear();
        self.raised = false;
    }

    fn push_writes(&mut self, hart: &Hart, insn: &Insn) {
        // Floating-point registers are as wide as the widest format that is switched on.
        let float_bytes = if hart.enabled().contains(Extension::D) { 8 } else { 4 };
        for write in &self.writes(hart, insn).0 {
            match write.what {
                Written::X(n) => push_register(&mut self.line, 'x', n),
                Written::F(n) => push_register(&mut self.line, 'f', n),
                Written::Csr(MVIP) => {
                    let _ = write!(self.line, " c{}_mvip ", MVIP.0);
                }
                Written::Csr(csr) => {
                    let _ = write!(self.line, " c{}_{csr} ", csr.0);
                }
            }
            let bytes = if matches!(write.what, Written::F(_)) { float_bytes } else { 8 };
            push_hex(&mut self.line, write.value, bytes);
        }
    }

    /// What the instruction has written to registers.
    fn writes(&self, hart: &Hart, insn: &Insn) -> Writes {
        let mut writes = Writes::default();
        let csr_writes = is_csr_write(insn);
        if csr_writes && (insn.csr() != Csr::MISA || !self.misa_is_kept(hart, insn)) {
            self.csr_writes(hart, insn.csr(), &mut writes);
        }
        let mut float = false;
        for operand in insn.op.format().operands() {
            match operand {
                Operand::Rd if insn.rd != 0 => {
                    writes.insert(Written::X(insn.rd), hart.x[usize::from(insn.rd)]);
                }
                Operand::FRd => {
                    writes.insert(Written::F(insn.rd), hart.f[usize::from(insn.rd)]);
                    float = true;
                }
                _ => {}
            }
        }
        if !csr_writes && (float || self.raised) && self.before.mstatus & mstatus::FS != mstatus::FS_DIRTY {
            writes.insert(Written::Csr(Csr::MSTATUS), hart.csr.mstatus());
        }
        if self.raised {
            writes.insert(Written::Csr(Csr::FFLAGS), u64::from(hart.csr.fflags));
        }
        if matches!(insn.op, Op::Mret | Op::Sret) {
            writes.insert(Written::Csr(Csr::MSTATUS), hart.csr.mstatus());
        }
        writes
    }

    /// Whether a write of `misa` has been ignored: it had switched C off, but for the next instruction's address.
    fn misa_is_kept(&self, hart: &Hart, insn: &Insn) -> bool {
        let (old, operand) = (self.before.misa, self.before.x[usize::from(insn.rs1)]);
        let value = match insn.op {
            Op::Csrrw => operand,
            Op::Csrrwi => u64::from(insn.rs1),
            Op::Csrrc => old & !operand,
            Op::Csrrci => old & !u64::from(insn.rs1),
            Op::Csrrsi => old | u64::from(insn.rs1),
            _ => old | operand,
        };
        let c = |misa: u64| misa >> (b'C' - b'A') & 1 == 1;
        c(hart.enabled().misa()) && !c(value)
    }

    /// A write to a CSR as Spike shows it: views by what lies behind them, registers that keep their value not at all.
    fn csr_writes(&self, hart: &Hart, csr: Csr, writes: &mut Writes) {
        let mut put = |csr| {
            if let Some(value) = hart.csr_value(csr, 0) {
                writes.insert(Written::Csr(csr), value);
            }
        };
        let float_was_clean = self.before.mstatus & mstatus::FS != mstatus::FS_DIRTY;
        match csr {
            Csr::FFLAGS | Csr::FRM | Csr::FCSR if float_was_clean => put(Csr::MSTATUS),
            _ => {}
        }
        match csr {
            Csr::FCSR => [Csr::FRM, Csr::FFLAGS].into_iter().for_each(put),
            Csr::SSTATUS => put(Csr::MSTATUS),
            Csr::SIE => [Csr::MIE, Csr::SIE].into_iter().for_each(put),
            Csr::MIP | Csr::SIP => {
                // The delegation alias `mvip`, which Folio does not have, is shown by Spike all the same.
                let value = self.before.mip & (SSIP | STIP) | hart.csr.mip_software & SEIP;
                writes.insert(Written::Csr(MVIP), value);
                writes.insert(Written::Csr(Csr::MIP), hart.csr.mip());
            }
            Csr::TSELECT | Csr::TDATA1 | Csr::TDATA2 | Csr::TDATA3 => {}
            Csr(address) if locked(hart, address.wrapping_sub(Csr::PMPADDR0.0)) => {}
            Csr(counter) if (Csr::MHPMCOUNTER3.0..=LAST_MHPMCOUNTER).contains(&counter) => {}
            _ => put(csr),
        }
    }
}

const SSIP: u64 = Interrupt::SupervisorSoftware.mask();
const STIP: u64 = Interrupt::SupervisorTimer.mask();
const SEIP: u64 = Interrupt::SupervisorExternal.mask();
const MVIP: Csr = Csr(0x309);
const LAST_MHPMCOUNTER: u16 = Csr::MHPMCOUNTER3.0 + 28;

/// Whether `pmpaddr` of this number keeps its value: locked by its own entry or by the next one's range, or always zero.
fn locked(hart: &Hart, n: u16) -> bool {
    const LOCK: u64 = 0x80;
    const LOCK_AND_TOR: u64 = 0x88;
    let config = |n: u16| {
        let configs = hart.csr_value(Csr(Csr::PMPCFG0.0 + n / 8 * 2), 0).unwrap_or(0);
        configs >> (n % 8 * 8) & 0xff
    };
    match n {
        0..16 => config(n) & LOCK != 0 || n < 15 && config(n + 1) & (LOCK | 0x18) == LOCK_AND_TOR,
        _ => n < 64,
    }
}

fn is_csr_write(insn: &Insn) -> bool {
    match insn.op {
        Op::Csrrw | Op::Csrrwi => true,
        Op::Csrrs | Op::Csrrc | Op::Csrrsi | Op::Csrrci => insn.rs1 != 0,
        _ => false,
    }
}

impl<W: Write> Observer for CommitLog<W> {
    fn before(&mut self, hart: &Hart, _: Step) -> ControlFlow<()> {
        self.before = Before {
            privilege: hart.privilege,
            mstatus: hart.csr.mstatus,
            mip: hart.csr.mip_software,
            misa: hart.enabled().misa(),
            x: hart.x,
        };
        self.forget();
        ControlFlow::Continue(())
    }

    fn memory(&mut self, access: MemoryAccess) {
        self.accesses.push(access);
    }

    fn float_flags(&mut self, _: u8) {
        self.raised = true;
    }

    fn retired(&mut self, hart: &Hart, _: Step, pc: VirtAddr, insn: &Insn) {
        self.begin(hart);
        self.line.push(char::from(b'0' + self.before.privilege as u8));
        self.line.push(' ');
        push_hex(&mut self.line, pc.0, 8);
        self.line.push_str(" (");
        push_hex(&mut self.line, u64::from(insn.bits), insn.len);
        self.line.push(')');
        self.push_writes(hart, insn);
        for access in &self.accesses {
            // Spike zeroes a block byte by byte.
            let bytes = access.width_bytes;
            let (parts, bytes) = if insn.op == Op::CboZero { (bytes, 1) } else { (1, bytes) };
            for part in 0..u64::from(parts) {
                self.line.push_str(" mem ");
                push_hex(&mut self.line, access.va.wrapping_add(part).0, 8);
                if access.access == Access::Store {
                    self.line.push(' ');
                    push_hex(&mut self.line, access.value, bytes);
                }
            }
        }
        self.end();
        self.forget();
    }

    fn exception(&mut self, hart: &Hart, _: Step, pc: VirtAddr, trap: Trap) {
        self.forget();
        if !self.traps {
            return;
        }
        self.begin(hart);
        let _ = write!(self.line, "exception {}, epc ", trap_name(trap.exception));
        push_hex(&mut self.line, pc.0, 8);
        self.end();
        if !matches!(trap.exception, Exception::EcallU | Exception::EcallS | Exception::EcallM) {
            self.begin(hart);
            self.line.push_str("          tval ");
            push_hex(&mut self.line, trap.tval, 8);
            self.end();
        }
    }

    fn interrupt(&mut self, hart: &Hart, _: Step, pc: VirtAddr, interrupt: Interrupt) {
        if !self.traps {
            return;
        }
        self.begin(hart);
        let _ = write!(self.line, "exception interrupt #{}, epc ", interrupt.code());
        push_hex(&mut self.line, pc.0, 8);
        self.end();
    }
}

/// Spike's name of an exception.
const fn trap_name(exception: Exception) -> &'static str {
    match exception {
        Exception::InstructionMisaligned => "trap_instruction_address_misaligned",
        Exception::InstructionAccess => "trap_instruction_access_fault",
        Exception::IllegalInstruction => "trap_illegal_instruction",
        Exception::Breakpoint => "trap_breakpoint",
        Exception::LoadMisaligned => "trap_load_address_misaligned",
        Exception::LoadAccess => "trap_load_access_fault",
        Exception::StoreMisaligned => "trap_store_address_misaligned",
        Exception::StoreAccess => "trap_store_access_fault",
        Exception::EcallU => "trap_user_ecall",
        Exception::EcallS => "trap_supervisor_ecall",
        Exception::EcallM => "trap_machine_ecall",
        Exception::InstructionPage => "trap_instruction_page_fault",
        Exception::LoadPage => "trap_load_page_fault",
        Exception::StorePage => "trap_store_page_fault",
    }
}

/// As " %c%-2d ".
fn push_register(line: &mut String, prefix: char, n: u8) {
    line.push(' ');
    line.push(prefix);
    if n >= 10 {
        line.push(char::from(b'0' + n / 10));
    }
    line.push(char::from(b'0' + n % 10));
    line.push_str(if n >= 10 { " " } else { "  " });
}

/// `0x` and all digits of a number of `bytes` bytes.
fn push_hex(line: &mut String, value: u64, bytes: u8) {
    line.push_str("0x");
    for digit in (0..u32::from(bytes) * 2).rev() {
        let nibble = u32::try_from(value >> (4 * digit) & 0xf).expect("four bits");
        line.push(char::from_digit(nibble, 16).expect("a digit"));
    }
}

/// A register that has been written.
#[derive(Clone, Copy)]
enum Written {
    X(u8),
    F(u8),
    Csr(Csr),
}

impl Written {
    /// Spike's key of the register.
    fn key(self) -> u32 {
        match self {
            Self::X(n) => u32::from(n) << 4,
            Self::F(n) => u32::from(n) << 4 | 1,
            Self::Csr(csr) => u32::from(csr.0) << 4 | 4,
        }
    }
}

struct RegisterWrite {
    what: Written,
    value: u64,
}

/// The registers that an instruction has written, in the order in which Spike lists them: that of its keys.
#[derive(Default)]
struct Writes(Vec<RegisterWrite>);

impl Writes {
    fn insert(&mut self, what: Written, value: u64) {
        match self.0.binary_search_by_key(&what.key(), |write| write.what.key()) {
            Ok(known) => self.0[known].value = value,
            Err(at) => self.0.insert(at, RegisterWrite { what, value }),
        }
    }
}
