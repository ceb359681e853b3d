//! `[[layer]]`: a module to a layer, by the rules of the layer's class.

use std::collections::BTreeMap;

use super::binding::Provenance;
use super::expansion::{Claim, Expansion, Stray};
use super::faults::{Fault, FaultDetail};
use super::names::Lookup;
use super::order::{Outcome, Place};
use crate::schema::{Captures, ClassVariable, LayerRule, Rule};

impl<'a> Expansion<'a> {
    /// `[[layer]]`.
    pub(super) fn layers(&mut self, rule: &'a Rule, layer: &'a LayerRule) {
        let (mut used, mut arrived, first_stray) = (false, false, self.strays.len());
        for (module, _) in &self.source.modules {
            let Some(captures) = layer.torch.matches(module) else { continue };
            used = true;
            let path = match layer.keras.substitute(&captures, &rule.scope.tables) {
                Ok(path) => path,
                Err(source) => {
                    let torch = (*module).to_owned();
                    self.fault(&rule.position, FaultDetail::Evaluate { torch, source }, None);
                    continue;
                }
            };
            match self.target.layer(path.as_str()) {
                Some(Lookup::One(at)) => {
                    arrived = true;
                    self.layer(rule, layer, module, at);
                }
                Some(Lookup::Several) => {
                    let path = path.as_str().to_owned();
                    self.fault(&rule.position, FaultDetail::AmbiguousPath { path }, None);
                }
                None => {
                    let layers = self.architecture.layers.iter().map(|layer| layer.path.as_str());
                    let hint = self.near_target(path.as_str(), layers);
                    let detail = FaultDetail::UnknownTarget {
                        torch: (*module).to_owned(),
                        keras: path.as_str().to_owned(),
                    };
                    let fault = Fault { detail, position: Some(rule.position.clone()), hint };
                    let tensors = self.source.direct(module).to_vec();
                    self.strays.push(Stray { tensors, fault, stands: false });
                }
            }
        }
        if !used {
            self.unused(rule, &layer.torch, false);
        } else if !arrived && !rule.optional {
            self.let_stand(first_stray);
        }
    }

    /// A module to a layer, by the rules of the layer's class.
    pub(super) fn layer(&mut self, rule: &'a Rule, layer_rule: &'a LayerRule, module: &'a str, at: usize) {
        self.paired.insert(module, at);
        let architecture = self.architecture;
        let layer = &architecture.layers[at];
        let excuse = layer.variables.clone();
        let class_name = match (&layer.class, &layer_rule.class) {
            (Some(_), Some(told)) if layer.class_from_name => told,
            (Some(found), Some(expected)) if found != expected => {
                let (found, expected) = (found.clone(), expected.clone());
                let detail = FaultDetail::ClassMismatch { layer: layer.path.clone(), found, expected };
                let hint = "leave `class` out of the rule: it is for layers whose class the architecture does not \
                            tell";
                self.fault(&rule.position, detail, Some(hint.to_owned()));
                return self.excuse(module, excuse);
            }
            (Some(class), _) | (None, Some(class)) => class,
            (None, None) => {
                let rank =
                    architecture.variables.get(layer.variables.start).map_or(0, |first| first.shape.rank());
                let example = match rank {
                    0 | 1 => "LayerNormalization",
                    2 => "Dense",
                    3 => "Conv1D",
                    4 => "Conv2D",
                    _ => "Conv3D",
                };
                let hint = format!("say the Keras class in the rule, such as `class = \"{example}\"`");
                let detail = FaultDetail::UntoldClass { layer: layer.path.clone() };
                self.fault(&rule.position, detail, Some(hint));
                return self.excuse(module, excuse);
            }
        };
        let Some(class) = rule.scope.classes.get(class_name) else {
            let hint =
                format!("write [class.{class_name}] in the schema, or [[tensor]] rules for its variables");
            let detail = FaultDetail::UnknownClass { layer: layer.path.clone(), class: class_name.clone() };
            self.fault(&rule.position, detail, Some(hint));
            return self.excuse(module, excuse);
        };
        let place = Place { architecture, schema: self.schema, scope: &rule.scope, rule: layer_rule, layer };
        if let Some((detail, hint)) = place.refused(class) {
            self.fault(&rule.position, detail, Some(hint));
            return self.excuse(module, excuse);
        }
        for key in place.fitting() {
            let first = *self.mapped.entry((std::ptr::from_ref(rule).addr(), key)).or_insert(at);
            if first != at {
                let (first, second) = (architecture.layers[first].path.clone(), layer.path.clone());
                let detail = FaultDetail::SeveralMaps { key, first, second };
                let hint = "write one rule for each layer, so that each says its own".to_owned();
                self.fault(&rule.position, detail, Some(hint));
                return self.excuse(module, excuse);
            }
        }
        let provenance = Provenance::Class { class: class_name.clone(), rule: rule.position.clone() };
        let count = layer.variables.len();
        for index in layer.variables.clone() {
            let variable = &architecture.variables[index];
            // A template that does not tell the class has indices for names.
            let named = class.variables.iter().find(|known| known.name == variable.name);
            let known = named.or_else(|| {
                let untold = layer.class.is_none() || layer.class_from_name && layer_rule.class.is_some();
                let all = class.variables.len() == count;
                // The one that every layer of such a class has, without the bias.
                let kernel =
                    count == 1 && class.variables.first().is_some_and(|first| first.name == "kernel");
                if untold && (all || kernel) { class.variables.get(variable.index) } else { None }
            });
            let Some(known) = known else {
                // Keras' own bookkeeping, which no module has.
                if variable.initial.is_some() {
                    continue;
                }
                let detail = FaultDetail::UnknownVariable {
                    variable: variable.path.clone(),
                    class: class_name.clone(),
                };
                let hint = "bind it with a [[tensor]] rule, or name it in [class]".to_owned();
                self.fault(&rule.position, detail, Some(hint));
                self.excused.insert(index);
                continue;
            };
            self.class_variable(rule, &place, module, index, known, &provenance);
        }
        for (tensor, name) in self.source.below(module) {
            if class.ignore.iter().any(|glob| glob.matches(name)) {
                self.ignored.insert(tensor, provenance.clone());
            }
        }
    }

    fn class_variable(
        &mut self,
        rule: &'a Rule,
        place: &Place<'a>,
        module: &str,
        index: usize,
        known: &'a ClassVariable,
        provenance: &Provenance,
    ) {
        // torch's default for all but transposed convolutions, whose classes say another.
        let dim = Some(known.rule.dim.unwrap_or(0));
        let sources = match self.tensors_of(module, &known.rule, rule, dim) {
            Ok(sources) => sources,
            Err(refused) => {
                self.refuse(rule, *refused);
                self.excused.insert(index);
                return;
            }
        };
        if sources.is_empty() {
            let lack = format!(
                "module `{module}` has no `{}`: build the layer without `{}`{}, or give it a value with [[fill]]",
                known.rule.torch.as_str(),
                known.name,
                switch(&known.name),
            );
            self.lacking.insert(index, (rule.position.clone(), lack));
            return;
        }
        let mut claim = Claim {
            provenance: provenance.clone(),
            rule: &known.rule,
            captures: place.rule.torch.matches(module).unwrap_or_default(),
            layouts: known.rule.layouts.iter().collect(),
            sizes: BTreeMap::new(),
            sources,
            targets: vec![(Captures::new(), index)],
            keras: None,
            terms: Vec::new(),
            rivals: Vec::new(),
        };
        match self.terms_of(module, rule, &known.rule, &Captures::new()) {
            Ok(terms) => claim.terms = terms,
            Err(refused) => {
                self.refuse(rule, *refused);
                self.excused.insert(index);
                return;
            }
        }
        if place.layer.class_from_name && place.rule.class.is_none() {
            let others = rule.scope.classes.values().flat_map(|class| &class.variables);
            claim.rivals = others
                .filter(|other| other.rule.torch == known.rule.torch)
                .flat_map(|other| &other.rule.layouts)
                .collect();
        }
        match place.choose(index, known) {
            Outcome::Plain => {}
            Outcome::Map { layouts, sizes } => {
                claim.layouts = layouts;
                claim.sizes = sizes;
                // Who says what was flattened before the layer knows its class.
                claim.rivals.clear();
            }
            Outcome::Refused { detail, hint } => {
                self.fault(&rule.position, detail, Some(hint));
                self.excused.insert(index);
                let inputs = claim.sources.iter().flat_map(|(_, at)| self.inputs_of(*at));
                let inputs: Vec<usize> = inputs.collect();
                self.excused_tensors.extend(inputs);
                return;
            }
        }
        self.claims.push(claim);
    }
}

/// The argument of a Keras layer that does without a variable.
fn switch(variable: &str) -> &'static str {
    match variable {
        "bias" => " (`use_bias=False`)",
        "gamma" => " (`scale=False`)",
        "beta" => " (`center=False`)",
        _ => "",
    }
}
