//! Every source against every target of an operation: where the values of captures stand, and the copies.

use std::collections::BTreeMap;

use super::error::SolveError;
use super::expression::Group;
use super::operation::{Capture, Operation, Slice};
use super::rearrange::{SourcePiece, TargetPiece};
use super::solve::{Side, Sizes, extent, solve};
use crate::tensor::{CopyAxis, Shape, StridedCopy};

/// Elements from one step of each named axis to the next.
type Strides<'a> = Vec<(&'a str, usize)>;

/// Every source against every target, with sizes solved.
pub(super) struct Grid<'a> {
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
    pub(super) fn new(
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
    pub(super) fn check_ragged(&self) -> Result<(), SolveError> {
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
                            let parts: Vec<String> =
                                starts.windows(2).map(|ends| (ends[1] - ends[0]).to_string()).collect();
                            let group = format!("the parts {} of `{}`", parts.join(" + "), capture.name);
                            let shape = shape.clone();
                            return Err(SolveError::Size { side, axis, shape, expected: total, group });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The copies from one source to one target.
    pub(super) fn copies(&self, source: usize, target: usize) -> Result<Vec<StridedCopy>, SolveError> {
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

        let mut copies = vec![StridedCopy { axes: axes.into(), source_offset, target_offset }];
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
    ) -> Result<(usize, Strides<'a>), SolveError> {
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
