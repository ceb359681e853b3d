//! `[[tensor]]`: tensors to variables, the layout spelled out.

use std::collections::{BTreeMap, BTreeSet};

use super::binding::Provenance;
use super::expansion::{Claim, Expansion, Stray};
use super::faults::{Fault, FaultDetail};
use super::module::Module;
use super::names::Lookup;
use crate::schema::{Captures, Pattern, Rule, TensorRule};

impl<'a> Expansion<'a> {
    /// `[[tensor]]`.
    pub(super) fn tensors(&mut self, rule: &'a Rule, tensor: &'a TensorRule) {
        let matches: Vec<(Captures, usize)> = self.source.matching(&Module::of(""), &tensor.torch);
        if matches.is_empty() {
            return self.unused(rule, &tensor.torch, false);
        }
        for keras in &tensor.keras {
            let (first_claim, first_stray) = (self.claims.len(), self.strays.len());
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
            if self.claims.len() == first_claim && !rule.optional {
                self.let_stand(first_stray);
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
            let tensors = sources.iter().map(|(_, at)| *at).collect();
            self.strays.push(Stray { tensors, fault, stands: false });
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
            rivals: Vec::new(),
        });
    }
}
