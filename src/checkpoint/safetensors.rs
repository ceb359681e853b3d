//! A single safetensors file (formats/pytorch.md section 7.2), through the `safetensors` crate, which checks
//! the header's size, the offsets and the shapes. Here stricter: a key twice, or space before the header, are
//! errors, since readers differ in what they make of them.

use std::collections::{HashMap, HashSet};
use std::fmt;

use ::safetensors::tensor::Dtype as StoredDtype;
use ::safetensors::{SafeTensorError, SafeTensors};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{ByteOrder, Dtype, MAX_RANK, Printable, Shape, StateDictKey, Strided};

use super::error::{ErrorKind, UnsupportedForm};
use super::json::Pairs;
use super::pickle::{TensorError, UnsupportedTensor};
use super::read::{RawTensor, Read};
use super::reading::only_root;
use super::state_dict::{OpenOptions, Role};
use super::unreadable::Unreadable;

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
    /// A header longer than any.
    #[error("the safetensors header has {bytes} bytes; at most {limit} are read")]
    HeaderTooLarge {
        /// Its bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
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
pub(super) const SHARDING: &str = "DCP_SHARDING_INFO";

/// Bytes of a header. That of a hundred thousand tensors has 12 MB; the format's own limit, 100 MB, is room
/// for shapes that take ten times as much memory.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// The format's own limit, in bytes: beyond it the length is no length of a header.
const FORMAT_LIMIT: u64 = 100_000_000;

/// What a safetensors file holds.
pub(super) struct Contents {
    /// The tensors in the order of the header.
    pub(super) tensors: Vec<RawTensor>,
    /// The texts of the header beside them.
    pub(super) metadata: HashMap<String, String>,
}

/// Reads the tensors of a file that is a whole checkpoint.
pub(super) fn read(bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let contents = contents(bytes)?;
    if contents.metadata.contains_key(SHARDING) {
        return Err(ErrorKind::Unsupported(UnsupportedForm::DcpShard));
    }
    whole(contents, options)
}

/// The state_dict of a file whose tensors are whole.
pub(super) fn whole(contents: Contents, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let Contents { tensors, metadata } = contents;
    if tensors.is_empty() {
        return Err(SafetensorsError::Empty.into());
    }
    let written_by = metadata.get("format").filter(|format| format.len() <= MAX_FORMAT);
    let written_by = written_by.map(|format| format!("safetensors (format {format})"));
    let candidates = only_root(tensors.len(), options)?;
    Ok(Read { tensors, candidates, written_by, ..Read::default() })
}

/// Bytes of the metadata `format` that can be a name: `pt`, `tf`, `mlx`.
const MAX_FORMAT: usize = 32;

/// Reads what a file holds, whole checkpoint or not.
pub(super) fn contents(bytes: &Bytes) -> Result<Contents, ErrorKind> {
    let length = bytes.as_slice().first_chunk::<LENGTH_SIZE>().copied().map(u64::from_le_bytes);
    if let Some(length) = length
        && length > MAX_HEADER_BYTES
        && length <= FORMAT_LIMIT
    {
        return Err(SafetensorsError::HeaderTooLarge { bytes: length, limit: MAX_HEADER_BYTES }.into());
    }
    let keys = match length
        .and_then(|length| bytes.as_slice().get(LENGTH_SIZE..)?.get(..usize::try_from(length).ok()?))
    {
        Some([b' ', ..]) => return Err(SafetensorsError::LeadingSpace.into()),
        Some(header @ [b'{', ..]) => header_keys(header)?,
        // The crate says what is wrong.
        _ => Vec::new(),
    };
    let (header_length, metadata) =
        SafeTensors::read_metadata(bytes.as_slice()).map_err(SafetensorsError::Format)?;
    let data_start = LENGTH_SIZE.saturating_add(header_length);
    let mut tensors = Vec::with_capacity(keys.len());
    let mut unreadable = Unreadable::default();
    for key in keys {
        let Some(stored) = metadata.info(&key) else { continue };
        match read_tensor(bytes, data_start, stored) {
            Ok(tensor) => tensors.push(RawTensor { key, tensor, storage: None, role: Role::Unknown }),
            Err(reason) => unreadable.add(StateDictKey::new(key), reason),
        }
    }
    unreadable.finish()?;
    Ok(Contents { tensors, metadata: metadata.metadata().clone().unwrap_or_default() })
}

fn read_tensor(
    bytes: &Bytes,
    data_start: usize,
    stored: &::safetensors::tensor::TensorInfo,
) -> Result<LazyTensor, TensorError> {
    let dtype = dtype(stored.dtype)?;
    let mut sizes = stored.shape.clone();
    if stored.dtype == StoredDtype::F4 {
        // The header counts numbers, torch counts bytes of two.
        match sizes.last_mut() {
            Some(last) if last.is_multiple_of(2) => *last /= 2,
            _ => return Err(unsupported("F4 with an odd last axis")),
        }
    }
    let shape = Shape::new(sizes)?;
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
        StoredDtype::C64 => Dtype::Complex64,
        StoredDtype::F8_E4M3 => Dtype::F8E4m3fn,
        StoredDtype::F8_E5M2 => Dtype::F8E5m2,
        StoredDtype::F8_E4M3FNUZ => Dtype::F8E4m3fnuz,
        StoredDtype::F8_E5M2FNUZ => Dtype::F8E5m2fnuz,
        StoredDtype::F8_E8M0 => Dtype::F8E8m0fnu,
        StoredDtype::F4 => Dtype::F4E2m1fnX2,
        // F6_E2M3 and F6_E3M2: torch has no such types.
        other => return Err(unsupported(&other.to_string())),
    })
}

fn unsupported(dtype: &str) -> TensorError {
    TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: dtype.to_owned() })
}

/// The keys of the header's tensors in their order, each once.
fn header_keys(header: &[u8]) -> Result<Vec<String>, SafetensorsError> {
    let Pairs::<Ranked>(pairs) = serde_json::from_slice(header).map_err(SafetensorsError::Header)?;
    let mut seen = HashSet::with_capacity(pairs.len());
    if let Some((key, _)) = pairs.iter().find(|(key, _)| !seen.insert(key.as_str())) {
        return Err(SafetensorsError::DuplicateKey { key: key.clone() });
    }
    Ok(pairs.into_iter().map(|(key, _)| key).filter(|key| key != METADATA).collect())
}

/// An entry of the header, of which only the rank is looked at: a list of sizes is read into memory once it is
/// known to be short.
#[derive(Deserialize)]
struct Ranked {
    #[serde(rename = "shape")]
    _rank: Option<Rank>,
}

struct Rank;

impl<'de> Deserialize<'de> for Rank {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Rank {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Self, A::Error> {
        let mut rank = 0;
        while sizes.next_element::<IgnoredAny>()?.is_some() {
            rank += 1;
            if rank > MAX_RANK {
                return Err(A::Error::custom(format_args!("a shape has more than {MAX_RANK} axes")));
            }
        }
        Ok(self)
    }

    /// The metadata may have a text of that name.
    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}
