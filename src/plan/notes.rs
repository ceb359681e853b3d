//! What the weights alone cannot make equal, and other remarks.

use std::collections::BTreeMap;

use super::binding::{Binding, Note, Value};
use super::options::PlanOptions;
use crate::keras::{Architecture, file_layout};
use crate::tensor::Dtype;

/// PyTorch's default epsilon of BatchNorm, LayerNorm, GroupNorm and InstanceNorm
/// (`torch/nn/modules/batchnorm.py`, `normalization.py`).
const TORCH_EPSILON: f64 = 1e-5;

/// Keras' momentum that corresponds to PyTorch's default of 0.1 for the new value.
const TORCH_MOMENTUM: f64 = 0.9;

/// PyTorch's default slope of LeakyReLU (`torch/nn/modules/activation.py`).
const TORCH_LEAKY_RELU: f64 = 0.01;

/// The slope of Keras' `LeakyReLU` layer, and that of the `leaky_relu` function (`leaky_relu.py`,
/// `activations.py`).
const KERAS_LEAKY_RELU_LAYER: f64 = 0.3;
const KERAS_LEAKY_RELU: f64 = 0.2;

/// How many layers a note names before it counts the rest.
const NAMED: usize = 3;

/// Variables that the making of the plan had something to say about.
#[derive(Default)]
pub(super) struct Remarks {
    /// Layers that a sequence paired by the order of the files alone.
    pub(super) by_order: Vec<usize>,
    /// Variables that are a part of a tensor, by `slice` or `take`.
    pub(super) cut: Vec<usize>,
}

/// The notes of a plan, each kind once with all that it is about.
pub(super) fn notes(
    architecture: &Architecture,
    bindings: &[Binding],
    remarks: &Remarks,
    left_out: &[usize],
    options: &PlanOptions,
) -> Vec<Note> {
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |text: String, about: &str| notes.entry(text).or_default().push(about.to_owned());
    let layers = architecture.layers.iter();
    let with_weights =
        layers.filter_map(|layer| Some((&layer.path, layer.class.as_ref()?, layer.config.as_ref()?)));
    let without = architecture.weightless.iter().map(|layer| (&layer.path, &layer.class, &layer.config));
    for (path, class, config) in with_weights.chain(without) {
        for text in numerics(class, config) {
            add(text, path);
        }
    }
    for &layer in &remarks.by_order {
        let text = "paired by [[sequence]] in the order of the files, which names do not confirm: where the graph \
                    branches, Keras orders layers by depth and PyTorch as they were defined";
        add(text.to_owned(), &architecture.layers[layer].path);
    }
    for &index in &remarks.cut {
        let text = "reads a part of its tensor, as the rule's `slice` or `take` says";
        add(text.to_owned(), architecture.variables[index].path.as_str());
    }
    for &index in left_out {
        let text = "no value, left out of the file: load it with `skip_mismatch=True`";
        add(text.to_owned(), architecture.variables[index].path.as_str());
    }
    for binding in bindings {
        let path = architecture.variables[binding.variable].path.as_str();
        if let Some(text) = lossy(binding) {
            add(text, path);
        }
        let dtype = architecture.variables[binding.variable].dtype;
        if options.dtype.is_none() && binding.dtype != dtype {
            let text = format!(
                "{dtype} in the model, written as {}, which Keras rounds back without a change: what is to \
                                read the file knows no {dtype} in it",
                binding.dtype
            );
            add(text, path);
        }
    }
    for text in file_layout::remarks(architecture, &options.form) {
        add(text, "");
    }
    notes.into_iter().map(|(text, about)| Note { about: summary(&about), text }).collect()
}

/// `a, b, c and 5 more`.
fn summary(about: &[String]) -> String {
    let named = about.iter().take(NAMED).map(|path| if path.is_empty() { "the model" } else { path });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if about.len() > NAMED {
        text.push_str(&format!(" and {} more", about.len() - NAMED));
    }
    text
}

/// Settings of a layer with which the same weights compute something else than in PyTorch by default.
fn numerics(class: &str, config: &serde_json::Value) -> Vec<String> {
    let number = |name: &str| config.get(name).and_then(serde_json::Value::as_f64);
    let text = |name: &str| config.get(name).and_then(serde_json::Value::as_str);
    let mut notes = Vec::new();
    if matches!(class, "BatchNormalization" | "LayerNormalization" | "GroupNormalization")
        && let Some(epsilon) = number("epsilon").filter(|&epsilon| !close(epsilon, TORCH_EPSILON))
    {
        notes.push(format!("epsilon is {epsilon:e}; PyTorch's default is {TORCH_EPSILON:e}"));
    }
    if class == "BatchNormalization"
        && let Some(momentum) = number("momentum").filter(|&momentum| !close(momentum, TORCH_MOMENTUM))
    {
        notes.push(format!(
            "momentum is {momentum}; PyTorch's default of 0.1 is {TORCH_MOMENTUM} in Keras (it matters in \
                 training only)"
        ));
    }
    // Pooling without strides has those of its window.
    let set = |name: &str| config.get(name).filter(|value| !value.is_null());
    let is_above_one = |value: &serde_json::Value| value.as_u64() > Some(1);
    let strided = set("strides").or_else(|| set("pool_size")).is_some_and(|strides| {
        is_above_one(strides) || strides.as_array().is_some_and(|strides| strides.iter().any(is_above_one))
    });
    if text("padding") == Some("same") && strided && !class.ends_with("Transpose") {
        notes.push(
            "padding is \"same\" with strides above 1: Keras pads more at the end than at the beginning, PyTorch \
             evenly; ZeroPadding and padding=\"valid\" agree with PyTorch"
                .to_owned(),
        );
    }
    if text("padding") == Some("same") && strided && class.ends_with("Transpose") {
        notes.push(
            "padding is \"same\" in a transposed convolution: Keras crops to strides × input; PyTorch's `padding` \
             and `output_padding` may crop other rows"
                .to_owned(),
        );
    }
    if text("recurrent_activation") == Some("hard_sigmoid") {
        notes.push("recurrent_activation is hard_sigmoid; PyTorch uses sigmoid".to_owned());
    }
    if class == "GRU" && config.get("reset_after") == Some(&serde_json::Value::Bool(false)) {
        notes.push("reset_after is false; PyTorch resets after the matrix product".to_owned());
    }
    if class.starts_with("AveragePooling") && text("padding") == Some("same") {
        notes.push(
            "padding is \"same\" in an average: Keras does not count the padding; PyTorch does, unless \
             count_include_pad=False"
                .to_owned(),
        );
    }
    if text("activation") == Some("gelu") {
        notes.push("activation is gelu; make sure that PyTorch's and Keras' `approximate` agree".to_owned());
    }
    if text("activation") == Some("leaky_relu") {
        notes.push(slope(KERAS_LEAKY_RELU));
    }
    if class == "LeakyReLU" {
        let value = number("negative_slope").unwrap_or(KERAS_LEAKY_RELU_LAYER);
        if !close(value, TORCH_LEAKY_RELU) {
            notes.push(slope(value));
        }
    }
    if class == "ELU"
        && let Some(alpha) = number("alpha").filter(|&alpha| !close(alpha, 1.0))
    {
        notes.push(format!("alpha is {alpha}; PyTorch's default is 1"));
    }
    notes
}

fn slope(value: f64) -> String {
    format!("the slope of the leaky ReLU is {value}; PyTorch's default is {TORCH_LEAKY_RELU}")
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= other.abs() * 1e-6
}

/// The conversion of a binding, where values may change.
fn lossy(binding: &Binding) -> Option<String> {
    let Value::Gather(terms) = &binding.value else { return None };
    let changed: Dtype = terms
        .iter()
        .flat_map(|term| &term.parts)
        .map(|part| part.source.dtype)
        .find(|dtype| !dtype.fits_exactly(binding.dtype))?;
    Some(format!("values are rounded from {changed} to {}", binding.dtype))
}
