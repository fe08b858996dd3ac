//! The commands: names, arguments, help, what is completed, what gdb calls them, and the function that parses their words.
//!
//! The one place that knows a command. The prompt, `-ex`, scripts, `help`, completion and the table in `docs/debugger.md` are made of it.

use super::parse::{self, Words};
use super::{Beginning, Command, FrameChoice, RegisterSet, StepKind, StopCommand, SymbolKind};
use crate::debug::watch::Watched;
use crate::source::Variables;

/// What may stand where an argument is, as far as it can be completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completes {
    /// One of these words.
    Words(&'static [&'static str]),
    /// A command.
    Commands,
    /// What `info` tells of.
    Info,
    /// An address: a symbol, perhaps of a process or of the kernel, or a register.
    Places,
    /// A signal that ends a program which went wrong.
    Crashes,
    /// A kind of fault.
    Faults,
    /// A process.
    Processes,
    /// A thread.
    Threads,
    /// The number of a breakpoint, catchpoint or watchpoint.
    Points,
    /// What `catch` stops at.
    Occasions,
    /// Nothing that is known.
    Nothing,
}

type Parse = fn(&Words<'_>) -> Result<Command, String>;

/// A command of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, then shorter ones and those of gdb.
    pub names: &'static [&'static str],
    /// Its arguments.
    pub arguments: &'static str,
    /// What it does: a line, and more lines if need be.
    pub help: &'static str,
    /// What gdb calls it where it has another name there: that is understood, too.
    pub gdb: &'static [&'static str],
    /// What is completed for each argument; the last counts for all that follow.
    pub completes: &'static [Completes],
    /// Makes the command of its words.
    pub(super) parse: Parse,
}

impl Entry {
    const fn gdb(self, gdb: &'static [&'static str]) -> Self {
        Self { gdb, ..self }
    }
    const fn completes(self, completes: &'static [Completes]) -> Self {
        Self { completes, ..self }
    }
}

const fn entry(
    names: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
    parse: Parse,
) -> Entry {
    Entry { names, arguments, help, gdb: &[], completes: &[Completes::Nothing], parse }
}

/// Every command, by what one wants, in the order of `help`.
pub const GROUPS: &[(&str, &[Entry])] = &[
    ("run", RUN),
    ("stop", STOP),
    ("look at the machine", MACHINE),
    ("look at the guest", GUEST),
    ("use the debugger", SESSION),
];

const PLACE: &[Completes] = &[Completes::Places];
const PROCESS: &[Completes] = &[Completes::Processes];
const POINT: &[Completes] = &[Completes::Points, Completes::Nothing];

const RUN: &[Entry] = &[
    entry(
        &["step", "s"],
        "[N]",
        "run to another line of the source, or N times; into functions whose lines are known\n\
         Where the line is not known it runs to where one is; in a program that tells none it is stepi. Who looks at a program\n\
         stays in it: not so stepi.",
        |words| words.steps(StepKind::Line),
    ),
    entry(
        &["next", "n"],
        "[N]",
        "as step, but what a line calls runs to its return\n\
         Where the line is not known it runs to where one is; in a program that tells none it is nexti.",
        |words| words.steps(StepKind::OverLine),
    ),
    entry(&["stepi", "si"], "[N]", "run one instruction, or N; traps and all", |words| {
        words.steps(StepKind::Instruction)
    }),
    entry(
        &["nexti", "ni"],
        "[N]",
        "as stepi, but a call, a system call or a fault runs to its return",
        |words| words.steps(StepKind::OverInstruction),
    ),
    entry(
        &["continue", "c"],
        "[N]",
        "run until something stops the machine; with N the breakpoint that has stopped it is passed N - 1 times",
        parse::go_on,
    ),
    entry(
        &["run", "r"],
        "",
        "begin the program anew, and run until something stops the machine\n\
         Breakpoints, catchpoints, watchpoints and displays stay, but watchpoints of a function's own variables. The program's file is\n\
         read anew, and its input goes on where it was read to.",
        |words| words.alone(Command::Begin(Beginning::Runs)),
    ),
    entry(&["start"], "", "begin the program anew, and run to its `main`", |words| {
        words.alone(Command::Begin(Beginning::Main))
    }),
    entry(&["starti"], "", "begin the program anew: it waits at its first instruction", |words| {
        words.alone(Command::Begin(Beginning::FirstInstruction))
    }),
    entry(
        &["until", "u"],
        "[STEP|PLACE]",
        "run until the machine's step count is STEP (a step is one instruction, executed or trapped), or to a place, as advance\n\
         Without either as next, but not back in the function: past the end of a loop.",
        parse::until,
    )
    .completes(PLACE),
    entry(
        &["advance"],
        "LINE|±LINES|PLACE",
        "run to a place, as to a breakpoint for once, or until the function returns",
        parse::advance,
    )
    .completes(PLACE),
    entry(
        &["finish", "fin"],
        "",
        "run to the caller: until the function returns\n\
         It tells what the function has returned, if the type of that is known.",
        |words| words.alone(Command::Finish),
    ),
];

const STOP: &[Entry] = &[
    entry(
        &["break", "b"],
        "[SYMBOL|LINE|±LINES|FILE:LINE|FILE:FUNCTION|ADDR [PID]] [if COND]",
        "stop before the instruction there; without arguments, list\n\
         A symbol is looked for in the programs and their libraries, then in the kernel (kernel:NAME: only there). One of several\n\
         functions stops at each, and where the compiler has put it into others; FILE:FUNCTION picks those of a file. LINE is one\n\
         of the file that is listed or looked at, +1 and -1 count from the line at work; an address begins with 0x. Of C++ one may name\n\
         the parameters: `ns::Class::method(int)`; a template without its arguments is all of its instances.\n\
         It counts in every process, or in PID only. A program that is yet to run is waited for.\n\
         COND is an expression of C's, of variables of the function there (`if argc > 1`, `if p->count == 3`), $registers and\n\
         pid, tid, va, pc, frame, hits (how often it was come to); `va in counter` means its bytes,\n\
         `page(va) == page(&counter)` its page.",
        |words| parse::break_at(words, false),
    )
    .gdb(&["info breakpoints"])
    .completes(&[Completes::Places, Completes::Processes]),
    entry(
        &["tbreak", "tb", "thbreak"],
        "SYMBOL|ADDR [PID] [if COND]",
        "as break, but for once",
        |words| parse::break_at(words, true),
    )
    .completes(&[Completes::Places, Completes::Processes]),
    entry(
        &["catch"],
        "fault KIND [ADDR [END]]|EVENT [if COND]",
        "stop at a page fault of this kind, or at an event\n\
         KIND: zero, file, disk, cow, swap, segv, any, or one kind by name (zero_shared, file_copy, …)\n\
         With ADDR only for its page (of a variable for all its pages), with END for the pages up to it; in every process, or in that of PID:SYMBOL.\n\
         It stops when the kernel has dealt with the fault, at the instruction that faulted, just before that runs again;\n\
         or in the kernel, if it won't.\n\
         EVENT: fork, vfork, exec, exit, syscall[:NAME], signal[:NAME], evict, swap-in, swap-out, tlb-miss, switch\n\
         COND as for break; va is the very address of the fault, so `if va == &x` and `if va in x` mean x, and\n\
         `if page(va) == page(&x)` what shares its page, too.",
        parse::catch,
    )
    .completes(&[Completes::Occasions, Completes::Faults, Completes::Places]),
    entry(
        &["watch"],
        "EXPR [LENGTH] [if COND]",
        "stop when a process has stored to its variable\n\
         EXPR is a variable or a part of one (`p->count`, `table[3]`), or an address; LENGTH in bytes: its own, or 8. It is of\n\
         the process that one looks at, with PID: before it another's. What it means now is watched, whatever it means later.\n\
         A local variable is watched until its function returns, with -l before it longer. What COND names is what it is in the\n\
         function where one has said so, or else in the one that stores.\n\
         It stops behind the store, with the value before and after, of an array the element that has changed. What the kernel copies there, or another process stores\n\
         to memory that both share, is told when the process comes back to its program.",
        |words| parse::watch(words, Watched::Writes),
    )
    .gdb(&["info watchpoints"])
    .completes(PLACE),
    entry(
        &["rwatch"],
        "EXPR [LENGTH] [if COND]",
        "as watch, but for loads by the program",
        |words| parse::watch(words, Watched::Reads),
    )
    .completes(PLACE),
    entry(&["awatch"], "EXPR [LENGTH] [if COND]", "watch and rwatch in one", |words| {
        parse::watch(words, Watched::Both)
    })
    .completes(PLACE),
    entry(
        &["handle"],
        "[SIGNAL stop|nostop]",
        "whether the machine stops where SIGNAL ends a program by what it did itself: it does, unless one has said nostop\n\
         That is one that went wrong (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT), and one that has sent itself the signal,\n\
         as by raise. What is shown is the program as it was; nothing of it is changed. A signal that has a handler does not\n\
         stop, nor one that another has sent (`catch signal` does at all).",
        parse::handle,
    )
    .gdb(&["info signals"])
    .completes(&[Completes::Crashes, Completes::Words(&["stop", "nostop"])]),
    entry(
        &["delete", "d"],
        "[N|N-M …]",
        "delete breakpoints, catchpoints or watchpoints by their numbers, or all",
        |words| Ok(Command::Stop(StopCommand::Delete(words.ranges()?))),
    )
    .completes(&[Completes::Points]),
    entry(
        &["condition"],
        "N [COND]",
        "stop at N only if COND holds, or always",
        parse::condition,
    )
    .completes(POINT),
    entry(&["ignore"], "N COUNT", "pass N so often before it stops again", parse::ignore)
        .completes(POINT),
    entry(&["enable"], "[N|N-M …]", "let those of these numbers stop again, or all", |words| {
        Ok(Command::Stop(StopCommand::Enable { numbers: words.ranges()?, is_enabled: true }))
    })
    .completes(&[Completes::Points]),
    entry(
        &["disable", "dis"],
        "[N|N-M …]",
        "let those of these numbers stop no more until they are enabled, or all",
        |words| Ok(Command::Stop(StopCommand::Enable { numbers: words.ranges()?, is_enabled: false })),
    )
    .completes(&[Completes::Points]),
    entry(
        &["commands"],
        "[N]",
        "what to do when N (or the last one made) has stopped: the lines that follow, up to `end`\n\
         A `continue` among them goes on from there; with `silent` as the first the stop itself says nothing. Where several stop at\n\
         once, the commands of each are done, one after the other.",
        |words| Ok(Command::Stop(StopCommand::Commands(words.only_number()?))),
    )
    .completes(POINT),
];

const MACHINE: &[Entry] = &[
    entry(
        &["hart"],
        "[N]",
        "look at hart N; without N, list all and what they do\n\
         The other commands tell of the hart looked at, and step and next run it, while the others take their turns. Each\n\
         stop looks at the hart that stopped.",
        |words| Ok(Command::Hart(words.only_number()?)),
    )
    .gdb(&["info harts"]),
    entry(
        &["bt", "backtrace", "where"],
        "[full] [N|-N]",
        "who has called whom, the innermost first: N lines at most; with -N those of the outermost, with full the variables of each",
        parse::backtrace,
    )
    .gdb(&["info stack"]),
    entry(
        &["frame", "f"],
        "[N]",
        "look at function N of the stack, as bt numbers them; without N, say which is looked at\n\
         print, locals, args, regs, list and $registers tell of it until the machine is resumed. Registers that what it has called\n\
         need not keep are not known.",
        parse::frame,
    )
    .gdb(&["info frame"]),
    entry(&["up"], "[N]", "look at the caller, or N calls away", |words| words.calls(FrameChoice::Up)),
    entry(&["down"], "[N]", "look at what it has called, or N calls away", |words| {
        words.calls(FrameChoice::Down)
    }),
    entry(
        &["list", "l"],
        "[PLACE|[PLACE],[PLACE|+N]|-|±LINES]",
        "the source around a place, or from one to another; without arguments the lines that follow, with - those before\n\
         PLACE is LINE, FILE:LINE, a function or an address; ±LINES counts from the line behind those that were shown last.",
        parse::list,
    )
    .gdb(&["info source"])
    .completes(PLACE),
    entry(
        &["line"],
        "[LINE|PLACE]",
        "where the code of a line is, or of which line an address is; without arguments of that which is at work",
        |words| Ok(Command::Line(words.only_address()?)),
    )
    .gdb(&["info line"])
    .completes(PLACE),
    entry(
        &["functions"],
        "[WORD]",
        "the functions of the program whose lines are known; with WORD all that have it in their names, of its libraries, too",
        |words| parse::symbols(words, SymbolKind::Functions),
    )
    .gdb(&["info functions"]),
    entry(
        &["variables"],
        "[WORD]",
        "the variables of the whole program whose types are known; with WORD all that have it in their names, of its libraries, too",
        |words| parse::symbols(words, SymbolKind::Variables),
    )
    .gdb(&["info variables"]),
    entry(
        &["print", "p", "inspect", "output"],
        "[/FORMAT] EXPR",
        "what an expression comes to, with its type: variables of the function at work and of the program\n\
         EXPR is C's: names, `FILE:NAME`, numbers, 'a', $registers, . -> [ ] * & - ! ~ ( ), + - * / % << >> & | ^, comparisons,\n\
         && ||, ? :, casts, sizeof; `first@count` is an array; `PID:NAME` and `kernel:NAME` are another's.\n\
         FORMAT: x hexadecimal, d u with and without sign, o octal, t binary (of floating point the bits), c letters, s text,\n\
         a addresses, f floating point.",
        parse::print,
    )
    .completes(PLACE),
    entry(
        &["ptype"],
        "EXPR|TYPE",
        "a type as the source defines it, with its members: that of an expression, or `struct node`, `node_t`",
        parse::define,
    )
    .completes(PLACE),
    entry(&["locals"], "", "the variables of the function that is looked at", |words| {
        words.alone(Command::Variables(Variables::Locals))
    })
    .gdb(&["info locals"]),
    entry(&["args"], "", "the arguments of the function that is looked at", |words| {
        words.alone(Command::Variables(Variables::Arguments))
    })
    .gdb(&["info args"]),
    entry(
        &["regs"],
        "[f|csr|NAME …]",
        "registers by ABI name (* has changed); floating point; CSRs; or some by their names",
        |words| Ok(Command::Regs(words.register_set())),
    )
    .gdb(&["info registers", "info all-registers"])
    .completes(&[Completes::Words(RegisterSet::NAMES)]),
    entry(
        &["x"],
        "/[COUNT][FORMAT][SIZE] ADDR",
        "examine memory: FORMAT x d u o t c s i a f, SIZE b h w g (1, 2, 4, 8 bytes)\n\
         A variable stands for where it is, a pointer for where it points.",
        parse::examine,
    )
    .completes(PLACE),
    entry(
        &["display"],
        "[/FORMAT] [EXPR]",
        "show EXPR at every stop, as print does; without arguments, list\n\
         With a count or a size, or as i or s, it shows memory, as x does: `display/i $pc`, `display/4xw table`.",
        parse::display,
    )
    .gdb(&["info display"])
    .completes(PLACE),
    entry(&["undisplay"], "[N]", "show N no more, or nothing", |words| {
        Ok(Command::Undisplay(words.only_number()?))
    }),
    entry(
        &["disas", "disassemble"],
        "[ADDR [COUNT]]",
        "disassemble: all of a function, or COUNT instructions (8) from ADDR on, or from pc",
        parse::disassemble,
    )
    .completes(PLACE),
    entry(
        &["walk"],
        "[VA]",
        "walk the page table for VA (or pc), level by level, with every flag spelled out\n\
         Here as everywhere an address is an expression (`help print`): of a variable where it is, of a pointer where it points;\n\
         $fault is the last fault's.",
        |words| Ok(Command::Walk(words.only_address()?)),
    )
    .completes(PLACE),
    entry(&["tlb"], "[VA]", "the TLB: counts and entries, or those for VA's page", |words| {
        Ok(Command::Tlb(words.only_address()?))
    })
    .completes(PLACE),
];

const GUEST: &[Entry] = &[
    entry(&["ps"], "", "the processes, and of those that have several the threads and what they do; * marks who is looked at", |words| {
        words.alone(Command::Ps)
    })
    .gdb(&["info processes", "info inferiors", "info threads"]),
    entry(
        &["process", "inferior"],
        "[N]",
        "look at process N, whoever runs; without N, say at whom one looks\n\
         regs, walk, x, disas, maps, pt, whatis and symbols tell of it until the machine is resumed: its registers are those of\n\
         its last trap if it does not run. Of a process that has ended: regs, maps, pt and whatis, as it was then.",
        |words| Ok(Command::Select { pid: words.only_number()?, tid: None }),
    )
    .completes(PROCESS),
    entry(
        &["thread"],
        "[N|apply N …|all COMMAND]",
        "as process, but for one thread; without N, say which is looked at; with apply a command for some, or for all",
        parse::thread,
    )
    .completes(&[Completes::Threads]),
    entry(&["pt"], "[PID]", "a process's page table as a tree: only what is used", |words| {
        Ok(Command::PageTable(words.only_number()?))
    })
    .completes(PROCESS),
    entry(
        &["whatis"],
        "ADDR",
        "all about an address: process, symbol, mapping, file and offset, frame, owners, swap slot, entry",
        parse::whatis,
    )
    .gdb(&["info symbol"])
    .completes(PLACE),
    entry(
        &["swap"],
        "[SLOT [COUNT]|all]",
        "the slots of the swap space that hold pages, and whose: 64, or COUNT, from slot SLOT on",
        parse::swap,
    ),
    entry(&["maps"], "[PID]", "the mappings of a process, and how much of each is in memory", |words| {
        Ok(Command::Maps(words.only_number()?))
    })
    .gdb(&["info proc mappings", "info mappings"])
    .completes(PROCESS),
    entry(
        &["frames"],
        "[FIRST]",
        "what the frames of RAM hold and who maps them, from frame FIRST on",
        |words| Ok(Command::Frames(words.only_number()?)),
    ),
    entry(
        &["explain", "why"],
        "[ADDR]",
        "why the last page fault happened, what the kernel did, which bit decided; or what other exception came since; or why the page leaves that a catchpoint has stopped at\n\
         With ADDR: what there is at an address, what its first touch will do, or when it went away.",
        |words| Ok(Command::Explain(words.only_address()?)),
    )
    .completes(PLACE),
];

const SESSION: &[Entry] = &[
    entry(
        &["info", "i", "inf"],
        "WHAT",
        "what gdb's `info WHAT` tells: the command that tells it here",
        parse::info,
    )
    .completes(&[Completes::Info, Completes::Nothing]),
    entry(
        &["expect"],
        "TEXT",
        "in a script: end it with status 1 unless the command before has said TEXT\n\
         So does every command of a script that cannot be carried out.",
        parse::expect,
    ),
    entry(&["help", "h", "?"], "[COMMAND]", "this list, or one command in full", |words| {
        words.at_most(1)?;
        Ok(Command::Help(words.get(0).map(str::to_owned)))
    })
    .completes(&[Completes::Commands]),
    entry(&["quit", "q", "exit"], "", "leave; the machine is given up", |words| words.alone(Command::Quit)),
];

/// Every command, in the order of `help`.
pub fn commands() -> impl Iterator<Item = &'static Entry> {
    GROUPS.iter().flat_map(|(_, entries)| *entries)
}

/// The entry of a command by any of its names.
pub fn find(name: &str) -> Option<&'static Entry> {
    commands().find(|entry| entry.names.contains(&name))
}

/// What `info` tells of, as gdb calls it, with the entry that tells it.
pub(in crate::debug) fn info_subjects() -> impl Iterator<Item = (&'static str, &'static Entry)> {
    let subjects = |entry: &'static Entry| {
        entry.gdb.iter().filter_map(move |phrase| Some((phrase.strip_prefix("info ")?, entry)))
    };
    commands().flat_map(subjects)
}
