//! `--gdb [ADDRESS:]PORT`: sockets for gdb's sessions, the guest's root as they see it, and the machine that they debug.

mod root;
mod sockets;

pub use root::{FilesOnly, Folder};

use super::debug::DriverTarget;
use super::drive::{Driver, End};
use super::trace_file::Recorder;
use anyhow::{Context, Result, bail};
use emulator::debug::{MachineTarget, Stop};
use emulator::exec::Observer;
use emulator::gdb::{Follow, GuestRoot, Host, Input, Outcome, Ran, Server, Setup, SharedEar, Written};
use emulator::machine::{Machine, StopReason};
use emulator::source::Programs;
use isa::Step;
use sockets::Sockets;
use std::net::{TcpListener, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// 128 and the number of SIGKILL, as of a program that was killed.
const STATUS_KILLED: u8 = 137;
/// Bytes of a write that are shown.
const MAX_SHOWN: usize = 16;

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// `[ADDRESS:]PORT`; without a host only this machine can connect.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            // gdb writes `:1234` for this machine.
            Some(("", port)) => ("127.0.0.1", port),
            Some((host, port)) => (host.trim_start_matches('[').trim_end_matches(']'), port),
            None => ("127.0.0.1", text),
        };
        let port = port.parse().map_err(|_| {
            "expected a port from 0 to 65535, perhaps behind an address and a colon".to_owned()
        })?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// `first|PID|NAME|kernel`.
pub fn parse_follow(text: &str) -> Result<Follow, String> {
    Ok(match text {
        "" => return Err("expected first, kernel, a process's number or its program's name".to_owned()),
        "first" => Follow::First,
        "kernel" => Follow::Kernel,
        _ => match text.parse::<i128>() {
            Ok(number) => match u64::try_from(number) {
                Ok(pid) if pid > 0 => Follow::Pid(pid),
                _ => return Err("the numbers of processes begin with 1".to_owned()),
            },
            Err(_) => Follow::Name(text.to_owned()),
        },
    })
}

/// The ports, and what is followed at each.
pub struct Ports {
    listeners: Vec<TcpListener>,
    follows: Vec<Follow>,
}

impl Ports {
    /// Opens the ports, and tells where they are; `None` if there are none.
    pub fn open(addresses: &[Address], follows: &[Follow]) -> Result<Option<Self>> {
        if let (true, Some(follow)) = (addresses.is_empty(), follows.first()) {
            bail!("--gdb-process {follow} needs a port: --gdb PORT");
        }
        if addresses.is_empty() {
            return Ok(None);
        }
        if follows.len() > addresses.len() {
            bail!(
                "there are {} --gdb-process and {} --gdb: each process needs a port",
                follows.len(),
                addresses.len()
            );
        }
        let follows: Vec<Follow> =
            (0..addresses.len()).map(|index| follows.get(index).cloned().unwrap_or(Follow::First)).collect();
        let listeners = addresses.iter().map(listen).collect::<Result<Vec<_>>>()?;
        for (listener, follow) in listeners.iter().zip(&follows) {
            let what = match follow {
                Follow::Kernel => "the kernel".to_owned(),
                Follow::First => "the first process".to_owned(),
                Follow::Pid(pid) => format!("process {pid}, when there is one"),
                Follow::Name(name) => format!("the first process that executes `{name}`, when one does"),
            };
            tell!("folio: gdb: {} is for {what} (`target remote` connects)", name_of(listener));
        }
        Ok(Some(Self { listeners, follows }))
    }
}

fn listen(address: &Address) -> Result<TcpListener> {
    let Address { host, port } = address;
    let found = (host.as_str(), *port).to_socket_addrs();
    let found: Vec<_> =
        found.with_context(|| format!("--gdb {host}:{port}: there is no such address"))?.collect();
    TcpListener::bind(found.as_slice())
        .with_context(|| format!("--gdb {host}:{port}: cannot listen there (0 is a port that is free)"))
}

fn name_of(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|_| "a port".to_owned(), |address| address.to_string())
}

/// Runs the machine for gdb's sessions, and on to its end when they are over.
pub fn serve(
    driver: &mut Driver,
    ports: &mut Ports,
    recorder: &Recorder,
    kernel: Option<&[u8]>,
    programs: &Rc<Programs>,
    root: Box<dyn GuestRoot>,
) -> End {
    let ear = SharedEar::default();
    recorder.listen_for(Rc::clone(&ear));
    let setup = Setup {
        follows: ports.follows.clone(),
        tap: recorder.tap(),
        ear,
        kernel: kernel.map(<[u8]>::to_vec),
        programs: Rc::clone(programs),
        calls: abi::CALLS.iter().map(|call| (call.number.into(), call.name)).collect(),
        signals: super::debug::signals().collect(),
        root,
    };
    let mut lines = Sockets::new(&mut ports.listeners, &driver.interrupted);
    let (target, recorder_of_host) = (DriverTarget::new(driver), recorder.clone());
    let mut host = Driven { target, recorder: recorder_of_host, left: None, more: None };
    let outcome = Server::new(&mut host, &mut lines, setup).serve();
    host.tell_more();
    let left = host.left;
    match outcome {
        Outcome::Over => {
            // Catchpoints that a session has left behind are nobody's.
            recorder.tap().borrow_mut().leave();
            loop {
                match driver.run_until(Step::NEVER, None) {
                    // The thread of a line that is over tells so, which is nobody's call any more.
                    End::Called => driver.interrupted.call().store(false, Ordering::SeqCst),
                    end => break end,
                }
            }
        }
        Outcome::Ended(StopReason::Fuel) => End::OutOfFuel,
        Outcome::Ended(reason) => End::Stopped(reason),
        Outcome::Killed => {
            tell!("folio: gdb has killed the run");
            End::Interrupted(STATUS_KILLED)
        }
        Outcome::Left => left.unwrap_or(End::Interrupted(driver.interrupted.status())),
    }
}

/// A driven machine as gdb's sessions have it.
struct Driven<'a> {
    target: DriverTarget<'a>,
    recorder: Recorder,
    /// Why the user wants no more.
    left: Option<End>,
    /// A call that gdb makes writes many registers at one step: the first is told in full, and here is how many there were more, at which step
    /// and of whom.
    more: Option<(Step, Option<u64>, usize)>,
}

impl Driven<'_> {
    /// Tells of registers that were written and not told of.
    fn tell_more(&mut self) {
        if let Some((step, pid, more @ 1..)) = self.more.take() {
            let of = of_process(pid);
            tell!("folio: gdb: wrote {more} registers more{of} (step {step})");
        }
    }
}

/// All but the sessions' own is as at the prompt.
impl MachineTarget for Driven<'_> {
    fn machine(&self) -> &Machine {
        self.target.machine()
    }
    fn swap_disk(&self) -> Option<usize> {
        self.target.swap_disk()
    }
    fn looked_at(&self) -> usize {
        self.target.looked_at()
    }
    fn set_looked_at(&mut self, hart: usize) {
        self.target.set_looked_at(hart);
    }
    fn run_observed(&mut self, until: Step, observer: Option<&mut dyn Observer>) -> Stop {
        self.target.run_observed(until, observer)
    }
}

impl Host for Driven<'_> {
    fn machine_mut(&mut self) -> &mut Machine {
        &mut self.target.driver.machine
    }
    fn run_on(&mut self, observer: Option<&mut dyn Observer>) -> Ran {
        self.tell_more();
        let end = self.target.driver.run_until(Step::NEVER, observer);
        match end {
            End::Called | End::Reached => Ran::Called,
            End::Stopped(StopReason::Breakpoint) => Ran::Stopped,
            End::Stopped(StopReason::Event) => Ran::Event,
            End::Stopped(reason) => Ran::Ended(reason),
            End::OutOfFuel => Ran::Ended(StopReason::Fuel),
            // There is a prompt already, gdb's.
            End::Monitor => {
                tell!("\nfolio: gdb has the prompt: `monitor` and a command of Folio's");
                Ran::Called
            }
            End::Interrupted(_) | End::TimeIsUp | End::OutputLost | End::Quit | End::ScriptFailed => {
                self.left = Some(end);
                Ran::Left
            }
        }
    }
    fn call(&self) -> Arc<AtomicBool> {
        self.target.driver.interrupted.call()
    }
    fn told(&mut self, input: &Input) {
        self.recorder.take_in(input);
        let is_register = matches!(input.written, Written::Register(..));
        match &mut self.more {
            Some((step, pid, more)) if is_register && (*step, *pid) == (input.step, input.pid) => *more += 1,
            _ => {
                self.tell_more();
                tell!("folio: gdb: {}", words_of(input));
                self.more = is_register.then_some((input.step, input.pid, 0));
            }
        }
    }
    fn tell(&mut self, line: &str) {
        tell!("folio: {line}");
    }
}

/// ` of process 1`, if it is one's.
fn of_process(pid: Option<u64>) -> String {
    pid.map(|pid| format!(" of process {pid}")).unwrap_or_default()
}

/// A write of gdb's, in a line.
fn words_of(input: &Input) -> String {
    let of = of_process(input.pid);
    let value = |bytes: &[u8]| {
        let shown: String = bytes.iter().take(MAX_SHOWN).map(|byte| format!("{byte:02x}")).collect();
        format!("{shown}{}", if bytes.len() > MAX_SHOWN { "…" } else { "" })
    };
    let what = match &input.written {
        Written::Memory(va, bytes) => format!("{} bytes at {va}{of}: {}", bytes.len(), value(bytes)),
        Written::Physical(pa, bytes) => {
            format!("{} bytes at physical address {pa}: {}", bytes.len(), value(bytes))
        }
        Written::Register(hart, name, new) => format!("{name} of hart {hart}{of}: {new:#x}"),
    };
    format!("wrote {what} (step {}): this run is another from here on", input.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_this_machine_unless_a_host_is_named() {
        let address = |host: &str, port| Ok(Address { host: host.to_owned(), port });
        assert_eq!(Address::parse("1234"), address("127.0.0.1", 1234));
        assert_eq!(Address::parse(":0"), address("127.0.0.1", 0));
        assert_eq!(Address::parse("0.0.0.0:99"), address("0.0.0.0", 99));
        assert_eq!(Address::parse("[::1]:99"), address("::1", 99));
        for bad in ["", "x", "1.2.3.4:", "70000", "-1"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_followed() {
        for (text, follow) in [
            ("first", Follow::First),
            ("kernel", Follow::Kernel),
            ("2", Follow::Pid(2)),
            ("ls", Follow::Name("ls".to_owned())),
            ("/bin/ls", Follow::Name("/bin/ls".to_owned())),
        ] {
            assert_eq!(parse_follow(text), Ok(follow));
        }
        for bad in ["", "0", "-5", "99999999999999999999"] {
            assert!(parse_follow(bad).is_err(), "{bad}");
        }
    }
}
