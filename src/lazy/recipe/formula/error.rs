//! Why tensors do not go together.

use crate::tensor::{Dtype, Shape};

/// Why no values can be computed from tensors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormulaError {
    /// A tensor of a type that the formula does not know.
    #[error("`{role}` is {dtype}, where {expected} are needed")]
    Type {
        /// What the tensor is in the formula.
        role: &'static str,
        /// Its type.
        dtype: Dtype,
        /// The types that there may be.
        expected: &'static str,
    },
    /// A tensor that does not fit another.
    #[error("`{role}` has shape {shape}, where {expected}")]
    Shape {
        /// What the tensor is in the formula.
        role: &'static str,
        /// Its shape.
        shape: Shape,
        /// What is needed, with the shape that asks for it.
        expected: String,
    },
    /// `u` is as long as several axes of the weight, and nothing tells which it belongs to.
    #[error(
        "`u` of length {length} fits axis {first} and axis {second} of the weight's shape {shape}; the sizes do \
         not tell which"
    )]
    Dim {
        /// Length of `u`.
        length: usize,
        /// An axis.
        first: usize,
        /// Another.
        second: usize,
        /// The weight's shape.
        shape: Shape,
    },
    /// `u` is what `v` makes along another axis of the weight than the usual one.
    #[error("`u` is what `v` makes along axis {made} of the weight, and not along axis {usual}, as is usual")]
    AnotherDim {
        /// The axis that the vectors were made along.
        made: usize,
        /// The axis that torch takes when it is told none.
        usual: usize,
    },
    /// More values than can be counted.
    #[error("it would have more values than can be counted")]
    TooMany,
    /// A number of four bits that the table of values does not have, or a table of another length.
    #[error("`{role}` has {found} values, where {expected} are needed")]
    Length {
        /// What the tensor is in the formula.
        role: &'static str,
        /// Values that there are.
        found: usize,
        /// Values that are needed.
        expected: usize,
    },
}
