//! Addresses and numbers as one types them: `0x10400`, `1_000`, `$sp+16`, `main+0x4`, `kernel:trap_entry`.

/// One operand and what is added to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression {
    /// The first operand.
    pub base: Operand,
    /// Added to it, wrapping.
    pub offset: u64,
}

/// An operand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// A number.
    Number(u64),
    /// A register or CSR, or `fault` for the address of the last page fault, without the `$`.
    Register(String),
    /// A symbol, perhaps with `kernel:` or `PID:` before it.
    Symbol(String),
}

/// Parses a number: decimal, `0x…` or `0b…`, with `_` between digits if one likes.
pub fn parse_number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    if let Some(binary) = digits.strip_prefix("0b") {
        return u64::from_str_radix(binary, 2).ok();
    }
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl Expression {
    /// A plain number.
    pub fn number(value: u64) -> Self {
        Self { base: Operand::Number(value), offset: 0 }
    }

    /// Parses an operand followed by any number of `+NUMBER` and `-NUMBER`. A number may be negative: `-1` is the last address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text: String = text.split_whitespace().collect();
        let text = text.strip_prefix('*').unwrap_or(&text);
        if text.starts_with('-') {
            let Self { offset, .. } = Self::parse(&format!("0{text}"))?;
            return Ok(Self::number(offset));
        }
        let (base, mut rest) = split_operand(text);
        let mut offset = 0u64;
        while let Some(sign) = rest.chars().next() {
            let (number, next) = split_operand(&rest[1..]);
            let Some(number) = parse_number(number) else {
                return Err(format!("`{rest}` is not `+NUMBER` or `-NUMBER`"));
            };
            offset = if sign == '+' { offset.wrapping_add(number) } else { offset.wrapping_sub(number) };
            rest = next;
        }
        Ok(Self { base: operand(base)?, offset })
    }
}

/// The text up to the next `+` or `-` that is no part of a symbol, and the rest.
fn split_operand(text: &str) -> (&str, &str) {
    // A `-` inside a symbol can't be told from a minus; symbols of compiled programs have none.
    let end = text.find(['+', '-']).unwrap_or(text.len());
    text.split_at(end)
}

fn operand(text: &str) -> Result<Operand, String> {
    if let Some(register) = text.strip_prefix('$') {
        return Ok(Operand::Register(register.to_owned()));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(':') {
        return match parse_number(text) {
            Some(number) => Ok(Operand::Number(number)),
            None => Err(format!("`{text}` is not a number (decimal, 0x… or 0b…)")),
        };
    }
    if text.is_empty() {
        return Err("an address is missing: give a number, a $register or a symbol".to_owned());
    }
    Ok(Operand::Symbol(text.to_owned()))
}
