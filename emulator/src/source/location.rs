//! Where a value is: the expressions of the debug information (DWARF 5, chapter 2.5 and 2.6), by the frame that is looked at.
//!
//! What depends on something that is not known here is lost, and said to be; nothing that is malformed costs more than
//! [`MAX_OPERATIONS`].

use super::Section;
use super::dies::{At, Dies, expression};
use super::file::Loaded;
use super::types::Type;
use super::unwind::Frame;
use super::value::{Held, OPTIMIZED_OUT, ReadMemory, Value, Whose};
use gimli::{AttributeValue, DieReference, EvaluationResult, Expression, Location, Piece};
use isa::reg::{SP, TP};
use std::rc::Rc;

/// Operations of one expression.
const MAX_OPERATIONS: u32 = 10_000;
/// Expressions in expressions: what a caller has passed, what a pointer points to that is nowhere.
const MAX_NESTED: usize = 6;
/// Bytes of a value that is in no memory.
const MAX_BYTES: u64 = 1 << 16;
/// The DWARF number of the first floating-point register (RISC-V ELF psABI).
const FIRST_FLOAT: u16 = 32;

/// A register that a callee has overwritten.
const NOT_SAVED: &str = "not saved";

/// Where names are looked for, and by what.
pub struct Scope<'a> {
    /// The function at work, if it is one of the file.
    pub frame: Option<&'a Frame>,
    /// How many of the functions that were put into one another there are left out, from the innermost.
    pub level: usize,
    /// The thread's pointer to what is its own.
    pub thread_pointer: Option<u64>,
    /// Where the variables of the file begin that the thread has of its own.
    pub thread_block: Option<u64>,
    /// The file, and what the process adds to its addresses.
    pub loaded: &'a Loaded,
    /// Reads memory.
    pub read: ReadMemory<'a>,
    /// Of which process.
    pub whose: Whose,
}

impl Scope<'_> {
    /// Where the frame is at work, in the file.
    pub(super) fn at_work(&self) -> Option<u64> {
        self.frame.map(|frame| frame.at_work().wrapping_sub(self.loaded.bias))
    }

    /// The frame of the caller.
    fn caller(&self) -> Option<Frame> {
        let read = |address| {
            let mut bytes = [0; 8];
            (self.read)(self.whose, address, &mut bytes).ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        self.loaded.file.caller(self.frame?, self.loaded.bias, &read)
    }
}

/// What locations are worked out with.
pub(super) struct Locator<'a> {
    pub(super) dies: &'a Rc<Dies>,
    pub(super) scope: &'a Scope<'a>,
    /// How many expressions may still be in one another.
    left: usize,
}

type Lost = &'static str;

impl<'a> Locator<'a> {
    pub(super) fn new(dies: &'a Rc<Dies>, scope: &'a Scope<'a>) -> Self {
        Self { dies, scope, left: MAX_NESTED }
    }

    fn inner(&self) -> Option<Locator<'a>> {
        Some(Locator { dies: self.dies, scope: self.scope, left: self.left.checked_sub(1)? })
    }

    /// The value of a variable or of a parameter.
    pub(super) fn variable(&self, at: At) -> Value {
        let whose = self.scope.whose;
        let type_ = Type::of(self.dies, at).with_lengths(&|range| self.length(range));
        let held = self.held(at).unwrap_or_else(Held::Lost);
        Value { type_, held, whose }
    }

    fn held(&self, at: At) -> Result<Held, Lost> {
        if let Some((_, value)) = self.dies.attribute(at, gimli::DW_AT_const_value) {
            return self.constant(value).ok_or(OPTIMIZED_OUT);
        }
        let (unit, location) = self.dies.attribute(at, gimli::DW_AT_location).ok_or(OPTIMIZED_OUT)?;
        let expression = self.expression(unit, location).ok_or(OPTIMIZED_OUT)?;
        self.evaluate(unit, expression)
    }

    fn constant(&self, value: AttributeValue<Section>) -> Option<Held> {
        use gimli::Reader;
        let kept = |bytes: &[u8]| Held::Bytes(bytes.iter().copied().map(Some).collect());
        match value {
            // A number is as wide as its variable's type, which is not wider than this.
            AttributeValue::Sdata(value) => Some(kept(&i128::from(value).to_le_bytes())),
            AttributeValue::Block(bytes) => Some(kept(&bytes.to_slice().ok()?)),
            AttributeValue::String(bytes) => Some(kept(&bytes.to_slice().ok()?)),
            value => Some(kept(&u128::from(value.udata_value()?).to_le_bytes())),
        }
    }

    /// The expression of a location that counts where the function is at work.
    fn expression(&self, unit: usize, location: AttributeValue<Section>) -> Option<Expression<Section>> {
        if let Some(expression) = expression(location.clone()) {
            return Some(expression);
        }
        let at_work = self.scope.at_work()?;
        let of = self.dies.units().get(unit)?;
        let mut list = self.dies.dwarf.attr_locations(of, location).ok()??;
        while let Ok(Some(entry)) = list.next() {
            if (entry.range.begin..entry.range.end).contains(&at_work) {
                return Some(entry.data);
            }
        }
        None
    }

    /// How many elements an array has in a dimension, if that is told by an expression or a variable.
    fn length(&self, range: At) -> Option<u64> {
        let number = |name| {
            let (unit, value) = self.dies.attribute(range, name)?;
            if let Some(expression) = expression(value.clone()) {
                return self.inner()?.number(unit, expression);
            }
            match value {
                AttributeValue::Sdata(value) => Some(value.cast_unsigned()),
                value => match self.dies.referred(unit, value.clone()) {
                    Some(variable) => self.inner()?.variable(variable).to_word(self.scope.read).ok(),
                    None => value.udata_value(),
                },
            }
        };
        number(gimli::DW_AT_count).or_else(|| Some(number(gimli::DW_AT_upper_bound)?.wrapping_add(1)))
    }

    fn frame_base(&self) -> Option<u64> {
        let function = self.dies.index().function_at(self.scope.at_work()?)?;
        let (unit, base) = self.dies.attribute(function, gimli::DW_AT_frame_base)?;
        let expression = self.expression(unit, base)?;
        self.inner()?.number(unit, expression)
    }

    /// The number that an expression comes to, which is not meant as an address.
    fn number(&self, unit: usize, expression: Expression<Section>) -> Option<u64> {
        match self.evaluate(unit, expression).ok()? {
            Held::Memory(number) => Some(number),
            Held::Bytes(bytes) => word(&bytes),
            _ => None,
        }
    }

    fn register(&self, number: u16) -> Result<u64, Lost> {
        let frame = self.scope.frame;
        if number == u16::from(TP)
            && let Some(pointer) = self.scope.thread_pointer
        {
            return Ok(pointer);
        }
        let of = |frame: &Frame| match number.checked_sub(FIRST_FLOAT) {
            Some(float) => frame.f.get(usize::from(float)).copied().flatten(),
            None => frame.x.get(usize::from(number)).copied().flatten(),
        };
        frame.and_then(of).ok_or(NOT_SAVED)
    }

    /// Works an expression out.
    fn evaluate(&self, unit: usize, expression: Expression<Section>) -> Result<Held, Lost> {
        let of = self.dies.units().get(unit).ok_or(OPTIMIZED_OUT)?;
        let mut evaluation = expression.evaluation(of.encoding());
        evaluation.set_max_iterations(MAX_OPERATIONS);
        let malformed = |_| "told in a way that is not known here";
        let mut state = evaluation.evaluate().map_err(malformed)?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, base_type } => {
                    let value = typed(self.value_type(unit, base_type), self.register(register.0)?);
                    evaluation.resume_with_register(value.map_err(malformed)?)
                }
                EvaluationResult::RequiresFrameBase => {
                    evaluation.resume_with_frame_base(self.frame_base().ok_or(NOT_SAVED)?)
                }
                EvaluationResult::RequiresCallFrameCfa => {
                    let cfa = self.scope.caller().and_then(|caller| caller.x[usize::from(SP)]);
                    evaluation.resume_with_call_frame_cfa(cfa.ok_or(NOT_SAVED)?)
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address.wrapping_add(self.scope.loaded.bias))
                }
                EvaluationResult::RequiresIndexedAddress { index, relocate } => {
                    let address = self.dies.dwarf.address(of, index).map_err(malformed)?;
                    let bias = if relocate { self.scope.loaded.bias } else { 0 };
                    evaluation.resume_with_indexed_address(address.wrapping_add(bias))
                }
                EvaluationResult::RequiresMemory { address, size, base_type, .. } => {
                    let mut bytes = [0; 8];
                    let size = usize::from(size.min(8));
                    (self.scope.read)(self.scope.whose, address, &mut bytes[..size])
                        .map_err(|_| "behind a pointer to nowhere")?;
                    let word = u64::from_le_bytes(bytes);
                    let value = typed(self.value_type(unit, base_type), word);
                    evaluation.resume_with_memory(value.map_err(malformed)?)
                }
                EvaluationResult::RequiresTls(offset) => {
                    let block =
                        self.scope.thread_block.ok_or("a thread's own, and no thread is looked at")?;
                    evaluation.resume_with_tls(block.wrapping_add(offset))
                }
                EvaluationResult::RequiresEntryValue(entry) => {
                    let value = self.entry_value(unit, entry).ok_or(OPTIMIZED_OUT)?;
                    evaluation.resume_with_entry_value(gimli::Value::Generic(value))
                }
                EvaluationResult::RequiresBaseType(offset) => {
                    evaluation.resume_with_base_type(self.value_type(unit, offset))
                }
                EvaluationResult::RequiresAtLocation(reference) => {
                    let at = self.reference(unit, reference).ok_or(OPTIMIZED_OUT)?;
                    let location = self.dies.attribute(at, gimli::DW_AT_location);
                    let expression = location.and_then(|(unit, location)| self.expression(unit, location));
                    evaluation.resume_with_at_location(expression.ok_or(OPTIMIZED_OUT)?.0)
                }
                _ => return Err(OPTIMIZED_OUT),
            }
            .map_err(malformed)?;
        }
        self.assembled(&evaluation.result())
    }

    fn reference(&self, unit: usize, reference: DieReference) -> Option<At> {
        match reference {
            DieReference::UnitRef(offset) => Some(At { unit, offset }),
            DieReference::DebugInfoRef(offset) => self.dies.at(offset),
        }
    }

    /// The type that an operation works in; that of addresses if it says none.
    fn value_type(&self, unit: usize, offset: gimli::UnitOffset) -> gimli::ValueType {
        let entry = (offset.0 != 0).then(|| self.dies.entry(At { unit, offset })).flatten();
        let type_ = entry.and_then(|entry| gimli::ValueType::from_entry(&entry).ok().flatten());
        type_.unwrap_or(gimli::ValueType::Generic)
    }

    /// A value from the pieces in which it is kept.
    fn assembled(&self, pieces: &[Piece<Section>]) -> Result<Held, Lost> {
        if let [piece] = pieces
            && piece.size_in_bits.is_none()
        {
            return self.piece(piece, None);
        }
        let mut bytes = Vec::new();
        for piece in pieces {
            let bits = piece.size_in_bits.unwrap_or(0);
            let size = (bits / 8).min(MAX_BYTES.saturating_sub(bytes.len() as u64));
            let count = usize::try_from(size).unwrap_or(0);
            let is_whole = bits % 8 == 0 && piece.bit_offset.unwrap_or(0) % 8 == 0;
            let held = self.piece(piece, Some(size)).ok().filter(|_| is_whole);
            let skipped = usize::try_from(piece.bit_offset.unwrap_or(0) / 8).unwrap_or(usize::MAX);
            let start = bytes.len();
            match held {
                Some(Held::Bytes(kept)) => bytes.extend(kept.into_iter().skip(skipped).take(count)),
                Some(Held::Memory(address)) => {
                    let mut read = vec![0; count];
                    let at = address.wrapping_add(skipped as u64);
                    if (self.scope.read)(self.scope.whose, at, &mut read).is_ok() {
                        bytes.extend(read.into_iter().map(Some));
                    }
                }
                _ => {}
            }
            bytes.resize(start + count, None);
        }
        if bytes.iter().all(Option::is_none) { Err(OPTIMIZED_OUT) } else { Ok(Held::Bytes(bytes)) }
    }

    fn piece(&self, piece: &Piece<Section>, size: Option<u64>) -> Result<Held, Lost> {
        use gimli::Reader;
        let kept = |bytes: &[u8]| {
            let most = usize::try_from(size.unwrap_or(MAX_BYTES)).unwrap_or(0);
            Held::Bytes(bytes.iter().take(most).copied().map(Some).collect())
        };
        match &piece.location {
            Location::Empty => Err(OPTIMIZED_OUT),
            Location::Address { address } => Ok(Held::Memory(*address)),
            Location::Register { register } => Ok(kept(&self.register(register.0)?.to_le_bytes())),
            Location::Value { value } => Ok(kept(&bits(*value).to_le_bytes())),
            Location::Bytes { value } => Ok(kept(&value.to_slice().map_err(|_| OPTIMIZED_OUT)?)),
            Location::ImplicitPointer { value, byte_offset } => {
                let at = self.dies.at(*value).ok_or(OPTIMIZED_OUT)?;
                let pointee = self.inner().ok_or(OPTIMIZED_OUT)?.variable(at);
                Ok(Held::PointsTo(Box::new(pointee.behind_by(byte_offset.cast_unsigned()))))
            }
        }
    }

    /// What a register held when the function was entered, if the caller tells what it passed (DWARF 5, chapter 3.4).
    fn entry_value(&self, unit: usize, entry: Expression<Section>) -> Option<u64> {
        let encoding = self.dies.units().get(unit)?.encoding();
        let register =
            |expression: &Expression<Section>| match expression.clone().operations(encoding).next().ok()?? {
                gimli::Operation::Register { register }
                | gimli::Operation::RegisterOffset { register, offset: 0, .. } => Some(register),
                _ => None,
            };
        let wanted = register(&entry)?;
        let own = self.dies.index().function_at(self.scope.at_work()?)?;
        let caller = self.scope.caller()?;
        let returns_to = caller.pc.wrapping_sub(self.scope.loaded.bias);
        let calling = self.dies.index().function_at(returns_to.wrapping_sub(1))?;
        let site = self.call_site(calling, returns_to, MAX_BLOCKS)?;
        // A function that was jumped to has not been passed what the call says.
        if let Some((unit, origin)) = self.dies.attribute(site, gimli::DW_AT_call_origin) {
            let called = self.dies.referred(unit, origin)?;
            let is_own = called == own || self.dies.origin(own) == Some(called);
            if !is_own && self.dies.name(called) != self.dies.name(own) {
                return None;
            }
        }
        let passed = self.dies.children(site).into_iter().find_map(|parameter| {
            let (_, location) = self.dies.attribute(parameter, gimli::DW_AT_location)?;
            let location = expression(location)?;
            (register(&location)? == wanted).then(|| {
                let value = self.dies.attribute(parameter, gimli::DW_AT_call_value);
                value.or_else(|| self.dies.attribute(parameter, gimli::DW_AT_GNU_call_site_value))
            })?
        });
        let (unit, value) = passed?;
        let scope = Scope { frame: Some(&caller), level: 0, ..*self.scope };
        let of_caller = Locator { dies: self.dies, scope: &scope, left: self.left.checked_sub(1)? };
        of_caller.number(unit, expression(value)?)
    }

    /// The call in a function that returns to an address.
    fn call_site(&self, within: At, returns_to: u64, left: usize) -> Option<At> {
        let left = left.checked_sub(1)?;
        self.dies.children(within).into_iter().find_map(|at| match self.dies.tag(at)? {
            gimli::DW_TAG_call_site | gimli::DW_TAG_GNU_call_site => {
                let address = |name| self.dies.address(at, name);
                let back = address(gimli::DW_AT_call_return_pc).or_else(|| address(gimli::DW_AT_low_pc));
                (back == Some(returns_to)).then_some(at)
            }
            gimli::DW_TAG_lexical_block | gimli::DW_TAG_inlined_subroutine => {
                self.call_site(at, returns_to, left)
            }
            _ => None,
        })
    }
}

/// Blocks in blocks.
const MAX_BLOCKS: usize = 64;

fn word(bytes: &[Option<u8>]) -> Option<u64> {
    bytes.iter().take(8).rev().try_fold(0, |word, byte| Some(word << 8 | u64::from((*byte)?)))
}

/// Bits as a value of a type.
#[allow(clippy::cast_possible_truncation)] // the lower half is a `float`'s
fn typed(type_: gimli::ValueType, bits: u64) -> gimli::Result<gimli::Value> {
    match type_ {
        gimli::ValueType::F32 => Ok(gimli::Value::F32(f32::from_bits(bits as u32))),
        gimli::ValueType::F64 => Ok(gimli::Value::F64(f64::from_bits(bits))),
        other => gimli::Value::from_u64(other, bits),
    }
}

/// The bits of a value that an expression has come to.
fn bits(value: gimli::Value) -> u128 {
    use gimli::Value;
    let signed = |value: i64| i128::from(value).cast_unsigned();
    match value {
        Value::Generic(word) | Value::U64(word) => word.into(),
        Value::I8(value) => signed(value.into()),
        Value::I16(value) => signed(value.into()),
        Value::I32(value) => signed(value.into()),
        Value::I64(value) => signed(value),
        Value::U8(value) => value.into(),
        Value::U16(value) => value.into(),
        Value::U32(value) => value.into(),
        Value::F32(value) => value.to_bits().into(),
        Value::F64(value) => value.to_bits().into(),
    }
}
