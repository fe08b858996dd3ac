//! Blocks of a document that show a console: each command in them is run, and must print what stands below it.
//!
//! A block begins with "```console"; a line of it with `$ ` is a command, which a shell runs with both its streams in one; what follows up to the next command is what
//! it prints. With `FOLIO_BLESS` set the document is written anew, with what is printed now.

use crate::support::{TempDir, child, run};
use std::fmt::Write;
use std::path::Path;

const START: &str = "```console\n";
const END: &str = "```";

/// Checks a document. Returns all that its blocks show.
///
/// # Panics
/// If a command prints something else than is shown, or there is none.
pub fn check(document: &Path) -> String {
    let text = std::fs::read_to_string(document).expect("the document can be read");
    let dir = folder();
    let (mut shown, mut printed, mut whole) = (String::new(), String::new(), String::new());
    let mut parts = text.split(START);
    whole.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (block, rest) = part.split_once(END).expect("a block ends");
        let now = run_block(&dir, block);
        let _ = write!(whole, "{START}{now}{END}{rest}");
        shown.push_str(block);
        printed.push_str(&now);
    }
    assert!(!shown.is_empty(), "{} shows no command", document.display());
    if std::env::var_os("FOLIO_BLESS").is_some() {
        std::fs::write(document, &whole).expect("the document can be written");
        return printed;
    }
    assert_eq!(shown, printed, "{} (left) is out of date: FOLIO_BLESS=1 writes it anew", document.display());
    shown
}

/// Where `folio` and `target/release/folio` are the binary under test.
fn folder() -> TempDir {
    let dir = TempDir::new("console");
    std::fs::create_dir_all(dir.file("target/release")).expect("a folder can be made");
    for name in ["folio", "target/release/folio"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_folio"), dir.file(name)).expect("a link can be made");
    }
    dir
}

/// The block with what its commands print now.
fn run_block(dir: &TempDir, block: &str) -> String {
    let mut now = String::new();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let mut shell = child::command("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(dir.path());
        shell.env("PATH", format!("{}:{path}", dir.path().display())).env_remove("RUST_LOG");
        let ran = run(shell);
        assert_eq!(ran.status, 0, "{command}: {}", ran.stdout);
        let _ = writeln!(now, "$ {command}");
        for line in ran.stdout.lines() {
            let _ = writeln!(now, "{}", line.trim_end());
        }
    }
    now
}
