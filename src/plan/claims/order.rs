//! Which layout of a class holds where a feature map is flattened before a layer, or made of its output.

use std::collections::BTreeMap;

use super::untold;
use crate::keras::{Architecture, FeatureOrder, Layer, Variable};
use crate::plan::faults::fault::FaultDetail;
use crate::schema::{Class, ClassVariable, LayerRule, Schema, Scope};
use crate::tensor::Layout;

/// What holds for a variable.
pub(super) enum Outcome<'a> {
    /// The ordinary layouts.
    Plain,
    /// One of these, with the map's sizes.
    Map { layouts: Vec<&'a Layout>, sizes: BTreeMap<String, usize> },
    /// None.
    Refused { detail: FaultDetail, hint: String },
}

/// A layer and the rule that leads to it.
pub(super) struct Place<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) schema: &'a Schema,
    /// What the rule means by names.
    pub(super) scope: &'a Scope,
    pub(super) rule: &'a LayerRule,
    pub(super) layer: &'a Layer,
    /// What becomes of what the layer makes.
    pub(super) outputs: &'a FeatureOrder,
}

/// One side of a layer.
pub(in crate::plan) enum Side<'a> {
    Plain,
    Map(Vec<&'a Layout>, BTreeMap<String, usize>),
    Refused(String),
}

impl<'a> Place<'a> {
    /// Decides for one variable of a class.
    pub(super) fn choose(&self, index: usize, known: &'a ClassVariable) -> Outcome<'a> {
        let variable = || self.architecture.variables[index].path.clone();
        match (self.input(index, known), self.output(index, known)) {
            (Side::Refused(reason), _) => Outcome::Refused {
                detail: FaultDetail::FeatureOrder { variable: variable(), reason },
                hint: self.input_hint(),
            },
            (_, Side::Refused(reason)) => Outcome::Refused {
                detail: FaultDetail::OutputOrder { variable: variable(), reason },
                hint: self.output_hint(),
            },
            (Side::Map(layouts, sizes), Side::Map(others, other_sizes))
                if layouts != others || sizes != other_sizes =>
            {
                Outcome::Refused {
                    detail: FaultDetail::BothOrders { variable: variable() },
                    hint: "write a [[tensor]] rule; for a kernel, the layout `(a b c) (d e f) -> (e f d) (b c a)` \
                           with the `sizes` of its axes (a and d are the channels)"
                        .to_owned(),
                }
            }
            (Side::Map(layouts, sizes), _) | (_, Side::Map(layouts, sizes)) => {
                Outcome::Map { layouts, sizes }
            }
            (Side::Plain, Side::Plain) => Outcome::Plain,
        }
    }

    /// What the layer reads.
    fn input(&self, index: usize, known: &'a ClassVariable) -> Side<'a> {
        if known.flatten.is_empty() {
            return Side::Plain;
        }
        match (&self.rule.flatten, &self.layer.features) {
            (_, FeatureOrder::Mixed(reason)) => Side::Refused(reason.clone()),
            (Some(sizes), _) => of_map(&known.flatten, sizes),
            (None, _) if self.is_template() => {
                untold::input(self, index, known).map_or(Side::Plain, Side::Refused)
            }
            (None, FeatureOrder::Plain) => Side::Plain,
            (None, FeatureOrder::Flattened(sizes)) => of_map(&known.flatten, sizes),
            (None, FeatureOrder::Unknown(reason)) => Side::Refused(reason.clone()),
        }
    }

    /// What becomes of what the layer makes.
    fn output(&self, index: usize, known: &'a ClassVariable) -> Side<'a> {
        if known.unflatten.is_empty() {
            return Side::Plain;
        }
        match (&self.rule.unflatten, self.outputs) {
            (_, FeatureOrder::Mixed(reason)) => Side::Refused(reason.clone()),
            (Some(sizes), _) => of_map(&known.unflatten, sizes),
            (None, _) if self.is_template() => {
                untold::output(self, index, known).map_or(Side::Plain, Side::Refused)
            }
            (None, FeatureOrder::Plain) => Side::Plain,
            (None, FeatureOrder::Flattened(sizes)) => of_map(&known.unflatten, sizes),
            (None, FeatureOrder::Unknown(reason)) => Side::Refused(reason.clone()),
        }
    }

    fn is_template(&self) -> bool {
        self.architecture.origin.is_template()
    }

    /// The fault of a layer as a whole: the rule contradicts the graph, or the class has no layout at all for
    /// what is flattened before it or made of its output.
    pub(super) fn refused(&self, class: &Class) -> Option<(FaultDetail, String)> {
        if !self.is_template() {
            let sides = [
                ("flatten", &self.rule.flatten, &self.layer.features),
                ("unflatten", &self.rule.unflatten, self.outputs),
            ];
            for (key, said, found) in sides {
                if let Some(detail) = self.contradiction(key, said.as_deref(), found) {
                    let hint = format!(
                        "the graph tells: leave `{key}` out of the rule, or build the model as the rule says"
                    );
                    return Some((detail, hint));
                }
            }
        }
        let variable = self.variables().next()?.1.path.clone();
        if let Some(reason) = self.unsupported_input(class) {
            let hint = format!(
                "write [[tensor]] rules, with a layout such as `{EXAMPLE}`{}",
                if is_unclear(self.rule.flatten.as_ref(), &self.layer.features) {
                    ", or say `flatten = []` when nothing was flattened"
                } else {
                    ""
                }
            );
            return Some((FaultDetail::FeatureOrder { variable, reason }, hint));
        }
        let reason = self.unsupported_output(class)?;
        let is_unclear = self.is_template() && self.rule.unflatten.is_none()
            || is_unclear(self.rule.unflatten.as_ref(), self.outputs);
        let hint = format!(
            "write [[tensor]] rules that put the layer's output features in Keras' order{}",
            match is_unclear {
                true => format!(
                    ", or say `unflatten = []` when they become no map{}",
                    self.template_hint(
                        "unflatten",
                        "no output becomes a map but where its layer's rule says so"
                    )
                ),
                false => String::new(),
            }
        );
        Some((FaultDetail::OutputOrder { variable, reason }, hint))
    }

    fn contradiction(
        &self,
        key: &'static str,
        said: Option<&[usize]>,
        found: &FeatureOrder,
    ) -> Option<FaultDetail> {
        let found: &[usize] = match found {
            FeatureOrder::Plain => &[],
            FeatureOrder::Flattened(sizes) => sizes,
            FeatureOrder::Mixed(_) | FeatureOrder::Unknown(_) => return None,
        };
        let said = said.filter(|said| reordering(said) != reordering(found))?;
        let (layer, said, found) = (self.layer.path.clone(), said.to_vec(), found.to_vec());
        Some(FaultDetail::OrderContradiction { layer, key, said, found })
    }

    /// Why a class without layouts for flattened features cannot be used.
    fn unsupported_input(&self, class: &Class) -> Option<String> {
        if class.variables.iter().any(|variable| !variable.flatten.is_empty()) {
            return None;
        }
        let no_layout = || format!("a map was flattened, for which the class {} has no layout", class.name);
        // An Embedding, which makes features, reads none.
        let makes = class.variables.iter().any(|variable| !variable.unflatten.is_empty());
        if let FeatureOrder::Mixed(reason) = &self.layer.features {
            return (!makes).then(|| reason.clone());
        }
        if let Some(said) = &self.rule.flatten {
            return reordering(said).map(|_| no_layout());
        }
        match &self.layer.features {
            FeatureOrder::Flattened(sizes) if !makes => reordering(sizes).map(|_| no_layout()),
            FeatureOrder::Unknown(reason) if !makes && !self.is_template() => Some(reason.clone()),
            _ => None,
        }
    }

    /// The same for the layer's output.
    fn unsupported_output(&self, class: &Class) -> Option<String> {
        if class.variables.iter().any(|variable| !variable.unflatten.is_empty()) {
            return None;
        }
        let no_layout = || format!("they become a map, for which the class {} has no layout", class.name);
        if let FeatureOrder::Mixed(reason) = self.outputs {
            return Some(reason.clone());
        }
        if let Some(said) = &self.rule.unflatten {
            return reordering(said).map(|_| no_layout());
        }
        match self.outputs {
            FeatureOrder::Flattened(sizes) => reordering(sizes).map(|_| no_layout()),
            FeatureOrder::Mixed(reason) | FeatureOrder::Unknown(reason) => Some(reason.clone()),
            // A class that says what it reads is one of features, and makes some.
            FeatureOrder::Plain if self.is_template() => {
                let reads = class.variables.iter().any(|variable| !variable.flatten.is_empty());
                reads.then(|| untold::made(self)).flatten()
            }
            FeatureOrder::Plain => None,
        }
    }

    /// The layer's variables, with their places: its own, or those of the layers inside.
    pub(super) fn variables(&self) -> impl Iterator<Item = (usize, &'a Variable)> {
        let Architecture { layers, variables, .. } = self.architecture;
        let (own, path) = (self.layer.variables.clone(), self.layer.path.as_str());
        let all = if own.is_empty() { 0..variables.len() } else { own };
        let all = all.filter_map(|at| Some((at, variables.get(at)?)));
        all.filter(move |(_, variable)| {
            let rest = layers.get(variable.layer).and_then(|layer| layer.path.strip_prefix(path));
            rest.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The sizes of a map that the rule names, and that this layer of a template has: `flatten` or
    /// `unflatten`. Where one rule reaches several such layers, which of them is meant is not told.
    pub(super) fn fitting(&self) -> Vec<&'static str> {
        if !self.is_template() {
            return Vec::new();
        }
        let sizes =
            || self.variables().map(|(_, variable)| variable.shape.sizes()).filter(|sizes| sizes.len() <= 2);
        let product = |said: &Option<Vec<usize>>| said.as_deref().and_then(features);
        let input = product(&self.rule.flatten);
        let output = product(&self.rule.unflatten);
        let reads = input.is_some() && sizes().any(|sizes| sizes.first().copied() == input);
        let makes = output.is_some() && sizes().any(|sizes| sizes.last().copied() == output);
        [("flatten", reads), ("unflatten", makes)]
            .into_iter()
            .filter(|(_, fits)| *fits)
            .map(|(key, _)| key)
            .collect()
    }

    fn input_hint(&self) -> String {
        if matches!(self.layer.features, FeatureOrder::Mixed(_)) {
            return "no `flatten` says such an order: let the Keras model flatten as PyTorch does, by a `Permute` that puts \
                    the channels first before each `Flatten`, or write a [[tensor]] rule"
                .to_owned();
        }
        format!(
            "say in the rule what was flattened before the layer: `flatten = [height, width, channels]`, or \
             `flatten = []` when nothing was{}; a [[tensor]] rule can spell any order out, as in `{EXAMPLE}`",
            self.template_hint("flatten", "nothing is flattened before any layer whose rule does not say so")
        )
    }

    fn output_hint(&self) -> String {
        if matches!(self.outputs, FeatureOrder::Mixed(_)) {
            return "no `unflatten` says such an order: let all readers of the layer take its features alike, or write a \
                    [[tensor]] rule"
                .to_owned();
        }
        format!(
            "say in the rule what the output is reshaped to: `unflatten = [height, width, channels]`, or \
             `unflatten = []` when to no map{}; a [[tensor]] rule can spell any order out, as in \
             `layout = \"(c h w) i -> i (h w c)\", sizes = {{ h = 5, w = 7 }}`",
            self.template_hint("unflatten", "no output becomes a map but where its layer's rule says so")
        )
    }

    fn template_hint(&self, key: &str, meaning: &str) -> String {
        if !self.is_template() {
            return String::new();
        }
        format!(
            "; or `{key} = []` in [target] when {meaning}; or take `model.to_json()` of a functional model as the \
             architecture, which has the graph"
        )
    }
}

/// How a [[tensor]] rule reads flattened features.
const EXAMPLE: &str = "layout = \"o (c h w) -> (h w c) o\", sizes = { h = 5, w = 7 }";

/// Whether a word of the rule would decide.
fn is_unclear(said: Option<&Vec<usize>>, found: &FeatureOrder) -> bool {
    said.is_none() && matches!(found, FeatureOrder::Unknown(_))
}

/// The positions and channels of a map (channels last) that is ordered otherwise channels first; none where
/// either is one.
fn reordering(sizes: &[usize]) -> Option<(usize, usize)> {
    let (&channels, positions) = sizes.split_last()?;
    let positions = positions.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))?;
    (positions > 1 && channels > 1).then_some((positions, channels))
}

/// The features of a map whose order matters.
pub(super) fn features(sizes: &[usize]) -> Option<usize> {
    let (positions, channels) = reordering(sizes)?;
    positions.checked_mul(channels)
}

/// The layouts for a map of that rank, with the map's sizes by axis: the right side's group names them in the
/// order in which Keras flattens.
pub(in crate::plan) fn of_map<'a>(layouts: &'a [Layout], sizes: &[usize]) -> Side<'a> {
    if sizes.len() < 2 {
        return Side::Plain;
    }
    let group = |layout: &'a Layout| layout.right().iter().find(|group| group.len() == sizes.len());
    let found: Vec<&Layout> = layouts.iter().filter(|layout| group(layout).is_some()).collect();
    let Some(names) = found.first().and_then(|layout| group(layout)) else {
        return Side::Refused(format!("the class has no layout for a map of {} axes", sizes.len()));
    };
    Side::Map(found, names.iter().cloned().zip(sizes.iter().copied()).collect())
}
