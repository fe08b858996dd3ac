//! Conditions of breakpoints, catchpoints and watchpoints: `pid == 2 && va in counter`, `page(va) == page(&x) || hits > 3`.
//!
//! Values are 64 bits without a sign, and truth is not 0, as in C. What is not known (the address of a symbol that the program does
//! not have, registers of a thread that has not trapped since the machine was resumed) makes a comparison false.

use super::expression::parse_number;
use core::ops::Range;
use isa::VirtAddr;

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

/// What a condition is asked about.
pub(super) trait Facts {
    /// A fact, if it is known.
    fn fact(&self, fact: Fact) -> Option<u64>;
    /// A register of the program or a CSR.
    fn register(&self, name: &str) -> Option<u64>;
    /// The bytes of a symbol.
    fn bytes(&mut self, symbol: &str) -> Option<Range<u64>>;
}

/// An operator between two values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Below,
    AtMost,
    Above,
    AtLeast,
    Plus,
    Minus,
}

impl Operator {
    /// By length, so that none is taken for the beginning of another.
    const ALL: [(&'static str, Self); 10] = [
        ("||", Self::Or),
        ("&&", Self::And),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        (">", Self::Above),
        ("+", Self::Plus),
        ("-", Self::Minus),
    ];
    /// Which binds its neighbours before which, as in C.
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Below | Self::AtMost | Self::Above | Self::AtLeast => 4,
            Self::Plus | Self::Minus => 5,
        }
    }
    fn apply(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Or => (a != 0 || b != 0).into(),
            Self::And => (a != 0 && b != 0).into(),
            Self::Equal => (a == b).into(),
            Self::NotEqual => (a != b).into(),
            Self::Below => (a < b).into(),
            Self::AtMost => (a <= b).into(),
            Self::Above => (a > b).into(),
            Self::AtLeast => (a >= b).into(),
            Self::Plus => a.wrapping_add(b),
            Self::Minus => a.wrapping_sub(b),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    Number(u64),
    Fact(Fact),
    /// `$a0`.
    Register(String),
    /// `&counter`.
    Address(String),
    /// `page(va)`: the address of its page.
    Page(Box<Value>),
    Not(Box<Value>),
    Between(Operator, Box<Value>, Box<Value>),
    /// `va in counter`.
    Inside(Box<Value>, String),
}

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// As typed.
    text: String,
    value: Value,
}

/// Longest condition: what nests needs stack.
const MAX_BYTES: usize = 1000;

impl Condition {
    /// Parses a condition.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("a condition has at most {MAX_BYTES} letters"));
        }
        let mut parser = Parser { rest: text.trim() };
        if parser.rest.is_empty() {
            return Err("a condition is missing: `if pid == 2`, `if va in counter`".to_owned());
        }
        let value = parser.value(0)?;
        match parser.rest {
            "" => Ok(Self { text: text.trim().to_owned(), value }),
            rest => {
                Err(format!("`{rest}` is no operator of a condition: there are == != < > <= >= in && || + -"))
            }
        }
    }
    /// As typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
    /// Whether it holds.
    pub(super) fn holds(&self, facts: &mut dyn Facts) -> bool {
        self.value.of(facts).is_some_and(|value| value != 0)
    }
    /// The symbols that it names, each once.
    pub(super) fn symbols(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.value.symbols(&mut names);
        names.dedup();
        names
    }
}

impl Value {
    fn of(&self, facts: &mut dyn Facts) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Fact(fact) => facts.fact(*fact),
            Self::Register(name) => facts.register(name),
            Self::Address(symbol) => Some(facts.bytes(symbol)?.start),
            Self::Page(value) => Some(VirtAddr(value.of(facts)?).page_base().0),
            Self::Not(value) => Some((value.of(facts)? == 0).into()),
            // What is not known is as good as false where the other side decides.
            Self::Between(Operator::Or, a, b) => match a.of(facts) {
                Some(a) if a != 0 => Some(1),
                _ => Some((b.of(facts)? != 0).into()),
            },
            Self::Between(Operator::And, a, b) => match a.of(facts)? {
                0 => Some(0),
                _ => Some((b.of(facts)? != 0).into()),
            },
            Self::Between(operator, a, b) => Some(operator.apply(a.of(facts)?, b.of(facts)?)),
            Self::Inside(value, symbol) => {
                let value = value.of(facts)?;
                Some(facts.bytes(symbol)?.contains(&value).into())
            }
        }
    }
    fn symbols<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Address(symbol) => names.push(symbol),
            Self::Inside(value, symbol) => {
                value.symbols(names);
                names.push(symbol);
            }
            Self::Page(value) | Self::Not(value) => value.symbols(names),
            Self::Between(_, a, b) => {
                a.symbols(names);
                b.symbols(names);
            }
            Self::Number(_) | Self::Fact(_) | Self::Register(_) => {}
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn skip(&mut self, len: usize) {
        self.rest = self.rest[len..].trim_start();
    }
    fn takes(&mut self, token: &str) -> bool {
        let there = self.rest.starts_with(token);
        if there {
            self.skip(token.len());
        }
        there
    }
    /// A name, a number, or what is none of them and empty.
    fn word(&mut self) -> &'a str {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '@' | '$');
        let len = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let word = &self.rest[..len];
        self.skip(len);
        word
    }

    /// A value whose operators bind more than `least`.
    fn value(&mut self, least: u8) -> Result<Value, String> {
        let mut left = self.operand()?;
        loop {
            let is_in = self.rest.strip_prefix("in").is_some_and(|after| after.starts_with(' '));
            if is_in && least < Operator::Below.strength() {
                self.skip("in".len());
                let symbol = self.symbol("in")?;
                left = Value::Inside(Box::new(left), symbol);
                continue;
            }
            let here = Operator::ALL.iter().find(|(token, _)| self.rest.starts_with(token));
            let Some(&(token, operator)) = here.filter(|(_, o)| o.strength() > least) else {
                return Ok(left);
            };
            self.skip(token.len());
            let right = self.value(operator.strength())?;
            left = Value::Between(operator, Box::new(left), Box::new(right));
        }
    }

    fn symbol(&mut self, before: &str) -> Result<String, String> {
        match self.word() {
            "" => Err(format!("a symbol is missing behind `{before}`")),
            name => Ok(name.to_owned()),
        }
    }

    fn operand(&mut self) -> Result<Value, String> {
        // `!=` stands between values.
        if self.rest.starts_with('!') && self.takes("!") {
            return Ok(Value::Not(Box::new(self.operand()?)));
        }
        if self.takes("(") {
            let value = self.value(0)?;
            return if self.takes(")") { Ok(value) } else { Err("a `)` is missing".to_owned()) };
        }
        if self.takes("&") {
            return self.symbol("&").map(Value::Address);
        }
        let at = self.rest;
        let word = self.word();
        if let Some(register) = word.strip_prefix('$') {
            return Ok(Value::Register(register.to_owned()));
        }
        if let Some(number) = parse_number(word) {
            return Ok(Value::Number(number));
        }
        if word == "page" && self.takes("(") {
            let value = self.value(0)?;
            return if self.takes(")") {
                Ok(Value::Page(Box::new(value)))
            } else {
                Err("a `)` is missing".to_owned())
            };
        }
        if let Some((_, fact)) = FACTS.iter().find(|(name, _)| *name == word) {
            return Ok(Value::Fact(*fact));
        }
        let facts = FACTS.map(|(name, _)| name).join(", ");
        Err(match word {
            "" if at.is_empty() => "a value is missing at the end of the condition".to_owned(),
            "" => format!("`{at}` is no value of a condition"),
            other => format!(
                "`{other}` is none of {facts}; the address of a symbol is `&{other}`, a register `${other}`, and `va in {other}` means its bytes"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Here;
    impl Facts for Here {
        fn fact(&self, fact: Fact) -> Option<u64> {
            match fact {
                Fact::Pid => Some(2),
                Fact::Va => Some(0x11004),
                Fact::Hits => Some(3),
                Fact::Tid | Fact::Pc | Fact::Frame => None,
            }
        }
        fn register(&self, name: &str) -> Option<u64> {
            (name == "a0").then_some(u64::MAX)
        }
        fn bytes(&mut self, symbol: &str) -> Option<Range<u64>> {
            (symbol == "counter").then_some(0x11000..0x11008)
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
            ("page(va) == page(&counter)", true),
            ("page(va) == 0x11000", true),
            ("$a0 == 0xffff_ffff_ffff_ffff", true),
            // Without a sign, and `&&` before `||`.
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
            assert_eq!(Condition::parse(text).map(|c| c.holds(&mut Here)), Ok(holds), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_told() {
        for (text, error) in [
            ("", "a condition is missing"),
            ("pid =", "`=` is no operator"),
            ("pid == ", "a value is missing"),
            ("(pid == 1", "a `)` is missing"),
            ("page(va", "a `)` is missing"),
            ("counter == 1", "the address of a symbol is `&counter`"),
            ("va == &", "a symbol is missing behind `&`"),
            ("va in ", "is no operator"),
            ("pid == 1 2", "`2` is no operator"),
            ("* 2", "`* 2` is no value"),
        ] {
            let said = Condition::parse(text).expect_err(text);
            assert!(said.contains(error), "{text}: {said}");
        }
    }

    #[test]
    fn its_symbols_are_known() {
        let condition = Condition::parse("va == &a || pc in b && page(&c) == 1").unwrap();
        assert_eq!(condition.symbols(), ["a", "b", "c"]);
        assert_eq!(condition.text(), "va == &a || pc in b && page(&c) == 1");
    }
}
