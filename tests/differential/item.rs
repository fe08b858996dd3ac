//! The instructions that cases are made of: an item is an instruction, or a short sequence that only makes sense
//! together. Jumps and branches name how many items they skip, so any item can be left out and the rest still fits.

use std::collections::HashMap;
use std::sync::LazyLock;

use isa::encode::encode;
use isa::{Insn, Op, decode};

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// Goes on to the next: four bytes.
    Word(u32),
    /// Goes on to the next: two bytes.
    Half(u16),
    /// A conditional branch over the next `skip` items.
    Branch { op: Op, rs1: u8, rs2: u8, skip: u8 },
    /// The same, compressed: with `x0`.
    ShortBranch { op: Op, rs1: u8, skip: u8 },
    /// `jal` over the next items; compressed where it can be.
    Jump { rd: u8, skip: u8, short: bool },
    /// `auipc` and `jalr` over the next items; bit 0 of the sum may be set.
    Indirect { rd: u8, rs1: u8, skip: u8, odd: bool, short: bool },
    /// A return from a trap to the item after the next: `auipc`, `addi`, `csrw`, `mret` or `sret`.
    Return { supervisor: bool, rs1: u8, skip: u8 },
    /// A jump to wherever a register points.
    Wild { rs1: u8, imm: i16 },
    /// Copies the instruction word `from` bytes on over the one `to` bytes on: self-modifying code.
    Modify { rs1: u8, from: i16, to: i16, fence: bool },
    /// The first `len` words, which go on to the next.
    Sequence { words: [u32; SEQUENCE], len: u8 },
}

/// Words of the longest sequence.
const SEQUENCE: usize = 9;

/// What tells instructions apart: `rd`, `rs1`, `rs2` and the immediate.
type Key = (Op, u8, u8, u8, i32);

/// The compressed encoding of an instruction, found by decoding all of them.
static COMPRESSED: LazyLock<HashMap<Key, u16>> = LazyLock::new(|| {
    let mut map = HashMap::new();
    for half in 0..=u16::MAX {
        if let Some(insn) = decode(u32::from(half)).filter(|insn| insn.len == 2) {
            map.entry((insn.op, insn.rd, insn.rs1, insn.rs2, insn.imm)).or_insert(half);
        }
    }
    map
});

fn compressed(insn: &Insn) -> Option<u16> {
    COMPRESSED.get(&(insn.op, insn.rd, insn.rs1, insn.rs2, insn.imm)).copied()
}

fn word(insn: &Insn) -> [u16; 2] {
    halves(encode(insn).unwrap_or_else(|| panic!("{insn:?} was made to be encoded")))
}

fn halves(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}

impl Item {
    /// Instructions one after the other.
    pub fn sequence(insns: &[Insn]) -> Item {
        let mut words = [0; SEQUENCE];
        for (word, insn) in words.iter_mut().zip(insns) {
            *word = encode(insn).unwrap_or_else(|| panic!("{insn:?} was made to be encoded"));
        }
        assert!(insns.len() <= SEQUENCE);
        Item::Sequence { words, len: insns.len() as u8 }
    }

    /// Its length in bytes.
    fn len(self) -> u64 {
        match self {
            Item::Half(_) | Item::ShortBranch { .. } | Item::Jump { short: true, .. } => 2,
            Item::Word(_) | Item::Branch { .. } | Item::Jump { .. } | Item::Wild { .. } => 4,
            Item::Indirect { short: false, .. } => 8,
            Item::Indirect { short: true, .. } => 10,
            Item::Return { .. } | Item::Modify { .. } => 16,
            Item::Sequence { len, .. } => u64::from(len) * 4,
        }
    }

    fn skip(self) -> usize {
        match self {
            Item::Branch { skip, .. }
            | Item::ShortBranch { skip, .. }
            | Item::Jump { skip, .. }
            | Item::Indirect { skip, .. }
            | Item::Return { skip, .. } => usize::from(skip),
            _ => 0,
        }
    }

    /// Its instructions, if what it jumps to lies `distance` bytes from its start.
    fn encode(self, distance: i32) -> Vec<u16> {
        let i = Insn::blank;
        match self {
            Item::Word(bits) => halves(bits).to_vec(),
            Item::Half(bits) => vec![bits],
            Item::Branch { op, rs1, rs2, .. } => word(&Insn { rs1, rs2, imm: distance, ..i(op) }).to_vec(),
            Item::ShortBranch { op, rs1, .. } => {
                let insn = Insn { rs1, imm: distance, ..i(op) };
                vec![compressed(&insn).expect("few items are skipped, and rs1 is one of x8..x15")]
            }
            Item::Jump { rd, short: false, .. } => word(&Insn { rd, imm: distance, ..i(Op::Jal) }).to_vec(),
            Item::Jump { short: true, .. } => {
                vec![compressed(&Insn { imm: distance, ..i(Op::Jal) }).expect("c.j reaches two KiB")]
            }
            Item::Indirect { rd, rs1, odd, short, .. } => {
                let target = distance + i32::from(odd);
                let mut code = word(&Insn { rd: rs1, ..i(Op::Auipc) }).to_vec();
                if short {
                    code.extend(word(&Insn { rd: rs1, rs1, imm: target, ..i(Op::Addi) }));
                    let jump = Insn { rd: u8::from(rd != 0), rs1, ..i(Op::Jalr) };
                    code.push(compressed(&jump).expect("c.jr and c.jalr take any register"));
                } else {
                    code.extend(word(&Insn { rd, rs1, imm: target, ..i(Op::Jalr) }));
                }
                code
            }
            Item::Return { supervisor, rs1, .. } => {
                let (csr, op) = if supervisor { (0x141, Op::Sret) } else { (0x341, Op::Mret) };
                [
                    word(&Insn { rd: rs1, ..i(Op::Auipc) }),
                    word(&Insn { rd: rs1, rs1, imm: distance, ..i(Op::Addi) }),
                    word(&Insn { rs1, imm: csr, ..i(Op::Csrrw) }),
                    word(&i(op)),
                ]
                .concat()
            }
            Item::Wild { rs1, imm } => {
                word(&Insn { rd: 1, rs1, imm: i32::from(imm), ..i(Op::Jalr) }).to_vec()
            }
            Item::Modify { rs1, from, to, fence } => [
                word(&Insn { rd: rs1, ..i(Op::Auipc) }),
                word(&Insn { rd: 28, rs1, imm: i32::from(from), ..i(Op::Lw) }),
                word(&Insn { rs1, rs2: 28, imm: i32::from(to), ..i(Op::Sw) }),
                if fence { word(&i(Op::FenceI)) } else { word(&i(Op::Addi)) },
            ]
            .concat(),
            Item::Sequence { words, len } => {
                words[..usize::from(len)].iter().flat_map(|&word| halves(word)).collect()
            }
        }
    }
}

/// The items one after the other.
pub fn assemble_items(items: &[Item]) -> Vec<u16> {
    let mut starts = vec![0u64];
    for item in items {
        starts.push(starts[starts.len() - 1] + item.len());
    }
    let mut code = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let target = starts[(n + 1 + item.skip()).min(items.len())];
        let encoded = item.encode((target - starts[n]) as i32);
        assert_eq!(encoded.len() as u64 * 2, item.len(), "{item:?}");
        code.extend(encoded);
    }
    code
}
