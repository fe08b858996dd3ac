//! Values as text, as C writes them: `{x = 1, y = -3}`.

use super::cpp_values::{self, Holds};
use super::dies::{At, Dies, Language};
use super::numbers::wrapped;
use super::types::{Kind, Member, Number, Shape, Type};
use super::value::{Held, ReadMemory, Value};
use super::{quad, rust_values};
use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;

/// Elements of an array that are shown, and letters of a string.
const MAX_ELEMENTS: u64 = 200;
/// Elements that are the same one behind the other, as many as which are shown one by one; more of them are told of by their number.
const MAX_ALIKE: u64 = 10;
/// Bytes of an array that are compared for that.
const MAX_COMPARED_BYTES: u64 = 1 << 26;
/// Bytes that are read at once for that.
const PIECE_BYTES: u64 = 4096;
/// Structures in structures.
const MAX_DEPTH: usize = 12;
/// Values that one text is made of: arrays of arrays of arrays grow.
const MAX_VALUES: usize = 2000;

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Hexadecimal.
    Hex,
    /// Decimal with a sign.
    Decimal,
    /// Decimal without a sign.
    Unsigned,
    /// Octal.
    Octal,
    /// Binary.
    Binary,
    /// A letter.
    Character,
    /// An address, with its symbol.
    Address,
    /// Letters as a text.
    Text,
    /// Floating point.
    Float,
}

/// What a text is made with.
pub struct Look<'a> {
    /// Reads memory.
    pub read: ReadMemory<'a>,
    /// The symbol at an address.
    pub symbol: &'a dyn Fn(u64) -> Option<String>,
    /// How numbers are written, if not by their types.
    pub format: Option<Format>,
}

impl Value {
    /// Its text. What is not there is said to be so at its place.
    pub fn text(&self, look: &Look<'_>) -> Result<String, String> {
        if let Held::Memory(address) = self.held
            && let Some(size) = self.type_.size().filter(|&size| size > 0)
        {
            // Where it begins, and not where its first letter or number is, tells whether it is there at all.
            let mut first = [0];
            (look.read)(self.whose, address, &mut first[..usize::from(size > 0)])?;
        }
        Ok(Writer { look, left: Cell::new(MAX_VALUES) }.value(self, MAX_DEPTH))
    }
}

struct Writer<'a> {
    look: &'a Look<'a>,
    /// Values that may still be written.
    left: Cell<usize>,
}

impl Writer<'_> {
    fn value(&self, value: &Value, depth: usize) -> String {
        if depth == 0 || self.left.get() == 0 {
            return "…".to_owned();
        }
        self.left.set(self.left.get() - 1);
        if let Held::Lost(why) = value.held {
            return format!("<{why}>");
        }
        let text = match value.type_.shape() {
            Shape::Void => Ok("void".to_owned()),
            Shape::Number(number) => self.number(value, number),
            Shape::Register => self.register(value),
            Shape::Pointer(to) => self.pointer(value, &to, depth),
            Shape::Reference(_) => {
                value.clone().referred(self.look.read).map(|value| self.value(&value, depth - 1))
            }
            Shape::Enumeration(dies, at) => self.enumerator(value, &dies, at),
            Shape::Array(element, length) => self.array(value, &element, length, depth),
            Shape::Record(dies, at) => self.record(value, &dies, at, depth),
            Shape::Function => value.address().map(|address| self.address(address)),
            Shape::Unknown(bytes) => self.unknown(value, bytes),
        };
        text.unwrap_or_else(|why| format!("<{}>", why.strip_prefix("it is ").unwrap_or(&why)))
    }

    /// An address, and its symbol.
    fn address(&self, address: u64) -> String {
        match (self.look.symbol)(address) {
            Some(name) => format!("{address:#x} <{name}>"),
            None => format!("{address:#x}"),
        }
    }

    fn bits(&self, value: &Value, bytes: u64) -> Result<u128, String> {
        let count = usize::try_from(bytes.min(16)).unwrap_or(16);
        let bytes = value.bytes(count, self.look.read)?;
        Ok(bytes.iter().rev().fold(0, |word, &byte| word << 8 | u128::from(byte)))
    }

    fn number(&self, value: &Value, number: Number) -> Result<String, String> {
        if let Kind::Complex = number.kind {
            let half = number.bytes / 2;
            let bytes = value.bytes(usize::try_from(number.bytes).unwrap_or(0), self.look.read)?;
            let part = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u128::from(byte));
            let (real, imaginary) = bytes.split_at(bytes.len() / 2);
            let (real, imaginary) = (quad::text(part(real), half), quad::text(part(imaginary), half));
            return Ok(match imaginary.strip_prefix('-') {
                Some(imaginary) => format!("{real} - {imaginary}i"),
                None => format!("{real} + {imaginary}i"),
            });
        }
        let bits = self.bits(value, number.bytes)?;
        if let Some(format) = self.look.format.filter(|&format| format != Format::Text) {
            return Ok(self.formatted(bits, number, format));
        }
        let signed = wrapped(bits.cast_signed(), number);
        Ok(match number.kind {
            Kind::Float => quad::text(bits, number.bytes),
            Kind::Truth if bits < 2 => (bits == 1).to_string(),
            Kind::Unicode => match u32::try_from(bits).ok().and_then(char::from_u32) {
                Some(letter) if number.bytes == 4 => format!("{letter:?}"),
                _ => bits.to_string(),
            },
            Kind::Letter { .. } | Kind::Byte if number.bytes == 1 => {
                format!("{signed} '{}'", letters(&[u8::try_from(bits).unwrap_or(0)], '\''))
            }
            // Sixteen bytes without a sign are held as if they had one.
            _ if number.is_signed() => signed.to_string(),
            _ => bits.to_string(),
        })
    }

    fn formatted(&self, bits: u128, number: Number, format: Format) -> String {
        let is_float = number.kind == Kind::Float;
        let bits = match format {
            // Of a fraction the whole part is the letter or the address; else its bits are shown, as in gdb.
            Format::Character | Format::Address if is_float => {
                #[allow(clippy::cast_possible_truncation)] // towards zero, as C does it
                let whole = quad::to_f64(bits, number.bytes) as i128;
                let number = Number { kind: Kind::Signed, ..number };
                wrapped(whole, number).cast_unsigned() & (u128::MAX >> (128 - 8 * number.bytes.min(16)))
            }
            _ => bits,
        };
        let signed = |bytes| wrapped(bits.cast_signed(), Number { kind: Kind::Signed, bytes });
        match format {
            Format::Hex => format!("{bits:#x}"),
            Format::Decimal => signed(number.bytes).to_string(),
            Format::Unsigned | Format::Text => bits.to_string(),
            Format::Octal if bits == 0 => "0".to_owned(),
            Format::Octal => format!("0{bits:o}"),
            Format::Binary => format!("{bits:b}"),
            Format::Character => {
                #[allow(clippy::cast_possible_truncation)] // the lowest byte is the letter
                let letter = bits as u8;
                format!("{} '{}'", signed(1), letters(&[letter], '\''))
            }
            Format::Address => self.address(super::numbers::low_word(bits.cast_signed())),
            Format::Float if matches!(number.bytes, 4 | 8 | 16) => quad::text(bits, number.bytes),
            Format::Float => signed(number.bytes).to_string(),
        }
    }

    fn register(&self, value: &Value) -> Result<String, String> {
        let word = value.word(self.look.read)?;
        Ok(match self.look.format {
            Some(format) => self.formatted(word.into(), Number::WORD, format),
            None => format!("{word:#x} ({})", word.cast_signed()),
        })
    }

    /// Bytes of which only their number is known.
    fn unknown(&self, value: &Value, bytes: u64) -> Result<String, String> {
        // Code, of which not even that is known.
        if bytes == 0 {
            return value.address().map(|address| self.address(address));
        }
        if matches!(bytes, 1 | 2 | 4 | 8 | 16) {
            let bits = self.bits(value, bytes)?;
            let number = Number { bytes, ..Number::WORD };
            return Ok(self.formatted(bits, number, self.look.format.unwrap_or(Format::Hex)));
        }
        let shown = usize::try_from(bytes.min(16)).unwrap_or(0);
        let held = value.bytes(shown, self.look.read)?;
        let held: Vec<String> = held.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = if bytes > 16 { " …" } else { "" };
        Ok(format!("[{}{more}]", held.join(" ")))
    }

    /// An address; if letters are there, these too; if a symbol has it, its name.
    fn pointer(&self, value: &Value, to: &Type, depth: usize) -> Result<String, String> {
        if let Held::PointsTo(value) = &value.held {
            return Ok(format!("-> {}", self.value(value, depth - 1)));
        }
        let address = value.word(self.look.read)?;
        match self.look.format {
            Some(Format::Text) | None => {}
            Some(format) => return Ok(self.formatted(address.into(), Number::WORD, format)),
        }
        if !(to.is_letter() || self.look.format == Some(Format::Text) && to.size() == Some(1)) {
            return Ok(if address == 0 { "0x0".to_owned() } else { self.address(address) });
        }
        let mut text = format!("{address:#x}");
        if address == 0 {
            return Ok(text);
        }
        let (mut bytes, mut is_whole) = (Vec::new(), false);
        for offset in 0..MAX_ELEMENTS {
            let mut byte = [0];
            if (self.look.read)(value.whose, address.wrapping_add(offset), &mut byte).is_err() {
                break;
            }
            is_whole = byte[0] == 0;
            if is_whole {
                break;
            }
            bytes.push(byte[0]);
        }
        if is_whole || !bytes.is_empty() {
            let more = if is_whole { "" } else { "…" };
            // Writing to a String can't fail.
            let _ = write!(text, " \"{}\"{more}", letters(&bytes, '"'));
        }
        Ok(text)
    }

    /// A name; of a set of flags those that it has, with `|`.
    fn enumerator(&self, value: &Value, dies: &Rc<Dies>, at: At) -> Result<String, String> {
        let number = Type::number_of(dies, at);
        let bits = self.bits(value, number.bytes)?;
        if let Some(format) = self.look.format.filter(|&format| format != Format::Text) {
            return Ok(self.formatted(bits, number, format));
        }
        let signed = wrapped(bits.cast_signed(), number);
        let names = dies.enumerators(at);
        let is_it = |value: i128| wrapped(value, number) == signed;
        if let Some((name, _)) = names.iter().find(|(_, value)| is_it(*value)) {
            return Ok(name.clone());
        }
        let flags: Vec<(&str, u128)> = names
            .iter()
            .map(|(name, value)| (name.as_str(), wrapped(*value, number).cast_unsigned()))
            .collect();
        let mut all = 0u128;
        let are_flags = flags.iter().all(|(_, flag)| {
            let is_apart = all & flag == 0;
            all |= flag;
            is_apart
        });
        let bits = signed.cast_unsigned();
        if !are_flags || bits & all == 0 {
            return Ok(signed.to_string());
        }
        let mut set: Vec<String> = flags
            .iter()
            .filter(|(_, flag)| *flag != 0 && bits & flag == *flag)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let known =
            flags.iter().filter(|(_, flag)| bits & flag == *flag).fold(0, |all, (_, flag)| all | flag);
        if bits & !known != 0 {
            set.push(format!("{:#x}", bits & !known));
        }
        Ok(format!("({})", set.join(" | ")))
    }

    fn array(
        &self,
        value: &Value,
        element: &Type,
        length: Option<u64>,
        depth: usize,
    ) -> Result<String, String> {
        let Some(length) = length else { return Ok("{…}".to_owned()) };
        let is_text =
            element.is_letter() || self.look.format == Some(Format::Text) && element.size() == Some(1);
        if is_text && matches!(self.look.format, None | Some(Format::Text)) {
            return self.letters(value, length);
        }
        let (mut texts, mut index, mut counted) = (Vec::new(), 0, 0);
        while index < length && counted < MAX_ELEMENTS && self.left.get() > 0 {
            let text = self.value(&value.element(index.into(), self.look.read)?, depth - 1);
            let alike = self.alike(value, element, index, length);
            if alike > MAX_ALIKE {
                texts.push(format!("{text} <repeats {alike} times>"));
                (index, counted) = (index + alike, counted + MAX_ALIKE);
            } else {
                texts.push(text);
                (index, counted) = (index + 1, counted + 1);
            }
        }
        if index < length {
            texts.push(format!("… {} more", length - index));
        }
        Ok(format!("{{{}}}", texts.join(", ")))
    }

    /// How many elements from one on are the same, bit by bit.
    fn alike(&self, array: &Value, element: &Type, index: u64, length: u64) -> u64 {
        let Some(size) = element.size().filter(|&size| size > 0) else { return 1 };
        let count = |from: u64, count: u64| {
            let first = array.element(from.into(), self.look.read).ok()?;
            let bytes = usize::try_from(size.checked_mul(count)?).ok()?;
            first.bytes(bytes, self.look.read).ok()
        };
        let Some(of_first) = count(index, 1) else { return 1 };
        let most = (length - index).min(MAX_COMPARED_BYTES / size);
        let mut alike = 1;
        while alike < most {
            // Many at once: an array may have millions.
            let many = (PIECE_BYTES / size).clamp(1, most - alike);
            let piece = count(index + alike, many).or_else(|| count(index + alike, 1));
            let Some(piece) = piece else { break };
            let same = piece.chunks(of_first.len()).take_while(|element| **element == of_first[..]).count();
            alike += same as u64;
            if same * of_first.len() < piece.len() {
                break;
            }
        }
        alike
    }

    /// An array of letters, without the zeros at its end.
    fn letters(&self, value: &Value, length: u64) -> Result<String, String> {
        let shown = usize::try_from(length.min(MAX_ELEMENTS)).unwrap_or(0);
        let bytes = value.bytes(shown, self.look.read)?;
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let more = if length > MAX_ELEMENTS { "…" } else { "" };
        let end = if more.is_empty() { end } else { bytes.len() };
        Ok(format!("\"{}\"{more}", letters(&bytes[..end], '"')))
    }

    /// What a value of C++'s library holds.
    fn held(&self, holds: Holds, depth: usize) -> String {
        let (texts, count) = match holds {
            Holds::Nothing => return "<no value>".to_owned(),
            Holds::One(value, more) => return self.value(&value, depth - 1) + &more,
            Holds::Elements(values, count) => {
                (values.iter().map(|value| self.value(value, depth - 1)).collect::<Vec<_>>(), count)
            }
            Holds::Pairs(values, count) => {
                let part = |pair: &Value, name| match pair.plain_member(name, self.look.read) {
                    Ok(value) => self.value(&value, depth - 1),
                    Err(why) => format!("<{why}>"),
                };
                let text = |pair: &Value| format!("[{}] = {}", part(pair, "first"), part(pair, "second"));
                (values.iter().map(text).collect(), count)
            }
        };
        let more = count.saturating_sub(texts.len() as u64);
        let alike = texts.chunk_by(|a, b| a == b).flat_map(|alike| match alike.len() {
            count if count as u64 > MAX_ALIKE => vec![format!("{} <repeats {count} times>", alike[0])],
            _ => alike.to_vec(),
        });
        let more = (more > 0).then(|| format!("… {more} more"));
        format!("{{{}}}", alike.chain(more).collect::<Vec<_>>().join(", "))
    }

    fn record(&self, value: &Value, dies: &Rc<Dies>, at: At, depth: usize) -> Result<String, String> {
        let read = self.look.read;
        if let Some(elements) = value.sequence(dies, at, read)? {
            let length = match &elements.type_ {
                Type::Array(_, length) => length.unwrap_or(0),
                _ => 0,
            };
            if rust_values::is_text(dies, at) || cpp_values::is_text(dies, at) {
                let shown = usize::try_from(length.min(MAX_ELEMENTS)).unwrap_or(0);
                let more = if length > MAX_ELEMENTS { "…" } else { "" };
                return Ok(format!("\"{}\"{more}", letters(&elements.bytes(shown, read)?, '"')));
            }
            return Ok(self.value(&elements, depth - 1));
        }
        if let Some(variant) = rust_values::variant(value, dies, at, read)? {
            let name = variant.name.clone().unwrap_or_default();
            let inner = self.value(&value.taken(&variant, read)?, depth - 1);
            return Ok(if inner == "{}" { name } else { format!("{name}{}", inner_of_variant(&inner)) });
        }
        if let Some(holds) = cpp_values::holds(value, dies, at, MAX_ELEMENTS, read) {
            return Ok(self.held(holds, depth));
        }
        // What has no members is derived from for its functions.
        let is_empty_base = |member: &Member| member.is_base && is_empty(&member.type_, MAX_DEPTH);
        let mut members = dies.members(at);
        members.retain(|member| !is_empty_base(member));
        let is_tuple = dies.language(at.unit) == Language::Rust
            && !members.is_empty()
            && members.iter().all(|member| member.name.as_ref().is_some_and(|name| name.starts_with("__")));
        let member = |member: &Member| {
            let text = match value.taken(member, read) {
                Ok(value) => self.value(&value, depth - 1),
                Err(why) => format!("<{why}>"),
            };
            match &member.name {
                Some(name) if !is_tuple && !member.is_base => format!("{name} = {text}"),
                _ if member.is_base => format!("<{}> = {text}", member.type_),
                _ => text,
            }
        };
        let texts: Vec<String> = members.iter().map(member).collect();
        Ok(if is_tuple { format!("({})", texts.join(", ")) } else { format!("{{{}}}", texts.join(", ")) })
    }
}

/// Whether a structure has no members, nor any of those that it derives from.
fn is_empty(type_: &Type, left: usize) -> bool {
    let Shape::Record(dies, at) = type_.shape() else { return false };
    left > 0 && dies.members(at).iter().all(|member| member.is_base && is_empty(&member.type_, left - 1))
}

/// What stands behind the name of a variant: a tuple at once, members behind a space.
fn inner_of_variant(inner: &str) -> String {
    if inner.starts_with('(') { inner.to_owned() } else { format!(" {inner}") }
}

/// Bytes as a text of C's has them between quotes: UTF-8 as it is, what is no letter as an escape.
pub fn letters(bytes: &[u8], quote: char) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                '\\' => text.push_str("\\\\"),
                _ if letter == quote => {
                    text.push('\\');
                    text.push(letter);
                }
                // Writing to a String can't fail.
                _ if letter.is_ascii_control() => drop(write!(text, "\\{:03o}", u32::from(letter))),
                _ if letter.is_control() => text.extend(letter.escape_unicode()),
                _ => text.push(letter),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\{byte:03o}");
        }
    }
    text
}
