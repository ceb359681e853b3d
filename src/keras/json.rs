//! Typed access to the configurations of Keras objects.

mod read;
mod value;

pub(super) use read::from_python;
pub use value::{Fields, Value};

use super::error::ErrorKind;

/// The longest configuration that is read. `NASNetLarge`, a thousand layers, has 1.2 MB; the parsed form
/// takes some ten times as much.
pub(super) const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// The highest rank of an input shape, as of any tensor.
const MAX_INPUT_RANK: usize = crate::tensor::MAX_RANK;

/// An input shape; `None` for a size that is not fixed (the batch).
pub(super) type InputShape = Vec<Option<usize>>;

/// The `config` of a layer, for reading its fields with errors that name the layer.
#[derive(Clone, Copy)]
pub(super) struct Config<'a> {
    /// The layer, from the root.
    pub(super) layer: &'a str,
    fields: &'a Fields,
}

impl<'a> Config<'a> {
    /// The `config` of a serialized object.
    pub(super) fn of(object: &'a Value, layer: &'a str) -> Result<Self, ErrorKind> {
        Self::new(object.get("config").ok_or_else(|| missing(layer, "config"))?, layer)
    }

    /// A `config` itself.
    pub(super) fn new(config: &'a Value, layer: &'a str) -> Result<Self, ErrorKind> {
        match config {
            Value::Object(fields) => Ok(Self { layer, fields }),
            _ => Err(wrong(layer, "config", "an object")),
        }
    }

    /// The same fields, as those of a layer at another path.
    pub(super) fn named<'b>(&self, layer: &'b str) -> Config<'b>
    where
        'a: 'b,
    {
        Config { layer, fields: self.fields }
    }

    /// The field, unless it is absent or null.
    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Whether the field is there and null, which is not its default.
    pub(super) fn is_null(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Value::is_null)
    }

    /// A field that must be there.
    pub(super) fn need(&self, field: &str) -> Result<&'a Value, ErrorKind> {
        self.get(field).ok_or_else(|| missing(self.layer, field))
    }

    /// A flag, with Keras' own default.
    pub(super) fn flag(&self, field: &str, default: bool) -> Result<bool, ErrorKind> {
        match self.get(field) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| wrong(self.layer, field, "true or false")),
        }
    }

    /// A text, if it is there.
    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, ErrorKind> {
        self.get(field)
            .map(|value| value.as_str().ok_or_else(|| wrong(self.layer, field, "a text")))
            .transpose()
    }

    /// A size.
    pub(super) fn size(&self, field: &str) -> Result<usize, ErrorKind> {
        size(self.need(field)?).ok_or_else(|| wrong(self.layer, field, "a size"))
    }

    /// A size, with Keras' own default.
    pub(super) fn size_or(&self, field: &str, default: usize) -> Result<usize, ErrorKind> {
        if self.get(field).is_some() { self.size(field) } else { Ok(default) }
    }

    /// A size, or one per spatial axis.
    pub(super) fn sizes(&self, field: &str, rank: usize) -> Result<Vec<usize>, ErrorKind> {
        let value = self.need(field)?;
        let sizes = match value {
            Value::Array(items) => items.iter().map(size).collect(),
            one => size(one).map(|size| vec![size; rank]),
        };
        sizes
            .filter(|sizes: &Vec<usize>| sizes.len() == rank)
            .ok_or_else(|| wrong(self.layer, field, "a size per axis"))
    }

    /// A size or list of sizes of any length.
    pub(super) fn shape(&self, field: &str) -> Result<Option<InputShape>, ErrorKind> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let shape = match value {
            Value::Array(_) => input_shape(value),
            one => size(one).map(|size| vec![Some(size)]),
        };
        shape.map(Some).ok_or_else(|| wrong(self.layer, field, "a shape"))
    }

    /// An axis or list of axes, as they stand (negative from the end).
    pub(super) fn axes(&self, field: &str) -> Result<Option<Vec<i64>>, ErrorKind> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let axes = match value {
            Value::Array(items) => items.iter().map(Value::as_i64).collect(),
            one => one.as_i64().map(|axis| vec![axis]),
        };
        axes.map(Some).ok_or_else(|| wrong(self.layer, field, "an axis or a list of axes"))
    }

    /// An error about one of the fields.
    pub(super) fn wrong(&self, field: &str, expected: &'static str) -> ErrorKind {
        wrong(self.layer, field, expected)
    }
}

/// A field of an object that has a text.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

/// A field of an object's `config`.
pub(super) fn setting<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object.get("config")?.get(field)
}

/// A size.
pub(super) fn size(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|size| usize::try_from(size).ok())
}

/// A shape: a list of sizes and nulls.
pub(super) fn input_shape(value: &Value) -> Option<InputShape> {
    let items = value.as_array().filter(|items| items.len() <= MAX_INPUT_RANK)?;
    items.iter().map(|item| if item.is_null() { Some(None) } else { size(item).map(Some) }).collect()
}

pub(super) fn missing(layer: &str, field: &str) -> ErrorKind {
    ErrorKind::MissingField { layer: layer.into(), field: field.into() }
}

pub(super) fn wrong(layer: &str, field: &str, expected: &'static str) -> ErrorKind {
    ErrorKind::WrongField { layer: layer.into(), field: field.into(), expected }
}

/// As that of `serde_json`.
#[cfg(test)]
macro_rules! json {
    ($($text:tt)*) => { $crate::keras::ConfigValue::from(serde_json::json!($($text)*)) };
}
#[cfg(test)]
pub(crate) use json;
