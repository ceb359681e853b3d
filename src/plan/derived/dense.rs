//! Weights of convolutions with groups, as dense ones for layers that have no groups.

use std::sync::Arc;

use super::derive::{Derived, Found, Refused, inputs_of};
use crate::checkpoint::Tensor;
use crate::keras::Layer;
use crate::lazy::BlockDiagonal;
use crate::plan::bindings::binder::{Binder, fault};
use crate::plan::claims::class::Pairing;
use crate::plan::claims::expansion::{Claim, Expansion};
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::names::inside::children;
use crate::plan::names::module::Module;
use crate::plan::names::source::Matches;
use crate::plan::outcome::{Dense, Derivation};
use crate::schema::Class;
use crate::tensor::{Operation, Shape};

/// The formula's name.
pub(super) const NAME: &str = "block_diagonal";

impl<'a> Expansion<'a> {
    /// Dense weights in place of tensors that are weights of so many groups, computed or not.
    pub(super) fn dense(&mut self, found: Matches, groups: usize) -> Found {
        found.into_iter().map(|(captures, at)| Ok((captures, self.dense_of(at, groups)?))).collect()
    }

    fn dense_of(&mut self, at: usize, groups: usize) -> Result<usize, Box<Refused>> {
        let count = self.checkpoint.tensors.len();
        let made = at.checked_sub(count).and_then(|at| self.derived.get(at));
        let weight = made.map_or_else(|| &self.checkpoint.tensors[at], |made| &made.tensor);
        let inputs = inputs_of(&self.derived, count, &at).to_vec();
        let dense = BlockDiagonal::new(weight.tensor.clone(), groups).map_err(|source| {
            let detail = FaultDetail::Uncomputable { key: weight.key.clone(), formula: NAME, source };
            Box::new(Refused { detail, hint: None, inputs: inputs.clone() })
        })?;
        let (inner, sources) = match made {
            Some(made) => (made.derivation.formula.clone(), made.derivation.sources.clone()),
            None => ("weight".to_owned(), vec![(weight.key.clone(), weight.tensor.clone())]),
        };
        let derivation = Derivation {
            formula: format!("{NAME}({inner}; {groups} groups)"),
            sources,
            dense: Some(Dense { groups, shape: weight.tensor.view.shape().clone() }),
        };
        let tensor = Tensor { tensor: dense.tensor(), storage_number: None, tied_to: None, ..weight.clone() };
        self.derived.push(Derived { tensor, derivation: Arc::new(derivation), inputs });
        Ok(count + self.derived.len() - 1)
    }

    /// Whether a layer has a use for the `groups` that its rule may say; a fault otherwise. Layers inside of one are
    /// asked themselves.
    pub(in crate::plan) fn takes_groups(
        &mut self,
        pair: &Pairing<'a>,
        class: &Class,
        layer: &Layer,
        module: &Module,
    ) -> bool {
        let inside = children(self.architecture, pair.at);
        let hands_on = inside
            .iter()
            .any(|(name, _)| class.inside.iter().any(|known| known.keras.matches(name).is_some()));
        let Some(said) = pair.layer.groups.filter(|_| !hands_on) else { return true };
        let (detail, hint) = if !class.variables.iter().any(|known| known.expands) {
            let hint = "leave `groups` out of the rule; in [class], `expands = true` names a variable that is the dense \
                        weight of them";
            (FaultDetail::NoGroups { layer: layer.path.clone(), class: class.name.clone() }, hint)
        } else if let Some(own) = own_groups(layer) {
            (FaultDetail::OwnGroups { layer: layer.path.clone(), said, own }, OWN_GROUPS)
        } else {
            return true;
        };
        self.fault(&pair.rule.position, detail, Some(hint.to_owned()));
        self.excuse(module, layer.variables.clone());
        false
    }
}

/// What to do about a layer that has groups itself.
const OWN_GROUPS: &str = "leave `groups` out of the rule: with as many groups in the module, the kernel is the same on \
                          both sides; with more, no rule makes one of the other";

/// The groups that a layer has itself, where its configuration tells and there are several.
fn own_groups(layer: &Layer) -> Option<u64> {
    layer.config.as_ref()?.get("groups")?.as_u64().filter(|&own| own > 1)
}

impl Binder<'_> {
    /// A fault where a rule of tensors makes a dense weight for the kernel of a layer that has groups itself: what a
    /// layer's rule says was looked at before.
    pub(in crate::plan) fn check_groups(&self, claim: &Claim<'_>) -> Result<(), Box<Fault>> {
        let Some(said) = claim.rule.groups else { return Ok(()) };
        for &(_, variable) in &claim.targets {
            let layer = self.architecture.layers.get(self.architecture.variables[variable].layer);
            let own = layer.filter(|_| self.class_variable(claim).is_some_and(|known| known.expands));
            if let Some((layer, own)) = own.and_then(|layer| Some((layer, own_groups(layer)?))) {
                let detail = FaultDetail::OwnGroups { layer: layer.path.clone(), said, own };
                return Err(fault(claim, detail, Some(OWN_GROUPS.to_owned())));
            }
        }
        Ok(())
    }

    /// What `groups` has to do with it that a tensor does not fit.
    pub(in crate::plan) fn groups_hint(&self, claim: &Claim<'_>) -> Option<String> {
        let [(_, source)] = claim.sources.as_slice() else { return None };
        let shape = self.tensor(*source).tensor.view.shape();
        let dense = self.derivation(*source).and_then(|derivation| derivation.dense.as_ref());
        if let Some(Dense { groups, shape: plain }) = dense {
            let made = format!("`groups = {groups}` makes {shape} of {plain}");
            return Some(match self.fitting_groups(claim, plain) {
                Some(1) => format!("{made}, which fits as it is: leave `groups` out of the rule"),
                Some(fitting) => format!("{made}; the shapes fit a convolution with {fitting} groups"),
                None => made,
            });
        }
        let of_class = || self.class_variable(claim).is_some_and(|known| known.expands);
        let (_, target) = self.first_pair(claim);
        if self.architecture.layers.get(target.layer).and_then(own_groups).is_some() {
            return None;
        }
        let groups = self.fitting_groups(claim, shape).filter(|&groups| groups > 1)?;
        let said = format!(
            "the shapes fit a convolution with {groups} groups: if the module has `groups = {groups}`, say"
        );
        if claim.expands {
            Some(format!("{said} `groups = {groups}` in the rule"))
        } else if claim.rule.compute.is_none() && claim.rule.groups.is_none() && of_class() {
            Some(format!(
                "{said} `compute = \"{NAME}\"`, `torch = {{ weight = \"…\" }}` and `groups = {groups}` in the rule"
            ))
        } else {
            None
        }
    }

    /// With how many groups the dense weight has the variable's shape; 1 where the weight itself has it.
    fn fitting_groups(&self, claim: &Claim<'_>, weight: &Shape) -> Option<usize> {
        let [(_, variable)] = claim.targets.as_slice() else { return None };
        let target = &self.architecture.variables[*variable].shape;
        let &[rows, columns, ref inner @ ..] = weight.sizes() else { return None };
        let groups = target.numel().checked_div(weight.numel())?;
        if groups == 0 || rows % groups != 0 {
            return None;
        }
        let mut sizes = vec![rows, columns.checked_mul(groups)?];
        sizes.extend(inner);
        let Ok(dense) = Shape::new(sizes) else { return None };
        let mut fits = claim.layouts.iter().map(|layout| Operation {
            layout,
            sizes: &claim.rule.sizes,
            order: &claim.rule.order,
            slice: &claim.rule.slice,
            take: &claim.rule.take,
            captures: &[],
        });
        fits.any(|operation| operation.solved(&dense, target).is_ok()).then_some(groups)
    }
}
