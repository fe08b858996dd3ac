//! What the debugger's commands mean by a name, and what they say of it: functions that there are several of, names of addresses.

mod support;

use support::TempDir;
use support::source::{compiled_from, debug, line_of, said};

/// A breakpoint at a name is at every function that is called so, under one number.
#[test]
fn a_breakpoint_is_at_all_places_of_a_name() {
    let dir = TempDir::new("places-break");
    let program = compiled_from(&dir, &["same_a.c", "same_b.c"], &["-g", "-O1"]);
    let (in_a, in_b) = (line_of("same_a.c", "sum = value"), line_of("same_b.c", "difference = value"));
    let ran = debug(
        &program,
        &["break helper", "break other if hits == 9", "info breakpoints", "continue", "continue", "continue"],
        &[],
    );
    let said_now = said(&ran);
    assert!(said_now[0].contains("breakpoint 1 at helper: 2 places"), "{ran:?}");
    for text in [&said_now[0], &said_now[2]] {
        assert!(
            text.contains(&format!(" in helper at same_a.c:{in_a}"))
                && text.contains(&format!(" in helper at same_b.c:{in_b}"))
                && text.contains(" 1.1  0x")
                && text.contains(" 1.2  0x"),
            "{ran:?}"
        );
    }
    assert!(said_now[1].contains("breakpoint 2 at other"), "{ran:?}");
    let stops: Vec<bool> = [(3, "a", in_a), (4, "b", in_b)]
        .map(|(index, file, line)| said_now[index].contains(&format!("helper at same_{file}.c:{line}")))
        .into();
    assert_eq!(stops, [true, true], "{ran:?}");
    assert!(said_now[5].contains("has exited"), "{ran:?}");

    for (place, file, line) in [("same_b.c:helper", "b", in_b), ("same_a.c:helper", "a", in_a)] {
        let ran = debug(&program, &[&format!("break {place}"), "continue", "continue"], &[]);
        let said = said(&ran);
        assert!(said[0].contains(&format!("breakpoint 1 at {place}: 0x")), "{ran:?}");
        assert!(said[1].contains(&format!("helper at same_{file}.c:{line}")), "{ran:?}");
        assert!(said[2].contains("has exited"), "{ran:?}");
    }
    for (place, answer) in [
        ("same_b.c:twice", "has no function twice of same_b.c"),
        ("no.c:helper", "is made of "),
        ("nothing", "has no such name"),
    ] {
        let ran = debug(&program, &[&format!("break {place}")], &[]);
        assert!(said(&ran)[0].contains(answer), "{ran:?}");
    }
}

/// A function that the compiler has put into others has no code of its own, and is stopped at in each of them.
#[test]
fn a_breakpoint_is_at_each_inlined_instance() {
    let dir = TempDir::new("places-inlined");
    let program = compiled_from(&dir, &["same_a.c", "same_b.c"], &["-g", "-O1"]);
    let ran = debug(&program, &["break twice", "continue", "bt", "continue", "bt", "continue"], &[]);
    let said = said(&ran);
    assert!(said[0].contains("breakpoint 1 at twice: 2 places"), "{ran:?}");
    assert_eq!(said[0].matches(", inlined into main").count(), 2, "{ran:?}");
    for (stop, call) in [(1, "twice(3)"), (3, "twice(first)")] {
        assert!(
            said[stop].contains("breakpoint 1: twice") && said[stop].contains("twice at same_a.c:"),
            "{ran:?}"
        );
        let called = format!("in main+0x");
        let line = format!(" at same_a.c:{}", line_of("same_a.c", call));
        assert!(
            said[stop + 1].contains("in twice")
                && said[stop + 1].lines().any(|l| l.contains(&called) && l.contains(&line)),
            "{ran:?}"
        );
    }
    assert!(said[5].contains("has exited"), "{ran:?}");
}
