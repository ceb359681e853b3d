//! Folders that `torch.distributed.checkpoint` wrote as safetensors files, some for each rank
//! (formats/pytorch.md section 7.4; torch/distributed/checkpoint/hf_storage.py).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;

use crate::lazy::{Bytes, LazyTensor, Part};
use crate::tensor::{Shape, StateDictKey};

use super::dcp::{DcpError, assemble};
use super::error::{ErrorKind, UnsupportedForm};
use super::files::Files;
use super::json::Pairs;
use super::read::{RawTensor, Read};
use super::reading::only_root;
use super::safetensors::{self, Contents, SHARDING};
use super::state_dict::{OpenOptions, Role, Warning};

/// Files of one checkpoint: each is a memory map, of which Linux gives 65 530 to a process.
const MAX_FILES: usize = 1 << 14;

/// Where one rank's part of a tensor lies in the whole.
#[derive(Deserialize)]
struct Saved {
    saved_offsets: Vec<usize>,
}

/// The parts of a tensor found so far.
struct Parts {
    /// The least shape that holds them all.
    sizes: Vec<usize>,
    parts: Vec<Part>,
}

/// Reads the files of a folder, whose names are sorted.
pub(super) fn read(folder: &Path, names: &[String], options: &OpenOptions) -> Result<Read, ErrorKind> {
    if names.len() > MAX_FILES {
        return Err(DcpError::TooManyFiles { limit: MAX_FILES }.into());
    }
    let mut warnings = check_names(names)?;
    let mut is_sharded = false;
    let mut files = Files::new(folder);
    let mut tensors: Vec<(String, Parts)> = Vec::new();
    let mut places = HashMap::new();
    for name in names {
        let bytes = files.map(name)?;
        let inside = |kind| ErrorKind::InFile { file: name.clone(), offset: None, kind: Box::new(kind) };
        let contents = safetensors::contents(&bytes).map_err(inside)?;
        is_sharded |= offsets(&contents).is_ok_and(|offsets| offsets.is_some());
        for (key, part) in parts(contents).map_err(|error| inside(error.into()))? {
            let place = *places.entry(key.clone()).or_insert(tensors.len());
            match tensors.get_mut(place) {
                Some((_, known)) => known
                    .add(part)
                    .ok_or_else(|| inside(DcpError::NoOffsets { key: StateDictKey::new(key) }.into()))?,
                None => tensors.push((key, Parts::new(part))),
            }
        }
    }
    if is_sharded {
        warnings.push(Warning::SizesByFiles { files: names.len() });
    }
    let mut read = Read {
        warnings,
        files: files.into_paths(),
        written_by: Some("torch.distributed.checkpoint".to_owned()),
        ..Read::default()
    };
    for (key, Parts { sizes, parts }) in tensors {
        let shape = Shape::new(sizes)
            .map_err(|reason| DcpError::Shape { key: StateDictKey::new(key.as_str()), reason })?;
        let Some(dtype) = parts.first().map(|part| part.tensor.dtype) else { continue };
        let tensor = assemble(&key, dtype, shape, parts)?;
        read.tensors.push(RawTensor { key, tensor, storage: None, role: Role::Unknown });
    }
    if read.tensors.is_empty() {
        return Err(safetensors::SafetensorsError::Empty.into());
    }
    read.candidates = only_root(read.tensors.len(), options)?;
    Ok(read)
}

/// Reads a file that an index names. With that metadata it is whole only where one process wrote it all: then
/// torch writes an index, and no part begins but at zero. The first rank's part begins there, too: the index
/// must announce the bytes that are there.
pub(super) fn read_shard(bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let contents = safetensors::contents(bytes)?;
    let offsets = offsets(&contents)?;
    let may_be_part = offsets.is_some();
    if let Some(offsets) = offsets {
        let is_whole = |raw: &RawTensor| {
            let rank = raw.tensor.view.shape().rank();
            offsets
                .get(&raw.key)
                .is_some_and(|offsets| offsets.len() == rank && offsets.iter().all(|&at| at == 0))
        };
        if !contents.tensors.iter().all(is_whole) {
            return Err(ErrorKind::Unsupported(UnsupportedForm::DcpShard));
        }
    }
    Ok(Read { may_be_part, ..safetensors::whole(contents, options)? })
}

impl Parts {
    fn new(part: Part) -> Self {
        let mut new = Self { sizes: vec![0; part.offsets.len()], parts: Vec::new() };
        new.grow(&part);
        new.parts.push(part);
        new
    }

    /// `None` when the part has another number of axes.
    fn add(&mut self, part: Part) -> Option<()> {
        if part.offsets.len() != self.sizes.len() {
            return None;
        }
        self.grow(&part);
        self.parts.push(part);
        Some(())
    }

    fn grow(&mut self, part: &Part) {
        let extent = part.offsets.iter().zip(part.tensor.view.shape().sizes());
        for (size, (&offset, &length)) in self.sizes.iter_mut().zip(extent) {
            *size = (*size).max(offset.saturating_add(length));
        }
    }
}

/// The tensors of one file with the places of their parts. A file without the metadata holds whole tensors.
fn parts(contents: Contents) -> Result<Vec<(String, Part)>, DcpError> {
    let mut offsets = offsets(&contents)?;
    let part = |raw: RawTensor| {
        let RawTensor { key, tensor, .. } = raw;
        let rank = |tensor: &LazyTensor| tensor.view.shape().rank();
        let found = match &mut offsets {
            Some(offsets) => offsets.remove(&key),
            None => Some(vec![0; rank(&tensor)]),
        };
        match found.filter(|offsets| offsets.len() == rank(&tensor)) {
            Some(offsets) => Ok((key, Part { offsets, tensor })),
            None => Err(DcpError::NoOffsets { key: StateDictKey::new(key) }),
        }
    };
    contents.tensors.into_iter().map(part).collect()
}

/// Where the parts in a file lie; `None` without the metadata that says so.
fn offsets(contents: &Contents) -> Result<Option<HashMap<String, Vec<usize>>>, DcpError> {
    let Some(sharding) = contents.metadata.get(SHARDING) else { return Ok(None) };
    let Pairs::<Saved>(pairs) =
        serde_json::from_str(sharding).map_err(|reason| DcpError::ShardingInfo { reason })?;
    let mut offsets = HashMap::with_capacity(pairs.len());
    for (key, saved) in pairs {
        if let Some(key) = offsets.insert(key.clone(), saved.saved_offsets).map(|_| key) {
            return Err(DcpError::NoOffsets { key: StateDictKey::new(key) });
        }
    }
    Ok(Some(offsets))
}

/// Checks that every rank's files are there, by their names: `shard-<rank>-model-<file>-of-<files>`. A rank
/// that is missing as a whole may have had nothing to write.
fn check_names(names: &[String]) -> Result<Vec<Warning>, DcpError> {
    let mut ranks: BTreeMap<(u64, u64), BTreeSet<u64>> = BTreeMap::new();
    for name in names {
        let numbers: Option<Vec<u64>> = name
            .split(['-', '.'])
            .filter(|part| part.starts_with(|first: char| first.is_ascii_digit()))
            .map(|part| part.parse().ok())
            .collect();
        if let Some([rank, file, files]) = numbers.as_deref() {
            ranks.entry((*rank, *files)).or_default().insert(*file);
        }
    }
    for ((rank, files), found) in &ranks {
        if let Some(missing) = (1..=*files).find(|file| !found.contains(file)) {
            let name = format!("shard-{rank:05}-model-{missing:05}-of-{files:05}.safetensors");
            return Err(DcpError::MissingFile { name });
        }
    }
    let found: BTreeSet<u64> = ranks.keys().map(|(rank, _)| *rank).collect();
    let last = found.last().copied().unwrap_or(0);
    let missing = (1..=last).find(|rank| !found.contains(rank));
    Ok(missing.map(|rank| Warning::MissingRank { rank }).into_iter().collect())
}
