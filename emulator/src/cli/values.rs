//! What stands behind the flags: numbers, sizes, extensions and the like, with a message for what is none.

use clap::Arg;
use clap::builder::{
    OsStringValueParser, PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser,
};
use emulator::machine::MAX_HARTS;
use emulator::mem::tlb::{BadGeometry, TlbGeometry};
use isa::policies::PolicyKind;
use isa::{Extension, IsaSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// A replacement policy by name.
pub fn policies() -> impl TypedValueParser<Value = PolicyKind> {
    let names = PolicyKind::all().map(|kind| PossibleValue::new(kind.name()).help(kind.about()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<PolicyKind>())
}

pub fn harts() -> impl TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(1..=i64::try_from(MAX_HARTS).expect("a small number"))
}

/// Pages that a fault maps at most: what fits into a page table.
pub fn parse_window(text: &str) -> Result<u64, String> {
    let pages = text.parse().ok().filter(|n: &u64| n.is_power_of_two() && *n <= isa::paging::ENTRIES);
    pages.ok_or_else(|| format!("not a power of two up to {}", isa::paging::ENTRIES))
}

/// `--timeout`: seconds, more than none, perhaps with a fraction.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|time| !time.is_zero()).ok_or_else(|| "expected seconds, such as 10 or 0.5".to_string())
}

pub fn parse_tlb(text: &str) -> Result<TlbGeometry, String> {
    text.parse().map_err(|error: BadGeometry| error.to_string())
}

/// `--isa`: a set of extensions, or `help` for the names.
#[derive(Clone)]
pub struct IsaParser;

impl TypedValueParser for IsaParser {
    type Value = IsaSet;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<IsaSet, clap::Error> {
        if value == "help" {
            let help = clap::Command::new("isa").override_help(isa_names());
            return Err(help.try_get_matches_from(["isa", "--help"]).expect_err("help ends parsing"));
        }
        let parse = |text: String| {
            IsaSet::parse(&text).map_err(|error| format!("{error}; `--isa help` lists the names"))
        };
        StringValueParser::new().try_map(parse).parse_ref(command, arg, value)
    }
}

/// All that `--isa` knows.
pub fn isa_names() -> String {
    let extensions = Extension::ALL.iter().map(|e| e.name()).filter(|name| !name.is_empty());
    format!(
        "{ISA_HELP}\nProfiles:\n{}\nExtensions, and g for imafd:\n{}",
        in_lines(isa::ext::profiles()),
        in_lines(extensions)
    )
}

const ISA_HELP: &str = "\
--isa takes rv64 with a base (i or g), more letters, and other names after
underscores, as in rv64gc_zicntr_zba; or a profile, with more names after it,
as in rva22s64_zfh. Versions (rv64i2p1_m2p0) are not looked at.
";

/// Words in lines that are indented and fit a terminal.
fn in_lines(words: impl Iterator<Item = &'static str>) -> String {
    let mut text = String::from(" ");
    for word in words {
        let line = text.rsplit('\n').next().map_or(0, str::len);
        text += if line + 1 + word.len() > 78 { "\n  " } else { " " };
        text += word;
    }
    text + "\n"
}

pub fn parse_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

pub fn parse_granularity(text: &str) -> Result<u16, String> {
    let bytes = text.parse().ok().filter(|bytes: &u16| bytes.is_power_of_two() && *bytes <= 64);
    bytes.ok_or("expected a power of two from 1 to 64".to_string())
}

/// `KEY=VALUE`, in any bytes, as the program gets it.
pub fn env_parser() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|text| match text.as_bytes().iter().position(|&byte| byte == b'=') {
        None | Some(0) => Err("expected KEY=VALUE"),
        Some(_) => Ok(text),
    })
}

/// A number of bytes: decimal, with an optional suffix K, M or G (powers of 1024).
pub fn bytes_of(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1u64,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err("expected a number with an optional suffix K, M or G, such as 128M".to_string()),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a size such as 128M".to_string())?;
    Ok(number.checked_mul(unit).ok_or("that is more than a machine can have")?)
}

/// A size of RAM in bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let bytes = bytes_of(text)?;
    if !(MIN_RAM..=MAX_RAM).contains(&bytes) || !bytes.is_multiple_of(4096) {
        return Err("RAM must be a multiple of 4K from 4M to 16G".to_string());
    }
    Ok(bytes)
}

const MIN_RAM: u64 = 4 << 20;
/// The most RAM that `-m` gives.
pub const MAX_RAM: u64 = 16 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("128M", Some(128 << 20)),
            ("8m", Some(8 << 20)),
            ("1G", Some(1 << 30)),
            ("16777216", Some(16 << 20)),
        ] {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
        for text in ["", "M", "12X", "1", "99999999999G", "-1", "4097K1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
