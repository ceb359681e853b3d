//! What an operation does to the elements as a whole, and the one that undoes it.
//!
//! ```text
//! (h d) e -> e h d            every element once: undone by e h d -> (h d) e
//! v d -> v d, slice v = 2:    some elements are left out
//! c -> h w c                  elements repeat
//! ```
//!
//! A capture changes sides: what stacked the tensors `e` of one side splits them for the other.

use std::collections::BTreeMap;

use super::expression::Layout;
use super::operation::{Capture, Operation};
use super::solve::Side;

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

/// The operation that undoes another.
#[derive(Debug)]
pub struct Inverse {
    layout: Layout,
    sizes: BTreeMap<String, usize>,
    order: BTreeMap<String, Vec<usize>>,
    captures: Vec<Capture>,
}

impl Operation<'_> {
    /// What becomes of the source's elements.
    #[must_use]
    pub fn nature(&self) -> Nature {
        let is_repeated = |axis: &str| !self.layout.has_left(axis) && self.capture(axis).is_none();
        Nature {
            cuts: !self.slice.is_empty() || !self.take.is_empty(),
            repeats: self.layout.right_axes().any(is_repeated),
        }
    }

    /// The operation that brings every element back, from the targets to the sources; `None` where elements are left
    /// out or repeat.
    #[must_use]
    pub fn inverse(&self) -> Option<Inverse> {
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
        self.nature().is_bijection().then(|| Inverse {
            layout: self.layout.turned(),
            sizes: self.sizes.clone(),
            order: self.order.iter().map(undo).collect(),
            captures: self.captures.iter().map(turn).collect(),
        })
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
            take: const { &BTreeMap::new() },
            captures: &self.captures,
        }
    }
}

#[cfg(test)]
mod tests;
