//! `folio run`: a Linux program under the guest OS, from its file to its exit status.

use super::args::{ForkArg, GuestArgs, PagingArgs, RunArgs};
use super::bind::Binds;
use super::by_cause::ByCause;
use super::commit_file::CommitFile;
use super::death::Children;
use super::debug::Prompt;
use super::drive::{Driver, End};
use super::gdb::{FilesOnly, Folder, Ports};
use super::pace::Pace;
use super::report::Figures;
use super::signals::Interrupted;
use super::stdio::HostStdio;
use super::strace::Strace;
use super::terminal::Use;
use super::trace_file::Recorder;
use super::{STATUS_ERROR, STATUS_FUEL, STATUS_SCRIPT, STATUS_STALE, output, translations};
use abi::{Errno, ITS_LOADER};
use anyhow::{Context, Result, bail};
use emulator::debug::command::nearest;
use emulator::gdb::GuestRoot;
use emulator::host::Stdio;
use emulator::image::{self, ImageFiles, RootImage};
use emulator::loader::{Boot, Chosen};
use emulator::machine::{GuestExit, Machine, MachineConfig, StopReason};
use emulator::source::{NewerSources, ProgramFiles, Programs};
use isa::policies::PolicyKind;
use isa::{Extension, Step};
use std::cell::{OnceCell, RefCell};
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::rc::Rc;

/// Least RAM with which the guest OS boots, in bytes.
pub(super) const MIN_GUEST_RAM: u64 = 12 << 20;

/// Bytes of swap space for each byte of RAM, if nothing is said of it.
const SWAP_FOR_RAM: u64 = 2;

/// What the guest OS and its programs are compiled for, and the clock that they read.
const GUEST_NEEDS: [Extension; 7] =
    [Extension::I, Extension::M, Extension::A, Extension::F, Extension::D, Extension::C, Extension::Zicntr];

/// Runs the program; the exit status to return.
pub fn run(args: &RunArgs) -> Result<u8> {
    output::check(&[
        ("--json", args.json.as_deref()),
        ("--trace", args.trace.as_deref()),
        ("--log-commits", args.guest.machine.log_commits.as_deref()),
    ])?;
    let program = args.program.first().context("no PROGRAM given")?;
    if program.as_bytes().starts_with(b"-") && !Path::new(program).exists() && args.guest.root.is_none() {
        bail!("unexpected argument {}; `folio run --help` lists the options", program.display());
    }
    if args.guest.memory < MIN_GUEST_RAM {
        bail!("the guest OS needs more RAM; give it at least -m 12M");
    }
    let binds = Binds::new(&args.guest.binds)?;
    let source = Source::find(&args.guest, program);
    let path = source.path_in_guest()?;
    let recorder = Recorder::new(args.trace.as_deref())?;
    if args.by.is_some() {
        recorder.attribute();
    }
    let debug =
        args.debug || args.from_reset || !args.ex.is_empty() || args.script.is_some() || args.ui.is_some();
    if debug && args.guest.machine.log_commits.is_some() {
        bail!("--log-commits does not go with the debugger; leave one of them out");
    }
    if args.strace && (debug || args.guest.machine.log_commits.is_some()) {
        bail!("--strace goes neither with the debugger nor with --log-commits; leave one of them out");
    }
    if !args.gdb.is_empty() && (debug || args.strace || args.guest.machine.log_commits.is_some()) {
        bail!(
            "--gdb goes neither with the prompt (gdb's `monitor` has its commands), nor with --strace, nor with --log-commits"
        );
    }
    let mut ports = Ports::open(&args.gdb, &args.gdb_process)?;
    let mut commits = CommitFile::new(args.guest.machine.log_commits.as_deref())?;
    // The prompt needs the terminal, and who watches calls its Ctrl-C. gdb has a terminal of its own.
    let stdio = if debug || args.strace { HostStdio::new() } else { HostStdio::raw(Use::Program) };
    let made = || {
        let stdio = Box::new(stdio.clone());
        let origin = Origin { image: source.image()?, path: &path, binds: &binds };
        build(&args.guest, &args.paging, &args.program, origin, &recorder, stdio)
    };
    let (machine, swap_disk) = made()?;
    let tells_at_once = debug || std::io::stderr().is_terminal();
    let programs =
        Programs::new(binds.files(source.files())).with_sources(Box::new(|path| std::fs::read(path).ok()));
    let programs = Rc::new(programs.with_newer(source.newer_sources()));
    if args.trace_names {
        recorder.name_places(Rc::clone(&programs));
    }
    if args.stats || args.json.is_some() {
        recorder.follow_tlb();
    }
    recorder.follow_children(Children::new(Rc::clone(&programs), tells_at_once));
    let prompt = if debug { Prompt::open()? } else { None };
    let interrupted = Interrupted::install();
    args.timeout.into_iter().for_each(|time| interrupted.allow(time));
    let mut driver = Driver::new(machine, stdio.clone(), interrupted, args.guest.machine.fuel);
    driver.swap_disk = swap_disk;
    if args.check_translations {
        driver.machine.check_translations();
    }
    let is_paced = driver.stdio.raw_use().is_some() && !args.virtual_time;
    driver.pace = is_paced.then(|| Pace::new(driver.machine.steps()));
    driver.at_event = Some(recorder.deaths(Rc::clone(&programs), swap_disk));
    let end = if let Some(ports) = &mut ports {
        let root = source.guest_root(&binds);
        super::gdb::serve(&mut driver, ports, &recorder, Some(guest_os::KERNEL_ELF), &programs, root)
    } else if debug {
        let anew = || Ok(made()?.0);
        super::debug::session(args, &mut driver, &recorder, &path, &programs, prompt, &anew)?
    } else if args.strace {
        Strace::new(&recorder).run(&mut driver)
    } else {
        driver.run_until(Step::NEVER, commits.observer())
    };
    let refusal = recorder.with(|trace| trace.last_refusal.clone());
    let status = conclude(end, program, refusal.as_deref());
    let is_stale = translations::tell(&mut driver.machine, Some(guest_os::KERNEL_ELF));
    let status = if status == 0 && is_stale { STATUS_STALE } else { status };
    args.guest.disks.tell_of_faults_ahead(&driver.machine, swap_disk);
    // A run that comes to a good end has dealt with them.
    if status != 0 || args.stats {
        recorder.tell_of_children();
    }
    if end == End::Stopped(StopReason::Idle) && !debug && args.gdb.is_empty() {
        tell!("folio: with --debug, `continue` comes to where each waits, and `bt` tells who called it");
    }
    if let (End::Stopped(StopReason::Exit(GuestExit::Signaled(signal))), false) = (end, debug) {
        for line in recorder.death(signal, &programs) {
            tell!("folio: {line}");
        }
    }
    if let (End::Stopped(StopReason::Exit(GuestExit::Status(1..))), None) = (end, &args.guest.root) {
        hint_at_host_files(&args.program, &args.guest.cwd);
    }
    let bound = binds.write_out(&driver.machine, end);
    let written = recorder.finish().and(commits.finish()).and(driver.stdio.check_output());
    let tlb = recorder.tlb(&driver.machine);
    recorder.with(|trace| {
        let causes = args.by.zip(trace.attribution.as_ref());
        let causes = causes.map(|(by, attribution)| ByCause::of(by, attribution, &programs));
        let by_cause = causes.as_ref().map(ByCause::to_json);
        let guest = Some(trace);
        let tlb = tlb.as_ref();
        let figures = Figures { machine: &driver.machine, swap_disk, guest, tlb, by_cause, exit: status };
        if args.stats {
            figures.print_stats();
        }
        if let Some(causes) = causes {
            super::tell_text(&causes.table());
        }
        args.json.as_deref().map_or(Ok(()), |path| figures.write_json(path))
    })?;
    written.and(bound)?;
    Ok(status)
}

/// Where the program and its root come from.
pub(super) enum Source<'a> {
    /// `--root`: a folder or an image, and a path inside it.
    Root { root: &'a Path, program: &'a OsStr },
    /// A host file, put into a small root, with the libraries of a sysroot.
    Host { program: &'a Path, sysroot: Option<&'a Path> },
    /// A path that leads to what is of the host's (`--bind`), in a small root, with the libraries of a sysroot.
    Bound { program: &'a OsStr, sysroot: Option<&'a Path> },
    /// One of the programs that come with Folio.
    BuiltIn { name: &'static str, elf: &'static [u8] },
}

impl<'a> Source<'a> {
    /// A host file goes before a built-in program of the same name.
    pub(super) fn find(guest: &'a GuestArgs, program: &'a OsStr) -> Self {
        let path = Path::new(program);
        match (guest.root.as_deref(), guest_os::PROGRAMS.iter().find(|(name, _)| OsStr::new(name) == program))
        {
            (Some(root), _) => Self::Root { root, program },
            (None, _) if guest.binds.hold(program) => {
                Self::Bound { program, sysroot: guest.sysroot.as_deref() }
            }
            (None, Some(&(name, elf))) if !path.exists() => Self::BuiltIn { name, elf },
            (None, _) => Self::Host { program: path, sysroot: guest.sysroot.as_deref() },
        }
    }

    pub(super) fn image(&self) -> Result<RootImage> {
        match self {
            Self::Root { root, .. } => Ok(RootImage::open_root(root)?),
            Self::Host { program, sysroot } => {
                RootImage::from_program(program, *sysroot).map_err(|error| no_program(error, program))
            }
            Self::Bound { sysroot, .. } => Ok(RootImage::without_program(*sysroot)?),
            Self::BuiltIn { name, elf } => Ok(RootImage::from_bytes(name, *elf)?),
        }
    }

    pub(super) fn path_in_guest(&self) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Root { program, .. } | Self::Bound { program, .. } => program.as_bytes().to_vec(),
            Self::Host { program, .. } => {
                let name = image::file_name(program).map_err(|error| no_program(error, program))?;
                image::program_path(&name).into_bytes()
            }
            Self::BuiltIn { name, .. } => image::program_path(name).into_bytes(),
        })
    }

    /// The guest's root, for gdb's files.
    fn guest_root(&self, binds: &Binds<'_>) -> Box<dyn GuestRoot> {
        match *self {
            Self::Root { root, .. } if root.is_dir() => Box::new(Folder::new(root)),
            _ => Box::new(FilesOnly(binds.files(self.files()))),
        }
    }

    /// Which sources are newer than their programs, as far as those are files of the host's.
    fn newer_sources(&self) -> NewerSources {
        let (host, inside) = match *self {
            Self::Root { root, .. } if root.is_dir() => (root.to_path_buf(), None),
            Self::Host { program: host, .. } => (host.to_path_buf(), self.path_in_guest().ok()),
            Self::Root { .. } | Self::Bound { .. } | Self::BuiltIn { .. } => return Box::new(|_, _| false),
        };
        let changed = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        Box::new(move |program, source| {
            let program = match &inside {
                Some(inside) if program.as_bytes() == inside => host.clone(),
                Some(_) => return false,
                None => host.join(program.trim_start_matches('/')),
            };
            changed(&program)
                .zip(changed(Path::new(source)))
                .is_some_and(|(program, source)| source > program)
        })
    }

    /// The guest's files, for symbols and lines of the source.
    fn files(&self) -> ProgramFiles {
        match *self {
            Self::Root { root, .. } if !root.is_dir() => {
                let root = root.to_path_buf();
                // Opened when a name is asked for the first time.
                let image: OnceCell<Option<RefCell<ImageFiles>>> = OnceCell::new();
                Box::new(move |path| {
                    let image = image.get_or_init(|| ImageFiles::open(&root).ok().map(RefCell::new));
                    image.as_ref()?.borrow_mut().read(path)
                })
            }
            Self::Root { root, .. } => {
                let root = root.to_path_buf();
                Box::new(move |path| std::fs::read(root.join(path.trim_start_matches('/'))).ok())
            }
            Self::Host { program, sysroot } => {
                let (host, inside) = (program.to_path_buf(), self.path_in_guest().unwrap_or_default());
                let sysroot = sysroot.map(Path::to_path_buf);
                Box::new(move |path| match &sysroot {
                    _ if path.as_bytes() == inside => std::fs::read(&host).ok(),
                    Some(sysroot) => std::fs::read(sysroot.join(path.trim_start_matches('/'))).ok(),
                    None => None,
                })
            }
            Self::Bound { sysroot, .. } => {
                let sysroot = sysroot.map(Path::to_path_buf);
                Box::new(move |path| std::fs::read(sysroot.as_ref()?.join(path.trim_start_matches('/'))).ok())
            }
            Self::BuiltIn { name, elf } => {
                Box::new(move |path| (path == image::program_path(name)).then(|| elf.to_vec()))
            }
        }
    }
}

/// An error with what there is to try, unless it says so itself.
fn no_program(error: image::ImageError, path: &Path) -> anyhow::Error {
    match error {
        image::ImageError::Folder { .. } => error.into(),
        _ => anyhow::Error::from(error).context(not_found_hint(path)),
    }
}

fn not_found_hint(path: &Path) -> String {
    let demos: Vec<&str> = guest_os::PROGRAMS.iter().map(|&(name, _)| name).collect();
    let near = near_name(path, &demos).map_or_else(String::new, |name| format!("did you mean `{name}`? Or "));
    format!(
        "{}: {near}give the path of a riscv64 program, --root with a path inside it, or one of the built-in programs ({})",
        path.display(),
        demos.join(", ")
    )
}

/// What is called almost like a program that is not there: a demo, or a file in the folder where it was looked for.
fn near_name(path: &Path, demos: &[&str]) -> Option<String> {
    let word = path.file_name().filter(|_| !path.exists())?.to_str()?;
    let folder = path.parent()?;
    if folder.as_os_str().is_empty()
        && let Some(demo) = nearest(word, demos.iter().copied())
    {
        return Some(demo.to_string());
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut names: Vec<String> = std::fs::read_dir(here)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    let name = nearest(word, names.iter().map(String::as_str))?;
    Some(folder.join(name).display().to_string())
}

/// What a machine's files are built from.
pub(super) struct Origin<'a> {
    /// The root.
    pub image: RootImage,
    /// The program's path in it.
    pub path: &'a [u8],
    /// What is mounted there besides.
    pub binds: &'a Binds<'a>,
}

/// The machine, with the kernel loaded, and the number of its swap disk.
pub(super) fn build(
    guest: &GuestArgs,
    paging: &PagingArgs,
    program: &[OsString],
    origin: Origin<'_>,
    recorder: &Recorder,
    stdio: Box<dyn Stdio>,
) -> Result<(Machine, Option<usize>)> {
    let config = MachineConfig {
        seed: guest.seed,
        frame_limit: guest.frames.unwrap_or(0),
        ..guest.machine.config(guest.memory)
    };
    let missing: Vec<_> =
        GUEST_NEEDS.iter().filter(|&&e| !config.isa.contains(e)).map(|e| e.name()).collect();
    if !missing.is_empty() {
        bail!(
            "--isa leaves out `{}`, which the guest OS needs; add `_{}`",
            missing.join("`, `"),
            missing.join("_")
        );
    }
    // A program that is shown on this terminal must know what it can do.
    let kind = std::env::var_os("TERM").filter(|_| stdio.gives_keys());
    let mut machine = Machine::new(config)?;
    machine.set_stdio(stdio);
    machine.set_event_sink(Some(Box::new(recorder.clone())));
    machine.attach_disk(origin.image.into_disk(), true).context("cannot attach the root image")?;
    let swap_disk = guest.disks.apply(&mut machine, SWAP_FOR_RAM * guest.memory)?;
    let binds = origin.binds.attach(&mut machine)?;
    let argv: Vec<Vec<u8>> = program.iter().map(|word| word.as_bytes().to_vec()).collect();
    let chosen = Chosen {
        bootargs: &bootargs(guest, paging),
        program: origin.path,
        argv: &argv,
        envp: &environment(kind.as_deref(), &guest.env),
        cwd: guest.cwd.as_bytes(),
        binds: &binds,
        ..Chosen::default()
    };
    machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) })?;
    Ok((machine, swap_disk))
}

/// The kernel's command line.
fn bootargs(guest: &GuestArgs, paging: &PagingArgs) -> String {
    let mut words = Vec::new();
    if paging.eager {
        words.push("folio.eager".to_string());
    }
    if paging.fork == ForkArg::Copy {
        words.push("folio.fork=copy".to_string());
    }
    if paging.fault_around > 1 {
        words.push(format!("folio.fault_around={}", paging.fault_around));
    }
    if paging.read_ahead > 1 {
        words.push(format!("folio.read_ahead={}", paging.read_ahead));
    }
    if paging.fork_maps {
        words.push("folio.fork_maps".to_string());
    }
    if guest.policy != PolicyKind::default() {
        words.push(format!("folio.policy={}", guest.policy));
    }
    if let Some(seed) = guest.aslr {
        words.push(format!("folio.aslr={seed}"));
    }
    if guest.process_frames > 0 {
        words.push(format!("folio.process_frames={}", guest.process_frames));
    }
    words.join(" ")
}

/// The program's environment: a small fixed one, with the kind of the terminal that it runs on if it does, and `--env` on top; never the
/// host's.
fn environment(terminal: Option<&OsStr>, given: &[OsString]) -> Vec<Vec<u8>> {
    const DEFAULT: [&str; 4] = [
        "HOME=/root",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/",
        "TERM=dumb",
    ];
    fn key(variable: &[u8]) -> Option<&[u8]> {
        variable.split(|&byte| byte == b'=').next()
    }
    let mut variables: Vec<&[u8]> = DEFAULT.map(str::as_bytes).to_vec();
    let terminal = terminal.map(|kind| [b"TERM=", kind.as_bytes()].concat());
    let given = given.iter().map(|variable| variable.as_bytes());
    for variable in terminal.iter().map(Vec::as_slice).chain(given) {
        variables.retain(|known| key(known) != key(variable));
        variables.push(variable);
    }
    variables.into_iter().map(<[u8]>::to_vec).collect()
}

/// A program that fails may have looked for files of the host, which it can't see: those that it was told of in words. What it
/// asks for by itself, `--strace` shows.
fn hint_at_host_files(words: &[OsString], cwd: &str) {
    let Some((program, arguments)) = words.split_first() else { return };
    // A word, or what stands behind the `=` of an option.
    let files = arguments.iter().flat_map(|word| {
        let value = word.as_bytes().splitn(2, |&byte| byte == b'=').nth(1);
        [Some(word.as_os_str()), value.map(OsStr::from_bytes)].into_iter().flatten()
    });
    let found = files.map(Path::new).find(|path| path.exists() && (path.is_relative() || path.is_file()));
    if let Some(file) = found {
        let is_here = cwd == "/" && is_below_here(Path::new(program)) && is_below_here(file);
        let way = if is_here {
            "with --root . it sees this folder"
        } else {
            "with --root DIR it sees the folder DIR, as /, and in it PROGRAM and the file by their paths from there; with --bind DIR:/PATH it sees DIR at a path of its own"
        };
        let name = file.display();
        tell!("folio: {name} is a file of the host, which the program does not see; {way}");
    }
}

/// Whether a file has the same name where this folder is the root: it lies below, and the name never leaves it on the way.
fn is_below_here(file: &Path) -> bool {
    let depth = file.components().try_fold(0u32, |depth, part| match part {
        Component::CurDir => Some(depth),
        Component::Normal(_) => Some(depth + 1),
        Component::ParentDir => depth.checked_sub(1),
        Component::RootDir | Component::Prefix(_) => None,
    });
    let is_inside = || Some(file.canonicalize().ok()?.starts_with(Path::new(".").canonicalize().ok()?));
    depth.is_some() && is_inside() == Some(true)
}

/// The exit status of an ending, after saying on stderr what the program itself cannot have said.
pub(super) fn conclude(end: End, program: &OsStr, refusal: Option<&str>) -> u8 {
    let program = program.to_string_lossy();
    match end {
        End::Stopped(StopReason::Exit(GuestExit::Status(status))) => status,
        End::Stopped(StopReason::Exit(GuestExit::Signaled(signal))) => {
            u8::try_from(128 + signal.min(127)).unwrap_or(u8::MAX)
        }
        End::Stopped(StopReason::Exit(GuestExit::ExecFailed(errno))) => {
            tell!("folio: {program}: cannot be executed: {}", exec_failure(errno, refusal));
            STATUS_ERROR
        }
        End::Stopped(StopReason::Exit(GuestExit::Panic)) => {
            tell!("folio: the guest kernel failed; its last words are above (RUST_LOG=info shows more)");
            STATUS_ERROR
        }
        End::Stopped(StopReason::Idle) => {
            tell!("folio: every process waits for something that can never come");
            STATUS_FUEL
        }
        End::Stopped(reason @ StopReason::TrapLoop) => {
            tell!("folio: the guest kernel failed: {reason}");
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
        End::ScriptFailed => STATUS_SCRIPT,
        End::Reached | End::Monitor | End::Called => {
            unreachable!("the debugger keeps the steps it stops at to itself, and the terminal is not raw")
        }
        End::Stopped(other) => {
            tell!("folio: unexpectedly, {other}");
            STATUS_ERROR
        }
    }
}

/// The errno's name, the reason (the kernel's own, if it has told one), and what to try.
pub(super) fn exec_failure(number: u32, refusal: Option<&str>) -> String {
    let Some(errno) = Errno::from_number(u64::from(number)) else { return format!("errno {number}") };
    let reason = match (errno, refusal) {
        (_, Some(why)) if why.starts_with(ITS_LOADER) => &format!(
            "{why}; --sysroot DIR gives the libraries of a cross toolchain (such as /usr/riscv64-linux-gnu), --root DIR a system that has them"
        ),
        (_, Some(why)) => why,
        (Errno::ENOENT, _) => "no such file in the root (or its interpreter is missing)",
        (Errno::ENOEXEC, None) => {
            "not a program that this machine can run: a riscv64 Linux ELF or a #! script is needed"
        }
        (Errno::EACCES, _) => "not a regular file with execute permission",
        (Errno::ENOMEM, _) => "not enough memory; give more with -m or --frames",
        (Errno::EIO, _) => "the disk could not be read",
        (Errno::ENODEV, _) => "no disk holds an ext4 file system; --disk IMAGE gives one",
        (Errno::ENXIO, _) => "there is no disk; --disk IMAGE gives one with an ext4 file system",
        (Errno::E2BIG, _) => "arguments and environment are too long",
        (Errno::ENOTDIR, _) => "a part of the path is not a folder",
        (Errno::EISDIR, _) => "is a folder",
        (Errno::EINVAL, _) => "malformed ELF",
        (Errno::ENAMETOOLONG, _) => "the path is too long",
        (Errno::ELOOP, _) => "too many symbolic links",
        (Errno::ELIBBAD, _) => "its dynamic loader cannot be used: --sysroot DIR or --root DIR gives another",
        (Errno::EUCLEAN, _) => "the root file system is damaged; check it with e2fsck -fn",
        _ => return format!("errno {number}"),
    };
    format!("{}: {reason}", errno.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_variables_replace_the_default_ones() {
        let given = [&b"PATH=/x"[..], b"A=b=c", b"RAW=\xff\xfe"];
        let on_terminal = environment(Some(OsStr::new("xterm")), &[]);
        assert_eq!(on_terminal.last().map(Vec::as_slice), Some(&b"TERM=xterm"[..]));
        let all = environment(None, &given.map(|variable| OsStr::from_bytes(variable).to_os_string()));
        let expected = [&b"HOME=/root"[..], b"PWD=/", b"TERM=dumb", b"PATH=/x", b"A=b=c", b"RAW=\xff\xfe"];
        assert_eq!(all, expected);
    }
}
