//! `[[layer]]`: modules to layers.

use std::collections::BTreeSet;

use super::class::Pairing;
use super::expansion::{Expansion, Stray, Wanted};
use crate::keras::{Architecture, FeatureOrder, Layer, canonical_class};
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::faults::hints;
use crate::plan::names::module::Module;
use crate::plan::names::target::Lookup;
use crate::schema::{Class, EvaluateError, LayerRule, Rule};

impl<'a> Expansion<'a> {
    /// `[[layer]]`.
    pub(in crate::plan) fn layers(&mut self, rule: &'a Rule, layer: &'a LayerRule) {
        let (mut used, mut arrived, first_stray) = (false, false, self.strays.len());
        let (mut untold, first_fault) = (Vec::new(), self.faults.len());
        for (captures, module) in self.source.modules_of(&layer.torch) {
            let path = layer.keras.substitute(&captures, &rule.scope.tables);
            if matches!(path, Err(EvaluateError::NothingToJoin { .. })) {
                continue;
            }
            used = true;
            let path = match path {
                Ok(path) => path,
                Err(source) => {
                    let torch = module.to_string();
                    self.fault(&rule.position, FaultDetail::Evaluate { torch, source }, None);
                    continue;
                }
            };
            match self.target.layer(path.as_str()) {
                Some(Lookup::One(at)) if self.passes_over(rule, layer, &module, at) => {}
                Some(Lookup::One(at)) => {
                    arrived = true;
                    if layer.class.is_none()
                        && self.architecture.layers.get(at).is_some_and(|at| at.class.is_none())
                    {
                        untold.push(at);
                    }
                    self.layer(rule, layer, &module, at);
                }
                Some(Lookup::Several) => {
                    let path = path.as_str().to_owned();
                    self.fault(&rule.position, FaultDetail::AmbiguousPath { path }, None);
                }
                None => {
                    let detail = FaultDetail::UnknownTarget {
                        torch: module.to_string(),
                        keras: vec![path.as_str().to_owned()],
                    };
                    let fault = Fault { detail, position: Some(rule.position.clone()), hint: None };
                    let wanted = Wanted::Layer(path.as_str().to_owned());
                    let below = self.source.below(&module).into_iter();
                    let tensors = below.filter(|(_, name)| !name.contains('.')).map(|(at, _)| at).collect();
                    self.strays.push(Stray { tensors, below: Vec::new(), fault, wanted, stands: false });
                }
            }
        }
        self.tell_to_split(first_fault, &untold);
        if !used {
            self.unused(rule, &layer.torch, false);
        } else if !arrived && !rule.optional {
            self.let_stand(first_stray);
        }
    }

    /// One rule that reaches layers of several classes, none of which the template tells: saying the class that fits
    /// one of them would be wrong for the others.
    fn tell_to_split(&mut self, first_fault: usize, untold: &[usize]) {
        let layers = || untold.iter().filter_map(|&at| self.architecture.layers.get(at));
        let classes: BTreeSet<&str> = layers().map(|layer| example(self.architecture, layer)).collect();
        if classes.len() < 2 {
            return;
        }
        let classes: Vec<String> = classes.into_iter().map(|class| format!("`{class}`")).collect();
        let hint = format!(
            "a rule has one class, and these layers look like {}: split the rule, and say the `class` in each",
            classes.join(" and ")
        );
        let paths: BTreeSet<&str> = layers().map(|layer| layer.path.as_str()).collect();
        for fault in self.faults.iter_mut().skip(first_fault) {
            if matches!(&fault.detail, FaultDetail::UntoldClass { layer } if paths.contains(layer.as_str())) {
                fault.hint = Some(hint.clone());
            }
        }
    }

    /// A module to a layer, by the rules of the layer's class.
    pub(super) fn layer(&mut self, rule: &'a Rule, layer_rule: &'a LayerRule, module: &Module, at: usize) {
        let pair = Pairing {
            rule,
            layer: layer_rule,
            told: layer_rule.class.as_deref().map(canonical_class),
            at,
            outer: at,
            outputs: &FeatureOrder::Plain,
        };
        if !self.is_named_like_another(rule, module, at) {
            self.pair(pair, module);
        }
    }

    /// Whether an optional rule leads a module to a second layer of its name: `a_b` besides `a.b`. Such rules try
    /// spellings of one path, and the module is for one layer.
    fn is_named_like_another(&mut self, rule: &Rule, module: &Module, at: usize) -> bool {
        let Some(&other) = self.paired.get(module.path()).filter(|_| rule.optional) else { return false };
        let path = |at: usize| self.architecture.layers.get(at).map_or("", |layer| layer.path.as_str());
        let (first, second) = (path(other), path(at));
        let plain = |path: &str| path.replace(['/', '.'], "_");
        if other == at || plain(first) != plain(second) {
            return false;
        }
        let (first, second) = (first.to_owned(), second.to_owned());
        let detail = FaultDetail::SeveralLayers { module: module.to_string(), first, second };
        let hint = "rename one of the layers, or write a schema of your own that says what each of them gets";
        self.fault(&rule.position, detail, Some(hint.to_owned()));
        self.excuse(module, self.architecture.layers.get(at).map_or(0..0, |layer| layer.variables.clone()));
        true
    }

    /// The class of a layer; none after a fault.
    pub(super) fn class_of(&mut self, pair: &Pairing<'a>, module: &Module) -> Option<&'a Class> {
        let architecture = self.architecture;
        let layer = architecture.layers.get(pair.at)?;
        let position = &pair.rule.position;
        let (detail, hint) = match (layer.class.as_deref(), pair.told) {
            (Some(found), Some(expected)) if found != expected && !layer.class_from_name => {
                let (found, expected) = (found.to_owned(), expected.to_owned());
                let detail = FaultDetail::ClassMismatch { layer: layer.path.clone(), found, expected };
                let hint = "leave `class` out of the rule: it is for layers whose class the architecture does not \
                            tell";
                (detail, hint.to_owned())
            }
            // The class in the rule is that of the layer around it.
            (None, None) if pair.at != pair.outer => {
                let hint = format!(
                    "write a rule for `{}` itself, with its class, and none for the layer around it; what stands \
                     around the parameters' names is said as in `rnn.{{*}}_l0_reverse`",
                    layer.path
                );
                (FaultDetail::UntoldClass { layer: layer.path.clone() }, hint)
            }
            (None, None) => self.container(pair.at).unwrap_or_else(|| {
                let example = example(architecture, layer);
                let hint = format!("say the Keras class in the rule, such as `class = \"{example}\"`");
                (FaultDetail::UntoldClass { layer: layer.path.clone() }, hint)
            }),
            (found, told) => {
                let name = if layer.class_from_name { told.or(found) } else { found.or(told) };
                let name = name.unwrap_or_default();
                if let Some(class) = pair.rule.scope.classes.get(name) {
                    return Some(class);
                }
                match self.container(pair.at).filter(|_| pair.told.is_none()) {
                    Some(found) => found,
                    None => {
                        let detail =
                            FaultDetail::UnknownClass { layer: layer.path.clone(), class: name.to_owned() };
                        let known = pair.rule.scope.classes.keys().map(String::as_str);
                        (detail, hints::unknown_class(name, pair.told == Some(name), known))
                    }
                }
            }
        };
        self.fault(position, detail, Some(hint));
        self.excuse(module, layer.variables.clone());
        None
    }
}

/// A class that the variables of a layer could be of.
fn example(architecture: &Architecture, layer: &Layer) -> &'static str {
    let rank = architecture.variables.get(layer.variables.start).map_or(0, |first| first.shape.rank());
    match rank {
        // Scale, shift and two statistics; without a statistic, no more than scale and shift.
        0 | 1 if layer.variables.len() > 2 => "BatchNormalization",
        0 | 1 => "LayerNormalization",
        2 => "Dense",
        3 => "Conv1D",
        4 => "Conv2D",
        _ => "Conv3D",
    }
}
