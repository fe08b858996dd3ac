//! Programs of ours in C and C++, compiled as a test wants them, and what the debugger says of them.

use super::{Ran, TempDir, child, root, run, run_folio};
use std::path::{Path, PathBuf};

/// A file of tests/sources or programs/c.
fn source_file(name: &str) -> PathBuf {
    [root().join("tests/sources"), root().join("programs/c")]
        .map(|folder| folder.join(name))
        .into_iter()
        .find(|path| path.exists())
        .expect("a source of ours")
}

/// A program of one source, compiled with these flags.
pub fn compiled(dir: &TempDir, source: &str, flags: &[&str]) -> PathBuf {
    compiled_from(dir, &[source], flags)
}

/// A program of several sources of one folder, called as the first is.
pub fn compiled_from(dir: &TempDir, sources: &[&str], flags: &[&str]) -> PathBuf {
    let first = source_file(sources[0]);
    let program = dir.file(first.file_stem().expect("it has a name").to_str().expect("of ASCII"));
    let is_cpp = first.extension().is_some_and(|extension| extension == "cpp");
    let mut gcc = child::command(if is_cpp { "riscv64-linux-gnu-g++" } else { "riscv64-linux-gnu-gcc" });
    gcc.arg("-static").args(flags).arg("-o").arg(&program).args(sources);
    gcc.current_dir(first.parent().expect("a folder"));
    let ran = run(gcc);
    assert_eq!(ran.status, 0, "riscv64-linux-gnu-gcc and -g++ (`make setup-test`): {ran:?}");
    program
}

/// A session of these commands, then `quit`.
pub fn debug(program: &Path, commands: &[&str], args: &[&str]) -> Ran {
    debug_with(&[], program, commands, args)
}

/// The same with options of `folio debug`.
pub fn debug_with(options: &[&str], program: &Path, commands: &[&str], args: &[&str]) -> Ran {
    let mut words = vec!["debug".to_string()];
    words.extend(options.iter().map(|option| (*option).to_string()));
    words.extend(commands.iter().flat_map(|command| ["-ex".to_string(), (*command).to_string()]));
    words.extend(["-ex".to_string(), "quit".to_string(), program.display().to_string()]);
    words.extend(args.iter().map(|arg| (*arg).to_string()));
    run_folio(words)
}

/// What is said after each command.
pub fn said(ran: &Ran) -> Vec<String> {
    ran.stderr.split("(folio) ").skip(1).map(str::to_owned).collect()
}

/// The line of one of our sources in which a text stands first.
pub fn line_of(source: &str, text: &str) -> usize {
    let content = std::fs::read_to_string(source_file(source)).expect("a source of ours");
    1 + content.lines().position(|line| line.contains(text)).expect("it has the text")
}
