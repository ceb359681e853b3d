//! `.weights.h5` of Keras 3: a group per layer, in it a group `vars` with a dataset per variable
//! (`saving_lib.py`).

use crate::map::Map;
use crate::tensor::Dtype;

use super::super::architecture::Layer;
use super::super::carried::CarriedDataset;
use super::super::graph::join;
use super::layout::Source;
use super::place::alias;
use super::tree::{Growing, Name, numbered};
use super::{Attribute, Content, Dataset, Group, LayoutError, reader};

/// The `vars` group of a layer, or a dataset that is carried over: what a shard holds or does not.
pub(super) struct Vars<'a> {
    /// The HDF5 path.
    pub(super) path: String,
    /// The layer, unless it is carried over.
    layer: Option<&'a Layer>,
    /// The datasets, each with its name in the group.
    pub(super) datasets: Vec<(Name, Dataset)>,
    /// Bytes of the datasets.
    pub(super) bytes: u64,
}

/// The whole file.
pub(super) fn file(source: &Source<'_>, carried: &mut Vec<CarriedDataset>) -> Result<Group, LayoutError> {
    let mut root = Growing::default();
    for vars in all(source, carried) {
        put(&mut root, vars)?;
    }
    if reader::wants_both_names(source.architecture, source.form) {
        for layer in &source.architecture.layers {
            if let Some((parent, name)) = layer.group.rsplit_once('/')
                && let Some(second) = alias(source.architecture, layer)
            {
                root.group(parent)?.alias(&second, name);
            }
        }
    }
    Ok(root.finish())
}

/// Every `vars` group, in the order of the layers, then what is carried over.
pub(super) fn all<'a>(source: &Source<'a>, carried: &mut Vec<CarriedDataset>) -> Vec<Vars<'a>> {
    let variables = &source.architecture.variables;
    let mut found = Vec::with_capacity(source.architecture.layers.len());
    for layer in &source.architecture.layers {
        let path = join(&layer.group, "vars");
        let datasets = Vec::with_capacity(layer.variables.len());
        let mut vars = Vars { path, layer: Some(layer), datasets, bytes: 0 };
        for index in layer.variables.clone() {
            let (Some(variable), Some(dtype)) = (variables.get(index), (source.written)(index)) else {
                continue;
            };
            let dataset = Dataset { content: Content::Variable(index), attributes: mark(dtype) };
            vars.bytes = vars.bytes.saturating_add(bytes(variable.shape.numel(), dtype));
            vars.datasets.push((numbered(variable.index), dataset));
        }
        found.push(vars);
    }
    let optimizer = source.form.optimizer.then_some(&source.architecture.carried.optimizer);
    let mut of_file =
        source.architecture.carried.datasets.iter().chain(optimizer.into_iter().flatten()).peekable();
    let mut places: Map<String, usize> = Map::default();
    if of_file.peek().is_some() {
        places.extend(found.iter().enumerate().map(|(at, vars)| (vars.path.clone(), at)));
    }
    for dataset in of_file {
        let content = Content::Carried(carried.len());
        let dtype = dataset.tensor.dtype;
        let bytes = bytes(dataset.tensor.view.shape().numel(), dtype);
        let (parents, name) = dataset.path.rsplit_once('/').unwrap_or(("", &dataset.path));
        let entry = (Name::Owned(name.to_owned()), Dataset { content, attributes: mark(dtype) });
        carried.push(dataset.clone());
        let at = *places.entry(parents.to_owned()).or_insert_with_key(|path| {
            found.push(Vars { path: path.clone(), layer: None, datasets: Vec::new(), bytes: 0 });
            found.len() - 1
        });
        if let Some(vars) = found.get_mut(at) {
            vars.datasets.push(entry);
            vars.bytes = vars.bytes.saturating_add(bytes);
        }
    }
    found
}

/// Puts a `vars` group into a file.
pub(super) fn put(root: &mut Growing, vars: Vars<'_>) -> Result<(), LayoutError> {
    // Keras up to 3.5 looks for the root's own group, though it is empty.
    root.group("vars")?;
    let group = root.group(&vars.path)?;
    let name = vars.layer.map(|layer| layer.name.as_str());
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        group.attributes.push(Attribute::text("name", name));
    }
    group.reserve(vars.datasets.len());
    for (name, dataset) in vars.datasets {
        group.add_child(name, dataset, &vars.path)?;
    }
    Ok(())
}

/// What marks the opaque bytes of bfloat16, which HDF5 has no type for.
pub(super) fn mark(dtype: Dtype) -> Vec<Attribute> {
    (dtype == Dtype::Bf16).then(|| Attribute::text("dtype", Dtype::Bf16.name())).into_iter().collect()
}

fn bytes(numel: usize, dtype: Dtype) -> u64 {
    (numel as u64).saturating_mul(dtype.size() as u64)
}
