//! Datasets as tensors.

use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::dataspace::{DataspaceMessage, DataspaceType};
use hdf5_reader::messages::layout::DataLayout;

use super::super::error::ErrorKind;
use super::{Dataset, File, at, broken};
use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{Shape, Strided};

/// What is decoded into memory of one file, where data is compressed or in chunks: Keras writes neither.
pub(super) const MAX_DECODED_BYTES: u64 = 4 << 30;

/// How many times a compressed file may grow in memory. Trained weights hardly shrink at all; deflate could
/// make a thousand zeros of one byte.
const MAX_EXPANSION: u64 = 32;

/// What may be decoded of a small file, which may well be zeros alone.
const MIN_DECODED_BYTES: u64 = 64 << 20;

/// The longest chunk decoded at once. HDF5's own tools make chunks of a megabyte.
pub(super) const MAX_CHUNK_BYTES: usize = 64 << 20;

/// Bytes that may be decoded of a file of that length.
pub(in crate::keras) fn decodable(length: u64) -> u64 {
    length.saturating_mul(MAX_EXPANSION).clamp(MIN_DECODED_BYTES, MAX_DECODED_BYTES)
}

impl File {
    /// A dataset as a tensor: a range of the file where it is contiguous, decoded otherwise.
    pub(in crate::keras) fn tensor(&self, dataset: &Dataset) -> Result<LazyTensor, ErrorKind> {
        let path = dataset.path.as_str();
        let header = self.header(dataset.address, path)?;
        let (mut space, mut datatype, mut layout) = (None, None, None);
        for message in &header.messages {
            let is_second = match message {
                HdfMessage::Dataspace(found) => space.replace(found).is_some(),
                HdfMessage::Datatype(found) => datatype.replace(found).is_some(),
                HdfMessage::DataLayout(found) => layout.replace(&found.layout).is_some(),
                HdfMessage::ExternalFiles(_) => {
                    return Err(broken(path, "its data is in another file, which Keras never does"));
                }
                _ => false,
            };
            if is_second {
                return Err(broken(path, "its header says the same thing twice"));
            }
        }
        let (Some(space), Some(datatype), Some(layout)) = (space, datatype, layout) else {
            return Err(broken(path, "it is not a whole dataset"));
        };
        let (dtype, byte_order) = self.element_type(dataset, &datatype.datatype)?;
        let shape = shape(space, path)?;
        let truncated = || ErrorKind::Truncated { at: path.to_owned() };
        let length = shape.numel().checked_mul(dtype.size()).ok_or_else(truncated)?;
        let bytes = match layout {
            _ if length == 0 => Bytes::held(Vec::new()),
            DataLayout::Contiguous { address, .. }
                if !Cursor::is_undefined_offset(*address, self.format().1) =>
            {
                let start = usize::try_from(*address).map_err(|_| truncated())?;
                let end = start.checked_add(length).ok_or_else(truncated)?;
                self.bytes.slice(start..end).ok_or_else(truncated)?
            }
            DataLayout::Compact { data } => Bytes::held(data.get(..length).ok_or_else(truncated)?.to_vec()),
            // Never written: the fill value.
            DataLayout::Contiguous { .. } => self.decoded(dataset, length, length as u64)?,
            DataLayout::Chunked { dims, element_size, .. } => {
                let element = u64::from(*element_size).max(dtype.size() as u64);
                let cost = chunks(space, dims, element).ok_or_else(truncated)?;
                self.decoded(dataset, length, cost.max(length as u64))?
            }
        };
        if bytes.len() != length {
            return Err(truncated());
        }
        Ok(LazyTensor { dtype, view: Strided::contiguous(shape), byte_order, storage: bytes.into() })
    }

    /// The library's own view of a dataset.
    pub(super) fn opened(&self, dataset: &Dataset) -> Result<hdf5_reader::Dataset, ErrorKind> {
        self.charge(dataset.siblings as u64, &dataset.path)?;
        self.file.dataset(&dataset.path).map_err(at(&dataset.path))
    }

    /// The bytes of a dataset, by the library. `cost` is what it decodes for them.
    fn decoded(&self, dataset: &Dataset, length: usize, cost: u64) -> Result<Bytes, ErrorKind> {
        let left = self.decodable.get().checked_sub(cost);
        let limit = decodable(self.bytes.len() as u64);
        let bytes = limit.saturating_sub(self.decodable.get()).saturating_add(cost);
        self.decodable.set(left.ok_or(ErrorKind::TooLarge { part: "decoded data", bytes, limit })?);
        let bytes = self.opened(dataset)?.read_raw_bytes().map_err(at(&dataset.path))?;
        if bytes.len() != length {
            return Err(ErrorKind::Truncated { at: dataset.path.clone() });
        }
        Ok(Bytes::held(bytes))
    }
}

fn shape(space: &DataspaceMessage, path: &str) -> Result<Shape, ErrorKind> {
    let sizes = match space.dataspace_type {
        DataspaceType::Scalar => Some(Vec::new()),
        DataspaceType::Simple => {
            space.dims.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<usize>>>()
        }
        DataspaceType::Null => return Err(broken(path, "it holds nothing, not even an empty array")),
    };
    let sizes = sizes.ok_or_else(|| ErrorKind::Truncated { at: path.to_owned() })?;
    Shape::new(sizes).map_err(|source| ErrorKind::VariableShape { layer: path.to_owned(), source })
}

/// Bytes of the chunks that cover a dataset: each is decoded whole.
fn chunks(space: &DataspaceMessage, sizes: &[u32], element: u64) -> Option<u64> {
    let mut bytes = element;
    for (at, &size) in space.dims.iter().enumerate() {
        let chunk = u64::from(*sizes.get(at)?);
        let count = size.checked_next_multiple_of(chunk).filter(|_| chunk > 0)?;
        bytes = bytes.checked_mul(count)?;
    }
    Some(bytes)
}
