//! Checked reads of the pickle's bytes.

use super::{Kind, Machine, scalar};

impl<'a> Machine<'a> {
    pub(super) fn check_available(&self, needed: u64) -> Result<usize, Kind> {
        let available = self.bytes.len() - self.position;
        match usize::try_from(needed) {
            Ok(length) if length <= available => Ok(length),
            _ => Err(Kind::Truncated { needed, available }),
        }
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Kind> {
        let length = self.check_available(length)?;
        let start = self.position;
        self.position += length;
        self.bytes
            .get(start..self.position)
            .ok_or(Kind::Truncated { needed: length as u64, available: self.bytes.len() - start })
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Kind> {
        let available = self.bytes.len() - self.position;
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| Kind::Truncated { needed: N as u64, available })
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
        let rest = self.bytes.get(self.position..).unwrap_or(&[]);
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(Kind::Truncated { needed: rest.len() as u64 + 1, available: rest.len() })?;
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
}
