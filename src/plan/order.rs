//! Which layout of a class holds where a feature map is flattened before a layer, or made of its output.

use std::collections::BTreeMap;

use super::faults::FaultDetail;
use crate::keras::{Architecture, FeatureOrder, Layer, Origin};
use crate::schema::{Class, ClassVariable, LayerRule};
use crate::tensor::Layout;

/// What holds for a variable.
pub(super) enum Outcome<'a> {
    /// The ordinary layouts.
    Plain,
    /// This one, with the map's sizes.
    Map { layout: &'a Layout, sizes: BTreeMap<String, usize> },
    /// None.
    Refused { detail: FaultDetail, hint: String },
}

/// A decision, and what it rests on.
pub(super) struct Choice<'a> {
    pub(super) outcome: Outcome<'a>,
    /// The sizes of a template alone say that nothing was flattened.
    pub(super) is_assumed: bool,
    /// The sizes of a template alone say that the output becomes no map.
    pub(super) is_assumed_output: bool,
}

/// One side of a layer.
enum Side<'a> {
    Plain,
    Assumed,
    Map(&'a Layout, BTreeMap<String, usize>),
    Refused(String),
}

/// Decides for one variable of a class.
pub(super) fn choose<'a>(
    architecture: &Architecture,
    rule: &LayerRule,
    layer: &Layer,
    index: usize,
    known: &'a ClassVariable,
) -> Choice<'a> {
    let (input, output) =
        (input(architecture, rule, layer, index, known), output(architecture, rule, layer, index, known));
    let variable = || architecture.variables[index].path.clone();
    let (is_assumed, is_assumed_output) = (matches!(input, Side::Assumed), matches!(output, Side::Assumed));
    let outcome = match (input, output) {
        (Side::Refused(reason), _) => Outcome::Refused {
            detail: FaultDetail::FeatureOrder { variable: variable(), reason },
            hint: "say in the rule what was flattened before the layer: `flatten = [height, width, channels]`, or \
                   `flatten = []` when nothing was"
                .to_owned(),
        },
        (_, Side::Refused(reason)) => Outcome::Refused {
            detail: FaultDetail::OutputOrder { variable: variable(), reason },
            hint: "say in the rule what the output is reshaped to: `unflatten = [height, width, channels]`, or \
                   `unflatten = []` when to no map"
                .to_owned(),
        },
        (Side::Map(layout, sizes), Side::Map(other, others)) if layout != other || sizes != others => {
            Outcome::Refused {
                detail: FaultDetail::BothOrders { variable: variable() },
                hint: "write a [[tensor]] rule; for a kernel, the layout `(a b c) (d e f) -> (e f d) (b c a)` with \
                       the `sizes` of its axes (a and d are the channels)"
                    .to_owned(),
            }
        }
        (Side::Map(layout, sizes), _) | (_, Side::Map(layout, sizes)) => Outcome::Map { layout, sizes },
        _ => Outcome::Plain,
    };
    Choice { outcome, is_assumed, is_assumed_output }
}

/// What the layer reads.
fn input<'a>(
    architecture: &Architecture,
    rule: &LayerRule,
    layer: &Layer,
    index: usize,
    known: &'a ClassVariable,
) -> Side<'a> {
    if known.flatten.is_empty() {
        return Side::Plain;
    }
    // A template marks the layers whose class it tells; of the others it says nothing.
    let untold = architecture.origin == Origin::Template && layer.class.is_none();
    let told = match &rule.flatten {
        Some(sizes) => Some(FeatureOrder::Flattened(sizes.clone())),
        None if untold => Some(FeatureOrder::Unknown("the template has no graph".to_owned())),
        None => None,
    };
    match told.as_ref().unwrap_or(&layer.features) {
        FeatureOrder::Plain => Side::Plain,
        FeatureOrder::Flattened(sizes) => of_map(&known.flatten, sizes),
        FeatureOrder::Unknown(_) if told_by_sizes(architecture, index) => Side::Assumed,
        FeatureOrder::Unknown(reason) => Side::Refused(reason.clone()),
    }
}

/// What becomes of what the layer makes.
fn output<'a>(
    architecture: &Architecture,
    rule: &LayerRule,
    layer: &Layer,
    index: usize,
    known: &'a ClassVariable,
) -> Side<'a> {
    if known.unflatten.is_empty() {
        return Side::Plain;
    }
    match (&rule.unflatten, &layer.outputs) {
        (Some(sizes), _) | (None, FeatureOrder::Flattened(sizes)) => of_map(&known.unflatten, sizes),
        (None, FeatureOrder::Unknown(reason)) => Side::Refused(reason.clone()),
        (None, FeatureOrder::Plain) if architecture.origin == Origin::Template => {
            match template_output(architecture, index) {
                TemplateOutput::Plain => Side::Plain,
                TemplateOutput::Head => Side::Assumed,
                TemplateOutput::Map => Side::Refused(
                    "the template has no graph, and the number of features is a multiple of a convolution's \
                     input channels"
                        .to_owned(),
                ),
            }
        }
        (None, FeatureOrder::Plain) => Side::Plain,
    }
}

/// The layout for a map of that rank, with the map's sizes by axis: the right side's group names them in the
/// order in which Keras flattens.
fn of_map<'a>(layouts: &'a [Layout], sizes: &[usize]) -> Side<'a> {
    if sizes.len() < 2 {
        return Side::Plain;
    }
    let found = layouts.iter().find_map(|layout| {
        let group = layout.right().iter().find(|group| group.len() == sizes.len())?;
        Some(Side::Map(layout, group.iter().cloned().zip(sizes.iter().copied()).collect()))
    });
    let reason = || format!("the class has no layout for a map of {} axes", sizes.len());
    found.unwrap_or_else(|| Side::Refused(reason()))
}

/// The fault of a layer whose output becomes a map when its class has no layout for that at all.
pub(super) fn unsupported(
    architecture: &Architecture,
    rule: &LayerRule,
    layer: &Layer,
    class: &Class,
) -> Option<FaultDetail> {
    let becomes_map = match (&rule.unflatten, &layer.outputs) {
        (Some(sizes), _) => sizes.len() > 1,
        (None, outputs) => matches!(outputs, FeatureOrder::Flattened(_)),
    };
    if !becomes_map || class.variables.iter().any(|variable| !variable.unflatten.is_empty()) {
        return None;
    }
    let variable = architecture.variables.get(layer.variables.clone())?.first()?.path.clone();
    let reason = format!("they become a map, for which the class {} has no layout", class.name);
    Some(FaultDetail::OutputOrder { variable, reason })
}

/// Whether a template's sizes show that a kernel does not follow a flattening: its input is no multiple of
/// any convolution's channels, or some other layer has features of just that number. Where they do not, the
/// rule must say.
fn told_by_sizes(architecture: &Architecture, index: usize) -> bool {
    if architecture.origin != Origin::Template {
        return false;
    }
    let variable = &architecture.variables[index];
    let Some(&input) = variable.shape.sizes().first() else { return true };
    let mut others = architecture.variables.iter().filter(|other| other.layer != variable.layer);
    let multiple = channels(architecture).flatten().any(|channels| input > channels && input % channels == 0);
    !multiple || others.any(|other| other.shape.sizes() == [input])
}

/// The last two axes of every kernel that may be a convolution's: input and output channels (the other way
/// round in a transposed one).
fn channels(architecture: &Architecture) -> impl Iterator<Item = [usize; 2]> {
    architecture.variables.iter().filter_map(|variable| match variable.shape.sizes() {
        [_, .., one, other] if *one > 0 && *other > 0 => Some([*one, *other]),
        _ => None,
    })
}

/// The channels that convolutions read; both of a kernel's where the template does not tell which.
fn input_channels(architecture: &Architecture) -> impl Iterator<Item = usize> {
    architecture.variables.iter().flat_map(|variable| {
        let [.., one, other] = variable.shape.sizes() else { return Vec::new() };
        let class = architecture.layers.get(variable.layer).and_then(|layer| layer.class.as_deref());
        match class {
            _ if variable.shape.rank() < 3 => Vec::new(),
            Some(class) if class.ends_with("Transpose") => vec![*other],
            Some(class) if class.contains("Conv") => vec![*one],
            Some(_) => Vec::new(),
            None => vec![*one, *other],
        }
    })
}

/// What a template's sizes say of a layer's output.
enum TemplateOutput {
    /// It becomes no map.
    Plain,
    /// It may become a map, but it reads what a convolution makes, as a classifier does.
    Head,
    /// It may become a map.
    Map,
}

/// The fewest positions of a map that a Dense makes, and the fewest channels: 2 × 2, and more than an image
/// has. Below that, the multiples of every classifier's number of classes would be taken for maps.
const FEWEST: usize = 4;

/// A Dense may make a map when its units are so many positions of a convolution's input channels, and nothing
/// else explains them: no other Dense or Embedding reads or makes as many, and no convolution has as many
/// channels. A vector of as many features (a bias, a normalization between) shares its fate.
fn template_output(architecture: &Architecture, index: usize) -> TemplateOutput {
    let Some(&features) = architecture.variables[index].shape.sizes().last() else {
        return TemplateOutput::Plain;
    };
    let kernels = || {
        architecture.variables.iter().filter_map(|variable| match variable.shape.sizes() {
            [input, units] => Some([*input, *units]),
            _ => None,
        })
    };
    let is_multiple =
        |channels: usize| channels >= FEWEST && features % channels == 0 && features / channels >= FEWEST;
    let may_be_map = input_channels(architecture).any(is_multiple)
        && !channels(architecture).flatten().any(|channels| channels == features)
        && !kernels().any(|[input, _]| input == features);
    let mut makers = kernels().filter(|[_, units]| *units == features).peekable();
    if !may_be_map || makers.peek().is_none() {
        return TemplateOutput::Plain;
    }
    let is_head = |input: usize| channels(architecture).flatten().any(|channels| channels == input);
    if makers.all(|[input, _]| is_head(input)) { TemplateOutput::Head } else { TemplateOutput::Map }
}
