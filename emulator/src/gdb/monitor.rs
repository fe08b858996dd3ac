//! `monitor COMMAND`: the prompt's commands, but for those that run the machine, which are gdb's own here.

use super::world::{Subject, World};
use crate::debug::command::{entry_of, find, help_without, meant_without};

/// Commands that would run the machine behind gdb's back, with what gdb has for each.
const GDBS_OWN: &[(&str, &str)] = &[
    ("step", "step"),
    ("next", "next"),
    ("stepi", "stepi"),
    ("nexti", "nexti"),
    ("continue", "continue"),
    ("until", "until, or advance"),
    ("advance", "advance"),
    ("finish", "finish"),
    ("break", "break"),
    ("tbreak", "tbreak"),
    ("awatch", "awatch"),
    ("display", "display"),
    ("undisplay", "undisplay"),
    ("run", "none: start `folio run --gdb` once more"),
    ("start", "none: `break main` and `continue`"),
    ("starti", "none: a session begins at the first instruction"),
    ("watch", "watch"),
    ("rwatch", "rwatch"),
    ("commands", "commands"),
    ("ignore", "ignore"),
    ("handle", "none: a signal that ends the process always stops it, `catch signal` stops at others"),
    ("quit", "detach, or kill"),
    ("expect", "a script of gdb's"),
];

/// Commands whose answers are about one of several threads.
const OF_A_THREAD: &[&str] = &["bt", "frame", "up", "down", "locals", "args", "regs", "print", "x"];

/// Does what a line says; the answer.
pub(super) fn run(world: &mut World<'_>, subject: &Subject, tid: u64, line: &str) -> String {
    let entry = match entry_of(line) {
        Ok(entry) => entry.map(|(entry, _)| entry.names[0]),
        Err(_) => {
            let word = line.split_whitespace().next().unwrap_or_default();
            let why = meant_without(word, &is_gdbs_own).err();
            // Of what stands behind the word `execute_for` complains.
            if let Some(why) = why {
                return with_monitor(&(why + "\n"), line, &is_gdbs_own);
            }
            None
        }
    };
    if let Some((name, own)) = GDBS_OWN.iter().find(|(own, _)| entry == Some(own)) {
        let own = if own.contains(':') { (*own).to_owned() } else { format!("`{own}`") };
        return format!("`{name}` is not for `monitor`: gdb's own is {own}\n");
    }
    // The run is gdb's, and not looked at for these.
    let kind = line.split_whitespace().nth(1).and_then(|word| word.split(':').next()).unwrap_or_default();
    if entry == Some("catch") && kind == "tlb-miss" {
        return "`catch tlb-miss` is for Folio's own prompt: `folio debug`\n".to_owned();
    }
    let hart = world.hart_of(subject, tid);
    let program = if hart.is_some() { None } else { world.program_in_kernel(subject, tid) };
    let has_several = world.threads(subject).len() > 1 && matches!(subject, Subject::Process(_));
    let (debugger, target) = world.prompt();
    target.look_at(hart.unwrap_or(target.next_hart()));
    let mut text = debugger.execute_for(target, program, tid, line.trim());
    if has_several && entry.is_some_and(|entry| OF_A_THREAD.contains(&entry)) && !debugger.has_chosen() {
        // Where gdb has gone back to another by itself, as after `thread apply`, it does not say so.
        text.insert_str(0, &format!("thread {tid}:\n"));
    }
    if entry == Some("help") && line.split_whitespace().nth(1).is_none() {
        return help_without(&is_gdbs_own)
            + "Breakpoints, steps and what else runs the machine are gdb's own.\n";
    }
    with_monitor(&text, line, &is_gdbs_own)
}

/// A text for gdb's console, with hints as one types them there.
pub(super) fn for_gdb(text: &str) -> String {
    with_monitor(text, "", &is_gdbs_own)
}

fn is_gdbs_own(name: &str) -> bool {
    GDBS_OWN.iter().any(|(own, _)| *own == name)
}

/// A text in which the commands that it names are as one types them in gdb; what was typed already stands as it is.
fn with_monitor(text: &str, typed: &str, is_of_gdb: &dyn Fn(&str) -> bool) -> String {
    let was_typed =
        |part: &str| typed.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == part);
    let is_command = |part: &str| {
        let (name, rest) = part.split_once(' ').unwrap_or((part, ""));
        let is_meant = find(name).is_some_and(|entry| !is_of_gdb(entry.names[0]));
        is_meant && name.len() > 1 && !(rest.is_empty() && was_typed(name))
    };
    let mut parts = text.split('`');
    let mut told = parts.next().unwrap_or_default().to_owned();
    for (number, part) in parts.enumerate() {
        told.push('`');
        if number % 2 == 0 && is_command(part) {
            told.push_str("monitor ");
        }
        told.push_str(part);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_as_one_types_them_in_gdb() {
        let is_of_gdb = |name: &str| name == "break";
        for (text, typed, told) in [
            ("`ps` lists them", "process 9", "`monitor ps` lists them"),
            ("(`walk 0x1000`, `explain`)", "x", "(`monitor walk 0x1000`, `monitor explain`)"),
            ("`break main` stops", "walk", "`break main` stops"),
            ("`list`: there is no such name", "print list", "`list`: there is no such name"),
            ("`counter` shares its page", "explain", "`counter` shares its page"),
            ("no hint", "ps", "no hint"),
        ] {
            assert_eq!(with_monitor(text, typed, &is_of_gdb), told);
        }
    }

    #[test]
    fn only_what_monitor_does_is_proposed() {
        let why = |word: &str| meant_without(word, &is_gdbs_own).unwrap_err();
        assert_eq!(why("foo"), "there is no command `foo`; `help` lists them");
        assert_eq!(why("mpas"), "there is no command `mpas`; did you mean `maps`? (`help` lists them)");
        assert!(!why("finsh").contains("fin`"), "{}", why("finsh"));
    }
}
