//! Why elements cannot be converted.

use crate::tensor::Dtype;

/// Why elements cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A finite value is beyond the target's largest.
    #[error("the value {value} does not fit in {target}")]
    Overflow {
        /// The place of the element among those given.
        index: usize,
        /// The value.
        value: f64,
        /// The element type it was to become.
        target: Dtype,
    },
    /// A sum of finite values is beyond the largest of the type they are added in.
    #[error("the values {one:?} and {other:?} have no sum in {dtype}")]
    SumOverflow {
        /// The sum so far.
        one: f64,
        /// What was added.
        other: f64,
        /// The element type they are added in.
        dtype: Dtype,
    },
    /// No such conversion: it would drop fractions or wrap integers.
    #[error("{source_dtype} elements cannot become {target}")]
    Unsupported {
        /// The element type given.
        source_dtype: Dtype,
        /// The element type asked for.
        target: Dtype,
    },
}
