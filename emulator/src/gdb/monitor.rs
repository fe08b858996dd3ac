//! `monitor COMMAND`: the prompt's commands, but for those that run the machine, which are gdb's own here.

use super::world::{Subject, World};
use crate::debug::command::entry_of;

/// Commands that would run the machine behind gdb's back, with what gdb has for each.
const GDBS_OWN: &[(&str, &str)] = &[
    ("step", "stepi"),
    ("next", "nexti"),
    ("stepi", "stepi"),
    ("nexti", "nexti"),
    ("continue", "continue"),
    ("until", "until, or advance"),
    ("advance", "advance"),
    ("finish", "finish"),
    ("break", "break"),
    ("tbreak", "tbreak"),
    ("watch", "watch"),
    ("rwatch", "rwatch"),
    ("commands", "commands"),
    ("ignore", "ignore"),
    ("handle", "handle"),
    ("quit", "detach, or kill"),
    ("expect", "a script of gdb's"),
];

/// Does what a line says; the answer.
pub(super) fn run(world: &mut World<'_>, subject: &Subject, tid: u64, line: &str) -> String {
    let entry = entry_of(line).ok().flatten().map(|(entry, _)| entry.names[0]);
    if let Some((name, own)) = GDBS_OWN.iter().find(|(own, _)| entry == Some(own)) {
        return format!("`{name}` is not for `monitor`: gdb's own is `{own}`\n");
    }
    // The run is gdb's, and not looked at for these.
    let kind = line.split_whitespace().nth(1).and_then(|word| word.split(':').next()).unwrap_or_default();
    if entry == Some("catch") && matches!(kind, "syscall" | "tlb-miss") {
        let library =
            if kind == "syscall" { "; `break write` of gdb's stops at the library's function" } else { "" };
        return format!("`catch {kind}` is for Folio's own prompt: `folio debug`{library}\n");
    }
    let hart = world.hart_of(subject, tid);
    let program = if hart.is_some() { None } else { world.program_in_kernel(subject, tid) };
    let (debugger, target) = world.prompt();
    target.look_at(hart.unwrap_or(target.next_hart()));
    debugger.execute_for(target, program, line.trim())
}
