//! The command line: exit statuses, messages, where output goes, what the machine-readable files hold.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use nix::sys::signal::Signal;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use support::child::{self, Running};
use support::{TempDir, count, folio, read_json, run, run_folio, run_with_figures, tiny_elf};

/// An error of the user's: status 125, all the words in one screen on stderr, nothing on stdout.
fn refused(args: &[&str], words: &[&str]) {
    let ran = run_folio(args);
    assert_eq!(ran.status, 125, "{args:?}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{args:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{args:?}: no `{word}` in: {}", ran.stderr);
    }
    assert!((1..=24).contains(&ran.stderr.lines().count()), "{args:?}: more than a screen:\n{}", ran.stderr);
}

#[test]
fn mistakes_are_refused_with_a_message() {
    refused(&[], &["Usage"]);
    refused(&["fly"], &["fly"]);
    refused(&["run"], &["PROGRAM"]);
    refused(&["run", "--bogus", "hello"], &["--bogus"]);
    refused(&["run", "-m", "1", "hello"], &["4M"]);
    refused(&["run", "-m", "lots", "hello"], &["128M"]);
    refused(&["run", "--env", "NOEQUALS", "hello"], &["KEY=VALUE"]);
    refused(&["run", "--engine", "steam", "hello"], &["interp"]);
    refused(&["run", "--tlb", "7", "hello"], &["--tlb", "7"]);
    refused(&["run", "/nowhere/prog"], &["/nowhere/prog", "No such file"]);
    refused(&["run", "no-such-demo"], &["no-such-demo", "hello"]);
    refused(&["rnu", "hello"], &["did you mean `folio run`?"]);
    refused(&["hello"], &["`folio run hello` runs"]);
    refused(&["run", "hallo"], &["did you mean `hello`?"]);
    refused(&["debug", "cowfrok"], &["did you mean `cowfork`?"]);
    refused(&["run", "/"], &["/"]);
    refused(&["run", "--root", "/nowhere", "prog"], &["/nowhere"]);
    refused(&["run", "--json", "/nowhere/x.json", "hello"], &["/nowhere/x.json"]);
    refused(&["run", "--trace", "/nowhere/x.jsonl", "hello"], &["/nowhere/x.jsonl"]);
    refused(&["run", "--script", "/nowhere/script", "hello"], &["/nowhere/script"]);
    refused(&["boot", "--kernel", "/nowhere/kernel"], &["/nowhere/kernel"]);
    refused(&["test", "/nowhere/test"], &["/nowhere/test"]);
    refused(&["image", "/nowhere/dir", "-o", "/dev/null"], &["/nowhere/dir"]);
    refused(&["kernel", "-o", "/nowhere/kernel"], &["/nowhere/kernel"]);
}

#[test]
fn help_and_version_go_to_stdout() {
    for args in
        [&["--help"][..], &["--version"], &["run", "--help"], &["boot", "--help"], &["test", "--help"]]
    {
        let ran = run_folio(args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!ran.stdout.is_empty());
    }
}

#[test]
fn the_program_s_output_and_status_are_its_own() {
    let ran = run_folio(["run", "hello"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.to_lowercase().contains("hello"), "{}", ran.stdout);
    // `demand` refuses a page that is not there with status 2, on stderr.
    let ran = run_folio(["run", "--", "demand", "9999"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("demand:"), "{}", ran.stderr);
    // Killed by SIGSEGV.
    assert_eq!(run_folio(["run", "segfault"]).status, 139);
}

#[test]
fn stats_go_to_stderr_and_name_the_faults() {
    let ran = run_folio(["run", "--stats", "demand"]);
    assert_eq!(ran.status, 0);
    assert_eq!(ran.stdout, run_folio(["run", "demand"]).stdout);
    for word in ["instructions", "page faults", "file_disk", "disk reads", "frames at peak", "TLB misses"] {
        assert!(ran.stderr.contains(word), "no `{word}` in:\n{}", ran.stderr);
    }
}

#[test]
fn fuel_ends_a_run_with_124_and_the_figures_are_written() {
    let dir = TempDir::new("fuel");
    let (ran, figures) = run_with_figures(&dir, ["--fuel", "100000", "hello"]);
    assert_eq!(ran.status, 124, "{}", ran.stderr);
    assert!(ran.stderr.contains("fuel"), "{}", ran.stderr);
    assert_eq!(count(&figures, "exit"), 124);
    assert_eq!(count(&figures, "steps"), 100_000);
    assert_eq!(count(&figures, "version"), 1);
}

#[test]
fn a_timeout_ends_a_run_that_would_not_end() {
    let dir = TempDir::new("timeout");
    // `j .`
    std::fs::write(dir.file("endless"), support::tiny_elf(&[0x0000_006f])).unwrap();
    let endless = dir.file("endless");
    let (ran, figures) = run_with_figures(&dir, ["--timeout".as_ref(), "0.3".as_ref(), endless.as_os_str()]);
    assert_eq!((ran.status, count(&figures, "exit")), (124, 124), "{}", ran.stderr);
    assert!(ran.stderr.contains("the time is up; give more with --timeout"), "{}", ran.stderr);
    let in_time = run_folio(["run", "--timeout", "3000", "hello"]);
    assert_eq!((in_time.status, in_time.stderr.as_str()), (0, ""));
    for bad in ["0", "-1", "soon", "inf"] {
        let refused = run_folio(["run", &format!("--timeout={bad}"), "hello"]);
        assert!(refused.status == 125 && refused.stderr.contains("expected seconds"), "{bad}: {refused:?}");
    }
}

#[test]
fn json_holds_every_documented_field() {
    let dir = TempDir::new("json");
    let (ran, figures) = run_with_figures(&dir, ["cowfork"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    for path in [
        "version",
        "exit",
        "instructions",
        "instructions_user",
        "steps",
        "faults.total",
        "faults.from_disk",
        "faults.began_read",
        "faults.awaited_read",
        "disk.reads",
        "disk.bytes",
        "frames.total",
        "frames.peak",
        "tlb.accesses",
        "tlb.misses",
        "tlb.i.accesses",
        "tlb.i.misses",
        "tlb.d.accesses",
        "tlb.d.misses",
        "tlb.flushes",
        "tlb.flushed",
        "tlb.i.flushes",
        "tlb.d.flushed",
        "faults.by_kind.zero",
        "faults.by_kind.cow_copy",
    ] {
        count(&figures, path);
    }
    let kinds = figures["faults"]["by_kind"].as_object().unwrap();
    let sum: u64 = kinds.values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(sum, count(&figures, "faults.total"));
    assert_eq!(
        count(&figures, "tlb.misses"),
        count(&figures, "tlb.i.misses") + count(&figures, "tlb.d.misses")
    );
    assert_eq!(count(&figures, "tlb.flushes"), count(&figures, "tlb.d.flushes"));
    for side in ["i", "d"] {
        for counter in ["accesses", "misses", "flushes", "flushed"] {
            let of_processes = figures["processes"].as_array().unwrap().iter();
            let shares: u64 =
                of_processes.map(|process| process["tlb"][side][counter].as_u64().unwrap()).sum();
            assert_eq!(shares, count(&figures, &format!("tlb.{side}.{counter}")), "{side} {counter}");
        }
    }
    assert_eq!(
        count(&figures, "faults.from_disk"),
        count(&figures, "faults.began_read") + count(&figures, "faults.awaited_read")
    );
    assert!(count(&figures, "faults.began_read") < count(&figures, "disk.reads"));
    assert!(count(&figures, "instructions_user") < count(&figures, "instructions"));
    assert!(figures["state_hash"].as_str().unwrap().starts_with("0x"));
}

#[test]
fn the_trace_has_one_json_object_a_line() {
    let dir = TempDir::new("trace");
    let file = dir.file("trace.jsonl");
    let mut command = folio(["run", "--trace"]);
    command.arg(&file).args(["demand", "3", "4"]);
    assert_eq!(run(command).status, 0);
    let text = std::fs::read_to_string(&file).unwrap();
    let mut last = 0;
    let mut kinds = Vec::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        if let (Some(t), Some(kind)) = (event["t"].as_u64(), event["kind"].as_str()) {
            assert!(t >= last, "events in the order of time");
            last = t;
            kinds.push(kind.to_string());
        }
    }
    for kind in ["boot", "exec", "mmap", "file_disk", "exit", "shutdown"] {
        assert!(kinds.iter().any(|k| k == kind), "no {kind} event among {kinds:?}");
    }
}

/// Writes a byte (of itself) to standard output, and then computes for ever.
const SAYS_AND_SPINS: [u32; 7] = [
    0x0000_0597,                            // auipc a1, 0
    0x0185_8593,                            // addi a1, a1, 24
    0x0010_0513,                            // li a0, 1
    0x0010_0613,                            // li a2, 1
    0x0000_0893 | abi::number::write << 20, // li a7, write
    0x0000_0073,                            // ecall
    0x0000_006f,                            // j .
];

#[test]
fn ctrl_c_ends_a_run_with_130() {
    let dir = TempDir::new("ctrl-c");
    let spin = dir.file("spin");
    std::fs::write(&spin, tiny_elf(&SAYS_AND_SPINS)).unwrap();
    let json = dir.file("figures.json");
    let mut command = folio(["run", "--json"]);
    command.arg(&json).arg(&spin).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(command);
    // Once it has been heard it runs, and would for ever.
    let mut said = [0];
    running.child().stdout.take().unwrap().read_exact(&mut said).expect("the guest says a byte");
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait().code(), Some(130));
    assert_eq!(count(&read_json(&json), "exit"), 130);
}

/// Under `nohup` or in a background shell the suite may be started with signals ignored; what it starts must not inherit that.
#[test]
fn ctrl_c_ends_a_run_also_where_the_suite_ignores_it() {
    let mut shell = child::command("sh");
    shell.args(["-c", "trap '' INT HUP QUIT TERM; exec \"$0\" --exact ctrl_c_ends_a_run_with_130"]);
    shell.arg(std::env::current_exe().unwrap()).stdin(Stdio::null());
    let ran = run(shell);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stdout.contains("1 passed"), "{ran:?}");
}

#[test]
fn kernel_and_image_are_written_for_use_elsewhere() {
    let dir = TempDir::new("image");
    let (kernel, image) = (dir.file("kernel.elf"), dir.file("root.ext4"));
    let mut command = folio(["kernel", "-o"]);
    command.arg(&kernel);
    assert_eq!(run(command).status, 0);
    assert_eq!(std::fs::read(&kernel).unwrap(), guest_os::KERNEL_ELF);
    let tree = dir.file("tree");
    std::fs::create_dir_all(tree.join("opt")).unwrap();
    let (_, hello) = guest_os::PROGRAMS.iter().find(|(name, _)| *name == "hello").unwrap();
    let program = tree.join("opt/greet");
    std::fs::write(&program, hello).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = folio(["image"]);
    command.arg(&tree).arg("-o").arg(&image);
    assert_eq!(run(command).status, 0);
    // The image and the folder it was made from are the same root.
    for root in [&image, &tree] {
        let mut command = folio(["run", "--root"]);
        command.arg(root).arg("/opt/greet");
        let ran = run(command);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert_eq!(ran.stdout, run_folio(["run", "hello"]).stdout);
    }
}

#[test]
fn isa_help_lists_the_names() {
    for command in ["run", "boot", "test"] {
        let ran = run_folio([command, "--isa", "help"]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert!(ran.stdout.starts_with("--isa takes rv64") && ran.stdout.contains(" rva22s64 "), "{ran:?}");
        assert!(ran.stdout.contains(" zicbom "), "{ran:?}");
    }
}

#[test]
fn a_child_maps_all_at_once_if_told_to() {
    let dir = TempDir::new("fork-maps");
    let faults = |args: &[&str]| {
        let (ran, figures) = run_with_figures(&dir, args);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        count(&figures, "faults.by_kind.file_cache")
    };
    assert!(faults(&["--fork-maps", "cowfork"]) < faults(&["cowfork"]));
}

/// A death by a signal is one line; so is what an ending may have had to do with files of the host.
#[test]
fn a_death_and_a_file_of_the_host_are_told_in_a_line() {
    let dir = TempDir::new("death");
    // lw a0, 0(zero); and: exit_group(3).
    std::fs::write(dir.file("reads-null"), tiny_elf(&[0x0000_2503])).unwrap();
    std::fs::write(dir.file("fails"), tiny_elf(&[0x0030_0513, 0x05e0_0893, 0x0000_0073])).unwrap();
    // No instruction; csrr a0,mstatus; ebreak; and lr.w a0,(a1) with a1 = 1.
    for (name, code) in [
        ("no-instruction", &[0x0000_0000][..]),
        ("privileged", &[0x3000_2573]),
        ("ebreak", &[0x0010_0073]),
        ("misaligned", &[0x0010_0593, 0x1005_a52f]),
    ] {
        std::fs::write(dir.file(name), tiny_elf(code)).unwrap();
    }
    std::fs::write(dir.file("notes.txt"), "notes").unwrap();
    std::fs::set_permissions(dir.file("fails"), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (args, status, stderr) in [
        (
            &["./reads-null"][..],
            128 + 11,
            "folio: SIGSEGV: read of 0x0 at reads-null+0x78 (pc 0x10078): no mapping holds this address\n",
        ),
        (
            &["./no-instruction"],
            128 + 4,
            "folio: SIGILL: illegal instruction 0x0000 at no-instruction+0x78 (pc 0x10078): these bits are no instruction\n",
        ),
        (
            &["./privileged"],
            128 + 4,
            "folio: SIGILL: illegal instruction 0x30002573 (`csrr a0,mstatus`) at privileged+0x78 (pc 0x10078): a program may not execute it\n",
        ),
        (
            &["./ebreak"],
            128 + 5,
            "folio: SIGTRAP: ebreak at ebreak+0x78 (pc 0x10078): a breakpoint that nobody set, or __builtin_trap() of the compiler\n",
        ),
        (
            &["./misaligned"],
            128 + 11,
            "folio: SIGSEGV: misaligned atomic access by `lr.w a0,(a1)` at misaligned+0x7c (pc 0x1007c): an atomic access needs an address that is a multiple of its size\n",
        ),
        (
            &["./fails", "-x", "notes.txt"],
            3,
            "folio: notes.txt is a file of the host, which the program does not see; with --root . it sees this folder\n",
        ),
        (&["./fails", "nothing.txt"], 3, ""),
        (&["run", "--root", ".", "./fails", "notes.txt"], 3, ""),
    ] {
        // The first two words show that a path in place of a command is run.
        let mut command = folio(args);
        command.current_dir(dir.path());
        let ran = run(command);
        assert_eq!((ran.status, ran.stderr.as_str()), (status, stderr), "{args:?}");
    }
}

/// That a file is no program is for `execve` to say to a program, and for Folio only of the first.
#[test]
fn an_execve_that_fails_is_the_programs_own_affair() {
    let dir = TempDir::new("no-program");
    // execve(argv[1], argv + 1, 0); exit_group(3).
    let code = [0x0101_3503, 0x0081_0593, 0x0000_0613, 0x0dd0_0893, 0x0000_0073];
    let code = [&code[..], &[0x0030_0513, 0x05e0_0893, 0x0000_0073]].concat();
    for (name, contents) in [("tries", tiny_elf(&code)), ("text", b"no program\n".to_vec())] {
        std::fs::write(dir.file(name), contents).unwrap();
        std::fs::set_permissions(dir.file(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (program, status, said) in [
        (&["/tries", "/text"][..], 3, ""),
        (&["/text"], 125, "folio: /text: cannot be executed: ENOEXEC: it is not an ELF file\n"),
    ] {
        let mut command = folio(["run", "--root", "."]);
        command.args(program).current_dir(dir.path());
        let ran = run(command);
        assert_eq!((ran.status, ran.stderr.as_str()), (status, said));
    }
}

/// An exception that is no page fault stops `catch fault segv`, and `explain` tells of it and not of an older fault.
#[test]
fn the_debugger_tells_of_an_exception_that_is_no_page_fault() {
    let dir = TempDir::new("exception");
    std::fs::write(dir.file("misaligned"), tiny_elf(&[0x0010_0593, 0x1005_a52f])).unwrap();
    for catch in ["catch fault segv", "catch fault segv 0x1007c", "maps"] {
        let mut command = folio([
            "debug",
            "-ex",
            catch,
            "-ex",
            "continue",
            "-ex",
            "explain",
            "-ex",
            "quit",
            "./misaligned",
        ]);
        command.current_dir(dir.path());
        let said = run(command).stderr;
        let stop = "catchpoint 1: SIGSEGV at 0x1007c <misaligned+0x7c> in process 1 at step ";
        assert_eq!(said.contains(stop), catch != "maps", "{said}");
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("misaligned atomic access by `lr.w a0,(a1)`"), "{said}");
        assert!(words.contains("is a multiple of its size; the signal ends it."), "{said}");
    }
}

/// A file that lies beside a name that is not there is offered; `--root .` only where it helps.
#[test]
fn advice_is_such_as_helps() {
    let dir = TempDir::new("advice");
    std::fs::create_dir_all(dir.file("here/sub")).unwrap();
    for name in ["fails", "here/fails"] {
        std::fs::write(dir.file(name), tiny_elf(&[0x0030_0513, 0x05e0_0893, 0x0000_0073])).unwrap();
    }
    for name in ["notes.txt", "here/notes.txt"] {
        std::fs::write(dir.file(name), "notes").unwrap();
    }
    let absolute = dir.file("notes.txt").display().to_string();
    let run_here = |args: &[&str]| {
        let mut command = folio(args);
        command.current_dir(dir.file("here"));
        run(command)
    };
    let (here, elsewhere) =
        ("with --root . it sees this folder\n", "with --root DIR it sees the folder DIR, ");
    for (args, advice) in [
        (&["./fails", "notes.txt"][..], here),
        (&["./fails", "--file=notes.txt"], here),
        (&["./fails", "sub/../notes.txt"], here),
        (&["./fails", "../here/notes.txt"], elsewhere),
        (&["../fails", "notes.txt"], elsewhere),
        (&["./fails", "../notes.txt"], elsewhere),
        (&["./fails", &absolute], elsewhere),
        (&["run", "--cwd", "/tmp", "./fails", "notes.txt"], elsewhere),
    ] {
        let ran = run_here(args);
        assert_eq!((ran.status, ran.stderr.lines().count()), (3, 1), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(advice), "{args:?}: {}", ran.stderr);
    }
    let ran = run_here(&["./fials"]);
    assert_eq!(ran.status, 125);
    assert!(ran.stderr.contains("did you mean `./fails`?"), "{}", ran.stderr);
}

/// A child that goes wrong is told of where its parent does not end well, and where figures are asked for. On Linux nobody tells, so
/// what compares a run with Linux sees nothing more than there.
#[test]
fn a_child_that_goes_wrong_is_told_of_when_the_run_fails() {
    let dir = TempDir::new("children");
    let program = |name: &str, child: &[&str], status: u8| {
        let exit = format!("addi a0,zero,{status}");
        let mut lines =
            vec!["addi a0,zero,17", "addi a1,zero,0", "addi a7,zero,220", "ecall", "beq a0,zero,0x38"];
        lines.extend(["addi a0,zero,-1", "addi a1,zero,0", "addi a2,zero,0", "addi a3,zero,0"]);
        lines.extend(["addi a7,zero,260", "ecall", &exit, "addi a7,zero,93", "ecall"]);
        lines.extend(child);
        let word = |(at, line): (u64, &&str)| isa::encode(&isa::assemble(line, 4 * at).unwrap()).unwrap();
        let code: Vec<u32> = (0..).zip(&lines).map(word).collect();
        std::fs::write(dir.file(name), tiny_elf(&code)).unwrap();
    };
    let goes_wrong = ["lw a0,0(zero)"];
    // kill(getpid(), SIGKILL)
    let is_killed = ["addi a7,zero,172", "ecall", "addi a1,zero,9", "addi a7,zero,129", "ecall"];
    program("fine", &goes_wrong, 0);
    program("fails", &goes_wrong, 3);
    program("killed", &is_killed, 3);
    let line = |name: &str| {
        format!(
            "folio: process 2 ({name}): SIGSEGV: read of 0x0 at {name}+0xb0 (pc 0x100b0): no mapping holds this address\n"
        )
    };
    for (args, status, told) in [
        (&["run", "./fine"][..], 0, String::new()),
        (&["run", "./fails"], 3, line("fails")),
        (&["run", "--stats", "./fine"], 0, line("fine")),
        (&["run", "./killed"], 3, String::new()),
    ] {
        let mut command = folio(args);
        command.current_dir(dir.path());
        let ran = run(command);
        assert_eq!(ran.status, status, "{args:?}: {}", ran.stderr);
        let said = ran.stderr.split("\n\n").next().unwrap_or_default();
        assert_eq!(said.trim_end(), told.trim_end(), "{args:?}: {}", ran.stderr);
    }
}

/// A working directory that is none is told of in one line.
#[test]
fn a_working_directory_is_a_folder_that_is_there() {
    let dir = TempDir::new("cwd");
    std::fs::write(dir.file("fails"), tiny_elf(&[0x0030_0513, 0x05e0_0893, 0x0000_0073])).unwrap();
    for (cwd, why) in [
        ("/nope", "ENOENT: the working directory /nope is not there"),
        ("/bin/fails", "ENOTDIR: the working directory /bin/fails is no folder"),
    ] {
        let mut command = folio(["run", "--cwd", cwd, "./fails"]);
        command.current_dir(dir.path());
        let ran = run(command);
        let line = format!("folio: ./fails: cannot be executed: {why}\n");
        assert_eq!((ran.status, ran.stderr), (125, line));
    }
}

#[test]
fn a_dash_is_standard_output() {
    let dir = TempDir::new("dash");
    std::fs::write(dir.file("fails"), tiny_elf(&[0x0030_0513, 0x05e0_0893, 0x0000_0073])).unwrap();
    let with = |flag: &str| {
        let mut command = folio(["run", flag, "-", "./fails"]);
        command.current_dir(dir.path());
        let ran = run(command);
        assert_eq!((ran.status, ran.stderr.as_str()), (3, ""));
        assert!(!dir.file("-").exists());
        ran.stdout
    };
    let figures: serde_json::Value = serde_json::from_str(&with("--json")).unwrap();
    assert_eq!(count(&figures, "exit"), 3);
    let trace = with("--trace");
    assert!(trace.starts_with("{\"schema\":\"folio-trace\",\"version\":2}\n"), "{trace}");
    for line in trace.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        for (name, value) in event.as_object().unwrap() {
            assert!(value.as_u64().is_none_or(|number| number < 1 << 53), "{name} in {line}");
        }
    }
    let ran = run(folio(["run", "--json", "-", "--trace", "-", "hello"]));
    assert_eq!(ran.status, 125);
    assert!(ran.stderr.contains("give each a file of its own"), "{}", ran.stderr);
}

/// `--frames` and the figures count the same frames.
#[test]
fn frames_at_peak_are_those_that_are_limited() {
    let dir = TempDir::new("frames");
    let (ran, figures) = run_with_figures(&dir, ["--frames", "15", "--swap", "0", "zerofill", "30"]);
    // The child has as many pages as its parent, and is the younger one.
    assert_eq!(ran.status, 1, "too few: {}", ran.stderr);
    let told = [
        "process 2 (zerofill) is killed",
        "; of 15 frames too few are free",
        "(-m or --frames gives more; --swap",
    ];
    assert!(told.iter().all(|words| ran.stderr.contains(words)), "{}", ran.stderr);
    assert_eq!((count(&figures, "frames.total"), count(&figures, "frames.peak")), (15, 15));
}

#[test]
fn long_arguments_of_the_first_program_arrive() {
    let long = "x".repeat(100_000);
    let words = vec![long.as_str(); 15];
    for memory in ["16M", "128M"] {
        let ran = run_folio([&["run", "-m", memory, "hello"], &words[..]].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stdout.ends_with(&format!("argument 15: {long}\n")));
    }
}
