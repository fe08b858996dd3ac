//! The words of expressions: numbers, letters, names of types.

use crate::source::Number;

/// Parses a number: decimal, `0x…` or `0b…`, with `_` between digits if one likes.
pub fn parse_number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    if let Some(binary) = digits.strip_prefix("0b") {
        return u64::from_str_radix(binary, 2).ok();
    }
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A number as C has it: as [`parse_number`], but octal behind a leading `0`. The error says in a sentence what is wrong.
pub(in crate::debug) fn number_of_c(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let octal = digits.strip_prefix('0').filter(|rest| !rest.is_empty());
    let Some(octal) = octal.filter(|rest| rest.bytes().all(|b| b.is_ascii_digit())) else {
        return parse_number(text)
            .ok_or_else(|| format!("`{text}` is not a number (decimal, 0x…, 0b… or octal 0…)"));
    };
    u64::from_str_radix(octal, 8).map_err(|_| match octal.bytes().find(|digit| *digit > b'7') {
        Some(digit) => format!(
            "`{text}` is not a number: behind a leading 0 stand octal digits, and {} is none",
            char::from(digit)
        ),
        None => format!("`{text}` is too large for 64 bits"),
    })
}

/// So many lines on or back: `+1`, `-2`.
pub(in crate::debug) fn line_offset(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-'])?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A number with a point or a power, by its digits and the power of ten that they are times.
pub(super) fn long_double(text: &str) -> Option<(u128, i32)> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let rest = rest.trim_end_matches('0');
    let power = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(rest.len()).ok()?)?;
    Some((format!("0{whole}{rest}").parse().ok()?, power))
}

/// The words that types of C begin with.
pub(super) const TYPE_WORDS: &[&str] = &[
    "struct", "union", "enum", "unsigned", "signed", "int", "char", "long", "short", "float", "double",
    "void", "bool", "_Bool", "const", "volatile",
];

/// Letters, digits and `_` at the beginning of a text.
pub(super) fn word_of(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// How long the number with a point or an exponent is that a text begins with.
pub(super) fn float_len(text: &str) -> Option<usize> {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let mut len = digits(text);
    let behind_point = text[len..].strip_prefix('.');
    let has_point =
        behind_point.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic() || c == '_'));
    if has_point {
        len += 1 + digits(&text[len + 1..]);
    }
    let exponent = text[len..].strip_prefix(['e', 'E']);
    let exponent = exponent.map(|rest| rest.len() - rest.trim_start_matches(['+', '-']).len());
    let exponent = exponent.map(|signs| 1 + signs + digits(text[len..].get(1 + signs..).unwrap_or_default()));
    match exponent.filter(|&exponent| exponent > 1) {
        Some(exponent) => Some(len + exponent),
        None => has_point.then_some(len),
    }
}

/// The type of an integer as C has it: the first that holds it (C11, 6.4.4.1).
pub(super) fn type_of(number: u64, text: &str) -> Number {
    let suffix = text.trim_start_matches(|c: char| c.is_ascii_hexdigit() || matches!(c, 'x' | 'X' | '_'));
    let is_unsigned = suffix.contains(['u', 'U']);
    let is_long = suffix.contains(['l', 'L']);
    let is_decimal = !text.starts_with('0');
    let unsigned = Number { bytes: 4, ..Number::WORD };
    if !is_long && !is_unsigned && i32::try_from(number).is_ok() {
        Number::INT
    } else if !is_long && (is_unsigned || !is_decimal) && u32::try_from(number).is_ok() {
        unsigned
    } else if !is_unsigned && i64::try_from(number).is_ok() {
        Number::LONG
    } else {
        Number::WORD
    }
}

/// What stands behind `operator` in the names of C++'s operators, those that begin as others do first.
const OPERATORS: [&str; 38] = [
    "()", "[]", "<<=", ">>=", "<=>", "->*", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
    "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|=", "+", "-", "*", "/", "%", "^", "&", "|", "~", "!", "=",
    "<", ">",
];

/// How long the part of a name is that a text begins with: letters, digits and `_`; `operator()` and the like; behind `::` also `~Class`.
pub(super) fn part_len(text: &str, is_behind_class: bool) -> usize {
    let tilde = usize::from(is_behind_class && text.starts_with('~'));
    let word = word_of(&text[tilde..]);
    let behind = &text[tilde + word.len()..];
    if word.is_empty() {
        return 0;
    }
    if word != "operator" || tilde > 0 {
        return tilde + word.len();
    }
    let sign = OPERATORS.iter().find(|sign| behind.starts_with(**sign)).map_or(0, |sign| sign.len());
    // What it is converted to.
    let type_ = behind.strip_prefix(' ').map_or("", word_of);
    let blank = usize::from(!type_.is_empty());
    word.len() + if sign > 0 { sign } else { blank + type_.len() }
}

/// The letter of `'…'`.
pub(super) fn letter(text: &str) -> Option<u8> {
    let Some(escape) = text.strip_prefix('\\') else { return u8::try_from(text.chars().next()?).ok() };
    Some(match escape {
        "n" => b'\n',
        "t" => b'\t',
        "r" => b'\r',
        "\\" => b'\\',
        "'" => b'\'',
        "\"" => b'"',
        "a" => 7,
        "b" => 8,
        "f" => 12,
        "v" => 11,
        "e" => 27,
        _ => match escape.strip_prefix('x') {
            Some(hex) => u8::from_str_radix(hex, 16).ok()?,
            None => u8::from_str_radix(escape, 8).ok()?,
        },
    })
}

/// A type of C's by the name that compilers give it.
pub(super) fn canonical(words: &[String]) -> String {
    let count = |word: &str| words.iter().filter(|w| *w == word).count();
    let is_plain = words.iter().all(|word| {
        ["unsigned", "signed", "int", "char", "long", "short", "double", "float"].contains(&word.as_str())
    });
    if !is_plain {
        return words.join(" ");
    }
    let sign = if count("unsigned") > 0 { "unsigned " } else { "" };
    if count("double") > 0 {
        return if count("long") > 0 { "long double" } else { "double" }.to_owned();
    }
    if count("char") > 0 {
        let sign = if count("signed") > 0 { "signed " } else { sign };
        return format!("{sign}char");
    }
    if count("float") > 0 {
        return "float".to_owned();
    }
    let size = match (count("long"), count("short")) {
        (0, 0) => "int",
        (0, _) => "short",
        (..) => "long",
    };
    format!("{sign}{size}")
}
