//! A layout with all that modifies it: sizes, orders, slices, and captures that are axes.

use std::collections::BTreeMap;

use super::error::SolveError;
use super::expression::{Group, Layout};
use super::solve::{AxisSize, Side, Sizes, solve};
use crate::tensor::Shape;

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
    pub(super) fn check_names(&self) -> Result<(), SolveError> {
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

    /// The size of each axis that is no capture, in the source where it is there.
    ///
    /// # Errors
    /// When the layout does not fit the shapes, or leaves a size open.
    pub fn solved(&self, source: &Shape, target: &Shape) -> Result<BTreeMap<String, usize>, SolveError> {
        let sizes = solve(self, source, target)?;
        let size = |name: &str, size: AxisSize| {
            size.on(if self.layout.has_left(name) { Side::Source } else { Side::Target })
        };
        Ok(sizes.into_iter().map(|(name, both)| (name.clone(), size(&name, both))).collect())
    }

    /// The `order` of an axis of that size, checked.
    pub(super) fn order(&self, axis: &str, size: usize) -> Result<Option<&[usize]>, SolveError> {
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
    pub(super) fn places(&self, capture: &Capture) -> Result<Vec<usize>, SolveError> {
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
