//! How `x` shows memory: `/[COUNT][FORMAT][SIZE]`, and `print` values: `/FORMAT`.

use super::super::expression::{Expression, parse_number};
use super::Shown;
use crate::source::Format;

/// What `x` takes memory for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contents {
    /// Values, written so; as a text they end at a NUL.
    Values(Format),
    /// Floating-point numbers, as long as those are that the address is of.
    Floats,
    /// Instructions.
    Instructions,
}

/// What `x` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Examine {
    /// How many values.
    pub count: u64,
    /// What each is.
    pub contents: Contents,
    /// Bytes of each: 1, 2, 4 or 8.
    pub size_bytes: u8,
}

impl Default for Examine {
    fn default() -> Self {
        Self { count: 1, contents: Contents::Values(Format::Hex), size_bytes: 8 }
    }
}

impl Examine {
    /// The letters behind the slash, each part in any order but the count, and each with a default.
    fn parse(letters: &str) -> Result<Self, String> {
        let mut examine = Self::default();
        let digits = letters.len() - letters.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            examine.count = parse_number(&letters[..digits])
                .filter(|&count| (1..=4096).contains(&count))
                .ok_or("COUNT is from 1 to 4096")?;
        }
        let mut is_sized = false;
        for letter in letters[digits..].chars() {
            is_sized |= matches!(letter, 'b' | 'h' | 'w' | 'g');
            match letter {
                'i' => examine.contents = Contents::Instructions,
                'b' => examine.size_bytes = 1,
                'h' => examine.size_bytes = 2,
                'w' => examine.size_bytes = 4,
                'g' => examine.size_bytes = 8,
                letter => {
                    let format =
                        format_of(letter).ok_or_else(|| format!("`{letter}` is no format and no size"))?;
                    examine.contents = Contents::Values(format);
                    examine.size_bytes = match format {
                        Format::Character | Format::Text => 1,
                        Format::Address => 8,
                        _ => examine.size_bytes,
                    };
                }
            }
        }
        if examine.contents == Contents::Values(Format::Float) && !is_sized {
            examine.contents = Contents::Floats;
        }
        Ok(examine)
    }
}

/// The letters behind a slash that the words begin with, and what follows.
fn split_letters(rest: &str) -> (Option<&str>, &str) {
    match rest.strip_prefix('/') {
        Some(after) => {
            let (letters, rest) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
            (Some(letters), rest.trim())
        }
        None => (None, rest),
    }
}

/// `[/[COUNT][FORMAT][SIZE]] [EXPRESSION]`.
pub(super) fn parse_examine(rest: &str) -> Result<(Examine, Option<Expression>), String> {
    let (letters, address) = split_letters(rest);
    let examine = Examine::parse(letters.unwrap_or_default())?;
    let address = if address.is_empty() { None } else { Some(Expression::parse(address)?) };
    Ok((examine, address))
}

/// `[/FORMAT] [EXPRESSION]`, for `print`.
pub(super) fn parse_print(rest: &str) -> Result<(Option<Format>, Option<Expression>), String> {
    let (letters, expression) = split_letters(rest);
    let format = match letters {
        None | Some("") => None,
        Some(letters) => Some(value_format(letters).ok_or_else(|| {
            format!("`/{letters}` is no format of `print`: there are /x /d /u /o /t /c /s /a /f, and `x` has sizes")
        })?),
    };
    let expression = if expression.is_empty() { None } else { Some(Expression::parse(expression)?) };
    Ok((format, expression))
}

/// The format that the letters behind `print/` mean.
fn value_format(letters: &str) -> Option<Format> {
    let mut letters = letters.chars();
    letters.next().and_then(format_of).filter(|_| letters.next().is_none())
}

/// The format that a letter means.
fn format_of(letter: char) -> Option<Format> {
    Some(match letter {
        'x' => Format::Hex,
        'd' => Format::Decimal,
        'u' => Format::Unsigned,
        'o' => Format::Octal,
        't' => Format::Binary,
        'c' => Format::Character,
        'a' => Format::Address,
        's' => Format::Text,
        'f' => Format::Float,
        _ => return None,
    })
}

/// `[/[COUNT][FORMAT][SIZE]] EXPRESSION`, for `display`: memory with a count or a size, and as instructions or a string; else the
/// value, as gdb has it.
pub(super) fn parse_display(rest: &str) -> Result<(Shown, Option<Expression>), String> {
    let (letters, _) = split_letters(rest);
    let is_value =
        letters.is_none_or(|letters| letters.is_empty() || value_format(letters).is_some() && letters != "s");
    if is_value {
        return parse_print(rest).map(|(format, expression)| (Shown::Value(format), expression));
    }
    parse_examine(rest).map(|(examine, expression)| (Shown::Memory(examine), expression))
}
