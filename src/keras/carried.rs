//! What an architecture's file holds besides the variables of the model. A whole model that is written from the
//! file carries it over.

use std::path::PathBuf;

use crate::lazy::{Bytes, LazyTensor};

use super::archive::Archive;
use super::error::ErrorKind;

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
    /// What is not carried over: paths of datasets that no layer of the model reads, or that are the state of
    /// metrics; of a whole-model `.h5` the groups and attributes of the root that Keras does not write.
    pub left: Vec<String>,
    /// The files that it was read from besides the architecture's own path (those of a folder, the shards of an
    /// index): no output may replace them.
    pub files: Vec<PathBuf>,
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

/// What is inflated of an archive's members: Keras stores them, and stored ones are mapped.
const MAX_INFLATED_BYTES: u64 = 64 << 20;

impl Carried {
    /// The members of an archive that are neither the configuration nor the weights.
    pub(super) fn of_archive(archive: &mut Archive) -> Result<Self, ErrorKind> {
        let mut carried = Self { files: archive.files()?, ..Self::default() };
        let mut inflated = 0;
        for name in archive.others()? {
            let bytes = archive.other(&name, MAX_INFLATED_BYTES.saturating_sub(inflated))?;
            if !bytes.is_mapped() {
                inflated = inflated.saturating_add(bytes.len() as u64);
            }
            carried.members.push((name, bytes));
        }
        Ok(carried)
    }
}
