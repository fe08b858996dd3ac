//! Known answers for the corners of the arithmetic, each row a sentence of the standard or of the manual.

use crate::softfloat::{self as soft, Binary32, Binary64, Flags, Round};

/// The flags of the letters in `text`: v NV, z DZ, o OF, u UF, x NX.
fn flags(text: &str) -> Flags {
    text.chars()
        .map(|letter| match letter {
            'v' => Flags::INVALID,
            'z' => Flags::DIVIDE_BY_ZERO,
            'o' => Flags::OVERFLOW,
            'u' => Flags::UNDERFLOW,
            'x' => Flags::INEXACT,
            other => panic!("no flag {other}"),
        })
        .collect()
}

#[test]
fn known_answers_32() {
    use Round::{Down, NearestEven as Rne, NearestMaxMagnitude as Rmm, TowardsZero as Rtz, Up};
    type Two = fn(u32, u32, Round) -> (u32, Flags);
    let add: Two = soft::add::<Binary32>;
    let sub: Two = soft::sub::<Binary32>;
    let mul: Two = soft::mul::<Binary32>;
    let div: Two = soft::div::<Binary32>;
    let sqrt: Two = |a, _, mode| soft::sqrt::<Binary32>(a, mode);
    let (one, tiny, normal, max) = (0x3f80_0000, 1, 0x0080_0000, 0x7f7f_ffff);
    let (inf, nan, snan, sign) = (0x7f80_0000, 0x7fc0_0000, 0x7f80_0001, 0x8000_0000);
    let rows: &[(&str, Two, u32, u32, Round, u32, &str)] = &[
        ("1 + 1", add, one, one, Rne, 0x4000_0000, ""),
        ("a NaN's payload and sign are not kept", add, 0xffff_ffff, one, Rne, nan, ""),
        ("a signaling NaN is invalid", add, one, snan, Rne, nan, "v"),
        ("inf - inf", sub, inf, inf, Rne, nan, "v"),
        ("inf + inf", add, inf, inf, Rne, inf, ""),
        ("x - x is +0", sub, one, one, Rne, 0, ""),
        ("x - x is -0 downwards", sub, one, one, Down, sign, ""),
        ("-0 + -0", add, sign, sign, Rne, sign, ""),
        ("-0 + 0 downwards", add, sign, 0, Down, sign, ""),
        ("half an ulp, a tie, to even", add, one, 0x3380_0000, Rne, one, "x"),
        ("half an ulp, a tie, to max magnitude", add, one, 0x3380_0000, Rmm, 0x3f80_0001, "x"),
        ("the smallest number moves 1 upwards", add, one, tiny, Up, 0x3f80_0001, "x"),
        ("and minus it moves 1 towards zero", sub, one, tiny, Rtz, 0x3f7f_ffff, "x"),
        ("max + max to nearest", add, max, max, Rne, inf, "ox"),
        ("max + max towards zero", add, max, max, Rtz, max, "ox"),
        ("max + max downwards", add, max, max, Down, max, "ox"),
        ("-max - max upwards", sub, max | sign, max, Up, max | sign, "ox"),
        ("-max - max downwards", sub, max | sign, max, Down, inf | sign, "ox"),
        ("a subnormal sum is exact", add, tiny, tiny, Rne, 2, ""),
        ("0 * inf", mul, 0, inf, Rne, nan, "v"),
        ("tiny * tiny", mul, tiny, tiny, Rne, 0, "ux"),
        ("tiny * tiny upwards", mul, tiny, tiny, Up, tiny, "ux"),
        ("tiny * -tiny downwards", mul, tiny, tiny | sign, Down, tiny | sign, "ux"),
        (
            "a subnormal product that is exact does not underflow",
            mul,
            normal,
            0x3f00_0000,
            Rne,
            0x0040_0000,
            "",
        ),
        // 0x3f7fffff * 0x00800000 lies just beneath the normals: with 24 bits it is exact there, hence tiny.
        ("rounded up to the normals, tiny after rounding", mul, 0x3f7f_ffff, normal, Rne, normal, "ux"),
        ("1 / 0", div, one, 0, Rne, inf, "z"),
        ("-1 / 0", div, one | sign, 0, Rne, inf | sign, "z"),
        ("0 / 0", div, 0, sign, Rne, nan, "v"),
        ("inf / inf", div, inf, inf, Rne, nan, "v"),
        ("inf / 0 divides by no number", div, inf, 0, Rne, inf, ""),
        ("1 / inf", div, one, inf, Rne, 0, ""),
        ("1 / 3", div, one, 0x4040_0000, Rne, 0x3eaa_aaab, "x"),
        ("1 / 3 towards zero", div, one, 0x4040_0000, Rtz, 0x3eaa_aaaa, "x"),
        ("sqrt(-0)", sqrt, sign, 0, Rne, sign, ""),
        ("sqrt(-1)", sqrt, one | sign, 0, Rne, nan, "v"),
        ("sqrt(-inf)", sqrt, inf | sign, 0, Rne, nan, "v"),
        ("sqrt(inf)", sqrt, inf, 0, Rne, inf, ""),
        ("sqrt(4)", sqrt, 0x4080_0000, 0, Rne, 0x4000_0000, ""),
        ("sqrt(2)", sqrt, 0x4000_0000, 0, Rne, 0x3fb5_04f3, "x"),
        ("sqrt(2^-149)", sqrt, tiny, 0, Rne, 0x1a35_04f3, "x"),
    ];
    for &(name, operation, a, b, mode, value, raised) in rows {
        assert_eq!(operation(a, b, mode), (value, flags(raised)), "{name}");
    }
}

#[test]
fn known_answers_64() {
    let (one, inf, nan, sign) = (0x3ff0_u64 << 48, 0x7ff0_u64 << 48, 0x7ff8_u64 << 48, 1_u64 << 63);
    let rne = Round::NearestEven;
    let fma = |a, b, c| soft::fused_multiply_add::<Binary64>(a, b, c, rne);
    assert_eq!(fma(inf, 0, nan), (nan, flags("v")), "infinity times zero is invalid beside a quiet NaN");
    assert_eq!(fma(inf, one, inf | sign), (nan, flags("v")));
    assert_eq!(fma(inf, one, nan), (nan, flags("")));
    assert_eq!(fma(one, one, one | sign), (0, flags("")));
    // (1 + 2^-52)^2 - (1 + 2^-51) = 2^-104, which two roundings would lose.
    assert_eq!(fma(one + 1, one + 1, (one + 2) | sign), (0x3970 << 48, flags("")));

    let to_i64 = |a| soft::to_i64::<Binary64>(a, Round::TowardsZero);
    assert_eq!(to_i64(nan), (i64::MAX, flags("v")));
    assert_eq!(to_i64(inf | sign), (i64::MIN, flags("v")));
    assert_eq!(to_i64(0x43e0_u64 << 48), (i64::MAX, flags("v")), "2^63 does not fit");
    assert_eq!(to_i64(0xc3e0_u64 << 48), (i64::MIN, flags("")), "-2^63 does");
    assert_eq!(to_i64(0xbfe0_u64 << 48), (0, flags("x")), "-0.5");
    assert_eq!(soft::to_u32::<Binary64>(0xbfe0 << 48, Round::TowardsZero), (0, flags("x")));
    assert_eq!(soft::to_u32::<Binary64>(0xbfe0 << 48, Round::Down), (0, flags("v")));
    assert_eq!(soft::to_u64::<Binary64>(0xbff0 << 48, rne), (0, flags("v")));
    assert_eq!(soft::to_i32::<Binary64>(0x41df_ffff_ffe0_0000, rne), (i32::MAX, flags("v")), "2^31 - 0.5");
    assert_eq!(soft::to_i32::<Binary64>(0x41df_ffff_ffe0_0000, Round::Down), (i32::MAX, flags("x")));

    let to_32 = |a, mode| soft::convert::<Binary64, Binary32>(a, mode);
    assert_eq!(to_32(nan + 1, rne), (0x7fc0_0000, flags("")));
    assert_eq!(to_32(inf + 1, rne), (0x7fc0_0000, flags("v")));
    assert_eq!(to_32(0x47f0_u64 << 48, Round::TowardsZero), (0x7f7f_ffff, flags("ox")));
    assert_eq!(to_32(0x3690_u64 << 48, rne), (0, flags("ux")), "2^-150 is a tie with zero");
    assert_eq!(to_32(0x36a0_u64 << 48, rne), (1, flags("")), "2^-149 is exact");
    // Tininess is detected after rounding: both results are the smallest normal number.
    assert_eq!(
        to_32(0x380f_ffff_f000_0000, rne),
        (0x0080_0000, flags("x")),
        "reaches the normals in 24 bits"
    );
    assert_eq!(to_32(0x380f_ffff_efff_ffff, rne), (0x0080_0000, flags("ux")), "does not");
}

#[test]
fn signs_and_classes() {
    let (one, sign) = (0x3f80_0000_u32, 0x8000_0000_u32);
    assert_eq!(soft::copy_sign::<Binary32>(one, sign), one | sign);
    assert_eq!(soft::copy_sign_negated::<Binary32>(one, sign), one);
    assert_eq!(soft::copy_sign_xor::<Binary32>(one | sign, sign), one);
    assert_eq!(soft::copy_sign_xor::<Binary32>(0xffc0_0001, sign), 0x7fc0_0001, "a NaN's payload stays");
    let classes = [
        (0xff80_0000, 0),
        (0xbf80_0000, 1),
        (0x807f_ffff, 2),
        (0x8000_0000, 3),
        (0x0000_0000, 4),
        (0x0000_0001, 5),
        (0x0080_0000, 6),
        (0x7f80_0000, 7),
        (0x7fbf_ffff, 8),
        (0xffc0_0000, 9),
    ];
    for (bits, class) in classes {
        assert_eq!(soft::classify::<Binary32>(bits), 1 << class, "{bits:#x}");
    }
    assert_eq!(soft::min::<Binary32>(0, sign), (sign, Flags::empty()));
    assert_eq!(soft::max::<Binary32>(sign, 0), (0, Flags::empty()));
    assert_eq!(soft::min::<Binary32>(0x7f80_0001, one), (one, Flags::INVALID));
    assert_eq!(soft::eq::<Binary32>(0x7fc0_0000, one), (false, Flags::empty()));
    assert_eq!(soft::lt::<Binary32>(0x7fc0_0000, one), (false, Flags::INVALID));
}
