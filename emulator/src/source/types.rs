//! Types: those of the debug information, and those that an expression makes of them.

use super::dies::{At, Dies, Language, expression};
use gimli::{AttributeValue, DwTag};
use std::rc::Rc;

/// Types in types: steps from a name to the type behind it, arrays of arrays, structures in structures.
pub(super) const MAX_DEPTH: usize = 32;

/// A type.
#[derive(Clone)]
pub enum Type {
    /// `void`: what is there has no size.
    Void,
    /// A number.
    Number(Number),
    /// A pointer to a type.
    Pointer(Rc<Type>),
    /// Elements, and how many if that is known.
    Array(Rc<Type>, Option<u64>),
    /// A register of the machine.
    Register,
    /// So many bytes of which nothing else is known.
    Unknown(u64),
    /// A type of the debug information.
    Entry(Rc<Dies>, At),
}

/// How the bits of a number are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// With a sign.
    Signed,
    /// Without a sign.
    Unsigned,
    /// A letter of C's, with a sign or not.
    Letter {
        /// Whether it has one.
        is_signed: bool,
    },
    /// `unsigned char`, which `char` is here, too, by its other name.
    Byte,
    /// `true` or `false`.
    Truth,
    /// IEEE 754.
    Float,
    /// Two of these: a real and an imaginary part.
    Complex,
    /// A letter of Unicode.
    Unicode,
}

/// A number's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number {
    /// How its bits are meant.
    pub kind: Kind,
    /// Its size.
    pub bytes: u64,
}

impl Number {
    /// C's `int`.
    pub const INT: Self = Self { kind: Kind::Signed, bytes: 4 };
    /// C's `long`.
    pub const LONG: Self = Self { kind: Kind::Signed, bytes: 8 };
    /// C's `unsigned long`.
    pub const WORD: Self = Self { kind: Kind::Unsigned, bytes: 8 };
    /// C's `char`, as RISC-V has it.
    pub const CHAR: Self = Self { kind: Kind::Letter { is_signed: false }, bytes: 1 };
    /// C's `double`.
    pub const DOUBLE: Self = Self { kind: Kind::Float, bytes: 8 };

    /// C's `long double`, as RISC-V has it.
    pub const LONG_DOUBLE: Self = Self { kind: Kind::Float, bytes: 16 };

    pub(super) fn is_signed(self) -> bool {
        matches!(self.kind, Kind::Signed | Kind::Letter { is_signed: true })
    }
    pub(super) fn is_letter(self) -> bool {
        matches!(self.kind, Kind::Letter { .. } | Kind::Byte) && self.bytes == 1
    }
    /// As C names it.
    pub(super) fn name(self) -> &'static str {
        match (self.kind, self.bytes) {
            (Kind::Letter { is_signed: true }, _) => "signed char",
            (Kind::Letter { .. }, _) => "char",
            (Kind::Byte, _) => "unsigned char",
            (Kind::Truth, _) => "bool",
            (Kind::Unicode, _) => "char32_t",
            (Kind::Float, 4) => "float",
            (Kind::Float, 8) => "double",
            (Kind::Float, _) => "long double",
            (Kind::Complex, _) => "complex double",
            (Kind::Signed, 1) => "signed char",
            (Kind::Signed, 2) => "short",
            (Kind::Signed, 4) => "int",
            (Kind::Signed, 8) => "long",
            (Kind::Signed, _) => "__int128",
            (Kind::Unsigned, 1) => "unsigned char",
            (Kind::Unsigned, 2) => "unsigned short",
            (Kind::Unsigned, 4) => "unsigned int",
            (Kind::Unsigned, 8) => "unsigned long",
            (Kind::Unsigned, _) => "unsigned __int128",
        }
    }
}

/// What a type is behind its names.
#[derive(Clone)]
pub(super) enum Shape {
    Void,
    Number(Number),
    Pointer(Type),
    /// A reference of C++'s: it stands for what it refers to.
    Reference(Type),
    Array(Type, Option<u64>),
    /// A structure, class or union.
    Record(Rc<Dies>, At),
    Enumeration(Rc<Dies>, At),
    Function,
    Register,
    Unknown(u64),
}

impl Type {
    /// The type that an entry has; `void` if it has none.
    pub(super) fn of(dies: &Rc<Dies>, at: At) -> Self {
        dies.type_of(at).map_or(Self::Void, |at| Self::Entry(Rc::clone(dies), at))
    }

    pub(super) fn pointer_to(self) -> Self {
        Self::Pointer(Rc::new(self))
    }

    /// Without names, `const` and the like; a structure that is only declared here as it is told of elsewhere.
    pub(super) fn bare(&self) -> Self {
        let Self::Entry(dies, mut at) = self.clone() else { return self.clone() };
        for _ in 0..MAX_DEPTH {
            let Some(tag) = dies.tag(at) else { return Self::Void };
            if !is_name(tag) {
                if dies.is_flag(at, gimli::DW_AT_declaration)
                    && let Some(complete) = complete(&dies, at, tag)
                {
                    return Self::Entry(dies, complete);
                }
                return Self::Entry(dies, at);
            }
            match dies.type_of(at) {
                Some(behind) => at = behind,
                None => return Self::Void,
            }
        }
        Self::Void
    }

    pub(super) fn shape(&self) -> Shape {
        let (dies, at) = match self.bare() {
            Self::Void => return Shape::Void,
            Self::Number(number) => return Shape::Number(number),
            Self::Pointer(to) => return Shape::Pointer((*to).clone()),
            Self::Array(element, length) => return Shape::Array((*element).clone(), length),
            Self::Register => return Shape::Register,
            Self::Unknown(bytes) => return Shape::Unknown(bytes),
            Self::Entry(dies, at) => (dies, at),
        };
        let bytes = dies.number(at, gimli::DW_AT_byte_size);
        match dies.tag(at) {
            Some(gimli::DW_TAG_base_type) => match number(&dies, at, bytes.unwrap_or(0)) {
                Some(number) => Shape::Number(number),
                None => Shape::Unknown(bytes.unwrap_or(0)),
            },
            Some(gimli::DW_TAG_pointer_type) => Shape::Pointer(Self::of(&dies, at)),
            Some(gimli::DW_TAG_reference_type | gimli::DW_TAG_rvalue_reference_type) => {
                Shape::Reference(Self::of(&dies, at))
            }
            Some(gimli::DW_TAG_array_type) => {
                let lengths = dies.lengths(at);
                let Some((&first, inner)) = lengths.split_first() else {
                    return Shape::Array(Self::of(&dies, at), None);
                };
                Shape::Array(nested(Self::of(&dies, at), inner), first)
            }
            Some(gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type) => {
                Shape::Record(dies, at)
            }
            Some(gimli::DW_TAG_enumeration_type) => Shape::Enumeration(dies, at),
            Some(gimli::DW_TAG_subroutine_type | gimli::DW_TAG_subprogram) => Shape::Function,
            Some(gimli::DW_TAG_unspecified_type) => Shape::Void,
            // A pointer to a member of a class: an offset, or a function and what is added to `this`.
            Some(gimli::DW_TAG_ptr_to_member_type) => match Self::of(&dies, at).shape() {
                Shape::Function => Shape::Unknown(16),
                _ => Shape::Unknown(8),
            },
            _ => Shape::Unknown(bytes.unwrap_or(0)),
        }
    }

    /// Whether it is the type of a variable: with `-g1` none is told.
    pub fn is_told(&self) -> bool {
        !matches!(self, Self::Void)
    }

    /// Bytes that a value takes.
    pub fn size(&self) -> Option<u64> {
        self.size_within(MAX_DEPTH)
    }

    fn size_within(&self, left: usize) -> Option<u64> {
        if left == 0 {
            return None;
        }
        match self.shape() {
            Shape::Number(number) => Some(number.bytes),
            Shape::Pointer(_) | Shape::Reference(_) | Shape::Register => Some(8),
            // An array whose length is not told takes no room of what it stands in.
            Shape::Array(element, length) => length.unwrap_or(0).checked_mul(element.size_within(left - 1)?),
            Shape::Record(dies, at) | Shape::Enumeration(dies, at) => dies.number(at, gimli::DW_AT_byte_size),
            Shape::Unknown(bytes) => Some(bytes),
            Shape::Void | Shape::Function => None,
        }
    }

    /// The size of a floating-point number of the machine's, or of those that it points to or is made of.
    pub fn float_bytes(&self) -> Option<u8> {
        let mut type_ = self.clone();
        for _ in 0..MAX_DEPTH {
            type_ = match type_.shape() {
                Shape::Number(Number { kind: Kind::Float, bytes: 4 }) => return Some(4),
                Shape::Number(Number { kind: Kind::Float, bytes: 8 }) => return Some(8),
                Shape::Pointer(of) | Shape::Reference(of) | Shape::Array(of, _) => of,
                _ => return None,
            };
        }
        None
    }

    /// Whether it is an array or a structure.
    pub fn has_parts(&self) -> bool {
        matches!(self.shape(), Shape::Array(..) | Shape::Record(..))
    }

    /// Whether it is nothing but a whole number.
    pub fn is_plain(&self) -> bool {
        match self.shape() {
            Shape::Number(number) => matches!(number.kind, Kind::Signed | Kind::Unsigned),
            Shape::Register | Shape::Unknown(_) => true,
            _ => false,
        }
    }

    /// Whether it is a floating-point number.
    pub fn is_float(&self) -> bool {
        matches!(self.shape(), Shape::Number(number) if matches!(number.kind, Kind::Float))
    }

    /// Whether an element of an array or what a pointer points to is a letter.
    pub(super) fn is_letter(&self) -> bool {
        matches!(self.shape(), Shape::Number(number) if number.is_letter())
    }

    /// The number that an enumeration is held as.
    pub(super) fn number_of(dies: &Rc<Dies>, enumeration: At) -> Number {
        let bytes = dies.number(enumeration, gimli::DW_AT_byte_size);
        let bytes = bytes.filter(|bytes| matches!(bytes, 1 | 2 | 4 | 8 | 16)).unwrap_or(4);
        match Self::of(dies, enumeration).shape() {
            Shape::Number(number) if number.kind != Kind::Float && number.kind != Kind::Complex => {
                Number { bytes, ..number }
            }
            _ => {
                let is_signed = dies.enumerators(enumeration).iter().any(|(_, value)| *value < 0);
                Number { kind: if is_signed { Kind::Signed } else { Kind::Unsigned }, bytes }
            }
        }
    }

    /// The same type with the lengths of its arrays as `length` tells them where they are no constants: right behind its names, or
    /// behind one pointer.
    pub(super) fn with_lengths(&self, length: &dyn Fn(At) -> Option<u64>) -> Self {
        let Self::Entry(dies, at) = self.bare() else { return self.clone() };
        match dies.tag(at) {
            Some(gimli::DW_TAG_pointer_type) => match Self::of(&dies, at).with_lengths(length) {
                array @ Self::Array(..) => array.pointer_to(),
                _ => self.clone(),
            },
            Some(gimli::DW_TAG_array_type) if dies.lengths(at).contains(&None) => {
                let lengths: Vec<_> = dies.subranges(at).map(length).collect();
                nested(Self::of(&dies, at), &lengths)
            }
            _ => self.clone(),
        }
    }
}

/// An array of arrays, from the lengths, the outermost first.
fn nested(element: Type, lengths: &[Option<u64>]) -> Type {
    lengths.iter().rev().fold(element, |element, &length| Type::Array(Rc::new(element), length))
}

/// Whether an entry is another name of the type behind it.
pub(super) fn is_name(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_typedef
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type
    )
}

fn complete(dies: &Dies, at: At, tag: DwTag) -> Option<At> {
    let word = match tag {
        gimli::DW_TAG_union_type => "union",
        gimli::DW_TAG_enumeration_type => "enum",
        _ => "struct",
    };
    dies.index().type_named(&format!("{word} {}", dies.name(at)?))
}

fn number(dies: &Dies, at: At, bytes: u64) -> Option<Number> {
    let Some((_, AttributeValue::Encoding(encoding))) = dies.attribute(at, gimli::DW_AT_encoding) else {
        return None;
    };
    let kind = match encoding {
        gimli::DW_ATE_signed => Kind::Signed,
        gimli::DW_ATE_unsigned | gimli::DW_ATE_address => Kind::Unsigned,
        // A number of one byte is a letter in C alone.
        gimli::DW_ATE_signed_char if dies.language(at.unit) == Language::Rust => Kind::Signed,
        gimli::DW_ATE_unsigned_char if dies.language(at.unit) == Language::Rust => Kind::Unsigned,
        gimli::DW_ATE_signed_char => Kind::Letter { is_signed: true },
        gimli::DW_ATE_unsigned_char => Kind::Letter { is_signed: false },
        gimli::DW_ATE_boolean => Kind::Truth,
        gimli::DW_ATE_float => Kind::Float,
        gimli::DW_ATE_complex_float => Kind::Complex,
        gimli::DW_ATE_UTF => Kind::Unicode,
        _ => return None,
    };
    matches!(bytes, 1 | 2 | 4 | 8 | 16 | 32).then_some(Number { kind, bytes })
}

/// A member of a structure.
pub(super) struct Member {
    pub(super) name: Option<String>,
    pub(super) type_: Type,
    /// Where it begins, if that is told by a number: that of a virtual base class depends on the object.
    pub(super) offset_bytes: Option<u64>,
    /// Its bits, if it is a field of them: how many, and how far above the lowest bit of the structure.
    pub(super) bits: Option<(u64, u64)>,
    /// Whether it is what the structure derives from.
    pub(super) is_base: bool,
}

impl Dies {
    pub(super) fn subranges(&self, array: At) -> impl Iterator<Item = At> {
        let is_range = |&at: &At| {
            matches!(self.tag(at), Some(gimli::DW_TAG_subrange_type | gimli::DW_TAG_enumeration_type))
        };
        self.children(array).into_iter().filter(is_range)
    }

    /// The lengths of an array, from the outermost dimension in, as far as they are constants.
    pub(super) fn lengths(&self, array: At) -> Vec<Option<u64>> {
        let length = |at| {
            let count = self.number(at, gimli::DW_AT_count);
            // The last index is -1 in an array of none.
            count.or_else(|| Some(self.number(at, gimli::DW_AT_upper_bound)?.wrapping_add(1)))
        };
        self.subranges(array).map(length).collect()
    }

    /// The members of a structure, those of what it derives from first.
    pub(super) fn members(self: &Rc<Self>, structure: At) -> Vec<Member> {
        let is_member =
            |&at: &At| matches!(self.tag(at), Some(gimli::DW_TAG_member | gimli::DW_TAG_inheritance));
        let is_static = |at: &At| {
            self.attribute(*at, gimli::DW_AT_external).is_some()
                || self.attribute(*at, gimli::DW_AT_declaration).is_some()
        };
        let children = self.children(structure).into_iter();
        children.filter(is_member).filter(|at| !is_static(at)).map(|at| self.member(at)).collect()
    }

    /// Whether a class has a variable of this name, once for all its objects.
    pub(super) fn has_static(&self, class: At, name: &str) -> bool {
        self.children(class).into_iter().any(|at| {
            matches!(self.tag(at), Some(gimli::DW_TAG_member | gimli::DW_TAG_variable))
                && self.attribute(at, gimli::DW_AT_declaration).is_some()
                && self.name(at).as_deref() == Some(name)
        })
    }

    pub(super) fn member(self: &Rc<Self>, at: At) -> Member {
        let number = |name| self.number(at, name);
        let offset_bytes = self.offset_of(at);
        let bits = number(gimli::DW_AT_bit_size).map(|bits| {
            let above = number(gimli::DW_AT_data_bit_offset).or_else(|| {
                // As before DWARF 4: from the highest bit of a unit that holds it.
                let from_top = number(gimli::DW_AT_bit_offset)?;
                let unit = number(gimli::DW_AT_byte_size).or_else(|| Type::of(self, at).size())?;
                let end = offset_bytes?.checked_add(unit)?.checked_mul(8)?;
                end.checked_sub(from_top)?.checked_sub(bits)
            });
            (bits, above.unwrap_or_else(|| offset_bytes.unwrap_or(0).saturating_mul(8)))
        });
        let is_base = self.tag(at) == Some(gimli::DW_TAG_inheritance);
        Member { name: self.name(at), type_: Type::of(self, at), offset_bytes, bits, is_base }
    }

    fn offset_of(&self, member: At) -> Option<u64> {
        // A union's members say nothing.
        let Some((unit, value)) = self.attribute(member, gimli::DW_AT_data_member_location) else {
            return Some(0);
        };
        // Before DWARF 3: what is to be done with the structure's address.
        if let Some(expression) = expression(value) {
            let mut operations = expression.operations(self.units().get(unit)?.encoding());
            return match operations.next().ok()?? {
                gimli::Operation::PlusConstant { value } => Some(value),
                _ => None,
            };
        }
        self.number(member, gimli::DW_AT_data_member_location)
    }

    /// The names of an enumeration, and their values.
    pub(super) fn enumerators(&self, enumeration: At) -> Vec<(String, i128)> {
        let children = self.children(enumeration).into_iter();
        let value = |at| match self.attribute(at, gimli::DW_AT_const_value)?.1 {
            AttributeValue::Sdata(value) => Some(i128::from(value)),
            value => value.udata_value().map(i128::from),
        };
        let of =
            |at| (self.tag(at) == Some(gimli::DW_TAG_enumerator)).then(|| Some((self.name(at)?, value(at)?)));
        children.filter_map(|at| of(at)?).collect()
    }
}
