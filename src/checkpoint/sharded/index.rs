//! The index of shards: a JSON file (formats/pytorch.md section 7.1).

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::ShardError;
use crate::checkpoint::json::Pairs;
use crate::tensor::StateDictKey;

/// Bytes of an index. The largest in use, of models with 200 000 tensors, have 20 MB.
const MAX_INDEX_BYTES: usize = 64 << 20;

/// Files of one checkpoint. The largest models in use have some hundred, and every file is a memory map, of
/// which Linux gives 65 530 to a process.
const MAX_SHARDS: usize = 1 << 12;

/// An index.
pub(super) struct Index {
    /// The shards' names, sorted, each once.
    pub(super) files: Vec<String>,
    /// Where each tensor is: the place in `files`.
    pub(super) places: HashMap<String, usize>,
    /// Bytes of all tensors, where the index says it as a number.
    pub(super) total_size: Option<u64>,
}

impl Index {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ShardError> {
        if bytes.len() > MAX_INDEX_BYTES {
            return Err(ShardError::IndexTooLarge { bytes: bytes.len(), limit: MAX_INDEX_BYTES });
        }
        let document: Document = serde_json::from_slice(bytes).map_err(ShardError::Json)?;
        let pairs = document.weight_map.ok_or(ShardError::Empty)?.0;
        let mut files: Vec<&str> =
            pairs.iter().map(|(_, file)| file.as_str()).collect::<HashSet<_>>().into_iter().collect();
        if files.is_empty() {
            return Err(ShardError::Empty);
        }
        if files.len() > MAX_SHARDS {
            return Err(ShardError::TooManyShards { limit: MAX_SHARDS });
        }
        files.sort_unstable();
        let files: Vec<String> = files.into_iter().map(ToOwned::to_owned).collect();
        let mut places = HashMap::with_capacity(pairs.len());
        for (key, file) in pairs {
            let place = files.binary_search(&file).unwrap_or(0);
            if places.contains_key(&key) {
                return Err(ShardError::DuplicateKey { key: StateDictKey::new(key) });
            }
            places.insert(key, place);
        }
        let total_size = document.metadata.and_then(|metadata| metadata.total_size).and_then(|total| total.0);
        Ok(Self { files, places, total_size })
    }
}

/// A key that comes twice is an error of serde's.
#[derive(Deserialize)]
struct Document {
    weight_map: Option<Pairs<String>>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    total_size: Option<Total>,
}

/// A count of bytes: an integer, or a number as some writers give it (`4.4e10`). Anything else says nothing,
/// and stops nobody from reading the shards.
struct Total(Option<u64>);

impl<'de> Deserialize<'de> for Total {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TotalVisitor)
    }
}

struct TotalVisitor;

impl<'de> Visitor<'de> for TotalVisitor {
    type Value = Total;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count of bytes")
    }

    fn visit_u64<E: Error>(self, total: u64) -> Result<Total, E> {
        Ok(Total(Some(total)))
    }

    fn visit_f64<E: Error>(self, total: f64) -> Result<Total, E> {
        let is_count = total >= 0.0 && total < u64::MAX as f64 && total.fract() == 0.0;
        Ok(Total(is_count.then_some(total as u64)))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Total, E> {
        Ok(Total(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Total, E> {
        Ok(Total(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Total, E> {
        Ok(Total(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Total, E> {
        Ok(Total(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Total, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Total(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Total, A::Error> {
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Total(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads() {
        let check = |text: &str, files: &[&str], total: Option<u64>| {
            let index = Index::parse(text.as_bytes()).unwrap();
            assert_eq!(index.files, files, "{text}");
            assert_eq!(index.total_size, total, "{text}");
        };
        check(r#"{"weight_map": {"a": "2", "b": "1", "c": "2"}}"#, &["1", "2"], None);
        check(r#"{"weight_map": {"a": "1"}, "metadata": {}}"#, &["1"], None);
        check(r#"{"weight_map": {"a": "1"}, "metadata": null}"#, &["1"], None);
        check(r#"{"metadata": {"total_size": 5, "x": [1]}, "weight_map": {"a": "1"}}"#, &["1"], Some(5));
        check(
            r#"{"metadata": {"total_size": 44e9}, "weight_map": {"a": "1"}}"#,
            &["1"],
            Some(44_000_000_000),
        );
        for other in ["-1", "1.5", "\"44\"", "null", "[1, [2]]", "{\"a\": {}}", "true", "1e300"] {
            check(
                &format!(r#"{{"metadata": {{"total_size": {other}}}, "weight_map": {{"a": "1"}}}}"#),
                &["1"],
                None,
            );
        }
    }

    #[test]
    fn refuses() {
        let check = |text: &str, expected: fn(&ShardError) -> bool| {
            let error = Index::parse(text.as_bytes()).map(|index| index.files).unwrap_err();
            assert!(expected(&error), "{text}: {error:?}");
        };
        check("{", |error| matches!(error, ShardError::Json(_)));
        check("{}", |error| matches!(error, ShardError::Empty));
        check(r#"{"weight_map": {}}"#, |error| matches!(error, ShardError::Empty));
        check(r#"{"weight_map": []}"#, |error| matches!(error, ShardError::Json(_)));
        check(r#"{"weight_map": {"a": 1}}"#, |error| matches!(error, ShardError::Json(_)));
        check(r#"{"weight_map": {"a": "1"}, "weight_map": {"a": "2"}}"#, |error| {
            matches!(error, ShardError::Json(_))
        });
        check(
            r#"{"weight_map": {"a": "1", "a": "2"}}"#,
            |error| matches!(error, ShardError::DuplicateKey { key } if key.as_str() == "a"),
        );
        let many: Vec<String> = (0..=MAX_SHARDS).map(|place| format!("\"{place}\":\"{place}\"")).collect();
        check(&format!("{{\"weight_map\":{{{}}}}}", many.join(",")), |error| {
            matches!(error, ShardError::TooManyShards { .. })
        });
    }
}
