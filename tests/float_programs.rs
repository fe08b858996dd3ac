//! The state around floating-point instructions: NaN boxing, static and dynamic rounding, `mstatus.FS`, accrued flags.
//!
//! A row is a small program, the state before it and all that differs after it; registers, `fflags`, `frm` and FS that
//! the row does not name must be as they were. `illegal` says that the last instruction raises illegal instruction
//! and changes nothing. (Values and flags of the arithmetic itself: `softfloat.rs`.)

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/no_devices.rs"]
mod no_devices;

use emulator::exec::{CodeCache, Exec, Exit, Options};
use emulator::hart::Hart;
use emulator::mem::ram::Ram;
use emulator::mem::tlb::TlbGeometry;
use isa::csr::mstatus;
use isa::reg::{f_from_name, x_from_name};
use isa::{Exception, PhysAddr, Step, assemble};
use no_devices::NoDevices;

const CODE: u64 = 0x8000_0000;
const HANDLER: u64 = 0x8000_1000;
const DATA: u64 = 0x8000_2000;
const RAM_BYTES: usize = 0x4000;

/// `setup` and `after` are words `register=hex`, `frm=`, `fflags=`, `fs=off|initial|clean|dirty`, and `d[offset]=`
/// for 64 bits of memory at `a0`, which holds the address of the data page.
const ROWS: &[(&str, &str, &str)] = &[
    // A single-precision operand that is not boxed is the canonical NaN; a result is boxed.
    ("fadd.s fa0, fa1, fa2", "fa1=ffffffff3f800000 fa2=ffffffff40000000", "fa0=ffffffff40400000"),
    ("fadd.s fa0, fa1, fa2", "fa1=3f800000 fa2=ffffffff40000000", "fa0=ffffffff7fc00000"),
    ("fadd.s fa0, fa1, fa2", "fa1=fffffffe3f800000 fa2=ffffffff40000000", "fa0=ffffffff7fc00000"),
    ("fsgnj.s fa0, fa1, fa2", "fa1=3f800000 fa2=ffffffff80000000", "fa0=ffffffffffc00000"),
    ("fsgnj.s fa0, fa1, fa2", "fa1=ffffffff3f800000 fa2=80000000", "fa0=ffffffff3f800000"),
    ("fsgnjx.s fa0, fa1, fa1", "fa1=ffffffffbf800000", "fa0=ffffffff3f800000"),
    ("fmin.s fa0, fa1, fa2", "fa1=3f800000 fa2=ffffffff40000000", "fa0=ffffffff40000000"),
    ("feq.s a1, fa1, fa1", "fa1=3f800000", "a1=0"),
    ("fle.s a1, fa1, fa1", "fa1=3f800000", "a1=0 fflags=10"),
    ("fclass.s a1, fa1", "fa1=3f800000", "a1=200"),
    ("fcvt.w.s a1, fa1", "fa1=3f800000", "a1=7fffffff fflags=10"),
    ("fcvt.d.s fa0, fa1", "fa1=3f800000", "fa0=7ff8000000000000"),
    ("fmadd.s fa0, fa1, fa1, fa2", "fa1=ffffffff40000000 fa2=3f800000", "fa0=ffffffff7fc00000"),
    // Moves and stores take the bits as they are.
    ("fmv.x.w a1, fa1", "fa1=12345678bf800000", "a1=ffffffffbf800000"),
    ("fmv.w.x fa0, a1", "a1=1234567880000001", "fa0=ffffffff80000001"),
    ("fmv.x.d a1, fa1", "fa1=12345678bf800000", "a1=12345678bf800000"),
    ("fmv.d.x fa0, a1", "a1=12345678bf800000", "fa0=12345678bf800000"),
    ("fsw fa1, 8(a0)", "fa1=123456789abcdef0", "d[8]=9abcdef0"),
    ("fsd fa1, 8(a0)", "fa1=123456789abcdef0", "d[8]=123456789abcdef0"),
    ("flw fa0, 8(a0)", "d[8]=123456789abcdef0", "fa0=ffffffff9abcdef0"),
    ("fld fa0, 8(a0)", "d[8]=123456789abcdef0", "fa0=123456789abcdef0"),
    // The static mode, or frm: 1/3 ends in a bit that depends on it.
    ("fdiv.d fa0, fa1, fa2, rne", ONE_THIRD, "fa0=3fd5555555555555 fflags=1"),
    ("fdiv.d fa0, fa1, fa2, rup", ONE_THIRD, "fa0=3fd5555555555556 fflags=1"),
    (
        "fdiv.d fa0, fa1, fa2",
        "frm=3 fa1=3ff0000000000000 fa2=4008000000000000",
        "fa0=3fd5555555555556 fflags=1",
    ),
    (
        "fdiv.d fa0, fa1, fa2, rtz",
        "frm=3 fa1=3ff0000000000000 fa2=4008000000000000",
        "fa0=3fd5555555555555 fflags=1",
    ),
    // A reserved mode is illegal: dynamic by frm, static by the field, even where nothing is rounded.
    ("fadd.d fa0, fa1, fa2", "frm=5", "illegal"),
    ("fadd.d fa0, fa1, fa2", "frm=6", "illegal"),
    ("fadd.d fa0, fa1, fa2", "frm=7", "illegal"),
    ("fadd.d fa0, fa1, fa2, rne", "frm=5 fa1=0 fa2=0", "fa0=0"),
    ("0x02c5d553", "", "illegal"), // fadd.d fa0, fa1, fa2 with mode 5
    ("0x02c5e553", "", "illegal"), // with mode 6
    ("fcvt.d.w fa0, a1, dyn", "frm=5", "illegal"),
    ("fcvt.d.s fa0, fa1, dyn", "frm=6", "illegal"),
    ("fsqrt.s fa0, fa1", "frm=7", "illegal"),
    // What does not round does not look at frm.
    ("fmin.d fa0, fa1, fa2", "frm=5 fa1=0 fa2=3ff0000000000000", "fa0=0"),
    ("feq.d a1, fa1, fa1", "frm=5 fa1=0", "a1=1"),
    ("fclass.d a1, fa1", "frm=7 fa1=0", "a1=10"),
    // FS off: everything is illegal, loads and stores too, before any rounding mode or address is looked at.
    ("fadd.d fa0, fa1, fa2", "fs=off", "illegal"),
    ("fmv.x.d a1, fa1", "fs=off", "illegal"),
    ("flw fa0, 8(zero)", "fs=off", "illegal"),
    ("fsd fa0, 8(zero)", "fs=off", "illegal"),
    ("fclass.s a1, fa1", "fs=off", "illegal"),
    ("csrrs a1, fcsr, zero", "fs=off", "illegal"),
    // FS becomes dirty when a register or a flag is written, and only then.
    ("fadd.d fa0, fa1, fa2", "fs=initial fa1=0 fa2=0", "fa0=0 fs=dirty"),
    ("flw fa0, 8(a0)", "fs=clean d[8]=1", "fa0=ffffffff00000001 fs=dirty"),
    ("fmv.d.x fa0, a1", "fs=initial a1=5", "fa0=5 fs=dirty"),
    ("fsd fa1, 8(a0)", "fs=clean fa1=7", "d[8]=7"),
    ("fmv.x.d a1, fa1", "fs=initial fa1=7", "a1=7"),
    ("fcvt.l.d a1, fa1", "fs=clean fa1=4000000000000000", "a1=2"),
    ("fcvt.l.d a1, fa1, rtz", "fs=clean fa1=4004000000000000", "a1=2 fflags=1 fs=dirty"),
    ("flt.d a1, fa1, fa2", "fs=clean fa1=0 fa2=3ff0000000000000", "a1=1"),
    ("flt.d a1, fa1, fa2", "fs=clean fa1=7ff8000000000000 fa2=0", "a1=0 fflags=10 fs=dirty"),
    ("fadd.d fa0, fa1, fa2", "fs=initial frm=5", "illegal"),
    // Flags accrue until they are cleared.
    ("fdiv.d fa0, fa1, fa2", "fflags=10 fa1=3ff0000000000000 fa2=0", "fa0=7ff0000000000000 fflags=18"),
    ("fadd.d fa0, fa1, fa2", "fflags=1f fa1=0 fa2=0", "fa0=0"),
    (
        "fdiv.d fa0, fa1, fa2; fsqrt.d fa3, fa4",
        "fa1=3ff0000000000000 fa2=0 fa4=bff0000000000000",
        "fa0=7ff0000000000000 fa3=7ff8000000000000 fflags=18",
    ),
    (
        "fdiv.d fa0, fa1, fa2; csrrs a1, fflags, zero",
        "fa1=3ff0000000000000 fa2=0",
        "fa0=7ff0000000000000 a1=8 fflags=8",
    ),
    ("csrrwi zero, frm, 3; fdiv.d fa0, fa1, fa2", ONE_THIRD, "fa0=3fd5555555555556 fflags=1 frm=3"),
    // Integers: results of 32 bits are sign-extended, operands of 32 bits are the low half.
    ("fcvt.wu.d a1, fa1", "fa1=41efffffffe00000", "a1=ffffffffffffffff"),
    ("fcvt.w.d a1, fa1", "fa1=c1e0000000000000", "a1=ffffffff80000000"),
    ("fcvt.d.w fa0, a1", "a1=123456788000000f", "fa0=c1dffffffc400000"),
    ("fcvt.d.wu fa0, a1", "a1=1234567880000000", "fa0=41e0000000000000"),
    ("fcvt.s.lu fa0, a1", "a1=ffffffffffffffff", "fa0=ffffffff5f800000 fflags=1"),
    // The four fused forms of 2 * 3 with 1.
    ("fmadd.d fa0, fa1, fa2, fa3", TWO_THREE_ONE, "fa0=401c000000000000"),
    ("fmsub.d fa0, fa1, fa2, fa3", TWO_THREE_ONE, "fa0=4014000000000000"),
    ("fnmsub.d fa0, fa1, fa2, fa3", TWO_THREE_ONE, "fa0=c014000000000000"),
    ("fnmadd.d fa0, fa1, fa2, fa3", TWO_THREE_ONE, "fa0=c01c000000000000"),
];

const ONE_THIRD: &str = "fa1=3ff0000000000000 fa2=4008000000000000";
const TWO_THREE_ONE: &str = "fa1=4000000000000000 fa2=4008000000000000 fa3=3ff0000000000000";

/// What rows look at.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    f: [u64; 32],
    x: [u64; 32],
    fflags: u8,
    frm: u8,
    fs: u64,
    data: [u64; 4],
}

impl State {
    fn initial() -> Self {
        let mut x: [u64; 32] = std::array::from_fn(|n| 0x1111_0000 + n as u64);
        (x[0], x[10]) = (0, DATA);
        let f = std::array::from_fn(|n| 0x3ff0_0000_0000_0000 + n as u64);
        Self { f, x, fflags: 0, frm: 0, fs: 3, data: [0; 4] }
    }

    fn set(&mut self, word: &str) {
        let (name, value) = word.split_once('=').expect("a word is name=value");
        let fs_names = ["off", "initial", "clean", "dirty"];
        let number = || u64::from_str_radix(value, 16).expect("a value is hexadecimal");
        let byte = || u8::try_from(number()).expect("a field has 8 bits at most");
        let offset = name.strip_prefix("d[").and_then(|rest| rest.strip_suffix(']'));
        match (name, offset) {
            ("fflags", _) => self.fflags = byte(),
            ("frm", _) => self.frm = byte(),
            ("fs", _) => self.fs = fs_names.iter().position(|&n| n == value).expect("a state of FS") as u64,
            (_, Some(offset)) => self.data[offset.parse::<usize>().expect("an offset") / 8] = number(),
            _ => match (f_from_name(name), x_from_name(name)) {
                (Some(r), _) => self.f[usize::from(r)] = number(),
                (_, Some(r)) => self.x[usize::from(r)] = number(),
                _ => panic!("{name} is no register"),
            },
        }
    }
}

/// The encodings of a program; `0x…` is an encoding itself.
fn encodings(program: &str) -> Vec<u32> {
    let one = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).expect("an encoding"),
        None => assemble(text, CODE).unwrap_or_else(|| panic!("cannot assemble {text}")).bits,
    };
    program.split(';').map(str::trim).map(one).collect()
}

/// Runs `words` from `before` on: the state after as many steps, and the trap if the last of them raised one.
fn run(words: &[u32], before: &State) -> (State, Option<(u64, u64)>) {
    let mut ram = Ram::new(RAM_BYTES);
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let data: Vec<u8> = before.data.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(ram.write(PhysAddr(CODE), &code) && ram.write(PhysAddr(DATA), &data));
    let mut hart = Hart::new(0, TlbGeometry::default());
    (hart.f, hart.x) = (before.f, before.x);
    (hart.csr.fflags, hart.csr.frm) = (before.fflags, before.frm);
    hart.csr.mstatus = hart.csr.mstatus & !mstatus::FS | before.fs << mstatus::FS_SHIFT;
    hart.csr.mtvec = HANDLER;
    let exec = Exec {
        hart: &mut hart,
        code: &mut CodeCache::new(),
        ram: &mut ram,
        platform: &mut NoDevices,
        options: &Options::default(),
        checks: None,
    };
    let mut now = Step(0);
    assert_eq!(exec.run(&mut now, Step(words.len() as u64)), Exit::Deadline);
    let data: Vec<u64> = ram
        .slice(PhysAddr(DATA), 32)
        .expect("the data page is RAM")
        .chunks_exact(8)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
        .collect();
    let after = State {
        f: hart.f,
        x: hart.x,
        fflags: hart.csr.fflags,
        frm: hart.csr.frm,
        fs: (hart.csr.mstatus & mstatus::FS) >> mstatus::FS_SHIFT,
        data: data.try_into().expect("four words"),
    };
    (after, (hart.pc == HANDLER).then_some((hart.csr.mcause, hart.csr.mtval)))
}

#[test]
fn rows_hold() {
    for (program, setup, expected) in ROWS {
        let title = format!("{program} : {setup} => {expected}");
        let mut before = State::initial();
        setup.split_whitespace().for_each(|word| before.set(word));
        let words = encodings(program);
        let (after, trap) = run(&words, &before);
        let mut wanted = before;
        if *expected == "illegal" {
            let bits = u64::from(*words.last().expect("a program has instructions"));
            assert_eq!(trap, Some((Exception::IllegalInstruction.code().into(), bits)), "{title}");
        } else {
            assert_eq!(trap, None, "{title}");
            expected.split_whitespace().for_each(|word| wanted.set(word));
        }
        assert_eq!(after, wanted, "{title}");
    }
}
