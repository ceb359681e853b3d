//! Whole models in HDF5: the configuration in an attribute of the root, the weights in the legacy format.

use std::collections::HashMap;
use std::path::Path;

use crate::lazy::{Bytes, LazyTensor};

use super::architecture::{Architecture, LegacyNames, Origin};
use super::carried::{Carried, CarriedDataset};
use super::error::ErrorKind;
use super::hdf5::TextAttributes;
use super::json::Value;
use super::weights_file::{LegacyLayer, LegacyWeight, TOP_LEVEL, WHOLE, legacy_group, stored_legacy};
use super::{hdf5, legacy, model};

/// The attribute with the configuration.
const CONFIG: &str = "model_config";

/// The group of the optimizer's state.
const OPTIMIZER: &str = "optimizer_weights";

/// The text of the configuration, where the file is a whole model.
pub(super) fn config(file: &hdf5::File) -> Result<Option<String>, ErrorKind> {
    file.text_attribute(file.root(), CONFIG, "")
}

/// The state of the optimizer, in the order in which the file lists it.
pub(super) fn optimizer(file: &hdf5::File) -> Result<Vec<CarriedDataset>, ErrorKind> {
    let Some(group) = file.group(file.root(), "", OPTIMIZER)? else { return Ok(Vec::new()) };
    let names = file.list_attribute(group, "weight_names", OPTIMIZER)?;
    let tree = file.tree(group, OPTIMIZER)?;
    let mut found = Vec::new();
    collect(file, &tree, &mut found)?;
    let Some(names) = names else { return Ok(found) };
    let mut listed = Vec::with_capacity(names.len());
    let mut by_path: HashMap<String, CarriedDataset> =
        found.into_iter().map(|dataset| (dataset.path.clone(), dataset)).collect();
    for name in names {
        let path = format!("{OPTIMIZER}/{name}");
        listed.push(by_path.remove(&path).ok_or(ErrorKind::LegacyDataset { at: path })?);
    }
    Ok(listed)
}

fn collect(file: &hdf5::File, tree: &hdf5::Group, found: &mut Vec<CarriedDataset>) -> Result<(), ErrorKind> {
    for dataset in &tree.datasets {
        found.push(CarriedDataset { path: dataset.path.clone(), tensor: file.tensor(dataset)? });
    }
    tree.groups.iter().try_for_each(|group| collect(file, group, found))
}

/// The architecture that the configuration describes, with the values of the file.
///
/// Keras reads legacy weights by position: the n-th layer with weights gets those of the n-th layer of the file
/// with any (`legacy_h5_format.py`). So does this, and the shapes must agree.
pub(super) fn read(
    path: &Path,
    file: &hdf5::File,
    object: &Value,
    text: &str,
) -> Result<Architecture, ErrorKind> {
    let (tree, root) = model::read(object)?;
    let mut architecture = tree.into_architecture(root, path, Origin::WholeH5)?;
    let TextAttributes { texts: mut attributes, others } = file.text_attributes(file.root(), "")?;
    attributes.retain(|(name, _)| name != CONFIG);
    architecture.carried = Carried {
        config: Some(Bytes::held(text.as_bytes().to_vec())),
        attributes,
        optimizer: optimizer(file)?,
        ..Carried::default()
    };
    let Some((group, at)) = legacy_group(file)? else {
        return Err(ErrorKind::MissingField { layer: String::new(), field: "model_weights".to_owned() });
    };
    let mut left: Vec<String> = others.iter().map(|name| format!("attribute {name}")).collect();
    if group != file.root() {
        left.extend(
            file.names(file.root(), "")?.into_iter().filter(|name| name != WHOLE && name != OPTIMIZER),
        );
    }
    architecture.carried.left = left;
    let names = fill(&mut architecture, stored_legacy(file, group, at)?)?;
    fill_copies(&mut architecture);
    architecture.legacy = Some(names);
    Ok(architecture)
}

/// Gives the variables the values of the file, layer by layer; returns the names that the file has for them.
fn fill(architecture: &mut Architecture, stored: Vec<LegacyLayer>) -> Result<Vec<LegacyNames>, ErrorKind> {
    let own = architecture.layers.first().filter(|root| root.path.is_empty());
    let own: Vec<usize> = own.map_or(0..0, |root| root.variables.clone()).collect();
    let ours = legacy::layers(architecture).into_iter().map(|layer| (layer.name, layer.variables));
    let ours: Vec<(String, Vec<usize>)> =
        ours.chain([(TOP_LEVEL.to_owned(), own)]).filter(|(_, variables)| !variables.is_empty()).collect();
    if ours.len() != stored.len() {
        return Err(ErrorKind::WholeDiffers { expected: ours.len(), found: stored.len() });
    }
    let mut names = Vec::with_capacity(stored.len());
    for ((ours, variables), layer) in ours.into_iter().zip(stored) {
        if variables.len() != layer.weights.len() {
            return Err(ErrorKind::WholeLayerDiffers {
                layer: ours,
                expected: variables.len(),
                stored: layer.name,
                found: layer.weights.len(),
            });
        }
        let mut weights = Vec::with_capacity(variables.len());
        for (index, LegacyWeight { name, tensor }) in variables.into_iter().zip(layer.weights) {
            set(architecture, index, &layer.path, &name, tensor)?;
            weights.push((name, index));
        }
        names.push(LegacyNames { layer: layer.name, weights });
    }
    Ok(names)
}

fn set(
    architecture: &mut Architecture,
    index: usize,
    layer: &str,
    name: &str,
    tensor: LazyTensor,
) -> Result<(), ErrorKind> {
    let Some(variable) = architecture.variables.get_mut(index) else { return Ok(()) };
    if *tensor.view.shape() != variable.shape {
        return Err(ErrorKind::WeightsDiffer {
            variable: variable.path.clone(),
            dataset: format!("{layer}/{name}").into(),
            expected: Box::new(variable.shape.clone()),
            found: Some(Box::new(tensor.view.shape().clone())),
        });
    }
    variable.take(tensor);
    Ok(())
}

/// A variable that the legacy format does not hold is a copy of one that it does: the kernel that
/// `SpectralNormalization` shares with its layer.
fn fill_copies(architecture: &mut Architecture) {
    let all = 0..architecture.variables.len();
    let copies: Vec<(usize, usize)> =
        all.filter_map(|at| Some((at, legacy::shared_kernel(architecture, at)?))).collect();
    for (copy, original) in copies {
        let value = architecture.variables.get(original).and_then(|variable| variable.value.clone());
        if let Some(variable) = architecture.variables.get_mut(copy) {
            variable.value = value;
        }
    }
}
