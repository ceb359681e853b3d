//! The kinds of tensor, as a pickle tells of them; nothing is checked against the storages yet.

use super::storage::StorageSpec;
use crate::checkpoint::pickle::value::ValueId;
use crate::lazy::CompressedLayout;
use crate::tensor::{ByteOrder, Dtype, Shape, Sizes};

/// A tensor.
#[derive(Debug, Clone)]
pub(crate) enum TensorSpec<'a> {
    /// A strided view of a storage.
    Strided(StridedSpec<'a>),
    /// Integers with scales and zero points.
    Quantized(Box<QuantizedSpec<'a>>),
    /// `torch.sparse_coo`.
    Coo(Box<CooSpec<'a>>),
    /// `torch.sparse_csr` and its like.
    Compressed(Box<CompressedSpec<'a>>),
    /// Several tensors in one buffer.
    Nested(Box<NestedSpec<'a>>),
    /// A NumPy array in the pickle itself.
    Array(Box<ArraySpec<'a>>),
}

/// A strided view of a storage.
#[derive(Debug, Clone)]
pub(crate) struct StridedSpec<'a> {
    pub(crate) storage: StorageSpec<'a>,
    pub(crate) dtype: Dtype,
    /// In elements of `dtype`, as are the strides.
    pub(crate) offset: usize,
    pub(crate) shape: Shape,
    pub(crate) strides: Sizes,
    /// Whether the values are the conjugates of what the storage holds.
    pub(crate) is_conj: bool,
    /// Whether they are the negatives.
    pub(crate) is_neg: bool,
}

/// A quantized tensor.
#[derive(Debug, Clone)]
pub(crate) struct QuantizedSpec<'a> {
    /// `int8`, `uint8` or `int32`.
    pub(crate) integers: StridedSpec<'a>,
    pub(crate) quantization: Quantization<'a>,
}

/// Scales and zero points.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a quantized tensor has one, which is not moved about")]
pub(crate) enum Quantization<'a> {
    /// One for all elements.
    PerTensor { scale: f64, zero_point: i64 },
    /// One for each index of an axis.
    PerChannel {
        axis: usize,
        scales: Channels<'a>,
        zero_points: Channels<'a>,
        /// Whether lists are `float32` (`per_channel_affine_float_qparams`). Tensors have their own type.
        lists_are_f32: bool,
    },
}

/// A number for each channel.
#[derive(Debug, Clone)]
pub(crate) enum Channels<'a> {
    Tensor(StridedSpec<'a>),
    /// A Python list of numbers, in files of torch before 1.5.
    List(ValueId),
}

/// A sparse tensor of coordinates and values.
#[derive(Debug, Clone)]
pub(crate) struct CooSpec<'a> {
    pub(crate) indices: StridedSpec<'a>,
    pub(crate) values: StridedSpec<'a>,
    pub(crate) shape: Shape,
    pub(crate) is_coalesced: bool,
}

/// A sparse tensor with compressed rows or columns.
#[derive(Debug, Clone)]
pub(crate) struct CompressedSpec<'a> {
    pub(crate) layout: CompressedLayout,
    /// `crow_indices` or `ccol_indices`.
    pub(crate) compressed: StridedSpec<'a>,
    /// `col_indices` or `row_indices`.
    pub(crate) plain: StridedSpec<'a>,
    pub(crate) values: StridedSpec<'a>,
    pub(crate) shape: Shape,
}

/// A nested tensor: one row of `sizes` and `strides` and one offset for each part.
#[derive(Debug, Clone)]
pub(crate) struct NestedSpec<'a> {
    pub(crate) buffer: StridedSpec<'a>,
    pub(crate) sizes: StridedSpec<'a>,
    pub(crate) strides: StridedSpec<'a>,
    pub(crate) offsets: StridedSpec<'a>,
}

/// A NumPy array whose values stand in the pickle.
#[derive(Debug, Clone)]
pub(crate) struct ArraySpec<'a> {
    pub(crate) dtype: Dtype,
    /// Whether the tensor is `bfloat16` and the array has its values as `float32`.
    pub(crate) is_widened: bool,
    pub(crate) byte_order: ByteOrder,
    pub(crate) shape: Shape,
    /// Whether the first axis is the innermost.
    pub(crate) is_fortran: bool,
    pub(crate) bytes: ArrayBytes<'a>,
}

/// The values of an array, and which value of the pickle they are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ArrayBytes<'a> {
    /// The bytes themselves.
    Plain(ValueId, &'a [u8]),
    /// A text with a character for each byte.
    Latin1(ValueId, &'a str),
}
