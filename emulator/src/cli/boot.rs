//! `folio boot`: a bare kernel or firmware on the whole board.

use super::args::BootArgs;
use super::commit_file::CommitFile;
use super::drive::{Driver, End};
use super::report::Figures;
use super::stdio::{HostStdio, Interrupted};
use super::{STATUS_ERROR, STATUS_FUEL, STATUS_INTERRUPTED, checked_output, read_input};
use anyhow::{Context, Result};
use emulator::image::RootImage;
use emulator::loader::{Boot, Chosen, Firmware};
use emulator::machine::{GuestExit, Machine, StopReason};
use isa::Step;

/// Boots and runs; the exit status to return.
pub fn boot(args: &BootArgs) -> Result<u8> {
    checked_output(args.json.as_deref())?;
    let kernel = read_input(&args.kernel)?;
    let initrd = args.initrd.as_deref().map(read_input).transpose()?;
    let firmware = match args.bios.as_str() {
        "builtin" | "none" => None,
        file => Some(read_input(file.as_ref())?),
    };
    let mut machine = Machine::new(args.machine.config(args.memory))?;
    for path in &args.disk {
        let disk = RootImage::open(path)?.into_disk();
        machine.attach_disk(disk, false).with_context(|| format!("cannot attach {}", path.display()))?;
    }
    let stdio = HostStdio::new();
    machine.set_stdio(Box::new(stdio.clone()));
    let firmware = match &firmware {
        Some(image) => Firmware::Image(image),
        None if args.bios == "none" => Firmware::None,
        None => Firmware::Builtin,
    };
    let chosen = Chosen { bootargs: args.append.as_deref().unwrap_or(""), ..Chosen::default() };
    let boot = Boot { firmware, initrd: initrd.as_deref(), chosen, ..Boot::kernel(&kernel) };
    machine.boot(&boot).with_context(|| format!("cannot boot {}", args.kernel.display()))?;
    let mut driver = Driver { machine, stdio, interrupted: Interrupted::install(), fuel: args.machine.fuel };
    let mut commits = CommitFile::new(args.machine.log_commits.as_deref())?;
    let status = status_of(driver.run_until(Step::NEVER, commits.observer()));
    commits.finish()?;
    if let Some(path) = &args.json {
        Figures { machine: &driver.machine, guest: None, exit: status }.write_json(path)?;
    }
    Ok(status)
}

/// PASS, shutdown and reset are success; FAIL and `tohost` give their code.
fn status_of(end: End) -> u8 {
    let code = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    match end {
        End::Stopped(StopReason::FinisherPass | StopReason::Reset | StopReason::SbiShutdown(0)) => 0,
        End::Stopped(StopReason::SbiShutdown(_)) => 1,
        // Folio's own guest kernel ends the run through the host device.
        End::Stopped(StopReason::Exit(GuestExit::Status(status))) => status,
        End::Stopped(StopReason::Exit(GuestExit::Signaled(signal))) => code(u64::from(128 + signal.min(127))),
        End::Stopped(StopReason::Exit(GuestExit::ExecFailed(errno))) => {
            eprintln!(
                "folio: the guest kernel could not execute its first program (errno {errno}); --append init=/PATH names it"
            );
            STATUS_ERROR
        }
        End::Stopped(StopReason::FinisherFail(value)) => code(u64::from(value)),
        End::Stopped(StopReason::ToHost(value)) => code(value >> 1),
        End::Stopped(StopReason::Idle) => {
            eprintln!("folio: every hart waits and nothing can ever wake one");
            STATUS_FUEL
        }
        End::OutOfFuel => {
            eprintln!("folio: the fuel is spent; give more with --fuel, or none for no limit");
            STATUS_FUEL
        }
        End::Interrupted => STATUS_INTERRUPTED,
        End::Reached | End::Quit => {
            unreachable!("no step to stop at was given, and there is no debugger here")
        }
        End::Stopped(other) => {
            eprintln!("folio: the machine stopped: {other:?}");
            STATUS_ERROR
        }
    }
}
