//! The order of variables in legacy files: layer by layer, trainable ones first (`legacy_h5_format.py` and
//! `Layer.weights`).

use std::collections::HashSet;

use super::architecture::{Architecture, Layer};

/// A layer of a legacy file: its name and its variables, as indices, in their order.
pub(super) struct LegacyLayer {
    pub(super) name: String,
    pub(super) variables: Vec<usize>,
}

/// The layers directly below the root that hold variables, in the order of `model.layers`. A layer that two of them
/// share is in both.
pub(super) fn layers(architecture: &Architecture) -> Vec<LegacyLayer> {
    let layers = &architecture.layers;
    // A layer that is shared with a nested model has its path there.
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let inside = layers.first().map_or(&[][..], |root| &root.inside);
    let layer = |&child: &usize| LegacyLayer {
        name: layers.get(child).map_or_else(String::new, |layer| name(&layer.path)),
        variables: order(architecture, child),
    };
    inside.iter().map(layer).collect()
}

/// The variables of one layer and those inside it.
fn order(architecture: &Architecture, layer: usize) -> Vec<usize> {
    let mut all = Vec::new();
    collect(architecture, layer, true, &mut all);
    // What is listed twice is one variable: the kernel that SpectralNormalization shares with its layer.
    let mut seen = HashSet::new();
    all.retain(|&(variable, _)| seen.insert(variable));
    let is_frozen = architecture.layers.get(layer).is_some_and(|layer| !is_trainable(layer));
    if is_frozen {
        return all.into_iter().map(|(variable, _)| variable).collect();
    }
    let (trainable, other): (Vec<_>, Vec<_>) = all.into_iter().partition(|&(_, trainable)| trainable);
    trainable.into_iter().chain(other).map(|(variable, _)| variable).collect()
}

/// `Layer.weights`: a layer's own variables, then those of the layers inside in the order in which it tracks
/// them, each with whether it is trained.
fn collect(architecture: &Architecture, layer: usize, trained: bool, found: &mut Vec<(usize, bool)>) {
    let Some(this) = architecture.layers.get(layer) else { return };
    let trained = trained && is_trainable(this);
    let inside = tracked(&architecture.layers, layer);
    for index in this.variables.clone() {
        let index = shared_kernel(architecture, index).unwrap_or(index);
        if let Some(variable) = architecture.variables.get(index) {
            found.push((index, trained && variable.trainable));
        }
    }
    for child in inside {
        collect(architecture, child, trained, found);
    }
}

/// The variable of the wrapped layer that `SpectralNormalization`'s copy of its kernel stands for; `None` for
/// any other variable.
pub(super) fn shared_kernel(architecture: &Architecture, copy: usize) -> Option<usize> {
    let variable = architecture.variables.get(copy)?;
    let layer = architecture.layers.get(variable.layer)?;
    if layer.class.as_deref() != Some("SpectralNormalization") || variable.index != 0 {
        return None;
    }
    // It comes right after its wrapper.
    let wrapped = architecture.layers.get(variable.layer.checked_add(1)?)?;
    let is_kernel = |&index: &usize| {
        let variable = architecture.variables.get(index);
        variable.is_some_and(|variable| matches!(variable.name.as_str(), "kernel" | "embeddings"))
    };
    wrapped.variables.clone().find(is_kernel)
}

pub(super) fn is_trainable(layer: &Layer) -> bool {
    let trainable = layer.config.as_ref().and_then(|config| config.get("trainable"));
    trainable.and_then(serde_json::Value::as_bool).unwrap_or(true)
}

/// The layers inside one in the order in which it made them, where that is not the order of the walk.
fn tracked(layers: &[Layer], parent: usize) -> Vec<usize> {
    const TRACKED: [&str; 7] = ["query", "key", "gate", "value", "output", "forward", "backward"];
    let Some(this) = layers.get(parent) else { return Vec::new() };
    let mut inside = this.inside.clone();
    if matches!(this.class.as_deref(), Some("MultiHeadAttention" | "GroupedQueryAttention" | "Bidirectional"))
    {
        inside.sort_by_key(|&child| {
            let attribute =
                layers.get(child).map_or("", |layer| layer.group.rsplit('/').next().unwrap_or(""));
            let attribute = attribute.trim_start_matches('_');
            TRACKED.iter().position(|name| attribute.starts_with(name))
        });
    }
    inside
}
