//! HDF5 files as the groups and datasets that Keras writes, through `hdf5-reader`.

use std::cell::Cell;

use hdf5_reader::group::Group;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions};

use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

use super::error::ErrorKind;
use super::graph::join;
use super::links::foreign_link;

/// The first bytes of an HDF5 file.
pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Groups and datasets that are listed. The largest known model of Keras has some ten thousand layers; a
/// hostile file could link one group to itself under many names.
const MAX_OBJECTS: usize = 1_000_000;

/// How deep groups nest: `layers/functional/layers/…` takes two levels per nested model.
const MAX_DEPTH: usize = 128;

/// How many times a compressed file may grow in memory: no more than deflate can (1032), which is also near
/// the limit of Keras' own reader.
const MAX_EXPANSION: u64 = 1032;

/// What is decoded into memory of one file, where data is compressed or in chunks: Keras writes neither.
const MAX_DECODED_BYTES: usize = 4 << 30;

/// The longest chunk decoded at once, as in `hdf5-reader`'s own default.
const MAX_CHUNK_BYTES: usize = 256 << 20;

/// An open HDF5 file over mapped bytes.
pub(super) struct File {
    file: Hdf5File,
    bytes: Bytes,
    /// Bytes that may still be decoded into memory.
    decodable: Cell<usize>,
}

/// A group with everything below it.
pub(super) struct Tree {
    /// The path from the root, without a leading `/`; empty for the root.
    pub(super) path: String,
    /// The name.
    pub(super) name: String,
    pub(super) group: Group,
    /// The groups below, in natural order.
    pub(super) groups: Vec<Tree>,
    /// The datasets, in natural order.
    pub(super) datasets: Vec<Dataset>,
}

/// `Bytes` for a library that wants to own them.
struct Shared(Bytes);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// An error of the library at a place of the file.
fn at(path: &str) -> impl Fn(hdf5_reader::error::Error) -> ErrorKind + '_ {
    move |source| ErrorKind::Hdf5 {
        at: if path.is_empty() { "/".into() } else { path.into() },
        source: Box::new(source),
    }
}

impl File {
    /// Opens a file.
    pub(super) fn open(bytes: Bytes) -> Result<Self, ErrorKind> {
        let options = OpenOptions {
            max_read_bytes: MAX_DECODED_BYTES,
            max_chunk_bytes: MAX_CHUNK_BYTES,
            ..OpenOptions::default()
        };
        let expanded = bytes.len().saturating_mul(usize::try_from(MAX_EXPANSION).unwrap_or(usize::MAX));
        let decodable = Cell::new(expanded.min(MAX_DECODED_BYTES));
        let file = Hdf5File::from_owner(Shared(bytes.clone()), options).map_err(at(""))?;
        Ok(Self { file, bytes, decodable })
    }

    /// The root group, without what lies below.
    pub(super) fn root(&self) -> Result<Group, ErrorKind> {
        self.file.root_group().map_err(at(""))
    }

    /// A group and everything below it.
    pub(super) fn tree(&self, group: Group, path: &str) -> Result<Tree, ErrorKind> {
        let mut objects = 0;
        self.read_tree(group, path, 0, &mut objects)
    }

    fn read_tree(
        &self,
        group: Group,
        path: &str,
        depth: usize,
        objects: &mut usize,
    ) -> Result<Tree, ErrorKind> {
        if depth > MAX_DEPTH {
            return Err(ErrorKind::TooMany { what: "levels of groups", limit: MAX_DEPTH });
        }
        if let Some(link) = foreign_link(&self.file, &group).map_err(at(path))? {
            return Err(ErrorKind::Link { at: join(path, &link.name), target: link.target });
        }
        let (groups, mut datasets) = group.members().map_err(at(path))?;
        *objects = objects.saturating_add(groups.len()).saturating_add(datasets.len());
        if *objects > MAX_OBJECTS {
            return Err(ErrorKind::TooMany { what: "groups and datasets", limit: MAX_OBJECTS });
        }
        let mut below = Vec::with_capacity(groups.len());
        for group in groups {
            let path = join(path, group.name());
            below.push(self.read_tree(group, &path, depth + 1, objects)?);
        }
        below.sort_by(|a, b| natural(&a.name).cmp(&natural(&b.name)));
        datasets.sort_by(|a, b| natural(a.name()).cmp(&natural(b.name())));
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(Tree { path: path.to_owned(), name, group, groups: below, datasets })
    }

    /// A dataset as a tensor: a range of the file where it is contiguous, decoded otherwise.
    pub(super) fn tensor(&self, dataset: &Dataset, path: &str) -> Result<LazyTensor, ErrorKind> {
        let (dtype, byte_order) = element_type(dataset, path)?;
        let sizes: Option<Vec<usize>> =
            dataset.shape().iter().map(|&size| usize::try_from(size).ok()).collect();
        let truncated = || ErrorKind::Truncated { at: path.to_owned() };
        let shape = Shape::new(sizes.ok_or_else(truncated)?)
            .map_err(|source| ErrorKind::VariableShape { layer: path.to_owned(), source })?;
        let length = shape.numel().checked_mul(dtype.size()).ok_or_else(truncated)?;
        let bytes = match self.contiguous(dataset, path)? {
            Some(address) if length > 0 => {
                let start = usize::try_from(address).map_err(|_| truncated())?;
                let end = start.checked_add(length).ok_or_else(truncated)?;
                self.bytes.slice(start..end).ok_or_else(truncated)?
            }
            _ if length == 0 => Bytes::held(Vec::new()),
            _ => {
                let left = self.decodable.get().checked_sub(length);
                let limit = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
                let limit = limit.saturating_mul(MAX_EXPANSION);
                let left =
                    left.ok_or(ErrorKind::TooLarge { part: "decoded data", bytes: length as u64, limit })?;
                self.decodable.set(left);
                Bytes::held(dataset.read_raw_bytes().map_err(at(path))?)
            }
        };
        if bytes.len() != length {
            return Err(truncated());
        }
        Ok(LazyTensor { dtype, view: Strided::contiguous(shape), byte_order, storage: bytes.into() })
    }

    /// The offset of a dataset's bytes in the file, when they lie in one piece.
    fn contiguous(&self, dataset: &Dataset, path: &str) -> Result<Option<u64>, ErrorKind> {
        /// The address of data that was never written.
        const UNDEFINED: u64 = u64::MAX;
        if self.file.superblock().base_address != 0 {
            return Ok(None);
        }
        let header = self.file.get_or_parse_header(dataset.address()).map_err(at(path))?;
        let is_external =
            header.messages.iter().any(|message| matches!(message, HdfMessage::ExternalFiles(_)));
        let layout = header.messages.iter().find_map(|message| match message {
            HdfMessage::DataLayout(message) => Some(&message.layout),
            _ => None,
        });
        Ok(match layout {
            Some(DataLayout::Contiguous { address, .. }) if *address != UNDEFINED && !is_external => {
                Some(*address)
            }
            _ => None,
        })
    }
}

/// A key that sorts `dense_2` before `dense_10`: the text before a final number, then the number.
pub(super) fn natural(name: &str) -> (&str, usize, &str) {
    let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name.strip_prefix(text).unwrap_or("");
    match digits.parse() {
        // A name without a number comes before the numbered ones: `dense`, `dense_1`.
        Ok(number) => (text.strip_suffix('_').unwrap_or(text), number, name),
        Err(_) => (name, 0, name),
    }
}

/// The value of a text attribute of a group, when it has one.
pub(super) fn text_attribute(group: &Group, name: &str, path: &str) -> Result<Option<String>, ErrorKind> {
    let attributes = group.attributes().map_err(at(path))?;
    let attribute = attributes.iter().find(|attribute| attribute.name == name);
    attribute.map(|attribute| attribute.read_string().map_err(at(path))).transpose()
}

/// A list of names in an attribute, whole or in numbered parts (`layer_names0`, …).
pub(super) fn list_attribute(
    group: &Group,
    name: &str,
    path: &str,
) -> Result<Option<Vec<String>>, ErrorKind> {
    let attributes = group.attributes().map_err(at(path))?;
    let read = |name: &str| -> Result<Option<Vec<String>>, ErrorKind> {
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        // h5py writes an empty list as an empty array of numbers.
        if attribute.shape.contains(&0) {
            return Ok(Some(Vec::new()));
        }
        attribute.read_strings().map(Some).map_err(at(path))
    };
    if let Some(whole) = read(name)? {
        return Ok(Some(whole));
    }
    let mut parts: Option<Vec<String>> = None;
    for index in 0_usize.. {
        let Some(part) = read(&format!("{name}{index}"))? else { break };
        parts.get_or_insert_default().extend(part);
    }
    Ok(parts)
}

fn element_type(dataset: &Dataset, path: &str) -> Result<(Dtype, ByteOrder), ErrorKind> {
    let order = |order: &hdf5_reader::ByteOrder| match order {
        hdf5_reader::ByteOrder::LittleEndian => ByteOrder::Little,
        hdf5_reader::ByteOrder::BigEndian => ByteOrder::Big,
    };
    let unsupported = || ErrorKind::ElementType { at: path.into(), found: format!("{:?}", dataset.dtype()) };
    Ok(match dataset.dtype() {
        Datatype::FixedPoint { size, signed, byte_order } => {
            let dtype = match (size, signed) {
                (1, true) => Dtype::I8,
                (1, false) => Dtype::U8,
                (2, true) => Dtype::I16,
                (2, false) => Dtype::U16,
                (4, true) => Dtype::I32,
                (4, false) => Dtype::U32,
                (8, true) => Dtype::I64,
                (8, false) => Dtype::U64,
                _ => return Err(unsupported()),
            };
            (dtype, order(byte_order))
        }
        Datatype::FloatingPoint { size, byte_order } => {
            let dtype = match size {
                2 => half_type(&dataset.raw_datatype().map_err(at(path))?).ok_or_else(unsupported)?,
                4 => Dtype::F32,
                8 => Dtype::F64,
                _ => return Err(unsupported()),
            };
            (dtype, order(byte_order))
        }
        // Keras marks bfloat16 with an attribute, for HDF5 before 2.0 has no type for it.
        Datatype::Opaque { size: 2, .. } => {
            let marks = dataset.attributes();
            let mark = marks.iter().find(|attribute| attribute.name == "dtype").ok_or_else(unsupported)?;
            if mark.read_string().map_err(at(path))? != "bfloat16" {
                return Err(unsupported());
            }
            (Dtype::Bf16, ByteOrder::Little)
        }
        // h5py writes complex numbers as a compound of `r` and `i`.
        Datatype::Compound { size: size @ (8 | 16), fields } => {
            let half = size / 2;
            let part = |name: &str, offset: u32| {
                fields.iter().find_map(|field| match &field.datatype {
                    Datatype::FloatingPoint { size, byte_order }
                        if *size as u64 == u64::from(half)
                            && field.name == name
                            && field.byte_offset == offset =>
                    {
                        Some(order(byte_order))
                    }
                    _ => None,
                })
            };
            let dtype = if *size == 8 { Dtype::Complex64 } else { Dtype::Complex128 };
            match (part("r", 0), part("i", half)) {
                (Some(real), Some(imaginary)) if real == imaginary && fields.len() == 2 => (dtype, real),
                _ => return Err(unsupported()),
            }
        }
        // h5py writes booleans as an enumeration of `FALSE` and `TRUE`.
        Datatype::Enum { base, .. } if matches!(**base, Datatype::FixedPoint { size: 1, .. }) => {
            (Dtype::Bool, ByteOrder::Little)
        }
        _ => return Err(unsupported()),
    })
}

/// Which of the two-byte floats a datatype message describes, by the size of its exponent (byte 13: class and
/// flags take 4, the size 4, offset and precision 2 each, the exponent's location 1).
fn half_type(message: &[u8]) -> Option<Dtype> {
    match message.get(13)? {
        5 => Some(Dtype::F16),
        8 => Some(Dtype::Bf16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let mut names = ["dense_10", "dense", "10", "2", "conv2d", "dense_2", "conv2d_1", "conv", "batch"];
        names.sort_by(|a, b| natural(a).cmp(&natural(b)));
        assert_eq!(names, ["2", "10", "batch", "conv", "conv2d", "conv2d_1", "dense", "dense_2", "dense_10"]);
    }
}
