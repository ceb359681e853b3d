//! The variables of a Keras weight file, as they are stored.

use std::path::{Path, PathBuf};

use hdf5_reader::group::Group;

use crate::lazy::{Bytes, LazyTensor};

use super::archive::Archive;
use super::error::{Error, ErrorKind};
use super::graph::join;
use super::hdf5::{self, Tree};
use super::sniff::{Content, sniff};

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
    pub fn open(path: &Path) -> Result<Self, Error> {
        read(path).map_err(|kind| Error { path: path.to_owned(), kind })
    }
}

fn read(path: &Path) -> Result<WeightsFile, ErrorKind> {
    let (bytes, is_archive) = if path.is_dir() {
        (Archive::open_folder(path)?.weights()?, true)
    } else {
        let bytes = Bytes::map(path)?;
        match sniff(bytes.as_slice())? {
            Content::Hdf5 => (bytes, false),
            Content::Archive => (Archive::open(bytes)?.weights()?, true),
            Content::Json => return Err(ErrorKind::NotWeights),
        }
    };
    let file = hdf5::File::open(bytes)?;
    let (form, variables) = match legacy_group(&file)? {
        Some((group, path)) => (WeightsForm::LegacyH5, stored_legacy(&file, &group, path)?),
        None => (if is_archive { WeightsForm::Archive } else { WeightsForm::WeightsH5 }, stored(&file)?),
    };
    Ok(WeightsFile { path: path.to_owned(), form, variables })
}

/// The group of a legacy file that lists the layers, with its path: the root, or `model_weights`.
pub(super) fn legacy_group(file: &hdf5::File) -> Result<Option<(Group, &'static str)>, ErrorKind> {
    let root = file.root()?;
    if hdf5::list_attribute(&root, "layer_names", "")?.is_some() {
        return Ok(Some((root, "")));
    }
    // Any other file may lack that group, or have a layer of that name, which lists no layers.
    let Ok(whole) = root.group("model_weights") else { return Ok(None) };
    let lists_layers = hdf5::list_attribute(&whole, "layer_names", "model_weights")?.is_some();
    Ok(lists_layers.then_some((whole, "model_weights")))
}

/// The variables of a `.weights.h5`, group by group. The optimizer's are not the model's.
pub(super) fn stored(file: &hdf5::File) -> Result<Vec<StoredVariable>, ErrorKind> {
    let mut variables = Vec::new();
    let tree = file.tree(file.root()?, "")?;
    collect(file, &tree, &mut variables)?;
    Ok(variables)
}

fn collect(file: &hdf5::File, tree: &Tree, variables: &mut Vec<StoredVariable>) -> Result<(), ErrorKind> {
    let layer =
        if tree.name == "vars" { hdf5::text_attribute(&tree.group, "name", &tree.path)? } else { None };
    for dataset in &tree.datasets {
        let path = join(&tree.path, dataset.name());
        let tensor = file.tensor(dataset, &path)?;
        variables.push(StoredVariable { path, layer: layer.clone(), tensor });
    }
    // A layer's own variables come before those of the layers inside it.
    let (own, below): (Vec<_>, Vec<_>) = tree.groups.iter().partition(|group| group.name == "vars");
    for group in own.into_iter().chain(below) {
        if group.path != OPTIMIZER {
            collect(file, group, variables)?;
        }
    }
    Ok(())
}

/// The group of a compiled model's optimizer.
pub(super) const OPTIMIZER: &str = "optimizer";

/// The variables of a legacy file, in the order of its lists.
pub(super) fn stored_legacy(
    file: &hdf5::File,
    group: &Group,
    path: &str,
) -> Result<Vec<StoredVariable>, ErrorKind> {
    let missing =
        |field: &str, at: &str| ErrorKind::MissingField { layer: at.to_owned(), field: field.to_owned() };
    let layers =
        hdf5::list_attribute(group, "layer_names", path)?.ok_or_else(|| missing("layer_names", path))?;
    let mut variables = Vec::new();
    for layer in layers {
        let at = join(path, &layer);
        let wrap = |source| ErrorKind::Hdf5 { at: at.clone(), source: Box::new(source) };
        let own = group.group(&layer).map_err(wrap)?;
        for name in hdf5::list_attribute(&own, "weight_names", &at)?.unwrap_or_default() {
            let path = join(&at, &name);
            let mut parts: Vec<&str> = name.split('/').collect();
            let last = parts.pop().unwrap_or(&name);
            let mut parent = own.clone();
            for part in parts {
                parent = parent.group(part).map_err(wrap)?;
            }
            let dataset = parent.dataset(last).map_err(wrap)?;
            let tensor = file.tensor(&dataset, &path)?;
            variables.push(StoredVariable { path, layer: Some(layer.clone()), tensor });
        }
    }
    Ok(variables)
}
