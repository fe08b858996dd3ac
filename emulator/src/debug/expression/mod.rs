//! Expressions as one types them: `count`, `p->next[2].x`, `$sp+16`, `main+0x4`, `lines.c:41`, `2:counter`, `kernel:trap_entry`.
//!
//! They are C's, without calls and assignments. What one comes to is a place in memory with a type, or a value; where an address
//! is wanted, a variable stands for where it is, and a pointer for where it points. The language is parsed here
//! and worked out (`evaluate`); what names mean is told by whoever has the program, through [`Names`].

mod evaluate;
mod parse;
#[cfg(test)]
mod tests;
mod watched;
mod words;

pub(super) use evaluate::{Names, address, bytes, field, letters, meant_type, place, value};
pub use words::parse_number;
pub(super) use words::{line_offset, number_of_c};

use crate::source::{Number, Operator};
use std::fmt;
use std::rc::Rc;

/// An expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression {
    /// As typed.
    text: String,
    node: Rc<Node>,
}

/// What an expression is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// A number, and its type.
    Number(i128, Number),
    /// A floating-point number, by its bits.
    Float(u64),
    /// A `long double`: its digits, and the power of ten that they are times.
    LongDouble(u128, i32),
    /// A register or CSR, or `fault` for the address of the last page fault, without the `$`.
    Register(String),
    /// A variable, a symbol or a line of the source, perhaps with `kernel:`, `PID:` or `FILE:` before it.
    Name(String),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    /// `.name`
    Member(Box<Node>, String),
    /// `(type) x`
    Cast(TypeName, Box<Node>),
    SizeOfType(TypeName),
    /// `a ? b : c`
    Choice(Box<[Node; 3]>),
}

/// An operator before a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unary {
    Behind,
    Address,
    Negative,
    Not,
    Complement,
    SizeOf,
    /// `page(va)`: the address of its page.
    Page,
}

/// An operator between two values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Binary {
    Or,
    And,
    Of(Operator),
    /// `va in counter`
    Inside,
    /// `a[i]`
    Element,
    /// `first@count`: so many of them, one behind the other.
    Repeated,
}

/// A type by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TypeName {
    /// As C has it: `struct node`, `unsigned long`.
    pub(super) name: String,
    /// How many pointers away.
    pub(super) stars: usize,
    /// The lengths of an array of these, from the outermost dimension in, if it is one.
    pub(super) lengths: Vec<u64>,
    /// How many pointers away such an array is: `int (*)[4]`.
    pub(super) array_stars: usize,
}

impl Expression {
    fn new(text: &str, node: Node) -> Self {
        Self { text: text.trim().to_owned(), node: Rc::new(node) }
    }

    /// A plain number.
    pub fn number(value: u64) -> Self {
        Self::new(&value.to_string(), Node::Number(value.into(), Number::INT))
    }

    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Self::parse_first(text, false)? {
            (expression, "") => Ok(expression),
            (_, rest) => Err(parse::no_operator(rest)),
        }
    }

    /// Parses an expression or a type, as `sizeof` takes them: [`meant_type`] tells which type it is.
    pub(super) fn parse_type(text: &str) -> Result<Self, String> {
        Self::parse(&format!("sizeof({text})"))
    }

    /// A name, as it is.
    pub(super) fn named(name: &str) -> Self {
        Self::new(name, Node::Name(name.to_owned()))
    }

    /// Parses the expression that a text begins with; gives what follows, too. An operator that has a blank before it and none
    /// behind it begins what follows: `main -1`.
    pub(super) fn parse_next(text: &str) -> Result<(Self, &str), String> {
        Self::parse_first(text, true)
    }

    fn parse_first(text: &str, ends_at_blanks: bool) -> Result<(Self, &str), String> {
        let (node, rest) = parse::parse(text, ends_at_blanks)?;
        let used = &text[..text.len() - rest.len()];
        Ok((Self::new(used, node), rest))
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// The symbol or line that it is, and what is added to it: what may be waited for until a program has it. A star before it
    /// makes it an address of now.
    pub(super) fn location(&self) -> Option<(String, u64)> {
        self.node.location()
    }

    /// The places that it names by `&x` and `in x`.
    pub(super) fn places(&self) -> Vec<&Node> {
        let mut places = Vec::new();
        self.node.places(&mut places);
        places
    }

    /// The names in it, each once.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.node.names(&mut names);
        names.dedup();
        names
    }
}

impl Node {
    fn location(&self) -> Option<(String, u64)> {
        match self {
            Self::Name(name) => Some((name.clone(), 0)),
            // A symbol may have points in it: `foo.cold`.
            Self::Member(of, name) => match of.location()? {
                (of, 0) => Some((format!("{of}.{name}"), 0)),
                _ => None,
            },
            Self::Binary(Binary::Of(operator @ (Operator::Plus | Operator::Minus)), of, by) => {
                let (name, offset) = of.location()?;
                let Self::Number(by, _) = **by else { return None };
                let by = u64::try_from(by).ok()?;
                let is_plus = *operator == Operator::Plus;
                Some((name, if is_plus { offset.wrapping_add(by) } else { offset.wrapping_sub(by) }))
            }
            _ => None,
        }
    }

    /// Whether it is a variable, a part of one, or what a pointer points to, and nothing that is calculated.
    fn is_variable(&self) -> bool {
        match self {
            Self::Name(_) | Self::Member(..) => true,
            Self::Unary(Unary::Behind, _) | Self::Binary(Binary::Element | Binary::Repeated, ..) => true,
            Self::Cast(_, of) => of.is_variable(),
            _ => false,
        }
    }

    fn parts(&self) -> Vec<&Node> {
        match self {
            Self::Number(..)
            | Self::Float(_)
            | Self::LongDouble(..)
            | Self::Register(_)
            | Self::Name(_)
            | Self::SizeOfType(_) => Vec::new(),
            Self::Unary(_, of) | Self::Member(of, _) | Self::Cast(_, of) => vec![of],
            Self::Binary(_, a, b) => vec![a, b],
            Self::Choice(parts) => parts.iter().collect(),
        }
    }

    fn places<'a>(&'a self, places: &mut Vec<&'a Node>) {
        match self {
            Self::Unary(Unary::Address, of) => places.push(of),
            Self::Binary(Binary::Inside, _, of) => {
                self.parts()[0].places(places);
                places.push(of);
            }
            _ => self.parts().into_iter().for_each(|part| part.places(places)),
        }
    }

    fn names<'a>(&'a self, names: &mut Vec<&'a str>) {
        if let Self::Name(name) = self {
            names.push(name);
        }
        self.parts().into_iter().for_each(|part| part.names(names));
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = if self.stars > 0 { " " } else { "" };
        write!(f, "{}{blank}{}", self.name, "*".repeat(self.stars))?;
        if self.array_stars > 0 {
            write!(f, " ({})", "*".repeat(self.array_stars))?;
        }
        self.lengths.iter().try_for_each(|length| write!(f, "[{length}]"))
    }
}

/// As one would type it, with brackets around all that is put together.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number, _) => write!(f, "{number}"),
            Self::LongDouble(digits, exponent) => write!(f, "{digits}e{exponent}L"),
            Self::Float(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Self::Register(name) => write!(f, "${name}"),
            Self::Name(name) => f.write_str(name),
            Self::Unary(Unary::Page, of) => write!(f, "page({of})"),
            Self::Unary(Unary::SizeOf, of) => write!(f, "sizeof({of})"),
            Self::Unary(operator, of) => {
                let sign = match operator {
                    Unary::Behind => "*",
                    Unary::Address => "&",
                    Unary::Negative => "-",
                    Unary::Not => "!",
                    Unary::Complement | Unary::SizeOf | Unary::Page => "~",
                };
                write!(f, "{sign}{of}")
            }
            Self::Binary(Binary::Element, of, index) => write!(f, "{of}[{index}]"),
            Self::Binary(operator, a, b) => write!(f, "({a} {} {b})", parse::sign(*operator)),
            Self::Member(of, name) => match &**of {
                Self::Unary(Unary::Behind, pointer) => write!(f, "{pointer}->{name}"),
                _ => write!(f, "{of}.{name}"),
            },
            Self::Cast(type_, of) => write!(f, "({type_}) {of}"),
            Self::Choice(parts) => write!(f, "({} ? {} : {})", parts[0], parts[1], parts[2]),
            Self::SizeOfType(type_) => write!(f, "sizeof({type_})"),
        }
    }
}
