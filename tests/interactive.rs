//! Programs of Debian's on a terminal: keys are typed at `folio run` on a pseudo-terminal, and what must come of them is awaited on its screen.
//!
//! They are those of the ladder (`ladder.rs`). Each session is one of `bash`; words that are awaited are such that what is typed does not
//! have them.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;
use std::io::Write;
use support::{TempDir, missing, root};
use terminal::Session;

const PROMPT: &str = "ready> ";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_Z: &str = "\x1a";
const LEFT: &str = "\x1b[D";
/// Puts what `XTERM` says where ncurses looks for it.
const DESCRIBES_TERMINAL: &str =
    "mkdir -p /etc/terminfo/x; printf \"$(sed 's/../\\\\x&/g' <<<$XTERM)\" >/etc/terminfo/x/xterm\r";

/// What the terminal can do, in hexadecimal digits: this machine's description, as the image has none.
fn terminfo() -> Option<String> {
    let folders = ["/lib/terminfo", "/usr/lib/terminfo", "/usr/share/terminfo", "/etc/terminfo"];
    let entry = folders.iter().find_map(|folder| std::fs::read(format!("{folder}/x/xterm")).ok())?;
    let digits: Vec<String> = entry.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("XTERM={}", digits.concat()))
}

/// A shell at its prompt; `None` if there is no image, and that is as it should be.
fn shell() -> Option<Session> {
    shell_with(&[])
}

/// The same, by `folio run` with these options.
fn shell_with(options: &[&str]) -> Option<Session> {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::not_run("FOLIO_SKIP_DEBIAN is set");
        return None;
    }
    let image = root().join("target/test-inputs/ladder/ladder.ext4");
    assert!(
        image.is_file(),
        "{} is not there: run `make setup-test`, or set FOLIO_SKIP_DEBIAN=1",
        image.display()
    );
    let Some(terminfo) = terminfo() else {
        missing::not_run("this machine does not know what xterm can do (package ncurses-base)");
        return None;
    };
    let prompt = format!("PS1={PROMPT}");
    let environment = ["--env", "PATH=/bin:/sbin", "--env", &prompt, "--env", &terminfo];
    let program = ["--", "/bin/bash", "--norc", "--noprofile", "-i"];
    let run = ["run", "-m", "256M", "--root", image.to_str().unwrap()];
    let args = [&run[..], options, &environment[..], &program[..]];
    let mut session =
        Session::start(&["setsid", "--ctty"], &args.concat(), "xterm", TempDir::new("interactive"));
    session.wait("the prompt", |session| session.shown().contains(PROMPT));
    session.types(DESCRIBES_TERMINAL, PROMPT);
    assert!(!session.has(LocalFlags::ICANON) && !session.has(LocalFlags::ISIG));
    Some(session)
}

/// Leaves the shell, whose status is that of its last command.
fn leaves(mut session: Session, status: i32) {
    session.keyboard.write_all(CTRL_D.as_bytes()).unwrap();
    assert_eq!(session.ends(), Some(status));
}

#[test]
fn a_shell_edits_lines() {
    let Some(mut session) = shell() else { return };
    session.types("echo one-$((40+2))\r", "one-42");
    session.types("echo $((1+1))X\x7fY\r", "2Y");
    session.types(&format!("echo $((5+5))ac{LEFT}b\r"), "10abc");
    session.types("tty; stty -a | tr ' ' '\\n'\r", "icanon");
    assert!(session.shown().contains("/dev/ttyS0"), "{}", session.shown());
    session.types("(exit 3)\r", PROMPT);
    leaves(session, 3);
}

#[test]
fn a_shell_controls_its_jobs() {
    let Some(mut session) = shell() else { return };
    session.types("sh -c 'echo up-$((1+1)); exec sleep 100000'\r", "up-2");
    session.types(CTRL_C, PROMPT);
    session.types("echo status-$?\r", "status-130");
    session.types("sed -u s/a/B/\r", "sed");
    session.types("aaa\r", "Baa");
    session.types(CTRL_Z, "Stopped");
    session.types("jobs\r", "Stopped");
    session.types("fg\r", "sed -u");
    session.types("caa\r", "cBa");
    session.types(CTRL_D, PROMPT);
    session.types("echo end-$?\r", "end-0");
    // One in the background stops when it wants to read, and is told to go on there.
    session.types("cat &\r", PROMPT);
    session.types("until jobs | grep -q Sto; do :; done; echo stopped-$((4+4))\r", "stopped-8");
    session.types("kill %1; wait; echo gone-$((2+3))\r", "gone-5");
    leaves(session, 0);
}

#[test]
fn a_wait_may_take_no_time() {
    let Some(mut session) = shell_with(&["--virtual-time"]) else { return };
    session.types("sleep 100000; echo slept-$((SECONDS / 100000))\r", "slept-1");
    leaves(session, 0);
}

#[test]
fn a_window_has_a_size() {
    let Some(mut session) = shell() else { return };
    session.types("stty size\r", "24 80");
    session.types("trap 'echo changed-$((3+4))' WINCH\r", PROMPT);
    session.resize(30, 100);
    session.types("stty size\r", "30 100");
    session.wait("the signal", |session| session.shown().contains("changed-7"));
    leaves(session, 0);
}

#[test]
fn an_editor_saves_what_is_typed() {
    let Some(mut session) = shell() else { return };
    session.types("vim.tiny -u NONE -N /tmp/note\r", "[New]");
    session.types("ihello vi\x1b", "hello vi");
    session.types(":wq\r", PROMPT);
    session.types("tr a-z A-Z </tmp/note\r", "HELLO VI");
    leaves(session, 0);
}

#[test]
fn a_pager_pages_and_searches() {
    let Some(mut session) = shell() else { return };
    session.types("seq 1000 | less\r", "23");
    session.types(" ", "46");
    session.types("/77.\r", "792");
    session.types("q", PROMPT);
    leaves(session, 0);
}

#[test]
fn top_shows_what_runs() {
    let Some(mut session) = shell() else { return };
    session.types("top\r", "load average");
    session.wait("its table", |session| session.shown().contains("COMMAND"));
    session.types("q", PROMPT);
    leaves(session, 0);
}

#[test]
fn python_prompts() {
    let Some(mut session) = shell() else { return };
    session.types("PYTHON_BASIC_REPL=1 python3 -q\r", ">>> ");
    session.types("6*7\r", "42");
    session.types("import time; print('go', 1+1); time.sleep(100000)\r", "go 2");
    session.types(CTRL_C, "KeyboardInterrupt");
    session.types("2**10\r", "1024");
    session.types(CTRL_D, PROMPT);
    leaves(session, 0);
}

#[test]
fn programs_open_terminals_of_their_own() {
    let Some(mut session) = shell() else { return };
    // In another terminal, whose master is Python.
    session.types("python3 -c \"import pty; pty.spawn(['sh', '-c', 'tty; sed -u s/a/B/'])\"\r", "/dev/pts/0");
    session.types("aaa\r", "Baa");
    session.types(CTRL_D, PROMPT);
    session.types("python3 -c \"import pty; pty.spawn(['bash', '--norc'])\"\r", PROMPT);
    session.types("sh -c 'echo up-$((1+1)); exec sleep 100000'\r", "up-2");
    session.types(CTRL_Z, "Stopped");
    session.types("kill %1; echo inner-$((2+2))\r", "inner-4");
    session.types("exit\r", PROMPT);
    session.types("echo outer-$((3+3))\r", "outer-6");
    leaves(session, 0);
}

#[test]
fn redis_answers_its_client() {
    let Some(mut session) = shell() else { return };
    session.types("redis-server --save '' --daemonize yes >/dev/null\r", PROMPT);
    session.types("until redis-cli ping 2>/dev/null; do sleep 0.1; done\r", "PONG");
    session.types("redis-cli\r", "127.0.0.1:6379> ");
    session.types("SET key value\r", "OK");
    session.types("GET key\r", "\"value\"");
    session.types(CTRL_D, PROMPT);
    session.types("redis-cli shutdown\r", PROMPT);
    leaves(session, 0);
}

/// Whatever the guest does, Ctrl-A x leaves it, and the settings are put back; so they are after a signal.
#[test]
fn folio_is_left() {
    let Some(mut session) = shell() else { return };
    session.types("trap '' INT TSTP; while :; do echo busy-$((1+2)); done\r", "busy-3");
    session.types("\x01h", "Ctrl-A x leaves");
    session.keyboard.write_all(b"\x01x").unwrap();
    assert_eq!(session.ends(), Some(0));
    let Some(session) = shell() else { return };
    session.running.signal(Signal::SIGTERM);
    assert_eq!(session.ends(), Some(143));
}
