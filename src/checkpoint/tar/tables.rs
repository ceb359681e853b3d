//! The storages and tensors of a tar file, by their numbers (formats/pytorch.md section 3.3).

use super::TarError;
use super::members::Members;
use crate::checkpoint::pickle::torch::StorageSpec;
use crate::checkpoint::pickle::{Pickle, StorageClass, TensorError, Value, ValueId};
use crate::checkpoint::pickled::Storages;
use crate::checkpoint::stream::{Stream, StreamError};
use crate::lazy::{Bytes, Storage};
use crate::map::Map;
use crate::tensor::{ByteOrder, MAX_RANK};

/// The member with the storages.
pub(super) const STORAGES: &str = "storages";
/// The member with the tensors.
pub(super) const TENSORS: &str = "tensors";

/// A storage, or a view of one.
#[derive(Clone)]
pub(super) struct TarStorage<'b> {
    /// Module and name of the class.
    pub(super) class: (&'b str, &'b str),
    /// Bytes of an element.
    width: usize,
    pub(super) numel: usize,
    bytes: Bytes,
    /// Which of all storages.
    place: usize,
}

/// A tensor over a storage. The numbers are in elements and as they stand in the file.
pub(super) struct TarTensor {
    pub(super) storage: i64,
    pub(super) sizes: Vec<i64>,
    pub(super) strides: Vec<i64>,
    pub(super) offset: i64,
}

/// Everything that a persistent id can name.
pub(super) struct Tables<'b> {
    pub(super) storages: Map<i64, TarStorage<'b>>,
    pub(super) tensors: Map<i64, TarTensor>,
}

impl<'b> Tables<'b> {
    /// Reads both members. The storages are ranges of the file.
    pub(super) fn read(members: &'b Members) -> Result<Self, TarError> {
        let mut tables = Self { storages: Map::default(), tensors: Map::default() };
        let in_storages = |error| TarError::Stream { member: STORAGES, error };
        let in_tensors = |error| TarError::Stream { member: TENSORS, error };
        let mut stream = Stream::new(members.get(STORAGES)?);
        let storages = length(&stream.pickle("the number of storages").map_err(in_storages)?, STORAGES)?;
        for _ in 0..storages {
            tables.read_storage(&mut stream, in_storages)?;
        }
        tables.read_views(&stream.pickle("the list of views").map_err(in_storages)?)?;
        end(&stream, STORAGES)?;
        let mut stream = Stream::new(members.get(TENSORS)?);
        let tensors = length(&stream.pickle("the number of tensors").map_err(in_tensors)?, TENSORS)?;
        for _ in 0..tensors {
            tables.read_tensor(&mut stream, in_tensors)?;
        }
        end(&stream, TENSORS)?;
        Ok(tables)
    }

    /// `(number, location, class)`, then the number of elements, then the elements.
    fn read_storage(
        &mut self,
        stream: &mut Stream<'b>,
        at: impl Fn(StreamError) -> TarError,
    ) -> Result<(), TarError> {
        let pickle = stream.pickle("a storage").map_err(&at)?;
        let wrong = content(STORAGES, "a storage is not told by a number, a location and a class");
        let Some(&[id, _location, class]) = pickle.sequence(pickle.root()) else { return Err(wrong) };
        let (Some(id), Some(class)) = (integer(&pickle, id), pickle.global(class)) else {
            return Err(wrong);
        };
        let Some(width) = StorageClass::saved(class.1).map(StorageClass::width) else {
            return Err(TarError::StorageClass { id, class: class.1.to_owned() });
        };
        let count = i64::from_le_bytes(stream.array("the number of a storage's elements").map_err(&at)?);
        let numel = usize::try_from(count)
            .map_err(|_| content(STORAGES, "the number of a storage's elements is negative"))?;
        let bytes = stream.bytes("a storage", numel.saturating_mul(width)).map_err(&at)?;
        let place = self.storages.len();
        self.insert(id, TarStorage { class, width, numel, bytes, place })
    }

    /// `[(number, number of the storage, offset, number of elements)]`.
    fn read_views(&mut self, pickle: &Pickle<'_>) -> Result<(), TarError> {
        let wrong = || content(STORAGES, "the list of views is not told by four numbers each");
        for &view in pickle.sequence(pickle.root()).ok_or_else(wrong)? {
            let Some(&[id, root, offset, numel]) = pickle.sequence(view) else { return Err(wrong()) };
            let id = integer(pickle, id).ok_or_else(wrong)?;
            let root = integer(pickle, root).ok_or_else(wrong)?;
            let root = self.storages.get(&root).ok_or(TarError::UnknownId { id: root })?;
            let count = |value| integer(pickle, value).and_then(|count| usize::try_from(count).ok());
            let outside = || TarError::View { id };
            let numel = count(numel).ok_or_else(outside)?;
            let start = count(offset).and_then(|offset| offset.checked_mul(root.width));
            let range = start.and_then(|start| {
                let stop = start.checked_add(numel.checked_mul(root.width)?)?;
                root.bytes.slice(start..stop)
            });
            let bytes = range.ok_or_else(outside)?;
            let (class, width, place) = (root.class, root.width, self.storages.len());
            self.insert(id, TarStorage { class, width, numel, bytes, place })?;
        }
        Ok(())
    }

    fn insert(&mut self, id: i64, storage: TarStorage<'b>) -> Result<(), TarError> {
        if self.storages.insert(id, storage).is_some() { Err(TarError::DuplicateId { id }) } else { Ok(()) }
    }

    /// `(number, number of the storage, class)`, then the rank, the sizes, the strides and the offset.
    fn read_tensor(
        &mut self,
        stream: &mut Stream<'b>,
        at: impl Fn(StreamError) -> TarError,
    ) -> Result<(), TarError> {
        let pickle = stream.pickle("a tensor").map_err(&at)?;
        let wrong = content(TENSORS, "a tensor is not told by two numbers and a class");
        let Some(&[id, storage, _class]) = pickle.sequence(pickle.root()) else { return Err(wrong) };
        let (Some(id), Some(storage)) = (integer(&pickle, id), integer(&pickle, storage)) else {
            return Err(wrong);
        };
        if !self.storages.contains_key(&storage) {
            return Err(TarError::UnknownId { id: storage });
        }
        let what = "a tensor's sizes and strides";
        let rank = i32::from_le_bytes(stream.array(what).map_err(&at)?);
        // The writer takes 8 bytes for the rank, and sets 4 of them.
        stream.array::<4>(what).map_err(&at)?;
        let axes = usize::try_from(rank).ok().filter(|&axes| axes <= MAX_RANK);
        let axes = axes.ok_or(TarError::Rank { id, rank })?;
        let mut number = || Ok(i64::from_le_bytes(stream.array(what).map_err(&at)?));
        let sizes = (0..axes).map(|_| number()).collect::<Result<_, TarError>>()?;
        let strides = (0..axes).map(|_| number()).collect::<Result<_, TarError>>()?;
        let offset = number()?;
        let tensor = TarTensor { storage, sizes, strides, offset };
        if self.storages.contains_key(&id) || self.tensors.insert(id, tensor).is_some() {
            return Err(TarError::DuplicateId { id });
        }
        Ok(())
    }
}

/// A storage goes by its own number, or by that of a tensor over it.
impl Storages for Tables<'_> {
    fn storage(&mut self, spec: &StorageSpec<'_>) -> Result<(usize, Storage), TensorError> {
        let missing = || TensorError::MissingRecord { record: spec.key.to_owned() };
        let id: i64 = spec.key.parse().map_err(|_| missing())?;
        let id = self.tensors.get(&id).map_or(id, |tensor| tensor.storage);
        let storage = self.storages.get(&id).ok_or_else(missing)?;
        if spec.numel.checked_mul(spec.width()) != Some(storage.bytes.len()) {
            let (record, bytes) = (spec.key.to_owned(), storage.bytes.len());
            return Err(TensorError::RecordSize { record, numel: spec.numel, width: spec.width(), bytes });
        }
        Ok((storage.place, storage.bytes.clone().into()))
    }

    fn byte_order(&self) -> ByteOrder {
        ByteOrder::Little
    }
}

fn integer(pickle: &Pickle<'_>, id: ValueId) -> Option<i64> {
    match pickle.get(id) {
        &Value::Int(integer) => Some(integer),
        _ => None,
    }
}

fn length(pickle: &Pickle<'_>, member: &'static str) -> Result<u64, TarError> {
    integer(pickle, pickle.root())
        .and_then(|count| u64::try_from(count).ok())
        .ok_or_else(|| content(member, "it does not start with a count"))
}

/// Bytes that are left over were counted wrong.
fn end(stream: &Stream<'_>, member: &'static str) -> Result<(), TarError> {
    if stream.left() == 0 { Ok(()) } else { Err(content(member, "bytes follow its end")) }
}

const fn content(member: &'static str, what: &'static str) -> TarError {
    TarError::Content { member, what }
}
