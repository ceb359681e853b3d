//! Which keys of a dictionary are equal.

use super::{Kind, Machine, budget};
use crate::checkpoint::pickle::value::{Value, ValueId};

/// What makes a key equal to another: Python's rules, by which `1`, `1.0` and `True` are one key.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::checkpoint::pickle) enum Key<'a> {
    None,
    Int(i64),
    Float(u64),
    Long(&'a [u8]),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Global(&'a str, &'a str),
    Tuple(Box<[u32]>),
    /// Objects, and everything else that is equal to itself alone.
    Identity(ValueId),
}

/// From this length a text's class is kept by its value, so that a key that comes again is not hashed again.
const LONG_TEXT: usize = 64;

impl<'a> Machine<'a> {
    /// The class of a key: tuples by their elements, bottom up, each tuple once.
    pub(super) fn key_class(&mut self, key: ValueId) -> Result<u32, Kind> {
        if !matches!(self.value(key), Some(Value::Tuple(_))) {
            return self.atom_class(key);
        }
        let mut pending = vec![key];
        let mut class = 0;
        while let Some(&id) = pending.last() {
            let Some(Value::Tuple(elements)) = self.value(id) else {
                class = self.atom_class(id)?;
                pending.pop();
                continue;
            };
            if let Some(&known) = self.known_classes.get(&id) {
                class = known;
                pending.pop();
                continue;
            }
            let elements = elements.clone();
            let depth = pending.len();
            let mut classes = Vec::with_capacity(elements.len());
            for &element in elements.iter() {
                match self.value(element) {
                    Some(Value::Tuple(_)) => match self.known_classes.get(&element) {
                        Some(&known) => classes.push(known),
                        None => pending.push(element),
                    },
                    _ => classes.push(self.atom_class(element)?),
                }
            }
            if pending.len() == depth {
                self.charge(budget::ALLOCATION + budget::KNOWN_CLASS + size_of_val(classes.as_slice()))?;
                class = self.class_of(Key::Tuple(classes.into()))?;
                self.known_classes.insert(id, class);
                pending.pop();
            }
        }
        Ok(class)
    }

    fn atom_class(&mut self, id: ValueId) -> Result<u32, Kind> {
        let key = match self.value(id) {
            Some(Value::None) => Key::None,
            Some(&Value::Bool(value)) => Key::Int(value.into()),
            Some(&Value::Int(value)) => Key::Int(value),
            Some(&Value::Long(digits)) => Key::Long(digits),
            Some(&Value::Float(value)) => float_key(id, value),
            Some(&Value::Text(text)) => Key::Text(text.as_bytes()),
            Some(&Value::RawText(text)) => Key::Text(text),
            Some(&Value::Bytes(bytes)) => Key::Bytes(bytes),
            Some(&Value::Global { module, name }) => Key::Global(module, name),
            Some(Value::List(_) | Value::Set(_) | Value::Dict(_)) | None => {
                return Err(Kind::UnhashableKey { what: self.describe(id) });
            }
            Some(Value::Tuple(_) | Value::FrozenSet(_) | Value::Object(_) | Value::Persistent(_)) => {
                Key::Identity(id)
            }
        };
        let long = match &key {
            Key::Long(bytes) | Key::Text(bytes) | Key::Bytes(bytes) => bytes.len() >= LONG_TEXT,
            Key::Global(module, name) => module.len() + name.len() >= LONG_TEXT,
            _ => false,
        };
        if !long {
            return self.class_of(key);
        }
        if let Some(&known) = self.known_classes.get(&id) {
            return Ok(known);
        }
        self.charge(budget::KNOWN_CLASS)?;
        let class = self.class_of(key)?;
        self.known_classes.insert(id, class);
        Ok(class)
    }

    fn class_of(&mut self, key: Key<'a>) -> Result<u32, Kind> {
        // A class per value at most, and MAX_VALUES fits in u32.
        let next = self.key_classes.len() as u32;
        let class = *self.key_classes.entry(key).or_insert(next);
        if class == next {
            self.charge(budget::CLASS)?;
        }
        Ok(class)
    }
}

/// `1.0` is the key `1`, `-0.0` is `0`, and a NaN is equal to itself alone when it is the same object.
fn float_key<'a>(id: ValueId, value: f64) -> Key<'a> {
    let integer = value as i64;
    if value.is_nan() {
        Key::Identity(id)
    } else if integer as f64 == value && integer != i64::MAX {
        Key::Int(integer)
    } else {
        Key::Float(value.to_bits())
    }
}
