//! HDF5 files as the groups and datasets that Keras writes, through `hdf5-reader`. What the library leaves
//! undone for hostile files is done here: docs/hdf5-reader.md tells of each.

mod attributes;
mod element_type;
mod links;
mod tensor;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use hdf5_reader::messages::HdfMessage;
use hdf5_reader::object_header::ObjectHeader;
use hdf5_reader::storage::Storage;
use hdf5_reader::{Hdf5File, OpenOptions};

use crate::lazy::Bytes;

pub(super) use self::attributes::TextAttributes;
pub(super) use self::tensor::decodable;

use self::links::Link;
use super::error::ErrorKind;
use super::graph::join;

/// The first bytes of an HDF5 file.
pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Groups and datasets that are listed. The largest known model of Keras has some ten thousand layers.
const MAX_OBJECTS: usize = 1_000_000;

/// How deep groups nest: `layers/functional/layers/…` takes two levels per nested model.
const MAX_DEPTH: usize = 128;

/// The longest object header that is read. The attributes of one object are in it: the names of 20,000 layers,
/// at 100 bytes each, are 2 MB.
const MAX_HEADER_BYTES: usize = 4 << 20;

/// Bytes that are taken in for each byte of a file, at most: structure that is read once takes no more than
/// [`MESSAGE_COST`] for its smallest message, and what an honest file refers to twice is little.
const MAX_WORK_PER_BYTE: u64 = 24;

/// Bytes that are taken in of any file, however small.
const MIN_WORK: u64 = 16 << 20;

/// What a message of an object header takes in memory, at least; in the file it takes 8 bytes.
const MESSAGE_COST: u64 = 128;

/// The places of the objects of one collection of the global heap, by their indices.
type Places = HashMap<u32, Range<usize>>;

/// An open HDF5 file over mapped bytes.
pub(super) struct File {
    file: Hdf5File,
    bytes: Bytes,
    root: u64,
    /// Bytes of structure that may still be taken in. A file in which much refers to the same few bytes would
    /// take time and memory without end.
    work: Cell<u64>,
    /// Bytes that may still be decoded into memory.
    decodable: Cell<u64>,
    /// The headers that have been charged for.
    headers: RefCell<HashMap<u64, Arc<ObjectHeader>>>,
    collections: RefCell<HashMap<u64, Places>>,
}

/// A group with everything below it.
pub(super) struct Group {
    /// The path from the root, without a leading `/`; empty for the root.
    pub(super) path: String,
    /// The name.
    pub(super) name: String,
    /// Where its header is.
    pub(super) address: u64,
    /// The groups below: own attributes of Keras' layers first, those whose name begins with `_` last, as Keras
    /// walks them, and otherwise in natural order.
    pub(super) groups: Vec<Group>,
    /// The datasets, in natural order.
    pub(super) datasets: Vec<Dataset>,
    /// Further names of groups that are listed elsewhere: the path here, and the one there.
    pub(super) again: Vec<(String, String)>,
}

/// A dataset of a group.
pub(super) struct Dataset {
    /// The path from the root, without a leading `/`.
    pub(super) path: String,
    /// The name.
    pub(super) name: String,
    /// Where its header is.
    address: u64,
    /// How many links its group has, which is what a look-up by name costs.
    siblings: usize,
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
    move |source| ErrorKind::Hdf5 { at: shown(path), source: Box::new(source) }
}

/// Something at a place of the file that Keras never writes.
fn broken(path: &str, reason: &'static str) -> ErrorKind {
    ErrorKind::Broken { at: shown(path), reason }
}

fn shown(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

/// What an object is, by the messages of its header.
enum Kind {
    Group,
    Dataset,
}

impl File {
    /// Opens a file.
    pub(super) fn open(bytes: Bytes) -> Result<Self, ErrorKind> {
        let options = OpenOptions {
            max_read_bytes: usize::try_from(tensor::MAX_DECODED_BYTES).unwrap_or(usize::MAX),
            max_chunk_bytes: tensor::MAX_CHUNK_BYTES,
            max_object_header_bytes: MAX_HEADER_BYTES,
            // Every chunk is read once.
            chunk_cache_bytes: 0,
            ..OpenOptions::default()
        };
        let length = bytes.len() as u64;
        let file = Hdf5File::from_owner(Shared(bytes.clone()), options).map_err(at(""))?;
        if file.superblock().base_address != 0 {
            return Err(broken("", "it begins after other content (a user block)"));
        }
        let root = file.root_group().map_err(at(""))?.address();
        Ok(Self {
            file,
            bytes,
            root,
            work: Cell::new(length.saturating_mul(MAX_WORK_PER_BYTE).saturating_add(MIN_WORK)),
            decodable: Cell::new(decodable(length)),
            headers: RefCell::default(),
            collections: RefCell::default(),
        })
    }

    /// Where the root group's header is.
    pub(super) const fn root(&self) -> u64 {
        self.root
    }

    /// The address of a group directly below another, when there is one.
    pub(super) fn group(&self, parent: u64, path: &str, name: &str) -> Result<Option<u64>, ErrorKind> {
        let links = self.links(parent, path)?;
        let Some(link) = links.into_iter().find(|link| link.name == name) else { return Ok(None) };
        Ok(matches!(self.kind(&link, &join(path, name))?, Kind::Group).then_some(link.address))
    }

    /// The names of what is directly below a group.
    pub(super) fn names(&self, group: u64, path: &str) -> Result<Vec<String>, ErrorKind> {
        Ok(self.links(group, path)?.into_iter().map(|link| link.name).collect())
    }

    /// A group and everything below it.
    pub(super) fn tree(&self, address: u64, path: &str) -> Result<Group, ErrorKind> {
        Reading { file: self, places: HashMap::new(), objects: 0 }.group(address, path, 0)
    }

    /// The storage, and the sizes of addresses and of lengths in it.
    fn format(&self) -> (&dyn Storage, u8, u8) {
        let superblock = self.file.superblock();
        (self.file.storage(), superblock.offset_size, superblock.length_size)
    }

    /// Takes so many bytes of structure in.
    fn charge(&self, bytes: u64, path: &str) -> Result<(), ErrorKind> {
        let left = self.work.get().checked_sub(bytes);
        self.work.set(left.ok_or_else(|| {
            broken(path, "the file refers to the same bytes over and over, and holds more than its size")
        })?);
        Ok(())
    }

    /// The header of an object.
    fn header(&self, address: u64, path: &str) -> Result<Arc<ObjectHeader>, ErrorKind> {
        if let Some(header) = self.headers.borrow().get(&address) {
            return Ok(Arc::clone(header));
        }
        let header = self.file.get_or_parse_header(address).map_err(at(path))?;
        let cost = header.messages.iter().fold(0_u64, |cost, message| {
            let data = match message {
                HdfMessage::Attribute(attribute) => attribute.raw_data.len() as u64,
                HdfMessage::Unknown { data, .. } => data.len() as u64,
                _ => 0,
            };
            cost.saturating_add(data).saturating_add(MESSAGE_COST)
        });
        self.charge(cost, path)?;
        self.headers.borrow_mut().insert(address, Arc::clone(&header));
        Ok(header)
    }

    /// What a link leads to. A dataset that lost a part of its header would else pass for a group, or for
    /// nothing.
    fn kind(&self, link: &Link, path: &str) -> Result<Kind, ErrorKind> {
        let header = self.header(link.address, path)?;
        let has = |is_such: fn(&HdfMessage) -> bool| header.messages.iter().any(is_such);
        let is_group = has(|message| {
            matches!(message, HdfMessage::SymbolTable(_) | HdfMessage::Link(_) | HdfMessage::LinkInfo(_))
        });
        let parts = [
            has(|message| matches!(message, HdfMessage::Dataspace(_))),
            has(|message| matches!(message, HdfMessage::Datatype(_))),
            has(|message| matches!(message, HdfMessage::DataLayout(_))),
        ];
        match (is_group, parts) {
            (true, [false, false, false]) => Ok(Kind::Group),
            (false, [true, true, true]) => Ok(Kind::Dataset),
            (false, [false, true, false]) => {
                Err(broken(path, "it is a type, and neither a group nor a dataset"))
            }
            _ => Err(broken(path, "it is neither a whole group nor a whole dataset")),
        }
    }
}

/// Where a group was met first.
enum Met {
    /// It is above the place that is being read.
    Above,
    /// It has been read.
    At(String),
}

/// A tree that is being read.
struct Reading<'a> {
    file: &'a File,
    /// The groups that have been met. One with several names is read once.
    places: HashMap<u64, Met>,
    objects: usize,
}

impl Reading<'_> {
    fn group(&mut self, address: u64, path: &str, depth: usize) -> Result<Group, ErrorKind> {
        if depth > MAX_DEPTH {
            return Err(ErrorKind::TooMany { what: "levels of groups", limit: MAX_DEPTH });
        }
        self.places.insert(address, Met::Above);
        let mut links = self.file.links(address, path)?;
        self.objects = self.objects.saturating_add(links.len());
        if self.objects > MAX_OBJECTS {
            return Err(ErrorKind::TooMany { what: "groups and datasets", limit: MAX_OBJECTS });
        }
        links.sort_by(|a, b| walked(&a.name).cmp(&walked(&b.name)));
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let (groups, datasets, again) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = Group { path: path.to_owned(), name, address, groups, datasets, again };
        let siblings = links.len();
        for link in links {
            let path = join(path, &link.name);
            // Paths repeat the names above.
            self.file.charge(path.len() as u64, &path)?;
            match self.file.kind(&link, &path)? {
                Kind::Dataset => {
                    let Link { name, address } = link;
                    found.datasets.push(Dataset { path, name, address, siblings });
                }
                Kind::Group => match self.places.get(&link.address) {
                    None => found.groups.push(self.group(link.address, &path, depth + 1)?),
                    Some(Met::At(first)) => found.again.push((path, first.clone())),
                    Some(Met::Above) => return Err(broken(&path, "the group leads back to one above it")),
                },
            }
        }
        self.places.insert(address, Met::At(path.to_owned()));
        Ok(found)
    }
}

/// The order in which Keras walks the attributes of a layer (`saving_lib._walk_saveable`), with numbers in
/// numeric order: the layers of a model first, names that begin with `_` last. Keras up to 2.13 called the layers
/// of a model by such a name.
pub(super) fn walked(name: &str) -> (u8, (&str, usize, &str)) {
    let rank = match name {
        "layers" | super::stored::OLD_LAYERS => 0,
        _ if name.starts_with('_') => 2,
        _ => 1,
    };
    (rank, natural(name))
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
