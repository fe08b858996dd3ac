//! Conditions of breakpoints, catchpoints and watchpoints: `p->count > 3`, `pid == 2 && va in counter`, `page(va) == page(&x) || hits > 3`.
//!
//! They are expressions in which facts of the stop have names, too, before variables of the program. What is not known (a variable
//! that the program does not have, registers of a thread that has not trapped since the machine was resumed) makes
//! a condition false.

use super::expression::{self, Expression, Names};

/// What is known where something stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fact {
    /// The process.
    Pid,
    /// The thread.
    Tid,
    /// The address that a fault or an access is about.
    Va,
    /// Where the program is.
    Pc,
    /// The frame, by its number.
    Frame,
    /// How often it has come there, this time included.
    Hits,
}

/// The facts by their names.
const FACTS: [(&str, Fact); 6] = [
    ("pid", Fact::Pid),
    ("tid", Fact::Tid),
    ("va", Fact::Va),
    ("pc", Fact::Pc),
    ("frame", Fact::Frame),
    ("hits", Fact::Hits),
];

/// Words of a condition that can be completed.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    FACTS.iter().map(|(name, _)| *name).chain(["in", "page("])
}

impl Fact {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        FACTS.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact)
    }
}

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition(Expression);

impl Condition {
    /// Parses a condition.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err(
                "a condition is missing: `if count > 3`, `if pid == 2`, `if va in counter`".to_owned()
            );
        }
        Expression::parse(text).map(Self)
    }
    /// As typed.
    pub(super) fn text(&self) -> &str {
        self.0.text()
    }
    /// Whether it holds.
    pub(super) fn holds(&self, names: &dyn Names) -> bool {
        self.decide(names).unwrap_or(false)
    }
    /// Whether it holds; the error says what of it is not known.
    pub(super) fn decide(&self, names: &dyn Names) -> Result<bool, String> {
        let read = &|whose, address, into: &mut [u8]| names.read(whose, address, into);
        expression::value(self.0.node(), names).and_then(|value| value.is_true(read))
    }
    /// What it is about.
    pub(super) fn expression(&self) -> &Expression {
        &self.0
    }
    /// The names in it that are no facts, each once.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.names().into_iter().filter(|name| Fact::from_name(name).is_none()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Type, Value, Whose};
    use core::ops::Range;

    /// A process with eight bytes called `counter`, which hold 3.
    struct Here;
    impl Names for Here {
        fn named(&self, name: &str) -> Result<Value, String> {
            match name {
                "pid" => Ok(Value::register(2)),
                "va" => Ok(Value::register(0x11004)),
                "hits" => Ok(Value::register(3)),
                "counter" => Ok(Value::place(Type::Unknown(8), 0x11000, None)),
                _ => Err("not known".to_owned()),
            }
        }
        fn register(&self, name: &str) -> Result<Value, String> {
            if name == "a0" { Ok(Value::register(u64::MAX)) } else { Err("no register".to_owned()) }
        }
        fn type_named(&self, _: &str) -> Option<Type> {
            None
        }
        fn symbol_at(&self, _: u64, _: Whose) -> Option<Range<u64>> {
            None
        }
        fn read(&self, _: Whose, address: u64, into: &mut [u8]) -> Result<(), String> {
            if address != 0x11000 {
                return Err("not mapped".to_owned());
            }
            into.fill(0);
            into[0] = 3;
            Ok(())
        }
    }

    #[test]
    fn conditions_hold() {
        for (text, holds) in [
            ("pid == 2", true),
            ("pid==1||hits>=3", true),
            ("pid == 2 && hits < 3", false),
            ("!(pid == 1)", true),
            ("!pid", false),
            ("pid != 1", true),
            ("va == &counter", false),
            ("va == &counter + 4", true),
            ("va - 4 == &counter", true),
            ("va in counter", true),
            ("va in counter && pid == 1", false),
            ("pid == 1 || va in counter", true),
            ("&counter in counter", true),
            ("counter == 3", true),
            ("counter > 3", false),
            ("page(va) == page(&counter)", true),
            ("page(va) == 0x11000", true),
            ("$a0 == 0xffff_ffff_ffff_ffff", true),
            ("$a0 == -1", true),
            // A register has no sign, and `&&` comes before `||`.
            ("$a0 > 1", true),
            ("pid == 2 || pid == 3 && hits == 9", true),
            ("(pid == 2 || pid == 3) && hits == 9", false),
            ("1 + 1 == pid", true),
            ("5 - 2 - 1 == pid", true),
            // Not known.
            ("tid == 0", false),
            ("tid != 0", false),
            ("!(tid == 0)", false),
            ("va in other", false),
            ("tid == 1 || pid == 2", true),
            ("pid == 1 && tid == 1", false),
        ] {
            assert_eq!(Condition::parse(text).map(|c| c.holds(&Here)), Ok(holds), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_told() {
        for (text, error) in [
            ("", "a condition is missing"),
            ("pid =", "`==` compares"),
            ("pid == ", "a value is missing"),
            ("(pid == 1", "a `)` is missing"),
            ("page(va", "a `)` is missing"),
            ("va == &", "a value is missing"),
            ("va in ", "a value is missing"),
            ("pid == 1 2", "`2` is no operator"),
            ("f(2)", "are not called here"),
        ] {
            let said = Condition::parse(text).expect_err(text);
            assert!(said.contains(error), "{text}: {said}");
        }
        for nested in ["(", "!", "-", "*", "(char)", "a[", "page(", "sizeof("] {
            let deep = nested.repeat(50_000);
            assert!(Condition::parse(&deep).is_err(), "{nested}");
            assert!(Condition::parse(&deep[..900]).is_err(), "{nested}");
        }
        assert!(Condition::parse(&format!("1{}", "+1".repeat(400))).is_ok_and(|c| c.holds(&Here)));
    }

    #[test]
    fn its_places_are_known() {
        let condition = Condition::parse("va == &a.b[2] || pc in b && page(&c) == 1").unwrap();
        let places: Vec<String> = condition.expression().places().iter().map(ToString::to_string).collect();
        assert_eq!(places, ["a.b[2]", "b", "c"]);
        assert_eq!(condition.names(), ["a", "b", "c"]);
        assert_eq!(condition.text(), "va == &a.b[2] || pc in b && page(&c) == 1");
    }
}
