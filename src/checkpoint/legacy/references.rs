//! The persistent ids of a legacy stream (formats/pytorch.md sections 2.2, 3.1 and 3.2), and the storages that
//! they name.

use std::collections::hash_map::Entry;
use std::ops::Range;

use super::LegacyError;
use crate::checkpoint::pickle::TensorError;
use crate::checkpoint::pickle::torch::StorageSpec;
use crate::checkpoint::pickle::{Pickle, PickleError, StorageClass, Value, ValueId};
use crate::checkpoint::pickled::Storages;
use crate::checkpoint::stream::{Stream, StreamError};
use crate::lazy::{Bytes, Storage};
use crate::map::Map;
use crate::tensor::ByteOrder;

/// A storage of the stream.
struct Root<'b> {
    key: &'b str,
    /// Elements of the class that the first persistent id gives it.
    numel: usize,
    /// Bytes of an element of that class.
    width: usize,
    /// Its bytes, once they are found.
    bytes: Option<Bytes>,
}

/// A range of a storage: what a key stands for.
#[derive(PartialEq, Eq)]
struct Part {
    root: usize,
    /// In bytes.
    range: Range<usize>,
    /// Whether the key is the storage's own, and not that of a view.
    is_root: bool,
    /// Which of all parts.
    place: usize,
}

/// The storages that the pickle refers to.
pub(super) struct References<'b> {
    roots: Vec<Root<'b>>,
    /// By the keys of storages and of views, which are pointers of one process and so differ.
    parts: Map<&'b str, Part>,
}

/// The elements of a persistent id.
struct StorageId<'b> {
    key: &'b str,
    width: usize,
    numel: usize,
    view: Option<View<'b>>,
}

/// A view of a storage, its numbers in elements.
struct View<'b> {
    key: &'b str,
    key_id: ValueId,
    offset: usize,
    numel: usize,
    numel_id: ValueId,
}

impl<'b> References<'b> {
    /// Reads the persistent ids and gives them the form that they have in zip archives: a module's is replaced
    /// by the class, a view's names the view as a storage of its own.
    pub(super) fn resolve(pickle: &mut Pickle<'b>) -> Result<Self, LegacyError> {
        let mut references = Self { roots: Vec::new(), parts: Map::default() };
        for (id, persistent) in pickle.persistent_ids() {
            let elements = pickle.sequence(persistent).ok_or(wrong("it is no tuple"))?;
            let &[tag, class, ..] = elements else { return Err(wrong("it has not enough elements")) };
            match pickle.text(tag) {
                Some("module") => {
                    let &Value::Global { module, name } = pickle.get(class) else {
                        return Err(wrong("the class of a module is no global"));
                    };
                    pickle.replace(id, Value::Global { module, name });
                }
                Some("storage") => {
                    let &[_, _, key, location, numel, view] = elements else {
                        return Err(wrong("a storage's has not 6 elements"));
                    };
                    let storage = StorageId::read(pickle, [class, key, numel, view])?;
                    references.add(&storage)?;
                    let (key, numel) = storage.view.map_or((key, numel), |view| (view.key_id, view.numel_id));
                    let plain = Value::Tuple([tag, class, key, location, numel].as_slice().into());
                    let plain = pickle.add(plain).map_err(|kind| StreamError::Pickle {
                        what: "the saved object",
                        start: 0,
                        error: Box::new(PickleError { offset: 0, kind }),
                    })?;
                    pickle.replace(id, Value::Persistent(plain));
                }
                _ => return Err(wrong("it is neither a storage's nor a module's")),
            }
        }
        Ok(references)
    }

    fn add(&mut self, storage: &StorageId<'b>) -> Result<(), LegacyError> {
        let contradiction = |key: &str| LegacyError::Contradiction { key: key.to_owned() };
        let byte_len = storage.byte_len().ok_or_else(|| contradiction(storage.key))?;
        let place = self.parts.len();
        let root = match self.parts.entry(storage.key) {
            Entry::Occupied(known) => {
                // Two classes of one storage are views of the same bytes; torch 2.15 takes the numbers of the
                // first, or makes an empty storage.
                let part = known.get();
                if !part.is_root || part.range.end != byte_len {
                    return Err(contradiction(storage.key));
                }
                part.root
            }
            Entry::Vacant(entry) => {
                let root = self.roots.len();
                let (key, numel, width) = (storage.key, storage.numel, storage.width);
                self.roots.push(Root { key, numel, width, bytes: None });
                entry.insert(Part { root, range: 0..byte_len, is_root: true, place });
                root
            }
        };
        let Some(view) = &storage.view else { return Ok(()) };
        let outside = || LegacyError::View { key: view.key.to_owned() };
        let start = view.offset.checked_mul(storage.width).ok_or_else(outside)?;
        let length = view.numel.checked_mul(storage.width).ok_or_else(outside)?;
        let stop = start.checked_add(length).filter(|&stop| stop <= byte_len).ok_or_else(outside)?;
        let place = self.parts.len();
        match self.parts.entry(view.key) {
            Entry::Occupied(known) => {
                let part = known.get();
                if part.is_root || part.root != root || part.range != (start..stop) {
                    return Err(contradiction(view.key));
                }
            }
            Entry::Vacant(entry) => {
                entry.insert(Part { root, range: start..stop, is_root: false, place });
            }
        }
        Ok(())
    }

    /// Finds the bytes of the storages: the list of their keys, then for each the number of elements and the
    /// elements.
    pub(super) fn fill(&mut self, stream: &mut Stream<'_>) -> Result<(), LegacyError> {
        let pickle = stream.pickle("the list of storage keys")?;
        let not_keys = || LegacyError::Keys { what: pickle.describe(pickle.root()) };
        let Value::List(keys) = pickle.get(pickle.root()) else { return Err(not_keys()) };
        for &key in keys {
            let key = pickle.text(key).ok_or_else(not_keys)?;
            let root = self.parts.get(key).filter(|part| part.is_root);
            let Some(root) = root.and_then(|part| self.roots.get_mut(part.root)) else {
                return Err(LegacyError::UnknownKey { key: key.to_owned() });
            };
            if root.bytes.is_some() {
                return Err(LegacyError::DuplicateKey { key: key.to_owned() });
            }
            let found = i64::from_le_bytes(stream.array("the number of a storage's elements")?);
            if usize::try_from(found) != Ok(root.numel) {
                return Err(LegacyError::Count { key: key.to_owned(), found, expected: root.numel });
            }
            // The product was checked when the persistent id was read.
            let byte_len = root.numel.saturating_mul(root.width);
            root.bytes = Some(stream.bytes("a storage", byte_len)?);
        }
        let mut unfilled = self.roots.iter().filter(|root| root.bytes.is_none());
        match unfilled.next() {
            None => Ok(()),
            Some(first) => {
                Err(LegacyError::Unfilled { storages: 1 + unfilled.count(), first: first.key.to_owned() })
            }
        }
    }
}

impl Storages for References<'_> {
    fn storage(&mut self, spec: &StorageSpec<'_>) -> Result<(usize, Storage), TensorError> {
        let missing = || TensorError::MissingRecord { record: spec.key.to_owned() };
        let part = self.parts.get(spec.key).ok_or_else(missing)?;
        let root = self.roots.get(part.root).and_then(|root| root.bytes.as_ref());
        let bytes = root.and_then(|bytes| bytes.slice(part.range.clone())).ok_or_else(missing)?;
        if spec.numel.checked_mul(spec.width()) != Some(bytes.len()) {
            let (record, bytes) = (spec.key.to_owned(), bytes.len());
            return Err(TensorError::RecordSize { record, numel: spec.numel, width: spec.width(), bytes });
        }
        Ok((part.place, bytes.into()))
    }

    fn byte_order(&self) -> ByteOrder {
        ByteOrder::Little
    }
}

impl<'b> StorageId<'b> {
    /// `(class, key, number of elements, view)`.
    fn read(pickle: &Pickle<'b>, [class, key, numel, view]: [ValueId; 4]) -> Result<Self, LegacyError> {
        let key = pickle.text(key).ok_or(wrong("a storage's key is no text"))?;
        let (_, class) = pickle.global(class).ok_or(wrong("a storage's class is no global"))?;
        let width = StorageClass::saved(class)
            .map(StorageClass::width)
            .ok_or_else(|| LegacyError::StorageClass { key: key.to_owned(), class: class.to_owned() })?;
        let numel = count(pickle, numel).ok_or(wrong("a storage's number of elements is no count"))?;
        let view = match pickle.get(view) {
            Value::None => None,
            _ => Some(View::read(pickle, view)?),
        };
        Ok(Self { key, width, numel, view })
    }

    fn byte_len(&self) -> Option<usize> {
        self.numel.checked_mul(self.width)
    }
}

impl<'b> View<'b> {
    /// `(key, offset, number of elements)`.
    fn read(pickle: &Pickle<'b>, id: ValueId) -> Result<Self, LegacyError> {
        let wrong = || wrong("the view of a storage is not a key, an offset and a count");
        let &[key_id, offset, numel_id] = pickle.sequence(id).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        Ok(Self {
            key: pickle.text(key_id).ok_or_else(wrong)?,
            key_id,
            offset: count(pickle, offset).ok_or_else(wrong)?,
            numel: count(pickle, numel_id).ok_or_else(wrong)?,
            numel_id,
        })
    }
}

fn count(pickle: &Pickle<'_>, id: ValueId) -> Option<usize> {
    match pickle.get(id) {
        &Value::Int(count) => usize::try_from(count).ok(),
        _ => None,
    }
}

const fn wrong(what: &'static str) -> LegacyError {
    LegacyError::PersistentId { what }
}
