//! Child processes of tests. Each gets the default answer to every signal, whatever the suite itself was started with (`nohup`, a
//! CI's background shell); none outlives its test, however that ends; and whoever waits for one has a deadline, after which it is
//! killed, with its own children, and the test fails.
#![allow(dead_code)] // each test target uses its part

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest time a child may take before it counts as hanging. Generous: the machines that run this are shared.
pub const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A command line of `program`, as a user's shell would start it: no signal is ignored. It is killed when the thread that
/// started it is gone, which covers a suite that is interrupted or killed.
///
/// By two programs, for what they do to themselves between fork and exec would be unsafe code here. Each becomes the next by exec,
/// so that the process id is the program's.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "env", "--default-signal", "--"]).arg(program);
    command
}

/// A child that runs, with all that it starts.
pub struct Running {
    child: Child,
    shown: String,
    /// Dropped when the child has ended.
    done: Option<Sender<()>>,
    watchdog: Option<JoinHandle<()>>,
    /// Whether the watchdog has killed it.
    late: Arc<AtomicBool>,
    /// Whether its end has been seen, so that its number may be another's.
    ended: bool,
}

impl Running {
    /// Starts `command` in a process group of its own.
    pub fn start(command: Command) -> Self {
        Self::start_with(command, TIME_LIMIT)
    }

    /// The same with another time limit.
    pub fn start_with(mut command: Command, limit: Duration) -> Self {
        command.process_group(0);
        Self::watch(command, limit)
    }

    /// Starts a command that makes a session of its own (`setsid`).
    pub fn start_in_its_session(command: Command) -> Self {
        Self::watch(command, TIME_LIMIT)
    }

    fn watch(mut command: Command, limit: Duration) -> Self {
        let shown = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let late = Arc::new(AtomicBool::new(false));
        let (done, finished) = channel::<()>();
        let (pid, is_late) = (pid_of(&child), Arc::clone(&late));
        let watchdog = std::thread::spawn(move || {
            if finished.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                is_late.store(true, Ordering::SeqCst);
                kill_all(pid);
            }
        });
        Self { child, shown, done: Some(done), watchdog: Some(watchdog), late, ended: false }
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends the child a signal.
    pub fn signal(&self, signal: Signal) {
        kill(pid_of(&self.child), signal).expect("a child that nobody has waited for is there");
    }

    /// Waits for the child's end.
    ///
    /// # Panics
    /// If it has to be killed at the time limit.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("a child can be waited for");
        (self.done, self.ended) = (None, true);
        assert!(!self.late.load(Ordering::SeqCst), "{} hangs", self.shown);
        status
    }

    /// Waits for the end of a child whose output and errors are pipes, and gives all that comes through them.
    pub fn output(mut self) -> Output {
        let stderr = self.child.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).map(|_| bytes)
            })
        });
        let mut stdout = Vec::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut stdout).expect("a pipe can be read");
        }
        let stderr = stderr.map_or_else(Vec::new, |reader| {
            reader.join().expect("reading does not panic").expect("a pipe can be read")
        });
        Output { status: self.wait(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also after its end: what it has started may still be there.
        if self.ended {
            let _ = killpg(pid_of(&self.child), Signal::SIGKILL);
        } else {
            kill_all(pid_of(&self.child));
            let _ = self.child.wait();
        }
        self.done = None;
        if let Some(watchdog) = self.watchdog.take() {
            let _ = watchdog.join();
        }
    }
}

/// Runs `command` to its end, its output and errors through pipes.
pub fn output(mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command).output()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Kills a child's process group. One that is to make its session, and so its group, may not have done so yet.
fn kill_all(leader: Pid) {
    if killpg(leader, Signal::SIGKILL).is_err() {
        let _ = kill(leader, Signal::SIGKILL);
    }
}
