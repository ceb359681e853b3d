//! The items of a distributed checkpoint: each is a whole file of `torch.save` in a part of a file; or the
//! file is a safetensors file, in which the tensors have their names
//! (torch/distributed/checkpoint/filesystem.py).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::files::Files;
use crate::checkpoint::pickle::torch::is_tensor;
use crate::checkpoint::pickle::{self, Holders, TensorError, UnsupportedTensor};
use crate::checkpoint::rebuild::{Budget, Rebuild};
use crate::checkpoint::records::Records;
use crate::checkpoint::safetensors;
use crate::checkpoint::state_dict::{OpenOptions, Warning};
use crate::checkpoint::zip::{Archive, is_zip};
use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::StateDictKey;

use super::DcpError;
use super::metadata::{Item, Metadata};

/// The items of a checkpoint.
pub(super) struct Items<'m, 'a> {
    metadata: &'m Metadata<'a>,
    files: Files,
    options: &'m OpenOptions,
    /// The bytes of each file that were read as items: starts and ends.
    claimed: HashMap<&'a str, BTreeMap<u64, u64>>,
    /// The tensors of files that are safetensors files.
    tensors: HashMap<&'a str, HashMap<String, LazyTensor>>,
    /// What all items may claim together.
    budget: Budget,
    /// What was found on the way.
    pub(super) warnings: Vec<Warning>,
}

impl<'m, 'a> Items<'m, 'a> {
    /// None read yet.
    pub(super) fn new(metadata: &'m Metadata<'a>, files: Files, options: &'m OpenOptions) -> Self {
        Self {
            metadata,
            files,
            options,
            claimed: HashMap::new(),
            tensors: HashMap::new(),
            budget: Budget::default(),
            warnings: Vec::new(),
        }
    }

    /// The files, when all is read.
    pub(super) fn into_files(self) -> (Files, Vec<Warning>) {
        (self.files, self.warnings)
    }

    /// The tensor that holds a chunk of an entry.
    pub(super) fn tensor(
        &mut self,
        name: &'a str,
        offsets: &[usize],
    ) -> Result<(Item<'a>, LazyTensor), ErrorKind> {
        let item = self.item(name, Some(offsets))?;
        let file = self.files.map(item.file)?;
        // In a safetensors file, items have the lengths of their tensors, and all start at 0.
        if item.offset == 0 && !is_zip(file.as_slice()) {
            let known = match self.tensors.entry(item.file) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(vacant) => {
                    let contents = safetensors::contents(&file).map_err(|kind| inside(&item, kind))?;
                    vacant.insert(contents.tensors.into_iter().map(|raw| (raw.key, raw.tensor)).collect())
                }
            };
            let tensor = known.get(name).cloned();
            let missing = || DcpError::NotInFile { key: StateDictKey::new(name) };
            return Ok((item, tensor.ok_or_else(|| inside(&item, missing().into()))?));
        }
        let bytes = self.part(name, &item, &file)?;
        let (tensor, warnings) =
            read_tensor(&bytes, name, self.options, &mut self.budget).map_err(|kind| inside(&item, kind))?;
        self.warn(&item, warnings);
        Ok((item, tensor))
    }

    /// What an entry is that is no tensor. It must not hold tensors, unless nobody wants them.
    pub(super) fn object(&mut self, name: &'a str, is_aside: bool) -> Result<String, ErrorKind> {
        let item = self.item(name, None)?;
        let file = self.files.map(item.file)?;
        let bytes = self.part(name, &item, &file)?;
        let (what, warnings) = read_object(&bytes, name, is_aside).map_err(|kind| inside(&item, kind))?;
        self.warn(&item, warnings);
        Ok(what)
    }

    fn warn(&mut self, item: &Item<'a>, warnings: Vec<Warning>) {
        let file = item.file.to_owned();
        let in_file = |warning| Warning::InFile { file: file.clone(), warning: Box::new(warning) };
        self.warnings.extend(warnings.into_iter().map(in_file));
    }

    /// Where the values of an entry are.
    fn item(&self, name: &'a str, offsets: Option<&[usize]>) -> Result<Item<'a>, DcpError> {
        let key = || StateDictKey::new(name);
        match self.metadata.items.get(&(name, offsets.map(<[usize]>::to_vec))) {
            None => Err(DcpError::NoValues { key: key(), offsets: offsets.unwrap_or(&[]).to_vec() }),
            Some(item) if item.is_transformed => Err(DcpError::Transformed { key: key() }),
            Some(item) => Ok(*item),
        }
    }

    /// The bytes of an item. No two items may share bytes: reading one costs time for all of its bytes, and
    /// any number of entries could name the same ones.
    fn part(&mut self, name: &str, item: &Item<'a>, file: &Bytes) -> Result<Bytes, DcpError> {
        let end = item.offset.checked_add(item.length);
        let part = match (usize::try_from(item.offset), end.map(usize::try_from)) {
            (Ok(start), Some(Ok(stop))) => file.slice(start..stop),
            _ => None,
        };
        let (Some(part), Some(end)) = (part, end) else {
            return Err(DcpError::OutsideFile {
                key: StateDictKey::new(name),
                file: item.file.to_owned(),
                offset: item.offset,
                length: item.length,
                bytes: file.len(),
            });
        };
        let claimed = self.claimed.entry(item.file).or_default();
        let before = claimed.range(..=item.offset).next_back();
        let after = claimed.range(item.offset..).next();
        if before.is_some_and(|(_, &stop)| stop > item.offset) || after.is_some_and(|(&start, _)| start < end)
        {
            return Err(DcpError::ItemsOverlap { file: item.file.to_owned(), offset: item.offset });
        }
        claimed.insert(item.offset, end);
        Ok(part)
    }
}

/// An error in an item, with its place.
pub(super) fn inside(item: &Item<'_>, kind: ErrorKind) -> ErrorKind {
    ErrorKind::InFile { file: item.file.to_owned(), offset: Some(item.offset), kind: Box::new(kind) }
}

fn read_tensor(
    bytes: &Bytes,
    name: &str,
    options: &OpenOptions,
    budget: &mut Budget,
) -> Result<(LazyTensor, Vec<Warning>), ErrorKind> {
    let mut records = Records::new(Archive::read(bytes)?.strip_folder()?, "data/");
    records.read_words()?;
    let pickled = records.read("data.pkl")?;
    let pickle = pickle::parse(pickled.as_slice())?;
    let root = pickle.root();
    if !is_tensor(&pickle, root) {
        return Err(DcpError::NotATensor { what: pickle.describe(root) }.into());
    }
    let raw = Rebuild::new(&pickle, &mut records, options, budget)
        .one(root, name)
        .map_err(|reason| ErrorKind::tensor(name, reason))?;
    Ok((raw.tensor, records.into_warnings()))
}

fn read_object(bytes: &Bytes, name: &str, is_aside: bool) -> Result<(String, Vec<Warning>), ErrorKind> {
    if !is_zip(bytes.as_slice()) {
        // A writer's own format for its own objects.
        return Ok(("stored object".to_owned(), Vec::new()));
    }
    let mut records = Records::new(Archive::read(bytes)?.strip_folder()?, "data/");
    let pickled = records.read("data.pkl")?;
    let pickle = pickle::parse(pickled.as_slice())?;
    let what = pickle.describe(pickle.root());
    if !is_aside && Holders::of(&pickle).holds(pickle.root()) {
        let reason = TensorError::Unsupported(UnsupportedTensor::Inside { what });
        return Err(ErrorKind::tensor(name, reason));
    }
    Ok((what, records.into_warnings()))
}
