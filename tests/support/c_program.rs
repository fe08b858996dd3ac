//! Programs in C, compiled as they are needed.
#![allow(dead_code)] // each test target uses its part

use super::support::{Ran, TempDir, child, folio, run};

/// Compiles a program into a folder: static, with its symbols. Complains of a compiler that is not there.
pub fn compile(dir: &TempDir, name: &str, source: &str) {
    let file = format!("{name}.c");
    std::fs::write(dir.file(&file), source).expect("the folder is ours");
    let mut gcc = child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-O0", "-static", "-o", name, &file]).current_dir(dir.path());
    let compiled = child::output(gcc);
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "riscv64-linux-gnu-gcc (`make setup-test`): {said}");
}

/// A child writes to a variable that it shares with its parent since the fork.
const COW: &str = "
    #include <stdio.h>
    #include <unistd.h>
    #include <sys/wait.h>
    int counter ALONE = 1;
    int main(void) {
        START
        printf(\"parent before: %d\\n\", counter);
        fflush(stdout);
        if (fork() == 0) {
            counter = 2;
            printf(\"child: %d\\n\", counter);
            return 0;
        }
        wait(0);
        printf(\"parent after: %d\\n\", counter);
        return 0;
    }
";

/// Where the variable is.
#[derive(Clone, Copy, PartialEq)]
pub enum Page {
    /// It shares its page with variables of the C library's.
    Shared,
    /// It has a page of its own, which is written before the fork.
    Written,
    /// It has a page of its own, which is only read before the fork.
    Read,
}

/// The program `cow` in a folder.
pub fn cow(name: &str, page: Page) -> TempDir {
    let dir = TempDir::new(name);
    let mut source = COW.replace("START", if page == Page::Written { "counter = 1;" } else { "" });
    if page != Page::Shared {
        // What follows it on its page is its own, too.
        let section = "__attribute__((section(\".data.alone\")))";
        let behind = format!("char behind[4092] {section} = {{ 1 }};");
        source = source.replace("int main", &format!("{behind}\nint main"));
    }
    let attribute =
        if page == Page::Shared { "" } else { "__attribute__((aligned(4096), section(\".data.alone\")))" };
    compile(&dir, "cow", &source.replace("ALONE", attribute));
    dir
}

/// A session of the debugger in a folder, by these commands.
pub fn session(dir: &TempDir, options: &[&str], commands: &[&str], program: &[&str]) -> Ran {
    let mut command = folio(["debug"]);
    command.args(options).args(commands.iter().flat_map(|command| ["-ex", *command])).args(program);
    command.current_dir(dir.path());
    run(command)
}
