//! Checked reads of the pickle's bytes.

use super::{Kind, Machine, scalar};

impl<'a> Machine<'a> {
    /// What follows, which has to be as many bytes.
    pub(super) fn available(&self, needed: u64) -> Result<&'a [u8], Kind> {
        let rest = self.rest();
        match usize::try_from(needed).ok().and_then(|length| rest.get(..length)) {
            Some(bytes) => Ok(bytes),
            None => Err(Kind::Truncated { needed, available: rest.len() }),
        }
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Kind> {
        let bytes = self.available(length)?;
        self.position += bytes.len();
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Kind> {
        let rest = self.rest();
        let Some(bytes) = rest.first_chunk() else {
            return Err(Kind::Truncated { needed: N as u64, available: rest.len() });
        };
        self.position += N;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Kind> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn signed_length(&mut self) -> Result<u64, Kind> {
        let length = i32::from_le_bytes(self.array()?);
        u64::try_from(length).map_err(|_| Kind::NegativeLength { length })
    }

    /// The bytes up to the end of the line, without it.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Kind> {
        let rest = self.rest();
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(Kind::Truncated { needed: rest.len() as u64 + 1, available: rest.len() });
        };
        let line = self.take(end as u64)?;
        self.position += 1;
        Ok(line)
    }

    pub(super) fn line_index(&mut self, opcode: &'static str) -> Result<u32, Kind> {
        let line = self.line()?;
        std::str::from_utf8(line)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| scalar::bad_number(opcode, line))
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or(&[])
    }
}
