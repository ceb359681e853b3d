//! The state_dict of a checkpoint.

use std::path::{Path, PathBuf};

use crate::bytes::LazyTensor;
use crate::tensor::StateDictKey;

use super::Error;

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
    /// The wrappers' prefixes that were stripped from every key (`module.`, `_orig_mod.`), outermost first.
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

/// A state_dict found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The keys that lead to it from the root.
    pub path: Vec<String>,
    /// How many tensors it holds.
    pub tensors: usize,
}

/// Something that does not stop the reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {}

/// How to open a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Which nested state_dict, as keys joined by dots; `None` finds it.
    pub key: Option<String>,
}

impl Checkpoint {
    /// Opens a checkpoint file and finds its state_dict.
    ///
    /// # Errors
    /// When the file is not a checkpoint, is not supported, or breaks the rules of its form.
    pub fn open(_path: &Path, _options: &OpenOptions) -> Result<Self, Error> {
        unimplemented!()
    }
}
