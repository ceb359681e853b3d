//! The state_dict in a pickle whose storages lie elsewhere: common to the zip archive, the legacy stream and
//! the tar file.

use crate::lazy::Storage;
use crate::tensor::{ByteOrder, StateDictKey};

use super::error::ErrorKind;
use super::find::{self, Entries, Entry, EntryKind};
use super::key_budget::KeyBudget;
use super::pickle::torch::StorageSpec;
use super::pickle::{Holders, Pickle, TensorError, UnsupportedTensor};
use super::read::{RawTensor, Read};
use super::rebuild::{Budget, Rebuild};
use super::state_dict::{OpenOptions, Warning};
use super::unreadable::Unreadable;

/// Where the storages of a pickle lie.
pub(super) trait Storages {
    /// The storage that a persistent id names: which of all (references to one storage have one number), and
    /// its bytes, whose number is checked against what the id says.
    fn storage(&mut self, spec: &StorageSpec<'_>) -> Result<(usize, Storage), TensorError>;

    /// The order of the bytes of an element.
    fn byte_order(&self) -> ByteOrder;
}

/// Finds the state_dict in a pickle and reads its tensors.
pub(super) fn read(
    pickle: &Pickle<'_>,
    storages: &mut dyn Storages,
    options: &OpenOptions,
) -> Result<Read, ErrorKind> {
    let choice = find::choose(pickle, options)?;
    let (mut found, keys) = choice.entries(pickle)?;
    let mut warnings = choice.warnings;
    warnings.append(&mut found.warnings);
    let mut budget = Budget::default();
    let rebuild = Rebuild::new(pickle, storages, options, &mut budget);
    let tensors = read_entries(pickle, rebuild, &choice.holders, &found, keys, &mut warnings)?;
    let (path, candidates, trainer) = (choice.path, choice.candidates, choice.trainer);
    Ok(Read { tensors, path, candidates, warnings, trainer, ..Read::default() })
}

/// Reads every entry; when tensors cannot be read, the first of them is the error.
fn read_entries(
    pickle: &Pickle<'_>,
    mut rebuild: Rebuild<'_, '_>,
    holders: &Holders,
    found: &Entries,
    mut budget: KeyBudget,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<RawTensor>, ErrorKind> {
    let mut tensors = Vec::with_capacity(found.len());
    let mut unreadable = Unreadable::default();
    for (key, entry) in found.each() {
        let first = tensors.len();
        let result = match (entry.kind, key) {
            (EntryKind::Tensor, Err(what)) => return Err(ErrorKind::TensorKey { what: what.to_owned() }),
            (EntryKind::Tensor, Ok(key)) => rebuild.add(entry.value, key, &mut tensors),
            (EntryKind::Other, _) => check_other(pickle, holders, entry),
            (EntryKind::Aside, _) => Ok(()),
        };
        let key = || match key {
            Ok(key) => StateDictKey::new(key),
            Err(what) => StateDictKey::new(format!("<{what}>")),
        };
        match result {
            Ok(()) if entry.kind == EntryKind::Tensor => {
                // Tensors are only ever added, so what this one added begins there.
                let added = tensors.get_mut(first..).unwrap_or_default();
                budget.take_tensors(added)?;
                added.iter_mut().for_each(|raw| raw.role = entry.role);
            }
            Ok(()) => {
                warnings.push(Warning::NotATensor { key: key(), what: pickle.describe(entry.value) });
            }
            Err(reason) => unreadable.add(key(), reason),
        }
    }
    unreadable.finish()?;
    Ok(tensors)
}

/// Lets pass what holds no tensors.
fn check_other(pickle: &Pickle<'_>, holders: &Holders, entry: &Entry) -> Result<(), TensorError> {
    if holders.holds(entry.value) {
        let what = pickle.describe(entry.value);
        return Err(TensorError::Unsupported(UnsupportedTensor::Inside { what }));
    }
    Ok(())
}
