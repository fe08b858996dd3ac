//! Words of other debuggers that are no commands here, and what there is for them.

/// Words, and what is said of them.
type Table = &'static [(&'static [&'static str], &'static str)];

/// Words of other debuggers, and what there is here for them.
const COMMANDS: Table = &[
    (&["return"], "nothing of the machine can be changed: `finish` runs to the caller"),
    (&["call", "printf", "echo"], "`print EXPR` shows a value and its type, `regs` registers, `x` memory"),
    (&["jump", "j"], "nothing of the machine can be changed: `advance` runs to a place, `run` begins anew"),
    (
        &[
            "reverse-step",
            "reverse-stepi",
            "reverse-next",
            "reverse-continue",
            "rs",
            "rsi",
            "rc",
            "record",
            "checkpoint",
        ],
        "the machine runs forward only, but each run is the same: start anew, and `until STEP`",
    ),
    (&["layout", "tui", "directory"], "`list` shows the source, where it was compiled; `disas` instructions"),
    (&["hbreak", "rbreak", "clear"], "`break` sets a breakpoint, `delete N` deletes it"),
    (
        &["define", "document"],
        "a script (`--script FILE`) holds commands, and so does a breakpoint (`commands N`)",
    ),
    (
        &["dprintf"],
        "`break PLACE`, then `commands` with `silent`, `print EXPR` and `continue` tells of a place without a stop",
    ),
    (&["source"], "`folio debug --script FILE` runs the commands of a file, `-ex COMMAND` one"),
    (
        &["shell", "!", "make", "cd", "pwd", "pipe", "edit"],
        "the debugger starts no programs of the host: use another terminal, or `quit`",
    ),
    (
        &["signal", "queue-signal", "interrupt"],
        "signals go to the program as on Linux: `handle` says which stop, `catch signal` stops at all; `--strace` tells of them",
    ),
    (&["set", "tset", "var"], "nothing of the machine can be changed, so that each run is the same"),
    (&["show"], "there are no settings: `help` lists the commands"),
    (
        &["threads", "taas", "tfaas"],
        "`ps` lists the processes and threads, `process N` and `thread N` look at one, `hart` at a hart",
    ),
    (&["kill", "k", "detach", "disconnect"], "`quit` leaves and gives the machine up, `run` begins anew"),
    (&["silent"], "it is the first line of `commands N`, whose stop then says nothing by itself"),
    (
        &[
            "file",
            "load",
            "target",
            "attach",
            "symbol-file",
            "exec-file",
            "core-file",
            "core",
            "add-symbol-file",
        ],
        "the program is given to `folio debug`",
    ),
    (
        &["gcore", "generate-core-file", "dump", "save", "find", "search", "forward-search"],
        "`x` and `maps` show memory; nothing is written to files or searched",
    ),
    (
        &["python", "py", "guile", "alias"],
        "there is no language of commands: `--script FILE` runs a list of them",
    ),
];

/// What is to be known by `info` in other debuggers, and the command for it here.
const INFO: Table = &[
    (&["float", "vector"], "`regs f` shows the floating-point registers, `regs csr` the CSRs"),
    (&["program"], "`ps` lists the processes and threads, `hart` the harts"),
    (&["sharedlibrary", "shared", "files", "target", "mem"], "`maps` lists the mappings of a process"),
    (&["address", "scope"], "`whatis ADDR` names the symbol at an address; a symbol's name is an address"),
    (&["sources", "types"], "`list` shows the source around a place; `ptype` a type"),
    (&["macro", "checkpoints", "record"], "there is none; `help` lists the commands"),
];

/// What there is here for a command of other debuggers.
pub(super) fn command(word: &str) -> Option<&'static str> {
    find(COMMANDS, word)
}

/// What there is here for an `info` of other debuggers that the table does not know.
pub(super) fn info(word: &str) -> Option<&'static str> {
    find(INFO, word)
}

/// Every word of [`COMMANDS`].
pub(in crate::debug) fn words() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().flat_map(|(words, _)| words.iter().copied())
}

fn find(table: Table, word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|&(_, here)| here)
}
