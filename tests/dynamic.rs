//! Dynamic programs with a cross toolchain's loader and libraries (`--sysroot`): they run, and are told of as static ones are.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use support::{TempDir, child, folio, run};

const SYSROOT: &str = "/usr/riscv64-linux-gnu";

/// Sorts by a function of its own that the library calls, and dies in the library.
const SOURCE: &str = "#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int rising(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(int argc, char **argv) {
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof numbers[0], rising);
    printf(\"%d %s\\n\", numbers[0], argv[argc - 1]);
    fflush(stdout);
    if (argc > 2) strcpy((char *)8, argv[1]);
    return 7;
}
";

/// The program, compiled with these flags.
fn program(flags: &[&str]) -> TempDir {
    compiled("sorts", SOURCE, flags)
}

fn compiled(name: &str, source: &str, flags: &[&str]) -> TempDir {
    let dir = TempDir::new("dynamic");
    let file = format!("{name}.c");
    std::fs::write(dir.file(&file), source).unwrap();
    let mut gcc = child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-O0", "-o", name, &file]).args(flags).current_dir(dir.path());
    let compiled = child::output(gcc);
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "riscv64-linux-gnu-gcc (`make setup-test`): {said}");
    dir
}

fn runs(dir: &TempDir, words: &[&str]) -> support::Ran {
    let mut command = folio(words);
    command.current_dir(dir.path());
    run(command)
}

#[test]
fn programs_start_by_their_loader_wherever_they_lie() {
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"]] {
        let dir = program(flags);
        let ran = runs(&dir, &["run", "--sysroot", SYSROOT, "./sorts", "last"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (7, "1 last\n"), "{flags:?}: {}", ran.stderr);
    }
}

#[test]
fn without_its_loader_it_is_said_what_to_try() {
    let dir = program(&[]);
    let ran = runs(&dir, &["run", "./sorts"]);
    assert_eq!(ran.status, 125);
    assert!(
        ran.stderr.contains("its loader /lib/ld-linux-riscv64-lp64d.so.1 cannot be opened"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--sysroot DIR") && ran.stderr.contains("--root DIR"), "{}", ran.stderr);
    let both = runs(&dir, &["run", "--sysroot", SYSROOT, "--root", ".", "sorts"]);
    assert_ne!(both.status, 0);
    assert!(both.stderr.contains("--root") && both.stderr.contains("--sysroot"), "{}", both.stderr);
}

/// The functions and variables of libraries have names like those of the program, as soon as they are mapped; before that they are waited for.
#[test]
fn names_of_libraries_are_known() {
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"]] {
        let dir = program(flags);
        let commands = [
            "break qsort",
            "continue",
            "bt",
            "info breakpoints",
            "print qsort",
            "whatis qsort",
            "finish",
            "print numbers",
            "whatis environ",
            "quit",
        ];
        let mut words = vec!["debug", "--sysroot", SYSROOT];
        words.extend(commands.iter().flat_map(|command| ["-ex", *command]));
        words.push("./sorts");
        let ran = runs(&dir, &words);
        let said: Vec<&str> = ran.stderr.split("(folio) ").skip(1).collect();
        assert!(said[0].contains("a library has it that is not mapped yet"), "{flags:?}: {}", ran.stderr);
        assert!(said[1].contains("breakpoint 1: qsort"), "{flags:?}: {}", ran.stderr);
        assert!(said[2].contains(" in qsort") && said[2].contains("in main+0x"), "{flags:?}: {}", ran.stderr);
        assert!(said[4].contains("<qsort>"), "{flags:?}: {}", ran.stderr);
        assert!(said[5].contains(": qsort\n") && said[5].contains("libc.so.6"), "{flags:?}: {}", ran.stderr);
        assert!(said[7].contains("numbers = {1, 2, 3}"), "{flags:?}: {}", ran.stderr);
        assert!(said[8].contains("environ\n  mapping"), "{flags:?}: {}", ran.stderr);
    }
}

/// The way out of a library without symbols of its own is found by what it tells of its calls.
#[test]
fn who_has_called_into_a_library_is_told() {
    let dir = program(&[]);
    let ran = runs(&dir, &["run", "--sysroot", SYSROOT, "./sorts", "text", "more"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (128 + 11, "1 more\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("SIGSEGV: write to 0x8 at"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("called from main+0x") && ran.stderr.contains("(sorts.c:10)"),
        "{}",
        ran.stderr
    );
}

/// A death in a library names its functions, and so do `explain` and the causes of faults; what has no name there is told with its file.
#[test]
fn functions_of_libraries_are_named() {
    let dir = program(&[]);
    let options = ["--sysroot", SYSROOT];
    let ran = runs(&dir, &[&["run"], &options[..], &["./sorts", "a", "b"]].concat());
    assert_eq!(ran.status, 139, "{ran:?}");
    // `strcpy` itself, or what it is made of.
    let place = ran.stderr.split("SIGSEGV: write to 0x8 at ").nth(1).expect("it is told of");
    let (function, _) = place.split_once("+0x").expect("a function");
    assert!(function.ends_with("cpy"), "{ran:?}");
    assert!(ran.stderr.contains("\nfolio:   called from main+0x"), "{ran:?}");

    let script = ["-ex", "continue", "-ex", "explain", "-ex", "break rising"];
    let ran = runs(&dir, &[&["debug"], &options[..], &script, &["./sorts", "a", "b"]].concat());
    let explained = ran.stderr.replace('\n', " ");
    assert!(explained.contains(&format!(" <{function}+0x")), "{ran:?}");

    let script = ["-ex", "break rising", "-ex", "continue", "-ex", "bt"];
    let ran = runs(&dir, &[&["debug"], &options[..], &script, &["./sorts"]].concat());
    let stack = ran.stderr.split("(folio) bt\n").nth(1).expect("bt was asked");
    assert!(
        stack.contains(" in rising") && stack.lines().last().is_some_and(|l| l.contains(" in main+")),
        "{ran:?}"
    );
    let unnamed = stack.lines().filter(|line| line.contains(" in ? "));
    assert!(unnamed.clone().all(|line| line.contains(" in libc.so.6+0x")), "{ran:?}");

    let ran = runs(&dir, &[&["run"], &options[..], &["--stats", "--by", "symbol", "./sorts"]].concat());
    let rows = ran.stderr.split(" by function\n").nth(1).expect("a table");
    assert!(rows.contains("  ? of /lib/ld-linux-riscv64-lp64d.so.1\n"), "{ran:?}");
    assert!(!rows.contains("  0x"), "{ran:?}");
}

/// Threads that wait in the library's code, of which no call frame information tells, are told of with their callers.
#[test]
fn callers_are_found_through_the_library() {
    let dir = compiled("locked", include_str!("sources/locked.c"), &["-pthread"]);
    let commands =
        ["continue", "thread apply all p (int)errno", "thread apply all p own", "thread apply all bt"];
    let words = commands.iter().flat_map(|command| ["-ex", command]);
    let words: Vec<&str> =
        ["debug", "--sysroot", SYSROOT].into_iter().chain(words).chain(["./locked"]).collect();
    let ran = runs(&dir, &words);
    let (before, told) = ran.stderr.split_once("(folio) thread apply all bt\n").expect("it was asked");
    // What each has of its own in the library, and in the program.
    assert_eq!(
        [" = 40  (int)", " = 41  (int)"].map(|value| before.matches(value).count()),
        [2, 2],
        "{before}"
    );
    let (first, second) = told.split_once("thread 2 of process 1").expect("two threads");
    for (stack, callers) in [
        (first, ["pthread_mutex_lock+", "in take+", "(first=0) at locked.c:", "in main+"]),
        (second, ["pthread_mutex_lock+", "in take+", "(first=1) at locked.c:", "in other+"]),
    ] {
        let mut rest = stack;
        for caller in callers {
            let (_, behind) =
                rest.split_once(caller).unwrap_or_else(|| panic!("no {caller}: {}", ran.stderr));
            rest = behind;
        }
        assert!(!rest.contains("main+") && stack.lines().count() < 9, "{}", ran.stderr);
    }
    // Before the loader is done the program's own lines are meant all the same.
    let source = include_str!("sources/locked.c");
    let line = 1 + source.lines().position(|line| line.contains("take(0);")).expect("a call");
    let at = format!("break {line}");
    let ran = runs(&dir, &["debug", "--sysroot", SYSROOT, "-ex", &at, "./locked"]);
    assert!(ran.stderr.contains(&format!("breakpoint 1 at locked.c:{line}: 0x")), "{}", ran.stderr);
}
