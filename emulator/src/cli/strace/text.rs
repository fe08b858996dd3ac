//! Values as strace writes them: strings, flags, sets of signals.

use abi::{FlagSet, signal_name};
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

/// A number in hexadecimal; zero without a prefix.
pub fn hex(value: u64) -> String {
    if value == 0 { "0".to_string() } else { format!("{value:#x}") }
}

/// Bytes in quotes, each in hexadecimal, and whether there are more.
pub fn noise(bytes: &[u8]) -> String {
    let more = if bytes.len() > SHOWN_BYTES { "..." } else { "" };
    let shown: Vec<String> = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{}\"{more}", shown.concat())
}

/// A time as a date; `None` for the beginning of time, and beyond the year 9999.
pub fn date(seconds: i64, nanoseconds: i64) -> Option<String> {
    const DAY: i64 = 24 * 60 * 60;
    const LAST: i64 = 253_402_300_799;
    if !(0..=LAST).contains(&seconds) || (seconds, nanoseconds) == (0, 0) {
        return None;
    }
    let (mut day, second, mut year) = (seconds / DAY, seconds % DAY, 1970);
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while day >= 365 + i64::from(is_leap(year)) {
        day -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let part = if nanoseconds == 0 { String::new() } else { format!(".{nanoseconds:09}") };
    let [hours, minutes, seconds] = [second / 3600, second / 60 % 60, second % 60];
    Some(format!("{year}-{month:02}-{:02}T{hours:02}:{minutes:02}:{seconds:02}{part}+0000", day + 1))
}

/// The low 32 bits as an `int`.
pub fn int(value: u64) -> String {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    low.cast_signed().to_string()
}

/// Permission bits.
pub fn mode(value: u64) -> String {
    match value & 0o7777 {
        bits @ 0..=0o77 => format!("{bits:03o}"),
        bits => format!("0{bits:o}"),
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
            Some(flag) => names.push(flag.name.to_string()),
            None if choice != 0 => names.push(unknown(set, choice)),
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
        (true, Some(flag)) => flag.name.to_string(),
        (true, None) => "0".to_string(),
    }
}

/// A choice without a name: what its name would begin with, where the others agree on that.
fn unknown(set: &FlagSet, choice: u64) -> String {
    let start = |name: &'static str| name.find('_').map(|end| &name[..=end]);
    let mut starts = set.choices.iter().map(|flag| start(flag.name));
    let common = starts.next().flatten().filter(|&first| starts.all(|other| other == Some(first)));
    match common.filter(|_| set.flags.is_empty() && set.choices.len() > 1) {
        Some(common) => format!("{choice:#x} /* {common}??? */"),
        None => format!("{choice:#x}"),
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
        assert_eq!(flags(&sets::STATX_AT, 0x1000), "AT_STATX_SYNC_AS_STAT|AT_EMPTY_PATH");
        assert_eq!(flags(&sets::ADVICE, 0), "MADV_NORMAL");
        assert_eq!(flags(&sets::SIGNAL_STACK, 0), "0");
        assert_eq!(flags(&sets::FUTEX_BITS, 0xffff_ffff), "FUTEX_BITSET_MATCH_ANY");
        assert_eq!(flags(&sets::STAT, 0x1100), "AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH");
        assert_eq!(flags(&sets::WHENCE, 9), "0x9 /* SEEK_??? */");
        assert_eq!((flags(&sets::IOCTL, 9), flags(&sets::FUTEX, 99)), ("0x9".into(), "0x63".into()));
        // Only the bits of an int count.
        assert_eq!(flags(&sets::DUP, 0xffff_ffff_0000_0000), "0");
    }

    #[test]
    fn numbers_and_sets_of_signals() {
        assert_eq!(int(0xffff_ffff), "-1");
        assert_eq!((mode(0o644), mode(0), mode(0o1777)), ("0644".into(), "000".into(), "01777".into()));
        assert_eq!((mode(0o22), mode(0o7), mode(0o777)), ("022".into(), "007".into(), "0777".into()));
        assert_eq!((hex(0), hex(0x53)), ("0".into(), "0x53".into()));
        assert_eq!((address(0), address(16)), ("NULL".into(), "0x10".into()));
        assert_eq!(signal_set(1 << 1 | 1 << 16), "[INT CHLD]");
        assert_eq!(signal_set(!(1 << 8)), "~[KILL]");
        assert_eq!((signal(34), signal(99)), ("SIGRT_2".into(), "99".into()));
    }

    #[test]
    fn times_are_dates() {
        assert_eq!(date(5, 6).as_deref(), Some("1970-01-01T00:00:05.000000006+0000"));
        assert_eq!(date(1_700_000_000, 0).as_deref(), Some("2023-11-14T22:13:20+0000"));
        assert_eq!(date(951_782_400, 0).as_deref(), Some("2000-02-29T00:00:00+0000"));
        assert_eq!(date(4_107_542_399, 0).as_deref(), Some("2100-02-28T23:59:59+0000"));
        assert_eq!((date(0, 0), date(-1, 0), date(i64::MAX, 0)), (None, None, None));
    }

    #[test]
    fn noise_is_hexadecimal() {
        assert_eq!(noise(b"\x00a"), r#""\x00\x61""#);
        assert_eq!(noise(&[1; 33]), format!("\"{}\"...", "\\x01".repeat(32)));
    }
}
