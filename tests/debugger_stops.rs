//! The debugger on programs in C: what conditions, catchpoints and watchpoints say, and that they change nothing.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use c_program::{Page, compile, cow, session};
use serde_json::{Value, json};
use support::{Ran, TempDir, folio, run_with_figures, run_with_input};

/// Runs commands; what is said must have these parts, in this order.
#[track_caller]
fn says(dir: &TempDir, options: &[&str], commands: &[&str], program: &[&str], parts: &[&str]) {
    has_parts(&session(dir, options, commands, program), commands, parts);
}

#[track_caller]
fn has_parts(ran: &Ran, commands: &[&str], parts: &[&str]) {
    let mut rest = ran.stderr.as_str();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("{commands:?}: `{part}` is not in (the rest of)\n{}", ran.stderr),
        }
    }
}

/// The variable that has a page of its own is caught where it is written; one that has not, is told of.
#[test]
fn the_copy_of_a_variables_page_is_caught_or_explained() {
    let alone = cow("cow-alone", Page::Written);
    says(
        &alone,
        &[],
        &["catch fault cow if va == &counter", "continue", "disas $pc 1", "expect <main+", "continue"],
        &["cow"],
        &[
            "catchpoint 1: cow_copy at",
            "in process 2",
            "user mode, process 2 (cow)\n",
            "main at cow.c:",
            ": counter = 2;\n=> 0x",
            " <main+",
            "status 0",
        ],
    );
    let shared = cow("cow-shared", Page::Shared);
    says(
        &shared,
        &[],
        &["catch fault cow if va in counter && pid == 2", "continue"],
        &["cow"],
        &[
            "catchpoint 1 has not stopped: `counter` shares its page with `",
            "`, which process 2 wrote first, at step ",
            ": give it a page of its own to see it alone\n",
            "exited with status 0",
        ],
    );
    // Nobody has written to its page before the fork: what is copied is the file's.
    says(
        &cow("cow-read", Page::Read),
        &[],
        &["catch fault cow if va == &counter", "continue"],
        &["cow"],
        &[
            "catchpoint 1 has not stopped: the fault of process 2 at `counter`, at step ",
            ", was file_copy: nobody had written to its page before, so that it was copied from the file",
        ],
    );
    // By its page it is caught all the same, and nothing is to be explained.
    let ran = session(
        &shared,
        &[],
        &["catch fault cow if page(va) == page(&counter) && pid == 2", "continue", "delete", "continue"],
        &["cow"],
    );
    assert!(
        ran.stderr.contains("catchpoint 1: cow_copy at") && !ran.stderr.contains("shares its page"),
        "{}",
        ran.stderr
    );
}

/// Calls a function several times, has a pointer to memory that comes and goes, and a child that ends.
const POINTS: &str = "
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct node { int count; struct node *next; };
struct node *p;
int counter = 1;
static int work(int n) {
    counter += n;
    return n;
}
int main(void) {
    work(1);
    p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p->count = 3;
    work(2);
    munmap(p, 4096);
    if (fork() == 0) exit(2);
    wait(0);
    return 0;
}
";

/// Several points at one place stop as one: each is told of and counted, and what was asked for at each is done.
#[test]
fn points_at_one_place_stop_together() {
    let dir = TempDir::new("stops-together");
    compile(&dir, "points", POINTS);
    let commands = &[
        "break work",
        "break points.c:10",
        "tbreak work",
        "ignore 2 1",
        "commands 1",
        "print n",
        "end",
        "commands 2",
        "print counter",
        "end",
        "continue",
        "continue",
        "break",
    ];
    let parts = &[
        "(folio) continue\nbreakpoint 1: work\nbreakpoint 3: work\nstep ",
        "\nn = 1  (int)\n(folio) continue\nbreakpoint 1: work\nbreakpoint 2: points.c:10\nstep ",
        "\nn = 2  (int)\ncounter = 2  (int)\n",
        "breakpoint 1 at work (0x",
        "), reached 2 times\n",
        "breakpoint 2 at points.c:10 (0x",
        "), reached 2 times\n",
    ];
    says(&dir, &[], commands, &["points"], parts);
    // Catchpoints of one event, and what is said to a machine.
    let commands = &["catch fork", "catch fork if pid == 1", "catch fork if pid == 7", "continue"];
    let ran = session(&dir, &["--ui", "json"], commands, &["points"]);
    let last = ran.stderr.lines().last().unwrap();
    let answer: Value = serde_json::from_str(last).unwrap();
    assert_eq!(answer["stop"]["point"], json!(1), "{answer}");
    assert_eq!(answer["stop"]["points"], json!([1, 2]), "{answer}");
    // A stop that is to say nothing but what its commands say.
    let commands = &["break work", "commands", "silent", "print n", "end", "continue"];
    says(&dir, &[], commands, &["points"], &["(folio) continue\nn = 1  (int)\n"]);
    let commands = &["break work", "break work", "commands 1", "silent", "end", "continue"];
    says(
        &dir,
        &[],
        commands,
        &["points"],
        &["(folio) continue\nbreakpoint 1: work\nbreakpoint 2: work\nstep "],
    );
}

/// A catchpoint that cannot stop, since it is about memory that is not there, says so.
#[test]
fn a_catchpoint_of_nothing_is_told_of() {
    let dir = TempDir::new("stops-nothing");
    compile(&dir, "points", POINTS);
    for (commands, parts) in [
        (
            &["catch fault cow p"][..],
            &[
                "catchpoint 1: fault cow in p (0x0-0x1000)\n`p` points to 0x0 now, where nothing is mapped: no such fault can come there.",
                "`if page(va) == page(p)`",
                "`&p` is where it is itself\n",
            ][..],
        ),
        (
            &["catch fault zero 0x5000"],
            &["catchpoint 1: fault zero in 0x5000-0x6000\nnothing is mapped at 0x5000 so far:"],
        ),
        // What is mapped, and a fault that comes where nothing is.
        (
            &["catch fault cow counter", "catch fault segv p", "ps"],
            &["000)\n(folio) catch fault segv p\ncatchpoint 2: fault segv in p (0x0-0x1000)\n(folio) ps"],
        ),
        (
            &["catch fault cow if p->count == 3", "continue"],
            &[
                "catchpoint 1 has not stopped at step ",
                ", where it is not known whether `p->count == 3`: 0x",
                ": not mapped: unmapped by munmap at step ",
                " <",
                "munmap+0x",
                ">, ra 0x",
                " <main+0x",
                " at points.c:18>)\n",
            ],
        ),
        (
            &["break points.c:19", "continue", "print *p"],
            &["print *p\n0x", ": not mapped: unmapped by munmap at step ", " at points.c:18>)\n"],
        ),
    ] {
        says(&dir, &[], commands, &["points"], parts);
    }
}

/// At the end of a process one looks at it as it was, and not at the kernel; at the end of all at the program.
#[test]
fn an_end_is_looked_at_in_the_program() {
    let dir = TempDir::new("stops-end");
    compile(&dir, "points", POINTS);
    let commands = &["catch exit", "continue", "list", "regs pc", "stepi", "bt", "continue", "continue"];
    let parts = &[
        "catchpoint 1: exit: process 2 (points) has ended with status 2; it was last at _Exit+0x",
        "called from main at points.c:19: if (fork() == 0) exit(2);\nstep ",
        ": process 2 (points) has ended (exited 2): its mappings and its page table are gone;",
        "main(void) {\n",
        "pc        0x00000000000",
        "supervisor mode\n",
        "exit: process 1 (points) has ended with status 0",
    ];
    let ran = session(&dir, &["--ui", "screen"], commands, &["points"]);
    has_parts(&ran, commands, parts);
    assert!(!ran.stderr.split("stepi").next().unwrap().contains("kernel::"), "{ran:?}");
    // The stack of the kernel's thread ends where that began.
    let calls = ran.stderr.split("(folio) bt\n").nth(1).unwrap().split("(folio)").next().unwrap();
    assert!(calls.lines().last().unwrap().contains(" in kernel::processes::thread::start+0x"), "{ran:?}");
}

#[test]
fn events_of_processes_are_caught() {
    let dir = cow("events", Page::Shared);
    let program = &["cow"][..];
    for (commands, parts) in [
        (
            &["catch fork", "continue"][..],
            &["catchpoint 1: fork: process 1 (cow) has made process 2\n", "user mode, process 1 (cow)"][..],
        ),
        (
            &["catch exit", "continue", "continue"],
            &[
                "exit: process 2 (cow) has ended with status 0; it was last at ",
                ": process 2 (cow) has ended (exited 0): its mappings and its page table are gone;",
                "exit: process 1 (cow) has ended with status 0; it was last at ",
            ],
        ),
        (&["catch exit if pid == 1", "continue"], &["(folio) continue\n", "catchpoint 1: exit: process 1"]),
        (
            &["catch signal", "continue"],
            &[
                "SIGCHLD of process 2 (cow) to process 1 (cow): ignored\n",
                "user mode, process 1 (cow)",
                "ecall",
                "which is at work",
            ],
        ),
        (
            &["catch switch if pid == 2", "continue", "continue"],
            &["switch: hart 0 goes to process 2 (cow), thread 2\n", "supervisor mode"],
        ),
        (
            &["catch syscall:write if $a0 == 1 && pid == 2", "continue", "regs", "x/s $a1"],
            &["system call write (64) of process 2 (cow)\n", "ecall", "which it has called", "\"child: 2\\n"],
        ),
        (&["catch syscall:wriet"], &["there is no system call `wriet`; did you mean `write`?"]),
        (
            &["break main", "continue", "catch tlb-miss if va == &counter", "continue", "walk $pc"],
            &["catchpoint 2: data TLB miss at 0x", "user mode, process 1 (cow)"],
        ),
        (
            &["break main if hits == 1", "tbreak fork if pid == 1", "continue", "continue", "finish"],
            &["breakpoint 1: main", "breakpoint 2: ", "user mode, process", "<main+"],
        ),
        (
            &["catch fault cow if $sp > 0 && pid == 1", "commands", "ps", "end", "continue"],
            &["catchpoint 1: cow_", "in process 1", "  PID  PPID"],
        ),
    ] {
        says(&dir, &[], commands, program, parts);
    }
}

#[test]
fn a_program_that_is_executed_is_stopped_at_its_first_instruction() {
    let dir = TempDir::new("exec");
    let source = "
        #include <unistd.h>
        int main(int argc, char **argv) {
            if (argc == 1) execl(\"/bin/again\", \"again\", \"x\", (char *)0);
            return 7;
        }
    ";
    compile(&dir, "again", source);
    says(
        &dir,
        &[],
        &["catch exec", "continue", "continue"],
        &["again"],
        &[
            "catchpoint 1: exec: process 1 runs /bin/again\n",
            "user mode, process 1 (again)\n",
            "<_start>",
            "status 7",
        ],
    );
}

#[test]
fn pages_that_come_and_go_are_caught() {
    let dir = TempDir::new("pages");
    // A name alone means all pages of what it names.
    let source = "static char big[3 * 4096] __attribute__((aligned(4096))); int main(void) { big[8192] = 1; return 0; }";
    compile(&dir, "large", source);
    says(
        &dir,
        &[],
        &["catch fault any big", "continue"],
        &["large"],
        &["catchpoint 1: fault any in ", "catchpoint 1: zero at 0x", "<big+0x2000>"],
    );
    for (what, parts) in [
        (
            "swap-out",
            &[
                "catchpoint 1: swap-out: ",
                " leaves frame 0x",
                " for slot ",
                "user mode, process 1 (zerofill)\n",
                "which is at work",
            ][..],
        ),
        ("swap-in", &["catchpoint 1: swap_in at 0x", " mode, process "]),
    ] {
        says(&dir, &["--frames", "15"], &[&format!("catch {what}"), "continue"], &["zerofill", "30"], parts);
    }
    says(
        &dir,
        &[],
        &["catch evict", "continue"],
        &["zerofill", "3"],
        &["catchpoint 1: evict\n", "exited with status 0"],
    );
    says(
        &dir,
        &["--frames", "15"],
        &["catch evict if hits == 2", "continue", "catch"],
        &["zerofill", "30"],
        &[
            "catchpoint 1: evict: page ",
            " of /bin/zerofill leaves frame 0x",
            "user mode, process 1 (zerofill)\n",
            "the program as it was; the machine is at step ",
            "reached 2 times",
        ],
    );
}

/// Where a page leaves memory, `explain` tells of that, and of the last fault elsewhere.
#[test]
fn a_departure_is_explained() {
    let dir = TempDir::new("departure");
    let explained = |options: &[&str], commands: &[&str], program: &[&str], parts: &[&str]| {
        let ran = session(&dir, options, commands, program);
        let text = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        has_parts(&Ran { stderr: text, ..ran }, commands, parts);
    };
    explained(
        &["--frames", "15"],
        &["catch swap-out", "continue", "explain", "delete", "catch fault zero", "continue", "explain"],
        &["zerofill", "30"],
        &[
            "in the time of process 1 (zerofill), a private page, mapped by process 1 (zerofill) at 0x",
            " left frame 0x",
            "(clock chose it: its R bit was 0",
            "it is written to slot 1 first",
            "wrote to 0x",
        ],
    );
    explained(
        &["--frames", "15"],
        &["catch evict", "continue", "explain"],
        &["zerofill", "30"],
        &[
            "of /bin/zerofill, mapped by process 1 (zerofill) at 0x",
            "(clock chose it",
            "It was as it is on the disk",
        ],
    );
    // A page is its holder's, at its address: a condition may say so.
    explained(
        &["--frames", "15"],
        &["catch swap-out if pid == 1 && va >= 0x3ffffff000", "continue", "explain"],
        &["zerofill", "30"],
        &["mapped by process 1 (zerofill) at 0x3ffffff000 in [stack], left frame 0x"],
    );
}

/// A condition names the variables of the function in which its watchpoint was set, wherever the store is.
#[test]
fn a_watchpoints_condition_is_looked_at_where_it_was_set() {
    let dir = TempDir::new("watch-condition");
    let source = "
        int counter, i = 50;
        __thread int own;
        void add(int by) { int i = 3; counter += by + i; }
        int main(void) {
            for (int i = 0; i < 6; i++) add(i * 10);
            return own + (counter & 0x7f);
        }
    ";
    compile(&dir, "summed", source);
    // What only the function sees that stores is meant there.
    let commands = ["break main", "continue", "watch counter if by == 30", "continue", "continue"];
    says(&dir, &[], &commands, &["summed"], &["has stored 72 ", "; it was 39", "exited with status 40"]);
    // A thread's own variable is a name, too.
    let ran = session(&dir, &[], &["break add if own == 0", "continue"], &["summed"]);
    assert!(
        ran.stderr.contains("breakpoint 1: add\n") && !ran.stderr.contains("no such name"),
        "{}",
        ran.stderr
    );
    let commands = ["break main", "continue", "watch counter if i == 4", "continue", "bt", "continue"];
    says(
        &dir,
        &[],
        &commands,
        &["summed"],
        &["has stored 115 ", "; it was 72 ", "in add+0x", "(by=40", "exited with status 40"],
    );
}

/// Stores and loads of a program, and what the kernel copies for it.
#[test]
fn variables_are_watched() {
    let dir = TempDir::new("watch");
    let source = "
        #include <unistd.h>
        #include <sys/wait.h>
        int counter = 5;
        char text[8];
        double half;
        int main(void) {
            counter = 6;
            counter = counter + 1;
            read(0, text, 3);
            if (fork() == 0) {
                counter = 300;
                return 0;
            }
            wait(0);
            half = 0.5;
            return counter;
        }
    ";
    compile(&dir, "watched", source);
    let program = &["watched"][..];
    for (commands, parts) in [
        (
            &["watch counter > 100"][..],
            &["is a condition, and no place in memory: `watch counter if counter > 100` stops by it\n"][..],
        ),
        (
            &["watch counter * 2"],
            &["`counter * 2` is calculated, and no place in memory: `watch counter` watches that\n"],
        ),
        (
            &["watch $a0"],
            &["`$a0` is a register, and no place in memory: `watch *$a0` watches what it points to now\n"],
        ),
        // A number as it is meant; a count after a watchpoint; watchpoints alone.
        (
            &["break main", "watch half", "info watchpoints", "delete 1", "continue"],
            &["watchpoint 2: writes to half", ", reached 0 times", "has stored 0.5 at 0x", "; it was 0"],
        ),
        (
            &["watch counter", "continue", "continue 2", "info watchpoints", "delete", "info watch"],
            &[
                "has stored 6 at 0x",
                "exited with status 7",
                ", reached 2 times\n",
                "there are no breakpoints, catchpoints or watchpoints\n",
            ],
        ),
        (
            &["watch 5"],
            &[
                "`5` is 0x5, where process 1 has nothing: a variable is watched, what a pointer points to, or an address\n",
            ],
        ),
        (
            &["watch counter", "continue", "continue", "continue", "watch"][..],
            &[
                "watchpoint 1: writes to counter of process 1 (0x",
                ", 4 bytes)\n",
                "watchpoint 1: counter: process 1 (watched) has stored 6 at 0x",
                " <main+",
                ", watched.c:8); it was 5\n",
                "user mode, process 1 (watched)",
                "has stored 7 at 0x",
                "; it was 6\n",
                // The child's store is the child's.
                "exited with status 7",
                "watchpoint 1: writes to counter of process 1 (0x",
                ", reached 2 times",
            ][..],
        ),
        (
            &[
                "catch fork",
                "continue",
                "watch 2:counter",
                "delete 1",
                "continue",
                "x/dw 2:counter",
                "x/dw 1:counter",
            ],
            &["process 2 (watched) has stored 300 (0x12c) at", "; it was 7\n", ": 300\n", ": 7\n"],
        ),
        (
            &["watch text", "continue", "x/s text", "continue"],
            &[
                "watchpoint 1: writes to text of process 1 (0x",
                "text: while the kernel had the hart it has changed from 0 to 6513249 (0x636261): by a copy of the kernel's",
                "user mode, process 1 (watched)",
                "\"abc\"",
                "status 7",
            ],
        ),
        (
            &["break main", "continue", "rwatch counter", "continue"],
            &["watchpoint 2: reads of counter", "has loaded 6 from 0x"],
        ),
        (
            &["awatch counter if hits == 3", "continue"],
            &["watchpoint 1: accesses to counter", "has stored 7 at"],
        ),
        (
            &["watch text[7]", "continue"],
            &[
                "watchpoint 1 has never stopped: writes to text[7] of process 1 (0x",
                "; a child has its own memory: `watch 2:text[7]`",
                "exited with status 7",
            ],
        ),
        (&["catch vfork", "continue"], &["catchpoint 1: vfork\n", "status 7"]),
        (&["watch counter 0"], &["LENGTH is from 1 to 4096 bytes, and not 0"]),
        (&["watch kernel:trap_entry"], &["only the memory of processes is watched"]),
    ] {
        let mut command = folio(["debug"]);
        command.args(commands.iter().flat_map(|command| ["-ex", *command])).args(program);
        command.current_dir(dir.path());
        let ran = run_with_input(command, b"abc\n");
        has_parts(&ran, commands, parts);
    }
}

/// Each command is answered by an object, and where the machine has run, it says where it has stopped.
#[test]
fn answers_may_be_objects() {
    let dir = cow("objects", Page::Written);
    let commands =
        ["ps", "watch counter", "commands", "x/dw counter", "end", "continue", "continue", "frobnicate"];
    let ran = session(&dir, &["--ui", "json"], &commands, &["cow"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let answers: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |index: usize| &answers[index];
    let commands = answers.iter().map(|answer| answer["command"].as_str());
    let expected = [
        "ps",
        "watch counter",
        "commands",
        "x/dw counter",
        "end",
        "continue",
        "x/dw counter",
        "continue",
        "frobnicate",
    ];
    assert!(commands.eq([None].into_iter().chain(expected.map(Some))), "{}", ran.stderr);
    assert_eq!(of(0)["stop"]["symbol"], "_start");
    assert!(
        of(6)["stop"]["file"].as_str().unwrap().ends_with("/cow.c")
            && of(6)["stop"]["line"].as_u64() >= Some(8),
        "{}",
        of(6)
    );
    assert!(of(1)["text"].as_str().unwrap().contains("/bin/cow") && of(1)["stop"].is_null());
    let stop = &of(6)["stop"];
    assert_eq!((&stop["reason"], &stop["point"], &stop["pid"]), (&json!("watchpoint"), &json!(1), &json!(1)));
    assert!(
        stop["step"].as_u64() > of(0)["stop"]["step"].as_u64() && stop["changed"]["sp"].is_string(),
        "{stop}"
    );
    // What was asked for at the stop is answered, too, and is no stop.
    assert!(of(7)["text"].as_str().unwrap().ends_with(": 1\n") && of(7)["stop"].is_null());
    assert_eq!(
        (&of(8)["stop"]["reason"], &of(8)["ok"], &of(9)["ok"]),
        (&json!("ended"), &json!(true), &json!(false))
    );
}

/// Whatever stops the machine, the guest executes the same instructions to the same end.
#[test]
fn stops_change_nothing() {
    let dir = cow("nothing", Page::Shared);
    let program = dir.file("cow").display().to_string();
    let figures = |commands: &[&str]| {
        let commands = commands.iter().flat_map(|command| ["-ex", command]);
        let (ran, figures) = run_with_figures(&dir, commands.chain([program.as_str()]));
        assert_eq!(ran.stdout, "parent before: 1\nchild: 2\nparent after: 1\n", "{}", ran.stderr);
        ["instructions", "steps", "state_hash"].map(|key| figures[key].clone())
    };
    let plain = figures(&[]);
    for commands in [
        &[
            "catch syscall if hits == 7",
            "catch tlb-miss if va == &counter",
            "continue",
            "continue",
            "continue",
            "continue",
            "continue",
        ][..],
        &["catch switch", "commands", "regs", "continue", "end", "continue"],
        &[
            "break main if pid == 2",
            "catch fault any if va in counter",
            "catch fork",
            "continue",
            "continue",
            "continue",
        ],
    ] {
        assert_eq!(figures(commands), plain, "{commands:?}");
    }
}
