//! `folio boot`: a bare kernel or firmware on the whole board.

use super::args::BootArgs;
use super::commit_file::CommitFile;
use super::drive::{Driver, End};
use super::gdb::{FilesOnly, Ports};
use super::pace::Pace;
use super::report::{Figures, grouped};
use super::run::exec_failure;
use super::signals::Interrupted;
use super::stdio::HostStdio;
use super::terminal::Use;
use super::trace_file::Recorder;
use super::{STATUS_ERROR, STATUS_FUEL, STATUS_STALE, output, read_input, translations};
use abi::Errno;
use anyhow::{Context, Result, bail};
use emulator::gdb::Follow;
use emulator::image::RootImage;
use emulator::loader::elf::is_elf;
use emulator::loader::{Boot, Chosen, Firmware, Image};
use emulator::machine::{GuestExit, Machine, StopReason};
use emulator::source::Programs;
use flate2::bufread::GzDecoder;
use isa::Step;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::rc::Rc;

/// Boots and runs; the exit status to return.
pub fn boot(args: &BootArgs) -> Result<u8> {
    output::check(&[
        ("--json", args.json.as_deref()),
        ("--dump-dtb", args.dump_dtb.as_deref()),
        ("--log-commits", args.machine.log_commits.as_deref()),
    ])?;
    if !args.pflash.is_empty() {
        bail!(
            "--pflash: there is no flash on this board, so EDK2's images cannot start; name a kernel by --kernel, or U-Boot, which starts UEFI programs too"
        );
    }
    if args.kernel.is_none() && matches!(args.bios.as_str(), "builtin" | "none") {
        bail!(
            "--kernel is missing: name a kernel (--kernel FILE), or firmware that does without (--bios FILE)"
        );
    }
    let kernel = args.kernel.as_deref().map(|path| read_kernel(path, args.memory)).transpose()?;
    let mut machine = Machine::new(args.config())?;
    for path in &args.disk {
        let disk = RootImage::open(path)?.into_disk();
        machine.attach_disk(disk, false).with_context(|| format!("cannot attach {}", path.display()))?;
    }
    let swap_disk = args.disks.apply(&mut machine, 0)?;
    load(args, kernel.as_deref(), &mut machine)?;
    if let Some(path) = &args.dump_dtb {
        dump_device_tree(&machine, path)?;
        return Ok(0);
    }
    if args.gdb.is_some() && args.machine.log_commits.is_some() {
        bail!("--gdb does not go with --log-commits; leave one of them out");
    }
    let mut ports = Ports::open(args.gdb.as_slice(), args.gdb.as_ref().map(|_| Follow::Kernel).as_slice())?;
    let stdio = HostStdio::raw(Use::Board);
    machine.set_stdio(Box::new(stdio.clone()));
    let recorder = Recorder::new(None)?;
    let terminal = std::io::stdin().is_terminal();
    if terminal || args.gdb.is_some() {
        // The monitor and gdb tell of Folio's own guest OS what they have heard from the start.
        machine.set_event_sink(Some(Box::new(recorder.clone())));
    }
    if terminal {
        tell!("folio: {}", Use::Board.keys());
    }
    let interrupted = Interrupted::install();
    args.timeout.into_iter().for_each(|time| interrupted.allow(time));
    if args.check_translations {
        machine.check_translations();
    }
    let mut driver = Driver::new(machine, stdio, interrupted, args.machine.fuel);
    driver.pace = (terminal || args.realtime).then(|| Pace::new(driver.machine.steps()));
    driver.swap_disk = swap_disk;
    let mut commits = CommitFile::new(args.machine.log_commits.as_deref())?;
    let symbols = kernel.as_deref().filter(|bytes| is_elf(bytes));
    let end = match &mut ports {
        Some(ports) => {
            let no_root = Box::new(FilesOnly(Box::new(|_| None)));
            super::gdb::serve(&mut driver, ports, &recorder, symbols, &Rc::new(Programs::none()), no_root)
        }
        None => driver.run_until(Step::NEVER, commits.observer()),
    };
    let end = match end {
        End::Monitor => super::debug::monitor(&mut driver, &recorder, symbols)?,
        end => end,
    };
    let status = status_of(end, args, &driver.machine);
    let is_stale = translations::tell(&mut driver.machine, symbols);
    let status = if status == 0 && is_stale { STATUS_STALE } else { status };
    args.disks.tell_of_faults_ahead(&driver.machine, swap_disk);
    if !driver.stdio.has_written() {
        tell_of_silence(end, args, &driver.machine);
    }
    let written = commits.finish().and(driver.stdio.check_output());
    if let Some(path) = &args.json {
        let (guest, tlb, by_cause) = (None, None, None);
        Figures { machine: &driver.machine, swap_disk, guest, tlb, by_cause, exit: status }
            .write_json(path)?;
    }
    written?;
    Ok(status)
}

/// Puts firmware, kernel and what goes with them into RAM.
fn load(args: &BootArgs, kernel: Option<&[u8]>, machine: &mut Machine) -> Result<()> {
    let initrd = args.initrd.as_deref().map(read_input).transpose()?;
    let device_tree = args.dtb.as_deref().map(read_input).transpose()?;
    let image = match args.bios.as_str() {
        "builtin" | "none" => None,
        file => Some(read_input(file.as_ref())?),
    };
    let firmware = match &image {
        Some(image) => Firmware::Image(image),
        None if args.bios == "none" => Firmware::None,
        None => Firmware::Builtin,
    };
    let bootargs = args.append.as_deref().unwrap_or("");
    let chosen = Chosen { bootargs, seed: Some(args.seed), ..Chosen::default() };
    let boot =
        Boot { firmware, kernel, initrd: initrd.as_deref(), device_tree: device_tree.as_deref(), chosen };
    match machine.boot(&boot) {
        Ok(_) => Ok(()),
        Err(error) => {
            let file = error.images().find_map(|image| file_of(args, image));
            let what =
                file.map_or("cannot boot".to_string(), |file| format!("cannot boot: {}", file.display()));
            Err(error).context(what)
        }
    }
}

/// The file that the user gave for an image.
fn file_of(args: &BootArgs, image: Image) -> Option<&Path> {
    match image {
        Image::Kernel | Image::Program => args.kernel.as_deref(),
        Image::Firmware => Some(args.bios.as_ref()),
        Image::Initrd => args.initrd.as_deref(),
        Image::DeviceTree => args.dtb.as_deref(),
    }
}

/// Reads a kernel, unpacking it if gzip has packed it: all members of the file, up to what is none, as gzip does.
fn read_kernel(path: &Path, ram_bytes: u64) -> Result<Vec<u8>> {
    const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
    let bytes = read_input(path)?;
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(bytes);
    }
    let (mut packed, mut unpacked) = (&bytes[..], Vec::new());
    // One byte more than fits into RAM is enough for the loader to refuse it.
    let mut room = ram_bytes + 1;
    while packed.starts_with(&GZIP_MAGIC) && room > 0 {
        let member = GzDecoder::new(&mut packed).take(room).read_to_end(&mut unpacked);
        let len =
            member.with_context(|| format!("cannot unpack {}: is the file complete?", path.display()))?;
        room -= len as u64;
    }
    Ok(unpacked)
}

/// Writes the device tree as it lies in RAM. Its second word is its size.
fn dump_device_tree(machine: &Machine, path: &Path) -> Result<()> {
    let tree = machine.boot_info().and_then(|info| {
        let size = machine.ram().slice(info.device_tree.wrapping_add(4), 4)?;
        let size = u32::from_be_bytes(size.try_into().ok()?);
        machine.ram().slice(info.device_tree, usize::try_from(size).ok()?)
    });
    let tree = tree.context("the device tree given by --dtb is not one")?;
    output::write(path, tree)
}

/// A guest that has printed nothing: what can be told is how it ended, where that is not told anyway, and how Linux
/// speaks before its console is up.
fn tell_of_silence(end: End, args: &BootArgs, machine: &Machine) {
    use StopReason::{FinisherFail, FinisherPass, Reset, SbiShutdown, ToHost};
    let how = match end {
        // Folio's own guest kernel tells the program's status; who leaves does not ask.
        End::Stopped(StopReason::Exit(_)) | End::Quit => return,
        End::Stopped(reason @ (FinisherPass | FinisherFail(_) | Reset | SbiShutdown(_) | ToHost(_))) => {
            format!(": {reason}")
        }
        _ => String::new(),
    };
    let instructions = grouped(machine.instructions());
    let hint =
        if args.bios == "none" { "" } else { "; Linux prints from the start with --append earlycon=sbi" };
    tell!("folio: nothing was printed in {instructions} instructions{how}{hint}");
}

/// Why Folio's own guest kernel has started no program.
fn no_first_program(number: u32, args: &BootArgs) -> String {
    let reason = exec_failure(number, None);
    if let Some(Errno::EUCLEAN | Errno::ENODEV | Errno::ENXIO) = Errno::from_number(number.into()) {
        return format!("the guest kernel has no root file system: {reason}");
    }
    let options = args.append.as_deref().and_then(|append| append.split("--").next()).unwrap_or_default();
    let program = options.split_whitespace().find_map(|word| word.strip_prefix("init="));
    let program = program.unwrap_or("/sbin/init");
    format!(
        "the guest kernel could not execute {program}: {reason}; --append init=/PATH names another program"
    )
}

/// PASS, shutdown and reset are success; FAIL and `tohost` give their code.
fn status_of(end: End, args: &BootArgs, machine: &Machine) -> u8 {
    let code = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    match end {
        End::Stopped(StopReason::FinisherPass | StopReason::Reset | StopReason::SbiShutdown(0)) => 0,
        End::Stopped(StopReason::SbiShutdown(_)) => 1,
        // Folio's own guest kernel ends the run through the host device.
        End::Stopped(StopReason::Exit(GuestExit::Status(status))) => status,
        End::Stopped(StopReason::Exit(GuestExit::Signaled(signal))) => code(u64::from(128 + signal.min(127))),
        End::Stopped(StopReason::Exit(GuestExit::ExecFailed(errno))) => {
            tell!("folio: {}", no_first_program(errno, args));
            STATUS_ERROR
        }
        End::Stopped(StopReason::FinisherFail(value)) => code(u64::from(value)),
        End::Stopped(StopReason::ToHost(value)) => code(value >> 1),
        End::Stopped(reason @ StopReason::TrapLoop) => {
            tell!("folio: {reason} at {:#x}", machine.hart().pc);
            STATUS_FUEL
        }
        End::Stopped(reason @ StopReason::Idle) => {
            tell!("folio: {reason}");
            STATUS_FUEL
        }
        End::OutOfFuel => {
            tell!("folio: the fuel is spent; give more with --fuel; without it there is no limit");
            STATUS_FUEL
        }
        End::TimeIsUp => {
            tell!("folio: the time is up; give more with --timeout; without it there is no limit");
            STATUS_FUEL
        }
        End::Interrupted(status) => status,
        End::OutputLost => STATUS_ERROR,
        End::Quit => 0,
        End::Reached | End::Monitor | End::Called | End::ScriptFailed => {
            unreachable!("no step to stop at was given; the monitor ends otherwise")
        }
        End::Stopped(other) => {
            tell!("folio: {other}");
            STATUS_ERROR
        }
    }
}
