//! Which layouts of a class read a kernel as the equation of the layer does.

use crate::keras::{KernelAxes, Layer, Variable};
use crate::plan::faults::fault::FaultDetail;
use crate::schema::ClassVariable;
use crate::tensor::Layout;

/// Keeps the layouts that read a kernel as the layer does; a lone one is the schema's word. A fault and a hint where none
/// is left, or where the bias is not one of features.
pub(super) fn keep(
    layouts: &mut Vec<&Layout>,
    known: &ClassVariable,
    layer: &Layer,
    variable: &Variable,
) -> Option<(FaultDetail, String)> {
    let axes = layer.kernel_axes.as_ref().filter(|_| layouts.len() > 1)?;
    let refused = |reason: &'static str, hint: String| {
        Some((FaultDetail::Equation { variable: variable.path.clone(), reason }, hint))
    };
    match known.name() {
        "kernel" => {
            layouts.retain(|layout| is_of(layout, axes));
            match layouts.is_empty() {
                true => {
                    refused("no layout of its class reads the kernel so", hint(axes, variable.shape.rank()))
                }
                false => None,
            }
        }
        "bias" if !axes.has_plain_bias => {
            let hint = "an nn.Linear has no such bias: write a [[tensor]] rule that says what is meant";
            refused("the bias is not of the features that the kernel makes", hint.to_owned())
        }
        _ => None,
    }
}

/// Whether a layout takes the rows of an nn.Linear for the axes that the kernel makes, and its columns for those that
/// it contracts. One of other tensors is not judged.
fn is_of(layout: &Layout, axes: &KernelAxes) -> bool {
    let [output, input] = layout.left() else { return true };
    let places = |names: &[String]| {
        let mut places: Vec<Option<usize>> =
            names.iter().map(|name| layout.right().iter().position(|group| group.contains(name))).collect();
        // A flattened map is one axis.
        places.dedup();
        places
    };
    let some = |axes: &[usize]| axes.iter().copied().map(Some).collect::<Vec<_>>();
    places(output) == some(&axes.output) && places(input) == some(&axes.input)
}

/// How a [[tensor]] rule says what the equation means.
fn hint(axes: &KernelAxes, rank: usize) -> String {
    let letter =
        |axis: usize| u8::try_from(axis).ok().and_then(|axis| b'a'.checked_add(axis)).map(char::from);
    let group = |axes: &[usize]| {
        let letters: Option<Vec<String>> = axes.iter().map(|&axis| Some(letter(axis)?.to_string())).collect();
        letters.filter(|letters| !letters.is_empty()).map(|letters| letters.join(" "))
    };
    let all: Vec<usize> = (0..rank).collect();
    let is_whole = axes.input.len().checked_add(axes.output.len()) == Some(rank);
    match (group(&axes.output), group(&axes.input), group(&all)) {
        (Some(output), Some(input), Some(all)) if is_whole => {
            format!(
                "write a [[tensor]] rule with `layout = \"({output}) ({input}) -> {all}\"` for its kernel"
            )
        }
        _ => "an nn.Linear has no such weight: write a [[tensor]] rule that says what is meant".to_owned(),
    }
}
