//! `x` and `disas`: memory as values and as instructions.

use super::command::{Contents, Examine};
use super::space::Space;
use super::target::Memory;
use super::walk::translate;
use crate::source::{Format, float_text};
use core::ops::Range;
use isa::{Op, PAGE_SIZE, VirtAddr, decode, disasm, insn_len};
use std::fmt::Write;

/// Bytes of a string that `x/s` shows at most.
const MAX_STRING: u64 = 200;

/// Fills `into` from virtual memory. Fails at the first byte that is not mapped, or not RAM.
pub(super) fn read(
    memory: &dyn Memory,
    space: &Space,
    va: VirtAddr,
    into: &mut [u8],
) -> Result<(), VirtAddr> {
    let mut done = 0;
    while done < into.len() {
        let at = va.wrapping_add(done as u64);
        let room = usize::try_from(PAGE_SIZE - at.page_offset()).map_or(into.len(), |room| room);
        let len = room.min(into.len() - done);
        let pa = translate(memory, space, at).ok_or(at)?;
        if !memory.read_ram(pa, &mut into[done..done + len]) {
            return Err(at);
        }
        done += len;
    }
    Ok(())
}

/// Fills bytes from an address on, as [`read`] does.
pub(super) type Read<'a> = &'a mut dyn FnMut(VirtAddr, &mut [u8]) -> Result<(), VirtAddr>;

/// [`read`] of what is in memory, and nothing else.
pub(super) fn mapped<'a>(
    memory: &'a dyn Memory,
    space: &'a Space,
) -> impl FnMut(VirtAddr, &mut [u8]) -> Result<(), VirtAddr> + use<'a> {
    move |va, into| read(memory, space, va, into)
}

/// The instruction at `va`: its bits and its length.
pub(super) fn instruction(read: Read<'_>, va: VirtAddr) -> Option<(u32, u8)> {
    let mut half = [0; 2];
    read(va, &mut half).ok()?;
    let low = u16::from_le_bytes(half);
    if insn_len(low) == 2 {
        return Some((u32::from(low), 2));
    }
    let mut word = [0; 4];
    read(va, &mut word).ok()?;
    Some((u32::from_le_bytes(word), 4))
}

/// How many instructions begin in a range, as far as there is memory: no more than one would look at.
pub(super) fn instructions_in(read: Read<'_>, range: Range<u64>) -> u64 {
    const MOST: u64 = 500;
    let (mut at, mut count) = (range.start, 0);
    while at < range.end && count < MOST {
        let Some((_, len)) = instruction(read, VirtAddr(at)) else { break };
        at = at.wrapping_add(len.into());
        count += 1;
    }
    count
}

/// Where a call or a jump goes whose target its instruction says, or the `auipc` right before it, at `before`.
fn jump_target(read: Read<'_>, va: VirtAddr, before: Option<VirtAddr>) -> Option<VirtAddr> {
    let mut insn_at = |va| decode(instruction(read, va)?.0);
    let insn = insn_at(va)?;
    let base = match insn.op {
        Op::Jal => va,
        Op::Jalr => {
            let before = before?;
            let upper = insn_at(before).filter(|upper| upper.op == Op::Auipc && upper.rd == insn.rs1)?;
            VirtAddr(before.0.wrapping_add_signed(upper.imm.into()))
        }
        _ => return None,
    };
    Some(VirtAddr(base.0.wrapping_add_signed(insn.imm.into())))
}

/// One line: address, symbol, bits, instruction; and the length. `None` if there is nothing to read.
pub(super) fn instruction_line(read: Read<'_>, va: VirtAddr, symbol: Option<&str>) -> Option<(String, u8)> {
    let (bits, len) = instruction(read, va)?;
    let text = match decode(bits) {
        Some(insn) => disasm(&insn, va.0).to_string(),
        None => "not an instruction".to_owned(),
    };
    let symbol = symbol.map(|name| format!(" <{name}>")).unwrap_or_default();
    let bits = if len == 2 { format!("{bits:04x}    ") } else { format!("{bits:08x}") };
    Some((format!("{va}{symbol}: {bits}  {text}"), len))
}

/// The values from `va` on as `read` gives them, and where they end; `absent` says why an address has none.
pub(super) fn examine(
    space: &Space,
    va: VirtAddr,
    examine: Examine,
    read: Read<'_>,
    absent: impl Fn(VirtAddr) -> String,
    mut symbol: impl FnMut(VirtAddr) -> Option<String>,
) -> (String, VirtAddr) {
    match examine.contents {
        Contents::Instructions => instructions(space, va, examine.count, read, absent, symbol),
        Contents::Values(Format::Text) => strings(va, examine.count, read, absent),
        Contents::Values(_) | Contents::Floats => {
            let format = match examine.contents {
                Contents::Values(format) => format,
                _ => Format::Float,
            };
            let size = u64::from(examine.size_bytes);
            let per_line = if format == Format::Address { 1 } else { (16 / size).min(8) };
            let mut text = String::new();
            let mut at = va;
            for index in 0..examine.count {
                let mut bytes = [0; 8];
                let len = usize::from(examine.size_bytes);
                if let Err(missing) = read(at, &mut bytes[..len]) {
                    let _ =
                        write!(text, "{}{missing}: {}", if index == 0 { "" } else { "\n" }, absent(missing));
                    break;
                }
                if index % per_line == 0 {
                    let _ = write!(text, "{}{at}:", if index == 0 { "" } else { "\n" });
                }
                let value = u64::from_le_bytes(bytes);
                let _ = write!(text, " {}", show(value, format, examine.size_bytes));
                if format == Format::Address
                    && let Some(name) = symbol(VirtAddr(value))
                {
                    let _ = write!(text, " <{name}>");
                }
                at = at.wrapping_add(size);
            }
            text.push('\n');
            (text, at)
        }
    }
}

fn show(value: u64, format: Format, size_bytes: u8) -> String {
    let bits = usize::from(size_bytes) * 8;
    match format {
        Format::Hex | Format::Address => format!("{value:#0width$x}", width = bits / 4 + 2),
        Format::Unsigned | Format::Text => value.to_string(),
        Format::Float if size_bytes >= 4 => float_text(value.into(), size_bytes.into()),
        Format::Float => value.to_string(),
        Format::Decimal => {
            let unused = 64 - bits;
            ((value << unused).cast_signed() >> unused).to_string()
        }
        Format::Octal => format!("{value:#o}"),
        Format::Binary => format!("{value:0bits$b}"),
        Format::Character => match u8::try_from(value) {
            Ok(byte) => format!("{byte:3} '{}'", byte.escape_ascii()),
            Err(_) => value.to_string(),
        },
    }
}

fn strings(
    va: VirtAddr,
    count: u64,
    read: Read<'_>,
    absent: impl Fn(VirtAddr) -> String,
) -> (String, VirtAddr) {
    let mut text = String::new();
    let mut at = va;
    for _ in 0..count {
        let (start, mut bytes, mut ended) = (at, Vec::new(), false);
        while (bytes.len() as u64) < MAX_STRING && !ended {
            let mut byte = [0];
            if read(at, &mut byte).is_err() {
                break;
            }
            at = at.wrapping_add(1);
            ended = byte[0] == 0;
            if !ended {
                bytes.push(byte[0]);
            }
        }
        if bytes.is_empty() && !ended {
            let _ = writeln!(text, "{start}: {}", absent(start));
            break;
        }
        let more = if ended { "" } else { "…" };
        let _ = writeln!(text, "{start}: \"{}\"{more}", crate::source::letters(&bytes, '"'));
    }
    (text, at)
}

/// `count` instructions from `va` on, and where they end.
pub(super) fn instructions(
    space: &Space,
    va: VirtAddr,
    count: u64,
    read: Read<'_>,
    absent: impl Fn(VirtAddr) -> String,
    mut symbol: impl FnMut(VirtAddr) -> Option<String>,
) -> (String, VirtAddr) {
    let mut text = String::new();
    let (mut at, mut before) = (va, None);
    for _ in 0..count {
        let mark = if Some(at) == space.pc { "=>" } else { "  " };
        match instruction_line(read, at, symbol(at).as_deref()) {
            Some((line, len)) => {
                let callee = jump_target(read, at, before).and_then(&mut symbol);
                let callee = callee.map(|name| format!(" <{name}>")).unwrap_or_default();
                let _ = writeln!(text, "{mark} {line}{callee}");
                before = Some(at);
                at = at.wrapping_add(u64::from(len));
            }
            None => {
                let _ = writeln!(text, "{mark} {at}: {}", absent(at));
                break;
            }
        }
    }
    (text, at)
}
