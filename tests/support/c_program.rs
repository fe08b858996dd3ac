//! Programs in C, compiled as they are needed.

use super::support::{TempDir, child};

/// Compiles a program into a folder: static, with its symbols. Complains of a compiler that is not there.
pub fn compile(dir: &TempDir, name: &str, source: &str) {
    let file = dir.file(&format!("{name}.c"));
    std::fs::write(&file, source).expect("the folder is ours");
    let mut gcc = child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-O0", "-static", "-o"]).arg(dir.file(name)).arg(&file);
    let compiled = child::output(gcc);
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "riscv64-linux-gnu-gcc (`make setup-test`): {said}");
}
