//! Conditions, counts and commands of breakpoints and catchpoints, on the recorded machine.

use super::Screen;
use super::recording::{check, check_parts, run, session};

#[test]
fn conditions_decide_whether_a_breakpoint_stops() {
    check(
        &["b helper if pid == 1"],
        "breakpoint 1 at helper if pid == 1: waits for a program that has it (none so far)\n",
    );
    check_parts(&["b helper if pid == 1", "c"], &["breakpoint 1: helper\n", "step 105:"]);
    check_parts(&["b helper if pid == 2", "c"], &["exited"]);
    check_parts(&["b helper if $ra == &main + 8", "c"], &["breakpoint 1: helper\n", "step 105:"]);
    check_parts(&["b helper if $ra == &main", "c"], &["exited"]);
    check_parts(&["b main+8 if pc in main", "c"], &["breakpoint 1: main+0x8\n", "step 107:"]);
    check_parts(&["b main+8 if pc in helper", "c"], &["exited"]);
    // Passed once, and the same instruction once more after its fault.
    check(
        &["b main+8 if hits > 5", "c", "b"],
        "breakpoint 1 at main+0x8 (0x10008) if hits > 5, reached 1 times\n",
    );
    check_parts(&["b trap_entry if tid == 1", "c"], &["exited"]);
    check(
        &["until 103", "b main if va == &mian"],
        "breakpoint 1 at main if va == &mian: 0x10000\n\
         `mian`: /bin/demo has no such name (near are `main`); it waits for a program that has\n",
    );
}

#[test]
fn conditions_are_changed_and_taken_away() {
    check_parts(&["b helper if pid == 2", "condition 1 pid == 1", "c"], &["breakpoint 1: helper"]);
    check_parts(&["b helper if pid == 2", "condition 1", "c"], &["breakpoint 1: helper"]);
    check_parts(&["b helper", "condition 1 if pid == 2", "c"], &["exited"]);
    check(&["condition 3 pid == 1"], "there is no breakpoint, catchpoint or watchpoint 3\n");
}

#[test]
fn a_step_that_ends_where_a_condition_fails_is_done() {
    check_parts(&["b helper if pid == 2", "until 104", "step"], &["step 105:", "<helper>"]);
    check_parts(&["b main+8 if pid == 2", "until 104", "next"], &["step 107:", "<main+0x8>"]);
}

#[test]
fn breakpoints_are_for_once_passed_or_switched_off() {
    check_parts(&["tbreak helper", "c"], &["breakpoint 1: helper"]);
    check(&["tbreak helper", "c", "b"], "there are no breakpoints, catchpoints or watchpoints\n");
    check(&["until 103", "tbreak helper"], "breakpoint 1 at helper, for once: 0x10020\n");
    check_parts(&["b helper", "ignore 1 1", "c"], &["exited"]);
    check(
        &["until 103", "b helper", "ignore 1 2", "b"],
        "breakpoint 1 at helper (0x10020), passed 2 times more, reached 0 times\n",
    );
    check_parts(&["b helper", "disable", "c"], &["exited"]);
    check(
        &["until 103", "b helper", "disable 1", "b"],
        "breakpoint 1 at helper (waits), disabled, reached 0 times\n",
    );
    check_parts(&["b helper", "disable 1", "enable 1", "c"], &["breakpoint 1: helper"]);
    check(&["disable 1"], "there is no breakpoint, catchpoint or watchpoint 1\n");
}

#[test]
fn conditions_decide_whether_a_catchpoint_stops() {
    let there = &["catchpoint 1: file_disk at 0x11000 in process 1", "step 110: user mode"];
    let not_there = &["step 112: the program has exited"];
    for (condition, parts) in [
        ("va == 0x11000", &there[..]),
        ("va == 0x11004", not_there),
        ("page(va) == page(0x11004)", there),
        ("va == &main + 0x1000", there),
        ("pc in main && frame == 0x80005", there),
        ("pid == 2", not_there),
        ("hits == 1", there),
        ("hits == 2", not_there),
    ] {
        check_parts(&["until 103", &format!("catch fault file if {condition}"), "continue"], parts);
    }
    check_parts(&["catch fault any", "disable 1", "continue"], not_there);
    check_parts(&["catch fault any", "ignore 1 1", "continue"], not_there);
}

#[test]
fn events_are_caught() {
    check_parts(
        &["catch exec", "c"],
        &["catchpoint 1: exec: process 1 runs /bin/demo\n", "step 103: user mode"],
    );
    check_parts(&["catch exec if pid == 2", "c"], &["exited"]);
    check(&["catch syscall:write"], "there is no system call `write`\n");
    check(&["catch syscall:64"], "catchpoint 1: syscall 64\n");
    check(&["catch tlb-miss if va == 0"], "catchpoint 1: tlb-miss if va == 0\n");
}

#[test]
fn commands_are_done_at_a_stop() {
    let (mut debugger, mut machine) = session();
    let lines = ["b helper", "commands 1", "x/xw main", "stpe", "continue", "end", "catch fault file", "c"];
    let text = run(&mut debugger, &mut machine, &lines[..4]);
    assert!(text.starts_with("there is no command `stpe`"), "{text}");
    let text = run(&mut debugger, &mut machine, &lines[4..]);
    assert!(text.starts_with("breakpoint 1: helper"), "{text}");
    assert_eq!(debugger.execute_due(&mut machine).unwrap().1.text, "0x10000: 0x00100513\n");
    let (line, output) = debugger.execute_due(&mut machine).unwrap();
    let text = output.text;
    assert_eq!(line, "continue");
    assert!(text.starts_with("catchpoint 2: file_disk"), "{text}");
    assert_eq!(debugger.execute_due(&mut machine), None);
    let list = run(&mut debugger, &mut machine, &["info breakpoints"]);
    assert!(list.contains("reached 1 times\n    x/xw main\n    continue\ncatchpoint 2"), "{list}");
    check(&["commands"], "there is no breakpoint, catchpoint or watchpoint yet\n");
    check(&["b main", "commands 4"], "there is no breakpoint, catchpoint or watchpoint 4\n");
}

#[test]
fn displays_are_shown_at_every_stop() {
    check(&["until 104", "display $ra"], "1: $ra = 0x0 (0)\n");
    check(&["until 103", "display/xw main"], "1: 0x10000: 0x00100513\n");
    check_parts(
        &["until 104", "display $ra", "display/i $pc", "step"],
        &["step 105:", "1: $ra = 0x10008 (65544)\n2: => 0x10020"],
    );
    check(
        &["until 103", "display $ra", "display/xw main", "display"],
        "display 1: $ra\ndisplay 2: /xw main\n",
    );
    check(&["until 103", "display $ra", "undisplay 1", "info display"], "there are no displays\n");
    check(&["undisplay 1"], "there is no display 1\n");
    check(&["display $nothing"], "there is no register or CSR `$nothing`\n");
}

#[test]
fn finish_runs_to_the_caller() {
    check_parts(&["break helper", "c", "finish"], &["step 107:", "<main+0x8>"]);
    check(&["until 103", "finish"], "who has called this function is not known\n");
    check_parts(&["break helper", "c", "b helper+4", "finish"], &["breakpoint 2: helper+0x4", "step 106:"]);
}

#[test]
fn stops_are_told_as_objects() {
    let (mut debugger, mut machine) = session();
    run(&mut debugger, &mut machine, &["break helper", "continue"]);
    let stop = debugger.take_stop().unwrap();
    assert_eq!((stop.step, stop.reason, stop.point), (105, "breakpoint", Some(1)));
    assert_eq!(stop.what.as_deref(), Some("breakpoint 1: helper"));
    assert_eq!((stop.hart, stop.mode, stop.pid), (0, "user", Some(1)));
    assert_eq!((stop.pc.as_str(), stop.symbol.as_deref()), ("0x10020", Some("helper")));
    assert_eq!(stop.changed.get("ra").map(String::as_str), Some("0x10008"));
    // Once only, and not where the machine has not run.
    assert_eq!(debugger.take_stop(), None);
    run(&mut debugger, &mut machine, &["ps"]);
    assert_eq!(debugger.take_stop(), None);
    run(&mut debugger, &mut machine, &["step"]);
    assert_eq!(debugger.take_stop().map(|stop| (stop.reason, stop.point)), Some(("step", None)));
    run(&mut debugger, &mut machine, &["continue"]);
    let end = debugger.take_stop().unwrap();
    assert_eq!((end.reason, end.what.as_deref()), ("ended", Some("the program has exited with status 7")));
}

#[test]
fn a_screen_shows_what_has_changed_and_what_comes() {
    let (mut debugger, mut machine) = session();
    run(&mut debugger, &mut machine, &["until 104", "step"]);
    let screen = debugger.screen(&machine, Screen { width: 60, has_colours: false });
    let parts = [
        "-- registers ---",
        "\nra 0x0 -> 0x10008\n-- code ---",
        "\n=> 0x10020 <helper>: ",
        "\n-- stack ---",
        "0x3ffffff000: not mapped",
    ];
    let mut rest = screen.as_str();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no `{part}` in {screen}"));
        rest = &rest[at + part.len()..];
    }
    assert!(screen.lines().all(|line| line.chars().count() <= 60), "{screen}");
    assert!(!screen.contains("-- page "), "{screen}");
    run(&mut debugger, &mut machine, &["catch fault file", "continue"]);
    let screen = debugger.screen(&machine, Screen { width: 100, has_colours: true });
    assert!(
        screen.contains("-- page ") && screen.contains("\n0x11000: PTE 0x0 [--------] at level 0"),
        "{screen}"
    );
    run(&mut debugger, &mut machine, &["continue"]);
    assert_eq!(debugger.screen(&machine, Screen { width: 100, has_colours: true }), "");
}
