//! Tensors that have not been read: views of ranges of a mapped file, or of values that are computed when they
//! are needed (an inflated record, a dequantized tensor).
//!
//! ```text
//! LazyTensor = dtype + view + byte order + Storage
//! Storage    = bytes of the file | a recipe that makes bytes
//! ```

mod bytes;
mod checksum;
mod error;
mod recipe;
mod statistics;
mod storage;
pub mod survey;
mod tensor;
mod tiles;

pub use bytes::Bytes;
pub use checksum::{Checksummed, Damage, damaged};
pub use error::LoadError;
pub use recipe::{
    AbsoluteMaxima, Assemble, AssembleError, BlockDiagonal, Blockwise, CompressedLayout, DensifyCompressed,
    DensifyCoo, DensifyError, Dequantize, DequantizeError, Formula, FormulaError, Inflate, LowRank,
    LowRankScale, Masked, Mxfp4, NestedMaxima, Part, QuantizationParameters, Recipe, Resolve, ResolveError,
    Scaled, SpectralNorm, TilingError, Unpack, WeightNorm,
};
pub use statistics::{NonFinite, Statistics};
pub use storage::{Computed, Storage};
pub use tensor::LazyTensor;
