//! Whole models in HDF5: the configuration in an attribute of the root, the weights in the legacy format.

use std::path::Path;

use serde_json::Value;

use crate::lazy::Bytes;

use super::architecture::{Architecture, LegacyNames, Origin};
use super::carried::Carried;
use super::error::ErrorKind;
use super::weights_file::{legacy_group, stored_legacy};
use super::{hdf5, legacy, model};

/// The text of the configuration, where the file is a whole model.
pub(super) fn config(file: &hdf5::File) -> Result<Option<String>, ErrorKind> {
    hdf5::text_attribute(&file.root()?, "model_config", "")
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
    architecture.carried =
        Carried { config: Some(Bytes::held(text.as_bytes().to_vec())), ..Carried::of_whole(file)? };
    let Some((group, at)) = legacy_group(file)? else {
        return Err(ErrorKind::MissingField { layer: String::new(), field: "model_weights".to_owned() });
    };
    let stored = stored_legacy(file, &group, at)?;
    let ours: Vec<usize> =
        legacy::layers(&architecture).into_iter().flat_map(|layer| layer.variables).collect();
    if ours.len() != stored.len() {
        return Err(ErrorKind::WholeDiffers { expected: ours.len(), found: stored.len() });
    }
    let mut names: Vec<LegacyNames> = Vec::new();
    for (index, stored) in ours.into_iter().zip(stored) {
        let Some(variable) = architecture.variables.get_mut(index) else { continue };
        if *stored.tensor.view.shape() != variable.shape {
            return Err(ErrorKind::ArchiveDiffers {
                variable: variable.path.clone(),
                dataset: stored.path.into(),
                expected: variable.shape.clone(),
                found: Some(Box::new(stored.tensor.view.shape().clone())),
            });
        }
        variable.value = Some(stored.tensor);
        let layer = stored.layer.unwrap_or_else(String::new);
        let above = [at, layer.as_str()].iter().map(|part| part.len() + usize::from(!part.is_empty())).sum();
        let weight = stored.path.get(above..).unwrap_or(&stored.path).to_owned();
        match names.last_mut().filter(|last| last.layer == layer) {
            Some(last) => last.weights.push((weight, index)),
            None => names.push(LegacyNames { layer, weights: vec![(weight, index)] }),
        }
    }
    architecture.legacy = Some(names);
    Ok(architecture)
}
