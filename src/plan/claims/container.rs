//! Layers that only hold others: models in models, and blocks. A rule with captures may reach one beside the layers
//! that it is for.

use super::expansion::{Expansion, Stray, Wanted};
use crate::keras::Layer;
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::names::inside::children;
use crate::plan::names::module::Module;
use crate::schema::{LayerRule, Rule};

/// The classes that are models of layers, whose rules are those of the layers inside and never one of their own.
const MODELS: [&str; 3] = ["Functional", "Model", "Sequential"];

impl<'a> Expansion<'a> {
    /// Passes over a layer that only holds others, where a rule with captures reaches it: rules that name the layers
    /// inside are enough. That none does is told when all rules are known.
    pub(super) fn passes_over(
        &mut self,
        rule: &'a Rule,
        layer_rule: &LayerRule,
        module: &Module,
        at: usize,
    ) -> bool {
        if layer_rule.keras.is_literal() || layer_rule.class.is_some() {
            return false;
        }
        let architecture = self.architecture;
        let Some(layer) = architecture.layers.get(at) else { return false };
        let is_known = layer.class.as_deref().is_some_and(|class| rule.scope.classes.contains_key(class));
        let Some(inside) = self.held(at).filter(|_| !is_known) else { return false };
        let (detail, hint) = held_fault(layer, &inside);
        let below = self.source.below(module);
        let tensors = below.iter().filter(|(_, name)| !name.contains('.')).map(|(at, _)| *at).collect();
        self.strays.push(Stray {
            tensors,
            below: below.into_iter().map(|(at, _)| at).collect(),
            fault: Fault { detail, position: Some(rule.position.clone()), hint: None },
            wanted: Wanted::Said(hint),
            stands: false,
        });
        true
    }

    /// What is wrong with a rule for a layer without class rules that only holds others; `None` for any other layer.
    pub(super) fn container(&self, at: usize) -> Option<(FaultDetail, String)> {
        let layer = self.architecture.layers.get(at)?;
        Some(held_fault(layer, &self.held(at)?))
    }

    /// The path of the first layer that one without variables of its own holds.
    fn held(&self, at: usize) -> Option<String> {
        let layers = &self.architecture.layers;
        if layers.get(at)?.variables.is_empty() {
            let (_, first) = children(self.architecture, at).into_iter().next()?;
            return Some(layers.get(first)?.path.clone());
        }
        None
    }
}

fn held_fault(layer: &Layer, inside: &str) -> (FaultDetail, String) {
    let path = layer.path.clone();
    let name = format!("name the layers inside, such as `{inside}`");
    match layer.class.clone() {
        Some(class) => {
            let hint = match MODELS.contains(&class.as_str()) {
                true => name,
                false => format!("{name}, or write [class.{class}] in the schema"),
            };
            (FaultDetail::Container { layer: path, class }, hint)
        }
        None => {
            let hint =
                format!("{name}; of a layer around others that Keras has, say its `class` in the rule");
            (FaultDetail::UntoldClass { layer: path }, hint)
        }
    }
}
