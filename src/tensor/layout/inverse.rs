//! What an operation does to the elements as a whole, and the one that undoes it.
//!
//! ```text
//! (h d) e -> e h d            every element once: undone by e h d -> (h d) e
//! v d -> v d, slice v = 2:    some elements are left out: undone on the part that is used, all but two rows
//! p c -> c, take p = 1        the same: undone by c -> p c on the row that is used, of size 1
//! c -> h w c                  elements repeat: undone by h w c -> c, take h = 0 and w = 0
//! ```
//!
//! What is left out is lost: no inverse brings it back. A sum of terms is no single operation, and has none.
//!
//! A capture changes sides: what stacked the tensors `e` of one side splits them for the other.

use std::collections::BTreeMap;

use super::error::SolveError;
use super::expression::Layout;
use super::operation::{Capture, Operation, Slice};
use super::solve::{AxisSize, Side, extent, size_error, solve};
use crate::tensor::{CopyAxis, Shape, StridedCopy};

/// What becomes of the source's elements, by the names of the axes alone: a slice of all, or a repetition of one,
/// counts as what it says. Tensors that are added are no single operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    /// `slice` or `take`: some elements are left out.
    pub cuts: bool,
    /// An axis on the right alone: elements repeat.
    pub repeats: bool,
}

impl Nature {
    /// Whether every element arrives at one place.
    #[must_use]
    pub const fn is_bijection(self) -> bool {
        !self.cuts && !self.repeats
    }
}

/// The operation that undoes another, on the part of the sources that it uses.
#[derive(Debug)]
pub struct Inverse {
    layout: Layout,
    sizes: BTreeMap<String, usize>,
    order: BTreeMap<String, Vec<usize>>,
    /// The first of those that an element is repeated to.
    take: BTreeMap<String, usize>,
    captures: Vec<Capture>,
}

impl Operation<'_> {
    /// What becomes of the source's elements.
    #[must_use]
    pub fn nature(&self) -> Nature {
        Nature {
            cuts: !self.slice.is_empty() || !self.take.is_empty(),
            repeats: self.layout.right_axes().any(|axis| self.is_repeated(axis)),
        }
    }

    fn is_repeated(&self, axis: &str) -> bool {
        !self.layout.has_left(axis) && self.capture(axis).is_none()
    }

    /// The operation that brings elements back, from the targets to the part of the sources that is used
    /// ([`Operation::part`]): all of them, where nothing is left out. Of an element that repeats it reads the first.
    #[must_use]
    pub fn inverse(&self) -> Inverse {
        let undo = |(axis, order): (&String, &Vec<usize>)| {
            let mut undone = vec![0; order.len()];
            for (to, &from) in order.iter().enumerate() {
                // An order that is no permutation is refused where it is used.
                if let Some(place) = undone.get_mut(from) {
                    *place = to;
                }
            }
            (axis.clone(), undone)
        };
        let turn = |capture: &Capture| Capture {
            side: match capture.side {
                Side::Source => Side::Target,
                Side::Target => Side::Source,
            },
            ..capture.clone()
        };
        let mut sizes = self.sizes.clone();
        for (axis, slice) in self.slice {
            let whole = sizes.remove(axis);
            // What is left open here the target's shape tells.
            let used = match *slice {
                Slice::Range { start, end } => end.or(whole).and_then(|end| end.checked_sub(start)),
                Slice::Fit => None,
            };
            sizes.extend(used.map(|used| (axis.clone(), used)));
        }
        sizes.extend(self.take.keys().map(|axis| (axis.clone(), 1)));
        let repeated = self.layout.right_axes().filter(|axis| self.is_repeated(axis));
        Inverse {
            layout: self.layout.turned(),
            sizes,
            order: self.order.iter().map(undo).collect(),
            take: repeated.map(|axis| (axis.to_owned(), 0)).collect(),
            captures: self.captures.iter().map(turn).collect(),
        }
    }

    /// The part of a source that is used, for a target of that shape: its shape, in which an axis that is cut is as
    /// long as what is used of it, and where its elements lie in a contiguous source. All others are lost.
    ///
    /// # Errors
    /// When the layout does not fit the shapes, or leaves a size open.
    pub fn part(&self, source: &Shape, target: &Shape) -> Result<(Shape, StridedCopy), SolveError> {
        let solved = solve(self, source, target)?;
        let is_cut = |name: &String| self.slice.contains_key(name) || self.take.contains_key(name);
        let (mut sizes, mut axes, mut source_offset) = (Vec::new(), Vec::new(), 0);
        let whole = source.sizes().iter().zip(source.contiguous_strides());
        for (at, (group, (&size, stride))) in self.layout.left().iter().zip(whole).enumerate() {
            if !group.iter().any(is_cut) {
                sizes.push(size);
                axes.push((size, stride));
                continue;
            }
            // Parts of unequal size cannot be cut alike.
            let expected = extent(self, Side::Source, group, &solved)?;
            if expected != size {
                return Err(size_error(self, Side::Source, at, source, expected, &solved));
            }
            let (mut step, mut own, mut used) = (stride, Vec::new(), 1);
            for name in group.iter().rev() {
                let whole = self.size(Side::Source, name, &solved);
                let (start, size) = match (self.take.get(name), self.slice.get(name)) {
                    (Some(&index), _) if index >= whole => {
                        return Err(SolveError::TakeOutOfRange { axis: name.clone(), index, size: whole });
                    }
                    (Some(&index), _) => (index, 1),
                    (None, Some(slice)) => {
                        let start = if let Slice::Range { start, .. } = *slice { start } else { 0 };
                        (start, solved.get(name).copied().map_or(0, |size: AxisSize| size.target))
                    }
                    (None, None) => (0, whole),
                };
                source_offset += start * step;
                own.push((size, step));
                used *= size;
                step *= whole.max(1);
            }
            axes.extend(own.into_iter().rev());
            sizes.push(used);
        }
        // No larger than the source.
        let shape = Shape::new(sizes).map_err(|_| SolveError::Overflow { side: Side::Source })?;
        let mut target_stride = 1;
        let mut copied: Vec<CopyAxis> = Vec::new();
        for (size, source_stride) in axes.into_iter().rev() {
            copied.push(CopyAxis { size, source_stride, target_stride });
            target_stride *= size.max(1);
        }
        copied.reverse();
        Ok((shape, StridedCopy { axes: copied.into(), source_offset, target_offset: 0 }))
    }
}

impl Inverse {
    /// As an operation.
    #[must_use]
    pub fn operation(&self) -> Operation<'_> {
        Operation {
            layout: &self.layout,
            sizes: &self.sizes,
            order: &self.order,
            slice: const { &BTreeMap::new() },
            take: &self.take,
            captures: &self.captures,
        }
    }
}

#[cfg(test)]
mod tests;
