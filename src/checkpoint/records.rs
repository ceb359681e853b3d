//! The records of a zip archive, and the storages among them (formats/pytorch.md sections 1.1 to 1.6).

use crate::lazy::{Bytes, Storage};
use crate::tensor::ByteOrder;

use super::error::ErrorKind;
use super::pickle::TensorError;
use super::pickle::torch::StorageSpec;
use super::pickled::Storages;
use super::state_dict::Warning;
use super::zip::{Archive, Checksum, Record};

/// Bytes that the compressed records of one archive may inflate to. torch compresses no storages; other
/// programs that packed an archive again may have. What is inflated lives in memory, so this is what a small
/// machine has.
const MAX_INFLATED_BYTES: u64 = 4 << 30;

/// Bytes that a compressed record of any size may inflate to which is read on opening: the pickle. torch does not
/// compress it, and 10,000 tensors take a tenth of this.
const MIN_HELD_LIMIT: u64 = 8 << 20;

/// Bytes that a large compressed record may inflate to for each of its own. Pickles that were packed again are
/// made smaller by 6 times.
const HELD_PER_BYTE: u64 = 8;

/// Up to this size the checksum of a storage's record is verified on opening; larger ones would mean to read
/// the whole file. Theirs are verified by [`super::Checkpoint::check_records`].
const MAX_CHECKED_BYTES: usize = 4 << 10;

/// Bytes of the records that hold a word (`byteorder`, `version`) that are looked at.
const MAX_WORD: u64 = 64;

/// The newest version of the archive that torch 2.15 reads.
const MAX_VERSION: u32 = 10;

/// An archive from which records and storages are read.
pub(super) struct Records {
    archive: Archive,
    /// What stands before a storage's key in the name of its record: `data/`.
    folder: &'static str,
    byte_order: ByteOrder,
    /// Bytes that may still be inflated.
    budget: u64,
    /// Storages read, by their record's place.
    storages: Vec<Option<Storage>>,
    /// The name of the record that was looked for last; it is kept for its memory.
    name: String,
    warnings: Vec<Warning>,
    /// How many records have no checksum, and the first.
    unchecked: usize,
    first_unchecked: Option<String>,
}

impl Records {
    /// The records of an archive whose entries' common folder was stripped; storages lie in `folder`.
    pub(super) fn new(archive: Archive, folder: &'static str) -> Self {
        Self {
            storages: vec![None; archive.len()],
            name: String::new(),
            archive,
            folder,
            byte_order: ByteOrder::Little,
            budget: MAX_INFLATED_BYTES,
            warnings: Vec::new(),
            unchecked: 0,
            first_unchecked: None,
        }
    }

    /// Reads `byteorder` and `version`.
    pub(super) fn read_words(&mut self) -> Result<(), ErrorKind> {
        match self.word("byteorder")?.as_deref() {
            None | Some("little") => {}
            Some("big") => self.byte_order = ByteOrder::Big,
            Some(other) => return Err(ErrorKind::ByteOrder { found: other.to_owned() }),
        }
        if let Some(version) = self.word("version")?
            && !version.parse().is_ok_and(|version: u32| (1..=MAX_VERSION).contains(&version))
        {
            self.warnings.push(Warning::Version { version });
        }
        Ok(())
    }

    /// Whether there is a record.
    pub(super) fn has(&self, name: &str) -> bool {
        self.archive.get(name).is_some()
    }

    /// The text of a small record, if there is the record.
    pub(super) fn word(&mut self, name: &str) -> Result<Option<String>, ErrorKind> {
        let Some((_, record)) = self.archive.get(name) else { return Ok(None) };
        if record.size > MAX_WORD {
            return Ok(Some(format!("{} bytes", record.size)));
        }
        let bytes = record.read(&mut self.budget, MAX_INFLATED_BYTES)?;
        Ok(Some(String::from_utf8_lossy(bytes.as_slice().trim_ascii()).into_owned()))
    }

    /// A whole record that torch always writes; compressed ones are inflated. A wrong checksum is a warning.
    pub(super) fn read(&mut self, name: &'static str) -> Result<Bytes, ErrorKind> {
        let (_, record) = self.archive.get(name).ok_or(ErrorKind::MissingRecord { record: name })?;
        let limit = held_limit(record);
        let bytes = record.read(&mut self.budget.min(limit), limit)?;
        if record.check(bytes.as_slice()) == Checksum::Wrong {
            self.warnings.push(Warning::Checksum { record: record.name.clone() });
        }
        Ok(bytes)
    }

    /// A whole record that need not be there, of at most `limit` bytes when it is compressed. A wrong checksum
    /// is a warning.
    pub(super) fn find(&mut self, name: &str, limit: u64) -> Result<Option<Bytes>, ErrorKind> {
        let Some((_, record)) = self.archive.get(name) else { return Ok(None) };
        let mut budget = limit.min(self.budget);
        let before = budget;
        let bytes = record.read(&mut budget, limit)?;
        self.budget = self.budget.saturating_sub(before.saturating_sub(budget));
        if record.check(bytes.as_slice()) == Checksum::Wrong {
            self.warnings.push(Warning::Checksum { record: record.name.clone() });
        }
        Ok(Some(bytes))
    }

    /// Bytes that a record which describes others may inflate to, if there is the record.
    pub(super) fn held_limit(&self, name: &str) -> Option<u64> {
        self.archive.get(name).map(|(_, record)| held_limit(record))
    }

    /// Bytes of a record when inflated, if there is the record.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.archive.get(name).map(|(_, record)| record.size)
    }

    /// The names of the records, in the order of the directory.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.archive.names()
    }

    /// Where the storages of the next pickle lie.
    pub(super) const fn set_folder(&mut self, folder: &'static str) {
        self.folder = folder;
    }

    /// A storage by the name of its record: its place, and its bytes.
    pub(super) fn storage_at(&mut self, name: &str) -> Result<(usize, Storage), TensorError> {
        let Some((place, record)) = self.archive.get(name) else {
            return Err(TensorError::MissingRecord { record: name.to_owned() });
        };
        if let Some(Some(storage)) = self.storages.get(place) {
            return Ok((place, storage.clone()));
        }
        let small = record.plain().filter(|bytes| bytes.len() <= MAX_CHECKED_BYTES);
        let storage = match small.filter(|_| !record.lacks_checksum()) {
            Some(bytes) => {
                if record.check(bytes.as_slice()) == Checksum::Wrong {
                    self.warnings.push(Warning::Checksum { record: name.to_owned() });
                }
                bytes.clone().into()
            }
            None => record.storage(&mut self.budget, MAX_INFLATED_BYTES).map_err(TensorError::Record)?,
        };
        if record.lacks_checksum() {
            self.unchecked += 1;
            self.first_unchecked.get_or_insert_with(|| name.to_owned());
        }
        if let Some(slot) = self.storages.get_mut(place) {
            *slot = Some(storage.clone());
        }
        Ok((place, storage))
    }

    /// What was found on the way.
    pub(super) fn into_warnings(mut self) -> Vec<Warning> {
        if let Some(first) = self.first_unchecked {
            self.warnings.push(Warning::NoChecksum { records: self.unchecked, first });
        }
        self.warnings
    }
}

/// Bytes that a record which is read on opening may inflate to.
fn held_limit(record: &Record) -> u64 {
    record.stored_len().saturating_mul(HELD_PER_BYTE).max(MIN_HELD_LIMIT)
}

impl Storages for Records {
    fn storage(&mut self, spec: &StorageSpec<'_>) -> Result<(usize, Storage), TensorError> {
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        name.push_str(self.folder);
        name.push_str(spec.key);
        let found = self.storage_at(&name);
        let (width, numel) = (spec.width(), spec.numel);
        let found = found.and_then(|(place, storage)| match storage.byte_len() {
            bytes if numel.checked_mul(width) == Some(bytes) => Ok((place, storage)),
            bytes => Err(TensorError::RecordSize { record: name.clone(), numel, width, bytes }),
        });
        self.name = name;
        found
    }

    fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }
}
