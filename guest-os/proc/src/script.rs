//! `#!` lines.

/// The interpreter that a script names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Script<'a> {
    /// The interpreter's path.
    pub interpreter: &'a [u8],
    /// The rest of the line, as one argument.
    pub argument: Option<&'a [u8]>,
}

/// Longest `#!` line that is looked at (`BINPRM_BUF_SIZE`).
const LINE_BYTES: usize = 256;

/// The `#!` line at the start of a file; `None` if there is none, it names nothing, or the interpreter's path
/// goes on past what is looked at.
pub fn parse_script(start_of_file: &[u8]) -> Option<Script<'_>> {
    let text = start_of_file.get(..LINE_BYTES).unwrap_or(start_of_file).strip_prefix(b"#!")?;
    let is_cut = start_of_file.len() >= LINE_BYTES
        && !text.trim_ascii_start().iter().any(|byte| b"\0\t\n ".contains(byte));
    if is_cut {
        return None;
    }
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii();
    let end = line.iter().position(|&byte| byte == b' ' || byte == b'\t').unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(end);
    let argument = rest.trim_ascii();
    (!interpreter.is_empty())
        .then_some(Script { interpreter, argument: (!argument.is_empty()).then_some(argument) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_linux_does() {
        type Row = (&'static [u8], Option<(&'static [u8], Option<&'static [u8]>)>);
        let rows: [Row; 6] = [
            (b"#!/bin/sh\necho", Some((b"/bin/sh", None))),
            (b"#! /usr/bin/env  -S python3 -u \n", Some((b"/usr/bin/env", Some(b"-S python3 -u")))),
            (b"#!/bin/sh", Some((b"/bin/sh", None))),
            (b"#!\n/bin/sh", None),
            (b"# !/bin/sh", None),
            (b"", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_script(text).map(|s| (s.interpreter, s.argument)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_path_that_is_not_seen_whole_is_none() {
        let mut text = [b'q'; 300];
        text[..3].copy_from_slice(b"#!/");
        assert_eq!(parse_script(&text), None);
        assert_eq!(parse_script(&text[..255]).map(|s| s.interpreter.len()), Some(253));
        text[260] = b'\n';
        assert_eq!(parse_script(&text), None);
        text[255] = b'\n';
        assert_eq!(parse_script(&text).map(|s| s.interpreter.len()), Some(253));
        text[100] = b' ';
        assert_eq!(
            parse_script(&text).map(|s| (s.interpreter.len(), s.argument.is_some())),
            Some((98, true))
        );
    }
}
