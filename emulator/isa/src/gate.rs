//! Which instructions a set of extensions has.
//!
//! Most instructions belong to one extension, that of their row in the table. Some belong to several, some need two;
//! and a compressed encoding needs its own extension beside that of the instruction which it expands to.

use crate::ext::{Extension, IsaSet};
use crate::insn::{Insn, Op};
use crate::reg::ZERO;
use Extension::{D, Zbb, Zbkb, Zca, Zcb, Zcd, Zfh, Zmmul};

impl IsaSet {
    /// Whether the instruction exists in this set.
    pub fn allows(self, insn: &Insn) -> bool {
        let compressed = insn.len == 4 || self.contains(compressed_extension(insn));
        compressed && self.allows_op(insn)
    }

    fn allows_op(self, insn: &Insn) -> bool {
        let has = |extension| self.contains(extension);
        let own = has(insn.op.extension());
        match insn.op {
            Op::Mul | Op::Mulh | Op::Mulhsu | Op::Mulhu | Op::Mulw => has(Zmmul),
            Op::Andn | Op::Orn | Op::Xnor | Op::Rev8 => own || has(Zbkb),
            Op::Rol | Op::Rolw | Op::Ror | Op::Rori | Op::Roriw | Op::Rorw => own || has(Zbkb),
            // `zext.h`
            Op::Packw if insn.len == 2 => has(Zbb),
            Op::Packw if insn.rs2 == ZERO => own || has(Zbb),
            Op::FcvtDH | Op::FcvtHD => own && has(D),
            Op::FliD | Op::FminmD | Op::FmaxmD | Op::FroundD | Op::FroundnxD => own && has(D),
            Op::FleqD | Op::FltqD | Op::FcvtmodWD => own && has(D),
            Op::FliH | Op::FminmH | Op::FmaxmH | Op::FroundH | Op::FroundnxH => own && has(Zfh),
            Op::FleqH | Op::FltqH => own && has(Zfh),
            _ => own,
        }
    }
}

/// The extension of a compressed encoding, by what it expands to: C proper has none of Zcb's.
fn compressed_extension(insn: &Insn) -> Extension {
    match insn.op {
        Op::Fld | Op::Fsd => Zcd,
        Op::Lbu | Op::Lhu | Op::Lh | Op::Sb | Op::Sh => Zcb,
        Op::SextB | Op::SextH | Op::Packw | Op::AddUw | Op::Xori | Op::Mul => Zcb,
        Op::Andi if insn.imm == 0xff => Zcb,
        _ => Zca,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    /// `(set, bits, exists)`.
    #[test]
    fn instructions_exist_with_their_extensions() {
        for (isa, bits, exists) in [
            ("rv64i", 0x0005_0513, true),  // addi
            ("rv64i", 0x02b5_0533, false), // mul
            ("rv64im", 0x02b5_4533, true), // div
            ("rv64i_zmmul", 0x02b5_0533, true),
            ("rv64i_zmmul", 0x02b5_4533, false),
            ("rv64if", 0x0200_0053, false), // fadd.d
            ("rv64id", 0x0200_0053, true),
            ("rv64id", 0x2100, false), // c.fld
            ("rv64idc", 0x2100, true),
            ("rv64ic", 0x2100, false),
            ("rv64i", 0x0505, false), // c.addi
            ("rv64ic", 0x0505, true),
            ("rv64i", 0x3020_0073, true),     // mret
            ("rv64i_zbb", 0x0800_453b, true), // zext.h
            ("rv64i_zbkb", 0x0800_453b, true),
            ("rv64i_zbb", 0x08b5_453b, false), // packw
            ("rv64i_zbkb", 0x08b5_453b, true),
            ("rv64i_zbkb", 0x60b5_1533, true),  // rol
            ("rv64i_zbkb", 0x6005_1513, false), // clz
            ("rv64i_zbkc", 0x0ab5_1533, true),  // clmul
            ("rv64i_zbc", 0x0ab5_1533, true),
            ("rv64i_zbkc", 0x0ab5_2533, false), // clmulr
            ("rv64ic", 0x8000, false),          // c.lbu
            ("rv64ic_zcb", 0x8000, true),
            ("rv64ic_zcb", 0x9c65, false), // c.sext.b
            ("rv64ic_zcb_zbb", 0x9c65, true),
            ("rv64ic_zcb_zbkb", 0x9c69, false), // c.zext.h
            ("rv64ic_zcb_zbb", 0x9c69, true),
            ("rv64ic_zcb", 0x9c71, false), // c.zext.w
            ("rv64ic_zcb_zba", 0x9c71, true),
            ("rv64ic_zcb", 0x9c61, true), // c.zext.b
            ("rv64ic_zcb", 0x9c75, true), // c.not
            ("rv64ic", 0x9c75, false),
            ("rv64ic_zcb", 0x9c41, false), // c.mul
            ("rv64ic_zcb_zmmul", 0x9c41, true),
            ("rv64if_zfhmin", 0x4220_0053, false), // fcvt.d.h
            ("rv64id_zfhmin", 0x4220_0053, true),
            ("rv64if_zfhmin", 0x4400_0053, true),  // fcvt.h.s
            ("rv64if_zfhmin", 0x0400_0053, false), // fadd.h
            ("rv64if_zfa", 0xf010_0053, true),     // fli.s
            ("rv64if_zfa", 0xf210_0053, false),    // fli.d
            ("rv64id_zfa", 0xf210_0053, true),
            ("rv64id_zfa_zfhmin", 0xf410_0053, false), // fli.h
            ("rv64id_zfa_zfh", 0xf410_0053, true),
            ("rv64i", 0x0000_6013, true), // a prefetch is a hint
        ] {
            let insn = decode(bits).unwrap();
            assert_eq!(IsaSet::parse(isa).unwrap().allows(&insn), exists, "{isa} {bits:#x}");
        }
    }
}
