//! The state_dict of a checkpoint.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::bytes::{Bytes, LazyTensor};
use crate::tensor::{Printable, StateDictKey};

use super::error::{Error, ErrorKind};
use super::find::Candidate;
use super::sniff::{Sniffed, sniff, sniff_folder};
use super::{prefix, safetensors, torch_save};

/// A checkpoint's state_dict, read but for the values.
#[derive(Debug)]
pub struct Checkpoint {
    /// The file.
    pub path: PathBuf,
    /// What kind of file it is.
    pub form: Form,
    /// The tensors, in the order of the file, each key once.
    pub tensors: Vec<Tensor>,
    /// Whether that order is the order of the modules. safetensors files are sorted by name.
    pub is_module_order: bool,
    /// Where the state_dict lies in nested dictionaries: the keys from the root, empty for the root itself.
    pub state_dict_path: Vec<String>,
    /// Every state_dict that the file holds.
    pub candidates: Vec<Candidate>,
    /// The wrappers' prefixes that were stripped (`module.` from every key, `_orig_mod.` wherever it stood),
    /// outermost first.
    pub stripped: Vec<String>,
    /// What a reader of the report should know.
    pub warnings: Vec<Warning>,
}

/// One entry of a state_dict.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// The key, without the wrappers' prefixes.
    pub key: StateDictKey,
    /// The tensor.
    pub tensor: LazyTensor,
    /// The first tensor (by index) that shares this one's storage and view, when another does: tied weights.
    pub tied_to: Option<usize>,
}

/// The kinds of checkpoint file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The zip archive that `torch.save` writes since 1.6.
    Zip,
    /// A single safetensors file.
    Safetensors,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zip => "torch.save (zip)",
            Self::Safetensors => "safetensors",
        })
    }
}

/// Something that does not stop the reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// An entry of the state_dict that is no tensor and holds none.
    #[error("the entry `{key}` of the state_dict is a {what}, not a tensor; it is left out")]
    NotATensor {
        /// Its key, as it stands in the file.
        key: StateDictKey,
        /// What it is.
        what: String,
    },
    /// The checksum of a record is wrong.
    #[error("the checksum of the record `{}` is wrong: the file was changed or damaged", Printable(record))]
    Checksum {
        /// The record.
        record: String,
    },
    /// Records without a checksum: written with checksums off, or never filled.
    #[error(
        "{records} records of the state_dict have no checksum (the first is `{}`): the file was saved with \
         checksums off, or by torch.serialization.skip_data, which leaves all values zero",
        Printable(first)
    )]
    NoChecksum {
        /// How many.
        records: usize,
        /// The first.
        first: String,
    },
    /// A format version that torch 2.15 does not know.
    #[error("the archive's format version is {}; versions 1 to 10 are known", Printable(version))]
    Version {
        /// As it stands in the file.
        version: String,
    },
    /// The only state_dict there is is a moving average.
    #[error("the only state_dict is a moving average of the weights, at `{}`", Printable(&path.join(".")))]
    MovingAverage {
        /// The keys that lead to it.
        path: Vec<String>,
    },
}

/// How to open a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Which nested state_dict, as keys (in lists: places) joined by dots, the empty text for the root; `None`
    /// finds it.
    pub key: Option<String>,
}

impl Checkpoint {
    /// Opens a checkpoint file and finds its state_dict. Values are not read.
    ///
    /// # Errors
    /// When the file is not a checkpoint, is not supported, or breaks the rules of its form; when the
    /// state_dict is ambiguous, or one of its tensors cannot be read exactly.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        open(path, options).map_err(|kind| Error { path: path.to_owned(), kind })
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<Checkpoint, ErrorKind> {
    if path.is_dir() {
        return Err(sniff_folder(path));
    }
    let bytes = Bytes::map(path)?;
    let key = options.key.as_deref();
    let (form, read) = match sniff(path, &bytes)? {
        Sniffed::Zip => (Form::Zip, torch_save::read(&bytes, key)?),
        Sniffed::Safetensors => (Form::Safetensors, safetensors::read(&bytes, key)?),
    };
    let mut keys: Vec<String> = read.tensors.iter().map(|raw| raw.key.clone()).collect();
    let stripped = prefix::strip(&mut keys);
    let mut tensors = Vec::with_capacity(keys.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(keys.len());
    let mut ties = HashMap::new();
    for (place, (raw, key)) in read.tensors.iter().zip(keys).enumerate() {
        match places.entry(key) {
            Entry::Occupied(entry) => {
                let first = read.tensors.get(*entry.get()).map_or("", |first| first.key.as_str());
                return Err(ErrorKind::SameKey {
                    first: StateDictKey::new(first),
                    second: StateDictKey::new(raw.key.as_str()),
                    key: StateDictKey::new(entry.key().as_str()),
                });
            }
            Entry::Vacant(entry) => {
                let key = StateDictKey::new(entry.key().as_str());
                entry.insert(place);
                tensors.push(Tensor { key, tensor: raw.tensor.clone(), tied_to: tie(&mut ties, raw, place) });
            }
        }
    }
    Ok(Checkpoint {
        path: path.to_owned(),
        form,
        tensors,
        is_module_order: form == Form::Zip,
        state_dict_path: read.path,
        candidates: read.candidates,
        stripped,
        warnings: read.warnings,
    })
}

/// What makes two tensors one: the storage, the element type and the view.
type Identity<'a> = (usize, crate::tensor::Dtype, usize, &'a [usize], &'a [usize]);

fn tie<'a>(ties: &mut HashMap<Identity<'a>, usize>, raw: &'a RawTensor, place: usize) -> Option<usize> {
    let view = &raw.tensor.view;
    let storage = raw.storage.filter(|_| view.shape().numel() > 0)?;
    let identity = (storage, raw.tensor.dtype, view.offset(), view.shape().sizes(), view.strides());
    match ties.entry(identity) {
        Entry::Occupied(entry) => Some(*entry.get()),
        Entry::Vacant(entry) => {
            entry.insert(place);
            None
        }
    }
}

/// What the reader of a form hands over.
pub(super) struct Read {
    pub(super) tensors: Vec<RawTensor>,
    pub(super) path: Vec<String>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) warnings: Vec<Warning>,
}

/// A tensor with its key as it stands in the file.
pub(super) struct RawTensor {
    pub(super) key: String,
    pub(super) tensor: LazyTensor,
    /// Which storage, in forms where tensors can share one.
    pub(super) storage: Option<usize>,
}
