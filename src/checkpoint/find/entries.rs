//! What a state_dict holds.

use std::collections::HashSet;

use super::MAX_DEPTH;
use super::words::{is_aside, is_extra_state};
use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::pickle::torch::{is_tensor, module_class};
use crate::checkpoint::pickle::{Dict, Pickle, Value, ValueId};

/// Entries of one state_dict, nested dictionaries included. Shared dictionaries can multiply to any number.
pub(super) const MAX_ENTRIES: usize = 1 << 20;

/// Bytes of the keys of one state_dict: 256 for each of the most entries there may be.
const MAX_KEY_BYTES: usize = MAX_ENTRIES * 256;

/// One entry of a chosen state_dict.
pub(crate) struct Entry {
    /// The key, with nested dictionaries' keys joined by dots; what it is instead when it is no text.
    pub(crate) key: Result<String, String>,
    pub(crate) value: ValueId,
    pub(crate) kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// A tensor, readable or not.
    Tensor,
    /// Something else, which must not hold tensors.
    Other,
    /// Extra state or an optimizer's: no weights, whatever is in it.
    Aside,
}

/// The entries of a state_dict in order. Dictionaries of tensors in it are part of it: their keys are joined
/// by dots.
pub(crate) fn entries(pickle: &Pickle<'_>, id: ValueId) -> Result<Vec<Entry>, TooMany> {
    let mut flat =
        Flat { pickle, entries: Vec::new(), budget: Budget { entries: MAX_ENTRIES, bytes: MAX_KEY_BYTES } };
    flat.add(id, "", 0)?;
    Ok(flat.entries)
}

/// The entries of a state_dict, or their keys, are more than any model has.
#[derive(Debug)]
pub(crate) struct TooMany;

impl From<TooMany> for ErrorKind {
    fn from(_: TooMany) -> Self {
        Self::TooManyEntries { limit: MAX_ENTRIES }
    }
}

/// What may still be added: shared dictionaries multiply entries, and long keys their bytes.
struct Budget {
    entries: usize,
    bytes: usize,
}

impl Budget {
    fn take(&mut self, entries: usize, bytes: usize) -> Result<(), TooMany> {
        self.entries = self.entries.checked_sub(entries).ok_or(TooMany)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(TooMany)?;
        Ok(())
    }
}

struct Flat<'p, 'a> {
    pickle: &'p Pickle<'a>,
    entries: Vec<Entry>,
    budget: Budget,
}

impl Flat<'_, '_> {
    /// Adds what a dictionary holds; whether there was a tensor. Recursive to [`MAX_DEPTH`].
    fn add(&mut self, id: ValueId, prefix: &str, depth: usize) -> Result<bool, TooMany> {
        let pickle = self.pickle;
        let Some(dict) = pickle.dict(id) else { return Ok(false) };
        let mut has_tensor = false;
        for (key_id, value) in dict.items() {
            let Some(text) = pickle.text(key_id) else {
                self.budget.take(1, 0)?;
                let kind = if is_tensor(pickle, value) { EntryKind::Tensor } else { EntryKind::Other };
                has_tensor |= kind == EntryKind::Tensor;
                self.entries.push(Entry { key: Err(pickle.describe(key_id)), value, kind });
                continue;
            };
            self.budget.take(1, prefix.len() + text.len())?;
            let key = format!("{prefix}{text}");
            let kind = if is_tensor(pickle, value) {
                has_tensor = true;
                EntryKind::Tensor
            } else if is_extra_state(text) {
                EntryKind::Aside
            } else if let Some(nested) = pickle.dict(value) {
                if is_aside(text) || is_optimizer(pickle, nested) {
                    EntryKind::Aside
                } else if depth < MAX_DEPTH {
                    let start = self.entries.len();
                    if self.add(value, &format!("{key}."), depth + 1)? {
                        has_tensor = true;
                        continue;
                    }
                    self.entries.truncate(start);
                    EntryKind::Other
                } else {
                    EntryKind::Other
                }
            } else {
                EntryKind::Other
            };
            self.entries.push(Entry { key: Ok(key), value, kind });
        }
        Ok(has_tensor)
    }
}

/// How many tensors a state_dict holds, as [`entries`] has them; `None` when `budget` does not suffice.
pub(super) fn count(pickle: &Pickle<'_>, id: ValueId, budget: &mut usize) -> Option<usize> {
    let mut tensors = 0;
    let mut pending = vec![(id, 0)];
    while let Some((id, depth)) = pending.pop() {
        let Some(dict) = pickle.dict(id) else { continue };
        *budget = budget.checked_sub(dict.len())?;
        for (key, value) in dict.items() {
            if is_tensor(pickle, value) {
                tensors += 1;
            } else if let (Some(key), Some(nested)) = (pickle.text(key), pickle.dict(value))
                && depth < MAX_DEPTH
                && !is_aside(key)
                && !is_optimizer(pickle, nested)
            {
                pending.push((value, depth + 1));
            }
        }
    }
    Some(tensors)
}

/// Whether a value holds a tensor or a module anywhere. `seen` carries over from one call to the next: what
/// was seen before held none.
pub(crate) fn holds_tensors(pickle: &Pickle<'_>, id: ValueId, seen: &mut HashSet<ValueId>) -> bool {
    let mut pending = vec![id];
    while let Some(id) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        if is_tensor(pickle, id) || module_class(pickle, id).is_some() {
            return true;
        }
        match pickle.get(id) {
            Value::Tuple(elements) => pending.extend(elements.iter()),
            Value::List(elements) | Value::Set(elements) | Value::FrozenSet(elements) => {
                pending.extend(elements)
            }
            Value::Dict(dict) => {
                pending.extend(dict.items().map(|(_, value)| value));
                pending.extend(dict.state());
            }
            Value::Object(object) => {
                pending.extend([object.callable, object.args]);
                pending.extend(object.kwargs);
                pending.extend(object.state);
                pending.extend(&object.appended);
                pending.extend(object.items.items().map(|(_, value)| value));
            }
            Value::Persistent(_)
            | Value::Global { .. }
            | Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Long(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::RawText(_)
            | Value::Bytes(_) => {}
        }
    }
    false
}

/// An optimizer's own state_dict, by its structure: `state` holds as many tensors as the weights.
pub(super) fn is_optimizer(pickle: &Pickle<'_>, dict: &Dict) -> bool {
    pickle.item(dict, "param_groups").is_some() && pickle.item(dict, "state").is_some()
}
