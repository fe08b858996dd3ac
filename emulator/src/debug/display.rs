//! `display`: what is shown at every stop.

use super::command::Examine;
use super::execute::Debugger;
use super::expression::{Expression, Operand};
use super::registers;
use super::target::Target;
use std::fmt::Write;

/// One thing to be shown.
#[derive(Clone, Debug)]
pub(super) struct Display {
    id: u64,
    /// As it was typed.
    text: String,
    examine: Option<Examine>,
    at: Expression,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Displays {
    list: Vec<Display>,
    last_id: u64,
}

impl Debugger {
    /// Shows this at every stop, and now.
    pub(super) fn add_display(
        &mut self,
        target: &dyn Target,
        text: String,
        examine: Option<Examine>,
        at: Expression,
    ) -> Result<String, String> {
        // What cannot be shown because of how it is written is refused at once.
        self.evaluate(target, &at)?;
        self.displays.last_id += 1;
        let display = Display { id: self.displays.last_id, text, examine, at };
        let said = self.show(target, &display);
        self.displays.list.push(display);
        Ok(said)
    }

    pub(super) fn remove_display(&mut self, id: Option<u64>) -> Result<String, String> {
        let before = self.displays.list.len();
        self.displays.list.retain(|display| id.is_some_and(|id| id != display.id));
        match id {
            Some(id) if before == self.displays.list.len() => Err(format!("there is no display {id}")),
            _ => Ok(String::new()),
        }
    }

    /// What there is to show, without showing it.
    pub(super) fn list_displays(&self) -> String {
        let mut text = String::new();
        for display in &self.displays.list {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "display {}: {}", display.id, display.text);
        }
        if text.is_empty() { "there are no displays\n".to_owned() } else { text }
    }

    /// What is shown at a stop.
    pub(super) fn displays(&mut self, target: &dyn Target) -> String {
        let list = self.displays.list.clone();
        list.iter().map(|display| self.show(target, display)).collect()
    }

    fn show(&mut self, target: &dyn Target, display: &Display) -> String {
        let id = display.id;
        if let (None, Operand::Register(name)) = (display.examine, &display.at.base)
            && let Some(value) = registers::value(target, &self.now(target), name)
        {
            let value = value.wrapping_add(display.at.offset);
            return format!("{id}: {} = {value:#x} ({})\n", display.text, value.cast_signed());
        }
        let examine = display.examine.unwrap_or_default();
        match self.examine_at(target, examine, Some(display.at.clone())) {
            Ok((text, _)) => format!("{id}: {text}"),
            Err(error) => format!("{id}: {}: {error}\n", display.text),
        }
    }
}
