//! What the reader of a form hands over, before wrappers' names are stripped.

use std::path::PathBuf;

use crate::lazy::LazyTensor;

use super::find::Candidate;
use super::state_dict::{Role, Warning};

/// A state_dict with the keys as they stand in the file.
#[derive(Default)]
pub(super) struct Read {
    /// In the order of the file; keys may come twice, which is an error later.
    pub(super) tensors: Vec<RawTensor>,
    /// The keys that lead to the state_dict from the root.
    pub(super) path: Vec<String>,
    /// Every state_dict of the file.
    pub(super) candidates: Vec<Candidate>,
    pub(super) warnings: Vec<Warning>,
    /// The files that were read, where there are several or the caller does not know which.
    pub(super) files: Vec<PathBuf>,
    /// What wrote the file, as far as the file tells: `torch 2.1 or later`.
    pub(super) written_by: Option<String>,
    /// Which trainer's conventions the file follows: `Lightning 2.6.6`.
    pub(super) trainer: Option<String>,
    /// Whether the file may be a part of a whole that only the size which its index announces tells.
    pub(super) may_be_part: bool,
}

/// A tensor with its key as it stands in the file.
pub(super) struct RawTensor {
    pub(super) key: String,
    pub(super) tensor: LazyTensor,
    /// Which storage, in forms where tensors can share one.
    pub(super) storage: Option<usize>,
    pub(super) role: Role,
}
