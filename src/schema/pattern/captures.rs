//! What the captures of a pattern stand for.

use std::sync::Arc;

use smallvec::SmallVec;

use super::part::CaptureValue;

/// The values of a pattern's captures, by name. Most patterns have one capture or none, and there are some for every
/// tensor, so these take no memory of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Captures(
    /// In the order of the names.
    SmallVec<[(Arc<str>, CaptureValue); 1]>,
);

impl Captures {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a capture.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CaptureValue> {
        self.0.get(self.place(name).ok()?).map(|(_, value)| value)
    }

    /// Gives a capture a value, in place of one that it had.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: CaptureValue) {
        let name = name.into();
        match self.place(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Takes a capture out.
    pub fn remove(&mut self, name: &str) -> Option<CaptureValue> {
        Some(self.0.remove(self.place(name).ok()?).1)
    }

    /// The names, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// The names, in their order, each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &CaptureValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Those whose names are such, and the others.
    #[must_use]
    pub fn split(self, is_such: impl Fn(&str) -> bool) -> (Self, Self) {
        // Either part keeps the order.
        let (such, others) = self.0.into_iter().partition(|(name, _)| is_such(name));
        (Self(such), Self(others))
    }

    /// Where a capture is, or where it would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(name))
    }
}

impl<N: Into<Arc<str>>, const COUNT: usize> From<[(N, CaptureValue); COUNT]> for Captures {
    fn from(values: [(N, CaptureValue); COUNT]) -> Self {
        values.into_iter().collect()
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, CaptureValue)> for Captures {
    fn from_iter<I: IntoIterator<Item = (N, CaptureValue)>>(values: I) -> Self {
        let mut captures = Self::new();
        for (name, value) in values {
            captures.insert(name, value);
        }
        captures
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is put in and taken out, it is what a map of the same would be.
        #[test]
        fn is_a_map(steps in prop::collection::vec((0..6_u8, 0..4_u64, prop::bool::ANY), 0..30)) {
            let (mut captures, mut map) = (Captures::new(), BTreeMap::new());
            for (name, value, is_put) in steps {
                let (name, value) = (format!("c{name}"), CaptureValue::Integer(value));
                let before = captures.clone();
                let before_of_map: Vec<_> = map.clone().into_iter().collect();
                if is_put {
                    captures.insert(name.as_str(), value.clone());
                    map.insert(name.clone(), value);
                    prop_assert_eq!(captures.get(&name), map.get(&name));
                } else {
                    prop_assert_eq!(captures.remove(&name), map.remove(&name));
                    prop_assert_eq!(captures.get(&name), None);
                }
                let found: Vec<_> = captures.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
                let expected: Vec<_> = map.clone().into_iter().collect();
                prop_assert_eq!(before.cmp(&captures), before_of_map.cmp(&expected));
                prop_assert_eq!(found, expected);
                prop_assert_eq!(captures.is_empty(), map.is_empty());
                let (low, high) = captures.clone().split(|name| name < "c3");
                prop_assert!(low.keys().all(|name| name < "c3") && high.keys().all(|name| name >= "c3"));
                prop_assert_eq!(low.keys().chain(high.keys()).collect::<Vec<_>>(), map.keys().collect::<Vec<_>>());
            }
        }
    }
}
