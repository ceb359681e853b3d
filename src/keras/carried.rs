//! What an architecture's file holds besides the variables of the model. A whole model that is written from the
//! file carries it over.

use crate::lazy::{Bytes, LazyTensor};

/// What an architecture's file holds besides the variables of the model.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// The text of the configuration as it stands in the file, byte for byte; none in a template.
    pub config: Option<Bytes>,
    /// The members of an archive or folder besides the configuration and the weights, each with its name:
    /// `metadata.json`, `assets/…`.
    pub members: Vec<(String, Bytes)>,
    /// The text attributes of the root of a whole-model `.h5` besides `model_config`: `backend`,
    /// `keras_version`, `training_config`.
    pub attributes: Vec<(String, String)>,
    /// Datasets of layers that are no variables of the model (`…/vars/idf_weights` of a lookup layer), by
    /// their HDF5 paths.
    pub datasets: Vec<CarriedDataset>,
    /// The optimizer's state, in the order in which the file lists it.
    pub optimizer: Vec<CarriedDataset>,
}

/// A dataset that is carried over as it is.
#[derive(Debug, Clone)]
pub struct CarriedDataset {
    /// The HDF5 path, without a leading `/`: `optimizer/vars/0`,
    /// `optimizer_weights/adam/dense_kernel_momentum`.
    pub path: String,
    /// The value.
    pub tensor: LazyTensor,
}
