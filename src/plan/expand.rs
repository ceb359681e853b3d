//! Rules to claims: which tensors a rule gives to which variables.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::binding::Provenance;
use super::faults::{Fault, FaultDetail};
use super::hints;
use super::names::{Lookup, SourceNames, TargetNames};
use super::notes::Remarks;
use super::order::{self, Outcome};
use super::sequence;
use crate::checkpoint::Checkpoint;
use crate::keras::{Architecture, Layer, Origin};
use crate::schema::{
    Captures, ClassVariable, LayerRule, Pattern, Position, Rule, RuleKind, Schema, TensorRule,
};
use crate::tensor::Layout;

/// Tensors that one rule gives to variables, with the layouts that may carry them over.
pub(super) struct Claim<'a> {
    /// The rule that made it.
    pub(super) provenance: Provenance,
    /// The tensor rule, of the schema or of a class.
    pub(super) rule: &'a TensorRule,
    /// The candidate layouts.
    pub(super) layouts: Vec<&'a Layout>,
    /// Sizes that the architecture gives, beside the rule's own.
    pub(super) sizes: BTreeMap<String, usize>,
    /// The tensors, each with the captures that stand on the torch side alone.
    pub(super) sources: Vec<(Captures, usize)>,
    /// The variables, each with the captures that stand on the keras side alone.
    pub(super) targets: Vec<(Captures, usize)>,
    /// The keras pattern, whose captures tell the targets apart; none within a class.
    pub(super) keras: Option<&'a Pattern>,
}

/// Both sides of a conversion and what has been found on the way.
pub(super) struct Expansion<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) schema: &'a Schema,
    pub(super) architecture: &'a Architecture,
    pub(super) source: &'a SourceNames<'a>,
    pub(super) target: &'a TargetNames,
    /// The claims.
    pub(super) claims: Vec<Claim<'a>>,
    /// The faults.
    pub(super) faults: Vec<Fault>,
    /// Modules and tensors whose rule computed a path that is not there: the fault stands only when no
    /// other rule uses the tensors.
    pub(super) astray: Vec<(Vec<usize>, Fault)>,
    /// Tensors that a class has no use for, with the rule.
    pub(super) ignored: BTreeMap<usize, Provenance>,
    /// What the notes are to say.
    pub(super) remarks: Remarks,
    /// Variables whose module has no tensor for them, with the rule and what to say.
    pub(super) lacking: BTreeMap<usize, (Position, String)>,
    /// The layer that each module goes to.
    pub(super) paired: BTreeMap<&'a str, usize>,
    /// Variables that a fault has already been reported for.
    pub(super) excused: BTreeSet<usize>,
    /// Tensors that a fault has already been reported for.
    pub(super) excused_tensors: BTreeSet<usize>,
}

impl<'a> Expansion<'a> {
    /// Expands every rule that has a source.
    pub(super) fn run(&mut self) {
        for rule in &self.schema.rules {
            match &rule.kind {
                RuleKind::Layer(layer) => self.layers(rule, layer),
                RuleKind::Sequence(layer) => sequence::expand(self, rule, layer),
                RuleKind::Tensor(tensor) => self.tensors(rule, tensor),
                RuleKind::Fill(_) | RuleKind::Keep(_) => {}
            }
        }
    }

    pub(super) fn fault(&mut self, position: &Position, detail: FaultDetail, hint: Option<String>) {
        self.faults.push(Fault { detail, position: Some(position.clone()), hint });
    }

    /// Takes a module's tensors and a layer's variables out of the account, a fault having been reported.
    pub(super) fn excuse(&mut self, module: &str, variables: Range<usize>) {
        self.excused_tensors.extend(self.source.below(module).into_iter().map(|(at, _)| at));
        self.excused.extend(variables);
    }

    pub(super) fn unused(&mut self, rule: &Rule, pattern: &Pattern, keras: bool) {
        if rule.optional {
            return;
        }
        let hint = if keras {
            hints::nearest(pattern.as_str(), self.architecture.layers.iter().map(|layer| layer.path.as_str()))
        } else {
            let modules = self.source.modules.iter().map(|(module, _)| *module);
            hints::nearest(pattern.as_str(), modules.chain(self.source.keys.iter().copied()))
        };
        self.fault(
            &rule.position,
            FaultDetail::UnusedRule { pattern: pattern.as_str().to_owned(), keras },
            hint.or_else(|| {
                let file = if keras { "the architecture" } else { "the checkpoint" };
                Some(format!(
                    "`ptw2k inspect` shows the names in {file}; remove the rule, or say `optional = true` in it"
                ))
            }),
        );
    }

    /// `[[layer]]`.
    fn layers(&mut self, rule: &'a Rule, layer: &'a LayerRule) {
        let mut used = false;
        for (module, _) in &self.source.modules {
            let Some(captures) = layer.torch.matches(module) else { continue };
            used = true;
            let path = match layer.keras.substitute(&captures, &self.schema.tables) {
                Ok(path) => path,
                Err(source) => {
                    let torch = (*module).to_owned();
                    self.fault(&rule.position, FaultDetail::Evaluate { torch, source }, None);
                    continue;
                }
            };
            match self.target.layer(path.as_str()) {
                Some(Lookup::One(at)) => self.layer(rule, layer, module, at),
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
                    self.astray.push((self.source.direct(module).to_vec(), fault));
                }
            }
        }
        if !used {
            self.unused(rule, &layer.torch, false);
        }
    }

    /// What a path that the architecture lacks may have meant.
    fn near_target<'p>(&self, path: &str, paths: impl Iterator<Item = &'p str>) -> Option<String> {
        hints::nearest(path, paths).or_else(|| {
            (self.architecture.origin == Origin::Template).then(|| {
                let file = self.architecture.path.display();
                format!("a template knows layers by their `name`: `ptw2k inspect {file}` lists them")
            })
        })
    }

    /// A module to a layer, by the rules of the layer's class.
    pub(super) fn layer(&mut self, rule: &'a Rule, layer_rule: &'a LayerRule, module: &'a str, at: usize) {
        self.paired.insert(module, at);
        let architecture = self.architecture;
        let layer = &architecture.layers[at];
        let excuse = layer.variables.clone();
        let class_name = match (&layer.class, &layer_rule.class) {
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
                let hint = "say it in the rule: class = \"Conv2D\"".to_owned();
                let detail = FaultDetail::UntoldClass { layer: layer.path.clone() };
                self.fault(&rule.position, detail, Some(hint));
                return self.excuse(module, excuse);
            }
        };
        let Some(class) = self.schema.classes.get(class_name) else {
            let hint =
                format!("write [class.{class_name}] in the schema, or [[tensor]] rules for its variables");
            let detail = FaultDetail::UnknownClass { layer: layer.path.clone(), class: class_name.clone() };
            self.fault(&rule.position, detail, Some(hint));
            return self.excuse(module, excuse);
        };
        if let Some(detail) = order::unsupported(architecture, layer_rule, layer, class) {
            let hint =
                "write [[tensor]] rules that put the layer's output features in Keras' order".to_owned();
            self.fault(&rule.position, detail, Some(hint));
            return self.excuse(module, excuse);
        }
        let provenance = Provenance::Class { class: class_name.clone(), rule: rule.position.clone() };
        let count = layer.variables.len();
        for index in layer.variables.clone() {
            let variable = &architecture.variables[index];
            // A template that does not tell the class has indices for names.
            let named = class.variables.iter().find(|known| known.name == variable.name);
            let known = named.or_else(|| {
                let untold = layer.class.is_none() && class.variables.len() == count;
                if untold { class.variables.get(variable.index) } else { None }
            });
            let Some(known) = known else {
                let detail = FaultDetail::UnknownVariable {
                    variable: variable.path.clone(),
                    class: class_name.clone(),
                };
                let hint = "bind it with a [[tensor]] rule, or name it in [class]".to_owned();
                self.fault(&rule.position, detail, Some(hint));
                self.excused.insert(index);
                continue;
            };
            self.class_variable(rule, layer_rule, layer, module, index, known, &provenance);
        }
        for (tensor, name) in self.source.below(module) {
            if class.ignore.iter().any(|glob| glob.matches(name)) {
                self.ignored.insert(tensor, provenance.clone());
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call, and every argument is a different thing")]
    fn class_variable(
        &mut self,
        rule: &'a Rule,
        layer_rule: &'a LayerRule,
        layer: &Layer,
        module: &str,
        index: usize,
        known: &'a ClassVariable,
        provenance: &Provenance,
    ) {
        let sources = self.source.matching(module, &known.rule.torch);
        if sources.is_empty() {
            let lack = format!(
                "module `{module}` has no `{}`: build the layer without `{}`, or give it a value with [[fill]]",
                known.rule.torch.as_str(),
                known.name
            );
            self.lacking.insert(index, (rule.position.clone(), lack));
            return;
        }
        let mut claim = Claim {
            provenance: provenance.clone(),
            rule: &known.rule,
            layouts: known.rule.layouts.iter().collect(),
            sizes: BTreeMap::new(),
            sources,
            targets: vec![(Captures::new(), index)],
            keras: None,
        };
        let choice = order::choose(self.architecture, layer_rule, layer, index, known);
        if choice.is_assumed {
            self.remarks.assumed_plain.push(index);
        }
        if choice.is_assumed_output {
            self.remarks.assumed_output.push(index);
        }
        match choice.outcome {
            Outcome::Plain => {}
            Outcome::Map { layout, sizes } => {
                claim.layouts = vec![layout];
                claim.sizes = sizes;
            }
            Outcome::Refused { detail, hint } => {
                self.fault(&rule.position, detail, Some(hint));
                self.excused.insert(index);
                self.excused_tensors.extend(claim.sources.iter().map(|(_, at)| *at));
                return;
            }
        }
        self.claims.push(claim);
    }

    /// `[[tensor]]`.
    fn tensors(&mut self, rule: &'a Rule, tensor: &'a TensorRule) {
        let matches: Vec<(Captures, usize)> = self.source.matching("", &tensor.torch);
        if matches.is_empty() {
            return self.unused(rule, &tensor.torch, false);
        }
        for keras in &tensor.keras {
            let shared: BTreeSet<&str> =
                keras.captures().iter().map(|(name, _)| name.as_str()).chain(keras.reads()).collect();
            let mut groups: BTreeMap<Captures, Vec<(Captures, usize)>> = BTreeMap::new();
            for (captures, at) in &matches {
                let (both, own): (Captures, Captures) =
                    captures.clone().into_iter().partition(|(name, _)| shared.contains(name.as_str()));
                groups.entry(both).or_default().push((own, *at));
            }
            for (both, sources) in groups {
                self.tensor_group(rule, tensor, keras, &both, sources);
            }
        }
    }

    fn tensor_group(
        &mut self,
        rule: &'a Rule,
        tensor: &'a TensorRule,
        keras: &'a Pattern,
        both: &Captures,
        sources: Vec<(Captures, usize)>,
    ) {
        let torch = sources.first().map_or_else(String::new, |(_, at)| self.source.keys[*at].to_owned());
        let path = match keras.substitute(both, &self.schema.tables) {
            Ok(path) => path,
            Err(source) => return self.fault(&rule.position, FaultDetail::Evaluate { torch, source }, None),
        };
        let targets: Vec<(Captures, usize)> = if path.is_literal() {
            match self.target.variable(path.as_str()) {
                Some(Lookup::One(at)) => vec![(Captures::new(), at)],
                Some(Lookup::Several) => {
                    let path = path.as_str().to_owned();
                    return self.fault(&rule.position, FaultDetail::AmbiguousPath { path }, None);
                }
                None => Vec::new(),
            }
        } else {
            let variables = self.architecture.variables.iter().enumerate();
            variables
                .filter_map(|(at, variable)| {
                    path.matches(variable.path.as_str()).map(|captures| (captures, at))
                })
                .collect()
        };
        if targets.is_empty() {
            let paths = self.architecture.variables.iter().map(|variable| variable.path.as_str());
            let hint = self.near_target(path.as_str(), paths);
            let detail = FaultDetail::UnknownTarget { torch, keras: path.as_str().to_owned() };
            let fault = Fault { detail, position: Some(rule.position.clone()), hint };
            self.astray.push((sources.iter().map(|(_, at)| *at).collect(), fault));
            return;
        }
        self.claims.push(Claim {
            provenance: Provenance::Rule(rule.position.clone()),
            rule: tensor,
            layouts: tensor.layouts.iter().collect(),
            sizes: BTreeMap::new(),
            sources,
            targets,
            keras: Some(keras),
        });
    }
}
