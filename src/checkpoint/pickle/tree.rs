//! Nested dictionaries that were not pickled as such: the entries of a distributed checkpoint.

use super::machine::Key;
use super::value::{Dict, Pickle, Value, ValueId};
use crate::map::Map;

/// Bytes that stand in the metadata of a distributed checkpoint for each value made here: an entry becomes two to
/// four values, and takes more than 200 bytes.
const BYTES_PER_VALUE: usize = 50;

/// Nested dictionaries with text keys that are being built.
pub(crate) struct Tree<'a> {
    pickle: Pickle<'a>,
}

impl<'a> Tree<'a> {
    /// An empty dictionary.
    pub(crate) fn new() -> Self {
        let root = Value::Dict(Box::<Dict>::default());
        let key_classes = Map::default();
        Self { pickle: Pickle { values: vec![root], key_classes, root: ValueId(0), byte_len: 0, memory: 0 } }
    }

    /// A new value that stands for a tensor.
    pub(crate) fn tensor(&mut self) -> ValueId {
        let tag = self.push(Value::Text("storage"));
        let id = self.push(Value::Tuple([tag].as_slice().into()));
        self.push(Value::Persistent(id))
    }

    /// A new value that stands for anything else.
    pub(crate) fn other(&mut self) -> ValueId {
        self.push(Value::None)
    }

    /// Puts a value at the end of a path; `None` when the place is taken, or leads through a value that is
    /// no dictionary.
    pub(crate) fn insert(&mut self, path: &[&'a str], leaf: ValueId) -> Option<()> {
        let (last, through) = path.split_last()?;
        let mut at = self.pickle.root;
        for key in through {
            at = match self.child(at, key)? {
                Some(next) => next,
                None => {
                    let next = self.push(Value::Dict(Box::<Dict>::default()));
                    self.set(at, key, next)?;
                    next
                }
            };
        }
        match self.child(at, last)? {
            Some(_) => None,
            None => self.set(at, last, leaf),
        }
    }

    /// The dictionaries.
    pub(crate) fn finish(mut self) -> Pickle<'a> {
        self.pickle.byte_len = self.pickle.values.len().saturating_mul(BYTES_PER_VALUE);
        self.pickle
    }

    fn push(&mut self, value: Value<'a>) -> ValueId {
        // At most a few values for each value of the pickle that the paths come from, which fit in u32.
        let id = ValueId(self.pickle.values.len() as u32);
        self.pickle.values.push(value);
        id
    }

    /// What lies under a key of a dictionary; `None` when there is no dictionary.
    fn child(&self, at: ValueId, key: &str) -> Option<Option<ValueId>> {
        match self.pickle.get(at) {
            Value::Dict(dict) => Some(self.pickle.item(dict, key)),
            _ => None,
        }
    }

    fn set(&mut self, at: ValueId, key: &'a str, value: ValueId) -> Option<()> {
        let key_id = self.push(Value::Text(key));
        let next = self.pickle.key_classes.len() as u32;
        let class = *self.pickle.key_classes.entry(Key::Text(key.as_bytes())).or_insert(next);
        match self.pickle.values.get_mut(at.0 as usize) {
            Some(Value::Dict(dict)) => {
                dict.insert(class, key_id, value);
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds() {
        let mut tree = Tree::new();
        let (one, two) = (tree.tensor(), tree.tensor());
        assert_eq!(tree.insert(&["model", "a.b"], one), Some(()));
        assert_eq!(tree.insert(&["model", "a"], two), Some(()));
        let other = tree.other();
        for taken in [&["model", "a"] as &[&str], &["model"], &["model", "a", "b"], &[]] {
            assert_eq!(tree.insert(taken, other), None, "{taken:?}");
        }
        let pickle = tree.finish();
        let Value::Dict(root) = pickle.get(pickle.root()) else { panic!("no dictionary") };
        let Value::Dict(model) = pickle.get(pickle.item(root, "model").unwrap()) else { panic!() };
        assert_eq!(pickle.item(model, "a.b"), Some(one));
        assert_eq!(model.len(), 2);
    }
}
