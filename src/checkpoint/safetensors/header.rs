//! The header: read in one pass, with the checks of the `safetensors` crate, which reads it in more.

use std::collections::HashMap;
use std::fmt;

use ::safetensors::SafeTensorError;
use ::safetensors::tensor::Dtype as StoredDtype;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::SafetensorsError;
use crate::map::Map;
use crate::tensor::MAX_RANK;

/// Bytes of the header's length, before the header.
const LENGTH_SIZE: usize = 8;

/// The entry of the header that is no tensor.
const METADATA: &str = "__metadata__";

/// Bytes of the header of any file. That of 200,000 tensors has 24 MB; a header takes up to ten times its size
/// of memory, and any file should be told about within 256 MiB.
const MIN_HEADER_LIMIT: usize = 24 << 20;

/// Bytes of a larger file for each byte of its header that is read.
const FILE_BYTES_PER_HEADER_BYTE: usize = 4;

/// The format's own limit, in bytes: beyond it the length is no length of a header.
const FORMAT_LIMIT: usize = 100_000_000;

/// What the header says.
pub(super) struct Header {
    /// In the order of the header, each key once.
    pub(super) tensors: Vec<(String, Stored)>,
    /// The texts beside them.
    pub(super) metadata: HashMap<String, String>,
    /// Where the data start in the file, in bytes.
    pub(super) data_start: usize,
}

/// Where a tensor lies.
#[derive(Deserialize)]
pub(super) struct Stored {
    pub(super) dtype: StoredDtype,
    pub(super) shape: Sizes,
    /// First byte and end, from the start of the data.
    pub(super) data_offsets: (usize, usize),
}

/// Sizes of axes, read into memory only while they can be a shape.
pub(super) struct Sizes(pub(super) Vec<usize>);

/// Reads the header of a file, and checks that the tensors fill the rest of it without a gap.
pub(super) fn read(file: &[u8]) -> Result<Header, SafetensorsError> {
    let format = SafetensorsError::Format;
    let length = file.first_chunk::<LENGTH_SIZE>().ok_or(format(SafeTensorError::HeaderTooSmall))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|&length| length <= FORMAT_LIMIT);
    let length = length.ok_or(format(SafeTensorError::HeaderTooLarge))?;
    let limit = (file.len() / FILE_BYTES_PER_HEADER_BYTE).max(MIN_HEADER_LIMIT);
    if length > limit {
        return Err(SafetensorsError::HeaderTooLarge { bytes: length as u64, limit: limit as u64 });
    }
    let data_start = LENGTH_SIZE + length;
    let header = file.get(LENGTH_SIZE..data_start).ok_or(format(SafeTensorError::InvalidHeaderLength))?;
    if header.starts_with(b" ") {
        return Err(SafetensorsError::LeadingSpace);
    }
    let text = std::str::from_utf8(header).map_err(|error| format(SafeTensorError::InvalidHeader(error)))?;
    let entries: Entries = serde_json::from_str(text).map_err(SafetensorsError::Header)?;
    let Entries { tensors, metadata, duplicate } = entries;
    if let Some(key) = duplicate {
        return Err(SafetensorsError::DuplicateKey { key });
    }
    check_keys(&tensors)?;
    let end = check(&tensors).map_err(format)?;
    if data_start.checked_add(end) != Some(file.len()) {
        return Err(format(SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok(Header { tensors, metadata: metadata.unwrap_or_default(), data_start })
}

fn check_keys(tensors: &[(String, Stored)]) -> Result<(), SafetensorsError> {
    let mut seen: Map<&str, ()> = Map::with_capacity_and_hasher(tensors.len(), Default::default());
    match tensors.iter().find(|(key, _)| seen.insert(key, ()).is_some()) {
        Some((key, _)) => Err(SafetensorsError::DuplicateKey { key: key.clone() }),
        None => Ok(()),
    }
}

/// Checks that the tensors follow each other, and have the bytes of their shapes. Where the last one ends.
fn check(tensors: &[(String, Stored)]) -> Result<usize, SafeTensorError> {
    let mut ordered: Vec<&(String, Stored)> = tensors.iter().collect();
    ordered.sort_by_key(|(_, stored)| stored.data_offsets);
    let mut start = 0;
    for (key, stored) in ordered {
        let (begin, end) = stored.data_offsets;
        if begin != start || end < begin {
            return Err(SafeTensorError::InvalidOffset(key.clone()));
        }
        start = end;
        let elements = stored.shape.0.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        let bits = elements.and_then(|elements| elements.checked_mul(stored.dtype.bitsize()));
        let bits = bits.ok_or(SafeTensorError::ValidationOverflow)?;
        if !bits.is_multiple_of(8) {
            return Err(SafeTensorError::MisalignedSlice);
        }
        if end - begin != bits / 8 {
            return Err(SafeTensorError::TensorInvalidInfo);
        }
    }
    Ok(start)
}

/// The header as it stands there.
struct Entries {
    tensors: Vec<(String, Stored)>,
    metadata: Option<HashMap<String, String>>,
    /// The key of the metadata, when it comes twice.
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Entries { tensors: Vec::new(), metadata: None, duplicate: None };
        let mut has_metadata = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != METADATA {
                entries.tensors.push((key, map.next_value()?));
                continue;
            }
            entries.metadata = map.next_value()?;
            if std::mem::replace(&mut has_metadata, true) {
                entries.duplicate = Some(key);
            }
        }
        Ok(entries)
    }
}

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(SizesVisitor)
    }
}

struct SizesVisitor;

impl<'de> Visitor<'de> for SizesVisitor {
    type Value = Sizes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sizes, A::Error> {
        let mut sizes = Vec::new();
        while let Some(size) = list.next_element()? {
            if sizes.len() == MAX_RANK {
                return Err(A::Error::custom(format_args!("a shape has more than {MAX_RANK} axes")));
            }
            sizes.push(size);
        }
        sizes.shrink_to_fit();
        Ok(Sizes(sizes))
    }
}

#[cfg(test)]
mod tests {
    use ::safetensors::SafeTensors;
    use proptest::prelude::*;

    use super::*;

    /// Headers that are nearly right: each part is wrong at times.
    fn files() -> impl Strategy<Value = Vec<u8>> {
        let dtype = prop::sample::select(vec!["F32", "F4", "F6_E2M3", "U8", "BF16", "C64", "F5"]);
        let sizes = prop::collection::vec(prop_oneof![9 => 0..5_u64, 1 => Just(u64::MAX / 2)], 0..4);
        let shift = prop_oneof![20 => Just(0_i64), 1 => -1..=1_i64];
        let extra = prop_oneof![8 => Just(""), 1 => Just(",\"x\":[1,{}]"), 1 => Just(",\"shape\":[0]")];
        let tensor = (dtype, sizes, shift.clone(), shift.clone(), extra);
        let metadata = prop_oneof![
            4 => Just(""),
            1 => Just("\"__metadata__\":{\"format\":\"pt\"},"),
            1 => Just("\"__metadata__\":null,"),
            1 => Just("\"__metadata__\":{\"a\":1},"),
        ];
        let end = prop_oneof![9 => Just("}"), 1 => Just("}  "), 1 => Just(""), 1 => Just("} x")];
        (prop::collection::vec(tensor, 0..5), metadata, end, shift, any::<bool>()).prop_map(
            |(tensors, metadata, end, spare, reversed)| {
                let mut at = 0_u64;
                let mut parts = Vec::new();
                for (place, (dtype, sizes, begin, stop, extra)) in tensors.into_iter().enumerate() {
                    let bits = match dtype {
                        "F32" => 32,
                        "F4" => 4,
                        "F6_E2M3" => 6,
                        "BF16" => 16,
                        "C64" => 64,
                        _ => 8,
                    };
                    let numel = sizes.iter().fold(1_u64, |product, &size| product.saturating_mul(size));
                    let bytes = if numel > 1000 { 8 } else { numel * bits / 8 };
                    let (first, last) = (at as i64 + begin, (at + bytes) as i64 + stop);
                    at += bytes;
                    let offsets = format!("\"data_offsets\":[{first},{last}]");
                    parts.push(format!(
                        "\"t{place}\":{{\"dtype\":\"{dtype}\",\"shape\":{sizes:?},{offsets}{extra}}}"
                    ));
                }
                if reversed {
                    parts.reverse();
                }
                let metadata = if parts.is_empty() { metadata.trim_end_matches(',') } else { metadata };
                let header = format!("{{{metadata}{}{end}", parts.join(","));
                let mut file = (header.len() as u64).to_le_bytes().to_vec();
                file.extend(header.bytes());
                file.resize(file.len() + (at as i64 + spare).max(0) as usize, 0);
                file
            },
        )
    }

    /// Whether two tensors have the same bytes. The crate takes them in the order of a hash map, so its error is
    /// the one's or the other's.
    fn has_two_of_one_place(file: &[u8]) -> bool {
        let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
        let Ok(entries) = serde_json::from_slice::<Entries>(&file[LENGTH_SIZE..LENGTH_SIZE + length]) else {
            return false;
        };
        let mut seen = std::collections::HashSet::new();
        entries.tensors.iter().any(|(_, stored)| !seen.insert(stored.data_offsets))
    }

    proptest! {
        /// The crate is the judge: of what it takes or refuses, and of what the header says.
        #[test]
        fn reads_as_the_crate_does(file in files()) {
            match (read(&file), SafeTensors::read_metadata(&file)) {
                (Ok(header), Ok((length, metadata))) => {
                    prop_assert_eq!(header.data_start, LENGTH_SIZE + length);
                    prop_assert_eq!(header.metadata, metadata.metadata().clone().unwrap_or_default());
                    prop_assert_eq!(header.tensors.len(), metadata.tensors().len());
                    for (key, stored) in header.tensors {
                        let info = metadata.info(&key).unwrap();
                        prop_assert_eq!(stored.dtype, info.dtype);
                        prop_assert_eq!(&stored.shape.0, &info.shape);
                        prop_assert_eq!(stored.data_offsets, info.data_offsets);
                    }
                }
                (Err(SafetensorsError::Header(_)), Err(SafeTensorError::InvalidHeaderDeserialization(_))) => {}
                (Err(SafetensorsError::Format(ours)), Err(theirs)) if !has_two_of_one_place(&file) => {
                    prop_assert_eq!(std::mem::discriminant(&ours), std::mem::discriminant(&theirs));
                }
                (Err(SafetensorsError::Format(_)), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{:?} {:?}", ours.err(), theirs.err()),
            }
        }
    }
}
