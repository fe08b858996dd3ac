//! The command line, as clap sees it: every flag, its help text and its validation.
//!
//! Nothing here acts; the other files of this folder take these structures and do the work.

use super::bind::BindArgs;
use super::disks::DiskArgs;
use super::gdb::{Address, parse_follow};
use super::values::{
    IsaParser, env_parser, harts, parse_granularity, parse_number, parse_seconds, parse_size, parse_tlb,
    parse_window, policies,
};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use emulator::debug::command::nearest;
use emulator::gdb::Follow;
use emulator::machine::{Console, MachineConfig, PMP_ENTRIES, VirtioConfig};
use emulator::mem::tlb::TlbGeometry;
use isa::IsaSet;
use isa::policies::PolicyKind;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A RISC-V machine and a tiny operating system in which virtual memory can be seen at work.
#[derive(Parser, Debug)]
#[command(name = "folio", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a riscv64 Linux program under the guest OS, paged in from an emulated disk as it is touched
    Run(RunArgs),
    /// As `run --debug`: stop at the program's entry and prompt for commands
    Debug(RunArgs),
    /// Run a program by demand paging and copy-on-write, without them, and with reading and mapping ahead; print what each took
    Compare(CompareArgs),
    /// Boot a bare kernel or firmware
    Boot(BootArgs),
    /// Run bare-metal test programs (riscv-tests convention: they report through `tohost`)
    Test(TestArgs),
    /// Write the root image that `run` would build, as an ext4 file system
    Image(ImageArgs),
    /// Write the guest kernel's ELF, for use under another machine
    Kernel(KernelArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: the program's; 128 + signal if one killed it; 124 when the fuel is spent, the time is up or nothing can ever wake the machine or end its traps; \
125 for an error of Folio's own, a program that cannot be executed, or a kernel panic; 130 on Ctrl-C; 1 if a command of the debugger's script fails.

\
On a terminal each key goes to the program, Ctrl-C too; guest time keeps to the clock while the program waits. Ctrl-A x leaves (exit status 0), Ctrl-A a sends Ctrl-A, Ctrl-A h shows these keys. \
Under the debugger, --gdb and --strace the terminal edits lines, and Ctrl-C is Folio's.")]
pub struct RunArgs {
    #[command(flatten)]
    pub guest: GuestArgs,
    #[command(flatten)]
    pub paging: PagingArgs,
    /// Stop after this many seconds of the host's time with status 124. Where that is depends on the host; --fuel stops at the same step always
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
    /// Compare cached translations with the page tables where they may be stale, and tell of each access that went by one: which store changed the
    /// page table, and which sfence.vma was not made. Slower; the guest cannot tell. Status 1 if there is one
    #[arg(long)]
    pub check_translations: bool,
    /// On a terminal, too, let a program that waits for a time have it at once
    #[arg(long)]
    pub virtual_time: bool,
    /// Print what the run did on stderr: instructions, page faults by kind, disk reads, TLB
    #[arg(long)]
    pub stats: bool,
    /// With --stats: which functions, source lines, source files or mappings cause the page faults, and whose pages take the frames
    #[arg(long, value_name = "WHAT", requires = "stats")]
    pub by: Option<ByArg>,
    /// Write the figures of the run to FILE (-: standard output, after all that the program writes), however it ends
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write every event to FILE (-: standard output, among what the program writes), one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// In the trace: the function and the source line of each event's pc, too
    #[arg(long, requires = "trace")]
    pub trace_names: bool,
    /// Print each system call and signal of the program and its children on stderr, as strace does
    #[arg(long)]
    pub strace: bool,
    /// Stop at the program's entry and prompt for commands
    #[arg(long)]
    pub debug: bool,
    /// Let the debugger begin at reset, before the kernel's first instruction (implies --debug)
    #[arg(long)]
    pub from_reset: bool,
    /// Run this debugger command first (repeatable; implies --debug; `-ex` with one dash means the same; before PROGRAM). Unlike gdb's it ends the session with status 1 if it cannot be carried out
    #[arg(long = "ex", value_name = "CMD")]
    pub ex: Vec<String>,
    /// Run the debugger commands in FILE, one a line (implies --debug)
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// How the debugger answers: a screen at each stop, as it does at a prompt; text; or an object of JSON a line (implies --debug)
    #[arg(long, value_name = "HOW", value_enum)]
    pub ui: Option<Ui>,
    /// Let gdb debug a process from outside: wait for it at this port (0: one that is free) before the process's first instruction (repeatable, for several processes);
    /// docs/gdb.md tells how
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = Address::parse)]
    pub gdb: Vec<Address>,
    /// What the gdb at the port given by --gdb in the same place follows: the first process, one by its number or by its program's name, or the kernel [default: first]
    #[arg(long, value_name = "first|PID|NAME|kernel", value_parser = parse_follow)]
    pub gdb_process: Vec<Follow>,
    /// The program (a riscv64 Linux ELF or a #! script) and its arguments
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub program: Vec<OsString>,
}

/// How the debugger answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Ui {
    /// Text, and at each stop what is there: registers that have changed, instructions, the page of a fault, the stack
    Screen,
    /// Text
    Text,
    /// An object a command, on standard error
    Json,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Each line is a run with other switches of `folio run`; the first is without any. Input is empty, and what the program writes is not shown; if it is not the \
same in all runs, or the status is not, a line below the table says so. The same command prints the same table, every time.

pages read: 4 KiB pages that the disk has moved, those of the file system's own included. page faults: by the program, and those that the kernel \
met when it copied from or to its memory. frames at peak: pages of programs and files, and page tables. of them private: the most frames at one time that nobody else can \
use: private memory of all the run's processes, and their page tables. copied by fork, copied later: frames copied by `fork`, and by a store after it. steps: executed instructions, \
and time waited for the disk, in nanoseconds.

so many fit: how many runs such as this one have room in memory at once: (F - S) / P, rounded down, F being the frames that programs can have (-m, --frames), \
S the most frames at one time with what they share (pages of files, and the page of zeros), which are there once for all, and P the most private ones. All three are measured in the run. \
What the kernel needs for its own part of a process (68 KiB) is not in it. Swap space is not counted: so many have room without it, and what a run itself had in swap space \
is in none of the three.

Exit status: 0, whatever the program's; 125 for an error of Folio's own or a program that cannot be executed, 130 on Ctrl-C.")]
pub struct CompareArgs {
    #[command(flatten)]
    pub guest: GuestArgs,
    /// Write the figures of all runs to FILE (-: standard output), as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The program (a riscv64 Linux ELF or a #! script) and its arguments
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub program: Vec<OsString>,
}

/// In which machine a program is run, and what it sees there.
#[derive(Args, Debug)]
pub struct GuestArgs {
    /// Root file system: a folder, or an ext4 image (opened read-only). PROGRAM is then a path inside it
    #[arg(long, value_name = "DIR|IMAGE")]
    pub root: Option<PathBuf>,
    /// Where the loader and the libraries of a dynamic PROGRAM are found, as in a cross toolchain's `/usr/riscv64-linux-gnu`
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    pub sysroot: Option<PathBuf>,
    /// Set a variable of the program's environment (repeatable)
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = env_parser())]
    pub env: Vec<OsString>,
    #[command(flatten)]
    pub binds: BindArgs,
    /// Working directory of the program, inside the root
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub cwd: String,
    /// Size of RAM: bytes, or with suffix K, M or G
    #[arg(short = 'm', long = "memory", value_name = "SIZE", default_value = "128M", value_parser = parse_size)]
    pub memory: u64,
    /// Give programs at most this many 4 KiB frames, those of their page tables and files included (0: no limit)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_number)]
    pub frames: Option<u64>,
    /// Let each process have at most this many pages of its own in memory, and throw out one of them for one more: local replacement (0: no limit; programs may
    /// change it by RLIMIT_RSS)
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = parse_number)]
    pub process_frames: u64,
    /// Which page goes first when frames run out
    #[arg(long, value_name = "NAME", default_value_t, value_parser = policies())]
    pub policy: PolicyKind,
    #[command(flatten)]
    pub disks: DiskArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Seed of the guest's random numbers (/dev/urandom, getrandom, AT_RANDOM)
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = parse_number)]
    pub seed: u64,
    /// Place programs at random, by this seed (ASLR): stack, mappings, heap and position-independent programs, as Linux does; without it they lie where
    /// they lie on Linux without randomisation
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, value_parser = parse_number)]
    pub aslr: Option<u64>,
}

/// How the guest OS brings pages into memory: what `compare` changes.
#[derive(Args, Clone, Copy, Debug)]
pub struct PagingArgs {
    /// Read a program whole before its first instruction, and give it memory when it asks for it, not page by page as each is touched
    #[arg(long)]
    pub eager: bool,
    /// What `fork` does with private pages: share them until one is written, or copy all at once
    #[arg(long, value_name = "cow|copy", value_enum, default_value_t)]
    pub fork: ForkArg,
    /// Let a load or fetch that has a page of a file mapped have those mapped, too, which are in memory already, of the N pages around it: a power of two up to
    /// 512 (1: none but itself)
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = parse_window)]
    pub fault_around: u64,
    /// Let the read of a page of a file begin the reads of the pages behind it, N pages together, up to 256 (1: none but itself); nobody waits for those
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub read_ahead: u64,
    /// Let the child of a fork map all that its parent does; otherwise pages of files are left to be found again, as on Linux
    #[arg(long)]
    pub fork_maps: bool,
}

/// What `--stats --by` tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ByArg {
    /// Functions
    Symbol,
    /// Lines of the source
    Line,
    /// Files of the source
    File,
    /// Mappings
    Vma,
}

/// What `fork` does with private pages.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub enum ForkArg {
    #[default]
    Cow,
    Copy,
}

#[derive(Args, Debug)]
pub struct MachineArgs {
    /// Number of harts; they take turns, so runs stay repeatable
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = harts())]
    pub harts: u16,
    /// Geometry of the instruction and of the data TLB: entries, ways, and fifo or lru
    #[arg(long, value_name = "ENTRIES[xWAYS[:POLICY]]", default_value_t, value_parser = parse_tlb)]
    pub tlb: TlbGeometry,
    /// How instructions are executed
    #[arg(long, value_name = "ENGINE", default_value = "interp", value_parser = ["interp"])]
    pub engine: String,
    /// Extensions of the harts: an ISA string (rv64gc_zicntr_zba) or a profile (rva22s64), more names after underscores;
    /// `--isa help` lists the names
    #[arg(long, value_name = "ISA", value_parser = IsaParser)]
    pub isa: Option<IsaSet>,
    /// Entries of physical memory protection in each hart
    #[arg(long, value_name = "0|16", default_value = "16", value_parser = ["0", "16"])]
    pub pmp: String,
    /// Stop after N steps (instructions executed, and idle time skipped) with status 124
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_number)]
    pub fuel: Option<u64>,
    /// Write a line for each instruction that retires and for each trap to FILE, in the format of Spike's commit log
    #[arg(long, value_name = "FILE")]
    pub log_commits: Option<PathBuf>,
}

impl MachineArgs {
    /// The machine that these flags ask for.
    pub fn config(&self, ram_bytes: u64) -> MachineConfig {
        MachineConfig {
            ram_bytes,
            tlb: self.tlb,
            isa: self.isa.unwrap_or_default(),
            harts: self.harts.into(),
            pmp_entries: if self.pmp == "0" { 0 } else { PMP_ENTRIES },
            ..MachineConfig::default()
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
On a terminal the console is raw: each key goes to the guest at once, Ctrl-C too. Ctrl-A x leaves, Ctrl-A c opens the monitor \
(a prompt with the debugger's commands), Ctrl-A a sends Ctrl-A, Ctrl-A h lists these keys.

Exit status: 0 for a power-off, a reset or Ctrl-A x; 1 for an SBI shutdown after a failure; the code given to the test \
finisher or to tohost; 124 when the fuel is spent, the time is up or nothing can ever wake the machine or end its traps; 125 for an error of Folio's own; \
130 on Ctrl-C, 143 on SIGTERM, 129 on SIGHUP.")]
pub struct BootArgs {
    /// Firmware: an ELF or raw FILE; `builtin` (Folio's SBI); `none` (the kernel starts in M-mode)
    #[arg(long, value_name = "FILE|none|builtin", default_value = "builtin")]
    pub bios: String,
    /// Kernel: an ELF, a Linux Image or another raw image, compressed by gzip or not. Only firmware may go without
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Kernel command line
    #[arg(long, value_name = "TEXT")]
    pub append: Option<String>,
    /// Disk image for the next virtio slot, opened read-only; what the guest writes is kept in memory (repeatable)
    #[arg(long, value_name = "IMAGE")]
    pub disk: Vec<PathBuf>,
    #[command(flatten)]
    pub disks: DiskArgs,
    /// Add a virtio device: an entropy source, or a network card on a network that ends at its gateway (repeatable)
    #[arg(long = "device", value_name = "DEVICE", value_enum)]
    pub devices: Vec<DeviceArg>,
    /// Where input goes: the UART (ttyS0 in Linux), the console of the SBI, or a virtio console (hvc0). All
    /// print to stdout
    #[arg(long, value_enum, value_name = "CONSOLE", default_value_t)]
    pub console: ConsoleArg,
    /// Give virtio devices the legacy transport (version 1)
    #[arg(long)]
    pub virtio_legacy: bool,
    /// Size of RAM: bytes, or with suffix K, M or G
    #[arg(short = 'm', long = "memory", value_name = "SIZE", default_value = "128M", value_parser = parse_size)]
    pub memory: u64,
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The hardware sets A and D in page tables from the start (`menvcfg.ADUE`), instead of raising page faults; always so
    /// with `--bios none`, as on QEMU's board, unless --isa leaves svadu out
    #[arg(long)]
    pub adue: bool,
    /// Seed of the entropy source, and of `rng-seed` in the device tree
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = parse_number)]
    pub seed: u64,
    /// Stop after this many seconds of the host's time with status 124. Where that is depends on the host; --fuel stops at the same step always
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
    /// Compare cached translations with the page tables where they may be stale, and tell of each access that went by one: which store changed the
    /// page table, and which sfence.vma was not made. Slower; the guest cannot tell. Status 1 if there is one
    #[arg(long)]
    pub check_translations: bool,
    /// Keep guest time from running ahead of the clock while the guest waits (always so on a terminal)
    #[arg(long)]
    pub realtime: bool,
    /// Give the kernel this device tree in place of the machine's own; --append and --initrd are written into its /chosen
    #[arg(long, value_name = "FILE")]
    pub dtb: Option<PathBuf>,
    /// QEMU's board has flash, ours has not: the answer says what to do
    #[arg(long, value_name = "FILE", hide = true)]
    pub pflash: Vec<PathBuf>,
    /// Let gdb debug the machine, its harts as threads: wait for it at this port (0: one that is free) before the first instruction; docs/gdb.md tells how
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = Address::parse)]
    pub gdb: Option<Address>,
    /// Write the device tree that the kernel would get to FILE, and end
    #[arg(long, value_name = "FILE")]
    pub dump_dtb: Option<PathBuf>,
    /// Write the figures of the run to FILE (-: standard output, after all that the program writes), however it ends
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A virtio device that is not a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum DeviceArg {
    Rng,
    Net,
}

/// The console that input goes to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub enum ConsoleArg {
    #[default]
    Uart,
    Sbi,
    Virtio,
}

impl BootArgs {
    /// The machine that these flags ask for.
    pub fn config(&self) -> MachineConfig {
        MachineConfig {
            seed: self.seed,
            adue: self.adue || self.bios == "none",
            virtio: VirtioConfig {
                legacy: self.virtio_legacy,
                rng: self.devices.contains(&DeviceArg::Rng),
                net: self.devices.contains(&DeviceArg::Net),
            },
            console: match self.console {
                ConsoleArg::Uart => Console::Uart,
                ConsoleArg::Sbi => Console::Sbi,
                ConsoleArg::Virtio => Console::Virtio,
            },
            ..self.machine.config(self.memory)
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
A test ends by a store to `tohost` (1 is a pass, an odd number 2n+1 the failure of case n) or to the test finisher at 0x100000, \
or fails when its fuel is spent (--fuel, by default 100000000 steps). The suite of rv64ui-p-add is rv64ui-p; a test of \
another name belongs to the suite of its folder, told from the folder that all tests have in common.

Exit status: 0 if all tests pass, 1 if one fails, 125 for an error of Folio's own, 130 on Ctrl-C.")]
pub struct TestArgs {
    /// Run N tests at a time (default: one on each core of the host)
    #[arg(short = 'j', long = "jobs", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Size of RAM: bytes, or with suffix K, M or G (default: 128M, or more if a test is larger)
    #[arg(short = 'm', long = "memory", value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<u64>,
    /// Tell of each test, not only of those that fail
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Show the last N instructions of each test that fails
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub trace_tail: usize,
    /// Write the results to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the results to FILE, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write memory from `begin_signature` to `end_signature` to FILE (one test only)
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// Write each test's signature to DIR/NAME.signature
    #[arg(long, value_name = "DIR")]
    pub signature_dir: Option<PathBuf>,
    /// Bytes on a line of a signature, the highest address first: 1, 2, 4, 8, 16, 32 or 64
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = parse_granularity)]
    pub signature_granularity: u16,
    /// Compare each test's signature with DIR/NAME.signature, .reference_output, .reference or .sig
    #[arg(long, value_name = "DIR")]
    pub compare_signatures: Option<PathBuf>,
    /// Tests: ELF files, folders (all RISC-V ELF files below), patterns such as 'isa/rv64u?-p-*'
    #[arg(value_name = "ELF|DIR|PATTERN", required = true)]
    pub tests: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ImageArgs {
    /// A folder that becomes the root, or a program that is put into a small root
    #[arg(value_name = "DIR|PROGRAM")]
    pub source: PathBuf,
    /// Where to write the image
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Args, Debug)]
pub struct KernelArgs {
    /// Where to write the kernel
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: PathBuf,
}

/// The command line with `run` before a first word that is a file or a path: `folio ./program` runs it.
pub fn with_run(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let Some(first) = words.get(1) else { return words };
    let is_command = first == "help" || Cli::command().find_subcommand(first).is_some();
    let is_option = first.as_encoded_bytes().starts_with(b"-");
    let is_path = first.as_encoded_bytes().contains(&b'/') || Path::new(first).is_file();
    if !is_command && !is_option && is_path {
        words.insert(1, "run".into());
    }
    words
}

/// What to try for an option of `run` that another command has been given, or none; and for a first word that is no command: one that is almost the same, or `run` for a program that comes with Folio.
pub fn tip(error: &clap::Error) -> Option<String> {
    if let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) {
        let long = option.strip_prefix("--").filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
        let definition = Cli::command();
        let mut of_run = definition.find_subcommand("run")?.get_arguments();
        return of_run
            .any(|argument| argument.get_long() == Some(long))
            .then(|| format!("`{option}` is an option of `run`: `folio run {option} PROGRAM`"));
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    if guest_os::PROGRAMS.iter().any(|(name, _)| name == word) {
        return Some(format!("`folio run {word}` runs the program of that name that comes with Folio"));
    }
    let definition = Cli::command();
    let near = nearest(word, definition.get_subcommands().map(clap::Command::get_name));
    near.map(|name| format!("did you mean `folio {name}`?"))
}

/// The command line with Folio's own `-ex` spelled `--ex`: debuggers have always written it with one dash, which clap
/// would read as two short options. Words from PROGRAM on are the guest's and stay as they are.
pub fn with_long_ex(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let Some(command) = words.get(1).and_then(|w| w.to_str()).filter(|&w| w == "run" || w == "debug") else {
        return words;
    };
    let definition = Cli::command();
    let options = definition.find_subcommand(command).expect("both are defined above");
    let takes_value = |word: &str| {
        options.get_arguments().any(|option| {
            let long = option.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
            let short =
                option.get_short().is_some_and(|c| word.strip_prefix('-').is_some_and(|s| s.chars().eq([c])));
            (long || short) && matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
        })
    };
    let mut at = 2;
    while let Some(word) = words.get(at).and_then(|w| w.to_str()).filter(|w| w.starts_with('-') && *w != "--")
    {
        let is_ex = word == "-ex";
        at += if is_ex || takes_value(word) { 2 } else { 1 };
        if is_ex {
            words[at - 2] = "--ex".into();
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::values::isa_names;
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn extensions_are_refused_by_name() {
        for command in ["run", "debug", "test"] {
            let parse = |isa: &str| Cli::try_parse_from(["folio", command, "--isa", isa, "prog"]);
            assert!(parse("rv64gc_zba").is_ok() && parse("RVA22S64_zfh").is_ok());
            for (isa, word) in [("rv64gcv", "`v`"), ("rv64gc_h", "`h`"), ("rv64gc_zbogus", "`zbogus`")] {
                let message = parse(isa).unwrap_err().to_string();
                assert!(message.contains(word) && message.contains("`--isa help`"), "{message}");
            }
        }
    }

    #[test]
    fn help_and_names_fit_a_terminal() {
        let lines = |text: &str| {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        lines(&isa_names());
        for command in Cli::command().term_width(80).get_subcommands_mut() {
            let help = command.clone().term_width(80).render_help().to_string();
            let lines = lines(&help);
            // No line of a paragraph ends early: the first word of the next one would not have fitted.
            for pair in lines.windows(2).skip_while(|pair| !pair[0].starts_with("  -h, --help")) {
                let word = pair[1].split(' ').next().unwrap_or_default();
                let is_paragraph = !pair[0].is_empty() && !word.is_empty();
                assert!(!is_paragraph || pair[0].len() + 1 + word.len() > 80, "{pair:?}");
            }
        }
    }

    #[test]
    fn ex_may_have_one_dash_before_the_program_only() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (given, read) in [
            ("folio run -ex ps -m 8M -ex help p -ex", "folio run --ex ps -m 8M --ex help p -ex"),
            ("folio run --env A=b --stats -ex ps p", "folio run --env A=b --stats --ex ps p"),
            ("folio run --script -ex p", "folio run --script -ex p"),
            ("folio run -- -ex", "folio run -- -ex"),
            ("folio test -ex", "folio test -ex"),
        ] {
            assert_eq!(with_long_ex(words(given)), words(read), "{given}");
        }
    }

    #[test]
    fn a_path_in_place_of_a_command_is_run() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (given, read) in [
            ("folio ./prog run x", "folio run ./prog run x"),
            ("folio Cargo.toml", "folio run Cargo.toml"),
            ("folio run ./prog", "folio run ./prog"),
            ("folio help", "folio help"),
            ("folio --version", "folio --version"),
            ("folio nosuch", "folio nosuch"),
        ] {
            assert_eq!(with_run(words(given)), words(read), "{given}");
        }
    }

    #[test]
    fn an_option_of_run_is_known_elsewhere() {
        let tip_for = |words: &[&str]| tip(&Cli::try_parse_from(words).unwrap_err());
        let said = "`--stats` is an option of `run`: `folio run --stats PROGRAM`";
        assert_eq!(tip_for(&["folio", "--stats", "./prog"]).as_deref(), Some(said));
        assert_eq!(tip_for(&["folio", "boot", "--stats"]).as_deref(), Some(said));
        assert_eq!(tip_for(&["folio", "--statistics"]), None);
        assert_eq!(tip_for(&["folio", "rum"]).as_deref(), Some("did you mean `folio run`?"));
    }

    #[test]
    fn everything_after_the_program_is_the_guests() {
        let cli = Cli::parse_from(["folio", "run", "--stats", "prog", "--stats", "-m", "--", "x"]);
        let Command::Run(run) = cli.command else { panic!("not run") };
        assert!(run.stats);
        assert_eq!(run.program, ["prog", "--stats", "-m", "--", "x"]);
        let cli = Cli::parse_from(["folio", "run", "--", "prog", "-x"]);
        let Command::Run(run) = cli.command else { panic!("not run") };
        assert_eq!(run.program, ["prog", "-x"]);
    }
}
