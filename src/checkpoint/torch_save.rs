//! The zip archive of `torch.save` (formats/pytorch.md section 1).

use std::collections::{BTreeMap, HashSet};

use crate::bytes::{Bytes, LazyTensor};
use crate::tensor::{ByteOrder, StateDictKey, Strided};

use super::error::{ErrorKind, NotACheckpoint, UnsupportedForm};
use super::find::{self, Entry, EntryKind};
use super::pickle::torch::{StorageSpec, module_class, tensor};
use super::pickle::{self, Pickle, TensorError, UnsupportedTensor};
use super::state_dict::{RawTensor, Read, Warning};
use super::zip::{Archive, Checksum, Record};

/// Bytes that one archive may inflate to. Inflated records live in memory (torch never writes any), so this
/// is what a small machine has.
const MAX_INFLATED_BYTES: u64 = 4 << 30;

/// Up to this size the checksum of a storage's record is verified on opening; larger ones would mean to read
/// the whole file.
const MAX_CHECKED_BYTES: usize = 4 << 10;

/// Bytes that a tensor may have when its view repeats elements of a smaller storage (`expand`): the file does
/// not pay for them, and a few bytes can claim terabytes. The largest layers of known models stay below it.
const MAX_EXPANDED_BYTES: usize = 4 << 30;

/// Bytes of the records that hold a word (`byteorder`, `version`) that are looked at.
const MAX_WORD: u64 = 64;

/// The newest version of the archive that torch 2.15 reads.
const MAX_VERSION: u32 = 10;

/// Reads an archive's state_dict.
pub(super) fn read(bytes: &Bytes, key: Option<&str>) -> Result<Read, ErrorKind> {
    let archive = Archive::read(bytes)?;
    check_kind(&archive)?;
    let mut source = Source {
        archive: archive.strip_folder()?,
        byte_order: ByteOrder::Little,
        budget: MAX_INFLATED_BYTES,
        storages: BTreeMap::new(),
        warnings: Vec::new(),
        unchecked: Vec::new(),
    };
    source.read_words()?;
    let (_, record) =
        source.archive.get("data.pkl").ok_or(ErrorKind::MissingRecord { record: "data.pkl" })?;
    let pickled = record.read(&mut source.budget, MAX_INFLATED_BYTES)?;
    if record.check(pickled.as_slice()) == Checksum::Wrong {
        source.warnings.push(Warning::Checksum { record: record.name.clone() });
    }
    let pickle = pickle::parse(pickled.as_slice())?;
    let choice = find::choose(&pickle, key)?;
    if choice.is_ema {
        source.warnings.push(Warning::MovingAverage { path: choice.path.clone() });
    }
    let entries = find::entries(&pickle, choice.state_dict)?;
    let tensors = source.read_tensors(&pickle, &entries)?;
    if let Some(first) = source.unchecked.first() {
        let warning = Warning::NoChecksum { records: source.unchecked.len(), first: first.clone() };
        source.warnings.push(warning);
    }
    Ok(Read { tensors, path: choice.path, candidates: choice.candidates, warnings: source.warnings })
}

/// Tells archives of other programs by their entries.
fn check_kind(archive: &Archive) -> Result<(), ErrorKind> {
    let has = |wanted: &str| {
        archive
            .names()
            .any(|name| name == wanted || name.split_once('/').is_some_and(|(_, rest)| rest == wanted))
    };
    let has_at_root = |wanted: &str| archive.names().any(|name| name == wanted);
    if has("archive_format") || has_at_root("serialized_exported_program.json") {
        Err(ErrorKind::Unsupported(UnsupportedForm::Export))
    } else if has("constants.pkl") || has("model.json") {
        Err(ErrorKind::Unsupported(UnsupportedForm::TorchScript))
    } else if has_at_root("model.weights.h5") {
        Err(ErrorKind::NotACheckpoint(NotACheckpoint::KerasArchive))
    } else if archive.names().all(|name| name.ends_with(".npy")) {
        Err(ErrorKind::NotACheckpoint(NotACheckpoint::Numpy))
    } else {
        Ok(())
    }
}

/// An archive from which storages are read.
struct Source {
    archive: Archive,
    byte_order: ByteOrder,
    /// Bytes that may still be inflated.
    budget: u64,
    /// Storages read, by their record's place.
    storages: BTreeMap<usize, Bytes>,
    warnings: Vec<Warning>,
    /// Records without a checksum.
    unchecked: Vec<String>,
}

impl Source {
    fn read_words(&mut self) -> Result<(), ErrorKind> {
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

    /// The text of a small record.
    fn word(&mut self, name: &str) -> Result<Option<String>, ErrorKind> {
        let Some((_, record)) = self.archive.get(name) else { return Ok(None) };
        if record.size > MAX_WORD {
            return Ok(Some(format!("{} bytes", record.size)));
        }
        let bytes = record.read(&mut self.budget, MAX_INFLATED_BYTES)?;
        Ok(Some(String::from_utf8_lossy(bytes.as_slice().trim_ascii()).into_owned()))
    }

    /// Reads every entry; when tensors cannot be read, the first of them is the error.
    fn read_tensors(&mut self, pickle: &Pickle<'_>, entries: &[Entry]) -> Result<Vec<RawTensor>, ErrorKind> {
        let mut tensors = Vec::with_capacity(entries.len());
        let mut failed: Option<(StateDictKey, TensorError)> = None;
        let mut more = 0;
        let mut seen = HashSet::new();
        for entry in entries {
            let result = match (entry.kind, &entry.key) {
                (EntryKind::Tensor, Err(what)) => return Err(ErrorKind::TensorKey { what: what.clone() }),
                (EntryKind::Tensor, Ok(key)) => self.read_tensor(pickle, entry, key).map(Some),
                (EntryKind::Other, _) => check_other(pickle, entry, &mut seen),
                (EntryKind::Aside, _) => Ok(None),
            };
            let key = || match &entry.key {
                Ok(key) => StateDictKey::new(key.as_str()),
                Err(what) => StateDictKey::new(format!("<{what}>")),
            };
            match result {
                Ok(Some(tensor)) => tensors.push(tensor),
                Ok(None) => {
                    self.warnings
                        .push(Warning::NotATensor { key: key(), what: pickle.describe(entry.value) });
                }
                Err(reason) if failed.is_none() => failed = Some((key(), reason)),
                Err(_) => more += 1,
            }
        }
        match failed {
            Some((key, reason)) => Err(ErrorKind::Tensor { key, reason, more }),
            None => Ok(tensors),
        }
    }

    fn read_tensor(
        &mut self,
        pickle: &Pickle<'_>,
        entry: &Entry,
        key: &str,
    ) -> Result<RawTensor, TensorError> {
        let spec = tensor(pickle, entry.value)?;
        if is_fsdp_flat(key) {
            return Err(TensorError::Unsupported(UnsupportedTensor::FsdpFlat));
        }
        let (storage, bytes) = self.storage(&spec.storage)?;
        let size = spec.dtype.size();
        let width = spec.storage.width();
        let byte_order = match self.byte_order {
            // torch swaps by the element size of the storage's class, and does not swap untyped storages.
            ByteOrder::Big if width == size => ByteOrder::Big,
            ByteOrder::Big if width > 1 => {
                return Err(TensorError::ByteOrder { storage_width: width, dtype: spec.dtype });
            }
            ByteOrder::Big | ByteOrder::Little => ByteOrder::Little,
        };
        let logical = spec.shape.numel().saturating_mul(size);
        if logical > bytes.len().max(MAX_EXPANDED_BYTES) {
            return Err(TensorError::Expanded {
                storage: bytes.len(),
                bytes: logical,
                limit: MAX_EXPANDED_BYTES,
            });
        }
        let view = Strided::new(spec.shape, spec.strides, spec.offset, bytes.len() / size)?;
        let tensor = LazyTensor { dtype: spec.dtype, view, byte_order, bytes };
        Ok(RawTensor { key: key.to_owned(), tensor, storage: Some(storage) })
    }

    /// A storage's record: its place, and its bytes, whose number the pickle must know.
    fn storage(&mut self, spec: &StorageSpec<'_>) -> Result<(usize, Bytes), TensorError> {
        let name = format!("data/{}", spec.key);
        let Some((place, record)) = self.archive.get(&name) else {
            return Err(TensorError::MissingRecord { record: name });
        };
        let width = spec.width();
        if spec.numel.checked_mul(width).map(|bytes| bytes as u64) != Some(record.size) {
            let bytes = usize::try_from(record.size).unwrap_or(usize::MAX);
            return Err(TensorError::RecordSize { record: name, numel: spec.numel, width, bytes });
        }
        if let Some(bytes) = self.storages.get(&place) {
            return Ok((place, bytes.clone()));
        }
        let bytes = record.read(&mut self.budget, MAX_INFLATED_BYTES).map_err(TensorError::Record)?;
        if record.lacks_checksum() {
            self.unchecked.push(name);
        } else if (bytes.len() <= MAX_CHECKED_BYTES || !bytes.is_mapped()) && is_wrong(record, &bytes) {
            self.warnings.push(Warning::Checksum { record: name });
        }
        self.storages.insert(place, bytes.clone());
        Ok((place, bytes))
    }
}

fn is_wrong(record: &Record, bytes: &Bytes) -> bool {
    record.check(bytes.as_slice()) == Checksum::Wrong
}

/// Lets pass what holds no tensors.
fn check_other(
    pickle: &Pickle<'_>,
    entry: &Entry,
    seen: &mut HashSet<pickle::ValueId>,
) -> Result<Option<RawTensor>, TensorError> {
    if find::holds_tensors(pickle, entry.value, seen) {
        if let Some(class) = module_class(pickle, entry.value) {
            return Err(TensorError::Unsupported(UnsupportedTensor::Module { class }));
        }
        let what = pickle.describe(entry.value);
        return Err(TensorError::Unsupported(UnsupportedTensor::Inside { what }));
    }
    Ok(None)
}

/// FSDP's local flat parameters: many tensors in one, without their names.
fn is_fsdp_flat(key: &str) -> bool {
    key.split('.')
        .any(|segment| segment == "_flat_param" || segment == "_fpw_module" || segment == "flat_param_0")
}
