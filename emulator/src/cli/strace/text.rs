//! Values as strace writes them: strings, flags, sets of signals.

use abi::{Effect, FlagSet, signal_name};
use std::fmt::Write;

/// Bytes of a string or buffer that are shown.
pub const SHOWN_BYTES: usize = 32;

/// Bytes in quotes, with C's escapes.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for (index, &byte) in bytes.iter().enumerate() {
        let is_digit_next = bytes.get(index + 1).is_some_and(u8::is_ascii_digit);
        // Writing to a String can't fail.
        let _ = match byte {
            b'"' | b'\\' => write!(text, "\\{}", char::from(byte)),
            b'\n' => write!(text, "\\n"),
            b'\t' => write!(text, "\\t"),
            b'\r' => write!(text, "\\r"),
            0x0b => write!(text, "\\v"),
            0x0c => write!(text, "\\f"),
            b' '..=b'~' => write!(text, "{}", char::from(byte)),
            _ if is_digit_next => write!(text, "\\{byte:03o}"),
            _ => write!(text, "\\{byte:o}"),
        };
    }
    text.push('"');
    text
}

/// A path: in full.
pub fn path(bytes: &[u8]) -> String {
    quoted(bytes)
}

/// The beginning of a string, and whether it is longer.
pub fn string(bytes: &[u8]) -> String {
    let more = if bytes.len() > SHOWN_BYTES { "..." } else { "" };
    format!("{}{more}", quoted(&bytes[..bytes.len().min(SHOWN_BYTES)]))
}

/// An address; the null pointer by its name.
pub fn address(value: u64) -> String {
    if value == 0 { "NULL".to_string() } else { format!("{value:#x}") }
}

/// The low 32 bits as an `int`.
pub fn int(value: u64) -> String {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    low.cast_signed().to_string()
}

/// Permission bits.
pub fn mode(value: u64) -> String {
    if value & 0o7777 == 0 {
        "000".to_string()
    } else {
        format!("{:#05o}", value & 0o7777).replace("0o", "0")
    }
}

/// A word of flags, by the names of a set; bits without a name in hexadecimal.
pub fn flags(set: &FlagSet, value: u64) -> String {
    let mut rest = value & set.mask();
    let mut names: Vec<String> = Vec::new();
    let choice = rest & set.choice_bits;
    let named = set.choice(rest);
    if set.choice_bits != 0 {
        rest &= !choice;
        match named {
            // What is chosen by not choosing, and without effect, needs no word.
            Some(flag) if choice == 0 && flag.effect == Effect::Ignored => {}
            Some(flag) => names.push(flag.name.to_string()),
            None if choice != 0 => names.push(format!("{choice:#x}")),
            None => {}
        }
    }
    for flag in set.flags.iter().filter(|flag| flag.bits != 0) {
        if rest & flag.bits == flag.bits {
            rest &= !flag.bits;
            names.push(flag.name.to_string());
        }
    }
    if rest != 0 {
        names.push(format!("{rest:#x}"));
    }
    match (names.is_empty(), named) {
        (false, _) => names.join("|"),
        (true, Some(flag)) if flag.effect == Effect::Taken => flag.name.to_string(),
        (true, _) => "0".to_string(),
    }
}

/// A signal by its name.
pub fn signal(number: u64) -> String {
    match (signal_name(number), number) {
        (Some(name), _) => name.to_string(),
        (None, 32) => "SIGRTMIN".to_string(),
        (None, 33..=64) => format!("SIGRT_{}", number - 32),
        _ => number.to_string(),
    }
}

/// A set of signals; one that has more than half of them by what it lacks.
pub fn signal_set(set: u64) -> String {
    let (sign, listed) = if set.count_ones() > 32 { ("~", !set) } else { ("", set) };
    let names: Vec<String> = (1..=64)
        .filter(|number| listed >> (number - 1) & 1 != 0)
        .map(|number| signal(number).trim_start_matches("SIG").to_string())
        .collect();
    format!("{sign}[{}]", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::sets;

    #[test]
    fn strings_are_escaped_and_cut() {
        assert_eq!(string(b"a\"b\\\n\t\x1b[0m\0"), r#""a\"b\\\n\t\33[0m\0""#);
        // A digit behind it would be read as a part of the number.
        assert_eq!(string(b"\x018\x01x\xff"), r#""\0018\1x\377""#);
        assert_eq!(string(&[b'x'; 32]), format!("\"{}\"", "x".repeat(32)));
        assert_eq!(string(&[b'x'; 33]), format!("\"{}\"...", "x".repeat(32)));
        assert_eq!(path(&[b'x'; 33]), format!("\"{}\"", "x".repeat(33)));
    }

    #[test]
    fn flags_have_names() {
        assert_eq!(flags(&sets::OPEN, 0), "O_RDONLY");
        assert_eq!(flags(&sets::OPEN, 0o2_000_101), "O_WRONLY|O_CREAT|O_CLOEXEC");
        assert_eq!(flags(&sets::OPEN, 0o20_200_002), "O_RDWR|O_TMPFILE");
        assert_eq!(flags(&sets::OPEN, 0o3), "0x3");
        assert_eq!(flags(&sets::MMAP_PROT, 0), "PROT_NONE");
        assert_eq!(flags(&sets::MMAP_PROT, 0x103), "PROT_READ|PROT_WRITE|0x100");
        assert_eq!(flags(&sets::STAT, 0), "0");
        assert_eq!(flags(&sets::STAT, 0x1100), "AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH");
        assert_eq!(flags(&sets::WHENCE, 9), "0x9");
        // Only the bits of an int count.
        assert_eq!(flags(&sets::DUP, 0xffff_ffff_0000_0000), "0");
    }

    #[test]
    fn numbers_and_sets_of_signals() {
        assert_eq!(int(0xffff_ffff), "-1");
        assert_eq!((mode(0o644), mode(0), mode(0o1777)), ("0644".into(), "000".into(), "01777".into()));
        assert_eq!((address(0), address(16)), ("NULL".into(), "0x10".into()));
        assert_eq!(signal_set(1 << 1 | 1 << 16), "[INT CHLD]");
        assert_eq!(signal_set(!(1 << 8)), "~[KILL]");
        assert_eq!((signal(34), signal(99)), ("SIGRT_2".into(), "99".into()));
    }
}
