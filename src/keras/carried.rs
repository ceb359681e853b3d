//! What an architecture's file holds besides the variables of the model. A whole model that is written from the
//! file carries it over.

use std::path::PathBuf;

use crate::lazy::{Bytes, LazyTensor};

use super::archive::Archive;
use super::error::ErrorKind;
use super::graph::join;
use super::hdf5::{self, Tree};
use super::weights_file::OPTIMIZER;

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
const MAX_INFLATED_BYTES: u64 = 256 << 20;

/// The group of a whole-model `.h5` for the optimizer's state.
pub(super) const OPTIMIZER_WEIGHTS: &str = "optimizer_weights";

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

    /// The root's attributes of a whole-model `.h5`, and its optimizer's state.
    pub(super) fn of_whole(file: &hdf5::File) -> Result<Self, ErrorKind> {
        /// All that Keras writes besides the configuration (`legacy_h5_format.py`).
        const ATTRIBUTES: [&str; 3] = ["backend", "keras_version", "training_config"];
        let root = file.root()?;
        let mut carried = Self::default();
        for name in ATTRIBUTES {
            if let Some(text) = hdf5::text_attribute(&root, name, "")? {
                carried.attributes.push((name.to_owned(), text));
            }
        }
        let Ok(group) = root.group(OPTIMIZER_WEIGHTS) else { return Ok(carried) };
        let names = hdf5::list_attribute(&group, "weight_names", OPTIMIZER_WEIGHTS)?;
        let mut held = all(&file.tree(group, OPTIMIZER_WEIGHTS)?, file)?;
        for name in names.unwrap_or_default() {
            let path = format!("{OPTIMIZER_WEIGHTS}/{name}");
            let at = held.iter().position(|dataset| dataset.path == path);
            let at =
                at.ok_or_else(|| ErrorKind::MissingField { layer: path, field: "weight_names".to_owned() })?;
            carried.optimizer.push(held.swap_remove(at));
        }
        Ok(carried)
    }
}

/// The optimizer's state in a `.weights.h5`.
pub(super) fn optimizer(file: &hdf5::File) -> Result<Vec<CarriedDataset>, ErrorKind> {
    match file.root()?.group(OPTIMIZER) {
        Ok(group) => all(&file.tree(group, OPTIMIZER)?, file),
        Err(_) => Ok(Vec::new()),
    }
}

/// Every dataset below a group.
fn all(tree: &Tree, file: &hdf5::File) -> Result<Vec<CarriedDataset>, ErrorKind> {
    let mut found = Vec::new();
    for dataset in &tree.datasets {
        let path = join(&tree.path, dataset.name());
        let tensor = file.tensor(dataset, &path)?;
        found.push(CarriedDataset { path, tensor });
    }
    for group in &tree.groups {
        found.extend(all(group, file)?);
    }
    Ok(found)
}
