//! One binding in full: what its rule captured, and the sizes that the shapes gave.

use std::collections::BTreeMap;

use super::binder::{Binder, axes};
use crate::plan::claims::expansion::Claim;
use crate::plan::outcome::{Detail, Provenance};
use crate::schema::{CaptureKind, CaptureValue, Captures, Pattern};
use crate::tensor::Capture;

impl Binder<'_> {
    /// What is to be said of each variable of a claim, which could be bound.
    pub(super) fn details(&self, claim: &Claim<'_>) -> Vec<(usize, Detail)> {
        let Ok((layout, _)) = self.solve(claim) else { return Vec::new() };
        let of_sources = several(&claim.rule.torch, claim.sources.iter().map(|(captures, _)| captures));
        let detail = |(own, variable): &(Captures, usize)| {
            let named = claim.captures.iter().chain(own.iter());
            let mut captures: Vec<(String, String)> =
                named.map(|(name, value)| (name.to_owned(), value.to_string())).collect();
            captures.extend(of_sources.clone());
            // What stands for a prefix is no capture of the rule.
            captures.retain(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphabetic()));
            let mut sizes = Vec::new();
            let mut nature = None;
            if let (Some(layout), Some((_, source))) = (layout, claim.sources.first()) {
                let (torch, keras) = axes(claim, Some(layout));
                let ends: Vec<Capture> = torch.captures().chain(keras.captures()).collect();
                let given = claim.given();
                let operation = claim.operation(layout, &given, &ends);
                nature = Some(operation.nature());
                let source = self.tensor(*source).tensor.view.shape();
                // It was solved before.
                if let Ok(solved) = operation.solved(source, &self.architecture.variables[*variable].shape) {
                    sizes.extend(solved);
                }
                sizes.extend(ends.iter().map(|axis| (axis.name.clone(), axis.count)));
            }
            let entry =
                matches!(claim.provenance, Provenance::Class { .. }).then(|| claim.rule.position.clone());
            (*variable, Detail { entry, captures, sizes, nature })
        };
        claim.targets.iter().map(detail).collect()
    }
}

/// The values that tell tensors apart: `e = 0, 1, 2`; listed alternatives in the order of the list, which is that of the
/// axis that they are.
fn several<'c>(pattern: &Pattern, captures: impl Iterator<Item = &'c Captures>) -> Vec<(String, String)> {
    let mut values: BTreeMap<&str, Vec<&CaptureValue>> = BTreeMap::new();
    for (name, value) in captures.flat_map(Captures::iter) {
        let known = values.entry(name).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }
    for (name, kind) in pattern.captures() {
        if let (CaptureKind::Alternatives(listed), Some(values)) = (kind, values.get_mut(name.as_str())) {
            values.sort_by_key(|value| {
                listed.iter().position(|text| **value == CaptureValue::Text(text.clone()))
            });
        }
    }
    let joined =
        |values: Vec<&CaptureValue>| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    values.into_iter().map(|(name, values)| (name.to_owned(), joined(values))).collect()
}
