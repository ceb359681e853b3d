//! Sharded weights (Keras 3.10 and later): an index `x.weights.json`, and the shards next to it. The index says
//! which shards hold a group of variables; what a shard holds besides is not the model's.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::lazy::Bytes;

use super::error::ErrorKind;
use super::hdf5;
use super::json::Value;
use super::stored::{Stored, StoredGroup, VARS};

/// Shards that are opened. A model of a terabyte in shards of 1 GiB has a thousand.
const MAX_SHARDS: usize = 10_000;

/// Whether a JSON object is an index.
pub(super) fn is_index(object: &Value) -> bool {
    object.get("weight_map").is_some() && object.get("class_name").is_none()
}

/// Reads the shards of an index; tells their paths too.
pub(super) fn read(path: &Path, index: &Value) -> Result<(Stored, Vec<PathBuf>), ErrorKind> {
    let index = Index::read(index)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut left: HashSet<(String, &str)> = HashSet::new();
    for (group, shards) in &index.groups {
        left.extend(shards.iter().map(|shard| (group.clone(), shard.as_str())));
    }
    let known: HashSet<&str> = index.groups.iter().map(|(group, _)| group.as_str()).collect();
    let mut reading = Reading { folder, known, whole: None, bytes: 0, files: Vec::new() };
    let mut read: HashSet<&str> = HashSet::new();
    for shard in index.shards() {
        for group in reading.add(shard)? {
            left.remove(&(group, shard));
        }
        read.insert(shard);
    }
    if let Some((group, shard)) = left.into_iter().min() {
        return Err(ErrorKind::ShardLacks { shard: shard.to_owned(), group });
    }
    // Keras 3.10 names the first shard of a group alone; its other variables are in those that follow.
    let base = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(INDEX_END));
    for number in 0..MAX_SHARDS {
        let (Some(base), Some(total)) = (base, index.total) else { break };
        let shard = format!("{base}_{number:05}.weights.h5");
        if python_sum(reading.bytes) >= total || !folder.join(&shard).is_file() {
            break;
        }
        if !read.contains(shard.as_str()) {
            reading.add(&shard)?;
        }
    }
    let found = python_sum(reading.bytes);
    if let Some(total) = index.total.filter(|&total| total != found) {
        return Err(ErrorKind::ShardTotal { expected: total, found });
    }
    let Reading { whole, files, .. } = reading;
    let mut whole = whole.ok_or(ErrorKind::NoVariables)?;
    whole.root.sort();
    whole.optimizer.sort_by(|a, b| hdf5::natural(&a.path).cmp(&hdf5::natural(&b.path)));
    Ok((whole, files))
}

/// The end of an index's name.
const INDEX_END: &str = ".weights.json";

/// The shards read so far.
struct Reading<'a> {
    folder: &'a Path,
    /// The groups that the index names.
    known: HashSet<&'a str>,
    whole: Option<Stored>,
    /// Bytes of all their variables.
    bytes: u64,
    files: Vec<PathBuf>,
}

impl Reading<'_> {
    /// Adds a shard; returns the groups that it holds variables of.
    fn add(&mut self, shard: &str) -> Result<Vec<String>, ErrorKind> {
        let file = self.folder.join(shard);
        if !file.is_file() {
            return Err(ErrorKind::MissingShard { shard: shard.to_owned() });
        }
        let wrap = |source: ErrorKind| ErrorKind::Shard { shard: shard.to_owned(), source: Box::new(source) };
        let bytes = Bytes::map(&file).map_err(|source| wrap(source.into()))?;
        let stored = hdf5::File::open(bytes).and_then(|file| Stored::read(&file)).map_err(wrap)?;
        let mut groups = Vec::new();
        filled(&stored.root, &mut groups);
        let apart = stored.optimizer.iter().chain(&stored.metrics);
        groups.extend(apart.filter_map(|dataset| Some(dataset.path.rsplit_once('/')?.0.to_owned())));
        if let Some(group) = groups.iter().find(|group| !self.known.contains(group.as_str())) {
            return Err(ErrorKind::NotInIndex { shard: shard.to_owned(), group: group.clone() });
        }
        self.files.push(file);
        self.bytes = self.bytes.saturating_add(byte_len(&stored));
        match &mut self.whole {
            Some(whole) => whole.add(stored)?,
            None => self.whole = Some(stored),
        }
        Ok(groups)
    }
}

/// Keras divides the sum, so that the index has a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "as Python does")]
const fn python_sum(bytes: u64) -> f64 {
    bytes as f64
}

/// The groups that hold datasets.
fn filled(group: &StoredGroup, found: &mut Vec<String>) {
    if !group.datasets.is_empty() {
        found.push(group.path.clone());
    }
    group.groups.iter().for_each(|group| filled(group, found));
}

fn byte_len(stored: &Stored) -> u64 {
    fn of(group: &StoredGroup) -> u64 {
        let own: u64 = group.datasets.iter().map(|(_, tensor)| tensor.byte_len() as u64).sum();
        own + group.groups.iter().map(of).sum::<u64>()
    }
    let apart = stored.optimizer.iter().chain(&stored.metrics);
    of(&stored.root) + apart.map(|dataset| dataset.tensor.byte_len() as u64).sum::<u64>()
}

/// What an index says.
struct Index {
    /// Per group of variables, without a leading `/`, the shards that hold some.
    groups: Vec<(String, Vec<String>)>,
    /// Bytes of all variables, where it tells.
    total: Option<f64>,
}

impl Index {
    fn read(index: &Value) -> Result<Self, ErrorKind> {
        let wrong = |what| ErrorKind::Index { what };
        let map = index.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| wrong("`weight_map` should be an object"))?;
        let mut groups: Vec<(String, Vec<String>)> = Vec::with_capacity(map.len());
        let mut seen = HashSet::new();
        for (key, value) in map.iter() {
            let key = key.trim_start_matches('/');
            // Keras adds what is missing (`saving_lib.ShardedH5IOStore`).
            let is_vars = key == VARS || key.ends_with("/vars");
            let group = if is_vars { key.to_owned() } else { super::graph::join(key, VARS) };
            let shards = match value {
                Value::String(shard) => Some(vec![shard.to_string()]),
                Value::Array(shards) => {
                    shards.iter().map(|shard| shard.as_str().map(str::to_owned)).collect()
                }
                _ => None,
            };
            let shards =
                shards.ok_or_else(|| wrong("`weight_map` should name a file, or a list of files"))?;
            if let Some(shard) = shards.iter().find(|shard| !is_plain(shard)) {
                return Err(ErrorKind::ShardPlace { shard: shard.clone() });
            }
            if !seen.insert(group.clone()) {
                return Err(ErrorKind::IndexTwice { group });
            }
            groups.push((group, shards));
        }
        let total =
            index.get("metadata").and_then(|metadata| metadata.get("total_size")).and_then(Value::as_f64);
        let index = Self { groups, total };
        if index.shards().len() > MAX_SHARDS {
            return Err(ErrorKind::TooMany { what: "shards", limit: MAX_SHARDS });
        }
        Ok(index)
    }

    /// The shards, each once, in the order in which the index names them.
    fn shards(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let all = self.groups.iter().flat_map(|(_, shards)| shards).map(String::as_str);
        all.filter(|shard| seen.insert(*shard)).collect()
    }
}

/// Whether a name is that of a file in the index's own folder, on every system.
fn is_plain(shard: &str) -> bool {
    !shard.is_empty() && !matches!(shard, "." | "..") && !shard.contains(['/', '\\', ':', '\0'])
}
