//! Claims: which tensors a rule gives to which variables, and what was found out on the way to them.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::refusals::Refusal;
use super::remarks::Remarks;
use crate::checkpoint::Checkpoint;
use crate::crew::Belt;
use crate::keras::Architecture;
use crate::map::Map;
use crate::plan::derived::derive::Derived;
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::faults::hints;
use crate::plan::names::module::Module;
use crate::plan::names::source::{Matches, SourceNames};
use crate::plan::names::target::{Lookup, TargetNames};
use crate::plan::outcome::Provenance;
use crate::schema::{Captures, Pattern, Position, Rule, RuleKind, Schema, TensorRule};
use crate::tensor::{Capture, Layout, Operation};

/// Tensors that one rule gives to variables, with the layouts that may carry them over.
#[derive(Clone)]
pub(in crate::plan) struct Claim<'a> {
    /// The rule that made it.
    pub(in crate::plan) provenance: Provenance,
    /// The tensor rule, of the schema or of a class.
    pub(in crate::plan) rule: &'a TensorRule,
    /// The captures that both sides have, where the details of bindings are asked for.
    pub(in crate::plan) captures: Captures,
    /// The candidate layouts.
    pub(in crate::plan) layouts: Vec<&'a Layout>,
    /// Sizes that the architecture gives, beside the rule's own.
    pub(in crate::plan) sizes: BTreeMap<String, usize>,
    /// The tensors, each with the captures that stand on the torch side alone.
    pub(in crate::plan) sources: Matches,
    /// The variables, each with the captures that stand on the keras side alone.
    pub(in crate::plan) targets: Matches,
    /// The keras pattern, whose captures tell the targets apart; none within a class.
    pub(in crate::plan) keras: Option<&'a Pattern>,
    /// Further terms, each with its tensors.
    pub(in crate::plan) terms: Vec<(&'a TensorRule, Matches)>,
    /// Layouts of other classes that could be meant, where only the layer's name tells the class.
    pub(in crate::plan) rivals: Vec<&'a Layout>,
    /// Whether the class makes a dense weight of its tensor where the layer's rule says `groups`.
    pub(in crate::plan) expands: bool,
}

impl Claim<'_> {
    /// The sizes that are given: by the rule, and by the architecture.
    pub(in crate::plan) fn given(&self) -> Cow<'_, BTreeMap<String, usize>> {
        let mut sizes = Cow::Borrowed(&self.rule.sizes);
        if !self.sizes.is_empty() {
            sizes.to_mut().extend(self.sizes.clone());
        }
        sizes
    }

    /// One of its layouts, with the sizes that are given and the captures that are axes of it.
    pub(in crate::plan) fn operation<'o>(
        &'o self,
        layout: &'o Layout,
        sizes: &'o BTreeMap<String, usize>,
        captures: &'o [Capture],
    ) -> Operation<'o> {
        let TensorRule { order, slice, take, .. } = self.rule;
        Operation { layout, sizes, order, slice, take, captures }
    }
}

/// Claims one after the other, to be bound together.
pub(in crate::plan) struct Batch<'a> {
    /// How many batches came before it.
    pub(in crate::plan) number: usize,
    pub(in crate::plan) claims: Vec<Claim<'a>>,
}

/// Claims of a batch: binding so many takes a fraction of a millisecond, handing them over some microseconds.
const BATCH: usize = 256;

/// A module or tensor whose rule leads nowhere.
pub(in crate::plan) struct Stray {
    /// The tensors.
    pub(in crate::plan) tensors: Vec<usize>,
    /// Of a layer that only holds others: all tensors below the module. The fault also stands when no rule is for any.
    pub(in crate::plan) below: Vec<usize>,
    /// The fault, which stands when no other rule uses the tensors; without its hint.
    pub(in crate::plan) fault: Fault,
    /// What the hint is to be about.
    pub(in crate::plan) wanted: Wanted,
    /// It stands in any case: the rule leads nowhere for all that it matches.
    pub(in crate::plan) stands: bool,
}

/// The path of a layer or variable that the architecture lacks. What it may have meant is looked up only for faults
/// that are told.
pub(in crate::plan) enum Wanted {
    /// Nothing is looked up: what to do is known.
    Said(String),
    Layer(String),
    Variable(String),
}

/// How many names are compared for hints in one plan, and matched for them, until no more hint is looked for. The names
/// of a small model are all compared; with tens of thousands, the first faults get hints, in a fraction of a second.
const COMPARED: usize = 1_000_000;

/// How many layers of a template are named as examples.
const EXAMPLES: usize = 3;

/// Both sides of a conversion and what has been found on the way.
pub(in crate::plan) struct Expansion<'a> {
    pub(in crate::plan) checkpoint: &'a Checkpoint,
    pub(in crate::plan) schema: &'a Schema,
    pub(in crate::plan) architecture: &'a Architecture,
    /// Whether the details of bindings are asked for.
    pub(in crate::plan) explain: bool,
    pub(in crate::plan) source: &'a SourceNames<'a>,
    pub(in crate::plan) target: &'a TargetNames<'a>,
    /// Tensors that are computed from others.
    pub(in crate::plan) derived: Vec<Derived>,
    /// The claims that nobody binds yet.
    claims: Vec<Claim<'a>>,
    /// Where claims go that others may bind already, and how many batches went there.
    ahead: Option<(Arc<Belt<Batch<'a>>>, usize)>,
    /// The faults.
    pub(in crate::plan) faults: Vec<Fault>,
    /// Tensors of rules that cannot be had.
    pub(in crate::plan) refusals: Vec<Refusal>,
    /// Modules and tensors whose rule computed a path that is not there.
    pub(in crate::plan) strays: Vec<Stray>,
    /// Tensors that a class has no use for, with the rule.
    pub(in crate::plan) ignored: BTreeMap<usize, Provenance>,
    /// What the notes are to say.
    pub(in crate::plan) remarks: Remarks,
    /// Variables whose module has no tensor for them, with the rule and what to say.
    pub(in crate::plan) lacking: BTreeMap<usize, (Position, String)>,
    /// The first layer that a rule's `flatten` or `unflatten` fits, by the rule's place and the key.
    pub(in crate::plan) mapped: BTreeMap<(usize, &'static str), usize>,
    /// How many names have been compared for hints.
    pub(in crate::plan) compared: Cell<usize>,
    /// The layer that each module goes to.
    pub(in crate::plan) paired: Map<String, usize>,
    /// Variables that a fault has already been reported for.
    pub(in crate::plan) excused: BTreeSet<usize>,
    /// Tensors that a fault has already been reported for.
    pub(in crate::plan) excused_tensors: BTreeSet<usize>,
}

impl<'a> Expansion<'a> {
    /// What has been found before any rule was looked at: nothing. Claims go ahead by `belt`, where there is one.
    pub(in crate::plan) fn new(
        checkpoint: &'a Checkpoint,
        schema: &'a Schema,
        architecture: &'a Architecture,
        names: (&'a SourceNames<'a>, &'a TargetNames<'a>),
        explain: bool,
        belt: Option<Arc<Belt<Batch<'a>>>>,
    ) -> Self {
        let (source, target) = names;
        Self {
            checkpoint,
            schema,
            architecture,
            explain,
            source,
            target,
            derived: Vec::new(),
            claims: Vec::new(),
            ahead: belt.map(|belt| (belt, 0)),
            faults: Vec::new(),
            refusals: Vec::new(),
            strays: Vec::new(),
            ignored: BTreeMap::new(),
            remarks: Remarks::default(),
            lacking: BTreeMap::new(),
            mapped: BTreeMap::new(),
            compared: Cell::new(0),
            paired: Map::default(),
            excused: BTreeSet::new(),
            excused_tensors: BTreeSet::new(),
        }
    }

    /// Makes a claim.
    pub(super) fn push(&mut self, claim: Claim<'a>) {
        self.claims.push(claim);
        // Who binds ahead cannot see tensors that are computed, and any claim from the first of these on may need one.
        let Some((belt, number)) = self.ahead.as_mut().filter(|_| self.derived.is_empty()) else { return };
        if self.claims.len() >= BATCH {
            let claims = std::mem::replace(&mut self.claims, Vec::with_capacity(BATCH));
            belt.put(Batch { number: *number, claims });
            *number += 1;
        }
    }

    /// How many claims were made.
    pub(in crate::plan) fn claimed(&self) -> usize {
        self.ahead.as_ref().map_or(0, |(_, batches)| batches * BATCH) + self.claims.len()
    }

    /// The claims that went nowhere.
    pub(in crate::plan) fn take_claims(&mut self) -> Vec<Claim<'a>> {
        std::mem::take(&mut self.claims)
    }

    pub(in crate::plan) fn fault(&mut self, position: &Position, detail: FaultDetail, hint: Option<String>) {
        self.faults.push(Fault { detail, position: Some(position.clone()), hint });
    }

    /// Takes a module's tensors and a layer's variables out of the account, a fault having been reported.
    pub(in crate::plan) fn excuse(&mut self, module: &Module, variables: Range<usize>) {
        self.excused_tensors.extend(self.source.below(module).into_iter().map(|(at, _)| at));
        self.excused.extend(variables);
    }

    pub(in crate::plan) fn unused(&mut self, rule: &Rule, pattern: &Pattern, keras: bool) {
        if rule.optional {
            return;
        }
        let hint = if keras {
            let layers = self.architecture.layers.iter().map(|layer| layer.path.as_str());
            match rule.kind {
                RuleKind::Layer(_) | RuleKind::Sequence(_) => self.nearest(pattern.as_str(), layers),
                _ => self.near_variable(pattern.as_str()),
            }
        } else {
            let modules = self.source.modules.paths();
            let keys = || self.source.keys.iter().copied();
            match rule.kind {
                RuleKind::Layer(_) | RuleKind::Sequence(_) => keys()
                    .find(|key| pattern.matches(key).is_some())
                    .and_then(|key| key.rsplit_once('.'))
                    .map(|(module, name)| {
                        format!(
                            "`{module}.{name}` is a tensor; [[layer]] and [[sequence]] name the module: `{module}`"
                        )
                    })
                    .or_else(|| self.misplaced(pattern, modules.clone()))
                    .or_else(|| self.nearest(pattern.as_str(), modules)),
                _ => self.misplaced(pattern, keys()).or_else(|| self.nearest(pattern.as_str(), keys())),
            }
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

    /// Lets the first stray since `first` stand: the rule that made it leads nowhere.
    pub(super) fn let_stand(&mut self, first: usize) {
        if let Some(stray) = self.strays.get_mut(first) {
            stray.stands = true;
        }
    }

    /// What the path of a variable that the architecture lacks may have meant.
    pub(super) fn near_variable(&self, path: &str) -> Option<String> {
        let variables = || self.architecture.variables.iter();
        let layer = path.rsplit_once('/').and_then(|(layer, _)| match self.target.layer(layer) {
            Some(Lookup::One(at)) => self.architecture.layers.get(at),
            Some(Lookup::Several) | None => None,
        });
        match layer {
            Some(layer) => {
                let own = variables().skip(layer.variables.start).take(layer.variables.len());
                let names: Vec<String> = own.map(|variable| format!("`{}`", variable.name)).collect();
                Some(format!("layer `{}` has {}", layer.path, names.join(", ")))
            }
            None => self.nearest(path, variables().map(|variable| variable.path.as_str())),
        }
    }

    /// The names most similar to a name or pattern, while there is time for it.
    pub(in crate::plan) fn nearest<'n>(
        &self,
        wanted: &str,
        names: impl Iterator<Item = &'n str>,
    ) -> Option<String> {
        let names: Vec<&str> = names.collect();
        if !self.may_compare(names.len()) {
            return None;
        }
        hints::nearest(wanted, names.into_iter())
    }

    fn misplaced<'n>(&self, pattern: &Pattern, names: impl Iterator<Item = &'n str>) -> Option<String> {
        let names: Vec<&str> = names.collect();
        if !self.may_compare(names.len()) {
            return None;
        }
        hints::misplaced(pattern, names.iter().copied())
    }

    fn may_compare(&self, names: usize) -> bool {
        let compared = self.compared.get();
        self.compared.set(compared.saturating_add(names));
        compared < COMPARED
    }

    /// What a path that leads nowhere may have meant.
    pub(in crate::plan) fn hint(&self, wanted: &Wanted) -> Option<String> {
        match wanted {
            Wanted::Said(hint) => Some(hint.clone()),
            Wanted::Layer(path) => {
                let layers = self.architecture.layers.iter().map(|layer| layer.path.as_str());
                self.near_target(path, || self.nearest(path, layers))
            }
            Wanted::Variable(path) => self.near_target(path, || self.near_variable(path)),
        }
    }

    /// What a path that the architecture lacks may have meant; `near` is what is named alike.
    fn near_target(&self, path: &str, near: impl FnOnce() -> Option<String>) -> Option<String> {
        let below = path.split_once('/').map(|(_, below)| below);
        let rooted =
            below.filter(|below| self.target.layer(below).is_some() || self.target.variable(below).is_some());
        if let Some(below) = rooted {
            return Some(format!("the root model's own name is no part of a path: `{below}`"));
        }
        near().or_else(|| {
            let file = self.architecture.path.display();
            Some(if self.architecture.origin.is_template() {
                let paths = self.architecture.layers.iter().filter(|layer| !layer.variables.is_empty());
                let more = if paths.clone().count() > EXAMPLES { ", …" } else { "" };
                let paths: Vec<String> =
                    paths.take(EXAMPLES).map(|layer| format!("`{}`", layer.path)).collect();
                format!(
                    "this template knows its layers as {}{more}: `ptw2k inspect {file}` lists them",
                    paths.join(", ")
                )
            } else {
                format!("`ptw2k inspect {file}` lists the layers")
            })
        })
    }
}
