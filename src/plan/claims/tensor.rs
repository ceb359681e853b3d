//! `[[tensor]]`: tensors to variables, the layout spelled out.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::smallvec;

use super::expansion::{Claim, Expansion, Stray, Wanted};
use crate::plan::derived::derive::{Dim, Refused};
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::names::module::Module;
use crate::plan::names::source::Matches;
use crate::plan::names::target::Lookup;
use crate::plan::outcome::Provenance;
use crate::schema::{Captures, EvaluateError, Pattern, Rule, TensorRule};

/// Terms of a sum, each with its tensors.
type Terms<'a> = Vec<(&'a TensorRule, Matches)>;

impl<'a> Expansion<'a> {
    /// `[[tensor]]`.
    pub(in crate::plan) fn tensors(&mut self, rule: &'a Rule, tensor: &'a TensorRule) {
        let matches = match self.tensors_of(&Module::of(""), tensor, rule, Dim::Said(tensor.dim), None) {
            Ok(matches) => matches,
            Err(refused) => {
                for keras in tensor.keras.iter().filter_map(|keras| keras.literal()) {
                    if let Some(Lookup::One(at)) = self.target.variable(keras) {
                        self.excused.insert(at);
                    }
                }
                return self.refuse(rule, *refused);
            }
        };
        if matches.is_empty() {
            return self.unused(rule, &tensor.torch, false);
        }
        for keras in &tensor.keras {
            let (first_claim, first_stray) = (self.claimed(), self.strays.len());
            let shared: BTreeSet<&str> =
                keras.captures().iter().map(|(name, _)| name.as_str()).chain(keras.reads()).collect();
            let mut groups: BTreeMap<Captures, Matches> = BTreeMap::new();
            for (captures, at) in &matches {
                let (both, own) = captures.clone().split(|name| shared.contains(name));
                groups.entry(both).or_default().push((own, *at));
            }
            for (both, sources) in groups {
                self.tensor_group(rule, tensor, keras, &both, sources);
            }
            if self.claimed() == first_claim && !rule.optional {
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
        sources: Matches,
    ) {
        let torch = sources.first().map_or_else(String::new, |(_, at)| self.key_of(*at));
        let path = match keras.substitute(both, &rule.scope.tables) {
            Ok(path) => path,
            // The rule does not speak of it.
            Err(EvaluateError::NothingToJoin { .. }) => return,
            Err(source) => return self.fault(&rule.position, FaultDetail::Evaluate { torch, source }, None),
        };
        let targets: Matches = if path.is_literal() {
            match self.target.variable(path.as_str()) {
                Some(Lookup::One(at)) => smallvec![(Captures::new(), at)],
                Some(Lookup::Several) => {
                    let path = path.as_str().to_owned();
                    return self.fault(&rule.position, FaultDetail::AmbiguousPath { path }, None);
                }
                None => Matches::new(),
            }
        } else {
            let variables = self.architecture.variables.iter().enumerate();
            let named =
                variables.filter_map(|(at, variable)| Some((path.matches(variable.path.as_str())?, at)));
            let named: Matches = named.collect();
            // Only where no variable has such a path are the other spellings meant: `query/0` for `query/kernel`.
            match named.is_empty().then(|| self.target.matching(&path)) {
                None => named,
                Some(Some(spelled)) => spelled,
                Some(None) => {
                    let path = path.as_str().to_owned();
                    return self.fault(&rule.position, FaultDetail::AmbiguousPath { path }, None);
                }
            }
        };
        if targets.is_empty() {
            let detail = FaultDetail::UnknownTarget { torch, keras: vec![path.as_str().to_owned()] };
            let fault = Fault { detail, position: Some(rule.position.clone()), hint: None };
            let wanted = Wanted::Variable(path.as_str().to_owned());
            let tensors = self.inputs_of(&sources);
            self.strays.push(Stray { tensors, below: Vec::new(), fault, wanted, stands: false });
            return;
        }
        let terms = match self.terms_of(&Module::of(""), rule, tensor, both) {
            Ok(terms) => terms,
            Err(refused) => {
                self.excused.extend(targets.iter().map(|(_, variable)| *variable));
                let inputs = self.inputs_of(&sources);
                self.excused_tensors.extend(inputs);
                return self.refuse(rule, *refused);
            }
        };
        self.push(Claim {
            provenance: Provenance::Rule(rule.position.clone()),
            rule: tensor,
            captures: if self.explain { both.clone() } else { Captures::new() },
            layouts: tensor.layouts.iter().collect(),
            sizes: BTreeMap::new(),
            sources,
            targets,
            keras: Some(keras),
            terms,
            rivals: Vec::new(),
            expands: false,
        });
    }

    /// The tensors of the terms that a rule adds, of those captures that the rule's tensors were grouped by.
    pub(super) fn terms_of(
        &mut self,
        module: &Module,
        of: &'a Rule,
        rule: &'a TensorRule,
        both: &Captures,
    ) -> Result<Terms<'a>, Box<Refused>> {
        let mut terms = Vec::new();
        for term in &rule.add {
            let found = self.tensors_of(module, term, of, Dim::Said(term.dim), None)?.into_iter().filter_map(
                |(captures, at)| {
                    let agrees =
                        captures.iter().all(|(name, value)| both.get(name).is_none_or(|both| both == value));
                    let (_, own) = captures.split(|name| both.get(name).is_some());
                    agrees.then_some((own, at))
                },
            );
            let found: Matches = found.collect();
            if found.is_empty() {
                let pattern = term.torch.substitute(both, &of.scope.tables);
                let pattern = pattern.map_or_else(|_| term.torch.to_string(), |pattern| pattern.to_string());
                let hint = self.nearest(&pattern, self.source.keys.iter().copied());
                let detail = FaultDetail::MissingTerm { pattern };
                return Err(Box::new(Refused { detail, hint, inputs: Vec::new() }));
            }
            terms.push((term, found));
        }
        Ok(terms)
    }

    /// The key of a tensor without the prefix.
    fn key_of(&self, at: usize) -> String {
        let derived = at.checked_sub(self.checkpoint.tensors.len()).and_then(|at| self.derived.get(at));
        derived.map_or_else(|| self.source.keys[at].to_owned(), |derived| derived.tensor.key.to_string())
    }
}
