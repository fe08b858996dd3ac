//! `print`, `info locals` and `info args`: values of the program, with their types.

use super::execute::Debugger;
use super::expression::{self, Expression};
use super::target::Target;
use super::vantage::Vantage;
use crate::source::{Format, Type, Value, Variables};

impl Debugger {
    /// `print`: what an expression comes to.
    pub(super) fn print(
        &self,
        target: &dyn Target,
        at: &Expression,
        format: Option<Format>,
    ) -> Result<String, String> {
        self.looking(target, |from| {
            let value = expression::value(at.node(), from)?;
            let text = from.text(&value, format)?;
            Ok(line(at.text(), &text, &value.type_) + &from.notes())
        })
    }

    /// `ptype`: the type of an expression, or one by its name, as the source defines it.
    pub(super) fn define(&self, target: &dyn Target, of: &Expression) -> Result<String, String> {
        let type_ = self.looking(target, |from| expression::meant_type(of.node(), from))?;
        Ok(format!("type = {}\n", type_.definition()))
    }

    /// The parameters or the variables of the function that is looked at, a line each.
    pub(super) fn variables(&self, target: &dyn Target, which: Variables) -> Result<String, String> {
        self.check_lasts()?;
        self.looking(target, |from| {
            let lines: String =
                from.variables(which)?.iter().map(|(name, value)| variable(from, name, value)).collect();
            if let Some(why) = from.why_untold().filter(|_| lines.is_empty()) {
                return Ok(format!("variables of the function are not known: {why}\n"));
            }
            Ok(match (lines.is_empty(), which) {
                (false, _) => lines + &from.notes(),
                (true, Variables::Arguments) => "the function has no arguments\n".to_owned(),
                (true, Variables::Locals) => "the function has no variables here\n".to_owned(),
            })
        })
    }
}

/// A line about a variable.
pub(super) fn variable(from: &Vantage<'_>, name: &str, value: &Value) -> String {
    let text = from.text(value, None).unwrap_or_else(|why| format!("<{why}>"));
    line(name, &text, &value.type_)
}

/// `name = value  (type)`.
pub(super) fn line(name: &str, text: &str, type_: &Type) -> String {
    match type_ {
        Type::Register | Type::Unknown(0) => format!("{name} = {text}\n"),
        Type::Unknown(_) => format!("{name} = {text}  (of no type that is known)\n"),
        type_ => format!("{name} = {text}  ({type_})\n"),
    }
}
