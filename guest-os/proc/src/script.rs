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

/// The `#!` line at the start of a file; `None` if there is none or it names nothing.
pub fn parse_script(start_of_file: &[u8]) -> Option<Script<'_>> {
    let text = start_of_file.get(..LINE_BYTES).unwrap_or(start_of_file).strip_prefix(b"#!")?;
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
}
