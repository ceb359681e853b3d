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

use super::error::SolveError;
use super::grid::Grid;
use super::operation::Operation;
use crate::tensor::{Shape, Strided, StridedCopy};

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

#[cfg(test)]
mod tests;
