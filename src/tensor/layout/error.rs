//! Why a layout does not fit shapes.

use super::solve::Side;
use crate::tensor::Shape;

/// Why a layout does not fit shapes. Never a guess: what is not determined is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// A tensor has another number of axes than its side of the layout.
    #[error("the {side} has shape {shape}, of {} axes, where the layout names {expected}", shape.rank())]
    Rank {
        /// Which side.
        side: Side,
        /// The shape.
        shape: Shape,
        /// Axes of the layout's side.
        expected: usize,
    },
    /// An axis' size is not the product of its names' sizes.
    #[error("axis {axis} of the {side} {shape} would have to be {expected} ({group})")]
    Size {
        /// Which side.
        side: Side,
        /// Which axis, from 0.
        axis: usize,
        /// The shape.
        shape: Shape,
        /// The size that the layout asks for.
        expected: usize,
        /// What makes the size that is asked for: the axis in the layout, with sizes (`h=3 d=5`), or the parts that a
        /// capture joins.
        group: String,
    },
    /// An axis' size is not divisible by the sizes that are known.
    #[error("axis {axis} of the {side} {shape} is not divisible by {divisor} ({group})")]
    Indivisible {
        /// Which side.
        side: Side,
        /// Which axis, from 0.
        axis: usize,
        /// The shape.
        shape: Shape,
        /// The product of the known sizes.
        divisor: usize,
        /// The axis in the layout, with sizes.
        group: String,
    },
    /// Nothing tells an axis' size.
    #[error("the size of axis `{axis}` follows from neither shape; give it as `sizes = {{ {axis} = … }}`")]
    Undetermined {
        /// The axis.
        axis: String,
    },
    /// An axis has different sizes on the two sides.
    #[error("axis `{axis}` is {source_size} in the tensor and {target_size} in the variable")]
    Unequal {
        /// The axis.
        axis: String,
        /// Its size in the source (of the used part, where it is sliced).
        source_size: usize,
        /// Its size in the target.
        target_size: usize,
    },
    /// An axis of the source appears nowhere in the target.
    #[error("axis `{axis}` of the tensor is lost: name it on the right, or use `take` or `reduce`")]
    Lost {
        /// The axis.
        axis: String,
    },
    /// `slice` reaches past the axis.
    #[error("`slice` of axis `{axis}` reaches past its size {size}")]
    SliceOutOfRange {
        /// The axis.
        axis: String,
        /// Its size in the source.
        size: usize,
    },
    /// `take` reaches past the axis.
    #[error("`take` asks for index {index} of axis `{axis}`, whose size is {size}")]
    TakeOutOfRange {
        /// The axis.
        axis: String,
        /// The index.
        index: usize,
        /// The axis' size.
        size: usize,
    },
    /// `order` is not a permutation of the axis' indices.
    #[error("`order` of axis `{axis}` must name each of its {size} indices once")]
    NotAPermutation {
        /// The axis.
        axis: String,
        /// Its size.
        size: usize,
    },
    /// A capture used as an axis does not have a tensor for every combination of values.
    #[error("{found} tensors where the captures make {expected} combinations")]
    MissingPiece {
        /// Which side lacks pieces.
        side: Side,
        /// Combinations.
        expected: usize,
        /// Pieces.
        found: usize,
    },
    /// A capture is an axis twice or on the wrong side, or a keyword names an axis that the layout lacks.
    #[error("`{axis}` is not an axis that `{keyword}` can name in this layout")]
    UnknownAxis {
        /// The axis.
        axis: String,
        /// Where it was named.
        keyword: &'static str,
    },
    /// Sizes whose product overflows.
    #[error("the sizes of the {side} overflow")]
    Overflow {
        /// Which side.
        side: Side,
    },
}
