//! A single safetensors file (formats/pytorch.md section 7.2), through the `safetensors` crate, which checks
//! the header's size, the offsets and the shapes. Here stricter: a key twice, or space before the header, are
//! errors, since readers differ in what they make of them.

use std::collections::HashSet;
use std::fmt;

use ::safetensors::tensor::Dtype as StoredDtype;
use ::safetensors::{SafeTensorError, SafeTensors};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{ByteOrder, Dtype, Printable, Shape, StateDictKey, Strided};

use super::error::{ErrorKind, UnsupportedForm};
use super::find::Candidate;
use super::pickle::{TensorError, UnsupportedTensor};
use super::read::{RawTensor, Read};
use super::state_dict::{OpenOptions, Role};

/// Why a safetensors file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsError {
    /// The crate refuses it.
    #[error("the safetensors file is damaged or truncated ({0}); get it again")]
    Format(#[from] SafeTensorError),
    /// A key stands twice in the header.
    #[error("the safetensors header has the key `{key}` twice", key = Printable(key))]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// The header does not start with its brace.
    #[error("the safetensors header starts with a space, which the format forbids")]
    LeadingSpace,
    /// The header is no JSON object of texts.
    #[error("the safetensors header is not valid: {0}")]
    Header(#[source] serde_json::Error),
    /// It holds no tensors.
    #[error("the safetensors file holds no tensors")]
    Empty,
}

/// Bytes of the header's length, before the header.
const LENGTH_SIZE: usize = 8;

/// The entry of the header that is no tensor.
const METADATA: &str = "__metadata__";

/// The metadata of one rank's file of a distributed checkpoint.
const SHARDING: &str = "DCP_SHARDING_INFO";

/// Reads a file's tensors, in the order of the header.
pub(super) fn read(bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let (header_length, metadata) =
        SafeTensors::read_metadata(bytes.as_slice()).map_err(SafetensorsError::Format)?;
    let data_start = LENGTH_SIZE.saturating_add(header_length);
    let header = bytes.as_slice().get(LENGTH_SIZE..data_start).unwrap_or(&[]);
    if header.first() != Some(&b'{') {
        return Err(SafetensorsError::LeadingSpace.into());
    }
    let keys = header_keys(header)?;
    if metadata.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(SHARDING)) {
        return Err(ErrorKind::Unsupported(UnsupportedForm::DcpShard));
    }
    let mut tensors = Vec::with_capacity(keys.len());
    let mut failed = None;
    let mut more = 0;
    for key in keys {
        let Some(stored) = metadata.info(&key) else { continue };
        match read_tensor(bytes, data_start, stored) {
            Ok(tensor) => tensors.push(RawTensor { key, tensor, storage: None, role: Role::Unknown }),
            Err(reason) if failed.is_none() => failed = Some((StateDictKey::new(key), reason)),
            Err(_) => more += 1,
        }
    }
    if let Some((key, reason)) = failed {
        return Err(ErrorKind::Tensor { key, reason, more });
    }
    if tensors.is_empty() {
        return Err(SafetensorsError::Empty.into());
    }
    let candidates = vec![Candidate { path: Vec::new(), tensors: tensors.len() }];
    match &options.key {
        Some(key) if !key.is_empty() => Err(ErrorKind::NoSuchKey { key: key.clone(), candidates }),
        _ => Ok(Read { tensors, candidates, ..Read::default() }),
    }
}

fn read_tensor(
    bytes: &Bytes,
    data_start: usize,
    stored: &::safetensors::tensor::TensorInfo,
) -> Result<LazyTensor, TensorError> {
    let dtype = dtype(stored.dtype)?;
    let shape = Shape::new(stored.shape.clone())?;
    let (begin, end) = stored.data_offsets;
    let range = data_start.saturating_add(begin)..data_start.saturating_add(end);
    let missing = || TensorError::MissingRecord { record: format!("{}..{}", range.start, range.end) };
    let bytes = bytes.slice(range.clone()).ok_or_else(missing)?;
    let strides = shape.contiguous_strides();
    let view = Strided::new(shape, strides, 0, bytes.len() / dtype.size())?;
    Ok(LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage: bytes.into() })
}

fn dtype(stored: StoredDtype) -> Result<Dtype, TensorError> {
    Ok(match stored {
        StoredDtype::BOOL => Dtype::Bool,
        StoredDtype::U8 => Dtype::U8,
        StoredDtype::I8 => Dtype::I8,
        StoredDtype::U16 => Dtype::U16,
        StoredDtype::I16 => Dtype::I16,
        StoredDtype::U32 => Dtype::U32,
        StoredDtype::I32 => Dtype::I32,
        StoredDtype::U64 => Dtype::U64,
        StoredDtype::I64 => Dtype::I64,
        StoredDtype::F16 => Dtype::F16,
        StoredDtype::BF16 => Dtype::Bf16,
        StoredDtype::F32 => Dtype::F32,
        StoredDtype::F64 => Dtype::F64,
        other => {
            return Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: other.to_string() }));
        }
    })
}

/// The keys of the header's tensors in their order, each once.
fn header_keys(header: &[u8]) -> Result<Vec<String>, SafetensorsError> {
    let mut json = serde_json::Deserializer::from_slice(header);
    let keys = json.deserialize_map(Keys).map_err(SafetensorsError::Header)?;
    let mut seen = HashSet::with_capacity(keys.len());
    if let Some(key) = keys.iter().find(|key| !seen.insert(key.as_str())) {
        return Err(SafetensorsError::DuplicateKey { key: key.clone() });
    }
    Ok(keys.into_iter().filter(|key| key != METADATA).collect())
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key()? {
            let IgnoredAny = map.next_value()?;
            keys.push(key);
        }
        Ok(keys)
    }
}
