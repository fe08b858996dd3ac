//! Reading a row: `instructions : setup => after`. The syntax is described in `tests/rows/README.md`.

use isa::csr::{Csr, mstatus};
use isa::paging::Scheme;
use isa::reg::{f_from_name, x_from_name};
use isa::{Exception, Extension, Insn, IsaSet, Privilege, VirtAddr, assemble, decode};

use crate::state::{RAM_BASE, RAM_BYTES, State, TABLES};

/// A row, ready to run.
pub struct Row {
    /// `file:line: text`, for messages.
    pub title: String,
    /// The instructions in the order of execution.
    pub insns: Vec<Insn>,
    pub before: State,
    pub after: State,
    /// Whether the last instruction traps.
    pub traps: bool,
    /// Whether Spike can be asked: the line's comment does not start with `not in Spike`.
    pub in_spike: bool,
}

/// Reads a file of rows, one after the other.
///
/// # Panics
///
/// If a line is not a row: the data files are part of the tests.
pub fn read_rows<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = Row> + 'a {
    text.lines().enumerate().filter_map(move |(n, text)| {
        let (line, comment) = text.split_once('#').unwrap_or((text, ""));
        let in_spike = !comment.trim_start().starts_with("not in Spike");
        let title = format!("{file}:{}: {}", n + 1, line.trim());
        let row = || read_row(&title, line.trim(), in_spike).unwrap_or_else(|why| panic!("{title}\n  {why}"));
        (!line.trim().is_empty()).then(row)
    })
}

fn read_row(title: &str, line: &str, in_spike: bool) -> Result<Row, String> {
    let (left, after_text) = line.split_once("=>").ok_or("a row has a =>")?;
    let (code, setup) = left.split_once(" : ").unwrap_or((left, ""));
    let mut before = State::initial();
    let mut tables = Tables::default();
    // The mode comes first: it decides what the other defaults are.
    if let Some(mode) = setup.split_whitespace().find_map(|word| word.strip_prefix("priv=")) {
        before.privilege = privilege(mode)?;
    }
    if before.privilege != Privilege::Machine {
        // Such a row is entered by an mret, which leaves its target in mepc.
        before.set_csr(Csr::MEPC, before.pc);
    }
    if let Some(scheme) = setup.split_whitespace().find_map(|word| word.strip_prefix("sv=")) {
        tables.scheme = match scheme {
            "48" => Scheme::Sv48,
            "57" => Scheme::Sv57,
            _ => return Err(format!("sv={scheme}: 48 or 57, or nothing for Sv39")),
        };
    }
    for word in setup.split_whitespace().filter(|word| !word.starts_with("sv=")) {
        set(&mut before, &mut tables, word)?;
    }
    if before.privilege != Privilege::Machine && setup.split_whitespace().any(|word| word.starts_with("pc="))
    {
        before.set_csr(Csr::MEPC, before.pc);
    }
    if tables.count > 0 && before.privilege != Privilege::Machine && !tables.maps_code {
        let user = if before.privilege == Privilege::User { "u" } else { "" };
        let page = before.pc & !0xfff;
        tables.map(&mut before, page, &format!("{page:#x}/rxad{user}"))?;
    }
    let (insns, addresses) = place_code(&mut before, &tables, code)?;
    let last = *insns.last().ok_or("a row has an instruction")?;
    let (traps, after) = expect(&before, &tables, &insns, &addresses, last, after_text)?;
    Ok(Row { title: title.to_string(), insns, before, after, traps, in_spike })
}

/// Assembles the instructions and puts them at `pc`, one after the other. `0x8082 = ret` gives the encoding and
/// says what it must decode to.
fn place_code(state: &mut State, tables: &Tables, code: &str) -> Result<(Vec<Insn>, Vec<u64>), String> {
    let (mut insns, mut addresses, mut pc) = (Vec::new(), Vec::new(), state.pc);
    for text in code.split(';').map(str::trim) {
        let insn = match text.strip_prefix("0x") {
            Some(raw) => {
                let (hex, meaning) =
                    raw.split_once('=').ok_or("an encoding is followed by = and its meaning")?;
                let bits = u32::from_str_radix(hex.trim(), 16).map_err(|e| e.to_string())?;
                let compressed = bits & 3 != 3;
                let len = if compressed { 2 } else { 4 };
                match meaning.trim() {
                    "illegal" => match decode(bits).filter(|insn| state.isa.allows(insn)) {
                        None => Insn { bits, len, ..Insn::blank(isa::Op::Addi) },
                        Some(insn) => return Err(format!("{bits:#x} decodes as {insn:?}")),
                    },
                    meaning => {
                        let insn = decode(bits).ok_or_else(|| format!("{bits:#x} is illegal"))?;
                        let meant =
                            assemble(meaning, pc).ok_or_else(|| format!("cannot assemble {meaning}"))?;
                        if (Insn { bits, len, ..meant }) != insn {
                            return Err(format!("{bits:#x} decodes as {insn:?}"));
                        }
                        insn
                    }
                }
            }
            None => assemble(text, pc).ok_or_else(|| format!("cannot assemble {text}"))?,
        };
        for (n, byte) in insn.bits.to_le_bytes().into_iter().take(usize::from(insn.len)).enumerate() {
            // An instruction may go on in a page that is not mapped, or where there is no memory.
            let pa = tables.translate(state.privilege, pc + n as u64);
            if let Some(pa) = pa.filter(|pa| (RAM_BASE..RAM_BASE + RAM_BYTES as u64).contains(pa)) {
                state.store(pa, &[byte]);
            }
        }
        insns.push(insn);
        addresses.push(pc);
        pc += u64::from(insn.len);
    }
    Ok((insns, addresses))
}

/// The state after the row: the one before, with what the row names, and what every instruction or trap changes.
fn expect(
    before: &State,
    tables: &Tables,
    insns: &[Insn],
    addresses: &[u64],
    last: Insn,
    text: &str,
) -> Result<(bool, State), String> {
    let mut after = before.clone();
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let traps = words.first() == Some(&"trap");
    let retired = insns.len() as u64 - u64::from(traps);
    for counter in [Csr::MINSTRET, Csr::MCYCLE] {
        after.set_csr(counter, before.csr(counter) + retired);
    }
    let last_pc = addresses[addresses.len() - 1];
    if traps {
        let name = words.get(1).ok_or("which trap?")?.replace('_', "");
        let named = |e: &Exception| format!("{e:?}").eq_ignore_ascii_case(&name);
        let exception = Exception::ALL.into_iter().find(named).ok_or("no such trap")?;
        let tval = match words.iter().position(|word| word.starts_with("tval=")) {
            Some(at) => number(&words.remove(at)["tval=".len()..])?,
            None if exception == Exception::IllegalInstruction => u64::from(last.bits),
            None => return Err("a trap has a tval".into()),
        };
        after.pc = last_pc;
        after.take_trap(exception, VirtAddr(tval));
        words.drain(..2);
    } else {
        after.pc = last_pc + u64::from(last.len);
    }
    let mut tables = tables.clone();
    for word in words {
        set(&mut after, &mut tables, word)?;
    }
    Ok((traps, after))
}

/// Applies `what=value` to a state.
fn set(state: &mut State, tables: &mut Tables, word: &str) -> Result<(), String> {
    let (key, value) = word.split_once('=').ok_or_else(|| format!("{word} is not key=value"))?;
    if let Some((kind, place)) = key.strip_suffix(']').and_then(|key| key.split_once('[')) {
        let va = number(place)?;
        let width = match kind {
            "b" => 1,
            "h" => 2,
            "w" => 4,
            "d" => 8,
            "map" => return tables.map(state, va, value),
            "pte" => return tables.set_flags(state, va, value),
            _ => return Err(format!("no such memory {kind}")),
        };
        state.store(va, &number(value)?.to_le_bytes()[..width]);
    } else if key == "isa" {
        // Those of supervisor mode, whose CSRs every row compares, are always there.
        let named = IsaSet::parse(value).map_err(|error| error.to_string())?;
        let supervisor = Extension::ALL
            .iter()
            .filter(|e| e.name().starts_with('s') || matches!(e, Extension::Zicntr | Extension::Zihpm));
        state.isa = supervisor.fold(named, |set, &e| set.with(e));
        state.set_csr(Csr::MISA, state.isa.misa());
    } else if key == "priv" {
        state.privilege = privilege(value)?;
    } else if key == "pc" {
        state.pc = match value.strip_prefix('.') {
            Some(offset) => RAM_BASE.wrapping_add(number(offset.trim_start_matches('+'))?),
            None => number(value)?,
        };
    } else if let Some(n) = x_from_name(key) {
        if n == 0 {
            return Err("x0 is always zero".into());
        }
        state.x[usize::from(n)] = number(value)?;
    } else if let Some(n) = f_from_name(key) {
        state.f[usize::from(n)] = float(value)?;
    } else {
        set_csr(state, key, number(value)?)?;
    }
    Ok(())
}

/// CSRs, and fields of them that rows name alone.
fn set_csr(state: &mut State, key: &str, value: u64) -> Result<(), String> {
    let field = |mask| Ok::<_, String>((Csr::MSTATUS, mask));
    let (csr, mask) = match key {
        "fflags" => (Csr::FCSR, 0x1f),
        "frm" => (Csr::FCSR, 0xe0),
        "fs" => {
            state.set_field(Csr::MSTATUS, mstatus::SD, u64::from(value == 3));
            field(mstatus::FS)?
        }
        "mpp" => field(mstatus::MPP)?,
        "spp" => field(mstatus::SPP)?,
        "mie_bit" => field(mstatus::MIE)?,
        "mpie" => field(mstatus::MPIE)?,
        "sie_bit" => field(mstatus::SIE)?,
        "spie" => field(mstatus::SPIE)?,
        "mprv" => field(mstatus::MPRV)?,
        "sum" => field(mstatus::SUM)?,
        "mxr" => field(mstatus::MXR)?,
        "tvm" => field(mstatus::TVM)?,
        "tw" => field(mstatus::TW)?,
        "tsr" => field(mstatus::TSR)?,
        _ => {
            let csr = Csr::from_name(key).ok_or_else(|| format!("nothing is called {key}"))?;
            if !state.csrs.contains_key(&csr) {
                return Err(format!("{key} is a view; name the register behind it"));
            }
            state.set_csr(csr, value);
            return Ok(());
        }
    };
    state.set_field(csr, mask, value);
    Ok(())
}

fn privilege(mode: &str) -> Result<Privilege, String> {
    match mode {
        "M" => Ok(Privilege::Machine),
        "S" => Ok(Privilege::Supervisor),
        "U" => Ok(Privilege::User),
        _ => Err(format!("no mode is called {mode}")),
    }
}

/// A number: decimal or hexadecimal, perhaps negative.
fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let clean = digits.replace('_', "");
    let magnitude = match clean.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => clean.parse(),
    };
    let magnitude = magnitude.map_err(|e| format!("{text}: {e}"))?;
    Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// The bits of a floating-point register: `1.5:d`, `-inf:s` (NaN-boxed), `nan:d` (canonical), `snan:s`, or a
/// plain number.
fn float(text: &str) -> Result<u64, String> {
    const BOX: u64 = 0xffff_ffff_0000_0000;
    const HALF_BOX: u64 = 0xffff_ffff_ffff_0000;
    let Some((value, format)) = text.split_once(':') else { return number(text) };
    match (value, format) {
        ("nan", "h") => Ok(HALF_BOX | 0x7e00),
        ("snan", "h") => Ok(HALF_BOX | 0x7c01),
        ("nan", "d") => Ok(0x7ff8_0000_0000_0000),
        ("snan", "d") => Ok(0x7ff0_0000_0000_0001),
        ("nan", "s") => Ok(BOX | 0x7fc0_0000),
        ("snan", "s") => Ok(BOX | 0x7f80_0001),
        (_, "d") => value.parse::<f64>().map(f64::to_bits).map_err(|e| format!("{text}: {e}")),
        (_, "s") => {
            value.parse::<f32>().map(|v| BOX | u64::from(v.to_bits())).map_err(|e| format!("{text}: {e}"))
        }
        (_, "h") => value.parse().map_err(|e| format!("{text}: {e}")).and_then(half).map(|h| HALF_BOX | h),
        _ => Err(format!("{text}: the formats are h, s and d")),
    }
}

/// The pattern of binary16 that is exactly this number.
fn half(value: f64) -> Result<u64, String> {
    let pattern = |bits: u64| {
        let (exponent, fraction) = ((bits >> 10 & 0x1f) as i32, (bits & 0x3ff) as f64);
        let magnitude = match exponent {
            31 => f64::INFINITY,
            0 => fraction * 2f64.powi(-24),
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        magnitude.copysign(if bits & 0x8000 != 0 { -1.0 } else { 1.0 })
    };
    let is_it = |bits: &u64| bits & 0x7fff <= 0x7c00 && pattern(*bits).to_bits() == value.to_bits();
    (0..0x1_0000).find(is_it).ok_or_else(|| format!("{value} is no half-precision number"))
}

/// The page tables of a row, built as its `map`s are read.
#[derive(Clone)]
struct Tables {
    scheme: Scheme,
    /// Pages used, the root among them.
    count: u64,
    maps_code: bool,
    /// Each leaf: virtual page, physical page, level, address of the entry.
    leaves: Vec<(u64, u64, u32, u64)>,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables { scheme: Scheme::Sv39, count: 0, maps_code: false, leaves: Vec::new() }
    }
}

impl Tables {
    /// `map[VA]=PA/flags` or, for a superpage, `map[VA]=PA/flags@level`.
    fn map(&mut self, state: &mut State, va: u64, text: &str) -> Result<(), String> {
        let (pa, flags) = text.split_once('/').ok_or("map[VA]=PA/flags")?;
        let (flags, level) = flags.split_once('@').unwrap_or((flags, "0"));
        let (pa, level) = (number(pa)?, number(level)?);
        if self.count == 0 {
            self.count = 1;
            state.set_csr(Csr::SATP, self.scheme.satp_mode() << 60 | TABLES >> 12);
        }
        let mut table = TABLES;
        for depth in (level + 1..self.scheme.levels().into()).rev() {
            let entry = table + (va >> (12 + 9 * depth) & 0x1ff) * 8;
            let mut pte = state.load_u64(entry);
            if pte == 0 {
                pte = (TABLES + 0x1000 * self.count) >> 12 << 10 | 1;
                self.count += 1;
                state.store(entry, &pte.to_le_bytes());
            }
            table = pte >> 10 << 12;
        }
        let entry = table + (va >> (12 + 9 * level) & 0x1ff) * 8;
        state.store(entry, &(pa >> 12 << 10 | page_flags(flags)?).to_le_bytes());
        let level = u32::try_from(level).map_err(|e| e.to_string())?;
        self.leaves.push((va, pa, level, entry));
        let size = 0x1000 << (9 * level);
        self.maps_code |= (va..va + size).contains(&state.pc);
        Ok(())
    }

    /// `pte[VA]=flags`: the flags of the leaf that maps it.
    fn set_flags(&self, state: &mut State, va: u64, flags: &str) -> Result<(), String> {
        let leaf = self.leaves.iter().find(|leaf| leaf.0 == va).ok_or("no map has this address")?;
        let pte = state.load_u64(leaf.3) & !0x3ff | page_flags(flags)?;
        state.store(leaf.3, &pte.to_le_bytes());
        Ok(())
    }

    /// The physical address of a byte of code, if it is mapped.
    fn translate(&self, privilege: Privilege, va: u64) -> Option<u64> {
        if self.leaves.is_empty() || privilege == Privilege::Machine {
            return Some(va);
        }
        let leaf =
            self.leaves.iter().find(|&&(v, _, level, _)| (v..v + (0x1000 << (9 * level))).contains(&va));
        leaf.map(|&(v, pa, ..)| pa + (va - v))
    }
}

/// The flags of an entry by their letters; `v` is understood, unless there is a `-`. `n` is N, `c` and `o` are the
/// memory types NC and IO.
fn page_flags(letters: &str) -> Result<u64, String> {
    letters.chars().try_fold(1, |flags, letter| {
        let bit = "vrwxugad".find(letter);
        match (bit, letter) {
            (Some(bit), _) => Ok(flags | 1 << bit),
            (None, 'n') => Ok(flags | 1 << 63),
            (None, 'c') => Ok(flags | 1 << 61),
            (None, 'o') => Ok(flags | 2 << 61),
            (None, '-') => Ok(flags & !1),
            _ => Err(format!("no flag is called {letter}")),
        }
    })
}
