//! The items of a distributed checkpoint: each is a whole file of `torch.save`, or a safetensors file, in a
//! part of a file (torch/distributed/checkpoint/filesystem.py).

use std::collections::HashSet;

use crate::checkpoint::error::ErrorKind;
use crate::checkpoint::files::Files;
use crate::checkpoint::find::{self, Entry, EntryKind};
use crate::checkpoint::pickle::torch::is_tensor;
use crate::checkpoint::pickle::{self, TensorError, UnsupportedTensor};
use crate::checkpoint::pickled;
use crate::checkpoint::records::Records;
use crate::checkpoint::safetensors;
use crate::checkpoint::state_dict::Warning;
use crate::checkpoint::zip::{Archive, is_zip};
use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::StateDictKey;

use super::DcpError;
use super::metadata::{Item, Metadata};

/// The items of a checkpoint.
pub(super) struct Items<'m, 'a> {
    metadata: &'m Metadata<'a>,
    files: Files,
    /// What was found on the way.
    pub(super) warnings: Vec<Warning>,
}

impl<'m, 'a> Items<'m, 'a> {
    /// Checks that no two items share bytes: reading one costs time for its bytes, and any number of them
    /// would be read from the same.
    pub(super) fn new(metadata: &'m Metadata<'a>, files: Files) -> Result<Self, DcpError> {
        let mut items: Vec<&Item<'a>> = metadata.items.values().collect();
        items.sort_unstable();
        for pair in items.windows(2) {
            if let [one, next] = pair
                && one.file == next.file
                && one.offset.saturating_add(one.length) > next.offset
            {
                return Err(DcpError::ItemsOverlap { file: next.file.to_owned(), offset: next.offset });
            }
        }
        Ok(Self { metadata, files, warnings: Vec::new() })
    }

    /// The files, when all is read.
    pub(super) fn into_files(self) -> (Files, Vec<Warning>) {
        (self.files, self.warnings)
    }

    /// The tensor that holds a chunk of an entry.
    pub(super) fn tensor(&mut self, name: &'a str, offsets: &[usize]) -> Result<(Item<'a>, LazyTensor), ErrorKind> {
        let (item, bytes) = self.bytes(name, Some(offsets))?;
        let (tensor, warnings) = read_tensor(&bytes, name).map_err(|kind| inside(&item, kind))?;
        self.warn(&item, warnings);
        Ok((item, tensor))
    }

    /// What an entry is that is no tensor. It must not hold tensors, unless nobody wants them.
    pub(super) fn object(&mut self, name: &'a str, is_aside: bool) -> Result<String, ErrorKind> {
        let (item, bytes) = self.bytes(name, None)?;
        let (what, warnings) = read_object(&bytes, name, is_aside).map_err(|kind| inside(&item, kind))?;
        self.warn(&item, warnings);
        Ok(what)
    }

    fn warn(&mut self, item: &Item<'a>, warnings: Vec<Warning>) {
        let file = item.file.to_owned();
        let in_file = |warning| Warning::InFile { file: file.clone(), warning: Box::new(warning) };
        self.warnings.extend(warnings.into_iter().map(in_file));
    }

    fn bytes(&mut self, name: &'a str, offsets: Option<&[usize]>) -> Result<(Item<'a>, Bytes), ErrorKind> {
        let key = || StateDictKey::new(name);
        let item = self.metadata.items.get(&(name, offsets.map(<[usize]>::to_vec)));
        let item = *item.ok_or_else(|| DcpError::NoValues {
            key: key(),
            offsets: offsets.unwrap_or(&[]).to_vec(),
        })?;
        if item.is_transformed {
            return Err(DcpError::Transformed { key: key() }.into());
        }
        let bytes = self.files.map(item.file)?;
        let start = usize::try_from(item.offset).ok();
        let end = item.offset.checked_add(item.length).and_then(|end| usize::try_from(end).ok());
        let part = start.zip(end).and_then(|(start, end)| bytes.slice(start..end));
        let part = part.ok_or_else(|| DcpError::OutsideFile {
            key: key(),
            file: item.file.to_owned(),
            offset: item.offset,
            length: item.length,
            bytes: bytes.len(),
        })?;
        Ok((item, part))
    }
}

/// An error in an item, with its place.
pub(super) fn inside(item: &Item<'_>, kind: ErrorKind) -> ErrorKind {
    ErrorKind::InFile { file: item.file.to_owned(), offset: Some(item.offset), kind: Box::new(kind) }
}

fn read_tensor(bytes: &Bytes, name: &str) -> Result<(LazyTensor, Vec<Warning>), ErrorKind> {
    if !is_zip(bytes.as_slice()) {
        return read_safetensors(bytes);
    }
    let mut records = Records::new(Archive::read(bytes)?.strip_folder()?, "data/");
    records.read_words()?;
    let pickled = records.read("data.pkl")?;
    let pickle = pickle::parse(pickled.as_slice())?;
    let root = pickle.root();
    if !is_tensor(&pickle, root) {
        return Err(DcpError::NotATensor { what: pickle.describe(root) }.into());
    }
    let entry = Entry { key: Ok(name.to_owned()), value: root, kind: EntryKind::Tensor };
    let raw = pickled::read_tensor(&pickle, &mut records, &entry, name)
        .map_err(|reason| ErrorKind::Tensor { key: StateDictKey::new(name), reason, more: 0 })?;
    Ok((raw.tensor, records.into_warnings()))
}

/// `SerializationFormat.SAFETENSORS`: a file of one tensor.
fn read_safetensors(bytes: &Bytes) -> Result<(LazyTensor, Vec<Warning>), ErrorKind> {
    let mut tensors = safetensors::contents(bytes)?.tensors;
    match (tensors.pop(), tensors.len()) {
        (Some(raw), 0) => Ok((raw.tensor, Vec::new())),
        (_, others) => {
            Err(DcpError::NotATensor { what: format!("safetensors file of {} tensors", others + 1) }.into())
        }
    }
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
    if !is_aside && find::holds_tensors(&pickle, pickle.root(), &mut HashSet::new()) {
        return Err(ErrorKind::Tensor {
            key: StateDictKey::new(name),
            reason: TensorError::Unsupported(UnsupportedTensor::Inside { what }),
            more: 0,
        });
    }
    Ok((what, records.into_warnings()))
}
