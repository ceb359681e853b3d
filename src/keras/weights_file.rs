//! The variables of a Keras weight file, as they are stored.

use std::path::{Path, PathBuf};

use crate::bytes::LazyTensor;

use super::Error;

/// A weight file's variables, in the order of the file's structure.
#[derive(Debug)]
pub struct WeightsFile {
    /// The file.
    pub path: PathBuf,
    /// What kind of file it is.
    pub form: WeightsForm,
    /// The stored variables: groups by name with numbers in numeric order (`vars/2` before `vars/10`), or in
    /// the order of `layer_names` and `weight_names` in legacy files.
    pub variables: Vec<StoredVariable>,
}

/// The kinds of weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightsForm {
    /// `.weights.h5` of Keras 3.
    WeightsH5,
    /// Weights-only `.h5` of Keras 2 (also the `model_weights` of a whole-model file).
    LegacyH5,
    /// The `model.weights.h5` inside a `.keras` archive.
    Archive,
}

/// A variable as a file holds it.
#[derive(Debug, Clone)]
pub struct StoredVariable {
    /// The HDF5 path of the dataset, without a leading `/`: `layers/dense/vars/0`, `dense/dense/kernel`.
    pub path: String,
    /// The layer's name: the `name` attribute of its `vars` group (3.6 and later) or the entry of
    /// `layer_names`, when the file tells it.
    pub layer: Option<String>,
    /// The value, with its shape and element type.
    pub tensor: LazyTensor,
}

impl WeightsFile {
    /// Opens a `.weights.h5`, a legacy `.h5` or a `.keras` archive, told apart by content.
    ///
    /// # Errors
    /// When the file is none of these or breaks their rules.
    pub fn open(_path: &Path) -> Result<Self, Error> {
        unimplemented!()
    }
}
