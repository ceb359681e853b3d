//! The accounts of both sides: every variable has one value, every tensor one reason.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::keras::Variable;
use crate::plan::bindings::binder::Binder;
use crate::plan::bindings::together::{Bound, BoundBatch};
use crate::plan::claims::expansion::{Claim, Expansion, Stray};
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::names::target::Lookup;
use crate::plan::options::PlanOptions;
use crate::plan::outcome::{Binding, Detail, Part, Provenance, Term, Value};
use crate::schema::{Glob, Pattern, Rule, RuleKind};
use crate::tensor::{Arithmetic, CopyAxis, Shape, StateDictKey, StridedCopy};

/// The accounts of both sides.
pub(in crate::plan) struct Ledger<'a, 'b> {
    pub(in crate::plan) expansion: Expansion<'a>,
    binder: Binder<'b>,
    /// By variable.
    pub(in crate::plan) bindings: Vec<Option<Binding>>,
    pub(in crate::plan) left_out: Vec<usize>,
    /// By variable, where they are asked for.
    pub(in crate::plan) details: BTreeMap<usize, Detail>,
    /// By tensor: whether a claim reads it, whether or not that could be bound.
    used: Vec<bool>,
    pub(in crate::plan) faults: Vec<Fault>,
}

impl<'a, 'b> Ledger<'a, 'b> {
    pub(in crate::plan) fn new(mut expansion: Expansion<'a>, binder: Binder<'b>) -> Self {
        let faults = std::mem::take(&mut expansion.faults);
        Self {
            binder,
            bindings: vec![None; expansion.architecture.variables.len()],
            used: vec![false; expansion.checkpoint.tensors.len()],
            expansion,
            left_out: Vec::new(),
            details: BTreeMap::new(),
            faults,
        }
    }

    fn variable(&self, index: usize) -> &'a Variable {
        &self.expansion.architecture.variables[index]
    }

    /// Takes what batches of claims came to, which come before those that are left, and binds these.
    pub(in crate::plan) fn bind_claims(
        &mut self,
        mut batches: Vec<BoundBatch<'a>>,
        threads: Option<NonZeroUsize>,
    ) {
        let mut left = self.binder.bind_all(self.expansion.take_claims(), threads);
        batches.sort_unstable_by_key(|batch| batch.number);
        left.sort_unstable_by_key(|batch| batch.number);
        for BoundBatch { claims, outcomes, .. } in batches.into_iter().chain(left) {
            self.settle(&claims, outcomes);
        }
    }

    fn settle(&mut self, claims: &[Claim<'_>], outcomes: Vec<Result<Bound, Box<Fault>>>) {
        for (claim, bound) in claims.iter().zip(outcomes) {
            for tensor in self.binder.inputs(claim) {
                self.used[tensor] = true;
            }
            if !claim.rule.slice.is_empty() || !claim.rule.take.is_empty() {
                self.expansion.remarks.cut.extend(claim.targets.iter().map(|(_, variable)| *variable));
            }
            match bound {
                Ok(Bound { bindings, unpermuted, details }) => {
                    if let Some(text) = unpermuted {
                        self.expansion
                            .remarks
                            .unpermuted
                            .extend(claim.targets.iter().map(|(_, variable)| (text.clone(), *variable)));
                    }
                    self.details.extend(details);
                    bindings.into_iter().for_each(|binding| self.insert(binding));
                }
                Err(fault) => {
                    self.faults.push(*fault);
                    self.expansion.excused.extend(claim.targets.iter().map(|(_, variable)| *variable));
                }
            }
        }
    }

    /// Adds a binding; a second one for the same variable is a fault.
    fn insert(&mut self, binding: Binding) {
        if !binding.dtype.is_loaded_by_keras() && !self.expansion.excused.contains(&binding.variable) {
            let variable = self.variable(binding.variable);
            let detail = FaultDetail::Unloadable { variable: variable.path.clone(), dtype: binding.dtype };
            let hint = "give the layer another dtype, such as `bfloat16`, which holds every value of the smaller \
                        floats";
            let position = binding.provenance.position().cloned();
            self.faults.push(Fault { detail, position, hint: Some(hint.to_owned()) });
            self.expansion.excused.insert(binding.variable);
            return;
        }
        let variable = binding.variable;
        let Some(first) = &self.bindings[variable] else {
            self.bindings[variable] = Some(binding);
            return;
        };
        let (Some(first), Some(second)) = (first.provenance.position(), binding.provenance.position()) else {
            return;
        };
        let detail = FaultDetail::Duplicate {
            variable: self.variable(variable).path.clone(),
            first: first.clone(),
            second: second.clone(),
        };
        let hint = "remove one of the rules, or narrow its pattern".to_owned();
        self.faults.push(Fault { detail, position: Some(second.clone()), hint: Some(hint) });
    }

    /// `[[fill]]` and `[[keep]]`.
    pub(in crate::plan) fn bind_constants(&mut self) {
        let schema = self.expansion.schema;
        for rule in &schema.rules {
            match &rule.kind {
                RuleKind::Fill(fill) => {
                    for pattern in &fill.keras {
                        for variable in self.matching(rule, pattern) {
                            let binding = Binding {
                                variable,
                                dtype: self.binder.stored_dtype(self.variable(variable).dtype),
                                value: Value::Fill(fill.value),
                                arithmetic: Arithmetic::default(),
                                provenance: Provenance::Rule(rule.position.clone()),
                                layout: Arc::default(),
                            };
                            self.insert(binding);
                        }
                    }
                }
                RuleKind::Keep(keep) => {
                    for pattern in &keep.keras {
                        for variable in self.matching(rule, pattern) {
                            match self.keep(variable, Provenance::Rule(rule.position.clone())) {
                                Some(binding) => self.insert(binding),
                                None => {
                                    let variable_path = self.variable(variable).path.clone();
                                    self.expansion.excused.insert(variable);
                                    self.faults.push(Fault {
                                        detail: FaultDetail::NothingToKeep { variable: variable_path },
                                        position: Some(rule.position.clone()),
                                        hint: Some(
                                            "use a template (`model.save_weights`) or a `.keras` file as the \
                                             architecture, or [[fill]]"
                                                .to_owned(),
                                        ),
                                    });
                                }
                            }
                        }
                    }
                }
                RuleKind::Layer(_) | RuleKind::Sequence(_) | RuleKind::Tensor(_) => {}
            }
        }
    }

    /// The variables that a pattern of `[[fill]]` or `[[keep]]` names.
    fn matching(&mut self, rule: &'a Rule, pattern: &'a Pattern) -> Vec<usize> {
        let found: Vec<usize> = if pattern.is_literal() {
            match self.expansion.target.variable(pattern.as_str()) {
                Some(Lookup::One(at)) => vec![at],
                Some(Lookup::Several) => {
                    let path = pattern.as_str().to_owned();
                    self.expansion.fault(&rule.position, FaultDetail::AmbiguousPath { path }, None);
                    self.faults.append(&mut self.expansion.faults);
                    return Vec::new();
                }
                None => Vec::new(),
            }
        } else {
            let variables = self.expansion.architecture.variables.iter().enumerate();
            variables
                .filter(|(_, variable)| pattern.matches(variable.path.as_str()).is_some())
                .map(|(at, _)| at)
                .collect()
        };
        if found.is_empty() {
            self.expansion.unused(rule, pattern, true);
            self.faults.append(&mut self.expansion.faults);
        }
        found
    }

    /// The architecture file's own value, where it has one.
    fn keep(&self, index: usize, provenance: Provenance) -> Option<Binding> {
        let variable = self.variable(index);
        let value = variable.value.as_deref()?.clone();
        let strides = variable.shape.contiguous_strides();
        let axes = variable.shape.sizes().iter().zip(value.view.strides()).zip(strides);
        let axis = |((&size, &source_stride), target_stride)| CopyAxis { size, source_stride, target_stride };
        let copy = StridedCopy {
            axes: axes.map(axis).collect(),
            source_offset: value.view.offset(),
            target_offset: 0,
        };
        let part = Part { key: StateDictKey::new(""), source: value, copy, derivation: None };
        Some(Binding {
            variable: index,
            dtype: self.binder.stored_dtype(variable.dtype),
            value: Value::Gather(vec![Term { parts: vec![part] }]),
            arithmetic: Arithmetic::default(),
            provenance,
            layout: Arc::default(),
        })
    }

    /// Every variable has a value, is bookkeeping that Keras begins with, is waived, or is missing.
    pub(in crate::plan) fn account_for_variables(&mut self, options: &PlanOptions) {
        let unused = OnceCell::new();
        for index in 0..self.expansion.architecture.variables.len() {
            if self.bindings[index].is_some() || self.expansion.excused.contains(&index) {
                continue;
            }
            let variable = self.variable(index);
            if let Some(initial) = variable.initial {
                self.insert(Binding {
                    variable: index,
                    dtype: self.binder.stored_dtype(variable.dtype),
                    value: Value::Fill(initial),
                    arithmetic: Arithmetic::default(),
                    provenance: Provenance::Initial,
                    layout: Arc::default(),
                });
                continue;
            }
            if let Some(glob) = options.allow_missing.iter().find(|glob| glob.matches(variable.path.as_str()))
            {
                match self.keep(index, Provenance::Waiver(format!("--allow-missing {}", glob.text))) {
                    Some(binding) => self.insert(binding),
                    None => self.left_out.push(index),
                }
                continue;
            }
            let detail =
                FaultDetail::Missing { variable: variable.path.clone(), shape: variable.shape.clone() };
            let fault = match self.expansion.lacking.get(&index) {
                Some((position, hint)) => {
                    Fault { detail, position: Some(position.clone()), hint: Some(hint.clone()) }
                }
                None => Fault {
                    detail,
                    position: None,
                    hint: self.missing_hint(variable, unused.get_or_init(|| self.unused_by_sizes())),
                },
            };
            self.faults.push(fault);
        }
        self.refuse_partly_filled_layers(options);
    }

    /// Keras loads a layer whole or not at all: one without some of its variables would lose the others too. From a
    /// legacy file, a layer of the model goes with all those inside (`legacy_h5_format.py`).
    fn refuse_partly_filled_layers(&mut self, options: &PlanOptions) {
        if self.left_out.is_empty() {
            return;
        }
        let architecture = self.expansion.architecture;
        let mut units: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        if options.form.format.is_legacy() {
            for (place, variable) in architecture.legacy_entries() {
                let layer = place.split('/').next().unwrap_or_default();
                units.entry(layer.to_owned()).or_default().push(variable);
            }
        }
        let unit_of: BTreeMap<usize, &[usize]> =
            units.values().flat_map(|unit| unit.iter().map(|&at| (at, unit.as_slice()))).collect();
        for &index in &self.left_out {
            let layer = &architecture.layers[self.variable(index).layer];
            let unit = unit_of.get(&index).map_or(&[][..], |unit| unit);
            let mut together = layer.variables.clone().chain(unit.iter().copied());
            let Some(bound) = together.find(|&other| self.bindings[other].is_some()) else {
                continue;
            };
            let detail = FaultDetail::PartlyFilled {
                variable: self.variable(index).path.clone(),
                other: self.variable(bound).path.clone(),
            };
            let hint = match layer.variables.contains(&bound) {
                true => {
                    "give it a value with [[fill]], build the layer without it, or use a template as the \
                     architecture, whose values are kept"
                }
                false => {
                    "give it a value with [[fill]], or write a `.weights.h5`, from which Keras loads the layers \
                     inside one each for itself"
                }
            };
            self.faults.push(Fault { detail, position: None, hint: Some(hint.to_owned()) });
        }
    }

    /// The unused tensors that could be meant: of the same shape, or of a permuted one.
    fn missing_hint(&self, variable: &Variable, unused: &BTreeMap<Vec<usize>, Vec<usize>>) -> Option<String> {
        let fitting = unused.get(&sorted(&variable.shape)).map_or(&[][..], Vec::as_slice);
        let key = |&at: &usize| self.expansion.checkpoint.tensors[at].key.as_str();
        match fitting.iter().take(2).map(key).collect::<Vec<_>>().as_slice() {
            [] => Some(
                "no unused tensor has the same sizes: where PyTorch keeps it with others in one tensor, split that \
                 with a [[tensor]] rule; a constant is [[fill]]"
                    .to_owned(),
            ),
            [key] => Some(format!("`{key}` is unused and has the same sizes: map it with a rule")),
            _ => None,
        }
    }

    /// The unused tensors by their sizes, in rising order.
    fn unused_by_sizes(&self) -> BTreeMap<Vec<usize>, Vec<usize>> {
        let mut found: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (at, tensor) in self.expansion.checkpoint.tensors.iter().enumerate() {
            if !self.used[at] && !self.expansion.ignored.contains_key(&at) {
                found.entry(sorted(tensor.tensor.view.shape())).or_default().push(at);
            }
        }
        found
    }

    /// Every tensor is used, ignored by a rule, waived, in no state_dict, or unexpected.
    pub(in crate::plan) fn account_for_tensors(
        &mut self,
        options: &PlanOptions,
    ) -> Vec<(StateDictKey, Provenance)> {
        let mut unused = Vec::new();
        let checkpoint = self.expansion.checkpoint;
        let strays: BTreeSet<usize> =
            self.expansion.strays.iter().flat_map(|stray| stray.tensors.iter().copied()).collect();
        for (at, tensor) in checkpoint.tensors.iter().enumerate() {
            if self.used[at] || self.expansion.excused_tensors.contains(&at) {
                continue;
            }
            let key = tensor.key.as_str();
            let relative = self.expansion.source.keys[at];
            let is_named = |glob: &&Glob| glob.matches(key) || glob.matches(relative);
            let ignored = self
                .expansion
                .schema
                .ignore
                .iter()
                .find(is_named)
                .map(|glob| Provenance::Rule(glob.position.clone()))
                .or_else(|| self.expansion.ignored.get(&at).cloned())
                .or_else(|| {
                    let glob = options.allow_unexpected.iter().find(is_named)?;
                    Some(Provenance::Waiver(format!("--allow-unexpected {}", glob.text)))
                })
                .or_else(|| (!tensor.role.is_in_state_dict()).then_some(Provenance::Role(tensor.role)));
            if let Some(provenance) = ignored {
                unused.push((tensor.key.clone(), provenance));
                self.expansion.ignored.insert(at, unused[unused.len() - 1].1.clone());
            } else if !strays.contains(&at) {
                let detail = FaultDetail::Unexpected {
                    key: tensor.key.clone(),
                    shape: tensor.tensor.view.shape().clone(),
                    dtype: tensor.tensor.dtype,
                };
                let module = relative.rsplit_once('.').map_or("", |(module, _)| module);
                let hint = match self.expansion.paired.get(module) {
                    Some(&layer) => format!(
                        "layer `{}` has no variable for it; build the layer with one, or list the tensor in \
                         `source.ignore`",
                        self.expansion.architecture.layers[layer].path
                    ),
                    None => "map it with a rule, or list it in `source.ignore`".to_owned(),
                };
                self.faults.push(Fault { detail, position: None, hint: Some(hint) });
            }
        }
        unused
    }

    /// Modules whose rule leads nowhere, unless another rule or an `ignore` took care of their tensors.
    pub(in crate::plan) fn report_strays(&mut self) {
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        let strays = std::mem::take(&mut self.expansion.strays);
        let told: BTreeSet<usize> = strays
            .iter()
            .filter(|stray| stray.below.is_empty())
            .flat_map(|stray| stray.tensors.clone())
            .collect();
        for Stray { tensors, below, mut fault, wanted, stands } in strays {
            let open = |at: &usize| !self.used[*at] && !self.expansion.ignored.contains_key(at);
            let untouched =
                |at: &usize| open(at) && !told.contains(at) && !self.expansion.excused_tensors.contains(at);
            let is_for_none = !below.is_empty() && below.iter().all(untouched);
            if !stands && !is_for_none && !tensors.iter().any(open) {
                continue;
            }
            // Rules for one module, none of which leads to a layer: other spellings of its path.
            if let FaultDetail::UnknownTarget { torch, keras } = &fault.detail
                && !stands
            {
                let known = first.get(torch).and_then(|&at| self.faults.get_mut(at));
                if let Some(Fault { detail: FaultDetail::UnknownTarget { keras: paths, .. }, .. }) = known {
                    let new = keras.iter().filter(|path| !paths.contains(path)).cloned().collect::<Vec<_>>();
                    paths.extend(new);
                    continue;
                }
                first.insert(torch.clone(), self.faults.len());
            }
            fault.hint = self.expansion.hint(&wanted);
            self.faults.push(fault);
        }
        self.faults.sort_by_key(Fault::kind);
    }
}

/// The sizes of a shape in rising order.
fn sorted(shape: &Shape) -> Vec<usize> {
    let mut sizes = shape.sizes().to_vec();
    sizes.sort_unstable();
    sizes
}
