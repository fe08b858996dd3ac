//! Signatures of tests: memory from `begin_signature` to `end_signature`, written as Spike does (`+signature`, and
//! `+signature-granularity` for the length of a line) and compared with what another machine has written.

use super::find::Test;
use crate::cli::args::TestArgs;
use crate::cli::output;
use anyhow::{Context, Result, bail};
use emulator::machine::Machine;
use isa::PhysAddr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Extensions of a reference signature, in the order in which they are tried.
const REFERENCES: [&str; 4] = ["signature", "reference_output", "reference", "sig"];

/// Writes and compares the test's signature as far as is asked for. Why the comparison failed, if it did.
pub fn handle(args: &TestArgs, test: &Test, machine: &Machine) -> Result<Option<String>> {
    let width = usize::from(args.signature_granularity);
    let Some((begin, bytes)) = machine.signature() else {
        let missing = "has no symbols begin_signature and end_signature around memory of its own";
        if args.signature.is_some() {
            bail!("{}: {missing}", test.path.display());
        }
        return Ok(args.compare_signatures.is_some().then(|| missing.to_string()));
    };
    // First: what is written may be the reference.
    let mismatch = match &args.compare_signatures {
        Some(dir) => compare(dir, test, begin, bytes)?,
        None => None,
    };
    if let Some(path) = &args.signature {
        output::write(path, lines(bytes, width).concat())?;
    }
    if let Some(dir) = &args.signature_dir {
        let path = with_extension(dir, test, REFERENCES[0]);
        if let Some(folder) = path.parent() {
            output::create_folder(folder)?;
        }
        output::write(&path, lines(bytes, width).concat())?;
    }
    Ok(mismatch)
}

/// `DIR/LABEL.EXTENSION`; a label may have dots of its own.
fn with_extension(dir: &Path, test: &Test, extension: &str) -> PathBuf {
    let mut name = dir.join(&test.label).into_os_string();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Lines of `width` bytes, the highest address first, the last one filled up with zeros.
fn lines(bytes: &[u8], width: usize) -> Vec<String> {
    let line = |part: &[u8]| {
        let mut text = "00".repeat(width - part.len());
        for byte in part.iter().rev() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
        text
    };
    bytes.chunks(width).map(line).collect()
}

/// The first difference from the reference, in words.
fn compare(dir: &Path, test: &Test, begin: PhysAddr, bytes: &[u8]) -> Result<Option<String>> {
    let candidates = REFERENCES.iter().map(|extension| with_extension(dir, test, extension));
    let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
        let name = with_extension(dir, test, REFERENCES[0]);
        return Ok(Some(format!(
            "no reference signature {} (nor .{})",
            name.display(),
            REFERENCES[1..].join(", .")
        )));
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(difference(&text, begin, bytes).map(|what| format!("{what} ({})", path.display())))
}

/// The reference's own first line says how long lines are.
fn difference(reference: &str, begin: PhysAddr, bytes: &[u8]) -> Option<String> {
    let expected: Vec<String> = reference
        .lines()
        .map(|line| line.trim().to_ascii_lowercase())
        .filter(|line| !line.is_empty())
        .collect();
    let Some(first) = expected.first() else {
        return (!bytes.is_empty()).then(|| "the reference is empty".to_string());
    };
    let width = (first.len() / 2).max(1);
    let found = lines(bytes, width);
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let found = found.trim_end();
        if found != expected {
            let at = begin.wrapping_add((number * width) as u64);
            return Some(format!(
                "signature differs at line {} ({at}): it is {found}, the reference has {expected}",
                number + 1
            ));
        }
    }
    (found.len() != expected.len())
        .then(|| format!("the signature has {} lines, the reference {}", found.len(), expected.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 10] = [0x78, 0x56, 0x34, 0x12, 0xef, 0xbe, 0xad, 0xde, 1, 2];

    #[test]
    fn lines_have_the_highest_address_first_and_are_filled_up() {
        for (width, text) in [
            (4, "12345678\ndeadbeef\n00000201\n"),
            (8, "deadbeef12345678\n0000000000000201\n"),
            (16, "0000000000000201deadbeef12345678\n"),
            (1, "78\n56\n34\n12\nef\nbe\nad\nde\n01\n02\n"),
        ] {
            assert_eq!(lines(&BYTES, width).concat(), text, "{width}");
        }
        assert!(lines(&[], 4).is_empty());
    }

    #[test]
    fn the_first_difference_is_told() {
        let at = PhysAddr(0x8000_2000);
        let compare = |text: &str| difference(text, at, &BYTES).unwrap_or_default();
        assert_eq!(compare("12345678\nDEADBEEF\n00000201\n"), "");
        assert_eq!(compare("deadbeef12345678\r\n0000000000000201\n\n"), "");
        let differs = compare("12345678\ndeadbeee\n00000201\n");
        assert!(differs.contains("line 2 (0x80002004)") && differs.contains("has deadbeee"), "{differs}");
        assert!(compare("12345678\ndeadbeef\n").contains("3 lines, the reference 2"));
        assert!(compare("zz").contains("line 1"));
    }
}
