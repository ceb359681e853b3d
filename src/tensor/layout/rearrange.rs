//! From a layout and shapes to strided copies.
//!
//! ```text
//! (h d) e -> e h d        source (6, 5), target (5, 2, 3)
//!
//! loop   size   source stride   target stride
//!  e      5          1                6
//!  h      2         15                3
//!  d      3          5                1
//! ```
//!
//! A capture that is an axis has no loop: each of its values is a tensor of its own, and stands at its own
//! offset of the other side.

use std::collections::BTreeMap;

use super::expression::{Group, Layout};
use super::solve::{Side, Sizes, SolveError, extent, size_error, solve};
use crate::tensor::{CopyAxis, Shape, Strided, StridedCopy};

/// The part of a source axis that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// `"start:end"`, as in Python, without negative numbers.
    Range {
        /// The first index.
        start: usize,
        /// One past the last; `None` for all that follow.
        end: Option<usize>,
    },
    /// `"fit"`: the first elements, as many as the target has.
    Fit,
}

/// A capture that stands on one side's names only and is an axis of the other side's tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Its name.
    pub name: String,
    /// The side whose *names* hold it: its values tell that side's tensors apart.
    pub side: Side,
    /// How many values it has.
    pub count: usize,
}

/// A layout with all that modifies it.
#[derive(Debug)]
pub struct Operation<'a> {
    /// The layout.
    pub layout: &'a Layout,
    /// Sizes that are given (in the source, for a sliced axis).
    pub sizes: &'a BTreeMap<String, usize>,
    /// Per axis, which source index each target index reads.
    pub order: &'a BTreeMap<String, Vec<usize>>,
    /// Per axis, the part that is used.
    pub slice: &'a BTreeMap<String, Slice>,
    /// Per axis of the source alone, the one index that is used.
    pub take: &'a BTreeMap<String, usize>,
    /// The captures that are axes.
    pub captures: &'a [Capture],
}

/// One of the tensors on the source side.
#[derive(Debug)]
pub struct SourcePiece<'a> {
    /// Which value of each source capture it stands for, in the order of [`Operation::captures`].
    pub values: Vec<usize>,
    /// Its elements.
    pub view: &'a Strided,
}

/// One of the variables on the target side.
#[derive(Debug)]
pub struct TargetPiece<'a> {
    /// Which value of each target capture it stands for, in the order of [`Operation::captures`].
    pub values: Vec<usize>,
    /// Its shape.
    pub shape: &'a Shape,
}

/// A copy from one source to one target.
#[derive(Debug, PartialEq, Eq)]
pub struct Rearranged {
    /// Index of the source piece.
    pub source: usize,
    /// Index of the target piece.
    pub target: usize,
    /// The copy, in elements of the source's buffer and of the row-major target.
    pub copy: StridedCopy,
}

/// Turns an operation into copies that together write every element of every target once.
///
/// # Errors
/// When the layout does not fit the shapes, or leaves a size open.
pub fn rearrange(
    operation: &Operation<'_>,
    sources: &[SourcePiece<'_>],
    targets: &[TargetPiece<'_>],
) -> Result<Vec<Rearranged>, SolveError> {
    operation.check_names()?;
    let grid = Grid::new(operation, sources, targets)?;
    grid.check_ragged()?;
    let mut copies = Vec::new();
    for source in 0..sources.len() {
        for target in 0..targets.len() {
            for copy in grid.copies(source, target)? {
                copies.push(Rearranged { source, target, copy });
            }
        }
    }
    Ok(copies)
}

impl Operation<'_> {
    pub(super) fn capture(&self, name: &str) -> Option<&Capture> {
        self.captures.iter().find(|capture| capture.name == name)
    }

    pub(super) fn groups(&self, side: Side) -> &[Group] {
        match side {
            Side::Source => self.layout.left(),
            Side::Target => self.layout.right(),
        }
    }

    pub(super) fn size(&self, side: Side, name: &str, sizes: &Sizes) -> usize {
        match self.capture(name) {
            Some(capture) => capture.count,
            None => sizes.get(name).map_or(0, |size| size.on(side)),
        }
    }

    /// Every name is an axis where it must be one, and no source axis is lost.
    fn check_names(&self) -> Result<(), SolveError> {
        let layout = self.layout;
        let unknown = |axis: &str, keyword| Err(SolveError::UnknownAxis { axis: axis.to_owned(), keyword });
        for capture in self.captures {
            let (own, other) = match capture.side {
                Side::Source => (layout.has_left(&capture.name), layout.has_right(&capture.name)),
                Side::Target => (layout.has_right(&capture.name), layout.has_left(&capture.name)),
            };
            if own || !other {
                return unknown(&capture.name, "a capture");
            }
        }
        for axis in self.take.keys() {
            if !layout.has_left(axis) || layout.has_right(axis) || self.capture(axis).is_some() {
                return unknown(axis, "take");
            }
        }
        for axis in self.slice.keys() {
            if !layout.has_left(axis) || !layout.has_right(axis) {
                return unknown(axis, "slice");
            }
        }
        for axis in self.sizes.keys() {
            if !layout.has_left(axis) && !layout.has_right(axis) || self.capture(axis).is_some() {
                return unknown(axis, "sizes");
            }
        }
        for axis in self.order.keys() {
            let both = layout.has_left(axis) && layout.has_right(axis) && !self.slice.contains_key(axis);
            if !both && self.capture(axis).is_none() {
                return unknown(axis, "order");
            }
        }
        match layout.left_axes().find(|axis| {
            !layout.has_right(axis) && self.capture(axis).is_none() && !self.take.contains_key(*axis)
        }) {
            Some(axis) => Err(SolveError::Lost { axis: axis.to_owned() }),
            None => Ok(()),
        }
    }

    /// The `order` of an axis of that size, checked.
    fn order(&self, axis: &str, size: usize) -> Result<Option<&[usize]>, SolveError> {
        let Some(order) = self.order.get(axis) else { return Ok(None) };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.into_iter().eq(0..size) {
            Ok(Some(order))
        } else {
            Err(SolveError::NotAPermutation { axis: axis.to_owned(), size })
        }
    }

    /// Which value of a capture stands at each place of its axis.
    fn places(&self, capture: &Capture) -> Result<Vec<usize>, SolveError> {
        Ok(match (self.order(&capture.name, capture.count)?, capture.side) {
            (None, _) => (0..capture.count).collect(),
            // The axis is the target's: place j reads the source `order[j]`.
            (Some(order), Side::Source) => order.to_vec(),
            // The axis is the source's: the target j reads place `order[j]`.
            (Some(order), Side::Target) => {
                let mut places = vec![0; order.len()];
                for (value, &place) in order.iter().enumerate() {
                    places[place] = value;
                }
                places
            }
        })
    }
}

/// Every source against every target, with sizes solved.
struct Grid<'a> {
    operation: &'a Operation<'a>,
    sources: &'a [SourcePiece<'a>],
    targets: &'a [TargetPiece<'a>],
    /// Sizes per pair, source by source.
    sizes: Vec<Sizes>,
    /// Per capture, which value stands at each place.
    places: BTreeMap<&'a str, Vec<usize>>,
    source_index: BTreeMap<Vec<usize>, usize>,
    target_index: BTreeMap<Vec<usize>, usize>,
}

impl<'a> Grid<'a> {
    fn new(
        operation: &'a Operation<'a>,
        sources: &'a [SourcePiece<'a>],
        targets: &'a [TargetPiece<'a>],
    ) -> Result<Self, SolveError> {
        let source_index = index(operation, Side::Source, sources.iter().map(|piece| &piece.values))?;
        let target_index = index(operation, Side::Target, targets.iter().map(|piece| &piece.values))?;
        let mut sizes = Vec::with_capacity(sources.len() * targets.len());
        for source in sources {
            for target in targets {
                sizes.push(solve(operation, source.view.shape(), target.shape)?);
            }
        }
        let mut places = BTreeMap::new();
        for capture in operation.captures {
            places.insert(capture.name.as_str(), operation.places(capture)?);
        }
        Ok(Self { operation, sources, targets, sizes, places, source_index, target_index })
    }

    fn sizes(&self, source: usize, target: usize) -> &Sizes {
        &self.sizes[source * self.targets.len() + target]
    }

    fn shape(&self, side: Side, source: usize, target: usize) -> &Shape {
        match side {
            Side::Source => self.sources[source].view.shape(),
            Side::Target => self.targets[target].shape,
        }
    }

    /// The pair that differs from this one in one capture's value alone.
    fn sibling(&self, source: usize, target: usize, capture: &Capture, value: usize) -> (usize, usize) {
        let at = self.rank_of(capture);
        match capture.side {
            Side::Source => {
                let mut values = self.sources[source].values.clone();
                values[at] = value;
                (self.source_index[&values], target)
            }
            Side::Target => {
                let mut values = self.targets[target].values.clone();
                values[at] = value;
                (source, self.target_index[&values])
            }
        }
    }

    /// Where a capture stands among those of its side.
    fn rank_of(&self, capture: &Capture) -> usize {
        let captures = self.operation.captures.iter().filter(|other| other.side == capture.side);
        captures.take_while(|other| other.name != capture.name).count()
    }

    fn value(&self, source: usize, target: usize, capture: &Capture) -> usize {
        let at = self.rank_of(capture);
        match capture.side {
            Side::Source => self.sources[source].values[at],
            Side::Target => self.targets[target].values[at],
        }
    }

    /// Where the parts of a leading capture begin on its axis, by place, and last where they end.
    fn starts(
        &self,
        side: Side,
        group: &Group,
        capture: &Capture,
        source: usize,
        target: usize,
    ) -> Result<Vec<usize>, SolveError> {
        let mut starts = vec![0];
        let mut end = 0_usize;
        for &value in &self.places[capture.name.as_str()] {
            let (source, target) = self.sibling(source, target, capture, value);
            let part = extent(self.operation, side, &group[1..], self.sizes(source, target))?;
            end = end.checked_add(part).ok_or(SolveError::Overflow { side })?;
            starts.push(end);
        }
        Ok(starts)
    }

    /// The parts of every axis led by a capture add up to the axis.
    fn check_ragged(&self) -> Result<(), SolveError> {
        for source in 0..self.sources.len() {
            for target in 0..self.targets.len() {
                for side in [Side::Source, Side::Target] {
                    for (axis, group) in self.operation.groups(side).iter().enumerate() {
                        let Some(capture) = group.first().and_then(|name| self.operation.capture(name))
                        else {
                            continue;
                        };
                        let starts = self.starts(side, group, capture, source, target)?;
                        let shape = self.shape(side, source, target);
                        let total = starts[starts.len() - 1];
                        if total != shape.sizes()[axis] {
                            let sizes = self.sizes(source, target);
                            return Err(size_error(self.operation, side, axis, shape, total, sizes));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The copies from one source to one target.
    fn copies(&self, source: usize, target: usize) -> Result<Vec<StridedCopy>, SolveError> {
        let view = self.sources[source].view;
        let target_strides = self.targets[target].shape.contiguous_strides();
        let (mut source_offset, read) = self.steps(Side::Source, view.strides(), source, target)?;
        let (target_offset, mut written) = self.steps(Side::Target, &target_strides, source, target)?;
        source_offset += view.offset();
        let sizes = self.sizes(source, target);

        let mut axes = Vec::new();
        let mut ordered = Vec::new();
        for (name, source_stride) in read {
            let Some(at) = written.iter().position(|(other, _)| *other == name) else {
                // Only what `take` names is read but not written.
                let (size, index) = (sizes[name].source, self.operation.take[name]);
                if index >= size {
                    return Err(SolveError::TakeOutOfRange { axis: name.to_owned(), index, size });
                }
                source_offset += index * source_stride;
                continue;
            };
            let (_, target_stride) = written.swap_remove(at);
            if let Some(&Slice::Range { start, .. }) = self.operation.slice.get(name) {
                source_offset += start * source_stride;
            }
            let axis = CopyAxis { size: sizes[name].target, source_stride, target_stride };
            match self.operation.order(name, axis.size)? {
                Some(order) => ordered.push((axis, order)),
                None => axes.push(axis),
            }
        }
        // What stands on the right alone repeats.
        for (name, target_stride) in written {
            axes.push(CopyAxis { size: sizes[name].target, source_stride: 0, target_stride });
        }
        axes.sort_by_key(|axis| std::cmp::Reverse(axis.target_stride));

        let mut copies = vec![StridedCopy { axes, source_offset, target_offset }];
        for (axis, order) in ordered {
            let expand = |copy: StridedCopy| {
                order.iter().enumerate().map(move |(to, from)| StridedCopy {
                    source_offset: copy.source_offset + from * axis.source_stride,
                    target_offset: copy.target_offset + to * axis.target_stride,
                    axes: copy.axes.clone(),
                })
            };
            copies = copies.into_iter().flat_map(expand).collect();
        }
        Ok(copies)
    }

    /// The offset that the captures' values make on one side, and the stride of every other axis.
    fn steps(
        &self,
        side: Side,
        strides: &[usize],
        source: usize,
        target: usize,
    ) -> Result<(usize, Vec<(&'a str, usize)>), SolveError> {
        let sizes = self.sizes(source, target);
        let mut offset = 0;
        let mut steps = Vec::new();
        for (group, &stride) in self.operation.groups(side).iter().zip(strides) {
            let mut step = stride;
            for (at, name) in group.iter().enumerate().rev() {
                match self.operation.capture(name) {
                    None => steps.push((name.as_str(), step)),
                    Some(capture) => {
                        let value = self.value(source, target, capture);
                        let place = self.places[name.as_str()].iter().position(|&other| other == value);
                        let place = place.unwrap_or(0);
                        offset += if at == 0 {
                            self.starts(side, group, capture, source, target)?[place] * stride
                        } else {
                            place * step
                        };
                    }
                }
                step *= self.operation.size(side, name, sizes).max(1);
            }
        }
        Ok((offset, steps))
    }
}

/// Finds pieces by their captures' values; every combination must be there once.
fn index<'a>(
    operation: &Operation<'_>,
    side: Side,
    values: impl ExactSizeIterator<Item = &'a Vec<usize>>,
) -> Result<BTreeMap<Vec<usize>, usize>, SolveError> {
    let expected = operation
        .captures
        .iter()
        .filter(|capture| capture.side == side)
        .try_fold(1_usize, |product, capture| product.checked_mul(capture.count))
        .ok_or(SolveError::Overflow { side })?;
    let found = values.len();
    let index: BTreeMap<Vec<usize>, usize> =
        values.cloned().enumerate().map(|(at, values)| (values, at)).collect();
    if index.len() == expected && found == expected {
        Ok(index)
    } else {
        Err(SolveError::MissingPiece { side, expected, found })
    }
}

#[cfg(test)]
mod tests;
