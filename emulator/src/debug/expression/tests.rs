//! What is an expression, and how it is put together.

use super::*;

#[test]
fn numbers() {
    for (text, value) in [
        ("0", Some(0)),
        ("1_000_000", Some(1_000_000)),
        ("0x10", Some(16)),
        ("0xffff_ffff_ffff_ffff", Some(u64::MAX)),
        ("0b101", Some(5)),
        ("18446744073709551616", None),
        ("", None),
        ("0x", None),
        ("12a", None),
        ("+5", None),
        ("-1", None),
    ] {
        assert_eq!(parse_number(text), value, "{text}");
    }
}

/// Each as it is understood, with brackets around all that is put together.
#[test]
fn expressions() {
    for (text, expected) in [
        ("0x10", "16"),
        ("010", "8"),
        ("0777ul", "511"),
        ("00", "0"),
        ("0b10", "2"),
        ("main+010", "(main + 8)"),
        ("$sp + 0x8", "($sp + 8)"),
        ("$sp-8", "($sp - 8)"),
        ("a > 1 ? a : b ? 2 : 3", "((a > 1) ? a : (b ? 2 : 3))"),
        ("ns::f(int, char const*)", "ns::f(int, char const*)"),
        ("ns::twice<int>(int) + 4", "(ns::twice<int>(int) + 4)"),
        ("a < b", "(a < b)"),
        ("a<b", "(a < b)"),
        ("a<b && c>d", "((a < b) && (c > d))"),
        ("f() const", "f() const"),
        ("-1", "-1"),
        ("main", "main"),
        ("a::b+1", "(a::b + 1)"),
        ("kernel:main", "kernel:main"),
        ("12:main+4", "(12:main + 4)"),
        ("2:0x1000", "2:0x1000"),
        ("1:n", "1:n"),
        ("lines.c:41", "lines.c:41"),
        ("src/my-file.c:41 + 2", "(src/my-file.c:41 + 2)"),
        ("lines.c:count", "lines.c:count"),
        ("'my file.c'::count", "my file.c:count"),
        ("1:lines.c:count", "1:lines.c:count"),
        ("'f(int)'", "f(int)"),
        ("core::{impl#0}::f", "core::{impl#0}::f"),
        ("a.b->c[2].d", "a.b->c[2].d"),
        ("a[i + 1][j]", "a[(i + 1)][j]"),
        ("*p->next", "*p->next"),
        ("(*p).next", "p->next"),
        ("&a[2]", "&a[2]"),
        ("**p", "**p"),
        ("!a && ~b | -c", "(!a && (~b | -c))"),
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("a << 2 >= b & c ^ d", "((((a << 2) >= b) & c) ^ d)"),
        ("a == b || c != d && e", "((a == b) || ((c != d) && e))"),
        ("(a) - b", "(a - b)"),
        ("(int) b", "(int) b"),
        ("(unsigned long int *) b", "(unsigned long *) b"),
        ("(struct node *) p + 1", "((struct node *) p + 1)"),
        ("((node_t *) p)->next", "(node_t *) p->next"),
        ("(size_t) x", "(size_t) x"),
        ("(x) in y", "(x in y)"),
        ("sizeof(int)", "sizeof(int)"),
        ("sizeof x", "sizeof(x)"),
        ("sizeof(x)", "sizeof(x)"),
        ("p[0]@3", "(p[0] @ 3)"),
        ("'a'", "97"),
        ("'\\n' + '\\0' + '\\x41' + '\\''", "(((10 + 0) + 65) + 39)"),
        ("1.5e3", "1500"),
        ("1.5f * 2", "((float) 1.5 * 2)"),
        ("tuple.0", "tuple.0"),
        ("va in counter", "(va in counter)"),
        ("page(va)", "page(va)"),
        ("index", "index"),
    ] {
        let said = Expression::parse(text).map(|expression| expression.node().to_string());
        assert_eq!(said.as_deref(), Ok(expected), "{text}");
    }
    for text in [
        "", "12ab", "main+", "+4", "-", "a.", "a[", "a[1", "(a", "f(1)", "a = 1", "'", "''", "a b", "x:y",
        "1:", "$",
    ] {
        assert!(Expression::parse(text).is_err(), "{text}");
    }
}

/// As C and gdb have it; counts are not read here.
#[test]
fn a_leading_zero_is_octal() {
    let why = |text: &str| Expression::parse(text).unwrap_err();
    let no = |text: &str, digit| {
        format!("`{text}` is not a number: behind a leading 0 stand octal digits, and {digit} is none")
    };
    assert_eq!((why("08"), why("0190")), (no("08", 8), no("0190", 9)));
    assert_eq!(why("0777777777777777777777777"), "`0777777777777777777777777` is too large for 64 bits");
}

#[test]
fn what_follows_is_found() {
    for (text, first, rest) in [
        ("main 4", "main", "4"),
        ("main -4", "main", "-4"),
        ("main - 4", "(main - 4)", ""),
        ("main-4", "(main - 4)", ""),
        ("&a &b", "&a", "&b"),
        ("(a -b) 3", "(a - b)", "3"),
        ("a[i -1] 8", "a[(i - 1)]", "8"),
    ] {
        let (expression, left) = Expression::parse_next(text).unwrap();
        assert_eq!((expression.node().to_string().as_str(), left), (first, rest), "{text}");
    }
}

#[test]
fn what_may_be_waited_for_is_known() {
    let location = |text: &str| Expression::parse(text).unwrap().location();
    let of = |name: &str, offset| Some((name.to_owned(), offset));
    assert_eq!(location("main"), of("main", 0));
    assert_eq!(location("2:main + 4"), of("2:main", 4));
    assert_eq!(location("lines.c:41"), of("lines.c:41", 0));
    assert_eq!(location("work.cold"), of("work.cold", 0));
    assert_eq!(location("main+8-4"), of("main", 4));
    for text in ["*main", "16", "$pc", "main + $a0", "p->f"] {
        assert_eq!(location(text), None, "{text}");
    }
}
