//! What the weights alone cannot make equal, and other remarks.

use crate::map::Set;
use std::collections::BTreeMap;

use super::numerics::numerics;
use crate::keras::Architecture;
use crate::keras::file_layout::{self, Form};
use crate::plan::claims::remarks::Remarks;
use crate::plan::options::PlanOptions;
use crate::plan::outcome::{Binding, Note, Provenance, Value};
use crate::tensor::Dtype;

/// How many layers a note names before it counts the rest.
const NAMED: usize = 3;

/// The notes of a plan, each kind once with all that it is about.
pub(in crate::plan) fn notes(
    architecture: &Architecture,
    bindings: &[Binding],
    remarks: &Remarks,
    left_out: &[usize],
    options: &PlanOptions,
) -> Vec<Note> {
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |text: String, about: &str| notes.entry(text).or_default().push(about.to_owned());
    let layers = architecture.layers.iter();
    let backward = backward(architecture);
    let with_weights = layers.enumerate().filter_map(|(at, layer)| {
        Some((&layer.path, layer.class.as_ref()?, layer.config.as_ref()?, backward.contains(&at)))
    });
    let without = architecture.weightless.iter();
    let without = without.map(|layer| (&layer.path, &layer.class, &layer.config, false));
    for (path, class, config, is_backward) in with_weights.chain(without) {
        for text in numerics(class, config, architecture.generation, is_backward) {
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
    for (text, index) in &remarks.unpermuted {
        add(text.clone(), architecture.variables[*index].path.as_str());
    }
    for (text, key) in &remarks.adapted {
        add(text.clone(), key.as_str());
    }
    for &index in left_out {
        add(left_out_note(&options.form), architecture.variables[index].path.as_str());
    }
    for binding in bindings {
        let path = architecture.variables[binding.variable].path.as_str();
        if matches!(binding.provenance, Provenance::Initial) {
            let text =
                "bookkeeping of float8 training, which no checkpoint has: filled with what Keras begins with";
            add(text.to_owned(), path);
        }
        if let Some(text) = lossy(binding, binding.dtype) {
            add(text, path);
        }
        let dtype = architecture.variables[binding.variable].dtype;
        if options.dtype.is_none() && binding.dtype != dtype {
            let rounds = if is_exact(binding, dtype) { "rounds back without a change" } else { "rounds" };
            let text = format!(
                "{dtype} in the model, written as {}, which Keras {rounds}: what is to read the file knows no {dtype} in it",
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

/// How Keras loads a file that lacks a variable. `load_model` never does (`saving_lib.py`), and by position no legacy
/// file is read that has fewer layers or weights than the model (`legacy_h5_format.py`).
fn left_out_note(form: &Form) -> String {
    let arguments =
        if form.format.is_legacy() { "by_name=True, skip_mismatch=True" } else { "skip_mismatch=True" };
    format!("no value, left out of the file: load it with `model.load_weights(…, {arguments})`")
}

/// The second halves of Bidirectionals.
fn backward(architecture: &Architecture) -> Set<usize> {
    let layers = &architecture.layers;
    let both = layers.iter().filter(|layer| layer.class.as_deref() == Some("Bidirectional"));
    let halves = both.flat_map(|layer| layer.inside.iter().copied());
    halves.filter(|&half| layers[half].group.ends_with("/backward_layer")).collect()
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

/// The conversion of a binding's sources to a type, where values may change.
fn lossy(binding: &Binding, dtype: Dtype) -> Option<String> {
    let changed = binding.parts().map(|part| part.source.dtype).find(|source| !source.fits_exactly(dtype))?;
    Some(format!("values are rounded from {changed} to {dtype}"))
}

/// Whether all values of a binding are known to be some of a type: they are copied, from sources of which all are.
fn is_exact(binding: &Binding, dtype: Dtype) -> bool {
    let is_copy = matches!(&binding.value, Value::Gather(terms) if terms.len() == 1)
        && binding.arithmetic.is_none()
        && binding.parts().all(|part| part.derivation.is_none());
    is_copy && lossy(binding, dtype).is_none()
}
