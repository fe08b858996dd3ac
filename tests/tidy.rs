//! House rules that no compiler checks: the import graph, file sizes, headers, where `unsafe` may stand.
//!
//! The rules are those of docs/architecture.md and docs/unsafe.md; a failure names file, line and rule.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "tidy/imports.rs"]
mod imports;

use imports::{Modules, module_of};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines. Tables of data are exempt ([`DATA_TABLES`]).
const MAX_LINES: usize = 800;

/// Files that are tables of data and may be longer.
const DATA_TABLES: &[&str] = &["emulator/isa/src/table.rs"];

/// File names that say nothing about what is in them.
const BANNED_STEMS: &[&str] = &["utils", "util", "helpers", "common", "misc", "manager"];

/// Crates of the standard library: a module of the same name shadows its crate in the folder it is in.
const STANDARD_CRATES: &[&str] = &["core", "alloc", "std", "proc_macro"];

/// The one file of the emulator that says where a device is and which line it has.
const BOARD: &str = "emulator/src/devices/board.rs";

/// The constants of `isa::platform` that name a device's window or line.
const OF_ONE_DEVICE: &[&str] = &[
    "CLINT",
    "PLIC",
    "UART",
    "FINISHER",
    "RTC",
    "HOST",
    "VIRTIO",
    "VIRTIO_WINDOW",
    "UART_IRQ",
    "RTC_IRQ",
    "HOST_IRQ",
    "VIRTIO_IRQ",
];

/// Who must not import whom, beside what [`ROOMS`] says: files under the folder must not name any of these paths.
/// `{a, b}` groups are expanded before the search, so `use crate::{cli, bus}` is seen too.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("emulator/isa/src", &["emulator::", "mm::", "fs::Vfs", "proc::", "guest_os::"]),
    ("emulator/src/devices", &["crate::hart", "crate::semantics", "crate::exec"]),
    ("emulator/src/loader", &["crate::hart", "crate::exec"]),
    ("emulator/src/machine", &["guest_os"]),
    ("guest-os/abi/src", &["isa::", "mm::", "fs::", "proc::", "guest_os::", "emulator::"]),
    ("guest-os/mm/src", &["fs::", "proc::", "guest_os::", "emulator::"]),
    ("guest-os/fs/src", &["mm::", "proc::", "guest_os::", "emulator::"]),
    ("guest-os/proc/src", &["guest_os::", "emulator::"]),
];

/// The rooms of the emulator's library, from the ground up: a module imports from its own room and from those before
/// it, so that no circle of imports leaves a room. A module is in the innermost room that its path begins with.
const ROOMS: &[&str] = &[
    "softfloat",
    "random",
    "mem",
    "platform",
    "host",
    "hart",
    "semantics",
    "exec",
    "devices",
    "sbi",
    "loader",
    "machine::stop",
    "machine::bus",
    "machine",
    "trace",
    "source",
    "debug",
    "gdb",
    "image",
    "cli",
];

/// Crates that only one folder may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("clap::", &["emulator/src/cli"]),
    ("rustyline::", &["emulator/src/cli"]),
    ("gdbstub::", &["emulator/src/gdb"]),
    ("guest_os::", &["emulator/src/cli", "tests", "benches"]),
];

/// Path prefixes of the host that the emulator's portable core must not use.
const NOT_IN_CORE: &[&str] =
    &["std::fs", "std::time", "std::thread", "std::net", "std::process", "std::env", "HashMap", "HashSet"];

/// Folders of `emulator/src` that belong to the command, not to the portable core.
const COMMAND: &[&str] = &["emulator/src/cli", "emulator/src/image", "emulator/src/main.rs"];

struct Source {
    /// Path from the workspace's root, with `/`.
    path: String,
    text: String,
    /// Whether only tests compile it.
    test: bool,
}

impl Source {
    /// The lines outside `#[cfg(test)] mod … { }` (which by convention ends the file), with their numbers.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests_at = self.text.find("\n#[cfg(test)]\nmod ").map_or(self.text.len(), |at| at + 1);
        self.text[..tests_at].lines().enumerate().map(|(i, l)| (i + 1, l)).filter(|(_, l)| !is_comment(l))
    }
    fn is_test(&self) -> bool {
        self.test
    }
    /// The modules in files of their own that this file declares under `#[cfg(test)]`, as paths without `.rs`.
    fn test_modules(&self) -> Vec<String> {
        let (dir, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let dir = match file {
            "mod.rs" | "lib.rs" | "main.rs" => dir.to_string(),
            _ => format!("{dir}/{}", file.trim_end_matches(".rs")),
        };
        let mut modules = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if line.trim() == "#[cfg(test)]"
                && let Some(name) = lines.next().and_then(|l| l.trim().strip_suffix(';'))
                && let Some((_, name)) = name.rsplit_once("mod ")
            {
                modules.push(format!("{dir}/{name}"));
            }
        }
        modules
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the emulator lies in the workspace's root")
        .to_path_buf()
}

fn collect(dir: &Path, root: &Path, into: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, root, into);
            }
        } else if name.ends_with(".rs") {
            let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            let test = ["tests/", "benches/"].iter().any(|top| relative.starts_with(top))
                || relative.contains("/tests/");
            into.push(Source { path: relative, text: fs::read_to_string(&path).unwrap(), test });
        }
    }
}

fn sources() -> Vec<Source> {
    let root = root();
    let mut all = Vec::new();
    for top in ["emulator", "guest-os", "programs", "tests", "benches"] {
        collect(&root.join(top), &root, &mut all);
    }
    assert!(all.len() > 20, "the walk found too few files: {}", all.len());
    let modules: Vec<String> = all.iter().flat_map(Source::test_modules).collect();
    for source in &mut all {
        let module =
            |m: &String| source.path == format!("{m}.rs") || source.path.starts_with(&format!("{m}/"));
        source.test |= modules.iter().any(module);
    }
    all
}

fn report(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// Whether `line` names `path` as a path of its own, not as the tail of a longer one.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            && (path.ends_with("::")
                || !line[at + path.len()..].chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_'))
    })
}

/// `use crate::{a, b::c}` written out as one path a line; other lines as they are.
fn expand_crate_group(line: &str) -> Vec<String> {
    let Some(rest) = line.trim_start().strip_prefix("use crate::{") else { return vec![line.to_string()] };
    rest.trim_end_matches([';', '}']).split(',').map(|item| format!("crate::{}", item.trim())).collect()
}

#[test]
fn imports_go_one_way() {
    let mut offences = Vec::new();
    for source in sources() {
        for (folder, forbidden) in FORBIDDEN {
            let inside =
                source.path.starts_with(&format!("{folder}/")) || source.path == format!("{folder}.rs");
            if !inside || source.is_test() {
                continue;
            }
            for (number, line) in source.code_lines() {
                for expanded in expand_crate_group(line) {
                    for path in forbidden.iter().filter(|p| names(&expanded, p)) {
                        offences.push(format!("{}:{number}: names {path}", source.path));
                    }
                }
            }
        }
    }
    report("a module imports what lies above it (docs/architecture.md)", offences);
}

#[test]
fn rooms_import_only_what_lies_below() {
    let sources = sources();
    let modules = Modules::of(&sources);
    let mut offences = Vec::new();
    for source in &sources {
        let Some(here) = module_of(source) else { continue };
        let Some(room) = room_of(&here) else {
            offences.push(format!("{}: in no room", source.path));
            continue;
        };
        for there in modules.imports(source) {
            if room_of(&there).is_some_and(|other| other > room) {
                offences.push(format!("{}: names {there}", source.path));
            }
        }
    }
    report("a room of the emulator imports one that lies above it (docs/architecture.md)", offences);
}

/// The place in [`ROOMS`] of the innermost room that a module is in.
fn room_of(module: &str) -> Option<usize> {
    let inside =
        |room: &str| module.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let rooms = ROOMS.iter().enumerate().filter(|(_, room)| inside(room));
    rooms.max_by_key(|(_, room)| room.len()).map(|(place, _)| place)
}

#[test]
fn heavy_crates_stay_where_they_belong() {
    let mut offences = Vec::new();
    for source in sources() {
        for (krate, folders) in ONLY_IN {
            let allowed = source.is_test()
                || folders.iter().any(|f| source.path.starts_with(f))
                || source.path == "emulator/src/main.rs"
                || source.path.starts_with("guest-os/");
            if allowed {
                continue;
            }
            for (number, line) in source.code_lines().filter(|(_, l)| names(l, krate)) {
                offences.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report("a crate is named outside its folder", offences);
}

#[test]
fn the_core_is_portable_and_deterministic() {
    let mut offences = Vec::new();
    for source in sources() {
        let core =
            source.path.starts_with("emulator/src/") && !COMMAND.iter().any(|c| source.path.starts_with(c));
        if !core || source.is_test() {
            continue;
        }
        for (number, line) in source.code_lines() {
            for path in NOT_IN_CORE.iter().filter(|p| names(line, p)) {
                offences.push(format!("{}:{number}: names {path}", source.path));
            }
        }
    }
    report("the portable core uses the host or hash order", offences);
}

#[test]
fn files_are_short_and_start_with_a_header() {
    let mut offences = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > MAX_LINES && !DATA_TABLES.contains(&source.path.as_str()) {
            offences.push(format!("{}: {lines} lines, more than {MAX_LINES}", source.path));
        }
        if !source.text.starts_with("//!") && !source.text.starts_with("#!") {
            offences.push(format!("{}: does not start with a //! header", source.path));
        }
    }
    report("file length or header", offences);
}

#[test]
fn file_names_say_what_is_inside() {
    let offences = sources()
        .iter()
        .filter(|s| {
            BANNED_STEMS.contains(&Path::new(&s.path).file_stem().unwrap().to_string_lossy().as_ref())
        })
        .map(|s| s.path.clone())
        .collect();
    report("a file's name is banned (docs/architecture.md)", offences);
}

#[test]
fn no_module_shadows_a_crate_of_the_standard_library() {
    let mut offences = Vec::new();
    for source in sources() {
        let mut names = source.path.trim_end_matches(".rs").split('/');
        // Above `src` are crates and folders, which shadow nothing.
        if names.by_ref().any(|name| name == "src") && names.any(|name| STANDARD_CRATES.contains(&name)) {
            offences.push(source.path.clone());
        }
    }
    report("a module is named like a crate of the standard library", offences);
}

#[test]
fn a_device_is_named_in_the_table_of_the_board_only() {
    let mut offences = Vec::new();
    for source in sources() {
        if !source.path.starts_with("emulator/src/") || source.path == BOARD || source.is_test() {
            continue;
        }
        for (number, line) in source.code_lines() {
            // What is between quotes names nothing.
            let code = line.split('"').step_by(2);
            let mut words = code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'));
            if let Some(word) = words.find(|word| OF_ONE_DEVICE.contains(word)) {
                offences.push(format!("{}:{number}: names {word}", source.path));
            }
        }
    }
    report("a device's window or line is named beside the board's table", offences);
}

#[test]
fn unsafe_stands_only_where_docs_unsafe_lists_it() {
    let listed = fs::read_to_string(root().join("docs/unsafe.md")).unwrap();
    let mut offences = Vec::new();
    let mut used = Vec::new();
    for source in sources() {
        let is_unsafe = source.text.lines().any(|l| !is_comment(l) && has_unsafe_keyword(l));
        let is_listed = listed.contains(&format!("`{}`", source.path));
        if is_unsafe && !is_listed {
            offences.push(format!("{}: has unsafe, but docs/unsafe.md does not list it", source.path));
        }
        if is_unsafe {
            used.push(source.path.clone());
        }
    }
    let rows = listed.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    for (path, _) in rows {
        if !used.iter().any(|u| u == path) {
            offences.push(format!("docs/unsafe.md lists {path}, which has no unsafe"));
        }
    }
    report("unsafe code", offences);
}

/// `unsafe` as a keyword: not in `unsafe_code`, and not in a string.
fn has_unsafe_keyword(line: &str) -> bool {
    line.match_indices("unsafe").any(|(at, word)| {
        let word_char = |c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '`';
        !line[..at].chars().next_back().is_some_and(word_char)
            && line[at + word.len()..].starts_with([' ', '(', '{'])
            && line[..at].matches('"').count().is_multiple_of(2)
    })
}

#[test]
fn every_unsafe_block_states_its_safety() {
    let mut offences = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if is_comment(line) || !has_unsafe_keyword(line) || line.contains("unsafe(") {
                continue;
            }
            let declares = ["unsafe fn", "unsafe trait", "unsafe extern"].iter().any(|w| line.contains(w));
            let wanted = if declares { "# Safety" } else { "SAFETY:" };
            let reach =
                lines[i.saturating_sub(12)..=i].iter().any(|l| l.contains(wanted) || l.contains("SAFETY:"));
            // A foreign block only declares; what it declares is checked where it is called.
            if !reach && !line.contains("unsafe extern \"") {
                offences.push(format!("{}:{}: no `{wanted}` above", source.path, i + 1));
            }
        }
    }
    report("an unsafe block without its reason", offences);
}

/// The table of `abi` is the only place that tells a system call by its number. Programs are Linux programs: they
/// have the numbers from Linux's own headers, and so test the table.
#[test]
fn system_calls_are_numbered_in_one_table() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| !s.path.starts_with("programs/")) {
        for (number, line) in source.code_lines() {
            // In halves, so that this file does not find itself.
            if line.contains(concat!("__", "NR_")) && source.path != "guest-os/abi/tests/linux.rs" {
                offences.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    let dispatch = fs::read_to_string(root().join("guest-os/src/kernel/syscall/mod.rs")).unwrap();
    assert_eq!(
        dispatch.matches("each_call!(dispatcher)").count(),
        1,
        "the kernel's dispatch is not made of the table"
    );
    report("a system call's number stands outside of guest-os/abi", offences);
}

#[test]
fn nothing_is_left_open() {
    // Written in two halves so that this file does not find itself.
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
    ];
    let mut offences = Vec::new();
    for source in sources() {
        for (i, line) in source.text.lines().enumerate() {
            if words.iter().any(|w| line.contains(w.as_str())) {
                offences.push(format!("{}:{}: {}", source.path, i + 1, line.trim()));
            }
        }
    }
    report("left open in the code", offences);
}

#[test]
fn no_unwrap_outside_tests() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        for (number, line) in source.code_lines().filter(|(_, l)| l.contains(".unwrap()")) {
            offences.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    report("unwrap outside tests", offences);
}
