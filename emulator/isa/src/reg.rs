//! Names of the registers in the standard calling convention (psABI, "Register Convention").

/// ABI names of `x0`..`x31`.
pub const X_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
    "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// ABI names of `f0`..`f31`.
pub const F_NAMES: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4",
    "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8",
    "ft9", "ft10", "ft11",
];

/// `x0`, always zero.
pub const ZERO: u8 = 0;
/// `x1`, the return address.
pub const RA: u8 = 1;
/// `x2`, the stack pointer.
pub const SP: u8 = 2;
/// The frame pointer, in a function that has one.
pub const S0: u8 = 8;
/// `x4`, the thread pointer.
pub const TP: u8 = 4;
/// `x10`, first argument and result.
pub const A0: u8 = 10;
/// `x17`, the number of a system or SBI call.
pub const A7: u8 = 17;

/// The number of an integer register by its ABI name, `fp`, or `x0`..`x31`.
pub fn x_from_name(name: &str) -> Option<u8> {
    if name == "fp" { Some(8) } else { from_name(&X_NAMES, 'x', name) }
}

/// The number of a floating-point register by its ABI name or `f0`..`f31`.
pub fn f_from_name(name: &str) -> Option<u8> {
    from_name(&F_NAMES, 'f', name)
}

fn from_name(names: &[&str; 32], letter: char, name: &str) -> Option<u8> {
    let numbered = || {
        let digits = name.strip_prefix(letter)?;
        let plain =
            digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
        digits.parse::<u8>().ok().filter(|&n| plain && n < 32)
    };
    let named = || (0..32).find(|&n| names[usize::from(n)] == name);
    named().or_else(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for n in 0..32u8 {
            assert_eq!(x_from_name(X_NAMES[usize::from(n)]), Some(n));
            assert_eq!(f_from_name(F_NAMES[usize::from(n)]), Some(n));
        }
        assert_eq!((x_from_name("fp"), x_from_name("x31"), f_from_name("f8")), (Some(8), Some(31), Some(8)));
        for bad in ["", "x", "x32", "x01", "x+1", "f1", "a8", "X1"] {
            assert_eq!(x_from_name(bad), None, "{bad}");
        }
    }
}
