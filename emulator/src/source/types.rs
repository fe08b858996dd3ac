//! Values by their types, as C writes them: `{x = 1, y = -3}`.

use super::dies::{At, Dies};
use gimli::{AttributeValue, DwAte, DwTag};
use std::fmt::Write;

/// Elements of an array that are shown, and letters of a string.
const MAX_ELEMENTS: u64 = 200;
/// Structures in structures.
const MAX_DEPTH: usize = 12;
/// Steps from a `typedef` or a `const` to the type behind it.
const MAX_NAMES: usize = 32;

/// Reads memory; the error says why there is none.
pub type ReadMemory<'a> = &'a dyn Fn(u64, &mut [u8]) -> Result<(), String>;

/// A member of a structure.
pub(super) struct Member {
    pub(super) name: Option<String>,
    pub(super) type_: Option<At>,
    pub(super) offset_bytes: u64,
    /// Its bits, if it is a field of them: how many, and how far above the lowest bit of the structure.
    bits: Option<(u64, u64)>,
}

impl Member {
    /// Whether it is a field of bits.
    pub(super) fn is_bits(&self) -> bool {
        self.bits.is_some()
    }
}

impl Dies {
    /// The type behind names, `const` and the like.
    pub(super) fn bare(&self, type_: Option<At>) -> Option<At> {
        let mut at = type_?;
        for _ in 0..MAX_NAMES {
            let tag = self.entry(at)?.tag();
            let is_name = matches!(
                tag,
                gimli::DW_TAG_typedef
                    | gimli::DW_TAG_const_type
                    | gimli::DW_TAG_volatile_type
                    | gimli::DW_TAG_restrict_type
                    | gimli::DW_TAG_atomic_type
            );
            if !is_name {
                return Some(at);
            }
            at = self.type_of(at)?;
        }
        None
    }

    pub(super) fn tag(&self, at: At) -> Option<DwTag> {
        self.entry(at).map(|entry| entry.tag())
    }

    /// Bytes that a value takes.
    pub(super) fn size_of(&self, type_: Option<At>) -> Option<u64> {
        let at = self.bare(type_)?;
        match self.tag(at)? {
            gimli::DW_TAG_array_type => {
                let elements: u64 = self.lengths(at).into_iter().try_fold(1u64, u64::checked_mul)?;
                elements.checked_mul(self.size_of(self.type_of(at))?)
            }
            gimli::DW_TAG_pointer_type | gimli::DW_TAG_reference_type => Some(8),
            _ => self.number(at, gimli::DW_AT_byte_size),
        }
    }

    /// The lengths of an array, from the outermost dimension in.
    pub(super) fn lengths(&self, array: At) -> Vec<u64> {
        let children = self.children(array).into_iter();
        let ranges = children.filter(|&at| self.tag(at) == Some(gimli::DW_TAG_subrange_type));
        let length = |at| {
            let count = self.number(at, gimli::DW_AT_count);
            count.or_else(|| self.number(at, gimli::DW_AT_upper_bound)?.checked_add(1)).unwrap_or(0)
        };
        ranges.map(length).collect()
    }

    /// The members of a structure, those of what it derives from first.
    pub(super) fn members(&self, structure: At) -> Vec<Member> {
        let is_member =
            |&at: &At| matches!(self.tag(at), Some(gimli::DW_TAG_member | gimli::DW_TAG_inheritance));
        let member = |at: At| {
            let offset_bytes = self.number(at, gimli::DW_AT_data_member_location).unwrap_or(0);
            let bits = self.number(at, gimli::DW_AT_bit_size).map(|bits| {
                let above = self.number(at, gimli::DW_AT_data_bit_offset).unwrap_or(8 * offset_bytes);
                (bits, above)
            });
            Member { name: self.name(at), type_: self.type_of(at), offset_bytes, bits }
        };
        let is_static = |at: &At| self.attribute(*at, gimli::DW_AT_external).is_some();
        self.children(structure)
            .into_iter()
            .filter(is_member)
            .filter(|at| !is_static(at))
            .map(member)
            .collect()
    }

    /// A type as C writes it.
    pub(super) fn type_name(&self, type_: Option<At>) -> String {
        self.type_name_within(type_, MAX_NAMES)
    }

    fn type_name_within(&self, type_: Option<At>, left: usize) -> String {
        let Some(at) = type_.filter(|_| left > 0) else { return "void".to_owned() };
        let inner = || self.type_name_within(self.type_of(at), left - 1);
        let named = |word: &str| match self.name(at) {
            Some(name) => format!("{word}{name}"),
            None => format!("{word}{{…}}"),
        };
        // Rust and C++ have no word before a name.
        let is_c = self.is_c(at.unit);
        let word = |word: &'static str| if is_c { word } else { "" };
        match self.tag(at) {
            Some(gimli::DW_TAG_pointer_type) if is_c || self.name(at).is_none() => match inner() {
                pointer if pointer.ends_with('*') => format!("{pointer}*"),
                function if function.ends_with(')') => format!("{function} *"),
                other => format!("{other} *"),
            },
            Some(gimli::DW_TAG_reference_type) => format!("{} &", inner()),
            Some(gimli::DW_TAG_const_type) => format!("const {}", inner()),
            Some(gimli::DW_TAG_volatile_type) => format!("volatile {}", inner()),
            Some(gimli::DW_TAG_restrict_type | gimli::DW_TAG_atomic_type) => inner(),
            Some(gimli::DW_TAG_array_type) => {
                let lengths: String = self.lengths(at).iter().map(|length| format!("[{length}]")).collect();
                format!("{}{lengths}", inner())
            }
            Some(gimli::DW_TAG_subroutine_type) => format!("{} ()", inner()),
            Some(gimli::DW_TAG_structure_type) => named(word("struct ")),
            Some(gimli::DW_TAG_union_type) => named(word("union ")),
            Some(gimli::DW_TAG_enumeration_type) => named(word("enum ")),
            _ => self.name(at).unwrap_or_else(|| "?".to_owned()),
        }
    }

    fn is_c(&self, unit: usize) -> bool {
        let language = self.units().get(unit).and_then(|unit| {
            let mut entries = unit.entries();
            entries.next_dfs().ok()??.attr_value(gimli::DW_AT_language)
        });
        !matches!(
            language,
            Some(AttributeValue::Language(
                gimli::DW_LANG_Rust
                    | gimli::DW_LANG_C_plus_plus
                    | gimli::DW_LANG_C_plus_plus_11
                    | gimli::DW_LANG_C_plus_plus_14
                    | gimli::DW_LANG_C_plus_plus_17
                    | gimli::DW_LANG_C_plus_plus_20
            ))
        )
    }

    /// A value of a type.
    pub(super) fn value(&self, type_: Option<At>, bytes: &[u8], read: ReadMemory<'_>) -> String {
        self.value_within(type_, bytes, read, MAX_DEPTH)
    }

    fn value_within(&self, type_: Option<At>, bytes: &[u8], read: ReadMemory<'_>, left: usize) -> String {
        let Some(at) = self.bare(type_) else { return hex(bytes) };
        if left == 0 {
            return "…".to_owned();
        }
        match self.tag(at) {
            Some(gimli::DW_TAG_base_type) => self.base(at, bytes),
            Some(gimli::DW_TAG_pointer_type | gimli::DW_TAG_reference_type) => self.pointer(at, bytes, read),
            Some(gimli::DW_TAG_enumeration_type) => self.enumerator(at, bytes),
            Some(gimli::DW_TAG_array_type) => {
                let lengths = self.lengths(at);
                self.array(self.type_of(at), &lengths, bytes, read, left)
            }
            Some(gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type) => {
                let member = |member: &Member| {
                    let value = self.member(member, bytes, read, left);
                    member.name.as_ref().map_or_else(|| value.clone(), |name| format!("{name} = {value}"))
                };
                let members: Vec<String> = self.members(at).iter().map(member).collect();
                format!("{{{}}}", members.join(", "))
            }
            _ => hex(bytes),
        }
    }

    fn member(&self, member: &Member, bytes: &[u8], read: ReadMemory<'_>, left: usize) -> String {
        if let Some(bytes) = self.field(member, bytes) {
            return self.value_within(member.type_, &bytes, read, left - 1);
        }
        let size = self.size_of(member.type_).unwrap_or(0);
        let start = usize::try_from(member.offset_bytes).unwrap_or(usize::MAX);
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        match end.and_then(|end| bytes.get(start..end)) {
            Some(bytes) => self.value_within(member.type_, bytes, read, left - 1),
            None => "?".to_owned(),
        }
    }

    /// The value of a field of bits, as wide as its type; `None` for another member.
    pub(super) fn field(&self, member: &Member, bytes: &[u8]) -> Option<Vec<u8>> {
        let (bits, above) = member.bits.filter(|&(bits, _)| (1..=64).contains(&bits))?;
        let first = usize::try_from(above / 8).ok()?;
        let word = bytes.get(first..).map_or(0, |rest| unsigned(&rest[..rest.len().min(8)]));
        let unused = 64 - bits;
        let value = word >> (above % 8) << unused;
        let type_ = self.bare(member.type_);
        let is_signed = matches!(
            type_.and_then(|at| self.attribute(at, gimli::DW_AT_encoding)),
            Some((_, AttributeValue::Encoding(gimli::DW_ATE_signed | gimli::DW_ATE_signed_char)))
        );
        let value = if is_signed { (value.cast_signed() >> unused).cast_unsigned() } else { value >> unused };
        let size = usize::try_from(self.size_of(type_)?).ok()?.min(8);
        Some(value.to_le_bytes()[..size].to_vec())
    }

    fn base(&self, at: At, bytes: &[u8]) -> String {
        let encoding = match self.attribute(at, gimli::DW_AT_encoding) {
            Some((_, AttributeValue::Encoding(encoding))) => encoding,
            _ => DwAte(0),
        };
        match (encoding, bytes.len()) {
            (gimli::DW_ATE_boolean, _) => if unsigned(bytes) == 0 { "false" } else { "true" }.to_owned(),
            (gimli::DW_ATE_float, 4) => f32::from_bits(low_half(unsigned(bytes))).to_string(),
            (gimli::DW_ATE_float, 8) => f64::from_bits(unsigned(bytes)).to_string(),
            (gimli::DW_ATE_UTF, 4) => {
                char::from_u32(low_half(unsigned(bytes))).map_or_else(|| hex(bytes), |c| format!("{c:?}"))
            }
            (gimli::DW_ATE_signed_char | gimli::DW_ATE_unsigned_char, 1) => {
                let number = if encoding == gimli::DW_ATE_signed_char {
                    signed(bytes).to_string()
                } else {
                    bytes[0].to_string()
                };
                format!("{number} '{}'", bytes[0].escape_ascii())
            }
            (gimli::DW_ATE_signed, 1..=8) => signed(bytes).to_string(),
            (gimli::DW_ATE_unsigned, 1..=8) => unsigned(bytes).to_string(),
            _ => hex(bytes),
        }
    }

    /// An address; if letters are there, these too.
    fn pointer(&self, at: At, bytes: &[u8], read: ReadMemory<'_>) -> String {
        let address = unsigned(bytes);
        let mut text = format!("{address:#x}");
        let is_text = self.bare(self.type_of(at)).is_some_and(|at| self.is_character(at));
        if is_text && address != 0 {
            let (mut letters, mut is_whole) = (Vec::new(), false);
            for offset in 0..MAX_ELEMENTS {
                let mut letter = [0];
                if read(address.wrapping_add(offset), &mut letter).is_err() {
                    break;
                }
                is_whole = letter[0] == 0;
                if is_whole {
                    break;
                }
                letters.push(letter[0]);
            }
            if is_whole || !letters.is_empty() {
                let more = if is_whole { "" } else { "…" };
                // Writing to a String can't fail.
                let _ = write!(text, " \"{}\"{more}", letters.escape_ascii());
            }
        }
        text
    }

    fn is_character(&self, at: At) -> bool {
        matches!(
            self.attribute(at, gimli::DW_AT_encoding),
            Some((_, AttributeValue::Encoding(gimli::DW_ATE_signed_char | gimli::DW_ATE_unsigned_char)))
        )
    }

    fn enumerator(&self, at: At, bytes: &[u8]) -> String {
        let value = signed(bytes);
        let names = self.children(at).into_iter();
        let is_it = |&at: &At| {
            let number = self.number(at, gimli::DW_AT_const_value);
            number.is_some_and(|number| signed(&number.to_le_bytes()[..bytes.len().min(8)]) == value)
        };
        let name = names.filter(|&at| self.tag(at) == Some(gimli::DW_TAG_enumerator)).find(is_it);
        name.and_then(|at| self.name(at)).unwrap_or_else(|| value.to_string())
    }

    fn array(
        &self,
        element: Option<At>,
        lengths: &[u64],
        bytes: &[u8],
        read: ReadMemory<'_>,
        left: usize,
    ) -> String {
        let Some((&length, inner)) = lengths.split_first() else {
            return self.value_within(element, bytes, read, left - 1);
        };
        if inner.is_empty() && self.bare(element).is_some_and(|at| self.is_character(at)) {
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            return format!("\"{}\"", bytes[..end].escape_ascii());
        }
        let size = usize::try_from(length).ok().filter(|&length| length > 0).map_or(0, |n| bytes.len() / n);
        if size == 0 {
            return "{}".to_owned();
        }
        let shown = bytes.chunks_exact(size).take(usize::try_from(MAX_ELEMENTS).unwrap_or(0));
        let mut shown: Vec<String> =
            shown.map(|bytes| self.array(element, inner, bytes, read, left)).collect();
        if length > MAX_ELEMENTS {
            shown.push(format!("… {} more", length - MAX_ELEMENTS));
        }
        format!("{{{}}}", shown.join(", "))
    }
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().min(8);
    if unused == 64 { 0 } else { (unsigned(bytes) << unused).cast_signed() >> unused }
}

#[allow(clippy::cast_possible_truncation)] // the half that is asked for
fn low_half(word: u64) -> u32 {
    word as u32
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().rev().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}
