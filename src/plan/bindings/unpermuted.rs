//! `[[tensor]]` rules that say a layout for a layer beside a flattened map: whether it puts the features in order.
//!
//! What a rule says is done: a module may flatten as Keras does. But it is told, since most do not.

use std::collections::BTreeMap;

use super::binder::{Binder, Solution, equal};
use crate::keras::FeatureOrder;
use crate::plan::claims::expansion::Claim;
use crate::plan::claims::order::{Side, of_map};
use crate::plan::outcome::Provenance;
use crate::tensor::Layout;

/// A map that the graph puts before a layer, or makes of its output, and the class's layouts for it.
struct Map<'a> {
    /// Its sizes, the channels last.
    sizes: &'a [usize],
    layouts: Vec<&'a Layout>,
    named: BTreeMap<String, usize>,
    /// What the layer does with it.
    verb: &'static str,
}

impl Binder<'_> {
    /// What is to be noted of a claim whose layout leaves the features of a map in another order than the layout of
    /// the layer's class does.
    pub(super) fn unpermuted(&self, claim: &Claim<'_>) -> Option<String> {
        let map = self.map(claim)?;
        let (_, solution) = self.solve(claim).ok()?;
        let (layout, permuted) = self.permuted(claim, &map)?;
        (!equal(&permuted, &solution)).then(|| {
            format!(
                "{} a flattened map of {}, the channels last, and the rule's layout is not `{}`: right only if the \
                 PyTorch module flattens channels last too",
                map.verb,
                sizes(&map),
                layout.as_str()
            )
        })
    }

    /// The layout that puts them in order, where it fits: `(layout, sizes)` as a rule says them.
    pub(super) fn map_layout(&self, claim: &Claim<'_>) -> Option<String> {
        let map = self.map(claim)?;
        let (layout, _) = self.permuted(claim, &map)?;
        let named: Vec<String> = map.named.iter().map(|(axis, size)| format!("{axis} = {size}")).collect();
        Some(format!(
            "the layer {} a flattened map of {}, the channels last: pair the module with it in a [[layer]] rule, or say \
             `layout = \"{}\"` and `sizes = {{ {} }}`",
            map.verb,
            sizes(&map),
            layout.as_str(),
            named.join(", ")
        ))
    }

    /// The first of the class's layouts for the map that fits, and what it makes of the claim.
    fn permuted<'m>(&self, claim: &Claim<'_>, map: &Map<'m>) -> Option<(&'m Layout, Solution)> {
        let claim = Claim { sizes: map.named.clone(), ..claim.clone() };
        map.layouts.iter().find_map(|&layout| Some((layout, self.attempt(&claim, Some(layout)).ok()?)))
    }

    /// The map beside the layer of a `[[tensor]]` rule, as far as the graph tells.
    fn map<'s>(&'s self, claim: &Claim<'_>) -> Option<Map<'s>> {
        if matches!(claim.provenance, Provenance::Class { .. }) {
            return None;
        }
        let known = self.class_variable(claim)?;
        let (_, target) = self.first_pair(claim);
        let layer = self.architecture.layers.get(target.layer)?;
        let sides = [(&layer.features, &known.flatten, "reads"), (&layer.outputs, &known.unflatten, "makes")];
        sides.into_iter().find_map(|(order, layouts, verb)| {
            let FeatureOrder::Flattened(sizes) = order else { return None };
            match of_map(layouts, sizes) {
                Side::Map(layouts, named) => Some(Map { sizes, layouts, named, verb }),
                Side::Plain | Side::Refused(_) => None,
            }
        })
    }
}

fn sizes(map: &Map<'_>) -> String {
    map.sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}
