//! The layers inside a layer.

use crate::keras::{Architecture, Layer};

/// The layers directly inside one, by their names. A template does not list them, but has them behind the layer.
pub(in crate::plan) fn children<'a>(architecture: &'a Architecture, at: usize) -> Vec<(&'a str, usize)> {
    let layers = &architecture.layers;
    let Some(layer) = layers.get(at) else { return Vec::new() };
    if !layer.inside.is_empty() {
        let named = layer.inside.iter().filter_map(|&child| Some((layers.get(child)?.name.as_str(), child)));
        return named.collect();
    }
    let below = |other: &'a Layer| {
        let rest = other.path.strip_prefix(layer.path.as_str())?;
        let rest = if layer.path.is_empty() { rest } else { rest.strip_prefix('/')? };
        Some(rest)
    };
    let behind =
        layers.iter().enumerate().skip(at + 1).map_while(|(child, other)| Some((below(other)?, child)));
    behind.filter(|(name, _)| !name.contains('/')).collect()
}
