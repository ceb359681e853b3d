//! Legacy weights as a template: the names and the order of layers and weights, and nothing of the groups of
//! `.weights.h5`.
//!
//! A weight's name is a path of Keras' own making, so it becomes the path that the variable has in the model:
//! `:0` goes, and so does what stands before the layer's name (`model/dense/kernel:0` of the layer `dense` is
//! `dense/kernel`, and `forward_lstm/lstm_cell/kernel:0` of `bi` is `bi/forward_lstm/lstm_cell/kernel`). Where
//! two weights would get one path, all of that layer keep their whole names below the layer's.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::tensor::VariablePath;

use super::super::architecture::{
    Architecture, FeatureOrder, Generation, Layer, LegacyNames, Origin, Variable,
};
use super::super::carried::Carried;
use super::super::error::ErrorKind;
use super::super::graph::join;
use super::super::layers::class_of_group;
use super::super::weights_file::{LegacyLayer, TOP_LEVEL};

/// The model of a legacy file.
pub(in crate::keras) fn read(path: &Path, stored: Vec<LegacyLayer>) -> Result<Architecture, ErrorKind> {
    let mut model = Model::default();
    let mut legacy: Vec<Vec<(String, usize)>> = Vec::new();
    let mut is_old = false;
    // The variables of each layer, in the order of the file: inside a layer the file may have trained ones first.
    let mut found: Vec<(usize, Variable, (usize, String))> = Vec::new();
    let mut seen = HashSet::new();
    for (at, layer) in stored.iter().enumerate() {
        legacy.push(Vec::new());
        for (stored, path) in layer.weights.iter().zip(paths(layer)) {
            if !seen.insert(path.clone()) {
                return Err(ErrorKind::DuplicatePath { path });
            }
            is_old |= stored.name.ends_with(OLD_SUFFIX);
            let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let owner = model.layer(above);
            let variable = Variable {
                path: VariablePath::new(path.clone()),
                layer: owner,
                name: name.to_owned().into(),
                index: 0,
                shape: stored.tensor.view.shape().clone(),
                dtype: stored.tensor.dtype,
                trainable: !super::is_statistic(name),
                initial: None,
                value: Some(Box::new(stored.tensor.clone())),
            };
            found.push((owner, variable, (at, stored.name.clone())));
        }
    }
    if found.is_empty() {
        return Err(ErrorKind::NoVariables);
    }
    // Layer by layer; the sort is stable.
    found.sort_by_key(|&(owner, ..)| owner);
    let Model { mut layers, .. } = model;
    let mut variables: Vec<Variable> = Vec::with_capacity(found.len());
    let mut places: Vec<((usize, String), usize)> = Vec::with_capacity(found.len());
    for (owner, mut variable, stored) in found {
        let Some(layer) = layers.get_mut(owner) else { continue };
        if layer.variables.is_empty() {
            layer.variables = variables.len()..variables.len();
        }
        variable.index = layer.variables.len();
        layer.variables.end = variables.len() + 1;
        places.push((stored, variables.len()));
        variables.push(variable);
    }
    let by_name: HashMap<(usize, &str), usize> =
        places.iter().map(|((layer, name), at)| ((*layer, name.as_str()), *at)).collect();
    let names = stored.iter().enumerate().map(|(at, layer)| LegacyNames {
        layer: layer.name.clone(),
        weights: layer
            .weights
            .iter()
            .filter_map(|weight| Some((weight.name.clone(), *by_name.get(&(at, weight.name.as_str()))?)))
            .collect(),
    });
    let legacy = Some(names.collect());
    super::mark_features(&mut layers, &variables);
    Ok(Architecture {
        path: path.to_owned(),
        origin: Origin::LegacyTemplate,
        generation: if is_old { Generation::Keras2 } else { Generation::Keras3 },
        layers,
        variables,
        weightless: Vec::new(),
        legacy,
        carried: Carried::default(),
    })
}

/// What TensorFlow adds to the name of a variable.
const OLD_SUFFIX: &str = ":0";

/// The paths of a layer's variables.
fn paths(layer: &LegacyLayer) -> Vec<String> {
    let plain = |name: &str| name.strip_suffix(OLD_SUFFIX).unwrap_or(name).to_owned();
    let own: Vec<&str> = layer.name.split('/').filter(|part| !part.is_empty()).collect();
    let short: Vec<String> = layer
        .weights
        .iter()
        .map(|weight| {
            let name = plain(&weight.name);
            if layer.name == TOP_LEVEL {
                return name.rsplit('/').next().unwrap_or(&name).to_owned();
            }
            let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
            // The last part is the variable's own name.
            let above = parts.len().saturating_sub(1);
            let layers = parts.get(..above).unwrap_or_default();
            let at = layers.windows(own.len()).position(|names| names == own.as_slice());
            let below = parts.get(at.map_or(0, |at| at + own.len())..).unwrap_or(&parts).join("/");
            join(&layer.name, &below)
        })
        .collect();
    let mut seen = HashSet::new();
    if short.iter().all(|path| seen.insert(path.as_str())) {
        return short;
    }
    let whole = |name: &str| if layer.name == TOP_LEVEL { name.to_owned() } else { join(&layer.name, name) };
    layer.weights.iter().map(|weight| whole(&plain(&weight.name))).collect()
}

/// The layers that the paths speak of.
#[derive(Default)]
struct Model {
    layers: Vec<Layer>,
    by_path: HashMap<String, usize>,
}

impl Model {
    /// The layer of that path, made with those above it where it is not there yet. A path is as deep as names in
    /// the file are long.
    fn layer(&mut self, path: &str) -> usize {
        if let Some(&at) = self.by_path.get(path) {
            return at;
        }
        let ends = path.match_indices('/').map(|(end, _)| end);
        let above: Vec<&str> = ends.filter_map(|end| path.get(..end)).chain([path]).collect();
        let mut last = 0;
        for path in above {
            last = match self.by_path.get(path) {
                Some(&at) => at,
                None => self.add(path),
            };
        }
        last
    }

    fn add(&mut self, path: &str) -> usize {
        let own = path.rsplit('/').next().unwrap_or(path);
        let name = own.strip_prefix("forward_").or_else(|| own.strip_prefix("backward_")).unwrap_or(own);
        let class = class_of_group(name);
        self.by_path.insert(path.to_owned(), self.layers.len());
        self.layers.push(Layer {
            path: path.to_owned(),
            name: own.to_owned(),
            aliases: Vec::new(),
            class: class.map(str::to_owned),
            class_from_name: class.is_some(),
            kernel_axes: None,
            variables: 0..0,
            group: String::new(),
            inside: Vec::new(),
            config: None,
            features: FeatureOrder::Plain,
            outputs: FeatureOrder::Plain,
        });
        self.layers.len() - 1
    }
}
