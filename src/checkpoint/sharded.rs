//! Checkpoints in several files with an index (formats/pytorch.md section 7.1): the shards are safetensors
//! files, or files of `torch.save`.

mod error;
mod index;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::lazy::Bytes;
use crate::tensor::StateDictKey;

use super::error::ErrorKind;
use super::files::Files;
use super::open::read_shard;
use super::read::{RawTensor, Read};
use super::reading::only_root;
use super::state_dict::{OpenOptions, Warning};

pub use error::ShardError;
use index::Index;

/// Reads the shards that an index names, in the order of their names.
pub(super) fn read(path: &Path, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let index = Index::parse(Bytes::map(path)?.as_slice())?;
    let mut files = Files::new(path.parent().unwrap_or(Path::new("")));
    // Whatever a shard of torch.save holds, its root is the state_dict.
    let shard_options = OpenOptions { key: Some(String::new()), ema: false, ..options.clone() };
    let mut union = Union::new(&index);
    for (place, name) in index.files.iter().enumerate() {
        let bytes = files.map(name)?;
        let inside = |kind| ErrorKind::InFile { file: name.clone(), offset: None, kind: Box::new(kind) };
        let read = read_shard(&files.path(name), &bytes, &shard_options).map_err(inside)?;
        union.add(place, read)?;
    }
    let mut read = union.finish()?;
    read.files.push(path.to_owned());
    read.files.append(&mut files.into_paths());
    read.candidates = only_root(read.tensors.len(), options)?;
    Ok(read)
}

/// The tensors of the shards read so far.
struct Union<'i> {
    index: &'i Index,
    read: Read,
    /// Names of the index that were found, tensors or not.
    found: HashSet<String>,
    /// Tensors that the index does not name, and their shards.
    unlisted: HashMap<String, usize>,
    first_unlisted: Option<String>,
    /// How many tensors are in other shards than the index says, and the first.
    elsewhere: usize,
    first_elsewhere: Option<(String, usize)>,
    /// Storages of the shards before: every shard counts its own from 0.
    storages: usize,
}

impl<'i> Union<'i> {
    fn new(index: &'i Index) -> Self {
        Self {
            index,
            read: Read::default(),
            found: HashSet::with_capacity(index.places.len()),
            unlisted: HashMap::new(),
            first_unlisted: None,
            elsewhere: 0,
            first_elsewhere: None,
            storages: 0,
        }
    }

    fn file(&self, place: usize) -> String {
        self.index.files.get(place).cloned().unwrap_or_default()
    }

    /// Adds the tensors of a shard. Where the index names another shard for one, that shard counts. A tensor
    /// that it does not name at all counts as well, as it does in the libraries that load such checkpoints:
    /// names of tied tensors may be missing in an index.
    fn add(&mut self, place: usize, shard: Read) -> Result<(), ErrorKind> {
        self.read.written_by = self.read.written_by.take().or(shard.written_by);
        self.read.may_be_part |= shard.may_be_part;
        self.read.trainer = self.read.trainer.take().or(shard.trainer);
        for warning in shard.warnings {
            if let Warning::NotATensor { key, .. } = &warning {
                self.found.insert(key.as_str().to_owned());
            }
            self.read.warnings.push(Warning::InFile { file: self.file(place), warning: Box::new(warning) });
        }
        let before = self.storages;
        for raw in shard.tensors {
            let storage = raw.storage.map(|storage| before.saturating_add(storage));
            self.storages = self.storages.max(storage.map_or(0, |storage| storage.saturating_add(1)));
            match self.index.places.get(&raw.key) {
                Some(&listed) if listed == place => {
                    self.found.insert(raw.key.clone());
                }
                Some(_) => {
                    self.elsewhere += 1;
                    self.first_elsewhere.get_or_insert((raw.key, place));
                    continue;
                }
                None => {
                    if let Some(first) = self.unlisted.insert(raw.key.clone(), place)
                        && first != place
                    {
                        return Err(ShardError::TwoShards {
                            first: self.file(first),
                            second: self.file(place),
                            key: StateDictKey::new(raw.key),
                        }
                        .into());
                    }
                    self.first_unlisted.get_or_insert_with(|| raw.key.clone());
                }
            }
            self.read.tensors.push(RawTensor { storage, ..raw });
        }
        Ok(())
    }

    /// Checks that nothing is missing.
    fn finish(mut self) -> Result<Read, ErrorKind> {
        let mut missing: Vec<(&String, usize)> = self
            .index
            .places
            .iter()
            .filter(|(key, _)| !self.found.contains(*key))
            .map(|(key, &place)| (key, place))
            .collect();
        missing.sort_unstable();
        if let Some(&(key, place)) = missing.first() {
            return Err(ShardError::MissingTensor {
                key: StateDictKey::new(key.as_str()),
                file: self.file(place),
                more: missing.len() - 1,
            }
            .into());
        }
        if let Some(first) = self.first_unlisted.take() {
            self.read.warnings.push(Warning::Unlisted {
                tensors: self.unlisted.len(),
                file: self.unlisted.get(&first).map_or_else(String::new, |&place| self.file(place)),
                first: StateDictKey::new(first),
            });
        }
        if let Some((first, place)) = self.first_elsewhere.take() {
            self.read.warnings.push(Warning::Elsewhere {
                tensors: self.elsewhere,
                first: StateDictKey::new(first),
                file: self.file(place),
            });
        }
        self.check_total()?;
        Ok(self.read)
    }

    /// Compares the index's `total_size` with the bytes of the tensors. Writers differ in whether a tensor
    /// that is tied counts again, and whether those count that the index does not name.
    fn check_total(&mut self) -> Result<(), ShardError> {
        let announced = match self.index.total_size {
            Some(announced) => announced,
            None if self.read.may_be_part => return Err(ShardError::NoTotalSize),
            None => return Ok(()),
        };
        let mut storages = HashSet::new();
        let mut sums = [0_u64; 4];
        for raw in &self.read.tensors {
            let bytes = raw.tensor.byte_len() as u64;
            let is_listed = !self.unlisted.contains_key(&raw.key);
            let is_first = raw.storage.is_none_or(|storage| storages.insert(storage));
            let counts = [is_listed, is_listed && is_first, true, is_first];
            for (sum, counts) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(if counts { bytes } else { 0 });
            }
        }
        if self.read.may_be_part && announced != sums[0] {
            return Err(ShardError::Part { announced, found: sums[0] });
        }
        if !sums.contains(&announced) {
            self.read.warnings.push(Warning::TotalSize { announced, found: sums[0] });
        }
        Ok(())
    }
}
