//! Layouts that were solved before: a model has many layers of few kinds.

use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use crate::map::Map;
use crate::tensor::{
    Operation, Rearranged, Shape, SolveError, SourcePiece, Strided, StridedCopy, TargetPiece, rearrange,
};

/// What was solved, by all that a solution depends on.
#[derive(Default)]
pub(super) struct Solved {
    /// For tensors that begin with their storage.
    copies: Mutex<Map<Question, Vec<StridedCopy>>>,
}

/// One tensor to one variable by a layout alone. What orders, cuts or gathers is asked anew each time.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    /// The layout's text, which all of it follows from.
    layout: String,
    /// The given sizes by their names, in the order of these.
    sizes: Vec<(String, usize)>,
    /// The tensor's rank, sizes and strides, then the variable's sizes.
    shapes: Vec<usize>,
}

impl Question {
    /// None where there is more to an operation.
    fn of(operation: &Operation<'_>, view: &Strided, shape: &Shape) -> Option<Self> {
        let Operation { layout, sizes, order, slice, take, captures } = operation;
        if !(order.is_empty() && slice.is_empty() && take.is_empty() && captures.is_empty()) {
            return None;
        }
        let source = view.shape().sizes();
        let mut shapes = Vec::with_capacity(1 + 2 * source.len() + shape.rank());
        shapes.push(source.len());
        shapes.extend_from_slice(source);
        shapes.extend_from_slice(view.strides());
        shapes.extend_from_slice(shape.sizes());
        let sizes = sizes.iter().map(|(axis, size)| (axis.clone(), *size)).collect();
        Some(Self { layout: layout.as_str().to_owned(), sizes, shapes })
    }
}

impl Solved {
    /// As [`rearrange`].
    pub(super) fn rearrange(
        &self,
        operation: &Operation<'_>,
        sources: &[SourcePiece<'_>],
        targets: &[TargetPiece<'_>],
    ) -> Result<Vec<Rearranged>, SolveError> {
        let question = match (sources, targets) {
            ([source], [target]) => Question::of(operation, source.view, target.shape).map(|of| (of, source)),
            _ => None,
        };
        let Some((question, source)) = question else { return rearrange(operation, sources, targets) };
        let offset = source.view.offset();
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = match copies.entry(question) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let found = rearrange(operation, sources, targets)?;
                let copies = found.into_iter().map(|found| StridedCopy {
                    source_offset: found.copy.source_offset - offset,
                    ..found.copy
                });
                vacant.insert(copies.collect())
            }
        };
        let moved =
            |copy: &StridedCopy| StridedCopy { source_offset: copy.source_offset + offset, ..copy.clone() };
        Ok(copies.iter().map(|copy| Rearranged { source: 0, target: 0, copy: moved(copy) }).collect())
    }
}
