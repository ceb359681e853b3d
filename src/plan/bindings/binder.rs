//! Claims to bindings: layouts solved against shapes, element types decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::axes::Axes;
use super::solved::Solved;
use crate::checkpoint::{Checkpoint, Tensor};
use crate::keras::Architecture;
use crate::plan::claims::expansion::Claim;
use crate::plan::derived::derive::{self, Derived};
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::plan::faults::hints;
use crate::plan::options::PlanOptions;
use crate::plan::outcome::{Binding, Derivation, Part, Provenance, Term, Value};
use crate::schema::{CaptureValue, Captures, Class, Reduce};
use crate::tensor::{
    Capture, CopyAxis, Dtype, Layout, Side, SolveError, SourcePiece, StateDictKey, StridedCopy, TargetPiece,
};

/// What a claim is bound with.
pub(in crate::plan) struct Binder<'a> {
    pub(in crate::plan) checkpoint: &'a Checkpoint,
    /// Tensors that are computed from those of the checkpoint, and counted after them.
    pub(in crate::plan) derived: &'a [Derived],
    pub(in crate::plan) architecture: &'a Architecture,
    /// The classes of layers, for hints.
    pub(in crate::plan) classes: &'a BTreeMap<String, Arc<Class>>,
    /// What the caller decides.
    pub(in crate::plan) options: &'a PlanOptions,
    /// Layouts that were solved before. Each thread that binds many begins anew ([`Binder::bind_batches`]), so that none
    /// waits for another.
    pub(in crate::plan) solved: Solved,
}

/// The bindings of a claim: mostly one.
pub(in crate::plan) type Bindings = SmallVec<[Binding; 1]>;

/// What covers a variable once: copies, each from a tensor.
pub(super) type Copies = SmallVec<[(usize, StridedCopy); 1]>;

/// The terms of a value.
pub(super) type Terms = SmallVec<[Copies; 1]>;

/// A value per target of a claim, as the sum of its terms. Most claims have one target, of one term that is one copy.
pub(super) type Solution = SmallVec<[Terms; 1]>;

/// The layout that fits (none for a copy of equal shape), and what it makes.
type Fitting<'a> = (Option<&'a Layout>, Solution);

/// Why one layout gives no solution.
pub(super) enum Refusal {
    Solve(SolveError),
    Fault(Box<FaultDetail>),
}

impl From<SolveError> for Refusal {
    fn from(error: SolveError) -> Self {
        Self::Solve(error)
    }
}

impl Binder<'_> {
    fn derived(&self, at: usize) -> Option<&Derived> {
        self.derived.get(at.checked_sub(self.checkpoint.tensors.len())?)
    }

    /// How a tensor is computed, if it is.
    pub(in crate::plan) fn derivation(&self, at: usize) -> Option<&Derivation> {
        self.derived(at).map(|derived| &*derived.derivation)
    }

    pub(in crate::plan) fn tensor(&self, at: usize) -> &Tensor {
        derive::tensor(self.checkpoint, self.derived, at)
    }

    /// The tensors of the checkpoint that a claim reads.
    pub(in crate::plan) fn inputs<'c>(&'c self, claim: &'c Claim<'_>) -> impl Iterator<Item = usize> + 'c {
        let terms = claim.terms.iter().flat_map(|(_, sources)| sources);
        let inputs_of = |at| derive::inputs_of(self.derived, self.checkpoint.tensors.len(), at);
        claim.sources.iter().chain(terms).flat_map(move |(_, at)| inputs_of(at)).copied()
    }

    /// The bindings of a claim.
    pub(super) fn bind(&self, claim: &Claim<'_>) -> Result<Bindings, Box<Fault>> {
        self.check_groups(claim)?;
        let (layout, mut solution) = self.solve(claim)?;
        self.add_terms(claim, &mut solution)?;
        let arithmetic = claim.rule.arithmetic;
        let bind = |((_, variable), terms): (&(Captures, usize), Terms)| {
            let target = &self.architecture.variables[*variable];
            let dtype = self.stored_dtype(target.dtype);
            if !arithmetic.is_none() && !dtype.is_float() {
                let variable = target.path.clone();
                let hint = "whole numbers are copied or added; leave `scale`, `offset` and `round` out";
                return Err(fault(claim, FaultDetail::Arithmetic { variable, dtype }, Some(hint.to_owned())));
            }
            let is_sum = terms.len() > 1 || !arithmetic.is_none();
            for &(tensor, _) in terms.iter().flatten() {
                let tensor = self.tensor(tensor);
                if !convertible(tensor.tensor.dtype, dtype, is_sum) {
                    let hint = hints::conversion(tensor.tensor.dtype, dtype);
                    let detail = FaultDetail::Dtype {
                        key: tensor.key.clone(),
                        source_dtype: tensor.tensor.dtype,
                        variable: target.path.clone(),
                        target_dtype: dtype,
                    };
                    return Err(fault(claim, detail, hint));
                }
            }
            let part = |(tensor, copy): (usize, StridedCopy)| {
                let derivation = self.derived(tensor).map(|derived| Arc::clone(&derived.derivation));
                let tensor = self.tensor(tensor);
                Part { key: tensor.key.clone(), source: tensor.tensor.clone(), copy, derivation }
            };
            // With room for no more: most bindings of a model have one part, and are kept until it is written.
            let term = |copies: Copies| {
                let mut parts = Vec::with_capacity(copies.len());
                parts.extend(copies.into_iter().map(part));
                Term { parts }
            };
            let mut sum = Vec::with_capacity(terms.len());
            sum.extend(terms.into_iter().map(term));
            Ok(Binding {
                variable: *variable,
                dtype,
                value: Value::Gather(sum),
                arithmetic,
                provenance: claim.provenance.clone(),
                layout: layout.map_or_else(Arc::default, |layout| said(layout, &claim.sizes)),
            })
        };
        claim.targets.iter().zip(solution).map(bind).collect()
    }

    /// The element type in the file of a variable that the model holds in `dtype`.
    pub(in crate::plan) fn stored_dtype(&self, dtype: Dtype) -> Dtype {
        self.options.stored_dtype(self.architecture, dtype)
    }

    /// Adds the terms of a claim to the values of its targets. A term that no capture splits is one of each target.
    fn add_terms(&self, claim: &Claim<'_>, solution: &mut Solution) -> Result<(), Box<Fault>> {
        for (rule, sources) in &claim.terms {
            let splits = |name: &str| rule.layouts.iter().any(|layout| layout.has_left(name));
            let is_split = claim.targets.iter().any(|(captures, _)| captures.keys().any(&splits));
            let groups: Vec<std::ops::Range<usize>> = if is_split {
                std::iter::once(0..claim.targets.len()).collect()
            } else {
                (0..claim.targets.len()).map(|at| at..at + 1).collect()
            };
            for group in groups {
                let term = Claim {
                    provenance: claim.provenance.clone(),
                    rule,
                    captures: Captures::new(),
                    layouts: rule.layouts.iter().collect(),
                    sizes: BTreeMap::new(),
                    sources: sources.clone(),
                    targets: claim.targets[group.clone()].into(),
                    keras: claim.keras.filter(|_| is_split),
                    terms: Vec::new(),
                    rivals: Vec::new(),
                    expands: false,
                };
                let (_, found) = self.solve(&term)?;
                for (terms, found) in solution[group].iter_mut().zip(found) {
                    terms.extend(found);
                }
            }
        }
        Ok(())
    }

    /// The one layout that fits. Several that fit and agree are as good as one.
    pub(super) fn solve<'c>(&self, claim: &Claim<'c>) -> Result<Fitting<'c>, Box<Fault>> {
        if let Some(keys) = self.twins(claim) {
            let (_, target) = self.first_pair(claim);
            let detail = FaultDetail::SeveralSources { variable: target.path.clone(), keys };
            let hint = "their names are the same under the schema's prefixes: leave all of these but one out of `source.prefix`";
            return Err(fault(claim, detail, Some(hint.to_owned())));
        }
        if claim.layouts.is_empty() {
            return match self.attempt(claim, None) {
                Ok(solution) => match self.rival(claim, &solution, self.class_layouts(claim).iter()) {
                    Some(rival) => Err(self.several(claim, "no layout: a copy", rival.as_str())),
                    None => Ok((None, solution)),
                },
                Err(Refusal::Fault(detail)) => Err(fault(claim, *detail, None)),
                Err(Refusal::Solve(_)) => Err(self.misfit(claim, Vec::new())),
            };
        }
        let mut found: Option<(&Layout, Solution)> = None;
        let mut attempts = Vec::new();
        let mut refused = None;
        for &layout in &claim.layouts {
            match (self.attempt(claim, Some(layout)), &found) {
                (Ok(solution), None) => found = Some((layout, solution)),
                (Ok(solution), Some((first, other))) if !equal(&solution, other) => {
                    return Err(self.several(claim, first.as_str(), layout.as_str()));
                }
                (Ok(_), Some(_)) => {}
                (Err(Refusal::Solve(reason)), _) => attempts.push(self.refused(claim, layout, reason)),
                (Err(Refusal::Fault(detail)), _) => refused = Some(detail),
            }
        }
        match (found, refused) {
            (Some((layout, solution)), _) => {
                match self.rival(claim, &solution, claim.rivals.iter().copied()) {
                    Some(rival) => Err(self.untold(claim, layout.as_str(), rival.as_str())),
                    None => Ok((Some(layout), solution)),
                }
            }
            (None, Some(detail)) => Err(fault(claim, *detail, None)),
            (None, None) => Err(self.misfit(claim, attempts)),
        }
    }

    /// Tensors that no capture tells apart: they have one name under the schema's prefix.
    fn twins(&self, claim: &Claim<'_>) -> Option<Vec<StateDictKey>> {
        if claim.sources.len() < 2 {
            return None;
        }
        let mut seen = BTreeMap::new();
        claim.sources.iter().find_map(|(captures, tensor)| {
            let other = seen.insert(captures, *tensor)?;
            Some([other, *tensor].map(|at| self.tensor(at).key.clone()).to_vec())
        })
    }

    /// A layout that fits as well and gives something else.
    fn rival<'r>(
        &self,
        claim: &Claim<'_>,
        solution: &Solution,
        mut rivals: impl Iterator<Item = &'r Layout>,
    ) -> Option<&'r Layout> {
        rivals.find(|rival| self.attempt(claim, Some(rival)).is_ok_and(|other| !equal(&other, solution)))
    }

    pub(in crate::plan) fn first_pair<'s>(
        &'s self,
        claim: &Claim<'_>,
    ) -> (&'s Tensor, &'s crate::keras::Variable) {
        (self.tensor(claim.sources[0].1), &self.architecture.variables[claim.targets[0].1])
    }

    pub(super) fn attempt(&self, claim: &Claim<'_>, layout: Option<&Layout>) -> Result<Solution, Refusal> {
        let (torch, keras) = axes(claim, layout);
        let variable = || self.architecture.variables[claim.targets[0].1].path.clone();
        if let Some((capture, missing)) = torch.missing().or_else(|| keras.missing()) {
            let detail = FaultDetail::IncompleteCapture { variable: variable(), capture, missing };
            return Err(Refusal::Fault(Box::new(detail)));
        }
        if let ([(_, source)], [(_, target)], Some(layout)) = (&*claim.sources, &*claim.targets, layout)
            && torch.is_empty()
            && keras.is_empty()
        {
            // What most are, and what the rest comes down to.
            let view = &self.tensor(*source).tensor.view;
            let shape = &self.architecture.variables[*target].shape;
            let sizes = claim.given();
            let operation = claim.operation(layout, &sizes, &[]);
            let source_piece = SourcePiece { values: Vec::new(), view };
            let target_piece = TargetPiece { values: Vec::new(), shape };
            let found = self.solved.rearrange(&operation, &[source_piece], &[target_piece])?;
            let copies: Copies = found.into_iter().map(|found| (*source, found.copy)).collect();
            return Ok(smallvec![smallvec![copies]]);
        }
        let mut terms: BTreeMap<Vec<&CaptureValue>, Vec<(Vec<usize>, usize)>> = BTreeMap::new();
        for (captures, tensor) in &claim.sources {
            let reduced =
                captures.iter().filter(|(name, _)| !torch.is_axis(name)).map(|(_, value)| value).collect();
            terms.entry(reduced).or_default().push((torch.places(captures), *tensor));
        }
        if terms.len() > 1 && claim.rule.reduce != Some(Reduce::Sum) {
            let keys = claim.sources.iter().map(|(_, at)| self.tensor(*at).key.clone()).collect();
            return Err(Refusal::Fault(Box::new(FaultDetail::SeveralSources { variable: variable(), keys })));
        }
        let targets: Vec<TargetPiece<'_>> = claim
            .targets
            .iter()
            .map(|(captures, at)| TargetPiece {
                values: keras.places(captures),
                shape: &self.architecture.variables[*at].shape,
            })
            .collect();
        let captures: Vec<Capture> = torch.captures().chain(keras.captures()).collect();
        let sizes = claim.given();
        let mut solution: Solution = smallvec![Terms::new(); targets.len()];
        for sources in terms.into_values() {
            let views: Vec<&crate::tensor::Strided> =
                sources.iter().map(|(_, at)| &self.tensor(*at).tensor.view).collect();
            let Some(layout) = layout else {
                if let Some(capture) = keras.captures().next() {
                    return Err(SolveError::UnknownAxis { axis: capture.name, keyword: "a capture" }.into());
                }
                let copy = identity(views[0], targets[0].shape)?;
                solution[0].push(smallvec![(sources[0].1, copy)]);
                continue;
            };
            let operation = claim.operation(layout, &sizes, &captures);
            let pieces: Vec<SourcePiece<'_>> = sources
                .iter()
                .zip(&views)
                .map(|((values, _), view)| SourcePiece { values: values.clone(), view })
                .collect();
            for term in &mut solution {
                term.push(Copies::new());
            }
            for found in self.solved.rearrange(&operation, &pieces, &targets)? {
                if let Some(parts) = solution[found.target].last_mut() {
                    parts.push((sources[found.source].1, found.copy));
                }
            }
        }
        Ok(solution)
    }
}

/// The captures that are axes of a layout: of the torch side, and of the keras side.
pub(super) fn axes<'c>(claim: &'c Claim<'_>, layout: Option<&Layout>) -> (Axes<'c>, Axes<'c>) {
    let is_axis = |name: &str| layout.is_some_and(|layout| layout.has_right(name));
    let is_reduced = claim.rule.reduce.is_some();
    let torch = Axes::new(&claim.rule.torch, Side::Source, &claim.sources, is_axis, is_reduced);
    let keras = match claim.keras {
        Some(pattern) => Axes::new(pattern, Side::Target, &claim.targets, |_| true, false),
        None => Axes::default(),
    };
    (torch, keras)
}

/// A layout with the sizes that the architecture gave to it.
fn said(layout: &Layout, sizes: &BTreeMap<String, usize>) -> Arc<str> {
    let sizes: Vec<String> =
        layout.right_axes().filter_map(|axis| sizes.get(axis).map(|size| format!("{axis}={size}"))).collect();
    if sizes.is_empty() { layout.text() } else { format!("{layout}, {}", sizes.join(" ")).into() }
}

/// A fault of a claim, at its layout where that is to blame.
pub(in crate::plan) fn fault(claim: &Claim<'_>, detail: FaultDetail, hint: Option<String>) -> Box<Fault> {
    let position = match (&detail, &claim.rule.layout_position) {
        (FaultDetail::Shape { .. } | FaultDetail::SeveralLayouts { .. }, Some(position))
            if !matches!(claim.provenance, Provenance::Class { .. }) =>
        {
            Some(position.clone())
        }
        _ => claim.provenance.position().cloned(),
    };
    Box::new(Fault { detail, position, hint })
}

/// A copy of equal shape.
fn identity(view: &crate::tensor::Strided, shape: &crate::tensor::Shape) -> Result<StridedCopy, SolveError> {
    if view.shape() != shape {
        return Err(SolveError::Rank {
            side: Side::Source,
            shape: view.shape().clone(),
            expected: shape.rank(),
        });
    }
    let strides = shape.contiguous_strides();
    let axis = |((&size, &source_stride), target_stride)| CopyAxis { size, source_stride, target_stride };
    let axes = shape.sizes().iter().zip(view.strides()).zip(strides).map(axis).collect();
    Ok(StridedCopy { axes, source_offset: view.offset(), target_offset: 0 })
}

pub(super) fn equal(one: &Solution, other: &Solution) -> bool {
    let collapsed = |solution: &Solution| -> Solution {
        let collapse = |(tensor, copy): &(usize, StridedCopy)| (*tensor, copy.collapse());
        let terms = |terms: &Terms| terms.iter().map(|parts| parts.iter().map(collapse).collect()).collect();
        solution.iter().map(terms).collect()
    };
    collapsed(one) == collapsed(other)
}

/// Whether values of one type, or sums of them, may become values of the other: floats become floats, whole
/// numbers and bools anything that holds numbers; a fraction never becomes a whole number, and what is complex
/// never becomes anything else. Two numbers in a byte were taken out before.
fn convertible(source: Dtype, target: Dtype, is_sum: bool) -> bool {
    if source.is_complex() || target.is_complex() {
        return source == target && !is_sum;
    }
    source == target || source.fits_exactly(target) || target.is_float() && source != Dtype::F4E2m1fnX2
}
