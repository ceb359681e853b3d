//! The state_dict in a pickle whose storages lie elsewhere: common to the zip archive, the legacy stream and
//! the tar file.

use std::collections::HashSet;

use crate::lazy::Storage;
use crate::tensor::{ByteOrder, StateDictKey};

use super::error::ErrorKind;
use super::find::{self, Entry, EntryKind};
use super::pickle::torch::{StorageSpec, is_tensor, module_class, script_object_state};
use super::pickle::{Pickle, TensorError, UnsupportedTensor, ValueId};
use super::read::{RawTensor, Read};
use super::rebuild::Rebuild;
use super::state_dict::{OpenOptions, Warning};

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
    let choice = find::choose(pickle, options.key.as_deref())?;
    let mut warnings = Vec::new();
    if choice.is_ema {
        warnings.push(Warning::MovingAverage { path: choice.path.clone() });
    }
    let entries = find::entries(pickle, choice.state_dict)?;
    let tensors = read_entries(pickle, Rebuild::new(pickle, storages, options), &entries, &mut warnings)?;
    Ok(Read { tensors, path: choice.path, candidates: choice.candidates, warnings, ..Read::default() })
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
    entries: &[Entry],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<RawTensor>, ErrorKind> {
    let tensors = Vec::with_capacity(entries.len());
    let (without, seen) = (HashSet::new(), HashSet::new());
    let mut entries_read = Entries { pickle, rebuild, tensors, without, seen, elements: MAX_ELEMENTS };
    let mut failed: Option<(StateDictKey, TensorError)> = None;
    let mut more = 0;
    for entry in entries {
        let before = (entries_read.tensors.len(), warnings.len());
        let result = match (entry.kind, &entry.key) {
            (EntryKind::Tensor, Err(what)) => return Err(ErrorKind::TensorKey { what: what.clone() }),
            (EntryKind::Tensor, Ok(key)) => entries_read.tensor(entry.value, key).map(|()| true),
            (EntryKind::Other, Ok(key)) => entries_read.other(entry.value, key, warnings),
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
    tensors: Vec<RawTensor>,
    /// Tuples and lists that hold no tensors.
    without: HashSet<ValueId>,
    /// Other values that hold none, and what is in them.
    seen: HashSet<ValueId>,
    /// How many elements may still be looked at.
    elements: usize,
}

impl Entries<'_, '_> {
    fn tensor(&mut self, value: ValueId, key: &str) -> Result<(), TensorError> {
        if is_fsdp_flat(key) {
            return Err(TensorError::Unsupported(UnsupportedTensor::FsdpFlat));
        }
        self.tensors.append(&mut self.rebuild.tensors(value, key)?);
        Ok(())
    }

    /// Reads a tuple or list that holds tensors (`_packed_params` of quantized modules): its elements become
    /// `<key>.0`, `<key>.1`, …. Whether there were tensors. Anything else must hold none.
    fn other(&mut self, value: ValueId, key: &str, warnings: &mut Vec<Warning>) -> Result<bool, TensorError> {
        match self.elements(value, key, &mut Vec::new(), warnings)? {
            Some(has_tensor) => Ok(has_tensor),
            None => self.without_tensors(value).map(|()| false),
        }
    }

    /// As [`Self::other`], within the containers `around`; `None` for what is no tuple or list, is one of those
    /// around it, or lies in more than [`MAX_DEPTH`]. Recursive to that.
    fn elements(
        &mut self,
        value: ValueId,
        key: &str,
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
                self.tensor(element, &inner())?;
                has_tensor = true;
            } else if is_sequence(pickle, element) {
                match self.elements(element, &inner(), around, warnings)? {
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
        let pickle = self.pickle;
        if !find::holds_tensors(pickle, value, &mut self.seen) {
            return Ok(());
        }
        Err(TensorError::Unsupported(match module_class(pickle, value) {
            Some(class) => UnsupportedTensor::Module { class },
            None => UnsupportedTensor::Inside { what: pickle.describe(value) },
        }))
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
