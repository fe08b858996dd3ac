//! Values with their types: a place in memory, or bytes; members, elements and what pointers point to.
//!
//! Nothing is read before it is asked for: a value in memory is its address until somebody wants its number or its text.

use super::dies::{At, Dies};
use super::quad_arithmetic::Quad;
use super::types::{Member, Number, Shape, Type};
use std::ops::Range;
use std::rc::Rc;

/// The process that memory is meant in, if it is not the one that is looked at.
pub type Whose = Option<u64>;

/// Reads memory of a process; the error says why there is none.
pub type ReadMemory<'a> = &'a dyn Fn(Whose, u64, &mut [u8]) -> Result<(), String>;

/// Structures without a name in structures, and what they derive from.
const MAX_NESTED: usize = 8;

/// Parts of a value that are compared one by one.
const MAX_PARTS: u64 = 4096;

/// What holds a value.
#[derive(Clone)]
pub enum Held {
    /// Memory, from this address on.
    Memory(u64),
    /// These bytes, which are in no memory; `None` where the compiler has not kept one.
    Bytes(Vec<Option<u8>>),
    /// A field of bits, as the number that it is.
    Field(Bits, Vec<Option<u8>>),
    /// A pointer that is in no memory and no register, to something that is.
    PointsTo(Box<Value>),
    /// Nothing: the reason, in two words.
    Lost(&'static str),
}

/// Where a field of bits is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bits {
    /// The first byte that holds some of it.
    pub address: u64,
    /// How many bits it has.
    pub count: u64,
    /// How far it is above the lowest bit of that byte.
    pub above: u64,
}

impl Bits {
    /// The bytes that hold it.
    pub fn bytes(self) -> Range<u64> {
        self.address..self.address.saturating_add((self.above + self.count).div_ceil(8))
    }
}

/// A value, and what it is.
#[derive(Clone)]
pub struct Value {
    /// Its type.
    pub type_: Type,
    /// Where it is.
    pub held: Held,
    /// In whose memory.
    pub whose: Whose,
}

/// A value that the compiler has not kept.
pub(super) const OPTIMIZED_OUT: &str = "optimized out";

impl Value {
    /// A place in memory.
    pub fn place(type_: Type, address: u64, whose: Whose) -> Self {
        Self { type_, held: Held::Memory(address), whose }
    }

    /// A number of a type; what does not fit is cut off.
    pub fn number(value: i128, number: Number) -> Self {
        Self::of_bytes(Type::Number(number), &value.to_le_bytes(), number.bytes)
    }

    /// A floating-point number.
    pub fn float(value: f64, bytes: u64) -> Self {
        #[allow(clippy::cast_possible_truncation)] // a `float` is what was asked for
        let single = value as f32;
        let bits = if bytes == 4 { u64::from(single.to_bits()) } else { value.to_bits() };
        let bytes = if bytes == 4 { 4 } else { 8 };
        let number = Number { bytes, ..Number::DOUBLE };
        Self::of_bytes(Type::Number(number), &bits.to_le_bytes(), bytes)
    }

    /// A `long double`.
    pub(super) fn quad(value: Quad) -> Self {
        Self::of_bytes(Type::Number(Number::LONG_DOUBLE), &value.0.to_le_bytes(), 16)
    }

    /// A `long double` as it is written down: digits, and a power of ten.
    pub fn long_double(digits: u128, exponent: i32) -> Option<Self> {
        Quad::of_decimal(digits, exponent).map(Self::quad)
    }

    /// A pointer.
    pub fn pointer(to: Type, address: u64, whose: Whose) -> Self {
        Self { whose, ..Self::of_bytes(to.pointer_to(), &address.to_le_bytes(), 8) }
    }

    /// What a register of the machine holds.
    pub fn register(value: u64) -> Self {
        Self::of_bytes(Type::Register, &value.to_le_bytes(), 8)
    }

    /// What a floating-point register holds: a `float` if it is boxed as one (unprivileged manual, "NaN Boxing of Narrower Values"), else
    /// a `double`.
    pub fn float_register(bits: u64) -> Self {
        let bytes = if bits >> 32 == u64::from(u32::MAX) { 4 } else { 8 };
        Self::of_bytes(Type::Number(Number { bytes, ..Number::DOUBLE }), &bits.to_le_bytes(), bytes)
    }

    /// The first `count` of these bytes.
    pub fn of_bytes(type_: Type, bytes: &[u8], count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(0).min(bytes.len());
        Self { type_, held: Held::Bytes(bytes[..count].iter().copied().map(Some).collect()), whose: None }
    }

    /// Where it is in memory; the error says why it has no address.
    pub fn address(&self) -> Result<u64, String> {
        match &self.held {
            Held::Memory(address) => Ok(*address),
            Held::Field(..) => Err("it has no address: it is a field of bits".to_owned()),
            Held::Bytes(_) | Held::PointsTo(_) => {
                Err("it has no address: it is in a register, or calculated".to_owned())
            }
            Held::Lost(why) => Err(format!("it is {why}")),
        }
    }

    /// Its bytes, as many as its type has; `None` for each that is not kept.
    pub(super) fn kept_bytes(&self, count: usize, read: ReadMemory<'_>) -> Result<Vec<Option<u8>>, String> {
        match &self.held {
            Held::Memory(address) => {
                let mut bytes = vec![0; count];
                read(self.whose, *address, &mut bytes)?;
                Ok(bytes.into_iter().map(Some).collect())
            }
            Held::Bytes(bytes) | Held::Field(_, bytes) => {
                Ok(bytes.iter().copied().chain(std::iter::repeat(None)).take(count).collect())
            }
            Held::PointsTo(_) | Held::Lost(_) => Ok(vec![None; count]),
        }
    }

    /// All its bytes; the error says why there are none.
    pub(super) fn bytes(&self, count: usize, read: ReadMemory<'_>) -> Result<Vec<u8>, String> {
        let why = match self.held {
            Held::Lost(why) => why,
            _ => OPTIMIZED_OUT,
        };
        let bytes: Option<Vec<u8>> = self.kept_bytes(count, read)?.into_iter().collect();
        bytes.ok_or_else(|| format!("it is {why}"))
    }

    /// The address that a pointer holds.
    pub(super) fn word(&self, read: ReadMemory<'_>) -> Result<u64, String> {
        let bytes = self.bytes(8, read)?;
        Ok(bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)))
    }

    /// The part that lies so many bytes behind its beginning.
    fn part(&self, type_: Type, offset_bytes: u64) -> Self {
        let held = match &self.held {
            Held::Memory(address) => Held::Memory(address.wrapping_add(offset_bytes)),
            Held::Bytes(bytes) => {
                let rest = usize::try_from(offset_bytes).ok().and_then(|offset| bytes.get(offset..));
                Held::Bytes(rest.unwrap_or_default().to_vec())
            }
            other => other.clone(),
        };
        Self { type_, held, whose: self.whose }
    }

    /// What lies so many bytes behind it.
    pub(super) fn behind_by(&self, offset_bytes: u64) -> Self {
        self.part(self.type_.clone(), offset_bytes)
    }

    /// What a reference refers to; itself if it is none.
    pub fn referred(self, read: ReadMemory<'_>) -> Result<Self, String> {
        match self.type_.shape() {
            Shape::Reference(to) => self.pointee(to, read),
            _ => Ok(self),
        }
    }

    fn pointee(&self, to: Type, read: ReadMemory<'_>) -> Result<Self, String> {
        if let Held::PointsTo(value) = &self.held {
            return Ok(Self { type_: to, ..(**value).clone() });
        }
        Ok(Self::place(to, self.word(read)?, self.whose))
    }

    /// What a pointer points to. A number is the address of eight bytes.
    pub fn behind(&self, read: ReadMemory<'_>) -> Result<Self, String> {
        match self.type_.shape() {
            Shape::Pointer(to) => self.pointee(to, read),
            Shape::Reference(to) => self.pointee(to, read)?.behind(read),
            Shape::Array(element, _) => Ok(self.part(element, 0)),
            Shape::Function | Shape::Unknown(0) => Ok(self.clone()),
            Shape::Register | Shape::Unknown(8) => {
                Ok(Self::place(Type::Unknown(8), self.word(read)?, self.whose))
            }
            // A number that is written down, and no variable.
            Shape::Number(_) if matches!(self.type_, Type::Number(_)) => {
                let number = self.scalar(read)?.integer()?;
                Ok(Self::place(Type::Unknown(8), super::numbers::low_word(number), self.whose))
            }
            _ => match self.owned(read)? {
                Some(owned) => Ok(owned),
                None => Err(format!("{} is no pointer", self.type_)),
            },
        }
    }

    /// A member by its name: of the structure, of one without a name in it, or of what it derives from.
    pub fn member(&self, name: &str, read: ReadMemory<'_>) -> Result<Self, String> {
        let of = self.clone().referred(read)?;
        let Shape::Record(dies, at) = of.type_.shape() else {
            return Err(match of.type_.shape() {
                Shape::Pointer(_) => format!("{} is a pointer: `->{name}`", of.type_),
                _ => format!("{} is no structure", of.type_),
            });
        };
        if let Some(found) = of.member_within(&dies, at, name, read, MAX_NESTED)? {
            return Ok(found);
        }
        let mut names = Vec::new();
        collect_names(&dies, at, &mut names, MAX_NESTED);
        let has = match names.as_slice() {
            [] => "no members are known of it".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        Err(format!("{} has no member `{name}` ({has})", of.type_))
    }

    /// The name of a variable that the class has once for all its objects, or what it derives from: `Counter::total`.
    pub fn static_member(&self, name: &str, read: ReadMemory<'_>) -> Option<String> {
        let of = self.clone().referred(read).ok()?;
        let Shape::Record(dies, at) = of.type_.shape() else { return None };
        static_within(&dies, at, name, MAX_NESTED)
    }

    /// The names of its members; none if it is no structure.
    pub fn member_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Shape::Record(dies, at) = self.type_.shape() {
            collect_names(&dies, at, &mut names, MAX_NESTED);
        }
        names
    }

    /// A member by its name, of what is no reference.
    pub(super) fn plain_member(&self, name: &str, read: ReadMemory<'_>) -> Result<Self, String> {
        let Shape::Record(dies, at) = self.type_.shape() else {
            return Err(format!("{} is no structure", self.type_));
        };
        let found = self.member_within(&dies, at, name, read, MAX_NESTED)?;
        found.ok_or_else(|| format!("{} has no member `{name}`", self.type_))
    }

    /// The elements of a structure that stands for a list of them or for a text, as an array.
    pub(super) fn sequence(
        &self,
        dies: &Rc<Dies>,
        record: At,
        read: ReadMemory<'_>,
    ) -> Result<Option<Self>, String> {
        match super::rust_values::sequence(self, dies, record, read)? {
            None => super::cpp_values::sequence(self, dies, record, read),
            elements => Ok(elements),
        }
    }

    fn member_within(
        &self,
        dies: &Rc<Dies>,
        record: At,
        name: &str,
        read: ReadMemory<'_>,
        left: usize,
    ) -> Result<Option<Self>, String> {
        let members = dies.members(record);
        // The parts of a tuple of Rust's are called `__0`, `__1`.
        let is_it = |member: &&Member| match &member.name {
            Some(own) => own == name || own.strip_prefix("__") == Some(name),
            None => false,
        };
        if let Some(member) = members.iter().find(is_it) {
            return self.taken(member, read).map(Some);
        }
        if let Some(variant) = super::rust_values::variant(self, dies, record, read)?
            && left > 0
        {
            let part = self.taken(&variant, read)?;
            if variant.name.as_deref() == Some(name) {
                return Ok(Some(part));
            }
            if let Shape::Record(dies, at) = part.type_.shape() {
                return part.member_within(&dies, at, name, read, left - 1);
            }
        }
        for member in members.iter().filter(|member| left > 0 && (member.name.is_none() || member.is_base)) {
            if let Shape::Record(dies, at) = member.type_.shape() {
                let part = self.taken(member, read)?;
                if let Some(found) = part.member_within(&dies, at, name, read, left - 1)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// A member of the structure that it is.
    pub(super) fn taken(&self, member: &Member, read: ReadMemory<'_>) -> Result<Self, String> {
        match member.bits {
            Some(bits) => self.field(member, bits, read),
            None => match member.offset_bytes {
                Some(offset_bytes) => Ok(self.part(member.type_.clone(), offset_bytes)),
                None => Ok(Self {
                    type_: member.type_.clone(),
                    held: Held::Lost("at a place that is not told"),
                    whose: self.whose,
                }),
            },
        }
    }

    /// A field of bits, as wide as its type.
    fn field(&self, member: &Member, bits: (u64, u64), read: ReadMemory<'_>) -> Result<Self, String> {
        let number = match member.type_.shape() {
            Shape::Number(number) => number,
            Shape::Enumeration(dies, at) => Type::number_of(&dies, at),
            _ => return Err("it is a field of bits, and no number".to_owned()),
        };
        let (count, above) = bits;
        if !(1..=64).contains(&count) {
            return Err("it is a field of more bits than a number has".to_owned());
        }
        let len = usize::try_from((above % 8 + count).div_ceil(8)).unwrap_or(0);
        let place = self.part(Type::Void, above / 8);
        let bytes = place.kept_bytes(len, read)?;
        let Some(bytes) = bytes.into_iter().collect::<Option<Vec<u8>>>() else {
            return Ok(Self {
                type_: member.type_.clone(),
                held: Held::Lost(OPTIMIZED_OUT),
                whose: self.whose,
            });
        };
        let value = field_of(&bytes, above % 8, count, number);
        let held = match (place.held, Self::number(value, number).held) {
            (Held::Memory(address), Held::Bytes(bytes)) => {
                Held::Field(Bits { address, count, above: above % 8 }, bytes)
            }
            (_, held) => held,
        };
        Ok(Self { type_: member.type_.clone(), held, whose: self.whose })
    }

    /// A field of bits, where the bytes that hold it are these.
    pub fn of_bits(type_: &Type, bits: Bits, bytes: &[u8]) -> Self {
        let number = match type_.shape() {
            Shape::Number(number) => number,
            Shape::Enumeration(dies, at) => Type::number_of(&dies, at),
            _ => Number::WORD,
        };
        let value = Self::number(field_of(bytes, bits.above, bits.count, number), number);
        Self { type_: type_.clone(), ..value }
    }

    /// An element of an array, or what is so far from where a pointer points. What lies behind an array's end is what a program finds
    /// there that goes too far.
    pub fn element(&self, index: i128, read: ReadMemory<'_>) -> Result<Self, String> {
        let of = self.clone().referred(read)?;
        if let Shape::Record(dies, at) = of.type_.shape()
            && let Some(elements) = of.sequence(&dies, at, read)?
        {
            return elements.element(index, read);
        }
        if let Some(element) = of.element_of_library(index, read)? {
            return Ok(element);
        }
        let (first, element) = match of.type_.shape() {
            Shape::Array(element, _) => (of.clone(), element),
            Shape::Pointer(to) => (of.behind(read)?, to),
            _ => return Err(format!("{} is no array", of.type_)),
        };
        let size = element.size().ok_or_else(|| format!("the size of {element} is not known"))?;
        let offset = super::numbers::low_word(index).wrapping_mul(size);
        Ok(first.part(element, offset))
    }

    /// The part of a value that is held otherwise in other bytes: its name behind the value's (`[3].count`), what it was and what it is;
    /// nothing if it has no parts, or if parts far from one another differ.
    pub fn changed(&self, now: &Self) -> Option<(String, Self, Self)> {
        let read = &|_, _, _: &mut [u8]| Err(String::new());
        let (mut was, mut now, mut path) = (self.clone(), now.clone(), String::new());
        loop {
            let parts = was.parts();
            let mut differing = parts.into_iter().filter_map(|(name, offset, type_)| {
                let size = usize::try_from(type_.size()?).ok()?;
                let (was, now) = (was.part(type_.clone(), offset), now.part(type_, offset));
                let is_other = was.bytes(size, read).ok()? != now.bytes(size, read).ok()?;
                is_other.then_some((name, was, now))
            });
            match (differing.next(), differing.next()) {
                (Some((name, part_was, part_now)), None) => {
                    path.push_str(&name);
                    (was, now) = (part_was, part_now);
                }
                _ => break,
            }
        }
        (!path.is_empty()).then_some((path, was, now))
    }

    /// The elements or members, with their names, where they begin and their types.
    fn parts(&self) -> Vec<(String, u64, Type)> {
        match self.type_.shape() {
            Shape::Array(element, Some(length)) => {
                let size = element.size().unwrap_or(0);
                let part = |index: u64| (format!("[{index}]"), index.wrapping_mul(size), element.clone());
                (0..length.min(MAX_PARTS)).map(part).collect()
            }
            Shape::Record(dies, at) => {
                let members = dies.members(at).into_iter().filter(|member| member.bits.is_none());
                let part =
                    |member: Member| Some((format!(".{}", member.name?), member.offset_bytes?, member.type_));
                members.filter_map(part).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How many elements it has, if it is an array, or a structure that stands for one.
    pub fn length(&self, read: ReadMemory<'_>) -> Option<u64> {
        let of = self.clone().referred(read).ok()?;
        match of.type_.shape() {
            Shape::Array(_, length) => length,
            Shape::Record(dies, at) => of.sequence(&dies, at, read).ok()??.length(read),
            _ => None,
        }
    }

    /// A pointer to it.
    pub fn address_of(&self, read: ReadMemory<'_>) -> Result<Self, String> {
        let of = self.clone().referred(read)?;
        Ok(Self::pointer(of.type_.clone(), of.address()?, of.whose))
    }
}

/// So many bits of bytes, as a number.
fn field_of(bytes: &[u8], above: u64, count: u64, number: Number) -> i128 {
    let word = bytes.iter().rev().fold(0u128, |word, &byte| word << 8 | u128::from(byte));
    let unused = 128 - count;
    let word = word >> above << unused;
    if number.is_signed() { word.cast_signed() >> unused } else { (word >> unused).cast_signed() }
}

fn static_within(dies: &Rc<Dies>, record: At, name: &str, left: usize) -> Option<String> {
    if dies.has_static(record, name) {
        return Some(format!("{}::{name}", dies.name(record)?));
    }
    let bases = dies.members(record).into_iter().filter(|member| member.is_base && left > 0);
    bases.into_iter().find_map(|base| match base.type_.shape() {
        Shape::Record(dies, at) => static_within(&dies, at, name, left - 1),
        _ => None,
    })
}

fn collect_names(dies: &Rc<Dies>, record: At, names: &mut Vec<String>, left: usize) {
    /// Names that are told.
    const MOST: usize = 40;
    for member in dies.members(record) {
        match (&member.name, member.type_.shape()) {
            (Some(name), _) if !member.is_base => names.push(name.clone()),
            (_, Shape::Record(dies, at)) if left > 0 => collect_names(&dies, at, names, left - 1),
            _ => {}
        }
        if names.len() >= MOST {
            return;
        }
    }
}
