//! `display`: what is shown at every stop.

use super::command::Shown;
use super::execute::Debugger;
use super::expression::{self, Expression};
use super::target::Target;
use std::fmt::Write;

/// One thing to be shown.
#[derive(Clone, Debug)]
pub(super) struct Display {
    id: u64,
    /// As it was typed.
    text: String,
    shown: Shown,
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
        shown: Shown,
        at: Expression,
    ) -> Result<String, String> {
        // What cannot be shown because of how it is written is refused at once.
        self.looking(target, |from| expression::value(at.node(), from))?;
        self.displays.last_id += 1;
        let display = Display { id: self.displays.last_id, text, shown, at };
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
        let shown = match display.shown {
            Shown::Value(format) => self.print(target, &display.at, format),
            Shown::Memory(examine) => {
                self.examine_at(target, examine, Some(display.at.clone())).map(|(text, _)| text)
            }
        };
        match shown {
            Ok(text) => format!("{id}: {text}"),
            Err(error) => format!("{id}: {}: {error}\n", display.text),
        }
    }
}
