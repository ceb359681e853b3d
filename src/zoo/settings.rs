//! What a table of the manifest says of its jobs: the options of a conversion, by the names of the command line.

use toml::Spanned;
use toml::de::DeValue;

use super::error::{Fault, FaultKind};
use crate::checkpoint::Quantized;
use crate::convert::{Saved, size};
use crate::keras::file_layout::KerasVersion;
use crate::schema::reader::{Faults, Table, wrong_type};
use crate::schema::{self, Glob};
use crate::tensor::Dtype;

/// The keys, in the order of the command line's help.
pub(crate) const KEYS: &[&str] = &[
    "schema",
    "arch",
    "output",
    "key",
    "ema",
    "quantized",
    "dtype",
    "keras",
    "save",
    "max-shard-size",
    "optimizer",
    "allow-missing",
    "allow-unexpected",
    "allow-overflow",
];

/// What a table says; what it does not say is open.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) schema: Option<Spanned<String>>,
    pub(super) arch: Option<Spanned<String>>,
    pub(super) output: Option<Spanned<String>>,
    pub(super) key: Option<Spanned<String>>,
    pub(super) ema: Option<bool>,
    pub(super) quantized: Option<Quantized>,
    pub(super) dtype: Option<Dtype>,
    pub(super) keras: Option<KerasVersion>,
    pub(super) save: Option<Saved>,
    pub(super) max_shard_bytes: Option<u64>,
    pub(super) optimizer: Option<bool>,
    pub(super) allow_missing: Option<Vec<Glob>>,
    pub(super) allow_unexpected: Option<Vec<Glob>>,
    pub(super) allow_overflow: Option<bool>,
}

impl Settings {
    /// Reads them. What is wrong with a value goes to `own`, what is wrong with the table to `faults`.
    pub(super) fn read(table: &Table<'_>, faults: &mut Faults, own: &mut Vec<Fault>) -> Self {
        let globs = |key: &'static str, faults: &mut Faults| {
            table.get(key)?;
            let texts = table.strings(key, faults);
            Some(texts.iter().filter_map(|text| glob(text, faults)).collect())
        };
        Self {
            schema: table.string("schema", faults),
            arch: table.string("arch", faults),
            output: table.string("output", faults),
            key: table.string("key", faults),
            ema: table.boolean("ema", faults),
            quantized: word(table, "quantized", faults, own, quantized),
            dtype: word(table, "dtype", faults, own, dtype),
            keras: word(table, "keras", faults, own, |text| {
                text.parse().map_err(|error: crate::keras::file_layout::VersionError| error.to_string())
            }),
            save: word(table, "save", faults, own, saved),
            max_shard_bytes: bytes(table, "max-shard-size", faults, own),
            optimizer: table.boolean("optimizer", faults),
            allow_missing: globs("allow-missing", faults),
            allow_unexpected: globs("allow-unexpected", faults),
            allow_overflow: table.boolean("allow-overflow", faults),
        }
    }

    /// What a job says, and where it says nothing the defaults.
    pub(super) fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            schema: self.schema.or(defaults.schema),
            arch: self.arch.or(defaults.arch),
            output: self.output.or(defaults.output),
            key: self.key.or(defaults.key),
            ema: self.ema.or(defaults.ema),
            quantized: self.quantized.or(defaults.quantized),
            dtype: self.dtype.or(defaults.dtype),
            keras: self.keras.or(defaults.keras),
            save: self.save.or(defaults.save),
            max_shard_bytes: self.max_shard_bytes.or(defaults.max_shard_bytes),
            optimizer: self.optimizer.or(defaults.optimizer),
            allow_missing: self.allow_missing.or(defaults.allow_missing),
            allow_unexpected: self.allow_unexpected.or(defaults.allow_unexpected),
            allow_overflow: self.allow_overflow.or(defaults.allow_overflow),
        }
    }
}

/// A string that stands for a value.
fn word<T>(
    table: &Table<'_>,
    key: &'static str,
    faults: &mut Faults,
    own: &mut Vec<Fault>,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = table.string(key, faults)?;
    match read(text.get_ref()) {
        Ok(value) => Some(value),
        Err(reason) => {
            own.push(Fault::new(faults.position(text.span()), FaultKind::Value { key, reason }));
            None
        }
    }
}

/// A size: a number of bytes, or a string with a unit.
fn bytes(table: &Table<'_>, key: &'static str, faults: &mut Faults, own: &mut Vec<Fault>) -> Option<u64> {
    let value = table.get(key)?;
    let text = match value.get_ref() {
        DeValue::Integer(integer) => integer.as_str().to_owned(),
        DeValue::String(text) => text.to_string(),
        other => {
            wrong_type(key, value.span(), "a size such as \"2GB\"", other, faults);
            return None;
        }
    };
    match size(&text) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let kind = FaultKind::Value { key, reason: error.to_string() };
            own.push(Fault::new(faults.position(value.span()), kind));
            None
        }
    }
}

fn glob(text: &Spanned<String>, faults: &mut Faults) -> Option<Glob> {
    match Glob::parse(text.get_ref(), faults.position(text.span())) {
        Ok(glob) => Some(glob),
        Err(error) => {
            faults.add(text.span(), schema::FaultKind::Glob(error));
            None
        }
    }
}

fn quantized(text: &str) -> Result<Quantized, String> {
    match text {
        "dequantize" => Ok(Quantized::Dequantize),
        "keep" => Ok(Quantized::Keep),
        _ => Err("one of \"dequantize\", \"keep\"".to_owned()),
    }
}

fn saved(text: &str) -> Result<Saved, String> {
    match text {
        "model" => Ok(Saved::Model),
        "weights" => Ok(Saved::Weights),
        _ => Err("one of \"model\", \"weights\"".to_owned()),
    }
}

fn dtype(text: &str) -> Result<Dtype, String> {
    let names = || Dtype::ALL.into_iter().filter(|dtype| dtype.is_float()).map(Dtype::name);
    match Dtype::from_name(text) {
        Some(dtype) if dtype.is_float() => Ok(dtype),
        Some(_) | None => Err(format!("one of {}", names().collect::<Vec<_>>().join(", "))),
    }
}
