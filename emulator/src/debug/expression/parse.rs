//! The language of expressions: its words, its operators and how strongly they bind, as in C.
//!
//! What nests needs stack: an expression has at most [`MAX_BYTES`] letters and [`MAX_NESTED`] brackets in one another.

use super::words::{
    TYPE_WORDS, canonical, float_len, letter, long_double, number_of_c, parse_number, part_len, type_of,
    word_of,
};
use super::{Binary, Node, TypeName, Unary};
use crate::source::{Number, Operator};

/// Longest expression.
const MAX_BYTES: usize = 1000;
/// Brackets in brackets, and operators before operators.
const MAX_NESTED: usize = 64;

/// The operators between values, by length, so that none is taken for the beginning of another; and which binds its neighbours
/// before which.
const BINARY: [(&str, Binary, u8); 20] = [
    ("||", Binary::Or, 1),
    ("&&", Binary::And, 2),
    ("==", Binary::Of(Operator::Equal), 6),
    ("!=", Binary::Of(Operator::NotEqual), 6),
    ("<=", Binary::Of(Operator::AtMost), 7),
    (">=", Binary::Of(Operator::AtLeast), 7),
    ("<<", Binary::Of(Operator::ShiftLeft), 8),
    (">>", Binary::Of(Operator::ShiftRight), 8),
    ("in", Binary::Inside, 7),
    ("|", Binary::Of(Operator::Or), 3),
    ("^", Binary::Of(Operator::Xor), 4),
    ("&", Binary::Of(Operator::And), 5),
    ("<", Binary::Of(Operator::Below), 7),
    (">", Binary::Of(Operator::Above), 7),
    ("+", Binary::Of(Operator::Plus), 9),
    ("-", Binary::Of(Operator::Minus), 9),
    ("*", Binary::Of(Operator::Times), 10),
    ("/", Binary::Of(Operator::Divide), 10),
    ("%", Binary::Of(Operator::Remainder), 10),
    ("@", Binary::Repeated, 11),
];

/// An operator as it is typed.
pub(super) fn sign(operator: Binary) -> &'static str {
    BINARY.iter().find(|(_, known, _)| *known == operator).map_or("[", |(sign, ..)| sign)
}

/// Parses the expression that a text begins with; gives what follows.
pub(super) fn parse(text: &str, ends_at_blanks: bool) -> Result<(Node, &str), String> {
    if text.len() > MAX_BYTES && !ends_at_blanks {
        return Err(format!("an expression has at most {MAX_BYTES} letters"));
    }
    let mut parser = Parser { rest: text.trim_start(), nested: 0, ends_at_blanks, is_behind_blank: false };
    let node = parser.value(0)?;
    if text.len() - parser.rest.len() > MAX_BYTES {
        return Err(format!("an expression has at most {MAX_BYTES} letters"));
    }
    Ok((node, parser.rest))
}

/// Functions of C++'s library that tell of elements, which are shown without them.
const OF_ELEMENTS: [&str; 9] = ["size", "length", "at", "front", "back", "data", "c_str", "begin", "end"];

/// What stands where an operator is wanted.
pub(super) fn no_operator(rest: &str) -> String {
    if rest.starts_with('(') {
        return "functions of the program are not called here: that would change what it does".to_owned();
    }
    if rest.starts_with('=') {
        return "nothing of the program is changed here: `==` compares".to_owned();
    }
    let shown: String = rest.chars().take(40).collect();
    format!("`{shown}` is no operator: there are + - * / % << >> & | ^ == != < > <= >= && || in . -> [ ]")
}

/// What stands in the brackets that a text begins with.
fn in_brackets(text: &str, open: char, close: char) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return (at > 0).then(|| &text[1..at]);
        }
    }
    None
}

/// Whether a text may be a list of types, and is no value: it begins with a word, and has nothing but words, stars and brackets.
fn is_types(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_:<>,*& ()".contains(c);
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(is_part)
        && !text.contains("&&")
}

struct Parser<'a> {
    rest: &'a str,
    nested: usize,
    /// Whether an operator with a blank before it and none behind it is none.
    ends_at_blanks: bool,
    is_behind_blank: bool,
}

impl<'a> Parser<'a> {
    fn skip(&mut self, len: usize) {
        let rest = &self.rest[len..];
        self.rest = rest.trim_start();
        self.is_behind_blank = rest.len() != self.rest.len();
    }
    fn takes(&mut self, token: &str) -> bool {
        let there = self.rest.starts_with(token);
        if there {
            self.skip(token.len());
        }
        there
    }
    fn needs(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(format!("a `{token}` is missing")) }
    }
    /// Parses what stands in something else.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.nested == MAX_NESTED {
            return Err(format!("an expression has at most {MAX_NESTED} brackets or signs in one another"));
        }
        self.nested += 1;
        let parsed = parse(self);
        self.nested -= 1;
        parsed
    }

    /// A value whose operators bind more than `least`.
    fn value(&mut self, least: u8) -> Result<Node, String> {
        let mut left = self.operand()?;
        while let Some((sign, operator, strength)) = self.operator().filter(|(.., by)| *by > least) {
            self.skip(sign.len());
            let right = self.nested(|parser| parser.value(strength))?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        if least == 0 && self.takes("?") {
            let first = self.nested(|parser| parser.value(0))?;
            self.needs(":")?;
            let second = self.nested(|parser| parser.value(0))?;
            left = Node::Choice(Box::new([left, first, second]));
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(&'static str, Binary, u8)> {
        let found = BINARY.iter().copied().find(|(sign, ..)| self.rest.starts_with(sign))?;
        let behind = &self.rest[found.0.len()..];
        let is_word = found.1 == Binary::Inside;
        if is_word && !behind.starts_with(char::is_whitespace) {
            return None;
        }
        let begins_another = self.nested == 0
            && self.ends_at_blanks
            && self.is_behind_blank
            && !behind.starts_with(char::is_whitespace);
        // Not only the operators that also stand before a value: `main /4` is no division either.
        (!begins_another || is_word).then_some(found)
    }

    fn operand(&mut self) -> Result<Node, String> {
        for (sign, operator) in [
            ("*", Unary::Behind),
            ("&", Unary::Address),
            ("-", Unary::Negative),
            ("!", Unary::Not),
            ("~", Unary::Complement),
        ] {
            // `&&x` is the address of a label, and nothing here.
            if self.rest.starts_with(sign) && !self.rest.starts_with("&&") {
                self.skip(sign.len());
                let of = self.nested(Self::operand)?;
                return Ok(Node::Unary(operator, Box::new(of)));
            }
        }
        if self.rest.starts_with('+') && !self.rest.starts_with("++") {
            return Err("a value is missing before `+`".to_owned());
        }
        // gdb's: what is of this type at an address.
        if self.takes("{") {
            let type_ = self.type_in_brackets("}")?;
            let mut type_ = type_.ok_or("between `{` and `}` stands a type: `{int}ADDR`")?;
            let of = self.nested(Self::operand)?;
            match type_.lengths.is_empty() {
                true => type_.stars += 1,
                false => type_.array_stars += 1,
            }
            return Ok(Node::Unary(Unary::Behind, Box::new(Node::Cast(type_, Box::new(of)))));
        }
        if self.takes("(") {
            if let Some(type_) = self.type_in_brackets(")")? {
                let of = self.nested(Self::operand)?;
                return Ok(Node::Cast(type_, Box::new(of)));
            }
            let inner = self.nested(|parser| {
                let ends_at_blanks = std::mem::take(&mut parser.ends_at_blanks);
                let mut inner = parser.value(0);
                // Of C's comma the last value counts, and nothing is changed by those before.
                while inner.is_ok() && parser.takes(",") {
                    inner = parser.value(0);
                }
                parser.ends_at_blanks = ends_at_blanks;
                inner
            })?;
            self.needs(")")?;
            return self.parts_of(inner);
        }
        let first = self.first()?;
        self.parts_of(first)
    }

    /// Members and elements of what comes before.
    fn parts_of(&mut self, mut of: Node) -> Result<Node, String> {
        loop {
            if self.is_behind_blank
                && self.ends_at_blanks
                && self.nested == 0
                && self.rest.starts_with(['.', '['])
            {
                return Ok(of);
            }
            if self.takes("[") {
                let index = self.nested(|parser| parser.value(0))?;
                self.needs("]")?;
                of = Node::Binary(Binary::Element, Box::new(of), Box::new(index));
            } else if self.takes("->") {
                of = Node::Member(Box::new(Node::Unary(Unary::Behind, Box::new(of))), self.member()?);
            } else if self.takes(".") {
                let name = self.member()?;
                if self.rest.starts_with('(') && OF_ELEMENTS.contains(&name.as_str()) {
                    return Err(format!(
                        "{}; of a std::vector or a std::string `print {of}` shows the elements, and `{of}[0]` is one",
                        no_operator(self.rest)
                    ));
                }
                of = Node::Member(Box::new(of), name);
            } else {
                return Ok(of);
            }
        }
    }

    fn member(&mut self) -> Result<String, String> {
        match self.word() {
            "" => Err("the name of a member is missing".to_owned()),
            name => Ok(name.to_owned()),
        }
    }

    /// Letters, digits and `_`.
    fn word(&mut self) -> &'a str {
        let word = word_of(self.rest);
        self.skip(word.len());
        word
    }

    /// A number, a register, a name.
    fn first(&mut self) -> Result<Node, String> {
        if self.rest.starts_with('\'') {
            return self.quoted();
        }
        if self.rest.starts_with('"') {
            return Err("texts in `\"` are no values here: `'a'` is a letter, `print/s NAME` shows a text of the program's".to_owned());
        }
        if self.takes("$") {
            return match self.word() {
                name if name.bytes().all(|b| b.is_ascii_digit()) => {
                    let name = if name.is_empty() && self.rest.starts_with('$') { "$" } else { name };
                    Err(format!(
                        "there is no `${name}`: no history of values is kept, give the expression again (behind `$` stands the name of a register: what a function has returned is in `$a0` or `$fa0`)"
                    ))
                }
                name => Ok(Node::Register(name.to_owned())),
            };
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        if let Some(file) = self.file() {
            let file = file.to_owned();
            self.skip(file.len() + 1);
            let name = self.plain_name();
            return if name.is_empty() {
                Err(format!("a line or a name is missing behind `{file}:`"))
            } else {
                Ok(Node::Name(format!("{file}:{name}")))
            };
        }
        if let Some(name) = self.cpp_name() {
            return Ok(Node::Name(name));
        }
        let name = self.plain_name();
        let is_owner = self.rest.starts_with(':') && !self.is_behind_blank;
        match name.as_str() {
            "" if self.rest.is_empty() => {
                Err("a value is missing: give a number, a $register, a variable or a symbol".to_owned())
            }
            "" => {
                let shown: String = self.rest.chars().take(40).collect();
                Err(format!("`{shown}` is no value"))
            }
            "page" if self.takes("(") => {
                let of = self.nested(|parser| parser.value(0))?;
                self.needs(")")?;
                Ok(Node::Unary(Unary::Page, Box::new(of)))
            }
            "sizeof" => self.size_of(),
            "kernel" if is_owner => {
                self.skip(1);
                Ok(Node::Name(format!("kernel:{}", self.owned("kernel:")?)))
            }
            _ if is_owner => Err(format!("`{name}:` is neither `kernel:` nor a PID nor a file")),
            _ => Ok(Node::Name(name)),
        }
    }

    fn size_of(&mut self) -> Result<Node, String> {
        let before = (self.rest, self.is_behind_blank);
        if self.takes("(") {
            if let Some(type_) = self.type_in_brackets(")")? {
                return Ok(Node::SizeOfType(type_));
            }
            (self.rest, self.is_behind_blank) = before;
        }
        let of = self.nested(Self::operand)?;
        Ok(Node::Unary(Unary::SizeOf, Box::new(of)))
    }

    /// A name, with the names of what it is in before it: `a::b`, `work::count`.
    fn plain_name(&mut self) -> String {
        let mut len = part_len(self.rest, false);
        while let Some(after) = self.rest[len..].strip_prefix("::") {
            // Rust calls what has no name `{impl#0}`.
            let part = match after.strip_prefix('{').and_then(|inner| inner.find('}')) {
                Some(end) => end + 2,
                None => part_len(after, true),
            };
            if part == 0 {
                break;
            }
            len += 2 + part;
        }
        let name = self.rest[..len].to_owned();
        self.skip(len);
        name
    }

    /// A function of C++'s with the types of its parameters, or of a template: `ns::Class::method(int, char const*)`, `twice<int>`.
    fn cpp_name(&mut self) -> Option<String> {
        let (text, mut len) = (self.rest, 0);
        loop {
            len += part_len(&text[len..], len > 0);
            if text[len..].starts_with('<') {
                let inner = in_brackets(&text[len..], '<', '>').filter(|inner| is_types(inner))?;
                len += inner.len() + 2;
                if !text[len..].starts_with(['(', ':']) && !text[len..].trim_start().is_empty() {
                    return None;
                }
            }
            match text[len..].strip_prefix("::") {
                Some(_) => len += 2,
                None => break,
            }
        }
        let name = &text[..len];
        if name.is_empty()
            || name.starts_with(|c: char| c.is_ascii_digit())
            || ["page", "sizeof"].contains(&name)
        {
            return None;
        }
        match in_brackets(&text[len..], '(', ')') {
            Some(types) if types.is_empty() || is_types(types) => len += types.len() + 2,
            Some(_) => return None,
            None if !name.contains('<') => return None,
            None => {}
        }
        let behind = text[len..].strip_prefix(" const");
        if behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_alphanumeric() || c == '_')) {
            len += " const".len();
        }
        self.skip(len);
        Some(text[..len].to_owned())
    }

    /// What belongs to the kernel or to a process: a name, a line, a number.
    fn owned(&mut self, owner: &str) -> Result<String, String> {
        let missing = || format!("a name is missing behind `{owner}`");
        if let Some(file) = self.file() {
            let file = file.to_owned();
            self.skip(file.len() + 1);
            return Some(self.plain_name())
                .filter(|n| !n.is_empty())
                .map(|n| format!("{file}:{n}"))
                .ok_or_else(missing);
        }
        if self.rest.starts_with('\'') {
            return match self.quoted()? {
                Node::Name(name) => Ok(name),
                _ => Err(missing()),
            };
        }
        Some(self.plain_name()).filter(|name| !name.is_empty()).ok_or_else(missing)
    }

    /// The file before a `:` with a line or a name behind it.
    fn file(&self) -> Option<&'a str> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '+' | '-' | '~');
        let end = self.rest.find(|c| !is_part(c))?;
        let (file, behind) = self.rest.split_at(end);
        let is_named = behind
            .strip_prefix(':')
            .is_some_and(|name| name.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        (is_named && file.contains('.') && !file.ends_with(['.', '/'])).then_some(file)
    }

    /// `'a'`, `'file name.c'::name`, or a symbol with letters that names have not: `'f(int)'`.
    fn quoted(&mut self) -> Result<Node, String> {
        let inner = &self.rest[1..];
        let is_escape = inner.starts_with('\\');
        let from = if is_escape { 1 + inner[1..].chars().next().map_or(0, char::len_utf8) } else { 0 };
        let end = inner[from..].find('\'').map(|end| from + end).ok_or("a `'` is missing")?;
        let text = &inner[..end];
        self.skip(end + 2);
        if let Some(after) = self.rest.strip_prefix("::") {
            self.skip(self.rest.len() - after.len());
            return match self.plain_name() {
                name if name.is_empty() => Err(format!("a name is missing behind `'{text}'::`")),
                name => Ok(Node::Name(format!("{text}:{name}"))),
            };
        }
        if let Some(after) = self.rest.strip_prefix(':') {
            self.skip(self.rest.len() - after.len());
            return match self.plain_name() {
                name if name.is_empty() => Err(format!("a line or a name is missing behind `'{text}':`")),
                name => Ok(Node::Name(format!("{text}:{name}"))),
            };
        }
        if !is_escape && text.chars().count() > 1 {
            return Ok(Node::Name(text.to_owned()));
        }
        let letter = letter(text).ok_or_else(|| format!("`'{text}'` is no letter"))?;
        Ok(Node::Number(letter.into(), Number::CHAR))
    }

    /// A number, or a name of the process whose number it is.
    fn number(&mut self) -> Result<Node, String> {
        let word = word_of(self.rest);
        let behind = &self.rest[word.len()..];
        if behind.starts_with(':') && !behind.starts_with("::") {
            self.skip(word.len() + 1);
            if parse_number(word).is_none() {
                return Err(format!("`{word}:` is neither `kernel:` nor a PID"));
            }
            let owner = format!("{word}:");
            return Ok(Node::Name(format!("{owner}{}", self.owned(&owner)?)));
        }
        if let Some(len) = float_len(self.rest) {
            let text = &self.rest[..len];
            let value: f64 =
                text.replace('_', "").parse().map_err(|_| format!("`{text}` is not a number"))?;
            self.skip(len);
            if matches!(word_of(self.rest), "l" | "L") {
                self.skip(1);
                let (digits, exponent) = long_double(text)
                    .ok_or_else(|| format!("`{text}L` has more digits than are read exactly here"))?;
                return Ok(Node::LongDouble(digits, exponent));
            }
            let number = Node::Float(value.to_bits());
            // As C has it: a `float`.
            if matches!(word_of(self.rest), "f" | "F") {
                self.skip(1);
                let name = "float".to_owned();
                let float = TypeName { name, stars: 0, lengths: Vec::new(), array_stars: 0 };
                return Ok(Node::Cast(float, Box::new(number)));
            }
            return Ok(number);
        }
        self.skip(word.len());
        let digits = word.trim_end_matches(['u', 'U', 'l', 'L']);
        let number = number_of_c(word).or_else(|why| number_of_c(digits).map_err(|_| why))?;
        Ok(Node::Number(number.into(), type_of(number, word)))
    }

    /// `(*)[4]` of a type: how many stars, and the lengths; nothing is skipped if there is no such thing.
    fn array_in_type(&mut self) -> Option<(usize, Vec<u64>)> {
        let before = (self.rest, self.is_behind_blank);
        let (mut stars, mut lengths) = (0, Vec::new());
        let is_pointer = self.takes("(");
        while is_pointer && self.takes("*") {
            stars += 1;
        }
        let mut is_whole = stars > 0 && self.takes(")");
        while is_whole && self.takes("[") {
            let length = number_of_c(self.word()).ok();
            is_whole = length.is_some() && self.takes("]");
            lengths.extend(length);
        }
        if is_whole && !lengths.is_empty() {
            return Some((stars, lengths));
        }
        (self.rest, self.is_behind_blank) = before;
        None
    }

    /// A type and the bracket behind it, if that is what follows.
    fn type_in_brackets(&mut self, close: &str) -> Result<Option<TypeName>, String> {
        let before = (self.rest, self.is_behind_blank);
        let mut words: Vec<String> = Vec::new();
        loop {
            let word = self.plain_name();
            if word.is_empty() {
                break;
            }
            if !matches!(word.as_str(), "const" | "volatile") {
                words.push(word);
            }
        }
        let mut stars = 0;
        while self.takes("*") {
            stars += 1;
            while ["const", "volatile", "restrict"].iter().any(|word| self.takes(word)) {}
        }
        let is_known = words.first().is_some_and(|first| TYPE_WORDS.contains(&first.as_str()));
        let (array_stars, lengths) = self.array_in_type().unwrap_or_default();
        let is_closed = self.takes(close);
        // `(a) b` and `(a *)` are nothing else.
        let begins_value =
            self.rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '(' | '\''));
        let is_named = words.len() == 1
            && words[0].starts_with(|c: char| c.is_alphabetic() || c == '_')
            && (stars > 0 || array_stars > 0 || begins_value && !self.rest.starts_with("in "));
        if !words.is_empty() && is_closed && (is_known || is_named) {
            return Ok(Some(TypeName { name: canonical(&words), stars, lengths, array_stars }));
        }
        if is_known {
            return Err(format!("`{}` is no type that is known here: names and stars", before.0));
        }
        (self.rest, self.is_behind_blank) = before;
        Ok(None)
    }
}
