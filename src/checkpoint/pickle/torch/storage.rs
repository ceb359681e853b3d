//! Storages, by their persistent ids (formats/pytorch.md sections 2.2 and 2.3).

use super::script_storage::script_storage_dtype;
use crate::checkpoint::pickle::tensor_error::{TensorError, UnsupportedTensor};
use crate::checkpoint::pickle::value::{Pickle, Value, ValueId};
use crate::tensor::Dtype;

/// A storage, by its persistent id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageSpec<'a> {
    /// The record's name after `data/`; an opaque text.
    pub(crate) key: &'a str,
    /// The storage's own element type (of quantized ones, that of the integers); `None` for untyped storages,
    /// which count bytes.
    pub(crate) dtype: Option<Dtype>,
    /// Whether the class is a quantized one, such as `QInt8Storage`.
    pub(crate) is_quantized: bool,
    /// Elements (bytes when untyped).
    pub(crate) numel: usize,
}

impl StorageSpec<'_> {
    /// Bytes of one element of the storage.
    pub(crate) fn width(&self) -> usize {
        self.dtype.map_or(1, Dtype::size)
    }

    /// Bytes that torch reverses together in a big-endian file: an element, of complex ones a component, and
    /// nothing of untyped storages.
    pub(crate) fn swapped_size(&self) -> usize {
        self.dtype.map_or(1, Dtype::swapped_size)
    }
}

/// Bytes of a storage's key. torch writes decimal numbers.
const MAX_STORAGE_KEY: usize = 256;

pub(super) fn is_storage(pickle: &Pickle<'_>, id: ValueId) -> bool {
    matches!(pickle.get(id), Value::Persistent(_))
}

/// `('storage', class, key, location, numel)`. The class goes by its name alone, as in torch, and the
/// location (a device) says nothing about the bytes.
pub(super) fn storage<'a>(pickle: &Pickle<'a>, id: ValueId) -> Result<StorageSpec<'a>, TensorError> {
    let wrong = |what| TensorError::Arguments { function: "a storage".to_owned(), what };
    let Value::Persistent(pid) = pickle.get(id) else { return Err(wrong("it is none")) };
    let elements = pickle.sequence(*pid).ok_or_else(|| wrong("the persistent id is no tuple"))?;
    let [tag, class, key, _location, numel] = *elements else {
        return Err(wrong("the persistent id has not 5 elements"));
    };
    if pickle.text(tag) != Some("storage") {
        return Err(wrong("the persistent id is no storage's"));
    }
    let (_, class) = pickle.global(class).ok_or_else(|| wrong("the class is no global"))?;
    let key = pickle.text(key).ok_or_else(|| wrong("the key is no text"))?;
    if key.len() > MAX_STORAGE_KEY {
        return Err(wrong("the key is longer than any that torch writes"));
    }
    let numel = match pickle.get(numel) {
        &Value::Int(numel) => usize::try_from(numel).ok(),
        _ => None,
    };
    let numel = numel.ok_or_else(|| wrong("the number of elements is no count"))?;
    let (dtype, is_quantized) = class_dtype(class)?;
    Ok(StorageSpec { key, dtype, is_quantized, numel })
}

/// The element type of a storage class, `None` for the untyped ones, and whether it is a quantized class.
fn class_dtype(class: &str) -> Result<(Option<Dtype>, bool), TensorError> {
    let plain = |dtype| Ok((Some(dtype), false));
    let quantized = |dtype| Ok((Some(dtype), true));
    let refused = match class {
        "DoubleStorage" => return plain(Dtype::F64),
        "FloatStorage" => return plain(Dtype::F32),
        "HalfStorage" => return plain(Dtype::F16),
        "BFloat16Storage" => return plain(Dtype::Bf16),
        "LongStorage" => return plain(Dtype::I64),
        "IntStorage" => return plain(Dtype::I32),
        "ShortStorage" => return plain(Dtype::I16),
        "CharStorage" => return plain(Dtype::I8),
        "ByteStorage" => return plain(Dtype::U8),
        "BoolStorage" => return plain(Dtype::Bool),
        "ComplexFloatStorage" => return plain(Dtype::Complex64),
        "ComplexDoubleStorage" => return plain(Dtype::Complex128),
        "QInt8Storage" => return quantized(Dtype::I8),
        "QUInt8Storage" => return quantized(Dtype::U8),
        "QInt32Storage" => return quantized(Dtype::I32),
        "UntypedStorage" | "_UntypedStorage" => return Ok((None, false)),
        "QUInt4x2Storage" => "quint4x2",
        "QUInt2x4Storage" => "quint2x4",
        other => match script_storage_dtype(other) {
            Some(dtype) => return plain(dtype),
            None => other,
        },
    };
    Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: refused.to_owned() }))
}

/// The name of the quantized type over these integers.
pub(super) const fn quantized_name(integers: Dtype) -> &'static str {
    match integers {
        Dtype::I8 => "qint8",
        Dtype::U8 => "quint8",
        _ => "qint32",
    }
}
