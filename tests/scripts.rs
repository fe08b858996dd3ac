//! The scripts that run the tests: what `make test` says in the end, and how `make campaign` goes on where it was.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use nix::sys::signal::Signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use support::child::{self, Running};
use support::{Ran, TempDir, root, run};

const GOOD: &str = "
     Running unittests src/lib.rs (target/debug/deps/isa-0123456789abcdef)
test a ... ok
test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s

     Running ../tests/linux_boot.rs (target/debug/deps/linux_boot-0123456789abcdef)
test b ... ignored, a piece of make campaign
test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s

   Doc-tests isa
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
";

/// What summary.awk makes of cargo's output and of the list of what was not run.
fn summary(cargo: &str, not_run: &str, lints: u8, status: u8) -> Ran {
    let dir = TempDir::new("summary");
    fs::write(dir.file("log"), cargo).unwrap();
    fs::write(dir.file("not-run"), not_run).unwrap();
    let mut awk = child::command("awk");
    awk.args(["-F", "\t", "-v", &format!("lints={lints}"), "-v", &format!("cargo={status}"), "-f"]);
    awk.arg(root().join("tests/summary.awk")).arg(dir.file("not-run")).arg(dir.file("log"));
    run(awk)
}

fn last_line(ran: &Ran) -> &str {
    ran.stdout.lines().last().unwrap_or_default()
}

#[test]
fn the_summary_counts_what_ran_and_says_why_the_rest_did_not() {
    let ran = summary(GOOD, "", 0, 0);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (0, "not run: 1 test: a piece of make campaign\n16 passed, 0 failed, 1 skipped\n")
    );
    // Two tests that noted it have not passed; one of them did so twice; and a part of a third was left out.
    let no_linux = "whole\tlinux_boot::c\tno Linux\n";
    let list =
        format!("{no_linux}{no_linux}whole\tlinux_boot::d\tno Linux\npart\tguest::sh, x\tno namespace\n");
    let ran = summary(GOOD, &list, 0, 0);
    assert_eq!((ran.status, last_line(&ran)), (0, "14 passed, 0 failed, 4 skipped"));
    for line in ["not run: 2 tests: no Linux", "not run: 1 part: no namespace"] {
        assert!(ran.stdout.lines().any(|other| other == line), "{ran:?}");
    }
}

#[test]
fn the_summary_hides_no_failure() {
    let failed = "
     Running ../tests/cli.rs (target/debug/deps/cli-0123456789abcdef)
test help ... FAILED
test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";
    let ran = summary(&format!("{GOOD}{failed}"), "", 0, 101);
    assert_eq!((ran.status, last_line(&ran)), (1, "19 passed, 1 failed, 1 skipped"));
    assert!(ran.stdout.contains("failed:\n    cli: help\n"), "{ran:?}");
    // A program that dies has no result; one that does not compile is known by cargo's status alone.
    let died = "     Running ../tests/smp/main.rs (target/debug/deps/smp-0123456789abcdef)\ntest x ...\n";
    for log in [format!("{GOOD}{died}"), format!("{died}{GOOD}")] {
        let ran = summary(&log, "", 0, 101);
        assert_eq!((ran.status, last_line(&ran)), (1, "16 passed, 1 failed, 1 skipped"));
        assert!(ran.stdout.contains("\n    smp: ended without a result\n"), "{ran:?}");
    }
    assert_eq!(last_line(&summary("error: could not compile", "", 0, 101)), "0 passed, 1 failed, 0 skipped");
    assert_eq!(last_line(&summary("error: could not compile", "", 1, 101)), "0 passed, 2 failed, 0 skipped");
    assert_eq!(last_line(&summary(GOOD, "", 1, 0)), "16 passed, 1 failed, 1 skipped");
}

/// A campaign of its own.
struct Campaign(TempDir);

impl Campaign {
    fn new(pieces: &str) -> Self {
        let dir = TempDir::new("campaign");
        fs::write(dir.file("pieces"), pieces).unwrap();
        Self(dir)
    }
    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = child::command("bash");
        command.arg(root().join("tests/campaign.sh")).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        command.env("FOLIO_CAMPAIGN_PIECES", self.0.file("pieces")).env("HERE", self.0.path());
        command.env("FOLIO_CAMPAIGN_STATE", self.0.file("state"));
        command
    }
    fn call(&self, args: &[&str]) -> Ran {
        run(self.command(args))
    }
    /// The lines that pieces have left in a file.
    fn seen(&self) -> Vec<String> {
        let seen = fs::read_to_string(self.0.file("seen")).unwrap_or_default();
        seen.lines().map(String::from).collect()
    }
}

#[test]
fn a_campaign_keeps_what_is_done_and_runs_again_what_failed() {
    let campaign = Campaign::new(
        "piece one 1..2 'echo one $SEED >>$HERE/seen'\n\
         piece fails 7..7 'echo fails >>$HERE/seen; test -e $HERE/mended'\n\
         piece missing 1..1 'printf \"whole\\tx\\tno input\\n\" >>$FOLIO_NOT_RUN'\n\
         piece nothing 1..1 'echo \"test result: ok. 0 passed; 0 failed\"'\n",
    );
    let ran = campaign.call(&[]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(campaign.seen(), ["one 1", "one 2", "fails"]);
    for words in
        ["5 run by this call; of 5 pieces 2 failed and 1 are left", "not run: no input", "FAILED, status 1"]
    {
        assert!(ran.stdout.contains(words), "no {words:?} in {}", ran.stdout);
    }
    assert!(ran.stdout.contains("FAILED: no test has the name"), "{ran:?}");

    fs::write(campaign.0.file("mended"), "").unwrap();
    let ran = campaign.call(&[]);
    assert_eq!(campaign.seen(), ["one 1", "one 2", "fails", "fails"]);
    assert!(ran.stdout.contains("3 run by this call; of 5 pieces 1 failed and 1 are left"), "{ran:?}");
    assert_eq!(campaign.call(&["one", "fails"]).status, 0, "nothing of these is left");

    assert_eq!(campaign.call(&["again", "one"]).status, 0);
    assert_eq!(campaign.call(&["one"]).status, 0);
    assert_eq!(campaign.seen()[4..], ["one 1", "one 2"]);
    assert_eq!(campaign.call(&["unheard-of"]).status, 2);
}

#[test]
fn an_interrupted_campaign_goes_on_with_the_piece_that_was_running() {
    // The second piece waits for ever on a pipe that nobody writes to, unless there is a file.
    let campaign = Campaign::new(
        "piece first 1..1 'echo first >>$HERE/seen'\n\
         piece second 1..1 'echo second >>$HERE/seen; echo $$ >$HERE/started; test -e $HERE/go || read <$HERE/pipe'\n\
         piece third 1..1 'echo third >>$HERE/seen'\n",
    );
    for pipe in ["pipe", "started"] {
        nix::unistd::mkfifo(&campaign.0.file(pipe), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let mut running = Running::start(campaign.command(&[]));
    let started = fs::File::open(campaign.0.file("started")).unwrap();
    let pid = BufReader::new(started).lines().next().expect("the piece says its number").unwrap();
    running.signal(Signal::SIGTERM);
    let output = running.child().stdout.take().unwrap();
    let told: Vec<String> = BufReader::new(output).lines().map(Result::unwrap).collect();
    assert_eq!(running.wait().code(), Some(1));
    assert!(!std::path::Path::new("/proc").join(&pid).exists(), "the piece is gone");
    for line in ["campaign: interrupted", "  left    second.1", "  left    third.1"] {
        assert!(told.iter().any(|other| other == line), "no {line:?} in {told:?}");
    }

    fs::remove_file(campaign.0.file("started")).unwrap();
    fs::write(campaign.0.file("go"), "").unwrap();
    assert_eq!(campaign.call(&[]).status, 0);
    assert_eq!(campaign.seen(), ["first", "second", "second", "third"]);
}

/// The pieces that there are can be read, and name tests that exist.
#[test]
fn the_pieces_of_the_campaign_name_tests() {
    let pieces = fs::read_to_string(root().join("tests/campaign.pieces")).unwrap();
    let mut tests = 0;
    for part in pieces.split("$(").skip(1) {
        let words: Vec<&str> = part.split([' ', ')', '"']).collect();
        if let ["only" | "ignored", program, test, ..] = words[..] {
            // Not the definition of `ignored` itself.
            if program.is_empty() {
                continue;
            }
            // A test in a module of its program is named with it.
            let (module, test) = test.rsplit_once("::").unwrap_or(("main", test));
            let file = [format!("tests/{program}.rs"), format!("tests/{program}/{module}.rs")]
                .iter()
                .find_map(|path| fs::read_to_string(root().join(path)).ok())
                .unwrap_or_else(|| panic!("no test program {program}"));
            assert!(file.contains(&format!("fn {test}(")), "no test {test} in {program}");
            tests += 1;
        }
    }
    assert!(tests >= 5, "{tests}");
    assert_eq!(Campaign::new(&pieces).call(&["list"]).status, 0);
}
