//! `--gdb`: gdb itself, driven by scripts, debugs processes, the kernel and a whole Linux from outside; and what it looked at is the same run,
//! to the last count, as without it.
#![allow(clippy::unwrap_used)] // a test may stop

#[path = "support/gdb_session.rs"]
mod gdb_session;
#[path = "support/linux.rs"]
mod linux;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use gdb_session::{Waiting, answer, check, compile, gdb, gdb_at, has_tools, same_as_without, waiting};
use linux::{Initramfs, boot, type_from_file};
use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;
use support::child::Running;
use support::{TempDir, folio, read_json, run, run_folio};
use terminal::Session;

/// A program with a call, a global, a fork, and pages that it never touches.
const STEPS: &str = r#"#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int counter = 1;
static char untouched[65536];
static const char far[65536] = {[40000] = 'f', [40001] = 'a', [40002] = 'r'};
static int twice(int n)
{
  return n + n;
}
int main(int argc, char **argv)
{
  int n = twice(21);
  counter = n;
  pid_t child = fork();
  if (child == 0) {
    counter = 7;
    exit(3);
  }
  int status = 0;
  wait(&status);
  printf("%d %d %d\n", n, counter, WEXITSTATUS(status));
  return argc > 1000 ? untouched[argc] + far[argc] + argv[0][0] : 5;
}
"#;

/// A program that dies of a null pointer.
const NULL: &str = r#"int *nowhere;
static int get(int *p)
{
  return *p;
}
int main(void)
{
  return get(nowhere);
}
"#;

/// A program that says so and loops.
const LOOPS: &str = r#"#include <stdio.h>
volatile long turns;
int main(void)
{
  puts("looping");
  fflush(stdout);
  for (;;)
    turns++;
}
"#;

/// A program with more memory than the machine.
const LARGE: &str = r#"#include <stdio.h>
#define PAGES 1024
static unsigned pages[PAGES][1024];
static void look(void)
{
  puts("filled");
}
int main(void)
{
  for (unsigned i = 0; i < PAGES; i++)
    pages[i][3] = 0x51000000 + i;
  look();
  unsigned sum = 0;
  for (unsigned i = 0; i < PAGES; i++)
    sum += pages[i][3];
  return sum == 0;
}
"#;

#[test]
fn a_process_is_debugged_by_source_line() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-steps");
    let program = compile(&dir, "steps", STEPS);
    let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
    let said = gdb(
        &guest.ports[0],
        &[
            "info threads",
            "break twice",
            "continue",
            "backtrace",
            "finish",
            "next",
            "next",
            "info registers satp sstatus fcsr priv",
            "info registers fa0",
            "p (char)far[40000]",
            "x/s &far[40000]",
            "p untouched[60000]",
            "p/x *(int *)0",
            "info auxv",
            "monitor ps",
            "monitor continue",
            "monitor help",
            "info proc mappings",
            "hbreak 23",
            "continue",
            "p counter",
            "stepi 5",
            "continue ",
        ],
    );
    let ran = guest.end();
    assert_eq!((ran.status, ran.stdout.as_str()), (5, "42 42 3\n"), "{ran:?}\n{said}");
    // It has read the program from the guest's root.
    assert!(said.contains("Reading symbols from target:/bin/steps"), "{said}");
    check(&said, "info threads", &["Thread 1.1 (steps, on hart 0)", "_start"]);
    check(&said, "continue", &["Breakpoint 1, twice (n=21)", "return n + n;"]);
    check(&said, "backtrace", &["#0  twice (n=21)", "#1", "main (argc=1", "steps.c:14"]);
    check(&said, "finish", &["Value returned is $1 = 42"]);
    check(&said, "next", &["counter = n;"]);
    check(
        &said,
        "info registers satp sstatus fcsr priv",
        &["satp           0x8", "fcsr           0x0", "prv:0"],
    );
    check(&said, "info registers fa0", &["fa0"]);
    // Pages that nobody has touched, and that are not touched by this: of the file, and zeros.
    check(&said, "p (char)far[40000]", &["102 'f'"]);
    check(&said, "x/s &far[40000]", &["\"far\""]);
    check(&said, "p untouched[60000]", &["0 '\\000'"]);
    assert!(said.contains("Cannot access memory at address 0x0"), "{said}");
    check(&said, "info auxv", &["AT_PAGESZ", "4096", "AT_EXECFN", "\"/bin/steps\""]);
    check(&said, "monitor ps", &["PID", "running", "/bin/steps"]);
    check(&said, "monitor continue", &["`continue` is not for `monitor`: gdb's own is `continue`"]);
    let help = answer(&said, "monitor help");
    assert!(help.contains("\n  walk [VA]") && !help.contains("  break ") && !help.contains("quit"), "{help}");
    check(&said, "info proc mappings", &["/bin/steps", "[stack]", "r-xp"]);
    check(&said, "hbreak 23", &["Hardware assisted breakpoint 2"]);
    check(&said, "p counter", &["= 42"]);
    check(&said, "continue ", &["exited with code 05"]);
    same_as_without(&dir, &[], &program, &figures);
}

#[test]
fn variables_are_watched() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-watch");
    let program = compile(&dir, "steps", STEPS);
    let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
    let said = gdb(
        &guest.ports[0],
        &["watch counter", "continue", "rwatch counter", "delete 1", "continue ", "delete", "continue  "],
    );
    let ran = guest.end();
    assert_eq!(ran.status, 5, "{said}");
    check(&said, "continue", &["Old value = 1", "New value = 42", "main (argc=1", "steps.c:16"]);
    // The child's store is another process's, and the parent's next read is for printf.
    check(&said, "continue ", &["Value = 42", "steps.c:23"]);
    same_as_without(&dir, &[], &program, &figures);
}

#[test]
fn two_sessions_follow_the_two_processes_of_a_fork() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-fork");
    let program = compile(&dir, "steps", STEPS);
    let options = ["--gdb", "0", "--gdb", "0", "--gdb-process", "first", "--gdb-process", "2"];
    let (guest, figures) = waiting(&dir, &options, &program);
    let ports = guest.ports.clone();
    let parent = std::thread::spawn(move || {
        gdb(&ports[0], &["break 23", "continue", "p counter", "p status >> 8", "continue "])
    });
    // It comes before there is a process 2, and waits for it.
    let child = gdb(
        &guest.ports[1],
        &[
            "info threads",
            &format!("file {program}"),
            "continue",
            "info threads ",
            "watch counter",
            "continue ",
            "p counter",
            "backtrace",
            "delete",
            "continue  ",
        ],
    );
    let parent = parent.join().unwrap();
    let ran = guest.end();
    assert_eq!((ran.status, ran.stdout.as_str()), (5, "42 42 3\n"), "{ran:?}\n{parent}\n{child}");
    check(&child, "info threads", &["there is no process 2 yet: `continue` waits for it"]);
    check(&child, "continue", &["SIGTRAP"]);
    check(&child, "info threads ", &["(steps, on hart 0)"]);
    check(&child, "continue ", &["Old value = 42", "New value = 7"]);
    check(&child, "backtrace", &["main (argc=1", "steps.c:19"]);
    check(&child, "continue  ", &["exited with code 03"]);
    // What the child has written is not the parent's.
    check(&parent, "p counter", &["= 42"]);
    check(&parent, "p status >> 8", &["= 3"]);
    check(&parent, "continue ", &["exited with code 05"]);
    same_as_without(&dir, &[], &program, &figures);
}

#[test]
fn a_process_is_waited_for_by_its_program() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-name");
    let program = compile(&dir, "steps", STEPS);
    let (guest, figures) = waiting(&dir, &["--gdb", "0", "--gdb-process", "steps"], &program);
    let said = gdb(&guest.ports[0], &["break main", "continue", "continue "]);
    assert_eq!(guest.end().status, 5, "{said}");
    assert!(said.contains("exited with code 05"), "{said}");
    same_as_without(&dir, &[], &program, &figures);
}

#[test]
fn a_fatal_signal_stops_before_the_end() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-null");
    let program = compile(&dir, "null", NULL);
    let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
    let monitor =
        ["monitor bt", "monitor list", "monitor regs", "monitor", "monitor print p", "monitor process"];
    let said = gdb(&guest.ports[0], &[&["continue", "backtrace"], &monitor[..], &["continue "]].concat());
    let ran = guest.end();
    assert_eq!(ran.status, 139, "{said}");
    assert!(ran.stderr.contains("SIGSEGV: read of 0x0"), "{}", ran.stderr);
    check(&said, "continue", &["received signal SIGSEGV", "get (p=0x0)", "return *p;"]);
    check(&said, "backtrace", &["#1", "main ()"]);
    // The machine itself is in the kernel.
    check(&said, "monitor bt", &["#0", " in get+", "null.c:4", "#1", " in main+", "null.c:8"]);
    check(&said, "monitor list", &["return *p;"]);
    check(&said, "monitor regs", &["user mode", "ra   0x"]);
    check(&said, "monitor", &["user mode, process 1 (null)", "return *p;"]);
    check(&said, "monitor print p", &["p = 0x0"]);
    check(&said, "continue ", &["terminated with signal SIGSEGV"]);
    same_as_without(&dir, &[], &program, &figures);
}

/// `monitor catch exec` stops where the new program begins, and signals are caught by their names.
#[test]
fn a_program_that_is_executed_is_caught_where_it_begins() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-exec");
    let source = "#include <unistd.h>\nint main(int argc, char **argv)\n{\n  \
                  if (argc == 1)\n    execl(\"/bin/again\", \"again\", \"x\", (char *)0);\n  return 7;\n}\n";
    let program = compile(&dir, "again", source);
    let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
    let commands = [
        "monitor catch signal:SIGUSR1",
        "monitor catch exec",
        "continue",
        "print $pc == &_start",
        "print $priv",
        "monitor",
        "break main",
        "continue ",
        "print argc",
        " continue",
    ];
    let said = gdb(&guest.ports[0], &commands);
    let ran = guest.end();
    assert_eq!(ran.status, 7, "{said}");
    check(&said, "monitor catch signal:SIGUSR1", &["catchpoint 1: signal SIGUSR1"]);
    check(&said, "continue", &["catchpoint 2: exec: process 1 runs /bin/again", "_start ()"]);
    check(&said, "print $pc == &_start", &["= 1"]);
    check(&said, "monitor", &["user mode, process 1 (again)", "<_start>"]);
    check(&said, "print argc", &["= 2"]);
    same_as_without(&dir, &[], &program, &figures);
}

#[test]
fn the_end_of_the_sessions_own_process_is_caught_too() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-exit");
    let program = compile(&dir, "steps", STEPS);
    let (guest, _) = waiting(&dir, &["--gdb", "0"], &program);
    let said = gdb(&guest.ports[0], &["mon catch exit", "continue", "mon catch syscall:write", "c", "c "]);
    guest.end();
    let last = "it was last at _Exit+0x";
    check(&said, "continue", &["1: exit: process 2", last, "called from main at ", "steps.c:19: exit(3);"]);
    check(&said, "c", &["catchpoint 2: system call write (64) of process 1 (steps)"]);
    check(&said, "c ", &["process 1 (steps) has ended with status 5; ", last, "exited with code 05"]);
}

/// A gdb that reads its commands from a pipe and waits in one of them.
fn interrupted(guest: &mut Waiting, commands: &str, at: &str) -> String {
    let mut gdb = gdb_at(&guest.ports[0]);
    gdb.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut gdb = Running::start(gdb);
    let mut stdin = gdb.child().stdin.take().unwrap();
    stdin.write_all(commands.as_bytes()).unwrap();
    // What the guest prints tells that it is there.
    let mut guest_says = BufReader::new(guest.running.child().stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(at) {
        line.clear();
        assert!(guest_says.read_line(&mut line).unwrap() > 0, "the guest has never said {at}");
    }
    gdb.signal(Signal::SIGINT);
    drop(stdin);
    // The guest may print on.
    let rest = std::thread::spawn(move || drop(std::io::copy(&mut guest_says, &mut std::io::sink())));
    let output = gdb.output();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !said.contains("detached") {
        rest.join().unwrap();
    }
    said
}

#[test]
fn ctrl_c_stops_a_program_that_loops_and_kill_ends_the_run() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-loops");
    let program = compile(&dir, "loops", LOOPS);
    let (mut guest, _) = waiting(&dir, &["--gdb", "0"], &program);
    let said = interrupted(&mut guest, "continue\nbacktrace\np turns >= 0\nkill\n", "looping");
    let ran = guest.end();
    // It loops, or has not come back from its call of the kernel.
    assert!(said.contains("received signal SIGINT"), "{said}");
    assert!(said.contains("#0") && said.contains("main ()") && said.contains("= 1"), "{said}");
    assert_eq!(ran.status, 137, "{ran:?}");
    assert!(ran.stderr.contains("folio: gdb has killed the run\n"), "{}", ran.stderr);
}

#[test]
fn after_detach_the_run_goes_on() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-detach");
    let program = compile(&dir, "steps", STEPS);
    for commands in [&["break twice", "continue", "monitor catch fault any", "detach"][..], &["disconnect"]] {
        let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
        let said = gdb(&guest.ports[0], commands);
        let ran = guest.end();
        assert_eq!((ran.status, ran.stdout.as_str()), (5, "42 42 3\n"), "{ran:?}\n{said}");
        assert!(ran.stderr.contains("the run goes on without it"), "{}", ran.stderr);
        same_as_without(&dir, &[], &program, &figures);
    }
}

#[test]
fn after_detach_input_is_read_when_it_comes() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-detach-input");
    let reads = "#include <stdio.h>\nint main(void) { printf(\"read %c\\n\", getchar()); return 0; }";
    let program = compile(&dir, "reads", reads);
    let mut command = folio(["run", "--gdb", "0"]);
    command.arg(&program).stdin(Stdio::piped());
    let mut guest = Waiting::start(command);
    gdb(&guest.ports[0], &["detach"]);
    let mut stdin = guest.running.child().stdin.take().unwrap();
    stdin.write_all(b"hello\n").unwrap();
    let ran = guest.end();
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "read h\n"), "{ran:?}");
}

#[test]
fn with_gdb_the_terminal_is_the_programs_and_ctrl_a_x_leaves() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-terminal");
    compile(&dir, "loops", LOOPS);
    let mut session = Session::start(&["setsid"], &["run", "--gdb", "0", "./loops"], "dumb", dir);
    session.wait("the port", |session| session.shown().contains("waits for a connection to "));
    let shown = session.shown();
    let (_, port) = shown.rsplit_once("waits for a connection to ").unwrap();
    gdb(port.split_whitespace().next().unwrap(), &["detach"]);
    session.wait("the loop", |session| session.shown().contains("looping"));
    assert!(!session.has(LocalFlags::ICANON), "the terminal is raw");
    session.keyboard.write_all(b"\x01x").unwrap();
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn writes_are_inputs_that_are_told() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-writes");
    let program = compile(&dir, "steps", STEPS);
    let trace = dir.file("trace.jsonl");
    let (guest, _) = waiting(&dir, &["--trace", trace.to_str().unwrap(), "--gdb", "0"], &program);
    let said = gdb(
        &guest.ports[0],
        &[
            "break 16",
            "continue",
            "set var counter = 99",
            "break 23",
            "continue ",
            "set var n = 41",
            "set var counter = 1",
            "set var *(int *)&main = 0",
            "set var untouched[60000] = 1",
            "set var $satp = 0",
            "break *printf",
            "continue  ",
            "set var $a1 = 40",
            "delete",
            "continue   ",
        ],
    );
    let ran = guest.end();
    assert_eq!((ran.status, ran.stdout.as_str()), (5, "40 99 3\n"), "{ran:?}\n{said}");
    for told in
        ["wrote 4 bytes at 0x", " of process 1: 63000000 (step ", "wrote a1 of hart 0 of process 1: 0x28"]
    {
        assert!(ran.stderr.contains(told), "no {told:?} in {}", ran.stderr);
    }
    // A page that a fork has shared, text, a page that is not there; and a register that only the kernel's own instructions may change.
    for refused in ["set var counter = 1", "set var *(int *)&main = 0", "set var untouched[60000] = 1"] {
        check(&said, refused, &["Cannot access memory"]);
    }
    check(&said, "set var $satp = 0", &["Could not write register"]);
    let trace = std::fs::read_to_string(&trace).unwrap();
    let writes: Vec<serde_json::Value> = trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["kind"] == "gdb_write")
        .collect();
    assert!(writes.iter().any(|line| line["bytes"] == "63000000" && line["pid"] == 1), "{writes:?}");
    assert!(writes.iter().any(|line| line["register"] == "a1" && line["value"] == "0x28"), "{writes:?}");
    assert!(writes.iter().all(|line| line["t"].as_u64().is_some_and(|step| step > 0)), "{writes:?}");
}

/// After a call gdb writes back all registers: those are told of that it has changed.
#[test]
fn of_a_call_what_it_changes_is_told() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-call");
    let program = compile(&dir, "steps", STEPS);
    let (guest, _) = waiting(&dir, &["--gdb", "0"], &program);
    let said = gdb(&guest.ports[0], &["break 16", "continue", "print twice(4)", "delete", "continue "]);
    let ran = guest.end();
    check(&said, "print twice(4)", &["= 8"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (5, "42 42 3\n"), "{ran:?}\n{said}");
    // pc, ra, sp, a0 and what the function works with, there and back: the first, and how many more.
    let lines = |words: &str| ran.stderr.lines().filter(|line| line.contains(words)).count();
    assert_eq!(
        (lines(" of hart 0 of process 1: 0x"), lines(" registers more of process 1 (step ")),
        (2, 2),
        "{}",
        ran.stderr
    );
}

#[test]
fn pages_in_swap_space_are_read_where_they_are() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-swap");
    let program = compile(&dir, "large", LARGE);
    let frames = ["--frames", "200"];
    let (guest, figures) = waiting(&dir, &["--frames", "200", "--gdb", "0"], &program);
    let values: Vec<String> = (0..1024).step_by(73).map(|page| format!("p/x pages[{page}][3]")).collect();
    let mut commands = vec!["break look", "continue"];
    commands.extend(values.iter().map(String::as_str));
    commands.push("continue ");
    let said = gdb(&guest.ports[0], &commands);
    assert_eq!(guest.end().status, 0, "{said}");
    for (index, command) in values.iter().enumerate() {
        check(&said, command, &[&format!("= {:#x}", 0x5100_0000 + index * 73)]);
    }
    same_as_without(&dir, &frames, &program, &figures);
    // So does the prompt, which says where the page is.
    let prompt = ["break look", "continue", "x/xw &pages[0][3]", "continue"];
    let mut words: Vec<&str> = vec!["debug", "--frames", "200"];
    prompt.iter().for_each(|command| words.extend(["-ex", command]));
    words.push(&program);
    let ran = run_folio(words);
    assert!(ran.stderr.contains(": 0x51000000\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains(" is not in memory: this is swap slot "), "{}", ran.stderr);
}

#[test]
fn the_kernel_is_debugged_with_its_symbols() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-kernel");
    let program = compile(&dir, "steps", STEPS);
    let (guest, figures) = waiting(&dir, &["--gdb", "0", "--gdb-process", "kernel"], &program);
    let said = gdb(
        &guest.ports[0],
        &[
            "info threads",
            "x/i $pc",
            "break kernel::kmain::kmain",
            "continue",
            "info registers satp priv",
            "maintenance packet Qqemu.PhyMemMode:1",
            "x/wx 0x80200000",
            "maintenance packet Qqemu.PhyMemMode:0",
            "delete",
            "stepi",
            "continue ",
        ],
    );
    let ran = guest.end();
    assert_eq!((ran.status, ran.stdout.as_str()), (5, "42 42 3\n"), "{ran:?}\n{said}");
    check(&said, "info threads", &["hart 0, running, Supervisor mode"]);
    check(&said, "x/i $pc", &["0x80200000"]);
    check(&said, "continue", &["Breakpoint 1", "kmain"]);
    check(&said, "info registers satp priv", &["prv:1"]);
    check(&said, "x/wx 0x80200000", &["0x80200000:"]);
    check(&said, "continue ", &["exited with code 05"]);
    same_as_without(&dir, &[], &program, &figures);
}

/// Linux is interrupted when it is up, and stops at the first instruction of a program of its, by the virtual address.
#[test]
fn linux_on_two_harts_is_debugged() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-linux");
    let script = "echo Linux is up\ni=0; while [ $i -lt 250 ]; do $b true; i=$((i+1)); done\n$b poweroff -f";
    let initramfs = Initramfs { script, ..Initramfs::default() };
    let serial = "console=ttyS0 panic=-1 quiet";
    let boot_it = |figures: &Path, extra: &[&str]| {
        let mut command = boot(&dir, &initramfs, serial)?;
        command.args(["--harts", "2", "--json"]).arg(figures).args(extra);
        type_from_file(&dir, &mut command, "");
        Some(command)
    };
    let (with, without) = (dir.file("with.json"), dir.file("without.json"));
    let Some(command) = boot_it(&with, &["--gdb", "0"]) else { return };
    // Where each program of busybox's begins.
    let busybox = std::fs::read(linux::input("busybox").unwrap()).unwrap();
    let entry = goblin::elf::Elf::parse(&busybox).unwrap().entry;
    let mut guest = Waiting::start(command);
    let commands = format!(
        "info threads\nstepi\nstepi\ncontinue\ninfo threads\nbreak *{entry:#x}\ncontinue\n\
         info registers priv\nx/gx $sp\nmonitor hart\ndelete\ncontinue\n"
    );
    let said = interrupted(&mut guest, &commands, "Linux is up");
    let ran = guest.end();
    assert_eq!(ran.status, 0, "{ran:?}\n{said}");
    for part in [
        "(hart 0, running, Supervisor mode) 0x0000000080200000",
        "(hart 1, stopped, ",
        "received signal SIGINT",
        "hit Breakpoint 1",
        "prv:0",
        // argc: `busybox true`.
        ":\t0x0000000000000002",
        "hart 1  ",
        "the machine was powered off",
        "exited normally",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let plain = run(boot_it(&without, &[]).unwrap());
    assert_eq!(plain.status, 0, "{plain:?}");
    assert_eq!(read_json(&with), read_json(&without));
}

/// What cannot be served is one message, before anything runs.
#[test]
fn wrong_ports_are_told_in_a_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (words, part) in [
        (&["run", "--gdb", &port, "hello"][..], "cannot listen there"),
        (&["run", "--gdb", "256.0.0.1:99", "hello"], "there is no such address"),
        (&["run", "--gdb", "port", "hello"], "expected a port"),
        (&["run", "--gdb-process", "2", "hello"], "needs a port"),
        (&["run", "--gdb", "0", "--gdb-process", "0", "hello"], "begin with 1"),
        (&["run", "--gdb", "0", "--gdb-process=-5", "hello"], "begin with 1"),
        (
            &["run", "--gdb", "0", "--gdb-process", "1", "--gdb-process", "2", "hello"],
            "each process needs a port",
        ),
        (&["run", "--gdb", "0", "--strace", "hello"], "--gdb goes neither with"),
        (&["debug", "--gdb", "0", "hello"], "--gdb goes neither with"),
    ] {
        let ran = run_folio(words);
        assert_eq!((ran.status, ran.stdout.as_str()), (125, ""), "{ran:?}");
        assert!(ran.stderr.contains(part), "no {part:?} in {}", ran.stderr);
    }
}

/// A session that waits for a program which never comes says so when another has begun.
#[test]
fn who_is_waited_for_is_told() {
    let ran = run_folio(["run", "--gdb", "0", "--gdb-process", "nosuch", "hello"]);
    let told: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(ran.status, 0, "{ran:?}");
    for (line, part) in [
        (0, "is for the first process that executes `nosuch`, when one does"),
        (1, "process 1 executes /bin/hello; waits for process nosuch"),
        (2, "there was no process nosuch"),
    ] {
        assert!(told[line].contains(part), "{part}: {ran:?}");
    }
}

/// Two processes wait for one another.
const WAITS: &str = r#"#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static int nobody_writes(int fd)
{
  char byte;
  return read(fd, &byte, 1);
}
int main(void)
{
  int ends[2];
  pipe(ends);
  if (fork() == 0)
    return nobody_writes(ends[0]);
  int status;
  wait(&status);
  return status;
}
"#;

/// Where nothing can ever wake anyone, all is there to be looked at, as often as the machine is let run.
#[test]
fn a_standstill_is_a_stop() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-standstill");
    let program = compile(&dir, "waits", WAITS);
    let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
    let said = gdb(
        &guest.ports[0],
        &[
            "continue",
            "backtrace -1",
            "up 9",
            "p ends",
            "monitor ps",
            "monitor process 2",
            "monitor bt",
            "stepi",
            "continue ",
            "detach",
        ],
    );
    let ran = guest.end();
    let stop = &["nothing can ever wake one: it runs no further", "received signal SIGINT"];
    for command in ["continue", "stepi", "continue "] {
        check(&said, command, stop);
    }
    check(&said, "backtrace -1", &["main () at ", "waits.c:16"]);
    check(&said, "p ends", &["{3, 4}"]);
    check(&said, "monitor process 2", &["waits in a system call at "]);
    check(&said, "monitor bt", &["in nobody_writes+", " (fd=3)", "in main+"]);
    check(&said, "monitor ps", &["1     0  waiting", "2     1  waiting"]);
    assert_eq!(ran.status, 124, "{ran:?}\n{said}");
    same_as_without(&dir, &[], &program, &figures);
}

/// `monitor` speaks of the thread that gdb looks at, and each has variables of its own, of the program and of libraries.
#[test]
fn threads_are_looked_at_one_by_one() {
    if !has_tools() {
        return;
    }
    let dir = TempDir::new("gdb-threads");
    let source = include_str!("sources/locked.c");
    let program = compile(&dir, "locked", source);
    let (guest, figures) = waiting(&dir, &["--gdb", "0"], &program);
    let said = gdb(
        &guest.ports[0],
        &[
            "tbreak other",
            "continue ",
            " thread 1",
            "monitor thread 2",
            " monitor bt",
            "continue",
            "thread 1",
            "monitor bt",
            "monitor up 2",
            "thread 2",
            "monitor bt ",
            "monitor frame",
            "thread apply all p own",
            "thread apply all monitor p own",
            "detach",
        ],
    );
    assert_eq!(guest.end().status, 124, "{said}");
    // Who was chosen last, here with `monitor`, is looked at, also if it is he who runs.
    check(&said, " monitor bt", &["in other+"]);
    check(&said, "monitor bt", &["(first=0) at ", "in main+"]);
    check(&said, "monitor bt ", &["(first=1) at ", "in other+"]);
    // What was looked at was the other's.
    check(&said, "monitor frame", &["#0 "]);
    for command in ["thread apply all p own", "thread apply all monitor p own"] {
        check(&said, command, &[" = 40", " = 41"]);
    }
    same_as_without(&dir, &[], &program, &figures);
}

/// Letting a thread run that there is not is refused, and the others do not run.
#[test]
fn a_thread_that_there_is_not_cannot_run() {
    let dir = TempDir::new("gdb-vcont");
    let (guest, _) = waiting(&dir, &["--gdb", "0"], "hello");
    let mut stream = std::net::TcpStream::connect(&guest.ports[0]).unwrap();
    let mut ask = |body: &str| {
        let sum = body.bytes().fold(0u8, u8::wrapping_add);
        stream.write_all(format!("${body}#{sum:02x}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"#") {
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        // Its sum.
        stream.read_exact(&mut [0; 2]).unwrap();
        String::from_utf8_lossy(&answer).trim_start_matches('+').to_owned()
    };
    assert!(ask("qSupported:multiprocess+").starts_with('$'));
    for body in ["vCont;c:p1.99", "vCont;s:p1.7;c", "vCont;c:63"] {
        assert_eq!(ask(body), "$E03#", "{body}");
    }
    drop(stream);
    assert_eq!(guest.end().status, 0);
}

/// A peer that is no gdb, and one that goes at once, leave the run as it is.
#[test]
fn what_is_no_gdb_does_no_harm() {
    let dir = TempDir::new("no-gdb");
    for bytes in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"", b"$m0,ffffffffffffffff#00$", &[0xff; 100_000]]
    {
        let (guest, figures) = waiting(&dir, &["--gdb", "0"], "hello");
        let mut stream = std::net::TcpStream::connect(&guest.ports[0]).unwrap();
        // It may close while it is written to.
        let _ = stream.write_all(bytes);
        drop(stream);
        let ran = guest.end();
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stderr.contains("the connection is lost; the run goes on without it"), "{}", ran.stderr);
        same_as_without(&dir, &[], "hello", &figures);
    }
}
