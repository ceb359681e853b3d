//! One record of an archive, and its bytes.

use std::sync::Arc;

use crate::lazy::{Bytes, Checksummed, Inflate, Recipe, Storage};

use super::ZipError;

/// A record. Its range was checked against the file.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The name after the archive's folder.
    pub(crate) name: String,
    pub(super) crc: u32,
    pub(super) is_deflated: bool,
    /// The bytes in the file, compressed or not.
    pub(super) bytes: Bytes,
    /// Bytes when inflated.
    pub(crate) size: u64,
}

/// What a record's checksum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// It is right.
    Right,
    /// It is wrong.
    Wrong,
    /// There is none: zero with a record that is not empty.
    Absent,
}

/// Deflate cannot make data smaller than this many times (zlib's technical notes: 1032).
const MAX_DEFLATE_RATIO: u64 = 1032;

impl Record {
    /// The record's bytes: a range of the file, or inflated into memory.
    ///
    /// `budget` is what may still be inflated, in bytes, of `limit`.
    pub(crate) fn read(&self, budget: &mut u64, limit: u64) -> Result<Bytes, ZipError> {
        if !self.is_deflated {
            return Ok(self.bytes.clone());
        }
        let byte_len = self.charge(budget, limit)?;
        let (record, compressed) = (self.name.clone(), self.bytes.clone());
        let inflate = Recipe::Inflate(Inflate { record, compressed, byte_len, crc: None });
        inflate.compute().map(Bytes::held).map_err(|_| self.wrong())
    }

    /// The bytes of a record that is a range of the file.
    pub(crate) fn plain(&self) -> Option<&Bytes> {
        (!self.is_deflated).then_some(&self.bytes)
    }

    /// Bytes in the file, compressed or not.
    pub(crate) fn stored_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn wrong(&self) -> ZipError {
        ZipError::Inflate { name: self.name.clone(), announced: self.size }
    }

    /// Bytes that a compressed record announces, after they are taken from the budget.
    fn charge(&self, budget: &mut u64, limit: u64) -> Result<usize, ZipError> {
        if self.size > (self.bytes.len() as u64).saturating_mul(MAX_DEFLATE_RATIO) {
            return Err(self.wrong());
        }
        *budget = budget
            .checked_sub(self.size)
            .ok_or_else(|| ZipError::TooLarge { name: self.name.clone(), limit })?;
        usize::try_from(self.size).map_err(|_| self.wrong())
    }

    /// The record's bytes as a storage: a range of the file, with its checksum if there is one, or inflated when
    /// they are needed.
    ///
    /// `budget` is what may still be inflated, in bytes, of `limit`.
    pub(crate) fn storage(&self, budget: &mut u64, limit: u64) -> Result<Storage, ZipError> {
        if !self.is_deflated {
            let bytes = self.bytes.clone();
            return Ok(if self.lacks_checksum() {
                bytes.into()
            } else {
                Storage::Checksummed(Arc::new(Checksummed {
                    record: self.name.clone(),
                    bytes,
                    crc: self.crc,
                }))
            });
        }
        let byte_len = self.charge(budget, limit)?;
        let crc = (!self.lacks_checksum()).then_some(self.crc);
        let (record, compressed) = (self.name.clone(), self.bytes.clone());
        // Any number of tensors may view it.
        Ok(Storage::computed_once(Recipe::Inflate(Inflate { record, compressed, byte_len, crc })))
    }

    /// Compares the checksum with that of the record's bytes (inflated).
    pub(crate) fn check(&self, bytes: &[u8]) -> Checksum {
        if self.crc == 0 && !bytes.is_empty() {
            return Checksum::Absent;
        }
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        if crc.sum() == self.crc { Checksum::Right } else { Checksum::Wrong }
    }

    /// Whether a record that is not empty has no checksum.
    pub(crate) const fn lacks_checksum(&self) -> bool {
        self.crc == 0 && self.size > 0
    }
}
