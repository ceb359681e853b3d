//! JSON values that are cheap to keep: the configuration of a layer is a part of that of its model.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Number;

use crate::map::Map;

/// A JSON value. Copies share what they hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Arc<str>),
    /// A list.
    Array(Arc<[Value]>),
    /// An object.
    Object(Fields),
}

/// A name and what it stands for.
type Field = (Arc<str>, Value);

/// The fields of an object, in the order of the file, each name once.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    list: Arc<[Field]>,
    /// Where each field is, where there are more than [`FEW`].
    places: Option<Arc<Map<Arc<str>, usize>>>,
}

/// Fields that there stays room for while others are read: those of most models' open objects.
const KEPT: usize = 1 << 12;

/// Fields that are looked for one by one. Most objects have fewer.
const FEW: usize = 16;

impl Fields {
    /// From fields in order; of those with one name the first, with the value of the last, as in Python.
    pub(super) fn new(fields: impl Iterator<Item = Field>) -> Self {
        let mut list: Vec<Field> = fields.collect();
        Self::take(&mut list, 0)
    }

    /// The same from those that end a list, which are taken out of it.
    pub(super) fn take(fields: &mut Vec<Field>, first: usize) -> Self {
        let own = fields.get(first..).unwrap_or_default();
        if own.len() <= FEW {
            let is_again = |at: usize| {
                own.iter().take(at).any(|(name, _)| own.get(at).is_some_and(|own| own.0 == *name))
            };
            if !(1..own.len()).any(is_again) {
                return Self { list: fields.drain(first..).collect(), places: None };
            }
        }
        let mut list: Vec<Field> = Vec::new();
        let mut places = Map::default();
        for (name, value) in fields.drain(first..) {
            let place = *places.entry(Arc::clone(&name)).or_insert(list.len());
            match list.get_mut(place) {
                Some(earlier) => earlier.1 = value,
                None => list.push((name, value)),
            }
        }
        // The room of a large object is not kept while it is copied.
        fields.shrink_to(first.max(KEPT));
        let places = (list.len() > FEW).then(|| Arc::new(places));
        Self { list: list.into(), places }
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = match &self.places {
            Some(places) => self.list.get(*places.get(name)?),
            None => self.list.iter().find(|(other, _)| **other == *name),
        };
        found.map(|(_, value)| value)
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + Clone {
        self.list.iter().map(|(name, value)| (&**name, value))
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.list.iter().map(|(_, value)| value)
    }

    /// Those whose names are such; the same, where all are.
    pub(in crate::keras) fn only(&self, is_such: impl Fn(&str) -> bool) -> Self {
        if self.list.iter().all(|(name, _)| is_such(name)) {
            return self.clone();
        }
        Self::new(self.list.iter().filter(|(name, _)| is_such(name)).cloned())
    }
}

/// In any order.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(name, value): (&str, &Value)| other.get(name) == Some(value);
        self.len() == other.len() && (Arc::ptr_eq(&self.list, &other.list) || self.iter().all(is_same))
    }
}

impl Value {
    /// A field, of an object that has it.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Self> {
        self.as_object()?.get(field)
    }

    /// The fields of an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// A text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// `true` or `false`.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A number.
    const fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// A whole number.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// Any number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// Whether it is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a text.
    #[must_use]
    pub const fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is `true` or `false`.
    #[must_use]
    pub const fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    /// Whether it is a number.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is a list.
    #[must_use]
    pub const fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items.iter()),
            Self::Object(fields) => serializer.collect_map(fields.iter()),
        }
    }
}

/// As JSON, in one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(text.into()),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(fields) => {
                Self::Object(Fields::new(fields.into_iter().map(|(name, value)| (name.into(), value.into()))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields are found by their names, few and many; of some with one name the last counts, at the place of the first.
    #[test]
    fn fields_by_name() {
        let number = |value: usize| Value::Number((value as u64).into());
        for count in 0..2 * FEW + 3 {
            let name = |at: usize| format!("n{at}");
            let fields = || (0..count).map(|at| (name(at).into(), number(at)));
            let check = |found: &Fields, first: &Value| {
                let of = |at| if at == 0 { first.clone() } else { number(at) };
                assert_eq!(found.len(), count);
                let expected: Vec<(String, Value)> = (0..count).map(|at| (name(at), of(at))).collect();
                assert!(found.iter().eq(expected.iter().map(|(name, value)| (name.as_str(), value))));
                assert!((0..count).all(|at| found.get(&name(at)) == Some(&of(at))), "{found:?}");
                assert_eq!((found.get("n"), found.get(&name(count))), (None, None));
            };
            let all = Fields::new(fields());
            check(&all, &number(0));
            if count > 0 {
                check(&Fields::new(fields().chain([(name(0).into(), number(7))])), &number(7));
            }
            let odd = all.only(|name| name.ends_with(['1', '3', '5', '7', '9']));
            assert_eq!(odd.len(), count / 2);
            assert!((0..count).all(|at| odd.contains_key(&name(at)) == (at % 2 == 1)));
            assert_eq!(all.only(|_| true), all);
        }
    }
}
