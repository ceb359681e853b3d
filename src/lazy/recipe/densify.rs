//! Sparse tensors made dense, as torch's `to_dense` does (formats/pytorch.md section 2.4).

use super::accumulate::{Accumulate, accumulate};
use crate::tensor::{Dtype, Shape};

/// Why a sparse tensor cannot be made dense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DensifyError {
    /// torch has no dense form for values of this type.
    #[error("its values are {dtype}, of which torch itself cannot make a dense tensor")]
    Values {
        /// The type.
        dtype: Dtype,
    },
    /// Indices of a type that torch does not write.
    #[error("its indices are {dtype}; torch writes int64, and int32 for compressed layouts")]
    Indices {
        /// The type.
        dtype: Dtype,
    },
    /// The parts' shapes do not go together.
    #[error("its {part} of shape {found} do not fit the sparse tensor and its other parts")]
    Part {
        /// Which part.
        part: &'static str,
        /// Its shape.
        found: Box<Shape>,
    },
    /// An index that is outside of the tensor.
    #[error("element {element} has the index {index} on an axis of {size}")]
    OutOfRange {
        /// Which stored element.
        element: usize,
        /// Its index.
        index: i64,
        /// The axis' size (of blocked layouts: in blocks).
        size: usize,
    },
    /// Elements are not in the order that they are said to have, or come twice.
    #[error(
        "element {element} is not behind the one before it, though the layout wants sorted, distinct indices"
    )]
    Unsorted {
        /// Which stored element.
        element: usize,
    },
    /// The pointers to the rows (or columns) are not what the layout wants: from 0, never falling, to the
    /// number of elements.
    #[error("the compressed indices are wrong at {place}: {pointer}")]
    Pointers {
        /// Which one.
        place: usize,
        /// What it is.
        pointer: i64,
    },
}

/// Checks what both kinds of sparse tensor have in common.
pub(super) fn check_dtypes(indices: &[Dtype], allowed: &[Dtype], values: Dtype) -> Result<(), DensifyError> {
    if let Some(&dtype) = indices.iter().find(|dtype| !allowed.contains(dtype)) {
        return Err(DensifyError::Indices { dtype });
    }
    adder(values).map(drop)
}

pub(super) fn adder(dtype: Dtype) -> Result<Accumulate, DensifyError> {
    accumulate(dtype).ok_or(DensifyError::Values { dtype })
}

/// An index that was read, if it lies on an axis of `size`.
pub(super) fn on_axis(element: usize, index: i64, size: usize) -> Result<usize, DensifyError> {
    match usize::try_from(index) {
        Ok(place) if place < size => Ok(place),
        _ => Err(DensifyError::OutOfRange { element, index, size }),
    }
}

/// Bytes of a dense tensor.
pub(super) fn dense_len(shape: &Shape, dtype: Dtype) -> usize {
    shape.numel().saturating_mul(dtype.size())
}
