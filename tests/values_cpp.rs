//! Values of C++: what `print`, `x`, `watch` and conditions say of libstdc++'s containers and owners, of classes and enumerations.

mod support;

use std::path::Path;
use support::TempDir;
use support::rows::check_answers;
use support::source::{compiled, debug};

const START: [&str; 3] = ["break stop", "continue", "up"];

/// Does `start`, then the commands of the rows in one session, and compares what is said with the rows.
fn check(program: &Path, start: &[&str], rows: &[(&str, &str)]) {
    let commands: Vec<&str> = start.iter().copied().chain(rows.iter().map(|(command, _)| *command)).collect();
    check_answers(&debug(program, &commands, &[]), start.len(), rows);
}

/// Commands that cannot be carried out, each in a session of its own, since it ends there.
fn check_refused(program: &Path, rows: &[(&str, &str)]) {
    for row in rows {
        check(program, &START, &[*row]);
    }
}

#[test]
fn containers_are_what_they_hold() {
    let dir = TempDir::new("cpp-containers");
    let program = compiled(&dir, "containers.cpp", &["-g", "-O0", "-std=c++17"]);
    check(
        &program,
        &START,
        &[
            ("p ages", r#"ages = {["ada"] = 36, ["bob"] = 7, ["cyd"] = 52}  (map<…"#),
            (
                "p items",
                r#"items = {[1] = {name = "nut", count = 3}, [2] = {name = "bolt", count = 4}}  (map<…"#,
            ),
            ("p items[2].name", r#"items[2].name = "bolt"  (string)"#),
            ("p wide", "wide = {[120 'x'] = {value = 1.5, tag = 121 'y'}}  (map<…"),
            ("p many", "many = {[0] = 0, [1] = 679, …, … 800 more}  (map<…"),
            ("p many[679]", "many[679] = …  (int)"),
            ("p both", "both = {[1] = 2, [1] = 3}  (multimap<…"),
            ("p primes", "primes = {2, 3, 5, 7, 11}  (set<…"),
            ("p nothing", "nothing = {}  (set<…"),
            ("p links", "links = {4, 5, 6}  (list<…"),
            ("p no_links", "no_links = {}  (list<…"),
            ("p chain", "chain = {1.5, 2.5}  (forward_list<…"),
            ("p ends", "ends = {9, 1 <repeats 199 times>, … 101 more}  (deque<…"),
            ("p ends[300]", "ends[300] = 1  (int)"),
            ("p flags", "flags = {true, false, true, true}  (vector<bool, …"),
            ("p flags[1]", "flags[1] = false  (bool)"),
            ("p words", r#"words = {"a", "bb"}  (vector<…"#),
            ("p hashed", r#"hashed = {["k"] = 1}  (unordered_map<…"#),
            ("p only", "only = 0x…  (unique_ptr<…"),
            ("p *only", r#"*only = {name = "one", count = 1}  (Item)"#),
            ("p only->count", "only->count = 1  (int)"),
            ("p no_one == 0", "no_one == 0 = 1  (int)"),
            ("p row[2]", "row[2] = 9  (int)"),
            ("p shared", "shared = 0x… (use count 2, weak count 1)  (shared_ptr<int>)"),
            ("p *shared + 1", "*shared + 1 = 18  (int)"),
            ("p late", "late = 0x… (expired, weak count 1)  (weak_ptr<int>)"),
            ("p some", "some = 12  (optional<int>)"),
            ("p some > 3", "some > 3 = 1  (int)"),
            ("p none", "none = <no value>  (optional<int>)"),
            ("p maybe->count", "maybe->count = 2  (int)"),
            ("p pair", "pair = {first = 3, second = 99 'c'}  (pair<int, char>)"),
            ("p triple", r#"triple = {1, "two", 3.5}  (tuple<…"#),
            ("p fixed", "fixed = {1, 2, 3}  (array<int, 3>)"),
            ("p fixed[1]", "fixed[1] = 2  (int)"),
            ("p either", r#"either = "v"  (variant<…"#),
            ("p view", r#"view = "a view"  (string_view)"#),
            ("p count", "count = 5  (…"),
            ("p count + 1", "count + 1 = 6  (int)"),
            ("p at->second.name", r#"at->second.name = "nut"  (string)"#),
            ("p *number", "*number = 2  (int)"),
            ("p *link", "*link = 4  (int)"),
            ("x/s text", r#"0x…: "some text""#),
        ],
    );
    check_refused(
        &program,
        &[
            ("p *none", "it holds no value\nfolio: the script ends: …"),
            ("p items[9]", "it has no key 9\nfolio: the script ends: …"),
            ("p ages[0]", "its keys are no numbers: `print` shows them all\nfolio: the script ends: …"),
            ("p primes[0]", "set<…> is no array\nfolio: the script ends: …"),
            ("p ends[301]", "it has 301 elements\nfolio: the script ends: …"),
        ],
    );
    // What is not constructed yet is shown as it is.
    check(&program, &["break main", "continue"], &[("p primes", "primes = {…"), ("p ends", "ends = {…")]);
}

#[test]
fn names_of_classes_and_enumerations_have_paths() {
    let dir = TempDir::new("cpp-names");
    let program = compiled(&dir, "containers.cpp", &["-g", "-O0", "-std=c++17"]);
    check(
        &program,
        &START,
        &[
            ("p shop::Colour::Blue", "shop::Colour::Blue = Blue  (Colour)"),
            ("p (int)Colour::Green", "(int)Colour::Green = 5  (int)"),
            ("p (int)shop::Mood::Blue", "(int)shop::Mood::Blue = 9  (int)"),
            ("p colour == shop::Colour::Blue", "colour == shop::Colour::Blue = 1  (int)"),
            ("p shop::Counter::On", "shop::Counter::On = On  (Mode)"),
            ("p shop::Counter::Mode::On", "shop::Counter::Mode::On = On  (Mode)"),
            ("p shop::Counter::Level::High", "shop::Counter::Level::High = High  (Level)"),
            ("p shop::Counter::total", "shop::Counter::total = 41  (int)"),
            ("p counter.total", "counter.total = 41  (int)"),
            ("p special.total + special.LIMIT", "special.total + special.LIMIT = 48  (int)"),
            ("p special", "special = {<Counter> = {own = 3, mode = On, level = High}, more = 4}  (Special)"),
        ],
    );
    check_refused(
        &program,
        &[
            (
                "p shop::Mood::Red",
                "process 1 (containers) has no variable or symbol `shop::Mood::Red`\nfolio: the script ends: …",
            ),
            (
                "p counter.nothing",
                "Counter has no member `nothing` (it has own, mode, level)\nfolio: the script ends: …",
            ),
        ],
    );
}

#[test]
fn an_element_outside_of_its_array_is_said_to_be_so() {
    let dir = TempDir::new("cpp-outside");
    let program = compiled(&dir, "containers.cpp", &["-g", "-O0", "-std=c++17"]);
    check(
        &program,
        &START,
        &[
            ("p table[3]", "table[3] = 4  (int)"),
            ("p *table@5", "*table@5 = {1, 2, 3, 4, 99}  (int[5])"),
            (
                "p table[4]",
                "table[4] = 99  (int)\n   (`table` has 4 elements, up to [3]: [4] is what lies behind its end)",
            ),
            (
                "p numbers[7]",
                "numbers[7] = …  (int)\n   (`numbers` has 3 elements, up to [2]: [7] is what lies behind its end)",
            ),
            (
                "p numbers[-1]",
                "numbers[-1] = …  (int)\n   (`numbers` has 3 elements, up to [2]: [-1] is what lies in front of it)",
            ),
            ("p text[1]", "text[1] = 111 'o'  (char)"),
        ],
    );
}

#[test]
fn long_doubles_are_calculated_with_in_full() {
    let dir = TempDir::new("cpp-quads");
    let program = compiled(&dir, "containers.cpp", &["-g", "-O0", "-std=c++17"]);
    check(
        &program,
        &START,
        &[
            ("p third", "third = 0.3333333333333333333333333333333333  (long double)"),
            ("p third * 3 == 1", "third * 3 == 1 = 1  (int)"),
            ("p third * 2 - half", "third * 2 - half = 0.16666666666666666666666666666666663  (long double)"),
            ("p -third", "-third = -0.3333333333333333333333333333333333  (long double)"),
            ("p third > 0.3333333333333333", "third > 0.3333333333333333 = 1  (int)"),
            ("p (double)third", "(double)third = 0.3333333333333333  (double)"),
            ("p (long double)1 / 10", "(long double)1 / 10 = 0.1  (long double)"),
            ("p 0.1L == (long double)1 / 10", "0.1L == (long double)1 / 10 = 1  (int)"),
            ("p/x third", "third = 0x3ffd5555555555555555555555555555  (long double)"),
            ("p (int)(third * 7)", "(int)(third * 7) = 2  (int)"),
        ],
    );
}

#[test]
fn fields_of_bits_are_watched() {
    let dir = TempDir::new("cpp-fields");
    let program = compiled(&dir, "containers.cpp", &["-g", "-O0", "-std=c++17"]);
    check(
        &program,
        &["break main", "continue"],
        &[
            ("watch fields.delta", "watchpoint 2: writes to fields.delta of process 1 (0x…, 5 bits)"),
            // The store to its neighbour in the same byte is none.
            (
                "continue",
                "watchpoint 2: fields.delta: process 1 (containers) has stored 5 at …; it was -2, and is 5\n…",
            ),
            ("p fields", "fields = {kind = 2, delta = 5, wide = 77}  (Fields)"),
            (
                "info watchpoints",
                "watchpoint 2: writes to fields.delta of process 1 (0x…, 5 bits), reached 1 times",
            ),
            ("continue", "…has exited…"),
        ],
    );
    check_refused(
        &program,
        &[(
            "rwatch fields.kind",
            "`fields.kind` is a field of bits, and a load is of whole bytes: `watch` stops where it changes\nfolio: the script ends: …",
        )],
    );
}

#[test]
fn floating_point_registers_are_numbers_and_bits() {
    let dir = TempDir::new("cpp-registers");
    let program = compiled(&dir, "values.c", &["-g", "-O0"]);
    check(
        &program,
        &["break leaf", "continue"],
        &[("i r fa0", "fa0       0x4004000000000000  double 2.5"), ("regs a0", "a0        0x…")],
    );
}
