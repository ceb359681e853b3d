//! Numbers, texts and bytes.

use super::{Kind, Machine, Value, op};

impl<'a> Machine<'a> {
    /// The opcodes that push a number, a text or bytes.
    pub(super) fn scalar(&mut self, byte: u8) -> Result<Value<'a>, Kind> {
        Ok(match byte {
            op::NONE => Value::None,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT => Value::Int(i32::from_le_bytes(self.array()?).into()),
            op::BININT1 => Value::Int(self.u8()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(self.array()?).into()),
            op::LONG1 => {
                let length = self.u8()?;
                long(self.take(length.into())?)
            }
            op::LONG4 => {
                let length = self.signed_length()?;
                long(self.take(length)?)
            }
            op::INT => match self.line()? {
                b"00" => Value::Bool(false),
                b"01" => Value::Bool(true),
                digits => text_integer("INT", digits)?,
            },
            op::LONG => {
                let line = self.line()?;
                text_integer("LONG", line.strip_suffix(b"L").unwrap_or(line))?
            }
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            op::FLOAT => {
                let line = self.line()?;
                match std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()) {
                    Some(number) => Value::Float(number),
                    None => return Err(bad_number("FLOAT", line)),
                }
            }
            op::UNICODE => {
                let line = self.line()?;
                if line.contains(&b'\\') {
                    return Err(Kind::UnsupportedOpcode { opcode: "UNICODE (with escapes)" });
                }
                text(line)
            }
            op::STRING => {
                let line = self.line()?;
                let quoted = match line {
                    [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
                    _ => return Err(Kind::UnsupportedOpcode { opcode: "STRING (without quotes)" }),
                };
                if quoted.contains(&b'\\') {
                    return Err(Kind::UnsupportedOpcode { opcode: "STRING (with escapes)" });
                }
                text(quoted)
            }
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE => {
                let length = self.u8()?;
                text(self.take(length.into())?)
            }
            op::BINSTRING => {
                let length = self.signed_length()?;
                text(self.take(length)?)
            }
            op::BINUNICODE => {
                let length = u32::from_le_bytes(self.array()?);
                text(self.take(length.into())?)
            }
            op::BINUNICODE8 => {
                let length = u64::from_le_bytes(self.array()?);
                text(self.take(length)?)
            }
            op::SHORT_BINBYTES => {
                let length = self.u8()?;
                Value::Bytes(self.take(length.into())?)
            }
            op::BINBYTES => {
                let length = u32::from_le_bytes(self.array()?);
                Value::Bytes(self.take(length.into())?)
            }
            op::BINBYTES8 | op::BYTEARRAY8 => {
                let length = u64::from_le_bytes(self.array()?);
                Value::Bytes(self.take(length)?)
            }
            _ => {
                return Err(match op::unsupported(byte) {
                    Some(opcode) => Kind::UnsupportedOpcode { opcode },
                    None => Kind::UnknownOpcode { byte },
                });
            }
        })
    }
}

pub(super) fn text(bytes: &[u8]) -> Value<'_> {
    std::str::from_utf8(bytes).map_or(Value::RawText(bytes), Value::Text)
}

/// A two's complement integer, least significant byte first; no bytes are zero.
fn long(bytes: &[u8]) -> Value<'_> {
    let Some(&last) = bytes.last() else { return Value::Int(0) };
    let fill = if last & 0x80 == 0 { 0 } else { 0xff };
    // Bytes that only repeat the sign say nothing: equal numbers have to be equal values.
    let mut bytes = bytes;
    while let [rest @ .., before, last] = bytes
        && *last == fill
        && before & 0x80 == fill & 0x80
    {
        bytes = bytes.get(..=rest.len()).unwrap_or(bytes);
    }
    let mut wide = [fill; 8];
    match wide.get_mut(..bytes.len()) {
        Some(low) => {
            low.copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        }
        None => Value::Long(bytes),
    }
}

fn text_integer<'a>(opcode: &'static str, line: &'a [u8]) -> Result<Value<'a>, Kind> {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad_number(opcode, line));
    }
    Ok(std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .map_or(Value::Long(line), Value::Int))
}

/// Bytes of a bad number that its message shows.
const MAX_SHOWN_NUMBER: usize = 40;

pub(super) fn bad_number(opcode: &'static str, line: &[u8]) -> Kind {
    let shown = line.get(..MAX_SHOWN_NUMBER).unwrap_or(line);
    Kind::Number { opcode, text: String::from_utf8_lossy(shown).into_owned() }
}
