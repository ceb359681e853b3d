//! The state_dict in a pickle whose storages lie elsewhere: common to the zip archive, the legacy stream and
//! the tar file.

use std::collections::HashSet;

use crate::lazy::{LazyTensor, Storage};
use crate::tensor::{ByteOrder, StateDictKey, Strided};

use super::error::ErrorKind;
use super::find::{self, Entry, EntryKind};
use super::pickle::torch::{StorageSpec, module_class, tensor};
use super::pickle::{self, Pickle, TensorError, UnsupportedTensor};
use super::read::{RawTensor, Read};
use super::state_dict::{OpenOptions, Role, Warning};

/// Where the storages of a pickle lie.
pub(super) trait Storages {
    /// The storage that a persistent id names: which of all (references to one storage have one number), and
    /// its bytes, whose number is checked against what the id says.
    fn storage(&mut self, spec: &StorageSpec<'_>) -> Result<(usize, Storage), TensorError>;

    /// The order of the bytes of an element.
    fn byte_order(&self) -> ByteOrder;
}

/// Bytes that a tensor may have when its view repeats elements of a smaller storage (`expand`): the file does
/// not pay for them, and a few bytes can claim terabytes. The largest layers of known models stay below it.
pub(super) const MAX_EXPANDED_BYTES: usize = 4 << 30;

/// Finds the state_dict in a pickle and reads its tensors.
pub(super) fn read(
    pickle: &Pickle<'_>,
    storages: &mut dyn Storages,
    options: &OpenOptions,
) -> Result<Read, ErrorKind> {
    let choice = find::choose(pickle, options.key.as_deref())?;
    let mut warnings = Vec::new();
    if choice.is_ema {
        warnings.push(Warning::MovingAverage { path: choice.path.clone() });
    }
    let entries = find::entries(pickle, choice.state_dict)?;
    let tensors = read_entries(pickle, storages, &entries, &mut warnings)?;
    Ok(Read { tensors, path: choice.path, candidates: choice.candidates, warnings, ..Read::default() })
}

/// Reads every entry; when tensors cannot be read, the first of them is the error.
fn read_entries(
    pickle: &Pickle<'_>,
    storages: &mut dyn Storages,
    entries: &[Entry],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<RawTensor>, ErrorKind> {
    let mut tensors = Vec::with_capacity(entries.len());
    let mut failed: Option<(StateDictKey, TensorError)> = None;
    let mut more = 0;
    let mut seen = HashSet::new();
    for entry in entries {
        let result = match (entry.kind, &entry.key) {
            (EntryKind::Tensor, Err(what)) => return Err(ErrorKind::TensorKey { what: what.clone() }),
            (EntryKind::Tensor, Ok(key)) => read_tensor(pickle, storages, entry, key).map(Some),
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
                warnings.push(Warning::NotATensor { key: key(), what: pickle.describe(entry.value) });
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

/// Reads one entry that is a tensor.
pub(super) fn read_tensor(
    pickle: &Pickle<'_>,
    storages: &mut dyn Storages,
    entry: &Entry,
    key: &str,
) -> Result<RawTensor, TensorError> {
    if is_fsdp_flat(key) {
        return Err(TensorError::Unsupported(UnsupportedTensor::FsdpFlat));
    }
    let spec = tensor(pickle, entry.value)?;
    let (storage, bytes) = storages.storage(&spec.storage)?;
    let size = spec.dtype.size();
    let width = spec.storage.width();
    let byte_order = match storages.byte_order() {
        // torch swaps by the element size of the storage's class, and does not swap untyped storages.
        ByteOrder::Big if width == size => ByteOrder::Big,
        ByteOrder::Big if width > 1 => {
            return Err(TensorError::ByteOrder { storage_width: width, dtype: spec.dtype });
        }
        ByteOrder::Big | ByteOrder::Little => ByteOrder::Little,
    };
    let logical = spec.shape.numel().saturating_mul(size);
    if logical > bytes.byte_len().max(MAX_EXPANDED_BYTES) {
        return Err(TensorError::Expanded {
            storage: bytes.byte_len(),
            bytes: logical,
            limit: MAX_EXPANDED_BYTES,
        });
    }
    let view = Strided::new(spec.shape, spec.strides, spec.offset, bytes.byte_len() / size)?;
    let tensor = LazyTensor { dtype: spec.dtype, view, byte_order, storage: bytes };
    Ok(RawTensor { key: key.to_owned(), tensor, storage: Some(storage), role: Role::Unknown })
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
