//! Trees to structure.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::keras::file_layout::{Attribute, AttributeValue, Content, Dataset, Group, Node};
use crate::tensor::{Dtype, Shape};

use super::EncodeError;
use super::global_heap::{GlobalHeap, HeapReference};
use super::group::{GroupIndex, INTERNAL_K, LEAF_K, Symbol, push_index, symbol_entry};
use super::message::{
    MAX_MESSAGE_BYTES, ObjectHeader, UNDEFINED, VARIABLE_LENGTH_BYTES, put_dataspace, put_datatype,
    put_fixed_string, put_variable_string,
};

/// The superblock of version 0 (specification II.A).
const SUPERBLOCK_BYTES: usize = 96;
/// Where it holds the end of the file.
const END_OF_FILE: usize = 40;
/// Where it holds the root group's symbol table entry.
const ROOT_ENTRY: usize = 56;
/// The deepest nesting of groups: far beyond any model, and shallow enough for the C library's and our own
/// recursion.
const MAX_DEPTH: usize = 512;
/// The highest rank of a dataset (`H5S_MAX_RANK`).
const MAX_DATASET_RANK: usize = 32;
/// Messages that an object header may still have besides its attributes, out of the 65,535 it can count.
const MAX_ATTRIBUTES: usize = 65_000;
/// Every dataset starts on a cache line. What lies between the end of one and the next multiple of this is nobody's.
pub const ALIGNMENT: u64 = 64;
/// Datasets of this size and more start on a page, so that they can be mapped or written directly.
const PAGE_ALIGNED_BYTES: u64 = 64 * 1024;
/// Bytes of a page. A file that starts on a page of another one keeps its alignment.
pub const PAGE_BYTES: u64 = 4096;

/// Children of a group that need no memory of their own while they are listed: most have fewer.
const FEW_CHILDREN: usize = 8;

/// The header of a usual dataset, or some more.
const USUAL_DATASET_BYTES: usize = 300;
/// The header of a usual group and the index of its children, or some more.
const USUAL_GROUP_BYTES: usize = 500;
/// What a child takes of its group's index, or some more, beside its name.
const USUAL_CHILD_BYTES: usize = 64;

/// What a dataset holds.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'a> {
    /// The element type.
    pub dtype: Dtype,
    /// The shape.
    pub shape: &'a Shape,
}

/// A file without its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The first bytes of the file. What follows them and is no dataset is zeros.
    pub structure: Vec<u8>,
    /// Every dataset in the order of the tree: what it holds, and where in the file its elements start. One
    /// without elements has no place and stands here with the end of the structure.
    pub datasets: Vec<(Content, u64)>,
    /// Bytes of the whole file.
    pub len: u64,
}

/// Encodes a tree. `extent` tells the type and the shape of a dataset.
///
/// # Errors
/// When HDF5 cannot hold the tree.
pub fn encode<'a>(
    root: &Group,
    extent: &dyn Fn(Content) -> Option<Extent<'a>>,
) -> Result<Encoded, EncodeError> {
    let mut file = Vec::with_capacity(SUPERBLOCK_BYTES + usual_bytes(root));
    file.resize(SUPERBLOCK_BYTES, 0);
    let mut encoder = Encoder {
        extent,
        file,
        heap: GlobalHeap::default(),
        strings: Vec::new(),
        datasets: Vec::new(),
        path: String::new(),
    };
    let (header, index) = encoder.group(root, 0, 1)?;
    encoder.finish(header, index)
}

/// About how many bytes the structure of a tree takes, so that it hardly ever has to be moved while it grows. What is
/// not used of it takes no memory.
fn usual_bytes(root: &Group) -> usize {
    let (mut bytes, mut groups) = (0, vec![root]);
    while let Some(group) = groups.pop() {
        bytes += USUAL_GROUP_BYTES;
        for (name, node) in &group.children {
            bytes += USUAL_CHILD_BYTES + name.len();
            match node {
                Node::Group(child) => groups.push(child),
                Node::Dataset(_) => bytes += USUAL_DATASET_BYTES,
                Node::Alias(_) => {}
            }
        }
    }
    bytes
}

struct Encoder<'e, 'a> {
    extent: &'e dyn Fn(Content) -> Option<Extent<'a>>,
    file: Vec<u8>,
    heap: GlobalHeap,
    /// Where references to the global heap belong, which is placed last.
    strings: Vec<(usize, HeapReference)>,
    datasets: Vec<Placeholder>,
    /// The HDF5 path of the object at hand.
    path: String,
}

/// A dataset whose elements are not placed yet.
struct Placeholder {
    content: Content,
    /// Where the address belongs.
    address: usize,
    bytes: u64,
}

impl Encoder<'_, '_> {
    /// Appends a group that has so many names, its children first, and returns its header and index.
    fn group(&mut self, group: &Group, depth: usize, names: u32) -> Result<(u64, GroupIndex), EncodeError> {
        if depth > MAX_DEPTH {
            return Err(EncodeError::TooDeep { group: self.path.clone(), limit: MAX_DEPTH });
        }
        let mut aliases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, node) in &group.children {
            if let Node::Alias(of) = node {
                aliases.entry(of).or_default().push(name);
            }
        }
        let mut symbols: SmallVec<[Symbol<'_>; FEW_CHILDREN]> = SmallVec::with_capacity(group.children.len());
        for (name, node) in &group.children {
            if name.is_empty() || name == "." || name.contains(['/', '\0']) {
                return Err(EncodeError::Name { group: self.path.clone(), name: name.to_string() });
            }
            let parent = self.path.len();
            self.path.push('/');
            self.path.push_str(name);
            let further = match node {
                Node::Alias(_) => &[],
                Node::Group(_) | Node::Dataset(_) => aliases.get(&**name).map_or(&[][..], Vec::as_slice),
            };
            let names = u32::try_from(further.len()).map_or(u32::MAX, |further| further.saturating_add(1));
            let symbol = match node {
                Node::Group(child) => {
                    let (header, index) = self.group(child, depth + 1, names)?;
                    Symbol { name, header, index: Some(index) }
                }
                Node::Dataset(dataset) => Symbol { name, header: self.dataset(dataset, names)?, index: None },
                Node::Alias(_) => {
                    self.path.truncate(parent);
                    continue;
                }
            };
            symbols.extend(further.iter().map(|&name| Symbol { name, ..symbol }));
            symbols.push(symbol);
            self.path.truncate(parent);
        }
        if symbols.len() != group.children.len() {
            return Err(EncodeError::Alias { group: self.path.clone() });
        }
        symbols.sort_by_key(|symbol| symbol.name);
        if let Some(pair) = symbols.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(EncodeError::SameName { group: self.path.clone(), name: pair[0].name.to_owned() });
        }
        let index = push_index(&mut self.file, &symbols);
        let put = |header: &mut ObjectHeader<'_>| header.push_symbol_table(index.tree, index.heap);
        let (header, ()) = self.header(names, put, &group.attributes)?;
        Ok((header, index))
    }

    fn dataset(&mut self, dataset: &Dataset, names: u32) -> Result<u64, EncodeError> {
        let content = dataset.content;
        let Some(Extent { dtype, shape }) = (self.extent)(content) else {
            return Err(EncodeError::UnknownContent { object: self.path.clone() });
        };
        if !dtype.is_loaded_by_keras() {
            return Err(EncodeError::ElementType { object: self.path.clone(), dtype });
        }
        if shape.rank() > MAX_DATASET_RANK {
            return Err(EncodeError::Rank {
                object: self.path.clone(),
                rank: shape.rank(),
                limit: MAX_DATASET_RANK,
            });
        }
        let bytes = (shape.numel() as u64).checked_mul(dtype.size() as u64).ok_or(EncodeError::TooLong)?;
        let put = |header: &mut ObjectHeader<'_>| header.push_dataset(dtype, shape, bytes);
        let (header, address) = self.header(names, put, &dataset.attributes)?;
        self.datasets.push(Placeholder { content, address, bytes });
        Ok(header)
    }

    /// Appends the header of an object that has so many names: what `put` puts into it, and the attributes. Tells where
    /// it starts, and what `put` did.
    fn header<T>(
        &mut self,
        names: u32,
        put: impl FnOnce(&mut ObjectHeader<'_>) -> Result<T, usize>,
        attributes: &[Attribute],
    ) -> Result<(u64, T), EncodeError> {
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(EncodeError::TooManyAttributes {
                object: self.path.clone(),
                count: attributes.len(),
            });
        }
        let Self { file, heap, strings, path, .. } = self;
        let mut header = ObjectHeader::new(file, names);
        // A few bytes, but for a rank that was looked at before.
        let done = put(&mut header).map_err(|_| EncodeError::TooLong)?;
        let mut texts = Texts { heap, references: strings };
        for attribute in attributes {
            texts.put(&mut header, attribute).map_err(|bytes| EncodeError::AttributeTooLarge {
                object: path.clone(),
                name: attribute.name.to_string(),
                bytes,
                limit: MAX_MESSAGE_BYTES,
            })?;
        }
        Ok((header.finish(), done))
    }

    /// Places the global heap and the datasets, and writes the superblock.
    fn finish(self, root: u64, index: GroupIndex) -> Result<Encoded, EncodeError> {
        let Self { mut file, heap, strings, datasets: placeholders, .. } = self;
        let heap_start = file.len();
        file.extend(heap.finish());
        for (place, reference) in strings {
            put(&mut file, place, (heap_start + reference.collection) as u64);
        }

        let structure_end = file.len() as u64;
        let mut end = structure_end;
        let mut datasets = Vec::with_capacity(placeholders.len());
        for Placeholder { content, address, bytes } in placeholders {
            if bytes == 0 {
                datasets.push((content, structure_end));
                continue;
            }
            let alignment = if bytes >= PAGE_ALIGNED_BYTES { PAGE_BYTES } else { ALIGNMENT };
            let start = end.checked_next_multiple_of(alignment).ok_or(EncodeError::TooLong)?;
            end = start
                .checked_add(bytes)
                .filter(|&end| i64::try_from(end).is_ok())
                .ok_or(EncodeError::TooLong)?;
            put(&mut file, address, start);
            datasets.push((content, start));
        }

        file[..8].copy_from_slice(b"\x89HDF\r\n\x1a\n");
        // Sizes of offsets and lengths.
        file[13..15].copy_from_slice(&[8, 8]);
        file[16..18].copy_from_slice(&LEAF_K.to_le_bytes());
        file[18..20].copy_from_slice(&INTERNAL_K.to_le_bytes());
        // Free space and driver information: none.
        put(&mut file, 32, UNDEFINED);
        put(&mut file, END_OF_FILE, end);
        put(&mut file, 48, UNDEFINED);
        file[ROOT_ENTRY..SUPERBLOCK_BYTES].copy_from_slice(&symbol_entry(0, root, Some(index)));
        Ok(Encoded { structure: file, datasets, len: end })
    }
}

/// Where the texts of attributes go.
struct Texts<'e> {
    heap: &'e mut GlobalHeap,
    /// Where references to it belong.
    references: &'e mut Vec<(usize, HeapReference)>,
}

impl Texts<'_> {
    /// Puts an attribute into a header, or tells how many bytes are too many.
    fn put(&mut self, header: &mut ObjectHeader<'_>, attribute: &Attribute) -> Result<(), usize> {
        let name = &attribute.name;
        match &attribute.value {
            AttributeValue::Text(text) => {
                let reference = self.heap.insert(text.as_bytes());
                let mut data = [0; VARIABLE_LENGTH_BYTES];
                data[..4].copy_from_slice(&u32::try_from(text.len()).map_err(|_| text.len())?.to_le_bytes());
                data[12..14].copy_from_slice(&reference.index.to_le_bytes());
                let dataspace = |bytes: &mut Vec<u8>| put_dataspace(bytes, &[]);
                let place = header.push_attribute(name, put_variable_string, dataspace, &data)?;
                self.references.push((place + 4, reference));
            }
            AttributeValue::TextList(texts) if texts.is_empty() => {
                let datatype = |bytes: &mut Vec<u8>| put_datatype(bytes, Dtype::F64);
                header.push_attribute(name, datatype, |bytes| put_dataspace(bytes, &[0]), &[])?;
            }
            AttributeValue::TextList(texts) => {
                let width = texts.iter().map(String::len).max().unwrap_or(0).max(1);
                let total = width.checked_mul(texts.len()).filter(|&total| total <= MAX_MESSAGE_BYTES);
                let mut data = Vec::with_capacity(total.ok_or(width.saturating_mul(texts.len()))?);
                for text in texts {
                    data.extend_from_slice(text.as_bytes());
                    data.extend(std::iter::repeat_n(0, width - text.len()));
                }
                let ascii = texts.iter().all(|text| text.is_ascii());
                let datatype = |bytes: &mut Vec<u8>| put_fixed_string(bytes, width, ascii);
                header.push_attribute(name, datatype, |bytes| put_dataspace(bytes, &[texts.len()]), &data)?;
            }
        }
        Ok(())
    }
}

/// Overwrites eight bytes.
fn put(file: &mut [u8], place: usize, value: u64) {
    file[place..place + 8].copy_from_slice(&value.to_le_bytes());
}
