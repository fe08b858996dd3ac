//! Stepping a program: from each stop to its next line or its end, and never into the kernel.

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use c_program::{compile, session};
use support::TempDir;
use support::source::said;

const PROGRAM: &str = "
#include <stdlib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int calls;
__attribute__((noinline)) void work(void) {
    calls++;
}
static void handler(int signal) { calls += signal; }
int main(int argc, char **argv) {
    work();
    write(1, \"x\\n\", 2);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    if (fork() == 0) {
        if (argc > 1) exit(3);
        *(volatile int *)0 = 1; // child
    }
    wait(0);
    int *volatile none = 0;
    return *none; // parent
}
";

/// Where each command stops, or what else it says, and that no step shows the kernel.
#[track_caller]
fn steps(dir: &TempDir, commands: &[&str], args: &[&str], expected: &[&str]) {
    let program: Vec<&str> = ["stepped"].iter().chain(args).copied().collect();
    let ran = session(dir, &[], commands, &program);
    let said = said(&ran);
    assert_eq!(said.len(), commands.len(), "{ran:?}");
    let of = commands.iter().zip(&said).skip(commands.len() - expected.len());
    for ((command, text), expected) in of.zip(expected) {
        assert!(text.contains(expected), "{command}: `{expected}` is not in\n{text}\n{ran:?}");
        assert!(!text.contains("supervisor mode") && !text.contains("kernel::"), "{command}: {ran:?}");
    }
}

#[test]
fn a_step_stays_in_the_program() {
    let dir = TempDir::new("steps");
    compile(&dir, "stepped", PROGRAM);
    let line = |text: &str| {
        let number = 1 + PROGRAM.lines().position(|line| line.contains(text)).expect("the program has it");
        format!("at stepped.c:{number}: ")
    };
    let (work, write, body) = (line("    work();"), line("write(1"), line("calls++"));
    let (fork, raise, wait) = (line("fork()"), line("raise("), line("wait(0)"));
    let signal = line("signal(SIG");
    let (child, parent) = (line("// child"), line("// parent"));
    for (commands, args, expected) in [
        // From start-up code, whose lines are not known, to the program; over a call that the line begins with.
        (&["next", "next"][..], &[][..], &[&*work, &write][..]),
        (&["step", "step"], &[], &[&work, &body]),
        // Out of the library's code that calls the kernel.
        (&["catch syscall:write", "continue", "next", "next"], &[], &[&signal, &raise]),
        (&["catch syscall:write", "continue", "step"], &[], &[&signal]),
        (&["catch syscall:write", "continue", "nexti"], &[], &["process 1 (stepped)\n=> 0x"]),
        // Behind the handler.
        (&["catch signal if pid == 1", "continue", "next", "next"], &[], &[&fork, &wait]),
        // Who was ended by a signal goes no further, and then there is nobody to step.
        (
            &["continue", "next"],
            &[],
            &[
                "SIGSEGV ends process 2",
                "process 2 (stepped) has ended (signal 11); `continue` runs the others on\n",
            ],
        ),
        (&["continue", "nexti"], &[], &[&child, "process 2 (stepped) has ended (signal 11)"]),
        (&["continue", "continue", "step"], &[], &[&child, &parent, "signal 11 has killed the program"]),
        (&["continue", "next", "continue"], &[], &[&child, "has ended", &parent]),
        (
            &["break exit if pid == 2", "continue", "next"],
            &["x"],
            &["breakpoint 1: exit", "process 2 (stepped) has ended (exited 3)"],
        ),
        (
            &["catch fault segv", "continue", "next"],
            &[],
            &[&child, "process 2 (stepped) has ended (signal 11)"],
        ),
        // Another process, which waits.
        (
            &["break exit if pid == 2", "continue", "process 1", "next", "next"],
            &["x"],
            &[&line("none = 0"), &parent],
        ),
    ] {
        steps(&dir, commands, args, expected);
    }
    // So it is with a thread whose process goes on, and with what a screen or an object shows.
    const THREADS: &str = "
#include <pthread.h>
static void *work(void *arg) {
    return arg; // work
}
int main(void) {
    pthread_t other;
    pthread_create(&other, 0, work, &other);
    pthread_join(other, 0);
    return 3;
}
";
    compile(&dir, "threads", THREADS);
    let ran = session(&dir, &[], &["break work", "continue", "next", "next", "continue"], &["threads"]);
    assert!(said(&ran)[3].contains("thread 2 of process 1 (threads) has ended; `continue`"), "{ran:?}");
    assert!(said(&ran)[4].contains("exited with status 3"), "{ran:?}");
    let ran = session(&dir, &["--ui", "json"], &["continue", "next", "regs sp"], &["stepped"]);
    let gone = ran.stderr.lines().find(|line| line.contains("\"reason\":\"gone\"")).expect("it is told");
    assert!(gone.contains("\"pid\":2,") && gone.contains("\"changed\":{}"), "{ran:?}");
    assert!(!ran.stderr.contains("sp        0x0000000000000000"), "{ran:?}");
    let ran = session(&dir, &["--ui", "screen"], &["continue", "next"], &["stepped"]);
    assert!(said(&ran)[1].ends_with("runs the others on\n"), "{ran:?}");
    // Who has ended can still be asked about, and is not stepped.
    let ran = session(&dir, &[], &["continue", "next", "maps", "next"], &["stepped"]);
    assert!(said(&ran)[2].contains("when it ended it had\n"), "{ran:?}");
    assert!(said(&ran)[3].contains("process 2 (stepped) has ended"), "{ran:?}");
    let ran = session(&dir, &[], &["continue", "next", "finish"], &["stepped"]);
    assert!(said(&ran)[2].starts_with("finish\nprocess 2 (stepped) has ended"), "{ran:?}");
}

/// What is listed without a place is what the function is at that is looked at: the call, also where it is the last thing of its line.
#[test]
fn a_caller_is_listed_at_its_call() {
    let dir = TempDir::new("steps-list");
    compile(&dir, "stepped", PROGRAM);
    let line_of = |source: &str, text: &str| {
        1 + source.lines().position(|line| line.contains(text)).expect("the program has it")
    };
    let first = |text: &str| -> usize {
        let first = text.lines().nth(1).and_then(|line| line.split(' ').next());
        first.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let ran = session(&dir, &[], &["break work", "continue", "up", "list", "down", "list"], &["stepped"]);
    let listed: Vec<usize> = [3, 5].map(|at| first(&said(&ran)[at])).into();
    let expected = ["    work();", "calls++"].map(|text| line_of(PROGRAM, text).saturating_sub(5));
    assert_eq!(listed, expected, "{ran:?}");

    const INLINED: &str = "
int value = 3;
static inline __attribute__((always_inline)) int inner(int *of) {
    return *of + 1;
}


static inline __attribute__((always_inline)) int middle(int *of) {
    return inner(of) * 2;
}


int main(void) {
    int sum = middle(&value);
    return sum;
}
";
    compile(&dir, "inlined", INLINED);
    let ran = session(&dir, &[], &["break inner", "continue", "up", "list", "up", "list"], &["inlined"]);
    let listed: Vec<usize> = [3, 5].map(|at| first(&said(&ran)[at])).into();
    let expected = ["return inner", "int sum"].map(|text| line_of(INLINED, text) - 5);
    assert_eq!(listed, expected, "{ran:?}");
}

/// A child that has not run yet is looked at as its parent was at the call.
#[test]
fn a_new_child_has_its_parents_registers() {
    let dir = TempDir::new("steps-fork");
    compile(&dir, "stepped", PROGRAM);
    let commands = [
        "catch fork",
        "continue",
        "process 2",
        "regs a0",
        "bt",
        "print calls",
        "up",
        "up",
        "process 2",
        "next",
    ];
    let ran = session(&dir, &[], &commands, &["stepped"]);
    let said = said(&ran);
    let line = |text: &str| 1 + PROGRAM.lines().position(|line| line.contains(text)).expect("it has it");
    assert!(said[2].starts_with("process 2\nprocess 2 (stepped) has not run yet\n=> 0x"), "{ran:?}");
    assert!(said[3].contains("a0") && said[3].contains("0x0000000000000000"), "{ran:?}");
    assert!(said[4].contains(" in main+"), "{ran:?}");
    assert!(said[5].contains("calls = 11  (int)"), "{ran:?}");
    assert!(said[9].contains(&format!("main at stepped.c:{}: ", line("fork()"))), "{ran:?}");
    assert!(said[9].contains("process 2"), "{ran:?}");
}

/// Who has ended takes no step, and the machine runs on if it is told so.
#[test]
fn a_process_that_has_ended_takes_no_step() {
    let dir = TempDir::new("steps-exit");
    compile(&dir, "stepped", PROGRAM);
    for step in ["next", "step", "nexti"] {
        let ran =
            session(&dir, &[], &["handle SIGSEGV nostop", "catch exit", "continue", step], &["stepped"]);
        let said = said(&ran);
        assert!(said[2].contains("process 2 (stepped) has ended by signal 11"), "{ran:?}");
        let ended = "process 2 has ended: `continue` lets the machine run on, `stepi` steps the kernel";
        assert!(said[3].contains(ended), "{step}: {ran:?}");
    }
}

/// `until` goes on and not back in a loop; lines count from the one at work; a local may be watched beyond its function.
#[test]
fn gdbs_words_do_what_they_do_there() {
    let dir = TempDir::new("steps-gdb");
    let source = "
int sum;
int add(int n) {
    int local = n;
    local++;
    return local;
}
int main(void) {
    for (int i = 0; i < 3; i++) {
        sum += add(i);
    }
    sum = 0;
    return sum;
}
";
    compile(&dir, "loops", source);
    let commands =
        &["break loops.c:10", "continue", "delete", "until", "until", "print sum == 6 ? sum : -1", "print i"];
    let ran = session(&dir, &[], commands, &["loops"]);
    let lines = said(&ran);
    assert!(lines[3].contains("main at loops.c:9: for ("), "{ran:?}");
    assert!(lines[4].contains("main at loops.c:12: sum = 0;"), "{ran:?}");
    assert!(lines[5].contains(" = 6  (int)\n"), "{ran:?}");
    let commands = &[
        "break add",
        "continue",
        "break +1",
        "tbreak -1",
        "advance +1",
        "watch -l local",
        "watch local",
        "thread apply all bt",
        "thread apply 1 print n",
        "thread apply 2 bt",
    ];
    let ran = session(&dir, &[], commands, &["loops"]);
    let lines = said(&ran);
    assert!(lines[2].contains("breakpoint 2 at loops.c:5: 0x"), "{ran:?}");
    assert!(lines[3].contains("breakpoint 3 at loops.c:3"), "{ran:?}");
    assert!(lines[4].contains("add at loops.c:5: local++;"), "{ran:?}");
    assert!(!lines[5].contains("until its function returns"), "{ran:?}");
    assert!(lines[6].contains("until its function returns"), "{ran:?}");
    assert!(
        lines[7].contains("thread 1 of process 1 (loops):\n#0") && lines[7].contains(" in main+"),
        "{ran:?}"
    );
    assert!(lines[8].contains("thread 1 of process 1 (loops):\nn = 0  (int)\n"), "{ran:?}");
    assert!(lines[9].contains("there is no thread 2\n"), "{ran:?}");
    for (command, answer) in [
        ("thread apply all next", "`next` is for one: `thread apply` is for what only looks"),
        ("thread apply bt", "`apply` wants threads, by their numbers or `all`, and a command"),
        ("print $1", "no history of values is kept"),
        ("silent", "it is the first line of `commands N`"),
        ("catch vfork", "catchpoint 1: vfork\n"),
    ] {
        let ran = session(&dir, &[], &[command], &["loops"]);
        assert!(ran.stderr.contains(answer), "{command}: {ran:?}");
    }
}

/// What a function has returned is told by its type, from where the calling convention has it.
#[test]
fn finish_tells_what_was_returned() {
    const RETURNS: &str = "
#include <complex.h>
struct pair { int a; double b; };
struct floats { float x, y; };
struct triple { int a, b, c; };
struct large { long all[4]; };
enum colour { RED, GREEN };
static char text[] = \"some\";
#define F __attribute__((noinline))
F int number(int n) { return n - 50; }
F unsigned char small(int n) { return n + 200; }
F char *pointer(void) { return text + 1; }
F double wide(void) { return 2.5; }
F float narrow(void) { return -1.5f; }
F _Bool truth(int n) { return n > 0; }
F enum colour named(void) { return GREEN; }
F struct pair mixed(void) { struct pair p = { 7, 0.5 }; return p; }
F struct floats both(void) { struct floats f = { 1.5f, 2.5f }; return f; }
F struct triple three(void) { struct triple t = { 1, 2, 3 }; return t; }
F struct large many(void) { struct large l = { { 1, 2, 3, 4 } }; return l; }
F double complex turned(void) { return 1.0 + 2.0 * I; }
F void nothing(void) { text[0] = 'S'; }
int main(int argc, char **argv) {
    number(argc); small(argc); pointer(); wide(); narrow(); truth(argc); named();
    mixed(); both(); three(); many(); turned(); nothing();
    return 0;
}
";
    let dir = TempDir::new("steps-returned");
    compile(&dir, "returns", RETURNS);
    for (function, expected) in [
        ("number", "Value returned is $ = -49  (int)\n"),
        ("small", "Value returned is $ = 201 '\\311'  (unsigned char)\n"),
        ("pointer", " \"ome\"  (char *)\n"),
        ("wide", "Value returned is $ = 2.5  (double)\n"),
        ("narrow", "Value returned is $ = -1.5  (float)\n"),
        ("truth", "Value returned is $ = true  (_Bool)\n"),
        ("named", "Value returned is $ = GREEN  (enum colour)\n"),
        ("mixed", "Value returned is $ = {a = 7, b = 0.5}  (struct pair)\n"),
        ("both", "Value returned is $ = {x = 1.5, y = 2.5}  (struct floats)\n"),
        ("three", "Value returned is $ = {a = 1, b = 2, c = 3}  (struct triple)\n"),
        ("many", ", as a0 says: $ = {all = {1, 2, 3, 4}}  (struct large)\n"),
        ("turned", "Value returned is $ = 1 + 2i  (complex double)\n"),
    ] {
        let commands = [&format!("break {function}"), "continue", "finish"];
        let ran = session(&dir, &[], &commands, &["returns"]);
        let said = &said(&ran)[2];
        assert!(said.contains("\nmain at returns.c:") && said.ends_with(expected), "{function}: {said}");
    }
    let ran = session(&dir, &[], &["break nothing", "continue", "finish"], &["returns"]);
    assert!(!ran.stderr.contains("Value returned"), "{ran:?}");
    // Out of a function that has called: of that.
    let ran = session(&dir, &[], &["break number", "continue", "up", "finish"], &["returns"]);
    assert!(said(&ran)[3].contains("Value returned is $ = 0  (int)"), "{ran:?}");
}

/// A place is run to, or the end of the function, whichever comes first.
#[test]
fn a_place_is_run_to() {
    let dir = TempDir::new("steps-advance");
    compile(&dir, "stepped", PROGRAM);
    let number = |text: &str| 1 + PROGRAM.lines().position(|line| line.contains(text)).expect("it has it");
    let line = |text: &str| format!("at stepped.c:{}: ", number(text));
    let (fork, raise) = (number("fork()").to_string(), format!("stepped.c:{}", number("raise(")));
    for (commands, expected) in [
        (
            &["break main", "continue", &*format!("advance {fork}"), "break"][..],
            vec![line("fork()"), "reached 1 times".to_owned()],
        ),
        (&["break main", "continue", &format!("until {raise}")], vec![line("raise(")]),
        (&["break main", "continue", "advance work"], vec![line("calls++")]),
        // `main` goes on first.
        (&["break work", "continue", &format!("advance {fork}")], vec![line("write(1")]),
        (&["advance handler"], vec![line("static void handler")]),
        (&["advance stepped.c:999"], vec!["there is no code for stepped.c:999 now".to_owned()]),
    ] {
        let ran = session(&dir, &[], commands, &["stepped"]);
        let said = said(&ran);
        for (text, expected) in said[commands.len() - expected.len()..].iter().zip(&expected) {
            assert!(text.contains(expected), "{commands:?}: `{expected}` is not in {ran:?}");
        }
    }
}

/// The program begins anew as often as is wanted, and is stopped by what was to stop it before.
#[test]
fn a_program_begins_anew() {
    let dir = TempDir::new("steps-anew");
    compile(&dir, "stepped", PROGRAM);
    let number = |text: &str| 1 + PROGRAM.lines().position(|line| line.contains(text)).expect("it has it");
    let line = |text: &str| format!("at stepped.c:{}: ", number(text));
    let commands = [
        "break work",
        "display calls",
        "continue",
        "run",
        "info breakpoints",
        "watch calls",
        "start",
        "delete 1",
        "continue",
        "delete",
        "continue",
        "continue",
        "continue",
        "run",
        "starti",
        "ps",
    ];
    let ran = session(&dir, &[], &commands, &["stepped"]);
    let said = said(&ran);
    assert_eq!((said.len(), ran.status), (commands.len(), 0), "{ran:?}");
    let stop = |text: &str| text.split_once("breakpoint 1: work\n").map(|(_, stop)| stop.to_owned());
    assert!(said[3].contains(&line("calls++")) && said[3].contains("calls = 0  (int)"), "{ran:?}");
    assert_eq!(stop(&said[2]), stop(&said[3]), "each run is the same: {ran:?}");
    assert!(said[4].contains("reached 1 times"), "{ran:?}");
    assert!(!said[6].contains("is gone"), "{ran:?}");
    assert!(said[8].contains("watchpoint 2: calls: process 1 (stepped) has stored 1 at"), "{ran:?}");
    assert!(said[8].contains("; it was 0"), "{ran:?}");
    assert!(said[6].contains(&line("    work();")), "{ran:?}");
    assert!(said[12].contains("signal 11 has killed the program"), "{ran:?}");
    assert!(said[13].contains("SIGSEGV ends process 2 (stepped)"), "{ran:?}");
    assert!(said[14].contains("=> 0x") && said[14].contains(" <_start>"), "{ran:?}");
    assert!(said[15].contains("*   1     0  running") && said[15].lines().count() == 3, "{ran:?}");
    let ran = session(&dir, &["--from-reset"], &["until 1000", "starti"], &["stepped"]);
    assert!(ran.stderr.contains("starti\nstep 0: supervisor mode\n"), "{ran:?}");
}
