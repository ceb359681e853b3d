//! The file `.metadata`: a plain pickle of torch's classes, given their meaning (formats/pytorch.md section
//! 7.4; torch/distributed/checkpoint/metadata.py and filesystem.py).

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::pickle::{Dict, Pickle, Value, ValueId};
use crate::checkpoint::pickle::{TensorError, UnsupportedTensor};
use crate::tensor::{Dtype, MAX_RANK, Shape, StateDictKey};

use super::DcpError;

/// Keys of one entry's way from the root. Real ones have up to ten.
const MAX_PATH: usize = 64;

/// Sizes, offsets and steps that are read in all, with [`LIST_COST`] for every list of them: values of a
/// pickle can be shared, so that a small file would name any number.
const MIN_NUMBERS: usize = 1 << 22;

/// Bytes of a large pickle for each number. A chunk of a matrix takes 140 and counts for 18.
const BYTES_PER_NUMBER: usize = 4;

/// What a list costs beside its elements.
const LIST_COST: usize = 4;

/// What the metadata says.
pub(super) struct Metadata<'a> {
    /// In the order of the file.
    pub(super) entries: Vec<Entry<'a>>,
    /// Where the values are: by entry and, for tensors, the chunk's offsets.
    pub(super) items: HashMap<(&'a str, Option<Vec<usize>>), Item<'a>>,
}

/// One entry of the state_dict that was saved.
pub(super) struct Entry<'a> {
    /// Its keys from the root, joined by dots.
    pub(super) name: &'a str,
    /// Its keys from the root, where the planner kept them.
    pub(super) path: Option<Vec<Cow<'a, str>>>,
    /// What it is, when it is a tensor.
    pub(super) tensor: Option<Tensor>,
}

/// A tensor of the state_dict.
pub(super) struct Tensor {
    /// Its element type, or the name of one that is not supported.
    pub(super) dtype: Result<Dtype, String>,
    pub(super) shape: Shape,
    pub(super) chunks: Vec<Chunk>,
}

/// A part of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub(super) offsets: Vec<usize>,
    pub(super) sizes: Vec<usize>,
}

/// Where the values of an entry or a chunk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Item<'a> {
    pub(super) file: &'a str,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Whether it was stored through transformations.
    pub(super) is_transformed: bool,
}

impl Tensor {
    /// The element type.
    pub(super) fn dtype(&self, name: &str) -> Result<Dtype, ErrorKind> {
        self.dtype.clone().map_err(|dtype| {
            ErrorKind::tensor(name, TensorError::Unsupported(UnsupportedTensor::Dtype { dtype }))
        })
    }
}

/// Gives the pickle its meaning.
pub(super) fn read<'a>(pickle: &Pickle<'a>) -> Result<Metadata<'a>, DcpError> {
    let numbers = Cell::new(MIN_NUMBERS.max(pickle.byte_len() / BYTES_PER_NUMBER));
    let reader = Reader { pickle, key: None, numbers: &numbers };
    let root = reader.state(pickle.root(), "Metadata")?;
    let tensors = reader.dict(root, "state_dict_metadata")?;
    let planner = pickle.item(root, "planner_data").and_then(|id| pickle.dict(id));
    let mut entries = Vec::with_capacity(tensors.len());
    for (name, what) in tensors.items() {
        let name = pickle.text(name).ok_or_else(|| reader.wrong("the name of an entry is no text"))?;
        let reader = Reader { key: Some(name), ..reader };
        let path = planner.and_then(|planner| pickle.item(planner, name)).map(|path| reader.path(path));
        let tensor = match reader.class(what) {
            Some("TensorStorageMetadata") => Some(reader.tensor(what)?),
            Some("BytesStorageMetadata") => None,
            _ => return Err(reader.wrong("the entry is neither a tensor nor bytes")),
        };
        entries.push(Entry { name, path: path.transpose()?, tensor });
    }
    let stored = reader.dict(root, "storage_data")?;
    let mut items = HashMap::with_capacity(stored.len());
    for (index, info) in stored.items() {
        let (index, item) = reader.item(index, info)?;
        if items.insert(index, item).is_some() {
            return Err(reader.wrong("the values of an entry are in two places"));
        }
    }
    Ok(Metadata { entries, items })
}

#[derive(Clone, Copy)]
struct Reader<'p, 'a> {
    pickle: &'p Pickle<'a>,
    /// The entry that is read, for errors.
    key: Option<&'a str>,
    /// How many sizes, offsets and steps may still be read.
    numbers: &'p Cell<usize>,
}

impl<'p, 'a> Reader<'p, 'a> {
    fn wrong(&self, what: &'static str) -> DcpError {
        DcpError::Metadata { what, key: self.key.map(StateDictKey::new) }
    }

    /// The name of an object's class. torch moved the classes between its modules.
    fn class(&self, id: ValueId) -> Option<&'a str> {
        let Value::Object(object) = self.pickle.get(id) else { return None };
        let (module, name) = self.pickle.global(object.callable)?;
        (module.starts_with("torch.distributed.") && !object.is_call).then_some(name)
    }

    /// The attributes of an object of a class.
    fn state(&self, id: ValueId, class: &'static str) -> Result<&'p Dict, DcpError> {
        let state = match self.pickle.get(id) {
            Value::Object(object) if self.class(id) == Some(class) => object.state,
            _ => return Err(self.wrong(class)),
        };
        match state.map(|state| self.pickle.get(state)) {
            Some(Value::Dict(dict)) => Ok(dict),
            _ => Err(self.wrong(class)),
        }
    }

    fn get(&self, state: &Dict, attribute: &'static str) -> Result<ValueId, DcpError> {
        self.pickle.item(state, attribute).ok_or_else(|| self.wrong(attribute))
    }

    fn dict(&self, state: &Dict, attribute: &'static str) -> Result<&'p Dict, DcpError> {
        match self.pickle.get(self.get(state, attribute)?) {
            Value::Dict(dict) => Ok(dict),
            _ => Err(self.wrong(attribute)),
        }
    }

    fn charge(&self, elements: usize) -> Result<(), DcpError> {
        let left = self.numbers.get().checked_sub(elements.saturating_add(LIST_COST));
        self.numbers.set(left.ok_or_else(|| self.wrong("more sizes than any checkpoint has"))?);
        Ok(())
    }

    /// A way from the root: texts, and places in lists.
    fn path(&self, id: ValueId) -> Result<Vec<Cow<'a, str>>, DcpError> {
        let steps = self.pickle.sequence(id).filter(|steps| !steps.is_empty() && steps.len() <= MAX_PATH);
        let steps = steps.ok_or_else(|| self.wrong("planner_data"))?;
        self.charge(steps.len())?;
        let step = |&step: &ValueId| self.pickle.step(step);
        steps.iter().map(step).collect::<Option<_>>().ok_or_else(|| self.wrong("planner_data"))
    }

    fn tensor(&self, id: ValueId) -> Result<Tensor, DcpError> {
        let state = self.state(id, "TensorStorageMetadata")?;
        let dtype = self.dtype(self.get(state, "properties")?)?;
        let shape = Shape::new(self.sizes(self.get(state, "size")?, "size")?)
            .map_err(|reason| DcpError::Shape { key: StateDictKey::new(self.key.unwrap_or("")), reason })?;
        let chunks = self.get(state, "chunks")?;
        let chunks = self.pickle.sequence(chunks).ok_or_else(|| self.wrong("chunks"))?;
        let chunk = |&chunk: &ValueId| {
            let state = self.state(chunk, "ChunkStorageMetadata")?;
            Ok::<_, DcpError>(Chunk {
                offsets: self.sizes(self.get(state, "offsets")?, "offsets")?,
                sizes: self.sizes(self.get(state, "sizes")?, "sizes")?,
            })
        };
        let mut chunks = chunks.iter().map(chunk).collect::<Result<Vec<_>, _>>()?;
        // Replicas of one chunk are one item.
        chunks.sort_unstable();
        chunks.dedup();
        Ok(Tensor { dtype, shape, chunks })
    }

    /// The first of the properties, whose state is a tuple; a dictionary in the first releases.
    fn dtype(&self, properties: ValueId) -> Result<Result<Dtype, String>, DcpError> {
        let Value::Object(object) = self.pickle.get(properties) else { return Err(self.wrong("properties")) };
        let state = object.state.ok_or_else(|| self.wrong("properties"))?;
        let dtype = match self.pickle.get(state) {
            Value::Dict(dict) => self.pickle.item(dict, "dtype"),
            _ => self.pickle.sequence(state).and_then(|state| state.first()).copied(),
        };
        match dtype.and_then(|dtype| self.pickle.global(dtype)) {
            Some(("torch", name)) => Ok(Dtype::from_name(name).ok_or_else(|| name.to_owned())),
            _ => Err(self.wrong("the dtype is none")),
        }
    }

    /// One count for every axis. A list that is too long is not walked: every chunk may name the same one.
    fn sizes(&self, id: ValueId, what: &'static str) -> Result<Vec<usize>, DcpError> {
        let sizes = self.pickle.sequence(id).filter(|sizes| sizes.len() <= MAX_RANK);
        self.charge(sizes.map_or(0, <[ValueId]>::len))?;
        let size = |&size: &ValueId| match self.pickle.get(size) {
            &Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        };
        sizes.and_then(|sizes| sizes.iter().map(size).collect()).ok_or_else(|| self.wrong(what))
    }

    /// What is stored of which entry, and where.
    #[expect(clippy::type_complexity, reason = "a key and a value of the map that `Metadata::items` is")]
    fn item(
        &self,
        index: ValueId,
        info: ValueId,
    ) -> Result<((&'a str, Option<Vec<usize>>), Item<'a>), DcpError> {
        let index = self.state(index, "MetadataIndex")?;
        let name = self.pickle.text(self.get(index, "fqn")?).ok_or_else(|| self.wrong("fqn"))?;
        let reader = Reader { key: Some(name), ..*self };
        let offsets = match self.pickle.item(index, "offset").map(|id| (id, self.pickle.get(id))) {
            None | Some((_, Value::None)) => None,
            Some((id, _)) => Some(reader.sizes(id, "offset")?),
        };
        let info = reader.state(info, "_StorageInfo")?;
        let file = self.pickle.text(reader.get(info, "relative_path")?);
        let file = file.ok_or_else(|| reader.wrong("relative_path"))?;
        let count = |attribute| match self.pickle.get(reader.get(info, attribute)?) {
            &Value::Int(count) => u64::try_from(count).map_err(|_| reader.wrong(attribute)),
            _ => Err(reader.wrong(attribute)),
        };
        let transforms = self.pickle.item(info, "transform_descriptors");
        let is_transformed = transforms.is_some_and(|transforms| match self.pickle.get(transforms) {
            Value::None => false,
            _ => self.pickle.sequence(transforms).is_none_or(|transforms| !transforms.is_empty()),
        });
        let item = Item { file, offset: count("offset")?, length: count("length")?, is_transformed };
        Ok(((name, offsets), item))
    }
}
