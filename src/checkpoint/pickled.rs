//! The state_dict in a pickle whose storages lie elsewhere: common to the zip archive, the legacy stream and
//! the tar file.

use std::collections::HashSet;

use crate::lazy::Storage;
use crate::tensor::{ByteOrder, StateDictKey};

use super::error::ErrorKind;
use super::find::{self, Entry, EntryKind};
use super::pickle::torch::{StorageSpec, is_sharded, is_tensor, script_object_state};
use super::pickle::{Holders, Pickle, TensorError, UnsupportedTensor, ValueId};
use super::read::{RawTensor, Read};
use super::rebuild::Rebuild;
use super::state_dict::{OpenOptions, Role, Warning};

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
    let found = choice.entries(pickle)?;
    let mut warnings = choice.warnings;
    warnings.extend(found.warnings);
    let rebuild = Rebuild::new(pickle, storages, options);
    let tensors = read_entries(pickle, rebuild, &choice.holders, &found.entries, &mut warnings)?;
    let (path, candidates, trainer) = (choice.path, choice.candidates, choice.trainer);
    Ok(Read { tensors, path, candidates, warnings, trainer, ..Read::default() })
}

/// Elements of tuples and lists that are looked at for tensors, those of containers without any aside. They
/// may be shared, and multiply.
const MAX_ELEMENTS: usize = 1 << 16;

/// Tuples and lists in one another in which tensors are looked for. The packed parameters of a quantized cell
/// lie in four.
const MAX_DEPTH: usize = 8;

/// Reads every entry; when tensors cannot be read, the first of them is the error.
fn read_entries<'s, 'a>(
    pickle: &'s Pickle<'a>,
    rebuild: Rebuild<'s, 'a>,
    holders: &'s Holders,
    entries: &[Entry],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<RawTensor>, ErrorKind> {
    let tensors = Vec::with_capacity(entries.len());
    let without = HashSet::new();
    let mut entries_read = Entries { pickle, rebuild, holders, tensors, without, elements: MAX_ELEMENTS };
    let mut failed: Option<(StateDictKey, TensorError)> = None;
    let mut more = 0;
    for entry in entries {
        let before = (entries_read.tensors.len(), warnings.len());
        let result = match (entry.kind, &entry.key) {
            (EntryKind::Tensor, Err(what)) => return Err(ErrorKind::TensorKey { what: what.clone() }),
            (EntryKind::Tensor, Ok(key)) => entries_read.tensor(entry.value, key, entry.role).map(|()| true),
            (EntryKind::Other, Ok(key)) => entries_read.other(entry, key, warnings),
            (EntryKind::Other, Err(_)) => entries_read.without_tensors(entry.value).map(|()| false),
            (EntryKind::Aside, _) => Ok(false),
        };
        let key = || match &entry.key {
            Ok(key) => StateDictKey::new(key.as_str()),
            Err(what) => StateDictKey::new(format!("<{what}>")),
        };
        match result {
            Ok(true) => {}
            Ok(false) => {
                warnings.truncate(before.1);
                warnings.push(Warning::NotATensor { key: key(), what: pickle.describe(entry.value) });
            }
            Err(reason) if failed.is_none() => failed = Some((key(), reason)),
            Err(_) => more += 1,
        }
    }
    match failed {
        Some((key, reason)) => Err(ErrorKind::Tensor { key, reason, more }),
        None => Ok(entries_read.tensors),
    }
}

/// The entries of a state_dict, as far as they are read.
struct Entries<'s, 'a> {
    pickle: &'s Pickle<'a>,
    rebuild: Rebuild<'s, 'a>,
    holders: &'s Holders,
    tensors: Vec<RawTensor>,
    /// Tuples and lists that hold no tensors.
    without: HashSet<ValueId>,
    /// How many elements may still be looked at.
    elements: usize,
}

impl Entries<'_, '_> {
    fn tensor(&mut self, value: ValueId, key: &str, role: Role) -> Result<(), TensorError> {
        if is_fsdp_flat(key) {
            return Err(TensorError::Unsupported(UnsupportedTensor::FsdpFlat));
        }
        if is_sharded(self.pickle, value) {
            return Err(TensorError::Unsupported(UnsupportedTensor::Sharded));
        }
        let read = self.rebuild.tensors(value, key)?;
        self.tensors.extend(read.into_iter().map(|tensor| RawTensor { role, ..tensor }));
        Ok(())
    }

    /// Reads a tuple or list that holds tensors (`_packed_params` of quantized modules): its elements become
    /// `<key>.0`, `<key>.1`, …. Whether there were tensors. Anything else must hold none.
    fn other(&mut self, entry: &Entry, key: &str, warnings: &mut Vec<Warning>) -> Result<bool, TensorError> {
        match self.elements(entry.value, key, entry.role, &mut Vec::new(), warnings)? {
            Some(has_tensor) => Ok(has_tensor),
            None => self.without_tensors(entry.value).map(|()| false),
        }
    }

    /// As [`Self::other`], within the containers `around`; `None` for what is no tuple or list, is one of those
    /// around it, or lies in more than [`MAX_DEPTH`]. Recursive to that.
    fn elements(
        &mut self,
        value: ValueId,
        key: &str,
        role: Role,
        around: &mut Vec<ValueId>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<bool>, TensorError> {
        let pickle = self.pickle;
        let container = script_object_state(pickle, value).unwrap_or(value);
        let elements = match pickle.sequence(container) {
            _ if self.without.contains(&container) => return Ok(Some(false)),
            Some(elements) if around.len() < MAX_DEPTH && !around.contains(&container) => elements,
            _ => return Ok(None),
        };
        around.push(container);
        let mut has_tensor = false;
        let mut others = Vec::new();
        for (place, &element) in elements.iter().enumerate() {
            let inner = || format!("{key}.{place}");
            if is_tensor(pickle, element) {
                self.tensor(element, &inner(), role)?;
                has_tensor = true;
            } else if is_sequence(pickle, element) {
                match self.elements(element, &inner(), role, around, warnings)? {
                    Some(true) => has_tensor = true,
                    Some(false) => others.push((place, element)),
                    None => return Ok(None),
                }
            } else {
                self.without_tensors(element)?;
                others.push((place, element));
            }
        }
        around.pop();
        if has_tensor {
            self.count(elements.len())?;
            warnings.extend(others.into_iter().map(|(place, element)| Warning::NotATensor {
                key: StateDictKey::new(format!("{key}.{place}")),
                what: pickle.describe(element),
            }));
        } else {
            self.without.insert(container);
        }
        Ok(Some(has_tensor))
    }

    fn count(&mut self, elements: usize) -> Result<(), TensorError> {
        let left = self.elements.checked_sub(elements);
        self.elements = left.ok_or(TensorError::Parts { limit: MAX_ELEMENTS })?;
        Ok(())
    }

    /// Lets pass what holds no tensors.
    fn without_tensors(&mut self, value: ValueId) -> Result<(), TensorError> {
        if !self.holders.holds(value) {
            return Ok(());
        }
        let what = self.pickle.describe(value);
        Err(TensorError::Unsupported(UnsupportedTensor::Inside { what }))
    }
}

/// Whether a value's elements can be tensors with names.
fn is_sequence(pickle: &Pickle<'_>, value: ValueId) -> bool {
    pickle.sequence(script_object_state(pickle, value).unwrap_or(value)).is_some()
}

/// FSDP's local flat parameters: many tensors in one, without their names.
fn is_fsdp_flat(key: &str) -> bool {
    key.split('.')
        .any(|segment| segment == "_flat_param" || segment == "_fpw_module" || segment == "flat_param_0")
}
