//! Where the variables of an architecture lie in weight files, as far as it tells.

use super::architecture::{Architecture, LegacyNames, Origin};
use super::file_layout::{dataset_path, weight_name};
use super::graph::join;
use super::legacy;
use super::weights_file::TOP_LEVEL;

impl Architecture {
    /// For each variable its dataset in a `.weights.h5`, without a leading `/`: `layers/dense/vars/0`. Legacy
    /// weights do not tell it.
    #[must_use]
    pub fn weights_h5_places(&self) -> Vec<Option<String>> {
        let is_told = self.origin != Origin::LegacyTemplate;
        let all = 0..self.variables.len();
        all.map(|at| dataset_path(self, at).filter(|_| is_told)).collect()
    }

    /// For each variable its dataset in a legacy `.h5`, below the group of the weights: `dense/dense/kernel`.
    /// Where the architecture is a legacy file, under the names that it has there; the other templates do not
    /// tell it. Of several, as a shared layer has them, the first.
    #[must_use]
    pub fn legacy_places(&self) -> Vec<Option<String>> {
        let mut places = vec![None; self.variables.len()];
        for (place, at) in self.legacy_entries() {
            if let Some(slot @ None) = places.get_mut(at) {
                *slot = Some(place);
            }
        }
        // The copy of a kernel is stored as the kernel.
        for at in 0..self.variables.len() {
            if let Some(original) = legacy::shared_kernel(self, at) {
                let place = places.get(original).cloned().flatten();
                if let Some(slot) = places.get_mut(at) {
                    *slot = place;
                }
            }
        }
        places
    }

    /// Every dataset of a legacy file in its order, layer by layer, trained ones first, each with its variable as
    /// an index; one of a shared layer several times. None where a template does not tell it.
    #[must_use]
    pub fn legacy_entries(&self) -> Vec<(String, usize)> {
        let layers = legacy_names(self).unwrap_or_default();
        let entries = layers.into_iter().flat_map(|LegacyNames { layer, weights }| {
            weights.into_iter().map(move |(weight, at)| (join(&layer, &weight), at))
        });
        entries.collect()
    }

    /// The variables in the order of a legacy file, as indices. `None` where a template does not tell it.
    #[must_use]
    pub fn legacy_order(&self) -> Option<Vec<usize>> {
        let names = legacy_names(self)?;
        Some(names.into_iter().flat_map(|layer| layer.weights).map(|(_, at)| at).collect())
    }
}

/// The layers of a legacy file and their weights: as the architecture's own file lists them, or in the order that
/// Keras gives them, with the model's own variables last. `None` where a template does not tell it.
pub(super) fn legacy_names(architecture: &Architecture) -> Option<Vec<LegacyNames>> {
    if let Some(names) = &architecture.legacy {
        return Some(names.clone());
    }
    if architecture.origin.is_template() {
        return None;
    }
    let name = |index| Some((weight_name(architecture, index)?, index));
    let own = architecture.layers.first().map_or(0..0, |root| root.variables.clone());
    let own = LegacyNames { layer: TOP_LEVEL.to_owned(), weights: own.filter_map(name).collect() };
    let layers = legacy::layers(architecture).into_iter().map(|layer| LegacyNames {
        layer: layer.name,
        weights: layer.variables.into_iter().filter_map(name).collect(),
    });
    Some(layers.chain([own]).collect())
}
