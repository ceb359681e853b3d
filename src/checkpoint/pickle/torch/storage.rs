//! Storages, by their persistent ids (formats/pytorch.md sections 2.2 and 2.3).

use crate::checkpoint::pickle::storage_class::StorageClass;
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
    let unsupported =
        |dtype: &str| Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: dtype.to_owned() }));
    let (dtype, is_quantized) = match StorageClass::archived(class) {
        Some(StorageClass::Plain(dtype)) => (Some(dtype), false),
        Some(StorageClass::Quantized(integers)) => (Some(integers), true),
        Some(StorageClass::Untyped) => (None, false),
        Some(StorageClass::Packed(dtype)) => return unsupported(dtype),
        None => return unsupported(class),
    };
    Ok(StorageSpec { key, dtype, is_quantized, numel })
}

/// The name of the quantized type over these integers.
pub(super) const fn quantized_name(integers: Dtype) -> &'static str {
    match integers {
        Dtype::I8 => "qint8",
        Dtype::U8 => "quint8",
        _ => "qint32",
    }
}
