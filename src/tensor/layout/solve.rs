//! The sizes of a layout's axes, from both shapes.

use std::collections::BTreeMap;
use std::fmt;

use super::error::SolveError;
use super::operation::{Operation, Slice};
use crate::tensor::Shape;

/// A side of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The left: the checkpoint's tensor.
    Source,
    /// The right: the Keras variable.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "tensor",
            Self::Target => "variable",
        })
    }
}

/// An axis' size on each side; they differ only where the axis is sliced. 0 on a side that lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct AxisSize {
    pub(super) source: usize,
    pub(super) target: usize,
}

/// The sizes of all axes that are not captures, for one source and one target.
pub(super) type Sizes = BTreeMap<String, AxisSize>;

/// One axis of one tensor: its size is the product of its names' sizes.
struct Equation<'a> {
    side: Side,
    axis: usize,
    shape: &'a Shape,
    group: &'a [String],
    /// Led by a capture, whose values may have parts of unequal size.
    ragged: bool,
}

/// Sizes while they are being found.
struct Unknowns<'a> {
    operation: &'a Operation<'a>,
    source: BTreeMap<&'a str, Option<usize>>,
    target: BTreeMap<&'a str, Option<usize>>,
}

/// Solves the sizes for one source and one target.
pub(super) fn solve(operation: &Operation<'_>, source: &Shape, target: &Shape) -> Result<Sizes, SolveError> {
    let equations = equations(operation, source, target)?;
    let sizes = Unknowns::found(operation, &equations)?.finish()?;
    for equation in equations.iter().filter(|equation| !equation.ragged) {
        equation.verify(operation, &sizes)?;
    }
    Ok(sizes)
}

/// The products that stay open for one source and one target: the axes that nothing determines, and what they make.
pub(super) fn open<'a>(
    operation: &'a Operation<'a>,
    source: &'a Shape,
    target: &'a Shape,
) -> Result<Vec<(Vec<&'a str>, usize)>, SolveError> {
    let equations = equations(operation, source, target)?;
    let unknowns = Unknowns::found(operation, &equations)?;
    let mut open = Vec::new();
    for equation in &equations {
        let (unknown, known) = unknowns.factors(equation)?;
        if !unknown.is_empty() && known > 0 {
            open.push((unknown, equation.size() / known));
        }
    }
    Ok(open)
}

fn equations<'a>(
    operation: &'a Operation<'a>,
    source: &'a Shape,
    target: &'a Shape,
) -> Result<Vec<Equation<'a>>, SolveError> {
    let layout = operation.layout;
    let mut equations = Vec::new();
    for (side, shape, groups) in
        [(Side::Source, source, layout.left()), (Side::Target, target, layout.right())]
    {
        if shape.rank() != groups.len() {
            return Err(SolveError::Rank { side, shape: shape.clone(), expected: groups.len() });
        }
        for (axis, group) in groups.iter().enumerate() {
            let ragged = group.first().is_some_and(|name| operation.capture(name).is_some());
            equations.push(Equation { side, axis, shape, group, ragged });
        }
    }
    Ok(equations)
}

impl<'a> Unknowns<'a> {
    fn new(operation: &'a Operation<'a>) -> Self {
        let layout = operation.layout;
        let given = |name: &'a str| (name, operation.sizes.get(name).copied());
        let sliced = |name: &str| operation.slice.contains_key(name);
        let source = layout.left_axes().filter(|name| operation.capture(name).is_none()).map(given).collect();
        let target = layout
            .right_axes()
            .filter(|name| operation.capture(name).is_none())
            .map(|name| if sliced(name) { (name, None) } else { given(name) })
            .collect();
        Self { operation, source, target }
    }

    /// What the equations determine.
    fn found(operation: &'a Operation<'a>, equations: &[Equation<'a>]) -> Result<Self, SolveError> {
        let mut unknowns = Self::new(operation);
        unknowns.propagate(equations, false)?;
        // Parts of equal size are assumed only for what nothing else determines.
        unknowns.propagate(equations, true)?;
        Ok(unknowns)
    }

    /// The names of an equation's axis that are unknown, and the product of the others.
    fn factors(&self, equation: &Equation<'a>) -> Result<(Vec<&'a str>, usize), SolveError> {
        let sizes = match equation.side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        let mut known = 1_usize;
        let mut unknown = Vec::new();
        for name in equation.group {
            let size = match self.operation.capture(name) {
                Some(capture) => Some(capture.count),
                None => sizes.get(name.as_str()).copied().flatten(),
            };
            match size {
                Some(size) => {
                    known = known.checked_mul(size).ok_or(SolveError::Overflow { side: equation.side })?;
                }
                None => unknown.push(name.as_str()),
            }
        }
        Ok((unknown, known))
    }

    /// Solves every equation with one unknown until none is left.
    fn propagate(&mut self, equations: &[Equation<'a>], with_ragged: bool) -> Result<(), SolveError> {
        loop {
            let mut progress = self.link()?;
            for equation in equations {
                if with_ragged || !equation.ragged {
                    progress |= self.solve_equation(equation)?;
                }
            }
            if !progress {
                return Ok(());
            }
        }
    }

    /// Carries sizes from one side to the other, through slices.
    fn link(&mut self) -> Result<bool, SolveError> {
        let mut progress = false;
        for (name, source) in &mut self.source {
            let Some(target) = self.target.get_mut(name) else { continue };
            let (from_source, from_target) = match self.operation.slice.get(*name) {
                None => (*source, *target),
                Some(Slice::Fit) => (None, None),
                Some(&Slice::Range { start, end }) => {
                    let used = match (end, *source) {
                        (Some(end), _) => Some(end.saturating_sub(start)),
                        (None, Some(size)) => {
                            let out_of_range =
                                || SolveError::SliceOutOfRange { axis: (*name).to_owned(), size };
                            Some(size.checked_sub(start).ok_or_else(out_of_range)?)
                        }
                        (None, None) => None,
                    };
                    let whole =
                        if end.is_none() { target.and_then(|size| size.checked_add(start)) } else { None };
                    (used, whole)
                }
            };
            if target.is_none() && from_source.is_some() {
                *target = from_source;
                progress = true;
            }
            if source.is_none() && from_target.is_some() {
                *source = from_target;
                progress = true;
            }
        }
        Ok(progress)
    }

    fn solve_equation(&mut self, equation: &Equation<'a>) -> Result<bool, SolveError> {
        let (unknown, known) = self.factors(equation)?;
        let &[name] = unknown.as_slice() else { return Ok(false) };
        let size = equation.size();
        if known == 0 {
            return Ok(false);
        }
        if !size.is_multiple_of(known) {
            return Err(SolveError::Indivisible {
                side: equation.side,
                axis: equation.axis,
                shape: equation.shape.clone(),
                divisor: known,
                group: equation.group.join(" "),
            });
        }
        let sizes = match equation.side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        };
        sizes.insert(name, Some(size / known));
        Ok(true)
    }

    fn finish(self) -> Result<Sizes, SolveError> {
        let mut sizes = Sizes::new();
        let undetermined = |name: &str| SolveError::Undetermined { axis: name.to_owned() };
        for (name, size) in self.source {
            sizes.entry(name.to_owned()).or_default().source = size.ok_or_else(|| undetermined(name))?;
        }
        for (name, size) in self.target {
            let size = size.ok_or_else(|| undetermined(name))?;
            let both = sizes.entry(name.to_owned()).or_default();
            both.target = size;
            if !self.operation.layout.has_left(name) {
                continue;
            }
            let used = match self.operation.slice.get(name) {
                None => both.source,
                Some(&Slice::Range { start, end }) => {
                    let end = end.unwrap_or(both.source);
                    if end > both.source || start > end {
                        return Err(SolveError::SliceOutOfRange { axis: name.to_owned(), size: both.source });
                    }
                    end - start
                }
                Some(Slice::Fit) if size > both.source => {
                    return Err(SolveError::SliceOutOfRange { axis: name.to_owned(), size: both.source });
                }
                Some(Slice::Fit) => size,
            };
            if used != size {
                return Err(SolveError::Unequal {
                    axis: name.to_owned(),
                    source_size: used,
                    target_size: size,
                });
            }
        }
        Ok(sizes)
    }
}

impl Equation<'_> {
    fn size(&self) -> usize {
        self.shape.sizes()[self.axis]
    }

    fn verify(&self, operation: &Operation<'_>, sizes: &Sizes) -> Result<(), SolveError> {
        let expected = extent(operation, self.side, self.group, sizes)?;
        if expected == self.size() {
            return Ok(());
        }
        let named: Vec<String> = self
            .group
            .iter()
            .map(|name| format!("{name}={}", operation.size(self.side, name, sizes)))
            .collect();
        let group = if named.is_empty() { "a unit axis".to_owned() } else { named.join(" ") };
        Err(SolveError::Size { side: self.side, axis: self.axis, shape: self.shape.clone(), expected, group })
    }
}

/// The product of the sizes of these names.
pub(super) fn extent(
    operation: &Operation<'_>,
    side: Side,
    names: &[String],
    sizes: &Sizes,
) -> Result<usize, SolveError> {
    names.iter().try_fold(1_usize, |product, name| {
        product.checked_mul(operation.size(side, name, sizes)).ok_or(SolveError::Overflow { side })
    })
}

impl AxisSize {
    pub(super) const fn on(self, side: Side) -> usize {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }
}
