//! What stands for things outside of a pickle, and what is put in its place when they are known.

use super::error::PickleErrorKind;
use super::machine::MAX_VALUES;
use super::value::{Pickle, Value, ValueId};

impl<'a> Pickle<'a> {
    /// Every persistent id: the value that stands for the thing outside, and the id, in the order in which
    /// Python asks for them.
    pub(crate) fn persistent_ids(&self) -> Vec<(ValueId, ValueId)> {
        let ids = self.values.iter().zip(0..).filter_map(|(value, place)| match value {
            Value::Persistent(id) => Some((ValueId(place), *id)),
            _ => None,
        });
        ids.collect()
    }

    /// Puts a value in the place of another.
    pub(crate) fn replace(&mut self, id: ValueId, value: Value<'a>) {
        if let Some(slot) = self.values.get_mut(id.0 as usize) {
            *slot = value;
        }
    }

    /// Adds a value that the pickle does not make.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn add(&mut self, value: Value<'a>) -> Result<ValueId, PickleErrorKind> {
        let place = self.values.len();
        if place >= 2 * MAX_VALUES {
            return Err(PickleErrorKind::TooManyValues { limit: MAX_VALUES });
        }
        self.values.push(value);
        // At most twice MAX_VALUES, which fits in u32.
        Ok(ValueId(place as u32))
    }
}
