//! `.keras` archives: a zip of `config.json` and `model.weights.h5`.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::lazy::Bytes;

use super::error::ErrorKind;
use super::json::MAX_CONFIG_BYTES;

/// The first bytes of a zip file that has members.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// The name of the weights in an archive.
const WEIGHTS: &str = "model.weights.h5";

/// The name of the configuration in an archive.
const CONFIG: &str = "config.json";

/// The longest weights that are inflated into memory. Keras stores them, and stored ones are mapped.
const MAX_INFLATED_BYTES: u64 = 16 << 30;

/// An archive whose directory has been read.
pub(super) struct Archive {
    zip: ZipArchive<Cursor<Shared>>,
    bytes: Bytes,
}

/// `Bytes` for a library that reads from what it owns.
#[derive(Clone)]
pub(super) struct Shared(Bytes);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Archive {
    /// Reads the directory.
    pub(super) fn open(bytes: Bytes) -> Result<Self, ErrorKind> {
        let zip = ZipArchive::new(Cursor::new(Shared(bytes.clone())))?;
        Ok(Self { zip, bytes })
    }

    /// The text of `config.json`.
    pub(super) fn config(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let (bytes, _) = self.member(CONFIG, MAX_CONFIG_BYTES)?;
        Ok(bytes.as_slice().to_vec())
    }

    /// The HDF5 file with the weights.
    pub(super) fn weights(&mut self) -> Result<Bytes, ErrorKind> {
        Ok(self.member(WEIGHTS, MAX_INFLATED_BYTES)?.0)
    }

    /// A member, and whether it is stored (then it is a range of the archive).
    fn member(&mut self, name: &'static str, limit: u64) -> Result<(Bytes, bool), ErrorKind> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Err(ErrorKind::NoMember { member: name });
        };
        let file = self.zip.by_index(index)?;
        let size = file.size();
        if size > limit {
            return Err(ErrorKind::TooLarge { part: name, bytes: size, limit });
        }
        let truncated = || ErrorKind::Truncated { at: name.to_owned() };
        if file.compression() == zip::CompressionMethod::Stored {
            let start = file.data_start().and_then(|start| usize::try_from(start).ok());
            let start = start.ok_or_else(truncated)?;
            let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
            let range = start..end.ok_or_else(truncated)?;
            return Ok((self.bytes.slice(range).ok_or_else(truncated)?, true));
        }
        let mut inflated = Vec::new();
        file.take(limit).read_to_end(&mut inflated)?;
        if u64::try_from(inflated.len()) != Ok(size) {
            return Err(truncated());
        }
        Ok((Bytes::held(inflated), false))
    }
}
