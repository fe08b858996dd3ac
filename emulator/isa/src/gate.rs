//! Which instructions a set of extensions has.
//!
//! Most instructions belong to one extension, that of their row in the table. Some belong to several, some need two;
//! and a compressed encoding needs its own extension beside that of the instruction which it expands to.

use crate::ext::{Extension, IsaSet};
use crate::insn::{Insn, Op};

impl IsaSet {
    /// Whether the instruction exists in this set.
    pub fn allows(self, insn: &Insn) -> bool {
        let compressed = insn.len == 4 || self.contains(compressed_extension(insn));
        compressed && self.allows_op(insn)
    }

    fn allows_op(self, insn: &Insn) -> bool {
        let has = |extension| self.contains(extension);
        match insn.op {
            Op::Mul | Op::Mulh | Op::Mulhsu | Op::Mulhu | Op::Mulw => has(Extension::Zmmul),
            op => has(op.extension()),
        }
    }
}

/// The extension of a compressed encoding.
fn compressed_extension(insn: &Insn) -> Extension {
    match insn.op {
        Op::Fld | Op::Fsd => Extension::Zcd,
        _ => Extension::Zca,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    /// `check(set, bits, exists)`.
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
            ("rv64i", 0x3020_0073, true), // mret
        ] {
            let insn = decode(bits).unwrap();
            assert_eq!(IsaSet::parse(isa).unwrap().allows(&insn), exists, "{isa} {bits:#x}");
        }
    }
}
