//! The context of a stop, for a terminal: the registers that have changed, the source, the instructions that come, the entry of the
//! page that a fault was about, the stack.

use super::command::{Contents, Examine};
use super::execute::Debugger;
use super::memory;
use super::stopped::changes;
use super::target::Target;
use super::walk;
use crate::source::Format;
use crate::source::SourceLine;
use crate::trace::pte_flags;
use isa::{Step, VirtAddr, reg};

/// Instructions that are shown.
const INSTRUCTIONS: u64 = 5;
/// Lines of the source that are shown before and behind the one that the machine is at.
const AROUND: u32 = 2;
/// Words of the stack that are shown.
const WORDS: u64 = 4;
/// A terminal narrower than this is written to as if it were not.
const LEAST_WIDTH: usize = 20;

/// What a terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Screen {
    /// Letters a line.
    pub width: usize,
    /// Whether it has colours, and they are wanted.
    pub has_colours: bool,
}

impl Screen {
    /// A line across with a title.
    fn rule(self, title: &str) -> String {
        let width = self.width.max(LEAST_WIDTH);
        let line = format!("-- {title} {}", "-".repeat(width.saturating_sub(title.len() + 4)));
        if self.has_colours { format!("\x1b[2m{line}\x1b[0m\n") } else { line + "\n" }
    }
    /// A line of text, cut where the terminal ends; the one that matters stands out.
    fn line(self, text: &str, stands_out: bool) -> String {
        let cut: String = text.chars().take(self.width.max(LEAST_WIDTH)).collect();
        if stands_out && self.has_colours { format!("\x1b[1m{cut}\x1b[0m\n") } else { cut + "\n" }
    }
    /// Pieces side by side, as many as a line has room for.
    fn columns(self, pieces: &[String]) -> String {
        let widest = pieces.iter().map(|piece| piece.chars().count()).max().unwrap_or(0) + 2;
        let per_line = (self.width.max(LEAST_WIDTH) / widest).max(1);
        let lines = pieces.chunks(per_line).map(|line| {
            let line: String = line.iter().map(|piece| format!("{piece:<widest$}")).collect();
            self.line(line.trim_end(), false)
        });
        lines.collect()
    }
}

impl Debugger {
    /// What there is to see where the machine has stopped; nothing where it or who is looked at has ended.
    pub fn screen(&mut self, target: &dyn Target, screen: Screen) -> String {
        if self.check_lasts().and(self.check_page_table()).is_err() {
            return String::new();
        }
        let now = self.now(target);
        let space = self.space_of(&now);
        let mut text = String::new();
        if let Some(before) = self.before.filter(|before| before.hart == now.hart) {
            let changed = changes(&before, &now);
            let pieces = changed.iter().map(|(name, old, new)| format!("{name} {old:#x} -> {new:#x}"));
            let pieces: Vec<String> = pieces.collect();
            if !pieces.is_empty() {
                text.push_str(&screen.rule("registers"));
                text.push_str(&screen.columns(&pieces));
            }
        }
        let source = self.shown_at(&space, now.pc).1.and_then(|source| self.lines_around(&source));
        if let Some((title, lines)) = source {
            text.push_str(&screen.rule(&title));
            lines.iter().for_each(|line| text.push_str(&screen.line(line, line.starts_with("=>"))));
        }
        let mut read = memory::mapped(target, &space);
        let (code, _) =
            memory::instructions(&space, now.pc, INSTRUCTIONS, &mut read, self.absent(&space), |va| {
                self.symbol_at(&space, va)
            });
        text.push_str(&screen.rule("code"));
        code.lines().for_each(|line| text.push_str(&screen.line(line, line.starts_with("=>"))));
        if let Some((va, since)) = self.fault_at(space.process(), now.pc)
            && since >= self.resumed_at
            && let Some((level, pte)) = walk::deciding(target, &space, va)
        {
            text.push_str(&screen.rule("page"));
            let line = format!(
                "{va}: PTE {:#x} [{}] at level {level}, frame {:#x}",
                pte.0,
                pte_flags(pte),
                pte.ppn().0
            );
            text.push_str(&screen.line(&line, false));
        }
        let sp = VirtAddr(now.x[usize::from(reg::SP)]);
        let words = Examine { count: WORDS, contents: Contents::Values(Format::Address), size_bytes: 8 };
        let (stack, _) = memory::examine(&space, sp, words, &mut read, self.absent(&space), |va| {
            self.symbol_at(&space, va)
        });
        text.push_str(&screen.rule("stack"));
        stack.lines().for_each(|line| text.push_str(&screen.line(line, false)));
        text
    }

    /// The lines around one of the source, with a title, if its file is to be found here.
    fn lines_around(&self, source: &SourceLine) -> Option<(String, Vec<String>)> {
        let lines = self.symbols.source_lines(source)?;
        let shown = source.line.saturating_sub(AROUND)..=source.line.saturating_add(AROUND);
        let numbered = (1u32..).zip(lines.iter()).filter(|(number, _)| shown.contains(number));
        let lines = numbered.map(|(number, line)| {
            let mark = if number == source.line { "=>" } else { "  " };
            format!("{mark} {number:<5}{line}")
        });
        Some((source.to_string(), lines.collect()))
    }

    /// The address of the last fault and when it was, if the process had it at the instruction that is shown.
    fn fault_at(&self, pid: Option<u64>, pc: VirtAddr) -> Option<(VirtAddr, Step)> {
        let tap = self.tap.borrow();
        let fault = tap.trace().last_fault.as_ref()?;
        let is_here = fault.record.pc == pc.0 || self.at_trap.is_some();
        (is_here && Some(fault.record.pid) == pid).then_some((VirtAddr(fault.record.va), fault.step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_the_terminal() {
        let screen = Screen { width: 24, has_colours: false };
        assert_eq!(screen.rule("code"), "-- code ----------------\n");
        assert_eq!(screen.line("0123456789012345678901234567", true), "012345678901234567890123\n");
        let pieces = ["a0 1 -> 2", "a1 3 -> 4", "ra 5 -> 6"].map(str::to_owned);
        assert_eq!(screen.columns(&pieces), "a0 1 -> 2  a1 3 -> 4\nra 5 -> 6\n");
        let wide = Screen { width: 80, has_colours: true };
        assert_eq!(wide.columns(&pieces), "a0 1 -> 2  a1 3 -> 4  ra 5 -> 6\n");
        assert_eq!(wide.line("=> x", true), "\x1b[1m=> x\x1b[0m\n");
        assert!(wide.rule("code").starts_with("\x1b[2m-- code --"));
    }
}
