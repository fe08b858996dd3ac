//! Source lines: C programs compiled with `-g`, and what Folio says of them by file, line and function.

mod support;

use support::source::{compiled, debug, line_of, said};
use support::{Ran, TempDir, run_folio};

/// The source line that each command's answer stops at.
fn stops(ran: &Ran) -> Vec<String> {
    let is_stop =
        |line: &&str| line.contains(" at ") && line.contains(".c:") && !line.starts_with("breakpoint ");
    let stop = |text: &String| text.lines().find(is_stop).map(str::to_owned);
    said(ran).iter().filter_map(stop).collect()
}

#[test]
fn a_death_names_lines_and_who_has_called() {
    let dir = TempDir::new("source-death");
    let crash = compiled(&dir, "crash.c", &["-g"]);
    let ran = run_folio(["run".as_ref(), crash.as_os_str()]);
    assert_eq!(ran.status, 139);
    assert!(
        ran.stderr.contains("SIGSEGV: read of 0x0 at sum+") && ran.stderr.contains(" (crash.c:16, pc "),
        "{ran:?}"
    );
    let called: Vec<&str> = ran.stderr.lines().skip(1).collect();
    assert!(
        matches!(called.as_slice(), [call] if call.starts_with("folio:   called from main+") && call.ends_with(" (crash.c:26)")),
        "{ran:?}"
    );

    let unmapped = compiled(&dir, "unmapped.c", &["-g"]);
    let ran = run_folio(["run".as_ref(), unmapped.as_os_str()]);
    let (write, drop) = (line_of("unmapped.c", "'a'"), line_of("unmapped.c", "munmap(page"));
    assert!(ran.stderr.contains(&format!(" (unmapped.c:{write}, pc ")), "{ran:?}");
    assert!(
        ran.stderr.contains("unmapped by munmap at step ")
            && ran.stderr.contains(&format!(" at unmapped.c:{drop}>)")),
        "{ran:?}"
    );

    let deep = compiled(&dir, "deep.c", &["-g"]);
    let ran = run_folio(["run".as_ref(), deep.as_os_str()]);
    let line = line_of("deep.c", "return down(n + 1)");
    let times = ran
        .stderr
        .lines()
        .find_map(|l| l.split_once(&format!(" (deep.c:{line}), "))?.1.strip_suffix(" times"));
    let times: u64 = times.expect("the calls are told of once, with their number").parse().expect("a number");
    // 8 MiB of frames of a little more than 1,000 bytes.
    assert!((7000..8400).contains(&times), "{ran:?}");

    let ran = run_folio(["run".as_ref(), deep.as_os_str(), "abort".as_ref()]);
    assert_eq!(ran.status, 134);
    for line in ["abort();", "raise(SIGUSR1)", "        raise_it();"].map(|text| line_of("deep.c", text)) {
        assert!(ran.stderr.contains(&format!("(deep.c:{line})")), "line {line}: {ran:?}");
    }
    let ran = run_folio(["run".as_ref(), deep.as_os_str(), "term".as_ref()]);
    assert_eq!(ran.status, 143);
    let line = line_of("deep.c", "raise(SIGTERM)");
    assert!(ran.stderr.contains(&format!("(deep.c:{line})")), "{ran:?}");
}

/// A function that makes room on one of its paths alone, and of which no call frame information tells, as libc's `free` here, has a caller
/// all the same: by what it will do before it returns.
#[test]
fn a_function_is_left_by_its_end() {
    let dir = TempDir::new("source-freed");
    let freed = compiled(&dir, "freed.c", &["-g"]);
    let ran = debug(
        &freed,
        &["catch syscall munmap", "continue", "bt", "break free", "run", "bt", "delete 1", "finish"],
        &[],
    );
    let said = said(&ran);
    let line = line_of("freed.c", "free(block)");
    for calls in [&said[2], &said[5]] {
        let has_caller = calls
            .lines()
            .any(|call| call.contains(" in drop+") && call.ends_with(&format!(" at freed.c:{line}")));
        assert!(has_caller && calls.contains(" in main+"), "{calls}");
    }
    assert!(said[7].contains(&format!("drop at freed.c:{}", line + 1)), "{ran:?}");
}

/// A call in a library is told by its place there; `explain` says how one sees who has called that.
#[test]
fn who_has_unmapped_is_found() {
    let dir = TempDir::new("source-unmapped");
    let freed = compiled(&dir, "freed.c", &["-g"]);
    let ran = debug(&freed, &["continue", "explain"], &[]);
    let told = said(&ran)[1].clone();
    let (_, hint) = told.split_once("who had called that: `").unwrap_or_else(|| panic!("{ran:?}"));
    let (catch, rest) = hint.split_once('`').unwrap_or_default();
    assert!(rest.starts_with(", then `run` and `bt`"), "{ran:?}");
    let ran = debug(&freed, &["continue", catch, "run", "bt"], &[]);
    let line = line_of("freed.c", "free(block)");
    assert!(said(&ran)[3].contains(&format!(" at freed.c:{line}\n")), "{ran:?}");
    // A line that is told is enough.
    let unmapped = compiled(&dir, "unmapped.c", &["-g"]);
    let ran = debug(&unmapped, &["continue", "explain"], &[]);
    assert!(!said(&ran)[1].contains("who had called"), "{ran:?}");
}

/// Of a program of several threads it is told which has done what it dies of.
#[test]
fn a_death_names_the_thread() {
    let dir = TempDir::new("source-threaded");
    let threaded = compiled(&dir, "threaded.c", &["-g", "-pthread"]);
    let ran = run_folio(["run".as_ref(), threaded.as_os_str()]);
    assert!(ran.stderr.contains("SIGSEGV in thread 2: write to 0x0 at work+"), "{ran:?}");
    let ran = debug(&threaded, &["continue"], &[]);
    let said = said(&ran);
    assert!(said[0].contains("SIGSEGV ends process 1 (threaded), in thread 2"), "{ran:?}");
}

/// Without debug information the call frame information tells who has called, and the symbols their names.
#[test]
fn a_death_without_lines_names_functions() {
    let dir = TempDir::new("source-no-lines");
    let crash = compiled(&dir, "crash.c", &["-O1", "-fno-inline"]);
    let ran = run_folio(["run".as_ref(), crash.as_os_str()]);
    assert!(
        ran.stderr.contains("SIGSEGV: read of 0x0 at sum+0x") && ran.stderr.contains("called from main+"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains(".c:"), "{ran:?}");
}

#[test]
fn step_and_next_go_from_line_to_line() {
    let dir = TempDir::new("source-step");
    let lines = compiled(&dir, "lines.c", &["-g", "-O0"]);
    let at = |function: &str, text: &str| format!("{function} at lines.c:{}: ", line_of("lines.c", text));
    let first = format!("break lines.c:{}", line_of("lines.c", "int first = outer(3)"));
    let ran = debug(&lines, &[&first, "continue", "next", "next", "next", "next"], &[]);
    let expected = [
        at("main", "int first = outer(3)"),
        at("main", "count += first"),
        at("main", "printf("),
        at("main", "return 0"),
        format!("main at lines.c:{}: }}", line_of("lines.c", "return 0") + 1),
    ];
    let stops_seen = stops(&ran);
    for (seen, expected) in stops_seen.iter().zip(&expected) {
        assert!(seen.starts_with(expected.as_str()), "{seen} is not {expected}: {ran:?}");
    }
    assert_eq!(stops_seen.len(), expected.len(), "{ran:?}");

    let ran = debug(&lines, &["break main", "continue", "step", "step", "step", "step", "bt"], &[]);
    let expected = [
        at("main", "int first = outer(3)"),
        at("outer", "int result = work(rounds)"),
        at("work", "int sum = 0"),
        at("work", "for (int i = 0"),
        at("twice", "return value + value"),
    ];
    let seen = stops(&ran);
    for (seen, expected) in seen.iter().zip(&expected) {
        assert!(seen.starts_with(expected.as_str()), "{seen} is not {expected}: {ran:?}");
    }
    let stack = said(&ran).into_iter().rfind(|text| text.starts_with("bt\n")).expect("bt was asked");
    let functions: Vec<&str> = stack.lines().skip(1).filter_map(|line| line.split(" in ").nth(1)).collect();
    let lines: Vec<String> =
        ["return value + value", "sum += twice(i)", "int result = work", "int first = outer"]
            .map(|text| format!(" at lines.c:{}", line_of("lines.c", text)))
            .into();
    assert_eq!(functions.len(), 4, "{stack}");
    for ((function, name), line) in functions.iter().zip(["twice", "work", "outer", "main"]).zip(&lines) {
        assert!(function.starts_with(name) && function.contains(line.as_str()), "{name}{line}: {stack}");
    }
}

#[test]
fn the_source_is_listed_and_lines_are_places() {
    let dir = TempDir::new("source-list");
    let program = compiled(&dir, "lines.c", &["-g"]);
    let ran = debug(
        &program,
        &[
            "list work",
            "list",
            "list -",
            "break lines.c:1",
            "break lines.c:999",
            "break nofile.c:3",
            "walk lines.c:41",
            "list 20",
            "list +2",
            "list -2",
            "list 1,9999",
            "list",
        ],
        &[],
    );
    let said = said(&ran);
    let work = line_of("lines.c", "static int work");
    let first = |text: &str| {
        text.lines().nth(1).and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(0usize)
    };
    assert_eq!(
        (first(&said[0]), first(&said[1]), first(&said[2])),
        (work - 5, work + 5, work - 5),
        "{ran:?}"
    );
    assert!(said[0].contains("__attribute__((noinline)) static int work(int rounds) {"), "{ran:?}");
    assert!(said[3].contains("the next line that has code"), "{ran:?}");
    assert!(said[4].contains("has no code for line 999 of lines.c"), "{ran:?}");
    assert!(said[5].contains("is made of") && said[5].contains("lines.c"), "{ran:?}");
    assert!(said[6].contains("VPN 0x10"), "{ran:?}");
    assert_eq!(first(&said[7]), 15, "{ran:?}");
    // From the line behind those that were shown last.
    assert_eq!((first(&said[8]), first(&said[9])), (22, 25), "{ran:?}");
    let lines = said[10].lines().count() - 1;
    assert!(said[11].contains(&format!("ends before line {}: it has {lines} lines", lines + 1)), "{ran:?}");
}

/// The source can be listed when the program has ended, and a number is a line of the file that one looks at.
#[test]
fn the_source_is_listed_after_the_end() {
    let dir = TempDir::new("source-list-ended");
    let program = compiled(&dir, "lines.c", &["-g"]);
    let line = line_of("lines.c", "int first = outer(3)");
    let at_line = format!("list lines.c:{line}");
    let ran = debug(
        &program,
        &[
            "list work",
            &format!("break {line}"),
            "continue",
            "delete",
            "continue",
            "list",
            "list work",
            &at_line,
            "list 3,4",
        ],
        &[],
    );
    let said = said(&ran);
    assert!(said[2].contains(&format!("main at lines.c:{line}")), "{ran:?}");
    assert!(
        said[6].contains("static int work(int rounds)") && said[7].contains("int first = outer(3)"),
        "{ran:?}"
    );
    assert!(said[8].contains("3     #include <string.h>"), "{ran:?}");
    let ran = debug(&program, &["continue", "list"], &[]);
    assert!(ran.status == 0 && ran.stderr.contains("int main(void)"), "{ran:?}");
}

/// A program that a signal ends stops there first, and can be looked at; nothing of its run is another for it.
#[test]
fn a_program_that_dies_stops_first() {
    let dir = TempDir::new("source-dies");
    let crash = compiled(&dir, "crash.c", &["-g"]);
    let ran = debug(&crash, &["continue", "bt", "print list", "finish", "list"], &[]);
    let told = said(&ran);
    assert!(
        told[0].contains("SIGSEGV ends process 1 (crash)")
            && told[0].contains("sum at crash.c:16: total += list->value;"),
        "{ran:?}"
    );
    assert!(told[1].contains(" in sum+0x") && told[1].contains(" (list=0x0) at crash.c:16"), "{ran:?}");
    assert!(told[2].contains("list = 0x0") && told[3].contains("SIGSEGV: read of 0x0 at sum+"), "{ran:?}");
    let ran = debug(&crash, &["handle SEGV nostop", "continue"], &[]);
    assert!(!ran.stderr.contains("ends process") && ran.stderr.contains("SIGSEGV: read of 0x0"), "{ran:?}");
    // Where a catchpoint has told of it, it is not told of again.
    let ran = debug(&crash, &["catch fault segv", "continue", "continue"], &[]);
    assert!(!ran.stderr.contains("ends process") && ran.stderr.contains("SIGSEGV: read of 0x0"), "{ran:?}");

    let deep = compiled(&dir, "deep.c", &["-g"]);
    let ran = debug(&deep, &["continue", "bt"], &["abort"]);
    assert!(
        said(&ran)[0].contains("SIGABRT ends process 1 (deep)")
            && said(&ran)[0].contains("called from handler at deep.c:17: abort();")
            && said(&ran)[1].contains(" in raise_it"),
        "{ran:?}"
    );

    for (commands, parts) in [
        (
            &["disas down 1", "x/i down", "continue", "whatis $sp", "p down::n"][..],
            &[
                "is not in memory: this is page 0 of /bin/deep)",
                "<down>: ",
                "SIGSEGV ends process 1 (deep)",
                "none: below the stack, which has come to its limit of 8 MiB (RLIMIT_STACK)",
                ": not mapped: below the stack, which has come to its limit",
            ][..],
        ),
        (
            &["continue", "p main::argc"],
            &["SIGSEGV", "`main::argc` is a variable of main, which is not what is looked at"],
        ),
    ] {
        let ran = debug(&deep, commands, &[]);
        let told = said(&ran);
        assert_eq!(told.len(), parts.len(), "{ran:?}");
        for (told, part) in told.iter().zip(parts) {
            assert!(told.contains(part), "{part}: {ran:?}");
        }
    }

    let figures = |commands: &[&str]| {
        let json = dir.file("figures");
        let mut words: Vec<String> = vec!["debug".into(), "--json".into(), json.display().to_string()];
        words.extend(commands.iter().flat_map(|command| ["-ex".to_string(), (*command).to_string()]));
        words.push(crash.display().to_string());
        assert_eq!(run_folio(words).status, 139);
        let figures = support::read_json(&json);
        (support::count(&figures, "instructions"), figures["state_hash"].clone())
    };
    let handled = figures(&["handle SIGSEGV nostop", "continue"]);
    assert_eq!(handled, figures(&["continue", "bt", "locals", "continue"]));
}

/// Looking at lines, frames and callers changes nothing that the guest could see.
#[test]
fn stepping_by_lines_changes_no_count() {
    let dir = TempDir::new("source-count");
    let program = compiled(&dir, "lines.c", &["-g"]);
    let figures = |commands: &[&str]| {
        let json = dir.file("figures");
        let mut words: Vec<String> = vec!["debug".into(), "--json".into(), json.display().to_string()];
        words.extend(commands.iter().flat_map(|command| ["-ex".to_string(), (*command).to_string()]));
        words.extend(["-ex".into(), "continue".into(), program.display().to_string()]);
        assert_eq!(run_folio(words).status, 0);
        let figures = support::read_json(&json);
        (support::count(&figures, "instructions"), figures["state_hash"].clone())
    };
    let plain = figures(&[]);
    assert_eq!(plain, figures(&["break main", "continue", "step 12", "bt", "next 3", "delete"]));
}

#[test]
fn variables_are_printed_with_their_types() {
    let dir = TempDir::new("source-print");
    for flags in [["-g", "-O0"], ["-g", "-O1"]] {
        let program = compiled(&dir, "lines.c", &flags);
        let work = "break outer";
        let places = [
            ("count", "count = 7  (int)"),
            ("ratio", "ratio = 0.5  (double)"),
            ("word", "word = \"folio\"  (char[8])"),
            ("shape", "shape = {name = 0x"),
            (
                "shape",
                "\"box\", corners = {{x = 1, y = 2}, {x = -3, y = 4}}, colour = GREEN, flags = 5, slope = -7}  (struct shape)",
            ),
            ("shape.corners[1].x", "shape.corners[1].x = -3  (int)"),
            ("shape.slope", "shape.slope = -7  (int)"),
            ("shape.colour == GREEN", "shape.colour == GREEN = 1  (int)"),
            ("GREEN", "GREEN = GREEN  (enum colour)"),
            // Behind the end: what a program finds that goes too far.
            ("word[8]", "word[8] = "),
            ("pointer->colour", "pointer->colour = GREEN  (enum colour)"),
            ("*pointer", "corners = {{x = 1"),
            ("&count", "  (int *)"),
            ("$sp", "$sp = 0x3"),
        ];
        let wrong = [
            ("nothing", "has no variable or symbol `nothing`"),
            ("shape.nose", "struct shape has no member `nose` (it has name, corners, colour, flags, slope)"),
            ("*count", "int is no pointer"),
        ];
        for (name, expected) in places {
            let ran = debug(&program, &[work, "continue", &format!("print {name}")], &[]);
            assert!(said(&ran)[2].contains(expected), "{name}: {ran:?}");
        }
        for (name, expected) in wrong {
            let ran = debug(&program, &[work, "continue", &format!("print {name}")], &[]);
            assert!(ran.status == 1 && said(&ran)[2].contains(expected), "{name}: {ran:?}");
        }
    }
    // What an optimising compiler keeps differs; without optimisation all is there.
    let program = compiled(&dir, "lines.c", &["-g", "-O0"]);
    let line = line_of("lines.c", "return sum;");
    let commands =
        [format!("break lines.c:{line}"), "continue".into(), "print sum".into(), "print rounds".into()];
    let ran = debug(&program, &commands.each_ref().map(String::as_str), &[]);
    assert!(
        said(&ran)[2].contains("sum = 6  (int)") && said(&ran)[3].contains("rounds = 3  (int)"),
        "{ran:?}"
    );
}

/// `--stats --by` tells each page fault once, whatever it is told by.
#[test]
fn faults_are_told_by_their_causes() {
    let dir = TempDir::new("source-by");
    let pages = compiled(&dir, "pages.c", &["-g"]);
    let (fill, rewrite) = (line_of("pages.c", "[0] = 1"), line_of("pages.c", "[0] = 2"));
    let json = dir.file("figures");
    for by in ["symbol", "line", "file", "vma"] {
        let mut words: Vec<String> = ["run", "--stats", "--by", by, "--json"].map(String::from).into();
        words.extend([json.display().to_string(), pages.display().to_string()]);
        let ran = run_folio(words);
        assert_eq!(ran.status, 0, "{ran:?}");
        let table = ran.stderr.lines().skip_while(|line| !line.contains("from disk")).skip(1);
        let table: Vec<&str> = table.skip_while(|line| !line.contains(" refused ")).skip(1).collect();
        let number = |word: &str| word.replace(',', "").parse::<u64>().expect("a number");
        let faults: u64 = table.iter().map(|row| number(row.split_whitespace().next().expect("a row"))).sum();
        let figures = support::read_json(&json);
        assert_eq!(faults, support::count(&figures, "faults.total"), "{by}: {ran:?}");
        let rows = figures["by_cause"]["rows"].as_array().expect("rows");
        let of_json: u64 = rows.iter().map(|row| row["faults"].as_u64().expect("a number")).sum();
        assert_eq!(of_json, faults, "{by}");
        // What the table shows, with the names behind the numbers.
        for (row, shown) in rows.iter().zip(&table).take(30) {
            let shown: Vec<&str> = shown.split_whitespace().collect();
            assert_eq!(row["faults"].as_u64().expect("a number"), number(shown[0]), "{by}: {row}");
            assert_eq!(row["kinds"]["cow"].as_u64().expect("a number"), number(shown[4]), "{by}: {row}");
            assert_eq!(row["name"], shown[8..].join(" "), "{by}");
        }
        // Faults, from disk, zero, file, copy on write, swap, refused, frames.
        let wanted = match by {
            "symbol" => vec![("fill", [40, 0, 40, 0, 0, 0, 0, 40]), ("rewrite", [20, 0, 0, 0, 20, 0, 0, 20])],
            "line" => vec![],
            "file" => vec![("pages.c", [60, 0, 40, 0, 20, 0, 0, 60])],
            _ => vec![],
        };
        let lines = [
            (format!("pages.c:{fill} (fill)"), [40, 0, 40, 0, 0, 0, 0, 40]),
            (format!("pages.c:{rewrite} (rewrite)"), [20, 0, 0, 0, 20, 0, 0, 20]),
        ];
        let wanted = wanted.into_iter().map(|(name, row)| (name.to_string(), row));
        for (name, row) in wanted.chain(lines.into_iter().filter(|_| by == "line")) {
            let found = table.iter().find(|row| row.trim_end().ends_with(&format!("  {name}")));
            let found = found.unwrap_or_else(|| panic!("{name}: {ran:?}")).split_whitespace();
            let numbers: Vec<u64> = found.take(8).map(number).collect();
            // The file's row has main's own, too.
            let is_more = by == "file" && numbers.iter().zip(row).all(|(&n, least)| n >= least);
            assert!(is_more || numbers == row, "{name}: {numbers:?}, {ran:?}");
        }
    }
    let ran = run_folio(["run", "--by", "line", "hello"]);
    assert!(ran.status != 0 && ran.stderr.contains("--stats"), "{ran:?}");
}

#[test]
fn a_trace_names_functions_and_lines_if_asked() {
    let dir = TempDir::new("source-trace");
    let pages = compiled(&dir, "pages.c", &["-g"]);
    let line = format!("pages.c:{}", line_of("pages.c", "[0] = 2"));
    let trace = dir.file("trace");
    let mut words: Vec<String> = ["run", "--trace-names", "--trace"].map(String::from).into();
    words.extend([trace.display().to_string(), pages.display().to_string()]);
    assert_eq!(run_folio(words).status, 0);
    let text = std::fs::read_to_string(&trace).expect("it was written");
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"));
    let copies: Vec<_> =
        events.filter(|event| event["kind"] == "cow_copy" && event["source"] == line.as_str()).collect();
    assert_eq!(copies.len(), 20, "a copy for each page that the child writes to");
    assert!(copies[0]["function"].as_str().is_some_and(|name| name.starts_with("rewrite+")), "{copies:?}");
}

/// Where several rows of a line table begin at one instruction, the statements among them count, as they do for gdb.
#[test]
fn lines_of_optimised_code_are_found() {
    let dir = TempDir::new("source-optimised");
    let program = compiled(&dir, "lines.c", &["-g", "-O2"]);
    let lines = ["count += first", "printf("];
    for line in lines.map(|text| line_of("lines.c", text)) {
        let ran = debug(&program, &[&format!("break lines.c:{line}")], &[]);
        assert!(!said(&ran)[0].contains("next line"), "{line}: {ran:?}");
    }
}

/// A function's arguments are right where a breakpoint at it stops.
#[test]
fn a_breakpoint_at_a_function_stops_in_its_body() {
    let dir = TempDir::new("source-body");
    let program = compiled(&dir, "lines.c", &["-g", "-O0"]);
    let ran = debug(&program, &["break work", "continue", "print rounds", "bt 2"], &[]);
    let said = said(&ran);
    assert!(
        said[1].contains(&format!("work at lines.c:{}: int sum = 0;", line_of("lines.c", "int sum = 0"))),
        "{ran:?}"
    );
    assert!(said[2].contains("rounds = 3  (int)") && said[3].contains(" in outer+"), "{ran:?}");
}
