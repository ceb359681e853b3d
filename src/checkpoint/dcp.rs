//! Folders of `torch.distributed.checkpoint` (formats/pytorch.md section 7.4).

mod error;
mod item;
mod metadata;
mod tree;

use std::path::Path;

use crate::lazy::{Assemble, AssembleError, Bytes, LazyTensor, Part, Recipe, Storage};
use crate::tensor::{ByteOrder, Dtype, Shape, StateDictKey, Strided};

use super::error::ErrorKind;
use super::files::{FileError, Files};
use super::find::EntryKind;
use super::pickle;
use super::read::{RawTensor, Read};
use super::rebuild::MAX_EXPANDED_BYTES;
use super::state_dict::{OpenOptions, Role, Warning};

pub use error::DcpError;
use item::Items;

/// Bytes of a `.metadata`. A chunk takes from 100 to 200, so this is room for ten thousand tensors on a hundred
/// and fifty ranks. The memory is bounded by the size of the file (see the pickle's budget).
const MAX_METADATA_BYTES: usize = 256 << 20;

/// Reads a folder's state_dict.
pub(super) fn read(folder: &Path, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut files = Files::new(folder);
    let bytes = match files.map(".metadata") {
        Err(FileError::Missing { .. }) => return Err(DcpError::NoMetadata.into()),
        bytes => bytes?,
    };
    if bytes.len() > MAX_METADATA_BYTES {
        return Err(DcpError::MetadataTooLarge { bytes: bytes.len(), limit: MAX_METADATA_BYTES }.into());
    }
    let pickle = pickle::parse(bytes.as_slice()).map_err(DcpError::Pickle)?;
    let metadata = metadata::read(&pickle)?;
    let paths = tree::paths(&metadata);
    let chosen = tree::choose(&metadata, &paths, options)?;
    let mut items = Items::new(&metadata, files, options);
    let mut warnings = chosen.choice.warnings;
    let mut tensors = Vec::with_capacity(chosen.found.len());
    for (key, entry) in chosen.found.each() {
        let key = key.map_err(|what| ErrorKind::TensorKey { what: what.to_owned() })?;
        let stored = chosen.places.get(&entry.value).and_then(|&place| metadata.entries.get(place));
        let what = match stored {
            Some(metadata::Entry { name, tensor: Some(stored), .. }) => {
                let tensor = read_tensor(&mut items, name, stored)?;
                tensors.push(RawTensor { key: key.to_owned(), tensor, storage: None, role: Role::Unknown });
                continue;
            }
            Some(stored) => items.object(stored.name, entry.kind == EntryKind::Aside)?,
            None => chosen.pickle.describe(entry.value),
        };
        warnings.push(Warning::NotATensor { key: StateDictKey::new(key), what });
    }
    let (files, mut found) = items.into_files();
    warnings.append(&mut found);
    Ok(Read {
        tensors,
        path: chosen.choice.path,
        trainer: chosen.choice.trainer,
        candidates: chosen.choice.candidates,
        warnings,
        files: files.into_paths(),
        written_by: Some("torch.distributed.checkpoint".to_owned()),
        ..Read::default()
    })
}

/// Reads the chunks of a tensor, and checks that they are the whole.
fn read_tensor<'a>(
    items: &mut Items<'_, 'a>,
    name: &'a str,
    stored: &metadata::Tensor,
) -> Result<LazyTensor, ErrorKind> {
    let dtype = stored.dtype(name)?;
    let mut parts = Vec::with_capacity(stored.chunks.len());
    for chunk in &stored.chunks {
        // Ranks without rows have chunks without elements.
        let (tensor, offsets) = if chunk.sizes.contains(&0) {
            let shape = Shape::new(chunk.sizes.clone())
                .map_err(|reason| DcpError::Shape { key: StateDictKey::new(name), reason })?;
            (empty(dtype, shape), chunk.offsets.clone())
        } else {
            let (item, tensor) = items.tensor(name, &chunk.offsets)?;
            let sizes = tensor.view.shape().sizes();
            if tensor.dtype != dtype || sizes != chunk.sizes {
                let found = format!("{} {sizes:?}", tensor.dtype);
                let expected = format!("{dtype} {:?}", chunk.sizes);
                return Err(item::inside(&item, DcpError::Differs { found, expected }.into()));
            }
            (tensor, chunk.offsets.clone())
        };
        parts.push(Part { offsets, tensor });
    }
    Ok(assemble(name, dtype, stored.shape.clone(), parts)?)
}

/// A tensor without elements.
fn empty(dtype: Dtype, shape: Shape) -> LazyTensor {
    let storage = Bytes::held(Vec::new()).into();
    LazyTensor { dtype, view: Strided::contiguous(shape), byte_order: ByteOrder::Little, storage }
}

/// Puts the parts of a tensor together: a part that is the whole stays as it is.
pub(super) fn assemble(
    name: &str,
    dtype: Dtype,
    shape: Shape,
    parts: Vec<Part>,
) -> Result<LazyTensor, DcpError> {
    let key = || StateDictKey::new(name);
    let wrong = |reason: AssembleError| DcpError::Assemble { key: key(), reason: Box::new(reason) };
    let stored = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.tensor.storage.byte_len()));
    let bytes = shape.numel().saturating_mul(dtype.size());
    if bytes > stored.max(MAX_EXPANDED_BYTES) {
        return Err(DcpError::Expanded { key: key(), bytes, stored });
    }
    let mut filled = parts.iter().filter(|part| part.tensor.view.shape().numel() > 0);
    if let (Some(part), None) = (filled.next(), filled.next())
        && part.tensor.dtype == dtype
        && part.tensor.view.shape() == &shape
        && part.offsets.len() == shape.rank()
        && part.offsets.iter().all(|&offset| offset == 0)
    {
        return Ok(part.tensor.clone());
    }
    let whole = Assemble::new(dtype, shape.clone(), parts).map_err(wrong)?;
    if shape.numel() == 0 {
        return Ok(empty(dtype, shape));
    }
    let storage = Storage::computed(Recipe::Assemble(whole));
    Ok(LazyTensor { dtype, view: Strided::contiguous(shape), byte_order: ByteOrder::Little, storage })
}
