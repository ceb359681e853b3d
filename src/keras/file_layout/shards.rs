//! Sharded weights: which `vars` group goes to which file, and the index of all (`saving_lib.py`,
//! `ShardedH5IOStore`).
//!
//! A group is never split, and the index names one file for each: Keras 3.10 reads nothing else, and reads
//! nothing at all, without an error, of an index with lists. Nor does it go back to the first file once it has read
//! another. That is as well where the groups come in the order in which Keras walks them, which a template does not
//! tell: there the first file stays empty.

use std::fmt::Write as _;

use super::super::carried::CarriedDataset;
use super::layout::Source;
use super::tree::Growing;
use super::weights::{self, Vars};
use super::{Body, LayoutError, OutputFile};

/// The most bytes of variables in one shard where the caller does not say: those of the Hub's tools
/// (`max_shard_size="5GB"`), counted as Keras does, 1024³ to the gigabyte.
pub const DEFAULT_SHARD_BYTES: u64 = 5 << 30;

/// The end of an index's name.
const INDEX_END: &str = ".weights.json";

/// The name of a shard beside the index `name`: `x_00000.weights.h5` for `x.weights.json`.
#[must_use]
pub fn shard_name(name: &str, shard: usize) -> String {
    let stem = name.strip_suffix(INDEX_END).unwrap_or(name);
    format!("{stem}_{shard:05}.weights.h5")
}

/// The shards that an index names, of those that are called after the index itself; none where the text is no
/// index.
#[must_use]
pub fn named_shards(index: &[u8], name: &str) -> Vec<String> {
    let Ok(index) = serde_json::from_slice::<serde_json::Value>(index) else { return Vec::new() };
    let values = index.get("weight_map").and_then(|map| map.as_object()).into_iter().flatten();
    // One shard, or a list of them.
    let each = |(_, value): (_, &serde_json::Value)| {
        value.as_array().map_or_else(|| vec![value.clone()], Clone::clone)
    };
    let names = values.flat_map(each).filter_map(|value| value.as_str().map(str::to_owned));
    let names: std::collections::BTreeSet<String> =
        names.filter(|shard| index_of_shard(shard).as_deref() == Some(name)).collect();
    names.into_iter().collect()
}

/// The name of the index beside which a shard of that name would stand.
#[must_use]
pub fn index_of_shard(name: &str) -> Option<String> {
    let (stem, number) = name.strip_suffix(".weights.h5")?.rsplit_once('_')?;
    let is_number = number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{stem}{INDEX_END}"))
}

/// The shards and, last, the index.
pub(super) fn files(
    source: &Source<'_>,
    name: &str,
    carried: &mut Vec<CarriedDataset>,
) -> Result<Vec<OutputFile>, LayoutError> {
    let limit = source.form.max_shard_bytes;
    // There is always a first one: Keras opens it unconditionally.
    let mut shards = vec![Growing::default()];
    let groups = weights::all(source, carried);
    let bytes = groups.iter().fold(0_u64, |sum, vars| sum.saturating_add(vars.bytes));
    if bytes > limit && source.architecture.origin.is_template() {
        shards.push(Growing::default());
    }
    let (mut filled, mut total) = (0_u64, 0_u64);
    let mut map = Vec::new();
    let mut largest: Option<(u64, String)> = None;
    for vars in groups {
        if vars.bytes > limit {
            if largest.as_ref().is_none_or(|(bytes, _)| vars.bytes > *bytes) {
                largest = Some((vars.bytes, vars.path.clone()));
            }
            continue;
        }
        if filled.saturating_add(vars.bytes) > limit {
            shards.push(Growing::default());
            filled = 0;
        }
        filled = filled.saturating_add(vars.bytes);
        total = total.saturating_add(vars.bytes);
        let shard = shards.len() - 1;
        map.extend(entry(&vars, &shard_name(name, shard)));
        if let Some(root) = shards.get_mut(shard) {
            weights::put(root, vars)?;
        }
    }
    if let Some((bytes, group)) = largest {
        return Err(LayoutError::ShardTooSmall { group, bytes, limit });
    }
    let shards = shards.into_iter().enumerate().map(|(shard, root)| OutputFile {
        name: Some(shard_name(name, shard)),
        body: Body::Hdf5(root.finish()),
    });
    let index = OutputFile { name: None, body: Body::Text(index(total, &map)) };
    Ok(shards.chain([index]).collect())
}

/// The index's entry for a group: none for an empty one.
fn entry(vars: &Vars<'_>, shard: &str) -> Option<(String, String)> {
    (!vars.datasets.is_empty()).then(|| (format!("/{}", vars.path), shard.to_owned()))
}

/// The index, as `json.dumps(…, indent=4)` writes it.
fn index(total: u64, map: &[(String, String)]) -> String {
    let mut text = format!("{{\n    \"metadata\": {{\n        \"total_size\": {total}.0\n    }},\n");
    text.push_str("    \"weight_map\": {");
    for (place, (group, shard)) in map.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}\n        {}: {}", ascii(group), ascii(shard));
    }
    text.push_str(if map.is_empty() { "}\n}" } else { "\n    }\n}" });
    text
}

/// A JSON string in ASCII alone, as Python writes it: the reader opens the file in the system's encoding.
fn ascii(text: &str) -> String {
    let mut quoted = String::from("\"");
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => quoted.extend(['\\', char::from(byte)]),
            Ok(byte @ b' '..=b'~') => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\u{unit:04x}");
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_as_python_writes_it() {
        let map = [("/layers/düse \"x\"/vars", "a_00000.weights.h5"), ("/vars", "😀_00001.weights.h5")];
        let map = map.map(|(group, shard)| (group.to_owned(), shard.to_owned()));
        let expected = "{\n    \"metadata\": {\n        \"total_size\": 161160.0\n    },\n    \"weight_map\": \
                        {\n        \"/layers/d\\u00fcse \\\"x\\\"/vars\": \"a_00000.weights.h5\",\n        \
                        \"/vars\": \"\\ud83d\\ude00_00001.weights.h5\"\n    }\n}";
        assert_eq!(index(161_160, &map), expected);
        assert_eq!(
            index(0, &[]),
            "{\n    \"metadata\": {\n        \"total_size\": 0.0\n    },\n    \"weight_map\": {}\n}"
        );
    }
}
