//! Where one variable lies.

use super::super::architecture::{Architecture, Generation, Layer};
use super::super::graph::join;

/// The path of a variable's dataset in a `.weights.h5`, without a leading `/`: `layers/dense/vars/0`. `None` when
/// there is no such variable.
pub(in crate::keras) fn dataset_path(architecture: &Architecture, variable: usize) -> Option<String> {
    let variable = architecture.variables.get(variable)?;
    let layer = architecture.layers.get(variable.layer)?;
    Some(join(&join(&layer.group, "vars"), &variable.index.to_string()))
}

/// Further paths of the same dataset in a `.weights.h5`: the projections of `MultiHeadAttention` under the
/// names of Keras 2, or of Keras 3. A file that both read has both.
#[must_use]
pub fn dataset_aliases(architecture: &Architecture, variable: usize) -> Vec<String> {
    let found = || {
        let variable = architecture.variables.get(variable)?;
        let layer = architecture.layers.get(variable.layer)?;
        let (parent, _) = layer.group.rsplit_once('/')?;
        let group = join(parent, &alias(architecture, layer)?);
        Some(join(&join(&group, "vars"), &variable.index.to_string()))
    };
    found().into_iter().collect()
}

/// The name that the other generation has for a layer's group: `_query_dense` of Keras 2 is `query_dense` in
/// Keras 3, where `MultiHeadAttention` has it as a public property (`multi_head_attention.py`).
pub(super) fn alias(architecture: &Architecture, layer: &Layer) -> Option<String> {
    const PROJECTIONS: [&str; 4] = ["query_dense", "key_dense", "value_dense", "output_dense"];
    let (parent, name) = layer.group.rsplit_once('/')?;
    let plain = name.strip_prefix('_').unwrap_or(name);
    let is_projection = PROJECTIONS.contains(&plain);
    let is_attention = |above: &&Layer| above.group == parent;
    let above = architecture.layers.iter().filter(|_| is_projection).find(is_attention)?;
    let is_attention = above.class.as_deref() == Some("MultiHeadAttention");
    is_attention.then(|| if plain == name { format!("_{name}") } else { plain.to_owned() })
}

/// The name of a variable in `weight_names`: Keras 2 has the name of a tensor, with the number of the output
/// that it is. No Keras reads it but as the dataset's path.
pub(in crate::keras) fn weight_name(architecture: &Architecture, variable: usize) -> Option<String> {
    let path = architecture.variables.get(variable)?.path.as_str();
    Some(match architecture.generation {
        Generation::Keras2 => format!("{path}:0"),
        Generation::Keras3 => path.to_owned(),
    })
}
