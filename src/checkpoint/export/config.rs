//! The configurations of weights and constants: `{"config": {name: payload}}`.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::error::ExportError;
use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::records::Records;
use crate::checkpoint::view::Axes;

/// Bytes of one configuration. A tensor takes 300, so this is room for two hundred thousand.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// Entries of one configuration.
const MAX_PAYLOADS: usize = 1 << 18;

#[derive(serde::Deserialize)]
pub(super) struct Config {
    pub(super) config: Payloads,
}

/// Names and payloads in the order of the file; a name may come twice, which is an error later.
#[derive(Default)]
pub(super) struct Payloads(pub(super) Vec<(String, Payload)>);

/// Where a tensor lies.
#[derive(serde::Deserialize)]
pub(super) struct Payload {
    /// The record's name in the folder of the configuration.
    pub(super) path_name: String,
    pub(super) is_param: bool,
    /// Whether the record is a file of torch.save.
    pub(super) use_pickle: bool,
    /// Absent for objects that are no tensors.
    pub(super) tensor_meta: Option<TensorMeta>,
}

/// `TensorMeta` of `torch/_export/serde/schema.py`.
#[derive(serde::Deserialize)]
pub(super) struct TensorMeta {
    pub(super) dtype: u32,
    pub(super) sizes: Axes<SymInt>,
    pub(super) strides: Axes<SymInt>,
    pub(super) storage_offset: SymInt,
    pub(super) layout: u32,
}

/// A number, or an expression in place of one, which no stored tensor has.
#[derive(serde::Deserialize)]
pub(super) struct SymInt {
    pub(super) as_int: Option<i64>,
}

impl<'de> Deserialize<'de> for Payloads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Payloads;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "at most {MAX_PAYLOADS} payloads by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut payloads = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if payloads.len() >= MAX_PAYLOADS {
                        return Err(serde::de::Error::invalid_length(payloads.len() + 1, &self));
                    }
                    payloads.push(entry);
                }
                Ok(Payloads(payloads))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads a configuration, if there is one.
pub(super) fn read(records: &mut Records, record: &str) -> Result<Option<Payloads>, ErrorKind> {
    let Some(bytes) = records.size(record) else { return Ok(None) };
    if bytes > MAX_CONFIG_BYTES {
        let record = record.to_owned();
        return Err(ExportError::TooLarge { record, bytes, limit: MAX_CONFIG_BYTES }.into());
    }
    let limit = records.held_limit(record).unwrap_or(MAX_CONFIG_BYTES);
    let Some(text) = records.find(record, limit.min(MAX_CONFIG_BYTES))? else { return Ok(None) };
    let config: Config = serde_json::from_slice(text.as_slice())
        .map_err(|source| ExportError::Json { record: record.to_owned(), source })?;
    Ok(Some(config.config))
}
