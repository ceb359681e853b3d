//! Where the variables of an architecture lie in weight files, as far as it tells.

use super::architecture::{Architecture, Origin};
use super::file_layout::{Format, dataset_path};
use super::graph::join;
use super::legacy;

impl Architecture {
    /// For each variable its dataset in a `.weights.h5`, without a leading `/`: `layers/dense/vars/0`. Legacy
    /// weights do not tell it.
    #[must_use]
    pub fn weights_h5_places(&self) -> Vec<Option<String>> {
        let is_told = self.origin != Origin::LegacyTemplate;
        let all = 0..self.variables.len();
        all.map(|at| dataset_path(self, Format::WeightsH5, at).filter(|_| is_told)).collect()
    }

    /// For each variable its dataset in a legacy `.h5`, below the group of the weights: `dense/dense/kernel`.
    /// Where the architecture is a legacy file, under the names that it has there; the other templates do not
    /// tell it.
    #[must_use]
    pub fn legacy_places(&self) -> Vec<Option<String>> {
        let mut places = vec![None; self.variables.len()];
        if matches!(self.origin, Origin::Template | Origin::ShardedTemplate) {
            return places;
        }
        let Some(layers) = &self.legacy else {
            return (0..self.variables.len()).map(|at| dataset_path(self, Format::LegacyH5, at)).collect();
        };
        for layer in layers {
            for (weight, at) in &layer.weights {
                if let Some(place) = places.get_mut(*at) {
                    *place = Some(join(&layer.layer, weight));
                }
            }
        }
        places
    }

    /// The variables in the order of a legacy file, as indices: layer by layer, trained ones first. `None` where
    /// a template does not tell it.
    #[must_use]
    pub fn legacy_order(&self) -> Option<Vec<usize>> {
        if let Some(layers) = &self.legacy {
            return Some(layers.iter().flat_map(|layer| &layer.weights).map(|(_, at)| *at).collect());
        }
        if self.origin.is_template() {
            return None;
        }
        let own = self.layers.first().filter(|root| root.path.is_empty());
        let own = own.map_or(0..0, |root| root.variables.clone());
        Some(legacy::layers(self).into_iter().flat_map(|layer| layer.variables).chain(own).collect())
    }
}
