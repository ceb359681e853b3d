//! Templates, which have no graph: what their sizes leave open, and a rule or the schema must say.
//!
//! Sizes never show that nothing was flattened: a Dense that reads what another made may as well read a map of
//! as many features. So nothing is guessed, and only what no map can explain needs no word.

use super::order::{Place, features};
use crate::keras::{Architecture, Layer};
use crate::schema::{ClassVariable, LayerRule, RuleKind, Schema};
use crate::tensor::Layout;

/// The lowest rank of a convolution's kernel: one spatial axis, two for channels.
const CONVOLUTION_RANK: usize = 3;

/// Why the rule must say what was flattened before the layer, when it must.
pub(super) fn input(place: &Place<'_>, index: usize, known: &ClassVariable) -> Option<String> {
    let sizes = place.architecture.variables.get(index)?.shape.sizes();
    let Some(axis) = kernel_axis(&known.flatten) else {
        let is_told =
            place.rule.flatten.is_some() || place.rule.unflatten.as_deref().and_then(features).is_some();
        return of_vector(place.schema, sizes).filter(|_| !is_told);
    };
    let &size = sizes.get(axis)?;
    let may_be_map = is_composite(size) && has_maps(place);
    (may_be_map && !place.scope.is_nothing_flattened)
        .then(|| format!("the template has no graph, and {size} features may be those of a map"))
}

/// Why the rule must say what the layer's output becomes, when it must.
pub(super) fn output(place: &Place<'_>, index: usize, known: &ClassVariable) -> Option<String> {
    let sizes = place.architecture.variables.get(index)?.shape.sizes();
    let axis = match kernel_axis(&known.unflatten) {
        // A normalization or activation follows what the rules say of its neighbours.
        None if !known.flatten.is_empty() => {
            let is_told =
                place.rule.unflatten.is_some() || place.rule.flatten.as_deref().and_then(features).is_some();
            return of_vector(place.schema, sizes).filter(|_| !is_told);
        }
        None if sizes.len() > 1 => return None,
        None => 0,
        Some(axis) => axis,
    };
    let &size = sizes.get(axis)?;
    if let Some(reason) = of_vector(place.schema, &[size]) {
        return Some(reason);
    }
    let mut channels = input_channels(place.architecture);
    let channels =
        channels.find(|&channels| channels > 1 && size > channels && size.is_multiple_of(channels))?;
    (!place.scope.is_nothing_unflattened).then(|| {
        format!(
            "the template has no graph, and {size} features may become a map for a convolution of {channels}"
        )
    })
}

/// Why the rule must say what becomes of the features that a layer of a class without layouts for that makes.
pub(super) fn made(place: &Place<'_>) -> Option<String> {
    let sizes = || place.variables().flat_map(|(_, variable)| variable.shape.sizes().iter().copied());
    let may_become = |channels: &usize| {
        *channels > 1 && sizes().any(|size| size > *channels && size.is_multiple_of(*channels))
    };
    let channels = input_channels(place.architecture).find(may_become)?;
    (!place.scope.is_nothing_unflattened).then(|| {
        format!("the template has no graph, and what the layer makes may become a map for a convolution of {channels}")
    })
}

/// The axis of a kernel's features; none for a vector's layouts.
fn kernel_axis(layouts: &[Layout]) -> Option<usize> {
    let right = layouts.iter().map(Layout::right).find(|right| right.len() > 1)?;
    right.iter().position(|group| group.len() > 1)
}

/// A vector that has as many features as a map that a rule of the schema names.
fn of_vector(schema: &Schema, sizes: &[usize]) -> Option<String> {
    let &[size] = sizes else { return None };
    named_maps(schema)
        .any(|features| features == size)
        .then(|| format!("the template has no graph, and a rule names a map of {size} features"))
}

/// The numbers of features of the maps that the rules name.
fn named_maps(schema: &Schema) -> impl Iterator<Item = usize> {
    let rules = schema.rules.iter().filter_map(|rule| match &rule.kind {
        RuleKind::Layer(layer) | RuleKind::Sequence(layer) => Some(layer),
        RuleKind::Tensor(_) | RuleKind::Fill(_) | RuleKind::Keep(_) => None,
    });
    let maps = |rule: &LayerRule| {
        let said = [&rule.flatten, &rule.unflatten].into_iter().flatten();
        said.filter_map(|sizes| features(sizes)).collect::<Vec<usize>>()
    };
    rules.flat_map(maps)
}

fn has_maps(place: &Place<'_>) -> bool {
    let mut kernels = convolutions(place.architecture);
    kernels.next().is_some() || named_maps(place.schema).next().is_some()
}

/// Kernels that may be a convolution's, with the layer.
fn convolutions(architecture: &Architecture) -> impl Iterator<Item = (Option<&Layer>, &[usize])> {
    let kernels = architecture.variables.iter().filter(|variable| variable.shape.rank() >= CONVOLUTION_RANK);
    let kernels = kernels.map(|variable| (architecture.layers.get(variable.layer), variable.shape.sizes()));
    kernels.filter(|(layer, _)| {
        certain_class(*layer).is_none_or(|class| !class.contains("Einsum") && !class.contains("Attention"))
    })
}

/// The channels that convolutions read; both of a kernel's where the template does not tell which, or where
/// groups may hide them.
fn input_channels(architecture: &Architecture) -> impl Iterator<Item = usize> {
    convolutions(architecture).flat_map(|(layer, sizes)| {
        let [.., one, other] = sizes else { return Vec::new() };
        match certain_class(layer) {
            Some(class) if class.ends_with("Transpose") => vec![*other],
            Some(class) if class.contains("Conv") && *one > 1 => vec![*one],
            _ => vec![*one, *other],
        }
    })
}

/// The class, unless only the layer's name tells it.
fn certain_class(layer: Option<&Layer>) -> Option<&str> {
    layer.filter(|layer| !layer.class_from_name)?.class.as_deref()
}

fn is_composite(size: usize) -> bool {
    (2..size)
        .take_while(|factor| factor.checked_mul(*factor).is_some_and(|square| square <= size))
        .any(|factor| size.is_multiple_of(factor))
}
