//! Compressed records of zip archives (formats/pytorch.md section 1.3).

use std::io::Read;

use crate::lazy::{Bytes, LoadError};

use super::memory::reserve;

/// A deflated record.
#[derive(Debug)]
pub struct Inflate {
    /// The record's name, for errors.
    pub record: String,
    /// The record as it stands in the file.
    pub compressed: Bytes,
    /// Bytes when inflated, checked against what deflate can reach.
    pub byte_len: usize,
    /// The CRC-32 of the inflated bytes, where the archive has one.
    pub crc: Option<u32>,
}

impl Inflate {
    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let wrong = || LoadError::Inflate { record: self.record.clone(), announced: self.byte_len };
        let mut inflated = reserve(self.byte_len)?;
        flate2::read::DeflateDecoder::new(self.compressed.as_slice())
            .take((self.byte_len as u64).saturating_add(1))
            .read_to_end(&mut inflated)
            .map_err(|_| wrong())?;
        if inflated.len() != self.byte_len {
            return Err(wrong());
        }
        if let Some(expected) = self.crc {
            let mut crc = flate2::Crc::new();
            crc.update(&inflated);
            if crc.sum() != expected {
                return Err(LoadError::Checksum { record: self.record.clone() });
            }
        }
        Ok(inflated)
    }
}
