//! The order of variables in legacy files: layer by layer, trainable ones first (`legacy_h5_format.py` and
//! `Layer.weights`).

use std::collections::HashSet;

use super::architecture::{Architecture, Generation, Layer};
use super::json::Value;
use super::layers::cell_of;

/// A layer of a legacy file: its name and its variables, as indices, in their order.
pub(super) struct LegacyLayer {
    pub(super) name: String,
    pub(super) variables: Vec<usize>,
}

/// The layers directly below the root that hold variables, in the order of `model.layers`. A layer that two of them
/// share is in both.
pub(super) fn layers(architecture: &Architecture) -> Vec<LegacyLayer> {
    let layers = &architecture.layers;
    let inside = layers.first().map_or(&[][..], |root| &root.inside);
    let layer = |&child: &usize| LegacyLayer {
        name: layers.get(child).map_or_else(String::new, |layer| layer.name.clone()),
        variables: order(architecture, child),
    };
    inside.iter().map(layer).collect()
}

/// The variables of one layer and those inside it.
fn order(architecture: &Architecture, layer: usize) -> Vec<usize> {
    let mut all = Vec::new();
    collect(architecture, layer, true, &mut HashSet::new(), &mut all);
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
/// them, each with whether it is trained. `above` tells whether what freezes the layers inside it is not frozen.
fn collect(
    architecture: &Architecture,
    layer: usize,
    above: bool,
    visited: &mut HashSet<usize>,
    found: &mut Vec<(usize, bool)>,
) {
    let Some(this) = architecture.layers.get(layer).filter(|_| visited.insert(layer)) else { return };
    let trained = above && is_trainable(this);
    for index in this.variables.clone() {
        let index = shared_kernel(architecture, index).unwrap_or(index);
        if let Some(variable) = architecture.variables.get(index) {
            found.push((index, trained && variable.trainable));
        }
    }
    let below = if freezes_inside(this, architecture.generation) { trained } else { above };
    for child in tracked(&architecture.layers, layer) {
        collect(architecture, child, below, visited, found);
    }
}

/// Whether a layer that its configuration freezes freezes those inside it. In Keras 3 `trainable=False` is one
/// layer's own, and those inside have one in their configurations; but the constructor of a Functional model sets
/// it for all of them (`functional.py`), and a recurrent layer makes its cell with its own (`lstm.py`). In Keras 2
/// it counts for all that is inside (`base_layer.py`).
fn freezes_inside(layer: &Layer, generation: Generation) -> bool {
    let class = layer.class.as_deref().unwrap_or_default();
    generation == Generation::Keras2 || class == "Functional" || cell_of(class).is_some()
}

/// A frozen attention layer in a nested model that is trained. Its projections are frozen where `trainable` was
/// set, and not where the constructor was told, which the configuration does not tell apart; and the order of the
/// nested model's weights is another.
pub(super) fn untold_freezing(architecture: &Architecture) -> Option<&Layer> {
    if architecture.generation == Generation::Keras2 || architecture.legacy.is_some() {
        return None;
    }
    let root = architecture.layers.first()?;
    let is_attention = |layer: &&Layer| {
        matches!(layer.class.as_deref(), Some("MultiHeadAttention" | "GroupedQueryAttention"))
            && layer.path.contains('/')
            && !is_trainable(layer)
    };
    // A frozen layer of the model lists all weights of its own in one order.
    let is_frozen = |layer: &Layer| {
        let above = root.inside.iter().filter_map(|&at| architecture.layers.get(at));
        let mut frozen = above.filter(|above| !is_trainable(above));
        frozen.any(|above| layer.group.strip_prefix(&above.group).is_some_and(|rest| rest.starts_with('/')))
    };
    architecture.layers.iter().filter(is_attention).find(|layer| !is_frozen(layer))
}

/// The variable of the wrapped layer that `SpectralNormalization`'s copy of its kernel stands for; `None` for
/// any other variable.
pub(super) fn shared_kernel(architecture: &Architecture, copy: usize) -> Option<usize> {
    let variable = architecture.variables.get(copy)?;
    let layer = architecture.layers.get(variable.layer)?;
    if layer.class.as_deref() != Some("SpectralNormalization") || variable.index != 0 {
        return None;
    }
    let wrapped = architecture.layers.get(*layer.inside.first()?)?;
    let is_kernel = |&index: &usize| {
        let variable = architecture.variables.get(index);
        variable.is_some_and(|variable| matches!(&*variable.name, "kernel" | "embeddings"))
    };
    wrapped.variables.clone().find(is_kernel)
}

pub(super) fn is_trainable(layer: &Layer) -> bool {
    let trainable = layer.config.as_ref().and_then(|config| config.get("trainable"));
    trainable.and_then(Value::as_bool).unwrap_or(true)
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
